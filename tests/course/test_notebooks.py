"""What somebody sees first."""

import nbformat
import pytest

from dataops_lib.course import notebooks
from dataops_lib.finding import Finding
from dataops_lib.teams import folders


def notebook(folder, name, first):
    cells = [nbformat.v4.new_markdown_cell(first)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")


def test_the_contents_are_what_each_notebook_says_of_itself(tmp_path):
    notebook(tmp_path, "02_second", "# And then?\n\nNo time is named.")
    notebook(tmp_path, "01_first", "# What first?\n\nAbout 20 minutes. Nothing else.")
    found = notebooks.contents(tmp_path)
    assert found.index.tolist() == ["01_first", "02_second"]
    assert found["what it answers"].tolist() == ["What first?", "And then?"]
    assert found["minutes"].tolist() == ["20", ""]


@pytest.mark.parametrize(
    ("lock", "status", "evidence"),
    [
        ("pyarrow=={}\n", "ok", "the version that was tested"),
        ("pyarrow==0.0.1\n", "warn", "{}, tested with 0.0.1"),
    ],
)
def test_a_package_is_held_against_the_lock(tmp_path, lock, status, evidence):
    import pyarrow

    path = tmp_path / "requirements.lock"
    path.write_text(lock.format(pyarrow.__version__))
    found = next(one for one in notebooks.environment(path) if one.subject == "pyarrow")
    assert (found.status, found.evidence) == (status, evidence.format(pyarrow.__version__))


def test_a_warehouse_that_is_not_built_is_named_with_the_command(monkeypatch):
    monkeypatch.setattr(folders, "current_build", lambda _: None)
    missing = [
        one for one in notebooks.environment() if one.subject.startswith("example warehouse")
    ]
    assert [one.subject for one in missing if one.next_step == "Run dataops demo"] == [
        "example warehouse flights",
        "example warehouse orders",
    ]


def test_runs_are_counted_by_table_and_status(orders):
    team = orders.load()
    counted = notebooks.runs_by_status(team)
    assert sum(sum(by.values()) for by in counted.values()) == len(team.runs)
    assert counted["fct_orders"]["blocked"] == 2  # a duplicated file and a type change


def test_service_levels_are_counted_by_table():
    found = [Finding(f"t {name}", status, "", "") for name, status in
             (("freshness", "ok"), ("success", "fail"), ("completeness", "ok"))]  # fmt: skip
    assert notebooks.levels_by_table(found) == {"t": {"ok": 2, "fail": 1}}
