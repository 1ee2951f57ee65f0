"""What every use case needs: settings and ports, built once by app.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from agent.domain.calendar import BusinessCalendar
from agent.domain.fa3.schema import Fa3Schema
from agent.domain.paper.receipt import Receipt
from agent.ports import Clock, KsefGateway, Picture, Printer, Signer, Store
from agent.services.elapsed import Since
from agent.settings.model import Settings

T = TypeVar("T")


class Press(Protocol):
    """Turns receipt documents into what printers and screens show; app.py joins it from printers/."""

    def encode(self, printer: str, receipt: Receipt) -> bytes:
        """ESC/POS bytes for a printer by name."""
        ...

    def png(self, printer: str, data: bytes, page: int = 1) -> Picture:
        """A page of the picture of exactly those bytes; BadInput where there is none of that number."""
        ...

    def text(self, printer: str, data: bytes) -> str:
        """Text of exactly those bytes."""
        ...

    def pdf(self, receipt: Receipt, page: str) -> bytes:
        """PDF; page is a4 or receipt."""
        ...

    @property
    def default(self) -> str:
        """Name of the first printer, or of the preview profile where there is none."""
        ...


class Crew:
    """Background work that outlives the request that began it. Every task has a name.

    An exception nobody awaits is reported through ``on_defect``: it stops the service.
    """

    def __init__(self, on_defect: Callable[[str, BaseException], None]) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._on_defect = on_defect
        self._closing = False

    def start(self, name: str, work: Coroutine[Any, Any, T], *, awaited: bool = False) -> asyncio.Task[T]:
        """Run ``work``; with ``awaited`` the caller collects its exception."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._finished(done, awaited))
        return task

    async def run(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` to its end even when the caller is cancelled; return its result."""
        return await asyncio.shield(self.start(name, work, awaited=True))

    def _finished(self, task: asyncio.Task[Any], awaited: bool) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not awaited:
            self._on_defect(task.get_name(), error)

    async def drain(self, seconds: float) -> tuple[str, ...]:
        """Wait for all at most so long, cancel the rest; return the names of the stragglers."""
        if not self._tasks:
            return ()
        _, late = await asyncio.wait(set(self._tasks), timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return tuple(sorted(task.get_name() for task in late))


class Signal:
    """Wakes everybody who waits, each time it is set; nobody who waits misses it."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Wake all who wait now."""
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
        self._next = None

    def next(self) -> asyncio.Future[None]:
        """Return what the next set() fulfils: take it before you look, so nothing in between is missed."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        return asyncio.shield(self._next)

    async def wait(self) -> None:
        """Wait for the next set()."""
        await self.next()


@dataclass(slots=True)
class Tally:
    """Counters since start, for /metrics."""

    issued: dict[str, int] = field(default_factory=dict)
    sends: dict[str, int] = field(default_factory=dict)
    prints: dict[str, int] = field(default_factory=dict)
    press_sum: float = 0.0
    press_count: int = 0
    press_buckets: dict[float, int] = field(
        default_factory=lambda: dict.fromkeys((0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0), 0)
    )

    def count(self, table: dict[str, int], word: str) -> None:
        """Add one."""
        table[word] = table.get(word, 0) + 1

    def press(self, seconds: float) -> None:
        """Record how long a press took, from request to answer."""
        self.press_sum += seconds
        self.press_count += 1
        for bound in self.press_buckets:
            if seconds <= bound:
                self.press_buckets[bound] += 1


@dataclass(slots=True)
class Desk:
    """The ports, the settings and the few shared pieces of one running agent."""

    settings: Settings
    clock: Clock
    store: Store
    gateway: KsefGateway
    printer: Printer
    press: Press
    schema: Fa3Schema
    calendar: BusinessCalendar
    crew: Crew
    signer: Signer | None = None
    authentication: Signer | None = None
    """Serial and end of validity of the authentication certificate; never signs here."""
    tally: Tally = field(default_factory=Tally)
    changed: Signal = field(default_factory=Signal)
    """Something a screen shows has changed."""
    accepted: Signal = field(default_factory=Signal)
    """A number has arrived: what waited for it (corrections, outbox) may go on."""
    queue_wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Something may be sent: the queue looks at once."""
    undelivered: dict[str, tuple[str, Since]] = field(default_factory=dict)
    """Webhook subscribers that refuse: name -> (with what, since when)."""
    started_at: datetime | None = None

    def now(self) -> datetime:
        """Return the wall time, UTC."""
        return self.clock.now()
