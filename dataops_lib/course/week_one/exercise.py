"""The first week of a new colleague as questions that check themselves.

    ex = week_one.start(learner="ana")
    ex.q1.show(), ex.q1.check(answer), ex.q1.hint(), ex.q1.solution()
    ex.progress(), ex.summary()

Numbers are drawn by the learner's name; the truth is computed from the same data. Nothing is sent
anywhere: progress is one JSON file in the learner's own folder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from dataops_lib import files, playbook, teams
from dataops_lib.course.week_one import about_budget, about_team, question
from dataops_lib.course.week_one.desk import Desk, Said
from dataops_lib.course.week_one.learner import Place, read_only
from dataops_lib.course.week_one.question import (
    WORDS,
    NoInput,
    Outcome,
    Question,
    State,
    Text,
    code,
)
from dataops_lib.errors import DataError
from dataops_lib.evidence import Observed
from dataops_lib.teams import folders

FOLDER = files.HOME / "learners"
TASKS = ("which_check", "repaired", "good_day", "bad_day")
BUDGET = ("expected", "ratio", "budget_runs", "budget_left", "what_it_allows")


@dataclass
class Tried:
    """What a learner did with one question so far."""

    state: State = "not attempted"
    attempts: int = 0
    hints: int = 0
    solution: bool = False
    mistakes: list[str] = field(default_factory=list)


class Asked:
    """One question as the learner meets it."""

    def __init__(self, exercise: Exercise, name: str, text: Text) -> None:
        self._exercise, self._name, self._text = exercise, name, text

    @cached_property
    def _question(self) -> Question:
        return self._exercise.draw(self._text)

    @property
    def given(self) -> Mapping[str, Any]:
        """What was drawn for this learner, to be used in code."""
        return dict(self._question.given) if self._open else {}

    @cached_property
    def _open(self) -> bool:
        return self._exercise.why_not(self._text) is None

    def show(self) -> Said:
        """The question, in this learner's numbers."""
        title = f"**{self._name.upper()}. {self._text.title}**"
        if not self._open:
            return Said(f"{title}\n\n{self._no_input}")
        return Said(f"{title}\n\n{self._question.words(self._text.ask)}")

    def check(self, answer: Any = ...) -> Outcome:
        """Judge an answer, or a function that gives it; never raises, always says what to do."""
        if not self._open:
            return self._no_input
        outcome = self._question.judge(answer)
        self._exercise.note(self._name, outcome)
        return outcome

    def hint(self) -> Said:
        """The next hint; each is more of a help than the one before."""
        if not self._open:
            return Said(self._no_input)
        hints, tried = self._text.hints, self._exercise.tried(self._name)
        number = min(tried.hints, len(hints) - 1)
        tried.hints = number + 1
        self._exercise.save()
        more = (
            "" if number + 1 < len(hints) else f" That was the last; `ex.{self._name}.solution()`"
        )
        text = self._question.words(hints[number])
        return Said(f"**Hint {number + 1} of {len(hints)}.** {text}{more}")

    def solution(self) -> Said:
        """How it is done, in this learner's numbers."""
        if not self._open:
            return Said(self._no_input)
        self._exercise.tried(self._name).solution = True
        self._exercise.save()
        return Said(f"**Solution.** {self._question.words(self._text.solution)}")

    @property
    def _no_input(self) -> Outcome:
        why = self._exercise.why_not(self._text)
        return Outcome("no input", f"This question {why}. It does not count.")

    def __repr__(self) -> str:
        return f"{self._name}: {self._text.title}"


class Exercise(Desk):
    """Week one of one learner on one team; see `week_one`."""

    def __init__(self, place: Place, path: Path | None) -> None:
        super().__init__(place)
        self._path = path
        self._drawn: dict[str, question.Drawn | question.Deed | NoInput] = {}
        self._parts = _parts()
        texts = [text for part in self._parts for text in part.questions]
        self.questions = {
            f"q{number}": Asked(self, f"q{number}", text) for number, text in enumerate(texts, 1)
        }
        self._tried = _read(path) if path else {}

    def __getattr__(self, name: str) -> Any:
        questions = self.__dict__.get("questions", {})
        if name in questions:
            return questions[name]
        raise AttributeError(f"there is no {name}; questions are q1 to q{len(questions)}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.questions]

    # -- how far it is

    def draw(self, text: Text) -> Question:
        """A question with this learner's numbers; NoInput where the team's files lack it."""
        if text.asks not in self._drawn:
            try:
                self._draw(text.asks)
            except NoInput as why:
                self._drawn[text.asks] = why
        drawn = self._drawn[text.asks]
        if isinstance(drawn, NoInput):
            raise drawn
        return Question(text, drawn)

    def _draw(self, name: str) -> None:
        if name in BUDGET:
            self._drawn |= about_budget.draw(self._place)
        else:
            source: Any = self._practice if name in TASKS else about_team
            find: Callable[..., Any] = getattr(source, name)
            self._drawn[name] = find() if name in TASKS else find(self._place)

    def why_not(self, text: Text) -> str | None:
        """What is missing for a question; None when it can be asked."""
        try:
            self.draw(text)
        except NoInput as why:
            return str(why)
        return None

    def tried(self, name: str) -> Tried:
        """What the learner did with a question."""
        return self._tried.setdefault(name, Tried())

    def note(self, name: str, outcome: Outcome) -> None:
        """Keep what became of an answer; what was right once stays right."""
        if outcome.state == "not attempted":
            return
        tried = self.tried(name)
        tried.attempts += tried.state != "correct"
        if outcome.mistake and outcome.mistake not in tried.mistakes:
            tried.mistakes.append(outcome.mistake)
        tried.state = "correct" if "correct" in (tried.state, outcome.state) else outcome.state
        self.save()

    def save(self) -> None:
        """Write progress to the learner's folder, if it is kept."""
        if self._path:
            kept = {name: asdict(tried) for name, tried in self._tried.items()}
            self._path.parent.mkdir(parents=True, exist_ok=True)
            files.write(self._path, json.dumps(kept, indent=2) + "\n")

    def state(self, name: str) -> State:
        """How a question stands."""
        question = self.questions[name]
        return self.tried(name).state if question._open else "no input"

    def progress(self) -> Said:
        """How far the learner is, part by part."""
        states = {name: self.state(name) for name in self.questions}
        possible = [state for state in states.values() if state != "no input"]
        done = possible.count("correct")
        share = f" ({done / len(possible):.0%})" if possible else ""
        lines = [f"**{done} of {len(possible)} answered correctly{share}**", ""]
        names = iter(self.questions)
        for part in self._parts:
            lines.append(f"- {part.title} (about {part.minutes} minutes)")
            for text, name in zip(part.questions, names, strict=False):
                lines.append(f"    - {WORDS[states[name]]}: {name.upper()} {text.title}")
        return Said("\n".join(lines))

    def summary(self) -> Said:
        """For the mentor, in Markdown: how each answered went, and what was misunderstood."""
        team, learner = self.team, self._place.learner
        rows = ["| question | state | attempts | hints | solution read | met on the way |"]
        rows.append("|---|---|---|---|---|---|")
        for name, answered in self.questions.items():
            tried = self.tried(name)
            met = ", ".join(tried.mistakes) or "-"
            solved = "yes" if tried.solution else "no"
            rows.append(
                f"| {name.upper()} {answered._text.title} | {WORDS[self.state(name)]} | "
                f"{tried.attempts} | {tried.hints} | {solved} | {met} |"
            )
        head = f"## Week one of {learner}, team {code(team.title)}, data up to {team.as_of}"
        return Said("\n".join([head, "", str(self.progress()).split("\n")[0], "", *rows]))

    def __repr__(self) -> str:
        return f"week one of {self._place.learner} on team {self.team.name}"


def start(
    learner: str,
    *,
    team: str = "flights",
    as_of: str | date | None = None,
    root: Path | str | None = None,
    folder: Path | str | None = None,
) -> Exercise:
    """The questions of week one for one learner.

    Parameters
    ----------
    learner : str
        A name in lower-case letters and digits, joined by - or _; it draws the numbers.
    team, as_of, root
        As for `teams.load`.
    folder : path, optional
        Where progress is kept; default: learners/<learner> of the clone; "" keeps none.

    Raises
    ------
    UsageError
        If the name cannot be a folder, or there is no such team.
    DataError
        If the progress file cannot be read.
    """
    folders.checked_name(learner, "learner's")
    loaded = read_only(teams.load(team, as_of=as_of, root=root))
    home = FOLDER / learner if folder is None else folder
    name = f"progress-{loaded.name}-{loaded.as_of}.json"
    path = Path(home).expanduser().resolve() / name if str(home) else None
    speak_plainly()
    return Exercise(Place(learner, Observed(loaded)), path)


@cache
def _parts() -> tuple[question.Part, ...]:
    return question.load(playbook.text("week_one.yaml"))


def _read(path: Path) -> dict[str, Tried]:
    try:
        progress = json.loads(path.read_text(encoding="utf-8"))
        return {name: Tried(**tried) for name, tried in progress.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path} cannot be read ({error}); move it away to start anew") from None


def speak_plainly() -> None:
    """In a notebook, errors of a learner's cell become one sentence; `%tb` still shows all."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None:
        shell.set_custom_exc((Exception,), _one_sentence)


def _one_sentence(shell: Any, kind: type, error: Exception, trace: Any, **_: Any) -> list[str]:
    while trace.tb_next and trace.tb_next.tb_frame.f_code.co_filename.find("ipykernel") >= 0:
        trace = trace.tb_next
    where = f"line {trace.tb_lineno}" if trace else "an unknown line"
    sentences = [
        f"This cell stopped in {where}. {kind.__name__}: {error}",
        "(%tb shows the whole trace)",
    ]
    shell._showtraceback(kind, error, sentences)
    return sentences
