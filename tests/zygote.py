"""A process that forks children which may be killed: a fork takes no second, a start does."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


class Zygote:
    """The process that forks the ones that die."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "crash_child.py"), str(os.getpid())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def order(self, do, *args, **options):
        """Have a child run a function; its answer, or {"killed": True}."""
        self.process.stdin.write(json.dumps({"do": do, "args": args} | options) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer
