"""Shortcuts of an audit: what counts as a row of this run, and which publishes still stand."""

from __future__ import annotations

import lake
import pytest
from lake import NAME, Clock, orders
from publishing import publish, stream
from pyiceberg.table.snapshots import Operation

from dataops_lib import audit, warehouse
from dataops_lib.wap import incoming
from dataops_lib.warehouse import scan


@pytest.fixture
def catalog(tmp_path):
    return lake.with_table(tmp_path)


def test_a_stream_onto_an_empty_table_is_judged_whole(catalog, monkeypatch):
    monkeypatch.setattr(incoming, "BATCH_ROWS", 1)
    checks = [audit.in_range("amount", 0, scope="added"), audit.rows_at_least(3, scope="added")]
    result = publish(catalog, stream(orders(1, amount=-1.0), orders(2), orders(3)), checks)
    assert [finding.status for finding in result.findings] == ["fail", "ok"]
    assert result.findings[0].evidence.startswith("1 of 3 rows")
    assert lake.ids(catalog) == []


def test_files_that_a_compaction_wrote_are_not_added_rows(catalog):
    """pyiceberg cannot compact, Spark can: its snapshot says that it only replaced files."""
    publish(catalog, orders(1, 2), [], run_id="a")
    table = catalog.load_table(NAME)
    base = table.current_snapshot().snapshot_id
    table.overwrite(orders(1, 2))
    head = table.current_snapshot()
    assert len(scan.added_files(table, base, head.snapshot_id)) == 1
    for snapshot in table.metadata.snapshots[1:]:
        object.__setattr__(snapshot.summary, "operation", Operation.REPLACE)
    assert scan.added_files(table, base, head.snapshot_id) == []


def test_a_tag_that_only_looks_like_a_publish_is_no_landing(catalog):
    ours = publish(catalog, orders(1), [], run_id="a", now=Clock())
    table = catalog.load_table(NAME)
    for name in ("published-20130211T0630Z-b", "published-99999999T9999Z-a"):
        table.manage_snapshots().create_tag(ours.snapshot_id, name).commit()
    assert list(warehouse.landings(catalog.load_table(NAME))["run_id"]) == ["a"]


def test_a_publish_that_others_rolled_back_is_no_landing(catalog):
    first = publish(catalog, orders(1), [], run_id="a")
    publish(catalog, orders(2), [], run_id="b")
    table = catalog.load_table(NAME)
    table.manage_snapshots().set_current_snapshot(snapshot_id=first.snapshot_id).commit()
    assert list(warehouse.landings(catalog.load_table(NAME))["run_id"]) == ["a"]


@pytest.mark.parametrize("due_at", ["2013-02-10T06:30:00", "soon", ""])
def test_a_due_time_of_another_writer_that_is_none_is_unknown(catalog, due_at):
    table = catalog.load_table(NAME)
    ours = {"run_id": "a", "complete": "true", "due_at": due_at, "rows": "1"}
    table.append(orders(1), snapshot_properties=ours)
    head = table.current_snapshot().snapshot_id
    table.manage_snapshots().create_tag(head, "published-20130210T0630Z-a").commit()
    assert warehouse.landings(catalog.load_table(NAME))["due_at"].isna().all()
