"""Where a ready FA(3) contradicts itself. KSeF checks no arithmetic (POD2 1.6.1), so a wrong sum would be issued.

Only contradictions are refused, never a way of rounding: a sum may differ by a cent for every line and rate that was
rounded on the way to it. The Ministry's own first example is a cent away from its P_15.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from agent.domain.amounts import amount
from agent.domain.errors import FieldError
from agent.domain.fa3.view import RATE_FIELDS
from agent.domain.fa3.view_types import FaView, Kind, RateView
from agent.domain.invoice import BuyerKind
from agent.domain.split_payment import LIMIT_PLN
from agent.domain.vat import CENT, PERCENT

FA = "/Faktura/Fa"
_TAXED = frozenset({"1", "2", "3", "4"})
_TAXED_RATES = frozenset(rate.value for rate in PERCENT)
_OSS = "5"
_EXEMPT = "7"
_REVERSE_CHARGE = "10"
_MARGIN = "11"


def contradictions(view: FaView) -> Iterator[FieldError]:
    """Yield every contradiction found."""
    yield from _gross(view)
    yield from _tax(view)
    yield from _lines(view)
    yield from _words(view)
    yield from _split_payment(view)
    yield from _currency(view)


def _tolerance(view: FaView) -> Decimal:
    return CENT * max(1, len(view.lines) + len(view.rates))


def _gross(view: FaView) -> Iterator[FieldError]:
    """P_15 is what the rates add up to (art. 106e ust. 1 pkt 13-15).

    Not for settlements, where advances lie between, nor for OSS without its tax, which another country levies, nor
    for simplified invoices and corrections that give no sums per rate (art. 106e ust. 5 pkt 3).
    """
    if not view.rates and view.kind is not Kind.VAT:
        return
    if view.kind in (Kind.ROZ, Kind.KOR_ROZ):
        return
    if any(item.field == _OSS and item.tax is None for item in view.rates):
        return
    total = sum((item.gross for item in view.rates), Decimal(0))
    if abs(view.gross - total) > _tolerance(view):
        yield FieldError(
            f"{FA}/P_15",
            f"Kwota ogółem {amount(view.gross)} nie zgadza się z sumą stawek {amount(total)}.",
            "sum-contradicts",
        )


def _tax(view: FaView) -> Iterator[FieldError]:
    """P_14_x is the rate's share of P_13_x. A correction may mend the tax alone, so it is not looked at."""
    if view.kind.corrects:
        return
    for item in view.rates:
        if item.field not in _TAXED or item.tax is None:
            continue
        shares = [item.net * Decimal(word) / 100 for word in item.rates]
        tolerance = _tolerance(view)
        if not min(shares) - tolerance <= item.tax <= max(shares) + tolerance:
            yield FieldError(
                f"{FA}/P_14_{item.field}",
                f"Podatek {amount(item.tax)} nie odpowiada stawce {item.label}% od {amount(item.net)}.",
                "tax-contradicts",
            )


def _lines(view: FaView) -> Iterator[FieldError]:
    """The lines of a sale add up to its rates, where every line gives its value and rate."""
    if view.kind is not Kind.VAT or any(line.rate is None for line in view.lines):
        return
    for item in view.rates:
        mine = [line for line in view.lines if line.rate in RATE_FIELDS[item.field]]
        nets = [line.net for line in mine if line.net is not None]
        grosses = [line.gross for line in mine if line.gross is not None]
        if mine and len(nets) == len(mine):
            yield from _compare(view, item, sum(nets, Decimal(0)), item.net)
        elif mine and len(grosses) == len(mine):
            yield from _compare(view, item, sum(grosses, Decimal(0)), item.gross)


def _compare(view: FaView, item: RateView, lines: Decimal, stated: Decimal) -> Iterator[FieldError]:
    if abs(lines - stated) > _tolerance(view):
        yield FieldError(
            f"{FA}/P_13_{item.field}",
            f"Pozycje ze stawką {item.label} dają {amount(lines)}, a faktura podaje {amount(stated)}.",
            "lines-contradict",
        )


def _words(view: FaView) -> Iterator[FieldError]:
    """What the law wants said wherever such a sale is on the invoice (art. 106e ust. 1 pkt 18 i 19, ust. 2 i 3)."""
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


def _currency(view: FaView) -> Iterator[FieldError]:
    """Tax stands in PLN too on an invoice in a foreign currency (art. 106e ust. 11)."""
    if view.currency == "PLN":
        return
    for item in view.rates:
        if item.field in _TAXED and item.tax and item.tax_pln is None:
            yield FieldError(
                f"{FA}/P_14_{item.field}W",
                f"Faktura w walucie {view.currency} nie podaje kwoty podatku w złotych (P_14_{item.field}W).",
                "tax-in-pln-missing",
            )
