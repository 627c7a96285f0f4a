"""A good day's rows with one fault each, to try checks on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dataops_lib.audit.checks import Check, RowCheck, UniqueCheck


def spoil(data: pa.Table, checks: Sequence[Check]) -> dict[str, pa.Table]:
    """A good day's rows with one fault each, by the name of the fault.

    Which column suffers is read from the checks: the first key, the first required column, the
    first whole number. A fault that nothing in the table can show is left out.
    """
    found: dict[str, pa.Table] = {}
    if any(isinstance(check, UniqueCheck) for check in checks):
        found["the file came twice"] = pa.concat_tables([data, data])
    found["the file came empty"] = data.slice(0, 0)
    required = [c.columns[0] for c in checks if isinstance(c, RowCheck) and "NULL" in c.failing]
    texts = [name for name in required if pa.types.is_string(data.schema.field(name).type)]
    if texts:
        values = data[texts[0]].to_pylist()
        values[:20] = [None] * len(values[:20])
        found[f"{texts[0]} is missing in 20 rows"] = _with(data, texts[0], pa.array(values))
    whole = [f.name for f in data.schema if pa.types.is_integer(f.type)]
    chosen = next(
        (name for name in ("user_id", "flight") if name in whole), whole[0] if whole else ""
    )
    if chosen:
        text = pc.cast(data[chosen], pa.string())
        found[f"{chosen} turned from a number to text"] = _with(data, chosen, text)
    return found


def _with(data: pa.Table, name: str, values: Any) -> pa.Table:
    return data.set_column(data.schema.get_field_index(name), name, values)


def _faults(
    rows: pa.Table, checks: Sequence[Check], chosen: Check
) -> Iterator[tuple[str, pa.Table]]:
    """The day with one fault each: the practice warehouse's, then each column spoilt.

    Columns that the chosen check names come first, because one fault that it finds is enough.
    """
    yield from spoil(rows, checks).items()
    named = " ".join([*chosen.columns, getattr(chosen, "sql", "")])
    for column in sorted(rows.schema, key=lambda column: column.name not in named):
        number = rows.schema.get_field_index(column.name)
        for fault, values in _wrong(column, rows[column.name]):
            yield f"{column.name} {fault}", rows.set_column(number, column.name, values)


def _wrong(column: pa.Field, values: pa.ChunkedArray) -> Iterator[tuple[str, Any]]:
    kind, size = column.type, len(values)
    yield "is missing in every row", pa.nulls(size, kind)
    if pa.types.is_boolean(kind):
        yield "is negated", pa.array([None if v is None else not v for v in values.to_pylist()])
    for fault, value in _extremes(kind).items():
        try:
            yield fault, pa.array([value] * size, kind)
        except (pa.ArrowInvalid, OverflowError):  # a small integer holds no 2 billion
            continue


def _extremes(kind: pa.DataType) -> dict[str, Any]:
    """Values of a type that hardly any rule allows, by what is then wrong."""
    if pa.types.is_decimal(kind):
        largest = Decimal("9" * min(9, kind.precision - kind.scale) or "0")
        return {f"is {-largest}": -largest, f"is {largest}": largest}
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return {"is 2 billion below zero": -2_000_000_000, "is 2 billion": 2_000_000_000}
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return {"is a question mark": "?"}
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return {"lies in 1970": datetime(1970, 1, 2), "lies in 2199": datetime(2199, 12, 30)}  # noqa: DTZ001
    return {}
