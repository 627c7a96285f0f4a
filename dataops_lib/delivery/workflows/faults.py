"""What is wrong with a workflow: each fault with its line, its reason and how to fix it.

lint(workflow) -> list[Problem]      `field` is the rule, data/playbook/workflow_rules.yaml
zizmor(path) -> list[Problem]        what zizmor says of the file, None where it is missing
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from dataops_lib.delivery.workflows import expressions, simulation, workflow
from dataops_lib.delivery.workflows.workflow import Job, Step, Workflow
from dataops_lib.errors import Problem

SECONDS = 60


@dataclass(frozen=True)
class Command:
    """One command of a step's script: its words, and the line of the file on which it begins."""

    words: tuple[str, ...]
    line: int

    @property
    def name(self) -> str:
        """The program, without its folder."""
        return Path(self.words[0]).name

    def __str__(self) -> str:
        return f"`{' '.join(self.words[:4])}{' ...' if len(self.words) > 4 else ''}`"


def lint(checked: Workflow) -> list[Problem]:
    """Faults of a workflow, in the order of its lines."""
    rules = workflow.rules()
    problems = [
        Problem(
            checked.file,
            line,
            name,
            rules["rules"][name]["text"].format(**values),
            rules["rules"][name]["fix"].format(**values),
        )
        for name, line, values in _faults(checked, rules)
    ]
    return sorted(set(problems), key=lambda problem: (problem.line or 0, problem.field))


Fault = tuple[str, int | None, dict[str, Any]]


def _faults(checked: Workflow, rules: Mapping[str, Any]) -> Iterator[Fault]:
    yield from _path_filters(checked, rules)
    yield from _never(checked)
    data = checked.located.data
    if "permissions" not in data and any(
        "permissions" not in j.data for j in checked.jobs.values()
    ):
        yield "CI11", checked.located.line(("jobs",)), {}
    for job in checked.jobs.values():
        yield from _job_faults(checked, job, rules)


def _job_faults(checked: Workflow, job: Job, rules: Mapping[str, Any]) -> Iterator[Fault]:
    cloned = installed = "container" in job.data
    missing: set[str] = set()
    for step in job.steps:
        cloned |= step.uses.endswith("/checkout")
        installed |= bool(step.uses) and not step.uses.startswith(("actions/", "./"))
        yield from _spliced(checked, step, rules)
        yield from _always_true(checked, job, step)
        names = f"{step.data.get('name') or ''} {step.script}"
        if "schedule" not in checked.triggers and re.search("(?i)(?<![a-z])nightly", names):
            first = next((line for line, text in _lines(checked, step) if "nightly" in text), None)
            yield "CI07", first or step.line, {"where": _title(step)}
        for command in commands(checked, step, rules["wrappers"]):
            cloned |= command.words[:2] == ("git", "clone")
            values = {"command": command, "job": job.name}
            if not cloned and _reads_repository(command, rules):
                yield "CI01", command.line, values
                cloned = True  # once for each job
            if not installed and command.name in rules["not_on_runner"]:
                if command.name not in missing:
                    yield "CI02", command.line, values | {"command": command.name}
                missing.add(command.name)
            installed |= command.name in rules["installers"]
            yield from _dbt_faults(checked, job, step, command, rules)
            for removed in rules["removed"]:
                if re.match(removed["command"], " ".join(command.words)):
                    yield "CI08", command.line, {"command": command, **removed} | values
    yield from _lonely_accounts(checked, job)


def _reads_repository(command: Command, rules: Mapping[str, Any]) -> bool:
    if command.name.startswith("python"):
        return any(word.endswith(".py") for word in command.words[1:])
    return command.name in rules["reads_repository"] or command.words[0].startswith("./")


def _dbt_faults(
    checked: Workflow, job: Job, step: Step, command: Command, rules: Mapping[str, Any]
) -> Iterator[Fault]:
    if command.name != "dbt":
        return
    words = " ".join(command.words)
    compares = re.findall(r"state:[\w+.]+|--defer\b", words)
    variables = {v for place in (checked.located.data, job.data, step.data) for v in _env(place)}
    if compares and "--state" not in words and not variables.intersection(rules["state_variables"]):
        yield "CI03", command.line, {"command": command, "words": ", ".join(compares)}
    if command.words[1:2] == ("run",) and re.search(r"(?:--target|-t)[ =]prod", words):
        yield "CI10", command.line, {"command": command}


def _spliced(checked: Workflow, step: Step, rules: Mapping[str, Any]) -> Iterator[Fault]:
    for line, text in _lines(checked, step):
        for context in expressions.contexts_in(text):
            if any(fnmatchcase(context, pattern) for pattern in rules["untrusted"]):
                yield "CI04", line, {"context": context}
            if context.startswith("secrets."):
                yield "CI05", line, {"context": context}


def _always_true(checked: Workflow, job: Job, step: Step) -> Iterator[Fault]:
    if expressions.condition(job.condition)[1] and step is job.steps[0]:
        line = checked.located.line(("jobs", job.name, "if"))
        yield "CI13", line, {"where": f"job {job.name}"}
    if expressions.condition(str(step.data.get("if") or ""))[1]:
        yield "CI13", checked.located.line((*step.path, "if")), {"where": _title(step)}


def _path_filters(checked: Workflow, rules: Mapping[str, Any]) -> Iterator[Fault]:
    steps = [step for job in checked.jobs.values() for step in job.steps]
    texts = "\n".join(f"{step.data.get('name') or ''}\n{step.script}" for step in steps)
    paths = [
        (entry["path"], entry["pattern"])
        for entry in rules["checked_paths"]
        if re.search(entry["when"], texts, re.IGNORECASE)
    ]
    for step in steps:
        for command in commands(checked, step, rules["wrappers"]):
            paths += [(word, word) for word in command.words if re.fullmatch(r"[\w/.-]+\.py", word)]
    for name in ("pull_request", "push"):
        trigger = checked.triggers.get(name, {})
        if not trigger.get("paths"):
            continue
        line = checked.located.line(("on", name, "paths"))
        for path, pattern in dict(paths).items():
            if not simulation.matches(path, workflow.names(trigger["paths"])):
                yield "CI06", line, {"event": name, "path": path, "pattern": pattern}


def _never(checked: Workflow) -> Iterator[Fault]:
    never = simulation.never_run(checked)
    for name in never:
        job = checked.jobs[name]
        line = checked.located.line(("jobs", name, "needs" if job.needs else "if"))
        values = {"job": name, "why": "no event of `on` fulfils its condition"}
        values["repair"] = "change the condition, or add the event to `on:`"
        if lost := [need for need in job.needs if need in never]:
            values["why"] = f"it needs {', '.join(lost)}, which never runs"
            values["repair"] = "mend that job first"
        elif narrow := [need for need in job.needs if checked.jobs[need].condition]:
            text = " and ".join(
                f"{need} runs only if `{checked.jobs[need].condition}`" for need in narrow
            )
            values["why"] = f"{text}, and it runs itself only if `{job.condition or 'success()'}`"
            values["repair"] = f"let {', '.join(narrow)} run for the same events as {name}"
        yield "CI09", line, values


def _lonely_accounts(checked: Workflow, job: Job) -> Iterator[Fault]:
    login = re.compile("USER|PASSWORD|TOKEN|KEY|AUTH|CREDENTIAL")
    for step in job.steps:
        around = [
            name for place in (checked.located.data, job.data, step.data) for name in _env(place)
        ]
        for name in _env(step.data):
            if name.endswith("_ACCOUNT") and not any(map(login.search, around)):
                yield "CI12", checked.located.line((*step.path, "env", name)), {"variable": name}


def _env(place: Mapping[str, Any]) -> list[str]:
    """Names of the environment variables of a workflow, a job or a step."""
    variables = place.get("env")
    return list(variables) if isinstance(variables, dict) else []


def _title(step: Step) -> str:
    return repr(str(step.data.get("name") or step.uses or step.script.partition("\n")[0]))


def _lines(checked: Workflow, step: Step) -> Iterator[tuple[int, str]]:
    """The lines of a step's script, as numbered in the file."""
    first = (checked.located.line((*step.path, "run")) or step.line) + ("\n" in step.script)
    yield from enumerate(step.script.split("\n"), first)


@cache
def _parser() -> Any:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


def commands(checked: Workflow, step: Step, wrappers: list[str]) -> Iterator[Command]:
    """The commands of a step's script, as bash reads them, without sudo and the like."""
    if not step.script or str(step.data.get("shell") or "bash").split()[0] not in ("bash", "sh"):
        return
    source = expressions.SPLICED.sub("EXPRESSION", step.script).encode()
    first = next(line for line, _ in _lines(checked, step))
    waiting = [_parser().parse(source).root_node]
    while waiting:
        node = waiting.pop(0)
        waiting[:0] = node.children
        if node.type != "command":
            continue
        words = [
            child.text.decode().strip("\"'")
            for child in node.children
            if child.type not in ("variable_assignment", "file_redirect", "herestring_redirect")
        ]
        while len(words) > 1 and words[0] in wrappers:
            words = words[2:] if words[1] == "run" else words[1:]
            if words and words[0].startswith("-"):
                break
        if words[:1] in (["python"], ["python3"]) and words[1:2] == ["-m"]:
            words = words[2:]
        if words:
            yield Command(tuple(words), first + node.start_point[0])


def zizmor(path: Path) -> list[Problem] | None:
    """What zizmor says of a workflow file, without any network; None where it is not installed."""
    program = shutil.which("zizmor") or shutil.which(
        "zizmor", path=str(Path(sys.executable).parent)
    )
    if program is None:
        return None
    command = [program, "--offline", "--no-config", "--format", "json", "--", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
    problems = []
    for entry in json.loads(done.stdout or "[]"):
        place = next(p for p in entry["locations"] if p["symbolic"]["kind"] == "Primary")
        line = place["concrete"]["location"]["start_point"]["row"] + 1
        problems.append(
            Problem(path.name, line, entry["ident"], entry["desc"], f"see {entry['url']}")
        )
    return problems
