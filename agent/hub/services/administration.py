"""What people do to the hub at a terminal: sellers, tills and tokens come and go; every act is in the hub's log."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from agent.domain.errors import BadInput, Conflict, NotFound
from agent.domain.json_io.canonical import Json
from agent.domain.values import dataclass
from agent.hub.courier.couriers import SELLERS
from agent.hub.domain.records import HubRole, Seller, Till
from agent.hub.domain.till_list import Imported, ImportedTill, ListedTill, require_name
from agent.hub.domain.tokens import PERSON_PREFIX, TILL_PREFIX, token_hash
from agent.hub.ports import HubStore, HubTransaction
from agent.hub.services.heartbeats import forget_second
from agent.hub.services.intake import DRAINING

MOST_WORDS = 500
"""Characters of what somebody says about a refusal."""
MOST_REFUSED = 10_000
"""Looked through for a number, of one till."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token made just now; nobody can tell it again."""

    till: Till
    token: str


class Administration:
    """Changes who reports to the hub and who may look."""

    def __init__(self, store: HubStore) -> None:
        self._store = store

    async def add_seller(self, nip: str, name: str, access: Mapping[str, Json]) -> Seller:
        """Send for a NIP from now on."""

        async def work(tx: HubTransaction) -> Seller:
            added = await tx.parties.add_seller(nip, name or nip, access)
            await tx.log.append("seller_added", {"name": added.name}, nip=nip)
            await tx.tell(SELLERS)
            return added

        return await self._store.write(work)

    async def remove_seller(self, nip: str) -> None:
        """Stop sending for a NIP that has no tills."""

        async def work(tx: HubTransaction) -> None:
            await tx.parties.remove_seller(nip)
            await tx.log.append("seller_removed", {}, nip=nip)
            await tx.tell(SELLERS)

        await self._store.write(work)

    async def add_till(self, name: str, nip: str, shop: str, series: tuple[str, ...]) -> NewToken:
        """Add a till; BadInput for a name of no use, or where nobody says whose it is."""
        name, token = require_name(name), new_till_token()

        async def work(tx: HubTransaction) -> Till:
            owner = await _seller_of(tx, nip)
            added = await tx.parties.add_till(owner, name, shop, series, token_hash(token))
            await tx.log.append("till_added", {"name": name, "series": list(series)}, nip=owner, till_id=added.id)
            return added

        return NewToken(await self._store.write(work), token)

    async def import_tills(self, listed: Sequence[ListedTill]) -> list[ImportedTill]:
        """Add those nobody knows, and let a token that is given be the till's; all of them or none. BadInput.

        Shop and series of a till in use stay: what it issued belongs to them. Where the list differs, that is told.
        """

        async def work(tx: HubTransaction) -> list[ImportedTill]:
            known = {(each.nip, each.name): each for each in await tx.parties.tills()}
            return [await _import(tx, each, known.get((each.nip, each.name))) for each in listed]

        return await self._store.write(work)

    async def revoke_till(self, name: str, nip: str) -> Till:
        """Take a till's token back, for good."""

        async def work(tx: HubTransaction) -> Till:
            revoked = await tx.parties.revoke_till(await _seller_of(tx, nip), name)
            await tx.outcomes.reopen(revoked.id)
            await tx.log.append("till_revoked", {"name": name}, nip=revoked.nip, till_id=revoked.id)
            return revoked

        return await self._store.write(work)

    async def renew_token(self, name: str, nip: str) -> NewToken:
        """Give a till another token in place of the old one."""
        token = new_till_token()

        async def work(tx: HubTransaction) -> Till:
            renewed = await tx.parties.renew_token(await _seller_of(tx, nip), name, token_hash(token))
            await tx.log.append("till_token", {"name": name}, nip=renewed.nip, till_id=renewed.id)
            return renewed

        return NewToken(await self._store.write(work), token)

    async def adopt(self, name: str, nip: str, by: str = "") -> None:
        """Let whoever reports next under a name be the till. ``by``: whose word it is, where it is not the terminal."""

        async def work(tx: HubTransaction) -> None:
            owner = await _seller_of(tx, nip)
            found = [each for each in await tx.parties.tills(owner) if each.name == name]
            if not found:
                raise NotFound(f"Sprzedawca {owner} nie ma kasy „{name}”.", code="till-unknown")
            await forget_second(tx, found[0])
            await tx.log.append("till_adopted", {"name": name, "by": by}, nip=owner, till_id=found[0].id)

        await self._store.write(work)

    async def settle(self, sha256: bytes, why: str, *, by: str = "", nip: str | None = None) -> None:
        """Note that what KSeF refused was looked after here, since nobody at its till reads it; again changes nothing.

        ``nip``: the only seller whose it may be. NotFound; BadInput where ``why`` says nothing, or too much.
        """
        said = why.strip()
        if not said or len(said) > MOST_WORDS:
            raise BadInput(f"Napisz, jak sprawę załatwiono (1 do {MOST_WORDS} znaków).")

        async def work(tx: HubTransaction) -> None:
            found = await tx.invoices.find(sha256)
            if found is None or nip not in {None, found.nip}:
                raise NotFound("Centrala nie zna tej faktury.", code="invoice-not-found")
            if await tx.outcomes.settle(sha256):
                await tx.invoices.close(sha256)
                data: dict[str, Json] = {"number": found.number, "sha256": sha256.hex(), "why": said, "by": by}
                await tx.log.append("refusal_settled", data, nip=found.nip, till_id=found.till_id)

        await self._store.write(work)

    async def settle_number(self, number: str, nip: str, why: str) -> int:
        """Settle all of a seller's refusals of that number that no till has read; return how many there were."""

        async def work(tx: HubTransaction) -> list[bytes]:
            owner = await _seller_of(tx, nip)
            tills = [each.till_id for each in await tx.outcomes.refusals() if each.nip == owner]
            refused = [each for till_id in tills for each in await tx.outcomes.refusals_of(till_id, MOST_REFUSED)]
            return [each.sha256 for each in refused if each.number == number]

        found = await self._store.read(work)
        for sha256 in found:
            await self.settle(sha256, why)
        return len(found)

    async def add_person(self, name: str, role: HubRole, nip: str | None = None) -> str:
        """Make a person's token, for one NIP or for all, and return it."""
        token = PERSON_PREFIX + secrets.token_urlsafe(32)

        async def work(tx: HubTransaction) -> None:
            await tx.parties.add_person(name, role, token_hash(token), nip)
            await tx.log.append("token_added", {"name": name, "role": role.value}, nip=nip)

        await self._store.write(work)
        return token

    async def revoke_person(self, name: str) -> None:
        """Take a person's token back."""

        async def work(tx: HubTransaction) -> None:
            await tx.parties.revoke_person(name)
            await tx.log.append("token_revoked", {"name": name})

        await self._store.write(work)

    async def drain(self, since: str | None) -> None:
        """Take nothing new from now on; None: again."""

        async def work(tx: HubTransaction) -> None:
            await tx.log.put(DRAINING, None if since is None else {"since": since})
            await tx.log.append("drain_cancelled" if since is None else "drain", {})

        await self._store.write(work)


def new_till_token() -> str:
    """Return a token that nobody has."""
    return TILL_PREFIX + secrets.token_urlsafe(32)


async def _import(tx: HubTransaction, listed: ListedTill, known: Till | None) -> ImportedTill:
    if known is None:
        if listed.token is None:
            raise BadInput(f"Kasa „{listed.name}” nie ma kodu.")
        shape = (listed.nip, listed.name, listed.shop, listed.series)
        try:
            added = await tx.parties.add_till(*shape, token_hash(listed.token))
        except Conflict as error:  # its name is nobody's, so it is the token
            raise BadInput(f"Kod kasy „{listed.name}” miała już inna albo wycofana kasa; daj jej nowy.") from error
        data: dict[str, Json] = {"name": listed.name, "series": list(listed.series)}
        await tx.log.append("till_added", data, nip=listed.nip, till_id=added.id)
        return ImportedTill(Imported.ADDED)
    differs = listed.differs(known.shop, known.series)
    if listed.token is None or await tx.parties.till_of(token_hash(listed.token)) == known:
        return ImportedTill(Imported.KNOWN, differs)
    await tx.parties.renew_token(known.nip, known.name, token_hash(listed.token))
    await tx.log.append("till_token", {"name": known.name}, nip=known.nip, till_id=known.id)
    return ImportedTill(Imported.TOKEN_REPLACED, differs)


async def _seller_of(tx: HubTransaction, nip: str) -> str:
    if nip:
        return nip
    known = await tx.parties.sellers()
    if len(known) != 1:
        raise BadInput(f"Podaj --nip: sprzedawców w centrali jest {len(known)}.")
    return known[0].nip
