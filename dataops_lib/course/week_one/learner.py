"""Where one learner's questions come from: a team that can be read and not be harmed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping
from copy import copy
from datetime import date, datetime
from functools import cached_property
from typing import TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pyarrow as pa

from dataops_lib import warehouse
from dataops_lib.course.week_one.question import NoInput
from dataops_lib.errors import DataError
from dataops_lib.evidence import Observed, levels, recompute, series
from dataops_lib.report import tiles as page_tiles
from dataops_lib.service_levels import sli
from dataops_lib.sql import quoted
from dataops_lib.teams import Team
from dataops_lib.teams.models import Catalog
from dataops_lib.warehouse.catalog import SQLITE, ReadOnlyIO

Candidate = TypeVar("Candidate")


def read_only(team: Team) -> Team:
    """The same team; whatever is opened through it can be read, and neither changed nor removed."""
    if team.catalog is None:
        return team
    properties = dict(team.catalog.properties) | {
        "py-io-impl": f"{ReadOnlyIO.__module__}.{ReadOnlyIO.__name__}"
    }
    if (uri := properties.get("uri", "")).startswith(SQLITE):
        path = quote(uri.removeprefix(SQLITE))
        properties |= {
            "uri": f"{SQLITE}file:{path}?mode=ro&uri=true",
            "init_catalog_tables": "false",
        }
    closed = Catalog.model_construct(**(dict(team.catalog) | {"properties": properties}))
    return team.model_copy(update={"catalog": closed})


class Place:
    """Where one learner's questions come from: a team, and numbers drawn by the learner's name."""

    def __init__(self, learner: str, observed: Observed) -> None:
        self.learner = learner
        self.observed = observed
        self.team = observed.team
        self.zone = ZoneInfo(self.team.zone)
        self._newest: dict[tuple[str, int], date] = {}

    def shuffled(self, question: str, candidates: Iterable[Candidate]) -> list[Candidate]:
        """The candidates in an order that is this learner's own, the same on every machine."""
        seed = hashlib.sha256(f"{self.learner}/{self.team.name}/{question}".encode()).digest()
        order = list(candidates)
        random.Random(seed).shuffle(order)  # noqa: S311  numbers of an exercise, not a secret
        return order

    def of(self, learner: str) -> Place:
        """The same place for another learner; what was read already is not read again."""
        other = copy(self)
        other.learner = learner
        return other

    def local(self, moment: datetime) -> datetime:
        """A moment on the team's clocks."""
        return moment.astimezone(self.zone)

    @property
    def runs(self) -> pd.DataFrame:
        """The run history; NoInput without one."""
        if self.team.runs is None:
            raise NoInput("needs a run history: runs.csv")
        return self.team.runs

    @property
    def tables(self) -> list[str]:
        """Published tables that can be read; NoInput without any."""
        if not self.observed.tables:
            raise NoInput("needs a published table, and `catalog:` in team.yaml")
        return list(self.observed.tables)

    @cached_property
    def readers(self) -> duckdb.DuckDBPyConnection:
        """What `ex.sql` asks: copies in memory, and nothing of this machine can be reached."""
        with recompute.connect(self.observed) as views:
            objects = views.execute(
                "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main'"
            ).fetchall()
            objects += views.execute("SELECT table_name FROM duckdb_tables()").fetchall()
            copies = {name: _copied(views, name) for (name,) in objects if name != "frame"}
        return _closed(copies)

    @cached_property
    def by_day(self) -> dict[str, dict[date, int]]:
        """Rows of each day of each published table, as readers see them."""
        return {name: _counted(series.volume(self.observed, name)) for name in self.tables}

    @cached_property
    def attempts(self) -> dict[str, list[tuple[datetime, bool]]]:
        """Due time of each attempt that the run history holds, by table, and if it published."""
        attempts: dict[str, list[tuple[datetime, bool]]] = {t.name: [] for t in self.team.tables}
        rows = self.runs
        dues = [moment.to_pydatetime() for moment in rows["due_at"]]
        for name, due, good in zip(rows["table"], dues, rows["published_at"].notna(), strict=True):
            attempts[name].append((due, bool(good)))
        return attempts

    @cached_property
    def first_attempts(self) -> dict[str, list[tuple[datetime, bool]]]:
        """Each due time of each table, and whether its first scheduled attempt published."""
        first = sli.first_attempts(self.runs)
        good = first[first["status"] == "published"]
        came = set(zip(good["table"], (due.to_pydatetime() for due in good["due_at"]), strict=True))
        return {
            table.name: [(due, (table.name, due) in came) for due in self.observed.due[table.name]]
            for table in self.team.tables
        }

    @cached_property
    def tiles(self) -> tuple[page_tiles.Tile, ...]:
        """The four tiles of page one."""
        return page_tiles.tiles(levels.of_tables(self.observed), {}, "")

    @cached_property
    def landings(self) -> dict[str, pd.DataFrame]:
        """When each table moved for its readers, oldest first."""
        return {
            name: warehouse.landings(table) for name, (table, _) in self.observed.tables.items()
        }

    def newest_at(self, name: str, moment: datetime) -> date:
        """The newest day of data that readers of a table had at `moment`."""
        key = (name, self.seen_at(moment)[name])
        if key not in self._newest:
            column = quoted(self.team.table(name).day_column)
            with duckdb.connect() as views:
                warehouse.view(views, "t", self.observed.tables[name][0], snapshot_id=key[1])
                rows = views.execute(f"SELECT max({column})::DATE FROM t").fetchall()
            self._newest[key] = rows[0][0]
        return self._newest[key]

    def seen_at(self, moment: datetime) -> dict[str, int]:
        """The snapshot of each table that readers had at `moment`."""
        snapshots = {}
        for name, landed in self.landings.items():
            before = landed[landed["published_at"] <= moment]
            if len(before):
                snapshots[name] = int(before.iloc[-1]["snapshot_id"])
        return snapshots

    def sql(self, query: str, at: datetime | str | None = None) -> pd.DataFrame:
        """Rows of a SELECT on what readers see, or saw at the moment `at` of the team's clocks."""
        kinds = {statement.type.name for statement in self.readers.extract_statements(query)}
        if kinds != {"SELECT"}:
            raise DataError("ex.sql reads: write a SELECT")
        if at is None:
            return self.readers.sql(query).df()
        if isinstance(at, str):
            at = datetime.fromisoformat(at)
        if at.tzinfo is None:
            at = at.replace(tzinfo=self.zone)
        copies = {}
        with duckdb.connect() as views:
            for name, snapshot in self.seen_at(at).items():
                warehouse.view(views, name, self.observed.tables[name][0], snapshot_id=snapshot)
                copies[name] = _copied(views, name)
        with _closed(copies) as connection:
            return connection.sql(query).df()


def _counted(counts: pd.DataFrame | None) -> dict[date, int]:
    assert counts is not None
    days = [moment.date() for moment in pd.to_datetime(counts["day"])]
    return dict(zip(days, counts["rows"].astype(int).tolist(), strict=True))


def _copied(connection: duckdb.DuckDBPyConnection, name: str) -> pa.Table:
    return connection.sql(f"SELECT * FROM {quoted(name)}").to_arrow_table()


def _closed(copies: Mapping[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET python_enable_replacements = false")
    for name, rows in copies.items():
        connection.register("arrived", rows)
        connection.execute(f"CREATE TABLE {quoted(name)} AS SELECT * FROM arrived")
        connection.unregister("arrived")
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection
