"""What must hold before a table is published.

A check is a frozen value: it says *what* to measure, as SQL aggregates that other engines accept
too. `audit.run` executes checks and `verdicts.judge` turns what was measured into findings. A new
row check is one line: give `row_check` the SQL predicate that a failing row satisfies.

Constructors: `not_null`, `unique`, `in_range`, `accepted`, `matches`, `row_check`, `rows`,
`rows_at_least`, `fresh`, `foreign_key`, `no_rows`, `sql_value`, `columns`, `volume`. All take
`name` and `severity` ("block": a failure stops the publish; "warn": it is reported). Those that
count rows take `scope`, "table" (every row a reader would see) or "added" (the rows of this run),
and `limit`. An option that a check would ignore, or a word that it does not know, is a ValueError:
no check is weaker than it reads. A plain function is a check as well: it gets the branch's data as
a pandas DataFrame and returns something with `.passed` and `.message`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal, get_args
from zoneinfo import ZoneInfo

from dataops_lib.sql import literal, quoted

Severity = Literal["block", "warn"]
Scope = Literal["table", "added"]
Unit = Literal["rows", "percent"]
SAMPLE_ROWS = 20  # failing rows that a finding carries at most

_HOLDS: dict[str, Callable[..., bool]] = {
    "mustBe": lambda v, a: v == a,
    "mustNotBe": lambda v, a: v != a,
    "mustBeGreaterThan": lambda v, a: v > a,
    "mustBeGreaterOrEqualTo": lambda v, a: v >= a,
    "mustBeLessThan": lambda v, a: v < a,
    "mustBeLessOrEqualTo": lambda v, a: v <= a,
    "mustBeBetween": lambda v, a, b: a <= v <= b,
    "mustNotBeBetween": lambda v, a, b: not a <= v <= b,
}

OPERATORS = tuple(_HOLDS)


def _one_of(name: str, word: Any, words: Sequence[str]) -> None:
    if word not in words:
        raise ValueError(f"{name} is {word!r}, but must be {' or '.join(words)}")


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return number and not math.isnan(value)


@dataclass(frozen=True)
class Limit:
    """What a measured number may be, in the operators of the Open Data Contract Standard.

    Examples
    --------
    >>> Limit("mustBeLessThan", (5,), "percent").holds(1, of=100)
    True
    """

    operator: str = "mustBe"
    values: tuple[Any, ...] = (0,)
    unit: Unit = "rows"

    def __post_init__(self) -> None:
        _one_of("operator", self.operator, OPERATORS)
        _one_of("unit", self.unit, get_args(Unit))
        size = 2 if self.operator.endswith("Between") else 1
        if len(self.values) != size or not all(_is_number(value) for value in self.values):
            raise ValueError(
                f"{self.operator} is {list(self.values)}, but must be {size} number(s)"
            )
        if size == 2 and self.values[0] > self.values[1]:
            raise ValueError(f"{self.operator} is {list(self.values)}: the first is the greater")

    def holds(self, value: Any, *, of: int | None = None) -> bool:
        """True when `value` keeps the limit, or its share of `of` rows where the unit is percent.

        What is no number, NaN as well, keeps no limit, not even a negated one.
        """
        if not _is_number(value):
            return False
        if self.unit == "percent" and of is not None:
            value = Decimal(value) * 100 / of if of else Decimal(0)
        return bool(_HOLDS[self.operator](value, *self.values))

    @property
    def text(self) -> str:
        """The limit in words: `must be between 1 and 5 percent`."""
        words = "".join(f" {c.lower()}" if c.isupper() else c for c in self.operator)
        unit = " percent" if self.unit == "percent" else ""
        return f"{words} {' and '.join(str(v) for v in self.values)}{unit}"


NONE_FAILS = Limit()


@dataclass(frozen=True, kw_only=True)
class Check:
    """What every check has; `columns` are the columns it reads."""

    name: str
    severity: Severity = "block"
    scope: Scope = "table"
    limit: Limit = NONE_FAILS
    columns: tuple[str, ...] = ()
    ignores: ClassVar[tuple[str, ...]] = ()  # options that would have no effect

    def __post_init__(self) -> None:
        _one_of("severity", self.severity, get_args(Severity))
        _one_of("scope", self.scope, get_args(Scope))
        for option in self.ignores:
            if getattr(self, option) != getattr(Check, option):
                raise ValueError(f"{self.name} takes no {option}")

    @property
    def row_wise(self) -> bool:
        """True when a row fails or passes whatever the other rows are."""
        return isinstance(self, RowCheck)


@dataclass(frozen=True, kw_only=True)
class RowCheck(Check):
    """Rows for which the SQL predicate `failing` holds, `says` in words what is wrong with them."""

    failing: str
    says: str


@dataclass(frozen=True, kw_only=True)
class UniqueCheck(Check):
    """Rows that share their key with another row; a key with a NULL in it is not compared."""


@dataclass(frozen=True, kw_only=True)
class RowCount(Check):
    """The number of rows."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.limit.unit == "percent":
            raise ValueError("a number of rows has no percent: of what?")


@dataclass(frozen=True, kw_only=True)
class FreshCheck(Check):
    """The newest value of a date or time column is at most `within` old; see `fresh`."""

    ignores = ("limit",)
    within: timedelta
    zone: str | None = None


@dataclass(frozen=True, kw_only=True)
class ForeignKeyCheck(Check):
    """Values that do not stand in column `key` of the published table `table`."""

    table: str
    key: str


@dataclass(frozen=True, kw_only=True)
class SqlCheck(Check):
    """A SELECT whose number of rows, or the one number it returns (`value`), keeps the limit.

    `own_names` are what `sql` calls the audited rows, besides `this` and the table's own name.
    """

    sql: str
    value: bool = False
    own_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """One column of a contract: a logical and an Iceberg type, None where it names none."""

    name: str
    type: str | None
    required: bool = False
    physical: str | None = None


@dataclass(frozen=True, kw_only=True)
class ColumnsCheck(Check):
    """The table has exactly these columns, in any order."""

    ignores = ("limit", "scope")
    fields: tuple[Column, ...]


@dataclass(frozen=True, kw_only=True)
class VolumeCheck(Check):
    """Rows added, against the same weekday of past weeks; see `volume`."""

    ignores = ("limit",)
    past: tuple[int, ...] | None
    weeks: int
    score: float
    floor: float
    at_least: int


@dataclass(frozen=True, kw_only=True)
class FunctionCheck(Check):
    """The article's form: `function(data)` returns something with `.passed` and `.message`."""

    ignores = ("limit", "scope")
    function: Callable[[Any], Any]


def row_check(name: str, failing: str, says: str, /, *columns: str, **options: Any) -> RowCheck:
    """A check of your own: rows for which the SQL predicate `failing` holds are wrong."""
    options.setdefault("name", name)
    return RowCheck(failing=failing, says=says, columns=columns, **options)


def not_null(col: str, **options: Any) -> RowCheck:
    """Every row has a value in `col`."""
    return row_check(f"not_null({col})", f"{quoted(col)} IS NULL", f"have no {col}", col, **options)


def unique(*cols: str, **options: Any) -> UniqueCheck:
    """No two rows share the values of `cols`; a key with a NULL in it is not compared.

    The count is of *rows that share their key with another row*: 10 planted copies of 10 rows
    count 20. The finding also gives the keys that repeat (10) and the surplus rows (10).
    """
    if not cols or len(set(cols)) < len(cols):
        raise ValueError(f"unique needs at least one column, and each once, not {cols}")
    options.setdefault("name", f"unique({', '.join(cols)})")
    return UniqueCheck(columns=cols, **options)


def in_range(
    col: str, low: Any = None, high: Any = None, *, ends: str = "[]", **options: Any
) -> RowCheck:
    """Values lie between `low` and `high`; NULL passes, NaN does not.

    `ends` says which ends are inside: "[]" both, "(]" not the low one, "[)" not the high one, "()"
    neither.
    """
    if low is None and high is None:
        raise ValueError(f"in_range({col!r}) needs low, high or both")
    _one_of("ends", ends, ("[]", "(]", "[)", "()"))
    for bound in (low, high):
        if isinstance(bound, float | Decimal) and math.isnan(bound):
            raise ValueError(f"in_range({col!r}) has a bound that is NaN")
    if low is not None and high is not None and low > high:
        raise ValueError(f"in_range({col!r}): low is {low}, above high, {high}")
    value, tests = quoted(col), []
    if low is not None:
        tests.append(f"{value} {'<' if ends[0] == '[' else '<='} {literal(low)}")
    if high is not None:
        # NaN is greater than every number
        tests.append(f"{value} {'>' if ends[1] == ']' else '>='} {literal(high)}")
    if isinstance(low if high is None else high, int | float | Decimal):
        tests.append(f"CAST({value} AS DOUBLE) = CAST('NaN' AS DOUBLE)")
    span = f"{ends[0]}{'' if low is None else low}, {'' if high is None else high}{ends[1]}"
    says = f"have {col} outside {span}"
    return row_check(f"in_range({col})", " OR ".join(tests), says, col, **options)


def accepted(col: str, values: Sequence[Any], **options: Any) -> RowCheck:
    """Values are among `values`; NULL passes, whether None is among them or not."""
    if isinstance(values, str) or not values:
        raise ValueError(f"accepted({col!r}) needs a list of at least one value, not {values!r}")
    listed = ", ".join(literal(value) for value in values if value is not None)
    # NOT IN (..., NULL) is never true: a list with NULL in it would accept everything.
    others = f" AND {quoted(col)} NOT IN ({listed})" if listed else ""
    says = f"have another {col} than the {len(values)} accepted"
    failing = f"{quoted(col)} IS NOT NULL{others}"
    return row_check(f"accepted({col})", failing, says, col, **options)


def matches(col: str, regex: str, **options: Any) -> RowCheck:
    """The whole value matches `regex` (RE2 syntax); NULL passes."""
    pattern = literal(f"^(?:{regex})$")
    failing = f"NOT regexp_like(CAST({quoted(col)} AS VARCHAR), {pattern})"
    return row_check(f"matches({col})", failing, f"have {col} unlike {regex}", col, **options)


def rows(limit: Limit, **options: Any) -> RowCount:
    """The number of rows keeps `limit`."""
    options.setdefault("name", "rows")
    return RowCount(limit=limit, **options)


def rows_at_least(n: int, **options: Any) -> RowCount:
    """At least `n` rows; with `scope="added"`, at least `n` new ones."""
    return rows(Limit("mustBeGreaterOrEqualTo", (n,)), **{"name": "rows_at_least"} | options)


def fresh(col: str, within: timedelta, *, zone: str | None = None, **options: Any) -> FreshCheck:
    """The newest value of `col` is at most `within` older than the time of the audit.

    Values that carry no zone, days and times without one, are those of `zone`, an IANA name; UTC
    without it. A day counts from its midnight. A value in the future fails; where no zone is given
    a day is in the future once it has begun nowhere on earth (14 hours before UTC).
    """
    if within <= timedelta(0):
        raise ValueError(f"fresh({col!r}): within is {within}, but must be a length of time")
    if zone is not None:
        ZoneInfo(zone)  # an unknown zone is an error here, not at night
    options.setdefault("name", f"fresh({col})")
    return FreshCheck(within=within, zone=zone, columns=(col,), **options)


def foreign_key(col: str, table: str, key: str, **options: Any) -> ForeignKeyCheck:
    """Every value of `col` stands in `key` of the published `table`; NULL passes."""
    options.setdefault("name", f"foreign_key({col})")
    return ForeignKeyCheck(table=table, key=key, columns=(col,), **options)


def no_rows(sql: str, **options: Any) -> SqlCheck:
    """The SELECT returns nothing, or as many rows as `limit` allows.

    `this` and the table's own name are the audited rows, those of `scope`; other tables of the
    catalog go by their names, with or without the namespace. Files and addresses cannot be read.
    """
    options.setdefault("name", "no_rows")
    return SqlCheck(sql=sql, **options)


def sql_value(sql: str, limit: Limit, **options: Any) -> SqlCheck:
    """The one number that the SELECT returns keeps `limit`; see `no_rows` for what it may read."""
    options.setdefault("name", "sql_value")
    return SqlCheck(sql=sql, value=True, limit=limit, **options)


def columns(*fields: Column, **options: Any) -> ColumnsCheck:
    """The table has exactly these columns: the schema equals the contract."""
    options.setdefault("name", "columns")
    return ColumnsCheck(fields=fields, **options)


def volume(
    past: Sequence[int] | None = None,
    *,
    weeks: int = 8,
    score: float = 5.0,
    floor: float = 0.05,
    at_least: int = 4,
    **options: Any,
) -> VolumeCheck:
    """Rows added lie in the band of the same weekday of the past `weeks`.

    The score is |log(count / median)| over a robust scale, 1.4826 x MAD of the logs but at least
    `floor`. No rows at all always fails; fewer than `at_least` past counts is unknown. Without
    `past` the audit takes the counts from the table's own publishes.
    """
    options.setdefault("name", "volume")
    return VolumeCheck(
        past=None if past is None else tuple(past),
        weeks=weeks,
        score=score,
        floor=floor,
        at_least=at_least,
        **{"scope": "added"} | options,
    )


def as_check(check: Check | Callable[[Any], Any]) -> Check:
    """A check as it is; a plain function as a `FunctionCheck`, also a lambda or a partial."""
    if isinstance(check, Check):
        return check
    if not callable(check):
        raise TypeError(f"{check!r} is neither a check nor a function")
    inner = getattr(check, "func", check)
    name = getattr(inner, "__name__", type(inner).__name__)
    return FunctionCheck(name=name, function=check)


def aggregates(check: Check) -> dict[str, str]:
    """SQL aggregates over the audited rows that `judge` needs, by the name it reads them under.

    Examples
    --------
    >>> aggregates(not_null("tailnum"))
    {'failed': 'count(*) FILTER (WHERE "tailnum" IS NULL)'}
    """
    if isinstance(check, RowCheck):
        return {"failed": f"count(*) FILTER (WHERE {check.failing})"}
    if isinstance(check, FreshCheck):
        return {"newest": f"max({quoted(check.columns[0])})"}
    return {}
