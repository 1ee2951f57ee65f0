"""The sale's JSON (the contract of POST /v1/invoices and ``issue FILE``) -> Sale, or every mistake at once.

    {"buyer": {...}, "recipient": {...}, "prices": "gross" | "net",
     "lines": [{"name", "quantity", "unit", "unit_price", "vat", "discount", "gtu",
                "annex_15": true}],
     "payments": [{"method", "amount", "due"}], "deposits": [{"name", "amount"}], "sold_on": "YYYY-MM-DD",
     "currency": "PLN", "exchange_rate": PLN for one unit, "receipt": {"number", "register", "nip"},
     "notes": [{"key", "value"}], "external_ref",
     "simplified": true, "exemption": text | {"act" | "directive" | "other": text}}

Required: prices and lines, and in a line name, quantity, unit_price, vat; "unit" is "szt." unless given. Amounts are
decimal strings; JSON integers are taken, floats are not, since 0.1 is none. ``unit_price`` and ``discount`` (of the
whole line) are gross or net as "prices" says. ``payments`` are
optional and, when given, add up to the total and the ``deposits`` (kaucja for packaging, which is no part of the total;
negative where empty packaging is given back); where both come to less than nothing, the payments are what the customer
gets, in positive amounts. ``due`` is for what is paid later.
``annex_15`` marks goods and services of annex 15 to the VAT Act, for split payment (split_payment.py).
``simplified`` makes a simplified invoice (UPR) of at most 450 PLN or 100 EUR, for a buyer with a number, whose name and
address may be left out (simplified.py).
``exchange_rate`` is required unless PLN, but not where every line is np I or np II: no tax is stated in PLN then.
``exemption`` is the legal basis of rate "zw" (P_19A; "directive" P_19B, "other" P_19C).
``receipt.nip`` is the buyer's number on the fiscal receipt: required of a buyer with NIP or VAT UE number, and his
(fiscal_receipt.py).

Codes beside those of reader.py and buyers.py: empty-basket, too-many-lines, unknown-vat-rate, rate-not-in-force,
discount-too-large, payments-do-not-add-up, date-in-future, date-too-old, exchange-rate, exemption-missing,
exemption-needless, rate-needs-nip, rate-needs-eu-vat, ptu-letter, ean, receipt-nip-missing, receipt-nip-differs,
simplified-limit, simplified-buyer, simplified-rate.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from agent.domain import fiscal_receipt, simplified, vat
from agent.domain.characters import is_word
from agent.domain.fa3.code_lists import CURRENCIES
from agent.domain.fa3.reverse_charge import UNTIL
from agent.domain.identifiers import valid_gtin
from agent.domain.invoice import (
    SUPPLIED_ABROAD,
    Buyer,
    BuyerKind,
    Deposit,
    ExemptionBasis,
    Note,
    Payment,
    Prices,
    ReceiptLink,
    Sale,
    SaleLine,
    VatRate,
)
from agent.domain.json_io.reader import MAX_INTEGER_DIGITS, Fields, Problems, shown
from agent.domain.payment_methods import RECEIVED, TRANSFER, by_transfer, method_of
from agent.domain.sale.buyers import parse_buyer
from agent.domain.sale.ptu import PTU_LETTERS
from agent.domain.sale.recipients import parse_recipient

MAX_LINES = 10_000
MAX_NOTES = 1_000
MAX_PAYMENTS = 100
MAX_DEPOSITS = 100
OLDEST_DUE, NEWEST_DUE = date(2016, 7, 1), date(2050, 12, 31)
"""TData."""
OLDEST_SALE_YEARS = 6
"""A sale is older than the limitation of its tax (5 years from the end of the year; Tax Ordinance art. 70)."""

_GTU = tuple(f"GTU_{number:02}" for number in range(1, 14))
ALL_RATES = frozenset(VatRate)
RATES_IN_FORCE = ALL_RATES - {VatRate.R22, VatRate.R7, VatRate.R3, VatRate.REVERSE_CHARGE}
"""Of what a till sells today (art. 41, 146ef): 22, 7 and 3 belong to the past, oo to ready documents (art. 145e)."""
GOODS_ONLY = ("XI", VatRate.NOT_SUBJECT_II)
"""Northern Ireland is in the Union for goods: its firms are no buyers of art. 100 ust. 1 pkt 4 (services, np II)."""
_PAST_RATE = "ta stawka już nie obowiązuje; może być tylko na korekcie dawnej faktury i w gotowym FA(3)."
_REVERSE_CHARGE = (
    "odwrotnego obciążenia w sprzedaży krajowej przy kasie już nie ma; wyjątki z art. 145e ustawy o VAT (sprzedaż do "
    f"{UNTIL:%d.%m.%Y}) wyślij jako gotowy FA(3)."
)
_LIMIT = Decimal(10) ** MAX_INTEGER_DIGITS
_EXEMPTION_WORDS = {
    "act": ExemptionBasis.ACT,
    "directive": ExemptionBasis.DIRECTIVE,
    "other": ExemptionBasis.OTHER,
}


def parse_sale(document: object, *, today: date, seller_nip: str | None = None) -> Sale:
    """Return the sale of a decoded JSON document; BadInput with all mistakes otherwise.

    today       the date in Poland: nothing may be sold later
    seller_nip  who sells, and so cannot be the buyer; None: not known here
    """
    problems = Problems()
    fields = Fields.of(document, "", problems)
    sale = None if fields is None else read_sale(fields, today=today, seller_nip=seller_nip)
    problems.raise_if_any("Sprzedaż")
    assert sale is not None
    return sale


def read_sale(
    fields: Fields,
    *,
    today: date,
    seller_nip: str | None = None,
    issued_elsewhere: bool = False,
    exchanged: tuple[Buyer, Prices] | None = None,
) -> Sale:
    """Read a sale's fields and finish them; the result is good only where no mistake was noted.

    issued_elsewhere  the invoice exists already, so whether its receipt allowed it is not asked any more
    exchanged         buyer and prices of the invoice whose goods are exchanged: the sale says neither, nor payments
    """
    problems = fields.problems
    is_simplified = fields.flag("simplified")
    if exchanged is not None:
        buyer, prices = exchanged
    else:
        buyer = parse_buyer(
            fields.take("buyer"), fields.at("buyer"), problems, seller_nip=seller_nip, in_full=not is_simplified
        )
        prices = Prices(fields.word("prices", tuple(Prices), required=True) or Prices.GROSS)
    lines = _lines(fields, ALL_RATES if issued_elsewhere else RATES_IN_FORCE)
    exemption, basis = _exemption(fields, lines)
    currency = fields.word("currency", CURRENCIES) or "PLN"
    sale = Sale(
        buyer=buyer,
        prices=prices,
        lines=tuple(line for line in lines if line is not None),
        payments=() if exchanged is not None else parse_payments(fields),
        sold_on=_sold_on(fields, today),
        currency=currency,
        exchange_rate=_exchange_rate(fields, currency, lines),
        receipt=_receipt(fields, None if issued_elsewhere else buyer),
        notes=_notes(fields),
        external_ref=fields.text("external_ref", maximum=256),
        exemption=exemption,
        exemption_basis=basis,
        deposits=parse_deposits(fields),
        recipient=parse_recipient(fields.take("recipient"), fields.at("recipient"), buyer, problems),
        simplified=is_simplified,
        printed_here=fields.flag("print") or not fields.has("print"),
    )
    fields.finish()
    check_rates(fields.at("lines"), lines, buyer, problems)
    if lines and None not in lines:
        total = vat.totals(sale).gross
        if exchanged is None:
            due = total + vat.deposits(sale)
            check_payments(fields, sale.payments, abs(due))
            sale = replace(sale, payments=settled(sale.payments, due))
        if total >= _LIMIT:
            fields.note("lines", f"suma ma więcej niż {MAX_INTEGER_DIGITS} cyfr przed kropką.", "amount-too-large")
        if is_simplified:
            _check_simplified(fields, sale, total)
    return sale


def _check_simplified(fields: Fields, sale: Sale, total: Decimal) -> None:
    rates = () if sale.exchange_rate is None else (sale.exchange_rate,)
    too_large = simplified.total_mistake(total, sale.currency, rates)
    if too_large is not None:
        fields.note("simplified", too_large, "simplified-limit")
    nobody = simplified.buyer_mistake(sale.buyer)
    if nobody is not None and not fields.problems.noted(fields.at("buyer")):
        fields.note("buyer", nobody, "simplified-buyer")
    if any(simplified.rate_mistakes([vat.FIELD[line.vat] for line in sale.lines])):
        fields.note(
            "simplified",
            "faktury uproszczonej nie wystawia się dla WDT ani usług „np II” (art. 106e ust. 6).",
            "simplified-rate",
        )


def _lines(fields: Fields, rates: Collection[VatRate]) -> list[SaleLine | None]:
    value = fields.take("lines", required=True)
    if isinstance(value, list) and not value:
        fields.note("lines", "koszyk jest pusty.", "empty-basket")
    if isinstance(value, list) and len(value) > MAX_LINES:
        fields.note("lines", f"faktura może mieć najwyżej {MAX_LINES} pozycji.", "too-many-lines")
        return []
    items = fields.items("lines", maximum=MAX_LINES)
    place = fields.at("lines")
    return [_line(item, f"{place}/{index}", fields.problems, rates) for index, item in enumerate(items)]


def _line(value: object, pointer: str, problems: Problems, rates: Collection[VatRate]) -> SaleLine | None:
    """Read one line; ``pointer`` ends with its index."""
    position = int(pointer.rsplit("/", 1)[-1]) + 1
    fields = Fields.of(value, pointer, problems, f"pozycja {position}")
    if fields is None:
        return None
    name = fields.text("name", maximum=512, required=True)
    quantity = fields.number("quantity", decimals=6, positive=True, required=True)
    unit = fields.text("unit", maximum=256)
    unit_price = fields.number("unit_price", decimals=8, required=True)
    rate = _rate(fields, rates)
    discount = fields.number("discount", decimals=2, default=vat.ZERO)
    gtu = fields.word("gtu", _GTU)
    annex_15 = fields.flag("annex_15")
    sku, ean = fields.text("sku", maximum=50), _ean(fields)
    fields.finish()
    if name is None or quantity is None or unit_price is None or rate is None or discount is None:
        return None
    before = vat.raw_value(quantity, unit_price)
    if before >= _LIMIT:
        fields.note_all(f"wartość ma więcej niż {MAX_INTEGER_DIGITS} cyfr przed kropką.", "amount-too-large")
        return None
    if discount > before:
        fields.note("discount", f"{discount} jest większy niż wartość pozycji {before:.2f}.", "discount-too-large")
        return None
    return SaleLine(name, quantity, unit or "szt.", unit_price, rate, discount, gtu, annex_15, sku, ean)


def _ean(fields: Fields) -> str | None:
    ean = fields.text("ean", maximum=14)
    if ean is None or valid_gtin(ean):
        return ean
    fields.note(
        "ean", f"„{shown(ean)}” nie jest kodem EAN ani UPC (8, 12, 13 albo 14 cyfr, ostatnia kontrolna).", "ean"
    )
    return None


def _rate(fields: Fields, rates: Collection[VatRate]) -> VatRate | None:
    value = fields.take("vat", required=True)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value < 100 else "?"
    if value in PTU_LETTERS:
        fields.note("vat", f"litera „{value}” nie ma stawki w ustawieniach kasy ([ptu]).", "ptu-letter")
        return None
    if not isinstance(value, str) or value not in ALL_RATES:
        listed = ", ".join(rate for rate in VatRate if rate in rates)
        fields.note("vat", f"nieznana „{shown(value)}”; dozwolone: {listed}.", "unknown-vat-rate")
        return None
    rate = VatRate(value)
    if rate not in rates:
        fields.note("vat", _REVERSE_CHARGE if rate is VatRate.REVERSE_CHARGE else _PAST_RATE, "rate-not-in-force")
        return None
    return rate


def _exemption(fields: Fields, lines: list[SaleLine | None]) -> tuple[str | None, ExemptionBasis]:
    basis = ExemptionBasis.ACT
    if isinstance(fields.take("exemption"), dict):
        text = None
        nested = fields.nested("exemption")
        given = [word for word in _EXEMPTION_WORDS if nested is not None and nested.has(word)]
        if nested is not None and len(given) == 1:
            text = nested.text(given[0], maximum=256, required=True)
            basis = _EXEMPTION_WORDS[given[0]]
            nested.finish()
        else:
            fields.note("exemption", "podaj jedno z pól: act, directive, other.", "not-allowed")
    else:
        text = fields.text("exemption", maximum=256)
    exempt = [index for index, line in enumerate(lines) if line is not None and line.vat is VatRate.EXEMPT]
    names_nothing = text is not None and not is_word(text)
    if exempt and (names_nothing or not fields.says("exemption")):
        fields.note(
            "exemption",
            f"pozycja {exempt[0] + 1} ma stawkę „zw”: podaj podstawę prawną zwolnienia, np. „art. 43 ust. 1 pkt 19”.",
            "exemption-missing",
        )
    if text is not None and not exempt and lines and None not in lines:
        fields.note(
            "exemption", "podano podstawę zwolnienia, a żadna pozycja nie ma stawki „zw”.", "exemption-needless"
        )
    return text, basis


def _sold_on(fields: Fields, today: date) -> date | None:
    sold_on = fields.day("sold_on")
    if sold_on is None:
        return None
    if sold_on > today:
        fields.note("sold_on", f"{sold_on} jest w przyszłości (dziś jest {today}).", "date-in-future")
        return None
    if sold_on.year < today.year - OLDEST_SALE_YEARS:
        fields.note("sold_on", f"{sold_on} jest zbyt odległą datą; sprawdź rok.", "date-too-old")
        return None
    return sold_on


def _exchange_rate(fields: Fields, currency: str, lines: Sequence[SaleLine | None]) -> Decimal | None:
    """Read the rate by which the tax is stated in PLN (art. 31a, 106e ust. 11); of supplies abroad there is none."""
    rate = fields.number("exchange_rate", decimals=6, positive=True)
    if currency == "PLN" and fields.has("exchange_rate"):
        fields.note("exchange_rate", "faktura jest w złotych, więc nie ma kursu waluty.", "exchange-rate")
        return None
    abroad = bool(lines) and all(line is not None and line.vat in SUPPLIED_ABROAD for line in lines)
    if currency != "PLN" and not fields.has("exchange_rate") and not abroad:
        fields.note("exchange_rate", f"podaj, ile złotych kosztuje 1 {currency}.", "exchange-rate")
    return rate


def _receipt(fields: Fields, buyer: Buyer | None) -> ReceiptLink | None:
    """Read "receipt"; it has to carry the number of ``buyer``, where one is given and no mistake was found in him."""
    nested = fields.nested("receipt")
    if nested is None:
        return None
    number = nested.text("number", maximum=256, required=True)
    register = nested.text("register", maximum=256)
    nip = nested.text("nip", maximum=fiscal_receipt.MAX_NUMBER)
    nested.finish()
    problems = fields.problems
    if buyer is not None and not problems.noted(fields.at("buyer")) and not problems.noted(nested.at("nip")):
        mistake = fiscal_receipt.receipt_mistake(buyer, nip)
        if mistake is not None:
            problems.add(nested.at("nip"), f"paragon: {mistake.sentence}", mistake.code)
    return None if number is None else ReceiptLink(number, register, nip)


def _notes(fields: Fields) -> tuple[Note, ...]:
    notes = []
    for index, item in enumerate(fields.items("notes", maximum=MAX_NOTES)):
        nested = Fields.of(item, f"{fields.at('notes')}/{index}", fields.problems, f"uwaga {index + 1}")
        if nested is None:
            continue
        key = nested.text("key", maximum=256, required=True)
        value = nested.text("value", maximum=256, required=True)
        nested.finish()
        if key is not None and value is not None:
            notes.append(Note(key, value))
    return tuple(notes)


def parse_deposits(fields: Fields) -> tuple[Deposit, ...]:
    """Read "deposits"."""
    deposits = []
    for index, item in enumerate(fields.items("deposits", maximum=MAX_DEPOSITS)):
        nested = Fields.of(item, f"{fields.at('deposits')}/{index}", fields.problems, f"kaucja {index + 1}")
        if nested is None:
            continue
        name = nested.text("name", maximum=256, required=True)
        paid = nested.number("amount", decimals=2, signed=True, required=True)
        nested.finish()
        if paid == 0:
            nested.note("amount", "musi być różna od zera.", "not-positive")
        elif name is not None and paid is not None:
            deposits.append(Deposit(name, paid))
    return tuple(deposits)


def parse_payments(fields: Fields, whole: Decimal | None = None) -> tuple[Payment, ...]:
    """Read "payments"; an unknown method is kept as the payment's own description (PlatnoscInna), never as paid.

    ``whole``: what an only payment without amount pays; None where the amount has to be given.
    """
    payments = []
    given = fields.items("payments", maximum=MAX_PAYMENTS)
    rest = whole if len(given) == 1 else None
    for index, item in enumerate(given):
        nested = Fields.of(item, f"{fields.at('payments')}/{index}", fields.problems, f"płatność {index + 1}")
        if nested is None:
            continue
        typed = nested.text("method", maximum=256, required=True)
        paid = nested.number("amount", decimals=2, positive=True, required=rest is None, default=rest)
        due = nested.day("due")
        nested.finish()
        method = None if typed is None else method_of(typed)
        if method is not None and due is not None and by_transfer(method):
            method = TRANSFER  # "przelew 14 dni", and the day itself is given
        if due is not None and method in RECEIVED:
            nested.note("due", "termin ma tylko płatność na później, np. transfer albo credit.", "not-allowed")
        elif due is not None and not OLDEST_DUE <= due <= NEWEST_DUE:
            nested.note("due", f"{due} jest zbyt odległą datą; sprawdź rok.", "date-too-old")
        if method is not None and paid is not None:
            payments.append(Payment(method, paid, due))
    return tuple(payments)


def settled(payments: tuple[Payment, ...], due: Decimal) -> tuple[Payment, ...]:
    """Give the amounts the sign of what is due: money given back is negative."""
    if due >= 0:
        return payments
    return tuple(replace(payment, amount=-payment.amount) for payment in payments)


def check_payments(fields: Fields, payments: tuple[Payment, ...], total: Decimal) -> None:
    """Note payments that do not add up to ``total``; silent where some payment is already known to be wrong."""
    given = fields.items("payments", maximum=MAX_PAYMENTS)
    if not given or len(given) != len(payments):
        return
    paid = sum((payment.amount for payment in payments), vat.ZERO)
    if paid != total:
        fields.note("payments", f"razem {paid:.2f}, a do zapłaty jest {total:.2f}.", "payments-do-not-add-up")


def check_rates(pointer: str, lines: Sequence[SaleLine | None], buyer: Buyer, problems: Problems) -> None:
    """Rates that only some buyers may have: 0 WDT (art. 42), np II (art. 100), once oo (art. 17 ust. 1 pkt 7-8)."""
    for index, line in enumerate(lines):
        if line is None:
            continue
        place = f"{pointer}/{index}/vat"
        if line.vat is VatRate.REVERSE_CHARGE and buyer.kind is not BuyerKind.NIP:
            problems.add(
                place, f"pozycja {index + 1}: stawka „oo” jest tylko dla nabywcy z polskim NIP.", "rate-needs-nip"
            )
        in_the_union = buyer.kind is BuyerKind.EU_VAT and (buyer.country, line.vat) != GOODS_ONLY
        if line.vat in {VatRate.ZERO_WDT, VatRate.NOT_SUBJECT_II} and not in_the_union:
            problems.add(
                place,
                f"pozycja {index + 1}: stawka „{line.vat}” jest tylko dla nabywcy z numerem VAT UE innego kraju.",
                "rate-needs-eu-vat",
            )
