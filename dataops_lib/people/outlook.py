"""The outlook as claims that can be decided: forecasts, their score, and a team's own savings."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from dataops_lib.people.model import Card, Model
from dataops_lib.teams.people_file import Forecast, RoutineMonth

EVEN = 0.5  # what somebody says who knows nothing, when no base rate is known


def brier(probability: float, came_true: bool) -> float:
    """Squared distance between a forecast and what happened: 0 is right, 1 is wrong for sure.

    References
    ----------
    G. W. Brier, *Verification of forecasts expressed in terms of probability* (1950).

    >>> brier(0.8, True), brier(0.8, False)
    (0.04, 0.64)
    """
    return round((probability - came_true) ** 2, 10)


@dataclass(frozen=True)
class Standing:
    """What a team thinks of a claim now, and how right it was once it is decided.

    `median` and the ends are probabilities; `score` and `reference` are Brier scores, None while
    nothing is decided. `reference` is what the base rate alone would have scored.
    """

    card: Card
    people: int
    median: float | None
    lowest: float | None
    highest: float | None
    score: float | None
    reference: float | None

    def is_due(self, as_of: date) -> bool:
        """Whether the day has come on which the claim can be decided."""
        return as_of >= self.card.by and self.score is None


def standings(model: Model, forecasts: Sequence[Forecast]) -> tuple[Standing, ...]:
    """Each claim with the newest forecast of each person; nobody's is shown alone below four."""
    return tuple(
        _standing(card, [f for f in forecasts if f.claim == card.id]) for card in model.forecasts
    )


def _standing(card: Card, forecasts: Sequence[Forecast]) -> Standing:
    newest = {f.person: f for f in sorted(forecasts, key=lambda f: f.given_on)}
    chances = [f.probability for f in newest.values()]
    decided = [f for f in newest.values() if f.came_true is not None]
    base = EVEN if card.base_rate is None else card.base_rate
    scores = [brier(f.probability, bool(f.came_true)) for f in decided]
    alone = [brier(base, bool(f.came_true)) for f in decided]
    return Standing(
        card,
        len(newest),
        statistics.median(chances) if chances else None,
        min(chances) if len(chances) >= 4 else None,
        max(chances) if len(chances) >= 4 else None,
        statistics.fmean(scores) if scores else None,
        statistics.fmean(alone) if alone else None,
    )


@dataclass(frozen=True)
class Savings:
    """Hours a month that automation could free at most: the team's own routine.

    `low` and `high` are the middle half of the months. None when fewer than three are known.
    """

    months: int
    share: float | None
    hours: float | None
    low: float | None
    high: float | None


def savings(routine: Sequence[RoutineMonth]) -> Savings:
    """What could be saved at most, from the team's own hours and never from a quoted percentage."""
    months = [month for month in routine if month.total_hours > 0]
    if len(months) < 3:
        return Savings(len(months), None, None, None, None)
    hours = [month.routine_hours for month in months]
    low, _, high = statistics.quantiles(hours, n=4, method="inclusive")
    share = sum(hours) / sum(month.total_hours for month in months)
    return Savings(len(months), share, statistics.median(hours), low, high)
