"""KSeF's sessions of the hub and what they confirmed (port Sessions)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from agent.domain.errors import NotFound
from agent.hub.domain.records import HubInvoice
from agent.hub.store.database import Database, Value
from agent.hub.store.repositories.invoices import invoice_of
from agent.ports import KsefSession, SessionKind, UpoPage


class StoredSessions:
    """Sessions; their UPO is stored once, never changed, never deleted (triggers)."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def use(self, nip: str, reference: str, kind: SessionKind) -> None:
        """Note that something is about to be sent in this session."""
        await self._database.run("session_use", nip=nip, reference=reference, kind=kind.value, at=self._now())

    async def is_batch(self, reference: str) -> bool:
        """Whether it is a batch."""
        rows = await self._database.run("session", reference=reference)
        return bool(rows) and rows[0].text("kind") == SessionKind.BATCH

    async def without_upo(self, nip: str) -> list[KsefSession]:
        """Those whose UPO can be asked for now, oldest first."""
        rows = await self._database.run("sessions_without_upo", nip=nip)
        return [KsefSession(row.text("reference"), SessionKind(row.text("kind"))) for row in rows]

    async def add_page(self, session: str, page: UpoPage) -> bool:
        """Store a page; False where it is here already."""
        rows = await self._database.run(
            "page_add", session=session, page=page.number, reference=page.reference, xml=page.xml, at=self._now()
        )
        return bool(rows)

    async def confirm(self, session: str, page: int, documents: Sequence[tuple[str, bytes]]) -> list[HubInvoice]:
        """Link what a page names; return those that had no proof yet."""
        named: list[Mapping[str, Value]] = [
            {"ksef_number": number, "sha256": sha256, "session": session, "page": page, "at": self._now()}
            for number, sha256 in documents
        ]
        proven = await self._database.run_many("proof_by_page", named)
        marked = await self._database.run_many("proven", [{"sha256": row.blob("sha256")} for row in proven])
        return [invoice_of(row) for row in marked]

    async def finish(self, reference: str) -> None:
        """Ask no more."""
        await self._database.run("session_finish", reference=reference)

    async def page(self, session: str, page: int) -> bytes:
        """Return a page as received."""
        rows = await self._database.run("page", session=session, page=page)
        if not rows:
            raise NotFound("Centrala nie ma takiej strony UPO.", code="no-upo")
        return rows[0].blob("xml")

    async def add_upo(self, sha256: bytes, xml: bytes) -> bool:
        """Store an invoice's own UPO; False where it has a proof."""
        if not await self._database.run("proof_own", sha256=sha256, xml=xml, at=self._now()):
            return False
        await self._database.run("proven", sha256=sha256)
        return True

    async def upo(self, sha256: bytes) -> bytes | tuple[str, int] | None:
        """Return the invoice's own UPO, or session and number of the page that names it."""
        rows = await self._database.run("proof", sha256=sha256)
        if not rows:
            return None
        session = rows[0].text_or_none("session")
        return rows[0].blob("xml") if session is None else (session, rows[0].whole("page"))

    async def without_proof(self, nip: str, kind: SessionKind, before: datetime, limit: int) -> list[HubInvoice]:
        """Return accepted invoices that nothing confirms yet, oldest first."""
        rows = await self._database.run("without_proof", nip=nip, kind=kind.value, before=before, limit=limit)
        return [invoice_of(row) for row in rows]

    async def late_upo(self, nip: str, before: datetime, limit: int) -> tuple[str, ...]:
        """Return the numbers of those accepted before then that nothing confirms, oldest first."""
        rows = await self._database.run("late_upo", nip=nip, before=before, limit=limit)
        return tuple(row.text("number") for row in rows)
