"""Units of work over the repositories, who holds a NIP, and the store itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from agent.hub.ports.books import Books
from agent.hub.ports.certificates import OfflineCertificates
from agent.hub.ports.fleet import Fleet
from agent.hub.ports.invoices import Invoices
from agent.hub.ports.log import Log
from agent.hub.ports.outcomes import Outcomes
from agent.hub.ports.parties import Parties
from agent.hub.ports.sessions import Sessions

T = TypeVar("T")

BUSY = "hub-busy"
DISK_FULL = "disk-full"
"""Code of Unavailable where more waits than the store can take: nothing was stored."""


class HubTransaction(Protocol):
    """All repositories of one unit of work."""

    @property
    def parties(self) -> Parties: ...
    @property
    def invoices(self) -> Invoices: ...
    @property
    def outcomes(self) -> Outcomes: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def fleet(self) -> Fleet: ...
    @property
    def books(self) -> Books: ...
    @property
    def certificates(self) -> OfflineCertificates: ...
    @property
    def log(self) -> Log: ...

    async def tell(self, channel: str) -> None:
        """Wake whoever waits for this channel, in every process of the hub, once the unit is committed."""
        ...


Work = Callable[[HubTransaction], Awaitable[T]]


class Leadership(Protocol):
    """The right to talk to KSeF for one name (a NIP), held by one process of the hub at a time.

    The database's lock decides who holds it; the number that grows with each holder fences off one that lost it
    without knowing: its units fail, whatever it believes.
    """

    @property
    def name(self) -> str: ...

    @property
    def token(self) -> int:
        """Grows with every holder."""
        ...

    async def write(self, work: Work[T]) -> T:
        """As HubStore.write(), and LeadershipLost, nothing stored, where another holder has come."""
        ...

    async def lost(self) -> None:
        """Return once it is no longer held, as far as this process can know."""
        ...

    async def release(self) -> None:
        """Give it up. Never raises."""
        ...


class HubStore(Protocol):
    """The hub's durable memory. Units of work await nothing but their transaction, and may be run again."""

    async def write(self, work: Work[T]) -> T:
        """Run, commit with everything synced, return. The caller may be cancelled; the work is not.

        Unavailable (a repeat is safe): "disk-full", "hub-busy" (more waits than the store can take), and
        "store-unreachable": the server is away, and whether the unit was committed is unknown, so a unit has to
        stand being run again. StoreLost: SQLite's COMMIT failed, the process ends.
        """
        ...

    async def read(self, work: Work[T]) -> T:
        """Run against a consistent snapshot; must not write."""
        ...

    def for_couriers(self) -> HubStore:
        """Return the same memory for those who bring invoices to KSeF: tills that want more than there is stop nobody.

        Closed with this one.
        """
        ...

    def changed(self, channel: str) -> asyncio.Future[None]:
        """Return what the next tell() of this channel fulfils: take it before you look, so nothing is missed.

        May be fulfilled without cause: after a lost connection to the server nobody knows what was told.
        """
        ...

    async def lead(self, name: str) -> Leadership | None:
        """Try to become the holder of ``name``; None where another process is."""
        ...

    async def check(self) -> str | None:
        """Verify what can be verified; a Polish sentence where something is wrong. Slow: daily."""
        ...

    async def size(self) -> int:
        """Return the bytes of the database on disk."""
        ...

    async def watch(self) -> None:
        """Return when the store was closed; raise StoreLost when it was lost. For the supervisor."""
        ...

    async def close(self) -> None:
        """Finish what waits and close. May be called twice."""
        ...
