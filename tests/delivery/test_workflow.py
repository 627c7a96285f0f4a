"""A workflow is read as GitHub reads it, and run on paper for one event (S15, S16, S23)."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops_lib import delivery, playbook
from dataops_lib.delivery.workflows import simulation, workflow
from dataops_lib.delivery.workflows.expressions import UNKNOWN, Partial, asks_for_status, evaluate
from dataops_lib.delivery.workflows.simulation import (
    Event,
    matches,
    pull_request,
    push,
    schedule,
    tag,
)
from dataops_lib.errors import TeamError

CLONE = Path(__file__).parents[2]
OURS = sorted((CLONE / ".github" / "workflows").glob("*.yml"))


@cache
def article():
    return workflow.loads(playbook.text("article_workflow.yml"), "article_workflow.yml")


def small(on: str, jobs: str) -> workflow.Workflow:
    """A workflow whose jobs have a runner and one step each."""
    lines = [
        f"  {name}: {{runs-on: x, steps: [{{run: 'true'}}]{', ' if rest else ''}{rest}}}"
        for name, _, rest in (line.strip().partition(" ") for line in jobs.strip().splitlines())
    ]
    return workflow.loads(f"on: {on}\njobs:\n" + "\n".join(lines) + "\n", "ci.yml")


# ---- the article (S15, S16, S21, S23; correction E1)


def test_the_articles_deploy_job_runs_on_no_event_at_all():
    assert delivery.simulate(article(), push("main")) == {
        "lint_and_format": "runs",
        "dbt_test": "runs",
        "integration_test": "skipped",
        "deploy_production": "never",
    }
    outcomes = delivery.simulate(article(), pull_request("models/fct_orders.sql"))
    assert list(outcomes.values()) == ["runs", "runs", "runs", "never"]


def test_a_pull_request_that_only_changes_a_contract_starts_nothing_of_the_article():
    outcomes = delivery.simulate(article(), pull_request("contracts/fct_orders.yaml"))
    assert set(outcomes.values()) == {"skipped", "never"}


def test_the_corrected_workflow_deploys_on_main_alone_and_after_all_gates():
    corrected = workflow.loads(
        (CLONE / ".github/workflows/dataops-pipeline.yml").read_text(), "dataops-pipeline.yml"
    )
    on_main = delivery.simulate(corrected, push("main", "data/teams/orders/team.yaml"))
    assert set(on_main.values()) == {"runs"}
    request = delivery.simulate(corrected, pull_request("data/teams/orders/contracts/x.yaml"))
    assert request == on_main | {"deploy": "skipped"}
    assert simulation.never_run(corrected) == set()
    assert corrected.ancestors("deploy") == set(corrected.jobs) - {"deploy"}


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_our_own_workflows_have_no_fault(path):
    from dataops_lib.delivery.workflows import faults

    checked = workflow.loads(path.read_text(encoding="utf-8"), path.name)
    assert [str(problem) for problem in faults.lint(checked)] == []


# ---- what GitHub does with ten workflows of other projects, decided by hand
# Triggers, needs and conditions as these projects have them; all else is left out.

FORK = "github.event.pull_request.head.repo.full_name != 'httplib2/httplib2'"
OWN = "github.repository == 'httplib2/httplib2'"
ON_TAG = "if: \"startsWith(github.ref, 'refs/tags/')\""
PUBLIC = {
    "idna/deploy": ("push", "build", f"publish {ON_TAG}, needs: [build]", "release needs: publish"),
    "urllib3/publish": (
        "{push: {tags: ['*']}}",
        "build",
        "provenance needs: [build]",
        f"publish {ON_TAG}, needs: [build, provenance]",
    ),
    "urllib3/ci": (
        "[push, pull_request, workflow_dispatch]",
        "package",
        "test",
        "coverage if: always(), needs: test",
    ),
    "charset_normalizer/cd": (
        "{workflow_dispatch: , release: {types: [created]}}",
        "check",
        "wheel needs: [check]",
        f"deploy {ON_TAG}, needs: wheel",
    ),
    "charset_normalizer/ci": (
        "{workflow_call: , pull_request: , push: {branches: [master]}}",
        "lint",
        "tests",
        "coverage needs: [tests]",
    ),
    "httplib2/test": (
        "{push: , pull_request: , schedule: [{cron: '34 4 */7 * *'}]}",
        f"test if: \"github.event_name == 'push' || {FORK}\"",
        f"old if: \"false && (github.event_name == 'push' || {FORK})\"",
    ),
    "httplib2/publish": (
        "{pull_request: , push: {branches: [master], tags: ['v[0-9]*']}}",
        f"build if: \"${{{{ github.event_name == 'push' || {FORK} }}}}\"",
        f"prod if: \"${{{{ {OWN} && startsWith(github.ref, 'refs/tags/') }}}}\", needs: [build]",
        f"staging if: \"{OWN} && github.ref == 'refs/heads/master'\", needs: [build]",
    ),
    "certifi/release": (
        "{workflow_dispatch: , push: {tags: ['*.*.*']}}",
        "build",
        "pypi needs: [build]",
    ),
    "pyparsing/ci": (
        "{push: {branches: [master]}, pull_request: {paths: [a/ci.yml, pyparsing/*, tox.ini]}}",
        "tests",
    ),
    "pyenv/modified": (
        "[pull_request]",
        "discover",
        "macos needs: discover, if: \"needs.discover.outputs.versions != 'none'\"",
    ),
}
RELEASE = Event("release", "refs/tags/3.3.2", action="created")
MANUAL = Event("workflow_dispatch", "refs/heads/master")
BY_HAND = [
    ("idna/deploy", push("main"), "runs skipped skipped"),
    ("idna/deploy", tag("v3.7"), "runs runs runs"),
    ("urllib3/publish", push("main"), "skipped skipped skipped"),
    ("urllib3/publish", tag("2.2.1"), "runs runs runs"),
    ("urllib3/ci", push("main"), "runs runs runs"),
    ("charset_normalizer/cd", MANUAL, "runs runs skipped"),
    ("charset_normalizer/cd", RELEASE, "runs runs runs"),
    ("charset_normalizer/cd", replace(RELEASE, action="edited"), "skipped skipped skipped"),
    ("charset_normalizer/ci", push("main"), "skipped skipped skipped"),
    ("charset_normalizer/ci", push("master"), "runs runs runs"),
    ("httplib2/test", push("any"), "runs never"),
    ("httplib2/test", pull_request("a.py"), "unknown never"),
    ("httplib2/test", schedule(), "runs never"),
    ("httplib2/publish", tag("v0.22"), "runs unknown skipped"),
    ("httplib2/publish", tag("0.22"), "skipped skipped skipped"),
    ("httplib2/publish", push("master"), "runs skipped unknown"),
    ("certifi/release", tag("2024.2.2"), "runs runs"),
    ("certifi/release", tag("v2024"), "skipped skipped"),
    ("pyparsing/ci", pull_request("docs/x.rst"), "skipped"),
    ("pyparsing/ci", pull_request("docs/x.rst", "pyparsing/core.py"), "runs"),
    ("pyenv/modified", pull_request("plugins/x"), "runs unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "event", "expected"), BY_HAND, ids=str)
def test_public_workflows_do_what_was_decided_by_hand(name, event, expected):
    on, *jobs = PUBLIC[name]
    checked = small(on, "\n".join(jobs))
    order = [job.split(" ")[0] for job in jobs]
    outcomes = delivery.simulate(checked, event)
    assert [outcomes[job] for job in order] == expected.split()


# ---- conditions


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'MAIN' == 'main'", True),
        ("null == 0 && '' == 0 && false == 0", True),
        ("'a' != 5", True),
        ("'' || 'main'", "main"),
        ("'it''s'", "it's"),
        ("!contains(fromJSON('[\"a\", \"b\"]'), 'B')", False),
        ("format('{0}{{}}', 1)", "1{}"),
        ("join(github.list.*.n, '+')", "1+2"),
        ("github.absent.deeper == null", True),
        ("vars.TEAM != ''", UNKNOWN),
        ("vars.TEAM != '' && false", False),
        ("true || vars.TEAM", True),
        ("1 < 2 && 0x10 >= 16", True),
    ],
)
def test_expressions_have_the_values_that_github_gives_them(expression, value):
    contexts = {"github": {"list": [{"n": 1.0}, {"n": 2.0}]}, "vars": Partial()}
    assert evaluate(expression, contexts, {}) == value or value is UNKNOWN


@pytest.mark.parametrize(
    "text", ['"double"', "a ==", "(true", "nope.x", "foo()", "startsWith('a')"]
)
def test_an_expression_that_github_refuses_is_refused_with_its_line(text):
    with pytest.raises(TeamError, match=r"ci\.yml:3: jobs\.a\.if: the condition"):
        workflow.loads(
            f"on: push\njobs:\n  a: {{runs-on: x, if: '{text.replace(chr(39), chr(39) * 2)}'}}\n",
            "ci.yml",
        )


@given(st.text(max_size=40))
def test_any_text_as_condition_is_evaluated_or_refused_with_a_reason(text):
    try:
        evaluate(text, {"github": Partial()}, {"always": lambda: True})
        asks_for_status(text)
    except ValueError as error:
        assert str(error)


def test_a_job_is_skipped_when_a_job_far_above_it_was_though_the_one_between_ran():
    """actions/runner, issue 2205: success() looks at all ancestors."""
    checked = small("push", "a if: false\nb needs: a, if: always()\nc needs: b")
    assert delivery.simulate(checked, push()) == {"a": "never", "b": "runs", "c": "never"}


def test_a_job_for_failures_is_skipped_when_all_goes_well_but_not_for_ever():
    checked = small("push", "a\nclean needs: a, if: failure()")
    assert delivery.simulate(checked, push())["clean"] == "skipped"


# ---- filters


@pytest.mark.parametrize(
    ("pattern", "fits", "not_"),
    [
        ("*", "README.md", "a/README.md"),
        ("**", "a/b/c.js", None),
        ("docs/*", "docs/a.md", "docs/b/a.md"),
        ("**/docs/**", "docs/a.md", "docs"),
        ("**/README.md", "js/README.md", "README.mdx"),
        ("*.jsx?", "page.js", "page.jsxx"),
        ("v[12].[0-9]+.[0-9]+", "v1.10.1", "v3.0.0"),
        ("release/**", "release/a/b", "release"),
        ("feature/*", "feature/a", "feature/a/b"),
    ],
)
def test_filters_are_the_globs_of_github(pattern, fits, not_):
    assert matches(fits, [pattern])
    assert not_ is None or not matches(not_, [pattern])


def test_branches_alone_leave_tags_out_and_tags_alone_leave_branches_out():
    only_branches = small("{push: {branches: ['**']}}", "a")
    only_tags = small("{push: {tags: ['**']}}", "a")
    assert delivery.simulate(only_branches, tag("v1")) == {"a": "skipped"}
    assert delivery.simulate(only_tags, push("main")) == {"a": "skipped"}
    assert delivery.simulate(small("push", "a"), tag("v1")) == {"a": "runs"}


def test_paths_ignore_skips_only_when_every_file_is_ignored():
    checked = small("{push: {paths-ignore: ['docs/**']}}", "a")
    assert delivery.simulate(checked, push("main", "docs/a")) == {"a": "skipped"}
    assert delivery.simulate(checked, push("main", "docs/a", "b")) == {"a": "runs"}
    assert delivery.simulate(checked, push("main")) == {"a": "unknown"}


# ---- mistakes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("on: push\njobs: {a: {runs-on: x, need: b}}\n", r"ci\.yml:2: jobs\.a\.need: .*`needs`"),
        ("on: pusch\njobs: {a: {runs-on: x}}\n", "is not an event of GitHub. Fix: write `push`"),
        ("on: push\njobs: {a: {steps: []}}\n", "has no runner"),
        (
            "on: push\njobs: {bild: {runs-on: x}, b: {runs-on: x, needs: build}}\n",
            "no job 'build'. Fix: write `bild`",
        ),
        (
            "on: push\njobs: {a: {runs-on: x, needs: b}, b: {runs-on: x, needs: a}}\n",
            "wait for each other: ",
        ),
        ("on: push\njobs: {a: {runs-on: x, steps: [{name: nothing}]}}\n", "does nothing"),
        ("on: {schedule: [{cron: 'soon'}]}\njobs: {a: {runs-on: x}}\n", "no schedule"),
        ("on: {push: {paths: [a], paths-ignore: [b]}}\njobs: {a: {runs-on: x}}\n", "only one"),
        ("jobs: {a: {runs-on: x}}\n", "names no event"),
        ("on: push\n", "there are no jobs"),
        ("[]", "there are no jobs"),
    ],
)
def test_a_file_that_github_refuses_says_line_reason_and_fix(text, message):
    with pytest.raises(TeamError, match=message):
        workflow.loads(text, "ci.yml")


def test_the_key_on_is_no_truth_value_even_where_the_file_asks_for_yaml_1_1():
    text = "%YAML 1.1\n---\non: push\njobs:\n  a: {runs-on: x}\n"
    assert list(workflow.loads(text, "ci.yml").triggers) == ["push"]
