"""What KSeF says of an invoice, made durable and told to its till in one transaction.

A 440 says that KSeF holds a document of the same seller, kind and number. It is ours only when its SHA-256 is, so
until the original could be compared the invoice is a doubt (docs/decisions.md, number 80).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from agent.domain.json_io.canonical import Json
from agent.hub.courier.link import Link
from agent.hub.domain.records import HubInvoice, InvoiceFacts, Original, OutcomeKind, Refusal
from agent.hub.domain.states import HubState
from agent.hub.ports import HubStore, HubTransaction, Leadership
from agent.ports import Accepted, CallOutcome, Clock, Duplicate, KsefError, KsefGateway, Pending, Rejected, Verdict
from agent.services.delivery.backoff import TROUBLE_STEPS, step_of

LONGEST_REST = 300.0
"""Seconds between two attempts."""
LIST_SECONDS = 60.0
"""How long a session's list serves for comparing originals."""
SLICE = 100
"""Invoices per transaction when a batch is decided: a press in between never waits for thousands of rows."""
DUPLICATE = 440
Told = tuple[HubInvoice, OutcomeKind, Mapping[str, Json]]


class VerdictRecorder:
    """Records what KSeF decided, and resolves what nobody knows."""

    def __init__(self, lead: Leadership, store: HubStore, gateway: KsefGateway, link: Link, clock: Clock) -> None:
        self._lead = lead
        self._store = store
        self._gateway = gateway
        self._link = link
        self._clock = clock
        self._lists: dict[str, tuple[float, dict[bytes, tuple[str, Verdict]]]] = {}

    async def move(
        self,
        invoice: HubInvoice,
        to: HubState,
        facts: InvoiceFacts,
        tell: OutcomeKind | None = None,
        data: Mapping[str, Json] | None = None,
    ) -> HubInvoice:
        """Move one, and tell its till where there is something to tell; one that was moved meanwhile stays there."""

        async def work(tx: HubTransaction) -> HubInvoice:
            if (now := await moved_meanwhile(tx, invoice)) is not None:
                return now
            moved = await tx.invoices.move(invoice.sha256, to, facts)
            if tell is not None:
                await tx.outcomes.add([(moved, tell, data or {})])
            return moved

        return await self._lead.write(work)

    def rest(self, invoice: HubInvoice, error: KsefError | None = None) -> datetime:
        """Return when to try again: as KSeF said, else later the more often it was tried.

        At most LONGEST_REST: the gateway asks KSeF nothing while a group of calls rests, and another way may be free.
        """
        if error is not None and error.retry_after is not None:
            return self._clock.now() + timedelta(seconds=min(error.retry_after, LONGEST_REST))
        return self._clock.now() + timedelta(seconds=step_of(TROUBLE_STEPS, invoice.attempts))

    async def apply(self, invoice: HubInvoice, verdict: Verdict) -> HubInvoice:
        """Record what KSeF decided about a SENT invoice."""
        match verdict:
            case Pending():
                return invoice
            case Duplicate():
                return await self._compare(invoice, verdict)
            case Accepted() | Rejected():
                return await self._lead.write(partial(self._decide, [(invoice, verdict)]))

    async def apply_all(self, decided: Sequence[tuple[HubInvoice, Verdict]]) -> None:
        """Record what KSeF decided about many SENT invoices; those it knew before one by one, they cost a look."""
        plain = [(invoice, verdict) for invoice, verdict in decided if isinstance(verdict, Accepted | Rejected)]
        for start in range(0, len(plain), SLICE):
            await self._lead.write(partial(self._decide, plain[start : start + SLICE]))
        for invoice, verdict in decided:
            if isinstance(verdict, Duplicate):
                await self._compare(invoice, verdict)

    async def _decide(
        self, decided: Sequence[tuple[HubInvoice, Accepted | Rejected]], tx: HubTransaction
    ) -> HubInvoice:
        told: list[Told] = []
        moved = decided[0][0]
        for invoice, verdict in decided:
            if (now := await moved_meanwhile(tx, invoice)) is not None:
                moved = now
                continue
            if isinstance(verdict, Rejected):
                moved, tell, data = await self._rejected(tx, invoice, verdict)
            elif verdict.sha256 is not None and verdict.sha256 != invoice.sha256:
                moved, tell, data = await self._other_bytes(tx, invoice, verdict)
            else:
                moved, tell, data = await _accepted(tx, invoice, verdict)
            if tell is not None:
                told.append((moved, tell, data))
        await tx.outcomes.add(told)
        return moved

    async def _rejected(
        self, tx: HubTransaction, invoice: HubInvoice, verdict: Rejected
    ) -> tuple[HubInvoice, OutcomeKind | None, Mapping[str, Json]]:
        if verdict.retryable:
            facts = InvoiceFacts(not_before=self.rest(invoice), trouble=f"{verdict.code}: {verdict.description}")
            return await tx.invoices.move(invoice.sha256, HubState.WAITING, facts), None, {}
        refusal = Refusal(verdict.code, verdict.description, verdict.details)
        moved = await tx.invoices.move(invoice.sha256, HubState.REJECTED, InvoiceFacts(refusal=refusal))
        return moved, OutcomeKind.REJECTED, {"code": verdict.code, "description": verdict.description}

    async def _other_bytes(
        self, tx: HubTransaction, invoice: HubInvoice, verdict: Accepted
    ) -> tuple[HubInvoice, OutcomeKind | None, Mapping[str, Json]]:
        """Under our reference KSeF accepted bytes that are not ours: no number is adopted, our hash is looked for."""
        why = f"KSeF podał numer {verdict.ksef_number} dla pliku o innym skrócie."
        facts = InvoiceFacts(not_before=self.rest(invoice), trouble=why)
        return await tx.invoices.move(invoice.sha256, HubState.DOUBT, facts), OutcomeKind.DOUBT, {"why": why}

    # --- duplicates -------------------------------------------------------------------------------------------------

    async def _compare(self, invoice: HubInvoice, verdict: Duplicate) -> HubInvoice:
        try:
            original = await self._original(invoice, verdict)
        except KsefError as error:
            self._link.question_failed(error)
            why = f"440: {verdict.description}. {error.message}"
            facts = InvoiceFacts(not_before=self.rest(invoice, error), trouble=why)
            return await self.move(invoice, HubState.DOUBT, facts, OutcomeKind.DOUBT, {"why": why})
        return await self._by_original(invoice, verdict, original)

    async def _by_original(self, invoice: HubInvoice, verdict: Duplicate, original: bytes) -> HubInvoice:
        number = verdict.original_ksef_number or ""
        if original == invoice.sha256:
            adopted = Accepted(number, self._clock.now(), original)
            return await self._lead.write(partial(_adopt, invoice, adopted, verdict.original_session))
        found = Original(number, verdict.original_session, original.hex())
        refusal = Refusal(DUPLICATE, "Numer zajmuje w KSeF inny dokument", original=found)
        data: dict[str, Json] = {"code": DUPLICATE, "ksef_number": number, "sha256": original.hex()}
        facts = InvoiceFacts(refusal=refusal)
        return await self.move(invoice, HubState.REJECTED, facts, OutcomeKind.DUPLICATE, data)

    async def _original(self, invoice: HubInvoice, verdict: Duplicate) -> bytes:
        """SHA-256 of the original: out of its session's list where that tells (one call serves many), else fetched.

        Fetching is limited to 64 an hour (docs/protocol.md, section 2), a resent batch may bring thousands of 440.
        """
        number, session = verdict.original_ksef_number, verdict.original_session
        if number is None:
            text = "KSeF nie podał numeru KSeF pierwszego dokumentu."
            raise KsefError(text, outcome=CallOutcome.REFUSED, code=DUPLICATE, body=verdict.description)
        if session is not None:
            _, listed = (await self._of_original(session)).get(invoice.sha256, ("", None))
            if isinstance(listed, Accepted) and listed.ksef_number == number:
                return invoice.sha256
        return await self._gateway.invoice_sha256(number)

    async def _of_original(self, session: str) -> dict[bytes, tuple[str, Verdict]]:
        """Return the list of the original's session, nothing where KSeF refuses it: the document may be had alone."""
        try:
            return await self._list(session)
        except KsefError as error:
            if error.refused_alone:
                return {}
            raise

    # --- doubts -----------------------------------------------------------------------------------------------------

    async def resolve(self, doubts: Sequence[HubInvoice], found: Mapping[bytes, tuple[str, Verdict]]) -> None:
        """Settle doubts of one session by what KSeF has of it: what is there is decided, what is not goes again."""
        for invoice in doubts:
            if invoice.sha256 not in found:
                facts = InvoiceFacts(trouble="KSeF nie ma tego pliku w sesji.")
                await self.move(invoice, HubState.WAITING, facts)
                continue
            reference, verdict = found[invoice.sha256]
            self._link.taken()  # whatever became of the answer
            original: bytes | None = None
            if isinstance(verdict, Duplicate):
                try:
                    original = await self._original(invoice, verdict)
                except KsefError as error:
                    self._link.question_failed(error)
                    await self.trouble(invoice, error)
                    continue
            sent = await self.move(invoice, HubState.SENT, InvoiceFacts(invoice_ref=reference))
            if sent.state is not HubState.SENT:
                continue
            if isinstance(verdict, Duplicate) and original is not None:
                await self._by_original(sent, verdict, original)
            else:
                await self.apply(sent, verdict)

    async def trouble(self, invoice: HubInvoice, error: KsefError) -> None:
        """Note what went wrong without a move; the next attempt waits."""
        facts = InvoiceFacts(not_before=self.rest(invoice, error), trouble=error.message, attempted=True)
        await self._lead.write(lambda tx: tx.invoices.note(invoice.sha256, facts))

    async def session_list(self, session: str) -> dict[bytes, tuple[str, Verdict]]:
        """Ask KSeF anew what a session holds."""
        self._lists.pop(session, None)
        return await self._list(session)

    async def _list(self, session: str) -> dict[bytes, tuple[str, Verdict]]:
        now = self._clock.monotonic()
        kept = self._lists.get(session)
        if kept is None or now - kept[0] > LIST_SECONDS:
            self._lists = {name: entry for name, entry in self._lists.items() if now - entry[0] <= LIST_SECONDS}
            kept = self._lists[session] = (now, await self._gateway.find_all(session))
        return kept[1]


async def _accepted(
    tx: HubTransaction, invoice: HubInvoice, verdict: Accepted, session: str | None = None, reference: str | None = None
) -> tuple[HubInvoice, OutcomeKind | None, Mapping[str, Json]]:
    facts = InvoiceFacts(
        ksef_number=verdict.ksef_number,
        accepted_at=verdict.accepted_at,
        session_ref=session,
        invoice_ref=reference,
    )
    moved = await tx.invoices.move(invoice.sha256, HubState.ACCEPTED, facts)
    data = {"ksef_number": verdict.ksef_number, "accepted_at": verdict.accepted_at.isoformat()}
    return moved, OutcomeKind.ACCEPTED, {**data, "session": moved.session_ref}


async def _adopt(invoice: HubInvoice, verdict: Accepted, session: str | None, tx: HubTransaction) -> HubInvoice:
    """The original is ours: its number counts. Its UPO belongs to its session, where our reference means nothing."""
    if (now := await moved_meanwhile(tx, invoice)) is not None:
        return now
    moved, tell, data = await _accepted(tx, invoice, verdict, session, "")
    assert tell is not None
    await tx.outcomes.add([(moved, tell, data)])
    return moved


async def moved_meanwhile(tx: HubTransaction, invoice: HubInvoice) -> HubInvoice | None:
    """Return an invoice as it is now where somebody moved it since it was read: a press, the backlog, its till.

    Between reading the queue and writing down what KSeF said lies a call to KSeF; whoever moved it told its till.
    """
    now = await tx.invoices.get(invoice.sha256)
    return None if (now.state, now.attempts) == (invoice.state, invoice.attempts) else now
