"""Sellers, tills and people (port Parties)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from agent.domain.errors import Conflict, NotFound
from agent.domain.json_io.canonical import Json
from agent.hub.domain.records import HubRole, Person, Seller, Till
from agent.hub.store.database import Database, Row, dump


class StoredParties:
    """Sellers, tills and people."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def add_seller(self, nip: str, name: str, access: Mapping[str, Json]) -> Seller:
        """Add a NIP, or bring back one that was removed."""
        rows = await self._database.run("seller_add", nip=nip, name=name, access=dump(access), at=self._now())
        if not rows:
            raise Conflict(f"Sprzedawca o NIP {nip} jest już na liście.", code="seller-known")
        return _seller(rows[0])

    async def seller(self, nip: str) -> Seller:
        """Return one in use."""
        rows = await self._database.run("seller", nip=nip)
        if not rows:
            raise NotFound(f"Centrala nie obsługuje sprzedawcy o NIP {nip}.", code="seller-unknown")
        return _seller(rows[0])

    async def sellers(self) -> list[Seller]:
        """Return those in use, by NIP."""
        return [_seller(row) for row in await self._database.run("sellers")]

    async def remove_seller(self, nip: str) -> None:
        """Stop sending for a NIP."""
        await self.seller(nip)
        if not await self._database.run("seller_remove", nip=nip, at=self._now()):
            raise Conflict(f"Sprzedawca {nip} ma jeszcze kasy; najpierw je wycofaj.", code="seller-in-use")
        if any(row.text("nip") == nip for row in await self._database.run("open_counts")):
            text = f"Sprzedawca {nip} ma w centrali faktury, których nie ma jeszcze w KSeF; poczekaj, aż je prześle."
            raise Conflict(text, code="seller-in-use")

    async def add_till(self, nip: str, name: str, shop: str, series: tuple[str, ...], token: bytes) -> Till:
        """Add a till."""
        await self.seller(nip)
        rows = await self._database.run(
            "till_add", nip=nip, name=name, shop=shop, series=dump(list(series)), token=token, at=self._now()
        )
        if not rows:
            raise Conflict(f"Sprzedawca {nip} ma już kasę „{name}”.", code="till-known")
        return _till(rows[0])

    async def till(self, till_id: int) -> Till:
        """Return one, revoked or not."""
        rows = await self._database.run("till", id=till_id)
        if not rows:
            raise NotFound(f"Nie ma kasy nr {till_id}.", code="till-unknown")
        return _till(rows[0])

    async def till_of(self, token: bytes) -> Till | None:
        """Return whose token has this SHA-256."""
        rows = await self._database.run("till_of", token=token)
        return _till(rows[0]) if rows else None

    async def tills(self, nip: str | None = None) -> list[Till]:
        """Return those in use."""
        return [_till(row) for row in await self._database.run("tills", nip=nip)]

    async def revoke_till(self, nip: str, name: str) -> Till:
        """Take a till's token back."""
        return _one_till(await self._database.run("till_revoke", nip=nip, name=name, at=self._now()), nip, name)

    async def renew_token(self, nip: str, name: str, token: bytes) -> Till:
        """Give a till another token."""
        return _one_till(await self._database.run("till_token", nip=nip, name=name, token=token), nip, name)

    async def add_person(self, name: str, role: HubRole, token: bytes, nip: str | None = None) -> None:
        """Add a person's token, for one NIP or for all."""
        if nip is not None:
            await self.seller(nip)
        rows = await self._database.run("person_add", name=name, role=role.value, nip=nip, token=token, at=self._now())
        if not rows:
            raise Conflict(f"Kod dostępu o nazwie „{name}” już istnieje. Najpierw go wycofaj.", code="token-name-taken")

    async def person_of(self, token: bytes) -> Person | None:
        """Return whose token has this SHA-256."""
        rows = await self._database.run("person_of", token=token)
        return _person(rows[0]) if rows else None

    async def people(self) -> list[Person]:
        """Return all, by name."""
        return [_person(row) for row in await self._database.run("people")]

    async def revoke_person(self, name: str) -> None:
        """Take a token back."""
        if not await self._database.run("person_revoke", name=name):
            raise NotFound(f"Nie ma kodu dostępu o nazwie „{name}”.", code="token-name-unknown")


def _seller(row: Row) -> Seller:
    return Seller(
        nip=row.text("nip"),
        name=row.text("name"),
        access=row.document("access"),
        added_at=row.instant("added_at"),
        removed_at=row.instant_or_none("removed_at"),
    )


def _till(row: Row) -> Till:
    series = row.json("series")
    if not isinstance(series, list):
        raise TypeError("series is no list")
    return Till(
        id=row.whole("id"),
        nip=row.text("nip"),
        name=row.text("name"),
        shop=row.text("shop"),
        series=tuple(str(each) for each in series),
        added_at=row.instant("added_at"),
        revoked_at=row.instant_or_none("revoked_at"),
    )


def _one_till(rows: list[Row], nip: str, name: str) -> Till:
    if not rows:
        raise NotFound(f"Sprzedawca {nip} nie ma kasy „{name}”.", code="till-unknown")
    return _till(rows[0])


def _person(row: Row) -> Person:
    return Person(row.text("name"), HubRole(row.text("role")), row.text_or_none("nip"))
