"""What shifts had to carry: pages, incidents, broken nights."""

from __future__ import annotations

import pandas as pd

from dataops_lib.incidents import alert_review
from dataops_lib.on_call.rota import Rota


def shifts(rota: Rota, alerts: pd.DataFrame, zone: str) -> pd.DataFrame:
    """What each primary shift had to carry.

    Returns
    -------
    DataFrame
        starts_at, ends_at, person; pages, incidents (bursts of pages), nights (distinct, broken).
    """
    pages = alerts[alerts["urgency"] == "page"]
    moments = [at.to_pydatetime() for at in pages["alerted_at"]]
    began = [at.to_pydatetime() for at in alert_review.bursts(pages)["started_at"]]
    rows = []
    for one in (s for s in rota.final if s.role == "primary"):
        inside = [at for at in moments if at in one.window]
        nights = {
            alert_review.night_of(at, zone) for at in inside if alert_review.at_night(at, zone)
        }
        called = sum(at in one.window for at in began)
        rows.append((one.starts_at, one.ends_at, one.person, len(inside), called, len(nights)))
    names = ["starts_at", "ends_at", "person", "pages", "incidents", "nights"]
    return pd.DataFrame(rows, columns=names)
