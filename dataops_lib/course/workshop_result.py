"""A workshop's result on one page: disagreement first, then claims, level, pains and one step."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pandas as pd

from dataops_lib import maturity
from dataops_lib.course.workshop_pages import page
from dataops_lib.maturity import Measured, headlines
from dataops_lib.maturity import answers as maturity_answers
from dataops_lib.maturity.scoring import QuestionScore
from dataops_lib.teams.models import Assessment

FEWEST = 4  # under so many people a count of answers tells who gave them
HIDDEN = f"not shown: fewer than {FEWEST} people"


@dataclass(frozen=True)
class Section:
    """One question of the page with its sentences and, if there is one, its table."""

    title: str
    sentences: tuple[str, ...]
    table: pd.DataFrame | None = None


@dataclass(frozen=True)
class Result:
    """What a workshop came to, in the order in which a room should look at it."""

    team: str
    day: date
    people: int
    guard: str
    sections: tuple[Section, ...]

    def html(self, nonce: str = "") -> str:
        """The page; nothing on it runs, and what people typed is escaped."""
        title = f"{self.team}: what the workshop found"
        return page("workshop_result.html.j2", title=title, nonce=nonce, result=self)

    def markdown(self) -> str:
        """The same to paste into a chat or a wiki."""
        lines = [f"# {_plain(self.team)}: what the workshop found", ""]
        lines += [f"{self.people} people, {self.day}. {self.guard}", ""]
        for number, section in enumerate(self.sections, 1):
            lines += [f"## {number}. {section.title}", ""]
            for sentence in section.sentences:
                lines += [_plain(sentence), ""]
            if section.table is not None and not section.table.empty:
                rows = [list(section.table.columns), ["---"] * section.table.shape[1]]
                rows += section.table.astype(str).to_numpy().tolist()
                lines += [f"| {' | '.join(map(_plain, row))} |" for row in rows] + [""]
        return "\n".join(lines)


def _plain(text: str) -> str:
    """Text in which Markdown finds neither a table's bar nor a tag nor a link."""
    for mark in ("\\", "|", "<", "[", "`", "*"):
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())


def result(
    team: str,
    assessed: Assessment,
    *,
    day: date,
    measured: Mapping[str, Measured] | None = None,
    owner: str = "",
    due: date | None = None,
) -> Result:
    """Read a team's assessment as a room should; `owner` and `due` are for the one step.

    `measured` is what the team's own files prove (`evidence.practices.proofs`).
    """
    model = maturity.load_model()
    people = set(assessed.answers) | set(assessed.votes)
    claimed = maturity.score(model, assessed.answers)
    proved = maturity.score(model, assessed.answers, strict=True, measured=measured)
    counted = maturity_answers.tally(model, assessed.votes)
    step = maturity.next_step(proved, assessed.votes)
    if len(people) < FEWEST:
        why = re.sub(r"\d+ of \d+ people said", "the room said", step.evidence)
        step = replace(step, evidence=why)
    sections = (
        Section(
            "Where do we disagree?",
            (f"{headlines.agenda(claimed)}.", agreement(claimed.questions)),
            disagreement(claimed.agenda, assessed, len(people)),
        ),
        Section(
            "What do we say, and what do our files show?",
            ("Where the two differ, people may mean different tables, or a file is not kept.",)
            if measured
            else ("The team's files show nothing about the questions yet.",),
            headlines.claims(proved),
        ),
        Section(
            "Which level is it, and what blocks the next?",
            (
                f"{headlines.level(maturity.judge(proved), proved)}.",
                headlines.certainty(claimed, proved),
            ),
            headlines.blocking(maturity.blockers(proved)),
        ),
        Section("What hurts?", _hurts(counted, len(people)), pains(counted, len(people))),
        Section("What is the one step?", _steps(step, model, owner, due)),
    )
    return Result(team, day, len(people), model.guard, sections)


def agreement(questions: tuple[QuestionScore, ...]) -> str:
    """On how many questions those who know answered alike, within one step of the scale."""
    heard = [q for q in questions if q.state == "answered"]
    close = sum(q.spread <= 0.25 for q in heard)
    return (
        f"On {close} of {len(heard)} answered questions those who know are at most a quarter apart."
    )


def disagreement(agenda: tuple[QuestionScore, ...], assessed: Assessment, people: int) -> Any:
    """What to talk about first, with how often each answer was given where that hides who."""
    rows = []
    for q in agenda:
        replies = [own[q.question.id] for own in assessed.answers.values() if q.question.id in own]
        counts = Counter(maturity_answers.fields(reply)["answer"] for reply in replies)
        split = ", ".join(f"{count} {answer}" for answer, count in counts.most_common())
        ask = f"When did it last happen? Show {q.question.evidence}"
        shown = split if people >= FEWEST else HIDDEN
        rows.append((q.question.id, q.question.text, shown, ask))
    return pd.DataFrame(rows, columns=["question", "text", "answers", "ask each other"])


def pains(counted: tuple[maturity_answers.Tally, ...], people: int) -> pd.DataFrame:
    """The pains that anybody named; equal ones share a rank."""
    voted = [tally for tally in counted if tally.people]
    rows = [
        (
            1 + sum(other.people > tally.people for other in voted),
            tally.pain.pain,
            f"{tally.people} of {people}" if people >= FEWEST else HIDDEN,
            f"Part {tally.pain.part}, {tally.pain.topic}",
        )
        for tally in voted
    ]
    return pd.DataFrame(rows, columns=["rank", "pain", "named by", "read"])


def _hurts(counted: tuple[maturity_answers.Tally, ...], people: int) -> tuple[str, ...]:
    if people >= FEWEST or not counted[0].people:
        return (f"{headlines.voted(counted, people)}.",)
    return ("Counts are not shown, because in so small a room they tell who voted.",)


def _steps(step: Any, model: Any, owner: str, due: date | None) -> tuple[str, ...]:
    """The step with whoever takes it, and at most two for later."""
    later = [model.question(id).first for id in step.numbers.get("later", ())][:2]
    return (
        f"{step.next_step}.",
        f"Owner: {owner or 'not chosen yet'}. Date: {due or 'not chosen yet'}.",
        f"Why: {step.evidence}.",
        f"Later, and not now: {'; '.join(later)}." if later else "Nothing waits behind it.",
    )
