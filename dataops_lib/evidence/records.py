"""What was observed of a team: promised runs, fresh minutes, filled cells, daily volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import Table

from dataops_lib import playbook, warehouse
from dataops_lib.errors import DataError
from dataops_lib.evidence import recompute
from dataops_lib.evidence.levels import Reading, Seen
from dataops_lib.incidents import incident
from dataops_lib.service_levels import freshness, measurements, severity, sli
from dataops_lib.service_levels.measurements import Minutes
from dataops_lib.service_levels.objectives import SLO, Objective
from dataops_lib.sql import quoted
from dataops_lib.teams import Team
from dataops_lib.warehouse import metadata, scan
from dataops_lib.windows import Window, midnight


class Observed:
    """A team, a period, and everything that its files and tables tell about it.

    Parameters
    ----------
    team : Team
        As `teams.load` gives it.
    days : int
        Length of the period before `team.as_of`, 1 or more.
    """

    def __init__(self, team: Team, days: int = 30) -> None:
        self.team = team
        self.window = team.window(days)
        self._due: dict[str, list[datetime]] = {}
        self._versions: dict[str, pd.DataFrame] = {}
        self._landings: dict[str, pd.DataFrame] = {}

    @cached_property
    def tables(self) -> dict[str, tuple[Table, int]]:
        """Iceberg table and the snapshot that readers saw at `as_of`, for each published table."""
        if self.team.catalog is None:
            return {}
        found: dict[str, tuple[Table, int]] = {}
        for facts in self.team.tables:
            try:
                table = self._catalog.load_table(f"{self.team.catalog.namespace}.{facts.name}")
            except (NoSuchTableError, NoSuchNamespaceError):
                continue
            except Exception as error:
                raise self._unreachable(error) from None
            landings = warehouse.landings(table)
            seen = landings[landings["published_at"] < self.team.as_of_at]
            if len(seen):
                last = seen.sort_values("published_at").iloc[-1]
                found[facts.name] = (table, int(last["snapshot_id"]))
        return found

    @cached_property
    def _catalog(self) -> Catalog:
        try:
            return warehouse.open(self.team)
        except Exception as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> DataError:
        """Says what failed, not how: the words of a driver can hold addresses and passwords."""
        return DataError(
            f"the catalog of {self.team.name!r} cannot be read ({type(error).__name__}); "
            "compare `catalog:` in team.yaml and the environment with what the catalog expects"
        )

    # -- what was promised

    def promises(self, table: str) -> dict[str, SLO]:
        """The SLOs of `table` by SLI; empty when it promises nothing."""
        return {slo.sli: slo for slo in self.team.slos or () if slo.table == table}

    def due(self, table: str) -> list[datetime]:
        """All times before `as_of` at which `table` was due."""
        if table not in self._due:
            first = midnight(self.team.pipeline_of(table).first_due, self.team.zone)
            start = min(first, self.window.start)
            self._due[table] = self.team.expected(table, Window(start, self.window.end))
        return self._due[table]

    def grace(self, table: str) -> timedelta:
        """How late `table` may be by its own freshness SLO; 0 when it promises nothing."""
        promise = self.promises(table).get("freshness")
        return _limit(promise.objective) if promise else timedelta(0)

    def required(self, table: str) -> Sequence[str]:
        """Columns that the contract of `table` says are never NULL; none if one does not exist."""
        agreed = (self.team.contracts or {}).get(table)
        if agreed is None or table not in self.tables:
            return []
        iceberg, snapshot = self.tables[table]
        known = set(scan.schema_of(iceberg, snapshot).column_names)
        names = [column.name for column in agreed.columns if column.required]
        return names if set(names) <= known else []

    def _promised(self, table: str, window: Window, grace: timedelta) -> Window | None:
        """The part of `window` in which something was promised; None when nothing was."""
        first = self.due(table)[:1]
        start = max(window.start, first[0] + grace) if first else window.end
        return Window(start, window.end) if start < window.end else None

    # -- what happened

    def seen(self) -> tuple[Seen, ...]:
        """What was observed of every table, in order of tier and name."""
        ordered = sorted(self.team.tables, key=lambda table: (table.tier, table.name))
        return tuple(
            Seen(facts, self.promises(n), self.readings(n), self.fresh_days(n), self.publishes(n))
            for facts, n in ((facts, facts.name) for facts in ordered)
        )

    def readings(self, table: str) -> dict[str, Reading]:
        """Each SLI that can be measured, over the report's period and those of its promise."""
        found: dict[str, Reading] = {}
        promises = self.promises(table)
        for name, measure in (
            ("freshness", self.freshness),
            ("pipeline_success_rate", self.success),
            ("completeness", self.completeness),
        ):
            promise = promises.get(name)
            objective = promise.objective if promise else None
            shown = measure(table, self.window, objective)
            if shown is None:
                continue
            found[name] = Reading(
                shown,
                measure(table, self._window_of(objective), objective) or shown,
                measure(table, self._window_of(promise.sla), promise.sla) or shown
                if promise and promise.sla
                else None,
            )
        return found

    def _window_of(self, objective: Objective | None) -> Window:
        if objective is None or objective.period is None:
            return self.window
        return objective.period.window(self.team.as_of, self.team.zone)

    def versions(self, table: str) -> pd.DataFrame | None:
        """Publishes that moved `table` forward: due_at, at, good_until; None when nothing is known.

        A publish for an older due time than one already there is a backfill: it does not refresh.
        A version is good until `grace` after its successor was due, whenever it came itself.
        """
        runs = self.team.runs
        if runs is None:
            return None
        if table not in self._versions:
            self._versions[table] = self._moved(runs[runs["table"] == table], table)
        return self._versions[table]

    def _moved(self, runs: pd.DataFrame, table: str) -> pd.DataFrame:
        published = runs[runs["published_at"].notna()].sort_values("published_at")
        newest = published["due_at"].cummax().shift()
        moved = published[newest.isna() | (published["due_at"] > newest)]
        due, grace = self.due(table), self.grace(table)
        rows = []
        for due_at, at in zip(moved["due_at"], moved["published_at"], strict=True):
            succeeded = next((moment for moment in due if moment > due_at), self.window.end)
            rows.append((due_at, at, max(at, succeeded + grace)))
        return pd.DataFrame(rows, columns=["due_at", "at", "good_until"])

    def freshness(
        self, table: str, window: Window, objective: Objective | None = None
    ) -> measurements.Measurement | None:
        """Minutes of `window` in which `table` was not later than `objective` allows."""
        grace = _limit(objective) if objective else timedelta(0)
        versions, promised = self.versions(table), self._promised(table, window, grace)
        if versions is None or promised is None:
            return None
        span: dict[str, Any] = {"start": promised.start, "end": promised.end}
        minutes = freshness.lateness(
            versions["at"], self.due(table), **span, grace=grace, landed_for=versions["due_at"]
        )
        how, seen = minutes.how, minutes.observations
        return measurements.Measurement(minutes.good, minutes.total, 0, "run history", how, seen)

    def landings(self, table: str) -> pd.DataFrame | None:
        """published_at, newest_event_at and how of each publish before `as_of`; None without it."""
        if table not in self.tables:
            return None
        if table not in self._landings:
            day = self.team.table(table).day_column
            zone, until = self.team.zone, self.team.as_of_at
            found = metadata.reached(self.tables[table][0], day, zone=zone, until=until)
            self._landings[table] = found
        return self._landings[table]

    def ages(
        self, table: str, window: Window, *, landing: timedelta, content: timedelta
    ) -> dict[str, Minutes]:
        """Minutes in which the last publish was at most `landing` old, the newest record `content`.

        Two SLIs: the pipeline's clock and the reader's. Empty when nothing is known or promised.
        """
        landings, promised = self.landings(table), self._promised(table, window, self.grace(table))
        if landings is None or promised is None:
            return {}
        span: dict[str, Any] = {"start": promised.start, "end": promised.end}
        found = {
            "landing age": freshness.freshness(landings["published_at"], **span, max_age=landing)
        }
        if landings.empty or landings["newest_event_at"].notna().any():
            newest = freshness.content_freshness(landings, **span, max_age=content)
            found["content age"] = replace(newest, source=" and ".join(set(landings["how"])))
        return found

    def fresh_days(self, table: str) -> measurements.Measurement | None:
        """Days of the period on which `table` was never later than its SLO allows."""
        promise = self.promises(table).get("freshness")
        grace = self.grace(table)
        promised = self._promised(table, self.window, grace)
        if promised is None or self.team.runs is None:
            return None
        objective = promise.objective if promise else None
        days = [self.freshness(table, day, objective) for _, day in promised.days(self.team.zone)]
        good = sum(day is not None and day.good == day.total for day in days)
        how = "days without a stale minute"
        return measurements.Measurement(good, len(days), 0, "run history", how, len(days))

    def success(
        self, table: str, window: Window, _: Objective | None = None
    ) -> measurements.Measurement | None:
        """Expected runs of `window` whose first scheduled attempt published."""
        runs = self.team.runs
        if runs is None:
            return None
        return sli.success(runs[runs["table"] == table], self.team.expected(table, window))

    def publishes(self, table: str) -> measurements.Measurement | None:
        """Audited publishes of the period that passed."""
        runs = self.team.runs
        if runs is None:
            return None
        within = (runs["started_at"] >= self.window.start) & (runs["started_at"] < self.window.end)
        status = runs[within & (runs["table"] == table)]["status"]
        good, blocked = int((status == "published").sum()), int((status == "blocked").sum())
        total = good + blocked
        return measurements.Measurement(good, total, 0, "run history", "audited publishes", total)

    def completeness(
        self, table: str, _: Window | None = None, __: Objective | None = None
    ) -> measurements.Measurement | None:
        """Required cells that are not NULL in what readers saw at `as_of`."""
        required = self.required(table)
        if not required:
            return None
        iceberg, snapshot = self.tables[table]
        counts = metadata.column_counts(iceberg, list(required), snapshot_id=snapshot)
        total = int(counts["rows"].sum())
        good = total - int(counts["missing"].sum())
        how = "; ".join(sorted({str(why) for why in counts["why"] if why}))
        source = " and ".join(sorted(set(counts["how"])))
        return measurements.Measurement(good, total, 0, source, how, int(counts["rows"].max()))

    # -- incidents

    @cached_property
    def incidents(self) -> tuple[incident.Incident, ...]:
        """Incidents known at `as_of`, oldest first; empty without a run history."""
        if self.team.runs is None:
            return ()
        return tuple(
            incident.derive(
                self.team.runs,
                [self._incident_promise(facts.name) for facts in self.team.tables],
                until=self.team.as_of_at,
                severity=self._severity,
                alerts=self.team.alerts,
                consumers=self.team.consumers,
                zone=self.team.zone,
                findings=self.team.audits,
            )
        )

    def _incident_promise(self, table: str) -> incident.Promise:
        promise = self.promises(table).get("freshness")
        slo = _limit(promise.objective) if promise else None
        sla = _limit(promise.sla) if promise and promise.sla else None
        pipeline = self.team.table(table).pipeline
        return incident.Promise(pipeline, table, tuple(self.due(table)), slo, sla)

    @cached_property
    def _severities(self) -> severity.Severities:
        return severity.load_severities(playbook.text("severity.yaml"))

    def _severity(
        self, table: str, slo_missed: bool, sla_breached: bool, lasted: timedelta
    ) -> str | None:
        if not slo_missed and not sla_breached:
            return None
        state: severity.State = "sla_breached" if sla_breached else "slo_missed"
        tier = self.team.table(table).tier
        return severity.severity(tier, state, lasted, self._severities)

    # -- series and queries

    def volume(self, table: str) -> pd.DataFrame | None:
        """day, rows: rows by day of data, from one scan; None without the table."""
        if table not in self.tables:
            return None
        column = quoted(self.team.table(table).day_column)
        select = f"SELECT CAST({column} AS DATE) AS day, count(*) AS rows FROM {quoted(table)}"
        return self._table_of(table, f"{select} GROUP BY 1 ORDER BY 1", "tables: day_column")

    def daily(self) -> pd.DataFrame | None:
        """The series of the team's picture: `day` and its numbers; None without its table."""
        picture = self.team.picture
        if picture is None or picture.table not in self.tables:
            return None
        return self._table_of(picture.table, picture.query, "picture: query")

    def _table_of(self, table: str, query: str, field: str) -> pd.DataFrame:
        with duckdb.connect() as connection:
            self._register(connection, table)
            try:
                return connection.sql(query).df()
            except duckdb.Error as error:
                raise DataError(f"team.yaml: {field} of {table}: {error}") from None

    def planted_days(self) -> dict[date, str]:
        """Days of data whose load met a planted fault; empty outside of example teams."""
        runs, zone = self.team.runs, ZoneInfo(self.team.zone)
        if runs is None:
            return {}
        planted = runs[runs["planted"].notna()]
        due = [moment.astimezone(zone).date() for moment in planted["due_at"]]
        days = [day - timedelta(days=1) for day in due]
        return dict(zip(days, planted["planted"], strict=True))

    def _register(self, connection: duckdb.DuckDBPyConnection, table: str) -> None:
        iceberg, snapshot = self.tables[table]
        warehouse.view(connection, table, iceberg, snapshot_id=snapshot)

    def queries(self) -> dict[str, str]:
        """The SQL that recomputes each tile, to be run on `connect()`."""
        first = [facts.name for facts in self.team.tables if facts.tier == 1]
        named = {facts.name: self.required(facts.name) for facts in self.team.tables}
        required = {table: columns for table, columns in named.items() if columns}
        return {
            "freshness": recompute.fresh_days(first) if first else "",
            "success": recompute.first_attempts(self.window),
            "completeness": recompute.filled_cells(required) if required else "",
            "publishes": recompute.audited_publishes(self.window),
        }

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB with the published tables, `runs`, `expected`, `versions` and `days`."""
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        for table in self.tables:
            self._register(connection, table)
        days: list[dict[str, object]] = []
        versions: list[pd.DataFrame] = []
        for name in (facts.name for facts in self.team.tables):
            promised = self._promised(name, self.window, self.grace(name))
            for day, span in promised.days(self.team.zone) if promised else ():
                row = {"table": name, "day": day, "starts_at": span.start, "ends_at": span.end}
                days.append(row)
            if (frame := self.versions(name)) is not None:
                versions.append(frame.assign(table=name))
        expected = [
            {"table": one.name, "tier": one.tier, "due_at": due, "grace": self.grace(one.name)}
            for one in self.team.tables
            for due in self.due(one.name)
        ]
        frames = {"expected": pd.DataFrame(expected), "days": pd.DataFrame(days)}
        if versions:
            found = pd.concat(versions, ignore_index=True)
            times = dict.fromkeys(("due_at", "at", "good_until"), "datetime64[us, UTC]")
            frames["versions"] = found.astype(times)  # also when nothing was ever published
        if self.team.runs is not None:
            frames["runs"] = self.team.runs
        for name, frame in frames.items():
            if len(frame.columns):
                connection.register("frame", frame)
                connection.execute(f"CREATE TABLE {name} AS SELECT * FROM frame")
        return connection


def _limit(objective: Objective) -> timedelta:
    return objective.limit if isinstance(objective.limit, timedelta) else timedelta(0)
