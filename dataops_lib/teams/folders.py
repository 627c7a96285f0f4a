"""Where team folders are, and how a new one is made."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from pathlib import Path

from dataops_lib import files, yaml_lines
from dataops_lib.errors import DataError, UsageError
from dataops_lib.files import HOME
from dataops_lib.teams.models import Catalog, TeamFile

TEMPLATE = files.HOME / "data" / "teams" / "_template"


def create(
    name: str, *, title: str | None = None, zone: str | None = None, root: Path | str | None = None
) -> Path:
    """Copy the template to a new team folder and fill in what is told.

    Parameters
    ----------
    name : str
        A slug; also the name of the folder.
    title : str, optional
        What people call the team; default: the name.
    zone : str, optional
        IANA time zone; default UTC.

    Raises
    ------
    UsageError
        If the name is not a slug, the folder is there already, or the zone is unknown.
    DataError
        If the folder cannot be written.
    """
    base = root_folder(root)
    target = base / checked_name(name)
    if target.exists():
        raise UsageError(f"{target} is there already; choose another name or edit that folder")
    told = {"__NAME__": name, "__TITLE__": title or name, "__ZONE__": zone or "UTC"}
    text = re.sub(  # in one pass, because a title may hold a mark; a JSON string is a YAML string
        "|".join(told),
        lambda mark: json.dumps(told[mark[0]]),
        (TEMPLATE / "team.yaml").read_text(encoding="utf-8"),
    )
    yaml_lines.validate(TeamFile, yaml_lines.loads(text, "team.yaml"))
    try:
        base.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".part-", dir=base))
        try:
            shutil.copytree(TEMPLATE, work / name)
            (work / name / "team.yaml").write_text(text, encoding="utf-8")
            (work / name).rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise DataError(f"cannot write {target}: {error.strerror or error}") from error
    return target


SLUG = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")


def root_folder(root: Path | str | None = None) -> Path:
    """Where team folders are: `root`, or DATAOPS_TEAMS_DIR, or data/teams of the clone."""
    chosen = root or os.environ.get("DATAOPS_TEAMS_DIR") or HOME / "data" / "teams"
    return Path(chosen).expanduser().resolve()


def warehouse_folder(folder: Path) -> Path:
    """Where the replay of a team folder is kept: in the clone, or beside folders outside of it."""
    if folder.parent == HOME / "data" / "teams":
        return HOME / "warehouse" / folder.name
    return folder.parent / ".warehouse" / folder.name


def current_build(folder: Path) -> Path | None:
    """The finished replay of a team folder; None when there is none, or it was made elsewhere."""
    home = warehouse_folder(folder)
    try:
        build = home / (home / "current").read_text(encoding="utf-8").strip()
        made = json.loads((build / "built.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    here = isinstance(made, dict) and made.get("place") == str(build)
    return build if here else None  # Iceberg keeps absolute paths


def names(root: Path | str | None = None) -> list[str]:
    """The teams that have a folder."""
    found = (path.parent.name for path in root_folder(root).glob("*/team.yaml"))
    return sorted(name for name in found if SLUG.fullmatch(name))


def folder_of(team: str, root: Path | str | None = None) -> Path:
    """The folder of `team`.

    Raises
    ------
    UsageError
        If the name is not a slug (so never a path), or there is no such team.
    """
    checked_name(team)
    base = root_folder(root)
    if not (base / team / "team.yaml").is_file():
        known = ", ".join(names(base)) or "none yet; `dataops new-team NAME` makes one"
        raise UsageError(f"there is no team {team!r} in {base}. Teams there: {known}")
    return base / team


def checked_name(team: str, what: str = "team") -> str:
    """`team` itself if it is a slug; otherwise a UsageError that says what a name looks like."""
    if not isinstance(team, str) or len(team) > 60 or not SLUG.fullmatch(team):
        raise UsageError(
            f"{str(team)[:80]!r} is not a {what} name: use lower-case letters, digits, - and _, "
            "beginning with a letter, for example flights"
        )
    return team


def local_catalog(build: Path) -> Catalog:
    """The catalog of one replay: SQLite and a folder of tables, inside the build."""
    properties = {
        "type": "sql",
        "uri": f"sqlite:///{(build / 'catalog.db').as_posix()}",
        "warehouse": (build / "tables").as_uri(),
    }
    return Catalog.model_construct(name="dataops", namespace="marts", properties=properties)
