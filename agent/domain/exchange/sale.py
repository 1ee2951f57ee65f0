"""FS, and PA with a buyer's NIP, as the sale that the JSON API takes: all rules of a sale hold once, there.

What EDI++ has no field for comes from the settings (Conventions) or stands in the remarks: the number of the fiscal
receipt as "paragon W001234", the unique number of the register as "EAZ 2301234567" (art. 106h), the buyer's number on
the receipt of an FS as "NIP na paragonie 5260250274" (art. 106b ust. 5). A PA is the receipt: its NIP stands on it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from agent.domain import vat
from agent.domain.exchange.buyer import buyer_of, number_of
from agent.domain.exchange.file import Document, ExchangeFile, names_of
from agent.domain.exchange.lines import PACKAGING, Line, Terms, line_fields, read_lines
from agent.domain.exchange.payments import payments_of
from agent.domain.exchange.rates import TRANSACTIONS
from agent.domain.exchange.sums import StatedSums, stated_sums
from agent.domain.exchange.values import ZERO, Values, plain
from agent.domain.invoice import Sale
from agent.domain.json_io.reader import Problems
from agent.domain.values import dataclass

INVOICE, CORRECTION, RECEIPT = "FS", "KFS", "PA"
ISSUED = frozenset({1, 3})
"""Field 2: carried out, or booked already."""
CASH_ACCOUNTING = 100
"""Field 41, from here: the seller uses cash accounting (P_16)."""
PLAIN_STATES = frozenset({0, 73})
"""Field 41: nothing special, and a simplified invoice."""
REGISTERED = 0x03
"""Field 3: registered on the fiscal printer once, or more than once."""
REMARKS, COMMENT, SUBTITLE = 49, 50, 51
MAX_NOTE = 256
_RECEIPT = re.compile(
    r"paragon\w*+(?:[\s:.]|nr|numer|fiskaln\w*+)*+((?=\S*[0-9])[0-9A-Z][0-9A-Z/.-]{0,40})", re.IGNORECASE
)
_ON_RECEIPT = re.compile(r"NIP na paragonie[\s:]*([A-Z]{0,2}[\s-]?[0-9](?:[\s.-]?[0-9]){7,13})", re.IGNORECASE)
_REGISTER = re.compile(r"\b([A-Z]{3}) ?([0-9]{10})\b")


@dataclass(frozen=True, slots=True)
class Conventions:
    """What the shop's settings say of its files. Empty text: nothing."""

    seller_nip: str
    exemption: str = ""
    """Legal basis of rate zw."""
    register: str = ""
    """Unique number of the register whose receipts become invoices."""
    receipt_is_document: bool = False
    """The number of a PA is the number of its fiscal receipt."""


@dataclass(frozen=True, slots=True)
class ExchangeSale:
    """A sale as the JSON API takes it, and the sums of the file it has to meet."""

    document: Mapping[str, object]
    sums: StatedSums

    def check(self, sale: Sale) -> None:
        """Raise BadInput (epp-sums-differ) where the checked sale has other sums."""
        self.sums.check(vat.totals(sale))


def sale_of(found: ExchangeFile, document: Document, conventions: Conventions) -> ExchangeSale:
    """Return the sale of an FS or PA; BadInput with every mistake found in its records."""
    problems = Problems()
    header = Values(document.header, problems)
    check_document(found, document, header, conventions)
    terms = terms_of(header)
    lines = read_lines(found, document, terms, problems)
    goods, packaging = _packaging_apart(lines, header, terms)
    deposits = _deposits(packaging, header)
    sums = stated_sums(document.name, header)
    sale: dict[str, object] = {
        "buyer": buyer_of(found, document, header),
        "prices": "net" if terms.net_prices else "gross",
        "lines": [
            line_fields(
                line,
                found,
                discounted=terms.discount_percent != 0,
                annex_15=any(name in found.split_payment for name in names_of(document)),
            )
            for line in goods
        ],
        "deposits": [{"name": name, "amount": plain(amount)} for name, amount in deposits],
        "notes": _notes(header),
    }
    gross = sums.gross if sums.gross is not None else sum((line.gross for line in goods), ZERO)
    sale["payments"] = payments_of(header, gross + sum((amount for _, amount in deposits), ZERO))
    sale |= _optional(document, header, conventions, exempt=any(line.rate == "zw" for line in goods))
    if receipt := _receipt(found, document, header, conventions):
        sale["receipt"] = receipt
    problems.raise_if_any(f"Dokument {document.name}")
    return ExchangeSale({name: value for name, value in sale.items() if value != []}, sums)


def check_document(found: ExchangeFile, document: Document, header: Values, conventions: Conventions) -> None:
    """Note why a document of a kind we know cannot be issued."""
    sender = re.sub("[^0-9]", "", found.info.text(11))
    if sender and sender != conventions.seller_nip:
        text = f"plik wysłała firma o NIP {sender}, a ta kasa wystawia faktury firmy o NIP {conventions.seller_nip}."
        Values(found.info, header.problems).note(11, "NIP nadawcy", text, "epp-seller")
    state = header.whole(2, "status")
    if state not in ISSUED:
        word = {0: "odłożony, czyli jeszcze niewystawiony", 2: "anulowany"}.get(state, "w nieznanym stanie")
        header.note(2, "status", f"dokument jest {word}.", "epp-unsupported")
    special = header.whole(41, "status rozszerzony")
    if special >= CASH_ACCOUNTING:
        header.note(41, "status rozszerzony", "metody kasowej ta kasa nie oznacza (P_16).", "epp-unsupported")
    elif special not in PLAIN_STATES:
        text = "zaliczek i innych szczególnych faktur ta kasa nie wystawia; wyślij gotowy plik FA(3)."
        header.note(41, "status rozszerzony", text, "epp-unsupported")
    if header.whole(55, "rodzaj transakcji") not in TRANSACTIONS:
        text = "takiej transakcji ta kasa nie wystawia; wyślij gotowy plik FA(3)."
        header.note(55, "rodzaj transakcji", text, "epp-unsupported")
    count = header.given(25, "liczba pozycji")
    if not document.lines or (count is not None and count != len(document.lines)):
        text = f"w pliku jest ich {len(document.lines)}; plik jest niekompletny."
        header.note(25, "liczba pozycji", text, "epp-malformed")


def terms_of(header: Values) -> Terms:
    """Read what the header says for all lines."""
    prefix = header.text(61).upper()
    return Terms(
        net_prices=header.flag(26, "ceny netto"),
        transaction=header.whole(55, "rodzaj transakcji"),
        in_union=prefix not in {"", "PL"},
        discount_percent=header.amount(33, "rabat"),
    )


def _packaging_apart(lines: list[Line], header: Values, terms: Terms) -> tuple[list[Line], list[Line]]:
    """Part returnable packaging from the goods: it is no part of the sums where the header leaves it out of them."""
    packaging = [line for line in lines if line.kind == PACKAGING]
    stated = header.given(*((28, "netto") if terms.net_prices else (30, "brutto")))
    goods = [line for line in lines if line.kind != PACKAGING]
    if packaging and stated == sum((line.value for line in goods), ZERO):
        return goods, packaging
    return lines, []


def _deposits(packaging: list[Line], header: Values) -> list[tuple[str, Decimal]]:
    """Return name and amount of each deposit; what the header adds up without naming it is one."""
    if header.amount(46, "zwrócone opakowania") != 0:
        header.note(46, "zwrócone opakowania", "zwrot opakowań rozlicz osobno, poza fakturą.", "epp-unsupported")
    given = header.amount(45, "wydane opakowania")
    deposits = [(line.name, line.gross) for line in packaging]
    if given and given != sum((amount for _, amount in deposits), ZERO):
        return [("Opakowania zwrotne", given)]
    return deposits


def _notes(header: Values) -> list[dict[str, str]]:
    notes = (("Zamówienie", header.text(10)), ("Uwagi", header.text(REMARKS)))
    return [{"key": key, "value": value[:MAX_NOTE]} for key, value in notes if value]


def _optional(document: Document, header: Values, conventions: Conventions, *, exempt: bool) -> dict[str, object]:
    fields: dict[str, object] = {}
    if document.number:
        fields["external_ref"] = document.number
    issued_on = header.day(22, "data wystawienia")
    sold_on = header.day(23, "data sprzedaży") or issued_on
    if sold_on is not None:
        fields["sold_on"] = sold_on.isoformat()
    currency = header.text(47).upper() or "PLN"
    if currency != "PLN":
        fields |= {"currency": currency, "exchange_rate": plain(header.amount(48, "kurs"))}
    if exempt and conventions.exemption:
        fields["exemption"] = conventions.exemption
    return fields


def _receipt(
    found: ExchangeFile, document: Document, header: Values, conventions: Conventions
) -> dict[str, object] | None:
    """The fiscal receipt of the sale: a PA is one, and an FS may have been registered too."""
    remarks = " ".join(header.text(number) for number in (REMARKS, COMMENT, SUBTITLE))
    said = _ON_RECEIPT.search(remarks)
    remarks = _ON_RECEIPT.sub(" ", remarks)  # else it would be read as the receipt's own number
    number = _RECEIPT.search(remarks)
    register = _REGISTER.search(remarks)
    registered = document.kind == RECEIPT or header.whole(3, "rejestracja fiskalna") & REGISTERED != 0
    if not registered and number is None:
        return None
    text = number[1] if number is not None else ""
    if not text and document.kind == RECEIPT and conventions.receipt_is_document:
        text = document.number
    unique = f"{register[1]} {register[2]}" if register is not None else conventions.register
    buyer = number_of(found, document)
    on_receipt = said[1] if said is not None else buyer if document.kind == RECEIPT else ""
    missing = [
        *([] if on_receipt or not buyer else ["numeru nabywcy na paragonie (w uwagach dopisz „NIP na paragonie …”)"]),
        *([] if text else ["numeru paragonu (w uwagach dopisz np. „paragon W001234”)"]),
        *([] if unique else ["numeru unikatowego kasy (w uwagach albo w ustawieniach)"]),
    ]
    if missing:
        sentence = f"sprzedaż jest na paragonie, a brakuje {' i '.join(missing)}; art. 106b ust. 5 i 106h ustawy o VAT."
        header.note(REMARKS, "uwagi", sentence, "epp-receipt")
        return None
    return {"number": text, "register": unique} | ({"nip": on_receipt} if on_receipt else {})
