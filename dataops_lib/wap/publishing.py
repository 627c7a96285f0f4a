"""Write-Audit-Publish: readers of a table only ever see rows that were audited.

    write_audit_publish(data, table_name, quality_checks, *, catalog, mode="append", run_id=None,
        on_alert=None, keep_failed_for=7 days, keep_publishes=Retention(), now=utc_now,
        properties={}) -> Publication
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
from pyiceberg.table import Table

from dataops_lib.audit.checks import Check, as_check
from dataops_lib.errors import DataError, UsageError
from dataops_lib.wap import branches, runs
from dataops_lib.wap.publication import Publication, Story, utc_now
from dataops_lib.wap.publisher import Publisher, published_and_whole
from dataops_lib.wap.retention import Retention
from dataops_lib.wap.runs import Mode, Run, Staged

KEEP = Retention()
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
    keep_publishes: Retention | None = KEEP,
    now: Callable[[], datetime] = utc_now,
    properties: Mapping[str, str] | None = None,
) -> Publication:
    """Write `data` to a branch, audit the branch, and publish it, or leave readers what they had.

    Parameters
    ----------
    data : pandas.DataFrame, pyarrow.Table or pyarrow.RecordBatchReader
        Columns by the names of the table, all of them, in any order. Values must survive the
        change to the table's types: 3.0 fits an integer, 3.5 does not, text never becomes a
        number. A stream is staged in batches of 500,000 rows.
    table_name : str
        The table in the catalog, such as "marts.orders". It must exist.
    quality_checks : sequence of checks
        Values of `audit` (`audit.not_null("id")`), the checks of a contract
        (`contracts.checks(contract)`), or functions from a DataFrame to something with `.passed`
        and `.message`. `[]` publishes unchecked.
    catalog : pyiceberg.catalog.Catalog
        Any catalog of pyiceberg.
    mode : "append", "overwrite", `overwrite_where(...)` or `upsert(...)`
        "append" adds the rows, "overwrite" replaces the whole table, `overwrite_where("day =
        '2013-02-10'")` the rows for which the filter is TRUE, `upsert("id")` those of the same key.
    run_id : str, optional
        Names the run, at most 80 letters, digits, '.', '-', '_'; such as "2013-02-10". Give one:
        then a retry with the same data is answered with the first publication and adds nothing.
        Without it, each call is a new run.
    on_alert : function of a Publication, optional
        Called when the run is blocked, before anything is removed; its failure is an event of the
        Publication. See `wap.alerts` for files and webhooks.
    keep_failed_for : timedelta
        How long a blocked run stays on its branch to be looked at; then a later run removes it.
    keep_publishes : Retention, optional
        Which publishes can be gone back to: by default the newest 200 and the last of each month.
        None keeps all, which makes each run slower. Times and counts of retired ones stay known.
    now : function that gives a time with a zone
        The clock. Replays give another one.
    properties : dict of text to text, optional
        Kept with the staged snapshot. `due_at`, an ISO time with a zone, is when the rows were
        due: freshness is measured from it, and `audit.volume` compares with its weekday.

    Returns
    -------
    Publication
        Truthy when its rows are published. Falsy when blocked: by a check, or because the data does
        not fit the table at all (`blocked_by` says why; nothing is left behind). After the publish
        nothing raises: a clean-up or an alert that failed stands in `failures`.

    Raises
    ------
    UsageError
        For an unknown mode, a filter or keys that cannot be used, a malformed run_id or `due_at`,
        or a run_id that stands for other data, another mode, or a publish that was rolled back.
    DataError
        If the table does not exist, its columns changed during the run, what was replaced cannot
        be verified, or main kept moving. Nothing is published then.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa
    >>> from dataops_lib import audit, wap, warehouse
    >>> from pyiceberg.catalog.sql import SqlCatalog
    >>> folder = tempfile.mkdtemp()
    >>> lake = SqlCatalog("lake", uri=f"sqlite:///{folder}/catalog.db", warehouse=folder)
    >>> day = pa.table({"id": [1, 2], "amount": [9.5, 3.0]})
    >>> _ = warehouse.create_table(lake, "marts.orders", day.schema)
    >>> checks = [audit.not_null("amount"), audit.unique("id")]
    >>> wap.write_audit_publish(day, "marts.orders", checks, catalog=lake, run_id="2013-02-10")
    run 2013-02-10 of marts.orders: 2 rows, published

    The next day holds an order twice, so readers keep what they had:

    >>> bad = pa.table({"id": [3, 3], "amount": [1.0, 1.0]})
    >>> wap.write_audit_publish(bad, "marts.orders", checks, catalog=lake, run_id="2013-02-11")
    run 2013-02-11 of marts.orders: 2 rows, not published, blocked by unique(id)
    >>> lake.load_table("marts.orders").scan().to_arrow()["id"].to_pylist()
    [1, 2]
    """
    started = _started(now)
    if not isinstance(keep_failed_for, timedelta) or keep_failed_for < timedelta(0):
        raise UsageError(f"keep_failed_for is {keep_failed_for!r}; give a timedelta of 0 or more")
    run = Run(
        run_id=runs.check_run_id(run_id or f"{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"),
        mode=_mode(mode),
        started_at=started,
        keep_failed_for=keep_failed_for,
        properties=runs.check_properties(properties or {}),
    )
    table = branches.load(catalog, table_name)
    publisher = _publisher(catalog, table_name, run, quality_checks, now)
    outcome = publisher.run_with(table, data)
    if not outcome and on_alert:
        outcome = publisher.alert(outcome, on_alert)
    return publisher.tidy(outcome, keep_publishes)


def _started(now: Callable[[], datetime]) -> datetime:
    moment = now()
    if moment.tzinfo is None:
        raise UsageError(f"now() gives {moment}, a time without a zone. Give datetime.now(UTC)")
    return moment


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
    on_alert: Callable[[Publication], None] | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Publication:
    """Finish or discard what a crash left of a run.

    A published run is answered as such. What was staged in full is audited by `quality_checks` and
    published; without checks it is published when its audit was recorded as passed, stays when
    blocked, and is discarded when nobody audited it. What was staged in part is discarded.
    `on_alert` is called when the audit blocks.

    Raises
    ------
    UsageError
        If the table knows nothing of the run.
    DataError
        If main has moved since, and the audit, the data or the time to follow it are gone.
    """
    table, publisher = _publisher_of(catalog, table_name, run_id, quality_checks or (), now)
    earlier, whole = published_and_whole(table, run_id)
    if earlier:
        first = runs.read_back(table, earlier.snapshot_id)
        return publisher.repeated(table, earlier, first.fingerprint)
    if whole and quality_checks is not None:
        main = table.current_snapshot()
        moved = whole.base_id != (main.snapshot_id if main else None)
        if moved and whole.keep_until <= now():
            # A clean may be deleting its files: it takes those of runs whose time is over.
            text = f"main of {table_name} moved, and run {run_id} is past its time"
            raise DataError(f"{text}. Discard it and run it again")
        outcome = publisher.audit_and_publish(table, whole)
        return outcome if outcome or not on_alert else publisher.alert(outcome, on_alert)
    record = runs.recorded_audit(table, whole) if whole else None
    if whole is None or record is None:
        left = runs.branches_of(table, run_id)
        branches.remove(catalog, table_name, left, now())
        reason = "it was staged in part" if whole is None else "nobody audited it"
        publisher.story.note("discarded", reason)
        return publisher.outcome(published=False)
    pending = publisher.pending(whole, record, whole.head_id, 0)
    return pending if pending.blocked_by else _publish_or_say(publisher, table, pending, whole)


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
    DataError
        If main has moved since the audit.
    """
    table, publisher = _publisher_of(catalog, table_name, run_id, (), now)
    earlier, whole = published_and_whole(table, run_id)
    record = runs.recorded_audit(table, whole) if whole else None
    if earlier or whole is None or record is None:
        state = "is published already" if earlier else "was not staged and audited in full"
        raise UsageError(f"run {run_id} {state}. List the runs to see what can be published")
    pending = publisher.pending(whole, record, whole.head_id, 0)
    blocked = [finding.subject for finding in pending.blocked_by]
    if blocked and not (reason or "").strip():
        raise UsageError(f"run {run_id} is blocked by {', '.join(blocked)}. Give a reason")
    override = {"reason": reason or "", "by": by or "", "at": _started(now).isoformat()}
    override["blocked_by"] = ", ".join(blocked)
    return _publish_or_say(publisher, table, pending, whole, override if blocked else None)


def _publish_or_say(
    publisher: Publisher,
    table: Table,
    pending: Publication,
    whole: Staged,
    override: Mapping[str, str] | None = None,
) -> Publication:
    done = publisher.publish(table, pending, whole, override)
    if done is None:
        raise DataError(
            f"main of {publisher.name} has moved since run {whole.run_id} was audited. Resume it "
            "with its quality checks, or run it again"
        )
    return done


def _publisher(
    catalog: Catalog, name: str, run: Run, checks: Checks, now: Callable[[], datetime]
) -> Publisher:
    story = Story(f"{name} {run.run_id}", now)
    return Publisher(catalog, name, run, [as_check(check) for check in checks], now, story)


def _publisher_of(
    catalog: Catalog, name: str, run_id: str, checks: Checks, now: Callable[[], datetime]
) -> tuple[Table, Publisher]:
    """The table, and the publisher of a run that it knows."""
    started = _started(now)
    table = branches.load(catalog, runs.check_run_id(run_id) and name)
    left = runs.waiting_of(table, run_id)
    earlier = runs.published(table, run_id)
    if not left and earlier is None:
        raise UsageError(f"{name} knows no run {run_id}. List its runs to see which there are")
    first = left[-1] if left else runs.read_back(table, earlier.snapshot_id) if earlier else None
    assert first is not None
    kept_for = max(first.keep_until - first.staged_at, timedelta(0))
    start = first.staged_at if left else started
    run = Run(run_id, first.mode, start, kept_for, {})
    return table, _publisher(catalog, name, run, checks, now)
