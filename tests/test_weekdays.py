"""One rule for a day's rows: which past days are like it, and what these accept."""

from datetime import date, timedelta

import pytest

from dataops_lib import weekdays

MONDAY = date(2013, 1, 7)
WEEK = [1000, 1010, 990, 1005, 995, 300, 280]
SHOP = [1000, 1000, 1000, 1000, 1000, 0, 0]


def judged(counts, start=MONDAY, **options):
    days = [start + timedelta(days=n) for n in range(len(counts))]
    return weekdays.series(list(zip(days, counts, strict=True)), **options)


def verdicts(counts, **options):
    return [judgement.verdict for judgement in judged(counts, **options)]


def test_a_count_is_accepted_up_to_five_times_five_percent_from_a_quiet_history():
    accepted = weekdays.band([1000] * 8)
    assert accepted.low == pytest.approx(1000 / 1.05**5)
    assert weekdays.judge(accepted.high * 0.999, [1000] * 8).verdict == "ok"
    assert weekdays.judge(accepted.high * 1.001, [1000] * 8).verdict == "fail"


def test_three_counts_make_no_band_and_zeros_are_no_counts():
    assert weekdays.band([1000] * 3 + [0] * 5) is None
    assert weekdays.judge(900, [1000] * 3 + [0]).why == "3 of 4 same weekdays seen"


def test_alike_are_the_same_weekdays_of_eight_weeks_and_no_day_to_come():
    counts = {MONDAY + timedelta(days=n): n for n in range(100)}
    day = MONDAY + timedelta(days=70)
    assert weekdays.alike(day, counts) == [14, 21, 28, 35, 42, 49, 56, 63]
    assert weekdays.alike(day, counts, holidays={MONDAY + timedelta(days=63)})[-1] == 56


def test_a_level_shift_is_named_once_and_normal_after_a_week():
    of_shift = judged(WEEK * 6 + [2 * count for count in WEEK * 6])
    assert [one.verdict for one in of_shift[42:49]] == ["fail"] * 7
    assert {one.verdict for one in of_shift[49:]} == {"ok"}
    named = [one.why for one in of_shift if "new level" in one.why]
    assert named == ["new level since 2013-02-18, normal from now on"]


def test_a_shift_of_working_days_leaves_the_weekend_as_it_was():
    after = [2 * count for count in WEEK[:5]] + WEEK[5:]
    of_shift = verdicts(WEEK * 6 + after * 6)
    assert of_shift[42:47] == ["fail"] * 5
    assert set(of_shift[47:]) == {"ok"}


def test_days_that_agree_on_nothing_are_no_new_level():
    chaos = [3000, 9000, 30000, 4000, 12000, 2000, 8000] * 2
    assert verdicts(WEEK * 6 + chaos)[42:] == ["fail"] * 14


def test_a_single_weekday_that_doubles_stays_flagged():
    odd = [2000, *WEEK[1:]] * 4
    assert verdicts(WEEK * 6 + odd)[42::7] == ["fail"] * 4


def test_a_weekday_that_never_has_rows_is_closed_and_one_that_loses_them_is_not():
    of_shop = verdicts(SHOP * 6)
    assert of_shop[5:7] == ["fail", "fail"]  # nobody can know yet
    assert {of_shop[7 * week + 5] for week in range(2, 6)} == {"ok"}
    assert verdicts([*SHOP * 6, 0])[-1] == "fail"


def test_a_table_that_dies_never_becomes_normal():
    assert set(verdicts(WEEK * 6 + [0] * 70)[42:]) == {"fail"}
    assert set(verdicts(SHOP * 6 + [0] * 70)[47:]) == {"fail"}


def test_month_starts_are_held_against_month_starts_as_soon_as_four_are_known():
    start = date(2013, 1, 1)
    days = [start + timedelta(days=n) for n in range(365)]
    counts = [(300 if d.weekday() > 4 else 1000) * (4 if d.day == 1 else 1) for d in days]
    firsts = [
        (day, judgement.verdict)
        for day, judgement in zip(days, judged(counts, start=start), strict=True)
        if day.day == 1
    ]
    assert [verdict for _, verdict in firsts[1:5]] == ["fail"] * 4  # February to May teach it
    assert {verdict for _, verdict in firsts[5:]} == {"ok"}
    counts[days.index(date(2013, 12, 1))] = 300  # as on any Sunday, but it is a month-start
    assert judged(counts, start=start)[334].verdict == "fail"


def test_a_first_of_the_month_that_was_never_special_is_judged_as_its_weekday():
    days = [date(2013, 1, 1) + timedelta(days=n) for n in range(365)]
    counts = [300 if day.weekday() > 4 else 1000 for day in days]
    assert set(verdicts(counts, start=days[0])[28:]) == {"ok"}


def test_a_holiday_is_not_judged_and_teaches_nothing():
    counts = [*WEEK * 5, 10, *WEEK[1:], 1000]
    on_holiday = judged(counts, holidays={MONDAY + timedelta(days=35)})
    assert (on_holiday[35].verdict, on_holiday[35].why) == ("unknown", "holiday")
    assert (on_holiday[42].verdict, on_holiday[42].observations) == ("ok", 5)
