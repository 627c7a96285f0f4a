"""What a contract may say (ODCS 3.0 to 3.2): tables, columns, quality rules, service levels.

Each part knows which of its fields are documentation. Every other field is a clause: it becomes a
check, or it is named as not run (see `clauses`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dataops_lib.audit.checks import OPERATORS, Column, Limit
from dataops_lib.warehouse.types import iceberg_type, logical

Logical = Literal[
    "string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean",
    "map", "vector",
]  # fmt: skip
_BROADER = {("number", "integer"), ("date", "timestamp")}  # ODCS 3.0 had no timestamp
_WARN = {"warning", "warn", "low", "info", "medium"}
_UNITS = {
    "s": 1, "second": 1, "seconds": 1, "min": 60, "minute": 60, "minutes": 60, "h": 3600,
    "hr": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
    "w": 604800, "week": 604800, "weeks": 604800, "y": 31536000, "yr": 31536000, "year": 31536000,
    "years": 31536000, "month": 2592000, "months": 2592000,
}  # fmt: skip


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def says_nothing(value: Any) -> bool:
    """True for a field that is absent, switched off or empty; 0 is a value."""
    return value is None or value is False or value in ([], {}, "")


class Part(BaseModel):
    """A part of a contract file; keys that ODCS does not know are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    documentation: ClassVar[frozenset[str]] = _words(
        """id name description tags businessName authoritativeDefinitions customProperties
        deprecated synonyms context"""
    )
    id: str | None = None
    description: Any = None
    tags: Any = None
    businessName: str | None = None
    authoritativeDefinitions: Any = None
    customProperties: list[dict[str, Any]] = []
    deprecated: bool | None = None
    synonyms: Any = None
    context: Any = None

    @property
    def clauses(self) -> list[str]:
        """Fields of this part that say something and are no documentation, as in the file."""
        fields = sorted(self.model_fields_set - self.documentation)
        return [name for name in fields if not says_nothing(getattr(self, name))]

    def custom(self, name: str) -> Any:
        """Value of a custom property; None without it."""
        values = (p.get("value") for p in self.customProperties if p.get("property") == name)
        return next(values, None)


class Options(BaseModel):
    """`logicalTypeOptions` of a column."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    minimum: Any = None
    maximum: Any = None
    exclusiveMinimum: Any = None
    exclusiveMaximum: Any = None
    minLength: int | None = None
    maxLength: int | None = None
    pattern: str | None = None
    format: str | None = None
    multipleOf: Any = None
    timezone: bool | None = None
    defaultTimezone: str | None = None
    minItems: int | None = None
    maxItems: int | None = None
    uniqueItems: bool | None = None
    minProperties: int | None = None
    maxProperties: int | None = None
    required: Any = None
    dimensions: Any = None
    elementType: Any = None


class Rule(Part):
    """One quality rule of a column or a table."""

    documentation = Part.documentation | _words(
        "dimension severity method businessImpact schedule scheduler"
    )
    type: Literal["library", "sql", "text", "custom"] = "library"
    name: str | None = None
    metric: str | None = None
    rule: str | None = None
    arguments: dict[str, Any] = {}
    validValues: list[Any] | None = None
    query: str | None = None
    engine: str | None = None
    implementation: Any = None
    unit: str | None = None
    dimension: str | None = None
    severity: str | None = None
    method: str | None = None
    businessImpact: str | None = None
    schedule: str | None = None
    scheduler: str | None = None
    mustBe: Any = None
    mustNotBe: Any = None
    mustBeGreaterThan: Any = None
    mustBeGreaterOrEqualTo: Any = None
    mustBeLessThan: Any = None
    mustBeLessOrEqualTo: Any = None
    mustBeBetween: list[Any] | None = Field(None, min_length=2, max_length=2)
    mustNotBeBetween: list[Any] | None = Field(None, min_length=2, max_length=2)

    @property
    def limit(self) -> Limit | None:
        """The rule's operator; None when it has none.

        Raises
        ------
        ValueError
            If it has more than one, or no number.
        """
        operators = {n: value for n in OPERATORS if (value := getattr(self, n)) is not None}
        if len(operators) > 1:
            names = ", ".join(operators)
            raise ValueError(f"has {len(operators)} operators ({names}), but one is allowed")
        for name, value in operators.items():
            values = tuple(value) if isinstance(value, list) else (value,)
            if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
                raise ValueError(f"{name} is {value!r}, but must be a number")
            return Limit(name, values, self.unit or "rows")  # type: ignore[arg-type]
        return None

    def options(self, default_name: str) -> dict[str, Any]:
        """Name, severity and scope of the check."""
        severity = "warn" if (self.severity or "").lower() in _WARN else "block"
        scope = self.custom("scope") or ""
        if scope not in ("", "table", "added"):
            raise ValueError(f"scope is {scope!r}, but must be table or added")
        named = {"name": self.name or default_name, "severity": severity}
        return named | ({"scope": scope} if scope else {})


class Property(Part):
    """One column."""

    documentation = Part.documentation | _words(
        """classification criticalDataElement encryptedName examples transformLogic semanticType
        transformDescription transformSourceObjects primaryKeyPosition physicalName
        partitionKeyPosition"""
    )
    name: str
    logicalType: Logical | None = None
    physicalType: str | None = None
    physicalName: str | None = None
    required: bool = False
    unique: bool = False
    primaryKey: bool = False
    primaryKeyPosition: int = -1
    logicalTypeOptions: Options = Options()
    enum: list[dict[str, Any]] | None = None
    quality: list[Rule] = []
    properties: list[Any] = []
    items: Any = None
    map: Any = None
    partitioned: bool = False
    partitionKeyPosition: int = -1
    classification: Any = None
    criticalDataElement: bool = False
    examples: Any = None
    transformLogic: str | None = None
    transformDescription: str | None = None
    transformSourceObjects: Any = None
    encryptedName: str | None = None
    relationships: Any = None
    semanticType: Literal["column", "measure", "dimension"] | None = None

    @property
    def in_table(self) -> str:
        """What the column is called in the table; `name` is what the business calls it."""
        return self.physicalName or self.name

    @property
    def column(self) -> Column:
        """The column as a check compares it; a required key column is required."""
        required = self.required or self.primaryKey
        kind = logical(self.physical) if self.physical else self.logicalType
        return Column(self.in_table, kind, required, self.physical)

    @property
    def physical(self) -> str | None:
        """Iceberg type of `physicalType`, None when it says none we know."""
        kind, _ = iceberg_type(self.physicalType or "")
        zone = self.logicalTypeOptions.timezone
        if kind is None and self.logicalType == "timestamp" and zone is not None:
            return "timestamptz" if zone else "timestamp"
        return kind

    @property
    def contradiction(self) -> str:
        """Why `logicalType` cannot hold beside `physicalType`; an empty text when it can."""
        if self.physical and self.logicalType:
            kind = logical(self.physical)
            if kind != self.logicalType and (self.logicalType, kind) not in _BROADER:
                return f"physicalType {self.physicalType} is {kind}"
        return ""


class Object(Part):
    """One table."""

    documentation = Part.documentation | _words(
        "logicalType physicalType physicalName dataGranularityDescription"
    )
    name: str
    logicalType: str = "object"
    physicalType: str | None = None
    physicalName: str | None = None
    dataGranularityDescription: str | None = None
    properties: list[Property] = []
    quality: list[Rule] = []
    relationships: Any = None

    @field_validator("properties")
    @classmethod
    def _names_once(cls, value: list[Property]) -> list[Property]:
        for names in ([c.name for c in value], [c.in_table for c in value]):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"column {', '.join(twice)} stands twice")
        return value

    @property
    def columns(self) -> list[Property]:
        """Columns of the table; a measure is computed from them and stands in none."""
        return [column for column in self.properties if column.semanticType != "measure"]

    @property
    def key(self) -> tuple[str, ...]:
        """Primary key columns in their positions."""
        keys = [column for column in self.columns if column.primaryKey]
        return tuple(c.in_table for c in sorted(keys, key=lambda c: c.primaryKeyPosition))


class Sla(Part):
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
        if value is not None and len(value.split()) == 5:  # other schedulers have other forms
            try:
                CronSim(value, _SOME_DAY)
            except CronSimError as error:
                raise ValueError(f"not a cron schedule ({error})") from None
        return value

    @model_validator(mode="after")
    def _fits(self) -> Sla:
        kind, number = self.name.lower(), isinstance(self.value, int | float)
        if kind in _DURATIONS and number and self.unit and self.duration is None:
            raise ValueError(f"{self.name} needs a number and a unit of time, such as 4 and h")
        clock = re.match(r"\d\d?:\d\d", str(self.value)) and not _CLOCK.fullmatch(str(self.value))
        if kind == "timeofavailability" and clock:
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
