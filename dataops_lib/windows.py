"""Spans of time: half-open windows, days of a zone, due times of a schedule."""

from __future__ import annotations

import calendar
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError


@dataclass(frozen=True, order=True)
class Window:
    """The span [start, end) between two UTC times; the end itself is outside.

    Raises
    ------
    ValueError
        If a time has no zone, or the end lies before the start.

    Examples
    --------
    >>> rolling(date(2013, 3, 1), days=30, zone="America/New_York").duration
    datetime.timedelta(days=30)
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for moment in (self.start, self.end):
            if moment.tzinfo is None:
                raise ValueError(f"{moment} has no time zone; times are UTC")
        if self.end < self.start:
            raise ValueError(f"the window ends ({self.end}) before it starts ({self.start})")

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    @property
    def duration(self) -> timedelta:
        """Length of the window."""
        return self.end - self.start

    def overlap(self, other: Window) -> timedelta:
        """Time that both windows share, 0 if none."""
        return max(min(self.end, other.end) - max(self.start, other.start), timedelta(0))

    def days(self, zone: str) -> Iterator[tuple[date, Window]]:
        """Calendar days of `zone` that touch the window, each cut to it."""
        day = self.start.astimezone(ZoneInfo(zone)).date()
        while (start := midnight(day, zone)) < self.end:
            following = day + timedelta(days=1)
            span = Window(max(start, self.start), min(midnight(following, zone), self.end))
            if span.duration:  # Samoa had no 30 December 2011
                yield day, span
            day = following


def midnight(day: date, zone: str) -> datetime:
    """The UTC time at which `day` begins in `zone`.

    Examples
    --------
    >>> midnight(date(2013, 3, 1), "America/New_York").isoformat()
    '2013-03-01T05:00:00+00:00'
    """
    return datetime.combine(day, time(0), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def rolling(as_of: date, *, days: int, zone: str) -> Window:
    """The `days` calendar days of `zone` before `as_of`, which itself is outside."""
    return Window(midnight(as_of - timedelta(days=days), zone), midnight(as_of, zone))


def month_before(as_of: date, zone: str) -> Window:
    """The last whole calendar month that ended at or before `as_of`.

    Examples
    --------
    >>> month_before(date(2013, 3, 1), "UTC").duration.days
    28
    """
    first = as_of.replace(day=1)
    last = first - timedelta(days=1)
    return Window(midnight(last.replace(day=1), zone), midnight(first, zone))


def days_in_month(day: date) -> int:
    """28 to 31: the length of the calendar month that `day` lies in."""
    return calendar.monthrange(day.year, day.month)[1]


def due_times(schedule: str, zone: str, window: Window) -> list[datetime]:
    """UTC times in `window` at which a cron `schedule` of `zone` is due, in order.

    Where clocks change it is as in Debian's cron: a time that the clock jumps over is due at the
    end of the jump and one that comes twice is due once, but a schedule whose minute or hour
    begins with `*` follows the clock: what is jumped over is not due, what comes twice is.

    Raises
    ------
    ValueError
        If the schedule is not a cron expression.

    Examples
    --------
    >>> week = rolling(date(2013, 1, 8), days=7, zone="America/New_York")
    >>> len(due_times("0 6 * * *", "America/New_York", week))
    7
    """
    local, instant = ZoneInfo(zone), timedelta(seconds=1)
    try:
        cron = CronSim(schedule, datetime(1970, 1, 1))  # noqa: DTZ001  its fields, not its walk
    except CronSimError as error:
        raise ValueError(f"{schedule!r} is not a cron schedule ({error})") from None
    every = any(part.startswith("*") for part in schedule.split()[:2])
    clocks = [
        timedelta(hours=h, minutes=m) for h in sorted(cron.hours) for m in sorted(cron.minutes)
    ]
    day = window.start.astimezone(local).date() - timedelta(days=1)
    last = (window.end - instant).astimezone(local).date()
    due: list[datetime] = []
    while day <= last:
        if day.month in cron.months and cron.match_day(day):
            due += _due_on(day, clocks, local, every=every)
        day += timedelta(days=1)
    due = sorted(set(due))
    return due[bisect_left(due, window.start) : bisect_left(due, window.end)]


LONGEST_CHANGE = timedelta(hours=3)  # of clocks; cron takes a longer one as a correction


def _due_on(
    day: date, clocks: Iterable[timedelta], zone: ZoneInfo, *, every: bool
) -> Iterator[datetime]:
    """The UTC times of `clocks`, counted from 00:00, on a day of `zone`."""
    begin = datetime.combine(day, time(0))
    ends = (begin, begin + timedelta(days=1))
    offsets = {end.replace(tzinfo=zone, fold=fold).utcoffset() for end in ends for fold in (0, 1)}
    if len(offsets) == 1:  # no clock changes on that day
        first = begin.replace(tzinfo=zone).astimezone(UTC)
        yield from (first + clock for clock in clocks)
        return
    for clock in clocks:
        yield from _moments(begin + clock, zone, every=every)


def _moments(clock: datetime, zone: ZoneInfo, *, every: bool) -> list[datetime]:
    """The UTC times at which clocks of `zone` show `clock`: one, none or two.

    Unless `every` one counts it is one: the first of two, or the end of a jump over it.
    """
    early, late = (clock.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early == late:
        return [early]
    if early < late:  # the clock is put back
        return [early, late] if every else [early]
    if every or early - late >= LONGEST_CHANGE:
        return []
    return [_jump(late, early, zone)]


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """When clocks of `zone` jumped between two UTC times."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def due_count(schedule: str, first: date, until: date) -> int:
    """How often a cron `schedule` is due from `first` to the day before `until`, clocks aside.

    Examples
    --------
    >>> due_count("*/15 8-17 * * 1-5", date(2026, 1, 1), date(2026, 1, 8))
    200
    """
    cron = CronSim(schedule, datetime.combine(first, time(0)))
    days = (first + timedelta(days=number) for number in range((until - first).days))
    return sum(day.month in cron.months and cron.match_day(day) for day in days) * (
        len(cron.hours) * len(cron.minutes)
    )


def expected(
    schedule: str, zone: str, window: Window, *, holidays: Iterable[date] = ()
) -> list[datetime]:
    """UTC times at which a run was promised: the cron `schedule` of `zone` without `holidays`."""
    off, local = set(holidays), ZoneInfo(zone)
    due = due_times(schedule, zone, window)
    return [moment for moment in due if moment.astimezone(local).date() not in off]
