"""Why KSeF refused an invoice, in words for a shop. KSeF's own code and text stay beside them, as details."""

from __future__ import annotations

from typing import Final

from agent.domain.rejection import NO_CORRECTION

WORDS: Final[dict[int, str]] = {
    410: "W KSeF brakuje uprawnienia do wystawiania faktur tego sklepu.",
    415: "KSeF nie przyjmuje od tego sklepu faktur z załącznikiem.",
    430: "KSeF nie umie odczytać pliku tej faktury.",
    435: "KSeF nie mógł odszyfrować pliku tej faktury.",
    440: "W KSeF jest już inny dokument o tym numerze.",
    450: "KSeF znalazł błąd w treści tej faktury.",
    500: "KSeF zgłosił błąd, którego nie opisał.",
} | NO_CORRECTION
"""KSeF's status code (docs/protocol.md, section 4) -> a Polish sentence."""


def in_words(code: int, text: str | None) -> str:
    """Return the sentence of a refusal; of a code that is not known here, KSeF's own text."""
    return WORDS.get(code) or text or ""
