"""Invoices to consumers kept out of KSeF by the shop's setting (art. 106ga ust. 2 pkt 4): BFK, an ordinary paper."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.records.register import Marker, marker
from agent.services.queries.invoice_answer import InvoiceAnswer
from agent.services.queries.invoices import IssueAnswer
from agent.settings.model import Settings
from tests.fakes import counter
from tests.fakes.world import CASHIER, CONSUMER, World, sale, settings, world


def keeping_out(data_dir: Path) -> Settings:
    own = settings(data_dir)
    return replace(own, issue=replace(own.issue, consumers_in_ksef=False))


async def within(place: World, working: Any) -> IssueAnswer:
    task: asyncio.Task[IssueAnswer] = asyncio.ensure_future(working)
    while not task.done():
        await place.clock.advance(0.1)
    return await task


async def press(place: World, body: dict[str, Any], key: str = "key") -> InvoiceAnswer:
    return (await within(place, counter.sale(place, json.dumps(body).encode(), key, CASHIER))).invoices[0]


async def test_a_consumers_invoice_stays_here(tmp_path: Path) -> None:
    async with world(tmp_path, given=keeping_out(tmp_path)) as place:
        answer = await press(place, sale(buyer=CONSUMER))
        record = answer.record
        assert (record.mode, record.state) == (Mode.OUTSIDE_KSEF, InvoiceState.EXEMPT)
        assert (record.deadline, record.deadline_state) == (None, "lifted")
        assert marker(record, record.issued_on) is Marker.BFK
        assert answer.hand_over == "Wydaj klientowi fakturę. Faktur dla osób prywatnych ten sklep nie przesyła do KSeF."
        paper = await place.previews.text(record.id)
        assert "wystawiona poza KSeF" in paper
        assert "OFFLINE" not in paper
        await place.clock.advance(3600)
        await place.catch_up()
        await place.deadlines.follow()
        assert place.gateway.sent == []
        assert (await place.record(record.id)).state is InvoiceState.EXEMPT


async def test_others_go_to_ksef_as_ever(tmp_path: Path) -> None:
    async with world(tmp_path, given=keeping_out(tmp_path)) as place:
        assert (await press(place, sale())).record.state is InvoiceState.ACCEPTED


async def test_its_correction_stays_here_too(tmp_path: Path) -> None:
    async with world(tmp_path, given=keeping_out(tmp_path)) as place:
        base = (await press(place, sale(buyer=CONSUMER))).record
        body = json.dumps({"kind": "full_return"}).encode()
        made = await within(place, counter.correct(place, base.id, body, "kor", CASHIER))
        assert made.held is None
        (kor,) = made.invoices
        assert kor.record.mode is Mode.OUTSIDE_KSEF
        assert b"NrKSeFN" in kor.record.xml
        assert place.gateway.sent == []


async def test_the_correction_of_a_numbered_one_goes_to_ksef(tmp_path: Path) -> None:
    """The setting was changed meanwhile: what KSeF holds is corrected in KSeF."""
    async with world(tmp_path) as place:
        base = (await press(place, sale(buyer=CONSUMER))).record
        assert base.ksef_number is not None
        gateway = place.gateway
    async with world(tmp_path, given=keeping_out(tmp_path), gateway=gateway) as place:
        body = json.dumps({"kind": "full_return"}).encode()
        made = await within(place, counter.correct(place, base.id, body, "kor", CASHIER))
        assert made.invoices[0].record.mode is not Mode.OUTSIDE_KSEF
