"""From the press to the durable document (docs/flows.md).

One transaction holds key, number, bytes, hash, links, deadline and event. Nothing is answered, printed or sent
before its COMMIT; a refused sale burns no number. After the commit nothing is lost: the sync sends what this
press did not, and the key gives the cashier the answer a crash swallowed.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Callable
from datetime import datetime

from agent.domain import links
from agent.domain.callers import Caller
from agent.domain.fa3.build import issue_date
from agent.domain.fa3.supplied import ReceiptClaim, check_ready
from agent.domain.invoice import LEGAL_BASIS, Mode, NewInvoice
from agent.domain.json_io.body import one_way, parse_object
from agent.domain.lifecycle import InvoiceState
from agent.domain.outages.deadlines import deadline
from agent.domain.outages.modes import ModeDecision, on_issue_date
from agent.domain.rejection import number_taken
from agent.domain.sale.parse import parse_sale
from agent.ports import InvoiceChange, Json, Transaction
from agent.services.buyers.memory import NO_BUYERS, NamedBuyers, note
from agent.services.delivery.queue import Sync
from agent.services.delivery.quota import backlog_share
from agent.services.delivery.sender import ASKING_SECONDS, Courier
from agent.services.desk import Desk
from agent.services.issuing.documents import Draft, Order, Orders, Prepare, known_bases, ready_made, sale_order
from agent.services.issuing.idempotency import Pressed, remember, seen_before
from agent.services.outages.deadline_updates import issue_moment
from agent.services.outages.watch import Watch
from agent.services.paper.printing import Printing


class Issuing:
    """Makes documents durable, then sends and prints them within the budget."""

    def __init__(self, desk: Desk, watch: Watch, courier: Courier, printing: Printing, sync: Sync) -> None:
        self._desk = desk
        self._watch = watch
        self._courier = courier
        self._printing = printing
        self._sync = sync
        self._running: dict[str, asyncio.Task[Pressed]] = {}
        self._background = 0
        """Documents being sent that nobody waits for."""

    @property
    def pressing(self) -> bool:
        """Whether a press is under way: what can wait lets it go first."""
        return bool(self._running)

    async def sale(self, body: bytes, key: str, caller: Caller, *, at_counter: bool = True) -> Pressed:
        """Issue the invoice of a JSON sale."""
        document = parse_object(body)

        def prepare(now: datetime) -> Prepare:
            sale = parse_sale(document, today=issue_date(now), seller_nip=self._desk.settings.seller.nip)
            return ready_made(sale_order(self._desk.settings, sale, now), sale.buyer)

        return await self.press(key, one_way(document), prepare, caller, at_counter=at_counter)

    async def ready(
        self, xml: bytes, key: str, caller: Caller, receipt_nip: str | None = None, *, at_counter: bool = True
    ) -> Pressed:
        """Take a ready FA(3), its bytes kept to the last one; ``receipt_nip``: the buyer's number on its receipt."""

        def prepare(now: datetime) -> Prepare:
            ready = check_ready(
                xml,
                schema=self._desk.schema,
                seller_nip=self._desk.settings.seller.nip,
                today=issue_date(now),
                receipt=ReceiptClaim(receipt_nip),
            )

            async def prepared(tx: Transaction) -> Orders:
                draft = Draft(
                    number=ready.number,
                    kind=ready.kind,
                    issued_on=ready.issued_on,
                    buyer=ready.buyer,
                    totals=ready.totals,
                    xml=xml,
                    bases=await known_bases(tx, ready),
                )
                named = NO_BUYERS if ready.view.kind.corrects else NamedBuyers(given=(ready.buyer,))
                return Orders((Order(None, lambda _: draft),), buyers=named)

            return prepared

        return await self.press(key, xml, prepare, caller, at_counter=at_counter)

    async def press(
        self,
        key: str,
        body: bytes,
        prepare: Callable[[datetime], Prepare],
        caller: Caller,
        *,
        at_counter: bool = True,
    ) -> Pressed:
        """Make what ``prepare(now)`` orders, once per key: a second click waits for the first and gets its answer.

        ``at_counter`` False: nobody waits, so nothing is printed, it is sent in the background, and what KSeF's limits
        keep for presses is left to them.
        """
        # No await between look and entry: of many clicks at once one presses, and the others wait for its paper.
        while (running := self._running.get(key)) is not None:
            await asyncio.wait({running})
        work = self._press(key, hashlib.sha256(body).digest(), prepare, caller, at_counter)
        task = self._desk.tasks.start(f"press-{key}", work, awaited=True)
        self._running[key] = task
        task.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(task)

    async def _press(
        self,
        key: str,
        body_sha256: bytes,
        prepare: Callable[[datetime], Prepare],
        caller: Caller,
        at_counter: bool,
    ) -> Pressed:
        begun = self._desk.clock.monotonic()
        seen = await self._desk.store.read(lambda tx: seen_before(tx, key, body_sha256))
        if seen is not None:  # before the clock is judged: what was issued is answered for in any case
            if at_counter:
                await self._first_papers(seen.invoice_ids)
            return seen
        now = await self._watch.issue_instant()
        prepared = prepare(now)
        decision = self._watch.decide(now, kept_for_presses=not at_counter and self._sends_kept())

        async def work(tx: Transaction) -> Pressed:
            seen = await seen_before(tx, key, body_sha256)
            if seen is not None:
                return seen
            orders = await prepared(tx)
            made = [await self._add(tx, order, decision, now, caller) for order in orders.documents]
            await self._watch.clock.issuing(now, tx)
            if orders.fulfils is not None:
                await tx.held.close(orders.fulfils, "issued", invoice_id=made[0].id)
            await note(tx, orders.buyers)
            return await remember(tx, key, body_sha256, made, orders.held)

        pressed = await self._desk.store.write(work)
        if pressed.replayed:
            return pressed
        self._watch.clock.issued(now)
        self._desk.changed.set()
        for invoice_id in pressed.invoice_ids:
            self._desk.metrics.issued(decision.mode)
            if at_counter:
                await self._finish(invoice_id, decision, begun)
            elif decision.attempt_online:
                self._background += 1
                self._desk.tasks.start(f"send-{invoice_id}", self._send_in_background(invoice_id))
        self._desk.metrics.press_took(self._desk.clock.monotonic() - begun)
        self._sync.wake()
        return pressed

    async def _add(
        self, tx: Transaction, order: Order, decision: ModeDecision, now: datetime, caller: Caller
    ) -> NewInvoice:
        serial = None if order.series is None else await tx.invoices.next_serial(order.series)
        draft = order.draw(serial or 0)
        invoice = self.document(draft, series=order.series, serial=serial, decision=decision, now=now, caller=caller)
        await tx.invoices.add(invoice)
        await tx.events.append("issued", self._issued_event(invoice), invoice.id)
        for base_id in draft.bases_here:
            data: dict[str, Json] = {"by": invoice.id, "number": invoice.number, "gross": str(invoice.totals.gross)}
            await tx.events.append("corrected", data, base_id)
        return invoice

    def document(
        self,
        draft: Draft,
        *,
        series: str | None,
        serial: int | None,
        decision: ModeDecision,
        now: datetime,
        caller: Caller,
    ) -> NewInvoice:
        """Validate the bytes, hash them, sign the codes, count the deadline."""
        self._desk.schema.check(draft.xml)
        sha256 = hashlib.sha256(draft.xml).digest()
        seller_nip = self._desk.settings.seller.nip
        decided = on_issue_date(decision, self._watch.timeline.at(now), draft.issued_on)
        due = deadline(decided.mode, issue_moment(draft.issued_on, now), self._watch.timeline, self._desk.calendar)
        return NewInvoice(
            id=uuid.uuid4().hex,
            series=series or "",
            serial=serial,
            number=draft.number,
            kind=draft.kind,
            issued_on=draft.issued_on,
            issued_at=now,
            mode=decided.mode,
            reason=decided.reason,
            seller_nip=seller_nip,
            buyer=draft.buyer,
            totals=draft.totals,
            xml=draft.xml,
            sha256=sha256,
            link_invoice=links.invoice_link(self._desk.settings.ksef.qr_url, seller_nip, draft.issued_on, sha256),
            link_certificate=self.certificate_link(sha256),
            deadline=due.date,
            deadline_state=due.state,
            external_ref=draft.external_ref,
            base_id=next(iter(draft.bases_here), None),
            bases=draft.bases,
            payments=draft.payments,
            pressed_by=caller.name,
        )

    def certificate_link(self, sha256: bytes) -> str | None:
        """KOD II, signed with the Offline certificate; None without one."""
        signer = self._desk.signer
        if signer is None:
            return None
        settings = self._desk.settings
        context = (
            ("InternalId", settings.ksef.context_internal_id)
            if settings.ksef.context_internal_id
            else ("Nip", settings.ksef.context_nip or settings.seller.nip)
        )
        text = links.certificate_path(
            settings.ksef.qr_url, context[0], context[1], settings.seller.nip, signer.serial, sha256
        )
        return links.certificate_link(text, signer.sign(text))

    async def _finish(self, invoice_id: str, decision: ModeDecision, begun: float) -> None:
        """Send within what is left of the budget, then print by what is known."""
        if decision.attempt_online:
            left = self._desk.settings.issue.budget_seconds - (self._desk.clock.monotonic() - begun)
            await self._send_within(invoice_id, max(left, 0.05))
            record = await self._desk.store.read(lambda tx: tx.invoices.get(invoice_id))
            if record.state is InvoiceState.REJECTED or number_taken(record.state, record.rejection):
                return  # KSeF said no while the customer waits: this is no invoice, and no paper may call it one
        await self._printing.print_at_counter(invoice_id)

    async def _first_papers(self, invoice_ids: tuple[str, ...]) -> None:
        """Print what a crash kept from its first paper: the cashier presses again because nothing came out."""

        async def without(tx: Transaction) -> list[str]:
            return [each for each in invoice_ids if await _lacks_paper(tx, each)]

        for invoice_id in await self._desk.store.read(without):
            await self._settle_mode(invoice_id)
            await self._printing.print_at_counter(invoice_id)

    def _sends_kept(self) -> bool:
        """Whether all that the limits still allow is kept for presses; what is being sent may not be counted yet."""
        return backlog_share(self._desk.gateway.budget(), kept_for_presses=True).now <= self._background

    async def _send_in_background(self, invoice_id: str) -> None:
        try:
            await self._send_within(invoice_id, self._desk.settings.issue.budget_seconds)
        finally:
            self._background -= 1

    async def _send_within(self, invoice_id: str, seconds: float) -> None:
        delivering = self._courier.deliver(invoice_id, max(seconds, ASKING_SECONDS), join=True)
        delivery = self._desk.tasks.start(f"deliver-{invoice_id}", delivering)
        self._sync.pressing += 1
        try:
            await self._desk.clock.within(seconds, asyncio.shield(delivery))
        except TimeoutError:
            pass
        finally:
            self._sync.pressing -= 1
        await self._settle_mode(invoice_id)

    async def _settle_mode(self, invoice_id: str) -> None:
        """After the budget: an invoice KSeF did not take in time, or not on its day, is an offline24 one."""

        async def work(tx: Transaction) -> None:
            record = await tx.invoices.get(invoice_id)
            change = self._watch.after_budget(record, self._watch.clock.best())
            if change is None or record.mode is not Mode.ONLINE:
                return
            await tx.invoices.note(invoice_id, InvoiceChange(mode=change.mode, reason=change.reason))
            await tx.events.append(
                "mode", {"from": record.mode, "to": change.mode, "reason": change.reason}, invoice_id
            )

        await self._desk.store.write(work)

    def _issued_event(self, invoice: NewInvoice) -> dict[str, Json]:
        return {
            "number": invoice.number,
            "kind": invoice.kind,
            "mode": invoice.mode.value,
            "reason": invoice.reason,
            "legal_basis": LEGAL_BASIS[invoice.mode],
            "issued_on": invoice.issued_on.isoformat(),
            "sha256": invoice.sha256.hex(),
            "gross": str(invoice.totals.gross),
            "currency": invoice.totals.currency,
            "deadline": None if invoice.deadline is None else invoice.deadline.isoformat(),
            "pressed_by": invoice.pressed_by,
            "facts": self._watch.evidence(),
        }


async def _lacks_paper(tx: Transaction, invoice_id: str) -> bool:
    record = await tx.invoices.get(invoice_id)
    if record.state is InvoiceState.REJECTED or number_taken(record.state, record.rejection) or not record.xml:
        return False
    return not await tx.prints.of_invoice(invoice_id)
