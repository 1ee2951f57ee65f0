"""What changes hands with a correction or an exchange, as the cashier is told: "Zwróć 40,44 zł gotówką."."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from agent.domain.amounts import amount
from agent.domain.corrections.correction import Correction
from agent.domain.invoice import InvoiceSummary, Payment
from agent.domain.payment_methods import RECEIVED, REST, SET_OFF

_BACK: dict[str, str] = {
    "cash": "gotówką",
    "card": "na kartę",
    "mobile": "BLIKIEM",
    "transfer": "przelewem",
    "voucher": "bonem",
}
"""How money is given back; other ways are not named."""

_MORE = _BACK | {"card": "kartą"}
"""How money is taken."""


def money_sentence(record: InvoiceSummary, paid: Sequence[Payment] = (), due: Decimal | None = None) -> str:
    """Return the sentence, with a space before it; empty for a sale that is paid, as its receipt says.

    Of an exchange only what is left between return and sale moves, with the document whose side is larger; of an
    invoice that another buyer gets instead, nothing.

    ``paid``: how the corrected invoice was paid. A correction that names no payment of its own goes back the same way;
    where there were several, a person decides and is told which.
    ``due``: what changes hands where that is not the total, with deposits (DoZaplaty; below zero DoRozliczenia).
    """
    moving = record.totals.gross if due is None else due
    corrects = record.kind.startswith("KOR")
    paid_out = moving < 0 and record.serial is not None  # of a ready document its system may settle it otherwise
    exchanged = any(payment.method in SET_OFF for payment in record.payments)
    if not (corrects or exchanged or paid_out):
        return ""
    return _sentence(moving, record.payments, record.totals.currency, paid, corrects=corrects)


def pending_sentence(correction: Correction, paid: Sequence[Payment]) -> str:
    """Return the same of a correction that waits: its money changes hands at the press, as its slip says."""
    deposits = sum((deposit.amount for deposit in correction.deposits), Decimal(0))
    moving = correction.totals.gross + deposits
    return _sentence(moving, correction.payments, correction.currency, paid, corrects=True)


def _sentence(
    moving: Decimal, payments: Sequence[Payment], currency: str, paid: Sequence[Payment], *, corrects: bool
) -> str:
    if not moving:
        return ""
    moved = [payment for payment in payments if payment.method not in SET_OFF]
    exchanged = len(moved) < len(payments)
    verb, ways = ("Zwróć", _BACK) if moving < 0 else ("Pobierz dopłatę", _MORE)
    unsaid = sum((payment.amount for payment in moved if payment.method == REST), Decimal(0))
    parts = [(abs(payment.amount), ways.get(payment.method, "")) for payment in moved if payment.method != REST]
    named = [f"{_shown(much, currency)} {how}".rstrip() for much, how in parts if much]
    if named:
        return f" {verb} {' i '.join(named)}."
    if exchanged and not unsaid:
        return " Nie zwracaj pieniędzy: rozlicza je nowa faktura." if corrects else ""
    whole = f" {verb} {_shown(abs(unsaid or moving), currency)}"
    return f"{whole}{_as_was_paid(paid)}." if moving < 0 else f"{whole}."


def _as_was_paid(paid: Sequence[Payment]) -> str:
    methods = list(dict.fromkeys(payment.method for payment in paid if payment.amount > 0))
    known = [_BACK[method] for method in methods if method in _BACK]
    if not known or len(known) != len(methods):
        return ""
    if len(known) > 1:
        return f" (klient zapłacił: {', '.join(_MORE[method] for method in methods)})"
    return f" {known[0]}" if methods[0] in RECEIVED else f" {known[0]}, jeśli klient już zapłacił"


def _shown(value: Decimal, currency: str) -> str:
    return f"{amount(value)} {'zł' if currency == 'PLN' else currency}"
