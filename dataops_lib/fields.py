"""Kinds of values that files may hold: a zone, a schedule, a day, one line of text."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Share = Annotated[Decimal, Field(gt=0, lt=1)]
EARLIEST, LATEST = date(1970, 1, 1), date(2199, 12, 31)  # beyond, somebody mistyped a year


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not a time zone; write an IANA name such as Europe/Berlin") from None
    return name


def _schedule(text: str) -> str:
    try:
        CronSim(text, datetime(2013, 1, 1))  # noqa: DTZ001  the date does not matter here
    except CronSimError as error:
        raise ValueError(f'not a cron schedule ({error}); daily at six is "0 6 * * *"') from None
    if len(text.split()) != 5:
        raise ValueError('a schedule has five fields, without seconds; daily at six is "0 6 * * *"')
    return text


def _clock(text: Any) -> Any:
    if not isinstance(text, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError('not a time of day; write it in quotes, for example "09:00"')
    return text


def _named_once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    names = [value.name for value in values]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"the name {', '.join(twice)} stands twice")
    return values


Zone = Annotated[str, AfterValidator(_zone)]
Schedule = Annotated[str, AfterValidator(_schedule)]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,120}$")]
Line = Annotated[str, Field(min_length=1, max_length=300)]
Day = Annotated[date, Field(ge=EARLIEST, le=LATEST)]
Clock = Annotated[time, BeforeValidator(_clock)]
Names = AfterValidator(_named_once)


class Frozen(BaseModel):
    """Values that do not change; a field that is not known is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
