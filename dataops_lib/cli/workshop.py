"""`dataops workshop`: the form for a room, its sheet of paper, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dataops_lib.errors import UsageError

if TYPE_CHECKING:
    from dataops_lib.course.workshop_server import Server


def workshop(
    team: Annotated[str, typer.Argument(help="A team.")],
    host: Annotated[
        str, typer.Option(help="0.0.0.0 lets phones in; default: this machine only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 8765,
    session: Annotated[
        Path | None, typer.Option(help="Folder of the session; default: workshops/TEAM/TODAY.")
    ] = None,
    paper: Annotated[bool, typer.Option("--paper", help="Write the sheet to print.")] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Take sheets of paper typed into a CSV file.")
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Write assessment.yaml and the page to send round.")
    ] = False,
    owner: Annotated[str, typer.Option(help="Who takes the one step.")] = "",
    due: Annotated[str | None, typer.Option(metavar="DATE", help="Until when.")] = None,
    demo: Annotated[
        int, typer.Option(min=0, max=60, help="Rehearse with so many scripted people.")
    ] = 0,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE")] = None,
    teams_dir: Annotated[Path | None, typer.Option("--teams-dir", help="Team folders.")] = None,
) -> None:
    """Serve the maturity form to a room, or take its sheets of paper; then merge the answers."""
    from dataops_lib import files, teams
    from dataops_lib.course import workshop as forms
    from dataops_lib.course import workshop_pages, workshop_result
    from dataops_lib.evidence import Observed, practices
    from dataops_lib.examples import replay

    today = datetime.now(UTC).date()
    until = _day(due)
    replay.ensure([team], root=teams_dir)
    ours = teams.load(team, as_of=as_of, root=teams_dir)
    name = f"{today}-rehearsal-{datetime.now(UTC):%H%M%S}" if demo else str(today)
    folder = session or files.HOME / "workshops" / ours.name / name
    if demo and (folder / "people").exists():
        raise UsageError(f"{folder} holds a workshop; a rehearsal needs a new folder")
    room = forms.Workshop(folder)
    if paper:
        title = f"{ours.title}: where do we stand?"
        typer.echo(files.write(folder / "sheet.html", workshop_pages.paper(room.model, title)))
        typer.echo(files.write(folder / "sheets.csv", workshop_pages.empty_csv(room.model)))
        typer.echo("Print the first; type one row a person into the second; then: --csv, --merge")
        return
    if csv:
        typer.echo(f"{forms.take_csv(room, csv)} people's sheets taken into {folder}")
        if not merge:
            return
    measured = practices.proofs(Observed(ours))
    if merge:
        typer.echo(forms.merge(room, ours.folder, today))
        assessed = teams.load(team, as_of=as_of, root=teams_dir).assessment
        assert assessed is not None
        page = workshop_result.result(
            ours.title, assessed, day=today, measured=measured, owner=owner, due=until
        )
        typer.echo(files.write(folder / "summary.html", page.html()))
        typer.echo(files.write(folder / "summary.md", page.markdown()))
        return
    from dataops_lib.course.workshop_server import Server

    _serve(lambda: Server(room, ours.title, day=today, measured=measured, host=host, port=port),
           demo, folder)  # fmt: skip


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise UsageError(f"--due is {text!r}, but must be a date such as 2026-12-18") from None


def _serve(listen: Callable[[], Server], demo: int, folder: Path) -> None:
    """Serve until Ctrl-C; scripted people come first in a rehearsal."""
    import asyncio

    import segno

    from dataops_lib.course.workshop_server import rehearse

    async def serve() -> None:
        server = listen()
        segno.make(server.link, micro=False).terminal(compact=True)
        typer.echo(f"For the room:        {server.link}\nFor the facilitator: {server.facilitator}")
        if demo:
            await rehearse(server, demo)
            done, people = server.workshop.done()
            typer.echo(f"{done} of {people} scripted people answered everything")
        typer.echo(f"Answers are kept in {folder}; Ctrl-C ends, and starting again goes on.")
        await asyncio.Event().wait()

    asyncio.run(serve())
