"""Judge what an audit measured."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from dataops_lib.audit.checks import (
    NONE_FAILS,
    Check,
    Column,
    ColumnsCheck,
    ForeignKeyCheck,
    FreshCheck,
    FunctionCheck,
    RowCheck,
    RowCount,
    SqlCheck,
    UniqueCheck,
    VolumeCheck,
    columns,
)
from dataops_lib.finding import Finding


def band(past: Sequence[int], check: VolumeCheck) -> tuple[float, float]:
    """Lowest and highest count that `check` accepts after the `past` counts of that weekday."""
    logs = [math.log(count) for count in past if count > 0]
    middle = statistics.median(logs)
    mad = statistics.median(abs(value - middle) for value in logs)
    reach = check.score * max(1.4826 * mad, check.floor)
    return math.exp(middle - reach), math.exp(middle + reach)


def judge(check: Check, measured: Mapping[str, Any]) -> Finding:
    """Turn what was measured for `check` into a finding.

    `measured` holds `rows` (in the check's scope), the aggregates, and what the kind of check
    needs: `failed`, `keys`, `surplus`, `newest` with `as_of`, `value`, `fields`, `past`, `passed`
    with `message`, or `error`; `sample` holds failing rows. Numbers of the finding carry them on.
    """
    numbers = dict(measured) | {"severity": check.severity, "scope": check.scope}
    if "error" in measured:
        return _failed(check, f"could not be judged: {measured['error']}", numbers)
    passed, evidence = _VERDICTS[type(check)](check, measured)
    if passed is None:
        return Finding(check.name, "unknown", evidence, "Wait for more data", numbers)
    if not passed:
        return _failed(check, evidence, numbers)
    return Finding(check.name, "ok", evidence, "Nothing to do", numbers)


def blocks(finding: Finding) -> bool:
    """True when the finding stops a publish: a failed check of severity `block`."""
    return finding.status == "fail"


def _failed(check: Check, evidence: str, numbers: Mapping[str, Any]) -> Finding:
    status: Literal["fail", "warn"] = "fail" if check.severity == "block" else "warn"
    step = "Look at the failing rows, fix the source, run again"
    return Finding(check.name, status, evidence, step, numbers)


Verdict = tuple[bool | None, str]


def _judge_rows(check: RowCheck, measured: Mapping[str, Any]) -> Verdict:
    failed, total = measured["failed"], measured["rows"]
    if not total:
        return None, "there are no rows to judge"
    evidence = f"{failed} of {total} rows {check.says}"
    if check.limit != NONE_FAILS:
        evidence += f"; {check.limit.text}"
    return check.limit.holds(failed, of=total), evidence


def _judge_unique(check: UniqueCheck, measured: Mapping[str, Any]) -> Verdict:
    failed, total, keys = measured["failed"], measured["rows"], measured["keys"]
    key = ", ".join(check.columns)
    if not failed:
        return check.limit.holds(0, of=total), f"no two of {total} rows share their {key}"
    evidence = f"{failed} of {total} rows share their {key} with another row ({keys} keys repeat)"
    return check.limit.holds(failed, of=total), evidence


def _judge_count(check: RowCount, measured: Mapping[str, Any]) -> Verdict:
    what = "rows were added" if check.scope == "added" else "rows"
    evidence = f"{measured['rows']} {what}; {check.limit.text}"
    return check.limit.holds(measured["rows"]), evidence


def _judge_fresh(check: FreshCheck, measured: Mapping[str, Any]) -> Verdict:
    newest, as_of = measured["newest"], measured["as_of"]
    if newest is None:
        return False, f"{check.columns[0]} has no value at all"
    moment = _in_zone(newest, check.zone or "UTC")
    begun = as_of
    if check.zone is None and not isinstance(newest, datetime):
        begun += _FIRST_ON_EARTH
    if moment > begun:
        return False, f"the newest {check.columns[0]}, {_shown(newest)}, lies in the future"
    age = max(as_of - moment, timedelta(0))
    at = f"{_shown(newest)} {check.zone or 'UTC'}"
    return age <= check.within, f"newest is {at}, {age} old; at most {check.within} is allowed"


_FIRST_ON_EARTH = timedelta(hours=14)  # how long before UTC a day begins on Kiritimati


def _in_zone(newest: date, zone: str) -> datetime:
    """The time of a value; one without a zone, and the midnight of a day, are those of `zone`."""
    if not isinstance(newest, datetime):
        newest = datetime.combine(newest, time())
    return newest.replace(tzinfo=ZoneInfo(zone)) if newest.tzinfo is None else newest


def _shown(newest: date) -> str:
    return f"{newest:%Y-%m-%d %H:%M}" if isinstance(newest, datetime) else f"{newest}"


def _judge_foreign(check: ForeignKeyCheck, measured: Mapping[str, Any]) -> Verdict:
    failed, total = measured["failed"], measured["rows"]
    missing = f"{failed} of {total} rows have a {check.columns[0]} that is not in {check.table}"
    return check.limit.holds(failed, of=total), missing


def _judge_sql(check: SqlCheck, measured: Mapping[str, Any]) -> Verdict:
    if check.value:
        value = measured["value"]
        if value is None:
            return None, "the query returned no value"
        return check.limit.holds(value), f"the query returned {value}; {check.limit.text}"
    failed = measured["failed"]
    evidence = f"the query returned {failed} rows"
    if check.limit != NONE_FAILS:
        evidence += f"; {check.limit.text}"
    return check.limit.holds(failed, of=measured["rows"]), evidence


def _judge_columns(check: ColumnsCheck, measured: Mapping[str, Any]) -> Verdict:
    problems = differences(check.fields, measured["fields"])
    if problems:
        return False, "; ".join(problems)
    return True, f"the {len(check.fields)} columns of the contract, no other"


def _judge_volume(check: VolumeCheck, measured: Mapping[str, Any]) -> Verdict:
    count = measured["rows"]
    if count == 0:
        return False, "no rows were added"
    past = [n for n in (check.past if check.past is not None else measured["past"]) if n > 0]
    if len(past) < check.at_least:
        return None, f"{count} rows; {len(past)} past counts of this weekday are too few to judge"
    low, high = band(past, check)
    text = f"{count} rows were added; {low:.0f} to {high:.0f} after {len(past)} such weekdays"
    return low <= count <= high, text


def _judge_function(check: FunctionCheck, measured: Mapping[str, Any]) -> Verdict:
    return bool(measured["passed"]), str(measured["message"])


_VERDICTS: dict[type[Check], Callable[..., Verdict]] = {
    RowCheck: _judge_rows,
    UniqueCheck: _judge_unique,
    RowCount: _judge_count,
    FreshCheck: _judge_fresh,
    ForeignKeyCheck: _judge_foreign,
    SqlCheck: _judge_sql,
    ColumnsCheck: _judge_columns,
    VolumeCheck: _judge_volume,
    FunctionCheck: _judge_function,
}


def differences(expected: Sequence[Column], actual: Sequence[Column]) -> list[str]:
    """What the actual columns have wrong against the expected ones, one sentence each.

    `actual` columns carry Iceberg types in `physical`.
    """
    have = {column.name: column for column in actual}
    problems = [f"{c.name} is missing" for c in expected if c.name not in have]
    for column in expected:
        if (actually := have.get(column.name)) is None:
            continue
        if column.type and actually.type != column.type:
            is_, promised = actually.type, column.type
        elif column.physical and actually.physical != column.physical:
            is_, promised = actually.physical, column.physical
        else:
            continue
        problems.append(f"{column.name} is {is_}, but the contract says {promised}")
    promised_names = {column.name for column in expected}
    extra = [name for name in have if name not in promised_names]
    return problems + [f"{name} is not in the contract" for name in extra]


def misfit(checks: Sequence[Check], problems: Sequence[str], numbers: Mapping[str, Any]) -> Finding:
    """The finding for data that cannot even be staged, under the name of the contract's check."""
    contract = next((c for c in checks if isinstance(c, ColumnsCheck)), columns())
    strict = replace(contract, severity="block")  # nothing was staged, so nothing can be published
    return _failed(strict, "; ".join(problems), dict(numbers) | {"severity": "block"})
