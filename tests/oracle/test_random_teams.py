"""The numbers of random teams agree with the definitions, and every sentence can be read.

`pytest tests/oracle -m deep` runs 2,000; a seed that fails is in the message.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from oracle import comparing, grammar, random_teams

from dataops_lib import report, teams

FAST, DEEP, TOGETHER = 20, 2_000, 10  # a team takes 0.3 s: sixty would be too slow for `make test`


def wrong(seed: int, root: Path) -> str:
    """What is wrong with the report of the team of `seed`, and its folder; empty when nothing."""
    plan = random_teams.draw(seed)
    folder = random_teams.write(plan, root)
    diagnosis = report.diagnose(teams.load(plan.name, as_of=plan.as_of, root=root))
    lines = comparing.disagreements(plan, diagnosis)
    if not lines:
        shutil.rmtree(folder)
        return ""
    listing = "\n  ".join(lines)
    return f"seed {seed}, as of {plan.as_of}, kept in {folder}:\n  {listing}\n" + (
        random_teams.described(folder)
    )


def check(seeds: range, root: Path) -> None:
    """No team of `seeds` is told anything wrong."""
    print(f"seeds {seeds.start} to {seeds.stop - 1}")
    faults = [fault for seed in seeds if (fault := wrong(seed, root))]
    assert not faults, f"{len(faults)} of {len(seeds)} teams; the first:\n{faults[0]}"


def chunks(first: int, last: int) -> list[range]:
    return [range(start, start + TOGETHER) for start in range(first, last, TOGETHER)]


@pytest.mark.parametrize("seeds", chunks(0, FAST), ids=str)
def test_numbers_are_those_of_the_definitions(seeds: range, tmp_path: Path) -> None:
    check(seeds, tmp_path)


@pytest.mark.deep
@pytest.mark.parametrize("seeds", chunks(FAST, DEEP), ids=str)
def test_numbers_are_those_of_the_definitions_for_many(seeds: range, tmp_path: Path) -> None:
    check(seeds, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "found by a None",
        "0 of 0 error budgets",
        "1 tables",
        "0 of 1 runs published",
        "1.75e+03 runs",
        "-0 % left",
        "overspent by --3 %",
        "SLO missed: 100 %, 30 of 30 runs",
    ],
)
def test_the_grammar_finds_what_is_wrong(text: str) -> None:
    assert grammar.faults(text)


def test_the_grammar_leaves_good_sentences_alone() -> None:
    text = "31 days to 2024-01-05, 1 of 0.07 runs, -1,208 min: 98.996 % on 1 of 1 day; 10 runs."
    assert grammar.faults(text) == []
