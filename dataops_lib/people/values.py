"""The five values that do not change, each beside one number of the team."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from dataops_lib.evidence import Observed, levels, practices
from dataops_lib.people.model import Model
from dataops_lib.people.ownership import Holding
from dataops_lib.service_levels.measurements import pooled


def numbers(observed: Observed, held: Sequence[Holding]) -> dict[str, str]:
    """What the team's files say to each value's question; "not known" where none tells."""
    team = observed.team
    fresh = pooled([seen.fresh_days for seen in levels.of_tables(observed) if seen.fresh_days])
    read = {consumer.table for consumer in team.consumers}
    tables = [table.name for table in team.tables]
    detected = practices.proofs(observed).get("S1")
    skills = [holding for holding in held if holding.kind == "skill" and holding.people is not None]
    return {
        "promises_kept": f"{fresh.good} of {fresh.total} table-days were fresh as promised"
        if fresh and fresh.total
        else "not known",
        "consumers_known": f"{len(read)} of {len(tables)} tables have a reader with a name"
        if tables
        else "not known",
        "tables_unread": _unread(set(tables) - read) if tables else "not known",
        "detected_by_us": detected.evidence if detected else "not known",
        "skills_gained": f"{sum(bool(h.people) for h in skills)} of {len(skills)} skills of the "
        "roadmap are held by somebody"
        if skills
        else "not known",
    }


def _unread(tables: set[str]) -> str:
    count = len(tables)
    return f"{count} table{'' if count == 1 else 's'} without a reader that we know"


def table(model: Model, answers: dict[str, str]) -> pd.DataFrame:
    """Value, its question, and what the team's files answer."""
    rows = [(value.name, value.asks, answers[value.number]) for value in model.values]
    return pd.DataFrame(rows, columns=["value", "question", "our number"])
