"""What workflows and runs of the stages say, in sentences and small tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from dataops_lib.delivery.stages import Run
from dataops_lib.delivery.workflows.simulation import Event, never_run, simulate
from dataops_lib.delivery.workflows.workflow import Workflow
from dataops_lib.errors import Problem
from dataops_lib.wording import titled


def outcomes(workflow: Workflow, events: Sequence[Event]) -> pd.DataFrame:
    """What each event does to each job."""
    columns = {str(event): simulate(workflow, event) for event in events}
    rows = [(job, *(outcome[job] for outcome in columns.values())) for job in workflow.jobs]
    return titled(pd.DataFrame(rows, columns=["job", *columns]))


def never(workflow: Workflow) -> str:
    """Whether a job of the workflow can never run."""
    jobs = never_run(workflow)
    if not jobs:
        return f"Every job of {workflow.file} runs for some event."
    names = ", ".join(sorted(jobs))
    return f"{names} of {workflow.file} runs for no event at all, however often you merge."


def problems(found: Iterable[Problem]) -> pd.DataFrame:
    """Faults of a file: rule, line, what is wrong, how to fix it."""
    rows = [(p.field, p.line, p.message, p.fix) for p in found]
    return titled(pd.DataFrame(rows, columns=["rule", "line", "what is wrong", "how to fix it"]))


def stages(run: Run) -> pd.DataFrame:
    """How each stage went, and why."""
    rows = [(stage.name, stage.state, stage.why) for stage in run.stages]
    return titled(pd.DataFrame(rows, columns=["stage", "state", "why"]))
