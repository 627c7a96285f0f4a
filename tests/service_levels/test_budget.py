"""What a target allows, what is left of it, and what a few runs can prove."""

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from time import perf_counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops_lib import windows
from dataops_lib.service_levels import budget
from dataops_lib.service_levels.objectives import TargetError, as_target

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


# Budgets in seconds, as every availability calculator prints them: weeks, months, quarters, years.
LENGTHS = (7, 28, 29, 30, 31, 90, 91, 92, 365, 366)  # days
SECONDS = {
    "90": (60480, 241920, 250560, 259200, 267840, 777600, 786240, 794880, 3153600, 3162240),
    "95": (30240, 120960, 125280, 129600, 133920, 388800, 393120, 397440, 1576800, 1581120),
    "98": (12096, 48384, 50112, 51840, 53568, 155520, 157248, 158976, 630720, 632448),
    "99": (6048, 24192, 25056, 25920, 26784, 77760, 78624, 79488, 315360, 316224),
    "99.5": (3024, 12096, 12528, 12960, 13392, 38880, 39312, 39744, 157680, 158112),
    "99.9": (604.8, 2419.2, 2505.6, 2592, 2678.4, 7776, 7862.4, 7948.8, 31536, 31622.4),
    "99.95": (302.4, 1209.6, 1252.8, 1296, 1339.2, 3888, 3931.2, 3974.4, 15768, 15811.2),
    "99.99": (60.48, 241.92, 250.56, 259.2, 267.84, 777.6, 786.24, 794.88, 3153.6, 3162.24),
    "99.999": (6.048, 24.192, 25.056, 25.92, 26.784, 77.76, 78.624, 79.488, 315.36, 316.224),
}


@pytest.mark.parametrize("percent", SECONDS)
def test_the_seconds_of_every_availability_table_are_spent_exactly(percent):
    for days, seconds in zip(LENGTHS, SECONDS[percent], strict=True):
        total = days * 86400
        assert budget.remaining(total - seconds, total, f"{percent}%") == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("percent", SECONDS)
def test_the_calculator_gives_the_hours_of_every_availability_table(percent):
    for days, seconds in zip(LENGTHS, SECONDS[percent], strict=True):
        found = budget.calculate_error_budget(float(percent), days)
        assert found["error_budget_hours"] == pytest.approx(seconds / 3600, abs=0.005)
        assert found["error_budget_minutes"] == pytest.approx(seconds / 60, abs=0.05)


def test_a_target_is_read_as_it_is_printed_not_as_binary_floats_have_it():
    assert 1 - as_target("99.9%") == Decimal("0.001")  # in floats 0.0009999999999999432
    assert as_target(0.999) == as_target("99.9%") == as_target(Decimal("0.999"))


EXHAUSTED = [  # target, error ratio, minutes after which 30 days' budget is spent
    (0.999, 0.001, 43200),
    (0.999, 0.002, 21600),
    (0.999, 0.01, 4320),
    (0.999, 1.0, 43.2),
    (0.999, 0.035, 20.571428571428573 * 60),
    (0.99999, 1.0, 25.92 / 60),
    (0.99999, 0.01, 43.2),
]


@pytest.mark.parametrize(("target", "ratio", "minutes"), EXHAUSTED)
def test_a_steady_outage_spends_the_budget_when_table_5_4_says(target, ratio, minutes):
    bad = ratio * minutes
    assert budget.remaining(43200 - bad, 43200, target) == pytest.approx(0, abs=1e-9)
    assert 43200 / budget.burn_rate(ratio, target) == pytest.approx(minutes)


WORKBOOK = [  # minutes of outage, error ratio, target: share of a 30-day budget
    (60, 1.0, 0.999, 1.3888888888888888),
    (5, 1.0, 0.999, 0.11574074074074073),
    (10, 0.001, 0.999, 0.0002314814814814815),
    (60, 1.0, 0.9, 0.013888888888888888),
    (60, 0.1, 0.999, 0.1388888888888889),
    (15, 1.0, 0.999, 0.3472222222222222),  # three spikes of five minutes
]


@pytest.mark.parametrize(("minutes", "ratio", "target", "spent"), WORKBOOK)
def test_the_outages_of_the_workbook_cost_what_it_says(minutes, ratio, target, spent):
    total = 30 * 1440
    left = budget.remaining(total - minutes * ratio, total, target)
    assert 1 - left == pytest.approx(spent)


def history(*bad: float, per_day: float = 1) -> pd.DataFrame:
    days = pd.date_range("2026-01-01", periods=len(bad))
    return pd.DataFrame({"day": days, "good": [per_day - b for b in bad], "total": per_day})


def test_the_budget_burns_down_day_by_day_below_zero():
    left = budget.burndown(history(0, 72, 0, 144, per_day=1440), 0.975)["remaining"]
    assert left.tolist() == pytest.approx([1, 0.5, 0.5, -0.5])


def test_the_end_of_a_burn_down_is_what_remains():
    days = history(0, 1, 0, 0, 1, 0, 0, 0)
    left = budget.burndown(days, 0.9)["remaining"].iloc[-1]
    assert left == pytest.approx(budget.remaining(6, 8, 0.9))


def test_a_period_that_is_not_over_spends_the_budget_of_the_whole_period():
    left = budget.burndown(history(72, per_day=1440), 0.95, expected_total=30 * 1440)
    assert left["remaining"].tolist() == pytest.approx([1 - 72 / 2160])


def test_nothing_measured_is_nothing_known_about_the_budget():
    assert budget.burndown(history(0, per_day=0), 0.9)["remaining"].isna().all()


def test_one_missed_run_turns_the_7_day_slo_red_for_7_days_and_the_30_day_sla_for_30():
    days = history(*[0] * 60, 1, *[0] * 60)
    table = budget.backtest(days, [0.995, 0.99], [7, 30]).set_index(["window_days", "target"])
    assert table.loc[(7, Decimal("0.995")), "longest_red_days"] == 7
    assert table.loc[(30, Decimal("0.99")), "longest_red_days"] == 30
    assert table.loc[(7, Decimal("0.995")), "worst_ratio"] == pytest.approx(6 / 7)
    assert table.loc[(30, Decimal("0.99")), "worst_ratio"] == pytest.approx(29 / 30)
    assert table.loc[(7, Decimal("0.995")), "green_ratio"] == pytest.approx(1 - 7 / 115)
    assert set(table["history_days"]) == {121}


def test_a_history_shorter_than_its_window_promises_nothing():
    row = budget.backtest(history(0, 0, 0), [0.9], [7]).iloc[0]
    assert np.isnan(row["green_ratio"])
    assert row["history_days"] == 3


@given(st.lists(st.integers(0, 5), min_size=8, max_size=40), st.integers(1, 8))
def test_a_lower_target_is_green_at_least_as_often(bad, window):
    table = budget.backtest(history(*bad, per_day=5), [0.5, 0.8, 0.95], [window])
    assert table["green_ratio"].is_monotonic_decreasing


@given(st.lists(st.integers(0, 5), min_size=3, max_size=20), st.integers(1, 4))
def test_the_backtest_agrees_with_looking_at_every_window(bad, window):
    row = budget.backtest(history(*bad, per_day=5), [0.8], [window]).iloc[0]
    spans = [sum(bad[i : i + window]) for i in range(len(bad) - window + 1)]
    red = [5 * lost > window * 5 for lost in spans]  # 20 % of the window's events may be bad
    streak = max((len(run) for run in "".join("x" if r else " " for r in red).split()), default=0)
    if spans:
        assert row["green_ratio"] == pytest.approx(1 - sum(red) / len(red))
        assert row["longest_red_days"] == streak


IF = {"success_rate": 0.995, "incidents_per_month": 2, "median_minutes": 60}


def test_a_simulation_stands_beside_the_exact_binomial_and_agrees_with_it():
    outlook = budget.simulate(0.995, **IF)
    assert outlook.runs_met_exact == pytest.approx(0.995**30)
    assert outlook.runs_met_simulated == pytest.approx(outlook.runs_met_exact, abs=0.005)
    assert outlook.budget_minutes == pytest.approx(216)


def test_the_exact_chance_counts_the_failures_that_are_allowed():
    outlook = budget.simulate(0.995, **IF, runs=200)
    one_or_none = 0.995**200 + 200 * 0.005 * 0.995**199
    assert outlook.runs_met_exact == pytest.approx(one_or_none)


CLEAN = {  # true rate: chance of a clean 7 and a clean 30 daily runs
    0.99: (0.9320653479069899, 0.7397003733882802),
    0.995: (0.9655206468094842, 0.8603841919146961),
    0.999: (0.993020965034979, 0.9704309672630858),
}


RED_DAYS = {  # true rate: days of a year on which the 7-day SLO and the 30-day SLA are red
    0.99: (24.79614801394868, 95.00936371327772),
    0.995: (12.584963914538253, 50.95976995113594),
    0.999: (2.5473477622326457, 10.7926969489737),
}


@pytest.mark.parametrize("rate", CLEAN)
def test_the_looser_sla_of_the_articles_pair_is_red_more_often_than_its_slo(rate):
    options = {"success_rate": rate, "incidents_per_month": 0, "median_minutes": 1, "months": 10}
    week = budget.simulate(0.995, runs=7, **options).runs_met_exact
    month = budget.simulate(0.99, runs=30, **options).runs_met_exact
    assert (week, month) == pytest.approx(CLEAN[rate])
    assert (365 * (1 - week), 365 * (1 - month)) == pytest.approx(RED_DAYS[rate])


def test_a_month_has_no_more_bad_minutes_than_minutes():
    endless = budget.simulate(0.99, success_rate=1, incidents_per_month=50, median_minutes=10_000)
    assert endless.bad_minutes["p99"] == 30 * 1440


def test_a_simulation_is_repeatable_and_its_seed_matters():
    assert budget.simulate(0.995, **IF) == budget.simulate(0.995, **IF)
    assert budget.simulate(0.995, **IF) != budget.simulate(0.995, **IF, seed=1)


def test_100_000_months_take_less_than_a_second():
    started = perf_counter()
    assert budget.simulate(0.995, **IF).months == 100_000
    assert perf_counter() - started < 1


def test_months_without_incidents_always_keep_the_promise():
    quiet = budget.simulate(0.995, success_rate=1, incidents_per_month=0, median_minutes=60)
    assert (quiet.minutes_met, quiet.runs_met_exact, quiet.bad_minutes["p99"]) == (1, 1, 0)


def test_the_mean_of_the_bad_minutes_is_that_of_poisson_times_lognormal():
    out = budget.simulate(
        0.5, success_rate=1, incidents_per_month=1, median_minutes=10, spread=0.01
    )
    assert out.bad_minutes["p50"] == pytest.approx(10, rel=0.02)
    # Poisson(1): at most two incidents of ten minutes in 92 % of months
    assert out.bad_minutes["p90"] == pytest.approx(20, rel=0.02)


@pytest.mark.parametrize("wrong", [{"success_rate": 1.2}, {"incidents_per_month": -1}])
def test_a_simulation_of_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match="success_rate is in 0"):
        budget.simulate(0.99, **IF | wrong)


def test_what_to_do_instead_of_promising_what_nobody_can_tell():
    assert budget.alternatives(7, 0.995) == [
        "count over 200 days (200 runs)",
        "promise 85.7 %, which lets one of 7 runs fail",
        "pool 29 pipelines of a tier",
        "promise minutes of freshness",
    ]


@given(st.integers(2, 400))
def test_the_lower_promise_really_lets_one_run_fail(n):
    words = budget.alternatives(n, 0.9999)[1]
    assert budget.allowed_failures(n, words.split()[1] + "%") >= 1


def test_the_evidence_is_one_sentence_with_its_assumption():
    assert budget.evidence(30, 30, 0.995) == (
        "30 of 30 good: at least 90.5 % with 95 % confidence, 42 % chance that it is 99.5 % or "
        "better, if failures are independent"
    )
    assert budget.evidence(0, 0, 0.995).startswith("nothing was measured")


def test_averages_of_averages_hide_a_bad_slice():
    slices = [(1000, 0), (10, 5)]  # events and failures of two hours
    errors = sum(bad for _, bad in slices) / sum(total for total, _ in slices)
    assert errors == pytest.approx(0.0049504950495049506)
    assert sum(bad / total for total, bad in slices) / 2 == 0.25
    assert budget.burn_rate(errors, 0.99) < 1 < budget.burn_rate(0.25, 0.99)
