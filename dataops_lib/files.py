"""Files that are whole or absent."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, text: str) -> Path:
    """Write `text` under another name and rename it: nobody ever sees half a file.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written; nothing is left behind then.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return path


HOME = Path(__file__).resolve().parents[1]
