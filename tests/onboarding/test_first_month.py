"""A newcomer's first month: what can be seen is seen, what cannot is unknown, nobody fails."""

import os
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataops_lib import contracts, report, teams
from dataops_lib.audit import faults as audit_faults
from dataops_lib.evidence import Observed
from dataops_lib.finding import Finding
from dataops_lib.onboarding import first_month, traces, trials
from dataops_lib.onboarding.first_month import TASKS, Built, Sight, Trial
from dataops_lib.report import page
from dataops_lib.service_levels.measurements import Measurement
from dataops_lib.teams import git_log, history
from dataops_lib.teams.git_log import Commit, Log
from dataops_lib.teams.history import ROTA
from dataops_lib.teams.models import AddedTest, Learner

STARTED = date(2013, 2, 4)  # a Monday
SINCE = datetime(2013, 2, 4, 5, tzinfo=UTC)
EVA = Learner(
    name="Eva",
    started_on=STARTED,
    git="eva@example.com",
    test=AddedTest(table="fct_a", check="enough_rows"),
    contract="fct_a",
    pipeline="daily",
)
NEW = Learner(name="Eva", started_on=STARTED)  # has claimed nothing
NO_GIT = Log(None, "git is not installed here", "Install git")
TASK = {task.name: task for task in TASKS}


def commit(*paths, author="eva@example.com", day=11, **more):
    return Commit(datetime(2013, 2, day, 12, tzinfo=UTC), ("Name", author), paths, **more)


# ---- when


def test_week_2_ends_13_days_after_the_start_and_a_weekend_moves_it_to_monday():
    expected = {4: date(2013, 2, 18), 5: date(2013, 2, 18), 6: date(2013, 2, 19)}
    for day, due in expected.items():  # 17 is a Sunday, 18 a Monday, 19 a Tuesday
        assert first_month.due_on(replace_start(date(2013, 2, day)), 2) == due
    assert first_month.due_on(replace_start(date(2013, 2, 3)), 2) == date(
        2013, 2, 18
    )  # Saturday 16


def replace_start(day):
    return NEW.model_copy(update={"started_on": day})


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(1, 5))
def test_a_task_is_never_due_on_a_weekend_nor_before_its_week_is_over(start, week):
    due = first_month.due_on(replace_start(start), week)
    assert due.weekday() < 5
    assert 7 * week - 1 <= (due - start).days <= 7 * week + 1


@pytest.mark.parametrize(
    ("done", "as_of", "status", "state"),
    [
        (True, date(2013, 2, 10), "ok", "done"),
        (True, date(2013, 4, 1), "ok", "done"),
        (False, date(2013, 2, 18), "ok", "open"),  # nothing of this day is known yet
        (False, date(2013, 2, 19), "warn", "overdue"),
        (None, date(2013, 2, 10), "unknown", "unseen"),
        (None, date(2013, 4, 1), "unknown", "unseen"),
    ],
)
def test_a_task_is_done_open_overdue_or_cannot_be_seen(done, as_of, status, state):
    found = first_month.judge(NEW, TASK["shift"], Sight(done, "why", "Add rota.csv"), as_of)
    assert (found.status, found.numbers["state"]) == (status, state)
    assert found.numbers["due_on"] == "2013-02-18"
    assert "why" in found.evidence
    assert ("due 18 February 2013" in found.evidence) == (not done)
    assert done is not None or found.next_step == "Add rota.csv"


def month(*states, as_of=date(2013, 3, 1)):
    sights = [Sight({"done": True, "unseen": None}.get(state, False), "x", "y") for state in states]
    pairs = zip(TASKS, sights, strict=False)
    return first_month.clock(NEW, [first_month.judge(NEW, t, s, as_of) for t, s in pairs], as_of)


def test_the_clock_counts_the_days_that_are_known_and_what_is_seen_done():
    found = month("done", "no", "unseen", as_of=date(2013, 2, 5))
    assert found.evidence == "day 1 of 30, to 5 March 2013; 1 of 3 tasks seen done"
    assert found.status == "ok"
    counts = {key: found.numbers[f"tasks_{key}"] for key in ("done", "open", "unseen")}
    assert counts == {"done": 1, "open": 1, "unseen": 1}


def test_after_30_days_the_clock_is_as_bad_as_the_worst_task():
    assert month("done", "unseen", as_of=date(2013, 3, 6)).status == "ok"  # day 30
    assert month("done", "unseen", as_of=date(2013, 3, 7)).status == "unknown"
    assert month("no", "unseen", as_of=date(2013, 3, 7)).status == "warn"
    assert month("done", "done", as_of=date(2013, 9, 1)).status == "ok"


@given(
    st.lists(st.sampled_from([True, False, None]), min_size=6, max_size=6),
    st.integers(1, 400),
)
def test_no_finding_ever_says_that_a_person_fails(done, days):
    as_of = STARTED + timedelta(days=days)
    judged = [
        first_month.judge(NEW, task, Sight(one, "x", "y"), as_of)
        for task, one in zip(TASKS, done, strict=True)
    ]
    assert "fail" not in {one.status for one in [*judged, first_month.clock(NEW, judged, as_of)]}


# ---- a test

OK = Finding("enough_rows", "ok", "5 rows", "Nothing to do")
TRIED = Trial(("enough_rows",), OK, date(2013, 2, 27), "the file came empty", 2, 3)


def test_a_check_counts_that_passes_on_a_real_day_and_finds_a_planted_fault():
    seen = first_month.see_test(EVA, TRIED, Log((commit("contracts/fct_a.yaml"),)), SINCE)
    assert seen.done
    assert "fails when the file came empty; it has blocked 3 publishes" in seen.evidence


@pytest.mark.parametrize(
    ("trial", "done", "said"),
    [
        (Trial(("other",)), False, "no check enough_rows of fct_a; its checks: other"),
        (Trial(("enough_rows",), why="table fct_a cannot be read"), None, "cannot be read"),
        (replace(TRIED, caught=None, planted=9), False, "passes on all 9 planted faults"),
        (replace(TRIED, real=replace(OK, status="fail")), False, "fails on the real 27 February"),
        (replace(TRIED, real=replace(OK, status="unknown")), None, "could not be judged"),
        (
            replace(TRIED, real=Finding("enough_rows", "fail", "x", "", {"error": "no table"})),
            None,
            "could not be judged",
        ),
    ],
)
def test_a_check_that_shows_nothing_is_not_seen_done(trial, done, said):
    seen = first_month.see_test(EVA, trial, NO_GIT, SINCE)
    assert seen.done is done
    assert said in seen.evidence
    assert done is False or seen.tell


def test_what_git_says_another_wrote_is_not_theirs_but_written_together_is():
    path = "contracts/fct_a.yaml"
    other = commit(path, author="ana@example.com")
    together = commit(path, author="ana@example.com", together_with=("Eva <Eva@Example.com>",))
    merge = commit(path, merges=True)
    before, copy = commit(path, day=3), commit(f"{path}.old")
    for log, done in (
        ((other,), False),
        ((together,), True),
        ((merge,), False),
        ((before,), False),
        ((copy,), False),
    ):
        assert first_month.see_test(EVA, TRIED, Log(log), SINCE).done is done
    unseen = first_month.see_test(EVA, TRIED, NO_GIT, SINCE)
    assert unseen.done
    assert "author is not known" in unseen.evidence


# ---- a contract

CONTRACT = """\
apiVersion: v3.0.2
kind: DataContract
id: a
version: 1.0.0
status: active
schema:
  - name: fct_a
    properties: [{name: day, logicalType: date}]
"""
OWNER = "team: [{username: Ben, role: owner}]\n"
READERS = "customProperties: [{property: consumers, value: [Board]}]\n"


@pytest.mark.parametrize(
    ("more", "done", "said"),
    [
        (OWNER + READERS, True, "is valid and names its owner and Board"),
        (READERS, False, "names no owner"),
        (OWNER, False, "names no consumers"),
        ("", False, "names no owner and no consumers"),
    ],
)
def test_a_contract_names_its_owner_and_its_consumers(more, done, said):
    agreed = {"fct_a": contracts.loads(CONTRACT + more)}
    seen = first_month.see_contract(EVA, agreed, NO_GIT, SINCE)
    assert seen.done is done
    assert said in seen.evidence


def test_a_contract_that_is_not_there_is_not_done():
    assert first_month.see_contract(EVA, None, NO_GIT, SINCE).done is False
    assert first_month.see_contract(NEW, {}, NO_GIT, SINCE).done is False


# ---- a shift


def rota(*rows):
    text = "".join(f"{line}\n" for line in ("starts_at,ends_at,role,person", *rows))
    return history.loads(text, ROTA, "rota.csv")


def test_a_shadow_shift_counts_once_it_has_ended():
    shifts = rota("2013-02-11T09:00:00Z,2013-02-18T09:00:00Z,shadow,Eva")
    end = datetime(2013, 2, 18, 9, tzinfo=UTC)
    assert first_month.see_shift(EVA, shifts, end).done is True
    planned = first_month.see_shift(EVA, shifts, end - timedelta(seconds=1))
    assert planned == Sight(False, "no shadow shift has ended yet, 1 planned")


def test_a_shift_of_another_or_in_another_role_is_no_shadow_shift():
    span = "2013-02-11T09:00:00Z,2013-02-18T09:00:00Z"
    late = datetime(2013, 4, 1, tzinfo=UTC)
    assert first_month.see_shift(EVA, rota(f"{span},shadow,Ana"), late).done is False
    assert first_month.see_shift(EVA, rota(f"{span},primary,Eva"), late).done is False
    assert first_month.see_shift(EVA, None, late) == Sight(None, "no rota is given", "Add rota.csv")


# ---- a pipeline

BUILT = Built(
    STARTED, {"a": ("raw.x",), "b": ("a",), "c": ("b",)}, ["raw.x"], 1, Measurement(10, 10)
)


@pytest.mark.parametrize(
    ("change", "done", "said"),
    [
        ({}, True, "3 models, 1 external sources, 1 SLOs; 10 of its last 10 expected runs"),
        ({"models": dict.fromkeys("abcdef", ())}, True, "6 models"),
        ({"models": dict.fromkeys("abcdefg", ())}, False, "is not medium: 7 models"),
        ({"models": dict.fromkeys("ab", ())}, False, "is not medium: 2 models"),
        ({"sources": []}, False, "0 external sources"),
        ({"slos": 0}, False, "0 SLOs"),
        ({"runs": Measurement(9, 10)}, False, "9 of its last 10"),
        ({"missing": True}, False, "5 for each table are needed"),
        ({"first_due": date(2013, 2, 3)}, False, "before they came"),
        ({"models": {}}, None, "models of daily are not given"),
        ({"slos": None}, None, "no SLOs are given"),
        ({"runs": None}, None, "no run is known"),
    ],
)
def test_a_medium_pipeline_has_the_size_an_slo_and_runs(change, done, said):
    seen = first_month.see_pipeline(EVA, replace(BUILT, **change), NO_GIT, SINCE)
    assert seen.done is done
    assert said in seen.evidence
    assert first_month.see_pipeline(NEW, None, NO_GIT, SINCE).done is False


@pytest.mark.parametrize(("others", "done"), [(0, True), (1, True), (2, False)])
def test_alone_is_four_of_five_commits(others, done):
    path = "pipelines/daily/a.sql"
    log = Log((*[commit(path)] * 4, *[commit(path, author="ana@example.com")] * others))
    seen = first_month.see_pipeline(EVA, BUILT, log, SINCE)
    assert seen.done is done
    assert f"author of 4 of {4 + others} commits" in seen.evidence
    elsewhere = Log((commit("pipelines/daily2/a.sql"),))
    assert first_month.see_pipeline(EVA, BUILT, elsewhere, SINCE).done is False


# ---- reviews and runbooks


def test_two_reviews_of_others_are_enough_and_their_own_changes_do_not_count():
    def reviewed(*authors):
        by = ("Eva <eva@example.com>",)
        return Log(tuple(commit("x", author=one, reviewed_by=by) for one in authors))

    ana, eva = "ana@example.com", "eva@example.com"
    assert first_month.see_reviews(EVA, reviewed(ana, ana), SINCE).done is True
    assert first_month.see_reviews(EVA, reviewed(ana, eva), SINCE).done is False
    by_name = EVA.model_copy(update={"git": "eva"})
    assert first_month.see_reviews(by_name, reviewed(ana, ana), SINCE).done is True


@pytest.mark.parametrize("see", [first_month.see_reviews, first_month.see_runbook])
def test_without_git_or_a_name_in_it_the_file_that_would_tell_is_named(see):
    assert see(EVA, NO_GIT, SINCE) == Sight(None, "git is not installed here", "Install git")
    unnamed = see(NEW, Log(()), SINCE)
    assert unnamed.done is None
    assert "Add `git:` to Eva" in unnamed.tell


def test_a_runbook_is_a_file_below_runbooks():
    assert first_month.see_runbook(EVA, Log((commit("runbooks/late.md"),)), SINCE).done is True
    assert first_month.see_runbook(EVA, Log((commit("runbooks.md"),)), SINCE).done is False
    assert first_month.see_runbook(EVA, Log(()), SINCE).done is False


# ---- git itself

ANA, EVE = "Ana <ana@example.com>", "Eva Noir <eva@example.com>"


def git(folder, *arguments, at="2013-02-11T12:00:00+00:00", **environment):
    own = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    own |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"} | environment
    own |= {"GIT_COMMITTER_DATE": at, "GIT_AUTHOR_DATE": at}
    settings = ("-c", "user.name=Ana", "-c", "user.email=ana@example.com")
    subprocess.run(["git", "-C", folder, *settings, *arguments], check=True, env=own, timeout=60,
                   capture_output=True)  # fmt: skip


def change(repository, path, author=ANA, message="Change", **more):
    target = repository / "teams" / "shop" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("a") as file:
        file.write("line\n")
    git(repository, "add", ".")
    git(repository, "commit", "--author", author, "-m", message, **more)


@pytest.fixture
def repository(tmp_path):
    """A real repository with a team's folder in it, and a second folder beside that."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    change(folder, "team.yaml")
    return folder


def read(repository, until=datetime(2013, 3, 1, tzinfo=UTC)):
    return git_log.commits(repository / "teams" / "shop", SINCE, until)


def test_commits_come_with_author_paths_and_trailers(repository):
    text = f"Mend\n\nReviewed-by: {EVE}\nReviewed-by: Ben <b@x.y>\nCo-authored-by: Chen <c@x.y>\n"
    change(repository, "runbooks/läte run.md", EVE, text)
    found = read(repository).commits[0]
    assert found.author == ("Eva Noir", "eva@example.com")
    assert found.paths == ("runbooks/läte run.md",)
    assert found.reviewed_by == (EVE, "Ben <b@x.y>")
    assert found.together_with == ("Chen <c@x.y>",)
    assert found.at == datetime(2013, 2, 11, 12, tzinfo=UTC)
    assert first_month.see_runbook(EVA, read(repository), SINCE).done


def test_commits_before_the_start_from_as_of_on_and_elsewhere_do_not_count(repository):
    change(repository, "early.md", at="2013-02-04T04:59:59+00:00")
    change(repository, "late.md", at="2013-03-01T00:00:00+00:00")
    change(repository, "../other/x.md")
    change(repository, "in.md", at="2013-02-28T23:59:59+00:00")
    assert [one.paths for one in read(repository).commits] == [("in.md",), ("team.yaml",)]


def test_a_merge_shows_its_reviewers_but_makes_nobody_the_author(repository):
    git(repository, "checkout", "-q", "-b", "side")
    change(repository, "runbooks/a.md", ANA)
    git(repository, "checkout", "-q", "main")
    change(repository, "main.md", ANA)
    eva = {"GIT_AUTHOR_NAME": "Eva", "GIT_AUTHOR_EMAIL": "eva@example.com"}
    message = "Merge\n\nReviewed-by: Ben <b@x.y>"
    git(repository, "merge", "--no-ff", "-m", message, "side", **eva)
    merge = next(one for one in read(repository).commits if one.merges)
    assert merge.reviewed_by == ("Ben <b@x.y>",)
    assert merge.paths == ("runbooks/a.md",)
    assert merge.author == ("Eva", "eva@example.com")
    assert first_month.see_runbook(EVA, read(repository), SINCE).done is False


def test_a_shallow_clone_knows_nothing_of_authors(repository, tmp_path):
    change(repository, "runbooks/a.md", EVE)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", repository.as_uri(), str(clone))
    log = read(clone)
    assert log.commits is None
    assert log.tell == "git fetch --unshallow"


def test_no_repository_an_untracked_folder_and_no_git_are_said_and_not_raised(
    repository, tmp_path, monkeypatch
):
    (tmp_path / "plain").mkdir()
    none = git_log.commits(tmp_path / "plain", SINCE, datetime(2013, 3, 1, tzinfo=UTC))
    assert none.commits is None
    assert "no git repository" in none.why
    (repository / "teams" / "new").mkdir()
    new = git_log.commits(repository / "teams" / "new", SINCE, datetime(2013, 3, 1, tzinfo=UTC))
    assert new.why == "git does not follow this folder"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read(repository).why == "git is not installed here"


def program(path, does):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return path


def test_a_git_that_hangs_is_given_up(repository, tmp_path, monkeypatch):
    slow = program(tmp_path / "bin" / "git", "exec sleep 30")
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(git_log, "SECONDS", 0.3)
    assert "took longer than" in read(repository).why


def test_a_callers_git_dir_and_a_repositorys_own_programs_are_not_followed(
    repository, tmp_path, monkeypatch
):
    sign = program(
        tmp_path / "sign",
        "cat >/dev/null; echo '[GNUPG:] SIG_CREATED x' >&2; echo '-----BEGIN PGP SIGNATURE-----'",
    )
    git(repository, "config", "gpg.program", str(sign))
    git(repository, "config", "commit.gpgSign", "true")
    change(repository, "signed.md")
    trap = program(tmp_path / "trap", f"touch {tmp_path}/ran")
    for name in ("core.fsmonitor", "core.pager", "diff.external", "gpg.program"):
        git(repository, "config", name, str(trap))
    git(repository, "config", "log.showSignature", "true")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert len(read(repository).commits) == 2
    assert not (tmp_path / "ran").exists()


# ---- checks on real data


@pytest.fixture(scope="module")
def observed(flights):
    return Observed(flights.load())


@pytest.mark.parametrize(
    ("check", "caught"),
    [
        ("cancelled_means_no_departure", "dep_time is missing in every row"),
        ("enough_rows", "the file came empty"),
        ("not_null(carrier)", "carrier is missing in 20 rows"),
        ("invalidValues(origin)", "origin is a question mark"),
        ("in_range(distance_miles)", "distance_miles is 2 billion below zero"),
        ("columns", "flight turned from a number to text"),
    ],
)
def test_a_real_check_finds_the_fault_that_it_is_for(observed, check, caught):
    found = trials.tried(observed, AddedTest(table="fct_flights", check=check))
    assert (found.real.status, found.caught) == ("ok", caught)
    assert found.day == date(2013, 2, 12)


def test_a_check_that_finds_nothing_is_told_from_one_that_does(observed, monkeypatch):
    agreed = observed.team.contracts["fct_flights"]
    empty = agreed.schema_[0].model_copy(
        update={"quality": [rule("always_fine", "SELECT 1 FROM this WHERE FALSE"),
                            rule("broken", "SELECT * FROM nowhere")]}
    )  # fmt: skip
    weak = {"fct_flights": agreed.model_copy(update={"schema_": [empty]})}
    monkeypatch.setitem(observed.team.__dict__, "contracts", weak)
    found = trials.tried(observed, AddedTest(table="fct_flights", check="always_fine"))
    assert (found.real.status, found.caught) == ("ok", None)
    assert found.planted > 20
    broken = trials.tried(observed, AddedTest(table="fct_flights", check="broken"))
    assert first_month.see_test(named("broken"), broken, NO_GIT, SINCE).done is None


def rule(name, sql):
    text = f"""{CONTRACT}    quality:
      - name: {name}
        type: custom
        engine: dataops
        implementation: {{check: no_rows, sql: "{sql}"}}
"""
    return contracts.loads(text).schema_[0].quality[0]


def named(check):
    return EVA.model_copy(update={"test": AddedTest(table="fct_flights", check=check)})


@pytest.mark.parametrize(
    ("column", "faults"),
    [
        (pa.array([True, None]), {"is negated": [False, None]}),
        (pa.array([1], pa.int16()), {}),  # holds no 2 billion
        (pa.array([1], pa.int64()), {"is 2 billion": [2_000_000_000]}),
        (pa.array([Decimal("1.50")], pa.decimal128(5, 2)), {"is -999": [Decimal("-999.00")]}),
        (pa.array(["a"]), {"is a question mark": ["?"]}),
        (pa.array([date(2013, 2, 4)]), {"lies in 1970": [date(1970, 1, 2)]}),
        (pa.array([SINCE]), {"lies in 2199": [datetime(2199, 12, 30, tzinfo=UTC)]}),
    ],
)
def test_a_column_of_each_type_can_be_spoilt(column, faults):
    field = pa.field("x", column.type)
    found = {fault: values.to_pylist() for fault, values in audit_faults._wrong(field, column)}
    assert found["is missing in every row"] == [None] * len(column)
    assert faults.items() <= found.items()
    assert faults or len(found) == 1


def test_amounts_of_money_can_be_spoilt_and_an_error_is_no_catch(orders, observed):
    claim = AddedTest(table="fct_daily_revenue", check="in_range(revenue_usd)")
    found = trials.tried(Observed(orders.load()), claim)
    assert found.caught.startswith("revenue_usd is -999")
    # `flight` as text breaks this check before it can find anything
    counted = trials.tried(
        observed, AddedTest(table="fct_daily_departures", check="in_range(scheduled)")
    )
    assert counted.caught == "scheduled is 2 billion below zero"


def test_a_type_that_iceberg_does_not_have_is_unknown_and_no_error(observed, monkeypatch):
    rows = pa.table({"flight_date": [date(2013, 2, 12)], "x": pa.array([timedelta(1)])})
    monkeypatch.setattr(trials, "_last_day", lambda *_: (date(2013, 2, 12), rows))
    found = trials.tried(observed, AddedTest(table="fct_flights", check="enough_rows"))
    assert found.why == "table fct_flights has a type that cannot be copied"
    assert first_month.see_test(named("enough_rows"), found, NO_GIT, SINCE).done is None


def test_publishes_that_the_check_has_blocked_are_counted(observed):
    found = trials.tried(observed, AddedTest(table="fct_flights", check="enough_rows"))
    runs = observed.team.runs
    stopped = runs[(runs["table"] == "fct_flights") & (runs["status"] == "blocked")]["run_id"]
    audits = observed.team.audits
    assert (
        found.blocked == sum("enough_rows" in {f.subject for f in audits[r]} for r in stopped) > 0
    )


def test_a_table_that_nobody_can_read_is_unknown(copied_shop):
    claim = AddedTest(table="fct_flights", check="enough_rows")
    found = trials.tried(Observed(copied_shop), claim)
    assert (found.real, found.why) == (None, "table fct_flights cannot be read")


@pytest.fixture
def copied_shop(copy_team, tmp_path):
    """The files of flights as a team of one's own: no replay, no catalog, no history."""
    folder = copy_team(tmp_path, "flights")
    text = (folder / "team.yaml").read_text()
    (folder / "team.yaml").write_text(text[: text.index("replay:")])
    return teams.load("flights", as_of="2013-03-15", root=tmp_path)


# ---- in the report


def test_the_report_of_the_example_has_every_state_of_the_month(flights):
    found = report.diagnose(flights.load())
    states = {one.subject: one.numbers["state"] for one in found.onboarding}
    assert states == {
        "Eva: first month": "open",
        "Eva: add a test": "done",
        "Eva: write a data contract": "done",
        "Eva: shadow a shift": "open",
        "Eva: build a medium pipeline": "open",
        "Eva: review others' changes": "unseen",
        "Eva: contribute to a runbook": "unseen",
    }
    subjects = [one["subject"] for one in found.as_dict()["findings"]]
    assert set(states) <= set(subjects)
    html = page.onboarding(found).html
    assert "Written for the example" in html
    assert "cannot be seen" in html


def test_without_an_input_that_would_tell_nothing_is_said_done(copied_shop):
    found = report.diagnose(copied_shop)
    by = {one.numbers.get("task"): one for one in found.onboarding}
    assert by["test"].status == "unknown"
    assert "cannot be read" in by["test"].evidence
    assert by["pipeline"].status == "warn"  # overdue on 15 March
    assert {one.status for one in found.onboarding} <= {"ok", "warn", "unknown"}


def test_a_team_with_nobody_new_has_no_section_and_misses_nothing(flights, orders, tmp_path):
    found = report.diagnose(orders.load())
    assert found.onboarding == ()
    assert page.onboarding(found) is None
    assert not {"onboarding.yaml", "rota.csv"} & set(orders.load().missing)
    assert report.diagnose(flights.load("2013-02-05")).onboarding[0].numbers["day"] == 1


def test_who_starts_on_the_day_of_the_report_or_later_is_not_known_yet(copied_shop):
    later = copied_shop.model_copy(update={"as_of": STARTED})
    assert traces.findings(Observed(later)) == ()


def test_a_pipeline_of_files_is_measured_as_it_is(flights):
    team = flights.load()
    found = traces.built(team, "daily_flights")
    assert len(found.models) == 4
    assert found.sources == ["raw.flights"]
    assert found.slos == 8
    assert found.runs.total == 5 * len(team.tables)
    assert not found.missing
    assert traces.built(flights.load("2013-02-05"), "daily_flights").missing


def test_git_is_asked_only_for_those_who_say_how_it_calls_them(flights, monkeypatch):
    monkeypatch.setattr(git_log, "_git", lambda *_: pytest.fail("git was asked"))
    assert traces.findings(Observed(flights.load()))


def test_a_month_in_a_real_repository_is_seen_done(flights, tmp_path):
    """Files, history and data together: all that Eva made can be seen, and nothing too early."""
    folder = tmp_path / "teams" / "shop"
    shutil.copytree(flights.folder, folder)
    repository = tmp_path
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", "teams")
    git(repository, "commit", "-q", "-m", "All", at="2013-02-01T12:00:00+00:00")
    for path in ("runbooks/late.md", "contracts/notes.txt"):
        change(repository, path, EVE, at="2013-02-10T12:00:00+00:00")
    for _ in range(2):
        change(repository, "a.md", ANA, f"Mend\n\nReviewed-by: {EVE}", at="2013-02-10T12:00:00Z")
    eva = flights.load().onboarding.learners[0].model_copy(update={"git": "eva@example.com"})
    given = flights.load().onboarding.model_copy(update={"learners": (eva,)})
    team = flights.load().model_copy(update={"folder": folder, "onboarding": given})
    by = {one.numbers.get("task"): one for one in traces.findings(Observed(team))}
    assert by["reviews"].numbers["state"] == by["runbook"].numbers["state"] == "done"
    assert by["contract"].numbers["state"] == "open"  # it stood before she came
    assert (
        "no commit of theirs changes contracts/fct_carrier_delays.yaml" in by["contract"].evidence
    )


def test_findings_of_people_are_in_the_order_of_the_file_and_tasks(flights):
    first = flights.load().onboarding.learners[0]
    both = (first.model_copy(update={"name": "Zoe"}), first)
    given = flights.load().onboarding.model_copy(update={"learners": both})
    found = traces.findings(Observed(flights.load().model_copy(update={"onboarding": given})))
    names = [one.subject.split(":")[0] for one in found]
    assert names == ["Zoe"] * 7 + ["Eva"] * 7
    assert isinstance(found, tuple)
