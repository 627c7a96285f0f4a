"""Explain: sentences that say what was found; true for every team because they are computed."""

from __future__ import annotations

from datetime import date

import pandas as pd

from dataops_lib.diagnosis import Diagnosis
from dataops_lib.finding import Finding, worst_first
from dataops_lib.models import Picture

WORDS = {"ok": "kept", "warn": "SLO missed", "fail": "SLA breached", "unknown": "unknown"}


def day(when: date) -> str:
    """A date as people write it: 9 February 2013."""
    return f"{when.day} {when:%B %Y}"


def page_one(diagnosis: Diagnosis) -> str:
    """The sentence on top of a report: the trust figure, then the worst risk.

    It begins with what consumers feel (freshness, promises), not with velocity.
    """
    fresh, passed = diagnosis.tile("freshness").measured, diagnosis.tile("publishes").measured
    parts = []
    if fresh and fresh.ratio is not None:
        parts.append(
            f"Tier-1 tables were fresh on {fresh.good:.0f} of {fresh.total:.0f} table-days"
        )
    if passed and passed.ratio is not None:
        stopped = passed.total - passed.good
        times = "time" if stopped == 1 else "times"
        parts.append(f"the audit stopped bad data {stopped:.0f} {times} before a reader saw it")
    if not parts:
        return "Nothing could be measured yet: no run history is given."
    return f"{'; '.join(parts)}; {risk(diagnosis.findings)}."


def risk(findings: tuple[Finding, ...]) -> str:
    """The worst finding in a few words, or that there is none."""
    judged = [finding for finding in worst_first(findings) if finding.status != "unknown"]
    if not judged:
        return "no promise could be judged"
    worst = judged[0]
    if not worst.is_bad:
        return f"all {len(judged)} promises that could be judged were kept"
    same = sum(finding.status == worst.status for finding in judged)
    others = f" and {same - 1} more" if same > 1 else ""
    return f"{WORDS[worst.status]}: {worst.subject}{others}"


def daily(series: pd.DataFrame, picture: Picture) -> str:
    """What the daily picture shows: the day that fell furthest behind its plan."""
    unit = picture.unit
    if series.empty:
        return f"No {unit} yet"
    if picture.planned is None:
        lowest = series.iloc[int(series[picture.actual].argmin())]
        fewest = f"{lowest[picture.actual]:,.0f} {unit}"
        return f"{fewest} on {day(lowest['day'])}, the lowest day"
    share = series[picture.actual] / series[picture.planned]
    lowest = series.iloc[int(share.argmin())]
    why = next(
        (
            f" ({e.text})"
            for e in picture.events
            if e.day <= lowest["day"].date() <= (e.until or e.day)
        ),
        "",
    )
    return (
        f"{lowest[picture.actual]:,.0f} of {lowest[picture.planned]:,.0f} {unit} "
        f"on {day(lowest['day'])}, the lowest share{why}"
    )


def tables(diagnosis: Diagnosis) -> str:
    """How many promises were kept, missed, breached, and could not be judged."""
    counts = dict.fromkeys(WORDS, 0)
    for finding in diagnosis.findings:
        counts[finding.status] += 1
    said = [f"{count} {WORDS[status]}" for status, count in counts.items() if count]
    return f"Of {len(diagnosis.findings)} service levels: {', '.join(said)}."
