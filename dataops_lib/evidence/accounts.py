"""How a team's error budgets were spent: each promise by day, in minutes or in runs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, timedelta

import pandas as pd

from dataops_lib.evidence import levels, verdicts
from dataops_lib.evidence.records import Observed
from dataops_lib.service_levels import budget, burn_alerts, headlines, sli
from dataops_lib.service_levels.budget import Budget
from dataops_lib.service_levels.measurements import Measurement
from dataops_lib.service_levels.objectives import SLO
from dataops_lib.windows import Window
from dataops_lib.wording import plural, span

COLUMNS = ["day", "good", "total"]
TABLE = ["table", "promise", "period", "unit", "budget", "spent", "left (%)"]


@dataclass(frozen=True)
class Account:
    """One error budget, and what each day of its period did to it.

    `history` has day, good and total, in `unit` (minutes or runs); it is empty when nothing was
    measured, and the figures below are then NaN: no data is not an untouched budget.
    """

    budget: Budget
    history: pd.DataFrame = field(repr=False, compare=False)

    @property
    def slo(self) -> SLO:
        """The promise."""
        return self.budget.slo

    @property
    def unit(self) -> str:
        """minutes or runs."""
        return self.budget.unit

    @property
    def total(self) -> float:
        """Minutes or runs that were promised and measured."""
        return self.budget.verdict.measured.total

    @property
    def whole(self) -> float:
        """Minutes or runs of the whole period, of a calendar one those still to come included."""
        return self.budget.verdict.measured.whole

    @property
    def spent(self) -> float:
        """Bad minutes or runs, 0 or more; NaN when nothing was measured."""
        return self.budget.verdict.spent if self.total else math.nan

    @property
    def allowed(self) -> float:
        """The whole budget in minutes or runs; NaN when nothing was measured."""
        return self.budget.verdict.allowed if self.total else math.nan

    @property
    def remaining(self) -> float:
        """Share of the budget left: 1 untouched, below 0 overspent, never clamped."""
        return self.budget.remaining


def by_day(observed: Observed, slo: SLO, window: Window | None = None) -> pd.DataFrame:
    """day, good, total of `slo` for each day of `window` (default: its own period).

    Minutes for freshness, expected runs for run success. Days on which nothing was promised yet
    are left out; the frame is empty when no run history is given.
    """
    team = observed.team
    window = window or slo.period.window(team.as_of, team.zone)
    measure = levels.MEASURES[slo.sli]
    days = (
        (day, measure(observed, slo.table, span, slo.objective))
        for day, span in window.days(team.zone)
    )
    rows = [(day, level.good, level.total) for day, level in days if level is not None]
    return pd.DataFrame(rows, columns=COLUMNS)


def accounts(observed: Observed) -> tuple[Account, ...]:
    """The budget of every promise that has one, the least left first, unmeasured ones last.

    A promise has a budget when it names a share of good minutes or runs.
    """
    budgets = verdicts.budgets(observed)
    accounts = [Account(budget, by_day(observed, budget.slo)) for budget in budgets]
    return tuple(sorted(accounts, key=lambda one: (pd.isna(one.remaining), one.remaining)))


def followed(accounts: Iterable[Account]) -> Account | None:
    """The account to look at first: tier 1 before others, time before runs, the least left."""
    ranked = sorted(accounts, key=lambda one: (one.budget.tier, one.unit != "minutes"))
    return ranked[0] if ranked else None


def table(accounts: Iterable[Account]) -> pd.DataFrame:
    """The accounts as people read them, one row each."""
    rows = [
        {
            "table": account.slo.table,
            "promise": str(account.slo.objective),
            "period": str(account.slo.period),
            "unit": account.unit,
            "budget": account.allowed,
            "spent": account.spent,
            "left (%)": 100 * account.remaining,
        }
        for account in accounts
    ]
    return pd.DataFrame(rows, columns=TABLE).round(1)


def spells(account: Account | None, observed: Observed) -> list[Window]:
    """The stretches in which the table of `account` was later than promised, oldest first.

    Together they are its bad minutes: a table that never came is one stretch from the first minute
    that was promised.
    """
    if account is None or account.slo.sli != "freshness":
        return []
    slo, versions = account.slo, observed.versions.get(account.slo.table)
    window = slo.period.window(observed.team.as_of, observed.team.zone)
    grace = slo.objective.limit if isinstance(slo.objective.limit, timedelta) else timedelta(0)
    promised = levels.promised(observed, slo.table, window, grace)
    if versions is None or promised is None:
        return []
    # A version that was stale when it came ends no stretch.
    fresh = versions[versions["good_until"] > versions["at"]]
    begins = [promised.start, *(_utc(until) for until in fresh["good_until"])]
    ends = [*(_utc(at) for at in fresh["at"]), promised.end]
    pairs = zip(begins, ends, strict=True)
    cut = ((max(a, promised.start), min(b, promised.end)) for a, b in pairs)
    return [Window(start, end) for start, end in cut if start < end]


def trials(account: Account | None, observed: Observed) -> pd.DataFrame:
    """The same history counted twice: as minutes, and as runs, each with its 95 % interval.

    What was not measured has no row.
    """
    names = ["counted in", "n", "bad", "ratio", "low", "high"]
    if account is None:
        return pd.DataFrame(columns=names)
    window = account.slo.period.window(observed.team.as_of, observed.team.zone)
    counted = {account.unit: account.budget.verdict.measured}
    counted["runs"] = levels.success(observed, account.slo.table, window) or Measurement(0, 0)
    rows = []
    for unit, measured in counted.items():
        if measured.total:
            low, high = budget.interval(measured.good, measured.total)
            bad = measured.total - measured.good
            rows.append((unit, measured.total, bad, measured.ratio, low, high))
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
        name = plural(length, "hour" if timed else "run")
        rows.append((name, size, size / whole, account.remaining - size / whole))
    return pd.DataFrame(rows, columns=names)


def burndown(account: Account | None) -> pd.DataFrame:
    """How the budget of `account` went, day by day (`budget.burndown`); empty without one."""
    if account is None:
        return pd.DataFrame(columns=["day", "bad", "remaining"])
    return budget.burndown(account.history, account.slo, expected_total=account.whole)


def bears(account: Account | None) -> str:
    """The largest further incident that what is left still pays: computed, not tried."""
    if account is None or math.isnan(account.remaining):
        return "What one more incident costs is known; what is left to pay it is not."
    left = account.budget.left
    if account.unit == "minutes" and left >= 1:
        return f"The budget bears one more incident of {span(timedelta(minutes=left))}, not longer."
    if account.unit == "runs" and left >= 1:
        return f"The budget bears {plural(int(left), 'more failed run', 'more failed runs')}."
    return f"No further incident can be paid: {headlines.budgets_used(account.remaining)}."


def per_period(account: Account | None, observed: Observed) -> tuple[float, int]:
    """Days of the promise's own period, and the runs that are due in it; 30 and 30 without one."""
    if account is None:
        return 30.0, 30
    period, team = account.slo.period, observed.team
    window = period.window(team.as_of, team.zone)
    whole = Window(window.start, period.rest(team.as_of, team.zone).end)
    return whole.duration / timedelta(days=1), len(team.expected(account.slo.table, whole)) or 1


def fired(
    account: Account | None, observed: Observed, rules: Iterable[burn_alerts.BurnRule]
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
        on = burn_alerts.alerts(errors, rule, slo, timedelta(days=slo.period.nominal_days))
        begins = on[on & ~on.shift(fill_value=False)].index
        first = begins[0].tz_convert(team.zone).date() if len(begins) else None
        rows.append((rule.name, len(begins), first))
    return pd.DataFrame(rows, columns=names)


def recorded(observed: Observed, table: str, window: Window) -> Measurement | None:
    """What the article's SLI counts: attempts that were recorded, and those that published."""
    runs = observed.team.runs
    if runs is None:
        return None
    begun = sli.begun_at(runs)
    mine = runs[(runs["table"] == table) & (begun >= window.start) & (begun < window.end)]
    good = int((mine["status"] == "published").sum())
    return Measurement(good, len(mine), 0, "run history", "recorded attempts", len(mine))


def history(observed: Observed, slo: SLO | None) -> pd.DataFrame:
    """`by_day` of `slo` for everything that is known, not only for its own period."""
    if slo is None:
        return pd.DataFrame(columns=COLUMNS)
    due = observed.due[slo.table]
    start = due[0] if due else observed.window.start
    return by_day(observed, slo, Window(min(start, observed.window.start), observed.window.end))


def _utc(moment: pd.Timestamp) -> pd.Timestamp:
    return pd.Timestamp(moment).tz_convert(UTC)
