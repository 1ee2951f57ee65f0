"""The pictures that README opens with: the page before and after a press, and three papers. `make pictures`.

The page is a real one in Debian's Chromium on an agent with fakes; the papers are drawn from the bytes for the printer.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from pathlib import Path

from aiohttp import web
from playwright.async_api import Browser, async_playwright, expect

from agent.settings.model import PageSettings
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.fakes import counter
from tests.fakes.served import till_http, tokens_in
from tests.fakes.world import CASHIER, World, world

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
NIP = "5260250274"


async def pictures() -> None:
    """Write them all."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with world(Path(folder)) as place, async_playwright() as playwright:
            runner = web.AppRunner(till_http(place, tokens_in(Path(folder)), page=PageSettings(sample_basket=True)))
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            await _page(browser, f"http://127.0.0.1:{runner.addresses[0][1]}")
            await browser.close()
            await runner.cleanup()
            await _papers(place)


async def _page(browser: Browser, address: str) -> None:
    page = await browser.new_page(viewport={"width": 1366, "height": 768}, locale="pl-PL")
    await page.goto(f"{address}/#token=kasjer")
    await page.fill("#nip", NIP)
    await expect(page.locator("#buyer-name")).not_to_have_value("")
    await page.screenshot(path=PICTURES / "page.png")
    await page.click("#press")
    await expect(page.locator("#paper-image")).to_have_attribute("alt", re.compile("Faktura"))
    await page.screenshot(path=PICTURES / "answer.png")


async def _papers(place: World) -> None:
    online = await place.sell()
    body = json.dumps({"kind": "full_return", "reason": "zwrot towaru"}).encode()
    returned = (await counter.correct(place, online.id, body, "picture", CASHIER)).invoices[0].record
    await place.lose_the_line()
    offline = await place.sell()
    for name, record in (("invoice", online), ("correction", returned), ("confirmation", offline)):
        picture = await place.previews.picture(record.id)
        (PICTURES / f"{name}.png").write_bytes(picture.png)


if __name__ == "__main__":
    asyncio.run(pictures())
