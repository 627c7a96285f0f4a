"""The house is as its doors and import-linter's contracts say: rooms, arrows, sizes, names."""

import ast
import importlib
import inspect
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[1]
LIBRARY = CLONE / "dataops_lib"
FILE_LINES = 400  # of any kind: what somebody scrolls through
ROOM_FILES = 15  # beside the door; a room with more is two topics
ROOM_LINES = 3_200

# import-linter sees what a topic imports; these are calls on values that it is given.
PURE = ("service_levels", "maturity", "incidents", "contracts", "on_call")
PURE_MODULES = (
    "audit/checks.py", "audit/verdicts.py", "onboarding/first_month.py",
    "report/decisions.py", "weekdays.py",
    "windows.py", "wording.py", "sql.py", "fields.py", "yaml_lines.py",
)  # fmt: skip
IMPURE_CALLS = {"now", "utcnow", "today", "open", "read_text", "write_text", "read_bytes", "input"}


# ---- what the tests look at


def rooms(library: Path) -> dict[str, list[Path]]:
    """The modules of each room, without its door."""
    doors = sorted(library.rglob("*/__init__.py"))
    return {
        door.parent.relative_to(library).as_posix(): [
            path for path in sorted(door.parent.glob("*.py")) if path != door
        ]
        for door in doors
    }


def impure_calls(paths: list[Path]) -> list[str]:
    """Calls that ask the clock or a file, in modules that compute on values."""
    calls = [
        (path.stem, getattr(node.func, "attr", getattr(node.func, "id", "")))
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]
    return [f"{module}: {name}()" for module, name in calls if name in IMPURE_CALLS]


def oversize(library: Path, *, files: int, room: int, lines: int) -> list[str]:
    """What exceeds a limit: the files and lines of a room, the lines of a file."""
    wrong = []
    for name, paths in rooms(library).items():
        lengths = {path: path.read_text(encoding="utf-8").count("\n") for path in paths}
        if len(paths) > files:
            wrong.append(f"{name} has {len(paths)} files, the limit is {files}")
        if sum(lengths.values()) > room:
            wrong.append(f"{name} has {sum(lengths.values())} lines, the limit is {room}")
    for path in sorted(library.rglob("*.py")):
        if (length := path.read_text(encoding="utf-8").count("\n")) > lines:
            wrong.append(f"{path.name} has {length} lines, the limit is {lines}")
    return wrong


def doors(library: Path) -> dict[str, tuple[str, set[str], list[ast.stmt]]]:
    """Each room's docstring, the names that its door hands on, and what else stands there."""
    seen = {}
    for name in rooms(library):
        tree = ast.parse((library / name / "__init__.py").read_text(encoding="utf-8"))
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        names = {alias.asname or alias.name for node in imports for alias in node.names}
        rest = [node for node in tree.body[1:] if node not in imports]
        seen[name] = (ast.get_docstring(tree) or "", names, rest)
    return seen


# ---- the library as it is


def test_topics_ask_neither_the_clock_nor_a_file():
    paths = [path for room in PURE for path in (LIBRARY / room).rglob("*.py")]
    assert impure_calls([*paths, *(LIBRARY / name for name in PURE_MODULES)]) == []


def test_a_room_fits_in_a_head_and_a_file_on_a_few_screens():
    assert oversize(LIBRARY, files=ROOM_FILES, room=ROOM_LINES, lines=FILE_LINES) == []


def test_no_room_or_module_is_a_drawer_for_odds_and_ends():
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "core"}
    names = {
        part
        for path in LIBRARY.rglob("*.py")
        for part in path.relative_to(LIBRARY).with_suffix("").parts
    }
    assert drawers.isdisjoint(names)


def test_a_door_names_each_module_of_its_room_once_and_holds_no_code():
    for room, (docstring, _, rest) in doors(LIBRARY).items():
        named = re.findall(r"(?m)^(\w+)  +\S", docstring)
        assert sorted(named) == [path.stem for path in rooms(LIBRARY)[room]], room
        assert rest == [], room


def test_the_map_names_each_room_once():
    named = re.findall(r"(?m)^(\w+)  +\S", importlib.import_module("dataops_lib").__doc__)
    assert sorted(named) == sorted(room for room in rooms(LIBRARY) if "/" not in room)


def test_no_module_is_called_like_a_function_that_its_door_hands_on():
    for room, (_, names, _) in doors(LIBRARY).items():
        assert names.isdisjoint(path.stem for path in rooms(LIBRARY)[room]), room


def test_pictures_are_never_handed_on_by_a_door():
    """A file check must not load matplotlib."""
    code = "import sys; from dataops_lib import teams, wap, maturity, audit; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "matplotlib" not in loaded.stdout.split()


# ---- each check fails on a bad tree


def library_of(folder: Path, **sources: str) -> Path:
    for name, source in sources.items():
        path = folder / f"{name.replace('__in__', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("x = datetime.now(UTC)", "now()"),
        ("x = date.today()", "today()"),
        ("def f():\n    return open('x')", "open()"),
        ("x = path.read_text()", "read_text()"),
    ],
)
def test_a_topic_that_asks_the_clock_or_a_file_is_seen(tmp_path, line, what):
    (tmp_path / "slo.py").write_text(f"{line}\n")
    assert impure_calls([tmp_path / "slo.py"]) == [f"slo: {what}"]


def test_a_room_or_file_that_is_too_large_is_seen_in_each_way(tmp_path):
    (tmp_path / "room").mkdir()
    for name in ("__init__", "a", "b"):
        (tmp_path / "room" / f"{name}.py").write_text("x = 1\n" * 3)
    assert oversize(tmp_path, files=1, room=5, lines=2) == [
        "room has 2 files, the limit is 1",
        "room has 6 lines, the limit is 5",
        *(f"{name}.py has 3 lines, the limit is 2" for name in ("__init__", "a", "b")),
    ]
    assert oversize(tmp_path, files=2, room=6, lines=3) == []


TURNED = {  # contract: (module, a line that breaks it)
    "Rooms import only from rooms below them": (
        "service_levels/slo.py",
        "from dataops_lib.teams import team",
    ),
    "Topics compute: no files, clock, catalog, database or process": (
        "maturity/scoring.py",
        "import sqlite3",
    ),
    "No room imports itself through another": (
        "windows.py",
        "from dataops_lib.teams import team",
    ),
    "Other rooms come through the door": (
        "evidence/records.py",
        "from dataops_lib.wap import branches",
    ),
}


def broken_contracts(clone: Path) -> set[str]:
    """Names of the contracts that import-linter finds broken in a clone."""
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [linter, "--no-cache"], cwd=clone, env={"PYTHONPATH": str(clone)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "Contracts:" in done.stdout, done.stderr
    assert done.returncode == (1 if "BROKEN" in done.stdout else 0)
    return set(re.findall(r"(?m)^(.+) BROKEN$", done.stdout))


@pytest.fixture(scope="module")
def copied_house(tmp_path_factory):
    clone = tmp_path_factory.mktemp("house")
    shutil.copy(CLONE / "pyproject.toml", clone)
    shutil.copytree(LIBRARY, clone / "dataops_lib", ignore=shutil.ignore_patterns("__pycache__"))
    return clone


def test_the_arrows_of_the_house_hold(copied_house):
    assert broken_contracts(copied_house) == set()


@pytest.mark.parametrize("contract", TURNED)
def test_an_arrow_that_is_turned_breaks_its_contract(copied_house, contract):
    module, line = TURNED[contract]
    path = copied_house / "dataops_lib" / module
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\n\n{line}\n", encoding="utf-8")
    try:
        assert contract in broken_contracts(copied_house)
    finally:
        path.write_text(before, encoding="utf-8")


def test_a_room_without_a_line_in_the_arrows_is_refused(copied_house):
    extra = copied_house / "dataops_lib" / "annex"
    extra.mkdir()
    (extra / "__init__.py").write_text('"""A room that nobody placed."""\n')
    try:
        linter = Path(sys.executable).parent / "lint-imports"
        done = subprocess.run(
            [linter, "--no-cache"], cwd=copied_house, env={"PYTHONPATH": str(copied_house)},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode != 0
        assert "annex" in done.stdout + done.stderr
    finally:
        shutil.rmtree(extra)


def test_each_contract_is_broken_once_above():
    text = (CLONE / "pyproject.toml").read_text(encoding="utf-8")
    assert set(TURNED) == set(re.findall(r'(?m)^name = "([A-Z].+)"$', text))


# ---- names that notebooks, teams and tests rely on

API = """
finding.Finding(subject, status, evidence, next_step, numbers=...)
teams.load(team, *, as_of=None, root=None)
warehouse.open(catalog)
audit.run(table, checks, *, snapshot_id=None)
wap.write_audit_publish(data, table_name, quality_checks, *, catalog, mode="append", run_id=None, \
    on_alert=None, keep_failed_for=timedelta(days=7), now=...)
wap.resume(table_name, *, catalog, run_id)
audit.not_null(col)
audit.unique(*cols)
audit.in_range(col, low, high)
audit.accepted(col, values)
audit.matches(col, regex)
audit.rows_at_least(n)
audit.fresh(col, within)
audit.foreign_key(col, table, key)
audit.no_rows(sql)
contracts.loads(text)
contracts.validate_contracts(old, new)
contracts.checks(contract)
service_levels.sli.DataSLI(name, description, unit, measurement_fn, owner)
service_levels.sli.freshness(landings, *, start, end, max_age, excluded=(), unknown=())
service_levels.sli.success(runs, expected)
service_levels.sli.completeness(good, total)
service_levels.sli.volume(daily_counts, *, method="weekday")
service_levels.slo.loads(text)
service_levels.slo.lint(slos)
service_levels.slo.parse(text)
service_levels.budget.calculate_error_budget(slo_percent, period_days=30)
service_levels.budget.burn_rate(error_ratio, slo)
service_levels.budget.remaining(good, total, target)
service_levels.budget.verdict(good, total, target)
service_levels.budget.allowed_failures(n, target)
service_levels.budget.runs_to_prove(target, confidence=0.95, failures=0)
service_levels.budget.interval(good, total, method="wilson", confidence=0.95)
maturity.load_model()
maturity.score(model, answers)
maturity.next_step(score, votes=None)
incidents.postmortem.draft(incident, team)
on_call.generate(people, policy, start, weeks)
on_call.check(rota, policy)
on_call.replay(timeline, policy=None)
incidents.postmortem.lint(text, context=None)
runbooks.lint(text, context=None)
course.week_one.start(learner)
report.run(team, *, as_of, out=None, root=None)
report.diagnose(team)
"""
API_CALLABLES = (
    "service_levels.budget.simulate", "service_levels.budget.backtest", "service_levels.slo.dumps",
)  # fmt: skip
PROMISED = [line for line in API.replace("\\\n", "").strip().splitlines() if line]


def resolve(dotted):
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(f"dataops_lib.{module}"), name)


def broken_promises(promise: str, function) -> list[str]:
    """How a function departs from a promised signature; more optional parameters are welcome.

    A positional promise may be kept under another name only by `*args`, a keyword by its name.
    """
    call = promise[promise.index("(") :]
    given = ast.parse(f"def f{call}: ...").body[0].args  # type: ignore[attr-defined]
    actual = dict(inspect.signature(function).parameters)
    wrong = []
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    order = [p for p in actual.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    for index, (wanted, default) in enumerate(zip(positional, defaults, strict=True)):
        if index >= len(order) or order[index].name != wanted.arg:
            wrong.append(f"parameter {index + 1} is not {wanted.arg}")
        elif default is not None:
            wrong += _default(order[index], default)
    for wanted, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        found = actual.get(wanted.arg)
        if found is None or found.kind not in (found.KEYWORD_ONLY, found.POSITIONAL_OR_KEYWORD):
            wrong.append(f"there is no keyword {wanted.arg}")
        elif default is not None:
            wrong += _default(found, default)
    if given.vararg and not any(p.kind is p.VAR_POSITIONAL for p in actual.values()):
        wrong.append("it takes one by one what should be many")
    named = {arg.arg for arg in [*positional, *given.kwonlyargs]}
    for name, parameter in actual.items():
        optional = parameter.default is not parameter.empty or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        )
        if name not in named and not optional:
            wrong.append(f"{name} is needed, but nobody was told")
    return wrong


def _default(parameter, wanted: ast.expr) -> list[str]:
    if parameter.default is parameter.empty:
        return [f"{parameter.name} has no default"]
    text = ast.unparse(wanted)
    if text == "..." or parameter.default == eval(text, {"timedelta": timedelta}):
        return []
    return [f"the default of {parameter.name} is {parameter.default!r}, not {text}"]


@pytest.mark.parametrize("promise", PROMISED, ids=lambda text: text.partition("(")[0])
def test_a_promised_function_takes_what_was_promised(promise):
    function = resolve(promise.partition("(")[0])
    assert broken_promises(promise, function) == []


@pytest.mark.parametrize("dotted", API_CALLABLES)
def test_a_promised_name_can_be_called(dotted):
    assert callable(resolve(dotted))


def test_a_publication_is_true_when_published_and_tells_its_run():
    from dataops_lib.wap import Publication

    assert Publication("r1", "marts.t", True)
    assert not Publication("r1", "marts.t", False)
    promised = ("published", "run_id", "branch", "snapshot_id", "rows", "findings")
    assert all(hasattr(Publication("r1", "marts.t", True), name) for name in promised)


def test_a_changed_signature_is_seen():
    def load(team, *, as_of=None, root=None):
        """As promised."""

    def renamed(squad, *, as_of=None, root=None):
        """Another name."""

    def gone(team, *, as_of=None):
        """A keyword less."""

    def other(team, *, as_of="today", root=None):
        """Another default."""

    def stricter(team, *, as_of, root=None):
        """No default."""

    def wider(team, *, as_of=None, root=None, more=1, **rest):
        """Optional parameters more."""

    def greedy(team, *, zone, as_of=None, root=None):
        """One more that is needed."""

    promise = "teams.load(team, *, as_of=None, root=None)"
    assert broken_promises(promise, load) == broken_promises(promise, wider) == []
    assert broken_promises(promise, renamed) == [
        "parameter 1 is not team",
        "squad is needed, but nobody was told",
    ]
    assert broken_promises(promise, gone) == ["there is no keyword root"]
    assert broken_promises(promise, other) == ["the default of as_of is 'today', not None"]
    assert broken_promises(promise, stricter) == ["as_of has no default"]
    assert broken_promises(promise, greedy) == ["zone is needed, but nobody was told"]
