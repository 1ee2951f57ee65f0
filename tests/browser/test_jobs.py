"""The twelve commonest jobs by keys alone and by a finger alone; docs/tests.md says how many presses each takes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping
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
        self.counter, self.page, self.presses = counter, counter.page, 0

    async def scans(self, text: str) -> None:
        await scan(self.page, text)
        self.presses += 1

    async def basket(self) -> None:
        """The till's own program hands a basket over."""
        handed = base64.urlsafe_b64encode(json.dumps(SALE).encode()).decode()
        await self.page.evaluate(f"location.hash = 'sale={handed}'")
        await expect(self.page.locator("#line-1-name")).to_have_value("Chleb")

    async def issued(self, count: int) -> None:
        """Wait for the answer to the press that made the last of so many documents."""
        number = (await self.counter.invoices())[-1].number if len(await self.counter.invoices()) == count else ""
        if not number:
            await self.counter.pressed.wait()
        await expect(self.page.locator("#invoice-headline")).to_contain_text("Wydaj")
        assert len(await self.counter.invoices()) == count


class Keys(Hands):
    """Keys alone."""

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)
            self.presses += 1

    async def type(self, text: str) -> None:
        await self.page.keyboard.type(text)
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


async def run(hands: Hands, jobs: Mapping[str, Job]) -> dict[str, int]:
    """Do each job and return its presses."""
    counts = {}
    for name, job in jobs.items():
        hands.presses = 0
        await job()
        counts[name] = hands.presses
    return counts


async def buyer_known(hands: Hands) -> None:
    await expect(hands.page.locator("#buyer-name")).to_have_value("Ministerstwo Finansów")


async def test_keys_alone(counter: Counter) -> None:
    await counter.open()
    hands, page = Keys(counter), counter.page
    made = 0

    async def invoice(*steps: Awaitable[None]) -> None:
        nonlocal made
        for step in steps:
            await step
        made += 1
        await page.wait_for_selector("#view-invoice:visible")
        await hands.issued(made)

    async def scanned() -> None:
        await hands.basket()
        await hands.scans(NIP)
        await buyer_known(hands)
        await invoice(hands.press("F9"))

    async def typed() -> None:
        await hands.press("Escape")
        hands.presses = 0
        await hands.basket()
        await invoice(hands.type(NIP), hands.press("F9"))

    async def by_card() -> None:
        await hands.press("Escape")
        hands.presses = 0
        await hands.basket()
        await invoice(hands.type(NIP), hands.press("F7", "F9"))

    async def person() -> None:
        await hands.press("Escape")
        hands.presses = 0
        await hands.basket()
        await hands.press("Shift+Tab", "ArrowRight")
        await hands.to("#buyer-name")
        await hands.type("Jan Nowak")
        await hands.to("#line1")
        await invoice(hands.type("Cicha 3"), hands.press("F9"))

    async def by_hand() -> None:
        await hands.press("Escape")
        hands.presses = 0
        await expect(page.locator("#line-0-name")).to_be_focused()
        await hands.type("Kawa")
        await hands.press("Enter", "Enter", "Enter")
        await hands.type("12,50")
        await hands.press("F2")
        await invoice(hands.type(NIP), hands.press("F9"))

    async def again_printed() -> None:
        papers = len(counter.place.printer.papers)
        await hands.press("Control+p")
        await expect(page.locator("#said")).to_have_text("wydrukowano")
        assert len(counter.place.printer.papers) == papers + 1

    async def opened() -> None:
        await page.keyboard.press("Escape")
        await hands.scans((await counter.invoices())[0].link_invoice)
        await expect(page.locator(".answer-label")).to_contain_text("000001")

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
        await invoice(hands.press("F9"))

    async def wholly_returned() -> None:
        await page.evaluate("document.querySelector('#relatives .link').click()")
        await expect(page.locator("#relatives")).to_contain_text("Korekty")
        await page.focus("#invoice-headline")
        await hands.to("#to-correct")
        await hands.press("Enter")
        await page.wait_for_selector("#correct-form")
        await hands.to("[name=correction-kind][value=return]")
        await hands.press("ArrowRight")
        await invoice(hands.press("F9"))

    async def issued_again() -> None:
        await page.evaluate("document.querySelector('#relatives .link').click()")
        await expect(page.locator("#relatives")).to_contain_text("Korekty")
        await page.focus("#invoice-headline")
        await hands.to("#again")
        await hands.press("Enter")
        await expect(page.locator("#buyer-name")).to_have_value("Jan Nowak")
        await invoice(hands.press("F9"))

    async def unprinted() -> None:
        counter.place.printer.plan.append(Outcome.NOT_SENT)
        await counter.place.reprinting.reprint((await counter.invoices())[-1].id, CASHIER)
        await counter.hear_the_news()
        await expect(page.locator("#reprint")).to_have_text("Drukuj teraz")
        await page.focus("#invoice-headline")
        await hands.press("Control+p")
        await expect(page.locator("#reprint")).to_have_text("Drukuj ponownie")

    jobs = dict(
        zip(
            documented(1),
            (
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
            ),
            strict=True,
        )
    )
    assert await run(hands, jobs) == documented(1)


async def test_a_finger_alone(counter: Counter) -> None:
    await counter.open()
    hand, page = Finger(counter), counter.page
    await page.tap("#keyboard-switch")
    made = 0

    async def invoice(*steps: Awaitable[None]) -> None:
        nonlocal made
        for step in steps:
            await step
        made += 1
        await page.wait_for_selector("#view-invoice:visible")
        await hand.issued(made)

    async def begun() -> None:
        await page.tap("[data-view=sale]")
        await hand.basket()

    async def scanned() -> None:
        await begun()
        await hand.scans(NIP)
        await buyer_known(hand)
        await invoice(hand.tap("#press"))

    async def typed() -> None:
        await begun()
        await invoice(hand.type("#nip", NIP), buyer_known(hand), hand.tap("#press"))

    async def by_card() -> None:
        await begun()
        await invoice(hand.type("#nip", NIP), buyer_known(hand), hand.tap("label:has(#pay-card)", "#press"))

    async def person() -> None:
        await begun()
        await hand.tap("label:has([name=buyer-kind][value=none])")
        await hand.type("#buyer-name", "jan nowak")
        await hand.type("#line1", "cicha 3")
        await invoice(hand.tap("#press"))

    async def by_hand() -> None:
        await page.tap("[data-view=sale]")
        await hand.type("#line-0-name", "herbata")
        await hand.type("#line-0-unit_price", "12,50")
        await hand.type("#nip", NIP)
        await invoice(buyer_known(hand), hand.tap("#press"))

    async def again_printed() -> None:
        papers = len(counter.place.printer.papers)
        await hand.tap("#reprint")
        await expect(page.locator("#said")).to_have_text("wydrukowano")
        assert len(counter.place.printer.papers) == papers + 1

    async def opened() -> None:
        await page.tap("[data-view=sale]")
        await hand.scans((await counter.invoices())[0].link_invoice)
        await expect(page.locator(".answer-label")).to_contain_text("000001")

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
        await invoice(hand.tap("#correct-submit"))

    async def wholly_returned() -> None:
        await hand.tap("#relatives .link", "#to-correct", "label:has([name=correction-kind][value=full_return])")
        await invoice(hand.tap("#correct-submit"))

    async def issued_again() -> None:
        await hand.tap("#relatives .link", "#again")
        await expect(page.locator("#buyer-name")).to_have_value("jan nowak")
        await invoice(hand.tap("#press"))

    async def unprinted() -> None:
        counter.place.printer.plan.append(Outcome.NOT_SENT)
        await counter.place.reprinting.reprint((await counter.invoices())[-1].id, CASHIER)
        await counter.hear_the_news()
        await expect(page.locator("#reprint")).to_have_text("Drukuj teraz")
        await hand.tap("#reprint")
        await expect(page.locator("#reprint")).to_have_text("Drukuj ponownie")

    jobs = dict(
        zip(
            documented(2),
            (
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
            ),
            strict=True,
        )
    )
    assert await run(hand, jobs) == documented(2)
