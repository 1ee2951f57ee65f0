"""The disk gets full within a press: what is durable is answered for, what is not is refused."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.domain.errors import Unavailable
from agent.domain.lifecycle import InvoiceState
from agent.ports import InvoiceFilter, Outcome
from agent.services.queries.invoices import IssueAnswer
from agent.settings.model import IssueSettings
from agent.store.failures import disk_full
from tests.fakes import counter
from tests.fakes.world import CASHIER, World, sale, settings, world

NOT_STORED = "nic nie zapisano"


def full_after(place: World, monkeypatch: pytest.MonkeyPatch, stored: int) -> Callable[[], None]:
    """Let the disk be full once so many transactions went through; return what makes room again."""
    write: Callable[[Any], Awaitable[Any]] = place.store.write
    left = [stored]

    async def full(work: Any) -> Any:
        if left[0] == 0:
            raise disk_full()
        left[0] -= 1
        return await write(work)

    monkeypatch.setattr(place.store, "write", full)
    return lambda: monkeypatch.setattr(place.store, "write", write)


async def press(place: World, key: str = "key") -> IssueAnswer:
    return await place.in_time(counter.sale(place, json.dumps(sale()).encode(), key, CASHIER))


async def stored(place: World) -> int:
    return len(await place.store.read(lambda tx: tx.invoices.summaries(InvoiceFilter(limit=10))))


@pytest.mark.parametrize("offline", [False, True], ids=["online", "offline"])
@pytest.mark.parametrize("transactions", range(1, 9))
async def test_an_invoice_that_is_durable_is_never_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: bool, transactions: int
) -> None:
    """507 said "nothing was stored": the till's software sold again under another key, and KSeF had both."""
    given = replace(settings(tmp_path), issue=IssueSettings(prefer="offline24" if offline else "online"))
    async with world(tmp_path, given=given) as place:
        make_room = full_after(place, monkeypatch, transactions)
        answer = await press(place)
        assert await stored(place) == 1
        again = await press(place)
        assert again.invoices[0].record.number == answer.invoices[0].record.number
        make_room()
        assert all(isinstance(error, Unavailable) for _, error in place.defects), "they do not end the service"
        place.defects.clear()
        last = await press(place)
        assert last.invoices[0].record.number == answer.invoices[0].record.number
        await place.catch_up()
        assert (await place.record(answer.invoices[0].record.id)).state is InvoiceState.ACCEPTED
        assert len(place.gateway.ledger) == 1


async def test_what_is_not_durable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path) as place:
        make_room = full_after(place, monkeypatch, 0)
        with pytest.raises(Unavailable, match=NOT_STORED):
            await press(place)
        assert await stored(place) == 0
        make_room()
        assert (await press(place)).invoices[0].record.serial == 1


@pytest.mark.parametrize(
    ("transactions", "told"),
    [(1, "Potwierdzenie dla klienta jeszcze się nie wydrukowało."), (2, "Trwa drukowanie potwierdzenia dla klienta.")],
    ids=["before the slip", "before its outcome"],
)
async def test_a_slip_that_a_full_disk_kept_from_the_printer_is_not_to_be_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactions: int, told: str
) -> None:
    """The cashier was told to hand over what no printer had."""
    async with world(tmp_path) as place:
        await place.lose_the_line()
        base = await place.sell()
        make_room = full_after(place, monkeypatch, transactions)
        correction = b'{"kind": "full_return"}'
        held = (await place.in_time(counter.correct(place, base.id, correction, "back", CASHIER))).held
        assert held is not None
        assert held.hand_over.startswith(f"{told} Zwróć 135,60 zł.")
        make_room()
        place.defects.clear()
        again = (await place.in_time(counter.correct(place, base.id, correction, "back", CASHIER))).held
        assert again is not None
        assert len(place.printer.papers) == 2, "the invoice's and the slip, once"
        await place.clock.advance(5)
        (waiting,) = await place.pending.waiting()
        assert waiting.hand_over.startswith("Wydaj klientowi potwierdzenie przyjęcia korekty. Zwróć 135,60 zł.")


async def test_a_slip_that_did_not_come_out_while_the_disk_was_full_is_told_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as place:
        await place.lose_the_line()
        base = await place.sell()
        place.printer.plan.append(Outcome.NOT_SENT)
        make_room = full_after(place, monkeypatch, 1)
        await place.in_time(counter.correct(place, base.id, b'{"kind": "full_return"}', "back", CASHIER))
        await place.clock.advance(12)
        make_room()
        await place.clock.advance(5)
        (waiting,) = await place.pending.waiting()
        assert waiting.hand_over.startswith("Nie wydrukowano potwierdzenia dla klienta.")
