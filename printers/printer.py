"""The Printer port: a job goes out, and only the printer's own answer says what became of it (PRINTING section 4).

precheck (DLE EOT 1..4) -> ``sent`` -> bytes, GS ( H, GS r -> wait for the answer.

NOT_SENT  before the first byte of the job: unreachable, out of paper, ...; the next printer may try
DONE      the process ID came back, or GS r was answered and nothing is wrong
UNKNOWN   bytes left and no proof came; never repeated by itself
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agent.ports import Clock, Outcome, PrinterStatus, PrintResult
from printers.profiles import Profile
from printers.transport import Transport

Encode = Callable[[str], bytes]
Sent = Callable[[str, bytes], Awaitable[None]]


class EscPosPrinter:
    """One printer. One job at a time; what does not answer in time is UNKNOWN, never waited for without end."""

    def __init__(
        self, name: str, profile: Profile, transport: Transport, clock: Clock, *, timeout_seconds: float = 20.0
    ) -> None:
        self.name = name
        self._profile = profile
        self._transport = transport
        self._clock = clock
        self._timeout = timeout_seconds

    @property
    def profile_names(self) -> tuple[str, ...]:
        """Return its own name."""
        return (self.name,)

    async def print(self, encode: Encode, sent: Sent) -> PrintResult:
        """Print one job (agent.ports.Printer)."""
        raise NotImplementedError

    async def status(self) -> tuple[PrinterStatus, ...]:
        """Ask the printer (agent.ports.Printer)."""
        raise NotImplementedError


class PrinterGroup:
    """Several printers in fallback order: what surely did not print on one goes to the next."""

    def __init__(self, printers: tuple[EscPosPrinter, ...]) -> None:
        self._printers = printers

    @property
    def profile_names(self) -> tuple[str, ...]:
        """Return the names in fallback order."""
        return tuple(printer.name for printer in self._printers)

    async def print(self, encode: Encode, sent: Sent) -> PrintResult:
        """Print on the first printer that takes it; ``sent`` is awaited once per printer that gets bytes."""
        raise NotImplementedError

    async def status(self) -> tuple[PrinterStatus, ...]:
        """Ask all at the same time."""
        raise NotImplementedError


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
