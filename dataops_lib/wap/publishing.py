"""Write-Audit-Publish: readers of a table only ever see rows that were audited.

    write_audit_publish(data, table_name, quality_checks, *, catalog, mode="append", run_id=None,
        on_alert=None, keep_failed_for=7 days, now=utc_now, properties={}) -> Publication
    resume(table_name, *, catalog, run_id, quality_checks=None) -> Publication
    publish(table_name, *, catalog, run_id, reason=None, by=None) -> Publication
    overwrite_where(filter), upsert(*keys): modes; also "append", "overwrite" (all rows)

The guarantee has limits, which are part of it: it is for one table at a time, for readers that
come through the catalog, and for writers that go through here. `properties` are strings kept with
the staged snapshot; give `due_at` (ISO time) there. A run_id publishes once: the same data again is
answered with the first publication, other data under the same run_id is refused.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pyiceberg.catalog import Catalog

from dataops_lib.audit.checks import Check, as_check
from dataops_lib.errors import DataError, UsageError
from dataops_lib.wap import branches, runs
from dataops_lib.wap.publisher import Flow, Publication, utc_now
from dataops_lib.wap.runs import Mode, Run, Staged
from dataops_lib.warehouse import metadata

Checks = Sequence[Check | Callable[[Any], Any]]


def overwrite_where(condition: str) -> Mode:
    """Replace the rows that `condition` selects, such as "flight_date = '2013-02-10'"."""
    return Mode("overwrite", where=condition)


def upsert(*keys: str) -> Mode:
    """Replace rows that have the same `keys`, add the others."""
    return Mode("upsert", keys=keys)


def write_audit_publish(
    data: Any,
    table_name: str,
    quality_checks: Checks,
    *,
    catalog: Catalog,
    mode: str | Mode = "append",
    run_id: str | None = None,
    on_alert: Callable[[Publication], None] | None = None,
    keep_failed_for: timedelta = timedelta(days=7),
    now: Callable[[], datetime] = utc_now,
    properties: Mapping[str, str] | None = None,
) -> Publication:
    """Write `data` to a branch, audit the branch, and publish it, or leave readers what they had.

    Parameters
    ----------
    data : pandas.DataFrame, pyarrow.Table or pyarrow.RecordBatchReader
        Columns by the names of the table. A stream is staged in batches of 500,000 rows.
    quality_checks : sequence of checks
        Values of `audit`, or functions from a DataFrame to something with `.passed`, `.message`.
    mode : "append", "overwrite", `overwrite_where(...)` or `upsert(...)`
        "overwrite" replaces the whole table.
    on_alert : function of a Publication, optional
        Called when the audit blocked, before anything is removed; its failure is only recorded.

    Returns
    -------
    Publication
        Falsy when blocked: by a check, or because the data does not fit the table at all.

    Raises
    ------
    UsageError
        For an unknown mode, a malformed run_id, or a run_id that stands for other data.
    DataError
        If the table does not exist, or main kept moving.
    """
    started = now()
    run = Run(
        run_id=runs.check_run_id(run_id or f"{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"),
        mode=_mode(mode),
        started_at=started,
        keep_failed_for=keep_failed_for,
        properties=dict(properties or {}),
    )
    checks = [as_check(check) for check in quality_checks]
    flow = Flow(catalog, table_name, run, checks, now, branches.load(catalog, table_name))
    result = flow.run_with(data)
    if not result and on_alert:
        result = flow.alert(result, on_alert)
    flow.tidy()
    return result


def _mode(mode: str | Mode) -> Mode:
    if isinstance(mode, Mode):
        return mode
    if mode not in ("append", "overwrite", "upsert"):
        raise UsageError(
            f"mode is {mode!r}. Give 'append', 'overwrite', wap.overwrite_where(condition) or "
            "wap.upsert(*keys)"
        )
    return Mode(mode)  # type: ignore[arg-type]


def resume(
    table_name: str,
    *,
    catalog: Catalog,
    run_id: str,
    quality_checks: Checks | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Publication:
    """Finish or discard what a crash left of a run.

    A published run is answered as such. What was staged in full is audited by `quality_checks` and
    published; without checks it is published when its audit was recorded as passed, stays when
    blocked, and is discarded when nobody audited it. What was staged in part is discarded.

    Raises
    ------
    UsageError
        If the table knows nothing of the run.
    DataError
        If main has moved since, and the audit, the data or the time to follow it are gone.
    """
    flow = _flow_of(catalog, table_name, run_id, quality_checks or (), now)
    known, whole = flow.published_and_whole()
    if known:
        return flow.repeated(known, metadata.staged_property(known, "fingerprint") or "")
    if whole and quality_checks is not None:
        main = flow.table.current_snapshot()
        moved = whole.base_id != (main.snapshot_id if main else None)
        if moved and runs.is_past(flow.table.metadata.snapshot_by_id(whole.head_id), now()):
            # A clean may be deleting its files: it takes those of runs whose time is over.
            text = f"main of {table_name} moved, and run {run_id} is past its time"
            raise DataError(f"{text}. Discard it and run it again")
        return flow.audit_and_publish(whole)
    record = runs.recorded_audit(flow.table, whole) if whole else None
    if whole is None or record is None:
        left = runs.branches_of(flow.table, run_id)
        branches.remove(catalog, table_name, left, now())
        flow.note("discarded", "it was staged in part" if whole is None else "nobody audited it")
        return flow.answer(published=False)
    pending = flow.pending(whole, record, whole.head_id, 0)
    return pending if pending.blocked_by else _publish_or_say(flow, pending, whole, None)


def publish(
    table_name: str,
    *,
    catalog: Catalog,
    run_id: str,
    reason: str | None = None,
    by: str | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Publication:
    """Publish a run that is staged and audited; one that was blocked only with a `reason`.

    The reason, who gave it and what it overrode are kept in the table property
    `dataops.override.<run_id>`, in the same commit as the publish.

    Raises
    ------
    UsageError
        If the run is unknown, was not audited, or was blocked and there is no reason.
    """
    flow = _flow_of(catalog, table_name, run_id, (), now)
    known, whole = flow.published_and_whole()
    record = runs.recorded_audit(flow.table, whole) if whole else None
    if known or whole is None or record is None:
        state = "is published already" if known else "was not staged and audited in full"
        raise UsageError(f"run {run_id} {state}. List the runs to see what can be published")
    pending = flow.pending(whole, record, whole.head_id, 0)
    blocked = [finding.subject for finding in pending.blocked_by]
    if blocked and not (reason or "").strip():
        raise UsageError(f"run {run_id} is blocked by {', '.join(blocked)}. Give a reason")
    told = {"reason": reason or "", "by": by or "", "at": now().isoformat()}
    override = told | {"blocked_by": ", ".join(blocked)} if blocked else None
    return _publish_or_say(flow, pending, whole, override)


def _publish_or_say(
    flow: Flow, pending: Publication, whole: Staged, override: Mapping[str, str] | None
) -> Publication:
    done = flow.publish(pending, whole, override)
    if done is None:
        raise DataError(
            f"main of {flow.name} has moved since run {flow.run.run_id} was audited. Resume it "
            "with its quality checks, or run it again"
        )
    return done


def _flow_of(
    catalog: Catalog, name: str, run_id: str, checks: Checks, now: Callable[[], datetime]
) -> Flow:
    """The flow of a run that the table knows."""
    table = branches.load(catalog, runs.check_run_id(run_id) and name)
    names = runs.branches_of(table, run_id)
    if not names and not runs.published(table, run_id):
        raise UsageError(f"{name} knows no run {run_id}. List its runs to see which there are")
    found = runs.staged(table, names[-1]).properties if names else {}
    started = datetime.fromisoformat(found["staged_at"]) if "staged_at" in found else now()
    until = datetime.fromisoformat(found["keep_until"]) if "keep_until" in found else started
    mode = Mode.parse(found.get("mode", "append"))
    run = Run(run_id, mode, started, until - started, {})
    return Flow(catalog, name, run, [as_check(check) for check in checks], now, table)
