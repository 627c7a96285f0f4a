"""The README says only what exists: commands, notebooks, tests, the picture, the sample."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[1]
README = (CLONE / "README.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted(path.stem for path in (CLONE / "notebooks").glob("*.ipynb"))


def rows(heading):
    """Cells of the table below `## heading`, without header and rule."""
    section = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_map_has_every_notebook_once_and_in_order():
    assert [re.search(r"notebooks/(\w+)\.ipynb", row[0])[1] for row in rows("Map")] == NOTEBOOKS


@pytest.mark.parametrize("row", rows("Map"), ids=lambda row: row[0][:24])
def test_each_notebook_is_mapped_to_the_article_and_to_tests_that_exist(row):
    _, sections, tests = row
    name = re.search(r"notebooks/(\w+)\.ipynb", row[0])[1]
    notebook = json.loads((CLONE / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert notebook["cells"]
    assert re.fullmatch(r"(\d(, \d)*)|all", sections)
    named = re.findall(r"(\w+)/(\w+)", tests)
    assert named
    for room, test in named:
        assert (CLONE / "tests" / room / f"test_{test}.py").is_file(), test


def test_each_make_target_of_the_readme_exists():
    makefile = (CLONE / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`?make ([a-z-]+)", README):
        assert re.search(rf"(?m)^{target}:", makefile), target


def test_each_dataops_command_of_the_readme_exists():
    dataops = Path(sys.executable).parent / "dataops"
    said = subprocess.run([dataops, "--help"], capture_output=True, text=True, check=True).stdout
    for command in set(re.findall(r"dataops ([a-z-]+)", README)):
        assert re.search(rf"(?m)^  {command}\b", said), command


def test_each_file_that_the_readme_links_to_exists():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (CLONE / target).exists(), target


def test_nothing_of_the_article_is_quoted_at_length():
    for word in ("playbook.txt", "../shared"):
        assert word not in README
