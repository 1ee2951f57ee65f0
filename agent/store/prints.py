"""The print journal (port Prints)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from agent.domain.errors import NotFound
from agent.domain.lifecycle import PrintState, check_print_move
from agent.ports import PrintJob
from agent.store import codec
from agent.store.unit import UnitConnection


class SqlitePrints:
    """Print jobs inside a transaction.

    Copies are counted over all documents of an invoice; a failed job left no paper and gives its number back.
    """

    def __init__(self, connection: UnitConnection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    async def add(self, invoice_id: str, document: str, label: str) -> PrintJob:
        """New job QUEUED with the next copy number of its invoice."""
        rows = await self._connection.run(
            "print_add",
            {
                "invoice_id": invoice_id,
                "document": document,
                "label": label,
                "created_at": codec.instant(self._now()),
            },
        )
        return codec.read_job(rows[0])

    async def get(self, job_id: int) -> PrintJob:
        """Return one job; NotFound otherwise."""
        rows = await self._connection.run("print_get", {"id": job_id})
        if not rows:
            raise _not_found()
        return codec.read_job(rows[0])

    async def move(
        self,
        job_id: int,
        to: PrintState,
        *,
        printer: str | None = None,
        problem: str | None = None,
        data: bytes | None = None,
    ) -> PrintJob:
        """Move a job; IllegalTransition for a move the lifecycle does not know.

        PRINTING to PRINTING is no move: it only records which printer got which bytes (fallback).
        """
        state = await self._state(job_id)
        if not (state is to is PrintState.PRINTING):
            check_print_move(state, to)
        if to is PrintState.QUEUED:
            rows = await self._connection.run("print_requeue", {"id": job_id})
        else:
            rows = await self._connection.run(
                "print_move",
                {"id": job_id, "state": to.value, "printer": printer, "problem": problem, "data": data},
            )
        return codec.read_job(rows[0])

    async def _state(self, job_id: int) -> PrintState:
        rows = await self._connection.run("print_state", {"id": job_id})
        if not rows:
            raise _not_found()
        return PrintState(rows[0]["state"])

    async def of_invoice(self, invoice_id: str) -> list[PrintJob]:
        """Oldest first."""
        rows = await self._connection.run("print_of_invoice", {"invoice_id": invoice_id})
        return [codec.read_job(row) for row in rows]

    async def summaries(self, invoice_id: str) -> list[PrintJob]:
        """Oldest first, without their bytes."""
        rows = await self._connection.run("print_summaries", {"invoice_id": invoice_id})
        return [codec.read_job(row) for row in rows]

    async def in_state(self, state: PrintState) -> list[PrintJob]:
        """Oldest first."""
        rows = await self._connection.run("print_in_state", {"state": state.value})
        return [codec.read_job(row) for row in rows]

    async def last_of_printers(self) -> list[PrintJob]:
        """Return the newest job of each printer that the last few jobs went to, with its bytes."""
        return [codec.read_job(row) for row in await self._connection.run("print_last_of_printers")]

    async def waiting(self) -> dict[PrintState, int]:
        """How many jobs are queued and printing."""
        found = {row["state"]: row["jobs"] for row in await self._connection.run("print_waiting")}
        return {state: found.get(state.value, 0) for state in (PrintState.QUEUED, PrintState.PRINTING)}


def _not_found() -> NotFound:
    return NotFound("Nie ma takiego wydruku.", code="print-not-found")
