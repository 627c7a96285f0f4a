"""A manual re-run for one day: refused with the reason, or built, audited and published."""

from __future__ import annotations

import json
import sqlite3
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from dataops_lib import files, windows
from dataops_lib.errors import DataError, UsageError
from dataops_lib.teams import Team, folders, history
from dataops_lib.wording import day as day_in_words

AFTER = timedelta(minutes=5)  # an example's clock goes on so long after all that it knows


def due_times(team: Team, pipeline: str, day: date) -> list[datetime]:
    """UTC times of `day`, in the pipeline's zone, at which a run was due; not the future."""
    pipelines = {entry.name: entry for entry in team.pipelines}
    if pipeline not in pipelines:
        raise UsageError(
            f"team {team.name!r} has no pipeline {pipeline!r}, but {', '.join(pipelines)}"
        )
    tables = [table.name for table in team.tables if table.pipeline == pipeline]
    if not tables:
        raise UsageError(f"pipeline {pipeline!r} loads no table of team.yaml")
    start = windows.midnight(day, pipelines[pipeline].zone or team.zone)
    end = windows.midnight(day + timedelta(days=1), pipelines[pipeline].zone or team.zone)
    return list(team.expected(tables[0], windows.Window(start, end)))


def refusal(team: Team, pipeline: str, day: date, *, stuck: bool = False) -> str | None:
    """Why `day` may not be run again; None when a run is missing and nothing works on it.

    Parameters
    ----------
    day
        The day on which the run was due, in the pipeline's zone.
    stuck
        Take a run that has begun and not ended for dead.
    """
    due = due_times(team, pipeline, day)
    if not due:
        about = next(attempt for attempt in team.pipelines if attempt.name == pipeline)
        return (
            f"{pipeline} is not due on {day_in_words(day)} (schedule {about.schedule}, first due "
            f"{about.first_due}, holidays left out): nobody expects rows of it"
        )
    if min(due) >= team.as_of_at:
        return f"{pipeline} is not due yet: {min(due):%Y-%m-%d %H:%M}Z lies ahead of {team.as_of}"
    runs = team.runs
    if runs is None:
        return (
            "there is no runs.csv, so nobody knows whether the day was published: export it first"
        )
    ours = runs[(runs["pipeline"] == pipeline) & runs["due_at"].isin(due)]
    going = ours[ours["status"] == "running"]
    if len(going) and not stuck:
        attempt = going.iloc[0]
        return (
            f"run {attempt['run_id']} of {attempt['table']} began at "
            f"{attempt['started_at']:%Y-%m-%d %H:%M}Z and has not ended; "
            "if it is dead, say so with --stuck"
        )
    if not missing(team, pipeline, day):
        published_at = ours["published_at"].max()
        return (
            f"{day_in_words(day)} was published at {published_at:%Y-%m-%d %H:%M}Z; a second "
            "publish would double rows. To replace them, roll back first: dataops wap rollback"
        )
    return None


def missing(team: Team, pipeline: str, day: date) -> list[tuple[str, datetime]]:
    """Tables and due times of `day` that no run has published."""
    runs = team.runs
    assert runs is not None
    published = runs[runs["published_at"].notna()]
    done = set(zip(published["table"], published["due_at"], strict=True))
    return [
        (table.name, due)
        for table in team.tables
        if table.pipeline == pipeline
        for due in due_times(team, pipeline, day)
        if (table.name, pd.Timestamp(due)) not in done
    ]


def airflow(team: Team, pipeline: str, day: date) -> list[str]:
    """What does the same in Airflow 3: clear the run that exists, else trigger its logical date.

    `--conf '{"execution_date": ...}'`, as the article has it, only sets a parameter of the run: it
    never chose a date, and `execution_date` is gone in Airflow 3.
    """
    runs = team.runs
    commands = []
    for due in due_times(team, pipeline, day):
        at = due.isoformat()
        started = runs is not None and bool(
            ((runs["due_at"] == due) & (runs["pipeline"] == pipeline)).any()
        )
        commands.append(
            f"airflow tasks clear {pipeline} --start-date {at} --end-date {at} --yes"
            if started
            else f"airflow dags trigger {pipeline} --logical-date {at}"
        )
    return commands


def run(team: Team, pipeline: str, day: date, *, stuck: bool = False) -> list[dict[str, Any]]:
    """Run an example team's `day` again on its own clock; what each table did.

    The source is landed as it is now, models run, and each table that is missing goes through
    Write-Audit-Publish under a run id of its own. Run again it is refused: nothing is missing.

    Raises
    ------
    DataError
        If the day may not be run again, with the reason.
    UsageError
        If the team is no example: its pipelines run in its own scheduler.
    """
    if reason := refusal(team, pipeline, day, stuck=stuck):
        raise DataError(reason)
    build = folders.current_build(team.folder)
    if team.replay is None or build is None:
        raise UsageError(f"the pipelines of {team.name!r} run in its own scheduler, not here")
    lock = sqlite3.connect(build.parent / "lock.db", timeout=600, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")  # the lock of its builds: never two at once
        return _run(team, pipeline, due_times(team, pipeline, day), build)
    finally:
        lock.close()


def _run(team: Team, pipeline: str, due: list[datetime], build: Path) -> list[dict[str, Any]]:
    import duckdb

    from dataops_lib import warehouse
    from dataops_lib.examples import replay, simulation
    from dataops_lib.sql import quoted
    from dataops_lib.teams import reader

    given = reader.Files(team.folder)
    runs = _rows(history.loads((build / "runs.csv").read_text(), history.RUNS, "runs.csv"))
    alerts = _rows(history.loads((build / "alerts.csv").read_text(), history.ALERTS, "alerts.csv"))
    now = max([*due, *(m for row in runs for m in (row["started_at"], row["finished_at"]) if m)])
    for row in runs:  # refused above unless somebody said that they are dead
        if row["status"] == "running" and row["due_at"] in due:
            row |= {"status": "failed", "finished_at": now}
    before = len(runs)
    with duckdb.connect(config={"threads": 1}) as connection:
        stage = simulation.Stage(
            file=team,
            folder=team.folder,
            build=build,
            data=replay.DATA,
            faults=reader.read_faults(given),
            contracts=team.contracts or {},
            catalog=warehouse.open(folders.local_catalog(build)),
            connection=connection,
            clock=simulation.Clock(now + AFTER),
            runs=runs,
            alerts=alerts,
            landings=json.loads((build / "landings.json").read_text()),
            blocked=json.loads((build / "blocked.json").read_text()),
        )
        connection.execute("SET VARIABLE data = ?", [replay.DATA.as_posix()])
        for name in (*stage.sources, *stage.models):
            if "." in name:
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name.split('.')[0])}")
        for table in stage.marts:
            iceberg = stage.catalog.load_table(f"{simulation.NAMESPACE}.{table}")
            warehouse.view(connection, table, iceberg)
        for at in due:
            stage.run(simulation.Attempt(now + AFTER, at, pipeline, "rerun"))
    frames = {"runs.csv": (stage.runs, history.RUNS), "alerts.csv": (stage.alerts, history.ALERTS)}
    for name, (rows, columns) in frames.items():
        files.write(build / name, history.dumps(history.frame(rows, columns), columns))
    files.write(build / "blocked.json", json.dumps(stage.blocked, default=str, indent=1))
    files.write(build / "landings.json", json.dumps(stage.landings, default=str, indent=1))
    return stage.runs[before:]


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as the replay keeps them: datetimes, and None for what is missing."""
    plain = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [
        {
            str(name): value.to_pydatetime() if isinstance(value, pd.Timestamp) else value
            for name, value in row.items()
        }
        for row in plain
    ]


def sentence(row: dict[str, Any], zone: str) -> str:
    """What one table did, in local time."""
    if row["published_at"]:
        at = row["published_at"].astimezone(ZoneInfo(zone))
        return f"{row['table']}: {row['rows']:,} rows published at {at:%H:%M} as {row['run_id']}"
    return f"{row['table']}: {row['status']} ({row['run_id']})"
