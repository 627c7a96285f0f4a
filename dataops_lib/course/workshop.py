"""A workshop's answers: one form, one file a person, one assessment of the team."""

from __future__ import annotations

import csv
import io
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from dataops_lib import files, maturity
from dataops_lib.errors import DataError, Problem, TeamError, UsageError
from dataops_lib.maturity import answers as maturity_answers
from dataops_lib.maturity.model import Model, Question
from dataops_lib.teams import reader

NOTE = ".note"  # the field beside a question: what shows it, or who does it instead
PAINS = ("pain1", "pain2", "pain3")
LONGEST_NAME, LONGEST_NOTE = 30, 300  # characters; a line on a sheet of paper
MOST_PEOPLE = 60  # more is no workshop, and a link that went too far
LARGEST_CSV = 1_000_000  # bytes


@dataclass(frozen=True)
class Sheet:
    """What one person answered: question id -> answer with its fields; pains, the worst first."""

    person: str
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    votes: tuple[str, ...] = ()

    def is_done(self, model: Model) -> bool:
        """Whether every question has an answer."""
        return len(self.answers) == len(model.questions)

    def values(self) -> dict[str, str]:
        """The sheet as the form shows it: field -> text."""
        shown = {"person": self.person, **dict(zip(PAINS, self.votes, strict=False))}
        for question, reply in self.answers.items():
            shown[question] = reply["answer"]
            shown[question + NOTE] = reply.get("reason") or reply.get("link") or ""
        return shown


def fields(model: Model) -> list[str]:
    """The form's fields in order: of the page, of the notebook's values and of the CSV's columns.

    Examples
    --------
    >>> fields(maturity.load_model())[:3]
    ['person', 'C1', 'C1.note']
    """
    pairs = [name for q in model.questions for name in (q.id, q.id + NOTE)]
    return ["person", *pairs, *PAINS]


def filled(model: Model, before: Sheet, values: Mapping[str, str]) -> tuple[Sheet, list[str]]:
    """`before` with the form's `values`, and a sentence for each that was refused.

    What is right is kept although something beside it is wrong. A question without an answer among
    the values stays as it was; the pains are replaced as soon as one of their fields is there.
    """
    replies, refusals = dict(before.answers), []
    for name in sorted(set(values) - set(fields(model))):
        refusals.append(f"{name[:40]!r} is not a field of the form; leave it out.")
    for question in model.questions:
        choice = values.get(question.id, "").strip()
        note = " ".join(values.get(question.id + NOTE, "").split())
        if not choice:
            if note and question.id not in replies:
                refusals.append(f"{question.id}: there is a line but no answer; choose one.")
            continue
        if refusal := _refusal(model, question, choice, note):
            refusals.append(refusal)
        else:
            replies[question.id] = _reply(choice, note)
    votes = before.votes
    if set(PAINS) & set(values):
        chosen = [pain for name in PAINS if (pain := values.get(name, "").strip())]
        problems = maturity_answers.check_votes(model, {before.person: chosen})
        refusals += [f"Pains: {problem.message}; {problem.fix}." for problem in problems]
        votes = votes if problems else tuple(chosen)
    ordered = {q.id: replies[q.id] for q in model.questions if q.id in replies}
    return Sheet(before.person, ordered, votes), refusals


def _refusal(model: Model, question: Question, choice: str, note: str) -> str:
    scale = {answer.id: answer for answer in model.answers}
    if choice not in scale:
        return f"{question.id}: {choice[:40]!r} is not an answer; use one of {', '.join(scale)}."
    if not _is_line(note, LONGEST_NOTE):
        return f"{question.id}: the line is not plain text of at most {LONGEST_NOTE} characters."
    if scale[choice].needs_reason and not note:
        return f"{question.id}: not ours to do? Write in the line below who does it instead."
    return ""


def _reply(choice: str, note: str) -> dict[str, str]:
    if choice == "na":
        return {"answer": choice, "reason": note}
    return {"answer": choice, "evidence": "shown", "link": note} if note else {"answer": choice}


def _is_line(text: str, longest: int) -> bool:
    return len(text) <= longest and text.isprintable()


def checked_name(name: str) -> str:
    """A pseudonym as it is kept.

    Raises
    ------
    UsageError
        If it is empty, too long or no plain text.
    """
    name = " ".join(name.split())
    if not name or not _is_line(name, LONGEST_NAME):
        raise UsageError(
            f"A name has 1 to {LONGEST_NAME} plain characters; any word will do, not your own name."
        )
    return name


class Workshop:
    """One workshop's folder: a file a person, and a file with the links and whether to reveal."""

    def __init__(self, folder: Path, model: Model | None = None) -> None:
        self.folder, self.model = folder, model or maturity.load_model()
        self.people = folder / "people"
        self._file = folder / "workshop.json"
        try:
            self.people.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)  # what people said is nobody else's business on this machine
            if not self._file.exists():
                self._keep(secrets.token_urlsafe(9), secrets.token_urlsafe(18), revealed=False)
            state = json.loads(self._file.read_text(encoding="utf-8"))
            self.token, self.facilitator = str(state["token"]), str(state["facilitator"])
            self.revealed = bool(state["revealed"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self._file}: is not as it was written; remove it") from error

    def _keep(self, token: str, facilitator: str, *, revealed: bool) -> None:
        state = {"token": token, "facilitator": facilitator, "revealed": revealed}
        files.write(self._file, json.dumps(state, indent=1))

    def reveal(self, shown: bool = True) -> None:
        """Show the result to everybody and take no more answers, or go back to answering."""
        self._keep(self.token, self.facilitator, revealed=shown)
        self.revealed = shown

    def sheets(self) -> dict[str, Sheet]:
        """Every person's sheet by its random id."""
        paths = sorted(self.people.glob("*.json"))
        return {path.stem: self._read(path) for path in paths if is_id(path.stem)}

    def sheet(self, id: str) -> Sheet | None:
        """The sheet with this id; None if nobody has it."""
        path = self.people / f"{id}.json"
        return self._read(path) if is_id(id) and path.is_file() else None

    def _read(self, path: Path) -> Sheet:
        try:
            values = json.loads(files.contents(path, within=self.people, limit=LARGEST_CSV))
            own = Sheet(values["person"], values["answers"], tuple(values["votes"]))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: is not as it was written; move it away") from error
        problems = maturity_answers.check(self.model, {own.person: own.answers}, file=path.name)
        problems += maturity_answers.check_votes(self.model, {own.person: own.votes})
        if problems:
            raise TeamError(problems)
        return own

    def join(self, name: str) -> str:
        """Begin a sheet under a pseudonym and return its random id.

        Raises
        ------
        UsageError
            If the name is no name or taken, the room is full, or the result is shown already.
        """
        name, sheets = checked_name(name), self.sheets()
        if self.revealed:
            raise UsageError("The result is shown already; ask the facilitator to open it again.")
        if name.casefold() in {sheet.person.casefold() for sheet in sheets.values()}:
            raise UsageError(
                f"Somebody here is called {name} already. If that is you, go back to your own page;"
                " else choose another word."
            )
        if len(sheets) >= MOST_PEOPLE:
            raise UsageError(f"{MOST_PEOPLE} people are in already; ask the facilitator.")
        id = secrets.token_urlsafe(16)
        self._write(id, Sheet(name))
        return id

    def save(self, id: str, values: Mapping[str, str]) -> list[str]:
        """Keep what is right among `values`; a sentence for each that was refused.

        Raises
        ------
        UsageError
            If nobody has this id, or the result is shown already.
        """
        if (before := self.sheet(id)) is None:
            raise UsageError("Nobody began this page; open the link of the workshop again.")
        if self.revealed:
            raise UsageError("The result is shown, so answers are closed; ask the facilitator.")
        after, refusals = filled(self.model, before, values)
        self._write(id, after)
        return refusals

    def answer(self, person: str, **values: str) -> list[str]:
        """Answers typed in a notebook or from paper: the person's sheet is begun or continued."""
        ids = {sheet.person.casefold(): id for id, sheet in self.sheets().items()}
        id = ids.get(checked_name(person).casefold()) or self.join(person)
        return self.save(id, values)

    def _write(self, id: str, sheet: Sheet) -> None:
        text = json.dumps(asdict(sheet), ensure_ascii=False, indent=1)
        files.write(self.people / f"{id}.json", text)

    def done(self) -> tuple[int, int]:
        """How many have answered everything, of how many people."""
        sheets = self.sheets().values()
        return sum(sheet.is_done(self.model) for sheet in sheets), len(sheets)


def is_id(text: str) -> bool:
    """Whether a text can be a person's id."""
    return re.fullmatch(r"[A-Za-z0-9_-]{22}", text) is not None


def take_csv(workshop: Workshop, path: Path) -> int:
    """Type in a pile of paper sheets: one row a person, columns as `fields` names them.

    Returns how many people's sheets were taken. Nothing is taken when something is wrong.

    Raises
    ------
    TeamError
        With every mistake by line and column.
    """
    try:
        text = files.contents(path, within=path.parent, limit=LARGEST_CSV).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"{path}: cannot be read: {why}") from error
    rows = csv.DictReader(io.StringIO(text))
    if problems := list(_mistakes(workshop.model, path.name, rows)):
        raise TeamError(problems)
    people = list(csv.DictReader(io.StringIO(text)))
    for row in people:
        workshop.answer(row.pop("person"), **{k: v for k, v in row.items() if v.strip()})
    return len(people)


def _mistakes(model: Model, file: str, rows: csv.DictReader[str]) -> Iterator[Problem]:
    columns = rows.fieldnames or ()
    if missing := [name for name in ("person",) if name not in columns]:
        yield Problem(file, 1, missing[0], "is missing", "keep the first line that --paper wrote")
        return
    for name in sorted(set(columns) - set(fields(model))):
        yield Problem(file, 1, name, "is not a column", "keep the first line that --paper wrote")
    names: set[str] = set()
    for row in rows:
        line = rows.line_num
        if None in row or None in row.values():
            fix = f"write {len(columns)} of them; text with commas stands in quotes"
            yield Problem(file, line, "", "has too few or too many columns", fix)
            continue
        try:
            name = checked_name(row.pop("person"))
        except UsageError as error:
            yield Problem(file, line, "person", "is no name", str(error).rstrip("."))
            continue
        if name.casefold() in names:
            yield Problem(file, line, "person", "stands twice", "write one row a person")
        names.add(name.casefold())
        known = {key: value for key, value in row.items() if key in fields(model)}
        for sentence in filled(model, Sheet(name), known)[1]:
            item, _, message = sentence.rstrip(".").partition(": ")
            yield Problem(file, line, item, message, "compare with the sheet of paper")


def assessment(workshop: Workshop, day: date) -> str:
    """The text of `assessment.yaml`: people by name, so that the order of arrival tells nothing.

    Raises
    ------
    DataError
        If nobody has answered anything.
    """
    sheets = sorted(workshop.sheets().values(), key=lambda sheet: sheet.person.casefold())
    sheets = [sheet for sheet in sheets if sheet.answers or sheet.votes]
    if not sheets:
        raise DataError("nobody has answered anything yet")
    values = {
        "note": "Answered in a workshop, each for themselves; the names are pseudonyms.",
        "asked_on": day,
        "answers": {
            sheet.person: {
                question: reply["answer"] if set(reply) == {"answer"} else dict(reply)
                for question, reply in sheet.answers.items()
            }
            for sheet in sheets
        },
        "votes": {sheet.person: list(sheet.votes) for sheet in sheets if sheet.votes},
    }
    text = str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100))
    reader.assessment(text, "assessment.yaml")
    return text


def merge(workshop: Workshop, team: Path, day: date) -> Path:
    """Write the team's `assessment.yaml`; the earlier one moves to `assessments/<its date>.yaml`.

    The same answers merged again change nothing.
    """
    text, path = assessment(workshop, day), team / "assessment.yaml"
    if path.is_file() and (earlier := path.read_text(encoding="utf-8")) != text:
        asked = reader.assessment(earlier, path.name).asked_on
        history = team / "assessments"
        history.mkdir(exist_ok=True)
        name = asked.isoformat() if asked else "undated"
        taken = len(list(history.glob(f"{name}*.yaml")))
        files.write(history / f"{name}{f'-{taken + 1}' if taken else ''}.yaml", earlier)
    return files.write(path, text)
