"""Many processes publish to one table at once: none is lost, none comes twice, all finish."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import lake
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from zygote import Zygote

from dataops_lib import warehouse

DEBIAN = Path("/usr/lib/postgresql")  # Debian keeps initdb and postgres off the PATH


def race(uri, files, *, processes, each):
    """Let forked processes publish; what readers see afterwards must be everything, once."""
    catalog = SqlCatalog("lake", uri=uri, warehouse=files)
    warehouse.create_table(catalog, lake.NAME, lake.ORDERS)
    zygote = Zygote()
    try:
        running = [
            zygote.order("publish_many", uri, files, worker, each, background=True)
            for worker in range(processes)
        ]
        answers = [zygote.order("collect", **process) for process in running]
    finally:
        zygote.process.stdin.close()
        zygote.process.wait(timeout=60)
        zygote.process.stdout.close()
    expected = [1000 * w + n for w in range(processes) for n in range(2 * each)]
    assert lake.ids(catalog) == expected
    assert len(lake.tags(catalog)) == processes * each
    assert lake.branch_names(catalog) == []
    assert sum(answer["value"]["rebased"] for answer in answers) > 0, "nobody met anybody"
    catalog.engine.dispose()


def test_eight_processes_on_sqlite_lose_and_repeat_nothing(tmp_path):
    race(f"sqlite:///{tmp_path}/catalog.db", f"file://{tmp_path}/files", processes=8, each=1)


@pytest.mark.deep
def test_eight_processes_on_sqlite_for_long(tmp_path):
    race(f"sqlite:///{tmp_path}/catalog.db", f"file://{tmp_path}/files", processes=8, each=8)


def test_four_processes_on_postgres_lose_and_repeat_nothing(postgres, tmp_path):
    race(postgres, f"file://{tmp_path}/files", processes=4, each=1)


@pytest.mark.deep
def test_four_processes_on_postgres_for_long(postgres, tmp_path):
    race(postgres, f"file://{tmp_path}/files", processes=4, each=10)


def _program(name):
    versions = sorted(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(versions[-1]) if versions else shutil.which(name)


def _unprivileged():
    """A command prefix and a user: the server refuses to run as root."""
    if os.geteuid() != 0:
        return [], None
    for name in ("postgres", "nobody"):
        try:
            return ["runuser", "-u", name, "--"], pwd.getpwnam(name)
        except KeyError:
            continue
    return [], None


@pytest.fixture
def postgres():
    """Address of a Postgres server of the test's own, on a unix socket in a folder of its own."""
    if not (_program("initdb") and _program("postgres")):
        if os.environ.get("DATAOPS_REQUIRE_POSTGRES"):
            pytest.fail("postgres is required here, but there is no initdb")
        pytest.skip("there is no Postgres; Debian's package postgresql has it")
    prefix, user = _unprivileged()
    # Not below tmp_path: another user must reach the folder, and socket paths are short.
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder:
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data = f"{folder}/data"
        make = [*prefix, _program("initdb"), "-D", data, "-U", "lake", "-A", "trust"]
        made = subprocess.run(
            [*make, "--no-sync", "-E", "UTF8", "--locale=C"],
            cwd="/", capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
        log = Path(folder, "log").open("w")  # noqa: SIM115
        server = subprocess.Popen(
            [*prefix, _program("postgres"), "-D", data, *options, "-c", "fsync=off"],
            cwd="/", stdout=log, stderr=log,
        )  # fmt: skip
        try:
            _wait_for(Path(folder, ".s.PGSQL.5432"), server)
            yield f"postgresql+psycopg2://lake@/postgres?host={folder}"
        finally:
            subprocess.run([*prefix, _program("pg_ctl"), "stop", "-D", data, "-m", "immediate"],
                           cwd="/", capture_output=True, timeout=60)  # fmt: skip
            server.wait(timeout=60)
            log.close()


def _wait_for(path, server):
    import time

    for _ in range(300):
        if path.exists():
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(path)) == 0:
                    return
        assert server.poll() is None, (path.parent / "log").read_text()
        time.sleep(0.1)
    raise AssertionError("Postgres did not start within 30 s")
