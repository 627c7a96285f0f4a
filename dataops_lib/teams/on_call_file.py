"""What a team's on_call.yaml says: who can be called, how a rota is cut, what it pays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from dataops_lib.fields import Clock, Day, Frozen, Identifier, Line, Names, Zone
from dataops_lib.teams.history import ROLES

Layer = Literal["primary", "secondary", "domain expert", "manager"]
Reading = Literal["A", "B", "C"]
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Leave(Frozen):
    """Days on which somebody cannot be called, both included."""

    first_day: Day
    last_day: Day

    @model_validator(mode="after")
    def _in_order(self) -> Leave:
        if self.last_day < self.first_day:
            raise ValueError("`last_day` must not lie before `first_day`")
        return self


class Responder(Frozen):
    """Somebody who can be called."""

    name: Line
    layers: tuple[Layer, ...] = ("primary", "secondary")
    domains: tuple[Identifier, ...] = ()  # tables that they are the domain expert of
    leave: tuple[Leave, ...] = ()
    since: Day | None = None  # first day on the rota; None: always was
    until: Day | None = None  # last day on the rota; None: stays
    share: Annotated[float, Field(gt=0, le=1)] = 1.0  # of a full share; part-time takes less
    shadow_shifts: Annotated[int, Field(ge=0, le=26)] = 0  # to look on before being called
    runbooks_read: tuple[Line, ...] = ()
    drills_passed: tuple[Line, ...] = ()

    def is_present(self, day: date) -> bool:
        """On the rota that day, on leave or not."""
        return (self.since is None or self.since <= day) and (
            self.until is None or day <= self.until
        )

    def is_away(self, day: date) -> bool:
        """On leave that day."""
        return any(one.first_day <= day <= one.last_day for one in self.leave)


class RotationPolicy(Frozen):
    """How a rota is cut: where the hand-off is, which reading of the article's rule holds."""

    zone: Zone = "UTC"
    handoff_day: str = "monday"
    handoff_at: Clock = time(10)
    reading: Reading = "A"
    layers: tuple[Layer, ...] = ("primary", "secondary")
    weeks_apart: Annotated[int, Field(ge=1, le=26)] | None = None  # None: by the size of the team
    holidays: tuple[Day, ...] = ()
    region: Line | None = None  # such as DE-BY: holidays of the `holidays` package

    @field_validator("handoff_day")
    @classmethod
    def _weekday(cls, name: str) -> str:
        if name not in WEEKDAYS:
            raise ValueError(f"must be one of {', '.join(WEEKDAYS)}")
        return name

    @field_validator("layers")
    @classmethod
    def _once_and_with_a_primary(cls, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
        if "primary" not in layers or len(set(layers)) != len(layers):
            raise ValueError("needs `primary`, and each layer once")
        return layers


class Override(Frozen):
    """Somebody takes over a layer for a while; the rota below it stays as it is."""

    starts_at: datetime
    ends_at: datetime
    role: Layer
    person: Line

    @model_validator(mode="after")
    def _in_order(self) -> Override:
        if self.starts_at.tzinfo is None or self.ends_at.tzinfo is None:
            raise ValueError("times need an offset, such as 2026-02-10T06:30:00+01:00")
        if self.ends_at <= self.starts_at:
            raise ValueError("`ends_at` must lie after `starts_at`")
        return self


class PayPolicy(Frozen):
    """What being on call is paid with: money or hours off, for each real hour and each page."""

    unit: Line = "hours off"
    weekday: Annotated[Decimal, Field(ge=0)] = Decimal(0)  # for each hour of standby
    night: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    weekend: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    holiday: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    page: Annotated[Decimal, Field(ge=0)] = Decimal(0)  # for each page by day
    page_at_night: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    secondary: Annotated[Decimal, Field(ge=0, le=1)] = Decimal("0.5")  # of the primary's standby
    most_each_month: Annotated[Decimal, Field(gt=0)] | None = None


class OnCallFile(Frozen):
    """The whole on_call.yaml."""

    note: str = ""
    rotation: RotationPolicy = RotationPolicy()
    people: Annotated[tuple[Responder, ...], Names] = ()
    overrides: tuple[Override, ...] = ()
    pay: PayPolicy | None = None
    reviews: Mapping[str, datetime] | None = None  # incident -> when its postmortem was written

    @model_validator(mode="after")
    def _names_are_of_people(self) -> OnCallFile:
        known = {person.name for person in self.people}
        unknown = sorted({one.person for one in self.overrides} - known)
        if unknown:
            raise ValueError(f"{', '.join(unknown)} in `overrides` is not in `people`")
        return self

    @field_validator("reviews")
    @classmethod
    def _with_zone(cls, reviews: Any) -> Any:
        for name, moment in (reviews or {}).items():
            if moment.tzinfo is None:
                raise ValueError(f"the time of {name} needs an offset, or Z for UTC")
        return reviews


assert set(Layer.__args__) < set(ROLES)  # type: ignore[attr-defined]
