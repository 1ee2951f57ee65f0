"""The control API: what a test does to the pretended world; docs/sandbox.md has the whole list."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from aiohttp import web

from agent.ports import Json
from agent.sandbox.ksef.auth import Auth
from agent.sandbox.ksef.faults import BadPlan, Faults
from agent.sandbox.ksef.limits import TABLES, RateLimits
from agent.sandbox.ksef.state import Behaviour, Ledger, Sessions, SkewedClock
from agent.sandbox.ksef.verdicts import MOODS
from agent.sandbox.ksef.wire import json_answer, stamp
from agent.sandbox.latarnia import Latarnia
from agent.sandbox.printer import Fault, NetworkPrinter
from agent.sandbox.white_list import WhiteList

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Controlled(Protocol):
    """What a test may look at and change: the servers of server.py."""

    clock: SkewedClock
    behaviour: Behaviour
    ledger: Ledger
    sessions: Sessions
    limits: RateLimits
    faults: Faults
    auth: Auth
    ksef_token: str
    latarnia: Latarnia
    printer: NetworkPrinter

    @property
    def control(self) -> str:
        """Base address of the control API."""
        ...

    def mood(self, name: str, times: int, seconds: float | None) -> None:
        """Decide what happens to the next ``times`` invoices. ValueError for a name that is not known."""
        ...

    def rotate_keys(self) -> None:
        """Withdraw KSeF's encryption keys and publish new ones."""
        ...

    def expire_sessions(self) -> None:
        """Close all interactive sessions."""
        ...


class Control:
    """Handlers over a sandbox."""

    def __init__(self, sandbox: Controlled) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[web.RouteDef]:
        """Return what can be ordered."""
        return [
            web.get("/ledger", self.ledger),
            web.get("/counts", self.counts),
            web.post("/latarnia", self.latarnia),
            web.post("/faults", self.faults),
            web.get("/papers", self.papers),
            web.get(r"/papers/{id:\d+}.png", self.paper),
            web.get(r"/papers/{id:\d+}.txt", self.paper),
            web.post("/printer", self.printer),
            web.post("/verdicts", self.verdicts),
            web.post("/clock", self.clock),
            web.post("/behaviour", self.behaviour),
            web.post("/limits", self.limits),
            web.post("/keys/rotate", self.rotate_keys),
            web.post("/tokens/expire", self.expire_tokens),
            web.post("/sessions/expire", self.expire_sessions),
            web.post("/token", self.token),
            *WhiteList(self._sandbox.clock.now).routes(),
        ]

    def application(self) -> web.Application:
        """Return the application of the control listener."""
        application = web.Application(middlewares=[_bad_requests])
        application.router.add_routes(self.routes())
        return application

    async def ledger(self, request: web.Request) -> web.Response:
        """GET /ledger."""
        del request
        return json_answer([entry.to_json() for entry in self._sandbox.ledger.entries()])

    async def counts(self, request: web.Request) -> web.Response:
        """GET /counts: what a test of good manners looks at."""
        del request
        sandbox = self._sandbox
        return json_answer(
            {
                "refused": sandbox.limits.refused,
                "faults": dict(sandbox.faults.hits),
                "sessions": len(sandbox.sessions.by_reference),
                "invoices": len(sandbox.ledger),
                "papers": len(sandbox.printer.papers),
                "unknown_printer_bytes": len(sandbox.printer.refused_bytes),
            }
        )

    async def latarnia(self, request: web.Request) -> web.Response:
        """POST /latarnia; a member that is left out stays as it is."""
        body = await _body(request)
        latarnia = self._sandbox.latarnia
        latarnia.set(body.get("status", latarnia.status), body.get("messages", latarnia.messages))
        return _done()

    async def faults(self, request: web.Request) -> web.Response:
        """POST /faults."""
        body = await _body(request)
        try:
            await self._sandbox.faults.plan(
                _text(body, "call", "*"),
                _text(body, "fault"),
                _count(body, "times"),
                _seconds(body, "seconds"),
                after=body.get("after") is True,
            )
        except BadPlan as error:
            raise ValueError(str(error)) from error
        return _done()

    async def papers(self, request: web.Request) -> web.Response:
        """GET /papers: links to what the printer printed, oldest first."""
        del request
        base = self._sandbox.control
        return json_answer(
            [
                {
                    "id": paper.id,
                    "at": stamp(paper.at),
                    "complete": paper.complete,
                    "png": f"{base}/papers/{paper.id}.png",
                    "text": f"{base}/papers/{paper.id}.txt",
                }
                for paper in self._sandbox.printer.papers
            ]
        )

    async def paper(self, request: web.Request) -> web.Response:
        """GET /papers/{id}.png or .txt."""
        wanted = int(request.match_info["id"])
        paper = next((paper for paper in self._sandbox.printer.papers if paper.id == wanted), None)
        if paper is None:
            raise web.HTTPNotFound
        if request.path.endswith(".txt"):
            return web.Response(text=paper.text)
        # drawing takes long enough to be felt by the other requests
        picture = await asyncio.to_thread(lambda: paper.png)
        return web.Response(body=picture, content_type="image/png")

    async def printer(self, request: web.Request) -> web.Response:
        """POST /printer."""
        body = await _body(request)
        fault = _text(body, "fault")
        printer = self._sandbox.printer
        if fault == "none":
            await printer.heal()
        else:
            times = 1 if "times" not in body else _count(body, "times")
            await printer.plan(Fault(fault), at=_count(body, "at", least=0), times=times)
        return _done()

    async def verdicts(self, request: web.Request) -> web.Response:
        """POST /verdicts; ``{"verdict": "none"}`` forgets what waits."""
        body = await _body(request)
        name = _text(body, "verdict")
        if name not in MOODS:
            raise ValueError(f"unknown verdict {name}; known: {', '.join(sorted(MOODS))}")
        self._sandbox.mood(name, _count(body, "times") or 1, _seconds(body, "seconds"))
        return _done()

    async def clock(self, request: web.Request) -> web.Response:
        """POST /clock."""
        seconds = _seconds(await _body(request), "skew_seconds")
        self._sandbox.clock.skew = timedelta(seconds=seconds or 0.0)
        return _done()

    async def behaviour(self, request: web.Request) -> web.Response:
        """POST /behaviour."""
        behaviour = self._sandbox.behaviour
        known = {item.name: type(getattr(behaviour, item.name)) for item in dataclasses.fields(behaviour)}
        changes = await _body(request)
        for name, value in changes.items():
            fits = isinstance(value, bool) if known.get(name) is bool else isinstance(value, int | float)
            if name not in known or not fits:
                raise ValueError(f"unknown or wrong behaviour: {name}")
        for name, value in changes.items():
            setattr(behaviour, name, value)
        return _done()

    async def limits(self, request: web.Request) -> web.Response:
        """POST /limits."""
        name = _text(await _body(request), "table")
        if name not in TABLES:
            raise ValueError(f"unknown table {name}")
        self._sandbox.limits.table = dict(TABLES[name])
        return _done()

    async def rotate_keys(self, request: web.Request) -> web.Response:
        """POST /keys/rotate: the keys in force are withdrawn (21470)."""
        del request
        self._sandbox.rotate_keys()
        return _done()

    async def expire_tokens(self, request: web.Request) -> web.Response:
        """POST /tokens/expire: {"kind": "access"|"refresh"|"authentication"}."""
        self._sandbox.auth.expire_tokens(_text(await _body(request), "kind", "access"))
        return _done()

    async def expire_sessions(self, request: web.Request) -> web.Response:
        """POST /sessions/expire: all interactive sessions close now (21180)."""
        del request
        self._sandbox.expire_sessions()
        return _done()

    async def token(self, request: web.Request) -> web.Response:
        """POST /token: {"state": "active"|"revoked"|"inactive"} of the KSeF token."""
        state = _text(await _body(request), "state")
        if state not in ("active", "revoked", "inactive"):
            raise ValueError(f"unknown state {state}")
        self._sandbox.auth.tokens[self._sandbox.ksef_token].state = state
        return _done()


@web.middleware
async def _bad_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ValueError as error:
        return json_answer({"error": str(error)}, status=400)


async def _body(request: web.Request) -> dict[str, Json]:
    text = await request.text()
    body = json.loads(text) if text.strip() else {}
    if not isinstance(body, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004 - one kind of error for the caller
    return body


def _text(body: dict[str, Json], name: str, default: str | None = None) -> str:
    value = body.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected a text")  # noqa: TRY004
    return value


def _count(body: dict[str, Json], name: str, *, least: int = 1) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}: expected a whole number from {least}, or null")
    return value


def _seconds(body: dict[str, Json], name: str) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}: expected seconds")  # noqa: TRY004
    return float(value)


def _done() -> web.Response:
    return web.Response(status=204)
