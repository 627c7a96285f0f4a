"""Explorers: the same picture with and without sliders, and really moved in a browser."""

import lab
import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import pytest

from dataops_lib import chart_style, files, teams
from dataops_lib.course import sliders
from dataops_lib.evidence import Observed, accounts, series
from dataops_lib.examples import replay
from dataops_lib.service_levels import charts

mpl.use("agg")


@pytest.fixture
def shown(monkeypatch):
    """What `display` was given."""
    found = []
    monkeypatch.setattr(sliders, "display", found.append)
    monkeypatch.delenv(sliders.SWITCH, raising=False)
    yield found
    plt.close("all")


def view(height, width=1):
    ax = chart_style.axes()
    ax.plot([0, width], [0, height])
    return chart_style.describe(ax, f"{height} high, {width} wide")


HEIGHT = sliders.Slider("height", (1, 2, 3), 2)


def test_without_sliders_the_picture_of_the_parameters_stands_there(shown):
    sliders.explore(view, height=HEIGHT)
    assert [chart_style.alt_text(figure) for figure in shown] == ["2 high, 1 wide"]


def test_with_sliders_the_same_picture_stands_there_first(shown):
    sliders.explore(view, interactive=True, height=HEIGHT)
    assert chart_style.alt_text(shown[0]) == "2 high, 1 wide"
    assert any(type(one).__name__ == "VBox" for one in shown)


def test_no_figure_stays_open_to_be_shown_twice(shown):
    sliders.explore(view, height=HEIGHT)
    assert plt.get_fignums() == []


@pytest.mark.parametrize(("value", "wanted"), [("1", True), ("0", False), ("", False)])
def test_make_lab_switches_sliders_on_by_the_environment(monkeypatch, value, wanted):
    monkeypatch.setenv(sliders.SWITCH, value)
    assert sliders.is_interactive() is wanted
    assert sliders.is_interactive(True)


def test_moving_a_slider_draws_the_view_again_with_its_value(shown):
    box = sliders.controls(view, height=HEIGHT, width=sliders.Slider("width", (1, 5), 1))
    box.children[0].value = 3
    box.children[1].value = 5
    words = [chart_style.alt_text(figure) for figure in shown if not isinstance(figure, str)]
    assert words == ["2 high, 1 wide", "3 high, 1 wide", "3 high, 5 wide"]


def test_a_slider_redraws_when_it_rests_and_has_a_name(shown):
    slider = sliders.controls(view, height=HEIGHT).children[0]
    assert slider.continuous_update is False
    assert slider.description == "height"


def test_targets_begin_at_the_team_s_own():
    assert sliders.targets("99.7%").start == "99.7%"
    assert sliders.targets(0.995) == sliders.targets("99.5%")
    assert sliders.targets(None).start == "99%"


def test_a_start_that_is_none_of_the_values_is_refused():
    with pytest.raises(ValueError, match="none of its values"):
        sliders.Slider("height", (1, 2), 3)


# -- the same in a browser: JupyterLab on a copy of notebook 03, moved by keyboard alone

NOTEBOOK = files.HOME / "notebooks" / "03_error_budget_exploration.ipynb"

# Appended to the copy: the same kernel draws what the slider is moved to, without any widget. So
# both pictures have the same fonts and sizes, and may be compared byte for byte.
DRAWN = """\
import matplotlib.pyplot as plt
from IPython.display import display
for target in ("99%", "99.5%"):
    figure = view(target=target).figure
    display(figure)
    plt.close(figure)
"""


@pytest.fixture
def address(tmp_path):
    """Where a JupyterLab serves a copy of the notebook."""
    replay.ensure(["flights", "orders"])
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(DRAWN))
    nbformat.write(notebook, tmp_path / "copy.ipynb")
    with lab.served(tmp_path, "copy.ipynb") as found:
        yield found


def said(target):
    """The words of notebook 03's picture for a target, from the library alone."""
    team = teams.load("flights", as_of="2013-03-01")
    account = accounts.followed(accounts.accounts(Observed(team)))
    planted = series.planted(team, account.slo.table)
    return chart_style.alt_text(charts.burndown(account.history, target, planted=planted).figure)


@pytest.mark.browser
def test_an_arrow_key_moves_the_target_the_picture_and_the_words_of_the_library(address):
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=lab.CHROMIUM, args=["--no-sandbox", "--disable-quic"]
        )
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        lab.opened(page, address)
        cell = page.locator(".jp-Cell", has=page.locator(".dataops-explorer")).first
        explorer = cell.locator(".dataops-explorer")
        picture, words = explorer.locator("img"), explorer.locator("pre")
        drawn = page.locator(".jp-Cell").last.locator("img")
        drawn.nth(1).wait_for(timeout=120_000)
        at_99, at_99_5 = (drawn.nth(n).get_attribute("src") for n in (0, 1))
        assert at_99 != at_99_5
        assert words.inner_text().strip() == said("99%")
        assert picture.get_attribute("src") == at_99
        assert cell.locator("img").first.get_attribute("src") == at_99  # as without sliders

        handle = explorer.locator(".noUi-handle")
        playwright.expect(handle).to_have_attribute("aria-label", "target")
        handle.focus()
        page.keyboard.press("ArrowRight")
        playwright.expect(words).to_have_text(said("99.5%"), timeout=30_000)
        playwright.expect(picture).to_have_attribute("src", at_99_5, timeout=10_000)
        browser.close()
