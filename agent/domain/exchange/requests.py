"""What becomes of each document of an .epp, and what tells two exports of one document apart.

A shop's program exports a whole day, again and again: a document is told by its kind, number and date, not by the file
it came in, so it makes one invoice however often it comes. Its content is what the law looks at: goods, amounts, buyer.
Remarks, fiscal state, payment may change between two exports.
"""

from __future__ import annotations

import hashlib
import json

from agent.domain.exchange.buyer import number_of
from agent.domain.exchange.file import Document, ExchangeFile
from agent.domain.exchange.sale import CORRECTION, INVOICE, RECEIPT
from agent.domain.values import dataclass

_CONTENT_OF_HEADER = (1, 7, 8, 18, 22, 26, 28, 29, 30, 47)
_BUYER = (15, 16, 17, 60, 61)
"""Town, postal code, street, country, prefix."""
_CODE = 3
"""Of the goods, in a line."""
_CONTENT_OF_LINE = (1, 3, 10, 11, 16, 17, 19, 22)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document that no invoice is made of; ``sentence`` says why. It does not hold the file up."""

    name: str
    sentence: str


def skipped(document: Document) -> Skipped | None:
    """Return why a document is none of ours, None where an invoice or a correction is to be made of it."""
    if document.kind in {INVOICE, CORRECTION}:
        return None
    if document.kind != RECEIPT:
        return Skipped(document.name, f"Dokument „{document.kind}” nie jest fakturą sprzedaży; pominięto.")
    if not document.header.text(18).strip():
        return Skipped(document.name, "Paragon bez NIP nabywcy; faktury do niego nie ma, pominięto.")
    return None


def key_of(found: ExchangeFile, document: Document) -> str | None:
    """Return the idempotency key of a document; None for one without number, which only its file can tell."""
    if not document.number:
        return None
    identity = (found.info.text(11).strip(), document.kind, document.number, document.header.text(22).strip()[:8])
    return f"epp:{hashlib.sha256(repr(identity).encode()).hexdigest()[:40]}"


def content_of(found: ExchangeFile, document: Document) -> bytes:
    """Return the content that one key stands for: another under the same key is another document."""
    header = document.header
    buyer = [number_of(found, document), found.countries.get(header.text(12).strip(), "")]
    buyer.append(" ".join((header.text(14).strip() or header.text(13)).split()))
    buyer += [" ".join(header.text(number).split()) for number in _BUYER]
    goods = [" ".join(name.split()) for name in _names(found, document)]
    parts = [older_content_of(document).decode("utf-8"), buyer, goods]
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _names(found: ExchangeFile, document: Document) -> list[str]:
    """Return what the goods are called; a line has their code only."""
    known = (found.products.get(line.text(_CODE).strip()) for line in document.lines)
    return ["" if product is None else product.name for product in known]


def older_content_of(document: Document) -> bytes:
    """Return what a key stood for up to 0.2: without the buyer's name, catalogued number, and names of goods."""
    fields = [[document.header.text(number).strip() for number in _CONTENT_OF_HEADER]]
    fields += [[line.text(number).strip() for number in _CONTENT_OF_LINE] for line in document.lines]
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
