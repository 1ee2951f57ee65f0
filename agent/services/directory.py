"""Who a NIP belongs to: earlier invoices first, then, where set, the Ministry's white list."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.domain.errors import BadInput, FieldError
from agent.domain.identifiers import bare_nip, valid_nip
from agent.domain.invoice import Address, BuyerKind
from agent.ports import BuyerSource, InvoiceFilter, Json
from agent.services.desk import Desk

DAY = 24 * 60 * 60.0
WITH_TOWN = re.compile(r"(?P<street>.+), (?P<town>\d{2}-\d{3} .+)")
"""The white list gives an address as one text."""


class Directory:
    """Looks buyers up; answers of the white list are kept for a day."""

    def __init__(self, desk: Desk, source: BuyerSource | None) -> None:
        self._desk = desk
        self._source = source
        self._cache: dict[str, tuple[float, Mapping[str, Json] | None]] = {}

    async def buyer(self, nip: str) -> Mapping[str, Json] | None:
        """Return name and address, and where they come from; None where nobody knows."""
        digits = bare_nip(nip)
        if not valid_nip(digits):
            raise BadInput(
                "Nieprawidłowy NIP: suma kontrolna się nie zgadza.",
                code="bad-nip",
                errors=(FieldError("/nip", "Nieprawidłowy NIP.", "nip-checksum"),),
            )
        return await self._remembered(digits) or await self._listed(digits)

    async def _remembered(self, nip: str) -> Mapping[str, Json] | None:
        found = await self._desk.store.read(lambda tx: tx.invoices.find(InvoiceFilter(text=nip, limit=20)))
        for record in found:
            if record.buyer.kind is BuyerKind.NIP and record.buyer.identifier == nip:
                return _entry(nip, record.buyer.name or "", record.buyer.address, "invoices")
        return None

    async def _listed(self, nip: str) -> Mapping[str, Json] | None:
        if self._source is None:
            return None
        now = self._desk.clock.monotonic()
        kept = self._cache.get(nip)
        if kept is not None and now - kept[0] < DAY:
            return kept[1]
        found = await self._source.find(nip)
        if found is None:
            return None
        name, address = found
        entry = _entry(nip, name, None if address is None else _address(address), "white-list")
        self._cache[nip] = (now, entry)
        return entry


def _address(text: str) -> Address:
    parts = WITH_TOWN.fullmatch(text)
    return Address(text) if parts is None else Address(parts["street"], parts["town"])


def _entry(nip: str, name: str, address: Address | None, source: str) -> Mapping[str, Json]:
    place: Mapping[str, Json] | None = None
    if address is not None:
        place = {"line1": address.line1, "line2": address.line2, "country": address.country}
    return {"nip": nip, "name": name, "address": place, "source": source}
