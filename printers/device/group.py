"""Several printers in fallback order, and none."""

from __future__ import annotations

import asyncio

from agent.ports import Outcome, PrinterStatus, PrintResult
from printers.device.printer import Encode, EscPosPrinter, Reservation, Sent

PATIENCE_SECONDS = 5.0
"""How long a job waits for a busy printer while another could take it: a long receipt on a slow printer."""


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

    async def reserve(self) -> Reservation | None:
        """Hold the first one; what it does not take at once, print() takes to the next."""
        return await self._printers[0].reserve()

    def left_by_an_earlier_run(self, printer: str, data: bytes) -> None:
        """Note what may still be in one of them."""
        for each in self._printers:
            each.left_by_an_earlier_run(printer, data)

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

    async def reserve(self) -> None:
        """Hold nothing."""

    def left_by_an_earlier_run(self, printer: str, data: bytes) -> None:
        """Note nothing."""

    async def status(self) -> tuple[PrinterStatus, ...]:
        """Return nothing."""
        return ()
