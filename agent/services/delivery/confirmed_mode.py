"""The mode follows KSeF's confirmation, and people hear of a paper that says otherwise.

A paper cannot be taken back: the code on it still leads to the invoice, but its label names another way of issuing than
KSeF's. What follows is in the notebook until a paper with the right label is printed, for a week at most.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.domain.invoice import InvoiceSummary
from agent.domain.lifecycle import PrintState
from agent.domain.outages.modes import as_confirmed
from agent.domain.paper.choice import names_other_way
from agent.ports import Json, Transaction
from agent.services.outages.mode_change import change_mode

PAPERS = "papers_against_ksef"
"""Name in the notebook: [invoice id, instant of the confirmation] of each."""
TOLD = timedelta(days=7)
HANDED_OUT = frozenset({PrintState.PRINTED, PrintState.UNCERTAIN})


async def follow(tx: Transaction, invoice_id: str, *, offline: bool, now: datetime) -> None:
    """Take over how KSeF took an invoice; ``now`` is the best known time."""
    record = await tx.invoices.get(invoice_id)
    confirmed = as_confirmed(record.mode, offline=offline)
    if confirmed is None:
        return
    await change_mode(tx, invoice_id, record.mode, confirmed)
    still = [[each.id, since.isoformat()] for each, since in await _contradicting(tx, now)]
    await tx.key_values.put(PAPERS, [*still, [invoice_id, now.isoformat()]])


async def contradicted_papers(tx: Transaction, now: datetime) -> list[InvoiceSummary]:
    """Return the invoices whose newest paper names another way of issuing than KSeF, as known for a week at most."""
    return [record for record, _ in await _contradicting(tx, now)]


async def _contradicting(tx: Transaction, now: datetime) -> list[tuple[InvoiceSummary, datetime]]:
    kept: Json = await tx.key_values.get(PAPERS)
    found: list[tuple[InvoiceSummary, datetime]] = []
    for entry in kept if isinstance(kept, list) else []:
        if not isinstance(entry, list):
            continue
        invoice_id, since = str(entry[0]), datetime.fromisoformat(str(entry[1]))
        record = await tx.invoices.get(invoice_id)
        papers = [job for job in await tx.prints.summaries(invoice_id) if job.state in HANDED_OUT]
        if now - since < TOLD and papers and names_other_way(papers[-1].label, record.mode):
            found.append((record, since))
    return found
