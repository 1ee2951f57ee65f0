"""Reading FA(3): every kind, every element, and nothing that is not FA(3)."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

import schemas
from agent.domain.errors import BadInput
from agent.domain.fa3.schema import Fa3Schema
from agent.domain.fa3.view.annotations import Margin
from agent.domain.fa3.view.document import FaView, Heading, Kind
from agent.domain.fa3.view.read import read, read_heading
from agent.domain.invoice import Address, Buyer, BuyerKind
from tests.reference import FA3_SAMPLES
from tests.unit.fa3 import fa3_documents as documents


@pytest.fixture(scope="module")
def schema() -> Fa3Schema:
    return Fa3Schema(schemas.load())


@pytest.mark.parametrize("name", documents.ALL)
def test_the_test_documents_are_valid(schema: Fa3Schema, name: str) -> None:
    schema.check(documents.ALL[name])


@pytest.mark.parametrize("path", FA3_SAMPLES, ids=lambda path: path.stem)
def test_reads_the_ministrys_examples(path: Path) -> None:
    view = read(path.read_bytes())
    assert view.seller.nip == "9999999999"
    assert view.number
    assert view.lines or view.kind is Kind.KOR


@pytest.mark.parametrize("name", documents.ALL)
def test_its_heading_says_what_the_document_says(name: str) -> None:
    whole, heading = read(documents.ALL[name]), read_heading(documents.ALL[name])
    for field in fields(Heading):
        assert getattr(heading, field.name) == getattr(whole, field.name), field.name


def test_reads_the_plain_sale() -> None:
    view = read(documents.document())
    assert view.kind is Kind.VAT
    assert (view.number, view.issued_on, view.currency) == ("FV/2026/11/1", date(2026, 11, 24), "PLN")
    assert view.seller.address == Address("ul. Kwiatowa 1", "00-001 Warszawa")
    assert view.lines[0].price_gross == view.lines[0].gross == Decimal(123)
    assert view.totals.net == Decimal("100.00")
    assert view.totals.gross == Decimal("123.00")
    assert [rate.rate for rate in view.totals.rates] == ["23"]


@pytest.mark.parametrize(
    ("name", "buyer"),
    [
        ("VAT", Buyer(BuyerKind.NIP, "1111111111", "PL", "F.H.U. Jan Kowalski", Address("ul. Polna 1"))),
        ("EU", Buyer(BuyerKind.EU_VAT, "123456789", "DE", "Müller GmbH", Address("Hauptstr. 7", None, "DE"))),
        ("FOREIGN", Buyer(BuyerKind.FOREIGN_ID, "UA-778", "UA", "ТОВ Київ", Address("Хрещатик 1", None, "UA"))),
        ("CONSUMER", Buyer(BuyerKind.NONE, None, None, "Anna Nowak", Address("ul. Cicha 3"))),
    ],
)
def test_the_buyer_as_the_agent_knows_it(name: str, buyer: Buyer) -> None:
    assert read(documents.ALL[name]).buyer.as_buyer() == buyer


@pytest.fixture(scope="module")
def everything() -> FaView:
    return read(documents.EVERYTHING)


def test_reads_annotations(everything: FaView) -> None:
    marks = everything.annotations
    assert marks.cash_accounting
    assert marks.self_billing
    assert marks.reverse_charge
    assert marks.split_payment
    assert marks.triangular
    assert marks.exemption_directive == "art. 132 ust. 1 lit. b dyrektywy"
    assert marks.margin is Margin.USED_GOODS
    assert [vehicle.line for vehicle in marks.new_vehicles] == [1, 2]
    assert ("P_22B1", "VIN00000000000001") in marks.new_vehicles[0].details


def test_reads_sums_and_names_their_rates(everything: FaView) -> None:
    labels = [(rate.field, rate.label) for rate in everything.rates]
    assert labels == [
        ("1", "23"),
        ("2", "8"),
        ("3", "5"),
        ("4", "4"),
        ("5", "OSS 19%"),
        ("6_1", "0 KR"),
        ("6_2", "0 WDT"),
        ("6_3", "0 EX"),
        ("7", "zw"),
        ("8", "np I"),
        ("9", "np II"),
        ("10", "oo"),
        ("11", "marża"),
    ]
    assert everything.rates[0].tax_pln == Decimal("99.03")


def test_a_rate_without_lines_is_named_after_its_tax() -> None:
    sums = "<P_13_1>100</P_13_1><P_14_1>22</P_14_1><P_13_2>100</P_13_2><P_14_2>7</P_14_2><P_15>229</P_15>"
    view = read(documents.document(kind="UPR", sums=sums, body=""))
    assert [rate.label for rate in view.rates] == ["22", "7"]


def test_reads_parties_payment_and_terms(everything: FaView) -> None:
    assert [party.role for party in everything.third_parties] == ["2", "4", None]
    assert everything.third_parties[0].internal_id == "2222222222-00001"
    assert everything.third_parties[1].share == Decimal("12.5")
    assert everything.third_parties[2].role_description == "Obserwator"
    assert everything.authorised is not None
    assert everything.authorised.contacts[0].email == "k@k.pl"
    assert [(each.email, each.phone) for each in everything.seller.contacts] == [("abc@abc.pl", "667444555")]
    assert everything.payment is not None
    assert [(part.form, part.other_form) for part in everything.payment.partials] == [("2", None), (None, "żetony")]
    assert everything.payment.due[0].description == "14 dni od dostawy"
    assert everything.terms is not None
    assert everything.terms.transports[0].sent_via == (Address("ul. Graniczna 5"),)
    assert everything.terms.transports[1].other_cargo == "pióra"


def test_reads_the_attachment(everything: FaView) -> None:
    (block,) = everything.attachment
    assert block.notes == (("PPE", "590000"),)
    assert block.tables[0].rows == (("L-1", "1020"), ("", "1021"))
    assert block.tables[0].total == ("Zużycie", "2041")


def test_reads_a_correction() -> None:
    correction = read(documents.CORRECTION).correction
    assert correction is not None
    assert [(base.number, base.ksef_number) for base in correction.bases] == [
        ("FV/1", "9999999999-20261120-8BEF280C8D35-4D"),
        ("FV/PAPIER/2", None),
    ]
    assert correction.seller_before is not None
    assert correction.buyers_before[0].name == "Jan Kowalsky"
    assert [line.before for line in read(documents.CORRECTION).lines] == [True, False]


def test_reads_advances_and_settlements() -> None:
    advance = read(documents.ADVANCE)
    assert advance.order is not None
    assert advance.order.lines[0].tax == Decimal(460)
    assert [part.exchange_rate for part in advance.advance_parts] == [Decimal("4.41"), None]
    settlement = read(documents.SETTLEMENT)
    assert [invoice.number for invoice in settlement.advance_invoices] == ["ZAL/0", None]


def test_white_space_is_folded_and_comments_are_no_text() -> None:
    view = read(documents.document(number="\n FV <!-- nie --> / 1\u00a0\n"))
    assert view.number == "FV / 1\u00a0"


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (b"nic", "xml-malformed"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "xml-doctype"),
        (b"<Faktura/>", "xml-namespace"),
        (documents.document().replace(b"<P_2>FV/2026/11/1</P_2>", b""), "xml-schema"),
        (documents.document().replace(b"<P_2>FV/2026/11/1</P_2>", b"<P_2/>"), "xml-schema"),
        (documents.document(issued_on="wczoraj"), "xml-schema"),
        (documents.document(kind="ABC"), "xml-schema"),
        (documents.document(sums="<P_15>sto</P_15>"), "xml-schema"),
        (documents.document(sums="<P_15>NaN</P_15>"), "xml-schema"),
    ],
)
def test_refuses_what_is_no_fa3(xml: bytes, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(xml)
    assert refused.value.code == code
