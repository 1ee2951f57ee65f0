"""Which paper an invoice gets now, and what stands on it."""

from __future__ import annotations

from datetime import date

from agent.domain.errors import DocumentDamaged, NotFound
from agent.domain.fa3.view import read
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.links import names_document
from agent.domain.paper.a4 import compose_a4
from agent.domain.paper.compose import PaperChoice, PaperFacts, choose, compose
from agent.domain.paper.receipt import Receipt
from agent.domain.paper.sheet import Sheet
from agent.domain.records.retention import ERASED
from agent.domain.rejection import taken_refusal
from agent.settings.model import PaperSettings


class InvoicePapers:
    """Makes receipts of stored invoices, as the shop wants them."""

    def __init__(self, settings: PaperSettings) -> None:
        self._settings = settings

    def choice(self, record: InvoiceRecord) -> PaperChoice:
        """Return which paper this invoice gets now (docs/law.md, section 2)."""
        return choose(
            PaperFacts(
                mode=record.mode,
                buyer=record.buyer.kind,
                number=record.number,
                kind=record.kind,
                ksef_number=record.ksef_number,
                certificate_link=record.link_certificate is not None,
                supplied_abroad=record.totals.supplied_abroad,
                offline_domestic=self._settings.offline_domestic,
            )
        )

    def receipt(
        self, record: InvoiceRecord, choice: PaperChoice, copy: int, *, reissued_on: date | None = None
    ) -> Receipt:
        """Compose the slip from the stored bytes; ``reissued_on``: today, for a further print (art. 106l).

        NotFound where they were exported and removed, DocumentDamaged where they or the codes are not what was issued,
        Conflict where KSeF has the number from another document.
        """
        return compose(
            read(_issued_bytes(record)),
            choice,
            copy=copy,
            link_invoice=record.link_invoice,
            link_certificate=record.link_certificate,
            reissued_on=reissued_on if record.mode is Mode.TOTAL_FAILURE else None,
            footer=self._settings.footer,
            open_drawer=self._settings.open_drawer and copy == 1,
        )

    def original(self, record: InvoiceRecord) -> Receipt:
        """Compose the paper of now as the first print would be."""
        return self.receipt(record, self.choice(record), 1)

    def sheet(self, record: InvoiceRecord) -> Sheet:
        """Compose the A4 page of now from the stored bytes. Errors as of receipt()."""
        xml = _issued_bytes(record)
        return compose_a4(
            read(xml),
            self.choice(record),
            xml,
            link_invoice=record.link_invoice,
            link_certificate=record.link_certificate,
            footer=self._settings.footer,
        )


def _issued_bytes(record: InvoiceRecord) -> bytes:
    """Return the bytes a paper is made from, where one may be made. Raises as InvoicePapers.receipt does."""
    if (refusal := taken_refusal(record)) is not None:
        raise refusal
    if not record.xml:
        raise exported(record)
    codes = [code for code in (record.link_invoice, record.link_certificate) if code is not None]
    if not all(names_document(code, record.sha256) for code in codes):
        raise DocumentDamaged(f"Faktura {record.number}")
    return record.xml


def exported(record: InvoiceRecord) -> NotFound:
    """Return the refusal for content that is in the archive and no longer here, or was erased."""
    if record.buyer == ERASED:
        return NotFound(
            f"Dane nabywcy i treść dokumentu {record.number} usunięto po upływie okresu przechowywania (RODO).",
            code="erased",
        )
    return NotFound(
        f"Treść dokumentu {record.number} wyeksportowano i usunięto z kasy; jest w archiwum.", code="exported"
    )
