"""Sentences and tables of notebooks 00 and 04."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd

from dataops_lib import warehouse
from dataops_lib.course.sandbox import Sandbox
from dataops_lib.finding import Finding
from dataops_lib.sql import quoted
from dataops_lib.teams.models import Picture
from dataops_lib.wap import Publication, upkeep
from dataops_lib.wap.headlines import Publications
from dataops_lib.wording import day, titled

_ID = re.compile(r"\d{15,20}")


def story(scratch: Sandbox, publication: Publication) -> pd.DataFrame:
    """What happened in a run, and what readers saw at each moment."""
    versions = scratch.clocks[publication.run_id].seen
    rows = []
    for at, event, detail in publication.events:
        _, label, count = [version for version in versions if version[0] <= at][-1]
        what = _ID.sub(lambda match: scratch.labels.get(int(match[0]), "a snapshot"), detail)
        rows.append((f"{at:%H:%M}", event, what, label, f"{count:,}"))
    names = ["time (UTC)", "event", "what happened", "readers are at", "rows readers see"]
    return titled(pd.DataFrame(rows, columns=names))


def by_day(scratch: Sandbox, publications: Publications, last: int = 4) -> pd.DataFrame:
    """Rows of the last days, as readers see them and as they stand on the branch of each run."""
    table = scratch.table
    column = quoted(scratch.team.table(scratch.table_name).day_column)
    branches = {
        name: publication.branch for name, publication in publications.items() if publication.branch
    }
    frames = {}
    with duckdb.connect() as connection:
        for number, (title, ref) in enumerate({"rows readers see": "main", **branches}.items()):
            snapshot = table.metadata.refs[str(ref)].snapshot_id
            warehouse.view(connection, f"v{number}", table, snapshot_id=snapshot)
            query = f"SELECT CAST({column} AS DATE) AS day, count(*) AS n FROM v{number}"
            rows = connection.execute(f"{query} GROUP BY 1").fetchall()
            title = title if ref == "main" else f"on the branch: {title}"
            frames[title] = pd.Series(dict(rows), dtype="Int64")
    joined = pd.DataFrame(frames).sort_index().fillna(0).tail(last)
    return titled(joined.rename_axis("day").reset_index())


def runs_of(scratch: Sandbox) -> pd.DataFrame:
    """The runs that the table knows, in the order in which they were staged."""
    runs = upkeep.list_runs(scratch.name, catalog=scratch.catalog)
    rows = [(run.run_id, run.state, run.rows) for run in runs]
    return titled(pd.DataFrame(rows, columns=["run", "state", "rows"]))


def overrides(scratch: Sandbox) -> pd.DataFrame:
    """Runs that somebody released although a check had blocked them, as the table records it."""
    rows = []
    for run in upkeep.list_runs(scratch.name, catalog=scratch.catalog):
        shown = upkeep.show(scratch.name, catalog=scratch.catalog, run_id=run.run_id)
        if override := shown.override:
            rows.append((run.run_id, override["blocked_by"], override["by"], override["reason"]))
    names = ["run", "overridden check", "released by", "reason"]
    return titled(pd.DataFrame(rows, columns=names))


def leftovers(scratch: Sandbox) -> pd.DataFrame:
    """Files that no snapshot reaches, by kind; they stay until somebody asks to delete them."""
    deleted = upkeep.clean(scratch.name, catalog=scratch.catalog, older_than=timedelta(0))
    kinds = pd.Series([Path(file.path).suffix.lstrip(".") for file in deleted], dtype=object)
    counted = kinds.value_counts().sort_index()
    frame = counted.rename_axis("kind of file").to_frame("files nothing reaches")
    return titled(frame.reset_index())


def practised_on(team: str, used: str, table: str, days: Sequence[date], rows: int) -> str:
    """Whose table the acts use, how much was copied, and which days are still to come."""
    other = "" if team == used else f"Team {team} publishes no table that the acts could use. "
    kept = f"{len(days)} days, {day(days[0])} to {day(days[-1])}" if days else "no day"
    return (
        f"{other}The acts use table {table} of team {used}: {rows:,} rows are published in the "
        f"scratch warehouse, {kept}, are still to come."
    )


def real_event(team: str, used: str, picture: Picture) -> str:
    """Which real event the act on true anomalies is about, and whose data holds it."""
    other = "" if team == used else f"Team {team} names no real event. "
    events = ", ".join(f"{event.text} of {day(event.day)}" for event in picture.events)
    return f"{other}The data of team {used} holds something that really happened: {events}."


def anomaly(rows: pd.DataFrame, actual: pd.DataFrame, picture: Picture) -> str:
    """How many days a volume check would stop, by rows and by what happened."""
    by_rows, by_actual = (int((frame["verdict"] == "fail").sum()) for frame in (rows, actual))
    judged = int((actual["verdict"] != "unknown").sum())
    if not judged:
        return f"Too few days to judge {picture.actual} by their weekday"
    return (
        f"Counting rows stops {by_rows} of {judged} judged days, "
        f"counting {picture.actual} stops {by_actual}"
    )


def killed(exit_code: int, snapshot: str, rows: int) -> str:
    """What readers noticed of a process that died."""
    how = "was killed" if exit_code else "ended without being killed"
    return f"The process {how} (exit code {exit_code}). Readers are at {snapshot}: {rows:,} rows."


def kept_from(published: bool, readers: Sequence[str]) -> str:
    """Who would have waited for rows that an audit kept back."""
    if published:
        return "Nothing was kept from anybody: this day lies in its band."
    return f"Without these rows: {', '.join(readers) or 'readers that team.yaml does not name'}."


def runs(counts: Mapping[str, Mapping[str, int]]) -> str:
    """How many runs published, and how many an audit stopped."""
    total = sum(sum(statuses.values()) for statuses in counts.values())
    if not total:
        return "No run history is given"
    published, blocked = (
        sum(statuses.get(status, 0) for statuses in counts.values())
        for status in ("published", "blocked")
    )
    return f"{published:,} of {total:,} runs published, the audit blocked {blocked:,}"


def levels(counts: Mapping[str, Mapping[str, int]]) -> str:
    """How many service levels are kept, of those that could be judged."""
    total = sum(sum(statuses.values()) for statuses in counts.values())
    unknown = sum(statuses.get("unknown", 0) for statuses in counts.values())
    if total == unknown:
        return "No service level can be judged yet"
    kept = sum(statuses.get("ok", 0) for statuses in counts.values())
    return f"{kept} of {total - unknown} judged service levels kept, {unknown} unknown"


def in_place(findings: Sequence[Finding]) -> str:
    """Whether a check of the environment found everything in place."""
    bad = [finding for finding in findings if finding.is_bad]
    if not bad:
        return f"All {len(findings)} are in place."
    return f"{len(bad)} of {len(findings)} are not: {', '.join(one.subject for one in bad)}."
