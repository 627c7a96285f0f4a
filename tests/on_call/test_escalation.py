"""Who should have been called when; what shifts had to carry."""

from datetime import UTC, datetime, timedelta

import pytest

from dataops_lib import on_call
from dataops_lib.course import article
from dataops_lib.incidents.postmortem import Row
from dataops_lib.on_call import load, rota
from dataops_lib.teams import history
from dataops_lib.teams.on_call_file import Responder

SIX = datetime(2026, 4, 19, 6, tzinfo=UTC)


def rows(**minutes):
    return [Row(SIX + timedelta(minutes=m), mark, "log", mark) for mark, m in minutes.items()]


def calls(*args, **kwargs):
    found = on_call.replay(*args, **kwargs)
    return [((one.at - found[0].at) // timedelta(minutes=1), one.layer) for one in found]


def test_the_articles_example_should_have_been_escalated_at_half_past_six():
    found = on_call.replay(article.article_timeline(article.article_example()))
    assert [(f"{one.at:%H:%M}", one.layer) for one in found] == [
        ("06:00", "primary"), ("06:30", "secondary")]  # fmt: skip
    assert found[1].why == "not repaired within 30 minutes"


@pytest.mark.parametrize(
    ("timeline", "expected"),
    [
        ({"acknowledged": 5, "repaired": 30}, [(0, "primary")]),
        ({"acknowledged": 5, "repaired": 31}, [(0, "primary"), (30, "secondary")]),
        ({"acknowledged": 6, "repaired": 20}, [(0, "primary"), (5, "secondary")]),
        ({"acknowledged": 12, "repaired": 60},
         [(0, "primary"), (5, "secondary"), (10, "domain expert"), (40, "manager")]),
        ({"repaired": 600},
         [(0, "primary"), (5, "secondary"), (10, "domain expert"), (15, "manager")]),
        ({"acknowledged": 1, "repaired": 600},
         [(0, "primary"), (30, "secondary"), (60, "domain expert"), (90, "manager")]),
        ({"acknowledged": 1, "verified": 25}, [(0, "primary")]),
    ],
)  # fmt: skip
def test_two_clocks_call_the_next_layer(timeline, expected):
    assert calls(rows(detected=0, **timeline)) == expected


def test_an_open_incident_is_replayed_up_to_now():
    assert len(calls(rows(detected=0, acknowledged=2), until=SIX + timedelta(minutes=61))) == 3


def test_a_timeline_without_an_alert_starts_no_clock():
    with pytest.raises(ValueError, match="no clock began"):
        on_call.replay(rows(acknowledged=3))


def test_with_a_rota_the_replay_names_who_was_there():
    start, end = SIX - timedelta(days=1), SIX + timedelta(days=1)
    people = (Responder(name="Kim", domains=("fct_orders",)),)
    shifts = (rota.Shift(start, end, "primary", "Ana"), rota.Shift(start, end, "secondary", "Ben"))
    found = on_call.replay(
        rows(detected=0, acknowledged=1, repaired=600),
        rota=rota.Rota(shifts, people), domain="fct_orders",
    )  # fmt: skip
    assert [one.person for one in found] == ["Ana", "Ben", "Kim", None]


def test_shifts_count_pages_interruptions_and_nights():
    start = datetime(2026, 1, 5, 9, tzinfo=UTC)
    made = rota.Rota((
        rota.Shift(start, start + timedelta(days=7), "primary", "Ana"),
        rota.Shift(start + timedelta(days=7), start + timedelta(days=14), "primary", "Ben"),
    ))  # fmt: skip
    night = datetime(2026, 1, 6, 23, 50, tzinfo=UTC)
    at = [
        night,
        night + timedelta(minutes=20),
        night + timedelta(hours=3),
        night + timedelta(days=9, hours=13),
    ]
    alerts = history.frame(
        [{"alerted_at": t, "name": "n", "table": "t", "urgency": "page"} for t in at]
        + [{"alerted_at": night, "name": "n", "table": "t", "urgency": "ticket"}],
        history.ALERTS,
    )
    table = load.shifts(made, alerts, "UTC")
    assert table[["person", "pages", "incidents", "nights"]].values.tolist() == [
        ["Ana", 3, 2, 1], ["Ben", 1, 1, 0]]  # fmt: skip
