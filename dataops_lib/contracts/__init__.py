"""Data contracts (ODCS): read, turned into checks, compared.

contract  data contracts in the Open Data Contract Standard (ODCS), version 3
schema    what a contract may say: tables, columns, rules, service levels
rules     quality rules of a data contract, turned into checks
clauses   every clause with the check that runs it, or why nothing runs it
changes   what a change of a contract breaks, and whom to tell
"""

from dataops_lib.contracts.changes import validate_contracts as validate_contracts
from dataops_lib.contracts.contract import Contract as Contract
from dataops_lib.contracts.contract import checks as checks
from dataops_lib.contracts.contract import loads as loads
