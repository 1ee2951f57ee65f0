"""A till program that is a web page of its own: Chromium's local network access, and the way to our page and back.

The program's server is on this machine, so Chromium is told to take it for one of the internet; its https is by a CA of
our own. The permission that the test grants is the one that the policy of docs/browsers.md grants.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Page, async_playwright, expect

from agent.hub.private_ca import issue
from agent.ports import InvoiceFilter
from agent.settings.model import ApiSettings, PageSettings
from tests.browser.conftest import ARGUMENTS, CHROMIUM, WAIT, handed
from tests.fakes.served import till_http, tokens_in
from tests.fakes.world import World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")
DOCUMENT = Path(__file__).parents[2] / "docs" / "browsers.md"
ASK = (
    """address => fetch(address, {headers: {Authorization: "Bearer kasjer"}}).then((answer) => answer.status, String)"""
)
NOWHERE = ("https://evil.example/", "javascript:alert(1)", "//evil.example", "nonsense")
SALE = {
    "buyer": {"nip": "5260250274", "name": "Ministerstwo Finansów", "address": {"line1": "ul. Świętokrzyska 12"}},
    "prices": "gross",
    "lines": [{"name": "Żarówka", "quantity": "2", "unit": "szt.", "unit_price": "9.99", "vat": "23"}],
    "external_ref": "order-7",
}


@dataclass
class Elsewhere:
    """The program's page in a browser, and the agent on the same machine."""

    page: Page
    program: str
    agent: str
    place: World

    def link(self, back: str) -> str:
        """The address of our page with a sale, and where to go afterwards; the page asks for no token here."""
        return f"{self.agent}/#sale={handed(SALE)}&return={quote(back, safe='')}"

    async def press(self, back: str) -> None:
        """Follow the link on the program's page and press."""
        await self.page.goto(self.program)
        await self.page.set_content(f'<a href="{self.link(back)}">Faktura</a>')
        await self.page.click("a")
        await expect(self.page.locator("#line-0-name")).to_have_value("Żarówka")
        await self.page.click("#press")
        await self.page.wait_for_selector("#invoice-headline:visible")


async def _serve(app: web.Application, context: ssl.SSLContext | None = None) -> tuple[web.AppRunner, int]:
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    return runner, int(runner.addresses[0][1])


def _certificate(folder: Path) -> ssl.SSLContext:
    made = issue(("localhost",), days=1)
    for name, data in (("crt", made.certificate), ("key", made.key)):
        (folder / name).write_bytes(data)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "crt", folder / "key")
    return context


async def _blank(_: web.Request) -> web.Response:
    return web.Response(text="<!doctype html><title>POS</title>", content_type="text/html")


@pytest_asyncio.fixture(loop_scope="module")
async def elsewhere(tmp_path: Path) -> AsyncIterator[Elsewhere]:
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium-headless-shell")
    program = web.Application()
    program.router.add_get("/{path:.*}", _blank)
    shop, port = await _serve(program, _certificate(tmp_path))
    origin = f"https://localhost:{port}"
    public = f"--ip-address-space-overrides=127.0.0.1:{port}=public"
    async with world(tmp_path / "data") as place, async_playwright() as playwright:
        api, page = ApiSettings(port=0, origins=(origin,)), PageSettings(return_to=(origin,))
        till, agent = await _serve(till_http(place, tokens_in(tmp_path), api, page, open_token="kasjer"))
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, public])
        context = await browser.new_context(ignore_https_errors=True, locale="pl-PL")
        context.set_default_timeout(WAIT)
        yield Elsewhere(await context.new_page(), origin, f"http://127.0.0.1:{agent}", place)
        await browser.close()
        await till.cleanup()
    await shop.cleanup()


@pytest.mark.nightly
async def test_a_page_of_the_internet_needs_leave_to_call_and_none_to_link(elsewhere: Elsewhere) -> None:
    (policy,) = re.findall(r"```json\n(\{.*?\})\n```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert list(json.loads(policy)) == ["LocalNetworkAccessAllowedForUrls"], "the policy that gives this permission"
    page, address = elsewhere.page, f"{elsewhere.agent}/v1/mode"
    await page.goto(elsewhere.program)
    assert "Failed to fetch" in await page.evaluate(ASK, address)
    await page.context.grant_permissions(["local-network-access"], origin=elsewhere.program)
    assert await page.evaluate(ASK, address) == 200
    await page.context.clear_permissions()
    await elsewhere.press(f"{elsewhere.program}/order/7?lang=pl")
    (record,) = await elsewhere.place.store.read(lambda tx: tx.invoices.find(InvoiceFilter()))
    assert page.url == f"{elsewhere.agent}/?demo", "neither token nor sale stay in the address bar"
    await page.reload()
    await page.goto(elsewhere.link(f"{elsewhere.program}/order/8"))
    assert await page.get_attribute("#sale-return", "href") == f"{elsewhere.program}/order/8"
    await page.click("#press")
    await page.click("#return")
    await page.wait_for_url(f"{elsewhere.program}/**")
    told = parse_qs(urlsplit(page.url).query)
    assert (told["state"], told["number"][0] != record.number) == (["accepted"], True)
    for back in NOWHERE:  # a link to the till page leads to the program of the settings, or to nothing
        await page.goto(elsewhere.program)
        await page.goto(elsewhere.link(back))
        await expect(page.locator("#line-0-name")).to_have_value("Żarówka")
        await expect(page.locator("#sale-return")).to_be_hidden()
    await page.click("#press")
    await page.wait_for_selector("#invoice-headline:visible")
    assert await page.locator("#return").count() == 0
