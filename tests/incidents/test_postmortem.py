"""Postmortems: what is computed is right, what people write is checked, causes stay with people."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dataops_lib.finding import Finding
from dataops_lib.incidents import incident, postmortem, postmortem_lint
from dataops_lib.teams import history
from dataops_lib.teams.models import Consumer, Person

GOLDEN = Path(__file__).parent / "golden" / "postmortem.md"
SIX = datetime(2026, 4, 19, 6, tzinfo=UTC)
FIVE_SECTIONS = [
    "Summary",
    "Timeline",
    "Root Cause Analysis (5-Why)",
    "Action Items",
    "Blameless Retrospective",
]

# The article's example: its times, tables, whys, actions and owners, filled into its own form.
ARTICLE = """\
# Incident Postmortem: daily_orders_pipeline 2026-04-19

## Summary
- Severity: P1
- Duration: 2026-04-19 06:00 - 07:10 (1 hours 10 minutes)
- Affected scope: fct_orders, Revenue Dashboard, X ML model
- Root cause: the type of user_id changed at the source

## Timeline
| Time  | Event |
|-------|-------|
| 06:00 | Alert: the pipeline failed |
| 06:05 | Triage begins |
| 06:20 | Schema change at the source found |
| 06:45 | Pipeline patched and run again |
| 07:10 | Everything downstream verified |

## Root Cause Analysis (5-Why)
1. Why did the pipeline fail?
   → user_id in the source table went from INT to VARCHAR
2. Why was that not detected before?
   → The data contract with the source team has no policy for schema changes
3. Why was the contract incomplete?
   → It did not define a breaking change when it was written

## Action Items
| Action | Owner | Deadline |
|--------|-------|----------|
| Add schema change policy to data contract | Kim | 2026-04-26 |
| Add automated source schema drift monitor | Lee | 2026-05-03 |
| Agree on Breaking Change process with source team | Park | 2026-05-10 |

## Blameless Retrospective
- What went well: the impact was assessed quickly
- What to improve: watch for schema changes automatically
"""

GOOD = """\
# Incident Postmortem: daily_orders_pipeline 2026-04-19

## Summary
- Severity: P1
- Duration: 2026-04-19T06:00+00:00 - 2026-04-19T07:10+00:00 (1 hour 10 minutes)
- Affected scope: 2 tables, 1 dashboard
- Root cause: a type changed at the source and no contract was checked before the load

## Timeline
| Time | Event | Source |
|---|---|---|
| 2026-04-18T06:04+00:00 | Last good publication | run history |
| 2026-04-19T06:00+00:00 | Alert: the pipeline failed | alert log |
| 2026-04-19T07:10+00:00 | Everything downstream verified | run history |

## Root Cause Analysis (5-Why)
### What made it possible?
1. Why did the run fail?
   → user_id arrived as VARCHAR
2. Why did it arrive so?
   → The source changed it in release 4.2
3. Why did the change reach us unannounced?
   → The contract names no breaking change
### What hid it?
1. Why was it seen only in the run?
   → No check compares the source with the contract
2. Why is there no such check?
   → The contract is prose that no machine reads

## Action Items
| Action | Type | Owner | Deadline | Done when |
|---|---|---|---|---|
| Write the contract as a file | prevent | Kim | 2026-04-26 | CI reads it |
| Compare the source schema before each load | detect | Lee | 2026-05-03 | a planted one alerts |
| Agree on breaking changes with the source | prevent | Park | 2026-05-10 | both signed the file |

## Blameless Retrospective
- What went well: the alert named the column
- What to improve: schema changes are found in the run
- Where we got lucky: it was a Sunday
"""


def rules(text, **context):
    return [
        problem.rule for problem in postmortem_lint.lint(text, postmortem_lint.Context(**context))
    ]


def messages(text, rule, **context):
    found = postmortem_lint.lint(text, postmortem_lint.Context(**context))
    return [problem.message for problem in found if problem.rule == rule]


def with_line(section, line):
    """The good postmortem with one more line below a heading."""
    return GOOD.replace(f"## {section}\n", f"## {section}\n{line}\n")


# -- times


def test_the_articles_timeline_gives_5_20_45_and_70_minutes():
    marks = {0: "detected", 5: "acknowledged", 20: "diagnosed", 45: "repaired", 70: "verified"}
    rows = [postmortem.Row(SIX + timedelta(minutes=m), "", "", mark) for m, mark in marks.items()]
    found = postmortem.milestones(reversed(rows))
    assert {mark: span // timedelta(minutes=1) for mark, span in found.items()} == {
        "acknowledged": 5,
        "diagnosed": 20,
        "repaired": 45,
        "verified": 70,
    }


def test_a_milestone_without_a_row_is_not_known():
    alert = postmortem.Row(SIX, "", "", "detected")
    later, repaired = (postmortem.Row(SIX + timedelta(hours=h), "", "", "repaired") for h in (2, 1))
    assert postmortem.milestones([later]) == {}
    assert postmortem.milestones([later, alert, repaired]) == {"repaired": timedelta(hours=1)}


@pytest.mark.parametrize(
    ("start", "end", "zone", "said"),
    [
        ("2026-04-18T23:30", "2026-04-19T00:45", "UTC", "1 hour 15 minutes"),
        ("2013-03-10T06:30", "2013-03-10T07:30", "America/New_York", "1 hour"),
        ("2013-11-03T05:30", "2013-11-03T06:30", "America/New_York", "1 hour"),
        ("2026-04-19T06:00", "2026-04-19T06:00", "UTC", "0 minutes"),
        ("2026-04-19T06:00:50", "2026-04-19T07:00:10", "UTC", "1 hour"),
    ],
)
def test_a_duration_is_the_time_that_really_passed(start, end, zone, said):
    start, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))
    text = postmortem.duration(start, end, zone)
    assert text.endswith(f"({said})")
    assert messages(with_duration(text), "PM02") == []


def with_duration(text):
    return re.sub(r"- Duration: .*", lambda _: f"- Duration: {text}", GOOD)


MINUTES = st.datetimes(datetime(2013, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@settings(max_examples=50, deadline=None)
@given(start=MINUTES, span=st.timedeltas(timedelta(0), timedelta(days=9)))
def test_no_duration_we_write_is_called_wrong(start, span):
    text = postmortem.duration(start, start + span, "Europe/Berlin")
    assert messages(with_duration(text), "PM02") == []


# Key events and stated durations of nine public incident reports: facts of the UK justice
# ministry's cloud platform (github.com/ministryofjustice/cloud-platform, MIT), not its text.
PUBLIC = [
    ("2020-09-21T18:27", "2020-09-21T19:05", "0h 38m", True),
    ("2020-09-21T18:27", "2020-09-21T21:41", "3h 14m", True),
    ("2020-10-06T08:33", "2020-10-06T10:41", "2h 8m", True),
    ("2020-10-06T08:33", "2020-10-06T17:19", "8h 46m", True),
    ("2021-07-12T15:44", "2021-07-12T15:51", "0h 07m", True),
    ("2021-07-12T15:44", "2021-07-13T11:49", "20h 03m", False),
    ("2021-09-04T22:05", "2021-09-05T12:16", "5h 16m", False),
    ("2021-09-04T22:05", "2021-09-05T12:27", "5h 27m", False),
    ("2022-01-22T11:57", "2022-01-22T13:59", "2h 2m", True),
    ("2022-01-22T11:57", "2022-01-22T14:38", "2h 41m", True),
    ("2022-07-11T09:33", "2022-07-11T16:07", "6h 27m", False),
    ("2023-02-02T10:14", "2023-02-02T10:20", "0h 30m", False),
    ("2023-02-02T10:14", "2023-02-02T11:36", "1h 22m", True),
    ("2023-09-18T13:42", "2023-09-18T17:54", "4h 12m", True),
    ("2023-09-18T13:42", "2023-09-20T19:18", "35h 36m", False),
    ("2023-11-01T10:15", "2023-11-03T14:38", "35h 36m", False),
]


@pytest.mark.parametrize(("start", "end", "stated", "right"), PUBLIC)
def test_durations_of_public_reports_are_held_against_their_own_times(start, end, stated, right):
    text = with_duration(f"{start}+00:00 - {end}+00:00 ({stated})")
    assert bool(messages(text, "PM02")) is not right


# -- the draft


def an_incident(**options):
    """The article's incident on a winter day: a blocked table, a skipped one, a read between."""
    day = datetime(2013, 2, 19, 6, tzinfo=UTC)

    def run(table, minutes, status, number, rows=None):
        at = day + timedelta(minutes=minutes)
        done = at + timedelta(minutes=4)
        return {
            "run_id": f"daily_orders_pipeline-20130219T0600Z-{number}",
            "pipeline": "daily_orders_pipeline",
            "table": table,
            "due_at": day,
            "started_at": at,
            "finished_at": done,
            "published_at": done if status == "published" else None,
            "status": status,
            "rows": rows,
            "trigger": "scheduled" if number == 1 else "rerun",
            "planted": "user_id becomes VARCHAR",
        }

    before = run("fct_orders", -24 * 60, "published", 1, 1180) | {
        "due_at": day - timedelta(days=1),
        "run_id": "daily_orders_pipeline-20130218T0600Z-1",
        "planted": None,
    }
    runs = [
        before,
        run("fct_orders", 0, "blocked", 1, 1200),
        run("fct_daily_revenue", 4, "skipped", 1),
        run("fct_orders", 45, "published", 2, 1200),
        run("fct_daily_revenue", 66, "published", 2, 1),
    ]
    promises = [
        incident.Promise(
            "daily_orders_pipeline", table, (day,), timedelta(hours=1), timedelta(hours=4)
        )
        for table in ("fct_orders", "fct_daily_revenue")
    ]
    why = Finding("columns", "fail", "user_id: VARCHAR, not INT; told by Kim | `<b>`", "Ask")
    values = {
        "until": day + timedelta(hours=18),
        "severity": lambda *_: "P1",
        "consumers": TEAM.consumers,
        "findings": {runs[1]["run_id"]: [why]},
    } | options
    (found,) = incident.derive(history.frame(runs, history.RUNS), promises, **values)
    return found


TEAM = SimpleNamespace(
    name="orders",
    zone="America/New_York",
    people=(
        Person(name="Kim", role="data engineer"),
        Person(name="Lee", role="data platform engineer"),
    ),
    consumers=(
        Consumer(name="Revenue Dashboard", table="fct_daily_revenue", reads_at="07:00", zone="UTC"),
        Consumer(name="Planning", table="forecast", reads_at="09:00", zone="UTC"),
    ),
    downstream=lambda name: {
        "fct_orders": ("fct_daily_revenue", "forecast"),
        "fct_daily_revenue": ("forecast",),
    }[name],
)


def test_the_draft_is_the_one_we_read_and_agreed_on():
    text = postmortem.draft(an_incident(), TEAM, budget_used={"fct_daily_revenue": 0.25})
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_the_draft_has_the_articles_sections_in_its_order():
    text = postmortem.draft(an_incident(), TEAM)
    assert re.findall(r"^## (.*)$", text, re.M) == FIVE_SECTIONS
    assert text.startswith("# Incident Postmortem: daily_orders_pipeline 2013-02-19\n")


def test_the_timeline_begins_before_detection_and_each_row_has_time_zone_and_source():
    text = postmortem.draft(an_incident(), TEAM)
    assert not {"PM03", "PM04"} & set(rules(text))
    rows = postmortem.timeline(an_incident())
    first = next(n for n, row in enumerate(rows) if row.mark == "detected")
    assert first > 0
    assert [row.at for row in rows] == sorted(row.at for row in rows)


def test_only_a_p1_has_to_be_reviewed_within_48_hours_of_its_resolution():
    def due(**options):
        text = postmortem.draft(an_incident(**options), TEAM)
        return re.findall(r"- Review due: (.*)", text)

    assert due() == ["2013-02-21T02:10-05:00, 48 hours after resolution"]
    assert due(severity=lambda *_: "P2") == ["by choice, below P1"]
    assert due(until=datetime(2013, 2, 19, 6, 30, tzinfo=UTC)) == ["48 hours after resolution"]


def test_a_fresh_draft_lints_only_for_what_people_have_to_write():
    assert set(rules(postmortem.draft(an_incident(), TEAM))) == {"PM10", "PM12", "PM16"}


def test_the_draft_names_no_person_not_even_from_a_log():
    text = postmortem.draft(an_incident(), TEAM)
    assert "Kim" not in text
    assert "told by the data engineer" in text


def test_the_affected_scope_is_exactly_what_is_built_and_read_downstream():
    text = postmortem.draft(an_incident(), TEAM)
    (scope,) = re.findall(r"- Affected scope: (.*)", text)
    assert scope == (
        "tables fct_orders, fct_daily_revenue; built from them forecast; "
        "read by Revenue Dashboard, Planning"
    )


def test_what_is_not_known_is_said_and_not_zero():
    open_end = an_incident(until=datetime(2013, 2, 19, 6, 30, tzinfo=UTC))
    text = postmortem.draft(open_end, TEAM)
    assert "not resolved at 2013-02-19T01:30-05:00" in text
    assert "| Rows that came late | not known |" in text
    assert "fct_orders not known" in text  # the budget
    assert "| Time until acknowledged | not known |" in text


HOSTILE = "a | b `c` <script>alert(1)</script> ![x](http://e) [l](javascript:1)\n# H\n| z |"


def test_text_of_others_stays_text():
    base = an_incident()
    hurt = replace(
        base,
        pipeline=HOSTILE,
        planted=HOSTILE,
        signs=(replace(base.signs[0], text=HOSTILE, source=HOSTILE),),
        findings=(Finding(HOSTILE, "fail", HOSTILE, ""),),
    )
    text = postmortem.draft(hurt, TEAM)
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert not re.search(r"<script|<img|<a |<code", html)
    assert re.findall(r"^## (.*)$", text, re.M) == FIVE_SECTIONS
    widths = {row.count("<td") for row in html.split("<tr>") if "<td" in row}
    assert widths == {2, 3, 5}


@settings(max_examples=30, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_stays_in_its_cell(text):
    base = an_incident()
    hurt = replace(base, signs=(replace(base.signs[0], text=text, source=text),))
    drafted = postmortem.draft(hurt, TEAM)
    html = MarkdownIt("commonmark").enable("table").render(drafted)
    assert {row.count("<td") for row in html.split("<tr>") if "<td" in row} == {2, 3, 5}
    assert drafted.count("\n## ") == 5


# -- the lint


def test_the_articles_own_example_is_linted():
    assert [(p.rule, p.line, p.message) for p in postmortem_lint.lint(ARTICLE)] == [
        ("PM02", 5, "the duration has no zone"),
        ("PM13", 6, "no number says how large the impact was"),
        ("PM03", 12, "no column names the source of each row"),
        ("PM03", 12, "times have no zone"),
        ("PM04", 12, "the timeline begins with the detection"),
        ("PM12", 18, "3 whys; go on to five or more"),
        ("PM12", 18, "a single chain of whys"),
        ("PM11", 29, "no column says whether an action prevents or detects"),
        ("PM10", 31, '"Agree on Breaking Change process with s…" has no end condition'),
        ("PM14", 33, "nothing says where luck helped"),
    ]


def test_a_good_postmortem_has_no_problem():
    names = ("Kim", "Lee", "Park")
    assert postmortem_lint.lint(GOOD, postmortem_lint.Context(names=names)) == []


def test_every_rule_has_a_reason_a_hint_and_a_source():
    known = postmortem_lint.load_rules()
    assert sorted(known["rules"]) == [f"PM{n:02}" for n in range(1, 18)]
    for about in known["rules"].values():
        assert about["name"] and about["why"] and about["fix"]
        assert about["source"] in known["sources"]


@pytest.mark.parametrize("section", ["Timeline", "Action Items", "Summary"])
def test_a_missing_section_is_named(section):
    text = GOOD.replace(f"## {section}\n", "## Other\n")
    assert "PM01" in rules(text)


@pytest.mark.parametrize(
    ("duration", "message"),
    [
        ("2026-04-19T06:00+00:00 - 2026-04-19T07:10+00:00 (2 hours)", "apart"),
        ("2026-04-19T23:30+00:00 - 00:40 (1 hour 10 minutes)", "no zone"),
        ("2026-04-19 23:30 UTC - 00:40 UTC (1 hour 10 minutes)", "its own date"),
        ("2013-03-10T01:30-05:00 - 2013-03-10T03:30-04:00 (2 hours)", "1 hour apart"),
    ],
)
def test_a_duration_that_does_not_add_up_is_found(duration, message):
    assert any(message in found for found in messages(with_duration(duration), "PM02"))


def test_a_timeline_out_of_order_or_without_a_source_is_found():
    swapped = GOOD.replace("2026-04-18T06:04+00:00 |", "2026-04-19T06:30+00:00 |")
    assert messages(swapped, "PM03") == ["the row is earlier than the one above, or lacks a date"]
    empty = GOOD.replace("verified | run history |", "verified | |")
    assert messages(empty, "PM03") == ["the row has no source"]
    odd = GOOD.replace("| 2026-04-18T06:04+00:00 |", "| in the morning |")
    assert messages(odd, "PM03") == ['"in the morning" is not a time']


@pytest.mark.parametrize("zone", ["All times in UTC.", "**Timezone**: CET", "Europe/Berlin"])
def test_a_zone_may_stand_once_above_the_timeline(zone):
    local = re.sub(r"\| 2026-04-1(\d)T(\d\d:\d\d)\+00:00", r"| 2026-04-1\1 \2", GOOD)
    assert messages(local, "PM03") == ["times have no zone"]
    assert messages(local.replace("## Timeline\n", f"## Timeline\n{zone}\n\n"), "PM03") == []


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("PM05", "The schema should have been checked."),
        ("PM05", "It could have caught this."),
        ("PM05", "If only the alert had fired."),
        ("PM05", "It was late. Had the reviewer opened the diff, it would show."),
        ("PM06", "The on-call engineer failed to notice the alert."),
        ("PM06", "One of the engineers forgot the flag."),
        ("PM06", "He wasn't fully aware of the workspace."),
        ("PM06", "Nobody checked the contract."),
        ("PM06", "They did not test the migration."),
        ("PM07", "The cause was human error."),
        ("PM07", "The table was dropped by mistake."),
    ],
)
def test_language_of_blame_and_hindsight_is_found(rule, sentence):
    assert rule in rules(with_line("Summary", sentence))


@pytest.mark.parametrize(
    "sentence",
    [
        "The canary app should have an alert after 2 minutes.",
        "Users could not reach the dashboard.",
        "The team missed the SLO by 20 minutes.",
        "The job failed to start, the check did not run.",
        "The bug had been there from the beginning.",
        "They had the table restored at 07:10.",
        "This is a blameless review.",
        "Multiple services might be affected.",
    ],
)
def test_plain_statements_are_left_alone(sentence):
    assert rules(with_line("Summary", sentence)) == []


@pytest.mark.parametrize(
    "action", ["Remember to rerun the job", "Double-check the schema", "Be more careful in reviews"]
)
def test_vigilance_is_not_an_action(action):
    text = GOOD.replace("Write the contract as a file", action)
    assert "PM08" in rules(text)
    assert "PM08" not in rules(with_line("Summary", action))


def test_names_are_found_in_causes_but_owners_may_be_named():
    text = with_line("Root Cause Analysis (5-Why)", "Kim changed the type.")
    assert messages(text, "PM09", names=("Kim", "Lee", "Park")) == ['a personal name: "Kim"']
    assert messages(text, "PM06", names=("Kim", "Lee", "Park")) == []
    blamed = text.replace("changed the type", "forgot the policy")
    assert messages(blamed, "PM06", names=("Kim", "Lee", "Park"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("| Kim |", "| |", "has no owner"),
        ("| Kim |", "| the team |", "is not in the roster"),
        ("| Kim |", "| Kim, Lee |", "has several owners"),
        ("| Kim |", "| TBD |", "has no owner"),
        ("2026-04-26", "soon", "has no date"),
        ("2026-04-26", "2026-02-30", "has no date"),
        ("2026-04-26", "2026-04-01", "is due before the incident"),
        ("Write the contract as a file", "Better contracts", "does not begin with a verb"),
        ("Write the contract as a file", "Monitoring of types", "does not begin with a verb"),
        ("| both signed the file |", "| |", "has no end condition"),
    ],
)
def test_an_action_needs_owner_date_verb_and_end(old, new, message):
    names = ("Kim", "Lee", "Park")
    found = messages(GOOD.replace(old, new), "PM10", names=names)
    assert len(found) == 1 and message in found[0]


def test_actions_in_a_list_are_read_as_well():
    text = re.sub(r"## Action Items\n(\|.*\n)+", "## Action Items\n- Improve alerts\n", GOOD)
    assert messages(text, "PM10") == [
        '"Improve alerts" has no date',
        '"Improve alerts" has no end condition',
        '"Improve alerts" has no owner',
    ]


def test_actions_of_one_type_only_are_found():
    text = GOOD.replace("| detect |", "| prevent |")
    assert messages(text, "PM11") == ["all are prevent; nothing is detect or mitigate"]


def test_a_chain_that_ends_in_a_person_is_found():
    text = GOOD.replace("The contract names no breaking change", "The reviewer was new")
    assert messages(text, "PM12") == ['the chain ends in a person: "reviewer"']


def test_a_list_of_contributing_factors_needs_no_chain():
    factors = "## Contributing Factors\n- No check of types\n- No policy in the contract\n"
    text = re.sub(r"## Root Cause(.|\n)*?(?=## Action)", factors, GOOD)
    assert rules(text) == []


@pytest.mark.parametrize(("hours", "late"), [(48, []), (49, ["PM15"])])
def test_a_p1_is_written_down_within_48_hours_of_its_resolution(hours, late):
    resolved = SIX + timedelta(minutes=70)
    written = resolved + timedelta(hours=hours)
    assert rules(GOOD, written_at=written) == late
    assert rules(GOOD.replace("Severity: P1", "Severity: P2"), written_at=written) == []


@pytest.mark.parametrize("left", ["TBD", "[to write: cause]", "P1 / P2 / P3", "(one-line summary)"])
def test_text_of_the_template_is_found(left):
    assert "PM16" in rules(with_line("Summary", left))


def test_a_comment_allows_a_rule_on_its_line_the_next_line_or_everywhere():
    blame = "It should have been checked."
    same = with_line("Summary", f"{blame} <!-- lint: allow PM05 -->")
    following = with_line("Summary", f"<!-- lint: allow PM05, PM07 -->\n{blame}")
    everywhere = "<!-- lint: allow PM05 -->\n" + with_line("Summary", blame)
    other = with_line("Summary", f"{blame} <!-- lint: allow PM06 -->")
    below = with_line("Summary", f"<!-- lint: allow PM05 -->\nfine\n{blame}")
    assert [rules(text) for text in (same, following, everywhere)] == [[], [], []]
    assert [rules(text) for text in (other, below)] == [["PM05"], ["PM05"]]


def test_code_is_not_read_as_prose():
    text = with_line("Summary", "```\nraise Error('should have been checked')\n```")
    assert rules(text) == []


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet=st.sampled_from("#|-> 1.:\nPM0a[]`<!Why→T+"), max_size=200))
def test_no_text_breaks_the_lint(text):
    for problem in postmortem_lint.lint(text):
        assert problem.line >= 1
        assert problem.fix


# -- the ledger


def action(n, due, closed=None, factor=""):
    return postmortem.Action(
        f"i{n}",
        "Add a check",
        "Kim",
        date.fromisoformat(due),
        date.fromisoformat(closed) if closed else None,
        factor,
    )


def test_the_ledger_counts_what_was_closed_in_time_and_what_comes_back():
    actions = [
        action(1, "2026-05-01", "2026-04-30", "no contract"),
        action(1, "2026-05-01", "2026-05-09"),
        action(2, "2026-05-01", None, "no contract"),
        action(3, "2026-06-01"),
    ]
    found = postmortem.ledger(actions, date(2026, 5, 10))
    assert (found.status, found.evidence) == (
        "fail",
        "1 of 3 closed by their date, 1 overdue; came back: no contract",
    )
    assert found.numbers["repeats"] == {"no contract": 2}
    assert postmortem.ledger(actions[:1], date(2026, 5, 10)).status == "ok"
    assert postmortem.ledger(actions[3:], date(2026, 5, 10)).status == "unknown"


def test_one_overdue_in_five_is_a_warning_and_more_is_a_fail():
    closed = [action(n, "2026-05-01", "2026-05-01") for n in range(4)]
    as_of = date(2026, 5, 10)
    assert postmortem.ledger([*closed, action(9, "2026-05-01")], as_of).status == "warn"
    assert postmortem.ledger([*closed[1:], action(9, "2026-05-01")], as_of).status == "fail"


def test_a_finding_of_several_attempts_is_told_once_with_their_number():
    once = an_incident()
    thrice = replace(once, findings=once.findings * 3)
    found = [line for line in postmortem.draft(thrice, TEAM).splitlines() if "- Found:" in line]
    assert len(found) == 1
    assert found[0].endswith(" (3 attempts)")


def test_a_role_is_text_and_no_reference_to_a_group():
    people = [Person(name="Ana", role=r"\1 \g<0>")]
    assert postmortem._safe("Ana was paged", people).startswith("the \\\\1 ")


LENGTHS = ["1 h 30 min", "1.5 hours", "90 minutes", "about an hour", "1h 30m"]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_of_time_is_read_however_it_is_written(length):
    times = f"- Duration: 2026-02-20T06:00Z - 2026-02-20T07:30Z ({length})"
    assert "PM02" not in {weakness.rule for weakness in postmortem.lint(f"# I\n\n{times}\n")}
    wrong = times.replace("07:30", "07:31")
    hit = "PM02" in {weakness.rule for weakness in postmortem.lint(f"# I\n\n{wrong}\n")}
    assert hit == ("about" not in length)


def test_weeks_and_thousands_of_hours_are_lengths():
    for end, length in (("02-27T06:00Z", "1 week"), ("04-12T06:05Z", "1,224 hours 5 minutes")):
        text = f"# I\n\n- Duration: 2026-02-20T06:00Z - 2026-{end} ({length})\n"
        assert "PM02" not in {weakness.rule for weakness in postmortem.lint(text)}


def test_a_name_that_is_a_month_is_a_person_only_where_no_date_stands_beside_it():
    context = postmortem.Context(names=("May", "Ana"))
    for text, person in (
        ("May went to lunch.", True),
        ("In May 2026 the vendor moved.", False),
        ("It came on 3 May.", False),
        ("Since May it fails.", False),
        ("The page went to May.", True),
    ):
        weak = postmortem.lint(f"# I\n\n## Summary\n\n{text}\n", context)
        assert ("PM09" in {weakness.rule for weakness in weak}) == person, text
