"""The causes of a postmortem as a graph: several branches, each a chain of whys."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dataops_lib.incidents.postmortem_lint import load_rules

_WHY = re.compile(r"^\s*(\d+)[.)]\s+(.*)")
_LEFT = re.compile(r"\[to write\b[^\]]*\]")


@dataclass(frozen=True)
class Branch:
    """One question, and the whys below it in their order; an unanswered one is None."""

    question: str
    whys: tuple[str | None, ...]


@dataclass(frozen=True)
class Causes:
    """What a postmortem names as causes: branches, and the contributing factors in a line each."""

    branches: tuple[Branch, ...]
    factors: tuple[str, ...]

    @property
    def answered(self) -> int:
        """Whys that people have written."""
        return sum(why is not None for branch in self.branches for why in branch.whys)


def read(text: str) -> Causes:
    """The branches below the heading on causes, and the contributing factors.

    A heading of level 3, or a list that begins again at 1, begins a branch; an arrow or an indented
    line below a why is its answer.

    Examples
    --------
    >>> found = read("## Root cause\\n\\n### What hid it?\\n1. Why? The check counted rows.\\n")
    >>> found.branches
    (Branch(question='What hid it?', whys=('The check counted rows.',)),)
    """
    form = load_rules()["sections"]["causes"]
    inside, question, factors = False, "", []
    branches: list[tuple[str, list[str | None]]] = []
    for line in text.splitlines():
        heading = re.match(r"(#{2,6})\s+(.*)", line)
        if heading:
            if len(heading[1]) == 2:
                inside = re.search(form, heading[2], re.I) is not None
            question = heading[2].strip()
            branches += [(question, [])] if inside and len(heading[1]) > 2 else []
            continue
        why = _WHY.match(line)
        if not inside:
            continue
        if re.search(r"contributing factor", question, re.I):
            if item := re.match(r"\s*(?:[-*]|\d+[.)])\s+(.*)", line):
                factors += [] if _LEFT.search(item[1]) else [item[1].strip()]
        elif why:
            if not branches or (why[1] == "1" and branches[-1][1]):
                branches.append((question if not branches else "and", []))
            said = re.sub(r"^why\b[^?]*\?\s*", "", why[2], flags=re.I).strip()
            branches[-1][1].append(None if _LEFT.search(why[2]) else said or why[2].strip())
        elif (answer := re.match(r"\s*(?:→|->)\s*(.+)", line)) and branches and branches[-1][1]:
            branches[-1][1][-1] = answer[1].strip()
    kept = tuple(Branch(name, tuple(whys)) for name, whys in branches if whys)
    return Causes(kept, tuple(factors))
