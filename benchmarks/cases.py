"""One measured case in a fresh process: `python -m benchmarks.cases CASE FOLDER`.

Prints one JSON line; `check_s` is the time of the work itself, without imports and catalog.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks import tables
from dataops_lib import audit, wap, warehouse
from dataops_lib.finding import Finding
from dataops_lib.warehouse import metadata, scan

Result = namedtuple("Result", "passed message")


def floor(folder: Path) -> Callable[[], Any]:
    """A bare DuckDB scan of the columns that the checks read: nothing is judged."""
    import duckdb

    table = tables.load(folder)
    wanted = ", ".join(f"max({name})" for name in tables.COLUMNS[:-1])
    newest = f"epoch_us(max({tables.COLUMNS[-1]}))"

    def scan() -> None:
        paths = [scan.local_path(task.file.file_path) for task in scan.plan(table)]
        with duckdb.connect() as con:
            con.execute(f"SELECT count(*), {wanted}, {newest} FROM read_parquet({paths!r})")
            con.fetchall()

    return scan


def row_checks(folder: Path) -> Callable[[], Any]:
    """Our audit without uniqueness."""
    table = tables.load(folder)
    return lambda: _clean(audit.run(table, tables.ROW_CHECKS, as_of=tables.NEWEST))


def all_checks(folder: Path) -> Callable[[], Any]:
    """Our audit of all checks, uniqueness too."""
    table = tables.load(folder)
    checks = [*tables.ROW_CHECKS, tables.UNIQUE]
    return lambda: _clean(audit.run(table, checks, as_of=tables.NEWEST))


def key_of_two(folder: Path) -> Callable[[], Any]:
    """Our audit of all checks, and a key of two columns: hashes are sorted."""
    table = tables.load(folder)
    checks = [*tables.ROW_CHECKS, audit.unique("order_id", "status")]
    return lambda: _clean(audit.run(table, checks, as_of=tables.NEWEST))


def all_checks_with_faults(folder: Path) -> Callable[[], Any]:
    """Our audit when two checks fail: counts and sample rows too."""
    table = tables.load(folder)
    checks = [*tables.ROW_CHECKS, tables.UNIQUE, audit.accepted("status", ["open"])]
    checks.append(audit.in_range("amount", 0, 50, name="narrow"))
    return lambda: audit.run(table, checks, as_of=tables.NEWEST)


def article(folder: Path) -> Callable[[], Any]:
    """The article's form: each check gets its own `to_pandas()` of the branch."""
    table = tables.load(folder)
    checks: list[Callable[[Any], Result]] = [
        lambda d: Result(len(d) >= 1000, ""),
        *(lambda d, c=c: Result(d[c].notna().all(), "") for c in tables.COLUMNS[:3]),
        lambda d: Result(d.order_id.is_unique, ""),
        lambda d: Result(d.amount.between(0, 10_000).all(), ""),
        lambda d: Result(d.status.isin(tables.STATUSES).all(), ""),
        lambda d: Result(d.ordered_at.max() <= tables.NEWEST, ""),
    ]

    def run() -> None:
        columns = tuple(tables.COLUMNS)  # the article reads every column; this spares it that
        assert all(
            check(table.scan(selected_fields=columns).to_pandas()).passed for check in checks
        )

    return run


def stream_in(folder: Path) -> Callable[[], Any]:
    """10M rows through write_audit_publish as a stream of batches; peak memory is the point."""
    found = tables.catalog(folder)
    name = f"bench.stream_{time.time_ns()}"
    warehouse.create_table(found, name, tables.SCHEMA)

    def batches() -> Iterator[pa.RecordBatch]:
        for first in range(0, 10_000_000, 250_000):
            yield from tables.orders(first, 250_000).to_batches()

    def run() -> None:
        reader = pa.RecordBatchReader.from_batches(tables.SCHEMA, batches())
        checks = [*tables.ROW_CHECKS, tables.UNIQUE]
        now = {"now": lambda: tables.NEWEST}
        assert wap.write_audit_publish(reader, name, checks, catalog=found, **now)

    return run


def growing(folder: Path) -> Callable[[], Any]:
    """Audit of an append, full plan, and publish, as the table grows to 1000 files."""

    def run() -> list[dict[str, float]]:
        found, name = tables.catalog(folder), f"bench.growing_{time.time_ns()}"
        small = {"write.target-file-size-bytes": "60000"}  # about 1000 rows a file
        table = warehouse.create_table(found, name, tables.SCHEMA, properties=small)
        added = [audit.not_null(c, scope="added") for c in tables.COLUMNS]
        rows, first = [], 0
        for files in (1, 10, 100, 1000):
            missing = files - len(scan.plan(table))
            table.append(tables.orders(first, 1000 * missing))
            first += 1000 * missing
            times: dict[str, list[float]] = {"audit_ms": [], "plan_ms": [], "publish_ms": []}
            for _ in range(5):
                _one_publish(found, name, added, times)
            table = found.load_table(name)
            medians = {what: statistics.median(values) for what, values in times.items()}
            rows.append({"files": len(scan.plan(table))} | medians)
        return rows

    return run


def _one_publish(found: Any, name: str, checks: list[Any], times: dict[str, list[float]]) -> None:
    table = found.load_table(name)
    started = time.perf_counter()
    list(table.scan().plan_files())
    times["plan_ms"].append(1000 * (time.perf_counter() - started))
    base = table.current_snapshot().snapshot_id
    branch = f"bench-{time.time_ns()}"
    table.manage_snapshots().create_branch(base, branch).commit()
    table.append(tables.orders(time.time_ns() % 2**40, 1000), branch=branch)
    head = table.metadata.refs[branch].snapshot_id
    started = time.perf_counter()
    _clean(audit.run(table, checks, snapshot_id=head, base_id=base))
    times["audit_ms"].append(1000 * (time.perf_counter() - started))
    started = time.perf_counter()
    change = table.manage_snapshots().set_current_snapshot(snapshot_id=head)
    change.remove_branch(branch).commit()
    times["publish_ms"].append(1000 * (time.perf_counter() - started))


def counts_from_metadata(folder: Path) -> Callable[[], Any]:
    """Rows and missing values of three columns, from the manifests."""
    table = tables.load(folder)
    return lambda: metadata.column_counts(table, ["order_id", "customer_id", "status"])


def counts_from_scan(folder: Path) -> Callable[[], Any]:
    """The same three counts by a scan."""
    table = tables.load(folder)
    checks = [audit.not_null(name) for name in ("order_id", "customer_id", "status")]
    return lambda: audit.run(table, checks)


def _clean(findings: list[Finding]) -> None:
    assert all(finding.status == "ok" for finding in findings), findings


def main() -> None:
    """Run one case and print what it took."""
    case, folder = sys.argv[1], Path(sys.argv[2])
    work = globals()[case](folder)
    started, cpu = time.perf_counter(), time.process_time()
    value = work()
    took = {"check_s": time.perf_counter() - started, "check_cpu_s": time.process_time() - cpu}
    took["peak_mb"] = tables.peak_mb()
    print(json.dumps(took | ({"value": value} if case == "growing" else {})))


if __name__ == "__main__":
    main()
