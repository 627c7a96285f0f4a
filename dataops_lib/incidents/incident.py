"""Incidents, derived from run history and promises, with their timeline and durations."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pandas as pd

from dataops_lib.finding import Finding
from dataops_lib.incidents import disturbance
from dataops_lib.incidents.disturbance import Attempts, Disturbance, Kind
from dataops_lib.incidents.disturbance import Promise as Promise
from dataops_lib.teams.models import Consumer
from dataops_lib.windows import Window

DetectedBy = Literal["audit", "alert", "consumer"]  # in this order when two come at once

# (table, slo_missed, sla_breached, time from due until it was current) -> "P1".., None: no rule.
Severity = Callable[[str, bool, bool, timedelta], str | None]
_WORST: tuple[Kind, ...] = ("blocked", "missed", "late")
_FIRST: tuple[DetectedBy, ...] = ("audit", "alert", "consumer")
AUDIT_ALERT = "AUDIT BLOCKED"  # how the name of an audit's own alert ends, after the table's


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

    None is "not known" or "not yet". It lasts from `due_at` to `resolved_at`, when every table was
    current again. `slo_missed` and `sla_breached`: a table was later than the limit allows, first
    at `late_at`. Who noticed (`detected_at`, `detected_by`) is known where an audit blocked, and
    from the alert log; without one, `alerts_logged` is False and nobody knows of anybody else.
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
    late_at: datetime | None = None
    alerts_logged: bool = True

    @property
    def lasted(self) -> timedelta:
        """From due until every table was current again, or until the history ends."""
        return (self.resolved_at or self.until) - self.due_at

    @property
    def undetected(self) -> timedelta | None:
        """From due until somebody noticed, 0 or more; None where that is not known."""
        if self.detected_at is None:
            return None
        return max(self.detected_at - self.due_at, timedelta(0))

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
        own = (d for d in self.disturbances if d.table == table)
        return sum((span.duration for span in _stale(own, self.until)), timedelta(0))


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
    started, or when no data as new as that came within what the SLO allows. Disturbed due times of
    one pipeline are one incident until all its tables are current again; what comes later changes
    nothing about it but its gaps.

    It was detected by whatever came first: an audit that blocked, an alert of `alerts`, or, where
    alerts are logged and none came before, a consumer who read after the due time.

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
        alerted_at, name, table, and if known due_at, acknowledged_at; None: nobody logged any.
    zone
        Zone of consumers that name none.
    findings
        Why an audit blocked, by run_id.

    Raises
    ------
    ValueError
        If a column is missing, or a time has no zone.
    """
    tried = disturbance.attempts(runs, until)
    disturbed: dict[str, list[Disturbance]] = defaultdict(list)
    for promise in promises:
        own = tried.get(promise.table, Attempts())
        disturbed[promise.pipeline] += disturbance.disturbances(promise, own, until)
    logged = _Log.of(alerts)
    incidents = []
    for pipeline, of_pipeline in disturbed.items():
        for chain in _chains(sorted(of_pipeline, key=lambda d: d.due_at)):
            group = _until_resolved(chain)
            start, end = group[0].due_at, _resolved_at(group) or until
            tables = tuple(dict.fromkeys(d.table for d in group))
            logs = [entry for table in tables for entry in logged.between(table, start, end)]
            ours = (*_audits(group), *_late(group), *_reads(group, consumers, zone, until))
            # The log tells more than we can about the same moment, so it stands for ours.
            told = {(sign.at, sign.by, sign.table) for sign, _ in logs}
            signs = [sign for sign in ours if (sign.at, sign.by, sign.table) not in told]
            signs += [sign for sign, _ in logs]
            incidents.append(
                _incident(
                    pipeline,
                    group,
                    tuple(
                        sorted(
                            (sign for sign in dict.fromkeys(signs) if sign.at <= end),
                            key=lambda s: (s.at, _FIRST.index(s.by), s.table),
                        )
                    ),
                    until=until,
                    severity=severity,
                    findings=findings or {},
                    alerts_logged=alerts is not None,
                    acknowledged_at=min((at for _, at in logs if at), default=None),
                    last_good_at=max(
                        (
                            at
                            for table in tables
                            if (at := tried.get(table, Attempts()).last_before(start))
                        ),
                        default=None,
                    ),
                )
            )
    return sorted(incidents, key=lambda incident: (incident.due_at, incident.pipeline))


def _resolved_at(group: Iterable[Disturbance]) -> datetime | None:
    current = [d.current_at for d in group]
    return None if None in current else max(at for at in current if at is not None)


def _chains(disturbed: Sequence[Disturbance]) -> Iterator[list[Disturbance]]:
    """Join what begins before the chain so far is over."""
    chain: list[Disturbance] = []
    end: datetime | None = None
    for following in disturbed:
        if chain and end is not None and end <= following.due_at != chain[-1].due_at:
            yield chain
            chain = []
        current = following.current_at
        end = max(end, current) if chain and end and current else None if chain else current
        chain.append(following)
    if chain:
        yield chain


def _until_resolved(chain: Sequence[Disturbance]) -> tuple[Disturbance, ...]:
    """The chain without attempts that began when all was over, as a backfill of a gap does."""
    end = _resolved_at(chain)
    if end is None:
        return tuple(chain)
    own = (tuple(a for a in d.attempts if a.begun_at <= end) for d in chain)
    return tuple(replace(d, attempts=tries) for d, tries in zip(chain, own, strict=True))


def _audits(group: Iterable[Disturbance]) -> Iterator[Sign]:
    for a in (a for d in group for a in d.attempts if a.status == "blocked"):
        text = f"Audit blocked the publication of {a.table}"
        yield Sign(a.finished_at or a.begun_at, "audit", text, a.run_id, a.table)


def _late(group: Iterable[Disturbance]) -> Iterator[Sign]:
    """When tables became later than their SLO allows: what its alert would say."""
    for d in group:
        if d.slo_missed and d.alerts_at is not None:
            text = f"{d.table} is later than its SLO allows"
            yield Sign(d.alerts_at, "alert", text, SLO_ALERT, d.table)


SLO_ALERT = "freshness SLO"  # the source of a sign that follows from the promise, not from a log


def _stale(disturbed: Iterable[Disturbance], until: datetime) -> Iterator[Window]:
    """The stretches in which readers of one table waited, in order and without overlap."""
    start: datetime | None = None
    end = until
    for d in disturbed:
        current = max(d.due_at, d.current_at or until)
        if start is not None and d.due_at <= end:
            end = max(end, current)
            continue
        if start is not None:
            yield Window(start, end)
        start, end = d.due_at, current
    if start is not None:
        yield Window(start, end)


def _reads(
    group: Sequence[Disturbance], consumers: Iterable[Consumer], zone: str, until: datetime
) -> Iterator[Sign]:
    """Each read of a table after it was due and before it was current."""
    for consumer in consumers:
        local = consumer.zone or zone
        for stale in _stale((d for d in group if d.table == consumer.table), until):
            for day, _ in stale.days(local):
                at = datetime.combine(day, consumer.reads_at, ZoneInfo(local)).astimezone(UTC)
                if at in stale and (consumer.days == "daily" or day.weekday() < 5):
                    text = f"{consumer.name} read {consumer.table} without the data that was due"
                    yield Sign(at, "consumer", text, consumer.name, consumer.table)


@dataclass(frozen=True)
class _Log:
    """Alerts of each table, in order, with the time at which somebody acknowledged them."""

    entries: Mapping[str, Sequence[tuple[Sign, datetime | None]]]

    @staticmethod
    def of(alerts: pd.DataFrame | None) -> _Log:
        entries: dict[str, list[tuple[Sign, datetime | None]]] = defaultdict(list)
        for row in [] if alerts is None else disturbance.rows(alerts.sort_values("alerted_at")):
            by: DetectedBy = "audit" if row["name"].upper().endswith(AUDIT_ALERT) else "alert"
            text = f"{row['name']}: {row['message']}" if row.get("message") else row["name"]
            sign = Sign(row["alerted_at"], by, text, "alert log", row["table"])
            entries[row["table"]].append((sign, row.get("acknowledged_at")))
        return _Log(entries)

    def between(
        self, table: str, start: datetime, end: datetime
    ) -> Sequence[tuple[Sign, datetime | None]]:
        own = self.entries.get(table, ())
        first = bisect_left(own, start, key=lambda entry: entry[0].at)
        return own[first : bisect_right(own, end, key=lambda entry: entry[0].at)]


def _incident(
    pipeline: str,
    group: tuple[Disturbance, ...],
    signs: tuple[Sign, ...],
    *,
    until: datetime,
    severity: Severity,
    findings: Mapping[str, Sequence[Finding]],
    alerts_logged: bool,
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
    tries = sorted((a for d in group for a in d.attempts), key=lambda a: (a.begun_at, a.due_at))
    run_ids = tuple(dict.fromkeys(a.run_id for a in tries))
    planted = dict.fromkeys(a.planted for a in tries if a.planted)
    levels = (severity(d.table, d.slo_missed, d.sla_breached, d.lasted) for d in group)
    noticed = next((sign for sign in signs if _known(sign, alerts_logged)), None)
    return Incident(
        id=f"{pipeline}-{due_at:%Y%m%dT%H%MZ}",
        pipeline=pipeline,
        tables=tuple(dict.fromkeys(d.table for d in group)),
        kind=min((d.kind for d in first), key=_WORST.index),
        due_at=due_at,
        started_at=max(min(refused, default=due_at), due_at),
        late_at=min((d.alerts_at for d in group if d.slo_missed and d.alerts_at), default=None),
        detected_at=noticed.at if noticed else None,
        detected_by=noticed.by if noticed else None,
        alerts_logged=alerts_logged,
        acknowledged_at=acknowledged_at,
        resolved_at=_resolved_at(group),
        severity=min((level for level in levels if level is not None), default=None),
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


def _known(sign: Sign, alerts_logged: bool) -> bool:
    """Whether a sign proves that somebody noticed: an alert is proved by its log alone."""
    return sign.by == "audit" or (alerts_logged and sign.source != SLO_ALERT)
