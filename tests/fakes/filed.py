"""An invoice as the store gives it to the books: what the store reads out of its columns, taken out of the record."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from agent.domain.invoice import InvoiceSummary
from agent.domain.records.filed import FiledInvoice, InvoiceGroup


def filed(record: InvoiceSummary) -> FiledInvoice:
    """As JPK, payments and the comparison with KSeF see it."""
    own: dict[str, Any] = {
        "buyer": replace(record.buyer, address=None, email=None),
        "gross": record.totals.gross,
        "currency": record.totals.currency,
    }
    names = [each.name for each in fields(FiledInvoice) if each.name not in own]
    return FiledInvoice(**own, **{name: getattr(record, name) for name in names})


def group(record: InvoiceSummary) -> InvoiceGroup:
    """As a count sees it, alone."""
    names = [each.name for each in fields(InvoiceGroup) if each.name != "invoices"]
    return InvoiceGroup(invoices=1, **{name: getattr(record, name) for name in names})
