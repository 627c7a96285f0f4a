"""A structure for every size and maturity sums, and says where ranges are stretched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops_lib.errors import UsageError
from dataops_lib.people import load_model, recommend_structure
from dataops_lib.people.structure import apportion

MODEL = load_model()


@pytest.mark.parametrize("maturity", range(5))
def test_the_recommendation_is_total_and_sums_to_the_headcount(maturity):
    for headcount in range(1, 201):
        proposal = recommend_structure(headcount, maturity)
        assert sum(unit.people for unit in proposal.units) == headcount
        assert all(unit.people >= 0 for unit in proposal.units)
        assert proposal.advice[0] == MODEL.maturity[maturity].says


def test_brackets_are_half_open_at_5_and_20():
    names = [recommend_structure(n, 0).bracket.id for n in (1, 4, 5, 19, 20, 200)]
    assert names == ["small", "small", "mid", "mid", "large", "large"]


def test_the_ranges_of_the_article_fit_exactly_seven_to_fourteen_people():
    fits = [n for n in range(5, 20) if not recommend_structure(n, 1).stretched]
    assert fits == list(range(7, 15))


def test_small_teams_of_more_than_three_are_stretched_too():
    assert [bool(recommend_structure(n, 1).stretched) for n in (1, 2, 3, 4)] == [False] * 3 + [True]


def test_nine_people_are_placed_by_largest_remainder():
    people = {unit.name: unit.people for unit in recommend_structure(9, 2).units}
    assert people == {
        "Data Platform Engineer": 3,
        "Analytics Engineer": 3,
        "Data Engineer": 2,
        "MLOps Engineer": 1,
    }


def test_a_large_team_has_a_central_part_and_three_domains():
    units = recommend_structure(40, 3).units
    assert [unit.people for unit in units] == [14, 9, 9, 8]  # a third, rounded up, and the rest
    assert [unit.name for unit in units][1:] == ["Commerce", "Marketing", "ML platform"]


def test_roles_that_no_bracket_holds_are_said():
    assert recommend_structure(9, 2).without == ("Data Architect",)


@pytest.mark.parametrize(("headcount", "maturity"), [(0, 1), (-3, 1), (201, 1), (5, 5), (5, -1)])
def test_what_cannot_be_planned_is_refused(headcount, maturity):
    with pytest.raises(UsageError):
        recommend_structure(headcount, maturity)


@given(
    st.integers(0, 300),
    st.dictionaries(st.text(max_size=3), st.integers(0, 9), min_size=1, max_size=6),
)
def test_seats_are_divided_whole_and_within_one_of_the_exact_share(seats, weights):
    parts, total = apportion(seats, weights), sum(weights.values())
    assert set(parts) == set(weights)
    if total:
        assert sum(parts.values()) == seats
        assert all(
            abs(parts[name] - seats * weight / total) < 1 for name, weight in weights.items()
        )
