"""Stage a run's rows on a branch of its own, or put them on a new branch when main has moved.

Every commit loads the table, looks whether an earlier attempt landed, and is retried. Guards name
the traps they answer; `tests/wap/test_guards.py` lists trap, guard and test.
"""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table, Transaction
from pyiceberg.table.snapshots import is_ancestor_of
from pyiceberg.table.update.snapshot import ManageSnapshots

from dataops_lib.errors import DataError
from dataops_lib.wap import replacing
from dataops_lib.wap.branches import load, retrying, slim
from dataops_lib.wap.runs import (
    Mode,
    Run,
    Staged,
    is_intact,
    number_of,
    staged,
    waiting_of,
)
from dataops_lib.warehouse.metadata import staged_property

Writer = Callable[[Transaction, Table, str | None, dict[str, str]], None]


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
    before: Staged | None = None
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
        if before is None:
            table, before = _first(catalog, table, run, properties, _writer(part, run.mode))
            inherited = ("base_id", "branch", "rewritten_by")
            properties |= {k: v for k, v in before.properties.items() if k in inherited}
        else:
            writer = _writer(part, Mode("append"))
            table, before = _next(catalog, table, before, properties, writer)
        part, number = following, number + 1
    assert before is not None
    return table, before


def _writer(part: pa.Table, mode: Mode) -> Writer:
    """How one part is written to a branch within a transaction."""

    def write(
        change: Transaction, table: Table, branch: str | None, properties: dict[str, str]
    ) -> None:
        if mode.replaces_some and branch is not None:
            selected = replacing.selection(mode, change.table_metadata.schema(), part)
            rewritten_by = replacing.remove_rows(change, table, branch, selected, properties)
            if rewritten_by is not None:
                properties = properties | {"rewritten_by": str(rewritten_by)}
        elif mode.kind == "overwrite" and branch is not None:
            with warnings.catch_warnings():  # there may be nothing to replace yet
                warnings.filterwarnings("ignore", "Delete operation did not match")
                change.delete(AlwaysTrue(), properties, branch=branch)
        change.append(part, properties, branch=branch)

    return write


def _first(
    catalog: Catalog, loaded: Table, run: Run, properties: Mapping[str, str], write: Writer
) -> tuple[Table, Staged]:
    """Make a branch of a name that no ref has, and write to it, in one commit.

    An existing branch would be re-pointed in silence (trap 5): the commit asserts that it is new.
    """
    tables = [loaded]

    def attempt() -> tuple[Table, Staged]:
        table = tables.pop() if tables else load(catalog, ".".join(loaded.name()))
        if landed := _landed(table, properties):
            return table, landed
        branch = _free_name(table, run)
        main = table.current_snapshot()
        base_id = str(main.snapshot_id) if main else ""
        written = dict(properties) | {"base_id": base_id, "branch": branch}
        if main is None:
            return _on_empty(table, written, write)
        table = slim(table)
        with table.transaction() as change:
            ManageSnapshots(change).create_branch(main.snapshot_id, branch).commit()
            write(change, table, branch, written)
        return table, staged(table, branch)

    return _on_its_base(*retrying(attempt))


def _on_empty(table: Table, properties: dict[str, str], write: Writer) -> tuple[Table, Staged]:
    """An empty table has nothing to branch from (trap 3): a snapshot first, then its branch."""
    branch, stage_id = properties["branch"], properties["stage_id"]

    def head() -> int | None:
        ours = (s for s in table.metadata.snapshots if staged_property(s, "stage_id") == stage_id)
        return next((s.snapshot_id for s in ours if is_intact(table, s.snapshot_id)), None)

    if head() is None:
        table = slim(table)
        with table.transaction() as change:
            write(change, table, None, properties)
    head_id = head()
    assert head_id is not None
    table.manage_snapshots().create_branch(head_id, branch).commit()
    return table, staged(table, branch)


def _next(
    catalog: Catalog, loaded: Table, before: Staged, properties: Mapping[str, str], write: Writer
) -> tuple[Table, Staged]:
    """Write one more part to the run's branch."""
    tables = [loaded]

    def attempt() -> tuple[Table, Staged]:
        table = tables.pop() if tables else load(catalog, ".".join(loaded.name()))
        if landed := _landed(table, properties):
            return table, landed
        ref = table.metadata.refs.get(before.branch)
        if ref is None or ref.snapshot_id != before.head_id:
            # A write to an unknown branch would make one without a parent in silence (trap 4).
            raise DataError(f"somebody removed or moved branch {before.branch}. Run it again")
        table = slim(table, before.branch)
        with table.transaction() as change:
            write(change, table, before.branch, dict(properties))
        return table, staged(table, before.branch)

    return _on_its_base(*retrying(attempt))


def _on_its_base(table: Table, run: Staged) -> tuple[Table, Staged]:
    if run.base_id and not is_ancestor_of(run.head_id, run.base_id, table.metadata):
        raise DataError(f"branch {run.branch} lost its base. Discard the run and repeat it")
    return table, run


def _free_name(table: Table, run: Run) -> str:
    """A branch name of the run that no ref has, ours or not."""
    first = f"audit-{run.started_at:%Y%m%d}-{run.run_id}"
    taken = [n for n in table.metadata.refs if n == first or n.startswith(f"{first}+")]
    taken += [earlier.branch for earlier in waiting_of(table, run.run_id)]
    return f"{first}+{1 + max(map(number_of, taken))}" if taken else first


def _landed(table: Table, properties: Mapping[str, str]) -> Staged | None:
    """What an earlier attempt at this part staged, if only its answer was lost."""
    for earlier in waiting_of(table, properties["run_id"]):
        same = all(earlier.properties.get(k) == properties[k] for k in ("stage_id", "part"))
        if same and is_intact(table, earlier.head_id):
            return earlier
    return None


def rebase(
    catalog: Catalog, loaded: Table, run: Run, old: Staged, files: Sequence[DataFile]
) -> tuple[Table, Staged]:
    """Put the files of an append on a new branch from the new main; no data is written again.

    The old branch stays until the publish removes both: resetting it could lose the rows.
    """

    def write(
        change: Transaction, table: Table, branch: str | None, properties: dict[str, str]
    ) -> None:
        with change.update_snapshot(properties, branch=branch).fast_append() as append:
            for file in files:
                append.append_data_file(file)

    properties = dict(old.properties) | {"stage_id": uuid.uuid4().hex[:12]}
    properties |= {"rebased_from": str(old.head_id)}
    return _first(catalog, loaded, run, properties, write)
