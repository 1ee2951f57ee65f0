"""Questions about what was issued, the books, and what is kept or erased; joined."""

from __future__ import annotations

from agent.domain.clock_check import ClockState
from agent.domain.values import dataclass
from agent.services.assembly.common import Common
from agent.services.assembly.outages import OutageServices
from agent.services.changes import Changes
from agent.services.queries.invoices import InvoiceQueries
from agent.services.records.books import Books
from agent.services.records.evidence import Evidence
from agent.services.records.ksef_comparison import KsefComparisons
from agent.services.records.outages import OutageReports
from agent.services.records.register import RegisterReports
from agent.services.records.retention import Retention


@dataclass(kw_only=True)
class RecordServices:
    """Use cases of agent/services/records and queries."""

    invoices: InvoiceQueries
    register: RegisterReports
    books: Books
    comparisons: KsefComparisons
    evidence: Evidence
    outages: OutageReports
    retention: Retention
    changes: Changes


def join_records(common: Common, outages: OutageServices) -> RecordServices:
    """Join them; of the outages they need the clock only."""
    settings, ports, presses = common.settings, common.ports, common.presses
    clock, store, nip = ports.clock, ports.store, settings.seller.nip
    clock_check = outages.clock_check
    books = Books(store, clock, presses)
    return RecordServices(
        invoices=InvoiceQueries(store),
        register=RegisterReports(store, clock, presses),
        books=books,
        comparisons=KsefComparisons(ports.gateway, books, clock, nip, settings.read_number),
        evidence=Evidence(store, ports.open_index, presses, nip, ports.renderer.text, folder=settings.data_dir),
        outages=OutageReports(store, clock, settings.seller, settings.till),
        retention=Retention(
            store,
            books,
            settings.retention,
            now=clock_check.best,
            clock_confirmed=lambda: clock_check.verdict().state is ClockState.CONFIRMED,
            drop_archive=ports.drop_archive,
        ),
        changes=Changes(store, clock, common.changed),
    )
