"""What the printers say of themselves, and what their newest job says of them."""

from __future__ import annotations

from dataclasses import replace

from agent.ports import Printer, PrinterStatus
from agent.services.paper.printing import Printing
from agent.services.signals import Signal


class PrinterStates:
    """Asks every printer from time to time; screens look at the newest answers."""

    def __init__(self, printer: Printer, printing: Printing, changed: Signal) -> None:
        self._printer = printer
        self._printing = printing
        self._changed = changed
        self._answers: tuple[PrinterStatus, ...] = ()
        self._told_job: int | None = None
        """The failed job whose trouble a printer itself told of: its own word counts from then on."""

    @property
    def unknown(self) -> bool:
        """Whether there are printers and none was asked yet."""
        return not self._answers and bool(self._printer.profile_names)

    async def ask(self) -> None:
        """Ask every printer how it is; finite in time."""
        self._answers = await self._printer.status()
        trouble = self._printing.trouble
        if trouble is not None and any(status.problem is not None for status in self._answers):
            self._told_job = trouble.job_id
        self._changed.set()

    def now(self) -> tuple[PrinterStatus, ...]:
        """Return what the printers say; one that calls itself well while its newest job failed is not."""
        trouble = self._printing.trouble
        if trouble is None or trouble.job_id == self._told_job:
            return self._answers
        result = trouble.result
        problem = result.problem or "Ostatni wydruk się nie udał."
        return tuple(
            replace(status, problem=problem, code=result.code)
            if status.name == result.printer and status.problem is None
            else status
            for status in self._answers
        )
