"""The buyer of a document (header, fields 12-18 and 60-62) as the JSON API takes one."""

from __future__ import annotations

import re

from agent.domain.exchange.file import Document, ExchangeFile, names_of
from agent.domain.exchange.values import Values
from agent.domain.identifiers import is_eu_prefix

Fields = dict[str, object]
_POLAND = frozenset({"", "PL", "POLSKA", "POLAND", "RP"})
_PREFIXED = re.compile(r"([A-Z]{2})[0-9A-Z+*]{2,12}")
_SEPARATORS = re.compile(r"[\s.-]")


def buyer_of(found: ExchangeFile, document: Document, header: Values) -> Fields:
    """Return "buyer" of the sale; its own rules (domain/sale/buyers.py) judge the numbers.

    Two letters are a prefix of the Union only where they are one: a number of Great Britain or Switzerland is foreign.
    """
    typed = number_of(found, document)
    prefix = header.text(61).upper()
    name = header.text(14) or header.text(13)
    if not typed:
        return {"none": True} if not name else {"none": True, "name": name, **_address(header, "PL")}
    bare = _SEPARATORS.sub("", typed).upper()
    own_prefix = _PREFIXED.fullmatch(bare)
    if prefix in {"", "PL"} and own_prefix is not None and own_prefix[1] != "PL" and is_eu_prefix(own_prefix[1]):
        prefix = own_prefix[1]
    if prefix != "PL" and is_eu_prefix(prefix):
        number = bare if bare.startswith(prefix) else prefix + bare
        return {"eu_vat": number, "name": name, **_address(header, None)}
    if prefix not in {"", "PL"} or (prefix == "" and header.text(60).upper() not in _POLAND):
        country = _country(found, header)
        return {"foreign_id": {"country": country, "number": typed}, "name": name, **_address(header, country)}
    return {"nip": typed, "name": name, **_address(header, "PL")}


def number_of(found: ExchangeFile, document: Document) -> str:
    """Return the buyer's number as the document, or its catalogue of buyers' numbers, has it; "" without one."""
    own = " ".join(document.header.text(18).split())
    return own or next((found.nips[name] for name in names_of(document) if name in found.nips), "")


def _country(found: ExchangeFile, header: Values) -> str | None:
    """Return the country's code: by the buyer's row in KONTRAHENCI, else of field 60, 61 the first that is a code."""
    codes = (found.countries.get(header.record.text(12).strip()), header.text(60).upper(), header.text(61).upper())
    for country in codes:
        if country is not None and re.fullmatch("[A-Z]{2}", country):
            return country
    header.note(60, "państwo nabywcy", "podaj kod państwa (np. US) albo wyślij plik z kartoteką kontrahentów.")
    return None


def _address(header: Values, country: str | None) -> Fields:
    town = " ".join(part for part in (header.text(16), header.text(15)) if part)
    lines = [line for line in (header.text(17), town) if line]
    if not lines:
        return {}
    address: Fields = dict(zip(("line1", "line2"), lines, strict=False))
    return {"address": address if country is None else address | {"country": country}}
