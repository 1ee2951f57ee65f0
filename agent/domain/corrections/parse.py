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
from decimal import Decimal

from agent.domain import amounts, simplified, vat
from agent.domain.corrections.base import (
    ELSEWHERE,
    BaseInvoice,
    LineChange,
    Row,
    after_earlier,
    base_of_record,
    read_base,
    remaining,
)
from agent.domain.corrections.collective import read_collective
from agent.domain.corrections.correction import (
    Correction,
    CorrectionKind,
    apply_pending,
    difference,
    with_ksef_numbers,
    with_places_of_supply,
    without_awaiting,
)
from agent.domain.corrections.external import parse_outside_base
from agent.domain.errors import Conflict
from agent.domain.fiscal_receipt import RULE, moves_receipt
from agent.domain.invoice import Buyer, BuyerKind, Deposit, Payment, Sale, Totals, VatRate
from agent.domain.json_io.reader import Fields, Problems
from agent.domain.payment_methods import NEW_INVOICE, OFFSET, REST
from agent.domain.sale.buyers import parse_buyer
from agent.domain.sale.parse import (
    MAX_LINES,
    check_payments,
    check_rates,
    parse_deposits,
    parse_payments,
    read_sale,
    settled,
)
from agent.domain.split_payment import split_payment_due

__all__ = [
    "BaseInvoice",
    "Correction",
    "CorrectionKind",
    "LineChange",
    "Row",
    "after_earlier",
    "apply_pending",
    "base_of_record",
    "difference",
    "named_numbers",
    "parse_correction",
    "parse_outside_base",
    "read_base",
    "remaining",
    "with_ksef_numbers",
    "without_awaiting",
]

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
        return _buyer(fields, plain, base)
    if not base.left:
        raise _nothing_left(base)
    if kind is CorrectionKind.EXCHANGE:
        return _exchange(fields, plain, base, today)
    if kind is CorrectionKind.FULL_RETURN:
        changes: tuple[LineChange, ...] = _emptied(base)
    else:
        changes = _changes(fields, base, kind)
    totals = difference(base, changes)
    if kind is CorrectionKind.PRICE:
        _keep_simplified(fields, base, totals)
    split_payment = base.split_payment or _split_payment_after(base, changes, totals)
    correction = replace(plain, changes=changes, totals=totals, split_payment=split_payment)
    if len(changes) > MAX_CHANGES:
        fields.note("lines", f"jedna korekta może zmienić {MAX_CHANGES} pozycji; podziel ją.", "too-many-lines")
    deposits = _given_back(fields, base) if kind is not CorrectionKind.PRICE else ()
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


def _need_buyer_in_full(fields: Fields, base: BaseInvoice, sale: Sale) -> None:
    """What is taken in exchange is a new invoice: it has the buyer's name and address (art. 106e ust. 1 pkt 3)."""
    if sale.simplified or (base.buyer.name and base.buyer.address):
        return
    fields.note(
        "sale",
        f"faktura {base.reference.number} nie ma nazwy i adresu nabywcy, a nowa musi je mieć (art. 106e ust. 1 pkt 3 "
        "ustawy o VAT). Wystaw zwrot i osobną fakturę albo podaj „simplified” (do 450 zł).",
        "buyer-incomplete",
    )


def _exchange(fields: Fields, plain: Correction, base: BaseInvoice, today: date) -> Correction:
    changes = _changes(fields, base, CorrectionKind.RETURN)
    totals = difference(base, changes)
    deposits = _given_back(fields, base)
    given = parse_payments(fields, vat.ZERO)
    nested = fields.nested("sale")
    fields.finish()
    if nested is None:
        fields.note("sale", "podaj, co klient bierze w zamian.", "required")
        return plain
    sale = read_sale(nested, today=today, seller_nip=base.seller_nip, exchanged=(base.buyer, base.prices))
    if sale.recipient is None:
        sale = replace(sale, recipient=base.recipient)
    _need_buyer_in_full(fields, base, sale)
    if sale.currency != base.currency:
        nested.note("currency", f"faktura {base.reference.number} jest w {base.currency}.", "not-allowed")
    if fields.problems:
        return plain
    returned = -totals.gross - sum((deposit.amount for deposit in deposits), vat.ZERO)
    bought = vat.totals(sale).gross + vat.deposits(sale)
    due = bought - returned
    payments = tuple(each for each in (replace(one, amount=one.amount or abs(due)) for one in given) if each.amount)
    check_payments(fields, payments, abs(due))
    offset = max(vat.ZERO, min(returned, bought))
    set_off = (Payment(OFFSET, offset),) if offset else ()
    if offset and due and not payments:
        payments = (Payment(REST, abs(due)),)
    paid_out, others = _divided(payments, max(vat.ZERO, -bought))
    of_return, of_sale = (others, settled(paid_out, bought)) if due < 0 else ((), payments)
    return replace(
        plain,
        changes=changes,
        totals=totals,
        split_payment=base.split_payment,
        deposits=deposits,
        payments=settled((*set_off, *of_return), -returned),
        replacement=replace(sale, payments=(*set_off, *of_sale)),
    )


def _divided(payments: Sequence[Payment], much: Decimal) -> tuple[tuple[Payment, ...], tuple[Payment, ...]]:
    """Return the payments that make up ``much``, in their order, and what is left of them."""
    first, rest = [], []
    for payment in payments:
        taken = min(payment.amount, much)
        much -= taken
        first.append(replace(payment, amount=taken))
        rest.append(replace(payment, amount=payment.amount - taken))
    return tuple(each for each in first if each.amount), tuple(each for each in rest if each.amount)


def _given_back(fields: Fields, base: BaseInvoice) -> tuple[Deposit, ...]:
    """Read the deposits that go back with the goods, in whatever sign; at most what was paid and is left."""
    given = tuple(Deposit(each.name, -abs(each.amount)) for each in parse_deposits(fields))
    total = -sum((deposit.amount for deposit in given), vat.ZERO)
    if total > base.deposits_left:
        sentence = f"do zwrotu zostało kaucji {base.deposits_left:.2f}, a podano {total:.2f}."
        fields.note("deposits", sentence, "more-than-left")
    return given


def _nothing_left(base: BaseInvoice) -> Conflict:
    return Conflict(
        f"Faktura {base.reference.number} została już skorygowana do zera; nie ma czego zwrócić.", code="nothing-left"
    )


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


def _emptied(base: BaseInvoice) -> tuple[LineChange, ...]:
    return tuple(LineChange(row, row.emptied) for row in base.left)


def _changes(fields: Fields, base: BaseInvoice, kind: CorrectionKind) -> tuple[LineChange, ...]:
    rows = {row.number: row for row in base.rows}
    changes: dict[int, LineChange] = {}
    items = fields.items("lines", maximum=MAX_LINES, required=True)
    if fields.has("lines") and not items:
        fields.note("lines", "podaj choć jedną pozycję.", "empty")
    for index, item in enumerate(items):
        line = Fields.of(item, f"{fields.at('lines')}/{index}", fields.problems, f"wiersz {index + 1} korekty")
        row = None if line is None else _row_of(line, rows)
        if line is None or row is None:
            continue
        if row.number in changes:
            line.note("line", f"pozycja {row.number} jest podana drugi raz.", "duplicate-line")
        after = _returned(line, row) if kind is CorrectionKind.RETURN else _repriced(line, row)
        line.finish()
        if after is not None:
            changes[row.number] = LineChange(row, after)
    return tuple(changes[number] for number in sorted(changes))


def _row_of(line: Fields, rows: Mapping[int, Row]) -> Row | None:
    number = line.take("line", required=True)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or number not in rows:
        listed = f"1–{max(rows)}" if rows else "brak"
        line.note("line", f"faktura nie ma takiej pozycji (ma pozycje: {listed}).", "unknown-line")
        return None
    return rows[number]


def _returned(line: Fields, row: Row) -> Row | None:
    quantity = line.number("quantity", decimals=6, positive=True, required=True)
    if quantity is None:
        return None
    left = row.line.quantity
    if left == 0:
        line.note("quantity", f"pozycja {row.number} została już zwrócona w całości.", "more-than-left")
        return None
    if quantity > left:
        line.note("quantity", f"do zwrotu zostało {amounts.plain(left)} {row.line.unit.rstrip('.')}.", "more-than-left")
        return None
    return _after_return(row, left - quantity)


def _after_return(row: Row, left: Decimal) -> Row:
    """Return the row with ``left`` of its quantity; the discount and an unusual value shrink in proportion."""
    if left == 0:
        return row.emptied
    share = left / row.line.quantity
    line = replace(row.line, quantity=left, discount=vat.round_cents(row.line.discount * share))
    usual = vat.line_value(row.line) == row.value
    value = vat.line_value(line) if usual else vat.round_cents(row.value * share)
    return Row(row.number, line, max(vat.ZERO, value))


def _repriced(line: Fields, row: Row) -> Row | None:
    unit_price = line.number("unit_price", decimals=8, required=True)
    discount = line.number("discount", decimals=2, default=row.line.discount)
    if unit_price is None or discount is None:
        return None
    if row.line.quantity == 0:
        line.note("line", f"pozycja {row.number} została już zwrócona w całości.", "more-than-left")
        return None
    if not row.usual:
        text = f"wartość pozycji {row.number} nie jest ilością razy cena minus rabat. {ELSEWHERE}"
        line.note("line", text, "not-correctable")
        return None
    if unit_price == row.line.unit_price and discount == row.line.discount:
        line.note("unit_price", "to jest dotychczasowa cena.", "no-change")
        return None
    before_discount = vat.raw_value(row.line.quantity, unit_price)
    if discount > before_discount:
        line.note("discount", f"{discount} to więcej niż wartość {before_discount:.2f}.", "discount-too-large")
        return None
    changed = replace(row.line, unit_price=unit_price, discount=discount)
    return Row(row.number, changed, vat.line_value(changed))


def _identity(buyer: Buyer) -> tuple[BuyerKind, str | None, str | None]:
    country = None if buyer.kind is BuyerKind.NIP else buyer.country
    return buyer.kind, buyer.identifier, country


def _buyer(fields: Fields, plain: Correction, base: BaseInvoice) -> Correction:
    given = fields.take("buyer")
    buyer = parse_buyer(given, fields.at("buyer"), fields.problems, seller_nip=base.seller_nip)
    payments = parse_payments(fields)
    fields.finish()
    if _identity(buyer) == _identity(base.buyer):
        if (buyer.name, buyer.address) == (base.buyer.name, base.buyer.address) and not fields.problems:
            fields.note("buyer", "to są dotychczasowe dane nabywcy.", "no-change")
        if payments:
            fields.note("payments", "korekta nazwy lub adresu niczego nie rozlicza.", "not-allowed")
        return replace(plain, buyer=buyer, buyer_before=base.buyer)
    if not base.left:
        raise _nothing_left(base)
    if base.to_receipt and not fields.problems.noted(fields.at("buyer")) and moves_receipt(base.buyer, buyer):
        fields.note(
            "buyer",
            f"faktura {base.reference.number} jest do paragonu, więc jej nabywca nie może dostać innego numeru. {RULE} "
            "Skoryguj ją do zera, a nową wystaw tylko na firmę, której numer jest na paragonie.",
            "receipt-nip-differs",
        )
        return plain
    if base.to_receipt and base.receipt is None:
        raise Conflict(
            f"Faktura {base.reference.number} jest do paragonu, ale go nie wskazuje. {ELSEWHERE}",
            code="not-correctable",
        )
    if not all(row.usual for row in base.left):
        raise Conflict(
            f"Faktura {base.reference.number} ma pozycję, której wartość nie jest ilością razy cena minus rabat. "
            f"{ELSEWHERE}",
            code="not-correctable",
        )
    changes = _emptied(base)
    lines = tuple(row.line for row in base.left)
    check_rates(fields.at("lines"), lines, buyer, fields.problems)
    replacement = Sale(
        buyer=buyer,
        prices=base.prices,
        lines=lines,
        payments=payments,
        sold_on=base.sold_on or base.reference.issued_on,
        currency=base.currency,
        exchange_rate=base.exchange_rate,
        receipt=base.receipt,
        notes=base.notes,
        deposits=base.deposits_standing,
        recipient=base.recipient if buyer.kind is BuyerKind.NIP else None,
        exemption=base.exemption if any(line.vat is VatRate.EXEMPT for line in lines) else None,
        exemption_basis=base.exemption_basis,
    )
    due = vat.totals(replacement).gross + vat.deposits(replacement)
    if not fields.problems:
        check_payments(fields, payments, abs(due))
    replacement = replace(replacement, payments=settled(payments, due))
    turned = tuple(Deposit(each.name, -each.amount) for each in base.deposits_standing)
    correction = replace(
        plain, changes=changes, totals=difference(base, changes), deposits=turned, replacement=replacement
    )
    settled_by_it = (Payment(NEW_INVOICE, correction.due),) if correction.due else ()
    return replace(correction, payments=settled_by_it)
