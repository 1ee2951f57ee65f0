"""How a document was paid (header, fields 34-38 and 56-59) as the JSON API takes it.

The description does not say whether the amount paid at delivery (36) holds what was paid by card (57) or on credit
(59). The amount to pay (37) decides: of the readings that fit it, the one that leaves nothing open, else the first.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from agent.domain import amounts
from agent.domain.exchange.values import ZERO, Values, plain
from agent.domain.payment_methods import RECEIVED, method_of

Payment = dict[str, object]
_ROUNDING = {1: Decimal("0.05"), 2: Decimal("0.50")}
"""Field 38: the amount to pay is rounded to 10 groszy or to whole złote; by so much it may be off."""


def payments_of(header: Values, to_pay: Decimal) -> list[Payment]:
    """Return "payments"; empty where the file does not say how the document is paid.

    to_pay  P_15 and the deposits: what the payments have to add up to
    """
    cash, card = header.amount(36, "zapłacono"), header.amount(57, "kartą")
    credit = header.amount(59, "kredyt")
    stated = header.given(37, "do zapłaty")
    due = header.day(35, "termin płatności")
    off = ZERO if stated is None else stated - to_pay
    if abs(off) > _ROUNDING.get(header.whole(38, "zaokrąglenie"), ZERO):
        header.note(
            37, "do zapłaty", f"jest {amounts.amount(stated or ZERO)}, a z dokumentu wychodzi {amounts.amount(to_pay)}."
        )
        return []
    total = to_pay + off
    readings = (
        (cash, total - cash - card - credit),
        (cash - card, total - cash - credit),
        (cash - card - credit, total - cash),
    )
    fitting = [(paid, rest) for paid, rest in readings if paid >= 0 and rest >= 0]
    if not fitting:
        header.note(36, "zapłacono", f"zapłaty dają więcej niż jest do zapłaty ({amounts.amount(total)}).")
        return []
    paid, rest = next((reading for reading in fitting if reading[1] == 0), fitting[0])
    form = method_of(header.text(34))
    if rest > 0 and not form:
        return []
    parts = {
        "cash": paid,
        method_of(header.text(56)) or "card": card,
        method_of(header.text(58)) or "credit": credit,
    }
    if rest > 0:
        parts[form] = parts.get(form, ZERO) + rest
    return [_payment(method, amount, due) for method, amount in _without_rounding(parts, off).items() if amount > 0]


def _payment(method: str, amount: Decimal, due: date | None) -> Payment:
    payment: Payment = {"method": method, "amount": plain(amount)}
    return payment if due is None or method in RECEIVED else payment | {"due": due.isoformat()}


def _without_rounding(parts: dict[str, Decimal], off: Decimal) -> dict[str, Decimal]:
    """Take the rounding of the amount to pay off the largest part: the invoice's total is not rounded."""
    largest = max(parts, key=lambda method: parts[method])
    return parts | {largest: parts[largest] - off}
