"""Encryption, KOD II signatures and credentials from files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509 import Name
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.errors import ConfigError
from agent.ksef.credentials import Credentials, authentication_credentials, load_credentials, locate, read_secret
from agent.ksef.crypto import OAEP, OfflineSigner, SessionKey, b64, open_signer, sha256, wrap
from agent.settings.model import KsefSettings, OfflineSettings
from tests.contract import ksef_wire as wire

PATH = "qr.ksef.mf.gov.pl/certificate/Nip/1111111111/1111111111/01F20A5D352AE590/UtQp9Gpc51y-u3xApZjIjgkpZ01js"


@given(st.binary(max_size=200))
def test_ksef_decrypts_what_was_encrypted(data: bytes) -> None:
    key = SessionKey.new()
    decryptor = Cipher(algorithms.AES(key.key), modes.CBC(key.iv)).decryptor()
    unpad = padding.PKCS7(128).unpadder()
    padded = decryptor.update(key.encrypt(data)) + decryptor.finalize()
    assert unpad.update(padded) + unpad.finalize() == data


def test_a_session_key_is_new_each_time_and_never_shown() -> None:
    one, other = SessionKey.new(), SessionKey.new()
    assert (len(one.key), len(one.iv)) == (32, 16)
    assert one != other
    assert "key" not in repr(one)


def test_wrapping_is_oaep_with_sha256() -> None:
    key = wire.rsa_key(0)
    assert key.decrypt(wrap(key.public_key(), b"secret"), OAEP) == b"secret"


def test_hashes_and_base64() -> None:
    assert sha256(b"x") == hashlib.sha256(b"x").digest()
    assert b64(b"\xfb\xff") == "+/8="


class TestOfflineSigner:
    def test_ec_by_the_certificate_alone(self) -> None:
        credentials = wire.credentials("ec")
        signature = OfflineSigner(credentials).sign(PATH.encode())
        assert len(signature) == 64
        der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        public = credentials.certificate.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(der, PATH.encode(), ec.ECDSA(hashes.SHA256()))
        with pytest.raises(InvalidSignature):
            public.verify(der, PATH.encode() + b"/", ec.ECDSA(hashes.SHA256()))

    def test_rsa_pss_with_a_salt_of_32_bytes(self) -> None:
        credentials = wire.credentials("rsa")
        signature = OfflineSigner(credentials).sign(PATH.encode())
        public = credentials.certificate.public_key()
        assert isinstance(public, rsa.RSAPublicKey)
        pss = rsa_padding.PSS(rsa_padding.MGF1(hashes.SHA256()), 32)
        public.verify(signature, PATH.encode(), pss, hashes.SHA256())

    def test_the_serial_number_keeps_its_leading_zero(self) -> None:
        signer = OfflineSigner(wire.credentials())
        assert signer.serial == "01F20A5D352AE590"
        assert signer.expires == wire.credentials().certificate.not_valid_after_utc

    def test_none_is_set(self) -> None:
        assert open_signer(OfflineSettings()) is None


def pem_pair(directory: Path, credentials: Credentials, passphrase: bytes | None = None) -> tuple[Path, Path]:
    encryption: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    certificate, key = directory / "a.crt", directory / "a.key"
    certificate.write_bytes(credentials.certificate.public_bytes(Encoding.PEM))
    key.write_bytes(credentials.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return certificate, key


class TestCredentials:
    @pytest.mark.parametrize("kind", ["ec", "rsa"])
    def test_pem_pair(self, tmp_path: Path, kind: str) -> None:
        certificate, key = pem_pair(tmp_path, wire.credentials(kind))
        loaded = load_credentials(certificate, key)
        assert loaded.certificate == wire.credentials(kind).certificate
        assert loaded.key.public_key() == wire.credentials(kind).key.public_key()
        assert "key" not in repr(loaded)

    def test_encrypted_key(self, tmp_path: Path) -> None:
        certificate, key = pem_pair(tmp_path, wire.credentials(), b"tajne")
        passphrase = tmp_path / "passphrase"
        passphrase.write_text("tajne\n")
        assert load_credentials(certificate, key, passphrase).serial == "01F20A5D352AE590"
        with pytest.raises(ConfigError, match="zaszyfrowany"):
            load_credentials(certificate, key)
        passphrase.write_text("inne")
        with pytest.raises(ConfigError, match="złe hasło"):
            load_credentials(certificate, key, passphrase)

    def test_a_passphrase_for_a_key_without_one_does_no_harm(self, tmp_path: Path) -> None:
        certificate, key = pem_pair(tmp_path, wire.credentials())
        passphrase = tmp_path / "passphrase"
        passphrase.write_text("tajne")
        load_credentials(certificate, key, passphrase)

    def test_pkcs12(self, tmp_path: Path) -> None:
        credentials = wire.credentials()
        store = tmp_path / "a.p12"
        store.write_bytes(
            pkcs12.serialize_key_and_certificates(
                b"kasa", credentials.key, credentials.certificate, None, BestAvailableEncryption(b"tajne")
            )
        )
        passphrase = tmp_path / "passphrase"
        passphrase.write_text("tajne\n")
        settings = KsefSettings(certificate_file=store, passphrase_file=passphrase)
        loaded = authentication_credentials(settings)
        assert loaded is not None
        assert loaded.serial == credentials.serial
        passphrase.write_text("inne")
        with pytest.raises(ConfigError, match="PKCS#12"):
            load_credentials(store, None, passphrase)

    def test_a_key_of_another_certificate(self, tmp_path: Path) -> None:
        certificate, _ = pem_pair(tmp_path, wire.credentials("ec"))
        other = tmp_path / "other"
        other.mkdir()
        _, key = pem_pair(other, wire.credentials("rsa"))
        with pytest.raises(ConfigError, match="nie pasuje"):
            load_credentials(certificate, key)

    def test_a_curve_ksef_does_not_take(self, tmp_path: Path) -> None:
        key = ec.generate_private_key(ec.SECP384R1())
        pair = pem_pair(tmp_path, Credentials(wire.issue(key.public_key(), Name([]), 5), key))
        with pytest.raises(ConfigError, match="P-256"):
            load_credentials(*pair)

    def test_what_is_missing_or_broken_is_named(self, tmp_path: Path) -> None:
        certificate, key = pem_pair(tmp_path, wire.credentials())
        with pytest.raises(ConfigError, match=r"none\.crt"):
            load_credentials(tmp_path / "none.crt", key)
        certificate.write_text("-----BEGIN CERTIFICATE-----")
        with pytest.raises(ConfigError, match="certyfikatu PEM"):
            load_credentials(certificate, key)
        with pytest.raises(ConfigError, match=r"ksef\.certificate_file"):
            authentication_credentials(KsefSettings())

    def test_secrets(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text(" ab c\r\n")
        assert read_secret(secret) == " ab c"
        secret.write_text("\n")
        with pytest.raises(ConfigError, match="pusty"):
            read_secret(secret)

    def test_systemd_credentials_by_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "token").write_text("abc")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        assert read_secret(Path("token")) == "abc"
        assert locate(Path("other")) == Path("other")
        assert locate(Path("/etc/token")) == Path("/etc/token")
