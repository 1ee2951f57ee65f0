"""A silent retry prints what is known then, not what was known when the first attempt failed (I10)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.domain.errors import Unavailable
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.ports import Outcome, PrintResult
from agent.services.paper.printing import DEFECT, PrintTrouble
from tests.fakes.world import CASHIER, MANAGER, World, press_until_answered, world


async def press(place: World) -> str:
    return (await press_until_answered(place, "a")).id


async def test_a_number_that_arrives_meanwhile_is_on_the_paper(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        place.printer.plan.append(Outcome.NOT_SENT)
        invoice_id = await press(place)
        place.gateway.up = True
        place.connection.answered()
        await place.sender.deliver(invoice_id)
        record = await place.record(invoice_id)
        assert record.state is InvoiceState.ACCEPTED
        await place.clock.advance(30)
        failed, printed = await place.invoices.prints(invoice_id)
        assert (failed.state, failed.document) == (PrintState.FAILED, "transaction_confirmation")
        assert (printed.state, printed.document, printed.copy) == (PrintState.PRINTED, "invoice", 1)
        assert len(place.printer.papers) == 1
        text = await place.previews.text(invoice_id)
        assert str(record.ksef_number) in text
        assert "PONOWNY" not in text


async def test_without_news_the_same_paper_comes_out(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        place.printer.plan.extend([Outcome.NOT_SENT, Outcome.NOT_SENT])
        invoice_id = await press(place)
        news = place.changed.next()
        await place.clock.advance(30)
        assert news.done()
        (job,) = await place.invoices.prints(invoice_id)
        assert (job.state, job.document, job.copy) == (PrintState.PRINTED, "transaction_confirmation", 1)


def before_the_retry_writes(
    place: World,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[], Awaitable[object]],
    *,
    at: frozenset[int] = frozenset({1}),
) -> None:
    """Let ``act`` happen right before the first transaction of a silent retry, or those that ``at`` counts."""
    write = place.store.write
    count = 0

    async def hooked(work: Any) -> Any:
        nonlocal count
        task = asyncio.current_task()
        if task is not None and task.get_name().startswith("print-retry"):
            count += 1
            if count in at:
                await act()
        return await write(work)

    monkeypatch.setattr(place.store, "write", hooked)


async def test_a_reprint_just_before_the_retry_is_the_only_paper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as place:
        place.gateway.up = False
        place.printer.plan.append(Outcome.NOT_SENT)
        invoice_id = await press(place)
        before_the_retry_writes(place, monkeypatch, lambda: place.reprinting.reprint(invoice_id, CASHIER))
        await place.clock.advance(130)
        assert [(job.state, job.copy) for job in await place.invoices.prints(invoice_id)] == [
            (PrintState.FAILED, 1),
            (PrintState.PRINTED, 1),
        ]
        assert len(place.printer.papers) == 1


@pytest.mark.parametrize("at", [{1}, {2}, {2, 3}], ids=["to queue", "to leave", "to leave and to settle"])
async def test_a_full_disk_ends_no_retry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: set[int]) -> None:
    async def full() -> None:
        raise Unavailable("Brak miejsca na dysku.", code="disk-full")

    async with world(tmp_path) as place:
        place.gateway.up = False
        place.printer.plan.append(Outcome.NOT_SENT)
        invoice_id = await press(place)
        before_the_retry_writes(place, monkeypatch, full, at=frozenset(at))
        await place.clock.advance(30)
        (job,) = await place.invoices.prints(invoice_id)
        assert (job.state, job.copy) == (PrintState.PRINTED, 1)
        assert len(place.printer.papers) == 1
        assert place.defects == []


class Disk:
    """Of a till whose disk is full while ``full``: nothing of a paper can be stored. The document was before."""

    def __init__(self, place: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.room_for = 0
        """Writes that still find room."""
        self._write = place.store.write
        monkeypatch.setattr(place.store, "write", self.write)

    async def write(self, work: Any) -> Any:
        task = asyncio.current_task()
        if self.full and task is not None and task.get_name().startswith("print-"):
            self.room_for -= 1
            if self.room_for < 0:
                raise Unavailable("Brak miejsca na dysku.", code="disk-full")
        return await self._write(work)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[World]:
    """A till whose printer is not held before the document is durable, since the last job went wrong."""
    async with world(tmp_path) as place:
        await place.lose_the_line()
        place.printing.trouble = PrintTrouble(0, DEFECT)
        yield place


async def jobs_of(place: World, invoice_id: str) -> list[tuple[PrintState, int]]:
    return [(job.state, job.copy) for job in await place.invoices.prints(invoice_id)]


async def test_a_paper_that_could_not_be_noted_comes_out_once_there_is_room(
    place: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(place, monkeypatch)
    disk.full = True
    invoice_id = await press(place)
    assert await jobs_of(place, invoice_id) == [(PrintState.QUEUED, 1)]
    await place.clock.advance(30)
    disk.full = False
    await place.clock.advance(30)
    assert await jobs_of(place, invoice_id) == [(PrintState.PRINTED, 1)]
    assert len(place.printer.papers) == 1
    assert place.printing.trouble is None
    assert place.defects == []


@pytest.mark.parametrize(
    ("outcome", "state"), [(Outcome.DONE, PrintState.PRINTED), (Outcome.UNKNOWN, PrintState.UNCERTAIN)]
)
async def test_what_became_of_a_paper_is_noted_once_there_is_room(
    place: World, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, state: PrintState
) -> None:
    disk = Disk(place, monkeypatch)
    disk.full, disk.room_for = True, 1
    place.printer.plan.append(outcome)
    invoice_id = await press(place)
    assert await jobs_of(place, invoice_id) == [(PrintState.PRINTING, 1)]
    await place.clock.advance(600)
    news = place.changed.next()
    disk.full = False
    await place.clock.advance(30)
    assert await jobs_of(place, invoice_id) == [(state, 1)]
    assert news.done(), "a screen that waits for it is told"
    assert len(place.printer.papers) == 1
    assert place.defects == []


async def test_the_paper_of_a_customer_who_has_gone_waits_for_a_person(
    place: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(place, monkeypatch)
    disk.full = True
    invoice_id = await press(place)
    await place.clock.advance(600)
    disk.full = False
    await place.clock.advance(600)
    assert await jobs_of(place, invoice_id) == [(PrintState.FAILED, 1)]
    assert place.printer.papers == []
    await place.reprinting.reprint(invoice_id, CASHIER)
    assert await jobs_of(place, invoice_id) == [(PrintState.FAILED, 1), (PrintState.PRINTED, 1)]


async def test_a_reprint_before_that_is_the_first_and_only_paper(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(place, monkeypatch)
    disk.full = True
    invoice_id = await press(place)
    disk.full = False
    await place.reprinting.reprint(invoice_id, CASHIER)
    await place.clock.advance(600)
    assert await jobs_of(place, invoice_id) == [(PrintState.FAILED, 1), (PrintState.PRINTED, 1)]
    assert len(place.printer.papers) == 1
    assert place.defects == []


@pytest.mark.parametrize(("left", "state"), [(False, PrintState.FAILED), (True, PrintState.UNCERTAIN)])
async def test_a_defect_in_the_middle_leaves_no_job_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: bool, state: PrintState
) -> None:
    async def broken(encode: Any, sent: Any) -> PrintResult:
        if left:
            await sent("paragon", encode("paragon"))
        raise RuntimeError("a defect")

    async with world(tmp_path) as place:
        record = await place.sell()
        monkeypatch.setattr(place.printer, "print", broken)
        with pytest.raises(RuntimeError, match="a defect"):
            await place.reprinting.reprint(record.id, MANAGER)
        *_, job = await place.invoices.prints(record.id)
        assert (job.state, job.problem) == (state, "Wydruk przerwał błąd programu. Wezwij serwis.")
        assert place.printing.trouble is not None
