"""What files prove of a maturity answer, counted by hand on both example teams."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from dataops_lib import teams
from dataops_lib.evidence import Observed, practices


@pytest.fixture
def bare(tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "team.yaml").write_text("name: bare\ntitle: Bare\nzone: UTC\n")
    return teams.load("bare", as_of="2013-03-01", root=tmp_path)


def test_each_count_is_the_one_made_by_hand(flights):
    proofs = practices.proofs(Observed(flights.load()))
    assert {question: proof.evidence for question, proof in proofs.items()}.items() >= {
        ("C2", "3 of 3 tables have checks in a contract"),
        ("C3", "1 of 1 pipelines have runs in the run history"),
        ("Q2", "3 of 3 published tables carry tags of audited publishes"),
        ("S2", "3 of 3 tables of tier 1 and 2 have an SLA"),
        ("W1", "3 of 3 tables have an owner who is in the roster"),
    }
    assert all(0 <= proof.share <= 1 for proof in proofs.values())


def test_a_file_that_is_not_there_proves_nothing(bare):
    assert practices.proofs(Observed(bare)) == {}
    assert set(practices.counts(Observed(bare)).values()) == {None}


def test_a_consumer_who_noticed_first_counts_against_the_alerts(orders):
    proof = practices.proofs(Observed(orders.load()))["S1"]
    assert proof.evidence == "3 of 4 incidents were found by an alert or audit"
    assert proof.share == 1.0  # the question asks for half of them


def shifts(*spans):
    moments = [[datetime(2013, 3, day, 12, tzinfo=UTC) for day in span] for span in spans]
    frame = pd.DataFrame(moments, columns=["starts_at", "ends_at"])
    return frame.assign(role="primary", person=[f"p{n}" for n in range(len(moments))])


@pytest.mark.parametrize(
    ("spans", "days"),
    [
        ([(1, 15), (15, 31)], 27.5),  # from noon of the first to the end of the 28 days
        ([(1, 8), (8, 15)], 14),
        ([(1, 8), (3, 8)], 7),  # two at once cover a day once
        ([(1, 8), (10, 17)], 14),  # a gap is a gap
        ([], 0),
    ],
)
def test_the_days_ahead_with_a_primary_are_counted_once_and_only_ahead(bare, spans, days):
    team = bare.model_copy(update={"rota": shifts(*spans)})
    proof = practices.proofs(Observed(team))["O1"]
    assert proof.share == pytest.approx(days / 28)


def test_an_alert_log_that_says_nothing_of_actions_proves_nothing(bare):
    alerts = pd.DataFrame({"name": ["a", "b"], "action_taken": [None, None]})
    assert "O6" not in practices.proofs(Observed(bare.model_copy(update={"alerts": alerts})))
    alerts = pd.DataFrame({"name": ["a", "b", "a"], "action_taken": ["no", None, None]})
    proof = practices.proofs(Observed(bare.model_copy(update={"alerts": alerts})))["O6"]
    assert proof.evidence == "1 of 2 alert names say whether somebody had to act"
