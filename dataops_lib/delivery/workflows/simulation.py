"""A workflow run on paper: what does an event run, what does it skip, what can never run?

    simulate(workflow, event) -> {job: outcome}

A job is skipped "for ever" (`never`) when no event that starts the workflow can run it, however
the jobs before it end. In `simulate` all jobs that run are taken to succeed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from dataops_lib.delivery.workflows import expressions
from dataops_lib.delivery.workflows.expressions import UNKNOWN, Partial, Unknown, truth
from dataops_lib.delivery.workflows.workflow import CONTEXTS, Workflow, names

Outcome = Literal["runs", "skipped", "never", "unknown"]
Maybe = bool | Unknown


@dataclass(frozen=True)
class Event:
    """What happens to a repository; what is left out is UNKNOWN, `paths` are the changed files."""

    name: str
    ref: str | Unknown = UNKNOWN
    base: str | Unknown = UNKNOWN
    paths: tuple[str, ...] | None = None
    action: str | Unknown = UNKNOWN
    cron: str | Unknown = UNKNOWN
    inputs: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.name == "push":
            kind, _, where = str(self.ref).removeprefix("refs/").partition("/")
            return f"tag {where}" if kind == "tags" else f"push to {where}"
        changed = f" changing {', '.join(self.paths)}" if self.paths else ""
        return self.name.replace("_", " ") + changed


def pull_request(*paths: str, base: str = "main", action: str = "opened") -> Event:
    """A pull request to `base` that changes `paths`."""
    return Event("pull_request", "refs/pull/1/merge", base, paths, action)


def push(branch: str = "main", *paths: str) -> Event:
    """A push to a branch; without `paths` it is not told which files it changes."""
    return Event("push", f"refs/heads/{branch}", paths=paths or None)


def tag(name: str) -> Event:
    """A push of a tag."""
    return Event("push", f"refs/tags/{name}")


def schedule(cron: str | Unknown = UNKNOWN, branch: str = "main") -> Event:
    """The clock, which uses the default branch."""
    return Event("schedule", f"refs/heads/{branch}", cron=cron)


def simulate(workflow: Workflow, event: Event) -> dict[str, Outcome]:
    """Say for each job whether `event` runs it.

    Returns
    -------
    dict
        "runs"; "skipped" by this event; "never", if no event that starts the workflow can run the
        job; "unknown", if it depends on what only a run tells, such as an output or a variable.
    """
    never = never_run(workflow)
    words: dict[Maybe, Outcome] = {True: "runs", False: "skipped", UNKNOWN: "unknown"}
    decisions = _decisions(workflow, event, may_fail=False)
    return {
        job: "never" if runs is False and job in never else words[runs]
        for job, runs in decisions.items()
    }


def never_run(workflow: Workflow) -> set[str]:
    """Jobs that no event of the workflow can run, however the jobs before them end."""
    possible: set[str] = set()
    for name, trigger in workflow.triggers.items():
        for event in _any_of(name, trigger):
            decisions = _decisions(workflow, event, may_fail=True)
            possible |= {job for job, runs in decisions.items() if runs is not False}
    return set(workflow.jobs) - possible


def _any_of(name: str, trigger: Mapping[str, Any]) -> list[Event]:
    """Events that stand for all that a trigger lets in; what differs among them is UNKNOWN."""
    if name.startswith("pull_request"):
        event = Event(name, "refs/pull/1/merge" if name == "pull_request" else UNKNOWN)
        bases = [_only(pattern, "") for pattern in names(trigger.get("branches"))]
        return [replace(event, base=base) for base in bases or [UNKNOWN]]
    if name != "push":
        return [Event(name)]
    refs = [
        _only(pattern, f"refs/{kind}/")
        for key, kind in (("branches", "heads"), ("tags", "tags"))
        for pattern in names(trigger.get(key))
    ]
    return [Event(name, ref) for ref in refs or [UNKNOWN]]


def _only(pattern: str, prefix: str) -> str | Unknown:
    """The one name that a filter lets in; UNKNOWN for a filter with wildcards."""
    return UNKNOWN if re.search(r"[*?+!\[\\]", pattern) else prefix + pattern


def _decisions(workflow: Workflow, event: Event, *, may_fail: bool) -> dict[str, Maybe]:
    started, contexts = starts(workflow, event), _contexts(event)
    decisions: dict[str, Maybe] = {}
    results: dict[str, Any] = {}
    for name, job in workflow.jobs.items():
        before = [results[ancestor] for ancestor in workflow.ancestors(name)]
        contexts["needs"] = {n: {"result": results[n], "outputs": Partial()} for n in job.needs}
        runs = _both(started, _decide(job.condition, before, contexts, may_fail=may_fail))
        decisions[name] = runs
        is_open = runs is UNKNOWN or (runs is True and may_fail)
        results[name] = UNKNOWN if is_open else "success" if runs else "skipped"
    return decisions


def _both(*answers: Maybe) -> Maybe:
    if any(answer is False for answer in answers):
        return False
    return True if all(answer is True for answer in answers) else UNKNOWN


def _decide(
    condition: str, before: Sequence[Any], contexts: Mapping[str, Any], *, may_fail: bool
) -> Maybe:
    """Whether a job runs after the results of all jobs before it, skipped ones included.

    GitHub's success() looks at every ancestor, so that a job is skipped when one far above it was,
    even if the job between has run (actions/runner, issue 2205).
    """
    is_open = any(result is UNKNOWN for result in before)
    succeeded = False if "skipped" in before else UNKNOWN if is_open else True
    functions = {
        "success": lambda: succeeded,
        "failure": lambda: UNKNOWN if may_fail and is_open else False,
        "cancelled": lambda: UNKNOWN if may_fail else False,
        "always": lambda: True,
    }
    text, _ = expressions.condition(condition or "success()")
    value = truth(expressions.evaluate(text, contexts, functions))
    return value if expressions.asks_for_status(text) else _both(value, succeeded)


# Parts of an event's payload, and how the names of the events begin that carry them.
_PAYLOADS: dict[str, str | tuple[str, ...]] = {
    "pull_request": "pull_request", "release": "release", "issue": "issue", "head_commit": "push",
    "comment": ("issue_comment", "commit_comment", "pull_request_review_comment"),
    "workflow_run": "workflow_run",
}  # fmt: skip


def _contexts(event: Event) -> dict[str, Any]:
    """What an event tells to conditions; the rest of the contexts is UNKNOWN."""
    absent = [part for part, kinds in _PAYLOADS.items() if not event.name.startswith(kinds)]
    payload = Partial(dict.fromkeys(absent), action=event.action, schedule=event.cron)
    github = Partial(event_name=event.name, event=payload, ref=event.ref)
    if not isinstance(event.ref, Unknown):
        kind, _, github["ref_name"] = event.ref.removeprefix("refs/").partition("/")
        github["ref_type"] = "tag" if kind == "tags" else "branch"
    if event.name.startswith("pull_request"):
        github["base_ref"] = event.base
    else:
        github["base_ref"] = github["head_ref"] = ""
    payload["inputs"] = Partial(event.inputs)
    values = {"github": github, "vars": Partial(event.variables), "inputs": payload["inputs"]}
    return {name: values.get(name, UNKNOWN) for name in CONTEXTS}


def starts(workflow: Workflow, event: Event) -> Maybe:
    """Whether the filters of `on` let the event start the workflow."""
    trigger = workflow.triggers.get(event.name)
    if trigger is None:
        return False
    crons = [entry.get("cron") for entry in trigger.get("crons", ())]
    clock = event.name != "schedule" or event.cron is UNKNOWN or event.cron in crons
    return _both(clock, _action(event, trigger), _ref(event, trigger), _paths(event, trigger))


def _action(event: Event, trigger: Mapping[str, Any]) -> bool:
    usual = ("opened", "synchronize", "reopened") if event.name.startswith("pull_request") else ()
    types = names(trigger.get("types")) or usual
    return not types or event.action is UNKNOWN or event.action in types


def _ref(event: Event, trigger: Mapping[str, Any]) -> bool:
    name, key = event.base, "branches"
    if event.name == "push" and not isinstance(event.ref, Unknown):
        kind, _, name = event.ref.removeprefix("refs/").partition("/")
        key, other = ("tags", "branches") if kind == "tags" else ("branches", "tags")
        if not _has(trigger, key) and _has(trigger, other):
            return False  # a filter on tags alone leaves branches out, and the other way round
    elif not event.name.startswith("pull_request"):
        return True
    if isinstance(name, Unknown) or not _has(trigger, key):
        return True
    ignored = names(trigger.get(f"{key}-ignore"))
    return not matches(name, ignored) if ignored else matches(name, names(trigger.get(key)))


def _has(trigger: Mapping[str, Any], key: str) -> bool:
    return bool(trigger.get(key) or trigger.get(f"{key}-ignore"))


def _paths(event: Event, trigger: Mapping[str, Any]) -> Maybe:
    if not _has(trigger, "paths") or str(event.ref).startswith("refs/tags/"):
        return True
    if event.paths is None:
        return UNKNOWN
    if ignored := names(trigger.get("paths-ignore")):
        return any(not matches(path, ignored) for path in event.paths)
    return any(matches(path, names(trigger.get("paths"))) for path in event.paths)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a filter lets a name in; the last pattern that fits decides, `!` leaves out.

    Examples
    --------
    >>> matches("models/a/b.sql", ["models/**", "!models/a/**"]), matches("page.js", ["*.jsx?"])
    (False, True)
    """
    inside = False
    for pattern in patterns:
        if re.fullmatch(_regex(pattern.removeprefix("!")), name, re.DOTALL):
            inside = not pattern.startswith("!")
    return inside


def _regex(pattern: str) -> str:
    pieces = re.findall(r"\*\*/|\*\*|\*|\?|\+|\[[^\]]*\]|\\.|.", pattern, re.DOTALL)
    special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "?", "+": "+"}
    return "".join(
        special.get(piece) or (piece if len(piece) > 1 else re.escape(piece)) for piece in pieces
    )
