"""Is this the certificate that is wanted here? Its type, whose it is, from when to when it holds.

KSeF gives out two types and writes the type into the key usage (certyfikaty-KSeF.md; CIRFMF/ksef-docs #378):
Authentication has digitalSignature, Offline nonRepudiation (contentCommitment). Nobody else's certificates follow that
rule: a qualified signature, with which one may also sign in, has nonRepudiation too. So the type of a certificate that
KSeF did not issue is not judged where one signs in.

What can never work here (``faults``) stops the start, as every wrong setting does: a technician stands before the
till. What depends on the day or on permissions (``remarks``) does not: a shop has to sell on the morning on which a
certificate ran out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from agent.domain.values import dataclass

SMALLEST_RSA = 2048
"""Bits; KSeF takes no shorter key (certyfikaty-KSeF.md)."""
COMPANY = "VATPL-"
"""Begins organizationIdentifier, before the NIP."""
PERSON = "TINPL-"
"""Begins serialNumber of a person with a NIP; PNOPL-, with a PESEL, tells none."""


class Use(StrEnum):
    """What a certificate is set for; KSeF's word for the type it needs."""

    AUTHENTICATION = "Authentication"
    OFFLINE = "Offline"


SECTIONS = {Use.AUTHENTICATION: "ksef", Use.OFFLINE: "offline"}
PURPOSES = {Use.AUTHENTICATION: "logowania do KSeF", Use.OFFLINE: "podpisywania kodu II"}


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to look after, in Polish. ``code`` is stable: expired, not-yet-valid, of-another, unknown-type."""

    code: str
    text: str


def faults(certificate: x509.Certificate, use: Use) -> tuple[str, ...]:
    """Return in Polish why this certificate can never serve for ``use``; nothing where it can."""
    try:
        return tuple(_faults(certificate, use))
    except ValueError:  # cryptography raises it for names and extensions that are no DER, or come twice
        return ("treść certyfikatu jest nieczytelna",)


def remarks(certificate: x509.Certificate, use: Use, nips: tuple[str, ...], now: datetime) -> tuple[Remark, ...]:
    """Return what is to be said at ``now`` of a certificate set for ``use``; ``nips``: whose it may be."""
    return tuple(_remarks(certificate, use, nips, now))


def owner_nip(certificate: x509.Certificate) -> str | None:
    """Return the NIP of the subject, a firm's or a person's; None where it names none (a person with a PESEL)."""
    for oid, prefix in ((NameOID.ORGANIZATION_IDENTIFIER, COMPANY), (NameOID.SERIAL_NUMBER, PERSON)):
        for attribute in certificate.subject.get_attributes_for_oid(oid):
            value = str(attribute.value).strip()
            if value.startswith(prefix):
                return value.removeprefix(prefix)
    return None


def owner(certificate: x509.Certificate) -> str:
    """Return whose certificate this is, for people: name and NIP."""
    names = [
        str(attribute.value)
        for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)
        for attribute in certificate.subject.get_attributes_for_oid(oid)
    ]
    nip = owner_nip(certificate)
    return " ".join(filter(None, (names[0] if names else "", f"(NIP {nip})" if nip else ""))) or "nieznany podmiot"


def kind_of(certificate: x509.Certificate) -> Use | None:
    """Return the type that the key usage tells of a certificate of KSeF's; None where it tells none."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
    if usage.digital_signature == usage.content_commitment:
        return None
    return Use.AUTHENTICATION if usage.digital_signature else Use.OFFLINE


def _faults(certificate: x509.Certificate, use: Use) -> Iterator[str]:
    owner(certificate)  # a name that cannot be read is told here, not in the middle of a remark
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SMALLEST_RSA:
        yield f"klucz RSA ma {key.key_size} bitów, a potrzeba co najmniej {SMALLEST_RSA}"
    if _is_authority(certificate):
        yield "to certyfikat urzędu certyfikacji, a nie podmiotu"
        return
    kind = kind_of(certificate)
    if use is Use.OFFLINE and kind is Use.AUTHENTICATION:
        yield (
            "to certyfikat typu Authentication, do logowania; kod II podpisuje się certyfikatem typu Offline. "
            "Zdobądź go: ksef-agent enroll --type offline"
        )
    if use is Use.AUTHENTICATION and kind is Use.OFFLINE and _issued_by_ksef(certificate):
        yield (
            "to certyfikat KSeF typu Offline, do kodu II; KSeF nie przyjmie go przy logowaniu. "
            "Potrzebny certyfikat typu Authentication: ksef-agent enroll --type authentication"
        )


def _remarks(certificate: x509.Certificate, use: Use, nips: tuple[str, ...], now: datetime) -> Iterator[Remark]:
    serial = f"{certificate.serial_number:016X}"
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if end <= now:
        yield Remark("expired", f"certyfikat {serial} stracił ważność {end.astimezone(UTC):%Y-%m-%d}; odnów go.")
    if start > now:
        yield Remark(
            "not-yet-valid",
            f"certyfikat {serial} będzie ważny dopiero od {start.astimezone(UTC):%Y-%m-%d %H:%M} UTC; "
            "sprawdź zegar kasy albo poczekaj z jego użyciem.",
        )
    of = owner_nip(certificate)
    if of is not None and of not in nips:
        section = SECTIONS[use]
        yield Remark(
            "of-another",
            f"certyfikat {serial} do {PURPOSES[use]} ma inny podmiot: {owner(certificate)}, a ustawienia są dla "
            f"NIP {nips[0]}. Wskaż certyfikat tej firmy. Jeżeli tamten podmiot ma w KSeF jej uprawnienia do "
            f'wystawiania faktur, potwierdź to: [{section}] certificate_nip = "{of}".',
        )
    if use is Use.OFFLINE and kind_of(certificate) is None:
        yield Remark(
            "unknown-type",
            f"certyfikat {serial} nie mówi, że jest typu Offline (nonRepudiation); kodu II może nie dać się sprawdzić.",
        )


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    return basic.ca


def _issued_by_ksef(certificate: x509.Certificate) -> bool:
    """Tell by the issuer's name ("CCK KSeF", "TEST CCK KSeF"); the chain is not part of the contract."""
    return any("ksef" in str(attribute.value).lower() for attribute in certificate.issuer)
