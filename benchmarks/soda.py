"""The environment of the peer: Soda 4, built beside this folder and kept apart from ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks import tables
from dataops_lib.warehouse import scan

HERE = Path(__file__).parent
HOME = HERE / ".soda"
PACKAGE = "soda-duckdb==4.28.0"
PYTHON = HOME / "bin" / "python"


def available() -> bool:
    """Build the environment if it is not there; False, and said, when that is not possible."""
    if PYTHON.exists():
        return True
    steps = [
        [sys.executable, "-m", "venv", str(HOME)],
        [str(PYTHON), "-m", "pip", "install", "--quiet", PACKAGE],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False, timeout=900)
        if done.returncode:
            print(f"Soda is left out: {done.stderr.strip().splitlines()[-1:]}", flush=True)
            shutil.rmtree(HOME, ignore_errors=True)
            return False
    (HOME / ".gitignore").write_text("*\n", encoding="utf-8")
    return True


def command(folder: Path) -> list[str]:
    """How the case is run on the files that our side reads."""
    files = [scan.local_path(task.file.file_path) for task in scan.plan(tables.load(folder))]
    listed = folder / "files.json"
    listed.write_text(json.dumps(files), encoding="utf-8")
    return [str(PYTHON), str(HERE / "soda_case.py"), str(listed)]


def versions() -> str:
    """Versions of the peer and of the DuckDB under it; empty when it is not there."""
    if not PYTHON.exists():
        return ""
    code = "from importlib.metadata import version as v; print(v('soda-core'), v('duckdb'))"
    found = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=True)
    soda, duckdb = found.stdout.split()
    return f"; Soda {soda} on its own DuckDB {duckdb}"
