"""Error budgets: what a target allows, how much is spent, and what the numbers prove."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import special

from dataops_lib.finding import Finding
from dataops_lib.service_levels.objectives import SLO, TargetError, as_target
from dataops_lib.wording import percent

Target = Decimal | float | str
MINIMUM_COVERAGE = 0.9  # below, too much is unknown for a verdict


def calculate_error_budget(slo_percent: float, period_days: float = 30) -> dict[str, Any]:
    """The article's calculator: the time that a target in percent may be missed in a period.

    Returns the article's keys with its rounding: slo_percent, error_budget_percent (3 digits),
    error_budget_minutes (1), error_budget_hours (2) and period_days.

    Raises
    ------
    TargetError
        For 0, 100 and beyond, NaN and infinity, and for a period that is not longer than 0 days;
        the article's own version returns a budget of -432 minutes for 101 %.

    Examples
    --------
    >>> calculate_error_budget(99.5)["error_budget_hours"]
    3.6
    """
    allowed = 1 - _percentage(slo_percent)
    days = _number(period_days, "period_days")
    if days <= 0:
        raise TargetError(f"period_days is {period_days}", "Write 1 or more, such as 30")
    minutes = Fraction(days) * 24 * 60 * allowed
    return {
        "slo_percent": slo_percent,
        "error_budget_percent": round(float(allowed * 100), 3),
        "error_budget_minutes": round(float(minutes), 1),
        "error_budget_hours": round(float(minutes / 60), 2),
        "period_days": period_days,
    }


def burn_rate(error_ratio: float | None, slo: SLO | Target) -> float:
    """Spending speed, as a multiple of the speed that just lasts the period.

    `error_ratio` is the share of bad in [0, 1]; NaN without data: no data is not no errors.

    References
    ----------
    Beyer et al., *The Site Reliability Workbook* (2018), chapter 5.

    Examples
    --------
    >>> burn_rate(0.05, 0.99)
    5.0
    """
    if error_ratio is None or math.isnan(error_ratio):
        return math.nan
    return float(Fraction(str(float(error_ratio))) / (1 - _target(slo)))


def remaining(good: float, total: float, target: SLO | Target) -> float:
    """Share of the budget left: 1 untouched, 0 spent, below 0 overspent; never clamped.

    NaN when nothing was measured.

    Examples
    --------
    >>> remaining(29, 30, 0.9)
    0.6666666666666666
    """
    _check(good, total)
    if total == 0:
        return math.nan
    return float(1 - (Fraction(total) - Fraction(good)) / (Fraction(total) * (1 - _target(target))))


def allowed_failures(n: int, target: SLO | Target) -> int:
    """How many of `n` events may fail: floor(n * (1 - target)), exactly.

    Examples
    --------
    >>> allowed_failures(30, 0.9), allowed_failures(7, 0.995)  # in floats the first would be 2
    (3, 0)
    """
    return math.floor(Fraction(n) * (1 - _target(target)))


def runs_to_allow(target: SLO | Target, failures: int = 1) -> int:
    """The fewest runs of which `failures` may fail: 200 for one at 99.5 %."""
    return math.ceil(failures / (1 - _target(target)))


def runs_to_prove(target: SLO | Target, confidence: float = 0.95, failures: int = 0) -> int:
    """The fewest runs, `failures` of them bad, that show a rate of at least `target`.

    Exact binomial, one-sided at `confidence`; runs are taken to fail independently.

    Examples
    --------
    >>> runs_to_prove(0.99), runs_to_prove(0.995), runs_to_prove(0.99, failures=1)
    (299, 598, 473)
    """
    bad = float(1 - _target(target))
    return _smallest(lambda n: special.bdtr(failures, n, bad) <= 1 - confidence, failures + 1)


def alternatives(n: int, target: SLO | Target, per_day: float = 1) -> list[str]:
    """What to do instead when `n` runs cannot tell whether `target` is kept."""
    wanted = _target(target)
    needed = runs_to_allow(float(wanted))
    found = [f"count over {math.ceil(needed / per_day)} days ({needed} runs)"]
    if n > 1:
        lower = Fraction(math.floor((1 - Fraction(1, n)) * 1000), 1000)
        found.append(f"promise {_shown(lower)}, which lets one of {n} runs fail")
        found.append(f"pool {math.ceil(needed / n)} pipelines of a tier")
    return [*found, "promise minutes of freshness"]


def evidence(good: float, total: float, target: SLO | Target) -> str:
    """What the runs show, in one sentence that states its assumption.

    >>> evidence(30, 30, 0.995)[:52]
    '30 of 30 good: at least 90.5 % with 95 % confidence,'
    """
    if total == 0:
        return "nothing was measured, so nothing is shown"
    least, likely = (
        percent(round(proven(good, total), 3)),
        percent(round(chance(good, total, target), 2)),
    )
    return (
        f"{good:g} of {total:g} good: at least {least} with 95 % confidence, {likely} chance that "
        f"it is {_shown(_target(target))} or better, if failures are independent"
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
    _check(good, total)
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
    _check(good, total)
    return float(special.betaincinv(good, total - good + 1, 1 - confidence)) if good else 0.0


def chance(good: float, total: float, target: SLO | Target) -> float:
    """Chance that the true rate is `target` or better, by Jeffreys' prior, in [0, 1].

    >>> round(chance(30, 30, 0.995), 2)
    0.42
    """
    _check(good, total)
    return float(special.betaincc(good + 0.5, total - good + 0.5, float(_target(target))))


def verdict(
    good: float,
    total: float,
    target: SLO | Target,
    *,
    unknown: float = 0,
    subject: str = "",
) -> Finding:
    """Say whether the target was met (ok), breached (fail), or cannot be told (unknown).

    `numbers["verdict"]` is met, breached, not measurable (too few events to allow one failure,
    and the failures seen do not prove a breach by themselves) or unknown (less than 90 % known).
    """
    _check(good, total)
    wanted = _target(target)
    name = subject or (target.name if isinstance(target, SLO) else f"target {_shown(wanted)}")
    left, allowed = remaining(good, total, target), allowed_failures(total, target)  # type: ignore[arg-type]
    word, status, step = _verdict(good, total, wanted, unknown, allowed)
    evidence = f"{good:g} of {total:g} good ({percent(good / total if total else None)})"
    evidence += f", {_shown(wanted)} promised, {allowed} may fail"
    numbers = {
        "verdict": word,
        "good": good,
        "total": total,
        "unknown": unknown,
        "target_ratio": float(wanted),
        "allowed_failures": allowed,
        "remaining_ratio": None if math.isnan(left) else left,
        "proven_ratio": proven(good, total) if total else None,
    }
    return Finding(name, status, f"{word}: {evidence}", step, numbers)


def _verdict(
    good: float, total: float, target: Fraction, unknown: float, allowed: int
) -> tuple[str, Literal["ok", "fail", "unknown"], str]:
    if total == 0 or total < Fraction(str(MINIMUM_COVERAGE)) * Fraction(total + unknown):
        return "unknown", "unknown", "Find out how the unknown ones ended"
    bad = total - good
    if not allowed:
        at_best = special.betaincinv(good + 1, bad, 0.95) if bad else 1.0
        if at_best >= float(target):
            needed = runs_to_allow(float(target))
            step = f"Count at least {needed} events, or promise less"
            return "not measurable", "unknown", step
    if Fraction(good) >= Fraction(total) * target:
        return "met", "ok", "Nothing to do"
    return "breached", "fail", "Follow the error budget policy"


def burndown(
    history: pd.DataFrame, target: SLO | Target, *, expected_total: float | None = None
) -> pd.DataFrame:
    """How the budget of a period was spent, day by day.

    `history` has day, good and total (or bad), in events or minutes; `expected_total` is that of
    the whole period where it is not over yet. Returns day, bad and remaining (ratio of the
    budget at the end of the day, never clamped; NaN when nothing was measured).
    """
    good, total = _good_total(history)
    whole = float(total.sum()) if expected_total is None else expected_total
    allowed = whole * float(1 - _target(target))
    left = 1 - (total - good).cumsum() / allowed if allowed else total * math.nan
    return pd.DataFrame({"day": history["day"], "bad": total - good, "remaining": left})


def backtest(
    history: pd.DataFrame, targets: Iterable[Target], windows: Iterable[int]
) -> pd.DataFrame:
    """What could have been promised: every target with every window of days, on known history.

    `history` has one row a day: day, good and total (or bad). Returns target, window_days,
    green_ratio (of the days on which a whole window was behind us), worst_ratio, longest_red_days
    and history_days, the days it rests on; NaN where the history is shorter than the window.
    """
    good, total = _good_total(history)
    rows = []
    for window in windows:
        summed = total.rolling(window).sum()
        known = summed > 0
        bad = (total - good).rolling(window).sum()[known]
        share = 1 - bad / summed[known]
        for target in targets:
            allowed = summed[known] * float(1 - _target(target))
            red = bad > allowed * (1 + 1e-12)  # sums of floats: a budget spent exactly is kept
            streak = red.groupby((~red).cumsum()).sum().max() if len(red) else math.nan
            green = 1 - red.mean() if len(red) else math.nan
            worst = share.min() if len(red) else math.nan
            rows.append((as_target(target), window, green, worst, streak, len(history)))
    names = ["target", "window_days", "green_ratio", "worst_ratio", "longest_red_days"]
    return pd.DataFrame(rows, columns=[*names, "history_days"])


@dataclass(frozen=True)
class Outlook:
    """How often a promise would hold: counted in runs and in minutes, simulated and exact."""

    runs: int
    allowed_failures: int
    runs_met_exact: float  # chance in [0, 1], by the binomial: the check on the simulation
    runs_met_simulated: float
    budget_minutes: float
    minutes_met: float  # chance in [0, 1]
    bad_minutes: Mapping[str, float]  # of a month: p50, p90, p99
    months: int


def simulate(
    target: SLO | Target,
    *,
    success_rate: float,
    incidents_per_month: float,
    median_minutes: float,
    runs: int = 30,
    spread: float = 1.0,
    period_days: float = 30,
    months: int = 100_000,
    seed: int = 0,
) -> Outlook:
    """What would happen if we promised `target`: months of runs, and months of incidents.

    Runs fail independently with 1 - `success_rate`. Incidents arrive by a Poisson law and last
    lognormally: `median_minutes`, and `spread` as the standard deviation of the logarithm (1: one
    in six lasts 2.7 times the median or more). Overlaps are added up, so minutes are pessimistic.
    """
    if not 0 <= success_rate <= 1 or not 0 <= incidents_per_month <= 100 or median_minutes <= 0:
        raise ValueError("success_rate is in 0..1, incidents_per_month in 0..100, minutes above 0")
    random = np.random.default_rng(seed)
    may_fail = allowed_failures(runs, target)
    failed = random.binomial(runs, 1 - success_rate, months)
    incidents = random.poisson(incidents_per_month, months)
    lengths = random.lognormal(math.log(median_minutes), spread, int(incidents.sum()))
    bad = np.bincount(np.repeat(np.arange(months), incidents), lengths, months)
    bad = np.minimum(bad, period_days * 1440)
    allowed = period_days * 1440 * float(1 - _target(target))
    quantiles = dict(zip(("p50", "p90", "p99"), np.quantile(bad, [0.5, 0.9, 0.99]), strict=True))
    return Outlook(
        runs,
        may_fail,
        float(special.bdtr(may_fail, runs, 1 - success_rate)),
        float((failed <= may_fail).mean()),
        allowed,
        float((bad <= allowed).mean()),
        {name: float(minutes) for name, minutes in quantiles.items()},
        months,
    )


def _good_total(history: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    good = history["good"].astype(float)
    return good, history["total"].astype(float) if "total" in history else good + history["bad"]


def _target(value: SLO | Target) -> Fraction:
    if isinstance(value, SLO):
        return 1 - Fraction(value.error_budget)
    return Fraction(as_target(value))


def _number(value: float, name: str) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise TargetError(f"{name} is {value!r}, not a number", "Write a number, such as 30")
    if not math.isfinite(value):
        raise TargetError(f"{name} is {value}", "Write a number, such as 30")
    return Fraction(str(value))


def _percentage(value: float) -> Fraction:
    number = _number(value, "slo_percent")
    if not 0 < number < 100:
        message = f"slo_percent is {value}, but a target lies between 0 and 100 %, both excluded"
        raise TargetError(message, "Write 99.9: 100 leaves no budget to spend")
    return number / 100


def _shown(target: Fraction) -> str:
    return f"{float(target * 100):.7g} %"


def _check(good: float, total: float) -> None:
    if not 0 <= good <= total or math.isinf(total):
        raise ValueError(f"{good} good of {total}: a part is between 0 and the whole")


def _smallest(holds: Callable[[int], bool], low: int) -> int:
    """The smallest whole number from `low` on for which `holds` turns true."""
    high = low
    while not holds(high):
        low, high = high + 1, high * 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
