"""Who may talk to the hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from agent.domain.json_io.canonical import Json
from agent.hub.domain.records import HubRole, Person, Seller, Till


class Parties(Protocol):
    """Sellers, tills and people. Tokens are known by their SHA-256 only."""

    async def add_seller(self, nip: str, name: str, access: Mapping[str, Json]) -> Seller:
        """Add a NIP, or bring back one that was removed. Conflict "seller-known" where it is in use."""
        ...

    async def seller(self, nip: str) -> Seller:
        """Return one in use; NotFound otherwise."""
        ...

    async def sellers(self) -> list[Seller]:
        """Return those in use, by NIP."""
        ...

    async def remove_seller(self, nip: str) -> None:
        """Stop sending for a NIP. Conflict "seller-in-use" while it has tills, or invoices that are not in KSeF."""
        ...

    async def add_till(self, nip: str, name: str, shop: str, series: tuple[str, ...], token: bytes) -> Till:
        """Add a till. Conflict "till-known" where the NIP has one of that name, NotFound for a NIP nobody added."""
        ...

    async def till(self, till_id: int) -> Till:
        """Return one, revoked or not; NotFound otherwise."""
        ...

    async def till_of(self, token: bytes) -> Till | None:
        """Return whose token has this SHA-256, None where nobody's or that of a revoked till."""
        ...

    async def tills(self, nip: str | None = None) -> list[Till]:
        """Return those in use, of one NIP or of all, by NIP and name."""
        ...

    async def revoke_till(self, nip: str, name: str) -> Till:
        """Take a till's token back, for good; what it handed over goes on. NotFound where there is none."""
        ...

    async def renew_token(self, nip: str, name: str, token: bytes) -> Till:
        """Give a till another token in place of the old one. NotFound where there is none."""
        ...

    async def add_person(self, name: str, role: HubRole, token: bytes, nip: str | None = None) -> None:
        """Add a person's token, for one NIP or for all. Conflict "token-name-taken" where the name is in use."""
        ...

    async def person_of(self, token: bytes) -> Person | None: ...

    async def people(self) -> list[Person]:
        """Return all, by name."""
        ...

    async def revoke_person(self, name: str) -> None:
        """Take a token back; NotFound where there is none."""
        ...
