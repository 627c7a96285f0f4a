"""The article's calls made on the installed PyIceberg, and its example incident."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
from pyiceberg.table import Table

from dataops_lib import playbook, wap, warehouse
from dataops_lib.incidents.headlines import MARKS
from dataops_lib.incidents.postmortem import Row
from dataops_lib.teams.folders import local_catalog
from dataops_lib.wording import titled

NAME = "article.orders"


def calls(day: pa.Table) -> pd.DataFrame:
    """Make each call of the article with the rows of `day`, and say what happened.

    Returns
    -------
    DataFrame
        call, what happened (an error, or what it did), what holds instead.
    """
    column = f"what PyIceberg {version('pyiceberg')} does"
    rows = [(call, _outcome(act, day), instead) for call, act, instead in _CALLS]
    names = ["the article's call", column, "what holds instead"]
    return titled(pd.DataFrame(rows, columns=names))


def _outcome(act: Callable[[Table, pa.Table], str], day: pa.Table) -> str:
    """What `act` says it did, or the error it met, on a table of its own with one day of rows."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        table = _table(Path(folder), day)
        if act is not _branch_of_nothing:
            table.append(day)
        try:
            return act(table, day)
        except Exception as error:
            first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
            return f"{type(error).__name__}: {first.partition(', got:')[0]}"


def _table(folder: Path, day: pa.Table) -> Table:
    catalog = warehouse.open(local_catalog(folder), create=True)
    return warehouse.create_table(catalog, NAME, day.schema)


def _rows(table: Table, branch: str = "main") -> int:
    return len(table.scan().use_ref(branch).to_arrow())


def _create_branch(table: Table, _: pa.Table) -> str:
    table.manage_snapshots().create_branch("audit").commit()  # type: ignore[call-arg, arg-type]
    return "a branch was made"


def _branch_of_nothing(table: Table, _: pa.Table) -> str:
    snapshot = table.current_snapshot()
    if snapshot is None:
        return "the table has no snapshot yet, so there is nothing to branch from"
    return "a branch was made"


def _set_branch(table: Table, _: pa.Table) -> str:
    with table.transaction() as change:
        change.set_branch("audit")  # type: ignore[attr-defined]
    return "the transaction writes to the branch"


def _overwrite_pandas(table: Table, day: pa.Table) -> str:
    table.overwrite(day.to_pandas())
    return "the rows were written"


def _overwrite_all(table: Table, day: pa.Table) -> str:
    before = _rows(table)
    table.overwrite(day.slice(0, 1))
    return f"replaces the whole table: {before:,} rows before, {_rows(table):,} after"


def _scan_branch(table: Table, _: pa.Table) -> str:
    found = table.scan(branch="main")  # type: ignore[call-arg]
    return f"{len(found.to_arrow()):,} rows"


def _same_name(table: Table, day: pa.Table) -> str:
    _branch(table, "audit", day)
    staged = _rows(table, "audit")
    main = table.current_snapshot()
    assert main is not None
    table.manage_snapshots().create_branch(main.snapshot_id, "audit").commit()
    return (
        f"no error; the branch starts again at main: {staged:,} rows before, "
        f"{_rows(table, 'audit'):,} after"
    )


def _branch(table: Table, name: str, day: pa.Table) -> None:
    main = table.current_snapshot()
    assert main is not None
    table.manage_snapshots().create_branch(main.snapshot_id, name).commit()
    table.append(day, branch=name)


def _partial_name(table: Table, _: pa.Table) -> str:
    check: Any = partial(_rows, table)
    return f"Audit failed: {check.__name__}"


def _fast_forward(table: Table, day: pa.Table) -> str:
    _branch(table, "audit", day)
    table.manage_snapshots().fast_forward(branch="main", to="audit").commit()  # type: ignore[attr-defined]
    return "main was moved to the branch"


def _two_publishers(table: Table, day: pa.Table) -> str:
    """Two runs branch from the same main and both point main at their own branch."""
    _branch(table, "first", day)
    _branch(table, "second", day)
    for name in ("first", "second"):
        table.refresh()
        table.manage_snapshots().set_current_snapshot(ref_name=name).commit()
    kept, handed = _rows(table), 3 * day.num_rows
    return f"no error; {handed:,} rows were published, readers see {kept:,}"


def _wap_twice(table: Table, day: pa.Table) -> str:
    """The same race through `wap`: the second run audits while the first publishes."""
    other = {"name": NAME, "at": datetime(2026, 4, 19, 6, tzinfo=UTC)}
    given: dict[str, Any] = {"catalog": table.catalog, "now": lambda: other["at"]}

    def meanwhile(_: Any) -> Any:
        wap.write_audit_publish(day, NAME, [], run_id="first", **given)
        return SimpleNamespace(passed=True, message="")

    wap.write_audit_publish(day, NAME, [meanwhile], run_id="second", **given)
    table.refresh()
    return f"{3 * day.num_rows:,} rows were published, readers see {_rows(table):,}"


_CALLS: tuple[tuple[str, Callable[[Table, pa.Table], str], str], ...] = (
    (
        "table.manage_snapshots().create_branch(audit_branch)",
        _create_branch,
        "create_branch(snapshot_id, name)",
    ),
    (
        "the same on a table that is still empty",
        _branch_of_nothing,
        "write the first rows, then branch their snapshot",
    ),
    (
        "create_branch again, with the same name on the same day",
        _same_name,
        "a name with the run in it; refuse one that exists",
    ),
    ("tx.set_branch(audit_branch)", _set_branch, "table.append(rows, branch=name)"),
    ("tx.overwrite(data_df)", _overwrite_pandas, "an Arrow table"),
    ("tx.overwrite(arrow_table)", _overwrite_all, "append, or overwrite with a filter"),
    ("table.scan(branch=audit_branch)", _scan_branch, "table.scan().use_ref(name)"),
    ("check.__name__", _partial_name, "a check that carries its name"),
    (
        'fast_forward(branch="main", to=audit_branch)',
        _fast_forward,
        "set_current_snapshot, after the next line's question",
    ),
    (
        "two publishes from one main, by set_current_snapshot alone",
        _two_publishers,
        "first ask whether main is an ancestor of the branch",
    ),
    (
        "the same two publishes, by wap.write_audit_publish",
        _wap_twice,
        "the second follows main, audits again and publishes",
    ),
)


def article_example() -> str:
    """The article's example incident in its own template, in our words."""
    return playbook.text("article_postmortem.md")


def article_runbook() -> str:
    """The article's runbook of daily_orders_pipeline as it stands."""
    return playbook.text("article_runbook.md")


def article_timeline(text: str) -> tuple[Row, ...]:
    """The five rows of the article's timeline; it names no zone, so they are read as UTC."""
    day = re.search(r"Duration: (\d{4}-\d\d-\d\d)", text)
    found = re.findall(r"^\| (\d\d:\d\d) \| (.+?) \|$", text, re.MULTILINE)
    assert day is not None
    return tuple(
        Row(datetime.fromisoformat(f"{day[1]}T{clock}").replace(tzinfo=UTC), event, "article", mark)
        for (clock, event), mark in zip(found, MARKS, strict=True)
    )
