"""Reports made by real papermill: complete or not at all, self-contained, the same again."""

import json
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from dataops_lib import report
from dataops_lib.errors import UsageError
from dataops_lib.report import notebook as report_notebook
from dataops_lib.report import runner
from dataops_lib.teams import folders


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bare-teams")
    folders.create("bare", root=folder)
    return folder


@pytest.fixture(scope="module")
def flights_report(flights, tmp_path_factory):
    """Page one of the real team as of the end of the ten-day replay."""
    out = tmp_path_factory.mktemp("reports")
    return report.run("flights", root=flights.root, out=out, sections=())


class Page(HTMLParser):
    """What a browser would load, and how the page is built."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.headings, self.pictures, self.language = [], [], [], None
        self.scripts = 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "html":
            self.language = given.get("lang")
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "img":
            self.pictures.append(given)
        self.scripts += tag == "script"
        if tag in ("img", "script", "link", "iframe", "source", "video", "audio", "object"):
            self.loads += [given[name] for name in ("src", "href", "data") if given.get(name)]


def loaded_from_elsewhere(text):
    """Everything a page would fetch: attributes, style sheets and imports."""
    urls = Page(text).loads + re.findall(r"url\(\s*['\"]?([^)'\"]+)", text)
    urls += re.findall(r"@import\s+['\"]([^'\"]+)", text)
    return [url for url in urls if not url.startswith("data:")]


def test_a_page_that_loads_something_is_caught():
    assert loaded_from_elsewhere('<link href="https://cdn.example/x.css">')
    assert loaded_from_elsewhere("<style>a{background:url(https://cdn.example/x.png)}</style>")


def test_the_report_is_one_file_that_loads_nothing(flights_report):
    text = flights_report.read_text()
    assert loaded_from_elsewhere(text) == []
    assert Page(text).scripts == 0


def test_the_report_is_smaller_than_a_megabyte(flights_report):
    assert flights_report.stat().st_size < 1_000_000


def test_headings_come_in_order_and_the_language_is_named(flights_report):
    page = Page(flights_report.read_text())
    assert page.language == "en"
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))


def test_every_picture_says_in_words_what_it_shows(flights_report):
    pictures = Page(flights_report.read_text()).pictures
    assert pictures
    for picture in pictures:
        assert len(picture["alt"]) > 20


def test_code_stays_hidden(flights_report):
    assert "teams.load(" not in flights_report.read_text()


def test_the_folder_holds_page_record_and_notebook_and_nothing_else(flights_report):
    names = sorted(path.name for path in flights_report.parent.iterdir())
    assert names == ["10_team_report.ipynb", "diagnosis.json", "facts.csv", "index.html"]


def test_the_record_has_every_finding_with_its_numbers_and_where_it_came_from(flights_report):
    record = json.loads((flights_report.parent / "diagnosis.json").read_text())
    assert record["schema_version"] == 1
    assert record["findings"]
    for finding in record["findings"]:
        assert set(finding) == {"subject", "status", "evidence", "next_step", "numbers"}
    made = record["provenance"]
    assert made["parameters"]["team"] == "flights"
    assert {"duckdb", "pyiceberg", "python"} <= set(made["versions"])
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in made["inputs"].values())
    assert {"team.yaml", "slos.yaml", "runs.csv"} <= set(made["inputs"])


def test_the_record_has_each_budget_with_its_evidence_worst_first(flights_report):
    record = json.loads((flights_report.parent / "diagnosis.json").read_text())
    budgets = [one["numbers"] for one in record["findings"] if one["subject"].endswith(" budget")]
    assert len(budgets) == 6
    ratios = [one["remaining_ratio"] for one in budgets]
    assert ratios == sorted(ratios)
    for one in budgets:
        unit = one["unit"]
        left = one[f"allowed_{unit}"] - (one["total"] - one["good"])
        assert one[f"left_{unit}"] == pytest.approx(left)
        assert one[f"allowed_{unit}"] == pytest.approx((1 - one["target_ratio"]) * one["total"])
        assert (one["window"], one["verdict"]) == ("30-day rolling", "breached")
        assert (one["interval_ratio"] is None) == (unit == "minutes")


def test_the_page_shows_each_budget_and_each_task_of_a_newcomer(flights_report):
    record = json.loads((flights_report.parent / "diagnosis.json").read_text())
    text = unescape(re.sub(r"<[^>]+>", "", flights_report.read_text()))
    assert text.count("30-day rolling") == 6
    assert 'Policy for "spent": Stop features' in text
    assert len(record["onboarding"]) == 7
    for subject in record["onboarding"]:
        assert f"{subject}:" in text


def test_the_same_inputs_give_the_same_record(flights_report, flights, tmp_path):
    again = report.run("flights", root=flights.root, out=tmp_path, sections=())
    first = (flights_report.parent / "diagnosis.json").read_bytes()
    assert (again.parent / "diagnosis.json").read_bytes() == first


def test_the_record_has_no_snapshot_ids_and_no_paths(flights_report):
    text = (flights_report.parent / "diagnosis.json").read_text()
    assert not re.search(r"(?<![.\d])\d{15,}", text)  # decimals of a ratio are longer
    assert str(Path.home()) not in text
    assert str(flights_report.parents[2]) not in text


def test_the_two_teams_differ_where_their_data_differ(flights_report, orders, tmp_path):
    other = report.run("orders", root=orders.root, out=tmp_path, sections=())
    one, two = (
        json.loads((p.parent / "diagnosis.json").read_text()) for p in (flights_report, other)
    )
    assert one["headline"] != two["headline"]
    assert {t["name"] for t in one["tiles"]} == {t["name"] for t in two["tiles"]}
    assert [t["total"] for t in one["tiles"]] != [t["total"] for t in two["tiles"]]


def test_a_team_without_any_data_gets_a_report_that_says_so(bare, tmp_path):
    page = report.run("bare", as_of="2026-03-01", root=bare, out=tmp_path, sections=())
    record = json.loads((page.parent / "diagnosis.json").read_text())
    assert all(finding["status"] == "unknown" for finding in record["findings"])
    assert "runs.csv" in page.read_text()


def test_a_section_that_fails_becomes_a_page_that_says_so(bare, tmp_path, monkeypatch):
    folder = with_notebook(tmp_path, "01_broken", "raise ValueError('<b>no</b>')")
    monkeypatch.setattr(report_notebook, "NOTEBOOKS", folder)
    page = report.run(
        "bare", as_of="2026-03-01", root=bare, out=tmp_path / "out", sections=("01_broken",)
    )
    assert "01_broken.html" in page.read_text()
    assert "(failed)" in page.read_text()
    failed = (page.parent / "01_broken.html").read_text()
    assert "ValueError: &lt;b&gt;no&lt;/b&gt;" in failed
    assert runner.failed_sections(page) == ["01_broken"]


def test_a_page_one_that_fails_leaves_a_failure_page(bare, tmp_path, monkeypatch):
    folder = with_notebook(tmp_path, "10_team_report", "1 / 0")
    monkeypatch.setattr(report_notebook, "NOTEBOOKS", folder)
    with pytest.raises(runner.ReportError) as error:
        report.run("bare", as_of="2026-03-01", root=bare, out=tmp_path / "out", sections=())
    assert "ZeroDivisionError" in str(error.value)
    assert error.value.page.name == "index.html"
    assert "failed" in error.value.page.read_text()
    assert [path.name for path in error.value.page.parent.iterdir()] == ["index.html"]


def test_a_good_report_stays_when_a_later_run_fails(bare, tmp_path, monkeypatch):
    good = report.run("bare", as_of="2026-03-01", root=bare, out=tmp_path / "out", sections=())
    before = good.read_bytes()
    folder = with_notebook(tmp_path, "10_team_report", "1 / 0")
    monkeypatch.setattr(report_notebook, "NOTEBOOKS", folder)
    with pytest.raises(runner.ReportError) as error:
        report.run("bare", as_of="2026-03-01", root=bare, out=tmp_path / "out", sections=())
    assert good.read_bytes() == before
    assert error.value.page.name == "failed.html"


def test_a_missing_kernel_is_named(bare, tmp_path, monkeypatch):
    monkeypatch.setattr(report_notebook, "KERNEL", "no-such-kernel")
    with pytest.raises(runner.ReportError, match="no Jupyter kernel 'no-such-kernel'"):
        report.run("bare", as_of="2026-03-01", root=bare, out=tmp_path, sections=())


def test_a_parameter_that_the_notebook_does_not_have_is_refused(tmp_path):
    with pytest.raises(UsageError, match="has no parameter teem; it has"):
        report_notebook.execute("10_team_report", {"teem": "flights"}, tmp_path / "x.ipynb")


def test_a_full_disk_leaves_no_half_report(bare, tmp_path):
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "from dataops_lib import report\n"
        "report.run('bare', as_of='2026-03-01', root=sys.argv[1], out=sys.argv[2], sections=())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(bare), str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "ReportError" in done.stderr
    assert (
        not list(tmp_path.rglob("index.html"))
        or "failed" in next(tmp_path.rglob("index.html")).read_text()
    )
    assert not list(tmp_path.rglob("diagnosis.json"))
    assert not list(tmp_path.rglob(".*part*"))


def with_notebook(tmp_path, name, code):
    """A folder of our notebooks in which `name` runs `code`."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for path in report_notebook.NOTEBOOKS.glob("10_*.ipynb"):
        (folder / path.name).write_bytes(path.read_bytes())
    parameters = 'team: str = "flights"  # team\nas_of: str = "2013-03-01"  # day'
    cells = [
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(code),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder


def test_text_of_a_team_is_escaped_wherever_it_appears(tmp_path):
    folder = folders.create("odd", title="<script>alert(1)</script> & co", root=tmp_path)
    assert folder.name == "odd"
    page = report.run("odd", as_of="2026-03-01", root=tmp_path, out=tmp_path / "out", sections=())
    text = page.read_text()
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co" in text
