"""KSeF's confirmations: an invoice's own UPO, or the page of its batch's, checked, stored and told to each till.

An invoice that was sent alone gets its own UPO; those of a batch get their session's, one document for thousands, and
one of their own only where that does not come (docs/decisions.md, number 79).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from agent.domain.json_io.canonical import Json
from agent.hub.courier.link import Link
from agent.hub.domain.records import HubInvoice, OutcomeKind
from agent.hub.ports import HubStore, HubTransaction, Leadership
from agent.ports import CallOutcome, Clock, KsefError, KsefGateway, KsefSession, SessionKind, UpoPage
from agent.services.delivery.backoff import Backoff
from agent.services.heartbeats import Beat, unheard

AT_ONCE = 50
"""Invoices asked for in one pass."""
SESSIONS_AT_ONCE = 10
CALLS_AN_HOUR = 900
"""Of the 1200 calls that UPO and batch status share."""
CALLS_OF_A_SESSION = 2
"""Its status and a page."""
BATCH_PATIENCE = timedelta(hours=1)
"""So long after its number an invoice of a batch waits for the session's UPO; then its own is fetched."""
SLICE = 100
TICK_SECONDS = 2.0
NO_SUCH_SESSION = 21173


class UpoFetcher:
    """Fetches and stores what is missing, and tells the tills."""

    def __init__(
        self,
        nip: str,
        lead: Leadership,
        store: HubStore,
        gateway: KsefGateway,
        *,
        link: Link,
        clock: Clock,
        beat: Beat = unheard,
    ) -> None:
        self._nip = nip
        self._lead = lead
        self._store = store
        self._gateway = gateway
        self._link = link
        self._clock = clock
        self._beat = beat
        self._invoices = Backoff(clock)
        self._sessions = Backoff(clock)
        self._calls: deque[float] = deque()
        self._mismatches: set[tuple[bytes, bytes]] = set()
        """Hash of an invoice and of what its UPO confirms, told in the log once while this process leads."""

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self.pass_once()
            self._beat()
            await self._clock.sleep(TICK_SECONDS)

    async def pass_once(self) -> None:
        """Ask for what is missing and due; a refusal is that one's alone, any other trouble ends the pass."""
        if self._link.may_send and await self._of_sessions():
            await self._of_invoices()

    async def _of_sessions(self) -> bool:
        waiting = await self._store.read(lambda tx: tx.sessions.without_upo(self._nip))
        self._sessions.keep({each.reference for each in waiting})
        due = [each for each in waiting if self._sessions.due(each.reference)]
        for session in due[:SESSIONS_AT_ONCE]:
            if self._allowed() < CALLS_OF_A_SESSION or not self._link.may_send:
                return False
            self._sessions.asked(session.reference)
            self._count(CALLS_OF_A_SESSION)
            if not await self._of_session(session):
                return False
        return True

    async def _of_session(self, session: KsefSession) -> bool:
        """Fetch, store and link all pages; False where KSeF cannot be asked now. May be done twice."""
        try:
            pages = await self._gateway.session_upo(session.reference, close=session.kind is SessionKind.ONLINE)
        except KsefError as error:
            self._link.question_failed(error)
            if error.outcome is CallOutcome.REFUSED and error.code == NO_SUCH_SESSION:
                await self._lead.write(lambda tx: tx.sessions.finish(session.reference))
            return error.of_this_call_alone
        self._link.answered()
        if pages is None:
            return True
        for page in pages:
            await self._lead.write(partial(_add_page, session.reference, page))
            for start in range(0, len(page.documents), SLICE):
                named = page.documents[start : start + SLICE]
                await self._lead.write(partial(_confirm, session.reference, page.number, named))
        await self._lead.write(lambda tx: tx.sessions.finish(session.reference))
        return True

    async def _of_invoices(self) -> None:
        now = self._clock.now()
        most = AT_ONCE + len(self._invoices)
        missing: list[HubInvoice] = []
        for kind, before in ((SessionKind.ONLINE, now), (SessionKind.BATCH, now - BATCH_PATIENCE)):
            missing += await self._store.read(partial(_without_proof, self._nip, kind, before, most))
        self._invoices.keep({each.sha256.hex() for each in missing})
        for invoice in [each for each in missing if self._invoices.due(each.sha256.hex())][:AT_ONCE]:
            if self._allowed() < 1 or not self._link.may_send or not await self._of_invoice(invoice):
                return

    async def _of_invoice(self, invoice: HubInvoice) -> bool:
        """Fetch the UPO of one and store it where it is the right one; False where KSeF cannot be asked now."""
        if invoice.session_ref is None or invoice.ksef_number is None:
            return True
        self._invoices.asked(invoice.sha256.hex())
        self._count(1)
        try:
            upo = await self._gateway.upo(invoice.session_ref, invoice.invoice_ref or None, invoice.ksef_number)
        except KsefError as error:
            self._link.question_failed(error)
            return error.of_this_call_alone
        right = upo.sha256 == invoice.sha256 and upo.ksef_number == invoice.ksef_number

        async def work(tx: HubTransaction) -> None:
            if not right:
                if (invoice.sha256, upo.sha256) in self._mismatches:
                    return
                data = {"sha256": invoice.sha256.hex(), "upo_sha256": upo.sha256.hex(), "ksef_number": upo.ksef_number}
                await tx.log.append("upo_mismatch", data, nip=self._nip, till_id=invoice.till_id)
            elif await tx.sessions.add_upo(invoice.sha256, upo.xml):
                await tx.outcomes.add([(invoice, OutcomeKind.UPO, {"scope": "invoice"})])

        await self._lead.write(work)
        if not right:
            self._mismatches.add((invoice.sha256, upo.sha256))
        return True

    def _allowed(self) -> int:
        now = self._clock.monotonic()
        while self._calls and self._calls[0] <= now - 3600:
            self._calls.popleft()
        return CALLS_AN_HOUR - len(self._calls)

    def _count(self, calls: int) -> None:
        self._beat()
        self._calls.extend([self._clock.monotonic()] * calls)


async def _add_page(session: str, page: UpoPage, tx: HubTransaction) -> None:
    await tx.sessions.add_page(session, page)


async def _confirm(session: str, page: int, named: Sequence[tuple[str, bytes]], tx: HubTransaction) -> None:
    proven = await tx.sessions.confirm(session, page, named)
    data: dict[str, Json] = {"scope": "session", "session": session, "page": page}
    await tx.outcomes.add([(invoice, OutcomeKind.UPO, data) for invoice in proven])


async def _without_proof(
    nip: str, kind: SessionKind, before: datetime, most: int, tx: HubTransaction
) -> list[HubInvoice]:
    return await tx.sessions.without_proof(nip, kind, before, most)
