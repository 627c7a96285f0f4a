"""Fills a rota with a constraint solver: as many shifts as can be, then as fair as can be."""

from __future__ import annotations

from collections.abc import Mapping

from dataops_lib.on_call.problem import Place, Problem

EFFORT = 0.2  # the solver's own units of work, not seconds: the same on every machine
NAME = "CP-SAT"


def is_installed() -> bool:
    """Whether ortools is there (the extra `rota`: 84 MB, 0.6 s to import)."""
    try:
        import ortools.sat.python.cp_model  # noqa: F401
    except ImportError:
        return False
    return True


def solve(problem: Problem, hint: Mapping[Place, str | None]) -> dict[Place, str | None]:
    """Who holds each layer in each shift; None where nobody can. `hint` is where it begins."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    held = {
        (place, name): model.new_bool_var(f"{place} {name}")
        for place in problem.places
        for name in problem.able[place]
        if place[1] != "primary" or place[0] >= problem.resting.get(name, 0)
    }
    empty = {place: model.new_bool_var(f"{place} empty") for place in problem.places}
    for place in problem.places:
        model.add_exactly_one([v for (p, _), v in held.items() if p == place] + [empty[place]])
    for name in problem.names:
        primary = {s: v for ((s, layer), n), v in held.items() if n == name and layer == "primary"}
        for s in range(len(problem.slots)):
            model.add_at_most_one(v for ((t, _), n), v in held.items() if n == name and t == s)
            close = [primary[t] for t in range(s, s + problem.apart) if t in primary]
            model.add_at_most_one(close)
        for first in range(0, len(problem.slots), problem.once_in):
            block = range(first, first + problem.once_in)
            model.add_at_most_one(primary[t] for t in block if t in primary)
    _followed(model, problem, held)
    spread = _spread(model, problem, held, "primary", "secondary", fair=problem.fair)
    managers = _spread(model, problem, held, "manager", fair={})
    worst = 100 * (sum(problem.points.values()) + len(problem.slots) + 1)
    order = {layer: rank for rank, layer in enumerate(reversed(problem.layers), 1)}
    left_out = sum(worst * order[layer] * var for (_, layer), var in empty.items())
    # Half a weighted week, one shift of a secondary, is fair enough: proving less takes minutes.
    unfair, uneven = (model.new_int_var(0, worst, side) for side in ("unfair", "uneven"))
    model.add(unfair >= spread - problem.week // 2)
    model.add(uneven >= managers - 1)
    model.minimize(left_out + 10 * unfair + uneven)
    for (place, name), var in held.items():
        model.add_hint(var, hint.get(place) == name)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1  # several race each other, and the first one differs
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = EFFORT
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return dict(hint)
    chosen: dict[Place, str | None] = dict.fromkeys(problem.places)
    return chosen | {place: name for (place, name), var in held.items() if solver.value(var)}


def _followed(model, problem: Problem, held) -> None:  # type: ignore[no-untyped-def]
    """Last shift's primary is this shift's secondary, unless they are away or hold another."""
    for s in range(len(problem.slots)):
        for name in problem.able.get((s, "secondary"), ()):
            now = [held[place, name] for place in problem.places if place[0] == s
                   and (place, name) in held]  # fmt: skip
            before = held.get(((s - 1, "primary"), name))
            if s == 0 and name == problem.last:
                model.add_bool_or(now)
            elif before is not None:
                model.add_bool_or([before.Not(), *now])


def _spread(model, problem: Problem, held, *layers: str, fair: Mapping[str, int]):  # type: ignore[no-untyped-def]
    """The load furthest above its fair share, less the one furthest below."""
    able = {n for (_, layer), names in problem.able.items() if layer in layers for n in names}
    most = (
        sum(problem.points.values()) + len(problem.slots) + max(map(abs, fair.values()), default=0)
    )
    high, low = (model.new_int_var(-most, most, side) for side in ("high", "low"))
    for name in sorted(able):
        load = sum(
            (problem.points[place] or 1) * var
            for (place, n), var in held.items()
            if n == name and place[1] in layers
        )
        model.add(load - fair.get(name, 0) <= high)
        model.add(load - fair.get(name, 0) >= low)
    return high - low
