"""Tables to measure on: generated orders, the same for every case of a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

from dataops_lib import audit, warehouse

NAME = "bench.orders"
NEWEST = datetime(2013, 3, 1, tzinfo=UTC)
STATUSES = ["open", "paid", "shipped", "returned"]
COLUMNS = ["order_id", "customer_id", "amount", "status", "ordered_at"]  # that the checks read
SCHEMA = pa.schema(
    [
        ("order_id", pa.int64()),
        ("customer_id", pa.int64()),
        ("amount", pa.float64()),
        ("status", pa.string()),
        ("ordered_at", pa.timestamp("us", "UTC")),
        ("note", pa.string()),
    ]
)
ROW_CHECKS = [
    audit.rows_at_least(1000),
    audit.not_null("order_id"),
    audit.not_null("customer_id"),
    audit.not_null("amount"),
    audit.in_range("amount", 0, 10_000),
    audit.accepted("status", STATUSES),
    audit.fresh("ordered_at", timedelta(days=2)),
]
UNIQUE = audit.unique("order_id")


def catalog(folder: Path) -> SqlCatalog:
    """The catalog of a benchmark folder."""
    uri, files = f"sqlite:///{folder}/catalog.db", f"file://{folder}/files"
    return SqlCatalog("bench", uri=uri, warehouse=files)


def load(folder: Path, name: str = NAME) -> Table:
    """A table of the folder."""
    return catalog(folder).load_table(name)


def orders(first: int, rows: int) -> pa.Table:
    """Clean orders with ids from `first` on, in random order."""
    dice = np.random.default_rng(first)
    seconds = dice.integers(0, 30 * 86400, rows)
    micros = np.datetime64(NEWEST.replace(tzinfo=None), "us") - seconds * np.timedelta64(1, "s")
    values = [
        pa.array(dice.permutation(rows) + first),
        pa.array(dice.integers(0, 1_000_000, rows)),
        pa.array(np.round(dice.gamma(2.0, 40.0, rows), 2)),
        pa.array(np.array(STATUSES)[dice.integers(0, len(STATUSES), rows)]),
        pa.array(micros).cast(pa.timestamp("us", "UTC")),
        pa.array([f"note {n % 1000}" for n in range(rows)]),
    ]
    return pa.table(values, schema=SCHEMA)


def build(folder: Path, rows: int, *, files: int = 4, name: str = NAME) -> Table:
    """A table of `rows` in `files` data files, made once per folder."""
    found = catalog(folder)
    if found.table_exists(name):
        return found.load_table(name)
    table = warehouse.create_table(found, name, SCHEMA)
    each = rows // files
    for number in range(files):
        table.append(orders(number * each, each))
    return table


def peak_mb() -> float:
    """Most memory this process ever held; wait4 would also count its parent before exec."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
