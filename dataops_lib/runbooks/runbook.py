"""A runbook as its Markdown says it: header, responses with steps and outcomes, contacts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from dataops_lib import playbook, yaml_lines

RESOLVED, ESCALATED, NEXT, RERUN = "resolved", "escalated", "next", "rerun"

_STEP = re.compile(r"^(?:\*\*|__)?(?:step\s+)?(?P<number>\d+)\s*[.):]\s*", re.I)
_PARAGRAPH_STEP = re.compile(r"^(?:\*\*|__)?step\s+(?P<number>\d+)\s*[.):]\s*", re.I)
_SENTENCE = re.compile(r"(?<=[.;!?])\s+(?=[A-Z`*])")
_FIELD = re.compile(r"^\W*(?P<name>[A-Za-z][A-Za-z ]{1,40}?)\W*\s*:\s*\**\s*(?P<value>.*)$")
_SPAN = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Fence:
    """Code in a step: its language (lower case, "" if none), dialect, text and first line."""

    language: str
    dialect: str
    text: str
    line: int


@dataclass(frozen=True)
class Outcome:
    """What a sentence of a step decides.

    `condition` is the expression in its code span, over the columns of the step's result ("" if
    people decide); `certain` when it holds in every case that is left; `target` is "resolved",
    "escalated", "next", "rerun" or the number of a step.
    """

    line: int
    text: str
    condition: str
    certain: bool
    escalates: str | None
    target: str


@dataclass(frozen=True)
class Step:
    """One numbered step; `text` is all of its prose."""

    number: int
    line: int
    title: str
    text: str
    fences: tuple[Fence, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True)
class Section:
    """One heading of level 2 and what stands below it; `alerts` are the names in its title."""

    kind: str
    title: str
    line: int
    alerts: tuple[str, ...]
    steps: tuple[Step, ...]
    fences: tuple[Fence, ...]
    prose: tuple[tuple[int, str], ...]

    def answers(self, alert: str) -> bool:
        """Whether a name in the title is that of `alert`."""
        return any(fnmatchcase(alert, name) for name in self.alerts)


@dataclass(frozen=True)
class Contact:
    """One row of the escalation contacts."""

    line: int
    situation: str
    target: str
    method: str


@dataclass(frozen=True)
class Runbook:
    """A runbook that was read; `fields` maps the header's fields to (value, line)."""

    title: str
    fields: Mapping[str, tuple[str, int]]
    sections: tuple[Section, ...]
    contacts: tuple[Contact, ...]
    links: tuple[tuple[int, str], ...]
    anchors: frozenset[str] = field(default=frozenset())

    @property
    def responses(self) -> tuple[Section, ...]:
        """The sections that answer an alert, in order."""
        return tuple(section for section in self.sections if section.kind == "alerts")

    @property
    def rerun(self) -> Section | None:
        """The section on manual re-run and verification."""
        return next((section for section in self.sections if section.kind == "rerun"), None)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names that the header declares: `Parameters: day (the morning of the run), team`."""
        declared = self.fields.get("parameters", ("", 0))[0]
        names = (
            re.match(r"\W*(\w[\w-]*)", part) for part in re.split(r"[,;](?![^(]*\))", declared)
        )
        return tuple(name[1].lower() for name in names if name)

    def response(self, alert: str) -> Section | None:
        """The section whose title names `alert`; a `*` in the title stands for any text."""
        return next((s for s in self.responses if s.answers(alert)), None)


@cache
def load_rules() -> Mapping[str, Any]:
    """`data/playbook/runbook_rules.yaml`: rules, sections and word lists."""
    name = "runbook_rules.yaml"
    rules: Mapping[str, Any] = yaml_lines.loads(playbook.text(name), name).data
    return rules


def read(text: str) -> Runbook:
    """Read a runbook; whatever is not recognised is kept as prose, and nothing is refused.

    Examples
    --------
    >>> text = "# R\\n## Alert response: t FAILED\\n1. Check it. If `n = 0`: escalate to DBA."
    >>> read(text).response("t FAILED").steps[0].outcomes[0].condition
    'n = 0'
    """
    blocks = list(_blocks(text))
    title = next((b.text for b in blocks if b.level == 1), "")
    sections = tuple(_sections(blocks))
    header = [line for s in sections if s.kind in ("", "header") for line in s.prose]
    contacts = tuple(row for b in blocks if b.section == "contacts" for row in _contacts(b))
    links = tuple(link for b in blocks for link in b.links)
    anchors = frozenset(_anchor(b.text) for b in blocks if b.level)
    return Runbook(title, _fields(header), sections, contacts, links, anchors)


@dataclass
class _Block:
    """A top-level block: a heading (level > 0), list, table, fence or paragraph."""

    kind: str
    level: int
    line: int
    lines: list[tuple[int, str]]
    fences: list[Fence]
    links: list[tuple[int, str]]
    tokens: list[Token]
    section: str = ""

    @property
    def text(self) -> str:
        return " ".join(text for _, text in self.lines)


def _blocks(text: str) -> Iterator[_Block]:
    """Top-level blocks, each with the kind of section that it stands in."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    depth, group, section = 0, [], ""
    for token in tokens:
        group.append(token)
        depth += token.nesting
        if depth == 0:
            block = _block(group)
            if 0 < block.level <= 2:
                section = _section_kind(block.text) if block.level == 2 else ""
            block.section = section
            yield block
            group = []


def _block(tokens: list[Token]) -> _Block:
    first = tokens[0]
    lines: list[tuple[int, str]] = []
    fences: list[Fence] = []
    links: list[tuple[int, str]] = []
    for token in tokens:
        start = (token.map[0] if token.map else 0) + 1
        if token.type == "inline":
            lines += [(start + n, line) for n, line in enumerate(token.content.split("\n"))]
            for child in token.children or ():
                if target := child.attrGet("href") or child.attrGet("src"):
                    links.append((start, str(target)))
        elif token.type in ("fence", "code_block"):
            words = token.info.lower().replace("{", " ").replace("}", " ").split()
            offset = 1 if token.type == "fence" else 0
            fences.append(_fence(words, token.content, start + offset))
    level = int(first.tag[1]) if first.type == "heading_open" else 0
    line = (first.map[0] if first.map else 0) + 1
    return _Block(first.type, level, line, lines, fences, links, tokens)


def _fence(words: Sequence[str], text: str, line: int) -> Fence:
    """`sql snowflake`, `snowflake` and `sql` (DuckDB) are SQL in a dialect."""
    dialects = load_rules()["dialects"]
    language = words[0] if words else ""
    if language in dialects:
        return Fence("sql", language, text, line)
    dialect = next((word for word in words[1:] if word in dialects), "duckdb")
    return Fence(language, dialect if language == "sql" else "", text, line)


def _section_kind(title: str) -> str:
    patterns = load_rules()["sections"].items()
    return next((name for name, form in patterns if re.search(form, title.strip(), re.I)), "")


def _alerts(title: str) -> tuple[str, ...]:
    """The alerts that a title names: those in quotes or code marks, else the whole text."""
    named = re.match(load_rules()["alert_name"], title.strip(), re.I)
    if not named:
        return ()
    quoted = re.findall(r"[\"`“]([^\"`“”]+)[\"`”]", named["name"])
    return tuple(name.strip() for name in quoted or [named["name"].strip(" '")])


def _sections(blocks: Sequence[_Block]) -> Iterator[Section]:
    """The text above the first heading of level 2, then a section for each."""
    group: list[_Block] = []
    for block in blocks:
        if block.level == 2 and group:
            yield _section(group)
            group = []
        group.append(block)
    if group:
        yield _section(group)


def _section(blocks: Sequence[_Block]) -> Section:
    head = blocks[0]
    title = head.text if head.level == 2 else ""
    body = blocks[1:] if head.level else blocks
    return Section(
        kind=head.section if head.level == 2 else "",
        title=title,
        line=head.line,
        alerts=_alerts(title),
        steps=tuple(_steps(body)) if head.section in ("alerts", "rerun") else (),
        fences=tuple(fence for block in body for fence in block.fences),
        prose=tuple(line for block in body for line in block.lines),
    )


def _steps(blocks: Sequence[_Block]) -> Iterator[Step]:
    """Steps are numbered headings, paragraphs "Step 1.", or else the items of ordered lists."""
    starts = [
        n
        for n, block in enumerate(blocks)
        if (block.level and _STEP.match(block.text))
        or (block.kind == "paragraph_open" and _PARAGRAPH_STEP.match(block.text))
    ]
    if starts:
        for start, end in zip(starts, [*starts[1:], len(blocks)], strict=True):
            numbered = _STEP.match(blocks[start].text)
            yield _step(int(numbered["number"]) if numbered else 0, blocks[start:end])
        return
    group: list[_Block] = []
    number = 0
    for block in blocks:
        for item in _items(block) if block.kind == "ordered_list_open" else [block]:
            if block.kind == "ordered_list_open":
                if group:
                    yield _step(number, group)
                group, number = [item], _number(item, number + 1)
            elif group and not block.level:
                group.append(item)
    if group:
        yield _step(number, group)


def _items(block: _Block) -> Iterator[_Block]:
    """The items of a list, each as a block of its own."""
    group: list[Token] = []
    for token in block.tokens[1:-1]:
        group.append(token)
        if token.type == "list_item_close" and token.level == block.tokens[0].level + 1:
            yield _block(group)
            group = []


def _number(item: _Block, otherwise: int) -> int:
    """The number of a list item as it is written, which a page may not show."""
    written = item.tokens[0].info
    return int(written) if written.isdigit() else otherwise


def _step(number: int, blocks: Sequence[_Block]) -> Step:
    lines = [line for block in blocks for line in block.lines]
    first = lines[0][1] if lines else ""
    fences = tuple(fence for block in blocks for fence in block.fences)
    said = [part for block in blocks for part in _sentences(block)]
    said += [(f.line + n, note) for f in fences for n, note in _comments(f)]
    outcomes = tuple(o for line, sentence in said if (o := _outcome(line, sentence)))
    title = _STEP.sub("", first).strip(" *_")
    return Step(number, blocks[0].line, title, " ".join(t for _, t in lines), fences, outcomes)


def _sentences(block: _Block) -> Iterator[tuple[int, str]]:
    """Sentences of a block with the line on which each begins."""
    for token in block.tokens:
        if token.type != "inline" or not token.map:
            continue
        start, place = token.map[0] + 1, 0
        for sentence in _SENTENCE.split(token.content):
            place = token.content.index(sentence, place)
            yield start + token.content.count("\n", 0, place), sentence.replace("\n", " ")


def _comments(fence: Fence) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(fence.text.splitlines()):
        if note := re.match(r"\s*(?:#|--)\s+(.*)", line):
            yield number, note[1]


def _outcome(line: int, sentence: str) -> Outcome | None:
    """What a sentence decides; None when it decides nothing."""
    forms = load_rules()["outcomes"]
    plain = _STEP.sub("", sentence).strip(" *_→>-")
    otherwise = re.search(forms["otherwise"], plain, re.I) is not None
    conditional = otherwise or re.search(forms["condition"], plain, re.I) is not None
    calls = re.search(forms["escalates"], plain, re.I)
    if calls and calls["who"] is None and "escalat" not in calls[0].lower():
        calls = None
    goes = re.search(forms["goes"], plain, re.I)
    resolved = re.search(forms["resolved"], plain, re.I) is not None
    if not (conditional or goes or resolved or (calls and "escalat" in calls[0].lower())):
        return None
    target = NEXT
    if goes:
        number = re.search(r"\d+", goes["where"])
        target = number[0] if number else NEXT if "next" in goes["where"] else RERUN
    elif resolved:
        target = RESOLVED
    elif calls:
        target = ESCALATED
    clause = re.split(r":|→|\bthen\b", plain, maxsplit=1)[0] if conditional else ""
    expression = _SPAN.search(clause)
    return Outcome(
        line=line,
        text=plain,
        condition=expression[1] if expression else "",
        certain=otherwise or not conditional,
        escalates=(calls["who"] or "").strip() if calls else None,
        target=target,
    )


def _fields(lines: Sequence[tuple[int, str]]) -> dict[str, tuple[str, int]]:
    """The header's fields; `Pipeline: x`, with or without bullets, bold or a table."""
    fields: dict[str, tuple[str, int]] = {}
    cells = list(lines)
    for (line, text), (_, after) in zip(cells, [*cells[1:], (0, "")], strict=False):
        named = _FIELD.match(text)
        name, value = (named["name"], named["value"]) if named else (text.strip(" *|"), after)
        for key, form in load_rules()["fields"].items():
            if re.search(form, name.strip(), re.I):
                fields.setdefault(key, (value.strip(" *|"), line))
    return fields


def _contacts(block: _Block) -> Iterator[Contact]:
    """Rows of a table of three columns: situation, target, method."""
    rows: list[tuple[int, list[str]]] = []
    body = False
    for token in block.tokens:
        body = body or token.type == "tbody_open"
        if token.type == "tr_open" and body:
            rows.append(((token.map or [0])[0] + 1, []))
        elif token.type == "inline" and body and rows:
            rows[-1][1].append(token.content.strip())
    for line, cells in rows:
        situation, target, method = [*cells, "", "", ""][:3]
        yield Contact(line, situation, target, method)


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")
