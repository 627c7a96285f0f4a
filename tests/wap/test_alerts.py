"""Alerts reach a file or a webhook, and a sink that is down decides nothing."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import lake
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lake import orders
from publishing import publish

from dataops_lib import audit
from dataops_lib.errors import UsageError
from dataops_lib.finding import Finding
from dataops_lib.wap import Publication, alerts


class Receiver(BaseHTTPRequestHandler):
    """A webhook that keeps what it is sent; `/slow` drips, `/broken` says 500."""

    received: list[dict] = []  # noqa: RUF012

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/slow":
            for _ in range(50):  # a byte at a time: no single read ever times out
                time.sleep(0.1)
                try:
                    self.wfile.write(b"H")
                except OSError:
                    return
        self.received.append(json.loads(body))
        self.send_response(500 if self.path == "/broken" else 200)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    Receiver.received = []
    found = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{found.server_port}"
    threading.Thread(target=found.shutdown).start()
    found.server_close()


def blocked(tmp_path, sink):
    catalog = lake.with_table(tmp_path)
    return publish(catalog, orders(1, amount=None), [audit.not_null("amount")], on_alert=sink,
                   run_id="r")  # fmt: skip


def test_a_blocked_audit_reaches_the_webhook_in_slacks_shape(tmp_path, server):
    result = blocked(tmp_path, alerts.to_webhook(server))
    [sent] = Receiver.received
    assert sent["text"] == "WAP audit failed: marts.orders, run r. Readers keep what they had."
    assert sent["blocks"][1]["text"] == {
        "type": "mrkdwn",
        "text": "*not_null(amount)*: 1 of 1 rows have no amount",
    }
    assert result.events[-1][1] == "alerted"


def test_a_published_run_alerts_nobody(tmp_path):
    told = []
    catalog = lake.with_table(tmp_path)
    assert publish(catalog, orders(1), [], on_alert=told.append)
    assert told == []


def test_data_that_does_not_fit_alerts_too(tmp_path):
    told = []
    catalog = lake.with_table(tmp_path)
    publish(catalog, orders(1).drop_columns(["id"]).append_column("x", [[1]]), [],
            on_alert=told.append)  # fmt: skip
    assert told[0].blocked_by


@pytest.mark.parametrize("where", ["http://127.0.0.1:1/", "broken"], ids=["down", "says 500"])
def test_a_webhook_that_fails_is_recorded_and_fails_nothing(tmp_path, server, where):
    url = where if where.startswith("http") else f"{server}/{where}"
    result = blocked(tmp_path, alerts.to_webhook(url))
    assert result.events[-1][1] == "alert failed"
    assert [finding.subject for finding in result.blocked_by] == ["not_null(amount)"]


def test_a_webhook_that_drips_is_given_up_after_the_timeout(tmp_path, server):
    sink = alerts.to_webhook(f"{server}/slow", timeout=timedelta(milliseconds=300))
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.3 s"):
        sink(Publication("r", "t", published=False))
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/", "example.org/hook", ""])
def test_only_http_addresses_are_webhooks(url):
    with pytest.raises(UsageError, match="https://"):
        alerts.to_webhook(url)


def test_alerts_go_to_a_file_one_line_each(tmp_path):
    path = tmp_path / "new folder" / "alerts.jsonl"
    sink = alerts.to_file(path)
    for run in ("a", "b"):
        sink(Publication(run, "t", published=False))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["text"].split(",")[1] for line in lines] == [
        " run a. Readers keep what they had.",
        " run b. Readers keep what they had.",
    ]


def test_a_file_that_cannot_be_written_is_recorded_and_fails_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    result = blocked(tmp_path, alerts.to_file(tmp_path / "file" / "alerts.jsonl"))
    assert result.events[-1][1] == "alert failed"


def test_one_failing_sink_does_not_keep_the_word_from_the_next():
    told = []

    def down(publication):
        raise ConnectionError("down")

    with pytest.raises(Exception, match="ConnectionError: down"):
        alerts.to_all(down, told.append)(Publication("r", "t", published=False))
    assert len(told) == 1


@given(st.text())
def test_a_message_is_json_for_any_text_and_wakes_no_channel(text):
    finding = Finding(text, "fail", text, "")
    publication = Publication(text, "t", published=False, findings=(finding,))
    body = json.dumps(alerts.message(publication))
    shown = json.loads(body)["blocks"][1]["text"]["text"]
    assert "<" not in shown.replace("&lt;", "")
    plain = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert plain == f"*{text}*: {text}"[: len(plain)]


@pytest.mark.parametrize("text", ['say "no"', "$(rm -rf /)", "a\nb", "<!channel>", "`x`", "\\"])
def test_text_that_shells_and_slack_would_run_arrives_as_text(text):
    finding = Finding("check", "fail", text, "")
    message = alerts.message(Publication("r", "t", published=False, findings=(finding,)))
    shown = json.loads(json.dumps(message))["blocks"][1]["text"]["text"]
    assert shown == "*check*: " + text.replace("<", "&lt;").replace(">", "&gt;")


def test_many_failures_are_counted_and_not_all_sent():
    findings = tuple(Finding(f"check {n}", "fail", "bad", "") for n in range(15))
    blocks = alerts.message(Publication("r", "t", published=False, findings=findings))["blocks"]
    assert blocks[-1]["text"]["text"] == "and 5 more"
