"""Which structure fits a team's size and maturity, and where the article's ranges are stretched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dataops_lib.errors import UsageError
from dataops_lib.people.model import Bracket, Model, Part, load_model

LARGEST = 200  # people; the article's last bracket has no end, a plan by role has one


@dataclass(frozen=True)
class Unit:
    """A role or a part of the organisation with its number of people.

    `low` and `high` are the article's range, None where it gives none.
    """

    name: str
    does: str
    people: int
    low: int | None = None
    high: int | None = None

    @property
    def is_stretched(self) -> bool:
        """Whether the number lies outside of the article's range."""
        if self.low is None or self.high is None:
            return False
        return not self.low <= self.people <= self.high


@dataclass(frozen=True)
class Structure:
    """A proposal for `headcount` people at a maturity level; its units sum to them."""

    headcount: int
    maturity: int
    bracket: Bracket
    units: tuple[Unit, ...]
    advice: tuple[str, ...]
    without: tuple[str, ...]  # roles of the article that no bracket holds

    @property
    def stretched(self) -> tuple[Unit, ...]:
        """Units outside of the article's range."""
        return tuple(unit for unit in self.units if unit.is_stretched)


def recommend_structure(headcount: int, maturity: int, *, model: Model | None = None) -> Structure:
    """Propose a structure for a team.

    Brackets are half-open, so 5 people are mid-sized and 20 large. Inside the article's ranges
    people are placed by largest remainder; where its ranges do not fit (they sum to 7 to 14, the
    bracket goes from 5 to 19) they are stretched in proportion and say so.

    Parameters
    ----------
    headcount : int
        People of the team, 1 to 200.
    maturity : int
        The level of the self-assessment, 0 to 4. It changes the advice, not the numbers: the
        article says that structure follows maturity, and gives no rule.

    Raises
    ------
    UsageError
        Outside of these ranges.

    Examples
    --------
    >>> [(unit.name, unit.people) for unit in recommend_structure(9, 1).units][:2]
    [('Data Platform Engineer', 3), ('Analytics Engineer', 3)]
    """
    model = model or load_model()
    if not 1 <= headcount <= LARGEST:
        raise UsageError(f"headcount is {headcount}; a structure is proposed for 1 to {LARGEST}")
    if not 0 <= maturity <= model.maturity[-1].at_most:
        raise UsageError(f"maturity is {maturity}, not a level from 0 to 4")
    bracket = next(b for b in model.brackets if b.first <= headcount < b.below)
    held = {role for b in model.brackets for role in b.roles}
    rule = next(advice for advice in model.maturity if maturity <= advice.at_most)
    return Structure(
        headcount,
        maturity,
        bracket,
        _parts(bracket, headcount) if bracket.central else _roles(model, bracket, headcount),
        (rule.says, *bracket.advice),
        tuple(role.name for role in model.roles if role.id not in held),
    )


def _roles(model: Model, bracket: Bracket, headcount: int) -> tuple[Unit, ...]:
    lows = {id: low for id, (low, _) in bracket.roles.items()}
    highs = {id: high for id, (_, high) in bracket.roles.items()}
    if headcount < sum(lows.values()):
        people = apportion(headcount, lows)
    elif headcount > sum(highs.values()):
        people = apportion(headcount, highs)
    else:
        room = {id: highs[id] - lows[id] for id in lows}
        extra = apportion(headcount - sum(lows.values()), room)
        people = {id: lows[id] + extra[id] for id in lows}
    return tuple(
        Unit(model.role(id).name, model.role(id).does, people[id], lows[id], highs[id])
        for id in bracket.roles
    )


def _parts(bracket: Bracket, headcount: int) -> tuple[Unit, ...]:
    central = math.ceil(bracket.central_share * headcount)
    parts: dict[Part, int] = dict.fromkeys(bracket.domains, 1)
    split = apportion(headcount - central, {part.name: 1 for part in parts})
    first = [] if bracket.central is None else [(bracket.central, central)]
    sizes = [*first, *((part, split[part.name]) for part in parts)]
    return tuple(Unit(part.name, part.does, people) for part, people in sizes)


def apportion(seats: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Divide whole seats in proportion to weights, by largest remainder; ties go to the first.

    >>> apportion(5, {"a": 2, "b": 2, "c": 2, "d": 1})
    {'a': 2, 'b': 1, 'c': 1, 'd': 1}
    """
    total = sum(weights.values())
    if total == 0:
        return dict.fromkeys(weights, 0)
    whole = {name: seats * weight // total for name, weight in weights.items()}
    rests = {name: seats * weight % total for name, weight in weights.items()}
    left = seats - sum(whole.values())
    for name in sorted(rests, key=lambda name: -rests[name])[:left]:
        whole[name] += 1
    return whole
