"""Faults of workflows: those of the article (E1 to E3, E18, E19), and their relatives."""

from functools import cache

import pytest

from dataops_lib import playbook
from dataops_lib.delivery.workflows import faults, workflow

HEAD = "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n"
CHECKOUT = "      - uses: actions/checkout@v4\n"
INSTALL = "      - run: pip install -r requirements.lock\n"


def rules_of(text: str) -> list[tuple[str, int | None]]:
    problems = faults.lint(workflow.loads(text, "ci.yml"))
    return [(problem.field, problem.line) for problem in problems]


@cache
def article():
    return faults.lint(workflow.loads(playbook.text("article_workflow.yml"), "article.yml"))


@pytest.mark.parametrize(
    ("rule", "line", "words"),
    [
        ("CI09", 50, "let integration_test run for the same events"),  # E1
        ("CI07", 46, "nightly"),
        ("CI01", 29, "has not checked it out"),  # E2
        ("CI02", 29, "dbt is not on the runner"),
        ("CI03", 30, "state:modified+, --defer"),
        ("CI03", 56, "state:modified+"),
        ("CI06", 7, "contracts/**"),
        ("CI06", 7, "scripts/validate_contracts.py"),
        ("CI08", 46, "1.0 has no command line"),
        ("CI12", 34, "who logs in"),
        ("CI11", 11, "permissions"),
        ("CI04", 61, "github.event.head_commit.message"),  # E3
        ("CI05", 60, "secrets.SLACK_WEBHOOK"),
        ("CI10", 56, "in place"),  # E19
    ],
)
def test_each_fault_of_the_article_is_told_with_its_line(rule, line, words):
    texts = [str(p) for p in article() if (p.field, p.line) == (rule, line)]
    assert any(words in text for text in texts), texts


def test_a_job_that_is_checked_out_and_installed_is_left_alone():
    assert rules_of(HEAD + CHECKOUT + INSTALL + "      - run: ruff check .\n") == []
    assert rules_of(HEAD + CHECKOUT + "      - run: ruff check .\n") == [("CI02", 8)]
    assert rules_of(HEAD + INSTALL + "      - run: ruff check .\n") == [("CI01", 8)]


@pytest.mark.parametrize(
    ("script", "rule"),
    [
        ("dbt build -s state:modified --state old", None),
        ("dbt build -s state:modified", "CI03"),
        ("uv run dbt build --defer", "CI03"),
        ("echo 'dbt build -s state:modified'", None),
        ("dbt run -t prod", "CI10"),
        ('airflow dags trigger x --conf \'{"execution_date": "2024-01-01"}\'', "CI08"),  # E18
        ("airflow dags trigger x --logical-date 2024-01-01", None),
        ("echo ${{ github.head_ref }}", "CI04"),
        ("echo ${{ github.event.commits[0].message }}", "CI04"),
        ("echo ${{ format('{0}', inputs.name) }}", "CI04"),
        ("echo ${{ github.sha }}", None),
        ("curl -H 'key: ${{ secrets.KEY }}' x", "CI05"),
    ],
)
def test_commands_are_read_as_bash_reads_them(script, rule):
    block = "      - run: |\n          cd x && \\\n            " + script + "\n"
    expected = [] if rule is None else [(rule, 11)]
    assert rules_of(HEAD + CHECKOUT + INSTALL + block) == expected


def test_a_condition_around_an_expression_is_always_true():
    text = HEAD.replace("runs-on", "if: ${{ github.ref }} == 'refs/heads/main'\n    runs-on")
    assert rules_of(text + CHECKOUT) == [("CI13", 5)]


def test_every_rule_has_a_text_a_fix_and_a_source_that_exists():
    rules = workflow.rules()
    for name, rule in rules["rules"].items():
        assert rule["text"] and rule["fix"] and rule["source"] in rules["sources"], name


def test_zizmor_agrees_on_the_injection(tmp_path):
    path = tmp_path / "article.yml"
    path.write_text(playbook.text("article_workflow.yml"))
    problems = faults.zizmor(path)
    if problems is None:
        pytest.skip("zizmor is not installed here")
    ours = {p.line for p in article() if p.field == "CI04"}
    theirs = {p.line for p in problems if p.field == "template-injection"}
    assert theirs & ours
