"""Old publishes are retired by a policy; what they were stays known, others keep what is theirs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import lake
import pytest
from lake import NAME, Clock, orders
from publishing import publish

from dataops_lib import wap, warehouse
from dataops_lib.errors import UsageError
from dataops_lib.wap import Retention, retention, upkeep
from dataops_lib.warehouse import metadata


@pytest.fixture
def catalog(tmp_path):
    """Six publishes, ten days apart, from 10 February to 1 April."""
    found, clock = lake.with_table(tmp_path), Clock()
    for number in range(6):
        publish(found, orders(number), [], run_id=f"r{number}", now=clock)
        clock.advance(timedelta(days=10))
    return found


def run_ids(catalog):
    return [tag.run_id for tag in metadata.publish_tags(catalog.load_table(NAME))]


def test_the_newest_the_last_of_a_month_and_cited_ones_are_kept(catalog):
    policy = Retention(1, cited=frozenset({"r2"}))
    gone = retention.retire(catalog, NAME, policy)
    assert [tag.rpartition("-")[2] for tag in gone] == ["r0", "r3"]
    assert run_ids(catalog) == ["r1", "r2", "r4", "r5"]
    assert lake.ids(catalog) == [0, 1, 2, 3, 4, 5]


def test_looking_changes_nothing(catalog):
    before = catalog.load_table(NAME).metadata_location
    assert len(retention.retire(catalog, NAME, Retention(2, False), delete=False)) == 4
    assert catalog.load_table(NAME).metadata_location == before


def test_times_and_counts_of_retired_publishes_stay_known_twice_over(catalog):
    before = warehouse.landings(catalog.load_table(NAME))
    retention.retire(catalog, NAME, Retention(4, False))
    retention.retire(catalog, NAME, Retention(2, False))
    after = warehouse.landings(catalog.load_table(NAME))
    known = ["run_id", "due_at", "staged_at", "published_at", "rows_added", "rows_total"]
    assert after[known].equals(before[known])
    assert list(after["snapshot_id"].isna()) == [True] * 4 + [False] * 2
    assert list(after["snapshot_id"][4:]) == list(before["snapshot_id"][4:])
    reached = metadata.reached(
        catalog.load_table(NAME), "id", zone="UTC", until=datetime(2020, 1, 1, tzinfo=UTC)
    )
    assert list(reached["how"]) == ["retired"] * 4 + ["scan"] * 2


def test_a_retired_run_is_not_published_again(catalog):
    retention.retire(catalog, NAME, Retention(1, False))
    again = publish(catalog, orders(0), [], run_id="r0")
    assert again
    assert again.events[-1][2].endswith("which was retired since")
    with pytest.raises(UsageError, match="other data"):
        publish(catalog, orders(9), [], run_id="r0")
    with pytest.raises(UsageError, match="other mode"):
        publish(catalog, orders(0), [], run_id="r0", mode="overwrite")
    assert lake.ids(catalog) == [0, 1, 2, 3, 4, 5]


def test_main_tags_and_properties_of_others_are_never_touched(catalog):
    table = catalog.load_table(NAME)
    first = metadata.publish_tags(table)[0]
    table.manage_snapshots().create_tag(first.snapshot.snapshot_id, "audited-by-law").commit()
    table.manage_snapshots().create_tag(
        first.snapshot.snapshot_id, "published-20130101T0000Z-spark"
    ).commit()
    with table.transaction() as change:
        change.set_properties({metadata.RETIRED: "file:///etc/passwd"})
    retention.retire(catalog, NAME, Retention(1, False))
    table = catalog.load_table(NAME)
    assert {"main", "audited-by-law", "published-20130101T0000Z-spark"} < set(table.metadata.refs)
    assert table.scan(snapshot_id=first.snapshot.snapshot_id).to_arrow().num_rows == 1


def test_a_publish_retires_when_there_are_enough_and_says_so(catalog, monkeypatch):
    monkeypatch.setattr(retention, "SLACK", 2)
    policy = Retention(3, monthly=False)
    result = publish(catalog, orders(6), [], run_id="r6", keep_publishes=policy)
    assert [event for _, event, _ in result.events][-1] == "retired"
    assert run_ids(catalog) == ["r4", "r5", "r6"]
    assert publish(catalog, orders(7), [], run_id="r7", keep_publishes=None)
    assert len(run_ids(catalog)) == 4


def test_rollback_and_clean_work_after_publishes_were_retired(catalog):
    retention.retire(catalog, NAME, Retention(2, False))
    for leftover in upkeep.clean(
        NAME, catalog=catalog, delete=True, older_than=timedelta(0),
        now=Clock(datetime(2100, 1, 1, tzinfo=UTC)),
    ):  # fmt: skip
        assert "/publishes/" not in leftover.path
    done = upkeep.rollback(NAME, catalog=catalog, to=lake.tags(catalog)[0])
    assert done.withdrawn == ("r5",)
    assert lake.ids(catalog) == [0, 1, 2, 3, 4]
    assert len(warehouse.landings(catalog.load_table(NAME))) == 5


def test_at_least_one_publish_is_kept():
    with pytest.raises(UsageError, match="at least 1"):
        wap.Retention(0)
