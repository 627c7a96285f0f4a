"""Measure, compare, write RESULTS.md: `python -m benchmarks [--quick] [--runs 5]`.

Each case is a fresh process, cases are interleaved so that a busy moment hits all of them, and the
median counts. Times are ratios to a bare DuckDB scan of the same columns in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path

from benchmarks import freshness, soda, tables

HERE = Path(__file__).parent
AUDITS = {
    "floor": "bare DuckDB scan of the columns",
    "row_checks": "ours, six checks without uniqueness",
    "all_checks": "ours, six checks and unique",
    "key_of_two": "ours, six checks and unique over two columns",
    "all_checks_with_faults": "ours, with two failing checks and their rows",
    "soda": "Soda 4 (DuckDB)",
    "article": "the article's form, `to_pandas` per check",
}
LIBRARIES = ("pyiceberg", "duckdb", "pyarrow", "pandas", "numpy")


def measure(case: str, folder: Path, python: str = sys.executable) -> dict:
    """Run one case in a fresh process; its own times, and those of the whole process."""
    command = [python, "-m", "benchmarks.cases", case, str(folder)]
    if case == "soda":
        command = soda.command(folder)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{case} failed with exit code {process.returncode}")
    found = json.loads(output.strip().splitlines()[-1])
    return found | {"process_cpu_s": usage.ru_utime + usage.ru_stime}


def compare(folder: Path, rows: int, runs: int, cases: list[str]) -> str:
    """The audit table for one size."""
    tables.build(folder, rows)
    found: dict[str, list[dict]] = {case: [] for case in cases}
    for run in range(runs):
        for case in cases:
            if case == "article" and run > 2:
                continue  # three are enough for what is many times slower
            found[case].append(measure(case, folder))
            print(f"{rows:,} rows, run {run + 1}: {case} {found[case][-1]['check_s']:.2f} s")

    def median(case: str, what: str) -> float:
        return statistics.median(one[what] for one in found[case])

    lines = [
        f"### {rows:,} rows",
        "",
        "| method | s | x floor | CPU s | CPU x floor | process CPU s | peak MB |",
        "|---|---|---|---|---|---|---|",
    ]
    wall, cpu = median("floor", "check_s"), median("floor", "check_cpu_s")
    for case in cases:
        seconds, used = median(case, "check_s"), median(case, "check_cpu_s")
        lines.append(
            f"| {AUDITS[case]} | {seconds:.2f} | {seconds / wall:.2f} | {used:.2f} "
            f"| {used / cpu:.2f} | {median(case, 'process_cpu_s'):.1f} "
            f"| {median(case, 'peak_mb'):.0f} |"
        )
    return "\n".join(lines)


def others(folder: Path) -> str:
    """Growth, metadata against a scan, memory of a stream."""
    growing = measure("growing", folder)["value"]
    lines = ["### As the table grows", "", "| files in main | audit of an append, ms | publish, ms "
             "| full plan, ms |", "|---|---|---|---|"]  # fmt: skip
    for row in growing:
        lines.append(
            f"| {row['files']:.0f} | {row['audit_ms']:.0f} | {row['publish_ms']:.0f} "
            f"| {row['plan_ms']:.0f} |"
        )
    metadata, scan = (
        statistics.median(measure(case, folder)["check_s"] for _ in range(3))
        for case in ("counts_from_metadata", "counts_from_scan")
    )
    streamed = measure("stream_in", folder)
    lines += [
        "",
        "### Counts from metadata, and a stream",
        "",
        f"- Rows and missing values of three columns of 10M rows: {1000 * metadata:.0f} ms from "
        f"metadata, {1000 * scan:.0f} ms by a scan.",
        f"- 10M rows streamed through write_audit_publish: {streamed['check_s']:.0f} s, peak "
        f"{streamed['peak_mb']:.0f} MB.",
    ]
    return "\n".join(lines)


def machine() -> str:
    """What this was measured on."""
    names = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    load = os.getloadavg()[0]
    return (
        f"Measured on {date.today().isoformat()}: {os.cpu_count()} cores, {platform.machine()}, "  # noqa: DTZ011
        f"{platform.system()}, Python {platform.python_version()}, {names}{soda.versions()}. Load "
        f"when it started: {load:.1f}."
    )


def main() -> None:
    """Run everything and write RESULTS.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1M rows only, two runs, no file")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    sizes = [1_000_000] if options.quick else [1_000_000, 10_000_000]
    runs = 2 if options.quick else options.runs
    cases = [case for case in AUDITS if case != "soda" or soda.available()]
    parts = ["# What it costs", "", machine(), ""]
    notes = (HERE / "notes.md").read_text(encoding="utf-8").strip()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for rows in sizes:
            home = Path(folder, str(rows))
            home.mkdir()
            parts += [compare(home, rows, runs, cases), ""]
        parts += [others(home), "", freshness.part(), "", notes, ""]
    text = "\n".join(parts)
    print(text)
    if not options.quick:
        (HERE / "RESULTS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
