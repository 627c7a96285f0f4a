"""What a table's metadata says about its runs.

Everything about a run stands in the table itself: its branch `audit-<date>-<run_id>`, the
properties of the snapshots it staged, and the tag `published-<time>Z-<run_id>` that the publish
commit makes. So a process that died needs no other memory. A name proves nothing, anybody can give
one: a branch is ours when the snapshot at its head says that our run wrote it there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from dataops_lib.errors import DataError, UsageError
from dataops_lib.finding import Finding
from dataops_lib.warehouse import metadata
from dataops_lib.warehouse.metadata import MainLine, PublishTag, staged_property

BRANCH = re.compile(r"^audit-\d{8}-(?P<run_id>[^+]+)(?:\+(?P<again>\d+))?$")

COUNTED = re.compile(
    r"(added|total|deleted|removed|changed|partition)-|partitions\.|operation$"
)  # by pyiceberg

OURS = frozenset(
    {
        "run_id", "staged_at", "keep_until", "stage_id", "mode", "part", "rows", "fingerprint",
        "complete", "base_id", "branch", "rewritten_by", "rebased_from",
    }
)  # fmt: skip

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True)
class Mode:
    """How new data meets what is there: append, overwrite what a filter selects, upsert by keys."""

    kind: Literal["append", "overwrite", "upsert"]
    where: str | None = None
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.where or ', '.join(self.keys)}".strip()

    @staticmethod
    def parse(text: str) -> Mode:
        """The mode that a snapshot was staged in, as `str` gave it.

        Examples
        --------
        >>> Mode.parse(str(Mode("overwrite", "day = '2013-02-10'"))).where
        "day = '2013-02-10'"
        """
        kind, _, rest = text.partition(" ")
        if kind not in ("append", "overwrite", "upsert"):
            raise ValueError(f"{text!r} is no mode")
        keys = tuple(rest.split(", ")) if kind == "upsert" and rest else ()
        return Mode(kind, rest if kind == "overwrite" and rest else None, keys)  # type: ignore[arg-type]

    @property
    def replaces_some(self) -> bool:
        """True when old rows are replaced and others stay."""
        return self.kind == "upsert" or self.where is not None


@dataclass(frozen=True)
class Run:
    """One run as it is asked for; `properties` go into every snapshot that it stages."""

    run_id: str
    mode: Mode
    started_at: datetime
    keep_failed_for: timedelta
    properties: Mapping[str, str]


@dataclass(frozen=True)
class Staged:
    """A run's data on a branch: what an audit looks at and a publish moves main to."""

    run_id: str
    branch: str
    head_id: int
    base_id: int | None
    rows: int
    fingerprint: str
    mode: Mode
    complete: bool
    staged_at: datetime
    keep_until: datetime
    properties: Mapping[str, str]

    def is_same(self, fingerprint: str, mode: Mode) -> bool:
        """True when it holds the data of this fingerprint, written in this mode."""
        return self.fingerprint == fingerprint and str(self.mode) == str(mode)


def read_back(table: Table, snapshot_id: int) -> Staged:
    """The run that a snapshot says it is part of.

    Raises
    ------
    DataError
        If the snapshot is gone, or something that a run writes there is missing or unreadable.
    """
    snapshot = table.metadata.snapshot_by_id(snapshot_id)
    if snapshot is None or snapshot.summary is None:
        raise DataError(f"{'.'.join(table.name())} has no snapshot {snapshot_id}")
    kept = snapshot.summary.additional_properties
    properties = {name: value for name, value in kept.items() if not COUNTED.match(name)}
    try:
        base_id = properties["base_id"]
        return Staged(
            run_id=properties["run_id"],
            branch=properties["branch"],
            head_id=snapshot_id,
            base_id=int(base_id) if base_id else None,
            rows=int(properties["rows"]),
            fingerprint=properties["fingerprint"],
            mode=Mode.parse(properties["mode"]),
            complete=properties["complete"] == "true",
            staged_at=_time(properties, "staged_at"),
            keep_until=_time(properties, "keep_until"),
            properties=properties,
        )
    except (KeyError, ValueError) as error:
        what = f"has no {error}" if isinstance(error, KeyError) else str(error)
        where = f"snapshot {snapshot_id} of {'.'.join(table.name())}"
        raise DataError(f"{where} is no part of a run that can be read back: it {what}") from None


def _time(properties: Mapping[str, str], name: str) -> datetime:
    at = metadata.moment(properties[name])
    if at is None:
        raise ValueError(f"has {name} {properties[name]!r}, which is no time with a zone")
    return at


def staged(table: Table, branch: str) -> Staged:
    """What a run of ours staged on `branch`.

    Raises
    ------
    DataError
        If there is no such branch, or the snapshot at its head does not say that it was written
        there.
    """
    ref = table.metadata.refs.get(branch)
    if ref is None:
        raise DataError(f"{'.'.join(table.name())} has no branch {branch}")
    found = read_back(table, ref.snapshot_id)
    match = BRANCH.match(branch)
    if match is None or (found.run_id, found.branch) != (match["run_id"], branch):
        raise DataError(f"branch {branch} of {'.'.join(table.name())} is not one of a run of ours")
    return found


def waiting(table: Table) -> list[Staged]:
    """What runs of ours staged on their branches; branches of others are left out."""
    runs = []
    for name in table.metadata.refs:
        if BRANCH.match(name):
            try:
                runs.append(staged(table, name))
            except DataError:
                continue
    return runs


def branches_of(table: Table, run_id: str) -> list[str]:
    """Audit branches of a run, in the order they were made."""
    return [run.branch for run in waiting_of(table, run_id)]


def waiting_of(table: Table, run_id: str) -> list[Staged]:
    """What one run staged on its branches, in the order they were made."""
    ours = [run for run in waiting(table) if run.run_id == run_id]
    return sorted(ours, key=lambda run: (number_of(run.branch), run.branch))


def number_of(branch: str) -> int:
    """Which branch of its run it is: 0, or what stands behind the plus sign."""
    match = BRANCH.match(branch)
    return int(match["again"] or 0) if match else 0


def is_intact(table: Table, snapshot_id: int) -> bool:
    """False for a snapshot whose files pyiceberg deleted because it was told the commit failed."""
    snapshot = table.metadata.snapshot_by_id(snapshot_id)
    return snapshot is not None and table.io.new_input(snapshot.manifest_list).exists()


def tag_of(table: Table, run_id: str) -> PublishTag | None:
    """The tag of the publish, or of the withdrawn publish, of a run."""
    names = (name for name in table.metadata.refs if name.endswith(f"Z-{run_id}"))
    tags = (metadata.publish_tag(table, name) for name in names)
    return next((tag for tag in tags if tag and tag.run_id == run_id), None)


def published(table: Table, run_id: str) -> Snapshot | None:
    """The snapshot that a run published: its tag says so, or main if somebody removed the tag."""
    if tag := tag_of(table, run_id):
        return tag.snapshot
    main = table.current_snapshot()
    for snapshot in metadata.ancestors(table, main.snapshot_id if main else None):
        if staged_property(snapshot, "run_id") == run_id:
            return snapshot if staged_property(snapshot, "complete") == "true" else None
    return None


def record_audit(table: Table, run: Staged, findings: Sequence[Finding]) -> None:
    """Keep what an audit found, beside the table's data: `audits/<run_id>.json`.

    Snapshot properties are written before the audit, so its result cannot stand there.
    """
    content = {
        "snapshot_id": run.head_id,
        "findings": [finding.as_dict() for finding in findings],
    }
    output = table.io.new_output(_record(table, run.run_id))
    with output.create(overwrite=True) as stream:
        stream.write(json.dumps(content, default=str, indent=1).encode())


def recorded_audit(table: Table, run: Staged) -> tuple[Finding, ...] | None:
    """Findings of the audit of exactly this snapshot; None when there is no whole record of it."""
    try:
        with table.io.new_input(_record(table, run.run_id)).open() as stream:
            content = json.loads(stream.read())
        if content["snapshot_id"] != run.head_id:
            return None
        return tuple(Finding(**finding) for finding in content["findings"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none, or a half-written one: the audit does not count


def _record(table: Table, run_id: str) -> str:
    return f"{table.location()}/audits/{run_id}.json"


def unreachable(table: Table, candidates: Collection[int], now: datetime) -> list[int]:
    """Snapshots of runs that no ref leads to: the `candidates`, and those kept long enough.

    A run that is just staging the first rows of an empty table has no ref yet: time protects it.
    """
    snapshots = {snapshot.snapshot_id: snapshot for snapshot in table.metadata.snapshots}
    reached: set[int] = set()
    for ref in table.metadata.refs.values():
        at = snapshots.get(ref.snapshot_id)
        while at is not None and at.snapshot_id not in reached:
            reached.add(at.snapshot_id)
            at = snapshots.get(at.parent_snapshot_id or 0)
    return [
        snapshot_id
        for snapshot_id, snapshot in snapshots.items()
        if snapshot_id not in reached and (snapshot_id in candidates or is_past(snapshot, now))
    ]


def expired(table: Table, now: datetime) -> list[str]:
    """Audit branches of ours that were kept as long as their runs asked for.

    A publish removes the branches of its run: one whose head is on main was made by somebody else.
    """
    past = [run for run in waiting(table) if run.keep_until <= now]
    if not past:
        return []
    main = MainLine.of(table)
    return [run.branch for run in past if run.head_id not in main.ids]


def is_past(snapshot: Snapshot | None, now: datetime) -> bool:
    """True when a snapshot that a run staged was kept as long as its run asked for."""
    until = metadata.moment(staged_property(snapshot, "keep_until"))
    by_a_run = staged_property(snapshot, "stage_id") and staged_property(snapshot, "branch")
    return bool(by_a_run) and until is not None and until <= now


def check_run_id(run_id: str) -> str:
    """The run id, if it can stand in a branch name and a path.

    Raises
    ------
    UsageError
        If it has other characters than letters, digits, dot, dash, underscore, or is too long.
    """
    if not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
        raise UsageError(
            f"run_id is {run_id!r}, but it may hold letters, digits, '.', '-' and '_' only, at "
            "most 80. Give for example '2013-02-10-daily'"
        )
    return run_id


def check_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """The properties of a run, if snapshots can keep them; `due_at` must be a time with a zone.

    Raises
    ------
    UsageError
        For a value that is no text, a name that the library or Iceberg uses, or a `due_at` that is
        no such time, or lies before 1970 or after 2200.
    """
    for name, value in properties.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise UsageError(f"property {name!r} is {value!r}; names and values must be text")
        if name in OURS or COUNTED.match(name):
            raise UsageError(f"the property {name} is set by the run itself. Choose another name")
    if "due_at" in properties:
        due = metadata.moment(properties["due_at"])
        if due is None or not 1970 <= due.year <= 2200:
            raise UsageError(
                f"due_at is {properties['due_at']!r}, but must be an ISO time with a zone. Give "
                "for example '2013-02-10T06:30:00+00:00', or datetime.isoformat() of a time in UTC"
            )
    return dict(properties)
