"""A further print of a document, marked WYDRUK PONOWNY with its count."""

from __future__ import annotations

from functools import partial

from agent.domain.callers import Caller
from agent.domain.errors import ALTERED, Conflict, DocumentDamaged
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.domain.rejection import paper_refusal
from agent.ports import Store, Transaction
from agent.services.background import BackgroundTasks
from agent.services.paper.papers import exported
from agent.services.paper.printing import Printing, QueuedPrint


class Reprinting:
    """Prints again what a person asks for."""

    def __init__(self, store: Store, printing: Printing, tasks: BackgroundTasks) -> None:
        self._store = store
        self._printing = printing
        self._tasks = tasks

    async def reprint(self, invoice_id: str, caller: Caller) -> None:
        """Print again, and wait as at a press. NotFound for the exported.

        Conflict for what KSeF refused at its issue, and for what it refused later once a manager closed the case.

        The wish is in the log with the job, whose copy number marks the paper.
        """
        await self._tasks.run(f"reprint-{invoice_id}", self._reprint(invoice_id, caller))

    async def _reprint(self, invoice_id: str, caller: Caller) -> None:
        await self._printing.print_at_counter(await self._store.write(partial(self._queue, invoice_id, caller)))

    async def _queue(self, invoice_id: str, caller: Caller, tx: Transaction) -> QueuedPrint:
        await _note_wish(invoice_id, caller, tx)
        return await self._printing.queue(invoice_id, tx)


async def _note_wish(invoice_id: str, caller: Caller, tx: Transaction) -> None:
    record = await tx.invoices.get(invoice_id)
    if (refusal := paper_refusal(record)) is not None:
        raise refusal
    if record.state is InvoiceState.REJECTED and (record.mode is Mode.ONLINE or not record.copies):
        raise Conflict("KSeF odrzucił tę fakturę, zanim ją wydano: nie ma czego wydać klientowi.")
    if record.altered:
        raise DocumentDamaged(f"Faktura {record.number}", ALTERED)
    if not record.xml:
        raise exported(record)
    await tx.events.append(EventKind.REPRINT, {"by": caller.name}, invoice_id)
