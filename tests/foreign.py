"""Iceberg tables as other engines leave them: legal, and unlike what pyiceberg writes itself."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.update import AddSnapshotUpdate, AssertRefSnapshotId, SetSnapshotRefUpdate
from pyiceberg.typedef import Record

from dataops_lib.warehouse import scan

PATH, POSITION = 2147483546, 2147483545  # field ids that the specification reserves


def drop_from_files(table: Table, column: str) -> None:
    """Leave the values of an identity partition to the metadata, as Spark's migrations do."""
    for task in table.scan().plan_files():
        path = scan.local_path(task.file.file_path)
        rows = pq.read_table(path, partitioning=None)
        if column in rows.column_names:
            pq.write_table(rows.drop_columns([column]), path)
    scan._field_ids.cache_clear()  # files never change, but for this test


def strip_ids(table: Table) -> None:
    """Take the field ids out of the files: only a name mapping tells their columns."""
    for task in table.scan().plan_files():
        path = scan.local_path(task.file.file_path)
        rows = pq.read_table(path, partitioning=None)
        bare = pa.schema([pa.field(f.name, f.type, f.nullable) for f in rows.schema])
        pq.write_table(rows.cast(bare).replace_schema_metadata(None), path)
    scan._field_ids.cache_clear()


def as_version_3(table: Table, column: str, default: int) -> Table:
    """The same table in format 3, with a new column whose old rows have a default value."""
    path = Path(scan.local_path(table.metadata_location))
    data = json.loads(path.read_text())
    number = data["last-column-id"] + 1
    field = {"id": number, "name": column, "type": "long", "required": False}
    defaults = {"initial-default": default, "write-default": default}
    schema = next(s for s in data["schemas"] if s["schema-id"] == data["current-schema-id"])
    schema["fields"].append(field | defaults)
    path.write_text(json.dumps(
        data | {"format-version": 3, "next-row-id": 0, "last-column-id": number}
    ))  # fmt: skip
    return table.refresh()


class _DeleteManifest(ManifestWriterV2):
    def content(self):
        return ManifestContent.DELETES

    @property
    def _meta(self):
        return {**super()._meta, "content": "deletes"}


def _field(name: str, kind: pa.DataType, number: int) -> pa.Field:
    return pa.field(name, kind, metadata={"PARQUET:field_id": str(number)})


def delete_positions(table: Table, positions: list[int], partition: Record) -> Table:
    """Rows of the first data file are deleted by their number, as Spark's merge-on-read does."""
    path = sorted(task.file.file_path for task in table.scan().plan_files())[0]
    fields = [_field("file_path", pa.string(), PATH), _field("pos", pa.int64(), POSITION)]
    rows = pa.table([[path] * len(positions), sorted(positions)], schema=pa.schema(fields))
    return _with_deletes(table, rows, DataFileContent.POSITION_DELETES, None, partition)


def delete_values(table: Table, column: str, values: list[int]) -> Table:
    """Rows are deleted by their values, as Flink writes upserts."""
    number = table.schema().find_field(column).field_id
    rows = pa.table([values], schema=pa.schema([_field(column, pa.int64(), number)]))
    return _with_deletes(table, rows, DataFileContent.EQUALITY_DELETES, [number], Record())


def _with_deletes(
    table: Table,
    rows: pa.Table,
    content: DataFileContent,
    equality_ids: list[int] | None,
    partition: Record,
) -> Table:
    before, snapshot_id = table.current_snapshot(), time.time_ns() // 1000
    folder = f"{table.location()}/data"
    path = f"{folder}/deletes-{snapshot_id}.parquet"
    local = Path(scan.local_path(path))
    pq.write_table(rows, local)
    file = DataFile.from_args(
        content=content, file_path=path, file_format=FileFormat.PARQUET, partition=partition,
        record_count=len(rows), file_size_in_bytes=local.stat().st_size,
        equality_ids=equality_ids, sort_order_id=None, spec_id=0,
    )  # fmt: skip
    file.spec_id = 0
    output = table.io.new_output(f"{folder}/deletes-{snapshot_id}.avro")
    entry = ManifestEntry.from_args(
        status=ManifestEntryStatus.ADDED, snapshot_id=snapshot_id, data_file=file
    )
    with _DeleteManifest(table.spec(), table.schema(), output, snapshot_id, "deflate") as writer:
        writer.add(entry)
    number, listed = table.metadata.last_sequence_number + 1, f"{folder}/snap-{snapshot_id}.avro"
    parent = before.snapshot_id
    with write_manifest_list(
        2, table.io.new_output(listed), snapshot_id, parent, number, "deflate"
    ) as manifests:
        manifests.add_manifests([*before.manifests(table.io), writer.to_manifest_file()])
    snapshot = Snapshot(
        snapshot_id=snapshot_id, parent_snapshot_id=parent, sequence_number=number,
        timestamp_ms=snapshot_id // 1000 + 1, manifest_list=listed,
        summary=Summary(Operation.DELETE), schema_id=table.schema().schema_id,
    )  # fmt: skip
    main = SetSnapshotRefUpdate(ref_name="main", type="branch", snapshot_id=snapshot_id)
    with table.transaction() as change:
        change._apply(
            (AddSnapshotUpdate(snapshot=snapshot), main),
            (AssertRefSnapshotId(snapshot_id=parent, ref="main"),),
        )
    return table.refresh()
