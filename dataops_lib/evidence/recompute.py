"""The SQL that recomputes each tile of page one from a team's run history and tables.

The queries read `runs` (the run history), `expected` ("table", tier, due_at, grace),
`versions` ("table", due_at, "at", good_until), `days` ("table", day, starts_at, ends_at), and the
published tables; `connect` has all of them. Each returns one row: good, total.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import duckdb
import pandas as pd

from dataops_lib import warehouse
from dataops_lib.evidence import levels, records
from dataops_lib.evidence.records import Observed
from dataops_lib.sql import literal, quoted
from dataops_lib.windows import Window


def queries(observed: Observed) -> dict[str, str]:
    """The SQL that recomputes each tile, to be run on `connect()`; empty where nothing can be."""
    names = [table.name for table in observed.team.tables]
    fresh = [
        table.name
        for table in observed.team.tables
        if table.tier == 1 and levels.promised_days(observed, table.name)
    ]
    columns = {name: levels.required(observed, name) for name in names}
    required = {name: needed for name, needed in columns.items() if needed}
    audited = [name for name in names if levels.is_audited(observed, name)]
    return {
        "freshness": fresh_days(fresh) if fresh else "",
        "success": first_attempts(observed.window),
        "completeness": filled_cells(required) if required else "",
        "publishes": audited_publishes(observed.window, audited) if audited else "",
    }


def connect(observed: Observed) -> duckdb.DuckDBPyConnection:
    """A DuckDB with the published tables, `runs`, `expected`, `versions` and `days`, and no more.

    A published table that is called like one of these four stands in the schema `published`.
    """
    tables = observed.tables.items()
    sources = {view_of(name): warehouse.rows_of(table, snap) for name, (table, snap) in tables}
    connection = warehouse.locked(sources)
    for name, frame in _frames(observed).items():
        if len(frame.columns):
            connection.register("frame", frame)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM frame")
            connection.unregister("frame")
    return connection


def view_of(table: str) -> str:
    """The name under which `connect` has a published table.

    Examples
    --------
    >>> view_of("fct_orders"), view_of("Runs")
    ('fct_orders', 'published.Runs')
    """
    return f"published.{table}" if table.lower() in OWN else table


OWN = ("days", "expected", "runs", "versions")


def _frames(observed: Observed) -> dict[str, pd.DataFrame]:
    team = observed.team
    days = [
        {"table": table.name, "day": day, "starts_at": span.start, "ends_at": span.end}
        for table in team.tables
        for day, span in levels.promised_days(observed, table.name).items()
    ]
    expected = [
        pd.DataFrame(
            {
                "table": table.name,
                "tier": table.tier,
                "due_at": pd.DatetimeIndex(observed.due[table.name], dtype=UTC_TIME),
                "grace": records.grace(team, table.name) or timedelta(0),
            }
        )
        for table in team.tables
    ]
    frames = {"days": pd.DataFrame(days)}
    if expected:
        frames["expected"] = pd.concat(expected, ignore_index=True)
    if observed.versions:
        moved = [frame.assign(table=name) for name, frame in observed.versions.items()]
        times = dict.fromkeys(("due_at", "at", "good_until"), UTC_TIME)
        frames["versions"] = pd.concat(moved, ignore_index=True).astype(times)
    if team.runs is not None:
        frames["runs"] = team.runs
    return frames


UTC_TIME = "datetime64[us, UTC]"


def fresh_days(tables: Sequence[str]) -> str:
    """Days on which a table was never stale, over all `tables` and days."""
    listed = ", ".join(literal(table) for table in tables)
    return f"""\
WITH stale AS (
    SELECT "table", TIMESTAMPTZ '-infinity' AS begins_at,
           coalesce(min("at"), TIMESTAMPTZ 'infinity') AS ends_at
    FROM (SELECT DISTINCT "table" FROM days) LEFT JOIN versions USING ("table") GROUP BY "table"
    UNION ALL
    SELECT "table", good_until AS begins_at,
           lead("at", 1, TIMESTAMPTZ 'infinity')
               OVER (PARTITION BY "table" ORDER BY "at") AS ends_at
    FROM versions
),
table_days AS (
    SELECT d."table", d.day, count(s."table") AS stale
    FROM days AS d
    LEFT JOIN stale AS s
        ON s."table" = d."table" AND s.begins_at < s.ends_at
        AND s.begins_at < d.ends_at AND s.ends_at > d.starts_at
    WHERE d."table" IN ({listed})
    GROUP BY ALL
)
SELECT count(*) FILTER (WHERE stale = 0) AS good, count(*) AS total
FROM table_days"""


def first_attempts(window: Window) -> str:
    """Expected runs whose first scheduled attempt published."""
    return f"""\
WITH first_attempts AS (
    SELECT DISTINCT ON ("table", due_at) "table", due_at, status
    FROM runs
    WHERE "trigger" = 'scheduled'
    ORDER BY "table", due_at, coalesce(started_at, due_at),
             coalesce(finished_at, published_at) NULLS LAST, run_id
)
SELECT count(*) FILTER (WHERE status = 'published') AS good, count(*) AS total
FROM expected
LEFT JOIN first_attempts USING ("table", due_at)
WHERE {_within("due_at", window)} AND coalesce(status, 'missed') <> 'running'"""


def audited_publishes(window: Window, tables: Sequence[str]) -> str:
    """Publishes of `tables`, those that are audited, that passed."""
    return f"""\
SELECT count(*) FILTER (WHERE status = 'published') AS good, count(*) AS total
FROM runs
WHERE status IN ('published', 'blocked') AND "table" IN ({", ".join(map(literal, tables))})
  AND {_within("coalesce(started_at, due_at)", window)}"""


def filled_cells(required: Mapping[str, Sequence[str]]) -> str:
    """Required cells that are not NULL, over all tables that name required columns."""
    parts = []
    for table, columns in required.items():
        counts = " + ".join(f"count({quoted(column)})" for column in columns)
        parts.append(
            f"    SELECT {counts} AS good, {len(columns)} * count(*) AS total\n"
            f"    FROM {'.'.join(quoted(part) for part in view_of(table).split('.', 1))}"
        )
    union = "\n    UNION ALL\n".join(parts)
    return f"SELECT sum(good) AS good, sum(total) AS total\nFROM (\n{union}\n)"


def _within(column: str, window: Window) -> str:
    return f"{column} >= {literal(window.start)} AND {column} < {literal(window.end)}"
