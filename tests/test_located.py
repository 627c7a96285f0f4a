"""YAML is read with the line of every value, and mistakes are told without telling secrets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dataops_lib import yaml_lines
from dataops_lib.errors import TeamError
from dataops_lib.fields import Frozen
from dataops_lib.teams.models import TeamFile

SECRET = "hunter2-correct-horse"


def problems_of(text):
    with pytest.raises(TeamError) as caught:
        yaml_lines.loads(text, "x.yaml")
    return caught.value.problems


def problem_of(text):
    (problem,) = problems_of(text)
    return problem


# ---- lines


def test_every_value_knows_its_line():
    text = "a: 1\n\n# why\nb:\n  - c: 2\n    d: [x, y]\n  - e\n"
    read = yaml_lines.loads(text, "x.yaml")
    assert read.data == {"a": 1, "b": [{"c": 2, "d": ["x", "y"]}, "e"]}
    assert [read.line(path) for path in [("a",), ("b",), ("b", 0, "c"), ("b", 0, "d", 1)]] == [
        1,
        4,
        5,
        6,
    ]
    assert read.line(("b", 1)) == 7


def test_what_is_missing_gets_the_line_of_its_nearest_parent():
    read = yaml_lines.loads("a:\n  b: 1\n", "x.yaml")
    assert read.line(("a", "nothing", 3)) == 1
    assert read.line(("nothing",)) is None


@given(
    st.recursive(
        st.integers(-(10**18), 10**18) | st.booleans() | st.text("abc xyz", max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text("abcde", min_size=1), inner)
        ),
        max_leaves=12,
    )
)
@settings(max_examples=60)
def test_the_values_are_those_of_plain_yaml_and_each_path_leads_to_one(data):
    import io

    stream = io.StringIO()
    YAML(typ="safe").dump(data, stream)
    read = yaml_lines.loads(stream.getvalue(), "x.yaml")
    assert read.data == data
    for path, line in read.lines.items():
        value = read.data
        for step in path:
            value = value[step]
        assert 1 <= line <= stream.getvalue().count("\n") + 1


@pytest.mark.parametrize("text", ["\ufeffa: 1\nb: 2\n", "a: 1\r\nb: 2\r\n", "---\na: 1\nb: 2"])
def test_marks_and_line_ends_of_other_systems_change_nothing(text):
    read = yaml_lines.loads(text, "x.yaml")
    assert read.data == {"a": 1, "b": 2}
    assert read.line(("b",)) - read.line(("a",)) == 1


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "null"])
def test_an_empty_file_holds_nothing(text):
    assert yaml_lines.loads(text, "x.yaml").data is None


def test_values_that_are_merged_in_are_there():
    read = yaml_lines.loads("a: &a {x: 1}\nb:\n  <<: *a\n  y: 2\n", "x.yaml")
    assert read.data["b"] == {"x": 1, "y": 2}
    assert read.line(("b", "y")) == 4
    assert read.line(("b", "x")) == 2  # its nearest parent's


def test_a_character_that_json_writes_as_two_is_one():
    title = yaml_lines.loads('a: "\\ud83d\\ude00"\n', "x.yaml").data["a"]
    assert title == "\N{GRINNING FACE}"
    assert yaml_lines.loads('a: "\\ud83d"\n', "x.yaml").data["a"].encode()  # never half of one


# ---- mistakes


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\na: 2\n", 2, 'found duplicate key "a"'),
        ("a:\n\tb: 1\n", 2, "found character"),
        ("a: [1,\nb: 2\n", 2, ""),
        ('a: "open\n', 1, ""),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
        ("a: *nowhere\n", 1, "undefined alias"),
        ("a: b: c\n", 1, "mapping values are not allowed"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_line(text, line, message):
    problem = problem_of(text)
    assert problem.file == "x.yaml"
    assert abs(problem.line - line) <= 1
    assert message in problem.message
    assert problem.fix


@pytest.mark.parametrize(
    "text",
    [
        "\x00",
        "a: 2013-13-45",
        "a: !!bool maybe",
        "a: !!int twelve",
        "a: !!omap [x]",
        "a: " + "9" * 5000,
        "[" * 400,
        "[" * 100_000,
        "{a: " * 20_000,
        "[" * 300 + "]" * 301,
        "{" * 400,
        "- " * 1000,
    ],
    ids=lambda text: text[:12],
)
def test_whatever_a_stranger_writes_is_a_problem_and_never_a_traceback(text):
    assert problems_of(text)


def test_a_huge_file_is_refused_at_once():
    problem = problem_of("a: " + "x" * yaml_lines.MAX_CHARACTERS)
    assert "1,000,003 characters, the limit is 1,000,000" in problem.message


def test_aliases_cannot_multiply_into_more_than_fits_in_memory():
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    problem = problem_of("a0: &a0 [x]\n" + "\n".join(levels))
    assert "values or more" in problem.message


def test_a_long_text_that_is_repeated_by_alias_takes_no_memory():
    text = f'b: &b "{"x" * 500_000}"\nl: [{"*b," * 5_000}*b]\n'
    assert "texts too long, once aliases are read" in problem_of(text).message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: {c: 0x" + "f" * 5000 + "}\n", "x.yaml:2: b.c: is a number beyond 10^18"),
        ("a: .inf\n", "x.yaml:1: a: is a number beyond 10^18"),
        ("a: 1\nb: 1e999\n", "x.yaml:2: b: is a number beyond 10^18"),
        ("a: 1\nb: 2026-02-30\n", "x.yaml:2: is not a date or number that exists"),
        ("a: 1\nb: " + "9" * 5000 + "\n", "x.yaml:2: is not a date or number that exists"),
        ("a:\n" + "- " * 100 + "x", "x.yaml:2: has more than 60 levels"),
        ("a:\n" + "- 1\n" * 100_000, "has more than 60,000 values"),
    ],
    ids=["hex", "infinite", "exponent", "date", "digits", "depth", "length"],
)
def test_numbers_dates_and_depths_have_bounds_and_the_line_is_told(text, said):
    assert said in "\n".join(map(str, problems_of(text)))


@pytest.mark.parametrize(
    "text",
    [
        f"password: {SECRET}\npassword: other\n",
        f"password: other\npassword: {SECRET}\n",
        f"password: *{SECRET}\n",
        f'password: "{SECRET}\n',
        f"password: !!int {SECRET}\n",
        f"password: !!float {SECRET}\n",
        f"password: {SECRET}: x\n",
        f"password: @{SECRET}\n",
        f"password: [{SECRET}\n",
        f"catalog: {{properties: {{password: {SECRET}, password: x}}}}\n",
    ],
)
def test_a_password_is_never_repeated_by_a_message_about_yaml(text):
    assert SECRET not in "\n".join(map(str, problems_of(text)))


@pytest.mark.deep
@given(st.text("ab:-[]{}&*!'\"|>%@`#,?\n\t 019.\x00\ufeff\ud83d", max_size=60))
@settings(max_examples=3000)
def test_any_text_is_read_or_refused(text):
    try:
        yaml_lines.loads(text, "x.yaml")
    except TeamError as error:
        assert error.problems


# ---- models


class Inner(Frozen):
    size: int


class Outer(Frozen):
    name: str
    inner: tuple[Inner, ...] = ()


def model_problems(text, model=Outer):
    with pytest.raises(TeamError) as caught:
        yaml_lines.validate(model, yaml_lines.loads(text, "x.yaml"))
    return [(problem.line, problem.field, str(problem)) for problem in caught.value.problems]


def test_all_mistakes_are_told_at_once_each_with_line_field_and_fix():
    found = model_problems("nmae: x\ninner:\n  - size: large\n  - {sise: 1}\n")
    assert [(line, field) for line, field, _ in found] == [
        (None, "name"),
        (1, "nmae"),
        (3, "inner.0.size"),
        (4, "inner.1.sise"),
        (4, "inner.1.size"),
    ]
    texts = [text for _, _, text in found]
    assert texts[0] == "x.yaml: name: is missing. Fix: add `name:`; data/README.md describes it"
    assert texts[1] == "x.yaml:1: nmae: is not a known field. Fix: write `name`"
    assert "is 'large': input should be a valid integer" in texts[2]
    assert texts[3].endswith("is not a known field. Fix: write `size`")


@pytest.mark.parametrize("text", ["", "- a\n", "just text\n", "3\n"])
def test_a_team_file_that_is_no_mapping_says_what_it_should_hold(text):
    ((_, _, message),) = model_problems(text, TeamFile)
    assert "must hold fields such as `name:` and `zone:`" in message


def test_a_wrong_value_is_shown_but_not_where_passwords_stand():
    wrong_zone = "name: a\ntitle: A\nzone: Nowhere/Land\n"
    assert "is 'Nowhere/Land': not a time zone" in model_problems(wrong_zone, TeamFile)[0][2]
    for given_ in (f"catalog: {SECRET}", f"catalog: {{properties: {SECRET}}}"):
        texts = model_problems(f"name: a\ntitle: A\nzone: UTC\n{given_}\n", TeamFile)
        assert texts
        assert SECRET not in str(texts)
