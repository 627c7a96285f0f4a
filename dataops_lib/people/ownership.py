"""Who can stand in for whom: holders, bus factors, gaps of ownership, and what-ifs of people."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dataops_lib import contracts
from dataops_lib.finding import Finding
from dataops_lib.people.model import Model
from dataops_lib.service_levels.objectives import SLO
from dataops_lib.teams import Team
from dataops_lib.teams.git_log import Log

Kind = Literal["table", "pipeline", "skill", "on-call"]


@dataclass(frozen=True)
class Holding:
    """Something that people must be able to do, and who can.

    `people` is None when no file tells: nobody known is not the same as nobody.
    """

    kind: Kind
    name: str
    people: frozenset[str] | None
    tier: int = 0  # of a table, or the most important table of a pipeline; 0: has none

    @property
    def bus_factor(self) -> int | None:
        """How many people would have to leave until nobody can do it; None: not known."""
        return None if self.people is None else len(self.people)


def holdings(team: Team, model: Model, log: Log | None = None) -> tuple[Holding, ...]:
    """Tables, pipelines, on-call and the roadmap's skills, each with the people who hold it.

    A table is held by its owner, by who is responsible for it in people.yaml, and by everybody who
    wrote two commits or more to its contract; a pipeline by the authors of its models and by the
    owners of its tables; a skill from grade `holds_from` on.
    """
    roster = {person.name for person in team.people}
    tables = tuple(
        Holding("table", table.name, _of_table(team, table.name, log) & roster, table.tier)
        for table in team.tables
    )
    pipelines = tuple(_pipeline(team, pipeline.name, tables, log) for pipeline in team.pipelines)
    on_call = None if team.rota is None else frozenset(team.rota["person"]) & roster
    return (*tables, *pipelines, Holding("on-call", "on-call", on_call), *_skills(team, model))


def _of_table(team: Team, table: str, log: Log | None) -> frozenset[str]:
    raci = team.roles.raci.get(table) if team.roles else None
    responsible = (*raci.accountable, *raci.responsible) if raci else ()
    authors = _authors(team, f"contracts/{table}.yaml", log)
    return frozenset({team.table(table).owner, *responsible, *authors})


def _pipeline(team: Team, name: str, tables: Sequence[Holding], log: Log | None) -> Holding:
    own = [table for table in tables if team.pipeline_of(table.name).name == name]
    people = frozenset().union(*(table.people or frozenset() for table in own))
    tier = min((table.tier for table in own), default=0)
    return Holding("pipeline", name, people | _authors(team, f"pipelines/{name}/", log), tier)


def _authors(team: Team, path: str, log: Log | None) -> frozenset[str]:
    """People of the roster who wrote two commits or more below `path`."""
    commits = [c for c in (log.commits if log else None) or () if not c.merges and c.touches(path)]
    counts = {person.name: sum(c.is_of(person.name) for c in commits) for person in team.people}
    return frozenset(name for name, count in counts.items() if count >= 2)


def _skills(team: Team, model: Model) -> tuple[Holding, ...]:
    held = team.roles.skills if team.roles else {}
    return tuple(
        Holding(
            "skill",
            skill.id,
            frozenset(
                person
                for person, skills in held.items()
                if skill.id in skills and skills[skill.id].grade >= model.holds_from
            )
            if held
            else None,
        )
        for skill in model.skills
    )


def at_risk(held: Iterable[Holding]) -> tuple[Holding, ...]:
    """What one person or nobody holds: tables of tier 1 first, then pipelines, on-call, skills."""
    order: Sequence[Kind] = ("table", "pipeline", "on-call", "skill")
    thin = [h for h in held if h.bus_factor is not None and h.bus_factor <= 1]
    ranked = sorted(thin, key=lambda h: (order.index(h.kind), h.tier, h.bus_factor, h.name))
    needed = [h for h in ranked if h.kind != "skill" or h.bus_factor == 1]
    return tuple(needed)


def without(held: Iterable[Holding], leaving: Collection[str]) -> tuple[Holding, ...]:
    """The same holdings after people have left."""
    return tuple(
        h if h.people is None else replace(h, people=h.people - frozenset(leaving)) for h in held
    )


@dataclass(frozen=True)
class Change:
    """What a leave or a hire does: names that nobody holds then, and those that one holds."""

    uncovered: tuple[str, ...]
    single: tuple[str, ...]
    on_call_share: float | None  # of one person's weeks, with `layers` filled each week; ratio


def what_if(
    held: Sequence[Holding], *, leaving: Collection[str] = (), hires: int = 0, layers: int = 2
) -> Change:
    """What stands uncovered, and what share of their weeks people are on call, after a change.

    A hire holds nothing on the first day but joins the rota. The share is None without a rota, and
    1.0 when there are fewer people than layers.
    """
    after = without(held, leaving)
    rota = next((h.people for h in after if h.kind == "on-call"), None)
    count = None if rota is None else len(rota) + hires
    share = None if count is None else 1.0 if count < layers else layers / count
    needed = [h for h in after if h.people is not None and h.kind in ("table", "pipeline")]
    return Change(
        tuple(h.name for h in needed if not h.people),
        tuple(h.name for h in needed if h.bus_factor == 1),
        share,
    )


# ---- ownership: exactly one accountable for each table


def judge_raci(team: Team) -> list[Finding]:
    """For each table: exactly one accountable person, the one whom team.yaml calls its owner."""
    return [_judged(team, table.name, table.owner) for table in team.tables]


def _judged(team: Team, table: str, owner: str) -> Finding:
    raci = team.roles.raci.get(table) if team.roles else None
    roster = {person.name for person in team.people}
    accountable = raci.accountable if raci else (owner,)
    if len(accountable) != 1:
        who = ", ".join(accountable) or "nobody"
        return Finding(table, "fail", f"accountable: {who}", "Name exactly one person accountable")
    if accountable[0] != owner:
        evidence = f"people.yaml says {accountable[0]}, team.yaml says {owner}"
        return Finding(table, "fail", evidence, "Write the same owner into both files")
    if owner not in roster:
        evidence = f"{owner} is not in the roster"
        return Finding(table, "fail", evidence, "Give the table an owner who is there")
    if raci is None or not raci.responsible:
        evidence = f"{owner} is accountable, nobody else is named responsible"
        return Finding(table, "warn", evidence, "Name a second person who can repair it")
    names = ", ".join(raci.responsible)
    return Finding(table, "ok", f"{owner} is accountable, {names} responsible", "Nothing to do")


def unagreed(team: Team) -> list[Finding]:
    """Tables that somebody outside of the team reads and that no contract is written for."""
    agreed = set(team.contracts or {})
    readers: dict[str, list[str]] = {}
    for consumer in team.consumers:
        readers.setdefault(consumer.table, []).append(consumer.name)
    return [
        Finding(
            table,
            "warn",
            f"read by {', '.join(names)} without a contract",
            f"Write contracts/{table}.yaml together with {names[0]}",
        )
        for table, names in sorted(readers.items())
        if table not in agreed
    ]


# ---- a table as a product


FIELDS = ("owner", "consumer", "SLO", "contract", "tests", "runbook", "version", "documentation")


@dataclass(frozen=True)
class Card:
    """A table as a product: what each field holds, "" where it is empty."""

    table: str
    tier: int
    fields: Mapping[str, str]

    @property
    def lacks(self) -> tuple[str, ...]:
        """The fields that are empty, in the order of the card."""
        return tuple(name for name in FIELDS if not self.fields[name])

    @property
    def completeness(self) -> float:
        """Share of fields that are filled, a ratio in [0, 1]."""
        return 1 - len(self.lacks) / len(FIELDS)


def cards(team: Team, runbooks: Mapping[str, str]) -> tuple[Card, ...]:
    """A card for each table; `runbooks` are the team's, by file name, as text."""
    return tuple(
        Card(table.name, table.tier, _card(team, table.name, runbooks))
        for table in sorted(team.tables, key=lambda table: (table.tier, table.name))
    )


def _card(team: Team, table: str, runbooks: Mapping[str, str]) -> dict[str, str]:
    facts, contract = team.table(table), (team.contracts or {}).get(table)
    pipeline = team.pipeline_of(table).name
    slos: list[SLO] = [slo for slo in team.slos or () if slo.table == table]
    checks = contracts.checks(contract) if contract else []
    books = [name for name, text in runbooks.items() if table in text or pipeline in text]
    documented = team.roles.documentation.get(table, "") if team.roles else ""
    return {
        "owner": facts.owner if facts.owner in {p.name for p in team.people} else "",
        "consumer": ", ".join(c.name for c in team.consumers if c.table == table),
        "SLO": ", ".join(slo.sli for slo in slos),
        "contract": f"contracts/{table}.yaml" if contract else "",
        "tests": f"{len(checks)} checks" if checks else "",
        "runbook": ", ".join(sorted(books)),
        "version": contract.version if contract else "",
        "documentation": documented,
    }
