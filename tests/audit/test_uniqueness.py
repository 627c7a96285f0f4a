"""Duplicates are counted exactly, whatever the type of the key and however it is proved unique.

What counts is `GROUP BY key HAVING count(*) > 1` over whole keys. Each guard was taken out once,
and the test behind it failed:

one bit a value needs all values      test_integers_that_lie_close_are_proved_in_the_scan
bits that differ in number            test_one_repeated_integer_among_many_is_found
wrong limits in the metadata          test_limits_that_are_wrong_do_not_decide
bits in 4 or 8 bytes, signed          test_limits_of_every_width_are_read
memory of the bits                    test_integers_far_apart_are_not_given_a_bit_each
equal hashes are compared             test_equal_hashes_of_different_keys_are_no_duplicates
a key with a NULL is no key           test_counts_are_those_of_a_group_by
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace

import duckdb
import lake
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lake import NAME
from pyiceberg.schema import Schema
from pyiceberg.types import DateType, DoubleType, IntegerType, LongType, NestedField, StringType

from dataops_lib import audit
from dataops_lib import sql as sql_
from dataops_lib.audit import uniqueness
from dataops_lib.audit.uniqueness import Key
from dataops_lib.warehouse import scan

UNIQUE = audit.unique("id")
KINDS = {
    "long": (pa.int64(), st.integers(-6, 6) | st.integers(-(2**63), 2**63 - 1)),
    "double": (pa.float64(), st.sampled_from([0.0, -0.0, math.nan, math.inf, 1.5, 1e-300, 2.0])),
    "text": (pa.string(), st.text("ab\x00é", max_size=3)),
    "binary": (pa.binary(), st.binary(max_size=2)),
    "boolean": (pa.bool_(), st.booleans()),
    "decimal": (pa.decimal128(9, 2), st.decimals(-1, 1, places=2)),
    "time": (
        pa.timestamp("us", "UTC"),
        st.integers(0, 9).map(lambda n: datetime(2013, 2, 1, n, tzinfo=UTC)),
    ),
}


def by_group(con, columns, view="this"):
    """Rows, and keys, that stand more than once: what the words of a finding mean."""
    names = ", ".join(sql_.quoted(c) for c in columns)
    whole = " AND ".join(f"{sql_.quoted(c)} IS NOT NULL" for c in columns)
    groups = f"SELECT count(*) AS n FROM {view} WHERE {whole} GROUP BY {names} HAVING count(*) > 1"
    [found] = con.execute(
        f"SELECT coalesce(sum(n), 0)::BIGINT, count(*) FROM ({groups})"
    ).fetchall()
    return found


def by_hashes(con, columns):
    """The same by sorted hashes."""
    key = Key(con, "this", columns)
    with ThreadPoolExecutor(1) as pool:
        twice = key.sort(pool).result()
    numbers, sample = key.shared(twice)
    [[listed]] = con.execute(f"SELECT count(*) FROM ({sample})").fetchall()
    assert listed == numbers["keys"]
    assert numbers["surplus"] == numbers["failed"] - numbers["keys"]
    return numbers["failed"], numbers["keys"]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_counts_are_those_of_a_group_by(kind, data):
    arrow, values = KINDS[kind]
    keys = data.draw(st.lists(st.none() | values, max_size=30))
    with scan.connect() as con:
        con.register("this", pa.table({"k": pa.array(keys, arrow)}))
        assert by_hashes(con, ("k",)) == by_group(con, ("k",))


@settings(max_examples=40, deadline=None)
@given(
    keys=st.lists(st.tuples(st.none() | st.integers(0, 2), st.none() | st.text("ab", max_size=2)))
)
def test_keys_of_two_columns_are_compared_together(keys):
    one, two = zip(*keys, strict=True) if keys else ((), ())
    table = pa.table({"a": pa.array(one, pa.int64()), "b": pa.array(two, pa.string())})
    with scan.connect() as con:
        con.register("this", table)
        assert by_hashes(con, ("a", "b")) == by_group(con, ("a", "b"))


@settings(max_examples=30, deadline=None)
@given(keys=st.lists(st.none() | st.integers(0, 9), max_size=30))
def test_equal_hashes_of_different_keys_are_no_duplicates(keys):
    """A hash that collides for all keys: the comparison alone must decide."""
    with scan.connect() as con:
        con.execute("CREATE TEMP MACRO hash(x) AS 1::UBIGINT")
        con.register("this", pa.table({"k": pa.array(keys, pa.int64())}))
        assert by_hashes(con, ("k",)) == by_group(con, ("k",))


def test_hashes_are_fetched_in_parts_and_none_is_lost(monkeypatch):
    monkeypatch.setattr(uniqueness, "BATCH_ROWS", 1000)
    keys = np.arange(10_000)
    keys[-1] = 0
    with scan.connect() as con:
        con.register("this", pa.table({"k": keys}))
        assert by_hashes(con, ("k",)) == (2, 1)


# -- integers, one bit each


def table_of(path, *parts, kind=LongType):
    fields = [NestedField(1, "id", kind()), NestedField(2, "note", StringType())]
    table = lake.with_table(path, Schema(*fields)).load_table(NAME)
    for part in parts:
        add(table, part)
    return table


def add(table, ids):
    """One file with these ids."""
    notes = pa.array(["a"] * len(ids), pa.string())
    schema = table.schema().as_arrow()
    table.append(pa.table([pa.array(ids, schema.field("id").type), notes], schema=schema))


def proof(table, threads=2):
    return uniqueness.bits(table.schema().fields[0], scan.plan(table), threads)


def counted(table):
    [finding] = audit.run(table, [UNIQUE])
    return finding.numbers["failed"], finding.numbers["keys"]


@pytest.fixture
def no_hashes(monkeypatch):
    fetched = []
    monkeypatch.setattr(Key, "_hashes", lambda key: fetched.append(key) or np.empty(0))
    yield
    assert fetched == []


def test_integers_that_lie_close_are_proved_in_the_scan(tmp_path, no_hashes):
    table = table_of(tmp_path, range(100), [-3, None, 500, None])
    assert set(proof(table)) == {"values", "different"}
    assert counted(table) == (0, 0)


def test_one_repeated_integer_among_many_is_found(tmp_path):
    table = table_of(tmp_path, range(100), [99, 100, None, None])
    assert proof(table)
    assert counted(table) == (2, 1)


def test_missing_keys_alone_are_unique(tmp_path):
    assert counted(table_of(tmp_path, [None, None])) == (0, 0)


@settings(max_examples=20, deadline=None)
@given(
    parts=st.lists(st.lists(st.none() | st.integers(-9, 9), min_size=1), min_size=1, max_size=2),
    far=st.sampled_from([0, 2**31, -(2**62), 2**63 - 10]),
)
def test_integers_are_counted_as_a_group_by_counts_them(tmp_path_factory, parts, far):
    moved = [[None if k is None else k + far for k in part] for part in parts]
    table = table_of(tmp_path_factory.mktemp("bits"), *moved)
    with scan.connect() as con:
        con.register("this", table.scan().to_arrow())
        assert counted(table) == by_group(con, ("id",))


def test_limits_of_every_width_are_read(tmp_path):
    (tmp_path / "2").mkdir()
    table = table_of(tmp_path, [-2, -1, 0], kind=IntegerType)
    table.update_schema().update_column("id", field_type=LongType()).commit()
    table.refresh()
    add(table, [1, 2, 2**33])
    assert not proof(table)  # too far apart, which only 8 bytes can say
    table = table_of(tmp_path / "2", [-2, -1, 0], kind=IntegerType)
    assert 'bitstring_agg("id", -2, 0)' in proof(table)["different"]
    table.update_schema().update_column("id", field_type=LongType()).commit()
    table.refresh()
    add(table, [1, 2])
    assert 'bitstring_agg("id", -2, 2)' in proof(table)["different"]
    assert counted(table) == (0, 0)


def test_limits_that_are_wrong_do_not_decide(tmp_path, monkeypatch):
    table = table_of(tmp_path, [1, 2, 3, 4, 5, 5])
    real = uniqueness.bits

    def narrow(field, tasks, threads):
        found = real(field, tasks, threads)
        return {name: sql.replace(", 5)", ", 3)") for name, sql in found.items()}

    monkeypatch.setattr(uniqueness, "bits", narrow)
    assert counted(table) == (2, 1)


@pytest.mark.parametrize(
    ("ids", "threads", "close"),
    [
        ([0, 63 * 2], 2, False),
        ([0, 63], 2, True),
        ([0, 64], 2, False),
        ([0, 1], 64, True),
        ([0, 2], 64, False),
        ([-(2**63), 2**63 - 1], 1, False),
    ],
)
def test_integers_far_apart_are_not_given_a_bit_each(tmp_path, ids, threads, close):
    """Two rows have 128 bits of hashes; every thread keeps bits of its own."""
    assert bool(proof(table_of(tmp_path, ids), threads)) is close


def test_a_file_without_limits_leaves_the_proof_to_the_hashes(tmp_path):
    options = {"properties": {"write.metadata.metrics.default": "none"}}
    schema = Schema(NestedField(1, "id", LongType()))
    table = lake.with_table(tmp_path, schema, **options).load_table(NAME)
    table.append(pa.table({"id": [1, 2, 2]}))
    assert proof(table) == {}
    assert counted(table) == (2, 1)


def test_only_whole_numbers_have_bits(tmp_path):
    table = table_of(tmp_path, [1])
    for kind in (StringType(), DateType(), DoubleType()):
        assert uniqueness.bits(NestedField(1, "id", kind), scan.plan(table), 1) == {}
    nothing = uniqueness.bits(table.schema().fields[0], [], 1)
    assert nothing == {}


def test_a_billion_bits_are_the_most(tmp_path):
    """What DuckDB takes; a range that is one wider goes to the hashes."""
    for width, possible in ((uniqueness.MAX_BITS, True), (uniqueness.MAX_BITS + 1, False)):
        ends = {1: (width - 1).to_bytes(8, "little")}
        file = SimpleNamespace(
            lower_bounds={1: bytes(8)}, upper_bounds=ends, record_count=uniqueness.MAX_BITS
        )
        found = uniqueness.bits(NestedField(1, "id", LongType()), [SimpleNamespace(file=file)], 1)
        assert bool(found) is possible
        query = f"SELECT bit_count(bitstring_agg(x, 0, {width - 1})) FROM (VALUES (0)) t(x)"
        if possible:
            assert duckdb.sql(query).fetchall() == [(1,)]


def test_a_key_that_cannot_be_hashed_fails_its_own_check_alone(tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("no memory")

    monkeypatch.setattr(Key, "_hashes", broken)
    table = table_of(tmp_path, [1, 1])
    found = audit.run(table, [audit.unique("note"), UNIQUE, audit.not_null("id")])
    assert [finding.status for finding in found] == ["fail", "fail", "ok"]
    assert "no memory" in found[0].evidence


def test_a_key_column_may_be_called_like_the_count_of_its_copies(tmp_path):
    """The sum of copies was once taken from the keys themselves: three zeros made no duplicate."""
    data = pa.table({"copies": [0, 0, 0, 7]})
    table = lake.with_table(tmp_path, data.schema).load_table(NAME)
    table.append(data)
    [finding] = audit.run(table, [audit.unique("copies")])
    assert (finding.numbers["failed"], finding.numbers["keys"]) == (3, 1)
    assert finding.numbers["sample"] == [{"copies": 0, "copies_": 3}]
