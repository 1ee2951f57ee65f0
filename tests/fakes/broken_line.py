"""A till's API as a program meets it on a bad day: the first answer is lost, the second says try again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler

from agent.domain.callers import Role
from agent.ports import InvoiceFilter
from agent.services.tokens import Tokens
from agent.web.problems import problem_response
from tests.fakes.served import till_http
from tests.fakes.world import World, world


@dataclass(frozen=True)
class BadDay:
    """``environment``: how a program finds the API; ``presses``: what it sent, repetitions too."""

    place: World
    environment: dict[str, str]
    presses: list[str]

    async def assert_issued_once(self, said: str) -> None:
        """One invoice for three presses of one key, and the program told its number and fate."""
        (record,) = await self.place.store.read(lambda tx: tx.invoices.find(InvoiceFilter()))
        assert record.external_ref == "order-4711"
        assert len(self.presses) == 3
        assert len(set(self.presses)) == 1
        issued, decided = said.strip().splitlines()[-2:]  # curl also tells of the broken line
        assert issued.startswith(f"{record.number} online "), said
        assert issued.endswith("fakturę."), said
        assert decided == f"accepted {record.ksef_number}", said


@asynccontextmanager
async def bad_day(folder: Path) -> AsyncIterator[BadDay]:
    """Serve an agent."""
    presses: list[str] = []

    @web.middleware
    async def break_twice(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if request.method != "POST" or request.path != "/v1/invoices" or response.status >= 400:
            return response
        presses.append(request.headers["Idempotency-Key"])
        if len(presses) == 1:
            assert request.transport is not None
            request.transport.abort()
        if len(presses) == 2:
            return problem_response(503, "store-busy", "Baza jest zajęta.", retry_safe=True)
        return response

    tokens = Tokens.in_directory(folder)
    token = tokens.add("kasa 1", Role.CASHIER)
    async with world(folder / "data") as place:
        app = till_http(place, tokens)
        app.middlewares.insert(0, break_twice)
        async with TestServer(app) as server:
            address = str(server.make_url("")).rstrip("/")
            yield BadDay(place, {**os.environ, "API": address, "TOKEN": token, "LANG": "C.UTF-8"}, presses)


async def run(environment: Mapping[str, str], *command: str, code: int = 0, cwd: Path | None = None) -> str:
    """Run a program to its end; what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(300):
        out, _ = await process.communicate()
    assert process.returncode == code, out.decode()
    return out.decode()


async def assert_refused(place: BadDay, *command: str) -> None:
    """A program without a right token ends with 1 and says why, and asks once."""
    said = await run(place.environment | {"TOKEN": "wrong"}, *command, code=1)
    assert "token-unknown: " in said
