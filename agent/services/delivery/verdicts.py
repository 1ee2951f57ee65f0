"""What KSeF says of an invoice, made durable: its verdict, the comparison after a 440, the end of a doubt.

A 440 says that KSeF holds a document of the same seller, kind and number. It is ours only when its SHA-256 is, so
until the original could be compared the invoice is in doubt: KSeF's words are in the log, and the alert of a doubt
that lasts tells people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from agent.domain.errors import DocumentDamaged
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import InvoiceState
from agent.ports import (
    Accepted,
    Duplicate,
    InvoiceChange,
    Json,
    KsefError,
    Pending,
    Rejected,
    Sent,
    Transaction,
    Verdict,
)
from agent.services.delivery.backoff import Waits
from agent.services.delivery.upo import Upos
from agent.services.desk import Desk
from agent.services.outages.watch import Watch

BACKOFF_STEPS = (5, 15, 60, 300, 900)
"""Seconds before the next attempt, by attempts made."""
LIST_SECONDS = 60.0
"""How long a session's list serves for comparing originals."""
DUPLICATE = 440
DAMAGED_SECONDS = 3600.0
"""Between two looks at an invoice whose bytes the disk changed: nothing but a restore mends it."""


class Settling:
    """Asks KSeF about invoices it has, or may have, and records the answers."""

    def __init__(self, desk: Desk, watch: Watch, upos: Upos) -> None:
        self._desk = desk
        self._watch = watch
        self._upos = upos
        self.waits = Waits(desk.clock)
        self._lists: dict[str, tuple[float, dict[bytes, tuple[str, Verdict]]]] = {}

    async def record(self, invoice_id: str) -> InvoiceRecord:
        """Return the invoice as it stands."""
        return await self._desk.store.read(lambda tx: tx.invoices.get(invoice_id))

    async def move(
        self,
        invoice_id: str,
        to: InvoiceState,
        kind: str,
        data: Mapping[str, Json],
        change: InvoiceChange | None = None,
    ) -> InvoiceRecord:
        """Move it, with the event that tells why, in one transaction."""

        async def work(tx: Transaction) -> InvoiceRecord:
            record = await tx.invoices.move(invoice_id, to, change)
            await tx.events.append(kind, data, invoice_id)
            return record

        record = await self._desk.store.write(work)
        self._desk.changed.set()
        return record

    async def note_trouble(self, record: InvoiceRecord, kind: str, error: KsefError, call: str) -> InvoiceRecord:
        """Record a failed attempt without a move; the next one waits."""
        change = InvoiceChange(not_before=self.next_attempt(record, error), attempted=True)
        data = evidence_of(error, call)

        async def work(tx: Transaction) -> InvoiceRecord:
            await tx.events.append(kind, data, record.id)
            return await tx.invoices.note(record.id, change)

        return await self._desk.store.write(work)

    async def note_damage(self, record: InvoiceRecord, error: DocumentDamaged) -> InvoiceRecord:
        """Record that an invoice was not sent since its bytes are not those that were issued; look again later."""
        change = InvoiceChange(not_before=self.waits.rest(DAMAGED_SECONDS, record.id))

        async def work(tx: Transaction) -> InvoiceRecord:
            await tx.events.append("damaged", {"why": error.detail, "sha256": record.sha256.hex()}, record.id)
            return await tx.invoices.note(record.id, change)

        noted = await self._desk.store.write(work)
        self._desk.changed.set()
        return noted

    def next_attempt(self, record: InvoiceRecord, error: KsefError | None = None) -> datetime:
        """Return when to try again: as KSeF said, else later the more often it was tried."""
        if error is not None and error.retry_after is not None:
            return self.waits.rest(error.retry_after, record.id)
        return self.waits.rest(BACKOFF_STEPS[min(record.attempts, len(BACKOFF_STEPS) - 1)], record.id)

    def forget_lists(self) -> None:
        """Ask KSeF anew what a session holds."""
        self._lists.clear()

    async def ask(self, record: InvoiceRecord) -> Verdict | None:
        """Ask for the verdict on a SENT invoice; None where KSeF could not be asked."""
        if record.session_ref is None or record.invoice_ref is None:
            return None
        try:
            verdict = await self._desk.gateway.status(record.session_ref, record.invoice_ref)
        except KsefError as error:
            self._watch.failed(error)
            return None
        self._watch.answered()
        return verdict

    async def apply(self, invoice_id: str, verdict: Verdict) -> InvoiceRecord:
        """Record what KSeF decided about a SENT invoice."""
        match verdict:
            case Pending():
                return await self.record(invoice_id)
            case Accepted():
                record = await self.record(invoice_id)
                if verdict.sha256 is not None and verdict.sha256 != record.sha256:
                    return await self._accepted_other_bytes(record, verdict)
                return await self._accept(invoice_id, verdict)
            case Duplicate():
                return await self._compare(invoice_id, verdict)
            case Rejected():
                return await self._reject(invoice_id, verdict)

    async def settle_doubt(self, record: InvoiceRecord) -> InvoiceRecord:
        """Look for an IN_DOUBT invoice in its session: what is there is settled, what is not goes again."""
        if record.session_ref is None:
            return await self.move(record.id, InvoiceState.ISSUED, "doubt_cleared", {"why": "no session"})
        try:
            found = (await self._list(record.session_ref)).get(record.sha256)
            original = await self._original(record, found[1]) if found and isinstance(found[1], Duplicate) else None
        except KsefError as error:
            self._watch.failed(error)
            return await self.note_trouble(record, "doubt_remains", error, "find")
        self._watch.answered()
        if found is None:
            why = {"why": "not in session", "session": record.session_ref}
            return await self.move(record.id, InvoiceState.ISSUED, "doubt_cleared", why)
        reference, verdict = found
        await self.move(
            record.id,
            InvoiceState.SENT,
            "sent",
            {"session": record.session_ref, "reference": reference, "found_by": "sha256"},
            InvoiceChange(invoice_ref=reference, sent_at=record.sent_at or self._watch.clock.best()),
        )
        if isinstance(verdict, Duplicate) and original is not None:
            return await self._by_original(record, verdict, original)
        return await self.apply(record.id, verdict)

    async def _accept(self, invoice_id: str, verdict: Accepted, original_session: str | None = None) -> InvoiceRecord:
        """Record the number. After 440 the UPO belongs to the original's session, where our reference means nothing."""
        change = InvoiceChange(ksef_number=verdict.ksef_number, accepted_at=verdict.accepted_at)
        if original_session is not None:
            change = replace(change, session_ref=original_session, invoice_ref="")
        data = {"ksef_number": verdict.ksef_number, "accepted_at": verdict.accepted_at.isoformat()}
        record = await self.move(invoice_id, InvoiceState.ACCEPTED, "accepted", data, change)
        self._upos.accepted()
        self._desk.accepted.set()
        return record

    async def _accepted_other_bytes(self, record: InvoiceRecord, verdict: Accepted) -> InvoiceRecord:
        """Under our reference KSeF accepted bytes that are not ours: no number is adopted, our hash is looked for."""
        data: dict[str, Json] = {
            "why": "KSeF podał numer dla pliku o innym skrócie",
            "ksef_number": verdict.ksef_number,
            "accepted_sha256": None if verdict.sha256 is None else verdict.sha256.hex(),
            "sha256": record.sha256.hex(),
        }
        change = InvoiceChange(not_before=self.next_attempt(record))
        return await self.move(record.id, InvoiceState.IN_DOUBT, "in_doubt", data, change)

    async def _reject(self, invoice_id: str, verdict: Rejected) -> InvoiceRecord:
        data: Mapping[str, Json] = {
            "code": verdict.code,
            "description": verdict.description,
            "details": list(verdict.details),
        }
        if verdict.retryable:
            change = InvoiceChange(not_before=self.next_attempt(await self.record(invoice_id)))
            return await self.move(invoice_id, InvoiceState.ISSUED, "cancelled_by_ksef", data, change)
        text = f"{verdict.code}: {verdict.description}"
        if verdict.details:
            text += " (" + "; ".join(verdict.details) + ")"
        return await self.move(invoice_id, InvoiceState.REJECTED, "rejected", data, InvoiceChange(rejection=text))

    # --- duplicates -------------------------------------------------------------------------------------------

    async def _compare(self, invoice_id: str, verdict: Duplicate) -> InvoiceRecord:
        record = await self.record(invoice_id)
        try:
            original = await self._original(record, verdict)
        except KsefError as error:
            self._watch.failed(error)
            data: dict[str, Json] = {
                "why": f"440: {verdict.description}",
                "original_ksef_number": verdict.original_ksef_number,
                "original_session": verdict.original_session,
                **evidence_of(error, "compare"),
            }
            change = InvoiceChange(not_before=self.next_attempt(record, error))
            return await self.move(invoice_id, InvoiceState.IN_DOUBT, "in_doubt", data, change)
        return await self._by_original(record, verdict, original)

    async def _by_original(self, record: InvoiceRecord, verdict: Duplicate, original: bytes) -> InvoiceRecord:
        number = verdict.original_ksef_number or ""
        if original == record.sha256:
            accepted = Accepted(number, self._watch.clock.best(), original)
            return await self._accept(record.id, accepted, verdict.original_session)
        data: dict[str, Json] = {
            "code": DUPLICATE,
            "original_ksef_number": number,
            "original_session": verdict.original_session,
            "original_sha256": original.hex(),
            "sha256": record.sha256.hex(),
        }
        change = InvoiceChange(rejection=f"440: numer zajęty w KSeF przez inny dokument ({number})")
        return await self.move(record.id, InvoiceState.REJECTED, "collision", data, change)

    async def _original(self, record: InvoiceRecord, verdict: Duplicate) -> bytes:
        """SHA-256 of the original: out of its session's list where that tells (one call serves many), else fetched.

        Fetching is limited to 64 an hour (docs/protocol.md, section 2), a resent batch may bring thousands of 440.
        KsefError where it can not be had now, or KSeF does not say which document it is.
        """
        number, session = verdict.original_ksef_number, verdict.original_session
        if number is None:
            text = "KSeF zna już fakturę o tym numerze (440), ale nie podał jej numeru KSeF."
            raise KsefError(text, sent=Sent.ANSWERED, code=DUPLICATE, body=verdict.description)
        if session is not None:
            _, listed = (await self._list(session)).get(record.sha256, ("", None))
            if isinstance(listed, Accepted) and listed.ksef_number == number:
                return record.sha256
        return await self._desk.gateway.invoice_sha256(number)

    async def _list(self, session: str) -> dict[bytes, tuple[str, Verdict]]:
        now = self._desk.clock.monotonic()
        kept = self._lists.get(session)
        if kept is None or now - kept[0] > LIST_SECONDS:
            self._lists = {name: entry for name, entry in self._lists.items() if now - entry[0] <= LIST_SECONDS}
            kept = self._lists[session] = (now, await self._desk.gateway.find_all(session))
        return kept[1]


def evidence_of(error: KsefError, call: str) -> Mapping[str, Json]:
    """Return what the event log keeps of a failed call, KSeF's answer included."""
    return {
        "call": call,
        "outcome": error.sent.value,
        "code": error.code,
        "message": error.message,
        "retry_after": error.retry_after,
        "body": error.body,
    }
