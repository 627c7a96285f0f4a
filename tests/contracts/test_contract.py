"""Data contracts: what is read, what is refused, what becomes a check, what a change breaks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from dataops_lib import audit, contracts
from dataops_lib.audit import checks as audit_checks
from dataops_lib.contracts import contract
from dataops_lib.errors import TeamError

TEXT = (Path(__file__).parent / "example_contract.yaml").read_text()


def changed(old, new, count=1):
    assert old in TEXT
    return TEXT.replace(old, new, count)


def problems(text):
    with pytest.raises(TeamError) as raised:
        contracts.loads(text, "c.yaml")
    return raised.value.problems


@pytest.fixture
def example():
    return contracts.loads(TEXT)


def named(found):
    return {check.name: check for check in contracts.checks(found)}


def test_the_example_is_read_and_names_what_is_not_executed(example):
    assert example.table == "fct_flights"
    assert example.consumers == ("delay-dashboard", "carrier-ranking")
    text, *levels = example.unsupported
    assert text == "fct_flights: rule 'text' is text for people"
    assert levels == [
        f"slaProperties: {name} is not measured from here; promise it in slos.yaml"
        for name in ("latency", "frequency", "retention", "timeOfAvailability")
    ]


def test_columns_carry_type_and_nullability(example):
    assert example.columns[0] == audit_checks.Column("flight_id", "integer", True, "long")
    assert [column.required for column in example.columns] == [True, True, True, True, False, False]


def test_a_primary_key_is_required_and_unique(example):
    checks = named(example)
    assert checks["not_null(flight_id)"] == audit.not_null("flight_id")
    assert checks["unique(flight_id)"] == audit.unique("flight_id")


def test_a_key_of_two_columns_is_unique_in_its_positions():
    text = changed("primaryKey: true", "primaryKey: true\n        primaryKeyPosition: 2").replace(
        "physicalType: DATE\n        required: true",
        "physicalType: DATE\n        primaryKey: true\n        primaryKeyPosition: 1",
    )
    checks = named(contracts.loads(text))
    assert checks["unique(flight_date, flight_id)"] == audit.unique("flight_date", "flight_id")
    assert "unique(flight_id)" not in checks


def test_every_kind_of_rule_becomes_a_check(example):
    checks = named(example)
    assert checks["columns"].fields == example.columns
    assert checks["matches(carrier)"].columns == ("carrier",)
    assert checks["invalidValues(origin)"].columns == ("origin",)
    assert checks["mostly flown"].severity == "warn"
    assert checks["mostly flown"].limit == audit_checks.Limit("mustBeLessThan", (90,), "percent")
    assert checks["rows of the day"].scope == "added"
    assert checks["one departure a number and day"].columns == ("flight_id", "flight_date")
    assert checks["no flight to itself"].sql == "SELECT count(*) FROM this WHERE distance_miles = 0"
    assert checks["volume of the weekday"] == audit.volume(weeks=8, name="volume of the weekday")
    assert checks["data of the day before"].within == timedelta(hours=54)
    assert not checks["dates are of this century"].value


def test_service_levels_are_read_and_are_no_checks(example):
    assert [promise.name for promise in example.sla] == [
        "latency", "frequency", "retention", "timeOfAvailability"
    ]  # fmt: skip
    assert example.sla[0].duration == timedelta(hours=26)
    assert example.sla[0].elements == ("fct_flights.flight_date",)
    assert not any("latency" in name for name in named(example))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("latency", timedelta(minutes=30)), ("retention", timedelta(days=900))],
)
def test_the_unit_m_is_minutes_but_months_for_retention(name, expected):
    assert contract.Sla(property=name, value=30, unit="m").duration == expected


def test_an_element_list_is_split():
    promise = contract.Sla(property="latency", value=4, unit="h", element="tab1.col1, tab2.col2")
    assert promise.elements == ("tab1.col1", "tab2.col2")


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("required: true", "requird: true", 27, "is not a known field"),
        ("kind: DataContract", "kind: DataProduct", 3, "DataProduct"),
        ("apiVersion: v3.1.0", "apiVersion: v2.2.2", 2, "v2.2.2"),
        ("logicalType: date\n", "logicalType: dat\n", 25, "dat"),
        ("metric: rowCount", "metric: rowCounts", 56, "metric is 'rowCounts'"),
        ("        mustBeGreaterOrEqualTo: 100\n", "", 56, "has no operator"),
        ("mustBeGreaterOrEqualTo: 100", "mustBeGreaterOrEqualTo: many", 56, "must be a number"),
        ("mustBeLessThan: 90\n", "mustBeLessThan: 90\n            mustBe: 1\n", 46, "2 operators"),
        ("unit: h,", "unit: q,", 85, "needs a number and a unit of time"),
        ('"30 6 * * *"', '"0 30 * * *"', 86, "not a cron schedule"),
        ('"07:00-05:00"', '"25:00-05:00"', 88, "time with a UTC offset"),
        ("within: 54h", "within: soon", 73, "'soon' is not a length of time"),
        ("check: volume, weeks: 8", "check: volumes", 69, "check is 'volumes'"),
        ("check: volume, weeks: 8", "check: volume, wekes: 8", 69, "does not take wekes"),
        ("- name: carrier\n", "- name: flight_date\n", 19, "flight_date stands twice"),
        ("value: added", "value: new", 56, "scope is 'new'"),
    ],
)
def test_a_mistake_is_named_with_its_line(old, new, line, says):
    [problem] = problems(changed(old, new))
    assert (problem.file, problem.line) == ("c.yaml", line)
    assert says in problem.message


def test_all_mistakes_of_a_contract_come_at_once():
    text = changed("unit: h,", "unit: q,").replace("required: true", "requird: true", 1)
    assert len(problems(text)) == 2


def test_what_is_not_yaml_is_named():
    [problem] = problems("schema: [\n")
    assert problem.file == "c.yaml"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("{type: custom, engine: soda, implementation: x}", "is for the engine soda"),
        ("{type: text, description: nice}", "is text for people"),
    ],
)
def test_rules_nobody_executes_are_named(rule, says):
    found = contracts.loads(
        changed("      - type: text\n", f"      - {rule}\n      - type: text\n")
    )
    assert any(says in part for part in found.unsupported)


def test_options_nobody_executes_are_named():
    found = contracts.loads(changed("{exclusiveMinimum: 0}", "{exclusiveMinimum: 0, format: f64}"))
    assert "distance_miles: logicalTypeOptions.format is not checked" in found.unsupported


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("{rule: duplicateCount, mustBe: 0}", audit.unique("x", name="duplicateValues(x)")),
        (
            "{rule: validValues, validValues: [1, 2]}",
            audit.accepted("x", [1, 2], name="invalidValues(x)"),
        ),
        ("{rule: nullCheck}", audit.not_null("x", name="nullValues(x)")),
    ],
)
def test_names_of_odcs_3_0_still_work(rule, expected):
    text = f"""
apiVersion: v3.0.2
kind: DataContract
id: t
version: 1.0.0
status: active
schema:
  - name: t
    properties:
      - {{name: x, logicalType: integer, quality: [{rule}]}}
"""
    assert expected in contracts.checks(contracts.loads(text))


# -- what a change breaks


def verdicts(text):
    found = contracts.validate_contracts(contracts.loads(TEXT), contracts.loads(text))
    return {(finding.subject, finding.status) for finding in found}


def test_an_unchanged_contract_has_no_findings():
    assert verdicts(TEXT) == set()


def test_int_to_varchar_breaks_and_names_whom_to_tell():
    text = changed(
        "logicalType: integer\n        physicalType: BIGINT",
        "logicalType: string\n        physicalType: VARCHAR",
    )
    found = contracts.validate_contracts(contracts.loads(TEXT), contracts.loads(text))
    assert found[0].subject == "fct_flights.flight_id"
    assert found[0].status == "fail"
    assert found[0].evidence == "the type changed from BIGINT to VARCHAR"
    assert found[0].next_step == "Tell delay-dashboard, carrier-ranking before the change"
    assert found[-1].subject == "version"


def test_a_breaking_change_with_a_new_major_version_keeps_its_finding_only():
    text = changed("version: 1.0.0", "version: 2.0.0").replace("- name: origin", "- name: from")
    subjects = {subject for subject, status in verdicts(text) if status == "fail"}
    assert subjects == {"fct_flights.origin", "fct_flights.from"}  # a new required column breaks


@pytest.mark.parametrize(
    ("old", "new", "subject", "status"),
    [
        ("- name: dep_time", "- name: dep", "fct_flights.dep_time", "fail"),
        ("physicalType: INTEGER", "physicalType: BIGINT", "fct_flights.dep_time", "warn"),
        (
            "physicalType: INTEGER",
            "physicalType: INTEGER\n        required: true",
            "fct_flights.dep_time",
            "fail",
        ),
        (
            "physicalType: DATE\n        required: true",
            "physicalType: DATE",
            "fct_flights.flight_date",
            "warn",
        ),
        ("maximum: 2400", "maximum: 2359", "fct_flights: in_range(dep_time)", "warn"),
        ("- name: fct_flights", "- name: fct_departures", "fct_flights", "fail"),
        ("primaryKey: true", "required: true", "fct_flights", "fail"),
    ],
    ids=[
        "column removed",
        "type widened",
        "made required",
        "no longer required",
        "check changed",
        "table removed",
        "key changed",
    ],
)
def test_changes_are_judged_by_what_they_break(old, new, subject, status):
    assert (subject, status) in verdicts(changed(old, new))


def test_a_new_optional_column_breaks_nobody():
    text = changed(
        "      - name: distance_miles",
        "      - {name: tailnum, logicalType: string}\n      - name: distance_miles",
    )
    assert verdicts(text) == {("fct_flights.tailnum", "ok")}
