"""What a team's people.yaml says: skills, who answers for what, hours of routine, forecasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated

from pydantic import Field

from dataops_lib import playbook, yaml_lines
from dataops_lib.errors import TeamError
from dataops_lib.fields import Day, Frozen, Identifier, Line
from dataops_lib.teams.models import TeamFile

FILE = "people.yaml"
Grade = Annotated[int, Field(ge=1, le=3)]
Hours = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]


class Held(Frozen):
    """A skill that somebody holds, and what shows it."""

    grade: Grade
    evidence: Line | None = None


class Raci(Frozen):
    """Who is responsible, accountable, consulted and informed for one table."""

    accountable: tuple[Line, ...] = ()
    responsible: tuple[Line, ...] = ()
    consulted: tuple[Line, ...] = ()
    informed: tuple[Line, ...] = ()


class RoutineMonth(Frozen):
    """Hours of one month: all of the team, and those of routine work that could be automated."""

    month: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
    total_hours: Hours
    routine_hours: Hours


class Forecast(Frozen):
    """A probability that somebody gave for a claim; `came_true` once it is decided."""

    claim: Identifier
    person: Line
    given_on: Day
    probability: Annotated[float, Field(ge=0, le=1)]
    came_true: bool | None = None


class PeopleFile(Frozen):
    """The whole people.yaml; every part may be missing."""

    note: str = ""
    level: Mapping[Line, Identifier] = {}
    skills: Mapping[Line, Mapping[Identifier, Held]] = {}
    raci: Mapping[Identifier, Raci] = {}
    documentation: Mapping[Identifier, Line] = {}
    routine: tuple[RoutineMonth, ...] = ()
    forecasts: tuple[Forecast, ...] = ()


@cache
def identifiers(kind: str) -> tuple[str, ...]:
    """The ids that the playbook gives to its `skills`, `levels` or `forecasts`."""
    return tuple(entry["id"] for entry in yaml_lines.loads(playbook.text(FILE), FILE).data[kind])


def loads(text: str, file: str, team: TeamFile | None) -> PeopleFile:
    """The file, every name in it held against team.yaml and the playbook.

    Raises
    ------
    TeamError
        With all its mistakes, each with its line.
    """
    read = yaml_lines.loads(text, file)
    people = yaml_lines.validate(PeopleFile, read)
    if team is None:  # its own mistakes come first
        return people
    problems = [read.problem(path, message, fix) for path, message, fix in _mistakes(people, team)]
    if problems:
        raise TeamError(problems)
    return people


def _mistakes(people: PeopleFile, team: TeamFile) -> Iterator[tuple[yaml_lines.Path, str, str]]:
    roster = [person.name for person in team.people]
    tables = [table.name for table in team.tables]
    names: list[tuple[yaml_lines.Path, str, list[str], str]] = []
    names += [(("level", person), person, roster, "people") for person in people.level]
    names += [
        (("level", person), level, list(identifiers("levels")), "levels of the playbook")
        for person, level in people.level.items()
    ]
    names += [(("skills", person), person, roster, "people") for person in people.skills]
    skills = list(identifiers("skills"))
    names += [
        (("skills", person, skill), skill, skills, "skills of the playbook")
        for person, holds in people.skills.items()
        for skill in holds
    ]
    names += [(("raci", table), table, tables, "tables") for table in people.raci]
    names += [
        (("raci", table, part), person, roster, "people")
        for table, raci in people.raci.items()
        for part, members in (("accountable", raci.accountable), ("responsible", raci.responsible))
        for person in members
    ]
    names += [(("documentation", table), table, tables, "tables") for table in people.documentation]
    for number, forecast in enumerate(people.forecasts):
        claims = list(identifiers("forecasts"))
        names.append((("forecasts", number, "claim"), forecast.claim, claims, "forecasts"))
    for path, name, allowed, where in names:
        if name not in allowed:
            yield path, f"{name!r} is not among the {where}", f"use one of {', '.join(allowed)}"
    for number, month in enumerate(people.routine):
        if month.routine_hours > month.total_hours:
            fix = "count routine hours as a part of total_hours"
            yield ("routine", number, "routine_hours"), "is more than total_hours", fix
