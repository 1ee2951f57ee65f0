"""Advances and their settlement: what an invoice of either kind has to name (art. 106f)."""

from __future__ import annotations

from collections.abc import Iterator

from agent.domain.amounts import amount
from agent.domain.errors import FieldError
from agent.domain.fa3.contradictions.places import FA, PREDECESSOR, tolerance
from agent.domain.fa3.view.document import FaView, Kind


def contradictions(view: FaView) -> Iterator[FieldError]:
    """Yield what an advance or a settlement does not name, and an advance larger than what it is paid for."""
    if view.kind is Kind.ZAL:
        yield from _order(view)
    if view.kind is Kind.ROZ and not view.advance_invoices:
        sentence = "Faktura rozliczeniowa nie wskazuje żadnej faktury zaliczkowej (art. 106f ust. 3)."
        yield FieldError(f"{FA}/FakturaZaliczkowa", sentence, "advance-missing")
    if any(party.role == PREDECESSOR for party in view.third_parties):
        return
    seller = f"{view.seller.nip}-"
    for place, advance in enumerate(view.advance_invoices, start=1):
        if advance.ksef_number is not None and not advance.ksef_number.startswith(seller):
            yield FieldError(
                f"{FA}/FakturaZaliczkowa[{place}]/NrKSeFFaZaliczkowej",
                f"Faktura zaliczkowa ma numer KSeF innego sprzedawcy: {advance.ksef_number}.",
                "base-of-another-seller",
            )


def _order(view: FaView) -> Iterator[FieldError]:
    """What the advance was paid for: the order or contract (ust. 1 pkt 4); some systems list it as lines."""
    if view.order is None and not view.lines:
        sentence = "Faktura zaliczkowa nie podaje zamówienia ani umowy (Zamowienie; art. 106f ust. 1 pkt 4)."
        yield FieldError(f"{FA}/Zamowienie", sentence, "order-missing")
    if view.order is not None and view.gross > view.order.value + tolerance(view):
        sentence = f"Zaliczka {amount(view.gross)} jest większa niż całe zamówienie ({amount(view.order.value)})."
        yield FieldError(f"{FA}/P_15", sentence, "sum-contradicts")
