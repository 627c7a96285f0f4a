"""A team's promises: the article's words, their meaning, and every mistake in a file."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dataops_lib.errors import TeamError
from dataops_lib.service_levels import slo
from dataops_lib.service_levels.objectives import BudgetText, Period, TargetError

settings.register_profile("patient", deadline=None)  # first imports are slow
settings.load_profile("patient")
HOUR = timedelta(hours=1)
ARTICLE = """
slos:
  # Tier 1: Business Critical
  - name: "fct_daily_revenue"
    tier: 1
    freshness:
      slo: "< 2 hours"
      sla: "< 4 hours"
    completeness:
      slo: "> 99.9%"
      sla: "> 99.5%"
    volume_anomaly:
      slo: "Z-score < 3"
      sla: "Z-score < 4"
    pipeline_success_rate:
      slo: "> 99.5% (7-day rolling)"
      sla: "> 99.0% (30-day rolling)"
    error_budget_monthly: "0.5% = 3.6 hours/month"
    on_call_severity: "P1 — Immediate response"
  - name: "marketing_attribution"
    tier: 2
    freshness:
      slo: "< 8 hours"
      sla: "< 12 hours"
    pipeline_success_rate:
      slo: "> 99.0%"
      sla: "> 98.0%"
    on_call_severity: "P2 — Business hours response"
  - name: "raw_event_logs"
    tier: 3
    freshness:
      slo: "< 24 hours"
      sla: "< 48 hours"
    on_call_severity: "P3 — Next business day response"
"""
SLOS = slo.loads(ARTICLE)
REVENUE = {one.sli: one for one in SLOS if one.table == "fct_daily_revenue"}


def test_the_articles_file_is_read_as_it_stands():
    assert [one.name for one in SLOS] == [
        "fct_daily_revenue freshness",
        "fct_daily_revenue completeness",
        "fct_daily_revenue volume_anomaly",
        "fct_daily_revenue pipeline_success_rate",
        "marketing_attribution freshness",
        "marketing_attribution pipeline_success_rate",
        "raw_event_logs freshness",
    ]
    assert [one.severity for one in SLOS] == ["P1"] * 4 + ["P2"] * 2 + ["P3"]
    assert REVENUE["pipeline_success_rate"].objective == slo.Objective(
        "ratio", Decimal("0.995"), slo.Period(days=7)
    )
    assert REVENUE["freshness"].budget == BudgetText(Decimal("0.005"), 3.6 * HOUR, "month")


def test_a_budget_in_hours_is_the_target_of_freshness():
    assert REVENUE["freshness"].target == Decimal("0.995")
    assert SLOS[4].target is None


def test_a_promise_without_a_share_has_no_budget_and_says_what_to_write():
    with pytest.raises(slo.TargetError, match=r"Write '< 8 hours for 99%'"):
        _ = SLOS[4].error_budget


def test_two_hours_on_a_daily_table_are_26_hours_of_age():
    assert slo.max_age(REVENUE["freshness"].objective, timedelta(days=1)) == 26 * HOUR
    assert REVENUE["freshness"].objective.limit == 2 * HOUR


def test_the_gap_to_the_sla_is_a_safety_margin_not_the_budget():
    runs = slo.SLO(
        "t",
        "pipeline_success_rate",
        slo.parse("> 99.9%"),
        slo.parse("> 99.5%"),
    )
    assert (runs.error_budget, runs.safety_margin) == (Decimal("0.001"), Decimal("0.004"))
    assert REVENUE["freshness"].safety_margin == 2 * HOUR


numbers = st.integers(1, 99_999).map(lambda n: f"{Decimal(n) / 1000:f}")
periods = st.one_of(
    st.just(""),
    st.integers(1, 400).map(lambda n: f" ({n}-day rolling)"),
    st.sampled_from(["week", "month", "quarter", "year"]).map(lambda c: f" (calendar {c})"),
)
shares = st.one_of(st.just(""), numbers.map(lambda n: f" for {n}%"))
units = st.sampled_from(["minutes", "hours", "days"])
objectives = st.one_of(
    st.builds("> {}%{}".format, numbers, periods),
    st.builds("< {} {}{}{}".format, numbers, units, shares, periods),
    st.builds("Z-score < {}{}{}".format, numbers, shares, periods),
)


@given(objectives)
def test_an_objective_written_out_reads_back_the_same(text):
    objective = slo.parse(text)
    assert slo.parse(str(objective)) == objective


REFUSED = {
    "> 100%": "no budget",
    "> 101%": "between 0 and 1",
    "> 0%": "between 0 and 100 %",
    "> -5%": "between 0 and 100 %",
    "> nan%": "between 0 and 100 %",
    "> inf%": "between 0 and 100 %",
    "> 99.5": "For 99.5 % write 99.5%",
    "< 99%": "Write '> 99%'",
    "> 2 hours": "Write '< 2 hours'",
    "< 0 hours": "no limit above 0",
    "< 2 moons": "unit 'moons' is not known",
    "Z-score > 3": "Write 'Z-score < 3'",
    "< 99999999999999 days": "longer than time",
    "> 99% (fortnight)": "is not a period",
    "fresh": "is not an objective",
    "< 2 hours for 100%": "no budget",
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.items())
def test_a_promise_that_cannot_be_kept_is_refused_with_what_to_write(text, reason):
    with pytest.raises(slo.TargetError) as caught:
        slo.parse(text)
    assert reason in str(caught.value)


MALFORMED = """slos:
  - name: a
    tier: 4
    freshness: {slo: "> 99%"}
    completness: {slo: "> 99%"}
    completeness: {slo: "> 100%", sla: 99}
  - tier: 2
    on_call_severity: urgent
    error_budget_monthly: lots
    pipeline_success_rate: {sla: "> 99%"}
  - name: a
  - just words
"""
MISTAKES = {
    3: "is 4",
    4: "is no objective for this SLI",
    5: "is not a known field",
    6: "no budget",
    7: "is missing",
    8: "is 'urgent'",
    9: "'lots' is not an error budget",
    10: "is missing",
    11: "stands twice",
    12: "just words",
}


def test_all_mistakes_of_a_file_are_reported_at_once_with_their_lines():
    with pytest.raises(TeamError) as caught:
        slo.loads(MALFORMED, file="slos.yaml")
    said = {(problem.line, problem.message) for problem in caught.value.problems}
    missed = [
        (line, part)
        for line, part in MISTAKES.items()
        if not any(at == line and part in message for at, message in said)
    ]
    assert missed == []
    assert all(problem.file == "slos.yaml" and problem.fix for problem in caught.value.problems)


@pytest.mark.parametrize("text", ["", "slos: 3", "- a", "slos:\n  - [1", "slos: []\nslos: []"])
def test_a_file_that_is_no_list_of_tables_is_refused_kindly(text):
    with pytest.raises(TeamError):
        slo.loads(text)


def test_a_schedule_and_a_zone_that_do_not_exist_are_found_with_their_lines():
    text = """slos:
  - name: a
    schedule: "0 30 * * *"
    zone: Mars/Olympus
    completeness: {slo: "> 99%"}
"""
    with pytest.raises(TeamError) as caught:
        slo.loads(text)
    assert [problem.line for problem in caught.value.problems] == [3, 4]


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12))
keys = st.one_of(st.sampled_from(["slos", "name", "freshness", "slo", "tier"]), st.text(max_size=5))
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner)),
    max_leaves=8,
)


@settings(max_examples=60)
@given(documents)
def test_whatever_stands_in_a_file_is_read_or_refused_kindly(document):
    yaml, out = YAML(), StringIO()
    yaml.dump({"slos": [document]}, out)
    try:
        slo.loads(out.getvalue())
    except TeamError as error:
        assert error.problems


@given(st.text(max_size=30))
def test_whatever_stands_for_an_objective_is_read_or_refused_kindly(text):
    for words in (text, f"> {text}%", f"< {text} hours", f"> 99% ({text})"):
        try:
            slo.parse(words)
        except slo.TargetError as error:
            assert error.fix


PERIODS = {"week": 1, "month": 14, "quarter": 45, "year": 45}


@pytest.mark.parametrize(("calendar", "days"), PERIODS.items())
def test_a_calendar_period_runs_from_its_first_day_to_as_of(calendar, days):
    window = slo.Period(calendar=calendar).window(date(2012, 2, 15), "UTC")  # a Wednesday
    expected = {"week": 2}.get(calendar, days)
    assert window.duration.days == expected


# Saving

tables = st.sampled_from(["fct_a", "fct_b", "raw.c"])
EXAMPLES = {
    "freshness": ["< 2 hours", "< 90 minutes for 99.5% (calendar month)"],
    "completeness": ["> 99.9%"],
    "volume_anomaly": ["Z-score < 3"],
    "pipeline_success_rate": ["> 95% (30-day rolling)", "> 99%"],
}


@st.composite
def promises(draw):
    common = {
        table: {
            "tier": draw(st.sampled_from([None, 1, 2, 3])),
            "owner": draw(st.sampled_from([None, "Ana", "a: b # c", "Zoë"])),
            "schedule": draw(st.sampled_from([None, "0 6 * * *"])),
            "zone": draw(st.sampled_from(["UTC", "Asia/Tokyo"])),
            "severity": draw(st.sampled_from([None, "P2"])),
            "budget": draw(st.sampled_from([None, BudgetText(Decimal("0.005"), 3.6 * HOUR)])),
        }
        for table in draw(st.sets(tables, min_size=1))
    }
    made = []
    for table, shared in common.items():
        for sli in slo.SLIS:
            if draw(st.booleans()):
                words = draw(st.sampled_from(EXAMPLES[sli]))
                sla = draw(st.sampled_from([None, slo.parse(EXAMPLES[sli][0])]))
                columns = ("id", "amount") if sli == "completeness" else ()
                promise = slo.SLO(
                    table,
                    sli,
                    slo.parse(words),
                    sla,
                    columns=columns,
                    **shared,
                )
                made.append(promise)
    return made


@settings(max_examples=25)
@given(promises(), promises())
def test_what_is_saved_reads_back_the_same_over_whatever_was_there(before, after):
    text = slo.dumps(after, slo.dumps(before))
    if after:
        key = lambda one: one.name  # noqa: E731
        assert sorted(slo.loads(text), key=key) == sorted(after, key=key)


def test_saving_what_stands_changes_nothing():
    assert slo.dumps(SLOS, ARTICLE.lstrip()) == ARTICLE.lstrip()


def test_saving_one_change_keeps_comments_quotes_and_the_rest():
    changed = [
        replace(one, objective=slo.parse("< 3 hours")) if one == SLOS[0] else one for one in SLOS
    ]
    saved = slo.dumps(changed, ARTICLE)
    assert saved.strip() == ARTICLE.strip().replace('slo: "< 2 hours"', 'slo: "< 3 hours"')
    assert "# Tier 1: Business Critical" in saved


# Lint

CLEAN = slo.SLO(
    "t",
    "pipeline_success_rate",
    slo.parse("> 95% (30-day rolling)"),
    slo.parse("> 90% (30-day rolling)"),
    owner="Ana",
)


def said(*slos, **options):
    return [(finding.status, finding.evidence) for finding in slo.lint(slos, **options)]


def test_a_promise_that_can_be_kept_and_told_has_no_finding():
    assert said(CLEAN, roster={"Ana"}) == []


def test_the_articles_7_day_and_30_day_pair_is_inverted_for_a_daily_job():
    finding = next(f for f in slo.lint(SLOS) if "7-day" in f.evidence and f.status == "fail")
    assert finding.numbers == {"slo_allowed": 0, "sla_allowed": 0}
    assert "0 of 7 and 0 of 30 runs may fail" in finding.evidence


def test_the_same_pair_holds_for_a_job_that_runs_every_minute():
    pair = replace(
        CLEAN,
        objective=slo.parse("> 99.5%"),
        sla=slo.parse("> 99%"),
    )
    assert said(pair, intervals={"t": timedelta(minutes=1)}) == []


@st.composite
def failures_and_windows(draw):
    slo_runs, sla_runs = draw(st.integers(1, 6)), draw(st.integers(1, 9))
    return slo_runs, draw(st.integers(0, 3)), sla_runs, draw(st.integers(0, 4))


def breaks_unwarned(slo_runs, slo_allowed, sla_runs, sla_allowed) -> bool:
    """Try every row of failures: does the SLA break at or before the first red SLO?"""
    for row in product([0, 1], repeat=sla_runs):
        for end in range(1, sla_runs + 1):
            seen = row[:end]
            slo_red = sum(seen[-slo_runs:]) > slo_allowed
            sla_red = sum(seen) > sla_allowed
            if sla_red:
                return True
            if slo_red:
                break
    return False


@settings(max_examples=200)
@given(failures_and_windows())
def test_the_warning_rule_agrees_with_trying_every_row_of_failures(case):
    assert slo.warns_first(*case) == (not breaks_unwarned(*case))


LOOSER = [
    ("> 95%", "> 99%", "fail", "looser"),
    ("< 4 hours for 99%", "< 2 hours for 99%", "fail", "looser"),
    ("< 2 hours for 90%", "< 4 hours for 99%", "fail", "looser"),
    ("Z-score < 4", "Z-score < 3", "fail", "looser"),
    ("> 99%", "> 99%", "warn", "no safety margin"),
]


@pytest.mark.parametrize(("inner", "outer", "status", "word"), LOOSER)
def test_an_slo_that_is_not_stricter_than_its_sla_is_found(inner, outer, status, word):
    pair = slo.SLO(
        "t",
        "any",
        slo.parse(inner),
        slo.parse(outer),
        owner="Ana",
    )
    assert [(s, word in evidence) for s, evidence in said(pair)] == [(status, True)]


def test_a_stricter_share_of_the_same_limit_is_a_margin():
    words = (
        slo.parse("< 2 hours for 99%"),
        slo.parse("< 2 hours for 98%"),
    )
    assert said(slo.SLO("t", "freshness", *words, owner="Ana")) == []


def test_two_windows_cannot_be_compared():
    words = (
        slo.parse("> 99% (7-day rolling)"),
        slo.parse("> 98% (30-day rolling)"),
    )
    assert said(slo.SLO("t", "completeness", *words, owner="Ana"))[0][1].startswith("two windows")


def test_too_few_runs_are_found_with_their_price_and_what_to_do_instead():
    finding = slo.lint(
        [
            replace(
                CLEAN,
                objective=slo.parse("> 99.5% (7-day rolling)"),
                sla=None,
            )
        ]
    )[0]
    assert "7 runs allow no failure" in finding.evidence
    assert finding.numbers["budgets"] == pytest.approx(28.571428)
    assert finding.next_step.startswith("count over 200 days (200 runs); or promise 85.7 %")


def test_owners_are_looked_up_in_the_roster():
    assert said(replace(CLEAN, owner=None)) == [("warn", "nobody owns its promises")]
    assert said(CLEAN, roster={"Ben"}) == [("fail", "owner 'Ana' is not in the roster")]
    assert said(replace(CLEAN, owner=None), owners={"t": "Ana"}, roster={"Ana"}) == []


BUDGETS = [
    ("freshness", "< 2 hours for 99.5%", "0.5% = 3.6 hours/month", []),
    ("freshness", "< 2 hours", "0.5% = 3.6 hours/month", []),
    ("freshness", "< 2 hours for 99%", "0.5% = 3.6 hours/month", ["the target leaves 1 %"]),
    ("freshness", "< 2 hours", "0.5% = 36 hours/month", ["not 1 day, 12:00:00"]),
    ("pipeline_success_rate", "> 95%", "5% = 36 hours/month", ["no run costs hours"]),
    ("pipeline_success_rate", "> 95%", "1%", ["the target leaves 5 %"]),
]


@pytest.mark.parametrize(("sli", "words", "text", "parts"), BUDGETS)
def test_the_budget_text_agrees_with_the_target(sli, words, text, parts):
    promise = slo.SLO(
        "t",
        sli,
        slo.parse(words),
        owner="Ana",
        budget=slo.parse_budget(text),
    )
    found = said(promise)
    assert len(found) == len(parts)
    assert all(part in evidence for part, (_, evidence) in zip(parts, found, strict=True))


def test_a_tier_1_table_without_an_objective_is_unknown_not_ok():
    found = said(replace(CLEAN, tier=1))
    assert found == [("unknown", "no objective")] * 3


# ---- deadlines


def test_a_deadline_is_an_age_past_the_moment_the_table_is_due():
    promise = slo.parse("before 07:00 Europe/Berlin for 99% of days (30-day rolling)")
    assert (promise.kind, promise.target) == ("age", Decimal("0.99"))
    summer, winter = datetime(2026, 7, 1, 4, tzinfo=UTC), datetime(2026, 1, 5, 5, 30, tzinfo=UTC)
    assert promise.due_at(summer).limit == HOUR  # due at 06:00 in Berlin
    assert promise.due_at(winter).limit == 0.5 * HOUR  # due at 06:30
    assert promise.due_at(datetime(2026, 1, 5, 6, tzinfo=UTC)).limit == 24 * HOUR  # due when late
    assert slo.parse(str(promise)) == promise


@pytest.mark.parametrize("text", ["before 25:00 Europe/Berlin", "before 07:00 Berlin", "before 7"])
def test_a_deadline_without_a_time_of_day_and_a_zone_is_refused(text):
    with pytest.raises(TargetError, match="before 07:00 Europe/Berlin"):
        slo.parse(text)


def test_an_sla_without_a_share_has_that_of_the_files_budget():
    text = """
slos:
  - name: t
    freshness: {slo: "< 2 hours", sla: "< 4 hours"}
    error_budget_monthly: "0.5% = 3.6 hours/month"
"""
    (promise,) = slo.loads(text)
    assert (promise.target, promise.sla_target) == (Decimal("0.995"), Decimal("0.995"))
    (bare,) = slo.loads(text.replace('    error_budget_monthly: "0.5% = 3.6 hours/month"\n', ""))
    assert (bare.target, bare.sla_target) == (None, None)


@pytest.mark.parametrize(
    ("calendar", "as_of", "days"),
    [("month", date(2026, 3, 3), 29), ("month", date(2026, 3, 1), 0), ("week", date(2026, 3, 3), 6),
     ("quarter", date(2026, 2, 1), 59), ("year", date(2026, 12, 31), 1)],
)  # fmt: skip
def test_the_rest_of_a_calendar_period_begins_at_as_of(calendar, as_of, days):
    assert Period(calendar=calendar).rest(as_of, "UTC").duration == timedelta(days=days)
    assert not Period(days=30).rest(as_of, "UTC").duration
