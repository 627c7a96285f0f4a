"""What a target allows, what is left of it, and what a few runs can prove."""

import math
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops_lib import budget, windows
from dataops_lib.objective import TargetError

settings.register_profile("patient", deadline=None)  # first imports are slow
settings.load_profile("patient")
targets = st.integers(1, 99_999).map(lambda n: Decimal(n) / 100_000)


def test_the_articles_examples_come_out_exactly():
    assert budget.calculate_error_budget(99.9, 30) == {
        "slo_percent": 99.9,
        "error_budget_percent": 0.1,
        "error_budget_minutes": 43.2,
        "error_budget_hours": 0.72,
        "period_days": 30,
    }
    assert budget.calculate_error_budget(99.5)["error_budget_hours"] == 3.6


@pytest.mark.parametrize("percent", [0, 100, 101, -1, math.nan, math.inf, True, "99.5", None])
def test_a_target_that_makes_no_sense_is_refused(percent):
    with pytest.raises(TargetError, match="slo_percent is"):
        budget.calculate_error_budget(percent)


@pytest.mark.parametrize("days", [0, -30, math.nan, math.inf])
def test_a_period_that_makes_no_sense_is_refused(days):
    with pytest.raises(TargetError, match="period_days is"):
        budget.calculate_error_budget(99.5, days)


MONTHS = [(99.5, 28, 201.6), (99.5, 29, 208.8), (99.5, 31, 223.2), (99.9, 31, 44.6), (95, 7, 504)]


@pytest.mark.parametrize(("percent", "days", "minutes"), MONTHS)
def test_months_are_not_30_days(percent, days, minutes):
    assert budget.calculate_error_budget(percent, days)["error_budget_minutes"] == minutes


@given(targets, st.integers(1, 10_000))
def test_spending_exactly_the_budget_burns_at_one_and_leaves_nothing(target, hundreds):
    total = 100_000 * hundreds
    good = int(total * target)
    assert budget.burn_rate(float(1 - target), target) == pytest.approx(1, abs=1e-9)
    assert budget.remaining(good, total, target) == 0


@given(targets, st.integers(1, 10**6), st.data())
def test_what_is_left_is_one_minus_the_burn_and_is_never_clamped(target, total, data):
    good = data.draw(st.integers(0, total))
    burned = budget.burn_rate((total - good) / total, target)
    assert budget.remaining(good, total, target) == pytest.approx(1 - burned, rel=1e-6, abs=1e-6)


def test_no_data_is_unknown_not_untouched():
    assert math.isnan(budget.remaining(0, 0, 0.99))
    assert math.isnan(budget.burn_rate(None, 0.99))
    assert budget.verdict(0, 0, 0.99).status == "unknown"
    assert budget.interval(0, 0) == (0.0, 1.0)


def test_ten_requests_an_hour_and_one_failure_burn_at_100_not_1000():
    assert budget.burn_rate(0.1, 0.999) == 100  # The Site Reliability Workbook prints 1,000
    assert budget.allowed_failures(10 * 24 * 30, 0.999) == 7


ALLOWED = [(7, 0.995, 0), (30, 0.99, 0), (30, 0.9, 3), (200, 0.995, 1), (199, 0.995, 0)]


@pytest.mark.parametrize(("n", "target", "failures"), ALLOWED)
def test_allowed_failures_are_exact(n, target, failures):
    assert budget.allowed_failures(n, target) == failures


@given(targets, st.integers(1, 5))
def test_one_run_fewer_would_not_allow_the_failure(target, failures):
    runs = budget.runs_to_allow(target, failures)
    assert budget.allowed_failures(runs, target) >= failures
    assert budget.allowed_failures(runs - 1, target) < failures


TO_ALLOW = {0.95: 20, 0.99: 100, 0.995: 200, 0.999: 1000}
TO_PROVE = {0: [59, 299, 598, 2995], 1: [93, 473, 947, 4742]}


def test_runs_needed_to_allow_one_failure():
    assert [budget.runs_to_allow(target) for target in TO_ALLOW] == list(TO_ALLOW.values())


@pytest.mark.parametrize("failures", [0, 1])
def test_runs_needed_to_prove_a_target(failures):
    proofs = [budget.runs_to_prove(target, failures=failures) for target in TO_ALLOW]
    assert proofs == TO_PROVE[failures]


def test_seven_clean_runs_prove_only_65_percent():
    proven = [round(budget.proven(n, n), 3) for n in (7, 30, 365)]
    assert proven == [0.652, 0.905, 0.992]


def test_thirty_clean_runs_are_a_99_5_percent_pipeline_with_42_percent_chance():
    assert round(budget.chance(30, 30, 0.995), 2) == 0.42
    assert round(budget.chance(30, 30, 0.99), 2) == 0.56


METHODS = ("wilson", "clopper-pearson", "jeffreys")


@given(st.integers(1, 2000), st.data())
def test_every_interval_holds_the_ratio_and_stays_inside_0_and_1(total, data):
    good = data.draw(st.integers(0, total))
    for method in METHODS:
        low, high = budget.interval(good, total, method)
        assert 0 <= low <= good / total <= high <= 1


def test_intervals_agree_with_published_values():
    # R: binom.confint(8, 10): Wilson 0.4901625 0.9433178, exact 0.4439045 0.9747893
    assert budget.interval(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    exact = budget.interval(8, 10, "clopper-pearson")
    assert exact == pytest.approx((0.4439045, 0.9747893), abs=1e-6)


@given(st.integers(1, 300), st.integers(50, 99))
def test_clopper_pearson_covers_at_least_as_often_as_it_says(total, percent):
    p = percent / 100
    lows = (budget.interval(good, total, "clopper-pearson") for good in range(total + 1))
    covers = [low <= p <= high for low, high in lows]
    chances = (
        math.comb(total, good) * p**good * (1 - p) ** (total - good) for good in range(total + 1)
    )
    assert sum(chance for chance, ok in zip(chances, covers, strict=True) if ok) >= 0.95 - 1e-9


def test_thirty_clean_runs_cannot_show_99_5_percent():
    finding = budget.verdict(30, 30, 0.995)
    assert (finding.status, finding.numbers["verdict"]) == ("unknown", "not measurable")
    assert "200" in finding.next_step


def test_thirty_failed_runs_are_a_breach_however_few_they_are():
    assert budget.verdict(0, 30, 0.995).numbers["verdict"] == "breached"


def test_a_target_is_met_when_the_budget_is_spent_exactly():
    assert budget.verdict(95, 100, 0.95).status == "ok"
    assert budget.verdict(94, 100, 0.95).status == "fail"


def test_too_many_unknown_events_leave_no_verdict():
    assert budget.verdict(100, 100, 0.95, unknown=12).status == "unknown"
    assert budget.verdict(100, 100, 0.95, unknown=11).status == "ok"


def test_a_month_in_which_clocks_change_has_its_own_budget():
    march = windows.month_before(date(2013, 4, 1), "America/New_York")
    minutes = march.duration.total_seconds() / 60
    days = minutes / 1440
    assert minutes == 31 * 1440 - 60
    assert budget.calculate_error_budget(99.5, days)["error_budget_minutes"] == 222.9
    assert march.start == datetime(2013, 3, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize("target", [0, 1, 99.9, -0.1, math.nan, "100%"])
def test_a_target_outside_0_and_1_is_refused_with_what_to_write(target):
    with pytest.raises(TargetError, match=r"[Ww]rite"):
        budget.remaining(1, 2, target)
