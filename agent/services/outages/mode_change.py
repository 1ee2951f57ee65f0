"""The mode of an issued invoice becomes another one, and the log says why."""

from __future__ import annotations

from agent.domain.event_kinds import EventKind
from agent.domain.invoice import Mode
from agent.domain.outages.modes import ModeDecision
from agent.ports import InvoiceChange, Transaction


async def change_mode(tx: Transaction, invoice_id: str, before: Mode, after: ModeDecision) -> None:
    """Note it, in the transaction of what it follows from."""
    await tx.invoices.note(invoice_id, InvoiceChange(mode=after.mode, reason=after.reason))
    await tx.events.append(EventKind.MODE, {"from": before, "to": after.mode, "reason": after.reason}, invoice_id)
