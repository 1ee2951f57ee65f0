"""The XAdES signature, verified by an independent implementation; the request, by the Ministry's schema."""

from __future__ import annotations

from datetime import timedelta

import pytest
from lxml import etree
from signxml import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidSignature
from signxml.xades import XAdESSignatureConfiguration, XAdESVerifier

from agent.ksef.xades import AUTH, DS, XADES, auth_token_request, sign
from tests.contract import ksef_wire as wire
from tests.reference import AUTH_SCHEMA

CONTEXTS = [("Nip", wire.NIP), ("InternalId", f"{wire.NIP}-12345")]
EXPECT = XAdESSignatureConfiguration(
    require_x509=True,
    expect_references=2,
    verification_time=wire.START,
    signature_methods=frozenset({SignatureMethod.RSA_SHA256, SignatureMethod.ECDSA_SHA256}),
    digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
)


def verify(document: bytes, kind: str) -> None:
    XAdESVerifier().verify(document, x509_cert=wire.credentials(kind).certificate, expect_config=EXPECT)


@pytest.mark.parametrize("kind", ["ec", "rsa"])
class TestSignature:
    def test_it_verifies(self, kind: str) -> None:
        verify(sign(auth_token_request(wire.CHALLENGE, CONTEXTS[0]), wire.credentials(kind), wire.START), kind)

    @pytest.mark.parametrize(
        "tampered",
        [(wire.CHALLENGE.encode(), wire.CHALLENGE.replace("10", "11").encode()), (b"08:59:00Z", b"08:58:00Z")],
    )
    def test_neither_request_nor_signing_time_can_be_changed(self, kind: str, tampered: tuple[bytes, bytes]) -> None:
        document = sign(auth_token_request(wire.CHALLENGE, CONTEXTS[0]), wire.credentials(kind), wire.START)
        assert tampered[0] in document
        with pytest.raises(InvalidSignature):
            verify(document.replace(*tampered), kind)

    def test_shape(self, kind: str) -> None:
        document = sign(auth_token_request(wire.CHALLENGE, CONTEXTS[0]), wire.credentials(kind), wire.START)
        assert document.startswith(b"<?xml version='1.0' encoding='utf-8'?>")
        root = etree.fromstring(document)
        names = {"ds": DS, "xades": XADES}
        time = root.findtext(".//xades:SigningTime", namespaces=names)
        assert time == (wire.START - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        issuer = root.findtext(".//ds:X509IssuerName", namespaces=names)
        assert issuer == r"C=PL,CN=Test CA\, Urząd"
        serial = root.findtext(".//ds:X509SerialNumber", namespaces=names)
        assert serial == str(wire.credentials(kind).certificate.serial_number)
        assert [child.tag for child in root.iterfind("ds:Signature/*", names)] == [
            f"{{{DS}}}{name}" for name in ("SignedInfo", "SignatureValue", "KeyInfo", "Object")
        ]


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_request(context: tuple[str, str]) -> None:
    root = auth_token_request(wire.CHALLENGE, context)
    assert [child.tag for child in root] == [
        f"{{{AUTH}}}{name}" for name in ("Challenge", "ContextIdentifier", "SubjectIdentifierType")
    ]
    assert root.findtext(f"{{{AUTH}}}ContextIdentifier/{{{AUTH}}}{context[0]}") == context[1]


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_request_is_valid(context: tuple[str, str]) -> None:
    schema = etree.XMLSchema(etree.parse(AUTH_SCHEMA))
    schema.assertValid(etree.ElementTree(auth_token_request(wire.CHALLENGE, context)))
