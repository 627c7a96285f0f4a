"""Incidents come out of run history and promises: nothing is typed, nothing is guessed."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops_lib import windows
from dataops_lib.finding import Finding
from dataops_lib.incidents import headlines, incident
from dataops_lib.teams import history
from dataops_lib.teams.models import Consumer

FIRST = date(2013, 2, 18)  # a Monday
DAYS = 7
HOUR = timedelta(hours=1)


def at(text):
    """`19 06:45` of February 2013, UTC."""
    return datetime.fromisoformat(f"2013-02-{text}+00:00")


DUE = tuple(at(f"{FIRST.day + n} 06:00") for n in range(DAYS))
UNTIL = at("25 00:00")


def row(table, due, started, published=None, status="published", trigger="scheduled", **more):
    due_at, started_at = at(f"{due} 06:00"), at(started)
    finished_at = at(published) if published else started_at + timedelta(minutes=4)
    number = 1 if trigger == "scheduled" else 2
    return {
        "run_id": f"p-{due}-{number}",
        "pipeline": "p",
        "table": table,
        "due_at": due_at,
        "started_at": started_at,
        "finished_at": finished_at,
        "published_at": at(published) if published else None,
        "status": status,
        "rows": 100 if status in ("published", "blocked") else None,
        "trigger": trigger,
        **more,
    }


def good(table, due):
    return row(table, due, f"{due} 06:00", f"{due} 06:04")


def promise(table="a", slo=2 * HOUR, sla=4 * HOUR, pipeline="p", due=DUE):
    return incident.Promise(pipeline, table, due, slo, sla)


def by_breach(table, slo_missed, sla_breached, lasting):
    return "P1" if sla_breached else "P2" if slo_missed else None


ONE = (promise(),)


def derive(rows, *, promises=ONE, except_for=(), **options):
    """Incidents of a week in which `a` came in time on every day but `except_for`."""
    days = [str(FIRST.day + n) for n in range(DAYS) if str(FIRST.day + n) not in except_for]
    tables = [p.table for p in promises]
    frame = history.frame([*rows, *(good(t, d) for t in tables for d in days)], history.RUNS)
    options = {"until": UNTIL, "severity": by_breach} | options
    return incident.derive(frame, promises, **options)


def only(found):
    assert len(found) == 1, [i.id for i in found]
    return found[0]


BLOCKED = (
    row("a", "19", "19 06:00", status="blocked"),
    row("a", "19", "19 06:45", "19 06:50", trigger="rerun"),
)


def test_a_week_in_time_has_no_incident():
    assert derive([]) == []


def test_a_blocked_publish_is_an_incident_found_by_the_audit():
    found = only(derive(BLOCKED, except_for=["19"]))
    assert (found.kind, found.detected_by) == ("blocked", "audit")
    assert found.id == "p-20130219T0600Z"
    assert found.started_at == at("19 06:00")
    assert found.detected_at == at("19 06:04")
    assert found.resolved_at == at("19 06:50")
    assert (found.slo_missed, found.sla_breached, found.severity) == (False, False, None)
    assert found.runs == ("p-19-1", "p-19-2")
    assert (found.rows_late, found.gaps) == (100, ())
    assert found.last_good_at == at("18 06:04")
    assert found.stale("a") == timedelta(minutes=50)


@pytest.mark.parametrize(
    ("published", "slo_missed", "sla_breached", "severity"),
    [
        ("19 08:00", False, False, "none"),
        ("19 08:01", True, False, "P2"),
        ("19 10:00", True, False, "P2"),
        ("19 10:01", True, True, "P1"),
    ],
)
def test_lateness_is_judged_against_due_time_plus_promise(
    published, slo_missed, sla_breached, severity
):
    found = derive([row("a", "19", "19 06:00", published)], except_for=["19"])
    if severity == "none":
        assert found == []
        return
    late = only(found)
    assert (late.kind, late.slo_missed, late.sla_breached) == ("late", slo_missed, sla_breached)
    assert (late.severity, late.late_at) == (severity, at("19 08:00"))


def test_severity_is_told_how_long_it_lasted_and_the_worst_table_counts():
    asked = []

    def rule(table, slo_missed, sla_breached, lasting):
        asked.append((table, lasting))
        return {"a": "P3", "b": "P1"}[table]

    late = [
        row(table, "19", "19 06:00", f"19 {hour}:00") for table, hour in (("a", "10"), ("b", "09"))
    ]
    promises = (promise("a"), promise("b"))
    assert only(derive(late, promises=promises, except_for=["19"], severity=rule)).severity == "P1"
    assert asked == [("a", 4 * HOUR), ("b", 3 * HOUR)]


def test_a_run_that_never_started_is_missed_though_no_row_says_so():
    found = only(derive([], except_for=["20"]))
    assert (found.kind, found.due_at, found.started_at) == ("missed", DUE[2], DUE[2])
    assert found.runs == ()
    assert found.resolved_at == at("21 06:04")  # the next load makes the table current again
    assert found.gaps == (("a", DUE[2]),)  # and leaves a gap
    assert found.rows_late is None  # not known, not 0


def test_a_rerun_in_place_of_a_scheduled_run_is_a_missed_run_even_within_the_slo():
    rows = [row("a", "20", "20 06:30", "20 06:34", trigger="rerun")]
    found = only(derive(rows, except_for=["20"]))
    assert (found.kind, found.slo_missed, found.resolved_at) == ("missed", False, at("20 06:34"))


def test_what_was_not_noticed_is_not_known_to_be_detected():
    rows = [row("a", "20", "20 06:30", "20 06:34", trigger="rerun")]
    found = only(derive(rows, except_for=["20"]))
    assert (found.detected_at, found.detected_by) == (None, None)


def test_disturbed_due_times_are_one_incident_until_everything_is_current_again():
    found = only(derive([], except_for=["19", "20", "21"]))
    assert found.due_at == DUE[1]
    assert [d.due_at for d in found.disturbances] == list(DUE[1:4])
    assert found.resolved_at == at("22 06:04")
    assert found.stale("a") == 3 * 24 * HOUR + timedelta(minutes=4)


def test_two_bad_days_with_a_recovery_between_are_two_incidents():
    again = [
        row("a", "20", "20 06:00", status="blocked"),
        row("a", "20", "20 09:00", "20 09:05", trigger="rerun"),
    ]
    found = derive([*BLOCKED, *again], except_for=["19", "20"])
    assert [i.due_at for i in found] == [DUE[1], DUE[2]]


def test_a_recovery_at_the_very_next_due_time_ends_the_incident():
    rows = [
        row("a", "19", "19 06:00", "20 06:00"),
        row("a", "20", "20 06:00", "20 11:00"),
    ]
    assert len(derive(rows, except_for=["19", "20"])) == 2


def test_tables_of_one_pipeline_share_an_incident_and_pipelines_do_not():
    rows = [
        *BLOCKED,
        row("b", "19", "19 06:04", status="skipped"),
        row("b", "19", "19 06:50", "19 07:10", trigger="rerun"),
    ]
    one = only(derive(rows, promises=(promise("a"), promise("b")), except_for=["19"]))
    assert (one.tables, one.kind, one.resolved_at) == (("a", "b"), "blocked", at("19 07:10"))
    assert one.rows_late == 200
    two = derive(rows, promises=(promise("a"), promise("b", pipeline="other")), except_for=["19"])
    assert [i.pipeline for i in two] == ["other", "p"]


def test_an_incident_that_goes_on_is_not_resolved():
    rows = [row("a", "24", "24 06:00", status="blocked")]
    found = only(derive(rows, except_for=["24"]))
    assert found.resolved_at is None
    assert found.stale("a") == UNTIL - DUE[6]


def test_nothing_after_until_is_known():
    before_the_rerun = only(derive(BLOCKED, except_for=["19"], until=at("19 06:30")))
    assert before_the_rerun.resolved_at is None
    assert before_the_rerun.runs == ("p-19-1",)
    assert derive(BLOCKED, except_for=["19"], until=at("19 06:02")) == []  # still running


def test_a_run_is_not_missed_before_its_promise_has_passed():
    assert derive([], except_for=["19"], until=at("19 07:59")) == []
    assert only(derive([], except_for=["19"], until=at("19 08:01"))).slo_missed


def test_without_a_promise_a_late_table_is_no_incident_but_a_blocked_one_is():
    free = promise(slo=None, sla=None)
    late = [row("a", "19", "19 06:00", "19 23:00")]
    assert derive(late, promises=(free,), except_for=["19"]) == []
    found = only(derive(BLOCKED, promises=(free,), except_for=["19"]))
    assert (found.slo_missed, found.detected_by) == (False, "audit")


def test_without_a_promise_only_past_due_times_can_be_missed():
    free = promise(slo=None, sla=None)
    found = only(derive([], promises=(free,), except_for=["20"], until=at("20 12:00")))
    assert [d.due_at for d in found.disturbances] == [DUE[2]]


def reader(clock, days="daily", zone=None, table="a"):
    return Consumer(name="Revenue", table=table, reads_at=clock, days=days, zone=zone)


def log(*alerts):
    """An alert log of (time, name) about table a."""
    names = ["alerted_at", "name", "table", "message", "acknowledged_at"]
    rows = [(at(time), name, "a", "", None) for time, name in alerts]
    times = dict.fromkeys(("alerted_at", "acknowledged_at"), "datetime64[us, UTC]")
    return pd.DataFrame(rows, columns=names).astype(times)


LATE = log(("19 08:00", "a LATE"))


def test_a_consumer_who_reads_before_the_alert_finds_it_first():
    late = [row("a", "19", "19 06:00", "19 09:00")]
    by_seven = only(derive(late, except_for=["19"], consumers=[reader("07:30")], alerts=LATE))
    assert (by_seven.detected_by, by_seven.detected_at) == ("consumer", at("19 07:30"))
    by_nine = only(derive(late, except_for=["19"], consumers=[reader("08:30")], alerts=LATE))
    assert (by_nine.detected_by, by_nine.detected_at) == ("alert", at("19 08:00"))


def test_without_an_alert_log_nobody_knows_who_noticed_but_an_audit_did():
    late = [row("a", "19", "19 06:00", "19 09:00")]
    unlogged = only(derive(late, except_for=["19"], consumers=[reader("07:30")]))
    assert (unlogged.detected_by, unlogged.undetected) == (None, None)
    assert unlogged.late_at == at("19 08:00")
    assert headlines.incident(unlogged).endswith(
        "who noticed is not known, its SLO was passed after 2 hours"
    )
    quiet = only(derive(late, except_for=["19"], alerts=log()))
    assert (quiet.detected_by, quiet.alerts_logged) == (None, True)
    assert "no alert is on record" in headlines.incident(quiet)
    assert only(derive(BLOCKED, except_for=["19"])).detected_by == "audit"


def test_two_consumers_who_read_at_the_same_time_are_two():
    late = [row("a", "19", "19 06:00", "19 09:00")]
    both = [reader("07:30"), reader("07:30").model_copy(update={"name": "Forecast"})]
    signs = only(derive(late, except_for=["19"], consumers=both)).signs
    assert [sign.source for sign in signs if sign.by == "consumer"] == ["Revenue", "Forecast"]


def test_an_alert_of_a_table_whose_name_speaks_of_audits_is_no_audit():
    table = "audit_blocked"
    alerts = log(("19 08:00", "audit_blocked LATE")).assign(table=table)
    late = [row(table, "19", "19 06:00", "19 09:00")]
    found = only(derive(late, promises=(promise(table),), except_for=["19"], alerts=alerts))
    assert found.detected_by == "alert"


def test_a_lost_hourly_load_breaks_no_promise_while_the_table_was_fresh():
    hours = tuple(at("19 06:00") + n * HOUR for n in range(12))
    rows = [
        row("a", "19", "19 06:00") | {"due_at": due, "started_at": due, "finished_at": due,
                                      "published_at": due, "run_id": f"{due:%H}"}
        for due in hours if due.hour != 9
    ]  # fmt: skip
    hourly = (promise(due=hours),)
    frame = history.frame(rows, history.RUNS)
    for until in (at("19 10:30"), at("19 18:00"), at("25 00:00")):
        options = {"until": until, "severity": by_breach}
        lost = only(incident.derive(frame, hourly, **options))
        assert (lost.kind, lost.due_at, lost.resolved_at) == ("missed", hours[3], hours[4])
        assert (lost.slo_missed, lost.sla_breached, lost.severity) == (False, False, None)


def test_a_closed_incident_stays_as_it_was_whatever_comes_later():
    backfill = row("a", "20", "23 12:00", "23 12:10", trigger="rerun")
    then = only(derive([backfill], except_for=["20"], until=at("22 00:00")))
    later = only(derive([backfill], except_for=["20"]))
    stable = ("kind", "resolved_at", "severity", "slo_missed", "sla_breached", "signs", "runs")
    assert {name: getattr(then, name) for name in stable} == {
        name: getattr(later, name) for name in stable
    }
    assert (then.gaps, later.gaps) == ((("a", DUE[2]),), ())


def test_a_publish_of_an_unknown_time_is_never_called_late():
    unknown = row("a", "19", "19 06:00", "19 15:00") | {"published_at": None}
    assert derive([unknown], except_for=["19"]) == []


def test_a_late_start_counts_from_the_due_time_and_nothing_is_negative():
    rows = [
        row("a", "19", "19 09:30", status="failed"),
        row("a", "19", "19 11:00", "19 11:10", trigger="rerun"),
    ]
    late = only(derive(rows, except_for=["19"], alerts=LATE))
    assert late.undetected == 2 * HOUR
    assert late.lasted == 5 * HOUR + timedelta(minutes=10)


def test_nobody_detects_what_is_over():
    rows = [
        row("a", "19", "19 06:00", status="failed"),
        row("a", "19", "19 06:10", "19 06:20", trigger="rerun"),
        row("a", "19", "19 06:05", status="blocked", trigger="rerun")
        | {"finished_at": at("19 07:00")},
    ]
    over = only(derive(rows, except_for=["19"]))
    assert over.resolved_at == at("19 06:20")
    assert over.detected_at is None


def test_of_two_that_come_at_once_the_alert_is_ours():
    late = [row("a", "19", "19 06:00", "19 09:00")]
    found = only(derive(late, except_for=["19"], consumers=[reader("08:00")], alerts=LATE))
    assert [sign.by for sign in found.signs] == ["alert", "consumer"]
    assert found.detected_by == "alert"


def test_a_consumer_who_reads_before_it_is_due_or_after_it_came_sees_nothing():
    late = [row("a", "19", "19 06:00", "19 09:00")]
    for clock in ("05:59", "09:00"):
        found = only(derive(late, except_for=["19"], consumers=[reader(clock)]))
        assert [sign.by for sign in found.signs] == ["alert"]


def test_consumers_read_in_their_own_zone_and_some_on_weekdays_only():
    weekend = [row("a", "23", "23 06:00", "23 15:00")]  # a Saturday
    berlin = reader("08:00", zone="Europe/Berlin")  # 07:00 UTC in February
    found = only(derive(weekend, except_for=["23"], consumers=[berlin], alerts=log()))
    assert found.detected_at == at("23 07:00")
    home = reader("08:00", days="weekdays")
    found = only(derive(weekend, except_for=["23"], consumers=[home], zone="Europe/Berlin"))
    assert [sign.by for sign in found.signs] == ["alert"]


def test_the_alert_log_can_tell_earlier_and_says_who_acknowledged():
    alerts = pd.DataFrame(
        {
            "alerted_at": [at("19 06:02"), at("19 06:02"), at("20 06:02")],
            "name": ["a FAILED", "z FAILED", "a FAILED"],
            "table": ["a", "z", "a"],
            "message": ["no such column", "", ""],
            "acknowledged_at": [at("19 06:05"), at("19 06:03"), pd.NaT],
        }
    )
    failed = [
        row("a", "19", "19 06:00", status="failed"),
        row("a", "19", "19 06:45", "19 07:10", trigger="rerun"),
    ]
    found = only(derive(failed, except_for=["19"], alerts=alerts))
    assert (found.detected_by, found.detected_at) == ("alert", at("19 06:02"))
    assert found.acknowledged_at == at("19 06:05")
    assert [sign.text for sign in found.signs] == ["a FAILED: no such column"]
    assert found.kind == "late"


def test_an_audit_that_also_stands_in_the_alert_log_is_told_once_with_its_reason():
    alerts = pd.DataFrame(
        {
            "alerted_at": [at("19 06:04")],
            "name": ["a AUDIT BLOCKED"],
            "table": ["a"],
            "message": ["user_id: is VARCHAR"],
        }
    )
    found = only(derive(BLOCKED, except_for=["19"], alerts=alerts))
    assert [(s.by, s.text) for s in found.signs] == [
        ("audit", "a AUDIT BLOCKED: user_id: is VARCHAR")
    ]
    assert found.acknowledged_at is None


def test_planted_faults_and_findings_stay_with_their_incident():
    rows = [dict(found, planted="user_id becomes VARCHAR") for found in BLOCKED]
    why = Finding("columns", "fail", "user_id is VARCHAR, not INT", "Ask the source team")
    found = only(derive(rows, except_for=["19"], findings={"p-19-1": [why], "p-18-1": [why]}))
    assert found.planted == "user_id becomes VARCHAR"
    assert found.findings == (why,)


def test_due_times_keep_to_the_local_clock_when_clocks_change():
    zone = "America/New_York"
    span = windows.Window(
        windows.midnight(date(2013, 3, 9), zone), windows.midnight(date(2013, 3, 12), zone)
    )
    due = tuple(windows.due_times("0 6 * * *", zone, span))
    reads = Consumer(name="Briefing", table="a", reads_at="07:00", zone=None)
    empty = history.frame([], history.RUNS)
    found = only(
        incident.derive(
            empty,
            [promise(due=due)],
            until=span.end,
            severity=by_breach,
            consumers=[reads],
            zone=zone,
        )
    )
    read = [s.at.isoformat() for s in found.signs if s.by == "consumer"]
    assert sorted(set(read)) == [
        "2013-03-09T12:00:00+00:00",
        "2013-03-10T11:00:00+00:00",
        "2013-03-11T11:00:00+00:00",
    ]


def test_a_history_without_zones_or_columns_is_refused_with_its_names():
    frame = history.frame([good("a", "18")], history.RUNS)
    naive = frame.assign(due_at=frame["due_at"].dt.tz_localize(None))
    with pytest.raises(ValueError, match="due_at: times without a zone"):
        incident.derive(naive, [promise()], until=UNTIL, severity=by_breach)
    with pytest.raises(ValueError, match="no column status, rows"):
        incident.derive(
            frame.drop(columns=["status", "rows"]), [promise()], until=UNTIL, severity=by_breach
        )


@st.composite
def weeks(draw):
    """A week of two tables: in time, late, blocked and repaired or not, or not run at all."""
    rows = []
    for table in "ab":
        for n in range(DAYS):
            day = str(FIRST.day + n)
            fate = draw(st.sampled_from(["good", "good", "late", "repaired", "blocked", "missed"]))
            hour = draw(st.integers(9, 23))
            if fate == "good":
                rows.append(good(table, day))
            elif fate == "late":
                rows.append(row(table, day, f"{day} 06:00", f"{day} {hour:02}:00"))
            elif fate != "missed":
                rows.append(row(table, day, f"{day} 06:00", status="blocked"))
                if fate == "repaired":
                    rows.append(
                        row(
                            table,
                            day,
                            f"{day} {hour:02}:00",
                            f"{day} {hour:02}:05",
                            trigger="rerun",
                        )
                    )
    return history.frame(rows, history.RUNS)


@settings(max_examples=40, deadline=None)
@given(runs=weeks())
def test_each_disturbed_due_time_belongs_to_exactly_one_incident_and_they_never_overlap(runs):
    promises = (promise("a"), promise("b"))
    found = incident.derive(runs, promises, until=UNTIL, severity=by_breach)
    bad = {
        (table, due)
        for table in "ab"
        for due in DUE
        if not any(
            (r.table, r.due_at) == (table, due)
            and r.published_at <= due + 2 * HOUR
            and r.trigger == "scheduled"
            for r in runs.itertuples()
        )
    }
    named = [(d.table, d.due_at) for i in found for d in i.disturbances]
    assert sorted(named) == sorted(bad)
    for one, following in itertools.pairwise(found):
        assert one.resolved_at is not None
        assert one.resolved_at <= following.due_at
    for one in found:
        assert one.started_at >= one.due_at
        assert one.detected_at is None or one.detected_at >= one.due_at
        assert one.resolved_at is None or one.resolved_at > one.due_at
        assert one.sla_breached <= one.slo_missed


@settings(max_examples=20, deadline=None)
@given(runs=weeks(), seed=st.integers(0, 99))
def test_the_order_of_the_history_does_not_matter(runs, seed):
    promises = (promise("a"), promise("b"))
    shuffled = runs.sample(frac=1, random_state=seed).reset_index(drop=True)
    one, other = (
        incident.derive(frame, promises, until=UNTIL, severity=by_breach)
        for frame in (runs, shuffled)
    )
    assert [i.id for i in one] == [i.id for i in other]
    assert [i.resolved_at for i in one] == [i.resolved_at for i in other]


def test_times_come_back_as_utc_datetimes():
    found = only(derive(BLOCKED, except_for=["19"]))
    assert found.detected_at.tzinfo == UTC
    assert type(found.detected_at) is datetime
