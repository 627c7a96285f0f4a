"""One lock, and every way to install it gives the same: make, pip, conda, Binder."""

import ast
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(PYPROJECT)["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PINS = [Requirement(line) for line in LOCK.splitlines() if re.match(r"[A-Za-z0-9]", line)]
CONDA = YAML(typ="safe").load(ROOT / "environment.yml")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
INSTALL = ROOT / ".ci" / "install.py"


def load_installer():
    spec = importlib.util.spec_from_file_location("install", INSTALL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


install = load_installer()


def direct_dependencies() -> list[Requirement]:
    """What the lock pins; dbt cannot share an environment with mypy and has its own."""
    extras = PROJECT["optional-dependencies"]
    groups = [PROJECT["dependencies"], *(extras[name] for name in extras if name != "dbt")]
    requirements = [Requirement(text) for group in groups for text in group]
    return [wanted for wanted in requirements if wanted.name != PROJECT["name"]]


# ---- environment.yml against the lock and pyproject.toml


def test_environment_yml_asks_for_python_and_pip_with_the_two_arguments_and_nothing_else():
    python, pip, from_pip = CONDA["dependencies"]
    assert python.startswith("python>=")
    assert pip == "pip"
    assert from_pip == {"pip": ["-c requirements.lock", "-e ."]}
    assert set(CONDA) == {"name", "channels", "dependencies"}


def test_environment_yml_starts_at_the_python_that_pyproject_requires():
    versions = SpecifierSet(CONDA["dependencies"][0].removeprefix("python"))
    lowest = {str(one) for one in versions if one.operator == ">="}
    assert lowest == {PROJECT["requires-python"]}
    assert "3.11" in versions
    assert ".".join(map(str, sys.version_info[:2])) in versions


def test_make_installs_what_conda_does_and_tests_add_the_rest_of_the_lock():
    in_conda = " ".join(CONDA["dependencies"][2]["pip"])
    assert " ".join(install.WANTED) == in_conda
    assert install.DEVELOPMENT == ["-r", "requirements.lock", "-e", "."]
    makefile = (ROOT / "Makefile").read_text()
    assert "$(BIN)/python .ci/install.py\n" in makefile
    assert "$(BIN)/python .ci/install.py dev\n" in makefile
    assert re.search(r"(?m)^test: \.venv/\.developed ", makefile)
    assert re.search(r"(?m)^report: \.venv ", makefile)


# ---- the lock


def test_the_lock_holds_exact_pins_and_no_address_hash_or_option():
    lines = [line.split("#")[0].strip() for line in LOCK.splitlines()]
    assert not [line for line in lines if line.startswith("-") or "://" in line or "@" in line]
    assert "sha256" not in LOCK
    assert len(PINS) == len([line for line in lines if line]) > 100
    for pin in PINS:
        assert [one.operator for one in pin.specifier] == ["=="], pin


@pytest.mark.parametrize("wanted", direct_dependencies(), ids=str)
def test_each_direct_dependency_is_pinned_within_what_pyproject_allows(wanted):
    name = canonicalize_name(wanted.name)
    pins = [pin for pin in PINS if canonicalize_name(pin.name) == name]
    assert pins, "not in the lock: make lock"
    for pin in pins:
        (version,) = pin.specifier
        assert version.version in wanted.specifier


def test_the_environment_in_use_is_the_one_of_the_lock():
    here = [pin for pin in PINS if pin.marker is None or pin.marker.evaluate()]
    wrong = [str(pin) for pin in here if installed(pin.name) not in pin.specifier]
    assert not wrong, "make .venv installs them"


def installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "0"


# ---- pyproject.toml


def test_each_dependency_has_its_reason_beside_it():
    lines = [line for line in PYPROJECT.splitlines() if re.match(r' {4}"[\w.-]+[\[>=]', line)]
    assert len(lines) >= len(direct_dependencies())
    bare = [line.strip() for line in lines if not re.search(r'",\s+# \w+', line)]
    assert bare == ['"dataops-notebooks[alerts,app,ci,docs,postgres,rota,spark]",']


def test_the_build_backend_is_pinned_exactly():
    (backend,) = tomllib.loads(PYPROJECT)["build-system"]["requires"]
    assert re.fullmatch(r"[a-z_]+==[\d.]+", backend)


def test_no_file_in_git_is_over_six_megabytes():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    assert len(files) > 10
    assert [file.name for file in files if file.is_file() and file.stat().st_size > 6e6] == []


# ---- .ci/install.py


def test_pip_settings_are_read_as_pip_prints_them_and_the_environment_wins():
    listed = (
        ":env:.index-url='https://env.example/simple'\n"
        "global.index-url='https://global.example/simple'\n"
        "global.extra-index-url='\\nhttps://one.example\\nhttps://two.example'\n"
        "install.find-links='/wheels /more'\n"
        "download.cert='/only/for/download.pem'\n"
    )
    settings = install.pip_settings(listed)
    assert settings["index-url"] == "https://env.example/simple"
    assert install.uv_variables(settings) == {
        "UV_SYSTEM_CERTS": "1",
        "UV_DEFAULT_INDEX": "https://env.example/simple",
        "UV_INDEX": "https://one.example https://two.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels,/more",
    }


def test_without_any_configuration_uv_only_learns_to_trust_the_system_certificates():
    assert install.uv_variables(install.pip_settings("")) == {"UV_SYSTEM_CERTS": "1"}


@pytest.mark.parametrize(("written", "meant"), [("true", True), ("1", True), ("false", False)])
def test_no_index_is_understood(written, meant):
    settings = install.pip_settings(f":env:.no-index='{written}'\n")
    assert install.has_no_index(settings) is meant


def test_an_older_python_can_read_the_installer_and_is_refused_in_a_sentence():
    source = INSTALL.read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    pretend = "import runpy, sys; sys.version_info = (3, 10, 4); runpy.run_path(sys.argv[1])"
    ended = subprocess.run(
        [sys.executable, "-c", pretend, str(INSTALL)], capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Python 3.11 or newer is needed, and this is 3.10.4.")


def test_without_a_registry_it_tries_uv_then_pip_then_says_so_and_prints_no_password(tmp_path):
    venv.create(tmp_path / "env", with_pip=True)
    folder = "Scripts" if os.name == "nt" else "bin"
    nobody = "http://someone:hunter2@127.0.0.1:9/simple"
    told = {"PIP_INDEX_URL": nobody, "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    ended = subprocess.run(
        [str(tmp_path / "env" / folder / "python"), str(INSTALL)],
        env={**{k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_"))}, **told},
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert "uv did not do it (exit code 1); pip now installs the same" in said
    assert "Neither uv nor pip installed requirements.lock" in said
    assert "hunter2" not in said


# ---- the Makefile, with real make and tools that only write down how they were called


@pytest.fixture
def clone(tmp_path):
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "notebooks").mkdir()
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    for name in ("ruff", "lint-imports", "mypy", "pytest", "dataops"):
        (tools / name).write_text(
            f'#!/bin/sh\necho "{name} $*" >> calls\n[ "$1" != "${{FAIL-none}}" ] || exit 1\n'
        )
        (tools / name).chmod(0o755)
    for stamp in (".installed", ".developed"):
        (tools.parent / stamp).touch()
    return tmp_path


def make(folder: Path, *arguments: str, **environment: str) -> tuple[int, str, list[str]]:
    ended = subprocess.run(
        ["make", *arguments],
        cwd=folder,
        # A make that runs these tests hands its own flags down.
        env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    calls = folder / "calls"
    called = calls.read_text().splitlines() if calls.exists() else []
    return ended.returncode, ended.stdout + ended.stderr, called


def test_make_help_lists_every_target():
    phony = re.search(r"\.PHONY: (.*)", (ROOT / "Makefile").read_text()).group(1).split()
    code, said, _ = make(ROOT, "help")
    assert code == 0
    assert [line.split()[1] for line in said.splitlines()] == phony


def test_make_test_runs_format_lint_arrows_types_tests_and_notebooks_in_this_order(clone):
    (clone / "notebooks" / "00_start_here.ipynb").touch()
    code, said, called = make(clone, "test")
    assert code == 0, said
    steps = ["ruff", "ruff", "lint-imports", "mypy", "dataops", "pytest", "pytest"]
    assert [call.split()[0] for call in called] == steps
    assert called[4] == "dataops demo"
    assert called[5].endswith("-m not deep and not browser")
    assert "--nbval --nbval-current-env --nbval-cell-timeout=120 -n 2 --dist loadscope" in called[6]
    assert called[6].endswith("notebooks/00_start_here.ipynb")


def test_make_test_stops_at_the_first_failure_and_says_which(clone):
    code, said, called = make(clone, "test", FAIL="check")
    assert code != 0
    assert "==== FAILED: lint" in said
    assert called == ["ruff format --check .", "ruff check ."]


def test_without_notebooks_make_test_says_that_it_compared_none(clone):
    code, said, called = make(clone, "test")
    assert code == 0
    assert "nothing was compared" in said
    assert not [call for call in called if "nbval" in call]


def test_make_report_passes_team_and_date_on(clone):
    assert make(clone, "report")[2] == ["dataops report flights --as-of 2013-03-01"]
    called = make(clone, "report", "TEAM=orders", "AS_OF=last-month")[2]
    assert called[-1] == "dataops report orders --as-of last-month"


@pytest.mark.parametrize(
    ("changed", "again"), [("requirements.lock", 1), ("pyproject.toml", 1), ("Makefile", 0)]
)
def test_the_environment_is_made_again_only_for_the_lock_and_pyproject(clone, changed, again):
    assert make(clone, "--question", f"--what-if={changed}", ".venv")[0] == again


def test_make_refuses_a_python_that_is_too_old_in_a_sentence(clone):
    (clone / ".venv" / ".installed").unlink()
    code, said, _ = make(clone, ".venv", "PYTHON=/bin/false")
    assert code != 0
    assert "Python 3.11 or newer with its venv module is needed" in said
    assert not (clone / ".venv" / ".installed").exists()


# ---- what build servers run


def test_ci_run_is_executable_bash_and_makes_postgres_a_must():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert "export DATAOPS_REQUIRE_POSTGRES=1\n" in script.read_text()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_and_puts_nothing_typed_by_people_into_a_command(path):
    workflow = YAML(typ="safe").load(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 30
        assert not [step for step in job["steps"] if "${{" in step.get("run", "")]


def test_all_workflows_are_there():
    assert [path.name for path in WORKFLOWS] == [
        "dataops-pipeline.yml",
        "monthly-report.yml",
        "test.yml",
    ]


# ---- what runs before a commit


def test_each_hook_calls_a_tool_that_is_there():
    hooks = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    assert [hook["id"] for hook in hooks] == ["format", "lint", "arrows", "outputs"]
    for hook in hooks:
        program, *arguments = hook["entry"].split()
        assert Path(program).parts[:2] == (".venv", "bin")
        assert (Path(sys.executable).parent / Path(program).name).exists()
        assert all((ROOT / name).is_file() for name in arguments if name.startswith("."))


def test_a_notebook_with_a_cell_that_was_never_run_is_refused(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": "# Text"},
        {"cell_type": "code", "source": "1 + 1", "execution_count": 1},
        {"cell_type": "code", "source": "", "execution_count": None},
        {"cell_type": "code", "source": "2 + 2", "execution_count": None},
    ]
    for name, kept in {"bad.ipynb": cells, "good.ipynb": cells[:3]}.items():
        (tmp_path / name).write_text(json.dumps({"cells": kept}))
    call = [sys.executable, str(ROOT / ".ci" / "outputs.py")]
    bad = subprocess.run(
        [*call, "bad.ipynb", "good.ipynb"], cwd=tmp_path, capture_output=True, text=True
    )
    good = subprocess.run([*call, "good.ipynb"], cwd=tmp_path, capture_output=True, text=True)
    assert (bad.returncode, good.returncode) == (1, 0)
    assert bad.stdout == "bad.ipynb: cells 4 were never run. Run `make notebooks`.\n"
