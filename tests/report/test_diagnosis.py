"""A diagnosis adds up, holds each promise over its own period, and knows what it cannot know."""

import json
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops_lib import evidence, report
from dataops_lib.evidence import verdicts
from dataops_lib.evidence.levels import MeasuredLevel, TableLevels
from dataops_lib.finding import Finding
from dataops_lib.report import diagnosis
from dataops_lib.report import tiles as page_tiles
from dataops_lib.service_levels import budget, slo
from dataops_lib.service_levels import measurements as service_levels_measurements
from dataops_lib.service_levels.measurements import Measurement
from dataops_lib.teams.models import Table


def table(name="a", tier=1):
    return Table(name=name, pipeline="p", tier=tier, owner="Ana", day_column="day", about="A.")


def promises(text):
    return {one.sli: one for one in slo.loads(f"slos:\n  - name: a\n    tier: 1\n    {text}\n")}


RUNS = promises(
    'pipeline_success_rate: {slo: "> 95% (30-day rolling)", sla: "> 90% (30-day rolling)"}'
)


def seen(good, total, made=RUNS, **more):
    measured = Measurement(good, total, 0, "run history")
    sla = measured if made and made["pipeline_success_rate"].sla else None
    return TableLevels(
        table(), made, {"pipeline_success_rate": MeasuredLevel(measured, measured, sla)}, **more
    )


def judged(one):
    return verdicts.level(one, "pipeline_success_rate").finding


# ---- one service level


@pytest.mark.parametrize(
    ("good", "total", "status", "words"),
    [
        (20, 20, "ok", "100 %, 20 of 20 runs"),
        (19, 20, "ok", "95 %, 19 of 20 runs"),  # exactly the promise is kept
        (37, 40, "warn", "SLO missed: 92.5 %, 37 of 40 runs"),
        (18, 20, "warn", "SLO missed: 90 %"),  # exactly the SLA is kept, too
        (17, 20, "fail", "SLA breached: 85 %, 17 of 20 runs"),
        (0, 20, "fail", "SLA breached: 0 %"),
    ],
)
def test_a_promise_is_kept_missed_or_breached(good, total, status, words):
    finding = judged(seen(good, total))
    assert finding.status == status
    assert finding.evidence.startswith(words)
    assert "SLO > 95% (30-day rolling); SLA > 90%" in finding.evidence


def test_what_was_not_measured_or_has_no_events_is_unknown_not_kept():
    nothing = TableLevels(table(), RUNS)
    assert judged(nothing).status == judged(seen(0, 0)).status == "unknown"
    assert [finding.status for finding in verdicts.judge([nothing])] == ["unknown"] * 3


def test_a_figure_without_a_promise_is_shown_but_judged_by_nobody():
    finding = judged(seen(19, 20, made={}))
    assert finding.status == "unknown"
    assert finding.evidence == "95 %, 19 of 20 runs; nothing is promised"
    assert finding.next_step == "Write an SLO"


def test_slo_and_sla_are_each_held_over_their_own_period():
    weak, strong = Measurement(20, 40, 0, "run history"), Measurement(40, 40, 0, "run history")
    of = lambda *three: TableLevels(table(), RUNS, {"pipeline_success_rate": MeasuredLevel(*three)})  # noqa: E731
    assert judged(of(weak, strong, strong)).status == "ok"
    assert judged(of(strong, weak, strong)).status == "warn"
    assert judged(of(strong, strong, weak)).status == "fail"


def test_a_promise_without_a_share_must_have_held_always():
    made = promises('freshness: {slo: "< 2 hours"}')
    for good, status in ((1440, "ok"), (1439, "warn")):
        measured = Measurement(good, 1440)
        one = TableLevels(table(), made, {"freshness": MeasuredLevel(measured, measured)})
        assert verdicts.level(one, "freshness").status == status


@given(st.integers(1, 2000), st.integers(0, 2000), st.integers(1, 9999))
def test_keeping_a_promise_is_decided_as_if_by_fractions(total, good, target):
    good = min(good, total)
    exact = Fraction(good, total) >= Fraction(target, 10_000)
    assert (
        budget.stand(Measurement(good, total), Decimal(target) / 10_000, trials=False).word == "met"
    ) == exact


def test_the_numbers_behind_a_finding_are_those_of_its_words():
    numbers = judged(seen(19, 20)).numbers
    assert (numbers["good"], numbers["total"], numbers["ratio"]) == (19, 20, 0.95)
    low, high = numbers["interval_ratio"]
    assert low < 0.95 < high < 1
    assert numbers["slo"] == "> 95% (30-day rolling)"


# ---- sums

measurements = st.lists(
    st.none()
    | st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda g: Measurement(g[0], sum(g))),
    max_size=6,
)  # fmt: skip


@given(measurements, st.randoms())
def test_pooling_adds_up_in_any_order_and_never_averages(found, random):
    pooled = service_levels_measurements.pooled(found)
    known = [one for one in found if one is not None]
    if not known:
        assert pooled is None
        return
    assert (pooled.good, pooled.total) == (sum(o.good for o in known), sum(o.total for o in known))
    mixed = random.sample(found, len(found))
    assert service_levels_measurements.pooled(mixed) == pooled


def test_a_large_table_outweighs_a_small_one():
    pooled = service_levels_measurements.pooled([Measurement(1000, 1000), Measurement(5, 10)])
    assert pooled.ratio == pytest.approx(1005 / 1010)


# ---- tiles


def tiles(*tables):
    found = page_tiles.tiles(tables, {"success": "SELECT 1"}, "30 days to 1 March 2013")
    return {tile.name: tile for tile in found}


def test_there_are_four_tiles_in_this_order_with_count_period_and_query():
    found = tiles(seen(19, 20))
    assert list(found) == ["freshness", "success", "completeness", "publishes"]
    assert found["success"].measured.total == 20
    assert found["success"].period == "30 days to 1 March 2013"
    assert found["success"].query == "SELECT 1"
    assert found["success"].finding.evidence == "19 of 20 expected runs"


def test_a_tile_is_as_bad_as_the_worst_of_its_tables():
    assert tiles(seen(20, 20), seen(17, 20))["success"].finding.status == "fail"
    assert tiles(seen(20, 20), seen(20, 20))["success"].finding.status == "ok"


def test_without_input_a_tile_is_unknown_and_says_so():
    found = tiles()
    assert {tile.finding.status for tile in found.values()} == {"unknown"}
    reasons = {"not measured", "nothing is promised", "no audit is on record"}
    assert {tile.finding.evidence for tile in found.values()} == reasons
    assert all(tile.measured is None for tile in found.values())


def test_only_tier_1_counts_for_freshness():
    fresh = Measurement(10, 10)
    made = promises('freshness: {slo: "< 2 hours"}')
    second = TableLevels(table("b", tier=2), made, {}, fresh_days=fresh)
    assert tiles(second)["freshness"].measured is None
    first = TableLevels(table("a"), made, {}, fresh_days=Measurement(3, 10))
    assert tiles(first, second)["freshness"].measured.good == 3


def test_a_blocked_publish_is_worth_a_look_but_no_failure():
    assert tiles(seen(1, 1, publishes=Measurement(30, 35)))["publishes"].finding.status == "warn"
    assert tiles(seen(1, 1, publishes=Measurement(35, 35)))["publishes"].finding.status == "ok"
    assert tiles(seen(1, 1, publishes=Measurement(0, 0)))["publishes"].finding.status == "unknown"


@given(st.lists(st.sampled_from(["ok", "warn", "fail", "unknown"])))
def test_the_worst_status_is_one_of_them_and_none_is_worse(statuses):
    found = page_tiles.worst([Finding("x", status, "", "") for status in statuses])
    rank = ["fail", "warn", "unknown", "ok"]
    assert found == min(statuses, key=rank.index, default="unknown")


# ---- what nobody can know


def test_each_missing_file_is_told_with_what_stays_unknown_and_what_to_add():
    (found,) = diagnosis.unknowns({"runs.csv": "run success"}, ())
    assert found == Finding(
        "runs.csv", "unknown", "not given, so we do not know run success", "Add runs.csv"
    )


def test_what_is_measured_without_a_promise_is_told():
    (found,) = diagnosis.unknowns({}, verdicts.judge([seen(19, 20, made={})]))
    assert "a run success" in found.evidence
    assert "run success" not in str(diagnosis.unknowns({}, verdicts.judge([seen(19, 20)])))


# ---- the whole


def test_the_same_inputs_give_the_same_json_byte_for_byte(flights):
    texts = [
        json.dumps(report.diagnose(flights.load()).as_dict(), sort_keys=True) for _ in range(2)
    ]
    assert texts[0] == texts[1]
    plain = json.loads(texts[0])
    assert plain["schema_version"] == diagnosis.SCHEMA_VERSION
    assert plain["as_of"] == "2013-02-14"
    assert plain["window"]["end"] == "2013-02-14T05:00:00+00:00"
    assert {tile["name"]: (tile["good"], tile["total"]) for tile in plain["tiles"]}["success"] == (
        12,
        30,
    )
    assert "simulated" in plain["simulated"]


def test_a_diagnosis_holds_no_path_and_no_snapshot_id(flights):
    text = json.dumps(report.diagnose(flights.load()).as_dict())
    assert str(flights.root) not in text
    assert "build-" not in text
    for _, snapshot in evidence.Observed(flights.load()).tables.values():
        assert str(snapshot) not in text


def test_tiles_and_findings_are_found_by_name(flights):
    found = report.diagnose(flights.load())
    assert found.tile("success").label == "Runs that published first time"
    assert found.finding("fct_flights run success").status == "fail"
    assert found.as_of == date(2013, 2, 14)
