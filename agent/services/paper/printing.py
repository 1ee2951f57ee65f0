"""Put an invoice on paper: job committed, bytes committed, printed, outcome committed.

Crash windows, and what heals them:
  job queued, nothing left yet      restart marks it failed; the cashier presses reprint, copy 1 again
  bytes left, outcome not stored    restart marks it uncertain; only a person decides, the new print is marked
  job failed, to be retried         it stays failed, the retries end with the process; the cashier presses reprint
A defect of this program in the middle of a job settles the job in the same two ways, without a restart.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from functools import partial

from agent.domain.errors import AgentError, DocumentDamaged, NotFound, StoreLost, Unavailable
from agent.domain.fa3.view import read
from agent.domain.invoice import InvoiceRecord, Mode
from agent.domain.lifecycle import PrintState
from agent.domain.links import names_document
from agent.domain.paper.compose import PaperChoice, PaperFacts, choose, compose
from agent.domain.paper.receipt import Align, Receipt, Rule, Text
from agent.domain.rejection import number_taken, taken_refusal
from agent.ports import InvoiceChange, Outcome, PrintJob, PrintResult, Transaction
from agent.services.desk import Desk

RETRY_PAUSES = (2.0, 3.0, 5.0, 5.0, 10.0, 10.0, 15.0, 15.0, 30.0, 30.0)
"""Seconds before each silent retry of a job that surely did not print (about two minutes in all)."""
PAPER_SECONDS = 45.0
"""How long a press or a reprint waits for its paper; the answer then says that it is being printed."""
SHOP_COPY = "Egzemplarz sprzedawcy"
RESTARTED = "Program został ponownie uruchomiony przed wydrukiem. Użyj „Drukuj teraz”."
DEFECT = PrintResult(Outcome.NOT_SENT, "", "Wydruk przerwał błąd programu. Wezwij serwis.", "defect")
RESTARTED_WHILE_PRINTING = "Program został ponownie uruchomiony w trakcie wydruku. Sprawdź, czy papier wyszedł."


class Printing:
    """Chooses the paper by what is known now, and prints it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.trouble: PrintResult | None = None
        """The newest job's problem, None when the newest job went well."""

    async def recover(self) -> None:
        """Settle what a crash left behind; called once at start."""

        async def work(tx: Transaction) -> None:
            for job in await tx.prints.in_state(PrintState.PRINTING):
                await tx.prints.move(job.id, PrintState.UNCERTAIN, problem=RESTARTED_WHILE_PRINTING)
                await tx.events.append("print_uncertain", {"job": job.id, "why": "restart"}, job.invoice_id)
            for job in await tx.prints.in_state(PrintState.QUEUED):
                await tx.prints.move(job.id, PrintState.FAILED, problem=RESTARTED)
                await tx.events.append("print_failed", {"job": job.id, "why": "restart"}, job.invoice_id)

        await self._desk.store.write(work)

    def choice(self, record: InvoiceRecord) -> PaperChoice:
        """Which paper this invoice gets now (docs/law.md, section 2)."""
        return choose(
            PaperFacts(
                mode=record.mode,
                buyer=record.buyer.kind,
                number=record.number,
                kind=record.kind,
                ksef_number=record.ksef_number,
                certificate_link=record.link_certificate is not None,
                offline_domestic=self._desk.settings.paper.offline_domestic,
            )
        )

    def receipt(self, record: InvoiceRecord, choice: PaperChoice, copy: int) -> Receipt:
        """Compose the slip from the stored bytes.

        NotFound where they were exported and removed, DocumentDamaged where they or the codes are not what was issued,
        Conflict where KSeF has the number from another document.
        """
        if (refusal := taken_refusal(record)) is not None:
            raise refusal
        if not record.xml:
            raise exported(record)
        codes = [code for code in (record.link_invoice, record.link_certificate) if code is not None]
        if not all(names_document(code, record.sha256) for code in codes):
            raise DocumentDamaged(f"Faktura {record.number}")
        return compose(
            read(record.xml),
            choice,
            copy=copy,
            link_invoice=record.link_invoice,
            link_certificate=record.link_certificate,
            footer=self._desk.settings.paper.footer,
            open_drawer=self._desk.settings.paper.open_drawer and copy == 1,
        )

    async def print(self, invoice_id: str) -> PrintJob:
        """Print once; a job that surely did not print is retried silently in the background."""

        record, choice, job = await self._desk.store.write(partial(self._begin, invoice_id))
        job = await self._attempt(record, choice, job)
        if job.state is PrintState.FAILED and self._desk.printer.profile_names:
            self._desk.tasks.start(f"print-retry-{job.id}", self._retry(choice, job))
        return job

    async def print_at_counter(self, invoice_id: str) -> None:
        """Print, and wait for the paper as long as a customer would; metres of it come out behind the answer."""
        printing = self._desk.tasks.start(f"print-{invoice_id}", self.print(invoice_id), awaited=True)
        try:
            await self._desk.clock.within(PAPER_SECONDS, asyncio.shield(printing))
        except TimeoutError:
            self._desk.tasks.start(f"paper-{invoice_id}", _rest_of(printing))

    async def _begin(self, invoice_id: str, tx: Transaction) -> tuple[InvoiceRecord, PaperChoice, PrintJob]:
        record = await tx.invoices.get(invoice_id)
        choice = self.choice(record)
        if choice.mode is not record.mode:
            record = await self._treated_as(tx, record, choice.mode)
        job = await tx.prints.add(invoice_id, choice.document, choice.label)
        await tx.events.append(
            "print_queued",
            {"job": job.id, "document": choice.document, "label": choice.label, "copy": job.copy},
            invoice_id,
        )
        return record, choice, job

    async def _treated_as(self, tx: Transaction, record: InvoiceRecord, mode: Mode) -> InvoiceRecord:
        reason = "Numer KSeF nie nadszedł przed wydaniem dokumentu nabywcy spoza KSeF (art. 106gb ust. 4)."
        await tx.events.append("mode", {"from": record.mode, "to": mode, "reason": reason}, record.id)
        return await tx.invoices.note(record.id, InvoiceChange(mode=mode, reason=reason))

    async def _attempt(self, record: InvoiceRecord, choice: PaperChoice, job: PrintJob) -> PrintJob:
        leaves = 0

        async def leaving(printer: str, data: bytes) -> None:
            nonlocal leaves
            leaves += 1
            fallback = leaves > 1

            async def work(tx: Transaction) -> None:
                if fallback:
                    await tx.prints.move(job.id, PrintState.FAILED)
                    await tx.prints.move(job.id, PrintState.QUEUED)
                await tx.prints.move(job.id, PrintState.PRINTING, printer=printer, data=data)

            await self._desk.store.write(work)

        try:
            receipt = self.receipt(record, choice, job.copy)
            result = await self._desk.printer.print(lambda name: self._bytes(name, receipt), leaving)
        except StoreLost:
            raise
        except AgentError as error:
            # The document is durable; that this printer can not print it is trouble of the paper only.
            result = PrintResult(Outcome.NOT_SENT, self._desk.renderer.default, str(error), "unprintable")
        except Exception:
            await self._finish(job, DEFECT if leaves == 0 else replace(DEFECT, outcome=Outcome.UNKNOWN))
            raise
        return await self._finish(job, result)

    def _bytes(self, printer: str, receipt: Receipt) -> bytes:
        """Return the bytes of one job: the customer's slip, and the shop's where the setting asks for more."""
        data = self._desk.renderer.encode(printer, receipt)
        further = self._desk.settings.paper.copies - 1
        if further > 0:
            mark = (Text(SHOP_COPY, Align.CENTER, bold=True, tall=True), Rule())
            own = replace(receipt, elements=(*mark, *receipt.elements), open_drawer=False)
            data += self._desk.renderer.encode(printer, own) * further
        return data

    async def _finish(self, job: PrintJob, result: PrintResult) -> PrintJob:
        self.trouble = None if result.outcome is Outcome.DONE else result
        self._desk.metrics.printed(result.outcome.value)
        state = {
            Outcome.DONE: PrintState.PRINTED,
            Outcome.NOT_SENT: PrintState.FAILED,
            Outcome.UNKNOWN: PrintState.UNCERTAIN,
        }[result.outcome]

        async def work(tx: Transaction) -> PrintJob:
            done = await tx.prints.move(job.id, state, printer=result.printer or None, problem=result.problem)
            await tx.events.append(
                f"print_{state.value}",
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

        done = await self._desk.store.write(work)
        self._desk.changed.set()
        return done

    async def _retry(self, choice: PaperChoice, job: PrintJob) -> None:
        for pause in RETRY_PAUSES:
            await self._desk.clock.sleep(pause)
            try:
                again = await self._desk.store.write(partial(self._again, choice, job))
                if again is None:
                    return
                record, choice, job = again
                job = await self._attempt(record, choice, job)
            except Unavailable:
                continue  # a full disk
            if job.state is not PrintState.FAILED:
                return

    async def _again(
        self, choice: PaperChoice, job: PrintJob, tx: Transaction
    ) -> tuple[InvoiceRecord, PaperChoice, PrintJob] | None:
        """Queue the job again, or a new one where another paper is right by now (the number arrived).

        None where it is not to be printed again: the cashier pressed reprint, which made a newer job, or bytes may
        have left. All in one transaction, so no reprint falls between the look and the queue.
        """
        newest = max(await tx.prints.of_invoice(job.invoice_id), key=lambda other: other.id)
        if newest.id != job.id or newest.state not in (PrintState.FAILED, PrintState.QUEUED):
            return None
        record = await tx.invoices.get(job.invoice_id)
        if number_taken(record.state, record.rejection):
            return None
        if self.choice(record) == choice:
            return record, choice, await _queued(newest, tx)
        if newest.state is PrintState.QUEUED:
            await tx.prints.move(job.id, PrintState.FAILED)
        return await self._begin(job.invoice_id, tx)


def exported(record: InvoiceRecord) -> NotFound:
    """Return the refusal for content that is in the archive and no longer here."""
    return NotFound(
        f"Treść dokumentu {record.number} wyeksportowano i usunięto z kasy; jest w archiwum.", code="exported"
    )


async def _rest_of(printing: asyncio.Task[PrintJob]) -> None:
    """Await what nobody waits for any more, so that its defects are not lost."""
    await printing


async def _queued(job: PrintJob, tx: Transaction) -> PrintJob:
    return job if job.state is PrintState.QUEUED else await tx.prints.move(job.id, PrintState.QUEUED)
