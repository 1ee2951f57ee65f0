"""Words that the law wants on the invoice, where the sale they belong to is on it (Adnotacje)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from agent.domain.characters import is_word
from agent.domain.errors import FieldError
from agent.domain.fa3.contradictions.places import EXEMPT, FA, MARGIN, fields_of
from agent.domain.fa3.view.document import FaView, Kind
from agent.domain.invoice import BuyerKind
from agent.domain.split_payment import LIMIT_PLN
from agent.domain.vat import PERCENT

_TAXED_RATES = frozenset(rate.value for rate in PERCENT)
_REVERSE_CHARGE = "10"
_TAXED_BY_OTHERS = frozenset({"6_2", "6_3", "8", "9", "10", MARGIN})
"""Beside one of these "odwrotne obciążenie" may stand; beside none of them the seller owes the tax himself."""


def contradictions(view: FaView) -> Iterator[FieldError]:
    """Yield what is not said."""
    yield from _words(view)
    if not view.kind.corrects:
        yield from _needless(view)
    yield from _split_payment(view)


def _words(view: FaView) -> Iterator[FieldError]:
    """Art. 106e ust. 1 pkt 18 i 19, ust. 2 i 3."""
    # A simplified invoice may lack its sums (art. 106e ust. 5 pkt 3), so its lines are asked.
    fields = fields_of(view) if view.kind is Kind.UPR else {item.field for item in view.rates}
    wanted = (
        (EXEMPT, _basis(view), "Zwolnienie/P_19", "podstawy zwolnienia z VAT (P_19)", "exemption-missing"),
        (
            _REVERSE_CHARGE,
            view.annotations.reverse_charge,
            "P_18",
            "adnotacji „odwrotne obciążenie” (P_18)",
            "reverse-charge-missing",
        ),
        (MARGIN, view.annotations.margin is not None, "PMarzy", "rodzaju procedury marży (PMarzy)", "margin-missing"),
    )
    for name, present, pointer, what, code in wanted:
        if name in fields and not present:
            yield FieldError(
                f"{FA}/Adnotacje/{pointer}", f"Faktura ma sprzedaż w polu P_13_{name}, a brak {what}.", code
            )


def _basis(view: FaView) -> bool:
    """Tell whether the provision that exempts is named, with something to read (art. 106e ust. 1 pkt 19)."""
    marks = view.annotations
    texts = (marks.exemption_act, marks.exemption_directive, marks.exemption_other)
    return marks.exempt and any(is_word(text) for text in texts)


def _needless(view: FaView) -> Iterator[FieldError]:
    """Words about a sale that is not there: the buyer would take his tax for none, or for his own to pay."""
    fields = fields_of(view)
    if not fields:
        return
    if view.annotations.exempt and not fields & {EXEMPT, MARGIN}:
        sentence = "Faktura podaje podstawę zwolnienia z VAT (P_19), a nie ma sprzedaży zwolnionej (zw)."
        yield FieldError(f"{FA}/Adnotacje/Zwolnienie/P_19", sentence, "exemption-needless")
    if view.annotations.reverse_charge and not fields & _TAXED_BY_OTHERS:
        sentence = "Faktura ma adnotację „odwrotne obciążenie” (P_18), a nie ma sprzedaży, którą rozlicza nabywca."
        yield FieldError(f"{FA}/Adnotacje/P_18", sentence, "reverse-charge-needless")


def _split_payment(view: FaView) -> Iterator[FieldError]:
    """Annex 15, over 15 000 PLN, to a taxpayer: the words have to be there (art. 106e ust. 1 pkt 18a).

    Only where it is certain: a taxed line of the annex, and the total over the limit at the lowest rate given.
    """
    if view.annotations.split_payment or view.kind.corrects or view.buyer.as_buyer().kind is BuyerKind.NONE:
        return
    lines = view.all_lines
    rates = [line.exchange_rate for line in lines if line.exchange_rate is not None]
    rate = Decimal(1) if view.currency == "PLN" else min(rates, default=Decimal(0))
    if view.gross * rate > LIMIT_PLN and any(line.annex_15 and line.rate in _TAXED_RATES for line in lines):
        yield FieldError(
            f"{FA}/Adnotacje/P_18A",
            "Faktura na ponad 15 000 zł ma pozycję z załącznika nr 15, a brak adnotacji "
            "„mechanizm podzielonej płatności” (P_18A).",
            "split-payment-missing",
        )
