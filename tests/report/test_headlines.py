"""Sentences that say what was found."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pandas as pd

from dataops_lib.course import headlines
from dataops_lib.evidence import verdicts
from dataops_lib.finding import Finding
from dataops_lib.incidents import headlines as incidents_headlines
from dataops_lib.incidents.incident import Incident
from dataops_lib.report import headlines as report_headlines
from dataops_lib.report.diagnosis import Diagnosis
from dataops_lib.service_levels import budget as budgets
from dataops_lib.service_levels import budget_policy, slo
from dataops_lib.service_levels.measurements import Measurement
from dataops_lib.teams.models import Picture, Table
from dataops_lib.wap import headlines as wap_headlines
from dataops_lib.windows import Window

# -- notebooks 00, 04 and 05: first look, runs, incidents


def found(check="enough_rows", evidence="0 rows were added", status="fail"):
    return Finding(check, status, evidence, "Look at the failing rows")


GRAPH = pd.DataFrame(
    [
        ("s1", "", 10, True, ("published history",)),
        ("s2", "s1", 30, False, ("audit bad-1",)),
        ("s3", "s1", 20, True, ("main", "published good")),
        ("s4", "s3", 25, False, ("withdrawn late",)),
    ],
    columns=["snapshot", "parent", "rows", "on_main", "refs"],
)


def test_another_teams_table_is_named_as_such():
    days = [date(2013, 2, 22), date(2013, 2, 27)]
    said = headlines.practised_on("x", "orders", "fct_orders", days, 45391)
    assert said.startswith("Team x publishes no table that the acts could use. The acts use table")
    assert said.endswith("45,391 rows are published in the scratch warehouse, 2 days, "
                         "22 February 2013 to 27 February 2013, are still to come.")  # fmt: skip


def test_a_run_is_published_followed_main_or_blocked_with_the_reason():
    assert wap_headlines.became("a", True, [], 0) == "a: published."
    assert wap_headlines.became("a", True, [], 2) == "a: published after following main 2 times."
    assert wap_headlines.became("a", False, [found()], 0) == (
        "a: blocked, readers keep what they had. enough_rows: 0 rows were added."
    )


def test_the_graph_is_read_by_where_readers_are_and_what_waits():
    assert wap_headlines.snapshots(GRAPH) == (
        "Readers are at s3; 1 audit branch waits; 1 publish withdrawn"
    )
    assert (
        wap_headlines.snapshots(GRAPH.head(1)) == "Readers see nothing yet; no audit branch waits"
    )


def test_an_anomaly_without_judged_days_is_not_called_ordinary():
    picture = Picture(table="t", query="SELECT 1", unit="flights", actual="departed")
    judged = pd.DataFrame({"verdict": ["ok", "fail", "unknown"]})
    calm = pd.DataFrame({"verdict": ["ok", "ok", "unknown"]})
    assert headlines.anomaly(calm, judged, picture) == (
        "Counting rows stops 0 of 2 judged days, counting departed stops 1"
    )
    unknown = pd.DataFrame({"verdict": ["unknown"]})
    assert headlines.anomaly(unknown, unknown, picture) == (
        "Too few days to judge departed by their weekday"
    )


def test_a_real_event_of_another_team_is_named_as_such():
    event = {"day": date(2013, 2, 8), "text": "blizzard", "source": "s"}
    picture = Picture(table="t", query="q", unit="u", actual="a", events=(event,))
    assert headlines.real_event("x", "flights", picture) == (
        "Team x names no real event. The data of team flights holds something that really "
        "happened: blizzard of 8 February 2013."
    )


def test_what_readers_noticed_is_said_after_each_accident():
    assert headlines.killed(-9, "s9", 49108) == (
        "The process was killed (exit code -9). Readers are at s9: 49,108 rows."
    )
    assert wap_headlines.rolled_back(["late"], "s3", 20) == (
        "Withdrawn: late. Readers are at s3: 20 rows."
    )
    assert wap_headlines.cleaned(5, 0, "s3", 20).startswith("5 files deleted, 0 left that nothing")
    assert headlines.kept_from(False, ["Briefing at 09:00"]) == (
        "Without these rows: Briefing at 09:00."
    )
    assert "team.yaml does not name" in headlines.kept_from(False, [])
    assert headlines.kept_from(True, ["Briefing"]).startswith("Nothing was kept")


def test_runs_and_service_levels_are_counted_over_all_tables():
    counts = {"a": {"published": 58, "blocked": 6}, "b": {"published": 58, "skipped": 6}}
    assert headlines.runs(counts) == "116 of 128 runs published, the audit blocked 6"
    assert headlines.runs({}) == "No run history is given"
    levels = {"a": {"ok": 2, "unknown": 1}, "b": {"fail": 1}}
    assert headlines.levels(levels) == "2 of 3 judged service levels kept, 1 unknown"
    assert headlines.levels({"a": {"unknown": 3}}) == "No service level can be judged yet"


def test_what_is_not_in_place_is_named():
    assert headlines.in_place([found(status="ok")]) == "All 1 are in place."
    assert headlines.in_place([found(), found("b", status="ok")]) == "1 of 2 are not: enough_rows."


def test_escalation_is_due_after_its_limit_and_not_at_it():
    half = timedelta(minutes=30)
    assert incidents_headlines.escalation(half, half).startswith(
        "Repaired after 30 minutes, within"
    )
    assert incidents_headlines.escalation(timedelta(minutes=45), half).startswith(
        "Repaired after 45 minutes. Escalation was due after 30 minutes"
    )


DUE = datetime(2013, 2, 12, 11, tzinfo=UTC)


def one_incident(**changes):
    values = {
        "id": "p-1", "pipeline": "p", "tables": ("t",), "kind": "blocked", "due_at": DUE,
        "started_at": DUE, "detected_at": DUE + timedelta(minutes=2), "detected_by": "audit",
        "acknowledged_at": None, "resolved_at": DUE + timedelta(hours=26, minutes=31),
        "severity": "P1", "slo_missed": True, "sla_breached": True, "findings": (),
        "planted": None, "runs": (), "disturbances": (), "signs": (), "last_good_at": None,
        "until": DUE + timedelta(days=9),
    }  # fmt: skip
    return Incident(**values | changes)


def test_an_incident_is_how_long_readers_waited_and_who_found_it():
    assert incidents_headlines.incident(one_incident()) == (
        "Readers waited 26 hours 31 minutes; found by the audit after 2 minutes"
    )
    going_on = one_incident(resolved_at=None, detected_at=None, detected_by=None)
    assert incidents_headlines.incident(going_on) == (
        "Readers waited 216 hours and wait still; no alert is on record"
    )


def test_the_chosen_incident_says_whose_it_is_and_whether_it_was_planted():
    said = incidents_headlines.chosen(
        "x", "orders", one_incident(planted="missed run"), "America/New_York"
    )
    assert said.startswith("Team x has no incident on record. Incident of team orders, due 12 ")
    assert "at 06:00: t." in said
    assert said.endswith("Planted for practice: missed run.")


def test_places_to_write_and_earlier_incidents_are_counted():
    assert incidents_headlines.to_write({"Summary": 1, "Action Items": 3}) == (
        "4 places wait for people: 1 in Summary, 3 in Action Items."
    )
    assert incidents_headlines.to_write({}) == "Nothing waits."
    assert incidents_headlines.came_before([]).startswith("No earlier incident")
    assert "1 (12 February 2013)" in incidents_headlines.came_before([one_incident()])


MONTH = Window(datetime(2013, 1, 30, tzinfo=UTC), datetime(2013, 3, 1, tzinfo=UTC))
EMPTY = Diagnosis("a", "A", date(2013, 3, 1), MONTH, "30 days", (), (), (), ())


(RUN_SUCCESS,) = slo.loads(
    'slos: [{name: t, pipeline_success_rate: {slo: "> 95% (30-day rolling)"}}]'
)
(FRESH,) = slo.loads('slos: [{name: t, freshness: {slo: "< 2 hours for 99% (30-day rolling)"}}]')


def budget(good, total, promise=RUN_SUCCESS):
    standing = budgets.stand(
        Measurement(good, total), promise.target, trials=promise is RUN_SUCCESS
    )
    return budgets.of(promise, standing, budget_policy.load(), tier=1)


def test_what_a_budgets_counts_prove_is_an_interval_or_how_many_runs_it_needs():
    independent = "if failures are independent"
    assert report_headlines.budget_evidence(budget(25, 30)) == (
        f"95 % interval 65.3 % to 94.4 %, {independent}"
    )
    assert report_headlines.budget_evidence(budget(7, 7)) == (
        f"95 % interval 59 % to 100 %, {independent}; needs 20 runs to allow one failure"
    )
    assert report_headlines.budget_evidence(budget(43_000, 43_200, FRESH)) == ""


def test_budgets_that_nobody_can_judge_are_not_counted_as_spent_or_kept():
    left = (budget(0, 30), budget(30, 30), budget(7, 7))
    sentence = report_headlines.budgets(replace(EMPTY, budgets=left))
    assert sentence == "1 of 2 error budgets is overspent; 1 cannot be judged."
    unjudged = report_headlines.budgets(replace(EMPTY, budgets=left[2:]))
    assert unjudged == "1 error budget, which cannot be judged yet."  # never "0 of 0"
    assert report_headlines.budgets(EMPTY) == "No promise has an error budget."


def test_an_incident_that_took_more_than_the_policy_allows_is_due_a_postmortem():
    rule = budget_policy.load().incident
    happened = replace(EMPTY, incidents=(one_incident(),), costs={"p-1": ("t", 0.2)})
    assert report_headlines.postmortem_due(happened, rule) == ""  # the limit itself is allowed
    due = report_headlines.postmortem_due(replace(happened, costs={"p-1": ("t", 0.21)}), rule)
    assert due.startswith("The incident of 12 February 2013 took 21 % of the freshness budget of t")
    assert due.endswith(f"{rule.action}.")


def test_nothing_measured_is_never_calm():
    level = verdicts.Level(table_t(), "pipeline_success_rate", None, RUN_SUCCESS, unmeasured())
    said = report_headlines.no_decision(replace(EMPTY, levels=(level,)))
    assert said == "No promise could be judged, so nobody can say what has to be decided."
    assert "nothing can ask" in report_headlines.no_decision(EMPTY)
    kept = replace(level, slo=budgets.stand(Measurement(30, 30), RUN_SUCCESS.target))
    both = report_headlines.no_decision(replace(EMPTY, levels=(level, kept)))
    assert both.endswith(
        "asks for a decision, as far as can be told: 1 promise could not be judged."
    )
    alone = report_headlines.no_decision(replace(EMPTY, levels=(kept,)))
    assert alone == "Nothing in this month's numbers asks for a decision."


def table_t():
    return Table(name="t", pipeline="p", tier=1, owner="Ana", day_column="d", about="x")


def unmeasured():
    return budgets.stand(Measurement(0, 0), RUN_SUCCESS.target)


def test_without_alerts_nobody_is_said_to_have_found_an_incident():
    told = replace(EMPTY, incidents=(one_incident(detected_by="alert"),))
    assert "found by an alert" in report_headlines.last_incident(told)
    silent = report_headlines.last_incident(replace(told, alerts_known=False))
    assert "who noticed it is not on record" in silent
    assert report_headlines.last_incident(replace(EMPTY, runs_known=False)).startswith("Not known")


def test_tasks_of_newcomers_are_counted_together():
    states = ("done", "open", "open", "unseen")
    tasks = tuple(Finding("x", "ok", "", "", {"task": "t", "state": one}) for one in states)
    clock = Finding("x", "ok", "", "", {"state": "open"})
    said = report_headlines.onboarding(replace(EMPTY, onboarding=(clock, *tasks)))
    assert said == "Of 4 tasks of new colleagues: 1 done, 2 open, 1 cannot be seen."


def test_the_first_month_is_said_to_be_a_plan_with_our_definition_of_medium():
    said = report_headlines.first_month()
    assert "no judgement of a person" in said
    assert "weekends count" in said
    assert "3 to 6 models" in said
