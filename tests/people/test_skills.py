"""The next skill never skips a prerequisite; forecasts are scored; savings are the team's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops_lib.people import headlines, load_model, outlook, skills
from dataops_lib.people.ownership import Holding
from dataops_lib.teams.people_file import Forecast, RoutineMonth

MODEL = load_model()
IDS = [skill.id for skill in MODEL.skills]
GRADES = st.dictionaries(st.sampled_from(IDS), st.integers(1, 3))


def test_the_roadmap_has_the_articles_skills_and_runs_in_no_circle():
    assert len(skills.order(MODEL)) == len(set(IDS)) == 5 + 5 + 5 + 4 + 4
    counts = [sum(s.phase == phase.id for s in MODEL.skills) for phase in MODEL.phases]
    assert counts == [5, 5, 5, 4, 4]


def test_no_skill_needs_one_of_a_later_phase():
    phase = {skill.id: int(skill.phase[0]) for skill in MODEL.skills}
    assert all(phase[need] <= phase[skill.id] for skill in MODEL.skills for need in skill.needs)


@given(GRADES)
def test_no_proposed_skill_has_a_missing_prerequisite(grades):
    held = skills.held_by(MODEL, grades)
    proposed = skills.next_skills(MODEL, grades)
    assert len(proposed) == min(3, len(IDS) - len(held)) or len(held) < len(IDS)
    for proposal in proposed:
        assert proposal.skill.id not in held
        assert set(proposal.skill.needs) <= held


@given(GRADES)
def test_something_is_proposed_until_everything_is_held(grades):
    assert bool(skills.next_skills(MODEL, grades)) == (skills.held_by(MODEL, grades) < set(IDS))


def test_earlier_phases_first_then_what_fewest_hold_then_what_opens_most():
    first = [p.skill.id for p in skills.next_skills(MODEL, {})]
    assert first == ["python_basics", "sql_advanced", "git"]  # how many skills wait for each
    team = [
        Holding("skill", "python_basics", frozenset({"a", "b"})),
        Holding("skill", "sql_advanced", frozenset({"a"})),
        Holding("skill", "git", frozenset()),
        Holding("skill", "cloud_basics", frozenset({"a", "b"})),
    ]
    assert [p.skill.id for p in skills.next_skills(MODEL, {}, team)] == [
        "git", "sql_advanced", "python_basics",
    ]  # fmt: skip
    assert "one colleague holds it" in skills.next_skills(MODEL, {}, team)[1].because


@pytest.mark.parametrize(
    ("probability", "came_true", "score"), [(1, True, 0), (0, True, 1), (0.5, False, 0.25)]
)
def test_the_brier_score_is_the_squared_distance(probability, came_true, score):
    assert outlook.brier(probability, came_true) == score


def forecast(person, probability, came_true=None, day="2026-01-01"):
    return Forecast(
        claim="agents", person=person, given_on=day, probability=probability, came_true=came_true
    )


def test_the_newest_forecast_of_a_person_counts_and_one_alone_is_not_shown_as_a_range():
    told = [forecast("a", 0.9), forecast("a", 0.1, day="2026-02-01"), forecast("b", 0.5)]
    standing = {s.card.id: s for s in outlook.standings(MODEL, told)}["agents"]
    assert (standing.people, standing.median) == (2, pytest.approx(0.3))
    assert (standing.lowest, standing.score) == (None, None)


def test_a_decided_claim_is_scored_beside_knowing_nothing():
    told = [forecast(who, 0.2, came_true=False) for who in "abcd"]
    standing = {s.card.id: s for s in outlook.standings(MODEL, told)}["agents"]
    assert standing.score == pytest.approx(0.04)
    assert standing.reference == 0.25
    assert not standing.is_due(standing.card.by)


def test_savings_are_the_teams_own_hours_with_an_interval_and_never_a_quoted_share():
    hours = [100, 120, 140, 160]
    months = [
        RoutineMonth(month=f"2026-0{n}", total_hours=400, routine_hours=h)
        for n, h in enumerate(hours, 1)
    ]
    found = outlook.savings(months)
    assert (found.hours, found.share, found.low, found.high) == (130, 520 / 1600, 115, 145)
    assert "20" not in headlines.saved(found).split("hours")[0]
    assert headlines.saved(outlook.savings(months[:1])).startswith("Not known: 1 month is")


def test_salaries_are_shown_and_nothing_computes_on_them():
    assert "salary" not in headlines.levels(MODEL).to_string()
    assert "no source" in MODEL.salary_note


def test_gaps_of_the_article_stay_gaps():
    staff = headlines.levels(MODEL).iloc[-1]
    assert list(staff[["stack", "work", "signal of growth"]]) == [headlines.GAP] * 3
    lines = headlines.overlaps(MODEL)
    assert "Junior and Mid-level both hold somebody with 2 years" in lines
    assert any(line.startswith("Data Architect is a role") for line in lines)
    assert any(line.startswith("phase 3") for line in lines)
