"""A team's promises: the article's words, their meaning, and every mistake in a file."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops_lib import slo
from dataops_lib.errors import TeamError

settings.register_profile("patient", deadline=None)  # first imports are slow
settings.load_profile("patient")
HOUR = timedelta(hours=1)
ARTICLE = """
slos:
  # Tier 1: Business Critical
  - name: "fct_daily_revenue"
    tier: 1
    freshness:
      slo: "< 2 hours"
      sla: "< 4 hours"
    completeness:
      slo: "> 99.9%"
      sla: "> 99.5%"
    volume_anomaly:
      slo: "Z-score < 3"
      sla: "Z-score < 4"
    pipeline_success_rate:
      slo: "> 99.5% (7-day rolling)"
      sla: "> 99.0% (30-day rolling)"
    error_budget_monthly: "0.5% = 3.6 hours/month"
    on_call_severity: "P1 — Immediate response"
  - name: "marketing_attribution"
    tier: 2
    freshness:
      slo: "< 8 hours"
      sla: "< 12 hours"
    pipeline_success_rate:
      slo: "> 99.0%"
      sla: "> 98.0%"
    on_call_severity: "P2 — Business hours response"
  - name: "raw_event_logs"
    tier: 3
    freshness:
      slo: "< 24 hours"
      sla: "< 48 hours"
    on_call_severity: "P3 — Next business day response"
"""
SLOS = slo.loads(ARTICLE)
REVENUE = {one.sli: one for one in SLOS if one.table == "fct_daily_revenue"}


def test_the_articles_file_is_read_as_it_stands():
    assert [one.name for one in SLOS] == [
        "fct_daily_revenue freshness",
        "fct_daily_revenue completeness",
        "fct_daily_revenue volume_anomaly",
        "fct_daily_revenue pipeline_success_rate",
        "marketing_attribution freshness",
        "marketing_attribution pipeline_success_rate",
        "raw_event_logs freshness",
    ]
    assert [one.severity for one in SLOS] == ["P1"] * 4 + ["P2"] * 2 + ["P3"]
    assert REVENUE["pipeline_success_rate"].objective == slo.Objective(
        "ratio", Decimal("0.995"), slo.Period(days=7)
    )
    assert REVENUE["freshness"].budget == slo.BudgetText(Decimal("0.005"), 3.6 * HOUR, "month")


def test_a_budget_in_hours_is_the_target_of_freshness():
    assert REVENUE["freshness"].target == Decimal("0.995")
    assert SLOS[4].target is None


def test_a_promise_without_a_share_has_no_budget_and_says_what_to_write():
    with pytest.raises(slo.TargetError, match=r"Write '< 8 hours for 99%'"):
        _ = SLOS[4].error_budget


def test_two_hours_on_a_daily_table_are_26_hours_of_age():
    assert slo.max_age(REVENUE["freshness"].objective, timedelta(days=1)) == 26 * HOUR
    assert REVENUE["freshness"].objective.limit == 2 * HOUR


def test_the_gap_to_the_sla_is_a_safety_margin_not_the_budget():
    runs = slo.SLO("t", "pipeline_success_rate", slo.parse("> 99.9%"), slo.parse("> 99.5%"))
    assert (runs.error_budget, runs.safety_margin) == (Decimal("0.001"), Decimal("0.004"))
    assert REVENUE["freshness"].safety_margin == 2 * HOUR


numbers = st.integers(1, 99_999).map(lambda n: f"{Decimal(n) / 1000:f}")
periods = st.one_of(
    st.just(""),
    st.integers(1, 400).map(lambda n: f" ({n}-day rolling)"),
    st.sampled_from(["week", "month", "quarter", "year"]).map(lambda c: f" (calendar {c})"),
)
shares = st.one_of(st.just(""), numbers.map(lambda n: f" for {n}%"))
units = st.sampled_from(["minutes", "hours", "days"])
objectives = st.one_of(
    st.builds("> {}%{}".format, numbers, periods),
    st.builds("< {} {}{}{}".format, numbers, units, shares, periods),
    st.builds("Z-score < {}{}{}".format, numbers, shares, periods),
)


@given(objectives)
def test_an_objective_written_out_reads_back_the_same(text):
    objective = slo.parse(text)
    assert slo.parse(str(objective)) == objective


REFUSED = {
    "> 100%": "no budget",
    "> 101%": "between 0 and 1",
    "> 0%": "between 0 and 100 %",
    "> -5%": "between 0 and 100 %",
    "> nan%": "between 0 and 100 %",
    "> inf%": "between 0 and 100 %",
    "> 99.5": "For 99.5 % write 99.5%",
    "< 99%": "Write '> 99%'",
    "> 2 hours": "Write '< 2 hours'",
    "< 0 hours": "no limit above 0",
    "< 2 moons": "unit 'moons' is not known",
    "Z-score > 3": "Write 'Z-score < 3'",
    "< 99999999999999 days": "longer than time",
    "> 99% (fortnight)": "is not a period",
    "fresh": "is not an objective",
    "< 2 hours for 100%": "no budget",
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.items())
def test_a_promise_that_cannot_be_kept_is_refused_with_what_to_write(text, reason):
    with pytest.raises(slo.TargetError) as caught:
        slo.parse(text)
    assert reason in str(caught.value)


MALFORMED = """slos:
  - name: a
    tier: 4
    freshness: {slo: "> 99%"}
    completness: {slo: "> 99%"}
    completeness: {slo: "> 100%", sla: 99}
  - tier: 2
    on_call_severity: urgent
    error_budget_monthly: lots
    pipeline_success_rate: {sla: "> 99%"}
  - name: a
  - just words
"""
MISTAKES = {
    3: "is 4",
    4: "is no objective for freshness",
    5: "is not a known field",
    6: "no budget",
    7: "is missing",
    8: "is 'urgent'",
    9: "'lots' is not an error budget",
    10: "has no `slo`",
    11: "stands twice",
    12: "is not a table",
}


def test_all_mistakes_of_a_file_are_reported_at_once_with_their_lines():
    with pytest.raises(TeamError) as caught:
        slo.loads(MALFORMED, file="slos.yaml")
    said = {(problem.line, problem.message) for problem in caught.value.problems}
    missed = [
        (line, part)
        for line, part in MISTAKES.items()
        if not any(at == line and part in message for at, message in said)
    ]
    assert missed == []
    assert all(problem.file == "slos.yaml" and problem.fix for problem in caught.value.problems)


@pytest.mark.parametrize("text", ["", "slos: 3", "- a", "slos:\n  - [1", "slos: []\nslos: []"])
def test_a_file_that_is_no_list_of_tables_is_refused_kindly(text):
    with pytest.raises(TeamError):
        slo.loads(text)


VALUES = {
    "freshness": (2 * HOUR, 3 * HOUR, 5 * HOUR),
    "completeness": (0.999, 0.998, 0.99),
    "volume_anomaly": (-3.0, 3.5, -4.5),
    "pipeline_success_rate": (0.995, 0.993, 0.98),
}


@pytest.mark.parametrize("sli", VALUES)
def test_each_metric_is_ok_missed_or_breached(sli):
    statuses = [slo.judge(REVENUE[sli], value).status for value in VALUES[sli]]
    assert statuses == ["ok", "warn", "fail"]


def test_what_was_not_measured_is_unknown():
    assert slo.judge(REVENUE["freshness"], None).status == "unknown"


def test_an_sla_may_be_broken_while_its_shorter_slo_is_green():
    finding = slo.judge(REVENUE["pipeline_success_rate"], 1.0, 29 / 30)
    assert finding.status == "fail"


PERIODS = {"week": 1, "month": 14, "quarter": 45, "year": 45}


@pytest.mark.parametrize(("calendar", "days"), PERIODS.items())
def test_a_calendar_period_runs_from_its_first_day_to_as_of(calendar, days):
    window = slo.Period(calendar=calendar).window(date(2012, 2, 15), "UTC")  # a Wednesday
    expected = {"week": 2}.get(calendar, days)
    assert window.duration.days == expected
