"""What the article and the field ask of a rota: readings, points, limits, advice, clocks."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Literal

from dataops_lib import playbook, yaml_lines
from dataops_lib.errors import UsageError
from dataops_lib.fields import Frozen, Line
from dataops_lib.teams.on_call_file import RotationPolicy


class Reading(Frozen):
    """One way to read "not more than once per week": how long a shift is, how far apart."""

    name: Literal["A", "B", "C"]
    days: Literal[1, 7]
    apart_at_least: int  # shifts from the start of one primary shift to that of the next
    apart_at_most: int
    words: Line
    source: Line


class Points(Frozen):
    """What a day of each kind and a layer weigh."""

    weekday: int
    weekend: int
    holiday: int
    primary: int
    secondary: int
    source: Line

    @property
    def week(self) -> int:
        """Points of a plain primary week: one weighted week."""
        return (5 * self.weekday + 2 * self.weekend) * self.primary


class Limit(Frozen):
    """What one figure of a rota may be at most."""

    name: Line
    limit: float
    words: Line
    source: Line


class Advice(Frozen):
    """What so many people, or more, can carry."""

    people: int
    advice: Line
    source: Line


class Readiness(Frozen):
    """What somebody new has done before they are called."""

    shadow_shifts: int
    drills: int
    source: Line


class Rules(Frozen):
    """The whole on_call.yaml of the playbook."""

    version: int
    readings: tuple[Reading, ...]
    points: Points
    limits: tuple[Limit, ...]
    capacity: tuple[Advice, ...]
    readiness: Readiness

    def reading(self, name: str) -> Reading:
        """The reading called `name`."""
        return next(one for one in self.readings if one.name == name)

    def limit(self, name: str) -> Limit:
        """The limit called `name`."""
        return next(one for one in self.limits if one.name == name)


@cache
def load() -> Rules:
    """The rules of the playbook, data/playbook/on_call.yaml."""
    name = "on_call.yaml"
    return yaml_lines.validate(Rules, yaml_lines.loads(playbook.text(name), name))


def points(day: date, role: str, free: frozenset[date] = frozenset()) -> int:
    """What a role weighs on a day; a manager and a shadow weigh nothing."""
    book = load().points
    factor = {"primary": book.primary, "secondary": book.secondary}.get(role, 0)
    kind = book.weekend if day.weekday() >= 5 else book.weekday
    return factor * (book.holiday if day in free else kind)


def apart(policy: RotationPolicy, people: int) -> int:
    """Shifts from the start of one primary shift to the next, by reading and size of the team."""
    asked = load().reading(policy.reading)
    return policy.weeks_apart or max(asked.apart_at_least, min(people - 1, asked.apart_at_most))


def holidays(policy: RotationPolicy, first: date, last: date) -> frozenset[date]:
    """Days from `first` to `last` on which the team's place does not work.

    Raises
    ------
    UsageError
        If `region` is not known.
    """
    import holidays as public

    listed = {day for day in policy.holidays if first <= day <= last}
    if policy.region is None:
        return frozenset(listed)
    country, _, part = policy.region.partition("-")
    years = range(first.year, last.year + 1)
    try:
        calendar = public.country_holidays(country, subdiv=part or None, years=years)
    except NotImplementedError:
        message = f"`region` is {policy.region!r}; write a country and part such as DE-BY or US-NY"
        raise UsageError(message) from None
    return frozenset(listed | {day for day in calendar if first <= day <= last})
