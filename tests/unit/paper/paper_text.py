"""Reading a slip as a tax auditor would: is everything there that the document says?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from lxml import etree

from agent.domain.paper.receipt import Element, Pair, Qr, Receipt, Table, Text

NO_BREAK_SPACE = "\u00a0"
MARKERS = {
    # "1" in an element that is said in words; the words are tested below
    *("P_16", "P_17", "P_18", "P_18A", "P_19", "P_19N", "P_22", "P_22N", "P_42_5", "P_23", "P_PMarzy", "P_PMarzyN"),
    *("P_PMarzy_3_1", "FP", "TP", "ZwrotAkcyzy", "PodmiotPosredniczacy", "BrakID", "RolaInna", "NrKSeF", "NrKSeFN"),
    *("NrKSeFZN", "StanPrzed", "StanPrzedZ", "Zaplacono", "ZnacznikZaplatyCzesciowej", "PlatnoscInna"),
    *("TransportInny", "LadunekInny", "P_12_Zal_15", "JST", "GV", "RodzajFaktury"),
}
NOT_ON_PAPER = {
    # no content of an invoice by art. 106e: technique, ways to reach the parties, keys between documents
    *("KodFormularza", "WariantFormularza", "DataWytworzeniaFa", "SystemInfo", "UU_ID", "UU_IDZ", "IDNabywcy"),
    *("Email", "Telefon", "EmailPU", "TelefonPU", "GLN", "RachunekWlasnyBanku"),
    # sums of what stands there one by one
    *("SumaObciazen", "SumaOdliczen"),
}
CODES = {
    "FormaPlatnosci": {"1": "gotówka", "2": "karta", "6": "przelew"},
    "Rola": {"1": "Faktor", "2": "Odbiorca", "4": "Dodatkowy nabywca", "8": "JST – odbiorca"},
    "RolaPU": {"2": "Komornik sądowy"},
    "StatusInfoPodatnika": {"1": "w likwidacji"},
    "TypKorekty": {"2": "w dacie wystawienia faktury korygującej", "3": "w innej dacie"},
    "RodzajTransportu": {"3": "drogowy"},
    "OpisLadunku": {"13": "paleta"},
    "P_12": {
        **{rate: f"VAT {rate}%" for rate in ("23", "22", "8", "7", "5", "4", "3")},
        "0 KR": "VAT 0%",
        "0 WDT": "VAT 0% WDT",
        "0 EX": "VAT 0% eksport",
        **{rate: f"VAT {rate}" for rate in ("zw", "oo", "np I", "np II")},
    },
    "P_12Z": {"23": "VAT 23%"},
}


def ways_to_write(name: str, value: str) -> set[str]:
    if name in CODES:
        return {CODES[name][value]}
    try:
        number = Decimal(value)
    except InvalidOperation:
        return {value}
    if not number.is_finite():
        return {value}
    plain = f"{number.normalize():f}".replace(".", ",")
    cents = {f"{number:.2f}".replace(".", ",")} if number == round(number, 2) else set()
    return {value, plain, *cents}


def unprinted(xml: bytes, paper: str) -> list[str]:
    """Return "element=value" for everything in the document that the paper's text does not show."""
    missing = []
    ungrouped = re.sub(rf"(?<=\d){NO_BREAK_SPACE}(?=\d{{3}})", "", paper)
    for element in etree.fromstring(xml).iter("{*}*"):
        name = etree.QName(element).localname
        value = re.sub("[ \t\r\n]+", " ", element.text or "").strip(" ")
        if len(element) or not value or name in MARKERS | NOT_ON_PAPER or (name, value) == ("KodKraju", "PL"):
            continue
        parents = {etree.QName(parent).localname for parent in element.iterancestors()}
        if "AdresKoresp" in parents:
            continue
        if not any(way in paper or way in ungrouped for way in ways_to_write(name, value)):
            missing.append(f"{name}={value}")
    return missing


def words(element: Element) -> Iterator[str]:
    match element:
        case Text(text=text):
            yield text
        case Pair(left=left, right=right):
            yield f"{left} {right}"
        case Table(header=header, rows=rows, total=total):
            yield " ".join(header)
            yield from (" ".join(row) for row in rows)
            if total is not None:
                yield " ".join(total)
        case Qr(caption=caption):
            yield caption


def run_on(text: str) -> str:
    """Return the words of a slip as they are read, whatever the lines they stand on."""
    return " ".join(text.replace(NO_BREAK_SPACE, " ").split())


def text_of(receipt: Receipt) -> str:
    return "\n".join(line for element in receipt.elements for line in words(element))
