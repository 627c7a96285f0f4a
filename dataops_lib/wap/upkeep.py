"""Look after tables that are published to: list runs, discard, roll back, clean up.

    list_runs(table_name, *, catalog) -> list[RunState]
    show(table_name, *, catalog, run_id) -> Shown            state, findings, who overrode what
    discard(table_name, *, catalog, run_id)
    rollback(table_name, *, catalog, to) -> Rolledback       to a publish tag
    clean(table_name, *, catalog, delete=False, older_than=7 days) -> list[Leftover]

`wap.resume` and `wap.publish` finish a run.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pyarrow.fs import FileSelector, FileSystem, FileType
from pyiceberg.catalog import Catalog
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.table.update.snapshot import ManageSnapshots

from dataops_lib.audit import verdicts
from dataops_lib.errors import UsageError
from dataops_lib.finding import Finding
from dataops_lib.wap import branches, runs
from dataops_lib.wap.publisher import utc_now
from dataops_lib.warehouse import metadata as warehouse_metadata

FOLDERS = ("data", "metadata")  # where pyiceberg puts what a table is made of


@dataclass(frozen=True)
class RunState:
    """One run as the table knows it.

    `state` is published, withdrawn (rolled back), blocked, passed (audited, not published), staged
    (in full, not audited) or partial; `ref` is its tag or branch.
    """

    run_id: str
    state: str
    ref: str
    rows: int
    staged_at: datetime | None
    published_at: datetime | None
    kept_until: datetime | None


@dataclass(frozen=True)
class Shown:
    """A run with what its audit found; `findings` is None when there is no record of an audit."""

    run: RunState
    findings: tuple[Finding, ...] | None
    override: Mapping[str, str] | None


@dataclass(frozen=True)
class Rolledback:
    """What a rollback did: runs that readers no longer see, newest first."""

    to: str
    withdrawn: tuple[str, ...]


@dataclass(frozen=True)
class Leftover:
    """A file that no snapshot reaches."""

    path: str
    bytes: int
    modified_at: datetime
    deleted: bool


def list_runs(table_name: str, *, catalog: Catalog) -> list[RunState]:
    """All runs that the table knows, in the order in which they were staged."""
    table = branches.load(catalog, table_name)
    found = [_state(table, ref) for ref in table.metadata.refs if _run_of(ref)]
    earliest = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda run: (run.staged_at or earliest, run.run_id, run.ref))


def show(table_name: str, *, catalog: Catalog, run_id: str) -> Shown:
    """One run with the findings of its audit.

    Raises
    ------
    UsageError
        If the table knows nothing of the run.
    """
    table = branches.load(catalog, table_name)
    refs = [ref for ref in table.metadata.refs if _run_of(ref) == run_id]
    if not refs:
        raise _unknown(table_name, run_id)
    ref = next((name for name in refs if warehouse_metadata.TAG.match(name)), refs[-1])
    override = table.properties.get(f"dataops.override.{run_id}")
    findings = runs.recorded_audit(table, runs.staged(table, ref))
    return Shown(_state(table, ref), findings, json.loads(override) if override else None)


def discard(table_name: str, *, catalog: Catalog, run_id: str) -> None:
    """Remove what a run staged; its files are listed by `clean` afterwards.

    Raises
    ------
    UsageError
        If the run is published, or unknown.
    """
    table = branches.load(catalog, table_name)
    if tag := runs.tag_of(table, run_id):
        raise UsageError(f"run {run_id} is {tag}. Roll back to an earlier tag instead")
    names = runs.branches_of(table, run_id)
    if not names:
        raise _unknown(table_name, run_id)
    branches.remove(catalog, table_name, names, datetime.min.replace(tzinfo=UTC))
    if tag := runs.tag_of(branches.load(catalog, table_name), run_id):
        raise UsageError(f"run {run_id} was published meanwhile, as {tag}; nothing was discarded")


def rollback(table_name: str, *, catalog: Catalog, to: str) -> Rolledback:
    """Move main back to a publish tag; later publishes are withdrawn, their rows stay in the files.

    Their tags are renamed from `published-` to `withdrawn-` in the same commit.

    Raises
    ------
    UsageError
        If `to` is no publish tag, or is not behind main.
    """

    def attempt() -> Rolledback:
        table = branches.load(catalog, table_name)
        refs = table.metadata.refs
        match = warehouse_metadata.TAG.match(to)
        if to not in refs or not match or match["state"] != "published":
            raise UsageError(f"{to!r} is no publish tag of {table_name}. List its runs")
        target = refs[to].snapshot_id
        behind = _between(table, target)
        if behind is None:
            raise UsageError(
                f"{to} is not behind main of {table_name}, so nothing leads back to it"
            )
        withdrawn = [
            name
            for name, ref in refs.items()
            if name.startswith("published-") and ref.snapshot_id in behind
        ]
        # Main first: the assertion that it has not moved is the one that the commit keeps (trap 1).
        change = ManageSnapshots(transaction := table.transaction())
        change = change.set_current_snapshot(snapshot_id=target)
        for name in withdrawn:
            change = change.remove_tag(name)
            kept = name.replace("published-", "withdrawn-", 1)
            change = change.create_tag(refs[name].snapshot_id, kept)
        change.commit()
        transaction.commit_transaction()
        newest_first = sorted(withdrawn, reverse=True)
        return Rolledback(to, tuple(str(_run_of(name)) for name in newest_first))

    return branches.retrying(attempt)


def clean(
    table_name: str,
    *,
    catalog: Catalog,
    delete: bool = False,
    older_than: timedelta = timedelta(days=7),
    now: Callable[[], datetime] = utc_now,
) -> list[Leftover]:
    """Files of the table that no snapshot reaches, older than `older_than`; deleted only if asked.

    A run that is writing right now has files that nothing reaches yet: `older_than` protects them.
    Failed branches count as reached until their run's `keep_failed_for` has passed.
    """
    moment = now()
    table = branches.load(catalog, table_name)
    io = PyArrowFileIO(table.io.properties)
    scheme, netloc, path = PyArrowFileIO.parse_location(table.location())
    system = io.fs_by_scheme(scheme, netloc)
    # List first, look at the metadata afterwards: what is committed in between counts as reached.
    files = list(_files(system, path))
    expired = runs.expired(branches.load(catalog, table_name), moment)
    if delete and expired:
        branches.remove(catalog, table_name, expired, moment)
    reached = set(_reached(branches.load(catalog, table_name)))
    leftovers = []
    for name, size, modified_at in files:
        if name in reached or modified_at > moment - older_than:
            continue
        if delete:
            with contextlib.suppress(FileNotFoundError):  # old metadata, gone with a commit
                system.delete_file(name)
        leftovers.append(Leftover(name, size, modified_at, delete))
    return leftovers


def _state(table: Table, ref: str) -> RunState:
    tag = warehouse_metadata.TAG.match(ref)
    found = runs.staged(table, ref)
    state = "staged" if found.complete else "partial"
    if tag:
        state = tag["state"]
    elif found.complete and (findings := runs.recorded_audit(table, found)) is not None:
        state = "blocked" if any(map(verdicts.blocks, findings)) else "passed"
    staged, until = found.properties.get("staged_at"), found.properties.get("keep_until")
    return RunState(
        run_id=_run_of(ref) or "",
        state=state,
        ref=ref,
        rows=found.rows,
        staged_at=datetime.fromisoformat(staged) if staged else None,
        published_at=warehouse_metadata.time_of(tag["stamp"]) if tag else None,
        kept_until=datetime.fromisoformat(until) if until and not tag else None,
    )


def _run_of(ref: str) -> str | None:
    match = warehouse_metadata.TAG.match(ref) or runs.BRANCH.match(ref)
    return match["run_id"] if match else None


def _unknown(table_name: str, run_id: str) -> UsageError:
    return UsageError(f"{table_name} knows no run {run_id}. List its runs to see which there are")


def _between(table: Table, target: int) -> set[int] | None:
    """Snapshots of main after `target`; None when main does not lead back to it."""
    after: set[int] = set()
    for snapshot in ancestors_of(table.current_snapshot(), table.metadata):
        if snapshot.snapshot_id == target:
            return after
        after.add(snapshot.snapshot_id)
    # Not there. Where somebody expired what lay in between, the order of staging is left.
    order = {s.snapshot_id: s.sequence_number or 0 for s in table.metadata.snapshots}
    then = table.metadata.snapshot_by_id(target)
    forked = any(s.snapshot_id in after for s in ancestors_of(then, table.metadata))
    newer = {snapshot_id for snapshot_id, number in order.items() if number > order[target]}
    return newer if after & newer and not forked else None


def _files(system: FileSystem, path: str) -> Iterator[tuple[str, int, datetime]]:
    for folder in FOLDERS:
        selector = FileSelector(f"{path}/{folder}", allow_not_found=True, recursive=True)
        for info in system.get_file_info(selector):
            if info.type == FileType.File:
                yield info.path, info.size, info.mtime.astimezone(UTC)


def _reached(table: Table) -> Iterator[str]:
    """Paths of all files that the metadata leads to."""
    for location in _locations(table):
        yield PyArrowFileIO.parse_location(location)[2]


def _locations(table: Table) -> Iterator[str]:
    metadata = table.metadata
    yield table.metadata_location
    yield from (entry.metadata_file for entry in metadata.metadata_log)
    yield from (file.statistics_path for file in metadata.statistics)
    yield from (file.statistics_path for file in metadata.partition_statistics)
    seen: set[str] = set()
    for snapshot in metadata.snapshots:
        if not runs.is_intact(table, snapshot.snapshot_id):
            continue  # staged, and taken back by pyiceberg; readers never saw it
        yield snapshot.manifest_list
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path in seen:
                continue
            seen.add(manifest.manifest_path)
            yield manifest.manifest_path
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                yield entry.data_file.file_path
