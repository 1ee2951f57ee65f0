"""KSeF's sessions and what they confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from agent.ports.ksef import UpoPage
from agent.ports.stored import Confirmed, KsefSession, SessionKind, StoredUpoPage


class Sessions(Protocol):
    """KSeF sessions this till sent in, and their collective UPO."""

    async def use(self, reference: str, kind: SessionKind) -> None:
        """Note that this session is open and to be sent in; a second time changes nothing."""
        ...

    async def used_since(self, instant: datetime) -> list[tuple[SessionKind, datetime]]:
        """Return what use() noted since then, and when, newest first; at most as many as KSeF opens in an hour."""
        ...

    async def without_upo(self) -> list[KsefSession]:
        """Those whose UPO is still expected and in which nothing is on its way (sending, sent), oldest first."""
        ...

    async def add_page(self, session: str, page: UpoPage) -> bool:
        """Store a page; False where it is here already."""
        ...

    async def add_documents(self, session: str, page: int, documents: Sequence[tuple[str, bytes]]) -> list[Confirmed]:
        """Store what a page names (KSeF number, SHA-256); return our invoices it names for the first time."""
        ...

    async def finish(self, reference: str, *, confirmed: bool) -> None:
        """Ask no more: the whole UPO is here, or there never will be one."""
        ...

    async def upo_of(self, invoice_id: str) -> StoredUpoPage | None:
        """The page that names this invoice with its hash."""
        ...

    async def page(self, session: str, page: int) -> bytes:
        """The bytes of a stored page."""
        ...
