"""Which tables the SQL of a check names: the audited rows, and others of the same catalog."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pyiceberg.table import Table

from dataops_lib.audit.checks import SqlCheck
from dataops_lib.warehouse import scan
from dataops_lib.warehouse.scan import Source

THIS = "this"  # what SQL of a check calls the rows of its scope


def sources(table: Table, checks: Sequence[SqlCheck]) -> dict[str, Source]:
    """Rows of the catalog's other tables that the SQL of checks names, as published."""
    rows: dict[str, Source] = {}
    for check in checks:
        for path in tables_in(check.sql):
            name = ".".join(path)
            if name.lower() in own_names(table, check) or name in rows:
                continue
            if other := _table_called(table, path):
                rows[name] = scan.rows_of(other)
    return rows


def own_names(table: Table, check: SqlCheck) -> set[str]:
    """What the SQL of a check may call the audited rows, in small letters."""
    full = table.name()
    return {name.lower() for name in (THIS, ".".join(full), full[-1], *check.own_names)}


@lru_cache(maxsize=1000)
def tables_in(sql: str) -> tuple[tuple[str, ...], ...]:
    """Tables that the FROM clauses of one SELECT name.

    Raises
    ------
    ValueError
        If it is not one SELECT.
    """
    with scan.connect() as con:
        [[text]] = con.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    tree = json.loads(text)
    if tree["error"] or len(tree["statements"]) != 1:
        reason = tree.get("error_message") or f"not {len(tree['statements'])}"
        raise ValueError(f"a check is one SELECT ({reason})")
    return tuple(sorted({tuple(node["qualified_name"]["path"]) for node in _base_tables(tree)}))


def _base_tables(tree: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(tree, Mapping):
        if tree.get("type") == "BASE_TABLE":
            yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from _base_tables(branch)


def _table_called(table: Table, path: Sequence[str]) -> Table | None:
    """The catalog's table of that name, beside the audited one without a namespace; or None."""
    space, name = tuple(path[:-1]) or table.name()[:-1], path[-1]
    if table.catalog.table_exists((*space, name)):
        return table.catalog.load_table((*space, name))
    return None
