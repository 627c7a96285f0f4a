"""A rota has no gap in silence, books nobody twice, rests everybody, is fair, stays the same."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops_lib import on_call
from dataops_lib.errors import UsageError
from dataops_lib.on_call import optimal, quality, rota
from dataops_lib.teams import rota_calendar
from dataops_lib.teams.on_call_file import Leave, Override, Responder, RotationPolicy

MONDAY = date(2026, 1, 5)
BERLIN = RotationPolicy(zone="Europe/Berlin")
SOLVERS = ["greedy", pytest.param("CP-SAT", marks=pytest.mark.skipif(
    not optimal.is_installed(), reason="ortools is not installed"))]  # fmt: skip
EACH = pytest.mark.parametrize("solver", SOLVERS)


def week(number, weeks=1):
    first = MONDAY + timedelta(weeks=number)
    return Leave(first_day=first, last_day=first + timedelta(days=7 * weeks - 1))


def team(count, *away, **more):
    """`count` people; `away` gives the weeks of leave of the first, the second, ..."""
    leaves = [*away, *[()] * count]
    return [
        Responder(name=f"p{i}", leave=tuple(map(week, leaves[i])), **more) for i in range(count)
    ]


def spread(made):
    """Weighted weeks between who carries most and who carries least, each beside a fair share."""
    loads = [row["loads"] for row in quality.tally(made, BERLIN).values()]
    return max(loads) - min(loads)


def primaries(made):
    return [s.person for s in made.final if s.role == "primary"]


def holds_the_laws(made, people, policy, apart):
    """No gap in silence, nobody twice at a time, rest kept, leave kept."""
    spans = sorted((s.starts_at, s.ends_at, s.role) for s in [*made.shifts, *made.unfilled]
                   if s.role != "shadow")  # fmt: skip
    for layer in policy.layers:
        own = [(a, b) for a, b, role in spans if role == layer]
        assert all(b == c for (_, b), (c, _) in pairwise(own)), f"{layer} has a silent gap"
        assert (own[0][0], own[-1][1]) == (made.window.start, made.window.end)
    held = Counter((s.starts_at, s.person) for s in made.shifts)
    assert max(held.values()) == 1
    away = {p.name: p for p in people}
    for s in made.shifts:
        days = rota.days_of(s.window, policy.zone)
        assert not any(away[s.person].is_away(d) for d in days)
    for person in people:
        starts = [
            s.starts_at for s in made.shifts if (s.role, s.person) == ("primary", person.name)
        ]
        assert all(b - a >= timedelta(days=7 * apart, hours=-2) for a, b in pairwise(starts))
    assert all(one.reasons for one in made.unfilled)


@EACH
@settings(max_examples=5)
@given(
    count=st.integers(4, 8),
    away=st.lists(st.sets(st.integers(0, 11), max_size=2), min_size=8, max_size=8),
)
def test_each_shift_is_held_by_one_who_may_or_is_named_as_unfilled(solver, count, away):
    people = team(count, *map(sorted, away))
    made = on_call.generate(people, BERLIN, MONDAY, 12, solver=solver)
    holds_the_laws(made, people, BERLIN, apart=3)
    again = on_call.generate(people, BERLIN, MONDAY, 12, solver=solver)
    assert again == made


@pytest.mark.deep
@EACH
@settings(max_examples=10)
@given(
    count=st.integers(5, 8),
    away=st.lists(st.sets(st.integers(0, 25), max_size=2), min_size=8, max_size=8),
)
def test_the_load_of_half_a_year_lies_within_one_weighted_week(solver, count, away):
    people = team(count, *map(sorted, away))
    made = on_call.generate(people, BERLIN, MONDAY, 26, solver=solver)
    if not made.unfilled:
        assert spread(made) <= 1 + 0.05  # fair shares are rounded to tenths of a point


@EACH
def test_leave_at_different_times_is_no_reason_for_more_load(solver):
    people = team(6, (0, 9), (3, 4), (), (20,), (25,), (12, 13, 14))
    made = on_call.generate(people, BERLIN, MONDAY, 26, solver=solver)
    assert made.unfilled == ()
    assert spread(made) <= 1 + 0.05
    fair = on_call.check(made, BERLIN)
    assert {one.status for one in fair if one.subject.startswith(("weighted", "rest"))} == {"ok"}
    share = next(one for one in fair if "largest share" in one.subject)
    assert share.status == "warn"  # two layers of six people are a third, the limit is a quarter
    assert "limit 25%" in share.evidence


@EACH
def test_last_weeks_primary_is_this_weeks_secondary_unless_on_leave(solver):
    made = on_call.generate(team(5, (3,)), BERLIN, MONDAY, 10, solver=solver)
    seconds = [s.person for s in made.final if s.role == "secondary"]
    followed = [a == b for a, b in zip(primaries(made), seconds[1:], strict=False)]
    away = [primaries(made)[2] == "p0"]  # p0 is away in week 3
    assert followed.count(False) <= sum(away)


@EACH
def test_a_week_that_cannot_be_filled_is_named_with_a_reason_for_each_person(solver):
    people = team(3, (2,), (2,), (2,))
    made = on_call.generate(people, BERLIN, MONDAY, 5, solver=solver)
    first = made.unfilled[0]
    assert (first.starts_at.date(), first.role) == (MONDAY + timedelta(weeks=2), "primary")
    assert first.reasons == ("p0 is on leave", "p1 is on leave", "p2 is on leave")
    assert "primary from 2026-01-19" in str(first)
    gap = on_call.check(made, BERLIN)[0]
    assert gap.status == "fail"
    assert "p1 is on leave" in gap.evidence
    assert gap.numbers["uncovered_hours"] == 2 * 168


@EACH
def test_reading_b_gives_each_one_day_a_week_and_needs_seven(solver):
    policy = RotationPolicy(reading="B", layers=("primary",))
    made = on_call.generate(team(8), policy, MONDAY, 4, solver=solver)
    assert made.unfilled == ()
    for first in range(0, 28, 7):
        assert max(Counter(primaries(made)[first : first + 7]).values()) == 1
    short = on_call.generate(team(5), policy, MONDAY, 2, solver=solver)
    assert len(short.unfilled) == 4  # five of seven days, twice
    assert all("rests" in reason for reason in short.unfilled[0].reasons)


@EACH
def test_reading_c_only_forbids_two_weeks_in_a_row(solver):
    policy = RotationPolicy(reading="C", layers=("primary",))
    made = on_call.generate(team(2), policy, MONDAY, 6, solver=solver)
    assert made.unfilled == ()
    assert all(a != b for a, b in pairwise(primaries(made)))


@EACH
def test_history_is_carried_in_and_a_joiner_is_not_punished(solver):
    people = team(4)
    before = on_call.generate(people, BERLIN, MONDAY, 8, solver=solver)
    joiner = Responder(name="new", since=MONDAY + timedelta(weeks=8))
    start = MONDAY + timedelta(weeks=8)
    made = on_call.generate([*people, joiner], BERLIN, start, 10, history=before, solver=solver)
    assert primaries(made).count("new") == 2  # ten weeks, five people
    gap = {
        n: primaries(before)[::-1].index(n) + primaries(made).index(n) for n in primaries(before)
    }
    assert min(gap.values()) >= 2  # rest holds over the seam


@EACH
def test_who_did_more_before_does_less_now(solver):
    people = team(3)
    shifts = tuple(
        rota.Shift(a, b, "primary", "p0" if i % 2 else "p1")
        for i, (a, b) in enumerate(pairwise(rota.handoffs(BERLIN, date(2025, 11, 24), 7, 7)))
    )
    made = on_call.generate(people, BERLIN, MONDAY, 6, history=rota.Rota(shifts), solver=solver)
    assert primaries(made).count("p2") == max(Counter(primaries(made)).values())


@EACH
def test_newcomers_look_on_before_they_are_called(solver):
    people = [*team(4), Responder(name="new", shadow_shifts=2, since=MONDAY + timedelta(weeks=1))]
    made = on_call.generate(people, BERLIN, MONDAY, 8, solver=solver)
    looked = [s.starts_at.date() for s in made.shifts if (s.role, s.person) == ("shadow", "new")]
    assert looked == [MONDAY + timedelta(weeks=n) for n in (1, 2)]
    called = [s.starts_at.date() for s in made.final if s.person == "new" and s.role != "shadow"]
    assert min(called) > max(looked)


@EACH
def test_a_manager_is_a_layer_of_its_own(solver):
    policy = RotationPolicy(layers=("primary", "secondary", "manager"))
    people = [
        *team(4),
        Responder(name="boss", layers=("manager",)),
        Responder(name="vice", layers=("manager",)),
    ]
    made = on_call.generate(people, policy, MONDAY, 6, solver=solver)
    held = Counter(s.person for s in made.final if s.role == "manager")
    assert held == {"boss": 3, "vice": 3}


@EACH
def test_part_time_takes_its_part(solver):
    people = [*team(5), Responder(name="half", share=0.5)]
    made = on_call.generate(people, BERLIN, MONDAY, 22, solver=solver)
    assert primaries(made).count("half") in (2, 3)  # of 22 weeks, 11 half shares


def test_the_same_person_never_holds_two_layers_and_a_rota_that_says_so_is_refused():
    window = rota.handoffs(BERLIN, MONDAY, 2, 7)
    twice = rota.Rota(tuple(rota.Shift(*window, role, "Ana") for role in ("primary", "secondary")))
    found = on_call.check(twice, BERLIN)[1]
    assert (found.status, found.numbers["double_booked_hours"]) == ("fail", 168)
    assert "Ana is primary and secondary on 2026-01-05" in found.evidence


# ---- overrides lie on top


def test_an_override_is_cut_in_and_leaves_the_rota_below_as_it_is():
    made = on_call.generate(team(4), BERLIN, MONDAY, 4, solver="greedy")
    first = made.shifts[0]
    start = first.starts_at + timedelta(days=2)
    over = Override(
        starts_at=start, ends_at=start + timedelta(hours=8), role="primary", person="p3"
    )
    changed = made.with_overrides([over])
    assert changed.shifts == made.shifts
    assert changed.who(start, "primary") == "p3"
    assert changed.who(start - timedelta(seconds=1), "primary") == first.person
    assert changed.who(start + timedelta(hours=8), "primary") == first.person
    assert quality.uncovered(changed, "primary") == []
    total = sum(
        (s.ends_at - s.starts_at for s in changed.final if s.role == "primary"), timedelta(0)
    )
    assert total == made.window.duration


def test_a_domain_expert_is_whoever_knows_the_table_and_is_there():
    people = [
        Responder(name="Ana", domains=("fct_a",), leave=(week(1),)),
        Responder(name="Ben", domains=("fct_a", "fct_b")),
        *team(3),
    ]
    made = on_call.generate(people, BERLIN, MONDAY, 2, solver="greedy")
    second = datetime(2026, 1, 14, 12, tzinfo=UTC)
    assert made.who(second, "domain expert", "fct_a") == "Ben"
    assert made.who(second, "domain expert", "fct_c") is None


# ---- clocks


@pytest.mark.parametrize(("start", "hours"), [
    (date(2026, 3, 23), 167), (date(2026, 10, 19), 169), (date(2026, 1, 5), 168)])  # fmt: skip
def test_a_week_has_its_real_hours_when_clocks_change(start, hours):
    a, b = rota.handoffs(BERLIN, start, 2, 7)
    assert b - a == timedelta(hours=hours)
    assert [m.astimezone(ZoneInfo("Europe/Berlin")).hour for m in (a, b)] == [10, 10]
    assert len(rota.days_of(rota.Window(a, b), "Europe/Berlin")) == 7


@settings(max_examples=40)
@given(
    day=st.dates(date(2024, 1, 1), date(2030, 12, 31)),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    at=st.times(),
)
def test_hand_offs_leave_no_moment_out_over_clock_changes_and_midnight(day, zone, at):
    policy = RotationPolicy(zone=zone, handoff_at=at.strftime("%H:%M"))
    moments = rota.handoffs(policy, day, 60, 1)
    assert all(a < b <= a + timedelta(hours=26) for a, b in pairwise(moments))
    days = [d for a, b in pairwise(moments) for d in rota.days_of(rota.Window(a, b), zone)]
    assert len(days) == len(set(days))


# ---- calendars


@settings(max_examples=15)
@given(
    weeks=st.integers(1, 12),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York"]),
    names=st.lists(
        st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
        .filter(lambda n: not set(n) & set("-–:")),
        min_size=4, max_size=4, unique=True,
    ),
)  # fmt: skip
def test_a_rota_comes_back_from_its_calendar(weeks, zone, names):
    people = [Responder(name=name) for name in names]
    policy = RotationPolicy(zone=zone)
    made = on_call.generate(people, policy, date(2026, 3, 2), weeks, solver="greedy").frame()
    text = rota_calendar.dumps(made, "shop", datetime(2026, 1, 1, tzinfo=UTC))
    back = rota_calendar.loads(text, "rota.ics")
    assert back.equals(made.sort_values(["starts_at", "role", "person"]).reset_index(drop=True))


def test_a_shift_that_changes_hands_keeps_its_uid():
    made = on_call.generate(team(4), BERLIN, MONDAY, 3, solver="greedy").frame()
    other = made.assign(person="p9")
    texts = [
        rota_calendar.dumps(f, "shop", datetime(2026, 1, 1, tzinfo=UTC)) for f in (made, other)
    ]
    uids = [[line for line in t.splitlines() if line.startswith("UID")] for t in texts]
    assert uids[0] == uids[1]
    assert len(set(uids[0])) == len(made)


@pytest.mark.parametrize(("weeks", "said"), [(0, "weeks is 0"), (54, "weeks is 54")])
def test_an_impossible_length_is_refused(weeks, said):
    with pytest.raises(UsageError, match=said):
        on_call.generate(team(2), BERLIN, MONDAY, weeks)


def test_nobody_on_the_rota_is_said():
    with pytest.raises(UsageError, match=r"list `people` in on_call\.yaml"):
        on_call.generate([], BERLIN, MONDAY, 2)
