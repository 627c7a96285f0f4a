"""What week one asks about a team, in one learner's numbers.

Each function takes a `Place` and draws what data/playbook/week_one.yaml asks in words; the truth
comes from the team's own files and tables. It raises `NoInput` when they do not tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dataops_lib.course.week_one.learner import Place
from dataops_lib.course.week_one.question import (
    CLOCK,
    COUNT,
    DAY,
    NAMES,
    WORD,
    AnyOf,
    Drawn,
    NoInput,
    pick,
)
from dataops_lib.evidence import records
from dataops_lib.report.tiles import Tile
from dataops_lib.teams import lineage
from dataops_lib.teams.models import Consumer
from dataops_lib.wording import day as said

MINUTE = timedelta(minutes=1)
DAY_LONG = timedelta(days=1)
NEEDS_MODELS = "needs models: pipelines/<pipeline>/<model>.sql"


def rows_of_a_day(place: Place) -> Drawn:
    """Rows that readers see of one day of one table."""
    counts = place.by_day

    def build(candidate: tuple[str, date]) -> Drawn:
        name, day = candidate
        rows_by_day, before = counts[name], day - DAY_LONG
        wrong = {
            "all days for one": sum(rows_by_day.values()),
            "landing day for data day": rows_by_day.get(before, 0),
        }
        column = place.team.table(name).day_column
        given = {"table": name, "column": column, "day": day}
        values = {"day_said": said(day), "before": said(before), "right": rows_by_day[day]}
        return Drawn(COUNT, rows_by_day[day], wrong, given, values)

    drawn = [(name, day) for name, by_day in counts.items() for day in by_day]
    return pick(place.shuffled("rows", drawn), build)


def tile(place: Place) -> Drawn:
    """What one tile of page one counts as not good."""

    def build(chosen: Tile) -> Drawn:
        assert chosen.measured is not None
        good, total = round(chosen.measured.good), round(chosen.measured.total)
        percent = round(100 * good / total)
        wrong = {"good for bad": good, "total for bad": total, "percent for count": percent}
        values = {"unit": chosen.unit, "good": good, "total": total, "right": total - good}
        return Drawn(COUNT, total - good, wrong, {"tile": chosen.label}, values)

    measured = [
        candidate for candidate in place.tiles if candidate.measured and candidate.measured.total
    ]
    if not measured:
        raise NoInput("needs a run history, or a contract and its table")
    return pick(place.shuffled("tile", measured), build)


def parents(place: Place) -> Drawn:
    """What one model is built from, directly."""
    graph = place.team.lineage

    def build(name: str) -> Drawn:
        right = graph[name]
        wrong = {
            "ancestors for parents": _above(graph, name),
            "children for parents": _children(graph, name),
            "itself as a parent": [*right, name],
        }
        return Drawn(NAMES, right, _some(wrong), {"model": name}, {"right_said": _listed(right)})

    models = sorted(name for name, inputs in graph.items() if inputs)
    if not models:
        raise NoInput(NEEDS_MODELS)
    return pick(place.shuffled("parents", models), build)


def what_stays_old(place: Place) -> Drawn:
    """Published tables that stay old when one model is not rebuilt."""
    graph, team = place.team.lineage, place.team
    published = {table.name for table in team.tables}

    def build(name: str) -> Drawn:
        below = team.downstream(name)
        own = (name,) if name in published else ()
        direct = [child for child in _children(graph, name) if child in published]
        wrong = {
            "direct children only": [*own, *direct],
            "unpublished models": {name, *lineage.downstream(graph, name)},
            "itself left out": below,
            "upstream for downstream": graph.get(name, ()),
        }
        right = (*own, *below)
        return Drawn(NAMES, right, _some(wrong), {"model": name}, {"right_said": _listed(right)})

    names = {parent for inputs in graph.values() for parent in inputs} | set(graph)
    models = sorted(name for name in names if team.downstream(name))
    if not models:
        raise NoInput(NEEDS_MODELS)
    return pick(place.shuffled("stays old", models), build)


def landed(place: Place) -> Drawn:
    """The local time at which readers got one load."""
    runs = place.runs
    published = runs[runs["published_at"].notna()].sort_values("published_at")
    zone = place.team.zone

    def build(row: Mapping[str, Any]) -> Drawn:
        utc, at = row["published_at"], place.local(row["published_at"])
        due, started = place.local(row["due_at"]), place.local(row["started_at"])
        wrong = {
            "UTC for local": f"{utc:%H:%M}",
            "due for landed": f"{due:%H:%M}",
            "start for publish": f"{started:%H:%M}",
        }
        given = {"table": row["table"], "due_at": row["due_at"].to_pydatetime(), "zone": zone}
        values = {"day_said": said(due.date()), "due": f"{due:%H:%M}", "utc": f"{utc:%H:%M}"}
        values["clocks"] = _clocks(utc, zone)
        return Drawn(CLOCK, f"{at:%H:%M}", wrong, given, values | {"right": f"{at:%H:%M}"})

    rows: Any = published.drop_duplicates(["table", "due_at"]).to_dict("records")
    same_day = [
        row
        for row in rows
        if place.local(row["due_at"]).date() == place.local(row["published_at"]).date()
    ]
    return pick(place.shuffled("landed", same_day), build)


def time_left(place: Place) -> Drawn:
    """Minutes between an alert in UTC and the first reader's local time of reading."""
    team = place.team

    def build(candidate: tuple[str, datetime, list[tuple[int, Consumer]]]) -> Drawn:
        name, at, waits = candidate
        first = min(waits, key=lambda one: one[0])
        zone = first[1].zone or team.zone
        local = at.astimezone(ZoneInfo(zone))
        offset = round((local.utcoffset() or timedelta(0)) / MINUTE)
        wrong: dict[str, Any] = {
            "the last reader for the first": max(wait for wait, _ in waits),
        }
        if offset:
            wrong["UTC for local"] = AnyOf(_by_utc(first[0] + offset))
        values: dict[str, Any] = {
            "alert": f"{at:%Y-%m-%d %H:%M}",
            "alert_clock": f"{at:%H:%M}",
            "zone": zone,
        }
        values |= {"local": f"{local:%H:%M}", "first": first[1].name, "right": first[0]}
        values["clocks"] = _clocks(at, zone)
        return Drawn(COUNT, first[0], wrong, {"table": name, "alert_at": at}, values)

    due: Any = place.runs[["table", "due_at"]].drop_duplicates().to_dict("records")
    drawn = [
        (row["table"], at, waits)
        for number, row in enumerate(due)
        for late in (4 + 7 * number % 53, 4 + 31 * number % 53)
        if (
            waits := _waits(
                place, row["table"], at := row["due_at"].to_pydatetime() + late * MINUTE
            )
        )
    ]
    if not drawn:
        raise NoInput("needs consumers in team.yaml who read after a load is due")
    return pick(place.shuffled("deadline", drawn), build)


def owner(place: Place) -> Drawn:
    """Who answers for a table."""
    owners = {table.name: table.owner for table in place.team.tables if table.owner}
    if not owners:
        raise NoInput("needs tables with an owner: team.yaml")

    def build(name: str) -> Drawn:
        people = [person.name for person in place.team.people] or list(owners.values())
        others = [person for person in dict.fromkeys(people) if person != owners[name]]
        wrong = {"another owner": AnyOf(others)} if others else {}
        return Drawn(WORD, owners[name], wrong, {"table": name}, {"right": owners[name]})

    return pick(place.shuffled("owner", owners), build)


def tier(place: Place) -> Drawn:
    """How much depends on a table."""
    tiers = {table.name: table.tier for table in place.team.tables}
    if not tiers:
        raise NoInput("needs tables: team.yaml")

    def build(name: str) -> Drawn:
        other = AnyOf({1, 2, 3} - {tiers[name]})
        return Drawn(
            COUNT, tiers[name], {"another tier": other}, {"table": name}, {"right": tiers[name]}
        )

    return pick(place.shuffled("tier", tiers), build)


def newest_day(place: Place) -> Drawn:
    """The newest day of data that readers had at noon of a past day."""
    days = {name: list(dates) for name, dates in place.by_day.items()}

    def build(candidate: tuple[str, date]) -> Drawn:
        name, day = candidate
        noon = datetime.combine(day, time(12), place.zone)
        column, newest = place.team.table(name).day_column, place.newest_at(name, noon)
        published = place.landings[name]["published_at"]
        came = place.local(published[published <= noon].max()).date()
        wrong = {"landing day for data day": came, "now for then": days[name][-1]}
        wrong |= {"the day itself": day} if came != day else {}
        given = {"table": name, "column": column, "at": noon}
        values = {"day_said": said(day), "zone": place.team.zone, "came_said": said(came)}
        return Drawn(
            DAY, newest, wrong, given, values | {"right": newest, "right_said": said(newest)}
        )

    drawn = [(name, day) for name, known in days.items() for day in known[7:]]
    return pick(place.shuffled("newest", drawn), build)


def allowed_lateness(place: Place) -> Drawn:
    """How late a table may be by its own SLO."""
    promises = {
        table.name: promise
        for table in place.team.tables
        if (promise := records.promises(place.team, table.name).get("freshness"))
        and isinstance(promise.objective.limit, timedelta)
    }
    if not promises:
        raise NoInput("needs a freshness SLO: slos.yaml")

    def build(name: str) -> Drawn:
        promise = promises[name]
        limits: list[Any] = [promise.objective.limit, promise.sla.limit if promise.sla else None]
        right = round(limits[0] / MINUTE)
        wrong = {"hours for minutes": round(limits[0] / timedelta(hours=1))}
        wrong["seconds for minutes"] = round(limits[0].total_seconds())
        if isinstance(limits[1], timedelta):
            wrong["SLA for SLO"] = round(limits[1] / MINUTE)
        values = {"promise": str(promise.objective), "right": right}
        return Drawn(COUNT, right, wrong, {"table": name}, values)

    return pick(place.shuffled("slo", promises), build)


def _clocks(at: datetime, zone: str) -> str:
    """A moment in UTC and, where that differs, on the clocks of a zone."""
    local = at.astimezone(ZoneInfo(zone))
    utc = at.astimezone(UTC)
    same = local.utcoffset() == timedelta(0)
    return f"{utc:%H:%M} UTC" + ("" if same else f", which is {local:%H:%M} in {zone}")


def _by_utc(minutes: int) -> set[int]:
    """What somebody may write who counted from a clock in UTC: it can lie after the reading."""
    return {minutes, abs(minutes), minutes % 1440}


def _children(graph: Mapping[str, tuple[str, ...]], name: str) -> list[str]:
    return [child for child, inputs in graph.items() if name in inputs]


def _above(graph: Mapping[str, tuple[str, ...]], name: str) -> list[str]:
    parents: list[str] = []
    waiting = list(graph.get(name, ()))
    while waiting:
        table = waiting.pop(0)
        if table not in parents:
            parents.append(table)
            waiting += graph.get(table, ())
    return parents


def _waits(place: Place, name: str, at: datetime) -> list[tuple[int, Consumer]]:
    """Minutes from `at` to the reading of everybody who reads `name` or what is built from it."""
    reached, waits = {name, *place.team.downstream(name)}, []
    for consumer in place.team.consumers:
        local = at.astimezone(ZoneInfo(consumer.zone or place.team.zone))
        if consumer.table in reached and (consumer.days == "daily" or local.weekday() < 5):
            reads = local.replace(hour=consumer.reads_at.hour, minute=consumer.reads_at.minute)
            waits.append((round((reads - local) / MINUTE), consumer))
    return [(wait, consumer) for wait, consumer in waits if wait > 0]


def _some(wrong: Mapping[str, Iterable[str]]) -> dict[str, Iterable[str]]:
    return {name: answer for name, answer in wrong.items() if answer}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
