"""A newcomer's check, tried on a real day and on planted faults."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from dataops_lib import audit, contracts, warehouse
from dataops_lib.audit.checks import Check, VolumeCheck
from dataops_lib.audit.faults import _faults
from dataops_lib.errors import DataError
from dataops_lib.evidence import Observed, series
from dataops_lib.finding import Finding
from dataops_lib.onboarding.first_month import Trial
from dataops_lib.sql import quoted
from dataops_lib.teams import Team
from dataops_lib.teams.folders import local_catalog
from dataops_lib.teams.models import AddedTest
from dataops_lib.windows import midnight

DAY_ROWS = 20_000  # of a larger day only so many rows are tried


def tried(observed: Observed, claim: AddedTest) -> Trial:
    """Try a check of a contract on the last published day, and on that day with faults.

    Each fault spoils the rows of the day in one way; the first that the check finds is enough.
    The rows are tried in a temporary folder: nothing touches the team's own tables.
    """
    agreed = (observed.team.contracts or {}).get(claim.table)
    checks = contracts.checks(agreed) if agreed else []
    names = tuple(check.name for check in checks)
    chosen = next((check for check in checks if check.name == claim.check), None)
    if chosen is None:
        return Trial(names)
    why = f"table {claim.table} cannot be read"
    try:
        readable = claim.table in observed.tables
    except DataError:
        readable = False
    day, rows = _last_day(observed, claim.table) if readable else (None, None)
    if day is None or rows is None:
        return Trial(names, why=why)
    if isinstance(chosen, VolumeCheck):
        chosen = replace(chosen, past=_same_weekday(observed, claim.table, day))
    at = midnight(day + timedelta(days=1), observed.team.zone)
    blocked = _blocked(observed.team, claim)
    with tempfile.TemporaryDirectory(prefix="dataops-trial-") as folder:
        bench = _Bench(Path(folder), chosen, at)
        real = bench.judge(rows)
        if real is None:
            return Trial(names, why=f"table {claim.table} has a type that cannot be copied")
        if real.status != "ok":
            return Trial(names, real, day, blocked=blocked)
        planted = 0
        for planted, (fault, spoilt) in enumerate(_faults(rows, checks, chosen), start=1):
            finding = bench.judge(spoilt)
            if finding is not None and finding.is_bad and "error" not in finding.numbers:
                return Trial(names, real, day, fault, planted, blocked)
        return Trial(names, real, day, None, planted, blocked)


class _Bench:
    """A warehouse for one check: each judgement gets a table of its own."""

    def __init__(self, folder: Path, check: Check, at: datetime) -> None:
        self.catalog = warehouse.open(local_catalog(folder), create=True)
        self.check, self.at, self.number = check, at, 0

    def judge(self, rows: pa.Table) -> Finding | None:
        """What the check says when `rows` are added to an empty table; None if they cannot be."""
        self.number += 1
        try:
            table = warehouse.create_table(self.catalog, f"trial.t{self.number}", rows.schema)
            table.append(rows)
        except Exception:  # a type that Iceberg does not have; its errors share no base
            return None
        return audit.run(table, [self.check], as_of=self.at)[0]


def _last_day(observed: Observed, name: str) -> tuple[date | None, pa.Table | None]:
    iceberg, snapshot = observed.tables[name]
    day = f"CAST({quoted(observed.team.table(name).day_column)} AS DATE)"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")  # Iceberg has no other zone
        warehouse.view(connection, "published", iceberg, snapshot_id=snapshot)
        last = connection.sql(f"SELECT max({day}) FROM published").fetchall()[0][0]
        query = f"SELECT * FROM published WHERE {day} = ? LIMIT {DAY_ROWS}"
        rows = connection.sql(query, params=[last]).to_arrow_table()
    return (last, rows) if last is not None and len(rows) else (None, None)


def _same_weekday(observed: Observed, name: str, day: date) -> tuple[int, ...]:
    counts = series.volume(observed, name)
    pairs = [] if counts is None else zip(counts["day"], counts["rows"], strict=True)
    return tuple(
        int(rows)
        for moment, rows in pairs
        if 0 < (day - pd.Timestamp(moment).date()).days <= 56
        and pd.Timestamp(moment).weekday() == day.weekday()
    )


def _blocked(team: Team, claim: AddedTest) -> int | None:
    """Publishes of the table that the check stopped; None when no audit is on record."""
    if team.runs is None or team.replay is None:
        return None
    stopped = team.runs[(team.runs["table"] == claim.table) & (team.runs["status"] == "blocked")]
    return sum(
        any(finding.subject == claim.check for finding in team.audits.get(run_id, ()))
        for run_id in stopped["run_id"]
    )
