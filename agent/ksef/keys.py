"""KSeF's public keys: which one encrypts what, now. Keys rotate; error 21470 says that ours is withdrawn."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from agent.domain.values import dataclass
from agent.ksef.calls import Call, RateLimitedClient
from agent.ksef.crypto import b64, sha256, wrap
from agent.ksef.limits import HOUR, Group
from agent.ksef.responses import Fields
from agent.ksef.server_clock import ServerTime
from agent.ports import CallOutcome, Clock, KsefError

T = TypeVar("T")

log = logging.getLogger(__name__)

WITHDRAWN_KEY = 21470
"""KSeF: the key's identifier is unknown or withdrawn."""
LEAST_KEY_BITS = 2048
KEEP_SECONDS = 6 * HOUR
"""How long a fetched list is used; a withdrawn key is noticed sooner by 21470."""
RETRY_SECONDS = 300.0
"""Until the next attempt where a list could not be had, or not read, and keys of the last one still hold."""


class Usage(StrEnum):
    """What a key may encrypt (PublicKeyCertificateUsage)."""

    TOKEN = "KsefTokenEncryption"  # noqa: S105 - a word of the API
    SYMMETRIC_KEY = "SymmetricKeyEncryption"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key of KSeF. ``identifier`` is the Base64 SHA-256 of its SubjectPublicKeyInfo, checked."""

    identifier: str
    key: rsa.RSAPublicKey = field(repr=False)
    usages: frozenset[str]
    valid_from: datetime
    valid_to: datetime

    def wrap(self, secret: bytes) -> str:
        """Return ``secret`` encrypted for KSeF, Base64."""
        return b64(wrap(self.key, secret))


class PublicKeys:
    """The cached list of /security/public-key-certificates."""

    def __init__(self, wire: RateLimitedClient, clock: Clock, server_time: ServerTime) -> None:
        self._wire = wire
        self._clock = clock
        self._server_time = server_time
        self._keys: tuple[PublicKey, ...] = ()
        self._fresh_until = float("-inf")
        """Monotonic."""

    async def using(self, usage: Usage, work: Callable[[PublicKey], Awaitable[T]]) -> T:
        """Do ``work`` with the right key; when KSeF calls the key withdrawn, fetch, choose and repeat once."""
        chosen = await self.choose(usage)
        try:
            return await work(chosen)
        except KsefError as error:
            if error.code != WITHDRAWN_KEY:
                raise
        self._keys = tuple(key for key in self._keys if key.identifier != chosen.identifier)
        self._fresh_until = float("-inf")
        return await work(await self.choose(usage))

    async def choose(self, usage: Usage) -> PublicKey:
        """Return the RSA key for ``usage``: valid now, of those the one with the latest validFrom."""
        if self._clock.monotonic() > self._fresh_until or not self._valid(usage):
            await self._fetch(usage)
        valid = self._valid(usage)
        if not valid:
            raise KsefError(f"KSeF nie podał ważnego klucza publicznego RSA do: {usage}.", outcome=CallOutcome.NOT_SENT)
        return max(valid, key=lambda each: each.valid_from)

    async def _fetch(self, usage: Usage) -> None:
        """Fetch the list. Keys that hold stay for what it brings none for, and where it cannot be had."""
        try:
            answer = await self._wire.run(Call(Group.ANONYMOUS, "GET", "/security/public-key-certificates"))
            fetched = tuple(key for key in answer.readable(_read) if key is not None)
        except KsefError as error:
            if not self._valid(usage):
                raise
            log.warning("KSeF's keys are not fetched anew, those of the last list still hold: %s", error.message)
            self._fresh_until = self._clock.monotonic() + RETRY_SECONDS
            return
        missing = [each for each in Usage if not self._valid(each, fetched)]
        kept = {key.identifier: key for each in missing for key in self._valid(each)}
        self._keys = (*fetched, *kept.values())
        self._fresh_until = self._clock.monotonic() + (RETRY_SECONDS if kept else KEEP_SECONDS)

    def _valid(self, usage: Usage, keys: Iterable[PublicKey] | None = None) -> list[PublicKey]:
        now = self._server_time.now()
        among = self._keys if keys is None else keys
        return [key for key in among if usage in key.usages and key.valid_from <= now < key.valid_to]


def _read(item: Fields) -> PublicKey | None:
    """Return the key, None where it is no RSA key of a safe length or does not have the identifier KSeF gives it."""
    data = item.decoded("certificate")
    try:
        key: object = x509.load_der_x509_certificate(data).public_key()
    except (ValueError, UnsupportedAlgorithm):
        try:
            key = load_der_public_key(data)  # the contract's own example gives a bare key
        except (ValueError, UnsupportedAlgorithm):
            return None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < LEAST_KEY_BITS:
        return None
    identifier = b64(sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)))
    if identifier != item.text("publicKeyId"):
        return None
    return PublicKey(identifier, key, frozenset(item.texts("usage")), item.instant("validFrom"), item.end("validTo"))
