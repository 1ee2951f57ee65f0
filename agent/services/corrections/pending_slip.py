"""The slip that tells a customer that a correction is queued. It is no invoice and has no print job: the log remembers.

slip_printing   the bytes are about to leave
slip_printed    the printer says that they are on paper
slip_failed     they are not, or nobody knows ("outcome")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.domain.calendar import local_date
from agent.domain.corrections.parse import Correction
from agent.domain.fa3.view import read
from agent.domain.invoice import InvoiceRecord
from agent.domain.paper.compose import HeldCorrection as HeldSlip
from agent.domain.paper.compose import compose_held_correction
from agent.domain.paper.receipt import Receipt
from agent.ports import Event, HeldCorrection, Json, Outcome, Transaction
from agent.services.desk import Desk


class Slips:
    """Prints them: once at the press, again when a person asks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def print(self, held: HeldCorrection, correction: Correction) -> None:
        """Print one to its end, whoever stops waiting; every copy after the first is marked."""
        receipt = await self._receipt(held, correction)
        await self._desk.tasks.run(f"slip-{held.id}", self._print(held, receipt))

    async def _receipt(self, held: HeldCorrection, correction: Correction) -> Receipt:
        async def look(tx: Transaction) -> tuple[InvoiceRecord, list[Event]]:
            return await tx.invoices.get(held.base_id), await tx.events.of_invoice(held.base_id)

        record, events = await self._desk.store.read(look)
        view = read(record.xml)
        slip = HeldSlip(
            seller=view.seller,
            buyer=view.buyer,
            base_number=record.number,
            base_issued_on=record.issued_on,
            accepted_on=local_date(held.created_at),
            reason=correction.reason,
            difference=correction.totals.gross,
            currency=correction.currency,
        )
        copy = handed_out(of_slip(events, held.id)) + 1
        return compose_held_correction(slip, copy=copy, footer=self._desk.settings.paper.footer)

    async def _print(self, held: HeldCorrection, receipt: Receipt) -> None:
        async def leaving(printer: str, data: bytes) -> None:
            await self._note(held, "slip_printing", {"held": held.id, "printer": printer, "bytes": len(data)})

        result = await self._desk.printer.print(lambda name: self._desk.renderer.encode(name, receipt), leaving)
        done = result.outcome is Outcome.DONE
        facts = {"held": held.id, "problem": result.problem, "outcome": result.outcome.value}
        await self._note(held, "slip_printed" if done else "slip_failed", facts)

    async def _note(self, held: HeldCorrection, kind: str, data: Mapping[str, Json]) -> None:
        async def work(tx: Transaction) -> None:
            await tx.events.append(kind, data, held.base_id)

        await self._desk.store.write(work)


def of_slip(events: Iterable[Event], held_id: str) -> list[Event]:
    """Return what the log says of one slip."""
    return [event for event in events if event.kind.startswith("slip_") and event.data.get("held") == held_id]


def handed_out(events: Iterable[Event]) -> int:
    """Count the slips that lie, or may lie, on the counter."""
    count = 0
    leaving = False
    for event in events:
        if event.kind == "slip_printing":
            leaving = True
        elif leaving:
            count += event.data.get("outcome") != Outcome.NOT_SENT.value
            leaving = False
    return count + leaving


def trouble(events: list[Event]) -> str | None:
    """Return what is wrong with the newest slip, for the cashier; None where it is on paper or still printing."""
    if not events or events[-1].kind != "slip_failed":
        return None
    if events[-1].data.get("outcome") == Outcome.UNKNOWN.value:
        return "Nie wiadomo, czy potwierdzenie dla klienta się wydrukowało. Nie ma go w drukarce: wydrukuj ponownie."
    problem = events[-1].data.get("problem") or "Drukarka nie odpowiada."
    return f"Nie wydrukowano potwierdzenia dla klienta. {problem}"
