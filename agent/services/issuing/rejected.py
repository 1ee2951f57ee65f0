"""What a manager can do about an invoice that KSeF refused: new bytes, the same bytes again, or the end of the case."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime
from functools import partial

from agent.domain.callers import Caller
from agent.domain.errors import Conflict
from agent.domain.event_kinds import EventKind
from agent.domain.fa3.build import issue_date
from agent.domain.fa3.schema import Fa3Schema
from agent.domain.fa3.supplied import check_ready
from agent.domain.fa3.technical_correction import same_content, with_new_timestamp
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.domain.rejection import refusal, resend_refusal
from agent.ports import InvoiceChange, Store, Transaction, Work
from agent.services.hub_copies import settle_copy
from agent.services.issuing.codes import InvoiceCodes
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.trusted_time import TrustedTime
from agent.services.signals import Signal

HUB_COPY = "hub-copy"
"""In a "closed" event: not the invoice's own case, which has none, but that of its copy for the hub's books."""


class RejectedInvoices:
    """The ways out of REJECTED. Conflict says why one of them is not open."""

    def __init__(
        self,
        *,
        store: Store,
        trusted_time: TrustedTime,
        clock_check: ClockCheck,
        schema: Fa3Schema,
        seller_nip: str,
        codes: InvoiceCodes,
        queue_wake: asyncio.Event,
        changed: Signal,
    ) -> None:
        self._store = store
        self._trusted_time = trusted_time
        self._clock_check = clock_check
        self._schema = schema
        self._seller_nip = seller_nip
        self._codes = codes
        self._queue_wake = queue_wake
        self._changed = changed

    async def correct_technically(self, invoice_id: str, caller: Caller, xml: bytes | None = None) -> None:
        """Send the same content as new bytes, once; ``xml`` None makes them of the stored ones."""
        now = await self._trusted_time.undated("korekty technicznej nie wystawiono")
        await self._write(partial(self._new_version, invoice_id, caller, xml, now))

    async def resend(self, invoice_id: str, caller: Caller) -> None:
        """Send the same bytes again, after the permissions that KSeF missed (410, 415) were granted."""
        await self._write(partial(_send_again, invoice_id, caller, self._clock_check.best()))

    async def close(self, invoice_id: str, reason: str, caller: Caller) -> None:
        """End the case: no duty, no alert any more. For a sale that has got another document; not to be undone.

        Of an invoice that is never sent: the case of its copy, which the hub refuses for its books.
        """
        await self._write(partial(_close, invoice_id, reason, caller, self._clock_check.best()))

    async def _write(self, work: Work[None]) -> None:
        await self._store.write(work)
        self._changed.set()
        self._queue_wake.set()

    async def _new_version(
        self, invoice_id: str, caller: Caller, xml: bytes | None, now: datetime, tx: Transaction
    ) -> None:
        record = await tx.invoices.get(invoice_id)
        reason = refusal(record)
        if reason is not None:
            raise Conflict(reason, code="technical-correction-refused")
        if xml is not None:
            self._check_replacement(record, xml, now)
        new = xml if xml is not None else with_new_timestamp(record.xml, now)
        sha256 = hashlib.sha256(new).digest()
        if sha256 == record.sha256:
            raise Conflict("Nowy plik jest taki sam jak odrzucony.", code="technical-correction-refused")
        self._schema.check(new)
        codes = self._codes.invoice_link(record.issued_on, sha256), self._codes.certificate_link(sha256)
        await tx.invoices.add_version(invoice_id, new, sha256, codes)
        await tx.invoices.move(invoice_id, InvoiceState.ISSUED, InvoiceChange(not_before=now))
        await tx.events.append(
            EventKind.TECHNICAL_CORRECTION,
            {"by": caller.name, "sha256": sha256.hex(), "corrects": record.sha256.hex()},
            invoice_id,
        )

    def _check_replacement(self, record: InvoiceRecord, xml: bytes, now: datetime) -> None:
        check_ready(xml, schema=self._schema, seller_nip=self._seller_nip, today=issue_date(now))
        if not same_content(record.xml, xml):
            raise Conflict(
                "Korekta techniczna nie może zmieniać treści faktury, tylko jej zapis.", code="content-differs"
            )


async def _send_again(invoice_id: str, caller: Caller, now: datetime, tx: Transaction) -> None:
    record = await tx.invoices.get(invoice_id)
    reason = resend_refusal(record)
    if reason is not None:
        raise Conflict(reason, code="resend-refused")
    await tx.invoices.move(invoice_id, InvoiceState.ISSUED, InvoiceChange(not_before=now))
    await tx.events.append(EventKind.RESEND, {"by": caller.name, "after": record.rejection}, invoice_id)


async def _close(invoice_id: str, reason: str, caller: Caller, now: datetime, tx: Transaction) -> None:
    record = await tx.invoices.get(invoice_id)
    if record.state is InvoiceState.EXEMPT and await settle_copy(invoice_id, tx):
        await tx.events.append(EventKind.CLOSED, {"by": caller.name, "reason": reason, "of": HUB_COPY}, invoice_id)
        return
    if record.state is not InvoiceState.REJECTED:
        raise Conflict("Zamknąć można tylko sprawę faktury odrzuconej przez KSeF.", code="not-rejected")
    if record.closed_at is not None:
        return
    await tx.invoices.note(invoice_id, InvoiceChange(closed_at=now))
    await tx.events.append(EventKind.CLOSED, {"by": caller.name, "reason": reason}, invoice_id)
