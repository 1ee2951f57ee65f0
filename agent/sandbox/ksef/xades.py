"""Verify an AuthTokenRequest signed with XAdES: structure, digests, signature, signing certificate, signing time.

Written against XMLDSig, XAdES 1.3.2 and schemat_auth_v2-1.xsd alone, and knowing nothing of the agent's signer.
Codes are those of POST /auth/xades-signature.
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from agent.domain.values import dataclass
from agent.sandbox.ksef.wire import ApiProblem

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
NS = {"ds": DS, "xades": XADES}
REQUEST_NAMESPACES = ("http://ksef.mf.gov.pl/auth/token/2.0", "http://ksef.mf.gov.pl/auth/token/2.1")
SIGNED_PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
ENVELOPED = DS + "enveloped-signature"

CHALLENGE = re.compile(r"\d{8}-CR-[A-F0-9]{10}-[A-F0-9]{10}-[A-F0-9]{2}")
NIP = r"[1-9]((\d[1-9])|([1-9]\d))\d{7}"
CONTEXTS = {
    "Nip": re.compile(NIP),
    "InternalId": re.compile(NIP + r"-\d{5}"),
    "NipVatUe": re.compile(NIP + r"-[A-Z]{2}[A-Z0-9+*]{2,12}"),
    "PeppolId": re.compile(r"P[A-Z]{2}[0-9]{6}"),
}
SUBJECT_TYPES = ("certificateSubject", "certificateFingerprint")

DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "http://www.w3.org/2001/04/xmlenc#sha256": lambda data: hashlib.sha256(data).digest(),
    "http://www.w3.org/2001/04/xmldsig-more#sha384": lambda data: hashlib.sha384(data).digest(),
    "http://www.w3.org/2001/04/xmlenc#sha512": lambda data: hashlib.sha512(data).digest(),
}
# (exclusive, with comments); 1.1 differs from 1.0 only for xml:id and xml:base, which the request does not have
CANONICAL = {
    "http://www.w3.org/2001/10/xml-exc-c14n#": (True, False),
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments": (True, True),
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315": (False, False),
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments": (False, True),
    "http://www.w3.org/2006/12/xml-c14n11": (False, False),
}
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
RSA_PSS_SHA256 = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a verified request says. ``proof`` is the SHA-256 of the signed document, for the UPO."""

    challenge: str
    context_type: str
    context_value: str
    subject_type: str
    certificate: x509.Certificate
    proof: bytes


def verify(document: bytes, now: datetime) -> SignedRequest:
    """Return the content of a well-signed request; ApiProblem otherwise. Trust in the certificate is checked later."""
    root = _parse(document)
    signature = _only_signature(root)
    certificate = _signing_certificate(signature)
    _check_references(root, signature)
    _check_value(signature, certificate)
    _check_properties(signature, certificate, now)
    challenge, context_type, context_value, subject_type = _content(root)
    return SignedRequest(
        challenge, context_type, context_value, subject_type, certificate, hashlib.sha256(document).digest()
    )


def _bad_signature(why: str) -> ApiProblem:
    return ApiProblem(400, 9105, "Nieprawidłowy podpis.", why)


def _bad_schema(why: str) -> ApiProblem:
    return ApiProblem(400, 21401, "Dokument nie jest zgodny ze schemą (xsd).", why)


def _parse(document: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        document.decode("utf-8")
        root = etree.fromstring(document, parser)
    except UnicodeDecodeError as error:
        raise ApiProblem(400, 21217, "Nieprawidłowe kodowanie znaków.") from error
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ApiProblem(400, 9101, "Nieprawidłowy dokument.", str(error)) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise ApiProblem(400, 9101, "Nieprawidłowy dokument.", "DTD jest niedozwolone.")
    return root


def _only_signature(root: etree._Element) -> etree._Element:
    found = root.findall(".//ds:Signature", NS)
    if not found:
        raise ApiProblem(400, 9102, "Brak podpisu.")
    if len(found) > 1:
        raise ApiProblem(400, 9103, "Przekroczona liczba dozwolonych podpisów.")
    if found[0].getparent() is not root:
        raise _bad_signature("Wymagany jest podpis otaczany (enveloped).")
    return found[0]


def _text(element: etree._Element, path: str) -> str:
    text = element.findtext(path, None, NS)
    if not text or not text.strip():
        raise _bad_signature(f"Brak elementu {path}.")
    return text.strip()


def _bytes(element: etree._Element, path: str) -> bytes:
    try:
        return base64.b64decode("".join(_text(element, path).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad_signature(f"{path}: nieprawidłowe Base64.") from error


def _algorithm(element: etree._Element, path: str) -> str:
    found = element.find(path, NS)
    if found is None:
        raise _bad_signature(f"Brak elementu {path}.")
    return found.get("Algorithm", "")


def _signing_certificate(signature: etree._Element) -> x509.Certificate:
    der = _bytes(signature, "ds:KeyInfo/ds:X509Data/ds:X509Certificate")
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise ApiProblem(400, 21115, "Nieprawidłowy certyfikat.", str(error)) from error


def _canonical(element: etree._Element, algorithm: str, prefixes: str = "") -> bytes:
    if algorithm not in CANONICAL:
        raise _bad_signature(f"Nieobsługiwana kanonizacja {algorithm}.")
    exclusive, comments = CANONICAL[algorithm]
    if not exclusive and element.getparent() is not None:
        # inclusive C14N of a subtree needs the namespaces of its ancestors; plain serialisation brings them along
        element = etree.fromstring(etree.tostring(element, with_tail=False))
    names = prefixes.split() or None
    return etree.tostring(
        element,
        method="c14n",
        exclusive=exclusive,
        with_comments=comments,
        inclusive_ns_prefixes=names if exclusive else None,
        with_tail=False,
    )


def _without_signature(root: etree._Element) -> etree._Element:
    """Enveloped-signature transform: the document without its signature, the text after it kept."""
    clone = copy.deepcopy(root)
    signature = clone.find("ds:Signature", NS)
    if signature is None:
        raise _bad_signature("Brak podpisu w dokumencie.")
    tail = signature.tail or ""
    previous = signature.getprevious()
    clone.remove(signature)
    if previous is None:
        clone.text = (clone.text or "") + tail
    else:
        previous.tail = (previous.tail or "") + tail
    return clone


def _target(root: etree._Element, uri: str) -> etree._Element:
    found = [element for element in root.iter() if element.get("Id") == uri.removeprefix("#")]
    if not uri.startswith("#") or len(found) != 1:
        raise _bad_signature(f"Odwołanie {uri} nie wskazuje dokładnie jednego elementu.")
    return found[0]


def _check_references(root: etree._Element, signature: etree._Element) -> None:
    document_signed = properties_signed = False
    for reference in signature.findall("ds:SignedInfo/ds:Reference", NS):
        uri = reference.get("URI")
        if uri is None:
            raise _bad_signature("Odwołanie bez URI.")
        transforms = reference.findall("ds:Transforms/ds:Transform", NS)
        algorithms = [transform.get("Algorithm", "") for transform in transforms]
        if uri == "":
            if ENVELOPED not in algorithms:
                raise _bad_signature("Brak transformacji enveloped-signature.")
            element = _without_signature(root)
            document_signed = True
        else:
            element = _target(root, uri)
            if reference.get("Type") == SIGNED_PROPERTIES:
                properties_signed = element.tag == f"{{{XADES}}}SignedProperties"
        rest = [index for index, algorithm in enumerate(algorithms) if algorithm != ENVELOPED]
        if len(rest) > 1:
            raise _bad_signature("Nieobsługiwane transformacje.")
        canonical, prefixes = INCLUSIVE, ""
        if rest:
            canonical = algorithms[rest[0]]
            listed = transforms[rest[0]].find("{http://www.w3.org/2001/10/xml-exc-c14n#}InclusiveNamespaces")
            prefixes = "" if listed is None else listed.get("PrefixList", "")
        digest = DIGESTS.get(_algorithm(reference, "ds:DigestMethod"))
        if digest is None:
            raise _bad_signature("Nieobsługiwana funkcja skrótu.")
        if digest(_canonical(element, canonical, prefixes)) != _bytes(reference, "ds:DigestValue"):
            raise _bad_signature(f"Skrót odwołania '{uri}' nie zgadza się z treścią.")
    if not document_signed or not properties_signed:
        raise _bad_signature("Podpis nie obejmuje dokumentu i właściwości podpisu.")


def _check_value(signature: etree._Element, certificate: x509.Certificate) -> None:
    info = signature.find("ds:SignedInfo", NS)
    if info is None:
        raise _bad_signature("Brak elementu ds:SignedInfo.")
    data = _canonical(info, _algorithm(info, "ds:CanonicalizationMethod"))
    value = _bytes(signature, "ds:SignatureValue")
    algorithm = _algorithm(info, "ds:SignatureMethod")
    key = certificate.public_key()
    try:
        if algorithm == RSA_SHA256 and isinstance(key, rsa.RSAPublicKey):
            key.verify(value, data, padding.PKCS1v15(), hashes.SHA256())
        elif algorithm == RSA_PSS_SHA256 and isinstance(key, rsa.RSAPublicKey):
            key.verify(value, data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        elif algorithm == ECDSA_SHA256 and isinstance(key, ec.EllipticCurvePublicKey):
            half = (key.key_size + 7) // 8
            if len(value) != 2 * half:
                raise _bad_signature("Podpis ECDSA nie ma postaci r || s.")
            pair = int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big")
            key.verify(encode_dss_signature(*pair), data, ec.ECDSA(hashes.SHA256()))
        else:
            raise _bad_signature(f"Nieobsługiwany algorytm podpisu {algorithm}.")
    except InvalidSignature as error:
        raise _bad_signature("Wartość podpisu nie zgadza się z certyfikatem.") from error


def _check_properties(signature: etree._Element, certificate: x509.Certificate, now: datetime) -> None:
    path = "ds:Object/xades:QualifyingProperties/xades:SignedProperties/xades:SignedSignatureProperties"
    properties = signature.find(path, NS)
    if properties is None:
        raise _bad_signature("Brak właściwości podpisu XAdES.")
    try:
        signed_at = datetime.fromisoformat(_text(properties, "xades:SigningTime"))
    except ValueError as error:
        raise _bad_signature("Nieprawidłowy SigningTime.") from error
    if signed_at.tzinfo is None:
        signed_at = signed_at.replace(tzinfo=UTC)
    if signed_at > now:
        raise _bad_signature("SigningTime jest w przyszłości.")
    for name in ("SigningCertificate", "SigningCertificateV2"):
        digest_path = f"xades:{name}/xades:Cert/xades:CertDigest"
        if properties.find(digest_path, NS) is None:
            continue
        digest = DIGESTS.get(_algorithm(properties, f"{digest_path}/ds:DigestMethod"))
        expected = _bytes(properties, f"{digest_path}/ds:DigestValue")
        der = certificate.public_bytes(serialization.Encoding.DER)
        if digest is None or digest(der) != expected:
            raise _bad_signature("Skrót certyfikatu w SigningCertificate jest inny.")
        return
    raise _bad_signature("Brak SigningCertificate.")


def _content(root: etree._Element) -> tuple[str, str, str, str]:
    """Check the request against schemat_auth_v2-1.xsd (v2.0 alike) and return its fields."""
    name = etree.QName(root)
    if name.localname != "AuthTokenRequest" or name.namespace not in REQUEST_NAMESPACES:
        raise _bad_schema(f"Nieznany element {root.tag}.")
    children = [child for child in root.iterchildren("*") if child.tag != f"{{{DS}}}Signature"]
    names = [etree.QName(child).localname for child in children]
    wanted = ["Challenge", "ContextIdentifier", "SubjectIdentifierType"]
    if names not in (wanted, [*wanted, "AuthorizationPolicy"]):
        raise _bad_schema(f"Nieprawidłowa kolejność elementów: {', '.join(names)}.")
    challenge = (children[0].text or "").strip()
    if not CHALLENGE.fullmatch(challenge):
        raise _bad_schema("Nieprawidłowy Challenge.")
    contexts = list(children[1].iterchildren("*"))
    if len(contexts) != 1:
        raise _bad_schema("ContextIdentifier musi zawierać dokładnie jeden identyfikator.")
    context_type = etree.QName(contexts[0]).localname
    context_value = contexts[0].text or ""
    pattern = CONTEXTS.get(context_type)
    if pattern is None or not pattern.fullmatch(context_value):
        raise _bad_schema(f"Nieprawidłowy identyfikator kontekstu {context_type}.")
    subject_type = (children[2].text or "").strip()
    if subject_type not in SUBJECT_TYPES:
        raise _bad_schema("Nieprawidłowy SubjectIdentifierType.")
    return challenge, context_type, context_value, subject_type
