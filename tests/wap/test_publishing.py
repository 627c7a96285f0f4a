"""Write-Audit-Publish as its users see it. Guards against traps: test_guards.py."""

from __future__ import annotations

import functools
from datetime import timedelta

import lake
import pandas as pd
import pyarrow as pa
import pytest
from lake import NAME, Clock, orders
from publishing import CHECKS, Result, publish, stage_only, stream

from dataops_lib import audit, wap
from dataops_lib.audit import checks as audit_checks
from dataops_lib.errors import DataError, UsageError
from dataops_lib.wap import incoming, upkeep


@pytest.fixture
def catalog(tmp_path):
    return lake.with_table(tmp_path)


@pytest.fixture
def clock():
    return Clock()


def test_a_good_day_is_published_and_says_so(catalog, clock):
    result = publish(catalog, orders(1, 2), run_id="day-1", now=clock)
    assert result
    assert lake.ids(catalog) == [1, 2]
    assert [event for _, event, _ in result.events] == ["staged", "audited", "published"]
    assert list(result.seconds) == ["staged", "audited", "published"]
    assert all(seconds > 0 for seconds in result.seconds.values())
    assert result.rows == 2
    assert [finding.status for finding in result.findings] == ["ok", "ok", "ok"]
    assert lake.branch_names(catalog) == []


def test_the_publish_is_tagged_with_its_time_and_run(catalog, clock):
    result = publish(catalog, orders(1), run_id="day-1", now=clock)
    assert lake.tags(catalog) == ["published-20130210T0630Z-day-1"] == [result.tag]


def test_a_blocked_run_leaves_readers_what_they_had_and_keeps_its_branch(catalog, clock):
    publish(catalog, orders(1), run_id="day-1", now=clock)
    before = catalog.load_table(NAME).current_snapshot().snapshot_id
    result = publish(catalog, orders(2, amount=None), run_id="day-2", now=clock)
    assert not result
    assert [f.subject for f in result.blocked_by] == ["not_null(amount)"]
    assert catalog.load_table(NAME).current_snapshot().snapshot_id == before
    assert lake.branch_names(catalog) == [result.branch] == ["audit-20130210-day-2"]


def test_a_finding_counts_and_shows_the_rows_that_failed(catalog):
    result = publish(catalog, orders(*range(30), amount=None))
    finding = result.blocked_by[0]
    assert (finding.numbers["failed"], finding.numbers["rows"]) == (30, 30)
    assert len(finding.numbers["sample"]) == 20
    assert finding.evidence == "30 of 30 rows have no amount"


def test_a_warning_is_reported_and_does_not_block(catalog):
    checks = [audit.not_null("amount", severity="warn")]
    result = publish(catalog, orders(1, amount=None), checks)
    assert result
    assert [finding.status for finding in result.findings] == ["warn"]


def test_the_articles_own_checks_work_as_functions_lambdas_and_partials(catalog):
    def enough(data: pd.DataFrame, least: int) -> Result:
        return Result(len(data) >= least, f"{len(data)} rows")

    checks = [functools.partial(enough, least=1), lambda data: Result(data.id.is_unique, "ids")]
    result = publish(catalog, orders(1), checks)
    assert result
    assert [finding.subject for finding in result.findings] == ["enough", "<lambda>"]


def test_a_function_sees_the_branch_with_what_is_published_already(catalog):
    publish(catalog, orders(1))
    seen = []
    publish(catalog, orders(2), [lambda data: Result(not seen.append(sorted(data.id)), "")])
    assert seen == [[1, 2]]


def test_a_function_that_changes_its_data_does_not_change_what_others_see(catalog):
    def careless(data):
        data["amount"] = None
        return Result(True, "")

    checks = [careless, lambda data: Result(data.amount.notna().all(), "amounts are gone")]
    assert publish(catalog, orders(1), checks)


def test_an_exception_in_a_check_is_a_failed_check_with_its_message(catalog):
    def broken(data):
        raise RuntimeError("the rule engine is down")

    result = publish(catalog, orders(1), [broken])
    assert not result
    assert "RuntimeError: the rule engine is down" in result.blocked_by[0].evidence


def test_a_type_change_comes_back_blocked_with_the_values_that_do_not_fit(catalog):
    publish(catalog, orders(1))
    changed = pa.table({"id": ["u-7", "8"], "amount": [1.0, 1.0], "status": ["paid", "paid"]})
    contract = audit.columns(audit_checks.Column("id", "integer"), name="schema equals contract")
    result = publish(catalog, changed, [contract])
    finding = result.blocked_by[0]
    assert finding.subject == "schema equals contract"
    assert finding.evidence == "id is text in the data, but an integer in the table"
    assert finding.numbers["samples"]["id"][0] == "u-7"
    assert lake.ids(catalog) == [1]
    assert lake.branch_names(catalog) == []


def test_text_that_could_be_read_as_numbers_is_still_a_type_change(catalog):
    changed = orders(1).set_column(0, "id", pa.array(["1"]))
    assert not publish(catalog, changed)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (orders(1).append_column("extra", pa.array([1])), "extra is not a column of the table"),
        (orders(1).set_column(0, "id", pa.array([1.5])), "id has values that do not fit"),
        (
            orders(1).rename_columns(["id", "amount", "amount"]),
            "amount stands 2 times in the data",
        ),
    ],
    ids=["a column nobody knows", "half a number", "a column twice"],
)
def test_data_that_does_not_fit_is_blocked_by_name(catalog, data, says):
    result = publish(catalog, data)
    assert says in result.blocked_by[0].evidence


def test_pandas_with_missing_integers_fits_an_integer_column(catalog):
    frame = pd.DataFrame({"id": [1.0, None], "amount": [1, 2], "status": ["paid", None]})
    assert publish(catalog, frame, [])
    assert catalog.load_table(NAME).scan().to_arrow()["id"].to_pylist() == [1, None]


def test_a_missing_column_is_a_change_of_the_data_though_it_may_be_null(catalog):
    result = publish(catalog, orders(1).drop_columns(["status"]), [])
    assert result.blocked_by[0].evidence == "status is missing from the data"


# -- the same run again


def test_the_same_data_under_the_same_run_publishes_once(catalog):
    first = publish(catalog, orders(1, 2), run_id="r")
    again = publish(catalog, orders(2, 1), run_id="r")  # the order of rows is not data
    assert again
    assert again.tag == first.tag
    assert again.events[-1][1] == "repeated"
    assert lake.ids(catalog) == [1, 2]


def test_other_data_under_a_published_run_is_refused(catalog):
    publish(catalog, orders(1), run_id="r")
    with pytest.raises(UsageError, match="already stands for other data"):
        publish(catalog, orders(2), run_id="r")


def test_other_data_under_a_blocked_run_is_refused_until_it_is_discarded(catalog):
    publish(catalog, orders(1, amount=None), run_id="r")
    with pytest.raises(UsageError, match="already stands for other data"):
        publish(catalog, orders(1), run_id="r")
    upkeep.discard(NAME, catalog=catalog, run_id="r")
    assert publish(catalog, orders(1), run_id="r")


def test_a_blocked_run_that_is_repeated_is_audited_again_without_staging_again(catalog):
    publish(catalog, orders(1, amount=None), run_id="r")
    again = publish(catalog, orders(1, amount=None), run_id="r")
    assert not again
    assert again.events[0][1] == "found"
    assert len(lake.branch_names(catalog)) == 1


@pytest.mark.parametrize("run_id", ["a/b", "../x", "a b", "a+1", "x" * 81, "<script>"])
def test_run_ids_that_could_not_stand_in_a_ref_or_a_path_are_refused(catalog, run_id):
    with pytest.raises(UsageError, match="run_id"):
        publish(catalog, orders(1), run_id=run_id)


def test_an_unknown_table_is_named(catalog):
    with pytest.raises(DataError, match=r"no table 'marts\.nothing'"):
        wap.write_audit_publish(orders(1), "marts.nothing", [], catalog=catalog)


def test_an_unknown_mode_is_named(catalog):
    with pytest.raises(UsageError, match="mode is 'replace'"):
        publish(catalog, orders(1), mode="replace")


# -- modes


def test_a_full_overwrite_replaces_the_table(catalog):
    publish(catalog, orders(1, 2))
    assert publish(catalog, orders(3), mode="overwrite")
    assert lake.ids(catalog) == [3]


def test_an_overwrite_of_what_a_filter_selects_keeps_the_rest(catalog):
    publish(catalog, orders(1, 2))
    publish(catalog, orders(3, status="open"))
    assert publish(
        catalog, orders(4, 5, status="open"), mode=wap.overwrite_where("status = 'open'")
    )
    assert lake.ids(catalog) == [1, 2, 4, 5]


def test_an_upsert_replaces_rows_of_the_same_key_and_adds_the_others(catalog):
    publish(catalog, orders(1, 2))
    assert publish(catalog, orders(2, 3, amount=9.0), mode=wap.upsert("id"))
    rows = catalog.load_table(NAME).scan().to_arrow().sort_by("id")
    assert rows["id"].to_pylist() == [1, 2, 3]
    assert rows["amount"].to_pylist() == [1.0, 9.0, 9.0]


def test_an_upsert_that_changes_nothing_is_published_all_the_same(catalog):
    publish(catalog, orders(1), run_id="a")
    assert publish(catalog, orders(1), mode=wap.upsert("id"), run_id="b")
    assert [tag[-1] for tag in lake.tags(catalog)] == ["a", "b"]
    assert lake.ids(catalog) == [1]


@pytest.mark.parametrize(
    ("mode", "data", "says"),
    [
        (wap.upsert("id"), orders(1, 1, 2), "1 rows repeat the upsert key id"),
        (
            wap.overwrite_where("status = 'open'"),
            orders(1),
            "1 rows lie outside status = 'open', which is to be replaced",
        ),
    ],
    ids=["keys repeat", "rows outside the filter"],
)
def test_data_that_does_not_suit_the_mode_is_blocked(catalog, mode, data, says):
    publish(catalog, orders(9))
    assert publish(catalog, data, [], mode=mode).blocked_by[0].evidence == says
    assert lake.ids(catalog) == [9]


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("upsert", "upsert needs keys"),
        (wap.upsert("nothing"), "key nothing is no column"),
        (wap.overwrite_where("status == "), "cannot be used"),
        (wap.overwrite_where("nothing = 1"), "cannot be used"),
    ],
    ids=str,
)
def test_a_mode_that_cannot_work_is_refused(catalog, mode, says):
    with pytest.raises(UsageError, match=says):
        publish(catalog, orders(1), mode=mode)


def test_an_upsert_of_a_stream_is_refused_by_name(catalog):
    with pytest.raises(UsageError, match="upsert cannot take a stream"):
        publish(catalog, stream(orders(1)), mode=wap.upsert("id"))


@pytest.mark.parametrize("mode", ["append", "overwrite", wap.upsert("id")], ids=str)
def test_no_rows_at_all_can_be_published(catalog, mode):
    publish(catalog, orders(1))
    assert publish(catalog, orders(), [], mode=mode)
    assert lake.ids(catalog) == ([] if mode == "overwrite" else [1])


def test_a_blocked_overwrite_leaves_the_table_whole(catalog):
    publish(catalog, orders(1, 2))
    assert not publish(catalog, orders(3, amount=None), mode="overwrite")
    assert lake.ids(catalog) == [1, 2]


# -- streams


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(incoming, "BATCH_ROWS", 2)


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_a_stream_is_staged_in_batches_and_published_at_once(catalog, small_batches, mode):
    publish(catalog, orders(100))
    result = publish(catalog, stream(*(orders(i, i + 1) for i in (1, 3, 5))), mode=mode)
    assert result.rows == 6
    expected = [1, 2, 3, 4, 5, 6]
    assert lake.ids(catalog) == (expected if mode == "overwrite" else [*expected, 100])
    assert len(lake.tags(catalog)) == 2


def test_a_stream_into_a_partitioned_table_is_staged_too(tmp_path, small_batches):
    from pyiceberg.partitioning import PartitionField, PartitionSpec
    from pyiceberg.schema import Schema
    from pyiceberg.transforms import IdentityTransform
    from pyiceberg.types import DoubleType, LongType, NestedField, StringType

    schema = Schema(
        NestedField(1, "id", LongType()),
        NestedField(2, "amount", DoubleType()),
        NestedField(3, "status", StringType()),
    )
    spec = PartitionSpec(PartitionField(3, 1000, IdentityTransform(), "status"))
    catalog = lake.with_table(tmp_path, schema, partition_spec=spec)
    assert publish(catalog, stream(orders(1, 2), orders(3, status="open")))
    assert lake.ids(catalog) == [1, 2, 3]


def test_a_stream_that_turns_bad_halfway_publishes_nothing(catalog, small_batches):
    publish(catalog, orders(9))
    result = publish(catalog, stream(orders(1, 2), orders(3, 4, amount=None)))
    assert not result
    assert lake.ids(catalog) == [9]


def test_a_stream_repeated_under_its_run_is_read_but_not_written(catalog, small_batches):
    publish(catalog, stream(orders(1, 2), orders(3)), run_id="r")
    assert publish(catalog, stream(orders(3), orders(1, 2)), run_id="r").events[-1][1] == "repeated"
    assert lake.ids(catalog) == [1, 2, 3]


def test_an_empty_stream_publishes_no_rows(catalog):
    assert publish(catalog, stream(), [])
    assert lake.ids(catalog) == []


# -- what is kept, and for how long


def test_a_failed_branch_is_removed_when_its_time_is_over(catalog, clock):
    publish(catalog, orders(1), now=clock)
    bad = publish(catalog, orders(2, amount=None), now=clock, keep_failed_for=timedelta(days=2))
    clock.advance(timedelta(days=1))
    publish(catalog, orders(3), now=clock)
    assert lake.branch_names(catalog) == [bad.branch]
    clock.advance(timedelta(days=1))
    publish(catalog, orders(4), now=clock)
    assert lake.branch_names(catalog) == []
    assert catalog.load_table(NAME).metadata.snapshot_by_id(bad.snapshot_id) is None


def test_keeping_nothing_removes_the_branch_at_once_but_after_the_alert(catalog, clock):
    seen = []
    result = publish(
        catalog,
        orders(1, amount=None),
        now=clock,
        keep_failed_for=timedelta(0),
        on_alert=lambda publication: seen.append(lake.branch_names(catalog)),
    )
    assert seen == [[result.branch]]
    assert lake.branch_names(catalog) == []


def test_run_due_and_staged_stand_in_the_snapshot(catalog, clock):
    due = {"due_at": "2013-02-10T06:00:00+00:00"}
    result = publish(catalog, orders(1), run_id="r", now=clock, properties=due)
    snapshot = catalog.load_table(NAME).metadata.snapshot_by_id(result.snapshot_id)
    told = snapshot.summary.additional_properties
    assert told["run_id"] == "r"
    assert told["due_at"] == due["due_at"]
    assert told["staged_at"] == clock().isoformat()


# -- resume, publish, discard


def test_resume_with_checks_audits_and_publishes_what_was_staged(catalog):
    stage_only(catalog, orders(1), "r")
    assert lake.ids(catalog) == []
    assert wap.resume(NAME, catalog=catalog, run_id="r", quality_checks=CHECKS)
    assert lake.ids(catalog) == [1]


def test_resume_with_checks_blocks_what_fails_them(catalog):
    stage_only(catalog, orders(1, amount=None), "r")
    assert not wap.resume(NAME, catalog=catalog, run_id="r", quality_checks=CHECKS)
    assert lake.ids(catalog) == []


def test_resume_without_checks_discards_what_nobody_audited(catalog):
    stage_only(catalog, orders(1), "r")
    result = wap.resume(NAME, catalog=catalog, run_id="r")
    assert not result
    assert result.events[-1][1:] == ("discarded", "nobody audited it")
    assert (lake.ids(catalog), lake.branch_names(catalog)) == ([], [])


def test_resume_of_a_published_run_says_so(catalog):
    first = publish(catalog, orders(1), run_id="r")
    assert wap.resume(NAME, catalog=catalog, run_id="r").tag == first.tag


def test_resume_follows_main_when_it_moved(catalog):
    publish(catalog, orders(1))
    stage_only(catalog, orders(2), "r")
    publish(catalog, orders(3))
    result = wap.resume(NAME, catalog=catalog, run_id="r", quality_checks=CHECKS)
    assert result.rebased == 1
    assert lake.ids(catalog) == [1, 2, 3]


def test_resume_of_an_unknown_run_is_refused(catalog):
    with pytest.raises(UsageError, match="knows no run"):
        wap.resume(NAME, catalog=catalog, run_id="nobody")


def test_a_blocked_run_is_published_only_with_a_reason_which_is_recorded(catalog, clock):
    publish(catalog, orders(1, amount=None), run_id="blizzard", now=clock)
    with pytest.raises(UsageError, match=r"blocked by not_null\(amount\)"):
        wap.publish(NAME, catalog=catalog, run_id="blizzard")
    reason = 'The "storm" was real; half of the flights did not fly'
    assert wap.publish(NAME, catalog=catalog, run_id="blizzard", reason=reason, by="Kim", now=clock)
    assert lake.ids(catalog) == [1]
    shown = upkeep.show(NAME, catalog=catalog, run_id="blizzard")
    assert shown.override["reason"] == reason
    assert (shown.override["by"], shown.override["blocked_by"]) == ("Kim", "not_null(amount)")
    assert [f.subject for f in shown.findings if f.status == "fail"] == ["not_null(amount)"]


def test_a_run_nobody_audited_cannot_be_published_with_a_reason(catalog):
    stage_only(catalog, orders(1), "r")
    with pytest.raises(UsageError, match="was not staged and audited"):
        wap.publish(NAME, catalog=catalog, run_id="r", reason="hurry")


def test_an_override_is_refused_when_main_moved_since_the_audit(catalog):
    publish(catalog, orders(1))
    publish(catalog, orders(2, amount=None), run_id="r")
    publish(catalog, orders(3))
    with pytest.raises(DataError, match="has moved since"):
        wap.publish(NAME, catalog=catalog, run_id="r", reason="it is real")
    assert lake.ids(catalog) == [1, 3]
