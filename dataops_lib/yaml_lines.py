"""YAML that remembers the line of every value, and models checked against it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.constructor import ConstructorError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError

from dataops_lib.errors import Problem, TeamError

Path = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)
MAX_CHARACTERS = 1_000_000  # a person wrote it; more takes minutes to read
MAX_NODES = 60_000  # keys and values as written: about 10 s of reading
MAX_VALUES = 100_000  # aliases can multiply a few lines into more than fits in memory
MAX_DEPTH = 60  # values inside of values
MAX_NUMBER = 10**18  # more than any count of rows, bytes or seconds


@dataclass(frozen=True)
class Located:
    """Plain values of one YAML file and the line (1-based) on which each of them stands."""

    file: str
    data: Any
    lines: Mapping[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int | None:
        """Line of the value at `path`, or of its nearest parent that is written in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def problem(self, path: Path, message: str, fix: str) -> Problem:
        """A problem at the place of `path`."""
        return Problem(self.file, self.line(path), ".".join(map(str, path)), message, fix)


def loads(text: str, file: str) -> Located:
    """Read one YAML document; `file` is the name that errors show.

    Raises
    ------
    TeamError
        If the text is not YAML, is huge, or a key stands twice in one mapping. No value of the
        text is ever part of the message: it could be a password.

    Examples
    --------
    >>> loads("a:\\n  - b: 1\\n", "x.yaml").line(("a", 0, "b"))
    2
    """
    if len(text) > MAX_CHARACTERS:
        message = f"has {len(text):,} characters, the limit is {MAX_CHARACTERS:,}"
        raise TeamError([Problem(file, None, "", message, "keep data out of YAML files")])
    try:
        _check_size(text, file)
        node = _reader().load(text)
        values = _Values(file)
        data = values.plain(node, (), None)
    except (MarkedYAMLError, yaml.MarkedYAMLError) as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        message = re.split(r" with value |(?<=alias) |\n", error.problem or "is not YAML")[0]
        fix = "compare the indentation, quotes and repeated keys around this line with the template"
        raise TeamError([Problem(file, line, "", message, fix)]) from None
    except TeamError:
        raise
    except Exception as error:  # ruamel lets through whatever a tag or the nesting raises
        message = f"cannot be read as YAML ({type(error).__name__})"
        fix = "correct tags, and characters that are no text"
        raise TeamError([Problem(file, None, "", message, fix)]) from None
    if values.problems:
        raise TeamError(values.problems)
    return Located(file, data, values.lines)


class _Constructor(RoundTripConstructor):
    """Says where the date or number stands that cannot be one."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError):
            message = "is not a date or number that exists"
            raise ConstructorError(None, None, message, node.start_mark) from None


def _reader() -> YAML:
    reader = YAML(typ="rt")
    reader.Constructor = _Constructor
    return reader


def _check_size(text: str, file: str) -> None:
    """Refuse what would take long to read, with a parser in C that counts and keeps nothing."""
    depth = 0
    halves = re.sub(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}", r"\\u0041", text)  # as JSON writes emoji
    for number, event in enumerate(yaml.parse(halves, Loader=yaml.CLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or number > MAX_NODES:
            limit = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_NODES:,} values"
            fix = "close brackets and write lists flat; keep data out of YAML files"
            line = event.start_mark.line + 1
            raise TeamError([Problem(file, line, "", f"has more than {limit}", fix)])


class _Values:
    """Plain values of a document, their lines, and what in it is out of bounds."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self.characters = 0
        self.count = 0

    def plain(self, node: Any, path: Path, line: int | None) -> Any:
        """`node` without ruamel's classes; a value that is out of bounds becomes None."""
        self.count += 1
        if isinstance(node, TaggedScalar):
            node = node.value
        if isinstance(node, str):
            self.characters += len(node)
        if self.count > MAX_VALUES or self.characters > 2 * MAX_CHARACTERS:
            fix = "write lists out instead of repeating them by alias"
            message = f"has {MAX_VALUES:,} values or more, or texts too long, once aliases are read"
            raise TeamError([Problem(self.file, line, "", message, fix)])
        if isinstance(node, str):  # "\ud83d\ude00" is one character that JSON wrote as two
            return str(node).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if isinstance(node, CommentedMap):
            own = node.lc.data or {}  # not so for what `<<` merged in
            return {
                str(key): self._at((*path, str(key)), value, node.lc.key(key)[0] + 1)
                if key in own
                else self.plain(value, (*path, str(key)), line)
                for key, value in node.items()
            }
        if isinstance(node, CommentedSeq):
            places = range(len(node))
            return [self._at((*path, n), node[n], node.lc.item(n)[0] + 1) for n in places]
        for kind in (bool, int, float):  # ruamel's scalars are subclasses that keep their format
            if isinstance(node, kind):
                return self._number(kind(node), path, line)
        return node

    def _at(self, path: Path, value: Any, line: int) -> Any:
        self.lines[path] = line
        return self.plain(value, path, line)

    def _number(self, value: float, path: Path, line: int | None) -> Any:
        if abs(value) <= MAX_NUMBER:
            return value
        field = ".".join(map(str, path))
        message = "is a number beyond 10^18, infinite, or none"
        fix = "write a smaller number; text stands in quotes"
        self.problems.append(Problem(self.file, line, field, message, fix))
        return None


def validate(model: type[Model], located: Located) -> Model:
    """Turn the file's values into `model`; all mistakes at once.

    Raises
    ------
    TeamError
        With one problem for each value that is missing, unknown or wrong.
    """
    try:
        return model.model_validate(located.data)
    except ValidationError as error:
        problems = [_explained(detail, model, located) for detail in error.errors()]
        raise TeamError(problems) from None


def _explained(detail: Any, model: type[BaseModel], located: Located) -> Problem:
    path: Path = tuple(detail["loc"])
    name = str(path[-1]) if path else ""
    if detail["type"] == "missing":
        return located.problem(path, "is missing", f"add `{name}:`; data/README.md describes it")
    if detail["type"] == "extra_forbidden":
        fields = [key for kind in _models(model) for key in kind.model_fields]
        near = difflib.get_close_matches(name, fields, n=1)
        fix = f"write `{near[0]}`" if near else "remove it; data/README.md lists the known fields"
        return located.problem(path, "is not a known field", fix)
    message = detail["msg"].removeprefix("Value error, ")
    value = detail["input"]
    shown = repr(value) if isinstance(value, str) else str(value)
    public = path and path[0] != "catalog"  # where passwords stand, nothing is repeated
    if public and len(shown) <= 60 and not isinstance(value, dict | list):
        message = f"is {shown}: {message[:1].lower()}{message[1:]}"
    return located.problem(path, message, "data/README.md shows the form of this field")


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """`model` and the models that its fields hold, so that a hint can name nested fields."""
    yield model
    for info in model.model_fields.values():
        pending = [info.annotation]
        while pending:
            kind = pending.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _models(kind)
            pending.extend(getattr(kind, "__args__", ()))
