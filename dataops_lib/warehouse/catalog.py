"""The catalog: open it, make a table in it, or open it so that it can only be read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Never, Protocol
from urllib.parse import unquote

import pyarrow as pa
from pyiceberg.catalog import AVAILABLE_CATALOGS, Catalog, CatalogType, infer_catalog_type
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


class Settings(Protocol):
    """Where a catalog is, as team.yaml says it."""

    @property
    def name(self) -> str:
        """A SQL catalog keeps its rows under it."""

    @property
    def properties(self) -> Mapping[str, str]:
        """As pyiceberg takes them."""


def open(catalog: Settings, *, create: bool = False) -> Catalog:
    """The catalog that `catalog` describes, and nothing else does.

    pyiceberg's own files and variables of this machine (`.pyiceberg.yaml`, `PYICEBERG_CATALOG__*`)
    are not merged in: they may hold secrets, and a team's file could send them to any address.

    Parameters
    ----------
    catalog : Settings
        A name and properties; only these are read.
    create : bool
        Make an SQL catalog that is not there yet; otherwise it is a mistake.

    Raises
    ------
    DataError
        If the file of an SQLite catalog is not there, or nothing says what kind of catalog it is.
    """
    properties = dict(catalog.properties)
    try:
        kind = CatalogType(properties["type"].lower()) if "type" in properties else None
        kind = kind or infer_catalog_type(catalog.name, dict(properties))
    except ValueError:
        kind = None
    if kind is None:
        known = ", ".join(sorted(kind.value for kind in AVAILABLE_CATALOGS))
        raise DataError(f"the catalog has no known type; write `type:` with one of {known}")
    if kind == CatalogType.SQL and not create:
        _require_file(properties.get("uri", ""))
        properties.setdefault("init_catalog_tables", "false")  # a reader makes nothing
    return AVAILABLE_CATALOGS[kind](catalog.name, properties)


def _require_file(uri: str) -> None:
    """Refuse an SQLite catalog whose file is not there; SQLite itself would make an empty one."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(uri)
    except ArgumentError:
        raise DataError("the `uri` of the SQL catalog is no address of a database") from None
    path = url.database
    if url.get_backend_name() != "sqlite" or path in (None, "", ":memory:"):
        return
    if path.startswith("file:"):  # an address of SQLite's own, such as one opened for reading only
        path = unquote(path.removeprefix("file:").partition("?")[0])
    if not Path(path).is_file():
        raise DataError(f"there is no SQLite catalog {path}; correct `uri:` of the catalog")


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
