"""What one type is called in Iceberg, in DuckDB, in a data contract and in other databases."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class TypeNames:
    """One type: its names, and how databases spell it in `physicalType` of a contract."""

    iceberg: str
    duckdb: str | None  # None: DuckDB does not read it from a file by itself
    logical: str
    spellings: str = ""


_TABLE = (
    TypeNames("boolean", "BOOLEAN", "boolean", "BOOLEAN|BOOL"),
    TypeNames("int", "INTEGER", "integer", "INT|INTEGER|INT4|SMALLINT|TINYINT"),
    TypeNames("long", "BIGINT", "integer", "BIGINT|LONG|INT8|INT64"),
    TypeNames("float", "FLOAT", "number", "FLOAT|REAL|FLOAT4"),
    TypeNames("double", "DOUBLE", "number", "DOUBLE|DOUBLE PRECISION|FLOAT8|FLOAT64"),
    TypeNames("decimal", None, "number", "DECIMAL|NUMERIC|DEC|NUMBER"),  # DuckDB's has its digits
    TypeNames(
        "string", "VARCHAR", "string", "VARCHAR|TEXT|STRING|CHAR|NVARCHAR|CHARACTER VARYING"
    ),
    TypeNames("uuid", None, "string", "UUID"),
    TypeNames("date", "DATE", "date", "DATE"),
    TypeNames("time", "TIME", "time", "TIME"),
    TypeNames("timestamp", "TIMESTAMP", "timestamp", "TIMESTAMP|TIMESTAMP WITHOUT TIME ZONE"),
    TypeNames(
        "timestamptz", "TIMESTAMP WITH TIME ZONE", "timestamp",
        "TIMESTAMPTZ|TIMESTAMP WITH TIME ZONE",
    ),
    TypeNames("timestamp_ns", None, "timestamp"),
    TypeNames("timestamptz_ns", None, "timestamp"),
    TypeNames("binary", "BLOB", "string", "BINARY|BLOB|BYTES|VARBINARY"),
    TypeNames("fixed", None, "string"),
    TypeNames("list", None, "array"),
    TypeNames("map", None, "object"),
    TypeNames("struct", None, "object"),
)  # fmt: skip
_ICEBERG = {names.iceberg: names for names in _TABLE}
_SPELLED = {word: names for names in _TABLE for word in names.spellings.split("|") if word}
_DIGITS = re.compile(r"\s*(\d+)\s*(?:,\s*(\d+)\s*)?")


def _word(iceberg_type: str) -> str:
    return re.split(r"[<(\[]", iceberg_type)[0].strip().lower()


def logical(iceberg_type: str) -> str:
    """Logical type of the contract standard for an Iceberg type.

    Examples
    --------
    >>> logical("long"), logical("decimal(12, 2)")
    ('integer', 'number')
    """
    names = _ICEBERG.get(_word(iceberg_type))
    return names.logical if names else _word(iceberg_type)


def duckdb_type(iceberg_type: str) -> str | None:
    """DuckDB's name of an Iceberg type; None where DuckDB does not read it by itself.

    Examples
    --------
    >>> duckdb_type("long"), duckdb_type("decimal(12, 2)"), duckdb_type("uuid")
    ('BIGINT', 'DECIMAL(12, 2)', None)
    """
    if _word(iceberg_type) == "decimal":
        return iceberg_type.upper()
    names = _ICEBERG.get(iceberg_type)
    return names.duckdb if names else None


def iceberg_type(physical_type: str) -> tuple[str | None, int | None]:
    """Iceberg type of a database's type, and the length or precision it gives; None where none.

    Examples
    --------
    >>> iceberg_type("varchar(18)"), iceberg_type("NUMERIC(12,2)"), iceberg_type("money")
    (('string', 18), ('decimal(12, 2)', None), (None, None))
    """
    text, _, rest = physical_type.strip().partition("(")
    digits, closed, after = rest.partition(")")
    names = _SPELLED.get(" ".join(f"{text} {after}".upper().split()))
    numbers = _DIGITS.fullmatch(digits) if closed else None
    if names is None or (rest and not numbers):
        return None, None
    if names.iceberg == "decimal":
        return (f"decimal({numbers[1]}, {numbers[2] or 0})" if numbers else None), None
    return names.iceberg, int(numbers[1]) if numbers else None
