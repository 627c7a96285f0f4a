"""Daily series of a team: rows, scores, planted faults."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from dataops_lib.evidence.records import Observed
from dataops_lib.service_levels import sli
from dataops_lib.teams import Team


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
    found = {method: sli.volume(counts, method=method) for method in sli.LIMITS}
    base = found["weekday"][["day", "rows"]].copy()
    for method, scored in found.items():
        base[method] = scored["score"]
        base[f"{method} verdict"] = scored["verdict"]
    return base


def busiest(observed: Observed) -> pd.DataFrame | None:
    """Rows by day of the table with most of them: day, rows; None when no table can be read.

    Where every day has the same few rows a volume says nothing.
    """
    found = [observed.volume(one.name) for one in observed.team.tables]
    known = [one for one in found if one is not None and len(one)]
    return max(known, key=lambda one: float(one["rows"].mean()), default=None)


def lag(landings: pd.DataFrame | None) -> timedelta:
    """How old the newest record usually is when it lands (median); 0 when that is not known."""
    if landings is None or landings["newest_event_at"].isna().all():
        return timedelta(0)
    return pd.Timedelta((landings["published_at"] - landings["newest_event_at"]).median())
