"""Builds example warehouses: aside, switched in one step, only when inputs changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from dataops_lib import files, teams, windows
from dataops_lib.errors import DataError, TeamError
from dataops_lib.sql import literal
from dataops_lib.teams import folders as teams_folders
from dataops_lib.teams import reader, team

DATA = files.HOME / "data"
ENGINES = ("duckdb", "pyarrow", "pyiceberg")
ROOMS = ("examples", "teams", "contracts", "wap", "audit", "warehouse")  # what a build runs through
FOLDERS = ("sources", "pipelines", "contracts")
FILES = ("team.yaml", "faults.yaml")
FORMAT = 1  # raise it when the layout of a build changes


def ensure(names: Sequence[str] | None = None, *, root: Path | str | None = None) -> list[Path]:
    """Build what is missing or out of date among the example teams, two at a time.

    Parameters
    ----------
    names : sequence of str, optional
        Teams to look at; those without a `replay:` in team.yaml need nothing. Default: all.

    Returns
    -------
    list of Path
        The finished build of each example team.

    Raises
    ------
    DataError
        If a replay could not be built, with the reason.
    """
    folders = [teams_folders.folder_of(name, root) for name in names or teams.names(root)]
    examples = [folder for folder in folders if team.team_file(folder).replay]
    stale = [folder for folder in examples if not is_current(folder)]
    if len(stale) == 1:
        build(stale[0])
    elif stale:
        with ProcessPoolExecutor(min(2, len(stale)), mp_context=get_context("spawn")) as pool:
            list(pool.map(build, stale, range(len(stale))))
    return [path for folder in examples if (path := teams_folders.current_build(folder))]


def is_current(folder: Path) -> bool:
    """Whether the finished build was made from exactly these inputs, in this place."""
    current = teams_folders.current_build(folder)
    if current is None:
        return False
    try:
        made = json.loads((current / "built.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return made == _made(folder, current)


def build(folder: Path, position: int = 0) -> Path:
    """Replay one example team into a new folder and switch to it when it is complete.

    A kill at any moment leaves the build that was there before, or none. What a kill left half
    built is removed by the next build, what an error left at once.

    Parameters
    ----------
    folder : Path
        The team's folder.
    position : int
        Line of the progress bar.

    Raises
    ------
    TeamError
        If the team's files have mistakes.
    DataError
        If a model cannot be run, or the disk did not allow it.
    """
    import duckdb
    from sqlalchemy.exc import SQLAlchemyError

    home = teams_folders.warehouse_folder(folder)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _only_one(home):
            previous = teams_folders.current_build(folder)
            if previous and is_current(folder):  # somebody else has just built it
                return previous
            path = Path(tempfile.mkdtemp(prefix="build-", dir=home))
            try:
                made = _made(folder, path)  # before they are read: a later change is noticed
                _replay(folder, path, position)
            except BaseException:
                shutil.rmtree(path, ignore_errors=True)
                raise
            files.write(path / "built.json", json.dumps(made))
            files.write(home / "current", path.name)
            for old in home.glob("build-*"):  # a reader may still be in the previous one
                if old not in (path, previous):
                    shutil.rmtree(old, ignore_errors=True)
    except (OSError, sqlite3.Error, duckdb.Error, SQLAlchemyError) as error:
        raise DataError(f"the warehouse of {folder.name!r} cannot be built: {error}") from error
    return path


def _replay(folder: Path, path: Path, position: int) -> None:
    import duckdb
    from tqdm import tqdm

    from dataops_lib import warehouse
    from dataops_lib.examples import simulation
    from dataops_lib.teams import history

    given = reader.Files(folder)
    parts = reader.read(given)
    faults = reader.read_faults(given)
    if given.problems:
        raise TeamError(given.problems)
    file = parts["file"]
    span = file.replay
    (path / "tables").mkdir()
    catalog = warehouse.open(teams_folders.local_catalog(path), create=True)
    with duckdb.connect(config={"threads": 1}) as connection:
        places = ", ".join(literal(f"{place}/") for place in (path, DATA))
        connection.execute(
            f"SET allowed_directories = [{places}]; SET enable_external_access = false;"
            "SET python_enable_replacements = false; SET lock_configuration = true"
        )
        world = simulation.Stage(
            file=file,
            folder=folder,
            build=path,
            data=DATA,
            faults=faults,
            contracts=parts["contracts"] or {},
            catalog=catalog,
            connection=connection,
            clock=simulation.Clock(windows.midnight(span.first_day, file.zone)),
        )
        world.prepare(span.first_day)
        todo = world.attempts(span.until)
        for attempt in tqdm(todo, desc=f"replay {file.name}", position=position, disable=None):
            world.run(attempt)
    frames = {"runs.csv": (world.runs, history.RUNS), "alerts.csv": (world.alerts, history.ALERTS)}
    for name, (rows, columns) in frames.items():
        files.write(path / name, history.dumps(history.frame(rows, columns), columns))
    files.write(path / "blocked.json", json.dumps(world.blocked, default=str, indent=1))
    files.write(path / "landings.json", json.dumps(world.landings, default=str, indent=1))


def _made(folder: Path, path: Path) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "place": str(path),  # Iceberg metadata holds absolute paths: a moved clone is rebuilt
        "inputs": fingerprint(folder),
    }


def fingerprint(folder: Path) -> str:
    """sha256 of all that a replay depends on: data, models, faults, library, versions."""
    digest = hashlib.sha256()
    given = [folder / name for name in FILES]
    given += [path for name in FOLDERS for path in sorted((folder / name).rglob("*"))]
    paths = {path.relative_to(folder).as_posix(): path for path in given}
    paths |= {path.name: path for path in (DATA / "flights").glob("*.parquet")} | library()
    for name, path in sorted(paths.items()):
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{name} {content}\n".encode())
    for engine in ENGINES:
        digest.update(f"{engine} {version(engine)}".encode())
    digest.update(f"python {sys.version_info[:2]}".encode())
    return digest.hexdigest()


def library() -> dict[str, Path]:
    """The modules that decide what a build holds, by their path below the library.

    Sentences and pictures of these rooms are about a build and never in it.
    """
    home = Path(__file__).parents[1]
    paths = [*home.glob("*.py"), *(path for room in ROOMS for path in (home / room).rglob("*.py"))]
    about = {"headlines", "charts", "chart_style"}
    return {path.relative_to(home).as_posix(): path for path in paths if path.stem not in about}


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Hold the build lock; SQLite's lock works on every system and dies with its process."""
    lock = sqlite3.connect(home / "lock.db", timeout=600, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        lock.close()
