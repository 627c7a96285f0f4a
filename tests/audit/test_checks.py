"""Checks as values, their SQL, and how what was measured is judged."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops_lib import audit
from dataops_lib import sql as sql_
from dataops_lib.audit import checks, verdicts
from dataops_lib.audit.checks import Column, Limit

AS_OF = datetime(2013, 2, 10, 6, 30, tzinfo=UTC)


def judged(check, **measured):
    return verdicts.judge(check, {"rows": 100} | measured)


def test_checks_are_values():
    assert audit.not_null("a") == audit.not_null("a")
    assert len({audit.unique("a"), audit.unique("a"), audit.unique("b")}) == 2


def test_a_failed_check_blocks_and_a_failed_warning_does_not():
    fails = judged(audit.not_null("a"), failed=1)
    warns = judged(audit.not_null("a", severity="warn"), failed=1)
    assert (fails.status, verdicts.blocks(fails)) == ("fail", True)
    assert (warns.status, verdicts.blocks(warns)) == ("warn", False)


def test_no_rows_are_unknown_and_not_a_passed_row_check():
    assert verdicts.judge(audit.not_null("a"), {"rows": 0, "failed": 0}).status == "unknown"


def test_an_error_in_a_check_is_a_failure_of_the_check():
    finding = judged(audit.unique("a"), error="no such column")
    assert finding.status == "fail"
    assert finding.evidence == "could not be judged: no such column"


def test_what_a_duplicate_count_counts_is_said():
    numbers = {"failed": 20, "keys": 10, "surplus": 10}
    finding = judged(audit.unique("id"), **numbers)
    assert finding.evidence == "20 of 100 rows share their id with another row (10 keys repeat)"
    assert finding.numbers["surplus"] == 10


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (timedelta(0), "ok"),
        (timedelta(hours=26), "ok"),
        (timedelta(hours=26, microseconds=1), "fail"),
        (timedelta(microseconds=-1), "fail"),
    ],
    ids=["now", "just within", "just too old", "in the future"],
)
def test_freshness_includes_its_limit_and_refuses_the_future(age, status):
    check = audit.fresh("loaded_at", timedelta(hours=26))
    assert judged(check, newest=AS_OF - age, as_of=AS_OF).status == status


def test_a_column_without_any_value_is_not_fresh():
    check = audit.fresh("loaded_at", timedelta(days=1))
    assert judged(check, newest=None, as_of=AS_OF).status == "fail"


@pytest.mark.parametrize(
    ("limit", "value", "of", "holds"),
    [
        (Limit("mustBe", (0,)), 0, 10, True),
        (Limit("mustBeLessThan", (5,), "percent"), 5, 100, False),
        (Limit("mustBeLessThan", (5,), "percent"), 4, 100, True),
        (Limit("mustBeBetween", (1, 3)), 3, 10, True),
        (Limit("mustNotBeBetween", (1, 3)), 3, 10, False),
        (Limit("mustBeGreaterOrEqualTo", (7,)), 7, 0, True),
        (Limit("mustBeLessThan", (1,), "percent"), 0, 0, True),
    ],
)
def test_limits_hold_as_the_contract_standard_says(limit, value, of, holds):
    assert limit.holds(value, of=of) is holds


@pytest.mark.parametrize("operator", checks.OPERATORS)
@pytest.mark.parametrize("value", [float("nan"), Decimal("NaN"), None, "abc", True])
def test_what_is_no_number_keeps_no_limit(operator, value):
    size = 2 if operator.endswith("Between") else 1
    assert not Limit(operator, (0, 1)[:size]).holds(value)


def test_a_query_whose_number_is_a_percentage_is_compared_as_it_is():
    check = audit.sql_value("SELECT 7", Limit("mustBeLessThan", (5,), "percent"))
    assert judged(check, value=7).status == "fail"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: audit.not_null("a", severity="error"), "severity is 'error'"),
        (lambda: audit.not_null("a", severity="Block"), "severity is 'Block'"),
        (lambda: audit.not_null("a", scope="new"), "scope is 'new'"),
        (lambda: audit.fresh("a", timedelta(1), limit=Limit("mustBe", (5,))), "takes no limit"),
        (lambda: audit.fresh("a", timedelta(0)), "must be a length of time"),
        (lambda: audit.columns(limit=Limit("mustBe", (5,))), "takes no limit"),
        (lambda: audit.columns(scope="added"), "takes no scope"),
        (lambda: audit.volume(limit=Limit("mustBe", (5,))), "takes no limit"),
        (lambda: audit.rows(Limit("mustBeLessThan", (5,), "percent")), "no percent"),
        (lambda: audit.unique(), "at least one column"),
        (lambda: audit.unique("a", "a"), "each once"),
        (lambda: audit.in_range("a", 2, 1), "above high"),
        (lambda: audit.in_range("a", float("nan")), "NaN"),
        (lambda: audit.in_range("a", 1, ends="]["), "ends is"),
        (lambda: audit.accepted("a", "paid"), "a list"),
        (lambda: Limit("mustBeAbout", (5,)), "operator is 'mustBeAbout'"),
        (lambda: Limit("mustBe", (5,), "share"), "unit is 'share'"),
        (lambda: Limit("mustBe", (1, 2)), "must be 1 number"),
        (lambda: Limit("mustBe", (None,)), "must be 1 number"),
        (lambda: Limit("mustBe", (float("nan"),)), "must be 1 number"),
        (lambda: Limit("mustBeBetween", (2, 1)), "the first is the greater"),
    ],
)
def test_a_word_or_option_that_would_make_a_check_weaker_is_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_an_unknown_zone_is_refused_when_the_check_is_made():
    with pytest.raises(LookupError):
        audit.fresh("a", timedelta(1), zone="Europe/Atlantis")


MORNING_IN_TOKYO = datetime(2013, 2, 10, 21, 30, tzinfo=UTC)  # 06:30 on the eleventh


@pytest.mark.parametrize(
    ("newest", "zone", "status"),
    [
        (date(2013, 2, 11), "Asia/Tokyo", "ok"),  # begun six hours ago
        (date(2013, 2, 12), "Asia/Tokyo", "fail"),
        (date(2013, 2, 10), "Asia/Tokyo", "fail"),  # its midnight is 30.5 hours ago
        (date(2013, 2, 11), "America/New_York", "fail"),  # not begun there
        (date(2013, 2, 11), None, "ok"),
        (date(2013, 2, 12), None, "fail"),  # not even on Kiritimati
        (datetime(2013, 2, 11, 6), "Asia/Tokyo", "ok"),
        (datetime(2013, 2, 11, 6), None, "fail"),  # a time without a zone is UTC
        (datetime(2013, 2, 10, 21, tzinfo=UTC), "Asia/Tokyo", "ok"),
    ],
)
def test_a_day_is_a_local_day(newest, zone, status):
    check = audit.fresh("day", timedelta(hours=24), zone=zone)
    assert judged(check, newest=newest, as_of=MORNING_IN_TOKYO).status == status


def test_one_third_of_a_percent_is_not_rounded_away():
    assert not Limit("mustBeLessOrEqualTo", (33,), "percent").holds(1, of=3)


# -- volume: the band of the weekday


def test_a_volume_like_the_past_weeks_is_ok_and_half_of_it_is_not():
    check = audit.volume([900, 910, 905, 895])
    assert judged(check, rows=880).status == "ok"
    assert judged(check, rows=450).status == "fail"


def test_no_rows_at_all_fail_without_any_history():
    assert judged(audit.volume([]), rows=0).status == "fail"


def test_three_weeks_are_too_few_to_judge():
    finding = judged(audit.volume([900, 910, 905]), rows=10)
    assert finding.status == "unknown"
    assert "3 past counts of this weekday are too few" in finding.evidence


def test_the_band_of_equal_counts_is_the_floor_times_the_score():
    low, high = verdicts.band([1000] * 6, audit.volume(score=5, floor=0.05))
    assert (round(low), round(high)) == (779, 1284)  # 1000 times exp of -0.25 and +0.25


@given(st.lists(st.integers(1, 10_000), min_size=4, max_size=12))
def test_the_median_of_the_past_is_always_inside_the_band(past):
    low, high = verdicts.band(past, audit.volume())
    ordered = sorted(past)
    middle = ordered[len(ordered) // 2]
    if len(past) % 2:
        assert low <= middle <= high
    assert 0 < low <= high


# -- SQL


@given(st.text(max_size=20))
def test_any_text_is_one_literal(text):
    if "\x00" in text:
        return
    [[found]] = duckdb.sql(f"SELECT {sql_.literal(text)}").fetchall()
    assert found == text


@given(st.text(min_size=1, max_size=20).filter(lambda text: "\x00" not in text))
def test_any_text_is_one_identifier(text):
    [column] = duckdb.sql(f"SELECT 1 AS {sql_.quoted(text)}").columns
    assert column == text


@pytest.mark.parametrize(
    "value",
    [True, 3, 2.5, Decimal("1.20"), date(2013, 2, 9), datetime(2013, 2, 9, 1, 2, 3), None],
)
def test_a_literal_means_the_value(value):
    [[found]] = duckdb.sql(f"SELECT {sql_.literal(value)}").fetchall()
    assert found == value


def counted(check, rows):
    """Failing rows that DuckDB counts for a row check over values of a column x."""
    con = duckdb.connect()
    con.execute("CREATE TEMP MACRO regexp_like(s, p) AS regexp_matches(s, p)")
    values = ", ".join(f"({row})" for row in rows)
    sql = checks.aggregates(check)["failed"]
    return con.execute(f"SELECT {sql} FROM (VALUES {values}) t(x)").fetchall()[0][0]


@pytest.mark.parametrize(
    ("check", "rows", "failing"),
    [
        (audit.not_null("x"), ["1", "NULL", "2"], 1),
        (audit.in_range("x", 0, 10), ["0", "10", "-1", "11", "NULL"], 2),
        (audit.in_range("x", low=0), ["'NaN'::DOUBLE", "1.0"], 1),
        (audit.in_range("x", high=0), ["'NaN'::DOUBLE", "-1.0"], 1),
        (audit.in_range("x", low=date(2013, 1, 1)), ["DATE '2012-12-31'", "DATE '2013-01-01'"], 1),
        (audit.accepted("x", ["a", "it's"]), ["'a'", "'it''s'", "'b'", "NULL"], 1),
        (audit.accepted("x", ["a", None]), ["'a'", "'b'", "NULL"], 1),
        (audit.accepted("x", [None]), ["'a'", "NULL"], 1),
        (audit.in_range("x", 0, 1, ends="()"), ["0", "1", "0.5", "NULL"], 2),
        (audit.in_range("x", low=0, ends="(]"), ["'NaN'::DOUBLE", "0.0", "1.0"], 2),
        (audit.matches("x", "[A-Z]{2}"), ["'UA'", "'UAX'", "'u'", "NULL"], 2),
        (audit.matches("x", "a|b"), ["'a'", "'ab'"], 1),
    ],
)
def test_row_checks_count_the_rows_that_fail(check, rows, failing):
    assert counted(check, rows) == failing


def test_a_range_needs_a_bound_and_a_list_a_value():
    with pytest.raises(ValueError, match="low, high or both"):
        audit.in_range("x")
    with pytest.raises(ValueError, match="at least one value"):
        audit.accepted("x", [])


def test_a_check_of_your_own_is_one_line():
    even = audit.row_check("even(x)", '"x" % 2 = 1', "have an odd x", "x")
    assert counted(even, ["1", "2", "3"]) == 2


def test_something_that_is_neither_check_nor_function_is_refused():
    with pytest.raises(TypeError, match="neither a check nor a function"):
        checks.as_check("not_null")


# -- schema


def test_a_schema_that_differs_is_described_column_by_column():
    expected = [Column("id", "integer"), Column("name", "string"), Column("at", "date")]
    actual = [
        Column("id", "string", physical="string"),
        Column("name", "string", physical="string"),
        Column("extra", "integer", physical="int"),
    ]
    assert verdicts.differences(expected, actual) == [
        "at is missing",
        "id is string, but the contract says integer",
        "extra is not in the contract",
    ]


def test_a_physical_type_is_compared_only_where_the_contract_names_one():
    actual = [Column("id", "integer", physical="long")]
    assert verdicts.differences([Column("id", "integer")], actual) == []
    narrower = Column("id", "integer", physical="int")
    assert verdicts.differences([narrower], actual) == ["id is long, but the contract says int"]
