"""After the commit nothing raises; names prove nothing; what does not fit is said in a sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import lake
import pandas as pd
import pyarrow as pa
import pytest
from lake import NAME, Clock, orders
from publishing import Result, publish, stage_only
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table.update import RemoveSnapshotsUpdate
from pyiceberg.types import DoubleType

from dataops_lib import audit
from dataops_lib.audit.checks import Limit
from dataops_lib.errors import DataError, UsageError
from dataops_lib.wap import runs, upkeep


@pytest.fixture
def catalog(tmp_path):
    found = lake.with_table(tmp_path)
    publish(found, orders(1), [], run_id="first", now=Clock())
    return found


# -- after the commit


class NoExpiry(SqlCatalog):
    """Whoever may not expire snapshots, may publish all the same."""

    def commit_table(self, table, requirements, updates):
        if any(isinstance(update, RemoveSnapshotsUpdate) for update in updates):
            raise PermissionError("this user may not expire snapshots")
        return super().commit_table(table, requirements, updates)


def test_a_clean_up_that_fails_is_a_note_of_the_publication(catalog):
    bad = [audit.not_null("amount")]
    publish(catalog, orders(2, amount=None), bad, now=Clock(), keep_failed_for=timedelta(0))
    publish(catalog, orders(2, amount=None), bad, now=Clock(), keep_failed_for=timedelta(days=1))
    catalog.__class__ = NoExpiry
    result = publish(catalog, orders(3), [])
    assert result
    assert result.failures == [
        "clean-up failed: PermissionError: this user may not expire snapshots"
    ]
    assert lake.ids(catalog) == [1, 3]


def test_a_clock_that_stops_after_the_publish_does_not_undo_it(catalog):
    def clock():
        if len(lake.tags(catalog)) > 1:
            raise OSError("the time server is gone")
        return datetime(2013, 2, 11, tzinfo=UTC)

    result = publish(catalog, orders(2), [], now=clock)
    assert result
    assert result.failures == ["clean-up failed: OSError: the time server is gone"]
    assert lake.ids(catalog) == [1, 2]


def test_a_clock_without_a_zone_is_refused_before_anything_is_written(catalog):
    with pytest.raises(UsageError, match="without a zone"):
        publish(catalog, orders(2), [], now=lambda: datetime(2013, 2, 11))
    assert lake.branch_names(catalog) == []


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"due_at": "2013-02-10T06:30:00"}, "an ISO time with a zone"),
        ({"due_at": "tomorrow"}, "an ISO time with a zone"),
        ({"due_at": "0001-01-01T00:00:00+00:00"}, "an ISO time with a zone"),
        ({"due_at": datetime(2013, 2, 10, tzinfo=UTC)}, "must be text"),
        ({"run_id": "mine"}, "set by the run itself"),
        ({"total-records": "9"}, "set by the run itself"),
    ],
    ids=str,
)
def test_properties_that_would_mislead_later_runs_are_refused_at_once(catalog, properties, says):
    with pytest.raises(UsageError, match=says):
        publish(catalog, orders(2), [], properties=properties)
    assert lake.branch_names(catalog) == []


# -- names prove nothing


def test_a_branch_of_another_tool_is_neither_trusted_nor_removed(catalog):
    table = catalog.load_table(NAME)
    head = table.current_snapshot().snapshot_id
    names = ["audit-20130101-of-spark", "audit-20130101-first"]
    for name in names:
        table.manage_snapshots().create_branch(head, name).commit()
    publish(catalog, orders(2), [], run_id="two", now=Clock(lake.START + timedelta(days=8)))
    assert lake.branch_names(catalog) == names
    assert [run.run_id for run in upkeep.list_runs(NAME, catalog=catalog)] == ["first", "two"]
    with pytest.raises(UsageError, match="published"):
        upkeep.discard(NAME, catalog=catalog, run_id="first")
    assert lake.branch_names(catalog) == names


def test_a_tag_of_another_tool_does_not_make_a_run_published(catalog):
    table = catalog.load_table(NAME)
    head = table.current_snapshot().snapshot_id
    table.manage_snapshots().create_tag(head, "published-20130211T0000Z-day").commit()
    assert publish(catalog, orders(2), [], run_id="day")
    assert lake.ids(catalog) == [1, 2]
    with pytest.raises(UsageError, match="is no publish tag"):
        upkeep.rollback(NAME, catalog=catalog, to="published-20130211T0000Z-day")


def test_a_snapshot_that_lacks_something_is_not_read_back_by_guessing(catalog):
    table = catalog.load_table(NAME)
    table.append(orders(5), snapshot_properties={"run_id": "r", "complete": "true"})
    with pytest.raises(DataError, match="it has no 'base_id'"):
        runs.read_back(table, table.current_snapshot().snapshot_id)


def test_the_same_run_in_another_mode_is_another_run(catalog):
    publish(catalog, orders(2), [], run_id="two")
    with pytest.raises(UsageError, match="another mode"):
        publish(catalog, orders(2), [], run_id="two", mode="overwrite")
    assert lake.ids(catalog) == [1, 2]


def test_a_publish_that_others_rolled_back_is_not_called_published(catalog):
    first = catalog.load_table(NAME).current_snapshot().snapshot_id
    publish(catalog, orders(2), [], run_id="two")
    catalog.load_table(NAME).manage_snapshots().set_current_snapshot(snapshot_id=first).commit()
    with pytest.raises(UsageError, match="somebody moved main"):
        publish(catalog, orders(2), [], run_id="two")
    states = {run.run_id: run.state for run in upkeep.list_runs(NAME, catalog=catalog)}
    assert states == {"first": "published", "two": "withdrawn"}


# -- while it is audited


def test_limits_on_the_whole_table_are_judged_again_when_main_moved(catalog):
    check = audit.not_null("amount", limit=Limit("mustBeLessThan", (3,)))
    others = []

    def meanwhile(frame):
        if not others:
            others.append(publish(catalog, orders(5, 6, amount=None), [check]))
        return Result(True, "")

    result = publish(catalog, orders(7, 8, amount=None), [check, meanwhile])
    assert others[0]
    assert not result
    assert result.blocked_by[0].evidence.startswith("4 of 5 rows")


def test_a_column_made_anew_during_the_audit_is_not_published_as_null(catalog):
    def change(frame):
        table = catalog.load_table(NAME)
        with table.update_schema() as schema:
            schema.delete_column("amount")
        with table.refresh().update_schema() as schema:
            schema.add_column("amount", DoubleType())
        return Result(True, "")

    with pytest.raises(DataError, match=r"columns of marts\.orders changed"):
        publish(catalog, orders(2), [audit.not_null("amount"), change])
    assert lake.ids(catalog) == [1]


# -- at the door

DOOR = [
    (pa.array([3.14159]), pa.decimal128(10, 2), "v would change as decimal(10, 2)"),
    (pa.array([1e300]), pa.float32(), "v would change as float: 1e+300 becomes inf"),
    (pa.array([0.1]), pa.float32(), "v would change as float"),
    (pa.array([2**53 + 1]), pa.float64(), "v"),
    (pa.array([Decimal("0.12345678901234567890")]), pa.float64(), "v would change as double"),
    (pa.array([["1"]]), pa.list_(pa.int64()), "v is a list of text in the data"),
    (pa.array([[1.5]]), pa.list_(pa.int64()), "v has values that do not fit list"),
    (pa.array([{"a": 1}]), pa.struct([("b", pa.int64())]), "v has fields a in the data"),
    (pa.array([{"a": "1"}]), pa.struct([("a", pa.int64())]), "v holds a as text"),
    (pa.array([1]), pa.string(), "v is an integer in the data, but text in the table"),
]


@pytest.mark.parametrize(("values", "target", "says"), DOOR, ids=lambda value: str(value)[:20])
def test_what_a_type_would_change_is_blocked_in_one_sentence(tmp_path, values, target, says):
    catalog = lake.with_table(tmp_path, pa.schema([("v", target)]))
    result = publish(catalog, pa.table({"v": values}), [])
    assert result.blocked_by[0].evidence.startswith(says), result.blocked_by[0].evidence
    assert lake.branch_names(catalog) == []


@pytest.mark.parametrize(
    ("values", "target"),
    [
        (pa.array([19.99, None]), pa.decimal128(10, 2)),
        (pa.array([3.0, None]), pa.int64()),
        (pa.array([0.5, float("nan")]), pa.float32()),
        (pa.array([None, None], pa.float64()), pa.string()),
        (pa.array([[1, None], None]), pa.list_(pa.float64())),
        (pa.array(["a", "b"]).dictionary_encode(), pa.string()),
    ],
    ids=lambda value: str(value)[:12],
)
def test_what_survives_the_change_of_type_is_published(tmp_path, values, target):
    catalog = lake.with_table(tmp_path, pa.schema([("v", target)]))
    assert publish(catalog, pa.table({"v": values}), [])
    read = catalog.load_table(NAME).scan().to_arrow()["v"].to_pylist()
    plain = [float(v) if isinstance(v, Decimal) else v for v in read]
    for before, after in zip(values.to_pylist(), plain, strict=True):
        assert after == before or (before != before and after != after)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pd.DataFrame({"v": pd.Series([1, "n/a"], dtype=object)}), "v mixes int and str: 1, 'n/a'"),
        (pd.DataFrame([[1, 2]], columns=["v", "v"]), "v stands more than once in the data"),
        (pd.DataFrame({"v": [2**70]}, dtype=object), "v cannot be read"),
    ],
    ids=["mixed", "twice", "too large"],
)
def test_pandas_that_arrow_cannot_read_is_blocked_by_column(tmp_path, frame, says):
    catalog = lake.with_table(tmp_path, pa.schema([("v", pa.int64())]))
    assert publish(catalog, frame, []).blocked_by[0].evidence.startswith(says)


def test_an_outcome_cannot_be_changed(catalog):
    result = publish(catalog, orders(2), [])
    with pytest.raises(TypeError):
        result.seconds["staged"] = 0.0
    stage_only(catalog, orders(3), "r")
    assert [event for _, event, _ in result.events] == ["staged", "audited", "published"]
