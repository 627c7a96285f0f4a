"""Domain: promises of a team: read from its file, held against measurements, and linted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from dataops_lib import located
from dataops_lib.errors import Problem, TeamError
from dataops_lib.finding import Finding
from dataops_lib.objective import (
    SLO,
    BudgetText,
    Objective,
    Period,
    TargetError,
    as_target,
    parse,
    percent,
)

__all__ = [
    "SLIS",
    "SLO",
    "BudgetText",
    "Objective",
    "Period",
    "TargetError",
    "as_target",
    "judge",
    "loads",
    "max_age",
    "parse",
    "percent",
]

Value = timedelta | Decimal | float  # of an age, a ratio, a score

SLIS = {  # the article's metrics, and the kind of limit each takes
    "freshness": "age",
    "completeness": "ratio",
    "volume_anomaly": "score",
    "pipeline_success_rate": "ratio",
}
_EXAMPLE = {"age": "< 2 hours", "ratio": "> 99.5%", "score": "Z-score < 3"}
_FIELDS = {"name", "tier", "owner", "schedule", "zone", "error_budget_monthly", "on_call_severity"}
_SEVERITY = re.compile(r"(P[1-9])(?:\s*[—–:-]\s*(.+))?")
_BUDGET = re.compile(
    r"(?P<share>[\d.]+)\s*%(?:\s*=\s*(?P<time>[\d.]+)\s*(?P<unit>minutes?|hours?)/(?P<per>\w+))?"
)


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


def judge(slo: SLO, value: Value | None, sla_value: Value | None = None) -> Finding:
    """Say where `value` stands: ok, SLO missed (warn), SLA breached (fail), or unknown.

    `value` is measured over the SLO's period; `sla_value` over the SLA's where that differs.
    """
    if value is None:
        return Finding(slo.name, "unknown", "not measured", "Measure it before promising it")
    shown = percent(value) if slo.objective.kind == "ratio" else str(value)  # type: ignore[arg-type]
    outer = value if sla_value is None else sla_value
    evidence = f"{shown} against SLO {slo.objective}" + (f" and SLA {slo.sla}" if slo.sla else "")
    if slo.sla is not None and not slo.sla.met(outer):
        return Finding(slo.name, "fail", f"SLA breached: {evidence}", "Tell those who rely on it")
    if not slo.objective.met(value):
        return Finding(slo.name, "warn", f"SLO missed: {evidence}", "Repair before the SLA breaks")
    return Finding(slo.name, "ok", evidence, "Nothing to do")


# Reading ----------------------------------------------------------------------------------------


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
    read = located.loads(text, file)
    entries = read.data.get("slos") if isinstance(read.data, dict) else None
    if not isinstance(entries, list):
        fix = "write `slos:` and below it one `- name: ...` for each table"
        raise TeamError([read.problem(("slos",), "holds no list of tables", fix)])
    reader = _Reader(read)
    slos = [slo for index, entry in enumerate(entries) for slo in reader.table(index, entry)]
    if reader.problems:
        raise TeamError(reader.problems)
    return slos


class _Reader:
    """Turns the values of one file into promises and collects what is wrong with them."""

    def __init__(self, read: located.Located) -> None:
        self.read = read
        self.problems: list[Problem] = []
        self.tables: set[str] = set()

    def wrong(self, path: located.Path, message: str, fix: str) -> None:
        self.problems.append(self.read.problem(path, message, fix))

    def table(self, index: int, entry: Any) -> Iterator[SLO]:
        path: located.Path = ("slos", index)
        if not isinstance(entry, dict):
            self.wrong(path, "is not a table with promises", "write `- name: ...`")
            return
        for key in entry.keys() - _FIELDS - SLIS.keys():
            known = ", ".join([*SLIS, *sorted(_FIELDS)])
            self.wrong((*path, key), "is not a known field", f"use one of {known}")
        common = self.common(path, entry)
        if not entry.keys() & SLIS.keys():
            self.wrong(path, "promises nothing", f"add one of {', '.join(SLIS)}")
        for sli in SLIS:
            if sli in entry:
                yield from self.promise((*path, sli), sli, entry[sli], common)

    def common(self, path: located.Path, entry: Mapping[str, Any]) -> dict[str, Any]:
        """What all promises of one table share."""
        name = entry.get("name")
        if not isinstance(name, str) or not name:
            self.wrong((*path, "name"), "is missing", "write the table's name")
        elif name in self.tables:
            self.wrong((*path, "name"), f"{name!r} stands twice", "merge the two entries")
        self.tables.add(str(name))
        if (tier := entry.get("tier")) not in (None, 1, 2, 3) or isinstance(tier, bool):
            self.wrong((*path, "tier"), f"is {tier!r}", "write 1, 2 or 3")
        for key in ("owner", "schedule", "zone"):
            if not isinstance(entry.get(key, ""), str):
                self.wrong((*path, key), f"is {entry[key]!r}", "write text in quotes")
        return {
            "table": str(name),
            "tier": tier,
            "owner": entry.get("owner"),
            "schedule": entry.get("schedule"),
            "zone": entry.get("zone", "UTC"),
            "severity": self.severity((*path, "on_call_severity"), entry),
            "budget": self.budget((*path, "error_budget_monthly"), entry),
        }

    def severity(self, path: located.Path, entry: Mapping[str, Any]) -> str | None:
        words = entry.get("on_call_severity")
        match = _SEVERITY.fullmatch(str(words))
        if words is not None and match is None:
            self.wrong(path, f"is {words!r}", 'write it like "P2 — Business hours response"')
        return match[1] if match else None

    def budget(self, path: located.Path, entry: Mapping[str, Any]) -> BudgetText | None:
        words = entry.get("error_budget_monthly")
        if words is None:
            return None
        try:
            return parse_budget(str(words))
        except TargetError as error:
            self.wrong(path, error.message, error.fix)
        return None

    def promise(
        self, path: located.Path, sli: str, entry: Any, common: Mapping[str, Any]
    ) -> Iterator[SLO]:
        if not isinstance(entry, dict) or "slo" not in entry:
            self.wrong(path, "has no `slo`", f'write `slo: "{_EXAMPLE[SLIS[sli]]}"`')
            return
        for key in entry.keys() - {"slo", "sla", "columns"}:
            self.wrong((*path, key), "is not a known field", "use slo, sla or columns")
        columns = entry.get("columns", [])
        if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
            self.wrong((*path, "columns"), "is not a list of names", "write `[order_id, amount]`")
            columns = []
        slo = self.objective((*path, "slo"), sli, entry["slo"])
        sla = self.objective((*path, "sla"), sli, entry["sla"]) if "sla" in entry else None
        if slo is not None:
            line = self.read.line(path)
            yield SLO(sli=sli, objective=slo, sla=sla, columns=tuple(columns), line=line, **common)

    def objective(self, path: located.Path, sli: str, words: Any) -> Objective | None:
        example = f'write it like "{_EXAMPLE[SLIS[sli]]}"'
        if not isinstance(words, str):
            self.wrong(path, f"is {words!r}, not an objective in quotes", example)
            return None
        try:
            objective = parse(words)
        except TargetError as error:
            self.wrong(path, error.message, error.fix)
            return None
        if objective.kind != SLIS[sli]:
            self.wrong(path, f"{words!r} is no objective for {sli}", example)
            return None
        return objective


def parse_budget(text: str) -> BudgetText:
    """What "0.5% = 3.6 hours/month" says.

    Examples
    --------
    >>> parse_budget("0.5% = 3.6 hours/month").time
    datetime.timedelta(seconds=12960)
    """
    match = _BUDGET.fullmatch(text.strip())
    try:
        if match is None:
            raise InvalidOperation
        share = 1 - as_target(f"{100 - Decimal(match['share'])}%")
        time = Decimal(match["time"]) if match["time"] else None
    except InvalidOperation:
        fix = "Write it like '0.5% = 3.6 hours/month'"
        raise TargetError(f"{text!r} is not an error budget", fix) from None
    if time is None:
        return BudgetText(share)
    minutes = time * (60 if match["unit"].startswith("hour") else 1)
    return BudgetText(share, timedelta(microseconds=int(minutes * 60_000_000)), match["per"])
