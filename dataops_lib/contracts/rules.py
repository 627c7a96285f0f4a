"""Quality rules of a data contract, turned into checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dataops_lib import audit
from dataops_lib import sql as sql_
from dataops_lib.audit.checks import OPERATORS, Check, Limit
from dataops_lib.sql import quoted

_WARN = {"warning", "warn", "low", "info", "medium"}
_RENAMED = {"duplicateCount": "duplicateValues", "validValues": "invalidValues"}


_RENAMED |= {"nullCheck": "nullValues", "nullCount": "nullValues"}  # names of ODCS 3.0


_LENGTH = {"s": 1, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Unsupported:
    """A part of a contract that nothing here executes, and why."""

    text: str

    def __str__(self) -> str:
        return self.text


Part = Check | Unsupported | ValueError


class Options(BaseModel):
    """`logicalTypeOptions` of a column."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    minimum: Any = None
    maximum: Any = None
    exclusiveMinimum: Any = None
    exclusiveMaximum: Any = None
    minLength: int | None = None
    maxLength: int | None = None
    pattern: str | None = None
    format: str | None = None
    multipleOf: Any = None
    timezone: bool | None = None
    defaultTimezone: str | None = None
    minItems: int | None = None
    maxItems: int | None = None
    uniqueItems: bool | None = None
    minProperties: int | None = None
    maxProperties: int | None = None
    required: Any = None


class Rule(BaseModel):
    """One quality rule of a column or a table."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    type: Literal["library", "sql", "text", "custom"] = "library"
    id: str | None = None
    name: str | None = None
    description: Any = None
    metric: str | None = None
    rule: str | None = None
    arguments: dict[str, Any] = {}
    validValues: list[Any] | None = None
    query: str | None = None
    engine: str | None = None
    implementation: Any = None
    unit: Literal["rows", "percent"] | None = None
    dimension: str | None = None
    severity: str | None = None
    method: str | None = None
    businessImpact: str | None = None
    schedule: str | None = None
    scheduler: str | None = None
    tags: Any = None
    authoritativeDefinitions: Any = None
    customProperties: list[dict[str, Any]] = []
    mustBe: Any = None
    mustNotBe: Any = None
    mustBeGreaterThan: Any = None
    mustBeGreaterOrEqualTo: Any = None
    mustBeLessThan: Any = None
    mustBeLessOrEqualTo: Any = None
    mustBeBetween: list[Any] | None = Field(None, min_length=2, max_length=2)
    mustNotBeBetween: list[Any] | None = Field(None, min_length=2, max_length=2)

    @property
    def limit(self) -> Limit | None:
        """The rule's operator; None when it has none.

        Raises
        ------
        ValueError
            If it has more than one.
        """
        given = {name: value for name in OPERATORS if (value := getattr(self, name)) is not None}
        if len(given) > 1:
            raise ValueError(f"has {len(given)} operators ({', '.join(given)}), but one is allowed")
        for name, value in given.items():
            values = tuple(value) if isinstance(value, list) else (value,)
            if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
                raise ValueError(f"{name} is {value!r}, but must be a number")
            return Limit(name, values, self.unit or "rows")
        return None

    def options(self, default_name: str) -> dict[str, Any]:
        """Name, severity and scope of the check."""
        severity = "warn" if (self.severity or "").lower() in _WARN else "block"
        scope = next(
            (p["value"] for p in self.customProperties if p.get("property") == "scope"), ""
        )
        if scope not in ("", "table", "added"):
            raise ValueError(f"scope is {scope!r}, but must be table or added")
        named = {"name": self.name or default_name, "severity": severity}
        return named | ({"scope": scope} if scope else {})


def column_checks(name: str, options: Options, *, required: bool, unique: bool) -> Iterator[Part]:
    """Checks that follow from what the contract says of one column."""
    if required:
        yield audit.not_null(name)
    if unique:
        yield audit.unique(name)
    if options.minimum is not None or options.maximum is not None:
        yield audit.in_range(name, options.minimum, options.maximum)
    for word, sign in (("exclusiveMinimum", "<="), ("exclusiveMaximum", ">=")):
        bound = getattr(options, word)
        if bound is not None and not isinstance(bound, bool):
            says = f"have {name} {sign} {bound}"
            sql = f"{quoted(name)} {sign} {sql_.literal(bound)}"
            yield audit.row_check(f"{word}({name})", sql, says, name)
    for word, sign in (("minLength", "<"), ("maxLength", ">")):
        if (bound := getattr(options, word)) is not None:
            says = f"have a {name} of length {sign} {bound}"
            sql = f"length({quoted(name)}) {sign} {bound}"
            yield audit.row_check(f"{word}({name})", sql, says, name)
    if options.pattern is not None:
        yield audit.matches(name, options.pattern)
    executed = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength"}
    executed |= {"maxLength", "pattern", "timezone", "defaultTimezone"}
    for word in sorted(options.model_fields_set - executed):
        yield Unsupported(f"{name}: logicalTypeOptions.{word} is not checked")


def rule_check(rule: Rule, column: str | None, table: str) -> Part:
    """The check of one rule; a ValueError as a value when the rule cannot be understood."""
    label = rule.name or rule.metric or rule.rule or rule.type
    where = f"{column or table}: rule {label!r}"
    if rule.type == "text":
        return Unsupported(f"{where} is text for people")
    if rule.type == "custom" and rule.engine != "dataops":
        return Unsupported(f"{where} is for the engine {rule.engine}")
    try:
        if rule.type == "custom":
            return _custom(rule, column)
        return _sql(rule, column) if rule.type == "sql" else _library(rule, column)
    except (ValueError, TypeError, KeyError) as error:
        return ValueError(f"{error.args[0] if error.args else error}")


def _library(rule: Rule, column: str | None) -> Part:
    metric = _RENAMED.get(rule.metric or rule.rule or "", rule.metric or rule.rule)
    make = _METRICS.get(metric or "")
    if make is None:
        known = ", ".join(_METRICS)
        raise ValueError(f"metric is {metric!r}, but the library has {known}")
    limit = rule.limit
    if limit is None:
        if rule.rule not in ("validValues", "nullCheck"):
            raise ValueError(f"{metric} has no operator such as mustBe: 0")
        limit = Limit()
    return make(rule, column, {"limit": limit} | rule.options(f"{metric}({column or ''})"))


def _on(column: str | None) -> str:
    if column is None:
        raise ValueError("stands at the table, but is about a column: move it to its property")
    return column


def _nulls(rule: Rule, column: str | None, options: dict[str, Any]) -> Check:
    return audit.not_null(_on(column), **options)


def _missing(rule: Rule, column: str | None, options: dict[str, Any]) -> Check:
    words = [v for v in rule.arguments.get("missingValues", []) if v is not None]
    name = quoted(_on(column))
    listed = ", ".join(sql_.literal(str(word)) for word in words)
    also = f" OR CAST({name} AS VARCHAR) IN ({listed})" if words else ""
    label = options.pop("name")
    says = f"have no {column}"
    return audit.row_check(label, f"{name} IS NULL{also}", says, _on(column), **options)


def _invalid(rule: Rule, column: str | None, options: dict[str, Any]) -> Check:
    if pattern := rule.arguments.get("pattern"):
        return audit.matches(_on(column), pattern, **options)
    values = rule.arguments.get("validValues") or rule.validValues
    if not values:
        raise ValueError("invalidValues needs arguments.validValues or arguments.pattern")
    return audit.accepted(_on(column), values, **options)


def _duplicates(rule: Rule, column: str | None, options: dict[str, Any]) -> Check:
    names = rule.arguments.get("properties") or ([column] if column else [])
    if not names:
        raise ValueError("duplicateValues of a table needs arguments.properties")
    return audit.unique(*names, **options)


def _count(rule: Rule, column: str | None, options: dict[str, Any]) -> Check:
    return audit.rows(options.pop("limit"), **options)


_METRICS: dict[str, Callable[[Rule, str | None, dict[str, Any]], Check]] = {
    "nullValues": _nulls,
    "missingValues": _missing,
    "invalidValues": _invalid,
    "duplicateValues": _duplicates,
    "rowCount": _count,
}


def _sql(rule: Rule, column: str | None) -> Check:
    limit = rule.limit
    if not rule.query or limit is None:
        raise ValueError("a sql rule needs a query that returns one number, and an operator")
    query = re.sub(r"\$?\{(object|table|model)\}", "this", rule.query)
    if column:
        query = re.sub(r"\$?\{(property|column|field)\}", quoted(column), query)
    return audit.sql_value(query, limit, **rule.options("sql"))


def _custom(rule: Rule, column: str | None) -> Check:
    if not isinstance(rule.implementation, Mapping) or "check" not in rule.implementation:
        raise ValueError("implementation must be a mapping with the key `check`")
    given = dict(rule.implementation)
    kind = given.pop("check")
    if kind not in _CUSTOM:
        raise ValueError(f"check is {kind!r}, but the engine dataops has {', '.join(_CUSTOM)}")
    scope = {"scope": given.pop("scope")} if "scope" in given else {}
    options = rule.options(kind if column is None else f"{kind}({column})") | scope
    if column is not None and kind not in ("volume", "no_rows", "rows_at_least"):
        given.setdefault("column", column)
    try:
        return _CUSTOM[kind](options, **given)
    except TypeError:
        raise ValueError(f"check {kind} does not take {', '.join(given) or 'nothing'}") from None


def _volume(options: Any, weeks: int = 8, score: float = 5.0, floor: float = 0.05) -> Check:
    return audit.volume(weeks=weeks, score=score, floor=floor, **options)


def _fresh(options: Any, column: str, within: str) -> Check:
    return audit.fresh(column, span(within), **options)


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
