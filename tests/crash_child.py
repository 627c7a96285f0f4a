"""Processes that die: started once, it forks a child for every order, so imports are paid once.

Orders come as JSON lines on stdin, answers go as JSON lines to stdout. A child runs one function of
this file with a real catalog whose commits and files call `reached(point)`; at the ordered point
it kills itself with SIGKILL. All of them die with the process that started them (Linux).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from datetime import timedelta
from pathlib import Path

import lake
import pyarrow as pa
from lake import NAME
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io import OutputFile
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table.update import SetSnapshotRefUpdate

from dataops_lib import audit, wap, warehouse
from dataops_lib.errors import UsageError
from dataops_lib.wap import incoming

POINTS = [
    "before data file", "after data file", "after manifest", "before manifest list",
    "after manifest list", "before stage commit", "before stage metadata", "after stage metadata",
    "after stage commit", "before audit record", "after audit record", "before publish commit",
    "after publish metadata", "after publish commit",
]  # fmt: skip
MODES = {
    "append": "append",
    "overwrite": "overwrite",
    "overwrite where": wap.overwrite_where("id >= 0"),
    "upsert": wap.upsert("id"),
    "stream": "append",
}
CHECKS = [audit.not_null("amount"), audit.unique("id")]
_order: dict = {"point": None, "left": 0, "phase": "stage"}


def reached(point: str) -> None:
    """Die here when this is the point that was ordered."""
    if point == _order["point"]:
        _order["left"] -= 1
        if _order["left"] == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _kind(path: str) -> str:
    name = path.rsplit("/", 1)[-1]
    if name.endswith(".metadata.json"):
        return f"{_order['phase']} metadata"
    if name.startswith("snap-"):
        return "manifest list"
    kinds = {".avro": "manifest", ".json": "audit record", ".parquet": "data file"}
    return kinds[Path(name).suffix]


class DyingOutput(OutputFile):
    """A file that tells when it is opened for writing, and when it is closed."""

    def __init__(self, inner):
        super().__init__(inner.location)
        self._inner = inner

    def __len__(self):
        return len(self._inner)

    def exists(self):
        return self._inner.exists()

    def to_input_file(self):
        return self._inner.to_input_file()

    def create(self, overwrite=False):
        reached(f"before {_kind(self.location)}")
        stream = self._inner.create(overwrite=overwrite)
        return DyingStream(stream, f"after {_kind(self.location)}")


class DyingStream:
    def __init__(self, stream, point):
        self._stream, self._point = stream, point

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *details):
        self.close()

    def close(self):
        if not self._stream.closed:
            self._stream.close()
            reached(self._point)


class DyingIO(PyArrowFileIO):
    def new_output(self, location):
        return DyingOutput(super().new_output(location))


class DyingCatalog(SqlCatalog):
    def commit_table(self, table, requirements, updates):
        refs = [u.ref_name for u in updates if isinstance(u, SetSnapshotRefUpdate)]
        tagged = any("published-" in ref for ref in refs)  # an expiry names main too
        _order["phase"] = phase = "publish" if tagged else "stage"
        reached(f"before {phase} commit")
        answer = super().commit_table(table, requirements, updates)
        reached(f"after {phase} commit")
        return answer


def open_lake(path: str) -> DyingCatalog:
    uri, files = f"sqlite:///{path}/catalog.db", f"file://{path}/files"
    return DyingCatalog("lake", uri=uri, warehouse=files, **{"py-io-impl": "crash_child.DyingIO"})


def create(path: str) -> None:
    """An empty table."""
    warehouse.create_table(open_lake(path), NAME, lake.ORDERS)


def run(path: str, run_id: str, mode: str, ids: list[int], bad: bool = False) -> dict:
    """One call of write_audit_publish; `bad` rows have no amount, which the audit blocks."""
    incoming.BATCH_ROWS = 2
    data = lake.orders(*ids, amount=None if bad else 1.0)
    if mode == "stream":
        data = pa.RecordBatchReader.from_batches(lake.ORDERS, data.to_batches(max_chunksize=2))
    result = wap.write_audit_publish(
        data, NAME, CHECKS, catalog=open_lake(path), mode=MODES[mode], run_id=run_id,
        keep_failed_for=timedelta(days=1),
    )  # fmt: skip
    return {"published": result.published}


def resume(path: str, run_id: str) -> dict:
    """Resume a run with its checks; a run that left no trace is no error here."""

    try:
        return {"published": wap.resume(
            NAME, catalog=open_lake(path), run_id=run_id, quality_checks=CHECKS
        ).published}  # fmt: skip
    except UsageError as error:
        return {"published": False, "said": str(error)}


def recover(path: str, by_resume: bool, *args) -> dict:
    """What a scheduler does next: resume the run if asked, run it again, and look."""
    if by_resume:
        resume(path, args[0])
    return run(path, *args) | state(path)


def state(path: str) -> dict:
    """What stands in the catalog."""
    found = lake.catalog(Path(path))
    return {
        "ids": lake.ids(found), "tags": lake.tags(found), "branches": lake.branch_names(found)
    }  # fmt: skip


def publish_many(uri: str, files: str, worker: int, count: int) -> dict:
    """Publish `count` runs of two orders each, as fast as the others let it."""
    catalog = SqlCatalog("lake", uri=uri, warehouse=files)
    rebased = 0
    for number in range(count):
        first = 1000 * worker + 2 * number
        result = wap.write_audit_publish(
            lake.orders(first, first + 1), NAME, CHECKS, catalog=catalog,
            run_id=f"worker{worker}-{number}",
        )  # fmt: skip
        assert result, result.blocked_by
        rebased += result.rebased
    return {"rebased": rebased}


def watch(path: str) -> dict:
    """Poll main until a file `stop` appears; the distinct sets of ids that a reader saw."""
    catalog, seen, polls = lake.catalog(Path(path)), [], 0
    while True:
        last = (Path(path) / "stop").exists()
        ids = lake.ids(catalog)
        polls += 1
        if ids not in seen:
            seen.append(ids)
        if last:
            return {"seen": seen, "polls": polls}
        time.sleep(0.03)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when `parent` dies; a child that polls never asks."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:  # it died before it could be watched
            os._exit(1)


def _child(order: dict, answer: int, parent: int) -> None:
    die_with(parent)
    _order["point"], _order["left"] = order.get("point"), order.get("occurrence", 1)
    try:
        result = {"value": globals()[order["do"]](*order["args"])}
    except BaseException:
        result = {"error": traceback.format_exc()}
    os.write(answer, json.dumps(result).encode())
    os._exit(0)


def warm_up() -> None:
    """Pay lazy imports and compiled queries before the first fork; no threads, no DuckDB."""
    import rich.console  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        found = SqlCatalog("lake", uri=f"sqlite:///{folder}/catalog.db", warehouse=folder)
        found.create_namespace("marts")
        found.list_tables("marts")
        found.engine.dispose()


def main() -> None:
    die_with(int(sys.argv[1]))
    warm_up()
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "collect":
            pid, read = order["pid"], order["read"]
        else:
            read, write = os.pipe()
            own, pid = os.getpid(), os.fork()
            if pid == 0:
                _child(order, write, own)
            os.close(write)
            if order.get("background"):
                print(json.dumps({"pid": pid, "read": read}), flush=True)
                continue
        with os.fdopen(read, "rb") as stream:
            content = stream.read()
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        answer = json.loads(content) if content else {}
        print(json.dumps(answer | {"killed": killed}), flush=True)


if __name__ == "__main__":
    sys.modules["crash_child"] = sys.modules["__main__"]
    main()
