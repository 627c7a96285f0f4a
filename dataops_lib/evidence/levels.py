"""Service levels as they were measured: one reading for each SLI of each table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from dataops_lib.service_levels import objectives
from dataops_lib.service_levels.measurements import Measurement
from dataops_lib.service_levels.sli import DataSLI, volume
from dataops_lib.teams.models import Table
from dataops_lib.windows import Window

SLIS = {  # name in the SLO file: name for people, what is counted
    "freshness": ("freshness", "minutes"),
    "pipeline_success_rate": ("run success", "runs"),
    "completeness": ("completeness", "cells"),
}


@dataclass(frozen=True)
class Reading:
    """One SLI measured over the report's period, and over those of its SLO and SLA."""

    shown: Measurement
    against_slo: Measurement
    against_sla: Measurement | None = None


@dataclass(frozen=True)
class Seen:
    """What was observed of one table; None, or no reading, where an input is missing."""

    table: Table
    promises: Mapping[str, objectives.SLO] = field(default_factory=dict)
    readings: Mapping[str, Reading] = field(default_factory=dict)
    fresh_days: Measurement | None = None
    publishes: Measurement | None = None

    def shown(self, name: str) -> Measurement | None:
        """The measurement of one SLI over the report's period."""
        return self.readings[name].shown if name in self.readings else None


def of_table(owner: str, days: int = 30) -> tuple[DataSLI, ...]:
    """The article's four SLIs, and the age of the newest record, each with the one signature.

    The `connection` to measure with is an `evidence.Observed` of the same `as_of`; rates are over
    the `days` before it. A measurement is None where an input is missing.
    """

    def hours(column: str) -> Callable[[str, datetime, Any], float | None]:
        def age(target: str, as_of: datetime, seen: Any) -> float | None:
            landings = seen.landings(target)
            known = None if landings is None else landings[landings["published_at"] < as_of]
            last = None if known is None else known[column].max()
            return None if pd.isna(last) else (as_of - last) / timedelta(hours=1)

        return age

    def score(target: str, _: datetime, seen: Any) -> float | None:
        daily = seen.volume(target)
        last = np.nan if daily is None or daily.empty else volume(daily)["score"].iloc[-1]
        return None if np.isnan(last) else float(last)

    def runs(target: str, as_of: datetime, seen: Any) -> Measurement | None:
        return seen.success(target, Window(as_of - timedelta(days=days), as_of))

    unit = "robust deviations"
    rows: tuple[tuple[str, str, str, Callable[[str, datetime, Any], Any]], ...] = (
        ("freshness", "since the last publish (snapshot metadata)", "hours",
         hours("published_at")),
        ("content age", "since the newest record (metadata or scan)", "hours",
         hours("newest_event_at")),
        ("completeness", "required values present (metadata or scan)", "ratio",
         lambda target, _, seen: seen.completeness(target)),
        ("volume_anomaly", "last day against its weekdays (scan)", unit, score),
        ("pipeline_success_rate", "due runs that published (run history)", "ratio", runs),
    )  # fmt: skip
    return tuple(DataSLI(*row, owner) for row in rows)
