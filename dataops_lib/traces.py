"""Edge: the traces that newcomers leave: commits in git, and checks tried on real data."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from dataops_lib import contract, lineage, onboarding, scratch, sli, warehouse
from dataops_lib.audit import Check, VolumeCheck, quoted
from dataops_lib.diagnosis import pooled
from dataops_lib.errors import DataError
from dataops_lib.finding import Finding
from dataops_lib.models import AddedTest, Learner
from dataops_lib.objective import Measurement
from dataops_lib.observe import Observed
from dataops_lib.onboarding import Built, Commit, Log, Trial
from dataops_lib.teams import Team, local_catalog
from dataops_lib.windows import Window, midnight

SECONDS = 20  # a large history takes a second; what takes longer waits for something
DAY_ROWS = 20_000  # of a larger day only so many rows are tried
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
        "test": onboarding.see_test(learner, trial, log, since),
        "contract": onboarding.see_contract(learner, team.contracts, log, since),
        "shift": onboarding.see_shift(learner, team.rota, team.as_of_at),
        "pipeline": onboarding.see_pipeline(learner, built(team, learner.pipeline), log, since),
        "reviews": onboarding.see_reviews(learner, log, since),
        "runbook": onboarding.see_runbook(learner, log, since),
    }
    judged = [
        onboarding.judge(learner, task, sights[task.name], team.as_of) for task in onboarding.TASKS
    ]
    return [onboarding.clock(learner, judged, team.as_of), *judged]


# Git -------------------------------------------------------------------------------------------


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


# A check ---------------------------------------------------------------------------------------


def tried(observed: Observed, claim: AddedTest) -> Trial:
    """Try a check of a contract on the last published day, and on that day with faults.

    Each fault spoils the rows of the day in one way; the first that the check finds is enough.
    The rows are tried in a temporary folder: nothing touches the team's own tables.
    """
    agreed = (observed.team.contracts or {}).get(claim.table)
    checks = contract.checks(agreed) if agreed else []
    known = tuple(check.name for check in checks)
    chosen = next((check for check in checks if check.name == claim.check), None)
    if chosen is None:
        return Trial(known)
    why = f"table {claim.table} cannot be read"
    try:
        readable = claim.table in observed.tables
    except DataError:
        readable = False
    day, rows = _last_day(observed, claim.table) if readable else (None, None)
    if day is None or rows is None:
        return Trial(known, why=why)
    if isinstance(chosen, VolumeCheck):
        chosen = replace(chosen, past=_same_weekday(observed, claim.table, day))
    at = midnight(day + timedelta(days=1), observed.team.zone)
    blocked = _blocked(observed.team, claim)
    with tempfile.TemporaryDirectory(prefix="dataops-trial-") as folder:
        bench = _Bench(Path(folder), chosen, at)
        real = bench.judge(rows)
        if real is None:
            return Trial(known, why=f"table {claim.table} has a type that cannot be copied")
        if real.status != "ok":
            return Trial(known, real, day, blocked=blocked)
        planted = 0
        for planted, (fault, spoilt) in enumerate(_faults(rows, checks, chosen), start=1):
            found = bench.judge(spoilt)
            if found is not None and found.is_bad and "error" not in found.numbers:
                return Trial(known, real, day, fault, planted, blocked)
        return Trial(known, real, day, None, planted, blocked)


class _Bench:
    """A warehouse for one check: each judgement gets a table of its own."""

    def __init__(self, folder: Path, check: Check, at: datetime) -> None:
        self.catalog = warehouse.open(SimpleNamespace(catalog=local_catalog(folder)))
        self.check, self.at, self.number = check, at, 0

    def judge(self, rows: pa.Table) -> Finding | None:
        """What the check says when `rows` are added to an empty table; None if they cannot be."""
        self.number += 1
        try:
            table = warehouse.create_table(self.catalog, f"trial.t{self.number}", rows.schema)
            table.append(rows)
        except Exception:  # a type that Iceberg does not have; its errors share no base
            return None
        return warehouse.audit(table, [self.check], as_of=self.at)[0]


def _last_day(observed: Observed, name: str) -> tuple[date | None, pa.Table | None]:
    iceberg, snapshot = observed.tables[name]
    day = f"CAST({quoted(observed.team.table(name).day_column)} AS DATE)"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")  # Iceberg has no other zone
        warehouse.view(connection, "published", iceberg, snapshot_id=snapshot)
        last = connection.sql(f"SELECT max({day}) FROM published").fetchall()[0][0]
        query = f"SELECT * FROM published WHERE {day} = ? LIMIT {DAY_ROWS}"
        rows = connection.sql(query, params=[last]).to_arrow_table()
    return (last, rows) if last is not None and len(rows) else (None, None)


def _same_weekday(observed: Observed, name: str, day: date) -> tuple[int, ...]:
    counts = observed.volume(name)
    pairs = [] if counts is None else zip(counts["day"], counts["rows"], strict=True)
    return tuple(
        int(rows)
        for moment, rows in pairs
        if 0 < (day - pd.Timestamp(moment).date()).days <= 56
        and pd.Timestamp(moment).weekday() == day.weekday()
    )


def _blocked(team: Team, claim: AddedTest) -> int | None:
    """Publishes of the table that the check stopped; None when no audit is on record."""
    if team.runs is None or team.replay is None:
        return None
    stopped = team.runs[(team.runs["table"] == claim.table) & (team.runs["status"] == "blocked")]
    return sum(
        any(one.subject == claim.check for one in team.audits.get(run_id, ()))
        for run_id in stopped["run_id"]
    )


def _faults(
    rows: pa.Table, checks: Sequence[Check], chosen: Check
) -> Iterator[tuple[str, pa.Table]]:
    """The day with one fault each: the practice warehouse's, then each column spoilt.

    Columns that the chosen check names come first, because one fault that it finds is enough.
    """
    yield from scratch.spoil(rows, checks).items()
    named = " ".join([*chosen.columns, getattr(chosen, "sql", "")])
    for column in sorted(rows.schema, key=lambda column: column.name not in named):
        number = rows.schema.get_field_index(column.name)
        for fault, values in _wrong(column, rows[column.name]):
            yield f"{column.name} {fault}", rows.set_column(number, column.name, values)


def _wrong(column: pa.Field, values: pa.ChunkedArray) -> Iterator[tuple[str, Any]]:
    kind, size = column.type, len(values)
    yield "is missing in every row", pa.nulls(size, kind)
    if pa.types.is_boolean(kind):
        yield "is negated", pa.array([None if v is None else not v for v in values.to_pylist()])
    for fault, value in _extremes(kind).items():
        try:
            yield fault, pa.array([value] * size, kind)
        except (pa.ArrowInvalid, OverflowError):  # a small integer holds no 2 billion
            continue


def _extremes(kind: pa.DataType) -> dict[str, Any]:
    """Values of a type that hardly any rule allows, by what is then wrong."""
    if pa.types.is_decimal(kind):
        largest = Decimal("9" * min(9, kind.precision - kind.scale) or "0")
        return {f"is {-largest}": -largest, f"is {largest}": largest}
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return {"is 2 billion below zero": -2_000_000_000, "is 2 billion": 2_000_000_000}
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return {"is a question mark": "?"}
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return {"lies in 1970": datetime(1970, 1, 2), "lies in 2199": datetime(2199, 12, 30)}  # noqa: DTZ001
    return {}


# A pipeline ------------------------------------------------------------------------------------


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
    last = {table: moments[-onboarding.MEDIUM.runs :] for table, moments in due.items()}
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
        missing=not last or any(len(m) < onboarding.MEDIUM.runs for m in last.values()),
    )
