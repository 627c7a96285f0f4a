"""Promises as OpenSLO v1 documents, written and read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from ruamel.yaml import YAML

from dataops_lib import yaml_lines
from dataops_lib.errors import Problem, TeamError
from dataops_lib.service_levels.objectives import (
    SLO,
    Objective,
    Period,
    TargetError,
    as_target,
    parse,
)

_CALENDARS = {"week": "1w", "month": "1M", "quarter": "1Q", "year": "1Y"}
_SPAN = re.compile(r"([1-9]\d{0,3})([mhdwMQY])")
_DAYS = {"d": 1, "w": 7}


@dataclass(frozen=True)
class Export:
    """OpenSLO documents, and what of the promises OpenSLO v1 has no word for."""

    text: str
    left_out: tuple[str, ...]


def to_openslo(slos: Iterable[SLO]) -> Export:
    """Write promises as OpenSLO v1; a promise without a share of good cannot be written.

    What has no field there (SLA, tier, severity, schedule, columns) goes into annotations, which
    other tools do not read, and is named in `left_out`.
    """
    yaml, out, left_out = YAML(), StringIO(), []
    yaml.indent(mapping=2, sequence=4, offset=2)
    documents = []
    for slo in slos:
        if slo.target is None:
            left_out.append(f"{slo.name}: '{slo.objective}' promises no share, so no objective")
            continue
        extra = _annotations(slo)
        words = sorted(extra.keys() - {"dataops/table", "dataops/sli"})
        if words:
            said = ", ".join(word.removeprefix("dataops/") for word in words)
            left_out.append(f"{slo.name}: {said} stand in annotations only")
        documents.append(_document(slo, extra))
    yaml.dump_all(documents, out)
    return Export(out.getvalue(), tuple(left_out))


def _annotations(slo: SLO) -> dict[str, str]:
    names = ("table", "sli", "sla", "tier", "owner", "severity", "schedule")
    said = {name: getattr(slo, name) for name in names}
    said["zone"] = None if slo.zone == "UTC" else slo.zone
    said["columns"] = " ".join(slo.columns) or None
    return {f"dataops/{key}": str(value) for key, value in said.items() if value is not None}


def _document(slo: SLO, annotations: Mapping[str, str]) -> dict[str, Any]:
    name = re.sub(r"[^a-z0-9]+", "-", slo.name.lower()).strip("-")[:63].strip("-")
    limit, kind = slo.objective.limit, slo.objective.kind
    goal: dict[str, Any] = {"displayName": str(slo.objective), "target": float(slo.target or 0)}
    if kind == "ratio":
        metric: dict[str, Any] = {"counter": True}
        metric |= {part: _source(slo, count=part) for part in ("good", "total")}
    else:
        value = limit / timedelta(minutes=1) if isinstance(limit, timedelta) else float(limit)
        metric = _source(slo, unit="minutes" if kind == "age" else "score")
        goal |= {"op": "lte", "value": value, "timeSliceTarget": 1.0}
        goal["timeSliceWindow"] = "1m" if kind == "age" else "1d"
    window: dict[str, Any] = {"duration": f"{slo.period.days}d", "isRolling": True}
    if slo.period.calendar:
        window = {"duration": _CALENDARS[slo.period.calendar], "isRolling": False}
        window["calendar"] = {"startTime": "2024-01-01 00:00:00", "timeZone": slo.zone}  # Monday
    spec = {"ratioMetric" if kind == "ratio" else "thresholdMetric": metric}
    return {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": name, "annotations": dict(annotations)},
        "spec": {
            "service": re.sub(r"[^a-z0-9]+", "-", slo.table.lower()).strip("-"),
            "indicator": {"metadata": {"name": name}, "spec": spec},
            "timeWindow": [window],
            "budgetingMethod": "Occurrences" if kind == "ratio" else "Timeslices",
            "objectives": [goal],
        },
    }


def _source(slo: SLO, **more: str) -> dict[str, Any]:
    return {
        "metricSource": {"type": "dataops", "spec": {"table": slo.table, "sli": slo.sli} | more}
    }


class _Part(BaseModel):
    """A part of a document: fields that promises do not need are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _Metadata(_Part):
    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
    annotations: Mapping[str, str] = {}


class _Window(_Part):
    duration: str
    isRolling: bool
    calendar: Mapping[str, Any] | None = None

    @property
    def period(self) -> Period:
        span = _SPAN.fullmatch(self.duration)
        if span and self.isRolling and span[2] in _DAYS:
            return Period(days=int(span[1]) * _DAYS[span[2]])
        if span and not self.isRolling and span[0] in _CALENDARS.values():
            return Period(calendar={v: k for k, v in _CALENDARS.items()}[span[0]])
        words = "write whole days such as 30d, or for a calendar 1M (1m is one minute)"
        raise ValueError(f"duration {self.duration!r} is no period: {words}")

    @model_validator(mode="after")
    def _one_kind(self) -> _Window:
        if self.isRolling == (self.calendar is not None):
            raise ValueError("a window is rolling or has a calendar: write one of them")
        _ = self.period
        return self


class _Goal(_Part):
    op: Literal["lt", "lte", "gt", "gte"] | None = None
    value: float | None = None
    target: str | float | None = None
    targetPercent: float | None = None

    @property
    def share(self) -> Decimal:
        return as_target(f"{self.targetPercent}%" if self.target is None else str(self.target))

    @model_validator(mode="after")
    def _one_target(self) -> _Goal:
        if (self.target is None) == (self.targetPercent is None):
            raise ValueError("write target or targetPercent, one of them")
        _ = self.share
        return self


class _Metric(_Part):
    ratioMetric: Mapping[str, Any] | None = None
    thresholdMetric: Mapping[str, Any] | None = None

    def objective(self, goal: _Goal, period: Period) -> Objective:
        """What `goal` promises; ValueError where it does not fit the metric."""
        if self.ratioMetric is not None:
            if goal.op is not None:
                raise ValueError("op is forbidden for a ratioMetric: remove it")
            return Objective("ratio", goal.share, period)
        source = (self.thresholdMetric or {}).get("metricSource") or {}
        unit = (source.get("spec") or {}).get("unit")
        if unit not in ("minutes", "score"):
            raise ValueError(
                "a threshold has no unit in OpenSLO: write `unit: minutes` into metricSource.spec"
            )
        if goal.op not in ("lt", "lte") or goal.value is None or not 0 < goal.value < 1e7:
            raise ValueError("an upper threshold above 0 is needed: write `op: lte` and `value`")
        if unit == "minutes":
            return Objective("age", timedelta(minutes=goal.value), period, goal.share)
        return Objective("score", Decimal(str(goal.value)), period, goal.share)


class _Indicator(_Part):
    spec: _Metric


class _Spec(_Part):
    service: Annotated[str, Field(min_length=1)]
    indicator: _Indicator
    budgetingMethod: Literal["Occurrences", "Timeslices", "RatioTimeslices"]
    timeWindow: tuple[_Window, ...]
    objectives: tuple[_Goal, ...]

    @model_validator(mode="after")
    def _fits(self) -> _Spec:
        _ = self.promised  # a document that promises nothing readable is refused here
        return self

    @property
    def promised(self) -> list[Objective]:
        if len(self.timeWindow) != 1 or not self.objectives:
            raise ValueError("write one timeWindow and at least one objective")
        period = self.timeWindow[0].period
        return [self.indicator.spec.objective(goal, period) for goal in self.objectives]


class _Document(_Part):
    apiVersion: Literal["openslo/v1"]
    metadata: _Metadata
    spec: _Spec


def from_openslo(text: str, file: str = "openslo.yaml") -> list[SLO]:
    """Read the SLO documents of an OpenSLO v1 file; other kinds are passed over.

    Raises
    ------
    TeamError
        With all mistakes: fields and units that the OpenSLO v1 SDK refuses, and thresholds whose
        unit nobody can know.
    """
    slos: list[SLO] = []
    problems: list[Problem] = []
    line = 0
    for part in re.split(r"(?m)^---\s*$", text):
        try:
            read = yaml_lines.loads(part, file)
            if isinstance(read.data, dict) and read.data.get("kind") == "SLO":
                slos += _slos(yaml_lines.validate(_Document, read))
        except TeamError as error:
            problems += [replace(found, line=(found.line or 1) + line) for found in error.problems]
        except TargetError as error:
            problems.append(Problem(file, line + 1, "annotations", error.message, error.fix))
        line += part.count("\n")
    if not slos and not problems:
        problems = [Problem(file, None, "kind", "holds no SLO", "write `kind: SLO`")]
    if problems:
        raise TeamError(problems)
    return slos


def _slos(document: _Document) -> list[SLO]:
    said = {k.removeprefix("dataops/"): v for k, v in document.metadata.annotations.items()}
    return [
        SLO(
            table=said.get("table", document.spec.service),
            sli=said.get("sli", document.metadata.name),
            objective=objective,
            sla=parse(said["sla"]) if "sla" in said else None,
            tier=int(said["tier"]) if said.get("tier") in ("1", "2", "3") else None,
            owner=said.get("owner"),
            severity=said.get("severity"),
            schedule=said.get("schedule"),
            zone=said.get("zone", "UTC"),
            columns=tuple(said.get("columns", "").split()),
        )
        for objective in document.spec.promised
    ]
