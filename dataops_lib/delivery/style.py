"""The style of SQL and Python files, by sqlfluff and ruff; a missing tool is unknown, not green."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataops_lib.delivery.stages import finding_of
from dataops_lib.errors import Problem
from dataops_lib.finding import Finding

SECONDS = 300
# For a team without a .sqlfluff of its own: what DuckDB reads, and no matter of taste alone.
SQL_STYLE: dict[str, Any] = {
    "dialect": "duckdb", "max_line_length": 120, "exclude_rules": "AM04,CP03,LT08,LT09,ST06,ST09",
}  # fmt: skip


def sqlfluff(folder: Path, paths: Sequence[Path]) -> list[Finding]:
    """Faults of SQL files, by the team's own .sqlfluff where it has one."""
    if not paths:
        return []
    try:
        from sqlfluff.core import FluffConfig, Linter
    except ImportError:
        step = "Install the extra `ci` of this project"
        return [Finding("SQL style", "unknown", "sqlfluff is not installed", step)]
    settings = FluffConfig.from_path(str(folder), require_dialect=False)
    if not settings.get("dialect"):
        settings = FluffConfig(overrides=SQL_STYLE)
    linter = Linter(config=settings)
    findings = []
    for path in paths:
        file = path.relative_to(folder).as_posix()
        for fault in linter.lint_string(
            path.read_text(encoding="utf-8"), fname=file
        ).get_violations():
            text = " ".join(fault.desc().split()).rstrip(".")
            fix = "run `sqlfluff fix`, or correct it by hand"
            findings.append(finding_of(Problem(file, fault.line_no, fault.rule_code(), text, fix)))
    return findings


def ruff(folder: Path, paths: Sequence[Path]) -> list[Finding]:
    """Faults of Python files, by the nearest ruff settings above them."""
    if not paths:
        return []
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "json", "--no-cache", "--"]
    done = subprocess.run(  # noqa: S603
        [*command, *map(str, paths)], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode > 1 or not done.stdout:
        return [Finding("Python style", "unknown", "ruff is not installed", "Install ruff")]
    return [
        finding_of(
            Problem(
                Path(fault["filename"]).relative_to(folder.resolve()).as_posix(),
                fault["location"]["row"],
                fault["code"] or "syntax",
                fault["message"],
                "run `ruff check --fix`, or correct it by hand",
            )
        )
        for fault in json.loads(done.stdout)
    ]
