"""A failure is planted in a private copy, and somebody follows the runbook against the clock."""

from __future__ import annotations

import csv
import io
import itertools
import json
import random
import re
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from dataops_lib import files, playbook, runbooks, teams, windows, yaml_lines
from dataops_lib.course.session import Runner, Session, in_a_process
from dataops_lib.errors import UsageError
from dataops_lib.examples import replay
from dataops_lib.runbooks import commands, coverage
from dataops_lib.runbooks.paths import Node
from dataops_lib.runbooks.runbook import read
from dataops_lib.teams import Team, folders, history, lineage, reader
from dataops_lib.teams.models import Fault

STEPS = 40  # a script that takes more goes round in circles
PARTS = ("team.yaml", "slos.yaml", "contracts", "pipelines", "sources", "runbooks")
COLUMNS = (
    "drilled_at", "person", "runbook", "alert", "failure", "seed", "passed", "minutes", "stuck_at",
)  # fmt: skip
MILESTONES = {"opened": "acknowledged", "escalated": "escalated", "changed": "repaired",
              "resolved": "verified"}  # fmt: skip


@cache
def load_failures() -> Mapping[str, Any]:
    """`data/playbook/drill_failures.yaml`: what may be planted."""
    name = "drill_failures.yaml"
    failures: Mapping[str, Any] = yaml_lines.loads(playbook.text(name), name).data
    return failures


@dataclass(repr=False)
class Drill:
    """One planted failure in a private copy of an example team; the copy goes with the value."""

    name: str
    failure: str
    seed: int
    day: date
    root: Path
    runbook: str

    def __repr__(self) -> str:
        return f"a drill for {self.name} (seed {self.seed}): open {self.runbook}"

    @property
    def team(self) -> Team:
        """The copy, as it stands."""
        return teams.load(self.name, root=self.root)

    @property
    def text(self) -> str:
        """The runbook, as it stands in the copy."""
        path = self.root / self.name / "runbooks" / self.runbook
        return path.read_text(encoding="utf-8")

    def open(self, text: str | None = None, *, dataops: Runner = in_a_process) -> Session:
        """Open the runbook on the copy; calling the right people there repairs the source."""
        log = self.root / "log.csv"
        session = Session(
            self.name, text or self.text, day=self.day, root=self.root, log=log, dataops=dataops
        )
        called = session.escalate

        def escalate(who: str) -> str:
            if self.called(who):
                return f"{called(who)}. They answer: it is repaired."
            return f"{called(who)}. They answer: it is not ours."

        session.escalate = escalate  # type: ignore[method-assign]
        return session

    def called(self, who: str) -> bool:
        """Whether `who` can repair the source; if so it is right from now on."""
        words = set(re.findall(r"\w+", who.lower()))
        if not words & set(load_failures()["failures"][self.failure].get("repaired_by", ())):
            return False
        path = self.root / self.name / "faults.yaml"
        text = path.read_text(encoding="utf-8")
        if "repaired_at" not in text:
            at = f"{self.day}T00:00"
            files.write(path, text.replace("}", f", repaired_at: {at}}}"))
        return True

    @property
    def healed(self) -> bool:
        """Whether every table of the day was published, whatever the runbook says."""
        ours = self.team
        runs = ours.runs
        assert runs is not None
        due = {pd.Timestamp(at) for t in ours.tables for at in ours.expected(t.name, self._day)}
        done = runs[runs["due_at"].isin(due) & runs["published_at"].notna()]
        return set(done["table"]) == {table.name for table in ours.tables}

    @property
    def _day(self) -> windows.Window:
        zone = self.team.zone
        start = windows.midnight(self.day, zone)
        return windows.Window(start, windows.midnight(self.day + timedelta(days=1), zone))

    def prepare(self, person: str, results: Path) -> Path:
        """Write the runbook as a notebook into the copy; its last cell adds the result."""
        import nbformat

        about = {"name": self.name, "failure": self.failure, "seed": self.seed}
        about |= {"day": str(self.day), "runbook": self.runbook}
        files.write(self.root / "drill.json", json.dumps(about))
        setup = (
            "from dataops_lib.course import drill\n\n"
            f"planted = drill.resume({str(self.root)!r})\nsession = planted.open()"
        )
        notebook = runbooks.notebook(self.text, setup=setup)
        last = f"planted.finish(session, person={person!r}, path={str(results)!r})"
        notebook.cells.append(nbformat.v4.new_code_cell(last, id="finish"))
        return files.write(self.root / "drill.ipynb", nbformat.writes(notebook))

    def finish(self, session: Session, *, person: str, path: Path | str) -> pd.DataFrame:
        """Add the result to the team's file; the milestones, in minutes from the opening."""
        session.note("finished")
        record(self.result(session, person=person), Path(path))
        return milestones(session.history)

    def result(self, session: Session, *, person: str = "") -> dict[str, Any]:
        """One row of drills.csv: whether readers got the day, how long it took, where it stuck.

        `stuck_at` is the step before the longest pause; `minutes` runs from opening to the last
        event of the log.
        """
        at = [datetime.fromisoformat(event[0]) for event in session.events]
        pauses = [after - before for before, after in itertools.pairwise(at)]
        longest = session.events[pauses.index(max(pauses))] if pauses else session.events[0]
        _, _, place, step, _ = longest
        ended = any(event == "resolved" for _, event, _, _, _ in session.events)
        return {
            "drilled_at": session.events[0][0],
            "person": person,
            "runbook": self.runbook,
            "alert": session.alert,
            "failure": self.failure,
            "seed": self.seed,
            "passed": "yes" if ended and self.healed else "no",
            "minutes": round((at[-1] - at[0]).total_seconds() / 60, 1),
            "stuck_at": f"{place}, step {step}" if step else "opened",
        }


def plant(
    team: str,
    *,
    failure: str | None = None,
    seed: int = 0,
    root: Path | str | None = None,
    keep_in: Path | None = None,
) -> Drill:
    """Copy an example team, replay a few healthy days, and plant a failure on the last one.

    Parameters
    ----------
    failure : str, optional
        One of `data/playbook/drill_failures.yaml`; default: drawn by `seed`.
    seed : int
        Draws failure and day; the same seed plants the same.
    keep_in : path, optional
        An empty folder for the copy; default: a temporary one that goes with the drill.

    Raises
    ------
    UsageError
        If the team cannot be replayed, has no runbook, or the failure is unknown.
    """
    folder = folders.folder_of(team, root)
    file = teams.team.team_file(folder)
    failures = load_failures()
    if file.replay is None:
        homes = {n: folders.folder_of(n, root) for n in teams.names(root)}
        examples = [n for n, home in homes.items() if teams.team.team_file(home).replay]
        raise UsageError(
            f"team {team!r} has no replay in its team.yaml, so nothing can be planted; "
            f"practise on {' or '.join(examples) or 'an example team'}"
        )
    if failure is not None and failure not in failures["failures"]:
        choices = ", ".join(failures["failures"])
        raise UsageError(f"{failure!r} is no failure to plant; choose one of {choices}")
    chance = random.Random(seed)  # noqa: S311  a draw to practise on, no secret
    drawn = chance.choice(sorted(failures["failures"]))
    failure = failure or drawn
    warm_up = timedelta(days=int(failures["warm_up_days"]))
    first = file.replay.first_day + warm_up + timedelta(days=1)
    days = (file.replay.until - first).days
    day = first + timedelta(days=chance.randrange(max(days, 1)))
    home = keep_in or Path(tempfile.mkdtemp(prefix="dataops-drill-"))
    target = home / team
    target.mkdir(parents=True)
    for part in PARTS:
        if (folder / part).is_dir():
            shutil.copytree(folder / part, target / part)
        elif (folder / part).is_file():
            shutil.copy(folder / part, target / part)
    text = (target / "team.yaml").read_text(encoding="utf-8")
    text = re.sub(r"first_due: \S+", f"first_due: {day - warm_up}", text)
    text = re.sub(r"(?m)^(\s+first_day:) \S+", rf"\g<1> {day - warm_up - timedelta(days=1)}", text)
    text = re.sub(r"(?m)^(\s+until:) \S+$", rf"\g<1> {day + timedelta(days=1)}", text)
    (target / "team.yaml").write_text(text, encoding="utf-8")
    planted = reader.read_faults(reader.Files(folder))
    fault = _fault(failures["failures"][failure]["fault"], target, day, planted)
    (target / "faults.yaml").write_text(f"faults:\n  - {fault}\n", encoding="utf-8")
    build = replay.build(target)
    drill = Drill(team, failure, seed, day, home, "")
    if failures["failures"][failure].get("alert"):
        _stuck(drill.team, build, day, failures["failures"][failure]["alert"])
    drill.runbook = _runbook(drill.team)
    if keep_in is None:
        weakref.finalize(drill, shutil.rmtree, home, ignore_errors=True)
    return drill


def resume(folder: Path | str) -> Drill:
    """The drill that `Drill.prepare` has left in a folder."""
    path = Path(folder) / "drill.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UsageError(f"{path} is not there; begin again with dataops drill") from None
    day = date.fromisoformat(about["day"])
    return Drill(about["name"], about["failure"], about["seed"], day, path.parent, about["runbook"])


def _fault(kind: str, folder: Path, day: date, planted: Sequence[Fault]) -> str:
    """A line of faults.yaml, about the source that feeds the most important table."""
    file = teams.team.team_file(folder)
    if kind == "missed_run":
        return f"{{kind: {kind}, pipeline: {file.pipelines[0].name}, due: {day}}}"
    first = min(file.tables, key=lambda table: table.tier).name
    models = lineage.read(folder / "pipelines")
    sources = [path.stem for path in sorted((folder / "sources").glob("*.sql"))]
    source = next(s for s in sources if first in lineage.downstream(models, s))
    more = ""
    if kind == "type_change":
        columns = [f.column for f in planted if f.kind == kind and f.source == source]
        if not columns:
            raise UsageError(
                f"the faults.yaml of {file.name!r} names no type_change of {source}, so nobody "
                "knows which column to change; choose another failure"
            )
        more = f", column: {columns[0]}, to: VARCHAR"
    return f"{{kind: {kind}, source: {source}, due: {day}{more}}}"


def _stuck(team: Team, build: Path, day: date, alert: str) -> None:
    """Write a run that began and never ended, and the alert on freshness that follows it."""
    zone = windows.Window(
        windows.midnight(day, team.zone), windows.midnight(day + timedelta(days=1), team.zone)
    )
    path = build / "runs.csv"
    rows = history.loads(path.read_text(encoding="utf-8"), history.RUNS, path.name)
    begun, alerts = [], []
    for table in team.tables:
        for due in team.expected(table.name, zone):
            begun.append(
                {
                    "run_id": f"{table.pipeline}-{due:%Y%m%dT%H%MZ}-1",
                    "pipeline": table.pipeline,
                    "table": table.name,
                    "due_at": due,
                    "started_at": due,
                    "status": "running",
                    "trigger": "scheduled",
                    "planted": "stuck_run",
                }
            )
            if table.tier == 1:
                late = {"alerted_at": due + timedelta(hours=2), "name": f"{table.name} {alert}"}
                alerts.append(late | {"table": table.name, "due_at": due, "planted": "stuck_run"})
    rows = pd.concat([rows, history.frame(begun, history.RUNS)], ignore_index=True)
    files.write(path, history.dumps(rows, history.RUNS))
    path = build / "alerts.csv"
    known = history.loads(path.read_text(encoding="utf-8"), history.ALERTS, path.name)
    both = pd.concat([known, history.frame(alerts, history.ALERTS)], ignore_index=True)
    files.write(path, history.dumps(both, history.ALERTS))


def _runbook(team: Team) -> str:
    """The runbook that answers the alert which fired; else the first there is."""
    texts = coverage.texts(team.folder)
    if not texts:
        raise UsageError(f"team {team.name!r} has no runbook: write runbooks/*.md")
    fired = [] if team.alerts is None else list(team.alerts["name"])
    books = {name: read(text) for name, text in texts.items()}
    return next((n for n, b in books.items() if any(map(b.response, fired))), next(iter(texts)))


def follow(session: Session) -> str:
    """Follow the runbook as a script that knows nothing else; how it ended.

    Returns
    -------
    str
        "resolved", "escalated", "open" (the text says no more), or "stuck at ..." where the text
        leaves the decision to people.
    """
    node: Node = session.graph.steps[0][0]
    for _ in range(STEPS):
        step = session.steps[node]
        changes = [c for fence in step.fences for _, c in commands.understand(fence).changes]
        edge = session.step(node.place, node.number, confirm=changes[0] if changes else "").edge
        if edge is None:
            session.note("stuck", node)
            return f"stuck at {node.place}, step {node.number}"
        if edge.outcome is not None and edge.outcome.escalates:
            session.escalate(edge.outcome.escalates)
        if not isinstance(edge.end, Node):
            return str(edge.end)
        node = edge.end
    return "round in circles"


def milestones(log: pd.DataFrame) -> pd.DataFrame:
    """Minutes from opening to the first event of each milestone, in the order of the log."""
    at = pd.to_datetime(log["at"])
    rows = [
        (name, round((at[log["event"] == event].iloc[0] - at.iloc[0]).total_seconds() / 60, 1))
        for event, name in MILESTONES.items()
        if (log["event"] == event).any()
    ]
    return pd.DataFrame(rows, columns=["milestone", "minutes"])


def record(row: Mapping[str, Any], path: Path) -> Path:
    """Add a result to the team's drills.csv, or begin it."""
    rows: list[Mapping[str, Any]] = []
    if path.is_file():
        rows += csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows([*rows, row])
    return files.write(path, out.getvalue())


def results(folder: Path) -> pd.DataFrame:
    """The results of a team's drills.csv, oldest first; empty without the file."""
    path = folder / "drills.csv"
    if not path.is_file():
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.read_csv(path, dtype=str, keep_default_na=False)[list(COLUMNS)]
