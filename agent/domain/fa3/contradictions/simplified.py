"""A simplified invoice (UPR) within its limits (agent/domain/simplified.py)."""

from __future__ import annotations

from collections.abc import Iterator

from agent.domain import simplified
from agent.domain.errors import FieldError
from agent.domain.fa3.contradictions.places import FA
from agent.domain.fa3.view_types import FaView, Kind


def contradictions(view: FaView) -> Iterator[FieldError]:
    """Yield why the document is no simplified invoice."""
    if view.kind is not Kind.UPR:
        return
    rates = [line.exchange_rate for line in view.lines if line.exchange_rate is not None]
    if (sentence := simplified.total_mistake(view.gross, view.currency, rates)) is not None:
        yield FieldError(f"{FA}/P_15", f"Faktura uproszczona: {sentence}", "simplified-limit")
    if (sentence := simplified.buyer_mistake(view.buyer.as_buyer())) is not None:
        sentence = sentence[0].upper() + sentence[1:]
        yield FieldError("/Faktura/Podmiot2/DaneIdentyfikacyjne", sentence, "simplified-buyer")
    for field in simplified.rate_mistakes([item.field for item in view.rates]):
        sentence = "Faktury uproszczonej nie wystawia się dla WDT ani sprzedaży OSS (art. 106e ust. 6 ustawy o VAT)."
        yield FieldError(f"{FA}/P_13_{field}", sentence, "simplified-rate")
