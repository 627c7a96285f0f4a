"""Where a diagnosis and the definitions disagree, and where it disagrees with itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

from oracle import by_definition, grammar
from oracle.by_definition import Count, Seen, promised
from oracle.random_teams import TeamPlan

from dataops_lib.report import headlines
from dataops_lib.report.diagnosis import Diagnosis

NAMES = {"freshness": "freshness", "pipeline_success_rate": "run success"}
STATUS = {"met": "ok", "breached": "warn"}
NEAR = 1e-6


def disagreements(team: TeamPlan, diagnosis: Diagnosis) -> list[str]:
    """Everything that is wrong, one line each."""
    seen = [Seen(team, table) for table in team.tables]
    wrong = [
        *_tiles(seen, diagnosis),
        *(line for one in seen for line in _levels(one, diagnosis)),
        *(line for one in seen for line in _incidents(one, diagnosis)),
        *_within(diagnosis),
    ]
    wrong += [line for text in grammar.sentences(diagnosis) for line in grammar.faults(text)]
    return list(dict.fromkeys(wrong))


def _differ(what: str, shown: object, right: object) -> Iterator[str]:
    if shown != right:
        yield f"{what}: {shown}, by definition {right}"


def _whole(*counts: float | None) -> tuple[float | None, ...]:
    """Counts without the dust of floats."""
    near = (one is not None and abs(one - round(one)) < NEAR for one in counts)
    return tuple(
        round(one) if whole and one is not None else one
        for one, whole in zip(counts, near, strict=True)
    )


def _tiles(seen: list[Seen], diagnosis: Diagnosis) -> Iterator[str]:
    fresh = [
        one.days(limit)
        for one in seen
        if one.table.tier == 1 and one.publishes_known and "freshness" in one.table.promises
        if (limit := promised(one.table.promises["freshness"]["slo"]).late) is not None
    ]
    start, now, _ = by_definition.period("30-day rolling", seen[0].team.as_of, seen[0].team.zone)
    counts = {
        "freshness": fresh,
        "success": [one.runs(start, now) for one in seen],
        "publishes": [one.audited() for one in seen if one.audit_known],
    }
    for name, parts in counts.items():
        good, total = sum(one.good for one in parts), sum(one.total for one in parts)
        measured = diagnosis.tile(name).measured
        shown = _whole(measured.good, measured.total) if measured and measured.total else None
        yield from _differ(f"tile {name}", shown, (good, total) if total else None)


def _levels(one: Seen, diagnosis: Diagnosis) -> Iterator[str]:
    monthly = one.table.promises.get("error_budget_monthly", "")
    for sli, name in NAMES.items():
        if sli not in one.table.promises:
            continue
        texts = one.table.promises[sli]
        own = {kind: promised(texts[kind], monthly) for kind in ("slo", "sla") if kind in texts}
        counts = {kind: one.against(sli, promise) for kind, promise in own.items()}
        words = {kind: by_definition.verdict(counts[kind], own[kind]) for kind in own}
        breached = words.get("sla") == "breached"
        status = "fail" if breached else STATUS.get(words["slo"], "unknown")
        subject = f"{one.table.name} {name}"
        finding = diagnosis.finding(subject)
        yield from _differ(f"{subject} status", finding.status, status)
        count, numbers = counts["sla" if breached else "slo"], finding.numbers
        if count.total or count.unknown:
            shown = _whole(numbers.get("good"), numbers.get("total"), numbers.get("unknown"))
            yield from _differ(subject, shown, (count.good, count.total, count.unknown))
        if own["slo"].share is not None:
            yield from _budget(subject, counts["slo"], float(own["slo"].share), diagnosis)


def _budget(subject: str, count: Count, share: float, diagnosis: Diagnosis) -> Iterator[str]:
    matches = [one for one in diagnosis.budgets if one.subject == f"{subject} budget"]
    if len(matches) != 1:
        yield f"{subject}: {len(matches)} budgets for one promise"
        return
    left = matches[0].finding.numbers["remaining_ratio"]
    whole = count.total + count.to_come
    right = 1 - (count.total - count.good) / (whole * (1 - share)) if count.total else None
    near = left is not None and right is not None and abs(left - right) < NEAR
    if not near and (left is not None or right is not None):
        yield f"{subject} budget left: {left}, by definition {right} ({count})"


def _incidents(one: Seen, diagnosis: Diagnosis) -> Iterator[str]:
    """Whoever waited in the period has an incident that covers the wait, and nobody else."""
    if "freshness" not in one.table.promises or not one.publishes_known:
        return
    grace = promised(one.table.promises["freshness"]["slo"]).late
    start = by_definition.period("30-day rolling", one.team.as_of, one.team.zone)[0]
    waits = [span for span in one.late(grace) if span[2] > start] if grace is not None else []
    missed = [i for i in diagnosis.incidents if one.table.name in i.tables and i.slo_missed]
    for due, _, _ in waits:
        if not any(i.due_at <= due < (i.resolved_at or i.until) for i in missed):
            yield f"{one.table.name}: late from {due}, and no incident says so"
    alone = [i for i in missed if i.tables == (one.table.name,)]
    for incident in alone:
        if not any(incident.due_at <= due for due, _, _ in waits):
            yield f"{one.table.name}: incident of {incident.due_at} misses an SLO that was kept"


def _within(diagnosis: Diagnosis) -> Iterator[str]:
    """Headline, tiles, levels, budgets, decisions and JSON say the same."""
    head, levels = headlines.page_one(diagnosis), diagnosis.levels
    statuses = [level.status for level in levels if level.promise is not None]
    worst = next((s for s in ("fail", "warn") if s in statuses), "ok" if "ok" in statuses else "")
    says = {"fail": "SLA breached: ", "warn": "SLO missed: "}
    if not head.startswith("Nothing could be measured"):
        for status, words in says.items():
            if (words in head) != (status == worst):
                yield f"headline {head!r}, though the worst promise is {worst or 'unknown'}"
    if ("were kept" in head or "was kept" in head) and set(statuses) != {"ok"}:
        yield f"headline {head!r}, though not all promises are kept: {statuses}"
    if "fail" in statuses and not diagnosis.decisions:
        yield "an SLA is breached and nothing is to decide"
    if any(one.status == "fail" for one in diagnosis.budgets) and not diagnosis.decisions:
        yield "a budget is overspent and nothing is to decide"
    by_subject = {level.subject: level for level in levels}
    for budget in diagnosis.budgets:
        status = by_subject[budget.subject.removesuffix(" budget")].status
        if status == "ok" and budget.status not in ("ok", "warn"):
            yield f"{budget.subject} is {budget.status}, its promise kept"
        if (budget.remaining < 0) and status == "ok":
            yield f"{budget.subject} is overspent, its promise kept"
        if status == "fail" and budget.status == "ok":
            yield f"{budget.subject} is ok, its SLA breached"
    for tile, sli in (("freshness", "freshness"), ("success", "pipeline_success_rate")):
        ours = [one.status for one in levels if one.promise and one.sli == sli]
        if tile == "freshness":
            ours = [s.status for s in levels if s.promise and s.sli == sli and s.table.tier == 1]
        shown = diagnosis.tile(tile).finding.status
        right = next((s for s in ("fail", "warn", "unknown", "ok") if s in ours), "unknown")
        if shown not in (right, "unknown"):
            yield f"tile {tile} is {shown}, its promises {ours}"
    try:
        text = json.dumps(diagnosis.as_dict(), allow_nan=False)
    except ValueError as error:
        yield f"diagnosis.json: {error}"
        return
    findings = {one["subject"]: one["status"] for one in json.loads(text)["findings"]}
    for level in levels:
        if findings[level.subject] != level.status:
            yield f"diagnosis.json says {findings[level.subject]} of {level.subject}"
