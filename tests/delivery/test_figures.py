"""The four figures against ones computed by hand (S24), with intervals and without guesses."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, poisson

from dataops_lib.delivery import figures
from dataops_lib.delivery.figures import CiRun, Commit, Deployment
from dataops_lib.errors import TeamError
from dataops_lib.windows import Window

START = datetime(2013, 1, 1, tzinfo=UTC)
FOUR_WEEKS = Window(START, START + timedelta(days=28))


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def commit(sha: str, hours: float, *parents: str) -> Commit:
    return Commit(sha, at(hours), parents)


def push(sha: str, hours: float, conclusion: str = "success", **more: str) -> CiRun:
    values = {"branch": "main", "event": "push", "workflow": "deploy"} | more
    return CiRun(sha, values["branch"], values["event"], values["workflow"], conclusion, at(hours))


# By hand: a is the first known deployment, so that what it holds was waiting for nobody knows how
# long; c brings b and c after 20 and 4 hours; e merges d, which waited 30 hours, after 2 hours.
COMMITS = [
    commit("a", 0),
    commit("b", 10, "a"),
    commit("c", 26, "b"),
    commit("d", 30, "a"),
    commit("e", 58, "c", "d"),
]
RUNS = [
    push("e", 60),
    push("c", 31),  # a rerun: nothing new
    push("c", 30),
    push("b", 12, "failure"),
    push("d", 31, branch="feature"),
    push("e", 59, event="pull_request"),
    push("a", 1),
]


def test_deployments_are_the_first_successful_runs_of_main_with_what_each_brought():
    hours = [
        (d.sha, [lead / timedelta(hours=1) for lead in d.lead_times])
        for d in figures.deployments(RUNS, COMMITS)
    ]
    assert hours == [("a", []), ("c", [4, 20]), ("e", [2, 30])]


def test_the_four_figures_are_those_computed_by_hand():
    outages = [
        (at(31), at(33)),  # an hour after c: counts against it
        (at(59), at(60.5)),  # after a day of c and before e: counts against none
        (at(500), at(506)),
        (at(600), None),
    ]
    done = figures.deployments(RUNS, COMMITS)
    frequency, lead, fails, recovery = figures.measure(done, outages, FOUR_WEEKS)
    assert (frequency.value, frequency.count) == (3 / 4, 3)
    assert (lead.value, lead.count, lead.low) == (12, 4, None)  # median of 2, 4, 20, 30
    assert fails.value == pytest.approx(100 / 3)
    assert (recovery.value, recovery.count) == (2, 3)  # median of 1.5, 2 and 6 hours
    assert "1 still open" in recovery.finding.evidence
    assert "too few for an interval" in recovery.finding.evidence
    # 0.6 to 8.8 is Garwood's interval of 3 in any table of it.
    assert (frequency.low * 4, frequency.high * 4) == pytest.approx((0.6187, 8.7673), abs=1e-4)


def test_what_nobody_gave_is_unknown_and_what_never_happened_is_zero():
    assert [f.value for f in figures.measure(None, None, FOUR_WEEKS)] == [None] * 4
    frequency, lead, fails, recovery = figures.measure([], [], FOUR_WEEKS)
    assert (frequency.value, frequency.low) == (0, 0)
    assert [figure.finding.status for figure in (lead, fails, recovery)] == ["unknown"] * 3


@given(st.integers(0, 400))
def test_the_interval_of_a_count_leaves_out_one_in_forty_on_each_side(count):
    low, high = figures._poisson(count)
    assert poisson.cdf(count, high) == pytest.approx(0.025)
    assert count == 0 or poisson.sf(count - 1, low) == pytest.approx(0.025)


@given(st.lists(st.integers(0, 1000), max_size=60))
def test_the_interval_of_a_median_covers_95_percent_or_is_not_told(values):
    low, high = figures.median_interval(values)
    if len(values) < 6:
        assert low is high is None
        return
    ordered = sorted(values)
    ranks = [r for r in range(1, len(values) // 2 + 1) if ordered[r - 1] == low]
    assert any(1 - 2 * binom.cdf(rank - 1, len(values), 0.5) >= 0.95 for rank in ranks)
    assert ordered[len(values) - 1 - ordered.index(low)] >= low and low <= high


def test_no_trend_is_told_from_few_weeks_nor_from_noise():
    assert figures.trend([1, 2, 3, 4, 5, 6, 7]) == "No trend is told from 7 weeks; it takes 8."
    assert figures.trend([1, 2, 3, 4, 5, 6, 7, 8]).startswith("More from week to week")
    assert figures.trend([3, 1, 4, 1, 5, 1, 2, 3]).startswith("No trend in 8 weeks")
    assert figures.trend([2] * 9) == "The same in each of 9 weeks."


def test_weeks_end_with_the_window():
    done = [Deployment("a", at(1), ()), Deployment("b", at(24 * 27), ())]
    assert figures.weekly(done, FOUR_WEEKS) == [1, 0, 0, 1]


def test_an_export_of_gh_is_read_and_a_wrong_one_is_named():
    row = {
        "headSha": "abc1234", "headBranch": "main", "event": "push", "workflowName": "w",
        "conclusion": "success", "updatedAt": "2013-01-01T00:00:00Z",
    }  # fmt: skip
    assert figures.read_runs(json.dumps([row]))[0].finished_at == START
    for wrong, words in (
        ([row, {"headSha": "x"}], "run 2: has no headBranch"),
        ([row | {"updatedAt": "yesterday"}], "run 1: has no updatedAt"),
        ([row | {"updatedAt": "2013-01-01T00:00:00"}], "needs its zone"),
        ({"runs": []}, "run 1: has no headSha"),
    ):
        with pytest.raises(TeamError, match=words):
            figures.read_runs(json.dumps(wrong))
    with pytest.raises(TeamError, match="is not JSON"):
        figures.read_runs("[")


def test_a_git_log_is_read_and_a_wrong_line_is_named():
    text = "abc1234 2013-01-01T01:00:00+01:00 def5678 0123456\n"
    assert figures.read_commits(text) == [Commit("abc1234", START, ("def5678", "0123456"))]
    with pytest.raises(TeamError, match=r"commits.txt:2: is no commit"):
        figures.read_commits(text + "Merge branch\n")


@pytest.mark.parametrize("team", ["orders", "flights"])
def test_the_example_teams_have_a_history_of_deployments(team, request):
    folder = request.getfixturevalue(team).folder
    done = figures.of_folder(folder)
    assert len(done) > 10
    assert all(d.lead_times and min(d.lead_times) > timedelta(0) for d in done[1:])
    assert figures.of_folder(folder / "contracts") is None
