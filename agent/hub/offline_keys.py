"""What the chain chose for the Offline certificates of its tills, and their keys: encrypted wherever they are kept.

All processes of a hub share the passphrase, the database holds the keys: a copy of the database alone signs nothing.
"""

from __future__ import annotations

from dataclasses import field
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from agent.domain.errors import ConfigError
from agent.domain.values import dataclass


@dataclass(frozen=True, slots=True)
class OfflineKeys:
    """``slots`` certificates for each NIP, shared by its tills; 0: the hub hands out none."""

    slots: int = 0
    renew_before: timedelta = timedelta(days=30)
    passphrase: bytes = field(default=b"", repr=False)

    def locked(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        """Return a key as it is kept: PKCS#8 PEM, encrypted."""
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(self.passphrase))

    def unlocked(self, kept: bytes) -> ec.EllipticCurvePrivateKey:
        """Return a key that was kept. ConfigError where the passphrase is another one."""
        try:
            key = load_pem_private_key(kept, self.passphrase)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                ("[offline] passphrase_file: klucze w bazie centrali zaszyfrowano innym hasłem.",)
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigError(("Klucz Offline w bazie centrali nie jest kluczem EC.",))
        return key


def handed_out(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key as a till gets it, over TLS: PKCS#8 PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
