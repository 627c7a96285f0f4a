"""Service levels of a team as its records tell them: each SLI of each table, by one definition."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from dataops_lib.evidence import records, series
from dataops_lib.evidence.records import Observed
from dataops_lib.service_levels import freshness as landed
from dataops_lib.service_levels import objectives, sli
from dataops_lib.service_levels.measurements import Measurement, Minutes
from dataops_lib.service_levels.objectives import Objective
from dataops_lib.teams.models import Table
from dataops_lib.warehouse import metadata, scan
from dataops_lib.windows import Window

SLIS = {  # name in the SLO file: name for people, what is counted
    "freshness": ("freshness", "minutes"),
    "pipeline_success_rate": ("run success", "runs"),
    "completeness": ("completeness", "cells"),
    "volume_anomaly": ("volume", "days"),
}


@dataclass(frozen=True)
class MeasuredLevel:
    """One SLI measured over the report's period, and over those of its SLO and SLA."""

    shown: Measurement
    against_slo: Measurement
    against_sla: Measurement | None = None


@dataclass(frozen=True)
class TableLevels:
    """The service levels of one table; None, or no level, where an input is missing."""

    table: Table
    promises: Mapping[str, objectives.SLO] = field(default_factory=dict)
    readings: Mapping[str, MeasuredLevel] = field(default_factory=dict)
    fresh_days: Measurement | None = None
    publishes: Measurement | None = None

    def shown(self, name: str) -> Measurement | None:
        """The measurement of one SLI over the report's period."""
        return self.readings[name].shown if name in self.readings else None


def of_tables(observed: Observed) -> tuple[TableLevels, ...]:
    """The levels of every table, in order of tier and name."""
    ordered = sorted(observed.team.tables, key=lambda table: (table.tier, table.name))
    return tuple(
        TableLevels(
            table,
            records.promises(observed.team, table.name),
            measured(observed, table.name),
            fresh_days(observed, table.name),
            publishes(observed, table.name),
        )
        for table in ordered
    )


def measured(observed: Observed, table: str) -> dict[str, MeasuredLevel]:
    """Each SLI that can be measured, over the report's period and those of its promise."""
    levels: dict[str, MeasuredLevel] = {}
    for name, measure in MEASURES.items():
        promise = records.promises(observed.team, table).get(name)
        objective = promise.objective if promise else None
        shown = measure(observed, table, observed.window, objective)
        if shown is None:
            continue
        sla = promise.sla if promise else None
        levels[name] = MeasuredLevel(
            shown,
            _over_its_period(observed, table, name, objective) if objective else shown,
            _over_its_period(observed, table, name, sla) if sla else None,
        )
    return levels


def _over_its_period(
    observed: Observed, table: str, sli_name: str, objective: Objective
) -> Measurement:
    """An SLI over the period of its own promise, and what the rest of that period promises."""
    measure, team = MEASURES[sli_name], observed.team
    if objective.period is None:
        return measure(observed, table, observed.window, objective) or Measurement(0, 0)
    window = objective.period.window(team.as_of, team.zone)
    level = measure(observed, table, window, objective) or Measurement(0, 0)
    rest = objective.period.rest(team.as_of, team.zone)
    if not rest.duration or sli_name == "completeness":
        return level
    due = team.expected(table, rest)
    if sli_name != "freshness":
        days = rest.duration / timedelta(days=1)
        return replace(level, to_come=len(due) if SLIS[sli_name][1] == "runs" else round(days))
    if not observed.due[table]:  # promised from the first due time on
        first = due[0] + _limit(objective) if due else rest.end
        rest = Window(min(max(rest.start, first), rest.end), rest.end)
    return replace(level, to_come=rest.duration / timedelta(minutes=1))


def _limit(objective: Objective) -> timedelta:
    return objective.limit if isinstance(objective.limit, timedelta) else timedelta(0)


def promised(observed: Observed, table: str, window: Window, grace: timedelta) -> Window | None:
    """The part of `window` in which something was promised; None when nothing was."""
    first = observed.due[table][:1]
    start = max(window.start, first[0] + grace) if first else window.end
    return Window(start, window.end) if start < window.end else None


def freshness(
    observed: Observed, table: str, window: Window, objective: Objective | None
) -> Measurement | None:
    """Minutes of `window` in which `table` was not later than `objective` allows.

    None without a promise, because then nothing says what late is, and without a run history.
    """
    if objective is None or not isinstance(objective.limit, timedelta):
        return None
    part = promised(observed, table, window, objective.limit)
    if part is None or table not in observed.versions:
        return None
    versions = observed.versions[table]
    minutes = landed.lateness(
        versions["at"],
        observed.due[table],
        start=part.start,
        end=part.end,
        grace=objective.limit,
        landed_for=versions["due_at"],
    )
    how, landings = minutes.how, minutes.observations
    return Measurement(minutes.good, minutes.total, 0, "run history", how, landings)


def fresh_days(observed: Observed, table: str) -> Measurement | None:
    """Days of the period on which `table` was never later than its SLO allows."""
    promise = records.promises(observed.team, table).get("freshness")
    days = [
        freshness(observed, table, day, promise.objective if promise else None)
        for day in promised_days(observed, table).values()
    ]
    if not days or None in days:
        return None
    good = sum(day is not None and day.good == day.total for day in days)
    how = "days without a stale minute"
    return Measurement(good, len(days), 0, "run history", how, len(days))


def promised_days(observed: Observed, table: str) -> dict[Any, Window]:
    """Days of the period, cut to what `table` promises of them; {} when it promises nothing."""
    grace = records.grace(observed.team, table)
    part = None if grace is None else promised(observed, table, observed.window, grace)
    return dict(part.days(observed.team.zone)) if part else {}


def success(
    observed: Observed, table: str, window: Window, _: Objective | None = None
) -> Measurement | None:
    """Expected runs of `window` whose first scheduled attempt published."""
    if table not in observed.attempts:
        return None
    due = observed.due[table]
    first, last = bisect_left(due, window.start), bisect_left(due, window.end)
    return sli.success(observed.attempts[table], due[first:last])


def publishes(observed: Observed, table: str) -> Measurement | None:
    """Audited publishes of the period that passed.

    None where nothing shows an audit: no contract, and no run that was ever blocked.
    """
    if not is_audited(observed, table):
        return None
    runs = observed.attempts[table]
    begun = sli.begun_at(runs)
    within = (begun >= observed.window.start) & (begun < observed.window.end)
    status = runs[within]["status"]
    good, blocked = int((status == "published").sum()), int((status == "blocked").sum())
    total = good + blocked
    return Measurement(good, total, 0, "run history", "audited publishes", total)


def is_audited(observed: Observed, table: str) -> bool:
    """Whether anything shows that publishes of `table` are audited: a contract, or a block."""
    if table not in observed.attempts:
        return False
    blocked = (observed.attempts[table]["status"] == "blocked").any()
    return table in (observed.team.contracts or {}) or bool(blocked)


def required(observed: Observed, table: str) -> Sequence[str]:
    """Columns of `table` that are never NULL: those of the promise, else of the contract.

    None if one does not exist.
    """
    promise = records.promises(observed.team, table).get("completeness")
    agreed = (observed.team.contracts or {}).get(table)
    names = list(promise.columns) if promise else []
    if not names and agreed is not None:
        names = [column.name for column in agreed.columns if column.required]
    if not names or table not in observed.tables:
        return []
    iceberg, snapshot = observed.tables[table]
    columns = set(scan.schema_of(iceberg, snapshot).column_names)
    return names if set(names) <= columns else []


def completeness(
    observed: Observed, table: str, _: Window | None = None, __: Objective | None = None
) -> Measurement | None:
    """Required cells that are not NULL in what readers saw at `as_of`."""
    names = required(observed, table)
    if not names:
        return None
    iceberg, snapshot = observed.tables[table]
    counts = metadata.column_counts(iceberg, list(names), snapshot_id=snapshot)
    total = int(counts["rows"].sum())
    good = total - int(counts["missing"].sum())
    how = "; ".join(sorted({str(why) for why in counts["why"] if why}))
    source = " and ".join(sorted(set(counts["how"])))
    return Measurement(good, total, 0, source, how, int(counts["rows"].max()))


def ordinary_days(
    observed: Observed, table: str, window: Window, objective: Objective | None
) -> Measurement | None:
    """Days of `window` whose row count is not further from its like than `objective` allows.

    Scored against the same weekday of eight weeks; a day without enough history is unknown. None
    without a promise, because then nothing says what an anomaly is.
    """
    if objective is None or objective.kind != "score":
        return None
    daily = series.volume(observed, table)
    if daily is None or daily.empty:
        return None
    off = observed.team.pipeline_of(table).holidays
    scored = sli.volume(daily, limit=float(str(objective.limit)), holidays=off)
    days = {day for day, _ in window.days(observed.team.zone)}
    verdicts = scored[scored["day"].isin(days)]["verdict"]
    good, bad = int((verdicts == "ok").sum()), int((verdicts == "fail").sum())
    unknown, how = len(verdicts) - good - bad, "days compared with the same weekday before"
    return Measurement(good, good + bad, unknown, "scan", how, len(daily))


Measure = Callable[[Observed, str, Window, Objective | None], Measurement | None]
MEASURES: Mapping[str, Measure] = {
    "freshness": freshness,
    "pipeline_success_rate": success,
    "completeness": completeness,
    "volume_anomaly": ordinary_days,
}


def ages(
    observed: Observed, table: str, window: Window, *, landing: timedelta, content: timedelta
) -> dict[str, Minutes]:
    """Minutes in which the last publish was at most `landing` old, the newest record `content`.

    Two SLIs: the pipeline's clock and the reader's. Empty when nothing is known or was due.
    """
    grace = records.grace(observed.team, table) or timedelta(0)
    part = promised(observed, table, window, grace)
    if table not in observed.landings or part is None:
        return {}
    landings = observed.landings[table]
    at, (start, end) = landings["published_at"], (part.start, part.end)
    levels = {"landing age": landed.freshness(at, start=start, end=end, max_age=landing)}
    if landings.empty or landings["newest_event_at"].notna().any():
        newest = landed.content_freshness(landings, start=start, end=end, max_age=content)
        levels["content age"] = replace(newest, source=" and ".join(set(landings["how"])))
    return levels


def slis(owner: str, days: int = 30) -> tuple[sli.DataSLI, ...]:
    """The article's four SLIs, and the age of the newest record, each with the one signature.

    The `connection` to measure with is an `evidence.Observed` of the same `as_of`; rates are over
    the `days` before it. A measurement is None where an input is missing.
    """

    def hours(column: str) -> Callable[[str, datetime, Observed], float | None]:
        def age(target: str, as_of: datetime, observed: Observed) -> float | None:
            landings = observed.landings.get(target)
            if landings is None:
                return None
            last = landings[landings["published_at"] < as_of][column].max()
            return None if pd.isna(last) else (as_of - last) / timedelta(hours=1)

        return age

    def score(target: str, _: datetime, observed: Observed) -> float | None:
        daily = series.volume(observed, target)
        last = np.nan if daily is None or daily.empty else sli.volume(daily)["score"].iloc[-1]
        return None if np.isnan(last) else float(last)

    def runs(target: str, as_of: datetime, observed: Observed) -> Measurement | None:
        return success(observed, target, Window(as_of - timedelta(days=days), as_of))

    unit = "robust deviations"
    rows: tuple[tuple[str, str, str, Callable[[str, datetime, Any], Any]], ...] = (
        ("freshness", "since the last publish (snapshot metadata)", "hours",
         hours("published_at")),
        ("content age", "since the newest record (metadata or scan)", "hours",
         hours("newest_event_at")),
        ("completeness", "required values present (metadata or scan)", "ratio",
         lambda target, _, observed: completeness(observed, target)),
        ("volume_anomaly", "last day against its weekdays (scan)", unit, score),
        ("pipeline_success_rate", "due runs that published (run history)", "ratio", runs),
    )  # fmt: skip
    return tuple(sli.DataSLI(*row, owner) for row in rows)
