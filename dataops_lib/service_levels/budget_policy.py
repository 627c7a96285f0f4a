"""What a team does while so much of an error budget is left."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Annotated

import pandas as pd
from pydantic import Field, model_validator

from dataops_lib import playbook, yaml_lines
from dataops_lib.fields import Frozen, Line, Share
from dataops_lib.finding import Finding, Status
from dataops_lib.wording import percent


class PolicyState(Frozen):
    """What to do while `from` of the budget or more is left; the last state has no `from`."""

    name: Line
    least: Annotated[Decimal | None, Field(alias="from")] = None
    status: Status
    action: Line
    source: Line


class IncidentRule(Frozen):
    """What one incident asks for that took more than `share` of a budget."""

    share: Share
    action: Line
    source: Line


class Policy(Frozen):
    """The whole error_budget_policy.yaml."""

    states: tuple[PolicyState, ...] = Field(min_length=1)
    incident: IncidentRule

    @model_validator(mode="after")
    def _falls(self) -> Policy:
        bounds = [state.least for state in self.states]
        if bounds[-1] is not None or None in bounds[:-1]:
            raise ValueError("the last state, and only that one, has no `from`")
        known = [bound for bound in bounds if bound is not None]
        if known != sorted(known, reverse=True):
            raise ValueError("states go from the most budget left to the least")
        return self


def load_policy(text: str, file: str = "error_budget_policy.yaml") -> Policy:
    """The error budget policy; TeamError with all mistakes."""
    return yaml_lines.validate(Policy, yaml_lines.loads(text, file))


def load() -> Policy:
    """The policy of the playbook."""
    return load_policy(playbook.text("error_budget_policy.yaml"))


def state_of(left: float, policy: Policy) -> PolicyState:
    """The state that holds while the ratio `left` of a budget is left; spent exactly is not over.

    The first whose `from` is reached: the last one holds when the budget is overspent.
    """
    return next(s for s in policy.states if s.least is None or left >= s.least)


def decide(left: float, policy: Policy, subject: str = "error budget") -> Finding:
    """What the policy asks for while the ratio `left` of the budget is left; NaN is unknown."""
    if math.isnan(left):
        return Finding(subject, "unknown", "the budget was not measured", "Measure it first")
    state = state_of(left, policy)
    evidence = f"{state.name}: {percent(left)} of the budget is left"
    numbers = {"state": state.name, "remaining_ratio": left}
    return Finding(subject, state.status, evidence, state.action, numbers)


def forecast(
    burndown: pd.DataFrame, *, days_left: int, recent_days: int = 7, subject: str = "error budget"
) -> Finding:
    """When the budget runs out if the last `recent_days` go on; `burndown` as in `budget`.

    `days_left` are those of the period still to come.
    """
    left = burndown["remaining"].iloc[-1] if len(burndown) else math.nan
    if math.isnan(left):
        return Finding(subject, "unknown", "the budget was not measured", "Measure it first")
    before = burndown["remaining"].iloc[-recent_days - 1] if len(burndown) > recent_days else 1.0
    speed = (before - left) / min(recent_days, len(burndown))
    lasts = math.inf if speed <= 0 else max(left, 0) / speed
    numbers = {"remaining_ratio": left, "lasts_days": None if math.isinf(lasts) else lasts}
    if left <= 0:
        return Finding(
            subject, "fail", f"spent: {percent(left)} is left", "Follow the policy", numbers
        )
    if lasts >= days_left:
        evidence = f"{percent(left)} is left, enough for the {days_left} days to come"
        return Finding(subject, "ok", evidence, "Nothing to do", numbers)
    evidence = f"{percent(left)} is left and lasts {lasts:.1f} of {days_left} days at this speed"
    return Finding(subject, "warn", evidence, "Repair the largest spender first", numbers)
