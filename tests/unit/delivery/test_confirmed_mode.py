"""The register says what KSeF holds: mode by verdict and UPO, and an alert where a paper says otherwise."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.records.upo import taken_offline
from tests import reference
from tests.fakes.gateway import upo_page
from tests.fakes.world import CASHIER, CONSUMER, World, world

CODE = "paper-contradicts-ksef"
DAY = 24 * 3600.0


async def told(place: World) -> list[str]:
    await place.problems.refresh()
    return [problem.message for problem in place.health.report().problems if problem.code == CODE]


async def numbered(place: World, *, offline: bool, consumer: bool = False) -> InvoiceRecord:
    """Sell; KSeF's verdict does not tell how it took the invoice, its UPO does."""
    place.gateway.tells_mode = False
    place.gateway.pending_answers = 1_000
    changes: dict[str, Any] = {"buyer": CONSUMER} if consumer else {}
    selling = asyncio.ensure_future(place.sell(**changes))
    while not selling.done():
        await place.clock.advance(0.1)
    made = await selling
    (entry,) = place.gateway.held
    place.gateway.answer_at_once()
    place.gateway.confirmed_offline[entry.ksef_number] = offline
    await place.catch_up()
    await place.upos.pass_once()
    return await place.record(made.id)


def test_the_ministrys_examples_say_online() -> None:
    for name in ("upo-faktura-kontekst-id-nip.xml", "upo-sesja-kontekst-id-nip.xml"):
        found = taken_offline((reference.FOLDER / "upo" / name).read_bytes())
        assert found
        assert set(found.values()) == {False}


@pytest.mark.parametrize("confirmation", [b"", b"<UPO/>", b"<a>", upo_page("S", [("N", b"x")])])
def test_a_confirmation_that_does_not_tell_says_nothing(confirmation: bytes) -> None:
    assert taken_offline(confirmation) == {}


async def test_the_register_follows_the_upo(tmp_path: Path) -> None:
    """A till whose day ends a moment after KSeF's: sent as online, taken as offline (art. 106nda ust. 16)."""
    async with world(tmp_path) as place:
        record = await numbered(place, offline=True)
        assert record.mode is Mode.OFFLINE24
        assert record.reason == "KSeF zapisał fakturę jako przesłaną w trybie offline."
        (row,) = [each async for each in place.register.rows("2026-11", None)]
        assert (row["mode"], row["marker"]) == ("offline24", "NrKSeF")
        changes = [event.data for event in await place.invoices.events(record.id) if event.kind == "mode"]
        assert [(each["from"], each["to"]) for each in changes] == [("online", "offline24")]


async def test_the_verdict_tells_before_the_paper(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        record = await place.sell(buyer=CONSUMER)
        assert record.mode is Mode.OFFLINE24
        assert "wystawiona w trybie offline24" in " ".join((await place.previews.text(record.id)).split())
        assert await told(place) == []


async def test_a_paper_that_says_otherwise_is_an_alert_until_the_right_one_is_printed(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        record = await numbered(place, offline=False, consumer=True)
        assert record.mode is Mode.ONLINE, "KSeF says so, whatever flag was sent"
        (message,) = await told(place)
        assert record.number in message
        assert "online" in message
        await place.reprinting.reprint(record.id, CASHIER)
        assert "wystawiona w trybie online" in " ".join((await place.previews.text(record.id)).split())
        assert await told(place) == []


async def test_nobody_is_told_for_ever(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        await numbered(place, offline=False, consumer=True)
        await place.clock.advance(6 * DAY)
        assert await told(place)
        await place.clock.advance(2 * DAY)
        assert await told(place) == []


async def test_a_potwierdzenie_names_no_mode_to_contradict(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        record = await numbered(place, offline=True)
        assert record.mode is Mode.OFFLINE24
        assert await told(place) == []
