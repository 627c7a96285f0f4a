"""Alerts reviewed: which wake people for nothing, which must stay, what was one interruption."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import pandas as pd
from pydantic import Field

from dataops_lib import playbook, yaml_lines
from dataops_lib.fields import Clock, Frozen, Line
from dataops_lib.incidents.incident import Incident
from dataops_lib.service_levels import budget


class Night(Frozen):
    """The hours of a night, local time."""

    starts: Clock
    ends: Clock
    source: Line


class Rules(Frozen):
    """The whole alert_review.yaml: when an alert is kept, what one interruption is."""

    version: int
    acted_share: Annotated[float, Field(gt=0, le=1)]
    fired_at_least: int
    first_sign: timedelta
    one_burst: timedelta
    source: Line
    never_remove: Line
    downgrade_first: Line
    night: Night


@cache
def rules() -> Rules:
    """The rules of the playbook, data/playbook/alert_review.yaml."""
    name = "alert_review.yaml"
    return yaml_lines.validate(Rules, yaml_lines.loads(playbook.text(name), name))


def at_night(moment: datetime, zone: str) -> bool:
    """Whether a UTC time lies in the night of `zone`.

    >>> at_night(datetime.fromisoformat("2026-03-29T00:30:00+00:00"), "Europe/Berlin")
    True
    """
    there, night = moment.astimezone(ZoneInfo(zone)).time(), rules().night
    return there >= night.starts or there < night.ends


def night_of(moment: datetime, zone: str) -> date:
    """The day on which the night of a UTC time began: 02:00 belongs to the evening before."""
    there = moment.astimezone(ZoneInfo(zone))
    return there.date() - timedelta(days=int(there.time() < rules().night.ends))


def ledger(alerts: pd.DataFrame, zone: str, incidents: Sequence[Incident] = ()) -> pd.DataFrame:
    """One row for each alert name, the noisiest first.

    Returns
    -------
    DataFrame
        name (index); fired, at_night, pages; acted, not_acted, unknown (counts); share acted on
        among the known with its 95 % interval, low and high (ratios); before_p1 (count); proposal
        (keep, downgrade, remove or unknown) and why.

    An alert that came before a P1 is never removed, whatever its share.
    """
    worst = [incident for incident in incidents if incident.severity == "P1"]
    rows = []
    for name, fired in alerts.groupby("name", sort=True):
        moments = [at.to_pydatetime() for at in fired["alerted_at"]]
        acted, not_acted = ((fired["action_taken"] == word).sum() for word in ("yes", "no"))
        answered = int(acted + not_acted)
        low, high = budget.interval(int(acted), answered)
        tables = set(fired["table"])
        row = {
            "name": name,
            "fired": len(fired),
            "at_night": sum(at_night(at, zone) for at in moments),
            "pages": int((fired["urgency"] == "page").sum()),
            "acted": int(acted),
            "not_acted": int(not_acted),
            "unknown": len(fired) - answered,
            "share": int(acted) / answered if answered else None,
            "low": low,
            "high": high,
            "before_p1": sum(_came_before(incident, tables, moments) for incident in worst),
        }
        rows.append(row | dict(zip(("proposal", "why"), _proposal(row), strict=True)))
    names = ["name", "fired", "at_night", "pages", "acted", "not_acted", "unknown", "share", "low",
             "high", "before_p1", "proposal", "why"]  # fmt: skip
    table = pd.DataFrame(rows, columns=names).astype({"share": float, "low": float, "high": float})
    return table.sort_values(["fired", "name"], ascending=[False, True]).set_index("name")


def _came_before(incident: Incident, tables: Iterable[str], moments: Iterable[datetime]) -> bool:
    """Whether an alert about a table of the incident came in the day before it ended."""
    end = incident.resolved_at or incident.until
    return bool(set(incident.tables) & set(tables)) and any(
        incident.due_at - rules().first_sign <= at <= end for at in moments
    )


def _proposal(row: Mapping[str, Any]) -> tuple[str, str]:
    limits = rules()
    if row["before_p1"]:
        return "keep", limits.never_remove
    if row["share"] is None:
        return "unknown", "nobody recorded whether somebody acted"
    if row["fired"] < limits.fired_at_least or row["high"] >= limits.acted_share:
        sure = row["low"] >= limits.acted_share
        return "keep", "people act on it" if sure else "too few to judge"
    if row["pages"]:
        return "downgrade", "fewer than half are acted on: a ticket, and the log stays"
    return "remove", "nobody is called, and fewer than half are acted on"


def bursts(alerts: pd.DataFrame) -> pd.DataFrame:
    """Alerts by cause: of one cause, or of one load, or within half an hour; each an interruption.

    Returns
    -------
    DataFrame
        started_at, ended_at, alerts (count), names, cause; oldest first.
    """
    limits = rules()
    groups: list[dict[str, Any]] = []
    for row in alerts.sort_values("alerted_at").to_dict("records"):
        at, due = row["alerted_at"], row["due_at"]
        cause = row["cause"] if isinstance(row["cause"], str) else None
        for group in groups[::-1]:
            same_load = pd.notna(due) and due == group["due_at"]
            near = at - group["ended_at"] <= limits.one_burst
            same = group["cause"] == cause if cause or group["cause"] else same_load or near
            if same and at - group["ended_at"] <= limits.first_sign:
                group |= {"ended_at": at, "alerts": group["alerts"] + 1}
                group["names"] = f"{group['names']}, {row['name']}"
                break
        else:
            burst = {"started_at": at, "ended_at": at, "alerts": 1, "names": row["name"]}
            groups.append(burst | {"cause": cause, "due_at": due})
    names = ["started_at", "ended_at", "alerts", "names", "cause"]
    return pd.DataFrame(groups, columns=names)


def acknowledged(alerts: pd.DataFrame) -> dict[str, Any]:
    """Time to acknowledge pages.

    Returns
    -------
    dict
        median and p90 (timedelta; None when none is known), known and unknown (counts).
    """
    pages = alerts[alerts["urgency"] == "page"]
    took: Any = (pages["acknowledged_at"] - pages["alerted_at"]).dropna()
    return {
        "median": took.median().to_pytimedelta() if len(took) else None,
        "p90": took.quantile(0.9).to_pytimedelta() if len(took) else None,
        "known": len(took),
        "unknown": len(pages) - len(took),
    }
