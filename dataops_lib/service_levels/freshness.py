"""Fresh minutes, computed from when versions landed: no sampled gauge, no minute grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from dataops_lib.service_levels.measurements import Minutes
from dataops_lib.windows import Window
from dataops_lib.wording import plural, span

MICROSECONDS = timedelta(microseconds=1)


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
    how = f"minutes at most {span(max_age)} after a landing"
    window = Window(start, end)
    return _split(_Fresh.of(at, at + max_age // MICROSECONDS), window, excluded, unknown, how)


def lateness(
    landings: Iterable[datetime],
    due: Iterable[datetime],
    *,
    start: datetime,
    end: datetime,
    grace: timedelta,
    landed_for: Iterable[datetime] | None = None,
    excluded: Iterable[Window] = (),
    unknown: Iterable[Window] = (),
) -> Minutes:
    """Minutes of [start, end) in which no version was more than `grace` past due.

    Right for schedules with gaps (weekdays) and for days of 23 or 25 hours, where `max_age` is
    only an approximation: a version stays good until `grace` after its successor is due.

    Parameters
    ----------
    landed_for : the due time of each landing, in the order of `landings`, so that a version that
        comes after its successor was due is not taken for that one. Without it, each landing
        counts for the last due time at or before it.
    """
    at, due_at = _unsorted(landings), _times(due)
    made_for = at if landed_for is None else _unsorted(landed_for)
    order = np.argsort(at, kind="stable")
    at, newest = at[order], np.maximum.accumulate(made_for[order])  # older days refresh nothing
    successors = np.append(due_at, np.iinfo(np.int64).max // 2)
    following = successors[np.searchsorted(due_at, newest, "right")]
    fresh = _Fresh.of(at, following + grace // MICROSECONDS)
    how = f"minutes not more than {span(grace)} past due"
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
    how = f"minutes in which the newest record was at most {span(max_age)} old"
    how += (
        f"; {plural(future, 'publish', 'publishes')} held records from the future" if future else ""
    )
    return _split(fresh, Window(start, end), excluded, unknown, how)


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
        moments = moments.dropna()
    return np.sort(_unsorted(moments))


def _unsorted(moments: Iterable[datetime]) -> np.ndarray:
    if isinstance(moments, (pd.Series, pd.DatetimeIndex)):
        return _column(pd.Series(moments))
    return np.array([_microseconds(moment) for moment in moments], dtype=np.int64)


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
