"""The Offline certificates of a chain: few, shared by its tills, since a NIP may hold 100 (certyfikaty-KSeF.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from agent.domain.json_io.canonical import Json
from agent.domain.values import dataclass

FEW_CERTIFICATES = 10
"""Left of the 100 that a NIP may hold."""
FEW_REQUESTS = 20
"""Left of the 300 requests."""


@dataclass(frozen=True, slots=True)
class KeptCertificate:
    """One that the hub holds for a slot of a NIP, or whose key waits for KSeF.

    ``key``        PKCS#8 PEM, encrypted with the hub's passphrase
    ``reference``  KSeF's, of the request under way
    ``serial``     as KSeF writes it, None until it is issued; ``certificate`` is its PEM
    """

    id: int
    nip: str
    slot: int
    key: bytes = field(repr=False)
    reference: str | None = None
    serial: str | None = None
    certificate: bytes | None = field(default=None, repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CertificateCount:
    """What KSeF still allows a NIP, as it said last, and what went wrong since. None: it was not asked yet."""

    certificates_left: int | None = None
    requests_left: int | None = None
    trouble: str | None = None
    certificates_in_use: int | None = None


def slot_of(till_id: int, slots: int) -> int:
    """Return which of the shared certificates a till uses, 1 to ``slots``; the same one every time it asks."""
    return till_id % slots + 1


def in_use(kept: Iterable[KeptCertificate], now: datetime) -> dict[int, KeptCertificate]:
    """Return by slot the certificate that counts: of those that hold, the newest."""
    issued = (each for each in kept if each.expires_at is not None and each.expires_at > now)
    return {each.slot: each for each in sorted(issued, key=lambda each: each.id)}


def due(kept: Sequence[KeptCertificate], slots: int, *, now: datetime, before: timedelta) -> list[int]:
    """Return the slots that need a certificate: without one, or with one that ends within ``before``."""
    current = in_use(kept, now)
    return [slot for slot in range(1, slots + 1) if slot not in current or _ends(current[slot], now + before)]


def _ends(kept: KeptCertificate, by: datetime) -> bool:
    return kept.expires_at is not None and kept.expires_at <= by


def count_to_json(count: CertificateCount) -> dict[str, Json]:
    """Return what is written down of it."""
    return {
        "certificates_left": count.certificates_left,
        "requests_left": count.requests_left,
        "trouble": count.trouble,
        "certificates_in_use": count.certificates_in_use,
    }


def count_from_json(value: Json) -> CertificateCount:
    """Read it back."""
    said = value if isinstance(value, Mapping) else {}
    certificates, requests, trouble = (said.get(name) for name in ("certificates_left", "requests_left", "trouble"))
    used = said.get("certificates_in_use")
    return CertificateCount(
        certificates if isinstance(certificates, int) else None,
        requests if isinstance(requests, int) else None,
        trouble if isinstance(trouble, str) else None,
        used if isinstance(used, int) else None,
    )
