"""What a promise about a table says, and what a measurement of it holds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dataops_lib.service_levels.periods import Period as Period
from dataops_lib.service_levels.periods import TargetError as TargetError
from dataops_lib.service_levels.periods import read_period
from dataops_lib.wording import MINUTES, unit_minutes

Kind = Literal["age", "ratio", "score"]
Target = Decimal | float | str

_OBJECTIVE = re.compile(
    r"(?P<z>z-?score\s*)?(?P<sign><=?|>=?|≤|≥)\s*"
    r"(?P<number>[+-]?(?:\d+(?:\.\d+)?|nan|inf(?:inity)?))\s*(?P<unit>%|[a-z]+)?"
    r"(?:\s*(?:for|,)\s*(?P<share>[+-]?[\w.]+)\s*%(?:\s+of\s+\w+)?)?"
    r"\s*(?:\((?P<period>[^()]*)\))?",
    re.IGNORECASE,
)

_BUDGET = re.compile(
    r"(?P<share>[\d.]+)\s*%(?:\s*=\s*(?P<time>[\d.]+)\s*(?P<unit>minutes?|hours?)/(?P<per>\w+))?"
)

_DEADLINE = re.compile(
    r"(?:before|by)\s+(?P<time>\d{1,2}:\d{2})\s+(?P<zone>[A-Za-z][\w+/-]*)"
    r"(?:\s*(?:for|,)\s*(?P<share>[\d.]+)\s*%(?:\s+of\s+\w+)?)?"
    r"\s*(?:\((?P<period>[^()]*)\))?",
    re.IGNORECASE,
)


def as_target(value: Target) -> Decimal:
    """A target as an exact ratio in (0, 1).

    Floats are read as they are printed, so 0.995 is 995/1000; text may carry a percent sign.

    Raises
    ------
    TargetError
        For 0 %, 100 %, negative, infinite or missing values, and for percent given as ratio.

    Examples
    --------
    >>> as_target("99.5%"), as_target(0.995)
    (Decimal('0.995'), Decimal('0.995'))
    """
    words = str(value).strip()
    try:
        ratio = Decimal(words.removesuffix("%")) / (100 if words.endswith("%") else 1)
    except InvalidOperation:
        raise TargetError(f"target {words!r} is not a number", "Write 99.5%") from None
    if not ratio.is_finite() or ratio <= 0:
        raise TargetError(f"target is {words}, but a target lies between 0 and 100 %", "Write 99%")
    if ratio == 1:
        raise TargetError("target is 100 %, which leaves no budget to spend", "Write 99.9%")
    if ratio > 1:
        fix = f"For {words} % write {words}%" if ratio < 100 and "%" not in words else "Write 99.9%"
        raise TargetError(f"target is {words}, but a target is a ratio between 0 and 1", fix)
    return ratio.normalize()


@dataclass(frozen=True)
class Objective:
    """A limit that a measurement keeps or breaks; keeping includes the limit itself.

    `limit` is a timedelta for an age (at most), a ratio for a share (at least) and a number for a
    score (its size at most). `target` is the share of good minutes or events that the promise
    needs: the limit itself for a ratio; None when an age or score promises no share. A deadline is
    an age: `by` a time of day in `zone`, and `limit` the time until then, from midnight or, once it
    is `due_at` a moment, from there.
    """

    kind: Kind
    limit: timedelta | Decimal
    period: Period | None = None
    share: Decimal | None = None
    by: time | None = None
    zone: str = "UTC"

    @property
    def target(self) -> Decimal | None:
        """Share of good that is promised, in (0, 1); None when the words give none."""
        return (
            self.limit if isinstance(self.limit, Decimal) and self.kind == "ratio" else self.share
        )

    def met(self, value: timedelta | Decimal | float) -> bool:
        """True when `value` keeps the limit: an age, a ratio in [0, 1], or a score."""
        if isinstance(value, timedelta) or isinstance(self.limit, timedelta):
            return value <= self.limit  # type: ignore[operator]  # two ages, or a TypeError
        exact = Decimal(str(value))
        return exact >= self.limit if self.kind == "ratio" else abs(exact) <= self.limit

    def due_at(self, moment: datetime) -> Objective:
        """The same deadline as an age past `moment` (UTC), when the table is due."""
        if self.by is None:
            return self
        local = ZoneInfo(self.zone)
        days = (moment.astimezone(local).date() + timedelta(days=n) for n in range(2))
        ends = (datetime.combine(day, self.by, local).astimezone(UTC) for day in days)
        return replace(self, limit=next(end for end in ends if end > moment) - moment)

    def __str__(self) -> str:
        words = [{"age": "<", "ratio": ">", "score": "Z-score <"}[self.kind]]
        if self.by is not None:
            words = ["before", f"{self.by:%H:%M}", self.zone]
        elif isinstance(self.limit, timedelta):
            words.append(_duration(self.limit))
        else:
            words.append(plain(self.limit, self.kind == "ratio"))
        words += [f"for {plain(self.share, True)}"] if self.share is not None else []
        return " ".join([*words, *([f"({self.period})"] if self.period else [])])


def plain(value: Decimal, as_percent: bool) -> str:
    """A limit as files write it: 99.5%, or a number."""
    return f"{(value * 100).normalize():f}%" if as_percent else f"{value.normalize():f}"


def _duration(span: timedelta) -> str:
    minutes = Decimal(span // timedelta(microseconds=1)) / 60_000_000
    for unit, size in (("day", 2880), ("hour", 60), ("minute", 0)):
        if minutes >= size and minutes % (per := MINUTES[unit]) == 0:
            return f"{minutes / per:f} {unit}{'s' if minutes != per else ''}"
    return f"{minutes:f} minutes"


def parse(text: str) -> Objective:
    """The objective that a string of the article promises.

    Beyond the article, an age or score may say for which share of the time it holds.

    Raises
    ------
    TargetError
        When the words cannot be read or promise nothing that can be kept.

    Examples
    --------
    >>> parse("> 99.5% (7-day rolling)").target
    Decimal('0.995')
    >>> parse("< 2 hours").limit
    datetime.timedelta(seconds=7200)
    >>> str(parse("before 07:00 Europe/Berlin for 99% of days (30-day rolling)"))
    'before 07:00 Europe/Berlin for 99% (30-day rolling)'
    >>> str(parse("< 2 hours for 99% of minutes (30-day rolling)"))
    '< 2 hours for 99% (30-day rolling)'
    """
    if deadline := _DEADLINE.fullmatch(text.strip()):
        return _deadline(deadline)
    match = _OBJECTIVE.fullmatch(text.strip())
    if match is None:
        forms = (
            "'< 2 hours', 'before 07:00 Europe/Berlin', '> 99.5% (7-day rolling)', 'Z-score < 3'"
        )
        raise TargetError(
            f"{text!r} is not an objective", f"Write it like {forms} or 'Z-score < 3'"
        )
    number, unit, upper = match["number"], (match["unit"] or "").lower(), match["sign"] in "<=≤"
    period = read_period(match["period"]) if match["period"] else None
    share = as_target(match["share"] + "%") if match["share"] else None
    if match["z"] or unit not in ("%", "") or upper:
        if not upper:
            fix = f"Write 'Z-score < {number}'" if match["z"] else f"Write '< {number} {unit}'"
            raise TargetError(f"{text!r} is a lower bound", fix)
        if not Decimal(number).is_finite() or Decimal(number) <= 0:
            raise TargetError(f"{text!r} has no limit above 0", "Write '< 2 hours'")
    if match["z"] and not unit:
        return Objective("score", Decimal(number), period, share)
    if unit == "%" or not unit:
        if upper or match["z"] or share:
            raise TargetError(f"{text!r} is not a share of good", f"Write '> {number}%'")
        return Objective("ratio", as_target(number + unit), period)
    minutes = unit_minutes(unit)
    if minutes is None:
        raise TargetError(
            f"{text!r}: unit {unit!r} is not known", "Write minutes, hours, days or weeks"
        )
    try:
        span = timedelta(microseconds=int(Decimal(number) * minutes * 60_000_000))
    except OverflowError:
        raise TargetError(f"{text!r} is longer than time itself", "Write '< 30 days'") from None
    return Objective("age", span, period, share)


def _deadline(match: re.Match[str]) -> Objective:
    zone, clock = match["zone"], match["time"]
    try:
        ZoneInfo(zone)
        by = time.fromisoformat(clock.zfill(5))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        fix = "Write it like 'before 07:00 Europe/Berlin'"
        raise TargetError(f"{match[0]!r} names no time of day and time zone", fix) from None
    limit = timedelta(hours=by.hour, minutes=by.minute)
    period = read_period(match["period"]) if match["period"] else None
    share = as_target(match["share"] + "%") if match["share"] else None
    return Objective("age", limit, period, share, by, zone)


@dataclass(frozen=True)
class BudgetText:
    """What a file says its budget is: a share in (0, 1) and the time it claims to be."""

    share: Decimal
    time: timedelta | None = None
    per: str = "month"

    def __str__(self) -> str:
        share = plain(self.share, True)
        if self.time is None:
            return share
        hours = Decimal(self.time // timedelta(microseconds=1)) / 3_600_000_000
        return f"{share} = {hours.normalize():f} hours/{self.per}"


def parse_budget(text: str) -> BudgetText:
    """What "0.5% = 3.6 hours/month" says.

    Examples
    --------
    >>> parse_budget("0.5% = 3.6 hours/month").time
    datetime.timedelta(seconds=12960)
    """
    match = _BUDGET.fullmatch(text.strip())
    try:
        if match is None:
            raise InvalidOperation
        share = 1 - as_target(f"{100 - Decimal(match['share'])}%")
        length = Decimal(match["time"]) if match["time"] else None
    except InvalidOperation:
        fix = "Write it like '0.5% = 3.6 hours/month'"
        raise TargetError(f"{text!r} is not an error budget", fix) from None
    if length is None:
        return BudgetText(share)
    minutes = length * (60 if match["unit"].startswith("hour") else 1)
    return BudgetText(share, timedelta(microseconds=int(minutes * 60_000_000)), match["per"])


@dataclass(frozen=True)
class SLO:
    """One promise about one SLI of one table: our own target, and the SLA where there is one.

    Times of `schedule` (cron) are those of `zone`. `line` is where the file says so.
    """

    table: str
    sli: str
    objective: Objective
    sla: Objective | None = None
    tier: int | None = None
    owner: str | None = None
    severity: str | None = None
    schedule: str | None = None
    zone: str = "UTC"
    budget: BudgetText | None = None
    columns: tuple[str, ...] = ()
    line: int | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """Table and SLI, as findings call it."""
        return f"{self.table} {self.sli}"

    @property
    def target(self) -> Decimal | None:
        """Promised share of good in (0, 1).

        Freshness without a share of its own takes it from the file's budget: a budget in hours
        can only be spent in time. None when nothing promises a share.
        """
        if self.objective.target is None and self.budget and self.objective.kind == "age":
            return 1 - self.budget.share
        return self.objective.target

    @property
    def sla_target(self) -> Decimal | None:
        """Share of good that the SLA promises: its own, or that of the file's budget.

        A budget is written for the table, so it holds for an SLA without a share as it does for
        the SLO; otherwise a minute too late would breach the SLA of an SLO that is kept.
        """
        if self.sla is not None and self.sla.target is None and self.objective.target is None:
            return self.target
        return self.sla.target if self.sla else None

    @property
    def error_budget(self) -> Decimal:
        """Share that may be bad: 1 - target.

        Raises
        ------
        TargetError
            When the promise names no share of good.
        """
        if self.target is None:
            fix = f"Write '{self.objective} for 99%'"
            raise TargetError(f"{self.name} promises no share of good, so it has no budget", fix)
        return 1 - self.target

    @property
    def safety_margin(self) -> Decimal | timedelta | None:
        """How much worse than the SLO things may get before the SLA breaks: not the budget."""
        if self.sla is None or self.sla.kind != self.objective.kind:
            return None
        gap = self.sla.limit - self.objective.limit  # type: ignore[operator]  # the same kind
        return -gap if self.objective.kind == "ratio" else gap

    @property
    def period(self) -> Period:
        """The period of the promise; 30 days when it names none, as the article's budgets do."""
        return self.objective.period or Period(days=30)


def promised_share(promise: SLO | Target) -> Decimal:
    """The share of good in (0, 1) that a promise, or a bare target, asks for; TargetError if none.

    >>> promised_share("99.5%")
    Decimal('0.995')
    """
    return 1 - promise.error_budget if isinstance(promise, SLO) else as_target(promise)
