"""Which skill comes next: prerequisites first, then what the team would lose with one person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from dataops_lib.people.model import Model, Skill
from dataops_lib.people.ownership import Holding


@dataclass(frozen=True)
class Proposal:
    """A skill to learn next, why it is proposed, and what would show it."""

    skill: Skill
    opens: tuple[str, ...]  # skills that wait for it
    holders: int | None  # how many of the team hold it; None: not known
    because: str


def order(model: Model) -> tuple[str, ...]:
    """All skills, each after those that it needs; ValueError when they run in a circle."""
    return tuple(TopologicalSorter({s.id: s.needs for s in model.skills}).static_order())


def held_by(model: Model, skills: Mapping[str, int]) -> frozenset[str]:
    """Skills that count as held: from the grade on with which a person can stand in."""
    return frozenset(skill for skill, grade in skills.items() if grade >= model.holds_from)


def next_skills(
    model: Model, skills: Mapping[str, int], team: Sequence[Holding] = (), *, count: int = 3
) -> tuple[Proposal, ...]:
    """The next skills of one person, at most `count`: none has a prerequisite that is missing.

    Earlier phases come first; within a phase what fewest colleagues hold, then what opens most.

    Parameters
    ----------
    skills
        Skill id -> grade 1 to 3 of this person.
    team
        The team's holdings, for how many hold a skill.
    """
    held = held_by(model, skills)
    holders = {h.name: h.bus_factor for h in team if h.kind == "skill"}
    ready = [s for s in model.skills if s.id not in held and set(s.needs) <= held]
    phases = [phase.id for phase in model.phases]

    def opens(skill: Skill) -> tuple[str, ...]:
        return tuple(s.id for s in model.skills if skill.id in s.needs and s.id not in held)

    def key(skill: Skill) -> tuple[int, int, int]:
        return phases.index(skill.phase), holders.get(skill.id) or 0, -len(opens(skill))

    return tuple(
        Proposal(s, opens(s), holders.get(s.id), _because(s, opens(s), holders.get(s.id)))
        for s in sorted(ready, key=key)[:count]
    )


def _because(skill: Skill, opens: Sequence[str], holders: int | None) -> str:
    reasons = [f"phase {skill.phase}"]
    if holders is not None:
        people = {0: "nobody in the team holds it", 1: "one colleague holds it"}
        reasons.append(people.get(holders, f"{holders} colleagues hold it"))
    if opens:
        reasons.append(f"{len(opens)} {'skill waits' if len(opens) == 1 else 'skills wait'} for it")
    return "; ".join(reasons)
