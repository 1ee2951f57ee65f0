"""Who the buyer is: one NIP in every spelling, a Polish NIP nowhere else, nobody who sells to himself."""

from __future__ import annotations

from typing import Any

import pytest

from agent.domain.errors import BadInput
from agent.domain.invoice import BuyerKind
from agent.domain.sale.parse import parse_sale
from tests.unit.sale.sale_samples import SELLER, TODAY, document

NIP = "5265877635"
ADDRESS = {"line1": "ul. Testowa 1", "line2": "00-001 Warszawa"}


def buyer(**fields: Any) -> dict[str, Any]:
    return {"name": "Firma", "address": ADDRESS, **fields}


def refusal(given: dict[str, Any]) -> dict[str, str]:
    """What parse_sale says of the buyer: pointer -> code."""
    try:
        parse_sale(document(buyer=given), today=TODAY, seller_nip=SELLER.nip)
    except BadInput as refused:
        return {error.pointer: error.code for error in refused.errors}
    return {}


SPELLINGS = [
    NIP,
    "526-587-76-35",
    "526 587 76 35",
    "PL5265877635",
    "pl 526.587.76.35",
    "NIP: 526-587-76-35",
    "Nip:PL 526–587–76–35",
    "PL NIP 5265877635",
    "NIP UE: PL5265877635",
    "526\u00a0587\u202f76\u200935",
    "\ufeff5265877635\u200b",
    "526−587−76−35",
    "５２６５８７７６３５",
    "526/587/76/35",
    "526_587_76_35.",
]


@pytest.mark.parametrize("typed", SPELLINGS)
def test_a_nip_is_one_nip_in_every_spelling(typed: str) -> None:
    sale = parse_sale(document(buyer=buyer(nip=typed)), today=TODAY)
    assert (sale.buyer.kind, sale.buyer.identifier) == (BuyerKind.NIP, NIP)


@pytest.mark.parametrize("typed", SPELLINGS)
def test_the_seller_buys_nothing_of_himself(typed: str) -> None:
    own = typed.replace("526", "526")  # the same spellings of the seller's own number
    given = buyer(nip=own.replace(NIP[3:], SELLER.nip[3:])) if NIP in own else buyer(nip=SELLER.nip)
    assert refusal(given) == {"/buyer/nip": "buyer-is-seller"}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("country", ["PL", None])
def test_a_polish_nip_is_no_foreign_identifier(spelling: str, country: str | None) -> None:
    if country is None:
        assert refusal(buyer(foreign_id=spelling)) == {"/buyer/foreign_id": "polish-nip"}
    else:
        given = buyer(foreign_id={"country": country, "number": spelling})
        assert refusal(given) == {"/buyer/foreign_id/number": "polish-nip"}


@pytest.mark.parametrize(
    ("country", "number"),
    [
        ("DE", "PL5265877635"),
        ("US", "NIP 526-587-76-35"),
        ("PL", "5265877635-12345"),
        ("PL", "526 587 76 35 - 00001"),
        ("DE", "5265877635-12345"),
        ("PL", "526587763512345"),
        ("PL", "5265877636"),
    ],
)
def test_nor_by_another_country_nor_as_an_internal_identifier(country: str, number: str) -> None:
    given = buyer(foreign_id={"country": country, "number": number})
    assert refusal(given) == {"/buyer/foreign_id/number": "polish-nip"}


@pytest.mark.parametrize(
    ("country", "number"),
    [
        ("PL", "44051401359"),  # PESEL
        ("PL", "ABS123456"),
        ("PL", "0000123456"),  # KRS
        ("UA", "5265877635"),  # ten digits that happen to pass the check, of a country that has such numbers
        ("US", "12-3456789"),
        ("CH", "CHE-123.456.788"),
        ("US", "PL123"),
        ("DE", "DE123456789-EX"),  # a small business of another country (art. 113a)
        ("DE", "123456789"),
        ("US", "DE123456789"),
        ("GB", "GB123456789"),
    ],
)
def test_other_identifiers_may_stand_there(country: str, number: str) -> None:
    sale = parse_sale(document(buyer=buyer(foreign_id={"country": country, "number": number})), today=TODAY)
    assert (sale.buyer.identifier, sale.buyer.country) == (number, country)


@pytest.mark.parametrize(
    ("country", "number"),
    [
        ("DE", "DE123456789"),
        ("DE", "de 123-456-789"),
        ("AT", "ATU12345678"),
        ("GR", "EL123456789"),
        ("GR", "GR123456789"),
        ("GB", "XI123456789"),
        ("FR", "VAT FR 12 345678901"),
        (None, "DE123456789"),
    ],
)
def test_a_vat_number_of_the_union_is_no_other_identifier(country: str | None, number: str) -> None:
    """Else the rule of receipts, and KSeF, would not know the buyer by it (art. 106b ust. 5)."""
    if country is None:
        given = buyer(foreign_id=number, address={"line1": "Weg 1", "country": "DE"})
        assert refusal(given) == {"/buyer/foreign_id": "eu-vat"}
    else:
        given = buyer(foreign_id={"country": country, "number": number})
        assert refusal(given) == {"/buyer/foreign_id/number": "eu-vat"}


@pytest.mark.parametrize("typed", ["PL5265877635", "pl 526-587-76-35", "5265877635", "VAT UE PL 5265877635"])
def test_a_polish_nip_is_no_vat_number_of_another_country(typed: str) -> None:
    assert refusal(buyer(eu_vat=typed)) == {"/buyer/eu_vat": "polish-nip"}


@pytest.mark.parametrize("typed", ["DEDE123456789", "DE DE 123 456 789", "XX123"])
def test_a_repeated_or_unknown_prefix_is_no_vat_number(typed: str) -> None:
    assert refusal(buyer(eu_vat=typed)) == {"/buyer/eu_vat": "eu-vat"}


@pytest.mark.parametrize("typed", ["DE123456789", "de\u00a0123–456–789", "VAT UE: DE 123456789", "DE/123/456/789"])
def test_a_vat_number_is_one_in_every_spelling(typed: str) -> None:
    given = buyer(eu_vat=typed, address={"line1": "Weg 1", "country": "DE"})
    sale = parse_sale(document(buyer=given), today=TODAY)
    assert (sale.buyer.country, sale.buyer.identifier) == ("DE", "123456789")


def test_the_sentence_says_where_the_number_belongs() -> None:
    with pytest.raises(BadInput) as refused:
        parse_sale(document(buyer=buyer(foreign_id="526-587-76-35")), today=TODAY)
    assert "5265877635 to polski NIP" in refused.value.detail
    assert "w polu „nip”" in refused.value.detail
