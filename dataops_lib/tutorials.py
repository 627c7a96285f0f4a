"""Edge: executes our notebooks and saves them with their outputs, so that readers see results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataops_lib import coursework, files, report
from dataops_lib.errors import DataError, UsageError


def paths(names: Sequence[str] | None = None) -> list[Path]:
    """The notebooks with these names (without .ipynb), or all of them in reading order.

    Raises
    ------
    UsageError
        If there is no such notebook.
    """
    exercises = [path.with_suffix(".ipynb") for path in report.NOTEBOOKS.glob("*.md")]
    stored = {
        *report.NOTEBOOKS.glob("*.ipynb"),
        *exercises,
        *map(coursework.solved_path, exercises),
    }
    found = {path.stem: path for path in sorted(stored)}
    unknown = [name for name in names or () if name not in found]
    if unknown:
        known = ", ".join(found)
        raise UsageError(f"there is no notebook {', '.join(unknown)}; there are: {known}")
    return [found[name] for name in names or found]


def save(names: Sequence[str] | None = None) -> list[Path]:
    """Execute notebooks in a fresh kernel and write them back, with outputs and without noise.

    Raises
    ------
    DataError
        If a cell raises; the file on disk is left as it was.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from tqdm import tqdm

    saved = []
    for path in tqdm(paths(names), desc="notebooks", disable=None):
        sourced = coursework.source_of(path).is_file()
        notebook = coursework.build(path) if sourced else nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook,
            timeout=report.CELL_SECONDS,
            kernel_name=report.KERNEL,
            extra_arguments=report.QUIET,
            resources={"metadata": {"path": str(report.NOTEBOOKS)}},
        )
        try:
            client.execute()
        except CellExecutionError as error:
            raise DataError(f"{path.name}: {error.ename}: {error.evalue}") from error
        path.parent.mkdir(exist_ok=True)
        files.write(path, nbformat.writes(_cleaned(notebook)) + "\n")
        saved.append(path)
    return saved


def _cleaned(notebook: Any) -> Any:
    """Leave out what differs on every machine or run: times, kernel details, random cell ids."""
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": report.KERNEL,
        },
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        cell.metadata.pop("execution", None)
        cell.metadata.pop("papermill", None)
    return notebook
