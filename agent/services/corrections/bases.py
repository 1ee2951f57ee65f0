"""What is left of an invoice to correct: the base after everything that corrects it already, issued or pending.

Read inside the transaction that stores the correction, so two returns of the same goods can never both pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from agent.domain.corrections.base import BaseInvoice, after_earlier, base_of_record
from agent.domain.corrections.correction import Correction, apply_pending
from agent.domain.corrections.parse import named_numbers
from agent.domain.errors import Conflict
from agent.domain.fa3.view.document import FaView
from agent.domain.fa3.view.read import read
from agent.domain.invoice import InvoiceRecord, InvoiceSummary
from agent.domain.lifecycle import HeldState
from agent.domain.rejection import abandoned
from agent.domain.values import dataclass
from agent.ports import HeldCorrection, InvoiceFilter, Transaction
from agent.services.corrections.pending import stored

NO_LIMIT = -1


@dataclass(frozen=True, slots=True)
class Earlier:
    """What corrects an invoice already, documents and orders for them, also those that came to nothing."""

    issued: Sequence[InvoiceSummary] = ()
    ordered: Sequence[HeldCorrection] = ()

    @property
    def any_lost(self) -> bool:
        """Whether one of them came to nothing."""
        return any(abandoned(each) for each in self.issued) or any(
            each.state is HeldState.REFUSED for each in self.ordered
        )


class BaseReader:
    """Reads bases of one seller."""

    def __init__(self, seller_nip: str) -> None:
        self.seller_nip = seller_nip

    async def named(self, tx: Transaction, document: object) -> list[BaseInvoice]:
        """Return the further invoices of this store that a collective correction names."""
        found: list[InvoiceRecord] = []
        for number in dict.fromkeys(named_numbers(document)):
            found += await tx.invoices.find(InvoiceFilter(number=number, limit=1))
        return [(await self.standing(tx, record))[0] for record in found]

    async def standing(self, tx: Transaction, record: InvoiceRecord) -> tuple[BaseInvoice, Earlier]:
        """Return an invoice of this store as it stands, and by what; Conflict where its content is no longer here."""
        issued = await tx.invoices.find(InvoiceFilter(base_id=record.id, limit=NO_LIMIT))
        base = base_of_record(record, _view(record), seller_nip=self.seller_nip, earlier=_counted(reversed(issued)))
        ordered = await tx.held.of_base(record.id)
        waiting = _waiting(ordered)
        # What follows a pending correction waits too: each says what the one before it left.
        standing = replace(apply_pending(base, waiting), awaiting=base.awaiting or bool(waiting))
        return standing, Earlier(issued, ordered)

    async def external(self, tx: Transaction, described: BaseInvoice) -> tuple[BaseInvoice, Earlier]:
        """The described invoice after what this till made of it already, by its number or its KSeF number; and that."""
        reference = described.reference
        if await tx.invoices.summaries(InvoiceFilter(number=reference.number, limit=1)):
            text = f"Faktura {reference.number} jest na tej kasie: skoryguj ją przez jej numer."
            raise Conflict(text, code="base-known-here")
        named = await tx.invoices.find(InvoiceFilter(base_number=reference.number, limit=NO_LIMIT))
        issued = {record.id: record for record in reversed(named)}  # in the order in which they were made
        if reference.ksef_number is not None:
            numbered = await tx.invoices.find(InvoiceFilter(base_ksef_number=reference.ksef_number, limit=NO_LIMIT))
            others = {record.id: record for record in reversed(numbered) if record.id not in issued}
            if others:  # under another number (P_2): nothing but the clock tells which of all came first
                both = {**issued, **others}.values()
                issued = {record.id: record for record in sorted(both, key=lambda record: record.issued_at)}
        earlier = _counted(issued.values())
        ordered = await tx.held.of_number(reference.number)
        standing = apply_pending(after_earlier(described, earlier), _waiting(ordered))
        return standing, Earlier(tuple(issued.values()), ordered)


def _counted(records: Iterable[InvoiceRecord]) -> list[FaView]:
    """Return the files of the corrections that count: one that KSeF refused may still come by technical correction."""
    return [_view(record) for record in records if not abandoned(record)]


def _view(record: InvoiceRecord) -> FaView:
    if not record.xml:
        text = f"Treść dokumentu {record.number} wyeksportowano i usunięto z kasy. Skoryguj go w systemie księgowym."
        raise Conflict(text, code="content-exported")
    return read(record.xml)


def _waiting(held: Iterable[HeldCorrection]) -> list[Correction]:
    return [stored(each) for each in held if each.state is HeldState.WAITING]
