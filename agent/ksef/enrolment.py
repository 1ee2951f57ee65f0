"""Getting and renewing a certificate so that a crash at any point loses neither the old one nor the new key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from cryptography import x509
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
from agent.ksef.certificate_checks import Use
from agent.ksef.certificate_files import CertificateFiles, finish_switch, held, readable_as
from agent.ksef.certificates import (
    NO_CERTIFICATES_LEFT,
    NO_REQUESTS_LEFT,
    Certificates,
    CertificateType,
    new_key,
    signing_request,
)
from agent.ksef.credentials import Credentials, load_credentials, load_pair, read_secret
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

    Refused where KSeF allows no further certificate, or somebody else is changing this pair; KsefError as the calls
    raise it. The old pair stays in place until the new one has proven to work.
    """
    with held(place) as mine:
        if not mine:
            text = f"Inny program odnawia właśnie certyfikat {place.certificate_file}; poczekaj, aż skończy."
            raise Refused(text, code="enrolment-under-way")
        return await _enrol(certificates, kind, name, place, prove)


async def _enrol(
    certificates: Certificates, kind: CertificateType, name: str, place: CertificateFiles, prove: Prove | None
) -> Credentials:
    finish_switch(place)
    key = _key(place)
    if not place.request.exists():
        request = await _signing_request(certificates, key, place)
        try:
            reference = await certificates.request(kind, name, request)
        except KsefError as error:
            if error.code not in {NO_REQUESTS_LEFT, NO_CERTIFICATES_LEFT}:
                raise
            raise Refused(await _no_more(certificates, error), code="certificate-limit") from error
        _write(place.request, reference.encode(), PUBLIC)
    try:
        serial = await certificates.serial(place.request.read_text("ascii").strip())
    except KsefError as error:
        if error.outcome is CallOutcome.REFUSED and error.code in GONE:
            place.request.unlink()
            place.csr.unlink(missing_ok=True)
        if error.outcome is CallOutcome.REFUSED and error.code == REJECTED:
            place.next_key.unlink()
        raise
    new = await certified(certificates, kind, serial, key)
    if prove is not None:
        await prove(new)
    readable_as(place.key_file, place.next_key)
    _write(place.next_certificate, new.certificate.public_bytes(Encoding.PEM), PUBLIC)
    readable_as(place.certificate_file, place.next_certificate)
    finish_switch(place)
    return _load(place)


async def certified(
    certificates: Certificates, kind: CertificateType, serial: str, key: ec.EllipticCurvePrivateKey
) -> Credentials:
    """Fetch what KSeF issued for ``key``. Refused "wrong-certificate" where it is of another type or key."""
    issued = await certificates.retrieve(serial)
    new = Credentials(issued.certificate, key)
    if issued.kind != kind or new.serial != serial or issued.certificate.public_key() != key.public_key():
        raise Refused(
            f"KSeF wydał inny certyfikat niż zamówiony: {issued.kind} {new.serial}.", code="wrong-certificate"
        )
    return new


class RenewalResult(StrEnum):
    """What came of a look at a certificate that renews itself."""

    NOT_DUE = "not-due"
    RENEWED = "renewed"
    ADOPTED = "adopted"
    """Another till that shares the files has renewed it."""
    ELSEWHERE = "elsewhere"
    """Another till that shares the files is at it."""


class Renewal:
    """Keeps one certificate of the settings valid; asked once a day.

    ``adopt`` hands the new pair to whoever uses the certificate; ``prove`` tries it out before the old one goes;
    ``current`` tells which one is in use: of tills that share the files one renews them, the others take them up.
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
        current: Callable[[], x509.Certificate],
        adopt: Callable[[Credentials], None],
        prove: Prove | None = None,
    ) -> None:
        self.kind = kind
        self._certificates = certificates
        self._name = name
        self._place = place
        self._days = days
        self._now = now
        self._current = current
        self._adopt = adopt
        self._prove = prove

    async def run(self) -> RenewalResult:
        """Renew where fewer than ``days`` days (0: never) are left by the best known time; the new one is used at once.

        KsefError, Refused, ConfigError where it does not work: the old certificate stays, the next day tries again.
        """
        with held(self._place) as mine:
            if not mine:
                return RenewalResult.ELSEWHERE
            finish_switch(self._place)
            found = load_pair(self._place, Use(self.kind))
            result = RenewalResult.NOT_DUE
            if found.certificate != self._current():
                self._adopt(found)
                result = RenewalResult.ADOPTED
            if self._days <= 0 or found.expires - self._now() > timedelta(days=self._days):
                return result
            self._adopt(await _enrol(self._certificates, self.kind, self._name, self._place, self._prove))
            return RenewalResult.RENEWED


async def _signing_request(
    certificates: Certificates, key: ec.EllipticCurvePrivateKey, place: CertificateFiles
) -> x509.CertificateSigningRequest:
    """Return what KSeF shall sign; its subject is asked for once a key: a till's share may be a call a day."""
    if place.csr.exists():
        with suppress(ValueError):
            kept = x509.load_pem_x509_csr(place.csr.read_bytes())
            if kept.public_key() == key.public_key():
                return kept
    request = signing_request(key, await certificates.subject())
    _write(place.csr, request.public_bytes(Encoding.PEM), PUBLIC)
    return request


async def _no_more(certificates: Certificates, refusal: KsefError) -> str:
    """Return the sentence for a NIP that has used up what KSeF allows, with what is left where KSeF says it."""
    try:
        left = await certificates.limits()
    except KsefError:
        return refusal.message
    return (
        f"{refusal.message} Pozostało wniosków: {left.requests_left}, certyfikatów: {left.certificates_left} "
        "(limity KSeF na NIP; zwykle 300 wniosków i 100 czynnych certyfikatów obu typów razem)."
    )


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
    place.csr.unlink(missing_ok=True)
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
