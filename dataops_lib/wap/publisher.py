"""One run of Write-Audit-Publish, from its data to main or to a branch that waits."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from dataops_lib.audit import measure, verdicts
from dataops_lib.audit.checks import Check
from dataops_lib.errors import DataError, UsageError
from dataops_lib.finding import Finding
from dataops_lib.wap import branches, incoming, runs
from dataops_lib.wap.incoming import Fingerprint, Misfit
from dataops_lib.wap.runs import Run, Staged
from dataops_lib.warehouse import metadata
from dataops_lib.warehouse.scan import added_files

log = logging.getLogger("dataops.wap")
MAX_REBASES = 60


@dataclass(frozen=True, repr=False)
class Publication:
    """What became of a run; truthy when its rows are published.

    `rows` is the number of rows handed in (0 when they could not be staged), `snapshot_id` what was
    audited last, `main_before` what readers saw until then. `events` tells the story in order:
    (UTC time, event, detail); `seconds` says how long each kind of step really took.
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
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)

    def __bool__(self) -> bool:
        return self.published

    def __repr__(self) -> str:
        blocking = ", ".join(finding.subject for finding in self.blocked_by)
        became = "published" if self.published else f"not published, blocked by {blocking or '-'}"
        return f"run {self.run_id} of {self.table}: {self.rows:,} rows, {became}"

    @property
    def blocked_by(self) -> list[Finding]:
        """Findings that stopped the publish."""
        return [finding for finding in self.findings if verdicts.blocks(finding)]


def utc_now() -> datetime:
    """The time now; callers that replay give another clock."""
    return datetime.now(UTC)


@dataclass
class Flow:
    """One call: the run, its checks and clock, and the events so far."""

    catalog: Catalog
    name: str
    run: Run
    checks: list[Check]
    now: Callable[[], datetime]
    table: Table
    events: list[tuple[datetime, str, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    last: float = field(default_factory=time.perf_counter)

    def note(self, event: str, detail: str) -> None:
        """Keep an event, and log it."""
        self.events.append((self.now(), event, detail))
        moment = time.perf_counter()
        self.seconds[event] = self.seconds.get(event, 0.0) + moment - self.last
        self.last = moment
        log.info("%s %s: %s %s", self.name, self.run.run_id, event, detail)

    def answer(self, **facts: Any) -> Publication:
        """A publication of this run with the events so far."""
        facts |= {"table": self.name, "events": tuple(self.events), "seconds": self.seconds}
        return Publication(run_id=self.run.run_id, **facts)

    def run_with(self, data: Any) -> Publication:
        """Stage `data`, or find it staged or published by an earlier call, and go on from there."""
        schema, run_id = self.table.schema(), self.run.run_id
        again = None if hasattr(data, "read_next_batch") else data  # a stream is read only once
        known, whole = self.published_and_whole()
        try:
            if known or whole:
                given = _fingerprint(data, schema)
                if known:
                    return self.repeated(known, str(given))
                if whole and whole.is_same(str(given), self.run.mode):
                    self.note("found", f"{whole.rows:,} rows staged before on {whole.branch}")
                    return self.audit_and_publish(whole, again)
                raise _other_data(run_id)
            parts = incoming.parts(data, schema, self.run.mode)
            self.table, staged = branches.stage(
                self.catalog, self.table, self.run, parts, Fingerprint()
            )
        except Misfit as misfit:
            finding = verdicts.misfit(self.checks, misfit.problems, {"samples": misfit.samples})
            self.note("blocked", finding.evidence)
            return self.answer(published=False, findings=(finding,))
        self.note("staged", f"{staged.rows:,} rows written to branch {staged.branch}")
        return self.audit_and_publish(staged, again)

    def published_and_whole(self) -> tuple[Snapshot | None, Staged | None]:
        """What the run published, and its last branch that holds all of its data."""
        names = runs.branches_of(self.table, self.run.run_id)
        left = [runs.staged(self.table, name) for name in reversed(names)]
        whole = (old for old in left if old.complete and runs.is_intact(self.table, old.head_id))
        return runs.published(self.table, self.run.run_id), next(whole, None)

    def repeated(self, snapshot: Snapshot, fingerprint: str) -> Publication:
        """The first publication of this run, when it was of the same data."""
        tag = runs.tag_of(self.table, self.run.run_id)
        match = metadata.TAG.match(tag or "")
        if match and match["state"] == "withdrawn":
            raise UsageError(
                f"run {self.run.run_id} was published and rolled back. Give a new run_id"
            )
        if metadata.staged_property(snapshot, "fingerprint") != fingerprint:
            raise _other_data(self.run.run_id)
        if left := runs.branches_of(self.table, self.run.run_id):
            branches.remove(self.catalog, self.name, left, self.now())
        self.note("repeated", f"already published as {tag or 'a snapshot whose tag is gone'}")
        return self.answer(
            published=True,
            snapshot_id=snapshot.snapshot_id,
            rows=int(metadata.staged_property(snapshot, "rows") or 0),
            tag=tag,
            published_at=metadata.time_of(match["stamp"]) if match else None,
        )

    def audit_and_publish(self, staged: Staged, data: Any = None) -> Publication:
        """Audit what is staged and publish it; when main has moved, follow it and audit again."""
        first = staged
        findings = self.audit(staged, self.checks)
        for rebased in range(MAX_REBASES):
            found = tuple(findings[check] for check in self.checks)
            runs.record_audit(self.table, staged, found)
            pending = self.pending(staged, found, first.head_id, rebased)
            if bad := pending.blocked_by:
                self.note("blocked", "; ".join(f"{f.subject}: {f.evidence}" for f in bad))
                return replace(pending, events=tuple(self.events))
            if done := self.publish(pending, staged):
                return done
            self.table, staged = self.follow_main(staged, data)
            findings |= self.audit(staged, [c for c in self.checks if not c.row_wise])
        raise DataError(
            f"main of {self.name} moved {MAX_REBASES} times during run {self.run.run_id}; its rows "
            f"wait on branch {staged.branch}. Resume the run later"
        )

    def pending(
        self, staged: Staged, findings: tuple[Finding, ...], first_id: int, rebased: int
    ) -> Publication:
        """What is staged and audited, and not published yet."""
        return self.answer(
            published=False,
            branch=staged.branch,
            snapshot_id=staged.head_id,
            staged_snapshot_id=first_id,
            main_before=staged.base_id,
            rows=staged.rows,
            findings=findings,
            staged_at=datetime.fromisoformat(staged.properties["staged_at"]),
            rebased=rebased,
        )

    def publish(
        self, pending: Publication, staged: Staged, override: Mapping[str, str] | None = None
    ) -> Publication | None:
        """The publication, or None when main is no ancestor of what is staged."""
        self.table, tag = branches.publish(
            self.catalog, self.table, self.run.run_id, staged.head_id, self.now(), override
        )
        match = metadata.TAG.match(tag or "")
        first = runs.published(self.table, self.run.run_id)
        if tag is None or match is None or first is None:
            return None
        if first.snapshot_id != staged.head_id:
            return self.repeated(first, staged.fingerprint)  # another process was first
        self.note("published", f"main is now snapshot {staged.head_id}, tagged {tag}")
        return replace(
            pending,
            published=True,
            tag=tag,
            published_at=metadata.time_of(match["stamp"]),
            events=tuple(self.events),
        )

    def audit(self, staged: Staged, checks: Sequence[Check]) -> dict[Check, Finding]:
        """Findings on what is staged, by check."""
        found = measure.run(
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
        self.note("rebased", "main moved during the audit")
        if self.run.mode.kind == "append":
            files = added_files(self.table, staged.base_id, staged.head_id)
            return branches.rebase(self.catalog, self.table, self.run, staged, files)
        if data is None:
            raise DataError(
                f"main of {self.name} moved, and '{self.run.mode}' must be worked out again from "
                f"data that is gone. Discard run {self.run.run_id} and run it again"
            )
        parts = incoming.parts(data, self.table.schema(), self.run.mode)
        return branches.stage(self.catalog, self.table, self.run, parts, Fingerprint())

    def alert(self, result: Publication, on_alert: Callable[[Publication], None]) -> Publication:
        """Tell somebody that the run was blocked; who cannot be told is an event, no error."""
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
        old = runs.expired(table, moment)
        if old or runs.unreachable(table, (), moment):
            branches.remove(self.catalog, self.name, old, moment)


def _fingerprint(data: Any, schema: Any) -> Fingerprint:
    given = Fingerprint()
    for part in incoming.parts(data, schema):
        given.add(part)
    return given


def _other_data(run_id: str) -> UsageError:
    return UsageError(
        f"run {run_id} already stands for other data. Give the new data a run_id of its own, or "
        "discard the staged run first"
    )
