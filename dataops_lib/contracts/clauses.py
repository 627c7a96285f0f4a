"""Every clause of a contract with the check that runs it, or why nothing runs it.

No clause is left out: what is no documentation and becomes no check is named, so a promise that
nobody holds is never mistaken for one that is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dataops_lib import audit
from dataops_lib.audit.checks import Check
from dataops_lib.contracts.rules import Names, Part, Unsupported, option_checks, rule_check
from dataops_lib.contracts.schema import Object, Property, Rule, Sla
from dataops_lib.sql import quoted
from dataops_lib.warehouse.types import iceberg_type

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Clause:
    """Where a clause stands in the file, and what became of it."""

    path: Path
    part: Part


def clauses(tables: Sequence[Object], promises: Sequence[Sla]) -> Iterator[Clause]:
    """All clauses, table by table, in the order of the file."""
    for number, table in enumerate(tables):
        yield from _table(("schema", number), table)
    for number, promise in enumerate(promises):
        why = f"slaProperties: {promise.name} is not measured from here; promise it in slos.yaml"
        yield Clause(("slaProperties", number), Unsupported(why))


def _table(path: Path, table: Object) -> Iterator[Clause]:
    names = Names.of(table)
    whole = audit.columns(*(column.column for column in table.columns))
    for index, column in enumerate(table.properties):
        at = (*path, "properties", index)
        if column.semanticType == "measure":
            why = f"{column.name} is a measure, which stands in no column of the table"
            yield from (
                Clause((*at, field), Unsupported(why)) for field in ["name", *column.clauses]
            )
        else:
            yield Clause((*at, "name"), whole)
            yield from _column(at, column, table, whole, names)
    for position, rule in enumerate(table.quality):
        yield from _rule((*path, "quality", position), rule, None, names)
    if "relationships" in table.clauses:
        why = f"{table.name}: relationships are not checked; {_FOREIGN_KEY}"
        yield Clause((*path, "relationships"), Unsupported(why))


_FOREIGN_KEY = "write a rule of the engine dataops, `check: foreign_key`"
_WHY_NOT = {
    "relationships": f"is not checked; {_FOREIGN_KEY}",
    "partitioned": "is not checked: how a table is laid out is no matter of its data",
    "properties": "is not checked: only top-level columns are",
    "items": "is not checked: only top-level columns are",
    "map": "is not checked: only top-level columns are",
}


def _column(
    path: Path, column: Property, table: Object, whole: Check, names: Names
) -> Iterator[Clause]:
    """Clauses of one column, but for its name."""
    name, alone = column.in_table, table.key == (column.in_table,)
    made: dict[str, list[Part]] = {"logicalType": [whole], "physicalType": _physical(column, whole)}
    if column.contradiction:
        why = f"{name}: logicalType {column.logicalType} is not compared: {column.contradiction}"
        made["logicalType"] = [Unsupported(why)]
    if column.column.required:
        made["required" if column.required else "primaryKey"] = [audit.not_null(name)]
    if column.unique:
        made["unique"] = [audit.unique(name)]
    if column.primaryKey:
        key = audit.unique(name) if alone else audit.unique(*table.key)
        made["primaryKey"] = [*made.get("primaryKey", []), key]
    if column.enum:
        values = [entry.get("value") for entry in column.enum]
        made["enum"] = [audit.accepted(name, values, name=f"enum({name})")]
    for field in column.clauses:
        at = (*path, field)
        if field == "logicalTypeOptions":
            parts = option_checks(column, whole)
            yield from (Clause((*at, option), part) for option, part in parts)
        elif field == "quality":
            for position, rule in enumerate(column.quality):
                yield from _rule((*at, position), rule, column, names)
        else:
            why = f"{name}: {field} {_WHY_NOT.get(field, 'is not checked')}"
            yield from (Clause(at, part) for part in made.get(field, [Unsupported(why)]))


def _physical(column: Property, whole: Check) -> list[Part]:
    kind, length = iceberg_type(column.physicalType or "")
    name, spelled = column.in_table, column.physicalType
    if kind is None:
        return [
            Unsupported(f"{name}: physicalType {spelled} is no type of Iceberg's: not compared")
        ]
    if length is None:
        return [whole]
    if kind != "string":
        return [
            whole,
            Unsupported(f"{name}: the ({length}) of physicalType {spelled} is not checked"),
        ]
    says = f"have a {name} longer than {spelled}"
    longer = f"length({quoted(name)}) > {length}"
    return [whole, audit.row_check(f"physicalType({name})", longer, says, name)]


def _rule(path: Path, rule: Rule, column: Property | None, names: Names) -> Iterator[Clause]:
    """Clauses of one rule: the fields that its check reads, and those that it does not."""
    part, read = rule_check(rule, column, names)
    label = rule.name or rule.metric or rule.rule or rule.type
    where = f"{column.in_table if column else names.table}: rule {label!r}"
    if isinstance(part, Check):
        fields = [name for name in rule.clauses if name != "arguments"]
        fields += [f"arguments.{name}" for name in rule.arguments]
        for field in fields:
            why = f"{where}: {field} is not checked"
            yield Clause((*path, *field.split(".", 1)), part if field in read else Unsupported(why))
    else:
        yield Clause(path, part)
