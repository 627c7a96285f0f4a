"""data/README.md documents exactly what is read: each field, column, choice and example."""

import re
from typing import get_args

import pytest
from conftest import CLONE

from dataops_lib import fields as fields_
from dataops_lib import teams, yaml_lines
from dataops_lib.onboarding import first_month
from dataops_lib.service_levels import slo
from dataops_lib.teams import history, models, on_call_file, reader
from dataops_lib.teams.models import Fault, FaultFile

README = (CLONE / "data" / "README.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"(?ms)^#{2,3} (.+?)\n(.*?)(?=^#{2,3} |\Z)", README))
FIELDS = {
    "team.yaml": models.TeamFile,
    "people": models.Person,
    "pipelines": models.Pipeline,
    "tables": models.Table,
    "consumers": models.Consumer,
    "catalog": models.Catalog,
    "picture": models.Picture,
    "events": models.Event,
    "example": models.Example,
    "replay": models.ReplaySpan,
    "slos.yaml": slo._Table,
    "assessment.yaml": models.Assessment,
    "learners": models.Learner,
    "test": models.AddedTest,
    "sources/*.sql and faults.yaml": Fault,
    "on_call.yaml": on_call_file.OnCallFile,
    "rotation": on_call_file.RotationPolicy,
    "responders": on_call_file.Responder,
    "overrides": on_call_file.Override,
    "pay": on_call_file.PayPolicy,
}
COLUMNS = {"runs.csv": history.RUNS, "alerts.csv": history.ALERTS, "rota.csv": history.ROTA}


def table(section):
    """Field -> the other cells of its row."""
    found = {}
    for line in SECTIONS[section].splitlines():
        if line.startswith("| `"):
            name, *cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            found[name.strip("` ")] = cells
    return found


def example(section, language):
    return re.search(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)[1]


@pytest.mark.parametrize("section", FIELDS)
def test_the_fields_of_a_file_are_all_documented_and_no_others(section):
    documented, fields = table(section), FIELDS[section].model_fields
    assert set(documented) == set(fields)
    for name, (needed, form, meaning) in documented.items():
        assert needed == ("yes" if fields[name].is_required() else "no"), name
        assert form, name
        assert meaning, name


@pytest.mark.parametrize("section", COLUMNS)
def test_the_columns_of_a_history_are_documented_in_their_order(section):
    documented, columns = table(section), COLUMNS[section]
    assert list(documented) == [column.name for column in columns]
    for column in columns:
        needed, form, meaning = documented[column.name]
        assert (
            needed
            == {(True, True): "yes, in each row", (False, False): "no"}[
                column.required, column.filled
            ]
        ), column.name
        assert form == (f"one of: {', '.join(column.allowed)}" if column.allowed else column.kind)
        assert f"default: {column.default}" in meaning or column.default is None


def test_choices_and_defaults_are_those_of_the_code():
    faults = table("sources/*.sql and faults.yaml")
    assert faults["kind"][1] == f"one of: {', '.join(get_args(models.FaultKind))}"
    assert faults["to"][1].removeprefix("one of: ").split(", ") == ["VARCHAR", "DOUBLE", "BIGINT"]
    for section in ("catalog", "consumers", "rotation", "responders", "pay"):
        for name, (_, _, meaning) in table(section).items():
            default = FIELDS[section].model_fields[name].default
            if isinstance(default, str):
                assert f"default: {default}" in meaning.replace("`", ""), name
    assert f"{yaml_lines.MAX_CHARACTERS:,} characters" in README
    assert f"between {fields_.EARLIEST.year} and {fields_.LATEST.year}" in README


def test_each_part_of_a_team_folder_has_its_section():
    named = " ".join(SECTIONS)
    optional = reader.WHEN_NEEDED
    for name in [
        *reader.NEEDED_FOR,
        *optional,
        "team.yaml",
        "faults.yaml",
        "sources/*.sql",
    ]:
        assert name in named, name
    assert set(FIELDS) | set(COLUMNS) <= set(SECTIONS)


def test_the_examples_together_are_a_team_without_a_problem(tmp_path, monkeypatch):
    folder = tmp_path / "shop"
    (folder / "contracts").mkdir(parents=True)
    for name in ("team.yaml", "slos.yaml", "assessment.yaml", "onboarding.yaml", "on_call.yaml"):
        (folder / name).write_text(example(name, "yaml"), encoding="utf-8")
    (folder / "contracts" / "fct_orders.yaml").write_text(example("contracts/*.yaml", "yaml"))
    for name in COLUMNS:
        (folder / name).write_text(example(name, "csv"), encoding="utf-8")
    assert teams.problems("shop", root=tmp_path) == []
    monkeypatch.setenv("DATAOPS_CATALOG_TOKEN", "from the environment")
    team = teams.load("shop", as_of="2026-01-08", root=tmp_path)
    assert dict(team.missing) == {}
    assert [one.name for one in team.onboarding.learners] == ["Ben"]
    assert [one.name for one in team.on_call.people] == ["Ana", "Ben"]
    assert list(team.rota["role"]) == ["primary", "shadow"]
    assert list(team.runs["status"]) == ["published", "blocked", "published"]
    assert len(team.expected("fct_orders", team.window())) == 3
    assert team.runs["due_at"].isin(team.expected("fct_orders", team.window())).all()


def test_the_onboarding_file_and_its_numbers_are_described_as_they_are():
    assert set(models.OnboardingFile.model_fields) <= set(table("onboarding.yaml"))
    titles = [
        line.strip("| ").split(" | ")[:2] for line in SECTIONS["onboarding.yaml"].splitlines()
    ]
    for task in first_month.TASKS:
        assert [task.title, f"week {task.week}"] in titles
    low, high = first_month.MEDIUM.models
    assert f"{low} to {high} models, {first_month.MEDIUM.sources} external source" in README
    assert f"the last {first_month.MEDIUM.runs} expected runs" in README
    assert f"{first_month.REVIEWS} commits of others" in README


def test_the_example_of_faults_is_one():
    text = example("sources/*.sql and faults.yaml", "yaml")
    found = yaml_lines.validate(FaultFile, yaml_lines.loads(text, "faults.yaml"))
    assert [fault.kind for fault in found.faults] == ["late_file", "type_change", "missed_run"]


def test_the_files_of_the_example_teams_are_all_described():
    described = " ".join(SECTIONS)
    for name in ("flights", "orders"):
        for path in (CLONE / "data" / "teams" / name).iterdir():
            assert path.name in described, path.name
