"""The Printer port: a job goes out, and only the printer's own answer says what became of it.

precheck (DLE EOT) -> ``sent`` -> bytes, GS ( H, GS r -> wait for the answer.

NOT_SENT  before the first byte of the job: unreachable, out of paper, ...; the next printer may try
DONE      the process ID came back, or GS r was answered and nothing is wrong
UNKNOWN   bytes left and no proof came; never repeated by itself. What still waits in the printer (paper out, cover
          open) is cleared before the next job: the old paper must not come out beside the new, marked one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agent.ports import Clock, Outcome, PrinterStatus, PrintResult
from printers.device.dialogue import Dialogue, Reading
from printers.device.status_bytes import (
    BUSY,
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
from printers.escpos.qr import Unprintable
from printers.profiles.models import Answers, Profile
from printers.transports.interface import (
    Connection,
    DeviceInUse,
    QueueStopped,
    SpoolerRefused,
    Transport,
    TransportError,
)

Encode = Callable[[str], bytes]
Sent = Callable[[str, bytes], Awaitable[None]]

CONNECT_SECONDS = 3.0
CLOSE_SECONDS = 2.0
POLL_SECONDS = 1.0
"""Pause between questions while a job waits for its proof."""
GRACE_SECONDS = 4.0
"""After GS r was answered: how long a printer may still be printing before its process ID is given up."""
PATIENCE_SECONDS = 5.0
"""How long a job waits for a busy printer while another could take it: a long receipt on a slow printer."""
USUAL_LINES = 80
"""30 cm of paper: printed within timeout_seconds by any printer."""
LINES_PER_SECOND = 13.0
"""Of the slowest: 50 mm/s at 30 dots a line and 203 dpi. An invoice of thousands of lines is metres of paper."""
GS_R = b"\x1dr\x01"
MOST_UNANSWERED = 3
RASTER = b"\x1dv0"
NO_RIGHTS = "no-rights"


@dataclass(frozen=True, slots=True)
class _Verdict:
    outcome: Outcome
    trouble: Trouble | None = None
    confirmed: bool = True


_DONE = _Verdict(Outcome.DONE)


class EscPosPrinter:
    """One printer. One job at a time; what does not answer in time is UNKNOWN, never waited for without end."""

    def __init__(
        self,
        name: str,
        profile: Profile,
        transport: Transport,
        clock: Clock,
        *,
        timeout_seconds: float = 20.0,
        bytes_per_second: float | None = None,
        closed_to_us: Callable[[], str | None] = lambda: None,
    ) -> None:
        """``bytes_per_second``: of a slow line, None for one that needs no time worth counting.

        ``closed_to_us``: a Polish sentence where the device is there and this user may not open it (permissions.py).
        """
        self.name = name
        self._closed_to_us = closed_to_us
        self._profile = profile
        self._transport = transport
        self._clock = clock
        self._timeout = timeout_seconds
        self._rate = bytes_per_second
        self._busy = asyncio.Lock()
        self._trouble: Trouble | None = None
        """What the job under way is waiting for."""
        self._torn = 0
        """Bytes of an interrupted raster job: the printer may still wait for so many."""
        self._left_behind = False
        """The last job may wait in the printer."""
        self._unanswered = 0
        """Jobs whose GS r may still be answered, on a line that all jobs share: before that of the next job."""
        self._next_id = int(clock.now().timestamp()) % 10_000

    @property
    def profile_names(self) -> tuple[str, ...]:
        """Return its own name."""
        return (self.name,)

    @property
    def stuck(self) -> bool:
        """Tell whether the job under way waits for a person (paper, cover) or for a printer gone silent."""
        return self._busy.locked() and self._trouble is not None

    def seconds_for(self, job: bytes) -> float:
        """Return how long a job may take from its first byte to its proof."""
        further_lines = max(0, job.count(b"\n") - USUAL_LINES)
        on_the_line = 0.0 if self._rate is None else len(job) / self._rate
        return self._timeout + max(further_lines / LINES_PER_SECOND, on_the_line)

    async def print(self, encode: Encode, sent: Sent, *, patience: float | None = None) -> PrintResult:
        """Print one job (agent.ports.Printer). Waits ``patience`` seconds for the job before it, then NOT_SENT."""
        try:
            await self._clock.within(self._timeout if patience is None else patience, self._busy.acquire())
        except TimeoutError:
            return self._result(_Verdict(Outcome.NOT_SENT, self._trouble or BUSY))
        try:
            data = await asyncio.to_thread(encode, self.name)
            return self._result(await self._job(data, sent))
        except Unprintable as error:
            return self._result(_Verdict(Outcome.NOT_SENT, Trouble(error.code, str(error))))
        finally:
            self._trouble = None
            self._busy.release()

    async def status(self) -> tuple[PrinterStatus, ...]:
        """Ask the printer (agent.ports.Printer); while it prints, say what that job sees."""
        if self._busy.locked():
            return (self._status(Reading(self._trouble)),)
        async with self._busy:
            return (self._status(await self._look()),)

    # --- one job ------------------------------------------------------------------------------------------

    async def _job(self, data: bytes, sent: Sent) -> _Verdict:
        try:
            connection = await self._clock.within(CONNECT_SECONDS, self._transport.open())
        except (TimeoutError, TransportError) as error:
            return _Verdict(Outcome.NOT_SENT, self._unreachable(error))
        try:
            if self._profile.answers is Answers.NONE:
                return await self._hand_over(connection, data, sent)
            return await self._converse(connection, data, sent)
        finally:
            await self._close(connection)

    async def _hand_over(self, connection: Connection, data: bytes, sent: Sent) -> _Verdict:
        """Print on a printer that cannot answer: DONE means it took every byte."""
        job = self._padded(data)
        await sent(self.name, job)
        failed = await self._send(connection, job, finish=True)
        if failed is not None:
            return failed
        return _Verdict(Outcome.DONE, confirmed=False)

    async def _converse(self, connection: Connection, data: bytes, sent: Sent) -> _Verdict:
        dialogue = Dialogue(connection, self._clock)
        before = await self._ready(dialogue)
        if before is not None:
            return _Verdict(Outcome.NOT_SENT, UNREACHABLE if before is CONNECTION_LOST else before)
        identifier = self._identifier()
        answers = 1 + self._unanswered
        job = self._padded(data) + self._proof(identifier, answers)
        await sent(self.name, job)
        dialogue.begin_job()
        self._left_behind = True  # also of a job that is cancelled
        self._unanswered = min(answers, MOST_UNANSWERED)
        end = self._clock.monotonic() + self.seconds_for(job)
        failed = await self._send(connection, job)
        if failed is not None:
            self._left_behind = failed.outcome is Outcome.UNKNOWN
            if failed.outcome is Outcome.NOT_SENT:
                self._unanswered = answers - 1
            return failed
        verdict = await self._await_proof(dialogue, identifier, answers, end)
        self._left_behind = verdict.outcome is Outcome.UNKNOWN
        if dialogue.interpreted or verdict.outcome is Outcome.DONE:
            self._unanswered = 0
        if verdict.trouble is CONNECTION_LOST:
            self._remember_torn(job)
        return verdict

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

    async def _send(self, connection: Connection, job: bytes, *, finish: bool = False) -> _Verdict | None:
        """Send the whole job; None where it left, else what is known of it."""
        try:
            await self._clock.within(self.seconds_for(job), connection.write(job))
        except TimeoutError:
            if not await self._touched(connection):
                return _Verdict(Outcome.NOT_SENT, STALLED)
            self._remember_torn(job)
            return _Verdict(Outcome.UNKNOWN, STALLED)
        except TransportError as error:
            if not error.sent:
                return _Verdict(Outcome.NOT_SENT, self._unreachable(error))
            self._remember_torn(job)
            return _Verdict(Outcome.UNKNOWN, CONNECTION_LOST)
        if finish:
            try:
                await self._clock.within(CLOSE_SECONDS, connection.finish())
            except TimeoutError:
                pass  # many printers never close their side; everything was handed over
            except TransportError:
                self._remember_torn(job)
                return _Verdict(Outcome.UNKNOWN, CONNECTION_LOST)
        return None

    async def _await_proof(self, dialogue: Dialogue, identifier: bytes, answers: int, end: float) -> _Verdict:
        """Wait for the process ID, or for GS r and a clean status; at ``end`` it is UNKNOWN, with the cause.

        ``answers``: how many of GS r it takes until one of them is surely this job's.
        """
        quiet = GRACE_SECONDS if self._profile.answers is Answers.PROCESS_ID else 0.0
        trouble: Trouble | None = None
        while (left := end - self._clock.monotonic()) > 0:
            if identifier in dialogue.printed:
                return _DONE
            interpreted = dialogue.interpreted >= answers
            wait = quiet if interpreted else POLL_SECONDS
            if wait and await dialogue.listen(min(wait, left)):
                continue
            if not dialogue.lost:
                trouble = self._trouble = (await dialogue.read_status()).trouble
                if trouble is None and interpreted:
                    return _DONE
                quiet = POLL_SECONDS  # something is wrong: a person mends it, the printer then goes on
            if dialogue.lost:
                return _Verdict(Outcome.UNKNOWN, CONNECTION_LOST)
        return _Verdict(Outcome.UNKNOWN, trouble or UNCONFIRMED)

    async def _touched(self, connection: Connection) -> bool:
        try:
            return await self._clock.within(CLOSE_SECONDS, connection.touched())
        except TimeoutError:
            return True

    async def _close(self, connection: Connection) -> None:
        try:
            await self._clock.within(CLOSE_SECONDS, connection.close())
        except TimeoutError:
            return

    # --- small things ------------------------------------------------------------------------------------

    async def _look(self) -> Reading:
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
            await self._close(connection)

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

    def _padded(self, data: bytes) -> bytes:
        """Fill the raster a broken connection left open: otherwise it would swallow the beginning of this job."""
        torn, self._torn = self._torn, 0
        return bytes(torn) + data

    def _remember_torn(self, job: bytes) -> None:
        if RASTER in job:
            self._torn = len(job.lstrip(b"\0"))

    def _result(self, verdict: _Verdict) -> PrintResult:
        trouble = verdict.trouble
        problem = None if trouble is None else f"Drukarka „{self.name}”: {trouble.message}"
        return PrintResult(
            verdict.outcome, self.name, problem, None if trouble is None else trouble.code, verdict.confirmed
        )

    def _status(self, reading: Reading) -> PrinterStatus:
        trouble = reading.trouble
        return PrinterStatus(
            self.name,
            online=trouble is None,
            problem=None if trouble is None else f"Drukarka „{self.name}”: {trouble.message}",
            code=None if trouble is None else trouble.code,
            near_end=reading.near_end,
        )


class PrinterGroup:
    """Several printers in fallback order: what surely did not print on one goes to the next."""

    def __init__(self, printers: tuple[EscPosPrinter, ...]) -> None:
        if not printers:
            raise ValueError("a group needs a printer")
        self._printers = printers

    @property
    def profile_names(self) -> tuple[str, ...]:
        """Return the names in fallback order."""
        return tuple(printer.name for printer in self._printers)

    async def print(self, encode: Encode, sent: Sent) -> PrintResult:
        """Print on the first printer that takes it; ``sent`` is awaited once per printer that gets bytes.

        Where none took it, the first printer's trouble is the answer: that is the one to mend.
        """
        first: PrintResult | None = None
        for index, printer in enumerate(self._printers):
            is_last = index == len(self._printers) - 1
            patience = None if is_last else (0.0 if printer.stuck else PATIENCE_SECONDS)
            result = await printer.print(encode, sent, patience=patience)
            if result.outcome is not Outcome.NOT_SENT:
                return result
            first = first or result
        assert first is not None
        return first

    async def status(self) -> tuple[PrinterStatus, ...]:
        """Ask all at the same time."""
        answers = await asyncio.gather(*(printer.status() for printer in self._printers))
        return tuple(status for answer in answers for status in answer)


class NoPrinter:
    """A till without a printer: the document is there as PDF."""

    @property
    def profile_names(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    async def print(self, encode: Encode, sent: Sent) -> PrintResult:
        """Return NOT_SENT; nothing is encoded."""
        return PrintResult(
            Outcome.NOT_SENT,
            printer="",
            problem="Nie skonfigurowano drukarki. Dokument jest dostępny jako PDF.",
            code="no-printer",
        )

    async def status(self) -> tuple[PrinterStatus, ...]:
        """Return nothing."""
        return ()
