"""P_13_x, P_14_x and P_15 among themselves."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from agent.domain.amounts import amount
from agent.domain.errors import FieldError
from agent.domain.fa3.contradictions.places import FA, OSS, TAXED, tolerance
from agent.domain.fa3.view.document import FaView, Kind


def contradictions(view: FaView) -> Iterator[FieldError]:
    """Yield what does not add up."""
    yield from _gross(view)
    yield from _tax(view)
    yield from _advances(view)


def _gross(view: FaView) -> Iterator[FieldError]:
    """P_15 is what the rates add up to (art. 106e ust. 1 pkt 13-15).

    Not for settlements, where advances lie between, nor for OSS without its tax, which another country levies, nor
    for simplified invoices and corrections that give no sums per rate (art. 106e ust. 5 pkt 3).
    """
    if not view.rates and view.kind is not Kind.VAT:
        return
    if view.kind in (Kind.ROZ, Kind.KOR_ROZ):
        return
    if any(item.field == OSS and item.tax is None for item in view.rates):
        return
    total = sum((item.gross for item in view.rates), Decimal(0))
    if abs(view.gross - total) > tolerance(view):
        yield FieldError(
            f"{FA}/P_15",
            f"Kwota ogółem {amount(view.gross)} nie zgadza się z sumą stawek {amount(total)}.",
            "sum-contradicts",
        )


def _tax(view: FaView) -> Iterator[FieldError]:
    """P_14_x is the rate's share of P_13_x. A correction may mend the tax alone, so it is not looked at."""
    if view.kind.corrects:
        return
    of_others = sorted({line.oss_rate for line in view.all_lines if line.oss_rate is not None})
    for item in view.rates:
        percents = of_others if item.field == OSS else [Decimal(word) for word in item.rates if item.field in TAXED]
        if not percents or item.tax is None:
            continue
        shares = [item.net * percent / 100 for percent in percents]
        rate = item.label if item.field == OSS else f"{item.label}%"
        if not min(shares) - tolerance(view) <= item.tax <= max(shares) + tolerance(view):
            yield FieldError(
                f"{FA}/P_14_{item.field}",
                f"Podatek {amount(item.tax)} nie odpowiada stawce {rate} od {amount(item.net)}.",
                "tax-contradicts",
            )


def _advances(view: FaView) -> Iterator[FieldError]:
    """P_15 of an advance invoice is what was paid: the sum of its payments, where they are listed (P_15Z)."""
    if view.kind is not Kind.ZAL or not view.advance_parts:
        return
    total = sum((part.amount for part in view.advance_parts), Decimal(0))
    if abs(view.gross - total) > tolerance(view):
        yield FieldError(
            f"{FA}/P_15",
            f"Zaliczki cząstkowe dają {amount(total)}, a kwota ogółem to {amount(view.gross)}.",
            "sum-contradicts",
        )
