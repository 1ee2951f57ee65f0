"""Corrections (KOR): at once where the base has its KSeF number, else held and issued when the number arrives.

A correction is decided inside the transaction that stores it, over the base and everything that corrects it already,
so two returns of the same goods at two tills of this agent can never both pass.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from agent.domain import fa3, numbering
from agent.domain.calendar import local_date
from agent.domain.correction import (
    BaseInvoice,
    Correction,
    after_pending,
    base_of_record,
    named_numbers,
    numbered,
    outside,
    parse_correction,
    parse_outside_base,
)
from agent.domain.errors import AgentError, BadInput, Conflict, FieldError, Refused
from agent.domain.fa3_view import read
from agent.domain.invoice import InvoiceRecord, Sale
from agent.domain.lifecycle import InvoiceState
from agent.domain.paper import HeldCorrection as HeldSlip
from agent.domain.paper import compose_held_correction
from agent.domain.plain import from_plain, to_plain
from agent.domain.receipt import Receipt
from agent.ports import HeldCorrection, InvoiceFilter, Json, Outcome, Transaction
from agent.services.contract import Caller, HeldAnswer, Role
from agent.services.desk import Desk
from agent.services.issue import Draft, Issuing, Order, Orders, Prepare, Pressed, parse_json
from agent.services.printing import Printing

LOG = logging.getLogger("agent.corrections")
MAX_CORRECTIONS = 1000


class Correcting:
    """Makes corrections, and issues the held ones when their time has come."""

    def __init__(self, desk: Desk, issuing: Issuing, printing: Printing) -> None:
        self._desk = desk
        self._issuing = issuing
        self._printing = printing

    # --- the press ----------------------------------------------------------------------------------

    async def correct(self, invoice_id: str, body: bytes, key: str, caller: Caller) -> Pressed:
        """Correct an invoice of this store."""
        document = parse_json(body)

        def prepare(now: datetime) -> Prepare:
            async def prepared(tx: Transaction) -> Orders:
                base = await self._base(tx, await tx.invoices.get(invoice_id))
                others = [await self._base(tx, record) for record in await self._named(tx, document)]
                correction = parse_correction(document, base=base, today=local_date(now), others=others)
                return self._orders(correction, now, key, caller)

            return prepared

        pressed = await self._issuing.press(key, _bound(invoice_id, body), prepare, caller)
        await self._print_slip(pressed)
        return pressed

    async def correct_outside(self, body: bytes, key: str, caller: Caller) -> Pressed:
        """Correct an invoice this store does not hold: the body has "base" (as it was) and "correction"."""
        document = parse_json(body)
        if not isinstance(document, dict) or set(document) != {"base", "correction"}:
            text = "Spodziewane pola: base (faktura korygowana) i correction (korekta)."
            raise BadInput(text, errors=(FieldError("", text, "required"),))
        seller_nip = self._desk.settings.seller.nip

        def prepare(now: datetime) -> Prepare:
            today = local_date(now)
            base = parse_outside_base(document["base"], seller_nip=seller_nip, today=today, pointer="/base")

            async def prepared(tx: Transaction) -> Orders:
                number = base.reference.number
                known = await tx.invoices.find(InvoiceFilter(number=number, limit=1))
                if known:
                    text = f"Faktura {number} jest na tej kasie: skoryguj ją przez jej numer."
                    raise Conflict(text, code="base-known-here")
                correction = parse_correction(document["correction"], base=base, today=today)
                return self._orders(correction, now, key, caller)

            return prepared

        pressed = await self._issuing.press(key, body, prepare, caller)
        await self._print_slip(pressed)
        return pressed

    async def _named(self, tx: Transaction, document: object) -> list[InvoiceRecord]:
        found: list[InvoiceRecord] = []
        for number in dict.fromkeys(named_numbers(document)):
            found += await tx.invoices.find(InvoiceFilter(number=number, limit=1))
        return found

    async def _base(self, tx: Transaction, record: InvoiceRecord) -> BaseInvoice:
        """The invoice as it stands after everything that corrects it, held or issued."""
        query = InvoiceFilter(base_id=record.id, limit=MAX_CORRECTIONS)
        issued = [each for each in await tx.invoices.find(query) if each.state is not InvoiceState.REJECTED]
        held = [each for each in await tx.held.of_base(record.id) if each.state == "waiting"]
        base = base_of_record(
            record,
            read(record.xml),
            seller_nip=self._desk.settings.seller.nip,
            earlier=[read(each.xml) for each in reversed(issued)],
        )
        return after_pending(base, [_stored(each) for each in held])

    def _orders(self, correction: Correction, now: datetime, key: str, caller: Caller) -> Orders:
        replacement = () if correction.replacement is None else (self._replacement(correction.replacement, now),)
        if not correction.awaiting:
            return Orders((self._order(correction, now), *replacement))
        base_id = correction.bases[0].invoice_id
        assert base_id is not None
        plain = json.dumps(to_plain(replace(correction, replacement=None)), ensure_ascii=False)
        held = HeldCorrection(
            id=uuid.uuid4().hex,
            base_id=base_id,
            body=plain.encode(),
            key=key,
            pressed_by=caller.name,
            created_at=now,
        )
        return Orders(replacement, held)

    def _order(self, correction: Correction, now: datetime) -> Order:
        settings = self._desk.settings
        issued_on = fa3.issue_date(now)
        series = numbering.series_name(settings.issue.correction_series, till=settings.till, issued_on=issued_on)

        def draw(serial: int) -> Draft:
            number = numbering.format_number(
                settings.issue.number, series=series, till=settings.till, serial=serial, issued_on=issued_on
            )
            xml = fa3.build_correction(
                correction, settings.seller, number=number, issued_at=now, system_info=settings.issue.system_info
            )
            return Draft(
                number=number,
                kind="KOR",
                issued_on=issued_on,
                buyer=correction.buyer,
                totals=correction.totals,
                xml=xml,
                payments=correction.payments,
                base_id=correction.bases[0].invoice_id,
            )

        return Order(series, draw)

    def _replacement(self, sale: Sale, now: datetime) -> Order:
        return self._issuing.order_of(sale, now)

    # --- held corrections ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Issue held corrections whenever a number arrives, until cancelled."""
        while True:
            arrived = self._desk.accepted.next()
            await self.issue_ready()
            await arrived

    async def issue_ready(self) -> None:
        """Issue every held correction whose bases all have their numbers, oldest first."""
        for held in await self._desk.store.read(lambda tx: tx.held.waiting()):
            correction = await self._numbered(_stored(held))
            if correction.awaiting:
                continue
            try:
                await self._issue_held(held, correction)
            except Refused as error:
                LOG.warning("held correction %s refused: %s", held.id, error.detail)
                await self._desk.store.write(partial(_refuse, held, error.detail))
            except AgentError as error:
                LOG.warning("held correction %s waits: %s", held.id, error)

    async def _issue_held(self, held: HeldCorrection, correction: Correction) -> None:
        def prepare(now: datetime) -> Prepare:
            async def prepared(_: Transaction) -> Orders:
                return Orders((self._order(correction, now),), fulfils=held.id)

            return prepared

        caller = Caller(held.pressed_by, Role.CASHIER)
        await self._issuing.press(f"held:{held.id}", held.body, prepare, caller, at_counter=False)

    async def _numbered(self, correction: Correction) -> Correction:
        numbers: dict[str, str] = {}
        exempt: list[str] = []
        for base in correction.bases:
            if base.number not in correction.awaiting or base.invoice_id is None:
                continue
            invoice_id = base.invoice_id
            record = await self._desk.store.read(lambda tx, each=invoice_id: tx.invoices.get(each))  # type: ignore[misc]
            if record.ksef_number is not None:
                numbers[base.number] = record.ksef_number
            elif record.state is InvoiceState.EXEMPT:
                exempt.append(base.number)
        return outside(numbered(correction, numbers), exempt)

    async def waiting(self) -> list[HeldAnswer]:
        """Everything that waits, oldest first."""
        return [await self._answer(each) for each in await self._desk.store.read(lambda tx: tx.held.waiting())]

    async def held(self, held_id: str) -> HeldAnswer | None:
        """One held correction as it stands now."""
        found = await self._desk.store.read(lambda tx: tx.held.get(held_id))
        return None if found is None else await self._answer(found)

    async def _answer(self, held: HeldCorrection) -> HeldAnswer:
        correction = _stored(held)
        sentences = {
            "waiting": correction.waiting_sentence or "",
            "issued": "Korekta została wystawiona.",
            "refused": f"Korekty nie można wystawić: {held.problem}",
        }
        return HeldAnswer(
            id=held.id,
            base_id=held.base_id,
            base_number=correction.bases[0].number,
            state=held.state,
            gross=correction.totals.gross,
            currency=correction.currency,
            created_at=held.created_at,
            hand_over=sentences[held.state],
            problem=held.problem,
            invoice_id=held.invoice_id,
        )

    async def _print_slip(self, pressed: Pressed) -> None:
        """Give the customer a slip that says the correction is queued; it is no invoice and has no print job."""
        if pressed.held_id is None or pressed.replayed:
            return
        held = await self._desk.store.read(lambda tx: tx.held.get(str(pressed.held_id)))
        assert held is not None
        receipt = await self._slip(held)
        await self._desk.crew.run(f"slip-{held.id}", self._print(held, receipt))

    async def _slip(self, held: HeldCorrection) -> Receipt:
        correction = _stored(held)
        record = await self._desk.store.read(lambda tx: tx.invoices.get(held.base_id))
        view = read(record.xml)
        slip = HeldSlip(
            seller=view.seller,
            buyer=view.buyer,
            base_number=record.number,
            base_issued_on=record.issued_on,
            accepted_on=local_date(held.created_at),
            reason=correction.reason,
            difference=correction.totals.gross,
            currency=correction.currency,
        )
        return compose_held_correction(slip, footer=self._desk.settings.paper.footer)

    async def _print(self, held: HeldCorrection, receipt: Receipt) -> None:
        async def leaving(printer: str, data: bytes) -> None:
            await self._note(held, "slip_printing", {"held": held.id, "printer": printer, "bytes": len(data)})

        result = await self._desk.printer.print(lambda name: self._desk.press.encode(name, receipt), leaving)
        done = result.outcome is Outcome.DONE
        await self._note(held, "slip_printed" if done else "slip_failed", {"held": held.id, "problem": result.problem})

    async def _note(self, held: HeldCorrection, kind: str, data: Mapping[str, Json]) -> None:
        async def work(tx: Transaction) -> None:
            await tx.events.append(kind, data, held.base_id)

        await self._desk.store.write(work)


def _stored(held: HeldCorrection) -> Correction:
    return from_plain(Correction, json.loads(held.body))


def _bound(invoice_id: str, body: bytes) -> bytes:
    """The same body for another invoice is another request."""
    return invoice_id.encode() + b"\n" + body


async def _refuse(held: HeldCorrection, problem: str, tx: Transaction) -> None:
    await tx.held.close(held.id, "refused", problem=problem)
    await tx.events.append("correction_refused", {"held": held.id, "problem": problem}, held.base_id)
