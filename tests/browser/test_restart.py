"""SIGKILL of a real agent during a press with the page open: it comes back, and one basket stays one invoice."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import handed, kept_for_later
from tests.fakes.agent_process import agent_process

pytestmark = [pytest.mark.browser, pytest.mark.nightly, pytest.mark.asyncio(loop_scope="module")]
WAIT = 60_000  # milliseconds
LINE = {"name": "Herbata", "quantity": "1", "unit_price": "12.50", "vat": "23"}
SALE = {"buyer": {"nip": "5260250274"}, "prices": "gross", "lines": [LINE]}


@pytest.mark.parametrize("fault", ["slow", "hang"])
async def test_kill_in_the_middle_of_a_press(browser: Browser, tmp_path: Path, fault: str) -> None:
    """slow: KSeF has it already when the agent dies; hang: nobody knows."""
    async with agent_process(tmp_path) as pair:
        page = await browser.new_page(locale="pl-PL")
        page.set_default_timeout(WAIT)
        await page.goto(f"{pair.facts['api']}/#token={pair.facts['cashier_token']}&sale={handed(SALE)}")
        await expect(page.locator("#buyer-name")).not_to_have_value("", timeout=WAIT)
        await kept_for_later(page)
        await pair.sandbox.plan("send", fault, times=1, seconds=30)
        await page.keyboard.press("F9")
        await expect(page.locator("#press-text")).to_contain_text("Czekam na KSeF", timeout=WAIT)
        await pair.kill()
        await page.wait_for_selector("#retry:visible")
        await page.reload()
        await expect(page.locator("#banner-mode")).to_have_text("Brak połączenia z programem", timeout=WAIT)
        await expect(page.locator("#retry")).to_be_visible(timeout=WAIT)

        await pair.sandbox.plan("*", "none")
        await pair.start()
        await expect(page.locator("#banner-mode")).not_to_have_text("Brak połączenia z programem", timeout=WAIT)
        await page.click("#retry")
        await expect(page.locator("#invoice-headline")).to_contain_text("Wydaj klientowi", timeout=WAIT)
        await page.keyboard.press("Escape")
        await expect(page.locator("#line-0-name")).to_have_value("")
        await pair.empty_queue()
        (invoice,) = (await pair.get("/v1/invoices"))["invoices"]
        await page.close()
        assert invoice["state"] == "accepted"
        assert len(pair.sandbox.ledger.entries()) == 1
