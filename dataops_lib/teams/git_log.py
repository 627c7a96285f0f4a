"""Who changed what in a team's folder, read from git without trusting the repository."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

SECONDS = 20  # a large history takes a second; what takes longer waits for something
FORMAT = "%x1e%H%x1f%cI%x1f%P%x1f%aN%x1f%aE%x1f%s" + "".join(
    f"%x1f%(trailers:key={key},valueonly,separator=%x1d)"
    for key in ("Reviewed-by", "Co-authored-by")
)

# Nothing that a repository configures may start a program, and nothing is fetched.
QUIET = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "--no-pager")


@dataclass(frozen=True)
class Commit:
    """One change of the team's folder; `paths` are relative to it, `at` is UTC or has an offset."""

    at: datetime
    author: tuple[str, str]  # name and email
    paths: tuple[str, ...]
    reviewed_by: tuple[str, ...] = ()
    together_with: tuple[str, ...] = ()
    merges: bool = False  # its paths were written in other commits
    id: str = ""
    subject: str = ""

    def is_of(self, who: str) -> bool:
        """True when `who`, a name or an email, is its author."""
        return who.casefold() in (part.casefold() for part in self.author)

    def names(self, who: str, trailers: Sequence[str]) -> bool:
        """True when a trailer such as `Eva <eva@example.com>` is about `who`."""
        parts = (text.partition("<") for text in trailers)
        people = {part.strip(" >").casefold() for name, _, mail in parts for part in (name, mail)}
        return who.casefold() in people

    def touches(self, path: str) -> bool:
        """True when it changes `path`, or something in it when that ends with a slash."""
        return any(
            changed == path or (path.endswith("/") and changed.startswith(path))
            for changed in self.paths
        )


@dataclass(frozen=True)
class Log:
    """Commits known at the date of the report; None and `why` when they cannot be read."""

    commits: tuple[Commit, ...] | None
    why: str = ""
    tell: str = ""


def commits(folder: Path, since: datetime, until: datetime) -> Log:
    """Commits from `since` to before `until` that changed something in `folder`, newest first.

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
        text = _git(
            folder, "log", f"--since={earlier.isoformat()}", f"--format={FORMAT}", "--name-only",
            "--diff-merges=first-parent", "--relative", "--no-show-signature", "--no-ext-diff",
        )  # fmt: skip
    except FileNotFoundError:
        return Log(None, "git is not installed here", "Install git")
    except subprocess.TimeoutExpired:
        return Log(None, f"git took longer than {SECONDS} seconds", step)
    except (subprocess.CalledProcessError, OSError):
        return Log(None, "this folder is in no git repository that can be read", step)
    changes = (_commit(record) for record in text.split("\x1e")[1:])
    return Log(tuple(c for c in changes if c.paths and since <= c.at < until))


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
    id, at, parents, name, mail, subject, reviewed, together = [*head.split("\x1f"), "", ""][:8]
    reviewers, others = (
        tuple(person for person in text.split("\x1d") if person) for text in (reviewed, together)
    )
    moment, merges = datetime.fromisoformat(at), " " in parents
    paths = tuple(line for line in listed.splitlines() if line)
    return Commit(moment, (name, mail), paths, reviewers, others, merges, id, subject)
