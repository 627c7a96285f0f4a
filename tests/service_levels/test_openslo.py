"""Files of other tools come in and go out without losing or inventing anything."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops_lib import teams
from dataops_lib.errors import TeamError
from dataops_lib.service_levels import objectives, openslo, sli
from dataops_lib.teams import import_runs

settings.register_profile("patient", deadline=None)  # first imports are slow
settings.load_profile("patient")

FRESH = objectives.SLO(
    "fct_orders", "freshness", objectives.parse("< 2 hours for 99% (28-day rolling)")
)
RUNS = objectives.SLO(
    "fct_orders",
    "pipeline_success_rate",
    objectives.parse("> 95% (calendar month)"),
    objectives.parse("> 90% (calendar month)"),
    tier=1,
    owner="Ana",
    severity="P1",
    zone="Europe/Berlin",
)

words = st.sampled_from(["30-day rolling", "7-day rolling", "calendar month", "calendar week"])
promised = st.builds(
    lambda text, period: objectives.parse(f"{text} ({period})"),
    st.sampled_from(
        ["> 99.5%", "< 90 minutes for 99%", "< 3 days for 97.5%", "Z-score < 3 for 90%"]
    ),
    words,
)


@given(promised, st.sampled_from([None, 1, 3]), st.sampled_from(["UTC", "Asia/Tokyo"]))
def test_what_openslo_can_say_comes_back_the_same(objective, tier, zone):
    promise = objectives.SLO(
        "raw.events", "any", objective, tier=tier, zone=zone, columns=("a", "b")
    )
    assert openslo.from_openslo(openslo.to_openslo([promise]).text) == [promise]


def test_what_openslo_cannot_say_is_named():
    no_share = replace(FRESH, objective=objectives.parse("< 2 hours"))
    left_out = openslo.to_openslo([RUNS, no_share]).left_out
    assert left_out == (
        "fct_orders pipeline_success_rate: owner, severity, sla, tier, zone stand in annotations "
        "only",
        "fct_orders freshness: '< 2 hours' promises no share, so no objective",
    )


def test_a_ratio_has_no_op_and_a_threshold_has_its_unit():
    text = openslo.to_openslo([RUNS, FRESH]).text
    ratio, threshold = text.split("---")
    assert "op:" not in ratio
    assert "op: lte" in threshold
    assert "unit: minutes" in threshold


DOCUMENT = """apiVersion: openslo/v1
kind: SLO
metadata: {name: orders}
spec:
  service: orders
  budgetingMethod: Occurrences
  indicator: {metadata: {name: a}, spec: {ratioMetric: {counter: true}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  objectives: [{target: 0.99}]
"""


def test_a_foreign_document_is_read_and_other_kinds_are_passed_over():
    found = openslo.from_openslo(f"kind: Service\n---\n{DOCUMENT}")
    assert [(one.table, one.sli, str(one.objective)) for one in found] == [
        ("orders", "orders", "> 99% (30-day rolling)")
    ]


WRONG = {
    "a minute for a month": ("30d", "1m", "1m is one minute"),
    "a name with capitals": ("name: orders", "name: Orders", "metadata.name"),
    "an unknown method": ("Occurrences", "Weekly", "budgetingMethod"),
    "op on a ratio": ("target: 0.99", "target: 0.99, op: lte", "op is forbidden"),
    "100 percent": ("target: 0.99", "target: 1.0", "no budget"),
    "percent as ratio": ("target: 0.99", "target: 99", "between 0 and 1"),
    "two targets": ("target: 0.99", "target: 0.99, targetPercent: 99", "one of them"),
    "neither rolling nor calendar": ("isRolling: true", "isRolling: false", "one of them"),
    "another version": ("openslo/v1", "openslo/v2alpha", "apiVersion"),
    "a threshold without a unit": ("ratioMetric", "thresholdMetric", "has no unit"),
    "two windows": ("isRolling: true}", "isRolling: true}, {duration: 7d, isRolling: true}", "one"),
    "no SLO at all": ("kind: SLO", "kind: Service", "holds no SLO"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_openslo_refuses_is_refused(case):
    old, new, reason = WRONG[case]
    with pytest.raises(TeamError, match=reason):
        openslo.from_openslo(DOCUMENT.replace(old, new))


def test_all_mistakes_of_all_documents_come_with_the_lines_of_the_file():
    broken = DOCUMENT.replace("Occurrences", "Weekly")
    with pytest.raises(TeamError) as caught:
        openslo.from_openslo(f"{broken}---\n{broken}", file="o.yaml")
    assert [problem.line for problem in caught.value.problems] == [6, 16]


def test_percent_and_ratio_are_the_same_promise():
    percent = DOCUMENT.replace("target: 0.99", "targetPercent: 99")
    assert openslo.from_openslo(percent) == openslo.from_openslo(DOCUMENT)


AIRFLOW_3 = [
    {
        "dag_id": "daily",
        "run_id": "scheduled__2026-01-02T06:00:00+00:00",
        "state": "success",
        "run_after": "2026-01-02T06:00:00+00:00",
        "logical_date": "2026-01-02T06:00:00+00:00",
        "start_date": "2026-01-02T06:00:04.123456+00:00",
        "end_date": "2026-01-02T06:10:00+00:00",
    },
    {
        "dag_id": "daily",
        "run_id": "manual__2026-01-03T09:00:00+00:00",
        "state": "success",
        "run_after": "2026-01-03T06:00:00+00:00",
        "logical_date": "",
        "start_date": "2026-01-03T09:00:00+00:00",
        "end_date": "",
    },
]


def test_airflow_3_says_when_a_run_was_due():
    runs = import_runs.runs_from_airflow(json.dumps(AIRFLOW_3))
    assert runs["due_at"][0] == datetime(2026, 1, 2, 6, tzinfo=UTC)
    assert runs["trigger"].tolist() == ["scheduled", "rerun"]
    assert runs["finished_at"].isna().tolist() == [False, True]
    due = [datetime(2026, 1, day, 6, tzinfo=UTC) for day in (2, 3)]
    assert sli.success(runs, due).ratio == 0.5  # the manual run repaired the table only


def test_airflow_2_needs_the_interval_to_know_when_a_run_was_due():
    run = {k: v for k, v in AIRFLOW_3[0].items() if k not in ("run_after", "logical_date")}
    text = json.dumps([run | {"execution_date": "2026-01-01T06:00:00+00:00"}])
    with pytest.raises(TeamError, match="give the interval"):
        import_runs.runs_from_airflow(text)
    runs = import_runs.runs_from_airflow(text, interval=timedelta(days=1))
    assert runs["due_at"][0] == datetime(2026, 1, 2, 6, tzinfo=UTC)


DBT = {
    "metadata": {"invocation_id": "i1", "generated_at": "2026-01-02T06:12:00Z"},
    "results": [
        {
            "unique_id": "model.shop.fct_orders",
            "status": "success",
            "timing": [
                {
                    "name": "compile",
                    "started_at": "2026-01-02T06:00:00.5Z",
                    "completed_at": "2026-01-02T06:00:01Z",
                },
                {
                    "name": "execute",
                    "started_at": "2026-01-02T06:00:01Z",
                    "completed_at": "2026-01-02T06:05:00Z",
                },
            ],
        },
        {"unique_id": "model.shop.fct_daily_revenue", "status": "skipped", "timing": []},
        {"unique_id": "test.shop.not_null_fct_orders_id", "status": "pass", "timing": []},
    ],
}


def test_a_model_that_dbt_skipped_is_not_a_success_and_tests_are_not_runs():
    due = datetime(2026, 1, 2, 6, tzinfo=UTC)
    runs = import_runs.runs_from_dbt(json.dumps(DBT), due_at=due)
    assert runs["table"].tolist() == ["fct_orders", "fct_daily_revenue"]
    ratios = [sli.success(rows, [due]).ratio for _, rows in runs.groupby("table", sort=False)]
    assert ratios == [1, 0]
    assert runs["finished_at"][0] == datetime(2026, 1, 2, 6, 5, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "No data found", "{}", "[1]", "[{}]", '{"results": [1]}'])
def test_a_file_that_no_tool_wrote_is_refused_kindly(text):
    with pytest.raises(TeamError, match=r"runs\.json"):
        import_runs.runs_from_airflow(text, file="runs.json")
    with pytest.raises(TeamError, match=r"run_results\.json"):
        import_runs.runs_from_dbt(text, due_at=datetime(2026, 1, 2, tzinfo=UTC))


def test_an_empty_list_is_a_history_without_runs():
    assert len(import_runs.runs_from_airflow("[]")) == 0


# A team's histories may come as Parquet


CSV = """run_id,pipeline,table,due_at,started_at,published_at,status,rows,trigger
r1,p,a,2026-01-05T06:00:00+01:00,2026-01-05T05:00:02Z,2026-01-05T05:04:10.5Z,published,812,scheduled
r2,p,a,2026-01-06T06:00:00+01:00,,,blocked,,
"""


@pytest.fixture
def shop(tmp_path):
    """A team with one table, and a run history in CSV."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "team.yaml").write_text(
        "name: shop\ntitle: Shop\nzone: Europe/Berlin\n"
        'pipelines:\n  - {name: p, schedule: "0 6 * * *", first_due: 2026-01-05}\n'
        "tables:\n  - {name: a, pipeline: p, tier: 1, owner: Ana, day_column: day, about: A.}\n"
    )
    (folder / "runs.csv").write_text(CSV)
    return folder


def as_parquet(folder, **changed):
    """The history of `folder` as Parquet, in place of CSV; `changed` replaces columns."""
    runs = teams.load("shop", as_of="2026-01-08", root=folder.parent).runs
    table = pa.Table.from_pandas(runs, preserve_index=False)
    for name, values in changed.items():
        at = table.column_names.index(name)
        table = table.set_column(at, name, pa.array(values))
    pq.write_table(table, folder / "runs.parquet")
    (folder / "runs.csv").unlink()


def test_a_run_history_in_parquet_is_read_as_its_csv_would_be(shop):
    by_csv = teams.load("shop", as_of="2026-01-08", root=shop.parent)
    as_parquet(shop, trigger=pa.array(["scheduled", None]).dictionary_encode())
    by_parquet = teams.load("shop", as_of="2026-01-08", root=shop.parent)
    pd.testing.assert_frame_equal(by_parquet.runs, by_csv.runs)
    assert "runs.csv" not in by_parquet.missing
    assert "runs.parquet" in by_parquet.inputs


def test_two_histories_of_one_team_are_refused(shop):
    as_parquet(shop)
    (shop / "runs.csv").write_text(CSV)
    (said,) = map(str, teams.problems("shop", root=shop.parent))
    assert "runs.parquet" in said and "stands beside runs.csv" in said


WRONG_PARQUET = {
    "status": (["published", "stuck"], "must be one of"),
    "due_at": ([datetime(2026, 1, 5, 6), datetime(2026, 1, 6, 6)], "without zone"),
    "table": ([["a"], ["a"]], "cannot be read as a Parquet table"),
}


@pytest.mark.parametrize("column", WRONG_PARQUET)
def test_a_parquet_history_that_says_something_wrong_is_told(shop, column):
    values, reason = WRONG_PARQUET[column]
    as_parquet(shop, **{column: values})
    said = "\n".join(map(str, teams.problems("shop", root=shop.parent)))
    assert "runs.parquet" in said and reason in said


def test_a_file_that_is_not_parquet_is_told(shop):
    (shop / "runs.csv").rename(shop / "runs.parquet")
    (said,) = map(str, teams.problems("shop", root=shop.parent))
    assert "cannot be read as a Parquet table" in said
