"""The expressions of GitHub workflows, evaluated with the values that are known beforehand.

    evaluate("github.ref == 'refs/heads/main'", {"github": {...}}, functions) -> value or UNKNOWN

The rules are GitHub's own: text is compared without regard to case, values of two types become
numbers first, `&&` and `||` return one of their operands, a property of nothing is nothing. What
only a run would tell is UNKNOWN, and stays so wherever the result depends on it.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any


class Unknown:
    """A value that only a run would tell."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


class Partial(dict[str, Any]):
    """A context of which some values are known; each of the others is UNKNOWN."""


_WORD = re.compile(
    r"\s*('(?:[^']|'')*'|-?(?:0x[0-9a-fA-F]+|\d+\.?\d*(?:[eE][-+]?\d+)?)|[A-Za-z_][\w-]*"
    r"|&&|\|\||==|!=|<=|>=|[<>!()\[\].,*])"
)
_LEVELS = (("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">="))
_STATUS = re.compile(r"(?i)\b(success|failure|cancelled|always)\s*\(")
_TEXT = re.compile(r"'(?:[^']|'')*'")
SPLICED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


def words(expression: str) -> list[str]:
    """The words of an expression.

    Raises
    ------
    ValueError
        At a character that no expression holds, such as a double quote.

    Examples
    --------
    >>> words("github.ref == 'refs/heads/main'")
    ['github', '.', 'ref', '==', "'refs/heads/main'"]
    """
    parts, position, text = [], 0, expression.rstrip()
    while position < len(text):
        match = _WORD.match(text, position)
        if match is None:
            rest = text[position:].strip()[:20]
            raise ValueError(f"cannot be read at {rest!r}; text stands in single quotes")
        parts.append(match[1])
        position = match.end()
    return parts


def asks_for_status(expression: str) -> bool:
    """Whether a condition says itself what happens after a failure; else success() is added."""
    return bool(_STATUS.search(_TEXT.sub("", expression)))


def condition(text: str) -> tuple[str, bool]:
    """The expression of an `if`, and whether it is only text: `${{ a }} == 'b'` is always true.

    Examples
    --------
    >>> condition("${{ always() }}"), condition("${{ github.ref }} == 'x'")[1]
    (('always()', False), True)
    """
    parts = SPLICED.findall(text)
    if not parts:
        return text.strip(), False
    is_whole = len(parts) == 1 and not SPLICED.sub("", text).strip()
    return (parts[0].strip(), False) if is_whole else ("true", True)


def contexts_in(text: str) -> list[str]:
    """What the expressions in a text read, such as `github.event.head_commit.message`.

    Examples
    --------
    >>> contexts_in("${{ github.event.commits[0].message || inputs['name'] }}")
    ['github.event.commits.*.message', 'inputs.name']
    """
    contexts: list[str] = []
    for expression in SPLICED.findall(text):
        dotted = re.sub(r"\[\s*'([^']*)'\s*\]", r".\1", expression)
        dotted = _TEXT.sub("", re.sub(r"\[[^\]]*\]", ".*", dotted))
        contexts += re.findall(r"[A-Za-z_][\w-]*(?:\.(?:[\w-]+|\*))+", dotted)
    return contexts


def evaluate(
    expression: str, contexts: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]
) -> Any:
    """The value of an expression.

    Parameters
    ----------
    contexts : mapping
        `github`, `needs`, `vars` ...; a `Partial` answers UNKNOWN for what it lacks.
    functions : mapping
        The status functions, by name; the others are built in.

    Raises
    ------
    ValueError
        If the expression cannot be read, or calls a function that GitHub does not have.
    """
    reader = _Reader(words(expression), contexts, {**_FUNCTIONS, **functions})
    value = reader.binary(0)
    if reader.words:
        raise ValueError(f"goes on with {reader.words[0]!r} where it should end")
    return value


def truth(value: Any) -> bool | Unknown:
    """Whether GitHub takes a value as true."""
    if isinstance(value, Unknown):
        return value
    return not (value is None or value == "" or value == 0 or bool(value != value))


class _Reader:
    """Reads the words of one expression from left to right and computes on the way."""

    def __init__(
        self, words: list[str], contexts: Mapping[str, Any], functions: Mapping[str, Any]
    ) -> None:
        self.words, self.contexts, self.functions = words, contexts, functions

    def take(self, expected: str = "") -> str:
        if not self.words:
            raise ValueError(f"ends where {expected or 'a value'} should follow")
        word = self.words.pop(0)
        if expected and word != expected:
            raise ValueError(f"has {word!r} where {expected!r} should stand")
        return word

    def comes(self, *signs: str) -> bool:
        return bool(self.words) and self.words[0] in signs

    def binary(self, level: int) -> Any:
        if level == len(_LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.comes(*_LEVELS[level]):
            sign = self.take()
            right = self.binary(level + 1)
            left = _joined(sign, left, right) if level < 2 else _compared(sign, left, right)
        return left

    def unary(self) -> Any:
        if self.comes("!"):
            self.take()
            value = truth(self.unary())
            return value if value is UNKNOWN else not value
        value = self.primary()
        while self.comes(".", "["):
            if self.take() == ".":
                value = property_of(value, self.take())
            else:
                value = property_of(value, "*" if self.comes("*") else self.binary(0))
                self.take("]")
        return value

    def primary(self) -> Any:
        word = self.take()
        if word[0] == "'":
            return word[1:-1].replace("''", "'")
        if word[0].isdigit() or word[0] == "-":
            return float(int(word, 16)) if "0x" in word else float(word)
        if word == "(":
            value = self.binary(0)
            self.take(")")
            return value
        name = word.lower()
        if self.comes("(") and name in self.functions:
            return self.call(name)
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name not in self.contexts:
            raise ValueError(f"reads {word!r}, which GitHub does not have here")
        return self.contexts[name]

    def call(self, name: str) -> Any:
        values: list[Any] = []
        self.take("(")
        while not self.comes(")"):
            values.append(self.binary(0))
            if not self.comes(")"):
                self.take(",")
        self.take(")")
        parts = [
            part for value in values for part in (value if isinstance(value, list) else [value])
        ]
        if any(part is UNKNOWN for part in parts):
            return UNKNOWN
        try:
            return self.functions[name](*values)
        except (TypeError, ValueError, IndexError):
            raise ValueError(f"calls {name}() with values that it does not take") from None


def property_of(value: Any, name: Any) -> Any:
    """One property or element; `*` gives that of all elements."""
    if value is UNKNOWN or name is UNKNOWN:
        return UNKNOWN
    if isinstance(value, list):
        if isinstance(name, float):
            return value[int(name)] if 0 <= name < len(value) else None
        return value if name == "*" else [property_of(element, name) for element in value]
    if not isinstance(value, Mapping):
        return None
    if name == "*":
        return list(value.values())
    otherwise = UNKNOWN if isinstance(value, Partial) else None
    return next((v for key, v in value.items() if key.lower() == str(name).lower()), otherwise)


def _joined(sign: str, left: Any, right: Any) -> Any:
    """`&&` and `||` with a third truth: what decides alone decides, whatever the other one is."""
    decides = sign == "||"
    if left is UNKNOWN:
        return right if truth(right) is decides else UNKNOWN
    return left if truth(left) is decides else right


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
_CONSTANTS = {"true": True, "false": False, "null": None, "nan": math.nan, "infinity": math.inf}


def _compared(sign: str, left: Any, right: Any) -> Any:
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if isinstance(left, str) and isinstance(right, str):
        return _COMPARE[sign](left.lower(), right.lower())
    return _COMPARE[sign](_number(left), _number(right))


def _number(value: Any) -> float:
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return math.nan  # text that is no number, a list, a mapping: equal to nothing


def text_of(value: Any) -> str:
    """A value as GitHub writes it into text."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: ""}[value]
    if isinstance(value, float):
        return f"{value:.15g}"
    return value if isinstance(value, str) else json.dumps(value)


def _lower(value: Any) -> str:
    return text_of(value).lower()


def _contains(where: Any, what: Any) -> bool:
    if isinstance(where, list):
        return any(_compared("==", element, what) for element in where)
    return _lower(what) in _lower(where)


def _format(pattern: str, *values: Any) -> str:
    def filled(match: re.Match[str]) -> str:
        return match[0][0] if match[1] is None else text_of(values[int(match[1])])

    return re.sub(r"\{\{|\}\}|\{(\d+)\}", filled, pattern)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "contains": _contains,
    "startswith": lambda text, start: _lower(text).startswith(_lower(start)),
    "endswith": lambda text, end: _lower(text).endswith(_lower(end)),
    "format": _format,
    "join": lambda values, mark=",": mark.join(map(text_of, values)),
    "tojson": lambda value: json.dumps(value, indent=2),
    "fromjson": json.loads,
    "hashfiles": lambda *_: UNKNOWN,
    "case": lambda *_: UNKNOWN,
}
