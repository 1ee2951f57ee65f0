"""The Offline certificate of the chain on a till: fetched, proven, put in place. The old one signs until then.

Proof: certificate and key belong together (a signature is made and verified), it is the one the hub named, of type
Offline, of this seller, and holds now. Files: `hub-offline.crt` and `hub-offline.key` in the data directory, changed
as a renewal changes them (agent/ksef/certificate_files.py): a crash leaves the old pair or the new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from agent.hub_contract.certificates import OfflinePair
from agent.hub_contract.heartbeat import News
from agent.hub_route.client import HubClient
from agent.ksef.certificate_checks import Use, kind_of, owner, owner_nip
from agent.ksef.certificate_files import CertificateFiles, finish_switch
from agent.ksef.credentials import Credentials
from agent.ksef.crypto import HeldSigner
from agent.ports import KsefError
from agent.system.durable_files import write_whole
from agent.system.os_errors import polish_reason

PROBE = b"ksef-agent"
"""What is signed to see whether certificate and key belong together; nobody gets to see it."""


class WrongPair(Exception):
    """What the hub handed out is not what this till may sign with; the message is Polish."""


class ChainCertificate:
    """Follows what the hub says which Offline certificate this till shall use."""

    def __init__(
        self,
        client: HubClient,
        place: CertificateFiles,
        signer: HeldSigner,
        *,
        nips: Collection[str],
        now: Callable[[], datetime],
    ) -> None:
        """``nips``: whose the certificate may be."""
        self._client = client
        self._place = place
        self._signer = signer
        self._nips = nips
        self._now = now
        self.adopted = place.certificate_file.exists()
        """Whether the hub's word decides which certificate signs; a certificate of the till's own stands back."""

    @property
    def serial(self) -> str | None:
        """Return the serial number of the certificate in use."""
        return None if self._signer.current is None else self._signer.current.serial

    async def follow(self, news: News) -> str | None:
        """Adopt the certificate the hub names, where it is another one; return what went wrong, in Polish."""
        if news.offline_serial is None:
            return None
        self.adopted = True
        if self.serial == news.offline_serial:
            return None
        try:
            pair = await self._client.offline_certificate()
            new = proven(pair, news.offline_serial, self._nips, self._now())
            await asyncio.to_thread(self._put, pair)
        except KsefError as error:
            return f"Kasa nie dostała certyfikatu Offline {news.offline_serial}: {error.message}"
        except WrongPair as error:
            return f"Certyfikat Offline z centrali odrzucony: {error}"
        except OSError as error:
            return f"Nie można zapisać certyfikatu Offline z centrali: {polish_reason(error)}."
        self._signer.adopt(new)
        return None

    def _put(self, pair: OfflinePair) -> None:
        finish_switch(self._place)
        write_whole(self._place.next_key, pair.key.encode("ascii"), 0o600)
        write_whole(self._place.next_certificate, pair.certificate.encode("ascii"), 0o644)
        finish_switch(self._place)


def proven(pair: OfflinePair, serial: str, nips: Collection[str], now: datetime) -> Credentials:
    """Return what a till may sign with. WrongPair says why not."""
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate.encode("ascii"))
        key = load_pem_private_key(pair.key.encode("ascii"), None)
    except (ValueError, TypeError) as error:
        raise WrongPair("plik jest nieczytelny.") from error
    public = certificate.public_key()
    if (
        not isinstance(key, ec.EllipticCurvePrivateKey)
        or not isinstance(public, ec.EllipticCurvePublicKey)
        or not isinstance(key.curve, ec.SECP256R1)
    ):
        raise WrongPair("klucz nie jest kluczem EC na krzywej P-256.")
    try:
        public.verify(key.sign(PROBE, ec.ECDSA(hashes.SHA256())), PROBE, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise WrongPair("klucz nie należy do certyfikatu.") from error
    new = Credentials(certificate, key)
    if new.serial != serial:
        raise WrongPair(f"przyszedł {new.serial} zamiast {serial}.")
    if kind_of(certificate) is not Use.OFFLINE:
        raise WrongPair("nie jest typu Offline.")
    if owner_nip(certificate) not in nips:
        raise WrongPair(f"ma inny podmiot: {owner(certificate)}.")
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise WrongPair(f"jest ważny od {certificate.not_valid_before_utc:%Y-%m-%d} do {new.expires:%Y-%m-%d}.")
    return new
