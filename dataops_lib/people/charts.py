"""Structure, ownership and skills as pictures."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from dataops_lib.chart_style import ACCENT, BAD, OK, PLAN, UNKNOWN, WARN, axes, describe, nothing
from dataops_lib.people import headlines
from dataops_lib.people.model import Model
from dataops_lib.people.outlook import Standing
from dataops_lib.people.ownership import FIELDS, Card, Holding
from dataops_lib.people.structure import Structure

HELD = {0: BAD, 1: WARN}


def structure(proposal: Structure, ax: Axes | None = None) -> Axes:
    """Draw a structure: a bar for each role or part, with the article's range where it has one."""
    units = proposal.units
    ax = axes(ax, (8.0, 1.0 + 0.4 * len(units)))
    colours = [WARN if unit.is_stretched else ACCENT for unit in units]
    bars = ax.barh([unit.name for unit in units], [unit.people for unit in units], color=colours)
    ax.bar_label(bars, [f"{unit.people}" for unit in units], padding=3, fontsize=8)
    for row, unit in enumerate(units):
        if unit.low is not None and unit.high is not None:
            ax.plot([unit.low, unit.high], [row + 0.42] * 2, color=UNKNOWN, marker="|")
    ax.invert_yaxis()
    ax.set(xlabel="people; grey: the article's range", title=_title(proposal))
    ax.set_xlim(0, max([u.people for u in units] + [u.high or 0 for u in units]) + 1)
    return describe(ax, headlines.structure(proposal))


def _title(proposal: Structure) -> str:
    people = "1 person" if proposal.headcount == 1 else f"{proposal.headcount} people"
    stretched = len(proposal.stretched)
    fits = "as in the article" if not stretched else f"{stretched} outside of the article's range"
    return f"{people}: {proposal.bracket.name.lower()}, {fits}"


def bus_factors(held: Sequence[Holding], ax: Axes | None = None) -> Axes:
    """Draw how many people hold each table and pipeline: one alone is marked."""
    shown = [h for h in held if h.kind in ("table", "pipeline") and h.people is not None]
    if not shown:
        return nothing(ax, "No table is described, so nobody can be counted")
    ax = axes(ax, (8.0, 1.0 + 0.35 * len(shown)))
    counts = [h.bus_factor or 0 for h in shown]
    labels = [f"{h.name} ({h.kind})" for h in shown]
    bars = ax.barh(labels, counts, color=[HELD.get(count, OK) for count in counts])
    words = ["nobody" if not n else "one person" if n == 1 else str(n) for n in counts]
    ax.bar_label(bars, words, padding=3, fontsize=8)
    ax.invert_yaxis()
    ax.set(xlabel="people who can repair it", xlim=(0, max([*counts, 2]) + 1))
    thin = sum(count <= 1 for count in counts)
    title = (
        f"{thin} of {len(shown)} hang on one person or on nobody"
        if thin
        else f"Each of {len(shown)} has a second person"
    )
    ax.set_title(title)
    counted = "; ".join(f"{label}: {word}" for label, word in zip(labels, words, strict=True))
    return describe(ax, f"{title}. {counted}.")


def cards(products: Sequence[Card], ax: Axes | None = None) -> Axes:
    """Draw which fields each table's product card has: filled or empty, with a sign."""
    if not products:
        return nothing(ax, "No table is described, so there is no card")
    ax = axes(ax, (8.0, 1.2 + 0.35 * len(products)))
    for row, card in enumerate(products):
        for column, name in enumerate(FIELDS):
            filled = bool(card.fields[name])
            ax.barh(row, 0.94, left=column - 0.47, height=0.9, color=OK if filled else BAD)
            sign = "yes" if filled else "lacks"
            ax.text(column, row, sign, ha="center", va="center", fontsize=8,
                    color="black" if filled else "white")  # fmt: skip
    ax.set_xticks(range(len(FIELDS)), FIELDS, fontsize=8)
    ax.set_yticks(range(len(products)), [f"{c.table} (tier {c.tier})" for c in products])
    ax.invert_yaxis()
    ax.tick_params(length=0)
    whole = sum(not card.lacks for card in products)
    title = f"{whole} of {len(products)} tables have every field of a product"
    ax.set_title(title)
    words = "; ".join(f"{c.table} lacks {', '.join(c.lacks) or 'nothing'}" for c in products)
    return describe(ax, f"{title}. {words}.")


def skills(model: Model, held: Sequence[Holding], ax: Axes | None = None) -> Axes:
    """Draw the roadmap of skills by phase: how many hold each, and what needs what."""
    holders = {h.name: h.bus_factor for h in held if h.kind == "skill"}
    phases = [phase.id for phase in model.phases]
    ax = axes(ax, (9.0, 4.6))
    places: dict[str, tuple[float, float]] = {}
    for column, phase in enumerate(phases):
        inside = [skill.id for skill in model.skills if skill.phase == phase]
        places |= {skill: (column, -row) for row, skill in enumerate(inside)}
    for skill in model.skills:
        for need in skill.needs:
            arrow = {"arrowstyle": "->", "color": UNKNOWN, "alpha": 0.5}
            ax.annotate("", places[skill.id], places[need], arrowprops=arrow)
    for skill in model.skills:
        count = holders.get(skill.id)
        colour = "#EEEEEE" if count is None else HELD.get(count, PLAN)
        word = "" if count is None else f" ({count})"
        box = {"boxstyle": "round", "facecolor": colour, "edgecolor": "none"}
        label = skill.id.replace("_", " ") + word
        ax.text(*places[skill.id], label, ha="center", va="center", fontsize=7, bbox=box)
    ax.set(xlim=(-0.5, len(phases) - 0.5), ylim=(-5.2, 0.6), yticks=[])
    names = [f"phase {phase.id}\n{phase.name}" for phase in model.phases]
    ax.set_xticks(range(len(phases)), names, fontsize=8)
    ax.spines["left"].set_visible(False)
    counted = {skill: count for skill, count in holders.items() if count is not None}
    single = sum(count == 1 for count in counted.values())
    title = (
        f"{single} skills are held by one person; in brackets: people who hold it"
        if counted
        else "What comes before what; nobody's skills are written down"
    )
    ax.set_title(title)
    words = "; ".join(f"{skill}: {count}" for skill, count in counted.items())
    return describe(ax, f"{title}. {words}.")


def forecasts(standings: Sequence[Standing], ax: Axes | None = None) -> Axes:
    """Draw the team's probabilities for the three claims."""
    spoken = [s for s in standings if s.median is not None]
    if not spoken:
        return nothing(ax, "Nobody has written down a probability")
    ax = axes(ax, (8.0, 1.2 + 0.5 * len(spoken)))
    for row, standing in enumerate(spoken):
        if standing.lowest is not None and standing.highest is not None:
            ax.plot([standing.lowest, standing.highest], [row, row], color=PLAN, linewidth=3)
        ax.plot([standing.median or 0], [row], "o", color=ACCENT)
    ax.set_yticks(range(len(spoken)), [s.card.id for s in spoken])
    ax.set(xlim=(0, 1), ylim=(-0.6, len(spoken) - 0.4))
    ax.set_xlabel("probability that it comes true (dot: median)")
    ax.invert_yaxis()
    title = "How sure we are of what the article calls certain"
    ax.set_title(title)
    words = "; ".join(f"{s.card.id}: {s.median:.0%}" for s in spoken)
    return describe(ax, f"{title}. {words}.")
