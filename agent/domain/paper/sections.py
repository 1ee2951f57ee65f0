"""Everything on the paper of an invoice but its lines: dates, correction, sums, payment, annotations, notes, terms."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import zip_longest

from agent.domain.amounts import amount, plain
from agent.domain.fa3.view.document import FaView, Heading
from agent.domain.fa3.view.notes import AttachedBlock, AttachedTable
from agent.domain.fa3.view.payment import BankAccount, PaymentView
from agent.domain.fa3.view.related import CorrectionView
from agent.domain.fa3.view.terms import Reference, Transport
from agent.domain.paper.lines import common_exchange_rate, order_lines
from agent.domain.paper.parties import party
from agent.domain.paper.receipt import Align, Element, Pair, Text
from agent.domain.paper.wording import (
    CARGO_KINDS,
    CORRECTION_EFFECTS,
    MARGIN_WORDS,
    TRANSPORT_KINDS,
    TRIANGULAR_WORDS,
    VEHICLE_DETAILS,
    address_lines,
    payment_form,
)

TO_PAY = "Razem do zapłaty"
TO_GIVE_BACK = "Do zwrotu"
TO_SETTLE = "Do zwrotu lub rozliczenia"
"""DoRozliczenia of a sale, in the words of the schema: a shop's system may keep it for the next invoice."""


def dates(view: FaView) -> list[Element]:
    """Art. 106e ust. 1 pkt 1, 6; place, warehouse documents."""
    elements: list[Element] = [Pair("Data wystawienia", view.issued_on.isoformat())]
    if view.issued_at_place:
        elements.append(Text(f"Miejsce wystawienia: {view.issued_at_place}"))
    if view.sold_on is not None:
        word = "Data otrzymania zapłaty" if view.kind.advance else "Data sprzedaży"
        elements.append(Pair(word, view.sold_on.isoformat()))
    if view.period is not None:
        elements.append(Pair("Okres", f"{view.period[0].isoformat()} – {view.period[1].isoformat()}"))
    if view.warehouse_documents:
        elements.append(Text(f"WZ: {', '.join(view.warehouse_documents)}"))
    if view.currency != "PLN":
        elements.append(Pair("Waluta", view.currency))
    rate = common_exchange_rate(view) or view.advance_exchange_rate
    if rate is not None:
        word = "Kurs waluty" if view.currency == "PLN" else f"Kurs (PLN za 1 {view.currency})"
        elements.append(Pair(word, plain(rate)))
    return elements


def reissue(day: date) -> list[Element]:
    """The date of a reissue, which an invoice of a total failure has to bear (art. 106l ust. 3)."""
    return [Text(f"Data ponownego wystawienia: {day.isoformat()}", Align.CENTER)]


def correction(what: CorrectionView) -> list[Element]:
    """What is corrected and why (art. 106j ust. 2 pkt 2, 2a, 3, ust. 3)."""
    elements: list[Element] = []
    for base in what.bases:
        elements.append(Text(f"Dotyczy faktury nr {base.number} z {base.issued_on.isoformat()}"))
        if base.ksef_number is not None:
            elements.append(Text("Numer KSeF:"))
            elements.append(Text(base.ksef_number, unbroken=True))
        else:
            elements.append(Text("wystawionej poza KSeF"))
    if what.right_number:
        elements.append(Text(f"Poprawny numer faktury korygowanej: {what.right_number}"))
    if what.period:
        elements.append(Text(f"Okres: {what.period}"))
    if what.reason:
        elements.append(Text(f"Przyczyna korekty: {what.reason}", bold=True))
    if what.effect in CORRECTION_EFFECTS:
        elements.append(Text(f"Skutek korekty: {CORRECTION_EFFECTS[what.effect]}"))
    if what.seller_before is not None:
        elements += party("Sprzedawca przed korektą", what.seller_before)
    for buyer in what.buyers_before:
        elements += party("Nabywca przed korektą", buyer)
    if what.gross_before is not None:
        elements.append(Pair("Kwota przed korektą", amount(what.gross_before)))
    if what.exchange_rate_before is not None:
        elements.append(Pair("Kurs przed korektą", plain(what.exchange_rate_before)))
    return elements


def totals(view: FaView) -> list[Element]:
    """P_15, then what is added and taken off (Rozliczenie); in large letters what changes hands."""
    settlement = view.settlement
    otherwise = settlement is not None and (settlement.to_pay is not None or settlement.to_settle is not None)
    elements: list[Element] = _gross(view, paid_otherwise=otherwise)
    if settlement is None:
        return elements
    elements.extend(Pair(charge.reason, f"+{amount(charge.amount)}") for charge in settlement.charges)
    elements.extend(Pair(charge.reason, amount(-charge.amount)) for charge in settlement.deductions)
    if settlement.to_pay is not None:
        elements.append(_large(TO_PAY, settlement.to_pay, view.currency))
    if settlement.to_settle is not None:
        elements.append(_large(word_to_settle(view), settlement.to_settle, view.currency))
    return elements


def word_to_settle(view: Heading) -> str:
    """What DoRozliczenia is called."""
    return TO_GIVE_BACK if view.kind.corrects else TO_SETTLE


def _gross(view: FaView, *, paid_otherwise: bool) -> list[Element]:
    """What P_15 means in each kind."""
    if view.kind.corrects:
        difference: list[Element] = [Pair("Kwota korekty", f"{amount(view.gross)} {view.currency}")]
        if not view.gross or (view.settlement is not None and view.settlement.to_settle is not None):
            return difference
        return [*difference, _large(TO_GIVE_BACK if view.gross < 0 else "Do dopłaty", abs(view.gross), view.currency)]
    if paid_otherwise:
        return [Pair("Suma", f"{amount(view.gross)} {view.currency}", bold=True)]
    return [_large("Zapłata" if view.kind.advance else TO_PAY, view.gross, view.currency)]


def _large(word: str, value: Decimal, currency: str) -> Pair:
    return Pair(f"{word} {currency}", amount(value), bold=True, large=True)


def payment(view: FaView) -> list[Element]:
    """Platnosc: what was paid (given back, where less than nothing is due), then what is still to be paid and how."""
    if view.payment is None:
        return []
    given_back = "Zwrócono" if view.kind.corrects else "Rozliczono"
    return _paid(view.payment, given_back if view.changes_hands < 0 else "Zapłacono") + _due(view.payment)


def _paid(what: PaymentView, verb: str) -> list[Element]:
    elements: list[Element] = []
    if what.paid:
        parts = (what.paid_on.isoformat() if what.paid_on is not None else "", payment_form(what.form, what.other_form))
        elements.append(Text(f"{verb} " + ", ".join(part for part in parts if part)))
    if what.partials:
        elements.append(Text(f"{verb} w całości:" if what.partly == "2" else f"{verb} w części:"))
    for part in what.partials:
        words = payment_form(part.form, part.other_form) or "wpłata"
        elements.append(Pair(f"{words} {part.paid_on.isoformat()}", amount(part.amount)))
    return elements


def _due(what: PaymentView) -> list[Element]:
    elements: list[Element] = []
    form = payment_form(what.form, what.other_form)
    if form and not what.paid:
        elements.append(Text(f"Forma płatności: {form}"))
    for due in what.due:
        if due.on is not None:
            elements.append(Pair("Termin płatności", due.on.isoformat()))
        if due.description:
            elements.append(Text(f"Termin płatności: {due.description}"))
    for account in what.accounts:
        elements += _account("Rachunek", account)
    for account in what.factor_accounts:
        elements += _account("Rachunek faktora", account)
    if what.discount_terms:
        elements.append(Text(f"Skonto {what.discount_amount or ''}: {what.discount_terms}"))
    if what.link:
        elements.append(Text(f"Płatność: {what.link}"))
    if what.ipksef:
        elements.append(Text(f"IPKSeF {what.ipksef}"))
    return elements


def _account(word: str, account: BankAccount) -> list[Element]:
    names = ", ".join(name for name in (account.bank, account.swift, account.description) if name)
    elements: list[Element] = [Text(f"{word}: {names}" if names else f"{word}:")]
    elements.append(Text(account.number, unbroken=True))
    return elements


def legal_words(view: FaView) -> list[Element]:
    """The words that the law wants where they apply (art. 106e ust. 1 pkt 16-19, ust. 2-3; 106d; 136)."""
    marks = view.annotations
    elements: list[Element] = []
    words = (
        (marks.split_payment, "mechanizm podzielonej płatności"),
        (marks.cash_accounting, "metoda kasowa"),
        (marks.self_billing, "samofakturowanie"),
        (marks.reverse_charge, "odwrotne obciążenie"),
        (marks.margin is not None, MARGIN_WORDS[marks.margin] if marks.margin is not None else ""),
    )
    elements.extend(Text(word, bold=True) for applies, word in words if applies)
    if marks.exempt:
        basis = marks.exemption_act or marks.exemption_directive or marks.exemption_other or ""
        elements.append(Text(f"Podstawa zwolnienia z VAT: {basis}"))
    if marks.triangular:
        elements.extend(Text(words) for words in TRIANGULAR_WORDS)
    for vehicle in marks.new_vehicles:
        details = ", ".join(f"{VEHICLE_DETAILS.get(name, name)} {value}" for name, value in vehicle.details)
        elements.append(
            Text(
                f"Nowy środek transportu (poz. {vehicle.line}): dopuszczony {vehicle.first_used.isoformat()}, {details}"
            )
        )
    if marks.vehicle_duty:
        elements.append(Text("Nowe środki transportu: obowiązek z art. 42 ust. 5 ustawy"))
    if view.to_receipt:
        elements.append(Text("Faktura do paragonu fiskalnego"))
    if view.related_parties:
        elements.append(Text("Powiązania między stronami transakcji (TP)"))
    if view.excise_refund:
        elements.append(Text("Faktura dla zwrotu akcyzy od oleju napędowego"))
    if view.terms is not None and view.terms.intermediary:
        elements.append(Text("Dostawa przez podmiot, o którym mowa w art. 22 ust. 2d ustawy"))
    return elements


def advances(view: FaView) -> list[Element]:
    """The order an advance was paid for, its payments, and the advance invoices that a settlement ends."""
    elements: list[Element] = []
    if view.order is not None:
        elements += order_lines("Zamówienie (umowa)", view.order.lines)
        elements.append(Pair("Wartość zamówienia brutto", f"{amount(view.order.value)} {view.currency}", bold=True))
    for part in view.advance_parts:
        elements.append(Pair(f"Zaliczka otrzymana {part.paid_on.isoformat()}", amount(part.amount)))
        if part.exchange_rate is not None:
            elements.append(Pair("kurs", plain(part.exchange_rate)))
    for invoice in view.advance_invoices:
        if invoice.ksef_number is not None:
            elements.append(Text("Faktura zaliczkowa w KSeF:"))
            elements.append(Text(invoice.ksef_number, unbroken=True))
        else:
            elements.append(Text(f"Faktura zaliczkowa nr {invoice.number} (poza KSeF)"))
    return elements


def notes(view: FaView) -> list[Element]:
    """DodatkowyOpis, with the receipt's number among them."""
    elements: list[Element] = []
    for note in view.notes:
        where = f" (poz. {note.line})" if note.line is not None else ""
        elements.append(Text(f"{note.key}{where}: {note.value}"))
    return elements


def closing(view: FaView) -> list[Element]:
    """Stopka."""
    elements: list[Element] = [Text(text) for text in view.footer]
    for register in view.registers:
        numbers = (("KRS", register.krs), ("REGON", register.regon), ("BDO", register.bdo))
        parts = [register.full_name or "", *(f"{word} {number}" for word, number in numbers if number)]
        elements.append(Text(", ".join(part for part in parts if part)))
    return elements


def terms(view: FaView) -> list[Element]:
    """WarunkiTransakcji."""
    what = view.terms
    if what is None:
        return []
    elements: list[Element] = [Text(f"Umowa {_reference(item)}") for item in what.contracts]
    elements.extend(Text(f"Zamówienie {_reference(item)}") for item in what.orders)
    if what.batches:
        elements.append(Text(f"Partie towaru: {', '.join(what.batches)}"))
    if what.delivery:
        elements.append(Text(f"Warunki dostawy: {what.delivery}"))
    if what.agreed_rate is not None:
        elements.append(Text(f"Kurs umowny: {plain(what.agreed_rate)} {what.agreed_currency or ''}".rstrip()))
    for transport in what.transports:
        elements += _transport(transport)
    return elements


def _reference(item: Reference) -> str:
    number = f"nr {item.number}" if item.number else ""
    return " ".join(part for part in (number, f"z {item.on.isoformat()}" if item.on is not None else "") if part)


def _transport(what: Transport) -> list[Element]:
    parts = [
        ("Transport", what.other_kind or TRANSPORT_KINDS.get(what.kind or "")),
        ("zlecenie", what.order_number),
        ("ładunek", what.other_cargo or CARGO_KINDS.get(what.cargo or "")),
        ("opakowanie", what.packaging),
        ("od", what.starts),
        ("do", what.ends),
    ]
    elements: list[Element] = [Text(", ".join(f"{word} {value}" for word, value in parts if value))]
    if what.carrier is not None:
        elements += party("Przewoźnik", what.carrier)
    places = (("Wysyłka z", what.sent_from), *(("przez", via) for via in what.sent_via), ("Wysyłka do", what.sent_to))
    elements.extend(Text(f"{word}: {', '.join(address_lines(place))}") for word, place in places if place is not None)
    return elements


def attachment(blocks: tuple[AttachedBlock, ...]) -> list[Element]:
    """Zalacznik: its tables may have twenty columns, so each row is a paragraph of "column: value"."""
    if not blocks:
        return []
    elements: list[Element] = [Text("Załącznik", bold=True)]
    for block in blocks:
        if block.heading:
            elements.append(Text(block.heading, bold=True))
        elements.extend(Text(f"{key}: {value}") for key, value in block.notes)
        elements.extend(Text(text) for text in block.paragraphs)
        for table in block.tables:
            elements += _attached_table(table)
    return elements


def _attached_table(table: AttachedTable) -> list[Element]:
    elements: list[Element] = []
    if table.description:
        elements.append(Text(table.description, bold=True))
    elements.extend(Text(f"{key}: {value}") for key, value in table.notes)
    elements.extend(Text(_row(table.header, row)) for row in table.rows)
    if table.total:
        # Its first cell is a title of its own, not a value of the first column.
        elements.append(Text(_row(("", *table.header[1:]), table.total), bold=True))
    return elements


def _row(header: tuple[str, ...], row: tuple[str, ...]) -> str:
    cells = zip_longest(header[: len(row)], row, fillvalue="")
    text = "; ".join(f"{name}: {cell}" if name else cell for name, cell in cells if cell)
    return text.replace(":; ", ": ")  # a cell may end with a colon of its own
