"""The same receipt document as PDF, A4 or as wide as a receipt, for tills without a printer."""

from __future__ import annotations

from typing import Literal

from agent.domain.receipt import Receipt


def render_pdf(receipt: Receipt, *, page: Literal["a4", "receipt"] = "a4") -> bytes:
    """Return the document as PDF with embedded fonts and vector QR codes; the same document gives the same bytes."""
    raise NotImplementedError
