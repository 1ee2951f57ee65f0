"""What check() of either store compares, and how it says what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

BYTES_CHECKED = timedelta(days=2)
"""Bytes of what came so long ago at most are compared with their hashes: what may still have to be sent."""


def wrong_bytes(count: int) -> str:
    """Return the Polish phrase for so many invoices whose bytes are not those of their hash."""
    return f"faktur, których treść nie zgadza się ze skrótem: {count}"


def damaged(problems: Sequence[str]) -> str | None:
    """Return the Polish sentence that names the first of what is wrong, None where nothing is."""
    return f"Baza danych centrali jest uszkodzona: {'; '.join(problems[:5])}." if problems else None
