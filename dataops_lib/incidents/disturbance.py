"""Due times at which a table did not come as promised, from run history and promises."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import accumulate
from typing import Any, Literal

import pandas as pd

from dataops_lib.service_levels import sli
from dataops_lib.teams import history

Kind = Literal["blocked", "late", "missed"]


@dataclass(frozen=True)
class Promise:
    """When a table was due (UTC, in order) and how late it may be; None: no promise."""

    pipeline: str
    table: str
    due_at: tuple[datetime, ...]
    slo_lateness: timedelta | None = None
    sla_lateness: timedelta | None = None


@dataclass(frozen=True)
class Attempt:
    """One row of run history: one table, one try; times are UTC."""

    run_id: str
    table: str
    due_at: datetime
    status: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    published_at: datetime | None = None
    rows: int | None = None
    trigger: str = "scheduled"
    planted: str | None = None

    @property
    def begun_at(self) -> datetime:
        """When it began: as recorded, else when it was due."""
        return self.started_at or self.due_at

    @property
    def earliest_at(self) -> datetime | None:
        """When its rows came, or the earliest time at which they can have come; None: never."""
        if self.published_at is not None or self.status != "published":
            return self.published_at
        return self.begun_at

    @property
    def came_at(self) -> datetime | None:
        """When its rows came; where no publish time was recorded, when it ended or began."""
        if self.published_at is not None or self.status != "published":
            return self.published_at
        return self.finished_at or self.begun_at


@dataclass(frozen=True)
class Disturbance:
    """One table that did not come as promised at one due time.

    `published_at` is when this due time's data came, `current_at` when a reader saw data that was
    not older than due: a later load makes a table current and leaves a gap behind. `slo_missed`
    and `sla_breached` say that it was later than their limits allow, in the minutes by which
    freshness is measured; `alerts_at` is when it became so, None without an SLO.
    """

    table: str
    due_at: datetime
    kind: Kind
    attempts: tuple[Attempt, ...]
    published_at: datetime | None
    current_at: datetime | None
    slo_missed: bool
    sla_breached: bool
    alerts_at: datetime | None
    lasted: timedelta = timedelta(
        0
    )  # from due until current or, while it is not, until the history ends

    @property
    def rows(self) -> int | None:
        """Rows that came late, None while they are unknown."""
        return next((a.rows for a in self.attempts if a.came_at is not None), None)


@dataclass(frozen=True)
class Attempts:
    """The attempts at one table: by due time in the order in which they began."""

    by_due: Mapping[datetime, Sequence[Attempt]] = field(default_factory=dict)

    @cached_property
    def _came(self) -> tuple[list[datetime], list[datetime], list[datetime]]:
        """Due times of what came, and when anything for these or later ones came at first."""
        came = sorted(
            (a.due_at, a.came_at, a.earliest_at)
            for attempts in self.by_due.values()
            for a in attempts
            if a.came_at is not None and a.earliest_at is not None
        )
        due, *moments = ([row[n] for row in came] for n in range(3))
        at, earliest = ([*accumulate(reversed(column), min)][::-1] for column in moments)
        return due, at, earliest

    @cached_property
    def _publishes(self) -> list[datetime]:
        return sorted(self._came_at())

    def _came_at(self) -> Iterator[datetime]:
        return (a.came_at for own in self.by_due.values() for a in own if a.came_at is not None)

    def current_at(self, due_at: datetime) -> tuple[datetime | None, datetime | None]:
        """When data at least as new as `due_at` came, and the earliest it can have come."""
        due, at, earliest = self._came
        place = bisect_left(due, due_at)
        return (at[place], earliest[place]) if place < len(due) else (None, None)

    def last_before(self, moment: datetime) -> datetime | None:
        """The last publication at or before `moment`."""
        place = bisect_right(self._publishes, moment)
        return self._publishes[place - 1] if place else None


def attempts(runs: pd.DataFrame, until: datetime) -> dict[str, Attempts]:
    """Attempts by table, as they were known at `until`.

    Raises
    ------
    ValueError
        If a column is missing, or a time has no zone.
    """
    if missing := [column.name for column in history.RUNS if column.name not in runs]:
        raise ValueError(f"the run history has no column {', '.join(missing)}")
    times = [column.name for column in history.RUNS if column.kind == "time"]
    if naive := [name for name in times if getattr(runs[name].dtype, "tz", None) is None]:
        raise ValueError(f"{', '.join(naive)}: times without a zone; times are UTC")
    began = sli.in_order(history.known_at(runs, until)).drop(columns="pipeline")
    by_table: dict[str, dict[datetime, list[Attempt]]] = defaultdict(lambda: defaultdict(list))
    for row in rows(began):
        attempt = Attempt(**row | {"trigger": row["trigger"] or "scheduled"})
        by_table[attempt.table][attempt.due_at].append(attempt)
    return {table: Attempts(by_due) for table, by_due in by_table.items()}


def rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows with None for what is missing and datetimes for times."""
    names = [str(name) for name in frame.columns]
    columns = []
    for name in names:
        column = frame[name]
        values = column.dt.to_pydatetime() if column.dtype.kind == "M" else column
        columns.append(pd.Series(values, dtype=object).where(column.notna().to_numpy(), None))
    return (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))


def disturbances(promise: Promise, tried: Attempts, until: datetime) -> Iterator[Disturbance]:
    """What went wrong with a table before `until`, by due time."""
    for due_at in promise.due_at[: bisect_left(promise.due_at, until)]:
        own = tried.by_due.get(due_at, ())
        current_at, earliest_at = tried.current_at(due_at)
        lasted = (earliest_at or until) - due_at

        def over(lateness: timedelta | None, lasted: timedelta = lasted) -> bool:
            return lateness is not None and lasted > lateness

        scheduled = next((a for a in own if a.trigger not in sli.RERUNS), None)
        refused = scheduled is not None and scheduled.status in ("blocked", "failed", "skipped")
        may_come = promise.slo_lateness is not None and current_at is None and not own
        absent = scheduled is None and not may_come
        if not (refused or absent or over(promise.slo_lateness)):
            continue
        came_at = min((a.came_at for a in own if a.came_at), default=None)
        in_time = came_at is not None and came_at == current_at
        blocked = scheduled is not None and scheduled.status == "blocked"
        yield Disturbance(
            promise.table,
            due_at,
            "blocked" if blocked else "late" if scheduled and in_time else "missed",
            tuple(own),
            came_at,
            current_at,
            over(promise.slo_lateness),
            over(promise.sla_lateness),
            None if promise.slo_lateness is None else due_at + promise.slo_lateness,
            max(lasted, timedelta(0)),
        )
