"""Parts of page one as HTML, safe for any text, readable without scripts or network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dataops_lib import wording
from dataops_lib.evidence import levels as evidence_levels
from dataops_lib.finding import Finding
from dataops_lib.report import diagnosis as report_diagnosis
from dataops_lib.report import headlines
from dataops_lib.report.diagnosis import Diagnosis
from dataops_lib.service_levels.objectives import Objective

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
        found = len(self.diagnosis.findings)
        return f"Recorded {found} findings of team {self.diagnosis.team} in diagnosis.json."


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
    """Service levels of every table, by tier."""
    rows = [
        (seen.table, [_cell(seen, name) for name in evidence_levels.SLIS])
        for seen in diagnosis.tables
    ]
    titles = [title for title, _ in evidence_levels.SLIS.values()]
    text = headlines.tables(diagnosis)
    return _part("levels.html.j2", text, diagnosis=diagnosis, rows=rows, titles=titles)


def _cell(seen: evidence_levels.TableLevels, name: str) -> dict[str, Any]:
    """One service level in few words: the share, what was promised, how it stands."""
    measured, promise = seen.shown(name), seen.promises.get(name)
    shown = wording.percent(measured.ratio) if measured and measured.ratio is not None else ""
    promised = "nothing promised"
    if promise is not None:
        promised = f"SLO {_short(promise.objective)}"
        promised += f"; SLA {_short(promise.sla)}" if promise.sla else ""
    return {"finding": report_diagnosis.judge_sli(seen, name), "shown": shown, "promised": promised}


def _short(objective: Objective) -> str:
    """An objective without its period where that is the report's own."""
    usual = objective.period is not None and objective.period.days == report_diagnosis.DAYS
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
    text = f"{len(diagnosis.decisions)} decisions. Worst budget: {values['budget']}"
    more = {"diagnosis": diagnosis, "day": wording.day}
    return _part("decisions.html.j2", text, **more, **values)


BUDGET_COLUMNS = (
    "Table", "Promise", "Good", "Budget", "Spent", "Left", "Evidence", "Policy",
)  # fmt: skip


def budgets(diagnosis: Diagnosis) -> Html:
    """Every error budget, worst first: what is spent and left, what that proves, what follows."""
    found = diagnosis.budgets
    text = headlines.budgets(diagnosis)
    asked = {str(one.numbers["state"]): one.next_step for one in found if one.numbers["state"]}
    notes = [f'Policy for "{state}": {action}.' for state, action in asked.items()]
    why = sorted({str(one.numbers["interval_why"]) for one in found} - {""})
    notes += [f"No interval for minutes: {reason}." for reason in why]
    notes += [line for line in [headlines.without_budget(diagnosis)] if line]
    values = {"rows": [_budget(one) for one in found], "titles": BUDGET_COLUMNS, "notes": notes}
    return _part("budgets.html.j2", text, otherwise=text, **values)


def _budget(finding: Finding) -> list[dict[str, str]]:
    """The cells of one budget, in the order of `BUDGET_COLUMNS`; nothing is clamped."""
    n = finding.numbers
    unit, left = str(n["unit"]), n["remaining_ratio"]
    if left is None:
        good = allowed = spent = rest = "not measured"
    else:
        good = f"{n['good']:,.0f} of {headlines.amount(n['total'], unit)}"
        allowed, spent, rest = (
            headlines.amount(n[f"{name}_{unit}"], unit) for name in ("allowed", "spent", "left")
        )
    promise = f"{evidence_levels.SLIS[n['sli']][0]} {n['objective']}"
    cells = [
        (n["table"], f"tier {n['tier']}", ""),
        (promise, n["window"], ""),
        (good, "", ""),
        (allowed, "", ""),
        (spent, "", ""),
        (rest, "" if left is None else wording.percent(round(left, 2)), ""),
        (n["verdict"], headlines.budget_evidence(finding), _VERDICTS[n["verdict"]]),
        (n["state"] or finding.next_step, "", ""),
    ]
    return [{"shown": str(a), "small": str(b), "status": c} for a, b, c in cells]


_VERDICTS = {"met": "ok", "breached": "fail", "not measurable": "unknown", "unknown": "unknown"}


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
    text = f"{len(diagnosis.unknowns)} things we do not know"
    title = "What we do not know"
    found = diagnosis.unknowns
    return _part("findings.html.j2", text, findings=found, otherwise=otherwise, title=title)


def findings(found: Sequence[Finding], otherwise: str = "Nothing to report.") -> Html:
    """Findings as a list."""
    text = f"{len(found)} findings"
    return _part("findings.html.j2", text, findings=found, otherwise=otherwise, title="")
