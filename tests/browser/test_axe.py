"""axe-core finds nothing at any view and size; its file is that of the npm package, in axe-playwright-python."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from agent.hub.domain.records import HubRole
from agent.hub.domain.tokens import token_hash
from agent.hub.ports import HubTransaction
from agent.ports import Outcome, Rejected
from agent.services.manager_pins import ManagerPins
from tests.browser.conftest import Counter
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.hub_served import ServedHub, served_hub
from tests.fakes.hub_stores import offer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
SIZES = ((1024, 768), (1366, 768), (1920, 1080), (390, 844))
AXE_AT = {("dark", 1024), ("light", 390)}
"""Where axe looks: each scheme and each layout once. The other questions tell of the widths between."""
AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
RUN = """
async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
}
"""
SMALL = """
() => [...document.querySelectorAll("button, input:not([type=radio]):not([type=checkbox]), select, .choices span")]
  .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 40)
  .map((element) => element.outerHTML)
"""
"""What a finger misses (WCAG 2.5.8 asks for 24 pixels, a till for more)."""
UNSEEN = """
() => [...document.querySelectorAll("button, a, th, td, dt, dd, label, p, li")]
  .filter((element) => element.checkVisibility() && element.textContent.trim())
  .filter((element) => getComputedStyle(element).color === getComputedStyle(element).backgroundColor)
  .map((element) => element.outerHTML)
"""
"""Words in the colour of their own ground: axe calls a contrast of 1:1 undecided."""
BROAD = "document.documentElement.scrollWidth <= innerWidth"


async def judge(page: Page, view: str, *, small: bool = True) -> None:
    """Every size, light; the till's size also dark. No transition is half way when colours are read."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(AXE)
    for scheme, sizes in (("light", SIZES), ("dark", SIZES[:1])):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        for width, height in sizes:
            await page.set_viewport_size({"width": width, "height": height})
            place = f"{view}, {width}x{height}, {scheme}"
            if (scheme, width) in AXE_AT:
                assert await page.evaluate(RUN) == [], place
            assert await page.evaluate(UNSEEN) == [], place
            assert await page.evaluate(BROAD), place
            assert not small or await page.evaluate(SMALL) == [], place


@pytest.mark.nightly
async def test_the_till_page(counter: Counter) -> None:
    place, page = counter.place, counter.page
    ManagerPins(place.settings.data_dir, place.clock).set("Anna", "271828")
    await page.goto(counter.address)
    await page.wait_for_selector("#login-form:visible")
    await judge(page, "login")

    await counter.open()
    await page.click("#more summary")
    await page.check("[name=pay][value=split]")
    await page.fill("#nip", "5260250275")
    await page.click("#press")
    await page.wait_for_selector("#nip-error")
    await judge(page, "sale with mistakes")
    await page.keyboard.press("F1")
    await page.wait_for_selector("#keys")
    await judge(page, "keys")
    await page.keyboard.press("Escape")

    await page.check("[name=pay][value=cash]")
    place.gateway.verdict_plan.append(Rejected(450, "Błąd"))
    await counter.press()
    await page.wait_for_selector("text=KSeF odrzucił fakturę")
    await judge(page, "refused by KSeF")
    await page.keyboard.press("Escape")
    await page.click("#press")
    await page.wait_for_selector("text=Wydaj klientowi")
    await expect(page.locator("#paper-image")).not_to_have_attribute("alt", "")
    await judge(page, "answer")
    await page.click("#to-correct")
    await page.wait_for_selector("#correct-form")
    await page.check("[name=correction-kind][value=exchange]")
    await judge(page, "correction, with all fields of an exchange")

    await place.lose_the_line()
    await counter.announce_total_failure()
    place.printer.plan.append(Outcome.NOT_SENT)
    await place.sell()
    await page.click("[data-view=find]")
    await page.wait_for_selector("#unprinted tbody tr")
    await judge(page, "invoices")
    for way, there, view in (
        ("#outside", "#correct-form", "correction of an invoice from elsewhere"),
        ("[data-view=queue]", "#queue-title:visible", "queue"),
        ("[data-view=manager]", "#manager-pin", "manager's PIN"),
    ):
        await page.click(way)
        await page.wait_for_selector(there)
        await judge(page, view)
    await page.fill("#manager-pin", "271828")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".office")
    await page.fill("#manager-reason", "radio")
    await page.click("text=Potwierdź awarię całkowitą")
    await page.wait_for_selector("#manager-yes")
    await judge(page, "manager")


@pytest_asyncio.fixture(loop_scope="module")
async def hub(tmp_path: Path) -> AsyncIterator[ServedHub]:
    """A hub with a till that waits, and somebody who may see everything."""
    clock = FakeClock()
    async with served_hub(tmp_path, clock, lambda _: FakeGateway(clock)) as hub:
        till, _ = await hub.till("kasa 1", series=("FV-1",))

        async def work(tx: HubTransaction) -> None:
            await tx.parties.add_person("Anna", HubRole.MANAGER, token_hash("word"))
            await tx.invoices.add(till, offer("FV-1/1"))

        await hub.store.write(work)
        yield hub


async def test_the_hubs_pages(hub: ServedHub, browser: Browser) -> None:
    context = await browser.new_context(locale="pl-PL")
    page = await context.new_page()
    await page.goto(f"{hub.listener.url}/")
    await judge(page, "login", small=False)
    await page.fill("[name=token]", "word")
    await page.click("button")
    await expect(page.locator("main")).to_contain_text("kasa 1")
    one = f"/invoices/{offer('FV-1/1').sha256.hex()}"
    for path in ("/", "/tills/1", "/invoices?q=FV-1/1", one, "/books?month=2026-11"):
        await page.goto(f"{hub.listener.url}{path}")
        await judge(page, path, small=False)
    await context.close()
