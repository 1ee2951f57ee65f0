"""A conversation with one printer over one connection: questions, answers, and what they add up to."""

from __future__ import annotations

from agent.domain.values import dataclass
from agent.ports import Clock
from printers.device.status_bytes import (
    CONNECTION_LOST,
    NO_ANSWER,
    PAPER_OUT,
    Cleared,
    Interpreted,
    Printed,
    RealTime,
    StatusParser,
    Trouble,
    near_end,
    offline_cause,
    paper_ended,
)
from printers.transports.interface import Connection, TransportError

ANSWER_SECONDS = 2.0
"""A printer answers DLE EOT within milliseconds, even while it prints; a slow serial server adds some."""
OFFLINE_BIT = 0x08
"""DLE EOT 1."""
CLEAR_BUFFERS = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
"""DLE DC4 fn 8: forget what was not printed yet, also while offline; recovers from errors as DLE ENQ 2 does."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What DLE EOT 1 to 4 said. ``trouble`` None: ready to print."""

    trouble: Trouble | None = None
    near_end: bool = False


class Dialogue:
    """Asks and listens. Answers may come in any order; the last status byte belongs to the last question."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._parser = StatusParser()
        self._status: list[int] = []
        self.interpreted = 0
        """How often GS r was answered."""
        self.printed: set[bytes] = set()
        """Process IDs that came back."""
        self.cleared = False
        """DLE DC4 fn 8 was answered."""
        self.lost = False
        """The printer closed the connection."""

    async def read_status(self) -> Reading:
        """Ask DLE EOT 1, and the rest; NO_ANSWER or CONNECTION_LOST where the printer says nothing usable."""
        general = await self._ask(1)
        if general is None:
            return Reading(CONNECTION_LOST if self.lost else NO_ANSWER)
        paper = await self._ask(4)
        if general & OFFLINE_BIT:
            return Reading(offline_cause(await self._ask(2), await self._ask(3), paper))
        if paper is None:
            return Reading()
        return Reading(PAPER_OUT if paper_ended(paper) else None, near_end(paper))

    def begin_job(self) -> None:
        """Forget what was answered until now: it was an earlier job's."""
        self.interpreted = 0
        self.printed.clear()

    async def listen(self, seconds: float) -> bool:
        """Wait for any bytes and sort them; False where none came in time, or the connection is gone."""
        try:
            data = await self._clock.within(seconds, self._connection.read())
        except TimeoutError:
            return False
        except TransportError:
            data = b""
        if not data:
            self.lost = True
            return False
        for answer in self._parser.feed(data):
            match answer:
                case RealTime(byte):
                    self._status.append(byte)
                case Interpreted():
                    self.interpreted += 1
                case Printed(identifier):
                    self.printed.add(identifier)
                case Cleared():
                    self.cleared = True
        return True

    async def clear_buffers(self) -> bool:
        """Let the printer forget what it has not printed; tell whether it said that it did.

        Nothing else may be sent before the answer.
        """
        end = self._clock.monotonic() + ANSWER_SECONDS
        try:
            await self._clock.within(ANSWER_SECONDS, self._connection.write(CLEAR_BUFFERS))
        except (TimeoutError, TransportError):
            return False
        while not self.cleared:
            left = end - self._clock.monotonic()
            if left <= 0 or not await self.listen(left):
                return False
        return True

    async def _ask(self, number: int) -> int | None:
        """Send DLE EOT ``number``; return the answer, None where none came."""
        self._status.clear()
        end = self._clock.monotonic() + ANSWER_SECONDS
        try:
            await self._clock.within(ANSWER_SECONDS, self._connection.write(bytes((0x10, 0x04, number))))
        except TimeoutError:
            return None
        except TransportError:
            self.lost = True
            return None
        while not self._status:
            left = end - self._clock.monotonic()
            if left <= 0 or not await self.listen(left):
                return None
        return self._status[-1]
