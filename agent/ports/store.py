"""Durable memory: units of work over the repositories."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from agent.ports.repositories.books import Books, Erasures
from agent.ports.repositories.invoices import Invoices
from agent.ports.repositories.log import Events, Facts, Keys, KeyValues
from agent.ports.repositories.papers import Held, Prints
from agent.ports.repositories.sessions import Sessions
from agent.ports.stored import Copies

T = TypeVar("T")


class Transaction(Protocol):
    """All repositories of one unit of work; committed together with fsync, or not at all."""

    @property
    def invoices(self) -> Invoices: ...
    @property
    def events(self) -> Events: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def prints(self) -> Prints: ...
    @property
    def facts(self) -> Facts: ...
    @property
    def held(self) -> Held: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def key_values(self) -> KeyValues: ...
    @property
    def books(self) -> Books: ...
    @property
    def erasures(self) -> Erasures: ...


Work = Callable[[Transaction], Awaitable[T]]


class Store(Protocol):
    """Durable memory. A unit of work is a coroutine function run inside BEGIN IMMEDIATE by the one writer task."""

    async def write(self, work: Work[T]) -> T:
        """Run, commit with fsync, return. The caller may be cancelled; the work is not.

        An exception of ``work`` rolls back and comes out here. A full disk is Unavailable("disk-full"),
        nothing stored. A failed COMMIT ends the process (StoreLost): after the restart the key decides.
        ``work`` awaits nothing but its transaction.
        """
        ...

    async def read(self, work: Work[T]) -> T:
        """Run against a consistent snapshot; must not write."""
        ...

    async def check(self, stand_back: Callable[[], None] | None = None) -> str | None:
        """Verify integrity and foreign keys; a Polish sentence where something is wrong. Slow: daily.

        ``stand_back`` is called again and again, in another thread, and blocks while others have the turn.
        Cancelled, it ends where it is.
        """
        ...

    @property
    def looked_through(self) -> bool:
        """Whether all of it was looked at in this run, before the start or since then."""
        ...

    @property
    def damage(self) -> str | None:
        """What is known to be damaged, by the look before the start or by use since then; a Polish sentence."""
        ...

    @property
    def full(self) -> bool:
        """Whether the newest attempt to store something found no room, whatever the disk says of itself."""
        ...

    def copies(self) -> Copies:
        """What is known of backups; a look at a small file."""
        ...

    def size(self) -> int:
        """Bytes of the database on disk."""
        ...
