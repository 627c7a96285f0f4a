"""What data/flights/README.md says of the departures is what the file holds."""

import importlib.util
import re
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

FOLDER = Path(__file__).parents[2] / "data" / "flights"
PARQUET = FOLDER / "flights_2013.parquet"
README = (FOLDER / "README.md").read_text(encoding="utf-8")

COLUMN = re.compile(r"^\| `(\w+)` \| ([A-Z ]+) \| [^|]+ \| ([\d,]+) \| [^|]+ \|$", re.MULTILINE)
FIGURE = re.compile(r"^\| ([\d,.]+) \| ([^|]+) \| `([^`|]+)` \|$", re.MULTILINE)

VIEWS = f"""
CREATE VIEW flights AS SELECT *, flight_date
    + to_minutes(minutes(sched_dep_time) + dep_delay) AS departure FROM '{PARQUET.as_posix()}';
CREATE VIEW by_day AS SELECT flight_date, count(*) AS n,
    count(*) FILTER (dep_time IS NULL) AS cancelled FROM flights GROUP BY flight_date;
"""


@pytest.fixture(scope="module")
def database():
    with duckdb.connect() as connection:
        connection.execute("CREATE MACRO minutes(t) AS t // 100 * 60 + t % 100")
        connection.execute(VIEWS)
        yield connection


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("build_flights", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer(database: duckdb.DuckDBPyConnection, query: str):
    return database.execute(query).fetchone()[0]


def number(written: str) -> float:
    return float(written.replace(",", ""))


def test_no_row_of_the_readme_escapes_the_two_patterns():
    rows = [line for line in README.splitlines() if line.startswith("|")]
    heads = [line for line in rows if line.startswith(("| Column", "| Figure", "|---"))]
    assert len(rows) - len(heads) == len(COLUMN.findall(README)) + len(FIGURE.findall(README))
    assert len(FIGURE.findall(README)) > 30


@pytest.mark.parametrize(
    ("figure", "query"),
    [pytest.param(figure, query, id=claim) for figure, claim, query in FIGURE.findall(README)],
)
def test_each_figure_of_the_readme_is_what_its_query_finds(database, figure, query):
    assert answer(database, query) == pytest.approx(number(figure))


def test_the_readme_lists_the_columns_in_order_with_their_types_and_nulls(database):
    described = database.execute(f"DESCRIBE FROM '{PARQUET.as_posix()}'").fetchall()
    found = [
        (name, kind, answer(database, f"SELECT count(*) - count({name}) FROM flights"))
        for name, kind, *_ in described
    ]
    assert found == [(name, kind, number(nulls)) for name, kind, nulls in COLUMN.findall(README)]


def test_the_readme_names_every_carrier(database):
    codes = {
        code for (code,) in database.execute("SELECT DISTINCT carrier FROM flights").fetchall()
    }
    listed = README.split("Carriers:")[1].split(".")[0]
    assert {entry.split()[0] for entry in listed.split(",")} == codes


@pytest.mark.parametrize(
    ("question", "day"),
    [
        ("arg_max(flight_date, cancelled)", date(2013, 2, 8)),
        ("arg_min(flight_date, n)", date(2013, 11, 28)),
    ],
)
def test_the_days_that_the_readme_names_are_the_extreme_ones(database, question, day):
    assert answer(database, f"SELECT {question} FROM by_day") == day


def test_the_file_is_sorted_and_no_day_is_split_between_row_groups():
    file = pq.ParquetFile(PARQUET)
    groups = [file.read_row_group(i)["flight_date"] for i in range(file.num_row_groups)]
    days = [value for group in groups for value in group.to_pylist()]
    assert days == sorted(days)
    assert sum(len(group.unique()) for group in groups) == len(set(days)) == 365
    assert len(groups) == 12


def test_the_file_stays_small():
    assert 3_000_000 < PARQUET.stat().st_size < 6_000_000


def test_writing_the_same_rows_twice_gives_the_same_bytes(build, tmp_path):
    flights = pq.read_table(PARQUET).slice(22_000, 8_000)
    for name in ("one", "two"):
        build.write(flights, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert pq.read_table(tmp_path / "one").equals(flights)


def test_the_script_reads_na_as_null_and_adds_the_date(build):
    names = [name for name, _, _ in COLUMN.findall(README)][:-1]
    row = "2013,2,8,NA,1830,NA,NA,2015,NA,UA,1545,NA,EWR,IAH,NA,1400,18,30,2013-02-08T23:00:00Z"
    flights = build.table(f"{','.join(names)}\n{row}\n".encode())
    read = flights.to_pylist()[0]
    assert (read["dep_time"], read["tailnum"]) == (None, None)
    assert read["flight_date"] == date(2013, 2, 8)
    assert flights.schema.equals(pq.read_schema(PARQUET))


def test_the_rows_come_out_in_the_same_order_however_they_go_in(build):
    flights = pq.read_table(PARQUET).slice(0, 2_000).drop_columns("flight_date")
    shuffled = flights.take(pa.array(range(1_999, -1, -1)))
    assert build.table(as_csv(shuffled)).equals(build.table(as_csv(flights)))


def as_csv(table: pa.Table) -> bytes:
    frame = table.to_pandas()
    frame["time_hour"] = frame["time_hour"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return frame.to_csv(index=False, na_rep="NA", float_format="%.0f").encode()


@pytest.mark.deep
def test_the_package_still_gives_exactly_these_rows(build, tmp_path):
    fetched = build.table(build.csv_bytes(build.fetch(tmp_path)))
    assert fetched.equals(pq.read_table(PARQUET))
