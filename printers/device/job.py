"""One job over one open way to a printer: what goes before it, its bytes, and the printer's proof.

open (connect, DLE EOT) -> Line.framed -> bytes, GS ( H, GS r -> wait for the answer -> close
"""

from __future__ import annotations

from collections.abc import Callable

from agent.domain.values import dataclass
from agent.ports import Clock, Outcome
from printers.device.dialogue import Dialogue, Reading
from printers.device.status_bytes import (
    CONNECTION_LOST,
    IN_USE,
    NO_ANSWER,
    QUEUE_STOPPED,
    SPOOLER,
    STALLED,
    UNCONFIRMED,
    UNREACHABLE,
    Trouble,
)
from printers.profiles.models import Answers, Profile
from printers.transports.interface import (
    Connection,
    DeviceInUse,
    QueueStopped,
    SpoolerRefused,
    Transport,
    TransportError,
)

CONNECT_SECONDS = 3.0
CLOSE_SECONDS = 2.0
POLL_SECONDS = 1.0
"""Pause between questions while a job waits for its proof."""
GRACE_SECONDS = 4.0
"""After GS r was answered: how long a printer may still be printing before its process ID is given up."""
USUAL_LINES = 80
"""30 cm of paper: printed within timeout_seconds by any printer."""
LINES_PER_SECOND = 13.0
"""Of the slowest: 50 mm/s at 30 dots a line and 203 dpi. An invoice of thousands of lines is metres of paper."""
GS_R = b"\x1dr\x01"
MOST_UNANSWERED = 3
RASTER = b"\x1dv0"
NO_RIGHTS = "no-rights"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a job."""

    outcome: Outcome
    trouble: Trouble | None = None
    confirmed: bool = True


DONE = Verdict(Outcome.DONE)


@dataclass(frozen=True, slots=True)
class Line:
    """An open way to a printer that is ready for one job."""

    connection: Connection
    dialogue: Dialogue | None
    """None: it cannot answer."""
    padding: bytes
    """Fills the raster that a broken connection left open: otherwise it would swallow the beginning of this job."""
    proof: bytes = b""
    """The questions that end the job."""
    identifier: bytes = b""
    answers: int = 1
    """How many of GS r it takes until one of them is surely this job's."""

    def framed(self, data: bytes) -> bytes:
        """Return the very bytes that leave."""
        return self.padding + data + self.proof


class Device:
    """One printer, one job after the other; it keeps what a job may have left for the next."""

    def __init__(
        self,
        profile: Profile,
        transport: Transport,
        clock: Clock,
        *,
        timeout_seconds: float,
        bytes_per_second: float | None,
        closed_to_us: Callable[[], str | None],
    ) -> None:
        """As of EscPosPrinter."""
        self._profile = profile
        self._transport = transport
        self._clock = clock
        self._timeout = timeout_seconds
        self._rate = bytes_per_second
        self._closed_to_us = closed_to_us
        self.trouble: Trouble | None = None
        """What the job under way is waiting for."""
        self._torn = 0
        """Bytes of an interrupted raster job: the printer may still wait for so many."""
        self._left_behind = False
        """The last job may wait in the printer."""
        self._unanswered = 0
        """Jobs whose GS r may still be answered, on a line that all jobs share: before that of the next job."""
        self._next_id = int(clock.now().timestamp()) % 10_000

    def seconds_for(self, job: bytes) -> float:
        """Return how long a job may take from its first byte to its proof."""
        further_lines = max(0, job.count(b"\n") - USUAL_LINES)
        on_the_line = 0.0 if self._rate is None else len(job) / self._rate
        return self._timeout + max(further_lines / LINES_PER_SECOND, on_the_line)

    async def open(self) -> Line | Verdict:
        """Open the way to the printer and ask whether it is ready; NOT_SENT with the reason where it is not."""
        try:
            connection = await self._clock.within(CONNECT_SECONDS, self._transport.open())
        except (TimeoutError, TransportError) as error:
            return Verdict(Outcome.NOT_SENT, self._unreachable(error))
        line: Line | None = None
        try:
            if self._profile.answers is Answers.NONE:
                line = Line(connection, None, bytes(self._torn))
                return line
            dialogue = Dialogue(connection, self._clock)
            before = await self._ready(dialogue)
            if before is not None:
                return Verdict(Outcome.NOT_SENT, UNREACHABLE if before is CONNECTION_LOST else before)
            identifier, answers = self._identifier(), 1 + self._unanswered
            line = Line(connection, dialogue, bytes(self._torn), self._proof(identifier, answers), identifier, answers)
            return line
        finally:
            if line is None:
                await self.close(connection)

    async def run(self, line: Line, job: bytes) -> Verdict:
        """Send a job that is durable, and wait for its proof."""
        self._torn = 0
        if line.dialogue is None:  # DONE means that it took every byte
            failed = await self._send(line.connection, job, finish=True)
            return failed or Verdict(Outcome.DONE, confirmed=False)
        line.dialogue.begin_job()
        self._left_behind = True  # also of a job that is cancelled
        self._unanswered = min(line.answers, MOST_UNANSWERED)
        end = self._clock.monotonic() + self.seconds_for(job)
        failed = await self._send(line.connection, job)
        if failed is not None:
            self._left_behind = failed.outcome is Outcome.UNKNOWN
            if failed.outcome is Outcome.NOT_SENT:
                self._unanswered = line.answers - 1
            return failed
        verdict = await self._await_proof(line.dialogue, line.identifier, line.answers, end)
        self._left_behind = verdict.outcome is Outcome.UNKNOWN
        if line.dialogue.interpreted or verdict.outcome is Outcome.DONE:
            self._unanswered = 0
        if verdict.trouble is CONNECTION_LOST:
            self._remember_torn(job)
        return verdict

    async def look(self) -> Reading:
        """Ask how the printer is, between jobs."""
        try:
            if self._profile.answers is Answers.NONE:
                await self._clock.within(CONNECT_SECONDS, self._transport.present())
                return Reading()
            connection = await self._clock.within(CONNECT_SECONDS, self._transport.open())
        except (TimeoutError, TransportError) as error:
            return Reading(self._unreachable(error))
        try:
            return await Dialogue(connection, self._clock).read_status()
        finally:
            await self.close(connection)

    async def close(self, connection: Connection) -> None:
        """Close the way, as long as that may take."""
        try:
            await self._clock.within(CLOSE_SECONDS, connection.close())
        except TimeoutError:
            return

    async def _ready(self, dialogue: Dialogue) -> Trouble | None:
        """Return what keeps the printer from printing, and clear what an UNKNOWN job left in it.

        Only while it is offline: once it is ready it has printed that, or is just printing it.
        """
        trouble = (await dialogue.read_status()).trouble
        if trouble is None:
            self._left_behind = False
        elif self._left_behind and self._profile.clears_buffer and trouble not in (NO_ANSWER, CONNECTION_LOST):
            if await dialogue.clear_buffers():
                self._left_behind, self._torn, self._unanswered = False, 0, 0
            trouble = (await dialogue.read_status()).trouble  # clearing ends some errors
        return trouble

    async def _send(self, connection: Connection, job: bytes, *, finish: bool = False) -> Verdict | None:
        """Send the whole job; None where it left, else what is known of it. ``finish``: there will be no proof."""
        try:
            await self._clock.within(self.seconds_for(job), _hand_over(connection, job, drain=finish))
        except TimeoutError:
            if not await self._touched(connection):
                return Verdict(Outcome.NOT_SENT, STALLED)
            self._remember_torn(job)
            return Verdict(Outcome.UNKNOWN, STALLED)
        except TransportError as error:
            if not error.sent:
                return Verdict(Outcome.NOT_SENT, self._unreachable(error))
            self._remember_torn(job)
            return Verdict(Outcome.UNKNOWN, CONNECTION_LOST)
        if finish:
            try:
                await self._clock.within(CLOSE_SECONDS, connection.finish())
            except TimeoutError:
                pass  # many printers never close their side; everything was handed over
            except TransportError:
                self._remember_torn(job)
                return Verdict(Outcome.UNKNOWN, CONNECTION_LOST)
        return None

    async def _await_proof(self, dialogue: Dialogue, identifier: bytes, answers: int, end: float) -> Verdict:
        """Wait for the process ID, or for GS r and a clean status; at ``end`` it is UNKNOWN, with the cause.

        ``answers``: how many of GS r it takes until one of them is surely this job's.
        """
        quiet = GRACE_SECONDS if self._profile.answers is Answers.PROCESS_ID else 0.0
        trouble: Trouble | None = None
        while (left := end - self._clock.monotonic()) > 0:
            if identifier in dialogue.printed:
                return DONE
            interpreted = dialogue.interpreted >= answers
            wait = quiet if interpreted else POLL_SECONDS
            if wait and await dialogue.listen(min(wait, left)):
                continue
            if not dialogue.lost:
                trouble = self.trouble = (await dialogue.read_status()).trouble
                if trouble is None and interpreted:
                    return DONE
                quiet = POLL_SECONDS  # something is wrong: a person mends it, the printer then goes on
            if dialogue.lost:
                return Verdict(Outcome.UNKNOWN, CONNECTION_LOST)
        return Verdict(Outcome.UNKNOWN, trouble or UNCONFIRMED)

    async def _touched(self, connection: Connection) -> bool:
        try:
            return await self._clock.within(CLOSE_SECONDS, connection.touched())
        except TimeoutError:
            return True

    def _unreachable(self, error: Exception) -> Trouble:
        """Return why the way to the printer could not be opened."""
        match error:
            case QueueStopped():
                return QUEUE_STOPPED
            case SpoolerRefused():
                return SPOOLER
            case DeviceInUse():
                return IN_USE
        closed = self._closed_to_us()
        return UNREACHABLE if closed is None else Trouble(NO_RIGHTS, closed)

    def _identifier(self) -> bytes:
        self._next_id = (self._next_id + 1) % 10_000
        return f"{self._next_id:04d}".encode("ascii")

    def _proof(self, identifier: bytes, answers: int) -> bytes:
        """Return the questions that end a job."""
        asks_id = self._profile.answers is Answers.PROCESS_ID
        return (b"\x1d(H\x06\x0000" + identifier if asks_id else b"") + GS_R * answers

    def left_by_an_earlier_run(self, job: bytes) -> None:
        """Take a job whose end nobody saw as one that became UNKNOWN here, its connection lost."""
        self._left_behind = True
        self._unanswered = 1
        self._remember_torn(job)

    def _remember_torn(self, job: bytes) -> None:
        if RASTER in job:
            self._torn = len(job.lstrip(b"\0"))


async def _hand_over(connection: Connection, job: bytes, *, drain: bool) -> None:
    """Write; to a printer that cannot answer, until close() would cut nothing off."""
    await connection.write(job)
    if drain:
        await connection.drained()
