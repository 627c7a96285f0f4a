"""Which rows a filter selects: those for which it is TRUE, in SQL's logic of three values.

A comparison with NULL is neither true nor false, one with NaN is as in IEEE 754 (only "is not
equal" holds), and 0.0 equals -0.0. The filter is worked out twice, by Arrow to replace the rows and
by DuckDB to count what was replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import (
    AlwaysFalse,
    AlwaysTrue,
    And,
    BooleanExpression,
    IsNaN,
    LiteralPredicate,
    Not,
    NotNaN,
    Or,
    SetPredicate,
)
from pyiceberg.expressions.literals import AboveMax, BelowMin, DecimalLiteral
from pyiceberg.expressions.parser import parse
from pyiceberg.expressions.visitors import (
    BooleanExpressionVisitor,
    BoundBooleanExpressionVisitor,
    bind,
    visit,
)
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.types import (
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    NestedField,
)

from dataops_lib.errors import UsageError
from dataops_lib.sql import quoted

_UNDERSCORE = re.compile(r"\blike\s*'(?:[^']|'')*_", re.IGNORECASE)


@dataclass(frozen=True)
class Condition:
    """A filter that can be used on a table; `columns` are those that it reads."""

    text: str
    where: BooleanExpression  # selects files: every selected row fulfils it
    bound: BooleanExpression
    columns: tuple[str, ...]

    @staticmethod
    def of(text: str, schema: Schema) -> Condition:
        """The filter `text` on a table of `schema`.

        Raises
        ------
        UsageError
            If it cannot be read, names what is no column, compares with a value that its column
            cannot hold, or names columns that differ only in case.
        """
        try:
            if _UNDERSCORE.search(text):
                raise ValueError("in a LIKE only % at the end is known, not _")
            fitting = _Fitting(schema)
            expression = visit(parse(text), fitting)
            bound = bind(schema, expression, True)
        except Exception as error:  # of the parser and of pyiceberg's types, of many kinds
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UsageError(f"the filter {text!r} cannot be used: {reason}") from None
        names = tuple(sorted(fitting.names))
        kinds = [schema.find_field(name).field_type for name in names]
        floats = any(isinstance(kind, FloatType | DoubleType) for kind in kinds)
        # A file's bounds say nothing of NaN, and NOT is turned into its opposite before they are
        # asked, which is no opposite for NaN.
        return Condition(text, AlwaysTrue() if floats else expression, bound, names)

    def holds(self, rows: pa.Table) -> pa.ChunkedArray:
        """For each row whether the filter is TRUE for it."""
        truth = visit(self.bound, _Truth(rows))
        return pc.fill_null(truth, False)

    def sql(self) -> tuple[str, pa.Table]:
        """The filter as a predicate of DuckDB, and the one row of literals that it refers to."""
        writer = _Sql()
        predicate = visit(self.bound, writer)
        values = {name: pa.array([value], value.type) for name, value in writer.literals.items()}
        return predicate, pa.table(values or {"none": [None]})


@dataclass
class _Fitting(BooleanExpressionVisitor[BooleanExpression]):
    """A filter whose literals are what their columns can hold, and the `names` of those columns.

    pyiceberg binds a literal that does not fit to another value, or to FALSE, in silence.
    """

    schema: Schema
    names: set[str] = field(default_factory=set)

    def visit_true(self) -> BooleanExpression:
        return AlwaysTrue()

    def visit_false(self) -> BooleanExpression:
        return AlwaysFalse()

    def visit_not(self, child_result: BooleanExpression) -> BooleanExpression:
        return Not(child_result)

    def visit_and(self, left_result: Any, right_result: Any) -> BooleanExpression:
        return And(left_result, right_result)

    def visit_or(self, left_result: Any, right_result: Any) -> BooleanExpression:
        return Or(left_result, right_result)

    def visit_bound_predicate(self, predicate: Any) -> BooleanExpression:
        raise TypeError(f"{predicate} is bound already")

    def visit_unbound_predicate(self, predicate: Any) -> BooleanExpression:
        column = self._column(str(predicate.term.name))
        if isinstance(predicate, SetPredicate):
            fitted = {_fitted(literal, column) for literal in predicate.literals}
            return type(predicate)(predicate.term, fitted)
        if isinstance(predicate, LiteralPredicate):
            return type(predicate)(predicate.term, _fitted(predicate.literal, column))
        if isinstance(predicate, IsNaN | NotNaN) and not _is_floating(column):
            raise ValueError(f"{column.name} is {column.field_type}, which is never NaN")
        return cast(BooleanExpression, predicate)

    def _column(self, name: str) -> NestedField:
        columns = {column.name: column for column in self.schema.fields}
        if name not in columns:
            raise ValueError(f"{name} is no column of the table")
        if sum(other.lower() == name.lower() for other in columns) > 1:
            raise ValueError(f"another column differs from {name} only in case")
        self.names.add(name)
        return columns[name]


def _is_floating(column: NestedField) -> bool:
    return isinstance(column.field_type, FloatType | DoubleType)


def _fitted(literal: Any, column: NestedField) -> Any:
    kind, value = column.field_type, literal.value
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    numeric = isinstance(kind, IntegerType | LongType | FloatType | DoubleType | DecimalType)
    if is_number and not numeric:
        raise ValueError(f"{value} is a number, but {column.name} is {kind}")
    if isinstance(kind, DecimalType) and is_number:
        # The parser makes 0.1 a binary fraction first.
        value = Decimal(repr(float(value))) if isinstance(value, Decimal) else Decimal(value)
        literal = DecimalLiteral(value.quantize(Decimal(1).scaleb(-kind.scale)))
    held = literal.to(kind)
    if isinstance(held, AboveMax | BelowMin):
        raise ValueError(f"{value} lies outside what {column.name} ({kind}) can hold")
    if is_number and not _is_floating(column) and held.value != value:
        raise ValueError(f"{value} is no {kind}, which {column.name} is")
    return held if isinstance(kind, DecimalType) else literal


def unsigned_zero(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same values, -0.0 as 0.0: one number, but two for a lookup by hash."""
    floating = pa.types.is_floating(values.type)
    return pc.add(values, pa.scalar(0, values.type)) if floating else values


class _Truth(BoundBooleanExpressionVisitor[Any]):
    """What a filter is for each row: true, false, or null."""

    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows

    def _values(self, term: Any) -> pa.ChunkedArray:
        values = self.rows.column(term.ref().field.name)
        return unsigned_zero(values)

    def _compare(self, function: Callable[[Any, Any], Any], term: Any, literal: Any) -> Any:
        return function(self._values(term), _scalar(term, literal.value))

    def visit_in(self, term: Any, literals: set[Any]) -> Any:
        values = self._values(term)
        constants = pa.array([_scalar(term, value).as_py() for value in literals], values.type)
        listed = unsigned_zero(constants)
        inside = pc.is_in(values, value_set=listed)
        return pc.if_else(pc.is_valid(values), inside, pa.scalar(None, pa.bool_()))

    def visit_not_in(self, term: Any, literals: set[Any]) -> Any:
        return pc.invert(self.visit_in(term, literals))

    def visit_is_nan(self, term: Any) -> Any:
        return pc.is_nan(self._values(term))

    def visit_not_nan(self, term: Any) -> Any:
        return pc.invert(pc.is_nan(self._values(term)))

    def visit_is_null(self, term: Any) -> Any:
        return pc.is_null(self._values(term))

    def visit_not_null(self, term: Any) -> Any:
        return pc.is_valid(self._values(term))

    def visit_equal(self, term: Any, literal: Any) -> Any:
        return self._compare(pc.equal, term, literal)

    def visit_not_equal(self, term: Any, literal: Any) -> Any:
        return self._compare(pc.not_equal, term, literal)

    def visit_greater_than_or_equal(self, term: Any, literal: Any) -> Any:
        return self._compare(pc.greater_equal, term, literal)

    def visit_greater_than(self, term: Any, literal: Any) -> Any:
        return self._compare(pc.greater, term, literal)

    def visit_less_than(self, term: Any, literal: Any) -> Any:
        return self._compare(pc.less, term, literal)

    def visit_less_than_or_equal(self, term: Any, literal: Any) -> Any:
        return self._compare(pc.less_equal, term, literal)

    def visit_starts_with(self, term: Any, literal: Any) -> Any:
        return pc.starts_with(self._values(term), pattern=literal.value)

    def visit_not_starts_with(self, term: Any, literal: Any) -> Any:
        return pc.invert(self.visit_starts_with(term, literal))

    def visit_true(self) -> Any:
        return pa.repeat(pa.scalar(True), self.rows.num_rows)

    def visit_false(self) -> Any:
        return pa.repeat(pa.scalar(False), self.rows.num_rows)

    def visit_not(self, child_result: Any) -> Any:
        return pc.invert(child_result)

    def visit_and(self, left_result: Any, right_result: Any) -> Any:
        return pc.and_kleene(left_result, right_result)

    def visit_or(self, left_result: Any, right_result: Any) -> Any:
        return pc.or_kleene(left_result, right_result)


def _scalar(term: Any, value: Any) -> pa.Scalar:
    return pa.scalar(value, schema_to_pyarrow(term.ref().field.field_type))


@dataclass
class _Sql(BoundBooleanExpressionVisitor[str]):
    """The same for DuckDB, where NaN is the greatest number; literals keep their Arrow types."""

    literals: dict[str, pa.Scalar] = field(default_factory=dict)

    def _literal(self, term: Any, value: Any) -> str:
        name = f"literal {len(self.literals)}"
        self.literals[name] = _scalar(term, value)
        return quoted(name)

    def _compare(self, operator: str, term: Any, literal: Any) -> str:
        column = quoted(term.ref().field.name)
        test = f"{column} {operator} {self._literal(term, literal.value)}"
        above = operator in (">", ">=") and _is_floating(term.ref().field)
        return f"({test} AND NOT isnan({column}))" if above else f"({test})"

    def visit_in(self, term: Any, literals: set[Any]) -> str:
        listed = ", ".join(self._literal(term, value) for value in literals)
        return f"({quoted(term.ref().field.name)} IN ({listed}))"

    def visit_not_in(self, term: Any, literals: set[Any]) -> str:
        return f"(NOT {self.visit_in(term, literals)})"

    def visit_is_nan(self, term: Any) -> str:
        return f"isnan({quoted(term.ref().field.name)})"

    def visit_not_nan(self, term: Any) -> str:
        return f"(NOT {self.visit_is_nan(term)})"

    def visit_is_null(self, term: Any) -> str:
        return f"({quoted(term.ref().field.name)} IS NULL)"

    def visit_not_null(self, term: Any) -> str:
        return f"({quoted(term.ref().field.name)} IS NOT NULL)"

    def visit_equal(self, term: Any, literal: Any) -> str:
        return self._compare("=", term, literal)

    def visit_not_equal(self, term: Any, literal: Any) -> str:
        return self._compare("<>", term, literal)

    def visit_greater_than_or_equal(self, term: Any, literal: Any) -> str:
        return self._compare(">=", term, literal)

    def visit_greater_than(self, term: Any, literal: Any) -> str:
        return self._compare(">", term, literal)

    def visit_less_than(self, term: Any, literal: Any) -> str:
        return self._compare("<", term, literal)

    def visit_less_than_or_equal(self, term: Any, literal: Any) -> str:
        return self._compare("<=", term, literal)

    def visit_starts_with(self, term: Any, literal: Any) -> str:
        column = quoted(term.ref().field.name)
        return f"starts_with({column}, {self._literal(term, literal.value)})"

    def visit_not_starts_with(self, term: Any, literal: Any) -> str:
        return f"(NOT {self.visit_starts_with(term, literal)})"

    def visit_true(self) -> str:
        return "TRUE"

    def visit_false(self) -> str:
        return "FALSE"

    def visit_not(self, child_result: str) -> str:
        return f"(NOT {child_result})"

    def visit_and(self, left_result: str, right_result: str) -> str:
        return f"({left_result} AND {right_result})"

    def visit_or(self, left_result: str, right_result: str) -> str:
        return f"({left_result} OR {right_result})"
