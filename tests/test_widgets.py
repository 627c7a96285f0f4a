"""Explorers: the same picture with and without sliders, and really moved in a browser."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from dataops_lib import plots, widgets

mpl.use("agg")


@pytest.fixture
def shown(monkeypatch):
    """What `display` was given."""
    found = []
    monkeypatch.setattr(widgets, "display", found.append)
    monkeypatch.delenv(widgets.SWITCH, raising=False)
    yield found
    plt.close("all")


def view(height, width=1):
    ax = plots.axes()
    ax.plot([0, width], [0, height])
    return plots.describe(ax, f"{height} high, {width} wide")


HEIGHT = widgets.Slider("height", (1, 2, 3), 2)


def test_without_sliders_the_picture_of_the_parameters_stands_there(shown):
    widgets.explore(view, height=HEIGHT)
    assert [plots.alt_text(figure) for figure in shown] == ["2 high, 1 wide"]


def test_with_sliders_the_same_picture_stands_there_first(shown):
    widgets.explore(view, interactive=True, height=HEIGHT)
    assert plots.alt_text(shown[0]) == "2 high, 1 wide"
    assert any(type(one).__name__ == "VBox" for one in shown)


def test_no_figure_stays_open_to_be_shown_twice(shown):
    widgets.explore(view, height=HEIGHT)
    assert plt.get_fignums() == []


@pytest.mark.parametrize(("value", "wanted"), [("1", True), ("0", False), ("", False)])
def test_make_lab_switches_sliders_on_by_the_environment(monkeypatch, value, wanted):
    monkeypatch.setenv(widgets.SWITCH, value)
    assert widgets.is_interactive() is wanted
    assert widgets.is_interactive(True)


def test_moving_a_slider_draws_the_view_again_with_its_value(shown):
    box = widgets.controls(view, height=HEIGHT, width=widgets.Slider("width", (1, 5), 1))
    box.children[0].value = 3
    box.children[1].value = 5
    words = [plots.alt_text(figure) for figure in shown if not isinstance(figure, str)]
    assert words == ["2 high, 1 wide", "3 high, 1 wide", "3 high, 5 wide"]


def test_a_slider_redraws_when_it_rests_and_has_a_name(shown):
    slider = widgets.controls(view, height=HEIGHT).children[0]
    assert slider.continuous_update is False
    assert slider.description == "height"


def test_targets_begin_at_the_team_s_own():
    assert widgets.targets("99.7%").start == "99.7%"
    assert widgets.targets(0.995) == widgets.targets("99.5%")
    assert widgets.targets(None).start == "99%"


def test_a_start_that_is_none_of_the_values_is_refused():
    with pytest.raises(ValueError, match="none of its values"):
        widgets.Slider("height", (1, 2), 3)
