"""How many runs may fail, and what counted runs prove if they fail independently."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from scipy import special

from dataops_lib.service_levels.objectives import SLO, Target, promised_share
from dataops_lib.wording import number, percent, plural


def allowed_failures(n: int, target: SLO | Target) -> int:
    """How many of `n` events may fail: floor(n * (1 - target)), exactly.

    Examples
    --------
    >>> allowed_failures(30, 0.9), allowed_failures(7, 0.995)  # in floats the first would be 2
    (3, 0)
    """
    return math.floor(Fraction(n) * (1 - Fraction(promised_share(target))))


def runs_to_allow(target: SLO | Target, failures: int = 1) -> int:
    """The fewest runs of which `failures` may fail: 200 for one at 99.5 %."""
    return math.ceil(failures / (1 - Fraction(promised_share(target))))


def alternatives(n: int, target: SLO | Target, per_day: float = 1) -> list[str]:
    """What to do instead when `n` runs cannot tell whether `target` is kept."""
    needed = runs_to_allow(target)
    days = plural(math.ceil(needed / per_day), "day")
    steps = [f"count over {days} ({plural(needed, 'run')})"]
    if n > 1:
        lower = Decimal(math.floor((1 - Fraction(1, n)) * 1000)) / 1000
        steps.append(f"promise {percent(lower)}, which lets one of {n} runs fail")
        steps.append(f"pool {plural(math.ceil(needed / n), 'pipeline')} of a tier")
    return [*steps, "promise minutes of freshness"]


def runs_to_prove(target: SLO | Target, confidence: float = 0.95, failures: int = 0) -> int:
    """The fewest runs, `failures` of them bad, that show a rate of at least `target`.

    Exact binomial, one-sided at `confidence`; runs are taken to fail independently.

    Examples
    --------
    >>> runs_to_prove(0.99), runs_to_prove(0.995), runs_to_prove(0.99, failures=1)
    (299, 598, 473)
    """
    bad = float(1 - promised_share(target))
    return _smallest(lambda n: special.bdtr(failures, n, bad) <= 1 - confidence, failures + 1)


def evidence(good: float, total: float, target: SLO | Target) -> str:
    """What the runs show, in one sentence that states its assumption.

    >>> evidence(30, 30, 0.995)[:52]
    '30 of 30 good: at least 90.5 % with 95 % confidence,'
    """
    if total == 0:
        return "nothing was measured, so nothing is shown"
    least = percent(proven(good, total), digits=3)
    likely = percent(chance(good, total, target), digits=2)
    return (
        f"{number(good)} of {number(total)} good: at least {least} with 95 % confidence, "
        f"{likely} chance that it is {percent(promised_share(target))} or better, if failures are "
        "independent"
    )


def interval(
    good: float,
    total: float,
    method: Literal["wilson", "clopper-pearson", "jeffreys"] = "wilson",
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Two-sided interval of the true rate, ratios in [0, 1]; (0, 1) when nothing was measured.

    "wilson" for display, "clopper-pearson" for contracts (never covers too little), "jeffreys" for
    chances. Count runs or incidents: minutes are not independent trials.

    Examples
    --------
    >>> [round(end, 3) for end in interval(30, 30)]
    [0.886, 1.0]
    """
    check_part(good, total)
    if total == 0:
        return 0.0, 1.0
    bad, tail = total - good, (1 - confidence) / 2
    if method == "wilson":
        z, ratio = float(special.ndtri(1 - tail)), good / total
        middle = ratio + z * z / (2 * total)
        spread = z * math.sqrt(ratio * (1 - ratio) / total + (z / (2 * total)) ** 2)
        low, high = ((middle + side * spread) / (1 + z * z / total) for side in (-1, 1))
    elif method == "clopper-pearson":
        low = special.betaincinv(good, bad + 1, tail) if good else 0.0
        high = special.betaincinv(good + 1, bad, 1 - tail) if bad else 1.0
    elif method == "jeffreys":
        low = special.betaincinv(good + 0.5, bad + 0.5, tail) if good else 0.0
        high = special.betaincinv(good + 0.5, bad + 0.5, 1 - tail) if bad else 1.0
    else:
        known = "wilson, clopper-pearson or jeffreys"
        raise ValueError(f"method {method!r} is not known; use {known}")
    return (max(float(low), 0.0) if good else 0.0), (min(float(high), 1.0) if bad else 1.0)


def proven(good: float, total: float, confidence: float = 0.95) -> float:
    """The rate that the runs show at least, one-sided and exact: 7 of 7 prove 65.2 %.

    >>> round(proven(7, 7), 3), round(proven(30, 30), 3)
    (0.652, 0.905)
    """
    check_part(good, total)
    return float(special.betaincinv(good, total - good + 1, 1 - confidence)) if good else 0.0


def at_most(good: float, total: float, confidence: float = 0.95) -> float:
    """The rate that the runs show at most, one-sided and exact (Clopper-Pearson).

    >>> round(at_most(6, 7), 3), at_most(7, 7)
    (0.993, 1.0)
    """
    check_part(good, total)
    bad = total - good
    return float(special.betaincinv(good + 1, bad, confidence)) if bad else 1.0


def chance(good: float, total: float, target: SLO | Target) -> float:
    """Chance that the true rate is `target` or better, by Jeffreys' prior, in [0, 1].

    >>> round(chance(30, 30, 0.995), 2)
    0.42
    """
    check_part(good, total)
    return float(special.betaincc(good + 0.5, total - good + 0.5, float(promised_share(target))))


def _smallest(holds: Callable[[int], bool], low: int) -> int:
    """The smallest whole number from `low` on for which `holds` turns true."""
    high = low
    while not holds(high):
        low, high = high + 1, high * 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def check_part(good: float, total: float) -> None:
    """ValueError unless `good` is a part of `total`."""
    if not 0 <= good <= total or math.isinf(total):
        raise ValueError(f"{good} good of {total}: a part is between 0 and the whole")
