"""What became of runs, in sentences and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pyiceberg.table import Table
from pyiceberg.table.snapshots import ancestors_of

from dataops_lib.finding import Finding
from dataops_lib.wap import runs
from dataops_lib.wap.publication import Publication
from dataops_lib.warehouse import metadata as warehouse_metadata
from dataops_lib.wording import titled


def became(subject: str, published: bool, blocked_by: Sequence[Finding], rebased: int) -> str:
    """What became of one run, in a sentence."""
    if published:
        after = f" after following main {rebased} time{'s' * (rebased > 1)}" if rebased else ""
        return f"{subject}: published{after}."
    why = "; ".join(f"{one.subject}: {one.evidence}" for one in blocked_by)
    return f"{subject}: blocked, readers keep what they had. {why}."


def snapshots(graph: pd.DataFrame) -> str:
    """Where readers are, and what waits beside them."""
    pairs = zip(graph["snapshot"], graph["refs"], strict=True)
    refs = [(str(snapshot), str(ref)) for snapshot, found in pairs for ref in found]
    main = next((snapshot for snapshot, ref in refs if ref == "main"), None)
    kinds = [ref.split(" ")[0] for _, ref in refs]
    waiting, withdrawn = kinds.count("audit"), kinds.count("withdrawn")
    parts = [f"Readers are at {main}" if main else "Readers see nothing yet"]
    branches = "audit branch waits" if waiting == 1 else "audit branches wait"
    parts.append(f"{waiting or 'no'} {branches if waiting else 'audit branch waits'}")
    if withdrawn:
        parts.append(f"{withdrawn} publish{'es' * (withdrawn > 1)} withdrawn")
    return "; ".join(parts)


def rolled_back(withdrawn: Sequence[str], snapshot: str, rows: int) -> str:
    """What a rollback did."""
    return (
        f"Withdrawn: {', '.join(withdrawn) or 'nothing'}. Readers are at {snapshot}: {rows:,} rows."
    )


def cleaned(deleted: int, left: int, snapshot: str, rows: int) -> str:
    """What a clean-up removed, and that readers did not notice."""
    return (
        f"{deleted} files deleted, {left} left that nothing reaches. Readers are still at "
        f"{snapshot}: {rows:,} rows."
    )


COLUMNS = 7  # of a failing row, so that it fits on a page
Publications = Mapping[str, Publication]


def graph(table: Table) -> pd.DataFrame:
    """Every snapshot of a table, from its own metadata, oldest first.

    Columns: snapshot and parent as labels (s1 was the first), rows a reader would see there,
    on_main (readers are there or came through it), refs (names that point at it, as "main",
    "audit RUN", "published RUN" or "withdrawn RUN").
    """
    metadata = table.metadata
    main = {s.snapshot_id for s in ancestors_of(table.current_snapshot(), metadata)}
    labels = {s.snapshot_id: f"s{s.sequence_number}" for s in metadata.snapshots}
    names: dict[int, list[str]] = {}
    for name, ref in sorted(metadata.refs.items()):
        names.setdefault(ref.snapshot_id, []).append(_short(name))
    rows = [
        (
            labels[s.snapshot_id],
            labels.get(s.parent_snapshot_id or 0, ""),
            int(warehouse_metadata.staged_property(s, "total-records") or 0),
            s.snapshot_id in main,
            tuple(names.get(s.snapshot_id, ())),
        )
        for s in sorted(metadata.snapshots, key=lambda s: s.sequence_number or 0)
    ]
    return pd.DataFrame(rows, columns=["snapshot", "parent", "rows", "on_main", "refs"])


def _short(ref: str) -> str:
    """A branch or tag in two words: what it is for, and the run."""
    if tag := warehouse_metadata.TAG.match(ref):
        return f"{tag['state']} {tag['run_id']}"
    branch = runs.BRANCH.match(ref)
    return f"audit {branch['run_id']}" if branch else ref


def outcome(publication: Publication) -> str:
    """What became of a run, in a sentence."""
    one = publication
    return became(one.run_id, one.published, one.blocked_by, one.rebased)


def verdicts(publications: Publications) -> pd.DataFrame:
    """What became of each run, which check blocked it and why."""
    rows = [
        (
            name,
            "published" if one else "blocked",
            ", ".join(finding.subject for finding in one.blocked_by),
            "; ".join(finding.evidence for finding in one.blocked_by),
        )
        for name, one in publications.items()
    ]
    names = ["what arrived", "outcome", "blocked by", "evidence"]
    return titled(pd.DataFrame(rows, columns=names))


def failing(publications: Publications, rows: int = 5) -> pd.DataFrame:
    """Some of the rows that failed, of the last run whose finding holds any."""
    found: list[dict[str, Any]] = []
    for publication in publications.values():
        for finding in publication.blocked_by:
            found = list(finding.numbers.get("sample") or found)
    return pd.DataFrame(found[:rows]).iloc[:, :COLUMNS]
