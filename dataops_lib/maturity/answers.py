"""Answers and votes of an assessment: checked, counted."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataops_lib import yaml_lines
from dataops_lib.errors import Problem, TeamError
from dataops_lib.maturity.model import Model, Pain, Question

# Respondent -> question id -> "most", or {answer: most, evidence: shown, unmet: [2], reason: ...}.
Answers = Mapping[str, Mapping[str, Any]]

# Respondent -> one pain id, or several with the worst first.
Votes = Mapping[str, str | Sequence[str]]
Line = Callable[[yaml_lines.Path], int | None]


def fields(raw: Any) -> Mapping[str, Any]:
    """An answer's fields, also when only the answer itself is given."""
    return raw if isinstance(raw, Mapping) else {"answer": raw}


def check(
    model: Model,
    answers: Answers,
    *,
    file: str = "assessment.yaml",
    at: yaml_lines.Path = (),
    line: Line = lambda path: None,
) -> list[Problem]:
    """All mistakes in `answers`; `at` is their place in `file`, `line` finds a path's line."""
    problems = []
    for path, message, fix in _mistakes(model, answers):
        whole = (*at, *path)
        problems.append(Problem(file, line(whole), ".".join(map(str, whole)), message, fix))
    return problems


def _mistakes(model: Model, answers: Answers) -> Iterator[tuple[yaml_lines.Path, str, str]]:
    if not isinstance(answers, Mapping):
        yield (), "is not a list of people with their answers", "write `name: {C1: most}`"
        return
    ids = [question.id for question in model.questions]
    for person, replies in answers.items():
        if not isinstance(replies, Mapping):
            yield (person,), "has no answers", "write `C1: most` and so on below the name"
            continue
        for id, raw in replies.items():
            if id not in ids:
                yield (person, id), "is not a question", _near(str(id), ids)
            else:
                for field, message, fix in _wrong(model, model.question(id), raw):
                    yield (person, id, *field), message, fix


def _wrong(
    model: Model, question: Question, raw: Any
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    reply = fields(raw)
    scale = {answer.id: answer for answer in model.answers}
    choice = reply.get("answer")
    if not isinstance(choice, str) or choice not in scale:
        yield ("answer",), f"is {choice!r}, not an answer", _near(str(choice), list(scale))
    elif scale[choice].needs_reason and not str(reply.get("reason") or "").strip():
        yield ("answer",), f"is {choice} without a reason", "add `reason:`, who does it instead"
    grades = [grade.id for grade in model.evidence_grades]
    if reply.get("evidence") not in (None, *grades):
        message = f"is {reply['evidence']!r}, not a grade of evidence"
        yield ("evidence",), message, _near(str(reply["evidence"]), grades)
    unmet = reply.get("unmet") or ()
    count = len(question.criteria)
    if not isinstance(unmet, Sequence) or any(n not in range(1, count + 1) for n in unmet):
        yield ("unmet",), f"is {unmet!r}", f"list numbers of criteria, 1 to {count}: `unmet: [1]`"
    for name in set(reply) - {"answer", "evidence", "reason", "unmet", "link"}:
        yield (str(name),), "is not a known field", "use answer, evidence, link, reason, unmet"


def _near(word: str, words: list[str]) -> str:
    close = difflib.get_close_matches(word, words, n=1)
    return f"write {close[0]}" if close else f"use one of {', '.join(words)}"


def check_votes(
    model: Model,
    votes: Votes,
    *,
    file: str = "assessment.yaml",
    at: yaml_lines.Path = (),
    line: Line = lambda path: None,
) -> list[Problem]:
    """All mistakes in `votes`, placed as `check` does."""
    ids, problems = [pain.id for pain in model.pain_points], []
    for person, vote in votes.items():
        chosen = [vote] if isinstance(vote, str) else vote
        whole, field = (*at, person), ".".join(map(str, (*at, person)))
        if not isinstance(chosen, Sequence):
            fix = f"write one of {', '.join(ids)}, or several with the worst first"
            problems.append(Problem(file, line(whole), field, f"is {vote!r}, not a vote", fix))
            continue
        for id in chosen:
            if id not in ids:
                message, fix = f"votes for {id!r}, which is not a pain", _near(str(id), ids)
                problems.append(Problem(file, line(whole), field, message, fix))
        if len({str(id) for id in chosen}) < len(chosen):
            message = "votes for the same pain twice"
            problems.append(Problem(file, line(whole), field, message, "name each pain once"))
    return problems


@dataclass(frozen=True)
class Tally:
    """A pain with how many named it, and its points: the worst of n pains earns n, and so on."""

    pain: Pain
    people: int
    points: int


def tally(model: Model, votes: Votes | None) -> tuple[Tally, ...]:
    """Count votes, most people first, then most points; equal ones stay in the model's order.

    Raises
    ------
    TeamError
        With every vote for a pain that does not exist, or for the same one twice.
    """
    if problems := check_votes(model, votes or {}):
        raise TeamError(problems)
    people: Counter[str] = Counter()
    points: Counter[str] = Counter()
    for vote in (votes or {}).values():
        for rank, id in enumerate([vote] if isinstance(vote, str) else vote):
            people[id] += 1
            points[id] += len(model.pain_points) - rank
    counted = (Tally(pain, people[pain.id], points[pain.id]) for pain in model.pain_points)
    return tuple(sorted(counted, key=lambda t: (-t.people, -t.points)))
