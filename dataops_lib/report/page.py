"""Parts of page one as HTML, safe for any text, readable without scripts or network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dataops_lib import wording
from dataops_lib.evidence.levels import SLIS
from dataops_lib.evidence.verdicts import Level
from dataops_lib.finding import Finding
from dataops_lib.report import headlines
from dataops_lib.report.diagnosis import Diagnosis
from dataops_lib.report.tiles import DAYS
from dataops_lib.service_levels import budget_policy
from dataops_lib.service_levels.budget import Budget
from dataops_lib.service_levels.objectives import Objective
from dataops_lib.teams.models import Table
from dataops_lib.wording import plural

USUAL = ("freshness", "pipeline_success_rate", "completeness")  # columns that every page has
TEMPLATES = Path(__file__).parent / "templates"
RECORD = "application/vnd.dataops.diagnosis+json"
MARKS = {"ok": "●", "warn": "▲", "fail": "✖", "unknown": "○"}


@dataclass(frozen=True)
class Html:
    """A piece of HTML that a notebook shows, and what it says in one line of text."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Record:
    """A diagnosis in a form that the report's runner takes out of the executed notebook."""

    diagnosis: Diagnosis

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        record = {"headline": headlines.page_one(self.diagnosis)} | self.diagnosis.as_dict()
        return {"text/plain": repr(self), RECORD: record}

    def __repr__(self) -> str:
        findings = plural(len(self.diagnosis.findings), "finding")
        return f"Recorded {findings} of team {self.diagnosis.team} in diagnosis.json."


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> str:
    """Fill a template of this folder; every value is escaped."""
    return _environment().get_template(template).render(**values)


def css(name: str) -> str:
    """One of our style sheets, to be put into a page."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _part(template: str, text: str, **values: Any) -> Html:
    shared = {"css": css("page_one.css"), "marks": MARKS, "words": wording.WORDS}
    return Html(render(template, **(shared | values)), text)


def page_one(diagnosis: Diagnosis) -> Html:
    """Headline sentence and tiles."""
    headline = headlines.page_one(diagnosis)
    values = {"diagnosis": diagnosis, "headline": headline, "day": wording.day}
    return _part("page_one.html.j2", headline, **values)


def levels(diagnosis: Diagnosis) -> Html:
    """Service levels of every table, by tier; a column that nobody needs is left out."""
    promised = {level.sli for level in diagnosis.levels if level.promise} | set(USUAL)
    names = [name for name in SLIS if name in promised]
    rows = [
        (measured.table, [_cell(_level(diagnosis, measured.table, name)) for name in names])
        for measured in diagnosis.tables
    ]
    titles = [SLIS[name][0] for name in names]
    text = headlines.tables(diagnosis)
    return _part("levels.html.j2", text, diagnosis=diagnosis, rows=rows, titles=titles)


def _level(diagnosis: Diagnosis, table: Table, sli: str) -> Level:
    named = (level for level in diagnosis.levels if (level.table, level.sli) == (table, sli))
    return next(named, Level(table, sli, None, None))


def _cell(level: Level) -> dict[str, Any]:
    """One service level in few words: the share, what was promised, how it stands."""
    promised = "nothing promised"
    if (promise := level.promise) is not None:
        promised = f"SLO {_short(promise.objective)}"
        promised += f"; SLA {_short(promise.sla)}" if promise.sla else ""
    return {
        "finding": level.finding,
        "shown": level.share,
        "word": level.word,
        "promised": promised,
    }


def _short(objective: Objective) -> str:
    """An objective without its period where that is the report's own."""
    usual = objective.period is not None and objective.period.days == DAYS
    return str(replace(objective, period=None) if usual else objective)


def decisions(diagnosis: Diagnosis) -> Html:
    """What to decide, and the four facts behind it."""
    step = diagnosis.step
    values = {
        "budget": headlines.budget_left(diagnosis),
        "incident": headlines.last_incident(diagnosis),
        "maturity": diagnosis.maturity.evidence if diagnosis.maturity else "not known: no answers",
        "step": step.next_step if step else "not known: no answers",
        "why": step.evidence if step else "",
        "gate": diagnosis.maturity.next_step if diagnosis.maturity else "",
    }
    text = f"{plural(len(diagnosis.decisions), 'decision')}. Worst budget: {values['budget']}"
    more = {
        "diagnosis": diagnosis,
        "day": wording.day,
        "calm": headlines.no_decision(diagnosis),
        "draft": headlines.draft(diagnosis),
        "due": headlines.postmortem_due(diagnosis, budget_policy.load().incident),
    }
    return _part("decisions.html.j2", text, **more, **values)


BUDGET_COLUMNS = (
    "Table", "Promise", "Good", "Budget", "Spent", "Left", "Evidence", "Policy",
)  # fmt: skip


def budgets(diagnosis: Diagnosis) -> Html:
    """Every error budget, worst first: what is spent and left, what that proves, what follows."""
    text = headlines.budgets(diagnosis)
    actions = {
        budget.state.name: budget.state.action for budget in diagnosis.budgets if budget.state
    }
    notes = [f'Policy for "{state}": {action}.' for state, action in actions.items()]
    if any(budget.unit == "minutes" for budget in diagnosis.budgets):
        notes.append(
            "No interval for minutes: stale minutes come in spells and are no independent trials."
        )
    notes += [line for line in [headlines.without_budget(diagnosis)] if line]
    rows = [_budget(budget) for budget in diagnosis.budgets]
    values = {"rows": rows, "titles": BUDGET_COLUMNS, "notes": notes}
    return _part("budgets.html.j2", text, otherwise=text, **values)


def _budget(budget: Budget) -> list[dict[str, str]]:
    """The cells of one budget, in the order of `BUDGET_COLUMNS`; nothing is clamped."""
    verdict, unit, slo = budget.verdict, budget.unit, budget.slo
    if verdict.left is None:
        good = allowed = spent = rest = "not measured"
    else:
        good = wording.part(verdict.measured.good, verdict.measured.total, unit)
        allowed, spent, rest = (
            headlines.amount(size, unit) for size in (verdict.allowed, verdict.spent, budget.left)
        )
    promise = f"{SLIS[slo.sli][0]} {replace(slo.objective, period=None)}"
    follows = budget.state.name if budget.state else budget.action
    if budget.state and budget.action != budget.state.action:
        follows = budget.action
    cells = [
        (slo.table, f"tier {budget.tier}", ""),
        (promise, str(slo.period), ""),
        (good, "so far" if verdict.measured.to_come else "", ""),
        (allowed, "", ""),
        (spent, "", ""),
        (rest, "" if verdict.left is None else wording.percent(verdict.left, digits=3), ""),
        (verdict.word, headlines.budget_evidence(budget), verdict.status),
        (follows, "", ""),
    ]
    return [{"shown": a, "small": b, "status": c} for a, b, c in cells]


def onboarding(diagnosis: Diagnosis) -> Html | None:
    """Where the first month of each newcomer stands; None when nobody is new."""
    found = diagnosis.onboarding
    if not found:
        return None
    note = headlines.first_month()
    text = headlines.onboarding(diagnosis)
    words = headlines.TASK_WORDS
    return _part("onboarding.html.j2", text, diagnosis=diagnosis, note=note, words=words)


def unknowns(diagnosis: Diagnosis) -> Html:
    """What nobody can know from these inputs."""
    otherwise = "Every input that this report reads was given."
    text = f"{plural(len(diagnosis.unknowns), 'thing')} we do not know"
    title = "What we do not know"
    found = diagnosis.unknowns
    return _part("findings.html.j2", text, findings=found, otherwise=otherwise, title=title)


def findings(found: Sequence[Finding], otherwise: str = "Nothing to report.") -> Html:
    """Findings as a list."""
    text = plural(len(found), "finding")
    return _part("findings.html.j2", text, findings=found, otherwise=otherwise, title="")
