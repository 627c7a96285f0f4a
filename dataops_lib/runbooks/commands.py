"""What the code of a runbook is: whether it can be read, and what it would change."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from dataops_lib.runbooks.runbook import Fence, load_rules

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


@dataclass(frozen=True)
class Code:
    """What a parser says of a fence: `error` with its line, `changes` as (line, command)."""

    error: tuple[int, str] | None = None
    changes: tuple[tuple[int, str], ...] = ()


@lru_cache(maxsize=512)
def understand(fence: Fence) -> Code:
    """Parse a fence in its language; text that is no code changes nothing.

    Examples
    --------
    >>> understand(Fence("bash", "", "sudo rm -rf /srv/landing", 7)).changes
    ((7, 'rm'),)
    >>> understand(Fence("sql", "duckdb", "SELECT 1", 1))
    Code(error=None, changes=())
    """
    rules = load_rules()
    if fence.language == "sql":
        return _sql(fence)
    if fence.language in rules["shells"] or fence.language == "console":
        return _shell(fence)
    if fence.language in rules["pythons"]:
        return _python(fence)
    return Code()


def filled(text: str) -> str:
    """Code with a word for each `<name>` and `{{ name }}`: a parser reads around them."""
    text = re.sub(r"\{\{[^}\n]*\}\}|\{%[^%\n]*%\}", "_value_", text)
    return re.sub(r"<[A-Za-z][\w .:/-]*>", "_value_", text)


def _sql(fence: Fence) -> Code:
    import sqlglot
    from sqlglot.errors import SqlglotError

    changing = set(load_rules()["changing"]["sql"])
    try:
        statements = sqlglot.parse(filled(fence.text), dialect=fence.dialect)
    except SqlglotError as error:
        details = getattr(error, "errors", None)
        number = (details[0].get("line") or 1) if details else 1
        first = str(error).splitlines()[0]
        return Code(error=(fence.line + number - 1, f"{fence.dialect} SQL: {first[:120]}"))
    except RecursionError:
        return Code(error=(fence.line, "SQL that is nested too deeply"))
    changes = []
    for statement in filter(None, statements):
        kind = type(statement).__name__
        if kind in changing:
            word = statement.sql(dialect=fence.dialect).split(" ", 1)[0].upper()
            changes.append((_line_of(fence, word), word))
    return Code(changes=tuple(changes))


def _line_of(fence: Fence, word: str) -> int:
    at = re.search(rf"\b{re.escape(word)}\b", fence.text, re.I)
    return fence.line + (fence.text.count("\n", 0, at.start()) if at else 0)


@cache
def _parser() -> Parser:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


def _shell(fence: Fence) -> Code:
    text = fence.text
    if fence.language == "console":  # a session: only what stands behind a prompt is a command
        lines = text.splitlines()
        text = "\n".join(m[1] if (m := re.match(r"\s*[$#] (.*)", line)) else "" for line in lines)
    else:
        text = re.sub(r"(?m)^(\s*)\$ ", r"\1", text)
    tree = _parser().parse(filled(text).encode())
    changes = tuple(_shell_changes(tree.root_node, fence.line))
    broken = _broken(tree.root_node)
    if broken is None:
        return Code(changes=changes)
    near = (broken.text or b"").decode(errors="replace").strip().split("\n")[0][:60]
    message = f"shell: cannot be read near {near!r}" if near else "shell: something is missing"
    return Code((fence.line + broken.start_point[0], message), changes)


def _broken(node: Node) -> Node | None:
    """The first node that the grammar could not place."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            return node
        waiting += [child for child in reversed(node.children) if child.has_error]
    return None


def calls(text: str) -> list[tuple[int, list[str]]]:
    """Simple commands of a shell text, in order: (line from 0, words without quotes)."""
    return list(_calls(_parser().parse(text.encode()).root_node))


def _calls(node: Node) -> Iterator[tuple[int, list[str]]]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node.type == "command":
            words = [c for c in node.named_children if c.type != "variable_assignment"]
            yield node.start_point[0], [_word(child) for child in words]
        waiting += reversed(node.named_children)


def _word(node: Node) -> str:
    text = (node.text or b"").decode(errors="replace")
    return text[1:-1] if node.type in ("string", "raw_string") else text


def _shell_changes(root: Node, line: int) -> Iterator[tuple[int, str]]:
    rules = load_rules()
    for offset, words in _calls(root):
        while words and (words[0] in rules["prefixes"] or re.fullmatch(r"\w+=.*", words[0])):
            words = words[1:]
        for form in rules["changing"]["shell"]:
            if _begins(words, form):
                yield line + offset, " ".join(form)
                break
        else:
            if option := next((w for w in words if w in rules["changing"]["options"]), None):
                yield line + offset, f"{words[0]} {option}"


def _begins(words: Sequence[str], form: Sequence[str]) -> bool:
    """Whether the command is `form`; options and their values between its words do not matter."""
    if not words or not _same(words[0], form[0]):
        return False
    rest = iter(words[1:6])
    return all(any(_same(word, part) for word in rest) for part in form[1:])


def _same(word: str, part: str) -> bool:
    return word.startswith(part[:-1]) if part.endswith("*") else word == part


def _python(fence: Fence) -> Code:
    names = set(load_rules()["changing"]["python"])
    try:
        tree = ast.parse(filled(fence.text))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        number = getattr(error, "lineno", None) or 1
        return Code(error=(fence.line + number - 1, f"Python: {getattr(error, 'msg', error)}"))
    changes = [
        (fence.line + node.lineno - 1, name)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (name := getattr(node.func, "attr", getattr(node.func, "id", ""))) in names
    ]
    return Code(changes=tuple(changes))
