"""`dataops lint`, `rerun`, `drill` and `postmortem`: what somebody on call runs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataops_lib.errors import DataError, UsageError

if TYPE_CHECKING:
    from dataops_lib.incidents.postmortem_lint import Weakness

TeamsDir = Annotated[
    Path | None,
    typer.Option("--teams-dir", help="Folder of team folders; default: data/teams of the clone."),
]
FORMATS = ("text", "json", "sarif", "github")
KINDS = ("auto", "runbook", "postmortem")


def register(app: typer.Typer) -> None:
    """Add the commands to `dataops`."""
    app.command()(lint)
    app.command()(rerun)
    app.command()(drill)
    app.command()(postmortem)


def rerun(
    team: Annotated[str, typer.Argument(help="A team.")],
    pipeline: Annotated[str, typer.Argument(help="One of its pipelines.")],
    day: Annotated[
        str, typer.Option("--for", metavar="DAY", help="The day on which the run was due.")
    ],
    stuck: Annotated[
        bool, typer.Option("--stuck", help="Take a run that has not ended for dead.")
    ] = False,
    teams_dir: TeamsDir = None,
) -> None:
    """Run one DAY of PIPELINE again: only what is missing, and through the audit."""
    from datetime import date

    from dataops_lib import teams
    from dataops_lib.cli import rerun as again

    try:
        due_day = date.fromisoformat(day)
    except ValueError:
        raise UsageError(f"--for is {day!r}, but must be a date such as 2013-02-19") from None
    ours = teams.load(team, root=teams_dir)
    commands = "\n".join(f"  {c}" for c in again.airflow(ours, pipeline, due_day))
    if commands:
        typer.echo(f"The same in Airflow 3:\n{commands}")
    if reason := again.refusal(ours, pipeline, due_day, stuck=stuck):
        raise DataError(f"refused: {reason}")
    if ours.replay is None:
        typer.echo(f"Nothing was run: the pipelines of {team} run in its own scheduler.")
        return
    rows = again.run(ours, pipeline, due_day, stuck=stuck)
    for row in rows:
        typer.echo(again.sentence(row, ours.zone))
    if any(row["published_at"] is None for row in rows):
        raise DataError("not every table was published; `dataops wap list` shows what is kept")


def drill(
    team: Annotated[str, typer.Argument(help="An example team; its files are not touched.")],
    person: Annotated[str, typer.Option(help="Who practises; stands in drills.csv.")] = "",
    failure: Annotated[
        str | None, typer.Option(help="What to plant; default: drawn by the seed, and not told.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed plants the same; default: drawn.")
    ] = None,
    script: Annotated[
        bool, typer.Option("--script", help="Let a script follow the runbook, and time it.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the notebook in JupyterLab.")
    ] = True,
    teams_dir: TeamsDir = None,
) -> None:
    """Plant a failure in a private copy of TEAM, and time whoever follows the runbook."""
    import os
    import secrets
    import tempfile

    from dataops_lib.course import drill as drills
    from dataops_lib.teams import folders

    home = Path(tempfile.mkdtemp(prefix="dataops-drill-"))
    drawn = secrets.randbelow(10_000) if seed is None else seed
    planted = drills.plant(team, failure=failure, seed=drawn, root=teams_dir, keep_in=home)
    results = folders.folder_of(team, teams_dir) / "drills.csv"
    if script:
        session = planted.open()
        end = drills.follow(session)
        milestones = planted.finish(session, person=person or "script", path=home / "drills.csv")
        for name, minutes in milestones.itertuples(index=False):
            typer.echo(f"{minutes:6.1f} min  {name}")
        state = "readers have their day" if planted.healed else "readers still wait for their day"
        typer.echo(f"{planted.failure} on {planted.day}: the runbook ended {end}; {state}")
        if not planted.healed:
            raise typer.Exit(1)
        return
    path = planted.prepare(person, results)
    typer.echo(f"Something is broken since {planted.day}. Seed {drawn}. Your runbook:\n{path}")
    typer.echo(f"Its last cell adds the result to {results}")
    if browser:
        command = [sys.executable, "-m", "jupyterlab", str(path)]
        os.execv(command[0], command)  # noqa: S606  our own interpreter and path


def postmortem(
    team: Annotated[str, typer.Argument(help="A team.")],
    incident: Annotated[
        str | None, typer.Argument(help="An incident's id; without one they are listed.")
    ] = None,
    chat: Annotated[
        Path | None, typer.Option(help="A Slack export, or CSV with the columns at and text.")
    ] = None,
    mark: Annotated[
        list[str] | None, typer.Option(help="A milestone: diagnosed=2013-02-19T06:20Z; repeatable.")
    ] = None,
    tickets: Annotated[
        Path | None, typer.Option(help="Write the team's action items as CSV for a tracker.")
    ] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE")] = None,
    teams_dir: TeamsDir = None,
) -> None:
    """Write the draft of a postmortem into the team's folder; an existing text is never touched."""
    from dataops_lib import evidence, files, teams
    from dataops_lib.evidence import incidents
    from dataops_lib.incidents import actions, headlines, timeline
    from dataops_lib.incidents import postmortem as writing

    ours = teams.load(team, as_of=as_of, root=teams_dir)
    listed = incidents.action_items(ours)
    if tickets is not None:
        if listed is None:
            raise DataError(f"team {team!r} has no actions.csv, so there is nothing to export")
        files.write(tickets, actions.tickets(listed, ours.as_of))
        typer.echo(tickets)
    observed = evidence.Observed(ours)
    derived = {event.id: event for event in incidents.derive(observed)}
    if incident is None:
        for event in derived.values():
            typer.echo(f"{event.id}  {event.severity or '--'}  {headlines.incident(event)}")
        if not derived:
            typer.echo(f"{team} has no incident on record")
        if listed is not None:
            typer.echo(writing.ledger(listed, ours.as_of).evidence)
        return
    if incident not in derived:
        names = ", ".join(derived) or "none"
        raise UsageError(f"team {team!r} has no incident {incident!r}; there are: {names}")
    event = derived[incident]
    rows = [*incidents.deploys(ours, event), *timeline.marked(mark or ())]
    if chat is not None:
        rows += timeline.chat(_text(str(chat))[1], ours.people, chat.name)
    kept = timeline.within(rows, event)
    if left := len(set(rows)) - len(kept):
        typer.echo(
            f"{left} rows lie more than a day before or two days after it: left out", err=True
        )
    spent = incidents.budget_used(observed, event)
    _beside_the_old(
        ours.folder / "postmortems" / f"{incident}.md",
        writing.draft(event, ours, budget_used=spent, more=kept),
    )


def _beside_the_old(path: Path, draft: str) -> None:
    """Write a draft, or beside a text that is there already, and show the difference."""
    import difflib

    from dataops_lib import files

    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        typer.echo(files.write(path, draft))
        return
    old = path.read_text(encoding="utf-8", errors="replace")
    if old == draft:
        typer.echo(f"{path}: nothing has changed")
        return
    beside = files.write(path.with_suffix(".draft.md"), draft)
    lines = difflib.unified_diff(
        old.splitlines(), draft.splitlines(), path.name, beside.name, lineterm="", n=1
    )
    typer.echo("\n".join(lines))
    typer.echo(f"{path} is left as it is; the draft stands beside it: {beside}")


def lint(
    files: Annotated[list[str], typer.Argument(help="Markdown files or folders; - is stdin.")],
    kind: Annotated[str, typer.Option(help="auto, runbook or postmortem.")] = "auto",
    output: Annotated[str, typer.Option("--format", help="text, json, sarif or github.")] = "text",
    team: Annotated[
        str | None, typer.Option(help="The team that they are of: its roster, roles and alerts.")
    ] = None,
    teams_dir: TeamsDir = None,
) -> None:
    """Say what makes runbooks and postmortems weak; exit code 1 if anything does."""
    if output not in FORMATS:
        raise UsageError(f"--format is {output!r}, but must be one of {', '.join(FORMATS)}")
    if kind not in KINDS:
        raise UsageError(f"--kind is {kind!r}, but must be one of {', '.join(KINDS)}")
    texts = dict(_text(path) for name in files for path in _paths(name))
    lints = _lints(team, teams_dir, texts)
    weak = [
        (file, weakness)
        for file, text in texts.items()
        for weakness in lints[_kind(file, text) if kind == "auto" else kind](file, text)
    ]
    typer.echo(_written(weak, len(texts), output), nl=False)
    if weak:
        raise typer.Exit(1)


def _paths(name: str) -> list[str]:
    if name != "-" and Path(name).is_dir():
        inside = sorted(str(path) for path in Path(name).rglob("*.md"))
        if not inside:
            raise UsageError(f"{name}: no Markdown file (*.md) stands in this folder")
        return inside
    return [name]


def _text(name: str) -> tuple[str, str]:
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from None
    try:
        return name, content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}:{number}: is not UTF-8 text. Fix: save it as UTF-8") from None


def _kind(name: str, text: str) -> str:
    """A postmortem says so in its folder, name or title; anything else is a runbook."""
    title = next((line for line in text.splitlines() if line.startswith("# ")), "")
    place = Path(name).parent.name.lower() in ("postmortems", "postmortem", "incidents")
    words = re.search(r"post[- _]?mortem|\bincident\b", f"{Path(name).name} {title}", re.I)
    return "postmortem" if place or words else "runbook"


def _lints(team: str | None, root: Path | None, texts: dict[str, str]) -> dict[str, Any]:
    """How each kind is judged; with a team, by its roster and alerts."""
    from dataops_lib import runbooks
    from dataops_lib.incidents import postmortem_lint

    if team is None:
        return {
            "runbook": lambda file, text: runbooks.lint(text, _beside(file)),
            "postmortem": lambda file, text: postmortem_lint.lint(text),
        }
    from dataops_lib import teams
    from dataops_lib.runbooks import coverage

    ours = teams.load(team, root=root)
    books = coverage.texts(ours.folder) | {Path(f).name: text for f, text in texts.items()}
    names = tuple(person.name for person in ours.people)
    roles = tuple({person.role: None for person in ours.people})
    about = postmortem_lint.Context(names, roles)
    return {
        "runbook": lambda file, text: runbooks.lint(
            text, coverage.context(ours, Path(file).name, books)
        ),
        "postmortem": lambda file, text: postmortem_lint.lint(text, about),
    }


def _beside(file: str) -> Any:
    """Without a team only the files beside a runbook are known."""
    from dataops_lib import runbooks

    if file == "-":
        return None
    return runbooks.Context(exists=lambda path: (Path(file).parent / path).exists())


def _written(weak: list[tuple[str, Weakness]], count: int, output: str) -> str:
    if output == "json":
        rows = [
            {"file": file, "line": w.line, "rule": w.rule, "message": w.message, "fix": w.fix}
            for file, w in weak
        ]
        return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
    if output == "sarif":
        return json.dumps(_sarif(weak), indent=1, ensure_ascii=False) + "\n"
    if output == "github":
        return "".join(_annotation(file, w) + "\n" for file, w in weak)
    lines = [f"{file}:{w.line}: {w.rule} {w.message}. Fix: {w.fix}" for file, w in weak]
    files = f"{count} file{'' if count == 1 else 's'}"
    lines.append(f"{len(weak)} weaknesses in {files}" if weak else f"{files}: no weaknesses found")
    return "\n".join(lines) + "\n"


def _annotation(file: str, weakness: Weakness) -> str:
    """A workflow command of GitHub Actions; its own marks in the text are escaped."""

    def escaped(text: str, more: str = "") -> str:
        for mark in f"%\r\n{more}":
            text = text.replace(mark, f"%{ord(mark):02X}")
        return text

    place = f"file={escaped(file, ':,')},line={weakness.line},title={weakness.rule}"
    return f"::warning {place}::{escaped(f'{weakness.message}. Fix: {weakness.fix}')}"


def _sarif(weak: list[tuple[str, Weakness]]) -> dict[str, Any]:
    from dataops_lib.incidents import postmortem_lint
    from dataops_lib.runbooks import runbook

    known = {**postmortem_lint.load_rules()["rules"], **runbook.load_rules()["rules"]}
    used = sorted({w.rule for _, w in weak})
    rules = [
        {
            "id": rule,
            "shortDescription": {"text": str(known[rule]["name"])},
            "fullDescription": {"text": str(known[rule]["why"])},
            "help": {"text": str(known[rule]["fix"])},
        }
        for rule in used
    ]
    results = [
        {
            "ruleId": w.rule,
            "ruleIndex": used.index(w.rule),
            "level": "warning",
            "message": {"text": f"{w.message}. {w.fix}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": Path(file).as_posix()},
                        "region": {"startLine": w.line},
                    }
                }
            ],
        }
        for file, w in weak
    ]
    driver = {"name": "dataops lint", "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
