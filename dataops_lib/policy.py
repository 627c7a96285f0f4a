"""Domain: what follows from the numbers: who is called, how fast, and what stops."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import pandas as pd
from pydantic import Field, model_validator

from dataops_lib import located
from dataops_lib.budget import Target, burn_rate
from dataops_lib.finding import Finding, Status
from dataops_lib.models import Frozen, Line
from dataops_lib.objective import SLO, as_target, percent
from dataops_lib.windows import Window

Share = Annotated[Decimal, Field(gt=0, lt=1)]
Severity = Literal["P1", "P2", "P3"]
State = Literal["slo_missed", "sla_breached"]

# Burn-rate alerts -------------------------------------------------------------------------------


class BurnRule(Frozen):
    """Alert once `budget_share` of the budget would go in the long window, and still does."""

    name: Line
    set: Line  # which kind of table it is for: service or daily
    severity: Literal["page", "ticket"]
    budget_share: Share
    long_window: timedelta
    short_window: timedelta
    source: Line

    @model_validator(mode="after")
    def _ordered(self) -> BurnRule:
        if not timedelta(0) < self.short_window < self.long_window:
            raise ValueError("the short window must be shorter than the long one")
        return self


class BurnRules(Frozen):
    """The whole burn_rate_rules.yaml."""

    rules: tuple[BurnRule, ...]


def burn_rules(text: str, which: str, file: str = "burn_rate_rules.yaml") -> list[BurnRule]:
    """The rules of the set `which`, "service" or "daily"; TeamError with all mistakes."""
    found = located.validate(BurnRules, located.loads(text, file)).rules
    return [rule for rule in found if rule.set == which]


def factor(rule: BurnRule, period: timedelta) -> float:
    """The burn rate above which `rule` alerts: 2 % of 30 days in one hour is 14.4."""
    return float(rule.budget_share) * (period / rule.long_window)


def check(
    rule: BurnRule, target: SLO | Target, period: timedelta, *, every: timedelta | None = None
) -> Finding:
    """Say whether `rule` can ever alert; `every` is the time between runs if runs are counted."""
    limit = factor(rule, period)
    highest = burn_rate(1.0, target)
    numbers = {"factor": limit, "highest_burn": highest}
    evidence = f"alerts above {limit:.4g}, a total outage burns at {highest:.4g}"
    if limit >= highest:
        lowest = 1 - 1 / limit if limit > 1 else 0.0
        step = f"Promise more than {percent(round(lowest, 4))}, or give the rule a larger window"
        return Finding(rule.name, "fail", f"can never alert: {evidence}", step, numbers)
    if every is not None and rule.short_window < every:
        evidence = f"its windows of {rule.long_window} and {rule.short_window} hold no run of every"
        step = "Count minutes of freshness instead, or use the daily rules"
        return Finding(rule.name, "fail", f"{evidence} {every}", step, numbers)
    return Finding(rule.name, "ok", evidence, "Nothing to do", numbers)


def detection_time(
    rule: BurnRule, target: SLO | Target, period: timedelta, error_ratio: float = 1.0
) -> timedelta | None:
    """How long an outage of `error_ratio` lasts before `rule` alerts; None if it never does."""
    share = factor(rule, period) / burn_rate(error_ratio, target) if error_ratio > 0 else math.inf
    return rule.long_window * share if share < 1 else None


def alerts(errors: pd.Series, rule: BurnRule, target: SLO | Target, period: timedelta) -> pd.Series:
    """Where `rule` alerts on a history: True at the end of each step it fires on.

    `errors` is the share of bad in [0, 1] per step of an even time index (`sli.errors`); NaN is
    unknown and left out of the mean. Before the first step everything counts as good.
    """
    step = errors.index[1] - errors.index[0]
    fires = pd.Series(True, index=errors.index)
    for window in (rule.long_window, rule.short_window):
        size = max(1, round(window / step))
        bad = errors.fillna(0).rolling(size, min_periods=1).sum()
        known = size - errors.isna().astype(float).rolling(size, min_periods=1).sum()
        burning = bad / known.where(known > 0) / float(1 - _ratio(target))
        fires &= burning > factor(rule, period)
    return fires


def stale_alert(
    budget_left: timedelta, at: datetime, next_due_at: datetime, name: str = "freshness"
) -> Finding:
    """Say whether a table that is stale at `at` spends its budget before the next run is due."""
    spent_at = at + max(budget_left, timedelta(0))
    evidence = f"stale, and its budget is spent at {spent_at:%Y-%m-%d %H:%M} UTC, "
    evidence += f"the next run is due at {next_due_at:%H:%M}"
    if spent_at < next_due_at:
        return Finding(name, "fail", evidence, "Page now: the next run comes too late")
    return Finding(name, "warn", evidence, "Watch the next run")


def _ratio(target: SLO | Target) -> Decimal:
    return 1 - target.error_budget if isinstance(target, SLO) else as_target(target)


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


# The budget that is left ------------------------------------------------------------------------


class PolicyState(Frozen):
    """What to do while more than `above` of the budget is left; the last state has no `above`."""

    name: Line
    above: Decimal | None = None
    status: Status
    action: Line
    source: Line


class IncidentRule(Frozen):
    """What one incident asks for that took more than `share` of a budget."""

    share: Share
    action: Line
    source: Line


class Policy(Frozen):
    """The whole error_budget_policy.yaml."""

    states: tuple[PolicyState, ...] = Field(min_length=1)
    incident: IncidentRule

    @model_validator(mode="after")
    def _falls(self) -> Policy:
        bounds = [state.above for state in self.states]
        if bounds[-1] is not None or None in bounds[:-1]:
            raise ValueError("the last state, and only that one, has no `above`")
        known = [bound for bound in bounds if bound is not None]
        if known != sorted(known, reverse=True):
            raise ValueError("states go from the most budget left to the least")
        return self


def load_policy(text: str, file: str = "error_budget_policy.yaml") -> Policy:
    """The error budget policy; TeamError with all mistakes."""
    return located.validate(Policy, located.loads(text, file))


def decide(left: float, policy: Policy, subject: str = "error budget") -> Finding:
    """What the policy asks for while the ratio `left` of the budget is left; NaN is unknown."""
    if math.isnan(left):
        return Finding(subject, "unknown", "the budget was not measured", "Measure it first")
    state = next(s for s in policy.states if s.above is None or left > s.above)
    evidence = f"{state.name}: {percent(left)} of the budget is left"
    numbers = {"state": state.name, "remaining_ratio": left}
    return Finding(subject, state.status, evidence, state.action, numbers)


def forecast(
    burndown: pd.DataFrame, *, days_left: int, recent_days: int = 7, subject: str = "error budget"
) -> Finding:
    """When the budget runs out if the last `recent_days` go on; `burndown` as in `budget`.

    `days_left` are those of the period still to come.
    """
    left = burndown["remaining"].iloc[-1] if len(burndown) else math.nan
    if math.isnan(left):
        return Finding(subject, "unknown", "the budget was not measured", "Measure it first")
    before = burndown["remaining"].iloc[-recent_days - 1] if len(burndown) > recent_days else 1.0
    speed = (before - left) / min(recent_days, len(burndown))
    lasts = math.inf if speed <= 0 else max(left, 0) / speed
    numbers = {"remaining_ratio": left, "lasts_days": None if math.isinf(lasts) else lasts}
    if left <= 0:
        return Finding(
            subject, "fail", f"spent: {percent(left)} is left", "Follow the policy", numbers
        )
    if lasts >= days_left:
        evidence = f"{percent(left)} is left, enough for the {days_left} days to come"
        return Finding(subject, "ok", evidence, "Nothing to do", numbers)
    evidence = f"{percent(left)} is left and lasts {lasts:.1f} of {days_left} days at this speed"
    return Finding(subject, "warn", evidence, "Repair the largest spender first", numbers)


# Severity, response and tiers -------------------------------------------------------------------


@dataclass(frozen=True)
class ServiceHours:
    """When a promise holds or people work: hours of some weekdays (0 is Monday) of a zone."""

    zone: str = "UTC"
    weekdays: frozenset[int] = frozenset(range(5))
    opens: time = time(9)
    closes: time = time(17)
    holidays: frozenset[date] = frozenset()

    def spans(self, window: Window) -> Iterator[Window]:
        """The service hours inside `window`, in order."""
        zone = ZoneInfo(self.zone)
        for day, _ in window.days(self.zone):
            if day.weekday() in self.weekdays and day not in self.holidays:
                opens = datetime.combine(day, self.opens, tzinfo=zone).astimezone(UTC)
                closes = datetime.combine(day, self.closes, tzinfo=zone).astimezone(UTC)
                if max(opens, window.start) < min(closes, window.end):
                    yield Window(max(opens, window.start), min(closes, window.end))

    def outside(self, window: Window) -> list[Window]:
        """Everything else in `window`: what `sli.freshness` takes as excluded."""
        spans = list(self.spans(window))
        starts = [window.start, *(span.end for span in spans)]
        ends = [*(span.start for span in spans), window.end]
        return [Window(a, b) for a, b in zip(starts, ends, strict=True) if a < b]


class Clock(Frozen):
    """By when somebody answers: `within` of working time from the start."""

    severity: Severity
    starts: Literal["now", "business_hours", "next_business_day"]
    within: timedelta | None = None
    words: Line
    source: Line


class SeverityRule(Frozen):
    """How bad a state of a tier is once it has been `lasting` that long."""

    tier: Annotated[int, Field(ge=1, le=3)]
    state: State
    lasting: timedelta
    severity: Severity
    source: Line


class TierRule(Frozen):
    """What puts a table into a tier."""

    tier: Annotated[int, Field(ge=1, le=3)]
    uses: tuple[Line, ...]
    consumers_from: int
    money_per_day_from: Decimal
    source: Line


class Severities(Frozen):
    """The whole severity.yaml."""

    clocks: tuple[Clock, ...]
    severities: tuple[SeverityRule, ...]
    tiers: tuple[TierRule, ...]


def load_severities(text: str, file: str = "severity.yaml") -> Severities:
    """Severities, response clocks and tiers; TeamError with all mistakes."""
    return located.validate(Severities, located.loads(text, file))


def severity(tier: int, state: State, lasted: timedelta, table: Severities) -> Severity:
    """The severity of a table of `tier` that has missed its SLO or SLA for `lasted`."""
    rows = [r for r in table.severities if (r.tier, r.state) == (tier, state)]
    held = [row for row in rows if row.lasting <= lasted]
    if not held:
        raise ValueError(f"no severity is written for tier {tier} and {state}; add it")
    return max(held, key=lambda row: row.lasting).severity


def respond_by(level: Severity, at: datetime, hours: ServiceHours, table: Severities) -> datetime:
    """The UTC time by which somebody answers an alert of `at`, by the clock of its severity."""
    clock = next(clock for clock in table.clocks if clock.severity == level)
    if clock.starts == "now":
        return at + (clock.within or timedelta(0))
    today = at.astimezone(ZoneInfo(hours.zone)).date()
    open_spans = hours.spans(Window(at, at + timedelta(days=30)))
    if clock.starts == "next_business_day":
        later = (s for s in open_spans if s.start.astimezone(ZoneInfo(hours.zone)).date() > today)
        return next(later).end
    left = clock.within or timedelta(0)
    for span in open_spans:
        if left <= span.duration:
            return span.start + left
        left -= span.duration
    raise ValueError("nobody works within 30 days; check the service hours")


@dataclass(frozen=True)
class TierProposal:
    """A tier for people to agree on, and why."""

    tier: int
    reasons: tuple[str, ...]


def propose_tier(
    uses: Collection[str], consumers: int, money_per_day: float, table: Severities
) -> TierProposal:
    """The tier that the uses, the number of consumers and the money at stake speak for."""
    for rule in sorted(table.tiers, key=lambda rule: rule.tier):
        reasons = [f"is used for {use}" for use in rule.uses if use in {u.lower() for u in uses}]
        if 0 < rule.consumers_from <= consumers:
            reasons.append(f"{consumers} consumers, {rule.consumers_from} or more")
        if 0 < rule.money_per_day_from <= money_per_day:
            at_stake = f"{money_per_day:g} a day at stake, {rule.money_per_day_from} or more"
            reasons.append(at_stake)
        if reasons:
            return TierProposal(rule.tier, tuple(reasons))
    return TierProposal(3, ("no decision, many consumers or money hang on it",))
