"""A simplified invoice (UPR) within its limits (agent/domain/simplified.py)."""

from __future__ import annotations

from collections.abc import Iterator

from agent.domain import simplified
from agent.domain.errors import FieldError
from agent.domain.fa3.contradictions.places import FA
from agent.domain.fa3.view.document import FaView, Kind
from agent.domain.fa3.view.lines import RATE_FIELDS

FIELDS = {word: field for field, words in RATE_FIELDS.items() for word in words}


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
    # A simplified invoice may lack its sums, so the lines are asked too.
    fields = {item.field for item in view.rates} | {FIELDS[line.rate] for line in view.lines if line.rate in FIELDS}
    for field in simplified.rate_mistakes(sorted(fields)):
        sentence = (
            "Faktury uproszczonej nie wystawia się dla WDT, sprzedaży OSS ani usług „np II” "
            "(art. 106e ust. 6 ustawy o VAT)."
        )
        yield FieldError(f"{FA}/P_13_{field}", sentence, "simplified-rate")
