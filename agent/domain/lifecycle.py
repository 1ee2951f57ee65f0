"""States of invoices and print jobs, and the moves between them (docs/architecture.md, section 4).

    issued ──> sending ──> sent ──> accepted
      │ ▲         │ │       │ └───> rejected ──(technical correction)──> issued
      │ │         │ │       ├─────> in_doubt    440 and the original cannot be compared
      │ └─────────┘ │       └─────> issued      KSeF cancelled it: 405, 550
      │ (not sent)  ├─> in_doubt ─> issued | sent | accepted
      │             └─> rejected    KSeF takes no technical correction: 21166, 21167
      └──> exempt   only under a confirmed total failure (art. 106ng)
      exempt ──> issued  only where a manager says that the total failure was none

SQLite triggers hold the same table (agent/store/migrations); a test compares both.
"""

from __future__ import annotations

from enum import StrEnum

from agent.domain.errors import IllegalTransition


class InvoiceState(StrEnum):
    """Where an invoice stands on its way to KSeF."""

    ISSUED = "issued"
    """Durable here, not on its way."""
    SENDING = "sending"
    """Committed just before the bytes leave; a crash here leads to in_doubt."""
    IN_DOUBT = "in_doubt"
    """Nobody knows whether KSeF took it; asked first, resent only as the same bytes."""
    SENT = "sent"
    """KSeF took it (202) and has not decided."""
    ACCEPTED = "accepted"
    """KSeF gave it a number. Final."""
    REJECTED = "rejected"
    """KSeF refused it. A technical correction may follow."""
    EXEMPT = "exempt"
    """Total failure: the duty to send is gone. Final, unless the total failure was a false alarm."""


class HeldState(StrEnum):
    """A correction whose base had no KSeF number: it waits, and is closed once."""

    WAITING = "waiting"
    ISSUED = "issued"
    REFUSED = "refused"


class PrintState(StrEnum):
    """Where a print job stands."""

    QUEUED = "queued"
    PRINTING = "printing"
    PRINTED = "printed"
    FAILED = "failed"
    """Surely nothing usable on paper; a silent retry is right."""
    UNCERTAIN = "uncertain"
    """Paper may lie on the counter; never prints again by itself."""


INVOICE_MOVES: frozenset[tuple[InvoiceState, InvoiceState]] = frozenset(
    {
        (InvoiceState.ISSUED, InvoiceState.SENDING),
        (InvoiceState.ISSUED, InvoiceState.EXEMPT),
        (InvoiceState.EXEMPT, InvoiceState.ISSUED),
        (InvoiceState.SENDING, InvoiceState.ISSUED),
        (InvoiceState.SENDING, InvoiceState.SENT),
        (InvoiceState.SENDING, InvoiceState.IN_DOUBT),
        (InvoiceState.SENDING, InvoiceState.REJECTED),
        (InvoiceState.IN_DOUBT, InvoiceState.ISSUED),
        (InvoiceState.IN_DOUBT, InvoiceState.SENT),
        (InvoiceState.IN_DOUBT, InvoiceState.ACCEPTED),
        (InvoiceState.SENT, InvoiceState.ISSUED),
        (InvoiceState.SENT, InvoiceState.IN_DOUBT),
        (InvoiceState.SENT, InvoiceState.ACCEPTED),
        (InvoiceState.SENT, InvoiceState.REJECTED),
        (InvoiceState.REJECTED, InvoiceState.ISSUED),
    }
)

PRINT_MOVES: frozenset[tuple[PrintState, PrintState]] = frozenset(
    {
        (PrintState.QUEUED, PrintState.PRINTING),
        (PrintState.QUEUED, PrintState.FAILED),
        (PrintState.PRINTING, PrintState.PRINTED),
        (PrintState.PRINTING, PrintState.FAILED),
        (PrintState.PRINTING, PrintState.UNCERTAIN),
        (PrintState.FAILED, PrintState.QUEUED),
    }
)

UNSENT: frozenset[InvoiceState] = frozenset(
    {
        InvoiceState.ISSUED,
        InvoiceState.SENDING,
        InvoiceState.IN_DOUBT,
        InvoiceState.SENT,
        InvoiceState.REJECTED,
    }
)
"""States in which the duty to have the invoice in KSeF is still open, unless the case of a rejected one was closed."""


def check_invoice_move(old: InvoiceState, new: InvoiceState) -> None:
    """Raise IllegalTransition unless ``old -> new`` is in the table."""
    if (old, new) not in INVOICE_MOVES:
        raise IllegalTransition(f"invoice: {old} -> {new}")


def check_print_move(old: PrintState, new: PrintState) -> None:
    """Raise IllegalTransition unless ``old -> new`` is in the table."""
    if (old, new) not in PRINT_MOVES:
        raise IllegalTransition(f"print job: {old} -> {new}")
