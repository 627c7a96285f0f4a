"""What a team.yaml, an onboarding.yaml and a faults.yaml say, as frozen values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dataops_lib.fields import Clock, Day, Frozen, Identifier, Line, Names, Schedule, Zone

SECRET_KEY = re.compile(
    r"pass|pwd|secret|token|credential|key|private|sas|auth|connection-string", re.IGNORECASE
)

PLAIN_KEY = re.compile(
    r"(uri|url|endpoint|type|class|enabled|scope|region|-at|-ms)$", re.IGNORECASE
)

SECRET_IN_TEXT = re.compile(  # ://user:SECRET@host, ?password=SECRET, AccountKey=SECRET;
    r"://[^:/@\s]*:(?P<login>[^@]*)@"
    r"|(?:^|[?&;\s])[\w.-]*(?:pass|pwd|secret|token|key|sig)[\w.-]*=(?P<given>[^&;]*)",
    re.IGNORECASE,
)

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _holds_secret(key: str, value: str) -> bool:
    """True when a catalog property has a secret in it that is not `${NAME}`."""
    if VARIABLE.fullmatch(value) or value.lower() in ("true", "false"):
        return False
    if SECRET_KEY.search(key) and not PLAIN_KEY.search(key):
        return True
    given = [match["login"] or match["given"] or "" for match in SECRET_IN_TEXT.finditer(value)]
    return any(text and not VARIABLE.fullmatch(text) for text in given)


class Person(Frozen):
    """Somebody in the roster."""

    name: Line
    role: Line


class Pipeline(Frozen):
    """Something that is due on a schedule, from `first_due` on."""

    name: Identifier
    schedule: Schedule  # cron, in `zone`
    first_due: Day
    zone: Zone | None = None  # default: the team's
    holidays: tuple[Day, ...] = ()  # days of `zone` on which nothing is due


class Table(Frozen):
    """A published table and who answers for it."""

    name: Identifier
    pipeline: Identifier
    tier: Annotated[int, Field(ge=1, le=3)]
    owner: Line
    day_column: Identifier
    about: Line


class Consumer(Frozen):
    """Who reads a table, and at which local time of which days."""

    name: Line
    table: Identifier
    reads_at: Clock
    days: Literal["daily", "weekdays"] = "daily"
    zone: Zone | None = None


class Event(Frozen):
    """Something that really happened and shows in the data."""

    day: Day
    text: Line
    source: Line
    until: Day | None = None


class Picture(Frozen):
    """The daily series on page one: a SELECT over published tables giving `day` and numbers."""

    table: Identifier
    query: str
    unit: Line
    actual: Identifier
    planned: Identifier | None = None
    events: tuple[Event, ...] = ()


class Example(Frozen):
    """What in an example team is real, simulated, or written for the example."""

    real: Line
    simulated: str
    opinions: Line


class Catalog(Frozen):
    """An Iceberg catalog as pyiceberg takes it: a name and properties, never code."""

    name: Identifier = "default"
    namespace: Identifier = "marts"
    properties: Mapping[str, str] = Field(repr=False)

    @field_validator("properties")
    @classmethod
    def _no_literal_secrets(cls, properties: Mapping[str, str]) -> Mapping[str, str]:
        for key, value in properties.items():
            if key.lower().endswith("impl") and not value.startswith("pyiceberg."):
                raise PydanticCustomError(
                    "code",
                    "property '{key}' names code to be run; write `type:` with one of rest, sql, "
                    "glue, hive, dynamodb, bigquery",
                    {"key": key},
                )
            if _holds_secret(key, value):
                raise PydanticCustomError(
                    "secret",
                    "property '{key}' holds a literal secret; write ${NAME} and set NAME in the "
                    "environment",
                    {"key": key},
                )
        return properties


class ReplaySpan(Frozen):
    """The days an example team is replayed for; `until` is the last as_of."""

    first_day: Day
    until: Day

    @model_validator(mode="after")
    def _in_order(self) -> ReplaySpan:
        if self.until <= self.first_day:
            raise ValueError("`until` must lie after `first_day`")
        return self


class TeamFile(Frozen):
    """The whole team.yaml."""

    name: Line  # the folder's, which `teams` allows to be a slug only
    title: Line
    zone: Zone
    about: str = ""
    example: Example | None = None
    people: Annotated[tuple[Person, ...], Names] = ()
    pipelines: Annotated[tuple[Pipeline, ...], Names] = ()
    tables: Annotated[tuple[Table, ...], Names] = ()
    consumers: tuple[Consumer, ...] = ()
    catalog: Catalog | None = None
    picture: Picture | None = None
    replay: ReplaySpan | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_a_mapping(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValueError("team.yaml must hold fields such as `name:` and `zone:`")
        return data


class Assessment(Frozen):
    """The whole assessment.yaml: who answered what, and which pain hurts each of them most."""

    note: str = ""
    asked_on: date | None = None
    answers: Mapping[str, Mapping[str, Any]] = {}
    votes: Mapping[str, Any] = {}


class AddedTest(Frozen):
    """The check that a newcomer says to have added to the contract of a table."""

    table: Identifier
    check: Line


class Learner(Frozen):
    """Somebody new: since when, how git calls them, and what they say to have made."""

    name: Line
    started_on: Day
    git: Line | None = None
    test: AddedTest | None = None
    contract: Identifier | None = None
    pipeline: Identifier | None = None


class OnboardingFile(Frozen):
    """The whole onboarding.yaml."""

    note: str = ""
    learners: Annotated[tuple[Learner, ...], Names] = ()


FaultKind = Literal[
    "late_file", "duplicated_file", "type_change", "empty_file", "source_outage", "missed_run"
]


class Fault(Frozen):
    """One planted fault: what is wrong with the run due on `due` until `repaired_at`."""

    kind: FaultKind
    due: Day
    repaired_at: datetime | None = None  # local to the team; None: nobody repairs it
    source: Identifier | None = None
    pipeline: Identifier | None = None
    column: Identifier | None = None
    to: Literal["VARCHAR", "DOUBLE", "BIGINT"] | None = None

    @model_validator(mode="after")
    def _names_its_place(self) -> Fault:
        if self.kind == "missed_run" and not self.pipeline:
            raise ValueError("a missed_run names its `pipeline`")
        if self.kind != "missed_run" and not self.source:
            raise ValueError(f"a {self.kind} names its `source`")
        if self.kind == "type_change" and not (self.column and self.to):
            raise ValueError("a type_change names its `column` and the type it turns `to`")
        return self

    @property
    def text(self) -> str:
        """How reports mark it."""
        what = self.kind.replace("_", " ")
        return f"{what}: {self.column} to {self.to}" if self.column else what


class FaultFile(Frozen):
    """The whole faults.yaml."""

    faults: tuple[Fault, ...] = ()
