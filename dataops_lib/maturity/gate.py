"""What blocks the next level, and the one thing to do next."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dataops_lib.finding import Finding
from dataops_lib.maturity.answers import Tally, Votes, tally
from dataops_lib.maturity.model import Model, Question, Step
from dataops_lib.maturity.scoring import Cell, QuestionScore, Score, _opens, _reached


@dataclass(frozen=True)
class Blocker:
    """A question that keeps the next level shut, and the answer that would be enough.

    The raises named by all blockers together open the next level, and no cheaper set does;
    `instead` are questions of the same cell that would do as well. `now` is the team's answer;
    `unproved` when it would be enough if somebody showed it, `sure` when nobody is unsure.
    """

    question: Question
    sure: bool
    unproved: bool
    now: str
    enough: str
    instead: tuple[str, ...] = ()


def blockers(score: Score) -> tuple[Blocker, ...]:
    """What exactly blocks the level above `score.level`; empty on the top level."""
    shut = [c for c in score.cells if c.level == score.level + 1 and not c.opens_low]
    return tuple(blocker for cell in shut for blocker in _cheapest(score.model, cell))


def _cheapest(model: Model, cell: Cell) -> Iterator[Blocker]:
    """Fewest questions, then least to raise, over the few ways to raise a cell's answers."""
    values = model.values()
    ways = [(None, *(a for a, value in values.items() if value > s.low)) for s in cell.questions]
    costs: dict[tuple[str | None, ...], tuple[int, float]] = {}
    for way in itertools.product(*ways):
        after = [
            (s.question, values[raised] if raised else s.low)
            for s, raised in zip(cell.questions, way, strict=True)
        ]
        if _opens(model, after):
            gain = sum(v - s.low for (_, v), s in zip(after, cell.questions, strict=True))
            costs[way] = (sum(raised is not None for raised in way), gain)
    least = min(costs.values())
    ties = [way for way, cost in costs.items() if cost == least]
    best = sorted(ties, key=lambda way: [to is None for to in way])  # the model's order decides
    raised = [
        {s.question.id for s, to in zip(cell.questions, way, strict=True) if to} for way in best
    ]
    others = sorted(set().union(*raised) - raised[0])
    for s, to in zip(cell.questions, best[0], strict=True):
        if to:
            unproved = s.measured is None and s.low < values[to] <= s.claimed
            sure = s.low == s.high
            yield Blocker(s.question, sure, unproved, _answer(model, s), to, tuple(others))


def _answer(model: Model, score: QuestionScore) -> str:
    """The answer in words: what was claimed and not proved, or what lies between two answers."""
    if score.state not in ("answered", "measured"):
        return "not known"
    if score.claimed > score.low and score.low == score.high:
        shown = f"only {nearest(model, score.low)} is measured" if score.measured else "not shown"
        return f"{nearest(model, score.claimed)} by what people say, {shown}"
    answer = nearest(model, score.low)
    return f"{answer}, or more: somebody is unsure" if score.high > score.low else answer


def nearest(model: Model, value: float) -> str:
    """The answer of a value in [0, 1], or the two that it lies between."""
    values = model.values()
    below = [answer for answer, worth in values.items() if worth <= value][-1]
    above = next(answer for answer, worth in values.items() if worth >= value)
    return below if below == above else f"between {below} and {above}"


def judge(score: Score, claimed: Score | None = None) -> Finding:
    """The level as a finding: unknown without any answer, never level 0 by silence.

    With `claimed`, the same answers without asking for proof, the evidence says how far they go.
    """
    top = len(score.model.levels) - 1
    numbers = {"level": score.level, "level_high": score.level_high, "median": score.median}
    if all(q.state != "answered" for q in score.questions):
        return Finding("maturity", "unknown", "nobody has answered", "Fill in assessment.yaml")
    span = f"{score.level}" + (f" to {score.level_high}" * (score.level_high > score.level))
    evidence = f"level {span} of {top} (median {score.median:.1f})"
    if claimed and claimed.level > score.level:
        evidence += f"; {claimed.level} by what people say, without proof"
        numbers["level_claimed"] = claimed.level
    if score.level == top:
        return Finding("maturity", "ok", evidence, "Keep it, and ask again next quarter", numbers)
    blocking = ", ".join(blocker.question.id for blocker in blockers(score))
    advice = f"Raise {blocking} for level {score.level + 1}" if blocking else "Ask what is not ours"
    return Finding("maturity", "warn", evidence, advice, numbers)


def next_step(score: Score, votes: Votes | None = None) -> Finding:
    """The one thing to do next: a gate-blocking question, by pain votes, then by effort.

    Of several that rank the same the first in the model is taken and the others are `tied` in
    `numbers`, next to `later`: what comes after it. Raises TeamError for a malformed vote.
    """
    model, counted = score.model, tally(score.model, votes)
    worst = counted[0]
    if not (blocking := blockers(score)) or all(q.state == "missing" for q in score.questions):
        return _by_pain(score, worst, len(votes or {}))

    def key(blocker: Blocker) -> tuple[int, int, int]:
        hurt = _hurt(counted, blocker.question)
        effort = 0 if _is_to_show(blocker) else model.efforts.index(blocker.question.effort)
        return (-hurt.people, -hurt.points, effort) if hurt else (0, 0, effort)

    ranked = sorted(blocking, key=key)
    first, *later = ranked
    question, hurt = first.question, _hurt(counted, first.question)
    tied = [b.question.id for b in later if key(b) == key(first)]
    evidence = (
        f"{question.id} is {first.now}; {first.enough} is enough for level {score.level + 1}"
        + (f'; {hurt.people} of {len(votes or {})} people said "{hurt.pain.pain}"' if hurt else "")
        + (f"; ranks the same as {', '.join(tied)}" if tied else "")
    )
    numbers: dict[str, Any] = {
        "level": score.level,
        "blocking": len(blocking),
        "question": question.id,
        "people": hurt.people if hurt else 0,
        "voters": len(votes or {}),
        "effort": model.efforts[0] if _is_to_show(first) else question.effort,
        "tied": tied,
        "later": [blocker.question.id for blocker in later[:2]],
        "worst_pain": worst.pain.id if worst.people else None,
    }
    step = question.first
    if _is_to_show(first):
        step = f"{'Show' if first.unproved else 'Find out, and show'}: {question.evidence}"
    advice = f"{step} ({question.id}{_start(model, question, hurt)})"
    return Finding("next step", "warn", evidence, advice, numbers)


def _is_to_show(blocker: Blocker) -> bool:
    """Whether the first thing to do is to show what is there, which takes no more than hours."""
    return blocker.unproved or not blocker.sure


def _hurt(counted: Sequence[Tally], question: Question) -> Tally | None:
    """The most voted pain that leads to this question."""
    return next((t for t in counted if t.people and question.id in t.pain.questions), None)


def _start(model: Model, question: Question, hurt: Tally | None) -> str:
    """Where the article would start with this question: of the voted pain, else of any."""
    pains = [hurt.pain] if hurt else [p for p in model.pain_points if p.added is None]
    for pain, step in ((p, step) for p in pains for step in p.start):
        if question.id in step.advances:
            return f"; Part {pain.part}, {pain.topic}: {step.text}"
    for stage, step in ((s, step) for s in model.roadmap for step in s.items):
        if question.id in step.advances:
            return f"; roadmap, {stage.stage} stage: {step.text}"
    return f"; Part {hurt.pain.part}, {hurt.pain.topic}" if hurt else ""


def _by_pain(score: Score, worst: Tally, voters: int) -> Finding:
    """Without answers, or with nothing blocking, the most named pain decides alone."""
    if worst.people:
        pain, evidence = worst.pain, f'{worst.people} of {voters} people said "{worst.pain.pain}"'
        step = f"{pain.start[0].text} (Part {pain.part}, {pain.topic})"
        numbers = {"people": worst.people, "voters": voters, "worst_pain": pain.id}
        return Finding("next step", "warn", evidence, step[:1].upper() + step[1:], numbers)
    verdict = judge(score)
    return Finding("next step", verdict.status, verdict.evidence, verdict.next_step)


def progress(score: Score, counts: Mapping[str, int | None] | None = None) -> list[Finding]:
    """How far the roadmap is, one finding for each item.

    An item with a target is counted (`counts`: what -> number, None or absent is unknown); the
    others are done when the answers they advance pass the gate.
    """
    return [
        _advance(score, stage.stage, step, counts or {})
        for stage in score.model.roadmap
        for step in stage.items
    ]


def _advance(score: Score, stage: str, step: Step, counts: Mapping[str, int | None]) -> Finding:
    numbers: dict[str, Any] = {"stage": stage}
    if step.target:
        done, target = counts.get(step.target.what), step.target.count
        what = step.target.what.replace("_", " ")
        numbers |= {"done": done, "target": target}
        if done is None:
            return Finding(step.text, "unknown", f"{what}: not counted", "Give the count", numbers)
        status: Literal["ok", "warn"] = "ok" if done >= target else "warn"
        return Finding(step.text, status, f"{done} of {target} {what}", step.text, numbers)
    about = [q for q in score.questions if q.question.id in step.advances]
    answers = ", ".join(f"{q.question.id} is {_answer(score.model, q)}" for q in about)

    def passes(q: QuestionScore, value: float) -> bool:
        return _reached(score.model, q.question, value) >= score.model.gate

    if all(passes(q, q.low) for q in about):
        return Finding(step.text, "ok", answers, "Nothing to do", numbers)
    if all(passes(q, q.high) for q in about):
        return Finding(step.text, "unknown", answers, "Ask whoever knows", numbers)
    return Finding(step.text, "warn", answers, step.text, numbers)
