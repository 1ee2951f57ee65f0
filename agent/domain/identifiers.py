"""Identifiers of taxpayers: NIP with its check digit, EU VAT numbers, KSeF context identifiers.

The EU formats are those of VIES; a number of the right form may still belong to nobody.
"""

from __future__ import annotations

import re
import unicodedata

_NIP_FORM = re.compile(r"[1-9](?:[0-9][1-9]|[1-9][0-9])[0-9]{7}")
_NIP_WEIGHTS = (6, 5, 7, 2, 3, 4, 5, 6, 7)
_NIP_PREFIX = re.compile(r"^(?:NIP|PL|NR|UE|EU|VAT)+(?=[0-9])")
"""Words in front of a NIP, in any order: "NIP: PL …", "PL NIP …", "NIP UE …"."""
_INTERNAL_ID = re.compile(r"[0-9]{10}-[0-9]{5}")
_INTERNAL_DIGITS = re.compile(r"[0-9]{15}")

_EU_VAT_FORMS: dict[str, str] = {
    "AT": r"U[0-9]{8}",
    "BE": r"[01][0-9]{9}",
    "BG": r"[0-9]{9,10}",
    "CY": r"[0-9]{8}[A-Z]",
    "CZ": r"[0-9]{8,10}",
    "DE": r"[0-9]{9}",
    "DK": r"[0-9]{8}",
    "EE": r"[0-9]{9}",
    "EL": r"[0-9]{9}",
    "ES": r"[0-9A-Z][0-9]{7}[0-9A-Z]",
    "FI": r"[0-9]{8}",
    "FR": r"[0-9A-HJ-NP-Z]{2}[0-9]{9}",
    "HR": r"[0-9]{11}",
    "HU": r"[0-9]{8}",
    "IE": r"[0-9][0-9A-Z+*][0-9]{5}[A-Z]{1,2}",
    "IT": r"[0-9]{11}",
    "LT": r"(?:[0-9]{9}|[0-9]{12})",
    "LU": r"[0-9]{8}",
    "LV": r"[0-9]{11}",
    "MT": r"[0-9]{8}",
    "NL": r"[0-9A-Z+*]{10}[0-9]{2}",
    "PL": r"[0-9]{10}",
    "PT": r"[0-9]{9}",
    "RO": r"[0-9]{2,10}",
    "SE": r"[0-9]{10}01",
    "SI": r"[0-9]{8}",
    "SK": r"[0-9]{10}",
    "XI": r"(?:[0-9]{9}|[0-9]{12}|(?:GD|HA)[0-9]{3})",
}
"""KodUE (XSD TKodyKrajowUE) -> the number after the prefix."""

_EU_PREFIX_OF_COUNTRY = {"EL": "GR", "XI": "GB"}


def has_nip_form(text: str) -> bool:
    """Tell whether ``text`` is ten digits as the schema's TNrNIP wants them; the check digit is not looked at."""
    return _NIP_FORM.fullmatch(text) is not None


def valid_nip(text: str) -> bool:
    """Tell whether ``text`` is a NIP: ten bare digits with the right check digit."""
    if not has_nip_form(text):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_NIP_WEIGHTS, text, strict=False))
    return total % 11 == int(text[9])


def bare_nip(text: str) -> str:
    """Return a NIP as typed, pasted or scanned in its one spelling ("NIP: PL 526-104-08-28" -> "5261040828").

    Spaces of any kind, punctuation, invisible characters and the words in front (NIP, PL) are taken away, wide digits
    are made plain ones; what is left need not be a NIP. agent/web/page/buyer/nip.js does the same.
    """
    return _NIP_PREFIX.sub("", bare_identifier(text))


def bare_identifier(text: str) -> str:
    """Return an identifier without what only separates: letters and digits in upper case, and signs such as "+"."""
    letters = unicodedata.normalize("NFKC", text).replace("\u2212", "-")  # the minus sign is no punctuation by itself
    return "".join(letter for letter in letters if unicodedata.category(letter)[0] not in "ZPC").upper()


def is_internal_id(text: str) -> bool:
    """Tell whether ``text`` is an IDWew of KSeF: a NIP, a hyphen, five digits."""
    return _INTERNAL_ID.fullmatch(text) is not None and valid_nip(text[:10])


def polish_nip_in(number: str, country: str | None) -> str | None:
    """Return the NIP that stands in the place of a foreign identifier, None where there is none.

    KSeF delivers by the element NIP alone (CIRFMF/ksef-api#622, #851), so the buyer would never see his invoice. Other
    Polish identifiers (PESEL, a passport) may stand there.

    number   NrID or NrVatUE, however it is written; also an IDWew, which begins with a NIP
    country  KodKraju or KodUE as given; None: not given
    """
    bare = bare_identifier(number)
    marked = re.match("PL|NIP", bare) is not None
    digits = _NIP_PREFIX.sub("", bare)
    if marked or country in {None, "PL"}:
        if valid_nip(digits) or (country == "PL" and has_nip_form(digits)):  # in Poland also a mistyped one
            return digits
        if _INTERNAL_DIGITS.fullmatch(digits) and valid_nip(digits[:10]):
            return digits[:10]
    return digits[:10] if is_internal_id("".join(number.split())) else None


def valid_account(text: str) -> bool:
    """Tell whether ``text`` is a Polish account number (NRB, 26 digits) or an IBAN, without spaces (ISO 13616)."""
    iban = f"PL{text}" if re.fullmatch(r"[0-9]{26}", text) else text
    if re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", iban) is None:
        return False
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def split_eu_vat(text: str) -> tuple[str, str] | None:
    """Split "DE 123456789" into (KodUE, NrVatUE); None where prefix or form is wrong. GR is understood as EL."""
    bare = re.sub(r"^(?:VAT|UE|EU)+(?=[A-Z]{2})", "", _bare_eu(text))
    prefix, number = bare[:2], bare[2:]
    if prefix == "GR":
        prefix = "EL"
    form = _EU_VAT_FORMS.get(prefix)
    if form is None or re.fullmatch(form, number) is None:
        return None
    return prefix, number


def is_eu_prefix(text: str) -> bool:
    """Tell whether ``text`` begins VAT UE numbers; GR is understood as EL."""
    return text == "GR" or text in _EU_VAT_FORMS


def eu_vat_in(number: str, country: str | None) -> tuple[str, str] | None:
    """Return the VAT UE number, as (KodUE, NrVatUE), that stands in the place of another foreign identifier.

    Only with the prefix of its own country: bare digits may be a number of another kind.

    number   NrID, however it is written
    country  KodKraju as given; None: not given
    """
    parts = split_eu_vat(number)
    if parts is None or parts[0] == "PL":
        return None
    return parts if country in {None, parts[0], country_of_eu_prefix(parts[0])} else None


def repeats_prefix(prefix: str, number: str) -> bool:
    """Tell whether NrVatUE begins with the country once more (KodUE DE, NrVatUE DE123456789)."""
    bare = _bare_eu(number)
    form = _EU_VAT_FORMS.get(prefix, "")
    if re.fullmatch(form, bare):
        return False  # a French key may be the letters FR
    return any(bare.startswith(spelling) for spelling in {prefix, country_of_eu_prefix(prefix)})


def _bare_eu(text: str) -> str:
    """As bare_identifier(); "*" is a character of Irish and Dutch numbers."""
    return "*".join(bare_identifier(part) for part in text.split("*"))


def country_of_eu_prefix(prefix: str) -> str:
    """Return the KodKraju of a KodUE; they differ for Greece (EL/GR) and Northern Ireland (XI/GB)."""
    return _EU_PREFIX_OF_COUNTRY.get(prefix, prefix)


def valid_gtin(code: str) -> bool:
    """Tell whether ``code`` is an EAN or UPC: 8, 12, 13 or 14 digits, the last one the check digit (GS1, modulo 10)."""
    if len(code) not in {8, 12, 13, 14} or not (code.isascii() and code.isdecimal()):
        return False
    weighted = (int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(code)))
    return sum(weighted) % 10 == 0
