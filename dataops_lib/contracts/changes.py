"""What a change of a contract breaks, and whom to tell."""

from __future__ import annotations

from collections.abc import Iterator

from dataops_lib.contracts.contract import Contract, checks
from dataops_lib.contracts.schema import Object, Property
from dataops_lib.finding import Finding, Status

_WIDENED = {("int", "long"), ("float", "double")}


def validate_contracts(old: Contract, new: Contract) -> list[Finding]:
    """Judge a changed contract: what breaks its consumers or producers, and whom to tell.

    `fail` breaks: a table or column removed, a type changed, a column made required, another key.
    `warn` may surprise: a column no longer required, a type widened, checks added or dropped.
    Additions are `ok`. An empty list means that nothing changed.
    """
    findings: list[Finding] = []
    after = {table.name: table for table in new.schema_}
    for table in old.schema_:
        if table.name not in after:
            findings.append(_change(new, table.name, "fail", "the table was removed"))
            continue
        findings += _table_changes(new, table, after[table.name])
        findings += _check_changes(old, new, table.name)
    tables = {table.name for table in old.schema_}
    added = [name for name in after if name not in tables]
    findings += [_change(new, name, "ok", "the table was added") for name in added]
    breaking = any(finding.status == "fail" for finding in findings)
    if breaking and old.version.split(".")[0] == new.version.split(".")[0]:
        text = f"version is {new.version} after {old.version}, but the change breaks"
        findings.append(Finding("version", "fail", text, "Raise the major version"))
    return findings


def _table_changes(contract: Contract, old: Object, new: Object) -> Iterator[Finding]:
    after = {column.name: column for column in new.properties}
    for column in old.properties:
        subject = f"{old.name}.{column.name}"
        if column.name not in after:
            yield _change(contract, subject, "fail", "the column was removed")
            continue
        yield from _column_changes(contract, subject, column, after[column.name])
    columns = {column.name for column in old.properties}
    for name, column in after.items():
        if name not in columns:
            status: Status = "fail" if column.column.required else "ok"
            what = "a required column was added" if status == "fail" else "the column was added"
            yield _change(contract, f"{old.name}.{name}", status, what)
    if old.key != new.key:
        text = f"the key changed from ({', '.join(old.key)}) to ({', '.join(new.key)})"
        yield _change(contract, old.name, "fail", text)


def _column_changes(
    contract: Contract, subject: str, old: Property, new: Property
) -> Iterator[Finding]:
    types = (old.physical, new.physical)
    widened = old.logicalType == new.logicalType and types in _WIDENED
    said = (old.physicalType or old.logicalType, new.physicalType or new.logicalType)
    if old.logicalType != new.logicalType or (all(types) and types[0] != types[1]):
        status: Status = "warn" if widened else "fail"
        yield _change(contract, subject, status, f"the type changed from {said[0]} to {said[1]}")
    if new.column.required and not old.column.required:
        yield _change(contract, subject, "fail", "the column became required")
    elif old.column.required and not new.column.required:
        yield _change(contract, subject, "warn", "the column may now be empty")


def _check_changes(old: Contract, new: Contract, table: str) -> Iterator[Finding]:
    ignored = ("not_null(", "columns")
    before, after = (
        {check for check in checks(c, table) if not check.name.startswith(ignored)}
        for c in (old, new)
    )
    for check in sorted(after - before, key=lambda c: c.name):
        yield _change(new, f"{table}: {check.name}", "warn", "the check is new or changed")
    names = {check.name for check in after}
    for name in sorted(check.name for check in before - after if check.name not in names):
        yield _change(new, f"{table}: {name}", "warn", "the check was dropped")


def _change(contract: Contract, subject: str, status: Status, evidence: str) -> Finding:
    readers = ", ".join(contract.consumers) or "the consumers (the contract names none)"
    step = "Nothing to do" if status == "ok" else f"Tell {readers} before the change"
    return Finding(subject, status, evidence, step)
