"""Polish words for FA(3) codes, and how rates and addresses look on paper."""

from __future__ import annotations

from agent.domain.fa3.view.annotations import Margin
from agent.domain.invoice import Address

PAYMENT_FORMS: dict[str, str] = {
    "1": "gotówka",
    "2": "karta",
    "3": "bon",
    "4": "czek",
    "5": "kredyt",
    "6": "przelew",
    "7": "płatność mobilna",
}
"""TFormaPlatnosci."""

THIRD_PARTY_ROLES: dict[str, str] = {
    "1": "Faktor",
    "2": "Odbiorca",
    "3": "Podmiot pierwotny",
    "4": "Dodatkowy nabywca",
    "5": "Wystawca faktury",
    "6": "Dokonujący płatności",
    "7": "JST – wystawca",
    "8": "JST – odbiorca",
    "9": "Członek grupy VAT – wystawca",
    "10": "Członek grupy VAT – odbiorca",
    "11": "Pracownik",
}
"""TRolaPodmiotu3."""

AUTHORISED_ROLES: dict[str, str] = {
    "1": "Organ egzekucyjny",
    "2": "Komornik sądowy",
    "3": "Przedstawiciel podatkowy",
}
"""TRolaPodmiotuUpowaznionego (art. 106c, art. 18a-18d)."""

SELLER_STATUS: dict[str, str] = {
    "1": "w likwidacji",
    "2": "w restrukturyzacji",
    "3": "w upadłości",
    "4": "przedsiębiorstwo w spadku",
}
"""TStatusInfoPodatnika."""

CORRECTION_EFFECTS: dict[str, str] = {
    "1": "w dacie ujęcia faktury pierwotnej",
    "2": "w dacie wystawienia faktury korygującej",
    "3": "w innej dacie",
}
"""TTypKorekty."""

MARGIN_WORDS: dict[Margin, str] = {
    Margin.TRAVEL: "procedura marży dla biur podróży",
    Margin.USED_GOODS: "procedura marży – towary używane",
    Margin.ART: "procedura marży – dzieła sztuki",
    Margin.ANTIQUES: "procedura marży – przedmioty kolekcjonerskie i antyki",
}
"""Art. 106e ust. 2 i 3."""

TRIANGULAR_WORDS = (
    "VAT: Faktura WE uproszczona na mocy art. 135–138 ustawy o ptu",
    "Podatek z tytułu dokonanej dostawy zostanie rozliczony przez ostatniego w kolejności podatnika "
    "podatku od wartości dodanej.",
)
"""Art. 136 ust. 1 pkt 1 i 2."""

TRANSPORT_KINDS: dict[str, str] = {
    "1": "morski",
    "2": "kolejowy",
    "3": "drogowy",
    "4": "lotniczy",
    "5": "przesyłka pocztowa",
    "7": "stałe instalacje przesyłowe",
    "8": "żegluga śródlądowa",
}
"""TRodzajTransportu."""

CARGO_KINDS: dict[str, str] = {
    "1": "bańka",
    "2": "beczka",
    "3": "butla",
    "4": "karton",
    "5": "kanister",
    "6": "klatka",
    "7": "kontener",
    "8": "kosz/koszyk",
    "9": "łubianka",
    "10": "opakowanie zbiorcze",
    "11": "paczka",
    "12": "pakiet",
    "13": "paleta",
    "14": "pojemnik",
    "15": "pojemnik do ładunków masowych stałych",
    "16": "pojemnik do ładunków masowych w postaci płynnej",
    "17": "pudełko",
    "18": "puszka",
    "19": "skrzynia",
    "20": "worek",
}
"""TLadunek."""

VEHICLE_DETAILS: dict[str, str] = {
    "P_22BMK": "marka",
    "P_22BMD": "model",
    "P_22BK": "kolor",
    "P_22BNR": "numer rejestracyjny",
    "P_22BRP": "rok produkcji",
    "P_22B": "przebieg",
    "P_22B1": "VIN",
    "P_22B2": "numer nadwozia",
    "P_22B3": "numer podwozia",
    "P_22B4": "numer ramy",
    "P_22BT": "typ",
    "P_22C": "godziny robocze używania",
    "P_22C1": "numer kadłuba",
    "P_22D": "godziny robocze używania",
    "P_22D1": "numer fabryczny",
}
"""NowySrodekTransportu."""

_RATES: dict[str, str] = {"0 KR": "0%", "0 WDT": "0% WDT", "0 EX": "0% eksport"}


def rate(word: str) -> str:
    """Write a P_12 word, or a RateView label of several: "23%", "23%/22%", "zw", "0% WDT"."""
    return "/".join(f"{part}%" if part.isdecimal() else _RATES.get(part, part) for part in word.split("/"))


def address_lines(address: Address) -> tuple[str, ...]:
    """Write an address; the country only where it is not Poland."""
    lines = [address.line1]
    if address.line2:
        lines.append(address.line2)
    if address.country != "PL":
        lines.append(address.country)
    return tuple(lines)


def payment_form(form: str | None, other: str | None) -> str:
    """Write a form of payment, empty where none is given."""
    return other or PAYMENT_FORMS.get(form or "", "")
