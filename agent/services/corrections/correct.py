"""Corrections (KOR): at once where the base has its KSeF number, else held and issued when the number arrives.

A correction is decided inside the transaction that stores it, over the base and everything that corrects it already,
issued or held, so two returns of the same goods at two tills of this agent can never both pass.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from agent.domain.calendar import local_date
from agent.domain.callers import Caller
from agent.domain.corrections.parse import (
    BaseInvoice,
    Correction,
    after_earlier,
    after_pending,
    base_of_record,
    named_numbers,
    parse_correction,
    parse_outside_base,
)
from agent.domain.errors import BadInput, Conflict, FieldError
from agent.domain.exchange.correction import ExchangeCorrection
from agent.domain.fa3.view import read
from agent.domain.fa3.view_types import FaView
from agent.domain.invoice import CorrectedBase, InvoiceRecord
from agent.domain.json_io.body import one_way, parse_object
from agent.domain.json_io.codec import to_plain
from agent.domain.rejection import abandoned
from agent.ports import HeldCorrection, InvoiceFilter, Transaction
from agent.services.buyers.memory import NO_BUYERS, NamedBuyers
from agent.services.corrections.pending import HeldCorrections, order_of, stored
from agent.services.desk import Desk
from agent.services.issuing.documents import Orders, Prepare, sale_order
from agent.services.issuing.idempotency import Pressed
from agent.services.issuing.issue import Issuing

NO_LIMIT = -1
INVOICE_KIND = "VAT"


class Correcting:
    """Makes corrections; those that have to wait go to HeldCorrections."""

    def __init__(self, desk: Desk, issuing: Issuing, pending: HeldCorrections) -> None:
        self._desk = desk
        self._issuing = issuing
        self._pending = pending

    async def correct(
        self, invoice_id: str, body: bytes, key: str, caller: Caller, *, at_counter: bool = True
    ) -> Pressed:
        """Correct an invoice of this store."""
        document = parse_object(body)

        def prepare(now: datetime) -> Prepare:
            async def prepared(tx: Transaction) -> Orders:
                base = await self._base(tx, await tx.invoices.get(invoice_id))
                others = await self._named(tx, document)
                correction = parse_correction(document, base=base, today=local_date(now), others=others)
                return self._orders(correction, now, key, caller)

            return prepared

        return await self._press(key, _bound(invoice_id, one_way(document)), prepare, caller, at_counter)

    async def correct_described(
        self,
        describe: Callable[[], ExchangeCorrection],
        body: bytes,
        key: str,
        caller: Caller,
        *,
        number: str | None = None,
        at_counter: bool = True,
    ) -> Pressed:
        """Correct the invoice that a correction of the shop's program names, counted against it as it stands here.

        describe  reads the correction; asked only where the key is new
        body      the content that the key stands for
        number    P_2 where the shop's own program numbers
        """

        def prepare(now: datetime) -> Prepare:
            described = describe()

            async def prepared(tx: Transaction) -> Orders:
                base = await self._base(tx, await self._described_base(tx, described))
                correction = parse_correction(described.document(base), base=base, today=local_date(now))
                described.check(correction, base)
                correction = replace(correction, external_ref=described.number or None, number=number)
                return self._orders(correction, now, key, caller)

            return prepared

        return await self._press(key, body, prepare, caller, at_counter)

    async def correct_outside(self, body: bytes, key: str, caller: Caller, *, at_counter: bool = True) -> Pressed:
        """Correct an invoice this store does not hold: the body has "base" (as it was) and "correction"."""
        document = parse_object(body)
        if set(document) != {"base", "correction"}:
            text = "Spodziewane pola: base (faktura korygowana) i correction (korekta)."
            raise BadInput(text, errors=(FieldError("", text, "required"),))
        seller_nip = self._desk.settings.seller.nip
        wanted = document["correction"]

        def prepare(now: datetime) -> Prepare:
            today = local_date(now)
            described = parse_outside_base(document["base"], seller_nip=seller_nip, today=today, pointer="/base")

            async def prepared(tx: Transaction) -> Orders:
                base = await self._outside_base(tx, described)
                others = await self._named(tx, wanted)
                correction = parse_correction(wanted, base=base, today=today, others=others, pointer="/correction")
                return self._orders(correction, now, key, caller)

            return prepared

        return await self._press(key, one_way(document), prepare, caller, at_counter)

    async def _press(
        self, key: str, body: bytes, prepare: Callable[[datetime], Prepare], caller: Caller, at_counter: bool
    ) -> Pressed:
        pressed = await self._issuing.press(key, body, prepare, caller, at_counter=at_counter)
        if pressed.held_id is not None and not pressed.replayed:
            # It may wait behind an older order whose base is there already, and that number wakes nobody again.
            self._desk.accepted.set()
            if at_counter:
                await self._pending.print_slip(pressed.held_id)
        return pressed

    # --- what is left of a base -----------------------------------------------------------------------

    async def _named(self, tx: Transaction, document: object) -> list[BaseInvoice]:
        found: list[InvoiceRecord] = []
        for number in dict.fromkeys(named_numbers(document)):
            found += await tx.invoices.find(InvoiceFilter(number=number, limit=1))
        return [await self._base(tx, record) for record in found]

    async def _base(self, tx: Transaction, record: InvoiceRecord) -> BaseInvoice:
        """The invoice as it stands after everything that corrects it, issued or held."""
        issued = await tx.invoices.find(InvoiceFilter(base_id=record.id, limit=NO_LIMIT))
        base = base_of_record(
            record, _view(record), seller_nip=self._desk.settings.seller.nip, earlier=_counted(reversed(issued))
        )
        waiting = _waiting(await tx.held.of_base(record.id))
        # What follows an order waits too: each correction says what the one before it left.
        return replace(after_pending(base, waiting), awaiting=base.awaiting or bool(waiting))

    async def _described_base(self, tx: Transaction, described: ExchangeCorrection) -> InvoiceRecord:
        """The invoice that the shop's program calls by that number: its P_2, or what it came with (external_ref)."""
        number = described.base_number
        found = await tx.invoices.find(InvoiceFilter(number=number, limit=1))
        if not found:
            found = await tx.invoices.find(InvoiceFilter(external_ref=number, limit=NO_LIMIT))
            found = [record for record in found if record.kind == INVOICE_KIND and not abandoned(record)]
        if len(found) > 1:  # a number that starts anew every year
            found = [record for record in found if record.issued_on == described.base_issued_on]
        if len(found) == 1:
            return found[0]
        raise described.refused(
            f"faktury {number} nie ma na tej kasie. Skoryguj ją tam, gdzie ją wystawiono, albo wyślij gotowy FA(3).",
            "epp-base",
        )

    async def _outside_base(self, tx: Transaction, described: BaseInvoice) -> BaseInvoice:
        """The described invoice after what this till made of it already, by its number or its KSeF number."""
        reference = described.reference
        if await tx.invoices.find(InvoiceFilter(number=reference.number, limit=1)):
            text = f"Faktura {reference.number} jest na tej kasie: skoryguj ją przez jej numer."
            raise Conflict(text, code="base-known-here")
        queries = [InvoiceFilter(base_number=reference.number, limit=NO_LIMIT)]
        if reference.ksef_number is not None:
            queries.append(InvoiceFilter(base_ksef_number=reference.ksef_number, limit=NO_LIMIT))
        issued: dict[str, InvoiceRecord] = {}
        for query in queries:
            issued |= {record.id: record for record in reversed(await tx.invoices.find(query))}
        earlier = _counted(sorted(issued.values(), key=lambda record: record.issued_at))
        return after_pending(after_earlier(described, earlier), _waiting(await tx.held.of_number(reference.number)))

    # --- what the press makes -------------------------------------------------------------------------

    def _orders(self, correction: Correction, now: datetime, key: str, caller: Caller) -> Orders:
        sale = correction.replacement
        replacement = () if sale is None else (sale_order(self._desk.settings, sale, now),)
        named = _named_buyers(correction)
        if not correction.awaiting:
            return Orders((order_of(self._desk, correction, now), *replacement), buyers=named)
        plain = json.dumps(to_plain(replace(correction, replacement=None)), ensure_ascii=False)
        held = HeldCorrection(
            id=uuid.uuid4().hex,
            base_id=_awaited_here(correction),
            body=plain.encode(),
            key=key,
            pressed_by=caller.name,
            created_at=now,
            bases=correction.bases,
        )
        return Orders(replacement, held, buyers=named)


def _named_buyers(correction: Correction) -> NamedBuyers:
    """What the correction says of buyers: a better name of his, or that the number belonged to another."""
    if correction.buyer_before is not None:
        return NamedBuyers(given=(correction.buyer,))
    if correction.replacement is None:
        return NO_BUYERS
    right, before = correction.replacement.buyer, correction.buyer
    return NamedBuyers(given=(right,), wrong=(before,) if right.name == before.name else ())


def _counted(records: Iterable[InvoiceRecord]) -> list[FaView]:
    """Return the files of the corrections that count: one that KSeF refused may still come by technical correction."""
    return [_view(record) for record in records if not abandoned(record)]


def _view(record: InvoiceRecord) -> FaView:
    if not record.xml:
        text = f"Treść dokumentu {record.number} wyeksportowano i usunięto z kasy. Skoryguj go w systemie księgowym."
        raise Conflict(text, code="content-exported")
    return read(record.xml)


def _waiting(held: Iterable[HeldCorrection]) -> list[Correction]:
    return [stored(each) for each in held if each.state == "waiting"]


def _awaited_here(correction: Correction) -> str:
    """Return the id of the first base the order waits for; only invoices of this store can be waited for."""
    awaited: list[CorrectedBase] = [base for base in correction.bases if base.number in correction.awaiting]
    return next(base.invoice_id for base in awaited if base.invoice_id is not None)


def _bound(invoice_id: str, body: bytes) -> bytes:
    """The same body for another invoice is another request."""
    return invoice_id.encode() + b"\n" + body
