"""Which paper an invoice gets now, and what stands on it."""

from __future__ import annotations

from datetime import date

from agent.domain.errors import ALTERED, DocumentDamaged, NotFound
from agent.domain.fa3.view.read import read, read_heading
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.links import codes_name_document
from agent.domain.paper.a4 import compose_a4
from agent.domain.paper.compose import Document, PaperChoice, PaperFacts, choose, compose
from agent.domain.paper.receipt import Receipt
from agent.domain.paper.sheet import Sheet
from agent.domain.records.retention import ERASED
from agent.domain.rejection import paper_refusal
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
        self, record: InvoiceRecord, choice: PaperChoice, copy: int, *, again_on: date | None = None
    ) -> Receipt:
        """Compose the slip from the stored bytes; ``again_on``: today, where it is a further one (art. 106l).

        NotFound where they were exported and removed, DocumentDamaged where they or the codes are not what was issued,
        Conflict where KSeF has the number from another document, or a manager closed the case of what it refused.
        """
        reading = read_heading if choice.document is Document.CONFIRMATION else read
        return compose(
            reading(_issued_bytes(record)),
            choice,
            copy=copy,
            link_invoice=record.link_invoice,
            link_certificate=record.link_certificate,
            reissued_on=_reissued_on(record, again_on),
            footer=self._settings.footer,
            open_drawer=self._settings.open_drawer and copy == 1,
        )

    def original(self, record: InvoiceRecord, today: date) -> Receipt:
        """Compose the paper of now as the first print would be; with the day, where that is a reissue (sheet())."""
        return self.receipt(record, self.choice(record), 1, again_on=_again_on(record, today))

    def sheet(self, record: InvoiceRecord, today: date | None = None) -> Sheet:
        """Compose the A4 page of now from the stored bytes. Errors as of receipt().

        ``today``: of a page that a person asks for. Where a paper went out before, or the day of issue is over, that
        is a further one (art. 106l). None: the page that goes out with the invoice.
        """
        xml = _issued_bytes(record)
        return compose_a4(
            read(xml),
            self.choice(record),
            xml,
            link_invoice=record.link_invoice,
            link_certificate=record.link_certificate,
            reissued_on=None if today is None else _reissued_on(record, _again_on(record, today)),
            footer=self._settings.footer,
        )


def _again_on(record: InvoiceRecord, today: date) -> date | None:
    return today if record.copies or today > record.issued_on else None


def _reissued_on(record: InvoiceRecord, again_on: date | None) -> date | None:
    """Return the day that art. 106l ust. 3 wants on what art. 106ng issued on paper; nothing else bears one."""
    return again_on if record.mode is Mode.TOTAL_FAILURE else None


def _issued_bytes(record: InvoiceRecord) -> bytes:
    """Return the bytes a paper is made from, where one may be made. Raises as InvoicePapers.receipt does."""
    if (refusal := paper_refusal(record)) is not None:
        raise refusal
    if record.altered:
        raise DocumentDamaged(f"Faktura {record.number}", ALTERED)
    xml = record.xml  # hashed at each use
    if not xml:
        raise exported(record)
    if not codes_name_document((record.link_invoice, record.link_certificate), record.sha256):
        raise DocumentDamaged(f"Faktura {record.number}")
    return xml


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
