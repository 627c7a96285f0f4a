"""What would hold: promises tried on a history that is known, and on periods that are drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from dataops_lib.service_levels.objectives import SLO, Target, as_target, promised_share
from dataops_lib.service_levels.proof import allowed_failures
from dataops_lib.wording import ALMOST

COLUMNS = ["target", "window_days", "green_ratio", "worst_ratio", "longest_red_days"]


def backtest(
    history: pd.DataFrame,
    targets: Iterable[Target],
    windows: Iterable[int],
    *,
    left_out: int = 0,
) -> pd.DataFrame:
    """What could have been promised: every target with every window of days, on known history.

    `history` has one row a day: day, good and total (or bad). The last `left_out` days choose
    nothing: on them the promises are tried as on days to come. Returns target, window_days,
    green_ratio (of the days on which a whole window was behind us), worst_ratio, longest_red_days
    and history_days, the days these rest on; NaN where they are fewer than the window. later_red
    is the number of red days among the later_days that were left out.
    """
    good = history["good"].astype(float)
    total = history["total"].astype(float) if "total" in history else good + history["bad"]
    learned = max(len(history) - left_out, 0)
    rows = []
    for window in windows:
        summed = total.rolling(window).sum()
        bad = (total - good).rolling(window).sum()
        measured = summed > 0
        share = (1 - bad / summed)[:learned][measured[:learned]]
        for target in targets:
            allowed = summed * float(1 - as_target(target))
            red = (bad > allowed * (1 + ALMOST)).where(measured)  # spent exactly is kept
            early, late = (part.dropna().astype(bool) for part in (red[:learned], red[learned:]))
            streak = early.groupby((~early).cumsum()).sum().max() if len(early) else math.nan
            green = 1 - early.mean() if len(early) else math.nan
            worst = share.min() if len(early) else math.nan
            judged = (as_target(target), window, green, worst, streak)
            rows.append((*judged, learned, int(late.sum()), len(late)))
    return pd.DataFrame(rows, columns=[*COLUMNS, "history_days", "later_red", "later_days"])


@dataclass(frozen=True)
class Outlook:
    """How often a promise would hold: counted in runs and in minutes, simulated and exact."""

    runs: int
    allowed_failures: int
    runs_met_exact: float  # chance in [0, 1], by the binomial: the check on the simulation
    runs_met_simulated: float
    budget_minutes: float
    minutes_met: float  # chance in [0, 1]
    bad_minutes: Mapping[str, float]  # of a period: p50, p90, p99
    months: int  # periods that were drawn
    period_days: float = 30


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
    """What would happen if we promised `target`: many periods of runs, and of incidents.

    `runs` are those of one period; they fail independently with 1 - `success_rate`. Incidents
    arrive by a Poisson law (a month has 30 days, so a period of 7 gets 7/30 of a month's) and last
    lognormally: `median_minutes`, and `spread` as the standard deviation of the logarithm (1: one
    in six lasts 2.7 times the median or more). Overlaps are added up, so minutes are pessimistic.
    `months` is the number of periods that are drawn.
    """
    if not 0 <= success_rate <= 1 or not 0 <= incidents_per_month <= 100 or median_minutes <= 0:
        raise ValueError("success_rate is in 0..1, incidents_per_month in 0..100, minutes above 0")
    random = np.random.default_rng(seed)
    budget = float(1 - promised_share(target))
    may_fail = allowed_failures(runs, target)
    failed = random.binomial(runs, 1 - success_rate, months)
    incidents = random.poisson(incidents_per_month * period_days / 30, months)
    lengths = random.lognormal(math.log(median_minutes), spread, int(incidents.sum()))
    bad = np.bincount(np.repeat(np.arange(months), incidents), lengths, months)
    bad = np.minimum(bad, period_days * 1440)
    allowed = period_days * 1440 * budget
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
        period_days,
    )
