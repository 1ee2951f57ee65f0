"""An invoice as it stands now, and lists of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from agent.domain import invoice as kept
from agent.domain.invoice import LEGAL_BASIS, BuyerKind, Mode, Payment
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.domain.paper.choice import Document
from agent.domain.rejection import refusal, resend_refusal
from agent.domain.values import dataclass
from agent.services.queries.invoice_answer import ListedInvoice, NewestPaper
from agent.web.wire import OMITTED, Says


@dataclass(frozen=True, slots=True)
class Links:
    """The texts of the QR codes."""

    invoice: Annotated[str, Says(example="https://qr.ksef.mf.gov.pl/invoice/5265877635/24-11-2026/…")]
    """KOD I."""
    certificate: Annotated[
        str | None, Says(example="https://qr.ksef.mf.gov.pl/certificate/Nip/5265877635/5265877635/01F20A5D352AE590/…")
    ]
    """KOD II; null where no Offline certificate was at hand."""


@dataclass(frozen=True, slots=True)
class Paper:
    """What lies, or should lie, on the counter."""

    document: Document
    label: str
    """Word for word as printed."""
    state: PrintState
    copies: Annotated[int, Says(low=0)]
    """Prints that reached, or may have reached, paper."""
    problem: Annotated[str | None, Says(example="Skończył się papier. Załóż nową rolkę.")]
    """Polish: what to do."""
    printer: str | None


@dataclass(frozen=True, slots=True)
class RateTotal:
    """Sums of one VAT rate."""

    rate: Annotated[str, Says(example="23")]
    net: Decimal
    tax: Decimal
    gross: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of the invoice, in its currency; of a correction, the differences."""

    net: Decimal
    tax: Decimal
    gross: Decimal
    """P_15."""
    currency: Annotated[str, Says(example="PLN")]
    rates: tuple[RateTotal, ...]


@dataclass(frozen=True, slots=True)
class BuyerAddress:
    """AdresL1, AdresL2, KodKraju."""

    line1: str
    line2: str | None
    country: str


@dataclass(frozen=True, slots=True)
class Buyer:
    """Whom the invoice names."""

    kind: BuyerKind
    """What ``identifier`` is."""
    identifier: str | None
    country: str | None
    name: str | None
    address: BuyerAddress | None
    email: Annotated[str | None, Says(example="biuro@example.pl")]
    """As the sale gave it; neither in the XML nor on paper."""


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice as it stands now."""

    id: str
    number: Annotated[str, Says(example="FV-1/2026/11/000042")]
    """P_2."""
    issued_on: date
    """P_1."""
    mode: Mode
    legal_basis: Annotated[str, Says(example="art. 106gb")]
    """Article of the VAT Act."""
    reason: str
    """Why this mode, in Polish."""
    state: InvoiceState
    """Where it stands on its way to KSeF. Final: accepted, and exempt unless the total failure was a false alarm."""
    ksef_number: Annotated[str | None, Says(example="5265877635-20261124-0100001AF629-AF")]
    """35 characters."""
    deadline: date | None
    """Last day to send it; null where none runs."""
    sha256: Annotated[str, Says(pattern="^[0-9a-f]{64}$")]
    """Of the XML, hexadecimal."""
    links: Links
    paper: Paper | None
    """Null where nothing was to be printed."""
    totals: Totals
    hand_over: Annotated[str, Says(example="Wydaj klientowi fakturę.")]
    """What the cashier hands over now: one Polish sentence."""
    held_by: Annotated[str | None, Says(example="FV-1/2026/11/000017")]
    """Number of the base this correction waits for."""
    kind: Annotated[str, Says(example="VAT")]
    """RodzajFaktury: VAT, KOR, …"""
    issued_at: datetime
    deadline_state: Annotated[str, Says(words=("due", "open", "lifted"))]
    """due; open: the event has not ended; lifted: total failure."""
    sent_at: datetime | None
    accepted_at: datetime | None
    rejection: Annotated[str | None, Says(example="450: Błąd weryfikacji semantyki dokumentu faktury")]
    """KSeF's status code and words."""
    ways_out: tuple[Annotated[str, Says(words=("technical-correction", "resend", "close"))], ...]
    """What a manager can do about a rejected invoice (POST …/technical-correction and so on): what KSeF would refuse
    again is not among it."""
    closed_at: datetime | None
    """When a manager ended the case of this rejected invoice."""
    upo: bool
    """A UPO confirms it, its own or its session's (/upo)."""
    version: Annotated[int, Says(low=1)]
    """2 after a technical correction."""
    buyer: Buyer
    payments: tuple[Payment, ...]
    external_ref: Annotated[str | None, Says(example="order-4711")]
    """The till's own reference, as it was given."""
    corrects: Annotated[str | None, Says(example="01kbv3mk6aq5c1w2m6z4v8e9xt")]
    """id of the invoice this one corrects."""
    pressed_by: Annotated[str, Says(example="kasa 1")]
    """Name of the token that pressed."""
    replacement: Annotated[Invoice | None, OMITTED] = None
    """The new invoice of a wrong buyer or an exchange, after the correction; only in the answer to its press."""
    replacement_earlier: Annotated[bool | None, OMITTED] = None
    """True where an earlier press made it, whose correction was lost: only the correction is new."""


@dataclass(frozen=True, slots=True)
class InvoiceList:
    """Invoices found, newest first."""

    invoices: tuple[Invoice, ...]
    next: str | None
    """Value of ``after`` for the following page; null on the last one."""


def invoice_of(
    answer: ListedInvoice, replacement: ListedInvoice | None = None, *, replacement_earlier: bool = False
) -> Invoice:
    """Describe an invoice."""
    record = answer.record
    return Invoice(
        id=record.id,
        number=record.number,
        issued_on=record.issued_on,
        mode=record.mode,
        legal_basis=LEGAL_BASIS[record.mode],
        reason=record.reason,
        state=record.state,
        ksef_number=record.ksef_number,
        deadline=record.deadline,
        sha256=record.sha256.hex(),
        links=Links(record.link_invoice, record.link_certificate),
        paper=_paper(answer.paper),
        totals=_totals(record.totals),
        hand_over=answer.hand_over,
        held_by=None,
        kind=record.kind,
        issued_at=record.issued_at,
        deadline_state=record.deadline_state,
        sent_at=record.sent_at,
        accepted_at=record.accepted_at,
        rejection=record.rejection,
        ways_out=_ways_out(record),
        closed_at=record.closed_at,
        upo=record.has_upo,
        version=record.version,
        buyer=_buyer(record.buyer),
        payments=record.payments,
        external_ref=record.external_ref,
        corrects=record.base_id,
        pressed_by=record.pressed_by,
        replacement=None if replacement is None else invoice_of(replacement),
        replacement_earlier=True if replacement_earlier else None,
    )


def _ways_out(record: kept.InvoiceSummary) -> tuple[str, ...]:
    if record.state is not InvoiceState.REJECTED or record.closed_at is not None:
        return ()
    open_ways = {
        "technical-correction": refusal(record) is None,
        "resend": resend_refusal(record) is None,
        "close": True,
    }
    return tuple(way for way, is_open in open_ways.items() if is_open)


def invoices_of(answers: Sequence[ListedInvoice]) -> tuple[Invoice, ...]:
    """Describe many."""
    return tuple(invoice_of(answer) for answer in answers)


def address_of(value: kept.Address | None) -> BuyerAddress | None:
    """Describe an address."""
    return None if value is None else BuyerAddress(value.line1, value.line2, value.country)


def _paper(value: NewestPaper | None) -> Paper | None:
    if value is None:
        return None
    return Paper(
        document=Document(value.document),
        label=value.label,
        state=PrintState(value.state),
        copies=value.copies,
        problem=value.problem,
        printer=value.printer,
    )


def _totals(value: kept.Totals) -> Totals:
    rates = tuple(RateTotal(row.rate, row.net, row.tax, row.gross) for row in value.rates)
    return Totals(value.net, value.tax, value.gross, value.currency, rates)


def _buyer(value: kept.Buyer) -> Buyer:
    return Buyer(value.kind, value.identifier, value.country, value.name, address_of(value.address), value.email)
