"""Put an invoice on paper: job committed, bytes committed, printed, outcome committed.

Where the printer is held for it (ready_printer), the first two are one commit, which makes the document as well.

Crash windows, and what heals them:
  invoice durable, no job yet       restart adds one and marks it failed, as the next
  job queued, nothing left yet      restart marks it failed; the cashier presses again, or reprint: copy 1
  bytes left, outcome not stored    restart marks it uncertain; only a person decides, the new print is marked
  job failed, to be retried         it stays failed, the retries end with the process; the cashier presses reprint
A defect of this program in the middle of a job ends the job in the same two ways, without a restart. What the store
cannot take at that moment it gets later (outcomes.py): a full disk costs no paper and makes no second one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from functools import partial

from agent.domain.calendar import local_date
from agent.domain.errors import AgentError, StoreLost, Unavailable
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord
from agent.domain.lifecycle import PrintState
from agent.domain.paper.compose import PaperChoice
from agent.domain.paper.receipt import Align, Receipt, Rule, Text
from agent.domain.rejection import number_taken
from agent.domain.values import dataclass
from agent.ports import (
    Clock,
    Metrics,
    Outcome,
    Printer,
    PrintJob,
    PrintResult,
    ReadyPrinter,
    ReceiptRenderer,
    Store,
    Transaction,
)
from agent.services.background import BackgroundTasks
from agent.services.paper import interrupted
from agent.services.paper.outcomes import Noted, PrintOutcomes
from agent.services.paper.papers import InvoicePapers
from agent.services.signals import Signal

RETRY_PAUSES = (2.0, 3.0, 5.0, 5.0, 10.0, 10.0, 15.0, 15.0, 30.0, 30.0)
"""Seconds before each silent retry of a job that surely did not print (about two minutes in all)."""
PAPER_SECONDS = 45.0
"""How long a press or a reprint waits for its paper; the answer then says that it is being printed."""
READY_SECONDS = 0.25
"""How long a press waits for the printer's word before it is durable; printers answer within milliseconds."""
MOST_IN_TRANSACTION = 256 * 1024
"""Bytes of a document whose paper is made inside its transaction: some hundred lines, a few milliseconds."""
SHOP_COPY = "Egzemplarz sprzedawcy"
DEFECT = PrintResult(Outcome.NOT_SENT, "", "Wydruk przerwał błąd programu. Wezwij serwis.", "defect")


@dataclass(frozen=True, slots=True)
class Leaving:
    """The bytes of a job that one transaction queued and marked as printing, and the printer that is held for them."""

    printer: ReadyPrinter
    data: bytes


@dataclass(frozen=True, slots=True)
class QueuedPrint:
    """A durable job, and what it is to print."""

    record: InvoiceRecord
    choice: PaperChoice
    job: PrintJob
    leaving: Leaving | None = None


@dataclass(frozen=True, slots=True)
class PrintTrouble:
    """Why the newest job did not print."""

    job_id: int
    result: PrintResult


class Printing:
    """Prints invoices; what paper, papers.py says."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        papers: InvoicePapers,
        printer: Printer,
        renderer: ReceiptRenderer,
        tasks: BackgroundTasks,
        metrics: Metrics,
        changed: Signal,
        copies: int,
    ) -> None:
        """``copies``: of each job, the shop's own included."""
        self._store = store
        self._clock = clock
        self._papers = papers
        self._printer = printer
        self._renderer = renderer
        self._tasks = tasks
        self._metrics = metrics
        self._changed = changed
        self._copies = copies
        self._outcomes = PrintOutcomes(store, clock)
        self.trouble: PrintTrouble | None = None
        """None when the newest job went well."""

    async def recover(self) -> None:
        """Note what a crash left behind, in the store and in the printers; called once at start."""
        await self._store.write(self._note_restart)
        for job in await self._store.read(lambda tx: tx.prints.last_of_printers()):
            if job.state is PrintState.UNCERTAIN and job.printer is not None and job.data is not None:
                self._printer.left_by_an_earlier_run(job.printer, job.data)

    async def _note_restart(self, tx: Transaction) -> None:
        await interrupted.end_jobs(tx)
        for invoice_id in await interrupted.without_job(tx):
            await interrupted.never_printed((await self.queue(invoice_id, tx)).job, tx)

    async def print_at_counter(self, queued: QueuedPrint) -> Noted | None:
        """Print a durable job, and wait for the paper as long as a customer would; metres of it come out later.

        None: it is still printing, or the store does not know yet what became of it.
        """
        invoice_id = queued.job.invoice_id
        printing = self._tasks.start(f"print-{invoice_id}", self.print_queued(queued), awaited=True)
        try:
            return await self._clock.within(PAPER_SECONDS, asyncio.shield(printing))
        except TimeoutError:
            self._tasks.start(f"paper-{invoice_id}", _rest_of(printing))
            return None

    @contextlib.asynccontextmanager
    async def ready_printer(self, *, wanted: bool = True) -> AsyncIterator[ReadyPrinter | None]:
        """Hold the printer for the document that is about to be made; None where it does not answer at once.

        With it, one transaction makes the document and marks its bytes as leaving; release_unused() follows. Where the
        newest job did not print, nobody waits for the printer before the document is durable.
        """
        ready = None
        if wanted and self.trouble is None:
            with contextlib.suppress(TimeoutError):
                ready = await self._clock.within(READY_SECONDS, self._printer.reserve())
        try:
            yield ready
        finally:
            if ready is not None:
                await ready.release()

    async def queue(self, invoice_id: str, tx: Transaction, ready: ReadyPrinter | None = None) -> QueuedPrint:
        """Add a job for the paper of now; with a printer that is held for it, its bytes as well."""
        await self._outcomes.note_kept(invoice_id, tx)
        return await self.queue_of(await tx.invoices.get(invoice_id), tx, ready)

    async def queue_of(self, record: InvoiceRecord, tx: Transaction, ready: ReadyPrinter | None = None) -> QueuedPrint:
        """Do the same of an invoice that was just made, or read."""
        choice = self._papers.choice(record)
        job = await tx.prints.add(record.id, choice.document, choice.label)
        await tx.events.append(
            EventKind.PRINT_QUEUED,
            {"job": job.id, "document": choice.document, "label": choice.label, "copy": job.copy},
            record.id,
        )
        queued = QueuedPrint(record, choice, job)
        if ready is None or len(record.stored_xml) > MOST_IN_TRANSACTION:
            return queued
        return await self._marked(queued, ready, tx)

    async def _marked(self, queued: QueuedPrint, ready: ReadyPrinter, tx: Transaction) -> QueuedPrint:
        try:
            data = ready.framed(self._bytes(self._receipt(queued), ready.name))
        except Exception:  # noqa: BLE001 - no document is refused for its paper: the job itself fails, and tells
            return queued
        job = await tx.prints.move(queued.job.id, PrintState.PRINTING, printer=ready.name, data=data)
        return replace(queued, job=job, leaving=Leaving(ready, data))

    async def print_queued(self, queued: QueuedPrint) -> Noted | None:
        """Print a durable job; one that surely did not print is retried silently in the background.

        None: the store hears later what became of it.
        """
        noted = await self._attempt(queued)
        if noted is not None and noted.job.state is PrintState.FAILED and self._printer.profile_names:
            self._tasks.start(f"print-retry-{noted.job.id}", self._retry(replace(queued, job=noted.job)))
        return noted

    async def _attempt(self, queued: QueuedPrint) -> Noted | None:
        job = queued.job
        marks = _Marks(self._store, job.id, times=0 if queued.leaving is None else 1)
        try:
            result = None if queued.leaving is None else await queued.leaving.printer.print(queued.leaving.data)
            if result is None or result.outcome is Outcome.NOT_SENT:
                result = await self._printer.print(partial(self._bytes, self._receipt(queued)), marks.note)
        except StoreLost:
            raise
        except AgentError as error:
            # The document is durable; that this printer cannot print it is trouble of the paper only.
            result = PrintResult(Outcome.NOT_SENT, self._renderer.default, str(error), "unprintable")
        except Exception:
            await self._finish(queued, replace(DEFECT, outcome=Outcome.UNKNOWN) if marks.times else DEFECT)
            raise
        return await self._finish(queued, result)

    def _receipt(self, queued: QueuedPrint) -> Receipt:
        again_on = local_date(self._clock.now()) if queued.job.copy > 1 else None
        return self._papers.receipt(queued.record, queued.choice, queued.job.copy, again_on=again_on)

    def _bytes(self, receipt: Receipt, printer: str) -> bytes:
        """Return the bytes of one job: the customer's slip, and the shop's where the setting asks for more."""
        data = self._renderer.encode(printer, receipt)
        if self._copies > 1:
            mark = (Text(SHOP_COPY, Align.CENTER, bold=True, tall=True), Rule())
            own = replace(receipt, elements=(*mark, *receipt.elements), open_drawer=False)
            data += self._renderer.encode(printer, own) * (self._copies - 1)
        return data

    async def _finish(self, queued: QueuedPrint, result: PrintResult) -> Noted | None:
        job = queued.job
        self.trouble = None if result.outcome is Outcome.DONE else PrintTrouble(job.id, result)
        self._metrics.printed(result.outcome.value)
        noted = await self._outcomes.note(job, result)
        if noted is None:
            self._tasks.start(f"print-outcome-{job.id}", self._finish_later(queued))
        self._changed.set()
        return noted

    async def _finish_later(self, queued: QueuedPrint) -> None:
        """Note what became of a job once the store takes it; go on as print_queued() where somebody may still wait."""
        begun = self._clock.monotonic()
        job = await self._outcomes.noted_later(queued.job)
        self._changed.set()
        waited = self._clock.monotonic() - begun
        if job.state is PrintState.FAILED and self._printer.profile_names and waited < sum(RETRY_PAUSES):
            await self._retry(replace(queued, job=job))

    async def _retry(self, queued: QueuedPrint) -> None:
        for pause in RETRY_PAUSES:
            await self._clock.sleep(pause)
            try:
                again = await self._store.write(partial(self._queue_again, queued))
                if again is None:
                    return
                noted = await self._attempt(again)
            except Unavailable:
                continue  # a full disk
            if noted is None or noted.job.state is not PrintState.FAILED:
                return
            queued = replace(again, job=noted.job)

    async def _queue_again(self, queued: QueuedPrint, tx: Transaction) -> QueuedPrint | None:
        """Queue the job again, or a new one where another paper is right by now (the number arrived).

        None where it is not to be printed again: the cashier pressed reprint, which made a newer job, or bytes may
        have left. All in one transaction, so no reprint falls between the look and the queue.
        """
        job = queued.job
        newest = max(await tx.prints.summaries(job.invoice_id), key=lambda other: other.id)
        if newest.id != job.id or newest.state not in (PrintState.FAILED, PrintState.QUEUED):
            return None
        record = await tx.invoices.get(job.invoice_id)
        if number_taken(record):
            return None
        if self._papers.choice(record) == queued.choice:
            return QueuedPrint(record, queued.choice, await _queued(newest, tx))
        if newest.state is PrintState.QUEUED:
            await tx.prints.move(job.id, PrintState.FAILED)
        return await self.queue(job.invoice_id, tx)


async def release_unused(ready: ReadyPrinter | None, papers: Iterable[QueuedPrint]) -> None:
    """Let the printer go where none of these papers leaves on it: what is printed next takes its turn as any job."""
    if ready is not None and not any(paper.leaving for paper in papers):
        await ready.release()


class _Marks:
    """Makes the bytes of a job durable before they leave, and knows whether any have."""

    def __init__(self, store: Store, job_id: int, times: int) -> None:
        """``times``: how often they were marked as leaving before."""
        self._store = store
        self._job_id = job_id
        self.times = times

    async def note(self, printer: str, data: bytes) -> None:
        """Note that these bytes are about to leave for this printer; more than once where one falls back to another."""
        self.times += 1
        await self._store.write(partial(_note_leaving, self._job_id, printer, data, self.times > 1))


async def _note_leaving(job_id: int, printer: str, data: bytes, fallback: bool, tx: Transaction) -> None:
    if fallback:
        await tx.prints.move(job_id, PrintState.FAILED)
        await tx.prints.move(job_id, PrintState.QUEUED)
    await tx.prints.move(job_id, PrintState.PRINTING, printer=printer, data=data)


async def _rest_of(printing: asyncio.Task[Noted | None]) -> None:
    """Await what nobody waits for any more, so that its defects are not lost."""
    await printing


async def _queued(job: PrintJob, tx: Transaction) -> PrintJob:
    return job if job.state is PrintState.QUEUED else await tx.prints.move(job.id, PrintState.QUEUED)
