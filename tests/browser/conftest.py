"""Headless Chromium (Debian's) against the till page on a FakeTill; skipped where there is no Chromium."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright, expect

from agent.domain.callers import Role
from agent.services.tokens import Tokens
from agent.settings.model import ApiSettings, PageSettings
from agent.web.api import till_app
from tests.fakes.clock import FakeClock
from tests.fakes.till import FakeTill

CHROMIUM = shutil.which("chromium")
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
NOISE = ("Failed to load resource",)
"""Chromium's own line for every 4xx; refusals are part of these tests."""


@dataclass
class Counter:
    """The shop: a fake till served on loopback, and a browser page on it."""

    till: FakeTill
    page: Page
    address: str
    mistakes: list[str] = field(default_factory=list)

    async def open(self, *, token: str = "kasjer", extra: str = "") -> None:
        """Open the page as the desktop link does, with the token in the fragment."""
        await self.page.goto(f"{self.address}/#token={token}{extra}")
        await self.page.wait_for_selector("#sale-form:visible")

    async def press(self) -> None:
        """Sample basket, known buyer, the big button."""
        await self.page.fill("#nip", "5260250274")
        await expect(self.page.locator("#buyer-name")).not_to_have_value("")
        await self.page.click("#press")

    async def headline(self) -> str:
        """The sentence after a press."""
        await self.page.wait_for_selector("#invoice-headline:visible")
        return await self.page.inner_text("#invoice-headline")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
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
    till = FakeTill(clock=FakeClock())
    tokens = Tokens.in_directory(tmp_path)
    tokens.put("kasa 1", Role.CASHIER, "kasjer")
    tokens.put("kierownik", Role.MANAGER, "kierownik")
    runner = web.AppRunner(till_app(till, tokens, ApiSettings(port=0), PageSettings(sample_basket=True)))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="pl-PL")
    context.set_default_timeout(WAIT)
    page = await context.new_page()
    shop = Counter(till, page, f"http://127.0.0.1:{runner.addresses[0][1]}")
    page.on("pageerror", lambda error: shop.mistakes.append(str(error)))
    page.on(
        "console",
        lambda line: (
            shop.mistakes.append(line.text) if line.type == "error" and not line.text.startswith(NOISE) else None
        ),
    )
    yield shop
    await context.close()
    await runner.cleanup()
    assert not shop.mistakes
