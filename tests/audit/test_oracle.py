"""The verdict of each kind of check against plain Python, over random rows.

The oracle loops over Python values with the words of the docstrings and knows nothing of SQL:
NULL passes, but for `not_null`; NaN lies in no range; a key with a NULL is no key; a day is the
day of its zone.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataops_lib import audit
from dataops_lib.audit import verdicts
from dataops_lib.audit.checks import Limit
from dataops_lib.audit.measure import Views, _complete, _fused
from dataops_lib.warehouse import scan

AS_OF = datetime(2013, 2, 10, 21, 30, tzinfo=UTC)
DOUBLES = st.sampled_from([0.0, -0.0, 1.5, -7.25, math.nan, math.inf, -math.inf, 1e300])
TEXTS = st.sampled_from(["", "a", "b", "null", "NULL", "é", "a b", "ab\n", "'", "日本", "-999"])
DAYS = st.dates(date(2013, 2, 8), date(2013, 2, 13))
ROWS = st.fixed_dictionaries({
    "i": st.none() | st.integers(-3, 3), "x": st.none() | DOUBLES, "s": st.none() | TEXTS,
    "d": st.none() | DAYS,
})  # fmt: skip
SCHEMA = pa.schema([("i", pa.int64()), ("x", pa.float64()), ("s", pa.string()), ("d", pa.date32())])


def same(one, other):
    """Equal as SQL's IN compares: NaN is NaN, zero has no sign."""
    both = isinstance(one, float) and isinstance(other, float)
    return one == other or (both and math.isnan(one) and math.isnan(other))


def outside(value, low, high, ends):
    if value is None:
        return False
    if isinstance(value, float) and math.isnan(value):
        return True
    below = low is not None and (value < low if ends[0] == "[" else value <= low)
    above = high is not None and (value > high if ends[1] == "]" else value >= high)
    return below or above


def shared(rows, columns):
    """Rows whose key stands in another row as well."""
    keys = [tuple("nan" if v != v else v for v in (r[c] for c in columns)) for r in rows]
    counts = Counter(key for key in keys if None not in key)
    return sum(count for count in counts.values() if count > 1)


@st.composite
def judgements(draw):
    """A check, and what it must count among rows."""
    kind = draw(st.sampled_from(["null", "range", "days", "values", "text", "unique", "pair"]))
    col = draw(st.sampled_from("ixsd"))
    if kind == "null":
        return audit.not_null(col), lambda rows: sum(r[col] is None for r in rows)
    if kind in ("range", "days"):
        col, bounds = (
            ("d", DAYS) if kind == "days" else (draw(st.sampled_from("ix")), st.integers(-3, 3))
        )
        low, high = sorted((draw(bounds), draw(bounds)))
        low, high = draw(st.sampled_from([(low, None), (None, high), (low, high)]))
        ends = draw(st.sampled_from(["[]", "(]", "[)", "()"]))
        check = audit.in_range(col, low, high, ends=ends)
        return check, lambda rows: sum(outside(r[col], low, high, ends) for r in rows)
    if kind == "values":
        col, pool = draw(st.sampled_from([("i", st.integers(-3, 3)), ("x", DOUBLES), ("s", TEXTS)]))
        values = draw(st.lists(st.none() | pool, min_size=1, max_size=4))

        def others(rows):
            kept = [v for v in values if v is not None]
            return sum(r[col] is not None and not any(same(r[col], v) for v in kept) for r in rows)

        return audit.accepted(col, values), others
    if kind == "text":
        regex = draw(st.sampled_from(["a|b", "[a-z]*", "", ".", "\\w+", "(?i)NULL", "-?\\d+"]))
        ascii_only = re.compile(regex, re.ASCII)
        return audit.matches("s", regex), lambda rows: sum(
            r["s"] is not None and not ascii_only.fullmatch(r["s"]) for r in rows
        )
    columns = (col,) if kind == "unique" else ("i", draw(st.sampled_from("xsd")))
    return audit.unique(*columns), lambda rows: shared(rows, columns)


def judged(checks, rows):
    """Findings of the checks over `rows`, measured as an audit does, without a table."""
    with scan.connect() as con:
        con.register("rows_of_table", pa.Table.from_pylist(rows, schema=SCHEMA))
        views = Views(SimpleNamespace(), con, {})
        measured = _fused(views, checks, {})
        return [verdicts.judge(c, _complete(views, c, measured[c], None)) for c in checks]


def compare(rows, pairs):
    checks = list(dict(pairs))
    counts = [dict(pairs)[check](rows) for check in checks]
    for check, finding, failed in zip(checks, judged(checks, rows), counts, strict=True):
        assert "error" not in finding.numbers, (check, finding.evidence)
        assert finding.numbers["failed"] == failed, (check, finding.evidence)
        unknown = not rows and not isinstance(check, type(audit.unique("i")))
        assert finding.status == ("unknown" if unknown else "fail" if failed else "ok")


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(ROWS, max_size=8), pairs=st.lists(judgements(), min_size=6, max_size=6))
def test_300_judgements_are_those_of_plain_python(rows, pairs):
    compare(rows, pairs)


@pytest.mark.deep
@settings(max_examples=2000, deadline=None)
@given(rows=st.lists(ROWS, max_size=8), pairs=st.lists(judgements(), min_size=10, max_size=10))
def test_20_000_judgements_are_those_of_plain_python(rows, pairs):
    compare(rows, pairs)


@settings(max_examples=50, deadline=None)
@given(
    failed=st.integers(0, 20), more=st.integers(0, 20), edge=st.integers(0, 100),
    unit=st.sampled_from(["rows", "percent"]),
)  # fmt: skip
def test_a_limit_is_held_exactly(failed, more, edge, unit):
    total = failed + more
    measured = failed * 100 <= edge * total if unit == "percent" else failed <= edge
    assert Limit("mustBeLessOrEqualTo", (edge,), unit).holds(failed, of=total) == measured


@given(newest=DAYS, hours=st.integers(1, 72), zone=st.sampled_from(["Asia/Tokyo", "UTC"]))
def test_a_day_is_fresh_by_the_clock_of_its_zone(newest, hours, zone):
    offset = timedelta(hours=9 if zone == "Asia/Tokyo" else 0)
    begins = datetime(newest.year, newest.month, newest.day, tzinfo=UTC) - offset
    age = AS_OF - begins
    expected = timedelta(0) <= age <= timedelta(hours=hours)
    check = audit.fresh("d", timedelta(hours=hours), zone=zone)
    finding = verdicts.judge(check, {"rows": 1, "newest": newest, "as_of": AS_OF})
    assert finding.status == ("ok" if expected else "fail")
