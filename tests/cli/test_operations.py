"""`dataops lint` as a stranger, a script and a pipeline meet it."""

import json

import pytest
from conftest import CLONE
from typer.testing import CliRunner

from dataops_lib.cli.main import app, exit_code
from dataops_lib.errors import DataError, UsageError
from dataops_lib.runbooks import coverage

ARTICLE = str(CLONE / "data" / "playbook" / "article_runbook.md")
POSTMORTEM = str(CLONE / "data" / "playbook" / "article_postmortem.md")


def run(*words, stdin=None):
    return CliRunner().invoke(app, list(words), input=stdin)


def test_each_weakness_is_one_line_with_file_line_and_fix():
    result = run("lint", ARTICLE)
    assert result.exit_code == 1
    assert f"{ARTICLE}:7: RB05 a time without a zone" in result.stdout
    assert "Fix: Write 'before 07:00 Europe/Berlin'" in result.stdout
    assert result.stdout.splitlines()[-1].endswith("weaknesses in 1 file")


def test_postmortems_are_told_from_runbooks_by_path_or_title(tmp_path):
    assert " PM10 " in run("lint", POSTMORTEM).stdout
    (tmp_path / "a.md").write_text("# Incident Postmortem: x\n")
    (tmp_path / "b.md").write_text("# Runbook: x\n")
    rules = {row["file"][-4:]: row["rule"][:2] for row in
             json.loads(run("lint", str(tmp_path), "--format", "json").stdout)}  # fmt: skip
    assert rules == {"a.md": "PM", "b.md": "RB"}
    assert " RB01 " in run("lint", POSTMORTEM, "--kind", "runbook").stdout


def test_a_text_without_weakness_exits_with_zero(tmp_path):
    book = tmp_path / "x.md"
    book.write_text("<!-- lint: allow RB01 RB02 -->\n# Runbook: x\n")
    result = run("lint", str(book))
    assert (result.exit_code, result.stdout) == (0, "1 file: no weaknesses found\n")
    assert run("lint", "-", stdin="# Runbook: x\n").exit_code == 1


def test_sarif_names_rule_place_and_reason():
    log = json.loads(run("lint", ARTICLE, "--format", "sarif").stdout)
    (found,) = log["runs"]
    assert log["version"] == "2.1.0"
    rules = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    for result in found["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["region"]["startLine"] >= 1
        assert place["artifactLocation"]["uri"] == ARTICLE


def test_github_annotations_cannot_be_broken_by_the_text(tmp_path):
    book = tmp_path / "a,b.md"
    book.write_text("# R\n\n## Header\n\nSLA: 100% by 7 AM\n")
    lines = run("lint", str(book), "--format", "github").stdout.splitlines()
    assert all(line.startswith("::warning file=") and "a%2Cb.md" in line for line in lines)
    assert any("100%25 by 7 AM" in line for line in lines)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["lint", "nowhere.md"], UsageError, "nowhere.md: cannot be read"),
        (["lint", ARTICLE, "--format", "xml"], UsageError, "must be one of text, json, sarif"),
        (["lint", ARTICLE, "--kind", "poem"], UsageError, "--kind is 'poem'"),
        (["lint", ARTICLE, "--team", "nobody"], UsageError, "there is no team 'nobody'"),
    ],
)
def test_a_wrong_call_gets_one_sentence(words, error, message):
    result = run(*words)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path):
    (tmp_path / "x.md").write_bytes(b"# R\n\xff\xfe")
    result = run("lint", str(tmp_path / "x.md"))
    assert isinstance(result.exception, DataError)
    assert "x.md:2: is not UTF-8" in str(result.exception)
    assert exit_code(lambda **_: (_ for _ in ()).throw(result.exception)) == 1


def test_with_a_team_its_alerts_and_roster_count(orders, monkeypatch):
    words = ("--team", "orders", "--teams-dir", str(orders.root))
    assert "nothing answers the alert" not in run("lint", ARTICLE, *words).stdout
    monkeypatch.setattr(coverage, "texts", lambda folder: {})  # without its own runbooks
    assert "nothing answers the alert" in run("lint", ARTICLE, *words).stdout
