"""Offline certificates that the hub hands out (port OfflineCertificates)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from agent.domain.errors import NotFound
from agent.hub.domain.certificates import KeptCertificate
from agent.hub.store.database import Database, Row


class StoredCertificates:
    """Keys, and what KSeF certified."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def draw(self, nip: str, slot: int, key: bytes) -> KeptCertificate:
        """Keep a new key."""
        (row,) = await self._database.run("certificate_draw", nip=nip, slot=slot, key=key, at=self._now())
        return _certificate(row)

    async def of(self, nip: str) -> list[KeptCertificate]:
        """Return what is in use or on its way."""
        return [_certificate(row) for row in await self._database.run("certificates", nip=nip)]

    async def requested(self, kept: KeptCertificate, reference: str | None) -> KeptCertificate:
        """Note KSeF's reference of the request."""
        (row,) = await self._database.run("certificate_requested", id=kept.id, reference=reference)
        return _certificate(row)

    async def issued(
        self, kept: KeptCertificate, serial: str, certificate: bytes, expires_at: datetime
    ) -> KeptCertificate:
        """Keep what KSeF gave."""
        (row,) = await self._database.run(
            "certificate_issued", id=kept.id, serial=serial, certificate=certificate, expires_at=expires_at
        )
        return _certificate(row)

    async def drop(self, kept: KeptCertificate) -> None:
        """Forget a key that KSeF refused."""
        await self._database.run("certificate_drop", id=kept.id)

    async def withdraw(self, serial: str) -> KeptCertificate:
        """Let no till use it any more."""
        rows = await self._database.run("certificate_withdraw", serial=serial, at=self._now())
        if not rows:
            raise NotFound(f"Centrala nie wydaje kasom certyfikatu {serial}.", code="certificate-unknown")
        return _certificate(rows[0])


def _certificate(row: Row) -> KeptCertificate:
    return KeptCertificate(
        id=row.whole("id"),
        nip=row.text("nip"),
        slot=row.whole("slot"),
        key=row.blob("key"),
        reference=row.text_or_none("reference"),
        serial=row.text_or_none("serial"),
        certificate=row.blob_or_none("certificate"),
        expires_at=row.instant_or_none("expires_at"),
    )
