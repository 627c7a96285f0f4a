"""What week one does, in a private copy: a blocked morning repaired, a day published or not.

The copy is a `Sandbox`: one table of the team in a temporary folder, while the kernel runs.
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Any

import duckdb
import pyarrow as pa

from dataops_lib import warehouse
from dataops_lib.audit import faults as audit_faults
from dataops_lib.course import sandbox
from dataops_lib.course.sandbox import Sandbox
from dataops_lib.course.week_one.learner import Place
from dataops_lib.course.week_one.question import NAMES, AnyOf, Deed, Drawn, Misread, NoInput
from dataops_lib.evidence import series
from dataops_lib.sql import quoted
from dataops_lib.wap import Publication, upkeep
from dataops_lib.wording import day as said

MORNING, GOOD, BAD = range(3)  # which of the days that were kept back each task is about
LAST_DAYS = 21  # the copy ends on one of so many last days
STAGED = "turned from"  # a fault of type is refused at the door, so nothing is left to repair


class Practice:
    """One learner's private copy, made when it is first needed."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @cached_property
    def copy(self) -> Sandbox:
        """The private copy of the team's first table; NoInput when it is too short."""
        name = self.place.tables[0]
        days = [moment.date() for moment in series.volume(self.place.observed, name)["day"]]  # type: ignore[index]
        if not (self.place.team.contracts or {}).get(name):
            raise NoInput(f"needs a contract of {name}: contracts/{name}.yaml")
        if len(days) <= sandbox.ACTS + 7:
            raise NoInput(f"needs more days of {name} than it has")
        last = days[max(len(days) - LAST_DAYS, sandbox.ACTS + 7) :]
        until = self.place.shuffled("practice", last)[0]
        return sandbox.copy(self.place.observed, name, until=until)

    def day(self, act: int) -> date:
        """The day that a task is about."""
        return self.copy.upcoming[act]

    def faulty(self, act: int, *, staged: bool = False) -> tuple[str, pa.Table]:
        """What is wrong with the rows of a day, and these rows; drawn by the learner's name."""
        day = self.day(act)
        spoilt = audit_faults.spoil(self.copy.days[day], self.copy.checks(day))
        faults = [fault for fault in spoilt if not (staged and STAGED in fault)]
        fault = self.place.shuffled(f"fault {act}", faults)[0]
        return fault, spoilt[fault]

    @cached_property
    def blocked(self) -> Publication:
        """This morning's run, which arrived with a fault and was blocked."""
        day = self.day(MORNING)
        return self.copy.run(day, self.faulty(MORNING, staged=True)[1], run_id=f"{day}-morning")

    # -- the questions

    def which_check(self) -> Drawn:
        """The checks that stopped this morning's run."""
        blocking = [finding.subject for finding in self.blocked.blocked_by]
        warned = [finding.subject for finding in self.blocked.findings if finding.status == "warn"]
        passed = [finding.subject for finding in self.blocked.findings if finding.status == "ok"]
        wrong = {
            "warnings for blocks": AnyOf([[*blocking, *warned], warned]) if warned else AnyOf(),
            "checks that passed": AnyOf([*([finding] for finding in passed), [*blocking, *passed]]),
        }
        values = {
            "day_said": said(self.day(MORNING)),
            "evidence": "; ".join(finding.evidence for finding in self.blocked.blocked_by),
            "right_said": ", ".join(f"`{finding}`" for finding in blocking),
        }
        wrong = {name: answers for name, answers in wrong.items() if answers}
        return Drawn(NAMES, blocking, wrong, {"table": self.copy.table_name}, values)

    def repaired(self) -> Deed:
        """Readers have the day, each row once, and nothing waits on a branch."""
        day, morning = self.day(MORNING), self.blocked.run_id

        def look(answer: Any) -> str:
            publication = _publication(answer, self.copy)
            states = {run.run_id: run.state for run in self.runs()}
            if states.get(morning) == "published":
                return "blocked run released"
            if not self.readers_rows(day):
                return "day still missing"
            if not self.readers_have(day):
                return "wrong rows published"
            if not publication:
                return "another run handed in"
            if not publication.findings:
                return "nothing audited"
            waits = states.get(morning, "withdrawn") != "withdrawn"
            return "branch left behind" if waits else ""

        return Deed(look, {"day": day}, self._values(day))

    def good_day(self) -> Deed:
        """A good day published with the contract's checks."""
        day = self.day(GOOD)

        def look(answer: Any) -> str:
            publication = _publication(answer, self.copy)
            if not publication:
                return "already there" if self.readers_rows(day) else "blocked"
            if not publication.findings:
                return "nothing audited"
            return "" if self.readers_have(day) else "another day"

        return Deed(look, {"day": day}, self._values(day))

    def bad_day(self) -> Deed:
        """A bad day run and refused."""
        day = self.day(BAD)
        fault, rows = self.faulty(BAD)

        def look(answer: Any) -> str:
            publication = _publication(answer, self.copy)
            if publication and not publication.findings:
                return "published unaudited"
            if publication and publication.blocked_by:
                return "released"
            if publication:
                return "the good rows" if self.readers_have(day) else "another day"
            if not self.readers_are_spared(day):
                return "still there"
            handed = publication.branch is None or publication.rows == rows.num_rows
            return "" if handed else "another day"

        values = self._values(day) | {"fault": fault[0].upper() + fault[1:]}
        return Deed(look, {"day": day, "rows": rows}, values)

    def _values(self, day: date) -> dict[str, Any]:
        return {
            "day_said": said(day),
            "rows": self.copy.days[day].num_rows,
            "table": self.copy.table_name,
        }

    # -- what there is to see

    def runs(self) -> list[upkeep.RunState]:
        """The runs that the private table knows."""
        return upkeep.list_runs(self.copy.name, catalog=self.copy.catalog)

    def readers_rows(self, day: date) -> int:
        """Rows of a day that readers of the private table see."""
        return self._differences(day)[0]

    def readers_have(self, day: date) -> bool:
        """Whether readers see exactly the rows of the day that the source delivered."""
        same, extra, missing = self._differences(day)
        return bool(same) and not extra and not missing

    def readers_are_spared(self, day: date) -> bool:
        """Whether readers see no row of the day that the source did not deliver."""
        return not self._differences(day)[1]

    def _differences(self, day: date) -> tuple[int, int, int]:
        """Rows of the day that readers see, those of them that are wrong, and those that lack."""
        column = quoted(self.place.team.table(self.copy.table_name).day_column)
        visible, right = f"SELECT * FROM seen WHERE CAST({column} AS DATE) = $day", "FROM delivered"
        counted = [visible, f"({visible}) EXCEPT ALL {right}", f"{right} EXCEPT ALL ({visible})"]
        with duckdb.connect() as connection:
            warehouse.view(connection, "seen", self.copy.table)
            connection.register("delivered", self.copy.days[day])
            counts = [
                connection.execute(f"SELECT count(*) FROM ({query})", {"day": day}).fetchall()
                for query in counted
            ]
        return counts[0][0][0], counts[1][0][0], counts[2][0][0]


def _publication(answer: Any, copy: Sandbox) -> Publication:
    if not isinstance(answer, Publication):
        raise Misread("Hand in what `ex.practice.run(...)` returned.")
    if answer.table != copy.name:
        raise Misread(f"That run was of `{answer.table}`, not of your private copy.")
    return answer
