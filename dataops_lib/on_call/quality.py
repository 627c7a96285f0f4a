"""Whether a rota holds what the article asks for: each figure beside its limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise

from dataops_lib.finding import Finding, Status
from dataops_lib.on_call import rules
from dataops_lib.on_call.rota import Rota, Shift, days_of
from dataops_lib.teams.on_call_file import Responder, RotationPolicy
from dataops_lib.windows import Window

NO_TIME = timedelta(0)


def check(rota: Rota, policy: RotationPolicy) -> list[Finding]:
    """Coverage, double booking, rest, share, nights, weekends, holidays and fairness of a rota.

    What holds is judged, overrides included. A rota without shifts is unknown.
    """
    if not rota.shifts and not rota.unfilled:
        return [Finding("rota", "unknown", "no rota is known", "Write rota.csv or generate one")]
    counted = tally(rota, policy)
    findings = [_uncovered(rota, policy), _double_booked(rota), _rest(rota, policy)]
    shares = {name: row["share_on_call"] for name, row in counted.items()}
    worst = max(shares, key=lambda name: shares[name], default="")
    findings.append(
        _judged(
            "share_on_call",
            shares.get(worst, 0.0),
            f"{worst} {shares.get(worst, 0):.0%}, as primary or secondary",
            "More people, or fewer layers: see capacity",
        )
    )
    for what in ("night", "weekend", "holiday", "load"):
        there = _comparable(rota, counted)
        values = {name: counted[name][f"{what}s"] for name in there}
        most, least = max(values.values(), default=0), min(values.values(), default=0)
        ends = [f"{_names(values, end)} {round(end, 2):g}" for end in (most, least)]
        evidence = "all alike" if most - least < 1e-9 else ", ".join(ends)
        step = "Swap a shift, or generate the rota with its history"
        findings.append(_judged(f"{what}_difference", most - least, evidence, step))
    return findings


def tally(rota: Rota, policy: RotationPolicy) -> dict[str, dict[str, float]]:
    """For each person: share of the time on call, nights, weekends and holidays as primary, load.

    `loads` is what they hold above (or below) a fair share among those who were there, in weighted
    weeks. A weekend is half of it for each of its days.
    """
    book, length = rules.load(), rota.window.duration
    days = days_of(rota.window, policy.zone)
    free = rules.holidays(policy, days[0], days[-1]) if days else frozenset()
    names = list(dict.fromkeys([p.name for p in rota.people] + [s.person for s in rota.final]))
    keys = ("share_on_call", "nights", "weekends", "holidays", "loads")
    counted = {name: dict.fromkeys(keys, 0.0) for name in names}
    for shift in rota.final:
        row = counted[shift.person]
        if shift.role in ("primary", "secondary"):
            row["share_on_call"] += (shift.ends_at - shift.starts_at) / length
        for day in days_of(shift.window, policy.zone):
            if shift.role == "primary":
                row["nights"] += 1
                row["weekends"] += 0.5 * (day.weekday() >= 5)
                row["holidays"] += day in free
            weight = rules.points(day, shift.role, free) / book.points.week
            row["loads"] += weight
            for name, share in _owed(rota, shift.role, day).items():
                counted[name]["loads"] -= share * weight
    return counted


def _owed(rota: Rota, role: str, day: date) -> dict[str, float]:
    """How the work of a day would be shared fairly: by share among those who hold the layer."""
    there = {
        p.name: p.share
        for p in rota.people
        if role in p.layers and p.is_present(day) and not _is_learning(rota, p, day)
    }
    if not rota.people:  # a rota that was read tells nothing of who could have been asked
        there = dict.fromkeys({s.person for s in rota.final if s.role == role}, 1.0)
    total = sum(there.values())
    return {name: share / total for name, share in there.items()}


def _is_learning(rota: Rota, person: Responder, day: date) -> bool:
    """Whether somebody has not looked on often enough to be called that day."""
    looked = [s for s in rota.shifts if (s.role, s.person) == ("shadow", person.name)]
    return sum(s.ends_at.date() <= day for s in looked) < person.shadow_shifts


def _comparable(rota: Rota, counted: Mapping[str, object]) -> list[str]:
    """People whose nights can be compared: full share, primary, there the whole time, called."""
    if not rota.people:
        return [name for name in counted if any(s.person == name and s.role == "primary"
                                                for s in rota.final)]  # fmt: skip
    start, end = rota.window.start.date(), (rota.window.end - timedelta(days=1)).date()
    return [
        p.name
        for p in rota.people
        if "primary" in p.layers
        and p.share == 1
        and not p.shadow_shifts
        and p.is_present(start)
        and p.is_present(end)
    ]


def _names(values: Mapping[str, float], value: float) -> str:
    return ", ".join(name for name, count in values.items() if count == value)


def _judged(name: str, value: float, evidence: str, step: str) -> Finding:
    """A figure beside its limit, a hair above it is still within."""
    limit = rules.load().limit(name)
    holds = value <= limit.limit + 1e-9
    shown = f"{value:.0%}, limit {limit.limit:.0%}" if name == "share_on_call" else (
        f"{round(value, 2):g}, limit {limit.limit:g}")  # fmt: skip
    status: Status = "ok" if holds else "fail" if limit.limit == 0 else "warn"
    return Finding(
        limit.words,
        status,
        f"{shown}: {evidence}" if evidence else shown,
        "Nothing to do" if holds else step,
        {name: value, "limit": limit.limit, "source": limit.source},
    )


def uncovered(rota: Rota, role: str) -> list[Window]:
    """The times within the rota at which nobody holds `role`, in order."""
    reached, gaps = rota.window.start, []
    for shift in sorted(s for s in rota.final if s.role == role):
        if shift.starts_at > reached:
            gaps.append(Window(reached, shift.starts_at))
        reached = max(reached, shift.ends_at)
    return [*gaps, Window(reached, rota.window.end)] if reached < rota.window.end else gaps


def _uncovered(rota: Rota, policy: RotationPolicy) -> Finding:
    layers = [layer for layer in policy.layers if layer != "domain expert"]
    gaps = [(layer, gap) for layer in layers for gap in uncovered(rota, layer)]
    hours = sum((gap.duration for _, gap in gaps), NO_TIME) / timedelta(hours=1)
    reasons = [
        next((str(s) for s in rota.unfilled if s.role == layer and s.starts_at in gap),
             f"{layer} from {gap.start:%Y-%m-%d %H:%M} UTC")
        for layer, gap in gaps[:3]
    ]  # fmt: skip
    more = f", and {len(gaps) - 3} more" if len(gaps) > 3 else ""
    return _judged(
        "uncovered_hours", hours, "; ".join(reasons) + more, "Ask who can take these hours"
    )


def _overlaps(shifts: Iterable[Shift]) -> Iterator[tuple[Shift, Shift, timedelta]]:
    """Pairs of shifts of one person that overlap, and for how long."""
    held = sorted(shifts, key=lambda s: s.starts_at)
    for number, shift in enumerate(held):
        for other in held[number + 1 :]:
            if other.starts_at >= shift.ends_at:
                break
            if shift.person == other.person:
                yield shift, other, shift.window.overlap(other.window)


def _double_booked(rota: Rota) -> Finding:
    pairs = list(_overlaps(s for s in rota.final if s.role != "shadow"))
    hours = sum((length for _, _, length in pairs), NO_TIME) / timedelta(hours=1)
    pairs_text = [
        f"{a.person} is {a.role} and {b.role} on {b.starts_at:%Y-%m-%d}" for a, b, _ in pairs
    ]
    return _judged(
        "double_booked_hours", hours, "; ".join(pairs_text[:3]), "Hand over one of the two"
    )


def _rest(rota: Rota, policy: RotationPolicy) -> Finding:
    """The shortest time from the start of one primary shift to the next of the same person.

    Overrides are left out: whoever takes over an evening did so freely.
    """
    reading = rules.load().reading(policy.reading)
    held = {s.person for s in rota.shifts if s.role == "primary"}
    apart = policy.weeks_apart or rota.apart or rules.apart(policy, len(held))
    needed = timedelta(days=reading.days * apart)
    slack = timedelta(hours=1)  # a week in which clocks go forward has 167 hours
    words = f"rest between primary shifts, reading {reading.name}: {reading.words}"
    closest: tuple[timedelta, str] | None = None
    for name in dict.fromkeys(s.person for s in rota.final):
        starts = [s for s in rota.shifts if s.person == name and s.role == "primary"]
        for a, b in pairwise(starts):
            length = b.starts_at - a.starts_at
            if closest is None or length < closest[0]:
                closest = length, f"{name}, from {a.starts_at:%Y-%m-%d}"
    numbers = {"days_apart_at_least": needed.days, "source": reading.source}
    if closest is None:
        return Finding(words, "ok", "nobody is primary twice", "Nothing to do", numbers)
    days = closest[0] / timedelta(days=1)
    holds = closest[0] >= needed - slack
    return Finding(
        words,
        "ok" if holds else "warn",
        f"{days:.3g} days from start to start, at least {needed.days}: {closest[1]}",
        "Nothing to do" if holds else "Swap a shift, or choose another reading",
        numbers | {"days_apart": days},
    )
