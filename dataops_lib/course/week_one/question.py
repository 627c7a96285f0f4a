"""Questions with a checkable answer: what is right, and what each mistake shows.

load(text) -> parts with the words of their questions; Drawn(...) the numbers of one learner
Question(text, drawn or deed).judge(answer) -> Outcome
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from dataops_lib import yaml_lines
from dataops_lib.fields import Frozen

State = Literal["correct", "not yet", "not attempted", "no input"]

WORDS: Mapping[State, str] = {  # a sign and a word: nobody has to tell colours apart
    "correct": "✓ Correct",
    "not yet": "✗ Not yet",
    "not attempted": "○ Not attempted",
    "no input": "– No input",
}


class Misread(ValueError):
    """An answer of another kind than was asked for; the message says what to write instead."""


class NoInput(LookupError):
    """A question that this team's files do not allow; the message says what is missing."""


@dataclass(frozen=True)
class Outcome:
    """What became of one answer; `mistake` names the misconception that was recognised."""

    state: State
    message: str
    mistake: str = ""

    def __str__(self) -> str:
        return f"{WORDS[self.state]}. {self.message}"

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return f"**{WORDS[self.state]}.** {self.message}"


@dataclass(frozen=True)
class Kind:
    """How an answer is read, and when two of them are the same; `read` raises Misread."""

    read: Callable[[Any], Any]
    same: Callable[[Any, Any], bool] = lambda given, right: bool(given == right)


class Text(Frozen):
    """One question in words; `{names}` in them are filled in with the learner's numbers.

    `mistakes` holds what is said to each known wrong way; `hints` go from a nudge to the method.
    """

    asks: str  # which draw gives the numbers
    title: str
    ask: str
    why: str
    mistakes: Mapping[str, str] = Field(default_factory=dict)
    hints: tuple[str, ...]
    solution: str


class Part(Frozen):
    """A part of week one: its questions, and the minutes it takes."""

    title: str
    minutes: int
    questions: tuple[Text, ...]


class Course(Frozen):
    """The whole week_one.yaml."""

    parts: tuple[Part, ...]


def load(text: str, file: str = "week_one.yaml") -> tuple[Part, ...]:
    """The parts of a course; TeamError with all mistakes."""
    return yaml_lines.validate(Course, yaml_lines.loads(text, file)).parts


class AnyOf(tuple[Any, ...]):
    """Several wrong answers of one kind of mistake."""


@dataclass(frozen=True)
class Drawn:
    """One learner's numbers: the truth, what each mistake gives, and the values for the text."""

    kind: Kind
    truth: Any
    mistakes: Mapping[str, Any]
    given: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_clear(self) -> bool:
        """Whether every wrong answer differs from the right one and from the other wrong ones."""
        return len(self.cleared().mistakes) == len(self.mistakes)

    def cleared(self) -> Drawn:
        """Without mistakes that cannot be told from the truth, or from one before them."""
        kept: dict[str, Any] = {}
        for name, answers in self.mistakes.items():
            others = [self.truth, *(one for known in kept.values() for one in _each(known))]
            if not any(self._same(one, other) for one in _each(answers) for other in others):
                kept[name] = answers
        return replace(self, mistakes=kept)

    def _same(self, left: Any, other: Any) -> bool:
        return self.kind.same(self.kind.read(left), self.kind.read(other))

    def look(self, answer: Any) -> str | None:
        """The name of the mistake; "" if there is none, None if it is none of the known ones."""
        given = self.kind.read(answer)
        for name, known in {"": self.truth, **self.mistakes}.items():
            if any(self.kind.same(given, self.kind.read(one)) for one in _each(known)):
                return name
        return None


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, AnyOf) else (value,)


@dataclass(frozen=True)
class Deed:
    """Something to do; `look` gives the name of what went wrong, or "" when it is done."""

    look: Callable[[Any], str | None]
    given: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """A question of one learner: its words, and the numbers or the deed that it asks for."""

    text: Text
    asked: Drawn | Deed

    @property
    def given(self) -> Mapping[str, Any]:
        """What was drawn, for the learner's code."""
        return self.asked.given

    def words(self, text: str) -> str:
        """A text of the question in this learner's numbers."""
        return text.format_map({**self.asked.given, **self.asked.values})

    def judge(self, answer: Any) -> Outcome:
        """Judge an answer, or call it first when it is a function; never raises."""
        try:
            if callable(answer) and not isinstance(answer, type):
                answer = answer()
            if is_blank(answer):
                return Outcome("not attempted", "Replace `...` by your answer, then run the cell.")
            return self._judge(answer)
        except Misread as error:
            return Outcome("not yet", str(error))
        except Exception as error:  # whatever a learner's code raises is theirs to read, in words
            return Outcome("not yet", f"Your code raised {code(type(error).__name__, error)}.")

    def _judge(self, answer: Any) -> Outcome:
        mistake = self.asked.look(answer)
        if mistake == "":
            return Outcome("correct", self.words(self.text.why))
        if mistake is not None:
            return Outcome("not yet", self.words(self.text.mistakes[mistake]), mistake)
        assert isinstance(self.asked, Drawn)
        given = self.asked.kind.read(answer)
        if self.asked.kind in (RATIO, NUMBER) and given in _rounded(self.asked.truth):
            return Outcome("not yet", "You rounded too much. Close as it is, it will not do.")
        if self.asked.kind is NAMES:
            return Outcome("not yet", _overlap(given, self.asked.kind.read(self.asked.truth)))
        shown = answer if self.asked.kind is WORD else _shown(given)
        return Outcome("not yet", f"It is not {code(shown)}. Ask for a hint.")


def pick(candidates: Iterable[Any], build: Callable[[Any], Drawn]) -> Drawn:
    """The first draw whose mistakes can all be told apart, else the first without the others.

    Raises
    ------
    NoInput
        If there is no candidate.
    """
    first: Drawn | None = None
    for candidate in candidates:
        drawn = build(candidate)
        if drawn.is_clear:
            return drawn
        first = first or drawn
    if first is None:
        raise NoInput("nothing in the team's history fits this question")
    return first.cleared()


def is_blank(answer: Any) -> bool:
    """Whether nothing was answered: the placeholder `...`, None, or an empty text."""
    text = isinstance(answer, str) and answer.strip(" .") == ""
    return answer is None or answer is ... or text


def code(*parts: object) -> str:
    """Any text as inline code: one line, at most 200 characters, unable to end the code itself."""
    text = ": ".join(" ".join(str(part).split()) for part in parts).replace("`", "'")
    return f"`{text[:200]}`"


def _rounded(truth: float) -> set[float]:
    return {round(truth, digits) for digits in (0, 1, 2)}


def _shown(value: Any) -> str:
    return f"{value:%H:%M}" if isinstance(value, time) else str(value)


def _overlap(answer: frozenset[str], right: frozenset[str]) -> str:
    missing, extra = len(right - answer), len(answer - right)
    if not answer & right:
        return "None of these belongs here. Copy names as they are written where you found them."
    parts = [f"{len(answer & right)} of your {len(answer)} names belong here"]
    parts += [f"{missing} missing"] if missing else []
    parts += [f"{extra} too many"] if extra else []
    return f"{', '.join(parts)}."


def _number(answer: Any) -> float:
    if hasattr(answer, "to_numpy"):  # a frame or a column
        answer = answer.to_numpy()
    if getattr(answer, "size", 1) != 1:
        raise Misread(f"One number is asked for, not {answer.size} of them.")
    if hasattr(answer, "item"):
        answer = answer.item()
    if isinstance(answer, str):
        raise Misread(f"Write the number without quotes, not {code(repr(answer))}.")
    if isinstance(answer, bool) or not isinstance(answer, numbers.Real | Decimal):
        raise Misread(f"A number is asked for, not {_article(answer)}.")
    value = float(answer)
    if not math.isfinite(value):
        raise Misread("That is not a number: somewhere it was divided by zero, or data is missing.")
    return value


def _count(answer: Any) -> int:
    value = _number(answer)
    if value != round(value):
        raise Misread(f"A whole number is asked for, not {value:g}.")
    return int(value)


def _names(answer: Any) -> frozenset[str]:
    if isinstance(answer, str):
        answer = re.split(r"[,;]\s*", answer)
    if not isinstance(answer, Iterable) or isinstance(answer, Mapping | bytes):
        raise Misread(f'A list of names is asked for, such as ["a", "b"], not {_article(answer)}.')
    names = list(answer)
    if not all(isinstance(name, str) for name in names):
        raise Misread('Each name is a text in quotes: ["a", "b"].')
    return frozenset(name.strip().casefold() for name in names if name.strip())


def _clock(answer: Any) -> time:
    if isinstance(answer, datetime):
        answer = answer.time()
    if isinstance(answer, time):
        return answer.replace(second=0, microsecond=0, tzinfo=None)
    match = re.fullmatch(r"\s*(\d{1,2}):(\d{2})(:\d{2})?\s*", answer if type(answer) is str else "")
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        raise Misread('A time of the day is asked for, in quotes: "06:30".')
    return time(int(match[1]), int(match[2]))


def _day(answer: Any) -> date:
    if hasattr(answer, "to_numpy") and not isinstance(answer, datetime):
        answer = answer.to_numpy()
    if hasattr(answer, "astype") and getattr(answer, "size", 0) == 1:
        answer = str(answer.ravel()[0])[:10]
    if isinstance(answer, datetime):
        return answer.date()
    try:
        return answer if isinstance(answer, date) else date.fromisoformat(answer)
    except (TypeError, ValueError):
        raise Misread('A day is asked for, in quotes: "2013-02-14".') from None


def _word(answer: Any) -> str:
    if isinstance(answer, list | tuple) and len(answer) == 1:
        answer = answer[0]
    if not isinstance(answer, str):
        raise Misread(f"A text in quotes is asked for, not {_article(answer)}.")
    return answer.strip().casefold()


def _article(answer: Any) -> str:
    return f"a value of type {code(type(answer).__name__)}"


COUNT = Kind(_count)
RATIO = Kind(_number, lambda given, right: abs(given - right) <= 0.0006)  # three decimals will do
NUMBER = Kind(_number, lambda given, right: abs(given - right) <= 0.006)  # two decimals
NAMES = Kind(_names)
CLOCK = Kind(_clock)
DAY = Kind(_day)
WORD = Kind(_word)
