"""What became of each job: noted in the store, and kept here while that takes nothing (a full disk).

What is kept is noted once there is room, and before the same invoice gets a further job. After a crash the start judges
by the state of the job alone (interrupted.py).
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Final

from agent.domain.errors import Unavailable
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import PrintState
from agent.domain.values import dataclass
from agent.ports import Clock, Outcome, PrintJob, PrintResult, Store, Transaction

PAUSE_SECONDS: Final = 5.0
"""Between two tries to note what is kept."""
STATES: Final = {
    Outcome.DONE: PrintState.PRINTED,
    Outcome.NOT_SENT: PrintState.FAILED,
    Outcome.UNKNOWN: PrintState.UNCERTAIN,
}
PRINT_EVENTS: Final = {
    PrintState.PRINTED: EventKind.PRINT_PRINTED,
    PrintState.FAILED: EventKind.PRINT_FAILED,
    PrintState.UNCERTAIN: EventKind.PRINT_UNCERTAIN,
}
UNDER_WAY: Final = (PrintState.QUEUED, PrintState.PRINTING)


@dataclass(frozen=True, slots=True)
class Noted:
    """A job and its invoice, as they stood when the outcome was noted."""

    job: PrintJob
    record: InvoiceRecord


class PrintOutcomes:
    """Notes them, each once."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._kept: dict[int, tuple[PrintJob, PrintResult]] = {}

    async def note(self, job: PrintJob, result: PrintResult) -> Noted | None:
        """Note it, and return what is known then; None where it is kept, and noted_later() is to be awaited."""
        try:
            return await self._store.write(partial(note_and_read, job, result))
        except Unavailable:
            self._kept[job.id] = (job, result)
            return None

    async def noted_later(self, job: PrintJob) -> PrintJob:
        """Wait until what is kept of this job is in the store; return the job as it is then."""
        while True:
            await self._clock.sleep(PAUSE_SECONDS)
            try:
                done = await self._store.write(partial(_note_once, *self._kept[job.id]))
            except Unavailable:
                continue
            del self._kept[job.id]
            return done

    async def note_kept(self, invoice_id: str, tx: Transaction) -> None:
        """Note what is kept of this invoice: a further job counts the papers that went out before it."""
        for job, result in tuple(self._kept.values()):
            if job.invoice_id == invoice_id:
                await _note_once(job, result, tx)


async def note_and_read(job: PrintJob, result: PrintResult, tx: Transaction) -> Noted:
    """Note in ``tx`` what became of a job, and return both as they stand then."""
    return Noted(await _note(job, result, tx), await tx.invoices.get(job.invoice_id))


async def _note_once(job: PrintJob, result: PrintResult, tx: Transaction) -> PrintJob:
    (now,) = [each for each in await tx.prints.summaries(job.invoice_id) if each.id == job.id]
    return await _note(job, result, tx) if now.state in UNDER_WAY else now


async def _note(job: PrintJob, result: PrintResult, tx: Transaction) -> PrintJob:
    state = STATES[result.outcome]
    done = await tx.prints.move(job.id, state, printer=result.printer or None, problem=result.problem)
    await tx.events.append(
        PRINT_EVENTS[state],
        {
            "job": job.id,
            "printer": result.printer,
            "code": result.code,
            "problem": result.problem,
            "confirmed": result.confirmed,
            "bytes_sha256": None if done.data is None else hashlib.sha256(done.data).hexdigest(),
        },
        job.invoice_id,
    )
    return done
