"""What a table's metadata says about its runs.

Everything about a run stands in the table itself: its branch `audit-<date>-<run_id>`, the
properties of the snapshots it staged, and the tag `published-<time>Z-<run_id>` that the publish
commit makes. So a process that died needs no other memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot, ancestors_of

from dataops_lib.errors import UsageError
from dataops_lib.finding import Finding
from dataops_lib.warehouse.metadata import TAG, staged_property

BRANCH = re.compile(r"^audit-\d{8}-(?P<run_id>[^+]+)(?:\+(?P<again>\d+))?$")

COUNTED = re.compile(
    r"(added|total|deleted|removed|changed|partition)-|partitions\."
)  # by pyiceberg

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
        """The mode that a snapshot was staged in, as `str` gave it."""
        kind, _, rest = text.partition(" ")
        keys = tuple(rest.split(", ")) if kind == "upsert" and rest else ()
        return Mode(kind, rest if kind == "overwrite" and rest else None, keys)  # type: ignore[arg-type]


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

    branch: str
    head_id: int
    base_id: int | None
    rows: int
    fingerprint: str
    complete: bool
    properties: Mapping[str, str]

    def is_same(self, fingerprint: str, mode: Mode) -> bool:
        """True when it holds the data of this fingerprint, written in this mode."""
        return self.fingerprint == fingerprint and self.properties.get("mode") == str(mode)


def staged(table: Table, branch: str) -> Staged:
    """What stands on an audit branch, or under a publish tag."""
    head_id = table.metadata.refs[branch].snapshot_id
    return staged_at(table, branch, head_id)


def staged_at(table: Table, branch: str, head_id: int) -> Staged:
    """What the snapshot at the head of an audit branch says about itself."""
    head = table.metadata.snapshot_by_id(head_id)
    match = BRANCH.match(branch) or TAG.match(branch)
    ours = match is not None and staged_property(head, "run_id") == match["run_id"]
    kept = head.summary.additional_properties if ours and head and head.summary else {}
    properties = {name: value for name, value in kept.items() if not COUNTED.match(name)}
    base = properties.get("base_id")
    return Staged(
        branch=branch,
        head_id=head_id,
        base_id=int(base) if base else None,
        rows=int(properties.get("rows", 0)),
        fingerprint=properties.get("fingerprint", ""),
        complete=properties.get("complete") == "true",
        properties=properties,
    )


def is_intact(table: Table, snapshot_id: int) -> bool:
    """False for a snapshot whose files pyiceberg deleted because it was told the commit failed."""
    snapshot = table.metadata.snapshot_by_id(snapshot_id)
    return snapshot is not None and table.io.new_input(snapshot.manifest_list).exists()


def branches_of(table: Table, run_id: str) -> list[str]:
    """Audit branches of a run, in the order they were made."""
    names = [n for n in table.metadata.refs if (m := BRANCH.match(n)) and m["run_id"] == run_id]
    return sorted(names, key=lambda n: (int(BRANCH.match(n)["again"] or 0), n))  # type: ignore[index]


def tag_of(table: Table, run_id: str) -> str | None:
    """The tag of the publish, or of the withdrawn publish, of a run."""
    found = (n for n in table.metadata.refs if (m := TAG.match(n)) and m["run_id"] == run_id)
    return next(found, None)


def published(table: Table, run_id: str) -> Snapshot | None:
    """The snapshot that a run published: its tag says so, or main if somebody removed the tag."""
    if tag := tag_of(table, run_id):
        return table.metadata.snapshot_by_id(table.metadata.refs[tag].snapshot_id)
    known = {snapshot.snapshot_id: snapshot for snapshot in table.metadata.snapshots}
    at = table.current_snapshot()
    while at and not (
        staged_property(at, "run_id") == run_id and staged_property(at, "complete") == "true"
    ):
        at = known.get(at.parent_snapshot_id or 0)
    return at


def record_audit(table: Table, found: Staged, findings: Sequence[Finding]) -> None:
    """Keep what an audit found, beside the table's data: `audits/<run_id>.json`.

    Snapshot properties are written before the audit, so its result cannot stand there.
    """
    content = {
        "snapshot_id": found.head_id,
        "findings": [finding.as_dict() for finding in findings],
    }
    output = table.io.new_output(_record(table, found.properties["run_id"]))
    with output.create(overwrite=True) as stream:
        stream.write(json.dumps(content, default=str, indent=1).encode())


def recorded_audit(table: Table, found: Staged) -> tuple[Finding, ...] | None:
    """Findings of the audit of exactly this snapshot; None when there is no whole record of it."""
    try:
        with table.io.new_input(_record(table, found.properties["run_id"])).open() as stream:
            content = json.loads(stream.read())
        if content["snapshot_id"] != found.head_id:
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
    reached: set[int] = set()
    for ref in table.metadata.refs.values():
        head = table.metadata.snapshot_by_id(ref.snapshot_id)
        for snapshot in ancestors_of(head, table.metadata):
            if snapshot.snapshot_id in reached:
                break
            reached.add(snapshot.snapshot_id)
    return [
        s.snapshot_id
        for s in table.metadata.snapshots
        if s.snapshot_id not in reached and (s.snapshot_id in candidates or is_past(s, now))
    ]


def expired(table: Table, now: datetime) -> list[str]:
    """Audit branches that were kept as long as their runs asked for."""
    refs = table.metadata.refs.items()
    ours = [(name, ref.snapshot_id) for name, ref in refs if BRANCH.match(name)]
    return [name for name, head in ours if is_past(table.metadata.snapshot_by_id(head), now)]


def is_past(snapshot: Snapshot | None, now: datetime) -> bool:
    """True when a staged snapshot has been kept as long as its run asked for."""
    until = staged_property(snapshot, "keep_until")
    return until is not None and datetime.fromisoformat(until) <= now


def check_run_id(run_id: str) -> str:
    """The run id, if it can stand in a branch name and a path.

    Raises
    ------
    UsageError
        If it has other characters than letters, digits, dot, dash, underscore, or is too long.
    """
    if not RUN_ID.fullmatch(run_id):
        raise UsageError(
            f"run_id is {run_id!r}, but it may hold letters, digits, '.', '-' and '_' only, at "
            "most 80. Give for example '2013-02-10-daily'"
        )
    return run_id
