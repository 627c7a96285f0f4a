"""A team's repository and tables in a temporary folder, where changes may fail without harm.

subject(team, otherwise) -> Team      the team that has models, contracts and tables to change
rehearse(team) -> Rehearsal           its folder under git, its tables in a catalog of their own
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyiceberg.catalog import Catalog
from ruamel.yaml import YAML

from dataops_lib import teams
from dataops_lib.delivery import changes, pipeline
from dataops_lib.delivery.stages import Run
from dataops_lib.errors import UsageError
from dataops_lib.teams import Team, lineage
from dataops_lib.teams.folders import local_catalog

# Who commits here: nobody's own name, and no setting of the machine.
AUTHOR = ("-c", "user.name=rehearsal", "-c", "user.email=rehearsal@example.invalid")
CHANGES = ("harmless", "style", "failing test", "type", "failing gate", "hostile message")
HOSTILE = "Deploy \"it\"; $(touch hacked) `touch hacked` 'x' <!channel> \\"


@dataclass
class Rehearsal:
    """A copy of a team in a repository of its own; `base` is the commit before any change."""

    name: str
    folder: Path
    as_of: str
    catalog: Catalog
    base: str

    @property
    def team(self) -> Team:
        """The team as its files say it now."""
        return teams.load(self.name, as_of=self.as_of, root=self.folder.parent)

    @property
    def readers(self) -> Mapping[str, tuple[int | None, int]]:
        """What readers of each table see: the snapshot and its rows."""
        return {
            table.name: _sight(self.catalog, self.team, table.name) for table in self.team.tables
        }

    @property
    def messages(self) -> Path:
        """Where messages go."""
        return self.folder.parent / "messages.jsonl"

    def change(self, kind: str) -> str:
        """Go back to the base, make one of `CHANGES`, commit it; says what was changed."""
        self._git("reset", "-q", "--hard", self.base)
        text = _PLANTS[kind](self)
        self._git("add", "-A")
        self._git("commit", "-q", "-m", HOSTILE if kind == "hostile message" else f"Try: {text}")
        return text

    def run(self, **options: Any) -> Run:
        """Walk what was changed through the stages."""
        more: dict[str, Any] = {
            "base": self.base,
            "catalog": self.catalog,
            "notices": self.messages,
        } | options
        return pipeline.run(self.team, **more)

    def _git(self, *arguments: str) -> None:
        command = ["git", *changes.QUIET, *AUTHOR, "-C", str(self.folder), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603

    # -- what is changed: a published table on which nothing hangs, so that one stage alone notices

    @property
    def leaf(self) -> str:
        """The last published table with a contract from which no other is built."""
        team = self.team
        leaves = [
            model
            for model in lineage.order(team.lineage)
            if model in (team.contracts or {}) and not lineage.downstream(team.lineage, model)
        ]
        return leaves[-1]

    def _model(self) -> Path:
        return lineage.models(self.folder / "pipelines")[self.leaf]

    def _wrap(self, pattern: str) -> None:
        path = self._model()
        text = path.read_text(encoding="utf-8").rstrip().rstrip(";")
        indented = "\n".join(f"    {line}" for line in text.splitlines())
        wrapped = f"WITH original AS (\n{indented}\n)\n{pattern}\n"
        path.write_text(wrapped, encoding="utf-8")

    def _column(self, *, logical: str = "") -> str:
        agreed = (self.team.contracts or {})[self.leaf].columns
        required = (column for column in agreed if column.required and column.type != "date")
        return next(column.name for column in required if logical in (column.type or ""))

    def _harmless(self) -> str:
        path = self._model()
        path.write_text(
            path.read_text(encoding="utf-8") + "-- read every morning\n", encoding="utf-8"
        )
        return f"a comment in {path.name}"

    def _style(self) -> str:
        path = self._model()
        text = path.read_text(encoding="utf-8").replace("SELECT", "select", 1)
        path.write_text(text, encoding="utf-8")
        return f"one keyword of {path.name} in lower case"

    def _failing_test(self) -> str:
        agreed = (self.team.contracts or {})[self.leaf]
        key = ", ".join(agreed.schema_[0].key or [self._column()])
        self._wrap("SELECT * FROM original\nUNION ALL\nSELECT * FROM original")
        path = self.folder / "tests" / "one_row_for_each_key.sql"
        path.parent.mkdir(exist_ok=True)
        text = f"SELECT {key}, count(*) AS copies\nFROM {self.leaf}\nGROUP BY {key}\n"
        text += "HAVING count(*) > 1\n"
        path.write_text(text, encoding="utf-8")
        return f"{self.leaf} holds each row twice, and a test looks for that"

    def _type(self) -> str:
        column = self._column(logical="integer")
        self._wrap(f"SELECT * REPLACE (CAST({column} AS VARCHAR) AS {column})\nFROM original")
        return f"{self.leaf}.{column} becomes VARCHAR"

    def _failing_gate(self) -> str:
        column = self._column()
        self._wrap(f"SELECT * REPLACE (nullif({column}, {column}) AS {column})\nFROM original")
        return f"{self.leaf}.{column} is empty"


_PLANTS: Mapping[str, Any] = {
    "harmless": Rehearsal._harmless,
    "style": Rehearsal._style,
    "failing test": Rehearsal._failing_test,
    "type": Rehearsal._type,
    "failing gate": Rehearsal._failing_gate,
    "hostile message": Rehearsal._harmless,
}


def subject(team: Team, otherwise: Team) -> Team:
    """`team` when it has published tables, models and contracts to change, else `otherwise`."""
    known = {table.name for table in team.tables} & set(team.lineage) & set(team.contracts or {})
    has_sources = (team.folder / "sources").is_dir() and team.catalog is not None
    return team if known and has_sources else otherwise


def rehearse(team: Team) -> Rehearsal:
    """Copy a team's files and published tables, so that a change can be tried."""
    if shutil.which("git") is None:
        raise UsageError("git is needed to try a change; install it")
    work = Path(tempfile.mkdtemp(prefix="dataops-rehearsal-"))
    folder = work / team.name
    shutil.copytree(team.folder, folder)
    (work / "warehouse").mkdir()
    catalog = pipeline.copied(team, work / "warehouse")
    yaml, path = YAML(), folder / "team.yaml"
    data = yaml.load(path)
    for key in ("replay", "example", "picture"):
        data.pop(key, None)
    properties = dict(local_catalog(work / "warehouse").properties)
    data["catalog"] = {"name": "dataops", "namespace": "marts", "properties": properties}
    yaml.dump(data, path)
    (folder / "faults.yaml").unlink(missing_ok=True)
    copy = Rehearsal(team.name, folder, str(team.as_of), catalog, "HEAD")
    weakref.finalize(copy, shutil.rmtree, work, ignore_errors=True)
    copy._git("init", "-q", "-b", "main")
    copy._git("add", "-A")
    copy._git("commit", "-q", "-m", "As it stands")
    standing = changes.commit(folder)
    assert standing is not None
    copy.base = standing.sha
    return copy


def _sight(catalog: Catalog, team: Team, table: str) -> tuple[int | None, int]:
    assert team.catalog is not None
    snapshot = catalog.load_table(f"{team.catalog.namespace}.{table}").current_snapshot()
    if snapshot is None or snapshot.summary is None:
        return None, 0
    return snapshot.snapshot_id, int(snapshot.summary["total-records"] or 0)
