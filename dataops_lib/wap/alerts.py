"""Where the word goes when an audit blocks a publish.

    write_audit_publish(..., on_alert=alerts.to_file(path))
    write_audit_publish(..., on_alert=alerts.to_webhook(url, timeout=timedelta(seconds=5)))
    write_audit_publish(..., on_alert=alerts.to_all(one, other))

A sink that is down or slow never decides about data: its failure becomes an event of the run.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dataops_lib.errors import DataError, UsageError
from dataops_lib.wap.publication import Publication

Sink = Callable[[Publication], None]
MOST_FINDINGS = 10  # in one message; the rest is counted


def message(publication: Publication) -> dict[str, Any]:
    """A Slack-shaped message; JSON takes any text, and Slack's own markup is escaped.

    Examples
    --------
    >>> message(Publication("r1", "marts.fct_orders", published=False))["text"]
    'WAP audit failed: marts.fct_orders, run r1. Readers keep what they had.'
    """
    table, run = _escaped(publication.table), _escaped(publication.run_id)
    text = f"WAP audit failed: {table}, run {run}. Readers keep what they had."
    bad = publication.blocked_by
    lines = [f"*{_escaped(f.subject)}*: {_escaped(f.evidence)}" for f in bad[:MOST_FINDINGS]]
    if len(bad) > MOST_FINDINGS:
        lines.append(f"and {len(bad) - MOST_FINDINGS} more")
    sections = [text, *lines]
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": line[:3000]}} for line in sections
    ]
    return {"text": text, "blocks": blocks}


def _escaped(text: str) -> str:
    """Text that Slack shows as it is; `<!channel>` in a message must not wake a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def to_file(path: Path | str) -> Sink:
    """Append one JSON line for each alert to a file; folders are made."""

    def sink(publication: Publication) -> None:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        entry = {"alerted_at": datetime.now(UTC).isoformat()} | message(publication)
        with target.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry, ensure_ascii=False) + "\n")

    return sink


def to_webhook(url: str, *, timeout: timedelta = timedelta(seconds=5)) -> Sink:
    """Post each alert as JSON; the whole call may take `timeout`, however slow the other side.

    Raises
    ------
    UsageError
        If `url` is not http or https.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"the webhook is {url!r}. Give an address that starts with https://")

    def sink(publication: Publication) -> None:
        body = json.dumps(message(publication)).encode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310
        _within(timeout, lambda: _send(request, timeout.total_seconds()))

    return sink


def to_all(*sinks: Sink) -> Sink:
    """Tell every sink, also when one before it fails; then say which failed."""

    def sink(publication: Publication) -> None:
        failures: list[str] = []
        for each in sinks:
            try:
                each(publication)
            except Exception as error:
                failures.append(f"{type(error).__name__}: {error}")
        if failures:
            raise DataError("; ".join(failures))

    return sink


def _send(request: urllib.request.Request, seconds: float) -> None:
    with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
        answer.read(1024)


def _within(limit: timedelta, call: Callable[[], None]) -> None:
    """Run `call`, but give up waiting for it after `limit`: sockets time out per read only."""
    failure: list[BaseException] = []

    def guarded() -> None:
        try:
            call()
        except Exception as error:
            failure.append(error)

    worker = threading.Thread(target=guarded, daemon=True)
    worker.start()
    worker.join(limit.total_seconds())
    if worker.is_alive():
        raise TimeoutError(f"no answer within {limit.total_seconds():g} s")
    if failure:
        raise failure[0]
