"""What stands on the slips: everything the document says, in the right words, and nothing that must not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from agent.domain.fa3.view.parties import PartyView
from agent.domain.fa3.view.read import read
from agent.domain.invoice import Address, BuyerKind, Deposit, Mode
from agent.domain.paper.a4 import compose_a4
from agent.domain.paper.compose import PaperChoice, PaperFacts, PendingSlip, choose, compose, compose_pending_slip
from agent.domain.paper.receipt import Align, Blank, Pair, Qr, Receipt, Rule, Table, Text
from tests.reference import FA3_SAMPLES
from tests.unit.fa3 import fa3_documents as documents
from tests.unit.paper.paper_text import run_on, text_of, unprinted

LINK = "https://qr.ksef.mf.gov.pl/invoice/9999999999/24-11-2026/abc"
CERTIFICATE = "https://qr.ksef.mf.gov.pl/certificate/Nip/9999999999/9999999999/01/abc/def"
KSEF_NUMBER = "9999999999-20261124-8BEF280C8D35-4D"


def choice_for(xml: bytes, mode: Mode = Mode.OFFLINE24, ksef_number: str | None = None) -> PaperChoice:
    view = read(xml)
    return choose(PaperFacts(mode, view.buyer.as_buyer().kind, view.number, kind=view.kind, ksef_number=ksef_number))


def invoice(xml: bytes) -> Receipt:
    return compose(read(xml), choice_for(xml, ksef_number=KSEF_NUMBER), link_invoice=LINK)


# --- completeness -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", documents.ALL)
def test_everything_the_document_says_is_on_its_paper(name: str) -> None:
    xml = documents.ALL[name]
    assert unprinted(xml, text_of(invoice(xml))) == []


@pytest.mark.parametrize("path", FA3_SAMPLES, ids=lambda path: path.stem)
def test_everything_the_ministrys_examples_say_is_on_paper(path: Path) -> None:
    xml = path.read_bytes()
    assert unprinted(xml, text_of(invoice(xml))) == []


def test_the_completeness_check_can_fail() -> None:
    xml = documents.document()
    assert unprinted(xml, text_of(invoice(xml)).replace("Wkrętak", "")) == ["P_7=Wkrętak"]


@pytest.mark.parametrize(
    "said",
    [
        "mechanizm podzielonej płatności",
        "metoda kasowa",
        "samofakturowanie",
        "odwrotne obciążenie",
        "procedura marży – towary używane",
        "Podstawa zwolnienia z VAT: art. 132",
        "VAT: Faktura WE uproszczona na mocy art. 135–138 ustawy o ptu",
        "Podatek z tytułu dokonanej dostawy zostanie rozliczony przez ostatniego w kolejności",
        "Nowy środek transportu (poz. 1): dopuszczony 2026-10-01, marka Syrena",
        "Faktura do paragonu fiskalnego",
        "Powiązania między stronami",
        "załącznik nr 15",
        "art. 22 ust. 2d",
        "VAT 23% w PLN 99,03",
        "Razem VAT w PLN 301,30",
        "NIP PL9999999999",
        "VAT UE DE123456789",
    ],
)
def test_the_words_the_law_wants(said: str) -> None:
    assert said in text_of(invoice(documents.EVERYTHING))


@pytest.mark.parametrize(
    "unsaid", ["mechanizm", "metoda kasowa", "samofakturowanie", "odwrotne", "marży", "zwolnienia", "paragon", "PLN za"]
)
def test_words_that_do_not_apply_are_not_there(unsaid: str) -> None:
    assert unsaid not in text_of(invoice(documents.document()))


def test_margin_shows_neither_base_nor_tax() -> None:
    sums = "<P_13_11>500</P_13_11><P_15>500</P_15>"
    marks = documents.marked(PMarzy="<P_PMarzy>1</P_PMarzy><P_PMarzy_2>1</P_PMarzy_2>")
    body = documents.ONE_LINE.replace("<P_12>23</P_12>", "").replace("123", "500")
    paper = text_of(invoice(documents.document(sums=sums, annotations=marks, body=body)))
    assert "procedura marży dla biur podróży" in paper
    assert "marża – – 500,00" in paper


def test_a_correction_says_what_was_and_what_should_be() -> None:
    paper = text_of(invoice(documents.CORRECTION))
    was, should_be = paper.index("Przed korektą"), paper.index("Po korekcie")
    assert was < paper.index("2 szt. × 50,00") < should_be < paper.index("1 szt. × 50,00")
    assert paper.count("Wiertarka") == 2
    assert "Różnica wg stawek podatku" in paper
    assert "Kwota korekty -61,50 PLN\nDo zwrotu PLN 61,50" in paper
    assert "wystawionej poza KSeF" in paper


def test_why_it_corrects_is_what_a_correction_stresses() -> None:
    stressed = [each.text for each in invoice(documents.CORRECTION).elements if isinstance(each, Text) and each.bold]
    assert any(each.startswith("Przyczyna korekty: ") for each in stressed)


def test_a_correction_by_difference_says_so() -> None:
    body = documents.ONE_LINE.replace("<P_8B>1<", "<P_8B>-1<").replace("<P_11A>123<", "<P_11A>-123<")
    after_kind = documents.CORRECTION.split(b"</RodzajFaktury>")[1].split(b"<FaWiersz>")[0].decode()
    xml = documents.document(kind="KOR", after_kind=after_kind, body=body)
    assert "Różnice – ceny brutto" in text_of(invoice(xml))


def test_charges_and_deductions_have_their_signs() -> None:
    paper = text_of(invoice(documents.EVERYTHING))
    assert "Kaucja za butelki +5,31" in paper
    assert "Nadpłata z maja -1,32" in paper
    assert "Razem do zapłaty EUR 1 787,33" in run_on(paper)


def test_payments_one_by_one_and_what_is_left() -> None:
    paper = text_of(invoice(documents.EVERYTHING))
    assert "Zapłacono w części:\nkarta 2026-11-20 10,34\nżetony 2026-11-21 20,35\nForma płatności: kompensata" in paper
    whole = documents.EVERYTHING.replace(b"<ZnacznikZaplatyCzesciowej>1<", b"<ZnacznikZaplatyCzesciowej>2<")
    assert "Zapłacono w całości:\nkarta 2026-11-20 10,34" in text_of(invoice(whole))


def test_another_currency_than_zloty_is_named_in_its_own_line() -> None:
    assert Pair("Waluta", "EUR") in invoice(documents.EVERYTHING).elements
    assert not [
        each for each in invoice(documents.document()).elements if isinstance(each, Pair) and each.left == "Waluta"
    ]


def test_one_exchange_rate_is_said_once() -> None:
    body = documents.ONE_LINE.replace("</P_12>", "</P_12><KursWaluty>4.25</KursWaluty>")
    sums = "<P_13_1>100</P_13_1><P_14_1>23</P_14_1><P_14_1W>97.75</P_14_1W><P_15>123</P_15>"
    paper = text_of(invoice(documents.document(currency="EUR", sums=sums, body=body)))
    assert paper.count("4,25") == 1
    assert "Kurs (PLN za 1 EUR) 4,25" in paper
    assert "VAT 23% w PLN 97,75" in paper
    assert "Razem do zapłaty EUR 123,00" in paper


# --- form ---------------------------------------------------------------------------------------------


def codes(receipt: Receipt) -> list[tuple[str, str]]:
    return [(element.payload, element.caption) for element in receipt.elements if isinstance(element, Qr)]


def test_the_codes_follow_the_choice() -> None:
    xml = documents.document(buyer=documents.CONSUMER)
    view = read(xml)
    assert codes(invoice(xml)) == [(LINK, KSEF_NUMBER)]
    offline = compose(view, choice_for(xml), link_invoice=LINK, link_certificate=CERTIFICATE)
    assert codes(offline) == [(LINK, "OFFLINE"), (CERTIFICATE, "CERTYFIKAT")]
    total_failure = compose(view, choice_for(xml, Mode.TOTAL_FAILURE), link_invoice=LINK, link_certificate=CERTIFICATE)
    assert codes(total_failure) == []


def test_a_choice_with_certificate_wants_its_link() -> None:
    xml = documents.document(buyer=documents.CONSUMER)
    with pytest.raises(ValueError, match="KOD II"):
        compose(read(xml), choice_for(xml), link_invoice=LINK)


def test_without_certificate_the_paper_has_one_code_and_a_sentence() -> None:
    xml = documents.document()
    view = read(xml)
    choice = choose(PaperFacts(Mode.OFFLINE24, view.buyer.as_buyer().kind, view.number, certificate_link=False))
    paper = compose(view, choice, link_invoice=LINK)
    assert [caption for _, caption in codes(paper)] == ["OFFLINE"]
    assert "brak kodu potwierdzającego tożsamość wystawcy" in text_of(paper)


def test_a_confirmation_has_no_lines_and_no_vat() -> None:
    xml = documents.document()
    paper = compose(read(xml), choice_for(xml), link_invoice=LINK, link_certificate=CERTIFICATE)
    said = text_of(paper)
    for wanted in (
        "Potwierdzenie transakcji nr FV/2026/11/1",
        "Faktura VAT nr FV/2026/11/1 wystawiona w trybie offline24 (art. 106nda)",
        "ABC AGD sp. z o. o.",
        "NIP 9999999999",
        "F.H.U. Jan Kowalski",
        "NIP 1111111111",
        "Numer faktury FV/2026/11/1",
        "2026-11-24",
        "Kwota należności ogółem 123,00 PLN",
        "To potwierdzenie nie jest fakturą.",
        "Kod OFFLINE: sprawdź fakturę w KSeF, CERTYFIKAT: zweryfikuj wystawcę faktury",
    ):
        assert wanted in run_on(said)
    for forbidden in ("Wkrętak", "100,00", " 23,00", "23%", "Stawka", "Netto"):
        assert forbidden not in said
    assert not any(isinstance(element, Table) for element in paper.elements)


@pytest.mark.parametrize(
    ("buyer", "abroad", "mode", "promised"),
    [
        (BuyerKind.NIP, False, Mode.ONLINE, True),
        (BuyerKind.NIP, False, Mode.OFFLINE24, True),
        (BuyerKind.NIP, True, Mode.ONLINE, False),
        (BuyerKind.NIP, False, Mode.FAILURE, False),
        (BuyerKind.NONE, False, Mode.ONLINE, False),
        (BuyerKind.EU_VAT, False, Mode.OFFLINE24, False),
        (BuyerKind.FOREIGN_ID, False, Mode.ONLINE, False),
    ],
)
def test_an_invoice_in_ksef_is_promised_to_whom_receives_it_there(
    buyer: BuyerKind, *, abroad: bool, mode: Mode, promised: bool
) -> None:
    """Art. 106gb ust. 4; on the slip and on A4."""
    xml = documents.document()
    view = read(xml)
    choice = choose(PaperFacts(mode, buyer, view.number, supplied_abroad=abroad, certificate_link=False))
    slip = text_of(compose(view, choice, link_invoice=LINK))
    page = compose_a4(view, choice, xml, link_invoice=LINK).body
    for said in (run_on(slip), " ".join(element.text for element in page if isinstance(element, Text))):
        assert "To potwierdzenie nie jest fakturą." in said
        assert ("Fakturę otrzymają Państwo w KSeF." in said) is promised


def test_a_confirmation_says_what_is_paid_beside_the_total() -> None:
    view = read(documents.EVERYTHING)
    choice = choose(PaperFacts(Mode.OFFLINE24, BuyerKind.NIP, view.number))
    said = text_of(compose(view, choice, link_invoice=LINK, link_certificate=CERTIFICATE))
    assert "Kwota należności ogółem 1 783,23 EUR Razem do zapłaty 1 787,33 EUR" in run_on(said)
    assert "Kaucja" not in said


@pytest.mark.parametrize(("copy", "marked", "drawer"), [(1, False, True), (2, True, False), (7, True, False)])
def test_every_further_print_is_marked_and_opens_no_drawer(copy: int, marked: bool, drawer: bool) -> None:
    xml = documents.document()
    for choice in (choice_for(xml), choice_for(xml, ksef_number=KSEF_NUMBER)):
        paper = compose(read(xml), choice, link_invoice=LINK, link_certificate=CERTIFICATE, copy=copy, open_drawer=True)
        assert (f"WYDRUK PONOWNY nr {copy}" in text_of(paper)) is marked
        assert paper.open_drawer is drawer


def test_the_shops_footer_stands_before_the_codes() -> None:
    xml = documents.document()
    paper = compose(read(xml), choice_for(xml, ksef_number=KSEF_NUMBER), link_invoice=LINK, footer=("Dziękujemy!",))
    said = text_of(paper)
    assert said.index("Dziękujemy!") < said.index(KSEF_NUMBER)


def test_a_held_correction_is_no_invoice() -> None:
    held = PendingSlip(
        seller=PartyView("ABC", Address("ul. Kwiatowa 1"), nip="9999999999"),
        buyer=PartyView("Jan Kowalski", None, nip="1111111111"),
        base_number="FV/2026/11/1",
        base_issued_on=date(2026, 11, 24),
        accepted_on=date(2026, 11, 25),
        reason="zwrot towaru",
        difference=Decimal("-61.5"),
    )
    assert "Razem" not in text_of(compose_pending_slip(held))
    with_bottles = replace(held, deposits=(Deposit("Kaucja za butelki", Decimal("-5")),), due=Decimal("-66.5"))
    said = text_of(compose_pending_slip(with_bottles))
    assert "Kwota korekty -61,50 PLN\nKaucja za butelki -5,00\nRazem do zwrotu 66,50 PLN" in said
    assert "Korektę rozlicza nowa faktura." in text_of(compose_pending_slip(replace(held, due=Decimal(0))))
    consumer = replace(held, buyer=PartyView(None, None), in_ksef=False)
    assert "przekażemy ją w uzgodniony sposób." in text_of(compose_pending_slip(consumer))
    collective = replace(held, others=tuple(f"FV/{number}" for number in range(23)))
    assert "FV/18, FV/19 i 3 innych" in " ".join(text_of(compose_pending_slip(collective)).split())
    paper = compose_pending_slip(held, copy=2)
    said = text_of(paper)
    assert "Przyjęto korektę do faktury nr FV/2026/11/1" in run_on(said)
    assert "To nie jest faktura. Fakturę korygującą wystawimy, gdy korygowana faktura otrzyma numer KSeF" in said
    assert "otrzymają ją Państwo w KSeF." in said
    assert "Kwota korekty -61,50 PLN" in said
    assert "WYDRUK PONOWNY nr 2" in said
    assert codes(paper) == []


# --- what is read at a glance -------------------------------------------------------------------------


def test_the_number_is_large_and_the_mode_stands_apart_from_it() -> None:
    elements = invoice(documents.document()).elements
    number = next(element for element in elements if isinstance(element, Text) and element.large)
    assert number.text == "FV/2026/11/1"
    place = elements.index(number)
    assert elements[place + 1] == Blank()
    assert elements[place + 2] == Text("wystawiona w trybie offline24 (art. 106nda)", Align.CENTER)


def discounted(value: str, discount: str) -> str:
    body = documents.ONE_LINE.replace("<P_8B>1<", "<P_8B>2<").replace("<P_9B>123<", "<P_9B>62<")
    body = body.replace("<P_11A>123<", f"<P_10>{discount}</P_10><P_11A>{value}<")
    return text_of(invoice(documents.document(body=body)))


def test_a_discount_stands_in_the_column_of_amounts() -> None:
    said = discounted("123", "1")
    assert "2 szt. × 62,00 VAT 23% 124,00\nopust -1,00\npo opuście 123,00" in said


def test_a_discount_per_piece_is_said_to_be_one() -> None:
    said = discounted("122", "1")
    assert "2 szt. × 62,00 VAT 23% 124,00\nopust 1,00 za jednostkę -2,00\npo opuście 122,00" in said


def test_a_discount_that_the_figures_do_not_explain_is_only_said() -> None:
    assert "2 szt. × 62,00 VAT 23% 100,00\nopust 1,00 (już odliczony)" in discounted("100", "1")


def test_what_belongs_to_a_line_is_indented_under_its_name() -> None:
    elements = invoice(documents.EVERYTHING).elements
    place = elements.index(Text("1. Samochód Syrena"))
    for element in elements[place + 1 : place + 6]:
        assert isinstance(element, Text | Pair)
        assert element.indent == 3


def test_a_marked_print_says_so_on_top_and_not_under_the_title() -> None:
    xml = documents.document()
    paper = compose(read(xml), choice_for(xml, ksef_number=KSEF_NUMBER), link_invoice=LINK, copy=2)
    assert paper.elements[:2] == (Text("WYDRUK PONOWNY nr 2", Align.CENTER, bold=True), Rule())


def test_nothing_to_pay_back_is_not_said_to_be_something() -> None:
    xml = documents.CORRECTION.replace(b"<P_15>-61.5<", b"<P_15>0<").replace(b"<P_15>-61.50<", b"<P_15>0<")
    said = text_of(invoice(xml))
    assert "Kwota korekty 0,00 PLN" in said
    assert "Do zwrotu" not in said
    assert "Do dopłaty" not in said


def test_an_invoice_of_a_total_failure_is_reissued_with_the_day() -> None:
    """Art. 106l ust. 3: the date of the reissue, on the slip and on the A4 page."""
    xml = documents.document()
    day = date(2026, 12, 1)
    choice = choice_for(xml, Mode.TOTAL_FAILURE)
    again = text_of(compose(read(xml), choice, link_invoice=LINK, copy=2, reissued_on=day))
    assert "Data ponownego wystawienia: 2026-12-01" in again
    assert "ponownego wystawienia" not in text_of(compose(read(xml), choice, link_invoice=LINK, copy=1))
    page = compose_a4(read(xml), choice, xml, link_invoice=LINK, reissued_on=day)
    assert Text("Data ponownego wystawienia: 2026-12-01", Align.CENTER) in page.head
    assert not any(
        "ponownego" in str(element) for element in compose_a4(read(xml), choice, xml, link_invoice=LINK).head
    )


def test_what_the_buyer_says_of_his_units_is_on_the_paper() -> None:
    flagged = documents.DOMESTIC_BUYER.replace("<JST>2</JST><GV>2</GV>", "<JST>1</JST><GV>1</GV>")
    said = text_of(invoice(documents.document(buyer=flagged)))
    assert "Faktura dla jednostki podrzędnej JST" in said
    assert "Faktura dla członka grupy VAT" in said
    assert "obowiązek z art. 42 ust. 5" in text_of(invoice(documents.EVERYTHING))
