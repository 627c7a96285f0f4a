"""`dataops wap`: look at, finish, discard and roll back what was published, or was not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
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
        shown = upkeep.show(name, catalog=catalog, run_id=run)
        typer.echo(f"{name}: {shown.run.state}, {shown.run.rows:,} rows, {shown.run.ref}")
        for finding in shown.findings or ():
            typer.echo(f"  {finding.status:<7} {finding.subject}: {finding.evidence}")
        if shown.findings is None:
            typer.echo("  no audit is recorded")
        if shown.override:
            typer.echo(f"  published all the same: {shown.override.get('reason', '')}")


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


AlertFile = Annotated[
    Path | None, typer.Option("--alert-file", help="A blocked run is appended here as JSON.")
]
AlertUrl = Annotated[
    str | None, typer.Option("--alert-url", help="A blocked run is posted here (a webhook).")
]


@app.command()
def resume(
    run: Run,
    team: Team,
    table: OneTable = None,
    alert_file: AlertFile = None,
    alert_url: AlertUrl = None,
    teams_dir: TeamsDir = None,
) -> None:
    """Finish what a crash left of a run: audit it by the table's contract, and publish it.

    Exit code 1 when the audit blocks it; then the alert goes out.
    """
    from dataops_lib import contracts, teams, wap
    from dataops_lib.wap import alerts

    name, catalog = _only(_with_run(run, team, table, teams_dir))
    agreed = (teams.load(team, root=teams_dir).contracts or {}).get(name.rpartition(".")[2])
    if agreed is None:
        raise UsageError(f"{name} has no contract to audit it by; see `dataops wap publish`")
    sinks = [alerts.to_file(alert_file)] if alert_file else []
    sinks += [alerts.to_webhook(alert_url)] if alert_url else []
    outcome = wap.resume(
        name,
        catalog=catalog,
        run_id=run,
        quality_checks=contracts.checks(agreed),
        on_alert=alerts.to_all(*sinks) if sinks else None,
    )
    for failure in outcome.failures:
        typer.echo(f"{name}: {failure}", err=True)
    if not outcome:
        why = "; ".join(f"{bad.subject}: {bad.evidence}" for bad in outcome.blocked_by)
        raise DataError(f"{name}: run {run} is blocked, readers keep what they had. {why}")
    typer.echo(f"{name}: published {outcome.rows:,} rows as {outcome.tag}")


@app.command()
def tidy(
    team: Team,
    table: OneTable = None,
    keep: Annotated[int, typer.Option("--keep", help="How many of the newest publishes.")] = 200,
    monthly: Annotated[
        bool, typer.Option("--monthly/--no-monthly", help="Keep the last publish of each month.")
    ] = True,
    cite: Annotated[
        list[str] | None, typer.Option("--cite", help="A run or tag to keep; repeat it.")
    ] = None,
    reports: Annotated[
        Path, typer.Option("--reports", help="What reports below this folder show is kept.")
    ] = Path("reports"),
    delete: Annotated[bool, typer.Option("--delete", help="Retire them; default: list.")] = False,
    teams_dir: TeamsDir = None,
) -> None:
    """Retire old publishes: their rows can be gone back to no more, their times stay known.

    What readers saw at the day of a report of this team, and around an open incident, is kept.
    """
    from dataops_lib.wap import retention
    from dataops_lib.warehouse import metadata

    moments = _cited_moments(team, reports, teams_dir)
    for name, catalog in _tables(team, table, teams_dir):
        tags = metadata.publish_tags(catalog.load_table(name))
        cited = frozenset(cite or ()) | retention.readers_at(tags, moments)
        policy = retention.Retention(keep, monthly, cited)
        retired = retention.retire(catalog, name, policy, delete=delete)
        for tag in retired:
            typer.echo(f"  {tag}")
        verb = "retired" if delete else "would be retired with --delete"
        typer.echo(f"{name}: {len(retired)} of {len(tags)} publishes {verb}")


def _cited_moments(team: str, reports: Path, root: Path | None) -> list[datetime]:
    """Days of the team's reports, and when its open incidents began or were last without fault."""
    from dataops_lib import teams
    from dataops_lib.evidence import Observed, incidents
    from dataops_lib.windows import midnight

    loaded = teams.load(team, root=root)
    days = [entry.name for entry in (reports / team).glob("????-??-??") if entry.is_dir()]
    cited = [midnight(date.fromisoformat(day), loaded.zone) for day in days if _is_day(day)]
    ongoing = [event for event in incidents.derive(Observed(loaded)) if event.resolved_at is None]
    starts = [moment for e in ongoing for moment in (e.started_at, e.last_good_at) if moment]
    return [*cited, *(moment + timedelta(seconds=1) for moment in starts)]


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


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
    leftovers = upkeep.clean(name, catalog=catalog, delete=delete, older_than=age)
    for leftover in leftovers:
        typer.echo(f"{leftover.bytes:>12,} bytes  {leftover.path}")
    verb = "deleted" if delete else "would be deleted with --delete"
    typer.echo(f"{name}: {len(leftovers)} files {verb}")


def _tables(team: str, table: str | None, root: Path | None) -> Iterator[tuple[str, Catalog]]:
    """Identifiers of the team's tables, or of the one named, with their catalog."""
    from dataops_lib import teams, warehouse

    loaded = teams.load(team, root=root)
    if loaded.catalog is None:
        raise UsageError(f"team {team!r} names no catalog in team.yaml")
    names = [facts.name for facts in loaded.tables]
    if table is not None and table not in names:
        raise UsageError(f"team {team!r} has no table {table!r}; it has {', '.join(names)}")
    catalog = warehouse.open(loaded.catalog)
    for name in names if table is None else [table]:
        yield f"{loaded.catalog.namespace}.{name}", catalog


def _with_run(run: str, team: str, table: str | None, root: Path | None) -> list[tuple[str, Any]]:
    """Tables that know the run."""
    from dataops_lib.wap import upkeep

    tables = [
        (name, catalog)
        for name, catalog in _tables(team, table, root)
        if any(state.run_id == run for state in upkeep.list_runs(name, catalog=catalog))
    ]
    if not tables:
        raise UsageError(f"no table of team {team!r} knows run {run!r}; see `dataops wap list`")
    return tables


def _only(tables: Any) -> tuple[str, Any]:
    """The one table that is meant."""
    first, *more = tables
    if more:
        names = ", ".join(name.rpartition(".")[2] for name, _ in (first, *more))
        raise UsageError(f"several tables know this run: name one with --table ({names})")
    name, catalog = first
    return name, catalog
