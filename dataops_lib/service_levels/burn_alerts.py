"""Burn-rate alerts: when somebody is called, and rules that can never fire."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Literal

import pandas as pd
from pydantic import model_validator

from dataops_lib import playbook, yaml_lines
from dataops_lib.fields import Frozen, Line, Share
from dataops_lib.finding import Finding
from dataops_lib.service_levels.budget import Target, burn_rate
from dataops_lib.service_levels.objectives import SLO, promised_share
from dataops_lib.wording import percent


class BurnRule(Frozen):
    """Alert once `budget_share` of the budget would go in the long window, and still does."""

    name: Line
    set: Line  # which kind of table it is for: service or daily
    severity: Literal["page", "ticket"]
    budget_share: Share
    long_window: timedelta
    short_window: timedelta
    source: Line

    @model_validator(mode="after")
    def _ordered(self) -> BurnRule:
        if not timedelta(0) < self.short_window < self.long_window:
            raise ValueError("the short window must be shorter than the long one")
        return self


class BurnRules(Frozen):
    """The whole burn_rate_rules.yaml."""

    rules: tuple[BurnRule, ...]


def burn_rules(text: str, which: str, file: str = "burn_rate_rules.yaml") -> list[BurnRule]:
    """The rules of the set `which`, "service" or "daily"; TeamError with all mistakes."""
    every = yaml_lines.validate(BurnRules, yaml_lines.loads(text, file)).rules
    return [rule for rule in every if rule.set == which]


def rules(which: str) -> list[BurnRule]:
    """The rules of the playbook for "service" or "daily" tables."""
    return burn_rules(playbook.text("burn_rate_rules.yaml"), which)


def factor(rule: BurnRule, period: timedelta) -> float:
    """The burn rate above which `rule` alerts: 2 % of 30 days in one hour is 14.4."""
    return float(rule.budget_share) * (period / rule.long_window)


def check(
    rule: BurnRule, target: SLO | Target, period: timedelta, *, every: timedelta | None = None
) -> Finding:
    """Say whether `rule` can ever alert; `every` is the time between runs if runs are counted."""
    limit = factor(rule, period)
    highest = burn_rate(1.0, target)
    numbers = {"factor": limit, "highest_burn": highest}
    evidence = f"alerts above {limit:.4g}, a total outage burns at {highest:.4g}"
    if limit >= highest:
        lowest = 1 - 1 / limit if limit > 1 else 0.0
        step = f"Promise more than {percent(round(lowest, 4))}, or give the rule a larger window"
        return Finding(rule.name, "fail", f"can never alert: {evidence}", step, numbers)
    if every is not None and rule.short_window < every:
        evidence = f"its windows of {rule.long_window} and {rule.short_window} hold no run of every"
        step = "Count minutes of freshness instead, or use the daily rules"
        return Finding(rule.name, "fail", f"{evidence} {every}", step, numbers)
    return Finding(rule.name, "ok", evidence, "Nothing to do", numbers)


def detection_time(
    rule: BurnRule, target: SLO | Target, period: timedelta, error_ratio: float = 1.0
) -> timedelta | None:
    """How long an outage of `error_ratio` lasts before `rule` alerts; None if it never does."""
    share = factor(rule, period) / burn_rate(error_ratio, target) if error_ratio > 0 else math.inf
    return rule.long_window * share if share < 1 else None


def alerts(errors: pd.Series, rule: BurnRule, target: SLO | Target, period: timedelta) -> pd.Series:
    """Where `rule` alerts on a history: True at the end of each step it fires on.

    `errors` is the share of bad in [0, 1] per step of an even time index (`sli.errors`); NaN is
    unknown and left out of the mean. Before the first step everything counts as good.
    """
    step = errors.index[1] - errors.index[0]
    fires = pd.Series(True, index=errors.index)
    for window in (rule.long_window, rule.short_window):
        size = max(1, round(window / step))
        bad = errors.fillna(0).rolling(size, min_periods=1).sum()
        known = size - errors.isna().astype(float).rolling(size, min_periods=1).sum()
        burning = bad / known.where(known > 0) / float(1 - promised_share(target))
        fires &= burning > factor(rule, period)
    return fires
