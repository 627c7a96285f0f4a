"""What must hold before a table is published.

A check is a frozen value: it says *what* to measure, as SQL aggregates that other engines accept
too. `warehouse.audit` executes checks and `verdict.judge` turns what was measured into findings. A
new row check is one line: give `row_check` the SQL predicate that a failing row satisfies.

Constructors: `not_null`, `unique`, `in_range`, `accepted`, `matches`, `row_check`, `rows`,
`rows_at_least`, `fresh`, `foreign_key`, `no_rows`, `sql_value`, `columns`, `volume`. All take
`name` and `severity` ("block": a failure stops the publish; "warn": it is reported). Those that
count rows take `scope`, "table" (every row a reader would see) or "added" (the rows of this run),
and `limit`. A plain function is a check as well: it gets the branch's data as a pandas DataFrame
and returns something with `.passed` and `.message`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

from dataops_lib.sql import literal, quoted

Severity = Literal["block", "warn"]
Scope = Literal["table", "added"]
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
    unit: Literal["rows", "percent"] = "rows"

    def holds(self, value: Any, *, of: int = 0) -> bool:
        """True when `value` (of `of` rows in all, for percent) keeps the limit."""
        if self.unit == "percent":
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


@dataclass(frozen=True, kw_only=True)
class FreshCheck(Check):
    """The newest value of a date or time column is at most `within` old."""

    within: timedelta


@dataclass(frozen=True, kw_only=True)
class ForeignKeyCheck(Check):
    """Values that do not stand in column `key` of the published table `table`."""

    table: str
    key: str


@dataclass(frozen=True, kw_only=True)
class SqlCheck(Check):
    """A SELECT that must return no rows (`value` False) or one number within the limit."""

    sql: str
    value: bool = False


@dataclass(frozen=True)
class Column:
    """One column of a contract; `type` is logical, `physical` an Iceberg type or None."""

    name: str
    type: str
    required: bool = False
    physical: str | None = None


@dataclass(frozen=True, kw_only=True)
class ColumnsCheck(Check):
    """The table has exactly these columns, in any order."""

    fields: tuple[Column, ...]


@dataclass(frozen=True, kw_only=True)
class VolumeCheck(Check):
    """Rows added, against the same weekday of past weeks; see `volume`."""

    past: tuple[int, ...] | None
    weeks: int
    score: float
    floor: float
    at_least: int


@dataclass(frozen=True, kw_only=True)
class FunctionCheck(Check):
    """The article's form: `function(data)` returns something with `.passed` and `.message`."""

    function: Callable[[Any], Any]


def row_check(name: str, failing: str, says: str, /, *columns: str, **options: Any) -> RowCheck:
    """A check of your own: rows for which the SQL predicate `failing` holds are wrong."""
    options.setdefault("name", name)
    return RowCheck(failing=failing, says=says, columns=columns, **options)


def not_null(col: str, **options: Any) -> RowCheck:
    """Every row has a value in `col`."""
    return row_check(f"not_null({col})", f"{quoted(col)} IS NULL", f"have no {col}", col, **options)


def unique(*cols: str, **options: Any) -> UniqueCheck:
    """No two rows share the values of `cols`.

    The count is of *rows that share their key with another row*: 10 planted copies of 10 rows
    count 20. The finding also gives the keys that repeat (10) and the surplus rows (10).
    """
    options.setdefault("name", f"unique({', '.join(cols)})")
    return UniqueCheck(columns=cols, **options)


def in_range(col: str, low: Any = None, high: Any = None, **options: Any) -> RowCheck:
    """Values lie in [low, high], both ends inside; NULL passes, NaN does not."""
    if low is None and high is None:
        raise ValueError(f"in_range({col!r}) needs low, high or both")
    name, tests = quoted(col), []
    if low is not None:
        tests.append(f"{name} < {literal(low)}")
    if high is not None:
        tests.append(f"{name} > {literal(high)}")  # NaN is greater than every number
    elif isinstance(low, int | float | Decimal):
        tests.append(f"CAST({name} AS DOUBLE) = CAST('NaN' AS DOUBLE)")
    says = f"have {col} outside [{'' if low is None else low}, {'' if high is None else high}]"
    return row_check(f"in_range({col})", " OR ".join(tests), says, col, **options)


def accepted(col: str, values: Sequence[Any], **options: Any) -> RowCheck:
    """Values are among `values`; NULL passes."""
    if not values:
        raise ValueError(f"accepted({col!r}) needs at least one value")
    listed = ", ".join(literal(value) for value in values)
    says = f"have another {col} than the {len(values)} accepted"
    return row_check(f"accepted({col})", f"{quoted(col)} NOT IN ({listed})", says, col, **options)


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


def fresh(col: str, within: timedelta, **options: Any) -> FreshCheck:
    """The newest value of `col` is at most `within` older than the time of the audit."""
    options.setdefault("name", f"fresh({col})")
    return FreshCheck(within=within, columns=(col,), **options)


def foreign_key(col: str, table: str, key: str, **options: Any) -> ForeignKeyCheck:
    """Every value of `col` stands in `key` of the published `table`; NULL passes."""
    options.setdefault("name", f"foreign_key({col})")
    return ForeignKeyCheck(table=table, key=key, columns=(col,), **options)


def no_rows(sql: str, **options: Any) -> SqlCheck:
    """The SELECT returns nothing. `this` is the audited data; other tables go by their names."""
    options.setdefault("name", "no_rows")
    return SqlCheck(sql=sql, **options)


def sql_value(sql: str, limit: Limit, **options: Any) -> SqlCheck:
    """The one number that the SELECT returns keeps `limit`."""
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
