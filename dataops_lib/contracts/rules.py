"""Quality rules and options of a data contract, turned into checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dataops_lib import audit
from dataops_lib import sql as sql_
from dataops_lib.audit.checks import OPERATORS, Check, Limit
from dataops_lib.contracts.schema import Object, Options, Property, Rule, says_nothing
from dataops_lib.sql import quoted

_RENAMED = {"duplicateCount": "duplicateValues", "validValues": "invalidValues"}
_RENAMED |= {"nullCheck": "nullValues", "nullCount": "nullValues"}  # names of ODCS 3.0
_LENGTH = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_OF_ALL = {"type", "unit", *OPERATORS}  # fields that every rule reads


@dataclass(frozen=True)
class Unsupported:
    """A part of a contract that nothing here executes, and why."""

    text: str

    def __str__(self) -> str:
        return self.text


Part = Check | Unsupported | ValueError


@dataclass(frozen=True)
class Names:
    """What a contract calls a table and its columns, and what they are called in the table."""

    table: str
    physical: str | None
    columns: Mapping[str, str]

    @staticmethod
    def of(table: Object) -> Names:
        """The names of a table."""
        columns = {column.name: column.in_table for column in table.properties}
        return Names(table.name, table.physicalName, columns)

    @property
    def own(self) -> tuple[str, ...]:
        """What SQL of the contract may call the table."""
        return tuple(name for name in (self.table, self.physical) if name)


def option_checks(column: Property, whole: Check) -> Iterator[tuple[str, Part]]:
    """What each option of a column became; `whole` is the check of the table's columns."""
    name, options = column.in_table, column.logicalTypeOptions
    stated = {w for w in options.model_fields_set if not says_nothing(getattr(options, w))}
    yield from _bounds(name, options)
    for word, sign in (("minLength", "<"), ("maxLength", ">")):
        if (length := getattr(options, word)) is not None:
            says = f"have a {name} of length {sign} {length}"
            failing = f"length({quoted(name)}) {sign} {length}"
            yield word, audit.row_check(f"{word}({name})", failing, says, name)
    if options.pattern is not None:
        yield "pattern", audit.matches(name, options.pattern)
    zoned = {True: "timestamptz", False: "timestamp"}
    if options.timezone is not None and column.physical == zoned[options.timezone]:
        stated.discard("timezone")
        yield "timezone", whole
    executed = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength"}
    for word in sorted(stated - executed - {"maxLength", "pattern"}):
        yield word, Unsupported(f"{name}: logicalTypeOptions.{word} is not checked")


def _bounds(name: str, options: Options) -> Iterator[tuple[str, Part]]:
    """Minimum and maximum; the exclusive ones are bounds, or in ODCS 3.0 switches (true)."""
    low, high = options.minimum, options.maximum
    exclusive = {"exclusiveMinimum": options.exclusiveMinimum}
    exclusive["exclusiveMaximum"] = options.exclusiveMaximum
    switches = [word for word, value in exclusive.items() if value is True]
    ends = ("(" if "exclusiveMinimum" in switches else "[") + (
        ")" if "exclusiveMaximum" in switches else "]"
    )
    read = [w for w, bound in (("minimum", low), ("maximum", high)) if bound is not None]
    try:
        if read:
            check = audit.in_range(name, low, high, ends=ends)
            yield from ((word, check) for word in read)
        for word, value in exclusive.items():
            bound = word.removeprefix("exclusive").lower()
            if value is True and bound not in read:
                yield word, ValueError(f"{word} is true, but there is no {bound}")
            elif value is True:
                yield word, check
            elif not says_nothing(value):
                edges = (value, None, "(]") if bound == "minimum" else (None, value, "[)")
                label = f"{word}({name})"
                yield word, audit.in_range(name, *edges[:2], ends=edges[2], name=label)
    except (ValueError, TypeError) as error:
        yield "minimum", ValueError(f"{name}: {error}")


def rule_check(rule: Rule, column: Property | None, names: Names) -> tuple[Part, set[str]]:
    """The check of one rule and the fields that it reads; a ValueError if it makes no sense."""
    label = rule.name or rule.metric or rule.rule or rule.type
    where = f"{column.in_table if column else names.table}: rule {label!r}"
    if rule.type == "text":
        return Unsupported(f"{where} is text for people"), set()
    if rule.type == "custom" and rule.engine != "dataops":
        return Unsupported(f"{where} is for the engine {rule.engine}"), set()
    if rule.unit not in (None, "rows", "percent"):
        return Unsupported(f"{where} counts {rule.unit}, which is neither rows nor percent"), set()
    if rule.type == "library" and not rule.metric and _metric(rule) not in _METRICS:
        return Unsupported(f"{where} is no rule of the library"), set()  # 3.0 left them open
    kinds = {"library": _library, "sql": _sql, "custom": _custom}
    try:
        check, read = kinds[rule.type](rule, column, names)
    except (ValueError, TypeError, KeyError) as error:
        return ValueError(f"{error.args[0] if error.args else error}"), set()
    return check, read | _OF_ALL


Made = tuple[Check, set[str]]


def _metric(rule: Rule) -> str:
    word = rule.metric or rule.rule or ""
    return _RENAMED.get(word, word)


def _library(rule: Rule, column: Property | None, names: Names) -> Made:
    metric = _metric(rule)
    make = _METRICS.get(metric)
    if make is None:
        raise ValueError(f"metric is {metric!r}, but the library has {', '.join(_METRICS)}")
    limit = rule.limit
    if limit is None:
        if rule.rule not in ("validValues", "nullCheck"):
            raise ValueError(f"{metric} has no operator such as mustBe: 0")
        limit = Limit()
    name = column.in_table if column else ""
    options = {"limit": limit} | rule.options(f"{metric}({name})")
    check, read = make(rule, column, names, options)
    return check, read | {"metric", "rule"}


def _on(column: Property | None) -> str:
    if column is None:
        raise ValueError("stands at the table, but is about a column: move it to its property")
    return column.in_table


def _nulls(rule: Rule, column: Property | None, names: Names, options: dict[str, Any]) -> Made:
    return audit.not_null(_on(column), **options), set()


def _missing(rule: Rule, column: Property | None, names: Names, options: dict[str, Any]) -> Made:
    name, label = _on(column), options.pop("name")
    words = [word for word in rule.arguments.get("missingValues", []) if word is not None]
    text = f"CAST({quoted(name)} AS VARCHAR)"
    tests = [f"{quoted(name)} IS NULL"]
    if words:
        listed = ", ".join(sql_.literal(_as_text(word)) for word in words)
        tests.append(f"{text} IN ({listed})")
    # -999 stands in a DOUBLE as -999.0: numbers are compared as numbers.
    if numbers := [word for word in words if _is_number(word)]:
        listed = ", ".join(sql_.literal(number) for number in numbers)
        tests.append(f"TRY_CAST({text} AS DOUBLE) IN ({listed})")
    check = audit.row_check(label, " OR ".join(tests), f"have no {name}", name, **options)
    return check, {"arguments.missingValues"}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _invalid(rule: Rule, column: Property | None, names: Names, options: dict[str, Any]) -> Made:
    name, pattern = _on(column), rule.arguments.get("pattern")
    values = rule.arguments.get("validValues") or rule.validValues
    read = {
        "arguments.pattern",
        "arguments.validValues" if "validValues" in rule.arguments else "validValues",
    }
    if not values and not pattern:
        raise ValueError("invalidValues needs arguments.validValues or arguments.pattern")
    made = [audit.accepted(name, values, **options)] if values else []
    made += [audit.matches(name, pattern, **options)] if pattern else []
    if len(made) == 1:
        return made[0], read
    failing = " OR ".join(f"({check.failing})" for check in made)
    says = f"have a {name} that is not accepted, or unlike {pattern}"
    return audit.row_check(options.pop("name"), failing, says, name, **options), read


def _duplicates(rule: Rule, column: Property | None, names: Names, options: dict[str, Any]) -> Made:
    columns = rule.arguments.get("properties") or ([column.name] if column else [])
    if not columns:
        raise ValueError("duplicateValues of a table needs arguments.properties")
    physical = [names.columns.get(name, name) for name in columns]
    return audit.unique(*physical, **options), {"arguments.properties"}


def _count(rule: Rule, column: Property | None, names: Names, options: dict[str, Any]) -> Made:
    return audit.rows(options.pop("limit"), **options), set()


_METRICS: dict[str, Callable[[Rule, Property | None, Names, dict[str, Any]], Made]] = {
    "nullValues": _nulls,
    "missingValues": _missing,
    "invalidValues": _invalid,
    "duplicateValues": _duplicates,
    "rowCount": _count,
}


def _sql(rule: Rule, column: Property | None, names: Names) -> Made:
    limit = rule.limit
    if not rule.query or limit is None:
        raise ValueError("a sql rule needs a query that returns one number, and an operator")
    # A schema of the contract's server says nothing here: tables stand beside the audited one.
    query = re.sub(r"\$?\{(schema|database|catalog)\}\.", "", rule.query)
    query = re.sub(r"\$?\{(object|table|model)\}", "this", query)
    if column:
        query = re.sub(r"\$?\{(property|column|field)\}", quoted(column.in_table), query)
    if left := re.search(r"\$?\{\w+\}", query):
        raise ValueError(f"the query holds {left[0]}, but knows only {{object}} and {{property}}")
    options = rule.options("sql") | {"own_names": names.own}
    return audit.sql_value(query, limit, **options), {"query"}


def _custom(rule: Rule, column: Property | None, names: Names) -> Made:
    if not isinstance(rule.implementation, Mapping) or "check" not in rule.implementation:
        raise ValueError("implementation must be a mapping with the key `check`")
    arguments = dict(rule.implementation)
    kind = arguments.pop("check")
    if kind not in _CUSTOM:
        raise ValueError(f"check is {kind!r}, but the engine dataops has {', '.join(_CUSTOM)}")
    name = column.in_table if column else None
    options = rule.options(kind if name is None else f"{kind}({name})")
    options |= {"scope": arguments.pop("scope")} if "scope" in arguments else {}
    if (limit := rule.limit) is not None:
        options["limit"] = limit  # a check that has none refuses it
    if name is not None and kind not in ("volume", "no_rows", "rows_at_least"):
        arguments.setdefault("column", name)
    elif kind == "no_rows":
        options["own_names"] = names.own
    try:
        check = _CUSTOM[kind](options, **arguments)
    except TypeError:
        words = ", ".join(arguments) or "nothing"
        raise ValueError(f"check {kind} does not take {words}") from None
    return check, {"engine", "implementation"}


def _volume(options: Any, weeks: int = 8, score: float = 5.0, floor: float = 0.05) -> Check:
    return audit.volume(weeks=weeks, score=score, floor=floor, **options)


def _fresh(options: Any, column: str, within: str, zone: str | None = None) -> Check:
    return audit.fresh(column, span(within), zone=zone, **options)


def _foreign(options: Any, column: str, table: str, key: str) -> Check:
    return audit.foreign_key(column, table, key, **options)


def _no_rows(options: Any, sql: str) -> Check:
    return audit.no_rows(sql, **options)


def _at_least(options: Any, rows: int) -> Check:
    return audit.rows_at_least(rows, **options)


_CUSTOM: dict[str, Callable[..., Check]] = {
    "volume": _volume,
    "fresh": _fresh,
    "foreign_key": _foreign,
    "no_rows": _no_rows,
    "rows_at_least": _at_least,
}


def span(text: str) -> timedelta:
    """A length of time such as `26h`, `90 min` or `2 d`.

    Examples
    --------
    >>> span("26h")
    datetime.timedelta(days=1, seconds=7200)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)\s*", str(text))
    if not match:
        raise ValueError(f"{text!r} is not a length of time such as 26h, 90min or 2d")
    return timedelta(seconds=float(match[1]) * _LENGTH[match[2]])
