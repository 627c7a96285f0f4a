"""What the article's calls do on the installed PyIceberg."""

import pyarrow as pa
import pytest

from dataops_lib.course import article

DAY = pa.table({"order_id": list(range(100)), "user_id": pa.array([1] * 100, pa.int32())})


@pytest.fixture(scope="module")
def calls():
    return article.calls(DAY).iloc[:, 0]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("table.manage_snapshots().create_branch(audit_branch)", "TypeError"),
        ("tx.set_branch(audit_branch)", "AttributeError"),
        ("tx.overwrite(data_df)", "ValueError"),
        ("table.scan(branch=audit_branch)", "TypeError"),
        ("check.__name__", "AttributeError"),
        ('fast_forward(branch="main", to=audit_branch)', "AttributeError"),
    ],
)
def test_these_calls_of_the_article_raise(calls, call, error):
    assert calls[call].startswith(f"{error}: ")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("create_branch again, with the same name on the same day", "200 rows before, 100 after"),
        ("tx.overwrite(arrow_table)", "100 rows before, 1 after"),
        (
            "two publishes from one main, by set_current_snapshot alone",
            "no error; 300 rows were published, readers see 200",
        ),
    ],
)
def test_these_calls_lose_rows_without_an_error(calls, call, said):
    assert said in calls[call]


def test_the_same_race_through_wap_loses_nothing(calls):
    said = calls["the same two publishes, by wap.write_audit_publish"]
    assert said == "300 rows were published, readers see 300"


def test_an_empty_table_has_nothing_to_branch_from(calls):
    assert "nothing to branch from" in calls["the same on a table that is still empty"]
