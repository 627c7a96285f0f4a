"""Incidents as a review looks at them."""

import pytest

from dataops_lib import teams
from dataops_lib.course import article as course_article
from dataops_lib.evidence import Observed, accounts, incidents, records
from dataops_lib.incidents import headlines, postmortem
from dataops_lib.teams import folders


@pytest.fixture(scope="module")
def observed(flights):
    return Observed(flights.load())


@pytest.fixture(scope="module")
def article(orders):
    return Observed(orders.load())


def test_the_articles_timeline_takes_5_20_45_and_70_minutes():
    taken = headlines.milestones(course_article.article_timeline(course_article.article_example()))
    assert taken["after detection"].to_dict() == {
        "acknowledged": "5 minutes",
        "diagnosed": "20 minutes",
        "repaired": "45 minutes",
        "verified": "1 hour 10 minutes",
    }


def test_the_worst_incident_is_the_longest_blocked_one_of_the_highest_severity(observed):
    worst = headlines.worst(incidents.derive(observed))
    alike = [
        one for one in incidents.derive(observed) if one.severity == "P1" and one.kind == "blocked"
    ]
    assert worst.severity == "P1"
    assert worst.resolved_at - worst.due_at == max(one.resolved_at - one.due_at for one in alike)


def test_every_incident_is_a_row_with_local_times(observed):
    found = headlines.incidents(incidents.derive(observed), observed.team.zone)
    assert len(found) == len(incidents.derive(observed))
    assert found.index.str.endswith(" 06:00").all()


def test_an_incident_spends_its_minutes_beyond_the_promise_of_the_budget(observed):
    worst = headlines.worst(incidents.derive(observed))
    used = incidents.budget_used(observed, worst)
    assert set(used) == set(worst.tables)
    for table, share in used.items():
        promise = records.promises(observed.team, table)["freshness"]
        account = next(
            one for one in accounts.accounts(observed)
            if one.slo.table == table and one.slo.sli == "freshness"
        )  # fmt: skip
        late = worst.stale(table) - promise.objective.limit
        assert share * account.allowed == pytest.approx(late.total_seconds() / 60, abs=1)


def test_incidents_of_the_same_check_are_found_and_only_earlier_ones(observed):
    empty = [one for one in incidents.derive(observed) if one.findings
             and one.findings[0].subject == "enough_rows"]  # fmt: skip
    assert len(empty) > 1
    assert headlines.before(empty[0], incidents.derive(observed)) == []
    assert headlines.before(empty[-1], incidents.derive(observed)) == empty[:-1]


def test_a_team_without_incidents_leaves_the_text_to_another(observed, article, tmp_path):

    folders.create("bare", root=tmp_path)
    bare = Observed(teams.load("bare", root=tmp_path))
    assert incidents.subject(bare, article) is article
    assert incidents.subject(observed, article) is observed


def test_problems_quote_the_line_they_are_about():
    text = "## Root Cause Analysis\n\n- The cause was human error.\n"
    found = headlines.problems(text, "PM07")
    assert found.index.tolist() == ["PM07"]
    assert found["the text says"].tolist() == ["The cause was human error."]


def test_a_fresh_draft_says_how_many_places_wait_for_people(observed):
    draft = postmortem.draft(headlines.worst(incidents.derive(observed)), observed.team)
    assert headlines.unwritten(draft) == {
        "Summary": 1,
        "Root Cause Analysis (5-Why)": 5,
        "Action Items": 3,
        "Blameless Retrospective": 3,
    }


def test_a_document_within_a_notebook_is_quoted_and_its_headings_are_lower():
    assert headlines.document("# Title\n\ntext") == "> ### Title\n> \n> text"
