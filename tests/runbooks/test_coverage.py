"""Alerts and runbooks are compared both ways, and an alert counts as often as it paged."""

from dataops_lib import runbooks
from dataops_lib.runbooks import coverage

TEXT = '# R\n## Alert response: "a FAILED", "* AUDIT BLOCKED"\n1. Check it.\n'


def test_a_title_may_name_several_alerts_and_a_star_stands_for_any_table():
    book = runbooks.read(TEXT)
    assert book.response("a FAILED") is book.response("fct_orders AUDIT BLOCKED")
    assert book.response("b FAILED") is None


def test_pages_weigh_what_is_answered():
    books = {"good.md": (runbooks.read(TEXT), 0)}
    answers = coverage.answers({"a FAILED": 9, "b FAILED": 1}, books)
    assert [(a.alert, a.passes) for a in answers] == [("a FAILED", True), ("b FAILED", False)]
    finding = coverage.judge(answers)
    assert (finding.status, finding.numbers) == ("warn", {"pages": 10, "answered": 9})
    assert finding.next_step == "Write a runbook for b FAILED"


def test_a_weak_runbook_is_an_answer_but_does_not_pass():
    answers = coverage.answers({"a FAILED": 4}, {"weak.md": (runbooks.read(TEXT), 3)})
    assert coverage.judge(answers).status == "fail"
    assert "dataops lint on weak.md" in coverage.judge(answers).next_step


def test_without_a_page_coverage_is_unknown_and_not_whole():
    assert coverage.judge(coverage.answers({}, {})).status == "unknown"
    assert coverage.judge(coverage.answers({"a FAILED": 0}, {})).status == "unknown"


def test_pages_are_counted_from_the_log_and_tickets_are_not_pages(orders):
    team = orders.load()
    assert sum(coverage.pages(team).values()) == len(team.alerts) > 0
    quiet = team.model_copy(update={"alerts": team.alerts.assign(urgency="ticket")})
    assert set(coverage.pages(quiet).values()) == {0}
    assert coverage.judge(coverage.of_team(quiet)).status == "unknown"
