"""A ready FA(3) that no invoice can be: art. 106e ust. 1 pkt 7 to 9, 18, 24, ust. 3; 106i ust. 7; 106j."""

from __future__ import annotations

import pytest

from agent.domain.fa3.contradictions import content
from agent.domain.fa3.view.read import read
from tests.unit.fa3 import fa3_documents as documents
from tests.unit.fa3.test_supplied import SCHEMA, check, mistakes

PREFIXED = documents.SELLER.replace("<Podmiot1>", "<Podmiot1><PrefiksPodatnika>PL</PrefiksPodatnika>")
PLAIN_LINE = "<FaWiersz><NrWierszaFa>1</NrWierszaFa>{0}<P_11>100</P_11>{1}</FaWiersz>"
ANNEX = (
    "<Zalacznik><BlokDanych><MetaDane><ZKlucz>PPE</ZKlucz><ZWartosc>590000</ZWartosc></MetaDane>"
    "<Tekst><Akapit>77 kWh</Akapit></Tekst></BlokDanych></Zalacznik>"
)
MARGIN = documents.marked(PMarzy="<P_PMarzy>1</P_PMarzy><P_PMarzy_3_1>1</P_PMarzy_3_1>")
VEHICLE = documents.marked(
    NoweSrodkiTransportu=(
        "<P_22>1</P_22><P_42_5>2</P_42_5><NowySrodekTransportu><P_22A>2026-10-02</P_22A>"
        "<P_NrWierszaNST>1</P_NrWierszaNST><P_22C>77</P_22C></NowySrodekTransportu>"
    )
)
REVERSED = documents.marked(P_18="1")
XI_BUYER = documents.EU_BUYER.replace("<KodUE>DE", "<KodUE>XI")


def found(xml: bytes) -> list[tuple[str, str]]:
    SCHEMA.check(xml)
    return [(error.code, error.pointer.removeprefix("/Faktura/")) for error in content.contradictions(read(xml))]


def at_rate(rate: str, field: str, buyer: str, *, seller: str = PREFIXED, words: str = documents.ANNOTATIONS) -> bytes:
    row = PLAIN_LINE.format("<P_7>Towar</P_7><P_8B>1</P_8B>", f"<P_12>{rate}</P_12>")
    sums = f"<P_13_{field}>100</P_13_{field}><P_15>100</P_15>"
    return documents.document(seller=seller, buyer=buyer, sums=sums, annotations=words, body=row)


# --- what was sold ----------------------------------------------------------------------------------


def test_no_line_at_all() -> None:
    assert mistakes(documents.document(body="")) == {("line-incomplete", "/Faktura/Fa/FaWiersz")}
    assert found(documents.document(kind="ROZ", body="")) == [("line-incomplete", "Fa/FaWiersz")]


@pytest.mark.parametrize("kind", ["VAT", "ROZ", "UPR"])
def test_a_line_without_a_name(kind: str) -> None:
    row = PLAIN_LINE.format("<P_8B>1</P_8B>", "<P_12>23</P_12>")
    assert found(documents.document(kind=kind, body=row)) == [("line-incomplete", "Fa/FaWiersz[1]/P_7")]


def test_a_line_without_quantity_and_price() -> None:
    row = PLAIN_LINE.format("<P_7>Towar</P_7>", "<P_12>23</P_12>")
    assert mistakes(documents.document(body=row)) == {("line-incomplete", "/Faktura/Fa/FaWiersz[1]/P_8B")}


def test_what_may_go_without_quantity_and_price() -> None:
    nameless = PLAIN_LINE.format("<P_7>Usługa</P_7>", "<P_12>{0}</P_12>")
    exempt = documents.document(
        sums="<P_13_7>100</P_13_7><P_15>100</P_15>",
        annotations=documents.marked(Zwolnienie="<P_19>1</P_19><P_19A>art. 43 ust. 1 pkt 40</P_19A>"),
        body=nameless.format("zw"),
    )
    media = documents.document(body=nameless.format("23"), tail=ANNEX)
    of_margin = documents.document(
        sums="<P_13_11>100</P_13_11><P_15>100</P_15>",
        annotations=MARGIN,
        body=PLAIN_LINE.format("<P_7>Rower</P_7>", ""),
    )
    for xml in (exempt, media, of_margin, documents.SIMPLIFIED, documents.ADVANCE, documents.CORRECTION_OF_SETTLEMENT):
        assert found(xml) == []


# --- how much, and when -----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "codes"), [("VAT", ["kind-contradicts"]), ("ZAL", ["kind-contradicts"]), ("ROZ", [])])
def test_less_than_nothing(kind: str, codes: list[str]) -> None:
    sums = "<P_13_1>-100</P_13_1><P_14_1>-23</P_14_1><P_15>-123</P_15>"
    row = documents.ONE_LINE.replace("<P_8B>1<", "<P_8B>-1<").replace("<P_11A>123", "<P_11A>-123")
    assert [code for code, _ in found(documents.document(kind=kind, sums=sums, body=row))] == codes


@pytest.mark.parametrize(
    ("dates", "codes"),
    [
        ("<P_6>2027-01-23</P_6>", []),
        ("<P_6>2027-01-24</P_6>", ["issued-too-early"]),
        ("<P_6>2020-01-24</P_6>", []),
        ("<OkresFa><P_6_Od>2026-12-01</P_6_Od><P_6_Do>2027-11-30</P_6_Do></OkresFa>", []),
    ],
)
def test_a_sale_too_far_ahead(dates: str, codes: list[str]) -> None:
    """Issued on 24 November 2026."""
    assert [code for code, _ in found(documents.document(dates=dates))] == codes


def test_a_line_too_far_ahead() -> None:
    row = documents.ONE_LINE.replace("<P_7>", "<P_6A>2027-11-24</P_6A><P_7>")
    assert found(documents.document(body=row)) == [("issued-too-early", "Fa/FaWiersz[1]/P_6A")]


def test_the_margin_without_its_sum() -> None:
    assert found(documents.document(annotations=MARGIN)) == [("margin-contradicts", "Fa/P_13_11")]


# --- to whom ----------------------------------------------------------------------------------------


def test_supplies_to_the_union() -> None:
    assert found(at_rate("0 WDT", "6_2", documents.EU_BUYER)) == []
    assert found(at_rate("0 WDT", "6_2", XI_BUYER)) == []
    assert found(at_rate("np II", "9", documents.EU_BUYER, words=REVERSED)) == []
    assert check(at_rate("0 WDT", "6_2", documents.EU_BUYER)).number


@pytest.mark.parametrize("buyer", [documents.CONSUMER, documents.DOMESTIC_BUYER, documents.FOREIGN_BUYER])
@pytest.mark.parametrize(("rate", "field"), [("0 WDT", "6_2"), ("np II", "9")])
def test_they_need_a_vat_number_of_the_union(buyer: str, rate: str, field: str) -> None:
    xml = at_rate(rate, field, buyer, words=REVERSED)
    assert found(xml) == [("rate-needs-eu-vat", "Podmiot2/DaneIdentyfikacyjne")]


def test_services_to_northern_ireland_are_none_of_the_union() -> None:
    assert [code for code, _ in found(at_rate("np II", "9", XI_BUYER, words=REVERSED))] == ["rate-needs-eu-vat"]


def test_a_new_vehicle_goes_to_anybody() -> None:
    assert found(at_rate("0 WDT", "6_2", documents.CONSUMER, seller=documents.SELLER, words=VEHICLE)) == []


@pytest.mark.parametrize(("rate", "field"), [("0 WDT", "6_2"), ("np II", "9")])
def test_the_seller_has_his_prefix(rate: str, field: str) -> None:
    xml = at_rate(rate, field, documents.EU_BUYER, seller=documents.SELLER, words=REVERSED)
    assert found(xml) == [("prefix-missing", "Podmiot1/PrefiksPodatnika")]


def test_the_buyer_pays_the_tax_of_a_service() -> None:
    assert found(at_rate("np II", "9", documents.EU_BUYER)) == [("reverse-charge-missing", "Fa/Adnotacje/P_18")]


def test_no_consumer_pays_it() -> None:
    assert [code for code, _ in found(at_rate("oo", "10", documents.CONSUMER, words=REVERSED))] == ["rate-needs-nip"]
