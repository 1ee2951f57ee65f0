"""The agent as HTTP and the command line see it: agent.services.contract.Till over the use cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import BinaryIO, Protocol

from agent.domain.calendar import local_date
from agent.domain.callers import Caller, Role
from agent.domain.errors import BadInput, Conflict, FieldError, NotFound, NotPermitted
from agent.domain.fa3.build import issue_date
from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.records import register
from agent.ports import Event, InvoiceFilter, Json, Picture, PrintJob, Transaction
from agent.services.answers import answer
from agent.services.buyers.lookup import BuyerLookup
from agent.services.contract import (
    ClockAnswer,
    Counters,
    HealthReport,
    HeldAnswer,
    InvoiceAnswer,
    IssueAnswer,
    ModeAnswer,
    OutboxStatus,
    UpoAnswer,
)
from agent.services.corrections.correct import Correcting
from agent.services.delivery.queue import Sync
from agent.services.desk import Desk
from agent.services.issuing.idempotency import Pressed
from agent.services.issuing.issue import Issuing
from agent.services.issuing.rejected import RejectedInvoices
from agent.services.monitoring.health import Reporting
from agent.services.monitoring.webhooks import Outbox
from agent.services.outages.watch import Watch
from agent.services.paper.previews import Previews
from agent.services.paper.printing import Printing, exported

MONTH_LIMIT = 1_000_000
QUEUE_LIMIT = 500
"""A screen shows the most urgent ones; /health counts them all."""


class EvidenceBundle(Protocol):
    """Makes the zip for an auditor (services/records/evidence.py)."""

    async def bundle(self, first: date, last: date) -> BinaryIO:
        """Everything about invoices with P_1 in these days, as an open file for the caller to close."""
        ...


class AgentTill:
    """Implements the Till protocol."""

    def __init__(
        self,
        desk: Desk,
        *,
        watch: Watch,
        issuing: Issuing,
        correcting: Correcting,
        printing: Printing,
        sync: Sync,
        reporting: Reporting,
        evidence: EvidenceBundle,
        buyers: BuyerLookup,
        outboxes: Sequence[Outbox] = (),
    ) -> None:
        self._desk = desk
        self._watch = watch
        self._issuing = issuing
        self._correcting = correcting
        self._printing = printing
        self._previews = Previews(desk.store, printing, desk.press)
        self._sync = sync
        self._reporting = reporting
        self._evidence = evidence
        self._buyers = buyers
        self._rejected = RejectedInvoices(desk, watch, issuing, sync)
        self._outboxes = outboxes

    async def issue_sale(self, body: bytes, key: str, caller: Caller) -> IssueAnswer:
        """Issue the invoice of a JSON sale."""
        return await self._answer(await self._issuing.sale(body, key, caller))

    async def issue_ready(self, xml: bytes, key: str, caller: Caller, receipt_nip: str | None = None) -> IssueAnswer:
        """Take a ready FA(3) as it is."""
        return await self._answer(await self._issuing.ready(xml, key, caller, receipt_nip))

    async def correct(self, invoice_id: str, body: bytes, key: str, caller: Caller) -> IssueAnswer:
        """Issue a correction, or queue it behind a base that has no number yet."""
        return await self._answer(await self._correcting.correct(invoice_id, body, key, caller))

    async def correct_outside(self, body: bytes, key: str, caller: Caller) -> IssueAnswer:
        """Correct an invoice that was issued elsewhere."""
        return await self._answer(await self._correcting.correct_outside(body, key, caller))

    async def technical_correction(self, invoice_id: str, caller: Caller, xml: bytes | None = None) -> InvoiceAnswer:
        """Send the same content again as new bytes."""
        _managers_only(caller)
        await self._rejected.correct_technically(invoice_id, caller, xml)
        return await self.invoice(invoice_id)

    async def resend(self, invoice_id: str, caller: Caller) -> InvoiceAnswer:
        """Send the same bytes again, after a refusal for missing permissions."""
        _managers_only(caller)
        await self._rejected.resend(invoice_id, caller)
        return await self.invoice(invoice_id)

    async def close(self, invoice_id: str, reason: str, caller: Caller) -> InvoiceAnswer:
        """End the case of a rejected invoice."""
        _managers_only(caller)
        await self._rejected.close(invoice_id, _reason(reason), caller)
        return await self.invoice(invoice_id)

    async def reprint(self, invoice_id: str, caller: Caller) -> InvoiceAnswer:
        """Print again, marked."""

        async def work(tx: Transaction) -> None:
            record = await tx.invoices.get(invoice_id)
            if record.state is InvoiceState.REJECTED and record.mode is Mode.ONLINE:
                raise Conflict("KSeF odrzucił tę fakturę przy wystawianiu: nie ma czego wydać klientowi.")
            if not record.xml:
                raise exported(record)
            await tx.events.append("reprint", {"by": caller.name}, invoice_id)

        await self._desk.store.write(work)
        await self._desk.crew.run(f"reprint-{invoice_id}", self._printing.print_at_counter(invoice_id))
        return await self.invoice(invoice_id)

    async def invoice(self, invoice_id: str) -> InvoiceAnswer:
        """Return one invoice as it stands."""

        async def work(tx: Transaction) -> InvoiceAnswer:
            return await answer(tx, await tx.invoices.get(invoice_id))

        return await self._desk.store.read(work)

    async def invoices(self, query: InvoiceFilter) -> list[InvoiceAnswer]:
        """Search, newest first."""

        async def work(tx: Transaction) -> list[InvoiceAnswer]:
            return [await answer(tx, record) for record in await tx.invoices.find(query)]

        return await self._desk.store.read(work)

    async def queue(self) -> list[InvoiceAnswer]:
        """Unsent, most urgent first."""

        async def work(tx: Transaction) -> list[InvoiceAnswer]:
            return [await answer(tx, record) for record in await tx.invoices.unsent(QUEUE_LIMIT)]

        return await self._desk.store.read(work)

    async def held(self) -> list[HeldAnswer]:
        """Corrections that wait for their base."""
        return await self._correcting.waiting()

    async def refused(self) -> list[HeldAnswer]:
        """Corrections that can never be issued, until a manager closes the case."""
        return await self._correcting.refused()

    async def held_one(self, held_id: str) -> HeldAnswer:
        """One that waits or waited."""
        return await self._correcting.held(held_id)

    async def reprint_slip(self, held_id: str, caller: Caller) -> HeldAnswer:
        """Print the slip of a waiting correction again, marked."""
        await self._correcting.reprint_slip(held_id, caller)
        return await self.held_one(held_id)

    async def settle(self, held_id: str, reason: str, caller: Caller) -> HeldAnswer:
        """Close the case of a refused correction."""
        _managers_only(caller)
        await self._correcting.settle(held_id, _reason(reason), caller)
        return await self.held_one(held_id)

    async def events(self, invoice_id: str) -> list[Event]:
        """Return the log of one invoice."""

        async def work(tx: Transaction) -> list[Event]:
            await tx.invoices.get(invoice_id)
            return await tx.events.of_invoice(invoice_id)

        return await self._desk.store.read(work)

    async def prints(self, invoice_id: str) -> list[PrintJob]:
        """Return the print jobs of one invoice."""

        async def work(tx: Transaction) -> list[PrintJob]:
            await tx.invoices.get(invoice_id)
            return await tx.prints.of_invoice(invoice_id)

        return await self._desk.store.read(work)

    async def upo(self, invoice_id: str, scope: str | None = None) -> UpoAnswer:
        """Return what confirms the invoice: its own UPO, else the page of its session's that names it."""
        if scope not in {None, "invoice", "session"}:
            raise BadInput(
                "Zakres UPO to invoice albo session.", errors=(FieldError("/scope", "invoice albo session"),)
            )

        async def work(tx: Transaction) -> UpoAnswer | None:
            record = await tx.invoices.get(invoice_id)
            own = None if scope == "session" else await tx.invoices.upo(invoice_id)
            if own is not None:
                return UpoAnswer(own, "invoice")
            named = await tx.sessions.upo_of(invoice_id)
            if named is not None and scope != "invoice":
                return UpoAnswer(await tx.sessions.page(named.session, named.page), "session")
            if record.has_upo and named is None and scope != "session":
                raise exported(record)
            return None

        upo = await self._desk.store.read(work)
        if upo is None:
            raise NotFound("Tej faktury nie ma jeszcze w KSeF albo UPO nie zostało jeszcze pobrane.", code="no-upo")
        return upo

    async def receipt_bytes(self, invoice_id: str) -> bytes:
        """Return the bytes last sent to a printer."""
        return await self._previews.last_sent(invoice_id)

    async def receipt_png(self, invoice_id: str, page: int = 1) -> Picture:
        """Return a page of the picture of the paper."""
        return await self._previews.picture(invoice_id, page)

    async def receipt_text(self, invoice_id: str) -> str:
        """Return the text of the paper."""
        return await self._previews.text(invoice_id)

    async def receipt_pdf(self, invoice_id: str, page: str) -> bytes:
        """Return the current document as PDF."""
        return await self._previews.pdf(invoice_id, page)

    def mode(self) -> ModeAnswer:
        """Return the mode a press would get now."""
        return self._watch.answer()

    async def declare(self, mode: Mode, reason: str, caller: Caller) -> ModeAnswer:
        """Declare offline24, or confirm a total failure."""
        _managers_only(caller)
        await self._watch.declare(mode, _reason(reason), caller.name)
        return self.mode()

    async def withdraw(self, reason: str, caller: Caller, *, false_alarm: bool = False) -> ModeAnswer:
        """Withdraw what a manager declared, or reject a total failure that never was."""
        _managers_only(caller)
        await self._watch.withdraw(_reason(reason), caller.name, false_alarm=false_alarm)
        self._sync.wake()
        return self.mode()

    async def register_rows(self, month: str, as_of: date | None) -> list[Mapping[str, Json]]:
        """Return the register of a month."""
        return [register.to_dict(row) for row in await self._register(month, as_of)]

    def clock_state(self) -> ClockAnswer:
        """Return the clock and whether it may date documents."""
        return self._watch.clock.answer()

    async def confirm_clock(self, day: date, caller: Caller) -> ClockAnswer:
        """Take a manager's word that the clock is right."""
        _managers_only(caller)
        await self._watch.clock.confirm(day, caller.name)
        self._desk.changed.set()
        return self.clock_state()

    async def register_csv(self, month: str, as_of: date | None) -> str:
        """Return the register of a month as CSV."""
        return register.to_csv(await self._register(month, as_of)).decode("utf-8")

    async def register_changes(self, month: str, since: date, as_of: date | None) -> list[Mapping[str, Json]]:
        """Return what has to be changed in books that were filed with the markers of ``since``."""
        then = await self._register(month, since, issued_by=since)
        now = await self._register(month, as_of)
        return [register.change_to_dict(change) for change in register.changed_since(then, now)]

    async def register_counts(self, month: str, as_of: date | None) -> Mapping[str, Json]:
        """Return the counts of a month."""
        return register.count_to_dict(register.month_count(month, await self._register(month, as_of)))

    async def outbox(self) -> list[OutboxStatus]:
        """Return how far each webhook subscriber is."""
        return [await each.status() for each in self._outboxes]

    async def replay(self, from_id: int, caller: Caller) -> list[OutboxStatus]:
        """Deliver again what the shop's system has lost; alerts are not repeated."""
        _managers_only(caller)
        replayed = [each for each in self._outboxes if each.replayable]
        if not replayed:
            raise Conflict("Nie ustawiono adresu systemu sklepu (outbox.url).", code="no-outbox")
        for each in replayed:
            await each.replay(from_id)
        await self._desk.store.write(lambda tx: tx.events.append("outbox_replay", {"by": caller.name, "from": from_id}))
        return await self.outbox()

    async def _register(
        self, month: str, as_of: date | None, *, issued_by: date = date.max
    ) -> list[register.RegisterRow]:
        first, last = month_bounds(month)
        day = as_of or issue_date(self._desk.now())

        async def work(tx: Transaction) -> list[register.RegisterRow]:
            query = InvoiceFilter(issued_from=first, issued_to=last, limit=MONTH_LIMIT)
            found = await tx.invoices.find(query)
            records = [record for record in found if local_date(record.issued_at) <= issued_by]
            upos = [record.id for record in records if record.has_upo]
            later = await tx.invoices.find(InvoiceFilter(base_issued=(first, last), limit=MONTH_LIMIT))
            return register.rows(records, as_of=day, upos=upos, corrections=later)

        return await self._desk.store.read(work)

    async def evidence(self, first: date, last: date) -> BinaryIO:
        """Return one zip for an auditor, open."""
        return await self._evidence.bundle(first, last)

    async def buyer(self, nip: str) -> Mapping[str, Json] | None:
        """Return what is known of a buyer."""
        return await self._buyers.buyer(nip)

    async def sync_now(self) -> int:
        """Wake the sync."""
        self._sync.wake()
        return len(await self._desk.store.read(lambda tx: tx.invoices.queue()))

    def health(self) -> HealthReport:
        """Return the newest report."""
        return self._reporting.health()

    def counters(self) -> Counters:
        """Return the counters since start."""
        return self._reporting.counters()

    async def wait_changes(self, after: int, seconds: float) -> int:
        """Wait for news."""
        newest = await self._newest()
        if newest > after:
            return newest
        try:
            await self._desk.clock.within(seconds, self._desk.changed.wait())
        except TimeoutError:
            return newest
        return await self._newest()

    async def _newest(self) -> int:
        return await self._desk.store.read(lambda tx: tx.events.newest())

    async def _answer(self, pressed: Pressed) -> IssueAnswer:
        held = None if pressed.held_id is None else await self._correcting.held(pressed.held_id)
        invoices = tuple([await self.invoice(each) for each in pressed.invoice_ids])
        return IssueAnswer(invoices, pressed.replayed, held)


def month_bounds(month: str) -> tuple[date, date]:
    """Return first and last day of YYYY-MM."""
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError as error:
        raise BadInput("Miesiąc zapisz jako RRRR-MM.", errors=(FieldError("/month", "RRRR-MM"),)) from error
    after = (first + timedelta(days=32)).replace(day=1)
    return first, after - timedelta(days=1)


def _managers_only(caller: Caller) -> None:
    if caller.role is not Role.MANAGER:
        raise NotPermitted("Do tego potrzebne są uprawnienia kierownika.")


def _reason(reason: str) -> str:
    if not reason.strip():
        raise BadInput("Podaj powód.", errors=(FieldError("/reason", "Podaj powód."),))
    return reason.strip()[:500]
