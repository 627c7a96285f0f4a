"""The loop back: records of others join a timeline, causes are a graph, actions have a file."""

import contextlib
import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from conftest import CLONE
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from dataops_lib.chart_style import alt_text
from dataops_lib.cli.main import app
from dataops_lib.errors import TeamError, UsageError
from dataops_lib.evidence import Observed, incidents
from dataops_lib.incidents import actions, causes, charts, headlines, postmortem, timeline
from dataops_lib.incidents.postmortem import Action, Row
from dataops_lib.teams.git_log import Commit
from dataops_lib.teams.models import Person

TEAMS = CLONE / "data" / "teams"
GOOD = TEAMS / "orders" / "postmortems" / "daily_orders_pipeline-20130219T0600Z.md"
POOR = TEAMS / "orders" / "postmortems" / "daily_orders_pipeline-20130117T0600Z.md"
FLIGHTS = TEAMS / "flights" / "postmortems" / "daily_flights-20130212T1100Z.md"


@pytest.fixture(scope="module")
def observed(orders):
    return Observed(orders.load())


@pytest.fixture(scope="module")
def one(observed):
    return next(i for i in incidents.derive(observed) if "type change" in (i.planted or ""))


# ---- timeline


def test_a_chat_export_joins_with_roles_for_names_and_marks_for_milestones():
    kim = Person(name="Kim", role="data engineer")
    slack = '[{"ts": "1360303200.5", "text": "Kim: types differ #diagnosed"}, {"subtype": "join"}]'
    (row,) = timeline.chat(slack, [kim])
    assert row.event == "the data engineer: types differ"
    assert (row.mark, row.at) == ("diagnosed", datetime(2013, 2, 8, 6, 0, 0, 500000, tzinfo=UTC))
    (row,) = timeline.chat("at,text\n2013-02-08T07:10+01:00,all green #verified\n")
    assert (row.event, row.mark, row.at.hour) == ("all green", "verified", 6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("when,what\n", "chat:1: has no columns at and text"),
        ("at,text\nyesterday,x\n", "chat:2: 'yesterday' is not a time"),
        ("at,text\n2013-02-08T07:10,x\n", "chat:2: '2013-02-08T07:10' is a time without zone"),
        ("[{", "chat: is not JSON"),
        ('[{"text": "x"}]', "chat: message 1 has no time `ts`"),
    ],
)
def test_a_message_that_cannot_be_placed_is_named(text, message):
    with pytest.raises(UsageError) as error:
        timeline.chat(text)
    assert message in str(error.value)


@given(st.text(max_size=200))
def test_an_unknown_export_is_read_or_refused(text):
    with contextlib.suppress(UsageError):
        timeline.chat(text)


@given(st.text(max_size=200), st.sampled_from(["", "incident,action,owner,due\n"]))
def test_an_unknown_file_of_actions_is_read_or_refused(text, head):
    with contextlib.suppress(TeamError):
        actions.loads(head + text)


def test_deploys_of_the_day_before_join_and_later_ones_do_not(one):
    def commit(hours, **more):
        at = one.started_at - timedelta(hours=hours)
        return Commit(at, ("Kim", "kim@example.com"), ("pipelines/a.sql",), id="ab" * 20,
                      subject="Cast user_id", **more)  # fmt: skip

    rows = timeline.deploys([commit(2), commit(25), commit(-99), commit(1, merges=True)], one)
    assert [(row.event, row.source) for row in rows] == [
        ("Deployed: Cast user_id", "commit abababab")
    ]


def test_what_people_remember_has_its_place_in_the_draft(observed, one):
    found = one.detected_at + timedelta(minutes=10)
    rows = timeline.marked([f"diagnosed={found.isoformat()}", "verified=2013-02-08T07:10Z"])
    text = postmortem.draft(one, observed.team, more=rows)
    assert "| Time until diagnosed | 10 minutes |" in text
    assert "Diagnosed, as people remember it" in text
    early = timeline.marked([f"acknowledged={one.started_at.isoformat()}"])
    text = postmortem.draft(one, observed.team, more=early)
    assert "| Time until acknowledged | before it was detected |" in text
    with pytest.raises(UsageError, match="marks nothing; write one of detected"):
        timeline.marked(["fixed=2013-02-08T07:10Z"])


def test_rows_of_another_week_are_left_out_and_twins_told_once(one):
    rows = [Row(one.started_at, "a", "b"), Row(one.started_at, "a", "b")]
    rows.append(Row(one.started_at - timedelta(days=3), "a", "b"))
    assert timeline.within(rows, one) == (rows[0],)


# ---- causes


def test_the_causes_of_a_postmortem_are_a_graph_of_several_branches():
    named = causes.read(GOOD.read_text(encoding="utf-8"))
    assert [len(branch.whys) for branch in named.branches] == [3, 2, 1]
    assert len(named.factors) == 3
    assert headlines.causes(named) == "6 of 6 whys answered, on 3 branches"
    ax = charts.causes(named, "fct_orders was not published")
    assert ax.get_title() == headlines.causes(named)
    boxes = {text.get_text().replace("\n", " ") for text in ax.texts}
    assert "What made it possible?" in boxes
    assert "What made recovery slow?" in alt_text(ax.figure)


def test_an_unwritten_or_single_chain_says_so(observed, one):
    draft = causes.read(postmortem.draft(one, observed.team))
    assert headlines.causes(draft) == "0 of 3 whys answered, on 3 branches"
    assert draft.factors == ()
    article = causes.read((CLONE / "data" / "playbook" / "article_postmortem.md").read_text())
    assert (
        headlines.causes(article) == "3 of 3 whys answered, on 1 branch only: look for another one"
    )
    assert headlines.causes(causes.read("# nothing")) == "Nobody has named a cause yet"
    assert charts.causes(causes.read(""), "x").get_title() == "nobody has named a cause yet"


@given(st.text(alphabet="#1. -[]towrie\n?→Whycaus", max_size=120))
def test_any_text_has_causes_or_none(text):
    causes.read(text)


# ---- actions


ROW = "a,Count files,data lead,2013-02-26,,no count\n"
HEAD = "incident,action,owner,due,closed,factor\n"


def test_actions_have_a_file_and_go_out_as_tickets():
    read = actions.loads(HEAD + ROW + 'b,"=cmd, x",lead,2013-03-09,2013-03-01,\n')
    assert read[0] == Action("a", "Count files", "data lead", date(2013, 2, 26), None, "no count")
    rows = list(csv.DictReader(io.StringIO(actions.tickets(read, date(2013, 3, 2)))))
    assert [row["status"] for row in rows] == ["overdue", "done"]
    assert rows[1]["summary"] == "'=cmd, x"  # no formula of a spreadsheet
    assert [action.incident for action in actions.open_at(read, date(2013, 3, 1))] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("incident,action,due\n", "actions.csv:1: owner: is missing"),
        ("incident,action,owner,due,who\n", "actions.csv:1: who: is not a known column"),
        (HEAD + ROW.replace("data lead", ""), "actions.csv:2: owner: is empty"),
        (HEAD + ROW.replace("2013-02-26", "26.2."), "actions.csv:2: due: is '26.2.', but a date"),
        (HEAD + ROW.replace(",,", ",soon,"), "actions.csv:2: closed: is 'soon', but a date"),
    ],
)
def test_a_mistake_of_the_file_is_named_with_its_line(text, message):
    with pytest.raises(TeamError) as error:
        actions.loads(text)
    assert message in str(error.value)


def test_the_examples_ledger_has_an_overdue_action_and_a_factor_that_came_back():
    read = actions.loads((TEAMS / "flights" / "actions.csv").read_text())
    finding = postmortem.ledger(read, date(2013, 3, 1))
    assert finding.numbers["overdue"] == 1
    assert "came back: no count of files" in finding.evidence


def test_the_columns_of_actions_are_documented_in_their_order():
    import re

    readme = (CLONE / "data" / "README.md").read_text(encoding="utf-8")
    section = readme.split("\n## actions.csv\n")[1].split("\n## ")[0]
    assert re.findall(r"(?m)^\| `(\w+)` \|", section) == list(actions.COLUMNS)


# ---- the examples and the command


def test_two_postmortems_of_the_examples_are_good_and_one_is_deliberately_poor():
    for path in (GOOD, FLIGHTS):
        assert postmortem.lint(path.read_text(encoding="utf-8")) == [], path
    rules = {weakness.rule for weakness in postmortem.lint(POOR.read_text(encoding="utf-8"))}
    assert len(rules) >= 11
    assert "PM17" in rules


@pytest.mark.parametrize(
    ("count", "weak"), [(0, True), (1, True), (2, False), (5, False), (6, True)]
)
def test_two_to_five_contributing_factors_are_asked_for(count, weak):
    factors = "\n".join(f"- a condition {n}" for n in range(count))
    text = f"# I\n\n## Root cause\n\n### Contributing factors\n\n{factors}\n"
    assert ("PM17" in {w.rule for w in postmortem.lint(text)}) is weak


def test_the_command_writes_a_draft_and_never_touches_what_people_wrote(orders, one, tmp_path):
    def run(*words):
        return CliRunner().invoke(
            app, ["postmortem", "orders", *words, "--teams-dir", str(orders.root)]
        )

    listed = run().stdout
    assert one.id in listed
    path = orders.folder / "postmortems" / f"{one.id}.md"
    path.unlink(missing_ok=True)
    assert run(one.id).stdout.strip() == str(path)
    assert run(one.id).stdout.strip().endswith("nothing has changed")
    written = path.read_text().replace("- Root cause: [to write", "- Root cause: a type [x", 1)
    path.write_text(written)
    (tmp_path / "chat.csv").write_text(f"at,text\n{one.detected_at.isoformat()},Kim looks\n")
    out = run(one.id, "--chat", str(tmp_path / "chat.csv")).stdout
    assert "-- Root cause: a type [x" in out
    assert "the data engineer looks" in out
    assert "is left as it is; the draft stands beside it" in out
    assert path.read_text() == written
    assert path.with_suffix(".draft.md").is_file()
    assert "there are: " in str(run("x").exception)
    tickets = run("--tickets", str(tmp_path / "t.csv"))
    assert (tmp_path / "t.csv").is_file(), tickets.exception
