"""Exercise and solved notebook from one source, and a learner's folder to work in.

The source is Markdown. A fenced `python` block is a code cell, `python parameters` the tagged one;
text between them is a cell, and a line of three dashes splits it. What stands between
`### BEGIN SOLUTION` and `### END SOLUTION` is left out of the exercise, where the name that is
assigned last becomes `...`.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat

from dataops_lib import files, teams
from dataops_lib.course.week_one import exercise
from dataops_lib.errors import DataError
from dataops_lib.report import notebook as report_notebook
from dataops_lib.teams import folders

SOLUTION = re.compile(r"^### BEGIN SOLUTION\n(.*?)^### END SOLUTION\n", re.MULTILINE | re.DOTALL)
CELL = re.compile(r"^```python( parameters)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SOLVED = "_solved"
NAME = "week_one"


def source_of(path: Path) -> Path:
    """The Markdown that a notebook is made from; it exists only for exercises."""
    stem = path.stem.removesuffix(SOLVED)
    folder = path.parent.parent if path.stem.endswith(SOLVED) else path.parent
    return folder / f"{stem}.md"


def solved_path(path: Path) -> Path:
    """Where the solved form of an exercise is kept."""
    return path.parent / "solutions" / f"{path.stem}{SOLVED}.ipynb"


def build(path: Path) -> Any:
    """The notebook at `path`, exercise or solved, made from its source, without outputs."""
    text = source_of(path).read_text(encoding="utf-8")
    return notebook(text, solved=path.stem.endswith(SOLVED))


def notebook(text: str, *, solved: bool) -> Any:
    """The notebook of a source: as an exercise, or with its solutions.

    Raises
    ------
    DataError
        If a solution assigns nothing, so that there is nothing to leave open.
    """
    document = nbformat.v4.new_notebook(cells=list(_cells(text, solved)))
    for number, cell in enumerate(document.cells):
        cell["id"] = f"cell-{number:02d}"
    return document


def _cells(text: str, solved: bool) -> Iterator[Any]:
    end = 0
    for match in CELL.finditer(text):
        yield from _prose(text[end : match.start()])
        tags = {"tags": ["parameters"]} if match[1] else {}
        code = SOLUTION.sub(r"\1" if solved else _left_open, match[2])
        yield nbformat.v4.new_code_cell(code.strip(), metadata=tags)
        end = match.end()
    yield from _prose(text[end:])


def _prose(text: str) -> Iterator[Any]:
    for part in re.split(r"^---$", text, flags=re.MULTILINE):
        if part.strip():
            yield nbformat.v4.new_markdown_cell(part.strip())


def _left_open(solution: re.Match[str]) -> str:
    assigned = [
        target.id
        for node in ast.parse(solution[1]).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    if not assigned:
        raise DataError(f"a solution assigns no name: {solution[1].strip()[:60]!r}")
    return f"{assigned[-1]} = ...  # your answer\n"


def prepare(
    learner: str, *, team: str, as_of: str | None = None, root: Path | str | None = None
) -> Path:
    """The learner's notebook in learners/<learner>; one that is there already is left alone.

    Raises
    ------
    UsageError
        If the name cannot be a folder, or there is no such team.
    DataError
        If the folder cannot be written.
    """
    folder = exercise.FOLDER / folders.checked_name(learner, "learner's")
    loaded, base = teams.load(team, as_of=as_of, root=root), folders.root_folder(root)
    path = folder / f"{NAME}-{team}.ipynb"
    if path.exists():
        return path
    exercise_notebook = build(report_notebook.NOTEBOOKS / f"{NAME}.ipynb")
    parameters = {
        "learner": learner,
        "team": team,
        "as_of": loaded.as_of.isoformat(),
        "folder": str(folder),
        "teams_dir": "" if base == files.HOME / "data" / "teams" else str(base),
    }
    for cell in exercise_notebook.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = _filled(cell.source, parameters)
        cell.source = cell.source.replace("](0", "](../../notebooks/0")
    exercise_notebook.metadata["kernelspec"] = {
        "name": report_notebook.KERNEL,
        "display_name": "Python 3 (ipykernel)",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write(path, nbformat.writes(exercise_notebook) + "\n")
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def _filled(source: str, parameters: Mapping[str, str]) -> str:
    """The parameters cell with other values; JSON texts are Python texts."""

    def line(match: re.Match[str]) -> str:
        return f"{match[1]}: str = {json.dumps(parameters[match[1]])}{match[2]}"

    names = "|".join(parameters)
    return re.sub(rf'^({names}): str = "[^"]*"(.*)$', line, source, flags=re.MULTILINE)
