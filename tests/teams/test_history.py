"""Run and alert histories: one form, every mistake with its line, nothing from after `as_of`."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops_lib.errors import TeamError
from dataops_lib.teams import history
from dataops_lib.teams.history import ALERTS, RUN_STATUSES, RUNS, TRIGGERS

HEADER = "run_id,pipeline,table,due_at,status\n"
GOOD = HEADER + "r1,p,t,2013-02-10T06:00:00-05:00,published\n"


def problems_of(text, columns=RUNS):
    with pytest.raises(TeamError) as caught:
        history.loads(text, columns, "runs.csv")
    return [str(problem) for problem in caught.value.problems]


# ---- the form


def test_a_minimal_history_needs_five_columns_and_leaves_the_rest_missing():
    runs = history.loads(GOOD, RUNS, "runs.csv")
    assert list(runs.columns) == [column.name for column in RUNS]
    row = runs.iloc[0]
    assert row.due_at == datetime(2013, 2, 10, 11, tzinfo=UTC)
    assert row.trigger == "scheduled"  # what most run logs mean and do not say
    for missing in ("started_at", "finished_at", "published_at", "rows", "planted"):
        assert pd.isna(row[missing])


def test_types_do_not_depend_on_what_is_in_the_file():
    empty, filled = (history.loads(text, RUNS, "runs.csv") for text in (HEADER, GOOD))
    assert len(empty) == 0
    assert list(empty.dtypes) == list(filled.dtypes)
    assert str(empty.dtypes["due_at"]) == "datetime64[us, UTC]"
    assert str(empty.dtypes["rows"]) == "Int64"


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.rstrip("\n"),
        GOOD + "\n\n",
        GOOD.replace("r1", '"r1"'),
        HEADER + " r1 ,p,t, 2013-02-10T11:00:00Z ,published\n",
        "status,due_at,table,pipeline,run_id\npublished,20130210T110000Z,t,p,r1\n",
    ],
)
def test_the_same_history_written_differently_is_the_same(text):
    pd.testing.assert_frame_equal(
        history.loads(text, RUNS, "runs.csv"), history.loads(GOOD, RUNS, "runs.csv")
    )


def test_texts_with_commas_quotes_and_line_breaks_are_kept():
    text = 'alerted_at,name,table,message\n2013-02-10T06:00:00Z,n,t,"a, ""b""\nc"\n'
    assert history.loads(text, ALERTS, "alerts.csv").message[0] == 'a, "b"\nc'


# ---- mistakes


def test_missing_unknown_and_repeated_columns_are_told_with_the_list_of_all():
    found = problems_of("run_id,pipeline,due,due,status\n")
    assert [text.split(". Fix")[0] for text in found] == [
        "runs.csv:1: due: stands twice",
        "runs.csv:1: due: is not a known column",
        "runs.csv:1: due: is not a known column",
        "runs.csv:1: due_at: is missing",
        "runs.csv:1: table: is missing",
    ]
    assert "run_id, pipeline, table, due_at" in found[-1]


@pytest.mark.parametrize("text", ["", "\n", "\ufeff", "no header at all\n", "\x00\x00"])
def test_a_file_without_the_columns_is_no_history(text):
    assert problems_of(text)


@pytest.mark.parametrize(
    ("due_at", "message"),
    [
        ("2013-02-10T06:00:00", "a time without zone; write the offset, or Z for UTC"),
        ("2013-02-10", "a time without zone"),
        ("2013-02-10 06:00 America/New_York", "but a time looks like 2013-02-10T06:30:00Z"),
        ("2013-02-30T06:00:00Z", "but a time looks like"),
        ("10/02/2013 06:00", "but a time looks like"),
        ("1360475400", "but a time looks like"),
        ("0001-01-01T00:00:00+05:00", "the year must be between 1970 and 2199"),
        ("9999-12-31T23:59:59-05:00", "the year must be between 1970 and 2199"),
        ("", "is empty"),
        ("now", "but a time looks like"),
    ],
)
def test_a_time_that_is_none_or_has_no_zone_is_told_with_its_line(due_at, message):
    (found,) = problems_of(f"{GOOD}r2,p,t,{due_at},published\n")
    assert found.startswith("runs.csv:3: due_at: ")
    assert message in found


@pytest.mark.parametrize("status", ["ok", "Published", "published;", "success", "0", ""])
def test_an_unknown_status_is_told_with_the_known_ones(status):
    (found,) = problems_of(HEADER + f"r1,p,t,2013-02-10T11:00:00Z,{status}\n")
    assert "runs.csv:2: status: " in found
    assert "is empty" in found or ", ".join(RUN_STATUSES) in found


@pytest.mark.parametrize("rows", ["-1", "1.5", "nan", "1e3", "1_000", "٣", "9" * 30, "many"])
def test_a_count_that_is_no_whole_number_is_told(rows):
    text = "run_id,pipeline,table,due_at,status,rows\n"
    (found,) = problems_of(text + f"r1,p,t,2013-02-10T11:00:00Z,published,{rows}\n")
    assert "rows: is '" in found
    assert "must be a whole number, 0 or more" in found


def test_an_unknown_trigger_is_told():
    text = "run_id,pipeline,table,due_at,status,trigger\n"
    (found,) = problems_of(text + "r1,p,t,2013-02-10T11:00:00Z,published,magic\n")
    assert f"must be one of {', '.join(TRIGGERS)}" in found


@pytest.mark.parametrize("row", ["r2,p,t,2013-02-10T11:00:00Z,published,extra", "a,b,c,d,e,f,g"])
def test_a_row_with_more_cells_than_columns_is_told_and_not_cut(row):
    assert any(
        "runs.csv:3: has more cells than columns" in text for text in problems_of(GOOD + row)
    )


def test_a_row_with_too_few_cells_is_told():
    assert "runs.csv:3: status: is empty" in problems_of(GOOD + "r2,p,t,2013-02-10T11:00:00Z\n")[0]


@pytest.mark.parametrize("cell", ['"open', '"a" b', "x" * 200_000])
def test_broken_quotes_and_endless_cells_are_told(cell):
    (found,) = problems_of(GOOD + f"{cell},p,t,2013-02-10T11:00:00Z,published\n")
    assert "is not CSV" in found


def test_all_mistakes_of_a_file_are_told_at_once_on_the_lines_they_stand_on():
    text = "alerted_at,name,table,message\n"
    text += (
        '2013-02-10T06:00:00Z,n,t,"over\ntwo lines"\n\nyesterday,n,t,m\n2013-02-10T06:00:00Z,,t,m\n'
    )
    found = problems_of(text, ALERTS)
    assert [text.split(": ")[:2] for text in found] == [
        ["runs.csv:5", "alerted_at"],
        ["runs.csv:6", "name"],
    ]


@pytest.mark.deep
@given(st.text("run_id,pieltabsu\n\r\"'\x000123-:TZ\ufeff", max_size=120), st.booleans())
@settings(max_examples=3000)
def test_any_text_is_a_history_or_a_list_of_problems(text, with_header):
    try:
        history.loads(HEADER * with_header + text, RUNS, "runs.csv")
    except TeamError as error:
        assert error.problems


# ---- writing

times = st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 30)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r")).map(str.strip)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "run_id": texts.filter(bool),
            "pipeline": st.just("p"),
            "table": st.just("t"),
            "due_at": times,
            "started_at": times | st.none(),
            "published_at": times | st.none(),
            "status": st.sampled_from(RUN_STATUSES),
            "rows": st.integers(0, 10**15) | st.none(),
            "trigger": st.sampled_from(TRIGGERS),
            "planted": texts.filter(bool) | st.none(),
        }
    ),
    max_size=5,
)


@given(rows)
@settings(max_examples=40)
def test_what_is_written_is_read_back(given_rows):
    frame = history.frame(given_rows, RUNS)
    again = history.loads(history.dumps(frame, RUNS), RUNS, "runs.csv")
    pd.testing.assert_frame_equal(again, frame)


# ---- as of


def run(due, started=None, finished=None, published=None, status="published", count=10):
    return {
        "run_id": "r",
        "pipeline": "p",
        "table": "t",
        "due_at": due,
        "started_at": started,
        "finished_at": finished,
        "published_at": published,
        "status": status,
        "rows": count,
        "trigger": "scheduled",
    }


SIX = datetime(2013, 2, 10, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_nobody_knows_of_a_run_before_it_starts_nor_how_it_ends_before_it_ends():
    whole = history.frame([run(SIX, SIX + MINUTE, SIX + 5 * MINUTE, SIX + 5 * MINUTE)], RUNS)
    assert len(history.known_at(whole, SIX)) == 0
    assert len(history.known_at(whole, SIX + MINUTE)) == 0
    during = history.known_at(whole, SIX + 5 * MINUTE).iloc[0]
    assert during.status == "running"
    assert pd.isna(during.published_at)
    assert pd.isna(during.finished_at)
    assert pd.isna(during["rows"])
    after = history.known_at(whole, SIX + 6 * MINUTE)
    pd.testing.assert_frame_equal(after, whole)


def test_a_log_without_start_times_counts_from_the_due_time():
    whole = history.frame([run(SIX)], RUNS)
    assert len(history.known_at(whole, SIX)) == 0
    assert len(history.known_at(whole, SIX + MINUTE)) == 1


def test_what_readers_had_stays_published_while_the_run_cleans_up():
    whole = history.frame([run(SIX, SIX, SIX + 90 * MINUTE, SIX + 5 * MINUTE)], RUNS)
    cleaning = history.known_at(whole, SIX + 60 * MINUTE).iloc[0]
    assert (cleaning.status, cleaning.published_at) == ("published", SIX + 5 * MINUTE)
    assert pd.isna(cleaning.finished_at)


def test_a_publish_is_not_known_before_it_happened_even_if_the_log_has_no_end_time():
    whole = history.frame([run(SIX, SIX, None, SIX + 5 * MINUTE)], RUNS)
    early = history.known_at(whole, SIX + MINUTE).iloc[0]
    assert (early.status, pd.isna(early.published_at)) == ("running", True)


@given(rows, times)
@settings(max_examples=40)
def test_nothing_that_is_known_lies_in_the_future(given_rows, moment):
    known = history.known_at(history.frame(given_rows, RUNS), moment)
    for column in ("due_at", "started_at", "finished_at", "published_at"):
        assert not (known[column] >= moment).any()
    assert list(known.index) == list(range(len(known)))


def test_an_acknowledgement_that_comes_after_the_day_of_the_report_is_not_known_yet():
    text = (
        "alerted_at,name,table,acknowledged_at,action_taken\n"
        "2026-01-06T23:50:00Z,late,t,2026-01-07T00:04:00Z,yes\n"
        "2026-01-06T05:00:00Z,late,t,2026-01-06T05:04:00Z,\n"
        "2026-01-07T00:00:00Z,late,t,,no\n"
    )
    alerts = history.loads(text, history.ALERTS, "alerts.csv")
    assert list(alerts["urgency"]) == ["page"] * 3
    known = history.alerts_known_at(alerts, datetime(2026, 1, 7, tzinfo=UTC))
    assert list(known["acknowledged_at"].notna()) == [False, True]
    assert list(known["action_taken"].isna()) == [True, True]
