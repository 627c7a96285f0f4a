"""`dataops rerun` publishes what is missing once, through the audit, or says why it does not."""

from datetime import date, timedelta

import pytest
from conftest import CLONE
from typer.testing import CliRunner

from dataops_lib.cli import rerun
from dataops_lib.cli.main import app
from dataops_lib.course import drill
from dataops_lib.errors import DataError, UsageError

PIPELINE = "daily_orders_pipeline"


def run(*words):
    result = CliRunner().invoke(app, ["rerun", *words])
    return result, str(result.exception or "")


@pytest.fixture(scope="module")
def blocked():
    """A private copy whose last day was blocked by its audit."""
    return drill.plant("orders", failure="zero_rows", seed=3, root=CLONE / "data" / "teams")


def test_a_day_is_published_once_and_the_second_time_refused(blocked):
    words = ("orders", PIPELINE, "--for", str(blocked.day), "--teams-dir", str(blocked.root))
    result, why = run(*words)
    assert "not every table was published" in why  # the source still delivers nothing
    assert "fct_orders: blocked" in result.stdout
    assert not blocked.healed
    blocked.called("source team")
    result, why = run(*words)
    assert (result.exit_code, why) == (0, "")
    assert "rows published at" in result.stdout
    assert blocked.healed
    before = blocked.team.runs
    last = before[(before["table"] == "fct_orders") & before["published_at"].notna()].iloc[-1]
    assert last["trigger"] == "rerun"
    assert last["rows"] > 100
    assert not rerun.missing(blocked.team, PIPELINE, blocked.day)
    result, why = run(*words)
    assert "refused" in why
    assert "was published at" in why
    assert blocked.team.runs.equals(before)


@pytest.mark.parametrize(
    ("pipeline", "day", "message"),
    [
        (PIPELINE, "2012-12-24", "is not due on 24 December 2012"),
        (PIPELINE, "2013-02-05", "was published at 2013-02-05"),
        ("nightly", "2013-02-05", "has no pipeline 'nightly', but daily_orders_pipeline"),
        (PIPELINE, "yesterday", "--for is 'yesterday', but must be a date"),
        (PIPELINE, "2013-03-09", "is not due yet"),
    ],
)
def test_a_day_that_may_not_be_run_again_is_refused_with_the_reason(orders, pipeline, day, message):
    result, why = run("orders", pipeline, "--for", day, "--teams-dir", str(orders.root))
    assert message in why
    assert isinstance(result.exception, DataError | UsageError)


def test_a_run_that_goes_on_is_refused_unless_somebody_says_that_it_is_dead(orders):
    team = orders.load()
    runs = team.runs.copy()
    runs.loc[runs.index[-1], ["status", "finished_at", "published_at"]] = ["running", None, None]
    going = team.model_copy(update={"runs": runs})
    day = runs.iloc[-1]["due_at"].tz_convert(team.zone).date()
    assert "has not ended" in rerun.refusal(going, PIPELINE, day)
    assert rerun.refusal(going, PIPELINE, day, stuck=True) is None


def test_without_a_history_nothing_is_run(orders):
    team = orders.load().model_copy(update={"runs": None})
    assert "there is no runs.csv" in rerun.refusal(team, PIPELINE, team.as_of - timedelta(days=1))


def test_airflow_is_told_the_logical_date_or_to_clear_the_run_that_exists(orders):
    team = orders.load()
    at = "2013-02-05T06:00:00+00:00"
    (command,) = rerun.airflow(team, PIPELINE, date(2013, 2, 5))
    assert command == f"airflow tasks clear {PIPELINE} --start-date {at} --end-date {at} --yes"
    unrun = team.model_copy(update={"runs": team.runs.iloc[:0]})
    (command,) = rerun.airflow(unrun, PIPELINE, date(2013, 2, 5))
    assert command == f"airflow dags trigger {PIPELINE} --logical-date {at}"
    assert "--conf" not in command


def test_a_team_of_your_own_is_shown_the_command_and_nothing_is_run(orders):
    team = orders.load().model_copy(update={"replay": None, "runs": orders.load().runs.iloc[:0]})
    with pytest.raises(UsageError, match="run in its own scheduler"):
        rerun.run(team, PIPELINE, date(2013, 2, 5))
