"""The two ways of a till of a chain to KSeF: through the hub, and in need its own (port KsefGateway).

Everything goes through the hub. An invoice that the hub has not brought to KSeF ``hub.own_way_hours`` before its
deadline, and every other one with it, is late (``late``, told by news.py): it counts as cancelled at the hub, is taken
back, and goes the till's own way where it holds credentials. If the hub sends it all the same, KSeF answers the second
of both with 440, and the hashes are compared.

What was sent by itself before the hub came, or in need, is asked of KSeF itself; where the till holds no credentials
any more it counts as not there, and is handed over to the hub like everything else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import TypeVar

from agent.hub_route.gateway import HubGateway, is_hub_session
from agent.ports import (
    CallOutcome,
    KsefError,
    KsefGateway,
    LedgerPart,
    Outgoing,
    Pending,
    Rejected,
    SendBudget,
    SessionRef,
    Upo,
    UpoPage,
    Verdict,
)

T = TypeVar("T")

TAKEN_BACK = Rejected(
    0, "Centrala nie przesłała tej faktury na czas; kasa robi to sama.", retryable=True, by_ksef=False
)
UNKNOWN_HERE = Rejected(
    0, "Kasa nie ma już dostępu do KSeF, żeby o nią zapytać; trafi do centrali.", retryable=True, by_ksef=False
)


class RoutedGateway:
    """KSeF for a till of a chain."""

    def __init__(self, hub: HubGateway, own: KsefGateway | None) -> None:
        self.hub = hub
        self.own = own
        self.late: frozenset[str] = frozenset()
        """Of what is late: ids of invoices, their references at the hub, and the names they were handed over under."""
        self._silent = False
        """The hub did not answer the newest probe."""

    async def session(self, invoice: Outgoing | None = None) -> SessionRef:
        """Return a session of the way this invoice goes."""
        if self.own is not None and invoice is not None and invoice.invoice_id in self.late:
            return await self.own.session(invoice)
        if self._in_need:
            raise KsefError("Centrala nie odpowiada; faktura na nią czeka.", outcome=CallOutcome.NOT_SENT)
        return await self.hub.session(invoice)

    def way_of(self, invoice_id: str) -> str:
        """Return which way this invoice goes."""
        return (self.hub if self.own is None or invoice_id not in self.late else self.own).way_of(invoice_id)

    async def send(self, session: SessionRef, invoice: Outgoing) -> str:
        """Send once, the way of the session."""
        if is_hub_session(session.reference):
            return await self.hub.send(session, invoice)
        return await self._own().send(session, invoice)

    async def status(self, session_ref: str, invoice_ref: str) -> Verdict:
        """Ask where it was sent; one that is late and undecided at the hub counts as cancelled."""
        if not is_hub_session(session_ref):
            return UNKNOWN_HERE if self.own is None else await self.own.status(session_ref, invoice_ref)
        taken_back = self.own is not None and invoice_ref in self.late
        try:
            verdict = await self._asked(lambda: self.hub.status(session_ref, invoice_ref))
        except KsefError:
            if taken_back:
                return TAKEN_BACK
            raise
        return TAKEN_BACK if taken_back and isinstance(verdict, Pending) else verdict

    async def find_all(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]]:
        """Return everything of a session, by hash; nothing where the hub is silent and something of it is late."""
        if not is_hub_session(session_ref):
            return {} if self.own is None else await self.own.find_all(session_ref)
        try:
            return await self._asked(lambda: self.hub.find_all(session_ref))
        except KsefError:
            if self.own is not None and session_ref in self.late:
                return {}
            raise

    async def upo(self, session_ref: str, invoice_ref: str | None, ksef_number: str) -> Upo:
        """Fetch what confirms an accepted invoice."""
        if is_hub_session(session_ref):
            return await self._asked(lambda: self.hub.upo(session_ref, invoice_ref, ksef_number))
        if self.own is None:  # sent before the hub came: the hub may have adopted it
            return await self._asked(lambda: self.hub.upo(session_ref, None, ksef_number))
        return await self.own.upo(session_ref, invoice_ref, ksef_number)

    async def session_upo(self, session_ref: str, *, close: bool) -> tuple[UpoPage, ...] | None:
        """Return what confirms all of a session."""
        if is_hub_session(session_ref):
            return await self._asked(lambda: self.hub.session_upo(session_ref, close=close))
        return () if self.own is None else await self.own.session_upo(session_ref, close=close)

    async def invoice_sha256(self, ksef_number: str) -> bytes:
        """Return the SHA-256 of the original under that number: the hub's word, else KSeF's."""
        try:
            return await self._asked(lambda: self.hub.invoice_sha256(ksef_number))
        except KsefError:
            if self.own is None:
                raise
        return await self.own.invoice_sha256(ksef_number)

    async def issued_since(self, nip: str, since: datetime) -> LedgerPart:
        """Ask KSeF itself, where the till may."""
        return await (self.hub if self.own is None else self.own).issued_since(nip, since)

    async def issued_on(self, nip: str, first: date, last: date) -> LedgerPart:
        """Ask KSeF itself, likewise."""
        return await (self.hub if self.own is None else self.own).issued_on(nip, first, last)

    @property
    def largest_batch(self) -> int:
        """How many invoices a batch may hold, whichever way it goes."""
        return self.hub.largest_batch if self.own is None else min(self.hub.largest_batch, self.own.largest_batch)

    async def open_batch(self, invoices: Sequence[Outgoing], opened: Callable[[str], Awaitable[None]]) -> str:
        """Hand a backlog over; its own way where some of it is late."""
        if self.own is not None and any(each.invoice_id in self.late for each in invoices):
            return await self.own.open_batch(invoices, opened)
        if self._in_need:
            raise KsefError("Centrala nie odpowiada; faktury na nią czekają.", outcome=CallOutcome.NOT_SENT)
        return await self.hub.open_batch(invoices, opened)

    async def batch_verdicts(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]] | None:
        """Return the verdicts on a batch; of one that is late, what is decided: the rest is taken back."""
        if not is_hub_session(session_ref):
            return {} if self.own is None else await self.own.batch_verdicts(session_ref)
        late = self.own is not None and session_ref in self.late
        try:
            verdicts = await self._asked(lambda: self.hub.batch_verdicts(session_ref))
            if not late:
                return verdicts
            found = await self._asked(lambda: self.hub.find_all(session_ref)) if verdicts is None else verdicts
        except KsefError:
            if late:
                return {}
            raise
        return {
            sha256: (reference, TAKEN_BACK if isinstance(verdict, Pending) else verdict)
            for sha256, (reference, verdict) in found.items()
        }

    def budget(self) -> SendBudget:
        """What the hub last said is left; no I/O."""
        return self.hub.budget()

    async def learn_limits(self) -> None:
        """KSeF's limits are the hub's business; its own way, in need, goes by those of production."""

    async def probe(self) -> float | None:
        """Ask the hub for a sign of life; where it is silent and something is late, KSeF itself."""
        try:
            skew = await self.hub.probe()
        except KsefError:
            self._silent = True
            if self.own is None or not self.late:
                raise
            return await self.own.probe()
        self._silent = False
        return skew

    async def close(self) -> None:
        """Close both. Never raises."""
        await self.hub.close()
        if self.own is not None:
            await self.own.close()

    @property
    def _in_need(self) -> bool:
        return self._silent and self.own is not None and bool(self.late)

    def _own(self) -> KsefGateway:
        if self.own is None:
            raise KsefError("Kasa nie ma własnego dostępu do KSeF.", outcome=CallOutcome.NOT_SENT)
        return self.own

    async def _asked(self, question: Callable[[], Awaitable[T]]) -> T:
        """Ask the hub; in need its silence says nothing of the line that is used now."""
        try:
            return await question()
        except KsefError as error:
            if not self._in_need:
                raise
            raise KsefError(error.message, outcome=CallOutcome.NOT_SENT, code=error.code, body=error.body) from error
