"""What is not in KSeF, or not done there: the questions of those who bring it there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from agent.domain.invoice import InvoiceSummary
from agent.domain.lifecycle import InvoiceState
from agent.ports.stored import Exempt, QueueCount, Unsent


class UnsentInvoices(Protocol):
    """Invoices by what KSeF still has to hear or to say of them. Reads only."""

    async def unsent(self, limit: int | None = None) -> list[InvoiceSummary]:
        """All whose duty to send is open (lifecycle.UNSENT): in doubt first, then by deadline, then by age.

        ``limit`` takes the most urgent ones only: a backlog of 10 000 is 60 MB of bytes.
        """
        ...

    async def queue(self, limit: int | None = None, after: Unsent | None = None) -> list[Unsent]:
        """The same invoices in the same order as unsent(), a page of them: what follows ``after``."""
        ...

    async def queue_counts(self) -> list[QueueCount]:
        """How many of them there are, by state and deadline; costs the same however many."""
        ...

    async def waiting(self, limit: int, after: Unsent | None = None) -> list[Unsent]:
        """A page of those in ``issued``, in the same order; not corrections whose base KSeF does not have yet."""
        ...

    async def in_state(self, state: InvoiceState, limit: int, after: Unsent | None = None) -> list[Unsent]:
        """A page of those in one state, oldest first."""
        ...

    async def due(self, until: date, limit: int) -> list[Unsent]:
        """Those whose deadline is this day or earlier, most urgent first; not those in doubt."""
        ...

    async def asked_sessions(self) -> list[str]:
        """Sessions of batches whose verdict is awaited."""
        ...

    async def in_session(self, session: str, limit: int, after: Unsent | None = None) -> list[Unsent]:
        """A page of those in ``sent`` in this session that have no reference of their own, oldest first."""
        ...

    async def last_place(self) -> int:
        """Return the place of what was stored last, 0 where nothing was."""
        ...

    async def waiting_by_deadline(self, after: int) -> list[tuple[date | None, int]]:
        """Count, by deadline, what is in ``issued`` behind a place and may go together: offline, first bytes."""
        ...

    async def open_corrections(self) -> list[Unsent]:
        """Those that correct an invoice of this till, oldest first; few, since a correction waits for its base."""
        ...

    async def unsent_of(self, invoice_ids: Sequence[str]) -> list[Unsent]:
        """Those with these ids."""
        ...

    async def of_total_failure(self) -> list[Unsent]:
        """Those in ``issued`` that were issued in a total failure, oldest first."""
        ...

    async def oldest_unsent_at(self) -> datetime | None:
        """When the oldest invoice was issued that waits for KSeF, None where none does; rejected ones do not."""
        ...

    async def exempt(self) -> list[Exempt]:
        """What was issued in a total failure that is over, oldest first."""
        ...

    async def open_in_ksef(self) -> list[InvoiceSummary]:
        """Accepted, or of a closed case, and their deadline open still; oldest first, without bytes."""
        ...

    async def without_upo(self, limit: int = 50, batch_since: datetime | None = None) -> list[InvoiceSummary]:
        """Accepted invoices that neither a UPO of their own nor one of their session confirms yet, oldest first.

        Those accepted after ``batch_since`` in a batch whose collective UPO is still expected are left out.
        """
        ...
