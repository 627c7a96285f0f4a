"""Build what changed into a schema of its own, with the rest taken from production, and test it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
from pyiceberg.catalog import Catalog

from dataops_lib import files, warehouse
from dataops_lib.delivery.changes import Changes
from dataops_lib.finding import Finding
from dataops_lib.sql import quoted
from dataops_lib.teams import lineage

TEST_ROWS = 3  # of a failing test that are shown


@dataclass
class Built:
    """Rows of each published table that was built, and what the build and its tests found."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    whole: bool = False  # whether `tables` hold all rows, not those of one day


def build(changes: Changes, catalog: Catalog, day: date) -> Built:
    """Build the selected models of `day` in DuckDB's memory, and run the tests that read them.

    Models that are not selected are deferred: published ones are read from production, the others
    are views, which hold nothing of their own.
    """
    team, every = changes.team, changes.team.lineage
    built, failed = Built(), set[str]()
    published = {table.name for table in team.tables}
    paths = lineage.models(team.folder / "pipelines")
    with _connection(changes, catalog, day) as con:
        needed = _needed(every, changes.selected)
        for model in (name for name in lineage.order(every) if name in needed):
            place = paths[model].relative_to(team.folder).as_posix()
            if failed.intersection(every[model]):
                failed.add(model)
                continue
            production = f"{namespace(changes)}.{model}"
            is_deferred = model in published and model not in changes.selected
            if is_deferred and catalog.table_exists(production):
                warehouse.view(con, model, catalog.load_table(production))
                continue
            kind = "TABLE" if model in published else "VIEW"
            select = paths[model].read_text(encoding="utf-8").rstrip().rstrip(";")
            try:
                con.execute(f"CREATE {kind} {_name(model)} AS {select}")
                rows = con.sql(f"SELECT * FROM {_name(model)}").to_arrow_table()
            except duckdb.Error as error:
                failed.add(model)
                built.findings.append(_broken(model, place, error))
                continue
            if model in changes.selected:
                built.findings.append(Finding(model, "ok", f"{rows.num_rows:,} rows", "Nothing"))
                if model in published:
                    built.tables[model] = rows
        built.findings += _tests(changes, con, failed)
    return built


def namespace(changes: Changes) -> str:
    """Where the team's published tables are in its catalog."""
    return changes.team.catalog.namespace if changes.team.catalog else "marts"


def _needed(every: Mapping[str, tuple[str, ...]], selected: Sequence[str]) -> set[str]:
    needed, waiting = set[str](), list(selected)
    while waiting:
        model = waiting.pop()
        if model in every and model not in needed:
            needed.add(model)
            waiting.extend(every[model])
    return needed


@contextmanager
def _connection(
    changes: Changes, catalog: Catalog, day: date
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the variables and sources that the models read."""
    folder, every = changes.team.folder, changes.team.lineage
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("SET VARIABLE day = ?", [day])
        con.execute("SET VARIABLE data = ?", [(files.HOME / "data").as_posix()])
        sources = {name for inputs in every.values() for name in inputs if name not in every}
        for name in (*sources, *every):
            if "." in name:
                con.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name.split('.')[0])}")
        for name in sorted(sources):
            path = folder / "sources" / f"{name}.sql"
            if path.is_file():
                select = path.read_text(encoding="utf-8").rstrip().rstrip(";")
                con.execute(f"CREATE VIEW {_name(name)} AS {select}")
            elif catalog.table_exists(source := name if "." in name else f"raw.{name}"):
                warehouse.view(con, name, catalog.load_table(source))
        yield con


def _name(name: str) -> str:
    return ".".join(quoted(part) for part in name.split("."))


def _broken(subject: str, file: str, error: duckdb.Error) -> Finding:
    text = str(error).splitlines()[0]
    step = "Correct the SELECT, or give the source as a table or as sources/<name>.sql"
    return Finding(subject, "fail", text, step, {"file": file, "line": 1})


def _tests(changes: Changes, con: duckdb.DuckDBPyConnection, failed: set[str]) -> list[Finding]:
    """Run the tests that read a selected model: SELECTs of rows that must not exist."""
    findings = []
    for file, inputs in changes.tests.items():
        if failed.intersection(inputs) or not set(inputs).intersection(changes.selected):
            continue
        select = Path(changes.team.folder, file).read_text(encoding="utf-8").rstrip().rstrip(";")
        try:
            rows = con.sql(f"SELECT * FROM ({select}\n) LIMIT 1000").to_arrow_table()
        except duckdb.Error as error:
            findings.append(_broken(file, file, error))
            continue
        sample = "; ".join(_words(row) for row in rows.slice(0, TEST_ROWS).to_pylist())
        place = {"file": file, "line": 1}
        if rows.num_rows:
            text = f"{rows.num_rows} rows that must not exist: {sample}"
            findings.append(Finding(file, "fail", text, "Correct the model or the test", place))
        else:
            findings.append(Finding(file, "ok", "no row", "Nothing", place))
    return findings


def _words(row: Mapping[str, object]) -> str:
    return ", ".join(f"{column} {value}" for column, value in row.items())
