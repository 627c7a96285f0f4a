"""Edge: how a team's error budgets were spent: each promise by day, in minutes or in runs."""

from __future__ import annotations

import calendar
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pandas as pd

from dataops_lib import budget, policy, sli, windows
from dataops_lib.objective import SLO, Measurement, Objective, Period, percent
from dataops_lib.observe import Observed
from dataops_lib.teams import Team
from dataops_lib.windows import Window, midnight

UNITS = {"freshness": "minutes", "pipeline_success_rate": "runs"}  # what each promise is paid in
COLUMNS = ["day", "good", "total"]
TABLE = ["table", "promise", "period", "unit", "budget", "spent", "left (%)"]


@dataclass(frozen=True)
class Account:
    """One promise, and what each day of its period did to its error budget.

    `history` has day, good and total, in `unit` (minutes or runs); it is empty when nothing was
    measured, and the figures below are then NaN: no data is not an untouched budget.
    """

    slo: SLO
    unit: str
    history: pd.DataFrame = field(repr=False, compare=False)

    @property
    def total(self) -> float:
        """Minutes or runs that were promised and measured."""
        return float(self.history["total"].sum())

    @property
    def spent(self) -> float:
        """Bad minutes or runs, 0 or more; NaN when nothing was measured."""
        return self.total - float(self.history["good"].sum()) if self.total else float("nan")

    @property
    def allowed(self) -> float:
        """The whole budget in minutes or runs; NaN when nothing was measured."""
        return self.total * float(self.slo.error_budget) if self.total else float("nan")

    @property
    def remaining(self) -> float:
        """Share of the budget left: 1 untouched, below 0 overspent, never clamped."""
        return budget.remaining(float(self.history["good"].sum()), self.total, self.slo)


def by_day(observed: Observed, slo: SLO, window: Window | None = None) -> pd.DataFrame:
    """day, good, total of `slo` for each day of `window` (default: its own period).

    Minutes for freshness, expected runs for run success. Days on which nothing was promised yet
    are left out; the frame is empty when no run history is given.
    """
    team = observed.team
    window = window or slo.period.window(team.as_of, team.zone)
    measure = observed.freshness if slo.sli == "freshness" else observed.success
    days = ((day, measure(slo.table, span, slo.objective)) for day, span in window.days(team.zone))
    rows = [(day, seen.good, seen.total) for day, seen in days if seen is not None]
    return pd.DataFrame(rows, columns=COLUMNS)


def accounts(observed: Observed) -> tuple[Account, ...]:
    """The budget of every promise that has one, the least left first, unmeasured ones last.

    A promise has a budget when it names a share of good minutes or runs.
    """
    found = [
        Account(slo, UNITS[slo.sli], by_day(observed, slo))
        for slo in observed.team.slos or ()
        if slo.sli in UNITS and slo.target is not None
    ]
    return tuple(sorted(found, key=lambda one: (pd.isna(one.remaining), one.remaining)))


def followed(found: Iterable[Account]) -> Account | None:
    """The account to look at first: tier 1 before others, time before runs, the least left."""
    ranked = sorted(found, key=lambda one: (one.slo.tier or 4, one.unit != "minutes"))
    return ranked[0] if ranked else None


def table(found: Iterable[Account]) -> pd.DataFrame:
    """The accounts as people read them, one row each."""
    rows = [
        {
            "table": one.slo.table,
            "promise": str(one.slo.objective),
            "period": str(one.slo.period),
            "unit": one.unit,
            "budget": one.allowed,
            "spent": one.spent,
            "left (%)": 100 * one.remaining,
        }
        for one in found
    ]
    return pd.DataFrame(rows, columns=TABLE).round(1)


def planted(team: Team, table: str) -> dict[date, str]:
    """The faults that were planted into an example team's history of `table`, by due day."""
    if team.runs is None or "planted" not in team.runs:
        return {}
    runs = team.runs[(team.runs["table"] == table) & team.runs["planted"].notna()]
    zone = ZoneInfo(team.zone)
    pairs = zip(runs["due_at"], runs["planted"], strict=True)
    return {due.astimezone(zone).date(): str(text) for due, text in pairs if str(text)}


def months(year: int, zone: str, target: budget.Target) -> pd.DataFrame:
    """month, hours and budget_minutes of each calendar month of `year` in `zone`.

    Real hours: the month in which clocks go forward has one less, and its budget is smaller.
    """
    rows = []
    for number in range(1, 13):
        first = date(year, number, 1)
        following = first + timedelta(days=windows.days_in_month(first))
        hours = (midnight(following, zone) - midnight(first, zone)) / timedelta(hours=1)
        allowed = budget.calculate_error_budget(_percent(target), hours / 24)
        name = f"{calendar.month_abbr[number]} {year}"
        rows.append((name, hours, allowed["error_budget_minutes"]))
    return pd.DataFrame(rows, columns=["month", "hours", "budget_minutes"])


def spells(account: Account | None, observed: Observed) -> list[Window]:
    """The stretches in which the table of `account` was later than promised, oldest first."""
    if account is None:
        return []
    slo, versions = account.slo, observed.versions(account.slo.table)
    if versions is None or versions.empty or slo.sli != "freshness":
        return []
    window = slo.period.window(observed.team.as_of, observed.team.zone)
    # A version that was stale when it came ends no stretch.
    fresh = versions[versions["good_until"] > versions["at"]]
    ends = [*fresh["at"].iloc[1:], window.end]
    pairs = zip(fresh["good_until"], ends, strict=True)
    cut = ((max(start, window.start), min(end, window.end)) for start, end in pairs)
    return [Window(_utc(start), _utc(end)) for start, end in cut if start < end]


def trials(account: Account | None, observed: Observed) -> pd.DataFrame:
    """The same history counted twice: as minutes, and as runs, each with its 95 % interval."""
    names = ["counted in", "n", "bad", "ratio", "low", "high"]
    if account is None:
        return pd.DataFrame(columns=names)
    runs = observed.success(account.slo.table, account.slo.period.window(
        observed.team.as_of, observed.team.zone))  # fmt: skip
    counted = {"minutes": Measurement(account.total - account.spent, account.total)}
    if runs is not None:
        counted["runs"] = runs
    rows = []
    for unit, seen in counted.items():
        low, high = budget.interval(seen.good, seen.total) if seen.total else (0.0, 1.0)
        rows.append((unit, seen.total, seen.total - seen.good, seen.ratio, low, high))
    return pd.DataFrame(rows, columns=names)


def one_more(account: Account | None, lengths: Iterable[float] = ()) -> pd.DataFrame:
    """The price of one further incident, by length: incident, size, budgets, left_after (ratio).

    Lengths are hours past what is promised, or failed runs where runs are counted. `left_after` is
    NaN when what is left is not known; the frame is empty without a promise.
    """
    names = ["incident", "size", "budgets", "left_after"]
    if account is None:
        return pd.DataFrame(columns=names)
    timed = account.unit == "minutes"
    whole = account.allowed
    if math.isnan(whole):
        whole = account.slo.period.nominal_days * (1440 if timed else 1)
        whole *= float(account.slo.error_budget)
    rows = []
    for length in lengths or ((1, 2, 4, 8, 24) if timed else (1, 2, 3)):
        size = length * 60 if timed else length
        name = f"{length:g} {'hour' if timed else 'run'}{'s' if length != 1 else ''}"
        rows.append((name, size, size / whole, account.remaining - size / whole))
    return pd.DataFrame(rows, columns=names)


def fired(
    account: Account | None, observed: Observed, rules: Iterable[policy.BurnRule]
) -> pd.DataFrame:
    """How often each rule would have alerted on the account's period: rule, times, first_at.

    One alert is one stretch of hours in which the rule holds. Empty without minutes to go by.
    """
    names = ["rule", "times", "first_at"]
    if account is None or account.unit != "minutes" or not account.total:
        return pd.DataFrame(columns=names)
    slo, team = account.slo, observed.team
    window, spans = slo.period.window(team.as_of, team.zone), spells(account, observed)
    hour, rows = timedelta(hours=1), []
    ends = [window.start + hour * n for n in range(1, window.duration // hour + 1)]
    stale = [sum((Window(end - hour, end).overlap(s) for s in spans), timedelta(0)) for end in ends]
    errors = pd.Series([span / hour for span in stale], index=pd.DatetimeIndex(ends))
    for rule in rules:
        on = policy.alerts(errors, rule, slo, timedelta(days=slo.period.nominal_days))
        begins = on[on & ~on.shift(fill_value=False)].index
        first = begins[0].tz_convert(team.zone).date() if len(begins) else None
        rows.append((rule.name, len(begins), first))
    return pd.DataFrame(rows, columns=names)


def red_days(good: Sequence[bool], promised: Objective) -> list[bool]:
    """Whether a success objective is broken after each of these daily runs, over its period.

    >>> from dataops_lib.objective import parse
    >>> red_days([True, False, True, True], parse("> 99% (2-day rolling)"))
    [False, True, True, False]
    """
    size = (promised.period or Period(days=30)).nominal_days
    target = promised.target or Decimal(1)
    seen = [good[max(0, end - size) : end] for end in range(1, len(good) + 1)]
    return [part.count(False) > budget.allowed_failures(size, target) for part in seen]


def recorded(observed: Observed, table: str, window: Window) -> Measurement | None:
    """What the article's SLI counts: attempts that were recorded, and those that published."""
    runs = observed.team.runs
    if runs is None:
        return None
    started = runs["started_at"]
    mine = runs[(runs["table"] == table) & (started >= window.start) & (started < window.end)]
    good = int((mine["status"] == "published").sum())
    return Measurement(good, len(mine), 0, "run history", "recorded attempts", len(mine))


def volume_scores(daily: pd.DataFrame | None, last: float | None = None) -> pd.DataFrame:
    """day, rows and a score per method of `sli.volume`; `last` replaces the last day's rows."""
    if daily is None or daily.empty:
        return pd.DataFrame(columns=["day", "rows", *sli.LIMITS])
    counts = daily.astype({"rows": float})
    if last is not None:
        counts.loc[counts.index[-1], "rows"] = last
    found = {method: sli.volume(counts, method=method) for method in sli.LIMITS}
    base = found["weekday"][["day", "rows"]].copy()
    for method, scored in found.items():
        base[method] = scored["score"]
        base[f"{method} verdict"] = scored["verdict"]
    return base


def busiest(observed: Observed) -> pd.DataFrame | None:
    """Rows by day of the table with most of them: day, rows; None when no table can be read.

    Where every day has the same few rows a volume says nothing.
    """
    found = [observed.volume(one.name) for one in observed.team.tables]
    known = [one for one in found if one is not None and len(one)]
    return max(known, key=lambda one: float(one["rows"].mean()), default=None)


def averages(slices: pd.DataFrame, target: budget.Target) -> dict[str, float]:
    """Three error ratios of the same slices (good, total), in [0, 1]; only the first counts events.

    NaN when there were none.

    >>> days = pd.DataFrame({"good": [1000, 5], "total": [1000, 10]})
    >>> [round(ratio, 4) for ratio in averages(days, "99%").values()]
    [0.005, 0.25, 0.5]
    """
    seen = slices[slices["total"] > 0].astype({"good": float, "total": float})
    bad, allowed = 1 - seen["good"] / seen["total"], float(1 - budget.as_target(target))
    whole = 1 - seen["good"].sum() / seen["total"].sum() if len(seen) else math.nan
    return {
        "errors of all events together": float(whole),
        "mean of the slices' error rates": float(bad.mean()),
        "slices that missed the target": float((bad > allowed).mean()),
    }


def lag(landings: pd.DataFrame | None) -> timedelta:
    """How old the newest record usually is when it lands (median); 0 when that is not known."""
    if landings is None or landings["newest_event_at"].isna().all():
        return timedelta(0)
    return pd.Timedelta((landings["published_at"] - landings["newest_event_at"]).median())


def history(observed: Observed, slo: SLO | None) -> pd.DataFrame:
    """`by_day` of `slo` for everything that is known, not only for its own period."""
    if slo is None:
        return pd.DataFrame(columns=COLUMNS)
    due = observed.due(slo.table)
    start = due[0] if due else observed.window.start
    return by_day(observed, slo, Window(min(start, observed.window.start), observed.window.end))


def _utc(moment: pd.Timestamp) -> pd.Timestamp:
    return pd.Timestamp(moment).tz_convert(UTC)


def _percent(target: budget.Target) -> float:
    return float(percent(budget.as_target(target)).removesuffix(" %"))
