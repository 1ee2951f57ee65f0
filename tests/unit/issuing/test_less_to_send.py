"""What a till may leave to the agent, or keep for itself: names, printing, rates by letter, codes of goods, e-mail."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.domain.errors import BadInput, NotFound
from agent.domain.fa3.view.read import read
from agent.domain.invoice import InvoiceRecord, Mode
from agent.settings.model import PtuSettings
from agent.web.answers.invoice import invoice_of
from tests.fakes import counter
from tests.fakes.world import CASHIER, CONSUMER, KNOWN_NIP, World, sale, settings, world

LINE = {"name": "Kawa", "quantity": "1", "unit_price": "10.00", "vat": "23"}


async def press(place: World, key: str = "a", **changes: Any) -> InvoiceRecord:
    body = sale(payments=None, **changes)
    task = asyncio.ensure_future(counter.sale(place, json.dumps(body).encode(), key, CASHIER))
    while not task.done():
        await place.clock.advance(0.5)
    return (await task).invoices[0].record


class TestBuyerByNipAlone:
    async def test_the_white_list_names_him(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            record = await press(place, buyer={"nip": KNOWN_NIP, "email": "biuro@example.pl"})
            assert record.buyer.name == place.white_list.firms[KNOWN_NIP][0]
            view = read(record.xml)
            assert view.buyer is not None
            assert view.buyer.address is not None
            assert b"example.pl" not in record.xml
            assert invoice_of(await place.invoices.one(record.id)).buyer.email == "biuro@example.pl"

    async def test_what_is_remembered_needs_nobody(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            named = {"nip": "526-104-08-28", "name": "Beta S.A.", "address": {"line1": "ul. Bety 2"}}
            await press(place, "a", buyer=named)
            place.white_list.up = False
            record = await press(place, "b", buyer={"nip": "5261040828", "name": None})
            assert record.buyer.name == "Beta S.A."

    @pytest.mark.parametrize("seconds", [0.0, 60.0])
    async def test_nobody_knows_him_in_time(self, tmp_path: Path, seconds: float) -> None:
        async with world(tmp_path) as place:
            place.white_list.seconds = seconds
            with pytest.raises(BadInput) as refused:
                await press(place, buyer={"nip": "9999999999" if seconds == 0 else KNOWN_NIP})
            assert refused.value.code == "buyer-unknown"
            assert refused.value.errors[0].pointer == "/buyer/nip"
            place.white_list.seconds = 0.0
            named = {"nip": "5261040828", "name": "Beta S.A.", "address": {"line1": "ul. Bety 2"}}
            assert (await press(place, buyer=named)).number.endswith("000001"), "no number was used up"

    async def test_a_replay_asks_nobody(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            first = await press(place, buyer={"nip": KNOWN_NIP})
            place.white_list.firms.clear()
            place.white_list.up = False
            assert (await press(place, buyer={"nip": KNOWN_NIP})).id == first.id

    async def test_a_wrong_nip_is_named_as_ever(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            with pytest.raises(BadInput) as refused:
                await press(place, buyer={"nip": "5260250275"})
            assert ("/buyer/nip", "nip-checksum") in {(each.pointer, each.code) for each in refused.value.errors}


class TestOwnPrinting:
    async def test_nothing_comes_out_and_all_is_there_to_print(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            record = await press(place, print=False)
            answer = await place.invoices.one(record.id)
            assert answer.paper is None
            assert answer.hand_over == "Faktura jest zapisana. Drukuje ją program sprzedaży."
            assert place.printer.papers == []
            assert (await place.previews.pdf(record.id, "receipt")).startswith(b"%PDF")
            assert (await place.previews.picture(record.id)).png.startswith(b"\x89PNG")
            assert (await place.previews.last_sent(record.id)).startswith(b"\x1b@")

    async def test_a_replay_prints_nothing_and_a_person_still_may(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            record = await press(place, print=False)
            await press(place, print=False)
            assert place.printer.papers == []
            await place.reprinting.reprint(record.id, CASHIER)
            assert len(place.printer.papers) == 1

    async def test_it_becomes_what_its_paper_says(self, tmp_path: Path) -> None:
        """Online without a number, to a consumer: handed over as offline24 (art. 106gb ust. 4)."""
        modes = []
        for printed in (True, False):
            async with world(tmp_path / str(printed)) as place:
                place.gateway.up = False
                record = await press(place, buyer=CONSUMER, print=printed)
                modes.append((await place.record(record.id)).mode)
        assert modes == [Mode.OFFLINE24, Mode.OFFLINE24]

    async def test_others_have_no_bytes_before_their_paper(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            with pytest.raises(NotFound):
                await place.previews.last_sent("nobody")


class TestLettersOfRates:
    async def test_the_settings_say_what_a_letter_means(self, tmp_path: Path) -> None:
        letters = PtuSettings(a="23", b="8")
        async with world(tmp_path, given=replace(settings(tmp_path), ptu=letters)) as place:
            lines = [LINE | {"vat": "A"}, LINE | {"vat": "B"}, LINE | {"vat": "5"}]
            record = await press(place, lines=lines)
            assert [line.rate for line in read(record.xml).lines] == ["23", "8", "5"]
            with pytest.raises(BadInput) as refused:
                await press(place, "b", lines=[LINE | {"vat": "C"}])
            assert refused.value.code == "ptu-letter"
            assert "„C”" in refused.value.detail

    async def test_without_settings_no_letter_means_anything(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            with pytest.raises(BadInput) as refused:
                await press(place, lines=[LINE | {"vat": "A"}])
            assert refused.value.code == "ptu-letter"


class TestCodesOfGoods:
    async def test_they_are_in_the_document_and_its_corrections(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            record = await press(place, lines=[LINE | {"sku": "KAWA-1", "ean": "5901234123457"}])
            answer = await counter.correct(place, record.id, b'{"kind": "full_return"}', "b", CASHIER)
            for xml in (record.xml, answer.invoices[0].record.xml):
                line = read(xml).lines[0]
                assert (line.index, line.gtin) == ("KAWA-1", "5901234123457")

    @pytest.mark.parametrize("ean", ["5901234123458", "123", "590123412345a", "٥٩٠١٢٣٤١٢٣٤٥٧"])
    async def test_a_wrong_check_digit(self, tmp_path: Path, ean: str) -> None:
        async with world(tmp_path) as place:
            with pytest.raises(BadInput) as refused:
                await press(place, lines=[LINE | {"ean": ean}])
            assert refused.value.errors[0].code == "ean"
