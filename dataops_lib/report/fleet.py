"""The reports of all teams in one run, and the page over them: worst first, no league table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from dataops_lib import files
from dataops_lib.errors import DataOpsError, TeamError
from dataops_lib.report import history, page, runner
from dataops_lib.teams import folders

RANK = {"failed": 0, "fail": 1, "warn": 2, "unknown": 3, "ok": 4}
OLD_DAYS = 40  # a monthly report that is older was not made this month


@dataclass(frozen=True)
class Entry:
    """One team on the index: its last good report, and why there is none of today."""

    team: str
    title: str
    page: str  # relative to the index, "" when there is none
    as_of: str
    age_days: int | None
    status: str  # of the worst tile; "failed" when this run could not make a report
    headline: str
    step: str
    changed: tuple[str, ...]
    tiers: tuple[int, ...]
    owners: tuple[str, ...]
    problems: tuple[str, ...] = ()

    @property
    def is_old(self) -> bool:
        """Whether the report is too old to be called this month's."""
        return self.age_days is not None and self.age_days > OLD_DAYS


@dataclass
class Outcome:
    """What became of a run over teams: pages by team, and what to fix by team."""

    pages: dict[str, Path] = field(default_factory=dict)
    failures: dict[str, tuple[str, ...]] = field(default_factory=dict)


def run(
    names: Sequence[str],
    *,
    as_of: str | date | None,
    out: Path,
    root: Path | str | None = None,
    sections: Sequence[str] = (),
    jobs: int = 2,
    notify: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Make the report of each team, `jobs` at a time; one that fails stops no other.

    `notify` hears a line for each team that is done, with how many are left.
    """
    outcome = Outcome()

    def report(name: str) -> Path:
        return runner.run(name, as_of=as_of, out=out, root=root, sections=sections)

    with (
        runner._environment(DATAOPS_TEAMS_DIR=str(folders.root_folder(root))),
        ThreadPoolExecutor(max(jobs, 1)) as pool,
    ):
        running = {pool.submit(report, name): name for name in names}
        for number, done in enumerate(as_completed(running), 1):
            name = running[done]
            try:
                outcome.pages[name] = done.result()
                notify(f"{name}: done ({number} of {len(names)})")
            except DataOpsError as error:
                outcome.failures[name] = to_fix(error)
                notify(f"{name}: failed ({number} of {len(names)})")
    return outcome


def to_fix(error: DataOpsError) -> tuple[str, ...]:
    """What is to be fixed, a line each: every mistake of a team's files, or the one error."""
    if isinstance(error, TeamError):
        return tuple(str(problem) for problem in error.problems)
    return (str(error),)


def entries(
    names: Sequence[str], outcome: Outcome, *, out: Path, today: date, root: Path | str | None
) -> list[Entry]:
    """Each team with its newest good report, the worst first; equal ones by name."""
    listed = [_entry(name, outcome, out, today, root) for name in names]
    return sorted(listed, key=lambda entry: (RANK[entry.status], entry.team))


def _entry(name: str, outcome: Outcome, out: Path, today: date, root: Path | str | None) -> Entry:
    problems = outcome.failures.get(name, ())
    made = list(history.reports(out, name))
    title, tiers, owners = _about(name, root)
    if not made:
        return Entry(
            name, title, "", "", None, "failed" if problems else "unknown",
            "No report was ever made", "Fix what is named here" if problems else "Run a report",
            (), tiers, owners, problems,
        )  # fmt: skip
    folder, record = made[-1]
    changes = history.changes(record, out)
    worst = min((tile["status"] for tile in record["tiles"]), key=RANK.__getitem__)
    steps = [d["what"] for d in record["decisions"]]
    steps += [f["next_step"] for f in record["findings"] if f["subject"] == "next step"]
    return Entry(
        team=name,
        title=title,
        page=f"{folder.relative_to(out).as_posix()}/index.html",
        as_of=record["as_of"],
        age_days=(today - datetime.fromisoformat(record["as_of"]).date()).days,
        status="failed" if problems else worst,
        headline=record["headline"],
        step=next(iter(steps), ""),
        changed=tuple(f"{c.name}: {c.text}" for c in changes.values() if c.is_change),
        tiers=tiers,
        owners=owners,
        problems=problems,
    )


def _about(name: str, root: Path | str | None) -> tuple[str, tuple[int, ...], tuple[str, ...]]:
    """Title, tiers and owners of a team; what its broken files do not tell is left out."""
    from dataops_lib.teams import team as team_files

    try:
        facts = team_files.team_file(folders.folder_of(name, root))
    except DataOpsError:
        return name, (), ()
    tiers = tuple(sorted({table.tier for table in facts.tables}))
    return facts.title, tiers, tuple(sorted({table.owner for table in facts.tables}))


def index(listed: Sequence[Entry], out: Path, today: date) -> Path:
    """Write index.html over the teams, atomically; filters by tier and owner need no script."""
    tiers = sorted({tier for entry in listed for tier in entry.tiers})
    owners = sorted({owner for entry in listed for owner in entry.owners})
    values: dict[str, Any] = {"entries": listed, "today": today, "tiers": tiers, "owners": owners}
    text = page.render("fleet.html.j2", css=page.css("style.css"), **values)
    return files.write(out / "index.html", text)
