"""Previews are made one at a time, beside the event loop, and few wait; papers metres long get the time they need."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image

from agent.domain.callers import Role
from agent.domain.errors import BadInput, NotFound, Unavailable
from agent.domain.invoice import Mode
from agent.domain.paper.receipt import Receipt
from agent.domain.paper.sheet import Sheet
from agent.domain.report import Report
from agent.ports import Outcome, Picture, PrintResult
from agent.services.paper.previews import WAITING, Previews
from agent.services.paper.printing import PAPER_SECONDS
from agent.services.tokens import Tokens
from agent.settings.model import ApiSettings, PrinterSettings
from agent.system.clock import SystemClock
from agent.web.api import till_app
from printers.printer_set import build
from tests.fakes.printer import FakePrinter
from tests.fakes.world import MANAGER, World, press_until_answered, world


def goods(count: int) -> list[dict[str, str]]:
    return [
        {"name": f"Towar {number}", "quantity": "1", "unit": "szt.", "unit_price": "1.23", "vat": "23"}
        for number in range(count)
    ]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        yield found


class Slow:
    """A renderer that works until it may stop, in threads; counts how many work at a time."""

    default = "paragon"

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.at_work = 0
        self.most = 0
        self.threads: set[int] = set()
        self._lock = threading.Lock()

    def _work(self) -> None:
        with self._lock:
            self.at_work += 1
            self.most = max(self.most, self.at_work)
            self.threads.add(threading.get_ident())
        assert self.may_end.wait(30)
        time.sleep(0.02)  # the work itself: whoever may work beside it has begun by then
        with self._lock:
            self.at_work -= 1

    def encode(self, printer: str, receipt: Receipt) -> bytes:
        return b""

    def png(self, printer: str, data: bytes, page: int = 1) -> Picture:
        self._work()
        return Picture(data, page, 1)

    def text(self, printer: str, data: bytes) -> str:
        self._work()
        return ""

    def pdf(self, receipt: Receipt) -> bytes:
        self._work()
        return b""

    def code(self, payload: str) -> bytes:
        self._work()
        return b""

    def a4(self, sheet: Sheet) -> bytes:
        self._work()
        return b""

    def report(self, report: Report) -> bytes:
        self._work()
        return b""


async def test_one_at_a_time_whatever_is_asked_for(place: World) -> None:
    record = await press_until_answered(place, "k")
    slow = Slow()
    slow.may_end.set()
    previews = Previews(place.store, place.clock, place.papers, slow)
    await asyncio.gather(previews.picture(record.id), previews.text(record.id), previews.pdf(record.id, "a4"))
    assert slow.most == 1
    assert threading.get_ident() not in slow.threads


async def test_who_waits_too_long_in_line_is_sent_away(place: World) -> None:
    record = await press_until_answered(place, "k")
    slow = Slow()
    previews = Previews(place.store, place.clock, place.papers, slow)
    asked = [asyncio.ensure_future(previews.text(record.id)) for _ in range(WAITING + 4)]
    done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    slow.may_end.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert {error.code for error in refused} == {"previews-busy"}
    assert len(refused) == 3
    assert done <= {each for each in asked if each.exception() is not None}
    assert await previews.text(record.id) == ""  # and the next one is served


async def test_errors_are_those_of_the_invoice(place: World) -> None:
    record = await press_until_answered(place, "k")
    for call in (place.previews.picture, place.previews.text, place.previews.last_sent):
        with pytest.raises(NotFound):
            await call("no-such")
    with pytest.raises(BadInput):
        await place.previews.pdf(record.id, "a5")


async def test_a_paper_metres_long_over_http(place: World, tmp_path: Path) -> None:
    tokens = Tokens.in_directory(tmp_path)
    tokens.put("kasa 1", Role.CASHIER, "kasjer")
    selling = asyncio.ensure_future(place.sell(lines=goods(400)))
    while not selling.done():
        await place.clock.advance(0.1)
    path = f"/v1/invoices/{(await selling).id}/receipt.png"
    headers = {"Authorization": "Bearer kasjer"}
    async with TestClient(TestServer(till_app(place, tokens, ApiSettings()))) as client:
        response = await client.get(path, headers=headers)
        pages = int(response.headers["X-Pages"])
        assert pages > 1
        assert response.headers["Link"] == f'<{path}?page=2>; rel="next"'
        heights = []
        for page in range(1, pages + 1):
            response = await client.get(f"{path}?page={page}", headers=headers)
            with Image.open(io.BytesIO(await response.read())) as picture:
                heights.append(picture.height)
        assert "Link" not in response.headers
        assert max(heights) < 16_200
        for wrong in (pages + 1, 0, "x"):
            response = await client.get(f"{path}?page={wrong}", headers=headers)
            assert (response.status, (await response.json())["code"]) == (400, "bad-query")


class SlowPrinter(FakePrinter):
    """Prints until it may end."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = asyncio.Event()

    async def print(self, encode: Callable[[str], bytes], sent: Callable[[str, bytes], Awaitable[None]]) -> PrintResult:
        data = encode("paragon")
        await sent("paragon", data)
        await self.may_end.wait()
        self.papers.append(data)
        return PrintResult(Outcome.DONE, "paragon", None, None)


async def test_a_press_does_not_wait_for_metres_of_paper(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    printer = SlowPrinter()
    monkeypatch.setattr(place.printer, "print", printer.print)
    selling = asyncio.ensure_future(place.sell())
    await place.clock.advance(PAPER_SECONDS + 10)
    record = await selling
    answer = await place.invoices.one(record.id)
    assert answer.paper is not None
    assert answer.paper.state == "printing"
    assert "Trwa drukowanie" in answer.hand_over
    printer.may_end.set()
    await place.clock.advance(1)
    answer = await place.invoices.one(record.id)
    assert answer.paper is not None
    assert answer.paper.state == "printed"


def test_metres_of_paper_get_their_time() -> None:
    """A timeout is for silence: what the slowest printer needs for its lines is added, beyond a usual receipt."""
    (printer,) = build((PrinterSettings(timeout_seconds=20),), SystemClock()).individual.values()
    assert printer.seconds_for(b"line\n" * 80) == 20
    assert printer.seconds_for(b"line\n" * 1380) == pytest.approx(120)


async def test_a_page_of_a_total_failure_that_is_asked_for_later_bears_the_day(place: World) -> None:
    """Art. 106l ust. 3, on A4 as on the slip; the page that goes out with the invoice bears none."""
    await place.declarations.declare(Mode.TOTAL_FAILURE, "Radio", MANAGER)
    record = replace(await press_until_answered(place, "k"), copies=0)
    today, later = record.issued_on, record.issued_on + timedelta(days=3)
    assert record.mode is Mode.TOTAL_FAILURE

    def bears(sheet: Sheet) -> bool:
        return any("Data ponownego wystawienia" in str(element) for element in sheet.head)

    assert not bears(place.papers.sheet(record))
    assert not bears(place.papers.sheet(record, today))
    assert bears(place.papers.sheet(record, later))
    assert bears(place.papers.sheet(replace(record, copies=1), today)), "a paper is out already"
    assert not bears(place.papers.sheet(replace(record, mode=Mode.OFFLINE24), later)), "KSeF keeps those"
    assert "Data ponownego wystawienia" in str(place.papers.original(record, later).elements)
