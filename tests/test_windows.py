"""Windows are half-open, days are those of a zone, and schedules survive the change of clocks."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, takewhile
from time import monotonic
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given
from hypothesis import strategies as st

from dataops_lib.windows import (
    Window,
    days_in_month,
    due_times,
    midnight,
    month_before,
    rolling,
)

NEW_YORK = "America/New_York"
ZONES = (
    "UTC",
    NEW_YORK,
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "America/Santiago",
)
zones = st.sampled_from(ZONES)
some_days = st.dates(date(2005, 1, 1), date(2030, 1, 1))


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_a_window_holds_its_start_and_not_its_end():
    window = Window(utc(2013, 1, 1), utc(2013, 1, 2))
    assert utc(2013, 1, 1) in window
    assert utc(2013, 1, 2) - timedelta(microseconds=1) in window
    assert utc(2013, 1, 2) not in window


def test_an_empty_window_holds_nothing():
    assert utc(2013, 1, 1) not in Window(utc(2013, 1, 1), utc(2013, 1, 1))


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="2013-01-02 00:00:00 has no time zone"):
        Window(utc(2013, 1, 1), datetime(2013, 1, 2))


def test_a_window_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValueError, match=r"ends .* before it starts"):
        Window(utc(2013, 1, 2), utc(2013, 1, 1))


@given(st.lists(st.integers(0, 500), min_size=4, max_size=4))
def test_overlap_is_the_same_from_both_sides_and_counts_shared_hours(hours):
    a, b, c, d = (utc(2013, 1, 1) + timedelta(hours=hour) for hour in hours)
    one, other = Window(min(a, b), max(a, b)), Window(min(c, d), max(c, d))
    shared = sum(
        utc(2013, 1, 1) + timedelta(hours=hour) in one
        and utc(2013, 1, 1) + timedelta(hours=hour) in other
        for hour in range(501)
    )
    assert one.overlap(other) == other.overlap(one) == timedelta(hours=shared)


def test_as_of_is_midnight_in_the_teams_zone_and_lies_outside_of_the_window():
    window = rolling(date(2013, 3, 1), days=30, zone=NEW_YORK)
    assert (window.start, window.end) == (utc(2013, 1, 30, 5), utc(2013, 3, 1, 5))
    assert window.end not in window


def test_thirty_days_over_the_change_of_clocks_are_an_hour_short():
    assert rolling(date(2013, 3, 25), days=30, zone=NEW_YORK).duration == timedelta(hours=719)
    assert rolling(date(2013, 11, 10), days=30, zone=NEW_YORK).duration == timedelta(hours=721)


@given(some_days, st.integers(1, 40), zones)
def test_the_days_of_a_window_add_up_to_it_without_gap_or_overlap(as_of, days, zone):
    window = rolling(as_of, days=days, zone=zone)
    parts = list(window.days(zone))
    assert len(parts) == days
    assert parts[0][1].start == window.start
    assert parts[-1][1].end == window.end
    for (day, span), (following, after) in pairwise(parts):
        assert (span.end, day + timedelta(days=1)) == (after.start, following)
    for day, span in parts:
        assert {moment.astimezone(ZoneInfo(zone)).date() for moment in (span.start,)} == {day}


def test_days_are_cut_to_the_window():
    window = Window(utc(2013, 1, 1, 18), utc(2013, 1, 3, 6))
    hours = [(day.day, span.duration / timedelta(hours=1)) for day, span in window.days("UTC")]
    assert hours == [(1, 6), (2, 24), (3, 6)]


def test_the_days_of_a_change_of_clocks_have_23_and_25_hours():
    spring = dict(rolling(date(2013, 3, 12), days=3, zone=NEW_YORK).days(NEW_YORK))
    autumn = dict(rolling(date(2013, 11, 5), days=3, zone=NEW_YORK).days(NEW_YORK))
    assert spring[date(2013, 3, 10)].duration == timedelta(hours=23)
    assert autumn[date(2013, 11, 3)].duration == timedelta(hours=25)


def test_a_day_that_never_was_is_no_day():
    # Samoa crossed the date line: 29 December 2011 was followed by the 31st.
    days = [
        day.day
        for day, _ in rolling(date(2012, 1, 1), days=4, zone="Pacific/Apia").days("Pacific/Apia")
    ]
    assert days == [28, 29, 31]


def test_where_clocks_change_at_midnight_the_day_begins_at_the_change():
    # Sao Paulo, 20 October 2013: 00:00 became 01:00.
    assert midnight(date(2013, 10, 20), "America/Sao_Paulo") == utc(2013, 10, 20, 3)


@pytest.mark.parametrize(
    ("as_of", "first", "days"),
    [
        (date(2013, 3, 1), date(2013, 2, 1), 28),
        (date(2013, 3, 31), date(2013, 2, 1), 28),
        (date(2012, 3, 1), date(2012, 2, 1), 29),
        (date(2013, 1, 15), date(2012, 12, 1), 31),
    ],
)
def test_the_month_before_is_the_last_whole_one(as_of, first, days):
    window = month_before(as_of, "UTC")
    assert window.start.date() == first
    assert window.duration == timedelta(days=days)
    assert days_in_month(first) == days


# ---- schedules


def test_a_daily_run_is_due_once_a_day_at_local_time_over_the_change_of_clocks():
    due = due_times("0 6 * * *", NEW_YORK, rolling(date(2013, 3, 12), days=4, zone=NEW_YORK))
    assert due == [
        utc(2013, 3, 8, 11),
        utc(2013, 3, 9, 11),
        utc(2013, 3, 10, 10),
        utc(2013, 3, 11, 10),
    ]


def test_a_time_that_the_clock_jumps_over_is_due_once_and_one_that_comes_twice_too():
    skipped = due_times("30 2 * * *", NEW_YORK, rolling(date(2013, 3, 11), days=1, zone=NEW_YORK))
    doubled = due_times("30 1 * * *", NEW_YORK, rolling(date(2013, 11, 4), days=1, zone=NEW_YORK))
    assert len(skipped) == 1
    assert len(doubled) == 1


@pytest.mark.parametrize(
    ("schedule", "zone", "day", "hours"),
    [  # local hours of a day on which clocks change, as their UTC times
        ("0 * * * *", "America/Santiago", date(2025, 9, 7), [f"{h:02}:00" for h in range(4, 24)]),
        ("0 */6 * * *", "Australia/Lord_Howe", date(2024, 4, 7), ["13:00", "19:30", "01:30"]),
        ("0 */6 * * *", "Australia/Lord_Howe", date(2024, 10, 6), ["13:30", "19:00", "01:00"]),
        ("30 0 * * *", "America/Santiago", date(2025, 9, 7), ["04:00"]),  # jumped over: at its end
        ("15 2 * * *", "Australia/Lord_Howe", date(2024, 10, 6), ["15:30"]),
        ("45 1 * * *", "Australia/Lord_Howe", date(2024, 4, 7), ["14:45"]),  # twice: the first
        ("*/30 1 * * *", "Australia/Lord_Howe", date(2024, 4, 7), ["14:00", "14:30", "15:00"]),
        ("0,30 2 * * *", NEW_YORK, date(2013, 3, 10), ["07:00"]),
        ("0 6 * * *", "Pacific/Apia", date(2011, 12, 30), []),  # a day that never was
    ],
)
def test_a_schedule_is_due_by_the_clock_on_days_on_which_it_changes(schedule, zone, day, hours):
    window = Window(midnight(day, zone), midnight(day + timedelta(days=1), zone))
    due = [f"{moment:%H:%M}" for moment in due_times(schedule, zone, window)]
    assert due[: len(hours)] == hours
    assert bool(due) == bool(hours)


def test_hourly_runs_are_as_many_as_the_hours_of_the_day():
    for day, runs in ((date(2025, 9, 7), 23), (date(2025, 4, 5), 25), (date(2025, 9, 8), 24)):
        window = Window(
            *(midnight(day + n * timedelta(days=1), "America/Santiago") for n in (0, 1))
        )
        assert len(due_times("0 * * * *", "America/Santiago", window)) == runs
        assert window.duration == timedelta(hours=runs)


def test_weekdays_only():
    week = rolling(date(2013, 2, 11), days=7, zone="UTC")  # Monday the 4th to Sunday the 10th
    assert [due.day for due in due_times("0 6 * * 1-5", "UTC", week)] == [4, 5, 6, 7, 8]


def test_a_run_due_at_the_start_of_the_window_is_in_and_one_at_its_end_is_not():
    window = Window(utc(2013, 1, 1, 6), utc(2013, 1, 2, 6))
    assert due_times("0 6 * * *", "UTC", window) == [utc(2013, 1, 1, 6)]


@example("*/15 * * * *", date(2017, 2, 23), "America/Sao_Paulo")  # clocks go back at midnight
@given(st.sampled_from(["0 6 * * *", "*/15 * * * *", "5 3 * * 1-5"]), some_days, zones)
def test_windows_side_by_side_have_the_due_times_of_the_whole(schedule, day, zone):
    whole = rolling(day, days=4, zone=zone)
    middle = whole.start + timedelta(hours=37, minutes=11)
    parts = (Window(whole.start, middle), Window(middle, whole.end))
    joined = [due for part in parts for due in due_times(schedule, zone, part)]
    assert joined == due_times(schedule, zone, whole)
    assert all(due in whole for due in joined)


@given(
    st.sampled_from(
        ["0 6 * * *", "*/15 * * * *", "5 3 * * 1-5", "30 2 1 * 0", "0 0 L * *", "0 12 * * 5#2",
         "30 0-2 * * *", "0 9 LW * *", "59 23 31 * *", "0 0 29 2 *", "15 */6 * 3,10,11 *"]
    ),
    some_days, st.integers(1, 40), zones.filter(lambda zone: zone != "Australia/Lord_Howe"),
)  # fmt: skip
def test_the_due_times_are_those_that_cron_steps_through(schedule, day, days, zone):
    window = rolling(day, days=days, zone=zone)
    before = (window.start - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    steps = (moment.astimezone(UTC) for moment in CronSim(schedule, before))
    stepped = [m for m in takewhile(lambda m: m < window.end, steps) if m >= window.start]
    assert due_times(schedule, zone, window) == stepped


def test_a_quarter_hourly_schedule_over_three_years_is_quick():
    window = rolling(date(2015, 12, 31), days=1095, zone=NEW_YORK)
    started = monotonic()
    assert len(due_times("*/15 * * * *", NEW_YORK, window)) == 1095 * 96  # two changes cancel out
    assert monotonic() - started < 3


@pytest.mark.parametrize("schedule", ["", "daily", "60 6 * * *", "0 6 * *", "0 0 30 2 *"])
def test_what_is_not_cron_is_refused_by_name(schedule):
    with pytest.raises(ValueError, match="is not a cron schedule"):
        due_times(schedule, "UTC", rolling(date(2013, 1, 8), days=7, zone="UTC"))
