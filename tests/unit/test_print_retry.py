"""A silent retry prints what is known then, not what was known when the first attempt failed (I10)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from agent.domain.lifecycle import InvoiceState, PrintState
from agent.ports import Outcome
from tests.fakes.world import CASHIER, World, sale, world


async def press(place: World) -> str:
    task = asyncio.ensure_future(place.till.issue_sale(json.dumps(sale()).encode(), "a", CASHIER))
    while not task.done():
        await place.clock.advance(0.1)
    return (await task).invoices[0].record.id


async def test_a_number_that_arrives_meanwhile_is_on_the_paper(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        place.printer.plan.append(Outcome.NOT_SENT)
        invoice_id = await press(place)
        place.gateway.up = True
        place.watch.answered()
        await place.courier.deliver(invoice_id)
        record = await place.record(invoice_id)
        assert record.state is InvoiceState.ACCEPTED
        await place.clock.advance(30)
        failed, printed = await place.till.prints(invoice_id)
        assert (failed.state, failed.document) == (PrintState.FAILED, "transaction_confirmation")
        assert (printed.state, printed.document, printed.copy) == (PrintState.PRINTED, "invoice", 1)
        assert len(place.printer.papers) == 1
        text = await place.till.receipt_text(invoice_id)
        assert str(record.ksef_number) in text
        assert "PONOWNY" not in text


async def test_without_news_the_same_paper_comes_out(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        place.printer.plan.extend([Outcome.NOT_SENT, Outcome.NOT_SENT])
        invoice_id = await press(place)
        await place.clock.advance(30)
        (job,) = await place.till.prints(invoice_id)
        assert (job.state, job.document, job.copy) == (PrintState.PRINTED, "transaction_confirmation", 1)
