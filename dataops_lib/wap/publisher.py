"""One run of Write-Audit-Publish, from its data to main or to a branch that waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from dataops_lib.audit import measure, verdicts
from dataops_lib.audit.checks import Check
from dataops_lib.errors import DataError, UsageError
from dataops_lib.finding import Finding
from dataops_lib.wap import branches, incoming, replacing, retention, runs, staging
from dataops_lib.wap.incoming import DoesNotFit, Fingerprint
from dataops_lib.wap.publication import Publication, Story
from dataops_lib.wap.retention import Retention, RetiredRun
from dataops_lib.wap.runs import Run, Staged
from dataops_lib.warehouse.metadata import MainLine
from dataops_lib.warehouse.scan import added_files

MAX_REBASES = 60


@dataclass(frozen=True)
class Publisher:
    """Publishes one run: each call gives what became of it, and `story` tells the events so far."""

    catalog: Catalog
    name: str
    run: Run
    checks: Sequence[Check]
    now: Callable[[], datetime]
    story: Story

    def outcome(self, **facts: Any) -> Publication:
        """What became of the run, with the events so far."""
        facts |= {"events": self.story.events, "seconds": self.story.seconds}
        return Publication(run_id=self.run.run_id, table=self.name, **facts)

    def with_story(self, outcome: Publication) -> Publication:
        """The same outcome, with what was noted since."""
        return replace(outcome, events=self.story.events, seconds=self.story.seconds)

    def run_with(self, table: Table, data: Any) -> Publication:
        """Stage `data`, or find it staged or published by an earlier call, and go on from there."""
        schema, run_id = table.schema(), self.run.run_id
        again = None if hasattr(data, "read_next_batch") else data  # a stream is read only once
        earlier, whole = published_and_whole(table, run_id)
        try:
            if earlier or whole:
                fingerprint = str(_fingerprint(data, schema))
                if earlier:
                    return self.repeated(table, earlier, fingerprint)
                if whole and whole.is_same(fingerprint, self.run.mode):
                    self.story.note("found", f"{whole.rows:,} rows staged before on {whole.branch}")
                    return self.audit_and_publish(table, whole, again)
                raise _other_run(run_id)
            if retired := retention.retired_run(table, run_id):
                return self.repeated_retired(retired, str(_fingerprint(data, schema)))
            table, staged = self.stage(table, data)
        except DoesNotFit as misfit:
            finding = verdicts.misfit(self.checks, misfit.problems, {"samples": misfit.samples})
            self.story.note("blocked", finding.evidence)
            return self.outcome(published=False, findings=(finding,))
        self.story.note("staged", f"{staged.rows:,} rows written to branch {staged.branch}")
        return self.audit_and_publish(table, staged, again)

    def stage(self, table: Table, data: Any) -> tuple[Table, Staged]:
        """Write the data to a branch; what does not fit halfway leaves nothing behind."""
        before = set(runs.branches_of(table, self.run.run_id))
        parts = incoming.parts(data, table.schema(), self.run.mode)
        try:
            return staging.stage(self.catalog, table, self.run, parts, Fingerprint())
        except Exception:
            self._remove_partial(before)
            raise

    def _remove_partial(self, before: set[str]) -> None:
        try:
            table = branches.load(self.catalog, self.name)
            ours = runs.waiting_of(table, self.run.run_id)
            partial = [r.branch for r in ours if r.branch not in before and not r.complete]
            if partial:
                branches.remove(self.catalog, self.name, partial, self.now())
        except Exception as error:  # the reason why staging failed is the one to hear
            self.story.fail("clean-up", error)

    def repeated(self, table: Table, snapshot: Snapshot, fingerprint: str) -> Publication:
        """The first publication of this run, when it was of the same data in the same mode."""
        run_id, tag = self.run.run_id, runs.tag_of(table, self.run.run_id)
        if tag and tag.state == "withdrawn":
            raise UsageError(f"run {run_id} was published and rolled back. Give a new run_id")
        if not MainLine.of(table).holds(snapshot):
            text = f"run {run_id} was published, and somebody moved main of {self.name} back since"
            raise UsageError(f"{text}. Give a new run_id to publish its rows again")
        first = runs.read_back(table, snapshot.snapshot_id)
        if not first.is_same(fingerprint, self.run.mode):
            raise _other_run(run_id)
        self._remove_left(table)
        place = tag.name if tag else "a snapshot whose tag is gone"
        self.story.note("repeated", f"already published as {place}")
        return self.outcome(
            published=True,
            snapshot_id=first.head_id,
            rows=first.rows,
            staged_at=first.staged_at,
            tag=tag.name if tag else None,
            published_at=tag.published_at if tag else None,
        )

    def repeated_retired(self, first: RetiredRun, fingerprint: str) -> Publication:
        """The first publication of this run, whose tag was retired since."""
        if first.withdrawn:
            raise UsageError(f"run {self.run.run_id} was rolled back. Give a new run_id")
        if (first.fingerprint, first.mode) != (fingerprint, str(self.run.mode)):
            raise _other_run(self.run.run_id)
        self.story.note("repeated", f"already published as {first.tag}, which was retired since")
        return self.outcome(
            published=True, rows=first.rows, tag=first.tag, published_at=first.published_at
        )

    def _remove_left(self, table: Table) -> None:
        try:
            if left := runs.branches_of(table, self.run.run_id):
                branches.remove(self.catalog, self.name, left, self.now())
        except Exception as error:  # the rows are published: nothing may say otherwise
            self.story.fail("clean-up", error)

    def audit_and_publish(self, table: Table, staged: Staged, data: Any = None) -> Publication:
        """Audit what is staged and publish it; when main has moved, follow it and audit again."""
        first = staged
        findings = self.audit(table, staged, self.checks)
        for rebased in range(MAX_REBASES):
            in_order = tuple(findings[check] for check in self.checks)
            runs.record_audit(table, staged, in_order)
            pending = self.pending(staged, in_order, first.head_id, rebased)
            if bad := pending.blocked_by:
                self.story.note("blocked", "; ".join(f"{f.subject}: {f.evidence}" for f in bad))
                return self.with_story(pending)
            if done := self.publish(table, pending, staged):
                return done
            table, staged = self.follow_main(branches.load(self.catalog, self.name), staged, data)
            findings |= self.audit(table, staged, [c for c in self.checks if not _is_settled(c)])
        raise DataError(
            f"main of {self.name} moved {MAX_REBASES} times during run {self.run.run_id}; its rows "
            f"wait on branch {staged.branch}. Resume the run later"
        )

    def pending(
        self, staged: Staged, findings: tuple[Finding, ...], first_id: int, rebased: int
    ) -> Publication:
        """What is staged and audited, and not published yet."""
        return self.outcome(
            published=False,
            branch=staged.branch,
            snapshot_id=staged.head_id,
            staged_snapshot_id=first_id,
            main_before=staged.base_id,
            rows=staged.rows,
            findings=findings,
            staged_at=staged.staged_at,
            rebased=rebased,
        )

    def publish(
        self,
        table: Table,
        pending: Publication,
        staged: Staged,
        override: Mapping[str, str] | None = None,
    ) -> Publication | None:
        """The publication, or None when main is no ancestor of what is staged.

        Once main has moved nothing raises any more: what fails afterwards is an event.
        """
        replacing.verify(table, staged)
        table, tag = branches.publish(
            self.catalog, table, self.run.run_id, staged.head_id, self.now(), override
        )
        if tag is None:
            return None
        if (tag.state, tag.snapshot.snapshot_id) != ("published", staged.head_id):
            # Another process was first.
            return self.repeated(table, tag.snapshot, staged.fingerprint)
        self.story.note("published", f"main is now snapshot {staged.head_id}, tagged {tag.name}")
        done = replace(pending, published=True, tag=tag.name, published_at=tag.published_at)
        return self.with_story(done)

    def audit(self, table: Table, staged: Staged, checks: Sequence[Check]) -> dict[Check, Finding]:
        """Findings on what is staged, by check."""
        findings = measure.run(
            table,
            checks,
            snapshot_id=staged.head_id,
            base_id=staged.base_id,
            as_of=self.now(),
        )
        self.story.note("audited", f"{len(findings)} checks on snapshot {staged.head_id}")
        return dict(zip(checks, findings, strict=True))

    def follow_main(self, table: Table, staged: Staged, data: Any) -> tuple[Table, Staged]:
        """Main moved: put the same rows on top of it."""
        self.story.note("rebased", "main moved during the audit")
        if self.run.mode.kind == "append":
            files = added_files(table, staged.base_id, staged.head_id)
            return staging.rebase(self.catalog, table, self.run, staged, files)
        if data is None:
            raise DataError(
                f"main of {self.name} moved, and '{self.run.mode}' must be worked out again from "
                f"data that is gone. Discard run {self.run.run_id} and run it again"
            )
        return self.stage(table, data)

    def alert(self, outcome: Publication, on_alert: Callable[[Publication], None]) -> Publication:
        """Tell somebody that the run was blocked; who cannot be told is an event, no error."""
        try:
            on_alert(outcome)
        except Exception as error:  # a sink that is down never decides about data
            self.story.fail("alert", error)
        else:
            self.story.note("alerted", "")
        return self.with_story(outcome)

    def tidy(self, outcome: Publication, policy: Retention | None) -> Publication:
        """Remove failed branches that were kept long enough, this run's too if it keeps none.

        Publishes are retired by `policy`. The run is over by now: what fails here is an event of
        `outcome`.
        """
        try:
            table, moment = branches.load(self.catalog, self.name), self.now()
            if policy and retention.is_due(table, policy):
                retired = retention.retire(self.catalog, self.name, policy)
                if retired:
                    self.story.note("retired", f"{len(retired)} publishes up to {retired[-1]}")
                table = branches.load(self.catalog, self.name)
            past = runs.expired(table, moment)
            if past or runs.unreachable(table, (), moment):
                branches.remove(self.catalog, self.name, past, moment)
        except Exception as error:
            self.story.fail("clean-up", error)
        return self.with_story(outcome)


def published_and_whole(table: Table, run_id: str) -> tuple[Snapshot | None, Staged | None]:
    """What a run published, and its last branch that holds all of its data."""
    left = reversed(runs.waiting_of(table, run_id))
    whole = (run for run in left if run.complete and runs.is_intact(table, run.head_id))
    return runs.published(table, run_id), next(whole, None)


def _is_settled(check: Check) -> bool:
    """True when main cannot change the verdict: it looks at rows of this run alone, one by one."""
    return check.row_wise and check.scope == "added"


def _fingerprint(data: Any, schema: Any) -> Fingerprint:
    fingerprint = Fingerprint()
    for part in incoming.parts(data, schema):
        fingerprint.add(part)
    return fingerprint


def _other_run(run_id: str) -> UsageError:
    return UsageError(
        f"run {run_id} already stands for other data, or for another mode. Give this data a run_id "
        "of its own, or discard the staged run first"
    )
