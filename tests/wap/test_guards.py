"""Each trap of pyiceberg, the guard against it, and the test that fails without the guard.

Every guard was taken out once, and the named test failed.

trap                                             guard                           test
 1 order of a chain drops the assertion on main  main first in the chain         a_stale_handle
 2 set_current_snapshot checks no ancestry       ancestor check, fresh metadata  a_fresh_handle
 3 an empty table cannot be branched             snapshot first, then branch     the_first_rows
 4 a write to an unknown branch makes an orphan  the branch must be as left      a_branch_removed
 5 create_branch re-points an existing branch    a name that no ref has          an_existing_branch
 6 ref commits do not retry, retries lose refs   own retry of the whole step     a_commit_that_loses
 7 a write to another branch is a ValueError     counted as a lost race          a_write_to_another
 8 a publish wipes main's retention              set again in the same commit    retention_of_main
 9 the schema is the table's, not the branch's   publish refuses another schema  a_schema_change
10 nothing deletes files                         upkeep.clean                    test_upkeep.py
11 the catalog's name keys its rows              the error says so               a_catalog_under
12 a crash leaves files in the table's folder    readers go through the catalog  test_crash.py
 - a branch moves between audit and publish      the audited id is published     rows_that_reach
 - main rolled back is still an ancestor         main must be the run's base     a_rollback_is_not
 - a lost answer looks like a failure            look before each attempt        an_answer_lost
 - a landed commit is reported as failed, and
   pyiceberg deletes its manifests               look for the files as well      an_answer_lost
 - two processes run one run at once             the tag says who was first      the_same_run
 - a commit never succeeds, or main never rests  attempts and rebases are few    always_loses,
                                                                                 never_rests
"""

from __future__ import annotations

from datetime import timedelta

import lake
import pyarrow as pa
import pytest
from lake import NAME, Clock, orders
from publishing import Result, publish, stage_only, stream, unlucky
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table.snapshots import is_ancestor_of
from pyiceberg.table.update.snapshot import ManageSnapshots

from dataops_lib import audit, wap
from dataops_lib.errors import DataError, UsageError
from dataops_lib.wap import branches, incoming, publisher, runs, staging, upkeep

CHECKS = [audit.unique("id")]


@pytest.fixture
def catalog(tmp_path):
    found = lake.with_table(tmp_path)
    publish(found, orders(1), run_id="first", now=Clock())
    return found


def staged_then_main_moves(catalog):
    """A run is staged, then somebody appends to main; the handle before, and the one after."""
    stage_only(catalog, orders(2), "r", now=Clock())
    stale = catalog.load_table(NAME)
    catalog.load_table(NAME).append(orders(99))
    [branch] = runs.branches_of(stale, "r")
    return stale, catalog.load_table(NAME), runs.staged(stale, branch)


def test_a_stale_handle_does_not_lose_what_others_published(catalog):
    stale, _, found = staged_then_main_moves(catalog)
    _, tag = branches.publish(catalog, stale, "r", found.head_id, lake.START)
    assert tag is None
    assert lake.ids(catalog) == [1, 99]


def test_a_fresh_handle_does_not_lose_what_others_published(catalog):
    _, fresh, found = staged_then_main_moves(catalog)
    _, tag = branches.publish(catalog, fresh, "r", found.head_id, lake.START)
    assert tag is None
    assert lake.ids(catalog) == [1, 99]


def test_the_first_rows_of_an_empty_table_are_staged_out_of_sight(tmp_path):
    catalog = lake.with_table(tmp_path)
    assert not publish(catalog, orders(1, amount=None), [audit.not_null("amount")])
    assert lake.ids(catalog) == []
    assert publish(catalog, orders(2))
    assert lake.ids(catalog) == [2]


def test_two_runs_that_both_find_the_table_empty_lose_nothing(tmp_path):
    catalog = lake.with_table(tmp_path)
    stage_only(catalog, orders(1), "one")
    stage_only(catalog, orders(2), "two")
    assert wap.resume(NAME, catalog=catalog, run_id="one", quality_checks=CHECKS)
    assert wap.resume(NAME, catalog=catalog, run_id="two", quality_checks=CHECKS).rebased == 1
    assert lake.ids(catalog) == [1, 2]


def test_a_branch_removed_while_it_is_written_does_not_come_back_without_a_parent(
    catalog, monkeypatch
):
    monkeypatch.setattr(incoming, "BATCH_ROWS", 1)
    before = catalog.load_table(NAME).metadata.snapshots

    def batches():
        yield orders(2).to_batches()[0]
        yield orders(3).to_batches()[0]
        for name in lake.branch_names(catalog):
            catalog.load_table(NAME).manage_snapshots().remove_branch(name).commit()
        yield orders(4).to_batches()[0]
        yield orders(5).to_batches()[0]

    reader = pa.RecordBatchReader.from_batches(lake.ORDERS, batches())
    with pytest.raises(DataError, match="removed or moved branch"):
        publish(catalog, reader, run_id="r")
    assert lake.branch_names(catalog) == []
    fresh = catalog.load_table(NAME).metadata.snapshots[len(before) :]
    assert all(snapshot.parent_snapshot_id for snapshot in fresh)
    assert lake.ids(catalog) == [1]


def test_an_existing_branch_of_the_same_name_keeps_its_rows(catalog):
    table = catalog.load_table(NAME)
    main = table.current_snapshot().snapshot_id
    table.manage_snapshots().create_branch(main, "audit-20130210-r").commit()
    table.append(orders(7), branch="audit-20130210-r")
    theirs = table.metadata.refs["audit-20130210-r"].snapshot_id
    result = publish(catalog, orders(2, amount=None), [audit.not_null("amount")], run_id="r",
                     now=Clock())  # fmt: skip
    assert result.branch == "audit-20130210-r+1"
    assert catalog.load_table(NAME).metadata.refs["audit-20130210-r"].snapshot_id == theirs


@pytest.mark.parametrize("times", [1, 4])
@pytest.mark.parametrize("mode", ["append", "overwrite", wap.upsert("id")], ids=str)
def test_a_commit_that_loses_a_race_is_repeated_with_its_refs(catalog, mode, times):
    unlucky(catalog, *["lost race"] * times, "", *["lost race"] * times)
    result = publish(catalog, orders(2), CHECKS, mode=mode, run_id="r")
    assert result.tag in lake.tags(catalog)
    assert lake.branch_names(catalog) == []
    assert lake.ids(catalog) == ([2] if mode == "overwrite" else [1, 2])


def test_a_commit_that_always_loses_ends_and_each_attempt_is_logged(catalog, monkeypatch, caplog):
    monkeypatch.setattr(branches, "ATTEMPTS", 3)
    unlucky(catalog, *["lost race"] * 100)
    with caplog.at_level("INFO", "dataops.wap"), pytest.raises(CommitFailedException):
        publish(catalog, orders(2), CHECKS)
    assert len(catalog.failures) == 97
    assert caplog.text.count("somebody was faster") == 2  # then the error itself
    assert lake.ids(catalog) == [1]


def test_a_main_that_never_rests_ends_the_run_and_keeps_its_rows(catalog, monkeypatch):
    monkeypatch.setattr(publisher, "MAX_REBASES", 2)
    numbers = iter(range(50, 99))

    def interrupt(data):
        catalog.load_table(NAME).append(orders(next(numbers)))
        return Result(True, "")

    with pytest.raises(DataError, match=r"moved 2 times.* Resume the run later"):
        publish(catalog, orders(2), [interrupt], run_id="r")
    assert lake.ids(catalog) == [1, 50, 51, 52]
    assert wap.resume(NAME, catalog=catalog, run_id="r", quality_checks=CHECKS)
    assert lake.ids(catalog) == [1, 2, 50, 51, 52]


@pytest.mark.parametrize("lost", ["lost answer", "lost answer, said failed"])
@pytest.mark.parametrize("mode", ["append", "overwrite", wap.upsert("id")], ids=str)
def test_an_answer_lost_in_each_commit_publishes_once(catalog, mode, lost):
    unlucky(catalog, lost, lost)
    result = publish(catalog, orders(2), CHECKS, mode=mode, run_id="r")
    assert lake.ids(catalog) == ([2] if mode == "overwrite" else [1, 2])
    assert lake.tags(catalog)[-1] == result.tag
    assert lake.branch_names(catalog) == []


@pytest.mark.parametrize("when", range(4), ids=["first", "second", "last", "publish"])
def test_an_answer_lost_in_a_stream_stages_no_batch_twice(catalog, monkeypatch, when):
    monkeypatch.setattr(incoming, "BATCH_ROWS", 1)
    unlucky(catalog, *[""] * when, "lost answer")
    assert publish(catalog, stream(orders(2), orders(3), orders(4)), CHECKS)
    assert lake.ids(catalog) == [1, 2, 3, 4]


def test_a_write_to_another_branch_is_a_lost_race_and_no_failure(catalog):
    table = catalog.load_table(NAME)
    stale = catalog.load_table(NAME)
    table.manage_snapshots().create_branch(table.current_snapshot().snapshot_id, "other").commit()
    table.append(orders(50), branch="other")  # the stale handle's sequence number is now too old
    run = runs.Run("r", runs.Mode("append"), lake.START, timedelta(days=7), {})
    parts = incoming.parts(orders(2), stale.schema())
    _, found = staging.stage(catalog, stale, run, parts, incoming.Fingerprint())
    assert found.complete


def test_retention_of_main_survives_a_publish(catalog):
    table = catalog.load_table(NAME)
    main = table.current_snapshot().snapshot_id
    kept = {"max_ref_age_ms": None, "max_snapshot_age_ms": 86_400_000, "min_snapshots_to_keep": 5}
    table.manage_snapshots().create_branch(main, "main", **kept).commit()
    publish(catalog, orders(2))
    ref = catalog.load_table(NAME).metadata.refs["main"]
    assert (ref.max_snapshot_age_ms, ref.min_snapshots_to_keep) == (86_400_000, 5)


def test_a_schema_change_after_staging_is_not_published_unseen(catalog):
    stage_only(catalog, orders(2), "r")
    catalog.load_table(NAME).update_schema().rename_column("amount", "total").commit()
    with pytest.raises(DataError, match=r"columns of marts\.orders changed"):
        wap.resume(NAME, catalog=catalog, run_id="r", quality_checks=CHECKS)
    assert lake.ids(catalog) == [1]


def test_a_catalog_under_another_name_finds_no_table_and_says_why(tmp_path):
    lake.with_table(tmp_path)
    other = SqlCatalog("other", uri=f"sqlite:///{tmp_path}/catalog.db")
    with pytest.raises(DataError, match="only tables made under its own name"):
        wap.write_audit_publish(orders(1), NAME, [], catalog=other)


def test_rows_that_reach_the_branch_after_the_audit_are_not_published(catalog):
    def intrude(data):
        [branch] = lake.branch_names(catalog)
        catalog.load_table(NAME).append(orders(66), branch=branch)
        return Result(True, "")

    result = publish(catalog, orders(2), [intrude])
    assert result
    assert lake.ids(catalog) == [1, 2]


def test_main_that_moves_during_the_audit_is_followed_without_writing_data_again(catalog):
    def interrupt(data):
        if len(data) == 2:
            catalog.load_table(NAME).append(orders(99))
        return Result(True, "")

    result = publish(catalog, orders(2), [interrupt, *CHECKS])
    assert result.rebased == 1
    assert lake.ids(catalog) == [1, 2, 99]
    table = catalog.load_table(NAME)
    first = {task.file.file_path for task in table.scan(snapshot_id=result.staged_snapshot_id)
             .plan_files()}  # fmt: skip
    assert first < {task.file.file_path for task in table.scan().plan_files()}


def test_uniqueness_is_audited_again_when_main_brought_the_same_key(catalog):
    def interrupt(data):
        if len(data) == 2:
            catalog.load_table(NAME).append(orders(2))
        return Result(True, "")

    result = publish(catalog, orders(2), [interrupt, *CHECKS])
    assert not result
    assert result.blocked_by[0].subject == "unique(id)"
    assert lake.ids(catalog) == [1, 2]


@pytest.mark.parametrize("mode", ["overwrite", wap.upsert("id")], ids=str)
def test_overwrite_and_upsert_are_worked_out_again_when_main_moves(catalog, mode):
    def interrupt(data):
        if 99 not in lake.ids(catalog):
            catalog.load_table(NAME).append(orders(99))
        return Result(True, "")

    result = publish(catalog, orders(2), [interrupt], mode=mode)
    assert result.rebased == 1
    assert lake.ids(catalog) == ([2] if mode == "overwrite" else [1, 2, 99])


def test_the_same_run_in_two_processes_at_once_publishes_once(catalog):
    def other_process(data):
        if not any(tag.endswith("-r") for tag in lake.tags(catalog)):
            wap.resume(NAME, catalog=catalog, run_id="r", quality_checks=CHECKS)
        return Result(True, "")

    result = publish(catalog, orders(2), [other_process], run_id="r")
    assert result
    assert [tag for tag in lake.tags(catalog) if tag.endswith("-r")] == [result.tag]
    assert (lake.ids(catalog), lake.branch_names(catalog)) == ([1, 2], [])


def test_the_same_run_with_other_data_at_once_is_refused_and_not_called_published(catalog):
    table = catalog.load_table(NAME)

    def other_process(data):
        run = runs.Run("r", runs.Mode("append"), lake.START, timedelta(days=7), {})
        parts = incoming.parts(orders(3), table.schema())
        now, found = staging.stage(catalog, table, run, parts, incoming.Fingerprint())
        branches.publish(catalog, now, "r", found.head_id, lake.START)
        return Result(True, "")

    with pytest.raises(UsageError, match="other data"):
        publish(catalog, orders(2), [other_process], run_id="r")
    assert lake.ids(catalog) == [1, 3]


def test_a_rollback_is_not_undone_by_a_run_that_was_staged_before_it(catalog):
    publish(catalog, orders(5), run_id="withdrawn")
    stage_only(catalog, orders(2), "r")
    upkeep.rollback(NAME, catalog=catalog, to=lake.tags(catalog)[0])
    assert lake.ids(catalog) == [1]
    assert wap.resume(NAME, catalog=catalog, run_id="r", quality_checks=CHECKS).rebased == 1
    assert lake.ids(catalog) == [1, 2]


def test_fast_forward_branch_is_used_where_pyiceberg_has_it(catalog, monkeypatch):
    used = []

    def fast_forward_branch(self, from_branch, to_ref):
        used.append((from_branch, to_ref))
        return self.set_current_snapshot(ref_name=to_ref)

    monkeypatch.setattr(ManageSnapshots, "fast_forward_branch", fast_forward_branch, raising=False)
    result = publish(catalog, orders(2), run_id="r", now=Clock())
    assert used == [("main", "audit-20130210-r")]
    assert (lake.ids(catalog), result.tag in lake.tags(catalog)) == ([1, 2], True)


def test_what_is_published_always_stands_on_what_was_published_before(catalog):
    for number in range(2, 5):
        publish(catalog, orders(number))
    table = catalog.load_table(NAME)
    heads = [table.metadata.refs[tag].snapshot_id for tag in lake.tags(catalog)]
    main = table.current_snapshot().snapshot_id
    assert all(is_ancestor_of(main, head, table.metadata) for head in heads)
