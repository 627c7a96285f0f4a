"""The power goes out: processes are killed with SIGKILL at every named point, in every mode.

A reader that comes through the catalog polls main throughout. Whatever it sees is a state between
two publishes, whole; what was published stays; what is run again is published once.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import lake
import pytest
from crash_child import MODES, POINTS
from zygote import HERE, Zygote

WRITTEN = [
    "after data file", "after manifest list", "before stage commit", "after stage metadata",
    "after stage commit", "before audit record", "before publish commit",
    "after publish metadata", "after publish commit",
]  # fmt: skip


@pytest.fixture(scope="module")
def zygote():
    found = Zygote()
    yield found
    found.process.stdin.close()
    found.process.wait(timeout=30)
    found.process.stdout.close()


class Watched:
    """One table, the ids that readers may see by now, and a reader that watches."""

    def __init__(self, zygote, path):
        self.zygote, self.path = zygote, str(path)
        zygote.order("create", self.path)
        self.catalog = lake.catalog(path)
        self.allowed = [[]]
        self.runs = 0
        self.reader = zygote.order("watch", self.path, background=True)

    def kill_and_recover(self, mode, point, *, bad=False, by_resume=False, occurrence=1):
        """Kill one run at a point, check what readers have, recover, check again."""
        self.runs += 1
        name, first = f"run-{self.runs}", 10 * self.runs
        before = self.allowed[-1]
        ids = [first, first + 1, first + 2, first + 3]
        after = before if bad else ids if mode.startswith("overwrite") else [*before, *ids]
        args = (self.path, name, mode, ids, bad)
        died = self.zygote.order("run", *args, point=point, occurrence=occurrence)
        if not died["killed"]:  # the point does not come as often in this mode: a quiet run
            self.allowed += [] if bad else [after]
            return False
        seen = lake.ids(self.catalog)
        assert seen in (before, after), f"{mode}, {point}: readers see {seen}"
        if not bad:
            self.allowed.append(after)
        found = self.zygote.order("recover", self.path, by_resume, *args[1:])["value"]
        assert found["published"] != bad
        assert found["ids"] == after, f"{mode}, {point}"
        assert sum(tag.endswith(f"-{name}") for tag in found["tags"]) == (0 if bad else 1)
        if not bad:
            assert not [ref for ref in found["branches"] if name in ref], f"{mode}, {point}"
        return True

    def judge_reader(self):
        """Stop the reader; everything it saw was whole and audited."""
        (Path(self.path) / "stop").touch()
        answer = self.zygote.order("collect", **{k: self.reader[k] for k in ("pid", "read")})
        seen = answer["value"]["seen"]
        assert answer["value"]["polls"] > self.runs
        assert all(state in self.allowed for state in seen), seen


STARTER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from zygote import Zygote
zygote = Zygote()
zygote.order("create", sys.argv[2])
print(zygote.process.pid, zygote.order("watch", sys.argv[2], background=True)["pid"], flush=True)
time.sleep(600)
"""


def lives(pid):
    """False also for one that is dead and that nobody has buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills children with their parent")
def test_nobody_outlives_tests_that_are_killed(tmp_path):
    command = [sys.executable, "-c", STARTER, str(HERE), str(tmp_path)]
    starter = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    started = [int(pid) for pid in starter.stdout.readline().split()]
    assert len(started) == 2
    assert all(map(lives, started))
    starter.kill()
    starter.wait(timeout=30)
    starter.stdout.close()
    for _ in range(100):
        if not any(map(lives, started)):
            return
        time.sleep(0.1)
    alive = [pid for pid in started if lives(pid)]
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
    raise AssertionError(f"these live on: {alive}")


def test_a_process_killed_at_any_point_of_an_append_leaves_readers_whole(zygote, tmp_path):
    table = Watched(zygote, tmp_path)
    assert table.zygote.order("run", table.path, "first", "append", [1])["value"]["published"]
    table.allowed.append([1])
    for number, point in enumerate(POINTS):
        assert table.kill_and_recover("append", point, by_resume=number % 2 == 1), point
    table.judge_reader()


ROUNDS = {"overwrite": POINTS, "upsert": POINTS, "overwrite where": WRITTEN, "stream": WRITTEN}


@pytest.mark.parametrize("mode", ROUNDS)
def test_a_process_killed_in_another_mode_leaves_readers_whole(zygote, tmp_path, mode):
    table = Watched(zygote, tmp_path)
    assert table.zygote.order("run", table.path, "first", "append", [1])["value"]["published"]
    table.allowed.append([1])
    for number, point in enumerate(ROUNDS[mode]):
        assert table.kill_and_recover(mode, point, by_resume=number % 2 == 0), point
    table.judge_reader()


@pytest.mark.parametrize("point", ["after stage commit", "after publish metadata"])
def test_the_first_rows_of_a_table_survive_a_kill(zygote, tmp_path, point):
    table = Watched(zygote, tmp_path)
    assert table.kill_and_recover("append", point)
    table.judge_reader()


def test_rows_that_fail_the_audit_are_never_seen_whenever_the_process_dies(zygote, tmp_path):
    table = Watched(zygote, tmp_path)
    for point in ("after stage commit", "after audit record"):
        assert table.kill_and_recover("append", point, bad=True), point
    table.judge_reader()


@pytest.mark.deep
@pytest.mark.parametrize("mode", MODES)
def test_every_point_of_every_mode_many_times(zygote, tmp_path, mode):
    dice = random.Random(mode)
    table = Watched(zygote, tmp_path)
    reached = set()
    for turn in range(4):
        for point in dice.sample(POINTS, len(POINTS)):
            bad = dice.random() < 0.2
            done = table.kill_and_recover(
                mode, point, bad=bad, by_resume=dice.random() < 0.5, occurrence=1 + turn % 2
            )
            if done:
                reached.add(point)
    assert reached == set(POINTS)
    table.judge_reader()
