"""Install this project into the environment whose Python runs this file, as the lock pins it.

A report needs the project and what it imports; `install.py dev` adds all that is in the lock:
what tests, engines and other extras need.

uv does it in seconds where pip takes minutes, so uv comes first and pip is the fallback. uv reads
nothing of pip's configuration, and a workplace's registry is usually named only there: it is
translated. `python .ci/install.py pip compile ...` runs uv itself with the same settings.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python is the one that must read it
    found = ".".join(str(part) for part in sys.version_info[:3])
    sys.exit(
        f"Python 3.11 or newer is needed, and this is {found}. Name one: make PYTHON=python3.12"
    )

ROOT = Path(__file__).resolve().parents[1]
WANTED = ["-c", "requirements.lock", "-e", "."]  # environment.yml says the same
DEVELOPMENT = ["-r", "requirements.lock", "-e", "."]
UV = "uv>=0.11"  # the first that knows UV_SYSTEM_CERTS

# pip's setting: uv's variable. Indexes may hold a password, so they travel in the environment,
# where a list of processes does not show them.
VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
}
LATER_WINS = ("global", "install", ":env:")  # the order in which pip itself lets sections win


def main(arguments: list[str]) -> None:
    """Install with uv, else with pip; with arguments other than `dev`, only run uv with them."""
    os.chdir(ROOT)
    wanted = DEVELOPMENT if arguments == ["dev"] else WANTED
    uv_arguments = [] if arguments == ["dev"] else arguments
    configured = pip_settings(output_of_pip("config", "list"))
    uv = [sys.executable, "-m", "uv", *(["--no-index"] if has_no_index(configured) else [])]
    environment = {**uv_variables(configured), **os.environ}  # uv's own, where set, win
    try:
        pip("install", "--quiet", UV)
        if uv_arguments:
            run([*uv, *uv_arguments], environment)
        else:
            run([*uv, "pip", "install", "--python", sys.executable, *wanted], environment)
    except (subprocess.CalledProcessError, OSError) as error:
        if uv_arguments:
            sys.exit(f"uv did not do it ({reason(error)}).")
        print(
            f"uv did not do it ({reason(error)}); pip now installs the same, in minutes.",
            flush=True,
        )
        install_with_pip(wanted)


def install_with_pip(wanted: list[str]) -> None:
    """Install with pip, and say what to look at when pip fails too."""
    try:
        pip("install", *wanted)
    except (subprocess.CalledProcessError, OSError) as error:
        sys.exit(
            f"Neither uv nor pip installed requirements.lock ({reason(error)}); what they said"
            " stands above. Usually the registry cannot be reached: set PIP_INDEX_URL, PIP_CERT or"
            " PIP_PROXY, or ask whoever runs your package mirror."
        )


def pip_settings(listed: str) -> dict[str, str]:
    """Read what `pip config list` prints: lines of `section.name='value'`."""
    lines = [line.partition("=") for line in listed.splitlines() if "=" in line]
    found = [(*name.rpartition(".")[::2], ast.literal_eval(value)) for name, _, value in lines]
    known = [entry for entry in found if entry[0] in LATER_WINS]
    ordered = sorted(known, key=lambda entry: LATER_WINS.index(entry[0]))
    return {name: value for _, name, value in ordered}


def uv_variables(configured: dict[str, str]) -> dict[str, str]:
    """Translate pip's settings into uv's environment variables.

    pip takes the best version of all indexes, uv by default the first index that knows the name.
    """
    variables = {"UV_SYSTEM_CERTS": "1"}
    for name, variable in VARIABLES.items():
        values = configured.get(name, "").split()
        if values:
            variables[variable] = ("," if name == "find-links" else " ").join(values)
    if "UV_INDEX" in variables:
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return variables


def has_no_index(configured: dict[str, str]) -> bool:
    """Tell whether pip is told to use no index; uv has a flag for it, no variable."""
    return configured.get("no-index", "").lower() in ("1", "true", "yes", "on", "y", "t")


def pip(*arguments: str) -> None:
    """Run this environment's pip."""
    run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], dict(os.environ))


def output_of_pip(*arguments: str) -> str:
    """Return what pip prints, nothing if it cannot."""
    command = [sys.executable, "-m", "pip", *arguments]
    return subprocess.run(command, capture_output=True, text=True).stdout  # noqa: S603


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run a command; its output goes to the terminal."""
    subprocess.run(command, env=environment, check=True)  # noqa: S603 - of our own making


def reason(error: Exception) -> str:
    """Say why without the command, so that no address of a registry is repeated."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"exit code {error.returncode}"
    return type(error).__name__


if __name__ == "__main__":
    main(sys.argv[1:])
