"""Everything a screen shows of invoices, read from the store; nothing here writes."""

from __future__ import annotations

from dataclasses import field
from functools import partial

from agent.domain.errors import BadInput, FieldError, NotFound
from agent.domain.values import dataclass
from agent.ports import Event, InvoiceFilter, PrintJob, Store, Transaction
from agent.services.corrections.pending import HeldAnswer, describe, existing
from agent.services.issuing.idempotency import IssueOutcome
from agent.services.paper.papers import exported
from agent.services.queries.invoice_answer import InvoiceAnswer, ListedInvoice, answer, answer_at_hand, listed

QUEUE_LIMIT = 500
"""A screen shows the most urgent ones; /health counts them all."""
UPO_SCOPES = ("invoice", "session")


@dataclass(frozen=True, slots=True)
class UpoAnswer:
    """A UPO as KSeF gave it. ``scope``: invoice (of this one alone) or session (a page that names many)."""

    xml: bytes = field(repr=False)
    scope: str


@dataclass(frozen=True, slots=True)
class IssueAnswer:
    """Answer to a press. ``replayed``: the key was seen before, nothing new was made or printed."""

    invoices: tuple[InvoiceAnswer, ...]
    """One; two where a wrong buyer was corrected (correction and new invoice); none of a held correction."""
    replayed: bool = False
    held: HeldAnswer | None = None
    settles: bool = False
    """The last of them is the new invoice of an earlier press, which a correction alone settles."""


@dataclass(frozen=True, slots=True)
class QueueAnswer:
    """What KSeF does not have yet: the most urgent invoices, at most QUEUE_LIMIT, and how many there are."""

    invoices: list[ListedInvoice]
    total: int


class InvoiceQueries:
    """Answers questions about invoices."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def one(self, invoice_id: str) -> InvoiceAnswer:
        """Return one invoice as it stands; NotFound."""
        return await self._store.read(partial(_one, invoice_id))

    async def find(self, query: InvoiceFilter) -> list[ListedInvoice]:
        """Search, newest first."""
        return await self._store.read(partial(_find, query))

    async def queue(self) -> QueueAnswer:
        """Return what KSeF does not have yet, most urgent first, and how many there are in all."""
        return await self._store.read(_queue)

    async def issued(self, pressed: IssueOutcome) -> IssueAnswer:
        """Return what a press made, as it stands."""
        at_hand = [known for noted in pressed.printed if (known := answer_at_hand(noted)) is not None]
        if pressed.held_id is None and at_hand and len(at_hand) == len(pressed.invoice_ids):
            return IssueAnswer(tuple(at_hand), pressed.replayed)
        return await self._store.read(partial(_issued, pressed))

    async def events(self, invoice_id: str) -> list[Event]:
        """Return the log of one invoice; NotFound."""
        return await self._store.read(partial(_events, invoice_id))

    async def prints(self, invoice_id: str) -> list[PrintJob]:
        """Return the print jobs of one invoice; NotFound."""
        return await self._store.read(partial(_prints, invoice_id))

    async def upo(self, invoice_id: str, scope: str | None = None) -> UpoAnswer:
        """Return what confirms the invoice: its own UPO, else the page of its session's that names it.

        ``scope`` invoice or session asks for just that one; BadInput for any other word, NotFound while there is none.
        """
        if scope is not None and scope not in UPO_SCOPES:
            raise BadInput(
                "Zakres UPO to invoice albo session.", errors=(FieldError("/scope", "invoice albo session"),)
            )
        found = await self._store.read(partial(_upo, invoice_id, scope))
        if found is None:
            raise NotFound("Tej faktury nie ma jeszcze w KSeF albo UPO nie zostało jeszcze pobrane.", code="no-upo")
        return found


async def _one(invoice_id: str, tx: Transaction) -> InvoiceAnswer:
    return await answer(tx, await tx.invoices.get(invoice_id))


async def _find(query: InvoiceFilter, tx: Transaction) -> list[ListedInvoice]:
    return [await listed(tx, record) for record in await tx.invoices.summaries(query)]


async def _queue(tx: Transaction) -> QueueAnswer:
    invoices = [await listed(tx, record) for record in await tx.invoices.unsent(QUEUE_LIMIT)]
    return QueueAnswer(invoices, sum(each.invoices for each in await tx.invoices.queue_counts()))


async def _issued(pressed: IssueOutcome, tx: Transaction) -> IssueAnswer:
    held = None if pressed.held_id is None else await describe(tx, await existing(pressed.held_id, tx))
    invoices = tuple([await _one(each, tx) for each in pressed.told])
    return IssueAnswer(invoices, pressed.replayed, held, settles=pressed.settles is not None)


async def _events(invoice_id: str, tx: Transaction) -> list[Event]:
    await tx.invoices.get(invoice_id)
    return await tx.events.of_invoice(invoice_id)


async def _prints(invoice_id: str, tx: Transaction) -> list[PrintJob]:
    await tx.invoices.get(invoice_id)
    return await tx.prints.summaries(invoice_id)


async def _upo(invoice_id: str, scope: str | None, tx: Transaction) -> UpoAnswer | None:
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
