"""From the press to the durable document (DESIGN.md section 3).

One transaction holds key, number, bytes, hash, links, deadline and event. Nothing is answered, printed or sent
before its COMMIT; a refused sale burns no number. After the commit nothing is lost: the sync sends what this
press did not, and the key gives the cashier the answer a crash swallowed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from agent.config import Settings
from agent.domain import fa3, links, numbering
from agent.domain.deadlines import deadline
from agent.domain.errors import BadInput, Conflict, FieldError, KeyReused
from agent.domain.invoice import LEGAL_BASIS, Buyer, CorrectedBase, Mode, NewInvoice, Payment, Sale, Totals
from agent.domain.lifecycle import InvoiceState
from agent.domain.modes import ModeDecision, on_issue_date
from agent.domain.ready import ReadyInvoice, check_ready
from agent.domain.sale import parse_sale
from agent.domain.vat import totals
from agent.ports import HeldCorrection, InvoiceChange, InvoiceFilter, Json, KeyRecord, Transaction
from agent.services.contract import Caller
from agent.services.desk import Desk
from agent.services.duties import issue_moment
from agent.services.printing import Printing
from agent.services.sending import ASKING_SECONDS, Courier
from agent.services.sync import Sync
from agent.services.watch import Watch


@dataclass(frozen=True, slots=True)
class Draft:
    """A document ready to be stored, all but its mode and deadline."""

    number: str
    kind: str
    issued_on: date
    buyer: Buyer
    totals: Totals
    xml: bytes
    payments: tuple[Payment, ...] = ()
    external_ref: str | None = None
    bases: tuple[CorrectedBase, ...] = ()
    """What a correction corrects; those of this store by their id too."""

    @property
    def bases_here(self) -> tuple[str, ...]:
        """Ids of the corrected invoices that this store holds."""
        return tuple(base.invoice_id for base in self.bases if base.invoice_id is not None)


@dataclass(frozen=True, slots=True)
class Order:
    """One document to make: ``draw(serial)`` builds it; ``series`` None for a document with its own number."""

    series: str | None
    draw: Callable[[int], Draft]


@dataclass(frozen=True, slots=True)
class Orders:
    """What one press makes: documents, and a correction that has to wait for its base."""

    documents: tuple[Order, ...]
    held: HeldCorrection | None = None
    fulfils: str | None = None
    """Id of the held correction that the first document is."""


Prepare = Callable[[Transaction], Awaitable[Orders]]
"""Decides what to make, inside the transaction that makes it."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a key made: the invoices, a held correction, and whether the key was seen before."""

    invoice_ids: tuple[str, ...]
    replayed: bool = False
    held_id: str | None = None


class Issuing:
    """Makes documents durable, then sends and prints them within the budget."""

    def __init__(self, desk: Desk, watch: Watch, courier: Courier, printing: Printing, sync: Sync) -> None:
        self._desk = desk
        self._watch = watch
        self._courier = courier
        self._printing = printing
        self._sync = sync
        self._running: dict[str, asyncio.Task[Pressed]] = {}

    async def sale(self, body: bytes, key: str, caller: Caller) -> Pressed:
        """Issue the invoice of a JSON sale."""
        return await self.press(key, same_json(body), lambda now: _ready(self._sale_order(body, now)), caller)

    async def ready(self, xml: bytes, key: str, caller: Caller) -> Pressed:
        """Take a ready FA(3), its bytes kept to the last one."""

        def prepare(now: datetime) -> Prepare:
            seller_nip = self._desk.settings.seller.nip
            ready = check_ready(xml, schema=self._desk.schema, seller_nip=seller_nip, today=fa3.issue_date(now))

            async def prepared(tx: Transaction) -> Orders:
                draft = Draft(
                    number=ready.number,
                    kind=ready.kind,
                    issued_on=ready.issued_on,
                    buyer=ready.buyer,
                    totals=ready.totals,
                    xml=xml,
                    bases=await _known_bases(tx, ready),
                )
                return Orders((Order(None, lambda _: draft),))

            return prepared

        return await self.press(key, xml, prepare, caller)

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

        ``at_counter`` False: nobody waits, so nothing is printed and it is sent in the background.
        """
        # No await between look and entry: of many clicks at once one presses, and the others wait for its paper.
        while (running := self._running.get(key)) is not None:
            await asyncio.wait({running})
        work = self._press(key, hashlib.sha256(body).digest(), prepare, caller, at_counter)
        task = self._desk.crew.start(f"press-{key}", work, awaited=True)
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
        now = self._desk.now()
        self._watch.check_clock()
        prepared = prepare(now)
        decision = self._watch.decide(now)

        async def work(tx: Transaction) -> Pressed:
            seen = await seen_before(tx, key, body_sha256)
            if seen is not None:
                return seen
            orders = await prepared(tx)
            made = [await self._add(tx, order, decision, now, caller) for order in orders.documents]
            if orders.fulfils is not None:
                await tx.held.close(orders.fulfils, "issued", invoice_id=made[0].id)
            return await _remember(tx, key, body_sha256, made, orders.held)

        pressed = await self._desk.store.write(work)
        if pressed.replayed:
            return pressed
        self._desk.changed.set()
        for invoice_id in pressed.invoice_ids:
            self._desk.tally.count(self._desk.tally.issued, decision.mode.value)
            if at_counter:
                await self._finish(invoice_id, decision, begun)
            elif decision.attempt_online:
                seconds = self._desk.settings.issue.budget_seconds
                self._desk.crew.start(f"send-{invoice_id}", self._send_within(invoice_id, seconds))
        self._desk.tally.press(self._desk.clock.monotonic() - begun)
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
            if record.state is InvoiceState.REJECTED:
                return  # KSeF said no while the customer waits: this is no invoice, and no paper may call it one
        await self._printing.print(invoice_id)

    async def _first_papers(self, invoice_ids: tuple[str, ...]) -> None:
        """Print what a crash kept from its first paper: the cashier presses again because nothing came out."""

        async def without(tx: Transaction) -> list[str]:
            return [each for each in invoice_ids if await _lacks_paper(tx, each)]

        for invoice_id in await self._desk.store.read(without):
            await self._settle_mode(invoice_id)
            await self._printing.print(invoice_id)

    async def _send_within(self, invoice_id: str, seconds: float) -> None:
        delivering = self._courier.deliver(invoice_id, max(seconds, ASKING_SECONDS))
        delivery = self._desk.crew.start(f"deliver-{invoice_id}", delivering)
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
            change = self._watch.after_budget(record, self._desk.now())
            if change is None or record.mode is not Mode.ONLINE:
                return
            await tx.invoices.note(invoice_id, InvoiceChange(mode=change.mode, reason=change.reason))
            await tx.events.append(
                "mode", {"from": record.mode, "to": change.mode, "reason": change.reason}, invoice_id
            )

        await self._desk.store.write(work)

    def _sale_order(self, body: bytes, now: datetime) -> Order:
        issued_on = fa3.issue_date(now)
        return self.order_of(parse_sale(parse_json(body), today=issued_on), now)

    def order_of(self, sale: Sale, now: datetime) -> Order:
        """Order the invoice of a checked sale."""
        settings = self._desk.settings
        issued_on = fa3.issue_date(now)

        def draw(number: str) -> Draft:
            xml = fa3.build_invoice(
                sale, settings.seller, number=number, issued_at=now, system_info=settings.issue.system_info
            )
            return Draft(
                number=number,
                kind="VAT",
                issued_on=issued_on,
                buyer=sale.buyer,
                totals=totals(sale),
                xml=xml,
                payments=sale.payments,
                external_ref=sale.external_ref,
            )

        return numbered_order(settings, settings.issue.series, issued_on, draw)

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


def numbered_order(settings: Settings, series_template: str, issued_on: date, draw: Callable[[str], Draft]) -> Order:
    """Order a document of one of our own series; ``draw(P_2)`` builds it once its number is known."""
    series = numbering.series_name(series_template, till=settings.till, issued_on=issued_on)

    def draw_serial(serial: int) -> Draft:
        return draw(
            numbering.format_number(
                settings.issue.number, series=series, till=settings.till, serial=serial, issued_on=issued_on
            )
        )

    return Order(series, draw_serial)


def same_json(body: bytes) -> bytes:
    """Write the JSON of ``body`` in one way: a till that writes its basket anew after a crash repeats the same request.

    BadInput as from parse_json.
    """
    return json.dumps(parse_json(body), sort_keys=True, separators=(",", ":")).encode()


def parse_json(body: bytes) -> object:
    """Parse UTF-8 JSON; floats come as strings never, as an error of the field that holds them (parse_sale).

    BadInput code not-json; duplicate keys are refused, since which one counts is anybody's guess.
    """
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise BadInput(
            "To nie jest poprawny dokument JSON.",
            code="not-json",
            errors=(FieldError("", str(error), "not-json"),),
        ) from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("powtórzony klucz w obiekcie JSON")
    return result


async def _known_bases(tx: Transaction, ready: ReadyInvoice) -> tuple[CorrectedBase, ...]:
    """Return the corrected invoices, those of this store by their id; Conflict where one stands in the way."""
    found: list[CorrectedBase] = []
    for base in ready.bases:
        known = base
        for record in await tx.invoices.find(InvoiceFilter(number=base.number, limit=1)):
            if record.state is InvoiceState.REJECTED:
                text = f"KSeF odrzucił fakturę {record.number}, więc nie ma czego korygować."
                raise Conflict(text, code="base-rejected")
            if record.ksef_number is None and record.state is not InvoiceState.EXEMPT:
                text = (
                    f"Faktura {record.number} nie ma jeszcze numeru KSeF, a korekta musi go podawać. "
                    "Prześlij korektę ponownie, gdy numer nadejdzie."
                )
                raise Conflict(text, code="base-without-number")
            if record.ksef_number is not None and base.ksef_number != record.ksef_number:
                text = f"Faktura {record.number} ma numer KSeF {record.ksef_number}, a korekta podaje inny albo żaden."
                raise Conflict(text, code="base-number-differs")
            if any(each.state == "waiting" for each in await tx.held.of_base(record.id)):
                text = f"Na wystawienie czeka wcześniejsza korekta faktury {record.number}. Prześlij tę później."
                raise Conflict(text, code="base-has-held-correction")
            known = replace(base, invoice_id=record.id)
        found.append(known)
    return tuple(found)


async def _lacks_paper(tx: Transaction, invoice_id: str) -> bool:
    record = await tx.invoices.get(invoice_id)
    if record.state is InvoiceState.REJECTED or not record.xml:
        return False
    return not await tx.prints.of_invoice(invoice_id)


def _ready(order: Order) -> Prepare:
    async def prepared(_: Transaction) -> Orders:
        return Orders((order,))

    return prepared


async def _remember(
    tx: Transaction, key: str, body_sha256: bytes, made: list[NewInvoice], held: HeldCorrection | None
) -> Pressed:
    """Bind the key to what it made; an answer richer than one invoice is kept beside it."""
    ids = [invoice.id for invoice in made]
    if held is not None:
        await tx.held.add(held)
        data: dict[str, Json] = {"held": held.id, "key": held.key, "by": held.pressed_by}
        await tx.events.append("correction_held", data, held.base_id)
    if held is not None or len(ids) > 1:
        kept: dict[str, Json] = {"invoices": list(ids), "held": None if held is None else held.id}
        await tx.notebook.put(f"key:{key}", kept)
    anchor = ids[0] if held is None else held.base_id
    await tx.keys.add(KeyRecord(key, body_sha256, anchor))
    return Pressed(tuple(ids), held_id=None if held is None else held.id)


async def seen_before(tx: Transaction, key: str, body_sha256: bytes) -> Pressed | None:
    """Return what the key made before, None for a new key; KeyReused where the body differs."""
    record = await tx.keys.get(key)
    if record is None:
        return None
    if record.body_sha256 != body_sha256:
        raise KeyReused("Ten klucz Idempotency-Key został już użyty dla innego dokumentu. Nic nie wystawiono.")
    kept = await tx.notebook.get(f"key:{key}")
    if not isinstance(kept, Mapping):
        return Pressed((record.invoice_id,), replayed=True)
    ids = kept["invoices"]
    held = kept["held"]
    assert isinstance(ids, Sequence)
    return Pressed(tuple(str(each) for each in ids), replayed=True, held_id=None if held is None else str(held))
