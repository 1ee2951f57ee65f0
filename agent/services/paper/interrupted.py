"""What a crash left behind of papers: jobs that did not end, invoices whose paper was never begun."""

from __future__ import annotations

from typing import Final

from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceSummary
from agent.domain.lifecycle import InvoiceState, PrintState
from agent.domain.rejection import number_taken
from agent.ports import InvoiceFilter, PrintJob, Transaction

RESTARTED: Final = "Program został ponownie uruchomiony przed wydrukiem. Użyj „Drukuj teraz”."
RESTARTED_WHILE_PRINTING: Final = "Program został ponownie uruchomiony w trakcie wydruku. Sprawdź, czy papier wyszedł."
PAPER_DUE: Final = "paper"
"""Of the event ``issued``: true where somebody waited for a paper of ours."""
NEWEST: Final = 50
"""Invoices that are looked at: those of the presses that a crash cut short are among them."""


async def end_jobs(tx: Transaction) -> None:
    """Of a job whose bytes may have left only a person can tell; any other one surely did not print."""
    for job in await tx.prints.in_state(PrintState.PRINTING):
        await tx.prints.move(job.id, PrintState.UNCERTAIN, problem=RESTARTED_WHILE_PRINTING)
        await tx.events.append(EventKind.PRINT_UNCERTAIN, {"job": job.id, "why": "restart"}, job.invoice_id)
    for job in await tx.prints.in_state(PrintState.QUEUED):
        await never_printed(job, tx)


async def never_printed(job: PrintJob, tx: Transaction) -> None:
    """End a job that was queued when the process died."""
    await tx.prints.move(job.id, PrintState.FAILED, problem=RESTARTED)
    await tx.events.append(EventKind.PRINT_FAILED, {"job": job.id, "why": "restart"}, job.invoice_id)


async def without_job(tx: Transaction) -> list[str]:
    """Return the invoices for whose paper somebody waited and that have no job, oldest first."""
    newest = await tx.invoices.summaries(InvoiceFilter(limit=NEWEST))
    return [each.id for each in reversed(newest) if await _lacks_job(each, tx)]


async def _lacks_job(invoice: InvoiceSummary, tx: Transaction) -> bool:
    """Whether its paper was due and never begun. What KSeF refused at the press never gets one."""
    if invoice.state is InvoiceState.REJECTED or number_taken(invoice) or await tx.prints.summaries(invoice.id):
        return False
    events = await tx.events.of_invoice(invoice.id)
    return any(event.kind == EventKind.ISSUED and event.data.get(PAPER_DUE) is True for event in events)
