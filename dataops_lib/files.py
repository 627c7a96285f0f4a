"""Files that are whole or absent, and files of strangers that are read within bounds."""

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


def contents(path: Path, *, within: Path, limit: int = 100_000_000) -> bytes:
    """What a stranger's file holds: a real file below the folder `within`, at most `limit` bytes.

    Raises
    ------
    OSError
        If it is a pipe, a device or a folder, leads out of `within` by a link, or is too large;
        `strerror` says which.
    """
    real = path.resolve()
    if not real.is_relative_to(within.resolve()):
        raise OSError(0, "it is a link that leads out of the folder")
    if not real.exists():
        raise OSError(0, "it is a link to nothing")
    if not real.is_file():  # a pipe would be waited for without end
        raise OSError(0, "it is not a file")
    if (size := real.stat().st_size) > limit:
        raise OSError(0, f"it has {size:,} bytes, the limit is {limit:,}")
    return real.read_bytes()


HOME = Path(__file__).resolve().parents[1]
