"""What a team can carry, what it is paid, and who is ready: with the number that breaks."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pandas as pd
import pytest

from dataops_lib import on_call
from dataops_lib.on_call import capacity, pay, rota
from dataops_lib.teams import history
from dataops_lib.teams.on_call_file import PayPolicy, Responder, RotationPolicy
from dataops_lib.windows import Window

BERLIN = RotationPolicy(zone="Europe/Berlin")


# ---- capacity


@pytest.mark.parametrize(
    ("people", "layers", "share", "status"),
    [(8, 2, 0.25, "ok"), (2, 2, 1.0, "warn"), (4, 1, 0.25, "ok"), (6, 2, 1 / 3, "warn"),
     (3, 2, 2 / 3, "warn"), (1, 1, 1.0, "fail"), (0, 1, 1.0, "fail"), (3, 4, 1.0, "fail")],
)  # fmt: skip
def test_the_share_on_call_is_roles_by_people(people, layers, share, status):
    judged = on_call.rotation_capacity(people, layers=layers)
    assert judged.numbers["share_on_call"] == pytest.approx(share)
    assert judged.status == status


def test_six_people_cannot_carry_two_layers_at_night_and_the_number_is_named():
    judged = on_call.rotation_capacity(6)
    assert (
        "each is on call 33% of the time, the limit is 25%: that takes 8 people" in judged.evidence
    )
    assert "two layers with compensation" in judged.next_step
    assert on_call.rotation_capacity(6, night=False).status == "ok"


def test_too_many_pages_break_any_team():
    assert on_call.rotation_capacity(12, pages_each_week=28).status == "ok"
    judged = on_call.rotation_capacity(12, pages_each_week=29)
    assert judged.status == "warn"
    assert "29 pages a week are more than 2 in 12 hours" in judged.evidence


def test_the_ladder_says_what_each_size_can_carry():
    table = capacity.ladder()
    assert table.loc["8", "share on call"] == "25%"
    assert table.loc["2", "share on call"] == "100%"
    assert table.loc["8", "weeks between"] == "3"


# ---- readiness


@pytest.mark.parametrize(
    ("read", "drills", "shadowed", "status", "said"),
    [
        (("a.md", "b.md"), ("late_file",), 2, "ok", "2 shadow shifts, 2 runbooks, 1 drills"),
        (("a.md",), ("late_file",), 2, "warn", "runbooks not read: b.md"),
        (("a.md", "b.md"), (), 2, "warn", "0 of 1 drills passed"),
        (("a.md", "b.md"), ("late_file",), 1, "warn", "1 of 2 shadow shifts"),
        (("a.md", "b.md"), ("late_file",), None, "unknown", "no rota shows shadow shifts"),
    ],
)
def test_somebody_new_is_ready_when_all_three_are_done(read, drills, shadowed, status, said):
    person = Responder(name="Eva", runbooks_read=read, drills_passed=drills)
    judged = on_call.readiness(person, shadowed, ("a.md", "b.md"))
    assert judged.status == status
    assert said in judged.evidence


def test_without_runbooks_readiness_is_unknown_not_ok():
    judged = on_call.readiness(Responder(name="Eva", drills_passed=("x",)), 2, ())
    assert judged.status == "unknown"


# ---- pay, by hand


def whole_week(start):
    a, b = rota.handoffs(BERLIN, start, 2, 7)
    return rota.Rota((rota.Shift(a, b, "primary", "Ana"), rota.Shift(a, b, "secondary", "Ben")))


def hours(made, start, **rates):
    window = Window(made.window.start, made.window.end)
    table = on_call.statement(made, BERLIN, PayPolicy(**rates), window)
    return table.loc["Ana"]


def test_a_plain_week_has_48_weekend_hours_and_its_nights_are_nine_hours_long():
    row = hours(whole_week(date(2026, 1, 12)), None)
    # Monday 10:00 to Monday 10:00. Nights of weekdays: four whole ones (9 h each), Friday
    # 22-24 (2 h), Monday 0-7 (7 h): 45 h; the weekend 48 h; the rest of 168 h is 75 h.
    assert (row.night_hours, row.weekend_hours, row.weekday_hours) == (45, 48, 75)


@pytest.mark.parametrize(("start", "weekend"), [(date(2026, 3, 23), 47), (date(2026, 10, 19), 49)])
def test_weekends_in_which_clocks_change_are_paid_by_real_hours(start, weekend):
    assert hours(whole_week(start), start).weekend_hours == weekend


def test_totals_are_those_done_by_hand():
    made = whole_week(date(2026, 1, 12))
    rates = {"weekday": "0.1", "night": "0.2", "weekend": "0.3", "page": 1, "page_at_night": 2}
    pages = history.frame(
        [
            {"alerted_at": datetime(2026, 1, 13, 2, tzinfo=UTC), "urgency": "page"},  # 03:00
            {"alerted_at": datetime(2026, 1, 14, 12, tzinfo=UTC), "urgency": "page"},
            {"alerted_at": datetime(2026, 1, 14, 12, tzinfo=UTC), "urgency": "ticket"},
        ],
        history.ALERTS,
    )
    policy = PayPolicy(**rates)
    table = on_call.statement(made, BERLIN, policy, made.window, pages)
    standby = Decimal("7.5") + 9 + Decimal("14.4")
    assert table.loc["Ana", "owed"] == standby + 3
    assert table.loc["Ben", "owed"] == standby / 2
    assert (table.loc["Ana", "pages"], table.loc["Ana", "pages_at_night"]) == (2, 1)
    capped = on_call.statement(
        made, BERLIN, PayPolicy(**rates, most_each_month=20), made.window, pages
    )
    assert capped.loc["Ana", "owed"] == 20
    assert list(capped["capped"]) == [True, False]


def test_a_holiday_counts_before_its_weekday_and_months_are_capped_apart():
    policy = RotationPolicy(zone="Europe/Berlin", region="DE-BY")
    a, b = rota.handoffs(policy, date(2025, 12, 29), 2, 7)
    made = rota.Rota((rota.Shift(a, b, "primary", "Ana"),))
    flat = PayPolicy(weekday=1, night=1, weekend=1, holiday=2, most_each_month=50)
    table = on_call.statement(made, policy, flat, made.window)
    assert table.loc["Ana", "holiday_hours"] == 24  # New Year's Day, a Thursday
    assert table.loc["Ana", "owed"] == 100  # December and January, 50 each


def test_pieces_have_no_gap_and_no_overlap():
    window = Window(datetime(2026, 3, 27, 20, tzinfo=UTC), datetime(2026, 3, 30, 9, tzinfo=UTC))
    spans = [span for _, span in pay.pieces(window, BERLIN)]
    assert sum((span.duration for span in spans), timedelta(0)) == window.duration
    assert all(a.end == b.start for a, b in pairwise(spans))


def test_pages_nobody_answered_for_are_not_paid_to_anybody():
    made = whole_week(date(2026, 1, 12))
    before = made.window.start - timedelta(hours=1)
    pages = history.frame([{"alerted_at": before, "urgency": "page"}], history.ALERTS)
    window = Window(before, made.window.end)
    table = on_call.statement(made, BERLIN, PayPolicy(page=5), window, pages)
    assert table["pages"].sum() == 0
    assert isinstance(table, pd.DataFrame)
