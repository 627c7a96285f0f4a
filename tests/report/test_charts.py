"""Pictures: what their axes hold, and what they say in words."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from dataops_lib import chart_style
from dataops_lib.course import charts as course_charts
from dataops_lib.course import headlines as course_headlines
from dataops_lib.incidents import charts as incidents_charts
from dataops_lib.incidents import headlines as incidents_headlines
from dataops_lib.incidents.incident import Disturbance, Incident, Sign
from dataops_lib.teams.models import Picture
from dataops_lib.wap import charts, headlines


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


# -- notebooks 00, 04 and 05: first look, snapshots, incidents


GRAPH = pd.DataFrame(
    [
        ("s1", "", 10, True, ("published history",)),
        ("s2", "s1", 30, False, ("audit bad-1",)),
        ("s3", "s1", 30, False, ("audit bad-2",)),
        ("s4", "s1", 20, True, ("main", "published good")),
        ("s5", "s4", 25, False, ()),
    ],
    columns=["snapshot", "parent", "rows", "on_main", "refs"],
)


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_readers_way_is_straight_and_every_branch_has_a_lane_of_its_own():
    at = charts._places(GRAPH)
    assert [at[name] for name in ("s1", "s4")] == [(0, 0), (3, 0)]
    assert (at["s2"], at["s3"]) == ((1, -1), (2, -2))
    assert at["s5"] == (4, -1)  # the first lane is free again


def test_the_snapshot_graph_names_each_snapshot_its_rows_and_what_points_at_it():
    ax = charts.snapshots(GRAPH)
    assert ax.get_title() == headlines.snapshots(GRAPH)
    assert {"s1", "s5", "20 rows", "audit\nbad-1", "main: readers are here"} <= set(words(ax))
    assert "s2 from s1, 30 rows, audit bad-1" in chart_style.alt_text(ax.figure)


def test_a_long_history_shows_its_last_snapshots_and_a_dotted_way_there():
    ax = charts.snapshots(GRAPH, last=2)
    assert "s1" not in words(ax)
    assert ":" in {line.get_linestyle() for line in ax.lines}


def test_days_that_a_check_would_stop_are_crossed_out():
    picture = Picture(table="t", query="q", unit="flights", actual="departed")
    days = pd.to_datetime(["2013-02-07", "2013-02-08", "2013-02-09"])
    rows = pd.DataFrame({"day": days, "rows": [900, 930, 684], "verdict": ["ok"] * 3})
    happened = rows.assign(rows=[890, 458, 291], verdict=["ok", "fail", "fail"])
    ax = course_charts.anomaly(rows, happened, picture)
    crosses = [list(line.get_ydata()) for line in ax.lines if line.get_marker() == "X"]
    assert crosses == [[], [458, 291], []]
    assert ax.get_title() == course_headlines.anomaly(rows, happened, picture)


def test_runs_are_stacked_by_how_they_ended():
    ax = course_charts.runs({"a": {"published": 58, "blocked": 6}, "b": {"published": 60}})
    assert [bar.get_width() for bars in ax.containers for bar in bars] == [58, 60, 6, 0]
    assert "a: 58 published, 6 blocked" in chart_style.alt_text(ax.figure)


def test_without_a_run_history_the_picture_says_so():
    ax = course_charts.runs({})
    assert (ax.get_title(), words(ax)) == ("No run history is given", ["unknown"])


def test_an_incident_is_drawn_on_the_clock_of_the_team_and_shaded_while_readers_waited():
    due = datetime(2013, 2, 12, 11, tzinfo=UTC)
    sign = Sign(due + timedelta(minutes=2), "audit", "blocked", "alert log", "t")
    disturbed = Disturbance("t", due, "blocked", (), None, None, True, True, None)
    one = Incident(
        "p-1", "p", ("t",), "blocked", due, due, sign.at, "audit", None, due + timedelta(hours=3),
        "P1", True, True, (), None, (), (disturbed,), (sign,), None, due + timedelta(days=1),
    )  # fmt: skip
    ax = incidents_charts.incident(one, "America/New_York")
    assert ax.get_title() == incidents_headlines.incident(one)
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["due", "run started"]
    assert ax.lines[0].get_xdata()[0].isoformat() == "2013-02-12T06:00:00-05:00"
    assert "stopped by the audit: 1 times" in chart_style.alt_text(ax.figure)


def test_a_unit_with_dollars_is_text_and_no_formula():
    ax = chart_style.axes()
    ax.set(title=r"$\frac{1}$ and $x", ylabel=r"$\bad$")
    ax.get_figure().canvas.draw()
