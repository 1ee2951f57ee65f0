"""Planned faults: which call goes wrong next, and how it looks on the wire (docs/reliability.md, section 3)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import field

from aiohttp import web

from agent.domain.values import dataclass
from agent.sandbox.ksef.state import SkewedClock
from agent.sandbox.ksef.wire import ApiProblem, unauthorized

CALLS = (
    "auth", "keys", "open", "send", "status", "upo", "close", "batch", "original", "query", "certificates", "limits",
    "latarnia", "ksef", "*",
)  # fmt: skip
"""Names of calls, as docs/sandbox.md explains them; ksef: all but Latarnia's (KSeF down, Latarnia announces it)."""
LINES = {"ksef": ("ksef",), "latarnia": ("latarnia",), "*": ("ksef", "latarnia")}
"""Calls that have a line of their own, which ``refuse`` takes down."""

FAULTS = (
    "none", "refuse", "reset_before", "reset_after", "close", "hang", "slow", "slow_before", "drip", "truncated",
    "broken_json", "garbage", "html_200", "html_403", "html_502", "html_503", "json_500", "redirect", "401",
    "410", "429",
)  # fmt: skip
DEFAULT_SECONDS = {"slow": 5.0, "slow_before": 5.0, "hang": 3600.0, "drip": 0.1, "429": 2.0}
"""Where the plan names none: how long; for 429 the Retry-After, for drip the pause between bytes."""
NEED_ANSWER = frozenset({"reset_after", "slow", "drip", "truncated", "broken_json"})
"""Faults of the answer: the server acted."""

PORTAL = "<!DOCTYPE html><html><head><title>Wi-Fi</title></head><body>Zaloguj się do sieci</body></html>"
GATEWAY = (
    "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)
BLOCKED = "<html><body>This request was blocked by the security service</body></html>"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BadPlan(ValueError):
    """Unknown call or fault."""


@dataclass(slots=True)
class Plan:
    """A planned fault. ``times`` None: until healed. ``after``: the server acts first."""

    call: str
    fault: str
    times: int | None
    seconds: float
    after: bool


@dataclass
class Faults:
    """The plans, in order for each call; those of a call go before those of ``*``."""

    clock: SkewedClock
    set_line: Callable[[str, bool], Awaitable[None]]
    """Takes a line (ksef, latarnia) down (False) or up (True): connections refused, open ones reset."""
    down: set[str] = field(default_factory=set)
    """Lines that are down."""
    hits: dict[str, int] = field(default_factory=dict)
    """How often each fault struck, as "call:fault"."""
    _plans: dict[str, list[Plan]] = field(default_factory=dict)
    _healing: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """Lines that come up again by themselves."""
    _pauses: set[asyncio.Future[None]] = field(default_factory=set)
    _stopped: bool = False

    async def plan(
        self, call: str, fault: str, times: int | None = None, seconds: float | None = None, *, after: bool = False
    ) -> None:
        """Plan a fault, or heal: ``none`` forgets the plans of a call, ``*`` + ``none`` all of them.

        ``refuse`` of ``*``, ``ksef`` or ``latarnia`` takes the line down, for ``seconds`` where given, until healed
        otherwise. Of a single call it can only reset the connection: who calls what is known too late to refuse.
        """
        if call not in CALLS or fault not in FAULTS:
            raise BadPlan(f"unknown call or fault: {call} {fault}")
        if fault == "none":
            await self._heal(call)
        elif call in LINES and fault == "refuse" and times is None:
            for line in LINES[call]:
                await self._take_down(line, seconds)
        else:
            wait = DEFAULT_SECONDS.get(fault, 0.0) if seconds is None else seconds
            acted = after or fault in NEED_ANSWER
            self._plans.setdefault(call, []).append(Plan(call, fault, times, wait, acted))

    async def stop(self) -> None:
        """Forget everything and let go of what is held back; the line is left as it is."""
        self._stopped = True
        self._plans.clear()
        for pause in tuple(self._pauses):
            pause.cancel()
        for line in tuple(self._healing):
            await self._cancel_healing(line)

    async def apply(self, call: str, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer the request, with the fault that waits for it."""
        plan = self._take(call)
        if plan is None:
            return await handler(request)
        self.hits[f"{call}:{plan.fault}"] = self.hits.get(f"{call}:{plan.fault}", 0) + 1
        if plan.fault == "slow_before":
            await self._pause(plan.seconds)
            return await handler(request)
        answer = await handler(request) if plan.after else None
        if plan.fault in ("slow", "hang"):
            await self._pause(plan.seconds)
        return await self._spoiled(plan, request, answer)

    async def _spoiled(self, plan: Plan, request: web.Request, answer: web.StreamResponse | None) -> web.StreamResponse:
        if plan.fault == "slow" and answer is not None:
            return answer
        if plan.fault in ("refuse", "reset_before", "reset_after"):
            return reset(request)
        if plan.fault in ("close", "hang"):
            return drop(request)
        if plan.fault in ("drip", "truncated", "broken_json", "garbage"):
            return await self._mangle(plan, request, answer)
        return plain_fault(plan, request)

    async def _pause(self, seconds: float) -> None:
        """Hold a request back. aiohttp leaves a handler alone when its caller goes away, so stop() has to end this."""
        if self._stopped:
            return
        pause = asyncio.ensure_future(self.clock.sleep(seconds))
        self._pauses.add(pause)
        try:
            await asyncio.wait({pause})
        finally:
            self._pauses.discard(pause)
            pause.cancel()

    def _take(self, call: str) -> Plan | None:
        for name in (call, "*") if call == "latarnia" else (call, "ksef", "*"):
            plans = self._plans.get(name, [])
            if plans:
                plan = plans[0]
                if plan.times is not None:
                    plan.times -= 1
                    if plan.times <= 0:
                        plans.pop(0)
                return plan
        return None

    async def _heal(self, call: str) -> None:
        if call == "*":
            self._plans.clear()
        self._plans.pop(call, None)
        for line in LINES.get(call, ()):
            await self._cancel_healing(line)
            await self._bring_up(line)

    async def _bring_up(self, line: str) -> None:
        if line in self.down:
            self.down.discard(line)
            await self.set_line(line, True)

    async def _take_down(self, line: str, seconds: float | None) -> None:
        await self._cancel_healing(line)
        self.down.add(line)
        await self.set_line(line, False)
        if seconds:
            self._healing[line] = asyncio.create_task(self._heal_after(line, seconds), name=f"sandbox-{line}-heals")

    async def _heal_after(self, line: str, seconds: float) -> None:
        await self.clock.sleep(seconds)
        await self._bring_up(line)

    async def _cancel_healing(self, line: str) -> None:
        task = self._healing.pop(line, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _mangle(self, plan: Plan, request: web.Request, answer: web.StreamResponse | None) -> web.StreamResponse:
        transport = request.transport
        if plan.fault == "garbage":
            if transport is not None:
                transport.write(b"\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n")
                transport.close()
            return web.Response()
        body = answer.body if isinstance(answer, web.Response) else b""
        data = bytes(body) if isinstance(body, bytes | bytearray) else b""
        status = answer.status if answer is not None else 200
        kind = answer.content_type if answer is not None else "application/json"
        half = data[: max(1, len(data) // 2)]
        if plan.fault == "broken_json":
            return web.Response(body=half, status=status, content_type=kind)
        cut = web.StreamResponse(status=status, headers={"Content-Type": kind, "Content-Length": str(len(data))})
        await cut.prepare(request)
        if plan.fault == "truncated":
            await cut.write(half)
            if transport is not None:
                transport.close()
            return cut
        with contextlib.suppress(ConnectionError):
            for index in range(len(data)):
                await cut.write(data[index : index + 1])
                await self._pause(plan.seconds)
        return cut


def plain_fault(plan: Plan, request: web.Request) -> web.StreamResponse:
    """Return an answer that is no KSeF answer, or raise KSeF's own refusal."""
    if plan.fault == "401":
        raise unauthorized("Token wygasł.")
    if plan.fault == "410":
        raise ApiProblem(410, 0, "Okres przechowywania treści minął.")
    if plan.fault == "429":
        pause = max(1, round(plan.seconds))
        raise ApiProblem(429, 0, f"Przekroczono limit żądań. Spróbuj ponownie po {pause} sekundach.", retry_after=pause)
    if plan.fault == "json_500":
        return web.json_response({"error": "internal"}, status=500)
    if plan.fault == "redirect":
        return web.Response(status=302, headers={"Location": f"http://{request.host}/portal"})
    if plan.fault == "html_200":
        return web.Response(text=PORTAL, content_type="text/html")
    if plan.fault == "html_403":
        return web.Response(text=BLOCKED, status=403, content_type="text/html")
    return web.Response(text=GATEWAY, status=503 if plan.fault == "html_503" else 502, content_type="text/html")


def reset(request: web.Request) -> web.StreamResponse:
    """Reset the connection (RST); the answer that is returned goes nowhere."""
    abort(request.transport)
    return web.Response()


def drop(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer (FIN)."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def abort(transport: asyncio.BaseTransport | None) -> None:
    """Close with RST instead of FIN."""
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
