"""Which publishes can be gone back to: the newest, one a month, and those that somebody cites.

Every publish leaves a tag, and each kept one makes the next run a little slower. What is retired
keeps its times and counts, in `publishes/<id>.json` beside the table's data, so that freshness and
volume of the past stay known; only its rows can no longer be read as they were.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.update import (
    AssertRefSnapshotId,
    RemoveSnapshotRefUpdate,
    RemoveSnapshotsUpdate,
    SetPropertiesUpdate,
)

from dataops_lib.errors import UsageError
from dataops_lib.wap.branches import load, retrying
from dataops_lib.warehouse import metadata
from dataops_lib.warehouse.metadata import RETIRED, PublishTag, staged_property

SLACK = 50  # publishes above the policy before a publish retires: each time costs a commit


@dataclass(frozen=True)
class Retention:
    """Which publishes are kept: the newest `last`, the last of each month, and `cited` ones.

    `cited` holds run ids or tags. Rows of the others can be gone back to no more.
    """

    last: int = 200
    monthly: bool = True
    cited: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not isinstance(self.last, int) or self.last < 1:
            raise UsageError(f"last is {self.last!r}; at least 1 publish is kept")

    def superfluous(self, tags: Iterable[PublishTag]) -> list[PublishTag]:
        """Those of `tags` that need not be kept, oldest first."""
        in_order = sorted(tags, key=lambda tag: (tag.published_at, tag.name))
        kept = {tag.name for tag in in_order[-self.last :]}
        if self.monthly:  # later ones of the month take the place of earlier ones
            by_month = {f"{tag.published_at:%Y-%m}": tag.name for tag in in_order}
            kept |= set(by_month.values())
        kept |= {tag.name for tag in in_order if {tag.name, tag.run_id} & self.cited}
        return [tag for tag in in_order if tag.name not in kept]


def readers_at(tags: Sequence[PublishTag], moments: Iterable[datetime]) -> frozenset[str]:
    """The tags of what readers saw at these moments."""
    standing = sorted((t for t in tags if t.state == "published"), key=lambda t: t.published_at)
    cited = set()
    for moment in moments:
        before = [tag.name for tag in standing if tag.published_at < moment]
        cited |= set(before[-1:])
    return frozenset(cited)


def is_due(table: Table, policy: Retention) -> bool:
    """True when there are so many publishes above the policy that it is worth a commit."""
    return sum(map(bool, map(metadata.TAG.match, table.metadata.refs))) > policy.last + SLACK


def retire(catalog: Catalog, name: str, policy: Retention, *, delete: bool = True) -> list[str]:
    """Remove the tags and snapshots that `policy` does not keep, in one commit; their tags.

    With `delete` False nothing is changed. Main, branches and tags of others are left alone.
    """

    def attempt() -> list[str]:
        table = load(catalog, name)
        tags = metadata.publish_tags(table)
        main = table.current_snapshot()
        retired = [
            tag
            for tag in policy.superfluous(tags)
            if main is None or tag.snapshot.snapshot_id != main.snapshot_id
        ]
        if not retired or not delete:
            return [tag.name for tag in retired]
        path = f"{table.location()}/publishes/{uuid.uuid4().hex}.json"
        records = [*metadata.retired_publishes(table), *map(_record, retired)]
        with table.io.new_output(path).create() as stream:
            stream.write(json.dumps(records).encode())
        updates: list[Any] = [_update(RemoveSnapshotRefUpdate, "ref-name", t.name) for t in retired]
        updates.append(_update(RemoveSnapshotsUpdate, "snapshot-ids", _gone(table, retired)))
        updates.append(SetPropertiesUpdate(updates={RETIRED: path}))
        # pyiceberg's own calls copy all metadata for each tag; main must not move to what is gone.
        on_main = {"ref": MAIN_BRANCH, "snapshot-id": main.snapshot_id if main else None}
        transaction = table.transaction()
        transaction._apply(tuple(updates), (AssertRefSnapshotId.model_validate(on_main),))
        transaction.commit_transaction()
        return [tag.name for tag in retired]

    return retrying(attempt)


def _update(kind: Any, name: str, value: Any) -> Any:
    return kind.model_validate({name: value})


def _record(tag: PublishTag) -> dict[str, Any]:
    kept = ("staged_at", "due_at", "rows", "total-records", "fingerprint", "mode")
    facts = {name: staged_property(tag.snapshot, name) for name in kept}
    return {"tag": tag.name, "published_at": tag.published_at.isoformat()} | facts


def _gone(table: Table, retired: Sequence[PublishTag]) -> list[int]:
    """Snapshots of the retired runs that no ref that stays points at."""
    run_ids = {tag.run_id for tag in retired}
    names = {tag.name for tag in retired}
    pointed_at = {r.snapshot_id for name, r in table.metadata.refs.items() if name not in names}
    return [
        snapshot.snapshot_id
        for snapshot in table.metadata.snapshots
        if staged_property(snapshot, "run_id") in run_ids and snapshot.snapshot_id not in pointed_at
    ]


@dataclass(frozen=True)
class RetiredRun:
    """What is still known of a run whose publish was retired."""

    tag: str
    published_at: datetime
    rows: int
    fingerprint: str
    mode: str
    withdrawn: bool


def retired_run(table: Table, run_id: str) -> RetiredRun | None:
    """The publish of a run, if it was retired."""
    for record in reversed(metadata.retired_publishes(table)):
        match = metadata.TAG.match(record["tag"])
        if match and match["run_id"] == run_id:
            return RetiredRun(
                record["tag"],
                datetime.fromisoformat(record["published_at"]),
                int(record["rows"] or 0),
                record["fingerprint"] or "",
                record["mode"] or "",
                match["state"] == "withdrawn",
            )
    return None
