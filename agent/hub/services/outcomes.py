"""What tills are told: where an invoice stands, what became of all of them, KSeF's confirmations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from agent.domain.errors import BadInput, NotFound, Unavailable
from agent.hub.domain.records import Cursor, HubInvoice, Outcome, OutcomeKind, Till
from agent.hub.domain.states import HubState
from agent.hub.domain.upo_parts import UpoPageParts
from agent.hub.ports import HubStore, HubTransaction
from agent.hub_contract.offers import MOST_WAIT_SECONDS
from agent.hub_contract.status import (
    DUPLICATE,
    Confirmation,
    ConfirmedPage,
    InvoiceStatus,
    OriginalDocument,
    OutcomeLine,
)
from agent.ports import Clock

T = TypeVar("T")
Lines = tuple[list[OutcomeLine], Cursor, bool]
"""What became of a till's invoices, what to ask after next, whether the cursor was of this hub's memory."""

LINES_AT_ONCE = 200
"""Outcomes of one answer; each may bring a UPO of some kilobytes."""
COLLISION = 440
PAGES_KEPT = 8
"""UPO pages kept taken apart; each may name ten thousand invoices."""
ON_LOOP_BYTES = 100_000
"""A page up to this size is taken apart within a few milliseconds."""


class Outcomes:
    """Answers what tills ask."""

    def __init__(self, store: HubStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._pages: dict[tuple[str, int], UpoPageParts] = {}

    async def status(self, till: Till, sha256: bytes, wait: float = 0.0) -> InvoiceStatus:
        """Return where one of the till's invoices stands, at the latest after ``wait`` seconds.

        Sooner once KSeF has decided. NotFound for what is not this till's.
        """
        return await self._within(till, wait, partial(_status, till, sha256), lambda status: status.decided)

    async def lines(self, till: Till, after: Cursor, wait: float = 0.0) -> Lines:
        """Return what became of the till's invoices after a cursor, what to ask after next, and whether it was known.

        Holds back up to ``wait`` seconds while there is nothing; a cursor that is not known is news. What stands before
        the cursor the till has made durable: what KSeF refused of it is the till's to look after from now on.
        """
        give_up = self._clock.monotonic() + wait
        found, has_read = await self._within(till, wait, partial(self._look, till, after), _is_answer)
        if has_read:
            with suppress(Unavailable):  # the next question tells it again
                await self._store.write(lambda tx: tx.outcomes.read(till.id, after))
            if not _is_news(found):
                left = max(0.0, give_up - self._clock.monotonic())
                return await self._within(till, left, partial(self._lines, till, after), _is_news)
        return found

    async def group(self, till: Till, group: str) -> list[InvoiceStatus]:
        """Return everything the till handed over under one name."""
        invoices = await self._store.read(lambda tx: tx.invoices.of_group(till.id, group))
        return [status_of(each) for each in invoices]

    async def by_ksef_number(self, till: Till, ksef_number: str) -> list[InvoiceStatus]:
        """Return the till's invoice of that number, or none."""
        found = await self._store.read(lambda tx: tx.invoices.by_ksef_number(till.nip, ksef_number))
        return [status_of(found)] if found is not None and found.till_id == till.id else []

    async def pages(self, till: Till, group: str) -> list[ConfirmedPage]:
        """Return what confirms the accepted invoices of a group: parts of pages, and UPO of single invoices."""

        async def work(tx: HubTransaction) -> list[ConfirmedPage]:
            found: list[ConfirmedPage] = []
            named: dict[tuple[str, int], list[tuple[str, bytes]]] = {}
            for invoice in await tx.invoices.of_group(till.id, group):
                proof = await tx.sessions.upo(invoice.sha256)
                if proof is None or invoice.ksef_number is None:
                    continue
                document = (invoice.ksef_number, invoice.sha256)
                if isinstance(proof, bytes):
                    found.append(ConfirmedPage(invoice.ksef_number, proof, (document,)))
                else:
                    named.setdefault(proof, []).append(document)
            for (session, page), documents in named.items():
                parts = await self._parts(tx, session, page)
                part = parts.part([sha256 for _, sha256 in documents])
                found.append(ConfirmedPage(f"{session}/{page}", part, tuple(documents)))
            return found

        return await self._store.read(work)

    async def confirmation(self, till: Till, sha256: bytes) -> Confirmation:
        """Return KSeF's confirmation of one of the till's invoices; NotFound "no-upo" while there is none."""

        async def work(tx: HubTransaction) -> Confirmation | None:
            return await self._confirmation(tx, await _own(tx, till, sha256))

        confirmation = await self._store.read(work)
        if confirmation is None:
            raise NotFound("KSeF nie potwierdził jeszcze tej faktury.", code="no-upo")
        return confirmation

    async def _look(self, till: Till, after: Cursor, tx: HubTransaction) -> tuple[Lines, bool]:
        """Return the lines, and whether the till reads a refusal for the first time by going on from here."""
        has_read = after.seq > 0 and await tx.outcomes.unread(till.id, after)
        return await self._lines(till, after, tx), has_read

    async def _lines(self, till: Till, after: Cursor, tx: HubTransaction) -> Lines:
        found, known = await tx.outcomes.after(till.id, after, LINES_AT_ONCE)
        lines = [await self._line(tx, outcome) for outcome in found]
        if found:
            return lines, Cursor(found[-1].seq, found[-1].mark), known
        return lines, after if known else Cursor(), known

    async def _line(self, tx: HubTransaction, outcome: Outcome) -> OutcomeLine:
        """A line says what is true now: a till that was away for long hears the end at once."""
        invoice = await tx.invoices.get(outcome.sha256)
        confirmation = await self._confirmation(tx, invoice) if outcome.kind is OutcomeKind.UPO else None
        return OutcomeLine(
            cursor=str(Cursor(outcome.seq, outcome.mark)),
            at=outcome.at,
            kind=outcome.kind.value,
            status=status_of(invoice),
            confirmation=confirmation,
        )

    async def _confirmation(self, tx: HubTransaction, invoice: HubInvoice) -> Confirmation | None:
        found = await tx.sessions.upo(invoice.sha256)
        if found is None or invoice.ksef_number is None:
            return None
        if isinstance(found, bytes):
            return Confirmation(invoice.sha256, invoice.ksef_number, found)
        session, page = found
        parts = await self._parts(tx, session, page)
        return Confirmation(
            sha256=invoice.sha256,
            ksef_number=invoice.ksef_number,
            xml=parts.part([invoice.sha256]),
            session=session,
            page=page,
            page_sha256=parts.sha256,
        )

    async def _parts(self, tx: HubTransaction, session: str, page: int) -> UpoPageParts:
        """Take a page apart once for all tills it concerns; they ask for it within seconds of each other."""
        known = self._pages.get((session, page))
        if known is None:
            xml = await tx.sessions.page(session, page)
            known = UpoPageParts(xml) if len(xml) < ON_LOOP_BYTES else await asyncio.to_thread(UpoPageParts, xml)
            while len(self._pages) >= PAGES_KEPT:
                self._pages.pop(next(iter(self._pages)))
            self._pages[session, page] = known
        return known

    async def _within(
        self,
        till: Till,
        wait: float,
        look: Callable[[HubTransaction], Awaitable[T]],
        enough: Callable[[T], bool],
    ) -> T:
        give_up = self._clock.monotonic() + min(wait, MOST_WAIT_SECONDS)
        while True:
            changed = self._store.changed(f"till:{till.id}")
            answer = await self._store.read(look)
            left = give_up - self._clock.monotonic()
            if enough(answer) or left <= 0:
                return answer
            try:
                await self._clock.within(left, changed)
            except TimeoutError:
                return await self._store.read(look)


def status_of(invoice: HubInvoice) -> InvoiceStatus:
    """Return what a till is told of an invoice."""
    refusal = invoice.refusal if invoice.state is HubState.REJECTED else None
    original = refusal.original if refusal is not None else None
    collision = refusal is not None and refusal.code == COLLISION
    return InvoiceStatus(
        sha256=invoice.sha256,
        state=DUPLICATE if collision else invoice.state.value,
        ksef_number=invoice.ksef_number,
        accepted_at=invoice.accepted_at,
        session=invoice.session_ref,
        code=0 if refusal is None else refusal.code,
        description="" if refusal is None else refusal.description,
        details=() if refusal is None else refusal.details,
        original=None
        if original is None
        else OriginalDocument(bytes.fromhex(original.sha256), original.ksef_number, original.session),
        confirmed=invoice.proven,
        trouble=invoice.trouble,
    )


def read_cursor(text: str) -> Cursor:
    """Read what a till asks after; empty: from the beginning. BadInput otherwise."""
    if not text:
        return Cursor()
    seq, _, mark = text.partition(".")
    if not seq.isdecimal() or len(seq) > 18:
        raise BadInput("Nieprawidłowy znacznik miejsca (after).", code="bad-query")
    return Cursor(int(seq), mark)


def _is_news(found: Lines) -> bool:
    lines, _, known = found
    return bool(lines) or not known


def _is_answer(looked: tuple[Lines, bool]) -> bool:
    found, has_read = looked
    return has_read or _is_news(found)


async def _own(tx: HubTransaction, till: Till, sha256: bytes) -> HubInvoice:
    invoice = await tx.invoices.get(sha256)
    if invoice.till_id != till.id:
        raise NotFound("Centrala nie zna tej faktury.", code="invoice-not-found")
    return invoice


async def _status(till: Till, sha256: bytes, tx: HubTransaction) -> InvoiceStatus:
    return status_of(await _own(tx, till, sha256))
