"""What the tests of publishing share: checks, one publish, what a dead process leaves, bad luck."""

from collections import namedtuple

import lake
import pyarrow as pa
import pytest
from lake import NAME
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException

from dataops_lib import audit, wap

Result = namedtuple("Result", "passed message")
CHECKS = [
    audit.not_null("amount"),
    audit.unique("id"),
    audit.accepted("status", ["paid", "open"]),
]


def publish(catalog, data, checks=CHECKS, **options):
    return wap.write_audit_publish(data, NAME, checks, catalog=catalog, **options)


def stage_only(catalog, data, run_id, **options):
    """What a process leaves that died after the audit began."""

    class Died(BaseException):
        pass

    def die(data):
        raise Died

    with pytest.raises(Died):
        publish(catalog, data, [die], run_id=run_id, **options)


def stream(*tables: pa.Table) -> pa.RecordBatchReader:
    batches = [batch for table in tables for batch in table.to_batches()]
    return pa.RecordBatchReader.from_batches(lake.ORDERS, batches)


class Unlucky(SqlCatalog):
    """A catalog whose commits fail, or whose answers are lost, as often as `failures` says."""

    failures: list[str]

    def commit_table(self, table, requirements, updates):
        what = self.failures.pop(0) if self.failures else ""
        if what == "lost race":
            raise CommitFailedException("somebody was faster")
        answer = super().commit_table(table, requirements, updates)
        if what == "lost answer":
            raise CommitStateUnknownException("the connection broke")
        if what == "lost answer, said failed":
            raise CommitFailedException("an answer that lies")
        return answer


def unlucky(catalog, *failures):
    catalog.__class__ = Unlucky
    catalog.failures = list(failures)
    return catalog
