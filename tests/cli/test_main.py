"""The `dataops` command as a stranger uses it: a real process, real files, its exit codes."""

import io
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import pytest
from conftest import hear_interrupts

from dataops_lib import report, teams
from dataops_lib.cli import main

DATAOPS = Path(sys.executable).parent / "dataops"


def process(*arguments, timeout=120):
    """Run the command as a process of its own; (exit code, what it printed)."""
    command = [DATAOPS, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    return done.returncode, done.stdout + done.stderr


def dataops(*arguments):
    """Run the command in this process, which is quicker; (exit code, what it printed)."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        code = main.exit_code(partial(main.app, [str(one) for one in arguments]))
    return code, out.getvalue()


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A folder of teams with one team that has only the template's team.yaml."""
    folder = tmp_path_factory.mktemp("teams")
    code, said = dataops("new-team", "bare", "--title", 'It\'s "new": team', "--teams-dir", folder)
    assert code == 0, said
    return folder


def test_help_imports_nothing_heavy():
    heavy = {
        "pandas",
        "numpy",
        "duckdb",
        "pyarrow",
        "pyiceberg",
        "matplotlib",
        "papermill",
        "scipy",
    }
    code = "import sys, dataops_lib.cli.main; print(*sorted(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())


def test_help_names_every_command():
    code, said = dataops("--help")
    assert code == 0
    for command in ("report", "check", "new-team", "demo", "sql", "notebooks", "wap"):
        assert command in said


@pytest.mark.parametrize(
    "arguments", [["reprot"], ["report"], ["report", "flights", "--as-off", "x"]]
)
def test_a_wrong_call_exits_with_2_and_one_message(arguments):
    code, said = process(*arguments)
    assert code == 2
    assert "Traceback" not in said


@pytest.mark.parametrize("team", ["../x", "a/b", "<script>", "/etc", "flights/../orders", "Ä"])
def test_a_team_name_that_is_no_slug_is_refused(team, tmp_path):
    code, said = dataops("report", team, "--out", tmp_path)
    assert code == 2
    assert "is not a team name" in said
    assert not list(tmp_path.iterdir())


def test_an_unknown_team_is_answered_with_the_teams_that_there_are(bare):
    code, said = dataops("check", "missing", "--teams-dir", bare)
    assert code == 2
    assert "bare" in said


def test_a_new_team_has_no_problems_and_keeps_its_title(bare):
    assert dataops("check", "bare", "--teams-dir", bare) == (0, "bare: no problems found\n")

    assert teams.load("bare", root=bare).title == 'It\'s "new": team'


def test_a_new_team_never_overwrites_a_folder(bare):
    code, said = dataops("new-team", "bare", "--teams-dir", bare)
    assert code == 2
    assert "is there already" in said


def test_a_new_team_with_an_unknown_zone_is_refused_and_leaves_nothing(bare):
    code, said = dataops("new-team", "other", "--zone", "Mars/Base", "--teams-dir", bare)
    assert code == 2
    assert "IANA" in said
    assert sorted(path.name for path in bare.iterdir()) == ["bare"]


def test_check_prints_all_problems_with_their_lines_and_exits_with_1(bare, tmp_path):
    team = tmp_path / "broken"
    team.mkdir()
    (team / "team.yaml").write_text("name: broken\ntitel: x\nzone: Mars/Base\n")
    (team / "slos.yaml").write_text("slos:\n  - name: t\n    freshness: {slo: '> 2 hours'}\n")
    code, said = dataops("check", "broken", "--teams-dir", tmp_path)
    assert code == 1
    for place in ("team.yaml:2", "team.yaml:3", "slos.yaml:3"):
        assert place in said
    assert "Traceback" not in said


def test_a_literal_password_is_refused_and_never_printed(tmp_path):
    team = tmp_path / "leaky"
    team.mkdir()
    text = "name: leaky\ntitle: x\nzone: UTC\ncatalog:\n  properties:\n    uri: https://x\n"
    (team / "team.yaml").write_text(text + "    token: hunter2hunter2\n")
    code, said = dataops("report", "leaky", "--teams-dir", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert "literal secret" in said
    assert "hunter2" not in said


def test_the_span_is_named_when_as_of_lies_after_the_replay(tmp_path):
    code, said = dataops("report", "flights", "--as-of", "2013-03-02", "--out", tmp_path)
    assert code == 2
    assert "2013-01-01 to 2013-03-01" in said


def test_a_report_whose_folder_cannot_be_written_exits_with_1(bare, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    code, said = dataops("report", "bare", "--page-one", "--teams-dir", bare, "--out", blocked)
    assert code == 1
    assert "cannot write reports" in said
    assert "Traceback" not in said


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_control_c_in_the_middle_leaves_no_half_report(bare, tmp_path):
    command = [DATAOPS, "report", "bare", "--page-one", "--teams-dir", bare, "--out", tmp_path]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("bare/.part-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("*.html"))
    assert not list(tmp_path.rglob(".part-*"))


def test_wap_lists_and_shows_the_runs_of_a_real_table(flights):
    where = ("--team", "flights", "--teams-dir", flights.root)
    code, said = dataops("wap", "list", "--table", "fct_flights", *where)
    assert code == 0, said
    states = [line.split()[1] for line in said.splitlines()]
    assert states.count("published") == 10
    blocked = next(line.split()[-1] for line in said.splitlines() if " blocked " in line)
    code, said = dataops("wap", "show", blocked, "--table", "fct_flights", *where)
    assert (code, "fail" in said) == (0, True)


def test_wap_refuses_what_would_hurt_and_says_why(flights):
    where = ("--team", "flights", "--teams-dir", flights.root)
    _, said = dataops("wap", "list", "--table", "fct_flights", *where)
    blocked = next(line.split()[-1] for line in said.splitlines() if " blocked " in line)
    published = next(line.split()[-1] for line in said.splitlines() if " published " in line)
    for words, arguments in {
        "Give a reason": ("publish", blocked, "--table", "fct_flights"),
        "name one with --table": ("discard", published),
        "Roll back to an earlier tag": ("discard", published, "--table", "fct_flights"),
        "no table of team": ("show", "no-such-run"),
        "has no table": ("clean", "fct_nothing"),
        "7d or 12h": ("clean", "fct_flights", "--older-than", "soon"),
    }.items():
        code, said = dataops("wap", *arguments, *where)
        assert (code, words in said) == (2, True), said


def test_wap_clean_only_lists_unless_it_is_asked_to_delete(flights):
    where = ("--team", "flights", "--teams-dir", flights.root)
    code, said = dataops("wap", "clean", "fct_flights", "--older-than", "0h", *where)
    assert code == 0
    assert "would be deleted" in said


def test_a_query_of_a_tile_gives_the_figures_of_the_tile(flights):

    tile = report.diagnose(flights.load()).tile("publishes")
    code, said = dataops("sql", "flights", tile.query, "--teams-dir", flights.root)
    assert code == 0
    assert f"{tile.measured.good}" in said
    assert f"{tile.measured.total}" in said


def test_a_query_that_is_no_sql_exits_with_1_and_one_message(flights):
    code, said = dataops("sql", "flights", "SELEKT", "--teams-dir", flights.root)
    assert (code, "Traceback" in said) == (1, False)


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO 'written.csv'",
        "ATTACH 'other.db'",
        "DROP TABLE runs",
        "DELETE FROM runs",
        "EXPORT DATABASE 'exported'",
        "SET threads = 1",
        "INSTALL httpfs",
        "SELECT 1; SELECT 2",
        "SELECT content FROM read_text('/proc/self/environ')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT getenv('HOME')",
    ],
)
def test_a_query_reads_the_teams_tables_and_nothing_else(flights, query, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, said = dataops("sql", "flights", query, "--teams-dir", flights.root)
    assert (code, "Traceback" in said) == (1, False), said
    assert not list(tmp_path.iterdir())


def test_variables_are_allowed_once_and_the_address_is_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "team.yaml").write_text(
        "name: shop\ntitle: Shop\nzone: UTC\ncatalog:\n  properties:\n    type: rest\n"
        "    uri: https://lake.example\n    token: ${LAKE_TOKEN}\n"
    )
    where = ("shop", "--teams-dir", tmp_path)
    code, said = dataops("allow", *where, "--yes")
    assert code == 0
    assert "LAKE_TOKEN is filled into catalog.properties.token" in said
    assert "sent to: https://lake.example" in said
    assert dataops("allow", *where) == (0, "shop: no variable waits to be allowed\n")


def test_what_nobody_foresaw_is_one_sentence_and_the_traceback_only_on_demand(monkeypatch):
    def broken(**_):
        raise KeyError("inner")

    out = io.StringIO()
    with redirect_stderr(out):
        assert main.exit_code(broken) == 1
    assert "a fault of dataops itself, KeyError in test_main.py:" in out.getvalue()
    assert "Traceback" not in out.getvalue()
    monkeypatch.setenv("DATAOPS_DEBUG", "1")
    with redirect_stderr(out):
        main.exit_code(broken)
    assert "Traceback" in out.getvalue()
