"""Data contracts in the Open Data Contract Standard (ODCS), version 3.

    loads(text, file="contract.yaml") -> Contract    TeamError: all problems, each with its line
    checks(contract, table=None) -> list[Check]      what `write_audit_publish` is to check
    validate_contracts(old, new) -> list[Finding]    what a change breaks, and whom to tell

`tests/contracts/example_contract.yaml` is a complete contract to copy. Executed are the columns of
`schema` (logicalType, physicalType, required, unique, primaryKey, logicalTypeOptions) and `quality`
of types library, sql and custom with engine `dataops`. `Contract.unsupported` names what is not
executed: text, other engines, formats, nested columns. `slaProperties` are read into
`Contract.sla`; they are measured on landings and never block a publish, because late data is not
better unpublished.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dataops_lib import yaml_lines
from dataops_lib.audit import columns, unique
from dataops_lib.audit.checks import Check, Column
from dataops_lib.contracts.rules import Options, Part, Rule, Unsupported, column_checks, rule_check
from dataops_lib.errors import TeamError
from dataops_lib.warehouse.types import _PHYSICAL

Logical = Literal[
    "string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean"
]

_UNITS = {
    "s": 1, "second": 1, "seconds": 1, "min": 60, "minute": 60, "minutes": 60, "h": 3600,
    "hr": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
    "w": 604800, "week": 604800, "weeks": 604800, "y": 31536000, "yr": 31536000, "year": 31536000,
    "years": 31536000, "month": 2592000, "months": 2592000,
}  # fmt: skip


class _Part(BaseModel):
    """A part of a contract file; keys that ODCS does not know are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    # Documentation: allowed everywhere, not executed.
    id: str | None = None
    description: Any = None
    tags: Any = None
    businessName: str | None = None
    authoritativeDefinitions: Any = None
    customProperties: list[dict[str, Any]] = []


class Property(_Part):
    """One column."""

    name: str
    logicalType: Logical
    physicalType: str | None = None
    physicalName: str | None = None
    required: bool = False
    unique: bool = False
    primaryKey: bool = False
    primaryKeyPosition: int = -1
    logicalTypeOptions: Options = Options()
    quality: list[Rule] = []
    properties: list[Any] = []
    items: Any = None
    partitioned: bool = False
    partitionKeyPosition: int = -1
    classification: str | None = None
    criticalDataElement: bool = False
    examples: Any = None
    transformLogic: str | None = None
    transformDescription: str | None = None
    transformSourceObjects: Any = None
    encryptedName: str | None = None
    relationships: Any = None

    @property
    def column(self) -> Column:
        """The column as a check compares it; a required key column is required."""
        required = self.required or self.primaryKey
        return Column(self.name, self.logicalType, required, self.physical)

    @property
    def physical(self) -> str | None:
        """Iceberg type of `physicalType`, None when it says none we know."""
        text = (self.physicalType or "").strip()
        if decimal := re.fullmatch(r"(?:decimal|numeric)\((\d+),\s*(\d+)\)", text, re.IGNORECASE):
            return f"decimal({decimal[1]}, {decimal[2]})"
        return _PHYSICAL.get(re.sub(r"\(.*\)", "", text).strip().upper())


class Object(_Part):
    """One table."""

    name: str
    logicalType: str = "object"
    physicalType: str | None = None
    physicalName: str | None = None
    dataGranularityDescription: str | None = None
    properties: Annotated[list[Property], Field(min_length=1)]
    quality: list[Rule] = []
    relationships: Any = None

    @field_validator("properties")
    @classmethod
    def _names_once(cls, value: list[Property]) -> list[Property]:
        names = [column.name for column in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"column {', '.join(twice)} stands twice")
        return value

    @property
    def key(self) -> tuple[str, ...]:
        """Primary key columns in their positions."""
        found = [column for column in self.properties if column.primaryKey]
        return tuple(c.name for c in sorted(found, key=lambda c: c.primaryKeyPosition))


class Sla(_Part):
    """One service level promise."""

    name: str = Field(alias="property")
    value: Any = None
    valueExt: Any = None
    unit: str | None = None
    element: str | None = None
    driver: str | None = None
    scheduler: str | None = None
    schedule: str | None = None

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                CronSim(value, _SOME_DAY)
            except CronSimError as error:
                raise ValueError(f"not a cron schedule ({error})") from None
        return value

    @model_validator(mode="after")
    def _fits(self) -> Sla:
        kind = self.name.lower()
        if kind in _DURATIONS and self.duration is None:
            raise ValueError(f"{self.name} needs a number and a unit of time, such as 4 and h")
        if kind == "timeofavailability" and not _CLOCK.fullmatch(str(self.value)):
            raise ValueError("timeOfAvailability is a time with a UTC offset, such as 09:00-08:00")
        return self

    @property
    def duration(self) -> timedelta | None:
        """The promise as a span of time; `m` is minutes, but months for `retention`."""
        unit = (self.unit or "").strip().lower()
        if unit == "m":
            unit = "months" if self.name.lower() == "retention" else "minutes"
        if unit not in _UNITS or not isinstance(self.value, int | float):
            return None
        return timedelta(seconds=self.value * _UNITS[unit])

    @property
    def elements(self) -> tuple[str, ...]:
        """Columns the promise is about, as `table.column`."""
        return tuple(part.strip() for part in (self.element or "").split(",") if part.strip())


_SOME_DAY = datetime(2013, 1, 1, tzinfo=UTC)
_DURATIONS = {"latency", "freshness", "frequency", "retention"}


_DURATIONS |= {"timetodetect", "timetonotify", "timetorepair"}


_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d(Z|[+-]\d\d:?\d\d)")


class Contract(_Part):
    """A contract as the file says it, checked against the standard's shape."""

    apiVersion: Annotated[str, Field(pattern=r"^v3\.\d+\.\d+$")]
    kind: Literal["DataContract"]
    id: str
    version: str
    status: str
    name: str | None = None
    domain: str | None = None
    dataProduct: str | None = None
    tenant: str | None = None
    schema_: Annotated[list[Object], Field(alias="schema", min_length=1)]
    slaProperties: list[Sla] = []
    slaDefaultElement: str | None = None
    servers: Any = None
    team: Any = None
    roles: Any = None
    support: Any = None
    price: Any = None
    contractCreatedTs: Any = None

    @property
    def table(self) -> str:
        """Name of the table that the contract is about, the first if there are several."""
        return self.schema_[0].name

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of `table`."""
        return tuple(column.column for column in self.schema_[0].properties)

    @property
    def sla(self) -> tuple[Sla, ...]:
        """Service level promises."""
        return tuple(self.slaProperties)

    @property
    def consumers(self) -> tuple[str, ...]:
        """Who is to be told of a change: the custom property `consumers`."""
        found = [p.get("value") for p in self.customProperties if p.get("property") == "consumers"]
        named = found[0] if found else []
        return tuple(named) if isinstance(named, list) else (str(named),)

    @property
    def unsupported(self) -> tuple[str, ...]:
        """Parts of the contract that nothing here executes, each named with the reason."""
        return tuple(str(part) for _, part in _parts(self) if isinstance(part, Unsupported))


def loads(text: str, file: str = "contract.yaml") -> Contract:
    """Read a contract.

    Raises
    ------
    TeamError
        With every problem of the file: unknown or missing keys, wrong types, rules without an
        operator, service levels without a unit, schedules that are no cron expressions.
    """
    read = yaml_lines.loads(text, file)
    contract = yaml_lines.validate(Contract, read)
    problems = [
        read.problem(
            path, str(part), "correct the rule; tests/contracts/example_contract.yaml shows each"
        )
        for path, part in _parts(contract)
        if isinstance(part, ValueError)
    ]
    if problems:
        raise TeamError(problems)
    return contract


def checks(contract: Contract, table: str | None = None) -> list[Check]:
    """Checks of one table of the contract, its first without a name: schema, columns, rules."""
    wanted = table or contract.table
    index = [found.name for found in contract.schema_].index(wanted)
    found = contract.schema_[index]
    whole: list[Check] = [columns(*(column.column for column in found.properties))]
    parts = [part for path, part in _parts(contract) if path[1] == index]
    return whole + [part for part in parts if isinstance(part, Check)]


def _parts(contract: Contract) -> Iterator[tuple[tuple[str | int, ...], Part]]:
    """Every executable or unexecutable part of the contract, with its path in the file."""
    for number, table in enumerate(contract.schema_):
        at: tuple[str | int, ...] = ("schema", number)
        for index, column in enumerate(table.properties):
            place = (*at, "properties", index)
            alone = column.unique or table.key == (column.name,)
            required = column.column.required
            options = column.logicalTypeOptions
            for part in column_checks(column.name, options, required=required, unique=alone):
                yield place, part
            for position, rule in enumerate(column.quality):
                yield (*place, "quality", position), rule_check(rule, column.name, table.name)
            if column.properties or column.items:
                yield place, Unsupported(f"{column.name}: nested columns are not checked")
        if len(table.key) > 1:
            yield at, unique(*table.key)
        for position, rule in enumerate(table.quality):
            yield (*at, "quality", position), rule_check(rule, None, table.name)
