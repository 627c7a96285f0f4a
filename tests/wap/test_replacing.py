"""Exactly the rows for which a filter is TRUE are replaced, and rows of the same key."""

from __future__ import annotations

import math

import lake
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lake import NAME, orders
from publishing import publish, stage_only
from pyiceberg.schema import Schema
from pyiceberg.types import DecimalType, DoubleType, LongType, NestedField, StringType

from dataops_lib import audit, wap
from dataops_lib.errors import DataError, UsageError
from dataops_lib.wap import conditions, incoming, replacing, runs
from dataops_lib.warehouse import scan

SCHEMA = pa.schema(
    [("id", pa.int64()), ("n", pa.int64()), ("x", pa.float64()), ("s", pa.string()),
     ("d", pa.decimal128(6, 2))]
)  # fmt: skip
ICEBERG = Schema(
    NestedField(1, "id", LongType()), NestedField(2, "n", LongType()),
    NestedField(3, "x", DoubleType()), NestedField(4, "s", StringType()),
    NestedField(5, "d", DecimalType(6, 2)),
)  # fmt: skip
NAN = float("nan")


# -- an oracle in plain Python: None stands for NULL, as a value and as a truth


def both(left, right):
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def negated(truth):
    return None if truth is None else not truth


COMPARED = {
    "=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip
LITERALS = {
    "n": st.sampled_from([-1, 0, 2]), "x": st.sampled_from([-1.5, 0.0, -0.0, 2.5]),
    "s": st.sampled_from(["", "a", "ab", "it's"]), "d": st.sampled_from([0.5, 1.25, -2.0]),
}  # fmt: skip


def text_of(value):
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else f"{value}"


@st.composite
def leaves(draw):
    """A comparison: its text, and its truth for a row."""
    column = draw(st.sampled_from(list(LITERALS)))
    form = draw(st.sampled_from(["compare", "in", "not in", "null", "not null", "nan", "like"]))
    value = draw(LITERALS[column])
    if form == "null":
        return f"{column} IS NULL", lambda row: row[column] is None
    if form == "not null":
        return f"{column} IS NOT NULL", lambda row: row[column] is not None
    if form == "nan" and column == "x":
        return "x IS NAN", lambda row: None if row["x"] is None else math.isnan(row["x"])
    if form == "like" and column == "s":
        return (f"s LIKE '{value.replace(chr(39), chr(39) * 2)}%'",
                lambda row: None if row["s"] is None else row["s"].startswith(value))  # fmt: skip
    if form in ("in", "not in"):
        values = [value, draw(LITERALS[column])]
        listed = ", ".join(map(text_of, values))

        def among(row):
            return None if row[column] is None else row[column] in values

        if form == "in":
            return f"{column} IN ({listed})", among
        return f"{column} NOT IN ({listed})", lambda row: negated(among(row))
    sign = draw(st.sampled_from(list(COMPARED)))
    return (
        f"{column} {sign} {text_of(value)}",
        lambda row: None if row[column] is None else COMPARED[sign](row[column], value),
    )


def combined(children):
    def of_and(pair):
        (left, holds_left), (right, holds_right) = pair
        return f"({left} AND {right})", lambda row: both(holds_left(row), holds_right(row))

    def of_or(pair):
        (left, holds_left), (right, holds_right) = pair
        return f"({left} OR {right})", lambda row: negated(
            both(negated(holds_left(row)), negated(holds_right(row)))
        )

    pairs = st.tuples(children, children)
    negations = children.map(lambda c: (f"(NOT {c[0]})", lambda row: negated(c[1](row))))
    return st.one_of(pairs.map(of_and), pairs.map(of_or), negations)


FILTERS = st.recursive(leaves(), combined, max_leaves=4)
ROWS = st.fixed_dictionaries(
    {
        "n": st.sampled_from([None, -1, 0, 1, 2]),
        "x": st.sampled_from([None, NAN, -1.5, -0.0, 0.0, 2.5, math.inf]),
        "s": st.sampled_from([None, "", "a", "ab", "it's", "b"]),
        "d": st.sampled_from([None, 0.5, 1.25, -2.0, 7.0]),
    }
)
FILES = st.lists(st.lists(ROWS, min_size=1, max_size=4), min_size=1, max_size=3)


def table_of(rows):
    return pa.Table.from_pylist(
        [row | {"d": None if row["d"] is None else f"{row['d']:.2f}"} for row in rows],
        schema=SCHEMA.set(4, pa.field("d", pa.string())),
    ).cast(SCHEMA)


@settings(max_examples=150, deadline=None)
@given(condition=FILTERS, rows=st.lists(ROWS, min_size=1, max_size=8))
def test_both_readings_of_a_filter_are_true_where_plain_python_says_so(condition, rows):
    text, holds = condition
    rows = [{"id": number} | row for number, row in enumerate(rows)]
    expected = [row["id"] for row in rows if holds(row) is True]
    data = table_of(rows)
    parsed = conditions.Condition.of(text, ICEBERG)
    assert data.filter(parsed.holds(data))["id"].to_pylist() == expected
    predicate, literals = parsed.sql()
    with scan.connect() as con:
        con.register("rows", data)
        con.register("literals", literals)
        query = f"SELECT id FROM rows, literals WHERE {predicate} ORDER BY id"
        assert [row[0] for row in con.execute(query).fetchall()] == expected


def replaced_exactly(tmp_path_factory, files, condition):
    text, holds = condition
    catalog = lake.with_table(tmp_path_factory.mktemp("lake"), SCHEMA)
    rows, number = [], 0
    for file in files:
        numbered = [{"id": number + place} | row for place, row in enumerate(file)]
        number += len(numbered)
        rows += numbered
        catalog.load_table(NAME).append(table_of(numbered))
    kept = [row["id"] for row in rows if holds(row) is not True]
    result = publish(catalog, SCHEMA.empty_table(), [], mode=wap.overwrite_where(text))
    assert result, result.findings
    assert lake.ids(catalog) == kept, text
    catalog.engine.dispose()


ONCE = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],  # each example is a lake of its own
)


@ONCE
@given(files=FILES, condition=FILTERS)
def test_exactly_the_rows_for_which_a_filter_is_true_are_replaced(
    tmp_path_factory, files, condition
):
    replaced_exactly(tmp_path_factory, files, condition)


@pytest.mark.deep
@settings(ONCE, max_examples=400)
@given(files=FILES, condition=FILTERS)
def test_exactly_the_true_rows_in_many_layouts(tmp_path_factory, files, condition):
    replaced_exactly(tmp_path_factory, files, condition)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("n > 1.5", "1.5 is no long, which n is"),
        ("n = 99999999999999999999", "lies outside what n"),
        ("d = 0.125", "0.125 is no decimal"),
        ("s LIKE 'a_b'", "only % at the end is known"),
        ("s LIKE '%a'", "cannot be used"),
        ("s = 5", "5 is a number, but s is string"),
        ("n IS NAN", "n is long, which is never NaN"),
        ("nothing = 1", "nothing is no column"),
        ("n =", "cannot be used"),
    ],
)
def test_a_filter_that_would_be_taken_for_another_is_refused(text, says):
    with pytest.raises(UsageError, match=says):
        conditions.Condition.of(text, ICEBERG)


def test_a_filter_on_a_column_that_has_a_twin_in_another_case_is_refused(tmp_path):
    schema = pa.schema([("id", pa.int64()), ("ID", pa.int64())])
    catalog = lake.with_table(tmp_path, schema)
    data = pa.table({"id": [1], "ID": [2]})
    assert publish(catalog, data, [])
    with pytest.raises(UsageError, match="differs from ID only in case"):
        publish(catalog, data, [], mode=wap.overwrite_where("ID = 2"))


def test_data_of_twins_in_another_case_is_told_apart(tmp_path):
    schema = pa.schema([("id", pa.int64()), ("ID", pa.int64())])
    catalog = lake.with_table(tmp_path, schema)
    assert publish(catalog, pa.table({"id": [1], "ID": [2]}), [], run_id="r")
    with pytest.raises(UsageError, match="other data"):
        publish(catalog, pa.table({"id": [1], "ID": [3]}), [], run_id="r")


@pytest.fixture
def catalog(tmp_path):
    found = lake.with_table(tmp_path)
    publish(found, orders(1, 2, 3), [], run_id="first")
    return found


@pytest.mark.parametrize("mode", [wap.overwrite_where("id >= 3"), wap.upsert("id")], ids=str)
def test_rows_written_again_are_not_added_rows(catalog, mode):
    result = publish(
        catalog, orders(3, amount=7.0), [audit.rows_at_least(1, scope="added")], mode=mode
    )
    assert result.findings[0].evidence.startswith("1 rows were added")
    assert lake.ids(catalog) == [1, 2, 3]


def test_an_empty_load_is_no_volume_though_old_rows_were_written_again(catalog):
    checks = [audit.volume(), audit.rows_at_least(1, scope="added")]
    mode = wap.overwrite_where("id = 3")
    result = publish(catalog, orders(), checks, mode=mode)
    assert [finding.status for finding in result.findings] == ["fail", "fail"]
    assert lake.ids(catalog) == [1, 2, 3]


def test_added_rows_stay_told_apart_when_snapshots_were_expired(catalog):
    stage_only(catalog, orders(3, amount=7.0), "r", mode=wap.upsert("id"))
    table = catalog.load_table(NAME)
    named = {ref.snapshot_id for ref in table.metadata.refs.values()}
    gone = [s.snapshot_id for s in table.metadata.snapshots if s.snapshot_id not in named]
    assert gone
    table.maintenance.expire_snapshots().by_ids(gone).commit()
    [staged] = runs.waiting_of(catalog.load_table(NAME), "r")
    [finding] = audit.run(
        catalog.load_table(NAME), [audit.rows_at_least(1, scope="added")],
        snapshot_id=staged.head_id, base_id=staged.base_id,
    )  # fmt: skip
    assert finding.evidence.startswith("1 rows were added")


def test_a_count_that_differs_is_never_published(catalog, monkeypatch):
    """A writer that replaces one row too many is found out by the other reader."""
    right = conditions.Condition.holds

    def wrong(self, rows):
        return pc.or_(right(self, rows), pc.equal(rows["id"], 1))

    monkeypatch.setattr(conditions.Condition, "holds", wrong)
    with pytest.raises(DataError, match=r"the branch holds 1 rows, but 2 old ones stay"):
        publish(catalog, orders(), [], mode=wap.overwrite_where("id = 3"))
    assert lake.ids(catalog) == [1, 2, 3]


def test_a_count_that_cannot_be_taken_is_never_published(catalog, monkeypatch):
    def broken(table, staged):
        raise RuntimeError("the reader is gone")

    monkeypatch.setattr(replacing, "_counts", broken)
    with pytest.raises(DataError, match=r"cannot be counted \(the reader is gone\)"):
        publish(catalog, orders(3), [], mode=wap.upsert("id"))
    assert lake.ids(catalog) == [1, 2, 3]


# -- keys of an upsert

KEYED = pa.schema([("k", pa.float64()), ("t", pa.string()), ("v", pa.int64())])


def keyed(*rows):
    return pa.Table.from_pylist(
        [dict(zip(("k", "t", "v"), row, strict=True)) for row in rows], schema=KEYED
    )


def seen(catalog):
    rows = catalog.load_table(NAME).scan().to_arrow().to_pylist()
    return sorted(((row["k"], row["t"], row["v"]) for row in rows), key=str)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([(None, "a", 1)], "1 rows have no value (NULL or NaN) in the upsert key k"),
        ([(NAN, "a", 1), (2.0, "a", 1)], "1 rows have no value (NULL or NaN) in the upsert key k"),
        ([(0.0, "a", 1), (-0.0, "a", 2)], "1 rows repeat the upsert key k, t"),
        ([(1.0, None, 1)], "1 rows have no value (NULL or NaN) in the upsert key t"),
    ],
)
def test_keys_that_name_no_row_are_blocked_and_nothing_is_left(tmp_path, rows, says):
    catalog = lake.with_table(tmp_path, KEYED)
    publish(catalog, keyed((1.0, "a", 0)), [])
    result = publish(catalog, keyed(*rows), [], mode=wap.upsert("k", "t"))
    assert result.blocked_by[0].evidence == says
    assert seen(catalog) == [(1.0, "a", 0)]
    assert lake.branch_names(catalog) == []


def test_an_upsert_replaces_by_value_whatever_the_sign_of_zero_and_leaves_rows_without_key(
    tmp_path,
):
    catalog = lake.with_table(tmp_path, KEYED)
    old = [(-0.0, "a", 1), (0.0, "b", 1), (None, "a", 1), (NAN, "a", 1), (0.0, "a", 2)]
    catalog.load_table(NAME).append(keyed(*old))
    assert publish(catalog, keyed((0.0, "a", 9), (5.0, "c", 9)), [], mode=wap.upsert("k", "t"))
    expected = [(0.0, "a", 9), (0.0, "b", 1), (5.0, "c", 9), (None, "a", 1), (NAN, "a", 1)]
    assert str(seen(catalog)) == str(sorted(expected, key=str))


def test_a_nested_key_is_refused(tmp_path):
    catalog = lake.with_table(tmp_path, pa.schema([("k", pa.list_(pa.int64()))]))
    with pytest.raises(UsageError, match="the upsert key k is list<long>; no key"):
        publish(catalog, pa.table({"k": [[1]]}), [], mode=wap.upsert("k"))


def test_a_stream_that_stops_fitting_leaves_nothing_staged(catalog, monkeypatch):
    monkeypatch.setattr(incoming, "BATCH_ROWS", 1)
    batches = [orders(7).to_batches()[0], orders(8, status="open").to_batches()[0]]
    reader = pa.RecordBatchReader.from_batches(lake.ORDERS, batches)
    result = publish(catalog, reader, [], mode=wap.overwrite_where("status = 'paid'"), run_id="r")
    assert "1 rows lie outside status = 'paid'" in result.blocked_by[0].evidence
    assert runs.branches_of(catalog.load_table(NAME), "r") == []
    assert lake.ids(catalog) == [1, 2, 3]
