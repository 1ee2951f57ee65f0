"""Identifiers of taxpayers: NIP with its check digit, EU VAT numbers, KSeF context identifiers.

The EU formats are those of VIES; a number of the right form may still belong to nobody.
"""

from __future__ import annotations

import re

_NIP_FORM = re.compile(r"[1-9](?:[0-9][1-9]|[1-9][0-9])[0-9]{7}")
_NIP_WEIGHTS = (6, 5, 7, 2, 3, 4, 5, 6, 7)
_NIP_SEPARATORS = re.compile(r"[\s.:\u2010-\u2015\u2212-]")
"""Spaces, dots, colons, hyphens and the dashes that documents have in their place."""
_NIP_PREFIX = re.compile(r"^(?:NIP)?(?:PL)?")

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

    Separators and the words NIP and PL in front are taken away; what is left need not be a NIP.
    """
    return _NIP_PREFIX.sub("", _NIP_SEPARATORS.sub("", text).upper())


def valid_account(text: str) -> bool:
    """Tell whether ``text`` is a Polish account number (NRB, 26 digits) or an IBAN, without spaces (ISO 13616)."""
    iban = f"PL{text}" if re.fullmatch(r"[0-9]{26}", text) else text
    if re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", iban) is None:
        return False
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def split_eu_vat(text: str) -> tuple[str, str] | None:
    """Split "DE 123456789" into (KodUE, NrVatUE); None where prefix or form is wrong. GR is understood as EL."""
    bare = re.sub(r"[\s.-]", "", text).upper()
    prefix, number = bare[:2], bare[2:]
    if prefix == "GR":
        prefix = "EL"
    form = _EU_VAT_FORMS.get(prefix)
    if form is None or re.fullmatch(form, number) is None:
        return None
    return prefix, number


def country_of_eu_prefix(prefix: str) -> str:
    """Return the KodKraju of a KodUE; they differ for Greece (EL/GR) and Northern Ireland (XI/GB)."""
    return _EU_PREFIX_OF_COUNTRY.get(prefix, prefix)
