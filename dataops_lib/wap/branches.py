"""The commits of a run on an Iceberg table that move or remove refs: publish, remove.

Every commit loads the table, looks whether an earlier attempt landed, and is retried. Guards name
the traps they answer; `tests/wap/test_guards.py` lists trap, guard and test.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import tenacity
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    NoSuchNamespaceError,
    NoSuchTableError,
)
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRef
from pyiceberg.table.snapshots import is_ancestor_of
from pyiceberg.table.update import AssertCurrentSchemaId
from pyiceberg.table.update.snapshot import ExpireSnapshots, ManageSnapshots

from dataops_lib.errors import DataError
from dataops_lib.wap.runs import branches_of, staged, tag_of, unreachable
from dataops_lib.warehouse import metadata
from dataops_lib.warehouse.metadata import PublishTag, staged_property, stamp

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
        hint = "a SQL catalog finds only tables made under its own name"
        text = f"the catalog {catalog.name!r} has no table {name!r}. Create it, or correct the name"
        raise DataError(f"{text}; {hint}") from None


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


def publish(
    catalog: Catalog,
    table: Table,
    run_id: str,
    audited_id: int,
    at: datetime,
    override: Mapping[str, str] | None = None,
) -> tuple[Table, PublishTag | None]:
    """Move main to the audited snapshot in one commit; no tag when main has moved since staging.

    Check and commit use one metadata object, the commit asserts that main has not moved since
    (trap 1), main must be an ancestor of the audited snapshot (trap 2), which is named by its id,
    because a branch can move between audit and publish. The tag of another process that published
    the run first is the answer, too.
    """
    tables = [table]

    def attempt() -> tuple[Table, PublishTag | None]:
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
        name = _free_tag(now, f"published-{stamp(at)}Z-{run_id}")
        branches = branches_of(now, run_id)
        small = slim(now, *branches, snapshot_id=audited_id)
        properties = {f"dataops.override.{run_id}": json.dumps(override)} if override else {}
        _commit_publish(small, audited_id, name, branches, properties)
        published_at = metadata.time_of(stamp(at))
        return small, PublishTag(name, "published", run_id, published_at, audited)

    return retrying(attempt)


def _free_tag(table: Table, name: str) -> str:
    if name in table.metadata.refs:
        # Ours would have been the answer; a tag of somebody else is never moved.
        raise DataError(f"{name} exists already and was not made by us. Remove it and run again")
    return name


def _commit_publish(
    table: Table, audited_id: int, tag: str, branches: Sequence[str], properties: dict[str, str]
) -> None:
    main = table.metadata.refs.get(MAIN_BRANCH)
    on = next((b for b in branches if table.metadata.refs[b].snapshot_id == audited_id), None)
    transaction = table.transaction()
    change: Any = ManageSnapshots(transaction)
    if main and on and hasattr(change, "fast_forward_branch"):
        change = change.fast_forward_branch(MAIN_BRANCH, on)
    else:
        # First in the chain: its assertion on main is the only one that survives (trap 1).
        change = change.set_current_snapshot(snapshot_id=audited_id)
        if main and retention_of(main):
            change = change.create_branch(audited_id, MAIN_BRANCH, **retention_of(main))  # trap 8
    change = change.create_tag(audited_id, tag)
    for branch in branches:
        change = change.remove_branch(branch)
    change.commit()
    if properties:
        transaction.set_properties(properties)
    # Columns that change between our look and the commit make it fail, and be looked at again.
    columns = AssertCurrentSchemaId.model_validate(
        {"current-schema-id": table.metadata.current_schema_id}
    )
    transaction._apply((), (columns,))
    transaction.commit_transaction()


def retention_of(ref: SnapshotRef) -> dict[str, int]:
    """What a ref says of how long it and its snapshots are kept, to be set again (trap 8)."""
    names = ("max_ref_age_ms", "max_snapshot_age_ms", "min_snapshots_to_keep")
    return {name: value for name in names if (value := getattr(ref, name)) is not None}


def remove(catalog: Catalog, name: str, branches: Sequence[str], now: datetime) -> None:
    """Remove branches of ours in one commit, and what only they reached in another.

    A branch that is no longer what our run wrote, or that is gone, stays as it is.
    """
    doomed: set[int] = set()

    def drop() -> None:
        table = load(catalog, name)
        change = table.manage_snapshots()
        dropped = False
        for branch in branches:
            try:
                run = staged(table, branch)
            except DataError:
                continue
            doomed.update(
                snapshot.snapshot_id
                for snapshot in metadata.ancestors(table, run.head_id)
                if staged_property(snapshot, "run_id") == run.run_id
            )
            change, dropped = change.remove_branch(branch), True
        if dropped:
            change.commit()

    def expire() -> None:
        table = load(catalog, name)
        if not (gone := unreachable(table, doomed, now)):
            return
        transaction = table.transaction()
        if main := table.metadata.refs.get(MAIN_BRANCH):
            # This changes nothing, and asserts that main has not moved to what is to be expired.
            same: Any = ManageSnapshots(transaction)
            same.create_branch(main.snapshot_id, MAIN_BRANCH, **retention_of(main)).commit()
        ExpireSnapshots(transaction).by_ids(gone).commit()
        transaction.commit_transaction()

    retrying(drop)
    retrying(expire)
