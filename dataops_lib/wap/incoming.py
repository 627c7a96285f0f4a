"""Data at the door: does it fit the table, and is it the same data as before?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.types as kinds
from pyiceberg.expressions.parser import parse
from pyiceberg.expressions.visitors import bind
from pyiceberg.io.pyarrow import expression_to_pyarrow
from pyiceberg.schema import Schema

from dataops_lib.errors import UsageError
from dataops_lib.sql import literal, quoted
from dataops_lib.wap.runs import Mode
from dataops_lib.warehouse import scan

BATCH_ROWS = 500_000  # rows of a stream that are held in memory and staged at once
SAMPLE_VALUES = 5


class Misfit(Exception):
    """Data that cannot be staged: what is wrong, column by column, with values that do not fit."""

    def __init__(self, problems: list[str], samples: dict[str, list[Any]] | None = None) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
        self.samples = samples or {}


@dataclass
class Fingerprint:
    """Whether data is the same, whatever the order of its rows: their number, a sum of hashes."""

    rows: int = 0
    total: int = 0

    def add(self, part: pa.Table) -> None:
        """Count the rows of one more part in."""
        names = ", ".join(quoted(name) for name in part.column_names)
        with scan.connect() as con:
            con.register("part", part)
            query = f"SELECT coalesce(sum(hash({names})::HUGEINT), 0)::VARCHAR FROM part"
            self.total += int(con.execute(query).fetchall()[0][0])
        self.rows += part.num_rows

    def __str__(self) -> str:
        # DuckDB does not promise the same hash in every version, so the version is part of it.
        return f"duckdb-{duckdb.__version__}:{self.rows}:{self.total:x}"


def parts(data: Any, schema: Schema, mode: Mode | None = None) -> Iterator[pa.Table]:
    """Pandas or Arrow data as tables that fit `schema` and `mode`: one, or batches of a stream.

    Raises
    ------
    Misfit
        If a column is missing, unknown or of another type, a required one has no value, keys of an
        upsert repeat, or rows lie outside what an overwrite replaces.
    UsageError
        If the kind of data, the filter or the keys of the mode cannot be used.
    """
    for part in _parts(data, schema):
        if mode is not None:
            _suit(part, schema, mode, stream=isinstance(data, pa.RecordBatchReader))
        yield part


def _suit(part: pa.Table, schema: Schema, mode: Mode, *, stream: bool) -> None:
    if mode.kind == "upsert":
        keys = mode.keys or tuple(sorted(schema.identifier_field_names()))
        if unknown := [key for key in keys if key not in part.column_names]:
            raise UsageError(f"the upsert key {', '.join(unknown)} is no column of the table")
        if not keys:
            raise UsageError("upsert needs keys: wap.upsert('order_id'), or identifier fields")
        if stream:
            raise UsageError("upsert cannot take a stream: keys are compared across all rows")
        surplus = part.num_rows - part.group_by(list(keys)).aggregate([]).num_rows
        if surplus:
            raise Misfit([f"{surplus} rows repeat the upsert key {', '.join(keys)}"])
    elif mode.where:
        try:
            selected = expression_to_pyarrow(bind(schema, parse(mode.where), True))
        except Exception as error:
            raise UsageError(f"the filter {mode.where!r} cannot be used: {error}") from None
        outside = part.num_rows - part.filter(selected).num_rows
        if outside:
            raise Misfit([f"{outside} rows lie outside {mode.where}, which is to be replaced"])


def _parts(data: Any, schema: Schema) -> Iterator[pa.Table]:
    if isinstance(data, pa.RecordBatchReader):
        yield from (fit(part, schema) for part in _batches(data))
        return
    if isinstance(data, pd.DataFrame):
        data = pa.Table.from_pandas(data, preserve_index=False)
    if not isinstance(data, pa.Table):
        raise UsageError(
            f"data is a {type(data).__name__}; give a pandas DataFrame, an Arrow table or an "
            "Arrow batch reader"
        )
    yield fit(data, schema)


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    count, yielded = 0, False
    for batch in reader:
        held.append(batch)
        count += batch.num_rows
        if count >= BATCH_ROWS:
            yield pa.Table.from_batches(held, reader.schema)
            held, count, yielded = [], 0, True
    if held or not yielded:
        yield pa.Table.from_batches(held, reader.schema)


def fit(data: pa.Table, schema: Schema) -> pa.Table:
    """The columns of `schema`, in its order and types, without losing anything.

    Numbers may become a wider or narrower type when every value survives; text never becomes a
    number, and a number never text: that is a change of the contract, even if today's values parse.
    """
    problems: list[str] = []
    samples: dict[str, list[Any]] = {}
    wanted = schema.as_arrow()
    arrays: list[pa.ChunkedArray] = []
    for target in wanted:
        try:
            arrays.append(_column(data, target))
        except Misfit as error:
            problems += error.problems
            samples |= error.samples
    extra = [name for name in data.column_names if name not in wanted.names]
    problems += [f"{name} is not a column of the table" for name in extra]
    if problems:
        raise Misfit(problems, samples)
    return pa.Table.from_arrays(arrays, schema=wanted)


def _column(data: pa.Table, target: pa.Field) -> pa.ChunkedArray:
    name = target.name
    found = data.schema.get_all_field_indices(name)
    if len(found) > 1:
        raise Misfit([f"{name} stands {len(found)} times in the data"])
    if not found:
        if not target.nullable:
            raise Misfit([f"{name} is missing from the data"])
        return pa.chunked_array([pa.nulls(data.num_rows, target.type)], target.type)
    values = data.column(found[0])
    if kinds.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if _kind(values.type) not in _FITTING.get(_kind(target.type), {_kind(target.type), "null"}):
        raise Misfit(
            [f"{name} is {_word(values.type)} in the data, but {_word(target.type)} in the table"],
            {name: _not_fitting(values, target.type)},
        )
    try:
        cast = values.cast(target.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise Misfit(
            [f"{name} has values that do not fit {_word(target.type)}: {reason}"],
            {name: _not_fitting(values, target.type)},
        ) from None
    if cast.null_count and not target.nullable:
        raise Misfit([f"{name} has no value in {cast.null_count} rows, but is required"])
    return cast


_FITTING = {
    "integer": {"integer", "number", "null"},  # 3.0 fits an integer, 3.5 does not
    "number": {"integer", "number", "decimal", "null"},
    "decimal": {"integer", "number", "decimal", "null"},
}


def _kind(arrow: pa.DataType) -> str:
    tests = {
        "integer": kinds.is_integer,
        "number": kinds.is_floating,
        "decimal": kinds.is_decimal,
        "boolean": kinds.is_boolean,
        "null": kinds.is_null,
        "date": kinds.is_date,
        "time": kinds.is_time,
    }
    for kind, holds in tests.items():
        if holds(arrow):
            return kind
    if kinds.is_timestamp(arrow):
        return "timestamp with zone" if arrow.tz else "timestamp without zone"
    text = (pa.string(), pa.large_string(), pa.string_view())
    raw = (pa.binary(), pa.large_binary(), pa.binary_view())
    return "string" if arrow in text else "binary" if arrow in raw else _shape(arrow)


def _shape(arrow: pa.DataType) -> str:
    if kinds.is_fixed_size_binary(arrow):
        return "binary"
    nested = {"list": kinds.is_list, "large list": kinds.is_large_list, "map": kinds.is_map}
    if any(holds(arrow) for holds in nested.values()):
        return "map" if kinds.is_map(arrow) else "list"
    return "struct" if kinds.is_struct(arrow) else str(arrow)


def _word(arrow: pa.DataType) -> str:
    kind = _kind(arrow)
    return {"number": "a number", "integer": "an integer", "string": "text"}.get(kind, kind)


def _not_fitting(values: pa.ChunkedArray, target: pa.DataType) -> list[Any]:
    """Some values that are not of the type; if all could be read as it, the first ones."""
    with scan.connect() as con:
        con.register("v", pa.table({"v": values, "n": pa.nulls(len(values), target)}))
        kind = con.execute(
            "SELECT typeof(n) FROM (SELECT n FROM v UNION ALL SELECT NULL)"
        ).fetchall()
        bad = f"TRY_CAST(v AS {kind[0][0]}) IS NULL"
        query = f"SELECT DISTINCT v::VARCHAR FROM v WHERE v IS NOT NULL ORDER BY {bad} DESC, 1"
        found = con.execute(f"{query} LIMIT {literal(SAMPLE_VALUES)}").fetchall()
    return [row[0] for row in found]
