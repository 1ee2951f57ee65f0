"""One invoice to KSeF: intent committed, bytes sent, outcome committed and told.

Crash windows, and what heals them:
  after SENDING is committed, before or after the bytes left   the next holder makes it a doubt and looks for the file
                                                               by hash in that session, else the same bytes go again
  after KSeF's 202, before SENT is committed                   the same
  after KSeF accepted, before ACCEPTED is committed            asked again
Also a holder that was frozen while another took over, and sends then: KSeF answers 440 for the second, and the hashes
are compared.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Coroutine
from itertools import chain, repeat

from agent.domain.json_io.canonical import Json
from agent.domain.rejection import NO_CORRECTION
from agent.hub.courier.link import Link
from agent.hub.courier.verdicts import VerdictRecorder, moved_meanwhile
from agent.hub.domain.records import HubInvoice, InvoiceFacts, OutcomeKind, Refusal
from agent.hub.domain.states import HubState
from agent.hub.ports import HubStore, HubTransaction, Leadership
from agent.ports import SESSION_OVER, CallOutcome, Clock, KsefError, KsefGateway, Outgoing, SessionRef
from agent.services.delivery.settled import NOT_KNOWN, is_unknown

POLL_STEPS = (0.1, 0.2, 0.3, 0.5, 0.5, 1.0, 1.0, 2.0, 3.0, 5.0)
"""Seconds between status questions right after sending; the last one repeats."""
ASKING_SECONDS = 15.0
"""So long whoever sent an invoice goes on asking; later the backlog's round does."""
HOUR = 3600.0


class Sender:
    """Sends single invoices of one NIP. One invoice is in one pair of hands at a time."""

    def __init__(
        self,
        lead: Leadership,
        store: HubStore,
        gateway: KsefGateway,
        *,
        link: Link,
        verdicts: VerdictRecorder,
        clock: Clock,
    ) -> None:
        self._lead = lead
        self._store = store
        self._gateway = gateway
        self._link = link
        self._verdicts = verdicts
        self._clock = clock
        self.busy: set[bytes] = set()
        """Invoices somebody is bringing to KSeF right now."""
        self._answered: set[bytes] = set()
        """Those of them that KSeF has answered for: they take no place in the limits any more."""
        self._sent: deque[tuple[float, int]] = deque()

    def sent_lately(self) -> Counter[int]:
        """Return how much each till sent within the last hour."""
        begin = self._clock.monotonic() - HOUR
        while self._sent and self._sent[0][0] < begin:
            self._sent.popleft()
        return Counter(till_id for _, till_id in self._sent)

    @property
    def unsent(self) -> int:
        """How many being sent will still take a place in KSeF's limits."""
        return len(self.busy) - len(self._answered)

    def deliver(self, invoice: HubInvoice) -> Coroutine[object, object, None]:
        """Send a waiting invoice and ask until KSeF decides, a while at most. Trouble is recorded, never raised.

        It is being sent from the call on, not only from the first step of what is returned.
        """
        self.busy.add(invoice.sha256)
        return self._deliver(invoice)

    async def _deliver(self, invoice: HubInvoice) -> None:
        try:
            sent = await self._send(invoice)
            if sent is None:
                sent = await self._send(await self._store.read(lambda tx: tx.invoices.get(invoice.sha256)))
            self._answered.add(invoice.sha256)
            if sent is not None and sent.state is HubState.SENT:
                await self._follow(sent)
        finally:
            self.busy.discard(invoice.sha256)
            self._answered.discard(invoice.sha256)

    async def _send(self, invoice: HubInvoice) -> HubInvoice | None:
        """Send once; None where the session turned out to be over, and a new one may take it at once."""
        if invoice.state is not HubState.WAITING:
            return invoice
        try:
            session = await self._gateway.session()
        except KsefError as error:
            self._link.failed(error)
            self._link.no_session(error)
            await self._verdicts.trouble(invoice, error)
            return invoice
        self._link.in_session(session.reference)
        sending = await self._intend(invoice, session)
        if sending is None:
            return invoice
        self._sent.append((self._clock.monotonic(), invoice.till_id))
        try:
            reference = await self._gateway.send(session, await self._outgoing(sending))
        except KsefError as error:
            self._link.failed(error)
            over = error.code in SESSION_OVER
            again = over and invoice.attempts == 0
            if error.outcome is CallOutcome.NOT_SENT and not over:
                self._link.no_session(error)  # no token to send it with
            elif error.outcome is CallOutcome.UNKNOWN or error.of_every_invoice or (over and not again):
                self._link.nothing_taken(error)
            failed = await self._failed(sending, error)
            return None if again and failed.state is HubState.WAITING else failed
        self._link.taken()
        facts = InvoiceFacts(invoice_ref=reference, sent_at=self._clock.now())
        data = {"session": session.reference}
        return await self._verdicts.move(sending, HubState.SENT, facts, OutcomeKind.SENT, data)

    async def _intend(self, invoice: HubInvoice, session: SessionRef) -> HubInvoice | None:
        """Commit that it is being sent; None where it waits no longer."""

        async def work(tx: HubTransaction) -> HubInvoice | None:
            if await moved_meanwhile(tx, invoice) is not None:
                return None
            await tx.invoices.sending_alone(invoice.nip)
            facts = InvoiceFacts(session_ref=session.reference, invoice_ref="", attempted=True)
            return await tx.invoices.move(invoice.sha256, HubState.SENDING, facts)

        return await self._lead.write(work)

    async def _outgoing(self, invoice: HubInvoice) -> Outgoing:
        xml = await self._store.read(lambda tx: tx.invoices.xml(invoice.sha256))
        return outgoing(invoice, xml, self._clock)

    async def _failed(self, sending: HubInvoice, error: KsefError) -> HubInvoice:
        why = NO_CORRECTION.get(error.code) if error.outcome is CallOutcome.REFUSED else None
        if why is not None:
            facts = InvoiceFacts(refusal=Refusal(error.code, why))
            data: dict[str, Json] = {"code": error.code, "description": why}
            return await self._verdicts.move(sending, HubState.REJECTED, facts, OutcomeKind.REJECTED, data)
        over = error.code in SESSION_OVER and sending.attempts == 1
        rest = None if over else self._verdicts.rest(sending, error)
        facts = InvoiceFacts(not_before=rest, trouble=error.message)
        if error.outcome is CallOutcome.UNKNOWN:
            unknown: dict[str, Json] = {"why": error.message}
            return await self._verdicts.move(sending, HubState.DOUBT, facts, OutcomeKind.DOUBT, unknown)
        return await self._verdicts.move(sending, HubState.WAITING, facts)

    async def _follow(self, invoice: HubInvoice) -> None:
        give_up = self._clock.monotonic() + ASKING_SECONDS
        for pause in chain((0.0,), POLL_STEPS, repeat(POLL_STEPS[-1])):
            if pause and self._clock.monotonic() + pause > give_up:
                return
            await self._clock.sleep(pause)
            if (await self.ask(invoice)).state is not HubState.SENT or not self._link.may_send:
                return

    async def ask(self, invoice: HubInvoice) -> HubInvoice:
        """Ask once about a SENT invoice and record the answer."""
        if not invoice.session_ref or not invoice.invoice_ref:
            return invoice
        try:
            verdict = await self._gateway.status(invoice.session_ref, invoice.invoice_ref)
        except KsefError as error:
            self._link.question_failed(error)
            if is_unknown(error, invoice.sent_at, self._clock.now()):
                return await self._doubt(invoice, error)
            return invoice
        self._link.answered()
        return await self._verdicts.apply(invoice, verdict)

    async def _doubt(self, invoice: HubInvoice, error: KsefError) -> HubInvoice:
        why = f"{NOT_KNOWN}. {error.message}"
        return await self._verdicts.move(
            invoice, HubState.DOUBT, InvoiceFacts(trouble=why), OutcomeKind.DOUBT, {"why": why}
        )


def outgoing(invoice: HubInvoice, xml: bytes, clock: Clock) -> Outgoing:
    """Build what goes over the wire: once nobody waits any more, the till has made it an offline invoice."""
    urgent = invoice.urgent_until is not None and clock.now() < invoice.urgent_until
    offline = invoice.offline or not urgent
    return Outgoing(invoice.sha256.hex(), xml, invoice.sha256, offline, invoice.corrects)
