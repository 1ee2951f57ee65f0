"""What no invoice can be: without what was sold, less than nothing, far ahead of its sale, at a rate of other buyers.

Only kinds that sell are looked at, never a correction: those list differences, or nothing at all (art. 106j ust. 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from agent.domain.amounts import amount
from agent.domain.characters import is_visible
from agent.domain.errors import FieldError
from agent.domain.fa3.contradictions.places import EXEMPT, FA, LINES, MARGIN, field_in
from agent.domain.fa3.view.document import FaView, Kind
from agent.domain.fa3.view.lines import LineView
from agent.domain.invoice import BuyerKind

_BUYER = "/Faktura/Podmiot2/DaneIdentyfikacyjne"
_EARLY = timedelta(days=60)
"""Art. 106i ust. 7."""
_WDT, _EU_SERVICES, _REVERSE_CHARGE = "6_2", "9", "10"
_GOODS_ONLY = "XI"
"""Northern Ireland is in the Union for goods, not for services."""


def contradictions(view: FaView) -> Iterator[FieldError]:
    """Yield what is missing, or cannot be."""
    if view.kind.corrects:
        return
    yield from _lines(view)
    yield from _below_zero(view)
    yield from _too_early(view)
    yield from _margin(view)
    if view.kind is not Kind.UPR:  # simplified.py has rules of its own
        yield from _buyer_of_rates(view)


def _lines(view: FaView) -> Iterator[FieldError]:
    """What was sold, how much of it and at what price (art. 106e ust. 1 pkt 7-9)."""
    if view.kind in {Kind.VAT, Kind.ROZ} and not view.lines and not view.attachment:
        yield FieldError(LINES, "Faktura nie ma żadnej pozycji (art. 106e ust. 1 pkt 7).", "line-incomplete")
    for position, line in enumerate(view.lines, start=1):
        if not line.name or not is_visible(line.name):
            yield FieldError(
                f"{LINES}[{position}]/P_7", f"Pozycja {line.number} nie ma nazwy (P_7).", "line-incomplete"
            )
        whole = view.kind in {Kind.VAT, Kind.ROZ} and _measured(view, line)
        if whole and _unmeasured(line):
            sentence = f"Pozycja {line.number} nie ma ani ilości, ani ceny (art. 106e ust. 1 pkt 8 i 9)."
            yield FieldError(f"{LINES}[{position}]/P_8B", sentence, "line-incomplete")
        elif whole and line.net is None and line.gross is None:
            sentence = f"Pozycja {line.number} nie ma wartości (P_11 albo P_11A; art. 106e ust. 1 pkt 11)."
            yield FieldError(f"{LINES}[{position}]/P_11", sentence, "line-incomplete")


def _measured(view: FaView, line: LineView) -> bool:
    """Exempt services and margins may go without (Dz.U. 2025 poz. 1742; ust. 2, 3); media are read off an annex."""
    return not view.attachment and field_in(view, line) not in {None, EXEMPT, MARGIN}


def _unmeasured(line: LineView) -> bool:
    return line.quantity is None and line.price_net is None and line.price_gross is None


def _below_zero(view: FaView) -> Iterator[FieldError]:
    """Money goes back by a correction (art. 106j). A settlement may come to less than its advances."""
    if view.kind is not Kind.ROZ and view.gross < 0:
        sentence = f"Kwota ogółem to {amount(view.gross)}: zwrot rozlicza faktura korygująca (art. 106j)."
        yield FieldError(f"{FA}/P_15", sentence, "kind-contradicts")


def _too_early(view: FaView) -> Iterator[FieldError]:
    """Nothing is invoiced more than 60 days ahead (art. 106i ust. 7), but for a period that is named (ust. 8)."""
    if view.period is not None:
        return
    lines = ((f"{LINES}[{place}]/P_6A", line.sold_on) for place, line in enumerate(view.lines, start=1))
    for pointer, day in ((f"{FA}/P_6", view.sold_on), *lines):
        if day is not None and day > view.issued_on + _EARLY:
            sentence = (
                f"Data sprzedaży {day.isoformat()} jest później niż 60 dni po dacie wystawienia (art. 106i ust. 7)."
            )
            yield FieldError(pointer, sentence, "issued-too-early")


def _margin(view: FaView) -> Iterator[FieldError]:
    """An invoice of the margin shows no tax, and what it sells so is its P_13_11 (art. 106e ust. 2, 3)."""
    if view.annotations.margin is not None and view.rates and all(item.field != MARGIN for item in view.rates):
        yield FieldError(
            f"{FA}/P_13_11",
            "Faktura jest oznaczona procedurą marży (PMarzy), a nie ma jej sumy (P_13_11).",
            "margin-contradicts",
        )


def _buyer_of_rates(view: FaView) -> Iterator[FieldError]:
    """Who may buy at 0 WDT (art. 42), np II (art. 100 ust. 1 pkt 4) and oo (145e); what such an invoice says.

    Of new means of transport anybody in another country of the Union may be the buyer (art. 13 ust. 2 pkt 5).
    """
    fields = {item.field for item in view.rates}
    buyer = view.buyer.as_buyer()
    in_the_union = buyer.kind is BuyerKind.EU_VAT
    new_vehicles = bool(view.annotations.new_vehicles)
    for field, rate, right in (
        (_WDT, "0 WDT", in_the_union or new_vehicles),
        (_EU_SERVICES, "np II", in_the_union and buyer.country != _GOODS_ONLY),
    ):
        if field not in fields:
            continue
        if not right:
            sentence = f"Stawka „{rate}” jest tylko dla nabywcy z numerem VAT UE innego kraju (KodUE, NrVatUE)."
            yield FieldError(_BUYER, sentence, "rate-needs-eu-vat")
        if view.seller.prefix is None and not new_vehicles:
            sentence = (
                f"Przy stawce „{rate}” numer sprzedawcy ma prefiks PL (PrefiksPodatnika; art. 106e ust. 1 pkt 24)."
            )
            yield FieldError("/Faktura/Podmiot1/PrefiksPodatnika", sentence, "prefix-missing")
    if _EU_SERVICES in fields and not view.annotations.reverse_charge:
        sentence = "Usługę ze stawką „np II” rozlicza nabywca, a brak adnotacji „odwrotne obciążenie” (P_18)."
        yield FieldError(f"{FA}/Adnotacje/P_18", sentence, "reverse-charge-missing")
    if _REVERSE_CHARGE in fields and buyer.kind is BuyerKind.NONE:
        sentence = "Odwrotne obciążenie („oo”) jest tylko dla nabywcy będącego podatnikiem, a nabywca nie ma numeru."
        yield FieldError(_BUYER, sentence, "rate-needs-nip")
