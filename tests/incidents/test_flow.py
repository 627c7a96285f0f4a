"""What may follow what, what is due when over weekends and clocks, what consumers hear."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dataops_lib.errors import UsageError
from dataops_lib.incidents import flow
from dataops_lib.incidents.incident import Disturbance, Incident, Sign
from dataops_lib.service_levels.severity import ServiceHours

BERLIN = ServiceHours(zone="Europe/Berlin")
FRIDAY = datetime(2026, 3, 27, 9, tzinfo=UTC)  # 10:00 in Berlin; clocks go forward on the Sunday


def incident(**changes):
    missed = Disturbance("fct_orders", FRIDAY, "blocked", (), FRIDAY + timedelta(hours=3),
                         FRIDAY + timedelta(hours=3), True, False, None)  # fmt: skip
    one = Incident(
        id="i1", pipeline="p", tables=("fct_orders",), kind="blocked", due_at=FRIDAY,
        started_at=FRIDAY, detected_at=FRIDAY, detected_by="audit",
        acknowledged_at=FRIDAY + timedelta(minutes=4), resolved_at=FRIDAY + timedelta(hours=3),
        severity="P1", slo_missed=True, sla_breached=False, findings=(), planted=None, runs=(),
        disturbances=(missed,), signs=(Sign(FRIDAY, "audit", "blocked", "log", "fct_orders"),),
        last_good_at=None, until=FRIDAY + timedelta(days=9),
    )  # fmt: skip
    return replace(one, **changes)


# ---- the states


def test_each_state_has_a_clock_a_role_and_a_way_to_the_end():
    states = flow.load().states
    names = {one.name for one in states}
    for one in states:
        assert set(one.next) <= names
        assert one.clock == "none" or one.clock in flow.load().clocks
        assert one.role
        reached, open_ends = {one.name}, list(one.next)
        while open_ends:
            if (here := open_ends.pop()) not in reached:
                reached.add(here)
                open_ends += flow.load().state(here).next
        assert "closed" in reached, one.name
    assert {one.name for one in states if one.ours} == {"contained", "repaired"}
    assert states[0].name == "detected"


def test_every_step_that_no_arrow_shows_is_refused():
    book = flow.load()
    for here in book.states:
        for there in book.states:
            if there.name in here.next:
                assert book.step(here.name, there.name) == there.name
            else:
                with pytest.raises(UsageError, match=f"cannot go from {here.name} to {there.name}"):
                    book.step(here.name, there.name)


def test_an_unknown_state_is_answered_with_those_that_exist():
    with pytest.raises(UsageError, match=r"no state 'panic'.* acknowledged"):
        flow.load().state("panic")


# ---- what is due


def due(one, now, reviews=None):
    found = flow.due_list([one], now, BERLIN, reviews)
    return {finding.subject.split(": ")[1]: finding for finding in found}


def test_a_p1_is_reviewed_48_real_hours_after_it_was_resolved_over_a_weekend_with_a_clock_change():
    found = due(incident(), FRIDAY + timedelta(days=1), reviews={})
    # resolved on Friday 13:00 CET; 48 hours later it is Sunday 14:00 CEST, not 13:00
    assert found["review"].evidence.startswith("due 2026-03-29 14:00 CEST, on a weekend")
    assert found["review"].status == "ok"
    late = due(incident(), FRIDAY + timedelta(hours=51, minutes=1), reviews={})["review"]
    assert (late.status, late.next_step) == ("fail", "Name somebody who does it")
    assert "overdue by 1 min" in late.evidence


def test_a_review_is_late_in_time_or_unknown():
    now = FRIDAY + timedelta(days=8)
    assert due(incident(), now, {"i1": FRIDAY + timedelta(hours=51)})["review"].status == "ok"
    assert due(incident(), now, {"i1": FRIDAY + timedelta(hours=52)})["review"].status == "warn"
    assert due(incident(), now, None)["review"].status == "unknown"


def test_an_open_p1_asks_for_words_every_half_hour():
    one = incident(resolved_at=None)
    found = due(one, FRIDAY + timedelta(minutes=70))["word to consumers"]
    assert "the 3. is due at 2026-03-27 11:30 CET" in found.evidence


@pytest.mark.parametrize(
    ("severity", "by"),
    [
        ("P1", "2026-03-27 10:05 CET"),
        ("P2", "2026-03-27 11:00 CET"),
        ("P3", "2026-03-30 17:00 CEST"),
    ],
)
def test_each_severity_has_its_own_clock(severity, by):
    found = due(incident(severity=severity), FRIDAY + timedelta(days=4), {})
    assert f"due {by}" in found[f"answer, {severity}"].evidence
    assert ("review" in found) == (severity == "P1")


def test_an_answer_that_nobody_gave_is_overdue_and_one_without_record_unknown():
    silent = incident(acknowledged_at=None, resolved_at=None)
    assert due(silent, FRIDAY + timedelta(minutes=6))["answer, P1"].status == "fail"
    assert due(silent, FRIDAY + timedelta(minutes=4))["answer, P1"].status == "ok"
    assert (
        due(incident(acknowledged_at=None), FRIDAY + timedelta(days=1))["answer, P1"].status
        == "unknown"
    )


# ---- a word to consumers


def test_consumers_hear_what_which_days_and_when_they_hear_again():
    told = flow.words(incident(), "Europe/Berlin")
    assert [one.state for one in told] == [
        "detected",
        "contained",
        "acknowledged",
        "verified",
        "repaired",
    ]
    first, last = told[0], told[-1]
    assert first.text == (
        "fct_orders did not arrive as promised. We are looking into it. Not there yet: what was "
        "due 2026-03-27 10:00 (Europe/Berlin). Next word by 10:30 (Europe/Berlin)."
    )
    assert last.next_update_at is None
    assert "Complete again: what was due 2026-03-27 10:00" in last.text


def test_what_is_not_known_is_said_so():
    open_gap = replace(incident().disturbances[0], published_at=None, current_at=None)
    told = flow.words(incident(severity="P2", resolved_at=None, disturbances=(open_gap,)), "UTC")
    assert "Until when is not known; we write when it changes." in told[-1].text
    assert all(one.next_update_at is None for one in told)
    assert [one.state for one in told] == ["detected", "contained", "acknowledged"]


def test_a_table_that_is_current_again_but_has_a_gap_is_not_called_complete():
    gap = replace(incident().disturbances[0], published_at=None)
    told = flow.words(incident(disturbances=(gap,)), "UTC")
    assert told[-1].state == "verified"
    assert "Not there yet: what was due 2026-03-27 09:00" in told[-1].text
