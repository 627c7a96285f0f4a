"""The first month of somebody new: which tasks are seen done, open, or cannot be seen.

Nothing here judges a person: no finding is ever `fail`, and nobody is compared with anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd

from dataops_lib.contracts import Contract
from dataops_lib.finding import Finding, Status, worst_first
from dataops_lib.service_levels.measurements import Measurement
from dataops_lib.teams.git_log import Commit, Log
from dataops_lib.teams.models import Learner

DAYS = 30  # "productive in 30 days" is a claim of the article, which names no source
REVIEWS = 2  # the article asks for 2 to 3: two are enough

WEEKENDS = (
    "Days are calendar days and weekends count; what would be due on a weekend is due on the "
    "Monday after it."
)


@dataclass(frozen=True)
class Medium:
    """What the article's "medium-complexity pipeline" is taken to be."""

    models: tuple[int, int] = (3, 6)
    sources: int = 1  # inputs that nothing of ours builds
    slos: int = 1
    runs: int = 5  # a working week of a daily pipeline
    own_share: float = 0.8  # of its commits: a small repair by somebody else does not end "alone"
    reason: str = (
        "our definition, as the article gives none: more than a copy of a source, few enough to "
        "hold in one head, and with something to lose"
    )

    @property
    def text(self) -> str:
        """The definition in words."""
        low, high = self.models
        return (
            f"{low} to {high} models, {self.sources} external source or more, {self.slos} SLO or "
            f"more, and the last {self.runs} expected runs published first time"
        )


MEDIUM = Medium()


@dataclass(frozen=True)
class Task:
    """One task of the article, the week at whose end it is due, and what helps when it is late."""

    name: str
    title: str
    week: int
    step: str


TASKS = (
    Task("test", "add a test", 2, "Add a check that fails on bad data, and name it"),
    Task("contract", "write a data contract", 2, "Write one together with its consumer"),
    Task("shift", "shadow a shift", 2, "Put a shadow shift into rota.csv"),
    Task("pipeline", "build a medium pipeline", 4, "Agree on a pipeline of that size"),
    Task("reviews", "review others' changes", 4, "Ask for reviews, and record them in commits"),
    Task("runbook", "contribute to a runbook", 4, "Let them write down the drill they did"),
)


@dataclass(frozen=True)
class Sight:
    """What the files show of a task: done, not done, or None with what would tell."""

    done: bool | None
    evidence: str
    tell: str = ""


@dataclass(frozen=True)
class Trial:
    """A named check, tried on one real day and on the same day with planted faults.

    `real` is what it says of the real day, None when that cannot be read; `caught` is the first
    planted fault that it found, None when it found none of the `planted`.
    """

    checks: tuple[str, ...] = ()
    real: Finding | None = None
    day: date | None = None
    caught: str | None = None
    planted: int = 0
    blocked: int | None = None  # publishes that it stopped; None when no audit is on record
    why: str = ""


@dataclass(frozen=True)
class Built:
    """A pipeline as its files and history show it."""

    first_due: date
    models: Mapping[str, Sequence[str]]  # inputs by model
    sources: Sequence[str]
    slos: int | None
    runs: Measurement | None  # the last expected runs of each of its tables, added up
    missing: bool = False  # fewer runs were due than `Medium.runs`


def due_on(learner: Learner, week: int) -> date:
    """The day by whose end a task of `week` is due.

    Examples
    --------
    >>> due_on(Learner(name="Eva", started_on=date(2013, 2, 4)), 2)  # Sunday 17 becomes Monday
    datetime.date(2013, 2, 18)
    """
    last = learner.started_on + timedelta(days=7 * week - 1)
    return last + timedelta(days=7 - last.weekday() if last.weekday() > 4 else 0)


def judge(learner: Learner, task: Task, sight: Sight, as_of: date) -> Finding:
    """Say where one task stands at `as_of`, of which day nothing is known yet."""
    due = due_on(learner, task.week)
    late = as_of > due
    state = "done" if sight.done else "overdue" if late else "open"
    status: Status = "ok" if sight.done or not late else "warn"
    when = f"{'was ' if late else ''}due {_day(due)}"
    evidence, step = (
        f"{when}; {sight.evidence}",
        "Nothing to do" if state != "overdue" else task.step,
    )
    if sight.done:
        evidence = sight.evidence
    elif sight.done is None:
        state, status, step = "unseen", "unknown", sight.tell
    numbers = {"task": task.name, "week": task.week, "due_on": due.isoformat(), "state": state}
    return Finding(f"{learner.name}: {task.title}", status, evidence, step, numbers)


def clock(learner: Learner, tasks: Sequence[Finding], as_of: date) -> Finding:
    """Which of the 30 days it is, and how many tasks are seen done; the first day is day 1."""
    passed = (as_of - learner.started_on).days
    states = [str(task.numbers["state"]) for task in tasks]
    done = states.count("done")
    last = learner.started_on + timedelta(days=DAYS - 1)
    until = f"to {_day(last)}" if passed <= DAYS else f"which ended on {_day(last)}"
    evidence = f"day {passed} of {DAYS}, {until}; {done} of {len(tasks)} tasks seen done"
    worst = worst_first(tasks)[0]
    state = "done" if done == len(tasks) else "open"
    status: Status = "ok"
    step = "Take the entry out of onboarding.yaml" if state == "done" else "Go on"
    if state == "open" and passed > DAYS:
        state, status = str(worst.numbers["state"]), worst.status
        step = "Talk about what is in the way, and agree on new dates"
    counts = {
        f"tasks_{state}": states.count(state) for state in ("done", "open", "overdue", "unseen")
    }
    numbers = {"day": passed, "days": DAYS, "state": state} | counts
    return Finding(f"{learner.name}: first month", status, evidence, step, numbers)


def _day(when: date) -> str:
    return f"{when.day} {when:%B %Y}"


def see_test(learner: Learner, trial: Trial, log: Log, since: datetime) -> Sight:
    """A named check that passes on a real day and fails on a planted fault."""
    claim = learner.test
    if claim is None:
        return Sight(False, "onboarding.yaml names no test yet")
    where = f"{claim.check} of {claim.table}"
    if claim.check not in trial.checks:
        listed = ", ".join(trial.checks) or "none"
        return Sight(False, f"the contract has no check {where}; its checks: {listed}")
    if trial.real is None or trial.day is None:
        return Sight(
            None, f"{where} could not be tried: {trial.why}", "Give the table to try it on"
        )
    if "error" in trial.real.numbers or trial.real.status == "unknown":
        why = f"{where} could not be judged on {_day(trial.day)}: {trial.real.evidence}"
        return Sight(None, why, "Run it where its inputs can be read")
    if trial.real.is_bad:
        return Sight(False, f"{where} fails on the real {_day(trial.day)}: {trial.real.evidence}")
    if trial.caught is None:
        return Sight(False, f"{where} passes on all {trial.planted} planted faults")
    evidence = f"{where} passes on the real {_day(trial.day)} and fails when {trial.caught}"
    if trial.blocked is not None:
        evidence += f"; it has blocked {trial.blocked or 'no'} publish{'es' * (trial.blocked > 1)}"
    return _written(learner, evidence, f"contracts/{claim.table}.yaml", log, since)


def see_contract(
    learner: Learner, contracts: Mapping[str, Contract] | None, log: Log, since: datetime
) -> Sight:
    """A contract that could be read and says whose it is and who reads the table."""
    table = learner.contract
    if table is None:
        return Sight(False, "onboarding.yaml names no contract yet")
    agreed = (contracts or {}).get(table)
    if agreed is None:
        return Sight(False, f"contracts/{table}.yaml is not there yet")
    owned = bool(agreed.team) or any(p.get("property") == "owner" for p in agreed.customProperties)
    absent = [
        name for name, value in (("owner", owned), ("consumers", agreed.consumers)) if not value
    ]
    if absent:
        return Sight(False, f"contracts/{table}.yaml names no {' and no '.join(absent)}")
    evidence = (
        f"contracts/{table}.yaml is valid and names its owner and {', '.join(agreed.consumers)}"
    )
    return _written(learner, evidence, f"contracts/{table}.yaml", log, since)


def _written(learner: Learner, evidence: str, path: str, log: Log, since: datetime) -> Sight:
    """What was seen of a file, with who wrote it, where git can tell."""
    mine = _own(learner, log, since)
    if mine is None:
        return Sight(True, f"{evidence}; its author is not known without git")
    if not any(commit.touches(path) for commit in mine):
        return Sight(False, f"{evidence}; but no commit of theirs changes {path}")
    return Sight(True, f"{evidence}; a commit of theirs changes {path}")


def see_shift(learner: Learner, rota: pd.DataFrame | None, moment: datetime) -> Sight:
    """A shift in the role shadow that had ended by `moment`."""
    if rota is None:
        return Sight(None, "no rota is given", "Add rota.csv")
    mine = rota[(rota["person"] == learner.name) & (rota["role"] == "shadow")]
    ended = mine[mine["ends_at"] <= moment]
    if len(ended):
        last = ended.sort_values("ends_at").iloc[-1]
        return Sight(True, f"shadowed a shift that ended on {_day(last['ends_at'].date())} (UTC)")
    planned = f", {len(mine)} planned" if len(mine) else ""
    return Sight(False, f"no shadow shift has ended yet{planned}")


def see_pipeline(learner: Learner, built: Built | None, log: Log, since: datetime) -> Sight:
    """A pipeline of medium size that runs, and was built by them alone where git can tell."""
    if built is None or learner.pipeline is None:
        return Sight(False, "onboarding.yaml names no pipeline yet")
    name = learner.pipeline
    if built.first_due < learner.started_on:
        return Sight(False, f"{name} was due since {_day(built.first_due)}, before they came")
    if not built.models:
        return Sight(None, f"the models of {name} are not given", f"Add pipelines/{name}/*.sql")
    if built.slos is None:
        return Sight(None, "no SLOs are given", "Add slos.yaml")
    low, high = MEDIUM.models
    sizes = f"{len(built.models)} models, {len(built.sources)} external sources, {built.slos} SLOs"
    fits = low <= len(built.models) <= high and len(built.sources) >= MEDIUM.sources
    if not fits or built.slos < MEDIUM.slos:
        return Sight(False, f"{name} is not medium: {sizes}; medium is {MEDIUM.text}")
    if built.runs is None:
        return Sight(None, f"{name} has {sizes}, but no run is known", "Add runs.csv")
    ran = f"{built.runs.good:g} of its last {built.runs.total:g} expected runs published first time"
    if built.missing or built.runs.good < built.runs.total:
        return Sight(False, f"{name} has {sizes}; {ran}, {MEDIUM.runs} for each table are needed")
    return _alone(learner, f"{name} has {sizes}; {ran}", log, since)


def _alone(learner: Learner, evidence: str, log: Log, since: datetime) -> Sight:
    if log.commits is None or learner.git is None:
        return Sight(True, f"{evidence}; its author is not known without git")
    place = f"pipelines/{learner.pipeline}/"
    changes = [c for c in log.commits if c.at >= since and not c.merges and c.touches(place)]
    own = sum(commit.is_of(learner.git) for commit in changes)
    share = f"{evidence}; author of {own} of {len(changes)} commits to it"
    return Sight(bool(changes) and own >= MEDIUM.own_share * len(changes), share)


def see_reviews(learner: Learner, log: Log, since: datetime) -> Sight:
    """Commits of others that name them in a Reviewed-by trailer."""
    if (hidden := _hidden(learner, log)) is not None:
        return hidden
    who = str(learner.git)
    others = [c for c in log.commits or () if c.at >= since and not c.is_of(who)]
    count = sum(commit.names(who, commit.reviewed_by) for commit in others)
    evidence = f"{count} of {REVIEWS} commits of others name them in Reviewed-by"
    return Sight(count >= REVIEWS, evidence)


def see_runbook(learner: Learner, log: Log, since: datetime) -> Sight:
    """A commit of theirs that changes something in runbooks/."""
    if (hidden := _hidden(learner, log)) is not None:
        return hidden
    count = sum(commit.touches("runbooks/") for commit in _own(learner, log, since) or ())
    return Sight(count > 0, f"{count} commits of theirs change runbooks/")


def _hidden(learner: Learner, log: Log) -> Sight | None:
    """Why git cannot tell what they did; None when it can."""
    if learner.git is None:
        step = f"Add `git:` to {learner.name} in onboarding.yaml, a name or email of git log"
        return Sight(None, "onboarding.yaml does not say how git calls them", step)
    return None if log.commits is not None else Sight(None, log.why, log.tell)


def _own(learner: Learner, log: Log, since: datetime) -> list[Commit] | None:
    """Commits that they wrote, alone or with others, since they came; None when not known."""
    who = learner.git
    if log.commits is None or who is None:
        return None
    written = [c for c in log.commits if c.is_of(who) or c.names(who, c.together_with)]
    return [commit for commit in written if commit.at >= since and not commit.merges]
