"""The traces that newcomers leave in git, and where their first month stands."""

from __future__ import annotations

from collections.abc import Sequence

from dataops_lib.evidence import Observed
from dataops_lib.finding import Finding
from dataops_lib.onboarding import first_month
from dataops_lib.onboarding.first_month import Built, Trial
from dataops_lib.onboarding.trials import tried
from dataops_lib.service_levels import sli
from dataops_lib.service_levels.measurements import Measurement, pooled
from dataops_lib.teams import Team, git_log, lineage
from dataops_lib.teams.git_log import Log
from dataops_lib.teams.models import Learner
from dataops_lib.windows import Window, midnight


def findings(observed: Observed) -> tuple[Finding, ...]:
    """Where the first month of each newcomer stands, in the order of onboarding.yaml."""
    team = observed.team
    learners = [learner for learner in _learners(team) if learner.started_on < team.as_of]
    if not learners:
        return ()
    dates = [learner.started_on for learner in learners if learner.git]
    first = midnight(min(dates, default=team.as_of), team.zone)
    log = git_log.commits(team.folder, first, team.as_of_at) if dates else Log(None)
    return tuple(finding for learner in learners for finding in _month(observed, learner, log))


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


def built(team: Team, name: str | None) -> Built | None:
    """A pipeline as its models, promises and last expected runs show it; None without a name."""
    if name is None:
        return None
    pipeline = next(p for p in team.pipelines if p.name == name)
    own = [
        model
        for model, path in lineage.models(team.folder / "pipelines").items()
        if path.parent.name == name
    ]
    inputs = {model: team.lineage[model] for model in own}
    read = {parent for parents in inputs.values() for parent in parents}
    tables = [table.name for table in team.tables if table.pipeline == name]
    slos = None if team.slos is None else sum(slo.table in tables for slo in team.slos)
    first = min(midnight(pipeline.first_due, team.zone), team.as_of_at)
    window = Window(first, team.as_of_at)
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
