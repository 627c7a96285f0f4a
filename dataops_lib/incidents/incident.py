"""Incidents, derived from run history and promises, with their timeline and durations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pandas as pd

from dataops_lib.finding import Finding
from dataops_lib.teams import history
from dataops_lib.teams.models import Consumer
from dataops_lib.windows import Window

Kind = Literal["blocked", "late", "missed"]
DetectedBy = Literal["audit", "alert", "consumer"]  # in this order when two come at once

# (table, slo_missed, sla_breached, time from due until the data came) -> "P1".., None: no rule.
Severity = Callable[[str, bool, bool, timedelta], str | None]
_WORST: tuple[Kind, ...] = ("blocked", "missed", "late")
_FIRST: tuple[DetectedBy, ...] = ("audit", "alert", "consumer")


@dataclass(frozen=True)
class Promise:
    """When a table was due (UTC, past and expected) and how late it may be; None: no promise."""

    pipeline: str
    table: str
    due_at: tuple[datetime, ...]
    slo_lateness: timedelta | None = None
    sla_lateness: timedelta | None = None


@dataclass(frozen=True)
class Attempt:
    """One row of run history: one table, one try; times are UTC."""

    run_id: str
    table: str
    due_at: datetime
    status: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    published_at: datetime | None = None
    rows: int | None = None
    trigger: str = "scheduled"
    planted: str | None = None


@dataclass(frozen=True)
class Disturbance:
    """One table that did not come as promised at one due time.

    `published_at` is when this due time's data came, `current_at` when a reader saw data that was
    not older than due: a later load makes a table current and leaves a gap behind. `alerts_at` is
    when the freshness alert was due, None without an SLO.
    """

    table: str
    due_at: datetime
    kind: Kind
    attempts: tuple[Attempt, ...]
    published_at: datetime | None
    current_at: datetime | None
    slo_missed: bool
    sla_breached: bool
    alerts_at: datetime | None

    @property
    def rows(self) -> int | None:
        """Rows that came late, None while they are unknown."""
        return next((a.rows for a in self.attempts if a.published_at is not None), None)


@dataclass(frozen=True)
class Sign:
    """Something that told, or would have told, somebody about the incident."""

    at: datetime
    by: DetectedBy
    text: str
    source: str
    table: str


@dataclass(frozen=True)
class Incident:
    """Everything known about one stretch in which a pipeline did not keep its times; times UTC.

    None is "not known" or "not yet": `resolved_at` is when every table was current again.
    `until` is the moment up to which the history was read.
    """

    id: str
    pipeline: str
    tables: tuple[str, ...]
    kind: Kind
    due_at: datetime
    started_at: datetime
    detected_at: datetime | None
    detected_by: DetectedBy | None
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    severity: str | None
    slo_missed: bool
    sla_breached: bool
    findings: tuple[Finding, ...]
    planted: str | None
    runs: tuple[str, ...]
    disturbances: tuple[Disturbance, ...]
    signs: tuple[Sign, ...]
    last_good_at: datetime | None
    until: datetime

    @property
    def gaps(self) -> tuple[tuple[str, datetime], ...]:
        """Tables and due times whose own data had not come by `until`, resolved or not."""
        return tuple((d.table, d.due_at) for d in self.disturbances if d.published_at is None)

    @property
    def rows_late(self) -> int | None:
        """Rows that came late in all tables; None if any number is not known."""
        rows = [d.rows for d in self.disturbances]
        return None if None in rows else sum(row for row in rows if row is not None)

    def overlaps(self, window: Window) -> bool:
        """Whether readers waited at some time of `window`."""
        return self.due_at < window.end and (self.resolved_at or self.until) > window.start

    def stale(self, table: str) -> timedelta:
        """How long readers of `table` saw data older than due, up to `until` if it goes on."""
        total, reached = timedelta(0), self.due_at
        for d in (d for d in self.disturbances if d.table == table):
            end = d.current_at or self.until
            total += max(end - max(d.due_at, reached), timedelta(0))
            reached = max(reached, end)
        return total


def derive(
    runs: pd.DataFrame,
    promises: Iterable[Promise],
    *,
    until: datetime,
    severity: Severity,
    alerts: pd.DataFrame | None = None,
    consumers: Sequence[Consumer] = (),
    zone: str = "UTC",
    findings: Mapping[str, Sequence[Finding]] | None = None,
) -> list[Incident]:
    """Incidents of a run history, oldest first.

    A table is disturbed at a due time when its first scheduled attempt did not publish, when none
    started, or when it published later than the SLO allows. Disturbed due times of one pipeline
    are one incident until all its tables are current again.

    It was detected by whatever came first: an audit that blocked, an alert (a row of `alerts`, or
    the freshness alert that every table with an SLO is taken to have, at due time plus lateness),
    or a consumer who read after the due time and is taken to notice.

    Parameters
    ----------
    runs
        One row per table and attempt: run_id, pipeline, table, due_at, status, and if known
        started_at, finished_at, published_at, rows, trigger, planted. Times are UTC.
    promises
        Per table: all its due times and the allowed lateness. Without them a run that never
        started would not be missed.
    until
        UTC time up to which the history is known; later due times are left out.
    severity
        (table, slo_missed, sla_breached, time from due until the data came or until `until`) ->
        "P1".. or None; the worst of the tables counts.
    alerts
        alerted_at, name, table, and if known due_at, acknowledged_at.
    zone
        Zone of consumers that name none.
    findings
        Why an audit blocked, by run_id.

    Raises
    ------
    ValueError
        If a column is missing, or a time has no zone.
    """
    promised = tuple(promises)
    attempts = _attempts(runs, until)
    disturbed: dict[str, list[Disturbance]] = defaultdict(list)
    for promise in promised:
        for due_at in (due for due in promise.due_at if due < until):
            if found := _disturbance(promise, due_at, attempts.get(promise.table, ()), until):
                disturbed[promise.pipeline].append(found)
    logged = _logged(alerts)
    incidents = []
    for pipeline, found_there in disturbed.items():
        for group in _chains(sorted(found_there, key=lambda d: d.due_at)):
            tables, start = {d.table for d in group}, group[0].due_at
            end = _resolved_at(group) or until
            heard = [h for h in logged if h[0].table in tables and start <= h[0].at <= end]
            ours = (*_audits(group), *_late(group, until), *_reads(group, consumers, zone, until))
            # The log tells more than we can about the same moment, so it comes last and stays.
            told = {(s.at, s.by, s.table): s for s in (*ours, *(sign for sign, _ in heard))}
            good = [a.published_at for t in tables for a in attempts.get(t, ()) if a.due_at < start]
            incidents.append(
                _incident(
                    pipeline,
                    group,
                    tuple(sorted(told.values(), key=lambda s: (s.at, _FIRST.index(s.by), s.table))),
                    until=until,
                    severity=severity,
                    findings=findings or {},
                    acknowledged_at=min((at for _, at in heard if at), default=None),
                    last_good_at=max((at for at in good if at), default=None),
                )
            )
    return sorted(incidents, key=lambda incident: (incident.due_at, incident.pipeline))


def _attempts(runs: pd.DataFrame, until: datetime) -> dict[str, list[Attempt]]:
    """Attempts by table, in the order in which they began, as they were known at `until`."""
    if missing := [column.name for column in history.RUNS if column.name not in runs]:
        raise ValueError(f"the run history has no column {', '.join(missing)}")
    times = (column.name for column in history.RUNS if column.kind == "time")
    if naive := [name for name in times if getattr(runs[name].dtype, "tz", None) is None]:
        raise ValueError(f"{', '.join(naive)}: times without a zone; times are UTC")
    found: dict[str, list[Attempt]] = defaultdict(list)
    rows = _rows(history.known_at(runs, until))
    for row in sorted(rows, key=lambda row: row["started_at"] or row["due_at"]):
        row.pop("pipeline")
        row["trigger"] = row["trigger"] or "scheduled"
        found[row["table"]].append(Attempt(**row))
    return found


def _rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows with None for what is missing and datetimes for times."""
    for row in frame.astype(object).where(frame.notna(), None).to_dict("records"):
        yield {
            str(name): value.to_pydatetime() if isinstance(value, pd.Timestamp) else value
            for name, value in row.items()
        }


def _disturbance(
    promise: Promise, due_at: datetime, tries: Sequence[Attempt], until: datetime
) -> Disturbance | None:
    """What went wrong with a table at a due time, None if it came as promised or may still."""
    own = tuple(a for a in tries if a.due_at == due_at)
    published_at = min((a.published_at for a in own if a.published_at), default=None)
    came = [a.published_at for a in tries if a.published_at and a.due_at >= due_at]

    def over(lateness: timedelta | None) -> bool:
        return lateness is not None and (published_at or until) > due_at + lateness

    scheduled = next((a for a in own if a.trigger == "scheduled"), None)
    refused = scheduled is not None and scheduled.status in ("blocked", "failed", "skipped")
    absent = scheduled is None and (bool(own) or promise.slo_lateness is None)
    if not (refused or absent or over(promise.slo_lateness)):
        return None
    kind: Kind = "late" if published_at and scheduled else "missed"
    if scheduled and scheduled.status == "blocked":
        kind = "blocked"
    return Disturbance(
        promise.table,
        due_at,
        kind,
        own,
        published_at,
        min(came, default=None),
        over(promise.slo_lateness),
        over(promise.sla_lateness),
        None if promise.slo_lateness is None else due_at + promise.slo_lateness,
    )


def _resolved_at(group: Iterable[Disturbance]) -> datetime | None:
    current = [d.current_at for d in group]
    return None if None in current else max(at for at in current if at is not None)


def _chains(disturbed: Sequence[Disturbance]) -> Iterator[tuple[Disturbance, ...]]:
    """Join what begins before the chain so far is over."""
    chain: list[Disturbance] = []
    for found in disturbed:
        if chain:
            resolved_at = _resolved_at(chain)
            over = resolved_at is not None and resolved_at <= found.due_at
            if over and found.due_at != chain[-1].due_at:
                yield tuple(chain)
                chain = []
        chain.append(found)
    if chain:
        yield tuple(chain)


def _audits(group: Iterable[Disturbance]) -> Iterator[Sign]:
    for a in (a for d in group for a in d.attempts if a.status == "blocked"):
        text = f"Audit blocked the publication of {a.table}"
        yield Sign(a.finished_at or a.started_at or a.due_at, "audit", text, a.run_id, a.table)


def _late(group: Iterable[Disturbance], until: datetime) -> Iterator[Sign]:
    """The freshness alert, of tables that were not current when it was due."""
    for d in group:
        if d.alerts_at is not None and (d.current_at or until) > d.alerts_at:
            text = f"{d.table} is later than its SLO allows"
            yield Sign(d.alerts_at, "alert", text, "freshness SLO", d.table)


def _reads(
    group: Iterable[Disturbance], consumers: Iterable[Consumer], zone: str, until: datetime
) -> Iterator[Sign]:
    """Each read of a table after it was due and before it was current."""
    for d in group:
        stale = Window(d.due_at, max(d.due_at, d.current_at or until))
        for consumer in (c for c in consumers if c.table == d.table):
            local = consumer.zone or zone
            for day, _ in stale.days(local):
                at = datetime.combine(day, consumer.reads_at, ZoneInfo(local)).astimezone(UTC)
                if at in stale and (consumer.days == "daily" or day.weekday() < 5):
                    text = f"{consumer.name} read {d.table} without the data that was due"
                    yield Sign(at, "consumer", text, consumer.name, d.table)


def _logged(alerts: pd.DataFrame | None) -> list[tuple[Sign, datetime | None]]:
    """Alerts with the time at which somebody acknowledged them."""
    found = []
    for row in [] if alerts is None else _rows(alerts):
        by: DetectedBy = "audit" if "AUDIT" in row["name"].upper() else "alert"
        text = f"{row['name']}: {row['message']}" if row.get("message") else row["name"]
        sign = Sign(row["alerted_at"], by, text, "alert log", row["table"])
        found.append((sign, row.get("acknowledged_at")))
    return found


def _incident(
    pipeline: str,
    group: tuple[Disturbance, ...],
    signs: tuple[Sign, ...],
    *,
    until: datetime,
    severity: Severity,
    findings: Mapping[str, Sequence[Finding]],
    acknowledged_at: datetime | None,
    last_good_at: datetime | None,
) -> Incident:
    due_at = group[0].due_at
    first = [d for d in group if d.due_at == due_at]
    refused = [
        a.started_at
        for d in first
        for a in d.attempts
        if a.started_at and a.trigger == "scheduled" and a.status != "published"
    ]
    tries = sorted(
        (a for d in group for a in d.attempts), key=lambda a: (a.started_at or a.due_at, a.due_at)
    )
    run_ids = tuple(dict.fromkeys(a.run_id for a in tries))
    planted = dict.fromkeys(a.planted for a in tries if a.planted)
    given = (
        severity(d.table, d.slo_missed, d.sla_breached, (d.published_at or until) - d.due_at)
        for d in group
    )
    return Incident(
        id=f"{pipeline}-{due_at:%Y%m%dT%H%MZ}",
        pipeline=pipeline,
        tables=tuple(dict.fromkeys(d.table for d in group)),
        kind=min((d.kind for d in first), key=_WORST.index),
        due_at=due_at,
        started_at=min(refused, default=due_at),
        detected_at=signs[0].at if signs else None,
        detected_by=signs[0].by if signs else None,
        acknowledged_at=acknowledged_at,
        resolved_at=_resolved_at(group),
        severity=min((level for level in given if level is not None), default=None),
        slo_missed=any(d.slo_missed for d in group),
        sla_breached=any(d.sla_breached for d in group),
        findings=tuple(finding for run_id in run_ids for finding in findings.get(run_id, ())),
        planted="; ".join(planted) or None,
        runs=run_ids,
        disturbances=group,
        signs=signs,
        last_good_at=last_good_at,
        until=until,
    )
