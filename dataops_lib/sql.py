"""SQL identifiers and literals, safe for any text."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def quoted(identifier: str) -> str:
    """An SQL identifier, safe for any text.

    Examples
    --------
    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + identifier.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """An SQL literal for None, bool, a number, text, a date or a time.

    Examples
    --------
    >>> literal("O'Hare"), literal(date(2013, 2, 9))
    ("'O''Hare'", "DATE '2013-02-09'")
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        kind = "TIMESTAMP" if value.tzinfo is None else "TIMESTAMP WITH TIME ZONE"
        return f"{kind} '{value.isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, float) and not math.isfinite(value):
        return f"CAST('{value}' AS DOUBLE)"
    if isinstance(value, int | float | Decimal):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"
