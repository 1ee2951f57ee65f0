"""The documents of an .epp as requests of a press: read when it presses, counted against what the store holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from agent.domain.calendar import local_date
from agent.domain.corrections.parse import parse_correction
from agent.domain.exchange.correction import ExchangeCorrection, correction_of
from agent.domain.exchange.file import Document, ExchangeFile
from agent.domain.exchange.requests import content_of, older_content_of
from agent.domain.exchange.sale import Conventions, sale_of
from agent.domain.fa3.build import issue_date
from agent.domain.invoice import InvoiceRecord
from agent.domain.rejection import abandoned
from agent.domain.sale.parse import parse_sale
from agent.domain.values import dataclass
from agent.ports import InvoiceFilter, Transaction
from agent.services.corrections.bases import NO_LIMIT, BaseReader
from agent.services.issuing import new_invoices
from agent.services.issuing.plans import IssuePlan
from agent.services.issuing.requests import CheckedRequest, planned_correction, planned_sale

INVOICE_KIND = "VAT"


@dataclass(frozen=True, slots=True)
class ExchangeSale:
    """An FS or PA. ``number``: P_2 where the shop's own program numbers."""

    file: ExchangeFile
    document: Document
    conventions: Conventions
    number: str | None

    @property
    def content(self) -> bytes:
        """What the document says."""
        return content_of(self.file, self.document)

    @property
    def older_content(self) -> bytes:
        """The same, as an older version remembered it."""
        return older_content_of(self.document)

    def check(self, now: datetime) -> CheckedRequest:
        """Read it into a sale, and compare the sums to the grosz."""
        request = sale_of(self.file, self.document, self.conventions)
        sale = parse_sale(request.document, today=issue_date(now), seller_nip=self.conventions.seller_nip)
        request.check(sale)
        return planned_sale(sale.with_register(self.conventions.register), number=self.number)


@dataclass(frozen=True, slots=True)
class ExchangeCorrectionRequest:
    """A KFS: it names the invoice it corrects, and says how each line was and is."""

    file: ExchangeFile
    document: Document
    conventions: Conventions
    number: str | None
    bases: BaseReader

    @property
    def content(self) -> bytes:
        """What the document says."""
        return content_of(self.file, self.document)

    @property
    def older_content(self) -> bytes:
        """The same, as an older version remembered it."""
        return older_content_of(self.document)

    def check(self, now: datetime) -> CheckedRequest:
        """Read what it says of its lines."""
        described = correction_of(self.file, self.document, self.conventions)
        return CheckedExchangeCorrection(described, self.number, now, self.bases)


@dataclass(frozen=True, slots=True)
class CheckedExchangeCorrection:
    """The same, read."""

    described: ExchangeCorrection
    number: str | None
    now: datetime
    bases: BaseReader

    async def plan(self, tx: Transaction) -> IssuePlan:
        """Count it against the invoice as it stands here, and compare what it says of it."""
        described = self.described
        base, earlier = await self.bases.standing(tx, await _called(tx, described))
        correction = parse_correction(described.document(base), base=base, today=local_date(self.now))
        described.check(correction, base)
        settles = await new_invoices.standing(tx, self.bases, correction, earlier)
        return planned_correction(
            replace(correction, external_ref=described.number or None, number=self.number), settles
        )


async def _called(tx: Transaction, described: ExchangeCorrection) -> InvoiceRecord:
    """Return the invoice that the shop's program calls so: by its P_2, or by what it came with (external_ref)."""
    number = described.base_number
    found = await tx.invoices.find(InvoiceFilter(number=number, limit=1))
    if not found:
        found = await tx.invoices.find(InvoiceFilter(external_ref=number, limit=NO_LIMIT))
        found = [record for record in found if record.kind == INVOICE_KIND and not abandoned(record)]
    if len(found) > 1:  # a number that starts anew every year
        found = [record for record in found if record.issued_on == described.base_issued_on]
    if len(found) == 1:
        return found[0]
    raise described.refused(
        f"faktury {number} nie ma na tej kasie. Skoryguj ją tam, gdzie ją wystawiono, albo wyślij gotowy FA(3).",
        "epp-base",
    )
