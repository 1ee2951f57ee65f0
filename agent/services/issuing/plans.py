"""What one press makes, decided inside the transaction that makes it: data, still without number and bytes."""

from __future__ import annotations

from dataclasses import replace

from agent.domain.corrections.correction import Correction, until_total_failure_ends
from agent.domain.fa3.supplied import ReadyInvoice
from agent.domain.invoice import CorrectedBase, Sale
from agent.domain.values import dataclass
from agent.services.buyers.memory import NO_BUYERS, NamedBuyers


@dataclass(frozen=True, slots=True)
class SuppliedDocument:
    """A document made elsewhere: its bytes, what they say, and the corrected invoices, those of this store by id."""

    xml: bytes
    invoice: ReadyInvoice
    bases: tuple[CorrectedBase, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedDocument:
    """One document. ``number``: the P_2 that came with it; None: the next of our own series."""

    content: Sale | Correction | SuppliedDocument
    number: str | None = None


@dataclass(frozen=True, slots=True)
class IssuePlan:
    """All of it."""

    documents: tuple[PlannedDocument, ...]
    pending: Correction | None = None
    """A correction that has to wait for the KSeF number of a base."""
    fulfils: str | None = None
    """Id of the pending correction that the first document is."""
    settles: str | None = None
    """Id of the new invoice that belongs to the correction and stands already: an earlier press made it."""
    buyers: NamedBuyers = NO_BUYERS
    """What the press says of buyers, to be remembered with it."""

    def in_total_failure(self) -> IssuePlan:
        """Return the plan of the same press in a total failure: the correction of what is in KSeF waits for its end."""
        first = self.documents[0].content if self.documents else None
        if self.fulfils is not None or not isinstance(first, Correction):
            return self
        order = until_total_failure_ends(first)
        return self if order is None else replace(self, documents=self.documents[1:], pending=order)
