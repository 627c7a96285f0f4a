"""Explorers: a picture for the given parameters, and sliders on top when somebody is there.

A page whose results live inside widgets is empty when nobody runs it. So a cell always shows what
its view draws for the given parameters; in JupyterLab it adds sliders that draw the view again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import matplotlib.pyplot as plt
from IPython.display import Javascript, display
from matplotlib.axes import Axes

from dataops_lib import chart_style
from dataops_lib.service_levels.objectives import as_target

SWITCH = "DATAOPS_INTERACTIVE"  # `make lab` sets it; a kernel cannot know who watches it
TARGETS = ("90%", "95%", "98%", "99%", "99.5%", "99.9%")

# ipywidgets names the slider's label but not the handle, which is what a screen reader meets.
_NAME_HANDLES = """
const named = () => document.querySelectorAll('.dataops-slider').forEach(slider => {
  const label = slider.querySelector('label');
  slider.querySelectorAll('.noUi-handle').forEach(handle =>
    label && handle.setAttribute('aria-label', label.textContent.trim()));
});
named();
new MutationObserver(named).observe(document.body, {childList: true, subtree: true});
"""


@dataclass(frozen=True)
class Slider:
    """What one slider is called, the values it can take, and the one it starts at."""

    label: str
    values: tuple[Any, ...]
    start: Any

    def __post_init__(self) -> None:
        if self.start not in self.values:
            raise ValueError(f"slider {self.label!r}: {self.start!r} is none of its values")


def targets(start: Decimal | str | None = None, values: Iterable[str] = TARGETS) -> Slider:
    """A slider over targets as text, `start` among them; 99% when nothing is promised.

    Examples
    --------
    >>> targets("99.7%").values
    ('90%', '95%', '98%', '99%', '99.5%', '99.7%', '99.9%')
    """
    ratio = as_target(start if start is not None else "99%")
    by_ratio = {as_target(value): value for value in values}
    by_ratio.setdefault(ratio, f"{(ratio * 100).normalize():f}%")
    return Slider("target", tuple(by_ratio[target] for target in sorted(by_ratio)), by_ratio[ratio])


def is_interactive(requested: bool = False) -> bool:
    """Whether sliders are wanted: by the notebook's parameter, or by DATAOPS_INTERACTIVE=1."""
    return requested or os.environ.get(SWITCH) == "1"


def explore(view: Callable[..., Axes], *, interactive: bool = False, **sliders: Slider) -> None:
    """Show `view(name=start, ...)`, and below it, if `interactive`, the sliders that redraw it.

    Parameters
    ----------
    view : a function of the sliders' values that draws and returns the Axes; it computes nothing
        that the static picture does not show too.
    interactive : the notebook's parameter of this name; see `is_interactive`.
    sliders : one for each argument of `view`.
    """
    _show(view, {name: slider.start for name, slider in sliders.items()})
    if is_interactive(interactive):
        display(controls(view, **sliders))
        display(Javascript(_NAME_HANDLES))


def controls(view: Callable[..., Axes], **sliders: Slider) -> Any:
    """The sliders and what they draw, as one widget: a picture and its words."""
    import ipywidgets

    widgets = {name: _control(slider) for name, slider in sliders.items()}
    out = ipywidgets.Output()

    def redraw(_: Any = None) -> None:
        with out:
            out.clear_output(wait=True)
            print(_show(view, {name: control.value for name, control in widgets.items()}))

    for control in widgets.values():
        control.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([*widgets.values(), out]).add_class("dataops-explorer")


def _control(slider: Slider) -> Any:
    import ipywidgets

    control = ipywidgets.SelectionSlider(
        options=[(str(value), value) for value in slider.values],
        value=slider.start,
        description=slider.label,
        continuous_update=False,  # redraw when the handle rests, not at every pixel
        style={"description_width": "initial"},
    )
    return control.add_class("dataops-slider")


def _show(view: Callable[..., Axes], values: dict[str, Any]) -> str:
    """Display the picture, close it, and return what it says."""
    figure = view(**values).get_figure(root=True)
    assert figure is not None  # a view draws on a figure
    display(figure)
    plt.close(figure)  # or the inline backend would show it a second time
    return chart_style.alt_text(figure)
