"""Domain: the maturity model as data, and the answers it accepts."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from dataops_lib import located, playbook
from dataops_lib.errors import Problem, TeamError

# Respondent -> question id -> "most", or {answer: most, evidence: shown, unmet: [2], reason: ...}.
Answers = Mapping[str, Mapping[str, Any]]
# Respondent -> one pain id, or several with the worst first.
Votes = Mapping[str, str | Sequence[str]]
Line = Callable[[located.Path], int | None]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Level(_Data):
    """One of the five levels, with an example of how a team behaves on it."""

    id: int
    name: str
    article: tuple[str, ...]
    lines: tuple[int, ...]
    example: str


class Named(_Data):
    """A dimension, an evidence grade or an answer: `value` is its ratio, None if it has none."""

    id: str
    name: str = ""
    text: str = ""
    value: float | None = None
    needs_reason: bool = False


class Principle(_Data):
    """One of five principles: our reconstruction, since the article's figure is lost."""

    id: int
    name: str
    manifesto: tuple[int, ...]


class Statement(_Data):
    """What a question rests on: a section of the `article`, or a key of `sources` in `added`."""

    text: str
    article: str | None = None
    added: str | None = None
    lines: tuple[int, ...] = ()


class Question(_Data):
    """One observable behaviour on one level of one dimension."""

    id: str
    dimension: str
    level: int
    principle: int
    placed_by: Literal["article", "ours"]
    text: str
    statements: tuple[Statement, ...]
    criteria: tuple[str, ...]
    evidence: str
    evidence_needed: str = "shown"
    measurable_from: tuple[str, ...] = ()
    enough: str | None = None
    below: Statement | None = None
    first: str
    effort: str


class Target(_Data):
    """A countable aim: `count` of `what`."""

    count: int
    what: str


class Step(_Data):
    """A starting point or a roadmap item, and the questions it advances."""

    text: str
    advances: tuple[str, ...] = ()
    target: Target | None = None


class Pain(_Data):
    """What hurts, and the part and starting points it leads to; `added` marks those of ours."""

    id: str
    pain: str
    part: int
    topic: str
    start: tuple[Step, ...]
    questions: tuple[str, ...]
    article: str | None = None
    added: str | None = None
    lines: tuple[int, ...] = ()


class Stage(_Data):
    """A stretch of the roadmap."""

    stage: str
    months: str
    promise: str
    lines: tuple[int, ...]
    items: tuple[Step, ...]


class Part(_Data):
    """A part of the series, with the other titles the article gives it."""

    part: int
    title: str
    also: tuple[str, ...] = ()


class _Parts(_Data):
    version: int
    parts: tuple[Part, ...]


class Model(_Data):
    """The maturity model: `data/playbook/maturity.yaml` says what each field means."""

    version: int
    levels: tuple[Level, ...]
    dimensions: tuple[Named, ...]
    answers: tuple[Named, ...]
    evidence_grades: tuple[Named, ...]
    cap: str
    gate: float
    agenda: dict[Literal["spread", "unsure"], float]
    efforts: tuple[str, ...]
    guard: str
    sources: dict[str, str]
    principles: tuple[Principle, ...]
    questions: tuple[Question, ...]
    pain_points: tuple[Pain, ...]
    roadmap: tuple[Stage, ...]

    def question(self, id: str) -> Question:
        """The question with this id; KeyError if there is none."""
        return {question.id: question for question in self.questions}[id]

    def values(self) -> dict[str, float]:
        """Answers that have a value, as ratios in [0, 1], in rising order."""
        return {answer.id: answer.value for answer in self.answers if answer.value is not None}


@cache
def load_model() -> Model:
    """The model of `data/playbook/maturity.yaml`.

    Examples
    --------
    >>> [level.name for level in load_model().levels]
    ['Chaos', 'Repeatable', 'Defined', 'Managed', 'Optimizing']
    """
    name = "maturity.yaml"
    return located.validate(Model, located.loads(playbook.text(name), name))


@cache
def load_parts() -> tuple[Part, ...]:
    """The parts of the series that pains lead to."""
    name = "parts.yaml"
    return located.validate(_Parts, located.loads(playbook.text(name), name)).parts


@dataclass(frozen=True)
class QuestionScore:
    """What the team answered: ratios `low` (whoever is unsure counts 0) to `high` (counts 1).

    `state` is answered, unsure (nobody knows), missing (nobody was asked) or na (not ours).
    """

    question: Question
    state: Literal["answered", "unsure", "missing", "na"]
    low: float
    high: float
    spread: float = 0.0
    unsure: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cell:
    """The questions of one dimension on one level; open when the gate is passed."""

    level: int
    dimension: str
    questions: tuple[QuestionScore, ...]
    low: float
    high: float
    opens_low: bool
    opens_high: bool


@dataclass(frozen=True)
class DimensionScore:
    """One dimension: `low`..`high` out of `top` levels with questions; `level` by the gate.

    `level` is the highest level that has a question here and is open with all below it;
    `empty` are the levels on which the model asks nothing.
    """

    dimension: Named
    low: float
    high: float
    top: int
    level: int
    empty: tuple[int, ...]


@dataclass(frozen=True)
class Score:
    """Where the team stands: `level`..`level_high` by the gate, `median`..`median_high` beside it.

    Levels are 0..4. They differ from their `_high` twin when somebody is unsure or nobody answered;
    the lower one is the level, so that "I do not know" never raises it. Dimensions weigh the same.
    `agenda` is what to talk about before any of it is shown; `missing` and `not_ours` are ids.
    """

    model: Model
    respondents: int
    strict: bool
    level: int
    level_high: int
    median: float
    median_high: float
    questions: tuple[QuestionScore, ...]
    cells: tuple[Cell, ...]
    dimensions: tuple[DimensionScore, ...]
    agenda: tuple[QuestionScore, ...]
    missing: tuple[str, ...]
    not_ours: tuple[str, ...]


def fields(raw: Any) -> Mapping[str, Any]:
    """An answer's fields, also when only the answer itself is given."""
    return raw if isinstance(raw, Mapping) else {"answer": raw}


def check(
    model: Model,
    answers: Answers,
    *,
    file: str = "assessment.yaml",
    at: located.Path = (),
    line: Line = lambda path: None,
) -> list[Problem]:
    """All mistakes in `answers`; `at` is their place in `file`, `line` finds a path's line."""
    found = []
    for path, message, fix in _mistakes(model, answers):
        whole = (*at, *path)
        found.append(Problem(file, line(whole), ".".join(map(str, whole)), message, fix))
    return found


def _mistakes(model: Model, answers: Answers) -> Iterator[tuple[located.Path, str, str]]:
    if not isinstance(answers, Mapping):
        yield (), "is not a list of people with their answers", "write `name: {C1: most}`"
        return
    ids = [question.id for question in model.questions]
    for person, given in answers.items():
        if not isinstance(given, Mapping):
            yield (person,), "has no answers", "write `C1: most` and so on below the name"
            continue
        for id, raw in given.items():
            if id not in ids:
                yield (person, id), "is not a question", _near(str(id), ids)
            else:
                for field, message, fix in _wrong(model, model.question(id), raw):
                    yield (person, id, *field), message, fix


def _wrong(
    model: Model, question: Question, raw: Any
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    given = fields(raw)
    known = {answer.id: answer for answer in model.answers}
    choice = given.get("answer")
    if not isinstance(choice, str) or choice not in known:
        yield ("answer",), f"is {choice!r}, not an answer", _near(str(choice), list(known))
    elif known[choice].needs_reason and not str(given.get("reason") or "").strip():
        yield ("answer",), f"is {choice} without a reason", "add `reason:`, who does it instead"
    grades = [grade.id for grade in model.evidence_grades]
    if given.get("evidence") not in (None, *grades):
        message = f"is {given['evidence']!r}, not a grade of evidence"
        yield ("evidence",), message, _near(str(given["evidence"]), grades)
    unmet = given.get("unmet") or ()
    count = len(question.criteria)
    if not isinstance(unmet, Sequence) or any(n not in range(1, count + 1) for n in unmet):
        yield ("unmet",), f"is {unmet!r}", f"list numbers of criteria, 1 to {count}: `unmet: [1]`"
    for name in set(given) - {"answer", "evidence", "reason", "unmet", "link"}:
        yield (str(name),), "is not a known field", "use answer, evidence, link, reason, unmet"


def _near(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"write {close[0]}" if close else f"use one of {', '.join(known)}"


def check_votes(
    model: Model,
    votes: Votes,
    *,
    file: str = "assessment.yaml",
    at: located.Path = (),
    line: Line = lambda path: None,
) -> list[Problem]:
    """All mistakes in `votes`, placed as `check` does."""
    ids, found = [pain.id for pain in model.pain_points], []
    for person, named in votes.items():
        chosen = [named] if isinstance(named, str) else named
        whole, field = (*at, person), ".".join(map(str, (*at, person)))
        if not isinstance(chosen, Sequence):
            fix = f"write one of {', '.join(ids)}, or several with the worst first"
            found.append(Problem(file, line(whole), field, f"is {named!r}, not a vote", fix))
            continue
        for id in chosen:
            if id not in ids:
                message, fix = f"votes for {id!r}, which is not a pain", _near(str(id), ids)
                found.append(Problem(file, line(whole), field, message, fix))
        if len({str(id) for id in chosen}) < len(chosen):
            message = "votes for the same pain twice"
            found.append(Problem(file, line(whole), field, message, "name each pain once"))
    return found


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
    for named in (votes or {}).values():
        for rank, id in enumerate([named] if isinstance(named, str) else named):
            people[id] += 1
            points[id] += len(model.pain_points) - rank
    counted = (Tally(pain, people[pain.id], points[pain.id]) for pain in model.pain_points)
    return tuple(sorted(counted, key=lambda t: (-t.people, -t.points)))
