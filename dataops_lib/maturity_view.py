"""Explain: maturity in sentences, tables and pictures: disagreement first, then level and gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from dataops_lib.finding import Finding
from dataops_lib.maturity import Blocker
from dataops_lib.maturity_model import Answers, Model, Question, Score, Tally
from dataops_lib.plots import ACCENT, BAD, OK, PLAN, UNKNOWN, WARN, axes, describe

COLOURS = {"none": BAD, "some": WARN, "half": PLAN, "most": OK, "unsure": UNKNOWN, "na": "#EEEEEE"}
DONE = {"ok": "done", "warn": "not yet", "fail": "not yet", "unknown": "unknown"}

# Tables -----------------------------------------------------------------------------------------


def levels(model: Model) -> pd.DataFrame:
    """The levels: what the article says of each, and how a team on it behaves."""
    rows = [(f"{one.id} {one.name}", "; ".join(one.article), one.example) for one in model.levels]
    return pd.DataFrame(rows, columns=["level", "the article", "an example of behaviour (ours)"])


def principles(model: Model) -> pd.DataFrame:
    """The five principles, and which questions ask for each."""
    rows = [
        (one.name, ", ".join(q.id for q in model.questions if q.principle == one.id))
        for one in model.principles
    ]
    return pd.DataFrame(rows, columns=["principle", "asked by"])


def pains(model: Model) -> pd.DataFrame:
    """What may hurt, and where each pain leads; the article's first, then those of ours."""
    rows = [
        (
            one.pain,
            f"Part {one.part}: {one.topic}",
            "; ".join(step.text for step in one.start),
            "article" if one.added is None else "ours",
        )
        for one in model.pain_points
    ]
    return pd.DataFrame(rows, columns=["pain", "leads to", "starting point", "from"])


def question(one: Question) -> str:
    """A question as people answer it, with what must hold for a yes and what would show it."""
    must = "; ".join(f"({number}) {text}" for number, text in enumerate(one.criteria, 1))
    return f"{one.id}: {one.text}\nA yes needs: {must}.\nShown by: {one.evidence}."


def blocking(found: Sequence[Blocker]) -> pd.DataFrame:
    """What keeps the next level shut, the answer now, and the one that is enough."""
    rows = [(b.question.id, b.question.text, b.now, b.enough) for b in found]
    return pd.DataFrame(rows, columns=["question", "text", "now", "enough"])


def roadmap(progress: Sequence[Finding]) -> pd.DataFrame:
    """The roadmap of the article with its state, one row for each item."""
    rows = [(f.numbers["stage"], f.subject, DONE[f.status], f.evidence) for f in progress]
    return pd.DataFrame(rows, columns=["stage", "item", "state", "because"])


# Sentences --------------------------------------------------------------------------------------


def voted(counted: Sequence[Tally], voters: int) -> str:
    """Which pain most people named, and whether it is tied."""
    if not voters or not counted[0].people:
        return "Nobody has voted yet"
    first = [one for one in counted if one.people == counted[0].people]
    names = " and ".join(f'"{one.pain.pain}"' for one in first)
    tie = ", a tie: talk before you choose" if len(first) > 1 else ""
    return f"{names}, named by {counted[0].people} of {voters}{tie}"


def agenda(score: Score) -> str:
    """How many questions need talking about before a score is shown, and why."""
    if not score.respondents:
        return "Nobody has answered yet"
    apart = [q.question.id for q in score.agenda if q.spread >= score.model.agenda["spread"]]
    unsure = [q.question.id for q in score.agenda if q.question.id not in apart]
    said = [f"answers lie far apart on {', '.join(apart)}"] if apart else []
    said += [f"many are unsure about {', '.join(unsure)}"] if unsure else []
    if not said:
        return f"{score.respondents} people agree well enough to look at the score"
    return f"Talk first: {'; '.join(said)}"


def level(judged: Finding, score: Score) -> str:
    """The level, and what unsure answers could still make of it."""
    if judged.status == "unknown":
        return "The level is unknown: nobody has answered"
    name = score.model.levels[score.level].name
    text = f"By the gate: {judged.evidence}, {name}"
    if score.level == 0 and judged.is_bad:
        return f"{text}; the list below is what is missing first"
    return text


def certainty(score: Score, strict: Score) -> str:
    """What is left of the level when unproven answers count less, and when nobody is unsure."""
    if not score.respondents:
        return "Without answers there is nothing to be sure of."
    return (
        f"Level {score.level}; with every unsure answer read as `most` at best level "
        f"{score.level_high}; counting only what was shown or measured, level {strict.level}."
    )


def step(found: Finding, model: Model) -> str:
    """The one next step, why it is the one, and what may come after it."""
    later = [model.question(id).first for id in found.numbers.get("later", ())]
    said = f"Next step: {found.next_step}.\nWhy: {found.evidence}."
    return said + (f"\nLater: {'; '.join(later)}." if later else "")


# Pictures ---------------------------------------------------------------------------------------


def _empty(ax: Axes, title: str) -> Axes:
    ax.set(title=title, xticks=[], yticks=[])
    ax.text(0.5, 0.5, "unknown", ha="center", va="center", color=UNKNOWN, transform=ax.transAxes)
    return describe(ax, title)


def votes(counted: Sequence[Tally], voters: int, ax: Axes | None = None) -> Axes:
    """Draw how many people named each pain."""
    title = voted(counted, voters)
    named = [one for one in counted if one.people]
    ax = axes(ax, (8.0, 0.9 + 0.35 * max(len(named), 1)))
    if not named:
        return _empty(ax, title)
    bars = ax.barh([one.pain.pain for one in named], [one.people for one in named], color=ACCENT)
    ax.bar_label(bars, [f"{one.people}" for one in named], fontsize=8, padding=3)
    ax.invert_yaxis()
    ax.set(xlim=(0, voters + 0.5), xlabel="people who named it", xticks=range(voters + 1))
    ax.set_title(title, fontsize=10)
    said = "; ".join(f"{one.pain.pain}: {one.people}" for one in named)
    return describe(ax, f"{title}. {said}.")


def disagreement(score: Score, answers: Answers, ax: Axes | None = None) -> Axes:
    """Draw who answered what, without names, for the questions that need talking about."""
    title, asked = agenda(score), [one.question for one in score.agenda]
    ax = axes(ax, (8.0, 1.0 + 0.4 * max(len(asked), 1)))
    if not asked:
        return _empty(ax, title) if not score.respondents else describe(ax, title)
    left = [0] * len(asked)
    counts = [
        Counter(_choice(given[q.id]) for given in answers.values() if q.id in given) for q in asked
    ]
    for choice, colour in COLOURS.items():
        widths = [count[choice] for count in counts]
        if any(widths):
            bars = ax.barh([q.id for q in asked], widths, left=left, color=colour, label=choice,
                           edgecolor="white")  # fmt: skip
            ax.bar_label(
                bars, [choice if w else "" for w in widths], label_type="center", fontsize=8
            )
            left = [a + b for a, b in zip(left, widths, strict=True)]
    ax.invert_yaxis()
    ax.set(xlabel="people", xticks=range(score.respondents + 1))
    ax.set_title(title, fontsize=10)
    said = "; ".join(
        f"{q.id}: " + ", ".join(f"{n} {choice}" for choice, n in sorted(count.items()))
        for q, count in zip(asked, counts, strict=True)
    )
    return describe(ax, f"{title}. {said}.")


def _choice(given: object) -> str:
    return str(given["answer"] if isinstance(given, dict) else given)


def gate(score: Score, ax: Axes | None = None) -> Axes:
    """Draw each level and dimension: open, shut, open if the unsure are right, or not asked."""
    ax = axes(ax, (8.0, 3.0))
    model, found = score.model, {(c.level, c.dimension): c for c in score.cells}
    asked = [one for one in model.levels if one.id]
    said = []
    for row, one in enumerate(asked):
        for column, dimension in enumerate(model.dimensions):
            cell = found.get((one.id, dimension.id))
            if cell is None or not score.respondents:
                colour, text = "#EEEEEE", "not asked" if cell is None else "unknown"
            else:
                colour = OK if cell.opens_low else WARN if cell.opens_high else BAD
                word = "open" if cell.opens_low else "unsure" if cell.opens_high else "shut"
                ends = sorted({f"{100 * end:.0f}" for end in (cell.low, cell.high)}, key=int)
                text = f"{word}\n{' to '.join(ends)} %"
                said.append(f"level {one.id} {dimension.name}: {word}")
            ax.barh(row, 0.96, left=column - 0.48, height=0.9, color=colour)
            ax.text(column, row, text, ha="center", va="center", fontsize=8,
                    color="white" if colour == BAD else "black")  # fmt: skip
    names = [
        one.name.replace(" and ", "\nand ").replace(", ", ",\n", 1) for one in model.dimensions
    ]
    ax.set_xticks(range(len(names)), names, fontsize=7)
    ax.set_yticks(range(len(asked)), [f"{one.id} {one.name}" for one in asked])
    title = (
        f"Everything up to level {score.level} is open"
        if score.level
        else "Level 1 is not open yet"
    )
    if not score.respondents:
        title = "Nobody has answered, so no gate can open"
    ax.set_title(title)
    ax.tick_params(length=0)
    return describe(ax, f"{title}. {'; '.join(said)}.")
