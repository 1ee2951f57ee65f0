"""KSeF sessions and their collective UPO (port Sessions)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

from agent.domain.errors import DocumentDamaged
from agent.ports import Confirmed, KsefSession, SessionKind, StoredUpoPage, UpoPage
from agent.store import codec
from agent.store.connection import Value
from agent.store.unit import UnitConnection


class SqliteSessions:
    """Sessions this till sent in; their UPO is stored once, never changed, never deleted (triggers)."""

    def __init__(self, connection: UnitConnection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    async def use(self, reference: str, kind: SessionKind) -> None:
        """Note that this session is open and to be sent in."""
        used_at = codec.instant(self._now())
        await self._connection.run("session_use", {"reference": reference, "kind": kind.value, "used_at": used_at})

    async def used_since(self, instant: datetime) -> list[tuple[SessionKind, datetime]]:
        """Return what was noted since then, and when, newest first."""
        rows = await self._connection.run("sessions_used_since", {"since": codec.instant(instant)})
        return [(SessionKind(row["kind"]), codec.read_instant(row["used_at"])) for row in rows]

    async def without_upo(self) -> list[KsefSession]:
        """Those whose UPO can be asked for now, oldest first."""
        rows = await self._connection.run("sessions_without_upo")
        return [KsefSession(row["reference"], SessionKind(row["kind"])) for row in rows]

    async def add_page(self, session: str, page: UpoPage) -> bool:
        """Store a page; False where it is here already."""
        rows = await self._connection.run(
            "session_upo_add",
            {
                "session": session,
                "page": page.number,
                "reference": page.reference,
                "xml": page.xml,
                "sha256": hashlib.sha256(page.xml).digest(),
                "received_at": codec.instant(self._now()),
            },
        )
        return bool(rows)

    async def add_documents(self, session: str, page: int, documents: Sequence[tuple[str, bytes]]) -> list[Confirmed]:
        """Store what a page names; return those of our invoices it has now named for the first time."""
        found = []
        for ksef_number, sha256 in documents:
            named: dict[str, Value] = {"ksef_number": ksef_number, "sha256": sha256, "session": session, "page": page}
            if not await self._connection.run("session_upo_document_add", named):
                continue
            for row in await self._connection.run("session_upo_names", {"ksef_number": ksef_number}):
                right = bool(row["sha256"] == sha256)
                found.append(Confirmed(row["id"], ksef_number, sha256, right=right, has_own=bool(row["has_own"])))
        return found

    async def finish(self, reference: str, *, confirmed: bool) -> None:
        """Ask no more: the whole UPO is here, or there never will be one."""
        state = "confirmed" if confirmed else "unconfirmed"
        await self._connection.run("session_finish", {"reference": reference, "state": state})

    async def upo_of(self, invoice_id: str) -> StoredUpoPage | None:
        """Return the page that names this invoice with its hash."""
        rows = await self._connection.run("session_upo_of", {"invoice_id": invoice_id})
        return StoredUpoPage(rows[0]["session"], rows[0]["page"], rows[0]["sha256"]) if rows else None

    async def page(self, session: str, page: int) -> bytes:
        """Return the bytes of a stored page; DocumentDamaged where they are not those of their hash."""
        rows = await self._connection.run("session_upo_page", {"session": session, "page": page})
        xml = bytes(rows[0]["xml"])
        if hashlib.sha256(xml).digest() != rows[0]["sha256"]:
            self._connection.damaged[f"UPO sesji {session}, strona {page}"] = None
            raise DocumentDamaged(f"UPO sesji {session}, strona {page}")
        return xml
