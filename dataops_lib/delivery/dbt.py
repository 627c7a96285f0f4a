"""What changed in a dbt project, built by dbt itself, with production deferred to.

The project stands in the team's folder or in its `dbt/`. Its profile has the targets `ci` and
`prod`; both are given `DATAOPS_CI_FOLDER`, where `ci` builds and `prod.duckdb` holds a copy of the
published tables, for the models that are not built again.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
from pyiceberg.catalog import Catalog

from dataops_lib.delivery.build import Built, namespace
from dataops_lib.delivery.changes import QUIET, Changes
from dataops_lib.errors import DataError
from dataops_lib.finding import Finding, Status
from dataops_lib.sql import quoted

SECONDS = 900
STATUS: Mapping[str, Status] = {
    "success": "ok", "pass": "ok", "warn": "warn", "error": "fail", "fail": "fail",
    "runtime error": "fail", "partial success": "fail", "skipped": "unknown", "no-op": "ok",
}  # fmt: skip


def project(folder: Path) -> Path | None:
    """Where a team's dbt project is; None without one."""
    places = (folder, folder / "dbt")
    return next((place for place in places if (place / "dbt_project.yml").is_file()), None)


def program() -> str:
    """The dbt to run: DATAOPS_DBT, one beside this Python, or one on the PATH.

    Raises
    ------
    DataError
        If there is none.
    """
    beside = shutil.which("dbt", path=str(Path(sys.executable).parent))
    found = os.environ.get("DATAOPS_DBT") or beside or shutil.which("dbt")
    if not found:
        raise DataError("dbt is not installed; run `make .venv-dbt` and set DATAOPS_DBT to its dbt")
    return found


def build(changes: Changes, catalog: Catalog, scratch: Path) -> Built:
    """Build and test `state:modified+` against the base's manifest, and read what was published.

    Raises
    ------
    DataError
        If dbt is missing or cannot read the project, with its last lines.
    """
    home = project(changes.team.folder)
    assert home is not None
    target = scratch / "target"
    _production(changes, catalog, scratch / "prod.duckdb")
    command = ["build", "--target", "ci"]
    if changes.base is not None:
        state = _state(home, changes.base, scratch)
        command += ["--select", "state:modified+", "--defer", "--state", str(state)]
    _dbt(home, scratch, target, *command, check=False)
    return _read(changes, target, scratch / "ci.duckdb")


def _production(changes: Changes, catalog: Catalog, path: Path) -> None:
    """The published tables as a DuckDB file, which models that are not selected are read from."""
    with duckdb.connect(str(path)) as con:
        for table in changes.team.tables:
            name = f"{namespace(changes)}.{table.name}"
            if catalog.table_exists(name):
                rows = catalog.load_table(name).scan().to_arrow()
                con.register("rows", rows)
                con.execute(f"CREATE TABLE {quoted(table.name)} AS SELECT * FROM rows")


def _state(home: Path, base: str, scratch: Path) -> Path:
    """The manifest of the project as it stood at the base, for production."""
    before = scratch / "base"
    before.mkdir()
    archive = subprocess.run(  # noqa: S603
        ["git", *QUIET, "-C", str(home), "archive", "--format=tar", base],  # noqa: S607
        capture_output=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    if archive.returncode:
        raise DataError(f"git cannot give the dbt project as it stood at {base}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(before, filter="data")
    _dbt(before, scratch, scratch / "state", "parse", "--target", "prod")
    return scratch / "state"


def _dbt(home: Path, scratch: Path, target: Path, *arguments: str, check: bool = True) -> None:
    folders = [
        "--project-dir",
        str(home),
        "--profiles-dir",
        str(home),
        "--target-path",
        str(target),
    ]
    quiet = ["--no-send-anonymous-usage-stats", "--no-use-colors", "--no-partial-parse"]
    command = [program(), *quiet, "--log-path", str(scratch / "logs"), *arguments, *folders]
    environment = {**os.environ, "DATAOPS_CI_FOLDER": str(scratch), "DO_NOT_TRACK": "1"}
    done = subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    is_broken = done.returncode > 1 or not (target / "manifest.json").is_file()
    if is_broken or (check and done.returncode):
        text = " ".join((done.stdout + done.stderr).split()[-60:])
        raise DataError(f"dbt {arguments[0]} failed: {text}")


def _read(changes: Changes, target: Path, path: Path) -> Built:
    """What dbt says of each model and test, and the rows of the published models it has built."""
    nodes = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    results_file = target / "run_results.json"
    results = (
        json.loads(results_file.read_text(encoding="utf-8"))["results"]
        if results_file.is_file()
        else []
    )
    built = Built(whole=True)
    published = {table.name for table in changes.team.tables}
    for result in results:
        node: Mapping[str, Any] = nodes[result["unique_id"]]
        place = {"file": node["original_file_path"], "line": 1}
        text = " ".join(str(result.get("message") or result["status"]).split())
        status = STATUS.get(result["status"], "fail")
        step = "Nothing" if status == "ok" else "Correct the model or the test"
        built.findings.append(Finding(node["name"], status, text, step, place))
        if status == "ok" and node["resource_type"] == "model" and node["name"] in published:
            with duckdb.connect(str(path), read_only=True) as con:
                table = f"{quoted(node['schema'])}.{quoted(node['alias'])}"
                built.tables[node["name"]] = con.sql(f"SELECT * FROM {table}").to_arrow_table()
    return built
