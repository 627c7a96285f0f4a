"""Small tables that show what became of runs."""

import pandas as pd
import pytest

from dataops_lib import wording
from dataops_lib.audit import faults as audit_faults
from dataops_lib.course import headlines as course_headlines
from dataops_lib.course import sandbox
from dataops_lib.evidence import Observed
from dataops_lib.wap import headlines, upkeep


@pytest.fixture(scope="module")
def blocked(orders):
    """A practice table with one published and two blocked runs, which no test changes."""
    practice = sandbox.copy(Observed(orders.load()))
    first, second = practice.upcoming[:2]
    practice.run(first)
    spoiled = audit_faults.spoil(practice.days[second], practice.checks(second))
    faults = ("the file came twice", "user_id turned from a number to text")
    return practice, {
        fault: practice.run(second, spoiled[fault], run_id=f"bad-{n}")
        for n, fault in enumerate(faults)
    }


def test_the_graph_says_where_readers_are_and_what_waits_beside_them(blocked):
    practice, _ = blocked
    day = practice.upcoming[0]
    graph = headlines.graph(practice.table).set_index("snapshot")
    assert graph["parent"].to_dict() == {"s1": "", "s2": "s1", "s3": "s2"}
    assert graph["refs"].to_dict() == {
        "s1": ("published history",),
        "s2": ("main", f"published {day}"),
        "s3": ("audit bad-0",),
    }
    assert graph["on_main"].tolist() == [True, True, False]
    assert graph.loc["s2", "rows"] == practice.sight[1]


def test_verdicts_say_what_blocked_each_run(blocked):
    found = headlines.verdicts(blocked[1])
    assert found["outcome"].tolist() == ["blocked", "blocked"]
    assert found["blocked by"].tolist() == ["unique(order_id)", "columns"]
    assert headlines.outcome(blocked[1]["the file came twice"]).startswith("bad-0: blocked, ")


def test_failing_rows_are_those_of_the_check(blocked):
    practice, publications = blocked
    rows = headlines.failing(publications)
    arrived = practice.days[practice.upcoming[1]]["order_id"].to_pylist()
    assert len(rows) == 5
    assert set(rows["order_id"]) <= set(arrived)


def test_a_run_that_could_not_be_staged_has_no_branch_to_compare(blocked):
    practice, publications = blocked
    day = practice.upcoming[1]
    found = course_headlines.by_day(practice, publications)
    assert list(found.columns) == ["rows readers see", "on the branch: the file came twice"]
    assert found.loc[day].tolist() == [0, 2 * practice.days[day].num_rows]


def test_files_of_a_discarded_run_are_left_over_until_somebody_cleans(orders):
    practice = sandbox.copy(Observed(orders.load()))
    day = practice.upcoming[0]
    practice.run(day, practice.days[day].slice(0, 3), run_id="few")
    assert course_headlines.leftovers(practice).empty
    upkeep.discard(practice.name, catalog=practice.catalog, run_id="few")
    assert course_headlines.leftovers(practice)["files nothing reaches"].to_dict() == {
        "avro": 2,
        "parquet": 1,
    }


def test_the_first_column_becomes_row_titles_under_one_line_of_headings():
    frame = wording.titled(pd.DataFrame({"run": ["a"], "rows": [1]}))
    assert (frame.index.name, frame.columns.name, list(frame.index)) == (None, "run", ["a"])
