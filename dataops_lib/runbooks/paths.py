"""The decision graph of a response: which step follows which outcome, and where a path ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dataops_lib.runbooks.runbook import (
    ESCALATED,
    NEXT,
    RERUN,
    RESOLVED,
    Outcome,
    Runbook,
    Section,
    Step,
)

ENDS = (RESOLVED, ESCALATED)
OPEN = "open"  # nothing says what comes next


@dataclass(frozen=True)
class Node:
    """A step of a section; `place` is "response 1" (the first one), ... or "rerun"."""

    place: str
    number: int


@dataclass(frozen=True)
class Edge:
    """From a step to a step or to an end ("resolved", "escalated", "open"), and on what grounds."""

    start: Node
    end: Node | str
    reason: str
    line: int
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Graph:
    """All ways through the response to one alert; `steps` in the order in which they stand."""

    alert: str
    steps: tuple[tuple[Node, Step], ...]
    edges: tuple[Edge, ...]

    def after(self, node: Node) -> tuple[Edge, ...]:
        """What may follow a step."""
        return tuple(edge for edge in self.edges if edge.start == node)

    @property
    def reached(self) -> tuple[Node, ...]:
        """Steps on a way from the first one, nearest first."""
        if not self.steps:
            return ()
        waiting, known = [self.steps[0][0]], dict.fromkeys([self.steps[0][0]])
        while waiting:
            for edge in self.after(waiting.pop(0)):
                if isinstance(edge.end, Node) and edge.end not in known:
                    known[edge.end] = None
                    waiting.append(edge.end)
        return tuple(known)

    @property
    def unending(self) -> tuple[Edge, ...]:
        """Edges on a way from the first step that lead nowhere, or only round in circles."""
        ending = self._ending()
        ways = [edge for node in self.reached for edge in self.after(node)]
        return tuple(
            edge
            for edge in ways
            if edge.end == OPEN or (isinstance(edge.end, Node) and edge.end not in ending)
        )

    def _ending(self) -> set[Node]:
        """Steps from which a resolved or escalated end can be reached, or an open one is known."""
        ending: set[Node] = set()
        grown = True
        while grown:
            ready = {
                edge.start
                for edge in self.edges
                if edge.end in ENDS or edge.end == OPEN or edge.end in ending
            }
            grown = not ready <= ending
            ending |= ready
        return ending


def graph(runbook: Runbook, section: Section) -> Graph:
    """The ways through `section`, with the manual re-run where a step leads there.

    Examples
    --------
    >>> from dataops_lib.runbooks.runbook import read
    >>> book = read("# R\\n## Alert: a\\n1. Check it. If `n = 0`: escalate to DBA.")
    >>> [edge.end for edge in graph(book, book.responses[0]).unending]
    ['open']
    """
    place = f"response {1 + runbook.responses.index(section)}"
    own = [(Node(place, step.number), step) for step in section.steps]
    again = [(Node(RERUN, s.number), s) for s in (runbook.rerun.steps if runbook.rerun else ())]
    edges = [*_edges(own, own, again)]
    if any(isinstance(edge.end, Node) and edge.end.place == RERUN for edge in edges):
        edges += _edges(again, again, again)
        own += again
    return Graph(", ".join(section.alerts) or section.title, tuple(own), tuple(edges))


Steps = Sequence[tuple[Node, Step]]


def _edges(steps: Steps, own: Steps, again: Steps) -> Iterator[Edge]:
    known = {node.number: node for node, _ in own}
    for position, (node, step) in enumerate(steps):
        following: Node | str = steps[position + 1][0] if position + 1 < len(steps) else OPEN
        decided = False
        for outcome in step.outcomes:
            end: Node | str = following
            if outcome.target in ENDS:
                end = outcome.target
            elif outcome.target == RERUN:
                end = again[0][0] if again else OPEN
            elif outcome.target != NEXT:
                end = known.get(int(outcome.target), OPEN)
            decided = decided or outcome.certain
            yield Edge(node, end, outcome.text, outcome.line, outcome)
        two_ways = len({o.target for o in step.outcomes if o.target in ENDS}) == 2
        if not decided and not (following == OPEN and two_ways):
            yield Edge(node, following, "otherwise", step.line)
