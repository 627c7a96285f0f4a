"""Soda 4 on the same files, in Soda's own environment: `python soda_case.py FILES.json`."""

import json
import logging
import re
import sys
import tempfile
import time
from pathlib import Path

import duckdb
from soda_core.contracts import verify_contract_locally
from soda_duckdb import DuckDBDataSource

CONTRACT = """
dataset: duckdb/main/orders
columns:
  - name: order_id
    checks:
      - missing:
      - duplicate:
  - name: customer_id
    checks:
      - missing:
  - name: amount
    checks:
      - missing:
      - invalid: {valid_min: 0, valid_max: 10000}
  - name: status
    checks:
      - invalid: {valid_values: [open, paid, shipped, returned]}
  - name: ordered_at
checks:
  - row_count: {threshold: {must_be_greater_than: 1000}}
  - freshness: {column: ordered_at, threshold: {must_be_less_than: 9000000}}
"""


def main() -> None:
    """Verify the contract and print what it took."""
    logging.disable(logging.CRITICAL)
    files = json.loads(Path(sys.argv[1]).read_text())
    with tempfile.TemporaryDirectory() as folder:
        contract = Path(folder, "contract.yml")
        contract.write_text(CONTRACT)
        started, cpu = time.perf_counter(), time.process_time()
        con = duckdb.connect()
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"CREATE VIEW orders AS SELECT * FROM read_parquet({files!r})")
        source = DuckDBDataSource.from_existing_cursor(con.cursor(), name="duckdb")
        result = verify_contract_locally(data_sources=[source], contract_file_path=str(contract))
        took = {"check_s": time.perf_counter() - started, "check_cpu_s": time.process_time() - cpu}
    assert result.is_passed, result.get_errors_str()
    peak = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    print(json.dumps(took | {"peak_mb": int(peak[1]) / 1024}))


if __name__ == "__main__":
    main()
