"""Rotas of other tools: what they export is read, and what is wrong with it is said."""

import json

import pytest

from dataops_lib.errors import TeamError
from dataops_lib.teams import rota_calendar

SHIFT = {"start": "2026-01-05T10:00:00+01:00", "end": "2026-01-12T10:00:00+01:00"}
PAGERDUTY = {"schedule": {"final_schedule": {"rendered_schedule_entries": [
    SHIFT | {"user": {"id": "P1", "summary": "Ana"}}]}}}  # fmt: skip
ONCALLS = {"oncalls": [
    SHIFT | {"user": {"summary": "Ana"}, "escalation_level": 1},
    SHIFT | {"user": {"summary": "Ben"}, "escalation_level": 2},
]}  # fmt: skip
GOALERT = {
    "data": {"schedule": {"shifts": [SHIFT | {"user": {"name": "Ana"}, "truncated": False}]}}
}
ICAL = """BEGIN:VCALENDAR
PRODID:-//GoAlert//dev//EN
VERSION:2.0
BEGIN:VEVENT
UID:4c7d37
SUMMARY:{summary}
DTSTAMP:20200101T050000Z
DTSTART:20260105T090000Z
DTEND:20260112T090000Z
END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize(
    ("export", "held"),
    [(PAGERDUTY, [("primary", "Ana")]), (GOALERT, [("primary", "Ana")]),
     (ONCALLS, [("primary", "Ana"), ("secondary", "Ben")])],
)  # fmt: skip
def test_json_exports_are_read(export, held):
    found = rota_calendar.loads(json.dumps(export), "export.json")
    assert list(zip(found["role"], found["person"], strict=True)) == held
    assert found["starts_at"][0].isoformat() == "2026-01-05T09:00:00+00:00"


@pytest.mark.parametrize(
    ("summary", "role", "person"),
    [
        ("On-Call Shift: Ana", "primary", "Ana"),
        ("On Call - Ana - Data primary", "primary", "Ana"),
        ("secondary: Ben Li", "secondary", "Ben Li"),
        ("On call: Ana", "primary", "Ana"),
    ],
)
def test_calendars_of_other_tools_are_read(summary, role, person):
    found = rota_calendar.loads(ICAL.format(summary=summary), "x.ics")
    assert (found["role"][0], found["person"][0]) == (role, person)


def test_a_subscription_of_your_own_names_nobody_unless_you_say_who():
    text = ICAL.format(summary="On-Call Shift")
    with pytest.raises(TeamError, match=r"x\.ics: entry 1: names nobody. Fix: .*pass `person`"):
        rota_calendar.loads(text, "x.ics")
    assert rota_calendar.loads(text, "x.ics", person="Ana")["person"][0] == "Ana"


def test_days_and_local_times_take_the_zone():
    text = ICAL.format(summary="primary: Ana").replace(":20260105T090000Z", ";VALUE=DATE:20260105")
    found = rota_calendar.loads(text, "x.ics", zone="Europe/Berlin")
    assert found["starts_at"][0].isoformat() == "2026-01-04T23:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ('{"a": 1}', "is no export that we know"),
        ('["a"]', "no mapping"),
        ('[{"start": "2026-01-05", "end": null}]', "without a zone"),
        ('[{"start": "2026-01-05T00:00:00Z", "user": {"name": "A"}}]', "no start or no end"),
        ('[{"start": "2026-01-05T00:00:00Z", "end": "2026-01-04T00:00Z", "user": {"name": "A"}}]',
         "ends before it begins"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:rubbish\n", "cannot be read as iCal"),
        (ICAL.format(summary="primary: A").replace("UID", "RRULE:FREQ=WEEKLY\nUID"), "repeats"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(text, said):
    with pytest.raises(TeamError, match=said):
        rota_calendar.loads(text, "x")
