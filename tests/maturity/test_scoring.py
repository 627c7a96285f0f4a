"""The maturity model and its score: laws of the gate, what blocks, and the one next step."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops_lib import maturity
from dataops_lib.errors import TeamError
from dataops_lib.maturity import answers as maturity_answers
from dataops_lib.maturity import model

MODEL = maturity.load_model()
IDS = [question.id for question in MODEL.questions]
SCALE = ["none", "some", "half", "most"]
ANSWER = st.sampled_from([*SCALE, "unsure"])
ANYBODY = st.fixed_dictionaries(dict.fromkeys(IDS, ANSWER))
# Random answers hardly ever pass a gate: most examples start from a finished level.
ON_A_LEVEL = st.builds(
    lambda reached, changed: {
        q.id: changed.get(q.id, "most" if q.level <= reached else "none") for q in MODEL.questions
    },
    st.integers(0, 4),
    st.dictionaries(st.sampled_from(IDS), ANSWER, max_size=4),
)
RESPONDENT = st.one_of(ON_A_LEVEL, ON_A_LEVEL, ANYBODY)
TEAM = st.lists(RESPONDENT, min_size=1, max_size=4)
QUICK = settings(max_examples=40, deadline=None)


def everybody(answer):
    return dict.fromkeys(IDS, answer)


def up_to(level):
    return {q.id: "most" if q.level <= level else "none" for q in MODEL.questions}


def level(answers, **options):
    return maturity.score(MODEL, {"ana": answers}, **options)


def named(people):
    return {f"person {n}": answers for n, answers in enumerate(people)}


def numbers(score):
    """Every number a score shows, in a fixed order."""
    cells = [value for cell in score.cells for value in (cell.low, cell.high)]
    dims = [value for d in score.dimensions for value in (d.low, d.high, d.level)]
    return [score.level, score.level_high, score.median, score.median_high, *cells, *dims]


# -- the model


def test_there_are_five_levels_each_with_an_example_of_behaviour():
    assert [(found.id, found.name) for found in MODEL.levels] == [
        (0, "Chaos"),
        (1, "Repeatable"),
        (2, "Defined"),
        (3, "Managed"),
        (4, "Optimizing"),
    ]
    assert all(len(found.example) > 40 for found in MODEL.levels)


def test_every_question_has_a_known_dimension_level_principle_effort_and_answer():
    assert len(set(IDS)) == len(IDS) == 30
    dimensions = {dimension.id for dimension in MODEL.dimensions}
    principles = [principle.id for principle in MODEL.principles]
    assert len(principles) == 5
    for question in MODEL.questions:
        assert question.dimension in dimensions
        assert question.level in (1, 2, 3, 4)
        assert principles.count(question.principle) == 1
        assert question.effort in MODEL.efforts
        assert question.enough in (None, *MODEL.values())
        assert question.evidence_needed in [grade.id for grade in MODEL.evidence_grades]
        assert question.criteria and question.first


def test_every_statement_names_the_articles_section_or_a_known_source():
    statements = [s for q in MODEL.questions for s in (*q.statements, *[q.below] * bool(q.below))]
    for statement in statements:
        assert (statement.article is None) != (statement.added is None), statement.text
        assert statement.added is None or statement.added in MODEL.sources
        assert bool(statement.lines) == (statement.article is not None), statement.text
    assert all(pain.added in (None, *MODEL.sources) for pain in MODEL.pain_points)


def test_the_six_pains_lead_where_the_article_sends_them():
    found = {
        pain.id: (pain.part, pain.topic, [step.text for step in pain.start])
        for pain in MODEL.pain_points
        if pain.added is None
    }
    assert found == {
        "PP1": (4, "Data Quality & Governance", ["add dbt tests", "write one data contract"]),
        "PP2": (
            3,
            "Pipeline Reliability",
            ["ensure idempotency", "set up alerts", "write one runbook"],
        ),
        "PP3": (
            5,
            "FinOps",
            ["tagging standards", "Snowflake auto-suspend", "S3 lifecycle policies"],
        ),
        "PP4": (6, "MLOps", ["MLflow experiment tracking", "Feature Store PoC"]),
        "PP5": (4, "Governance", ["data owner RACI matrix", "data catalog pilot"]),
        "PP6": (5, "IaC", ["codify 3 core resources with Terraform"]),
    }


def test_pains_and_roadmap_lead_to_parts_and_questions_that_exist():
    titles = {part.part: {part.title, *part.also} for part in model.load_parts()}
    assert sorted(titles) == [1, 2, 3, 4, 5, 6, 7]
    for pain in MODEL.pain_points:
        assert pain.topic in titles[pain.part]
        assert set(pain.questions) <= set(IDS)
        assert {id for step in pain.start for id in step.advances} <= set(pain.questions)
    steps = [step for stage in MODEL.roadmap for step in stage.items]
    assert [len(stage.items) for stage in MODEL.roadmap] == [5, 5, 5]
    assert all(step.advances and set(step.advances) <= set(IDS) for step in steps)


def test_what_the_article_calls_beginning_needs_some_and_what_it_calls_complete_needs_most():
    needed = {question.id: question.enough for question in MODEL.questions if question.enough}
    assert needed == {"Q1": "some", "W2": "some", "O7": "some", "S4": "most", "O4": "most"}


# -- the gate


def test_all_most_is_level_4_and_all_none_is_level_0():
    assert level(everybody("most")).level == 4
    assert level(everybody("none")).level == 0


@pytest.mark.parametrize("reached", [0, 1, 2, 3, 4])
def test_complete_up_to_a_level_and_nothing_above_is_exactly_that_level(reached):
    score = level(up_to(reached))
    assert (score.level, score.level_high) == (reached, reached)


def test_a_gate_opens_at_three_quarters_and_not_below():
    at_the_gate = up_to(1) | {"C1": "most", "C2": "most", "C3": "some"}
    below_it = up_to(1) | {"C1": "most", "C2": "half", "C3": "half"}
    assert level(at_the_gate).level == 1
    assert level(below_it).level == 0


def test_complete_runbooks_means_most_even_when_the_mean_would_pass():
    assert level(up_to(3) | {"O4": "some"}).level == 2
    assert level(up_to(3) | {"O6": "some"}).level == 3


def test_beginning_with_contracts_and_a_catalog_is_enough_for_level_2():
    assert level(up_to(2) | {"Q1": "some", "W2": "some"}).level == 2


def test_a_complete_upper_level_does_not_lift_a_team_without_the_basics():
    assert level(up_to(4) | {"S1": "none"}).level == 0


@QUICK
@given(people=TEAM, data=st.data())
def test_raising_any_answer_never_lowers_any_number(people, data):
    who = data.draw(st.integers(0, len(people) - 1))
    id = data.draw(st.sampled_from(IDS))
    if people[who][id] == "unsure":
        return
    higher = data.draw(st.sampled_from(SCALE[SCALE.index(people[who][id]) :]))
    raised = [dict(p) for p in people]
    raised[who][id] = higher
    before, after = (numbers(maturity.score(MODEL, named(team))) for team in (people, raised))
    assert all(new >= old for old, new in zip(before, after, strict=True))


@QUICK
@given(people=TEAM, seed=st.integers(0, 99))
def test_the_order_of_respondents_does_not_matter(people, seed):
    shuffled = list(people)
    random.Random(seed).shuffle(shuffled)
    one, other = (maturity.score(MODEL, named(team)) for team in (people, shuffled))
    assert numbers(one) == numbers(other)
    assert one.agenda == other.agenda


@QUICK
@given(people=TEAM, data=st.data())
def test_saying_unsure_never_beats_saying_none(people, data):
    who = data.draw(st.integers(0, len(people) - 1))
    id = data.draw(st.sampled_from(IDS))
    unsure, none = ([dict(p) for p in people] for _ in range(2))
    unsure[who][id], none[who][id] = "unsure", "none"
    a, b = (maturity.score(MODEL, named(team)) for team in (unsure, none))
    assert a.level <= b.level
    assert all(x.low <= y.low for x, y in zip(a.dimensions, b.dimensions, strict=True))


def test_unsure_shows_as_a_range_of_levels():
    score = level(up_to(2) | {"C4": "unsure"})
    assert (score.level, score.level_high) == (1, 2)
    assert "level 1 to 2 of 4" in maturity.judge(score).evidence


def test_a_missing_question_is_flagged_and_counts_like_unsure():
    answers = up_to(2)
    del answers["Q1"]
    score = level(answers)
    assert score.missing == ("Q1",)
    assert (score.level, score.level_high) == (1, 2)


def test_no_answers_at_all_are_unknown_and_not_level_zero():
    assert maturity.judge(maturity.score(MODEL, {})).status == "unknown"
    assert maturity.next_step(maturity.score(MODEL, {})).status == "unknown"


def test_a_question_that_is_not_ours_leaves_its_cell_but_an_empty_level_is_not_passed():
    na = {"answer": "na", "reason": "the platform team does it"}
    score = level(up_to(2) | {"C5": na})
    assert (score.level, score.not_ours) == (2, ("C5",))
    top = {q.id: na for q in MODEL.questions if q.level == 4}
    assert level(up_to(3) | top).level == 3


def test_a_criterion_that_does_not_hold_counts_the_answer_none():
    score = level(up_to(1) | {"S1": {"answer": "most", "unmet": [1]}})
    assert score.level == 0
    assert any("half of the incidents" in note for q in score.questions for note in q.notes)


def test_strict_scoring_caps_what_is_only_asserted_at_half():
    assert level(up_to(1), strict=True).level == 0
    shown = {id: {"answer": answer, "evidence": "shown"} for id, answer in up_to(4).items()}
    assert level(shown, strict=True).level == 3  # level 4 asks for measured evidence
    measured = {id: {"answer": "most", "evidence": "measured"} for id in IDS}
    assert level(measured, strict=True).level == 4


def test_a_dimension_counts_only_the_levels_on_which_it_is_asked():
    by_name = {d.dimension.id: d for d in level(everybody("most")).dimensions}
    assert {name: (d.low, d.top, d.empty) for name, d in by_name.items()} == {
        "code": (3, 3, (4,)),
        "quality": (3, 3, (1,)),
        "slo": (3, 3, (4,)),
        "ops": (4, 4, ()),
        "own": (4, 4, ()),
        "people": (4, 4, ()),
    }
    assert level(everybody("none")).dimensions[1].level == 0  # quality has no level 1 to pass


def test_the_median_stands_beside_the_gate():
    score = level(everybody("half"))
    assert (score.level, score.median) == (0, 2.0)


def test_disagreement_and_much_unsure_go_to_the_agenda():
    people = [everybody("half") for _ in range(3)]
    people[0]["C1"], people[1]["C1"] = "some", "most"
    people[2]["C2"] = "unsure"
    people[0]["C3"] = "most"
    score = maturity.score(MODEL, named(people))
    assert [q.question.id for q in score.agenda] == ["C1", "C2"]


def test_answers_are_joined_by_their_median():
    people = [everybody("most"), everybody("most"), everybody("none")]
    assert maturity.score(MODEL, named(people)).level == 4


# -- proof


def proved(**shares):
    return {
        id: maturity.Measured(share, f"{share:.0%} of the tables") for id, share in shares.items()
    }


def test_evidence_that_one_person_shows_is_shown_for_all():
    shown = {id: {"answer": "most", "evidence": "shown"} for id in up_to(1)}
    people = named([up_to(1), shown, up_to(1)])
    assert maturity.score(MODEL, people, strict=True).level == 1


def test_what_files_prove_is_evidence_and_no_claim_counts_for_more():
    shown = {id: {"answer": answer, "evidence": "shown"} for id, answer in up_to(1).items()}
    bare = shown | {"C2": "most"}
    assert level(bare, strict=True).level == 1  # two of three in the cell are enough
    assert level(bare, strict=True, measured=proved(C2=1.0)).level == 1
    capped = level(shown, strict=True, measured=proved(S1=0.3))
    assert capped.level == 0
    (s1,) = [q for q in capped.questions if q.question.id == "S1"]
    assert (s1.low, s1.claimed, s1.notes) == (0.25, 1.0, ("measured: 30% of the tables",))


@pytest.mark.parametrize(
    ("share", "answer"),
    [(0.0, "none"), (0.01, "some"), (0.49, "some"), (0.5, "half"), (0.89, "half"), (0.9, "most")],
)
def test_a_measured_share_is_the_answer_that_the_model_says(share, answer):
    assert MODEL.answer_of(share) == answer


def test_a_question_that_nobody_answered_is_answered_by_files_that_tell():
    rest = {id: answer for id, answer in up_to(1).items() if id != "S1"}
    assert level(rest).level == 0
    score = level(rest, measured=proved(S1=1.0))
    assert (score.level, "S1" in score.missing) == (1, False)
    assert level(rest | {"S1": "none"}, measured=proved(S1=1.0)).level == 0  # they know why


def test_the_level_says_how_far_people_go_beyond_the_proof():
    answers = {"ana": up_to(4)}
    finding = maturity.judge(
        maturity.score(MODEL, answers, strict=True), maturity.score(MODEL, answers)
    )
    assert finding.evidence.startswith("level 0 of 4 (median 2.0); 4 by what people say")


def test_what_was_claimed_and_not_shown_is_to_be_shown_first():
    step = maturity.next_step(maturity.score(MODEL, {"ana": up_to(4)}, strict=True))
    assert step.evidence.startswith("C1 is most by what people say, not shown; most is enough")
    assert step.next_step.startswith("Show: link of the repository")


@QUICK
@given(TEAM, st.dictionaries(st.sampled_from(IDS), st.floats(0, 1)))
def test_proof_never_raises_a_claim_and_more_proof_never_lowers_the_score(people, shares):
    answers = named(people)
    plain = maturity.score(MODEL, answers)
    some = maturity.score(MODEL, answers, measured=proved(**shares))
    full = maturity.score(MODEL, answers, measured=proved(**dict.fromkeys(shares, 1.0)))
    for before, after, best in zip(plain.questions, some.questions, full.questions, strict=True):
        assert after.low <= best.low
        if before.state != "missing":
            assert after.low <= before.low


# -- mistakes


def test_all_mistakes_in_the_answers_are_told_at_once():
    answers = {
        "ana": {"C1": "mots", "C9": "most", "C2": {"answer": "na"}, "C3": None},
        "bo": {"Q1": {"answer": "most", "evidence": "rumour", "unmet": [7], "why": 1}},
        "cy": None,
    }
    with pytest.raises(TeamError) as error:
        maturity.score(MODEL, answers)
    told = [(problem.field, problem.fix) for problem in error.value.problems]
    fields = [field for field, _ in told]
    assert sorted(fields) == [
        "ana.C1.answer",
        "ana.C2.answer",
        "ana.C3.answer",
        "ana.C9",
        "bo.Q1.evidence",
        "bo.Q1.unmet",
        "bo.Q1.why",
        "cy",
    ]
    assert ("ana.C1.answer", "write most") in told


def test_a_mistake_carries_the_line_of_its_file():
    problems = maturity_answers.check(
        MODEL, {"ana": {"C1": "mots"}}, at=("answers",), line=lambda path: len(path)
    )
    assert [str(problem)[:40] for problem in problems] == [
        "assessment.yaml:4: answers.ana.C1.answer"
    ]


# -- what blocks, and what to do


def test_blockers_name_the_questions_and_the_answers_that_are_enough():
    score = level(up_to(1) | {"C4": "most", "C5": "some", "S2": "most", "S3": "most", "O2": "most"})
    found = {b.question.id: (b.now, b.enough, b.instead) for b in maturity.blockers(score)}
    assert found == {
        "C5": ("some", "half", ()),
        "Q1": ("none", "some", ()),
        "O3": ("none", "half", ()),
        "W2": ("none", "some", ()),
        "P2": ("none", "most", ()),
    }


def test_a_blocker_says_which_other_question_would_do_as_well():
    score = level(up_to(2) | {"S4": "most", "O4": "most", "O5": "some", "O6": "some"})
    ops = [b for b in maturity.blockers(score) if b.question.dimension == "ops"]
    assert [(b.question.id, b.enough, b.instead) for b in ops] == [("O5", "most", ("O6",))]


@QUICK
@given(people=TEAM)
def test_raising_the_blockers_opens_exactly_the_next_level_and_one_less_does_not(people):
    score = maturity.score(MODEL, named(people))
    blocking = maturity.blockers(score)
    if score.level == 4:
        assert blocking == ()
        return
    enough = {b.question.id: b.enough for b in blocking}
    assert maturity.score(MODEL, named([p | enough for p in people])).level > score.level
    for id in enough:
        rest = {other: answer for other, answer in enough.items() if other != id}
        assert maturity.score(MODEL, named([p | rest for p in people])).level == score.level


def test_the_next_step_is_the_blocking_question_that_most_people_feel():
    score = level(up_to(1))
    step = maturity.next_step(score, {"ana": ["PP6"], "bo": ["PP6", "PP1"], "cy": "PP1"})
    assert step.numbers["question"] == "C5"  # PP6 and PP1 tie on people, PP6 has more points
    assert "codify 3 core resources with Terraform" in step.next_step
    assert "Part 5, IaC" in step.next_step
    assert "2 of 3 people" in step.evidence


def test_a_pain_that_blocks_nothing_does_not_jump_the_gate():
    score = level(up_to(1))
    step = maturity.next_step(score, {"ana": "PP3"})  # cost is a level 3 question
    assert step.numbers["question"] != "W3"
    assert step.numbers["worst_pain"] == "PP3"


def test_without_votes_the_smallest_effort_decides_and_ties_are_told():
    step = maturity.next_step(level(up_to(1)))
    assert step.numbers["question"] == "S2"
    assert step.numbers["effort"] == "hours"
    assert step.numbers["tied"] == ["O2", "O3", "P2"]
    assert "ranks the same as O2, O3, P2" in step.evidence
    assert "Define SLAs for 3 key tables" in step.next_step


def test_what_nobody_knows_is_to_be_found_out_first():
    step = maturity.next_step(level(up_to(1) | {"C4": "unsure"}))
    assert step.numbers["question"] == "C4"
    assert step.next_step.startswith("Find out")


def test_on_the_top_level_the_most_named_pain_decides():
    step = maturity.next_step(level(everybody("most")), {"ana": "PP4"})
    assert "MLflow experiment tracking (Part 6, MLOps)" in step.next_step
    assert maturity.next_step(level(everybody("most"))).status == "ok"


def test_votes_are_counted_by_people_and_points_and_mistakes_are_told():
    first, second, *_ = maturity_answers.tally(
        MODEL, {"ana": ["PP2", "PP1"], "bo": ["PP2"], "cy": "PP1"}
    )
    assert (first.pain.id, first.people, first.points) == ("PP2", 2, 16)
    assert (second.pain.id, second.people, second.points) == ("PP1", 2, 15)
    with pytest.raises(TeamError) as error:
        maturity_answers.tally(MODEL, {"ana": "PP9", "bo": ["PP1", "PP1"], "cy": 3})
    assert [problem.field for problem in error.value.problems] == ["ana", "bo", "cy"]


def test_the_roadmap_counts_what_can_be_counted_and_never_guesses():
    counts = {"tables_with_sla": 2, "tables_under_contract": 10, "people_on_call": None}
    found = {f.subject: f for f in maturity.progress(level(up_to(1)), counts)}
    assert len(found) == 15
    slas = found["Define SLAs for 3 key tables"]
    assert (slas.status, slas.evidence) == ("warn", "2 of 3 tables with sla")
    assert found["Put 10 core tables under data contracts"].status == "ok"
    assert found["Start an on-call rotation with at least 2 people"].status == "unknown"
    assert found["Put all pipeline code under version control in Git"].status == "ok"
    assert found["Automate the CI/CD pipelines"].status == "warn"


def test_the_countable_targets_are_the_articles():
    targets = {s.target.what: s.target.count for st in MODEL.roadmap for s in st.items if s.target}
    assert targets == {
        "tables_with_sla": 3,
        "people_on_call": 2,
        "tables_under_contract": 10,
        "resources_as_code": 3,
    }
