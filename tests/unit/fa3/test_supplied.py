"""Ready FA(3) documents: taken as they are, or refused in plain Polish with the place of every mistake."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from agent.domain.errors import BadInput
from agent.domain.fa3.contradictions import contradictions
from agent.domain.fa3.schema import Fa3Schema
from agent.domain.fa3.supplied import ReadyInvoice, check_ready
from agent.domain.fa3.view.read import read
from agent.domain.invoice import BuyerKind
from tests.reference import FA3_SAMPLES
from tests.unit.fa3 import fa3_documents as documents

TODAY = date(2026, 11, 24)
SCHEMA = Fa3Schema(schemas.load())


def check(xml: bytes, *, seller_nip: str = documents.SELLER_NIP, today: date = TODAY) -> ReadyInvoice:
    return check_ready(xml, schema=SCHEMA, seller_nip=seller_nip, today=today)


def refusal(xml: bytes, *, seller_nip: str = documents.SELLER_NIP, today: date = TODAY) -> BadInput:
    with pytest.raises(BadInput) as refused:
        check(xml, seller_nip=seller_nip, today=today)
    assert refused.value.detail[0].isupper() or refused.value.detail[0] in "„"
    return refused.value


def mistakes(xml: bytes) -> set[tuple[str, str]]:
    return {(error.code, error.pointer) for error in refusal(xml).errors}


# --- what is taken ------------------------------------------------------------------------------------


def test_takes_a_document_as_it_is() -> None:
    xml = documents.document()
    ready = check(xml)
    assert ready.xml is xml
    assert (ready.number, ready.kind, ready.issued_on) == ("FV/2026/11/1", "VAT", TODAY)
    assert ready.buyer.kind is BuyerKind.NIP
    assert ready.totals.gross == Decimal("123.00")
    assert ready.bases == ()


@pytest.mark.parametrize("name", sorted(documents.ACCEPTED))
def test_takes_every_kind(name: str) -> None:
    assert check(documents.ALL[name]).number


@pytest.mark.parametrize("path", FA3_SAMPLES, ids=lambda path: path.stem)
def test_takes_the_ministrys_examples(path: Path) -> None:
    ready = check(path.read_bytes())
    assert ready.xml == path.read_bytes()


def test_bases_of_a_correction() -> None:
    assert [base.number for base in check(documents.CORRECTION).bases] == ["FV/1", "FV/PAPIER/2"]


def test_a_past_day_is_taken_and_said() -> None:
    assert check(documents.document(issued_on="2026-11-23")).view.issued_on.isoformat() == "2026-11-23"
    assert check(documents.document(issued_on="2025-01-02")).view.issued_on.isoformat() == "2025-01-02"


def test_self_billing_in_our_own_name_is_taken() -> None:
    assert check(documents.document(annotations=documents.marked(P_17="1"))).view.annotations.self_billing


# --- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (b"\xef\xbb\xbf" + documents.document(), "xml-bom"),
        (documents.document().decode().replace("UTF-8", "UTF-16").encode("utf-16"), "xml-encoding"),
        (documents.document().replace(b"UTF-8", b"ISO-8859-2"), "xml-encoding"),
        (documents.document() + b" " * 1_000_001, "xml-too-large"),
        (documents.document().replace(b"<Naglowek>", b"<?a b?><Naglowek>"), "xml-instruction"),
        (
            documents.document().replace(b"<Faktura", b'<!DOCTYPE Faktura [<!ENTITY a "b">]><Faktura'),
            "xml-doctype",
        ),
        (documents.document().replace(b"2025/06/25/13775", b"2023/06/29/12648"), "xml-namespace"),
        (documents.document().replace("Wkrętak".encode(), "Wkr\u0080tak".encode()), "forbidden-character"),
        (documents.document()[:-3], "xml-malformed"),
        (documents.document(sums=""), "schema"),
    ],
)
def test_the_strict_gate_comes_first(xml: bytes, code: str) -> None:
    assert refusal(xml).code == code


def test_a_bomb_of_entities_is_refused_at_once() -> None:
    levels = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "ha">{levels}]><Faktura>&a11;</Faktura>'
    assert refusal(bomb.encode()).code == "xml-doctype"


def test_the_schemas_error_is_polish_with_place_and_line() -> None:
    (error, *_) = refusal(documents.document(currency="ZŁO")).errors
    assert error.pointer == "/Faktura/Fa/KodWaluty"
    assert error.message.startswith("wiersz 2: ")


def test_another_seller() -> None:
    refused = refusal(documents.document(), seller_nip="5261040828")
    assert refused.code == "seller-nip"
    assert "5261040828" in refused.detail


def test_self_billing_for_another_seller_says_why() -> None:
    refused = refusal(documents.document(annotations=documents.marked(P_17="1")), seller_nip="5261040828")
    assert refused.code == "self-billing"


def test_wrong_nips_are_named_each() -> None:
    wrong = documents.DOMESTIC_BUYER.replace("1111111111", "1111111112")
    third = (
        "<Podmiot3><DaneIdentyfikacyjne><NIP>2222222222</NIP></DaneIdentyfikacyjne><Rola>4</Rola></Podmiot3>"
        "<Podmiot3><DaneIdentyfikacyjne><NIP>2222222223</NIP></DaneIdentyfikacyjne><Rola>4</Rola></Podmiot3>"
    )
    refused = refusal(documents.document(buyer=wrong, others=third))
    assert refused.code == "ready-invoice"
    assert {(error.code, error.pointer) for error in refused.errors} == {
        ("nip-checksum", "/Faktura/Podmiot2/DaneIdentyfikacyjne/NIP"),
        ("nip-checksum", "/Faktura/Podmiot3[2]/DaneIdentyfikacyjne/NIP"),
    }


def test_a_day_in_the_future() -> None:
    assert refusal(documents.document(), today=TODAY - timedelta(days=1)).code == "issue-date-future"


def test_a_period_that_ends_before_it_begins() -> None:
    period = "<OkresFa><P_6_Od>2026-11-20</P_6_Od><P_6_Do>2026-11-19</P_6_Do></OkresFa>"
    assert mistakes(documents.document(dates=period)) == {("period-contradicts", "/Faktura/Fa/OkresFa/P_6_Do")}
    assert check(documents.document(dates=period.replace("11-19", "11-20"))).number


def test_money_that_is_not_received_yet() -> None:
    """Zaplacono and ZaplataCzesciowa say that it was (docs/law.md: payment-words)."""
    whole = (
        "<Platnosc><Zaplacono>1</Zaplacono><DataZaplaty>{0}</DataZaplaty><FormaPlatnosci>1</FormaPlatnosci></Platnosc>"
    )
    part = (
        "<Platnosc><ZnacznikZaplatyCzesciowej>1</ZnacznikZaplatyCzesciowej><ZaplataCzesciowa><KwotaZaplatyCzesciowej>5"
        "</KwotaZaplatyCzesciowej><DataZaplatyCzesciowej>{0}</DataZaplatyCzesciowej><FormaPlatnosci>1</FormaPlatnosci>"
        "</ZaplataCzesciowa></Platnosc>"
    )
    for payment, place in ((whole, "DataZaplaty"), (part, "ZaplataCzesciowa[1]/DataZaplatyCzesciowej")):
        tomorrow = documents.document(body=documents.ONE_LINE + payment.format("2026-11-25"))
        assert mistakes(tomorrow) == {("paid-in-future", f"/Faktura/Fa/Platnosc/{place}")}
        assert check(documents.document(body=documents.ONE_LINE + payment.format("2026-11-24"))).number


@pytest.mark.parametrize(
    ("parts", "mistake"),
    [
        ({"number": "\u00a0"}, ("required", "/Faktura/Fa/P_2")),
        (
            {"buyer": documents.CONSUMER.replace("Anna Nowak", "\u200b")},
            ("buyer-incomplete", "/Faktura/Podmiot2/DaneIdentyfikacyjne/Nazwa"),
        ),
        (
            {"buyer": documents.CONSUMER.replace("Anna Nowak", "-")},
            ("buyer-incomplete", "/Faktura/Podmiot2/DaneIdentyfikacyjne/Nazwa"),
        ),
        (
            {"buyer": documents.CONSUMER.replace("ul. Cicha 3", "\u2060")},
            ("buyer-incomplete", "/Faktura/Podmiot2/Adres"),
        ),
        (
            {"seller": documents.SELLER.replace("ABC AGD sp. z o. o.", "\u00ad")},
            ("required", "/Faktura/Podmiot1/DaneIdentyfikacyjne/Nazwa"),
        ),
        (
            {"seller": documents.SELLER.replace("ul. Kwiatowa 1", "\u00a0")},
            ("required", "/Faktura/Podmiot1/Adres/AdresL1"),
        ),
        ({"body": documents.ONE_LINE.replace("Wkrętak", "\u200b")}, ("line-incomplete", "/Faktura/Fa/FaWiersz[1]/P_7")),
    ],
)
def test_what_nobody_can_read(parts: dict[str, str], mistake: tuple[str, str]) -> None:
    """The schema takes a hard space or an invisible character for a text; the law wants a name (art. 106e)."""
    assert mistakes(documents.document(**parts)) == {mistake}


def test_a_correction_older_than_its_base() -> None:
    late = correcting(base_nip="9999999999").replace(b"2026-11-20</DataWyst", b"2026-11-25</DataWyst")
    assert mistakes(late) == {("base-later", "/Faktura/Fa/DaneFaKorygowanej[1]/DataWystFaKorygowanej")}
    assert check(late.replace(b"2026-11-25</DataWyst", b"2026-11-24</DataWyst")).number


def test_a_base_whose_number_nobody_can_read() -> None:
    nameless = correcting(base_nip="9999999999").replace(b"X/1", "\u00a0".encode())
    assert mistakes(nameless) == {("required", "/Faktura/Fa/DaneFaKorygowanej[1]/NrFaKorygowanej")}


@pytest.mark.parametrize(
    ("after", "sums", "right"),
    [
        ("<P_8B>1</P_8B><P_9A>50</P_9A><P_11>50</P_11>", ("-50", "-11.50", "-61.50"), True),
        ("<P_8B>1</P_8B><P_9A>50</P_9A><P_11>50</P_11>", ("-500", "-115", "-615"), False),
        ("<P_8B>2</P_8B><P_9A>60</P_9A><P_11>120</P_11>", ("20", "4.60", "24.60"), True),
        ("<P_8B>2</P_8B><P_9A>60</P_9A><P_11>120</P_11>", ("-20", "-4.60", "-24.60"), False),
    ],
)
def test_lines_before_and_after_make_the_difference(after: str, sums: tuple[str, str, str], right: bool) -> None:
    net, tax, gross = sums
    xml = documents.CORRECTION.replace(b"<P_8B>1</P_8B><P_9A>50</P_9A><P_11>50</P_11>", after.encode())
    old = b"<P_13_1>-50</P_13_1><P_14_1>-11.50</P_14_1><P_15>-61.50"
    xml = xml.replace(old, f"<P_13_1>{net}</P_13_1><P_14_1>{tax}</P_14_1><P_15>{gross}".encode())
    assert xml.count(f"<P_15>{gross}".encode()) == 1
    if right:
        assert check(xml).number
    else:
        assert mistakes(xml) == {("lines-contradict", "/Faktura/Fa/P_13_1")}
    unmarked = xml.replace(b"<StanPrzed>1</StanPrzed>", b"")
    assert check(unmarked).number, "nobody can tell what its lines are"


def test_a_correction_without_a_base() -> None:
    assert mistakes(documents.document(kind="KOR")) == {("base-missing", "/Faktura/Fa/DaneFaKorygowanej")}


def correcting(kind: str = "KOR", others: str = "", base_nip: str = "5261040828") -> bytes:
    return documents.document(
        kind=kind,
        others=others,
        after_kind=(
            "<DaneFaKorygowanej><DataWystFaKorygowanej>2026-11-20</DataWystFaKorygowanej><NrFaKorygowanej>X/1"
            f"</NrFaKorygowanej><NrKSeF>1</NrKSeF><NrKSeFFaKorygowanej>{base_nip}-20261120-8BEF280C8D35-4D"
            "</NrKSeFFaKorygowanej></DaneFaKorygowanej>"
        ),
    )


@pytest.mark.parametrize("base_nip", ["5261040828", "9999999998"])
def test_a_base_of_another_seller(base_nip: str) -> None:
    assert mistakes(correcting(base_nip=base_nip)) == {
        ("base-of-another-seller", "/Faktura/Fa/DaneFaKorygowanej[1]/NrKSeFFaKorygowanej")
    }


def test_the_predecessors_invoice_may_be_corrected() -> None:
    predecessor = (
        "<Podmiot3><DaneIdentyfikacyjne><NIP>5261040828</NIP><Nazwa>Poprzednik</Nazwa></DaneIdentyfikacyjne>"
        "<Rola>3</Rola></Podmiot3>"
    )
    assert check(correcting(others=predecessor)).bases[0].number == "X/1"


def test_a_sale_that_names_a_base() -> None:
    assert ("kind-contradicts", "/Faktura/Fa/RodzajFaktury") in mistakes(correcting(kind="VAT"))


# --- contradictions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "code", "pointer"),
    [
        (
            {"sums": "<P_13_1>100</P_13_1><P_14_1>23</P_14_1><P_15>123.05</P_15>"},
            "sum-contradicts",
            "P_15",
        ),
        (
            {
                "sums": "<P_13_1>100</P_13_1><P_14_1>23.10</P_14_1><P_15>123.10</P_15>",
                "body": documents.ONE_LINE.replace("123", "123.10"),
            },
            "tax-contradicts",
            "P_14_1",
        ),
        (
            {"sums": "<P_13_1>200</P_13_1><P_14_1>46</P_14_1><P_15>246</P_15>"},
            "lines-contradict",
            "P_13_1",
        ),
        (
            {
                "sums": "<P_13_7>123</P_13_7><P_15>123</P_15>",
                "body": documents.ONE_LINE.replace("<P_12>23", "<P_12>zw"),
            },
            "exemption-missing",
            "Adnotacje/Zwolnienie/P_19",
        ),
        (
            {
                "sums": "<P_13_10>123</P_13_10><P_15>123</P_15>",
                "body": documents.ONE_LINE.replace("<P_12>23", "<P_12>oo"),
            },
            "reverse-charge-missing",
            "Adnotacje/P_18",
        ),
        (
            {
                "sums": "<P_13_11>123</P_13_11><P_15>123</P_15>",
                "body": documents.ONE_LINE.replace("<P_12>23</P_12>", ""),
            },
            "margin-missing",
            "Adnotacje/PMarzy",
        ),
        ({"currency": "EUR"}, "tax-in-pln-missing", "P_14_1W"),
    ],
)
def test_contradictions(parts: dict[str, str], code: str, pointer: str) -> None:
    assert mistakes(documents.document(**parts)) == {(code, f"/Faktura/Fa/{pointer}")}


cents = st.integers(min_value=1, max_value=10_000_000).map(lambda value: Decimal(value) / 100)
rates = st.sampled_from([("1", "23"), ("2", "8"), ("3", "5")])


@given(lines=st.lists(st.tuples(cents, rates), min_size=1, max_size=8), gross=st.booleans())
def test_honest_rounding_is_never_a_contradiction(lines: list[tuple[Decimal, tuple[str, str]]], gross: bool) -> None:
    """Tax from the gross sum of a rate (art. 106e ust. 7), or line by line (ust. 10): both are right."""
    sums, body, total = "", "", Decimal(0)
    for name, word in sorted({rate for _, rate in lines}):
        values = [value for value, rate in lines if rate[0] == name]
        percent = Decimal(word)
        if gross:
            tax = (sum(values, Decimal(0)) * percent / (100 + percent)).quantize(Decimal("0.01"))
            net = sum(values, Decimal(0)) - tax
        else:
            tax = sum(((value * percent / 100).quantize(Decimal("0.01")) for value in values), Decimal(0))
            net = sum(values, Decimal(0))
        sums += f"<P_13_{name}>{net}</P_13_{name}><P_14_{name}>{tax}</P_14_{name}>"
        total += net + tax
    for position, (value, (_, word)) in enumerate(lines, start=1):
        element = "P_11A" if gross else "P_11"
        body += (
            f"<FaWiersz><NrWierszaFa>{position}</NrWierszaFa><P_7>Towar</P_7><P_8B>1</P_8B><{element}>{value}</{element}>"
            f"<P_12>{word}</P_12></FaWiersz>"
        )
    xml = documents.document(sums=f"{sums}<P_15>{total}</P_15>", body=body)
    assert list(contradictions(read(xml))) == []


@pytest.mark.parametrize("written", ["\u202e", "&#x202E;", "&#8238;"])
def test_a_name_that_turns_the_direction_of_writing(written: str) -> None:
    xml = documents.document(body=documents.ONE_LINE.replace("Wkrętak", f"Wkrętak {written}"))
    refused = refusal(xml)
    assert refused.code == "misleading-character"
    assert "U+202E" in refused.detail
