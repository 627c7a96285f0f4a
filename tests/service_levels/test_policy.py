"""Who is called, how fast, and what stops: the rules are data, the arithmetic is tested."""

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops_lib import playbook
from dataops_lib.course import lessons
from dataops_lib.errors import TeamError
from dataops_lib.service_levels import (
    budget,
    budget_policy,
    burn_alerts,
    freshness,
    objectives,
    severity,
)
from dataops_lib.windows import Window, rolling

settings.register_profile("patient", deadline=None)  # first imports are slow
settings.load_profile("patient")

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MONTH = 30 * DAY
TEXT = playbook.text("burn_rate_rules.yaml")
SERVICE = {rule.name: rule for rule in burn_alerts.burn_rules(TEXT, "service")}
DAILY = {rule.name: rule for rule in burn_alerts.burn_rules(TEXT, "daily")}
POLICY = budget_policy.load()
TABLE = severity.load_severities(playbook.text("severity.yaml"))

# Burn-rate alerts


def test_the_factors_of_the_workbook_are_derived_never_written():
    factors = [burn_alerts.factor(rule, MONTH) for rule in SERVICE.values()]
    assert factors == pytest.approx([14.4, 6, 3, 1])
    assert "14.4" not in TEXT


def test_a_window_of_28_days_has_its_own_factors():
    factors = [burn_alerts.factor(rule, 28 * DAY) for rule in SERVICE.values()]
    assert factors == pytest.approx([13.44, 5.6, 2.8, 0.9333333])


def rule(share: float, long: timedelta, short: timedelta) -> burn_alerts.BurnRule:
    return burn_alerts.BurnRule(
        name="r",
        set="x",
        severity="page",
        budget_share=Decimal(str(share)),
        long_window=long,
        short_window=short,
        source="test",
    )


SEVEN_DAYS = [(0.08, 1, 13.44), (0.125, 6, 3.5), (0.2, 24, 1.4), (0.42, 72, 0.98)]
CUSTOM = [(0.01, 0.5, 14.4), (0.02, 3, 4.8), (0.05, 12, 3.0), (0.05, 36, 1.0)]


@pytest.mark.parametrize(
    ("days", "share", "hours", "factor"),
    [*((7, *row) for row in SEVEN_DAYS), *((30, *row) for row in CUSTOM)],
)
def test_the_presets_of_sloth_follow_from_their_shares(days, share, hours, factor):
    made = rule(share, hours * HOUR, hours * HOUR / 12)
    assert burn_alerts.factor(made, days * DAY) == pytest.approx(factor)


PAIRS = [(14.4, 60, 5), (6, 360, 30), (3, 1440, 120), (1, 4320, 360)]  # long and short, minutes


def test_our_rules_for_services_are_the_window_pairs_that_sloth_generates():
    found = [
        (burn_alerts.factor(one, MONTH), one.long_window / MINUTE, one.short_window / MINUTE)
        for one in SERVICE.values()
    ]
    assert found == [pytest.approx(pair) for pair in PAIRS]
    assert [one.severity for one in SERVICE.values()] == ["page", "page", "ticket", "ticket"]


PYRRA = [  # days of the window, long and short window and `for` (s), factor, budget at the long one
    (28, 3600, 300, 120, 14, 0.020833333333333332),
    (28, 21600, 1800, 900, 7, 0.0625),
    (28, 86400, 7200, 3600, 2, 0.07142857142857142),
    (28, 345600, 21600, 10800, 1, 0.14285714285714285),
    (30, 3840, 300, 120, 14, 0.02074074074074074),
    (30, 23160, 1920, 960, 7, 0.0625462962962963),
    (30, 92580, 7740, 3840, 2, 0.07143518518518518),
    (30, 370260, 23160, 11580, 1, 0.1428472222222222),
    (14, 1800, 180, 60, 14, 0.020833333333333332),
    (14, 10800, 900, 480, 7, 0.0625),
    (14, 43200, 3600, 1800, 2, 0.07142857142857142),
    (14, 172800, 10800, 5400, 1, 0.14285714285714285),
    (7, 900, 60, 60, 14, 0.020833333333333332),
    (7, 5400, 480, 240, 7, 0.0625),
    (7, 21600, 1800, 900, 2, 0.07142857142857142),
    (7, 86400, 5400, 2700, 1, 0.14285714285714285),
    (90, 11580, 960, 360, 14, 0.020848765432098765),
    (90, 69420, 5760, 2880, 7, 0.06249228395061728),
    (90, 277740, 23160, 11580, 2, 0.07143518518518518),
    (90, 1110840, 69420, 34740, 1, 0.14285493827160495),
]


@pytest.mark.parametrize("preset", PYRRA)
def test_the_factors_of_pyrra_are_the_shares_that_they_spend(preset):
    days, long, short, _, factor, share = preset
    made = rule(share, timedelta(seconds=long), timedelta(seconds=short))
    assert burn_alerts.factor(made, days * DAY) == pytest.approx(factor)


ABSENT = {0.95: 44, 0.99: 10, 0.995: 6, 0.999: 3}  # target: minutes until Pyrra calls it absent


@pytest.mark.parametrize("target", ABSENT)
def test_pyrra_waits_for_absence_as_long_as_its_first_rule_needs_for_a_total_outage(target):
    days, long, short, waits, _, share = PYRRA[0]
    made = rule(share, timedelta(seconds=long), timedelta(seconds=short))
    detected = burn_alerts.detection_time(made, target, days * DAY)
    assert round((detected + timedelta(seconds=waits)) / MINUTE) == ABSENT[target]


def test_at_90_percent_the_rule_behind_pyrras_86_minutes_can_never_fire():
    days, long, short, *_, share = PYRRA[0]
    made = rule(share, timedelta(seconds=long), timedelta(seconds=short))
    pyrra = 14 * (1 - 0.9) * 60 + 2  # 84 minutes of an hour's window, and two of waiting
    assert pyrra == pytest.approx(86)
    assert burn_alerts.detection_time(made, 0.9, days * DAY) is None
    assert burn_alerts.check(made, 0.9, days * DAY).status == "fail"


EXHAUSTS = [(14, 172800), (7, 345600), (2, 1209600), (1, 2419200)]  # factor, seconds of 28 days


@pytest.mark.parametrize(("burn", "seconds"), EXHAUSTS)
def test_a_steady_burn_exhausts_28_days_as_fast_as_pyrra_says(burn, seconds):
    total, error = 28 * 86400, burn * 0.01
    assert budget.burn_rate(error, 0.99) == pytest.approx(burn)
    assert budget.remaining(total - error * seconds, total, 0.99) == pytest.approx(0, abs=1e-9)


SLO_GENERATOR = [(3600, 9), (43200, 3), (604800, 1.5)]  # window (s) and burn over 28 days


@pytest.mark.parametrize(("seconds", "burn"), SLO_GENERATOR)
def test_the_default_policy_of_slo_generator_can_be_written_as_shares(seconds, burn):
    window = timedelta(seconds=seconds)
    made = rule(burn * (window / (28 * DAY)), window, window / 12)
    assert burn_alerts.factor(made, 28 * DAY) == pytest.approx(burn)
    assert burn_alerts.check(made, 1 - 1.01 / burn, 28 * DAY).status == "fail"
    assert burn_alerts.check(made, 1 - 0.99 / burn, 28 * DAY).status == "ok"


def test_its_fourth_step_that_waits_for_the_whole_budget_is_refused():
    with pytest.raises(ValueError, match="less than 1"):
        rule(1, 28 * DAY, 2 * DAY)


def test_an_alert_needs_more_than_its_factor_not_just_as_much():
    errors = pd.Series(0.144, index=pd.date_range("2026-01-01", periods=90, freq="1min", tz="UTC"))
    made = rule(0.02, HOUR, 5 * MINUTE)
    assert not burn_alerts.alerts(errors, made, 0.99, MONTH).any()
    assert burn_alerts.alerts(errors * 1.001, made, 0.99, MONTH).iloc[59:].all()


SINGLE_WINDOWS = [(600, 600 / 2592000, 0.6), (129600, 0.05, 129.6), (3600, 0.05, 129.6)]


@pytest.mark.parametrize(("window", "share", "seconds"), SINGLE_WINDOWS)
def test_the_single_window_alerts_of_the_workbook_detect_as_it_says(window, share, seconds):
    made = rule(share, timedelta(seconds=window), timedelta(seconds=window / 12))
    detected = burn_alerts.detection_time(made, 0.999, MONTH)
    assert detected.total_seconds() == pytest.approx(seconds)


REACHABLE = {  # target: can factor 14.4, 6 and 3 fire?
    0.5: (False, False, False),
    0.6: (False, False, False),
    0.7: (False, False, True),
    0.8: (False, False, True),
    0.85: (False, True, True),
    0.9: (False, True, True),
    0.93: (False, True, True),
    0.931: (True, True, True),
    0.95: (True, True, True),
    0.99: (True, True, True),
    0.999: (True, True, True),
}
HIGHEST = (2.0, 2.5, 3.3333333333333335, 5.0, 6.666666666666667, 10.0, 14.285714285714286)
HIGHEST += (14.492753623188406, 20.0, 100.0, 1000.0)


def test_a_total_outage_burns_at_one_over_the_budget():
    assert [budget.burn_rate(1.0, target) for target in REACHABLE] == pytest.approx(HIGHEST)


@pytest.mark.parametrize("target", REACHABLE)
def test_a_rule_that_can_never_fire_is_refused_with_the_reason(target):
    names = ("page-fast", "page-slow", "ticket-fast")
    found = [burn_alerts.check(SERVICE[name], target, MONTH) for name in names]
    assert tuple(finding.status == "ok" for finding in found) == REACHABLE[target]
    assert all("can never alert" in f.evidence for f in found if f.status == "fail")


def test_the_reason_names_the_lowest_target_that_would_work():
    assert "93.06 %" in burn_alerts.check(SERVICE["page-fast"], 0.9, MONTH).next_step


def test_windows_shorter_than_the_time_between_runs_say_nothing_about_runs():
    finding = burn_alerts.check(SERVICE["page-fast"], 0.99, MONTH, every=DAY)
    assert finding.status == "fail"
    assert "freshness" in finding.next_step


def test_the_daily_rules_can_alert_on_a_freshness_target_of_95_percent():
    found = [burn_alerts.check(one, 0.95, MONTH).status for one in DAILY.values()]
    assert found == ["ok", "ok"]


DETECTION = [("page-fast", 51.84), ("page-slow", 129.6), ("ticket-slow", 259.2)]


@pytest.mark.parametrize(("name", "seconds"), DETECTION)
def test_a_total_outage_is_detected_as_fast_as_the_workbook_says(name, seconds):
    detected = burn_alerts.detection_time(SERVICE[name], 0.999, MONTH)
    assert detected.total_seconds() == pytest.approx(seconds)


def test_an_outage_that_burns_too_slowly_is_never_detected():
    assert burn_alerts.detection_time(SERVICE["page-fast"], 0.999, MONTH, 0.0144) is None
    assert burn_alerts.detection_time(SERVICE["page-fast"], 0.999, MONTH, 0.0) is None


def outage(step: timedelta, minutes: float, ratio: float, hours: float = 3) -> pd.Series:
    """An error ratio that starts one hour in and lasts `minutes`."""
    index = pd.date_range("2026-01-01", periods=int(hours * HOUR / step), freq=step, tz="UTC")
    since = (index - index[0] - HOUR) / timedelta(minutes=1)
    return pd.Series(np.where((since >= 0) & (since < minutes), ratio, 0.0), index=index)


def test_ten_minutes_of_15_percent_errors_fire_and_clear_as_figure_5_6_shows():
    errors = outage(timedelta(seconds=1), minutes=10, ratio=0.15)
    fires = burn_alerts.alerts(errors, SERVICE["page-fast"], 0.999, MONTH)
    on = np.flatnonzero(fires) / 60 - 60
    assert on[0] == pytest.approx(5.76, abs=0.02)  # the long window crosses
    assert on[-1] == pytest.approx(10 + 4.52, abs=0.02)  # the short window clears


def test_after_ten_minutes_of_15_percent_the_long_window_alone_would_clear_after_54_minutes():
    errors = outage(timedelta(seconds=1), minutes=10, ratio=0.15)
    alone = rule(0.02, HOUR, timedelta(seconds=3599))
    on = np.flatnonzero(burn_alerts.alerts(errors, alone, 0.999, MONTH)) / 60 - 60
    assert on[-1] == pytest.approx(10 + 54.24, abs=0.05)


def test_a_single_hour_at_36_resets_58_minutes_after_the_outage_ends():
    errors = outage(timedelta(seconds=1), minutes=130 / 60, ratio=1.0)
    alone = rule(0.05, HOUR, timedelta(seconds=3599))
    assert burn_alerts.factor(alone, MONTH) == pytest.approx(36)
    on = np.flatnonzero(burn_alerts.alerts(errors, alone, 0.999, MONTH)) - 3600
    assert on[-1] - 130 == pytest.approx(3470.4, abs=3)


def test_a_missed_landing_pages_by_the_daily_rules():
    window = rolling(date(2026, 1, 20), days=10, zone="UTC")
    minutes = pd.date_range(window.start, window.end, freq="min", inclusive="right")
    stale = window.start + 5 * DAY + 2 * HOUR, window.start + 6 * DAY
    errors = pd.Series(((minutes > stale[0]) & (minutes <= stale[1])).astype(float), minutes)
    fires = burn_alerts.alerts(errors, DAILY["page-daily"], 0.95, MONTH)
    first = fires[fires].index[0]
    # 7.5 times 5 % of a day is nine hours of staleness
    assert first - stale[0] == pytest.approx(9 * HOUR, abs=2 * HOUR / 60)


def test_unknown_minutes_neither_raise_nor_silence_an_alert():
    errors = outage(timedelta(minutes=1), minutes=60, ratio=1.0)
    errors.iloc[10:30] = np.nan  # before the outage
    errors.iloc[65:118:2] = np.nan  # in the middle of it
    fires = burn_alerts.alerts(errors, SERVICE["page-fast"], 0.95, MONTH)  # from 72 % of bad on
    assert not fires.iloc[:60].any()
    assert fires.iloc[115:120].all()
    assert not burn_alerts.alerts(errors * np.nan, SERVICE["page-fast"], 0.95, MONTH).any()


BROKEN = """rules:
  - {name: a, set: s, severity: call, budget_share: 2, long_window: PT2H, short_window: PT1H,
     source: x}
"""


def test_all_mistakes_of_a_rule_file_are_named():
    with pytest.raises(TeamError) as caught:
        burn_alerts.burn_rules(BROKEN, "s")
    assert {problem.field.split(".")[-1] for problem in caught.value.problems} == {
        "severity",
        "budget_share",
    }


def test_a_short_window_longer_than_the_long_one_is_refused():
    with pytest.raises(ValueError, match="shorter than the long one"):
        rule(0.02, HOUR, 2 * HOUR)


# The budget that is left

STATES = [
    (1.0, "healthy"), (0.5, "healthy"), (0.49, "watch"), (0.24, "careful"),
    (0.0, "careful"),  # spent exactly is kept, so nothing stops
    (-0.001, "spent"), (-3.0, "spent"),
]  # fmt: skip


@pytest.mark.parametrize(("left", "state"), STATES)
def test_the_policy_decides_by_what_is_left(left, state):
    assert budget_policy.decide(left, POLICY).numbers["state"] == state


def test_a_budget_that_was_not_measured_decides_nothing():
    assert budget_policy.decide(math.nan, POLICY).status == "unknown"


@given(st.floats(-5, 1), st.floats(-5, 1))
def test_less_budget_never_brings_a_milder_decision(one, other):
    order = [state.name for state in POLICY.states]
    less, more = sorted([one, other])
    states = [budget_policy.decide(left, POLICY).numbers["state"] for left in (more, less)]
    assert order.index(states[0]) <= order.index(states[1])


def test_states_in_the_wrong_order_are_refused():
    text = playbook.text("error_budget_policy.yaml").replace("from: 0.5", "from: 0.1")
    with pytest.raises(TeamError, match="from the most budget left"):
        budget_policy.load_policy(text)


def burned(*bad: float, per_day: float = 1440, target: float = 0.95) -> pd.DataFrame:
    days = pd.date_range("2026-01-01", periods=len(bad))
    history = pd.DataFrame({"day": days, "good": [per_day - b for b in bad], "total": per_day})
    return budget.burndown(history, target, expected_total=30 * per_day)


def test_the_forecast_goes_on_at_the_recent_speed():
    left = burned(*[144.0] * 10)  # 1440 of 2160 minutes spent in ten days, 720 left
    finding = budget_policy.forecast(left, days_left=20)
    assert finding.status == "warn"
    assert finding.numbers["lasts_days"] == pytest.approx(5)


def test_a_quiet_week_lasts_for_ever_and_a_spent_budget_is_spent():
    assert budget_policy.forecast(burned(*[0.0] * 10), days_left=20).numbers["lasts_days"] is None
    assert budget_policy.forecast(burned(*[1440.0] * 2), days_left=28).status == "fail"


# Severity and response

ARTICLE = [(1, "slo_missed", "P1"), (2, "slo_missed", "P2"), (3, "slo_missed", "P3")]


@pytest.mark.parametrize(("tier", "state", "level"), ARTICLE)
def test_the_articles_severities_hold_from_the_first_minute(tier, state, level):
    assert severity.severity(tier, state, timedelta(0), TABLE) == level


STEPS = [(2, 23, "P2"), (2, 24, "P1"), (3, 95, "P3"), (3, 96, "P2")]


@pytest.mark.parametrize(("tier", "hours", "level"), STEPS)
def test_a_broken_sla_grows_more_severe_with_time(tier, hours, level):
    assert severity.severity(tier, "sla_breached", hours * HOUR, TABLE) == level


lasting = st.floats(0, 1000).map(lambda hours: hours * HOUR)


@given(st.integers(1, 3), lasting, lasting)
def test_longer_worse_or_higher_tier_is_never_less_severe(tier, one, other):
    short, long = sorted([one, other])
    chain = [
        severity.severity(3, "slo_missed", short, TABLE),
        severity.severity(tier, "slo_missed", short, TABLE),
        severity.severity(tier, "sla_breached", short, TABLE),
        severity.severity(tier, "sla_breached", long, TABLE),
        severity.severity(1, "sla_breached", long, TABLE),
    ]
    assert all(later <= earlier for earlier, later in pairwise(chain))


BERLIN = severity.ServiceHours("Europe/Berlin", holidays=frozenset({date(2026, 4, 6)}))
FRIDAY_EVENING = datetime(2026, 4, 3, 18, tzinfo=UTC)  # 20:00 in Berlin; Monday is a holiday


def test_p1_is_answered_at_once_even_on_a_friday_evening():
    answered = severity.respond_by("P1", FRIDAY_EVENING, BERLIN, TABLE)
    assert answered - FRIDAY_EVENING == timedelta(minutes=5)


def test_p2_waits_for_the_next_business_hour():
    answered = severity.respond_by("P2", FRIDAY_EVENING, BERLIN, TABLE)
    assert answered == datetime(2026, 4, 7, 8, tzinfo=UTC)  # Tuesday 10:00 in Berlin


def test_p2_counts_business_hours_across_the_night():
    at = datetime(2026, 4, 1, 14, 30, tzinfo=UTC)  # Wednesday 16:30, half an hour before closing
    answered = severity.respond_by("P2", at, BERLIN, TABLE)
    assert answered == datetime(2026, 4, 2, 7, 30, tzinfo=UTC)


def test_p3_is_answered_by_the_end_of_the_next_business_day():
    answered = severity.respond_by("P3", FRIDAY_EVENING, BERLIN, TABLE)
    assert answered == datetime(2026, 4, 7, 15, tzinfo=UTC)


def test_service_hours_and_the_rest_make_up_the_window_when_clocks_change():
    window = rolling(date(2026, 3, 31), days=4, zone="Europe/Berlin")  # Friday to Monday
    hours = severity.ServiceHours("Europe/Berlin", opens=time(8), closes=time(20))
    inside = sum((span.duration for span in hours.spans(window)), timedelta(0))
    outside = sum((span.duration for span in hours.outside(window)), timedelta(0))
    assert (inside, inside + outside) == (24 * HOUR, 95 * HOUR)


def test_minutes_outside_service_hours_are_not_promised():
    window = rolling(date(2026, 1, 10), days=1, zone="UTC")
    minutes = freshness.freshness(
        [], start=window.start, end=window.end, max_age=HOUR, excluded=BERLIN.outside(window)
    )
    assert (minutes.bad, minutes.excluded) == (480, 960)


def test_an_alert_inside_service_hours_starts_its_own_clock():
    at = datetime(2026, 4, 1, 8, tzinfo=UTC)
    assert severity.respond_by("P2", at, BERLIN, TABLE) == at + HOUR
    assert list(BERLIN.spans(Window(at, at + HOUR))) == [Window(at, at + HOUR)]


# Tiers

TIERS = [
    (["kpi"], 1, 0, 1),
    (["Finance", "marketing"], 1, 0, 1),
    (["operations"], 1, 0, 2),
    ([], 25, 0, 1),
    ([], 6, 0, 2),
    ([], 1, 600, 2),
    (["exploration"], 1, 0, 3),
    ([], 0, 0, 3),
]


@pytest.mark.parametrize(("uses", "consumers", "money", "tier"), TIERS)
def test_a_tier_is_proposed_with_its_reasons(uses, consumers, money, tier):
    proposal = severity.propose_tier(uses, consumers, money, TABLE)
    assert proposal.tier == tier
    assert proposal.reasons


def test_every_number_of_the_playbook_names_its_source():
    rows = [*SERVICE.values(), *DAILY.values(), *POLICY.states, POLICY.incident]
    rows += [*TABLE.clocks, *TABLE.severities, *TABLE.tiers]
    assert all(row.source for row in rows)


def test_an_slo_may_stand_where_a_target_stands():
    promise = objectives.SLO(
        "t", "freshness", objectives.parse("< 2 hours for 90% (30-day rolling)")
    )
    assert burn_alerts.check(SERVICE["page-fast"], promise, MONTH).status == "fail"


# Spot the error

PUBLISHED = [1000, 5, 10, 14.4, 99.95, 1, 0.4, 3]
RIGHT = [100, 4, 14, 13.44, 50, 1.04, 0.1, 2.2677868380553634]


def test_the_numbers_that_were_printed_wrong_are_computed_right():
    found = lessons.published()
    assert list(found["printed"]) == PUBLISHED
    assert list(found["right"]) == pytest.approx(RIGHT)


def test_a_written_severity_stands_until_the_state_lasts_long_enough_to_be_worse():
    day = timedelta(days=1)
    assert severity.severity(2, "sla_breached", HOUR, TABLE, "P3") == "P3"
    assert severity.severity(2, "sla_breached", 2 * day, TABLE, "P3") == "P1"
    assert severity.severity(1, "slo_missed", HOUR, TABLE, "P2") == "P2"
