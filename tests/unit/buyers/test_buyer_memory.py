"""What is remembered of a NIP: only what was given for it; what the white list contradicts is replaced, and said."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.domain.corrections.base import read_base
from agent.domain.corrections.build import build_correction
from agent.domain.corrections.parse import parse_correction
from agent.domain.errors import BadInput, Unavailable
from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.view.read import read
from agent.domain.invoice import Address, Buyer, BuyerKind, InvoiceRecord
from agent.domain.known_buyers import BuyerSourceName, KnownBuyer, same_firm
from agent.ports import InvoiceFilter
from agent.web.answers.till import buyer_of
from agent.web.wire import plain_object
from tests.fakes import counter
from tests.fakes.world import CASHIER, MANAGER, SELLER, World, world
from tests.unit.sale.sale_samples import sale as domain_sale

ALFA, BETA = "9999999999", "5261040828"
ALFA_NAME, BETA_NAME = "Alfa sp. z o.o.", "Beta S.A."
PLACE = {"line1": "ul. Alfy 1", "line2": "00-001 Warszawa", "country": "PL"}
FULL = {"kind": "full_return"}


def buyer(nip: str, name: str, line1: str = "ul. Alfy 1") -> dict[str, Any]:
    return {"nip": nip, "name": name, "address": {**PLACE, "line1": line1}}


async def known(place: World, nip: str) -> dict[str, Any] | None:
    found = await place.buyers.buyer(nip)
    return None if found is None else plain_object(buyer_of(found))


async def name_of(place: World, nip: str) -> str | None:
    found = await known(place, nip)
    return None if found is None else str(found["name"])


async def correct(place: World, base: InvoiceRecord, body: dict[str, Any]) -> None:
    place.keys += 1
    await counter.correct(place, base.id, json.dumps(body).encode(), f"kor-{place.keys}", CASHIER)


async def forget_all(place: World) -> None:
    """As a database was before buyers were remembered beside their invoices."""

    async def work(tx: Any) -> None:
        for record in await tx.invoices.find(InvoiceFilter(limit=-1)):
            await tx.key_values.put(f"buyer:{record.buyer.identifier}", None)

    await place.store.write(work)


class TestWhiteList:
    async def test_a_memory_that_it_contradicts_is_replaced_and_told(self, tmp_path: Path) -> None:
        """The pair that the till page used to issue: the NIP of one firm and the name of another."""
        async with world(tmp_path) as place:
            await place.sell(buyer=buyer(BETA, ALFA_NAME))
            place.white_list.firms[BETA] = ("BETA SPÓŁKA AKCYJNA", "BETY 2, 30-123 KRAKÓW")
            assert await known(place, BETA) == {
                "nip": BETA,
                "name": "BETA SPÓŁKA AKCYJNA",
                "address": {"line1": "BETY 2", "line2": "30-123 KRAKÓW", "country": "PL"},
                "source": "white-list",
                "replaced": ALFA_NAME,
            }
            assert "replaced" not in (await known(place, BETA) or {})
        async with world(tmp_path) as place:  # the line is gone, the program was started anew
            place.white_list.up = False
            await place.clock.advance(timedelta(days=60).total_seconds())
            assert await name_of(place, BETA) == "BETA SPÓŁKA AKCYJNA"

    async def test_a_memory_that_it_confirms_keeps_its_address(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            await place.sell(buyer=buyer(BETA, BETA_NAME, "ul. Oddziału 7"))
            place.white_list.firms[BETA] = ("BETA SPÓŁKA AKCYJNA", "BETY 2, 30-123 KRAKÓW")
            for _ in range(3):
                found = await known(place, BETA)
                assert found is not None
                assert (found["name"], found["address"]["line1"]) == (BETA_NAME, "ul. Oddziału 7")
            assert place.white_list.asked == [BETA]  # it answers few questions a day
            await place.clock.advance(timedelta(days=31).total_seconds())
            place.white_list.firms[BETA] = ("GAMMA SPÓŁKA AKCYJNA", "BETY 2, 30-123 KRAKÓW")
            assert (await known(place, BETA) or {})["replaced"] == BETA_NAME

    async def test_silence_keeps_nobody_waiting(self, tmp_path: Path) -> None:
        """A press of the page waits two seconds in all; a NIP that the list does not know is asked once an hour."""
        async with world(tmp_path) as place:
            await place.sell(buyer=buyer(BETA, BETA_NAME))
            place.white_list.seconds = 60.0
            looking = asyncio.ensure_future(name_of(place, BETA))
            await place.clock.advance(1.0)
            done, _ = await asyncio.wait({looking}, timeout=5)
            assert [task.result() for task in done] == [BETA_NAME]
            assert await name_of(place, BETA) == BETA_NAME
            assert len(place.white_list.asked) == 1
            await place.clock.advance(3600)
            place.white_list.seconds = 0.0
            assert await name_of(place, BETA) == BETA_NAME
            assert len(place.white_list.asked) == 2

    async def test_what_it_confirmed_no_sale_overwrites(self, tmp_path: Path) -> None:
        """A program that mixes up its customers issues what it says; it teaches nothing."""
        async with world(tmp_path) as place:
            place.white_list.firms[BETA] = ("BETA SPÓŁKA AKCYJNA", "BETY 2, 30-123 KRAKÓW")
            assert await name_of(place, BETA) == "BETA SPÓŁKA AKCYJNA"
            record = await place.sell(buyer=buyer(BETA, ALFA_NAME))
            assert record.buyer.name == ALFA_NAME
            assert await name_of(place, BETA) == "BETA SPÓŁKA AKCYJNA"
            await place.sell(buyer=buyer(BETA, BETA_NAME, "ul. Oddziału 7"))
            assert (await known(place, BETA) or {})["address"]["line1"] == "ul. Oddziału 7"
            assert place.white_list.asked == [BETA]

    async def test_a_full_disk_hides_no_answer(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        async def full(*_: object) -> None:
            raise Unavailable("Brak miejsca na dysku.", code="disk-full")

        async with world(tmp_path) as place:
            place.white_list.firms[BETA] = ("BETA SPÓŁKA AKCYJNA", None)
            monkeypatch.setattr(place.store, "write", full)
            assert await name_of(place, BETA) == "BETA SPÓŁKA AKCYJNA"
            monkeypatch.undo()

    @pytest.mark.parametrize(
        ("name", "official", "same"),
        [
            ("Alfa sp. z o.o.", "ALFA SPÓŁKA Z OGRANICZONĄ ODPOWIEDZIALNOŚCIĄ", True),
            ("„Alfa” Sp. z o. o.", "ALFA SPÓŁKA Z OGRANICZONĄ ODPOWIEDZIALNOŚCIĄ", True),
            ("Zrodlo-Lodz SA", "ŹRÓDŁO ŁÓDŹ SPÓŁKA AKCYJNA", True),
            ("Firma Handlowa Jan Kowalski", "JAN KOWALSKI", True),
            ("Gmina Wrocław", "GMINA WROCŁAW", True),
            ("Kowalski", "JAN KOWALSKI", False),
            ("Alfa", "ALFA BETA SPÓŁKA AKCYJNA", False),
            ("Alfa Beta S.A.", "ALFA SPÓŁKA AKCYJNA", False),
            ("Alfa sp. z o.o.", "BETA SPÓŁKA Z OGRANICZONĄ ODPOWIEDZIALNOŚCIĄ", False),
            ("Sp. z o.o.", "ALFA SPÓŁKA Z OGRANICZONĄ ODPOWIEDZIALNOŚCIĄ", False),
            ("???", "ALFA", False),
        ],
    )
    def test_the_same_firm_however_it_is_written(self, name: str, official: str, same: bool) -> None:
        assert same_firm(name, official) is same

    def test_a_clock_that_was_set_back_asks_again(self) -> None:
        now = datetime(2026, 11, 24, tzinfo=UTC)
        confirmed = KnownBuyer("Alfa", None, BuyerSourceName.WHITE_LIST, now)
        assert confirmed.confirmed(now + timedelta(days=29))
        assert not confirmed.confirmed(now - timedelta(seconds=1))


class TestWhatTeaches:
    """Without a white list: what a document says of its buyer, and what it only repeats."""

    async def test_a_sale_and_a_better_name(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            first = await place.sell(buyer=buyer(BETA, "Bta S.A."))
            assert await name_of(place, BETA) == "Bta S.A."
            await correct(place, first, {"kind": "buyer", "buyer": buyer(BETA, BETA_NAME)})
            assert await name_of(place, BETA) == BETA_NAME

    async def test_returns_repeat_what_may_be_old(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            first = await place.sell(buyer=buyer(BETA, "Beta, dawna nazwa"))
            await place.sell(buyer=buyer(BETA, BETA_NAME))
            await correct(place, first, {"kind": "return", "lines": [{"line": 1, "quantity": "1"}]})
            await correct(place, first, FULL)
            assert await name_of(place, BETA) == BETA_NAME

    @pytest.mark.parametrize("up", [True, False])
    async def test_a_nip_that_was_wrong_is_forgotten_with_its_name(self, tmp_path: Path, up: bool) -> None:
        """Alfa's sale went out under Beta's NIP; corrected, or accepted for correction while there is no line."""
        async with world(tmp_path) as place:
            if not up:
                await place.lose_the_line()
            wrong = await place.sell(buyer=buyer(BETA, ALFA_NAME))
            await correct(place, wrong, {"kind": "buyer", "buyer": buyer(ALFA, ALFA_NAME)})
            for _ in range(2):
                assert (await name_of(place, BETA), await name_of(place, ALFA)) == (None, ALFA_NAME)
                await place.restore_the_line()
                await place.catch_up()  # the correction to zero is issued, and repeats the wrong pair

    async def test_another_customer_s_invoice_takes_no_name_away(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            wrong = await place.sell(buyer=buyer(BETA, BETA_NAME))
            await correct(place, wrong, {"kind": "buyer", "buyer": buyer(ALFA, ALFA_NAME)})
            assert (await name_of(place, BETA), await name_of(place, ALFA)) == (BETA_NAME, ALFA_NAME)

    async def test_a_newer_name_outlives_a_correction_that_waited(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            await place.lose_the_line()
            first = await place.sell(buyer=buyer(BETA, "Bta S.A."))
            await correct(place, first, {"kind": "buyer", "buyer": buyer(BETA, "Beta SA")})
            await place.sell(buyer=buyer(BETA, BETA_NAME))
            await place.restore_the_line()
            await place.catch_up()
            assert await name_of(place, BETA) == BETA_NAME

    async def test_a_technical_correction_and_a_replay_repeat(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            await place.lose_the_line()
            first = await place.sell(key="first", buyer=buyer(BETA, "Beta, dawna nazwa"))
            await place.be_rejected(first.id)
            await place.sell(buyer=buyer(BETA, BETA_NAME))
            await place.rejected.correct_technically(first.id, MANAGER)
            await place.sell(key="first", buyer=buyer(BETA, "Beta, dawna nazwa"))
            assert await name_of(place, BETA) == BETA_NAME

    async def test_a_refused_sale_teaches_nothing(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            with pytest.raises(BadInput):
                await place.sell(buyer=buyer(BETA, BETA_NAME), receipt={"number": "W1"})
            assert await name_of(place, BETA) is None

    async def test_an_invoice_described_from_paper(self, tmp_path: Path) -> None:
        base = {"number": "STARA/7", "issued_on": "2026-11-02", "outside_ksef": True}
        async with world(tmp_path) as place:
            line = {"name": "Kawa", "quantity": "1", "unit_price": "10.00", "vat": "23"}
            described = {**base, "buyer": buyer(BETA, ALFA_NAME), "prices": "gross", "lines": [line]}
            body = json.dumps({"base": described, "correction": FULL}).encode()
            await counter.correct_outside(place, body, "outside", CASHIER)
            assert await name_of(place, BETA) is None

    async def test_a_ready_invoice_teaches_and_a_ready_correction_repeats(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            now = place.clock.now()
            firm = Buyer(BuyerKind.NIP, BETA, "PL", BETA_NAME, Address("ul. Bety 2"))
            xml = build_invoice(domain_sale(buyer=firm), SELLER, number="ERP/1", issued_at=now, system_info="ERP")
            await counter.ready(place, xml, "ready", CASHIER)
            assert await name_of(place, BETA) == BETA_NAME
            base = read_base(read(xml.replace(b"ERP/1", b"ERP/0")), outside_ksef=True)
            returned = parse_correction(FULL, base=replace(base, buyer=replace(firm, name="Stara")), today=now.date())
            kor = build_correction(returned, SELLER, number="ERP/K1", issued_at=now, system_info="ERP")
            await counter.ready(place, kor, "kor", CASHIER)
            assert await name_of(place, BETA) == BETA_NAME

    async def test_one_name_under_two_nips_is_offered_for_neither(self, tmp_path: Path) -> None:
        """Until one of the two is known by another name; nobody can tell which was wrong."""
        async with world(tmp_path) as place:
            await place.sell(buyer=buyer(ALFA, ALFA_NAME))
            await place.sell(buyer=buyer(BETA, ALFA_NAME))
            assert (await name_of(place, ALFA), await name_of(place, BETA)) == (None, None)
            await place.sell(buyer=buyer(BETA, BETA_NAME))
            assert (await name_of(place, ALFA), await name_of(place, BETA)) == (ALFA_NAME, BETA_NAME)


class TestOlderDatabase:
    """Invoices from before buyers were remembered beside them."""

    async def test_the_newest_that_names_its_buyer(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            first = await place.sell(buyer=buyer(BETA, "Bta S.A."))
            await correct(place, first, {"kind": "buyer", "buyer": buyer(BETA, BETA_NAME)})
            await correct(place, first, FULL)
            await forget_all(place)
            assert await name_of(place, BETA) == BETA_NAME

    async def test_a_wrong_pair_that_was_corrected(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            wrong = await place.sell(buyer=buyer(BETA, ALFA_NAME))
            await correct(place, wrong, {"kind": "buyer", "buyer": buyer(ALFA, ALFA_NAME)})
            await forget_all(place)
            assert (await name_of(place, BETA), await name_of(place, ALFA)) == (None, ALFA_NAME)

    async def test_a_wrong_pair_that_nobody_noticed(self, tmp_path: Path) -> None:
        async with world(tmp_path) as place:
            for _ in range(30):
                await place.sell(buyer=buyer(ALFA, ALFA_NAME))
            await place.sell(buyer=buyer(BETA, ALFA_NAME))
            await forget_all(place)
            assert (await name_of(place, ALFA), await name_of(place, BETA)) == (None, None)
            place.white_list.firms[ALFA] = ("ALFA SPÓŁKA Z OGRANICZONĄ ODPOWIEDZIALNOŚCIĄ", None)
            await place.clock.advance(3600)
            assert (await name_of(place, ALFA), await name_of(place, BETA)) == (ALFA_NAME, None)
