"""Encryption and signatures KSeF asks for (ksef-docs: sesja-interaktywna, kody-qr).

AES-256-CBC with PKCS#7, the IV beside the data and not in front of it; the key wrapped by RSA-OAEP with SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from agent.domain.values import dataclass
from agent.ksef.certificate_checks import owner_nip
from agent.ksef.credentials import Credentials, PrivateKey, offline_credentials
from agent.settings.model import OfflineSettings

OAEP = rsa_padding.OAEP(mgf=rsa_padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
KOD2_PSS = rsa_padding.PSS(mgf=rsa_padding.MGF1(hashes.SHA256()), salt_length=32)
P256_BYTES = 32


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 of ``data``."""
    return hashlib.sha256(data).digest()


def b64(data: bytes) -> str:
    """Return standard Base64 with padding, as the API's JSON has it."""
    return base64.b64encode(data).decode("ascii")


@dataclass(frozen=True, slots=True)
class SessionKey:
    """AES key and IV of one session. Every file of the session is encrypted with both."""

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)

    @classmethod
    def new(cls) -> SessionKey:
        """Draw a key and an IV."""
        return cls(secrets.token_bytes(32), secrets.token_bytes(16))

    def encrypt(self, data: bytes) -> bytes:
        """Return the AES-256-CBC ciphertext of ``data``, PKCS#7 padded."""
        pad = padding.PKCS7(128).padder()
        cipher = Cipher(algorithms.AES(self.key), modes.CBC(self.iv)).encryptor()
        return cipher.update(pad.update(data) + pad.finalize()) + cipher.finalize()


def wrap(public_key: rsa.RSAPublicKey, secret: bytes) -> bytes:
    """Encrypt a session key, or a KSeF token with its time, for KSeF alone."""
    return public_key.encrypt(secret, OAEP)


def sign_p1363(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """Return the ECDSA-SHA256 signature as r||s, 32 bytes each (IEEE P1363)."""
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(P256_BYTES, "big") + s.to_bytes(P256_BYTES, "big")


class OfflineSigner:
    """agent.ports.Signer over an Offline certificate: KOD II. The key stays loaded (an RSA key costs 50 ms to load)."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._key: PrivateKey = credentials.key

    @property
    def serial(self) -> str:
        """Return the certificate's serial number as KSeF writes it."""
        return self._credentials.serial

    @property
    def expires(self) -> datetime:
        """Return the end of validity, UTC."""
        return self._credentials.expires

    @property
    def valid_from(self) -> datetime:
        """Return the beginning of validity, UTC."""
        return self._credentials.certificate.not_valid_before_utc

    @property
    def owner_nip(self) -> str | None:
        """Return whose certificate it is, None where it names no NIP."""
        return owner_nip(self._credentials.certificate)

    @property
    def certificate(self) -> x509.Certificate:
        """Return the certificate in use now."""
        return self._credentials.certificate

    def adopt(self, credentials: Credentials) -> None:
        """Sign with a renewed certificate from now on. Papers already printed keep the old one's signature."""
        self._credentials = credentials
        self._key = credentials.key

    def sign(self, text: bytes) -> bytes:
        """Sign KOD II's path: ECDSA P-256 in P1363 form, or RSA-PSS (SHA-256, MGF1, 32-byte salt)."""
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return sign_p1363(self._key, text)
        return self._key.sign(text, KOD2_PSS, hashes.SHA256())


class HeldSigner:
    """The signer in use: none until there is an Offline certificate, which a hub may hand out while the till runs."""

    def __init__(self, current: OfflineSigner | None) -> None:
        self.current = current

    def adopt(self, credentials: Credentials) -> None:
        """Sign with this certificate from now on."""
        if self.current is None:
            self.current = OfflineSigner(credentials)
        else:
            self.current.adopt(credentials)


def open_signer(settings: OfflineSettings) -> OfflineSigner | None:
    """Return the signer of KOD II, None where no Offline certificate is set. ConfigError names a wrong file."""
    credentials = offline_credentials(settings)
    return None if credentials is None else OfflineSigner(credentials)
