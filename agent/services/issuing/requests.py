"""What is asked to be issued, as data: a sale, a document made elsewhere, a correction.

A press reads a request twice: ``check`` before the transaction, knowing nothing of the store; ``plan`` inside it.
What a request is wrong in by itself is refused before anybody else has to wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime
from typing import Protocol, cast

from agent.domain.calendar import local_date
from agent.domain.corrections.base import BaseInvoice
from agent.domain.corrections.correction import Correction, CorrectionKind
from agent.domain.corrections.external import parse_outside_base
from agent.domain.corrections.parse import parse_correction
from agent.domain.errors import BadInput, FieldError
from agent.domain.fa3.build import issue_date
from agent.domain.fa3.schema import Fa3Schema
from agent.domain.fa3.supplied import ReadyInvoice, ReceiptClaim, check_ready
from agent.domain.identifiers import bare_nip, valid_nip
from agent.domain.invoice import Sale
from agent.domain.json_io.body import canonical_bytes, parse_object
from agent.domain.json_io.canonical import Json
from agent.domain.known_buyers import KnownBuyer
from agent.domain.sale.parse import parse_sale
from agent.domain.sale.ptu import with_rates
from agent.domain.values import dataclass
from agent.ports import HeldCorrection, Transaction
from agent.services.buyers.memory import NO_BUYERS, NamedBuyers
from agent.services.corrections.bases import BaseReader
from agent.services.issuing import new_invoices
from agent.services.issuing.plans import IssuePlan, PlannedDocument, SuppliedDocument
from agent.services.issuing.ready_bases import known_bases


class CheckedRequest(Protocol):
    """A request that is right by itself."""

    async def plan(self, tx: Transaction) -> IssuePlan:
        """Say what to make of it, by what the store holds now. Conflict, BadInput, NotFound say why nothing."""
        ...


class IssueRequest(Protocol):
    """What a press asks for."""

    @property
    def content(self) -> bytes:
        """What the idempotency key stands for: the same content under the same key is the same press."""
        ...

    def check(self, now: datetime) -> CheckedRequest:
        """Read it for this instant. BadInput names every mistake."""
        ...


@dataclass(frozen=True, slots=True)
class Planned:
    """A checked request that needs nothing of the store."""

    whole: IssuePlan

    async def plan(self, tx: Transaction) -> IssuePlan:
        """Return the plan."""
        return self.whole


# --- a sale -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SaleRequest:
    """The JSON of a sale."""

    document: Mapping[str, Json]
    seller_nip: str
    cash_register: str = ""
    """For a receipt that names none; empty: not known."""
    named: KnownBuyer | None = None
    """Who the NIP belongs to, where the sale leaves it to us."""
    ptu_rates: Mapping[str, str] = field(default_factory=dict)
    """The rates of the letters of the till's fiscal register."""

    @property
    def nip_alone(self) -> str | None:
        """The buyer's NIP where it is all that is said of him."""
        buyer = self.document.get("buyer")
        if self.document.get("simplified") is True or not isinstance(buyer, Mapping):
            return None
        given = {name for name, value in buyer.items() if value is not None}
        nip = buyer.get("nip")
        # A wrong one is the parser's to name.
        return nip if isinstance(nip, str) and valid_nip(bare_nip(nip)) and given <= {"nip", "email"} else None

    def naming(self, buyer: KnownBuyer) -> SaleRequest:
        """Return the same with the name and address of the buyer; the content stays what was sent."""
        return replace(self, named=buyer)

    @property
    def content(self) -> bytes:
        """The document, written in one way: a till may write its basket anew after a crash."""
        return canonical_bytes(self.document)

    def check(self, now: datetime) -> CheckedRequest:
        """Read the sale."""
        sale = parse_sale(self._completed(), today=issue_date(now), seller_nip=self.seller_nip)
        return planned_sale(sale.with_register(self.cash_register))

    def _completed(self) -> Mapping[str, Json]:
        document = with_rates(self.document, self.ptu_rates)
        if self.named is None:
            return document
        given = cast("Mapping[str, Json]", document["buyer"])
        known: dict[str, Json] = {"name": self.named.name}
        if (address := self.named.address) is not None:
            known["address"] = {"line1": address.line1, "line2": address.line2, "country": address.country}
        return {**document, "buyer": {**given, **known}}


def planned_sale(sale: Sale, *, number: str | None = None) -> Planned:
    """Plan the invoice of a checked sale; ``number``: P_2 where the shop's own program numbers."""
    return Planned(IssuePlan((PlannedDocument(sale, number),), buyers=NamedBuyers(given=(sale.buyer,))))


# --- a document made elsewhere ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SuppliedRequest:
    """A ready FA(3), kept to its last byte; ``receipt_nip``: the buyer's number on its receipt, as typed."""

    xml: bytes
    receipt_nip: str | None
    schema: Fa3Schema
    seller_nip: str

    @property
    def content(self) -> bytes:
        """The very bytes."""
        return self.xml

    def check(self, now: datetime) -> CheckedRequest:
        """Read and check the document."""
        invoice = check_ready(
            self.xml,
            schema=self.schema,
            seller_nip=self.seller_nip,
            today=issue_date(now),
            receipt=ReceiptClaim(self.receipt_nip),
        )
        return CheckedSupplied(self.xml, invoice)


@dataclass(frozen=True, slots=True)
class CheckedSupplied:
    """A ready document whose corrected invoices are still to be looked at."""

    xml: bytes
    invoice: ReadyInvoice

    async def plan(self, tx: Transaction) -> IssuePlan:
        """Take it as it is, with the bases that this store holds."""
        bases = await known_bases(tx, self.invoice)
        named = NO_BUYERS if self.invoice.view.kind.corrects else NamedBuyers(given=(self.invoice.buyer,))
        document = SuppliedDocument(self.xml, self.invoice, bases)
        return IssuePlan((PlannedDocument(document, self.invoice.number),), buyers=named)


# --- a correction -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CorrectionRequest:
    """The JSON of a correction of an invoice of this store."""

    invoice_id: str
    document: Mapping[str, Json]
    bases: BaseReader

    @property
    def content(self) -> bytes:
        """The same body for another invoice is another request."""
        return self.invoice_id.encode() + b"\n" + canonical_bytes(self.document)

    def check(self, now: datetime) -> CheckedRequest:
        """Leave it to the plan: nothing can be said of a correction without its base."""
        return CheckedCorrection(self.invoice_id, self.document, now, self.bases)


@dataclass(frozen=True, slots=True)
class CheckedCorrection:
    """The same, at an instant."""

    invoice_id: str
    document: Mapping[str, Json]
    now: datetime
    bases: BaseReader

    async def plan(self, tx: Transaction) -> IssuePlan:
        """Count it against what is left of its base."""
        base, earlier = await self.bases.standing(tx, await tx.invoices.get(self.invoice_id))
        others = await self.bases.named(tx, self.document)
        correction = parse_correction(self.document, base=base, today=local_date(self.now), others=others)
        return planned_correction(correction, await new_invoices.standing(tx, self.bases, correction, earlier))


@dataclass(frozen=True, slots=True)
class ExternalCorrectionRequest:
    """The same of an invoice that this store does not hold: ``base`` describes it as it was."""

    document: Mapping[str, Json]
    bases: BaseReader

    @property
    def content(self) -> bytes:
        """Base and correction, written in one way."""
        return canonical_bytes(self.document)

    def check(self, now: datetime) -> CheckedRequest:
        """Read the description of the base."""
        today = local_date(now)
        seller_nip = self.bases.seller_nip
        described = parse_outside_base(self.document["base"], seller_nip=seller_nip, today=today, pointer="/base")
        return CheckedExternalCorrection(described, self.document["correction"], now, self.bases)


@dataclass(frozen=True, slots=True)
class CheckedExternalCorrection:
    """The same, its base read."""

    described: BaseInvoice
    correction: Json
    now: datetime
    bases: BaseReader

    async def plan(self, tx: Transaction) -> IssuePlan:
        """Count it against what this till has corrected of that invoice already."""
        base, earlier = await self.bases.external(tx, self.described)
        others = await self.bases.named(tx, self.correction)
        today = local_date(self.now)
        correction = parse_correction(self.correction, base=base, today=today, others=others, pointer="/correction")
        return planned_correction(correction, await new_invoices.standing(tx, self.bases, correction, earlier))


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A pending correction whose bases have their numbers now."""

    held: HeldCorrection
    correction: Correction

    @property
    def content(self) -> bytes:
        """The correction as it was accepted."""
        return self.held.body

    def check(self, now: datetime) -> CheckedRequest:
        """Plan its document; it was checked when it was accepted."""
        return Planned(IssuePlan((PlannedDocument(self.correction, self.correction.number),), fulfils=self.held.id))


def planned_correction(correction: Correction, settles: str | None) -> IssuePlan:
    """Plan a correction, now or once its base has its number, and the new invoice that belongs to it at once.

    ``settles``: id of that invoice, where it stands already.
    """
    new = () if correction.replacement is None or settles is not None else (PlannedDocument(correction.replacement),)
    named = _named_buyers(correction)
    if correction.awaiting:
        return IssuePlan(new, pending=replace(correction, replacement=None), settles=settles, buyers=named)
    return IssuePlan((PlannedDocument(correction, correction.number), *new), settles=settles, buyers=named)


def _named_buyers(correction: Correction) -> NamedBuyers:
    """What the correction says of buyers: a better name of his, or that the number belonged to another."""
    if correction.buyer_before is not None:
        return NamedBuyers(given=(correction.buyer,))
    if correction.replacement is None or correction.kind is CorrectionKind.EXCHANGE:
        return NO_BUYERS
    right, before = correction.replacement.buyer, correction.buyer
    return NamedBuyers(given=(right,), wrong=(before,) if right.name == before.name else ())


class RequestReader:
    """Makes requests of the bodies of the API."""

    def __init__(
        self, schema: Fa3Schema, bases: BaseReader, cash_register: str = "", ptu_rates: Mapping[str, str] | None = None
    ) -> None:
        """Of the till's fiscal register: its unique number, for receipts that name none; the rates of its letters."""
        self._schema = schema
        self._bases = bases
        self._cash_register = cash_register
        self._ptu_rates = ptu_rates or {}

    def sale(self, body: bytes) -> SaleRequest:
        """Read the JSON of a sale; BadInput where it is none."""
        return SaleRequest(parse_object(body), self._bases.seller_nip, self._cash_register, ptu_rates=self._ptu_rates)

    def supplied(self, xml: bytes, receipt_nip: str | None) -> SuppliedRequest:
        """Take a ready FA(3)."""
        return SuppliedRequest(xml, receipt_nip, self._schema, self._bases.seller_nip)

    def correction(self, invoice_id: str, body: bytes) -> CorrectionRequest:
        """Read the JSON of a correction."""
        return CorrectionRequest(invoice_id, parse_object(body), self._bases)

    def external_correction(self, body: bytes) -> ExternalCorrectionRequest:
        """Read {"base", "correction"}; BadInput where it is something else."""
        document = parse_object(body)
        if set(document) != {"base", "correction"}:
            text = "Spodziewane pola: base (faktura korygowana) i correction (korekta)."
            raise BadInput(text, errors=(FieldError("", text, "required"),))
        return ExternalCorrectionRequest(document, self._bases)
