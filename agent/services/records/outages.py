"""Outages and their closing reports, out of the store; nothing here writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial

from agent.domain.calendar import day_bounds, local_date
from agent.domain.errors import NotFound
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceSummary, Seller
from agent.domain.outages.timeline import Timeline, fact_from_json
from agent.domain.records.evidence_files import OutageReport
from agent.domain.records.outage_closing import ClosingReport, closing_report, touches
from agent.domain.records.outage_reports import outages
from agent.ports import Clock, InvoiceFilter, Store, Transaction
from agent.services.records.evidence import line_seen
from agent.services.records.evidence_invoices import log_line

WAITED_DAYS = 62
"""What waits longer before an outage than that is told of by the register, not by the outage's report."""
LIMIT = 1_000_000


class OutageReports:
    """Reads announced outages, a manager's word, and the history of this till's line."""

    def __init__(self, store: Store, clock: Clock, seller: Seller, till: str) -> None:
        self._store = store
        self._clock = clock
        self._seller = seller
        self._till = till

    async def listed(self, first: date | None = None, last: date | None = None) -> list[OutageReport]:
        """Return the outages that touch these Polish days (None: no bound), oldest first."""
        begin, end = day_bounds(first or date.min, last or date.max)
        found = await self._store.read(_outages)
        return [each for each in found if each.begin < end and (each.end is None or each.end >= begin)]

    async def closing(self, name: str) -> ClosingReport:
        """Return the closing report of an outage by its name; NotFound where there is none."""
        return await self._store.read(partial(self._closing, name, self._clock.now()))

    async def _closing(self, name: str, now: datetime, tx: Transaction) -> ClosingReport:
        outage = next((each for each in await _outages(tx) if each.name == name), None)
        if outage is None:
            raise NotFound(
                "Nie ma przerwy o tej nazwie. Listę pokazuje polecenie ksef-agent outages (GET /v1/outages).",
                code="outage-unknown",
            )
        records = await _touched(outage, now, tx)
        return closing_report(
            outage,
            records,
            await _failures(records, tx),
            seller=self._seller.name,
            nip=self._seller.nip,
            till=self._till,
            as_of=now,
        )


async def _outages(tx: Transaction) -> list[OutageReport]:
    timeline = Timeline.of([fact_from_json(fact.body, fact.seen_at) for fact in await tx.facts.all()])
    line = line_seen([log_line(event) for event in await tx.events.of_kind(EventKind.LINE)])
    return outages(timeline, line)


async def _touched(outage: OutageReport, now: datetime, tx: Transaction) -> list[InvoiceSummary]:
    query = InvoiceFilter(
        issued_from=local_date(outage.begin) - timedelta(days=WAITED_DAYS),
        issued_to=local_date(outage.end or now) + timedelta(days=1),
        limit=LIMIT,
    )
    return [each for each in await tx.invoices.summaries(query) if touches(each, outage)]


async def _failures(records: Sequence[InvoiceSummary], tx: Transaction) -> dict[str, str]:
    """Return by id what the last failed send of an invoice said; only where one was attempted."""
    found = {}
    for record in records:
        if record.deadline is None:
            continue
        for event in await tx.events.of_invoice(record.id):
            match event.kind, event.data:
                case EventKind.SEND_FAILED, {"message": str(message)}:
                    found[record.id] = message
    return found
