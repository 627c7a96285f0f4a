"""Comments that free a line, or a whole text, from a rule of a lint."""

from __future__ import annotations

import re

_ALLOW = re.compile(r"<!--\s*lint: allow ((?:[A-Z]{2}\d\d[ ,]*)+)-->", re.I)
COMMENT = re.compile(r"<!--.*?-->")


def allowed(text: str, prefix: str) -> dict[int, set[str]]:
    """Rules, such as PM05 or RB10, that a comment allows, by line; 0 is the whole text."""
    permitted: dict[int, set[str]] = {}
    waiting: set[str] = set()
    titled = False
    for number, line in enumerate(text.splitlines(), 1):
        rules = " ".join(_ALLOW.findall(line)).upper()
        here = set(re.findall(rf"{prefix}\d\d", rules))
        rest = COMMENT.sub("", line).strip()
        if here and not rest:
            permitted.setdefault(0, set()).update(set() if titled else here)
            waiting |= here
        elif rest:
            titled = titled or rest.startswith("#")
            permitted[number] = here | waiting
            waiting = set()
    return permitted
