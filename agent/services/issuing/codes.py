"""The links of an invoice: KOD I to the document in KSeF, KOD II signed with the Offline certificate."""

from __future__ import annotations

from datetime import date

from agent.domain import links
from agent.ports import HeldSigner
from agent.settings.model import KsefSettings


class InvoiceCodes:
    """Makes both. They follow from the bytes alone, so they are right whatever KSeF answers, and when."""

    def __init__(self, ksef: KsefSettings, seller_nip: str, signer: HeldSigner) -> None:
        self._qr_url = ksef.qr_url
        self._seller_nip = seller_nip
        self._signer = signer
        self._context = (
            ("InternalId", ksef.context_internal_id)
            if ksef.context_internal_id
            else ("Nip", ksef.context_nip or seller_nip)
        )

    def invoice_link(self, issued_on: date, sha256: bytes) -> str:
        """Return KOD I."""
        return links.invoice_link(self._qr_url, self._seller_nip, issued_on, sha256)

    def certificate_link(self, sha256: bytes) -> str | None:
        """Return KOD II; None without an Offline certificate."""
        signer = self._signer.current
        if signer is None:
            return None
        context_type, context_value = self._context
        text = links.certificate_path(
            self._qr_url, context_type, context_value, self._seller_nip, signer.serial, sha256
        )
        return links.certificate_link(text, signer.sign(text))
