"""Roles, team sizes, career levels, skills and the outlook, as values."""

from __future__ import annotations

from datetime import date
from functools import cache

from dataops_lib import playbook, yaml_lines
from dataops_lib.fields import Frozen


class Role(Frozen):
    """A role of the article: what it does, and the skills it asks for."""

    id: str
    name: str
    does: str
    skills: tuple[str, ...]
    lines: tuple[int, ...]


class Part(Frozen):
    """A central team or a domain of a large organisation."""

    name: str
    does: str
    lines: tuple[int, ...]


class Bracket(Frozen):
    """Team sizes from `first` to before `below`, and the article's range for each role."""

    id: str
    name: str
    first: int
    below: int
    lines: tuple[int, ...]
    roles: dict[str, tuple[int, int]]
    advice: tuple[str, ...]
    central: Part | None = None
    domains: tuple[Part, ...] = ()
    central_share: float = 0.0


class Advice(Frozen):
    """What matters first up to a maturity level; ours."""

    at_most: int
    says: str


class Level(Frozen):
    """A career level; None where the article says nothing."""

    id: str
    name: str
    years: tuple[int, int | None]
    goal: str
    stack: str | None
    work: str | None
    signal: str | None
    example: str | None
    salary_usd: tuple[int, int]
    lines: tuple[int, ...]
    tracks: tuple[str, ...] = ()


class Phase(Frozen):
    """A stretch of the skills roadmap, in months."""

    id: str
    name: str
    months: tuple[int, int | None]
    lines: tuple[int, ...]


class Skill(Frozen):
    """A skill of the roadmap: what comes before it, and what would show it."""

    id: str
    name: str
    phase: str
    needs: tuple[str, ...]
    evidence: str
    skill_of: tuple[str, ...]


class Grade(Frozen):
    """How well somebody holds a skill, 1 to 3."""

    id: int
    means: str


class Resource(Frozen):
    """A resource of the article, and what is known of it since `checked_on`."""

    area: str
    names: str
    checked_on: date
    note: str


class Card(Frozen):
    """A change that the article calls certain, as a claim that can be decided."""

    id: str
    claim: str
    article: str
    lines: tuple[int, ...]
    by: date
    base_rate: float | None
    base: str
    speaks_for: str
    speaks_against: str
    changes_plan: str


class Value(Frozen):
    """One of the five values, and the number of the team that it is tied to."""

    id: str
    name: str
    asks: str
    number: str
    lines: tuple[int, ...]


class Claim(Frozen):
    """A figure of the article that is shown with its nature, and never computed on."""

    id: str
    claim: str
    lines: tuple[int, ...]
    nature: str


class Reference(Frozen):
    """What the article names as sources of a part, and what could be checked."""

    part: str
    names: str
    checked: str


class Model(Frozen):
    """Everything that `data/playbook/people.yaml` holds; it says what each field means."""

    version: int
    roles: tuple[Role, ...]
    brackets: tuple[Bracket, ...]
    maturity: tuple[Advice, ...]
    levels: tuple[Level, ...]
    salary_note: str
    phases: tuple[Phase, ...]
    skills: tuple[Skill, ...]
    grades: tuple[Grade, ...]
    holds_from: int
    resources: tuple[Resource, ...]
    forecasts: tuple[Card, ...]
    values: tuple[Value, ...]
    claims: tuple[Claim, ...]
    references: tuple[Reference, ...]

    def role(self, id: str) -> Role:
        """The role with this id; KeyError if there is none."""
        return {role.id: role for role in self.roles}[id]

    def skill(self, id: str) -> Skill:
        """The skill with this id; KeyError if there is none."""
        return {skill.id: skill for skill in self.skills}[id]


@cache
def load_model() -> Model:
    """The model of `data/playbook/people.yaml`.

    >>> [bracket.name for bracket in load_model().brackets][0]
    'Full-stack data engineers'
    """
    name = "people.yaml"
    return yaml_lines.validate(Model, yaml_lines.loads(playbook.text(name), name))
