"""Fills a rota shift by shift and mends it by swaps: where the solver is not installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dataops_lib.on_call.problem import Place, Problem

NAME = "greedy"
ROUNDS = 60  # swaps at most; each lowers the cost

Primaries = list[str | None]


def solve(problem: Problem) -> dict[Place, str | None]:
    """Who holds each layer in each shift; None where nobody can."""
    primaries = _first(problem)
    best, cost = _rest(problem, primaries), _cost(problem, _rest(problem, primaries))
    for _ in range(ROUNDS):
        better = None
        for changed in _neighbours(problem, primaries):
            filled = _rest(problem, changed)
            if (price := _cost(problem, filled)) < cost:
                better, best, cost = changed, filled, price
        if better is None:
            break
        primaries = better
    return best


def _may(problem: Problem, primaries: Primaries, slot: int, name: str) -> bool:
    """Whether somebody may be primary in a shift beside the others that they hold."""
    if name not in problem.able[slot, "primary"] or slot < problem.resting.get(name, 0):
        return False
    return not any(
        held == name and problem.too_close(slot, other) for other, held in enumerate(primaries)
    )


def _first(problem: Problem) -> Primaries:
    """Each shift goes to whoever may hold it and is furthest below their fair share."""
    primaries: Primaries = [None] * len(problem.slots)
    load = dict.fromkeys(problem.names, 0)
    for s in range(len(problem.slots)):
        free = [name for name in problem.names if _may(problem, primaries, s, name)]
        if free:
            name = min(free, key=lambda n: (load[n] - problem.fair[n], problem.names.index(n)))
            primaries[s] = name
            load[name] += problem.points[s, "primary"]
    return primaries


def _neighbours(problem: Problem, primaries: Primaries) -> Iterator[Primaries]:
    """Rotas in which one shift goes to somebody else, or two shifts change hands."""
    slots = range(len(primaries))
    for s in slots:
        for name in problem.able[s, "primary"]:
            changed = [*primaries[:s], None, *primaries[s + 1 :]]
            if name != primaries[s] and _may(problem, changed, s, name):
                yield [*changed[:s], name, *changed[s + 1 :]]
    for s in slots:
        for t in slots[s + 1 :]:
            one, other = primaries[s], primaries[t]
            if one == other:
                continue
            changed = list(primaries)
            changed[s] = changed[t] = None
            if other is not None and _may(problem, changed, s, other):
                changed[s] = other
                if one is None:
                    yield changed
                elif _may(problem, changed, t, one):
                    yield [*changed[:t], one, *changed[t + 1 :]]


def _rest(problem: Problem, primaries: Primaries) -> dict[Place, str | None]:
    """The other layers below these primaries: last shift's primary first, then the least loaded."""
    filled: dict[Place, str | None] = dict.fromkeys(problem.places)
    load = {name: -problem.fair[name] for name in problem.names}
    managed = dict.fromkeys(problem.names, 0)
    for s, name in enumerate(primaries):
        filled[s, "primary"] = name
        if name is not None:
            load[name] += problem.points[s, "primary"]
    for s, name in enumerate(primaries):
        busy = {name}
        for layer in problem.layers[1:]:
            before = primaries[s - 1] if s else problem.last
            count = load if layer == "secondary" else managed
            free = [n for n in problem.able[s, layer] if n not in busy]
            follows = problem.follows(s, before) if layer == "secondary" else None
            if free:
                least = min(free, key=lambda n: (count[n], problem.names.index(n)))
                chosen = follows if follows in free else least
                filled[s, layer] = chosen
                busy.add(chosen)
                count[chosen] += problem.points[s, layer] or 1
    return filled


def _cost(problem: Problem, filled: Mapping[Place, str | None]) -> tuple[int, int, int]:
    """Shifts without a primary, without another layer, and how unfair the load is."""
    load = {name: -problem.fair[name] for name in problem.names}
    for (s, layer), name in filled.items():
        if name is not None and layer != "manager":
            load[name] += problem.points[s, layer]
    counted = {n for (_, layer), names in problem.able.items() if layer != "manager" for n in names}
    loads = [load[name] for name in sorted(counted)]
    empty = [layer for (_, layer), name in filled.items() if name is None]
    primaries = empty.count("primary")
    return primaries, len(empty) - primaries, max(loads, default=0) - min(loads, default=0)
