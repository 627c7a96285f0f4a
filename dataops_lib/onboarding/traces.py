"""The traces that newcomers leave in git, and where their first month stands."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from dataops_lib.evidence import Observed
from dataops_lib.finding import Finding
from dataops_lib.onboarding import first_month
from dataops_lib.onboarding.first_month import Built, Commit, Log, Trial
from dataops_lib.onboarding.trials import tried
from dataops_lib.service_levels import sli
from dataops_lib.service_levels.measurements import Measurement, pooled
from dataops_lib.teams import Team, lineage
from dataops_lib.teams.models import Learner
from dataops_lib.windows import Window, midnight

SECONDS = 20  # a large history takes a second; what takes longer waits for something

FORMAT = "%x1e%cI%x1f%P%x1f%aN%x1f%aE" + "".join(
    f"%x1f%(trailers:key={key},valueonly,separator=%x1d)"
    for key in ("Reviewed-by", "Co-authored-by")
)

# Nothing that a repository configures may start a program, and nothing is fetched.
QUIET = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "--no-pager")


def findings(observed: Observed) -> tuple[Finding, ...]:
    """Where the first month of each newcomer stands, in the order of onboarding.yaml."""
    team = observed.team
    learners = [one for one in _learners(team) if one.started_on < team.as_of]
    if not learners:
        return ()
    known = [one.started_on for one in learners if one.git]
    first = midnight(min(known, default=team.as_of), team.zone)
    log = commits(team.folder, first, team.as_of_at) if known else Log(None)
    return tuple(finding for one in learners for finding in _month(observed, one, log))


def _learners(team: Team) -> Sequence[Learner]:
    return team.onboarding.learners if team.onboarding else ()


def _month(observed: Observed, learner: Learner, log: Log) -> list[Finding]:
    team = observed.team
    since = midnight(learner.started_on, team.zone)
    trial = tried(observed, learner.test) if learner.test else Trial()
    sights = {
        "test": first_month.see_test(learner, trial, log, since),
        "contract": first_month.see_contract(learner, team.contracts, log, since),
        "shift": first_month.see_shift(learner, team.rota, team.as_of_at),
        "pipeline": first_month.see_pipeline(learner, built(team, learner.pipeline), log, since),
        "reviews": first_month.see_reviews(learner, log, since),
        "runbook": first_month.see_runbook(learner, log, since),
    }
    judged = [
        first_month.judge(learner, task, sights[task.name], team.as_of)
        for task in first_month.TASKS
    ]
    return [first_month.clock(learner, judged, team.as_of), *judged]


def commits(folder: Path, since: datetime, until: datetime) -> Log:
    """Commits from `since` to before `until` that changed something in `folder`.

    Why they cannot be known is said, never raised: no git, no repository, a folder that git does
    not follow, a shallow clone (its oldest commit seems to have written everything), a time-out.
    """
    step = "Keep the team's folder in git, and run the report in a full clone"
    try:
        if not _git(folder, "ls-files", "--", "team.yaml").strip():
            return Log(None, "git does not follow this folder", step)
        if _git(folder, "rev-parse", "--is-shallow-repository").strip() != "false":
            return Log(None, "this clone is shallow and misses history", "git fetch --unshallow")
        earlier = since - timedelta(days=1)  # clocks differ; what is too old is left out below
        told = _git(
            folder, "log", f"--since={earlier.isoformat()}", f"--format={FORMAT}", "--name-only",
            "--diff-merges=first-parent", "--relative", "--no-show-signature", "--no-ext-diff",
        )  # fmt: skip
    except FileNotFoundError:
        return Log(None, "git is not installed here", "Install git")
    except subprocess.TimeoutExpired:
        return Log(None, f"git took longer than {SECONDS} seconds", step)
    except (subprocess.CalledProcessError, OSError):
        return Log(None, "this folder is in no git repository that can be read", step)
    found = tuple(_commit(record) for record in told.split("\x1e")[1:])
    return Log(tuple(one for one in found if one.paths and since <= one.at < until))


def _git(folder: Path, *arguments: str) -> str:
    """What git prints; a caller's GIT_DIR must not lead to another repository."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    own |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
    command = ["git", "-C", str(folder), *QUIET, *arguments]
    # No shell sees the arguments, and none of them comes from a file of the team.
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, timeout=SECONDS, check=True, env=own
    )
    return done.stdout.decode("utf-8", "replace")


def _commit(record: str) -> Commit:
    head, _, listed = record.partition("\n")
    at, parents, name, mail, reviewed, together = [*head.split("\x1f"), "", ""][:6]
    reviewers, others = (
        tuple(one for one in text.split("\x1d") if one) for text in (reviewed, together)
    )
    moment, merges = datetime.fromisoformat(at), " " in parents
    paths = tuple(line for line in listed.splitlines() if line)
    return Commit(moment, (name, mail), paths, reviewers, others, merges)


def built(team: Team, name: str | None) -> Built | None:
    """A pipeline as its models, promises and last expected runs show it; None without a name."""
    if name is None:
        return None
    pipeline = next(one for one in team.pipelines if one.name == name)
    own = [
        model
        for model, path in lineage.models(team.folder / "pipelines").items()
        if path.parent.name == name
    ]
    inputs = {model: team.lineage[model] for model in own}
    read = {one for found in inputs.values() for one in found}
    tables = [table.name for table in team.tables if table.pipeline == name]
    slos = None if team.slos is None else sum(one.table in tables for one in team.slos)
    window = Window(midnight(pipeline.first_due, team.zone), team.as_of_at)
    due = {t: team.expected(t, window) for t in tables} if window.start < window.end else {}
    last = {table: moments[-first_month.MEDIUM.runs :] for table, moments in due.items()}
    runs = team.runs
    counted = (
        None
        if runs is None
        else pooled([sli.success(runs[runs["table"] == t], last[t]) for t in last])
        or Measurement(0, 0)
    )
    return Built(
        first_due=pipeline.first_due,
        models=inputs,
        sources=sorted(read - set(team.lineage)),
        slos=slos,
        runs=counted,
        missing=not last or any(len(m) < first_month.MEDIUM.runs for m in last.values()),
    )
