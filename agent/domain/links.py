"""Verification links: KOD I (the invoice) and KOD II (who issued it). MF: kody-qr.md.

KOD I   {base}/invoice/{seller NIP}/{P_1 as DD-MM-YYYY}/{SHA-256 of the file, Base64URL}
KOD II  {base}/certificate/{context type}/{context value}/{seller NIP}/{certificate serial}/{hash}/{signature}

Signed for KOD II is the link without ``https://`` and without its last part. All inputs are checked: a wrong one still
makes a well-formed link, which fails only when a customer scans the paper.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from datetime import date

from agent.domain.identifiers import has_nip_form

_SCHEME = "https://"
_BASE = re.compile(r"https://[a-z0-9.-]+(?::[0-9]{1,5})?")
_SERIAL = re.compile(r"[0-9A-F]{16,40}")
_CONTEXTS: dict[str, re.Pattern[str]] = {
    "Nip": re.compile(r"[1-9][0-9]{9}"),
    "InternalId": re.compile(r"[1-9][0-9]{9}-[0-9]{5}"),
    "NipVatUe": re.compile(r"[1-9][0-9]{9}-[A-Z]{2}[0-9A-Z+*]{1,12}"),
    "PeppolId": re.compile(r"P[A-Z]{2}[0-9]{6}"),
}
_SIGNED_TEXT = re.compile(
    rb"[a-z0-9.-]+(?::[0-9]{1,5})?/certificate/[A-Za-z]+/[0-9A-Z+*-]+/[0-9]{10}/[0-9A-F]{16,40}/[0-9A-Za-z_-]{43}"
)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _hash(sha256: bytes) -> str:
    if len(sha256) != 32:
        raise ValueError(f"a SHA-256 has 32 bytes, not {len(sha256)}")
    return _base64url(sha256)


def is_base(base_url: str) -> bool:
    """Tell whether links can begin so: https, the host in lower case, no path and no final slash."""
    return _BASE.fullmatch(base_url) is not None


def _base(base_url: str) -> str:
    if not is_base(base_url):
        raise ValueError(f"not an https address without path and final slash: {base_url}")
    return base_url


def _nip(nip: str) -> str:
    if not has_nip_form(nip):
        raise ValueError(f"not a NIP of ten digits: {nip}")
    return nip


def invoice_link(base_url: str, nip: str, issued_on: date, sha256: bytes) -> str:
    """Return KOD I. ``nip`` is the seller's, ``issued_on`` P_1, ``sha256`` that of the exact file (32 bytes)."""
    return f"{_base(base_url)}/invoice/{_nip(nip)}/{issued_on:%d-%m-%Y}/{_hash(sha256)}"


def codes_name_document(codes: Iterable[str | None], sha256: bytes) -> bool:
    """Whether the codes that a document has (None: it has not that one) are all about it."""
    written = _hash(sha256)
    return all(written in code.split("/") for code in codes if code is not None)


def certificate_path(  # noqa: PLR0917 - the order of the link itself
    base_url: str, context_type: str, context_value: str, seller_nip: str, serial: str, sha256: bytes
) -> bytes:
    """Return the bytes to sign for KOD II.

    context_type   Nip, InternalId, NipVatUe or PeppolId: the context the certificate's owner works in
    serial         of the Offline certificate, hexadecimal, upper case, with leading zeros, as KSeF writes it
    """
    form = _CONTEXTS.get(context_type)
    if form is None:
        raise ValueError(f"unknown context type: {context_type}")
    if form.fullmatch(context_value) is None:
        raise ValueError(f"not a context of type {context_type}: {context_value}")
    if _SERIAL.fullmatch(serial) is None:
        raise ValueError(f"not a serial as KSeF writes it (upper case, leading zeros): {serial}")
    link = f"{_base(base_url)}/certificate/{context_type}/{context_value}/{_nip(seller_nip)}/{serial}/{_hash(sha256)}"
    return link.removeprefix(_SCHEME).encode("ascii")


def certificate_link(signed_text: bytes, signature: bytes) -> str:
    """Return KOD II for the output of certificate_path() and its signature (P1363 or RSA-PSS bytes)."""
    if _SIGNED_TEXT.fullmatch(signed_text) is None:
        raise ValueError("not the text that certificate_path() returned")
    if len(signature) < 64:
        raise ValueError(f"a signature has 64 bytes or more, not {len(signature)}")
    return f"{_SCHEME}{signed_text.decode('ascii')}/{_base64url(signature)}"
