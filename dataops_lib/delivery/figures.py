"""The four figures of delivery: how often, how fast, how often it breaks, how soon it is mended.

    deployments(runs, commits) -> list[Deployment]    successful runs, and what each of them brought
    measure(deployments, outages, window) -> list[Figure]

Each figure carries its interval and its count; a figure without data is None, never 0. Sources: the
DORA guides on software delivery metrics (dora.dev) for what is counted; Garwood (1936) for the
interval of a rate, Clopper and Pearson (1934) for that of a share, order statistics for a median.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from dataops_lib.errors import Problem, TeamError
from dataops_lib.finding import Finding
from dataops_lib.service_levels import proof
from dataops_lib.windows import Window

WEEK = timedelta(days=7)
FEWEST_FOR_INTERVAL = 6  # a median of five values has no 95 % interval: 1 - 2 / 2**5 is 94 %
FEWEST_WEEKS = 8  # for a trend: with fewer, one odd week decides
CAUSED_WITHIN = timedelta(hours=24)  # an incident this soon after a deployment counts against it


@dataclass(frozen=True)
class CiRun:
    """One run of a workflow; times are UTC."""

    sha: str
    branch: str
    event: str
    workflow: str
    conclusion: str
    finished_at: datetime


@dataclass(frozen=True)
class Commit:
    """One commit of the history: when it was made, and what it was made from."""

    sha: str
    committed_at: datetime
    parents: tuple[str, ...]


@dataclass(frozen=True)
class Deployment:
    """One successful deploy, and how long each of its commits had waited for it."""

    sha: str
    deployed_at: datetime
    lead_times: tuple[timedelta, ...]


@dataclass(frozen=True)
class Figure:
    """One of the four: `value`, `low` and `high` in `unit`, from `count` observations."""

    name: str
    unit: str
    value: float | None
    low: float | None
    high: float | None
    count: int
    counted: str

    @property
    def finding(self) -> Finding:
        """The figure in a sentence; unknown without data."""
        if self.value is None:
            return Finding(self.name, "unknown", f"no {self.counted}", "Give delivery/runs.json")
        span = "too few for an interval"
        if self.low is not None and self.high is not None:
            span = f"95 % interval {_shown(self.low)} to {_shown(self.high)}"
        text = f"{_shown(self.value)} {self.unit} ({span}; {self.count} {self.counted})"
        numbers = {"value": self.value, "low": self.low, "high": self.high, "count": self.count}
        return Finding(self.name, "ok", text, "Compare with yourselves, not with others", numbers)


def _shown(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def read_runs(text: str, file: str = "runs.json") -> list[CiRun]:
    """What `gh run list --json headSha,headBranch,event,workflowName,conclusion,updatedAt` prints.

    Raises
    ------
    TeamError
        If it is not that, with the number of the run and the field.
    """
    fix = "export it again with gh run list --json " + ",".join([*_FIELDS.values(), "updatedAt"])
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise TeamError([Problem(file, None, "", f"is not JSON ({error})", fix)]) from None
    problems, runs = [], []
    for number, row in enumerate(rows if isinstance(rows, list) else [None], 1):
        values = row if isinstance(row, dict) else {}
        absent = [f for f in (*_FIELDS.values(), "updatedAt") if not isinstance(values.get(f), str)]
        try:
            texts = {name: str(values.get(field)) for name, field in _FIELDS.items()}
            runs.append(CiRun(**texts, finished_at=_time(values.get("updatedAt"))))
        except ValueError as error:
            absent = absent or [f"updatedAt ({error})"]
        if absent:
            problems.append(Problem(file, None, f"run {number}", f"has no {absent[0]}", fix))
    if problems:
        raise TeamError(problems)
    return runs


_FIELDS = {
    "sha": "headSha", "branch": "headBranch", "event": "event", "workflow": "workflowName",
    "conclusion": "conclusion",
}  # fmt: skip


def _time(text: Any) -> datetime:
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone")
    return moment


def read_commits(text: str, file: str = "commits.txt") -> list[Commit]:
    """What `git log --format="%H %cI %P"` prints.

    Raises
    ------
    TeamError
        If a line is something else.
    """
    commits, problems = [], []
    for number, line in enumerate(text.splitlines(), 1):
        sha, _, rest = line.partition(" ")
        time, _, parents = rest.partition(" ")
        try:
            if not re.fullmatch("[0-9a-f]{7,64}", sha):
                raise ValueError("it begins with no commit")
            commits.append(Commit(sha, _time(time), tuple(parents.split())))
        except ValueError as error:
            fix = 'write it with git log --format="%H %cI %P"'
            problems.append(Problem(file, number, "", f"is no commit ({error})", fix))
    if problems:
        raise TeamError(problems)
    return commits


def deployments(
    runs: Iterable[CiRun],
    commits: Iterable[Commit],
    *,
    workflow: str | None = None,
    branch: str = "main",
) -> list[Deployment]:
    """Successful runs on `branch`, oldest first, each with the commits that no earlier one had.

    A rerun for the same commit deploys nothing new and is not counted.
    """
    by_sha = {commit.sha: commit for commit in commits}
    good = [
        run
        for run in runs
        if run.conclusion == "success"
        and run.branch == branch
        and run.event in ("push", "workflow_dispatch", "schedule")
        and workflow in (None, run.workflow)
    ]
    done: list[Deployment] = []
    deployed: set[str] = set()
    for run in sorted(good, key=lambda run: run.finished_at):
        if run.sha in deployed:
            continue
        fresh = _ancestors(run.sha, by_sha) - deployed
        leads = sorted(run.finished_at - by_sha[sha].committed_at for sha in fresh)
        # What lay there before the first run that is known was deployed by one that is not.
        done.append(Deployment(run.sha, run.finished_at, tuple(leads) if done else ()))
        deployed |= fresh | {run.sha}
    return done


def _ancestors(sha: str, commits: Mapping[str, Commit]) -> set[str]:
    reached: set[str] = set()
    waiting = [sha]
    while waiting:
        current = waiting.pop()
        if current in commits and current not in reached:
            reached.add(current)
            waiting.extend(commits[current].parents)
    return reached


Outage = tuple[datetime, datetime | None]  # when it began, when all was well again; None: not yet


def measure(
    done: Sequence[Deployment] | None, outages: Sequence[Outage] | None, window: Window
) -> list[Figure]:
    """The four figures of `window`; None means that nobody knows, an empty list that none was."""
    inside = [d for d in done or () if window.start <= d.deployed_at < window.end]
    began = [outage for outage in outages or () if window.start <= outage[0] < window.end]
    weeks = (window.end - window.start) / WEEK
    frequency = Figure("deployment frequency", "a week", None, None, None, 0, "deployments")
    if done is not None:
        low, high = (bound / weeks for bound in _poisson(len(inside)))
        frequency = replace(
            frequency, value=len(inside) / weeks, low=low, high=high, count=len(inside)
        )
    leads = [lead / timedelta(hours=1) for d in inside for lead in d.lead_times]
    mended = [(end - start) / timedelta(hours=1) for start, end in began if end is not None]
    still = len(began) - len(mended)
    return [
        frequency,
        _median("lead time for changes", leads, "commits deployed"),
        _failures(inside, began if outages is not None else None),
        _median(
            "recovery time", mended, f"incidents mended{f', {still} still open' if still else ''}"
        ),
    ]


def _poisson(count: int) -> tuple[float, float]:
    """Garwood's exact 95 % interval of a count."""
    from scipy.stats import chi2

    low = float(chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    return low, float(chi2.ppf(0.975, 2 * count + 2)) / 2


def _median(name: str, hours: Sequence[float], counted: str) -> Figure:
    if not hours:
        return Figure(name, "hours", None, None, None, 0, counted)
    low, high = median_interval(hours)
    return Figure(name, "hours", statistics.median(hours), low, high, len(hours), counted)


def median_interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The 95 % interval of a median by order statistics; None where there are too few values.

    Examples
    --------
    >>> median_interval([1, 2, 3, 4, 5, 6]), median_interval([1, 2, 3])
    ((1, 6), (None, None))
    """
    from scipy.stats import binom

    if len(values) < FEWEST_FOR_INTERVAL:
        return None, None
    ordered = sorted(values)
    rank = int(binom.ppf(0.025, len(ordered), 0.5))  # P(fewer than `rank` lie below) <= 2.5 %
    return ordered[max(rank, 1) - 1], ordered[len(ordered) - max(rank, 1)]


def _failures(inside: Sequence[Deployment], began: Sequence[Outage] | None) -> Figure:
    """Share of deployments after which an incident began, within a day and before the next one."""
    if began is None or not inside:
        return Figure("change-fail rate", "%", None, None, None, 0, "deployments and incidents")
    failed = 0
    for number, deployment in enumerate(inside):
        end = deployment.deployed_at + CAUSED_WITHIN
        if number + 1 < len(inside):
            end = min(end, inside[number + 1].deployed_at)
        failed += any(deployment.deployed_at <= start < end for start, _ in began)
    low, high = proof.interval(failed, len(inside), "clopper-pearson")
    share = failed / len(inside)
    return Figure(
        "change-fail rate", "%", 100 * share, 100 * low, 100 * high, len(inside), "deployments"
    )


def weekly(done: Sequence[Deployment], window: Window) -> list[int]:
    """Deployments of each full week of `window`, oldest first; the last week ends with it."""
    weeks = int((window.end - window.start) / WEEK)
    edges = [window.end - WEEK * number for number in range(weeks, -1, -1)]
    return [sum(start <= d.deployed_at < end for d in done) for start, end in pairwise(edges)]


def trend(counts: Sequence[int]) -> str:
    """Whether weekly counts rise or fall, by Kendall's tau; nothing is said of too few weeks."""
    from scipy.stats import kendalltau

    if len(counts) < FEWEST_WEEKS:
        return f"No trend is told from {len(counts)} weeks; it takes {FEWEST_WEEKS}."
    if len(set(counts)) == 1:
        return f"The same in each of {len(counts)} weeks."
    result = kendalltau(range(len(counts)), counts)
    if result.pvalue >= 0.05:
        return f"No trend in {len(counts)} weeks (p = {result.pvalue:.2f})."
    word = "More" if result.statistic > 0 else "Fewer"
    return f"{word} from week to week in {len(counts)} weeks (p = {result.pvalue:.3f})."


def of_folder(folder: Path) -> list[Deployment] | None:
    """Deployments by delivery/runs.json and delivery/commits.txt of a team; None without them."""
    texts = []
    for name in ("runs.json", "commits.txt"):
        path = folder / "delivery" / name
        if not path.is_file():
            return None
        texts.append(path.read_text(encoding="utf-8"))
    return deployments(
        read_runs(texts[0], "delivery/runs.json"), read_commits(texts[1], "delivery/commits.txt")
    )
