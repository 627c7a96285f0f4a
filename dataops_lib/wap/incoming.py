"""Data at the door: does it fit the table, and is it the same data as before?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds
from pyiceberg.schema import Schema

from dataops_lib.errors import DataError, UsageError
from dataops_lib.sql import literal
from dataops_lib.wap.conditions import Condition, unsigned_zero
from dataops_lib.wap.replacing import key_columns
from dataops_lib.wap.runs import Mode
from dataops_lib.warehouse import scan

BATCH_ROWS = 500_000  # rows of a stream that are held in memory and staged at once
SAMPLE_VALUES = 5


class DoesNotFit(DataError):
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
        # By number: DuckDB renames columns that differ only in case.
        names = [f"c{number}" for number in range(part.num_columns)]
        with scan.connect() as con:
            con.register("part", part.rename_columns(names))
            query = f"SELECT coalesce(sum(hash({', '.join(names)})::HUGEINT), 0)::VARCHAR FROM part"
            self.total += int(con.execute(query).fetchall()[0][0])
        self.rows += part.num_rows

    def __str__(self) -> str:
        # DuckDB does not promise the same hash in every version, so the version is part of it.
        return f"duckdb-{duckdb.__version__}:{self.rows}:{self.total:x}"


def parts(data: Any, schema: Schema, mode: Mode | None = None) -> Iterator[pa.Table]:
    """Pandas or Arrow data as tables that fit `schema` and `mode`: one, or batches of a stream.

    Raises
    ------
    DoesNotFit
        If a column is missing, unknown or of another type, a value would change, a required one has
        no value, keys of an upsert repeat or have no value, or rows lie outside what an overwrite
        replaces.
    UsageError
        If the kind of data, the filter or the keys of the mode cannot be used.
    """
    stream = isinstance(data, pa.RecordBatchReader)
    condition = Condition.of(mode.where, schema) if mode and mode.where else None
    keys = _upsert_keys(mode, schema, stream=stream) if mode and mode.kind == "upsert" else ()
    for part in _parts(data, schema):
        if condition:
            _check_inside(part, condition)
        if keys:
            _check_keys(part, keys)
        yield part


def _upsert_keys(mode: Mode, schema: Schema, *, stream: bool) -> tuple[str, ...]:
    keys = key_columns(mode, schema)
    columns = {column.name: column for column in schema.fields}
    if unknown := [key for key in keys if key not in columns]:
        raise UsageError(f"the upsert key {', '.join(unknown)} is no column of the table")
    if nested := [key for key in keys if not columns[key].field_type.is_primitive]:
        raise UsageError(f"the upsert key {nested[0]} is {columns[nested[0]].field_type}; no key")
    if not keys:
        raise UsageError("upsert needs keys: wap.upsert('order_id'), or identifier fields")
    if stream:
        raise UsageError("upsert cannot take a stream: keys are compared across all rows")
    lowered = [column.lower() for column in columns]
    if alike := [key for key in keys if lowered.count(key.lower()) > 1]:
        raise UsageError(f"another column differs from the upsert key {alike[0]} only in case")
    return keys


def _check_keys(part: pa.Table, keys: tuple[str, ...]) -> None:
    values = [unsigned_zero(part.column(key)) for key in keys]
    problems = []
    for key, column in zip(keys, values, strict=True):
        empty = pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0
        if empty:
            problems.append(f"{empty} rows have no value (NULL or NaN) in the upsert key {key}")
    names = [f"key {number}" for number in range(len(keys))]
    distinct = pa.Table.from_arrays(values, names).group_by(names).aggregate([])
    surplus = part.num_rows - distinct.num_rows
    if surplus and not problems:
        problems = [f"{surplus} rows repeat the upsert key {', '.join(keys)}"]
    if problems:
        raise DoesNotFit(problems)


def _check_inside(part: pa.Table, condition: Condition) -> None:
    outside = part.num_rows - (pc.sum(condition.holds(part)).as_py() or 0)
    if outside:
        text = f"{outside} rows lie outside {condition.text}, which is to be replaced"
        raise DoesNotFit([text])


def _parts(data: Any, schema: Schema) -> Iterator[pa.Table]:
    if isinstance(data, pa.RecordBatchReader):
        yield from (fit(part, schema) for part in _batches(data))
        return
    if isinstance(data, pd.DataFrame):
        data = _from_pandas(data)
    if not isinstance(data, pa.Table):
        raise UsageError(
            f"data is a {type(data).__name__}; give a pandas DataFrame, an Arrow table or an "
            "Arrow batch reader"
        )
    yield fit(data, schema)


def _from_pandas(data: pd.DataFrame) -> pa.Table:
    twice = data.columns[data.columns.duplicated()]
    if len(twice):
        raise DoesNotFit([f"{name} stands more than once in the data" for name in twice.unique()])
    try:
        return pa.Table.from_pandas(data, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        problems, samples = _mixed(data)
        raise DoesNotFit(problems, samples) from None


def _mixed(data: pd.DataFrame) -> tuple[list[str], dict[str, list[Any]]]:
    """Columns that Arrow can make no type of, with a value of each kind in them."""
    problems, samples = [], {}
    for name in data.columns:
        try:
            pa.Array.from_pandas(data[name])
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            values = data[name].dropna()
            of_kind: dict[str, Any] = {}
            for value in values.tolist():
                of_kind.setdefault(type(value).__name__, value)
            samples[str(name)] = [str(value) for value in of_kind.values()][:SAMPLE_VALUES]
            if len(of_kind) > 1:
                examples = ", ".join(f"{value!r}" for value in of_kind.values())
                problems.append(f"{name} mixes {' and '.join(sorted(of_kind))}: {examples}")
            else:
                problems.append(f"{name} cannot be read: {str(error).splitlines()[0]}")
    return problems or ["the data cannot be read as a table"], samples


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
    target_schema = schema.as_arrow()
    arrays: list[pa.ChunkedArray] = []
    for target in target_schema:
        try:
            arrays.append(_column(data, target))
        except DoesNotFit as error:
            problems += error.problems
            samples |= error.samples
    extra = [name for name in data.column_names if name not in target_schema.names]
    problems += [f"{name} is not a column of the table" for name in extra]
    if problems:
        raise DoesNotFit(problems, samples)
    return pa.Table.from_arrays(arrays, schema=target_schema)


def _column(data: pa.Table, target: pa.Field) -> pa.ChunkedArray:
    name = target.name
    places = data.schema.get_all_field_indices(name)
    if len(places) > 1:
        raise DoesNotFit([f"{name} stands {len(places)} times in the data"])
    if not places:
        raise DoesNotFit([f"{name} is missing from the data"])
    values = data.column(places[0])
    if kinds.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if values.null_count and not target.nullable:
        raise DoesNotFit([f"{name} has no value in {values.null_count} rows, but is required"])
    if values.null_count == len(values):  # without a value, any type fits
        return pa.chunked_array([pa.nulls(len(values), target.type)], target.type)
    if difference := _difference(values.type, target.type):
        theirs, ours = difference
        raise DoesNotFit(
            [f"{name} {theirs} in the data, but {ours} in the table"],
            {name: _not_fitting(values, target.type)},
        )
    if values.type == target.type:
        return values
    try:
        cast = values.cast(target.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        reason = str(error).splitlines()[0]
        raise DoesNotFit(
            [f"{name} has values that do not fit {_word(target.type)}: {reason}"],
            {name: _not_fitting(values, target.type)},
        ) from None
    if changed := _changed(values.combine_chunks(), cast.combine_chunks()):
        before, after = changed[0]
        raise DoesNotFit(
            [f"{name} would change as {_exactly(target.type)}: {before} becomes {after}"],
            {name: [str(value) for value, _ in changed]},
        )
    return cast


Changed = list[tuple[Any, Any]]


def _changed(before: pa.Array, after: pa.Array) -> Changed:
    """Some values that are others after a cast, with what became of them."""
    if before.type == after.type:
        return []
    if kinds.is_struct(before.type):
        names = [before.type.field(number).name for number in range(before.type.num_fields)]
        pairs = [(pc.struct_field(before, n), pc.struct_field(after, n)) for n in names]
        return [pair for old, new in pairs for pair in _changed(old, new)]
    if kinds.is_map(before.type):
        return _changed(before.keys, after.keys) + _changed(before.items, after.items)
    if _shape(before.type) == "list":
        return _changed(pc.list_flatten(before), pc.list_flatten(after))
    try:
        # Through text, because pyarrow's own way from a decimal to a double is not the nearest.
        exact = after.cast(pa.string()) if kinds.is_decimal(after.type) else after
        back = exact.cast(before.type, safe=False)
        same = pc.equal(back, before)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return []  # types without an order back: the cast itself was checked
    if kinds.is_floating(before.type):
        same = pc.or_kleene(same, pc.and_(pc.is_nan(back), pc.is_nan(before)))
    lost = pc.indices_nonzero(pc.invert(pc.fill_null(same, True)))[:SAMPLE_VALUES]
    return list(zip(before.take(lost).to_pylist(), after.take(lost).to_pylist(), strict=True))


_FITTING = {
    "integer": {"integer", "number", "null"},  # 3.0 fits an integer, 3.5 does not
    "number": {"integer", "number", "decimal", "null"},
    "decimal": {"integer", "number", "decimal", "null"},
}


def _difference(source: pa.DataType, target: pa.DataType) -> tuple[str, str] | None:
    """What kind of data each is, in words, where one cannot be the other, nested types too."""
    ours, theirs = _kind(target), _kind(source)
    if theirs not in _FITTING.get(ours, {ours, "null"}):
        return f"is {_word(source)}", _word(target)
    if ours == "struct" and theirs == "struct":
        for name in dict.fromkeys(field.name for field in [*target, *source]):
            places = source.get_field_index(name), target.get_field_index(name)
            if min(places) < 0:
                return f"has fields {_names(source)}", f"fields {_names(target)}"
            inner = _difference(source.field(places[0]).type, target.field(places[1]).type)
            if inner:
                return inner[0].replace("is ", f"holds {name} as ", 1), inner[1]
    if ours == "list" and theirs == "list":
        inner = _difference(source.value_type, target.value_type)
        return inner and (inner[0].replace("is ", "is a list of ", 1), f"a list of {inner[1]}")
    if ours == "map" and theirs == "map":
        return _difference(source.key_type, target.key_type) or _difference(
            source.item_type, target.item_type
        )
    return None


def _names(struct: Any) -> str:
    return ", ".join(field.name for field in struct) or "none"


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
    if kinds.is_map(arrow):
        return "map"
    lists = (kinds.is_list, kinds.is_large_list, kinds.is_fixed_size_list)
    if any(holds(arrow) for holds in lists):
        return "list"
    return "struct" if kinds.is_struct(arrow) else str(arrow)


def _word(arrow: pa.DataType) -> str:
    kind = _kind(arrow)
    return {"number": "a number", "integer": "an integer", "string": "text"}.get(kind, kind)


def _exactly(arrow: pa.DataType) -> str:
    return str(arrow).replace("decimal128", "decimal")


def _not_fitting(values: pa.ChunkedArray, target: pa.DataType) -> list[Any]:
    """Some values that are not of the type; if all could be read as it, the first ones."""
    if pa.types.is_nested(values.type) or pa.types.is_nested(target):
        return [str(value) for value in values.drop_null()[:SAMPLE_VALUES].to_pylist()]
    with scan.connect() as con:
        con.register("v", pa.table({"v": values, "n": pa.nulls(len(values), target)}))
        kind = con.execute(
            "SELECT typeof(n) FROM (SELECT n FROM v UNION ALL SELECT NULL)"
        ).fetchall()
        bad = f"TRY_CAST(v AS {kind[0][0]}) IS NULL"
        query = f"SELECT DISTINCT v::VARCHAR FROM v WHERE v IS NOT NULL ORDER BY {bad} DESC, 1"
        sample = con.execute(f"{query} LIMIT {literal(SAMPLE_VALUES)}").fetchall()
    return [row[0] for row in sample]
