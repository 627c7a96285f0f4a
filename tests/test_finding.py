"""A finding says what stands how, why, and what to do; nothing else decides."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops_lib.errors import DataError, DataOpsError, Problem, TeamError, UsageError
from dataops_lib.finding import STATUSES, Finding, worst_first

findings = st.lists(
    st.builds(Finding, st.text(max_size=3), st.sampled_from(STATUSES), st.text(), st.text())
)


def test_there_are_four_statuses_and_no_other():
    assert STATUSES == ("ok", "warn", "fail", "unknown")
    with pytest.raises(ValueError, match="status is 'red', but must be one of ok, warn, fail"):
        Finding("x", "red", "", "")


@pytest.mark.parametrize(
    ("status", "is_bad"), [("ok", False), ("warn", True), ("fail", True), ("unknown", False)]
)
def test_unknown_is_not_bad_and_not_good_either(status, is_bad):
    assert Finding("x", status, "", "").is_bad is is_bad


@given(findings)
def test_the_worst_come_first_and_equals_keep_their_order(found):
    ordered = worst_first(found)
    rank = [("fail", "warn", "unknown", "ok").index(one.status) for one in ordered]
    assert rank == sorted(rank)
    for status in STATUSES:
        before = [id(one) for one in found if one.status == status]
        assert [id(one) for one in ordered if one.status == status] == before


def test_a_finding_survives_json_with_its_numbers():
    finding = Finding("freshness", "warn", "2 of 30 days", "Read", {"good": 28, "total": 30})
    assert Finding(**json.loads(json.dumps(finding.as_dict()))) == finding


def test_findings_without_numbers_do_not_share_them():
    assert Finding("a", "ok", "", "").numbers is not Finding("b", "ok", "", "").numbers


def test_a_finding_cannot_be_changed():
    with pytest.raises(AttributeError):
        Finding("a", "ok", "", "").status = "fail"


# ---- errors


def test_a_team_error_shows_all_problems_in_the_order_of_the_file():
    error = TeamError(
        [
            Problem("b.yaml", 2, "x", "is wrong", "right it"),
            Problem("a.yaml", 9, "", "is wrong", "right it"),
            Problem("a.yaml", None, "y", "is missing", "add it"),
        ]
    )
    assert str(error).splitlines() == [
        "3 problems in the team's files",
        "  a.yaml: y: is missing. Fix: add it",
        "  a.yaml:9: is wrong. Fix: right it",
        "  b.yaml:2: x: is wrong. Fix: right it",
    ]


def test_a_team_error_comes_back_whole_from_another_process():
    error = TeamError([Problem("a.yaml", 1, "x", "is wrong", "right it")])
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.problems, str(again)) == (TeamError, error.problems, str(error))


def test_wrong_use_and_bad_data_are_told_apart():
    assert issubclass(TeamError, UsageError)
    assert not issubclass(DataError, UsageError)
    assert issubclass(DataError, DataOpsError)
