"""What page one asks a lead to decide: at most three things, each with its number."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops_lib.evidence import levels, verdicts
from dataops_lib.finding import Finding
from dataops_lib.incidents.incident import Incident
from dataops_lib.report import decisions
from dataops_lib.service_levels import budget_policy, slo
from dataops_lib.service_levels.measurements import Measurement
from dataops_lib.teams.models import Person, Table

POLICY = budget_policy.load()
DAY = datetime(2013, 2, 12, 11, tzinfo=UTC)
AS_OF = date(2013, 3, 1)
LEAD = (Person(name="Dora", role="data lead"),)
TEXT = """\
slos:
  - name: t
    tier: 1
    freshness: {slo: "< 2 hours for 99% (30-day rolling)"}
"""


def seen(good, total=43_200.0, text=TEXT):
    """A table of which `good` of `total` promised minutes were fresh."""
    table = Table(name="t", pipeline="p", tier=1, owner="Ana", day_column="d", about="x")
    minutes = levels.MeasuredLevel(Measurement(good, total), Measurement(good, total))
    return levels.TableLevels(
        table, {one.sli: one for one in slo.loads(text)}, {"freshness": minutes}
    )


RUNS = """\
slos:
  - name: t
    tier: 1
    pipeline_success_rate: {slo: "> TARGET (30-day rolling)"}
"""


def ran(good, total, target="95%", **more):
    """A table of which `good` of `total` expected runs published first time."""
    one = seen(1.0, text=RUNS.replace("TARGET", target))
    runs = Measurement(good, total, **more)
    return replace(one, readings={"pipeline_success_rate": levels.MeasuredLevel(runs, runs)})


def budgets(*tables):
    """The error budgets of these tables, by the policy of the playbook."""
    return verdicts.budgets_of(verdicts.judge(tables), POLICY)


def decide(left=(), incidents=(), people=LEAD, **more):
    """What is decided when these budgets are left and these incidents happened."""
    facts = decisions.Facts(budgets=left, incidents=incidents, **more)
    return decisions.decide(facts, people, AS_OF)


def incident(**changes):
    """An incident that the check `enough_rows` found."""
    found = (Finding("enough_rows", "fail", "0 rows", "Wait for the file"),)
    plain = Incident(
        id="p-1", pipeline="p", tables=("t",), kind="blocked", due_at=DAY, started_at=DAY,
        detected_at=DAY, detected_by="audit", acknowledged_at=None,
        resolved_at=DAY + timedelta(hours=1), severity=None, slo_missed=False, sla_breached=False,
        findings=found, planted=None, runs=(), disturbances=(), signs=(), last_good_at=None,
        until=DAY + timedelta(days=1),
    )  # fmt: skip
    return replace(plain, **changes)


def test_half_of_a_one_percent_month_is_half_of_7_2_hours():
    (left,) = budgets(seen(43_200 - 216))
    assert left.remaining == pytest.approx(0.5)
    assert left.evidence == "50 % left, 3.6 of 7.2 hours spent in 30 days"


def test_an_overspent_budget_is_not_cut_off_at_zero_and_stops_features():
    left = budgets(seen(43_200 - 864))
    assert left[0].remaining == pytest.approx(-1)
    first = decide(left)[0]
    assert (first.what, first.who) == ("Stop feature work on t", "data lead")
    assert "overspent by 100 %" in first.why
    assert first.by == date(2013, 3, 8)


def test_a_budget_spent_exactly_is_kept_and_stops_nothing():
    (left,) = budgets(seen(43_200 - 432))
    assert (left.verdict.word, left.remaining, left.state.name) == ("met", 0, "careful")
    assert left.evidence.startswith("0 % left")
    assert decide([left]) == ()


def test_budgets_come_worst_first():
    left = budgets(seen(43_200), seen(43_200 - 864), seen(43_200 - 216))
    assert [round(budget.remaining, 2) for budget in left] == [-1, 0.5, 1]


def test_a_promise_without_a_share_of_good_has_no_budget():
    without = TEXT.replace(" for 99% (30-day rolling)", "")
    assert budgets(seen(43_200, text=without)) == ()


def test_a_promise_without_a_measurement_is_unknown_and_comes_last():
    whole = seen(43_200.0)
    left = budgets(replace(whole, readings={}), ran(6, 7, "99%"), whole)
    assert [budget.verdict.word for budget in left] == ["met", "not measurable", "unknown"]
    last = left[-1].finding
    assert (last.status, last.evidence) == ("unknown", "not measured")
    assert (last.numbers["remaining_ratio"], last.numbers["interval_ratio"]) == (None, None)
    assert decide(left[1:]) == ()


def test_a_budget_of_runs_is_counted_in_runs_over_its_own_window():
    (left,) = budgets(ran(25, 30))
    assert left.status == "fail"
    assert left.evidence == "overspent by 233 %, 5 of 1.5 runs spent in 30 days"
    numbers = left.finding.numbers
    assert (numbers["spent_runs"], numbers["allowed_runs"]) == (5, pytest.approx(1.5))
    assert numbers["left_runs"] == pytest.approx(-3.5)
    exact = [0.6528, 0.9436]  # Clopper-Pearson, 25 of 30
    assert numbers["interval_ratio"] == pytest.approx(exact, abs=0.001)
    assert (numbers["window"], numbers["target_ratio"]) == ("30-day rolling", 0.95)


def test_too_few_runs_are_not_measurable_and_say_how_many_would_do():
    (left,) = budgets(ran(6, 7, "99%"))
    assert (left.status, left.runs_needed) == ("unknown", 100)
    assert left.evidence.startswith("not measurable, needs 100 runs: 1 of 0.07 runs spent")
    assert left.remaining == pytest.approx(1 - 1 / 0.07)  # shown all the same
    (proven,) = budgets(ran(4, 7, "99%"))
    assert proven.verdict.word == "breached"  # three failures of seven prove it


def test_too_much_that_is_unknown_leaves_the_budget_unjudged():
    (left,) = budgets(ran(25, 25, unknown=5))
    assert (left.status, left.verdict.word) == ("unknown", "unknown")


def test_minutes_have_no_interval():
    (left,) = budgets(seen(43_200 - 216))
    assert left.interval is None
    assert left.finding.numbers["interval_ratio"] is None


def test_a_calendar_period_is_spent_against_the_whole_of_it():
    month = TEXT.replace("30-day rolling", "calendar month")
    one = seen(2 * 1440 - 180, total=2 * 1440, text=month)
    rest = replace(one.readings["freshness"].against_slo, to_come=29 * 1440)
    level = replace(one.readings["freshness"], against_slo=rest)
    (left,) = budgets(replace(one, readings={"freshness": level}))
    assert left.remaining == pytest.approx(1 - 180 / 446.4)  # three hours of 1 % of 31 days
    assert left.verdict.word == "met"
    assert left.evidence == "59.7 % left, 3 of 7.44 hours spent in this calendar month"


@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from(["90%", "95%", "99.5%"]))
def test_the_numbers_of_a_budget_add_up_and_nothing_is_clamped(good, bad, target):
    (left,) = budgets(ran(good, good + bad, target))
    numbers = left.finding.numbers
    if not good + bad:
        assert {numbers[name] for name in ("good", "spent_runs", "remaining_ratio")} == {None}
    else:
        assert numbers["spent_runs"] == bad
        assert numbers["left_runs"] == pytest.approx(numbers["allowed_runs"] - bad)
        ratio = numbers["left_runs"] / numbers["allowed_runs"]
        assert numbers["remaining_ratio"] == pytest.approx(ratio)
        low, high = numbers["interval_ratio"]
        assert low <= good / (good + bad) <= high


def test_a_table_with_two_spent_budgets_is_stopped_once():
    first = decide(budgets(ran(0, 30), seen(0.0)))[0]
    assert first.what == "Stop feature work on t"
    assert first.why.endswith("(and 1 more)")


def test_a_breached_sla_asks_for_a_decision_even_while_the_budget_lasts():
    text = """\
slos:
  - name: t
    freshness: {slo: "< 2 hours for 99% (30-day rolling)", sla: "< 4 hours for 99.9%"}
"""
    one = seen(43_200 - 216, text=text)
    level = replace(one.readings["freshness"], against_sla=Measurement(43_200 - 60, 43_200))
    levels_of_t = verdicts.judge([replace(one, readings={"freshness": level})])
    left = verdicts.budgets_of(levels_of_t, POLICY)
    assert levels_of_t[0].finding.status == "fail"
    assert (left[0].status, left[0].verdict.word) == ("warn", "met")  # not "ship" beside a breach
    (asked,) = decide(left, levels=levels_of_t)
    assert asked.what.startswith("Tell the consumers of t")
    assert "SLA breached" in asked.why


def test_a_check_that_failed_in_two_incidents_asks_for_a_contract_with_the_source():
    assert decide([], [incident()]) == ()
    asked = decide([], [incident(), incident(id="p-2")])
    assert [one.what for one in asked] == ["Agree on deliveries with the source team"]
    assert "enough_rows failed in 2 of 2 incidents" in asked[0].why


def test_an_incident_that_a_consumer_noticed_first_asks_for_alerts():
    asked = decide([], [incident(detected_by="consumer", findings=())])
    assert "1 of 1 incident before" in asked[0].why


def test_without_alerts_nobody_is_said_to_have_noticed_anything():
    (asked,) = decide([], [incident(detected_by="consumer", findings=())], alerts_known=False)
    assert "noticed" not in asked.why
    assert "no alert is on record" in asked.why


def test_there_are_never_more_than_three_and_none_without_a_reason():
    told = [incident(id=str(n), detected_by="consumer") for n in range(4)]
    left = budgets(seen(0.0))
    assert len(decide(left, told)) == 3
    assert decide([], [], ()) == ()
