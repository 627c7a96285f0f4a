"""Ways through a response end in resolved or escalated, or the graph says where not."""

import pytest

from dataops_lib import runbooks
from dataops_lib.runbooks import commands, paths
from dataops_lib.runbooks.runbook import Fence

TEXT = """# R
## Alert response: a
1. Check it. If `n = 0`: escalate to DBA.
   Otherwise go to step 3.
2. Wait for it. Then go to step 1.
3. Look. If `x`: resolved. If not: go to the manual re-run.
## Manual re-run
1. Run it.
2. Verify it. If `ok`: resolved. Otherwise: escalate to lead.
"""


def ways(text):
    book = runbooks.read(text)
    return paths.graph(book, book.responses[0])


def test_a_step_leads_where_its_outcomes_say():
    graph = ways(TEXT)
    first = graph.steps[0][0]
    assert [edge.end for edge in graph.after(first)] == ["escalated", paths.Node("response 1", 3)]
    assert graph.unending == ()
    assert paths.Node("response 1", 2) not in graph.reached
    assert paths.Node("rerun", 2) in graph.reached


@pytest.mark.parametrize(
    ("old", "new", "end"),
    [
        ("If not: go to the manual re-run.", "", "open"),
        ("If `x`: resolved. If not: go to the manual re-run.", "Go to step 1.", None),
        ("go to step 3", "go to step 7", "open"),
        ("## Manual re-run\n1. Run it.\n", "## Else\n1. Run it.\n", "open"),
    ],
)
def test_a_way_without_an_end_is_seen(old, new, end):
    assert old in TEXT
    graph = ways(TEXT.replace(old, new))
    if end is None:  # round in circles is no end; an escalation on the way is
        assert graph.unending == ()
    else:
        assert end in {edge.end for edge in graph.unending}


def test_a_circle_without_a_way_out_is_seen():
    graph = ways("# R\n## Alert: a\n1. Check it. Then go to step 2.\n2. Wait. Then go to step 1.\n")
    assert [edge.start.number for edge in graph.unending] == [1, 2]


@pytest.mark.parametrize(
    ("language", "text", "changes"),
    [
        ("bash", "airflow dags trigger x --conf '{}'", ["airflow dags trigger"]),
        ("bash", "kubectl -n prod delete pod a", ["kubectl delete"]),
        ("bash", "ls | xargs echo && sudo rm -rf /x", ["rm"]),
        ("bash", "git log --oneline; helm upgrade --force a", ["helm --force"]),
        ("bash", "echo 'rm -rf /' # rm", []),
        ("console", "$ rm a\nremoved a\n", ["rm"]),
        ("console", "rm is not typed here\n", []),
        ("sql", "select 1; delete from t where a = 1", ["DELETE"]),
        ("sql", "with a as (select 1) select * from a", []),
        ("python", "import shutil\nshutil.rmtree('x')", ["rmtree"]),
        ("yaml", "rm: -rf", []),
    ],
)
def test_what_a_command_changes_is_known_from_its_parse(language, text, changes):
    fence = Fence(language, "duckdb", text, 1)
    assert [command for _, command in commands.understand(fence).changes] == changes


def test_sql_is_read_in_the_dialect_that_it_names():
    text = "SELECT a FROM t WHERE b::date = c QUALIFY row_number() OVER (ORDER BY a) = 1"
    assert commands.understand(Fence("sql", "snowflake", text, 5)).error is None
    line, message = commands.understand(Fence("sql", "duckdb", "SELECT\n1 FROM FROM", 5)).error
    assert line == 6
    assert message.startswith("duckdb SQL")
