"""A real JupyterLab that serves one folder to one browser, and knows nothing else."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from dataops_lib.course.sliders import SWITCH

BIN = Path(sys.executable).parent
TOKEN = "only-for-this-test"
CHROMIUM = "/usr/bin/chromium"


@contextmanager
def served(folder, notebook):
    """The address of `notebook`, a file name in `folder`, while JupyterLab serves it."""
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--expose-app-in-browser", f"--ServerApp.root_dir={folder}"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"]
    environment = os.environ | {name: str(folder / where) for name, where in places.items()}
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=environment | {SWITCH: "1", "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield f"http://127.0.0.1:{port}/lab/tree/{notebook}?token={TOKEN}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # the server's own group: its kernels go too
            process.wait(20)


def opened(page, address):
    """Go to JupyterLab as soon as it answers, and run all cells of the notebook."""
    for _ in range(60):
        try:
            page.goto(address, wait_until="commit", timeout=5_000)
            break
        except Exception:
            time.sleep(0.5)
    kernel = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel"
    page.wait_for_function(f"{kernel}?.status === 'idle'", timeout=60_000)
    # `void`: the command's own result is JupyterLab itself, which no test can carry across
    page.evaluate("void window.jupyterapp.commands.execute('runmenu:run-all')")
