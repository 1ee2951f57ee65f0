from __future__ import annotations

import base64
import hashlib
from datetime import date
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from ksef_client.config import KsefClientOptions
from ksef_client.services.verification_link import VerificationLinkService

from agent.domain.links import certificate_link, certificate_path, invoice_link

TEST = "https://qr-test.ksef.mf.gov.pl"
PRODUCTION = "https://qr.ksef.mf.gov.pl"
MF_HASH = base64.urlsafe_b64decode("UtQp9Gpc51y-u3xApZjIjgkpZ01js-J8KflSPW8WzIE=")
"""The example of the Ministry's description of the codes."""

DIGEST = hashlib.sha256(b"faktura").digest()
SERIAL = "01F20A5D352AE590"


def test_the_ministrys_example_of_the_invoice_link() -> None:
    link = invoice_link(TEST, "1111111111", date(2026, 2, 1), MF_HASH)
    assert link == f"{TEST}/invoice/1111111111/01-02-2026/UtQp9Gpc51y-u3xApZjIjgkpZ01js-J8KflSPW8WzIE"
    assert (len(link), len(invoice_link(PRODUCTION, "1111111111", date(2026, 2, 1), MF_HASH))) == (104, 99)


def test_the_ministrys_example_of_the_signed_text() -> None:
    text = certificate_path(TEST, "Nip", "1111111111", "1111111111", SERIAL, MF_HASH)
    assert text == (
        b"qr-test.ksef.mf.gov.pl/certificate/Nip/1111111111/1111111111/01F20A5D352AE590/"
        b"UtQp9Gpc51y-u3xApZjIjgkpZ01js-J8KflSPW8WzIE"
    )


def test_a_certificate_link_of_p256_verifies() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    text = certificate_path(PRODUCTION, "Nip", "5261040828", "5261040828", SERIAL, DIGEST)
    r, s = decode_dss_signature(key.sign(text, ec.ECDSA(hashes.SHA256())))
    link = certificate_link(text, r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    assert len(link) == 211
    scanned, _, signature = link.removeprefix("https://").rpartition("/")
    raw = base64.urlsafe_b64decode(signature + "==")
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.public_key().verify(der, scanned.encode(), ec.ECDSA(hashes.SHA256()))


def test_the_sdk_makes_the_same_invoice_link() -> None:
    sdk = VerificationLinkService(KsefClientOptions(base_url="https://api.ksef.mf.gov.pl", base_qr_url=PRODUCTION))
    encoded = base64.b64encode(DIGEST).decode()
    theirs = sdk.build_invoice_verification_url("5261040828", date(2026, 11, 24), encoded)
    assert invoice_link(PRODUCTION, "5261040828", date(2026, 11, 24), DIGEST) == theirs


@pytest.mark.parametrize(
    ("kind", "value"),
    [("InternalId", "5261040828-00001"), ("NipVatUe", "5261040828-DE123456789"), ("PeppolId", "PPL123456")],
)
def test_other_contexts(kind: str, value: str) -> None:
    text = certificate_path(PRODUCTION, kind, value, "5261040828", SERIAL, DIGEST)
    assert urlsplit(certificate_link(text, bytes(64))).path.startswith(f"/certificate/{kind}/{value}/5261040828/")


@pytest.mark.parametrize(
    "base", ["http://qr.ksef.mf.gov.pl", "https://qr.ksef.mf.gov.pl/", "https://QR.pl", "qr.ksef.mf.gov.pl", ""]
)
def test_wrong_bases(base: str) -> None:
    with pytest.raises(ValueError, match="https"):
        invoice_link(base, "5261040828", date(2026, 11, 24), DIGEST)


def test_wrong_parts_of_the_invoice_link() -> None:
    with pytest.raises(ValueError, match="NIP"):
        invoice_link(TEST, "111-111-11-11", date(2026, 11, 24), DIGEST)
    with pytest.raises(ValueError, match="32 bytes"):
        invoice_link(TEST, "5261040828", date(2026, 11, 24), b"short")


@pytest.mark.parametrize("serial", ["1f20a5d352ae590", "1F20A5D352AE590", "01f20a5d352ae590", "", "0x01F20A5D352AE590"])
def test_serials_that_ksef_would_not_know(serial: str) -> None:
    with pytest.raises(ValueError, match="serial"):
        certificate_path(TEST, "Nip", "5261040828", "5261040828", serial, DIGEST)


@pytest.mark.parametrize(("kind", "value"), [("Nip", "526"), ("nip", "5261040828"), ("InternalId", "5261040828/1")])
def test_wrong_contexts(kind: str, value: str) -> None:
    with pytest.raises(ValueError, match="context"):
        certificate_path(TEST, kind, value, "5261040828", SERIAL, DIGEST)


def test_wrong_parts_of_the_certificate_link() -> None:
    text = certificate_path(TEST, "Nip", "5261040828", "5261040828", SERIAL, DIGEST)
    with pytest.raises(ValueError, match="signature"):
        certificate_link(text, b"x" * 63)
    with pytest.raises(ValueError, match="certificate_path"):
        certificate_link(b"https://" + text, b"x" * 64)
