"""Prove that no two rows share a key, or count those that do.

Integers that lie close together are proved within the scan of the other checks: one bit for each
possible value, and as many bits set as there are values. For any other key, or when that proof
fails, the hashes of the keys are sorted: none twice is a proof, and of those that stand twice the
keys themselves are compared. Both are exact, and neither takes more than 8 bytes a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from pyiceberg.table import FileScanTask
from pyiceberg.types import NestedField

from dataops_lib.sql import quoted

BATCH_ROWS = 200_000  # hashes handed over at once: they stay in the cache until they are stored
MAX_BITS = 1_000_000_000  # that DuckDB's bitstring_agg takes


def bits(field: NestedField, tasks: Sequence[FileScanTask], threads: int) -> dict[str, str]:
    """SQL aggregates that prove integers unique; none where hashes would take less memory.

    The limits come from the metadata of the files. They need not be tight, and when they are wrong
    the aggregate raises: it never counts a value that it did not see.
    """
    if str(field.field_type) not in ("int", "long"):
        return {}
    limits: list[int] = []
    for task in tasks:
        for bounds in (task.file.lower_bounds, task.file.upper_bounds):
            if field.field_id not in (bounds or {}):
                return {}
            limits.append(int.from_bytes(bounds[field.field_id], "little", signed=True))
    rows = sum(task.file.record_count for task in tasks)
    if not limits or max(limits) - min(limits) >= min(MAX_BITS, 64 * rows // threads):
        return {}
    name = quoted(field.name)
    present = f"bitstring_agg({name}, {min(limits)}, {max(limits)})"
    return {"values": f"count({name})", "different": f"coalesce(bit_count({present}), 0)"}


@dataclass(frozen=True)
class Key:
    """Columns of a `view` of `con` that together name a row; a key with a NULL is no key."""

    con: duckdb.DuckDBPyConnection
    view: str
    columns: tuple[str, ...]

    @property
    def names(self) -> str:
        """The columns as SQL."""
        return ", ".join(quoted(col) for col in self.columns)

    @property
    def whole(self) -> str:
        """SQL predicate of rows with a whole key."""
        return " AND ".join(f"{quoted(col)} IS NOT NULL" for col in self.columns)

    def sort(self, pool: ThreadPoolExecutor) -> Future[np.ndarray]:
        """Fetch the hashes of all keys, and start to sort them; the future gives `twice`."""
        try:
            return pool.submit(_twice, self._hashes())
        except Exception as error:  # the check's failure, told when its turn comes
            failed: Future[np.ndarray] = Future()
            failed.set_exception(error)
            return failed

    def twice(self) -> np.ndarray:
        """Hashes of keys that stand more than once.

        Sorting 8 bytes a row costs an eighth of the CPU and a third of the memory of
        count(DISTINCT).
        """
        return _twice(self._hashes())

    def _hashes(self) -> np.ndarray:
        [[rows]] = self.con.execute(f"SELECT count(*) FROM {self.view}").fetchall()
        hashes, filled = np.empty(rows, np.uint64), 0
        query = f"SELECT hash({self.names}) FROM {self.view} WHERE {self.whole}"
        for batch in self.con.sql(query).to_arrow_reader(BATCH_ROWS):
            hashes[filled : filled + len(batch)] = batch.column(0).to_numpy()
            filled += len(batch)
        return hashes[:filled]

    def shared(self, twice: np.ndarray) -> tuple[dict[str, int], str]:
        """How many rows share their key, and SQL that lists the keys among the hashes `twice`."""
        copies = "copies"
        while copies in {name.lower() for name in self.columns}:
            copies += "_"
        groups = f"""SELECT {self.names}, count(*) AS {copies} FROM {self.view}
            WHERE {self.whole} AND hash({self.names}) IN (SELECT h FROM suspects)
            GROUP BY {self.names} HAVING count(*) > 1"""
        self.con.register("suspects", pa.table({"h": twice}))
        count = f"SELECT coalesce(sum({copies}), 0)::BIGINT, count(*) FROM ({groups})"
        [[failed, keys]] = self.con.execute(count).fetchall()
        numbers = {"failed": failed, "keys": keys, "surplus": failed - keys}
        return numbers, f"{groups} ORDER BY {self.names}"


def _twice(hashes: np.ndarray) -> np.ndarray:
    hashes.sort()
    twice: np.ndarray = hashes[1:][hashes[1:] == hashes[:-1]]
    return twice
