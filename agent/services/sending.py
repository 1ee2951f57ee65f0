"""Bring one invoice to KSeF: intent committed, bytes sent, outcome committed.

Crash windows, and what heals them:
  after SENDING is committed, before or after the bytes left   restart moves it to in_doubt; sync looks for the
                                                               file by hash in that session, else resends the same bytes
  after KSeF's 202, before SENT is committed                   the same
  after KSeF accepted, before ACCEPTED is committed            sync asks the status again
Resending is safe: KSeF answers 440 for the same NIP, kind and number, and then the hashes are compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from agent.domain.calendar import local_date
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.technical import NO_CORRECTION
from agent.ports import (
    Accepted,
    Duplicate,
    InvoiceChange,
    Json,
    KsefError,
    Outgoing,
    Pending,
    Rejected,
    Sent,
    SessionRef,
    Transaction,
    Verdict,
)
from agent.services.desk import Desk
from agent.services.watch import Watch

POLL_STEPS = (0.1, 0.2, 0.3, 0.5, 0.5, 1.0, 1.0, 2.0, 3.0, 5.0)
"""Seconds between status questions right after sending; later the sync asks."""
BACKOFF_STEPS = (5, 15, 60, 300, 900)
"""Seconds before the next attempt, by attempts made."""
LIST_SECONDS = 60.0
"""How long a session's list serves for comparing originals."""


class Courier:
    """Sends, asks and settles. One invoice is in one pair of hands at a time."""

    def __init__(self, desk: Desk, watch: Watch) -> None:
        self._desk = desk
        self._watch = watch
        self._busy: set[str] = set()
        self.upos_wanted = True
        """Some accepted invoice may lack its UPO."""
        self._lists: dict[str, tuple[float, dict[bytes, tuple[str, Verdict]]]] = {}

    def busy(self, invoice_id: str) -> bool:
        """Whether somebody is bringing this invoice to KSeF right now."""
        return invoice_id in self._busy

    async def deliver(self, invoice_id: str) -> InvoiceRecord:
        """Send if it waits, then ask until KSeF decides or the poll steps are used up.

        Trouble with KSeF never comes out as an exception: it is recorded, and the record tells.
        """
        if invoice_id in self._busy:
            return await self._record(invoice_id)
        self._busy.add(invoice_id)
        try:
            record = await self._record(invoice_id)
            if record.state is InvoiceState.ISSUED:
                record = await self._send(record)
            if record.state is InvoiceState.SENT:
                record = await self._follow(record)
            if record.state is InvoiceState.ACCEPTED:
                self._desk.crew.start(f"upo-{record.id}", self._fetch_upo(record))
            return record
        finally:
            self._busy.discard(invoice_id)

    async def resolve(self, invoice_id: str) -> InvoiceRecord:
        """Settle a doubt: ask by reference, else look for the hash in the session, else free it for resending."""
        if invoice_id in self._busy:
            return await self._record(invoice_id)
        self._busy.add(invoice_id)
        try:
            record = await self._record(invoice_id)
            if record.state is InvoiceState.IN_DOUBT:
                record = await self._ask_in_doubt(record)
            return record
        finally:
            self._busy.discard(invoice_id)

    async def apply(self, invoice_id: str, verdict: Verdict) -> InvoiceRecord:
        """Record what KSeF decided about a SENT invoice."""
        match verdict:
            case Pending():
                return await self._record(invoice_id)
            case Accepted():
                return await self._accept(invoice_id, verdict)
            case Duplicate():
                return await self._compare_original(invoice_id, verdict)
            case Rejected():
                return await self._reject(invoice_id, verdict)

    async def fetch_upo(self, invoice_id: str) -> bool:
        """Fetch a missing UPO of an accepted invoice; False where KSeF did not give it."""
        return await self._fetch_upo(await self._record(invoice_id))

    def forget_lists(self) -> None:
        """Ask KSeF anew what a session holds."""
        self._lists.clear()

    async def _record(self, invoice_id: str) -> InvoiceRecord:
        return await self._desk.store.read(lambda tx: tx.invoices.get(invoice_id))

    async def _move(
        self,
        invoice_id: str,
        to: InvoiceState,
        kind: str,
        data: Mapping[str, Json],
        change: InvoiceChange | None = None,
    ) -> InvoiceRecord:
        async def work(tx: Transaction) -> InvoiceRecord:
            record = await tx.invoices.move(invoice_id, to, change)
            await tx.events.append(kind, data, invoice_id)
            return record

        record = await self._desk.store.write(work)
        self._desk.changed.set()
        return record

    async def warm(self) -> None:
        """Have a session at hand, so that the first press of the day waits for none and bad credentials show early."""
        if self._watch.may_send():
            try:
                await self._session()
            except KsefError as error:
                self._watch.failed(error)

    async def _session(self) -> SessionRef:
        try:
            session = await self._desk.gateway.session()
        except KsefError as error:
            self._watch.signed_in(error)
            raise
        self._watch.signed_in()
        return session

    async def _send(self, record: InvoiceRecord) -> InvoiceRecord:
        gateway = self._desk.gateway
        try:
            session = await self._session()
        except KsefError as error:
            return await self._not_taken(record, error)
        record = await self._begin(record, session)
        outgoing = await self.outgoing(record)
        try:
            reference = await gateway.send(session, outgoing)
        except KsefError as error:
            self._desk.tally.count(self._desk.tally.sends, error.sent.value)
            return await self._failed_send(record, error)
        self._desk.tally.count(self._desk.tally.sends, "taken")
        self._watch.answered()
        return await self._move(
            record.id,
            InvoiceState.SENT,
            "sent",
            {"session": session.reference, "reference": reference},
            InvoiceChange(invoice_ref=reference, sent_at=self._desk.now()),
        )

    async def _begin(self, record: InvoiceRecord, session: SessionRef) -> InvoiceRecord:
        """Commit the intent; an online invoice that missed its day (a crash, midnight) leaves as offline24."""
        now = self._desk.now()
        late = record.mode is Mode.ONLINE and local_date(now) != record.issued_on
        decision = self._watch.after_budget(record, now) if late else None
        change = InvoiceChange(session_ref=session.reference, attempted=True)
        if decision is not None:
            change = replace(change, mode=decision.mode, reason=decision.reason)

        async def work(tx: Transaction) -> InvoiceRecord:
            sending = await tx.invoices.move(record.id, InvoiceState.SENDING, change)
            if decision is not None:
                data = {"from": record.mode, "to": decision.mode, "reason": decision.reason}
                await tx.events.append("mode", data, record.id)
            attempt: dict[str, Json] = {"session": session.reference, "sha256": record.sha256.hex()}
            await tx.events.append("sending", attempt | {"attempt": record.attempts + 1}, record.id)
            return sending

        sending = await self._desk.store.write(work)
        self._desk.changed.set()
        return sending

    async def outgoing(self, record: InvoiceRecord) -> Outgoing:
        """Build what goes over the wire; a technical correction names the hash of the file it replaces."""
        corrects: bytes | None = None
        if record.version > 1:
            versions = await self._desk.store.read(lambda tx: tx.invoices.versions(record.id))
            corrects = hashlib.sha256(versions[-2]).digest()
        offline = record.mode is not Mode.ONLINE or record.version > 1
        return Outgoing(record.id, record.xml, record.sha256, offline, corrects)

    async def _not_taken(self, record: InvoiceRecord, error: KsefError) -> InvoiceRecord:
        """No session: the invoice did not leave; it stays issued and waits."""
        self._watch.failed(error)
        self._desk.tally.count(self._desk.tally.sends, "no_session")
        return await self._note_trouble(record, "send_failed", error, "session")

    async def _note_trouble(self, record: InvoiceRecord, kind: str, error: KsefError, call: str) -> InvoiceRecord:
        change = InvoiceChange(not_before=self._next_attempt(record, error), attempted=True)
        data = evidence_of(error, call)

        async def work(tx: Transaction) -> InvoiceRecord:
            await tx.events.append(kind, data, record.id)
            return await tx.invoices.note(record.id, change)

        return await self._desk.store.write(work)

    async def _failed_send(self, record: InvoiceRecord, error: KsefError) -> InvoiceRecord:
        self._watch.failed(error)
        self._watch.signed_in(error)
        why = NO_CORRECTION.get(error.code) if error.sent is Sent.ANSWERED else None
        if why is not None:
            change = InvoiceChange(rejection=f"{error.code}: {why}")
            return await self._move(record.id, InvoiceState.REJECTED, "rejected", evidence_of(error, "send"), change)
        to = InvoiceState.IN_DOUBT if error.sent is Sent.UNKNOWN else InvoiceState.ISSUED
        return await self._move(
            record.id,
            to,
            "send_failed",
            evidence_of(error, "send"),
            InvoiceChange(not_before=self._next_attempt(record, error)),
        )

    def _next_attempt(self, record: InvoiceRecord, error: KsefError) -> datetime:
        now = self._desk.now()
        if error.retry_after is not None:
            return now + timedelta(seconds=error.retry_after)
        step = BACKOFF_STEPS[min(record.attempts, len(BACKOFF_STEPS) - 1)]
        return now + timedelta(seconds=step)

    async def _follow(self, record: InvoiceRecord) -> InvoiceRecord:
        for pause in (0.0, *POLL_STEPS):
            await self._desk.clock.sleep(pause)
            verdict = await self._ask(record)
            if verdict is None and not self._watch.may_send():
                return record
            if verdict is not None:
                record = await self.apply(record.id, verdict)
            if record.state is not InvoiceState.SENT:
                return record
        return record

    async def ask(self, invoice_id: str) -> InvoiceRecord:
        """Ask once about a SENT invoice and record the answer."""
        record = await self._record(invoice_id)
        if record.state is not InvoiceState.SENT:
            return record
        verdict = await self._ask(record)
        return record if verdict is None else await self.apply(record.id, verdict)

    async def _ask(self, record: InvoiceRecord) -> Verdict | None:
        if record.session_ref is None or record.invoice_ref is None:
            return None
        try:
            verdict = await self._desk.gateway.status(record.session_ref, record.invoice_ref)
        except KsefError as error:
            self._watch.failed(error)
            return None
        self._watch.answered()
        return verdict

    async def _accept(self, invoice_id: str, verdict: Accepted, original_session: str | None = None) -> InvoiceRecord:
        """Record the number. After 440 the UPO belongs to the original's session, where our reference means nothing."""
        change = InvoiceChange(ksef_number=verdict.ksef_number, accepted_at=verdict.accepted_at)
        if original_session is not None:
            change = replace(change, session_ref=original_session, invoice_ref="")
        data = {"ksef_number": verdict.ksef_number, "accepted_at": verdict.accepted_at.isoformat()}
        record = await self._move(invoice_id, InvoiceState.ACCEPTED, "accepted", data, change)
        self.upos_wanted = True
        self._desk.accepted.set()
        return record

    async def _compare_original(self, invoice_id: str, verdict: Duplicate) -> InvoiceRecord:
        record = await self._record(invoice_id)
        number = verdict.original_ksef_number
        if number is None:
            return record
        try:
            original = await self._original_sha256(record.sha256, number, verdict.original_session)
        except KsefError as error:
            self._watch.failed(error)
            return record
        if original == record.sha256:
            return await self._accept(
                invoice_id, Accepted(number, self._desk.now(), original), verdict.original_session
            )
        return await self._move(
            invoice_id,
            InvoiceState.REJECTED,
            "collision",
            {
                "code": 440,
                "original_ksef_number": number,
                "original_session": verdict.original_session,
                "original_sha256": original.hex(),
                "sha256": record.sha256.hex(),
            },
            InvoiceChange(rejection=f"440: numer zajęty w KSeF przez inny dokument ({number})"),
        )

    async def _original_sha256(self, sha256: bytes, number: str, session: str | None) -> bytes:
        """Hash of the original: out of its session's list where that tells (one call serves many), else fetched.

        Fetching is limited to 64 an hour (PROTOCOL section 3), a resent batch may bring thousands of 440.
        """
        if session is not None:
            _, verdict = (await self._list(session)).get(sha256, ("", None))
            if isinstance(verdict, Accepted) and verdict.ksef_number == number:
                return sha256
        return await self._desk.gateway.invoice_sha256(number)

    async def _list(self, session: str) -> dict[bytes, tuple[str, Verdict]]:
        now = self._desk.clock.monotonic()
        kept = self._lists.get(session)
        if kept is None or now - kept[0] > LIST_SECONDS:
            self._lists = {name: entry for name, entry in self._lists.items() if now - entry[0] <= LIST_SECONDS}
            kept = self._lists[session] = (now, await self._desk.gateway.find_all(session))
        return kept[1]

    async def _reject(self, invoice_id: str, verdict: Rejected) -> InvoiceRecord:
        data: Mapping[str, Json] = {
            "code": verdict.code,
            "description": verdict.description,
            "details": list(verdict.details),
        }
        if verdict.retryable:
            later = self._desk.now() + timedelta(seconds=BACKOFF_STEPS[0])
            return await self._move(
                invoice_id, InvoiceState.ISSUED, "cancelled_by_ksef", data, InvoiceChange(not_before=later)
            )
        text = f"{verdict.code}: {verdict.description}"
        if verdict.details:
            text += " (" + "; ".join(verdict.details) + ")"
        return await self._move(invoice_id, InvoiceState.REJECTED, "rejected", data, InvoiceChange(rejection=text))

    async def _ask_in_doubt(self, record: InvoiceRecord) -> InvoiceRecord:
        if record.session_ref is None:
            return await self._move(record.id, InvoiceState.ISSUED, "doubt_cleared", {"why": "no session"})
        try:
            found = await self._look_for(record, record.session_ref)
        except KsefError as error:
            self._watch.failed(error)
            return await self._note_trouble(record, "doubt_remains", error, "find")
        self._watch.answered()
        if found is None:
            return await self._move(
                record.id,
                InvoiceState.ISSUED,
                "doubt_cleared",
                {"why": "not in session", "session": record.session_ref},
            )
        reference, verdict = found
        record = await self._move(
            record.id,
            InvoiceState.SENT,
            "sent",
            {"session": record.session_ref, "reference": reference, "found_by": "sha256"},
            InvoiceChange(invoice_ref=reference, sent_at=record.sent_at or self._desk.now()),
        )
        return await self.apply(record.id, verdict)

    async def _look_for(self, record: InvoiceRecord, session: str) -> tuple[str, Verdict] | None:
        """Look for the file in its session; one list serves all doubts of a batch."""
        return (await self._list(session)).get(record.sha256)

    async def _fetch_upo(self, record: InvoiceRecord) -> bool:
        if record.session_ref is None or record.ksef_number is None:
            return True
        try:
            upo = await self._desk.gateway.upo(record.session_ref, record.invoice_ref or None, record.ksef_number)
        except KsefError as error:
            self._watch.failed(error)
            return False
        right = upo.sha256 == record.sha256 and upo.ksef_number == record.ksef_number

        async def work(tx: Transaction) -> None:
            if await tx.invoices.upo(record.id) is not None:
                return
            if right:
                await tx.invoices.add_upo(record.id, upo.xml)
            await tx.events.append(
                "upo" if right else "upo_mismatch",
                {"ksef_number": upo.ksef_number, "sha256": upo.sha256.hex()},
                record.id,
            )

        await self._desk.store.write(work)
        self._desk.changed.set()
        return True


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
