"""Podmiot3: the school of a gmina, a member of a VAT group, whoever takes the goods, an employee."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.domain.corrections.base import read_base
from agent.domain.corrections.build import build_correction
from agent.domain.corrections.correction import Correction
from agent.domain.corrections.parse import parse_correction
from agent.domain.errors import BadInput, Conflict
from agent.domain.fa3.build import build_invoice
from agent.domain.fa3.supplied import check_ready
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.read import read
from agent.domain.invoice import Address, BuyerKind, Mode, Recipient, RecipientRole, Sale
from agent.domain.json_io.codec import from_plain, to_plain
from agent.domain.paper.compose import PaperFacts, choose, compose
from agent.domain.sale.parse import parse_sale
from tests.unit.paper.paper_text import text_of, unprinted
from tests.unit.sale.sale_samples import (
    CONSUMER_JSON,
    FIRM,
    KSEF_NUMBER,
    NOW,
    SELLER,
    TODAY,
    document,
    fa3_schema,
    sale,
)

SCHOOL = Recipient(
    RecipientRole.LOCAL_GOVERNMENT, "Szkoła nr 5", "1111111111", None, Address("ul. Szkolna 1", "00-003 Warszawa")
)
UNIT = Recipient(RecipientRole.VAT_GROUP, "Spółka z grupy", None, "5265877635-00001")
SHOP = Recipient(RecipientRole.RECIPIENT, "Oddział w Łodzi", None, None, Address("ul. Długa 1"))
CLERK = Recipient(RecipientRole.EMPLOYEE, "Żaneta Wójcik")
ALL = [pytest.param(each, id=each.role.value) for each in (SCHOOL, UNIT, SHOP, CLERK)]


def xml_of(this: Sale) -> bytes:
    xml = build_invoice(this, SELLER, number="FV/1", issued_at=NOW, system_info="ksef-agent")
    fa3_schema().check(xml)
    return xml


def view_of(recipient: Recipient) -> FaView:
    return read(xml_of(replace(sale(), recipient=recipient)))


def codes(recipient: object, **changes: object) -> set[tuple[str, str]]:
    with pytest.raises(BadInput) as caught:
        parse_sale(document(recipient=recipient, **changes), today=TODAY)
    return {(error.pointer, error.code) for error in caught.value.errors}


@pytest.mark.parametrize("recipient", ALL)
def test_the_file_names_him_and_the_paper_too(recipient: Recipient) -> None:
    xml = xml_of(replace(sale(), recipient=recipient))
    view = check_ready(xml, schema=fa3_schema(), seller_nip=SELLER.nip, today=TODAY).view
    (who,) = view.third_parties
    assert (who.name, who.nip, who.internal_id, who.role) == (
        recipient.name,
        recipient.nip,
        recipient.internal_id,
        recipient.role.code,
    )
    assert view.buyer.local_government is (recipient is SCHOOL)
    assert view.buyer.vat_group is (recipient is UNIT)
    choice = choose(PaperFacts(Mode.ONLINE, BuyerKind.NIP, "FV/1", ksef_number=KSEF_NUMBER))
    text = text_of(compose(view, choice, link_invoice="https://one"))
    assert recipient.name in text
    if recipient is SCHOOL:
        assert unprinted(xml, text) == []


@pytest.mark.parametrize("recipient", ALL)
@pytest.mark.parametrize("kind", ["full_return", "buyer"])
def test_a_correction_names_him_too(recipient: Recipient, kind: str) -> None:
    base = read_base(view_of(recipient), ksef_number=KSEF_NUMBER)
    assert base.recipient == recipient
    buyer = {"nip": FIRM.identifier, "name": "Poprawna nazwa", "address": {"line1": "ul. Nowa 1"}}
    wanted = {"kind": kind} | ({"buyer": buyer} if kind == "buyer" else {})
    correction = parse_correction(wanted, base=base, today=TODAY)
    assert from_plain(Correction, to_plain(correction)) == correction
    xml = build_correction(correction, SELLER, number="FK/1", issued_at=NOW, system_info="ksef-agent")
    fa3_schema().check(xml)
    assert read(xml).third_parties == view_of(recipient).third_parties
    assert read(xml).buyer.local_government is (recipient is SCHOOL)


def test_another_buyer_keeps_him_only_as_a_firm() -> None:
    base = read_base(view_of(SHOP), ksef_number=KSEF_NUMBER)
    firm = {"nip": "1111111111", "name": "Inna", "address": {"line1": "ul. Inna 3"}}
    for buyer, expected in ((firm, SHOP), (CONSUMER_JSON, None)):
        correction = parse_correction({"kind": "buyer", "buyer": buyer}, base=base, today=TODAY)
        assert correction.replacement is not None
        assert correction.replacement.recipient == expected


def test_from_the_till() -> None:
    given = {"role": "local_government", "nip": "111-111-11-11", "name": "Szkoła nr 5"}
    taken = parse_sale(document(recipient=given), today=TODAY).recipient
    assert taken == Recipient(RecipientRole.LOCAL_GOVERNMENT, "Szkoła nr 5", "1111111111")
    plain = parse_sale(document(recipient={"name": "Oddział"}), today=TODAY).recipient
    assert plain == Recipient(RecipientRole.RECIPIENT, "Oddział")


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        ({"name": "A", "role": "szef"}, ("/recipient/role", "not-allowed")),
        ({"role": "recipient"}, ("/recipient/name", "required")),
        ({"name": "A", "nip": "1111111112"}, ("/recipient/nip", "nip-checksum")),
        ({"name": "A", "internal_id": "1111111111-1"}, ("/recipient/internal_id", "internal-id")),
        ({"name": "A", "role": "local_government"}, ("/recipient/nip", "required")),
        ({"name": "A", "role": "employee", "nip": "1111111111"}, ("/recipient", "buyer-ids")),
        ({"name": "A", "nip": "1111111111", "internal_id": "1111111111-00001"}, ("/recipient", "buyer-ids")),
        ({"name": "A", "phone": "1"}, ("/recipient/phone", "unknown-field")),
        ("Szkoła", ("/recipient", "wrong-type")),
    ],
    ids=lambda value: str(value)[:60],
)
def test_recipients_that_are_none(given: object, mistake: tuple[str, str]) -> None:
    assert codes(given) == {mistake}


def test_a_consumer_buys_for_nobody() -> None:
    assert codes({"name": "A"}, buyer=CONSUMER_JSON) == {("/recipient", "recipient-needs-nip")}


def test_parties_that_a_sale_does_not_have_are_not_corrected() -> None:
    view = view_of(SCHOOL)
    odd = [
        replace(view, third_parties=()),
        replace(view, buyer=replace(view.buyer, local_government=False)),
        replace(view, third_parties=(*view.third_parties, *view.third_parties)),
        replace(view, third_parties=(replace(view.third_parties[0], role="1"),)),
        replace(view, third_parties=(replace(view.third_parties[0], share=Decimal(50)),)),
    ]
    for each in odd:
        with pytest.raises(Conflict) as caught:
            read_base(each, ksef_number=KSEF_NUMBER)
        assert caught.value.code == "not-correctable"


@pytest.mark.parametrize("role", ["local_government", "vat_group"])
@pytest.mark.parametrize("nothing", ["", " ", "\u200b"])
def test_an_empty_identifier_names_no_unit(role: str, nothing: str) -> None:
    """JST and GV without the unit's number: KSeF would give the invoice to nobody."""
    unit = {"role": role, "name": "Szkoła nr 5", "internal_id": nothing}
    assert codes(unit) == {("/recipient/nip", "required")}
