"""Comparisons that notebooks 02 and 03 make: months, ways of averaging, printed numbers."""

from __future__ import annotations

import calendar
import math
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pandas as pd

from dataops_lib import windows
from dataops_lib.service_levels import budget
from dataops_lib.service_levels.budget import burn_rate
from dataops_lib.service_levels.burn_alerts import BurnRule, factor
from dataops_lib.service_levels.objectives import Objective, Period, as_target
from dataops_lib.windows import midnight


def published() -> pd.DataFrame:
    """Numbers that books, tools and the article print about budgets, and what they should be.

    Returns where, what, printed and right, of which every right one is computed here. Sources:
    *The Site Reliability Workbook*, chapter 5; pyrra-dev/pyrra@1ba95af slo/rules.go;
    google/prometheus-slo-burn-example@f49fd5b; slo-generator 2.6 (rounds before it compares).
    """
    page = BurnRule(
        name="page", set="service", severity="page", budget_share=Decimal("0.02"), source="5-8",
        long_window=timedelta(hours=1), short_window=timedelta(minutes=5),
    )  # fmt: skip
    left = 100 * (1 - burn_rate(0.0005, "99.9%"))
    rows = [
        ("SRE Workbook", "burn rate of 1 failure in 10 at 99.9 %", 1000, burn_rate(0.1, "99.9%")),
        ("Pyrra, comment", "days that a burn of 7 lasts, of 28", 5, 28 / 7),
        ("Pyrra, comment", "days that a burn of 2 lasts, of 28", 10, 28 / 2),
        ("burn example", "page factor over 28 days", 14.4, factor(page, timedelta(days=28))),
        ("burn example", "budget left (%) at 0.05 % errors and 99.9 %", 99.95, left),
        (
            "slo-generator",
            "budgets used at 0.104 % errors and 99.9 %",
            1,
            burn_rate(0.00104, "99.9%"),
        ),
        ("the article", "budget (%) of SLO 99.9 % with SLA 99.5 %", 0.4, 100 * (1 - 0.999)),
        ("the article", "a z-score that a day can reach inside its week", 3, 6 / math.sqrt(7)),
    ]
    return pd.DataFrame(rows, columns=["where", "what", "printed", "right"])


def months(year: int, zone: str, target: budget.Target) -> pd.DataFrame:
    """month, hours and budget_minutes of each calendar month of `year` in `zone`.

    Real hours: the month in which clocks go forward has one less, and its budget is smaller.
    """
    rows = []
    for number in range(1, 13):
        first = date(year, number, 1)
        following = first + timedelta(days=windows.days_in_month(first))
        hours = (midnight(following, zone) - midnight(first, zone)) / timedelta(hours=1)
        allowed = budget.calculate_error_budget(float(100 * as_target(target)), hours / 24)
        name = f"{calendar.month_abbr[number]} {year}"
        rows.append((name, hours, allowed["error_budget_minutes"]))
    return pd.DataFrame(rows, columns=["month", "hours", "budget_minutes"])


def red_days(good: Sequence[bool], promised: Objective) -> list[bool]:
    """Whether a success objective is broken after each of these daily runs, over its period.

    >>> from dataops_lib.service_levels.objectives import parse
    >>> red_days([True, False, True, True], parse("> 99% (2-day rolling)"))
    [False, True, True, False]
    """
    size = (promised.period or Period(days=30)).nominal_days
    target = promised.target or Decimal(1)
    parts = [good[max(0, end - size) : end] for end in range(1, len(good) + 1)]
    return [part.count(False) > budget.allowed_failures(size, target) for part in parts]


def averages(slices: pd.DataFrame, target: budget.Target | None) -> dict[str, float]:
    """Three error ratios of the same slices (good, total), in [0, 1]; only the first counts events.

    NaN when there were none, or no target to miss.

    >>> days = pd.DataFrame({"good": [1000, 5], "total": [1000, 10]})
    >>> [round(ratio, 4) for ratio in averages(days, "99%").values()]
    [0.005, 0.25, 0.5]
    """
    counted = slices[slices["total"] > 0].astype({"good": float, "total": float})
    bad, allowed = (
        1 - counted["good"] / counted["total"],
        (1 - float(as_target(target)) if target else math.nan),
    )
    whole = 1 - counted["good"].sum() / counted["total"].sum() if len(counted) else math.nan
    return {
        "errors of all events together": float(whole),
        "mean of the slices' error rates": float(bad.mean()),
        "slices that missed the target": float((bad > allowed).mean()) if target else math.nan,
    }
