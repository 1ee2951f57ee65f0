"""Units of work of a holder: each looks first, in its own transaction, whether another one has come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from agent.hub.store.transaction import StoredTransaction

T = TypeVar("T")
Work = Callable[[StoredTransaction], Awaitable[T]]
Release = Callable[[], Awaitable[None]]


class Writes(Protocol):
    """What a leadership needs of the store it is of."""

    async def write(self, work: Work[T]) -> T:
        """As HubStore.write()."""
        ...


class HeldLeadership:
    """The right to talk to KSeF for one name (port Leadership)."""

    def __init__(self, store: Writes, name: str, token: int, release: Release) -> None:
        self.name = name
        self.token = token
        self._store = store
        self._release = release
        self._lost = asyncio.Event()

    async def write(self, work: Work[T]) -> T:
        """Run a unit of work, unless another holder has come: LeadershipLost, nothing stored."""

        async def fenced(tx: StoredTransaction) -> T:
            await tx.log.require_lead(self.name, self.token)
            return await work(tx)

        return await self._store.write(fenced)

    async def lost(self) -> None:
        """Return once it is no longer held."""
        await self._lost.wait()

    def lose(self) -> None:
        """Note that it is no longer held."""
        self._lost.set()

    async def release(self) -> None:
        """Give it up; harmless where it is lost."""
        self._lost.set()
        await self._release()
