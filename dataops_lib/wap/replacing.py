"""Rows that new ones replace: those that a filter selects, or that have the same keys.

Old rows that stay are written again in a snapshot of their own, which the run's rows name as
`rewritten_by`; so nobody takes them for rows that the run added. What was replaced is counted again
on the branch, by another reader, before anything is published.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    BooleanExpression,
    GreaterThanOrEqual,
    LessThanOrEqual,
)
from pyiceberg.io.pyarrow import ArrowScan, _dataframe_to_data_files
from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table, Transaction

from dataops_lib.errors import DataError
from dataops_lib.sql import quoted
from dataops_lib.wap.conditions import Condition, unsigned_zero
from dataops_lib.wap.runs import Mode, Staged
from dataops_lib.warehouse import scan


class Selection(Protocol):
    """Which rows of a table are replaced."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that decide it."""

    @property
    def where(self) -> BooleanExpression:
        """What every selected row fulfils; files whose counts exclude it are not opened."""

    def holds(self, rows: pa.Table) -> pa.ChunkedArray:
        """For each row whether it is replaced."""


@dataclass(frozen=True)
class ByKeys:
    """The rows whose `columns` stand in `keys`, a table of nothing else."""

    columns: tuple[str, ...]
    keys: pa.Table

    @property
    def where(self) -> BooleanExpression:
        """The range of the first key, where files tell their own."""
        first = self.keys.column(self.columns[0])
        bounded = pa.types.is_integer(first.type) or pa.types.is_string(first.type)
        if not bounded or not len(first):
            return AlwaysTrue()
        lowest, highest = (value.as_py() for value in pc.min_max(first).values())
        name = self.columns[0]  # pyiceberg's types leave out what its constructors take
        above, below = cast(Any, GreaterThanOrEqual), cast(Any, LessThanOrEqual)
        return And(above(name, lowest), below(name, highest))

    def holds(self, rows: pa.Table) -> pa.ChunkedArray:
        """For each row whether its keys are among these."""
        names = [f"key {number}" for number in range(len(self.columns))]
        numbered = _keys(rows, self.columns, names)
        # What comes from files is large_string where data is string: a join wants one type.
        keys = _keys(self.keys, self.columns, names).cast(numbered.schema)
        numbered = numbered.append_column("row", pa.array(np.arange(rows.num_rows)))
        same = numbered.join(keys, names, join_type="left semi")["row"].to_numpy()
        mask = np.zeros(rows.num_rows, dtype=bool)
        mask[same] = True
        return pa.chunked_array([pa.array(mask)])


def _keys(rows: pa.Table, columns: Sequence[str], names: list[str]) -> pa.Table:
    arrays = [unsigned_zero(rows.column(column)) for column in columns]
    return pa.Table.from_arrays(arrays, names)


def key_columns(mode: Mode, schema: Schema) -> tuple[str, ...]:
    """The keys of an upsert: those that were named, else the identifier fields of the table."""
    return mode.keys or tuple(sorted(schema.identifier_field_names()))


def selection(mode: Mode, schema: Schema, part: pa.Table) -> Selection:
    """What `part` replaces when it is written in `mode`, which replaces some rows."""
    if mode.kind == "upsert":
        columns = key_columns(mode, schema)
        return ByKeys(columns, part.select(list(columns)))
    return Condition.of(mode.where or "true", schema)


def remove_rows(
    change: Transaction,
    table: Table,
    branch: str,
    selected: Selection,
    properties: Mapping[str, str],
) -> int | None:
    """Take the selected rows off a branch; the snapshot that did it, None when there are none.

    Each file that holds some is read with the table's own reader, and written again without them.
    """
    base = change.table_metadata.refs[branch].snapshot_id
    tasks = table.scan(row_filter=selected.where, snapshot_id=base).plan_files()
    schema = change.table_metadata.schema()
    commit, numbers = uuid.uuid4(), itertools.count()
    replaced: list[tuple[DataFile, list[DataFile]]] = []
    for task in tasks:
        narrow = _read(table, task, schema.select(*selected.columns)) if selected.columns else None
        if narrow is not None and not pc.any(selected.holds(narrow)).as_py():
            continue
        rows = _read(table, task, schema)
        kept = rows.filter(pc.invert(selected.holds(rows)))
        written = _dataframe_to_data_files(
            table_metadata=change.table_metadata, df=kept, io=table.io, write_uuid=commit,
            counter=numbers,
        )  # fmt: skip
        replaced.append((task.file, list(written) if kept.num_rows else []))
    if not replaced:
        return None
    with change.update_snapshot(dict(properties), branch=branch).overwrite() as overwrite:
        for old, new in replaced:
            overwrite.delete_data_file(old)
            for file in new:
                overwrite.append_data_file(file)
    return change.table_metadata.refs[branch].snapshot_id


def _read(table: Table, task: FileScanTask, schema: Schema) -> pa.Table:
    reader: Any = ArrowScan(table.metadata, table.io, schema, AlwaysTrue())
    return reader.to_table([FileScanTask(task.file, task.delete_files)])


def verify(table: Table, staged: Staged) -> None:
    """Count on the branch that exactly the selected rows were replaced by the run's rows.

    Rows are read and the filter is worked out by DuckDB here, over all files of both ends.

    Raises
    ------
    DataError
        If the counts differ, or cannot be taken.
    """
    if staged.mode.kind == "append":
        return
    try:
        kept, there, added, selected = _counts(table, staged)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"run {staged.run_id}: what '{staged.mode}' replaced cannot be counted ({reason}). "
            "Nothing was published"
        ) from error
    if there != kept + added or selected != added:
        raise DataError(
            f"run {staged.run_id}: after '{staged.mode}' the branch holds {there:,} rows, but "
            f"{kept:,} old ones stay and {added:,} are new. Nothing was published"
        )


def _counts(table: Table, staged: Staged) -> tuple[int, int, int, int]:
    """Old rows that stay, rows on the branch, rows of the run, and selected rows on the branch."""
    head = scan.schema_of(table, staged.head_id)
    tasks = {
        "base": scan.plan(table, staged.base_id) if staged.base_id is not None else [],
        "head": scan.plan(table, staged.head_id),
        "added": [
            FileScanTask(file) for file in scan.added_files(table, staged.base_id, staged.head_id)
        ],
    }
    literals, match = pa.table({"none": [None]}), "TRUE"
    if staged.mode.kind == "upsert":
        columns = key_columns(staged.mode, head)
        pairs = (f"old.{quoted(c)} = new.{quoted(c)}" for c in columns)
        match = f"EXISTS (SELECT 1 FROM added new WHERE {' AND '.join(pairs)})"
    elif staged.mode.where:
        condition = Condition.of(staged.mode.where, head)
        columns = condition.columns
        match, literals = condition.sql()
    else:
        columns = ()
    schema = head.select(*columns) if columns else Schema(head.fields[0])
    with scan.connect() as con:
        con.register("literals", literals)
        for name, files in tasks.items():
            scan.source(table, files, schema).create(con, name)

        def count(sql: str) -> int:
            return int(con.execute(f"SELECT count(*) FROM {sql}").fetchall()[0][0])

        stays = f"NOT coalesce({match}, FALSE)"
        return (
            count(f"base old, literals WHERE {stays}"),
            count("head"),
            count("added"),
            count(f"head old, literals WHERE {match}"),
        )
