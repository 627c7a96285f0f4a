"""Which past counts a day's rows are compared with, and the band that these accept."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Literal

WEEKS = 8  # level changes are learned, seasons forgotten
MINIMUM = 4  # counts; below, a median says nothing
LIMIT = 5.0  # robust standard deviations; on NAB's taxi days 4 of 5 events for 2 false alarms
FLOOR = math.log(1.05)  # 5 %: a quiet history must not turn ripples into alarms
SHIFT_DAYS, SHIFTED = 7, 5  # ours: a new level is normal once 5 of 7 days agree on it
YEAR = timedelta(days=400)  # how far back another first of the month is looked for


@dataclass(frozen=True)
class Band:
    """What `observations` alike counts accept: from `low` to `high`, `usual` in the middle.

    `scale` is one robust standard deviation of the logs: 1.4826 x MAD, at least the floor.
    """

    low: float
    usual: float
    high: float
    scale: float
    observations: int


def band(past: Sequence[float], *, limit: float = LIMIT, floor: float = FLOOR) -> Band | None:
    """The band around the median of the `past` counts above 0; None with fewer than four.

    Examples
    --------
    >>> accepted = band([1000] * 8)
    >>> round(accepted.low), round(accepted.high)
    (784, 1276)
    """
    logs = [math.log(count) for count in past if count > 0]
    if len(logs) < MINIMUM:
        return None
    middle = statistics.median(logs)
    mad = statistics.median(abs(value - middle) for value in logs)
    scale = max(1.4826 * mad, floor)
    low, usual, high = (math.exp(middle + side * limit * scale) for side in (-1, 0, 1))
    return Band(low, usual, high, scale, len(logs))


def alike(
    day: date, counts: Mapping[date, float], weeks: int = WEEKS, holidays: Collection[date] = ()
) -> list[float]:
    """Known counts of the same weekday in the `weeks` before `day`, the oldest first.

    Examples
    --------
    >>> alike(date(2013, 3, 12), {date(2013, 3, 5): 7, date(2013, 3, 6): 9})
    [7]
    """
    days = (day - timedelta(weeks=back) for back in range(weeks, 0, -1))
    return [counts[past] for past in days if past in counts and past not in holidays]


@dataclass(frozen=True)
class Judgement:
    """What is said of one day's rows.

    `score` is in robust standard deviations, None where there is none; `usual` what was expected,
    None where that is not known, from `observations` past counts.
    """

    verdict: Literal["ok", "fail", "unknown"]
    score: float | None
    usual: float | None
    observations: int
    why: str = ""


def judge(
    rows: float | None, past: Sequence[float], *, limit: float = LIMIT, floor: float = FLOOR
) -> Judgement:
    """Hold `rows` against the `past` counts of days like this one; no rows fail by rule."""
    counts = [count for count in past if count > 0]
    usual, n = statistics.median(counts) if counts else None, len(counts)
    if rows is None or math.isnan(rows):
        return Judgement("unknown", None, usual, n, "no count")
    if rows <= 0:
        return Judgement("fail", None, usual, n, "zero rows")
    accepted = band(counts, limit=limit, floor=floor)
    if accepted is None:
        return Judgement("unknown", None, usual, n, f"{n} of {MINIMUM} same weekdays seen")
    score = (math.log(rows) - math.log(accepted.usual)) / accepted.scale
    return Judgement("fail" if abs(score) > limit else "ok", score, usual, n)


def z_score(rows: float, week: Sequence[float], limit: float) -> Judgement:
    """The article's score: `rows` against mean and standard deviation of seven days."""
    n = len(week)
    if n < 7 or math.isnan(sum(week) + rows):
        return Judgement("unknown", None, None, n, "no count" if n == 7 else f"{n} of 7 days seen")
    middle = statistics.fmean(week)
    if min(week) == max(week):
        return Judgement("unknown", None, middle, n, "no spread")
    score = (rows - middle) / statistics.stdev(week)
    return Judgement("fail" if abs(score) > limit else "ok", score, middle, n)


def series(
    counts: Iterable[tuple[date, float | None]],
    *,
    limit: float = LIMIT,
    holidays: Collection[date] = (),
) -> list[Judgement]:
    """Each day's rows against the days before it; `counts` come in the order of days.

    Flagged days and holidays teach nothing, until seven days agree on a new level, or five of
    them: that is said once, and from the next day on it is normal. The first of a month is compared
    with earlier ones as soon as four are known. Days without rows are ordinary where the two weeks
    before had none on that weekday, and rows on others.
    """
    history, judged = _History(), []
    for day, rows in counts:
        judgement = judge(rows, history.like(day), limit=limit)
        if day in holidays:
            judged.append(replace(judgement, verdict="unknown", why="holiday"))
            continue
        if rows == 0 and history.closed(day):
            judgement = replace(judgement, verdict="ok", why="no rows, as on this weekday before")
        if rows is not None and not math.isnan(rows):
            judgement = history.learn(day, rows, judgement, limit)
        judged.append(judgement)
    return judged


@dataclass
class _History:
    """What the days so far have taught, and the last of them that may be a new level."""

    recorded: dict[date, float] = field(default_factory=dict)
    normal: dict[date, float] = field(default_factory=dict)
    firsts: dict[date, float] = field(default_factory=dict)  # rows / usual of that weekday
    recent: list[tuple[date, float, Judgement]] = field(default_factory=list)

    def like(self, day: date) -> list[float]:
        """Counts of the same weekday; on the first of a month as earlier firsts differed."""
        past = alike(day, self.normal)
        ratios = [ratio for first, ratio in self.firsts.items() if day - first <= YEAR]
        if day.day != 1 or len(ratios) < MINIMUM or (weekday := band(past)) is None:
            return past
        return [weekday.usual * ratio for ratio in ratios]

    def closed(self, day: date) -> bool:
        """Whether nothing is expected: no rows twice on this weekday, and rows since."""
        past = alike(day, self.recorded)
        week = (self.recorded.get(day - timedelta(days=back), 0) for back in range(1, 7))
        return len(past) > 1 and past[-2:] == [0, 0] and any(rows > 0 for rows in week)

    def learn(self, day: date, rows: float, judgement: Judgement, limit: float) -> Judgement:
        """Keep what `day` teaches, and name the level shift that it completes."""
        weekday = band(alike(day, self.normal))
        self.recorded[day] = rows
        if day.day == 1 and weekday is not None and rows > 0:
            self.firsts[day] = rows / weekday.usual
        if rows > 0 and judgement.verdict != "fail":
            self.normal[day] = rows
        self.recent = [*self.recent, (day, rows, judgement)][-SHIFT_DAYS:]
        since = self._shift(limit)
        if since is None:
            return judgement
        return replace(judgement, why=f"new level since {since}, normal from now on")

    def _shift(self, limit: float) -> date | None:
        """The first day of a new level that enough days agree on; it is then taken as normal."""
        flagged = [
            (day, rows, math.log(rows / judgement.usual), judgement.score)
            for day, rows, judgement in self.recent
            if judgement.verdict == "fail" and judgement.score and judgement.usual
        ]
        if len(flagged) < SHIFTED or len(self.recent) < SHIFT_DAYS:
            return None
        since, change = flagged[0][0], statistics.median(change for _, _, change, _ in flagged)
        reach = limit * statistics.median(change / score for _, _, change, score in flagged)
        agree = all(abs(own - change) <= reach for _, _, own, _ in flagged)
        if since != self.recent[0][0] or not agree:  # the days before it were of the old level
            return None
        moved = {day.weekday() for day, _, _, _ in flagged}
        for day in self.normal:
            if day.weekday() in moved:
                self.normal[day] *= math.exp(change)
        self.normal |= {day: rows for day, rows, _, _ in flagged}
        self.recent = []
        return since
