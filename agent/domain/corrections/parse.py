"""Corrections (KOR): from the till's JSON and the base as it stands, to what FA(3) says as differences.

POST /v1/invoices/{id}/corrections

    {"kind": "full_return" | "return" | "price" | "buyer" | "exchange" | "collective", "reason": text,
     "lines":    return: [{"line": 1, "quantity": "1"}]          how much of the line comes back
                 price:  [{"line": 1, "unit_price": "9.99", "discount": "0"}]   the new price of what is left of it
     "buyer":    buyer:  {...}                                   as in a sale
     "payments": [{"method", "amount"}]                          how the difference was settled, positive amounts; of
                                                                 return, full_return, price and exchange an only payment
                                                                 may leave the amount out: the whole difference
     "deposits": full_return, return: [{"name", "amount"}]       kaucja given back with the goods, beside the difference
     "period", "bases", "rates": collective, see below}

exchange     a return and a sale in one basket: "lines" and "deposits" as of a return, and "sale": {...}, a sale without
             buyer, prices and payments, which are those of the base. Two documents, the correction and the invoice of
             "sale"; "payments" settle what is left between them, in whichever direction.
full_return  everything that is left. return: part of some lines. price: other unit prices.
buyer        another identifier (NIP): correction to zero plus a new invoice (``replacement``), since a NIP is never
             corrected (FA(3), Podmiot2K); "payments" then belong to the new invoice. The same identifier: a correction
             of name and address only, amounts 0. An invoice to a receipt keeps its buyer's number (fiscal_receipt.py).
collective   a discount over several invoices to one buyer (art. 106j ust. 3), without lines:
             "period": text, "rates": [{"vat": "23", "amount": "100.00"}] (reductions, gross or net as the base's
             prices), "bases": [{"number"}] for invoices known here, others with "issued_on" and "ksef_number" or
             "outside_ksef": true. The invoice in the path is always one of them.

A base that goes through KSeF but has no number yet makes the result ``awaiting``: it is an order, to be kept (codec.py)
and built when with_ksef_numbers() has brought the number. Sums are differences of the whole invoice's sums before and
after, rate by rate, so that an invoice and its corrections always add up to what is left.

Codes beside those of reader.py and buyers.py: more-than-left, unknown-line, duplicate-line, no-change, nothing-left,
corrected-collectively, other-buyer, payments-do-not-add-up, discount-too-large, too-many-lines, receipt-nip-differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from agent.domain import simplified, vat
from agent.domain.corrections.base import BaseInvoice, LineChange
from agent.domain.corrections.buyer_change import read_buyer_change
from agent.domain.corrections.collective import read_collective
from agent.domain.corrections.correction import Correction, CorrectionKind, difference, with_places_of_supply
from agent.domain.corrections.exchange_of_goods import read_exchange
from agent.domain.corrections.line_changes import deposits_given_back, emptied, nothing_left, read_changes
from agent.domain.errors import Conflict
from agent.domain.invoice import Totals
from agent.domain.json_io.reader import Fields, Problems
from agent.domain.sale.parse import MAX_LINES, check_payments, parse_payments, settled
from agent.domain.split_payment import split_payment_due

MAX_CHANGES = MAX_LINES // 2
"""Each changed line takes two of the 10 000 rows."""


_REASONS = {
    CorrectionKind.FULL_RETURN: "zwrot towaru",
    CorrectionKind.RETURN: "zwrot towaru",
    CorrectionKind.PRICE: "zmiana ceny",
    CorrectionKind.BUYER: "błędne dane nabywcy",
    CorrectionKind.EXCHANGE: "wymiana towaru",
    CorrectionKind.COLLECTIVE: "rabat",
}


def named_numbers(document: object) -> tuple[str, ...]:
    """Return the invoice numbers that a collective correction names, for the caller to look up; never raises."""
    bases = document.get("bases") if isinstance(document, Mapping) else None
    if not isinstance(bases, list):
        return ()
    numbers = (base.get("number") for base in bases if isinstance(base, Mapping))
    return tuple(number for number in numbers if isinstance(number, str))


def parse_correction(
    document: object, *, base: BaseInvoice, today: date, others: Sequence[BaseInvoice] = (), pointer: str = ""
) -> Correction:
    """Return the checked correction of ``base``.

    others  further invoices known here that a collective correction names (named_numbers())
    today   the date in Poland
    pointer where the document lies in what the caller sent

    BadInput with all mistakes of the document; Conflict where nothing is left to correct or a collective correction
    stands in the way.
    """
    problems = Problems()
    fields = Fields.of(document, pointer, problems)
    correction = None if fields is None else _read(fields, base, today, others)
    problems.raise_if_any("Korekta")
    assert correction is not None
    totals = with_places_of_supply(correction.totals, base.totals)
    return replace(correction, settled_on=today, totals=totals)


def _read(fields: Fields, base: BaseInvoice, today: date, others: Sequence[BaseInvoice]) -> Correction | None:
    word = fields.word("kind", tuple(CorrectionKind), required=True)
    if word is None:
        return None
    kind = CorrectionKind(word)
    reason = fields.text("reason", maximum=256) or _REASONS[kind]
    plain = _without_change(kind, reason, base)
    if kind is CorrectionKind.COLLECTIVE:
        return read_collective(fields, plain, base, today, others)
    if base.corrected_collectively:
        raise Conflict(
            f"Faktura {base.reference.number} ma korektę zbiorczą, więc nie wiadomo, ile zostało w jej pozycjach. "
            "Dalszą korektę wystaw w systemie księgowym.",
            code="corrected-collectively",
        )
    if kind is CorrectionKind.BUYER:
        return read_buyer_change(fields, plain, base)
    if not base.left:
        raise nothing_left(base)
    if kind is CorrectionKind.EXCHANGE:
        return read_exchange(fields, plain, base, today)
    if kind is CorrectionKind.FULL_RETURN:
        changes: tuple[LineChange, ...] = emptied(base)
    else:
        changes = read_changes(fields, base, kind)
    totals = difference(base, changes)
    if kind is CorrectionKind.PRICE:
        _keep_simplified(fields, base, totals)
    split_payment = base.split_payment or _split_payment_after(base, changes, totals)
    correction = replace(plain, changes=changes, totals=totals, split_payment=split_payment)
    if len(changes) > MAX_CHANGES:
        fields.note("lines", f"jedna korekta może zmienić {MAX_CHANGES} pozycji; podziel ją.", "too-many-lines")
    deposits = deposits_given_back(fields, base) if kind is not CorrectionKind.PRICE else ()
    due = totals.gross + sum((deposit.amount for deposit in deposits), vat.ZERO)
    payments = tuple(payment for payment in parse_payments(fields, abs(due)) if payment.amount)
    fields.finish()
    if not fields.problems and payments:
        check_payments(fields, payments, abs(due))
    return replace(correction, payments=settled(payments, due), deposits=deposits)


def _keep_simplified(fields: Fields, base: BaseInvoice, change: Totals) -> None:
    """A higher price may not bring a simplified invoice over its limit (art. 106e ust. 5 pkt 3)."""
    rates = () if base.exchange_rate is None else (base.exchange_rate,)
    too_large = simplified.total_mistake(base.totals.gross + change.gross, base.currency, rates)
    if base.simplified and change.gross > 0 and too_large is not None:
        sentence = f"faktura {base.reference.number} jest uproszczona, a po korekcie {too_large} Tę skoryguj do zera."
        fields.note("lines", sentence, "simplified-limit")


def _without_change(kind: CorrectionKind, reason: str, base: BaseInvoice) -> Correction:
    return Correction(
        kind=kind,
        reason=reason,
        bases=(base.reference,),
        awaiting=(base.reference.number,) if base.awaiting else (),
        buyer=base.buyer,
        prices=base.prices,
        currency=base.currency,
        totals=Totals(vat.ZERO, vat.ZERO, vat.ZERO, base.currency, ()),
        exchange_rate=base.exchange_rate,
        sold_on=base.sold_on,
        exemption=base.exemption,
        exemption_basis=base.exemption_basis,
        to_receipt=base.to_receipt,
        receipt=base.receipt,
        split_payment=base.split_payment,
        recipient=base.recipient,
    )


def _split_payment_after(base: BaseInvoice, changes: Sequence[LineChange], totals: Totals) -> bool:
    """A higher price may bring what is left over the limit of split payment."""
    rows = {row.number: row for row in base.rows} | {change.after.number: change.after for change in changes}
    lines = [row.line for row in rows.values() if row.line.quantity > 0]
    return split_payment_due(base.buyer, lines, base.totals.gross + totals.gross, base.exchange_rate)
