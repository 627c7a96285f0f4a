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
from pyiceberg.table.update.snapshot import ManageSnapshots

from dataops_lib.audit import verdicts
from dataops_lib.errors import UsageError
from dataops_lib.finding import Finding
from dataops_lib.wap import branches, runs
from dataops_lib.wap.publication import utc_now
from dataops_lib.warehouse import metadata
from dataops_lib.warehouse.metadata import MainLine, PublishTag

FOLDERS = ("data", "metadata", "publishes")  # what a table, and the record of it, is made of


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
    runs_of_table = [*_published(table), *(_waiting(table, run) for run in runs.waiting(table))]
    earliest = datetime.min.replace(tzinfo=UTC)
    return sorted(runs_of_table, key=lambda run: (run.staged_at or earliest, run.run_id, run.ref))


def show(table_name: str, *, catalog: Catalog, run_id: str) -> Shown:
    """One run with the findings of its audit.

    Raises
    ------
    UsageError
        If the table knows nothing of the run.
    """
    table = branches.load(catalog, table_name)
    left = runs.waiting_of(table, run_id)
    tag = runs.tag_of(table, run_id)
    if tag is None and not left:
        raise _unknown(table_name, run_id)
    staged = runs.read_back(table, tag.snapshot.snapshot_id) if tag else left[-1]
    state = _published_as(tag, MainLine.of(table)) if tag else _waiting(table, staged)
    override = table.properties.get(f"dataops.override.{run_id}")
    try:
        overridden = json.loads(override) if override else None
    except ValueError:  # somebody else wrote it
        overridden = None
    return Shown(state, runs.recorded_audit(table, staged), overridden)


def discard(table_name: str, *, catalog: Catalog, run_id: str) -> None:
    """Remove what a run staged; its files are listed by `clean` afterwards.

    Raises
    ------
    UsageError
        If the run is published, or unknown.
    """
    table = branches.load(catalog, table_name)
    if tag := runs.tag_of(table, run_id):
        raise UsageError(f"run {run_id} is {tag.name}. Roll back to an earlier tag instead")
    names = runs.branches_of(table, run_id)
    if not names:
        raise _unknown(table_name, run_id)
    branches.remove(catalog, table_name, names, datetime.min.replace(tzinfo=UTC))
    if tag := runs.tag_of(branches.load(catalog, table_name), run_id):
        text = f"run {run_id} was published meanwhile, as {tag.name}"
        raise UsageError(f"{text}; nothing was discarded")


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
        goal = metadata.publish_tag(table, to)
        if goal is None or goal.state != "published":
            raise UsageError(f"{to!r} is no publish tag of {table_name}. List its runs")
        target = goal.snapshot.snapshot_id
        behind = _between(table, target)
        if behind is None:
            raise UsageError(
                f"{to} is not behind main of {table_name}, so nothing leads back to it"
            )
        withdrawn = [
            tag
            for tag in metadata.publish_tags(table)
            if tag.state == "published" and tag.snapshot.snapshot_id in behind
        ]
        # Main first: the assertion that it has not moved is the one that the commit keeps (trap 1).
        change = ManageSnapshots(transaction := table.transaction())
        change = change.set_current_snapshot(snapshot_id=target)
        for tag in withdrawn:
            change = change.remove_tag(tag.name)
            kept = tag.name.replace("published-", "withdrawn-", 1)
            change = change.create_tag(tag.snapshot.snapshot_id, kept)
        change.commit()
        transaction.commit_transaction()
        newest_first = sorted(withdrawn, key=lambda tag: tag.name, reverse=True)
        return Rolledback(to, tuple(tag.run_id for tag in newest_first))

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


def _published(table: Table) -> list[RunState]:
    main = MainLine.of(table)
    return [_published_as(tag, main) for tag in metadata.publish_tags(table)]


def _published_as(tag: PublishTag, main: MainLine) -> RunState:
    """A publish; `withdrawn` also when others moved main back behind it."""
    stands = tag.state == "published" and main.holds(tag.snapshot)
    rows = metadata.staged_property(tag.snapshot, "rows") or "0"
    return RunState(
        run_id=tag.run_id,
        state="published" if stands else "withdrawn",
        ref=tag.name,
        rows=int(rows) if rows.isdigit() else 0,
        staged_at=metadata.moment(metadata.staged_property(tag.snapshot, "staged_at")),
        published_at=tag.published_at,
        kept_until=None,
    )


def _waiting(table: Table, run: runs.Staged) -> RunState:
    state = "staged" if run.complete else "partial"
    if run.complete and (findings := runs.recorded_audit(table, run)) is not None:
        state = "blocked" if any(map(verdicts.blocks, findings)) else "passed"
    return RunState(
        run_id=run.run_id,
        state=state,
        ref=run.branch,
        rows=run.rows,
        staged_at=run.staged_at,
        published_at=None,
        kept_until=run.keep_until,
    )


def _unknown(table_name: str, run_id: str) -> UsageError:
    return UsageError(f"{table_name} knows no run {run_id}. List its runs to see which there are")


def _between(table: Table, target: int) -> set[int] | None:
    """Snapshots of main after `target`; None when main does not lead back to it."""
    main = table.current_snapshot()
    after: set[int] = set()
    for snapshot in metadata.ancestors(table, main.snapshot_id if main else None):
        if snapshot.snapshot_id == target:
            return after
        after.add(snapshot.snapshot_id)
    # Not there. Where somebody expired what lay in between, the order of staging is left.
    order = {s.snapshot_id: s.sequence_number or 0 for s in table.metadata.snapshots}
    forked = any(s.snapshot_id in after for s in metadata.ancestors(table, target))
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
    known = table.metadata
    yield table.metadata_location
    yield table.properties.get(metadata.RETIRED, table.metadata_location)
    yield from (entry.metadata_file for entry in known.metadata_log)
    yield from (file.statistics_path for file in known.statistics)
    yield from (file.statistics_path for file in known.partition_statistics)
    listed: set[str] = set()
    for snapshot in known.snapshots:
        if not runs.is_intact(table, snapshot.snapshot_id):
            continue  # staged, and taken back by pyiceberg; readers never saw it
        yield snapshot.manifest_list
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path in listed:
                continue
            listed.add(manifest.manifest_path)
            yield manifest.manifest_path
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                yield entry.data_file.file_path
