"""The KSeF number: ``NIP-YYYYMMDD-12 hexadecimal digits-CRC``, 35 characters (MF: faktury/numer-ksef.md).

The check is CRC-8 over the UTF-8 bytes of the first 32 characters: polynomial 0x07, start value 0x00, not reflected.
"""

from __future__ import annotations

import re
from datetime import date

from agent.domain.identifiers import has_nip_form

LENGTH = 35
_FORM = re.compile(r"([0-9]{10})-([0-9]{8})-([0-9A-F]{12})-([0-9A-F]{2})")
_BODY_LENGTH = 32
_OLD_FORM = re.compile(r"([0-9]{10}-[0-9]{8}-[0-9A-F]{6})-([0-9A-F]{6}-[0-9A-F]{2})")


class NotKsefNumber(ValueError):
    """The text is no KSeF number. The message is Polish."""


def _crc8_table() -> tuple[int, ...]:
    table = []
    for start in range(256):
        value = start
        for _ in range(8):
            value = ((value << 1) ^ 0x07 if value & 0x80 else value << 1) & 0xFF
        table.append(value)
    return tuple(table)


_CRC8 = _crc8_table()


def checksum(body: str) -> str:
    """Return the two hexadecimal digits that follow ``body``, the first 32 characters of a number."""
    value = 0
    for byte in body.encode():
        value = _CRC8[value ^ byte]
    return f"{value:02X}"


def check(number: str) -> str:
    """Return ``number`` unchanged; NotKsefNumber where form, date or CRC-8 is wrong."""
    found = _FORM.fullmatch(number)
    if found is None:
        raise NotKsefNumber(f"„{number[:60]}” nie jest numerem KSeF (35 znaków: NIP-RRRRMMDD-12 znaków-suma).")
    nip, day, _, crc = found.groups()
    if not has_nip_form(nip):
        raise NotKsefNumber(f"Numer KSeF {number} nie zaczyna się od poprawnego numeru NIP.")
    try:
        date(int(day[:4]), int(day[4:6]), int(day[6:]))
    except ValueError:
        raise NotKsefNumber(f"Numer KSeF {number} zawiera datę, której nie ma w kalendarzu.") from None
    if checksum(number[:_BODY_LENGTH]) != crc:
        raise NotKsefNumber(f"Numer KSeF {number} ma błędną sumę kontrolną; sprawdź, czy nie ma literówki.")
    return number


def check_any(number: str) -> str:
    """Return the number of any invoice that KSeF ever took, unchanged; NotKsefNumber where it can be none.

    KSeF 1.0 also gave numbers of 36 characters, with a hyphen amid the technical part (OpenAPI 2.9.0, KsefNumber).
    What their last two digits check is not documented, so only form, NIP and date are looked at.
    """
    old = _OLD_FORM.fullmatch(number)
    if old is None:
        return check(number)
    body = "".join(old.groups())[:_BODY_LENGTH]
    check(f"{body}-{checksum(body)}")
    return number


def make(nip: str, day: date, technical: int) -> str:
    """Return the number for a technical part (48 bits), as KSeF would: the sandbox needs it."""
    if not has_nip_form(nip):
        raise ValueError(f"not a NIP: {nip}")
    if not 0 <= technical < 1 << 48:
        raise ValueError(f"technical part out of 48 bits: {technical}")
    body = f"{nip}-{day:%Y%m%d}-{technical:012X}"
    return f"{body}-{checksum(body)}"
