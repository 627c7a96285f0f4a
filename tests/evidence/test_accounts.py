"""How budgets were spent: minutes and runs by day, months that differ, one more incident."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest

from dataops_lib import playbook, windows
from dataops_lib.course import lessons
from dataops_lib.evidence import Observed, accounts, levels, series
from dataops_lib.service_levels import budget, burn_alerts, slo
from dataops_lib.teams import Team, history
from dataops_lib.teams.models import TeamFile

DAY = timedelta(days=1)
TEXT = """
slos:
  - name: fct_a
    tier: 1
    freshness: {slo: "< 2 hours for 99% (30-day rolling)"}
    pipeline_success_rate: {slo: "> 95% (30-day rolling)"}
  - name: fct_b
    tier: 2
    freshness: {slo: "< 2 hours"}
    pipeline_success_rate: {slo: "> 80% (30-day rolling)"}
"""


def stand(missed=(), known=True, text=TEXT):
    """Two tables that are due daily at 06:00 UTC and land at once, but on days that `missed`."""
    first = datetime(2013, 1, 20, 6, tzinfo=UTC)
    landed = [at for n in range(40) if (at := first + n * DAY).date() not in set(missed)]
    rows = [
        {"run_id": f"{at:%j}", "pipeline": "p", "table": table, "due_at": at, "started_at": at,
         "finished_at": at, "published_at": at, "status": "published", "trigger": "scheduled"}
        for at in landed
        for table in ("fct_a", "fct_b")
    ]  # fmt: skip
    runs = history.frame(rows, history.RUNS) if known else None
    file = {
        "name": "stand", "title": "Stand", "zone": "UTC",
        "pipelines": [{"name": "p", "schedule": "0 6 * * *", "first_due": first.date()}],
        "tables": [
            {"name": name, "pipeline": "p", "tier": tier, "owner": "Ana", "day_column": "day",
             "about": "A table."}
            for tier, name in enumerate(("fct_a", "fct_b"), 1)
        ],
    }  # fmt: skip
    team = dict(TeamFile.model_validate(file)) | {
        "slos": tuple(slo.loads(text)), "as_of": date(2013, 3, 1), "runs": runs, "alerts": None,
        "contracts": None, "audits": {},
    }  # fmt: skip
    return Observed(Team.model_construct(**team))


def account(observed, sli_name="freshness", table="fct_a"):
    return next(
        one
        for one in accounts.accounts(observed)
        if (one.slo.table, one.slo.sli) == (table, sli_name)
    )


def test_a_missed_day_costs_the_minutes_until_the_next_landing():
    one = account(stand(missed=[date(2013, 2, 10)]))
    assert (one.unit, one.total) == ("minutes", 43200)
    assert one.spent == 22 * 60  # due 06:00, promised by 08:00, landed at 06:00 of the next day
    assert one.allowed == pytest.approx(432)
    assert one.remaining == pytest.approx(1 - 1320 / 432)


def test_days_add_up_to_the_whole_period():
    observed = stand(missed=[date(2013, 2, 10)])
    one = account(observed)
    month = windows.rolling(date(2013, 3, 1), days=30, zone="UTC")
    whole = levels.freshness(observed, "fct_a", month, one.slo.objective)
    assert len(one.history) == 30
    assert one.history["good"].sum() == pytest.approx(whole.good)
    assert list(one.history.query("good < total")["day"]) == [
        date(2013, 2, 10),
        date(2013, 2, 11),
    ]


def test_run_success_is_paid_in_runs():
    one = account(stand(missed=[date(2013, 2, 10)]), "pipeline_success_rate")
    assert (one.unit, one.total, one.spent) == ("runs", 30, 1)
    assert one.allowed == pytest.approx(1.5)


def test_a_promise_without_a_share_has_no_budget():
    named = [one.slo.name for one in accounts.accounts(stand())]
    assert "fct_b freshness" not in named
    assert "fct_b pipeline_success_rate" in named


def test_the_least_left_comes_first_and_tier_1_minutes_are_followed():
    found = accounts.accounts(stand(missed=[date(2013, 2, 10)]))
    left = [one.remaining for one in found]
    assert left == sorted(left)
    assert accounts.followed(found).slo.name == "fct_a freshness"
    assert accounts.followed(()) is None


def test_an_unmeasured_budget_is_unknown_not_untouched():
    one = account(stand(known=False))
    assert one.history.empty
    assert pd.isna(one.remaining) and pd.isna(one.spent) and pd.isna(one.allowed)
    assert accounts.spells(one, stand(known=False)) == []


def test_accounts_read_as_a_table_with_percent_left():
    shown = accounts.table([account(stand())])
    assert list(shown.columns) == accounts.TABLE
    assert shown.loc[0, "left (%)"] == 100
    assert list(accounts.table([]).columns) == accounts.TABLE


def test_bad_minutes_come_in_one_stretch_for_each_incident():
    observed = stand(missed=[date(2013, 2, 10), date(2013, 2, 11), date(2013, 2, 20)])
    found = accounts.spells(account(observed), observed)
    assert [span.duration for span in found] == [timedelta(hours=46), timedelta(hours=22)]
    minutes = sum(span.duration / timedelta(minutes=1) for span in found)
    assert minutes == account(observed).spent


def test_a_version_that_was_stale_when_it_came_does_not_cut_a_stretch_in_two():
    observed = stand(missed=[date(2013, 2, 10), date(2013, 2, 11)])
    came = pd.Timestamp("2013-02-11T12:00Z")
    due = pd.Timestamp("2013-02-10T06:00Z")
    late = {"run_id": "late", "pipeline": "p", "table": "fct_a", "due_at": due,
            "published_at": came, "status": "published"}  # fmt: skip
    runs = pd.concat([observed.team.runs, history.frame([late], history.RUNS)])
    observed = Observed(observed.team.model_copy(update={"runs": runs}))
    found = accounts.spells(account(observed), observed)
    assert [span.duration for span in found] == [timedelta(hours=46)]


def test_minutes_look_more_certain_than_runs():
    observed = stand(missed=[date(2013, 2, 10)])
    counted = accounts.trials(account(observed), observed).set_index("counted in")
    width = counted["high"] - counted["low"]
    assert counted.loc["runs", "n"] == 30
    assert width["runs"] > 20 * width["minutes"]


def test_months_have_their_real_hours():
    there = lessons.months(2013, "America/New_York", "99.5%").set_index("month")
    assert there.loc["Feb 2013", "hours"] == 28 * 24
    assert there.loc["Mar 2013", "hours"] == 31 * 24 - 1
    assert there.loc["Nov 2013", "hours"] == 30 * 24 + 1
    assert there.loc["Apr 2013", "budget_minutes"] == 216  # the only kind the calculator knows
    assert lessons.months(2013, "UTC", "99.5%")["hours"].sum() == 365 * 24


def test_one_more_incident_is_priced_in_budgets_of_the_promise():
    one = account(stand(missed=[date(2013, 2, 10)]))
    costs = accounts.one_more(one, [7.2])
    assert costs.loc[0, "budgets"] == pytest.approx(1)  # 7.2 hours are 1 % of 30 days
    assert costs.loc[0, "left_after"] == pytest.approx(one.remaining - 1)


def test_without_a_history_an_incident_has_a_price_but_nothing_is_left_to_compare():
    costs = accounts.one_more(account(stand(known=False)), [7.2])
    assert costs.loc[0, "budgets"] == pytest.approx(1)
    assert costs["left_after"].isna().all()
    assert accounts.one_more(None).empty


def test_the_largest_incident_that_still_fits_is_computed():
    one = account(stand(missed=[]))
    assert accounts.bears(one) == (  # 1 % of 30 days
        "The budget bears one more incident of 7 hours 12 minutes, not longer."
    )
    spent = account(stand(missed=[date(2013, 2, 10)]))
    assert accounts.bears(spent).startswith("No further incident can be paid: 3.06 budgets")
    runs = account(stand(), "pipeline_success_rate")
    assert accounts.bears(runs) == "The budget bears 1 more failed run."  # 1.5 of 30
    assert "is not" in accounts.bears(account(stand(known=False)))
    assert "is not" in accounts.bears(None)


def test_where_runs_are_counted_an_incident_is_a_number_of_runs():
    costs = accounts.one_more(account(stand(), "pipeline_success_rate"))
    assert list(costs["incident"]) == ["1 run", "2 runs", "3 runs"]
    assert costs.loc[0, "budgets"] == pytest.approx(1 / 1.5)


def test_a_daily_rule_fires_once_for_each_missed_day():
    rules = burn_alerts.burn_rules(playbook.text("burn_rate_rules.yaml"), "daily")
    observed = stand(missed=[date(2013, 2, 5), date(2013, 2, 20)])
    found = accounts.fired(account(observed), observed, rules).set_index("rule")
    assert found.loc["page-daily", "times"] == 2
    assert found.loc["page-daily", "first_at"] == date(2013, 2, 5)
    quiet = accounts.fired(account(stand()), stand(), rules)
    assert list(quiet["times"]) == [0, 0]


def test_rules_cannot_be_tried_without_minutes():
    rules = burn_alerts.burn_rules(playbook.text("burn_rate_rules.yaml"), "daily")
    assert accounts.fired(None, stand(), rules).empty
    assert accounts.fired(account(stand(), "pipeline_success_rate"), stand(), rules).empty


def test_planted_faults_are_named_by_the_day_they_were_due():
    runs = pd.DataFrame(
        {
            "table": ["fct_a", "fct_a", "fct_b"],
            "due_at": pd.to_datetime(["2013-01-14T04:00Z", "2013-01-15T11:00Z"] * 2)[:3],
            "planted": ["late file", None, "empty file"],
        }
    )
    team = SimpleNamespace(runs=runs, zone="America/New_York")
    assert series.planted(team, "fct_a") == {date(2013, 1, 13): "late file"}
    assert series.planted(SimpleNamespace(runs=None, zone="UTC"), "fct_a") == {}


def test_the_remaining_share_is_the_library_s():
    one = account(stand(missed=[date(2013, 2, 10)]))
    left = budget.burndown(one.history, one.slo)
    assert left["remaining"].iloc[-1] == pytest.approx(one.remaining)


def test_recorded_attempts_include_reruns_and_leave_out_what_never_ran():
    at = pd.to_datetime(["2013-02-01T06:00Z", "2013-02-01T07:00Z", "2013-01-01T06:00Z"])
    runs = pd.DataFrame(
        {"table": "fct_a", "due_at": at, "status": ["blocked", "published", "published"]}
    )
    observed = SimpleNamespace(team=SimpleNamespace(runs=runs))
    window = windows.rolling(date(2013, 3, 1), days=30, zone="UTC")
    seen = accounts.recorded(observed, "fct_a", window)
    assert (seen.good, seen.total) == (1, 2)
    nothing = SimpleNamespace(team=SimpleNamespace(runs=None))
    assert accounts.recorded(nothing, "fct_a", window) is None


def test_the_busiest_table_is_the_one_with_most_rows_a_day(flights):
    assert series.busiest(stand()) is None
    rows = series.busiest(Observed(flights.load()))["rows"]
    assert rows.mean() > 100  # fct_flights; its two summaries have a few rows a day


def test_the_whole_history_is_longer_than_the_period_of_the_promise():
    observed = stand()
    past = accounts.history(observed, account(observed).slo)
    assert past["day"].iloc[0] == date(2013, 1, 20) and past["day"].iloc[-1] == date(2013, 2, 28)
    assert accounts.history(observed, None).empty


def test_three_ways_of_averaging_the_same_slices_give_three_error_ratios():
    slices = pd.DataFrame({"good": [1000, 5], "total": [1000, 10]})  # Sloth's worked example
    found = list(lessons.averages(slices, "99%").values())
    assert found == pytest.approx([0.0049504950495049506, 0.25, 0.5])
    silent = pd.DataFrame({"good": [0], "total": [0]})  # nothing happened: it misses nothing
    assert list(lessons.averages(pd.concat([slices, silent]), "99%").values()) == found
    nothing = lessons.averages(pd.DataFrame(columns=accounts.COLUMNS), "99%")
    assert pd.Series(nothing).isna().all()


def test_the_usual_age_of_a_newest_record_is_the_median_of_its_landings():
    at = pd.to_datetime(["2013-01-02T06:00Z", "2013-01-03T06:00Z", "2013-01-04T18:00Z"])
    newest = pd.to_datetime(["2013-01-02T00:00Z", "2013-01-03T00:00Z", None])
    landings = pd.DataFrame({"published_at": at, "newest_event_at": newest})
    assert series.lag(landings) == timedelta(hours=6)
    assert series.lag(None) == series.lag(landings[2:]) == timedelta(0)
