"""YAML that remembers the line of every value, and models checked against it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError

from dataops_lib.errors import Problem, TeamError

Path = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)
MAX_CHARACTERS = 1_000_000  # a person wrote it; more takes minutes to read
MAX_VALUES = 100_000  # aliases can multiply a few lines into more than fits in memory


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
        node = YAML(typ="rt").load(text)
        lines = dict(islice(_lines(node, ()), MAX_VALUES))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        message = re.split(r" with value |(?<=alias) |\n", error.problem or "is not YAML")[0]
        fix = "compare the indentation, quotes and repeated keys around this line with the template"
        raise TeamError([Problem(file, line, "", message, fix)]) from None
    except Exception as error:  # ruamel lets through whatever a tag, a date or the nesting raises
        message = f"cannot be read as YAML ({type(error).__name__})"
        fix = "correct dates that do not exist, tags, and brackets that never close"
        raise TeamError([Problem(file, None, "", message, fix)]) from None
    if len(lines) == MAX_VALUES:
        fix = "write lists out instead of repeating them by alias, and not inside of each other"
        raise TeamError([Problem(file, None, "", f"has {MAX_VALUES:,} values or more", fix)])
    return Located(file, _plain(node), lines)


def _plain(node: Any) -> Any:
    if isinstance(node, TaggedScalar):
        node = node.value
    if isinstance(node, str):  # "\ud83d\ude00" is one character that JSON wrote as two
        return str(node).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(node, CommentedMap):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value) for value in node]
    for kind in (bool, int, float):  # ruamel's scalars are subclasses that keep their format
        if isinstance(node, kind):
            return kind(node)
    return node


def _lines(node: Any, path: Path) -> Iterator[tuple[Path, int]]:
    if isinstance(node, CommentedMap):
        for key, value in node.items():
            if key in (node.lc.data or {}):  # not so for what `<<` merged in
                yield (*path, str(key)), node.lc.key(key)[0] + 1
            yield from _lines(value, (*path, str(key)))
    elif isinstance(node, CommentedSeq):
        for index, value in enumerate(node):
            yield (*path, index), node.lc.item(index)[0] + 1
            yield from _lines(value, (*path, index))


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
        known = [key for kind in _models(model) for key in kind.model_fields]
        near = difflib.get_close_matches(name, known, n=1)
        fix = f"write `{near[0]}`" if near else "remove it; data/README.md lists the known fields"
        return located.problem(path, "is not a known field", fix)
    message = detail["msg"].removeprefix("Value error, ")
    given = detail["input"]
    shown = repr(given) if isinstance(given, str) else str(given)
    public = path and path[0] != "catalog"  # where passwords stand, nothing is repeated
    if public and len(shown) <= 60 and not isinstance(given, dict | list):
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
