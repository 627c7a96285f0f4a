"""A small real lake for the tests: SQLite catalog, Iceberg tables, Parquet files, a clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

from dataops_lib import warehouse

ORDERS = pa.schema([("id", pa.int64()), ("amount", pa.float64()), ("status", pa.string())])
NAME = "marts.orders"
START = datetime(2013, 2, 10, 6, 30, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that only moves when told."""

    at: datetime = field(default=START)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by


def catalog(path: Path) -> SqlCatalog:
    """The catalog of a folder; another call opens the same one."""
    return SqlCatalog("lake", uri=f"sqlite:///{path}/catalog.db", warehouse=f"file://{path}/files")


def with_table(path: Path, schema: pa.Schema = ORDERS, name: str = NAME, **options) -> SqlCatalog:
    """A catalog with one empty table."""
    found = catalog(path)
    warehouse.create_table(found, name, schema, **options)
    return found


def orders(*ids: int, amount: float | None = 1.0, status: str = "paid") -> pa.Table:
    """Orders with these ids."""
    rows = {"id": list(ids), "amount": [amount] * len(ids), "status": [status] * len(ids)}
    return pa.table(rows, schema=ORDERS)


def ids(found: SqlCatalog, name: str = NAME) -> list[int]:
    """Ids that a reader of the published table sees, sorted."""
    return sorted(found.load_table(name).scan().to_arrow()["id"].to_pylist())


def branch_names(found: SqlCatalog, name: str = NAME) -> list[str]:
    """Audit branches of the table."""
    return [ref for ref in found.load_table(name).metadata.refs if ref.startswith("audit-")]


def tags(found: SqlCatalog, name: str = NAME) -> list[str]:
    """Tags of the table."""
    return [ref for ref in found.load_table(name).metadata.refs if "published" in ref]
