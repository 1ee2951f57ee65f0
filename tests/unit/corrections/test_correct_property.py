"""Random sales, returns, outages and restarts: the ledger has every base before its corrections, and adds up."""

from __future__ import annotations

import json
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain.corrections.base import read_base
from agent.domain.errors import Refused
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.read import read
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import UNSENT
from agent.domain.vat import totals_of
from agent.ports import InvoiceFilter
from tests.fakes import counter
from tests.fakes.gateway import FakeGateway
from tests.fakes.world import CASHIER, World, sale, world
from tests.unit.corrections.test_correct import passing

CENT = Decimal("0.01")
STEPS = ("sell", "return", "return", "price", "full", "down", "up", "lose", "restart", "pass", "queue")


@dataclass
class Goods:
    """What the customer still has, counted by hand: (quantity, unit price) of each line."""

    record: InvoiceRecord
    lines: dict[int, tuple[Decimal, Decimal]]

    @property
    def value(self) -> Decimal:
        return sum(
            ((quantity * price).quantize(CENT, ROUND_HALF_UP) for quantity, price in self.lines.values()), Decimal(0)
        )


@dataclass
class Shop:
    """One run: a world that may be restarted over the same data and the same KSeF."""

    folder: Path
    stack: AsyncExitStack
    place: World
    sold: list[Goods] = field(default_factory=list)
    presses: int = 0

    async def restart(self) -> None:
        gateway, clock = self.place.gateway, self.place.clock
        await self.stack.aclose()
        self.place = await self.stack.enter_async_context(world(self.folder, gateway=gateway, clock=clock))

    async def sell(self, quantity: int, price: int) -> None:
        lines = [{**line, "quantity": "3"} for line in sale()["lines"]]
        lines.append({"name": "Ser", "quantity": str(quantity), "unit": "kg", "unit_price": f"{price}.99", "vat": "5"})
        self.presses += 1
        body = json.dumps(sale(lines=lines)).encode()
        answer = await passing(self.place, counter.sale(self.place, body, f"s{self.presses}", CASHIER))
        left = {
            number: (Decimal(line["quantity"]), Decimal(line["unit_price"])) for number, line in enumerate(lines, 1)
        }
        self.sold.append(Goods(answer.invoices[0].record, left))

    async def correct(self, step: str, which: int, line: int, amount: int) -> None:
        if not self.sold:
            return
        goods = self.sold[which % len(self.sold)]
        number = line % len(goods.lines) + 1
        quantity, price = goods.lines[number]
        after = dict(goods.lines)
        body: dict[str, Any]
        if step == "full":
            body = {"kind": "full_return"}
            after = {each: (Decimal(0), price) for each, (_, price) in after.items()}
        elif step == "return":
            back = Decimal(amount) / 2
            body = {"kind": "return", "lines": [{"line": number, "quantity": str(back)}]}
            after[number] = (quantity - back, price)
        else:
            body = {"kind": "price", "lines": [{"line": number, "unit_price": f"{amount}.49"}]}
            after[number] = (quantity, Decimal(f"{amount}.49"))
        self.presses += 1
        pressed = counter.correct(self.place, goods.record.id, json.dumps(body).encode(), f"k{self.presses}", CASHIER)
        try:
            await passing(self.place, pressed)
        except Refused:
            nothing_left = not any(left for left, _ in goods.lines.values())
            too_much = after[number][0] < 0
            same_price = step == "price" and (quantity == 0 or after == goods.lines)
            assert nothing_left or too_much or same_price, body
        else:
            assert after[number][0] >= 0, "more came back than was sold"
            goods.lines = after

    async def catch_up(self) -> None:
        place = self.place
        place.gateway.up = True
        place.gateway.lost_answers = 0
        for _ in range(20):
            await passing(place, place.catch_up())
            if not await place.pending.waiting() and not (await place.invoices.queue()).invoices:
                return
        raise AssertionError("the queue does not empty")


def check_ledger(gateway: FakeGateway, files: dict[str, FaView], sold: list[Goods]) -> None:
    order = {number: position for position, (_, _, number) in enumerate(gateway.ledger)}
    assert order.keys() == files.keys()
    numbers = {number: ksef for (_, _, number), (ksef, _) in gateway.ledger.items()}
    for goods in sold:
        base = files[goods.record.number]
        # In the order of issue, which their numbers show; KSeF may take two of one base in any order.
        corrections = [
            view
            for _, view in sorted(files.items())
            if view.correction is not None and view.correction.bases[0].number == base.number
        ]
        for view in corrections:
            assert order[base.number] < order[view.number]
            assert view.correction is not None
            assert view.correction.bases[0].ksef_number == numbers[base.number]
        assert base.gross + sum(view.gross for view in corrections) == goods.value
        left = read_base(base, ksef_number=numbers[base.number], earlier=corrections)
        assert {row.number: row.line.quantity for row in left.rows} == {
            number: quantity for number, (quantity, _) in goods.lines.items()
        }
        expected = totals_of(((row.line.vat, row.value) for row in left.rows), left.prices, left.currency)
        assert {rate.rate: (rate.net, rate.tax) for rate in left.totals.rates if rate.gross} == {
            rate.rate: (rate.net, rate.tax) for rate in expected.rates if rate.gross
        }


step_lists = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 3), st.integers(0, 2), st.integers(1, 6)), min_size=4, max_size=14
)


@settings(max_examples=settings().max_examples // 5)
@given(steps=step_lists)
async def test_bases_come_first_and_everything_adds_up(steps: list[tuple[str, int, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            place = await stack.enter_async_context(world(Path(folder)))
            shop = Shop(Path(folder), stack, place)
            await shop.sell(2, 19)
            for step, which, line, amount in steps:
                await take(shop, step, which, line, amount)
            await shop.catch_up()
            found = await shop.place.store.read(lambda tx: tx.invoices.find(InvoiceFilter(limit=1000)))
            assert not [record for record in found if record.state in UNSENT]
            check_ledger(shop.place.gateway, {record.number: read(record.xml) for record in found}, shop.sold)


async def take(shop: Shop, step: str, which: int, line: int, amount: int) -> None:
    place = shop.place
    match step:
        case "sell":
            await shop.sell(amount, which + 5)
        case "down" | "up":
            place.gateway.up = step == "up"
            await place.connection.probe()
        case "lose":
            place.gateway.lost_answers += 1
        case "restart":
            await shop.restart()
        case "pass":
            await place.clock.advance(60)
            await passing(place, place.queue.pass_once())
        case "queue":
            await place.pending.issue_ready()
        case _:
            await shop.correct(step, which, line, amount)
