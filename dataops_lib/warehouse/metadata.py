"""What a table's own metadata tells: publishes, landings, counts, the newest record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
from pyiceberg.conversions import from_bytes
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.types import NestedField

from dataops_lib.errors import DataError
from dataops_lib.sql import quoted
from dataops_lib.warehouse import scan
from dataops_lib.windows import midnight

LANDINGS = ["run_id", "due_at", "staged_at", "published_at", "snapshot_id", "rows_added"]
LANDINGS += ["rows_total", "source"]
RETIRED = "dataops.retired-publishes"  # table property: where the record of them is
TAG = re.compile(r"^(?P<state>published|withdrawn)-(?P<stamp>\d{8}T\d{4,6})Z-(?P<run_id>.+)$")


@dataclass(frozen=True)
class PublishTag:
    """The tag that a publish made; `state` is "published", or "withdrawn" after a rollback."""

    name: str
    state: str
    run_id: str
    published_at: datetime
    snapshot: Snapshot


def publish_tag(table: Table, name: str) -> PublishTag | None:
    """A ref as the tag of a publish; None when our publish did not make it.

    Anybody can give a tag such a name: the snapshot must say that this run staged it, in full.
    """
    match, ref = TAG.match(name), table.metadata.refs.get(name)
    if match is None or ref is None:
        return None
    return _proven(match, table.metadata.snapshot_by_id(ref.snapshot_id))


def publish_tags(table: Table) -> list[PublishTag]:
    """The tags that publishes made."""
    snapshots = {s.snapshot_id: s for s in table.metadata.snapshots}
    matches = ((TAG.match(name), ref) for name, ref in table.metadata.refs.items())
    tags = (_proven(match, snapshots.get(ref.snapshot_id)) for match, ref in matches if match)
    return [tag for tag in tags if tag]


def _proven(match: re.Match[str], snapshot: Snapshot | None) -> PublishTag | None:
    staged_by = staged_property(snapshot, "run_id"), staged_property(snapshot, "complete")
    if snapshot is None or staged_by != (match["run_id"], "true"):
        return None
    try:
        at = time_of(match["stamp"])
    except ValueError:
        return None
    return PublishTag(match[0], match["state"], match["run_id"], at, snapshot)


def ancestors(table: Table, snapshot_id: int | None) -> Iterator[Snapshot]:
    """A snapshot and those it came from, as far as the table still knows.

    pyiceberg's own walk looks through all snapshots at each step.
    """
    snapshots = {s.snapshot_id: s for s in table.metadata.snapshots}
    at = snapshots.get(snapshot_id or 0)
    while at is not None:
        yield at
        at = snapshots.get(at.parent_snapshot_id or 0)


@dataclass(frozen=True)
class MainLine:
    """The snapshots that main came through; `expired_below` is where the table forgot more."""

    ids: frozenset[int]
    expired_below: int | None

    @staticmethod
    def of(table: Table) -> MainLine:
        """Walk from main to the first snapshot, or to the first whose parent was expired."""
        main = table.current_snapshot()
        line = list(ancestors(table, main.snapshot_id if main else None))
        forgotten = bool(line) and line[-1].parent_snapshot_id is not None
        below = line[-1].sequence_number if forgotten else None
        return MainLine(frozenset(s.snapshot_id for s in line), below)

    def holds(self, snapshot: Snapshot) -> bool:
        """True when main came through `snapshot`; the order of staging decides what was expired."""
        older = self.expired_below is not None and (
            (snapshot.sequence_number or 0) < self.expired_below
        )
        return snapshot.snapshot_id in self.ids or older


def landings(table: Table) -> pd.DataFrame:
    """When data became visible to readers, oldest first; one row per publish that still stands.

    Times are UTC, `rows_added` and `rows_total` are rows, NA when the writer did not say.
    `source` is "publish tag" (times of the publish itself, withdrawn publishes left out) or, for a
    table that others write, "snapshot log" (when main moved there; no run, no due time). A "retired
    publish" has no snapshot_id: its rows can no longer be read as they were.
    """
    # As objects: beside a missing one, 64-bit ids would become floats, and other ids.
    frame = pd.DataFrame(_landings(table), columns=LANDINGS, dtype=object)
    for name in ("due_at", "staged_at", "published_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    for name in ("snapshot_id", "rows_added", "rows_total"):
        frame[name] = frame[name].astype("Int64")
    return frame.sort_values("published_at", kind="stable", ignore_index=True)


def _landings(table: Table) -> list[dict[str, Any]]:
    tags = [tag for tag in publish_tags(table) if tag.state == "published"]
    if tags:
        main = MainLine.of(table)
        standing = [tag for tag in tags if main.holds(tag.snapshot)]
        retired = [_retired(record) for record in retired_publishes(table)]
        return [row for row in retired if row] + [
            _landing(tag.snapshot, tag.run_id, tag.published_at) for tag in standing
        ]
    snapshots = {s.snapshot_id: s for s in table.metadata.snapshots}
    moves = [e for e in table.metadata.snapshot_log if e.snapshot_id in snapshots]
    return [
        _landing(snapshots[e.snapshot_id], None, datetime.fromtimestamp(e.timestamp_ms / 1000, UTC))
        for e in moves
    ]


def retired_publishes(table: Table) -> list[dict[str, Any]]:
    """What is kept of publishes whose tags were retired (`wap.retention`), oldest first.

    Raises
    ------
    DataError
        If the table names such a record, and it cannot be read.
    """
    path = table.properties.get(RETIRED)
    if path is None or not path.startswith(f"{table.location()}/publishes/"):
        return []  # none, or a property of somebody else
    try:
        with table.io.new_input(path).open() as stream:
            records: list[dict[str, Any]] = json.loads(stream.read())
    except (OSError, ValueError) as error:
        name = ".".join(table.name())
        raise DataError(f"the retired publishes of {name} cannot be read: {error}") from None
    return records


def _retired(record: dict[str, Any]) -> dict[str, Any] | None:
    match = TAG.match(record["tag"])
    if match is None or match["state"] != "published":
        return None
    return {
        "run_id": match["run_id"],
        "due_at": moment(record["due_at"]),
        "staged_at": moment(record["staged_at"]),
        "published_at": datetime.fromisoformat(record["published_at"]),
        "snapshot_id": None,
        "rows_added": int(record["rows"]) if record["rows"] else None,
        "rows_total": int(record["total-records"]) if record["total-records"] else None,
        "source": "retired publish",
    }


def _landing(snapshot: Snapshot, run_id: str | None, at: datetime) -> dict[str, Any]:
    added = staged_property(snapshot, "rows") or staged_property(snapshot, "added-records")
    return {
        "run_id": run_id,
        "due_at": _time(snapshot, "due_at"),
        "staged_at": _time(snapshot, "staged_at"),
        "published_at": at,
        "snapshot_id": snapshot.snapshot_id,
        "rows_added": int(added) if added else None,
        "rows_total": int(total) if (total := staged_property(snapshot, "total-records")) else None,
        "source": "publish tag" if run_id else "snapshot log",
    }


def _time(snapshot: Snapshot, name: str) -> datetime | None:
    return moment(staged_property(snapshot, name))


def column_counts(
    table: Table, columns: Sequence[str], *, snapshot_id: int | None = None
) -> pd.DataFrame:
    """Rows and missing values of each column: from metadata where that is exact, else by a scan.

    Returns
    -------
    DataFrame
        column, rows, missing (NULL, or NaN in a floating column), how ("metadata" or "scan"), why.
        A table without snapshots has no rows to count: rows 0, missing 0.
    """
    schema = scan.schema_of(table, snapshot_id)
    tasks = scan.plan(table, snapshot_id)
    fields = [schema.find_field(name) for name in columns]
    reasons = {f.name: _why_scan(tasks, f) for f in fields}
    total = sum(task.file.record_count for task in tasks)
    scanned: dict[str, tuple[int, int]] = {}
    if doubtful := [f for f in fields if reasons[f.name]]:
        scanned = _scan_missing(table, tasks, doubtful)
    rows = []
    for field in fields:
        if field.name in scanned:
            count, missing = scanned[field.name]
            rows.append((field.name, count, missing, "scan", reasons[field.name]))
        else:
            nulls = sum((t.file.null_value_counts or {})[field.field_id] for t in tasks)
            rows.append((field.name, total, nulls, "metadata", "every file has exact counts"))
    return pd.DataFrame(rows, columns=["column", "rows", "missing", "how", "why"])


def _why_scan(tasks: Sequence[FileScanTask], field: NestedField) -> str:
    if not field.field_type.is_primitive:
        return "nested columns have no counts"
    if str(field.field_type) in ("float", "double"):
        return "NaN is not counted in metadata"
    if any(task.delete_files for task in tasks):
        return "delete files make the counts too high"
    if any(field.field_id not in (task.file.null_value_counts or {}) for task in tasks):
        return "a file has no count for this column"
    return ""


def _scan_missing(
    table: Table, tasks: Sequence[FileScanTask], fields: Sequence[NestedField]
) -> dict[str, tuple[int, int]]:
    parts = ["count(*)"]
    for field in fields:
        floating = str(field.field_type) in ("float", "double")
        nan = f" OR isnan({quoted(field.name)})" if floating else ""
        parts.append(f"count(*) FILTER (WHERE {quoted(field.name)} IS NULL{nan})")
    with scan.connect() as con:
        scan.source(table, tasks, Schema(*fields)).create(con, "this")
        total, *missing = con.execute(f"SELECT {', '.join(parts)} FROM this").fetchall()[0]
    return {f.name: (total, count) for f, count in zip(fields, missing, strict=True)}


def reached(table: Table, column: str, *, zone: str, until: datetime) -> pd.DataFrame:
    """How far each publish before `until` brought the data, by a date or time `column`.

    Returns
    -------
    DataFrame
        published_at, newest_event_at (UTC; NaT without rows) and how, "metadata" or "scan". A day
        stands for its end in `zone`, and while it is not over for the time of the publish.
    """
    rows = []
    for landing in landings(table).to_dict("records"):
        at = landing["published_at"]
        if at < until:
            retired = pd.isna(landing["snapshot_id"])
            largest, how = (
                (None, "retired")
                if retired
                else _newest(table, column, int(landing["snapshot_id"]))
            )
            if largest is not None and not isinstance(largest, datetime):
                begins, ends = (midnight(largest + timedelta(days=n), zone) for n in (0, 1))
                largest = max(begins, min(ends, at.to_pydatetime()))
            rows.append((at, largest, how))
    frame = pd.DataFrame(rows, columns=["published_at", "newest_event_at", "how"])
    times = dict.fromkeys(("published_at", "newest_event_at"), "datetime64[us, UTC]")
    return frame.astype(times)


def _newest(table: Table, column: str, snapshot_id: int) -> tuple[date | datetime | None, str]:
    """Files name the largest value of a column; with delete files that row may be gone."""
    schema = scan.schema_of(table, snapshot_id)
    if column not in schema.column_names:  # it came later
        return None, "metadata"
    field = schema.find_field(column)
    tasks = [t for t in scan.plan(table, snapshot_id) if t.file.record_count]
    bounds = [(task.file.upper_bounds or {}).get(field.field_id) for task in tasks]
    kind = str(field.field_type)
    exact = kind in ("date", "timestamp", "timestamptz") and None not in bounds
    if exact and not any(task.delete_files for task in tasks):
        values: Any = [from_bytes(field.field_type, one) for one in bounds if one]  # type: ignore[arg-type]
        if not values:
            return None, "metadata"
        largest = max(values)
        if kind == "date":
            return date(1970, 1, 1) + timedelta(days=largest), "metadata"
        return _utc(largest), "metadata"
    name = quoted(column)
    largest = f"epoch_us(max({name}))" if kind.startswith("timestamp") else f"max({name})"
    with scan.connect() as con:
        scan.source(table, tasks, Schema(field)).create(con, "this")
        found = con.execute(f"SELECT {largest} FROM this").fetchall()[0][0]
    if isinstance(found, int) and kind.startswith("timestamp"):
        found = _utc(found)
    return (found if isinstance(found, date) else None), "scan"


def _utc(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def staged_property(snapshot: Snapshot | None, name: str) -> str | None:
    """A property that a snapshot was staged with."""
    summary = snapshot.summary if snapshot else None
    return summary.additional_properties.get(name) if summary else None


def moment(text: str | None) -> datetime | None:
    """An ISO time with a zone, as a snapshot carries it; None for anything else.

    Other writers may put there what they like: a time without a zone is no time.

    Examples
    --------
    >>> moment("2013-02-10T06:30:00+00:00").hour, moment("2013-02-10T06:30"), moment("soon")
    (6, None, None)
    """
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo else None


def stamp(moment: datetime) -> str:
    """Time as it stands in a tag: minutes, with seconds only where there are any.

    Examples
    --------
    >>> stamp(datetime(2013, 2, 10, 6, 30, tzinfo=UTC))
    '20130210T0630'
    """
    moment = moment.astimezone(UTC)
    return moment.strftime("%Y%m%dT%H%M%S" if moment.second else "%Y%m%dT%H%M")


def time_of(stamp: str) -> datetime:
    """UTC time of a tag's stamp, `20130210T0630` or with seconds."""
    pattern = "%Y%m%dT%H%M" if len(stamp) == 13 else "%Y%m%dT%H%M%S"
    return datetime.strptime(stamp, pattern).replace(tzinfo=UTC)
