"""Which table is built from which, read from the SELECTs of the models."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from dataops_lib.errors import Problem, TeamError
from dataops_lib.files import contents

MAX_MODELS = 5_000
MAX_SQL = 200_000  # bytes of one model
DIALECTS = ("duckdb", "snowflake", "bigquery", "databricks", "postgres", "redshift", "tsql")


def models(pipelines: Path) -> dict[str, Path]:
    """Model name -> file, for every `<pipeline>/<model>.sql` below `pipelines`."""
    return {path.stem: path for path in sorted(pipelines.glob("*/*.sql"))}


def read(pipelines: Path) -> dict[str, tuple[str, ...]]:
    """Inputs of each model, parsed by sqlglot; a model that nothing builds is a source.

    An input that is a model has the model's name, whatever its case and schema are in the SQL.

    Raises
    ------
    TeamError
        For each model that is not exactly one SELECT, for two models of one name, and for models
        that need each other.
    """
    tables: dict[str, tuple[str, ...]] = {}
    problems: list[Problem] = []
    paths = sorted(islice(pipelines.glob("*/*.sql"), MAX_MODELS + 1))
    if len(paths) > MAX_MODELS:
        fix = "keep the models of one team in its folder"
        message = f"holds more than {MAX_MODELS:,} models"
        raise TeamError([Problem(pipelines.name, None, "", message, fix)])
    for path in paths:
        name, place = path.stem, f"{pipelines.name}/{path.parent.name}/{path.name}"
        if name in tables:
            fix = "rename one; a model is known by the name of its file"
            problems.append(Problem(place, None, "", f"there are two models {name!r}", fix))
        try:
            sql = contents(path, within=pipelines.parent, limit=MAX_SQL).decode("utf-8")
            tables[name] = inputs(sql.removeprefix("\ufeff"))
        except OSError as error:
            fix = "a model is a readable text file"
            problems.append(Problem(place, None, "", f"cannot be read ({error.strerror})", fix))
        except ValueError as error:
            fix = "a model is one SELECT; of dbt's models give the compiled ones"
            problems.append(Problem(place, None, "", str(error), fix))
    built = {name.lower(): name for name in tables}
    lineage = {
        name: tuple(sorted({_model_of(table, built) for table in read_from}))
        for name, read_from in tables.items()
    }
    try:
        order(lineage)
    except CycleError as error:
        names = error.args[1]
        circle = " -> ".join(names[:10] + (["..."] if len(names) > 10 else []))
        fix = "break the circle; a table cannot be built from itself"
        problems.append(Problem(pipelines.name, None, "", f"models need each other: {circle}", fix))
    if problems:
        raise TeamError(problems)
    return lineage


def _model_of(table: str, built: Mapping[str, str]) -> str:
    """The model that builds `table`: of its whole name, or of its last parts."""
    parts = table.lower().split(".")
    names = (".".join(parts[first:]) for first in range(len(parts)))
    return next((built[name] for name in names if name in built), table)


@lru_cache(maxsize=MAX_MODELS)  # every load of a team asks for the same texts
def inputs(sql: str) -> tuple[str, ...]:
    """Tables and files that one SELECT reads, without its own WITH names, sorted.

    Raises
    ------
    ValueError
        If the text is not one SELECT of any engine in `DIALECTS`.

    Examples
    --------
    >>> inputs("WITH x AS (SELECT * FROM raw.orders) SELECT * FROM x JOIN fct_orders USING (id)")
    ('fct_orders', 'raw.orders')
    >>> inputs("WITH orders AS (SELECT * FROM orders) FROM orders")
    ('orders',)
    """
    try:
        return tuple(sorted(set(_tables(_select(sql), frozenset()))))
    except RecursionError:
        raise ValueError("is not one SELECT: it is nested too deeply") from None


def _select(sql: str) -> exp.Expr:
    """The tree of one SELECT, in the first dialect that can read it."""
    reason = ""
    for dialect in DIALECTS:
        try:
            statements = sqlglot.parse(sql, read=dialect, error_level=sqlglot.ErrorLevel.IMMEDIATE)
        except SqlglotError as error:
            reason = reason or str(error).splitlines()[0].removesuffix(".")
            continue
        trees = [tree for tree in statements if tree is not None]
        if len(trees) != 1:
            raise ValueError(f"holds {len(trees)} statements")
        if isinstance(trees[0], exp.Query | exp.Pivot | exp.Values):
            return trees[0]
        reason = reason or f"it is {trees[0].key.upper()}"
    if re.search(r"\{[{%]", sql):
        reason = "it holds Jinja; give what the tool compiled from it"
    raise ValueError(f"is not one SELECT: {reason[:200]}")


def _tables(node: exp.Expr, hidden: frozenset[str]) -> Iterator[str]:
    """Names of what `node` reads, except names in `hidden`, which a WITH around it gives."""
    parts = [part for value in node.args.values() for part in _expressions(value)]
    for clause in parts:
        if isinstance(clause, exp.With):
            for query in clause.expressions:
                name = query.alias.lower()
                within = hidden | {name} if clause.args.get("recursive") else hidden
                yield from _tables(query.this, within)
                hidden |= {name}
    if isinstance(node, exp.Table):
        yield from _named(node, hidden)
    for part in parts:
        if not isinstance(part, exp.With):
            yield from _tables(part, hidden)


def _named(table: exp.Table, hidden: frozenset[str]) -> Iterator[str]:
    """The name of one table, or the files that a function such as read_parquet reads."""
    if isinstance(table.this, exp.Identifier):
        name = ".".join(part.name for part in table.parts)
        if name.lower() not in hidden:
            yield name
    elif isinstance(table.this, exp.Func) and _READS.search(table.this.sql("duckdb")):
        texts = table.this.find_all(exp.Literal)
        yield from (text.this for text in texts if text.is_string and not _is_option(text))


_READS = re.compile(r"^(read_\w+|\w+_scan|glob)\(", re.IGNORECASE)


def _is_option(text: exp.Literal) -> bool:
    return text.find_ancestor(exp.PropertyEQ, exp.EQ) is not None


def _expressions(value: Any) -> Iterator[exp.Expr]:
    if isinstance(value, exp.Expr):
        yield value
    elif isinstance(value, list):
        yield from (part for part in value if isinstance(part, exp.Expr))


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
    built: dict[str, list[str]] = {}
    for model in sorted(lineage):
        for table in lineage[model]:
            built.setdefault(table, []).append(model)
    reached: dict[str, None] = {}  # a set that keeps its order
    waiting = deque([name])
    while waiting:
        for model in built.get(waiting.popleft(), ()):
            if model not in reached:
                reached[model] = None
                waiting.append(model)
    return tuple(reached)
