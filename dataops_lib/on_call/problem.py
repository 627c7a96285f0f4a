"""A rota as a problem: which shifts, who may hold them, how far apart, what is fair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

from dataops_lib.on_call import quality, rules
from dataops_lib.on_call.rota import Rota, Shift, days_of, handoffs
from dataops_lib.teams.on_call_file import Responder, RotationPolicy
from dataops_lib.windows import Window

FILLED = ("primary", "secondary", "manager")  # layers with shifts; a domain expert has none
FINE = 10  # shares of points are counted in tenths, so that solvers add whole numbers

Place = tuple[int, str]  # the number of a shift, and a layer


@dataclass(frozen=True)
class Problem:
    """Everything that a solver needs, in whole numbers.

    `able` names who may hold a layer in a shift, in the order of the roster. `points` are what
    holding it weighs, `fair` what somebody's share of all points is, less what they carry from
    before. Two primary shifts of one person lie `apart` shifts from each other, and with
    `once_in` no more than one in that many. `resting` ends the rest that the history asks for.
    """

    slots: tuple[Window, ...]
    names: tuple[str, ...]
    layers: tuple[str, ...]
    able: Mapping[Place, tuple[str, ...]]
    points: Mapping[Place, int]
    fair: Mapping[str, int]
    apart: int
    once_in: int
    resting: Mapping[str, int]  # person -> first shift in which they may be primary again
    last: str | None  # primary just before the first shift
    shadows: Mapping[int, tuple[str, ...]]
    week: int  # points of one weighted week

    @property
    def places(self) -> list[Place]:
        """Each shift and layer to fill, in order of time."""
        return [(s, layer) for s in range(len(self.slots)) for layer in self.layers]

    def too_close(self, one: int, other: int) -> bool:
        """Whether one person may not be primary in both shifts."""
        return one != other and (
            abs(one - other) < self.apart or one // self.once_in == other // self.once_in
        )

    def follows(self, slot: int, before: str | None) -> str | None:
        """The primary of the shift before, if they may be secondary now, else nobody."""
        return before if before in self.able.get((slot, "secondary"), ()) else None


def pose(
    people: Sequence[Responder],
    policy: RotationPolicy,
    start: date,
    weeks: int,
    history: Rota | None = None,
) -> Problem:
    """The problem of `weeks` weeks from the first hand-off at or after `start`."""
    book = rules.load()
    reading = book.reading(policy.reading)
    count = weeks * 7 // reading.days
    moments = handoffs(policy, start, count + 1, reading.days)
    slots = tuple(Window(a, b) for a, b in pairwise(moments))
    days = [days_of(slot, policy.zone) for slot in slots]
    free = rules.holidays(policy, days[0][0], days[-1][-1])
    layers = tuple(layer for layer in FILLED if layer in policy.layers)
    earlier = () if history is None else history.final
    shadows = _shadows(people, days, earlier)
    learning = {(s, name) for s, names in shadows.items() for name in names}
    waits = {
        p.name: max((s for s, names in shadows.items() if p.name in names), default=-1)
        for p in people
    }
    able: dict[Place, tuple[str, ...]] = {}
    points: dict[Place, int] = {}
    for s, of_slot in enumerate(days):
        for layer in layers:
            able[s, layer] = tuple(
                p.name
                for p in people
                if layer in p.layers
                and (s, p.name) not in learning
                and s > waits[p.name]
                and all(p.is_present(day) and not p.is_away(day) for day in of_slot)
            )
            points[s, layer] = FINE * sum(rules.points(day, layer, free) for day in of_slot)
    callable_then = [
        sum(
            "primary" in p.layers and p.is_present(of_slot[0]) and s > waits[p.name] for p in people
        )
        for s, of_slot in enumerate(days)
    ]
    fewest = max(min(callable_then, default=1), 1)
    apart = rules.apart(policy, fewest)
    week = FINE * book.points.week
    brought = (
        {} if history is None else quality.tally(replace(history, people=tuple(people)), policy)
    )
    carried = {name: row["loads"] * week for name, row in brought.items()}
    return Problem(
        slots=slots,
        names=tuple(p.name for p in people),
        layers=layers,
        able=able,
        points=points,
        fair=_fair(people, days, layers, points, waits, carried),
        apart=apart,
        once_in=7 // reading.days if reading.days == 1 else 1,
        resting=_resting(people, slots, apart, earlier),
        last=_last_primary(slots[0], earlier),
        shadows=shadows,
        week=week,
    )


def _shadows(
    people: Sequence[Responder], days: Sequence[Sequence[date]], earlier: Sequence[Shift]
) -> dict[int, tuple[str, ...]]:
    """Shift -> who looks on: the first shifts of those who have not looked on often enough."""
    shadows: dict[int, tuple[str, ...]] = {}
    for person in people:
        done = sum(s.role == "shadow" and s.person == person.name for s in earlier)
        here = (
            s
            for s, of_slot in enumerate(days)
            if all(person.is_present(d) and not person.is_away(d) for d in of_slot)
        )
        for s, _ in zip(here, range(max(person.shadow_shifts - done, 0)), strict=False):
            shadows[s] = (*shadows.get(s, ()), person.name)
    return shadows


def _fair(
    people: Sequence[Responder],
    days: Sequence[Sequence[date]],
    layers: Sequence[str],
    points: Mapping[Place, int],
    waits: Mapping[str, int],
    carried: Mapping[str, float],
) -> dict[str, int]:
    """Points that each person owes: by share among those who are there, leave or not."""
    owed = {person.name: -carried.get(person.name, 0.0) for person in people}
    for s, of_slot in enumerate(days):
        for layer in layers:
            there = [
                p
                for p in people
                if layer in p.layers and p.is_present(of_slot[0]) and s > waits[p.name]
            ]
            total = sum(p.share for p in there)
            for p in there:
                owed[p.name] += points[s, layer] * p.share / total
    return {name: round(value) for name, value in owed.items()}


def _resting(
    people: Sequence[Responder], slots: Sequence[Window], apart: int, earlier: Sequence[Shift]
) -> dict[str, int]:
    """The first shift in which somebody may be primary again after the history's last one."""
    length = slots[0].duration
    resting = {}
    for person in people:
        starts = [s.starts_at for s in earlier if s.role == "primary" and s.person == person.name]
        if starts:
            ago = round((slots[0].start - max(starts)) / length)
            resting[person.name] = max(apart - ago, 0)
    return resting


def _last_primary(first: Window, earlier: Sequence[Shift]) -> str | None:
    """Who was primary until the first shift begins; nobody if that is long ago."""
    ended = [
        (s.ends_at, s.person)
        for s in earlier
        if s.role == "primary" and abs(s.ends_at - first.start) < timedelta(days=1)
    ]
    return max(ended, default=(None, None))[1]
