"""Fresh minutes of a year for 1,000 tables, by the closed form and, for some, minute by minute."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from dataops_lib.service_levels import freshness, severity
from dataops_lib.service_levels.measurements import Minutes
from dataops_lib.windows import Window, midnight

TABLES, SAMPLE, LIMIT_SECONDS = 1_000, 10, 5.0
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")
MINUTE, MAX_AGE = timedelta(minutes=1), timedelta(hours=26)


@dataclass(frozen=True)
class Case:
    """A table's year: when it landed, and the minutes that were not promised."""

    window: Window
    landings: list[datetime]
    excluded: list[Window]


def cases(tables: int, seed: int = 0) -> Iterator[Case]:
    """Daily and hourly tables with late and missed runs, maintenance and service hours."""
    random = np.random.default_rng(seed)
    closed: dict[str, list[Window]] = {}
    for number in range(tables):
        zone = ZONES[number % len(ZONES)]
        window = Window(midnight(date(2025, 1, 1), zone), midnight(date(2026, 1, 1), zone))
        if zone not in closed:
            closed[zone] = severity.ServiceHours(zone).outside(window)
        every = 60 if number % 10 == 0 else 1440  # minutes
        due = np.arange(0, window.duration // MINUTE, every)
        came = due + random.exponential(every / 20, len(due)).astype(int)
        landed = came[random.random(len(due)) > 0.01]  # one run in a hundred is missed
        starts = random.integers(0, window.duration // MINUTE, 12)
        works = [window.start + int(start) * MINUTE for start in starts]
        maintenance = [Window(at, at + timedelta(hours=3)) for at in works]
        landings = [window.start + int(minute) * MINUTE for minute in landed]
        yield Case(window, landings, [*closed[zone], *maintenance])


def by_closed_form(case: Case) -> Minutes:
    """As the library does it."""
    return freshness.freshness(
        case.landings,
        start=case.window.start,
        end=case.window.end,
        max_age=MAX_AGE,
        excluded=case.excluded,
    )


def by_the_minute(case: Case) -> tuple[int, int, int]:
    """Good, bad and excluded minutes, by a grid that knows nothing of intervals."""
    size, start = case.window.duration // MINUTE, case.window.start
    last = np.full(size, -(10**9))
    for landing in case.landings:
        if landing < case.window.end:
            last[(landing - start) // MINUTE] = (landing - start) // MINUTE
    age = np.arange(size) - np.maximum.accumulate(last)
    out = np.zeros(size, dtype=bool)
    for span in case.excluded:
        out[max(0, (span.start - start) // MINUTE) : max(0, (span.end - start) // MINUTE)] = True
    good = (age < MAX_AGE // MINUTE) & ~out
    return int(good.sum()), int((~good & ~out).sum()), int(out.sum())


def part() -> str:
    """This benchmark's part of RESULTS.md; stops when the grid disagrees or the limit is broken."""
    known = list(cases(TABLES))
    wall, used = time.perf_counter(), time.process_time()
    found = [by_closed_form(case) for case in known]
    wall, used = time.perf_counter() - wall, time.process_time() - used
    wrong = 0
    for case, minutes in list(zip(known, found, strict=True))[
        :: TABLES // SAMPLE + 1
    ]:  # a stride that meets every zone
        wrong += (minutes.good, minutes.bad, minutes.excluded) != by_the_minute(case)
    if wrong or used > LIMIT_SECONDS:
        raise SystemExit(f"freshness: {wrong} of {SAMPLE} tables differ, {used:.1f} s of CPU")
    landings = sum(len(case.landings) for case in known)
    spans = sum(len(case.excluded) for case in known)
    covered = sum(case.window.duration // MINUTE for case in known)
    return "\n".join(
        [
            "### Fresh minutes of a year",
            "",
            f"- {TABLES:,} tables, {covered / 1e6:,.0f} million minutes, {landings:,} landings, "
            f"{spans:,} excluded spans (service hours of {len(ZONES)} zones, maintenance): "
            f"{wall:.2f} s, {used:.2f} s of CPU on one core; the limit is {LIMIT_SECONDS:.0f} s.",
            f"- {SAMPLE} of the tables were counted again minute by minute: no minute differs.",
        ]
    )


if __name__ == "__main__":
    print(datetime.now(UTC).date(), part(), sep="\n\n")
