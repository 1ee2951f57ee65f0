"""Rozliczenie and Platnosc against P_15.

Corrections are looked at for the sums of their charges only: what is paid back is settled in more ways than the
elements can say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from agent.domain.amounts import amount
from agent.domain.errors import FieldError
from agent.domain.fa3.contradictions.places import FA, due
from agent.domain.fa3.view.document import FaView, Kind
from agent.domain.fa3.view.payment import Charge
from agent.domain.vat import CENT

_SETTLEMENT = f"{FA}/Rozliczenie"
_PART = f"{FA}/Platnosc/ZaplataCzesciowa"


def contradictions(view: FaView) -> Iterator[FieldError]:
    """Yield what the buyer would pay wrongly."""
    what = view.settlement
    if what is not None:
        yield from _sum("SumaObciazen", "Obciążenia", what.charges, what.charges_sum)
        yield from _sum("SumaOdliczen", "Odliczenia", what.deductions, what.deductions_sum)
    if view.kind.corrects:
        return
    yield from _to_pay(view)
    if view.kind is not Kind.ROZ:  # its parts may be those of the advances
        yield from _parts(view)


def _sum(name: str, word: str, charges: Sequence[Charge], stated: Decimal | None) -> Iterator[FieldError]:
    total = sum((charge.amount for charge in charges), Decimal(0))
    if stated is not None and charges and abs(total - stated) > CENT * len(charges):
        yield FieldError(
            f"{_SETTLEMENT}/{name}",
            f"{word} dają razem {amount(total)}, a {name} to {amount(stated)}.",
            "settlement-contradicts",
        )


def _to_pay(view: FaView) -> Iterator[FieldError]:
    """DoZaplaty is P_15 and the charges less the deductions; what is less than nothing is DoRozliczenia (XSD)."""
    what = view.settlement
    if what is None:
        return
    total = due(view)
    loose = CENT * (1 + len(what.charges) + len(what.deductions))
    for name, word, stated, right in (
        ("DoZaplaty", "do zapłaty", what.to_pay, total),
        ("DoRozliczenia", "do rozliczenia", what.to_settle, -total),
    ):
        nothing = stated == 0 and right <= 0
        if stated is not None and not nothing and abs(stated - right) > loose:
            yield FieldError(
                f"{_SETTLEMENT}/{name}",
                f"Kwota ogółem, obciążenia i odliczenia dają {word} {amount(right)}, a {name} to {amount(stated)}.",
                "settlement-contradicts",
            )


def _parts(view: FaView) -> Iterator[FieldError]:
    """Part payments are at most what is due, and all of it where the marker is 2 (ZnacznikZaplatyCzesciowej)."""
    what = view.payment
    if what is None or not what.partials:
        return
    paid = sum((part.amount for part in what.partials), Decimal(0))
    total = due(view)
    if paid > total + CENT:
        sentence = f"Zapłaty częściowe dają {amount(paid)}, a do zapłaty jest {amount(total)}."
        yield FieldError(_PART, sentence, "payments-do-not-add-up")
    elif what.partly == "2" and paid < min(total, view.gross) - CENT:
        sentence = f"Zapłaty mają pokrywać całość ({amount(total)}), a dają {amount(paid)}."
        yield FieldError(_PART, sentence, "payments-do-not-add-up")
