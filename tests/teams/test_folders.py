"""A new team's folder is whole, valid and nobody else's, or it is not there."""

import pytest
from conftest import CLONE

from dataops_lib import teams
from dataops_lib.errors import DataError, TeamError, UsageError
from dataops_lib.teams import folders

FILES = sorted(
    path.relative_to(CLONE / "data/teams/_template").as_posix()
    for path in (CLONE / "data/teams/_template").rglob("*")
)


def test_a_new_team_is_a_whole_copy_that_has_no_problems_and_loads(tmp_path):
    folder = folders.create("shop", title="Our shop", zone="Europe/Berlin", root=tmp_path)
    assert folder == tmp_path / "shop"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) == FILES
    assert teams.problems("shop", root=tmp_path) == []
    team = teams.load("shop", root=tmp_path)
    assert (team.name, team.title, team.zone) == ("shop", "Our shop", "Europe/Berlin")
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_what_is_not_told_is_filled_in(tmp_path):
    folders.create("shop", root=tmp_path / "new" / "folder")
    team = teams.load("shop", root=tmp_path / "new" / "folder")
    assert (team.title, team.zone) == ("shop", "UTC")


def test_every_mark_of_the_template_is_filled_in(tmp_path):
    text = (folders.create("shop", root=tmp_path) / "team.yaml").read_text()
    assert "__" not in text


@pytest.mark.parametrize(
    "title",
    ['"quoted" and: odd', "# no comment", "__ZONE__", "__NAME__ \\n", "- a", "{}", "Café ünd 漢字",
     "\N{GRINNING FACE}", "null", "two\nlines", "*alias", "<script>alert(1)</script>", "'", " x "],
)  # fmt: skip
def test_any_title_comes_back_as_it_was_told(tmp_path, title):
    folders.create("shop", title=title, root=tmp_path)
    assert teams.load("shop", root=tmp_path).title == title


@pytest.mark.parametrize("name", ["null", "true", "no", "web-shop", "a_b-c", "e5", "shop2"])
def test_any_slug_is_a_name_even_where_yaml_would_read_something_else(tmp_path, name):
    folders.create(name, root=tmp_path)
    assert teams.load(name, root=tmp_path).name == name


@pytest.mark.parametrize("name", ["../x", "a/b", "<script>", "", "Shop", "_template", "a" * 61])
def test_a_name_that_is_no_slug_makes_nothing(tmp_path, name):
    with pytest.raises(UsageError, match="is not a team name"):
        folders.create(name, root=tmp_path / "teams")
    assert not (tmp_path / "teams").exists()


@pytest.mark.parametrize("told", [{"zone": "Mars/Base"}, {"title": "x" * 301}])
def test_a_wrong_zone_or_title_is_told_and_makes_nothing(tmp_path, told):
    with pytest.raises(TeamError):
        folders.create("shop", root=tmp_path / "teams", **told)
    assert not (tmp_path / "teams").exists()


def test_what_is_there_already_is_never_touched(tmp_path):
    folder = folders.create("shop", title="First", root=tmp_path)
    with pytest.raises(UsageError, match="is there already; choose another name"):
        folders.create("shop", title="Second", root=tmp_path)
    assert teams.load("shop", root=tmp_path).title == "First"
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_a_folder_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path):
    (tmp_path / "teams").write_text("a file where a folder should be")
    with pytest.raises(DataError, match=r"cannot write .*shop"):
        folders.create("shop", root=tmp_path / "teams")
    assert (tmp_path / "teams").is_file()


def test_a_copy_that_breaks_off_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders.shutil, "copytree", full)
    with pytest.raises(DataError, match="No space left on device"):
        folders.create("shop", root=tmp_path)
    assert list(tmp_path.iterdir()) == []
