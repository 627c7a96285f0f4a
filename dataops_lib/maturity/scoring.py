"""How mature a way of working is: median over respondents, and a gate."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dataops_lib.errors import TeamError
from dataops_lib.maturity.answers import Answers, check, fields
from dataops_lib.maturity.model import Model, Named, Question


def score(
    model: Model,
    answers: Answers,
    *,
    strict: bool = False,
    measured: Mapping[str, Measured] | None = None,
) -> Score:
    """Score a team's answers by median over respondents and a gate over level x dimension.

    Parameters
    ----------
    answers
        Respondent -> question id -> answer id, or a mapping with `answer` and, if wanted,
        `evidence` (a grade), `unmet` (numbers of criteria that do not hold: the answer then
        counts none), `reason` (needed for `na`) and `link`.
    strict
        Count what is proved: answers to a question for which nobody gave the evidence that it
        asks for count at most `half`. Evidence that one person shows is shown for all.
    measured
        Question id -> what the team's own files prove. No claim counts for more than that, and
        a question that nobody answered is answered by it.

    Raises
    ------
    TeamError
        With every mistake in the answers at once.

    Examples
    --------
    >>> from dataops_lib.maturity.model import load_model
    >>> model = load_model()
    >>> basics = {q.id: "most" for q in model.questions if q.level == 1}
    >>> score(model, {"ana": basics}).level
    1
    >>> score(model, {"ana": basics}, strict=True).level
    0
    """
    if problems := check(model, answers):
        raise TeamError(problems)
    proofs = measured or {}
    questions = tuple(
        _question_score(model, question, answers, strict, proofs.get(question.id))
        for question in model.questions
    )
    cells = tuple(_cells(model, questions))
    dimensions = tuple(_dimension_score(model, d, cells) for d in model.dimensions)
    scored = [d for d in dimensions if d.top]
    top, agenda = len(model.levels) - 1, model.agenda
    return Score(
        model=model,
        respondents=len(answers),
        strict=strict,
        level=_team_level(model, cells, lambda cell: cell.opens_low),
        level_high=_team_level(model, cells, lambda cell: cell.opens_high),
        median=statistics.median([d.low / d.top for d in scored] or [0.0]) * top,
        median_high=statistics.median([d.high / d.top for d in scored] or [0.0]) * top,
        questions=questions,
        cells=cells,
        dimensions=dimensions,
        agenda=tuple(
            q for q in questions if q.spread >= agenda["spread"] or q.unsure >= agenda["unsure"]
        ),
        missing=tuple(q.question.id for q in questions if q.state == "missing"),
        not_ours=tuple(q.question.id for q in questions if q.state == "na"),
    )


def _question_score(
    model: Model,
    question: Question,
    answers: Answers,
    strict: bool,
    proof: Measured | None,
) -> QuestionScore:
    replies = [fields(own[question.id]) for own in answers.values() if question.id in own]
    ours = [reply for reply in replies if reply["answer"] != "na"]
    ceiling = model.values()[model.answer_of(proof.share)] if proof else 1.0
    if not ours and proof and not replies:
        note = f"nobody answered; measured: {proof.evidence}"
        return QuestionScore(question, "measured", ceiling, ceiling, notes=(note,), measured=proof)
    if not ours:
        return QuestionScore(question, "na" if replies else "missing", 0.0, 1.0, measured=proof)
    sure = [reply for reply in ours if reply["answer"] != "unsure"]
    claims = [_claim(model, reply) for reply in sure]
    if strict and not _is_proved(model, question, sure, proof):
        ceiling = min(ceiling, model.values()[model.cap])
    values = [min(claim, ceiling) for claim in claims]
    unsure = len(ours) - len(sure)
    broken = sorted({number for reply in sure for number in reply.get("unmet") or ()})
    notes = [f"counts none: {question.criteria[number - 1]} does not hold" for number in broken]
    if values != claims and proof and proof.share < 1.0:
        notes.append(f"measured: {proof.evidence}")
    elif values != claims:
        notes.append(f"counts less without evidence: {question.evidence}")
    return QuestionScore(
        question,
        "answered" if sure else "unsure",
        low=statistics.median(values + [0.0] * unsure),
        high=statistics.median(values + [min(1.0, ceiling)] * unsure),
        spread=max(claims) - min(claims) if claims else 0.0,
        unsure=unsure / len(ours),
        claimed=statistics.median(claims) if claims else 0.0,
        notes=tuple(notes),
        measured=proof,
    )


def _claim(model: Model, reply: Mapping[str, Any]) -> float:
    return 0.0 if reply.get("unmet") else model.values()[reply["answer"]]


def _is_proved(
    model: Model, question: Question, replies: Sequence[Mapping[str, Any]], proof: Measured | None
) -> bool:
    """Whether somebody, or the team's files, gave the grade of evidence that is asked for."""
    if proof:
        return True
    grades = [grade.id for grade in model.evidence_grades]
    best = max((grades.index(reply.get("evidence") or grades[0]) for reply in replies), default=0)
    return best >= grades.index(question.evidence_needed)


def _reached(model: Model, question: Question, value: float) -> float:
    """Share of what the gate asks for: `some` is all of it where the article says "beginning"."""
    return min(1.0, value / model.values()[question.enough]) if question.enough else value


def _opens(model: Model, values: Sequence[tuple[Question, float]]) -> bool:
    reached = [_reached(model, question, value) for question, value in values]
    open_enough = sum(reached) >= model.gate * len(reached)
    return open_enough and all(
        share >= 1.0 for share, (q, _) in zip(reached, values, strict=True) if q.enough
    )


def _cells(model: Model, scores: Sequence[QuestionScore]) -> Iterator[Cell]:
    for level, dimension in itertools.product(model.levels, model.dimensions):
        inside = tuple(
            s
            for s in scores
            if (s.question.level, s.question.dimension) == (level.id, dimension.id)
            and s.state != "na"
        )
        if inside:
            yield Cell(
                level.id,
                dimension.id,
                inside,
                low=statistics.fmean(s.low for s in inside),
                high=statistics.fmean(s.high for s in inside),
                opens_low=_opens(model, [(s.question, s.low) for s in inside]),
                opens_high=_opens(model, [(s.question, s.high) for s in inside]),
            )


def _team_level(model: Model, cells: Sequence[Cell], opens: Callable[[Cell], bool]) -> int:
    """Highest level with everything open up to it; a level on which nothing is asked stops."""
    reached = 0
    for level in (level.id for level in model.levels if level.id):
        here = [cell for cell in cells if cell.level == level]
        if not here or not all(opens(cell) for cell in here):
            break
        reached = level
    return reached


def _dimension_score(model: Model, dimension: Named, cells: Sequence[Cell]) -> DimensionScore:
    own = [cell for cell in cells if cell.dimension == dimension.id]
    passed = itertools.takewhile(lambda cell: cell.opens_low, own)
    asked = {cell.level for cell in own}
    return DimensionScore(
        dimension,
        low=sum(cell.low for cell in own),
        high=sum(cell.high for cell in own),
        top=len(own),
        level=max((cell.level for cell in passed), default=0),
        empty=tuple(level.id for level in model.levels if level.id and level.id not in asked),
    )


@dataclass(frozen=True)
class Measured:
    """What a team's own files prove of a question.

    `share` is the ratio in [0, 1] of its work for which the question holds; `evidence` says what
    was counted.
    """

    share: float
    evidence: str


@dataclass(frozen=True)
class QuestionScore:
    """What the team answered: ratios `low` (whoever is unsure counts 0) to `high` (counts 1).

    `state` is answered, unsure (nobody knows), measured (nobody answered, and files tell), missing
    (neither) or na (not ours). `claimed` is the median of what people said, proved or not.
    """

    question: Question
    state: Literal["answered", "unsure", "measured", "missing", "na"]
    low: float
    high: float
    spread: float = 0.0
    unsure: float = 0.0
    claimed: float = 0.0
    notes: tuple[str, ...] = ()
    measured: Measured | None = None


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
