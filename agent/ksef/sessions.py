"""Interactive sessions: one stays open and warm, up to the time and the count KSeF allows (sesja-interaktywna.md)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import field
from datetime import timedelta
from typing import TypeVar

from agent.domain.values import dataclass
from agent.ksef.calls import AuthenticatedClient, Call, as_not_sent
from agent.ksef.crypto import SessionKey, b64, sha256
from agent.ksef.keys import PublicKey, PublicKeys, Usage
from agent.ksef.limits import PATIENCE_SEND_SECONDS, Group
from agent.ksef.responses import Fields
from agent.ksef.server_clock import ServerTime
from agent.ksef.single_flight import SingleFlight
from agent.ports import SESSION_CLOSED, SESSION_OVER, CallOutcome, Clock, Json, KsefError, Outgoing, SessionRef

T = TypeVar("T")

FORM_CODE: Json = {"systemCode": "FA (3)", "schemaVersion": "1-0E", "value": "FA"}
IDENTIFIER_VALIDATION = {"X-KSeF-Feature": "subject-identifier-validation"}
EARLY = timedelta(minutes=2)
"""A session is replaced so long before KSeF closes it."""
MAX_INVOICES = 10_000
"""Per session, unless /limits/context says otherwise."""
PAGE_SIZE = "1000"
COOLDOWN_SECONDS = 60.0
"""A session that refuses its first invoice within this time of its opening may have come too soon after the end of
another, or KSeF does service work and takes nothing in any (docs/protocol.md, section 6). It is replaced at once; where
that one refuses too, and until one takes something, each next one is opened this much later at the earliest, and so
late that a day of refusals never uses up an hour's openings: its end would not be noticed for the rest of that hour."""


@dataclass(slots=True)
class OpenSession:
    """A session we can write to: its key lives only here, in memory."""

    ref: SessionRef
    key: SessionKey = field(repr=False)
    opened_at: float
    """Monotonic."""
    sends: int = 0
    taken: int = 0


class OnlineSessions:
    """The warm session. One that was given up is closed by whoever asks for its UPO (Gateway.session_upo)."""

    def __init__(
        self,
        api: AuthenticatedClient,
        keys: PublicKeys,
        *,
        clock: Clock,
        server_time: ServerTime,
        validate_identifiers: bool,
        pace: Callable[[], float],
    ) -> None:
        """``pace``: seconds between openings that never use up an hour of KSeF's limits."""
        self._api = api
        self._keys = keys
        self._clock = clock
        self._server_time = server_time
        self._headers = IDENTIFIER_VALIDATION if validate_identifiers else None
        self._warm: OpenSession | None = None
        self._opening: SingleFlight[SessionRef] = SingleFlight("ksef-open-session")
        self._rests_until = 0.0
        """Monotonic: KSeF takes no new session yet."""
        self._pace = pace
        self._refused_in_a_row = 0
        """New sessions that refused their first invoice, since one last took something."""
        self._one_at_a_time = asyncio.Lock()
        """Held by what is sent in a new session after others were refused: one is enough to learn of it."""
        self.max_invoices = MAX_INVOICES

    async def warm(self) -> SessionRef:
        """Return the session to send in; all who wait for a new one share one opening."""
        if self._warm is not None and self._usable(self._warm):
            return self._warm.ref
        rest = self._rests_until - self._clock.monotonic()
        if rest > 0:
            raise KsefError(
                f"KSeF nie przyjmuje faktur w nowo otwartych sesjach: następną agent otworzy za {rest:.0f} s.",
                outcome=CallOutcome.NOT_SENT,
                code=SESSION_CLOSED,
                retry_after=rest,
            )
        return await self._opening.run(self._open)

    async def send(self, session: SessionRef, invoice: Outgoing) -> str:
        """Send once; return the invoice's reference. See agent.ports.KsefGateway.send."""
        opened = self._still(session)
        if self._refused_in_a_row == 0 or opened.taken > 0:
            return await self._send(opened, invoice)
        async with self._one_at_a_time:
            return await self._send(self._still(session), invoice)

    def _still(self, session: SessionRef) -> OpenSession:
        if self._warm is None or self._warm.ref.reference != session.reference:
            raise KsefError(
                "Sesja KSeF została już zastąpiona nową.", outcome=CallOutcome.NOT_SENT, code=SESSION_CLOSED
            )
        return self._warm

    async def _send(self, opened: OpenSession, invoice: Outgoing) -> str:
        opened.sends += 1
        path = f"/sessions/online/{opened.ref.reference}/invoices"
        body = _invoice_body(opened.key, invoice)
        try:
            answer = await self._api.run(
                Call(Group.INVOICE_SEND, "POST", path, json=body, patience=PATIENCE_SEND_SECONDS)
            )
        except KsefError as error:
            if error.code not in SESSION_OVER:
                raise
            if self._warm is opened:
                self._warm = None
                self._note_refusal(opened)
            raise as_not_sent(error) from error
        opened.taken += 1
        self._refused_in_a_row = 0
        return answer.fields().reference("referenceNumber")

    def _note_refusal(self, session: OpenSession) -> None:
        now = self._clock.monotonic()
        if session.taken == 0 and now < session.opened_at + COOLDOWN_SECONDS:
            self._refused_in_a_row += 1
            if self._refused_in_a_row > 1:
                self._rests_until = now + max(COOLDOWN_SECONDS, self._pace())

    async def stop(self) -> None:
        """Stop an opening under way."""
        await self._opening.stop()

    def take_warm(self) -> SessionRef | None:
        """Return the warm session, to close it, and forget it."""
        warm, self._warm = self._warm, None
        return None if warm is None else warm.ref

    async def close(self, reference: str) -> None:
        """Close a session; KSeF then makes its collective UPO. One closed before counts as closed now."""
        try:
            await self._api.run(Call(Group.ONLINE_SESSION_CLOSE, "POST", f"/sessions/online/{reference}/close"))
        except KsefError as error:
            if error.code != SESSION_CLOSED:
                raise

    async def _open(self) -> SessionRef:
        self._warm = None
        await self._api.ready()
        key = SessionKey.new()

        async def ask(public_key: PublicKey) -> SessionRef:
            body: Json = {"formCode": FORM_CODE, "encryption": encryption(key, public_key)}
            call = Call(Group.ONLINE_SESSION, "POST", "/sessions/online", json=body, headers=self._headers)
            fields = (await self._api.run(call)).fields()
            return SessionRef(fields.reference("referenceNumber"), fields.end("validUntil"))

        session = await self._keys.using(Usage.SYMMETRIC_KEY, ask)
        self._warm = OpenSession(session, key, self._clock.monotonic())
        return session

    def _usable(self, session: OpenSession) -> bool:
        in_time = self._server_time.now() < session.ref.valid_until - EARLY
        return in_time and session.sends < self.max_invoices


def encryption(key: SessionKey, public_key: PublicKey) -> Json:
    """Return EncryptionInfo; the identifier of the public key is always sent."""
    return {
        "encryptedSymmetricKey": public_key.wrap(key.key),
        "initializationVector": b64(key.iv),
        "publicKeyId": public_key.identifier,
    }


async def session_invoices(api: AuthenticatedClient, session_ref: str, read: Callable[[Fields], T]) -> AsyncIterator[T]:
    """Go through all invoices of a session, page by page. One that cannot be read is left out (Fields.readable)."""
    continuation: str | None = None
    seen: set[str] = set()
    while True:
        headers = {"x-continuation-token": continuation} if continuation else None
        path = f"/sessions/{session_ref}/invoices"
        call = Call(Group.SESSION_INVOICE_LIST, "GET", path, query={"pageSize": PAGE_SIZE}, headers=headers)
        page = (await api.run(call)).fields()
        for item in page.readable("invoices", read):
            yield item
        continuation = page.optional_text("continuationToken")
        if continuation is None:
            return
        if continuation in seen:
            raise page.unusable("Lista faktur sesji krąży: KSeF podał ten sam token kontynuacji drugi raz.")
        seen.add(continuation)


def _invoice_body(key: SessionKey, invoice: Outgoing) -> Json:
    encrypted = key.encrypt(invoice.xml)
    body: dict[str, Json] = {
        "invoiceHash": b64(invoice.sha256),
        "invoiceSize": len(invoice.xml),
        "encryptedInvoiceHash": b64(sha256(encrypted)),
        "encryptedInvoiceSize": len(encrypted),
        "encryptedInvoiceContent": b64(encrypted),
        "offlineMode": invoice.offline,
    }
    if invoice.corrects is not None:
        body["hashOfCorrectedInvoice"] = b64(invoice.corrects)
    return body
