"""Stages that run one after another: a red one stops the rest, and the log says why.

walk([("lint", lint), ...]) -> Run       each stage returns findings, or says why it is skipped
log, junit, github_annotations           the same run for people, for CI servers, for GitHub
"""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from dataops_lib.errors import DataOpsError, Problem, TeamError
from dataops_lib.finding import Finding, worst_first

State = Literal["green", "red", "unknown", "skipped"]
MOST = 10  # findings of one stage in the log; the JUnit file holds all
MARKS = {"green": "✔", "red": "✖", "unknown": "○", "skipped": "–"}


class Skipped(Exception):
    """Raised by a stage that has nothing to do, with the reason."""


@dataclass(frozen=True)
class Stage:
    """How one stage went; `why` says in a sentence what decided it."""

    name: str
    state: State
    why: str
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Run:
    """All stages in their order; true when none is red."""

    stages: tuple[Stage, ...]

    def __bool__(self) -> bool:
        return self.red is None

    @property
    def red(self) -> str | None:
        """The stage that stopped the run, None when none did."""
        return next((stage.name for stage in self.stages if stage.state == "red"), None)

    def __getitem__(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)


Work = Callable[[], Sequence[Finding]]


def walk(
    todo: Sequence[tuple[str, Work]],
    *,
    until: str | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Run:
    """Run stages in their order; after a red one, or after `until`, the others are skipped."""
    done: list[Stage] = []
    stop = ""
    for name, work in todo:
        if stop:
            done.append(Stage(name, "skipped", stop))
            continue
        started = clock()
        stage = _stage(name, work)
        done.append(Stage(name, stage.state, stage.why, stage.findings, clock() - started))
        if stage.state == "red":
            stop = f"{name} is red"
        elif name == until:
            stop = f"only asked for until {until}"
    return Run(tuple(done))


def _stage(name: str, work: Work) -> Stage:
    try:
        findings = tuple(worst_first(work()))
    except Skipped as reason:
        return Stage(name, "skipped", str(reason))
    except TeamError as error:
        findings = tuple(map(finding_of, error.problems))
    except DataOpsError as error:
        findings = (Finding(name, "fail", str(error), "Correct it, then run again"),)
    bad = [finding for finding in findings if finding.status == "fail"]
    if bad:
        more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        return Stage(name, "red", f"{bad[0].subject}: {bad[0].evidence}{more}", findings)
    if findings and all(finding.status == "unknown" for finding in findings):
        return Stage(name, "unknown", f"{findings[0].subject}: {findings[0].evidence}", findings)
    warnings = sum(finding.status != "ok" for finding in findings)
    hint = f", {warnings} to look at" if warnings else ""
    return Stage(name, "green", f"{len(findings)} looked at{hint}", findings)


def finding_of(problem: Problem) -> Finding:
    """A mistake in a file as a finding; `numbers` say where it stands."""
    place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
    numbers = {"file": problem.file, "line": problem.line or 1}
    text = f"{problem.field}: {problem.message}" if problem.field else problem.message
    return Finding(place, "fail", text, problem.fix, numbers)


def log(run: Run) -> Iterator[str]:
    """A line for each stage, and below it one for each finding that is not ok."""
    for stage in run.stages:
        time_taken = f" ({stage.seconds:.1f} s)" if stage.seconds else ""
        yield _plain(f"{MARKS[stage.state]} {stage.name}: {stage.state}. {stage.why}{time_taken}")
        open_ends = [finding for finding in stage.findings if finding.status != "ok"]
        for finding in open_ends[:MOST]:
            text = f"{finding.status}: {finding.subject}: {finding.evidence}. {finding.next_step}"
            yield "    " + _plain(text)
        if len(open_ends) > MOST:
            yield f"    and {len(open_ends) - MOST} more"


def _plain(text: str) -> str:
    """One line without control characters: a commit subject must not write a log of its own."""
    return re.sub(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]+", " ", text)


def junit(run: Run, suite: str) -> str:
    """The run as JUnit XML: a suite for each stage, a case for each finding."""
    root = ElementTree.Element("testsuites", name=_plain(suite))
    for stage in run.stages:
        findings = stage.findings or (Finding(stage.name, "ok", stage.why, ""),)
        parent = ElementTree.SubElement(
            root, "testsuite", name=stage.name, tests=str(len(findings)),
            failures=str(sum(finding.status == "fail" for finding in stage.findings)),
            skipped=str(len(findings) if stage.state == "skipped" else 0),
            time=f"{stage.seconds:.3f}",
        )  # fmt: skip
        for finding in findings:
            name = {"name": _plain(finding.subject), "classname": stage.name}
            case = ElementTree.SubElement(parent, "testcase", name)
            if stage.state == "skipped" or finding.status in ("fail", "unknown"):
                kind = "failure" if finding.status == "fail" else "skipped"
                message = _plain(f"{finding.evidence}. {finding.next_step}".strip(". "))
                ElementTree.SubElement(case, kind, message=message)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def github_annotations(run: Run, folder: str = "") -> Iterator[str]:
    """What GitHub shows beside the lines of a pull request; `folder` is where the files are."""
    for stage in run.stages:
        for finding in stage.findings:
            if not finding.is_bad:
                continue
            level = "error" if finding.status == "fail" else "warning"
            values = {k: finding.numbers[k] for k in ("file", "line") if k in finding.numbers}
            values |= {"file": f"{folder}{values['file']}"} if "file" in values else {}
            values |= {"title": f"{stage.name}: {finding.subject}"}
            told = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in values.items())
            yield f"::{level} {told}::{_escaped(f'{finding.evidence}. {finding.next_step}')}"


def _escaped(text: str, more: str = "") -> str:
    """Text as GitHub's workflow commands take it, so that it cannot begin one of its own."""
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
