"""Maturity in pictures: disagreement first, then the gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from matplotlib.axes import Axes

from dataops_lib.chart_style import (
    ACCENT,
    BAD,
    OK,
    PLAN,
    UNKNOWN,
    WARN,
    axes,
    describe,
    nothing,
    stacked_bars,
)
from dataops_lib.maturity.answers import Answers, Tally
from dataops_lib.maturity.headlines import agenda, voted
from dataops_lib.maturity.scoring import Score

COLOURS = {"none": BAD, "some": WARN, "half": PLAN, "most": OK, "unsure": UNKNOWN, "na": "#EEEEEE"}


def votes(counted: Sequence[Tally], voters: int, ax: Axes | None = None) -> Axes:
    """Draw how many people named each pain."""
    title = voted(counted, voters)
    voted_for = [tally for tally in counted if tally.people]
    ax = axes(ax, (8.0, 0.9 + 0.35 * max(len(voted_for), 1)))
    if not voted_for:
        return nothing(ax, title)
    people = [tally.people for tally in voted_for]
    bars = ax.barh([tally.pain.pain for tally in voted_for], people, color=ACCENT)
    ax.bar_label(bars, [f"{count}" for count in people], fontsize=8, padding=3)
    ax.invert_yaxis()
    ax.set(xlim=(0, voters + 0.5), xlabel="people who named it", xticks=range(voters + 1))
    ax.set_title(title, fontsize=10)
    words = "; ".join(f"{tally.pain.pain}: {tally.people}" for tally in voted_for)
    return describe(ax, f"{title}. {words}.")


def disagreement(score: Score, answers: Answers, ax: Axes | None = None) -> Axes:
    """Draw who answered what, without names, for the questions that need talking about."""
    title, questions = agenda(score), [q.question for q in score.agenda]
    ax = axes(ax, (8.0, 1.0 + 0.4 * max(len(questions), 1)))
    if not questions:
        return nothing(ax, title) if not score.respondents else describe(ax, title)
    counts = {
        q.id: Counter(_choice(replies[q.id]) for replies in answers.values() if q.id in replies)
        for q in questions
    }
    words = stacked_bars(ax, counts, COLOURS, named=True)
    ax.set(xlabel="people", xticks=range(score.respondents + 1))
    ax.set_title(title, fontsize=10)
    return describe(ax, f"{title}. {words}.")


def _choice(reply: object) -> str:
    return str(reply["answer"] if isinstance(reply, dict) else reply)


def gate(score: Score, ax: Axes | None = None) -> Axes:
    """Draw each level and dimension: open, shut, open if the unsure are right, or not asked."""
    ax = axes(ax, (8.0, 3.0))
    model, cells = score.model, {(c.level, c.dimension): c for c in score.cells}
    levels = [level for level in model.levels if level.id]
    words = []
    for row, level in enumerate(levels):
        for column, dimension in enumerate(model.dimensions):
            cell = cells.get((level.id, dimension.id))
            if cell is None or not score.respondents:
                colour, text = "#EEEEEE", "not asked" if cell is None else "unknown"
            else:
                colour = OK if cell.opens_low else WARN if cell.opens_high else BAD
                word = "open" if cell.opens_low else "unsure" if cell.opens_high else "shut"
                ends = sorted({f"{100 * end:.0f}" for end in (cell.low, cell.high)}, key=int)
                text = f"{word}\n{' to '.join(ends)} %"
                words.append(f"level {level.id} {dimension.name}: {word}")
            ax.barh(row, 0.96, left=column - 0.48, height=0.9, color=colour)
            ax.text(column, row, text, ha="center", va="center", fontsize=8,
                    color="white" if colour == BAD else "black")  # fmt: skip
    names = [
        dimension.name.replace(" and ", "\nand ").replace(", ", ",\n", 1)
        for dimension in model.dimensions
    ]
    ax.set_xticks(range(len(names)), names, fontsize=7)
    ax.set_yticks(range(len(levels)), [f"{level.id} {level.name}" for level in levels])
    title = (
        f"Everything up to level {score.level} is open"
        if score.level
        else "Level 1 is not open yet"
    )
    if not score.respondents:
        title = "Nobody has answered, so no gate can open"
    ax.set_title(title)
    ax.tick_params(length=0)
    return describe(ax, f"{title}. {'; '.join(words)}.")
