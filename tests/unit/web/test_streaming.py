"""Answers that are sent as they are made: whole, refused as ever, or broken off so that nobody takes a part for it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from agent.web.streaming import CSV, PIECE, streamed

LINE = "zażółć\r\n"


class Table:
    """So many lines, and an error after some of them; counts what was asked for."""

    def __init__(self, lines: int, fails_after: int | None = None) -> None:
        self._lines = lines
        self._fails_after = fails_after
        self.asked = 0

    async def pieces(self) -> AsyncIterator[str]:
        for number in range(self._lines):
            if number == self._fails_after:
                raise web.HTTPConflict(text="nie")
            self.asked += 1
            yield LINE

    async def handle(self, request: web.Request) -> web.StreamResponse:
        return await streamed(request, self.pieces(), CSV, "a.csv")


async def served(table: Table) -> TestClient[web.Request, web.Application]:
    application = web.Application()
    application.router.add_get("/", table.handle)
    client = TestClient(TestServer(application))
    await client.start_server()
    return client


@pytest.mark.parametrize("lines", [0, 3, 4 * PIECE // len(LINE)])
async def test_everything_arrives(lines: int) -> None:
    client = await served(Table(lines))
    async with client.get("/") as response:
        assert await response.text() == LINE * lines
        assert response.headers["Content-Disposition"] == 'attachment; filename="a.csv"'
        assert (response.content_type, response.charset) == (CSV, "utf-8")
    await client.close()


async def test_what_is_refused_at_once_is_a_refusal() -> None:
    client = await served(Table(5, fails_after=2))
    async with client.get("/") as response:
        assert (response.status, await response.text()) == (409, "nie")
    await client.close()


async def test_an_error_on_the_way_leaves_no_whole_answer() -> None:
    many = 4 * PIECE // len(LINE)
    client = await served(Table(many, fails_after=many - 1))
    with pytest.raises(aiohttp.ClientError):
        async with client.get("/") as response:
            await response.text()
    await client.close()


async def test_head_makes_no_more_than_it_needs() -> None:
    table = Table(4 * PIECE // len(LINE))
    client = await served(table)
    async with client.head("/") as response:
        assert (response.status, response.content_type) == (200, CSV)
    assert table.asked <= PIECE // len(LINE) + 1
    await client.close()
