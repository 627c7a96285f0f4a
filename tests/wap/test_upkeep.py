"""Looking after published tables: what is there, taking back, cleaning up."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import lake
import pytest
from lake import NAME, Clock, orders
from publishing import publish, stage_only

from dataops_lib import audit, wap, warehouse
from dataops_lib.errors import UsageError
from dataops_lib.wap import upkeep

CHECKS = [audit.not_null("amount")]
NOW = {"older_than": timedelta(0)}


@pytest.fixture
def catalog(tmp_path):
    return lake.with_table(tmp_path)


@pytest.fixture
def clock():
    return Clock()


def states(catalog):
    return {run.run_id: run.state for run in upkeep.list_runs(NAME, catalog=catalog)}


def test_runs_are_listed_with_what_became_of_them(catalog, clock):
    publish(catalog, orders(1), run_id="good", now=clock)
    publish(catalog, orders(2, amount=None), CHECKS, run_id="bad", now=clock)
    stage_only(catalog, orders(3), "crashed", now=clock)
    assert states(catalog) == {"good": "published", "bad": "blocked", "crashed": "staged"}
    [bad] = [run for run in upkeep.list_runs(NAME, catalog=catalog) if run.run_id == "bad"]
    assert bad.rows == 1
    assert bad.kept_until == clock() + timedelta(days=7)


def test_show_gives_the_findings_of_the_audit_with_the_failing_rows(catalog):
    publish(catalog, orders(1, amount=None), CHECKS, run_id="bad")
    shown = upkeep.show(NAME, catalog=catalog, run_id="bad")
    assert shown.run.state == "blocked"
    assert shown.findings[0].numbers["sample"] == [{"amount": None}]


def test_show_and_discard_of_an_unknown_run_say_so(catalog):
    for act in (upkeep.show, upkeep.discard):
        with pytest.raises(UsageError, match="knows no run nobody"):
            act(NAME, catalog=catalog, run_id="nobody")


def test_discard_refuses_what_is_published(catalog):
    publish(catalog, orders(1), run_id="r")
    with pytest.raises(UsageError, match="Roll back"):
        upkeep.discard(NAME, catalog=catalog, run_id="r")
    assert lake.ids(catalog) == [1]


def test_discard_removes_branch_and_snapshots(catalog):
    publish(catalog, orders(1))
    result = publish(catalog, orders(2, amount=None), CHECKS, run_id="bad")
    upkeep.discard(NAME, catalog=catalog, run_id="bad")
    assert lake.branch_names(catalog) == []
    assert catalog.load_table(NAME).metadata.snapshot_by_id(result.snapshot_id) is None


# -- rollback


def test_rollback_gives_readers_the_older_rows_and_keeps_the_newer_ones(catalog, clock):
    for number in (1, 2, 3):
        publish(catalog, orders(number), run_id=f"r{number}", now=clock)
    done = upkeep.rollback(NAME, catalog=catalog, to="published-20130210T0630Z-r1")
    assert done.withdrawn == ("r3", "r2")
    assert lake.ids(catalog) == [1]
    assert states(catalog) == {"r1": "published", "r2": "withdrawn", "r3": "withdrawn"}
    kept = catalog.load_table(NAME).scan().use_ref("withdrawn-20130210T0630Z-r3").to_arrow()
    assert sorted(kept["id"].to_pylist()) == [1, 2, 3]


def test_withdrawn_publishes_are_no_landings(catalog, clock):
    publish(catalog, orders(1), run_id="r1", now=clock)
    publish(catalog, orders(2), run_id="r2", now=clock)
    upkeep.rollback(NAME, catalog=catalog, to="published-20130210T0630Z-r1")
    assert list(warehouse.landings(catalog.load_table(NAME))["run_id"]) == ["r1"]


def test_a_withdrawn_run_is_not_called_published_when_it_is_run_again(catalog, clock):
    publish(catalog, orders(1), run_id="r1", now=clock)
    publish(catalog, orders(2), run_id="r2", now=clock)
    upkeep.rollback(NAME, catalog=catalog, to="published-20130210T0630Z-r1")
    with pytest.raises(UsageError, match="rolled back"):
        publish(catalog, orders(2), run_id="r2", now=clock)
    assert publish(catalog, orders(2), run_id="r2-again", now=clock)
    assert lake.ids(catalog) == [1, 2]


@pytest.mark.parametrize("to", ["main", "published-20130101T0000Z-x", "audit-20130210-bad"])
def test_rollback_goes_to_publish_tags_only(catalog, clock, to):
    publish(catalog, orders(1), now=clock)
    publish(catalog, orders(2, amount=None), CHECKS, run_id="bad", now=clock)
    with pytest.raises(UsageError, match="is no publish tag"):
        upkeep.rollback(NAME, catalog=catalog, to=to)


def test_rollback_does_not_lose_what_is_published_meanwhile(catalog, clock, monkeypatch):
    publish(catalog, orders(1), run_id="r1", now=clock)
    publish(catalog, orders(2), run_id="r2", now=clock)
    original, hits = upkeep._between, []

    def slow(table, target):
        if not hits:
            hits.append(1)
            catalog.load_table(NAME).append(orders(99))
        return original(table, target)

    monkeypatch.setattr(upkeep, "_between", slow)
    upkeep.rollback(NAME, catalog=catalog, to="published-20130210T0630Z-r1")
    assert len(hits) == 1
    snapshots = catalog.load_table(NAME).metadata.snapshots
    assert lake.ids(catalog) == [1]  # decided anew on the main that has 99, not blindly
    assert len(snapshots) == 3


# -- clean


def folder(catalog):
    return Path(catalog.load_table(NAME).location().removeprefix("file://"))


def test_a_healthy_table_has_nothing_to_clean(catalog):
    publish(catalog, orders(1))
    publish(catalog, orders(2))
    assert upkeep.clean(NAME, catalog=catalog, **NOW) == []


def test_clean_lists_first_and_deletes_only_on_request(catalog):
    publish(catalog, orders(1))
    publish(catalog, orders(2, amount=None), CHECKS, run_id="bad")
    upkeep.discard(NAME, catalog=catalog, run_id="bad")
    listed = upkeep.clean(NAME, catalog=catalog, **NOW)
    assert {Path(found.path).suffix for found in listed} == {".parquet", ".avro"}
    assert all(Path(found.path).exists() and not found.deleted for found in listed)
    assert all(found.bytes > 0 for found in listed)
    deleted = upkeep.clean(NAME, catalog=catalog, delete=True, **NOW)
    assert [found.path for found in deleted] == [found.path for found in listed]
    assert not any(Path(found.path).exists() for found in deleted)
    assert upkeep.clean(NAME, catalog=catalog, **NOW) == []
    assert lake.ids(catalog) == [1]


def test_clean_leaves_young_files_to_the_run_that_is_writing_them(catalog):
    publish(catalog, orders(1))
    young, old = folder(catalog) / "data/young.parquet", folder(catalog) / "data/old.parquet"
    for path in (young, old):
        path.write_bytes(b"x")
    eight_days_ago = old.stat().st_mtime - 8 * 86400
    os.utime(old, (eight_days_ago, eight_days_ago))
    assert [found.path for found in upkeep.clean(NAME, catalog=catalog, delete=True)] == [str(old)]
    assert young.exists()


def test_clean_keeps_what_a_failed_branch_still_needs(catalog):
    publish(catalog, orders(1))
    publish(catalog, orders(2, amount=None), CHECKS, run_id="bad")
    assert upkeep.clean(NAME, catalog=catalog, delete=True, **NOW) == []
    assert wap.publish(NAME, catalog=catalog, run_id="bad", reason="it is real")
    assert lake.ids(catalog) == [1, 2]


def test_clean_keeps_what_tags_and_withdrawn_publishes_need(catalog, clock):
    publish(catalog, orders(1), run_id="r1", now=clock)
    publish(catalog, orders(2), mode="overwrite", run_id="r2", now=clock)
    upkeep.rollback(NAME, catalog=catalog, to="published-20130210T0630Z-r1")
    upkeep.clean(NAME, catalog=catalog, delete=True, **NOW)
    kept = catalog.load_table(NAME).scan().use_ref("withdrawn-20130210T0630Z-r2").to_arrow()
    assert kept["id"].to_pylist() == [2]


def test_clean_removes_failed_branches_whose_time_is_over(catalog, clock):
    publish(catalog, orders(1), now=clock)
    publish(catalog, orders(2, amount=None), CHECKS, run_id="bad", now=clock)
    later = Clock(clock() + timedelta(days=36_500))
    found = upkeep.clean(NAME, catalog=catalog, delete=True, older_than=timedelta(0), now=later)
    assert lake.branch_names(catalog) == []
    assert any(Path(leftover.path).suffix == ".parquet" for leftover in found)
    assert lake.ids(catalog) == [1]


def test_clean_does_not_look_outside_the_tables_own_folders(catalog):
    publish(catalog, orders(1))
    beside = folder(catalog) / "notes.txt"
    beside.write_text("mine")
    upkeep.clean(NAME, catalog=catalog, delete=True, **NOW)
    assert beside.exists()
    assert (folder(catalog) / "audits").is_dir()
