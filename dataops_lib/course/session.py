"""A runbook that is being followed: its steps run on a team's tables, and a log is kept."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pandas as pd

from dataops_lib import files, teams, warehouse
from dataops_lib.errors import DataOpsError, UsageError
from dataops_lib.runbooks import commands, paths
from dataops_lib.runbooks.paths import Edge, Node
from dataops_lib.runbooks.runbook import ESCALATED, RESOLVED, Fence, Step, read
from dataops_lib.sql import quoted
from dataops_lib.teams import Team, folders
from dataops_lib.wording import titled

COLUMNS = ("at", "event", "place", "step", "detail")
TIMEOUT = 300  # seconds that a command may take

# (words of a command, folder of team folders) -> (exit code, output)
Runner = Callable[[Sequence[str], Path], tuple[int, str]]


def in_a_process(words: Sequence[str], root: Path) -> tuple[int, str]:
    """Run `dataops WORDS` in a process of its own, without a shell."""
    call = "from dataops_lib.cli.main import main; main()"
    done = subprocess.run(  # noqa: S603  our own interpreter and command; no shell sees the words
        [sys.executable, "-c", call, *words],
        capture_output=True, text=True, timeout=TIMEOUT, check=False,
        env=dict(os.environ) | {"DATAOPS_TEAMS_DIR": str(root)},
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).strip()


@dataclass(frozen=True, repr=False)
class Answer:
    """What a step gave: a small table, whether it was run, and what follows from it."""

    frame: pd.DataFrame
    sentence: str
    edge: Edge | None  # None: the text does not decide it, people do

    def __repr__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        table = titled(self.frame.head(20)).to_html(index=False) if len(self.frame.columns) else ""
        return f"{table}<p><strong>{html.escape(self.sentence)}</strong></p>"


class Session:
    """One runbook, one alert, one day; every step that is taken goes into the log.

    Parameters
    ----------
    team
        Name of a folder under `root`.
    text
        The runbook.
    alert
        The name of the alert that fired; default: the last one in the team's log.
    day
        The day on which the run was due; default: that of the alert.
    log
        A CSV file for the log; default: it is only kept in `events`.
    """

    def __init__(
        self,
        team: str,
        text: str,
        *,
        alert: str | None = None,
        day: date | str | None = None,
        as_of: date | str | None = None,
        root: Path | str | None = None,
        log: Path | str | None = None,
        dataops: Runner = in_a_process,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name, self.as_of, self.root = team, as_of, folders.root_folder(root)
        self.runbook, self.now, self.dataops = read(text), now, dataops
        self.log = Path(log) if log else None
        self.events: list[tuple[str, str, str, int, str]] = []
        self.alert, due = self._alert(alert)
        self.day = date.fromisoformat(str(day)) if day else due
        section = self.runbook.response(self.alert)
        if section is None:
            known = "; ".join(", ".join(s.alerts) for s in self.runbook.responses) or "no alert"
            raise UsageError(f"the runbook answers {known}, and not {self.alert!r}")
        self.graph = paths.graph(self.runbook, section)
        self.steps = dict(self.graph.steps)
        self.note("opened", detail=self.alert)

    def _alert(self, name: str | None) -> tuple[str, date]:
        ours = self.team
        alerts = ours.alerts
        if alerts is not None and name:
            alerts = alerts[alerts["name"] == name]
        if alerts is None or alerts.empty:
            if name is None:
                raise UsageError(f"team {self.name!r} has no alert on record; name one")
            return name, ours.as_of
        last = alerts.sort_values("alerted_at", kind="stable").iloc[-1]
        same = alerts[alerts["due_at"] == last["due_at"]]
        first = same.sort_values("alerted_at", kind="stable").iloc[0] if len(same) else last
        due = first["due_at"] if pd.notna(first["due_at"]) else first["alerted_at"]
        return str(first["name"]), due.tz_convert(ours.zone).date()

    @property
    def team(self) -> Team:
        """The team as its files stand now: a command may have changed its history."""
        return teams.load(self.name, as_of=self.as_of, root=self.root)

    def note(self, event: str, node: Node | None = None, detail: str = "") -> None:
        """Write what happened, with its time, into the log."""
        at = self.now().isoformat(timespec="seconds")
        place, step = (node.place, node.number) if node else ("", 0)
        self.events.append((at, event, place, step, detail))
        if self.log:
            files.write(self.log, self.history.to_csv(index=False, lineterminator="\n"))

    @property
    def history(self) -> pd.DataFrame:
        """The log: at (ISO, UTC), event, place, step, detail."""
        return pd.DataFrame(self.events, columns=list(COLUMNS))

    def escalate(self, who: str) -> str:
        """Log that `who` was called; the runbook's contacts say how."""
        words = set(who.lower().split())
        how = [c.method for c in self.runbook.contacts if words & set(c.target.lower().split())]
        self.note("escalated", detail=who)
        return f"Call {who}: {how[0] if how else 'no contact is written down'}"

    def step(self, place: str, number: int, confirm: str = "") -> Answer:
        """Run a step: what reads runs at once, what changes only if `confirm` repeats its command.

        Raises
        ------
        UsageError
            If the runbook has no such step on the way of this alert.
        """
        node = Node(place, number)
        if node not in self.steps:
            others = {f"response {n}" for n, _ in enumerate(self.runbook.responses, 1)}
            if place in {*others, "rerun"} - {n.place for n in self.steps}:
                return Answer(pd.DataFrame(), f"Not on the way of {self.alert}.", None)
            known = ", ".join(f"{n.place} {n.number}" for n in self.steps)
            raise UsageError(f"there is no step {number} of {place}; the way has {known}")
        step, frame = self.steps[node], pd.DataFrame()
        for fence in step.fences:
            changes = [command for _, command in commands.understand(fence).changes]
            if changes and confirm.strip() != changes[0]:
                self.note("waits", node, changes[0])
                return Answer(frame, f'This changes something: confirm="{changes[0]}"', None)
            frame = self._execute(fence)
            event = "changed" if changes else "looked"
            self.note(event, node, "; ".join(map(str, frame.iloc[0]))[:200] if len(frame) else "")
        edge = self._decide(node, frame)
        if edge is not None and edge.end == RESOLVED:
            self.note("resolved", node)
        return Answer(frame, self._sentence(step, edge), edge)

    def _sentence(self, step: Step, edge: Edge | None) -> str:
        if edge is None:
            return " / ".join(outcome.text for outcome in step.outcomes) or "What next?"
        who = edge.outcome.escalates if edge.outcome else None
        call = f"Escalate to {who}, then: " if who and edge.end != ESCALATED else ""
        if isinstance(edge.end, Node):
            where = "manual re-run" if edge.end.place == "rerun" else "step"
            return f"{call}go to {where} {edge.end.number}."
        return f"Escalate to {who}." if edge.end == ESCALATED else f"{call}{edge.end}."

    def _execute(self, fence: Fence) -> pd.DataFrame:
        """What code gives: rows of a query, or exit code and output of our own command."""
        if fence.language == "sql":
            return self._query(fence.text)
        if fence.language in ("bash", "sh", "shell"):
            return self._shell(fence.text)
        return pd.DataFrame({"not_run": [f"{fence.language or 'text'}: read it, run it by hand"]})

    def _query(self, text: str) -> pd.DataFrame:
        with self.connect() as connection:
            known = {"day": self.day, "team": self.name, "alert": self.alert}
            used = {n: known[n] for n in re.findall(r"\$(\w+)", text) if n in known}
            try:
                rows = connection.sql(text, params=used or None)
                return pd.DataFrame() if rows is None else rows.to_arrow_table().to_pandas()
            except duckdb.Error as error:
                return pd.DataFrame({"error": [str(error).splitlines()[0]]})

    def _shell(self, text: str) -> pd.DataFrame:
        rows: list[tuple[int | None, str]] = []
        for _, words in commands.calls(text):
            filled = [re.sub(r"\$\{?day\}?", str(self.day), word) for word in words]
            if filled[:1] != ["dataops"]:
                rows.append((None, f"not run here: {' '.join(filled)}"))
                continue
            try:
                rows.append(self.dataops(filled[1:], self.root))
            except (OSError, subprocess.TimeoutExpired, DataOpsError) as error:
                rows.append((1, str(error)))
        return pd.DataFrame(rows, columns=["exit_code", "output"])

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A connection that sees the published tables, `runs`, `alerts`, `landings`, the sources.

        A source is what landed for the day before `day`; empty when nothing did.
        """
        ours = self.team
        connection = duckdb.connect(config={"threads": 1})
        nothing = teams.history.frame
        for name, frame, columns in (
            ("runs", ours.runs, teams.history.RUNS),
            ("alerts", ours.alerts, teams.history.ALERTS),
        ):
            connection.register(name, nothing([], columns) if frame is None else frame)
        if ours.catalog is not None:
            catalog = warehouse.open(ours.catalog)
            for table in ours.tables:
                full = f"{ours.catalog.namespace}.{table.name}"
                if catalog.table_exists(full):
                    warehouse.view(connection, table.name, catalog.load_table(full))
        self._sources(connection, folders.current_build(ours.folder))
        return connection

    def _sources(self, connection: duckdb.DuckDBPyConnection, build: Path | None) -> None:
        landings: list[dict[str, object]] = []
        if build is not None:
            landings = json.loads((build / "landings.json").read_text(encoding="utf-8"))
            data_day = self.day.fromordinal(self.day.toordinal() - 1)
            connection.execute("SET VARIABLE day = ?", [data_day])
            connection.execute("SET VARIABLE data = ?", [(files.HOME / "data").as_posix()])
            for path in sorted(
                (folders.root_folder(self.root) / self.name / "sources").glob("*.sql")
            ):
                landed = sorted((build / "landing" / path.stem).glob(f"{data_day}*.parquet"))
                listed = ", ".join("'" + p.as_posix().replace("'", "''") + "'" for p in landed)
                select = f"SELECT * FROM read_parquet([{listed}])"
                if not landed:
                    select = f"SELECT * FROM ({path.read_text(encoding='utf-8')}) LIMIT 0"
                schema, _, table = path.stem.rpartition(".")
                if schema:
                    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
                name = ".".join(quoted(part) for part in (schema, table) if part)
                connection.execute(f"CREATE OR REPLACE VIEW {name} AS {select}")
        frame = pd.DataFrame(landings, columns=["source", "day", "seen_at", "files"])
        frame["day"] = pd.to_datetime(frame["day"]).dt.date
        frame["seen_at"] = pd.to_datetime(frame["seen_at"], utc=True, format="ISO8601")
        connection.register("landings", frame.astype({"source": object, "files": "int64"}))

    def _decide(self, node: Node, frame: pd.DataFrame) -> Edge | None:
        """The first outcome that holds; None where only people can tell."""
        for edge in self.graph.after(node):
            outcome = edge.outcome
            if outcome is None or outcome.certain:
                return edge
            holds = _holds(outcome.condition, frame)
            if holds is None:
                return None
            if holds:
                return edge
        return None


def _holds(condition: str, frame: pd.DataFrame) -> bool | None:
    """Whether the condition holds for a row of the answer; None when it cannot be asked."""
    if not condition or not len(frame.columns):
        return None
    if frame.empty:
        return False  # no row, so none for which it holds
    with duckdb.connect(config={"threads": 1, "enable_external_access": False}) as connection:
        connection.register("answer", frame)
        try:
            row = connection.execute(f"SELECT count(*) FROM answer WHERE {condition}").fetchone()
        except duckdb.Error:
            return None
    return bool(row and row[0])
