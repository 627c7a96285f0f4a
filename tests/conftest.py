"""Teams to test with: copies outside of the clone, replayed for ten days, with every kind of fault.

Nothing here reads or touches `warehouse/` of the clone: a copy's warehouse stands beside the copy.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:  # imported where it is used: most tests need none of it, and it takes a second
    from dataops_lib.teams import Team

# A busy machine is slow, not wrong.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

CLONE = Path(__file__).parents[1]

FIRST_DUE = date(2013, 2, 4)  # a Monday
UNTIL = date(2013, 2, 14)  # ten due days; the blizzard of 8 and 9 February is among them
FAULTS = {  # every kind once; due and repaired in local time, which is New York or UTC
    "flights": """\
faults:
  - {kind: late_file, source: raw.flights, due: 2013-02-05, repaired_at: 2013-02-05T09:35}
  - {kind: type_change, source: raw.flights, column: flight, to: VARCHAR,
     due: 2013-02-06, repaired_at: 2013-02-06T11:20}
  - {kind: duplicated_file, source: raw.flights, due: 2013-02-07, repaired_at: 2013-02-07T07:05}
  - {kind: source_outage, source: raw.flights, due: 2013-02-09, repaired_at: 2013-02-10T05:15}
  - {kind: missed_run, pipeline: daily_flights, due: 2013-02-11, repaired_at: 2013-02-11T10:40}
  - {kind: empty_file, source: raw.flights, due: 2013-02-12, repaired_at: 2013-02-12T07:30}
""",
    "orders": """\
faults:
  - {kind: late_file, source: raw.event_logs, due: 2013-02-05, repaired_at: 2013-02-05T15:10}
  - {kind: duplicated_file, source: raw.orders, due: 2013-02-06, repaired_at: 2013-02-06T07:40}
  - {kind: type_change, source: raw.orders, column: user_id, to: VARCHAR,
     due: 2013-02-08, repaired_at: 2013-02-08T06:45}
  - {kind: missed_run, pipeline: daily_orders_pipeline, due: 2013-02-12}
""",
}
NO_FAULTS = "faults: []\n"


@dataclass(frozen=True)
class Replayed:
    """An example team that was replayed: its name, where team folders are, its folder and build."""

    name: str
    root: Path
    folder: Path
    build: Path

    def load(self, as_of: date | str | None = None) -> Team:
        """The team as it stood at `as_of`, by default at the end."""
        from dataops_lib import teams

        return teams.load(self.name, as_of=as_of, root=self.root)


def hear_interrupts() -> None:
    """For a child that is to hear Ctrl-C: a shell starts background jobs deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def copied_team(
    root: Path,
    name: str,
    *,
    faults: str | None = None,
    first_due: date = FIRST_DUE,
    until: date = UNTIL,
) -> Path:
    """Copy an example team to `root` and cut it to some days."""
    folder = root / name
    shutil.copytree(CLONE / "data" / "teams" / name, folder)
    path = folder / "team.yaml"
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"first_due: \S+", f"first_due: {first_due}", text)
    text = re.sub(r"first_day: \S+", f"first_day: {first_due}", text)
    text = re.sub(r"(?m)^  until: \S+$", f"  until: {until}", text)
    path.write_text(text, encoding="utf-8")
    (folder / "faults.yaml").write_text(FAULTS[name] if faults is None else faults)
    return folder


@pytest.fixture
def copy_team() -> Callable[..., Path]:
    """`copied_team`, for tests that change or break their copy."""
    return copied_team


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all pytest-xdist workers of one session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def replayed(shared: Path, name: str, kind: str, faults: str | None) -> Replayed:
    """One worker copies and builds; another waits at the lock of the build and finds it done."""
    from dataops_lib.examples import replay

    root = shared / kind
    root.mkdir(exist_ok=True)
    if not (root / name).is_dir():
        part = root / f".part-{name}-{os.getpid()}"
        copied_team(part, name, faults=faults)
        try:
            (part / name).rename(root / name)
        except OSError:  # the other worker was first
            shutil.rmtree(part)
    return Replayed(name, root, root / name, replay.build(root / name))


@pytest.fixture(scope="session")
def flights(shared_folder: Path) -> Replayed:
    """Ten days of flights with all six kinds of fault."""
    return replayed(shared_folder, "flights", "ten-days", None)


@pytest.fixture(scope="session")
def orders(shared_folder: Path) -> Replayed:
    """Ten days of the article's team, with its incident and a run that never starts."""
    return replayed(shared_folder, "orders", "ten-days", None)


@pytest.fixture(scope="session")
def healthy(shared_folder: Path) -> Replayed:
    """The same ten days of flights with no fault planted."""
    return replayed(shared_folder, "flights", "healthy", NO_FAULTS)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own teams folder never decides what a test reads."""
    monkeypatch.delenv("DATAOPS_TEAMS_DIR", raising=False)
