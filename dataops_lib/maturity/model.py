"""The maturity model as data, and the answers it accepts."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict

from dataops_lib import playbook, yaml_lines


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
    measured: dict[str, float]
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

    def answer_of(self, share: float) -> str:
        """The answer that a measured share of the work, a ratio in [0, 1], amounts to."""
        above = [answer for answer, least in self.measured.items() if share >= least]
        return above[0] if above else "some" if share > 0 else "none"


@cache
def load_model() -> Model:
    """The model of `data/playbook/maturity.yaml`.

    Examples
    --------
    >>> [level.name for level in load_model().levels]
    ['Chaos', 'Repeatable', 'Defined', 'Managed', 'Optimizing']
    """
    name = "maturity.yaml"
    return yaml_lines.validate(Model, yaml_lines.loads(playbook.text(name), name))


@cache
def load_parts() -> tuple[Part, ...]:
    """The parts of the series that pains lead to."""
    name = "parts.yaml"
    return yaml_lines.validate(_Parts, yaml_lines.loads(playbook.text(name), name)).parts
