"""A GitHub workflow file, read and checked as GitHub does.

`loads` reports all mistakes, each with its line. `on` is a word here, as YAML 1.2 has it; readers
of YAML 1.1 turn that key into `true`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

from cronsim import CronSim, CronSimError

from dataops_lib import playbook, yaml_lines
from dataops_lib.delivery.workflows import expressions
from dataops_lib.delivery.workflows.expressions import UNKNOWN
from dataops_lib.errors import Problem, TeamError
from dataops_lib.yaml_lines import Located, Path

CONTEXTS = ("github", "needs", "vars", "inputs")  # what the condition of a job can read
_SOME_DAY = datetime(2013, 1, 1, tzinfo=UTC)
JOB_KEYS = (
    "name", "permissions", "needs", "if", "runs-on", "environment", "concurrency", "outputs",
    "env", "defaults", "steps", "timeout-minutes", "strategy", "continue-on-error", "container",
    "services", "uses", "with", "secrets", "snapshot",
)  # fmt: skip
TOP_KEYS = ("name", "run-name", "on", "permissions", "env", "defaults", "concurrency", "jobs")
FILTERS = ("branches", "tags", "paths")


@dataclass(frozen=True)
class Step:
    """One step of a job; `line` is where it begins in the file, `path` where it stands in it."""

    line: int
    path: Path
    data: Mapping[str, Any]

    @property
    def uses(self) -> str:
        """The action, without its version."""
        return str(self.data.get("uses") or "").partition("@")[0]

    @property
    def script(self) -> str:
        """What the shell is given."""
        return str(self.data.get("run") or "")


@dataclass(frozen=True)
class Job:
    """One job: what it needs, on which condition it runs, and its steps."""

    name: str
    line: int
    needs: tuple[str, ...]
    condition: str
    steps: tuple[Step, ...]
    data: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Workflow:
    """A workflow as its file says it; jobs stand in the order in which they can run."""

    file: str
    name: str
    triggers: Mapping[str, Mapping[str, Any]]
    jobs: Mapping[str, Job]
    located: Located = field(repr=False)

    def ancestors(self, job: str) -> set[str]:
        """Every job that `job` waits for, directly or not."""
        needs = set(self.jobs[job].needs)
        return needs.union(*(self.ancestors(name) for name in needs))


def loads(text: str, file: str) -> Workflow:
    """Read a workflow.

    Raises
    ------
    TeamError
        With every mistake for which GitHub would refuse the file: keys and events that it does not
        know, jobs without a runner, needs that name no job, circles, conditions it cannot read.
    """
    located = yaml_lines.loads(text, file)
    data = located.data
    if not isinstance(data, dict) or not isinstance(data.get("jobs"), dict):
        fix = "write `on:` and `jobs:` as GitHub's workflow syntax has them"
        raise TeamError([Problem(file, None, "jobs", "there are no jobs", fix)])
    if "True" in data:  # `%YAML 1.1` reads the key `on` as true
        data["on"] = data.pop("True")
    triggers = _triggers(data.get("on"))
    jobs = {name: _job(located, name, job) for name, job in data["jobs"].items()}
    problems = [*_trigger_problems(located, triggers), *_unknown_keys(located, (), data, TOP_KEYS)]
    for job in jobs.values():
        problems += _job_problems(located, job, jobs)
    order: list[str] = []
    try:
        order = list(
            TopologicalSorter({name: job.needs for name, job in jobs.items()}).static_order()
        )
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        fix = "remove one of these needs"
        problems.append(located.problem(("jobs",), f"jobs wait for each other: {circle}", fix))
    if problems:
        raise TeamError(problems)
    ordered = {name: jobs[name] for name in order}
    return Workflow(file, str(data.get("name") or file), triggers, ordered, located)


def _triggers(on: Any) -> dict[str, Mapping[str, Any]]:
    if isinstance(on, str):
        return {on: {}}
    if isinstance(on, list):
        return {str(name): {} for name in on}
    entries = on.items() if isinstance(on, dict) else ()
    return {
        name: {"crons": value} if isinstance(value, list) else dict(value or {})
        for name, value in entries
        if isinstance(value, dict | list | None)
    }


def _job(located: Located, name: str, job: Any) -> Job:
    data = job if isinstance(job, dict) else {}
    steps = tuple(
        Step(located.line(path) or 0, path, step if isinstance(step, dict) else {})
        for index, step in enumerate(data.get("steps") or ())
        if (path := ("jobs", name, "steps", index))
    )
    needs = names(data.get("needs"))
    condition = expressions.text_of(data["if"]) if "if" in data else ""
    return Job(name, located.line(("jobs", name)) or 0, needs, condition, steps, data)


def names(value: Any) -> tuple[str, ...]:
    """One name or a list of names, as a tuple."""
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),) if value else ()


def _unknown_keys(
    located: Located, path: Path, data: Mapping[str, Any], keys: Sequence[str]
) -> list[Problem]:
    problems = []
    for key in data:
        if key not in keys and not key.startswith("x-"):
            near = difflib.get_close_matches(key, keys, n=1)
            fix = f"write `{near[0]}`" if near else f"remove it; GitHub knows {', '.join(keys)}"
            problems.append(located.problem((*path, key), "is not a key that GitHub knows", fix))
    return problems


def _trigger_problems(located: Located, triggers: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    events = rules()["events"]
    if not triggers:
        return [located.problem(("on",), "names no event", "write for example `on: pull_request`")]
    problems = []
    for name, trigger in triggers.items():
        if name not in events:
            near = difflib.get_close_matches(name, events, n=1)
            fix = f"write `{near[0]}`" if near else "see GitHub's list of events"
            problems.append(located.problem(("on", name), "is not an event of GitHub", fix))
        for key in FILTERS:
            if key in trigger and f"{key}-ignore" in trigger:
                fix = f"use `{key}` alone, with `!` before what it is to leave out"
                text = f"stands beside {key}-ignore, and GitHub takes only one of them"
                problems.append(located.problem(("on", name, key), text, fix))
        for index, entry in enumerate(trigger.get("crons", ())):
            try:
                CronSim(str(entry.get("cron")), _SOME_DAY)
            except (CronSimError, AttributeError) as error:
                fix = 'write for example `- cron: "0 6 * * *"`'
                problems.append(located.problem(("on", name, index), f"no schedule ({error})", fix))
    return problems


def _job_problems(located: Located, job: Job, jobs: Mapping[str, Job]) -> list[Problem]:
    path: Path = ("jobs", job.name)
    problems = _unknown_keys(located, path, job.data, JOB_KEYS)
    if "runs-on" not in job.data and "uses" not in job.data:
        fix = "write `runs-on: ubuntu-latest`, or `uses:` for a workflow that can be called"
        problems.append(located.problem(path, "has no runner", fix))
    for name in job.needs:
        if name not in jobs:
            near = difflib.get_close_matches(name, jobs, n=1)
            fix = f"write `{near[0]}`" if near else f"the jobs are {', '.join(jobs)}"
            problems.append(located.problem((*path, "needs"), f"there is no job {name!r}", fix))
    for step in job.steps:
        if ("run" in step.data) == ("uses" in step.data):
            text = "has both `run` and `uses`" if "run" in step.data else "does nothing"
            problems.append(located.problem(step.path, text, "give each step either run or uses"))
    try:
        text, _ = expressions.condition(job.condition or "true")
        status = dict.fromkeys(("success", "failure", "cancelled", "always"), lambda: UNKNOWN)
        expressions.evaluate(text, dict.fromkeys(CONTEXTS, UNKNOWN), status)
    except ValueError as error:
        fix = "see GitHub's page on expressions"
        problems.append(located.problem((*path, "if"), f"the condition {error}", fix))
    return problems


@cache
def rules() -> Mapping[str, Any]:
    """What is known about GitHub, and the rules of the lint."""
    name = "workflow_rules.yaml"
    data: Mapping[str, Any] = yaml_lines.loads(playbook.text(name), name).data
    return data
