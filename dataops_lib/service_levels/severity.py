"""How bad it is, by when somebody answers, and what puts a table into a tier."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from dataops_lib import playbook, yaml_lines
from dataops_lib.fields import Frozen, Line
from dataops_lib.windows import Window

Severity = Literal["P1", "P2", "P3"]
State = Literal["slo_missed", "sla_breached"]


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
    return yaml_lines.validate(Severities, yaml_lines.loads(text, file))


def load() -> Severities:
    """The severities of the playbook."""
    return load_severities(playbook.text("severity.yaml"))


def severity(
    tier: int, state: State, lasted: timedelta, table: Severities, written: str | None = None
) -> str:
    """The severity of a table of `tier` that has missed its SLO or SLA for `lasted`.

    `written` is the on_call_severity of its promises: it stands in the place of the tier's, until
    the state has lasted long enough to be worse.
    """
    rows = [r for r in table.severities if (r.tier, r.state) == (tier, state)]
    held = sorted((row for row in rows if row.lasting <= lasted), key=lambda row: row.lasting)
    if not held:
        raise ValueError(f"no severity is written for tier {tier} and {state}; add it")
    if written is None:
        return held[-1].severity
    grown = held[-1].severity != held[0].severity
    return min(written, held[-1].severity) if grown else written


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
