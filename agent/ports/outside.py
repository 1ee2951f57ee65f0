"""Others than KSeF: the shop's system, public directories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class WebhookSender(Protocol):
    """Plain HTTP POST to the shop's system."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | str:
        """POST once; the HTTP status, else in Polish why no answer came. Finite in time; never raises."""
        ...


class BuyerSource(Protocol):
    """A public directory of taxpayers (the Ministry's white list)."""

    async def find(self, nip: str) -> tuple[str, str | None] | None:
        """Return (name, address in one line) or None; never raises, never waits longer than its own short limit."""
        ...
