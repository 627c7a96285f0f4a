"""The fast reader and the table's own reader tell the same rows, or the fast one steps aside.

Tables are made as other engines leave them (`foreign`), step by step at random: files without
their partition column, deletes by position, evolved schemas and specs, names instead of field
ids, formats 1 to 3. What must stand in the table is kept beside it in plain Python. Guards taken
out once, and the test behind each:

a column of the metadata only           test_a_column_that_stands_in_the_metadata_only
delete files                            test_both_readers_tell_what_was_written
equality deletes                        test_a_table_with_equality_deletes_is_never_judged
"""

from __future__ import annotations

from datetime import date

import foreign
import lake
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lake import NAME
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DateType, IntegerType, LongType, NestedField, StringType

from dataops_lib import audit
from dataops_lib.warehouse import metadata, scan

KEYS = {
    "int": (IntegerType(), pa.int32(), [0, 1, -7, None]),
    "string": (StringType(), pa.string(), ["a", "null", "é b", "", None]),
    "date": (DateType(), pa.date32(), [date(2013, 2, 9), date(1969, 12, 31), None]),
}
STEPS = ["append", "drop from files", "rename", "widen", "add", "drop", "new spec", "delete"]


class Written:
    """A table, and the rows that it must hold."""

    def __init__(self, folder, kind, version):
        key, self.arrow, self.values = KEYS[kind]
        schema = Schema(
            NestedField(1, "part", key), NestedField(2, "n", IntegerType()),
            NestedField(3, "note", StringType()),
        )  # fmt: skip
        spec = PartitionSpec(PartitionField(1, 1000, IdentityTransform(), "part"))
        properties = {"format-version": str(min(version, 2))}
        catalog = lake.with_table(folder, schema, partition_spec=spec, properties=properties)
        self.table, self.version = catalog.load_table(NAME), version
        self.rows = []
        self.key, self.number, self.extra, self.note = "part", pa.int32(), False, True

    def columns(self):
        columns = {self.key: self.arrow, "n": self.number}
        columns |= {"note": pa.string()} if self.note else {}
        columns |= {"extra": pa.int64()} if self.extra else {}
        done = "defaulted" in self.table.schema().column_names
        return columns | ({"defaulted": pa.int64()} if done else {})

    def append(self, draw):
        rows = draw(st.lists(st.fixed_dictionaries({
            self.key: st.sampled_from(self.values),
            "n": st.none() | st.integers(0, 3),
            **({"note": st.none() | st.text("xé", max_size=2)} if self.note else {}),
            **({"extra": st.integers(0, 9)} if self.extra else {}),
        }), min_size=1, max_size=4))  # fmt: skip
        self.append_rows(rows)

    def append_rows(self, rows):
        columns = self.columns()
        self.table.append(pa.Table.from_pylist(rows, schema=pa.schema(columns)))
        self.rows += rows

    def step(self, name, draw):
        table = self.table
        if name == "append":
            self.append(draw)
        elif name == "drop from files" and table.current_snapshot():
            foreign.drop_from_files(table, self.key)
        elif name == "rename":
            new = "p" + self.key
            table.update_schema().rename_column(self.key, new).commit()
            self.rows = [{new if k == self.key else k: v for k, v in r.items()} for r in self.rows]
            self.key = new
        elif name == "widen":
            table.update_schema().update_column("n", field_type=LongType()).commit()
            self.number = pa.int64()
        elif name == "add" and not self.extra:
            table.update_schema().add_column("extra", LongType()).commit()
            self.rows, self.extra = [row | {"extra": None} for row in self.rows], True
        elif name == "drop" and self.note:
            table.update_schema().delete_column("note").commit()
            self.rows = [{k: v for k, v in r.items() if k != "note"} for r in self.rows]
            self.note = False
        elif name == "new spec" and len(table.specs()) == 1:
            with table.update_spec() as change:
                change.add_identity("n")
        elif name == "delete" and self.version > 1 and len(table.specs()) == 1:
            self.delete(draw)
        table.refresh()

    def delete(self, draw):
        """Delete the first row of the first file, through pyiceberg's eyes."""
        if not self.table.current_snapshot() or not (tasks := scan.plan(self.table)):
            return
        if any(task.delete_files for task in tasks):
            return
        first = sorted(tasks, key=lambda task: task.file.file_path)[0]
        one = scan._arrow(self.table, [first], self.table.schema()).to_pylist()
        self.rows.remove(one[0])
        partitioned = first.file.partition
        foreign.delete_positions(self.table, [0], partitioned)

    def finish(self):
        """Turn a table of format 3 into one: pyiceberg reads it, and does not write it."""
        if self.version == 3:
            self.table = foreign.as_version_3(self.table, "defaulted", 7)
            self.rows = [row | {"defaulted": 7} for row in self.rows]


def ordered(rows):
    return sorted((sorted(row.items(), key=lambda pair: pair[0]) for row in rows), key=str)


def both_readers_agree(written):
    table = written.table
    expected = ordered(written.rows)
    assert ordered(table.scan().to_arrow().to_pylist()) == expected
    with scan.connect() as con:
        source = scan.rows_of(table)
        source.name(con, "fast")
        assert ordered(con.sql("FROM fast").to_arrow_table().to_pylist()) == expected, source.why
    columns = list(written.columns())
    counts = metadata.column_counts(table, columns)
    nulls = [sum(row[name] is None for row in written.rows) for name in columns]
    assert list(counts["missing"]) == nulls
    assert list(counts["rows"]) == [len(written.rows)] * len(columns)
    findings = audit.run(table, [audit.not_null(name) for name in columns])
    assert [finding.numbers["failed"] for finding in findings] == nulls


def build(folder, data):
    written = Written(folder, data.draw(st.sampled_from(list(KEYS))), data.draw(st.integers(1, 3)))
    written.append(data.draw)
    for name in data.draw(st.lists(st.sampled_from(STEPS), max_size=5)):
        written.step(name, data.draw)
    written.finish()
    return written


@pytest.mark.parametrize("kind", KEYS)
def test_a_column_that_stands_in_the_metadata_only(tmp_path, kind):
    written = Written(tmp_path, kind, 2)
    first, *_, empty = written.values
    row = {"part": first, "n": 1, "note": "x"}
    written.append_rows([row, row, row | {"part": empty}])
    foreign.drop_from_files(written.table, "part")
    both_readers_agree(written)
    checks = [audit.not_null("part"), audit.unique("part", "n"), audit.accepted("part", [first])]
    failed = [finding.numbers["failed"] for finding in audit.run(written.table, checks)]
    assert failed == [1, 2, 0]


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_both_readers_tell_what_was_written(tmp_path_factory, data):
    both_readers_agree(build(tmp_path_factory.mktemp("table"), data))


@pytest.mark.deep
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_both_readers_tell_what_was_written_300_times(tmp_path_factory, data):
    both_readers_agree(build(tmp_path_factory.mktemp("table"), data))


# -- what no reader here can tell


def test_a_table_with_equality_deletes_is_never_judged(tmp_path):
    data = pa.table({"id": [1, 2, 3]})
    table = lake.with_table(tmp_path, data.schema).load_table(NAME)
    table.append(data)
    table = foreign.delete_values(table, "id", [2])
    checks = [audit.not_null("id"), audit.unique("id"), audit.rows_at_least(1)]
    for finding in audit.run(table, checks):
        assert finding.status == "fail"
        assert "could not be judged: marts.orders has equality deletes" in finding.evidence
    with pytest.raises(scan.Unreadable, match="compact the table"):
        metadata.column_counts(table, ["id"])


def test_a_table_whose_file_is_gone_is_named_with_the_file(tmp_path):
    data = pa.table({"id": [1, 2, 3]})
    table = lake.with_table(tmp_path, data.schema).load_table(NAME)
    table.append(data)
    [task] = scan.plan(table)
    (tmp_path / task.file.file_path.partition(str(tmp_path))[2].lstrip("/")).unlink()
    [finding] = audit.run(table, [audit.not_null("id")])
    assert finding.status == "fail"
    assert f"a data file of marts.orders is gone: {task.file.file_path}" in finding.evidence


def test_names_stand_for_field_ids_where_a_mapping_says_so(tmp_path):
    data = pa.table({"id": [1, None, 3]})
    table = lake.with_table(tmp_path, data.schema).load_table(NAME)
    table.append(data)
    foreign.strip_ids(table)
    mapping = '[{"field-id": 1, "names": ["id", "old_id"]}]'
    with table.transaction() as change:
        change.set_properties({scan.NAME_MAPPING: mapping})
    assert scan.rows_of(table).why == "columns are mapped by name"
    [finding] = audit.run(table, [audit.not_null("id")])
    assert finding.evidence == "1 of 3 rows have no id"
