"""Ready FA(3): a buyer that KSeF can deliver to, with name and address, on invoices and on their corrections."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import schemas
from agent.domain.errors import BadInput
from agent.domain.fa3 import supplied
from agent.domain.fa3.schema import Fa3Schema
from agent.domain.fa3.supplied import check_ready
from tests.fakes import counter
from tests.fakes.world import CASHIER, SELLER, world
from tests.unit.fa3 import fa3_documents as documents
from tests.unit.fa3.test_supplied import TODAY, mistakes

SCHEMA = Fa3Schema(schemas.load())
SELLER_NIP = SELLER.nip
IDENTITY = "/Faktura/Podmiot2/DaneIdentyfikacyjne"
ADDRESS = "<Adres><KodKraju>PL</KodKraju><AdresL1>ul. Cicha 2</AdresL1></Adres>"
FLAGS = "<JST>2</JST><GV>2</GV>"


def party(identity: str, *, address: str = ADDRESS, flags: str = FLAGS, name: str = "<Nazwa>Firma</Nazwa>") -> str:
    return f"<Podmiot2><DaneIdentyfikacyjne>{identity}{name}</DaneIdentyfikacyjne>{address}{flags}</Podmiot2>"


def buyer_mistakes(buyer: str, others: str = "") -> set[tuple[str, str]]:
    return mistakes(documents.document(buyer=buyer, others=others))


@pytest.mark.parametrize(
    ("identity", "element"),
    [
        ("<KodUE>PL</KodUE><NrVatUE>5261040828</NrVatUE>", "NrVatUE"),
        ("<KodUE>PL</KodUE><NrVatUE>1234</NrVatUE>", "NrVatUE"),
        ("<KodUE>DE</KodUE><NrVatUE>PL5261040828</NrVatUE>", "NrVatUE"),
        ("<KodKraju>PL</KodKraju><NrID>5261040828</NrID>", "NrID"),
        ("<KodKraju>PL</KodKraju><NrID>526-104-08-28</NrID>", "NrID"),
        ("<KodKraju>PL</KodKraju><NrID>NIP: PL 526 104 08 28</NrID>", "NrID"),
        ("<KodKraju>PL</KodKraju><NrID>5261040829</NrID>", "NrID"),  # mistyped
        ("<NrID>5261040828</NrID>", "NrID"),
        ("<NrID>PL5261040828</NrID>", "NrID"),
        ("<KodKraju>US</KodKraju><NrID>PL5261040828</NrID>", "NrID"),
        ("<KodKraju>PL</KodKraju><NrID>5261040828-12345</NrID>", "NrID"),
        ("<NrID>5261040828-12345</NrID>", "NrID"),
        ("<KodKraju>DE</KodKraju><NrID>5261040828-12345</NrID>", "NrID"),
    ],
)
def test_a_polish_nip_as_a_foreign_identifier(identity: str, element: str) -> None:
    assert buyer_mistakes(party(identity)) == {("polish-nip", f"{IDENTITY}/{element}")}


@pytest.mark.parametrize(
    "identity",
    [
        "<KodUE>DE</KodUE><NrVatUE>DE123456789</NrVatUE>",
        "<KodUE>EL</KodUE><NrVatUE>GR123456789</NrVatUE>",
        "<KodUE>EL</KodUE><NrVatUE>EL123456789</NrVatUE>",
        "<KodUE>XI</KodUE><NrVatUE>GB123456789</NrVatUE>",
    ],
)
def test_a_prefix_that_stands_twice(identity: str) -> None:
    assert buyer_mistakes(party(identity)) == {("eu-vat", f"{IDENTITY}/NrVatUE")}


@pytest.mark.parametrize(("country", "number"), [("DE", "12"), ("DE", "1234567890"), ("AT", "12345678")])
def test_a_number_that_is_none_of_its_country(country: str, number: str) -> None:
    identity = f"<KodUE>{country}</KodUE><NrVatUE>{number}</NrVatUE>"
    assert buyer_mistakes(party(identity)) == {("eu-vat", f"{IDENTITY}/NrVatUE")}


@pytest.mark.parametrize(
    "identity",
    [
        "<KodKraju>DE</KodKraju><NrID>DE123456789</NrID>",
        "<KodKraju>GR</KodKraju><NrID>EL 123456789</NrID>",
        "<NrID>ATU12345678</NrID>",
    ],
)
def test_a_vat_number_of_the_union_as_another_identifier(identity: str) -> None:
    assert buyer_mistakes(party(identity)) == {("eu-vat", f"{IDENTITY}/NrID")}


@pytest.mark.parametrize(
    "identity",
    [
        "<KodUE>DE</KodUE><NrVatUE>123456789</NrVatUE>",
        "<KodKraju>DE</KodKraju><NrID>123456789</NrID>",
        "<KodKraju>DE</KodKraju><NrID>DE123456789-EX</NrID>",
        "<KodUE>FR</KodUE><NrVatUE>FR123456789</NrVatUE>",  # its key may be the letters FR
        "<KodKraju>PL</KodKraju><NrID>44051401359</NrID>",  # PESEL
        "<KodKraju>PL</KodKraju><NrID>ABS123456</NrID>",
        "<KodKraju>UA</KodKraju><NrID>5261040828</NrID>",
        "<NrID>X-77</NrID>",
        "<BrakID>1</BrakID>",
    ],
)
def test_what_may_stand_there(identity: str) -> None:
    xml = documents.document(buyer=party(identity))
    assert check_ready(xml, schema=SCHEMA, seller_nip=documents.SELLER_NIP, today=TODAY).number


@pytest.mark.parametrize(("identity", "advised"), [("<NrID>", True), ("<KodKraju>PL</KodKraju><NrID>", False)])
def test_a_number_without_a_country_may_be_of_another_one(identity: str, *, advised: bool) -> None:
    with pytest.raises(BadInput) as caught:
        check_ready(
            documents.document(buyer=party(f"{identity}5261040828</NrID>")),
            schema=SCHEMA,
            seller_nip=documents.SELLER_NIP,
            today=TODAY,
        )
    assert ("Jeśli to numer z innego kraju, podaj KodKraju." in str(caught.value)) is advised


def test_third_parties_too() -> None:
    third = (
        "<Podmiot3><DaneIdentyfikacyjne><KodKraju>PL</KodKraju><NrID>5261040828</NrID><Nazwa>Odbiorca</Nazwa>"
        "</DaneIdentyfikacyjne><Rola>2</Rola></Podmiot3>"
    )
    found = buyer_mistakes(documents.DOMESTIC_BUYER, third)
    assert found == {("polish-nip", "/Faktura/Podmiot3[1]/DaneIdentyfikacyjne/NrID")}


@pytest.mark.parametrize(
    ("identity", "element"),
    [
        ("<NIP>9999999999</NIP>", "NIP"),
        ("<KodUE>PL</KodUE><NrVatUE>9999999999</NrVatUE>", "NrVatUE"),
        ("<KodKraju>PL</KodKraju><NrID>999-999-99-99</NrID>", "NrID"),
    ],
)
def test_the_seller_as_buyer(identity: str, element: str) -> None:
    assert buyer_mistakes(party(identity)) == {("buyer-is-seller", f"{IDENTITY}/{element}")}


@pytest.mark.parametrize("identity", ["<BrakID>1</BrakID>", "<NIP>1111111111</NIP>", "<NrID>X-77</NrID>"])
@pytest.mark.parametrize("kind", ["VAT", "ROZ"])
def test_name_and_address_are_content_of_every_invoice(identity: str, kind: str) -> None:
    advance = "<NrKSeFZN>1</NrKSeFZN><NrFaZaliczkowej>ZAL/0</NrFaZaliczkowej>"
    settles = f"<FakturaZaliczkowa>{advance}</FakturaZaliczkowa>" if kind == "ROZ" else ""
    nameless = documents.document(buyer=party(identity, name="", address=""), kind=kind, after_kind=settles)
    assert mistakes(nameless) == {
        ("buyer-incomplete", f"{IDENTITY}/Nazwa"),
        ("buyer-incomplete", "/Faktura/Podmiot2/Adres"),
    }


def test_a_simplified_invoice_needs_none() -> None:
    xml = documents.document(
        kind="UPR",
        buyer=party("<NIP>1111111111</NIP>", name="", address=""),
        sums="<P_15>450</P_15>",
        body="<FaWiersz><NrWierszaFa>1</NrWierszaFa><P_7>Wiertarka</P_7><P_12>23</P_12></FaWiersz>",
    )
    assert check_ready(xml, schema=SCHEMA, seller_nip=documents.SELLER_NIP, today=TODAY).kind == "UPR"


@pytest.mark.parametrize(
    ("flags", "others", "found"),
    [
        ("<JST>1</JST><GV>2</GV>", "", {("unit-missing", "/Faktura/Podmiot2/JST")}),
        ("<JST>2</JST><GV>1</GV>", "", {("unit-missing", "/Faktura/Podmiot2/GV")}),
        ("<JST>1</JST><GV>2</GV>", "<NIP>2222222222</NIP>|10", {("unit-missing", "/Faktura/Podmiot2/JST")}),
        ("<JST>1</JST><GV>2</GV>", "<BrakID>1</BrakID>|8", {("unit-missing", "/Faktura/Podmiot2/JST")}),
        ("<JST>1</JST><GV>2</GV>", "<NIP>2222222222</NIP>|8", None),
        ("<JST>1</JST><GV>2</GV>", "<IDWew>1111111111-00001</IDWew>|8", None),
        ("<JST>2</JST><GV>1</GV>", "<NIP>2222222222</NIP>|10", None),
    ],
)
def test_a_unit_that_gets_the_invoice_is_named(flags: str, others: str, found: set[tuple[str, str]] | None) -> None:
    identity, _, role = others.partition("|")
    third = (
        f"<Podmiot3><DaneIdentyfikacyjne>{identity}<Nazwa>Szkoła</Nazwa></DaneIdentyfikacyjne>{ADDRESS}"
        f"<Rola>{role}</Rola></Podmiot3>"
        if others
        else ""
    )
    buyer = party("<NIP>1111111111</NIP>", flags=flags)
    if found is not None:
        assert buyer_mistakes(buyer, third) == found
        return
    xml = documents.document(buyer=buyer, others=third)
    assert check_ready(xml, schema=SCHEMA, seller_nip=documents.SELLER_NIP, today=TODAY).number


# --- corrections ------------------------------------------------------------------------------------------


def correction(buyer: str, *, before: str = "", ksef_number: str | None = None, base: str = "FV/1") -> bytes:
    number = (
        "<NrKSeFN>1</NrKSeFN>"
        if ksef_number is None
        else f"<NrKSeF>1</NrKSeF><NrKSeFFaKorygowanej>{ksef_number}</NrKSeFFaKorygowanej>"
    )
    return documents.document(
        kind="KOR",
        number="KOR/1",
        seller=documents.SELLER.replace(documents.SELLER_NIP, SELLER_NIP),
        buyer=buyer,
        sums="<P_13_1>-100</P_13_1><P_14_1>-23</P_14_1><P_15>-123</P_15>",
        body=documents.ONE_LINE.replace(">123<", ">-123<"),
        after_kind=(
            "<DaneFaKorygowanej><DataWystFaKorygowanej>2026-11-20</DataWystFaKorygowanej>"
            f"<NrFaKorygowanej>{base}</NrFaKorygowanej>{number}</DaneFaKorygowanej>{before}"
        ),
    )


async def refused(tmp_path: Path, xml: bytes) -> set[tuple[str, str]]:
    async with world(tmp_path) as place:
        with pytest.raises(BadInput) as told:
            await counter.ready(place, xml, "k", CASHIER)
        assert not await place.store.read(lambda tx: tx.invoices.queue())
        return {(error.code, error.pointer) for error in told.value.errors}


BEFORE = "<Podmiot2K>{}</Podmiot2K>"


@pytest.mark.parametrize(
    ("identity", "before"),
    [
        ("<NIP>1111111111</NIP>", "<DaneIdentyfikacyjne><NIP>9999999999</NIP><Nazwa>A</Nazwa></DaneIdentyfikacyjne>"),
        ("<NIP>1111111111</NIP>", "<DaneIdentyfikacyjne><BrakID>1</BrakID><Nazwa>A</Nazwa></DaneIdentyfikacyjne>"),
        ("<BrakID>1</BrakID>", "<DaneIdentyfikacyjne><NIP>1111111111</NIP><Nazwa>A</Nazwa></DaneIdentyfikacyjne>"),
        (
            "<KodUE>DE</KodUE><NrVatUE>123456789</NrVatUE>",
            "<DaneIdentyfikacyjne><KodUE>AT</KodUE><NrVatUE>123456789</NrVatUE><Nazwa>A</Nazwa></DaneIdentyfikacyjne>",
        ),
    ],
)
async def test_a_correction_brings_no_other_buyer_by_its_own_word(tmp_path: Path, identity: str, before: str) -> None:
    found = await refused(tmp_path, correction(party(identity), before=BEFORE.format(before)))
    assert found == {("buyer-number-changed", IDENTITY)}


async def test_the_refusal_says_what_to_do(tmp_path: Path) -> None:
    before = "<DaneIdentyfikacyjne><NIP>9999999999</NIP><Nazwa>A</Nazwa></DaneIdentyfikacyjne>"
    async with world(tmp_path) as place:
        xml = correction(party("<NIP>1111111111</NIP>"), before=BEFORE.format(before))
        with pytest.raises(BadInput, match="skoryguj fakturę do zera i wystaw nową"):
            await counter.ready(place, xml, "k", CASHIER)


async def test_nor_silently_where_the_base_is_here(tmp_path: Path) -> None:
    async with world(tmp_path) as place:
        base = await place.sell()
        assert base.ksef_number is not None
        moved = correction(party("<NIP>9999999999</NIP>"), ksef_number=base.ksef_number, base=base.number)
        with pytest.raises(BadInput) as told:
            await counter.ready(place, moved, "k", CASHIER)
        assert [(error.code, error.pointer) for error in told.value.errors] == [("buyer-number-changed", IDENTITY)]
        same = correction(party("<NIP>1111111111</NIP>"), ksef_number=base.ksef_number, base=base.number)
        made = await counter.ready(place, same, "k", CASHIER)
        assert made.invoices[0].record.base_id == base.id


async def test_no_ready_correction_takes_more_than_is_left(tmp_path: Path) -> None:
    """As one made here: the same return twice, by two documents, is one too many (135.60 was sold)."""
    async with world(tmp_path) as place:
        base = await place.sell()
        assert base.ksef_number is not None
        first = correction(party("<NIP>1111111111</NIP>"), ksef_number=base.ksef_number, base=base.number)
        await counter.ready(place, first, "1", CASHIER)
        again = first.replace(b"KOR/1", b"KOR/2")
        with pytest.raises(BadInput) as told:
            await counter.ready(place, again, "2", CASHIER)
        assert [(error.code, error.pointer) for error in told.value.errors] == [("more-than-left", "/Faktura/Fa/P_15")]
        assert "zostało 12,60" in told.value.detail
        twenty = again.replace(b"-100<", b"-16.26<").replace(b"-23<", b"-3.74<").replace(b"-123<", b"-20.00<")
        named_twice = re.sub(rb"(<DaneFaKorygowanej>.*?</DaneFaKorygowanej>)", rb"\1\1", twenty, flags=re.DOTALL)
        with pytest.raises(BadInput, match=r"zostało 12,60"):
            await counter.ready(place, named_twice, "4", CASHIER)
        rest = again.replace(b"-100<", b"-10.24<").replace(b"-23<", b"-2.36<").replace(b"-123<", b"-12.60<")
        assert (await counter.ready(place, rest, "3", CASHIER)).invoices


async def test_name_and_address_are_mended_by_a_correction(tmp_path: Path) -> None:
    before = "<DaneIdentyfikacyjne><NIP>1111111111</NIP><Nazwa>Stara nazwa</Nazwa></DaneIdentyfikacyjne>"
    async with world(tmp_path) as place:
        xml = correction(party("<NIP>1111111111</NIP>"), before=BEFORE.format(before))
        assert (await counter.ready(place, xml, "k", CASHIER)).invoices


async def test_another_additional_buyer_is_not_the_buyer(tmp_path: Path) -> None:
    """Podmiot2K of an additional buyer (Podmiot3) is told by IDNabywcy."""
    third = (
        "<Podmiot3><IDNabywcy>2</IDNabywcy><DaneIdentyfikacyjne><NIP>2222222222</NIP><Nazwa>B</Nazwa>"
        "</DaneIdentyfikacyjne><Rola>4</Rola></Podmiot3>"
    )
    before = (
        "<DaneIdentyfikacyjne><NIP>2222222222</NIP><Nazwa>Stara</Nazwa></DaneIdentyfikacyjne><IDNabywcy>2</IDNabywcy>"
    )
    own = party("<NIP>1111111111</NIP>", flags="<IDNabywcy>1</IDNabywcy>" + FLAGS)
    xml = correction(own, before=BEFORE.format(before)).replace(b"</Podmiot2><Fa>", f"</Podmiot2>{third}<Fa>".encode())
    async with world(tmp_path) as place:
        assert (await counter.ready(place, xml, "k", CASHIER)).invoices


@pytest.mark.parametrize(
    ("buyer", "code"),
    [
        (party("<BrakID>1</BrakID>", name="", address=""), "buyer-incomplete"),
        (party("<KodKraju>PL</KodKraju><NrID>5260250274</NrID>"), "polish-nip"),
        (party("<NIP>5265877635</NIP>"), "buyer-is-seller"),
    ],
)
async def test_a_correction_of_a_stranger_has_a_right_buyer(tmp_path: Path, buyer: str, code: str) -> None:
    assert {found for found, _ in await refused(tmp_path, correction(buyer))} == {code}


async def test_a_correction_repeats_what_its_base_here_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier version issued to a nameless consumer can be returned."""
    nameless = party("<BrakID>1</BrakID>", name="", address="")
    seller = documents.SELLER.replace(documents.SELLER_NIP, SELLER_NIP)
    async with world(tmp_path) as place:
        with monkeypatch.context() as earlier:
            earlier.setattr(supplied, "buyer_mistakes", lambda *_: ())
            xml = documents.document(seller=seller, buyer=nameless, number="FV/1")
            base = (await counter.ready(place, xml, "base", CASHIER)).invoices[0].record
        returned = correction(nameless, ksef_number=base.ksef_number)
        assert (await counter.ready(place, returned, "k", CASHIER)).invoices[0].record.base_id == base.id


@pytest.mark.parametrize("flag", ["JST", "GV"])
def test_a_unit_needs_a_buyer_with_nip(flag: str) -> None:
    role = {"JST": "8", "GV": "10"}[flag]
    unit = (
        "<Podmiot3><DaneIdentyfikacyjne><NIP>2222222222</NIP><Nazwa>Szkoła</Nazwa></DaneIdentyfikacyjne>"
        f"<Rola>{role}</Rola></Podmiot3>"
    )
    buyer = documents.CONSUMER.replace(f"<{flag}>2", f"<{flag}>1")
    assert mistakes(documents.document(buyer=buyer, others=unit)) == {
        ("recipient-needs-nip", f"/Faktura/Podmiot2/{flag}")
    }
