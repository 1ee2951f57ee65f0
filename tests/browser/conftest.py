"""Headless Chromium (Debian's) against the till page on an agent with fakes; skipped where there is no Chromium."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, Page, Request, Route, async_playwright, expect

from agent.domain.errors import AgentError
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord
from agent.ports import InvoiceFilter
from agent.sandbox.accepting import bound
from agent.services.tokens import Tokens
from agent.settings.model import PageSettings
from agent.web.problems import response_of
from tests.fakes.served import till_http, tokens_in
from tests.fakes.world import World, world
from tests.sim.announcing import news_of
from tests.sim.oracle import Outage

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
"""The shell draws no window of its own around a page: a third less to wait for."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT = 10_000  # milliseconds until a missing element is a failure
SCAN_PAUSE = 300  # milliseconds; agent/web/page/input/scan.js
NOISE = ("Failed to load resource",)
"""Chromium's own line for every 4xx; refusals are part of these tests."""


def handed(sale: Mapping[str, Any]) -> str:
    """Return a sale as a link hands it to the page (#sale=…): base64url of its JSON."""
    return base64.urlsafe_b64encode(json.dumps(sale).encode()).decode()


@dataclass
class Counter:
    """The shop: an agent with fakes, served on loopback, and a browser page on it."""

    place: World
    page: Page
    address: str
    tokens: Tokens
    _runner: web.AppRunner | None = None
    _placeholder: socket.socket | None = None
    """Holds the port while the agent is down."""
    mistakes: list[str] = field(default_factory=list)
    sales: list[dict[str, Any]] = field(default_factory=list)
    """What the page asked to issue, as it went out."""
    pressed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it has asked."""

    def note_sale(self, request: Request) -> None:
        """Keep a sale that goes out."""
        if request.method == "POST" and request.url.endswith("/v1/invoices"):
            self.sales.append(json.loads(request.post_data or ""))
            self.pressed.set()

    async def serve(self) -> None:
        """Let the agent serve, at the address it had before where it had one."""
        self._runner = web.AppRunner(till_http(self.place, self.tokens, page=PageSettings(sample_basket=True)))
        await self._runner.setup()
        if self._placeholder is None:
            self._placeholder = bound("127.0.0.1", 0)
        port = self._placeholder.getsockname()[1]
        await web.SockSite(self._runner, bound("127.0.0.1", port)).start()
        self.address = f"http://127.0.0.1:{port}"

    async def stop_serving(self) -> None:
        """Let the agent be down: nothing answers at its address."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def close(self) -> None:
        """Serve no more, and give the port back."""
        await self.stop_serving()
        if self._placeholder is not None:
            self._placeholder.close()

    async def no_pause_counts(self) -> None:
        """Let a scan end by its Enter alone: on a busy machine keys come slower than a scanner types them."""
        await self.page.add_init_script(
            f"""const later = window.setTimeout;
            window.setTimeout = (run, wait, ...rest) => wait === {SCAN_PAUSE} ? 0 : later(run, wait, ...rest);"""
        )

    async def open(self, *, token: str = "kasjer", extra: str = "") -> None:
        """Open the page as the desktop link does, with the token in the fragment."""
        await self.page.goto(f"{self.address}/#token={token}{extra}")
        await self.page.wait_for_selector("#sale-form:visible")

    async def hand_over(self, sale: Mapping[str, Any]) -> None:
        """Let the till's own program hand a basket to the page that is open."""
        await self.page.evaluate(f"location.hash = 'sale={handed(sale)}'")
        last = len(sale["lines"]) - 1
        await expect(self.page.locator(f"#line-{last}-name")).to_have_value(sale["lines"][last]["name"])

    async def press(self) -> None:
        """Sample basket, known buyer, the big button."""
        await self.page.fill("#nip", "5260250274")
        await expect(self.page.locator("#buyer-name")).not_to_have_value("")
        await self.page.click("#press")

    async def invoices(self) -> list[InvoiceRecord]:
        """All invoices, oldest first."""
        return (await self.place.store.read(lambda tx: tx.invoices.find(InvoiceFilter())))[::-1]

    async def hear_the_news(self) -> None:
        """Write an event that concerns no invoice, once the page waits for one."""
        await self.place.clock.asleep.wait()
        await self.place.store.write(lambda tx: tx.events.append(EventKind.LINE, {}))
        self.place.changed.set()

    async def announce_total_failure(self) -> None:
        """Let Latarnia announce one that nobody has confirmed; alerts follow."""
        begin = self.place.clock.now() - timedelta(hours=1)
        self.place.latarnia.status = {"status": "TOTAL_FAILURE"}
        self.place.latarnia.messages = [item.message for item in news_of(Outage("total", begin, begin, None), 7)]
        await self.place.announcements.poll()
        await self.place.problems.refresh()

    async def refuse_once(self, pattern: str, error: AgentError) -> None:
        """Let the next POST to this address be refused, whatever the agent would say."""
        answer = response_of(error)
        refused = False

        async def refuse(route: Route) -> None:
            nonlocal refused
            if refused or route.request.method != "POST":
                await route.fallback()
                return
            refused = True
            await route.fulfill(status=answer.status, body=answer.text, content_type=answer.content_type)

        await self.page.route(pattern, refuse)

    async def headline(self) -> str:
        """The sentence after a press."""
        await self.page.wait_for_selector("#invoice-headline:visible")
        return await self.page.inner_text("#invoice-headline")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium-headless-shell")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture(params=[(1024, 768)], ids=["till"])
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Width and height; tests that care parametrize it."""
    width, height = request.param
    return width, height


@pytest_asyncio.fixture(loop_scope="module")
async def counter(browser: Browser, tmp_path: Path, size: tuple[int, int]) -> AsyncIterator[Counter]:
    async with world(tmp_path) as place:
        context = await browser.new_context(
            viewport={"width": size[0], "height": size[1]}, locale="pl-PL", has_touch=True
        )
        context.set_default_timeout(WAIT)
        page = await context.new_page()
        shop = Counter(place, page, "", tokens_in(tmp_path))
        await shop.serve()
        page.on("request", shop.note_sale)
        page.on("pageerror", lambda error: shop.mistakes.append(str(error)))
        page.on(
            "console",
            lambda line: (
                shop.mistakes.append(line.text) if line.type == "error" and not line.text.startswith(NOISE) else None
            ),
        )
        yield shop
        await context.close()
        await shop.close()
        assert not shop.mistakes


async def kept_for_later(page: Page) -> None:
    """Wait until the page opens without the agent: its first file is kept last.

    A loop of our own: wait_for_function takes a promise for true.
    """
    await page.evaluate(
        """async () => {
          while (!(await caches.match("/"))) await new Promise((again) => setTimeout(again, 20));
        }"""
    )
