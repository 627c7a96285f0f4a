"""Data contracts in the Open Data Contract Standard (ODCS), version 3.

    loads(text, file="contract.yaml") -> Contract    TeamError: all problems, each with its line
    checks(contract, table=None) -> list[Check]      what `write_audit_publish` is to check
    validate_contracts(old, new) -> list[Finding]    what a change breaks, and whom to tell

`tests/contracts/example_contract.yaml` is a complete contract to copy. Executed are the columns of
`schema` (logicalType, physicalType, physicalName, required, unique, primaryKey, enum,
logicalTypeOptions) and `quality` of types library, sql and custom with engine `dataops`.
`Contract.unsupported` names every other clause: text, other engines, formats, nested columns,
relationships, service levels. The latter never block a publish, because late data is not better
unpublished.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from dataops_lib import yaml_lines
from dataops_lib.audit.checks import Check, Column
from dataops_lib.contracts import clauses
from dataops_lib.contracts.rules import Unsupported
from dataops_lib.contracts.schema import Object, Part, Sla
from dataops_lib.errors import TeamError
from dataops_lib.yaml_lines import Located


class Contract(Part):
    """A contract as the file says it, checked against the standard's shape."""

    apiVersion: Annotated[str, Field(pattern=r"^v3\.\d+\.\d+$")]
    kind: Literal["DataContract"]
    id: str
    version: str
    status: str
    name: str | None = None
    domain: str | None = None
    dataProduct: str | None = None
    tenant: str | None = None
    schema_: Annotated[list[Object], Field(alias="schema", default_factory=list)]
    slaProperties: Annotated[list[Sla], Field(default_factory=list)]
    slaDefaultElement: str | None = None
    servers: Any = None
    team: Any = None
    roles: Any = None
    support: Any = None
    price: Any = None
    contractCreatedTs: Any = None

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of all tables that the contract is about."""
        return tuple(table.name for table in self.schema_)

    @property
    def table(self) -> str:
        """Name of the first table; of the contract itself where it has none."""
        return next(iter(self.tables), self.name or self.id)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of `table`."""
        return tuple(column.column for table in self.schema_[:1] for column in table.columns)

    @property
    def sla(self) -> tuple[Sla, ...]:
        """Service level promises."""
        return tuple(self.slaProperties)

    @property
    def consumers(self) -> tuple[str, ...]:
        """Who is to be told of a change: the custom property `consumers`."""
        named = self.custom("consumers") or []
        return tuple(named) if isinstance(named, list) else (str(named),)

    @property
    def clauses(self) -> list[clauses.Clause]:  # type: ignore[override]  # all of the file's
        """Every clause, with the check that runs it or why none does."""
        return list(clauses.clauses(self.schema_, self.slaProperties))

    @property
    def unsupported(self) -> tuple[str, ...]:
        """Clauses that nothing here executes, each named with the reason."""
        parts = (clause.part for clause in self.clauses)
        return tuple(dict.fromkeys(str(part) for part in parts if isinstance(part, Unsupported)))


def loads(text: str, file: str = "contract.yaml") -> Contract:
    """Read a contract.

    Raises
    ------
    TeamError
        With every problem of the file: unknown or missing keys, wrong types, rules without an
        operator, service levels without a unit, schedules that are no cron expressions. A file of
        another standard is named as such.
    """
    written = yaml_lines.loads(text, file)
    _refuse_others(written)
    contract = yaml_lines.validate(Contract, written)
    fix = "correct the rule; tests/contracts/example_contract.yaml shows each"
    problems = [
        written.problem(clause.path, str(clause.part), fix)
        for clause in contract.clauses
        if isinstance(clause.part, ValueError)
    ]
    if problems:
        raise TeamError(problems)
    return contract


def _refuse_others(written: Located) -> None:
    """Name a file of another standard, instead of each key that it does not have."""
    keys = written.data if isinstance(written.data, Mapping) else {}
    if "dataContractSpecification" in keys:
        kind = f"a Data Contract Specification {keys['dataContractSpecification']}"
        at = "dataContractSpecification"
    elif "dataset" in keys and "schema" not in keys:
        kind, at = "an ODCS contract of version 2", "dataset"
    else:
        return
    fix = "convert it, for example with `datacontract export --format odcs`"
    message = f"is {kind}; contracts are read from ODCS version 3 on"
    raise TeamError([written.problem((at,), message, fix)])


def checks(contract: Contract, table: str | None = None) -> list[Check]:
    """Checks of one table of the contract, its first without a name: schema, columns, rules.

    Raises
    ------
    KeyError
        If the contract is not about `table`.
    """
    name = table or contract.table
    if name not in contract.tables:
        raise KeyError(f"the contract {contract.id} is not about {name}")
    index = contract.tables.index(name)
    parts = (clause.part for clause in contract.clauses if clause.path[:2] == ("schema", index))
    return list(dict.fromkeys(part for part in parts if isinstance(part, Check)))
