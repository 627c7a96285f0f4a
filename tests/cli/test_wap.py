"""`dataops wap` does what it says; how it refuses is in test_cli.py."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import lake
import pytest
from lake import NAME, Clock, orders
from publishing import publish
from typer.testing import CliRunner

from dataops_lib import audit
from dataops_lib.cli import wap
from dataops_lib.errors import DataError, UsageError

CHECKS = [audit.not_null("amount")]


@pytest.fixture
def catalog(tmp_path, monkeypatch):
    """A table with two publishes and a blocked run, and the commands looking at it."""
    found = lake.with_table(tmp_path)
    clock = Clock()
    publish(found, orders(1), CHECKS, run_id="first", now=clock)
    publish(found, orders(2), CHECKS, run_id="second", now=clock)
    publish(found, orders(3, amount=None), CHECKS, run_id="storm", now=clock)
    monkeypatch.setattr(wap, "_tables", lambda *_: iter([(NAME, found)]))
    return found


def said(*arguments):
    result = CliRunner().invoke(wap.app, [*arguments, "--team", "shop"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_a_blocked_run_is_published_with_its_reason_which_show_repeats(catalog):
    with pytest.raises(UsageError, match="Give a reason"):
        said("publish", "storm")
    assert "published 1 rows as published-" in said(
        "publish", "storm", "--reason", "the storm was real", "--by", "Kim"
    )
    assert lake.ids(catalog) == [1, 2, 3]
    assert "published all the same: the storm was real" in said("show", "storm")


def test_a_discarded_run_is_gone_and_clean_deletes_its_files_on_request(catalog):
    said("discard", "storm")
    assert lake.branch_names(catalog) == []
    listed = said("clean", NAME, "--older-than", "0h")
    paths = [line.split()[-1] for line in listed.splitlines() if "bytes" in line]
    assert any(path.endswith(".parquet") for path in paths)
    assert all(Path(path).exists() for path in paths)
    assert f"{len(paths)} files deleted" in said("clean", NAME, "--older-than", "0h", "--delete")
    assert not any(Path(path).exists() for path in paths)
    assert lake.ids(catalog) == [1, 2]


def test_a_rollback_says_what_it_withdrew(catalog):
    tag = "published-20130210T0630Z-first"
    assert f"back at {tag}; withdrawn: second" in said("rollback", NAME, "--to", tag)
    assert lake.ids(catalog) == [1]


def test_a_resumed_run_that_the_contract_blocks_sends_its_alert(catalog, tmp_path, monkeypatch):
    import json
    from types import SimpleNamespace

    from dataops_lib import teams

    monkeypatch.setattr(
        teams, "load", lambda *_, **__: SimpleNamespace(contracts={"orders": object()})
    )
    monkeypatch.setattr("dataops_lib.contracts.checks", lambda _: CHECKS)
    with pytest.raises(DataError, match=r"storm is blocked, readers keep.*1 of 3 rows have no"):
        said("resume", "storm", "--alert-file", str(tmp_path / "alerts.jsonl"))
    [line] = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert "marts.orders, run storm" in json.loads(line)["text"]
    assert lake.ids(catalog) == [1, 2]


def test_tidy_lists_then_retires_and_keeps_what_a_report_shows(catalog, monkeypatch):
    monkeypatch.setattr(wap, "_cited_moments", lambda *_: [])
    arguments = ("tidy", "--keep", "1", "--no-monthly")
    listed = said(*arguments)
    assert "1 of 2 publishes would be retired with --delete" in listed
    assert "0 of 2 publishes" in said(*arguments, "--cite", "first")
    monkeypatch.setattr(wap, "_cited_moments", lambda *_: [lake.START + timedelta(seconds=1)])
    assert "1 of 2" in said(*arguments, "--delete")
    assert [tag.rpartition("-")[2] for tag in lake.tags(catalog)] == ["second"]
