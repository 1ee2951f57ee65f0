"""The annex to a shop's accounting policy: who declares what, evidence, numbering, sending, corrections, retention.

A template filled from the settings of a till (art. 10 ust. 1 pkt 3 lit. c and pkt 4 of the Accounting Act want the data
processing and the protection of data described). Polish, two pages of A4 exactly; names of people are left to write.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from agent.domain.report import Block, Facts, Heading, PageBreak, Paragraph, Report, Signatures, Table
from agent.domain.values import dataclass

LONGEST = 90
"""Characters of a value that is told in full; longer ones are cut, or the annex would not keep its two pages."""


@dataclass(frozen=True, slots=True)
class AnnexFacts:
    """What of the settings the annex tells. Texts are as set; empty where nothing is."""

    seller: str
    nip: str
    address: str
    till: str
    program: str
    """Name and version."""
    day: date
    series: str
    correction_series: str
    offline_series: str
    offline_correction_series: str
    example: str
    """A number of the series of sales."""
    prefers_offline24: bool
    budget_seconds: float
    consumers_in_ksef: bool
    offline_domestic_invoice: bool
    cash_register: str
    backlog_hours: str
    deadline_hours: float
    through_hub: bool
    keep_days: int
    export_dir: str
    backup_dir: str
    limitation_years: int
    erase_consumers: bool
    hold_until: date | None


def policy_annex(facts: AnnexFacts) -> Report:
    """Return the annex."""
    return Report(
        title="Załącznik do polityki rachunkowości: faktury z kasy w KSeF",
        under_title=(
            f"{_cut(facts.seller)}, NIP {facts.nip}, {_cut(facts.address)}; kasa {facts.till}. "
            f"Program: {facts.program}. Stan ustawień z dnia {facts.day:%d.%m.%Y}. "
            "Podstawa: art. 10 ust. 1 pkt 3 lit. c i pkt 4 ustawy o rachunkowości; art. 106a–106q, 109, 112–112aa "
            "ustawy o VAT."
        ),
        day=facts.day,
        blocks=(*_first_page(facts), PageBreak(), *_second_page(facts)),
    )


def _first_page(facts: AnnexFacts) -> Iterator[Block]:
    yield Heading("1. Odpowiedzialność")
    yield Table(
        ("Czynność", "Kto", "Imię i nazwisko (stanowisko)"),
        (
            ("Wystawia faktury i korekty, wydaje wydruki", "kasjer (rola cashier)", ""),
            (
                "Włącza i odwołuje offline24, potwierdza albo odrzuca awarię całkowitą, potwierdza zegar, "
                "rozstrzyga faktury odrzucone przez KSeF",
                "kierownik (rola manager)",
                "",
            ),
            ("Sprawdza komunikaty w BIP MF i dołącza je do raportu przerwy", "kierownik", ""),
            ("Pobiera rejestr, wiersze JPK_V7M i dowody, rozlicza je", "księgowość (rola auditor)", ""),
            ("Odnawia certyfikaty KSeF, prowadzi kopie i archiwum", "technik", ""),
        ),
        (8, 4.2, 5),
    )
    yield Heading("2. Tryby wystawiania i kto je stwierdza")
    yield Table(
        ("Tryb", "Podstawa", "Kto i na jakiej podstawie stwierdza", "Termin przesłania do KSeF"),
        (
            ("online", "art. 106gb, 106na", "program: KSeF odpowiada", "od razu"),
            (
                "offline24",
                "art. 106nda",
                "program (brak łączności, limit wywołań) albo kierownik; przyczyny nie trzeba dowodzić",
                "następny dzień roboczy po dniu wystawienia",
            ),
            (
                "niedostępność",
                "art. 106nh",
                "komunikat MF w BIP i w Latarni KSeF",
                "następny dzień roboczy po dniu jej zakończenia",
            ),
            (
                "awaria",
                "art. 106nf",
                "komunikat MF w BIP i w Latarni KSeF",
                "7 dni roboczych od dnia jej zakończenia",
            ),
            (
                "awaria całkowita",
                "art. 106ng",
                "środki masowego przekazu; obowiązuje dopiero po potwierdzeniu przez kierownika",
                "nie przesyła się",
            ),
        ),
        (2.6, 2.6, 7, 5),
    )
    offline = (
        "Sklep wybrał offline24 dla każdej faktury: klient dostaje dokument od razu, program przesyła fakturę do KSeF."
        if facts.prefers_offline24
        else "Kasa wystawia online; gdy KSeF nie nada numeru w ciągu "
        f"{_number(facts.budget_seconds)} s, faktura pozostaje z tym samym numerem jako offline24."
    )
    yield Paragraph(offline, item=True)
    consumers = (
        "Faktury dla osób bez identyfikatora podatkowego też trafiają do KSeF."
        if facts.consumers_in_ksef
        else "Faktury dla osób bez identyfikatora podatkowego wystawia się poza KSeF (art. 106ga ust. 2 pkt 4; "
        "w JPK_V7M: BFK)."
    )
    yield Paragraph(consumers, item=True)
    domestic = "fakturę" if facts.offline_domestic_invoice else "potwierdzenie transakcji (nie jest fakturą)"
    yield Paragraph(
        f"W offline24 i niedostępności nabywca z NIP dostaje {domestic}; pozostali fakturę z kodami OFFLINE "
        "i CERTYFIKAT (art. 106gb ust. 4).",
        item=True,
    )
    yield Heading("3. Numeracja (art. 106e ust. 1 pkt 2)")
    yield Facts(tuple(_numbering(facts)))
    yield Paragraph(
        "Numery w serii są kolejne i bez luk; numer nadaje program w tej samej operacji, w której zapisuje fakturę. "
        "Odrzucona sprzedaż nie zużywa numeru. Po odtworzeniu bazy z kopii numeracja biegnie dalej po ostatnim "
        "użytym numerze; pominięte numery są w dzienniku.",
        item=True,
    )


def _numbering(facts: AnnexFacts) -> Iterator[tuple[str, str]]:
    yield "Serie sprzedaży i korekt", f"{_cut(facts.series)}; {_cut(facts.correction_series)}"
    offline = [facts.offline_series, facts.offline_correction_series]
    own = "; ".join(_cut(each) for each in offline if each)
    yield "Serie wystawionych od razu offline", own or "te same co wyżej"
    yield "Przykład numeru", _cut(facts.example)
    yield "Numer unikatowy kasy fiskalnej", _cut(facts.cash_register) or "nie podano: paragon zostaje przy fakturze"


def _second_page(facts: AnnexFacts) -> Iterator[Block]:
    yield Heading("4. Przesyłanie do KSeF")
    way = "przez hub sieci, a przed terminem wprost" if facts.through_hub else "wprost z kasy"
    hours = f"w oknach {_cut(facts.backlog_hours)}" if facts.backlog_hours else "o każdej porze"
    yield Paragraph(
        f"Program przesyła faktury sam, {way}; zaległe {hours}, nigdy później niż w terminie. Alarm zaczyna się "
        f"{_number(facts.deadline_hours)} godz. pracy sklepu przed końcem terminu.",
        item=True,
    )
    yield Paragraph(
        "Ten sam plik nie trafia do KSeF dwa razy: po utracie odpowiedzi program szuka go po skrócie SHA-256. "
        "Faktura jest w KSeF, gdy ma numer KSeF; potwierdzeniem jest UPO.",
        item=True,
    )
    yield Paragraph(
        "Fakturę odrzuconą przez KSeF rozstrzyga kierownik: korekta techniczna, ponowne przesłanie albo zamknięcie "
        "sprawy z podaniem powodu.",
        item=True,
    )
    yield Heading("5. Korekty")
    for sentence in (
        "Fakturę po wydaniu zmienia się tylko fakturą korygującą (art. 106j); nie usuwa się jej i nie nadpisuje.",
        "Korektę faktury bez numeru KSeF program przyjmuje od razu, a wystawia, gdy numer zostanie nadany.",
        "W czasie awarii całkowitej korekta faktury, która jest w KSeF, czeka na koniec awarii (art. 106j ust. 4).",
        "Zwrot do faktury nie może przekroczyć tego, co na niej zostało; sprawdza to program w chwili zapisu.",
        "Not korygujących się nie wystawia. Błędny NIP nabywcy: korekta do zera i nowa faktura.",
    ):
        yield Paragraph(sentence, item=True)
    yield Heading("6. Dowody i ewidencja")
    yield Table(
        ("Co", "Gdzie i jak"),
        (
            ("Faktura", "plik FA(3) dokładnie taki, jaki przesłano; skrót SHA-256 w bazie, w kodzie QR i w UPO"),
            ("Dziennik zdarzeń", "tylko do dopisywania, łańcuch skrótów; zmianę lub usunięcie wpisu widać"),
            ("Tryb, podstawa, przyczyna, termin", "przy każdej fakturze; komunikaty Latarni z chwilą odczytania"),
            ("Rejestr i JPK_V7M", "ksef-agent register: oznaczenia NrKSeF, OFF, DI, BFK; porównanie z KSeF (--ksef)"),
            ("Raport przerwy", "ksef-agent outages NAZWA --out PLIK: liczby, wartość, spóźnione, wnioski, podpisy"),
            (
                "Pakiet dla kontroli",
                "ksef-agent evidence: faktury, UPO, wydruki, dziennik; sprawdza się go bez programu",
            ),
        ),
        (4, 11),
    )
    yield Heading("7. Przechowywanie i dane osobowe")
    yield Facts(tuple(_retention(facts)))
    yield Paragraph(
        "KSeF przechowuje faktury 10 lat od końca roku wystawienia (art. 112aa); faktur awarii całkowitej "
        "i wystawionych poza KSeF tam nie ma, więc przechowuje je sprzedawca (art. 112, 112a ustawy o VAT, "
        "art. 86 § 1 Ordynacji podatkowej).",
        item=True,
    )
    erased = (
        "Po tym okresie program usuwa dane osób bez identyfikatora podatkowego (RODO art. 5 ust. 1 lit. e, art. 17 "
        "ust. 1 lit. a); numery, kwoty, skróty i dziennik zostają. Wcześniej nie wolno: art. 17 ust. 3 lit. b RODO."
        if facts.erase_consumers
        else "Program nie usuwa danych osób bez identyfikatora podatkowego; po tym okresie usuwa je administrator "
        "danych (RODO art. 5 ust. 1 lit. e, art. 17 ust. 1 lit. a)."
    )
    yield Paragraph(erased, item=True)
    if facts.hold_until is not None:
        yield Paragraph(f"Usuwanie wstrzymano do {facts.hold_until:%d.%m.%Y} (art. 70 § 2–8 Ordynacji).", item=True)
    yield Heading("8. Zatwierdzenie")
    yield Paragraph(
        "Załącznik obowiązuje od dnia ....................................... i zmienia się go po każdej zmianie "
        "ustawień, o których mówi. Oryginał jest u kierownika jednostki, kopia przy kasie."
    )
    yield Signatures(("sporządził(a): data, podpis", "kierownik jednostki: data, podpis"))


def _retention(facts: AnnexFacts) -> Iterator[tuple[str, str]]:
    yield (
        "Okres przechowywania",
        f"{facts.limitation_years} lat od końca roku, w którym upłynął termin płatności podatku "
        "(art. 70 § 1 Ordynacji podatkowej)",
    )
    archive = f"archiwum {_cut(facts.export_dir)}" if facts.export_dir else "archiwum, które wskaże technik"
    yield "Treść faktur w kasie", f"{facts.keep_days} dni, potem {archive}; wiersze i dziennik zostają"
    yield (
        "Kopie bazy",
        f"co noc, {_cut(facts.backup_dir)}, siedem ostatnich; poza tym komputerem: ........................",
    )


def _number(value: float) -> str:
    return f"{value:g}".replace(".", ",")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
