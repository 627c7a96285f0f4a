"""When a schedule is due, found by watching a clock: no library, a step of a quarter of an hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

STEP = timedelta(minutes=15)  # schedules of the random teams name minutes that 15 divides
LONGEST_CHANGE = timedelta(hours=3)  # of clocks; a longer one is a correction, as in Debian's cron


def midnight(day: date, zone: str) -> datetime:
    """The first moment whose date in `zone` is `day` or later."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    while moment.astimezone(ZoneInfo(zone)).date() < day:
        moment += STEP
    return moment


def due(
    schedule: str, zone: str, start: datetime, end: datetime, *, holidays: Iterable[date] = ()
) -> list[datetime]:
    """UTC times in [start, end) at which `schedule` is due in `zone`.

    A clock time that is jumped over is due at the end of the jump, one that comes twice is due
    once; a minute or hour that begins with * follows the clock instead.
    """
    fields, off, clock = _Fields(schedule), set(holidays), ZoneInfo(zone)
    moments: list[datetime] = []
    moment = start - timedelta(days=1)
    latest = moment.astimezone(clock).replace(tzinfo=None) - STEP
    while moment < end:
        local = moment.astimezone(clock).replace(tzinfo=None)
        skipped = _between(latest + STEP, local) if local - latest < LONGEST_CHANGE else ()
        again = local <= latest
        if fields.every:
            is_due = fields.fit(local)
        else:
            is_due = not again and any(fields.fit(one) for one in (*skipped, local))
        if is_due and moment >= start and local.date() not in off:
            moments.append(moment)
        latest = max(latest, local)
        moment += STEP
    return moments


def _between(first: datetime, last: datetime) -> Iterator[datetime]:
    while first < last:
        yield first
        first += STEP


class _Fields:
    """The five fields of a cron expression as sets of numbers."""

    def __init__(self, schedule: str) -> None:
        minute, hour, day, month, weekday = schedule.split()
        self.every = minute.startswith("*") or hour.startswith("*")
        self.either = not day.startswith("*") and not weekday.startswith("*")
        self.minutes, self.hours = _numbers(minute, 0, 59), _numbers(hour, 0, 23)
        self.days, self.months = _numbers(day, 1, 31), _numbers(month, 1, 12)
        self.weekdays = {number % 7 for number in _numbers(weekday, 0, 7)}

    def fit(self, local: datetime) -> bool:
        if local.minute not in self.minutes or local.hour not in self.hours:
            return False
        if local.month not in self.months:
            return False
        by_day, by_weekday = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        return by_day or by_weekday if self.either else by_day and by_weekday


def _numbers(text: str, low: int, high: int) -> set[int]:
    numbers: set[int] = set()
    for piece in text.split(","):
        span, _, step = piece.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            first, last = str(low), str(high)
        numbers |= set(range(int(first), int(last or first) + 1, int(step or 1)))
    return numbers
