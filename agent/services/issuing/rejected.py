"""What a manager can do about an invoice that KSeF refused: new bytes, the same bytes again, or the end of the case."""

from __future__ import annotations

import hashlib
from datetime import datetime

from agent.domain import links
from agent.domain.callers import Caller
from agent.domain.errors import Conflict
from agent.domain.fa3.build import issue_date
from agent.domain.fa3.supplied import check_ready
from agent.domain.fa3.technical_correction import renewed, same_content
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.domain.rejection import refusal, resend_refusal
from agent.ports import InvoiceChange, Transaction, Work
from agent.services.delivery.queue import Sync
from agent.services.desk import Desk
from agent.services.issuing.issue import Issuing
from agent.services.outages.watch import Watch


class RejectedInvoices:
    """The ways out of REJECTED. Conflict says why one of them is not open."""

    def __init__(self, desk: Desk, watch: Watch, issuing: Issuing, sync: Sync) -> None:
        self._desk = desk
        self._watch = watch
        self._issuing = issuing
        self._sync = sync

    async def correct_technically(self, invoice_id: str, caller: Caller, xml: bytes | None = None) -> None:
        """Send the same content as new bytes, once; ``xml`` None makes them of the stored ones."""
        now = await self._watch.instant("korekty technicznej nie wystawiono")

        async def work(tx: Transaction) -> None:
            record = await tx.invoices.get(invoice_id)
            reason = refusal(record)
            if reason is not None:
                raise Conflict(reason, code="technical-correction-refused")
            new = xml if xml is not None else renewed(record.xml, now)
            if xml is not None:
                self._check_replacement(record, xml, now)
            sha256 = hashlib.sha256(new).digest()
            if sha256 == record.sha256:
                raise Conflict("Nowy plik jest taki sam jak odrzucony.", code="technical-correction-refused")
            self._desk.schema.check(new)
            qr_url = self._desk.settings.ksef.qr_url
            link = links.invoice_link(qr_url, record.seller_nip, record.issued_on, sha256)
            await tx.invoices.add_version(invoice_id, new, sha256, (link, self._issuing.certificate_link(sha256)))
            await tx.invoices.move(invoice_id, InvoiceState.ISSUED, InvoiceChange(not_before=now))
            await tx.events.append(
                "technical_correction",
                {"by": caller.name, "sha256": sha256.hex(), "corrects": record.sha256.hex()},
                invoice_id,
            )

        await self._write(work)

    async def resend(self, invoice_id: str, caller: Caller) -> None:
        """Send the same bytes again, after the permissions that KSeF missed (410, 415) were granted."""

        async def work(tx: Transaction) -> None:
            record = await tx.invoices.get(invoice_id)
            reason = resend_refusal(record)
            if reason is not None:
                raise Conflict(reason, code="resend-refused")
            await tx.invoices.move(invoice_id, InvoiceState.ISSUED, InvoiceChange(not_before=self._desk.now()))
            await tx.events.append("resend", {"by": caller.name, "after": record.rejection}, invoice_id)

        await self._write(work)

    async def close(self, invoice_id: str, reason: str, caller: Caller) -> None:
        """End the case: no duty, no alert any more. For a sale that has got another document; not to be undone."""

        async def work(tx: Transaction) -> None:
            record = await tx.invoices.get(invoice_id)
            if record.state is not InvoiceState.REJECTED:
                raise Conflict("Zamknąć można tylko sprawę faktury odrzuconej przez KSeF.", code="not-rejected")
            if record.closed_at is not None:
                return
            await tx.invoices.note(invoice_id, InvoiceChange(closed_at=self._desk.now()))
            await tx.events.append("closed", {"by": caller.name, "reason": reason}, invoice_id)

        await self._write(work)

    async def _write(self, work: Work[None]) -> None:
        await self._desk.store.write(work)
        self._desk.changed.set()
        self._sync.wake()

    def _check_replacement(self, record: InvoiceRecord, xml: bytes, now: datetime) -> None:
        seller_nip = self._desk.settings.seller.nip
        check_ready(xml, schema=self._desk.schema, seller_nip=seller_nip, today=issue_date(now))
        if not same_content(record.xml, xml):
            raise Conflict(
                "Korekta techniczna nie może zmieniać treści faktury, tylko jej zapis.", code="content-differs"
            )
