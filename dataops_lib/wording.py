"""How dates, spans, shares and small tables are written for people."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd

from dataops_lib.errors import DataOpsError


def percent(ratio: Decimal | float | None) -> str:
    """A ratio as people read it.

    >>> percent(Decimal("0.995")), percent(None)
    ('99.5 %', 'unknown')
    """
    if ratio is None or math.isnan(ratio):
        return "unknown"
    return f"{float(ratio) * 100:.7g} %" if isinstance(ratio, Decimal) else f"{ratio * 100:.4g} %"


WORDS = {"ok": "kept", "warn": "SLO missed", "fail": "SLA breached", "unknown": "unknown"}


def day(when: date) -> str:
    """A date as people write it: 9 February 2013."""
    return f"{when.day} {when:%B %Y}"


def span(length: timedelta) -> str:
    """A length of time in hours and minutes: 26 h 31 min."""
    hours, minutes = divmod(int(length.total_seconds()) // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def hours_and_minutes(span: timedelta) -> str:
    """A span in words, to the minute.

    Examples
    --------
    >>> hours_and_minutes(timedelta(hours=1, minutes=10))
    '1 hour 10 minutes'
    """
    hours, minutes = divmod(int(span.total_seconds()) // 60, 60)
    parts = [(hours, "hour"), (minutes, "minute")]
    said = [f"{count:,} {unit}{'' if count == 1 else 's'}" for count, unit in parts if count]
    return " ".join(said) or "0 minutes"


def outcome(function: Callable[..., Any], *values: Any) -> str:
    """What a call gives, or how it is refused, in one line and without a traceback.

    >>> outcome(int, "a")[:25]
    'refused: invalid literal '
    """
    try:
        return str(function(*values))
    except (DataOpsError, TypeError, ValueError) as error:
        return f"refused: {error}"


def times(count: int) -> str:
    """How often: never, once, 3 times."""
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def titled(frame: pd.DataFrame) -> pd.DataFrame:
    """The first column as row titles, with all headings in one line."""
    first = str(frame.columns[0])
    return frame.set_index(first).rename_axis(index=None, columns=first)
