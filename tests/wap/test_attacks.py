"""What else can go wrong while a run is on its way: others act at the worst moment, or by hand.

who does what                                   test
 two processes resume one crashed run           two_resumes
 a run is discarded while it is published       discard_while
 a branch is cleaned away while it is published a_publish_before_the_expiry
 files are deleted while a run is published     clean_while, files_cleaned
 two remove the same leftovers at once          two_that_remove
 a rolled back run is resumed                   a_withdrawn_run
 a publish tag is removed by hand               a_tag_removed
 the answer of any commit is lost               the_answer_of_any_commit
 snapshots are expired by somebody's job        snapshots_expired
"""

from __future__ import annotations

import contextlib
from datetime import timedelta

import lake
import pytest
from lake import NAME, Clock, orders
from publishing import Result, publish, stage_only, stream, unlucky
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table.update import RemoveSnapshotsUpdate, SetSnapshotRefUpdate

from dataops_lib import audit, wap
from dataops_lib.errors import DataError, UsageError
from dataops_lib.wap import branches, incoming, upkeep
from dataops_lib.wap.publication import utc_now

CHECKS = [audit.unique("id")]


@pytest.fixture
def catalog(tmp_path):
    found = lake.with_table(tmp_path)
    publish(found, orders(1), run_id="first", now=Clock())
    return found


class Interrupted(SqlCatalog):
    """A catalog that lets somebody else act just before the first commit of a kind."""

    def commit_table(self, table, requirements, updates):
        if self.act and self.when(updates):
            act, self.act = self.act, None
            act()
        return super().commit_table(table, requirements, updates)


def interrupted(catalog, when, act):
    """The catalog of the one who is interrupted; `act` has its own."""
    catalog.__class__, catalog.when, catalog.act = Interrupted, when, act
    return catalog


def is_publish(updates):
    refs = [u.ref_name for u in updates if isinstance(u, SetSnapshotRefUpdate)]
    return any(ref.startswith("published-") for ref in refs)


def is_expiry(updates):
    return any(isinstance(u, RemoveSnapshotsUpdate) for u in updates)


def resume(catalog, run_id="r", **options):
    return wap.resume(NAME, catalog=catalog, run_id=run_id, quality_checks=CHECKS, **options)


@pytest.mark.parametrize("moved", [False, True], ids=["main as it was", "main moved"])
def test_two_resumes_at_once_publish_once(catalog, tmp_path, moved):
    stage_only(catalog, orders(2), "r")
    if moved:
        publish(catalog, orders(3))
    other = lake.catalog(tmp_path)
    results = []
    interrupted(catalog, is_publish, lambda: results.append(resume(other)))
    results.append(resume(catalog))
    assert all(results)
    assert len({result.tag for result in results}) == 1
    assert lake.ids(catalog) == ([1, 2, 3] if moved else [1, 2])
    assert lake.branch_names(catalog) == []


def test_a_discard_while_a_run_is_published_leaves_main_whole(catalog, tmp_path):
    stage_only(catalog, orders(2), "r")
    other = lake.catalog(tmp_path)
    interrupted(catalog, is_publish, lambda: upkeep.discard(NAME, catalog=other, run_id="r"))
    with pytest.raises(DataError, match=r"run r is gone|was discarded"):
        resume(catalog)
    assert (lake.ids(catalog), lake.branch_names(catalog)) == ([1], [])


@pytest.mark.parametrize("when", [lambda updates: True, is_expiry], ids=["branch", "snapshots"])
def test_a_publish_before_the_expiry_of_a_discard_is_not_torn_out(catalog, tmp_path, when):
    """The discard has decided what to remove; the publish that needs it is faster."""
    stage_only(catalog, orders(2), "r")
    other = lake.catalog(tmp_path)
    table = other.load_table(NAME)
    [branch] = lake.branch_names(other)
    head = table.metadata.refs[branch].snapshot_id

    def act():
        _, tag = branches.publish(other, table, "r", head, lake.START)
        assert tag

    interrupted(catalog, when, act)
    with pytest.raises(UsageError, match="was published"):
        upkeep.discard(NAME, catalog=catalog, run_id="r")
    assert lake.ids(other) == [1, 2]
    assert publish(other, orders(3))
    assert lake.ids(other) == [1, 2, 3]


@pytest.mark.parametrize("mode", ["append", "overwrite", wap.upsert("id")], ids=str)
def test_a_clean_while_a_run_is_published_deletes_nothing_that_it_needs(catalog, tmp_path, mode):
    stage_only(catalog, orders(2), "r", mode=mode)
    other = lake.catalog(tmp_path)
    later = Clock(utc_now() + timedelta(days=36_500))
    gone = []

    def act():
        gone.extend(
            upkeep.clean(NAME, catalog=other, delete=True, older_than=timedelta(0), now=later)
        )

    interrupted(catalog, is_publish, act)
    try:
        resume(catalog)
    except DataError:
        assert lake.ids(catalog) == [1]
    else:
        assert lake.ids(catalog) == ([2] if mode == "overwrite" else [1, 2])
    assert publish(catalog, orders(3))


@pytest.mark.parametrize("point", ["_files", "_reached"])
def test_a_publish_while_files_are_deleted_keeps_its_own(catalog, tmp_path, monkeypatch, point):
    """Another process publishes a run whose branch is over, at a moment within the clean."""
    stage_only(catalog, orders(2), "r", keep_failed_for=timedelta(0))
    publish(catalog, orders(3), now=Clock())  # so that the run must follow main
    other, original = lake.catalog(tmp_path), getattr(upkeep, point)

    def meanwhile(*args):
        found = list(original(*args))
        if not any(tag.endswith("-r") for tag in lake.tags(other)):
            with contextlib.suppress(DataError, UsageError):
                resume(other)
        return found

    monkeypatch.setattr(upkeep, point, meanwhile)
    later = Clock(utc_now() + timedelta(days=36_500))
    upkeep.clean(NAME, catalog=catalog, delete=True, older_than=timedelta(0), now=later)
    assert lake.ids(catalog) in ([1, 2, 3], [1, 3])


def test_a_withdrawn_run_that_is_resumed_stays_withdrawn(catalog):
    publish(catalog, orders(2), run_id="r")
    upkeep.rollback(NAME, catalog=catalog, to="published-20130210T0630Z-first")
    with pytest.raises(UsageError, match="rolled back"):
        resume(catalog)
    assert lake.ids(catalog) == [1]


@pytest.mark.parametrize("mode", ["append", wap.upsert("id")], ids=str)
def test_a_tag_removed_by_hand_does_not_let_a_run_publish_twice(catalog, mode):
    first = publish(catalog, orders(2), [], run_id="r", mode=mode)
    publish(catalog, orders(3), run_id="later")
    catalog.load_table(NAME).manage_snapshots().remove_tag(first.tag).commit()
    again = publish(catalog, orders(2), [], run_id="r", mode=mode)
    assert again
    assert again.events[-1][1] == "repeated"
    assert again.snapshot_id == first.snapshot_id
    with pytest.raises(UsageError, match="other data"):
        publish(catalog, orders(4), [], run_id="r", mode=mode)
    assert lake.ids(catalog) == [1, 2, 3]


def a_week(catalog, now):
    """Every kind of commit that the library makes, one after another."""

    def interrupt(data):
        if 99 not in lake.ids(catalog):
            wap.write_audit_publish(orders(99), NAME, [], catalog=catalog, run_id="other", now=now)
        return Result(True, "")

    bad = [audit.not_null("amount", scope="added")]
    publish(catalog, orders(2), CHECKS, run_id="good", now=now)
    publish(catalog, orders(3, amount=None), bad, run_id="bad", now=now)
    upkeep.discard(NAME, catalog=catalog, run_id="bad")
    publish(catalog, orders(4, amount=None), bad, run_id="real", now=now)
    wap.publish(NAME, catalog=catalog, run_id="real", reason="it is", now=now)
    publish(catalog, orders(5), [interrupt, *CHECKS], run_id="moved", now=now)
    publish(catalog, orders(6), CHECKS, run_id="withdrawn", now=now)
    [tag] = [name for name in lake.tags(catalog) if name.endswith("-moved")]
    upkeep.rollback(NAME, catalog=catalog, to=tag)
    publish(catalog, orders(7, amount=None), bad, run_id="over", now=now)
    now.advance(timedelta(days=8))
    try:
        publish(catalog, stream(orders(8), orders(9)), CHECKS, run_id="stream", now=now)
    except DataError:  # pyiceberg deleted a part, told that its commit failed: refused, not lost
        publish(catalog, stream(orders(8), orders(9)), CHECKS, run_id="stream", now=now)


LOST = ["lost answer", "lost answer, said failed", "lost race"]


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.deep)], ids=str)
def test_the_answer_of_any_commit_may_be_lost(tmp_path, monkeypatch, lost, step):
    """The normal round tries some of the commits, another third of them in each way."""
    monkeypatch.setattr(incoming, "BATCH_ROWS", 1)
    commits = LOST.index(lost) * step // 3
    while True:
        folder = tmp_path / str(commits)
        folder.mkdir()
        catalog = lake.with_table(folder)
        unlucky(catalog, *[""] * commits, lost)
        a_week(catalog, Clock())
        assert lake.ids(catalog) == [2, 4, 5, 8, 9, 99], commits
        states = {run.run_id: run.state for run in upkeep.list_runs(NAME, catalog=catalog)}
        assert states.pop("withdrawn") == "withdrawn", commits
        assert set(states) == {"good", "real", "moved", "other", "stream"}, commits
        assert set(states.values()) == {"published"}, commits
        catalog.engine.dispose()
        if catalog.failures:
            break
        commits += step
    assert commits > 15


# -- somebody's job expires snapshots


def expire(catalog):
    """What Iceberg's maintenance does at its fiercest: only what refs name stays."""
    table = catalog.load_table(NAME)
    named = {ref.snapshot_id for ref in table.metadata.refs.values()}
    gone = [s.snapshot_id for s in table.metadata.snapshots if s.snapshot_id not in named]
    table.maintenance.expire_snapshots().by_ids(gone).commit()
    return gone


def staged_in_parts(catalog, *ids):
    stage_only(catalog, stream(*(orders(i) for i in ids)), "r")


@pytest.mark.parametrize("moved", [False, True], ids=["main as it was", "main moved"])
def test_snapshots_expired_under_a_staged_stream_lose_no_row(catalog, monkeypatch, moved):
    monkeypatch.setattr(incoming, "BATCH_ROWS", 1)
    staged_in_parts(catalog, 2, 3, 4)
    if moved:
        publish(catalog, orders(9))
    assert expire(catalog)
    result = resume(catalog)
    assert result
    assert lake.ids(catalog) == ([1, 2, 3, 4, 9] if moved else [1, 2, 3, 4])


def test_added_rows_are_audited_in_full_when_snapshots_were_expired(catalog, monkeypatch):
    monkeypatch.setattr(incoming, "BATCH_ROWS", 1)
    staged_in_parts(catalog, 2, 3, 4)
    assert expire(catalog)
    checks = [audit.rows_at_least(3, scope="added")]
    assert wap.resume(NAME, catalog=catalog, run_id="r", quality_checks=checks)


def test_a_rollback_goes_to_tags_that_lost_what_lay_between(catalog, monkeypatch):
    monkeypatch.setattr(incoming, "BATCH_ROWS", 1)
    publish(catalog, stream(orders(2), orders(3), orders(4)), run_id="stream")
    publish(catalog, orders(5), run_id="last")
    assert expire(catalog)
    done = upkeep.rollback(NAME, catalog=catalog, to="published-20130210T0630Z-first")
    assert set(done.withdrawn) == {"last", "stream"}
    assert lake.ids(catalog) == [1]


def test_a_rollback_never_goes_to_a_tag_beside_main(catalog):
    second = publish(catalog, orders(2), run_id="second", now=Clock())
    table = catalog.load_table(NAME)
    first = table.metadata.refs["published-20130210T0630Z-first"].snapshot_id
    table.manage_snapshots().set_current_snapshot(snapshot_id=first).commit()
    table.append(orders(9))
    with pytest.raises(UsageError, match="is not behind main"):
        upkeep.rollback(NAME, catalog=catalog, to=second.tag)
    assert lake.ids(catalog) == [1, 9]


def test_files_cleaned_away_before_a_run_follows_main_are_not_published(catalog, tmp_path):
    """A run whose time is over may be followed by no one: its files may be going just now."""
    stage_only(catalog, orders(2), "r", keep_failed_for=timedelta(0))
    publish(catalog, orders(3), now=Clock())
    other, later = lake.catalog(tmp_path), Clock(utc_now() + timedelta(days=36_500))
    cleaned = {"catalog": other, "delete": True, "older_than": timedelta(0), "now": later}
    interrupted(catalog, lambda updates: True, lambda: upkeep.clean(NAME, **cleaned))
    with pytest.raises(DataError, match="past its time"):
        resume(catalog)
    assert lake.ids(other) == [1, 3]


def test_two_that_remove_the_same_leftovers_do_not_fail(catalog, tmp_path):
    clock = Clock()
    bad = [audit.not_null("amount")]
    publish(catalog, orders(2, amount=None), bad, now=clock)
    clock.advance(timedelta(days=8))
    other = lake.catalog(tmp_path)
    # One that is blocked removes leftovers too, and does not move main.
    act = lambda: publish(other, orders(3, amount=None), bad, now=clock)  # noqa: E731
    interrupted(catalog, is_expiry, act)
    assert publish(catalog, orders(4), now=clock)
    assert (lake.ids(catalog), len(lake.branch_names(catalog))) == ([1, 4], 1)


def test_a_base_that_was_expired_is_said_and_loses_nothing(catalog):
    catalog.load_table(NAME).append(orders(8))  # by others: no tag holds it
    stage_only(catalog, orders(2), "r")
    catalog.load_table(NAME).append(orders(9))
    assert expire(catalog)
    with pytest.raises(DataError, match="expired"):
        resume(catalog)
    assert lake.ids(catalog) == [1, 8, 9]
