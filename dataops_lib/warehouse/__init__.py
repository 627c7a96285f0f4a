"""Iceberg tables: opened, read by DuckDB, known by their metadata.

types     what one type is called in Iceberg, in DuckDB and in a data contract
catalog   the catalog: open it, make a table in it, or open it so that it can only be read
scan      how a snapshot of an Iceberg table becomes rows that DuckDB can query
metadata  what a table's own metadata tells: publishes, landings, counts, the newest record
"""

from dataops_lib.warehouse.catalog import create_table as create_table
from dataops_lib.warehouse.catalog import open as open
from dataops_lib.warehouse.metadata import landings as landings
from dataops_lib.warehouse.scan import ask as ask
from dataops_lib.warehouse.scan import locked as locked
from dataops_lib.warehouse.scan import rows_of as rows_of
from dataops_lib.warehouse.scan import view as view
