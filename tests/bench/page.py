"""The till page in a real browser: how soon a slowed-down one answers a key, and what the three commonest jobs take.

`python -m tests.bench page`; `python -m tests.bench.page DIR` times the jobs on the program of another checkout, as
docs/benchmarks.md compares an older page with this one. No ratio is stored: the figures are of this machine.

A key's answer is Chromium's own Event Timing: from the key to the frame painted after it, to 8 ms, while its processor
is slowed down four times (Emulation.setCPUThrottlingRate). Jobs are done with keys alone at five keys a second.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.browser.test_pace import KEYS, LIMIT, LINES, PRODUCTS, SLOWER

HERE = Path(__file__).parent.parent.parent
ROUNDS = 5
PAUSE = 0.2
"""Seconds between two keys of a hand."""
NIP = "5260250274"
SALE = {"lines": [{"name": "Kawa", "quantity": "2", "unit_price": "12.50", "vat": "23"}]}
TIMES = """
() => {
  globalThis.took = [];
  new PerformanceObserver((list) => {
    for (const { name, startTime, duration } of list.getEntries()) {
      if (name === "keydown") globalThis.took.push([startTime, duration]);
    }
  }).observe({ type: "event", durationThreshold: 16 });
}
"""
"""Keeps when each key came and how long it took until the next paint, ms; below 16 a browser does not tell."""
PAINTED = "() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); })"


def main() -> None:
    """Print the figures of this program."""
    if CHROMIUM is None:
        print("no chromium: apt-get install chromium")
        return
    asyncio.run(_all())


async def _all() -> None:
    async with opened(HERE) as page:
        await pace(page)
    async with opened(HERE) as page:
        await jobs(page)


@contextlib.asynccontextmanager
async def opened(root: Path) -> AsyncIterator[Page]:
    """Run the demonstration of a checkout and open its page."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = (sys.executable, "-c", "from agent.cli import main; main()", "demo", "--page", "--port", str(port))
    quiet = asyncio.subprocess.DEVNULL
    program = await asyncio.create_subprocess_exec(
        *command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, stdout=quiet, stderr=quiet
    )
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = await browser.new_page(locale="pl-PL", viewport={"width": 1366, "height": 768})
            for _ in range(300):
                if await _answers(port):
                    break
                await asyncio.sleep(0.1)
            await page.goto(f"http://127.0.0.1:{port}/")
            await page.wait_for_selector("#sale-form:visible")
            yield page
            await browser.close()
    finally:
        with contextlib.suppress(ProcessLookupError):
            program.terminate()
        await program.wait()


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def pace(page: Page) -> None:
    """Every kind of key on a long basket, with 500 products remembered; of each key the best of its rounds.

    The best: slowed down by the wall clock, a round also measures whatever else the machine does.
    """
    await page.evaluate(PRODUCTS)
    rounds = [await _round(page) for _ in range(ROUNDS)]
    best = sorted(min(took) for took in zip(*rounds, strict=True))
    middle, late = best[len(best) // 2], best[int(len(best) * 0.95)]
    print(f"a key to the paint after it, processor slowed down {SLOWER} times, {len(KEYS)} keys, {ROUNDS} rounds:")
    print(f"  p50 {middle:.0f} ms, p95 {late:.0f} ms, slowest {best[-1]:.0f} ms (0: below 16); wanted {LIMIT:.0f} ms")


async def _round(page: Page) -> list[float]:
    tools = await page.context.new_cdp_session(page)
    await page.reload()
    await page.wait_for_selector("#quick-6")
    for number in range(LINES):
        await page.keyboard.press("F4")
        await page.keyboard.type(f"Herbata {number}")
    await tools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    await page.evaluate(TIMES)
    pressed = []
    for key in KEYS:
        pressed.append(await page.evaluate("performance.now()"))
        await page.keyboard.press(key)
        await page.evaluate(PAINTED)
    await page.evaluate(PAINTED)
    took: list[tuple[float, float]] = await page.evaluate("globalThis.took")
    await tools.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    until = [*pressed[1:], float("inf")]
    return [
        max((duration for at, duration in took if begin <= at < end), default=0.0)
        for begin, end in zip(pressed, until, strict=True)
    ]


class Hand:
    """Presses keys at its pace, and counts them; a scan is one."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.keys = 0

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)
            self.keys += 1
            await asyncio.sleep(PAUSE)

    async def type(self, text: str) -> None:
        await self.press(*text)

    async def to(self, selector: str) -> None:
        """Tab until the element has the focus."""
        while not await self.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            await self.press("Tab")

    async def scan(self, text: str) -> None:
        """A burst as a scanner's, with Enter."""
        await self.page.keyboard.type(text)
        await self.page.keyboard.press("Enter")
        self.keys += 1

    async def answer(self) -> None:
        """Wait for the sentence that says what to hand out."""
        await expect(self.page.locator("#invoice-headline:visible")).to_contain_text("Wydaj")


async def jobs(page: Page) -> None:
    """Time three of the twelve jobs of docs/tests.md, whatever way the page offers for each."""

    async def basket_there() -> None:
        given = base64.urlsafe_b64encode(json.dumps(SALE).encode()).decode()
        await page.evaluate(f"location.hash = 'sale={given}'")
        await expect(page.locator("#line-0-name")).to_have_value("Kawa")
        await asyncio.sleep(1)

    async def scanned(hand: Hand) -> None:
        await hand.scan(NIP)
        await hand.press("F9")
        await hand.answer()

    async def by_hand(hand: Hand) -> None:
        if await page.evaluate("Boolean(localStorage.getItem('ksef-agent.products')?.includes('Herbata'))"):
            await hand.type("her")
            await hand.press("ArrowDown", "Enter")
        else:
            await hand.type("Herbata")
            await hand.to("#line-0-unit_price")
            await hand.type("12,50")
        await hand.press("F2")
        await hand.type(NIP)
        await hand.press("F9")
        await hand.answer()

    async def fresh() -> None:
        await page.keyboard.press("Escape")
        if await page.locator("#clear-button").count():
            await page.click("#clear-button")
        await page.focus("#line-0-name")

    async def sold_before() -> None:
        await fresh()
        await by_hand(Hand(page))
        await fresh()

    async def printed_again(hand: Hand) -> None:
        if await page.locator("#last-print").count():
            await hand.press("Control+p")
        else:
            await hand.to("[data-view=find]")
            await hand.press("Enter")
            await page.wait_for_selector("#view-find .link")
            await hand.to("#view-find .link")
            await hand.press("Enter")
            await page.wait_for_selector("#invoice-headline:visible")
            await hand.to("#reprint")
            await hand.press("Enter")
        await expect(page.locator("#said")).to_have_text("wydrukowano")

    async def at_the_sale() -> None:
        await page.keyboard.press("Escape")
        await page.wait_for_selector("#sale-form:visible")

    print(f"three jobs by keys alone, {1 / PAUSE:.0f} keys a second:")
    await timed(page, "basket there, firm: NIP scanned", basket_there, scanned)
    await timed(page, "goods sold before, firm: NIP typed", sold_before, by_hand)
    await timed(page, "print the last invoice again", at_the_sale, printed_again)


async def timed(
    page: Page, name: str, before: Callable[[], Awaitable[None]], job: Callable[[Hand], Awaitable[None]]
) -> None:
    """Prepare, do it, and print what it took."""
    await before()
    hand = Hand(page)
    begun = time.monotonic()
    await job(hand)
    print(f"  {name:36} {hand.keys:3} keys {time.monotonic() - begun:6.1f} s", flush=True)


async def _elsewhere(root: Path) -> None:
    async with opened(root) as page:
        await jobs(page)


if __name__ == "__main__":
    asyncio.run(_elsewhere(Path(sys.argv[1])))
