"""The replay really writes, audits and publishes; what it leaves is whole, repeatable and true."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import date, datetime, timedelta

import duckdb
import grimp
import pandas as pd
import pytest
from conftest import CLONE, FAULTS, NO_FAULTS, hear_interrupts

from dataops_lib import contracts, evidence, teams, warehouse
from dataops_lib.errors import DataError, TeamError
from dataops_lib.evidence import levels, records, series
from dataops_lib.examples import replay, simulation
from dataops_lib.teams import folders, history, models
from dataops_lib.teams import team as teams_team

TWO_DAYS = {"first_due": date(2013, 2, 5), "until": date(2013, 2, 7)}  # one late, one changed
DEPARTURES = CLONE / "data" / "flights" / "flights_2013.parquet"
CHILD = """\
import sys
from pathlib import Path
from dataops_lib.examples import replay
print("started", flush=True)
print(replay.build(Path(sys.argv[1])))
"""


def opened(build):
    return warehouse.open(folders.local_catalog(build), create=True)


def tables(build, names):
    """The published rows of each table, in an order of their own."""
    catalog = opened(build)
    with duckdb.connect() as connection:
        for name in names:
            warehouse.view(connection, name, catalog.load_table(f"marts.{name}"))
        return {
            name: connection.execute(f'SELECT * FROM "{name}" ORDER BY ALL').fetchall()
            for name in names
        }


def content(folder, build):
    """All that a replay promises to repeat: histories, rows, and what the publish tags say."""
    names = [table.name for table in teams_team.team_file(folder).tables]
    catalog = opened(build)
    tags = {name: sorted(catalog.load_table(f"marts.{name}").refs()) for name in names}
    texts = {
        name: (build / name).read_text()
        for name in ("runs.csv", "alerts.csv", "blocked.json", "landings.json")
    }
    return texts, tables(build, names), tags


def runs_of(build):
    return history.loads((build / "runs.csv").read_text(), history.RUNS, "runs.csv")


def child(folder, **more):
    options = {"stdout": subprocess.PIPE, "text": True, "preexec_fn": hear_interrupts} | more
    return subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], **options)


def builds(folder):
    return sorted(folders.warehouse_folder(folder).glob("build-*"))


# ---- what is published is true


def test_published_rows_are_those_of_the_source_by_an_independent_query(flights):
    found = tables(flights.build, ["fct_flights", "fct_daily_departures", "fct_carrier_delays"])
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE VIEW f AS FROM '{DEPARTURES}' "
            "WHERE flight_date BETWEEN '2013-02-03' AND '2013-02-12'"
        )
        ((rows,),) = connection.execute("SELECT count(*) FROM f").fetchall()
        by_airport = connection.execute(
            """SELECT flight_date, origin, count(*), count(dep_time), count(*) - count(dep_time)
            FROM f GROUP BY ALL ORDER BY ALL"""
        ).fetchall()
        by_carrier = connection.execute(
            """SELECT flight_date, carrier, count(*), count(dep_delay), round(avg(dep_delay), 9),
                quantile_cont(dep_delay, 0.5) FROM f GROUP BY ALL ORDER BY ALL"""
        ).fetchall()
    assert len(found["fct_flights"]) == rows == 8740
    assert found["fct_daily_departures"] == by_airport
    published = [
        (*row[:4], row[4] and round(row[4], 9), row[5]) for row in found["fct_carrier_delays"]
    ]
    assert published == by_carrier


def test_the_blizzard_is_in_the_published_counts(flights):
    rows = tables(flights.build, ["fct_daily_departures"])["fct_daily_departures"]
    cancelled = {
        day: (
            sum(row[4] for row in rows if row[0] == date(2013, 2, day)),
            sum(row[2] for row in rows if row[0] == date(2013, 2, day)),
        )
        for day in (8, 9)
    }
    assert cancelled == {8: (472, 930), 9: (393, 684)}


def test_the_rows_of_the_run_history_are_those_that_were_published(flights):
    runs = runs_of(flights.build)
    published = runs[runs["status"] == "published"].groupby("table")["rows"].sum()
    found = tables(flights.build, list(published.index))
    assert {name: int(count) for name, count in published.items()} == {
        name: len(rows) for name, rows in found.items()
    }


def test_revenue_is_the_sum_of_the_paid_orders_it_stands_for(orders):
    found = tables(orders.build, ["fct_orders", "fct_daily_revenue"])
    paid = {}
    for _, _, _, day, amount, status in found["fct_orders"]:
        if status == "paid":
            paid[day] = paid.get(day, 0) + amount
    assert {row[0]: row[3] for row in found["fct_daily_revenue"]} == paid


# ---- run history


def test_the_run_history_has_the_documented_columns_and_its_own_order(flights):
    header = (flights.build / "runs.csv").read_text().splitlines()[0]
    assert header == (
        "run_id,pipeline,table,due_at,started_at,finished_at,published_at,status,rows,trigger,planted"
    )
    runs = runs_of(flights.build)
    assert (runs["started_at"] >= runs["due_at"]).all()
    assert (runs["finished_at"] >= runs["started_at"]).all()
    assert runs["started_at"].is_monotonic_increasing
    published = runs["status"] == "published"
    assert (runs["published_at"].notna() == published).all()
    assert (runs["rows"].notna() == runs["status"].isin(["published", "blocked"])).all()
    assert not runs.duplicated(["table", "run_id"]).any()


def test_each_publish_tag_says_when_its_run_published(flights):
    runs = runs_of(flights.build)
    for name in set(runs["table"]):
        landed = warehouse.landings(opened(flights.build).load_table(f"marts.{name}"))
        logged = runs[(runs["table"] == name) & runs["published_at"].notna()]
        assert set(landed["source"]) == {"publish tag"}
        for column in ("run_id", "published_at", "due_at"):
            assert list(landed[column]) == list(logged[column]), (name, column)
        assert list(landed["staged_at"]) == [
            min(staged, published)
            for staged, published in zip(landed["staged_at"], landed["published_at"], strict=True)
        ]
        assert list(landed["rows_added"]) == list(logged["rows"])


def test_planted_faults_are_marked_in_the_history_and_nothing_else_is(flights):
    runs = runs_of(flights.build)
    marked = runs.dropna(subset=["planted"])
    by_day = marked.groupby(marked["due_at"].dt.day)["planted"].first().to_dict()
    assert by_day == {
        5: "late file",
        6: "type change: flight to VARCHAR",
        7: "duplicated file",
        9: "source outage",
        11: "missed run",
        12: "empty file",
    }


# ---- each fault is caught by what the team declared; without it the day publishes


@pytest.mark.parametrize(
    ("team", "day", "caught_by"),
    [
        ("flights", 5, "enough_rows"),
        ("flights", 6, "columns"),
        ("flights", 7, "unique(flight_date, carrier, flight, origin, sched_dep_time)"),
        ("flights", 9, "enough_rows"),
        ("flights", 12, "enough_rows"),
        ("orders", 5, "enough_rows"),
        ("orders", 6, "unique(order_id)"),
        ("orders", 8, "columns"),
    ],
)
def test_a_fault_is_caught_by_a_check_that_the_contract_declares(request, team, day, caught_by):
    replayed = request.getfixturevalue(team)
    blocked = json.loads((replayed.build / "blocked.json").read_text())
    (found,) = [row for row in blocked if datetime.fromisoformat(row["due_at"]).day == day]
    agreed = contracts.loads((replayed.folder / f"contracts/{found['table']}.yaml").read_text())
    declared = {check.name for check in contracts.checks(agreed)}
    subjects = {finding["subject"] for finding in found["findings"]}
    assert caught_by in subjects <= declared


def test_a_missed_run_leaves_no_scheduled_row_and_breaks_the_promise_of_freshness(flights):
    runs = runs_of(flights.build)
    of_day = runs[runs["due_at"].dt.day == 11]
    assert set(of_day["trigger"]) == {"rerun"}
    observed = evidence.Observed(flights.load("2013-02-12"))
    span = dict(observed.window.days("America/New_York"))[date(2013, 2, 11)]
    promise = records.promises(observed.team, "fct_flights")["freshness"].objective
    measured = levels.freshness(observed, "fct_flights", span, promise)
    # due 06:00, stale from 08:00 on, published 10:44:29
    assert measured.total - measured.good == pytest.approx(164 + 29 / 60)
    assert measured.ratio < float(promise.target)


def test_without_faults_every_day_publishes_at_its_due_time_and_nobody_is_called(healthy, flights):
    runs = runs_of(healthy.build)
    assert set(runs["status"]) == {"published"}
    assert set(runs["trigger"]) == {"scheduled"}
    assert runs["planted"].isna().all()
    first = runs[runs["table"] == "fct_flights"]
    assert list(first["started_at"]) == list(first["due_at"])
    assert len(first) == 10
    assert (healthy.build / "alerts.csv").read_text().count("\n") == 1
    names = ["fct_flights", "fct_daily_departures", "fct_carrier_delays"]
    assert tables(healthy.build, names) == tables(flights.build, names)


def test_a_blocked_run_calls_and_what_is_built_from_it_is_skipped(flights):
    runs, alerts = runs_of(flights.build), (flights.build / "alerts.csv").read_text()
    alerts = history.loads(alerts, history.ALERTS, "alerts.csv")
    blocked = runs[runs["status"] == "blocked"]
    assert list(alerts["alerted_at"]) == list(blocked["finished_at"])
    assert list(alerts["due_at"]) == list(blocked["due_at"])
    skipped = runs[runs["status"] == "skipped"]
    assert set(skipped["due_at"]) == set(blocked["due_at"])
    assert set(skipped["table"]) == {"fct_daily_departures", "fct_carrier_delays"}


def test_what_is_not_built_from_a_blocked_table_is_published_all_the_same(orders):
    runs = runs_of(orders.build)
    late_events = runs[(runs["due_at"].dt.day == 5) & (runs["trigger"] == "scheduled")]
    assert dict(zip(late_events["table"], late_events["status"], strict=True)) == {
        "raw_event_logs": "blocked",
        "fct_orders": "published",
        "fct_daily_revenue": "published",
        "marketing_attribution": "skipped",
    }


def test_a_fault_that_nobody_repairs_leaves_the_day_without_a_run_or_rows(orders):
    runs = runs_of(orders.build)
    assert 12 not in set(runs["due_at"].dt.day)
    days = {row[0] for row in tables(orders.build, ["fct_daily_revenue"])["fct_daily_revenue"]}
    assert date(2013, 2, 11) not in days
    assert date(2013, 2, 12) in days


def test_a_blocked_day_leaves_readers_with_yesterday(flights):
    observed = evidence.Observed(flights.load("2013-02-10"))  # the outage is repaired later
    for table in ("fct_flights", "fct_daily_departures", "fct_carrier_delays"):
        seen = series.volume(observed, table)["day"].dt.date
        assert seen.max() == date(2013, 2, 7)
    after = series.volume(evidence.Observed(flights.load("2013-02-11")), "fct_flights")[
        "day"
    ].dt.date
    assert after.max() == date(2013, 2, 9)


def test_the_audit_cannot_know_what_was_planted():
    """Nothing that `wap` and the audit import, directly or not, knows of faults or their file."""
    library = CLONE / "dataops_lib"
    rooms = [library / room for room in ("wap", "audit", "contracts", "warehouse")]
    modules = {path for room in rooms for path in room.rglob("*.py")}
    modules -= {library / "audit/faults.py", library / "audit/__init__.py"}  # for trials
    assert len(modules) > 15
    for path in modules:
        assert not re.search(r"\bfaults?\b", path.read_text(), re.I), path
    readers = {
        path.relative_to(library).as_posix()
        for path in library.rglob("*.py")
        if "faults.yaml" in path.read_text()
    }
    replays = {"teams/__init__.py", "teams/reader.py", "teams/models.py", "examples/replay.py"}
    plants = {"course/drill.py", "course/rehearsal.py"}  # write faults into a copy of their own
    assert readers <= replays | plants


# ---- whole or not at all


@pytest.fixture
def two_days(tmp_path, copy_team):
    return copy_team(tmp_path, "flights", **TWO_DAYS)


@pytest.fixture
def one_day(tmp_path, copy_team):
    """Enough where only the building matters."""
    return copy_team(tmp_path, "flights", first_due=date(2013, 2, 5), until=date(2013, 2, 6))


@pytest.fixture(scope="session")
def two_days_content(shared_folder, tmp_path_factory):
    """What an uninterrupted replay of two days leaves."""
    from conftest import copied_team

    folder = copied_team(tmp_path_factory.mktemp("whole"), "flights", **TWO_DAYS)
    return content(folder, replay.build(folder))


def test_two_replays_of_the_same_inputs_are_the_same(two_days, two_days_content):
    assert content(two_days, replay.build(two_days)) == two_days_content


def killed(folder, seconds):
    """Start a build, kill it after some time, and say whether it was still at work."""
    process = child(folder)
    assert process.stdout.readline() == "started\n"
    time.sleep(seconds)
    process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL


def rounds_of_kills(folder, shares, expected):
    """Kill a build after each of these shares of the time that an undisturbed one takes."""
    undisturbed = child(folder)
    assert undisturbed.stdout.readline() == "started\n"
    started = time.perf_counter()
    undisturbed.communicate(timeout=120)
    takes = time.perf_counter() - started
    shutil.rmtree(folders.warehouse_folder(folder))
    hit = 0
    for share in shares:
        before = folders.current_build(folder)
        hit += killed(folder, share * takes)
        now = folders.current_build(folder)
        if now is not None and now != before:  # it was quicker than the kill
            assert content(folder, now) == expected
            shutil.rmtree(folders.warehouse_folder(folder))
    assert content(folder, replay.build(folder)) == expected
    assert builds(folder) == [folders.current_build(folder)]  # nothing half-built is left
    return hit


def test_a_kill_leaves_nothing_and_a_restart_gives_the_same(two_days, two_days_content):
    assert rounds_of_kills(two_days, [0.4], two_days_content)


@pytest.mark.deep
def test_kills_at_many_points_leave_nothing_and_a_restart_gives_the_same(
    two_days, two_days_content
):
    draw = random.Random(20130208)
    shares = [draw.uniform(0.02, 0.9) for _ in range(15)]
    assert len(set(shares)) == 15
    assert rounds_of_kills(two_days, shares, two_days_content) >= 10


def test_a_kill_during_a_rebuild_leaves_the_old_build_in_use(two_days, two_days_content):
    first = replay.build(two_days)
    (two_days / "faults.yaml").write_text(NO_FAULTS)
    assert not replay.is_current(two_days)
    killed(two_days, 1.2)
    assert folders.current_build(two_days) == first
    assert content(two_days, first) == two_days_content
    second = replay.build(two_days)
    assert second != first
    assert set(runs_of(second)["status"]) == {"published"}


def test_ctrl_c_leaves_nothing_half_built(one_day):
    process = child(one_day, stderr=subprocess.DEVNULL)
    assert process.stdout.readline() == "started\n"
    deadline = time.monotonic() + 30
    while not builds(one_day) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert folders.current_build(one_day) is None
    assert builds(one_day) == []


def test_two_builds_at_once_make_one(one_day):
    processes = [child(one_day) for _ in range(2)]
    printed = {process.communicate(timeout=120)[0].splitlines()[-1] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert printed == {str(folders.current_build(one_day))}
    assert len(builds(one_day)) == 1


@pytest.mark.parametrize(
    "bytes_left", [15_000, *(pytest.param(n, marks=pytest.mark.deep) for n in (10, 3_000, 32_000))]
)
def test_a_full_disk_is_told_and_leaves_nothing(one_day, bytes_left):
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)\n"
        "from pathlib import Path\n"
        "from dataops_lib import errors\nfrom dataops_lib.examples import replay\n"
        "try: replay.build(Path(sys.argv[1]))\n"
        "except errors.DataError as error: print(error); sys.exit(7)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, str(one_day), str(bytes_left)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 7, done.stderr
    assert "the warehouse of 'flights' cannot be built" in done.stdout
    assert builds(one_day) == []
    assert folders.current_build(one_day) is None


def test_a_place_that_cannot_be_written_is_told(two_days):
    folders.warehouse_folder(two_days).parent.write_text("a file where a folder should be")
    with pytest.raises(DataError, match="the warehouse of 'flights' cannot be built"):
        replay.build(two_days)


# ---- mistakes in an example team


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_fault_in_an_unknown_place_is_a_mistake_and_not_silently_nothing(two_days):
    edit(
        two_days / "faults.yaml",
        "source: raw.flights, due: 2013-02-05",
        "source: raw.f, due: 2013-02-05",
    )
    with pytest.raises(TeamError, match=r"faults.yaml: faults: 'raw.f' is not a source"):
        replay.build(two_days)
    assert teams.problems("flights", root=two_days.parent)
    assert builds(two_days) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: late_file", "kind: lost_file", "faults.0.kind: is 'lost_file'"),
        ("source: raw.flights, due: 2013-02-05, ", "due: 2013-02-05, ", "names its `source`"),
        ("column: flight, ", "", "a type_change names its `column`"),
        ("pipeline: daily_flights, ", "", "a missed_run names its `pipeline`"),
        ("due: 2013-02-05", "due: tomorrow", "faults.0.due: is 'tomorrow'"),
        ("2013-02-05T09:35", "soon", "faults.0.repaired_at: is 'soon'"),
    ],
)  # fmt: skip
def test_a_fault_that_is_not_whole_is_told_with_its_line(two_days, old, new, said):
    edit(two_days / "faults.yaml", old, new)
    found = "\n".join(map(str, teams.problems("flights", root=two_days.parent)))
    assert said in found
    assert "faults.yaml:" in found


@pytest.mark.parametrize(
    "break_it",
    [
        lambda folder: edit(
            folder / "faults.yaml", "late_file", "type_change, column: fligth, to: VARCHAR"
        ),
        lambda folder: edit(
            folder / "pipelines/daily_flights/stg.flights.sql", "tailnum", "tail_no"
        ),
        lambda folder: (folder / "sources/raw.flights.sql").write_text("SELECT * FROM nowhere"),
    ],
    ids=["column", "model", "source"],
)
def test_a_model_that_cannot_run_is_told_with_the_engines_words_and_leaves_nothing(
    one_day, break_it
):
    break_it(one_day)
    with pytest.raises(DataError, match=r"the warehouse of 'flights' cannot be built: .*Error"):
        replay.build(one_day)
    assert builds(one_day) == []


def test_mistakes_come_back_whole_when_two_teams_are_built_side_by_side(tmp_path, copy_team):
    for name in ("flights", "orders"):
        folder = copy_team(tmp_path, name, first_due=date(2013, 2, 5), until=date(2013, 2, 6))
        (folder / "pipelines" / "broken").mkdir()
        (folder / "pipelines" / "broken" / "x.sql").write_text("DROP TABLE y")
    with pytest.raises(TeamError) as caught:
        replay.ensure(root=tmp_path)
    assert [problem.file for problem in caught.value.problems] == ["pipelines/broken/x.sql"]


# ---- built again when something it depends on changed, and only then


def test_what_is_built_is_not_built_again_until_an_input_changes(one_day):
    (first,) = replay.ensure(["flights"], root=one_day.parent)
    assert replay.ensure(root=one_day.parent) == [first]
    assert replay.build(one_day) == first
    (one_day / "faults.yaml").write_text(NO_FAULTS)
    (second,) = replay.ensure(["flights"], root=one_day.parent)
    assert second != first
    assert builds(one_day) == sorted([first, second])  # a reader may still be in the first
    assert set(runs_of(second)["status"]) == {"published"}


def test_a_team_of_ones_own_needs_no_replay(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "team.yaml").write_text("name: shop\ntitle: Shop\nzone: UTC\n")
    assert replay.ensure(root=tmp_path) == []
    assert not (tmp_path / ".warehouse").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: edit(folder / "team.yaml", 'schedule: "0 6', 'schedule: "0 7'),
        lambda folder: edit(folder / "faults.yaml", "09:35", "09:36"),
        lambda folder: edit(folder / "sources/raw.flights.sql", "SELECT *", "SELECT DISTINCT *"),
        lambda folder: edit(folder / "pipelines/daily_flights/fct_flights.sql", "carrier", "dest"),
        lambda folder: edit(folder / "contracts/fct_flights.yaml", "rows: 500", "rows: 501"),
        lambda folder: (folder / "contracts/fct_flights.yaml").unlink(),
        lambda folder: (folder / "faults.yaml").unlink(),
        lambda folder: (folder / "pipelines/daily_flights").rename(folder / "pipelines/other"),
    ],
    ids=["schedule", "fault", "source", "model", "contract", "no contract", "no faults", "moved"],
)
def test_a_change_of_what_is_replayed_changes_the_fingerprint(two_days, change):
    before = replay.fingerprint(two_days)
    change(two_days)
    assert replay.fingerprint(two_days) != before


def test_a_change_of_data_or_versions_changes_the_fingerprint(two_days, tmp_path, monkeypatch):
    before = replay.fingerprint(two_days)
    (tmp_path / "data/flights").mkdir(parents=True)
    shutil.copy(DEPARTURES, tmp_path / "data/flights")
    monkeypatch.setattr(replay, "DATA", tmp_path / "data")
    assert replay.fingerprint(two_days) == before
    with (tmp_path / "data/flights" / DEPARTURES.name).open("ab") as file:
        file.write(b"x")
    assert replay.fingerprint(two_days) != before
    monkeypatch.undo()
    monkeypatch.setattr(replay, "version", lambda name: "0" if name == "duckdb" else "1")
    assert replay.fingerprint(two_days) != before


def test_what_a_replay_does_not_read_does_not_change_the_fingerprint(two_days):
    before = replay.fingerprint(two_days)
    edit(two_days / "slos.yaml", "2 hours", "3 hours")
    (two_days / "assessment.yaml").write_text("answers: {}\n")
    (two_days / "notes.txt").write_text("x")
    os.utime(two_days / "team.yaml")
    assert replay.fingerprint(two_days) == before


@pytest.mark.parametrize(
    "module",
    [
        "examples/simulation.py",
        "teams/models.py",
        "contracts/rules.py",
        "wap/branches.py",
        "audit/measure.py",
        "warehouse/scan.py",
        "windows.py",
    ],
)
def test_a_changed_line_in_a_room_that_a_build_runs_through_makes_it_out_of_date(
    two_days, tmp_path, monkeypatch, module
):
    before, library = replay.fingerprint(two_days), replay.library()
    changed = tmp_path / "changed.py"
    changed.write_text(f"{library[module].read_text()}\n# changed\n")
    monkeypatch.setattr(replay, "library", lambda: library | {module: changed})
    assert replay.fingerprint(two_days) != before


def test_every_room_that_a_build_runs_through_counts_and_no_other():
    """What a replay imports, wherever the import stands, is the measure, not a list."""
    graph = grimp.build_graph("dataops_lib", cache_dir=None)
    modules = graph.find_upstream_modules("dataops_lib.examples", as_package=True)
    rooms = {"examples", *(name.split(".")[1] for name in modules if name.count(".") > 1)}
    # Team files may promise service levels and hold answers; a replay reads neither.
    assert set(replay.ROOMS) == rooms - {"service_levels", "maturity"}
    counted = {path.partition("/")[0] for path in replay.library() if "/" in path}
    assert counted == set(replay.ROOMS)
    assert not [path for path in replay.library() if path.endswith(("charts.py", "headlines.py"))]


def test_an_input_that_changes_while_it_is_replayed_makes_the_build_out_of_date(
    two_days, monkeypatch
):
    def run(*_):
        edit(two_days / "faults.yaml", "09:35", "09:36")
        monkeypatch.setattr(simulation.Stage, "run", lambda *_: None)

    monkeypatch.setattr(simulation.Stage, "run", run)
    replay.build(two_days)
    assert not replay.is_current(two_days)


def test_a_moved_team_is_not_current_says_so_and_is_built_again(two_days, two_days_content):
    replay.build(two_days)
    moved = two_days.parent.parent / f"{two_days.parent.name}-moved"
    two_days.parent.rename(moved)
    folder = moved / "flights"
    assert folders.current_build(folder) is None
    with pytest.raises(DataError, match="is not built yet; run `dataops demo`"):
        teams.load("flights", root=moved)
    (again,) = replay.ensure(["flights"], root=moved)
    assert content(folder, again) == two_days_content
    assert teams.load("flights", root=moved).runs is not None


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '{"format": 0}'])
def test_a_damaged_note_of_what_was_built_means_building_again(two_days, text):
    home = folders.warehouse_folder(two_days)
    (home / "build-x").mkdir(parents=True)
    (home / "current").write_text("build-x")
    (home / "build-x" / "built.json").write_text(text)
    assert folders.current_build(two_days) is None
    assert not replay.is_current(two_days)


# ---- a day in detail


def test_run_times_are_simulated_alike_on_every_machine():
    due = datetime.fromisoformat("2013-02-05T11:00:00+00:00")
    assert simulation._runtime("fct_flights", due) == timedelta(minutes=5, seconds=25)


def test_each_planted_kind_is_told_in_words():
    kinds = {
        line.split("kind: ")[1].split(",")[0]
        for line in FAULTS["flights"].splitlines()[1:]
        if "kind" in line
    }
    assert kinds == set(models.Fault.model_fields["kind"].annotation.__args__)


def test_nothing_runs_after_the_end_of_the_replay(flights, orders):
    for replayed in (flights, orders):
        end = replayed.load().as_of_at
        runs = runs_of(replayed.build)
        assert (runs["due_at"] < end).all()
        assert pd.Timestamp(end) - runs["due_at"].max() < timedelta(days=1)
