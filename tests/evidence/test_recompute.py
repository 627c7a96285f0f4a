"""The SQL that a report prints beside its figures: worked by hand on a few rows."""

from datetime import UTC, datetime, timedelta

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops_lib.evidence import recompute
from dataops_lib.windows import Window

WINDOW = Window(datetime(2013, 2, 1, tzinfo=UTC), datetime(2013, 2, 4, tzinfo=UTC))


def at(text):
    """`2 06:00` of February 2013, UTC."""
    return datetime.fromisoformat(f"2013-02-0{text}+00:00")


@pytest.fixture
def con():
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def table(con, name, columns, rows):
    frame = pd.DataFrame(rows, columns=columns)
    con.register("frame", frame)
    con.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM frame")


def answer(con, query):
    ((good, total),) = con.execute(query).fetchall()
    return good, total


def days(con, *tables):
    rows = [
        (name, day, at(f"{day} 00:00"), at(f"{day} 00:00") + timedelta(days=1))
        for name in tables
        for day in (1, 2, 3)
    ]
    table(con, "days", ["table", "day", "starts_at", "ends_at"], rows)


def versions(con, *rows):
    times = {"at": "datetime64[us, UTC]", "good_until": "datetime64[us, UTC]"}
    found = pd.DataFrame(rows, columns=["table", "at", "good_until"]).astype(times)
    con.register("frame", found)
    con.execute("CREATE OR REPLACE TABLE versions AS SELECT * FROM frame")


@pytest.mark.parametrize(
    ("landed", "good"),
    [
        ([("1 00:00", "4 00:00")], 3),
        ([("1 00:00", "2 12:00"), ("2 12:00", "4 00:00")], 3),  # handed over without a gap
        ([("1 00:00", "2 12:00"), ("2 12:01", "4 00:00")], 2),  # stale for a minute of the 2nd
        ([("1 00:01", "4 00:00")], 2),  # nothing before the first minute of the 1st
        ([("1 00:00", "2 00:00")], 1),  # good until the very end of the 1st
        ([("1 00:00", "3 12:00"), ("2 00:00", "2 06:00"), ("2 06:00", "4 00:00")], 3),
        ([], 0),
    ],
)
def test_a_day_is_fresh_when_no_part_of_it_was_stale(con, landed, good):
    days(con, "a")
    versions(con, *(("a", at(begin), at(end)) for begin, end in landed))
    assert answer(con, recompute.fresh_days(["a"])) == (good, 3)


def test_only_the_tables_that_are_asked_for_count_whatever_they_are_called(con):
    odd = 'it\'s "odd"; DROP TABLE days'
    days(con, odd, "b")
    versions(con, (odd, at("1 00:00"), at("4 00:00")))
    assert answer(con, recompute.fresh_days([odd])) == (3, 3)
    assert answer(con, recompute.fresh_days([odd, "b"])) == (3, 6)


RUN_COLUMNS = ["table", "due_at", "started_at", "status", "trigger"]


def runs_table(con, rows):
    """A run history of `rows`, with the columns that they do not speak of empty."""
    frame = pd.DataFrame(rows, columns=RUN_COLUMNS)
    frame["run_id"] = [f"r{number}" for number in range(len(frame))]
    for name in ("finished_at", "published_at"):
        frame[name] = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us, UTC]")
    table(con, "runs", list(frame.columns), frame)


def test_the_first_scheduled_attempt_decides_and_a_run_without_one_is_bad(con):
    due = [at("1 06:00"), at("2 06:00"), at("3 06:00")]
    table(con, "expected", ["table", "due_at"], [("a", one) for one in due])
    runs_table(
        con,
        [
            ("a", due[0], at("1 06:00"), "published", "scheduled"),
            ("a", due[1], at("2 07:00"), "published", "scheduled"),  # a second attempt
            ("a", due[1], at("2 06:00"), "failed", "scheduled"),
            ("a", due[2], at("3 09:00"), "published", "rerun"),
            ("a", at("3 12:00"), at("3 12:00"), "published", "scheduled"),  # nobody expected it
        ],
    )
    assert answer(con, recompute.first_attempts(WINDOW)) == (1, 3)


def test_a_run_that_is_at_work_is_left_out_and_the_window_is_half_open(con):
    due = [at("1 00:00"), at("3 23:59"), at("4 00:00")]
    table(con, "expected", ["table", "due_at"], [("a", one) for one in due])
    runs_table(
        con,
        [
            ("a", due[0], due[0], "published", "scheduled"),
            ("a", due[1], due[1], "running", "scheduled"),
            ("a", due[2], due[2], "published", "scheduled"),
        ],
    )
    assert answer(con, recompute.first_attempts(WINDOW)) == (1, 1)


def test_only_what_was_audited_counts_as_a_publish(con):
    statuses = ["published", "published", "blocked", "failed", "skipped", "running"]
    rows = [("a", at("1 06:00"), at("1 06:00"), status, "rerun") for status in statuses]
    rows.append(("a", at("1 06:00"), WINDOW.end, "published", "rerun"))
    rows.append(("b", at("1 06:00"), at("1 06:00"), "published", "rerun"))  # nothing audits b
    runs_table(con, rows)
    assert answer(con, recompute.audited_publishes(WINDOW, ["a"])) == (2, 3)


@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, 9), st.none() | st.text("ab", max_size=2)), max_size=8
    )
)
@settings(max_examples=20)
def test_filled_cells_are_those_that_are_not_null(rows):
    with duckdb.connect() as con:
        con.execute(
            'CREATE TABLE "odd ""name" ("x;y" INTEGER, z VARCHAR); CREATE TABLE b (q INTEGER)'
        )
        con.execute("INSERT INTO b VALUES (1), (NULL)")
        if rows:
            con.executemany('INSERT INTO "odd ""name" VALUES (?, ?)', rows)
        filled = sum(value is not None for row in rows for value in row)
        query = recompute.filled_cells({'odd "name': ["x;y", "z"], "b": ["q"]})
        assert answer(con, query) == (filled + 1, 2 * len(rows) + 2)
