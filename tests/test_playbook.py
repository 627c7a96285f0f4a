"""The article's rules are read from one folder and from nowhere else."""

import pytest

from dataops_lib import playbook
from dataops_lib.errors import DataError, UsageError


@pytest.mark.parametrize("name", ["../pyproject.toml", "/etc/passwd", "a\\b.yaml", "..", ""])
def test_a_name_that_leaves_the_folder_is_refused(name):
    with pytest.raises(UsageError, match="not the name of a file"):
        playbook.text(name)


def test_a_missing_file_is_named():
    with pytest.raises(DataError, match=r"data/playbook/none\.yaml is missing"):
        playbook.text("none.yaml")


def test_text_is_read_as_utf_8(tmp_path, monkeypatch):
    monkeypatch.setattr(playbook, "FOLDER", tmp_path)
    (tmp_path / "rule.yaml").write_text("P1 — now", encoding="utf-8")
    assert playbook.text("rule.yaml") == "P1 — now"
