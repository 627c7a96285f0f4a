"""`dataops wap`: look at, finish, discard and roll back what was published, or was not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataops_lib.errors import DataError, UsageError

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

app = typer.Typer(no_args_is_help=True, help="Look after tables that are published to.")
Team = Annotated[str, typer.Option("--team", help="The team whose tables are meant.")]
OneTable = Annotated[str | None, typer.Option("--table", help="One table; default: all.")]
Run = Annotated[str, typer.Argument(help="A run_id, as `dataops wap list` shows it.")]
Table = Annotated[str, typer.Argument(help="A table of the team.")]
TeamsDir = Annotated[Path | None, typer.Option("--teams-dir", help="Folder of team folders.")]
SPAN = re.compile(r"(\d+)([dh])")


@app.command("list")
def list_(team: Team, table: OneTable = None, teams_dir: TeamsDir = None) -> None:
    """List the runs that the tables know, in the order in which they were staged."""
    from dataops_lib.wap import upkeep

    for name, catalog in _tables(team, table, teams_dir):
        for run in upkeep.list_runs(name, catalog=catalog):
            when = run.published_at or run.staged_at
            shown = f"{when:%Y-%m-%d %H:%M}Z" if when else "at an unknown time"
            typer.echo(f"{name}  {run.state:<9}  {shown}  {run.rows:>9,} rows  {run.run_id}")


@app.command()
def show(run: Run, team: Team, table: OneTable = None, teams_dir: TeamsDir = None) -> None:
    """Show a run: its state and what its audit found."""
    from dataops_lib.wap import upkeep

    for name, catalog in _with_run(run, team, table, teams_dir):
        told = upkeep.show(name, catalog=catalog, run_id=run)
        typer.echo(f"{name}: {told.run.state}, {told.run.rows:,} rows, {told.run.ref}")
        for finding in told.findings or ():
            typer.echo(f"  {finding.status:<7} {finding.subject}: {finding.evidence}")
        if told.findings is None:
            typer.echo("  no audit is recorded")
        if told.override:
            typer.echo(f"  published all the same: {told.override.get('reason', '')}")


@app.command()
def publish(
    run: Run,
    team: Team,
    table: OneTable = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why a blocked run is published all the same.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who says so.")] = None,
    teams_dir: TeamsDir = None,
) -> None:
    """Publish a run that passed its audit and was not published; a blocked one needs a reason."""
    from dataops_lib import wap

    name, catalog = _only(_with_run(run, team, table, teams_dir))
    done = wap.publish(name, catalog=catalog, run_id=run, reason=reason, by=by)
    if not done:
        raise DataError(f"{name}: run {run} was not published; `dataops wap show {run}` says why")
    typer.echo(f"{name}: published {done.rows:,} rows as {done.tag}")


@app.command()
def discard(run: Run, team: Team, table: OneTable = None, teams_dir: TeamsDir = None) -> None:
    """Remove what an unpublished run staged; readers see no difference."""
    from dataops_lib.wap import upkeep

    name, catalog = _only(_with_run(run, team, table, teams_dir))
    upkeep.discard(name, catalog=catalog, run_id=run)
    typer.echo(f"{name}: discarded {run}; `dataops wap clean` lists the files it left")


@app.command()
def rollback(
    table: Table,
    team: Team,
    to: Annotated[str, typer.Option("--to", help="A publish tag: readers see it from now on.")],
    teams_dir: TeamsDir = None,
) -> None:
    """Take readers of TABLE back to an earlier publish."""
    from dataops_lib.wap import upkeep

    name, catalog = _only(_tables(team, table, teams_dir))
    done = upkeep.rollback(name, catalog=catalog, to=to)
    typer.echo(f"{name}: back at {to}; withdrawn: {', '.join(done.withdrawn) or 'nothing'}")


@app.command()
def clean(
    table: Table,
    team: Team,
    delete: Annotated[bool, typer.Option("--delete", help="Delete them; default: list.")] = False,
    older_than: Annotated[str, typer.Option("--older-than", help="Such as 7d or 12h.")] = "7d",
    teams_dir: TeamsDir = None,
) -> None:
    """List files of TABLE that no snapshot reaches, and delete them when asked to."""
    from dataops_lib.wap import upkeep

    match = SPAN.fullmatch(older_than)
    if match is None:
        raise UsageError(f"--older-than is {older_than!r}, but must look like 7d or 12h")
    age = timedelta(**{{"d": "days", "h": "hours"}[match[2]]: int(match[1])})
    name, catalog = _only(_tables(team, table, teams_dir))
    found = upkeep.clean(name, catalog=catalog, delete=delete, older_than=age)
    for leftover in found:
        typer.echo(f"{leftover.bytes:>12,} bytes  {leftover.path}")
    verb = "deleted" if delete else "would be deleted with --delete"
    typer.echo(f"{name}: {len(found)} files {verb}")


def _tables(team: str, table: str | None, root: Path | None) -> Iterator[tuple[str, Catalog]]:
    """Identifiers of the team's tables, or of the one named, with their catalog."""
    from dataops_lib import teams, warehouse

    loaded = teams.load(team, root=root)
    if loaded.catalog is None:
        raise UsageError(f"team {team!r} names no catalog in team.yaml")
    known = [facts.name for facts in loaded.tables]
    if table is not None and table not in known:
        raise UsageError(f"team {team!r} has no table {table!r}; it has {', '.join(known)}")
    catalog = warehouse.open(loaded)
    for name in known if table is None else [table]:
        yield f"{loaded.catalog.namespace}.{name}", catalog


def _with_run(run: str, team: str, table: str | None, root: Path | None) -> list[tuple[str, Any]]:
    """Tables that know the run."""
    from dataops_lib.wap import upkeep

    found = [
        (name, catalog)
        for name, catalog in _tables(team, table, root)
        if any(one.run_id == run for one in upkeep.list_runs(name, catalog=catalog))
    ]
    if not found:
        raise UsageError(f"no table of team {team!r} knows run {run!r}; see `dataops wap list`")
    return found


def _only(found: Any) -> tuple[str, Any]:
    """The one table that is meant."""
    one, *more = found
    if more:
        names = ", ".join(name.rpartition(".")[2] for name, _ in (one, *more))
        raise UsageError(f"several tables know this run: name one with --table ({names})")
    name, catalog = one
    return name, catalog
