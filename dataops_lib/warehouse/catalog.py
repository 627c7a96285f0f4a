"""The catalog: open it, make a table in it, or open it so that it can only be read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Never

import pyarrow as pa
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from dataops_lib.errors import DataError

# pyiceberg copies all metadata on every commit: keep few old versions and few manifests.
TABLE_PROPERTIES = {
    "write.metadata.previous-versions-max": "5",
    "write.metadata.delete-after-commit.enabled": "true",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "8",
}


def open(team: Any) -> Catalog:
    """The team's catalog; `team.catalog` has a `name` and `properties`, nothing else is read.

    A SQL catalog keeps its rows under its name: only the team's file may say it.
    """
    return load_catalog(team.catalog.name, **dict(team.catalog.properties))


def create_table(
    catalog: Catalog,
    name: str,
    schema: Schema | pa.Schema,
    *,
    partition_spec: PartitionSpec = UNPARTITIONED_PARTITION_SPEC,
    properties: Mapping[str, str] | None = None,
) -> Table:
    """A new table, and its namespace, with the properties that keep nightly publishes fast."""
    catalog.create_namespace_if_not_exists(name.rpartition(".")[0])
    merged = TABLE_PROPERTIES | dict(properties or {})
    return catalog.create_table(name, schema, partition_spec=partition_spec, properties=merged)


SQLITE = "sqlite:///"


class ReadOnlyIO(PyArrowFileIO):
    """Files of a warehouse that others publish to: to be read, never written or removed."""

    def new_output(self, location: str) -> Never:
        """Refused, as every commit begins with it."""
        raise DataError(f"{_REFUSED} ({Path(location).name})")

    def delete(self, location: Any) -> Never:
        """Refused."""
        raise DataError(_REFUSED)


_REFUSED = "this warehouse is the team's own: exercises may read it. Write to ex.practice instead"
