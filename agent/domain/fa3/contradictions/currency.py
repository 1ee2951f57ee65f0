"""Tax in PLN (art. 106e ust. 11, art. 31a)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from agent.domain.amounts import amount, plain
from agent.domain.errors import FieldError
from agent.domain.fa3.contradictions.places import FA, TAXED, field_of, tolerance
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.lines import RateView


def contradictions(view: FaView) -> Iterator[FieldError]:
    """Yield taxes that stand in PLN wrongly, or not at all on an invoice in a foreign currency."""
    yield from _no_rate(view)
    for item in view.rates:
        if item.field not in TAXED or item.tax is None:
            continue
        place = f"{FA}/P_14_{item.field}W"
        if item.tax_pln is None:
            if view.currency != "PLN" and item.tax:
                yield FieldError(
                    place,
                    f"Faktura w walucie {view.currency} nie podaje kwoty podatku w złotych (P_14_{item.field}W).",
                    "tax-in-pln-missing",
                )
        elif not view.kind.corrects:  # a correction may mend the rate, or convert at that of its base
            yield from _converted(view, item, place, item.tax, item.tax_pln)


def _no_rate(view: FaView) -> Iterator[FieldError]:
    """An exchange rate is more than nothing."""
    lines = ((f"{FA}/FaWiersz[{place}]/KursWaluty", line.exchange_rate) for place, line in enumerate(view.lines, 1))
    parts = (
        (f"{FA}/ZaliczkaCzesciowa[{place}]/KursWalutyZW", part.exchange_rate)
        for place, part in enumerate(view.advance_parts, 1)
    )
    before = None if view.correction is None else view.correction.exchange_rate_before
    alone = ((f"{FA}/KursWalutyZ", view.advance_exchange_rate), (f"{FA}/KursWalutyZK", before))
    for pointer, rate in (*lines, *parts, *alone):
        if rate is not None and rate <= 0:
            yield FieldError(pointer, f"Kurs waluty nie może być równy {plain(rate)}.", "exchange-rate")


def _converted(view: FaView, item: RateView, place: str, tax: Decimal, stated: Decimal) -> Iterator[FieldError]:
    rates = [rate for rate in _exchange_rates(view, item) if rate > 0]
    if tax * stated < 0:
        sentence = f"Podatek {amount(tax)} {view.currency} to w złotych nie {amount(stated)} (P_14_{item.field}W)."
        yield FieldError(place, sentence, "tax-in-pln-contradicts")
        return
    if not rates:
        return  # the rate need not stand on the invoice
    shares = [tax * rate for rate in rates]
    loose = tolerance(view) * max(Decimal(1), *rates)
    if not min(shares) - loose <= stated <= max(shares) + loose:
        yield FieldError(
            place,
            f"Podatek {amount(tax)} {view.currency} po kursie {plain(rates[0])} to nie {amount(stated)} zł "
            f"(P_14_{item.field}W).",
            "tax-in-pln-contradicts",
        )


def _exchange_rates(view: FaView, item: RateView) -> list[Decimal]:
    """Return the rates that may have been used: of the lines of that rate of tax, else of any line or advance."""
    if view.currency == "PLN":
        return [Decimal(1)]
    lines = view.all_lines
    own = [line.exchange_rate for line in lines if line.exchange_rate is not None and field_of(line) == item.field]
    others = [line.exchange_rate for line in lines if line.exchange_rate is not None]
    parts = [part.exchange_rate for part in view.advance_parts if part.exchange_rate is not None]
    whole = [] if view.advance_exchange_rate is None else [view.advance_exchange_rate]
    found = own or others
    return sorted({*found, *parts, *whole})
