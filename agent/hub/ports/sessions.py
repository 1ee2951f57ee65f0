"""KSeF's sessions and what they confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from agent.hub.domain.records import HubInvoice
from agent.ports import KsefSession, SessionKind, UpoPage


class Sessions(Protocol):
    """KSeF's sessions of a NIP, and what they confirmed."""

    async def use(self, nip: str, reference: str, kind: SessionKind) -> None:
        """Note that something is about to be sent in this session; a second time changes nothing."""
        ...

    async def is_batch(self, reference: str) -> bool:
        """Whether it is a batch; an interactive one need not be noted."""
        ...

    async def without_upo(self, nip: str) -> list[KsefSession]:
        """Those whose UPO is still expected and in which nothing is on its way, oldest first."""
        ...

    async def add_page(self, session: str, page: UpoPage) -> bool:
        """Store a page; False where it is here already."""
        ...

    async def confirm(self, session: str, page: int, documents: Sequence[tuple[str, bytes]]) -> list[HubInvoice]:
        """Link the invoices a page names with number and hash; return those that had no proof yet."""
        ...

    async def finish(self, reference: str) -> None:
        """Ask no more: the whole UPO is here, or there never will be one."""
        ...

    async def page(self, session: str, page: int) -> bytes:
        """Return a page as received; NotFound otherwise."""
        ...

    async def add_upo(self, sha256: bytes, xml: bytes) -> bool:
        """Store an invoice's own UPO; False where it has one."""
        ...

    async def upo(self, sha256: bytes) -> bytes | tuple[str, int] | None:
        """Return what confirms an invoice: its own UPO, or session and number of the page that names it."""
        ...

    async def without_proof(self, nip: str, kind: SessionKind, before: datetime, limit: int) -> list[HubInvoice]:
        """Return accepted invoices of sessions of a kind that nothing confirms, oldest first.

        Accepted before then, or in a session whose UPO came without them.
        """
        ...

    async def late_upo(self, nip: str, before: datetime, limit: int) -> tuple[str, ...]:
        """Return the numbers of invoices that KSeF accepted before then and nothing confirms, oldest first."""
        ...
