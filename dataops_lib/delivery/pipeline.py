"""The stages of one change: lint, build and test, contracts, gate, deploy, notification.

    run(team, base="main") -> Run        what `dataops ci` does

What was built and judged is what is published: nothing is built again for production. Published
tables change in the last stage alone, each through Write-Audit-Publish.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
from pyiceberg.catalog import Catalog

from dataops_lib import audit, contracts, wap, warehouse, windows
from dataops_lib.audit.checks import Check, ColumnsCheck, ForeignKeyCheck, VolumeCheck
from dataops_lib.delivery import build, changes, dbt, stages, style
from dataops_lib.delivery.changes import Changes, Commit
from dataops_lib.delivery.stages import Run, Skipped
from dataops_lib.errors import DataError
from dataops_lib.finding import Finding
from dataops_lib.sql import literal, quoted
from dataops_lib.teams import Team
from dataops_lib.teams.folders import local_catalog

STAGES = ("lint", "build", "contracts", "gate", "deploy", "notify")


@dataclass
class Pipeline:
    """One walk through the stages; what a stage makes, the next ones read."""

    team: Team
    changes: Changes
    production: Catalog
    day: date
    scratch: Path
    commit: Commit | None
    branch: str
    agreed: Sequence[str]
    notices: Path | None
    built: build.Built = field(default_factory=build.Built)
    published: list[str] = field(default_factory=list)

    # -- style

    def lint(self) -> list[Finding]:
        """Every changed SQL and Python file, by sqlfluff and ruff."""
        folder = self.team.folder
        paths = [folder / file for file in self.changes.files if (folder / file).is_file()]
        sql = [
            p for p in paths if p.suffix == ".sql" and p.relative_to(folder).parts[0] != "sources"
        ]
        python = [path for path in paths if path.suffix == ".py"]
        if not sql and not python:
            raise Skipped("no SQL or Python file has changed")
        problems = [*style.sqlfluff(folder, sql), *style.ruff(folder, python)]
        broken = {problem.numbers["file"] for problem in problems if "file" in problem.numbers}
        names = [path.relative_to(folder).as_posix() for path in (*sql, *python)]
        clean = [Finding(name, "ok", "no fault", "Nothing") for name in names if name not in broken]
        return [*problems, *clean]

    # -- build and test

    def build(self) -> list[Finding]:
        """What changed and all that hangs on it, in a schema that nobody reads."""
        if dbt.project(self.team.folder):
            self.built = dbt.build(self.changes, self.production, self.scratch)
        elif not self.changes.selected:
            raise Skipped("no model, contract, test or source has changed")
        else:
            self.built = build.build(self.changes, self.production, self.day)
        return self.built.findings

    # -- contracts

    def contracts(self) -> list[Finding]:
        """Changed contracts against the base, and what was built against the contract of now."""
        findings: list[Finding] = []
        for file in self.changes.files:
            if self.changes.base and file.startswith("contracts/"):
                findings += self._contract_changes(file)
        for table in self.built.tables:
            checks = [check for check in self._checks(table) if isinstance(check, ColumnsCheck)]
            findings += _named(table, audit.run(self._staged(table), checks) if checks else ())
            if not checks:
                step = f"Write contracts/{table}.yaml, so that its readers know what to expect"
                findings.append(Finding(table, "unknown", "has no contract", step))
        if not findings:
            raise Skipped("no contract and no published table has changed")
        broken = [finding for finding in findings if finding.status == "fail"]
        return [*findings, *self._readers(broken)]

    def _contract_changes(self, file: str) -> Iterator[Finding]:
        before, after = self.changes.contract(file)
        if before and after:
            for finding in contracts.validate_contracts(before, after):
                is_agreed = bool(self.agreed) and set(before.consumers) <= set(self.agreed)
                status = "warn" if finding.status == "fail" and is_agreed else finding.status
                yield Finding(finding.subject, status, finding.evidence, finding.next_step)
        elif before:
            step = f"Tell {', '.join(before.consumers) or 'its consumers'} before the change"
            yield Finding(before.table, "fail", "the contract was removed", step)
        elif after:
            yield Finding(after.table, "ok", "the contract is new", "Nothing")

    def _readers(self, broken: Sequence[Finding]) -> Iterator[Finding]:
        """Who reads a table that would break, directly or through another one."""
        for table in (table.name for table in self.team.tables):
            if not any(re.match(rf"{table}(?=[.:]|$)", finding.subject) for finding in broken):
                continue
            names = {table, *self.team.downstream(table)}
            readers = [
                f"{reader.name} ({reader.table}, {reader.reads_at:%H:%M})"
                for reader in self.team.consumers
                if reader.table in names
            ]
            if readers:
                yield Finding(table, "warn", f"is read by {', '.join(readers)}", "Tell them first")

    # -- the gate

    def gate(self) -> list[Finding]:
        """Every rule of the contracts, on the rows that would be published.

        Volume is left to the publish, which knows the table's past.
        """
        findings = []
        for table in self.built.tables:
            later = ColumnsCheck | VolumeCheck
            checks = [check for check in self._checks(table) if not isinstance(check, later)]
            for check in checks:
                if isinstance(check, ForeignKeyCheck):
                    self._stage_production(check.table)
            findings += _named(table, audit.run(self._staged(table), checks) if checks else ())
        if not findings:
            raise Skipped("no published table with a contract has changed")
        return findings

    def _checks(self, table: str) -> list[Check]:
        agreed = (self.team.contracts or {}).get(table)
        return contracts.checks(agreed) if agreed else []

    def _staged(self, table: str) -> Any:
        """The rows that were built, as an Iceberg table of a catalog that is thrown away."""
        name = self._name(table)
        if not self._ci.table_exists(name):
            rows = self.built.tables[table]
            warehouse.create_table(self._ci, name, rows.schema).append(rows)
        return self._ci.load_table(name)

    def _stage_production(self, name: str) -> None:
        if not self._ci.table_exists(name) and self.production.table_exists(name):
            table = self.production.load_table(name)
            warehouse.create_table(self._ci, name, table.schema()).append(table.scan().to_arrow())

    @property
    def _ci(self) -> Catalog:
        return warehouse.open(local_catalog(self.scratch), create=True)

    def _name(self, table: str) -> str:
        return f"{build.namespace(self.changes)}.{table}"

    # -- deploy

    def deploy(self) -> list[Finding]:
        """Publish what was built, table by table; main alone, and only what has a commit."""
        if not self.built.tables:
            raise Skipped("no published table has changed")
        if self.commit is None or self.commit.branch != self.branch:
            where = f"this is {self.commit.branch}" if self.commit else "this is no git repository"
            raise Skipped(f"only {self.branch} is deployed, and {where}")
        if not self.commit.is_clean:
            raise Skipped("there are changes that are in no commit")
        findings: list[Finding] = []
        for table, rows in self.built.tables.items():
            publication = self._publish(table, rows)
            if not publication:
                step = "Readers keep what they had; correct the model and run again"
                text = "; ".join(f"{f.subject}: {f.evidence}" for f in publication.blocked_by)
                return [*findings, Finding(table, "fail", f"blocked: {text}", step)]
            self.published.append(table)
            text = f"published {rows.num_rows:,} rows of {self._span} as {publication.run_id}"
            findings.append(Finding(table, "ok", text, "Nothing"))
        return findings

    @property
    def _span(self) -> str:
        return "all days" if self.built.whole else str(self.day)

    def _publish(self, table: str, rows: Any) -> wap.Publication:
        assert self.commit is not None
        name, column = self._name(table), self.team.table(table).day_column
        if not self.production.table_exists(name):
            warehouse.create_table(self.production, name, rows.schema)
        with self.production.load_table(name).update_schema() as update:
            update.union_by_name(_additions(self.production.load_table(name), rows))
        where = wap.overwrite_where(f"{column} = {literal(str(self.day))}")
        following = windows.midnight(self.day + timedelta(days=1), self.team.zone)
        due = self.team.expected(table, windows.Window(following, following + timedelta(days=1)))
        return wap.write_audit_publish(
            rows,
            name,
            self._checks(table),
            catalog=self.production,
            mode="overwrite" if self.built.whole else where,
            run_id=f"ci-{self.commit.sha[:12]}-{self.day:%Y%m%d}",
            properties={"due_at": due[0].isoformat()} if due else {},
        )

    # -- notification

    def notify(self) -> list[Finding]:
        """One JSON line in the file for messages; the commit's subject is data and stays data."""
        if self.notices is None:
            raise Skipped("no file for messages was named (--notify)")
        if not self.published:
            raise Skipped("nothing was published")
        text = message(self.team.name, self.commit, self.published)
        try:
            self.notices.parent.mkdir(parents=True, exist_ok=True)
            with self.notices.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(text) + "\n")
        except OSError as error:
            raise DataError(f"{self.notices} cannot be written ({error.strerror})") from error
        return [Finding(str(self.notices), "ok", text["text"], "Nothing")]


def message(team: str, commit: Commit | None, tables: Sequence[str]) -> dict[str, str]:
    """A Slack-shaped message; JSON takes any text, and Slack's own marks are escaped.

    Examples
    --------
    >>> message("orders", Commit("abc", 'say "$(id)" <!here>', "main", True), ["t"])["text"]
    'orders deployed t: say "$(id)" &lt;!here&gt; (abc)'
    """
    subject = f"{commit.subject} ({commit.sha[:12]})" if commit else "no commit"
    text = f"{team} deployed {', '.join(tables)}: {subject}"
    for mark, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(mark, escaped)
    return {"text": text}


def run(
    team: Team,
    *,
    base: str | None = None,
    catalog: Catalog | None = None,
    day: date | None = None,
    branch: str = "main",
    agreed: Sequence[str] = (),
    notices: Path | None = None,
    until: str | None = None,
) -> Run:
    """Walk a team's change since `base` through the stages.

    Parameters
    ----------
    base : str, optional
        A commit or branch; default: check everything.
    catalog : Catalog, optional
        Production; default: the team's own, for a replayed example team a copy that is thrown away.
    day : date, optional
        The day whose rows are built; default: the last that production holds.
    branch : str
        The branch that is deployed.
    agreed : sequence of str
        Consumers that have agreed to a breaking change of a contract.
    until : str, optional
        The last stage to run.

    Raises
    ------
    UsageError
        If there is no such base.
    DataError
        If the team has no catalog.
    """
    changed = changes.since(team, base)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True, prefix="dataops-ci-") as folder:
        scratch = Path(folder)
        production = catalog or _production(changed, scratch / "production")
        walked = Pipeline(
            team=team,
            changes=changed,
            production=production,
            day=day or last_day(changed, production),
            scratch=scratch,
            commit=changes.commit(team.folder),
            branch=branch,
            agreed=agreed,
            notices=notices,
        )
        return stages.walk([(name, getattr(walked, name)) for name in STAGES], until=until)


def last_day(changed: Changes, production: Catalog) -> date:
    """The last day that every published table holds; the day before `as_of` when there is none."""
    days: list[date] = []
    with duckdb.connect() as con:
        for table in changed.team.tables:
            name = f"{build.namespace(changed)}.{table.name}"
            if production.table_exists(name):
                warehouse.view(con, table.name, production.load_table(name))
                column = f"CAST(max({quoted(table.day_column)}) AS DATE)"
                rows = con.execute(f"SELECT {column} FROM {quoted(table.name)}").fetchall()
                days += [row[0] for row in rows if row[0] is not None]
    return min(days, default=changed.team.as_of - timedelta(days=1))


def _production(changed: Changes, folder: Path) -> Catalog:
    """The team's catalog; an example team's replay is shared, so a copy stands in for it."""
    team = changed.team
    if team.catalog is None:
        raise DataError(f"team {team.name!r} names no catalog; add `catalog:` to team.yaml")
    catalog = warehouse.open(team.catalog)
    return copied(team, folder) if team.replay else catalog


def copied(team: Team, folder: Path) -> Catalog:
    """A catalog in `folder` with the rows of the team's published tables."""
    assert team.catalog is not None
    catalog, namespace = warehouse.open(team.catalog), team.catalog.namespace
    folder.mkdir(exist_ok=True)
    copy = warehouse.open(local_catalog(folder), create=True)
    for table in team.tables:
        if catalog.table_exists(name := f"{namespace}.{table.name}"):
            original = catalog.load_table(name)
            rows = original.scan().to_arrow()
            warehouse.create_table(copy, name, original.schema()).append(rows)
    return copy


def _named(table: str, findings: Sequence[Finding]) -> list[Finding]:
    """Findings of a table's checks that say which table it is."""
    return [replace(finding, subject=f"{table}: {finding.subject}") for finding in findings]


def _additions(table: Any, rows: Any) -> Any:
    """The schema of the table with the columns that only the rows have."""
    import pyarrow as pa

    names = set(table.schema().as_arrow().names)
    return pa.schema([field for field in rows.schema if field.name not in names])
