"""Offline certificates that tills share."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from agent.hub.domain.certificates import KeptCertificate


class OfflineCertificates(Protocol):
    """The Offline certificates that tills share, and keys whose request is under way."""

    async def draw(self, nip: str, slot: int, key: bytes) -> KeptCertificate:
        """Keep a new key, encrypted PKCS#8 PEM, before KSeF is asked."""
        ...

    async def of(self, nip: str) -> list[KeptCertificate]:
        """Return those of a NIP that are in use or on their way, by slot, the oldest first."""
        ...

    async def requested(self, kept: KeptCertificate, reference: str | None) -> KeptCertificate:
        """Note under which reference KSeF works on it; None: it has to be asked anew."""
        ...

    async def issued(
        self, kept: KeptCertificate, serial: str, certificate: bytes, expires_at: datetime
    ) -> KeptCertificate:
        """Keep what KSeF gave, PEM."""
        ...

    async def drop(self, kept: KeptCertificate) -> None:
        """Forget a key that KSeF refused; one that is certified stays."""
        ...

    async def withdraw(self, serial: str) -> KeptCertificate:
        """Let no till use it any more. NotFound "certificate-unknown"."""
        ...
