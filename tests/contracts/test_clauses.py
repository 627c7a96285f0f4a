"""Every clause of a contract is a check or is named: what stands in the file is counted by hand.

`clauses_of` reads the raw YAML and knows only what the standard calls documentation; nothing of
the library takes part. Contracts are written at random from all fields of ODCS 3.0 to 3.2.
"""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from open_data_contract_standard import model as odcs

from dataops_lib import contracts
from dataops_lib.audit.checks import Check, SqlCheck
from dataops_lib.contracts import schema
from dataops_lib.contracts.rules import Unsupported
from dataops_lib.errors import TeamError

DOCUMENTATION = """id name description tags businessName authoritativeDefinitions customProperties
    deprecated synonyms context classification criticalDataElement encryptedName examples
    transformLogic transformDescription transformSourceObjects semanticType dimension severity
    method businessImpact schedule scheduler dataGranularityDescription physicalName
    primaryKeyPosition partitionKeyPosition"""


def clauses_of(raw):
    """Paths of all clauses of a parsed file, down to the field that says something."""
    for number, table in enumerate(raw.get("schema", [])):
        at = ("schema", number)
        for index, column in enumerate(table.get("properties", [])):
            yield (*at, "properties", index, "name")
            yield from _fields((*at, "properties", index), column)
        rules = {"quality": table.get("quality", []), "relationships": table.get("relationships")}
        yield from _fields(at, rules)
    for number, _ in enumerate(raw.get("slaProperties", [])):
        yield ("slaProperties", number)


def _fields(at, part):
    documentation = DOCUMENTATION.split()
    for field, value in part.items():
        if field in documentation or value is None or value is False or value in ([], {}, ""):
            continue
        if field in ("logicalTypeOptions", "arguments"):
            yield from _fields((*at, field), value)
        elif field == "quality":
            for position, rule in enumerate(value):
                yield from _fields((*at, field, position), rule)
        else:
            yield (*at, field)


def accounts(text):
    """Check the books of a contract: each clause once a check, or named; nothing else."""
    agreed = contracts.loads(text)
    booked = {}
    for clause in agreed.clauses:
        booked.setdefault(clause.path, []).append(clause.part)
    for path in clauses_of(yaml.safe_load(text)):
        covered = [p for n in range(len(path) + 1) if (p := path[:n]) in booked]
        assert covered, f"{path} is neither a check nor named"
    made = [c for name in agreed.tables for c in contracts.checks(agreed, name)]
    parts = [part for parts in booked.values() for part in parts]
    assert all(isinstance(part, Check | Unsupported) for part in parts)
    assert {part for part in parts if isinstance(part, Check)} == set(made)
    named = {str(part) for part in parts if isinstance(part, Unsupported)}
    assert named == set(agreed.unsupported)
    return agreed


HEAD = {
    "apiVersion": "v3.2.0", "kind": "DataContract", "id": "t", "version": "1.0.0",
    "status": "active",
}  # fmt: skip


def contract_of(*columns, **table):
    """Text of a contract with these columns."""
    tables = [{"name": "t", "properties": list(columns)} | table]
    return yaml.safe_dump(HEAD | {"schema": tables}, allow_unicode=True)


numbers, words = st.integers(-3, 3), st.text("abé$'\"{}", max_size=3)
OPTIONS = {
    "minimum": numbers.filter(lambda n: n <= 0), "maximum": st.integers(0, 3),
    "exclusiveMinimum": numbers, "exclusiveMaximum": numbers, "minLength": st.integers(0, 2),
    "maxLength": st.integers(0, 9), "pattern": st.sampled_from(["a|b", "[A-Z]{2}"]),
    "format": words, "multipleOf": numbers, "timezone": st.booleans(),
    "defaultTimezone": st.just("Asia/Tokyo"), "minItems": numbers, "uniqueItems": st.booleans(),
    "maxProperties": numbers, "required": st.just(["a"]), "dimensions": numbers,
}  # fmt: skip
LIMIT = st.sampled_from(
    [{"mustBe": 0}, {"mustBeLessThan": 5, "unit": "percent"}, {"mustBeBetween": [0, 3]}]
)
ARGUMENTS = {
    "missingValues": st.lists(st.none() | numbers | words, max_size=3),
    "validValues": st.lists(st.none() | numbers | words, min_size=1, max_size=3),
    "pattern": st.just("a.*"), "properties": st.just(["v"]), "tolerance": numbers,
}  # fmt: skip
RULE_EXTRAS = {
    "query": st.just("SELECT 1"), "engine": words, "implementation": words, "name": words,
    "validValues": st.just([1, None]), "severity": words, "dimension": st.just("accuracy"),
    "schedule": words,
}  # fmt: skip
LIBRARY = st.sampled_from(["nullValues", "missingValues", "invalidValues", "duplicateValues"])


@st.composite
def rules(draw):
    kind = draw(st.sampled_from(["library", "open", "sql", "text", "custom", "foreign unit"]))
    extras = draw(st.fixed_dictionaries({}, optional=RULE_EXTRAS)) | draw(LIMIT)
    if kind == "library":
        given = draw(st.fixed_dictionaries({}, optional=ARGUMENTS)) | {"validValues": [1]}
        return extras | {"metric": draw(LIBRARY), "arguments": given}
    if kind == "open":
        return extras | {"rule": "countCheck", "arguments": {"threshold": 0}}
    if kind == "sql":
        return extras | {"type": "sql", "query": "SELECT count(*) FROM ${schema}.${object}"}
    if kind == "foreign unit":
        return extras | {"metric": "nullValues", "unit": "EUR"}
    return extras | {"type": kind, "engine": "soda"}


COLUMN = {
    "logicalType": st.sampled_from(["string", "integer", "number", "timestamp", "map", "vector"]),
    "physicalType": st.sampled_from(
        ["VARCHAR(3)", "bigint", "money", "BINARY(16)", "decimal(9,2)", "TIMESTAMP"]
    ),
    "physicalName": st.just("v_1"), "required": st.booleans(), "unique": st.booleans(),
    "primaryKey": st.booleans(), "partitioned": st.booleans(), "examples": st.just([1]),
    "logicalTypeOptions": st.fixed_dictionaries({}, optional=OPTIONS),
    "enum": st.just([{"value": "a", "label": "A"}, {"value": None}]),
    "relationships": st.just([{"to": "other.id"}]), "quality": st.lists(rules(), max_size=3),
    "items": st.just({"logicalType": "string"}), "properties": st.just([{"name": "x"}]),
    "map": st.just({"key": {}, "value": {}}), "deprecated": st.booleans(),
    "semanticType": st.sampled_from(["column", "measure", "dimension"]), "classification": words,
    "synonyms": st.just([{"synonym": "w"}]), "context": words, "partitionKeyPosition": numbers,
}  # fmt: skip
columns = st.fixed_dictionaries({"name": st.just("v")}, optional=COLUMN)


@settings(max_examples=40, deadline=None)
@given(column=columns, table_rules=st.lists(rules(), max_size=2), related=st.booleans())
def test_every_clause_is_a_check_or_is_named(column, table_rules, related):
    of_table = [rule for rule in table_rules if rule.get("metric") in (None, "duplicateValues")]
    for rule in of_table:
        rule.setdefault("arguments", {})["properties"] = ["v"]
    table = {"quality": of_table, "relationships": [{"from": "a", "to": "b"}] if related else None}
    accounts(contract_of(column, {"name": "w", "logicalType": "string"}, **table))


@pytest.mark.deep
@settings(max_examples=2000, deadline=None)
@given(column=columns, table_rules=st.lists(rules(), max_size=2), related=st.booleans())
def test_every_clause_is_a_check_or_is_named_2000_times(column, table_rules, related):
    test_every_clause_is_a_check_or_is_named.hypothesis.inner_test(column, table_rules, related)


def test_the_complete_example_and_the_teams_own_contracts_balance():
    from pathlib import Path

    root = Path(__file__).parents[2]
    files = [root / "tests/contracts/example_contract.yaml", *root.glob("data/teams/*/contracts/*")]
    assert len(files) > 3
    for file in files:
        accounts(file.read_text(encoding="utf-8"))


# -- the standard's own model as the oracle of names


@pytest.mark.parametrize(
    ("ours", "standard"),
    [
        (contracts.Contract, odcs.OpenDataContractStandard), (schema.Object, odcs.SchemaObject),
        (schema.Property, odcs.SchemaProperty), (schema.Rule, odcs.DataQuality),
        (schema.Sla, odcs.ServiceLevelAgreementProperty),
    ],
)  # fmt: skip
def test_every_field_of_the_standard_is_known(ours, standard):
    def names(model):
        return {field.alias or name for name, field in model.model_fields.items()}

    assert names(standard) <= names(ours)


def test_a_contract_of_the_standards_own_model_is_read():
    table = odcs.SchemaObject(
        name="t",
        deprecated=True,
        properties=[
            odcs.SchemaProperty(
                name="v", logicalType="string", enum=[odcs.EnumValue(value="a", label="A")],
                synonyms=[odcs.Synonym(synonym="w")], semanticType="dimension",
                relationships=[odcs.Relationship(to="other.id")],
            )
        ],
    )  # fmt: skip
    text = odcs.OpenDataContractStandard(**HEAD, schema=[table], context="what it is for").to_yaml()
    agreed = accounts(text)
    assert [check.name for check in contracts.checks(agreed)] == ["columns", "enum(v)"]


# -- what was silent


def checks_of(*columns, **table):
    agreed = accounts(contract_of(*columns, **table))
    return agreed, {check.name: check for check in contracts.checks(agreed)}


def test_a_bound_of_zero_is_a_bound():
    _, checks = checks_of({"name": "v", "logicalTypeOptions": {"exclusiveMinimum": 0}})
    assert "exclusiveMinimum(v)" in checks


def test_a_switch_of_odcs_3_0_makes_the_bound_exclusive():
    options = {"minimum": 0, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": False}
    _, checks = checks_of({"name": "v", "logicalTypeOptions": options})
    assert checks["in_range(v)"].says == "have v outside (0, 9]"
    with pytest.raises(TeamError, match="there is no minimum"):
        contracts.loads(
            contract_of({"name": "v", "logicalTypeOptions": {"exclusiveMinimum": True}})
        )


def test_a_length_of_the_physical_type_is_checked():
    _, checks = checks_of({"name": "v", "physicalType": "varchar(3)"})
    assert checks["physicalType(v)"].failing == 'length("v") > 3'


def test_the_zone_of_a_timestamp_is_a_type_of_the_table():
    for zone, kind in ((True, "timestamptz"), (False, "timestamp")):
        options = {"timezone": zone}
        column = {"name": "v", "logicalType": "timestamp", "logicalTypeOptions": options}
        agreed, _ = checks_of(column)
        assert agreed.columns[0].physical == kind


def test_values_and_a_pattern_must_both_hold():
    arguments = {"validValues": ["a", None, "b"], "pattern": "a"}
    rule = {"metric": "invalidValues", "mustBe": 0, "arguments": arguments}
    _, checks = checks_of({"name": "v", "quality": [rule]})
    assert "NOT IN ('a', 'b')" in checks["invalidValues(v)"].failing
    assert "regexp" in checks["invalidValues(v)"].failing


def test_a_table_may_be_called_by_its_names_in_sql():
    rule = {"type": "sql", "query": "SELECT count(*) FROM {schema}.{object}", "mustBe": 0}
    _, checks = checks_of({"name": "v"}, quality=[rule], physicalName="sales.t_1")
    assert isinstance(checks["sql"], SqlCheck)
    assert checks["sql"].sql == "SELECT count(*) FROM this"
    assert checks["sql"].own_names == ("t", "sales.t_1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dataContractSpecification: 1.1.0\nid: x\n", "is a Data Contract Specification 1.1.0"),
        ("apiVersion: v2.2.2\ndataset: []\n", "an ODCS contract of version 2"),
    ],
)
def test_a_file_of_another_standard_is_named(text, says):
    with pytest.raises(TeamError) as error:
        contracts.loads(text, "c.yaml")
    [problem] = error.value.problems
    assert says in problem.message


@pytest.mark.parametrize(
    "more",
    [
        {"schema": []},
        {"slaProperties": [{"property": "retention", "value": "forever"}]},
        {"slaProperties": [{"property": "latency", "value": "PT4H"}]},
        {"slaProperties": [{"property": "frequency", "value": 1, "schedule": "0 0 6 * * ?"}]},
        {"slaProperties": [{"property": "timeOfAvailability", "value": "nine o'clock"}]},
    ],
)
def test_what_is_valid_and_not_understood_is_named_and_not_refused(more):
    text = yaml.safe_dump(yaml.safe_load(contract_of({"name": "v"})) | more)
    assert accounts(text).unsupported or "schema" in more


def test_a_column_without_any_type_is_looked_for_and_not_compared():
    agreed, checks = checks_of({"name": "v"})
    assert list(checks) == ["columns"]
    assert (agreed.columns[0].type, agreed.columns[0].physical) == (None, None)


def test_a_contract_of_two_tables_has_checks_for_each():
    text = yaml.safe_dump(
        HEAD
        | {"schema": [{"name": n, "properties": [{"name": "v", "unique": True}]} for n in "ab"]}
    )
    agreed = accounts(text)
    assert agreed.tables == ("a", "b")
    assert len(contracts.checks(agreed, "b")) == 2
    with pytest.raises(KeyError, match="not about c"):
        contracts.checks(agreed, "c")
