"""Pictures of promises: what they draw is what was computed, and they say so in words."""

import math
from datetime import UTC, date, datetime, timedelta

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest

from dataops_lib import chart_style, files, playbook
from dataops_lib.course import lessons
from dataops_lib.evidence import accounts, series
from dataops_lib.service_levels import budget, burn_alerts, charts
from dataops_lib.windows import Window

mpl.use("agg")
HISTORY = pd.DataFrame(
    {
        "day": [date(2013, 2, day) for day in (1, 2, 3, 4)],
        "good": [10.0, 5.0, 10.0, 10.0],
        "total": [10.0] * 4,
    }
)


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def said(ax):
    return chart_style.alt_text(ax.figure)


def test_the_burn_down_ends_where_the_library_says_and_turns_red_below_zero():
    ax = charts.burndown(HISTORY, "95%")
    line = ax.lines[0]
    assert list(line.get_ydata()) == pytest.approx([100, -150, -150, -150])
    assert line.get_color() == chart_style.BAD
    assert (
        ax.get_title()
        == "Target 95 %: 2.5 budgets were used; the first was spent by 2 February 2013"
    )
    assert charts.burndown(HISTORY, "80%").lines[0].get_color() == chart_style.OK


def test_planted_faults_are_marked_in_the_picture_and_in_words():
    ax = charts.burndown(HISTORY, "95%", planted={date(2013, 2, 2): "late file"})
    assert "Planted faults, marked: 02 February: late file." in said(ax)
    assert "Planted" not in said(charts.burndown(HISTORY, "95%", planted={date(2014, 1, 1): "x"}))


def test_without_a_history_or_a_target_the_picture_says_unknown():
    for ax in (
        charts.burndown(HISTORY.iloc[:0], "95%"),
        charts.burndown(HISTORY, None),
        charts.budgets([]),
        charts.budgets([("a", math.nan)]),
        charts.intervals(pd.DataFrame(columns=["counted in", "n"]), None),
        charts.one_more(accounts.one_more(None), math.nan),
    ):
        assert [text.get_text() for text in ax.texts] == ["unknown"]
        assert not ax.lines and not ax.patches
        assert ax.get_title()


def test_bars_of_budgets_are_the_shares_left():
    ax = charts.budgets([("a", -0.5), ("b", 0.1), ("c", 0.8), ("d", math.nan)])
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([-50, 10, 80])
    colours = [mpl.colors.to_hex(bar.get_facecolor()).upper() for bar in ax.patches]
    assert colours == [chart_style.BAD, chart_style.WARN, chart_style.OK]
    assert "a: -50 % left" in said(ax)


def test_months_are_drawn_with_their_real_budgets():
    table = lessons.months(2013, "UTC", "99.5%")
    ax = charts.months(table, 216.0)
    assert [bar.get_height() for bar in ax.patches] == list(table["budget_minutes"])
    assert "does not begin at 0" in said(ax)


def test_the_prices_of_incidents_are_drawn():
    costs = pd.DataFrame({"incident": ["1 hour"], "budgets": [0.25], "left_after": [-0.1]})
    ax = charts.one_more(costs, 0.15)
    assert ax.patches[0].get_height() == 0.25
    assert ax.get_title() == "One incident of 1 hour costs 0.25 budgets"


def test_alert_rules_are_drawn_at_the_factors_that_policy_derives():
    rules = burn_alerts.burn_rules(playbook.text("burn_rate_rules.yaml"), "service")
    ax = charts.reach(rules, ["90%", "99%"], timedelta(days=30))
    outage, *limits = ax.lines
    assert list(outage.get_ydata()) == pytest.approx([10, 100])
    assert [line.get_ydata()[0] for line in limits] == pytest.approx([14.4, 6, 3, 1])


def test_the_outlook_shows_the_exact_chance_for_runs():
    ax = charts.outlook("99%", "99%", 1, 2)
    assert ax.patches[0].get_width() == pytest.approx(100 * 0.99**30)
    assert said(ax).startswith(ax.get_title())


def test_every_picture_has_words_of_its_own():
    counted = pd.DataFrame(
        {
            "counted in": ["runs"],
            "n": [30],
            "bad": [1],
            "ratio": [0.97],
            "low": [0.8],
            "high": [1.0],
        }
    )
    assert "runs: 80.0 to 100.0 %" in said(charts.intervals(counted, "99%"))


# -- service levels (notebook 02)


def mornings(days, hour=6):
    return [datetime(2013, 1, day, hour, tzinfo=UTC) for day in days]


def test_the_age_climbs_to_the_next_landing_and_falls_to_zero():
    window = Window(datetime(2013, 1, 2, tzinfo=UTC), datetime(2013, 1, 4, tzinfo=UTC))
    limits = {"read literally": timedelta(hours=2), "2 hours past due": timedelta(hours=26)}
    ax = charts.ages(mornings([1, 2, 3]), window, limits)
    age, literal, meant = ax.lines
    assert list(age.get_ydata()) == [18, 24, 0, 24, 0, 18]
    assert (literal.get_ydata()[0], meant.get_ydata()[0]) == (2, 26)
    assert "up to 24 hours" in ax.get_title()


def test_a_broken_day_is_hatched_in_each_row():
    ax = charts.pair([True, False], [False, True], [False, True])
    assert [patch.get_hatch() for patch in ax.patches] == [None, "///"] * 3


def test_the_proven_rate_is_drawn_and_targets_stand_where_they_are_proven():
    ax = charts.proven(["95%", "99.9%"], runs=100)
    curve, *points = ax.lines
    assert curve.get_ydata()[6] == pytest.approx(65.18, abs=0.01)
    assert [point.get_xdata()[0] for point in points] == [59]  # 99.9 % lies beyond 100 runs


def test_a_share_that_is_not_known_is_labelled_unknown():
    ax = charts.shares({"a": 0.5, "b": None}, "A title")
    assert [text.get_text() for text in ax.texts] == ["50 %", "unknown"]
    assert [bar.get_width() for bar in ax.patches] == [50, 0]


def test_scores_of_all_methods_stand_against_the_limit():
    rows = [100 + n % 5 for n in range(40)]
    daily = pd.DataFrame({"day": pd.date_range("2013-01-01", periods=40).date, "rows": rows})
    ax = charts.scores(series.volume_scores(daily, last=0))
    assert [line.get_label() for line in ax.lines][:3] == ["zscore-with-today", "zscore", "weekday"]
    assert ax.get_title().endswith("it can never exceed 2.27")


def test_each_cell_of_the_back_test_is_the_share_of_green_days():
    past = pd.DataFrame({"day": range(20), "good": [10.0] * 19 + [9.0], "total": [10.0] * 20})
    ax = charts.backtest(budget.backtest(past, ["90%", "99.9%"], [5, 50]))
    assert [text.get_text() for text in ax.texts] == ["100 %", "94 %", "too short", "too short"]


def test_service_levels_without_data_are_drawn_as_unknown():
    window = Window(datetime(2013, 1, 2, tzinfo=UTC), datetime(2013, 1, 4, tzinfo=UTC))
    empty = pd.DataFrame(columns=accounts.COLUMNS)
    for ax in (
        charts.ages([], window, {}),
        charts.scores(series.volume_scores(None)),
        charts.backtest(budget.backtest(empty, ["90%"], [7])),
    ):
        assert [text.get_text() for text in ax.texts] == ["unknown"]


def test_ways_of_averaging_stand_beside_what_the_target_allows():
    days = pd.DataFrame({"good": [1000, 5], "total": [1000, 10]})
    ax = charts.averages(lessons.averages(days, "99%"), "99%")
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0.49505, 25, 50], abs=1e-5)
    assert ax.lines[0].get_xdata()[0] == pytest.approx(1)


def test_each_printed_number_is_drawn_by_how_far_it_is_off():
    found = lessons.published()
    ax = charts.published(found)
    ends = [bar.get_x() + bar.get_width() for bar in ax.patches]
    assert ends == pytest.approx(list(found["printed"] / found["right"]))
    assert "1,000, right 100" in said(ax)
    assert [text.get_text() for text in ax.texts][2] == "10, right 14"
    assert ax.get_title() == "6 of 8 are too high, one 10 times"


def test_the_age_of_the_newest_record_does_not_fall_at_a_publish_without_new_rows():
    window = Window(datetime(2013, 1, 2, tzinfo=UTC), datetime(2013, 1, 5, tzinfo=UTC))
    at = pd.to_datetime(mornings([2, 3, 4]))
    newest = at[:2].append(at[1:2]) - timedelta(hours=6)
    ax = charts.two_ages(
        pd.DataFrame({"published_at": at, "newest_event_at": newest, "how": "metadata"}), window
    )
    content, landing = ax.lines
    assert list(content.get_ydata()) == [6, 30, 6, 30, 30, 48]
    assert list(landing.get_ydata()) == [0, 24, 0, 24, 0, 18]
    assert ax.get_title() == "Records get up to 48 hours old, publishes up to 24"
    assert charts.two_ages(None, window).get_title().startswith("No published table")


# -- what the two notebooks teach

POINTS = {
    "the inverted pair": ("02_slo_design", "Does the SLO warn before the SLA breaks?"),
    "a dead pipeline": ("02_slo_design", "Is a success rate of 100 % good news?"),
    "a green run": (
        "02_slo_design",
        "A green job and an old table: which one does the reader see?",
    ),
    "the z that cannot reach 3": ("02_slo_design", "Which z-score can reach 3?"),
    "the alert that cannot fire": (
        "03_error_budget_exploration",
        "Which alert would have told us, and which never can?",
    ),
    "months and clocks": ("03_error_budget_exploration", "Is every month 30 days long?"),
    "averages": ("03_error_budget_exploration", "Which average hides the bad hour?"),
    "7 of 7": ("02_slo_design", "Can we even measure 99.5 %?"),
    "spot the error": (
        "03_error_budget_exploration",
        "Spot the error: which of these numbers would you use?",
    ),
    "minutes are not trials": ("03_error_budget_exploration", "Are minutes trials?"),
}


def section(notebook, question):
    """The prose, the code and the kinds of output between a question and the next one."""
    cells = nbformat.read(files.HOME / "notebooks" / f"{notebook}.ipynb", as_version=4).cells
    words, code, kinds, inside = "", "", set(), False
    for cell in cells:
        if cell.cell_type == "code":
            if inside:
                code += cell.source
                kinds |= {kind for out in cell.outputs for kind in out.get("data", {})}
            continue
        for number, part in enumerate(("\n" + cell.source).split("\n## ")):
            if number:
                inside = part.startswith(question + "\n")
            words += part if inside else ""
    return words, code, kinds


@pytest.mark.parametrize("point", POINTS)
def test_each_teaching_point_is_a_question_an_answer_a_picture_and_a_try_it(point):
    words, code, kinds = section(*POINTS[point])
    assert words and code, "the question does not stand in the notebook"
    assert "image/png" in kinds
    assert "*Try it:*" in words
