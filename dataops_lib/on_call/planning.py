"""Makes a rota: the same people, policy and history give the same rota again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Literal

from dataops_lib.errors import UsageError
from dataops_lib.on_call import greedy, optimal
from dataops_lib.on_call.problem import Place, Problem, pose
from dataops_lib.on_call.rota import Rota, Shift, Unfilled, days_of
from dataops_lib.teams.on_call_file import Override, Responder, RotationPolicy

MOST_WEEKS = 53


def generate(
    people: Sequence[Responder],
    policy: RotationPolicy,
    start: date,
    weeks: int,
    *,
    history: Rota | None = None,
    overrides: Iterable[Override] = (),
    solver: Literal["CP-SAT", "greedy"] | None = None,
) -> Rota:
    """A rota of `weeks` weeks from the first hand-off at or after `start`.

    Layers are primary, secondary (last shift's primary, unless on leave) and manager; a domain
    expert has no shifts, `Rota.who` finds them. What nobody can hold stands in `unfilled` with the
    reason for each person. Load that `history` shows is carried in, joiners begin at a fair share.

    Parameters
    ----------
    weeks : int
        1 to 53.
    solver : str, optional
        "CP-SAT" or "greedy"; default: CP-SAT where ortools is installed.

    Raises
    ------
    UsageError
        If nobody is given, `weeks` is out of range, or a solver is asked for that is not there.
    """
    if not people:
        raise UsageError("nobody is on the rota: list `people` in on_call.yaml")
    if not 1 <= weeks <= MOST_WEEKS:
        raise UsageError(f"weeks is {weeks}, but must be 1 to {MOST_WEEKS}")
    chosen = solver or (optimal.NAME if optimal.is_installed() else greedy.NAME)
    problem = pose(people, policy, start, weeks, history)
    filled = greedy.solve(problem)
    if chosen == optimal.NAME:
        if not optimal.is_installed():
            raise UsageError("CP-SAT needs ortools: install the extra `rota`, or use greedy")
        filled = optimal.solve(problem, filled)
    shifts = [
        Shift(problem.slots[s].start, problem.slots[s].end, layer, name)
        for (s, layer), name in filled.items()
        if name is not None
    ]
    looking_on = [
        Shift(problem.slots[s].start, problem.slots[s].end, "shadow", name)
        for s, names in problem.shadows.items()
        for name in names
    ]
    unfilled = [
        Unfilled(
            problem.slots[s].start,
            problem.slots[s].end,
            layer,
            tuple(_reasons((s, layer), problem, filled, people, policy)),
        )
        for (s, layer), name in filled.items()
        if name is None
    ]
    return Rota(
        shifts=tuple(sorted([*shifts, *looking_on])),
        people=tuple(people),
        unfilled=tuple(unfilled),
        overrides=tuple(overrides),
        solver=chosen,
        apart=problem.apart,
    )


def _reasons(
    place: Place,
    problem: Problem,
    filled: Mapping[Place, str | None],
    people: Sequence[Responder],
    policy: RotationPolicy,
) -> Iterator[str]:
    """Why each person of a layer cannot hold it in this shift."""
    s, layer = place
    days = days_of(problem.slots[s], policy.zone)
    held = {name: other for (t, other), name in filled.items() if t == s and name is not None}
    primary = [(t, name) for (t, other), name in filled.items() if other == "primary"]
    for person in people:
        name = person.name
        if layer not in person.layers:
            continue
        near = [t for t, who in primary if who == name and problem.too_close(s, t)]
        if not all(person.is_present(day) for day in days):
            yield f"{name} is not on the rota then"
        elif any(person.is_away(day) for day in days):
            yield f"{name} is on leave"
        elif name not in problem.able[place]:
            yield f"{name} is still looking on"
        elif name in held:
            yield f"{name} is {held[name]}"
        elif layer == "primary" and s < problem.resting.get(name, 0):
            yield f"{name} rests after an earlier shift"
        elif layer == "primary" and near:
            when = problem.slots[near[0]].start
            yield f"{name} rests: primary from {when:%Y-%m-%d}, {problem.apart} shifts apart"
        else:
            yield f"{name} is kept free for another shift"
