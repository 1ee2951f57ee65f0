"""A till with a finger and nothing else: number pad and Polish keyboard on the screen."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Counter

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
SMALL_KEYS = """
() => [...document.querySelectorAll("#keyboard button")]
  .filter((key) => key.checkVisibility())
  .filter((key) => { const box = key.getBoundingClientRect(); return box.width < 44 || box.height < 44; })
  .map((key) => key.textContent)
"""
CLEAR = """
() => {
  const field = document.activeElement.getBoundingClientRect();
  const keys = document.getElementById("keyboard").getBoundingClientRect();
  const bar = document.getElementById("pay-bar").getBoundingClientRect();
  return field.bottom <= keys.top && field.top >= 0 && keys.bottom <= bar.top + 1 && bar.bottom <= innerHeight + 1;
}
"""
"""Whether field, keyboard and bar lie one under another, in view."""
SIZES = pytest.mark.parametrize("size", [(1024, 768), (800, 600)], indirect=True, ids=["till", "small"])


@pytest.mark.nightly
@SIZES
async def test_an_invoice_with_a_finger_alone(counter: Counter) -> None:
    await counter.open()
    page = counter.page

    async def keys(text: str) -> None:
        for letter in text:
            await page.tap(f'#keyboard button[data-text="{letter}"]')

    async def enter(field: str) -> None:
        await page.tap(field)
        await expect(page.locator(field)).to_be_focused()

    await expect(page.locator("#keyboard")).to_be_hidden()
    await page.tap("#clear-button")
    await page.tap("#keyboard-switch")
    await enter("#line-0-name")
    assert await page.evaluate(SMALL_KEYS) == []
    await page.wait_for_function(CLEAR)
    await page.tap("#keyboard [data-command=shift]")
    await keys("Ż")
    await keys("ółty seer")
    for _ in range(2):
        await page.tap("#keyboard [data-command=back]")
    await keys("r")
    assert await page.input_value("#line-0-name") == "Żółty ser"
    await page.tap("#keyboard [data-command=next]")
    await keys("21")
    assert await page.input_value("#line-0-quantity") == "21"
    assert await page.evaluate(SMALL_KEYS) == []
    await enter("#line-0-unit_price")
    await keys("4,50")
    await enter("#line-0-quantity")
    await keys("2")
    assert await page.inner_text("#total") == "9,00\u00a0zł"
    await enter("#nip")
    await page.wait_for_function(CLEAR)
    await keys("5260250274")
    await expect(page.locator("#buyer-name")).to_have_value("Ministerstwo Finansów")
    await enter("#buyer-name")
    await page.wait_for_function(CLEAR)
    await page.tap("#press")
    await counter.headline()
    assert counter.sales[0]["lines"][0]["name"] == "Żółty ser"
    await expect(page.locator("#keyboard")).to_be_hidden()
    await page.tap("[data-view=find]")
    await enter("#find-text")
    await keys("0000")
    await page.tap("#keyboard [data-command=next]")
    await expect(page.locator("#view-find table")).to_contain_text("FV-1/2026/11/000001")
