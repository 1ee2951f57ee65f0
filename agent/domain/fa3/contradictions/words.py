"""Words that the law wants on the invoice, where the sale they belong to is on it (Adnotacje)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from agent.domain.errors import FieldError
from agent.domain.fa3.contradictions.places import FA
from agent.domain.fa3.view_types import FaView
from agent.domain.invoice import BuyerKind
from agent.domain.split_payment import LIMIT_PLN
from agent.domain.vat import PERCENT

_TAXED_RATES = frozenset(rate.value for rate in PERCENT)
_EXEMPT = "7"
_REVERSE_CHARGE = "10"
_MARGIN = "11"


def contradictions(view: FaView) -> Iterator[FieldError]:
    """Yield what is not said."""
    yield from _words(view)
    yield from _split_payment(view)


def _words(view: FaView) -> Iterator[FieldError]:
    """Art. 106e ust. 1 pkt 18 i 19, ust. 2 i 3."""
    fields = {item.field for item in view.rates}
    wanted = (
        (_EXEMPT, view.annotations.exempt, "Zwolnienie/P_19", "podstawy zwolnienia z VAT (P_19)", "exemption-missing"),
        (
            _REVERSE_CHARGE,
            view.annotations.reverse_charge,
            "P_18",
            "adnotacji „odwrotne obciążenie” (P_18)",
            "reverse-charge-missing",
        ),
        (_MARGIN, view.annotations.margin is not None, "PMarzy", "rodzaju procedury marży (PMarzy)", "margin-missing"),
    )
    for name, present, pointer, what, code in wanted:
        if name in fields and not present:
            yield FieldError(
                f"{FA}/Adnotacje/{pointer}", f"Faktura ma sprzedaż w polu P_13_{name}, a brak {what}.", code
            )


def _split_payment(view: FaView) -> Iterator[FieldError]:
    """Annex 15, over 15 000 PLN, to a taxpayer: the words have to be there (art. 106e ust. 1 pkt 18a).

    Only where it is certain: a taxed line of the annex, and the total over the limit at the lowest rate given.
    """
    if view.annotations.split_payment or view.kind.corrects or view.buyer.as_buyer().kind is BuyerKind.NONE:
        return
    lines = (*view.lines, *(view.order.lines if view.order is not None else ()))
    rates = [line.exchange_rate for line in lines if line.exchange_rate is not None]
    rate = Decimal(1) if view.currency == "PLN" else min(rates, default=Decimal(0))
    if view.gross * rate > LIMIT_PLN and any(line.annex_15 and line.rate in _TAXED_RATES for line in lines):
        yield FieldError(
            f"{FA}/Adnotacje/P_18A",
            "Faktura na ponad 15 000 zł ma pozycję z załącznika nr 15, a brak adnotacji "
            "„mechanizm podzielonej płatności” (P_18A).",
            "split-payment-missing",
        )
