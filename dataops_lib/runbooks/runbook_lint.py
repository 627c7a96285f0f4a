"""What makes a runbook fail at 3 a.m., line by line, and how to write it instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dataops_lib.incidents.allowances import allowed
from dataops_lib.incidents.postmortem_lint import Weakness
from dataops_lib.runbooks import commands, paths
from dataops_lib.runbooks.runbook import Contact, Fence, Runbook, Section, Step, load_rules, read
from dataops_lib.service_levels import objectives

_COMMENT = re.compile(r"<!--.*?-->", re.S)
_FENCED = re.compile(r"^\s*(?:```|~~~)")

Raised = Iterator[tuple[str, int, str]]


@dataclass(frozen=True)
class Context:
    """What the text itself does not say; None: not known, and nothing is claimed about it.

    `alerts` are the names of alerts that fired, `answered` those of them that other runbooks
    answer, `subjects` the tables and pipelines that an alert may be about; `roles` may be called;
    `exists` says whether a relative path leads to a file.
    """

    people: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    alerts: tuple[str, ...] | None = None
    answered: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    as_of: date | None = None
    exists: Callable[[str], bool] | None = None


def lint(text: str, context: Context | None = None) -> list[Weakness]:
    """Weaknesses of a runbook in Markdown, by line.

    Rules RB01 to RB18 with their reasons are in `data/playbook/runbook_rules.yaml`. A rule keeps
    silent where `<!-- lint: allow RB10 -->` allows it, and about what `context` does not tell.

    Examples
    --------
    >>> weak = lint("# R\\n\\n## Alert response: t FAILED\\n\\n1. Simply check the log.")
    >>> sorted({weakness.rule for weakness in weak})
    ['RB01', 'RB02', 'RB16', 'RB17']
    """
    context, runbook, rules = context or Context(), read(text), load_rules()
    raised = [
        *_sections(runbook),
        *_header(runbook, context),
        *_alerts(runbook, context),
        *_steps(runbook),
        *_code(runbook),
        *_repairs(runbook),
        *_placeholders(text, runbook),
        *_contacts(runbook, context),
        *_secrets(text),
        *_endings(runbook),
        *_words(text),
        *_links(runbook, context),
    ]
    permitted = allowed(text, "RB")
    weaknesses = {
        Weakness(rule, line, message, rules["rules"][rule]["fix"])
        for rule, line, message in raised
        if rule not in permitted.get(line, ()) and rule not in permitted.get(0, ())
    }
    return sorted(weaknesses, key=lambda w: (w.line, w.rule, w.message))


def score(weaknesses: list[Weakness]) -> tuple[int, int]:
    """(rules without a weakness, rules): a count of rules, not a measure of quality."""
    rules = load_rules()["rules"]
    return len(rules) - len({weakness.rule for weakness in weaknesses}), len(rules)


def _sections(runbook: Runbook) -> Raised:
    kinds = {section.kind for section in runbook.sections}
    if runbook.fields.keys() & {"pipeline", "owner"}:
        kinds.add("header")
    for kind, name in load_rules()["required"].items():
        if kind not in kinds:
            yield "RB01", 1, f"there is no section: {name}"


def _header(runbook: Runbook, context: Context) -> Raised:
    rules = load_rules()
    fields = runbook.fields
    missing = [name for name in rules["required_fields"] if not fields.get(name, ("", 0))[0]]
    if missing:
        yield "RB02", 1, f"the header has no {', no '.join(missing)}"
    owner, line = fields.get("owner", ("", 0))
    known = (*context.people, *context.roles)
    if owner and not re.search(rules["address"], owner, re.I):
        yield "RB03", line, f'nobody can write to the owner: "{owner}"'
    if owner and known and not any(re.search(rf"\b{re.escape(n)}\b", owner, re.I) for n in known):
        yield "RB03", line, f'the owner is not in the roster: "{owner}"'
    yield from _updated(*fields.get("updated", ("", 0)), context.as_of)
    yield from _promise(*fields.get("sla", ("", 0)))


def _updated(text: str, line: int, as_of: date | None) -> Raised:
    if not text:
        return
    try:
        day = date.fromisoformat(text.split()[0])
    except ValueError:
        yield "RB04", line, f'"{text}" is not a date like 2026-04-19'
        return
    stale = load_rules()["stale_after_days"]
    if as_of and day > as_of:
        yield "RB04", line, f"last updated {day}, which lies ahead of {as_of}"
    elif as_of and (as_of - day).days > stale:
        yield "RB04", line, f"last updated {(as_of - day).days} days ago; {stale} are allowed"


def _promise(text: str, line: int) -> Raised:
    if not text:
        return
    clock = re.search(load_rules()["clock_with_zone"], text)
    if clock:
        try:
            ZoneInfo(clock["zone"])
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield "RB05", line, f'there is no zone "{clock["zone"]}"'
    elif re.search(r"\d\s*(?:am|pm)\b|\d\d:\d\d", text, re.I):
        yield "RB05", line, f'a time without a zone: "{text}"'
    else:
        try:
            objectives.parse(text)
        except ValueError:
            yield "RB05", line, f'not a promise that can be measured: "{text}"'


def _alerts(runbook: Runbook, context: Context) -> Raised:
    if context.alerts is None:
        return
    for section in runbook.responses:
        for name in section.alerts:
            fired = any(fnmatchcase(alert, name) for alert in context.alerts)
            if not fired and not name.startswith(context.subjects or " "):
                yield "RB06", section.line, f'no alert is called "{name}"'
    for alert in context.alerts:
        if not runbook.response(alert) and alert not in context.answered:
            yield "RB06", 1, f'nothing answers the alert "{alert}"'


def _responses(runbook: Runbook) -> Iterator[Section]:
    yield from (s for s in runbook.sections if s.kind in ("alerts", "rerun"))


def _each_step(runbook: Runbook) -> Iterator[tuple[Section, Step]]:
    for section in _responses(runbook):
        for step in section.steps:
            yield section, step


def _steps(runbook: Runbook) -> Raised:
    rules = load_rules()
    for section in _responses(runbook):
        if not section.steps:
            yield "RB07", section.line, f'"{section.title}" has no numbered steps'
        elif [step.number for step in section.steps] != list(range(1, len(section.steps) + 1)):
            numbers = ", ".join(str(step.number) for step in section.steps)
            yield "RB07", section.line, f"the steps are numbered {numbers}"
    for _, step in _each_step(runbook):
        word = next(iter(re.findall(r"[A-Za-z][\w'-]*", step.title)), "").lower()
        if word in rules["not_verbs"] or re.search(rules["noun_endings"], word):
            yield "RB07", step.line, f'step {step.number} begins with "{word}", not with a verb'
        looks = re.search(rules["diagnostic"], step.title, re.I)
        if looks and not step.outcomes:
            yield "RB08", step.line, f"step {step.number} looks, and nothing says what follows"


def _fences(runbook: Runbook) -> Iterator[Fence]:
    for section in runbook.sections:
        yield from section.fences


def _code(runbook: Runbook) -> Raised:
    rules = load_rules()
    known = {*rules["runnable"], *rules["shells"], *rules["pythons"], *rules["plain"]}
    for fence in _fences(runbook):
        if not fence.language:
            yield "RB09", fence.line, "code without a language"
        elif fence.language not in known:
            yield "RB09", fence.line, f'"{fence.language}" is a language that nothing here reads'
        elif error := commands.understand(fence).error:
            yield "RB09", *error
        if fence.language in rules["runnable"]:
            for number, line in enumerate(fence.text.splitlines()):
                if day := re.search(rules["hard_date"], line):
                    yield "RB12", fence.line + number, f"a date is written in: {day[0]}"


def _repairs(runbook: Runbook) -> Raised:
    rules = load_rules()
    for section in _responses(runbook):
        whole = " ".join(text for _, text in section.prose)
        parts = section.steps or (Step(0, section.line, section.title, whole, section.fences),)
        for position, step in enumerate(parts):
            changes = [c for f in step.fences for c in commands.understand(f).changes]
            notes = " ".join(line for f in step.fences for line in re.findall(r"[#-]+ .*", f.text))
            said = f"{step.text} {notes}"
            for line, command in changes:
                lacking = [n for n in ("warning", "undo") if not re.search(rules[n], said, re.I)]
                if lacking:
                    yield "RB10", line, f"`{command}` has no {' and no '.join(lacking)}"
            later = " ".join(after.title for after in parts[position + 1 :])
            within = re.sub(re.escape(step.title), "", step.text, count=1)
            if changes and not re.search(rules["verification"], f"{within} {notes} {later}", re.I):
                yield "RB13", changes[-1][0], f"nothing looks at what `{changes[-1][1]}` did"


def _placeholders(text: str, runbook: Runbook) -> Raised:
    rules = load_rules()
    lines = _COMMENT.sub(lambda m: "\n" * m[0].count("\n"), text).splitlines()
    explained = set(runbook.parameters)
    code = {n for f in _fences(runbook) for n in range(f.line, f.line + f.text.count("\n") + 1)}
    for number, line in enumerate(lines, 1):
        for match in re.finditer(rules["placeholder"], line, re.I):
            mark = match[0]
            name = mark.strip("<>{} ").lower()
            if mark.startswith("<"):
                spanned = any(a < match.start() < b for a, b in _spans(line))
                if number not in code and not spanned:
                    continue  # HTML, or an address
            if name not in explained and not _explains(lines, mark, code):
                explained.add(name)
                yield "RB11", number, f'"{mark}" is explained nowhere'


def _spans(line: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"`[^`]+`", line)]


def _explains(lines: list[str], mark: str, code: set[int]) -> bool:
    """Whether prose says where the value of `<name>` stands."""
    about = rf"{re.escape(mark)}|`{re.escape(mark.strip('<>{} '))}`"
    words = load_rules()["explained"]
    return mark[0] in "<{" and any(
        re.search(about, line, re.I) and re.search(words, line, re.I)
        for number, line in enumerate(lines, 1)
        if number not in code and not re.search(r"`[^`]*\s[^`]*" + re.escape(mark), line)
    )


def _contacts(runbook: Runbook, context: Context) -> Raised:
    section = next((s for s in runbook.sections if s.kind == "contacts"), None)
    if section is not None and not runbook.contacts:
        yield "RB14", section.line, "the contacts are no table of situation, target, method"
    for contact in runbook.contacts:
        yield from _contact(contact, context)
    if runbook.contacts:
        targets = " | ".join(c.target.lower() for c in runbook.contacts)
        for _, step in _each_step(runbook):
            for outcome in step.outcomes:
                who = outcome.escalates
                if who == "":
                    yield "RB14", outcome.line, "it does not say to whom to escalate"
                elif who and not _mentions(who, targets):
                    yield "RB14", outcome.line, f'"{who}" is not among the contacts'


def _mentions(who: str, targets: str) -> bool:
    """Whether a contact is meant: the same words, without "the", "team" and "on-call"."""
    plain = r"\b(?:the|team|on-call|oncall|rota)\b"
    words = re.sub(plain, " ", who.lower()).split()
    return bool(words) and all(re.search(rf"\b{re.escape(w)}\b", targets) for w in words)


def _contact(contact: Contact, context: Context) -> Raised:
    if not contact.target:
        yield "RB14", contact.line, f'nobody is named for "{contact.situation}"'
    for name in context.people:
        if re.search(rf"\b{re.escape(name)}\b", contact.target):
            yield "RB14", contact.line, f'a person in place of a role: "{name}"'
    if not re.search(load_rules()["reachable"], contact.method, re.I):
        yield "RB14", contact.line, f'"{contact.method}" is no way to reach somebody'


def _secrets(text: str) -> Raised:
    rules = load_rules()
    for number, line in enumerate(text.splitlines(), 1):
        if any(re.search(form, line) for form in rules["secrets"]):
            yield "RB15", number, "a secret, or what looks like one"
        plain = re.sub(rules["hard_date"] + r"|https?://\S+", "", line)
        if re.search(r"\b(?:phone|call|mobile|cell|tel)\b", plain, re.I) and (
            phone := re.search(rules["phone"], plain)
        ):
            yield "RB15", number, f"a phone number: {phone[0].strip()[:4]}…"


def _endings(runbook: Runbook) -> Raised:
    for section in runbook.responses:
        if not section.steps:
            continue  # RB07 has said so
        ways = paths.graph(runbook, section)
        for edge in ways.unending:
            if edge.end == paths.OPEN:
                message = f"step {edge.start.number} leaves open what comes after: {edge.reason}"
            else:
                message = f"from step {edge.start.number} the way only goes round in circles"
            yield "RB16", edge.line, message


def _words(text: str) -> Raised:
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        fenced = fenced != bool(_FENCED.match(line))
        if not fenced:
            for form in load_rules()["rules"]["RB17"]["patterns"]:
                if word := re.search(form, line, re.I):
                    yield "RB17", number, f'"{word[0]}"'


def _links(runbook: Runbook, context: Context) -> Raised:
    for line, target in runbook.links:
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z][a-z0-9+.-]*:|//|/", target, re.I):
            continue
        if not path and anchor and anchor.lower() not in runbook.anchors:
            yield "RB18", line, f'there is no heading "#{anchor}"'
        elif path and context.exists is not None and not context.exists(path):
            yield "RB18", line, f'there is no file "{path}"'
