"""AuthTokenRequest and its XAdES-BES signature, in the shape of the Ministry's own C# client.

Enveloped, exclusive C14N, SHA-256, RSA-SHA256 or ECDSA-SHA256 (r||s), SigningCertificate of XAdES 1.3.2.
SigningTime lies one minute back: a till's clock that runs ahead must not sign in the future.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from agent.ksef.credentials import Credentials
from agent.ksef.crypto import b64, sha256, sign_p1363

AUTH = "http://ksef.mf.gov.pl/auth/token/2.1"
DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
BACK = timedelta(minutes=1)


def auth_token_request(challenge: str, context: tuple[str, str]) -> etree._Element:
    """Return the AuthTokenRequest (schemat_auth_v2-1.xsd) for a context such as ("Nip", "5265877635")."""
    kind, value = context
    root = etree.Element(_name(AUTH, "AuthTokenRequest"), nsmap=cast("dict[str, str]", {None: AUTH}))
    _text(root, AUTH, "Challenge", challenge)
    _text(etree.SubElement(root, _name(AUTH, "ContextIdentifier")), AUTH, kind, value)
    _text(root, AUTH, "SubjectIdentifierType", "certificateSubject")
    return root


def sign(root: etree._Element, credentials: Credentials, now: datetime) -> bytes:
    """Append the signature to ``root``; return the document, UTF-8."""
    document_digest = sha256(_canonical(root))
    signature = etree.SubElement(root, _name(DS, "Signature"), nsmap={"ds": DS}, Id="Signature")
    signed_info = etree.SubElement(signature, _name(DS, "SignedInfo"))
    signature_value = etree.SubElement(signature, _name(DS, "SignatureValue"))
    key_info = etree.SubElement(signature, _name(DS, "KeyInfo"))
    x509_data = etree.SubElement(key_info, _name(DS, "X509Data"))
    _text(x509_data, DS, "X509Certificate", b64(credentials.certificate.public_bytes(Encoding.DER)))
    properties = _signed_properties(signature, credentials, now - BACK)

    elliptic = isinstance(credentials.key, ec.EllipticCurvePrivateKey)
    _algorithm(signed_info, "CanonicalizationMethod", EXCLUSIVE_C14N)
    _algorithm(signed_info, "SignatureMethod", ECDSA_SHA256 if elliptic else RSA_SHA256)
    _reference(signed_info, "", (ENVELOPED, EXCLUSIVE_C14N), document_digest)
    by_reference = _reference(signed_info, "#SignedProperties", (EXCLUSIVE_C14N,), sha256(_canonical(properties)))
    by_reference.set("Type", SIGNED_PROPERTIES)

    signature_value.text = b64(_sign(credentials, _canonical(signed_info)))
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def _signed_properties(signature: etree._Element, credentials: Credentials, at: datetime) -> etree._Element:
    holder = etree.SubElement(signature, _name(DS, "Object"))
    qualifying = etree.SubElement(
        holder, _name(XADES, "QualifyingProperties"), nsmap={"xades": XADES}, Target="#Signature"
    )
    properties = etree.SubElement(qualifying, _name(XADES, "SignedProperties"), Id="SignedProperties")
    about = etree.SubElement(properties, _name(XADES, "SignedSignatureProperties"))
    _text(about, XADES, "SigningTime", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    certificate = etree.SubElement(etree.SubElement(about, _name(XADES, "SigningCertificate")), _name(XADES, "Cert"))
    digest = etree.SubElement(certificate, _name(XADES, "CertDigest"))
    _algorithm(digest, "DigestMethod", SHA256)
    _text(digest, DS, "DigestValue", b64(credentials.certificate.fingerprint(hashes.SHA256())))
    issuer = etree.SubElement(certificate, _name(XADES, "IssuerSerial"))
    _text(issuer, DS, "X509IssuerName", credentials.certificate.issuer.rfc4514_string())
    _text(issuer, DS, "X509SerialNumber", str(credentials.certificate.serial_number))
    return properties


def _reference(parent: etree._Element, uri: str, transforms: tuple[str, ...], digest: bytes) -> etree._Element:
    reference = etree.SubElement(parent, _name(DS, "Reference"), URI=uri)
    holder = etree.SubElement(reference, _name(DS, "Transforms"))
    for transform in transforms:
        _algorithm(holder, "Transform", transform)
    _algorithm(reference, "DigestMethod", SHA256)
    _text(reference, DS, "DigestValue", b64(digest))
    return reference


def _sign(credentials: Credentials, data: bytes) -> bytes:
    if isinstance(credentials.key, ec.EllipticCurvePrivateKey):
        return sign_p1363(credentials.key, data)
    return credentials.key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def _canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def _algorithm(parent: etree._Element, name: str, algorithm: str) -> None:
    etree.SubElement(parent, _name(DS, name), Algorithm=algorithm)


def _text(parent: etree._Element, namespace: str, name: str, text: str) -> None:
    etree.SubElement(parent, _name(namespace, name)).text = text


def _name(namespace: str, name: str) -> str:
    return f"{{{namespace}}}{name}"
