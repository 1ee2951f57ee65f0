"""The page on the real agent, the embedded KSeF and a network printer: what `make run` shows."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from agent.demo.embedded import embedded
from agent.sandbox.white_list import subject
from agent.serving.listeners import listening
from agent.serving.serve import supervise

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
WAIT = 30_000  # milliseconds


async def test_press_online_then_with_the_line_down(browser: Browser, tmp_path: Path) -> None:
    async with embedded(tmp_path) as pair, listening(pair.agent, open_token=str(pair.facts["manager_token"])):
        agent = asyncio.create_task(supervise(pair.agent))
        settings = pair.agent.settings.api
        page = await browser.new_page(viewport={"width": 1024, "height": 768}, locale="pl-PL")
        page.set_default_timeout(WAIT)
        expect.set_options(timeout=WAIT)
        await page.goto(f"http://127.0.0.1:{settings.port}/")
        await page.fill("#nip", "526-025-02-74")
        await page.keyboard.press("F9")  # at once: the white list fills in name and address, the press waits for it
        await expect(page.locator("#invoice-headline")).to_contain_text("Wyda")
        await expect(page.locator(".facts").first).to_contain_text(str(subject("5260250274")["name"]))
        await expect(page.locator(".facts").first).to_contain_text("przyjęta przez KSeF")
        await expect(page.locator("#paper-image")).to_have_js_property("complete", value=True)
        await expect(page.locator("#paper-text")).to_contain_text("FV-1/")

        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{pair.facts['control']}/faults", json={"call": "*", "fault": "refuse"}) as answer,
        ):
            assert answer.status == 204
        await page.keyboard.press("Escape")
        await page.click("#sample-button")
        await page.fill("#nip", "5260250274")
        await expect(page.locator("#line2")).not_to_have_value("")  # remembered from the first invoice
        await page.click("#press")
        await expect(page.locator("#invoice-headline")).to_contain_text("potwierdzenie transakcji")
        await expect(page.locator(".facts").first).to_contain_text("Tryb offline24")
        await expect(page.locator("#paper-text")).to_contain_text(re.compile("potwierdzenie", re.IGNORECASE))
        await expect(page.locator("#queue-count")).to_have_text("1")
        await page.close()
        pair.agent.shutdown.begin()
        await agent
    assert len(pair.sandbox.ledger.entries()) == 1
