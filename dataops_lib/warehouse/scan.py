"""How a snapshot of an Iceberg table becomes rows that DuckDB can query.

Planned Parquet files are read directly, by field id, which is right after renames, promotions,
drops and additions. Where that would not be right the rows come through pyiceberg as Arrow, and
`Source.why` says for which reason.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlparse

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.manifest import DataFile, FileFormat, ManifestContent
from pyiceberg.partitioning import PartitionField
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table
from pyiceberg.table.snapshots import Operation, Snapshot, ancestors_between_ids
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import NestedField

from dataops_lib.errors import DataError
from dataops_lib.sql import literal, quoted
from dataops_lib.warehouse.types import duckdb_type

NAME_MAPPING = "schema.name-mapping.default"
_numbers = itertools.count()


@dataclass(frozen=True)
class Source:
    """Rows for a FROM clause: `sql`, read `how` ("parquet", "arrow" or "empty") and `why`.

    `files` are the local paths that DuckDB opens itself.
    """

    sql: str
    how: str
    why: str
    data: pa.Table | None = None
    files: tuple[str, ...] = ()

    def create(self, con: duckdb.DuckDBPyConnection, view: str, *, temporary: bool = True) -> None:
        """Make the rows known to `con` as a view; `view` is quoted SQL, it may name a schema."""
        sql = self.sql
        if self.data is not None:
            name = "arrow " + view
            con.register(name, self.data)
            sql = f"SELECT * FROM {quoted(name)}"
        kind = "TEMP VIEW" if temporary else "VIEW"
        con.execute(f"CREATE OR REPLACE {kind} {view} AS {sql}")

    def name(self, con: duckdb.DuckDBPyConnection, name: str) -> None:
        """Make the rows known to `con` under any name; one with a dot names a schema too."""
        space, _, short = name.rpartition(".")
        if space:
            con.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(space)}")
        view = f"{quoted(space)}.{quoted(short)}" if space else quoted(short)
        self.create(con, view, temporary=False)


@lru_cache(maxsize=1)
def _database(pid: int) -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection in UTC with tables of its own, gone at the end.

    A new database costs 40 ms, this 6 ms. A forked child gets a database of its own.
    """
    con = _database(os.getpid()).cursor()
    own = f"own_{next(_numbers)}"
    con.execute(f"ATTACH ':memory:' AS {own}; USE {own}; SET TimeZone = 'UTC'")
    # SQL of a contract must not read Python variables that happen to be called like a table.
    con.execute("SET python_enable_replacements = false; SET enable_progress_bar = false")
    con.execute(_MACROS)
    try:
        yield con
    finally:
        con.execute(f"USE memory; DETACH {own}")
        con.close()


# Names that other engines know, for predicates of checks.
_MACROS = "CREATE TEMP MACRO regexp_like(s, p) AS regexp_matches(s, p)"
_LOCKS = """SET enable_external_access = false; SET autoload_known_extensions = false;
    SET autoinstall_known_extensions = false; SET lock_configuration = true"""


def locked(sources: Mapping[str, Source]) -> duckdb.DuckDBPyConnection:
    """A DuckDB of its own in which SQL of others may run: it reads `sources`, and no other file.

    `sources` are tables (see `rows_of`) by the name of the view that each becomes; a name with a
    dot names a schema too. DuckDB's own switches hold it, and they are locked: functions that read
    files, COPY, ATTACH, extensions and Python variables are refused. More data in memory may be
    registered afterwards. It costs 20 ms to open; the caller closes it.

    Examples
    --------
    >>> with locked({}) as con:
    ...     con.execute("FROM read_text('/etc/hostname')")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    duckdb.PermissionException: Permission Error: Cannot access file "/etc/hostname"
    """
    con = duckdb.connect(config={"python_enable_replacements": False})
    files = sorted({path for source in sources.values() for path in source.files})
    con.execute(f"SET TimeZone = 'UTC'; SET enable_progress_bar = false; {_MACROS}")
    con.execute(f"SET allowed_paths = [{', '.join(map(literal, files))}]; {_LOCKS}")
    for name, source in sources.items():
        source.name(con, name)
    return con


def schema_of(table: Table, snapshot_id: int | None) -> Schema:
    """Schema that a scan uses: the snapshot's own, the table's current one without an id."""
    if snapshot_id is None:
        return table.schema()
    snapshot = table.metadata.snapshot_by_id(snapshot_id)
    if snapshot is None:
        raise LookupError(f"{'.'.join(table.name())} has no snapshot {snapshot_id}")
    return table.schemas().get(snapshot.schema_id, table.schema())  # type: ignore[arg-type]


class Unreadable(DataError):
    """A table whose rows cannot be told: nothing of it may be counted or judged."""


def plan(table: Table, snapshot_id: int | None = None) -> list[FileScanTask]:
    """Files of a snapshot, of main without an id; none for a table without snapshots.

    Raises
    ------
    Unreadable
        If rows were deleted by their values (equality deletes), which pyiceberg cannot apply.
    """
    if snapshot_id is None and table.current_snapshot() is None:
        return []
    try:
        return list(table.scan(snapshot_id=snapshot_id).plan_files())
    except (ValueError, NotImplementedError) as error:
        if "equality deletes" not in str(error):
            raise
        raise Unreadable(
            f"{'.'.join(table.name())} has equality deletes, as Flink writes upserts, which "
            "pyiceberg cannot apply: compact the table, then read it again"
        ) from None


def added_files(table: Table, base_id: int | None, head_id: int) -> list[DataFile]:
    """Files of rows that are new in the snapshots after `base_id` up to `head_id`, still there.

    A file that holds old rows, written again without some that were replaced, is not new: a run
    does that in a snapshot of its own, which its others name (`rewritten_by`); nor is one that a
    compaction wrote. Only manifests that these snapshots wrote are opened, so the cost does not
    grow with the table. Where somebody expired snapshots in between, the files of both ends are
    compared instead.

    Raises
    ------
    DataError
        If the base was expired too, so that nothing tells which rows are new.
    """
    between: list[Snapshot] = list(ancestors_between_ids(base_id, head_id, table.metadata))
    ids = {snapshot.snapshot_id for snapshot in between}
    head = table.metadata.snapshot_by_id(head_id)
    assert head is not None
    unbroken = base_id is not None and base_id in (s.parent_snapshot_id for s in between)
    if not unbroken and base_id is not None and table.metadata.snapshot_by_id(base_id) is None:
        name = ".".join(table.name())
        text = f"snapshot {base_id} of {name}, which the rows were staged on, was expired"
        raise DataError(f"{text}. Discard the run and run it again")
    before = [] if unbroken or base_id is None else plan(table, base_id)
    old = {task.file.file_path for task in before}
    rewriting = {snapshot_id for snapshot in between if (snapshot_id := _rewrote(snapshot))}
    new: dict[str, DataFile] = {}
    for manifest in head.manifests(table.io):
        if manifest.content != ManifestContent.DATA:
            continue
        if unbroken and manifest.added_snapshot_id not in ids:
            continue
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
            file = entry.data_file
            fresh = entry.snapshot_id in ids if unbroken else file.file_path not in old
            if fresh and entry.snapshot_id not in rewriting:
                new[file.file_path] = file
    return list(new.values())


def _rewrote(snapshot: Snapshot) -> int | None:
    """The snapshot that holds no new rows: this one if it compacts, or the one that it names."""
    summary = snapshot.summary
    if summary is None:
        return None
    if summary.operation == Operation.REPLACE:
        return snapshot.snapshot_id
    named = summary.additional_properties.get("rewritten_by", "")
    return int(named) if named.isdigit() else None


def source(table: Table, tasks: Sequence[FileScanTask], schema: Schema) -> Source:
    """Rows of `tasks` in `schema`, read directly where that is right, else through Arrow."""
    if not tasks:
        typed = [
            f"CAST(NULL AS {_sql_type(f) or 'VARCHAR'}) AS {quoted(f.name)}" for f in schema.fields
        ]
        return Source(f"SELECT {', '.join(typed)} WHERE FALSE", "empty", "no files")
    reason = why_not_direct(table, tasks, schema)
    if reason:
        return Source("", "arrow", reason, _arrow(table, tasks, schema))
    files = ", ".join(literal(local_path(task.file.file_path)) for task in tasks)
    fields = ", ".join(_field(field) for field in schema.fields)
    columns = ", ".join(quoted(field.name) for field in schema.fields)
    read = f"read_parquet([{files}], schema=MAP {{{fields}}}, hive_partitioning=false)"
    paths = tuple(str(local_path(task.file.file_path)) for task in tasks)
    return Source(f"SELECT {columns} FROM {read}", "parquet", "files with field ids", files=paths)


def why_not_direct(table: Table, tasks: Sequence[FileScanTask], schema: Schema) -> str:
    """Why DuckDB must not read these files itself; an empty text when it may."""
    if any(task.delete_files for task in tasks):
        return "there are delete files"
    if NAME_MAPPING in table.properties:
        return "columns are mapped by name"
    for field in schema.fields:
        if _sql_type(field) is None:
            return f"{field.name} is of type {field.field_type}"
    names = [field.name.lower() for field in schema.fields]
    if len(set(names)) < len(names):
        return "column names differ only in case"
    columns = {field.field_id for field in schema.fields}
    partitioned = {  # such a value stands in the metadata; Spark and Hive do not repeat it in files
        spec.spec_id: columns & {f.source_id for f in spec.fields if _is_identity(f)}
        for spec in table.specs().values()
    }
    for task in tasks:
        if task.file.file_format != FileFormat.PARQUET:
            return "a file is not Parquet"
        path = local_path(task.file.file_path)
        if path is None:
            return "files are not local"
        try:
            written = _field_ids(path)
        except FileNotFoundError:
            name = ".".join(table.name())
            raise Unreadable(f"a data file of {name} is gone: {task.file.file_path}") from None
        if written is None:
            return "a file has no field ids"
        if partitioned[task.file.spec_id] - written:
            return "a column stands in the metadata only, as the value of a partition"
    return ""


def _is_identity(field: PartitionField) -> bool:
    return isinstance(field.transform, IdentityTransform)


def local_path(location: str) -> str | None:
    """Path of a `file:` location, None for an object store.

    Examples
    --------
    >>> local_path("file:///tmp/a.parquet"), local_path("s3://bucket/a.parquet")
    ('/tmp/a.parquet', None)
    """
    parts = urlparse(location)
    if parts.scheme not in ("", "file"):
        return None
    return location.removeprefix("file://") if parts.scheme else location


@lru_cache(maxsize=100_000)
def _field_ids(path: str) -> frozenset[int] | None:
    """Ids of a file's columns; None when a column has none."""
    # A data file never changes, so its footer is read once per process.
    columns = pq.read_schema(path)
    ids = [(column.metadata or {}).get(b"PARQUET:field_id", b"") for column in columns]
    return frozenset(map(int, ids)) if all(ids) else None


def _sql_type(field: NestedField) -> str | None:
    return duckdb_type(str(field.field_type))


def _field(field: NestedField) -> str:
    default = literal(field.initial_default)
    name, kind = literal(field.name), literal(_sql_type(field))
    return f"{field.field_id}: {{'name': {name}, 'type': {kind}, 'default_value': {default}}}"


def _arrow(table: Table, tasks: Sequence[FileScanTask], schema: Schema) -> pa.Table:
    from pyiceberg.expressions import AlwaysTrue
    from pyiceberg.io.pyarrow import ArrowScan

    scan: Any = ArrowScan(table.metadata, table.io, schema, AlwaysTrue())
    return scan.to_table(tasks)


def ask(con: duckdb.DuckDBPyConnection, query: str, *, seconds: float = 60.0) -> pd.DataFrame:
    """The rows of one SELECT that somebody else wrote; it ends after `seconds` at the latest.

    Raises
    ------
    DataError
        If the text is anything but one SELECT, cannot be run, or takes longer.
    """
    try:
        statements = con.extract_statements(query)
        if [statement.type.name for statement in statements] != ["SELECT"]:
            raise DataError("is not one SELECT")
        timer = threading.Timer(seconds, con.interrupt)
        timer.start()
        try:
            rows: pd.DataFrame = con.sql(query).df()
            return rows
        finally:
            timer.cancel()
    except duckdb.InterruptException:
        raise DataError(f"took longer than {seconds:.0f} seconds") from None
    except duckdb.Error as error:
        raise DataError(str(error)) from None


def rows_of(table: Table, snapshot_id: int | None = None) -> Source:
    """All rows of a published table, or of one snapshot of it, whatever is published later."""
    return source(table, plan(table, snapshot_id), schema_of(table, snapshot_id))


def view(
    con: duckdb.DuckDBPyConnection, name: str, table: Table, *, snapshot_id: int | None = None
) -> Source:
    """Make a published table, or one snapshot of it, a view of `con` under `name`.

    A name with a dot names a schema too. The view keeps the snapshot it was made from.
    """
    rows = rows_of(table, snapshot_id)
    rows.name(con, name)
    return rows
