"""The period over which a promise is counted: the last days, or a whole calendar period."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from dataops_lib.errors import UsageError
from dataops_lib.windows import Window, midnight, rolling

CALENDARS = ("week", "month", "quarter", "year")


class TargetError(UsageError, ValueError):
    """A promise that cannot be held or measured; `fix` says what to write instead."""

    def __init__(self, message: str, fix: str) -> None:
        self.message, self.fix = message, fix
        super().__init__(f"{message}. {fix}")


@dataclass(frozen=True)
class Period:
    """The time over which a promise is counted: the last `days`, or a whole calendar period.

    Examples
    --------
    >>> str(Period(days=7)), str(Period(calendar="month"))
    ('7-day rolling', 'calendar month')
    """

    days: int | None = None
    calendar: str | None = None

    def __post_init__(self) -> None:
        if (self.days is None) == (self.calendar is None):
            raise TargetError("a period is rolling or calendar", "Write '30-day rolling'")
        if self.days is not None and self.days < 1:
            raise TargetError(f"the period has {self.days} days", "Write 1 day or more")
        if self.calendar is not None and self.calendar not in CALENDARS:
            raise TargetError(
                f"{self.calendar!r} is not a calendar period", f"Write one of {CALENDARS}"
            )

    def __str__(self) -> str:
        return f"{self.days}-day rolling" if self.days else f"calendar {self.calendar}"

    def window(self, as_of: date, zone: str) -> Window:
        """The period that ends with the day before `as_of`; a calendar one may not be over yet."""
        if self.days is not None:
            return rolling(as_of, days=self.days, zone=zone)
        last = as_of - timedelta(days=1)
        first = {
            "week": last - timedelta(days=last.weekday()),
            "month": last.replace(day=1),
            "quarter": last.replace(month=3 * ((last.month - 1) // 3) + 1, day=1),
            "year": last.replace(month=1, day=1),
        }[str(self.calendar)]
        return Window(midnight(first, zone), midnight(as_of, zone))

    def rest(self, as_of: date, zone: str) -> Window:
        """What is still to come of a calendar period in `as_of`; nothing of a rolling one."""
        start = midnight(as_of, zone)
        last = as_of - timedelta(days=1)
        following = {
            "week": last + timedelta(days=7 - last.weekday()),
            "month": _month_after(last, 1),
            "quarter": _month_after(last, 3 - (last.month - 1) % 3),
            "year": date(last.year + 1, 1, 1),
        }
        end = midnight(following[self.calendar], zone) if self.calendar else start
        return Window(start, end)

    @property
    def nominal_days(self) -> int:
        """Days of a rolling period; of a calendar period the shortest it can have."""
        return self.days or {"week": 7, "month": 28, "quarter": 90, "year": 365}[str(self.calendar)]


def read_period(words: str) -> Period:
    """The period that words such as "30-day rolling" or "calendar month" name."""
    if match := re.fullmatch(r"\s*(\d{1,4})[- ]days?(?:\s+rolling)?\s*", words):
        return Period(days=int(match[1]))
    if match := re.fullmatch(r"\s*calendar\s+(\w+)\s*", words):
        return Period(calendar=match[1])
    fix = "Write '(30-day rolling)' or '(calendar month)'"
    raise TargetError(f"{words!r} is not a period", fix)


def _month_after(day: date, months: int) -> date:
    """The first day of the month `months` after that of `day`."""
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, 1)
