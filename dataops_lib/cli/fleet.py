"""`dataops report --all`: the reports of all teams, and the page over them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import typer

from dataops_lib.errors import DataOpsError


def run(
    *, as_of: str | None, teams_dir: Path | None, out: Path | None, page_one: bool, jobs: int
) -> None:
    """Make the report of each team of the folder; exit with 1 when one could not be made."""
    from dataops_lib import files, teams
    from dataops_lib.examples import replay
    from dataops_lib.report import fleet, runner

    names = teams.names(teams_dir)
    if not names:
        typer.echo("there is no team here: dataops new-team NAME makes one", err=True)
        raise typer.Exit(2)
    outcome = fleet.Outcome()
    for name in names:
        try:
            replay.ensure([name], root=teams_dir)
        except DataOpsError as error:
            outcome.failures[name] = fleet.to_fix(error)
    if not page_one:
        replay.ensure(root=files.HOME / "data" / "teams")  # chapters open with the article's team
    base, today = (out or files.HOME / "reports").expanduser().resolve(), datetime.now(UTC).date()
    base.mkdir(parents=True, exist_ok=True)
    made = fleet.run(
        [name for name in names if name not in outcome.failures],
        as_of=as_of, out=base, root=teams_dir, jobs=jobs, notify=typer.echo,
        sections=() if page_one else runner.SECTIONS,
    )  # fmt: skip
    outcome.failures |= made.failures
    outcome.pages |= made.pages
    listed = fleet.entries(names, outcome, out=base, today=today, root=teams_dir)
    typer.echo(fleet.index(listed, base, today))
    for name, problems in outcome.failures.items():
        typer.echo(f"{name}: no report\n" + "\n".join(f"  {line}" for line in problems), err=True)
    if outcome.failures:
        raise typer.Exit(1)
