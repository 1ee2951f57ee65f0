"""The answer to an offline press: what the press knows when its paper is out, the same as a read of it would give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.ports import Outcome
from agent.services.queries.invoices import IssueAnswer
from tests.fakes import counter
from tests.fakes.printer import FakePrinter
from tests.fakes.world import CASHIER, CONSUMER, World, sale, world

PAID_OUT = {"deposits": [{"name": "Zwrot butelek", "amount": "-200.00"}]}
LATE_WITH_RECEIPT = {
    "receipt": {"number": "1234", "register": "ABC1901234567", "nip": "1111111111"},
    "sold_on": "2026-09-20",
}


async def press(place: World, **changes: Any) -> IssueAnswer:
    place.keys += 1
    return await counter.sale(place, json.dumps(sale(**changes)).encode(), f"key-{place.keys}", CASHIER)


@pytest.mark.parametrize(
    "changes",
    [{}, {"buyer": CONSUMER}, PAID_OUT, LATE_WITH_RECEIPT, {"print": False}],
    ids=["firm", "consumer", "paid out", "receipt", "own printing"],
)
async def test_it_is_the_answer_that_a_read_gives(tmp_path: Path, changes: dict[str, Any]) -> None:
    async with world(tmp_path) as place:
        await place.lose_the_line()
        (made,) = (await press(place, **changes)).invoices
        assert made == await place.invoices.one(made.record.id)


@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.UNKNOWN])
async def test_so_it_is_where_the_paper_did_not_come_out(tmp_path: Path, outcome: Outcome) -> None:
    async with world(tmp_path, printer=FakePrinter()) as place:
        await place.lose_the_line()
        place.printer.plan.append(outcome)
        (made,) = (await press(place)).invoices
        assert made.paper is not None
        assert made == await place.invoices.one(made.record.id)


async def test_it_is_read_where_more_than_the_paper_decides(tmp_path: Path) -> None:
    """How the corrected invoice was paid stands on that one."""
    async with world(tmp_path) as place:
        first = await place.sell(payments=[{"method": "card", "amount": "135.60"}])
        await place.lose_the_line()
        correction = {"kind": "return", "lines": [{"line": 1, "quantity": "1"}]}
        made = await counter.correct(place, first.id, json.dumps(correction).encode(), "c", CASHIER)
        assert made.invoices[0] == await place.invoices.one(made.invoices[0].record.id)


async def test_nothing_is_read_back_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path) as place:
        await place.lose_the_line()

        async def no_read(_work: object) -> None:
            raise AssertionError("a read")

        with monkeypatch.context() as patch:
            patch.setattr(place.store, "read", no_read)
            await press(place)
