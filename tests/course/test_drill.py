"""Each planted failure is healed by a script that reads only the runbook, and by no shorter one."""

import re
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from conftest import CLONE
from typer.testing import CliRunner

from dataops_lib import runbooks
from dataops_lib.cli.main import app
from dataops_lib.course import drill
from dataops_lib.course.session import Session
from dataops_lib.errors import UsageError

TEAMS = CLONE / "data" / "teams"


def in_this_process(words, root):
    """The same command, without the seconds that a process takes to start."""
    result = CliRunner(env={"DATAOPS_TEAMS_DIR": str(root)}).invoke(app, list(words))
    return result.exit_code, result.output + str(result.exception or "")


def without(text, section, number):
    """The runbook with the step `number` taken out of the section that begins so."""
    head = text.index(f"\n## {section}")
    end = text.find("\n## ", head + 4)
    step = rf"(?ms)^{number}\. .*?(?=^\d\. |\Z)"
    return text[:head] + re.sub(step, "", text[head:end], count=1) + text[end:]


# failure: (section, step) that are taken out; each alone leaves readers without their day
TAKEN_OUT = {
    "source_down": [("Alert response", 2), ("Manual re-run", 1)],
    "type_change": [("Alert response", 4)],
    "zero_rows": [("Alert response", 5)],
    "stuck_run": [('Alert response: "fct_orders FRESH', 3)],
    "late_file": [("Manual re-run", 1)],
}


def test_every_failure_that_can_be_planted_is_tried():
    assert list(TAKEN_OUT) == list(drill.load_failures()["failures"])


FAST = ("type_change", "stuck_run")  # one that people repair, one that the re-run does
EACH = [pytest.param(f, marks=[] if f in FAST else [pytest.mark.deep]) for f in TAKEN_OUT]


@pytest.mark.parametrize("failure", EACH)
def test_a_script_that_reads_only_the_runbook_heals_it_and_not_without_a_step(failure):
    planted = drill.plant("orders", failure=failure, seed=3, root=TEAMS)
    assert not planted.healed
    for section, number in TAKEN_OUT[failure]:
        shorter = without(planted.text, section, number)
        assert shorter != planted.text
        session = planted.open(shorter, dataops=in_this_process)
        assert drill.follow(session) != "resolved"
        assert not planted.healed
        assert planted.result(session)["passed"] == "no"
    session = planted.open(dataops=in_this_process)
    assert drill.follow(session) == "resolved"
    assert planted.healed
    assert planted.result(session)["passed"] == "yes"
    assert planted.team.as_of == planted.day + timedelta(days=1)


@pytest.mark.deep
@pytest.mark.parametrize("failure", TAKEN_OUT)
def test_the_runbook_of_the_other_team_heals_it_too(failure):
    planted = drill.plant("flights", failure=failure, seed=5, root=TEAMS)
    assert drill.follow(planted.open(dataops=in_this_process)) == "resolved"
    assert planted.healed


@pytest.mark.deep
def test_the_articles_runbook_leaves_a_script_stuck_at_its_first_step():
    planted = drill.plant("orders", failure="type_change", seed=3, root=TEAMS)
    text = (CLONE / "data" / "playbook" / "article_runbook.md").read_text()
    text = text.replace("daily_orders_pipeline FAILED", "fct_orders AUDIT BLOCKED")
    assert (
        drill.follow(planted.open(text, dataops=in_this_process)) == "stuck at response 1, step 2"
    )
    assert not planted.healed


def test_the_same_seed_plants_the_same_and_a_wrong_word_is_refused():
    with pytest.raises(
        UsageError, match=r"'fire' is no failure to plant; choose one of source_down"
    ):
        drill.plant("orders", failure="fire", root=TEAMS)
    with pytest.raises(UsageError, match="there is no team"):
        drill.plant("nobody", root=TEAMS)


def test_a_team_without_a_replay_is_sent_to_one_that_has_it(tmp_path):
    from dataops_lib.teams import folders

    folders.create("bare", root=tmp_path)
    with pytest.raises(UsageError, match=r"has no replay in its team\.yaml"):
        drill.plant("bare", root=tmp_path)


BOOK = """# R
## Alert response: "fct_orders AUDIT BLOCKED"
1. Check it.

   ```sql duckdb
   SELECT count(*) AS runs FROM runs WHERE "table" = 'fct_orders'
   ```

   If `runs > 0`: go to step 2. Otherwise: escalate to DBA.
2. Run it again. It changes data; undo: roll back.

   ```bash
   dataops rerun orders daily_orders_pipeline --for "$day"
   airflow dags list
   ```

   If you are unsure: escalate to the lead. If `exit_code = 0`: resolved.
## Contacts
| a | b | c |
|---|---|---|
| x | DBA on-call | PagerDuty |
"""


@pytest.fixture
def session(orders):
    ran = []

    def dataops(words, root):
        ran.append((list(words), root))
        return 0, "done"

    moments = iter(
        datetime(2026, 4, 19, 3, tzinfo=UTC) + timedelta(minutes=7 * n) for n in range(99)
    )
    made = Session("orders", BOOK, root=orders.root, dataops=dataops, now=lambda: next(moments))
    made.ran = ran
    return made


def test_what_reads_runs_and_says_where_to_go_on(session):
    answer = session.step("response 1", 1)
    assert answer.frame["runs"][0] > 5
    assert answer.sentence == "go to step 2."
    assert "<strong>go to step 2.</strong>" in answer._repr_html_()


def test_what_changes_something_waits_until_its_command_is_typed(session):
    assert (
        session.step("response 1", 2).sentence == 'This changes something: confirm="dataops rerun"'
    )
    assert session.step("response 1", 2, confirm="yes").sentence.startswith(
        "This changes something"
    )
    assert session.ran == []
    answer = session.step("response 1", 2, confirm="dataops rerun")
    assert session.ran[0][0] == [
        "rerun", "orders", "daily_orders_pipeline", "--for", str(session.day),
    ]  # fmt: skip
    assert list(answer.frame["output"]) == ["done", "not run here: airflow dags list"]
    assert answer.edge is None  # "if you are unsure" is for people
    assert [event for _, event, *_ in session.events] == ["opened", "waits", "waits", "changed"]


def test_a_query_that_fails_and_a_step_that_is_not_there_are_told(session, orders):
    broken = BOOK.replace('FROM runs WHERE "table"', 'FROM nothing WHERE "table"')
    again = Session("orders", broken, root=orders.root)
    answer = again.step("response 1", 1)
    assert "nothing" in answer.frame["error"][0]
    assert answer.edge is None
    with pytest.raises(
        UsageError, match="there is no step 7 of response 1; the way has response 1 1, response 1 2"
    ):
        session.step("response 1", 7)
    with pytest.raises(
        UsageError, match="the runbook answers fct_orders AUDIT BLOCKED, and not 'x'"
    ):
        Session("orders", BOOK, alert="x", root=orders.root)


def test_the_log_has_times_and_says_where_somebody_was_stuck(session, tmp_path):
    session.log = tmp_path / "log.csv"
    session.step("response 1", 1)
    assert session.escalate("DBA on-call") == "Call DBA on-call: PagerDuty"
    log = pd.read_csv(session.log)
    assert list(log["event"]) == ["opened", "looked", "escalated"]
    assert list(drill.milestones(session.history)["minutes"]) == [0.0, 14.0]


def test_results_are_added_to_the_teams_file(tmp_path):
    row = dict.fromkeys(drill.COLUMNS, "") | {"person": "Kim, K.", "passed": "yes", "seed": 1}
    drill.record(row, tmp_path / "drills.csv")
    drill.record(row | {"passed": "no"}, tmp_path / "drills.csv")
    assert list(pd.read_csv(tmp_path / "drills.csv")["passed"]) == ["yes", "no"]


def test_the_notebook_is_valid_the_same_each_time_and_carries_each_step():
    text = (TEAMS / "orders" / "runbooks" / "when_daily_orders_pipeline_fails.md").read_text()
    made = runbooks.notebook(text)
    assert made == runbooks.notebook(text)
    code = [cell.source for cell in made.cells if cell.cell_type == "code"]
    assert sum("session.step(" in source for source in code) == 12
    assert any('session.step("rerun", 1, confirm="")' in source for source in code)
    prose = "\n".join(cell.source for cell in made.cells if cell.cell_type == "markdown")
    assert all(heading in prose for heading in ("## Header", "## Change log", "## Escalation"))


@pytest.mark.deep
def test_a_runbooks_notebook_runs_headless_and_changes_nothing(orders, tmp_path, monkeypatch):
    import nbformat
    import papermill

    monkeypatch.setenv("DATAOPS_TEAMS_DIR", str(orders.root))
    text = (TEAMS / "orders" / "runbooks" / "when_daily_orders_pipeline_fails.md").read_text()
    nbformat.write(runbooks.notebook(text), tmp_path / "in.ipynb")
    papermill.execute_notebook(
        tmp_path / "in.ipynb", tmp_path / "out.ipynb", progress_bar=False,
        parameters={"log": str(tmp_path / "log.csv")},
    )  # fmt: skip
    events = pd.read_csv(tmp_path / "log.csv")["event"]
    assert "waits" in set(events)
    assert "changed" not in set(events)


@pytest.mark.deep
def test_a_persons_drill_is_a_notebook_whose_last_cell_adds_the_result(tmp_path):
    import nbformat
    import papermill

    planted = drill.plant(
        "orders", failure="stuck_run", seed=2, root=TEAMS, keep_in=tmp_path / "copy"
    )
    path = planted.prepare("Kim", tmp_path / "drills.csv")
    again = drill.resume(planted.root)
    assert (again.day, again.runbook, again.failure) == (planted.day, planted.runbook, "stuck_run")
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:  # what a person does: type the command where it is asked for
        if 'session.step("response 2", 3, confirm="")' in cell.source:
            cell.source = cell.source.replace('confirm=""', 'confirm="dataops rerun"')
    nbformat.write(notebook, path)
    papermill.execute_notebook(path, tmp_path / "out.ipynb", progress_bar=False)
    (row,) = pd.read_csv(tmp_path / "drills.csv").to_dict("records")
    assert (row["person"], row["failure"], row["passed"]) == ("Kim", "stuck_run", "yes")
    with pytest.raises(UsageError, match="begin again with dataops drill"):
        drill.resume(tmp_path)


def test_the_columns_of_a_result_are_documented_in_their_order():
    readme = (CLONE / "data" / "README.md").read_text(encoding="utf-8")
    section = readme.split("\n## drills.csv\n")[1].split("\n## ")[0]
    assert tuple(re.findall(r"(?m)^\| `(\w+)` \|", section)) == drill.COLUMNS
