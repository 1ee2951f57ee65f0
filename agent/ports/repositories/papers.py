"""The print journal, and corrections that wait for their base."""

from __future__ import annotations

from typing import Protocol

from agent.domain.lifecycle import HeldState, PrintState
from agent.ports.stored import HeldCorrection, PrintJob


class Prints(Protocol):
    """The print journal."""

    async def add(self, invoice_id: str, document: str, label: str) -> PrintJob:
        """New job QUEUED with the next copy number of its invoice."""
        ...

    async def move(
        self,
        job_id: int,
        to: PrintState,
        *,
        printer: str | None = None,
        problem: str | None = None,
        data: bytes | None = None,
    ) -> PrintJob: ...

    async def of_invoice(self, invoice_id: str) -> list[PrintJob]: ...

    async def summaries(self, invoice_id: str) -> list[PrintJob]:
        """Oldest first, without their bytes."""
        ...

    async def in_state(self, state: PrintState) -> list[PrintJob]:
        """All jobs in a state that is not the last one, oldest first."""
        ...

    async def last_of_printers(self) -> list[PrintJob]:
        """The newest job of each printer that the last few jobs went to, with its bytes."""
        ...

    async def waiting(self) -> dict[PrintState, int]:
        """How many jobs are queued and printing, each named also with 0."""
        ...


class Held(Protocol):
    """Corrections that wait for their base."""

    async def add(self, held: HeldCorrection) -> None: ...

    async def get(self, held_id: str) -> HeldCorrection | None: ...

    async def waiting(self) -> list[HeldCorrection]:
        """Oldest first."""
        ...

    async def of_base(self, base_id: str) -> list[HeldCorrection]:
        """All that name this invoice, a collective one too; oldest first."""
        ...

    async def of_number(self, number: str) -> list[HeldCorrection]:
        """All that name an invoice of this number, held here or not; oldest first."""
        ...

    async def close(
        self, held_id: str, state: HeldState, *, invoice_id: str | None = None, problem: str | None = None
    ) -> None:
        """waiting -> issued or refused."""
        ...
