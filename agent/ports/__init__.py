"""Ports: what the use cases need of the world. Adapters live in store/, ksef/, printers/; app.py joins them.

Every docstring states the obligations: may it be repeated, which error, what an unknown outcome looks like.
"""

from __future__ import annotations

from agent.domain.evidence import Json
from agent.ports.ksef import (
    Accepted,
    Duplicate,
    KsefError,
    KsefGateway,
    LatarniaReading,
    Outgoing,
    Pending,
    Rejected,
    SendBudget,
    Sent,
    SessionRef,
    StatusSource,
    Upo,
    Verdict,
)
from agent.ports.outside import BuyerSource, WebhookSender
from agent.ports.paper import Outcome, Printer, PrinterStatus, PrintResult, Signer
from agent.ports.records import (
    Event,
    Exempt,
    Fact,
    HeldCorrection,
    InvoiceChange,
    InvoiceFilter,
    KeyRecord,
    PrintJob,
    Unsent,
)
from agent.ports.store import Events, Facts, Held, Invoices, Keys, Notebook, Prints, Store, Transaction, Work
from agent.ports.time import Clock

__all__ = [
    "Accepted",
    "BuyerSource",
    "Clock",
    "Duplicate",
    "Event",
    "Events",
    "Exempt",
    "Fact",
    "Facts",
    "Held",
    "HeldCorrection",
    "InvoiceChange",
    "InvoiceFilter",
    "Invoices",
    "Json",
    "KeyRecord",
    "Keys",
    "KsefError",
    "KsefGateway",
    "LatarniaReading",
    "Notebook",
    "Outcome",
    "Outgoing",
    "Pending",
    "PrintJob",
    "PrintResult",
    "Printer",
    "PrinterStatus",
    "Prints",
    "Rejected",
    "SendBudget",
    "Sent",
    "SessionRef",
    "Signer",
    "StatusSource",
    "Store",
    "Transaction",
    "Unsent",
    "Upo",
    "Verdict",
    "WebhookSender",
    "Work",
]
