"""Edge: what is to be seen of a table and its runs, as small tables for people.

graph(table), runs_of(scratch), overrides(scratch), leftovers(scratch)      of a table
story(scratch, publication), verdicts(...), failing(...), by_day(...)       of runs
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from pyiceberg.table import Table
from pyiceberg.table.snapshots import ancestors_of

from dataops_lib import headlines, runs, upkeep, warehouse
from dataops_lib.audit import quoted
from dataops_lib.scratch import Scratch
from dataops_lib.wap import Publication

COLUMNS = 7  # of a failing row, so that it fits on a page
_ID = re.compile(r"\d{15,20}")
Publications = Mapping[str, Publication]


def titled(frame: pd.DataFrame) -> pd.DataFrame:
    """The first column as row titles, with all headings in one line."""
    first = str(frame.columns[0])
    return frame.set_index(first).rename_axis(index=None, columns=first)


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
            int(runs.told(s, "total-records") or 0),
            s.snapshot_id in main,
            tuple(names.get(s.snapshot_id, ())),
        )
        for s in sorted(metadata.snapshots, key=lambda s: s.sequence_number or 0)
    ]
    return pd.DataFrame(rows, columns=["snapshot", "parent", "rows", "on_main", "refs"])


def _short(ref: str) -> str:
    """A branch or tag in two words: what it is for, and the run."""
    if tag := runs.TAG.match(ref):
        return f"{tag['state']} {tag['run_id']}"
    branch = runs.BRANCH.match(ref)
    return f"audit {branch['run_id']}" if branch else ref


def outcome(publication: Publication) -> str:
    """What became of a run, in a sentence."""
    one = publication
    return headlines.publication(one.run_id, one.published, one.blocked_by, one.rebased)


def story(scratch: Scratch, publication: Publication) -> pd.DataFrame:
    """What happened in a run, and what readers saw at each moment."""
    seen = scratch.clocks[publication.run_id].seen
    rows = []
    for at, event, detail in publication.events:
        _, label, count = [one for one in seen if one[0] <= at][-1]
        what = _ID.sub(lambda found: scratch.labels.get(int(found[0]), "a snapshot"), detail)
        rows.append((f"{at:%H:%M}", event, what, label, f"{count:,}"))
    names = ["time (UTC)", "event", "what happened", "readers are at", "rows readers see"]
    return titled(pd.DataFrame(rows, columns=names))


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


def by_day(scratch: Scratch, publications: Publications, last: int = 4) -> pd.DataFrame:
    """Rows of the last days, as readers see them and as they stand on the branch of each run."""
    table = scratch.table
    column = quoted(scratch.team.table(scratch.table_name).day_column)
    branches = {name: one.branch for name, one in publications.items() if one.branch}
    frames = {}
    with duckdb.connect() as connection:
        for number, (title, ref) in enumerate({"rows readers see": "main", **branches}.items()):
            snapshot = table.metadata.refs[str(ref)].snapshot_id
            warehouse.view(connection, f"v{number}", table, snapshot_id=snapshot)
            query = f"SELECT CAST({column} AS DATE) AS day, count(*) AS n FROM v{number}"
            found = connection.execute(f"{query} GROUP BY 1").fetchall()
            title = title if ref == "main" else f"on the branch: {title}"
            frames[title] = pd.Series(dict(found), dtype="Int64")
    joined = pd.DataFrame(frames).sort_index().fillna(0).tail(last)
    return titled(joined.rename_axis("day").reset_index())


def runs_of(scratch: Scratch) -> pd.DataFrame:
    """The runs that the table knows, in the order in which they were staged."""
    found = upkeep.list_runs(scratch.name, catalog=scratch.catalog)
    rows = [(run.run_id, run.state, run.rows) for run in found]
    return titled(pd.DataFrame(rows, columns=["run", "state", "rows"]))


def overrides(scratch: Scratch) -> pd.DataFrame:
    """Runs that somebody released although a check had blocked them, as the table records it."""
    rows = []
    for run in upkeep.list_runs(scratch.name, catalog=scratch.catalog):
        shown = upkeep.show(scratch.name, catalog=scratch.catalog, run_id=run.run_id)
        if told := shown.override:
            rows.append((run.run_id, told["blocked_by"], told["by"], told["reason"]))
    names = ["run", "overridden check", "released by", "reason"]
    return titled(pd.DataFrame(rows, columns=names))


def leftovers(scratch: Scratch) -> pd.DataFrame:
    """Files that no snapshot reaches, by kind; they stay until somebody asks to delete them."""
    found = upkeep.clean(scratch.name, catalog=scratch.catalog, older_than=timedelta(0))
    kinds = pd.Series([Path(one.path).suffix.lstrip(".") for one in found], dtype=object)
    counted = kinds.value_counts().sort_index()
    frame = counted.rename_axis("kind of file").to_frame("files nothing reaches")
    return titled(frame.reset_index())
