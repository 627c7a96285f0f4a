"""Teams, ownership, skills and the outlook in sentences and small tables.

Names of people appear only where a caller hands in `names`: by default everybody is a pseudonym.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from dataops_lib.finding import Finding, worst_first
from dataops_lib.people.model import Model
from dataops_lib.people.outlook import Savings, Standing
from dataops_lib.people.ownership import FIELDS, Card, Change, Holding
from dataops_lib.people.skills import Proposal
from dataops_lib.people.structure import Structure
from dataops_lib.teams import Team
from dataops_lib.wording import percent

GAP = "the article says nothing"


def pseudonyms(team: Team) -> dict[str, str]:
    """Person -> "person A" and so on, in the order of the roster."""
    return {
        person.name: f"person {chr(ord('A') + number) if number < 26 else number + 1}"
        for number, person in enumerate(team.people)
    }


def structure(proposal: Structure) -> str:
    """The structure in a sentence, with what does not fit the article's ranges."""
    parts = ", ".join(f"{unit.people} {unit.name}" for unit in proposal.units if unit.people)
    stretched = [f"{u.name} {u.people} (article: {u.low} to {u.high})" for u in proposal.stretched]
    people = "1 person" if proposal.headcount == 1 else f"{proposal.headcount} people"
    sentence = f"{people}: {proposal.bracket.name}. {parts}."
    if stretched:
        sentence += f" Outside of the article's ranges: {', '.join(stretched)}."
    return sentence


def roles(model: Model) -> pd.DataFrame:
    """The article's roles, and the team sizes whose bracket holds them."""
    rows = []
    for role in model.roles:
        sizes = [f"{b.first} to {b.below - 1}" for b in model.brackets if role.id in b.roles]
        skills = ", ".join(role.skills).replace("_", " ") or GAP
        rows.append((role.name, role.does, skills, ", ".join(sizes) or GAP))
    return pd.DataFrame(rows, columns=["role", "does", "skills", "team sizes"])


def ownership(findings: Sequence[Finding], names: Mapping[str, str]) -> pd.DataFrame:
    """Who answers for which table, worst first."""
    rows = [
        (f.subject, f.status, _renamed(f.evidence, names), f.next_step)
        for f in worst_first(findings)
    ]
    return pd.DataFrame(rows, columns=["table", "status", "because", "next step"])


def holders(held: Sequence[Holding], names: Mapping[str, str], *kinds: str) -> pd.DataFrame:
    """Who holds what, thinnest first; only `kinds` if any are given."""
    rows = [
        (h.kind, h.name, h.bus_factor, ", ".join(sorted(names.get(p, p) for p in h.people)))
        for h in held
        if h.people is not None and (not kinds or h.kind in kinds)
    ]
    frame = pd.DataFrame(rows, columns=["kind", "name", "bus factor", "people"])
    return frame.sort_values(["bus factor", "kind", "name"], ignore_index=True)


def thin(risks: Sequence[Holding]) -> str:
    """What hangs on one person, the most important first."""
    needed = [h for h in risks if h.kind != "skill"]
    if not needed:
        return "Everything that was looked at has a second person"
    single = [h.name for h in needed if h.bus_factor == 1]
    nobody = [h.name for h in needed if h.bus_factor == 0]
    parts = [f"nobody holds {', '.join(nobody)}"] if nobody else []
    parts += [f"one person alone holds {', '.join(single)}"] if single else []
    text = "; ".join(parts)
    return text[0].upper() + text[1:]


def change(before: Change, after: Change) -> str:
    """What a leave or a hire changes: what nobody holds then, what one holds, the share on call."""
    uncovered = [name for name in after.uncovered if name not in before.uncovered]
    single = [name for name in after.single if name not in before.single]
    parts = [f"nobody holds {', '.join(uncovered)}"] if uncovered else []
    parts += [f"one person is left for {', '.join(single)}"] if single else []
    if before.on_call_share is not None and after.on_call_share is not None:
        shares = percent(before.on_call_share), percent(after.on_call_share)
        parts.append(f"each is on call {shares[1]} of the time instead of {shares[0]}")
    return ("; ".join(parts) or "nothing changes that the files tell") + "."


def products(cards: Sequence[Card]) -> pd.DataFrame:
    """Each table as a product: which fields its card has, and what it lacks."""
    rows = [
        (card.table, card.tier, f"{len(FIELDS) - len(card.lacks)} of {len(FIELDS)}",
         ", ".join(card.lacks) or "nothing")
        for card in cards
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["table", "tier", "fields", "lacks"])


def levels(model: Model) -> pd.DataFrame:
    """Career levels as the article has them; a gap stays a gap."""
    rows = []
    for level in model.levels:
        first, last = level.years
        years = f"{first} to {last} years" if last else f"{first} years and more"
        fields = (level.stack, level.work, level.signal)
        rows.append((level.name, years, level.goal, *(text or GAP for text in fields)))
    columns = ["level", "experience", "goal", "stack", "work", "signal of growth"]
    return pd.DataFrame(rows, columns=columns)


def overlaps(model: Model) -> list[str]:
    """Where the article contradicts itself: levels, roles and phases that do not fit."""
    lines = [
        f"{low.name} and {high.name} both hold somebody with {high.years[0]} years"
        for low, high in zip(model.levels, model.levels[1:], strict=False)
        if low.years[1] == high.years[0]
    ]
    placed = {role for bracket in model.brackets for role in bracket.roles}
    lines += [
        f"{role.name} is a role and stands in no team size"
        for role in model.roles
        if role.id not in placed
    ]
    junior = next((level.years[1] for level in model.levels if level.years[0] == 0), None)
    lines += [
        f"phase {phase.id} ({phase.name}) begins in month {phase.months[0]}, and somebody is "
        f"{model.levels[0].name} for {junior} years"
        for phase in model.phases
        if junior and phase.months[1] and phase.months[0] >= 9 and phase.months[1] <= 12 * junior
    ]
    return lines


def proposals(proposed: Sequence[Proposal]) -> pd.DataFrame:
    """The next skills, why, and what would show them."""
    rows = [(p.skill.name, p.because, p.skill.evidence) for p in proposed]
    return pd.DataFrame(rows, columns=["skill", "because", "shown by"])


def outlook(standings: Sequence[Standing]) -> pd.DataFrame:
    """The forecast cards with the team's own probability."""
    rows = [
        (
            s.card.claim,
            s.card.speaks_for,
            s.card.speaks_against,
            s.card.changes_plan,
            "nobody has said" if s.median is None else f"{percent(s.median)} ({s.people})",
            "open" if s.score is None else f"{s.score:.2f}; without knowing {s.reference:.2f}",
        )
        for s in standings
    ]
    columns = ["claim", "for", "against", "would change", "median (people)", "Brier score"]
    return pd.DataFrame(rows, columns=columns)


def saved(savings: Savings) -> str:
    """What automation could free at most, from the team's own hours."""
    if savings.hours is None or savings.share is None:
        months = "1 month is" if savings.months == 1 else f"{savings.months} months are"
        return f"Not known: {months} written down in people.yaml, three are needed"
    return (
        f"{savings.hours:.0f} hours a month are routine ({percent(savings.share)} of all), between "
        f"{savings.low:.0f} and {savings.high:.0f} in the middle half of {savings.months} months: "
        "more cannot be saved by automation"
    )


def sources(model: Model) -> pd.DataFrame:
    """What the article names to learn from and to check, and what we could check of it."""
    rows = [(r.area, r.names, f"{r.note} ({r.checked_on})") for r in model.resources]
    rows += [(f"part {r.part}", r.names, r.checked) for r in model.references]
    return pd.DataFrame(rows, columns=["about", "named", "what we know"])


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, names[name])
    return text
