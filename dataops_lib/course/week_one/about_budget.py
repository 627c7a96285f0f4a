"""A spell of days in which a table's runs are held against a promise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property
from typing import Any

from dataops_lib.course.week_one.learner import Place
from dataops_lib.course.week_one.question import COUNT, NUMBER, RATIO, WORD, AnyOf, Drawn, NoInput
from dataops_lib.service_levels import budget_policy
from dataops_lib.windows import Window, midnight
from dataops_lib.wording import day as said

LENGTHS = (14, 21, 28, 35)  # days; none is a month, so that nobody can use one
TARGETS = tuple(Decimal(one) for one in ("0.90", "0.95", "0.98", "0.99"))
FITS_BEST = 4
MONTH = 30  # what people put in place of the window's own runs


@dataclass(frozen=True)
class Spell:
    """The runs of one table in the `days` days before `end`, and the share that must go well."""

    place: Place
    table: str
    days: int
    end: date
    target: Decimal

    @property
    def start(self) -> date:
        """The first day."""
        return self.end - timedelta(days=self.days)

    @cached_property
    def window(self) -> Window:
        """The days as times."""
        zone = self.place.team.zone
        return Window(midnight(self.start, zone), midnight(self.end, zone))

    @cached_property
    def attempts(self) -> list[bool]:
        """For each run that was due, whether it published at the first scheduled attempt."""
        attempts = self.place.first_attempts[self.table]
        return [good for due, good in attempts if due in self.window]

    @property
    def total(self) -> int:
        """Runs that were due."""
        return len(self.attempts)

    @property
    def bad(self) -> int:
        """Runs that were due and did not publish at the first attempt."""
        return self.attempts.count(False)

    @property
    def allowed(self) -> float:
        """Runs that may fail, not rounded."""
        return float(self.total * (1 - self.target))

    @property
    def left(self) -> float:
        """Runs of the budget that are left; below zero when it is overspent."""
        return self.allowed - self.bad

    @property
    def state(self) -> str:
        """The state of the error-budget policy that holds at the end."""
        return str(budget_policy.decide(self.left / self.allowed, _rules()).numbers["state"])

    def draws(self) -> dict[str, Drawn]:
        """All questions about this spell, by name."""
        values: dict[str, Any] = {
            "start_said": said(self.start),
            "last_said": said(self.end - timedelta(days=1)),
            "total": self.total,
            "good": self.total - self.bad,
            "bad": self.bad,
            "allowed": self.allowed,
            "left_runs": self.left,
            "left_said": _said(self.left / self.allowed),
            "target_said": f"{self.target:.0%}",
        }
        pipeline = self.place.team.pipeline_of(self.table)
        values |= {"schedule": pipeline.schedule, "zone": pipeline.zone or self.place.team.zone}
        given = {"table": self.table, "start": self.start, "end": self.end, "days": self.days}
        given["target"] = self.target
        drawn = {
            "expected": self._expected,
            "ratio": self._ratio,
            "budget_runs": self._budget,
            "budget_left": self._left,
            "what_it_allows": self._state,
        }
        return {
            name: Drawn(kind, right, wrong, given, values | {"right": right} | more)
            for name, find in drawn.items()
            for kind, right, wrong, more in (find(),)
        }

    @cached_property
    def _recorded(self) -> list[tuple[datetime, bool]]:
        rows = self.place.attempts[self.table]
        return [(due, good) for due, good in rows if due in self.window]

    @property
    def _last_day(self) -> list[datetime]:
        zone = self.place.team.zone
        last = Window(midnight(self.end - timedelta(days=1), zone), self.window.end)
        return [due for due, _ in self.place.first_attempts[self.table] if due in last]

    def _expected(self) -> Any:
        zone = self.place.team.zone
        next_day = Window(self.window.end, midnight(self.end + timedelta(days=1), zone))
        wrong = {
            "recorded for expected runs": len(self._recorded),
            "a month for the window": MONTH,
            "last day left out": self.total - len(self._last_day),
            "both ends counted": self.total + len(self.place.team.expected(self.table, next_day)),
        }
        return COUNT, self.total, wrong, {}

    def _ratio(self) -> Any:
        good, right = self.total - self.bad, (self.total - self.bad) / self.total
        wrong = {
            "percent for ratio": AnyOf(round(100 * right, digits) for digits in (0, 1, 2, 9)),
            "bad for good": 1 - right,
            "good for total": good,
            "recorded for expected runs": good / max(len(self._recorded), 1),
            "reruns counted as good": len({due for due, came in self._recorded if came})
            / self.total,
        }
        return RATIO, right, wrong, {}

    def _budget(self) -> Any:
        share = float(1 - self.target)
        wrong = {
            "good for bad": self.total - self.allowed,
            "a month for the window": MONTH * share,
            "percent for runs": 100 * share,
            "ratio for runs": share,
        }
        return NUMBER, self.allowed, wrong, {}

    def _left(self) -> Any:
        wrong = {
            **({"cut off at zero": 0} if self.left < 0 else {}),
            "spent for left": self.bad,
            "nothing spent": self.allowed,
            "share for runs": self.left / self.allowed,
        }
        return NUMBER, self.left, wrong, {}

    def _state(self) -> Any:
        rules = _rules()
        judged = budget_policy.decide(self.left / self.allowed, rules)
        right, in_runs = self.state, budget_policy.decide(self.left, rules).numbers["state"]
        others = AnyOf(state.name for state in rules.states if state.name not in (right, in_runs))
        wrong = {"runs for share": in_runs} if in_runs != right else {}
        action = judged.next_step[0].lower() + judged.next_step[1:]
        return WORD, right, wrong | {"another state": others}, {"action": action}


def draw(place: Place) -> dict[str, Drawn]:
    """The questions of the error budget, all about one spell of this learner's own.

    Raises
    ------
    NoInput
        If nothing is due, no run is known, or none of them failed.
    """
    place.runs  # noqa: B018  raises without a history
    states = [state.name for state in _rules().states]
    target_state = place.shuffled("state", states)[0]  # else nearly every budget drawn is overspent
    best: tuple[int, dict[str, Drawn]] = (0, {})
    for spell in place.shuffled("budget", _spells(place)):
        fits = (spell.bad > 0) * (1 + 2 * (spell.state == target_state))
        if fits <= best[0]:
            continue
        found = spell.draws()
        fits += all(drawn.is_clear for drawn in found.values())
        best = max(best, (fits, found), key=lambda state: state[0])
        if fits == FITS_BEST:
            break
    if not best[1]:
        raise NoInput("needs a window of days in which a run failed")
    return {name: drawn.cleared() for name, drawn in best[1].items()}


def _said(left: float) -> str:
    return (
        f"{left:.0%} of the budget is left"
        if left >= 0
        else f"The budget is overspent by {-left:.0%}"
    )


@cache
def _rules() -> budget_policy.Policy:
    return budget_policy.load()


def _spells(place: Place) -> Iterator[Spell]:
    team = place.team
    for table in team.tables:
        first = team.pipeline_of(table.name).first_due
        for days in LENGTHS:
            end = max(first + timedelta(days=days), team.as_of - timedelta(days=90))
            while end <= team.as_of:
                for target in TARGETS:
                    yield Spell(place, table.name, days, end, target)
                end += timedelta(days=1)
