"""The practice warehouse of notebook 04: its acts, and that they harm nothing."""

from datetime import date

import pandas as pd
import pyarrow as pa
import pytest

from dataops_lib import audit, teams
from dataops_lib.audit import faults
from dataops_lib.course import headlines, sandbox
from dataops_lib.evidence import Observed, series
from dataops_lib.teams import folders
from dataops_lib.teams.models import Picture
from dataops_lib.wap import headlines as wap_headlines
from dataops_lib.wap import upkeep


@pytest.fixture(scope="module")
def observed(flights):
    return Observed(flights.load())


@pytest.fixture(scope="module")
def article(orders):
    return Observed(orders.load())


@pytest.fixture
def practice(observed):
    return sandbox.copy(observed)


def test_all_but_the_last_days_are_published_and_these_hold_their_real_rows(observed, practice):
    counts = sandbox._days(observed, "fct_flights")
    assert practice.upcoming == list(counts)[-sandbox.ACTS :]
    assert [practice.days[day].num_rows for day in practice.upcoming] == [
        counts[day] for day in practice.upcoming
    ]
    assert practice.sight == ("s1", sum(list(counts.values())[: -sandbox.ACTS]))


def test_the_acts_do_not_touch_the_warehouse_they_were_copied_from(flights, practice):
    before = {path: path.stat().st_mtime_ns for path in flights.build.rglob("*")}
    practice.run(practice.upcoming[0])
    practice.run(practice.upcoming[1], practice.days[practice.upcoming[1]].slice(0, 0))
    assert {path: path.stat().st_mtime_ns for path in flights.build.rglob("*")} == before


def test_a_run_is_due_on_the_morning_after_its_day_in_the_zone_of_the_team(practice):
    assert practice.due(date(2013, 2, 8)).isoformat() == "2013-02-09T11:00:00+00:00"


def test_readers_see_nothing_of_a_day_until_all_of_it_is_published(practice):
    (_, before), day = practice.sight, practice.upcoming[0]
    story = headlines.story(practice, practice.run(day))
    after = before + practice.days[day].num_rows
    assert story["event"].tolist() == ["staged", "audited", "published"]
    assert story["rows readers see"].tolist() == [f"{before:,}", f"{before:,}", f"{after:,}"]


def test_every_spoiled_day_is_blocked_and_readers_keep_what_they_had(practice):
    day, before = practice.upcoming[0], practice.sight
    spoiled = faults.spoil(practice.days[day], practice.checks(day))
    found = {
        fault: practice.run(day, rows, run_id=f"bad-{n}")
        for n, (fault, rows) in enumerate(spoiled.items())
    }
    assert {fault: [one.subject for one in run.blocked_by] for fault, run in found.items()} == {
        "the file came twice": ["unique(flight_date, carrier, flight, origin, sched_dep_time)"],
        "the file came empty": ["enough_rows"],
        "carrier is missing in 20 rows": ["not_null(carrier)"],
        "flight turned from a number to text": ["columns"],
    }
    assert practice.sight == before


def test_a_fault_that_nothing_in_the_table_can_show_is_left_out():
    names = pa.table({"name": ["a", "b"]})
    assert list(faults.spoil(names, [])) == ["the file came empty"]
    assert "the file came twice" in faults.spoil(names, [audit.unique("name")])


def test_in_a_race_the_second_run_follows_main_and_no_row_is_lost(practice):
    ours, theirs = practice.upcoming[:2]
    (_, before), rival = practice.sight, practice.rival(theirs)
    race = practice.run(ours, checks=[*practice.checks(ours), rival])
    both = practice.days[ours].num_rows + practice.days[theirs].num_rows
    assert (race.rebased, practice.sight[1]) == (1, before + both)


def test_a_killed_run_is_resumed_and_published_once(practice):
    day, before = practice.upcoming[0], practice.sight
    assert practice.power_cut(day) != 0
    assert practice.sight == before
    assert headlines.runs_of(practice).loc[str(day), "state"] == "staged"
    assert practice.resume(day).published
    assert practice.run(day).published  # the same rows again: answered, not published again
    assert practice.sight[1] == before[1] + practice.days[day].num_rows


def test_going_back_shows_readers_what_they_saw_before(practice):
    first, second = practice.upcoming[:2]
    practice.run(first)
    _, before = practice.sight
    practice.run(second)
    upkeep.rollback(practice.name, catalog=practice.catalog, to=practice.tag_of(first))
    assert practice.sight[1] == before
    assert wap_headlines.graph(practice.table)["refs"].iloc[-1] == (f"withdrawn {second}",)


def test_the_blizzard_is_stopped_by_what_departed_and_released_on_record(observed):
    picture = observed.team.picture
    scored = series.daily(observed).rename(columns={"departed": "rows"})[["day", "rows"]]
    storm = sandbox.copy(observed, picture.table, until=date(2013, 2, 9), keep=1)
    day = storm.upcoming[0]
    usual = sandbox.usual(picture, scored.assign(score=0.0), day)
    assert storm.run(day, run_id="rows", checks=storm.checks(day)).published
    upkeep.rollback(storm.name, catalog=storm.catalog, to=storm.tag_of(sandbox.HISTORY))
    stopped = storm.run(day, checks=[*storm.checks(day), usual])
    assert [one.subject for one in stopped.blocked_by] == ["usual departed"]
    assert storm.readers == ["Operations briefing at 09:00"]
    released = storm.release(stopped, reason="confirmed", by="data lead")
    assert released.published
    assert headlines.overrides(storm).loc[str(day)].tolist() == [
        "usual departed",
        "data lead",
        "confirmed",
    ]


def test_a_published_run_needs_no_release(practice):
    good = practice.run(practice.upcoming[0])
    assert practice.release(good, reason="none", by="nobody") is good
    assert headlines.overrides(practice).empty


def test_the_most_unusual_day_is_the_one_furthest_off_and_the_last_without_scores():
    days = [date(2013, 2, 8), date(2013, 2, 9), date(2013, 2, 10)]
    scored = pd.DataFrame({"day": days, "score": [1.0, -9.0, 3.0]})
    assert sandbox.worst_day(scored) == date(2013, 2, 9)
    assert sandbox.worst_day(scored.assign(score=float("nan"))) == date(2013, 2, 10)


def test_the_usual_band_is_that_of_the_same_weekday_when_there_are_four():
    picture = Picture(table="t", query="SELECT day, n FROM t", unit="rows", actual="n")
    days = pd.date_range("2013-01-01", periods=36)
    rows = [100 if day.weekday() == 1 else 500 for day in days]
    check = sandbox.usual(picture, pd.DataFrame({"day": days, "rows": rows}), date(2013, 2, 5))
    low, high = check.limit.values
    assert low < 100 < high < 500
    assert check.sql.endswith(
        "(SELECT day, n FROM this) WHERE CAST(day AS DATE) = DATE '2013-02-05'"
    )


def test_a_team_without_tables_or_known_events_leaves_the_acts_to_another(
    flights, observed, article, tmp_path
):

    folders.create("bare", root=tmp_path)
    bare = Observed(teams.load("bare", root=tmp_path))
    early = Observed(flights.load("2013-02-08"))  # the day before the blizzard was published
    assert sandbox.subject(bare, article) is article
    assert sandbox.subject(early, article) is article  # three days are too few
    assert sandbox.subject(observed, article) is observed
    assert sandbox.subject(observed, article, eventful=True) is observed
    assert sandbox.subject(article, observed, eventful=True) is observed
    assert sandbox.subject(early, article, eventful=True) is article
