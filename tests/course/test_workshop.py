"""A room's answers: by form, values or paper the same; refused with a sentence; kept; merged."""

import asyncio
import csv
import datetime
import functools
import json
import random
import re
import shutil
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tornado.httpclient import AsyncHTTPClient

from dataops_lib import files, maturity, teams
from dataops_lib.cli import main
from dataops_lib.course import workshop_pages, workshop_result
from dataops_lib.course.workshop import PAINS, Sheet, Workshop, fields, filled, merge, take_csv
from dataops_lib.course.workshop_server import Server, answer, rehearse
from dataops_lib.errors import DataError, TeamError, UsageError
from dataops_lib.maturity import answers
from dataops_lib.teams import folders, reader

MODEL = maturity.load_model()
DAY = datetime.date(2026, 11, 25)
ATTACK = "<script>alert(1)</script>"


def values_of(number):
    """Everything that one invented person types."""
    chance = random.Random(number)
    values = {q.id: answer(MODEL, q.level, chance) for q in MODEL.questions}
    notes = {f"{id}.note": f"note, {id}" for id in values if values[id] == "na" or id == "C1"}
    chosen = chance.sample([pain.id for pain in MODEL.pain_points], 3)
    return values | notes | dict(zip(PAINS, chosen, strict=True))


PEOPLE = {name: values_of(name) for name in ("Oak", "Ash", "Elm", "Fir", "Yew")}


def served(folder, talk, team="Team"):
    """What `talk(server, post)` gives while a server runs on the folder's workshop."""

    async def run():
        server = Server(Workshop(folder), team, day=DAY, measured={})
        client = AsyncHTTPClient(force_instance=True)

        async def send(address, values=None, **headers):
            body = None if values is None else values if type(values) is str else urlencode(values)
            response = await client.fetch(
                address, method="GET" if body is None else "POST", body=body,
                headers=headers, raise_error=False,
            )  # fmt: skip
            return response.code, response.body.decode(), response

        try:
            return await talk(server, send)
        finally:
            client.close()
            await server.close()

    return asyncio.run(run())


def by_form(folder):
    async def talk(server, send):
        for name, values in PEOPLE.items():
            page = (await send(server.link, {"person": name}))[2].effective_url
            assert (await send(page, values))[0] == 200

    served(folder, talk)


def by_values(folder):
    room = Workshop(folder)
    for name, values in reversed(PEOPLE.items()):  # the order of people tells nothing
        assert room.answer(name, **values) == []


def by_paper(folder):
    room, path = Workshop(folder), folder / "sheets.csv"
    path.write_text(workshop_pages.empty_csv(MODEL))
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fields(MODEL), restval="")
        writer.writerows({"person": name, **values} for name, values in PEOPLE.items())
    assert take_csv(room, path) == len(PEOPLE)


@pytest.fixture(scope="module")
def merged(tmp_path_factory):
    texts = []
    for mode in (by_form, by_values, by_paper):
        folder, team = tmp_path_factory.mktemp("room"), tmp_path_factory.mktemp("team")
        mode(folder)
        texts.append(merge(Workshop(folder), team, DAY).read_text())
    return texts


def test_form_values_and_paper_give_the_same_file_and_so_the_same_level(merged):
    assert merged[0] == merged[1] == merged[2]
    assessed = reader.assessment(merged[0], "assessment.yaml")
    for name, values in PEOPLE.items():
        given_answers = {q.id: values[q.id] for q in MODEL.questions}
        kept = assessed.answers[name]
        assert {id: r if isinstance(r, str) else r["answer"] for id, r in kept.items()} == (
            given_answers
        )
        assert kept["C1"] in (
            {"answer": values["C1"], "evidence": "shown", "link": "note, C1"},
            {"answer": "na", "reason": "note, C1"},
        )
        assert assessed.votes[name] == [values[pain] for pain in PAINS]


def test_the_form_on_screen_and_on_paper_ask_every_question_with_every_answer_and_criterion():
    for html in (
        workshop_pages.form(MODEL, "t", {"person": "Oak"}, action="/"),
        workshop_pages.paper(MODEL, "t"),
    ):
        for question in MODEL.questions:
            assert html.count(f'name="{question.id}" value=') == len(MODEL.answers)
            assert all(str(workshop_pages.Markup.escape(c)) in html for c in question.criteria)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"C1": "yes"}, "C1: 'yes' is not an answer; use one of none, some"),
        ({"C9": "most"}, "'C9' is not a field"),
        ({"C1": "na"}, "C1: not ours to do? Write in the line below who"),
        ({"C1": "most", "C1.note": "x" * 301}, "C1: the line is not plain text of at most 300"),
        ({"C1": "most", "C1.note": "a\x1b[2J"}, "C1: the line is not plain text"),
        ({"C1.note": "alone"}, "C1: there is a line but no answer"),
        ({"pain1": "PP1", "pain2": "PP1"}, "Pains: votes for the same pain twice"),
        ({"pain1": "PP99"}, "Pains: votes for 'PP99', which is not a pain"),
    ],
)
def test_rubbish_is_refused_with_a_sentence_and_what_is_right_beside_it_is_kept(values, sentence):
    sheet, refusals = filled(MODEL, Sheet("Oak"), {"Q1": "half", **values})
    assert len(refusals) == 1
    assert refusals[0].startswith(sentence)
    assert sheet.answers == {"Q1": {"answer": "half"}}
    assert sheet.votes == ()


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(fields(MODEL)) | st.text(max_size=9),
        st.sampled_from(["none", "most", "na", "unsure", "PP1", "PP2"]) | st.text(max_size=400),
        max_size=12,
    )
)
def test_whatever_is_typed_what_is_kept_is_a_valid_assessment(values):
    sheet, _ = filled(MODEL, Sheet("Oak"), values)
    assert answers.check(MODEL, {"Oak": sheet.answers}) == []
    assert answers.check_votes(MODEL, {"Oak": sheet.votes}) == []


def test_a_restart_of_the_server_loses_nothing_and_the_link_stays(tmp_path):
    async def begin(server, send):
        page = (await send(server.link, {"person": "Oak"}))[2].effective_url
        await send(page, {"C1": "most", "C1.note": "our git"})
        return server.link.split("/w/")[1], page.rsplit("/", 1)[1]

    token, id = served(tmp_path, begin)

    async def again(server, send):
        assert server.link.endswith(token)
        code, html, _ = await send(f"{server.link}/{id}")
        assert code == 200
        assert 'name="C1" value="most" checked' in html
        assert 'value="our git"' in html
        await send(f"{server.link}/{id}", {"Q1": "half"})

    served(tmp_path, again)
    assert set(Workshop(tmp_path).sheet(id).answers) == {"C1", "Q1"}
    assert [path.name for path in (tmp_path / "people").iterdir()] == [f"{id}.json"]


def test_the_server_refuses_strangers_rubbish_and_floods_in_a_sentence_and_runs_nothing(tmp_path):
    async def talk(server, send):
        base = server.link.rsplit("/w/", 1)[0]
        for path in ("/", "/w/wrong", f"/w/wrong/{'a' * 22}", f"/f/{server.workshop.token}"):
            code, html, _ = await send(base + path)
            assert (code, "There is no such page" in html) == (404, True), path
        code, html, _ = await send(f"{server.link}/{'a' * 22}", {"C1": "most"})
        assert (code, "Nobody began this page" in html) == (400, True)
        code, html, _ = await send(server.link, {"person": "x" * 31})
        assert (code, "A name has 1 to 30" in html) == (400, True)
        page = (await send(server.link, {"person": ATTACK}))[2]
        assert page.code == 200
        assert ATTACK not in page.body.decode()
        code, html, _ = await send(server.link, {"person": ATTACK.upper()})
        assert (code, "called" in html, ATTACK.upper() in html) == (400, True, False)
        code, text, _ = await send(
            page.effective_url, {"C1": "most", "C1.note": ATTACK, ATTACK: "1"}, Accept="text/plain"
        )
        assert (code, text.startswith("Not everything was saved: '<script>")) == (400, True)
        code, html, response = await send(page.effective_url)
        assert ATTACK not in html
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert policy.split("script-src 'nonce-")[1].split("'")[0] in html
        code, html, _ = await send(page.effective_url, "C1=" + "x" * 70_000)
        assert (code, "more than a form holds" in html) == (413, True)

    served(tmp_path, talk, team=ATTACK)


def test_nothing_is_shown_before_the_reveal_and_nothing_is_taken_after_it(tmp_path):
    by_values(tmp_path)

    async def talk(server, send):
        id = next(iter(server.workshop.sheets()))
        page = f"{server.link}/{id}"
        assert "Where do we disagree?" not in (await send(page))[1]
        html = (await send(server.facilitator))[1]
        assert "5 of 5 people have answered everything" in html
        assert not [name for name in PEOPLE if name in html]
        await send(server.facilitator, {"show": "yes"})
        html = (await send(page))[1]
        assert "1. Where do we disagree?" in html
        assert not [name for name in PEOPLE if name in html]
        code, html, _ = await send(page, {"C1": "none"})
        assert (code, "answers are closed" in html) == (400, True)
        await send(server.facilitator, {"show": "no"})
        assert (await send(page, {"C1": "none"}))[0] == 200

    served(tmp_path, talk)


def test_an_earlier_assessment_is_kept_and_the_same_one_twice_is_one(tmp_path):
    by_values(tmp_path / "room")
    team = tmp_path / "flights"
    shutil.copytree(files.HOME / "data" / "teams" / "flights", team)
    earlier = (team / "assessment.yaml").read_text()
    for _ in range(2):
        merge(Workshop(tmp_path / "room"), team, DAY)
    assert [path.name for path in (team / "assessments").iterdir()] == ["2013-02-27.yaml"]
    assert (team / "assessments" / "2013-02-27.yaml").read_text() == earlier
    assert teams.problems("flights", root=tmp_path) == []
    merge(Workshop(tmp_path / "room"), team, DAY + datetime.timedelta(days=90))
    assert sorted(path.stem for path in (team / "assessments").iterdir()) == [
        "2013-02-27",
        "2026-11-25",
    ]


def test_a_workshop_without_answers_writes_nothing(tmp_path):
    Workshop(tmp_path).join("Oak")
    with pytest.raises(DataError, match="nobody has answered"):
        merge(Workshop(tmp_path), tmp_path, DAY)
    assert not (tmp_path / "assessment.yaml").exists()


def test_every_mistake_of_a_csv_has_its_line_and_nothing_is_taken(tmp_path):
    path = tmp_path / "sheets.csv"
    path.write_text("person,C1,Z1\nOak,most,\nAsh,yes,\noak,none,\nElm\n,none,\n")
    with pytest.raises(TeamError) as caught:
        take_csv(Workshop(tmp_path / "room"), path)
    shown = [str(problem).split(". Fix")[0] for problem in caught.value.problems]
    assert [line.split(": ")[0] for line in shown] == [f"sheets.csv:{n}" for n in (1, 3, 4, 5, 6)]
    assert Workshop(tmp_path / "room").sheets() == {}
    with pytest.raises(UsageError, match=r"cannot be read"):
        take_csv(Workshop(tmp_path / "room"), tmp_path / "absent.csv")


def assessed(*people):
    everything = {q.id: "most" for q in MODEL.questions}
    replies = {name: everything | {"Q1": "none" if n else "most"} for n, name in enumerate(people)}
    votes = {name: ["PP1", "PP2"] for name in people}
    return reader.assessment(json.dumps({"answers": replies, "votes": votes}), "assessment.yaml")


def test_under_four_people_no_count_of_answers_or_votes_is_shown():
    few = workshop_result.result("T", assessed("a", "b", "c"), day=DAY).markdown()
    many = workshop_result.result("T", assessed("a", "b", "c", "d"), day=DAY).markdown()
    assert "3 none, 1 most" in many
    assert "4 of 4" in many
    assert "2 none" not in few
    assert not re.search(r"\d of 3\b", few)
    assert workshop_result.HIDDEN in few


def test_the_page_tells_disagreement_first_then_claims_level_tied_pains_and_one_owned_step():
    page = workshop_result.result(
        ATTACK, assessed(*"abcd"), day=DAY, owner="Ana|*", due=DAY,
        measured={"Q1": maturity.Measured(0.5, "1 of 2 tables are under contract")},
    )  # fmt: skip
    titles = [section.title.split()[0] for section in page.sections]
    assert titles == ["Where", "What", "Which", "What", "What"]
    disagree, claims, level, pains, step = page.sections
    assert list(disagree.table["question"]) == ["Q1"]
    assert list(claims.table["counted"]) == ["1 of 2 tables are under contract"]
    assert "C1" in list(level.table["question"])
    assert list(pains.table["rank"]) == [1, 1]
    assert "a tie" in pains.sentences[0]
    assert step.sentences[1] == "Owner: Ana|*. Date: 2026-11-25."
    assert MODEL.guard in page.markdown()
    assert ATTACK not in page.html() + page.markdown()
    assert "Owner: Ana\\|\\*" in page.markdown()


def test_a_rehearsal_fills_the_form_through_the_real_server(tmp_path):
    async def talk(server, send):
        await rehearse(server, 2)

    served(tmp_path, talk)
    assert Workshop(tmp_path).done() == (2, 2)
    assert len({json.dumps(s.answers) for s in Workshop(tmp_path).sheets().values()}) == 2


def test_a_file_of_a_person_that_was_spoilt_is_named(tmp_path):
    id = Workshop(tmp_path).join("Oak")
    (tmp_path / "people" / f"{id}.json").write_text("{")
    with pytest.raises(DataError, match=f"{id}.json: is not as it was written"):
        Workshop(tmp_path).sheets()


def test_the_command_prints_paper_and_takes_it_back(tmp_path, capsys):
    folders.create("bare", root=tmp_path)
    session = tmp_path / "room"

    def dataops(*more):
        call = ["workshop", "bare", "--teams-dir", str(tmp_path), "--session", str(session), *more]
        code = main.exit_code(functools.partial(main.app, call))
        return code, "".join(capsys.readouterr())

    assert dataops("--paper")[0] == 0
    with (session / "sheets.csv").open("a", newline="") as file:
        writer = csv.DictWriter(file, fields(MODEL), restval="")
        writer.writerows({"person": name, **values} for name, values in PEOPLE.items())
    code, text = dataops("--csv", str(session / "sheets.csv"), "--merge", "--owner", "Ana")
    assert code == 0, text
    assert "Owner: Ana." in (session / "summary.md").read_text()
    assert teams.problems("bare", root=tmp_path) == []
    code, text = dataops("--due", "soon")
    assert (code, "--due is 'soon'" in text) == (2, True)
