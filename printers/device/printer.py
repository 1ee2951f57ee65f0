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

from agent.ports import Clock, Outcome, PrinterStatus, PrintResult
from printers.device.dialogue import Reading
from printers.device.job import Device, Line, Verdict
from printers.device.status_bytes import BUSY, Trouble
from printers.escpos.qr import Unprintable
from printers.profiles.models import Answers, Profile
from printers.transports.interface import Transport

Encode = Callable[[str], bytes]
Sent = Callable[[str, bytes], Awaitable[None]]


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
        self._profile = profile
        self._clock = clock
        self._timeout = timeout_seconds
        self._device = Device(
            profile,
            transport,
            clock,
            timeout_seconds=timeout_seconds,
            bytes_per_second=bytes_per_second,
            closed_to_us=closed_to_us,
        )
        self._busy = asyncio.Lock()

    @property
    def profile_names(self) -> tuple[str, ...]:
        """Return its own name."""
        return (self.name,)

    @property
    def stuck(self) -> bool:
        """Tell whether the job under way waits for a person (paper, cover) or for a printer gone silent."""
        return self._busy.locked() and self._device.trouble is not None

    def seconds_for(self, job: bytes) -> float:
        """Return how long a job may take from its first byte to its proof."""
        return self._device.seconds_for(job)

    async def print(self, encode: Encode, sent: Sent, *, patience: float | None = None) -> PrintResult:
        """Print one job (agent.ports.Printer). Waits ``patience`` seconds for the job before it, then NOT_SENT."""
        try:
            await self._clock.within(self._timeout if patience is None else patience, self._busy.acquire())
        except TimeoutError:
            return self._result(Verdict(Outcome.NOT_SENT, self._device.trouble or BUSY))
        try:
            data = await asyncio.to_thread(encode, self.name)
            return self._result(await self._job(data, sent))
        except Unprintable as error:
            return self._result(Verdict(Outcome.NOT_SENT, Trouble(error.code, str(error))))
        finally:
            self._release()

    async def reserve(self) -> Reservation | None:
        """Hold the printer for one job where it is free and says that it is ready (agent.ports.Printer)."""
        if self._busy.locked() or self._profile.answers is Answers.NONE:
            return None
        line: Line | Verdict | None = None
        await self._busy.acquire()  # free: there is no wait
        try:
            line = await self._device.open()
        finally:
            if not isinstance(line, Line):
                self._release()
        return Reservation(self, line) if isinstance(line, Line) else None

    async def status(self) -> tuple[PrinterStatus, ...]:
        """Ask the printer (agent.ports.Printer); while it prints, say what that job sees."""
        if self._busy.locked():
            return (self._status(Reading(self._device.trouble)),)
        async with self._busy:
            return (self._status(await self._device.look()),)

    def left_by_an_earlier_run(self, printer: str, data: bytes) -> None:
        """Note what may still be in it (agent.ports.Printer)."""
        if printer == self.name:
            self._device.left_by_an_earlier_run(data)

    async def print_reserved(self, line: Line, job: bytes) -> PrintResult:
        """Print the job of a reservation (Reservation.print)."""
        return self._result(await self._device.run(line, job))

    async def end_reservation(self, line: Line) -> None:
        """Close the way of a reservation and let the next job begin."""
        try:
            await self._device.close(line.connection)
        finally:
            self._release()

    def _release(self) -> None:
        self._device.trouble = None
        self._busy.release()

    async def _job(self, data: bytes, sent: Sent) -> Verdict:
        line = await self._device.open()
        if isinstance(line, Verdict):
            return line
        try:
            job = line.framed(data)
            await sent(self.name, job)
            return await self._device.run(line, job)
        finally:
            await self._device.close(line.connection)

    def _result(self, verdict: Verdict) -> PrintResult:
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


class Reservation:
    """A printer held for one job (agent.ports.ReadyPrinter)."""

    def __init__(self, printer: EscPosPrinter, line: Line) -> None:
        self._printer = printer
        self._line = line
        self._ended = False

    @property
    def name(self) -> str:
        """Return the printer's name."""
        return self._printer.name

    def framed(self, data: bytes) -> bytes:
        """Return the very bytes that leave for the printer with this paper."""
        return self._line.framed(data)

    async def print(self, job: bytes) -> PrintResult:
        """Print what framed() made and the caller has made durable, and let the printer go."""
        if self._ended:
            raise RuntimeError("a printer is held for one job")
        self._ended = True
        try:
            return await self._printer.print_reserved(self._line, job)
        finally:
            await self._printer.end_reservation(self._line)

    async def release(self) -> None:
        """Let the printer go where nothing was printed."""
        if not self._ended:
            self._ended = True
            await self._printer.end_reservation(self._line)
