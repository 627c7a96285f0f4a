"""What was measured: fresh minutes, good runs, complete cells, ordinary volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd

from dataops_lib import weekdays
from dataops_lib.service_levels.freshness import content_freshness as content_freshness
from dataops_lib.service_levels.freshness import freshness as freshness
from dataops_lib.service_levels.measurements import Measurement

GOOD_RUNS = frozenset({"published", "success"})
OPEN_RUNS = frozenset({"", "running", "queued", "unknown"})  # nobody knows yet how they end
RERUNS = frozenset({"manual", "rerun"})


def success(runs: pd.DataFrame, expected: Iterable[datetime]) -> Measurement:
    """Expected runs whose first scheduled attempt published.

    Parameters
    ----------
    runs : columns due_at (UTC) and status; optional trigger and started_at. A row whose trigger
        is "manual" or "rerun" repairs the table, not the run.
    expected : due times from the schedule. One without a scheduled row is bad: a dead pipeline
        records nothing. One that is still running, or has no status, is unknown.

    Examples
    --------
    >>> from datetime import UTC
    >>> due = [datetime(2013, 1, day, 6, tzinfo=UTC) for day in (1, 2, 3)]
    >>> runs = pd.DataFrame({"due_at": due[:2], "status": ["published", "failed"]})
    >>> success(runs, due).ratio
    0.3333333333333333
    """
    due = pd.DatetimeIndex(pd.to_datetime(list(expected), utc=True)).as_unit("us").unique()
    recorded = runs.assign(due_at=pd.to_datetime(runs["due_at"], utc=True).dt.as_unit("us"))
    planned = recorded[recorded["due_at"].isin(due)]
    ignored = len(recorded) - len(planned)
    first = first_attempts(planned)["status"]
    words = first.astype("object").where(first.notna(), "").astype(str).str.lower()
    good, still_open = int(words.isin(GOOD_RUNS).sum()), int(words.isin(OPEN_RUNS).sum())
    how = f"first scheduled attempts of {len(due)} expected runs"
    total = len(due) - still_open
    return Measurement(good, total, still_open, "run history", how, len(planned), ignored)


def first_attempts(runs: pd.DataFrame) -> pd.DataFrame:
    """The scheduled attempt that began first, for each table and due time.

    The order of rows means nothing: an attempt without a start began when it was due; of those
    that began together the one that ended first comes first, then the smaller run_id.
    """
    planned = runs
    if "trigger" in runs:
        planned = runs[~runs["trigger"].astype(str).str.lower().isin(RERUNS)]
    keys = [name for name in ("table", "due_at") if name in planned]
    return in_order(planned).drop_duplicates(keys)


def in_order(runs: pd.DataFrame) -> pd.DataFrame:
    """Attempts as they began; see `first_attempts`."""
    order = {"begun": begun_at(runs), "ended": ended_at(runs)}
    order |= {name: runs[name] for name in ("run_id", "status") if name in runs}
    began = pd.DataFrame(order).reset_index(drop=True).sort_values(list(order), na_position="last")
    return runs.iloc[began.index]


def begun_at(runs: pd.DataFrame) -> pd.Series:
    """When each attempt began: as recorded, else when it was due."""
    return runs["started_at"].fillna(runs["due_at"]) if "started_at" in runs else runs["due_at"]


def ended_at(runs: pd.DataFrame) -> pd.Series:
    """When each attempt ended: as recorded, else when it published; NaT while neither is known."""
    nothing = pd.Series(pd.NaT, index=runs.index, dtype="datetime64[us, UTC]")
    ended, published = (runs.get(name, nothing) for name in ("finished_at", "published_at"))
    return ended.fillna(published)


def completeness(good: float, total: float) -> Measurement:
    """Filled cells, or rows without a gap, of all that a scan counted; 0 of 0 is undefined."""
    if not 0 <= good <= total:
        raise ValueError(f"{good} filled of {total}: a part is between 0 and the whole")
    return Measurement(good, total, 0, "scan", "required values that are not NULL", int(total))


LIMITS = {"weekday": weekdays.LIMIT, "zscore": 3.0, "zscore-with-today": 3.0}


def volume(
    daily_counts: pd.DataFrame | pd.Series,
    *,
    method: str = "weekday",
    limit: float | None = None,
    holidays: Iterable[date] = (),
) -> pd.DataFrame:
    """Score each day's row count against the days before it.

    Parameters
    ----------
    daily_counts : columns day and rows (a Series by day works too); NaN is not known, not 0.
    method : "weekday" takes log(rows / median of the same weekday, 8 weeks back) in robust
        standard deviations, as `weekdays.series` says. "zscore" is the article's, against the 7
        days before;
        "zscore-with-today" has today among its 7 days and so cannot exceed 6/sqrt(7) = 2.27.
    limit : size of the score that fails; 5 for weekday, 3 otherwise.

    Returns
    -------
    DataFrame
        day, rows, score (NaN when there is none), verdict (ok, fail, unknown), expected_rows,
        observations (the history's n: with 4 to 8 points the scale itself is noisy) and why.
    """
    if method not in LIMITS:
        raise ValueError(f"method {method!r} is not known; use one of {', '.join(LIMITS)}")
    bound = LIMITS[method] if limit is None else limit
    counts = _counts(daily_counts)
    days = list(zip(counts["day"], counts["rows"].astype(float), strict=True))
    if method == "weekday":
        judged = weekdays.series(days, limit=bound, holidays=set(holidays))
    else:
        own = method == "zscore-with-today"
        weeks = (days[max(0, n - 7 + own) : n + own] for n in range(len(days)))
        judged = [
            weekdays.z_score(rows, [count for _, count in week], bound)
            for (_, rows), week in zip(days, weeks, strict=True)
        ]
    scored = [(j.score, j.verdict, j.usual, j.observations, j.why) for j in judged]
    columns = ["score", "verdict", "expected_rows", "observations", "why"]
    frame = pd.DataFrame(scored, columns=columns)
    numbers = frame.astype({"score": float, "expected_rows": float})
    return pd.concat([counts, numbers], axis=1)


def _counts(daily: pd.DataFrame | pd.Series) -> pd.DataFrame:
    if isinstance(daily, pd.Series):
        daily = pd.DataFrame({"day": daily.index, "rows": daily.to_numpy()})
    table = daily[["day", "rows"]].assign(day=pd.to_datetime(daily["day"]).dt.date)
    return table.sort_values("day", ignore_index=True)


@dataclass(frozen=True)
class DataSLI:
    """One thing worth measuring on a table, with the article's fields and one way to call it.

    `measurement_fn(target, as_of, connection)` takes a table or pipeline by name, a UTC time and
    whatever reads it, and returns a `Measurement`, `Minutes` or a number in `unit`.
    """

    name: str
    description: str
    unit: str
    measurement_fn: Callable[[str, datetime, Any], Any]
    owner: str

    def measure(self, target: str, *, as_of: datetime, connection: Any = None) -> Any:
        """Measure `target` as it stood at `as_of`."""
        return self.measurement_fn(target, as_of, connection)
