"""How pictures look: one size, one colour for each status, words for those who cannot see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

# Okabe and Ito's colours: told apart by colour-blind readers, one for each status everywhere.
OK, WARN, BAD, UNKNOWN, ACCENT, PLAN = (
    "#009E73", "#E69F00", "#D55E00", "#999999", "#0072B2", "#56B4E9",
)  # fmt: skip

STATUS = {"ok": OK, "warn": WARN, "fail": BAD, "unknown": UNKNOWN}
MARKS = {"ok": "o", "warn": "s", "fail": "X", "unknown": "D"}
SIZE = (8.0, 3.2)
plt.rcParams["text.parse_math"] = False  # a unit is text: as a formula "$\frac{1}$" ends the page
DPI = 80


def axes(ax: Axes | None = None, size: tuple[float, float] = SIZE) -> Axes:
    """The given axes, or new ones in the suite's size."""
    if ax is None:
        _, ax = plt.subplots(figsize=size, dpi=DPI, layout="constrained")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return ax


def describe(ax: Axes, text: str) -> Axes:
    """Give the picture of `ax` a text for those who cannot see it.

    Ticks of a logarithmic axis become plain numbers: matplotlib's own are formulas.
    """
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
    ax.figure.set_label(text)
    return ax


def nothing(ax: Axes | None, why: str) -> Axes:
    """An empty picture, on new axes if there are none, that says why it is empty."""
    ax = axes(ax)
    ax.set(title=why, xticks=[], yticks=[])
    ax.get_figure(root=True).set_size_inches(SIZE[0], 1.0)  # type: ignore[union-attr]
    ax.text(0.5, 0.5, "unknown", ha="center", va="center", color=UNKNOWN, transform=ax.transAxes)
    return describe(ax, why)


def stacked_bars(
    ax: Axes,
    counts: Mapping[str, Mapping[str, int]],
    colours: Mapping[str, str],
    words: Mapping[str, str] | None = None,
    *,
    named: bool = False,
) -> str:
    """Draw how many of each kind every group has, one bar a group, and say it in words.

    `counts` holds groups and their kinds; `words` what a kind is called. Each part of a bar shows
    its number, or the name of its kind if `named`.
    """
    words = words or {}
    left = [0] * len(counts)
    for kind, colour in colours.items():
        widths = [group.get(kind, 0) for group in counts.values()]
        if any(widths):
            name = words.get(kind, kind)
            bars = ax.barh(
                list(counts), widths, left=left, color=colour, label=name, edgecolor="white"
            )
            texts = [(name if named else str(width)) if width else "" for width in widths]
            ax.bar_label(bars, texts, label_type="center", fontsize=8)
            left = [a + b for a, b in zip(left, widths, strict=True)]
    ax.invert_yaxis()
    if not named:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)
    return "; ".join(
        f"{group}: " + ", ".join(f"{n} {words.get(kind, kind)}" for kind, n in kinds.items() if n)
        for group, kinds in counts.items()
    )


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
