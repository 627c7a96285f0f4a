"""The exercise and its solution come from one source, and a learner's copy is theirs alone."""

import json

import lab
import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from typer.testing import CliRunner

from dataops_lib import files
from dataops_lib.cli import main
from dataops_lib.course import exercise_source, notebooks
from dataops_lib.course.week_one import exercise as week_one_exercise
from dataops_lib.errors import DataError, UsageError
from dataops_lib.examples import replay
from dataops_lib.report import notebook as report_notebook

EXERCISE = report_notebook.NOTEBOOKS / "week_one.ipynb"
SOLVED = exercise_source.solved_path(EXERCISE)
EXAMPLES = files.HOME / "data" / "teams"
SOURCE = """\
# A question

Some words.

---

More words.

```python parameters
learner: str = "ana"  # you
```

```python
### BEGIN SOLUTION
half = 21
answer = 2 * half
### END SOLUTION
check(answer)
```

The end.
"""


@pytest.fixture
def learners(tmp_path, monkeypatch):
    """Where learners' folders are, for this test."""
    replay.ensure(["flights"], root=EXAMPLES)
    monkeypatch.setattr(week_one_exercise, "FOLDER", tmp_path / "learners")
    return tmp_path / "learners"


def sources(notebook):
    return [(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells]


@pytest.mark.parametrize("path", [EXERCISE, SOLVED], ids=lambda path: path.stem)
def test_the_committed_notebook_is_the_one_that_its_source_gives(path):
    stored, made = nbformat.read(path, as_version=4), exercise_source.build(path)
    assert sources(stored) == sources(made)


def test_an_exercise_leaves_open_what_a_solution_assigns():
    cells = [cell.source for cell in exercise_source.notebook(SOURCE, solved=False).cells]
    assert cells == [
        "# A question\n\nSome words.",
        "More words.",
        'learner: str = "ana"  # you',
        "answer = ...  # your answer\ncheck(answer)",
        "The end.",
    ]


def test_a_solved_notebook_holds_the_solution_and_no_marker():
    cells = [cell.source for cell in exercise_source.notebook(SOURCE, solved=True).cells]
    assert cells[3] == "half = 21\nanswer = 2 * half\ncheck(answer)"


def test_a_solution_that_assigns_nothing_is_refused():
    text = "```python\n### BEGIN SOLUTION\nprint(1)\n### END SOLUTION\n```\n"
    with pytest.raises(DataError, match="assigns no name"):
        exercise_source.notebook(text, solved=False)


def test_no_line_of_a_solution_stands_in_the_exercise():
    source = exercise_source.source_of(EXERCISE).read_text(encoding="utf-8")
    exercise = "\n".join(cell.source for cell in exercise_source.build(EXERCISE).cells)
    solutions = exercise_source.SOLUTION.findall(source)
    lines = {line.strip() for solution in solutions for line in solution.splitlines()}
    assert len(solutions) == 19
    assert [line for line in lines if len(line) > 12 and line in exercise] == []
    assert "SOLUTION" not in exercise


def said(path):
    """What the check of each question printed in a stored notebook."""
    found = {}
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            last = cell.source.splitlines()[-1]
            if ".check(" in last:
                found[last.split(".")[1]] = output["data"]["text/plain"]
    return found


def test_the_unsolved_notebook_runs_to_its_end_and_every_check_is_kind():
    outcomes = said(EXERCISE)
    assert len(outcomes) == 19
    assert set(outcomes.values()) == {
        "○ Not attempted. Replace `...` by your answer, then run the cell."
    }


def test_the_solved_notebook_ends_at_100_percent():
    outcomes = said(SOLVED)
    assert len(outcomes) == 19
    assert [text for text in outcomes.values() if not text.startswith("✓ Correct. ")] == []
    last = [
        cell for cell in nbformat.read(SOLVED, as_version=4).cells if "progress()" in cell.source
    ]
    assert "19 of 19 answered correctly (100%)" in last[-1].outputs[0]["data"]["text/plain"]


def run(notebook, folder):
    client = NotebookClient(
        notebook, timeout=120,
        kernel_name=report_notebook.KERNEL, extra_arguments=report_notebook.QUIET,
        resources={"metadata": {"path": str(folder)}},
    )  # fmt: skip
    return client.execute()


@pytest.mark.parametrize(
    ("learner", "team"),
    [
        ("ben", "orders"),
        *(pytest.param(n, "flights", marks=pytest.mark.deep) for n in ("chen", "x-9")),
    ],
)
def test_the_solutions_are_right_for_other_learners_and_teams(tmp_path, learner, team):
    replay.ensure(root=EXAMPLES)
    notebook = exercise_source.build(SOLVED)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source += f'\nlearner, team = "{learner}", "{team}"'
    run(notebook, tmp_path)
    last = next(cell for cell in notebook.cells if "progress()" in cell.source)
    assert "(100%)" in last.outputs[0]["data"]["text/plain"]


def test_an_error_in_a_learners_cell_is_one_sentence_and_still_an_error(tmp_path):
    replay.ensure(["flights"], root=EXAMPLES)
    code = [
        'from dataops_lib.course import week_one\nex = week_one.start("ana", folder="")',
        "x = 1\nanswer = undefined_name",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in code])
    with pytest.raises(CellExecutionError):
        run(notebook, tmp_path)
    (output,) = notebook.cells[1].outputs
    assert output.ename == "NameError"
    assert output.traceback == [
        "This cell stopped in line 2. NameError: name 'undefined_name' is not defined",
        "(%tb shows the whole trace)",
    ]


def test_a_learners_notebook_knows_their_name_team_day_and_folder(learners):
    path = exercise_source.prepare("eva", team="flights", root=EXAMPLES)
    cells = nbformat.read(path, as_version=4).cells
    values = {}
    exec(next(c.source for c in cells if c.metadata.get("tags")), values)
    told = {name: values[name] for name in ("learner", "team", "as_of", "folder", "teams_dir")}
    assert told == {
        "learner": "eva", "team": "flights", "as_of": "2013-03-01", "folder": str(learners / "eva"),
        "teams_dir": "",
    }  # fmt: skip
    assert path.parent == learners / "eva"


def test_a_notebook_that_was_worked_in_is_left_alone(learners):
    path = exercise_source.prepare("eva", team="flights", root=EXAMPLES)
    path.write_text("my answers")
    assert exercise_source.prepare("eva", team="flights", root=EXAMPLES) == path
    assert path.read_text() == "my answers"


def test_links_of_a_learners_copy_lead_to_the_notebooks(learners):
    path = exercise_source.prepare("eva", team="flights", root=EXAMPLES)
    text = path.read_text()
    assert "](00_start_here.ipynb)" not in text
    assert "](../../notebooks/00_start_here.ipynb)" in text


@pytest.mark.parametrize("name", ["../eva", "/tmp/eva", "Eva", "e v a"])
def test_a_learners_name_that_is_no_folder_is_refused(learners, name):
    with pytest.raises(UsageError):
        exercise_source.prepare(name, team="flights", root=EXAMPLES)


def test_the_command_prepares_and_says_where(learners):
    given = ["onboard", "eva", "--no-open", "--teams-dir", str(EXAMPLES)]
    result = CliRunner().invoke(main.app, given)
    assert result.exit_code == 0
    assert str(learners / "eva" / "week_one-flights.ipynb") in result.output
    assert "VS Code" in result.output


def test_a_parameter_of_any_text_stays_a_text():
    cell = 'folder: str = ""  # kept here'
    filled = exercise_source._filled(cell, {"folder": 'a"b\\c{x}'})
    values = {}
    exec(filled, values)
    assert values["folder"] == 'a"b\\c{x}'
    assert json.dumps(values["folder"]) in filled


def test_exercise_and_solved_notebook_are_executed_with_the_others():
    assert {"week_one", "week_one_solved"} <= {path.stem for path in notebooks.paths()}


@pytest.mark.browser
def test_a_learner_works_in_jupyterlab_and_their_progress_is_kept(learners):
    playwright = pytest.importorskip("playwright.sync_api")
    path = exercise_source.prepare("eva", team="flights", root=EXAMPLES)
    notebook = nbformat.read(path, as_version=4)
    answered = 'ex.tables.owner[ex.q9.given["table"]]'
    for cell in notebook.cells:
        if "ex.q9.check(" in cell.source:
            cell.source = cell.source.replace("...  # your answer", answered)
    nbformat.write(notebook, path)
    with lab.served(path.parent, path.name) as address, playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=lab.CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        lab.opened(page, address)
        bold = page.locator(".jp-OutputArea-output strong")
        playwright.expect(bold.filter(has_text="✓ Correct")).to_have_count(1, timeout=60_000)
        playwright.expect(bold.filter(has_text="○ Not attempted")).to_have_count(18)
        playwright.expect(bold.filter(has_text="1 of 19 answered correctly")).to_have_count(2)
        browser.close()
    (kept,) = path.parent.glob("progress-*.json")
    assert json.loads(kept.read_text())["q9"]["state"] == "correct"
