"""The slips of the hardware day. Each names step and attempt, numbers its lines, and ends with KONIEC."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from agent.domain.paper.receipt import Align, Element, Qr, Receipt, Rule, Text
from printers import calibration
from printers.escpos.encode import encode
from printers.profiles.models import Profile, QrMode

LONG_LINES = 300
"""More than a metre: long enough for a hand, 5 s on the fastest printers."""
SHORT_LINES = 8
PICTURES = 6
LETTERS = "Zażółć gęślą jaźń – ĄĆĘŁŃÓŚŹŻ"


class Slip(StrEnum):
    """What is printed in a step."""

    CALIBRATION = "calibration"
    SHORT = "short"
    LONG = "long"
    PICTURES = "pictures"
    """Codes drawn by us (GS v 0), whatever the setting: a cut inside one lets a printer wait for the rest."""
    DRAWER = "drawer"


def slip(kind: Slip, title: str, printer: str, profile: Profile) -> bytes:
    """Return the bytes; ``title`` names step and attempt."""
    match kind:
        case Slip.CALIBRATION:
            return calibration.slip(f"{printer}, {title}", profile)
        case Slip.PICTURES:
            codes: list[Element] = []
            for number in range(1, PICTURES + 1):
                codes += [Text(f"kod {number} z {PICTURES}"), Qr(_link(title, number), f"R {number}")]
            return encode(_receipt(title, codes), replace(profile, qr=QrMode.RASTER))
        case Slip.LONG:
            return encode(_receipt(title, _lines(LONG_LINES)), profile)
        case Slip.SHORT | Slip.DRAWER:
            body = [*_lines(SHORT_LINES), Qr(_link(title, 1), "kod")]
            return encode(replace(_receipt(title, body), open_drawer=kind is Slip.DRAWER), profile)


def _receipt(title: str, body: list[Element]) -> Receipt:
    head = (Text("PRÓBA DRUKARKI", Align.CENTER, bold=True), Text(title, Align.CENTER, bold=True), Rule())
    return Receipt(title, (*head, *body, Rule(), Text(f"KONIEC {title}", Align.CENTER, bold=True)), logo=False)


def _lines(count: int) -> list[Element]:
    return [Text(f"wiersz {number:03} {LETTERS}"[:32]) for number in range(1, count + 1)]


def _link(title: str, number: int) -> str:
    head = f"https://ksef.podatki.gov.pl/?proba={number}&krok={title.replace(' ', '-')}&"
    return (head + "0123456789-_" * calibration.EC_LINK)[: calibration.EC_LINK]
