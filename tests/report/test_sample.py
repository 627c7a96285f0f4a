"""The sample report in docs/ is what the report says today."""

import re
from html import unescape
from pathlib import Path

from dataops_lib import report, teams
from dataops_lib.report import notebook, page

SAMPLE = Path(__file__).parents[2] / "docs" / "sample_report.html"


def words(html):
    """The text of a piece of HTML, in one line."""
    text = re.sub(r"<style>.*?</style>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_the_sample_report_says_what_the_report_says_today():
    diagnosis = report.diagnose(teams.example("flights"))
    sample = words(SAMPLE.read_text(encoding="utf-8"))
    parts = (page.page_one, page.levels, page.decisions, page.budgets, page.onboarding)
    for part in (*parts, page.unknowns):
        stale = "the sample is stale: run `make sample`"
        assert words(notebook.SECTION.sub("", part(diagnosis).html)) in sample, stale


def test_the_sample_report_is_one_file_under_a_megabyte():
    assert SAMPLE.stat().st_size < 1_000_000
    assert 'src="http' not in SAMPLE.read_text(encoding="utf-8")
