"""What being on call is paid with: real hours by kind, pages, and a cap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pandas as pd

from dataops_lib.incidents import alert_review
from dataops_lib.on_call import rules
from dataops_lib.on_call.rota import Rota
from dataops_lib.teams.on_call_file import PayPolicy, RotationPolicy
from dataops_lib.windows import Window

KINDS = ("weekday", "night", "weekend", "holiday")
CENT = Decimal("0.01")


def pieces(window: Window, policy: RotationPolicy) -> Iterator[tuple[str, Window]]:
    """A span cut into hours of one kind: holiday before weekend, weekend before night.

    Kinds change at midnight and at the ends of a night on the clocks of the zone, so a night in
    which clocks change has its real 8 or 10 hours.
    """
    night, zone = alert_review.rules().night, ZoneInfo(policy.zone)
    first, last = (moment.astimezone(zone).date() for moment in (window.start, window.end))
    free = rules.holidays(policy, first, last)
    for day, span in window.days(policy.zone):
        cuts = [
            datetime.combine(day, at, zone).astimezone(UTC) for at in (night.ends, night.starts)
        ]
        inside = [cut for cut in cuts if cut in span and cut != span.start]
        edges = [span.start, *sorted(inside), span.end]
        for start, end in pairwise(edges):
            if day in free:
                kind = "holiday"
            elif day.weekday() >= 5:
                kind = "weekend"
            else:
                kind = "night" if alert_review.at_night(start, policy.zone) else "weekday"
            yield kind, Window(start, end)


def statement(
    rota: Rota,
    rotation: RotationPolicy,
    pay: PayPolicy,
    window: Window,
    pages: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """What each person is owed for `window`, the cap for each calendar month applied.

    Parameters
    ----------
    pages : DataFrame, optional
        alerted_at, urgency, and acknowledged_at if known; the primary of that moment answers.
        None: pages are not known and not paid.

    Returns
    -------
    DataFrame
        person (index); hours of each kind as primary and secondary together; pages, of these at
        night; owed in the policy's unit (Decimal), capped (bool).
    """
    owed: dict[str, dict[tuple[int, int], Decimal]] = {}
    rows: dict[str, Counter[str]] = {}
    for shift in rota.final:
        part = {"primary": Decimal(1), "secondary": pay.secondary}.get(shift.role)
        start, end = max(shift.starts_at, window.start), min(shift.ends_at, window.end)
        if part is None or start >= end:
            continue
        row = rows.setdefault(shift.person, Counter())
        for kind, span in pieces(Window(start, end), rotation):
            seconds = round(span.duration.total_seconds())
            row[kind] += seconds
            month = _month(span.start, rotation.zone)
            amount = part * getattr(pay, kind) * seconds / 3600
            by_month = owed.setdefault(shift.person, {})
            by_month[month] = by_month.get(month, Decimal(0)) + amount
    for moment in [] if pages is None else pages[pages["urgency"] == "page"]["alerted_at"]:
        at = moment.to_pydatetime()
        person = rota.who(at, "primary") if at in window else None
        if person is not None:
            night = alert_review.at_night(at, rotation.zone)
            rows[person]["pages"] += 1
            rows[person]["pages_at_night"] += night
            month = _month(at, rotation.zone)
            extra = pay.page_at_night if night else pay.page
            owed[person][month] = owed[person].get(month, Decimal(0)) + extra
    table = []
    for person in sorted(rows):
        full = list(owed[person].values())
        paid = [min(one, pay.most_each_month or one) for one in full]
        hours = {f"{kind}_hours": rows[person][kind] / 3600 for kind in KINDS}
        called = {name: rows[person][name] for name in ("pages", "pages_at_night")}
        total = sum(paid, Decimal(0)).quantize(CENT)
        table.append({"person": person} | hours | called | {"owed": total, "capped": paid != full})
    names = ["person", *(f"{kind}_hours" for kind in KINDS), "pages", "pages_at_night"]
    return pd.DataFrame(table, columns=[*names, "owed", "capped"]).set_index("person")


def _month(moment: datetime, zone: str) -> tuple[int, int]:
    there = moment.astimezone(ZoneInfo(zone))
    return there.year, there.month
