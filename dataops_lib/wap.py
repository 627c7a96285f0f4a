"""Edge: Write-Audit-Publish: readers of a table only ever see rows that were audited.

    write_audit_publish(data, table_name, quality_checks, *, catalog, mode="append", run_id=None,
        on_alert=None, keep_failed_for=7 days, now=utc_now, properties={}) -> Publication
    resume(table_name, *, catalog, run_id, quality_checks=None) -> Publication
    overwrite_where(filter), upsert(*keys): modes; also "append", "overwrite" (all rows)

The guarantee has limits, which are part of it: it is for one table at a time, for readers that
come through the catalog, and for writers that go through here. `properties` are strings kept with
the staged snapshot; give `due_at` (ISO time) there. A run_id publishes once: the same data again is
answered with the first publication, other data under the same run_id is refused.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from dataops_lib import arrival, branches, runs, verdict, warehouse
from dataops_lib.arrival import Fingerprint, Misfit
from dataops_lib.audit import Check, as_check
from dataops_lib.errors import DataError, UsageError
from dataops_lib.finding import Finding
from dataops_lib.reading import added_files
from dataops_lib.runs import Mode, Run, Staged

log = logging.getLogger("dataops.wap")
Checks = Sequence[Check | Callable[[Any], Any]]
MAX_REBASES = 60


@dataclass(frozen=True)
class Publication:
    """What became of a run; truthy when its rows are published.

    `rows` is the number of rows handed in (0 when they could not be staged), `snapshot_id` what was
    audited last, `main_before` what readers saw until then. `events` tells the story in order:
    (UTC time, event, detail).
    """

    run_id: str
    table: str
    published: bool
    branch: str | None = None
    snapshot_id: int | None = None
    staged_snapshot_id: int | None = None
    main_before: int | None = None
    rows: int = 0
    findings: tuple[Finding, ...] = ()
    staged_at: datetime | None = None
    published_at: datetime | None = None
    tag: str | None = None
    rebased: int = 0
    events: tuple[tuple[datetime, str, str], ...] = field(default=(), compare=False)

    def __bool__(self) -> bool:
        return self.published

    @property
    def blocked_by(self) -> list[Finding]:
        """Findings that stopped the publish."""
        return [finding for finding in self.findings if verdict.blocks(finding)]


def overwrite_where(condition: str) -> Mode:
    """Replace the rows that `condition` selects, such as "flight_date = '2013-02-10'"."""
    return Mode("overwrite", where=condition)


def upsert(*keys: str) -> Mode:
    """Replace rows that have the same `keys`, add the others."""
    return Mode("upsert", keys=keys)


def utc_now() -> datetime:
    """The time now; callers that replay give another clock."""
    return datetime.now(UTC)


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
    flow = _Flow(catalog, table_name, run, checks, now, branches.load(catalog, table_name))
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


@dataclass
class _Flow:
    """One call: the run, its checks and clock, and the events so far."""

    catalog: Catalog
    name: str
    run: Run
    checks: list[Check]
    now: Callable[[], datetime]
    table: Table
    events: list[tuple[datetime, str, str]] = field(default_factory=list)

    def note(self, event: str, detail: str) -> None:
        self.events.append((self.now(), event, detail))
        log.info("%s %s: %s %s", self.name, self.run.run_id, event, detail)

    def answer(self, **facts: Any) -> Publication:
        facts |= {"table": self.name, "events": tuple(self.events)}
        return Publication(run_id=self.run.run_id, **facts)

    def run_with(self, data: Any) -> Publication:
        table = self.table
        schema = table.schema()
        tag = runs.tag_of(table, self.run.run_id)
        left = [runs.staged(table, b) for b in runs.branches_of(table, self.run.run_id)]
        whole = next((old for old in reversed(left) if old.complete), None)
        try:
            if tag or whole:
                given = _fingerprint(data, schema)
                if tag:
                    return self.repeated(table, tag, given)
                if whole and whole.is_same(str(given), self.run.mode):
                    self.note("found", f"{whole.rows:,} rows staged before on {whole.branch}")
                    return self.audit_and_publish(whole, None)
                raise _other_data(self.run.run_id)
            parts = arrival.parts(data, schema)
            self.table, staged = branches.stage(self.catalog, table, self.run, parts, Fingerprint())
        except Misfit as misfit:
            finding = verdict.misfit(self.checks, misfit.problems, {"samples": misfit.samples})
            self.note("blocked", finding.evidence)
            return self.answer(published=False, findings=(finding,), staged_at=None)
        self.note("staged", f"{staged.rows:,} rows written to branch {staged.branch}")
        again = data if not hasattr(data, "read_next_batch") else None
        return self.audit_and_publish(staged, again)

    def repeated(self, table: Table, tag: str, given: Fingerprint) -> Publication:
        """The first publication of this run, when the data is the same."""
        match = runs.TAG.match(tag)
        assert match is not None
        snapshot_id = table.metadata.refs[tag].snapshot_id
        snapshot = table.metadata.snapshot_by_id(snapshot_id)
        if match["state"] == "withdrawn":
            raise UsageError(
                f"run {self.run.run_id} was published and rolled back. Give a new run_id"
            )
        if runs.told(snapshot, "fingerprint") != str(given):
            raise _other_data(self.run.run_id)
        self.note("repeated", f"already published as {tag}")
        return self.answer(
            published=True,
            snapshot_id=snapshot_id,
            rows=given.rows,
            tag=tag,
            published_at=warehouse.published_at(match["stamp"]),
        )

    def audit_and_publish(self, staged: Staged, data: Any) -> Publication:
        first, rebased = staged, 0
        findings = self.audit(staged, self.checks)
        while True:
            facts = {
                "branch": staged.branch,
                "snapshot_id": staged.head_id,
                "staged_snapshot_id": first.head_id,
                "main_before": staged.base_id,
                "rows": staged.rows,
                "findings": tuple(findings[check] for check in self.checks),
                "staged_at": datetime.fromisoformat(staged.properties["staged_at"]),
                "rebased": rebased,
            }
            if bad := [f for f in facts["findings"] if verdict.blocks(f)]:  # type: ignore[attr-defined]
                self.note("blocked", "; ".join(f"{f.subject}: {f.evidence}" for f in bad))
                return self.answer(published=False, **facts)
            at = self.now()
            self.table, tag = branches.publish(
                self.catalog, self.table, self.run.run_id, staged.head_id, at
            )
            if tag:
                self.note("published", f"main is now snapshot {staged.head_id}, tagged {tag}")
                return self.answer(published=True, tag=tag, published_at=at, **facts)
            rebased += 1
            if rebased > MAX_REBASES:
                raise DataError(
                    f"main of {self.name} moved {rebased} times during run {self.run.run_id}; "
                    f"its rows wait on branch {staged.branch}. Resume the run later"
                )
            self.table, staged = self.follow_main(staged, data)
            findings |= self.audit(staged, [c for c in self.checks if not c.row_wise])

    def audit(self, staged: Staged, checks: Sequence[Check]) -> dict[Check, Finding]:
        found = warehouse.audit(
            self.table,
            checks,
            snapshot_id=staged.head_id,
            base_id=staged.base_id,
            as_of=self.now(),
        )
        self.note("audited", f"{len(found)} checks on snapshot {staged.head_id}")
        return dict(zip(checks, found, strict=True))

    def follow_main(self, staged: Staged, data: Any) -> tuple[Table, Staged]:
        """Main moved: put the same rows on top of it."""
        table = self.table
        self.note("rebased", "main moved during the audit")
        if self.run.mode.kind == "append":
            files = added_files(table, staged.base_id, staged.head_id)
            return branches.rebase(self.catalog, table, self.run, staged, files)
        if data is None:
            raise DataError(
                f"main of {self.name} moved, and {self.run.mode.kind} must be worked out again "
                f"from the data, which was a stream. Discard run {self.run.run_id}, run it again"
            )
        parts = arrival.parts(data, table.schema())
        return branches.stage(self.catalog, table, self.run, parts, Fingerprint())

    def alert(self, result: Publication, on_alert: Callable[[Publication], None]) -> Publication:
        try:
            on_alert(result)
        except Exception as error:  # a sink that is down never decides about data
            self.note("alert failed", f"{type(error).__name__}: {error}")
        else:
            self.note("alerted", "")
        return replace(result, events=tuple(self.events))

    def tidy(self) -> None:
        """Remove failed branches that were kept long enough, this run's too if it keeps none."""
        table, moment = self.table, self.now()
        old = [
            name
            for name, ref in table.metadata.refs.items()
            if runs.BRANCH.match(name)
            and runs.is_past(table.metadata.snapshot_by_id(ref.snapshot_id), moment)
        ]
        if old or runs.unreachable(table, (), moment):
            branches.remove(self.catalog, self.name, old, moment)


def _fingerprint(data: Any, schema: Any) -> Fingerprint:
    given = Fingerprint()
    for part in arrival.parts(data, schema):
        given.add(part)
    return given


def _other_data(run_id: str) -> UsageError:
    return UsageError(
        f"run {run_id} already stands for other data. Give the new data a run_id of its own, or "
        "discard the staged run first"
    )
