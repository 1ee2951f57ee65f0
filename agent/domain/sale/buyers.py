"""The buyer of the sale's JSON: who he is, what identifies him (Podmiot2).

    {"nip" | "eu_vat" | "foreign_id", "name", "address": {"line1", "line2", "country"}}

At most one identifier; none (or "none": true) is a consumer, BrakID. ``foreign_id`` is text or
{"country", "number"}. Name and address are content of every invoice, a consumer's too (art. 106e ust. 1 pkt 3).

A Polish NIP stands in "nip" only: KSeF delivers by no other element (identifiers.polish_nip_in()), and a VAT UE number
in "eu_vat" only. Nobody sells to himself.

Codes beside those of reader.py: nip-checksum, nip-form, eu-vat, polish-nip, buyer-ids, buyer-is-seller,
buyer-incomplete.
"""

from __future__ import annotations

import re

from agent.domain.buyer_identity import SELF_SALE, polish_nip_sentence
from agent.domain.characters import is_visible, is_word
from agent.domain.fa3.code_lists import COUNTRIES
from agent.domain.identifiers import (
    bare_nip,
    country_of_eu_prefix,
    eu_vat_in,
    has_nip_form,
    is_internal_id,
    polish_nip_in,
    split_eu_vat,
    valid_nip,
)
from agent.domain.invoice import Address, Buyer, BuyerKind
from agent.domain.json_io.reader import Fields, Problems, shown

_IDENTIFIERS = ("nip", "eu_vat", "foreign_id")
EVERY_INVOICE = "Imię, nazwisko i adres musi mieć także faktura dla konsumenta (art. 106e ust. 1 pkt 3 ustawy o VAT)."
_EMAIL = re.compile(r"[^\s@,;<>]+@[^\s@,;<>.]+(\.[^\s@,;<>.]+)+")
_BY_VAT_NUMBER = "kto go ma, tego wskazuje się nim, w polu „eu_vat”."
_TYPED_MAX = 60
"""Characters looked at in a typed identifier, separators included."""


def parse_buyer(
    value: object, pointer: str, problems: Problems, *, seller_nip: str | None = None, in_full: bool = True
) -> Buyer:
    """Read a buyer; mistakes are noted in ``problems``, and the result is then good for nothing else.

    seller_nip  who sells, and so cannot be the buyer; None: not known here
    in_full     name and address are needed, as on every invoice but a simplified one
    """
    nobody = Buyer(BuyerKind.NONE)
    if value is None and not in_full:
        return nobody
    if value is None:
        problems.add(pointer, f"brakuje nabywcy. {EVERY_INVOICE}", "buyer-incomplete")
        return nobody
    fields = Fields.of(value, pointer, problems, "nabywca")
    if fields is None:
        return nobody
    given = [name for name in _IDENTIFIERS if fields.has(name)]
    if len(given) > 1:
        fields.note_all(f"podaj jeden identyfikator zamiast: {', '.join(given)}.", "buyer-ids")
    if fields.flag("none") and given:
        fields.note_all(f"bez identyfikatora („none”), a podano: {given[0]}.", "buyer-ids")
    identified = bool(given)
    kind, identifier, country = _identify(fields)
    if not identified and in_full:
        _require_consumer(fields)
    name = fields.text("name", maximum=512, required=identified and in_full)
    default_country = country_of_eu_prefix(country) if kind is BuyerKind.EU_VAT and country else "PL"
    address = parse_address(
        fields,
        required=identified and in_full,
        default_country=None if kind is BuyerKind.FOREIGN_ID and country is None else default_country,
    )
    if in_full and name is not None and not is_word(name):
        fields.note("name", f"„{shown(name)}” to nie nazwa. {EVERY_INVOICE}", "buyer-incomplete")
    if in_full and address is not None and not is_word(address.line1):
        place = f"{fields.at('address')}/line1"
        problems.add(place, f"nabywca: „{shown(address.line1)}” to nie adres. {EVERY_INVOICE}", "buyer-incomplete")
    email = _email(fields)
    if kind is BuyerKind.FOREIGN_ID and country is None and address is not None:
        country = address.country
    if kind is BuyerKind.FOREIGN_ID and identifier is not None and eu_vat_in(identifier, country) is not None:
        deeper = "" if isinstance(fields.take("foreign_id"), str) else "/number"
        problems.add(
            fields.at("foreign_id") + deeper,
            f"nabywca: {shown(identifier)} to numer VAT UE; {_BY_VAT_NUMBER}",
            "eu-vat",
        )
    if kind is BuyerKind.NIP and identifier is not None and identifier == seller_nip:
        fields.note("nip", SELF_SALE, "buyer-is-seller")
    fields.finish()
    return Buyer(kind, identifier, country, name, address, email)


def _require_consumer(fields: Fields) -> None:
    """Say what a consumer's invoice lacks, and why; the cashier thinks that he needs none of it."""
    for name in ("name", "address"):
        value = fields.take(name)
        if value is None or value == {} or (isinstance(value, str) and not is_visible(value)):
            fields.note(name, f"brakuje. {EVERY_INVOICE}", "buyer-incomplete")


def _email(fields: Fields) -> str | None:
    email = fields.text("email", maximum=255)
    if email is None or _EMAIL.fullmatch(email):
        return email
    fields.note("email", f"„{shown(email)}” nie jest adresem e-mail.", "email")
    return None


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
    """Read "nip", however it is typed (identifiers.bare_nip())."""
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
    if parts is None and polish_nip_in(typed, "PL") is None:
        fields.note(
            "eu_vat", f"„{shown(typed)}” nie jest numerem VAT UE (prefiks kraju i numer, np. DE123456789).", "eu-vat"
        )
        return None, None
    if parts is None or parts[0] == "PL":
        fields.note("eu_vat", "polskiego nabywcę wskazuje się numerem NIP, w polu „nip”.", "polish-nip")
        return None, None
    return parts


def _foreign(fields: Fields) -> tuple[str | None, str | None]:
    if isinstance(fields.take("foreign_id"), str):
        typed = fields.text("foreign_id", maximum=50, required=True)
        number = _no_polish_nip(fields, "foreign_id", typed, None)
        return "PL" if number is None else None, number
    nested = fields.nested("foreign_id")
    if nested is None:
        return None, None
    country = nested.word("country", COUNTRIES, required=True)
    number = nested.text("number", maximum=50, required=True)
    nested.finish()
    return country, _no_polish_nip(nested, "number", number, country)


def _no_polish_nip(fields: Fields, name: str, number: str | None, country: str | None) -> str | None:
    if number is None or (nip := polish_nip_in(number, country)) is None:
        return number
    unit = " Jednostkę wewnętrzną podaj jako „recipient”." if is_internal_id("".join(number.split())) else ""
    fields.note(name, f"{polish_nip_sentence(nip)}, w polu „nip”.{unit}", "polish-nip")
    return None


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
