"""Reading snapshots right: field ids and their fallbacks, audits, landings and counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import lake
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lake import NAME, orders
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)

from dataops_lib import audit, wap, warehouse
from dataops_lib.audit import checks as audit_checks
from dataops_lib.warehouse import metadata, scan

SCHEMA = Schema(
    NestedField(1, "id", IntegerType()),
    NestedField(2, "amount", FloatType()),
    NestedField(3, "note", StringType()),
)


def table_of(tmp_path, schema=SCHEMA, **options):
    return lake.with_table(tmp_path, schema, **options).load_table(NAME)


def rows(ids, amounts, notes):
    types = pa.schema([("id", pa.int32()), ("amount", pa.float32()), ("note", pa.string())])
    return pa.table([ids, amounts, notes], schema=types)


FIRST = rows([1, 2, None], [1.0, None, 3.0], ["a", "b", None])


def through_duckdb(table):
    """Rows as an audit reads them, and how."""
    with scan.connect() as con:
        source = warehouse.view(con, "found", table)
        found = con.sql("SELECT * FROM found").to_arrow_table().to_pylist()
    return found, source


def same(found, expected):
    def key(row):
        return [(value is None, value) for value in row.values()]

    return sorted(found, key=key) == sorted(expected, key=key)


EVOLUTIONS = {
    "nothing": lambda table: None,
    "rename": lambda table: table.update_schema().rename_column("amount", "price").commit(),
    "int to long": lambda t: t.update_schema().update_column("id", field_type=LongType()).commit(),
    "float to double": lambda t: (
        t.update_schema().update_column("amount", field_type=DoubleType()).commit()
    ),
    "drop": lambda table: table.update_schema().delete_column("note").commit(),
    "add": lambda table: table.update_schema().add_column("extra", LongType()).commit(),
    "reorder": lambda table: table.update_schema().move_first("note").commit(),
    "drop and add again": lambda table: (
        table.update_schema().delete_column("note").commit(),
        table.update_schema().add_column("note", StringType()).commit(),
    ),
    "swap names": lambda table: (
        table.update_schema().rename_column("note", "tmp").commit(),
        table.update_schema().add_column("note", StringType()).commit(),
    ),
}


@pytest.mark.parametrize("evolution", EVOLUTIONS)
def test_field_ids_give_what_pyicebergs_own_reader_gives(tmp_path, evolution):
    table = table_of(tmp_path)
    table.append(FIRST)
    EVOLUTIONS[evolution](table)
    table.refresh()
    found, source = through_duckdb(table)
    assert source.how == "parquet"
    assert same(found, table.scan().to_arrow().to_pylist())


@pytest.mark.parametrize("evolution", EVOLUTIONS)
def test_an_audit_after_a_schema_change_finds_what_pyiceberg_finds(tmp_path, evolution):
    table = table_of(tmp_path)
    table.append(FIRST)
    EVOLUTIONS[evolution](table)
    table.refresh()
    expected = table.scan().to_arrow()
    checks = [audit.not_null(name) for name in expected.column_names]
    failed = [finding.numbers["failed"] for finding in audit.run(table, checks)]
    assert failed == [expected[name].null_count for name in expected.column_names]


def test_an_old_snapshot_is_read_in_its_own_schema(tmp_path):
    table = table_of(tmp_path)
    table.append(FIRST)
    old = table.current_snapshot().snapshot_id
    table.update_schema().rename_column("amount", "price").commit()
    [finding] = audit.run(table, [audit.not_null("amount")], snapshot_id=old)
    assert finding.numbers["failed"] == 1


def test_a_column_that_is_not_there_is_a_failed_check(tmp_path):
    table = table_of(tmp_path)
    table.append(FIRST)
    found = audit.run(table, [audit.not_null("nothing"), audit.not_null("id")])
    assert "there is no column nothing" in found[0].evidence
    assert found[1].numbers["failed"] == 1


# -- where files must not be read directly


def why(table):
    return through_duckdb(table)[1].why


def test_a_name_mapping_goes_through_arrow(tmp_path):
    table = table_of(tmp_path)
    table.append(FIRST)
    mapping = '[{"field-id": 1, "names": ["id"]}]'
    with table.transaction() as change:
        change.set_properties({scan.NAME_MAPPING: mapping})
    assert why(table) == "columns are mapped by name"


def foreign_file(tmp_path, table):
    """A Parquet file without field ids, added to the table as it is."""
    path = tmp_path / "foreign.parquet"
    pq.write_table(FIRST, path)
    table.add_files([f"file://{path}"])


def test_files_without_field_ids_go_through_arrow_and_are_not_silently_null(tmp_path):
    table = table_of(tmp_path)
    foreign_file(tmp_path, table)
    with table.transaction() as change:  # add_files maps by name; without, only the footer tells
        change.remove_properties(scan.NAME_MAPPING)
    tasks = scan.plan(table)
    assert scan.why_not_direct(table, tasks, table.schema()) == "a file has no field ids"


def test_added_files_give_their_rows(tmp_path):
    table = table_of(tmp_path)
    foreign_file(tmp_path, table)
    found, source = through_duckdb(table)
    assert source.how == "arrow"
    assert same(found, FIRST.to_pylist())


class WithDeletes:
    """A planned file with a delete file, which pyiceberg reads and does not write."""

    delete_files = frozenset({"a delete file"})


def test_delete_files_go_through_arrow(tmp_path):
    table = table_of(tmp_path)
    table.append(FIRST)
    assert scan.why_not_direct(table, [WithDeletes()], table.schema()) == "there are delete files"


def test_a_file_that_is_not_parquet_goes_through_arrow(tmp_path):
    from pyiceberg.manifest import FileFormat

    table = table_of(tmp_path)
    table.append(FIRST)
    [task] = scan.plan(table)
    task.file._data[2] = FileFormat.ORC
    assert scan.why_not_direct(table, [task], table.schema()) == "a file is not Parquet"


def test_files_of_an_object_store_go_through_pyiceberg(tmp_path):
    table = table_of(tmp_path)
    table.append(FIRST)
    [task] = scan.plan(table)
    task.file._data[1] = "s3://bucket/file.parquet"
    assert scan.why_not_direct(table, [task], table.schema()) == "files are not local"


NESTED = Schema(
    NestedField(1, "id", LongType()),
    NestedField(2, "tags", ListType(3, StringType(), element_required=False)),
)


def test_nested_columns_go_through_arrow_only_where_they_are_read(tmp_path):
    table = table_of(tmp_path, NESTED)
    table.append(pa.table({"id": [1, 2], "tags": [["a"], None]}))
    assert why(table).startswith("tags is of type list")
    assert scan.why_not_direct(table, scan.plan(table), Schema(NESTED.fields[0])) == ""
    [flat, nested] = audit.run(table, [audit.not_null("id"), audit.not_null("tags")])
    assert (flat.numbers["failed"], nested.numbers["failed"]) == (0, 1)


def test_names_that_differ_only_in_case_go_through_arrow(tmp_path):
    schema = Schema(NestedField(1, "a", LongType()), NestedField(2, "A", LongType()))
    table = table_of(tmp_path, schema)
    table.append(pa.table([[1], [2]], names=["a", "A"]))
    tasks = scan.plan(table)
    assert scan.why_not_direct(table, tasks, schema) == "column names differ only in case"


def test_an_empty_identity_partition_stays_null(tmp_path):
    spec = PartitionSpec(PartitionField(3, 1000, IdentityTransform(), "note"))
    table = table_of(tmp_path, partition_spec=spec)
    table.append(FIRST)
    found, _ = through_duckdb(table)
    assert same(found, FIRST.to_pylist())


def test_a_table_without_snapshots_has_its_columns_and_no_rows(tmp_path):
    found, source = through_duckdb(table_of(tmp_path))
    assert (found, source.how) == ([], "empty")
    [finding] = audit.run(table_of_again(tmp_path), [audit.not_null("id")])
    assert finding.status == "unknown"


def table_of_again(tmp_path):
    return lake.catalog(tmp_path).load_table(NAME)


def test_every_type_survives_the_way_through_duckdb(tmp_path):
    schema = Schema(
        NestedField(1, "exact", DecimalType(12, 2)),
        NestedField(2, "at", TimestamptzType()),
    )
    table = table_of(tmp_path, schema)
    at = datetime(2013, 2, 9, 12, 30, tzinfo=UTC)
    table.append(pa.table([[None], [at]], schema=schema.as_arrow()))
    found, source = through_duckdb(table)
    assert source.how == "parquet"
    assert same(found, table.scan().to_arrow().to_pylist())


# -- audits


def test_a_composite_key_with_a_null_is_not_compared(tmp_path):
    table = table_of(tmp_path)
    table.append(rows([1, 1, 1, 1], [1.0, 1.0, 2.0, None], ["a", "a", "a", "a"]))
    [finding] = audit.run(table, [audit.unique("id", "amount")])
    assert finding.numbers["failed"] == 2
    assert finding.numbers["keys"] == 1
    assert finding.numbers["sample"] == [{"id": 1, "amount": 1.0, "copies": 2}]


def test_a_foreign_key_is_looked_up_in_the_published_table(tmp_path):
    catalog = lake.with_table(tmp_path, SCHEMA)
    carriers = warehouse.create_table(catalog, "marts.carriers", pa.schema([("code", pa.string())]))
    carriers.append(pa.table({"code": ["a"]}))
    table = catalog.load_table(NAME)
    table.append(FIRST)
    [finding] = audit.run(table, [audit.foreign_key("note", "marts.carriers", "code")])
    assert finding.evidence == "1 of 3 rows have a note that is not in marts.carriers"
    assert finding.numbers["sample"][0]["note"] == "b"


def test_sql_checks_see_the_audited_rows_and_other_tables_by_name(tmp_path):
    catalog = lake.with_table(tmp_path, SCHEMA)
    carriers = warehouse.create_table(catalog, "marts.carriers", pa.schema([("code", pa.string())]))
    carriers.append(pa.table({"code": ["a"]}))
    table = catalog.load_table(NAME)
    table.append(FIRST)
    known = "note IN (SELECT code FROM marts.carriers)"
    found = audit.run(
        table,
        [
            audit.no_rows(f"SELECT * FROM this WHERE NOT ({known})", name="by this"),
            audit.no_rows(f"SELECT * FROM {NAME} WHERE NOT ({known})", name="by its name"),
            audit.sql_value("SELECT sum(id) FROM this", audit_checks.Limit("mustBe", (3,))),
            audit.no_rows("SELECT * FROM marts.missing", name="missing"),
            audit.no_rows("DROP TABLE x", name="not a query"),
            audit.no_rows("SELECT 1 WHERE false; SELECT 2", name="two statements"),
        ],
    )
    assert [finding.status for finding in found] == ["fail", "fail", "ok", "fail", "fail", "fail"]
    assert found[0].numbers["sample"][0]["note"] == "b"
    assert "a check is one SELECT" in found[4].evidence
    assert "a check is one SELECT" in found[5].evidence


def test_two_audits_do_not_see_each_others_tables(tmp_path):
    table = table_of(tmp_path)
    table.append(FIRST)
    check = audit.no_rows(f"SELECT * FROM {NAME}")
    first = audit.run(table, [check])[0].numbers["failed"]
    table.append(FIRST)
    assert (first, audit.run(table, [check])[0].numbers["failed"]) == (3, 6)
    with scan.connect() as con, pytest.raises(duckdb.CatalogException):
        con.execute(f"SELECT * FROM {NAME}")


def test_one_check_with_bad_sql_does_not_take_the_others_down(tmp_path):
    table = table_of(tmp_path)
    table.append(FIRST)
    wrong = audit.accepted("id", ["not a number"])
    found = audit.run(table, [wrong, audit.not_null("note")])
    assert found[0].evidence.startswith("could not be judged: Conversion Error")
    assert found[1].numbers["failed"] == 1


def test_added_rows_are_those_of_the_run_alone(tmp_path):
    table = table_of(tmp_path)
    table.append(FIRST)
    base = table.current_snapshot().snapshot_id
    table.append(FIRST.slice(0, 1))
    table.append(FIRST.slice(0, 1))
    checks = [audit.rows_at_least(1), audit.rows_at_least(1, scope="added")]
    found = audit.run(table, checks, base_id=base)
    assert [finding.numbers["rows"] for finding in found] == [5, 2]


def test_freshness_is_judged_at_the_time_given(tmp_path):
    schema = Schema(NestedField(1, "at", TimestamptzType()))
    table = table_of(tmp_path, schema)
    at = datetime(2013, 2, 9, 6, tzinfo=UTC)
    table.append(pa.table([[at]], schema=schema.as_arrow()))
    check = audit.fresh("at", timedelta(hours=26))
    day = timedelta(days=1)
    statuses = [audit.run(table, [check], as_of=at + days * day)[0].status for days in (1, 2)]
    assert statuses == ["ok", "fail"]


def test_volume_is_held_against_the_same_weekday_of_the_tables_own_publishes(tmp_path):
    catalog = lake.with_table(tmp_path)
    clock = lake.Clock()
    number = 0
    for day in range(36):
        size = 3 if clock().weekday() == 5 else 20  # quiet Saturdays
        if day == 35:
            size = 20 if clock().weekday() == 5 else 3
        if clock().weekday() in (5, 6):
            result = wap.write_audit_publish(
                orders(*range(number, number + size)), NAME, [audit.volume(weeks=8)],
                catalog=catalog, now=clock, properties={"due_at": clock().isoformat()},
            )  # fmt: skip
            number += size
        clock.advance(timedelta(days=1))
    [finding] = result.findings
    assert finding.numbers["past"] == [20, 20, 20, 20, 20]  # Sundays only
    assert not result


def test_columns_that_differ_only_in_case_are_not_answered_from_each_other(tmp_path):
    data = pa.table([[1, 2, 3], [None, 5, 5], [1, 2, 3]], names=["id", "ID", "x"])
    table = lake.with_table(tmp_path, data.schema).load_table(NAME)
    table.append(data)
    checks = [audit.not_null("id"), audit.unique("ID"), audit.no_rows("FROM this WHERE id = 9")]
    *twins, other = audit.run(table, [*checks, audit.not_null("x")])
    assert [finding.status for finding in twins] == ["fail"] * 3
    assert all("differ only in case: ID" in f.evidence or "id" in f.evidence for f in twins)
    assert other.status == "ok"


# -- landings


def test_landings_come_from_publish_tags_with_the_time_of_the_publish(tmp_path):
    catalog = lake.with_table(tmp_path)
    clock = lake.Clock()
    due = "2013-02-10T06:00:00+00:00"
    wap.write_audit_publish(
        orders(1, 2), NAME, [], catalog=catalog, run_id="a", now=clock, properties={"due_at": due}
    )
    clock.advance(timedelta(days=1))
    wap.write_audit_publish(orders(3), NAME, [], catalog=catalog, run_id="b", now=clock)
    found = warehouse.landings(catalog.load_table(NAME))
    assert list(found["run_id"]) == ["a", "b"]
    assert list(found["published_at"]) == [lake.START, lake.START + timedelta(days=1)]
    assert found["due_at"].isna().tolist() == [False, True]
    assert list(found["rows_added"]) == [2, 1]
    assert list(found["rows_total"]) == [2, 3]
    assert set(found["source"]) == {"publish tag"}


def test_landings_of_a_table_that_others_write_come_from_the_snapshot_log(tmp_path):
    table = table_of(tmp_path)
    table.append(FIRST)
    found = warehouse.landings(table)
    assert list(found["source"]) == ["snapshot log"]
    assert found["run_id"].isna().all()
    assert list(found["rows_added"]) == [3]


def test_a_table_that_never_landed_has_no_landings(tmp_path):
    found = warehouse.landings(table_of(tmp_path))
    assert len(found) == 0
    assert str(found["published_at"].dtype).endswith("UTC]")


# -- counts


def test_null_counts_come_from_metadata_where_it_is_exact(tmp_path):
    table = table_of(tmp_path)
    table.append(FIRST)
    found = metadata.column_counts(table, ["id", "note"])
    assert list(found["missing"]) == [1, 1]
    assert list(found["rows"]) == [3, 3]
    assert set(found["how"]) == {"metadata"}


def test_floating_columns_are_scanned_because_nan_is_not_counted(tmp_path):
    table = table_of(tmp_path)
    table.append(rows([1, 2, 3], np.array([1.0, np.nan, 3.0], "f4"), ["a", "b", "c"]))
    [row] = metadata.column_counts(table, ["amount"]).to_dict("records")
    assert (row["missing"], row["how"]) == (1, "scan")
    assert row["why"] == "NaN is not counted in metadata"


def test_without_metrics_a_column_is_scanned_and_not_taken_as_complete(tmp_path):
    options = {"properties": {"write.metadata.metrics.default": "none"}}
    table = table_of(tmp_path, **options)
    table.append(FIRST)
    [row] = metadata.column_counts(table, ["id"]).to_dict("records")
    assert (row["missing"], row["how"]) == (1, "scan")


def test_a_column_added_later_is_missing_in_the_old_rows(tmp_path):
    table = table_of(tmp_path)
    table.append(FIRST)
    table.update_schema().add_column("extra", LongType()).commit()
    [row] = metadata.column_counts(table, ["extra"]).to_dict("records")
    assert (row["rows"], row["missing"], row["how"]) == (3, 3, "scan")


@settings(max_examples=15, deadline=None)
@given(parts=st.lists(st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=1), min_size=1,
                      max_size=3))  # fmt: skip
def test_counts_agree_with_a_scan_by_somebody_else(tmp_path_factory, parts):
    table = table_of(tmp_path_factory.mktemp("counts"))
    for part in parts:
        size = len(part)
        table.append(rows(part, [1.0] * size, ["a"] * size))
    [row] = metadata.column_counts(table, ["id"]).to_dict("records")
    everything = table.scan().to_arrow()
    assert row["missing"] == everything["id"].null_count
    assert row["rows"] == everything.num_rows


def test_a_view_keeps_the_snapshot_it_was_made_from(tmp_path):
    table = table_of(tmp_path)
    table.append(FIRST)
    con = duckdb.connect()
    warehouse.view(con, "marts.orders", table)
    table.append(FIRST)
    assert con.execute("SELECT count(*) FROM marts.orders").fetchall() == [(3,)]
