"""What a team changed since a base: files, models and what hangs on them, contracts."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dataops_lib import contracts
from dataops_lib.errors import UsageError
from dataops_lib.teams import Team, lineage

SECONDS = 60
# Nothing that a repository configures may start a program, and nothing is fetched.
QUIET = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "--no-pager")


@dataclass(frozen=True)
class Commit:
    """The commit that is checked out."""

    sha: str
    subject: str
    branch: str
    is_clean: bool  # no file of the team differs from it


@dataclass(frozen=True)
class Changes:
    """What differs from `base` in a team's folder; without a base, everything is new."""

    team: Team
    base: str | None
    files: tuple[str, ...]  # below the team's folder, deleted ones too

    @cached_property
    def tests(self) -> Mapping[str, tuple[str, ...]]:
        """Test files of the team, and the models that each of them reads."""
        paths = sorted((self.team.folder / "tests").glob("*.sql"))
        return {f"tests/{p.name}": lineage.inputs(p.read_text(encoding="utf-8")) for p in paths}

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Models that are modified: their SELECT, their contract, a test of them, a source."""
        every = self.team.lineage
        if self.base is None:
            return tuple(lineage.order(every))
        modified: set[str] = set()
        for file in self.files:
            folder, stem = file.split("/")[0], Path(file).stem
            if folder == "pipelines":
                modified.add(stem)
            elif folder == "contracts":
                before, after = self.contract(file)
                modified |= {agreed.table for agreed in (before, after) if agreed}
            elif folder == "tests":
                modified.update(self.tests.get(file, ()))
            elif folder == "sources":
                modified.update(name for name, inputs in every.items() if stem in inputs)
        return tuple(name for name in lineage.order(every) if name in modified)

    @cached_property
    def selected(self) -> tuple[str, ...]:
        """The modified models and all that is built from them, in the order of building."""
        every = self.team.lineage
        below = {name for model in self.models for name in lineage.downstream(every, model)}
        return tuple(name for name in lineage.order(every) if name in {*self.models, *below})

    def contract(self, file: str) -> tuple[contracts.Contract | None, contracts.Contract | None]:
        """A contract as it stood at the base, and as it stands now."""
        path = self.team.folder / file
        now = contracts.loads(path.read_text(encoding="utf-8"), file) if path.is_file() else None
        text = at(self.team.folder, self.base, file) if self.base else None
        return (contracts.loads(text, f"{file} at the base") if text is not None else None), now


def since(team: Team, base: str | None) -> Changes:
    """What the team's folder has changed since it left `base`; None or zeros mean everything.

    Raises
    ------
    UsageError
        If the folder is in no git repository, or there is no such commit.
    """
    if base is None or re.fullmatch(r"0*|-.*", base):
        return Changes(team, None, tuple(_below(team.folder)))
    folder = team.folder
    fork = git(folder, "merge-base", f"{base}^{{commit}}", "HEAD")
    if fork is None:
        text = f"git knows no commit {base!r} that {folder} has in its history"
        raise UsageError(
            f"{text}. Fetch it (fetch-depth: 0), or leave --base out to check everything"
        )
    changed = git(
        folder, "diff", "--name-only", "-z", "--no-renames", "--relative", fork, "--", "."
    )
    added = git(folder, "ls-files", "--others", "--exclude-standard", "-z", "--", ".")
    files = {name for text in (changed, added) for name in (text or "").split("\0") if name}
    return Changes(team, fork, tuple(sorted(files)))


def _below(folder: Path) -> Iterable[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def commit(folder: Path) -> Commit | None:
    """The commit that `folder` stands at; None outside of git."""
    text = git(folder, "log", "-1", "--format=%H%x00%s")
    if text is None:
        return None
    sha, _, subject = text.partition("\0")
    branch = git(folder, "rev-parse", "--abbrev-ref", "HEAD") or ""
    return Commit(sha, subject, branch, git(folder, "status", "--porcelain", "--", ".") == "")


def at(folder: Path, base: str, file: str) -> str | None:
    """The text of a file at a commit; None when it was not there."""
    return git(folder, "show", f"{base}:./{file}", strip=False)


def git(folder: Path, *arguments: str, strip: bool = True) -> str | None:
    """What git prints; None when it fails."""
    command = ["git", *QUIET, "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    text = done.stdout.decode("utf-8", "replace")
    return text.strip("\n") if strip else text
