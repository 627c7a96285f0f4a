"""What a report says was observed is what the files and tables say, computed another way too."""

import csv
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dataops_lib import report, teams, warehouse
from dataops_lib.errors import DataError
from dataops_lib.evidence import Observed, incidents, levels, recompute, records, series
from dataops_lib.teams import history
from dataops_lib.warehouse import metadata

NEW_YORK = ZoneInfo("America/New_York")
TILES = ("freshness", "success", "completeness", "publishes")


def measured(diagnosis):
    """Tile -> (good, total), as the report shows them."""
    found = {tile.name: tile.measured for tile in diagnosis.tiles}
    return {name: one and (one.good, one.total) for name, one in found.items()}


def recomputed(observed):
    """Tile -> (good, total), by the query that the report prints beside it."""
    with recompute.connect(observed) as connection:
        return {
            name: connection.execute(query).fetchall()[0]
            for name, query in recompute.queries(observed).items()
            if query
        }


# ---- the four tiles, computed by hand from the files


def rows_of(replayed):
    with (replayed.build / "runs.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def moment(text):
    return datetime.fromisoformat(text) if text else None


def by_hand(replayed, *, first_due, end, grace, zone, tier_1):
    """The three tiles about runs: a minute-by-minute walk, and counting."""
    due_days = [first_due + timedelta(days=n) for n in range((end - first_due).days)]
    due = [datetime.combine(day, time(6), zone).astimezone(UTC) for day in due_days]
    stop = datetime.combine(end, time(0), zone).astimezone(UTC)
    rows = rows_of(replayed)
    names = sorted({row["table"] for row in rows})
    fresh = days = 0
    for table in tier_1:
        landed = [
            (moment(row["published_at"]), moment(row["due_at"]))
            for row in rows
            if row["table"] == table and row["published_at"]
        ]
        stale_days, all_days, minute = set(), set(), due[0] + grace[table]
        while minute < stop:
            day = minute.astimezone(zone).date()
            all_days.add(day)
            needed = [d for d in due if d + grace[table] <= minute]
            there = [d for at, d in landed if at <= minute]
            if not there or max(there) < max(needed):
                stale_days.add(day)
            minute += timedelta(minutes=1)
        fresh += len(all_days - stale_days)
        days += len(all_days)
    first = {}
    for row in rows:
        if row["trigger"] == "scheduled":
            first.setdefault((row["table"], moment(row["due_at"])), row["status"])
    good = sum(first.get((table, d)) == "published" for table in names for d in due)
    statuses = [row["status"] for row in rows]
    passed = statuses.count("published")
    return {
        "freshness": (fresh, days),
        "success": (good, len(names) * len(due)),
        "publishes": (passed, passed + statuses.count("blocked")),
    }


def test_the_tiles_of_flights_are_those_counted_by_hand_from_its_run_history(flights):
    found = measured(report.diagnose(flights.load()))
    hours = {"fct_flights": timedelta(hours=2), "fct_daily_departures": timedelta(hours=2)}
    expected = by_hand(
        flights,
        first_due=date(2013, 2, 4),
        end=date(2013, 2, 14),
        grace=hours,
        zone=NEW_YORK,
        tier_1=list(hours),
    )
    assert expected["freshness"] == (10, 20)  # stale on the 5th, 6th, 9th, 10th and 11th
    assert expected["success"] == (12, 30)
    assert expected["publishes"] == (30, 35)
    assert {name: found[name] for name in expected} == expected


def test_the_tiles_of_orders_are_those_counted_by_hand_from_its_run_history(orders):
    found = measured(report.diagnose(orders.load()))
    expected = by_hand(
        orders,
        first_due=date(2013, 2, 4),
        end=date(2013, 2, 14),
        # fct_orders promises no freshness: nothing says what late would be
        grace={"fct_daily_revenue": timedelta(hours=2)},
        zone=ZoneInfo("UTC"),
        tier_1=["fct_daily_revenue"],
    )
    assert {name: found[name] for name in expected} == expected


def test_completeness_counts_the_required_cells_of_what_was_published(flights):
    observed = Observed(flights.load())
    filled = total = 0
    with recompute.connect(observed) as connection:
        for name, agreed in observed.team.contracts.items():
            needed = [column.name for column in agreed.columns if column.required]
            frame = connection.execute(f"SELECT * FROM {name}").df()[needed]
            filled += int(frame.notna().to_numpy().sum())
            total += int(frame.size)
    assert measured(report.diagnose(observed.team))["completeness"] == (filled, total)
    assert filled == total == 8740 * 7 + 30 * 5 + 148 * 4


def test_cancelled_flights_have_no_departure_and_that_is_no_gap(flights):
    observed = Observed(flights.load())
    assert "dep_time" not in levels.required(observed, "fct_flights")
    with recompute.connect(observed) as connection:
        ((gaps,),) = connection.execute(
            "SELECT count(*) - count(dep_time) FROM fct_flights"
        ).fetchall()
    assert gaps > 865  # the two days of the blizzard alone


@pytest.mark.parametrize("team", ["flights", "orders", "healthy"])
@pytest.mark.parametrize("as_of", ["2013-02-05", "2013-02-10", "2013-02-14"])
def test_each_tile_is_what_its_own_query_gives(request, team, as_of):
    loaded = request.getfixturevalue(team).load(as_of)
    assert recomputed(Observed(loaded)) == measured(report.diagnose(loaded))


def test_the_two_teams_differ_where_their_data_differ(flights, orders, healthy):
    shown = [measured(report.diagnose(one.load())) for one in (flights, orders, healthy)]
    assert shown[0] != shown[1] != shown[2]
    assert all(good == total for good, total in shown[2].values())


# ---- what was not given


@pytest.fixture
def shop(tmp_path):
    """A team of one's own: three tables, ten days over a change of clocks, no catalog."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "team.yaml").write_text(
        "name: shop\ntitle: Shop\nzone: America/New_York\n"
        'pipelines:\n  - {name: p, schedule: "0 6 * * *", first_due: 2026-03-03}\n'
        "tables:\n"
        "  - {name: a, pipeline: p, tier: 1, owner: Ana, day_column: day, about: A.}\n"
        "  - {name: b, pipeline: p, tier: 1, owner: Ana, day_column: day, about: B.}\n"
        "  - {name: c, pipeline: p, tier: 2, owner: Ana, day_column: day, about: C.}\n"
    )
    (folder / "slos.yaml").write_text(
        'slos:\n  - name: a\n    tier: 1\n    freshness: {slo: "< 2 hours for 90%"}\n'
    )
    return folder


HEADER = "run_id,pipeline,table,due_at,started_at,finished_at,published_at,status\n"


def logged(table, due, started, ended, status="published"):
    """One row of runs.csv; times are days and minutes of March 2026, UTC."""
    due, started, ended = (f"2026-03-{text}:00Z" for text in (due, started, ended))
    return (
        f"r,p,{table},{due},{started},{ended},{ended if status == 'published' else ''},{status}\n"
    )


def load(folder, as_of="2026-03-13"):
    return teams.load(folder.name, as_of=as_of, root=folder.parent)


def test_without_a_run_history_nothing_about_runs_is_known(shop):
    diagnosis = report.diagnose(load(shop))
    assert measured(diagnosis) == dict.fromkeys(TILES)
    assert {tile.finding.status for tile in diagnosis.tiles} == {"unknown"}
    assert {finding.status for finding in diagnosis.findings} == {"unknown"}
    missing = {finding.subject for finding in diagnosis.unknowns}
    assert {"runs.csv", "alerts.csv", "contracts", "catalog in team.yaml"} <= missing


def test_with_a_run_history_a_run_that_is_absent_is_bad_not_unknown(shop):
    (shop / "runs.csv").write_text(HEADER)
    team = load(shop)
    found = measured(report.diagnose(team))
    assert found["success"] == (0, 30)
    assert found["freshness"] == (0, 10)  # of a: b promises nothing
    assert found["publishes"] is None  # nothing was published, and no contract audits
    assert report.diagnose(team).tile("publishes").finding.status == "unknown"
    again = recomputed(Observed(team))
    assert {name: again[name] for name in ("success", "freshness")} == {
        name: found[name] for name in ("success", "freshness")
    }


def test_a_table_that_never_published_is_stale_on_every_day_beside_one_that_did(shop):
    promise = (shop / "slos.yaml").read_text()
    (shop / "slos.yaml").write_text(promise + promise.replace("a\n", "b\n").split("\n", 1)[1])
    (shop / "runs.csv").write_text(HEADER + logged("a", "03T11:00", "03T11:00", "03T11:05"))
    team = load(shop)
    assert measured(report.diagnose(team))["freshness"] == (1, 20)
    assert recomputed(Observed(team))["freshness"] == (1, 20)


def test_a_run_that_is_still_at_work_at_as_of_is_unknown_not_bad(shop):
    (shop / "runs.csv").write_text(HEADER + logged("a", "03T11:00", "04T04:58", "04T05:01"))
    team = load(shop, "2026-03-04")  # begins at 05:00 UTC
    observed = Observed(team)
    success = levels.success(observed, "a", observed.window)
    assert (success.good, success.total, success.unknown) == (0, 0, 1)
    assert recomputed(observed)["success"] == (0, 2)  # b and c have no run at all


def test_a_rerun_repairs_the_table_but_not_the_run(shop):
    blocked = logged("a", "03T11:00", "03T11:00", "03T11:05", "blocked")
    repaired = logged("a", "03T11:00", "03T12:00", "03T12:05")
    text = HEADER + blocked + repaired
    lines = zip(text.split(), (",trigger", ",scheduled", ",rerun"), strict=True)
    (shop / "runs.csv").write_text("\n".join(line + trigger for line, trigger in lines))
    observed = Observed(load(shop, "2026-03-04"))
    assert levels.success(observed, "a", observed.window).good == 0
    assert levels.fresh_days(observed, "a").good == 1  # 12:05 is within the two hours
    assert (levels.publishes(observed, "a").good, levels.publishes(observed, "a").total) == (1, 2)


def test_a_backfill_of_an_older_day_does_not_refresh(shop):
    text = logged("a", "04T11:00", "04T11:00", "04T11:05")
    text += logged("a", "03T11:00", "05T13:00", "05T13:30")
    (shop / "runs.csv").write_text(HEADER + text)
    assert list(Observed(load(shop)).versions["a"]["at"].dt.day) == [4]


def test_the_same_day_published_again_does_not_refresh_either(shop):
    text = logged("a", "04T11:00", "04T11:00", "04T11:05")
    text += logged("a", "04T11:00", "05T13:00", "05T13:30")
    (shop / "runs.csv").write_text(HEADER + text)
    assert list(Observed(load(shop)).versions["a"]["at"].dt.day) == [4]


def test_a_version_that_comes_after_the_next_due_time_is_fresh_only_until_the_grace_of_that(shop):
    text = logged("a", "03T11:00", "03T11:00", "03T11:05")
    text += logged("a", "04T11:00", "05T11:20", "05T11:30")  # due at 11:00 was the next one by then
    text += logged("a", "05T11:00", "05T14:50", "05T15:00")
    (shop / "runs.csv").write_text(HEADER + text)
    observed = Observed(load(shop, "2026-03-06"))
    objective = records.promises(observed.team, "a")["freshness"].objective
    day = dict(observed.window.days("America/New_York"))[date(2026, 3, 5)]
    found = levels.freshness(observed, "a", day, objective)
    # bad from midnight (05:00 UTC) to 11:30, and again from 13:00, due plus two hours, to 15:00
    assert found.total - found.good == 390 + 120
    assert (
        recomputed(observed)["freshness"] == measured(report.diagnose(observed.team))["freshness"]
    )


def test_a_version_that_comes_before_it_is_due_counts_for_its_own_due_time(shop):
    text = logged("a", "03T11:00", "03T10:30", "03T10:40")
    (shop / "runs.csv").write_text(HEADER + text)
    observed = Observed(load(shop, "2026-03-04"))
    assert (levels.fresh_days(observed, "a").good, levels.fresh_days(observed, "a").total) == (1, 1)


def test_a_version_that_is_too_late_to_be_fresh_at_all_makes_no_minute_good(shop):
    text = logged("a", "03T11:00", "05T14:00", "05T14:05")  # the next was due at 11:00 on the 4th
    (shop / "runs.csv").write_text(HEADER + text)
    observed = Observed(load(shop, "2026-03-06"))
    versions = observed.versions["a"]
    assert list(versions["good_until"]) == list(versions["at"])
    assert levels.measured(observed, "a")["freshness"].shown.good == 0
    assert (
        recomputed(observed)["freshness"] == measured(report.diagnose(observed.team))["freshness"]
    )


def test_before_the_first_due_time_nothing_was_promised_and_nothing_is_measured(shop):
    (shop / "runs.csv").write_text(HEADER)
    diagnosis = report.diagnose(load(shop, "2026-03-03"))
    assert {tile.finding.status for tile in diagnosis.tiles} == {"unknown"}


def test_a_team_without_tier_1_has_no_freshness_tile_and_no_broken_query(shop):
    text = (shop / "team.yaml").read_text().replace("tier: 1", "tier: 3")
    (shop / "team.yaml").write_text(text)
    (shop / "slos.yaml").unlink()
    (shop / "runs.csv").write_text(HEADER)
    observed = Observed(load(shop))
    assert report.diagnose(observed.team).tile("freshness").finding.status == "unknown"
    assert recompute.queries(observed)["freshness"] == ""
    assert recomputed(observed)["success"] == (0, 30)


def test_a_team_without_tables_is_diagnosed_as_unknown(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "team.yaml").write_text("name: new\ntitle: New\nzone: UTC\n")
    diagnosis = report.diagnose(teams.load("new", root=tmp_path))
    assert {tile.finding.status for tile in diagnosis.tiles} == {"unknown"}
    assert diagnosis.as_dict()["tiles"][0]["good"] is None


def test_the_first_run_counts_also_before_the_teams_own_midnight(shop):
    text = (shop / "team.yaml").read_text()
    text = text.replace('"0 6 * * *", first_due', '"0 0 * * *", zone: UTC, first_due')
    (shop / "team.yaml").write_text(text)  # 00:00 UTC of the 3rd is the 2nd in New York
    due = Observed(load(shop)).due["a"]
    assert (due[0], len(due)) == (datetime(2026, 3, 3, tzinfo=UTC), 11)


def test_a_schedule_of_slos_yaml_stands_for_the_pipelines(shop):
    text = (shop / "slos.yaml").read_text()
    (shop / "slos.yaml").write_text(f'{text}    schedule: "0 6 * * 1-5"\n    zone: Asia/Kolkata\n')
    due = Observed(load(shop)).due
    assert [moment.isoformat()[5:16] for moment in due["a"][:4]] == [
        "03-04T00:30", "03-05T00:30", "03-06T00:30", "03-09T00:30"
    ]  # fmt: skip
    assert len(due["b"]) == 10  # as its pipeline says


# ---- tables that others wrote


@pytest.fixture
def lake(shop, tmp_path):
    """The shop with a catalog of its own and one table in it, written without any run id."""
    text = (shop / "team.yaml").read_text()
    text += f"catalog:\n  properties:\n    type: sql\n    uri: sqlite:///{tmp_path}/lake.db\n"
    text += f"    warehouse: file://{tmp_path}/lake\n"
    (shop / "team.yaml").write_text(text)
    (tmp_path / "lake").mkdir()
    days = pa.table({"day": pa.array([date(2026, 3, 3)] * 3), "x": pa.array([1, None, 3])})
    catalog = warehouse.open(load(shop).catalog, create=True)
    warehouse.create_table(catalog, "marts.a", days.schema).append(days)
    (shop / "contracts").mkdir()
    return shop


def agree(folder, *columns):
    lines = "\n".join(
        f"      - {{name: {c}, logicalType: integer, required: true}}" for c in columns
    )
    (folder / "contracts" / "a.yaml").write_text(
        "apiVersion: v3.0.2\nkind: DataContract\nid: a\nversion: 1.0.0\nstatus: active\n"
        f"schema:\n  - name: a\n    properties:\n{lines}\n"
    )


def today(folder):
    return teams.load("shop", root=folder.parent, as_of=datetime.now(UTC).date().isoformat())


def tomorrow_of(team):
    """As the team will be tomorrow: what was written a second ago is known by then."""
    return team.model_copy(update={"as_of": team.as_of + timedelta(days=2)})


def test_a_table_of_others_is_measured_from_its_metadata(lake):
    agree(lake, "x")
    observed = Observed(tomorrow_of(today(lake)))
    assert list(observed.tables) == ["a"]
    found = levels.completeness(observed, "a")
    assert (found.good, found.total, found.source) == (2, 3, "metadata")
    assert series.volume(observed, "a").to_dict("list")["rows"] == [3]
    missing = {finding.subject for finding in report.diagnose(observed.team).unknowns}
    assert {"table b", "table c"} <= missing


def test_what_was_written_after_as_of_is_not_seen(lake):
    assert Observed(load(lake)).tables == {}


def test_what_was_published_exactly_at_as_of_belongs_to_the_day_that_begins(lake, monkeypatch):
    """A window ends before `as_of`: a publish on its last instant would count in two windows."""
    team = load(lake)
    real = warehouse.landings
    for late, seen in ((timedelta(microseconds=-1), 1), (timedelta(0), 0)):
        at = pd.Timestamp(team.as_of_at + late)
        for module in (warehouse, metadata):
            monkeypatch.setattr(
                module, "landings", lambda table, at=at: real(table).assign(published_at=at)
            )
        observed = Observed(team)
        assert len(observed.tables) == seen
        table = warehouse.open(team.catalog, create=True).load_table("marts.a")
        found = metadata.reached(table, "day", zone=team.zone, until=team.as_of_at)
        assert len(found) == seen


def test_a_contract_about_a_column_that_is_not_there_makes_completeness_unknown(lake):
    agree(lake, "x", "nowhere")
    team = tomorrow_of(today(lake))
    assert levels.completeness(Observed(team), "a") is None
    assert report.diagnose(team).tile("completeness").finding.status == "unknown"


def test_a_day_column_that_is_not_there_is_told(lake):
    (lake / "team.yaml").write_text(
        (lake / "team.yaml").read_text().replace("day_column: day", "day_column: dag")
    )
    with pytest.raises(DataError, match=r"team\.yaml: tables: day_column of a: Binder Error"):
        series.volume(Observed(tomorrow_of(today(lake))), "a")


def test_a_picture_that_cannot_be_drawn_is_told(lake):
    text = (lake / "team.yaml").read_text()
    (lake / "team.yaml").write_text(
        text + "picture: {table: a, query: SELECT dya FROM a, unit: rows, actual: x}\n"
    )
    with pytest.raises(DataError, match=r"team\.yaml: picture: query of a: Binder Error"):
        series.daily(Observed(tomorrow_of(today(lake))))
    for wrong, said in (
        ("DROP TABLE a", "is not one SELECT"),
        ("FROM a", "'z' is not in `tables`"),
    ):
        table = "z" if "z" in said else "a"
        (lake / "team.yaml").write_text(
            text + f"picture: {{table: {table}, query: {wrong}, unit: rows, actual: x}}\n"
        )
        assert said in "\n".join(map(str, teams.problems("shop", root=lake.parent)))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT day, (SELECT content FROM read_text('/proc/self/environ'))::INT AS x FROM a",
        "SELECT 1 AS day, content AS x FROM read_text('/etc/hostname')",
        "SELECT count(*) AS x FROM read_csv('/etc/passwd')",
    ],
)
def test_the_query_of_a_picture_reads_its_table_and_nothing_else(lake, query):
    table = warehouse.open(load(lake).catalog).load_table("marts.a")
    observed = SimpleNamespace(tables={"a": (table, table.current_snapshot().snapshot_id)})
    assert len(series._selected(observed, "a", "SELECT day, x FROM a", "picture: query")) == 3
    with pytest.raises(DataError, match=r"picture: query of a: .*(?:external|Cannot access)"):
        series._selected(observed, "a", query, "picture: query")


def test_a_query_without_end_is_ended(lake):
    with (
        warehouse.locked({}) as connection,
        pytest.raises(DataError, match="took longer than 1 seconds"),
    ):
        warehouse.ask(connection, "SELECT count(*) FROM range(1000000000000000)", seconds=1)


def test_a_catalog_that_cannot_be_read_is_told_without_its_secrets(shop, monkeypatch):
    monkeypatch.setenv("DATAOPS_PW", "hunter2-correct-horse")
    text = (shop / "team.yaml").read_text()
    for uri in (
        "postgresql+psycopg2://u:${DATAOPS_PW}@127.0.0.1:9/db",
        "sqlite:////nowhere/at/all.db",
    ):
        (shop / "team.yaml").write_text(
            f"{text}catalog:\n  properties:\n    type: sql\n    uri: {uri}\n"
        )
        with pytest.raises(DataError, match="the catalog of 'shop' cannot be read") as caught:
            report.diagnose(load(shop))
        assert "hunter2" not in str(caught.value)


# ---- any history: the tile, its query and a walk over the minutes agree

FIRST, LAST = date(2026, 3, 3), date(2026, 3, 13)
DUE = [
    datetime.combine(FIRST + timedelta(days=n), time(6), NEW_YORK).astimezone(UTC)
    for n in range((LAST - FIRST).days)
]
attempts = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(0, len(DUE) - 1),
        st.integers(0, 60 * 40),  # minutes after due
        st.sampled_from(["published", "blocked", "failed", "skipped"]),
        st.booleans(),
    ),
    max_size=25,
)


def frame_of(drawn):
    rows = [
        {
            "run_id": f"r{number}",
            "pipeline": "p",
            "table": table,
            "due_at": DUE[day],
            "started_at": DUE[day] + timedelta(minutes=late),
            "finished_at": DUE[day] + timedelta(minutes=late + 5),
            "published_at": DUE[day] + timedelta(minutes=late + 5)
            if status == "published"
            else None,
            "status": status,
            "trigger": "scheduled" if first else "rerun",
        }
        for number, (table, day, late, status, first) in enumerate(drawn)
    ]
    return history.frame(rows, history.RUNS)


def walked(runs, table, grace, end):
    """Days without a stale minute: a version is good until `grace` after its successor was due."""
    landed, newest = [], None
    mine = runs[(runs["table"] == table) & runs["published_at"].notna()]
    for at, due in sorted(zip(mine["published_at"], mine["due_at"], strict=True)):
        if newest is None or due > newest:
            newest = due
            landed.append((at, min([d for d in DUE if d > due], default=end) + grace))
    good, bad, minute = set(), set(), DUE[0] + grace
    while minute < end:
        last = [until for at, until in landed if at <= minute]
        (good if last and minute < last[-1] else bad).add(minute.astimezone(NEW_YORK).date())
        minute += timedelta(minutes=5)
    return len(good - bad), len(good | bad)


@given(attempts)
@example([("a", 1, 0, "published", True), ("a", 2, 30 * 60, "published", True)])  # after its next
@example([("a", 1, 0, "published", True), ("a", 2, 50 * 60, "published", True)])  # stale at once
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_gives_the_same_by_the_tile_its_query_and_a_walk(shop, drawn):
    (shop / "runs.csv").unlink(missing_ok=True)
    drawn = [(t, d, late - late % 5, status, first) for t, d, late, status, first in drawn]
    team = load(shop)
    runs = history.known_at(frame_of(drawn), team.as_of_at)
    observed = Observed(team.model_copy(update={"runs": runs}))
    found = measured(report.diagnose(observed.team))
    again = recomputed(observed)
    by_walk = walked(runs, "a", timedelta(hours=2), team.as_of_at)
    assert found["freshness"] == again["freshness"] == by_walk
    assert found["success"] == again["success"]
    assert found["publishes"] == again.get("publishes")  # None: nothing shows an audit


# ---- series


def test_the_daily_series_is_that_of_the_page_and_planted_days_are_days_of_data(flights):
    observed = Observed(flights.load())
    daily = series.daily(observed)
    storm = daily[pd.to_datetime(daily["day"]).dt.date == date(2013, 2, 8)].iloc[0]
    assert (int(storm["departed"]), int(storm["scheduled"])) == (930 - 472, 930)
    planted = series.planted_days(observed.team)
    assert planted[date(2013, 2, 10)] == "missed run"  # due on the 11th, about the 10th
    assert len(planted) == 6


def test_incidents_follow_from_the_run_history_and_tell_what_was_planted(flights, healthy):
    replayed = incidents.derive(Observed(flights.load()))
    assert replayed
    assert all(incident.planted for incident in replayed)
    assert incidents.derive(Observed(healthy.load())) == ()


@pytest.mark.parametrize("team", ["flights", "orders"])
def test_every_reading_says_how_it_was_measured_from_how_much_and_how_completely(request, team):
    observed = Observed(request.getfixturevalue(team).load())
    readings = {
        (table.table.name, name): reading.shown
        for table in levels.of_tables(observed)
        for name, reading in table.readings.items()
    }
    assert readings
    for (_, name), shown in readings.items():
        assert set(shown.source.split(" and ")) <= {"metadata", "scan", "run history"}
        assert shown.how
        assert shown.observations > 0
        if name == "volume_anomaly":  # the first weeks have no weekday to compare with
            continue
        assert shown.coverage == 1
        assert shown.bounds == (shown.ratio, shown.ratio)


def test_a_promise_is_held_over_its_own_period_not_the_reports(flights):
    observed = Observed(flights.load(), days=5)
    shown = levels.measured(observed, "fct_flights")["pipeline_success_rate"]
    assert (shown.shown.total, shown.against_slo.total) == (5, 10)
    promise = records.promises(observed.team, "fct_flights")["pipeline_success_rate"].objective
    assert promise.target == Decimal("0.95")


# ---- how old a table is, by two clocks


def test_landing_age_and_content_age_are_measured_from_the_published_tables(flights):
    observed = Observed(flights.load())
    landings = observed.landings["fct_flights"]
    with recompute.connect(observed) as connection:
        ((newest,),) = connection.execute("SELECT max(flight_date) FROM fct_flights").fetchall()
    end_of_day = datetime.combine(newest + timedelta(days=1), time(0), NEW_YORK)
    assert landings["newest_event_at"].max() == end_of_day.astimezone(UTC)
    assert set(landings["how"]) == {"metadata"}
    published = sorted(moment(row["published_at"]) for row in rows_of(flights)
                       if row["table"] == "fct_flights" and row["published_at"])  # fmt: skip
    assert list(landings["published_at"]) == published
    limits = {"landing": timedelta(hours=26), "content": timedelta(hours=32)}
    found = levels.ages(observed, "fct_flights", observed.window, **limits)
    assert list(found) == ["landing age", "content age"]
    assert found["landing age"].total == found["content age"].total
    assert {one.source for one in found.values()} == {"metadata"}


def test_ages_know_nothing_of_what_was_published_after_as_of(flights):
    early = Observed(flights.load("2013-02-08")).landings["fct_flights"]
    late = Observed(flights.load()).landings["fct_flights"]
    assert len(early) == (late["published_at"] < datetime(2013, 2, 8, 5, tzinfo=UTC)).sum()
    assert 0 < len(early) < len(late)


def test_a_job_that_publishes_the_same_rows_again_keeps_its_landing_age_only(lake):
    catalog = warehouse.open(load(lake).catalog, create=True)
    table = catalog.load_table("marts.a")
    table.append(pa.table({"day": pa.array([], pa.date32()), "x": pa.array([], pa.int64())}))
    team = tomorrow_of(today(lake))
    observed = Observed(team)
    landings = observed.landings["a"]
    assert len(landings) == 2
    assert landings["newest_event_at"].nunique() == 1  # the end of 3 March 2026, in New York
    assert landings["newest_event_at"][0] == datetime(2026, 3, 4, 5, tzinfo=UTC)
    window = observed.window
    found = levels.ages(observed, "a", window, landing=timedelta(days=9), content=timedelta(days=1))
    assert found["landing age"].good > 0
    assert found["content age"].good == 0  # its newest record is far older than a day


def test_a_time_is_scanned_where_metadata_cannot_tell_and_a_day_to_come_stays_ahead(lake):
    catalog = warehouse.open(load(lake).catalog, create=True)
    at = datetime(2026, 3, 4, 12, tzinfo=UTC)
    rows = pa.table({"at": pa.array([at, None]), "day": pa.array([date(2099, 1, 1), None])})
    table = warehouse.create_table(catalog, "marts.b", rows.schema)
    table.append(rows)
    table.append(rows.slice(1))  # only NULL: this file names no largest value
    later = datetime(2100, 1, 1, tzinfo=UTC)
    found = metadata.reached(table, "at", zone="UTC", until=later)
    assert list(found["newest_event_at"]) == [at, at]
    assert list(found["how"]) == ["metadata", "scan"]
    future = metadata.reached(table, "day", zone="UTC", until=later)["newest_event_at"]
    assert future[0] == datetime(2099, 1, 1, tzinfo=UTC)
    none = metadata.reached(table, "nowhere", zone="UTC", until=later)
    assert none["newest_event_at"].isna().all()


def test_without_a_readable_day_column_content_age_is_unknown_not_zero(lake):
    text = (lake / "team.yaml").read_text().replace("day_column: day", "day_column: dag")
    (lake / "team.yaml").write_text(text)
    observed = Observed(tomorrow_of(today(lake)))
    limits = {"landing": timedelta(days=9), "content": timedelta(days=9)}
    assert list(levels.ages(observed, "a", observed.window, **limits)) == ["landing age"]
    assert levels.ages(observed, "b", observed.window, **limits) == {}


@pytest.mark.parametrize("team", ["flights", "orders"])
def test_every_sli_measures_every_table_of_the_example_catalogs_by_one_signature(request, team):
    loaded = request.getfixturevalue(team).load()
    observed = Observed(loaded)
    for facts in loaded.tables:
        for one in levels.slis(facts.owner):
            value = one.measure(facts.name, as_of=loaded.as_of_at, connection=observed)
            assert one.owner == facts.owner
            if one.unit == "hours":
                assert 0 < value < 96
            if one.name == "pipeline_success_rate":
                assert value == levels.success(observed, facts.name, observed.window)


def test_slis_of_a_team_without_data_are_unknown(shop):
    team = load(shop)
    measured = [
        one.measure("a", as_of=team.as_of_at, connection=Observed(team))
        for one in levels.slis("Ana")
    ]
    assert measured == [None] * 5


def test_publishes_at_unknown_times_leave_freshness_unknown(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "team.yaml").write_text(
        "name: shop\ntitle: Shop\nzone: UTC\n"
        "pipelines:\n- {name: p, schedule: 0 6 * * *, first_due: 2026-01-01}\n"
        "tables:\n- {name: t, pipeline: p, tier: 1, owner: Ana, day_column: day, about: x}\n"
    )
    (folder / "slos.yaml").write_text(
        'slos:\n- {name: t, freshness: {slo: "< 2 hours for 99% (30-day rolling)"}}\n'
    )
    rows = [f"r{day},p,t,2026-01-{day:02}T06:00:00Z,published\n" for day in range(1, 31)]
    (folder / "runs.csv").write_text("run_id,pipeline,table,due_at,status\n" + "".join(rows))
    team = teams.load("shop", as_of=date(2026, 1, 31), root=tmp_path)
    diagnosis = report.diagnose(team)
    assert diagnosis.finding("t freshness").status == "unknown"
    assert diagnosis.tile("freshness").measured is None
    assert "published_at in runs.csv" in {gap.subject for gap in diagnosis.unknowns}
    assert (diagnosis.tile("success").measured.good, diagnosis.budgets[0].verdict.left) == (
        30,
        None,
    )
