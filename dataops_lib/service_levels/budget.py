"""Error budgets: what a target allows, how much of it is spent, and the one verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import pandas as pd

from dataops_lib.finding import Finding, Status
from dataops_lib.service_levels.budget_policy import Policy, PolicyState, state_of
from dataops_lib.service_levels.measurements import Measurement
from dataops_lib.service_levels.objectives import SLO, TargetError, promised_share
from dataops_lib.service_levels.objectives import Target as Target
from dataops_lib.service_levels.outlook import Outlook as Outlook
from dataops_lib.service_levels.outlook import backtest as backtest
from dataops_lib.service_levels.outlook import simulate as simulate
from dataops_lib.service_levels.proof import allowed_failures as allowed_failures
from dataops_lib.service_levels.proof import alternatives as alternatives
from dataops_lib.service_levels.proof import at_most as at_most
from dataops_lib.service_levels.proof import chance as chance
from dataops_lib.service_levels.proof import check_part
from dataops_lib.service_levels.proof import evidence as evidence
from dataops_lib.service_levels.proof import interval as interval
from dataops_lib.service_levels.proof import proven as proven
from dataops_lib.service_levels.proof import runs_to_allow as runs_to_allow
from dataops_lib.service_levels.proof import runs_to_prove as runs_to_prove
from dataops_lib.wording import ALMOST, amounts, number, percent, plural

MINIMUM_COVERAGE = Fraction(9, 10)  # below, too much is unknown for a verdict

Word = Literal["met", "breached", "not measurable", "unknown"]
_STATUS: dict[Word, Status] = {
    "met": "ok",
    "breached": "fail",
    "not measurable": "unknown",
    "unknown": "unknown",
}


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
    days = _exact(period_days, "period_days")
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
    return float(Fraction(str(float(error_ratio))) / (1 - Fraction(promised_share(slo))))


def remaining(good: float, total: float, target: SLO | Target) -> float:
    """Share of the budget left: 1 untouched, 0 spent, below 0 overspent; never clamped.

    NaN when nothing was measured. What floats cannot tell from 0 is 0: spent exactly is kept.

    Examples
    --------
    >>> remaining(29, 30, 0.9)
    0.6666666666666666
    """
    check_part(good, total)
    if total == 0:
        return math.nan
    allowed = Fraction(total) * (1 - Fraction(promised_share(target)))
    left = float(1 - (Fraction(total) - Fraction(good)) / allowed)
    return 0.0 if abs(left) < ALMOST else left


@dataclass(frozen=True)
class Verdict:
    """How one promise stands over its own window: the word, the counts behind it, what to do.

    `target` is the promised share; None when the promise must hold always. `trials` says that the
    counts are runs, of which few prove little; minutes and cells are all there is to know.
    """

    word: Word
    measured: Measurement
    target: Decimal | None
    trials: bool = True

    @property
    def status(self) -> Status:
        """ok, fail or unknown."""
        return _STATUS[self.word]

    @property
    def ratio(self) -> float | None:
        """Share of good in the whole window; what is still to come counts as good."""
        whole = self.measured.whole
        return (self.measured.good + self.measured.to_come) / whole if whole else None

    @property
    def spent(self) -> float:
        """Bad minutes, runs or cells, 0 or more."""
        return max(self.measured.total - self.measured.good, 0.0)

    @property
    def allowed(self) -> float:
        """How many may be bad in the whole window, the part of it that is to come included."""
        return self.measured.whole * float(1 - self.target) if self.target is not None else 0.0

    @property
    def left(self) -> float | None:
        """Share of the budget left, never clamped; None when unmeasured, or without a budget."""
        if self.target is None or not self.measured.total:
            return None
        good, whole = self.measured.good + self.measured.to_come, self.measured.whole
        return remaining(min(good, whole), whole, self.target)

    @property
    def next_step(self) -> str:
        """What to do about it."""
        if self.word == "not measurable" and self.target is not None:
            needed = runs_to_allow(self.target)
            return f"Count at least {plural(needed, 'event')}, or promise less"
        return {
            "met": "Nothing to do",
            "breached": "Follow the error budget policy",
            "not measurable": "Promise a share",
            "unknown": "Find out how the unknown ones ended",
        }[self.word]


def stand(measured: Measurement, target: Decimal | None, *, trials: bool = True) -> Verdict:
    """The one verdict that every page, table, headline and decision repeats.

    met, breached, not measurable (too few runs to allow one failure, and those that failed do not
    prove a breach by themselves: Clopper-Pearson, 95 %) or unknown (nothing was measured, or less
    than 90 % of it is known).
    """
    return Verdict(_word(measured, target, trials), measured, target, trials)


def _word(measured: Measurement, target: Decimal | None, trials: bool) -> Word:
    check_part(measured.good, measured.total)
    coverage, bad = measured.coverage, measured.total - measured.good
    if coverage is None or not measured.total or Fraction(coverage) < MINIMUM_COVERAGE:
        return "unknown"
    if target is None:
        return "met" if bad <= ALMOST * measured.total else "breached"
    few = trials and not allowed_failures(int(measured.whole), target)
    if few and at_most(measured.good, measured.total) >= float(target):
        return "not measurable"
    good, whole = measured.good + measured.to_come, measured.whole
    return "met" if remaining(min(good, whole), whole, target) >= 0 else "breached"


def verdict(
    good: float,
    total: float,
    target: SLO | Target,
    *,
    unknown: float = 0,
    to_come: float = 0,
    subject: str = "",
) -> Finding:
    """`stand` as a finding: the target was met (ok), breached (fail), or cannot be told (unknown).

    `numbers["verdict"]` is the word. `to_come` is what a calendar period still promises.
    """
    wanted = promised_share(target)
    name = subject or (target.name if isinstance(target, SLO) else f"target {percent(wanted)}")
    standing = stand(Measurement(good, total, unknown, to_come=to_come), wanted)
    allowed = allowed_failures(int(total + to_come), wanted)
    share = percent(standing.ratio, promise=wanted)
    evidence = f"{number(good)} of {number(total)} good ({share}), {percent(wanted)} promised, "
    numbers = {
        "verdict": standing.word,
        "good": good,
        "total": total,
        "unknown": unknown,
        "target_ratio": float(wanted),
        "allowed_failures": allowed,
        "remaining_ratio": standing.left,
        "proven_ratio": proven(good, total) if total else None,
    }
    words = f"{standing.word}: {evidence}{number(allowed)} may fail"
    return Finding(name, standing.status, words, standing.next_step, numbers)


@dataclass(frozen=True)
class Budget:
    """What one promise allows to be bad over its own period, and how much of it is spent.

    `unit` is minutes or runs; `tier` that of the table. `state` is what the error budget policy
    asks for, None while nothing can be judged.
    """

    slo: SLO
    tier: int
    unit: Literal["minutes", "runs"]
    verdict: Verdict
    state: PolicyState | None
    sla_breached: bool = False

    @property
    def subject(self) -> str:
        """How findings call it."""
        return f"{self.slo.table} {NAMES[self.slo.sli]} budget"

    @property
    def remaining(self) -> float:
        """Share of the budget left: 1 untouched, below 0 overspent; NaN when unmeasured."""
        return math.nan if self.verdict.left is None else self.verdict.left

    @property
    def left(self) -> float:
        """Minutes or runs that may still be bad; below 0 when overspent."""
        return self.verdict.allowed - self.verdict.spent

    @property
    def status(self) -> Status:
        """That of the policy's state; a breached SLA is worth a look whatever is left."""
        if self.state is None:
            return "unknown"
        return "warn" if self.sla_breached and self.state.status == "ok" else self.state.status

    @property
    def action(self) -> str:
        """What follows."""
        if self.state is None:
            return self.verdict.next_step
        if self.sla_breached and self.state.status == "ok":
            return "Repair before you ship: consumers were promised more than is kept"
        return self.state.action

    @property
    def runs_needed(self) -> int | None:
        """The fewest runs of which one may fail; None where minutes are counted."""
        return runs_to_allow(self.slo) if self.unit == "runs" else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the share of good runs (Clopper-Pearson); None for minutes.

        Stale minutes come in spells and are no independent trials.
        """
        measured = self.verdict.measured
        if self.unit == "minutes" or not measured.total:
            return None
        return interval(measured.good, measured.total, "clopper-pearson")

    @property
    def at_most(self) -> float:
        """The rate that the failures prove at most, one-sided at 95 %; the verdict hangs on it."""
        return at_most(self.verdict.measured.good, self.verdict.measured.total)

    @property
    def evidence(self) -> str:
        """What was spent and left, in a few words."""
        if self.verdict.left is None:
            return "not measured"
        period = self.slo.period
        within = plural(period.days, "day") if period.days else f"this {period}"
        size, unit = (60, "hours") if self.unit == "minutes" else (1, "runs")
        of = amounts(self.verdict.spent / size, self.verdict.allowed / size, unit)
        spent = f"{of} spent in {within}"
        if self.state is None:
            needs = f", needs {plural(self.runs_needed, 'run')}" if self.runs_needed else ""
            return f"{self.verdict.word}{needs}: {spent}"
        left = percent(abs(self.remaining), digits=3)
        return f"{f'{left} left' if self.remaining >= 0 else f'overspent by {left}'}, {spent}"

    @property
    def finding(self) -> Finding:
        """The budget as a judgement, with its figures for diagnosis.json."""
        measured, unit, known = self.verdict.measured, self.unit, self.verdict.left is not None
        figures = {
            "good": measured.good,
            "total": measured.total,
            "period_total": measured.whole,
            f"allowed_{unit}": self.verdict.allowed,
            f"spent_{unit}": self.verdict.spent,
            f"left_{unit}": self.left,
        }
        numbers = {
            "table": self.slo.table,
            "tier": self.tier,
            "sli": self.slo.sli,
            "objective": str(replace(self.slo.objective, period=None)),
            "target_ratio": float(promised_share(self.slo)),
            "window": str(self.slo.period),
            "unit": unit,
            "unknown": measured.unknown,
            "remaining_ratio": self.verdict.left,
            "verdict": self.verdict.word,
            "runs_needed": self.runs_needed,
            "interval_ratio": list(self.interval) if self.interval else None,
            "state": self.state.name if self.state else None,
            **{name: amount if known else None for name, amount in figures.items()},
        }
        return Finding(self.subject, self.status, self.evidence, self.action, numbers)


NAMES = {  # the SLIs of an SLO file, as people call them
    "freshness": "freshness",
    "pipeline_success_rate": "run success",
    "completeness": "completeness",
    "volume_anomaly": "volume",
}


def of(
    slo: SLO, verdict: Verdict, policy: Policy, *, tier: int, sla_breached: bool = False
) -> Budget:
    """The budget of a promise that names a share, as `verdict` on its own period left it."""
    unit: Literal["minutes", "runs"] = "minutes" if slo.sli == "freshness" else "runs"
    judged = verdict.status != "unknown" and verdict.left is not None
    state = state_of(verdict.left or 0.0, policy) if judged else None
    return Budget(slo, tier, unit, verdict, state, sla_breached)


def burndown(
    history: pd.DataFrame, target: SLO | Target, *, expected_total: float | None = None
) -> pd.DataFrame:
    """How the budget of a period was spent, day by day.

    `history` has day, good and total (or bad), in events or minutes; `expected_total` is that of
    the whole period where it is not over yet. Returns day, bad and remaining (ratio of the
    budget at the end of the day, never clamped; NaN when nothing was measured).
    """
    total = history["total"] if "total" in history else history["good"] + history["bad"]
    bad = total.astype(float) - history["good"].astype(float)
    whole = float(total.sum()) if expected_total is None else expected_total
    allowed = whole * float(1 - promised_share(target))
    left = 1 - bad.cumsum() / allowed if allowed else bad * math.nan
    left = left.mask(left.abs() <= ALMOST, 0.0)
    return pd.DataFrame({"day": history["day"], "bad": bad, "remaining": left})


def _exact(value: float, name: str) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise TargetError(f"{name} is {value!r}, not a number", "Write a number, such as 30")
    if not math.isfinite(value):
        raise TargetError(f"{name} is {value}", "Write a number, such as 30")
    return Fraction(str(value))


def _percentage(value: float) -> Fraction:
    number = _exact(value, "slo_percent")
    if not 0 < number < 100:
        message = f"slo_percent is {value}, but a target lies between 0 and 100 %, both excluded"
        raise TargetError(message, "Write 99.9: 100 leaves no budget to spend")
    return number / 100
