"""Base: YAML that remembers the line of every value, and models checked against it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from dataops_lib.errors import Problem, TeamError

Path = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


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
        If the text is not YAML, or a key stands twice in one mapping.

    Examples
    --------
    >>> loads("a:\\n  - b: 1\\n", "x.yaml").line(("a", 0, "b"))
    2
    """
    try:
        node = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        message = (error.problem or "is not YAML").splitlines()[0]
        fix = "compare the indentation, quotes and repeated keys around this line with the template"
        raise TeamError([Problem(file, line, "", message, fix)]) from None
    except (YAMLError, ValueError) as error:
        problem = Problem(file, None, "", f"is not YAML: {error}", "save it as UTF-8 YAML")
        raise TeamError([problem]) from None
    return Located(file, _plain(node), dict(_lines(node, ())))


def _plain(node: Any) -> Any:
    if isinstance(node, CommentedMap):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value) for value in node]
    for kind in (bool, int, float, str):  # ruamel's scalars are subclasses that keep their format
        if isinstance(node, kind):
            return kind(node)
    return node


def _lines(node: Any, path: Path) -> Iterator[tuple[Path, int]]:
    if isinstance(node, CommentedMap):
        for key, value in node.items():
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
    shown = repr(detail["input"])
    if len(shown) <= 60 and not isinstance(detail["input"], dict | list):
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
