"""A press that holds its printer: the document and the bytes of its paper are one commit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from agent.domain.errors import AgentError, DocumentDamaged
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.ports import Outcome, PrintJob, PrintResult, Transaction
from tests.fakes import counter
from tests.fakes.printer import Encode, FakePrinter, FakeReservation, Sent
from tests.fakes.world import CASHIER, press_until_answered, settings, world


class CountingPrinter(FakePrinter):
    """Notes how many commits there were when its bytes leave."""

    def __init__(self, commits: Callable[[], int]) -> None:
        super().__init__()
        self._commits = commits
        self.at_bytes: list[int] = []

    async def print(self, encode: Encode, sent: Sent) -> PrintResult:
        result = await super().print(encode, sent)
        self.at_bytes.append(self._commits())
        return result


async def test_an_offline_press_needs_two_commits(tmp_path: Path) -> None:
    """The document with the bytes of its paper, and what became of the paper."""
    printer = CountingPrinter(lambda: place.store._commits)
    async with world(tmp_path, printer=printer) as place:
        await place.lose_the_line()
        before = place.store._commits
        record = await place.sell()
        assert [each - before for each in printer.at_bytes] == [1]
        assert place.store._commits - before == 2
        assert printer.papers == [job.data for job in await place.store.read(partial(jobs, record.id))]
        assert await place.log(record.id) == ["issued", "print_queued", "print_printed"]


async def jobs(invoice_id: str, tx: Transaction) -> list[PrintJob]:
    return await tx.prints.of_invoice(invoice_id)


async def test_a_crash_after_the_bytes_were_marked_is_for_a_person_to_decide(tmp_path: Path) -> None:
    """One commit made the document and marked its bytes as leaving; whether they left, nobody knows."""

    class Dying(FakePrinter):
        async def print(self, encode: Encode, sent: Sent) -> PrintResult:
            raise asyncio.CancelledError

    async with world(tmp_path, printer=Dying()) as place:
        await place.lose_the_line()
        with pytest.raises(asyncio.CancelledError):
            await place.sell("one")
        await place.printing.recover()
        paper = (await place.invoices.queue()).invoices[0].paper
        assert paper is not None
        assert paper.state == PrintState.UNCERTAIN


async def test_a_printer_that_says_nothing_holds_up_no_document(tmp_path: Path) -> None:
    class Slow(FakePrinter):
        async def reserve(self) -> FakeReservation | None:
            await place.clock.sleep(60)
            return await super().reserve()

    async with world(tmp_path, printer=Slow()) as place:
        await place.lose_the_line()
        begun = place.clock.monotonic()
        record = await press_until_answered(place, "a")
        assert place.clock.monotonic() - begun < 0.5
        assert await place.log(record.id) == ["issued", "print_queued", "print_printed"]
        assert not place.printer.held


async def test_after_trouble_no_document_waits_for_the_printer(tmp_path: Path) -> None:
    asked: list[int] = []

    class Asked(FakePrinter):
        async def reserve(self) -> FakeReservation | None:
            asked.append(len(self.plan))
            return await super().reserve()

    async with world(tmp_path, printer=Asked()) as place:
        await place.lose_the_line()
        place.printer.plan.append(Outcome.UNKNOWN)
        await place.sell()
        await place.sell()
        assert asked == [1], "the second one is durable before the printer is spoken to"
        await place.sell()
        assert len(asked) == 2, "it printed again"


async def test_a_refused_sale_lets_the_printer_go(tmp_path: Path) -> None:
    base = settings(tmp_path)
    async with world(tmp_path, given=replace(base, issue=replace(base.issue, prefer="offline24"))) as place:
        first = await press_until_answered(place, "a")
        body = json.dumps({"kind": "partial_return", "reason": "zwrot", "lines": [{"line": 9, "quantity": "1"}]})
        with pytest.raises(AgentError):
            await counter.correct(place, first.id, body.encode(), "b", CASHIER)
        assert not place.printer.held
        await press_until_answered(place, "c")
        assert len(place.printer.papers) == 2


async def test_a_press_without_a_paper_of_its_own_lets_the_printer_go_before_its_slip(tmp_path: Path) -> None:
    """A correction that waits for its base has a slip, which is printed as any other job."""
    async with world(tmp_path) as place:
        await place.lose_the_line()
        base = await press_until_answered(place, "a")
        body = json.dumps({"kind": "full_return", "reason": "zwrot"})
        await asyncio.wait_for(counter.correct(place, base.id, body.encode(), "b", CASHIER), 5)
        assert len(place.printer.papers) == 2
        assert "slip_printed" in await place.log(base.id)


async def test_a_paper_that_cannot_be_made_is_trouble_of_the_paper_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_named: object) -> bytes:
        raise DocumentDamaged("Faktura FV-1/2026/11/000001")

    async with world(tmp_path) as place:
        await place.lose_the_line()
        monkeypatch.setattr(place.printing, "_receipt", broken)
        answer = await place.invoices.one((await press_until_answered(place, "a")).id)
        assert answer.paper is not None
        assert answer.paper.state == PrintState.FAILED
        assert answer.record.state is InvoiceState.ISSUED
