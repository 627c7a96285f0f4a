"""Week one on real teams: every learner has numbers of their own, and harms nobody.

These tests read the example warehouses of the clone, as the notebook does: two months of history.
"""

import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import replace

import duckdb
import pytest

from dataops_lib import files, teams, warehouse
from dataops_lib.course.week_one import about_budget, about_team, question
from dataops_lib.course.week_one import exercise as week_one_exercise
from dataops_lib.course.week_one.exercise import BUDGET, TASKS, Exercise
from dataops_lib.course.week_one.learner import Place, read_only
from dataops_lib.course.week_one.question import AnyOf
from dataops_lib.errors import DataError, UsageError
from dataops_lib.evidence import Observed, levels
from dataops_lib.examples import replay
from dataops_lib.teams import folders
from dataops_lib.teams import team as teams_team
from dataops_lib.windows import Window, midnight

TEAMS = {"flights": 200, "orders": 40}  # learners of each
EXAMPLES = files.HOME / "data" / "teams"
ONCE = pytest.mark.xdist_group("learners")  # they are drawn once, by one worker


@pytest.fixture(scope="module")
def places():
    """Each example team, read once; `of(learner)` shares what was read."""
    replay.ensure(root=EXAMPLES)
    found = {}
    for name in TEAMS:
        place = Place("nobody", Observed(read_only(teams.load(name, root=EXAMPLES))))
        for shared in ("by_day", "tiles", "landings", "attempts", "first_attempts"):
            getattr(place, shared)
        found[name] = place
    return found


@pytest.fixture
def ana():
    """Week one of Ana, with a private copy of her own; progress is not kept."""
    return week_one_exercise.start("ana", root=EXAMPLES, folder="")


@pytest.fixture(scope="module")
def learners(places):
    """Of each learner of each team, the questions whose answers are values, already drawn."""
    return {
        team: [drawn(places[team], f"learner{number}") for number in range(count)]
        for team, count in TEAMS.items()
    }


def drawn(place, learner):
    """The questions of a learner whose answers are values."""
    exercise = Exercise(place.of(learner), None)
    return {
        name: asked
        for name, asked in exercise.questions.items()
        if asked._text.asks not in TASKS and asked._open
    }


# ---- 200 learners


@ONCE
@pytest.mark.parametrize("team", TEAMS)
def test_every_learners_blank_mistakes_and_right_answer_get_the_outcome_they_should(learners, team):
    wrong = []
    for number, questions in enumerate(learners[team]):
        for name, asked in questions.items():
            numbers = asked._question.asked
            tries = [(..., "not attempted", ""), (numbers.truth, "correct", "")]
            for mistake, answers in numbers.mistakes.items():
                each = answers if isinstance(answers, AnyOf) else (answers,)
                tries += [(answer, "not yet", mistake) for answer in each]
            for answer, state, mistake in tries:
                outcome = asked.check(answer)
                if (outcome.state, outcome.mistake) != (state, mistake):
                    wrong.append((number, name, answer, outcome))
    assert wrong == []


@ONCE
@pytest.mark.parametrize("team", TEAMS)
def test_every_text_of_every_learner_is_filled_in(learners, team):
    for questions in learners[team][:20]:
        for asked in questions.values():
            texts = [asked.show(), asked.solution(), *(asked.hint() for _ in asked._text.hints)]
            texts += [asked._question.words(text) for text in asked._text.mistakes.values()]
            assert not [text for text in texts if "{" in text.replace("{{", "")]


@ONCE
def test_every_mistake_that_has_words_is_met_by_somebody(learners):
    named, met = defaultdict(set), defaultdict(set)
    for questions in (*learners["flights"], *learners["orders"]):
        for asked in questions.values():
            named[asked._text.asks] |= set(asked._text.mistakes)
            met[asked._text.asks] |= set(asked._question.asked.mistakes)
    assert dict(met) == dict(named)


@ONCE
@pytest.mark.parametrize("team", TEAMS)
def test_no_two_learners_have_the_same_answers(learners, team):
    answers = Counter(
        tuple(str(asked._question.asked.truth) for asked in questions.values())
        for questions in learners[team]
    )
    assert max(answers.values()) == 1


def test_a_learner_has_the_same_questions_on_another_day_and_machine(places):
    first, again = (
        {name: asked.show() for name, asked in drawn(places["flights"], "ana").items()}
        for _ in range(2)
    )
    assert first == again


# ---- the truth


@pytest.mark.parametrize("team", TEAMS)
def test_runs_counted_for_a_budget_are_those_of_the_library(places, team):
    place = places[team]
    for table in place.team.tables:
        for start, end in (("2013-01-05", "2013-02-02"), ("2013-02-04", "2013-02-25")):
            window = Window(
                *(
                    midnight(teams_team.when(day, today=place.team.as_of), place.team.zone)
                    for day in (start, end)
                )
            )
            counted = [good for due, good in place.first_attempts[table.name] if due in window]
            measured = levels.success(place.observed, table.name, window)
            assert (sum(counted), len(counted)) == (measured.good, measured.total)


@ONCE
def test_budgets_of_learners_end_in_every_state_of_the_policy(learners):
    seen = Counter(one["q17"]._question.asked.truth for one in learners["flights"])
    states = [state.name for state in about_budget._rules().states]
    assert {state for state, count in seen.items() if count >= 10} == set(states)


def test_what_readers_saw_is_asked_of_the_snapshot_of_that_moment(ana):
    given = ana.q11.given
    query = f"SELECT count(*) AS n FROM {given['table']}"
    then = ana.sql(query, at=given["at"]).n[0]
    assert then < ana.sql(query).n[0]
    assert ana.sql(query, at=f"{given['at']:%Y-%m-%d %H:%M}").n[0] == then  # on the team's clocks


# ---- the private copy


def test_a_repair_by_the_runbook_is_correct_and_each_step_left_out_is_named(ana):
    day, seen = ana.q8.given["day"], []
    check = lambda handed: seen.append(ana.q8.check(handed).mistake)  # noqa: E731
    check(ana.blocked)
    repair = ana.practice.run(day, run_id="repair")
    check(repair)
    ana.practice.discard(ana.blocked.run_id)
    outcome = ana.q8.check(repair)
    assert seen == ["day still missing", "branch left behind"]
    assert (outcome.state, outcome.mistake) == ("correct", "")


def test_releasing_the_blocked_run_is_named_and_can_be_mended(ana):
    day, practice = ana.q8.given["day"], ana.practice
    released = practice.release(ana.blocked, reason="in a hurry", by="ana")
    assert ana.q8.check(released).mistake == "blocked run released"
    practice.take_back()
    repair = practice.run(day, run_id="repair")
    assert ana.q8.check(repair).state == "correct"


def test_a_repair_with_other_rows_is_named(ana):
    day = ana.q8.given["day"]
    half = ana.practice.days[day].slice(0, 600)
    repair = ana.practice.run(day, half, run_id="repair")
    assert repair
    assert ana.q8.check(repair).mistake == "wrong rows published"


def test_checks_that_only_warned_or_passed_are_told_from_those_that_blocked(places):
    seen = Counter()
    for number in range(6):
        exercise = Exercise(places["flights"].of(f"learner{number}"), None)
        numbers = exercise.q7._question.asked
        assert exercise.q7.check(numbers.truth).state == "correct"
        for mistake, answers in numbers.mistakes.items():
            assert {exercise.q7.check(answer).mistake for answer in answers} == {mistake}
            seen[mistake] += 1
    assert set(seen) == {"warnings for blocks", "checks that passed"}


def test_a_good_day_counts_only_with_its_own_rows_and_its_checks(ana):
    day, practice = ana.q18.given["day"], ana.practice
    other = practice.run(practice.upcoming[4])
    assert ana.q18.check(other).mistake == "another day"
    blocked = practice.run(day, practice.days[day].slice(0, 3), run_id="too-few")
    assert ana.q18.check(blocked).mistake == "blocked"
    assert ana.q18.check(practice.run(day)).state == "correct"


def test_a_good_day_published_without_a_check_is_named(ana):
    published = ana.practice.run(ana.q18.given["day"], checks=[])
    assert ana.q18.check(published).mistake == "nothing audited"


def test_a_bad_day_is_correct_only_when_it_was_refused(ana):
    given, practice = ana.q19.given, ana.practice
    good = practice.run(given["day"], run_id="good")
    assert ana.q19.check(good).mistake == "the good rows"
    refused = practice.run(given["day"], given["rows"], run_id="bad")
    assert ana.q19.check(refused).state == "correct"
    assert (
        ana.q19.check(practice.release(refused, reason="why not", by="ana")).mistake == "released"
    )


def test_a_bad_day_published_without_checks_is_named(places):
    exercise = next(
        exercise
        for number in range(20)
        for exercise in (Exercise(places["flights"].of(f"learner{number}"), None),)
        if "turned" not in exercise.q19._question.words("{fault}")
    )
    given = exercise.q19.given
    published = exercise.practice.run(given["day"], given["rows"], checks=[])
    assert exercise.q19.check(published).mistake == "published unaudited"


def test_a_repair_must_be_the_run_that_brought_the_day_and_was_audited(ana):
    day, practice = ana.q8.given["day"], ana.practice
    practice.discard(ana.blocked)
    unaudited = practice.run(day, checks=[], run_id="in-a-hurry")
    assert ana.q8.check(unaudited).mistake == "nothing audited"
    practice.take_back()
    repair = practice.run(day, run_id="repair")
    again = practice.run(day, run_id="once-more")
    assert not again
    assert ana.q8.check(again).mistake == "another run handed in"
    assert ana.q8.check(repair).state == "correct"


def test_after_a_wrong_publish_the_message_says_how_to_take_it_back_and_that_mends_it(ana):
    practice, good, bad = ana.practice, ana.q18.given["day"], ana.q19.given
    practice.run(good, checks=[], run_id="unaudited-good")
    outcome = ana.q18.check(practice.run(good))
    assert outcome.mistake == "already there"
    assert "ex.practice.take_back()" in outcome.message
    practice.take_back()
    assert ana.q18.check(practice.run(good, run_id="good")).state == "correct"
    twice = practice.days[bad["day"]]
    practice.run(bad["day"], twice, checks=[], run_id="one")
    practice.run(bad["day"], twice, checks=[], run_id="two")
    outcome = ana.q19.check(practice.run(bad["day"], twice, run_id="three"))
    assert outcome.mistake == "still there"
    practice.take_back()
    practice.take_back()
    refused = practice.run(bad["day"], bad["rows"], run_id="bad")
    assert ana.q19.check(refused).state == "correct"


def test_a_day_that_the_copy_does_not_hold_is_named_with_those_it_does(ana):
    with pytest.raises(UsageError, match="none of the days"):
        ana.practice.run("2013-02-21")
    with pytest.raises(UsageError, match="takes the publication"):
        ana.practice.release("a-run-id", reason="", by="ana")


def test_what_a_learner_looks_at_is_shown_in_a_line(ana):
    assert repr(ana.practice).startswith("a copy of fct_flights: readers see ")
    assert repr(ana.blocked).startswith(f"run {ana.blocked.run_id} of practice.fct_flights")
    assert "blocked by" in repr(ana.blocked)


def test_a_publication_of_another_table_is_not_taken(ana):
    elsewhere = replace(ana.blocked, table="practice.other")
    assert "private copy" in ana.q8.check(elsewhere).message
    assert "ex.practice.run" in ana.q18.check("done").message


@pytest.mark.deep
@pytest.mark.parametrize("team", TEAMS)
def test_every_learners_deeds_can_be_done(places, team):
    for number in range(30):
        exercise = Exercise(places[team].of(f"learner{number}"), None)
        day = exercise.q8.given["day"]
        repair = exercise.practice.run(day, run_id="repair")
        exercise.practice.discard(exercise.blocked.run_id)
        good = exercise.practice.run(exercise.q18.given["day"])
        refused = exercise.practice.run(exercise.q19.given["day"], exercise.q19.given["rows"])
        states = [exercise.q8.check(repair), exercise.q18.check(good), exercise.q19.check(refused)]
        assert {outcome.state for outcome in states} == {"correct"}, (number, states)


# ---- no harm


def fingerprint(folder):
    """Name, size and content of every file below a folder."""
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_nothing_a_learner_does_changes_a_file_of_the_shared_warehouse(ana):
    shared = folders.current_build(ana.team.folder)
    before = fingerprint(shared)
    catalog = warehouse.open(ana.team.catalog, create=True)
    name = f"{ana.team.catalog.namespace}.{ana.team.tables[0].name}"
    table = catalog.load_table(name)
    rows = table.scan(limit=1).to_arrow()
    for harm in (
        lambda: table.append(rows),
        lambda: table.overwrite(rows),
        lambda: table.delete("carrier = 'UA'"),
        lambda: (
            table.manage_snapshots().create_tag(table.current_snapshot().snapshot_id, "x").commit()
        ),
        lambda: table.transaction().set_properties(a="b").commit_transaction(),
        lambda: catalog.drop_table(name),
        lambda: catalog.purge_table(name),
        lambda: catalog.rename_table(name, "marts.other"),
        lambda: catalog.create_namespace("mine"),
        lambda: table.io.delete(table.metadata_location),
        lambda: ana.sql(f"COPY (SELECT 1) TO '{shared}/catalog.db'"),
        lambda: ana.sql(f"ATTACH '{shared}/catalog.db'"),
        lambda: ana.sql("SET enable_external_access = true"),
        lambda: ana.sql("DELETE FROM runs"),
        lambda: ana.sql("DROP TABLE runs"),
        lambda: ana.sql("SELECT 1; DROP TABLE runs"),
    ):
        with pytest.raises(Exception):  # noqa: B017  whatever it is, it is refused
            harm()
    for asked in ana.questions.values():
        asked.check()
    ana.practice.run(ana.q18.given["day"])
    assert fingerprint(shared) == before


def test_a_refused_write_says_where_to_write_instead(ana):
    table = warehouse.open(ana.team.catalog, create=True).load_table(
        f"marts.{ana.team.tables[0].name}"
    )
    with pytest.raises(DataError, match=r"ex\.practice"):
        table.append(table.scan(limit=1).to_arrow())


def test_a_query_of_a_learner_sees_no_file_of_this_machine(ana):
    with pytest.raises(duckdb.Error):
        ana.sql("SELECT * FROM read_csv('/etc/passwd')")


# ---- progress


def test_progress_is_kept_and_goes_on_where_it_was(tmp_path):
    first = week_one_exercise.start("ana", root=EXAMPLES, folder=tmp_path)
    truth = first.q9._question.asked.truth
    first.q9.check("Nobody")
    first.q9.hint()
    first.q9.check(truth)
    again = week_one_exercise.start("ana", root=EXAMPLES, folder=tmp_path)
    assert again.state("q9") == "correct"
    assert (again.tried("q9").attempts, again.tried("q9").hints) == (2, 1)
    assert "Q9" in again.summary()


def test_what_was_right_once_stays_right(ana):
    ana.q9.check(ana.q9._question.asked.truth)
    ana.q9.check("Nobody")
    assert (ana.state("q9"), ana.tried("q9").attempts) == ("correct", 1)


def test_without_a_folder_nothing_is_written(ana, tmp_path, monkeypatch):
    monkeypatch.setattr(week_one_exercise, "FOLDER", tmp_path)
    ana.q9.check("Nobody")
    assert list(tmp_path.iterdir()) == []


def test_progress_is_kept_apart_for_each_team_and_day(tmp_path):
    for team, day in (("flights", "2013-03-01"), ("flights", "2013-02-20"), ("orders", None)):
        ex = week_one_exercise.start("ana", team=team, as_of=day, root=EXAMPLES, folder=tmp_path)
        ex.q9.check("Nobody")
    assert len(list(tmp_path.glob("progress-*.json"))) == 3


@pytest.mark.parametrize("content", ["", "[]", '{"q1": 3}', '{"q1": {"unknown": 1}}', "\x00"])
def test_a_broken_progress_file_is_named_and_left_alone(tmp_path, content):
    path = tmp_path / "progress-flights-2013-03-01.json"
    path.write_text(content)
    with pytest.raises(DataError, match="move it away"):
        week_one_exercise.start("ana", root=EXAMPLES, folder=tmp_path)
    assert path.read_text() == content


@pytest.mark.parametrize("name", ["../ana", "", "Ana", "a/b", "a b", "x" * 61])
def test_a_name_that_is_no_folder_is_refused(name):
    with pytest.raises(UsageError, match="is not a learner's name"):
        week_one_exercise.start(name, root=EXAMPLES)


def test_the_summary_is_markdown_with_what_was_misunderstood(ana):
    numbers = ana.q13._question.asked.mistakes
    ana.q13.check(numbers["recorded for expected runs"])
    ana.q13.solution()
    line = next(line for line in ana.summary().splitlines() if line.startswith("| Q13"))
    assert "| ✗ Not yet | 1 | 0 | yes | recorded for expected runs |" in line


def test_hints_go_on_to_the_last_and_then_name_the_solution(ana):
    first, second, third = (ana.q1.hint() for _ in range(3))
    assert first.startswith("**Hint 1 of 2.**")
    assert second == third
    assert "ex.q1.solution()" in second


# ---- teams that tell less


def test_a_team_with_little_to_say_is_asked_what_it_can_answer(tmp_path):
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "team.yaml").write_text(
        "name: bare\ntitle: Bare\nzone: UTC\n"
        "pipelines: [{name: p, schedule: '0 6 * * *', first_due: 2026-01-05}]\n"
        "tables: [{name: t, pipeline: p, tier: 1, owner: Ana, day_column: d, about: x}]\n"
    )
    ex = week_one_exercise.start("ana", team="bare", root=tmp_path, folder="")
    open_ = [name for name in ex.questions if ex.state(name) != "no input"]
    assert open_ == ["q9", "q10"]
    assert ex.q10.check(1).state == "correct"
    assert "1 of 2" in ex.progress()
    for asked in ex.questions.values():
        assert asked.show()
        asked.hint()
        asked.solution()
    assert "needs a run history" in ex.q5.show()
    assert "needs models" in ex.q3.check(["a"]).message


def test_every_builder_that_the_words_name_exists():
    asks = [text.asks for part in week_one_exercise._parts() for text in part.questions]
    named = {*TASKS, *BUDGET}
    assert len(asks) == len(set(asks)) == 19
    assert [one for one in asks if one not in named and not hasattr(about_team, one)] == []


def test_the_minutes_of_the_parts_add_up_to_what_the_notebook_says():
    total = sum(part.minutes for part in week_one_exercise._parts())
    source = (files.HOME / "notebooks" / "week_one.md").read_text()
    assert f"About {total} minutes in six parts" in source
    assert len(week_one_exercise._parts()) == 6


def test_progress_on_disk_holds_no_answer(tmp_path):
    ex = week_one_exercise.start("ana", root=EXAMPLES, folder=tmp_path)
    ex.q9.check(ex.q9._question.asked.truth)
    kept = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert set(kept["q9"]) == {"state", "attempts", "hints", "solution", "mistakes"}


def test_an_outcome_is_read_in_a_notebook_and_in_a_terminal():
    outcome = question.Outcome("correct", "Because.")
    assert str(outcome) == "✓ Correct. Because."
    assert outcome._repr_markdown_() == "**✓ Correct.** Because."
