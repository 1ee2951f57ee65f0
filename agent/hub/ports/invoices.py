"""Invoices at the hub."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from agent.hub.domain.records import BacklogSize, HubInvoice, InvoiceFacts, Offer, Till
from agent.hub.domain.states import HubState


class Invoices(Protocol):
    """Invoices. Illegal moves raise IllegalTransition before the database's triggers would."""

    async def add(self, till: Till, offer: Offer) -> HubInvoice | None:
        """Add an invoice in WAITING; None where its bytes are here, or others under its NIP, kind and number."""
        ...

    async def find(self, sha256: bytes) -> HubInvoice | None: ...

    async def get(self, sha256: bytes) -> HubInvoice:
        """Return one; NotFound otherwise."""
        ...

    async def holder(self, nip: str, kind: str, number: str) -> HubInvoice | None:
        """Return what holds this number and was not rejected."""
        ...

    async def xml(self, sha256: bytes) -> bytes: ...

    async def renew(self, sha256: bytes, offer: Offer) -> None:
        """Take over what a till says anew about an invoice that is here: deadline, urgency, mode, group.

        Where a customer waits now, couriers are told, and it no longer rests after an earlier attempt.
        """
        ...

    async def hand_on(self, sha256: bytes, till: Till) -> None:
        """Let an invoice be another till's, which takes the place of its own."""
        ...

    async def close(self, sha256: bytes, at: datetime | None = None) -> bool:
        """Note that the case of a refused one was closed; False where it is not refused, or closed already.

        ``at`` None: now. A move opens it again.
        """
        ...

    async def move(self, sha256: bytes, to: HubState, facts: InvoiceFacts | None = None) -> HubInvoice: ...

    async def move_all(self, hashes: Sequence[bytes], old: HubState, to: HubState, facts: InvoiceFacts) -> None:
        """Move many from one state; IllegalTransition, and nothing moved, where one is in another."""
        ...

    async def note(self, sha256: bytes, facts: InvoiceFacts) -> HubInvoice:
        """Add facts without a move."""
        ...

    async def note_all(self, hashes: Sequence[bytes], facts: InvoiceFacts) -> None: ...

    async def urgent(self, nip: str, limit: int) -> list[HubInvoice]:
        """Return what waits while a customer waits, due now, the one that waits longest first.

        Corrections with a base in OPEN are left out, here and in backlog().
        """
        ...

    async def backlog(self, nip: str, limit: int) -> list[HubInvoice]:
        """Return what waits and is due now: by deadline (none comes last), then by arrival."""
        ...

    async def backlog_size(self, nip: str, today: date, limit: int) -> BacklogSize:
        """Count what backlog() would return, without reading it."""
        ...

    async def undecided_sessions(self, nip: str) -> list[str]:
        """Return the sessions in which something is SENT, or a DOUBT that is due; "" for those in none.

        Those with a doubt come first, then the one that waits longest.
        """
        ...

    async def undecided(self, nip: str, session_ref: str, limit: int) -> list[HubInvoice]:
        """Return what is SENT, or a DOUBT that is due, in a session ("": in none), oldest first."""
        ...

    async def in_state(self, nip: str, state: HubState, limit: int) -> list[HubInvoice]:
        """Return those in one state, the one that was longest in the hub first."""
        ...

    async def of_session(self, session_ref: str) -> list[HubInvoice]: ...

    async def of_group(self, till_id: int, group: str) -> list[HubInvoice]: ...

    async def by_ksef_number(self, nip: str, ksef_number: str) -> HubInvoice | None: ...

    async def sending_alone(self, nip: str) -> None:
        """Note a single send that begins, for the rate limits."""
        ...

    async def sent_since(self, nip: str, instant: datetime) -> list[datetime]:
        """Return when single sends were attempted since then, for the rate limits."""
        ...
