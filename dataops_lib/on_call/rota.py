"""A rota: who holds which layer when, what nobody holds and why, overrides on top."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from dataops_lib.teams import history
from dataops_lib.teams.history import ROLES
from dataops_lib.teams.on_call_file import WEEKDAYS, Override, Responder, RotationPolicy
from dataops_lib.windows import Window


@dataclass(frozen=True, order=True)
class Shift:
    """Somebody holds a role from one UTC time to another."""

    starts_at: datetime
    ends_at: datetime
    role: str
    person: str

    @property
    def window(self) -> Window:
        """The time of the shift."""
        return Window(self.starts_at, self.ends_at)


@dataclass(frozen=True)
class Unfilled:
    """A layer that nobody can hold in one shift, and why not: one reason for each person."""

    starts_at: datetime
    ends_at: datetime
    role: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        """In a sentence."""
        why = "; ".join(self.reasons) or "nobody is in this layer"
        return f"{self.role} from {self.starts_at:%Y-%m-%d %H:%M} UTC: {why}"


@dataclass(frozen=True)
class Rota:
    """Shifts as they were generated or read, and the overrides above them.

    `shifts` never change by an override; `final` is what holds. `solver` says who made them.
    """

    shifts: tuple[Shift, ...]
    people: tuple[Responder, ...] = ()
    unfilled: tuple[Unfilled, ...] = ()
    overrides: tuple[Override, ...] = ()
    solver: str = ""
    apart: int | None = None  # shifts from one primary shift to the next, as it was made

    @property
    def window(self) -> Window:
        """From the first start to the last end."""
        known: list[Shift | Unfilled] = [*self.shifts, *self.unfilled]
        if not known:
            raise ValueError("the rota is empty")
        return Window(min(s.starts_at for s in known), max(s.ends_at for s in known))

    @property
    def final(self) -> tuple[Shift, ...]:
        """The shifts with overrides cut in; a later override lies above an earlier one."""
        shifts = list(self.shifts)
        for one in self.overrides:
            start, end = one.starts_at.astimezone(UTC), one.ends_at.astimezone(UTC)
            cut = (piece for shift in shifts for piece in _without(shift, one.role, start, end))
            shifts = [*cut, Shift(start, end, one.role, one.person)]
        return tuple(sorted(shifts))

    def with_overrides(self, overrides: Iterable[Override]) -> Rota:
        """The same rota with more overrides on top."""
        return replace(self, overrides=(*self.overrides, *overrides))

    def who(self, at: datetime, role: str, domain: str | None = None) -> str | None:
        """Who is called at a UTC time; a domain expert is whoever knows `domain` and is there."""
        held = [s.person for s in self.final if s.role == role and at in s.window]
        if held or role != "domain expert":
            return held[-1] if held else None
        busy = {s.person for s in self.final if s.role != "shadow" and at in s.window}
        experts = [
            p.name
            for p in self.people
            if domain in p.domains and p.is_present(at.date()) and not p.is_away(at.date())
        ]
        return next((name for name in experts if name not in busy), next(iter(experts), None))

    def hours(self, person: str, *roles: str) -> timedelta:
        """Real hours that somebody holds these roles; 167 in the week when clocks go forward."""
        held = (s for s in self.final if s.person == person and s.role in (roles or ROLES))
        return sum((s.ends_at - s.starts_at for s in held), timedelta(0))

    def frame(self) -> pd.DataFrame:
        """What holds, with the columns of rota.csv."""
        rows = [vars(shift) for shift in self.final]
        return history.frame(rows, history.ROTA)


def from_frame(frame: pd.DataFrame, people: Sequence[Responder] = ()) -> Rota:
    """A rota from rows of a rota.csv."""
    columns = ["starts_at", "ends_at", "role", "person"]
    rows: list[Any] = [frame[name].tolist() for name in columns]
    shifts = sorted(
        Shift(start.to_pydatetime(), end.to_pydatetime(), role, person)
        for start, end, role, person in zip(*rows, strict=True)
    )
    return Rota(tuple(shifts), tuple(people))


def _without(shift: Shift, role: str, start: datetime, end: datetime) -> Iterator[Shift]:
    """What is left of a shift outside of an override of its role."""
    if shift.role != role or shift.ends_at <= start or shift.starts_at >= end:
        yield shift
        return
    if shift.starts_at < start:
        yield replace(shift, ends_at=start)
    if shift.ends_at > end:
        yield replace(shift, starts_at=end)


def handoffs(policy: RotationPolicy, start: date, count: int, days: int) -> list[datetime]:
    """UTC times of `count` hand-offs, `days` apart on the clocks of the zone.

    The first is at or after `start`: on the policy's weekday, or with daily shifts on the first
    such weekday, too, so that seven of them are one week.

    Examples
    --------
    >>> policy = RotationPolicy(zone="Europe/Berlin")
    >>> a, b = handoffs(policy, date(2026, 3, 23), 2, 7)
    >>> (b - a).total_seconds() / 3600
    167.0
    """
    wait = (WEEKDAYS.index(policy.handoff_day) - start.weekday()) % 7
    first = start + timedelta(days=wait)
    zone = ZoneInfo(policy.zone)
    return [
        datetime.combine(first + timedelta(days=days * number), policy.handoff_at, zone).astimezone(
            UTC
        )
        for number in range(count)
    ]


def days_of(window: Window, zone: str) -> list[date]:
    """The days whose midnight to midnight the window covers for the most part, in order.

    A week from Monday 10:00 to Monday 10:00 has seven: Monday to Sunday.
    """
    noon = time(12)
    there = ZoneInfo(zone)
    first = window.start.astimezone(there).date()
    last = window.end.astimezone(there).date()
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if datetime.combine(day, noon, there).astimezone(UTC) in window]
