"""Edge: makes the folder of a new team from the template."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path

from dataops_lib import located, teams
from dataops_lib.errors import DataError, UsageError
from dataops_lib.models import TeamFile

TEMPLATE = teams.HOME / "data" / "teams" / "_template"


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
    base = teams.root_folder(root)
    target = base / teams.checked_name(name)
    if target.exists():
        raise UsageError(f"{target} is there already; choose another name or edit that folder")
    told = {"__NAME__": name, "__TITLE__": title or name, "__ZONE__": zone or "UTC"}
    text = re.sub(  # in one pass, because a title may hold a mark; a JSON string is a YAML string
        "|".join(told),
        lambda mark: json.dumps(told[mark[0]]),
        (TEMPLATE / "team.yaml").read_text(encoding="utf-8"),
    )
    located.validate(TeamFile, located.loads(text, "team.yaml"))
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
