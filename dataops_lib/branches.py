"""Edge: the commits of a run on an Iceberg table: stage on a branch, publish, rebase, remove.

Every commit loads the table, looks whether an earlier attempt landed, and is retried. Guards name
the traps they answer; `tests/test_wap_guards.py` lists trap, guard and test.
"""

from __future__ import annotations

import logging
import uuid
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
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.snapshots import ancestors_of, is_ancestor_of

from dataops_lib.errors import DataError
from dataops_lib.runs import (
    BRANCH,
    Mode,
    Run,
    Staged,
    branches_of,
    staged_at,
    stamp,
    tag_of,
    told,
    unreachable,
)

log = logging.getLogger("dataops.wap")
ATTEMPTS = 60
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
        raise DataError(
            f"the catalog {catalog.name!r} has no table {name!r}. Create it, or correct the name; "
            "a SQL catalog finds only tables made under its own name"
        ) from None


def retrying(step: Callable[[], Result]) -> Result:
    """Run `step` until it succeeds, with jitter, at most 60 times; each failure is logged.

    pyiceberg retries data commits four times and ref commits never (trap 6), and a write to one
    branch while another moves raises a bare ValueError (trap 7). `step` must load the table itself
    and first look whether an earlier attempt landed.
    """
    retry = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        wait=tenacity.wait_random_exponential(multiplier=0.02, max=1.0),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        before_sleep=tenacity.before_sleep_log(log, logging.INFO),
        reraise=True,
    )
    return retry(step)


def is_transient(error: BaseException) -> bool:
    """True for a commit that lost a race or a catalog that was busy."""
    if isinstance(error, CommitFailedException | CommitStateUnknownException):
        return True
    if isinstance(error, ValueError):
        return "sequence number" in str(error)
    sql = type(error).__module__.startswith("sqlalchemy")
    return sql and type(error).__name__ == "OperationalError"


def slim(table: Table, *refs: str) -> Table:
    """The same table with only main, `refs` and their snapshots in its metadata, for one commit.

    pyiceberg copies all metadata some ten times while it builds a commit; the catalog applies the
    commit to the full metadata whatever we hold. Assertions on main and on `refs` stay as they are.
    """
    metadata = table.metadata
    kept = {name: ref for name, ref in metadata.refs.items() if name in (MAIN_BRANCH, *refs)}
    ids = {ref.snapshot_id for ref in kept.values()}
    small = metadata.model_copy(
        update={
            "refs": kept,
            "snapshots": [s for s in metadata.snapshots if s.snapshot_id in ids],
            "snapshot_log": [],
        }
    )
    location, config = table.metadata_location, table.config
    return Table(table.name(), small, location, table.io, table.catalog, config)


def stage(
    catalog: Catalog, table: Table, run: Run, parts: Iterator[pa.Table], fingerprint: Any
) -> tuple[Table, Staged]:
    """Write the parts to a new branch of the run, one commit each; the last says `complete`."""
    stage_id = uuid.uuid4().hex[:12]
    incoming = iter(parts)
    part = next(incoming)  # data that does not fit fails here, before there is a branch
    table, branch, base = _open_branch(catalog, table, run)
    number, head = 0, base
    while part is not None:
        following = next(incoming, None)
        fingerprint.add(part)
        properties = dict(run.properties) | {
            "run_id": run.run_id,
            "staged_at": run.started_at.isoformat(),
            "keep_until": (run.started_at + run.keep_failed_for).isoformat(),
            "stage_id": stage_id,
            "part": str(number),
            "base_id": str(base or ""),
            "mode": str(run.mode),
            "rows": str(fingerprint.rows),
            "fingerprint": str(fingerprint),
            "complete": "true" if following is None else "false",
        }
        mode = run.mode if number == 0 or run.mode.kind == "upsert" else Mode("append")
        if head is None:
            table, head = _stage_first(catalog, table, branch, part, properties)
        else:
            table, head = _write(catalog, table, branch, head, part, mode, properties)
        part, number = following, number + 1
    return table, staged_at(table, branch, head)  # type: ignore[arg-type]


def _open_branch(catalog: Catalog, known: Table, run: Run) -> tuple[Table, str, int | None]:
    """Make a branch of a name that no ref has: an existing one would be re-pointed (trap 5)."""
    tables = [known]

    def attempt() -> tuple[Table, str, int | None]:
        table = tables.pop() if tables else load(catalog, ".".join(known.name()))
        branch = _free_name(table, run)
        main = table.current_snapshot()
        if main is None:
            return table, branch, None  # an empty table has nothing to branch from (trap 3)
        changed = slim(table)
        changed.manage_snapshots().create_branch(main.snapshot_id, branch).commit()
        return changed, branch, main.snapshot_id

    return retrying(attempt)


def _free_name(table: Table, run: Run) -> str:
    first = f"audit-{run.started_at:%Y%m%d}-{run.run_id}"
    taken = branches_of(table, run.run_id)
    again = 1 + max((int(BRANCH.match(n)["again"] or 0) for n in taken), default=-1)  # type: ignore[index]
    return f"{first}+{again}" if again else first


def _landed(table: Table, properties: Mapping[str, str]) -> int | None:
    """Snapshot of an earlier attempt at this part, whose answer was lost."""
    wanted = (properties["stage_id"], properties["part"])
    for snapshot in reversed(table.metadata.snapshots):
        if (told(snapshot, "stage_id"), told(snapshot, "part")) == wanted:
            return snapshot.snapshot_id
    return None


def _stage_first(
    catalog: Catalog, known: Table, branch: str, part: pa.Table, properties: Mapping[str, str]
) -> tuple[Table, int]:
    """First data of an empty table: a snapshot without a ref, then a branch that holds it."""
    name = ".".join(known.name())

    def append() -> int:
        table = load(catalog, name)
        if (landed := _landed(table, properties)) is None:
            table.append(part, branch=None, snapshot_properties=dict(properties))
            landed = _landed(table, properties)
        assert landed is not None
        return landed

    head = retrying(append)

    def point() -> Table:
        table = load(catalog, name)
        if branch not in table.metadata.refs:
            table.manage_snapshots().create_branch(head, branch).commit()
        return table

    return retrying(point), head


def _write(
    catalog: Catalog,
    known: Table,
    branch: str,
    head: int,
    part: pa.Table,
    mode: Mode,
    properties: Mapping[str, str],
) -> tuple[Table, int]:
    tables = [known]

    def attempt() -> Table:
        table = tables.pop() if tables else load(catalog, ".".join(known.name()))
        ref = table.metadata.refs.get(branch)
        if ref is None:
            # A write to an unknown branch would silently make one without a parent (trap 4).
            raise DataError(f"branch {branch} was removed while the run was writing. Run it again")
        if ref.snapshot_id != head and _landed(table, properties) is None:
            raise DataError(
                f"somebody else wrote to branch {branch}. Discard the run and repeat it"
            )
        if ref.snapshot_id == head:
            table = slim(table, branch)
            _apply(table, branch, part, mode, dict(properties))
        return table

    table = retrying(attempt)
    found = table.metadata.refs[branch].snapshot_id
    if not is_ancestor_of(found, head, table.metadata):
        raise DataError(f"branch {branch} lost its base. Discard the run and repeat it")
    return table, found


def _apply(
    table: Table, branch: str, part: pa.Table, mode: Mode, properties: dict[str, str]
) -> None:
    before = table.metadata.refs[branch].snapshot_id
    if mode.kind == "append":
        table.append(part, branch=branch, snapshot_properties=properties)
    elif mode.kind == "overwrite":
        where = {"overwrite_filter": mode.where} if mode.where else {}
        table.overwrite(part, branch=branch, snapshot_properties=properties, **where)  # type: ignore[arg-type]
    else:
        keys = list(mode.keys) or None
        table.upsert(part, join_cols=keys, branch=branch, snapshot_properties=properties)
        if table.metadata.refs[branch].snapshot_id == before:
            # Nothing changed, so upsert made no snapshot: an empty one records the run.
            table.append(part.slice(0, 0), branch=branch, snapshot_properties=properties)


def publish(
    catalog: Catalog, table: Table, run_id: str, audited_id: int, at: datetime
) -> tuple[Table, str | None]:
    """Move main to the audited snapshot in one commit; no tag when main has moved elsewhere.

    Check and commit use one metadata object, the commit asserts that main has not moved since
    (trap 1), main must be an ancestor of the audited snapshot (trap 2), and the snapshot is named
    by its id, because a branch can move between audit and publish.
    """
    tables = [table]

    def attempt() -> tuple[Table, str | None]:
        now = tables.pop() if tables else load(catalog, ".".join(table.name()))
        if tag := tag_of(now, run_id):
            return now, tag
        if now.metadata.snapshot_by_id(audited_id) is None:
            raise DataError(f"the audited snapshot of run {run_id} is gone. Run it again")
        main = now.current_snapshot()
        if main and not is_ancestor_of(audited_id, main.snapshot_id, now.metadata):
            return now, None
        tag = f"published-{stamp(at)}Z-{run_id}"
        _commit_publish(now, audited_id, tag, branches_of(now, run_id))
        return now, tag

    return retrying(attempt)


def _commit_publish(table: Table, audited_id: int, tag: str, branches: Sequence[str]) -> None:
    main = table.metadata.refs.get(MAIN_BRANCH)
    on = next((b for b in branches if table.metadata.refs[b].snapshot_id == audited_id), None)
    change: Any = table.manage_snapshots()
    if main and on and hasattr(change, "fast_forward_branch"):
        change = change.fast_forward_branch(MAIN_BRANCH, on)
    else:
        # First in the chain: its assertion on main is the only one that survives (trap 1).
        change = change.set_current_snapshot(snapshot_id=audited_id)
        if main and _retention(main):
            change = change.create_branch(audited_id, MAIN_BRANCH, **_retention(main))  # trap 8
    change = change.create_tag(audited_id, tag)
    for branch in branches:
        change = change.remove_branch(branch)
    change.commit()


def _retention(ref: Any) -> dict[str, int]:
    names = ("max_ref_age_ms", "max_snapshot_age_ms", "min_snapshots_to_keep")
    return {name: value for name in names if (value := getattr(ref, name)) is not None}


def rebase(
    catalog: Catalog, known: Table, run: Run, old: Staged, files: Sequence[DataFile]
) -> tuple[Table, Staged]:
    """Put the files of an append on a new branch from the new main; no data is written again.

    The old branch stays until the publish removes both: resetting it could lose the rows.
    """
    table, branch, base = _open_branch(catalog, known, run)
    properties = dict(old.properties) | {"stage_id": uuid.uuid4().hex[:12], "part": "0"}
    properties |= {"base_id": str(base or ""), "rebased_from": str(old.head_id)}

    def attempt() -> Table:
        now = tables.pop() if tables else load(catalog, ".".join(known.name()))
        if branch not in now.metadata.refs:
            raise DataError(f"branch {branch} was removed while the run was rebased. Run it again")
        if _landed(now, properties) is None:
            with now.transaction() as change:
                append = change.update_snapshot(properties, branch=branch).fast_append()
                with append as new:
                    for file in files:
                        new.append_data_file(file)
        return now

    tables = [table]
    done = retrying(attempt)
    head = done.metadata.refs[branch].snapshot_id
    return done, staged_at(done, branch, head)


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
            run_id = told(head, "run_id")
            doomed.update(
                s.snapshot_id
                for s in ancestors_of(head, table.metadata)
                if run_id and told(s, "run_id") == run_id
            )
            change = change.remove_branch(ref)
        change.commit()

    def expire() -> None:
        table = load(catalog, name)
        if gone := unreachable(table, doomed, now):
            table.maintenance.expire_snapshots().by_ids(gone).commit()

    retrying(drop)
    retrying(expire)
