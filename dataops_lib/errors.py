"""Errors that say where, what is wrong, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class DataOpsError(Exception):
    """A mistake or a state of the world that a user can act on; shown without a traceback."""


class UsageError(DataOpsError):
    """The call itself is wrong: an unknown team, parameter or date. Exit code 2."""


class DataError(DataOpsError):
    """The data, the catalog or the disk did not allow it. Exit code 1."""


@dataclass(frozen=True)
class Problem:
    """One mistake in one file of a team.

    Examples
    --------
    >>> print(Problem("slos.yaml", 7, "target", "is 99.9, but a target is a ratio", "write 0.999"))
    slos.yaml:7: target: is 99.9, but a target is a ratio. Fix: write 0.999
    """

    file: str
    line: int | None
    field: str
    message: str
    fix: str

    def __lt__(self, other: Problem) -> bool:
        """In the order of a file; what has no line comes first."""
        return (self.file, self.line or 0, self.field) < (other.file, other.line or 0, other.field)

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        field = f" {self.field}:" if self.field else ""
        return f"{place}:{field} {self.message}. Fix: {self.fix}"


class TeamError(UsageError):
    """A team folder that cannot be used, with all of its mistakes at once in `problems`."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems)
        count = len(self.problems)
        title = f"{count} problem{'s' if count != 1 else ''} in the team's files"
        super().__init__("\n".join([title, *(f"  {problem}" for problem in self.problems)]))

    def __reduce__(self) -> tuple[type[TeamError], tuple[list[Problem]]]:
        """A replay in another process raises it, too: it is rebuilt from its problems."""
        return TeamError, (self.problems,)
