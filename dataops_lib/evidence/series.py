"""Daily series of a team: rows, scores, the picture of page one, planted faults."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from dataops_lib import warehouse
from dataops_lib.errors import DataError
from dataops_lib.evidence.records import Observed
from dataops_lib.service_levels import sli
from dataops_lib.sql import quoted
from dataops_lib.teams import Team


def volume(observed: Observed, table: str) -> pd.DataFrame | None:
    """day, rows: rows by day of data, from one scan; None without the table."""
    if table not in observed.tables:
        return None
    column = quoted(observed.team.table(table).day_column)
    select = f"SELECT CAST({column} AS DATE) AS day, count(*) AS rows FROM {quoted(table)}"
    query = f"{select} GROUP BY 1 ORDER BY 1"
    return _selected(observed, table, query, "tables: day_column")


def daily(observed: Observed) -> pd.DataFrame | None:
    """The series of the team's picture: `day` and its numbers; None without its table."""
    picture = observed.team.picture
    if picture is None or picture.table not in observed.tables:
        return None
    return _selected(observed, picture.table, picture.query, "picture: query")


def _selected(observed: Observed, table: str, query: str, field: str) -> pd.DataFrame:
    iceberg, snapshot = observed.tables[table]
    with warehouse.locked({table: warehouse.rows_of(iceberg, snapshot)}) as connection:
        try:
            return warehouse.ask(connection, query)
        except DataError as error:
            raise DataError(f"team.yaml: {field} of {table}: {error}") from None


def planted_days(team: Team) -> dict[date, str]:
    """Days of data whose load met a planted fault; empty outside of example teams."""
    if team.runs is None:
        return {}
    planted = team.runs[team.runs["planted"].notna()]
    zone = ZoneInfo(team.zone)
    due = [moment.astimezone(zone).date() for moment in planted["due_at"]]
    days = [day - timedelta(days=1) for day in due]
    return dict(zip(days, planted["planted"], strict=True))


def planted(team: Team, table: str) -> dict[date, str]:
    """The faults that were planted into an example team's history of `table`, by due day."""
    if team.runs is None or "planted" not in team.runs:
        return {}
    runs = team.runs[(team.runs["table"] == table) & team.runs["planted"].notna()]
    zone = ZoneInfo(team.zone)
    pairs = zip(runs["due_at"], runs["planted"], strict=True)
    return {due.astimezone(zone).date(): str(text) for due, text in pairs if str(text)}


def volume_scores(daily: pd.DataFrame | None, last: float | None = None) -> pd.DataFrame:
    """day, rows and a score per method of `sli.volume`; `last` replaces the last day's rows."""
    if daily is None or daily.empty:
        return pd.DataFrame(columns=["day", "rows", *sli.LIMITS])
    counts = daily.astype({"rows": float})
    if last is not None:
        counts.loc[counts.index[-1], "rows"] = last
    scores = {method: sli.volume(counts, method=method) for method in sli.LIMITS}
    base = scores["weekday"][["day", "rows"]].copy()
    for method, scored in scores.items():
        base[method] = scored["score"]
        base[f"{method} verdict"] = scored["verdict"]
    return base


def busiest(observed: Observed) -> pd.DataFrame | None:
    """Rows by day of the table with most of them: day, rows; None when no table can be read.

    Where every day has the same few rows a volume says nothing.
    """
    volumes = [volume(observed, table.name) for table in observed.team.tables]
    filled = [daily for daily in volumes if daily is not None and len(daily)]
    return max(filled, key=lambda daily: float(daily["rows"].mean()), default=None)


def lag(landings: pd.DataFrame | None) -> timedelta:
    """How old the newest record usually is when it lands (median); 0 when that is not known."""
    if landings is None or landings["newest_event_at"].isna().all():
        return timedelta(0)
    return pd.Timedelta((landings["published_at"] - landings["newest_event_at"]).median())
