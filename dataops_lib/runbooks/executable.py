"""A runbook as a notebook: its prose, and a cell for each step that can be run."""

from __future__ import annotations

from typing import Any

from dataops_lib.runbooks import commands
from dataops_lib.runbooks.runbook import Section, Step, read

_SETUP = "session = Session(team, text, alert=alert, day=day, as_of=as_of, log=log)"
_PARAMETERS = """\
team: str = {team!r}  # a folder under data/teams
as_of: str | None = None  # the day of the report; None: everything that is known
alert: str | None = None  # the alert's name; None: the last one on record
day: str | None = None  # the day on which the run was due; None: that of the alert
log: str | None = {log!r}  # a CSV file for what happens, with times"""


def notebook(
    text: str, *, team: str = "orders", log: str | None = None, setup: str | None = None
) -> Any:
    """A notebook whose read-only steps run; a changing step waits for a typed confirmation.

    Parameters
    ----------
    text
        The runbook.
    team
        The default of the notebook's parameter.
    log
        Where what happens is written, with times.
    setup
        Code that makes `session` in place of the parameters, for a drill.

    Returns
    -------
    nbformat.NotebookNode
        Valid nbformat 4; the text of the runbook stands in it as a literal.
    """
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    runbook = read(text)
    cells = [
        new_markdown_cell(f"# {runbook.title or 'Runbook'}\n\nRun the cells from the top. {_HOW}"),
    ]
    if setup is None:
        given = _PARAMETERS.format(team=team, log=log)
        cells += [
            new_code_cell("from dataops_lib.course.session import Session"),
            new_code_cell(given, metadata={"tags": ["parameters"]}),
            new_code_cell(f"text = {text!r}", metadata={"jupyter": {"source_hidden": True}}),
        ]
    cells.append(new_code_cell(f"{setup or _SETUP}\nsession.alert"))
    for section in runbook.sections:
        place = "rerun" if section == runbook.rerun else ""
        if section in runbook.responses:
            place = f"response {1 + runbook.responses.index(section)}"
        cells.append(new_markdown_cell(_prose(section, text)))
        if place:
            cells += [new_code_cell(_call(place, step)) for step in section.steps]
    cells.append(new_code_cell("session.history"))
    made = new_notebook(cells=cells)
    for number, cell in enumerate(made.cells):
        cell["id"] = f"runbook-{number}"  # the same text gives the same notebook
    made.metadata["kernelspec"] = {
        "name": "python3", "display_name": "Python 3", "language": "python",
    }  # fmt: skip
    nbformat.validate(made)
    return made


_HOW = (
    "What reads runs at once. What changes something waits until you type the command that it "
    "names. Each answer says where to go on; `session.escalate(who)` logs a call."
)


def _call(place: str, step: Step) -> str:
    changes = [c for fence in step.fences for _, c in commands.understand(fence).changes]
    confirm = ', confirm=""' if changes else ""
    return f'session.step("{place}", {step.number}{confirm})  # {step.title[:60]}'


def _prose(section: Section, text: str) -> str:
    """The section as it stands in the Markdown."""
    lines = text.splitlines()
    start = max(section.line - 1, 0)
    end, fenced = start + 1, False
    while end < len(lines) and (fenced or not lines[end].startswith("## ")):
        fenced = fenced != lines[end].lstrip().startswith(("```", "~~~"))
        end += 1
    return "\n".join(lines[start:end])
