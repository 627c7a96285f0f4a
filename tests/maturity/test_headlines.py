"""Maturity as people see it: disagreement without names, the gate, what blocks, one step."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from dataops_lib import chart_style, files, maturity
from dataops_lib.maturity import answers as maturity_answers
from dataops_lib.maturity import charts, headlines
from dataops_lib.teams import reader

mpl.use("agg")
MODEL = maturity.load_model()
BASICS = {q.id: "most" if q.level <= 1 else "none" for q in MODEL.questions}
SCORE = maturity.score(MODEL, {"ana": BASICS})
NOBODY = maturity.score(MODEL, {})


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def said(ax):
    return chart_style.alt_text(ax.figure)


def test_each_level_has_an_example_and_each_question_one_principle():
    assert headlines.levels(MODEL)["level"].iloc[0] == "0 Chaos"
    asked = ", ".join(headlines.principles(MODEL)["asked by"]).split(", ")
    assert sorted(asked) == sorted(q.id for q in MODEL.questions)


def test_the_six_pains_lead_where_the_article_says():
    shown = headlines.pains(MODEL)
    article = shown[shown["from"] == "article"]
    assert list(article["leads to"]) == [
        "Part 4: Data Quality & Governance",
        "Part 3: Pipeline Reliability",
        "Part 5: FinOps",
        "Part 6: MLOps",
        "Part 4: Governance",
        "Part 5: IaC",
    ]
    assert article["starting point"].iloc[0] == "add dbt tests; write one data contract"
    assert list(shown["from"])[6:] == ["ours", "ours"]


def test_a_question_shows_what_a_yes_needs():
    text = headlines.question(MODEL.question("Q1"))
    assert "A yes needs: (1) The contract is a file a machine can read; (2)" in text
    assert "Shown by:" in text


def test_disagreement_is_drawn_without_names():
    answers = {"ana": BASICS, "ben": BASICS | {"C4": "most"}}
    score = maturity.score(MODEL, answers)
    ax = charts.disagreement(score, answers)
    assert headlines.agenda(score) == "Talk first: answers lie far apart on C4"
    assert "C4: 1 none, 1 most" in said(ax)
    assert "ana" not in said(ax) and "ben" not in said(ax)
    assert sum(bar.get_width() for bar in ax.patches) == 2


def test_being_unsure_is_a_reason_to_talk():
    score = maturity.score(MODEL, {"ana": BASICS | {"C5": "unsure"}})
    assert headlines.agenda(score) == "Talk first: many are unsure about C5"
    assert "agree well enough" in headlines.agenda(SCORE)


def test_the_gate_is_drawn_open_up_to_the_level():
    ax = charts.gate(SCORE)
    assert ax.get_title() == "Everything up to level 1 is open"
    assert "level 1 Code and delivery: open" in said(ax)
    assert "level 2 Code and delivery: shut" in said(ax)
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("not asked") == 3  # the article is silent there


def test_a_cell_that_unsure_answers_would_open_says_so():
    score = maturity.score(MODEL, {"ana": BASICS | {"W1": "unsure"}})
    ax = charts.gate(score)
    assert "level 1 Ownership, catalog and cost: unsure" in said(ax)
    assert ax.get_title() == "Level 1 is not open yet"


def test_level_0_says_what_is_missing_first_and_no_more():
    score = maturity.score(MODEL, {"ana": BASICS | {"W1": "none"}})
    text = headlines.level(maturity.judge(score), score)
    assert "level 0 of 4" in text and text.endswith("what is missing first")
    assert list(headlines.blocking(maturity.blockers(score))["question"]) == ["W1"]


def test_without_answers_everything_is_unknown():
    assert headlines.level(maturity.judge(NOBODY), NOBODY).startswith("The level is unknown")
    assert headlines.agenda(NOBODY) == "Nobody has answered yet"
    assert "no gate can open" in charts.gate(NOBODY).get_title()
    assert "shut" not in said(charts.gate(NOBODY))
    assert headlines.certainty(NOBODY, NOBODY).startswith("Without answers")
    for ax in (
        charts.disagreement(NOBODY, {}),
        charts.votes(maturity_answers.tally(MODEL, {}), 0),
    ):
        assert [text.get_text() for text in ax.texts] == ["unknown"]


def test_votes_are_counted_and_a_tie_is_named():
    counted = maturity_answers.tally(MODEL, {"ana": ["PP1"], "ben": ["PP2"]})
    assert headlines.voted(counted, 2).endswith("named by 1 of 2, a tie: talk before you choose")
    counted = maturity_answers.tally(MODEL, {"ana": ["PP1"], "ben": ["PP1", "PP2"]})
    ax = charts.votes(counted, 2)
    assert [bar.get_width() for bar in ax.patches] == [2, 1]
    assert "tie" not in ax.get_title()


def test_the_roadmap_counts_towards_its_targets_and_says_unknown_otherwise():
    shown = headlines.roadmap(maturity.progress(SCORE, {"tables_with_sla": 2}))
    by_item = shown.set_index("item")
    assert len(shown) == 15
    assert by_item.loc["Define SLAs for 3 key tables", "because"] == "2 of 3 tables with sla"
    assert by_item.loc["Define SLAs for 3 key tables", "state"] == "not yet"
    assert by_item.loc["Put 10 core tables under data contracts", "state"] == "unknown"
    assert by_item.loc["Put all pipeline code under version control in Git", "state"] == "done"


def test_there_is_one_next_step_and_at_most_two_later_ones():
    text = headlines.step(maturity.next_step(SCORE, {"ana": ["PP1"]}), MODEL)
    assert text.count("Next step:") == 1
    assert "Later:" in text and len(text.split("Later:")[1].split(";")) <= 2


def test_certainty_names_the_level_at_best_and_when_proof_is_asked_for():
    strict = maturity.score(MODEL, {"ana": BASICS}, strict=True)
    assert headlines.certainty(SCORE, strict) == (
        "By what people say level 1, with every unsure answer read as `most` at best level 1; "
        "by what was shown or measured level 0."
    )


@pytest.mark.parametrize("name", ["flights", "orders"])
def test_the_example_answers_show_disagreement_doubt_and_a_vote(name):
    given = reader.read(reader.Files(files.HOME / "data" / "teams" / name))["assessment"]
    score = maturity.score(MODEL, given.answers)
    assert "ritten for the example" in given.note
    assert score.respondents >= 3 and not score.missing
    assert any(q.spread >= 0.75 for q in score.agenda)
    assert any(q.unsure >= 0.3 for q in score.agenda)
    assert maturity.blockers(score)
    assert set(given.votes) == set(given.answers)


def test_claims_stand_beside_what_files_prove():
    proofs = {"S2": maturity.Measured(0.5, "1 of 2 tables"), "S1": maturity.Measured(1.0, "all")}
    table = headlines.claims(maturity.score(MODEL, {"ana": {"S2": "most"}}, measured=proofs))
    rows = table.set_index("question")[["claimed", "measured", "counted"]]
    assert rows.loc["S2"].tolist() == ["most", "half", "1 of 2 tables"]
    assert rows.loc["S1"].tolist() == ["nobody answered", "most", "all"]
