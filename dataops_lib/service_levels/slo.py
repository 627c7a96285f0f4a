"""Promises of a team: read from its file, held against measurements, and linted."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from itertools import groupby
from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import BeforeValidator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from dataops_lib import yaml_lines
from dataops_lib.errors import Problem, TeamError
from dataops_lib.fields import Frozen, Line, Schedule, Zone
from dataops_lib.finding import Finding, worst_first
from dataops_lib.service_levels.budget import allowed_failures, alternatives
from dataops_lib.service_levels.objectives import (
    SLO,
    Objective,
    Period,
    TargetError,
    parse,
    parse_budget,
)
from dataops_lib.wording import percent

Value = timedelta | Decimal | float  # of an age, a ratio, a score

SLIS = {  # the article's metrics, and the kind of limit each takes
    "freshness": "age",
    "completeness": "ratio",
    "volume_anomaly": "score",
    "pipeline_success_rate": "ratio",
}

_EXAMPLE = {"age": "< 2 hours", "ratio": "> 99.5%", "score": "Z-score < 3"}
_SEVERITY = re.compile(r"(P[1-9])(?:\s*[—–:-]\s*(.+))?")


def max_age(objective: Objective, interval: timedelta) -> timedelta:
    """The age up to which a table that lands every `interval` keeps a freshness objective.

    "< 2 hours" on a daily table means two hours past due: 26 hours of age. Read literally, as
    `objective.limit`, it would be broken 22 hours of every day.

    Examples
    --------
    >>> max_age(parse("< 2 hours"), timedelta(days=1))
    datetime.timedelta(days=1, seconds=7200)
    """
    if not isinstance(objective.limit, timedelta):
        raise TargetError(f"'{objective}' limits no age", "Give a freshness objective")
    return interval + objective.limit


def _reads(kind: str) -> BeforeValidator:
    def read(words: Any) -> Objective:
        example = f'write it like "{_EXAMPLE[kind]}", in quotes'
        if not isinstance(words, str):
            raise ValueError(example)
        objective = parse(words)
        if objective.kind != kind:
            raise ValueError(f"is no objective for this SLI; {example}")
        return objective

    return BeforeValidator(read)


_Age: TypeAlias = Annotated[Any, _reads("age")]
_Ratio: TypeAlias = Annotated[Any, _reads("ratio")]
_Score: TypeAlias = Annotated[Any, _reads("score")]
_Words = TypeVar("_Words")


class _Promise(Frozen, Generic[_Words]):
    slo: _Words
    sla: _Words | None = None
    columns: tuple[Line, ...] = ()


def _severity(words: Any) -> str:
    match = _SEVERITY.fullmatch(str(words))
    if match is None:
        raise ValueError('write it like "P2 — Business hours response"')
    return match[1]


class _Table(Frozen):
    name: Line
    tier: Literal[1, 2, 3] | None = None
    owner: Line | None = None
    schedule: Schedule | None = None
    zone: Zone = "UTC"
    freshness: _Promise[_Age] | None = None
    completeness: _Promise[_Ratio] | None = None
    volume_anomaly: _Promise[_Score] | None = None
    pipeline_success_rate: _Promise[_Ratio] | None = None
    error_budget_monthly: Annotated[Any, BeforeValidator(lambda text: parse_budget(str(text)))] = (
        None
    )
    on_call_severity: Annotated[Any, BeforeValidator(_severity)] = None

    @model_validator(mode="after")
    def _promises_something(self) -> _Table:
        if all(getattr(self, sli) is None for sli in SLIS):
            raise ValueError(f"promises nothing; write one of {', '.join(SLIS)}")
        return self


class _File(Frozen):
    slos: tuple[_Table, ...]


def loads(text: str, file: str = "slos.yaml") -> list[SLO]:
    """The promises of an SLO file: one for each SLI of each table.

    The article's form holds under `slos:` a list of tables with name, tier, on_call_severity,
    error_budget_monthly and the four SLIs, each with `slo` and `sla`. Beyond it a table may give
    owner, schedule (cron) and zone, and an SLI its required `columns`; an objective may say for
    which share of the time it holds: "< 2 hours for 99% of minutes (30-day rolling)".

    Raises
    ------
    TeamError
        With all mistakes of the file and their lines.
    """
    read = yaml_lines.loads(text, file)
    problems = _repeated(read)
    try:
        tables = yaml_lines.validate(_File, read).slos
    except TeamError as error:
        problems += error.problems
    if problems:
        raise TeamError(problems)
    return [
        _slo(table, sli, read.line(("slos", index, sli)))
        for index, table in enumerate(tables)
        for sli in SLIS
        if getattr(table, sli) is not None
    ]


def _repeated(read: yaml_lines.Located) -> list[Problem]:
    entries = read.data.get("slos") if isinstance(read.data, dict) else None
    named = entries if isinstance(entries, list) else []
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in named]
    return [
        read.problem(("slos", index, "name"), f"{name!r} stands twice", "merge the two entries")
        for index, name in enumerate(names)
        if name is not None and name in names[:index]
    ]


def _slo(table: _Table, sli: str, line: int | None) -> SLO:
    promise = getattr(table, sli)
    return SLO(
        table=table.name,
        sli=sli,
        objective=promise.slo,
        sla=promise.sla,
        tier=table.tier,
        owner=table.owner,
        severity=table.on_call_severity,
        schedule=table.schedule,
        zone=table.zone,
        budget=table.error_budget_monthly,
        columns=promise.columns,
        line=line,
    )


def dumps(slos: Iterable[SLO], text: str = "slos: []\n") -> str:
    """The SLO file `text` with exactly these promises in it; comments and unchanged words stay.

    `loads` gives the same promises back.
    """
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    data = yaml.load(text)
    entries = data["slos"]
    entries.fa.set_block_style()
    wanted = {(slo.table, slo.sli) for slo in slos}
    for entry in list(entries):
        for sli in SLIS.keys() & entry.keys():
            if (entry["name"], sli) not in wanted:
                del entry[sli]
        if not SLIS.keys() & entry.keys():
            entries.remove(entry)
    for slo in slos:
        if all(entry["name"] != slo.table for entry in entries):
            entries.append({"name": slo.table})
        _write(next(entry for entry in entries if entry["name"] == slo.table), slo)
    yaml.dump(data, out := StringIO())
    return out.getvalue()


def _write(entry: dict[str, Any], slo: SLO) -> None:
    zone = slo.zone if slo.zone != "UTC" or "zone" in entry else None
    plain = {"tier": slo.tier, "owner": slo.owner, "schedule": slo.schedule, "zone": zone}
    for name, value in plain.items():
        _put(entry, name, value, entry.get(name) == value)
    promise = entry.setdefault(slo.sli, {})
    for name, objective in (("slo", slo.objective), ("sla", slo.sla)):
        kept = objective is not None and name in promise and parse(promise[name]) == objective
        _put(promise, name, objective, kept)
    columns = list(slo.columns)
    _put(promise, "columns", columns or None, promise.get("columns") == columns)
    words = str(entry.get("on_call_severity", ""))
    _put(entry, "on_call_severity", slo.severity, words.startswith(slo.severity or " "))
    words = entry.get("error_budget_monthly", "50%")
    _put(entry, "error_budget_monthly", slo.budget, parse_budget(words) == slo.budget)


def _put(entry: dict[str, Any], name: str, value: Any, kept: bool) -> None:
    if value is None:
        entry.pop(name, None)
    elif not kept:
        plain = isinstance(value, (int, list))
        entry[name] = value if plain else DoubleQuotedScalarString(str(value))


def lint(
    slos: Iterable[SLO],
    *,
    intervals: Mapping[str, timedelta] | None = None,
    owners: Mapping[str, str] | None = None,
    roster: Collection[str] | None = None,
) -> list[Finding]:
    """What is wrong with a set of promises, worst first; empty when each can be kept and told.

    Parameters
    ----------
    intervals : how often each table is due; a table that is not named is taken as daily.
    owners : who answers for each table, where the SLO file itself does not say.
    roster : the people of the team; without it nobody is checked against it.
    """
    found: list[Finding] = []
    ordered = sorted(slos, key=lambda slo: slo.table)
    for table, group in groupby(ordered, key=lambda slo: slo.table):
        promises = list(group)
        every = (intervals or {}).get(table, timedelta(days=1))
        for slo in promises:
            found += [*_against_sla(slo, every), *_measurable(slo, every), *_budget_agrees(slo)]
        owner = promises[0].owner or (owners or {}).get(table)
        if owner is None:
            found.append(Finding(table, "warn", "nobody owns its promises", "Name an owner"))
        elif roster is not None and owner not in roster:
            who = f"owner {owner!r} is not in the roster"
            found.append(Finding(table, "fail", who, "Name somebody of the team"))
        if promises[0].tier == 1:
            for sli in sorted(SLIS.keys() - {slo.sli for slo in promises}):
                found.append(Finding(f"{table} {sli}", "unknown", "no objective", "Promise one"))
    return worst_first(found)


def warns_first(slo_runs: int, slo_allowed: int, sla_runs: int, sla_allowed: int) -> bool:
    """True when every row of failures that breaks the SLA has turned the SLO red before.

    While the SLO is green, at most `slo_allowed` of any `slo_runs` runs in a row have failed. The
    SLA must survive as many in its window as that lets happen, and the next failure too.

    Examples
    --------
    >>> warns_first(7, 0, 30, 0), warns_first(30, 1, 30, 3)
    (False, True)
    """
    whole, rest = divmod(sla_runs - 1, slo_runs)
    return whole * min(slo_allowed, slo_runs) + min(slo_allowed, rest) < sla_allowed


def _runs(period: Period, every: timedelta) -> int:
    return max(1, int(timedelta(days=period.nominal_days) / every))


def _against_sla(slo: SLO, every: timedelta) -> Iterator[Finding]:
    if slo.sla is None or (margin := slo.safety_margin) is None:
        return
    pair, none = f"SLO {slo.objective}, SLA {slo.sla}", type(margin)(0)
    share, sla_share = slo.objective.share or 0, slo.sla.share or 0
    if margin < none or share < sla_share:  # type: ignore[operator]  # both of one kind
        step = "Make the SLO stricter, so that it warns before the SLA breaks"
        yield Finding(slo.name, "fail", f"the SLO is looser than the SLA: {pair}", step)
    elif margin == none and share == sla_share:
        yield Finding(slo.name, "warn", f"no safety margin: {pair}", "Make the SLO stricter")
    elif slo.sli == "pipeline_success_rate":
        inner, outer = slo.period, slo.sla.period or Period(days=30)
        runs = _runs(inner, every), _runs(outer, every)
        may = allowed_failures(runs[0], slo), allowed_failures(runs[1], slo.sla.limit)  # type: ignore[arg-type]
        if not warns_first(runs[0], may[0], runs[1], may[1]):
            evidence = f"{pair}: {may[0]} of {runs[0]} and {may[1]} of {runs[1]} runs may fail, "
            evidence += "so the SLA can break without a warning by the SLO"
            step = "Count both over one window that allows the SLA more failures than the SLO"
            numbers = {"slo_allowed": may[0], "sla_allowed": may[1]}
            yield Finding(slo.name, "fail", evidence, step, numbers)
    elif slo.period != (slo.sla.period or slo.period):
        yield Finding(slo.name, "warn", f"two windows: {pair}", "Measure both over one window")


def _measurable(slo: SLO, every: timedelta) -> Iterator[Finding]:
    if slo.target is None and slo.objective.kind == "age":
        evidence = f"'{slo.objective}' names no share of time: one late minute breaks it"
        yield Finding(slo.name, "warn", evidence, f"Write '{slo.objective} for 99%'")
    elif slo.sli == "pipeline_success_rate":
        runs = _runs(slo.period, every)
        if allowed_failures(runs, slo) == 0:
            cost = 1 / (runs * float(slo.error_budget))
            evidence = f"{runs} runs allow no failure at {percent(slo.target)}: "
            evidence += f"a single one costs {cost:.1f} budgets"
            steps = "; or ".join(alternatives(runs, slo, timedelta(days=1) / every))
            yield Finding(slo.name, "warn", evidence, steps, {"runs": runs, "budgets": cost})


def _budget_agrees(slo: SLO) -> Iterator[Finding]:
    said = slo.budget
    if said is None or slo.sli not in ("freshness", "pipeline_success_rate"):
        return
    if slo.target is not None and 1 - slo.target != said.share:
        evidence = f"the file's budget is {percent(said.share)}, the target leaves "
        evidence += percent(1 - slo.target)
        yield Finding(slo.name, "fail", evidence, "Write one of them")
    if said.time is not None and slo.sli == "pipeline_success_rate":
        evidence = f"'{said}' is time, but runs are counted: no run costs hours"
        yield Finding(slo.name, "warn", evidence, "Write a number of runs, or promise freshness")
    days = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}.get(said.per)
    if said.time is not None and days and slo.sli == "freshness":
        due = timedelta(days=days) * float(said.share)
        if abs(due - said.time) > due * 0.01:
            evidence = f"{percent(said.share)} of {days} days is {due}, not {said.time}"
            yield Finding(slo.name, "fail", evidence, "Write the time that the share gives")
