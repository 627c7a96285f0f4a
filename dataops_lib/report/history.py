"""Earlier reports of a team as rows, and what changed since the last one that can be compared.

Every report folder holds its facts, so the history is the folders: two runs at once, or a kill
between them, can harm none but their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

SCHEMA = 1  # raise it when a column changes what it means
COLUMNS = ["schema", "team", "as_of", "kind", "subject", "status", "good", "total", "evidence"]
SURE = 0.05  # a difference that chance alone makes less often than this is called a change


def facts(record: Mapping[str, Any]) -> pd.DataFrame:
    """One row for each tile and finding of a diagnosis, as `diagnosis.json` records it."""
    shared = {"schema": SCHEMA, "team": record["team"], "as_of": record["as_of"]}
    rows = [
        shared
        | {"kind": "tile", "subject": tile["name"], "status": tile["status"]}
        | {"good": tile.get("good"), "total": tile.get("total"), "evidence": tile["label"]}
        for tile in record["tiles"]
    ]
    rows += [
        shared
        | {"kind": "finding", "subject": finding["subject"], "status": finding["status"]}
        | {"good": finding["numbers"].get("good"), "total": finding["numbers"].get("total")}
        | {"evidence": finding["evidence"]}
        for finding in record["findings"]
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def reports(out: Path, team: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Folder and diagnosis of each finished report of a team, oldest first."""
    for path in sorted((out / team).glob("[0-9]*-[0-9]*-[0-9]*/diagnosis.json")):
        try:
            yield path.parent, json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # a folder that somebody edited is no report


def read(out: Path, team: str) -> pd.DataFrame:
    """The facts of all reports of a team, oldest first; empty without any."""
    frames = [facts(record) for _, record in reports(out, team)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=COLUMNS)


@dataclass(frozen=True)
class Change:
    """One tile now and in the last report before: counts, and whether chance explains it.

    `p_value` is Fisher's exact test on the two counts; it takes days or runs as independent, so
    with a fault that lasts it is too small rather than too large.
    """

    name: str
    since: str
    good: tuple[int, int]
    total: tuple[int, int]
    p_value: float

    @property
    def is_change(self) -> bool:
        """Whether chance alone would rarely make such a difference."""
        return self.p_value < SURE

    @property
    def text(self) -> str:
        """The earlier counts, and what may be said of the difference."""
        before = f"{self.good[0]:,} of {self.total[0]:,} on {self.since}"
        ratios = [good / total for good, total in zip(self.good, self.total, strict=True)]
        if not self.is_change:
            return f"{before}: no more than chance"
        return f"{before}: {'better' if ratios[1] > ratios[0] else 'worse'}, more than chance"


def changes(now: Mapping[str, Any], out: Path) -> dict[str, Change]:
    """Tile -> its change since the last report whose period ended before this one began."""
    start = datetime.fromisoformat(now["window"]["start"])
    earlier = [
        record
        for _, record in reports(out, now["team"])
        if datetime.fromisoformat(record["window"]["end"]) <= start
    ]
    if not earlier:
        return {}
    before = {tile["name"]: tile for tile in earlier[-1]["tiles"]}
    compared = {
        tile["name"]: _change(before.get(tile["name"], {}), tile, earlier[-1]["as_of"])
        for tile in now["tiles"]
    }
    return {name: change for name, change in compared.items() if change}


def _change(before: Mapping[str, Any], now: Mapping[str, Any], since: str) -> Change | None:
    if not before.get("total") or not now.get("total"):
        return None
    counts = [[tile["good"], tile["total"] - tile["good"]] for tile in (before, now)]
    p_value = float(stats.fisher_exact(counts).pvalue)
    good, total = (before["good"], now["good"]), (before["total"], now["total"])
    return Change(now["name"], since, good, total, p_value)
