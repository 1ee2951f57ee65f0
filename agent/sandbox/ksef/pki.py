"""Keys and certificates of the pretended authority, made at start: its CA, the taxpayer's certificates, its own keys.

KSeF certificates carry a serial of 16 hexadecimal digits; type 1 (Authentication) has the key usage
digitalSignature, type 2 (Offline) nonRepudiation (certyfikaty-KSeF.md).
"""

from __future__ import annotations

import functools
import hashlib
import secrets
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from agent.domain.values import dataclass
from agent.sandbox.ksef.wire import JsonObject, b64, stamp

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
ORGANIZATION_IDENTIFIER = NameOID.ORGANIZATION_IDENTIFIER
OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


class CertificateType(StrEnum):
    """Types of KSeF certificates, and the seal with which a company may also sign in."""

    AUTHENTICATION = "Authentication"
    OFFLINE = "Offline"
    SEAL = "Seal"


@functools.cache
def rsa_key(purpose: str) -> rsa.RSAPrivateKey:
    """Return the process's RSA-2048 key for ``purpose``; making one costs about 0.1 s, so sandboxes share them."""
    del purpose
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class Credential:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    @property
    def serial(self) -> str:
        """Serial number as KSeF writes it: 16 hexadecimal digits, upper case."""
        return f"{self.certificate.serial_number:016X}"

    @property
    def certificate_pem(self) -> str:
        """PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

    @property
    def key_pem(self) -> str:
        """PKCS#8 PEM without a passphrase."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode("ascii")


def organization(name: str, nip: str) -> x509.Name:
    """Return the subject of a company: organizationIdentifier carries the NIP as VATPL-..."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "PL"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
            x509.NameAttribute(ORGANIZATION_IDENTIFIER, f"VATPL-{nip}"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


class CertificateAuthority:
    """The CA of KSeF certificates. ``revoked`` holds serial numbers."""

    def __init__(self, now: datetime, common_name: str = "CCK KSeF (piaskownica)") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name(
            [x509.NameAttribute(NameOID.COUNTRY_NAME, "PL"), x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        )
        self.revoked: set[int] = set()
        self.types: dict[int, CertificateType] = {}
        """Type by serial number of what was issued."""
        public = self._key.public_key()
        self.certificate = (
            self._builder(self._name, public, now - timedelta(days=365), now + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def issue(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        kind: CertificateType,
        valid_from: datetime,
        valid_to: datetime,
    ) -> x509.Certificate:
        """Return a certificate of that type."""
        offline = kind is CertificateType.OFFLINE
        usage = x509.KeyUsage(
            digital_signature=not offline,
            content_commitment=offline,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=False,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            self._builder(subject, public_key, valid_from, valid_to)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.types[certificate.serial_number] = kind
        return certificate

    def credential(self, subject: x509.Name, key: PrivateKey, kind: CertificateType, now: datetime) -> Credential:
        """Return a certificate valid for two years, the longest KSeF gives, with its key."""
        certificate = self.issue(subject, key.public_key(), kind, now - timedelta(hours=1), now + timedelta(days=730))
        return Credential(certificate, key)

    def problem(self, certificate: x509.Certificate, now: datetime, *, verify_chain: bool = True) -> str | None:
        """Return why a certificate may not sign in, in the words of status 460; None where it may."""
        trusted = True
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except Exception:  # noqa: BLE001 - cryptography raises several kinds; each means: not ours
            trusted = False
        if not trusted and verify_chain:
            return "Niezaufany łańcuch certyfikatów"
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            return "Nieważny certyfikat"
        if trusted and certificate.serial_number in self.revoked:
            return "Certyfikat odwołany"
        if trusted and self.types.get(certificate.serial_number) is CertificateType.OFFLINE:
            return "Niepoprawny certyfikat"
        return None

    def _builder(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        valid_from: datetime,
        valid_to: datetime,
    ) -> x509.CertificateBuilder:
        serial = int.from_bytes(bytes([secrets.randbelow(0x7F) + 1]) + secrets.token_bytes(7), "big")
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(serial)
            .not_valid_before(valid_from)
            .not_valid_after(valid_to)
        )


def subject_nip(certificate: x509.Certificate) -> str | None:
    """Return the NIP of the subject: VATPL-... (company) or TINPL-... (person); None for a person with PESEL only."""
    for oid, prefix in ((ORGANIZATION_IDENTIFIER, "VATPL-"), (NameOID.SERIAL_NUMBER, "TINPL-")):
        for attribute in certificate.subject.get_attributes_for_oid(oid):
            value = str(attribute.value)
            if value.startswith(prefix):
                return value.removeprefix(prefix)
    return None


@dataclass(frozen=True)
class EncryptionKey:
    """A key of KSeF under which clients encrypt."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)
    usage: tuple[str, ...]

    @property
    def id(self) -> str:
        """publicKeyId: Base64 of SHA-256 over SubjectPublicKeyInfo."""
        spki = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return b64(hashlib.sha256(spki).digest())

    def decrypt(self, data: bytes) -> bytes:
        """RSA-OAEP with SHA-256; ValueError where it does not decrypt."""
        return self.key.decrypt(data, OAEP)

    def describe(self) -> JsonObject:
        """PublicKeyCertificate."""
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        return {
            "certificate": b64(der),
            "certificateId": b64(hashlib.sha256(der).digest()),
            "publicKeyId": self.id,
            "validFrom": stamp(self.certificate.not_valid_before_utc),
            "validTo": stamp(self.certificate.not_valid_after_utc),
            "usage": list(self.usage),
        }


TOKEN_ENCRYPTION = "KsefTokenEncryption"  # noqa: S105 - the name of a use
SYMMETRIC_KEY_ENCRYPTION = "SymmetricKeyEncryption"


class KeyRing:
    """KSeF's encryption keys: one in force for each use, and one published ahead of its time."""

    def __init__(self, authority: CertificateAuthority, now: datetime) -> None:
        self._authority = authority
        self._generation = 0
        self.keys: list[EncryptionKey] = []
        self._publish(now)

    def rotate(self, now: datetime) -> None:
        """Withdraw all keys and publish new ones, as after a leak."""
        self._generation += 1
        self.keys.clear()
        self._publish(now)

    def find(self, usage: str, key_id: str | None, now: datetime) -> EncryptionKey | None:
        """Return the key in force; None for an unknown, withdrawn or future one."""
        for key in self.keys:
            in_force = key.certificate.not_valid_before_utc <= now
            if usage in key.usage and in_force and key_id in (None, key.id):
                return key
        return None

    def _publish(self, now: datetime) -> None:
        start = now - timedelta(days=1) if self._generation == 0 else now - timedelta(seconds=1)
        for usage in (TOKEN_ENCRYPTION, SYMMETRIC_KEY_ENCRYPTION):
            self._add(f"{usage} {self._generation}", usage, start)
        self._add("future", SYMMETRIC_KEY_ENCRYPTION, now + timedelta(days=1))

    def _add(self, name: str, usage: str, start: datetime) -> None:
        key = rsa_key(name)
        subject = organization("Ministerstwo Finansów", "5260250274")
        seal = self._authority.issue(
            subject, key.public_key(), CertificateType.SEAL, start, start + timedelta(days=730)
        )
        self.keys.append(EncryptionKey(seal, key, (usage,)))
