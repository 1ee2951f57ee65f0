"""The buyer of the sale's JSON: who he is, what identifies him (Podmiot2).

    {"nip" | "eu_vat" | "foreign_id", "name", "address": {"line1", "line2", "country"}}

At most one identifier; none (or "none": true) is a consumer, BrakID. ``foreign_id`` is text or
{"country", "number"}. Whoever has an identifier is a taxpayer, so his invoice carries name and address
(art. 106e ust. 1 pkt 3); a consumer's are taken where given.

Codes beside those of reader.py: nip-checksum, nip-form, eu-vat, buyer-ids.
"""

from __future__ import annotations

from agent.domain.fa3.code_lists import COUNTRIES
from agent.domain.identifiers import bare_nip, country_of_eu_prefix, has_nip_form, split_eu_vat, valid_nip
from agent.domain.invoice import Address, Buyer, BuyerKind
from agent.domain.json_io.reader import Fields, Problems, shown

_IDENTIFIERS = ("nip", "eu_vat", "foreign_id")
_TYPED_MAX = 60
"""Characters looked at in a typed identifier, separators included."""


def parse_buyer(value: object, pointer: str, problems: Problems) -> Buyer:
    """Read a buyer; mistakes are noted in ``problems``, and the result is then good for nothing else."""
    nobody = Buyer(BuyerKind.NONE)
    if value is None:
        return nobody
    fields = Fields.of(value, pointer, problems, "nabywca")
    if fields is None:
        return nobody
    given = [name for name in _IDENTIFIERS if fields.has(name)]
    if len(given) > 1:
        fields.note_all(f"podaj jeden identyfikator zamiast: {', '.join(given)}.", "buyer-ids")
    nobody_meant = fields.take("none")
    if nobody_meant is not None and nobody_meant is not True:
        fields.note("none", "„none” może mieć tylko wartość true.", "not-allowed")
    elif fields.has("none") and given:
        fields.note_all(f"bez identyfikatora („none”), a podano: {given[0]}.", "buyer-ids")
    identified = bool(given)
    kind, identifier, country = _identify(fields)
    name = fields.text("name", maximum=512, required=identified)
    default_country = country_of_eu_prefix(country) if kind is BuyerKind.EU_VAT and country else "PL"
    address = parse_address(
        fields,
        required=identified,
        default_country=None if kind is BuyerKind.FOREIGN_ID and country is None else default_country,
    )
    if kind is BuyerKind.FOREIGN_ID and country is None and address is not None:
        country = address.country
    fields.finish()
    return Buyer(kind, identifier, country, name, address)


def _identify(fields: Fields) -> tuple[BuyerKind, str | None, str | None]:
    """Read all three identifiers, so that none counts as unknown; the first given one decides."""
    found: list[tuple[BuyerKind, str | None, str | None]] = []
    if fields.has("nip"):
        found.append((BuyerKind.NIP, read_nip(fields), "PL"))
    if fields.has("eu_vat"):
        country, number = _eu_vat(fields)
        found.append((BuyerKind.EU_VAT, number, country))
    if fields.has("foreign_id"):
        country, number = _foreign(fields)
        found.append((BuyerKind.FOREIGN_ID, number, country))
    for name in _IDENTIFIERS:
        fields.take(name)
    return found[0] if found else (BuyerKind.NONE, None, None)


def read_nip(fields: Fields) -> str | None:
    """Read "nip", as typed: spaces, hyphens and the prefix PL are folded."""
    typed = fields.text("nip", maximum=_TYPED_MAX, required=True)
    if typed is None:
        return None
    nip = bare_nip(typed)
    if not has_nip_form(nip):
        fields.note("nip", f"„{shown(typed)}” nie ma 10 cyfr.", "nip-form")
        return None
    if not valid_nip(nip):
        fields.note("nip", f"{nip} ma błędną cyfrę kontrolną; sprawdź, czy nie ma literówki.", "nip-checksum")
        return None
    return nip


def _eu_vat(fields: Fields) -> tuple[str | None, str | None]:
    typed = fields.text("eu_vat", maximum=_TYPED_MAX, required=True)
    if typed is None:
        return None, None
    parts = split_eu_vat(typed)
    if parts is None:
        fields.note(
            "eu_vat", f"„{shown(typed)}” nie jest numerem VAT UE (prefiks kraju i numer, np. DE123456789).", "eu-vat"
        )
        return None, None
    if parts[0] == "PL":
        fields.note("eu_vat", "polskiego nabywcę wskazuje się numerem NIP, w polu „nip”.", "eu-vat")
        return None, None
    return parts


def _foreign(fields: Fields) -> tuple[str | None, str | None]:
    if isinstance(fields.take("foreign_id"), str):
        return None, fields.text("foreign_id", maximum=50, required=True)
    nested = fields.nested("foreign_id")
    if nested is None:
        return None, None
    country = nested.word("country", COUNTRIES, required=True)
    number = nested.text("number", maximum=50, required=True)
    nested.finish()
    return country, number


def parse_address(fields: Fields, *, required: bool, default_country: str | None) -> Address | None:
    """Read "address"; without ``default_country`` its country has to be named."""
    nested = fields.nested("address", required=required)
    if nested is None:
        return None
    line1 = nested.text("line1", maximum=512, required=True)
    line2 = nested.text("line2", maximum=512)
    country = nested.word("country", COUNTRIES, required=default_country is None) or default_country
    nested.finish()
    if line1 is None or country is None:
        return None
    return Address(line1, line2, country)
