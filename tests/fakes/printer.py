"""A printer in memory behind the printer port."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from agent.ports import Outcome, PrinterStatus, PrintResult

Encode = Callable[[str], bytes]
Sent = Callable[[str, bytes], Awaitable[None]]


class FakePrinter:
    """Printer port; ``plan`` holds the next outcomes, DONE after that."""

    def __init__(self, name: str = "paragon") -> None:
        self.name = name
        self.plan: deque[Outcome] = deque()
        self.papers: list[bytes] = []
        self.left: list[tuple[str, bytes]] = []
        """What it was told of an earlier run."""
        self.problem: str | None = None
        """What it says of itself when asked."""
        self._held: asyncio.Event | None = None
        """While it is held for one job; set when it is let go, and other jobs go on."""

    @property
    def profile_names(self) -> tuple[str, ...]:
        return (self.name,)

    async def print(self, encode: Encode, sent: Sent) -> PrintResult:
        while self._held is not None:
            await self._held.wait()
        data = encode(self.name)
        outcome = self.plan.popleft() if self.plan else Outcome.DONE
        if outcome is Outcome.NOT_SENT:
            return PrintResult(outcome, self.name, "Skończył się papier.", "paper-out")
        await sent(self.name, data)
        self.papers.append(data)
        problem = None if outcome is Outcome.DONE else "Drukarka zamilkła w trakcie wydruku."
        return PrintResult(outcome, self.name, problem, None if problem is None else "stalled")

    async def reserve(self) -> FakeReservation | None:
        if self.held or (self.plan and self.plan[0] is Outcome.NOT_SENT):
            return None
        self._held = asyncio.Event()
        return FakeReservation(self)

    def let_go(self) -> None:
        """The end of a reservation."""
        if self._held is not None:
            self._held.set()
        self._held = None

    @property
    def held(self) -> bool:
        return self._held is not None

    def left_by_an_earlier_run(self, printer: str, data: bytes) -> None:
        self.left.append((printer, data))

    async def status(self) -> tuple[PrinterStatus, ...]:
        return (PrinterStatus(self.name, online=self.problem is None, problem=self.problem),)


class FakeReservation:
    """ReadyPrinter port: the printer above, held for one job."""

    def __init__(self, printer: FakePrinter) -> None:
        self._printer = printer
        self._ended = False

    @property
    def name(self) -> str:
        return self._printer.name

    def framed(self, data: bytes) -> bytes:
        return data

    async def print(self, job: bytes) -> PrintResult:
        if self._ended:
            raise RuntimeError("a printer is held for one job")
        await self.release()
        return await self._printer.print(lambda _: job, _durable_already)

    async def release(self) -> None:
        if not self._ended:
            self._ended = True
            self._printer.let_go()


async def _durable_already(_name: str, _data: bytes) -> None:
    """Whoever holds a printer notes the bytes before."""
