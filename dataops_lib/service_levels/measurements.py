"""What a measurement of a promise holds: good, total, and what nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """Good events among those whose outcome is known; `unknown` ones stand beside them.

    `source` is metadata, scan or run history; `how` says what was counted; `observations` is the
    number of rows, landings or runs it rests on; `ignored` events were recorded but not promised;
    `to_come` are those that the rest of a calendar period promises.
    """

    good: float
    total: float
    unknown: float = 0
    source: str = ""
    how: str = ""
    observations: int = 0
    ignored: int = 0
    to_come: float = 0

    @property
    def whole(self) -> float:
        """Known events of the window and those that are still to come."""
        return self.total + self.to_come

    @property
    def ratio(self) -> float | None:
        """Share of good among the known, in [0, 1]; None without known events."""
        return self.good / self.total if self.total > 0 else None

    @property
    def coverage(self) -> float | None:
        """Share of events whose outcome is known, in [0, 1]; None when nothing was promised."""
        promised = self.total + self.unknown
        return self.total / promised if promised > 0 else None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The ratio if all unknown events were bad, and if all were good."""
        promised = self.total + self.unknown
        if promised <= 0:
            return None
        return self.good / promised, (self.good + self.unknown) / promised


@dataclass(frozen=True)
class Minutes:
    """Promised time in minutes, fractions kept: good + bad + unknown + excluded = all of it."""

    good: float
    bad: float
    unknown: float = 0.0
    excluded: float = 0.0
    source: str = "metadata"
    how: str = ""
    observations: int = 0

    @property
    def total(self) -> float:
        """Minutes whose state is known."""
        return self.good + self.bad

    ratio, coverage, bounds = Measurement.ratio, Measurement.coverage, Measurement.bounds


def pooled(measured: Sequence[Measurement | None]) -> Measurement | None:
    """Good and total of several measurements added up; None when none of them was made.

    Sums, never an average of averages: 5 of 10 beside 1,000 of 1,000 is 0.5 % bad, not 25 %.

    Examples
    --------
    >>> pooled([Measurement(1000, 1000), Measurement(5, 10), None]).ratio
    0.995049504950495
    """
    known = [one for one in measured if one is not None]
    if not known:
        return None
    return Measurement(
        sum(one.good for one in known),
        sum(one.total for one in known),
        sum(one.unknown for one in known),
        " and ".join(sorted({one.source for one in known if one.source})),
        "; ".join(sorted({one.how for one in known if one.how})),
        sum(one.observations for one in known),
    )
