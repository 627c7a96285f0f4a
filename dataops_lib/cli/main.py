"""The `dataops` command. Heavy imports stand inside the commands, so that help is quick."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from dataops_lib.cli import ci, fleet, operations, wap
from dataops_lib.cli import workshop as workshops
from dataops_lib.errors import DataOpsError, UsageError

EXAMPLES = Path(__file__).resolve().parents[2] / "data" / "teams"

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Diagnose a data team: reports, checks of its files, example warehouses.",
)


app.add_typer(wap.app, name="wap")
app.add_typer(ci.app)
operations.register(app)
app.command()(workshops.workshop)


TeamsDir = Annotated[
    Path | None,
    typer.Option("--teams-dir", help="Folder of team folders; default: data/teams of the clone."),
]


@app.command()
def report(
    team: Annotated[list[str] | None, typer.Argument(help="One or more teams.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="A date, last-month or today.", metavar="DATE")
    ] = None,
    teams_dir: TeamsDir = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write; default: reports of the clone.")
    ] = None,
    page_one: Annotated[
        bool, typer.Option("--page-one", help="Only page one, without the course notebooks.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="All teams, and OUT/index.html over them.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Reports at once, with --all.")] = 2,
) -> None:
    """Execute the report of each TEAM and write it to OUT/TEAM/DATE/."""
    if every or not team:
        if team or not every:
            raise UsageError("name one or more teams, or say --all")
        fleet.run(as_of=as_of, teams_dir=teams_dir, out=out, page_one=page_one, jobs=jobs)
        return
    from dataops_lib.examples import replay
    from dataops_lib.report import runner
    from dataops_lib.teams import folders
    from dataops_lib.teams import team as teams_team
    from dataops_lib.wording import listed

    for name in team:  # wrong names and dates are refused before anything is built
        teams_team.as_of_day(teams_team.team_file(folders.folder_of(name, teams_dir)), as_of)
    sections = () if page_one else runner.SECTIONS
    failed = 0
    for name in team:
        try:
            replay.ensure([name], root=teams_dir)
            if sections:
                replay.ensure(root=EXAMPLES)  # each of them opens with the article's team
            path = runner.run(
                name, as_of=as_of, root=teams_dir, out=out, sections=sections, progress=True
            )
        except UsageError:
            raise
        except DataOpsError as error:
            failed += 1
            typer.echo(f"{name}: {error}", err=True)
            if page := getattr(error, "page", None):
                typer.echo(f"{name}: see {page}", err=True)
            continue
        typer.echo(f"{path}\n{runner.headline(path)}")
        if broken := runner.failed_sections(path):
            failed += 1
            typer.echo(f"{name}: failed: {listed(broken)}; their pages say why", err=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def check(team: Annotated[str, typer.Argument(help="A team.")], teams_dir: TeamsDir = None) -> None:
    """Print all problems of a team's files."""
    from dataops_lib import teams

    found = teams.problems(team, root=teams_dir)
    for problem in found:
        typer.echo(str(problem))
    if found:
        raise typer.Exit(1)
    typer.echo(f"{team}: no problems found")


@app.command("new-team")
def new_team(
    name: Annotated[str, typer.Argument(help="Lower-case name of the new folder.")],
    title: Annotated[str | None, typer.Option(help="What people call the team.")] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone, such as Europe/Berlin.")] = None,
    teams_dir: TeamsDir = None,
) -> None:
    """Copy the template folder to NAME and fill in what is told here."""
    from dataops_lib.teams import folders

    folder = folders.create(name, title=title, zone=zone, root=teams_dir)
    typer.echo(f"{folder}\nEdit team.yaml there, then run: dataops check {name}")


@app.command()
def allow(
    team: Annotated[str, typer.Argument(help="A team.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    teams_dir: TeamsDir = None,
) -> None:
    """Let the catalog of TEAM use the variables that its team.yaml names as ${NAME}.

    Asked once; when anything in the catalog's properties changes it is asked again.
    """
    from dataops_lib.teams import folders, team_file, variables

    folder = folders.folder_of(team, teams_dir)
    catalog = team_file(folder).catalog
    pairs = variables.to_be_allowed(catalog, folder) if catalog else ()
    if catalog is None or not pairs:
        typer.echo(f"{team}: no variable waits to be allowed")
        return
    for key, name in pairs:
        typer.echo(f"{name} is filled into catalog.properties.{key}")
    typer.echo(f"and sent to: {catalog.properties.get('uri', 'where the catalog type says')}")
    if not yes:
        typer.confirm("Do you trust this address with them?", abort=True)
    typer.echo(f"noted in {variables.allow(catalog, folder)}")


@app.command()
def demo(teams_dir: TeamsDir = None) -> None:
    """Build the warehouses of the example teams, if they are not up to date."""
    from dataops_lib.examples import replay

    for path in replay.ensure(root=teams_dir):
        typer.echo(f"{path.parent.name}: {path}")


@app.command()
def sql(
    team: Annotated[str, typer.Argument(help="A team.")],
    query: Annotated[str, typer.Argument(help="A SELECT, such as a tile's own query.")],
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE")] = None,
    teams_dir: TeamsDir = None,
) -> None:
    """Run QUERY, one SELECT, on what the report of TEAM is made from, and on nothing else.

    There are `runs`, `expected`, `versions`, `days` and the published tables; a table that is
    called like one of the four is `published.NAME`.
    """
    from dataops_lib import teams, warehouse
    from dataops_lib.errors import DataError
    from dataops_lib.evidence import Observed, recompute

    observed = Observed(teams.load(team, as_of=as_of, root=teams_dir))
    with recompute.connect(observed) as connection:
        try:
            rows = warehouse.ask(connection, query, seconds=600)
        except DataError as error:
            raise DataError(
                f"the query {error}" if str(error)[0].islower() else str(error)
            ) from None
    typer.echo(rows.to_string(index=False, max_rows=200) if len(rows) else "no rows")


@app.command()
def notebooks(
    name: Annotated[list[str] | None, typer.Argument(help="Some notebooks; default: all.")] = None,
) -> None:
    """Execute notebooks and save them with their outputs."""
    from dataops_lib.course import notebooks as course_notebooks
    from dataops_lib.examples import replay

    replay.ensure()
    for path in course_notebooks.save(name or None):
        typer.echo(path)


@app.command()
def onboard(
    name: Annotated[str, typer.Argument(help="Who begins: a name in lower-case letters.")],
    team: Annotated[str, typer.Option(help="The team they join.")] = "flights",
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE")] = None,
    teams_dir: TeamsDir = None,
    browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open it in JupyterLab.")
    ] = True,
) -> None:
    """Prepare week one for NAME and open it; called again, it goes on where NAME was."""
    from dataops_lib.course import exercise_source
    from dataops_lib.examples import replay

    replay.ensure([team], root=teams_dir)
    path = exercise_source.prepare(name, team=team, as_of=as_of, root=teams_dir)
    typer.echo(path)
    if not browser:
        typer.echo("Open it in JupyterLab or VS Code, with the Python of this environment.")
        return
    command = [sys.executable, "-m", "jupyterlab", str(path)]
    os.execv(command[0], command)  # noqa: S606  our own interpreter; the path is of our making


def main() -> None:
    """Run the command; errors become one message and an exit code, never a traceback."""
    sys.exit(exit_code(app))


def exit_code(command: Callable[..., Any]) -> int:
    """Run a command and turn what it raises into a message and an exit code."""
    try:
        code = command(standalone_mode=False)
    except UsageError as error:
        typer.echo(f"dataops: {error}", err=True)
        return 2
    except DataOpsError as error:
        typer.echo(f"dataops: {error}", err=True)
        return 1
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("dataops: interrupted; nothing half-made was left", err=True)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        typer.echo(f"dataops: {error}", err=True)
        return 1
    except Exception as error:
        return _unforeseen(error)
    return code if isinstance(code, int) else 0


def _unforeseen(error: Exception) -> int:
    """Wrong options and arguments are usage errors; anything else is ours, and says so."""
    if hasattr(error, "format_message"):
        typer.echo(f"dataops: {error.format_message()}. See dataops --help.", err=True)
        return 2
    import traceback

    from dataops_lib.teams import variables

    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}:{where.lineno}"
    message = f"a fault of dataops itself, {type(error).__name__} in {place}. Please report it"
    if os.environ.get("DATAOPS_DEBUG"):
        typer.echo(variables.redacted("".join(traceback.format_exception(error))), err=True)
    typer.echo(f"dataops: {message}; with DATAOPS_DEBUG=1 the traceback is printed", err=True)
    return 1
