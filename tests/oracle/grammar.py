"""What no sentence of a report may hold, whatever the team."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dataops_lib.report import headlines
from dataops_lib.report.diagnosis import Diagnosis

NOUNS = (
    "tables|table-days|days|hours|minutes|runs|promises|decisions|things|budgets|error budgets|"
    "incidents|events|service levels|levels|times|publishes|cells|loads|expected runs|weeks|"
    "audited publishes"
)
FAULTS = {
    "a value that nobody wrote out": r"\bNone\b|\bnan\b|\bNaT\b|<NA>|\binf\b|\bTrue\b|\bFalse\b",
    "nothing of nothing": r"(?<![\d.,])0 of 0(?![\d.,])",
    "one of several": rf"(?<![\d.,-])1 ({NOUNS})\b|(?<![\d.,-])1 (are|were|have)\b|\ball 1\b",
    "two signs": r"[-+]\s?[-+]\d|%\s?%|--",
    "an exponent": r"\d[eE][-+]?\d",
    "a signed zero": r"(?<![\d.])-0(\.0+)?(?![\d.])",
    "overspent by nothing": r"overspent by 0 ?%",
    "all that is missed": r"(missed|breached): 100 %",
    "loose punctuation": r"  | [,;.:](?!\d)|[,;:][,;.:]|\.\.|\(\)|[{}]|^\s|\s$",
}


def sentences(diagnosis: Diagnosis) -> Iterator[str]:
    """Every sentence that page one and diagnosis.json say of the numbers."""
    for sentence in (
        headlines.page_one,
        headlines.tables,
        headlines.budgets,
        headlines.budget_left,
        headlines.last_incident,
        headlines.without_budget,
        headlines.no_decision,
    ):
        yield sentence(diagnosis)
    yield from (headlines.budget_evidence(budget) for budget in diagnosis.budgets)
    for finding in (*diagnosis.all_findings, *(tile.finding for tile in diagnosis.tiles)):
        yield from (finding.subject, finding.evidence, finding.next_step)
    for decision in diagnosis.decisions:
        yield from (decision.what, decision.why, decision.start)
    yield from (tile.word for tile in diagnosis.tiles)


def faults(text: str) -> list[str]:
    """What is wrong with a sentence; empty when nothing is."""
    return [
        f"{name}: {text!r}" for name, pattern in FAULTS.items() if text and re.search(pattern, text)
    ]
