"""Random histories of a table against a simple model of what readers may see."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import lake
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from lake import NAME, Clock, orders
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table.update import SetSnapshotRefUpdate

from dataops_lib import audit, wap
from dataops_lib.errors import DataError, UsageError
from dataops_lib.wap import upkeep

# Only the run's own rows: rows that were published with a reason stay in the table.
CHECKS = [audit.not_null("amount", scope="added"), audit.unique("id")]
MODES = {"append": "append", "overwrite": "overwrite", "upsert": wap.upsert("id")}
POINTS = ["before stage", "after stage", "before publish", "after publish"]
KEPT = timedelta(days=7)


class Died(BaseException):
    """The process is gone: nothing after this point happened."""


class Mortal(SqlCatalog):
    """A catalog that dies at a commit when told."""

    dies_at = ""

    def commit_table(self, table, requirements, updates):
        refs = [u.ref_name for u in updates if isinstance(u, SetSnapshotRefUpdate)]
        phase = "publish" if any("published-" in ref for ref in refs) else "stage"
        if self.dies_at == f"before {phase}":
            raise Died
        answer = super().commit_table(table, requirements, updates)
        if self.dies_at == f"after {phase}":
            raise Died
        return answer


@dataclass
class Waiting:
    """A run that is staged in full and not published."""

    ids: list[int]
    bad: bool
    mode: str
    base: int  # the version of main that it was staged on
    until: object
    audited: bool


class TableMachine(RuleBasedStateMachine):
    """Readers see what the model says, whatever happens in which order."""

    @initialize()
    def start(self):
        self.folder = Path(tempfile.mkdtemp())
        self.catalog = lake.with_table(self.folder)
        self.catalog.__class__ = Mortal
        self.clock = Clock()
        # Versions of main: the run, the ids, a number. A rollback brings an old version back.
        self.main: list[tuple[str, frozenset, int]] = [("", frozenset(), 0)]
        self.moves = self.numbers = 0
        self.waiting: dict[str, Waiting] = {}
        self.gone: set[str] = set()

    def teardown(self):
        if hasattr(self, "folder"):
            self.catalog.engine.dispose()
            shutil.rmtree(self.folder)

    # -- the model

    def moved(self, run_id, ids, mode):
        before = self.main[-1][1]
        after = frozenset(ids) if mode == "overwrite" else before | frozenset(ids)
        self.moves += 1
        self.main.append((run_id, after, self.moves))
        self.waiting.pop(run_id, None)

    def tidied(self):
        over = [name for name, run in self.waiting.items() if run.until <= self.clock()]
        for name in over:
            self.gone.add(name)
            del self.waiting[name]

    # -- what can happen

    def call(self, run_id, run):
        data = orders(*run.ids, amount=None if run.bad else 1.0)
        return wap.write_audit_publish(
            data, NAME, CHECKS, catalog=self.catalog, mode=MODES[run.mode], run_id=run_id,
            now=self.clock, keep_failed_for=KEPT,
        )  # fmt: skip

    def new(self, size, bad, mode):
        ids = list(range(self.numbers, self.numbers + size))
        self.numbers += size
        until, base = self.clock() + KEPT, self.main[-1][2]
        return f"run-{len(ids)}-{self.numbers}", Waiting(ids, bad, mode, base, until, True)

    @rule(size=st.integers(1, 3), bad=st.booleans(), mode=st.sampled_from(list(MODES)))
    def publish(self, size, bad, mode):
        run_id, run = self.new(size, bad, mode)
        assert bool(self.call(run_id, run)) is not bad
        if bad:
            self.waiting[run_id] = run
        else:
            self.moved(run_id, run.ids, mode)
        self.tidied()

    @rule(bad=st.booleans(), mode=st.sampled_from(list(MODES)), point=st.sampled_from(POINTS))
    def die(self, bad, mode, point):
        run_id, run = self.new(2, bad, mode)
        self.catalog.dies_at = point
        try:
            self.call(run_id, run)
        except Died:
            died = True
        else:
            died = False
        self.catalog.dies_at = ""
        assert died or (bad and "publish" in point)
        if point == "after publish" and not bad:
            self.moved(run_id, run.ids, mode)
        elif point != "before stage":
            run.audited = point != "after stage"
            # The first rows of an empty table are staged in two commits: after one, no branch.
            if self.has_branch(run_id):
                self.waiting[run_id] = run
        if not died:
            self.tidied()

    def has_branch(self, run_id):
        return any(run_id in name for name in lake.branch_names(self.catalog))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def run_again(self, data):
        run_id = data.draw(st.sampled_from(sorted(self.waiting)))
        run = self.waiting[run_id]
        assert bool(self.call(run_id, run)) is not run.bad
        if not run.bad:
            self.moved(run_id, run.ids, run.mode)
        else:
            run.audited = True
        self.tidied()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def resume(self, data):
        run_id = data.draw(st.sampled_from(sorted(self.waiting)))
        run = self.waiting[run_id]
        options = {"catalog": self.catalog, "run_id": run_id, "now": self.clock}
        follow = run.base != self.main[-1][2]
        over = run.until <= self.clock()
        if follow and (over or (not run.bad and run.mode != "append")):
            with pytest.raises(DataError):
                wap.resume(NAME, quality_checks=CHECKS, **options)
            run.audited |= not over
            return
        assert bool(wap.resume(NAME, quality_checks=CHECKS, **options)) is not run.bad
        if not run.bad:
            self.moved(run_id, run.ids, run.mode)
        run.audited = True

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def override(self, data):
        run_id = data.draw(st.sampled_from(sorted(self.waiting)))
        run = self.waiting[run_id]
        options = {"catalog": self.catalog, "run_id": run_id, "reason": "real", "now": self.clock}
        if not run.audited:
            with pytest.raises(UsageError):
                wap.publish(NAME, **options)
        elif run.base != self.main[-1][2]:
            with pytest.raises(DataError):
                wap.publish(NAME, **options)
        else:
            assert wap.publish(NAME, **options)
            self.moved(run_id, run.ids, run.mode)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def discard(self, data):
        run_id = data.draw(st.sampled_from(sorted(self.waiting)))
        upkeep.discard(NAME, catalog=self.catalog, run_id=run_id)
        del self.waiting[run_id]

    @precondition(lambda self: len(self.main) > 2)
    @rule(data=st.data())
    def rollback(self, data):
        named = [i for i, (run_id, _, _) in enumerate(self.main[:-1]) if run_id]
        if not named:
            return
        index = data.draw(st.sampled_from(named))
        [tag] = [t for t in lake.tags(self.catalog) if t.endswith(f"-{self.main[index][0]}")]
        upkeep.rollback(NAME, catalog=self.catalog, to=tag)
        del self.main[index + 1 :]

    @precondition(lambda self: len(self.main) > 1)
    @rule()
    def somebody_else_appends(self):
        self.catalog.load_table(NAME).append(orders(self.numbers))
        self.moved("", [self.numbers], "append")
        self.numbers += 1

    @rule(days=st.integers(1, 5))
    def time_passes(self, days):
        self.clock.advance(timedelta(days=days))

    @rule()
    def clean(self):
        # Files carry the real time, runs the model's: only nothing but old files may go.
        later = Clock(self.clock.at + timedelta(days=36_500))
        for name in [n for n, run in self.waiting.items() if run.until <= later()]:
            del self.waiting[name]
        upkeep.clean(NAME, catalog=self.catalog, delete=True, now=later)

    # -- what must always hold

    @invariant()
    def readers_see_what_the_model_says(self):
        if hasattr(self, "folder"):
            assert lake.ids(self.catalog) == sorted(self.main[-1][1])

    @invariant()
    def waiting_runs_have_a_branch_and_others_none(self):
        if hasattr(self, "folder"):
            known = {run.run_id for run in upkeep.list_runs(NAME, catalog=self.catalog)
                     if run.ref.startswith("audit-")}  # fmt: skip
            assert known == set(self.waiting)


def explore(examples, steps):
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],  # shrinking a history takes minutes; the steps are printed anyway
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(TableMachine, settings=chosen)


def test_readers_see_what_a_simple_model_says():
    explore(examples=6, steps=10)


@pytest.mark.deep
def test_readers_see_what_a_simple_model_says_in_long_histories():
    explore(examples=60, steps=40)
