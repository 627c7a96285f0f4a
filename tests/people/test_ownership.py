"""Who can stand in for whom, on the example team and on what was changed in it."""

from datetime import UTC, datetime

import pytest

from dataops_lib import teams
from dataops_lib.people import headlines, load_model, ownership
from dataops_lib.runbooks import coverage
from dataops_lib.teams.git_log import Commit, Log
from dataops_lib.teams.people_file import PeopleFile

MODEL = load_model()
AT = datetime(2013, 2, 1, tzinfo=UTC)


@pytest.fixture
def team(flights):
    return flights.load()


def by_name(held):
    return {holding.name: holding for holding in held}


def commits(author, path, count):
    return [Commit(AT, (author, f"{author}@example.com"), (path,)) for _ in range(count)]


def test_owner_and_responsible_hold_a_table_and_its_pipeline(team):
    held = by_name(ownership.holdings(team, MODEL))
    assert held["fct_flights"].people == {"Ana", "Chen"}
    assert held["fct_carrier_delays"].people == {"Ben"}
    assert held["daily_flights"].people == {"Ana", "Ben", "Chen"}
    assert held["daily_flights"].tier == 1


def test_two_commits_to_a_contract_make_a_holder_and_one_does_not(team):
    path = "contracts/fct_carrier_delays.yaml"
    log = Log(tuple(commits("Eva", path, 2) + commits("Dora", path, 1)))
    held = by_name(ownership.holdings(team, MODEL, log))
    assert held["fct_carrier_delays"].people == {"Ben", "Eva"}


def test_authors_who_left_the_roster_hold_nothing(team):
    log = Log(tuple(commits("Zoe", "contracts/fct_carrier_delays.yaml", 9)))
    held = by_name(ownership.holdings(team, MODEL, log))
    assert held["fct_carrier_delays"].people == {"Ben"}


def test_a_skill_is_held_from_the_grade_on_with_which_one_can_stand_in(team):
    held = by_name(ownership.holdings(team, MODEL))
    assert held["python_basics"].people == {"Ana", "Chen"}  # Ben and Eva have only seen it
    assert held["cloud_cost"].bus_factor == 0


def test_without_people_yaml_skills_are_unknown_and_not_zero(team):
    bare = team.model_copy(update={"roles": None, "rota": None})
    held = ownership.holdings(bare, MODEL)
    skills = [h for h in held if h.kind in ("skill", "on-call")]
    assert {h.bus_factor for h in skills} == {None}
    assert not [h for h in ownership.at_risk(held) if h.kind == "skill"]


def test_what_hangs_on_one_person_is_named_with_tables_of_tier_1_first(team):
    bare = team.model_copy(update={"roles": None})
    names = [h.name for h in ownership.at_risk(ownership.holdings(bare, MODEL))]
    assert names[:3] == ["fct_daily_departures", "fct_flights", "fct_carrier_delays"]
    assert headlines.thin(ownership.at_risk(ownership.holdings(team, MODEL))) == (
        "One person alone holds fct_carrier_delays"
    )


def test_a_leave_uncovers_what_only_that_person_held_and_raises_the_share_on_call(team):
    held = ownership.holdings(team, MODEL)
    count = len(set(team.rota["person"]))
    before, after = ownership.what_if(held), ownership.what_if(held, leaving=["Ben"])
    assert after.uncovered == ("fct_carrier_delays",)
    assert before.on_call_share == pytest.approx(2 / count)
    assert after.on_call_share == pytest.approx(2 / (count - 1))
    hired = ownership.what_if(held, leaving=["Ben"], hires=1)
    assert (hired.uncovered, hired.on_call_share) == (after.uncovered, before.on_call_share)


def test_fewer_people_than_layers_are_always_on_call(team):
    held = ownership.holdings(team, MODEL)
    everybody = set(team.rota["person"])
    assert ownership.what_if(held, leaving=everybody).on_call_share == 1.0


def raci(team, text):
    roles = PeopleFile.model_validate({"raci": text})
    return {f.subject: f for f in ownership.judge_raci(team.model_copy(update={"roles": roles}))}


@pytest.mark.parametrize(
    ("raci_of_table", "status", "words"),
    [
        ({"accountable": ["Ana"], "responsible": ["Ben"]}, "ok", "Ana is accountable"),
        ({"accountable": ["Ana"]}, "warn", "nobody else is named responsible"),
        ({"accountable": []}, "fail", "accountable: nobody"),
        ({"accountable": ["Ana", "Ben"]}, "fail", "accountable: Ana, Ben"),
        ({"accountable": ["Ben"]}, "fail", "people.yaml says Ben, team.yaml says Ana"),
    ],
)
def test_each_table_has_exactly_one_accountable_who_is_its_owner(
    team, raci_of_table, status, words
):
    finding = raci(team, {"fct_flights": raci_of_table})["fct_flights"]
    assert finding.status == status
    assert words in finding.evidence


def test_an_owner_who_left_is_found(team):
    people = tuple(person for person in team.people if person.name != "Ben")
    findings = ownership.judge_raci(team.model_copy(update={"people": people, "roles": None}))
    assert [f.subject for f in findings if f.status == "fail"] == ["fct_carrier_delays"]


def test_a_table_that_others_read_without_a_contract_is_listed(team):
    assert ownership.unagreed(team) == []
    contracts = {k: v for k, v in team.contracts.items() if k != "fct_carrier_delays"}
    (finding,) = ownership.unagreed(team.model_copy(update={"contracts": contracts}))
    assert finding.evidence == "read by Network planning without a contract"


def test_a_card_says_what_is_missing_and_each_missing_field_lowers_it(team):
    books = coverage.texts(team.folder)
    cards = {card.table: card for card in ownership.cards(team, books)}
    assert cards["fct_daily_departures"].lacks == ("documentation",)
    poorer = team.model_copy(update={"consumers": (), "slos": ()})
    less = {card.table: card for card in ownership.cards(poorer, {})}["fct_daily_departures"]
    assert less.lacks == ("consumer", "SLO", "runbook", "documentation")
    assert less.completeness < cards["fct_daily_departures"].completeness


def test_names_of_people_are_pseudonyms_unless_a_caller_hands_them_in(team):
    names = headlines.pseudonyms(team)
    held = ownership.holdings(team, MODEL)
    shown = headlines.holders(held, names).to_string()
    shown += headlines.ownership(ownership.judge_raci(team), names).to_string()
    assert not [person.name for person in team.people if person.name in shown.split()]
    assert "person A" in shown


def test_a_mistake_in_people_yaml_names_line_field_and_fix(copy_team, tmp_path):
    folder = copy_team(tmp_path, "flights")
    text = (folder / "people.yaml").read_text()
    (folder / "people.yaml").write_text(
        text.replace("  Chen:\n", "  Zoe:\n")
        .replace("lakehouse: {grade: 2}", "lakehose: {grade: 2}")
        .replace("routine_hours: 128", "routine_hours: 999")
    )
    problems = teams.problems("flights", root=folder.parent)
    messages = [str(problem) for problem in problems]
    assert len(messages) == 3
    assert any("Zoe" in message and "people.yaml:" in message for message in messages)
    assert any("lakehose" in message for message in messages)
    assert any("more than total_hours" in message for message in messages)
