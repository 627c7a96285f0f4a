"""The one value that passes between judging and explaining."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

Status = Literal["ok", "warn", "fail", "unknown"]
STATUSES: tuple[Status, ...] = get_args(Status)
_WORST_FIRST = {"fail": 0, "warn": 1, "unknown": 2, "ok": 3}


@dataclass(frozen=True)
class Finding:
    """What was judged, how it stands, why we say so, and what to do next.

    `numbers` holds the figures behind `evidence`, by name with the unit in the name, so that a
    report can be checked by a machine. Missing input makes a finding `unknown`, never 0 or 100 %.

    Examples
    --------
    >>> Finding("freshness", "unknown", "no landing is known", "Give runs.csv").is_bad
    False
    """

    subject: str
    status: Status
    evidence: str
    next_step: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status is {self.status!r}, but must be one of {', '.join(STATUSES)}")

    @property
    def is_bad(self) -> bool:
        """True for `fail` and `warn`: somebody should look."""
        return self.status in ("fail", "warn")

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"numbers": dict(self.numbers)}


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Findings ordered fail, warn, unknown, ok; the given order is kept within a status."""
    return sorted(findings, key=lambda finding: _WORST_FIRST[finding.status])
