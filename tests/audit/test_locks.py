"""SQL of a contract reads the audited rows and tables of the catalog, and nothing else.

Each guard was taken out once and the test behind it failed: the switches of DuckDB
(`test_nothing_of_the_machine_is_read`), their lock (`SET` among the attempts), and one statement
alone (`COPY`, `ATTACH`). The files are real: one beside the table, and one of another table.
"""

from __future__ import annotations

import lake
import pyarrow as pa
import pytest
from lake import NAME

from dataops_lib import audit, warehouse
from dataops_lib.audit.checks import Limit
from dataops_lib.warehouse import scan

ROWS = pa.table({"id": [1, 2], "secret": ["a", "b"]})
ATTEMPTS = [
    "SELECT content FROM read_text('{secret}')",
    "SELECT content FROM read_blob('{secret}')",
    "FROM read_csv('{secret}')",
    "FROM read_csv_auto('{secret}', header = false)",
    "FROM sniff_csv('{secret}')",
    "FROM '{secret}'",
    'FROM "{secret}"',
    "FROM read_json('{secret}')",
    "FROM read_json_objects('file://{secret}')",
    "FROM read_text('{folder}/../{folder_name}/secret.txt')",
    "FROM read_text('{folder}/secret.*')",
    "FROM glob('{folder}/*')",
    "FROM read_parquet('{other}')",
    "FROM parquet_metadata('{other}')",
    "FROM read_parquet('{folder}/**/*.parquet')",
    "FROM query('SELECT content FROM read_text(''{secret}'')')",
    "FROM query_table('{secret}')",
    "SELECT (SELECT content FROM read_text('{secret}')) FROM this",
    "WITH t AS (FROM read_text('{secret}')) SELECT content FROM t",
    "FROM read_text('/proc/self/environ')",
    "FROM read_csv('https://127.0.0.1:9/secret.csv')",
    "FROM duckdb_secrets()",
    "SELECT getenv('HOME')",
    "FROM secrets_of_python",
    "COPY this TO '{folder}/copy.csv'",
    "COPY (FROM this) TO '{folder}/copy.parquet'",
    "ATTACH '{folder}/catalog.db' AS stolen",
    "INSTALL httpfs",
    "LOAD '{secret}'",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "SELECT 1 WHERE false; SET lock_configuration = false",
    "EXPORT DATABASE '{folder}/all'",
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A table, another table's file, a secret beside them, and a Python variable."""
    folder = tmp_path_factory.mktemp("lake")
    catalog = lake.catalog(folder)
    table = warehouse.create_table(catalog, NAME, ROWS.schema)
    table.append(ROWS)
    other = warehouse.create_table(catalog, "hidden.salaries", ROWS.schema)
    other.append(pa.table({"id": [7], "secret": ["TOP SECRET"]}))
    secret = folder / "secret.txt"
    secret.write_text("TOP SECRET")
    [task] = scan.plan(other)
    places = {"secret": secret, "folder": folder, "folder_name": folder.name}
    return table, places | {"other": scan.local_path(task.file.file_path)}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_nothing_of_the_machine_is_read(machine, attempt):
    table, places = machine
    secrets_of_python = pa.table({"word": ["TOP SECRET"]})
    sql = attempt.format(**places)
    for check in (audit.no_rows(sql), audit.sql_value(sql, Limit())):
        [finding] = audit.run(table, [check])
        assert finding.status == "fail"
        assert "could not be judged" in finding.evidence
        assert "sample" not in finding.numbers
        assert "TOP SECRET" not in finding.evidence
    assert not [path for path in places["folder"].iterdir() if path.name.startswith("copy")]
    assert secrets_of_python.num_rows == 1


def test_what_sql_may_read_is_read_by_the_names_that_people_write(machine):
    table, _ = machine
    names = ["this", "THIS", NAME, "orders", "Orders", "hidden.salaries", '"marts"."orders"']
    counts = [
        audit.run(table, [audit.sql_value(f"SELECT count(*) FROM {name}", Limit())])[0]
        for name in names
    ]
    assert [finding.numbers["value"] for finding in counts] == [2, 2, 2, 2, 2, 1, 2]


def test_a_name_of_the_contract_stands_for_the_audited_rows(machine):
    table, _ = machine
    check = audit.no_rows("FROM sales.orders_v2 WHERE id > 2", own_names=("sales.orders_v2",))
    assert audit.run(table, [check])[0].status == "ok"


def test_a_table_of_the_same_namespace_needs_no_namespace(machine):
    table, _ = machine
    carriers = warehouse.create_table(table.catalog, "marts.keys", pa.schema([("id", pa.int64())]))
    carriers.append(pa.table({"id": [1]}))
    [finding] = audit.run(table, [audit.no_rows("FROM this WHERE id NOT IN (FROM keys)")])
    assert finding.numbers["failed"] == 1


def test_added_rows_are_what_this_means_in_a_check_of_added_rows(machine):
    table, _ = machine
    table.append(ROWS.slice(0, 1))
    checks = [audit.no_rows("FROM this", scope=scope) for scope in ("table", "added", "table")]
    assert [finding.numbers["failed"] for finding in audit.run(table, checks)] == [3, 1, 3]


def test_a_locked_database_still_spills_and_takes_more_memory(tmp_path):
    with warehouse.locked({}) as con:
        con.register("more", pa.table({"x": [1]}))
        assert con.execute("FROM more").fetchall() == [(1,)]
        assert con.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
