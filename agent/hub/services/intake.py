"""Durable intake: an invoice is answered for once it is committed here, and every step may be repeated."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from agent.domain.errors import Conflict, NotFound, Unavailable
from agent.domain.json_io.canonical import Json
from agent.domain.values import dataclass
from agent.hub.domain.records import HubInvoice, InvoiceFacts, Offer, Refusal, Till
from agent.hub.domain.states import HubState
from agent.hub.ports import BUSY, DISK_FULL, HubStore, HubTransaction, T

LOG = logging.getLogger("agent.hub")
SLICE = 100
"""Invoices of a bulk hand-over per transaction: a press in between never waits for a thousand rows."""
DRAINING = "draining"
"""In the notebook: the hub takes nothing new, since when and on whose word."""
NOTHING_STORED = frozenset({BUSY, "hub-draining", DISK_FULL})
"""Codes of Unavailable after which nothing of the slice is here; after another one it may be."""
REPLACED = Refusal(0, "Kasa zastąpiła ten plik korektą techniczną, zanim wysłała go centrala.")


class NumberTaken(Conflict):
    """Another document holds the number; ``holder`` is it."""

    code = "number-taken"

    def __init__(self, holder: HubInvoice) -> None:
        super().__init__(
            f"Centrala ma już inny dokument o numerze {holder.number} ({holder.kind}) tego sprzedawcy.",
            code="number-taken",
        )
        self.holder = holder


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one offer: the invoice as it stands, or why nothing of it is here."""

    invoice: HubInvoice | None
    refusal: NumberTaken | Unavailable | None = None

    def or_refused(self) -> HubInvoice:
        """Return the invoice, or raise why it is not here."""
        if self.refusal is not None:
            raise self.refusal
        assert self.invoice is not None
        return self.invoice


class Intake:
    """Takes what tills hand over."""

    def __init__(self, store: HubStore, tell: Callable[[str | None], None] = lambda _: None) -> None:
        """``tell`` hears after each unit why a full disk refused it, a Polish sentence; None where it was stored."""
        self._store = store
        self._tell = tell

    async def take(self, till: Till, offer: Offer) -> HubInvoice:
        """Make one invoice durable and return it as it stands. NumberTaken, Unavailable "hub-draining"."""
        (taken,) = await self._stored(partial(_take_all, till, [offer]))
        return taken.or_refused()

    async def keep(self, till: Till, offer: Offer) -> HubInvoice:
        """Make an invoice durable that is never sent, for the books; return it as it stands. NumberTaken likewise.

        One that is on its way to KSeF, or there, stays what it is: its till did not know yet.
        """

        async def work(tx: HubTransaction) -> Taken:
            (taken,) = await _take_all(till, [offer], tx)
            if taken.invoice is None or taken.invoice.state is not HubState.WAITING:
                return taken
            return Taken(await tx.invoices.move(offer.sha256, HubState.EXEMPT, InvoiceFacts()))

        return (await self._stored(work)).or_refused()

    async def close(self, till: Till, sha256: bytes, at: datetime) -> HubInvoice:
        """Note that a manager closed the case of a refused invoice on its till; again changes nothing. NotFound."""

        async def work(tx: HubTransaction) -> HubInvoice:
            known = await tx.invoices.find(sha256)
            if known is None or known.till_id != till.id:
                raise NotFound("Centrala nie zna tej faktury.", code="invoice-not-found")
            if await tx.invoices.close(sha256, at):
                await tx.outcomes.settle(sha256)
                data: dict[str, Json] = {"number": known.number, "sha256": sha256.hex()}
                await tx.log.append("case_closed", data, nip=till.nip, till_id=till.id)
            return await tx.invoices.get(sha256)

        return await self._store.write(work)

    async def take_all(self, till: Till, offers: Sequence[Offer]) -> list[Taken]:
        """Make many durable, in slices; return what became of each, in order. Unavailable where nothing of any is here.

        Where the hub stops taking half-way, what is left is refused, one by one: what is here already is on its way to
        KSeF, and its till has to know. Unavailable "store-unreachable" says of nothing whether it is here.
        """
        found: list[Taken] = []
        for start in range(0, len(offers), SLICE):
            try:
                found += await self._stored(partial(_take_all, till, offers[start : start + SLICE]))
            except Unavailable as error:
                if not found or error.code not in NOTHING_STORED:
                    raise
                return found + [Taken(None, error)] * (len(offers) - len(found))
        return found

    async def _stored(self, work: Callable[[HubTransaction], Awaitable[T]]) -> T:
        try:
            made = await self._store.write(work)
        except Unavailable as error:
            if error.code == DISK_FULL:
                self._tell(error.detail)
            raise
        self._tell(None)
        return made


async def _take_all(till: Till, offers: Sequence[Offer], tx: HubTransaction) -> list[Taken]:
    if await tx.log.value(DRAINING) is not None:
        raise Unavailable(
            "Centrala przygotowuje się do zatrzymania i nie przyjmuje nowych faktur.", code="hub-draining"
        )
    found = []
    for offer in offers:
        try:
            found.append(Taken(await _take(tx, till, offer)))
        except NumberTaken as conflict:
            found.append(Taken(None, conflict))
    return found


async def _take(tx: HubTransaction, till: Till, offer: Offer) -> HubInvoice:
    known = await tx.invoices.find(offer.sha256)
    if known is not None:
        return await _again(tx, till, known, offer)
    added = await tx.invoices.add(till, offer)
    if added is not None:
        return added
    known = await tx.invoices.find(offer.sha256)
    if known is not None:  # a request beside this one added it in between
        return await _again(tx, till, known, offer)
    await _make_room(tx, till, offer)
    added = await tx.invoices.add(till, offer)
    return await tx.invoices.get(offer.sha256) if added is None else added


async def _again(tx: HubTransaction, till: Till, known: HubInvoice, offer: Offer) -> HubInvoice:
    """The same bytes once more: what the till says anew counts; a rejected invoice goes to KSeF again."""
    if known.till_id != till.id:
        await _hand_on(tx, till, known)
    await tx.invoices.renew(known.sha256, offer)
    if known.state is HubState.EXEMPT:
        return await tx.invoices.move(known.sha256, HubState.WAITING, InvoiceFacts())
    if known.state is HubState.REJECTED:
        holder = await tx.invoices.holder(offer.nip, offer.kind, offer.number)
        if holder is not None:
            raise NumberTaken(holder)
        return await tx.invoices.move(known.sha256, HubState.WAITING, InvoiceFacts())
    return await tx.invoices.get(known.sha256)


async def _hand_on(tx: HubTransaction, till: Till, known: HubInvoice) -> None:
    """A till that takes the place of a revoked one gets its invoices; of two in use neither gets the other's."""
    owner = await tx.parties.till(known.till_id)
    if owner.revoked_at is None:
        data: dict[str, Json] = {"number": known.number, "first": owner.name, "second": till.name}
        await _log_once(tx, till, "two_tills", known.sha256, data)
        raise NumberTaken(known)
    await tx.invoices.hand_on(known.sha256, till)


async def _make_room(tx: HubTransaction, till: Till, offer: Offer) -> None:
    """Other bytes hold the number: a conflict, unless this offer corrects exactly them and they never left."""
    holder = await tx.invoices.holder(offer.nip, offer.kind, offer.number)
    if holder is None:
        return
    if holder.sha256 != offer.corrects or holder.state is not HubState.WAITING:
        held = {"number": offer.number, "held": holder.sha256.hex(), "offered": offer.sha256.hex()}
        await _log_once(tx, till, "number_taken", offer.sha256, held)
        raise NumberTaken(holder)
    await tx.invoices.move(holder.sha256, HubState.REJECTED, InvoiceFacts(refusal=REPLACED))


async def _log_once(tx: HubTransaction, till: Till, kind: str, sha256: bytes, data: Mapping[str, Json]) -> None:
    """Tell the log of a conflict; a till that offers the same again and again says nothing new."""
    name, said = f"{kind}:{till.id}:{sha256.hex()}", dict(data)
    if await tx.log.value(name) != said:
        await tx.log.put(name, said)
        await tx.log.append(kind, said, nip=till.nip, till_id=till.id)
