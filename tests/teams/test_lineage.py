"""Lineage is what the SELECTs say, parsed by the engine that runs them."""

import time
from graphlib import CycleError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops_lib.errors import TeamError
from dataops_lib.teams import lineage


def folder(tmp_path, **models):
    for name, sql in models.items():
        pipeline, _, model = name.partition("__")
        path = tmp_path / "pipelines" / pipeline / f"{model}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sql, encoding="utf-8")
    return tmp_path / "pipelines"


def problems_of(pipelines):
    with pytest.raises(TeamError) as caught:
        lineage.read(pipelines)
    return caught.value.problems


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT * FROM raw.orders", ("raw.orders",)),
        ("SELECT 1", ()),
        ("FROM a", ("a",)),
        ("SELECT * FROM a, b JOIN c USING (id)", ("a", "b", "c")),
        ("SELECT * FROM a WHERE id IN (SELECT id FROM b)", ("a", "b")),
        ("SELECT (SELECT max(x) FROM b) FROM a", ("a", "b")),
        ("WITH x AS (SELECT * FROM a) SELECT * FROM x", ("a",)),
        ("WITH x AS (SELECT * FROM a), y AS (FROM x) SELECT * FROM y, b", ("a", "b")),
        ("SELECT * FROM a UNION ALL SELECT * FROM b", ("a", "b")),
        ("SELECT * FROM 'file.parquet'", ("file.parquet",)),
        ("SELECT * FROM read_parquet('a.parquet')", ("a.parquet",)),
        ("FROM read_csv(['a.csv', 'b.csv'], delim = ';')", ("a.csv", "b.csv")),
        ("FROM range(5)", ()),
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", ("a",)),
        ("WITH x AS (FROM a) SELECT * FROM X JOIN B USING (id)", ("B", "a")),
        ("WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) FROM r", ()),
        ("SELECT * FROM (WITH x AS (FROM a) FROM x), x", ("a", "x")),
        ('SELECT * FROM "db"."marts"."a"', ("db.marts.a",)),
        ("SELECT TOP 5 * FROM [dbo].[a]", ("dbo.a",)),
        ("SELECT * FROM `p.d.a`", ("p.d.a",)),
        ("SELECT a.x:y::string FROM a, LATERAL FLATTEN(input => a.z)", ("a",)),
        ('SELECT * FROM "odd name"', ("odd name",)),
        ("SELECT * FROM a -- JOIN b\n", ("a",)),
        ("SELECT 'FROM b' FROM a;", ("a",)),
        ("SELECT * FROM (SELECT * FROM (SELECT * FROM deep))", ("deep",)),
    ],
)
def test_the_tables_of_a_select(sql, tables):
    assert lineage.inputs(sql) == tables


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "-- nothing\n",
        "SELECT 1; SELECT 2",
        "DROP TABLE a",
        "INSERT INTO a SELECT 1",
        "CREATE TABLE a AS SELECT 1",
        "COPY a TO 'x.csv'",
        "SELEC 1",
        "not sql at all",
        "SELECT '",
    ],
)
def test_what_is_not_exactly_one_select_is_refused(sql):
    with pytest.raises(ValueError, match=r"is not one SELECT|holds [02] statements"):
        lineage.inputs(sql)


def test_the_models_of_the_two_example_teams_form_the_chains_of_their_pages():
    from conftest import CLONE

    flights = lineage.read(CLONE / "data/teams/flights/pipelines")
    assert flights["stg.flights"] == ("raw.flights",)
    assert flights["fct_flights"] == ("stg.flights",)
    assert lineage.downstream(flights, "raw.flights") == (
        "stg.flights",
        "fct_flights",
        "fct_carrier_delays",
        "fct_daily_departures",
    )
    orders = lineage.read(CLONE / "data/teams/orders/pipelines")
    assert lineage.order(orders) == [
        "raw_event_logs",
        "stg_orders",
        "fct_orders",
        "fct_daily_revenue",
        "marketing_attribution",
    ]
    assert lineage.downstream(orders, "raw.orders")[:2] == ("stg_orders", "fct_orders")
    assert "raw_event_logs" not in lineage.downstream(orders, "raw.orders")


def test_all_mistakes_of_all_models_are_told_at_once_with_their_files(tmp_path):
    found = problems_of(folder(tmp_path, p__a="DROP TABLE x", p__b="SELECT 1; SELECT 2"))
    assert [problem.file for problem in found] == ["pipelines/p/a.sql", "pipelines/p/b.sql"]
    assert "is not one SELECT" in found[0].message
    assert "holds 2 statements" in found[1].message


def test_an_input_is_the_model_of_its_name_whatever_its_case_and_schema(tmp_path):
    pipelines = folder(tmp_path, p__stg="FROM raw.x", p__fct='FROM "DB"."Marts"."STG", stg.y')
    assert lineage.read(pipelines) == {"stg": ("raw.x",), "fct": ("stg", "stg.y")}


def test_jinja_is_named_with_what_to_give_in_its_place(tmp_path):
    (found,) = problems_of(folder(tmp_path, p__a="SELECT * FROM {{ ref('b') }} {% if x %}"))
    assert "it holds Jinja; give what the tool compiled" in found.message


def test_1500_chained_models_are_read_and_followed_in_seconds(tmp_path):
    names = [f"m{number}" for number in range(1500)]
    chain = {f"p__{name}": f"FROM m{n - 1}" for n, name in enumerate(names) if n}
    started = time.monotonic()
    found = lineage.read(folder(tmp_path, **chain))
    assert lineage.downstream(found, "m0") == tuple(names[1:])
    assert time.monotonic() - started < 10


def test_a_select_that_is_nested_too_deeply_is_a_problem(tmp_path):
    (found,) = problems_of(folder(tmp_path, p__a="SELECT " + "(" * 5000 + "1" + ")" * 5000))
    assert "nested too deeply" in found.message


def test_a_link_out_of_the_team_is_not_followed(tmp_path):
    pipelines = folder(tmp_path / "team", p__a="SELECT 1")
    (tmp_path / "secret.sql").write_text("SELECT 'secret'")
    (pipelines / "p" / "b.sql").symlink_to(tmp_path / "secret.sql")
    (found,) = problems_of(pipelines)
    assert "leads out of the folder" in found.message


def test_models_that_need_each_other_are_named(tmp_path):
    (found,) = problems_of(
        folder(tmp_path, p__a="FROM b", p__b="FROM c", p__c="FROM a", p__d="FROM x")
    )
    assert "models need each other" in found.message
    assert {"a", "b", "c"} == set(found.message.split(": ")[1].split(" -> "))


def test_a_model_cannot_be_built_from_itself(tmp_path):
    (found,) = problems_of(folder(tmp_path, p__a="SELECT * FROM a"))
    assert "a -> a" in found.message


def test_two_models_of_one_name_are_a_mistake_not_a_silent_choice(tmp_path):
    (found,) = problems_of(folder(tmp_path, p__a="SELECT 1", q__a="SELECT 2"))
    assert found.file == "pipelines/q/a.sql"
    assert "two models 'a'" in found.message


def test_a_folder_or_bytes_in_place_of_a_model_are_told(tmp_path):
    pipelines = folder(tmp_path, p__a="SELECT 1")
    (pipelines / "p" / "b.sql").mkdir()
    (pipelines / "p" / "c.sql").write_bytes("SELECT 'é'".encode("latin-1"))
    found = problems_of(pipelines)
    assert [problem.file for problem in found] == ["pipelines/p/b.sql", "pipelines/p/c.sql"]
    assert "cannot be read" in found[0].message


def test_a_team_without_models_has_no_lineage(tmp_path):
    assert lineage.read(tmp_path / "pipelines") == {}


graphs = st.dictionaries(
    st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh12"), max_size=3).map(tuple)
)


@given(graphs)
def test_models_are_built_after_their_inputs_or_there_is_a_circle(graph):
    try:
        order = lineage.order(graph)
    except CycleError:
        assert any(name in lineage.downstream(graph, name) for name in graph)
        return
    assert sorted(order) == sorted(graph)
    for position, name in enumerate(order):
        assert not set(graph[name]) & set(order[position:])


@given(graphs, st.sampled_from("abcdefgh12"))
def test_downstream_is_closed_and_every_step_of_it_is_reached(graph, name):
    below = lineage.downstream(graph, name)
    reached = {name, *below}
    assert len(set(below)) == len(below)
    for model, inputs in graph.items():
        assert (model in below) == bool(set(inputs) & reached)
