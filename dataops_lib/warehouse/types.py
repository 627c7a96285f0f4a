"""What one type is called in Iceberg, in DuckDB and in a data contract."""

from __future__ import annotations

_PHYSICAL = {
    "VARCHAR": "string", "TEXT": "string", "STRING": "string", "CHAR": "string",
    "INT": "int", "INTEGER": "int", "BIGINT": "long", "LONG": "long", "FLOAT": "float",
    "REAL": "float", "DOUBLE": "double", "BOOLEAN": "boolean", "BOOL": "boolean", "DATE": "date",
    "TIME": "time", "TIMESTAMP": "timestamp", "TIMESTAMPTZ": "timestamptz",
    "TIMESTAMP WITH TIME ZONE": "timestamptz", "BINARY": "binary", "BLOB": "binary", "UUID": "uuid",
}  # fmt: skip

_DUCKDB_TYPES = {
    "boolean": "BOOLEAN", "int": "INTEGER", "long": "BIGINT", "float": "FLOAT",
    "double": "DOUBLE", "date": "DATE", "time": "TIME", "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE", "string": "VARCHAR", "binary": "BLOB",
}  # fmt: skip

_LOGICAL = {
    "boolean": "boolean", "int": "integer", "long": "integer", "float": "number",
    "double": "number", "decimal": "number", "string": "string", "uuid": "string", "date": "date",
    "time": "time", "timestamp": "timestamp", "timestamptz": "timestamp",
    "timestamp_ns": "timestamp", "timestamptz_ns": "timestamp", "binary": "string",
    "fixed": "string", "list": "array", "map": "object", "struct": "object",
}  # fmt: skip


def logical(iceberg_type: str) -> str:
    """Logical type of the contract standard for an Iceberg type.

    Examples
    --------
    >>> logical("long"), logical("decimal(12, 2)")
    ('integer', 'number')
    """
    word = iceberg_type.replace("<", "(").replace("[", "(").split("(")[0].strip().lower()
    return _LOGICAL.get(word, word)
