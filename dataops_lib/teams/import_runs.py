"""Run histories of other tools: dbt run results and Airflow run lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from dataops_lib.errors import Problem, TeamError

RUN_COLUMNS: tuple[str, ...] = ("run_id", "pipeline", "table", "due_at")


RUN_COLUMNS += ("started_at", "finished_at", "status", "trigger")


_ENDS = {"success": "published", "error": "failed", "runtime error": "failed", "fail": "failed"}


_ENDS |= {"queued": "running"}


def runs_from_airflow(
    text: str, *, interval: timedelta | None = None, file: str = "runs.json"
) -> pd.DataFrame:
    """Runs from `airflow dags list-runs -o json`, with the columns of a team's runs.csv.

    Airflow 3 says when a run was due (run_after). Airflow 2 gives the start of its data interval;
    the run was due one `interval` later, which only the caller knows.

    Raises
    ------
    TeamError
        If the text is no such list, or the interval is needed and not given.
    """

    def row(run: Any) -> dict[str, Any]:
        due = run.get("run_after")
        if due is None and interval is None:
            fix = "give the interval of the schedule, such as timedelta(days=1)"
            raise TeamError([Problem(file, None, "run_after", "is missing, as in Airflow 2", fix)])
        kind = str(run["run_id"]).split("__")[0]
        return {
            "run_id": run["run_id"],
            "pipeline": run["dag_id"],
            "due_at": due or pd.Timestamp(run["execution_date"]) + interval,  # type: ignore[operator]
            "started_at": run.get("start_date") or None,
            "finished_at": run.get("end_date") or None,
            "status": _ENDS.get(run["state"], run["state"]),
            "trigger": "rerun" if kind in ("manual", "backfill") else "scheduled",
        }

    return _frame(text, file, list, lambda data: [row(run) for run in data])


def runs_from_dbt(text: str, *, due_at: datetime, file: str = "run_results.json") -> pd.DataFrame:
    """Models of one dbt invocation from its run_results.json, as runs that were due at `due_at`.

    dbt does not know when it was expected. A model that was skipped is not a success.
    """

    def row(data: Any, result: Any) -> dict[str, Any]:
        timing = [part for part in result.get("timing", ()) if part.get("started_at")]
        return {
            "run_id": data["metadata"]["invocation_id"],
            "table": result["unique_id"].split(".")[-1],
            "due_at": due_at,
            "started_at": min((part["started_at"] for part in timing), default=None),
            "finished_at": max((part["completed_at"] for part in timing), default=None),
            "status": _ENDS.get(result["status"], result["status"]),
            "trigger": "scheduled",
        }

    built = ("model.", "snapshot.", "seed.")  # tests judge tables; they do not build them
    return _frame(
        text,
        file,
        dict,
        lambda d: [row(d, one) for one in d["results"] if one["unique_id"].startswith(built)],
    )


def _frame(
    text: str, file: str, kind: type, rows: Callable[[Any], list[dict[str, Any]]]
) -> pd.DataFrame:
    fix = "give the tool's own file, unchanged"
    try:
        data = json.loads(text)
        if not isinstance(data, kind):
            raise TypeError(f"it holds no {kind.__name__}")
        table = pd.DataFrame(rows(data), columns=list(RUN_COLUMNS))
        for column in ("due_at", "started_at", "finished_at"):
            table[column] = pd.to_datetime(table[column], utc=True, format="ISO8601")
    except json.JSONDecodeError as error:
        message = f"is not JSON: {error.msg}"
        raise TeamError([Problem(file, error.lineno, "", message, fix)]) from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        message = f"is not what the tool writes ({type(error).__name__}: {error})"
        raise TeamError([Problem(file, None, "", message, fix)]) from None
    return table
