"""Which table is built from which, read from the SELECTs of the models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from dataops_lib.errors import Problem, TeamError


def models(pipelines: Path) -> dict[str, Path]:
    """Model name -> file, for every `<pipeline>/<model>.sql` below `pipelines`."""
    return {path.stem: path for path in sorted(pipelines.glob("*/*.sql"))}


def read(pipelines: Path) -> dict[str, tuple[str, ...]]:
    """Inputs of each model, parsed by DuckDB; a model that nothing builds is a source.

    Raises
    ------
    TeamError
        For each model that is not exactly one SELECT, for two models of one name, and for models
        that need each other.
    """
    found: dict[str, tuple[str, ...]] = {}
    problems: list[Problem] = []
    for path in sorted(pipelines.glob("*/*.sql")):
        name, place = path.stem, f"{pipelines.name}/{path.parent.name}/{path.name}"
        if name in found:
            fix = "rename one; a model is known by the name of its file"
            problems.append(Problem(place, None, "", f"there are two models {name!r}", fix))
        try:
            found[name] = inputs(path.read_text(encoding="utf-8"))
        except OSError as error:
            fix = "a model is a readable text file"
            problems.append(Problem(place, None, "", f"cannot be read ({error.strerror})", fix))
        except ValueError as error:
            fix = "a model is one SELECT in DuckDB's SQL"
            problems.append(Problem(place, None, "", str(error), fix))
    try:
        order(found)
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        fix = "break the circle; a table cannot be built from itself"
        problems.append(Problem(pipelines.name, None, "", f"models need each other: {circle}", fix))
    if problems:
        raise TeamError(problems)
    return found


@lru_cache(maxsize=1000)  # every load of a team asks for the same few texts
def inputs(sql: str) -> tuple[str, ...]:
    """Tables that one SELECT reads, without its own WITH names, sorted.

    Raises
    ------
    ValueError
        If the text is not one SELECT.

    Examples
    --------
    >>> inputs("WITH x AS (SELECT * FROM raw.orders) SELECT * FROM x JOIN fct_orders USING (id)")
    ('fct_orders', 'raw.orders')
    """
    import duckdb

    with duckdb.connect() as connection:
        row = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True, "error_message": "empty"}
    if tree["error"]:
        raise ValueError(f"is not one SELECT: {tree['error_message']}")
    if len(tree["statements"]) != 1:
        raise ValueError(f"holds {len(tree['statements'])} statements")
    nodes = list(_nodes(tree))
    named = {entry["key"] for node in nodes for entry in node.get("cte_map", {}).get("map", ())}
    tables = {
        ".".join(part for part in (node["schema_name"], node["table_name"]) if part)
        for node in nodes
        if node.get("type") == "BASE_TABLE"
    }
    return tuple(sorted(tables - named))


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


def order(lineage: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Models in the order in which they can be built; names break ties.

    Raises
    ------
    graphlib.CycleError
        If models need each other.
    """
    sorter = TopologicalSorter({name: set(lineage[name]) for name in sorted(lineage)})
    sorter.prepare()
    done: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        done += [name for name in ready if name in lineage]
        sorter.done(*ready)
    return done


def downstream(lineage: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    """Everything that is built from `name`, nearest first.

    Examples
    --------
    >>> downstream({"stg": ("raw",), "fct": ("stg",), "other": ()}, "raw")
    ('stg', 'fct')
    """
    reached: list[str] = []
    waiting = [name]
    while waiting:
        current = waiting.pop(0)
        for model in sorted(lineage):
            if current in lineage[model] and model not in reached:
                reached.append(model)
                waiting.append(model)
    return tuple(reached)
