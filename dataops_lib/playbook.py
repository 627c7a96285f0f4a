"""The article's rules and numbers, kept as data beside the code."""

from __future__ import annotations

from pathlib import Path

from dataops_lib.errors import DataError, UsageError

FOLDER = Path(__file__).resolve().parent.parent / "data" / "playbook"


def text(name: str) -> str:
    """The text of `data/playbook/<name>`.

    Raises
    ------
    UsageError
        If `name` is more than a file name.
    DataError
        If there is no such file.

    Examples
    --------
    >>> text("../secret.yaml")
    Traceback (most recent call last):
    dataops_lib.errors.UsageError: '../secret.yaml' is not the name of a file in data/playbook
    """
    if Path(name).name != name or "\\" in name or name in ("", ".", ".."):
        raise UsageError(f"{name!r} is not the name of a file in data/playbook")
    try:
        return (FOLDER / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(
            f"data/playbook/{name} is missing; restore it from the repository"
        ) from None
