"""An invoice to a fiscal receipt for a taxpayer: only for the number that the receipt carries (art. 106b ust. 5)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.domain.corrections.base import read_base
from agent.domain.corrections.build import build_correction
from agent.domain.corrections.external import parse_outside_base
from agent.domain.corrections.parse import parse_correction
from agent.domain.errors import BadInput
from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.technical_correction import with_new_timestamp
from agent.domain.fa3.view.read import read
from agent.domain.fiscal_receipt import moves_receipt
from agent.domain.invoice import Address, Buyer, BuyerKind, Mode, Note, ReceiptLink
from agent.domain.lifecycle import InvoiceState
from agent.domain.sale.parse import parse_sale
from agent.ports import Rejected
from agent.services.queries.invoices import IssueAnswer
from tests.fakes import counter
from tests.fakes.world import BUYER_NIP, CASHIER, MANAGER, SELLER, World, world
from tests.fakes.world import CONSUMER as CONSUMER_JSON
from tests.fakes.world import sale as sale_json
from tests.unit.sale.sale_samples import CONSUMER, EU_FIRM, FOREIGN, KSEF_NUMBER, NOW, TODAY, sale

FIRM = Buyer(BuyerKind.NIP, BUYER_NIP, "PL", "Nabywca S.A.", Address("ul. Polna 2", "00-002 Warszawa"))
OTHER_NIP = "5260250274"
OTHER_FIRM = Buyer(BuyerKind.NIP, OTHER_NIP, "PL", FIRM.name, FIRM.address)
NUMBER = {"number": "W000123", "register": "EAZ 2301234567"}
MISSING, DIFFERS = "receipt-nip-missing", "receipt-nip-differs"
BUYERS: dict[str, dict[str, Any] | None] = {
    "nip": {**sale_json()["buyer"], "nip": BUYER_NIP},
    "eu": {"eu_vat": "DE136695976", "name": "Müller GmbH", "address": {"line1": "Hauptstr. 5", "country": "DE"}},
    "foreign": {"foreign_id": "CHE-123.456.788", "name": "Rösti AG", "address": {"line1": "Berg 1", "country": "CH"}},
    "consumer": CONSUMER_JSON,
}


def refusal(document: dict[str, Any]) -> dict[str, str]:
    """What parse_sale says of it: pointer -> code."""
    try:
        parse_sale(document, today=date(2026, 11, 24))
    except BadInput as refused:
        return {error.pointer: error.code for error in refused.errors}
    return {}


def test_a_vat_number_that_stands_as_another_identifier_is_the_receipts() -> None:
    """As on an invoice made before such a number was refused."""
    before = Buyer(BuyerKind.FOREIGN_ID, "DE 136695976", "DE", "Müller GmbH")
    assert moves_receipt(before, Buyer(BuyerKind.NONE))
    assert not moves_receipt(before, Buyer(BuyerKind.EU_VAT, "136695976", "DE", "Müller GmbH"))


class TestSale:
    @pytest.mark.parametrize(
        ("buyer", "on_receipt", "code"),
        [
            ("nip", None, MISSING),
            ("nip", "", MISSING),
            ("nip", BUYER_NIP, None),
            ("nip", "111-111-11-11", None),
            ("nip", "PL 111 111 11 11", None),
            ("nip", "NIP: pl111.111.11.11", None),
            ("nip", OTHER_NIP, DIFFERS),
            ("nip", "111111111", DIFFERS),
            ("nip", "brak", DIFFERS),
            ("eu", None, MISSING),
            ("eu", "de 136-695-976", None),
            ("eu", "ATU13669597", DIFFERS),
            ("eu", BUYER_NIP, DIFFERS),
            ("foreign", None, None),
            ("foreign", "CHE 123456788", None),
            ("foreign", BUYER_NIP, DIFFERS),
            ("consumer", None, None),
            ("consumer", "", None),
            ("consumer", BUYER_NIP, DIFFERS),
        ],
    )
    def test_the_receipt_carries_the_buyers_number(self, buyer: str, on_receipt: str | None, code: str | None) -> None:
        receipt = NUMBER if on_receipt is None else {**NUMBER, "nip": on_receipt}
        expected = {} if code is None else {"/receipt/nip": code}
        assert refusal(sale_json(buyer=BUYERS[buyer], receipt=receipt)) == expected

    def test_a_refusal_says_both_numbers_and_the_article(self) -> None:
        with pytest.raises(BadInput) as refused:
            parse_sale(sale_json(receipt={**NUMBER, "nip": OTHER_NIP}), today=TODAY)
        assert OTHER_NIP in refused.value.detail
        assert BUYER_NIP in refused.value.detail
        assert "art. 106b ust. 5" in refused.value.detail

    def test_a_wrong_buyer_is_not_told_twice(self) -> None:
        """The receipt's number can only be compared with one that is right."""
        buyer = {**sale_json()["buyer"], "nip": "1111111112"}
        assert refusal(sale_json(buyer=buyer, receipt={**NUMBER, "nip": BUYER_NIP})) == {"/buyer/nip": "nip-checksum"}

    def test_without_a_receipt_nothing_is_asked(self) -> None:
        assert refusal(sale_json()) == {}


class TestCorrection:
    """A NIP that the receipt does not carry is brought by no correction either (0111-KDIB3-2.4012.590.2019.3.SR)."""

    @pytest.mark.parametrize(
        ("before", "after", "refused"),
        [
            (OTHER_FIRM, "nip", True),
            (FIRM, "eu", True),
            (FIRM, "consumer", True),
            (FIRM, "foreign", True),
            (EU_FIRM, "nip", True),
            (CONSUMER, "nip", True),
            (CONSUMER, "eu", True),
            (CONSUMER, "foreign", False),
            (FOREIGN, "nip", True),
            (FOREIGN, "consumer", False),
        ],
    )
    def test_the_receipt_stays_with_its_number(self, before: Buyer, after: str, refused: bool) -> None:
        base = read_base(read(ready(before)), ksef_number=KSEF_NUMBER)
        document = {"kind": "buyer", "buyer": BUYERS[after]}
        if not refused:
            correction = parse_correction(document, base=base, today=TODAY)
            assert correction.replacement is not None
            assert correction.replacement.receipt == ReceiptLink("77", "EAZ")
            return
        with pytest.raises(BadInput) as told:
            parse_correction(document, base=base, today=TODAY)
        assert [(error.pointer, error.code) for error in told.value.errors] == [("/buyer", DIFFERS)]
        assert "art. 106b ust. 5" in told.value.detail

    def test_name_and_address_may_be_mended(self) -> None:
        buyer = {"nip": FIRM.identifier, "name": "Nowa nazwa", "address": {"line1": "ul. Nowa 9"}}
        base = read_base(read(ready(FIRM)), ksef_number=KSEF_NUMBER)
        correction = parse_correction({"kind": "buyer", "buyer": buyer}, base=base, today=TODAY)
        assert correction.buyer.name == "Nowa nazwa"

    @pytest.mark.parametrize("receipt", [NUMBER, {**NUMBER, "nip": OTHER_NIP}, {**NUMBER, "nip": BUYER_NIP}])
    def test_an_invoice_from_elsewhere_can_be_returned_whatever_its_receipt_said(self, receipt: dict[str, Any]) -> None:
        """It exists; what is refused is only to bring another number to the receipt."""
        described = {"number": "X/1", "issued_on": "2026-11-02", "outside_ksef": True, **sale_json(receipt=receipt)}
        base = parse_outside_base(described, seller_nip=SELLER.nip, today=TODAY)
        assert parse_correction({"kind": "full_return"}, base=base, today=TODAY).totals.gross < 0
        buyer = {**sale_json()["buyer"], "nip": OTHER_NIP}
        with pytest.raises(BadInput) as refused:
            parse_correction({"kind": "buyer", "buyer": buyer}, base=base, today=TODAY)
        assert refused.value.errors[0].code == DIFFERS


def ready(buyer: Buyer, *, receipt: bool = True, number: str = "ERP/1") -> bytes:
    """A ready document of the shop's own system."""
    this = replace(sale(buyer=buyer), receipt=ReceiptLink("77", "EAZ") if receipt else None)
    return build_invoice(this, SELLER, number=number, issued_at=NOW, system_info="ERP")


async def hand_in(place: World, xml: bytes, receipt_nip: str | None = None, key: str = "k") -> IssueAnswer:
    return await counter.ready(place, xml, key, CASHIER, receipt_nip=receipt_nip)


async def refused_ready(place: World, xml: bytes, receipt_nip: str | None = None) -> set[tuple[str, str]]:
    with pytest.raises(BadInput) as refused:
        await hand_in(place, xml, receipt_nip)
    assert not await place.store.read(lambda tx: tx.invoices.queue())
    return {(error.pointer, error.code) for error in refused.value.errors}


START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class TestReadyDocument:
    """FA(3) has no field for it: whoever hands an FP document in says it beside (?receipt_nip=)."""

    @pytest.mark.parametrize(
        ("buyer", "receipt", "on_receipt", "code"),
        [
            (FIRM, True, None, MISSING),
            (FIRM, True, OTHER_NIP, DIFFERS),
            (EU_FIRM, True, None, MISSING),
            (CONSUMER, True, OTHER_NIP, DIFFERS),
        ],
    )
    async def test_refused(
        self, tmp_path: Path, buyer: Buyer, receipt: bool, on_receipt: str | None, code: str
    ) -> None:
        async with world(tmp_path, start=START) as place:
            assert await refused_ready(place, ready(buyer, receipt=receipt), on_receipt) == {("?receipt_nip", code)}

    @pytest.mark.parametrize(
        ("buyer", "receipt", "on_receipt"),
        [
            (FIRM, True, f"PL {FIRM.identifier}"),
            (CONSUMER, True, None),
            (FOREIGN, True, None),
            (FIRM, False, None),
        ],
    )
    async def test_taken(self, tmp_path: Path, buyer: Buyer, receipt: bool, on_receipt: str | None) -> None:
        async with world(tmp_path, start=START) as place:
            answer = await hand_in(place, ready(buyer, receipt=receipt), on_receipt)
            assert answer.invoices[0].record.number == "ERP/1"

    async def test_a_number_beside_a_document_without_receipt_is_a_mistake(self, tmp_path: Path) -> None:
        async with world(tmp_path, start=START) as place:
            found = await refused_ready(place, ready(FIRM, receipt=False), FIRM.identifier)
            assert found == {("?receipt_nip", "receipt-missing")}

    async def test_a_document_may_say_it_itself(self, tmp_path: Path) -> None:
        """For a drop folder, where nothing stands beside a file."""

        def noted(number: str) -> bytes:
            this = replace(sale(buyer=FIRM), receipt=ReceiptLink("77"), notes=(Note("NIP na paragonie", number),))
            return build_invoice(this, SELLER, number="ERP/1", issued_at=NOW, system_info="ERP")

        async with world(tmp_path, start=START) as place:
            found = await refused_ready(place, noted(OTHER_NIP))
            assert found == {("/Faktura/Fa/DodatkowyOpis", DIFFERS)}
            assert {code for _, code in await refused_ready(place, noted(BUYER_NIP), OTHER_NIP)} == {DIFFERS}
            assert (await hand_in(place, noted("111-111-11-11"))).invoices[0].record.number == "ERP/1"

    async def test_what_was_issued_is_answered_for_without_it(self, tmp_path: Path) -> None:
        async with world(tmp_path, start=START) as place:
            await hand_in(place, ready(FIRM), FIRM.identifier)
            assert (await hand_in(place, ready(FIRM))).replayed

    async def test_all_mistakes_at_once(self, tmp_path: Path) -> None:
        async with world(tmp_path, start=START) as place:
            xml = ready(FIRM).replace(SELLER.nip.encode(), OTHER_NIP.encode(), 1)
            found = {code for _, code in await refused_ready(place, xml)}
            assert found == {"seller-nip", MISSING}


def correction_to(base_number: str, buyer: Buyer, *, to_receipt: bool) -> bytes:
    """A ready KOR to zero-or-less that names ``buyer``, as a shop's system could make it."""
    view = read(ready(FIRM, receipt=to_receipt, number=base_number))
    base = read_base(view, outside_ksef=True)
    correction = parse_correction({"kind": "full_return"}, base=base, today=TODAY)
    xml = build_correction(correction, SELLER, number="ERP/K1", issued_at=NOW, system_info="ERP")
    assert FIRM.identifier is not None
    assert buyer.identifier is not None
    return xml.replace(FIRM.identifier.encode(), buyer.identifier.encode())


class TestReadyCorrection:
    async def base(self, place: World) -> str:
        """An FP document of this till; its KSeF number."""
        record = (await hand_in(place, ready(FIRM), FIRM.identifier, "base")).invoices[0].record
        assert record.ksef_number is not None
        return record.ksef_number

    @pytest.mark.parametrize("says_receipt", [True, False])
    async def test_another_nip_for_a_receipt_known_here(self, tmp_path: Path, says_receipt: bool) -> None:
        """Whether the correction itself repeats FP or not."""
        async with world(tmp_path, start=START) as place:
            ksef_number = await self.base(place)
            xml = correction_to("ERP/1", OTHER_FIRM, to_receipt=says_receipt).replace(
                b"<NrKSeFN>1</NrKSeFN>",
                f"<NrKSeF>1</NrKSeF><NrKSeFFaKorygowanej>{ksef_number}</NrKSeFFaKorygowanej>".encode(),
            )
            with pytest.raises(BadInput) as refused:
                await hand_in(place, xml)
            assert [error.code for error in refused.value.errors] == [DIFFERS]

    async def test_the_same_nip_needs_nothing_beside(self, tmp_path: Path) -> None:
        async with world(tmp_path, start=START) as place:
            ksef_number = await self.base(place)
            xml = correction_to("ERP/1", FIRM, to_receipt=True).replace(
                b"<NrKSeFN>1</NrKSeFN>",
                f"<NrKSeF>1</NrKSeF><NrKSeFFaKorygowanej>{ksef_number}</NrKSeFFaKorygowanej>".encode(),
            )
            assert (await hand_in(place, xml)).invoices[0].record.kind == "KOR"

    async def test_another_nip_by_the_documents_own_word(self, tmp_path: Path) -> None:
        """The base is not here; Podmiot2K says who the buyer was."""
        async with world(tmp_path, start=START) as place:
            xml = correction_to("STARA/1", OTHER_FIRM, to_receipt=True)
            before = (
                f"<Podmiot2K><DaneIdentyfikacyjne><NIP>{FIRM.identifier}</NIP><Nazwa>F</Nazwa>"
                "</DaneIdentyfikacyjne></Podmiot2K><FP>"
            )
            found = await refused_ready(place, xml.replace(b"<FP>", before.encode()))
            assert found == {("/Faktura/Podmiot2/DaneIdentyfikacyjne", DIFFERS)}
            assert (await hand_in(place, xml)).invoices[0].record.kind == "KOR"


async def test_a_technical_correction_asks_nothing_anew(tmp_path: Path) -> None:
    """The content is the same, so its receipt is."""
    async with world(tmp_path, start=START) as place:
        await place.declarations.declare(Mode.OFFLINE24, "próba", MANAGER)
        place.gateway.verdict_plan.append(Rejected(450, "Błąd weryfikacji semantyki"))
        record = (await hand_in(place, ready(FIRM), FIRM.identifier)).invoices[0].record
        await place.catch_up(hours=0.01)
        changed = with_new_timestamp(record.xml, place.clock.now())
        await place.rejected.correct_technically(record.id, MANAGER, changed)
        await place.catch_up()
        assert (await place.record(record.id)).state is InvoiceState.ACCEPTED


async def test_over_the_till_nothing_is_stored_and_no_number_used(tmp_path: Path) -> None:
    async with world(tmp_path, start=START) as place:
        for receipt in (NUMBER, {**NUMBER, "nip": OTHER_NIP}):
            with pytest.raises(BadInput):
                await counter.sale(place, json.dumps(sale_json(receipt=receipt)).encode(), "k", CASHIER)
        record = await place.sell(receipt={**NUMBER, "nip": BUYER_NIP})
        assert record.serial == 1
        assert read(record.xml).to_receipt
