"""Earlier reports as rows, changes beyond chance, and one run over all teams."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dataops_lib.cli import main
from dataops_lib.report import fleet, history

TEAM = """name: {name}
title: {name} <b>&
zone: UTC
people: [{{name: Ana, role: engineer}}]
pipelines: [{{name: p, schedule: "0 6 * * *", first_due: 2026-08-01}}]
tables: [{{name: t, pipeline: p, tier: 1, owner: Ana, day_column: d, about: x}}]
"""


def record(as_of, good, total=30, *, team="a"):
    end = date.fromisoformat(as_of)
    start = end - timedelta(days=30)
    tile = {"name": "success", "label": "Runs", "status": "ok", "good": good, "total": total}
    return {
        "team": team, "as_of": as_of, "headline": f"{good} of {total}", "decisions": [],
        "window": {"start": f"{start}T00:00:00+00:00", "end": f"{end}T00:00:00+00:00"},
        "tiles": [tile], "findings": [],
    }  # fmt: skip


def keep(out, made):
    folder = out / made["team"] / made["as_of"]
    folder.mkdir(parents=True)
    (folder / "diagnosis.json").write_text(json.dumps(made))
    return made


def test_without_an_earlier_report_nothing_is_called_a_change(tmp_path):
    assert history.changes(record("2026-10-01", 20), tmp_path) == {}
    assert history.read(tmp_path, "a").empty


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        (30, 20, "30 of 30 on 2026-09-01: worse, more than chance"),
        (20, 30, "20 of 30 on 2026-09-01: better, more than chance"),
        (29, 28, "29 of 30 on 2026-09-01: no more than chance"),
    ],
)
def test_a_change_is_named_only_when_chance_does_not_explain_it(tmp_path, before, now, text):
    keep(tmp_path, record("2026-09-01", before))
    assert history.changes(record("2026-10-01", now), tmp_path)["success"].text == text


def test_the_p_value_is_that_of_fishers_exact_test(tmp_path):
    keep(tmp_path, record("2026-09-01", 3, 4))
    change = history.changes(record("2026-10-01", 1, 4), tmp_path)["success"]
    assert change.p_value == pytest.approx(34 / 70)  # Fisher's tea: 1 or 3 of 4 and beyond


def test_a_report_of_an_overlapping_period_or_an_unknown_tile_is_not_compared(tmp_path):
    keep(tmp_path, record("2026-09-20", 1))
    assert history.changes(record("2026-10-01", 30), tmp_path) == {}
    keep(tmp_path, record("2026-08-31", 0, 0))
    assert history.changes(record("2026-10-01", 30), tmp_path) == {}


def test_the_history_is_the_reports_in_order_and_a_broken_one_is_left_out(tmp_path):
    for month, good in (("2026-10-01", 20), ("2026-09-01", 30)):
        keep(tmp_path, record(month, good))
    (tmp_path / "a" / "2026-10-01" / "diagnosis.json").write_text("{half")
    rows = history.read(tmp_path, "a")
    assert rows[["as_of", "good", "schema"]].values.tolist() == [["2026-09-01", 30, 1]]


# ---- all teams


@pytest.fixture
def folder(tmp_path):
    for name in ("fine", "typo"):
        (tmp_path / "teams" / name).mkdir(parents=True)
        (tmp_path / "teams" / name / "team.yaml").write_text(TEAM.format(name=name))
    path = tmp_path / "teams" / "typo" / "team.yaml"
    path.write_text(path.read_text().replace("title:", "titel:"))
    return tmp_path


def test_one_team_with_a_typo_stops_no_other_and_is_named_with_what_to_fix(folder):
    call = ["report", "--all", "--page-one", "--as-of", "2026-10-01"]
    call += ["--teams-dir", str(folder / "teams"), "--out", str(folder / "out")]
    done = CliRunner().invoke(main.app, call)
    assert done.exit_code == 1
    assert (folder / "out" / "fine" / "2026-10-01" / "facts.csv").is_file()
    page = (folder / "out" / "index.html").read_text()
    assert "team.yaml:2: titel: is not a known field" in page
    assert "fine &lt;b&gt;&amp;" in page and "<b>&" not in page
    assert "<script" not in page
    assert page.index(">typo") < page.index("fine/2026-10-01/index.html")  # the worst first


def test_a_report_that_was_not_made_this_month_never_looks_new(folder):
    keep(folder / "out", record("2026-07-01", 30, team="fine"))
    outcome = fleet.Outcome(failures={"fine": ("the catalog is away",)})
    (entry,) = fleet.entries(
        ["fine"], outcome, out=folder / "out", today=date(2026, 10, 2), root=folder / "teams"
    )
    assert (entry.as_of, entry.is_old, entry.status) == ("2026-07-01", True, "failed")
    text = fleet.index([entry], folder / "out", date(2026, 10, 2)).read_text()
    assert "(old: 93 days)" in text and "the catalog is away" in text


def test_report_needs_names_or_all(folder):
    for call in (["report"], ["report", "fine", "--all"]):
        done = CliRunner().invoke(main.app, [*call, "--teams-dir", str(folder / "teams")])
        assert "name one or more teams, or say --all" in str(done.exception)


@pytest.mark.deep
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_killed_run_over_many_teams_leaves_no_half_page_and_can_be_run_again(tmp_path, share):
    names = [f"team{n}" for n in range(8)]
    for name in names:
        (tmp_path / "teams" / name).mkdir(parents=True)
        (tmp_path / "teams" / name / "team.yaml").write_text(TEAM.format(name=name))
    call = [Path(sys.executable).parent / "dataops", "report", "--all", "--page-one"]
    call += ["--as-of", "2026-10-01", "--teams-dir", tmp_path / "teams", "--out", tmp_path / "out"]
    started = subprocess.Popen(call, stdout=subprocess.DEVNULL, start_new_session=True)
    time.sleep(share * 40)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait(timeout=30)
    for path in (tmp_path / "out").glob("team*/2026-10-01/index.html"):
        assert path.read_text().rstrip().endswith("</html>")
        json.loads((path.parent / "diagnosis.json").read_text())
    subprocess.run(call, check=True, timeout=300)
    pages = sorted((tmp_path / "out").glob("team*/2026-10-01/index.html"))
    assert [path.parent.parent.name for path in pages] == names
