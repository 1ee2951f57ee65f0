"""Answers that come late: who went elsewhere meanwhile is not fetched back, and no step reaches another document."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import Counter

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
TURNS = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"


@asynccontextmanager
async def late(page: Page, address: str) -> AsyncIterator[None]:
    """Keep answers of this address back until the block ends, then let the page take them in."""
    asked, let_go = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        answer = await route.fetch()
        asked.set()
        await let_go.wait()
        await route.fulfill(response=answer)

    await page.route(address, hold)
    async with page.expect_response(address) as response:
        yield
        await asked.wait()
        let_go.set()
    await (await response.value).finished()
    await page.evaluate(TURNS)
    await page.unroute(address, hold)


async def two_invoices(counter: Counter) -> tuple[str, str]:
    """Issue two, and show the second; their ids, the first one first."""
    first = await counter.place.sell()
    second = await counter.place.sell()
    await counter.open()
    await counter.page.click("#last-show")
    await expect(counter.page.locator(".answer-label")).to_contain_text(second.number)
    return first.id, second.id


async def test_who_left_is_not_taken_to_the_correction(counter: Counter) -> None:
    _, second = await two_invoices(counter)
    page = counter.page
    async with late(page, f"**/v1/invoices/{second}/xml"):
        await page.click("#to-correct")
        await page.keyboard.press("Escape")
        await page.fill("#line-0-name", "Herbata")
    await expect(page.locator("#line-0-name")).to_be_visible()
    await expect(page.locator("#view-correct")).to_be_hidden()


async def test_a_correction_outside_is_not_replaced_by_one_that_was_begun_before(counter: Counter) -> None:
    _, second = await two_invoices(counter)
    page = counter.page
    async with late(page, f"**/v1/invoices/{second}/xml"):
        await page.click("#to-correct")
        await page.click("[data-view=find]")
        await page.click("#outside")
    await expect(page.locator("#base-number")).to_be_visible()


async def test_the_invoice_that_was_wanted_last_is_shown(counter: Counter) -> None:
    """Between the wish and the answer no other invoice is on the screen: a press on "Drukuj" would be its."""
    first, second = await two_invoices(counter)
    page = counter.page
    await page.click("[data-view=find]")
    async with late(page, f"**/v1/invoices/{first}"):
        await page.click(f"[id='open-{first}']")
        await expect(page.locator("#view-invoice")).to_be_hidden()
        await page.click(f"[id='open-{second}']")
        await expect(page.locator(".answer-label")).to_contain_text("000002")
    await expect(page.locator(".answer-label")).to_contain_text("000002")


async def test_the_answer_to_a_reprint_leaves_another_invoice_alone(counter: Counter) -> None:
    first, second = await two_invoices(counter)
    page = counter.page
    async with late(page, f"**/v1/invoices/{second}/reprint"):
        await page.click("#reprint")
        await page.click("[data-view=find]")
        await page.click(f"[id='open-{first}']")
        await expect(page.locator(".answer-label")).to_contain_text("000001")
    await expect(page.locator(".answer-label")).to_contain_text("000001")


async def test_a_sale_that_was_begun_is_not_replaced_by_one_wanted_before(counter: Counter) -> None:
    _, second = await two_invoices(counter)
    page = counter.page
    await page.keyboard.press("Escape")
    await page.fill("#line-0-name", "Cukier")
    await page.click("#last-show")
    await page.click("#again")
    await expect(page.locator("#again")).to_contain_text("Zastąp ją")
    async with late(page, f"**/v1/invoices/{second}/xml"):
        await page.click("#again")
        await page.keyboard.press("Escape")
    await expect(page.locator("#line-0-name")).to_have_value("Cukier")


async def test_an_invoice_that_does_not_come_says_so_and_the_list_stays(counter: Counter) -> None:
    first, _ = await two_invoices(counter)
    page = counter.page
    await page.click("[data-view=find]")
    row = page.locator(f"[id='open-{first}']")
    await expect(row).to_be_visible()
    await page.route(f"**/v1/invoices/{first}", lambda route: route.abort())
    await row.click()
    await expect(page.locator("#troubles")).not_to_have_text("")
    await expect(row).to_be_visible()
