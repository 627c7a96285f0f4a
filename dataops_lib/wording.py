"""How dates, lengths of time, shares, counts and small tables are written for people."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import pandas as pd

from dataops_lib.errors import DataOpsError

WORDS = {"ok": "kept", "warn": "SLO missed", "fail": "SLA breached", "unknown": "unknown"}
MINUTES = {"minute": 1, "min": 1, "hour": 60, "h": 60, "day": 1440, "d": 1440, "week": 10080}
ALMOST = 1e-9  # sums of floats: closer than this is the same share

_LENGTH = re.compile(r"(?P<number>\d[\d,]*(?:\.\d+)?)\s*(?P<unit>[a-z]+)", re.IGNORECASE)


def percent(
    ratio: Decimal | Fraction | float | None,
    *,
    promise: Decimal | Fraction | float | None = None,
    digits: int = 4,
) -> str:
    """A ratio as people read it, never rounded to 0 or 100 %, nor across what was promised.

    An exact ratio (Decimal) is shown whole, another with `digits` significant digits, or with as
    many more as it takes to stand on its own side of 0, of 100 % and of `promise`.

    >>> percent(Decimal("0.995")), percent(None), percent(1 / 3)
    ('99.5 %', 'unknown', '33.33 %')
    >>> percent(99_999 / 100_000), percent(0.98996, promise=0.99), percent(-0.0039, digits=1)
    ('99.999 %', '98.996 %', '-0.4 %')
    """
    if ratio is None or math.isnan(ratio):
        return "unknown"
    if isinstance(ratio, Decimal):
        return f"{(ratio * 100).normalize():,f} %"
    exact = Decimal(repr(float(ratio))) * 100
    whole = exact.to_integral_value()
    if abs(exact - whole) < Decimal(ALMOST):
        exact = whole
    edges = [Decimal(0), Decimal(100)]
    if promise is not None:
        edges.append(Decimal(repr(float(promise))) * 100)
    return f"{_rounded(exact, digits, edges):,f} %"


def number(size: float, digits: int = 3, *, apart: float = 0) -> str:
    """A count or an amount: whole numbers whole, others with `digits` digits, no exponent.

    What is not 0, and not the number `apart`, is not shown as if it were.

    >>> number(8640), number(1752.0), number(1.5), number(0.0351), number(1207.6)
    ('8,640', '1,752', '1.5', '0.0351', '1,208')
    """
    exact = Decimal(repr(float(size)))
    whole = exact.to_integral_value()
    if abs(exact - whole) < Decimal(ALMOST):
        return f"{int(whole):,}"
    return f"{_rounded(exact, digits, [Decimal(0), Decimal(repr(float(apart)))]):,f}"


def part(good: float, total: float, unit: str) -> str:
    """A part of a whole, the unit in its plural; rounded, but never to the whole or to nothing.

    >>> part(1520.4, 1560, "minutes"), part(43199.9, 43200, "minutes"), part(1, 1, "runs")
    ('1,520 of 1,560 minutes', '43,199.9 of 43,200 minutes', '1 of 1 run')
    """
    return _pair(good, total, unit, (f"{{:,.{decimals}f}}".format for decimals in range(8)))


def amounts(spent: float, allowed: float, unit: str) -> str:
    """What was spent of a budget, in few digits, but never shown alike when it is not.

    >>> amounts(27.38, 7.2, "hours"), amounts(7.201, 7.2, "hours"), amounts(1, 0.07, "runs")
    ('27.4 of 7.2 hours', '7.201 of 7.2 hours', '1 of 0.07 runs')
    """
    return _pair(spent, allowed, unit, (partial(number, digits=digits) for digits in range(3, 12)))


def _pair(a: float, b: float, unit: str, ways: Iterable[Callable[[float], str]]) -> str:
    for write in ways:
        texts = [write(size) for size in (a, b)]
        if (texts[0] == texts[1]) == (abs(a - b) < ALMOST):
            break
    shown, whole = (text.rstrip("0").rstrip(".") if "." in text else text for text in texts)
    return f"{shown} of {whole} {unit.removesuffix('s') if whole == '1' else unit}"


def _rounded(exact: Decimal, digits: int, edges: Iterable[Decimal]) -> Decimal:
    """`exact` in few decimals, but on the side of each of the `edges` on which it lies."""
    decimals = max(0, digits - 1 - exact.adjusted()) if exact else 0
    for more in range(12):
        shown = exact.quantize(Decimal(1).scaleb(-decimals - more))
        apart = all((shown > edge) - (shown < edge) == (exact > edge) - (exact < edge)
                    for edge in edges)  # fmt: skip
        if apart:
            break
    return shown.normalize() + 0  # + 0: there is no -0


def plural(count: float, singular: str, several: str = "") -> str:
    """A count and what is counted: 1 table, 2 tables, 0 tables.

    >>> plural(1, "table"), plural(8640, "run"), plural(2, "day of history", "days of history")
    ('1 table', '8,640 runs', '2 days of history')
    """
    return f"{number(count)} {singular if count == 1 else several or f'{singular}s'}"


def listed(names: Iterable[str]) -> str:
    """Names in a sentence: a, b and c."""
    *first, last = list(names) or [""]
    return f"{', '.join(first)} and {last}" if first else last


def day(when: date) -> str:
    """A date as people write it: 9 February 2013."""
    return f"{when.day} {when:%B %Y}"


def span(length: timedelta) -> str:
    """A length of time in words, to the minute; `read_span` reads it.

    >>> span(timedelta(hours=1, minutes=10)), span(timedelta(days=51))
    ('1 hour 10 minutes', '1,224 hours')
    """
    if length < timedelta(0):
        return f"minus {span(-length)}"
    hours, minutes = divmod(int(length.total_seconds()) // 60, 60)
    parts = [plural(size, unit) for size, unit in ((hours, "hour"), (minutes, "minute")) if size]
    return " ".join(parts) or "0 minutes"


def read_span(text: str) -> timedelta:
    """The length of time that words say: numbers with minutes, hours, days or weeks.

    Raises
    ------
    ValueError
        If the words are no length of time.

    Examples
    --------
    >>> read_span("1,224 hours 5 minutes") / timedelta(minutes=1), str(read_span("1.5 hours"))
    (73445.0, '1:30:00')
    """
    parts = list(_LENGTH.finditer(text))
    minutes = [unit_minutes(part["unit"]) for part in parts]
    if not parts or None in minutes or _LENGTH.sub("", text).strip(" ,and"):
        raise ValueError(f"{text!r} is no length of time; write it like 1 hour 10 minutes")
    sizes = [Decimal(part["number"].replace(",", "")) for part in parts]
    total = sum(size * (each or 0) for size, each in zip(sizes, minutes, strict=True))
    return timedelta(microseconds=int(total * 60_000_000))


def unit_minutes(unit: str) -> int | None:
    """Minutes of one unit of time, singular, plural or short; None for another word."""
    word = unit.lower()
    return MINUTES.get(word) or MINUTES.get(word.removesuffix("s"))


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
    return {0: "never", 1: "once"}.get(count, f"{number(count)} times")


def titled(frame: pd.DataFrame) -> pd.DataFrame:
    """The first column as row titles, with all headings in one line."""
    first = str(frame.columns[0])
    return frame.set_index(first).rename_axis(index=None, columns=first)
