"""Invoices that the till prints by its own means ("print": false of a sale): noted for good, in the press."""

from __future__ import annotations

from agent.ports import Transaction


async def choose(tx: Transaction, invoice_id: str) -> None:
    """Note it, in the transaction that makes the invoice: no crash and no replay brings a paper then."""
    await tx.key_values.put(_place(invoice_id), value=True)


async def chosen(tx: Transaction, invoice_id: str) -> bool:
    """Tell whether the till prints this invoice by its own means."""
    return await tx.key_values.get(_place(invoice_id)) is True


def _place(invoice_id: str) -> str:
    return f"own-printing:{invoice_id}"
