"""Bytes that the disk changed are never sent, printed or handed out; the alarm comes at once, the others go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.domain.errors import DocumentDamaged
from agent.domain.lifecycle import InvoiceState
from agent.settings.model import KsefSettings
from tests.fakes.tampering import tamper
from tests.fakes.world import CASHIER, MANAGER, World, settings, world

FLIP = "UPDATE versions SET xml = CAST(replace(CAST(xml AS TEXT), 'Kawa', 'Kara') AS BLOB) WHERE invoice_id = '{}'"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[World]:
    given = replace(settings(tmp_path), ksef=KsefSettings(batch_from=3))
    async with world(tmp_path, given=given) as found:
        yield found


def flip(place: World, invoice_id: str) -> None:
    tamper(place.store.path, FLIP.format(invoice_id))


async def problems(place: World) -> list[str]:
    await place.problems.refresh()
    return [f"{problem.code}: {problem.message}" for problem in place.health.report().problems]


async def test_flipped_bytes_are_not_sent_and_the_alarm_comes_at_once(place: World) -> None:
    await place.lose_the_line()
    record = await place.sell()
    flip(place, record.id)
    assert not any("database" in each for each in await problems(place))
    await place.restore_the_line()
    await place.queue.pass_once()
    assert place.gateway.sent == []
    assert (await place.record(record.id)).state is InvoiceState.ISSUED, "no intent without the bytes"
    assert (await place.log(record.id))[-1] == "damaged"
    (alarm,) = [each for each in await problems(place) if each.startswith("database:")]
    assert record.number in alarm
    before = len(await place.log(record.id))
    await place.queue.pass_once()
    assert len(await place.log(record.id)) == before, "not again and again"


async def test_the_others_of_a_batch_go(place: World) -> None:
    await place.lose_the_line()
    records = [await place.sell() for _ in range(4)]
    flip(place, records[1].id)
    await place.restore_the_line()
    await place.catch_up()
    states = [(await place.record(each.id)).state for each in records]
    assert states == [InvoiceState.ACCEPTED, InvoiceState.ISSUED, InvoiceState.ACCEPTED, InvoiceState.ACCEPTED]
    assert records[1].id not in {each.invoice_id for each in place.gateway.sent}


async def test_a_batch_of_damaged_ones_alone_is_none(place: World) -> None:
    await place.lose_the_line()
    for _ in range(3):
        flip(place, (await place.sell()).id)
    await place.restore_the_line()
    await place.catch_up()
    assert place.gateway.sent == []


async def test_flipped_bytes_are_not_printed_again(place: World) -> None:
    record = await place.sell()
    papers = len(place.printer.papers)
    flip(place, record.id)
    with pytest.raises(DocumentDamaged):
        await place.reprinting.reprint(record.id, CASHIER)
    assert len(place.printer.papers) == papers
    assert any(each.startswith("database:") for each in await problems(place))


@pytest.mark.parametrize("column", ["link_invoice", "link_certificate"])
async def test_flipped_codes_are_not_printed(place: World, column: str) -> None:
    await place.lose_the_line()
    record = await place.sell()
    papers = len(place.printer.papers)
    tamper(place.store.path, f"UPDATE versions SET {column} = replace({column}, '/', '|')")
    await place.reprinting.reprint(record.id, CASHIER)
    assert len(place.printer.papers) == papers


ROWS = {
    "number": "UPDATE invoices SET number = 'FV-1/2026/11/009999', serial = 9999 WHERE id = '{}'",
    "day": "UPDATE invoices SET issued_on = '2026-11-01' WHERE id = '{}'",
    "amount": "UPDATE invoices SET totals = json_set(totals, '$.gross', '1.00') WHERE id = '{}'",
}


@pytest.mark.parametrize("altered", ROWS)
async def test_what_a_row_says_otherwise_than_its_bytes_is_neither_printed_nor_told_again(
    place: World, altered: str
) -> None:
    """It was, under the new number, and only the night's look, or the next start, told of it."""
    record = await place.sell(key="basket")
    papers = len(place.printer.papers)
    tamper(place.store.path, ROWS[altered].format(record.id))
    with pytest.raises(DocumentDamaged, match="inne niż w jej pliku"):
        await place.reprinting.reprint(record.id, CASHIER)
    with pytest.raises(DocumentDamaged, match="inne niż w jej pliku"):
        await place.sell(key="basket")
    with pytest.raises(DocumentDamaged):
        place.papers.sheet(await place.record(record.id))
    assert len(place.printer.papers) == papers
    assert any(each.startswith("database:") for each in await problems(place))
    assert (await place.record(record.id)).xml == record.xml, "its bytes are what was issued"


async def test_its_bytes_are_sent_all_the_same(place: World) -> None:
    await place.lose_the_line()
    record = await place.sell()
    tamper(place.store.path, ROWS["amount"].format(record.id))
    await place.restore_the_line()
    await place.catch_up()
    assert (await place.record(record.id)).state is InvoiceState.ACCEPTED


async def test_flipped_bytes_are_no_base_of_a_correction_or_a_file(place: World) -> None:
    record = await place.sell()
    flip(place, record.id)
    damaged = await place.record(record.id)
    with pytest.raises(DocumentDamaged, match=record.number):
        _ = damaged.xml
    with pytest.raises(DocumentDamaged):
        await place.issuing.correct(record.id, b'{"reason": "zwrot", "kind": "return_all"}', "key-c", MANAGER)
    with pytest.raises(DocumentDamaged):
        await place.evidence.bundle(record.issued_on, record.issued_on)


async def test_what_ksef_says_of_a_damaged_invoice_is_still_recorded(place: World) -> None:
    """It left before the disk changed it: its number must not be lost."""
    place.gateway.pending_answers = 1000
    await place.lose_the_line()
    record = await place.sell()
    await place.restore_the_line()
    await place.sender.deliver(record.id, asking=0.0)
    assert (await place.record(record.id)).state is InvoiceState.SENT
    flip(place, record.id)
    place.gateway.pending_answers = 0
    for reference, (sha256, verdict, _) in list(place.gateway._verdicts.items()):
        place.gateway._verdicts[reference] = (sha256, verdict, 0)
    await place.restore_the_line()
    await place.catch_up()
    assert (await place.record(record.id)).state is InvoiceState.ACCEPTED


async def test_a_change_of_the_hash_is_noticed_like_one_of_the_bytes(place: World) -> None:
    await place.lose_the_line()
    record = await place.sell()
    tamper(place.store.path, "UPDATE versions SET sha256 = zeroblob(32)")
    await place.restore_the_line()
    await place.queue.pass_once()
    assert place.gateway.sent == []
    assert (await place.log(record.id))[-1] == "damaged"


async def test_a_sale_goes_on_beside_a_damaged_invoice(place: World) -> None:
    flip(place, (await place.sell()).id)
    assert (await place.sell()).state is InvoiceState.ACCEPTED
