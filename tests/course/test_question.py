"""Week one's way of judging answers: three outcomes, a reason each, and never a traceback."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops_lib.course.week_one import question
from dataops_lib.course.week_one.question import (
    CLOCK,
    COUNT,
    DAY,
    NAMES,
    NUMBER,
    RATIO,
    WORD,
    AnyOf,
    Drawn,
    Misread,
    NoInput,
    Question,
    Text,
    pick,
)
from dataops_lib.errors import TeamError

KINDS = {
    "count": (COUNT, 28),
    "ratio": (RATIO, 0.914),
    "number": (NUMBER, -1.25),
    "names": (NAMES, ["a", "b"]),
    "clock": (CLOCK, "06:12"),
    "day": (DAY, date(2013, 2, 9)),
    "word": (WORD, "Ana"),
}


def asked(kind="count", truth=None, mistakes=None, **given):
    kind, right = KINDS[kind]
    words = {name: f"that is {name}" for name in mistakes or {}}
    text = Text(
        asks="x", title="t", ask="a", why="because {n}", mistakes=words, hints=("h",), solution="s"
    )
    return Question(
        text, Drawn(kind, right if truth is None else truth, mistakes or {}, given, {"n": 1})
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("blank", [None, ..., "", "...", " "])
def test_a_blank_answer_is_not_attempted(kind, blank):
    assert asked(kind).judge(blank).state == "not attempted"


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_answer_is_correct_and_says_why(kind):
    outcome = asked(kind).judge(KINDS[kind][1])
    assert (outcome.state, outcome.message) == ("correct", "because 1")


def test_a_known_mistake_is_answered_by_its_own_sentence_and_noted_by_its_name():
    outcome = asked(mistakes={"30 for 28": 30, "recorded": 26}).judge(30)
    assert (outcome.state, outcome.message, outcome.mistake) == (
        "not yet", "that is 30 for 28", "30 for 28",
    )  # fmt: skip


def test_each_of_several_answers_to_one_mistake_is_known():
    question_ = asked("word", mistakes={"another": AnyOf(("Ben", "Chen"))})
    assert {question_.judge(name).mistake for name in ("Ben", "chen ")} == {"another"}


def test_a_wrong_answer_of_no_known_kind_is_not_yet_and_points_to_the_hint():
    outcome = asked().judge(27)
    assert (outcome.state, outcome.mistake) == ("not yet", "")
    assert "hint" in outcome.message


@pytest.mark.parametrize(
    "answer",
    [28, 28.0, np.int64(28), pd.Series([28]), pd.DataFrame([[28]]), np.array([28]), lambda: 28],
)
def test_a_count_may_come_in_any_form_that_code_gives(answer):
    assert asked().judge(answer).state == "correct"


@pytest.mark.parametrize("answer", ["28", True, 27.5, float("nan"), pd.Series([28, 28]), [28], {}])
def test_a_count_of_another_form_is_explained(answer):
    outcome = asked().judge(answer)
    assert (outcome.state, outcome.mistake) == ("not yet", "")
    assert "number" in outcome.message


@pytest.mark.parametrize(
    "answer",
    [
        "06:12",
        "6:12",
        "06:12:30",
        time(6, 12),
        datetime(2013, 1, 7, 6, 12, 59),
        pd.Timestamp("2013-01-07 06:12"),
    ],
)
def test_a_clock_time_may_come_as_text_or_time(answer):
    assert asked("clock").judge(answer).state == "correct"


def test_an_aware_time_is_read_on_its_own_clock_so_that_utc_for_local_shows():
    question_ = asked("clock", mistakes={"UTC for local": "11:12"})
    at = datetime(2013, 1, 7, 11, 12, tzinfo=UTC)
    assert question_.judge(at).mistake == "UTC for local"
    assert question_.judge(at.astimezone(ZoneInfo("America/New_York"))).state == "correct"


@pytest.mark.parametrize("answer", ["25:00", "6", 6.12, "06.12", ["06:12"]])
def test_what_is_no_clock_time_is_explained(answer):
    assert 'in quotes: "06:30"' in asked("clock").judge(answer).message


@pytest.mark.parametrize(
    "answer",
    [
        "2013-02-09",
        date(2013, 2, 9),
        datetime(2013, 2, 9, 12),
        np.datetime64("2013-02-09"),
        pd.Timestamp("2013-02-09"),
    ],
)
def test_a_day_may_come_in_any_form_that_code_gives(answer):
    assert asked("day").judge(answer).state == "correct"


@pytest.mark.parametrize(
    "answer", [["b", "a"], {"a", "b"}, ("a", "b "), "a, b", pd.Index(["a", "b"])]
)
def test_names_may_come_in_any_order_and_form(answer):
    assert asked("names").judge(answer).state == "correct"


def test_names_that_are_partly_right_are_counted_and_not_given_away():
    outcome = asked("names").judge(["a", "x"])
    assert outcome.message == "1 of your 2 names belong here, 1 missing, 1 too many."
    assert "None of these" in asked("names").judge(["x", "y"]).message


@pytest.mark.parametrize(
    ("answer", "state"), [(0.9143, "correct"), (0.9136, "correct"), (0.91, "not yet")]
)
def test_a_ratio_is_compared_at_three_decimals(answer, state):
    assert asked("ratio").judge(answer).state == state


@pytest.mark.parametrize(("kind", "answer"), [("ratio", 0.91), ("ratio", 0.9), ("number", -1.2)])
def test_an_answer_rounded_too_much_is_told_so(kind, answer):
    assert "rounded too much" in asked(kind).judge(answer).message


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("day", pd.DataFrame([[pd.Timestamp("2013-02-09")]])),
        ("word", ["Ana"]),
        ("names", ["A", "B"]),
    ],
)
def test_an_answer_in_the_form_that_code_gives_is_read(kind, answer):
    assert asked(kind).judge(answer).state == "correct"


def test_an_exception_of_the_learners_code_becomes_a_sentence():
    outcome = asked().judge(lambda: 1 / 0)
    assert outcome.state == "not yet"
    assert "ZeroDivisionError: division by zero" in outcome.message


def test_text_of_an_exception_cannot_end_the_code_it_is_shown_in():
    def fails():
        raise ValueError("`<img src=x>`\n# heading")

    message = asked().judge(fails).message
    assert message.count("`") == 2
    assert "\n" not in message


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.dates(),
    st.datetimes(), st.lists(st.text()), st.dictionaries(st.text(), st.integers()),
    st.complex_numbers(), st.lists(st.integers()).map(np.array), st.lists(st.text()).map(pd.Series),
)  # fmt: skip


@given(kind=st.sampled_from(list(KINDS)), answer=anything)
def test_no_answer_raises_and_each_gets_a_reason(kind, answer):
    outcome = asked(kind).judge(answer)
    assert outcome.state in ("correct", "not yet", "not attempted")
    assert outcome.message


def test_every_outcome_has_a_sign_and_a_word_never_colour_alone():
    assert all(len(text.split(" ", 1)) == 2 for text in question.WORDS.values())
    assert len(set(question.WORDS.values())) == len(question.WORDS)


def test_mistakes_that_cannot_be_told_apart_make_a_draw_unclear():
    drawn = asked(mistakes={"first": 30, "second": 30, "third": 28}).asked
    assert not drawn.is_clear
    assert dict(drawn.cleared().mistakes) == {"first": 30}


def test_the_first_clear_draw_is_picked():
    draws = {1: {"a": 28}, 2: {"a": 30}, 3: {"a": 31}}
    picked = pick(draws, lambda one: Drawn(COUNT, 28, draws[one], {"number": one}))
    assert picked.given["number"] == 2


def test_without_a_clear_draw_the_first_is_taken_without_its_unclear_mistakes():
    picked = pick([1, 2], lambda one: Drawn(COUNT, 28, {"a": 28, "b": one}, {"number": one}))
    assert (picked.given["number"], dict(picked.mistakes)) == (1, {"b": 1})


def test_nothing_to_draw_from_is_no_input():
    with pytest.raises(NoInput):
        pick([], lambda one: one)


def test_a_kind_refuses_what_it_cannot_read():
    with pytest.raises(Misread):
        COUNT.read("many")


def test_a_course_with_mistakes_says_where():
    text = "parts:\n  - title: One\n    minutes: soon\n    questions: []\n    colour: red\n"
    with pytest.raises(TeamError) as raised:
        question.load(text)
    places = {(problem.line, problem.field.split(".")[-1]) for problem in raised.value.problems}
    assert {line for line, _ in places} == {3, 5}
