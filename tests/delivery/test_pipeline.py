"""Each stage stops what it is there for, and readers see only what passed (S17 to S22)."""

import json
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops_lib.course import rehearsal
from dataops_lib.delivery import changes, pipeline, stages
from dataops_lib.delivery.stages import Skipped, Stage
from dataops_lib.errors import DataError, UsageError
from dataops_lib.finding import Finding

STAGES = ["lint", "build", "contracts", "gate", "deploy", "notify"]
PLANTED = [
    ("style", "lint"),
    ("failing test", "build"),
    ("type", "contracts"),
    ("failing gate", "gate"),
]


@pytest.fixture(scope="module")
def ours(orders):
    return rehearsal.rehearse(orders.load())


@pytest.fixture(scope="module")
def theirs(flights):
    return rehearsal.rehearse(flights.load())


def states(run) -> dict[str, str]:
    return {stage.name: stage.state for stage in run.stages}


def check_planted(copy, kind, red):
    before = copy.readers
    copy.change(kind)
    run = copy.run()
    stopped = STAGES.index(red)
    expected = ["green"] * stopped + ["red"] + ["skipped"] * (len(STAGES) - stopped - 1)
    assert states(run) == dict(zip(STAGES, expected, strict=True))
    assert all(run[name].why == f"{red} is red" for name in STAGES[stopped + 1 :])
    assert copy.readers == before


def check_published(copy, kind):
    before = copy.readers
    copy.change(kind)
    run = copy.run()
    assert states(run) == dict.fromkeys(STAGES, "green"), list(stages.log(run))
    after = copy.readers
    assert {table for table in after if after[table] != before[table]} == {copy.leaf}
    assert after[copy.leaf][1] == before[copy.leaf][1]  # the day was replaced, not added
    assert changes.commit(copy.folder).is_clean


# ---- the five faults and what is right, on real Iceberg tables


@pytest.mark.parametrize(("kind", "red"), PLANTED)
def test_a_planted_fault_makes_one_stage_red_and_leaves_readers_what_they_had(ours, kind, red):
    check_planted(ours, kind, red)


def test_a_change_without_a_fault_is_published(ours):
    check_published(ours, "harmless")


def test_a_hostile_commit_message_is_told_and_never_run(ours, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_published(ours, "hostile message")
    told = json.loads(ours.messages.read_text(encoding="utf-8").splitlines()[-1])["text"]
    assert rehearsal.HOSTILE.replace("<", "&lt;").replace(">", "&gt;") in told
    assert not list(tmp_path.iterdir())
    assert not (ours.folder / "hacked").exists()


@pytest.mark.deep
@pytest.mark.parametrize(("kind", "red"), PLANTED)
def test_the_other_team_is_guarded_the_same_way(theirs, kind, red):
    check_planted(theirs, kind, red)


@pytest.mark.deep
def test_the_other_team_publishes_too(theirs):
    check_published(theirs, "harmless")


# ---- what is selected (S18, correction E2)


def test_a_changed_model_selects_exactly_itself_and_what_is_built_from_it(ours):
    ours.change("harmless")
    path = ours.folder / "pipelines/daily_orders_pipeline/fct_orders.sql"
    path.write_text(path.read_text() + "-- edited\n")
    changed = changes.since(ours.team, "HEAD")
    assert changed.models == ("fct_orders",)
    assert set(changed.selected) == {"fct_orders", "fct_daily_revenue", "marketing_attribution"}


def test_a_change_of_a_contract_alone_selects_its_table(ours):
    """The article's path filter starts nothing for it."""
    ours.change("harmless")
    path = ours.folder / "contracts/fct_daily_revenue.yaml"
    path.write_text(path.read_text() + "# edited\n")
    assert changes.since(ours.team, "HEAD").selected == ("fct_daily_revenue",)


def test_without_a_base_everything_is_selected_and_zeros_are_no_base(ours):
    assert len(changes.since(ours.team, None).selected) == len(ours.team.lineage)
    assert changes.since(ours.team, "0" * 40).base is None


@pytest.mark.parametrize("base", ["no-such-branch", "HEAD~900", "x; touch y"])
def test_a_base_that_git_does_not_have_is_refused_with_a_way_out(ours, base):
    with pytest.raises(UsageError, match="fetch-depth: 0"):
        changes.since(ours.team, base)


# ---- contracts (S19)


def test_an_integer_that_becomes_text_in_the_contract_breaks_it_and_names_the_readers(ours):
    ours.change("harmless")
    path = ours.folder / "contracts/fct_orders.yaml"
    text = path.read_text()
    path.write_text(
        text.replace(
            "user_id, logicalType: integer, physicalType: INT, required: true, "
            "logicalTypeOptions: {minimum: 1}",
            "user_id, logicalType: string, physicalType: VARCHAR, required: true",
        )
    )
    assert path.read_text() != text
    before = ours.readers
    run = ours.run(base="HEAD", until="contracts")
    assert run.red == "contracts"
    told = "\n".join(stages.log(run))
    assert "fct_orders.user_id: the type changed from INT to VARCHAR" in told
    assert "Tell Revenue Dashboard, Marketing before the change" in told
    assert "is read by Revenue Dashboard (fct_daily_revenue, 07:00)" in told
    assert ours.readers == before


# ---- deploy (S21)


def test_a_branch_is_checked_and_not_deployed(ours):
    ours.change("harmless")
    before = ours.readers
    run = ours.run(branch="production")
    assert run and run["deploy"] == Stage(
        "deploy", "skipped", run["deploy"].why, (), run["deploy"].seconds
    )
    assert run["deploy"].why == "only production is deployed, and this is main"
    assert run["notify"].why == "nothing was published"
    assert ours.readers == before


def test_what_is_in_no_commit_is_not_deployed(ours):
    ours.change("harmless")
    (ours.folder / "tests").mkdir(exist_ok=True)
    (ours.folder / "tests/some_rows.sql").write_text(
        "SELECT *\nFROM fct_daily_revenue\nWHERE FALSE\n"
    )
    run = ours.run(base="HEAD")
    assert run["build"].state == "green"
    assert run["deploy"].why == "there are changes that are in no commit"


def test_a_tree_without_changes_is_green_and_publishes_nothing(ours):
    ours.change("harmless")
    before = ours.readers
    run = ours.run(base="HEAD")
    assert set(states(run).values()) == {"skipped"} and run
    assert ours.readers == before


# ---- stages, logs, messages


def test_a_stage_that_cannot_work_is_red_with_its_reason_and_one_without_work_is_skipped():
    def broken():
        raise DataError("the catalog is down")

    def idle():
        raise Skipped("nothing has changed")

    run = stages.walk([("a", idle), ("b", broken), ("c", idle)], clock=lambda: 0.0)
    assert [(s.state, s.why) for s in run.stages] == [
        ("skipped", "nothing has changed"),
        ("red", "b: the catalog is down"),
        ("skipped", "b is red"),
    ]
    assert not run


def test_missing_tools_are_unknown_and_never_green():
    run = stages.walk([("lint", lambda: [Finding("SQL", "unknown", "not installed", "Install")])])
    assert run["lint"].state == "unknown"


@given(st.text())
def test_any_text_survives_in_message_xml_log_and_annotation(text):
    commit = changes.Commit("abc", text, "main", True)
    message = json.loads(json.dumps(pipeline.message("orders", commit, ["t"])))["text"]
    restored = message.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert text in restored and "<" not in message
    numbers = {"file": text, "line": 1}
    run = stages.walk([("lint", lambda: [Finding(text, "fail", text, text, numbers)])])
    assert ElementTree.fromstring(stages.junit(run, text))[0].get("failures") == "1"
    assert len(list(stages.log(run))) == 2
    assert all("\n" not in line and "\r" not in line for line in stages.log(run))
    (annotation,) = stages.github_annotations(run, "teams/")
    assert annotation.startswith("::error file=teams/")
    assert "\n" not in annotation and "\r" not in annotation
    assert annotation.split("::")[1].count(",title=") == 1


def test_the_command_says_what_is_red_by_its_exit_code(ours, tmp_path):
    from typer.testing import CliRunner

    from dataops_lib.cli.main import app

    ours.change("style")
    common = ["ci", "orders", "--teams-dir", str(ours.folder.parent), "--as-of", ours.as_of]
    junit = tmp_path / "ci.xml"
    done = CliRunner().invoke(app, [*common, "--base", ours.base, "--junit", str(junit)])
    assert done.exit_code == 1
    assert "✖ lint: red." in done.output and "CP01" in done.output
    assert ElementTree.parse(junit).getroot()[0].get("name") == "lint"


def test_python_of_a_team_is_linted_too(ours):
    ours.change("harmless")
    (ours.folder / "pipelines" / "load.py").write_text('"""Load."""\n\nimport os\n')
    run = ours.run(base="HEAD", until="lint")
    assert run.red == "lint"
    assert "pipelines/load.py:3: F401" in run["lint"].why
    (ours.folder / "pipelines" / "load.py").unlink()


def test_git_never_runs_what_a_repository_configures(ours, tmp_path):
    ours.change("harmless")
    spy = tmp_path / "spy.sh"
    spy.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    spy.chmod(0o755)
    subprocess.run(["git", "-C", ours.folder, "config", "core.fsmonitor", str(spy)], check=True)
    changes.since(ours.team, "HEAD")
    assert not (tmp_path / "ran").exists()
    subprocess.run(["git", "-C", ours.folder, "config", "--unset", "core.fsmonitor"], check=True)
