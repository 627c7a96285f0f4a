"""Runbooks in sentences and tables."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from dataops_lib.incidents.postmortem_lint import Weakness
from dataops_lib.runbooks import paths, runbook_lint
from dataops_lib.runbooks.coverage import Answer
from dataops_lib.runbooks.paths import Graph
from dataops_lib.wording import titled


def weaknesses(text: str, raised: Sequence[Weakness]) -> pd.DataFrame:
    """What the lint finds in `text`, with the line it is about."""
    lines = text.splitlines()
    rows = [
        (weak.rule, _shortened(lines[weak.line - 1]) if lines else "", weak.message, weak.fix)
        for weak in raised
    ]
    names = ["rule", "the text says", "what is wrong", "how to write it"]
    return titled(pd.DataFrame(rows, columns=names))


def _shortened(line: str, most: int = 50) -> str:
    words = line.strip("|#- ").replace(" | ", " · ")
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"


def score(raised: Sequence[Weakness]) -> str:
    """How many rules a runbook keeps, and how many lines stand against it."""
    kept, rules = runbook_lint.score(list(raised))
    if not raised:
        return f"Keeps all {rules} rules"
    count = f"{len(raised)} weakness{'es' if len(raised) > 1 else ''}"
    return f"Keeps {kept} of {rules} rules; {count} to mend"


def ways(graph: Graph) -> str:
    """Whether each way through a response ends in resolved or escalated."""
    if not graph.steps:
        return "No numbered step: nobody can follow it"
    nowhere = len(graph.unending)
    if nowhere:
        exits = "way ends" if nowhere == 1 else "ways end"
        return f"{nowhere} {exits} in neither resolved nor escalated"
    reached = len(graph.reached)
    return f"Each way through {reached} steps ends in resolved or escalated"


def ends(graph: Graph) -> pd.DataFrame:
    """Each step that can be reached, and what may follow it."""
    names = dict(graph.steps)
    rows = []
    for node in graph.reached:
        for edge in graph.after(node):
            goal = edge.end if isinstance(edge.end, str) else f"{edge.end.place}, {edge.end.number}"
            shown = "nobody says" if goal == paths.OPEN else goal
            rows.append((f"{node.place}, {node.number}", names[node].title, edge.reason, shown))
    return titled(pd.DataFrame(rows, columns=["step", "what to do", "when", "goes on with"]))


def answers(answered: Sequence[Answer]) -> pd.DataFrame:
    """Alerts with their pages and the runbook that answers them."""
    rows = [
        (a.alert, a.pages, a.runbook or "none", str(a.weaknesses) if a.runbook else "")
        for a in answered
    ]
    return titled(pd.DataFrame(rows, columns=["alert", "pages", "runbook", "weaknesses"]))


def coverage(answered: Sequence[Answer]) -> str:
    """Which share of the pages met a runbook that passes; unknown without a page."""
    total = sum(answer.pages for answer in answered)
    if not total:
        return "No page on record: nobody knows what a runbook would have to answer"
    good = sum(answer.pages for answer in answered if answer.passes)
    return f"A runbook without weakness answers {good:,} of {total:,} pages"


def drilled(results: pd.DataFrame) -> str:
    """How many drills are on record, and how many of them gave readers their day."""
    if results.empty:
        return "No drill on record: nobody knows whether the runbook can be followed"
    passed = int((results["passed"] == "yes").sum())
    last = str(results["drilled_at"].max())[:10]
    by = ", ".join(sorted({name or "nobody named" for name in results["person"]}))
    return f"{passed} of {len(results)} drills gave readers their day; the last on {last}, by {by}"
