"""Which variables of the environment a team's catalog may be given, and how they stay hidden.

A team's folder may come from anybody: its word alone must not send a variable of this machine to
an address that the same folder names.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dataops_lib import files
from dataops_lib.errors import Problem, TeamError
from dataops_lib.teams.models import VARIABLE, Catalog

PREFIX = "DATAOPS_"  # meant for team files by its name
ALLOWED = "DATAOPS_ALLOW"  # more names, with commas between them


def filled(catalog: Catalog, folder: Path) -> Catalog:
    """`catalog` with each `${NAME}` replaced by its value, where the person allows the name.

    Raises
    ------
    TeamError
        For each variable that nobody has allowed, or that the environment does not have; no value
        is part of the message.
    """
    allowed = _allowed(catalog, folder)
    problems = []
    for key, name in _uses(catalog):
        if name not in allowed and not name.startswith(PREFIX):
            message = f"uses ${{{name}}}, which nobody has allowed this team"
            fix = f"see where it would be sent with `dataops allow {folder.name}`, or use a "
            fix += f"variable whose name begins with {PREFIX}"
        elif name not in os.environ:
            message = f"uses ${{{name}}}, but the environment has no {name}"
            fix = f"export {name}"
        else:
            continue
        problems.append(Problem("team.yaml", None, f"catalog.properties.{key}", message, fix))
    if problems:
        raise TeamError(problems)
    hide(os.environ[name] for _, name in _uses(catalog))
    properties = {
        key: VARIABLE.sub(lambda match: os.environ[match[1]], value)
        for key, value in catalog.properties.items()
    }
    return catalog.model_copy(update={"properties": properties})


def to_be_allowed(catalog: Catalog, folder: Path) -> tuple[tuple[str, str], ...]:
    """Properties of the catalog and the variables in them that nobody has allowed yet."""
    allowed = _allowed(catalog, folder)
    return tuple(
        (key, name)
        for key, name in _uses(catalog)
        if name not in allowed and not name.startswith(PREFIX)
    )


def allow(catalog: Catalog, folder: Path) -> Path:
    """Note that this catalog of this folder may be given its variables, until it changes."""
    path = _allow_list()
    path.parent.mkdir(parents=True, exist_ok=True)
    return files.write(path, json.dumps({**_noted(), str(folder): _mark(catalog)}, indent=1))


def _uses(catalog: Catalog) -> tuple[tuple[str, str], ...]:
    """Properties and the variables that they use."""
    return tuple(
        (key, name) for key, value in catalog.properties.items() for name in VARIABLE.findall(value)
    )


def _allowed(catalog: Catalog, folder: Path) -> set[str]:
    names = {name.strip() for name in os.environ.get(ALLOWED, "").split(",")}
    if _noted().get(str(folder)) == _mark(catalog):
        names |= {name for _, name in _uses(catalog)}
    return names


def _allow_list() -> Path:
    """The allow-list: outside of every team folder, as the person's other settings are."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "dataops" / "allowed.json"


def _noted() -> Mapping[str, str]:
    try:
        noted = json.loads(_allow_list().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _mark(catalog: Catalog) -> str:
    """Changes with every property: another address has to be allowed anew."""
    text = json.dumps([catalog.name, sorted(catalog.properties.items())])
    return hashlib.sha256(text.encode()).hexdigest()


# ---- values that no message may hold

_hidden: set[str] = set()


def hide(values: Iterable[str]) -> None:
    """From now on no log record of this process holds one of `values`, whoever logs it."""
    texts = {form for value in values for form in (value, quote(value, safe=""))}
    if not _hidden:
        logging.setLogRecordFactory(_Redacting(logging.getLogRecordFactory()))
    _hidden.update(text for text in texts if len(text) >= 4)


def redacted(text: str) -> str:
    """`text` without the hidden values."""
    for value in sorted(_hidden, key=len, reverse=True):
        text = text.replace(value, "***")
    return text


class _Redacting:
    """Makes log records as `inner` does, without hidden values in message and traceback."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self.inner(*args, **kwargs)
        try:
            message = record.getMessage()
        except Exception:  # the call to the logger was wrong; logging itself will say so
            return record
        if redacted(message) != message:
            record.msg, record.args = redacted(message), ()
        if record.exc_info and record.exc_info[0]:
            text = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            if redacted(text) != text:
                record.exc_info, record.exc_text = None, redacted(text)
        return record
