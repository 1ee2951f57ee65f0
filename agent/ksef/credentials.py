"""Certificates and private keys from files: PEM pairs, PKCS#12, systemd credentials. Each is read once.

A bare file name is looked up in systemd's credentials directory first (``LoadCredential=`` of the unit).
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from agent.domain.errors import ConfigError, Refused
from agent.domain.values import dataclass
from agent.ksef.certificate_checks import SECTIONS, Use, faults
from agent.ksef.certificate_files import CertificateFiles, finish_switch, held
from agent.settings.model import KsefSettings, OfflineSettings
from agent.system.os_errors import polish_reason

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Credentials:
    """A certificate and its private key, known to belong together."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    @property
    def serial(self) -> str:
        """Return the serial number as KSeF writes it: 16 hexadecimal digits, upper case."""
        return certificate_serial(self.certificate)

    @property
    def expires(self) -> datetime:
        """Return the end of validity, UTC."""
        return self.certificate.not_valid_after_utc


def certificate_serial(certificate: x509.Certificate) -> str:
    """Return the serial number as KSeF writes it; the leading zeros belong to it."""
    return f"{certificate.serial_number:016X}"


def load_credentials(
    certificate_file: Path, key_file: Path | None = None, passphrase_file: Path | None = None
) -> Credentials:
    """Load a PEM pair, or a PKCS#12 file where ``key_file`` is None. ConfigError says what is wrong with which file.

    Of a PEM file with a chain the certificate of the key is taken, wherever it stands.
    """
    passphrase = read_secret(passphrase_file).encode() if passphrase_file is not None else None
    if key_file is None:
        certificate, key = _pkcs12(certificate_file, passphrase)
    else:
        key = _private_key(key_file, passphrase)
        certificate = _of_key(load_certificates(certificate_file), key)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ConfigError((f"Klucz certyfikatu {certificate_file} nie jest kluczem EC ani RSA.",))
    if isinstance(key, ec.EllipticCurvePrivateKey) and not isinstance(key.curve, ec.SECP256R1):
        raise ConfigError((f"Klucz EC certyfikatu {certificate_file} leży na krzywej {key.curve.name}, nie na P-256.",))
    if _spki(key.public_key()) != _spki(_public_key(certificate)):
        raise ConfigError((f"Klucz prywatny nie pasuje do certyfikatu {certificate_file}.",))
    return Credentials(certificate, key)


def authentication_credentials(settings: KsefSettings) -> Credentials | None:
    """Return the certificate the agent authenticates with, None where it uses a token."""
    if settings.auth != "certificate":
        return None
    if settings.certificate_file is None:
        raise ConfigError(("Brak ustawienia ksef.certificate_file.",))
    return _of_settings(settings.certificate_file, settings, Use.AUTHENTICATION)


def offline_credentials(settings: OfflineSettings) -> Credentials | None:
    """Return the Offline certificate, None where none is set."""
    if settings.certificate_file is None:
        return None
    return _of_settings(settings.certificate_file, settings, Use.OFFLINE)


def _of_settings(certificate_file: Path, settings: KsefSettings | OfflineSettings, use: Use) -> Credentials:
    if settings.key_file is None:
        return _judged(load_credentials(certificate_file, None, settings.passphrase_file), certificate_file, use)
    return load_pair(CertificateFiles(certificate_file, settings.key_file, settings.passphrase_file), use)


def load_pair(place: CertificateFiles, use: Use) -> Credentials:
    """Load a PEM pair, a switch that a crash interrupted completed. ConfigError also where it can never serve ``use``.

    Where another till that shares the files is about to switch, or only it may, the new certificate already counts once
    its key is in place. Between two of its steps nothing fits for a moment: then once more.
    """
    if place.next_certificate.exists():
        with suppress(Refused), held(place) as mine:
            if mine:
                finish_switch(place)
    for certificate_file in (place.certificate_file, place.next_certificate):
        with suppress(ConfigError):
            found = load_credentials(certificate_file, place.key_file, place.passphrase_file)
            return _judged(found, place.certificate_file, use)
    found = load_credentials(place.certificate_file, place.key_file, place.passphrase_file)
    return _judged(found, place.certificate_file, use)


def _judged(found: Credentials, certificate_file: Path, use: Use) -> Credentials:
    if problems := faults(found.certificate, use):
        where = f"[{SECTIONS[use]}] certificate_file, plik {certificate_file}"
        raise ConfigError(tuple(f"{where}: {problem}." for problem in problems))
    return found


def load_certificates(path: Path) -> list[x509.Certificate]:
    """Load the certificates of a PEM file; at least one."""
    data = _read(path)
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise ConfigError((f"Plik {path} nie zawiera certyfikatu PEM.",)) from error


def _of_key(certificates: list[x509.Certificate], key: object) -> x509.Certificate:
    """Return the certificate of this private key; the first where none is, which load_credentials then refuses."""
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        wanted = _spki(key.public_key())
        for certificate in certificates:
            if _spki(_public_key(certificate)) == wanted:
                return certificate
    return certificates[0]


def read_secret(path: Path) -> str:
    """Return the text of a secret file without the line end."""
    try:
        text = _read(path).decode("utf-8").strip("\r\n")
    except UnicodeDecodeError as error:
        raise ConfigError((f"Plik {path} nie jest tekstem UTF-8.",)) from error
    if not text:
        raise ConfigError((f"Plik {path} jest pusty.",))
    return text


def locate(path: Path) -> Path:
    """Return where a file is: a bare name in systemd's credentials directory where it is there."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if directory and path.parent == Path():
        candidate = Path(directory) / path
        if candidate.exists():
            return candidate
    return path


def _read(path: Path) -> bytes:
    try:
        return locate(path).read_bytes()
    except OSError as error:
        raise ConfigError((f"Nie można odczytać pliku {path}: {polish_reason(error)}.",)) from error


def _pkcs12(path: Path, passphrase: bytes | None) -> tuple[x509.Certificate, object]:
    try:
        key, certificate, _ = pkcs12.load_key_and_certificates(_read(path), passphrase)
    except ValueError as error:
        raise ConfigError((f"Plik PKCS#12 {path}: złe hasło albo uszkodzony plik.",)) from error
    if key is None or certificate is None:
        raise ConfigError((f"Plik PKCS#12 {path} nie zawiera certyfikatu z kluczem.",))
    return certificate, key


def _private_key(path: Path, passphrase: bytes | None) -> object:
    data = _read(path)
    if passphrase is not None and b"ENCRYPTED" not in data:
        passphrase = None
    try:
        return serialization.load_pem_private_key(data, passphrase)
    except TypeError as error:
        raise ConfigError((f"Klucz {path} jest zaszyfrowany, a ustawienia nie wskazują pliku z hasłem.",)) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError((f"Klucz {path}: złe hasło albo uszkodzony plik PEM.",)) from error


def _public_key(certificate: x509.Certificate) -> object:
    """Return the certificate's key, None where it is of a kind this library does not know."""
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def _spki(key: object) -> bytes | None:
    if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return None
