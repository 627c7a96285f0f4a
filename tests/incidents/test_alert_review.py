"""Alerts are kept, downgraded or removed by what people did, and never if they came before a P1."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops_lib.incidents import alert_review
from dataops_lib.teams import history

DAY = datetime(2026, 1, 6, 12, tzinfo=UTC)


def alerts(*acted, name="volume", urgency="page", **more):
    rows = [
        {"alerted_at": DAY + timedelta(days=n), "name": name, "table": "t", "urgency": urgency,
         "action_taken": word} | more
        for n, word in enumerate(acted)
    ]  # fmt: skip
    return history.frame(rows, history.ALERTS)


def p1(day=0, tables=("t",), severity="P1"):
    due = DAY + timedelta(days=day, hours=1)
    return SimpleNamespace(severity=severity, tables=tables, due_at=due,
                           resolved_at=due + timedelta(hours=2), until=due)  # fmt: skip


@pytest.mark.parametrize(
    ("acted", "urgency", "proposal", "why"),
    [
        (["no"] * 8, "page", "downgrade", "a ticket, and the log stays"),
        (["no"] * 8, "ticket", "remove", "nobody is called"),
        (["yes"] * 8, "page", "keep", "people act on it"),
        (["no"] * 2, "page", "keep", "too few to judge"),
        (["no"] * 3, "page", "keep", "too few to judge"),  # 0 of 3 may still be half: 0 to 56 %
        (["no"] * 4, "page", "downgrade", "fewer than half"),  # 0 to 49 %
        ([None] * 9, "page", "unknown", "nobody recorded"),
    ],
)
def test_what_is_proposed_follows_from_what_people_did(acted, urgency, proposal, why):
    row = alert_review.ledger(alerts(*acted, urgency=urgency), "UTC").iloc[0]
    assert row["proposal"] == proposal
    assert why in row["why"]


def test_what_nobody_recorded_is_shown_and_counts_for_neither_side():
    row = alert_review.ledger(alerts("yes", None, "no", None), "UTC").iloc[0]
    assert (row["acted"], row["not_acted"], row["unknown"], row["share"]) == (1, 1, 2, 0.5)
    assert 0 < row["low"] < 0.5 < row["high"] < 1


@settings(max_examples=30)
@given(
    acted=st.lists(st.sampled_from(["yes", "no", None]), min_size=1, max_size=40),
    urgency=st.sampled_from(["page", "ticket"]),
    hours=st.floats(-2, 23.9),
)
def test_an_alert_that_came_before_a_p1_is_never_removed(acted, urgency, hours):
    found = alerts(*acted, urgency=urgency)
    one = p1()
    one.due_at, one.resolved_at = (DAY + timedelta(hours=h) for h in (hours, hours + 3))
    assert alert_review.ledger(found, "UTC", [one]).iloc[0]["proposal"] == "keep"


@pytest.mark.parametrize("other", [p1(severity="P2"), p1(tables=("u",)), p1(day=-9), p1(day=30)])
def test_only_a_p1_of_the_same_table_within_a_day_protects(other):
    row = alert_review.ledger(alerts(*["no"] * 8), "UTC", [other]).iloc[0]
    assert (row["before_p1"], row["proposal"]) == (0, "downgrade")


@pytest.mark.parametrize(
    ("at", "zone", "night"),
    [("2026-01-06T21:59", "UTC", False), ("2026-01-06T22:00", "UTC", True),
     ("2026-01-06T06:59", "UTC", True), ("2026-01-06T07:00", "UTC", False),
     ("2026-03-29T04:59", "Europe/Berlin", True), ("2026-03-29T05:00", "Europe/Berlin", False),
     ("2026-03-28T05:59", "Europe/Berlin", True)],
)  # fmt: skip
def test_a_night_is_22_to_7_on_the_clocks_of_the_place(at, zone, night):
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert alert_review.at_night(moment, zone) is night


def test_two_oclock_belongs_to_the_night_that_began_the_evening_before():
    assert alert_review.night_of(datetime(2026, 1, 7, 2, tzinfo=UTC), "UTC").day == 6


def test_alerts_of_one_cause_one_load_or_one_half_hour_are_one_interruption():
    def at(minutes, **more):
        moment = DAY + timedelta(minutes=minutes)
        return {"alerted_at": moment, "name": "n", "table": "t", "urgency": "page"} | more

    rows = [at(0, due_at=DAY), at(20), at(200, due_at=DAY), at(300),
            at(400, cause="disk"), at(410, cause="net"), at(700, cause="disk")]  # fmt: skip
    found = alert_review.bursts(history.frame(rows, history.ALERTS))
    assert found["alerts"].tolist() == [3, 1, 2, 1]
    assert found["cause"].fillna("").tolist() == ["", "", "disk", "net"]


def test_time_to_acknowledge_leaves_out_what_nobody_recorded():
    found = alerts("yes", "yes", "no")
    found.loc[0, "acknowledged_at"] = found.loc[0, "alerted_at"] + timedelta(minutes=4)
    found.loc[1, "acknowledged_at"] = found.loc[1, "alerted_at"] + timedelta(minutes=8)
    took = alert_review.acknowledged(found)
    assert (took["median"], took["known"], took["unknown"]) == (timedelta(minutes=6), 2, 1)
    assert alert_review.acknowledged(found.iloc[:0])["median"] is None
