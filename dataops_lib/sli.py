"""Domain: what was measured: fresh minutes, good runs, complete cells, ordinary volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from scipy import special

from dataops_lib.objective import Measurement, Minutes
from dataops_lib.windows import Window, due_times

MICROSECONDS = timedelta(microseconds=1)
GOOD_RUNS = frozenset({"published", "success"})
OPEN_RUNS = frozenset({"", "running", "queued", "unknown"})  # nobody knows yet how they end
RERUNS = frozenset({"manual", "rerun"})


# Freshness --------------------------------------------------------------------------------------
# Every variant is the same step function: a landing makes the table good until it expires or the
# next landing takes over. Times are integer microseconds, so nothing is lost to rounding.


def freshness(
    landings: Iterable[datetime],
    *,
    start: datetime,
    end: datetime,
    max_age: timedelta,
    excluded: Iterable[Window] = (),
    unknown: Iterable[Window] = (),
) -> Minutes:
    """Minutes of [start, end) in which the last landing was at most `max_age` old.

    Parameters
    ----------
    landings : times at which a version was published, UTC, in any order; those before `start`
        count for the age at `start`. Nothing landed yet is bad, not missing.
    max_age : a promise made past a due time needs `slo.max_age(objective, interval)`.
    excluded : spans agreed beforehand not to count (maintenance, outside service hours).
    unknown : spans in which landings were not recorded; excluded wins where both say so.

    Examples
    --------
    >>> day = datetime(2013, 1, 2, tzinfo=UTC)
    >>> later = day + timedelta(days=2)
    >>> split = freshness([day], start=day, end=later, max_age=timedelta(hours=26))
    >>> split.good, split.bad
    (1560.0, 1320.0)
    """
    at = _times(landings)
    how = f"minutes at most {max_age} after a landing"
    window = Window(start, end)
    return _split(_Fresh.of(at, at + max_age // MICROSECONDS), window, excluded, unknown, how)


def lateness(
    landings: Iterable[datetime],
    due: Iterable[datetime],
    *,
    start: datetime,
    end: datetime,
    grace: timedelta,
    excluded: Iterable[Window] = (),
    unknown: Iterable[Window] = (),
) -> Minutes:
    """Minutes of [start, end) in which no version was more than `grace` past due.

    Right for schedules with gaps (weekdays) and for days of 23 or 25 hours, where `max_age` is
    only an approximation: a landing stays good until `grace` after the next due time.
    """
    at, due_at = _times(landings), _times(due)
    following = np.append(due_at, np.iinfo(np.int64).max // 2)[np.searchsorted(due_at, at, "right")]
    fresh = _Fresh.of(at, following + grace // MICROSECONDS)
    how = f"minutes not more than {grace} past due"
    return _split(fresh, Window(start, end), excluded, unknown, how)


def content_freshness(
    publishes: pd.DataFrame,
    *,
    start: datetime,
    end: datetime,
    max_age: timedelta,
    excluded: Iterable[Window] = (),
    unknown: Iterable[Window] = (),
) -> Minutes:
    """Minutes of [start, end) in which the newest published record was at most `max_age` old.

    `publishes` has published_at and newest_event_at (UTC). A backfill of old partitions does not
    make the table younger; a record from the future counts as being as new as its publish.
    """
    at, reached, future = _reached(publishes)
    fresh = _Fresh.of(at, reached + max_age // MICROSECONDS)
    how = f"minutes in which the newest record was at most {max_age} old"
    how += f"; {future} publishes held records from the future" if future else ""
    return _split(fresh, Window(start, end), excluded, unknown, how)


def advancing(publishes: pd.DataFrame) -> list[datetime]:
    """Publish times that made the newest record newer: the landings that refresh.

    A green run without new rows, and a backfill of old partitions, are not among them.
    """
    at, reached, _ = _reached(publishes)
    moved = np.diff(reached, prepend=np.iinfo(np.int64).min // 2) > 0
    return list(pd.to_datetime(at[moved], unit="us", utc=True).to_pydatetime())


def by_day(
    landings: Iterable[datetime],
    window: Window,
    *,
    zone: str,
    max_age: timedelta,
    excluded: Sequence[Window] = (),
    unknown: Sequence[Window] = (),
) -> pd.DataFrame:
    """`freshness` of each calendar day of `zone`: day, good, bad, unknown, excluded (minutes)."""
    at = _times(landings)
    fresh = _Fresh.of(at, at + max_age // MICROSECONDS)
    rows = []
    for day, span in window.days(zone):
        minutes = _split(fresh, span, excluded, unknown, "")
        rows.append((day, minutes.good, minutes.bad, minutes.unknown, minutes.excluded))
    return pd.DataFrame(rows, columns=["day", "good", "bad", "unknown", "excluded"])


def errors(
    landings: Iterable[datetime], window: Window, *, step: timedelta, max_age: timedelta
) -> pd.Series:
    """Share of bad in [0, 1] in each whole `step` of `window`, by the time the step ends."""
    at, size = _times(landings), step // MICROSECONDS
    fresh = _Fresh.of(at, at + max_age // MICROSECONDS)
    edges = np.arange(_microseconds(window.start), _microseconds(window.end) + 1, size)
    ended_at = pd.to_datetime(edges[1:], unit="us", utc=True)
    return pd.Series(1 - np.diff(fresh.until(edges)) / size, index=ended_at)


@dataclass(frozen=True)
class _Fresh:
    """When the table turned good, for how long, and the good time before (microseconds)."""

    at: np.ndarray
    lasting: np.ndarray
    before: np.ndarray

    @staticmethod
    def of(at: np.ndarray, expires: np.ndarray) -> _Fresh:
        following = np.append(at[1:], np.iinfo(np.int64).max) if len(at) else at
        lasting = np.maximum(np.minimum(following, expires) - at, 0)
        return _Fresh(at, lasting, np.concatenate([[0], np.cumsum(lasting)[:-1]]))

    def until(self, moments: np.ndarray) -> np.ndarray:
        """Good time before each moment."""
        if not len(self.at):
            return np.zeros(len(moments), dtype=np.int64)
        last = np.searchsorted(self.at, moments, "right") - 1
        running = np.minimum(moments - self.at[last], self.lasting[last])
        return np.where(last < 0, 0, self.before[last] + running)


def _split(
    fresh: _Fresh, window: Window, excluded: Iterable[Window], unknown: Iterable[Window], how: str
) -> Minutes:
    start, end = _microseconds(window.start), _microseconds(window.end)
    out = _union(_spans(excluded), start, end)
    shut = _union([*_spans(unknown), *out], start, end)
    edges = np.array([start, *(edge for span in shut for edge in span), end], dtype=np.int64)
    opens, closes = edges[0::2], edges[1::2]
    good = int((fresh.until(closes) - fresh.until(opens)).sum())
    lost, valid = sum(b - a for a, b in out), int((closes - opens).sum())
    silent_time = end - start - valid - lost
    parts = [part / 60_000_000 for part in (good, valid - good, silent_time, lost)]
    seen = int(np.searchsorted(fresh.at, end) - np.searchsorted(fresh.at, start))
    return Minutes(parts[0], parts[1], parts[2], parts[3], how=how, observations=seen)


def _reached(publishes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, int]:
    """Publish times in order, the newest record by then, and how many came from the future."""
    known = publishes.dropna(subset=["published_at", "newest_event_at"])
    at, newest = _column(known["published_at"]), _column(known["newest_event_at"])
    order = np.argsort(at, kind="stable")
    at, newest = at[order], newest[order]
    return at, np.maximum.accumulate(np.minimum(newest, at)), int((newest > at).sum())


def _microseconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone; times are UTC")
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECONDS


def _times(moments: Iterable[datetime]) -> np.ndarray:
    if isinstance(moments, (pd.Series, pd.DatetimeIndex)):
        return np.sort(_column(pd.Series(moments).dropna()))
    return np.sort(np.array([_microseconds(moment) for moment in moments], dtype=np.int64))


def _column(times: pd.Series) -> np.ndarray:
    zoned = pd.to_datetime(times, utc=True)
    return zoned.dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64)


def _spans(windows: Iterable[Window]) -> list[tuple[int, int]]:
    return [(_microseconds(window.start), _microseconds(window.end)) for window in windows]


def _union(spans: Iterable[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """The spans cut to [start, end), in order and without overlap."""
    merged: list[tuple[int, int]] = []
    for a, b in sorted((max(a, start), min(b, end)) for a, b in spans):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
        elif a < b:
            merged.append((a, b))
    return merged


# Runs and rows ----------------------------------------------------------------------------------


def expected(
    schedule: str, zone: str, window: Window, *, holidays: Iterable[date] = ()
) -> list[datetime]:
    """UTC times at which a run was promised: the cron `schedule` of `zone` without `holidays`."""
    off, local = set(holidays), ZoneInfo(zone)
    due = due_times(schedule, zone, window)
    return [moment for moment in due if moment.astimezone(local).date() not in off]


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
    >>> due = [datetime(2013, 1, day, 6, tzinfo=UTC) for day in (1, 2, 3)]
    >>> runs = pd.DataFrame({"due_at": due[:2], "status": ["published", "failed"]})
    >>> success(runs, due).ratio
    0.3333333333333333
    """
    due = pd.DatetimeIndex(pd.to_datetime(list(expected), utc=True)).as_unit("us").unique()
    known = runs.assign(due_at=pd.to_datetime(runs["due_at"], utc=True).dt.as_unit("us"))
    planned = known[known["due_at"].isin(due)]
    ignored = len(known) - len(planned)
    if "trigger" in planned:
        planned = planned[~planned["trigger"].astype(str).str.lower().isin(RERUNS)]
    if "started_at" in planned:
        planned = planned.sort_values("started_at", kind="stable")
    first = planned.drop_duplicates("due_at")["status"]
    words = first.astype("object").where(first.notna(), "").astype(str).str.lower()
    good, still_open = int(words.isin(GOOD_RUNS).sum()), int(words.isin(OPEN_RUNS).sum())
    how = f"first scheduled attempts of {len(due)} expected runs"
    total = len(due) - still_open
    return Measurement(good, total, still_open, "run history", how, len(planned), ignored)


def completeness(good: float, total: float) -> Measurement:
    """Filled cells, or rows without a gap, of all that a scan counted; 0 of 0 is undefined."""
    if not 0 <= good <= total:
        raise ValueError(f"{good} filled of {total}: a part is between 0 and the whole")
    return Measurement(good, total, 0, "scan", "required values that are not NULL", int(total))


def completeness_of(
    table: pd.DataFrame, required: Sequence[str], *, per: Literal["cells", "rows"] = "cells"
) -> Measurement:
    """`completeness` of the `required` columns, per cell or per whole row."""
    filled = table[list(required)].notna()
    if per == "rows":
        return completeness(int(filled.all(axis=1).sum()), len(filled))
    return completeness(int(filled.to_numpy().sum()), int(filled.size))


WEEKDAY_DAYS = 56  # 8 weeks: level changes are learned, seasons forgotten
WEEKDAY_MINIMUM = 4  # points; below, a median says nothing
SCALE_FLOOR = float(np.log(1.05))  # 5 %: a quiet history must not turn ripples into alarms
LIMITS = {"weekday": 5.0, "zscore": 3.0, "zscore-with-today": 3.0}


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
        standard deviations, leaving flagged days and `holidays` out of its history; zero rows is
        a rule, not a score. "zscore" is the article's, against the 7 days before;
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
    counts, off = _counts(daily_counts), set(holidays)
    seen: list[tuple[date, float]] = []
    scored: list[_Row] = []
    for day, rows in zip(counts["day"], counts["rows"].astype(float), strict=True):
        if method == "weekday":
            alike = [c for then, c in seen if (day - then).days in range(7, WEEKDAY_DAYS + 1, 7)]
            row = _weekday_score(rows, np.array(alike), bound)
        else:
            week = [*seen, (day, rows)][-7:] if method == "zscore-with-today" else seen[-7:]
            row = _z_score(rows, np.array([count for _, count in week]), bound)
        if day in off:
            row = (row[0], "unknown", row[2], row[3], "holiday")
        if method != "weekday" or (rows > 0 and row[1] != "fail" and day not in off):
            seen = [*seen[1 - WEEKDAY_DAYS :], (day, rows)]  # flagged days teach nothing
        scored.append(row)
    columns = ["score", "verdict", "expected_rows", "observations", "why"]
    return pd.concat([counts, pd.DataFrame(scored, columns=columns)], axis=1)


_Row = tuple[float, str, float, int, str]


def _counts(daily: pd.DataFrame | pd.Series) -> pd.DataFrame:
    if isinstance(daily, pd.Series):
        daily = pd.DataFrame({"day": daily.index, "rows": daily.to_numpy()})
    table = daily[["day", "rows"]].assign(day=pd.to_datetime(daily["day"]).dt.date)
    return table.sort_values("day", ignore_index=True)


def _weekday_score(rows: float, history: np.ndarray, bound: float) -> _Row:
    n = len(history)
    middle = float(np.median(history)) if n else np.nan
    if np.isnan(rows):
        return (np.nan, "unknown", middle, n, "no count")
    if rows <= 0:
        return (np.nan, "fail", middle, n, "zero rows")
    if n < WEEKDAY_MINIMUM:
        return (np.nan, "unknown", middle, n, f"{n} of {WEEKDAY_MINIMUM} same weekdays seen")
    logs = np.log(history)
    spread = 1.4826 * float(np.median(np.abs(logs - np.median(logs))))
    score = float(np.log(rows) - np.median(logs)) / max(spread, SCALE_FLOOR)
    return (score, "fail" if abs(score) > bound else "ok", middle, n, "")


def _z_score(rows: float, history: np.ndarray, bound: float) -> _Row:
    n = len(history)
    if n < 7 or np.isnan([rows, *history]).any():
        return (np.nan, "unknown", np.nan, n, "no count" if n == 7 else f"{n} of 7 days seen")
    middle = float(history.mean())
    if history.min() == history.max():
        return (np.nan, "unknown", middle, n, "no spread")
    score = (rows - middle) / float(history.std(ddof=1))
    return (score, "fail" if abs(score) > bound else "ok", middle, n, "")


def false_alarms(limit: float, days: int = 7) -> float:
    """Chance that an ordinary day scores beyond `limit` against the `days` before it, normal data.

    >>> [round(false_alarms(*case), 4) for case in ((3, 7), (4, 7), (3, 28))]
    [0.0309, 0.0096, 0.0065]
    """
    return float(2 * special.stdtr(days - 1, -limit / np.sqrt(1 + 1 / days)))


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
