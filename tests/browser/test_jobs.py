"""The twelve commonest jobs by keys alone and by a finger alone; docs/tests.md says how many presses each takes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import expect

from agent.ports import Outcome
from tests.browser.conftest import Counter
from tests.browser.test_hands import scan
from tests.fakes.world import CASHIER

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
TABLE = Path(__file__).parents[2] / "docs" / "tests.md"
NIP = "5260250274"
A_HAND = 65.0
"""Milliseconds a key: what comes faster is a scanner's (burst.js), whose second Enter presses no button."""
SALE = {
    "lines": [
        {"name": "Kawa", "quantity": "2", "unit_price": "64.90", "vat": "23"},
        {"name": "Chleb", "quantity": "3", "unit_price": "7.40", "vat": "5"},
    ],
    "prices": "gross",
}


def documented(column: int) -> dict[str, int]:
    """Presses by job; column 1 keys, 2 touches."""
    section = TABLE.read_text("utf-8").partition("## Presses of the twelve commonest jobs\n")[2].partition("\n## ")[0]
    rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in section.splitlines() if line.startswith("| ")]
    return {row[0]: int(row[column]) for row in rows if row[column].isdigit()}


class Hands:
    """Whoever works at the page; every press counts, a scan as one."""

    def __init__(self, counter: Counter) -> None:
        self.counter, self.page = counter, counter.page
        self.presses = self.made = 0

    async def scans(self, text: str) -> None:
        await scan(self.page, text)
        self.presses += 1

    async def basket(self) -> None:
        """The till's own program hands a basket over."""
        await self.counter.hand_over(SALE)

    async def invoice(self, *steps: Awaitable[None]) -> None:
        """Take the last steps to a document and wait for the answer to its press."""
        for step in steps:
            await step
        self.made += 1
        await self.page.wait_for_selector("#view-invoice:visible")
        await expect(self.page.locator("#invoice-headline")).to_contain_text("Wydaj")
        assert len(await self.counter.invoices()) == self.made

    async def buyer_known(self) -> None:
        await expect(self.page.locator("#buyer-name")).to_have_value("Ministerstwo Finansów")

    async def prints_again(self, step: Awaitable[None]) -> None:
        papers = len(self.counter.place.printer.papers)
        await step
        await expect(self.page.locator("#said")).to_have_text("wydrukowano")
        assert len(self.counter.place.printer.papers) == papers + 1

    async def opens_the_first(self) -> None:
        """Scan KOD I of the first invoice."""
        await self.scans((await self.counter.invoices())[0].link_invoice)
        await expect(self.page.locator(".answer-label")).to_contain_text("000001")

    async def mends_the_paper(self, step: Awaitable[None]) -> None:
        """The paper of the invoice on the screen does not come out; this step prints it."""
        self.counter.place.printer.plan.append(Outcome.NOT_SENT)
        await self.counter.place.reprinting.reprint((await self.counter.invoices())[-1].id, CASHIER)
        await self.counter.hear_the_news()
        await expect(self.page.locator("#reprint")).to_have_text("Drukuj teraz")
        await step
        await expect(self.page.locator("#reprint")).to_have_text("Drukuj ponownie")


class Keys(Hands):
    """Keys alone."""

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)
            self.presses += 1

    async def type(self, text: str) -> None:
        await self.page.keyboard.type(text, delay=A_HAND)
        self.presses += len(text)

    async def to(self, selector: str, *, back: bool = False) -> None:
        """Tab until this has the focus."""
        for _ in range(30):
            if await self.page.locator(selector).evaluate("(each) => each === document.activeElement"):
                return
            await self.press("Shift+Tab" if back else "Tab")
        pytest.fail(f"{selector} cannot be reached by keys")


class Finger(Hands):
    """A finger, with the keyboard on the screen."""

    async def tap(self, *selectors: str) -> None:
        for selector in selectors:
            await self.page.tap(selector)
            self.presses += 1

    async def type(self, field: str, text: str) -> None:
        await self.tap(field)
        for letter in text:
            await self.tap(f'#keyboard button[data-text="{letter}"]')


Job = Callable[[], Awaitable[None]]


async def run(hands: Hands, column: int, *jobs: Job) -> None:
    """Do the jobs, which stand in the table in this order; each takes as many presses as it says."""
    expected, counts = documented(column), {}
    for name, job in zip(expected, jobs, strict=True):
        hands.presses = 0
        await job()
        counts[name] = hands.presses
    assert counts == expected


@pytest.mark.nightly
async def test_keys_alone(counter: Counter) -> None:
    await counter.open()
    hands, page = Keys(counter), counter.page

    async def begun() -> None:
        await page.keyboard.press("Escape")
        await hands.basket()

    async def scanned() -> None:
        await hands.basket()
        await hands.scans(NIP)
        await hands.buyer_known()
        await hands.invoice(hands.press("F9"))

    async def typed() -> None:
        await begun()
        await hands.invoice(hands.type(NIP), hands.press("F9"))

    async def by_card() -> None:
        await begun()
        await hands.invoice(hands.type(NIP), hands.press("F7", "F9"))

    async def person() -> None:
        await begun()
        await hands.press("Shift+Tab", "ArrowRight")
        await hands.to("#buyer-name")
        await hands.type("Jan Nowak")
        await hands.to("#line1")
        await hands.invoice(hands.type("Cicha 3"), hands.press("F9"))

    async def by_hand() -> None:
        await page.keyboard.press("Escape")
        await expect(page.locator("#line-0-name")).to_be_focused()
        await hands.type("Kawa")
        await hands.press("Enter", "Enter", "Enter")
        await hands.type("12,50")
        await hands.press("F2")
        await hands.invoice(hands.type(NIP), hands.press("F9"))

    async def again_printed() -> None:
        await hands.prints_again(hands.press("Control+p"))

    async def opened() -> None:
        await page.keyboard.press("Escape")
        await hands.opens_the_first()

    async def found() -> None:
        await hands.press("Control+f")
        await expect(page.locator("#find-text")).to_be_focused()
        await hands.type("jan nowak")
        await hands.press("Enter")
        await expect(page.locator("#found tbody tr")).to_have_count(1)
        await expect(page.locator("#found .link")).to_be_focused()
        await hands.press("Enter")
        await expect(page.locator(".facts").first).to_contain_text("Jan Nowak")

    async def returned() -> None:
        await hands.to("#to-correct")
        await hands.press("Enter")
        await page.wait_for_selector("#correct-form")
        await hands.to("#correct-line-1")
        await hands.type("1")
        await hands.invoice(hands.press("F9"))

    async def back_to_the_invoice() -> None:
        await page.evaluate("document.querySelector('#relatives .link').click()")
        await expect(page.locator("#relatives")).to_contain_text("Korekty")
        await page.focus("#invoice-headline")

    async def wholly_returned() -> None:
        await back_to_the_invoice()
        await hands.to("#to-correct")
        await hands.press("Enter")
        await page.wait_for_selector("#correct-form")
        await hands.to("[name=correction-kind][value=return]")
        await hands.press("ArrowRight")
        await hands.invoice(hands.press("F9"))

    async def issued_again() -> None:
        await back_to_the_invoice()
        await hands.to("#again")
        await hands.press("Enter")
        await expect(page.locator("#buyer-name")).to_have_value("Jan Nowak")
        await hands.invoice(hands.press("F9"))

    async def unprinted() -> None:
        await hands.mends_the_paper(hands.press("Control+p"))

    await run(
        hands,
        1,
        scanned,
        typed,
        by_card,
        person,
        by_hand,
        again_printed,
        opened,
        found,
        returned,
        wholly_returned,
        issued_again,
        unprinted,
    )


@pytest.mark.nightly
async def test_a_finger_alone(counter: Counter) -> None:
    await counter.open()
    hand, page = Finger(counter), counter.page
    await page.tap("#keyboard-switch")

    async def begun() -> None:
        await page.tap("[data-view=sale]")
        await hand.basket()

    async def scanned() -> None:
        await begun()
        await hand.scans(NIP)
        await hand.buyer_known()
        await hand.invoice(hand.tap("#press"))

    async def typed() -> None:
        await begun()
        await hand.invoice(hand.type("#nip", NIP), hand.buyer_known(), hand.tap("#press"))

    async def by_card() -> None:
        await begun()
        await hand.invoice(hand.type("#nip", NIP), hand.buyer_known(), hand.tap("label:has(#pay-card)", "#press"))

    async def person() -> None:
        await begun()
        await hand.tap("label:has([name=buyer-kind][value=none])")
        await hand.type("#buyer-name", "jan nowak")
        await hand.type("#line1", "cicha 3")
        await hand.invoice(hand.tap("#press"))

    async def by_hand() -> None:
        await page.tap("[data-view=sale]")
        await hand.type("#line-0-name", "herbata")
        await hand.type("#line-0-unit_price", "12,50")
        await hand.type("#nip", NIP)
        await hand.invoice(hand.buyer_known(), hand.tap("#press"))

    async def again_printed() -> None:
        await hand.prints_again(hand.tap("#reprint"))

    async def opened() -> None:
        await page.tap("[data-view=sale]")
        await hand.opens_the_first()

    async def found() -> None:
        await hand.tap("[data-view=find]")
        await hand.type("#find-text", "jan nowak")
        await hand.tap("#keyboard [data-command=next]")
        await expect(page.locator("#found tbody tr")).to_have_count(1)
        await hand.tap("#found .link")
        await expect(page.locator(".facts").first).to_contain_text("jan nowak")

    async def returned() -> None:
        await hand.tap("#to-correct")
        await hand.type("#correct-line-1", "1")
        await hand.invoice(hand.tap("#correct-submit"))

    async def wholly_returned() -> None:
        await hand.tap("#relatives .link", "#to-correct", "label:has([name=correction-kind][value=full_return])")
        await hand.invoice(hand.tap("#correct-submit"))

    async def issued_again() -> None:
        await hand.tap("#relatives .link", "#again")
        await expect(page.locator("#buyer-name")).to_have_value("jan nowak")
        await hand.invoice(hand.tap("#press"))

    async def unprinted() -> None:
        await hand.mends_the_paper(hand.tap("#reprint"))

    await run(
        hand,
        2,
        scanned,
        typed,
        by_card,
        person,
        by_hand,
        again_printed,
        opened,
        found,
        returned,
        wholly_returned,
        issued_again,
        unprinted,
    )
