"""The commits of a run on an Iceberg table: stage on a branch, publish, rebase, remove.

Every commit loads the table, looks whether an earlier attempt landed, and is retried. Guards name
the traps they answer; `tests/wap/test_guards.py` lists trap, guard and test.
"""

from __future__ import annotations

import json
import logging
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import pyarrow as pa
import tenacity
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    NoSuchNamespaceError,
    NoSuchTableError,
)
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table, Transaction
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRef
from pyiceberg.table.snapshots import ancestors_of, is_ancestor_of
from pyiceberg.table.update.snapshot import ExpireSnapshots, ManageSnapshots

from dataops_lib.errors import DataError
from dataops_lib.wap.runs import (
    BRANCH,
    Mode,
    Run,
    Staged,
    branches_of,
    is_intact,
    staged,
    tag_of,
    unreachable,
)
from dataops_lib.warehouse.metadata import staged_property, stamp

log = logging.getLogger("dataops.wap")
ATTEMPTS = 60
_MEANWHILE = ("sequence number", "unknown snapshot", "does not exist")
Result = TypeVar("Result")


def load(catalog: Catalog, name: str) -> Table:
    """The table as it is now.

    Raises
    ------
    DataError
        If the catalog has no such table.
    """
    try:
        return retrying(lambda: catalog.load_table(name))
    except (NoSuchTableError, NoSuchNamespaceError):
        known = "a SQL catalog finds only tables made under its own name"
        text = f"the catalog {catalog.name!r} has no table {name!r}. Create it, or correct the name"
        raise DataError(f"{text}; {known}") from None


def retrying(step: Callable[[], Result]) -> Result:
    """Run `step` until it succeeds, with jitter, at most 60 times; each failure is logged.

    pyiceberg retries data commits only (trap 6), and a write to one branch while another moves
    raises a bare ValueError (trap 7). `step` looks first whether an earlier attempt landed.
    """
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        wait=tenacity.wait_random_exponential(multiplier=0.02, max=1.0),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        before_sleep=tenacity.before_sleep_log(log, logging.INFO),
        reraise=True,
    )(step)


def is_transient(error: BaseException) -> bool:
    """True for a commit that lost a race, and for a catalog that was busy."""
    if isinstance(error, CommitFailedException | CommitStateUnknownException):
        return True
    if isinstance(error, ValueError):  # what it builds on was added, or is gone, meanwhile
        return any(sign in str(error) for sign in _MEANWHILE)
    sql = type(error).__module__.startswith("sqlalchemy")
    return sql and type(error).__name__ == "OperationalError"


def slim(table: Table, *refs: str, snapshot_id: int | None = None) -> Table:
    """The same table with only main, `refs` and their snapshots in its metadata, for one commit.

    pyiceberg copies all metadata some ten times while it builds a commit; the catalog applies the
    commit to the full metadata whatever we hold, and assertions on main and `refs` stay as they
    are. pyiceberg's own retry is off: it would repeat the data of a commit without its refs (trap
    6), and onto a branch that is gone (trap 4).
    """
    metadata = table.metadata
    kept = {name: ref for name, ref in metadata.refs.items() if name in (MAIN_BRANCH, *refs)}
    ids = {ref.snapshot_id for ref in kept.values()} | {snapshot_id}
    small = metadata.model_copy(
        update={
            "refs": kept,
            "snapshots": [s for s in metadata.snapshots if s.snapshot_id in ids],
            "snapshot_log": [],
            "properties": metadata.properties | {"commit.retry.num-retries": "0"},
        }
    )
    return Table(
        table.name(), small, table.metadata_location, table.io, table.catalog, table.config
    )


def stage(
    catalog: Catalog, table: Table, run: Run, parts: Iterator[pa.Table], fingerprint: Any
) -> tuple[Table, Staged]:
    """Write the parts to a new branch of the run, one commit each; the last says `complete`.

    The first commit makes the branch and its first snapshot together, so that there is never a
    branch without rows of its own.
    """
    properties = dict(run.properties) | {
        "run_id": run.run_id,
        "staged_at": run.started_at.isoformat(),
        "keep_until": (run.started_at + run.keep_failed_for).isoformat(),
        "stage_id": uuid.uuid4().hex[:12],
        "mode": str(run.mode),
    }
    incoming = iter(parts)
    part: pa.Table | None = next(incoming)
    found: Staged | None = None
    number = 0
    while part is not None:
        following = next(incoming, None)
        fingerprint.add(part)
        properties |= {
            "part": str(number),
            "rows": str(fingerprint.rows),
            "fingerprint": str(fingerprint),
            "complete": "true" if following is None else "false",
        }
        if found is None:
            table, found = _first(catalog, table, run, properties, _writer(part, run.mode))
        else:
            mode = run.mode if run.mode.kind == "upsert" else Mode("append")
            properties["base_id"] = found.properties["base_id"]
            table, found = _next(catalog, table, found, properties, _writer(part, mode))
        part, number = following, number + 1
    assert found is not None
    return table, found


Writer = Callable[[Transaction, str | None, dict[str, str]], None]


def _writer(part: pa.Table, mode: Mode) -> Writer:
    """How one part is written to a branch within a transaction."""

    def write(change: Transaction, branch: str | None, properties: dict[str, str]) -> None:
        if mode.kind == "append" or branch is None:
            change.append(part, properties, branch=branch)
        elif mode.kind == "overwrite":
            where = mode.where or AlwaysTrue()
            with warnings.catch_warnings():  # there may be nothing to replace yet
                warnings.filterwarnings("ignore", "Delete operation did not match")
                change.overwrite(part, where, properties, branch=branch)
        else:
            before = change.table_metadata.refs[branch].snapshot_id
            keys = list(mode.keys) or None
            change.upsert(part, keys, branch=branch, snapshot_properties=properties)
            if change.table_metadata.refs[branch].snapshot_id == before:
                # Nothing changed, so upsert made no snapshot: an empty one records the run.
                change.append(part.slice(0, 0), properties, branch=branch)

    return write


def _first(
    catalog: Catalog, known: Table, run: Run, properties: Mapping[str, str], write: Writer
) -> tuple[Table, Staged]:
    """Make a branch of a name that no ref has, and write to it, in one commit.

    An existing branch would be re-pointed in silence (trap 5): the commit asserts that it is new.
    """
    tables = [known]

    def attempt() -> tuple[Table, Staged]:
        table = tables.pop() if tables else load(catalog, ".".join(known.name()))
        if landed := _landed(table, properties):
            return table, landed
        branch = _free_name(table, run)
        main = table.current_snapshot()
        given = dict(properties) | {"base_id": str(main.snapshot_id) if main else ""}
        if main is None:
            return _on_empty(table, branch, given, write)
        table = slim(table)
        with table.transaction() as change:
            ManageSnapshots(change).create_branch(main.snapshot_id, branch).commit()
            write(change, branch, given)
        return table, staged(table, branch)

    return _on_its_base(*retrying(attempt))


def _on_empty(
    table: Table, branch: str, properties: dict[str, str], write: Writer
) -> tuple[Table, Staged]:
    """An empty table has nothing to branch from (trap 3): a snapshot first, then its branch."""

    stage_id = properties["stage_id"]

    def head() -> int | None:
        ours = (s for s in table.metadata.snapshots if staged_property(s, "stage_id") == stage_id)
        return next((s.snapshot_id for s in ours if is_intact(table, s.snapshot_id)), None)

    if head() is None:
        table = slim(table)
        with table.transaction() as change:
            write(change, None, properties)
    found = head()
    assert found is not None
    table.manage_snapshots().create_branch(found, branch).commit()
    return table, staged(table, branch)


def _next(
    catalog: Catalog, known: Table, before: Staged, properties: Mapping[str, str], write: Writer
) -> tuple[Table, Staged]:
    """Write one more part to the run's branch."""
    tables = [known]

    def attempt() -> tuple[Table, Staged]:
        table = tables.pop() if tables else load(catalog, ".".join(known.name()))
        if landed := _landed(table, properties):
            return table, landed
        ref = table.metadata.refs.get(before.branch)
        if ref is None or ref.snapshot_id != before.head_id:
            # A write to an unknown branch would make one without a parent in silence (trap 4).
            raise DataError(f"somebody removed or moved branch {before.branch}. Run it again")
        table = slim(table, before.branch)
        with table.transaction() as change:
            write(change, before.branch, dict(properties))
        return table, staged(table, before.branch)

    return _on_its_base(*retrying(attempt))


def _on_its_base(table: Table, found: Staged) -> tuple[Table, Staged]:
    if found.base_id and not is_ancestor_of(found.head_id, found.base_id, table.metadata):
        raise DataError(f"branch {found.branch} lost its base. Discard the run and repeat it")
    return table, found


def _free_name(table: Table, run: Run) -> str:
    first = f"audit-{run.started_at:%Y%m%d}-{run.run_id}"
    taken = branches_of(table, run.run_id)
    again = 1 + max((int(BRANCH.match(n)["again"] or 0) for n in taken), default=-1)  # type: ignore[index]
    return f"{first}+{again}" if again else first


def _landed(table: Table, properties: Mapping[str, str]) -> Staged | None:
    """What an earlier attempt at this part staged, if only its answer was lost."""
    for branch in branches_of(table, properties["run_id"]):
        found = staged(table, branch)
        same = all(found.properties.get(k) == properties[k] for k in ("stage_id", "part"))
        if same and is_intact(table, found.head_id):
            return found
    return None


def publish(
    catalog: Catalog,
    table: Table,
    run_id: str,
    audited_id: int,
    at: datetime,
    override: Mapping[str, str] | None = None,
) -> tuple[Table, str | None]:
    """Move main to the audited snapshot in one commit; no tag when main has moved since staging.

    Check and commit use one metadata object, the commit asserts that main has not moved since
    (trap 1), main must be an ancestor of the audited snapshot (trap 2), which is named by its id,
    because a branch can move between audit and publish.
    """
    tables = [table]

    def attempt() -> tuple[Table, str | None]:
        now = tables.pop() if tables else load(catalog, ".".join(table.name()))
        if tag := tag_of(now, run_id):
            return now, tag
        audited = now.metadata.snapshot_by_id(audited_id)
        if audited is None:
            raise DataError(f"the audited snapshot of run {run_id} is gone. Run it again")
        if audited.schema_id != now.metadata.current_schema_id:  # trap 9
            where = ".".join(now.name())
            text = f"the columns of {where} changed after run {run_id} was staged"
            raise DataError(f"{text}. Discard the run and run it again")
        main = now.current_snapshot()
        # Main must be what the run was staged on: after a rollback an older ancestor would do for
        # Iceberg, and bring the withdrawn rows back.
        if str(main.snapshot_id if main else "") != staged_property(audited, "base_id"):
            return now, None
        if main and not is_ancestor_of(audited_id, main.snapshot_id, now.metadata):
            return now, None
        tag = f"published-{stamp(at)}Z-{run_id}"
        names = branches_of(now, run_id)
        small = slim(now, *names, snapshot_id=audited_id)
        properties = {f"dataops.override.{run_id}": json.dumps(override)} if override else {}
        _commit_publish(small, audited_id, tag, names, properties)
        return small, tag

    return retrying(attempt)


def _commit_publish(
    table: Table, audited_id: int, tag: str, names: Sequence[str], properties: dict[str, str]
) -> None:
    main = table.metadata.refs.get(MAIN_BRANCH)
    on = next((b for b in names if table.metadata.refs[b].snapshot_id == audited_id), None)
    transaction = table.transaction()
    change: Any = ManageSnapshots(transaction)
    if main and on and hasattr(change, "fast_forward_branch"):
        change = change.fast_forward_branch(MAIN_BRANCH, on)
    else:
        # First in the chain: its assertion on main is the only one that survives (trap 1).
        change = change.set_current_snapshot(snapshot_id=audited_id)
        if main and _retention(main):
            change = change.create_branch(audited_id, MAIN_BRANCH, **_retention(main))  # trap 8
    change = change.create_tag(audited_id, tag)
    for branch in names:
        change = change.remove_branch(branch)
    change.commit()
    if properties:
        transaction.set_properties(properties)
    transaction.commit_transaction()


def _retention(ref: SnapshotRef) -> dict[str, int]:
    names = ("max_ref_age_ms", "max_snapshot_age_ms", "min_snapshots_to_keep")
    return {name: value for name in names if (value := getattr(ref, name)) is not None}


def rebase(
    catalog: Catalog, known: Table, run: Run, old: Staged, files: Sequence[DataFile]
) -> tuple[Table, Staged]:
    """Put the files of an append on a new branch from the new main; no data is written again.

    The old branch stays until the publish removes both: resetting it could lose the rows.
    """

    def write(change: Transaction, branch: str | None, given: dict[str, str]) -> None:
        with change.update_snapshot(given, branch=branch).fast_append() as append:
            for file in files:
                append.append_data_file(file)

    properties = dict(old.properties) | {"stage_id": uuid.uuid4().hex[:12]}
    properties |= {"rebased_from": str(old.head_id)}
    return _first(catalog, known, run, properties, write)


def remove(catalog: Catalog, name: str, names: Sequence[str], now: datetime) -> None:
    """Remove branches in one commit, and what only they reached in another."""
    doomed: set[int] = set()

    def drop() -> None:
        table = load(catalog, name)
        present = [ref for ref in names if ref in table.metadata.refs]
        if not present:
            return
        change = table.manage_snapshots()
        for ref in present:
            head = table.metadata.snapshot_by_id(table.metadata.refs[ref].snapshot_id)
            run_id = staged_property(head, "run_id")
            doomed.update(
                s.snapshot_id
                for s in ancestors_of(head, table.metadata)
                if run_id and staged_property(s, "run_id") == run_id
            )
            change = change.remove_branch(ref)
        change.commit()

    def expire() -> None:
        table = load(catalog, name)
        if not (gone := unreachable(table, doomed, now)):
            return
        transaction = table.transaction()
        if main := table.metadata.refs.get(MAIN_BRANCH):
            # This changes nothing, and asserts that main has not moved to what is to be expired.
            same: Any = ManageSnapshots(transaction)
            same.create_branch(main.snapshot_id, MAIN_BRANCH, **_retention(main)).commit()
        ExpireSnapshots(transaction).by_ids(gone).commit()
        transaction.commit_transaction()

    retrying(drop)
    retrying(expire)
