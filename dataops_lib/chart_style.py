"""How pictures look: one size, one colour for each status, words for those who cannot see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def nothing(ax: Axes, title: str) -> Axes:
    """An empty picture that says why it is empty."""
    ax.set(title=title, xticks=[], yticks=[])
    ax.get_figure(root=True).set_size_inches(SIZE[0], 1.0)  # type: ignore[union-attr]
    ax.text(0.5, 0.5, "unknown", ha="center", va="center", color=UNKNOWN, transform=ax.transAxes)
    return describe(ax, title)


# Okabe and Ito's colours: told apart by colour-blind readers, one for each status everywhere.
OK, WARN, BAD, UNKNOWN, ACCENT, PLAN = (
    "#009E73", "#E69F00", "#D55E00", "#999999", "#0072B2", "#56B4E9",
)  # fmt: skip

STATUS = {"ok": OK, "warn": WARN, "fail": BAD, "unknown": UNKNOWN}
MARKS = {"ok": "o", "warn": "s", "fail": "X", "unknown": "D"}
SIZE = (8.0, 3.2)
DPI = 80


def axes(ax: Axes | None = None, size: tuple[float, float] = SIZE) -> Axes:
    """The given axes, or new ones in the suite's size."""
    if ax is None:
        _, ax = plt.subplots(figsize=size, dpi=DPI, layout="constrained")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax


def describe(ax: Axes, text: str) -> Axes:
    """Give the picture of `ax` a text for those who cannot see it."""
    ax.figure.set_label(text)
    return ax


def unknown(why: str, ax: Axes | None = None) -> Axes:
    """An empty picture that says why there is nothing to draw."""
    ax = axes(ax, (8.0, 1.2))
    ax.set_axis_off()
    ax.text(0.5, 0.5, why, ha="center", va="center", color=UNKNOWN, transform=ax.transAxes)
    return describe(ax, why)


def alt_text(figure: Figure) -> str:
    """What a picture says in words: its own description, or the titles of its axes."""
    titles: Iterable[str] = (ax.get_title() for ax in figure.axes)
    return str(figure.get_label() or "") or "; ".join(filter(None, titles)) or "Picture"


def _png_with_alt_text(figure: Figure) -> tuple[bytes, dict[str, Any]]:
    from IPython.core.pylabtools import print_figure

    return print_figure(figure, fmt="png", dpi=figure.dpi), {"alt": alt_text(figure)}


def describe_pictures_in_notebooks() -> None:
    """Make every figure shown in this kernel carry its alt text; nothing outside of IPython."""
    import sys

    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and hasattr(shell, "display_formatter"):
        plt.switch_backend(plt.get_backend())  # load it now: loading sets a formatter of its own
        formatter = shell.display_formatter.formatters["image/png"]
        formatter.for_type(Figure, _png_with_alt_text)


describe_pictures_in_notebooks()
