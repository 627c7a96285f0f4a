"""`dataops ci`: the stages of a change; `dataops workflow`: a workflow file run on paper."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from dataops_lib.errors import UsageError

app = typer.Typer()


@app.command()
def ci(
    team: Annotated[str, typer.Argument(help="A team.")],
    base: Annotated[
        str | None,
        typer.Option(help="Commit or branch to compare with; default: check everything."),
    ] = None,
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day to build; default: the last one."),
    ] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE")] = None,
    branch: Annotated[str, typer.Option(help="The branch that is deployed.")] = "main",
    until: Annotated[
        str | None, typer.Option(help="The last stage: lint, build, contracts, gate or deploy.")
    ] = None,
    agreed: Annotated[
        list[str] | None, typer.Option(help="A consumer that agreed to a breaking change.")
    ] = None,
    notify: Annotated[Path | None, typer.Option(help="Append a JSON message here.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here.")] = None,
    teams_dir: Annotated[
        Path | None,
        typer.Option("--teams-dir", help="Folder of team folders; default: data/teams."),
    ] = None,
) -> None:
    """Lint, build, test and judge what TEAM has changed; publish it from the main branch."""
    from dataops_lib import files, teams
    from dataops_lib.delivery import changes, pipeline, stages
    from dataops_lib.examples import replay

    if until is not None and until not in pipeline.STAGES:
        raise UsageError(f"there is no stage {until!r}; stages are {', '.join(pipeline.STAGES)}")
    replay.ensure([team], root=teams_dir)
    loaded = teams.load(team, as_of=as_of, root=teams_dir)
    if loaded.replay:
        typer.echo(f"{team} is an example team: a copy of its tables is published to.")
    run = pipeline.run(
        loaded,
        base=base,
        day=day.date() if day else None,
        branch=branch,
        agreed=agreed or (),
        notices=notify,
        until=until,
    )
    for line in stages.log(run):
        typer.echo(line)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        prefix = changes.git(loaded.folder, "rev-parse", "--show-prefix") or ""
        for line in stages.github_annotations(run, prefix):
            typer.echo(line)
    if junit is not None:
        files.write(junit, stages.junit(run, f"dataops ci {team}"))
    if not run:
        raise typer.Exit(1)


@app.command()
def workflow(
    file: Annotated[Path, typer.Argument(help="A GitHub workflow file.")],
    changed: Annotated[
        list[str] | None, typer.Option("--path", help="A file that the event changes.")
    ] = None,
    branch: Annotated[str, typer.Option(help="The branch that is pushed to, or merged into.")] = (
        "main"
    ),
) -> None:
    """Say which jobs of FILE run for which event, and what is wrong with it."""
    from dataops_lib.delivery import headlines
    from dataops_lib.delivery.workflows import faults, simulation
    from dataops_lib.delivery.workflows import workflow as workflows_workflow

    checked = workflows_workflow.loads(file.read_text(encoding="utf-8"), file.name)
    paths = tuple(changed or ())
    events = [
        simulation.pull_request(*paths, base=branch),
        simulation.push(branch, *paths),
        simulation.tag("v1.0.0"),
        simulation.schedule(branch=branch),
    ]
    typer.echo(headlines.outcomes(checked, events).to_string())
    problems = faults.lint(checked)
    for problem in problems:
        typer.echo(str(problem))
    if (others := faults.zizmor(file)) is None:
        typer.echo("zizmor is not installed; the extra `ci` brings it")
    for problem in others or ():
        typer.echo(f"zizmor: {problem}")
    if problems:
        raise typer.Exit(1)
