"""Ready documents with a P_1 before the press: an outage of today says nothing about an earlier day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.domain.fa3.build import build_invoice
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.records.register import Marker, marker
from tests.fakes import counter
from tests.fakes.world import CASHIER, MANAGER, SELLER, World, world
from tests.unit.sale.sale_samples import FIRM, sale

NOON = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
"""A Tuesday."""


async def hand_over(place: World, issued_at: datetime) -> InvoiceRecord:
    """Give the till a ready document of that day."""
    this = sale(buyer=replace(FIRM, identifier="7777777777"))
    xml = build_invoice(this, SELLER, number=f"ERP/{issued_at:%d}", issued_at=issued_at, system_info="ERP")
    return (await counter.ready(place, xml, f"ready-{issued_at}", CASHIER)).invoices[0].record


async def announce(place: World, category: str, begin: datetime) -> None:
    message: dict[str, Any] = {
        "id": "K/2026/01",
        "eventId": 1,
        "category": category,
        "type": "MAINTENANCE_ANNOUNCEMENT" if category == "MAINTENANCE" else "FAILURE_START",
        "start": begin.isoformat(),
        "published": begin.isoformat(),
        "version": 1,
    }
    place.latarnia.status = {"status": category}
    place.latarnia.messages = [message]
    await place.announcements.poll()
    if category == "TOTAL_FAILURE":
        await place.declarations.declare(Mode.TOTAL_FAILURE, "radio", MANAGER)


OUTAGES = {
    "FAILURE": Mode.FAILURE,
    "MAINTENANCE": Mode.UNAVAILABILITY,
    "TOTAL_FAILURE": Mode.TOTAL_FAILURE,
}


@pytest.mark.parametrize("category", sorted(OUTAGES))
async def test_before_the_outage_it_is_offline24(tmp_path: Path, category: str) -> None:
    async with world(tmp_path, start=NOON) as place:
        await announce(place, category, NOON)
        record = await hand_over(place, NOON - timedelta(days=14))
        assert record.mode is Mode.OFFLINE24
        assert record.deadline == date(2026, 11, 12), "the day after 10.11.2026 is a holiday"
        assert marker(record, date(2026, 11, 24)) is Marker.DI
        if category == "TOTAL_FAILURE":
            await place.clock.advance(60)
            await place.declarations.withdraw("Koniec", MANAGER)
            assert (await place.record(record.id)).state is InvoiceState.ISSUED, "it was never exempt"


@pytest.mark.parametrize("category", sorted(OUTAGES))
async def test_within_the_outage_it_has_its_mode(tmp_path: Path, category: str) -> None:
    async with world(tmp_path, start=NOON) as place:
        await announce(place, category, NOON - timedelta(days=1, hours=13))
        record = await hand_over(place, NOON - timedelta(days=1))
        assert record.mode is OUTAGES[category]


async def test_of_the_day_on_which_a_maintenance_began_it_has_the_earlier_deadline(tmp_path: Path) -> None:
    """Nobody knows whether it was issued before or within; the rules of offline24 end a day earlier."""
    async with world(tmp_path, start=NOON - timedelta(hours=9)) as place:  # 03:00 in Poland
        await announce(place, "MAINTENANCE", NOON - timedelta(hours=14))  # 22:00 of the day before
        record = await hand_over(place, NOON - timedelta(days=1))
        assert (record.mode, record.deadline) == (Mode.OFFLINE24, date(2026, 11, 24))


async def test_of_a_day_that_began_within_a_maintenance_it_has_its_mode(tmp_path: Path) -> None:
    async with world(tmp_path, start=NOON) as place:
        await announce(place, "MAINTENANCE", datetime(2026, 11, 22, 23, 0, tzinfo=UTC))  # midnight in Poland
        record = await hand_over(place, NOON - timedelta(days=1))
        assert record.mode is Mode.UNAVAILABILITY


async def test_a_duty_that_a_total_failure_lifts_meanwhile_is_said_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, start=NOON) as place:
        await announce(place, "TOTAL_FAILURE", NOON)
        record = await hand_over(place, NOON - timedelta(days=1))
        assert (record.mode, record.deadline, record.deadline_state) == (Mode.OFFLINE24, None, "lifted")
