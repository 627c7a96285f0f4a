"""What makes a written postmortem weak, line by line, and how to write it instead."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import takewhile
from typing import Any

from dataops_lib import playbook, wording, yaml_lines
from dataops_lib.incidents.allowances import COMMENT, allowed

REVIEW_WITHIN = timedelta(hours=48)  # after resolution: the article does not say from when

_ZONE = re.compile(
    r"\b(?:UTC|GMT|[A-Z][a-z]+/[A-Z]\w+|(?:C|E|W)ES?T|BST|IST|JST|KST|[ECMP][SD]T|AE[SD]T)\b"
    r"|[+-]\d\d:?\d\d\b|\d\dZ\b"
)

_MOMENT = re.compile(
    r"(?:(?P<day>\d{4}-\d\d-\d\d)[T ])?(?P<clock>\d\d:\d\d)(?::\d\d)?"
    r"(?: ?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?"
)

_FACTORS = re.compile(r"#{3,6}\s.*\bcontributing factors?\b", re.I)
_WHY = re.compile(r"^(?P<indent>\s*)(?P<number>\d+)[.)]\s")


@dataclass(frozen=True)
class Weakness:
    """One weakness: the rule, the line (1-based) it stands on, what is wrong, how to write it."""

    rule: str
    line: int
    message: str
    fix: str


@dataclass(frozen=True)
class Context:
    """What the text itself does not say: the roster, and when it was written (UTC)."""

    names: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    written_at: datetime | None = None


@dataclass(frozen=True)
class _Line:
    number: int
    text: str
    section: str


@dataclass(frozen=True)
class _Row:
    number: int
    cells: Mapping[str, str]  # heading in lower case -> text


Found = Iterator[tuple[str, int, str]]


@cache
def load_rules() -> Mapping[str, Any]:
    """`data/playbook/postmortem_rules.yaml`: rules, sections and word lists."""
    name = "postmortem_rules.yaml"
    rules: Mapping[str, Any] = yaml_lines.loads(playbook.text(name), name).data
    return rules


def lint(text: str, context: Context | None = None) -> list[Weakness]:
    """Weaknesses of a postmortem in Markdown, by line.

    Rules PM01 to PM17 with their reasons are in `data/playbook/postmortem_rules.yaml`. A rule
    keeps silent where it is allowed by a comment, and about what cannot be known from the text
    and `context`.

    Examples
    --------
    >>> [problem.rule for problem in lint("# Incident\\n\\nThe engineer forgot the migration.")][:2]
    ['PM01', 'PM01']
    >>> lint("# I\\n\\nThe engineer forgot it.")[-1].message
    'a person and a negative verb: "engineer forgot"'
    """
    rules, context = load_rules(), context or Context()
    lines = _read(text)
    found = [
        *_sections(lines, rules),
        *_words(lines, context, rules),
        *_times(lines, context),
        *_timeline(lines),
        *_actions(lines, context, rules),
        *_causes(lines, context, rules),
        *_impact(lines),
    ]
    permitted = allowed(text, "PM")
    problems = [
        Weakness(rule, number, message, rules["rules"][rule]["fix"])
        for rule, number, message in found
        if rule not in permitted.get(number, ()) and rule not in permitted.get(0, ())
    ]
    return sorted(problems, key=lambda p: (p.line, p.rule, p.message))


def _read(text: str) -> list[_Line]:
    """Lines outside code fences, each with the section it stands in."""
    section, fenced, lines = "", False, []
    for number, raw in enumerate(text.splitlines(), 1):
        if raw.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
            continue
        if fenced:
            continue
        heading = re.match(r"(#{1,6})\s+(.*)", raw)
        if heading:
            depth = len(heading[1])
            named = _section(heading[2]) if depth > 1 else ""
            section = named or (section if depth > 2 else "")
        lines.append(_Line(number, COMMENT.sub("", raw), section))
    return lines


def _section(heading: str) -> str:
    patterns = load_rules()["sections"].items()
    return next((name for name, found in patterns if re.search(found, heading, re.I)), "")


def _in(lines: list[_Line], *sections: str) -> list[_Line]:
    return [line for line in lines if line.section in sections]


def _table(lines: list[_Line]) -> list[_Row]:
    """Rows of the first table, each cell under its heading."""
    table: list[tuple[int, list[str]]] = []
    for line in lines:
        if line.text.lstrip().startswith("|"):
            cells = re.split(r"(?<!\\)\|", line.text.strip().strip("|"))
            table.append((line.number, [cell.strip() for cell in cells]))
        elif table:
            break
    if not table:
        return []
    heads = [head.lower() for head in table[0][1]]
    rows = [(n, cells) for n, cells in table[1:] if not re.fullmatch(r"[-: ]*", "".join(cells))]
    return [_Row(n, dict(zip(heads, cells, strict=False))) for n, cells in rows]


def _cell(row: _Row, *words: str) -> str | None:
    """The cell whose heading holds one of `words`; None without such a column."""
    return next((text for head, text in row.cells.items() if any(w in head for w in words)), None)


def _any(words: Iterable[str]) -> str:
    """A pattern for any of `words`; for none of them it matches nothing."""
    return "(?:" + ("|".join(map(re.escape, words)) or "(?!)") + ")"


def _moment(found: re.Match[str], day: str | None = None) -> datetime | None:
    """A time as written, aware if it has a zone; None without a date or if there is no such."""
    day, zone = found["day"] or day, found["zone"] or ""
    offset = "+00:00" if zone in ("Z", "UTC", "GMT") else zone
    try:
        return datetime.fromisoformat(f"{day}T{found['clock']}{offset}") if day else None
    except ValueError:
        return None


def _span(lines: list[_Line]) -> tuple[_Line, list[re.Match[str]]] | None:
    """The line that states the duration, with the times on it."""
    line = next((line for line in lines if re.match(r"\W*duration\b", line.text, re.I)), None)
    return (line, list(_MOMENT.finditer(line.text))) if line else None


def _ends(lines: list[_Line]) -> tuple[datetime | None, datetime | None]:
    """Start and end as the duration line states them."""
    times = (_span(lines) or (None, []))[1]
    start = _moment(times[0]) if times else None
    end = _moment(times[1], times[0]["day"]) if len(times) > 1 else None
    return start, end


def _sections(lines: list[_Line], rules: Mapping[str, Any]) -> Found:
    if not any(re.match(r"#\s", line.text) for line in lines):
        yield "PM01", 1, "there is no title"
    for name in set(rules["required"]) - {line.section for line in lines}:
        yield "PM01", 1, f"there is no section for {name}"
    if not any(re.search(r"\bluck|\bfortunate", line.text, re.I) for line in lines):
        last = _in(lines, "retrospective")
        yield "PM14", last[0].number if last else 1, "nothing says where luck helped"


def _words(lines: list[_Line], context: Context, rules: Mapping[str, Any]) -> Found:
    name = _any(context.names)
    person = _any([*rules["persons"], *rules["groups"], *context.names]) + "s?"
    for rule, about in rules["rules"].items():
        for pattern in about.get("patterns", ()):
            filled = pattern.replace("{person}", person).replace("{name}", name)
            for line in _in(lines, *about["where"]) if "where" in about else lines:
                if found := re.search(filled, line.text, re.I):
                    yield rule, line.number, f'{about["name"]}: "{found[0].strip(" .;,:>-")}"'
    months = {each for each in context.names if each in calendar.month_name}
    people = "|".join([*(rules["month"] % m for m in months), _any(set(context.names) - months)])
    for line in _in(lines, "summary", "impact", "timeline", "causes"):
        if found := re.search(rf"\b(?:{people})\b", line.text):
            yield "PM09", line.number, f'a personal name: "{found[0]}"'


def _claimed(text: str) -> timedelta | None:
    """The length of time that stands after the times; None where the words are no exact one."""
    try:
        return wording.read_span(re.sub(r"(?<=\d) ?m\b", " min", text.strip(" \t()[]*_.;:,=")))
    except ValueError:
        return None


def _times(lines: list[_Line], context: Context) -> Found:
    stated = _span(lines)
    if stated is None:
        yield "PM02", 1, "no line states the duration"
        return
    line, times = stated
    if any(not found["zone"] for found in times) or not times:
        yield "PM02", line.number, "the duration has no zone"
    start, end = _ends(lines)
    claimed = _claimed(line.text[times[-1].end() :]) if times else None
    if start and end and (start.tzinfo is None) == (end.tzinfo is None):
        took = end - start
        if took < timedelta(0):
            yield "PM02", line.number, "it ends before it starts; give the end its own date"
        elif claimed is not None and claimed != took:
            says, apart = wording.span(claimed), wording.span(took)
            yield "PM02", line.number, f"it says {says}, but the times are {apart} apart"
    is_p1 = any(re.match(r"\W*severity\W+P1\s*$", found.text, re.I) for found in lines)
    if (
        is_p1
        and end
        and end.tzinfo
        and (written := context.written_at)
        and written - end > REVIEW_WITHIN
    ):
        late = (written - end).total_seconds() / 3600
        yield "PM15", line.number, f"a P1 written {late:.0f} hours after it was resolved"


def _timeline(lines: list[_Line]) -> Found:
    inside = _in(lines, "timeline")
    rows = _table(inside)
    if not rows:
        if inside:
            yield "PM03", inside[0].number, "the timeline has no rows"
        return
    first = rows[0]
    outside = " ".join(line.text for line in inside if not re.match(r"\s*\|\s*\d", line.text))
    timed = [_time(row) for row in rows if _MOMENT.search(_time(row))]
    if not _ZONE.search(outside) and not all(_ZONE.search(time) for time in timed):
        yield "PM03", first.number, "times have no zone"
    sources = [_cell(row, "source", "link", "evidence", "reference") for row in rows]
    if None in sources:
        yield "PM03", first.number, "no column names the source of each row"
    for row, source in zip(rows, sources, strict=True):
        if source == "":
            yield "PM03", row.number, "the row has no source"
    before: datetime | None = None
    for row in rows:
        found = _MOMENT.search(_time(row))
        moment = _moment(found, "2000-01-01") if found else None
        if moment is None:
            yield "PM03", row.number, f'"{_time(row)}" is not a time'
            continue
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if before and moment < before:
            yield "PM03", row.number, "the row is earlier than the one above, or lacks a date"
        before = moment
    if re.search(load_rules()["detection"], " ".join([*first.cells.values()][1:2]), re.I):
        yield "PM04", first.number, "the timeline begins with the detection"


def _time(row: _Row) -> str:
    return next(iter(row.cells.values()), "")


def _actions(lines: list[_Line], context: Context, rules: Mapping[str, Any]) -> Found:
    inside = _in(lines, "actions")
    rows = _table(inside) or [
        _Row(line.number, {"action": re.sub(r"^\s*[-*\d.)]+\s+(\[.\]\s*)?", "", line.text)})
        for line in inside
        if re.match(r"\s*(?:[-*]|\d+[.)])\s", line.text)
    ]
    if inside and not rows:
        yield "PM10", inside[0].number, "there is no action"
    start, _ = _ends(lines)
    for row in rows:
        for message in _weak(row, start.date() if start else None, context, rules):
            yield "PM10", row.number, message
    kinds = [_cell(row, "type", "kind") for row in rows]
    if rows and None in kinds:
        yield "PM11", rows[0].number, "no column says whether an action prevents or detects"
    elif len(rows) > 1 and len({str(kind).lower() for kind in kinds}) == 1:
        missing = sorted({"detect", "mitigate", "prevent"} - {str(kinds[0]).lower()})
        yield "PM11", rows[0].number, f"all are {kinds[0]}; nothing is {' or '.join(missing)}"


def _weak(
    row: _Row, not_before: date | None, context: Context, rules: Mapping[str, Any]
) -> Iterator[str]:
    """What one action lacks."""
    action = _cell(row, "action", "what") or _time(row)
    short = action if len(action) <= 40 else action[:39].rstrip() + "…"
    owner = (_cell(row, "owner", "who", "assignee") or "").strip()
    if not owner or owner.lower().strip("[]") in rules["nobody"]:
        yield f'"{short}" has no owner'
    elif re.search(r",|/|&|\band\b", owner):
        yield f'"{short}" has several owners'
    elif context.names and owner not in (*context.names, *context.roles) and "[" not in owner:
        yield f'"{short}": {owner} is not in the roster'
    due = re.search(r"\d{4}-\d\d-\d\d", _cell(row, "deadline", "due", "date") or "")
    try:
        day = date.fromisoformat(due[0]) if due else None
    except ValueError:
        day = None
    if day is None:
        yield f'"{short}" has no date'
    elif not_before and day < not_before:
        yield f'"{short}" is due before the incident'
    verb = next(iter(re.findall(r"[\w-]+", action.lower())), "")
    noun = re.search(r"(?:tion|ment|[aeiouy]\w*ing|ness)$", verb) and verb not in rules["verbs"]
    if verb in rules["not_verbs"] or noun:
        yield f'"{short}" does not begin with a verb'
    if verb in rules["open_verbs"] and not _cell(row, "done", "end", "until", "verified"):
        yield f'"{short}" has no end condition'


def _causes(lines: list[_Line], context: Context, rules: Mapping[str, Any]) -> Found:
    """Chains are numbered lists; a heading, or a list that starts again at 1, begins a branch."""
    inside = _in(lines, "causes")
    if not inside:
        return
    chains: list[list[_Line]] = []
    fresh, whys = True, 0
    for line in inside:
        found = _WHY.match(line.text)
        if line.text.startswith("#"):
            fresh = True
        elif found:
            whys += 1
            if fresh or (found["number"] == "1" and not found["indent"]):
                chains.append([])
            fresh = False
            chains[-1].append(line)
        elif line.text.strip() and chains and not fresh:
            chains[-1].append(line)
    yield from _factors(inside)
    first = inside[0].number
    if not whys and sum(bool(re.match(r"\s*[-*] ", line.text)) for line in inside) > 1:
        return  # a list of contributing factors needs no chain
    if whys < 5:
        yield "PM12", first, f"{whys} whys; go on to five or more"
    if len(chains) < 2:
        yield "PM12", first, "a single chain of whys"
    person = _any([*rules["persons"], *context.names])
    for chain in chains:
        if found := re.search(rf"\b{person}\b", chain[-1].text, re.I):
            yield "PM12", chain[-1].number, f'the chain ends in a person: "{found[0]}"'


def _factors(inside: list[_Line]) -> Found:
    """Below a heading on contributing factors stand two to five of them."""
    heads = [n for n, line in enumerate(inside) if _FACTORS.match(line.text)]
    for head in heads:
        below = takewhile(lambda line: not line.text.startswith("#"), inside[head + 1 :])
        count = sum(bool(re.match(r"\s*(?:[-*]|\d+[.)])\s", line.text)) for line in below)
        if not 2 <= count <= 5:
            factors = f"{count} contributing factor{'' if count == 1 else 's'}"
            yield "PM17", inside[head].number, f"{factors}; name two to five"


def _impact(lines: list[_Line]) -> Found:
    scope = [line for line in lines if re.match(r"\W*affected scope\b", line.text, re.I)]
    about = [*scope, *(line for line in _in(lines, "impact") if not line.text.startswith("#"))]
    if not any(re.search(r"(?<![\w-])\d", line.text) for line in about):
        yield "PM13", about[0].number if about else 1, "no number says how large the impact was"
