"""Sentences about promises: true for every team, and honest where nothing is known."""

import math
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest

from dataops_lib import playbook, wording
from dataops_lib.course import lessons
from dataops_lib.evidence import series
from dataops_lib.finding import Finding
from dataops_lib.service_levels import (
    budget,
    burn_alerts,
    headlines,
    objectives,
    severity,
    sli,
    slo,
)
from dataops_lib.service_levels.measurements import Measurement, Minutes
from dataops_lib.windows import Window

DAYS = [date(2013, 2, day) for day in (1, 2, 3, 4)]


def burned(bad, target="90%"):
    history = pd.DataFrame({"day": DAYS, "good": [10 - b for b in bad], "total": [10] * 4})
    return budget.burndown(history, target)


def test_an_overspent_budget_says_how_often_and_since_when():
    assert headlines.burndown(burned([0, 5, 0, 3])) == (
        "2 budgets were used; the first was spent by 2 February 2013"
    )


def test_a_budget_that_is_left_says_how_much():
    assert headlines.burndown(burned([0, 1, 0, 0])) == "75 % of the budget is left"


def test_an_exactly_spent_budget_is_not_called_overspent():
    assert headlines.burndown(burned([4, 0, 0, 0])) == "0 % of the budget is left"


def test_nothing_measured_is_not_an_untouched_budget():
    nothing = budget.burndown(pd.DataFrame({"day": [], "good": [], "total": []}), "99%")
    assert headlines.burndown(nothing).startswith("Nothing was measured")
    assert "nobody can say" in headlines.largest_spender(nothing)
    assert headlines.budgets_used(math.nan) == "the budget was not measured"
    assert headlines.budgets([("a", math.nan)]).startswith("No budget can be computed")


def test_the_largest_spender_is_named_with_its_share():
    said = headlines.largest_spender(burned([0, 3, 1, 0]))
    assert said == "All of it was spent on 2 days; 2 February 2013 took 75 %."
    assert "a single day, 2 February" in headlines.largest_spender(burned([0, 3, 0, 0]))
    assert headlines.largest_spender(burned([0] * 4)).startswith("Nothing was spent")


def test_the_worst_of_many_budgets_is_named_and_unknown_ones_do_not_count():
    said = headlines.budgets([("a", 0.5), ("b", -1.0), ("c", math.nan)])
    assert said == "1 of 2 budgets overspent; worst: b, 2 budgets were used"


@pytest.mark.parametrize("wrong", [100, 101, 0, -1, math.nan, "99.9", None, True])
def test_a_refused_call_is_one_line_without_a_traceback(wrong):
    said = wording.outcome(budget.calculate_error_budget, wrong)
    assert said.startswith("refused: ") and "\n" not in said


def test_a_call_that_works_gives_the_article_s_numbers():
    said = wording.outcome(budget.calculate_error_budget, 99.9)
    assert "'error_budget_minutes': 43.2, 'error_budget_hours': 0.72" in said


def test_an_error_that_is_no_refusal_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        wording.outcome(lambda: 1 / 0)


def test_bad_minutes_are_told_by_the_pieces_they_came_in():
    counted = pd.DataFrame(
        {
            "counted in": ["minutes", "runs"],
            "n": [43200, 30],
            "bad": [1320, 1],
            "low": [0.96, 0.8],
            "high": [0.98, 1.0],
        }
    )
    at = datetime(2013, 2, 10, 8, tzinfo=UTC)
    said = headlines.trials(counted, [Window(at, at + timedelta(hours=22))])
    assert said.startswith("1,320 bad minutes came in one piece of 22 hours")
    assert "10 times as wide" in said
    assert "No minute was bad" in headlines.trials(counted, [])
    assert "No minute was measured" in headlines.trials(counted[:0], [])


def test_rules_that_cannot_fire_are_named_with_the_targets():
    rules = burn_alerts.burn_rules(playbook.text("burn_rate_rules.yaml"), "service")
    said = headlines.reach(rules, ["90%", "99%"], timedelta(days=30))
    assert said == "page-fast can never fire at 90%"
    assert headlines.reach(rules, ["99%"], timedelta(days=30)).startswith("Every rule can")


def test_alerts_of_the_past_are_counted_in_words():
    found = pd.DataFrame(
        {"rule": ["a", "b", "c"], "times": [0, 1, 2], "first_at": [None, DAYS[0], DAYS[1]]}
    )
    said = headlines.fired(found)
    assert "a never" in said and "b once, first on 1 February 2013" in said and "c 2 times" in said
    assert headlines.fired(found.iloc[:0]).startswith("No rule could be tried")


def test_a_promise_says_what_it_lets_go_wrong():
    one = slo.loads('slos: [{name: a, tier: 1, freshness: {slo: "< 2 hours for 99%"}}]')[0]
    assert headlines.promise(one) == (
        "a, tier 1: freshness < 2 hours for 99%; 1 % of the 30-day rolling period may be bad."
    )
    assert headlines.promise(None).startswith("No promise")


# -- service levels (notebook 02)

ARTICLE_PAIR = [
    objectives.parse("> 99.5% (7-day rolling)"),
    objectives.parse("> 99.0% (30-day rolling)"),
]


def test_the_article_s_strings_read_as_a_table_with_margins_in_their_own_units():
    text = """
slos:
  - name: a
    tier: 1
    freshness: {slo: "< 2 hours", sla: "< 4 hours"}
    completeness: {slo: "> 99.9%", sla: "> 99.5%"}
    volume_anomaly: {slo: "Z-score < 3", sla: "Z-score < 4"}
    on_call_severity: "P1 — Immediate response"
"""
    shown = headlines.promises(slo.loads(text))
    assert list(shown["safety margin"]) == ["2 hours", "0.4 %", "1"]
    assert set(shown["severity"]) == {"P1"}
    assert headlines.promises(None).empty


def test_the_article_s_pair_gives_no_warning_for_a_daily_job():
    runs = [day != 10 for day in range(60)]
    red = [lessons.red_days(runs, one) for one in ARTICLE_PAIR]
    assert [sum(side) for side in red] == [7, 30]
    assert headlines.pair(*red).startswith("No warning: both break on the same day")


def test_a_pair_over_one_window_warns_first():
    runs = [day not in (10, 14, 19, 24) for day in range(60)]
    pair = [objectives.parse("> 95% (30-day rolling)"), objectives.parse("> 90% (30-day rolling)")]
    red = [lessons.red_days(runs, one) for one in pair]
    assert headlines.pair(*red).startswith("The SLO warned 10 days before the SLA broke")
    assert headlines.pair([True, False], [False, False]).startswith("The SLA holds")


def test_few_runs_allow_and_prove_little():
    row = headlines.measurable(["99.5%"], [7, 30]).iloc[0]
    assert (row["may fail of 7"], row["may fail of 30"]) == (0, 0)
    assert row["runs to allow one failure"] == 200
    assert row["clean runs to prove it (95 %)"] == 598


def test_an_empty_table_is_no_alarm_for_a_z_score_that_holds_today():
    daily = pd.DataFrame(
        {
            "day": pd.date_range("2013-01-01", periods=40).date,
            "rows": [100 + n % 5 for n in range(40)],
        }
    )
    scored = series.volume_scores(daily, last=0)
    assert scored["zscore-with-today"].abs().max() < 6 / 7**0.5 + 1e-9
    said = headlines.scores(scored, "zscore-with-today", 3.0)
    assert "no alarm" in said and "-2.2" in said
    assert "alarm, because no row at all" in headlines.scores(scored, "weekday", 5.0)
    assert headlines.scores(scored.iloc[:0], "weekday", 5.0).endswith("nothing to score")


def test_days_that_are_all_alike_give_an_unknown_score():
    daily = pd.DataFrame({"day": pd.date_range("2013-01-01", periods=9).date, "rows": [3] * 9})
    said = headlines.scores(series.volume_scores(daily, last=0), "zscore", 3.0)
    assert said.startswith("zscore: unknown")


def test_the_strictest_promise_that_always_held_is_named():
    past = pd.DataFrame({"day": range(20), "good": [10.0] * 19 + [9.0], "total": [10.0] * 20})
    tried = budget.backtest(past, ["90%", "99.9%"], [5, 10])
    assert headlines.backtest(tried) == (
        "The strictest promise that held on the first 20 days is 90 % over 10 days; no later day "
        "shows whether it goes on to hold"
    )
    assert headlines.backtest(budget.backtest(past, ["99.9%"], [5])).startswith("None of these")
    assert headlines.backtest(budget.backtest(past, ["90%"], [50])).startswith("No history")


def test_a_promise_that_always_held_is_tried_on_the_days_that_were_left_out():
    good = [10.0] * 16 + [5.0] + [10.0] * 3  # one bad day, and it is among the last five
    past = pd.DataFrame({"day": range(20), "good": good, "total": [10.0] * 20})
    tried = budget.backtest(past, ["90%", "99.9%"], [5], left_out=5)
    assert list(tried["green_ratio"]) == [1, 1]  # nothing was bad before
    assert (tried["history_days"] == 15).all() and (tried["later_days"] == 5).all()
    assert list(tried["later_red"]) == [0, 4]
    assert headlines.backtest(tried) == (
        "The strictest promise that held on the first 15 days is 99.9 % over 5 days; on the "
        "5 days after them it was broken on 4"
    )


def test_states_are_counted_and_breaches_named():
    found = [
        Finding("a freshness", "fail", "", ""),
        Finding("b freshness", "ok", "", ""),
        Finding("c freshness", "unknown", "", ""),
    ]
    said = headlines.states(found)
    assert said == "1 kept; 1 SLA breached; 1 unknown. Breached: a freshness."
    assert headlines.states([]).startswith("No table is given")


def test_shares_that_are_not_known_are_not_zero():
    assert headlines.shares({"a": 0.5, "b": None}) == "a: 50 %; b: unknown"


def test_ways_of_averaging_are_compared_by_their_extremes():
    found = {"errors of all events together": 0.005, "mean of the slices' error rates": 0.25}
    assert headlines.averages(found) == (
        "One way of averaging finds 50 times as many errors as another"
    )
    assert "some errors" in headlines.averages({"a": 0.0, "b": 0.1})


def test_the_printed_number_that_is_furthest_off_is_named():
    said = headlines.published(lessons.published())
    assert said.startswith("8 printed numbers; the furthest off: SRE Workbook")
    assert said.endswith("1,000 for 100")


def test_both_ages_say_how_often_they_were_kept_and_how_that_is_known():
    ages = {"landing age": Minutes(90, 10, observations=3, source="metadata")}
    assert headlines.ages(ages) == (
        "landing age kept in 90 % of minutes (3 publishes, by metadata)"
    )
    assert "neither age is known" in headlines.ages({})


def test_slis_are_listed_with_their_fields_and_what_they_measure():
    asked = [
        sli.DataSLI("age", "since the last publish", "hours", lambda t, at, seen: 2.25, "Ana"),
        sli.DataSLI("rate", "good runs", "ratio", lambda t, at, seen: seen, "Ana"),
        sli.DataSLI("gaps", "no contract", "ratio", lambda t, at, seen: None, "Ana"),
    ]
    at = datetime(2013, 3, 1, tzinfo=UTC)
    shown = headlines.slis(asked, "a", at, Measurement(29, 30))
    assert list(shown["measured"]) == ["2.2 hours", "96.67 % of 30", "unknown"]
    assert set(shown["owner"]) == {"Ana"}
    without = headlines.slis(asked, None, at, None)
    assert set(without["measured"]) == {"unknown"}


def test_a_tier_is_proposed_from_readers_uses_and_money_of_all_that_is_built_from_a_table():
    rules = severity.load_severities(playbook.text("severity.yaml"))
    table = SimpleNamespace
    built = {"raw": ("fct",), "fct": (), "lone": ()}
    team = SimpleNamespace(
        tables=[table(name="raw", tier=3), table(name="fct", tier=1), table(name="lone", tier=2)],
        consumers=[SimpleNamespace(name="Marketing board", table="fct")],
        downstream=built.get,
    )
    found = headlines.tiers(team, rules, {}, {}).set_index("table")
    assert list(found["tier proposed"]) == [2, 2, 3]
    assert found.loc["raw", "because"] == "is used for marketing"
    assert list(found["readers"]) == [1, 1, 0]
    found = headlines.tiers(team, rules, {"fct": ["finance"]}, {"lone": 600}).set_index("table")
    assert list(found["tier proposed"]) == [1, 1, 2]
    assert found.loc["lone", "because"] == "600 a day at stake, 500 or more"
