"""Getting and renewing a certificate so that a crash at any point loses neither the old one nor the new key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from agent.domain.errors import ConfigError, Refused
from agent.ksef.certificate_files import CertificateFiles, finish_switch
from agent.ksef.certificates import Certificates, CertificateType, new_key, signing_request
from agent.ksef.credentials import Credentials, load_credentials, read_secret
from agent.ports import CallOutcome, KsefError
from agent.system.durable_files import write_whole
from agent.system.os_errors import polish_reason

Prove = Callable[[Credentials], Awaitable[None]]
"""Uses the new certificate for what it is for; KsefError where it does not work."""
PRIVATE = 0o600
PUBLIC = 0o644
REJECTED = 400
"""KSeF does not want this request; perhaps not this key either, so the next attempt draws another."""
GONE = frozenset({REJECTED, 410, 500, 550, 25005})
"""A request with this outcome will never give a certificate: the next attempt asks anew."""


async def enrol(
    certificates: Certificates, kind: CertificateType, name: str, place: CertificateFiles, prove: Prove | None = None
) -> Credentials:
    """Get a certificate and put it in place; an interrupted enrolment is continued.

    Refused where KSeF allows no further certificate, KsefError as the calls raise it. The old pair
    stays in place until the new one has proven to work.
    """
    finish_switch(place)
    key = _key(place)
    if not place.request.exists():
        limits = await certificates.limits()
        if not limits.can_request:
            raise Refused(
                "KSeF nie pozwala teraz złożyć wniosku o certyfikat "
                f"(pozostało wniosków: {limits.requests_left}, certyfikatów: {limits.certificates_left}).",
                code="certificate-limit",
            )
        request = signing_request(key, await certificates.subject())
        _write(place.request, (await certificates.request(kind, name, request)).encode(), PUBLIC)
    try:
        serial = await certificates.serial(place.request.read_text("ascii").strip())
    except KsefError as error:
        if error.outcome is CallOutcome.REFUSED and error.code in GONE:
            place.request.unlink()
        if error.outcome is CallOutcome.REFUSED and error.code == REJECTED:
            place.next_key.unlink()
        raise
    issued = await certificates.retrieve(serial)
    new = Credentials(issued.certificate, key)
    if issued.kind != kind or new.serial != serial or issued.certificate.public_key() != key.public_key():
        raise Refused(
            f"KSeF wydał inny certyfikat niż zamówiony: {issued.kind} {new.serial}.", code="wrong-certificate"
        )
    if prove is not None:
        await prove(new)
    _write(place.next_certificate, issued.certificate.public_bytes(Encoding.PEM), PUBLIC)
    finish_switch(place)
    return _load(place)


async def renew_if_due(
    certificates: Certificates,
    kind: CertificateType,
    name: str,
    place: CertificateFiles,
    *,
    days: int,
    now: Callable[[], datetime],
    prove: Prove | None = None,
) -> Credentials | None:
    """Renew a certificate with fewer than ``days`` days left (0: never) of the best known time, ``now``.

    Return the new pair, which the caller must take up; None where nothing is due.
    """
    finish_switch(place)
    if days <= 0 or _load(place).expires - now() > timedelta(days=days):
        return None
    return await enrol(certificates, kind, name, place, prove)


class Renewal:
    """Keeps one certificate of the settings valid; asked once a day.

    ``adopt`` hands the new pair to whoever uses the certificate; ``prove`` tries it out before the old one goes.
    """

    def __init__(
        self,
        certificates: Certificates,
        kind: CertificateType,
        name: str,
        place: CertificateFiles,
        *,
        days: int,
        now: Callable[[], datetime],
        adopt: Callable[[Credentials], None],
        prove: Prove | None = None,
    ) -> None:
        self.kind = kind
        self._certificates = certificates
        self._name = name
        self._place = place
        self._days = days
        self._now = now
        self._adopt = adopt
        self._prove = prove

    async def run(self) -> bool:
        """Renew where it is due and let the new certificate be used at once; return whether it is.

        KsefError, Refused, ConfigError where it does not work: the old certificate stays, the next day tries again.
        """
        new = await renew_if_due(
            self._certificates,
            self.kind,
            self._name,
            self._place,
            days=self._days,
            now=self._now,
            prove=self._prove,
        )
        if new is None:
            return False
        self._adopt(new)
        return True


def _load(place: CertificateFiles) -> Credentials:
    return load_credentials(place.certificate_file, place.key_file, place.passphrase_file)


def _key(place: CertificateFiles) -> ec.EllipticCurvePrivateKey:
    """Return the key of the enrolment under way, or a new one, durable before it is used."""
    passphrase = read_secret(place.passphrase_file).encode() if place.passphrase_file else None
    if place.next_key.exists():
        try:
            key = load_pem_private_key(place.next_key.read_bytes(), passphrase)
        except (TypeError, ValueError) as error:
            raise ConfigError((f"Klucz {place.next_key} ma inne hasło albo jest uszkodzony.",)) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigError((f"Klucz {place.next_key} nie jest kluczem EC.",))
        return key
    place.request.unlink(missing_ok=True)  # of a key that is gone
    key = new_key()
    encryption: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    _write(place.next_key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), PRIVATE)
    return key


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a file whole and durable; Refused where that fails."""
    try:
        write_whole(path, data, mode)
    except OSError as error:
        raise Refused(f"Nie można zapisać pliku {path}: {polish_reason(error)}.", code="not-writable") from error
