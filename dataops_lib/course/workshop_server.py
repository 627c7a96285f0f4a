"""The server of a workshop's form, for one room and one session."""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
from collections.abc import Mapping
from datetime import date
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.httpserver import HTTPServer
from tornado.httputil import url_concat
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from dataops_lib import yaml_lines
from dataops_lib.course import workshop_pages
from dataops_lib.course.workshop import PAINS, Workshop, assessment
from dataops_lib.course.workshop_result import Result, result
from dataops_lib.errors import DataError, DataOpsError, UsageError
from dataops_lib.maturity import Measured
from dataops_lib.maturity.model import Model
from dataops_lib.teams.models import Assessment

LARGEST = 64 * 1024  # bytes of one form; thirty full lines take 20 KB


def current(workshop: Workshop, team: str, day: date, measured: Mapping[str, Measured]) -> Result:
    """The result of what is answered until now."""
    text = assessment(workshop, day)
    located = yaml_lines.loads(text, "assessment.yaml")
    return result(team, yaml_lines.validate(Assessment, located), day=day, measured=measured)


class _Page(RequestHandler):
    def initialize(self, **shared: Any) -> None:
        self.shared: dict[str, Any] = shared
        self.workshop: Workshop = shared["workshop"]
        self.nonce = secrets.token_urlsafe(12)

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", "default-src 'none'")

    def prepare(self) -> None:
        """Know the room's token before anything is read; refuse what no form is as large as."""
        own = {self.workshop.token, self.workshop.facilitator}
        token = self.path_args[0] if self.path_args else ""
        if not any(secrets.compare_digest(str(token), one) for one in own):
            raise HTTPError(404)
        if len(self.request.body) > LARGEST:
            self.refuse(413, f"That is more than a form holds ({LARGEST // 1024} KB).")

    def values(self) -> dict[str, str]:
        """The form's fields; the last one of each name counts."""
        return {
            name: self.get_body_argument(name, strip=False) for name in self.request.body_arguments
        }

    def show(self, html: str, code: int = 200) -> None:
        self.set_status(code)
        self.set_header(
            "Content-Security-Policy",
            f"default-src 'none'; style-src 'nonce-{self.nonce}'; script-src 'nonce-{self.nonce}';"
            " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        )
        self.finish(html)

    def refuse(self, code: int, sentence: str) -> None:
        """A sentence: as a page, or as text for the form's own script."""
        if "text/plain" in self.request.headers.get("Accept", ""):
            self.set_status(code)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(sentence)
            return
        self.door(code=code, title="That did not work", refusal=sentence, action=self.request.path)

    def door(self, code: int = 200, **values: Any) -> None:
        whole = {"refusal": "", "room": False, "join": False, "nonce": self.nonce}
        self.show(workshop_pages.page("workshop_door.html.j2", **whole | values), code)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        if isinstance(error, DataOpsError):
            self.refuse(400 if isinstance(error, UsageError) else 500, str(error))
        elif status_code == 404:
            self.refuse(404, "There is no such page; ask the facilitator for the link.")
        else:
            self.refuse(status_code, "The page does not understand this; load it again.")

    def log_exception(self, *details: Any) -> None:
        """What was refused is told to who asked, and to nobody's log: addresses hold tokens."""
        if not isinstance(details[1], DataOpsError | HTTPError):
            super().log_exception(*details)

    def the_result(self) -> None:
        made = current(self.workshop, *(self.shared[k] for k in ("team", "day", "measured")))
        self.show(made.html(self.nonce))


class _Join(_Page):
    def get(self, token: str) -> None:
        self.door(
            join=True, title=f"{self.shared['team']}: a workshop", model=self.workshop.model,
            action=f"/w/{token}",
        )  # fmt: skip

    def post(self, token: str) -> None:
        id = self.workshop.join(self.values().get("person", ""))
        self.redirect(f"/w/{token}/{id}", status=303)


class _Form(_Page):
    def get(self, token: str, id: str) -> None:
        self.form(token, id)

    def post(self, token: str, id: str) -> None:
        refusals = self.workshop.save(id, self.values())
        if "text/plain" in self.request.headers.get("Accept", ""):
            self.set_status(400 if refusals else 200)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(" ".join(["Not everything was saved:", *refusals]) if refusals else
                        self.status(id))  # fmt: skip
        elif refusals:
            self.form(token, id, tuple(refusals))
        else:
            self.redirect(f"/w/{token}/{id}", status=303)

    def status(self, id: str) -> str:
        sheet = self.workshop.sheet(id)
        count = len(sheet.answers) if sheet else 0
        return f"Saved: {count} of {len(self.workshop.model.questions)} answered."

    def form(self, token: str, id: str, refusals: tuple[str, ...] = ()) -> None:
        if (sheet := self.workshop.sheet(id)) is None:
            raise HTTPError(404)
        if self.workshop.revealed:
            self.the_result()
            return
        html = workshop_pages.form(
            self.workshop.model, f"{self.shared['team']}: where do we stand?", sheet.values(),
            action=f"/w/{token}/{id}", nonce=self.nonce, status=self.status(id), refusals=refusals,
        )  # fmt: skip
        self.show(html, 400 if refusals else 200)


class _Facilitator(_Page):
    def prepare(self) -> None:
        if not secrets.compare_digest(self.path_args[0], self.workshop.facilitator):
            raise HTTPError(404)
        super().prepare()

    def get(self, token: str) -> None:
        done, people = self.workshop.done()
        self.door(
            room=True, title=f"{self.shared['team']}: the facilitator's page", done=done,
            people=people, revealed=self.workshop.revealed, link=self.shared["link"],
            qr=workshop_pages.qr_svg(self.shared["link"]), action=f"/f/{token}",
        )  # fmt: skip

    def post(self, token: str) -> None:
        self.workshop.reveal(self.values().get("show") == "yes")
        self.redirect(f"/f/{token}", status=303)


class _Preview(_Facilitator):
    def get(self, token: str) -> None:
        self.the_result()


class Server:
    """Listens until it is closed; `link` is for the room and `facilitator` for one person."""

    def __init__(
        self,
        workshop: Workshop,
        team: str,
        *,
        day: date,
        measured: Mapping[str, Measured],
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        try:
            sockets = bind_sockets(port, host, family=socket.AF_INET)
        except OSError as error:
            raise DataError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        base = f"http://{_reachable(host)}:{sockets[0].getsockname()[1]}"
        self.workshop, self.link = workshop, f"{base}/w/{workshop.token}"
        self.facilitator = f"{base}/f/{workshop.facilitator}"
        shared = {"workshop": workshop, "team": team, "day": day, "measured": measured,
                  "link": self.link}  # fmt: skip
        routes: list[Any] = [
            (r"/w/([A-Za-z0-9_-]{1,60})", _Join, shared),
            (r"/w/([A-Za-z0-9_-]{1,60})/([A-Za-z0-9_-]{22})", _Form, shared),
            (r"/f/([A-Za-z0-9_-]{1,60})", _Facilitator, shared),
            (r"/f/([A-Za-z0-9_-]{1,60})/result", _Preview, shared),
        ]
        application = Application(
            routes, default_handler_class=_Page, default_handler_args=shared,
            log_function=lambda handler: None,
        )  # fmt: skip
        self._server = HTTPServer(application, max_body_size=1_000_000, idle_connection_timeout=60)
        self._server.add_sockets(sockets)

    async def close(self) -> None:
        """Take no more connections and end those that are open."""
        self._server.stop()
        await self._server.close_all_connections()


def _reachable(host: str) -> str:
    """The address that a phone in the room can call."""
    if host not in ("0.0.0.0", ""):  # noqa: S104  somebody asked for it
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent; the kernel chooses our address
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


async def rehearse(server: Server, people: int, seed: int = 7) -> None:
    """Scripted people fill the form through the real server, all at once.

    Raises
    ------
    DataError
        If the server refuses one of them.
    """
    names = [f"guest {number}" for number in range(1, people + 1)]
    try:
        await asyncio.gather(
            *(_guest(server, name, random.Random(f"{seed}{name}")) for name in names)  # noqa: S311
        )
    except HTTPClientError as error:
        body = error.response.body.decode()[:300] if error.response else ""
        raise DataError(f"the rehearsal was refused: {error} {body}") from error


async def _guest(server: Server, name: str, chance: random.Random) -> None:
    client = AsyncHTTPClient()
    model = server.workshop.model
    joined = await _post(client, server.link, {"person": name})
    values: dict[str, str] = {}
    for question in model.questions:
        values[question.id] = answer(model, question.level, chance)
        if values[question.id] == "na":
            values[question.id + ".note"] = "Another team does it for us"
        await _post(client, joined, values)
    chosen = chance.sample([pain.id for pain in model.pain_points], len(PAINS))
    await _post(client, joined, values | dict(zip(PAINS, chosen, strict=True)))


def answer(model: Model, level: int, chance: random.Random) -> str:
    """What a scripted guest says: more of the basics, less of the rest, and now and then unsure."""
    scale = [reply.id for reply in model.answers]
    weights = {1: (1, 1, 3, 8, 1, 0), 2: (3, 3, 3, 2, 1, 0), 3: (6, 3, 1, 1, 2, 1)}
    return chance.choices(scale, weights.get(level, (9, 1, 0, 0, 2, 1)))[0]


async def _post(client: AsyncHTTPClient, address: str, values: Mapping[str, str]) -> str:
    """Send a form and return the address of the page that it leads to."""
    body = url_concat("", dict(values)).removeprefix("?")
    response = await client.fetch(address, method="POST", body=body)
    return str(response.effective_url)
