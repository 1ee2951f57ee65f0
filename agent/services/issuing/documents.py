"""From a planned document to the row that is stored: its number, bytes, hash, codes, mode and deadline.

Everything here is a pure function of the plan, the number and the instant; only the number has to wait for the
transaction.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import date, datetime

from agent.domain import numbering
from agent.domain.calendar import BusinessCalendar
from agent.domain.callers import Caller
from agent.domain.corrections.build import build_correction
from agent.domain.corrections.correction import Correction
from agent.domain.errors import Conflict
from agent.domain.fa3.build import build_invoice, issue_date
from agent.domain.fa3.schema import Fa3Schema
from agent.domain.invoice import (
    OFFLINE_MODES,
    Buyer,
    BuyerKind,
    CorrectedBase,
    Mode,
    NewInvoice,
    Payment,
    Sale,
    Seller,
    Totals,
    receives_in_ksef,
)
from agent.domain.outages.deadlines import deadline
from agent.domain.outages.modes import ModeDecision, handed_over_in_any_case, on_issue_date, outside_ksef
from agent.domain.values import dataclass
from agent.domain.vat import totals
from agent.services.issuing.codes import InvoiceCodes
from agent.services.issuing.plans import PlannedDocument, SuppliedDocument
from agent.services.outages.deadline_updates import issue_moment
from agent.services.outages.known_timeline import KnownTimeline
from agent.settings.model import IssueSettings


@dataclass(frozen=True, slots=True)
class Number:
    """P_2. ``series`` and ``serial`` None: it came with the document."""

    text: str
    series: str | None = None
    serial: int | None = None


@dataclass(frozen=True, slots=True)
class BuiltDocument:
    """A document with its bytes, all but mode and deadline."""

    number: Number
    kind: str
    issued_on: date
    buyer: Buyer
    totals: Totals
    xml: bytes
    payments: tuple[Payment, ...] = ()
    external_ref: str | None = None
    bases: tuple[CorrectedBase, ...] = ()
    """What a correction corrects; those of this store by their id too."""

    @property
    def bases_here(self) -> tuple[str, ...]:
        """Ids of the corrected invoices that this store holds."""
        return tuple(base.invoice_id for base in self.bases if base.invoice_id is not None)


class DocumentBuilder:
    """Builds documents of one seller and till."""

    def __init__(
        self,
        *,
        seller: Seller,
        till: str,
        settings: IssueSettings,
        schema: Fa3Schema,
        codes: InvoiceCodes,
        timeline: KnownTimeline,
        calendar: BusinessCalendar,
    ) -> None:
        self._seller = seller
        self._till = till
        self._settings = settings
        self._schema = schema
        self._codes = codes
        self._timeline = timeline
        self._calendar = calendar

    def series(self, planned: PlannedDocument, decision: ModeDecision, now: datetime) -> str | None:
        """Return the series whose next number the document takes; None where its number came with it.

        The number is part of the bytes, so the series follows the mode of the press: what begins online and gets no
        KSeF number in time becomes offline24 under the number it has.
        """
        content = planned.content
        if planned.number is not None or isinstance(content, SuppliedDocument):
            return None
        correction = isinstance(content, Correction)
        template = self._settings.correction_series if correction else self._settings.series
        bases = content.bases if isinstance(content, Correction) else ()
        if decision.mode in OFFLINE_MODES and not self._stays_outside(content.buyer, bases):
            own = self._settings.offline_correction_series if correction else self._settings.offline_series
            template = own or template
        return numbering.series_name(template, till=self._till, issued_on=issue_date(now))

    def number(self, series: str, serial: int, now: datetime) -> Number:
        """Return P_2 of a serial."""
        text = numbering.format_number(
            self._settings.number, series=series, till=self._till, serial=serial, issued_on=issue_date(now)
        )
        return Number(text, series, serial)

    def build(self, planned: PlannedDocument, number: Number, now: datetime) -> BuiltDocument:
        """Return the document with its bytes, valid by the official schema; BadInput where it is not."""
        built = self._built(planned.content, number, now)
        self._schema.check(built.xml)
        return built

    def _built(self, content: Sale | Correction | SuppliedDocument, number: Number, now: datetime) -> BuiltDocument:
        match content:
            case Sale():
                return self._invoice(content, number, now)
            case Correction():
                return self._correction(content, number, now)
            case SuppliedDocument():
                return _supplied(content, number)

    def _invoice(self, sale: Sale, number: Number, now: datetime) -> BuiltDocument:
        sums = totals(sale)
        xml = build_invoice(
            sale, self._seller, number=number.text, issued_at=now, system_info=self._settings.system_info, sums=sums
        )
        return BuiltDocument(
            number=number,
            kind="UPR" if sale.simplified else "VAT",
            issued_on=issue_date(now),
            buyer=sale.buyer,
            totals=sums,
            xml=xml,
            payments=sale.payments,
            external_ref=sale.external_ref,
        )

    def _correction(self, correction: Correction, number: Number, now: datetime) -> BuiltDocument:
        xml = build_correction(
            correction, self._seller, number=number.text, issued_at=now, system_info=self._settings.system_info
        )
        return BuiltDocument(
            number=number,
            kind="KOR",
            issued_on=issue_date(now),
            buyer=correction.buyer,
            totals=correction.totals,
            xml=xml,
            payments=correction.payments,
            external_ref=correction.external_ref,
            bases=correction.bases,
        )

    def new_invoice(self, built: BuiltDocument, decision: ModeDecision, now: datetime, caller: Caller) -> NewInvoice:
        """Hash the bytes, sign the codes, count the deadline: the row as it is stored.

        Conflict "total-failure" where it would correct, outside KSeF, what is in KSeF.
        """
        sha256 = hashlib.sha256(built.xml).digest()
        certificate_link = self._codes.certificate_link(sha256)
        if self._stays_outside(built.buyer, built.bases):
            decided = outside_ksef()
        else:
            decided = on_issue_date(decision, self._timeline.at(now), built.issued_on)
            if certificate_link is not None and not receives_in_ksef(built.buyer, built.totals):
                decided = handed_over_in_any_case(decided)
        if decided.mode is Mode.TOTAL_FAILURE:
            _refuse_to_correct(built.bases)
        due = deadline(decided.mode, issue_moment(built.issued_on, now), self._timeline.current, self._calendar)
        return NewInvoice(
            id=uuid.uuid4().hex,
            series=built.number.series or "",
            serial=built.number.serial,
            number=built.number.text,
            kind=built.kind,
            issued_on=built.issued_on,
            issued_at=now,
            mode=decided.mode,
            reason=decided.reason,
            seller_nip=self._seller.nip,
            buyer=built.buyer,
            totals=built.totals,
            xml=built.xml,
            sha256=sha256,
            link_invoice=self._codes.invoice_link(built.issued_on, sha256),
            link_certificate=certificate_link,
            deadline=due.date,
            deadline_state=due.state,
            external_ref=built.external_ref,
            base_id=next(iter(built.bases_here), None),
            bases=built.bases,
            payments=built.payments,
            pressed_by=caller.name,
        )

    def _stays_outside(self, buyer: Buyer, bases: Sequence[CorrectedBase]) -> bool:
        """Tell whether the shop keeps it out of KSeF: to a consumer, and of a correction all that it corrects is."""
        if self._settings.consumers_in_ksef or buyer.kind is not BuyerKind.NONE:
            return False
        return all(base.ksef_number is None for base in bases)


def _refuse_to_correct(bases: Sequence[CorrectedBase]) -> None:
    """Refuse a correction outside KSeF of what is in KSeF (art. 106j ust. 4)."""
    in_ksef = [base.number for base in bases if base.ksef_number is not None]
    if in_ksef:
        text = (
            f"Trwa awaria całkowita KSeF, a faktura {', '.join(in_ksef)} jest w KSeF, więc korektę trzeba wystawić "
            "w KSeF (art. 106j ust. 4 ustawy o VAT). Zrób to po zakończeniu awarii."
        )
        raise Conflict(text, code="total-failure")


def _supplied(supplied: SuppliedDocument, number: Number) -> BuiltDocument:
    invoice = supplied.invoice
    return BuiltDocument(
        number=number,
        kind=invoice.kind,
        issued_on=invoice.issued_on,
        buyer=invoice.buyer,
        totals=invoice.totals,
        xml=supplied.xml,
        bases=supplied.bases,
    )
