"""The records of a team: what was due, which versions came, what its tables hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import Table

from dataops_lib import warehouse
from dataops_lib.errors import DataError
from dataops_lib.service_levels.objectives import SLO
from dataops_lib.teams import Team
from dataops_lib.warehouse import metadata
from dataops_lib.windows import Window, midnight


@dataclass(frozen=True, eq=False)
class Observed:
    """A team, a period, and the records that everything about it is computed from.

    Records are read when they are first asked for, and stay as they are. What measures them stands
    in `levels`, `series` and `incidents`.

    Parameters
    ----------
    team : Team
        As `teams.load` gives it.
    days : int
        Length of the period before `team.as_of`, 1 or more.
    """

    team: Team
    days: int = 30

    @cached_property
    def window(self) -> Window:
        """The period that a report is about."""
        return self.team.window(self.days)

    @cached_property
    def due(self) -> Mapping[str, tuple[datetime, ...]]:
        """All times before `as_of` at which each table was due, in order."""
        return {table.name: self._due(table.name) for table in self.team.tables}

    def _due(self, table: str) -> tuple[datetime, ...]:
        pipeline = self.team.pipeline_of(table)
        first = midnight(pipeline.first_due, pipeline.zone or self.team.zone)
        start = min(first, self.window.start)
        return tuple(self.team.expected(table, Window(start, self.window.end)))

    @cached_property
    def attempts(self) -> Mapping[str, pd.DataFrame]:
        """The rows of run history of each table; {} without a run history."""
        runs = self.team.runs
        if runs is None:
            return {}
        rows = dict(iter(runs.groupby("table")))
        return {table.name: rows.get(table.name, runs[:0]) for table in self.team.tables}

    @cached_property
    def versions(self) -> Mapping[str, pd.DataFrame]:
        """Publishes that moved each table forward: due_at, at, good_until; {} without run history.

        A table whose runs published at times that nobody recorded is left out. A publish for an
        older due time than one already there is a backfill: it does not refresh. A version is good
        until its successor was due, and as much later as the promise allows.
        """
        return {
            name: self._moved(runs, name)
            for name, runs in self.attempts.items()
            if runs["published_at"].notna().any() or not (runs["status"] == "published").any()
        }

    def _moved(self, runs: pd.DataFrame, table: str) -> pd.DataFrame:
        published = runs[runs["published_at"].notna()].sort_values(["published_at", "due_at"])
        newest = published["due_at"].cummax().shift()
        moved = published[newest.isna() | (published["due_at"] > newest)]
        due = pd.DatetimeIndex([*self.due[table], self.window.end], dtype="datetime64[us, UTC]")
        following = np.minimum(due[:-1].searchsorted(moved["due_at"], "right"), len(due) - 1)
        expires = due[following] + (grace(self.team, table) or timedelta(0))
        at = pd.DatetimeIndex(moved["published_at"])
        frame = {"due_at": moved["due_at"].array, "at": at, "good_until": np.maximum(at, expires)}
        return pd.DataFrame(frame)

    @cached_property
    def tables(self) -> Mapping[str, tuple[Table, int]]:
        """Iceberg table and the snapshot that readers saw at `as_of`, for each published table."""
        if self.team.catalog is None:
            return {}
        published: dict[str, tuple[Table, int]] = {}
        for facts in self.team.tables:
            try:
                table = self._catalog.load_table(f"{self.team.catalog.namespace}.{facts.name}")
            except (NoSuchTableError, NoSuchNamespaceError):
                continue
            except Exception as error:
                raise self._unreachable(error) from None
            landings = warehouse.landings(table)
            before = landings[landings["published_at"] < self.team.as_of_at]
            if len(before):
                last = before.sort_values("published_at").iloc[-1]
                if pd.isna(last["snapshot_id"]):
                    raise DataError(
                        f"what readers of {facts.name} saw at {self.team.as_of_at:%Y-%m-%d %H:%M}Z "
                        "was retired (`dataops wap tidy`), so no report of that day can be made. "
                        "Choose a later day"
                    )
                published[facts.name] = (table, int(last["snapshot_id"]))
        return published

    @cached_property
    def landings(self) -> Mapping[str, pd.DataFrame]:
        """published_at, newest_event_at and how of each publish, by published table."""
        team = self.team
        return {
            name: metadata.reached(
                table, team.table(name).day_column, zone=team.zone, until=team.as_of_at
            )
            for name, (table, _) in self.tables.items()
        }

    @cached_property
    def _catalog(self) -> Catalog:
        assert self.team.catalog is not None  # `tables` asks first
        try:
            return warehouse.open(self.team.catalog)
        except DataError as error:
            raise DataError(f"the catalog of {self.team.name!r} cannot be read: {error}") from None
        except Exception as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> DataError:
        """Says what failed, not how: the words of a driver can hold addresses and passwords."""
        return DataError(
            f"the catalog of {self.team.name!r} cannot be read ({type(error).__name__}); "
            "compare `catalog:` in team.yaml and the environment with what the catalog expects"
        )


def promises(team: Team, table: str) -> dict[str, SLO]:
    """The SLOs of `table` by SLI; empty when it promises nothing.

    A deadline ("before 07:00") stands as an age past the table's last due time.
    """
    slos = {slo.sli: slo for slo in team.slos or () if slo.table == table}
    fresh = slos.get("freshness")
    if fresh and (fresh.objective.by or (fresh.sla and fresh.sla.by)):
        due = team.expected(table, team.window(40)) or [team.as_of_at]
        sla = fresh.sla.due_at(due[-1]) if fresh.sla else None
        slos["freshness"] = replace(fresh, objective=fresh.objective.due_at(due[-1]), sla=sla)
    return slos


def grace(team: Team, table: str) -> timedelta | None:
    """How late `table` may be by its own freshness SLO; None when it promises nothing."""
    promise = promises(team, table).get("freshness")
    limit = promise.objective.limit if promise else None
    return limit if isinstance(limit, timedelta) else None
