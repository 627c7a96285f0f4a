"""Maturity in sentences and tables."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from dataops_lib.finding import Finding
from dataops_lib.maturity.answers import Tally
from dataops_lib.maturity.gate import Blocker, nearest
from dataops_lib.maturity.model import Model, Question
from dataops_lib.maturity.scoring import Score

DONE = {"ok": "done", "warn": "not yet", "fail": "not yet", "unknown": "unknown"}


def levels(model: Model) -> pd.DataFrame:
    """The levels: what the article says of each, and how a team on it behaves."""
    rows = [
        (f"{level.id} {level.name}", "; ".join(level.article), level.example)
        for level in model.levels
    ]
    return pd.DataFrame(rows, columns=["level", "the article", "an example of behaviour (ours)"])


def principles(model: Model) -> pd.DataFrame:
    """The five principles, and which questions ask for each."""
    rows = [
        (principle.name, ", ".join(q.id for q in model.questions if q.principle == principle.id))
        for principle in model.principles
    ]
    return pd.DataFrame(rows, columns=["principle", "asked by"])


def pains(model: Model) -> pd.DataFrame:
    """What may hurt, and where each pain leads; the article's first, then those of ours."""
    rows = [
        (
            pain.pain,
            f"Part {pain.part}: {pain.topic}",
            "; ".join(step.text for step in pain.start),
            "article" if pain.added is None else "ours",
        )
        for pain in model.pain_points
    ]
    return pd.DataFrame(rows, columns=["pain", "leads to", "starting point", "from"])


def question(question: Question) -> str:
    """A question as people answer it, with what must hold for a yes and what would show it."""
    must = "; ".join(f"({number}) {text}" for number, text in enumerate(question.criteria, 1))
    return f"{question.id}: {question.text}\nA yes needs: {must}.\nShown by: {question.evidence}."


def blocking(blockers: Sequence[Blocker]) -> pd.DataFrame:
    """What keeps the next level shut, the answer now, and the one that is enough."""
    rows = [(b.question.id, b.question.text, b.now, b.enough) for b in blockers]
    return pd.DataFrame(rows, columns=["question", "text", "now", "enough"])


def roadmap(progress: Sequence[Finding]) -> pd.DataFrame:
    """The roadmap of the article with its state, one row for each item."""
    rows = [(f.numbers["stage"], f.subject, DONE[f.status], f.evidence) for f in progress]
    return pd.DataFrame(rows, columns=["stage", "item", "state", "because"])


def voted(counted: Sequence[Tally], voters: int) -> str:
    """Which pain most people named, and whether it is tied."""
    if not voters or not counted[0].people:
        return "Nobody has voted yet"
    first = [tally for tally in counted if tally.people == counted[0].people]
    names = " and ".join(f'"{tally.pain.pain}"' for tally in first)
    tie = ", a tie: talk before you choose" if len(first) > 1 else ""
    return f"{names}, named by {counted[0].people} of {voters}{tie}"


def agenda(score: Score) -> str:
    """How many questions need talking about before a score is shown, and why."""
    if not score.respondents:
        return "Nobody has answered yet"
    apart = [q.question.id for q in score.agenda if q.spread >= score.model.agenda["spread"]]
    unsure = [q.question.id for q in score.agenda if q.question.id not in apart]
    topics = [f"answers lie far apart on {', '.join(apart)}"] if apart else []
    topics += [f"many are unsure about {', '.join(unsure)}"] if unsure else []
    if not topics:
        return f"{score.respondents} people agree well enough to look at the score"
    return f"Talk first: {'; '.join(topics)}"


def level(judged: Finding, score: Score) -> str:
    """The level, and what unsure answers could still make of it."""
    if judged.status == "unknown":
        return "The level is unknown: nobody has answered"
    name = score.model.levels[score.level].name
    text = f"By the gate: {judged.evidence}, {name}"
    if score.level == 0 and judged.is_bad:
        return f"{text}; the list below is what is missing first"
    return text


def certainty(claimed: Score, proved: Score) -> str:
    """What is left of a claimed level when only proof counts, and what unsure answers could add."""
    if not claimed.respondents:
        return "Without answers there is nothing to be sure of."
    return (
        f"By what people say level {claimed.level}, with every unsure answer read as `most` at "
        f"best level {claimed.level_high}; by what was shown or measured level {proved.level}."
    )


def claims(score: Score) -> pd.DataFrame:
    """What people say beside what the team's files prove, where they prove anything."""
    rows = [
        (
            q.question.id,
            q.question.text,
            "nobody answered" if q.state == "measured" else nearest(score.model, q.claimed),
            score.model.answer_of(q.measured.share),
            q.measured.evidence,
        )
        for q in score.questions
        if q.measured and q.state in ("answered", "measured")
    ]
    return pd.DataFrame(rows, columns=["question", "text", "claimed", "measured", "counted"])


def step(finding: Finding, model: Model) -> str:
    """The one next step, why it is the one, and what may come after it."""
    later = [model.question(id).first for id in finding.numbers.get("later", ())]
    sentence = f"Next step: {finding.next_step}.\nWhy: {finding.evidence}."
    return sentence + (f"\nLater: {'; '.join(later)}." if later else "")
