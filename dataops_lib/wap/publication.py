"""What became of a run, and the story of how."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from dataops_lib.audit import verdicts
from dataops_lib.finding import Finding

log = logging.getLogger("dataops.wap")
Event = tuple[datetime, str, str]  # UTC time, event, detail


@dataclass(frozen=True, repr=False)
class Publication:
    """What became of a run; truthy when its rows are published.

    `rows` is the number of rows handed in (0 when they could not be staged), `snapshot_id` what was
    audited last, `main_before` what readers saw until then. `events` tells the story in order:
    (UTC time, event, detail); `seconds` says how long each kind of step really took.
    """

    run_id: str
    table: str
    published: bool
    branch: str | None = None
    snapshot_id: int | None = None
    staged_snapshot_id: int | None = None
    main_before: int | None = None
    rows: int = 0
    findings: tuple[Finding, ...] = ()
    staged_at: datetime | None = None
    published_at: datetime | None = None
    tag: str | None = None
    rebased: int = 0
    events: tuple[Event, ...] = field(default=(), compare=False)
    seconds: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({}), compare=False
    )

    def __bool__(self) -> bool:
        return self.published

    def __repr__(self) -> str:
        blocking = ", ".join(finding.subject for finding in self.blocked_by)
        became = "published" if self.published else f"not published, blocked by {blocking or '-'}"
        return f"run {self.run_id} of {self.table}: {self.rows:,} rows, {became}"

    @property
    def blocked_by(self) -> list[Finding]:
        """Findings that stopped the publish."""
        return [finding for finding in self.findings if verdicts.blocks(finding)]

    @property
    def failures(self) -> list[str]:
        """What went wrong without touching the data: an alert or a clean-up that failed."""
        return [f"{event}: {text}" for _, event, text in self.events if event.endswith("failed")]


def utc_now() -> datetime:
    """The time now; callers that replay give another clock."""
    return datetime.now(UTC)


@dataclass
class Story:
    """Events of one call as they happen, each logged."""

    about: str
    now: Callable[[], datetime]
    _events: list[Event] = field(default_factory=list)
    _seconds: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=time.perf_counter)

    def note(self, event: str, detail: str) -> None:
        """Keep an event; a clock that fails after the publish must not undo it."""
        try:
            at = self.now()
        except Exception:
            at = utc_now()
        self._events.append((at, event, detail))
        moment = time.perf_counter()
        self._seconds[event] = self._seconds.get(event, 0.0) + moment - self._last
        self._last = moment
        log.info("%s: %s %s", self.about, event, detail)

    def fail(self, what: str, error: Exception) -> None:
        """Note that something beside the data failed."""
        self.note(f"{what} failed", f"{type(error).__name__}: {error}")

    @property
    def events(self) -> tuple[Event, ...]:
        """The events so far."""
        return tuple(self._events)

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds spent in each kind of step so far."""
        return MappingProxyType(dict(self._seconds))
