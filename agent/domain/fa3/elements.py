"""The elements of FA(3) that our own invoices and corrections are made of, in the order the schema wants."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal

from agent.domain import vat
from agent.domain.fa3.schema import NAMESPACE
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.writing import Element, add, section
from agent.domain.invoice import (
    Address,
    Buyer,
    BuyerKind,
    Deposit,
    ExemptionBasis,
    Note,
    Payment,
    Prices,
    ReceiptLink,
    Recipient,
    RecipientRole,
    SaleLine,
    Seller,
    Totals,
    VatRate,
)
from agent.domain.payment_methods import METHODS, RECEIVED, by_transfer

RECEIPT_NUMBER_KEY = "Numer paragonu fiskalnego"
REGISTER_NUMBER_KEY = "Numer unikatowy kasy"
"""FA(3) has no element for the fiscal receipt (art. 106h); these keys of DodatkowyOpis carry it."""
RECEIPT_NIP_KEY = "NIP na paragonie"
"""The same of the buyer's number on it, where the shop's own system writes it; our documents need it nowhere."""


_BUYER_PAYS_TAX = frozenset({VatRate.REVERSE_CHARGE, VatRate.NOT_SUBJECT_II})
"""Rates that need the words "odwrotne obciążenie" (P_18; art. 106e ust. 1 pkt 18)."""


_UNION = frozenset({VatRate.ZERO_WDT, VatRate.NOT_SUBJECT_II})
"""Rates of art. 97 ust. 10 pkt 2 and 3: both parties stand on the invoice with their VAT UE numbers."""


def amount(value: Decimal) -> str:
    """Write an amount (TKwotowy): two decimals, no exponent, never -0.00."""
    return f"{vat.round_cents(value):f}"


def price(value: Decimal) -> str:
    """Write a unit price or discount (TKwotowy2): at least two decimals, no needless zeros beyond."""
    cents = vat.round_cents(value)
    return f"{cents:f}" if value == cents else quantity(value)


def quantity(value: Decimal) -> str:
    """Write a quantity or exchange rate (TIlosci): no trailing zeros, no exponent."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def add_header(issued_at: datetime, system_info: str) -> Element:
    """Return the root with Naglowek."""
    root = Element("Faktura", {"xmlns": NAMESPACE})
    header = section(root, "Naglowek")
    add(header, "KodFormularza", "FA", {"kodSystemowy": "FA (3)", "wersjaSchemy": "1-0E"})
    add(header, "WariantFormularza", "3")
    add(header, "DataWytworzeniaFa", f"{issued_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    add(header, "SystemInfo", system_info)
    return root


def _add_address(parent: Element, address: Address) -> None:
    element = section(parent, "Adres")
    add(element, "KodKraju", address.country)
    add(element, "AdresL1", address.line1)
    if address.line2:
        add(element, "AdresL2", address.line2)


def add_seller(root: Element, seller: Seller, rates: Iterable[VatRate]) -> None:
    """Append Podmiot1; with the prefix PL for supplies to the Union (art. 106e ust. 1 pkt 24)."""
    party = section(root, "Podmiot1")
    if _UNION & set(rates):
        add(party, "PrefiksPodatnika", "PL")
    identity = section(party, "DaneIdentyfikacyjne")
    add(identity, "NIP", seller.nip)
    add(identity, "Nazwa", seller.name)
    _add_address(party, seller.address)


def add_buyer(root: Element, buyer: Buyer, recipient: Recipient | None) -> None:
    """Append Podmiot2, and Podmiot3 where somebody else takes the goods or paid."""
    role = None if recipient is None else recipient.role
    party = section(root, "Podmiot2")
    add_identity(party, buyer)
    add(party, "JST", "1" if role is RecipientRole.LOCAL_GOVERNMENT else "2")
    add(party, "GV", "1" if role is RecipientRole.VAT_GROUP else "2")
    if recipient is not None:
        _add_recipient(root, recipient)


def _add_recipient(root: Element, recipient: Recipient) -> None:
    party = section(root, "Podmiot3")
    identity = section(party, "DaneIdentyfikacyjne")
    if recipient.nip is not None:
        add(identity, "NIP", recipient.nip)
    elif recipient.internal_id is not None:
        add(identity, "IDWew", recipient.internal_id)
    else:
        add(identity, "BrakID", "1")
    add(identity, "Nazwa", recipient.name)
    if recipient.address is not None:
        _add_address(party, recipient.address)
    add(party, "Rola", recipient.role.code)


def add_identity(party: Element, buyer: Buyer) -> None:
    """Append DaneIdentyfikacyjne and Adres of a buyer."""
    identity = section(party, "DaneIdentyfikacyjne")
    if buyer.kind is BuyerKind.NIP:
        add(identity, "NIP", buyer.identifier)
    elif buyer.kind is BuyerKind.EU_VAT:
        add(identity, "KodUE", buyer.country)
        add(identity, "NrVatUE", buyer.identifier)
    elif buyer.kind is BuyerKind.FOREIGN_ID:
        if buyer.country:
            add(identity, "KodKraju", buyer.country)
        add(identity, "NrID", buyer.identifier)
    else:
        add(identity, "BrakID", "1")
    if buyer.name:
        add(identity, "Nazwa", buyer.name)
    if buyer.address is not None:
        _add_address(party, buyer.address)


def add_totals(body: Element, sums: Totals, exchange_rate: Decimal | None) -> None:
    """Append P_13_x, P_14_x, P_14_xW (PLN, foreign currency only) and P_15. 23 and 22 share a field, and so on."""
    fields = vat.by_field(sums)
    for field, total in fields.items():
        if field in vat.TAXED_FIELDS:
            add(body, f"P_13_{field}", amount(total.net))
            add(body, f"P_14_{field}", amount(total.tax))
            if exchange_rate is not None:
                tax_pln = vat.in_pln(total.tax, exchange_rate) if total.tax_pln is None else total.tax_pln
                add(body, f"P_14_{field}W", amount(tax_pln))
    for field, total in fields.items():
        if field not in vat.TAXED_FIELDS:
            add(body, f"P_13_{field}", amount(total.net))
    add(body, "P_15", amount(sums.gross))


def add_annotations(
    body: Element,
    rates: Iterable[VatRate],
    exemption: str | None,
    basis: ExemptionBasis = ExemptionBasis.ACT,
    *,
    split_payment: bool = False,
) -> None:
    """Append Adnotacje; every element in it is mandatory."""
    element = section(body, "Adnotacje")
    add(element, "P_16", "2")
    add(element, "P_17", "2")
    add(element, "P_18", "1" if _BUYER_PAYS_TAX & set(rates) else "2")
    add(element, "P_18A", "1" if split_payment else "2")
    exempt = section(element, "Zwolnienie")
    if exemption is None:
        add(exempt, "P_19N", "1")
    else:
        add(exempt, "P_19", "1")
        add(exempt, basis.value, exemption)
    add(section(element, "NoweSrodkiTransportu"), "P_22N", "1")
    add(element, "P_23", "2")
    add(section(element, "PMarzy"), "P_PMarzyN", "1")


def names_receipt(view: FaView) -> bool:
    """Tell whether a document names a fiscal receipt, by its number."""
    return any(note.key == RECEIPT_NUMBER_KEY for note in view.notes)


def receipt_named(view: FaView) -> bool:
    """Tell whether a document names its fiscal receipt and the register that printed it (art. 106h)."""
    return {RECEIPT_NUMBER_KEY, REGISTER_NUMBER_KEY} <= {note.key for note in view.notes}


def receipt_notes(receipt: ReceiptLink | None) -> tuple[Note, ...]:
    """Return the fiscal receipt as notes (art. 106h ust. 4): its number and the unique number of its register."""
    if receipt is None:
        return ()
    number = Note(RECEIPT_NUMBER_KEY, receipt.number)
    return (number,) if receipt.register is None else (number, Note(REGISTER_NUMBER_KEY, receipt.register))


def add_notes(body: Element, notes: Iterable[Note]) -> None:
    """Append DodatkowyOpis for each note."""
    for note in notes:
        element = section(body, "DodatkowyOpis")
        add(element, "Klucz", note.key)
        add(element, "Wartosc", note.value)


def add_line(
    body: Element,
    position: int,
    line: SaleLine,
    prices: Prices,
    value: Decimal,
    *,
    exchange_rate: Decimal | None,
    before: bool = False,
) -> None:
    """Append FaWiersz. Gross prices: P_9B and P_11A instead of P_9A and P_11 (art. 106e ust. 8).

    ``value`` is the line's value with 2 decimals; ``before`` marks a correction's state before (StanPrzed).
    """
    gross = prices is Prices.GROSS
    row = section(body, "FaWiersz")
    add(row, "NrWierszaFa", str(position))
    add(row, "P_7", line.name)
    if line.sku is not None:
        add(row, "Indeks", line.sku)
    if line.ean is not None:
        add(row, "GTIN", line.ean)
    add(row, "P_8A", line.unit)
    add(row, "P_8B", quantity(line.quantity))
    add(row, "P_9B" if gross else "P_9A", price(line.unit_price))
    if line.discount:
        add(row, "P_10", price(line.discount))
    add(row, "P_11A" if gross else "P_11", amount(value))
    add(row, "P_12", line.vat.value)
    if line.annex_15:
        add(row, "P_12_Zal_15", "1")
    if line.gtu is not None:
        add(row, "GTU", line.gtu)
    if exchange_rate is not None:
        add(row, "KursWaluty", quantity(exchange_rate))
    if before:
        add(row, "StanPrzed", "1")


def _add_method(parent: Element, method: str) -> None:
    code = METHODS.get(method)
    if code is not None:
        add(parent, "FormaPlatnosci", str(code))
    else:
        add(parent, "PlatnoscInna", "1")
        add(parent, "OpisPlatnosci", method)


def add_deposits(body: Element, deposits: tuple[Deposit, ...], gross: Decimal) -> None:
    """Append Rozliczenie, as the Ministry's example 26 has it for packaging; what is given back is deducted.

    DoZaplaty is what the customer pays in all, DoRozliczenia what he gets.
    """
    if not deposits:
        return
    element = section(body, "Rozliczenie")
    due = gross
    for name, sign in (("Obciazenia", 1), ("Odliczenia", -1)):
        mine = [deposit for deposit in deposits if deposit.amount * sign > 0]
        for deposit in mine:
            charge = section(element, name)
            add(charge, "Kwota", amount(abs(deposit.amount)))
            add(charge, "Powod", deposit.name)
        total = sum((deposit.amount for deposit in mine), vat.ZERO)
        if mine:
            add(element, {1: "SumaObciazen", -1: "SumaOdliczen"}[sign], amount(abs(total)))
        due += total
    add(element, "DoZaplaty" if due >= 0 else "DoRozliczenia", amount(abs(due)))


def add_payments(body: Element, payments: tuple[Payment, ...], paid_on: date, bank_account: str = "") -> None:
    """Append Platnosc. Several received payments are listed one by one; ``paid_on`` is their date.

    ``bank_account`` stands there where a transfer is awaited.
    """
    if not payments:
        return
    received = [payment for payment in payments if payment.method in RECEIVED]
    later = [payment for payment in payments if payment.method not in RECEIVED]
    element = section(body, "Platnosc")
    if len(payments) == 1 and received:
        add(element, "Zaplacono", "1")
        add(element, "DataZaplaty", paid_on.isoformat())
        _add_method(element, received[0].method)
        return
    if received:
        add(element, "ZnacznikZaplatyCzesciowej", "1" if later else "2")
    for payment in received:
        part = section(element, "ZaplataCzesciowa")
        add(part, "KwotaZaplatyCzesciowej", amount(payment.amount))
        add(part, "DataZaplatyCzesciowej", paid_on.isoformat())
        _add_method(part, payment.method)
    for due in sorted({payment.due for payment in later if payment.due is not None}):
        add(section(element, "TerminPlatnosci"), "Termin", due.isoformat())
    if later:
        _add_method(element, later[0].method)
    if bank_account and any(by_transfer(payment.method) and payment.amount > 0 for payment in later):
        add(section(element, "RachunekBankowy"), "NrRB", bank_account)
