"""What a team's numbers must be, from the words of data/README.md and by counting minutes.

Nothing of the library is used: a promise is read with three patterns, a minute is a byte.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from oracle import plain_cron
from oracle.random_teams import TablePlan, TeamPlan

MINUTE = timedelta(minutes=1)
UNITS = {"minutes": 1, "hours": 60, "day": 1440}
LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Promised:
    """One promise: how late (None for a ratio), the share (None: always), and the period."""

    late: timedelta | None
    share: Fraction | None
    period: str


@dataclass(frozen=True)
class Count:
    """Good of total; what is unknown, and what the rest of a calendar period promises."""

    good: int
    total: int
    unknown: int = 0
    to_come: int = 0


def promised(text: str, monthly: str = "") -> Promised:
    """Read `< 2 hours for 99% (30-day rolling)` or `> 95% (calendar month)`."""
    period = re.search(r"\((.*)\)", text)
    age = re.search(r"< (\d+) (\w+)", text)
    share = re.search(r"([\d.]+)%", text)
    left = re.match(r"([\d.]+)%", monthly)
    ratio = Fraction(share[1]) / 100 if share else 1 - Fraction(left[1]) / 100 if left else None
    late = timedelta(minutes=int(age[1]) * UNITS[age[2]]) if age else None
    return Promised(late, ratio, period[1] if period else "30-day rolling")


def period(name: str, as_of: date, zone: str) -> tuple[datetime, datetime, datetime]:
    """Start, now and end of a period; a rolling one ends now."""
    now = plain_cron.midnight(as_of, zone)
    if days := re.match(r"(\d+)-day", name):
        first = as_of - timedelta(days=int(days[1]))
        return plain_cron.midnight(first, zone), now, now
    kind, first = name.split()[1], as_of - timedelta(days=1)
    same = {
        "week": lambda day: day.isocalendar()[:2],
        "month": lambda day: (day.year, day.month),
        "quarter": lambda day: (day.year, (day.month + 2) // 3),
        "year": lambda day: day.year,
    }[kind]
    last = first
    while same(first - timedelta(days=1)) == same(last):
        first -= timedelta(days=1)
    while same(last + timedelta(days=1)) == same(first):
        last += timedelta(days=1)
    end = plain_cron.midnight(last + timedelta(days=1), zone)
    return plain_cron.midnight(first, zone), now, end


class Seen:
    """What is known of one table at `as_of`: due times, versions, and how each run ended."""

    def __init__(self, team: TeamPlan, table: TablePlan) -> None:
        self.team, self.table = team, table
        self.now = plain_cron.midnight(team.as_of, team.zone)
        texts = [
            text
            for one in table.promises.values()
            if isinstance(one, dict)
            for text in one.values()
        ]
        ends = [period(promised(text).period, team.as_of, team.zone)[2] for text in texts]
        self.all_due = plain_cron.due(
            table.promises.get("schedule", table.schedule),
            table.promises.get("zone", table.zone),
            plain_cron.midnight(table.first_due, table.zone),
            max([self.now, *ends]),
            holidays=table.holidays,
        )
        self.due = [moment for moment in self.all_due if moment < self.now]
        self.rows = [
            seen
            for row in table.rows
            if self._begun(seen := {n: v for n, v in row.items() if n in team.columns}) < self.now
        ]

    def _begun(self, row: dict) -> datetime:
        return row.get("started_at") or row["due_at"]

    def _status(self, row: dict) -> str:
        """How a run ended as far as anybody knew then; what ends later is still at work."""
        if (row.get("published_at") or LAST) < self.now:
            return "published"
        ended = row.get("finished_at") or row.get("published_at")
        return "running" if ended and ended >= self.now else row["status"]

    @property
    def publishes_known(self) -> bool:
        """Whether the file can say when readers saw a version; none published, none seen."""
        words = {row["status"] for row in self.rows}
        return "published_at" in self.team.columns or "published" not in words

    def runs(self, start: datetime, end: datetime) -> Count:
        """Expected runs whose first scheduled attempt published."""
        counts = {"good": 0, "bad": 0, "unknown": 0}
        for moment in (one for one in self.due if start <= one < end):
            tries = [
                row
                for row in self.rows
                if row["due_at"] == moment and row.get("trigger", "scheduled") == "scheduled"
            ]
            word = self._status(min(tries, key=self._order)) if tries else "missing"
            counts[{"published": "good", "running": "unknown"}.get(word, "bad")] += 1
        return Count(counts["good"], counts["good"] + counts["bad"], counts["unknown"])

    def _order(self, row: dict) -> tuple:
        ended = row.get("finished_at") or row.get("published_at") or LAST
        return self._begun(row), ended if ended < self.now else LAST, row["run_id"]

    def current_at(self, moment: datetime) -> datetime:
        """When readers first had a version for the due time `moment`, or a later one."""
        times = [
            row["published_at"]
            for row in self.rows
            if row["due_at"] >= moment and (row.get("published_at") or LAST) < self.now
        ]
        return min(times, default=self.now)

    def late(self, grace: timedelta) -> list[tuple[datetime, datetime, datetime]]:
        """Due time, and the span in which readers waited longer than `grace`, of late runs."""
        spans = [(one, one + grace, self.current_at(one)) for one in self.due]
        return [span for span in spans if span[1] < span[2]]

    def minutes(self, start: datetime, end: datetime, grace: timedelta) -> Count:
        """Minutes of [start, end), from the first one promised, without a late version."""
        if not self.due:
            return Count(0, 0)
        start = max(start, self.due[0] + grace)
        grid = bytearray(max(0, (end - start) // MINUTE))
        for _, begin, until in self.late(grace):
            first = max(0, (begin - start) // MINUTE)
            last = max(first, min(len(grid), (until - start) // MINUTE))
            grid[first:last] = b"\1" * (last - first)
        return Count(grid.count(0), len(grid))

    def days(self, grace: timedelta) -> Count:
        """Days of the last 30, as far as something was promised, without a late minute."""
        good = total = 0
        for back in range(30, 0, -1):
            day = self.team.as_of - timedelta(days=back)
            start = plain_cron.midnight(day, self.team.zone)
            end = plain_cron.midnight(day + timedelta(days=1), self.team.zone)
            count = self.minutes(start, end, grace)
            total += count.total > 0
            good += 0 < count.total == count.good
        return Count(good, total)

    def audited(self) -> Count:
        """Publishes of the last 30 days that passed, of those that passed or were blocked."""
        start = period("30-day rolling", self.team.as_of, self.team.zone)[0]
        words = [self._status(row) for row in self.rows if self._begun(row) >= start]
        passed = words.count("published")
        return Count(passed, passed + words.count("blocked"))

    @property
    def audit_known(self) -> bool:
        """Whether a run was ever blocked: these teams have no contracts."""
        return any(self._status(row) == "blocked" for row in self.rows)

    def against(self, sli: str, promise: Promised) -> Count:
        """An SLI over the period of a promise, with what the rest of it promises."""
        start, now, end = period(promise.period, self.team.as_of, self.team.zone)
        if promise.late is None:
            count = self.runs(start, now)
            rest = sum(now <= one < end for one in self.all_due)
        else:
            if not self.publishes_known:
                return Count(0, 0)
            count = self.minutes(start, now, promise.late)
            from_ = max(now, self.all_due[0] + promise.late) if self.all_due else end
            rest = max(0, (end - from_) // MINUTE)
        return Count(count.good, count.total, count.unknown, rest)


def verdict(count: Count, promise: Promised) -> str:
    """met, breached, not measurable, or unknown under 90 % of what is known."""
    known, bad = count.total + count.unknown, count.total - count.good
    if not count.total or Fraction(count.total, known) < Fraction(9, 10):
        return "unknown"
    if promise.share is None:
        return "breached" if bad else "met"
    whole = count.total + count.to_come
    allowed = whole * (1 - promise.share)
    few = promise.late is None and math.floor(allowed) == 0
    if few and _chance(count.good, count.total, float(promise.share)) >= 0.05:
        return "not measurable"
    return "met" if bad <= allowed else "breached"


def _chance(good: int, total: int, share: float) -> float:
    """The chance of at most `good` of `total` when each is good with the chance `share`."""
    terms = (math.comb(total, n) * share**n * (1 - share) ** (total - n) for n in range(good + 1))
    return math.fsum(terms)
