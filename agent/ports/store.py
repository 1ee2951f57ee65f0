"""Durable memory: repositories inside a unit of work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol, TypeVar

from agent.domain.books.entry import BookEntry
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import Buyer, InvoiceRecord, InvoiceSummary, NewInvoice
from agent.domain.json_io.canonical import Json
from agent.domain.lifecycle import HeldState, InvoiceState, PrintState
from agent.domain.records.filed import FiledInvoice, InvoiceGroup, RegisteredInvoice
from agent.ports.ksef import UpoPage
from agent.ports.stored import (
    BookedInvoice,
    Confirmed,
    Copies,
    ErasureCandidate,
    Event,
    Exempt,
    Fact,
    HeldCorrection,
    InvoiceChange,
    InvoiceFilter,
    KeyRecord,
    KsefSession,
    PrintJob,
    QueueCount,
    SessionKind,
    StoredUpoPage,
    Unsent,
)

T = TypeVar("T")


class Invoices(Protocol):
    """Invoices inside a transaction. Illegal moves raise IllegalTransition before SQLite's triggers would."""

    async def next_serial(self, series: str) -> int:
        """Return last + 1 of the series; taken for good only by add() in the same transaction."""
        ...

    async def add(self, invoice: NewInvoice) -> None: ...

    async def add_version(self, invoice_id: str, xml: bytes, sha256: bytes, links: tuple[str, str | None]) -> None:
        """New bytes of a rejected invoice (technical correction); the old version stays readable."""
        ...

    async def versions(self, invoice_id: str) -> tuple[bytes, ...]:
        """Return all XML versions, oldest first."""
        ...

    async def get(self, invoice_id: str) -> InvoiceRecord:
        """Return one; NotFound otherwise."""
        ...

    async def find(self, query: InvoiceFilter) -> list[InvoiceRecord]:
        """Newest first."""
        ...

    async def summaries(self, query: InvoiceFilter) -> list[InvoiceSummary]:
        """Newest first, without bytes: for lists."""
        ...

    async def issued(
        self, days: tuple[date, date], limit: int, after: RegisteredInvoice | None = None
    ) -> list[RegisteredInvoice]:
        """A page of what has its P_1 in these days, both included, by day and number: what follows ``after``."""
        ...

    async def issued_groups(self, day: date) -> list[InvoiceGroup]:
        """What has its P_1 on this day, as a count sees it: few groups however many invoices."""
        ...

    async def buyers_named(self, name: str, *, but: str) -> list[Buyer]:
        """Who bears this name on any invoice, each once; ``but``: not under this identifier. Reads all invoices."""
        ...

    async def corrections_of(self, invoice_ids: Sequence[str]) -> list[InvoiceSummary]:
        """What corrects any of these, newest first, without bytes."""
        ...

    async def unsent(self, limit: int | None = None) -> list[InvoiceSummary]:
        """All whose duty to send is open (lifecycle.UNSENT): in doubt first, then by deadline, then by age.

        ``limit`` takes the most urgent ones only: a backlog of 10 000 is 60 MB of bytes.
        """
        ...

    async def queue(self, limit: int | None = None, after: Unsent | None = None) -> list[Unsent]:
        """The same invoices in the same order as unsent(), a page of them: what follows ``after``."""
        ...

    async def queue_counts(self) -> list[QueueCount]:
        """How many of them there are, by state and deadline; costs the same however many."""
        ...

    async def waiting(self, limit: int, after: Unsent | None = None) -> list[Unsent]:
        """A page of those in ``issued``, in the same order; not corrections whose base KSeF does not have yet."""
        ...

    async def in_state(self, state: InvoiceState, limit: int, after: Unsent | None = None) -> list[Unsent]:
        """A page of those in one state, oldest first."""
        ...

    async def due(self, until: date, limit: int) -> list[Unsent]:
        """Those whose deadline is this day or earlier, most urgent first; not those in doubt."""
        ...

    async def asked_sessions(self) -> list[str]:
        """Sessions of batches whose verdict is awaited."""
        ...

    async def in_session(self, session: str, limit: int, after: Unsent | None = None) -> list[Unsent]:
        """A page of those in ``sent`` in this session that have no reference of their own, oldest first."""
        ...

    async def last_place(self) -> int:
        """Return the place of what was stored last, 0 where nothing was."""
        ...

    async def waiting_by_deadline(self, after: int) -> list[tuple[date | None, int]]:
        """Count, by deadline, what is in ``issued`` behind a place and may go together: offline, first bytes."""
        ...

    async def open_corrections(self) -> list[Unsent]:
        """Those that correct an invoice of this till, oldest first; few, since a correction waits for its base."""
        ...

    async def unsent_of(self, invoice_ids: Sequence[str]) -> list[Unsent]:
        """Those with these ids."""
        ...

    async def of_total_failure(self) -> list[Unsent]:
        """Those in ``issued`` that were issued in a total failure, oldest first."""
        ...

    async def oldest_unsent_at(self) -> datetime | None:
        """When the oldest invoice was issued that waits for KSeF, None where none does; rejected ones do not."""
        ...

    async def exempt(self) -> list[Exempt]:
        """What was issued in a total failure that is over, oldest first."""
        ...

    async def open_in_ksef(self) -> list[InvoiceSummary]:
        """Accepted, or of a closed case, and their deadline open still; oldest first, without bytes."""
        ...

    async def without_upo(self, limit: int = 50, batch_since: datetime | None = None) -> list[InvoiceSummary]:
        """Accepted invoices that neither a UPO of their own nor one of their session confirms yet, oldest first.

        Those accepted after ``batch_since`` in a batch whose collective UPO is still expected are left out.
        """
        ...

    async def resume_series(self, series: str, after: int, reason: str) -> None:
        """Go on after a number that was used elsewhere; only forwards (Conflict "series-ahead")."""
        ...

    async def move(self, invoice_id: str, to: InvoiceState, change: InvoiceChange | None = None) -> InvoiceRecord: ...

    async def note(self, invoice_id: str, change: InvoiceChange) -> InvoiceRecord:
        """Add facts without a move."""
        ...

    async def change_all(self, invoice_ids: Sequence[str], to: InvoiceState | None, change: InvoiceChange) -> None:
        """Move many, or add facts (None), as move() and note() do; reads none of them back."""
        ...

    async def set_deadline(self, invoice_id: str, deadline: date | None, state: str) -> None: ...

    async def add_upo(self, invoice_id: str, xml: bytes) -> None: ...

    async def upo(self, invoice_id: str) -> bytes | None:
        """The invoice's own UPO."""
        ...


class Events(Protocol):
    """The append-only, hash-chained log."""

    async def append(self, kind: EventKind, data: Mapping[str, Json], invoice_id: str | None = None) -> Event: ...

    async def of_invoice(self, invoice_id: str) -> list[Event]: ...

    async def after(self, seq: int, limit: int = 1000) -> list[Event]: ...

    async def of_kind(self, kind: EventKind) -> list[Event]:
        """Oldest first; reads the whole log."""
        ...

    async def changing_books(self) -> list[Event]:
        """What made the books show an invoice otherwise (mode, rejected, collision), oldest first."""
        ...

    async def newest(self) -> int:
        """Return the newest sequence number, 0 for an empty log."""
        ...

    async def newest_of(self, kind: EventKind) -> int:
        """Return the newest sequence number of a kind, 0 where there is none; reads the whole log."""
        ...


class Keys(Protocol):
    """Idempotency keys."""

    async def get(self, key: str) -> KeyRecord | None: ...

    async def add(self, record: KeyRecord) -> None: ...


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

    async def waiting(self) -> dict[PrintState, int]:
        """How many jobs are queued and printing, each named also with 0."""
        ...


class Facts(Protocol):
    """The timeline's facts, append-only."""

    async def add(self, fact: Fact) -> Fact: ...

    async def all(self) -> list[Fact]: ...


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


class Sessions(Protocol):
    """KSeF sessions this till sent in, and their collective UPO."""

    async def use(self, reference: str, kind: SessionKind) -> None:
        """Note that something is about to be sent in this session; a second time changes nothing."""
        ...

    async def without_upo(self) -> list[KsefSession]:
        """Those whose UPO is still expected and in which nothing is on its way (sending, sent), oldest first."""
        ...

    async def add_page(self, session: str, page: UpoPage) -> bool:
        """Store a page; False where it is here already."""
        ...

    async def add_documents(self, session: str, page: int, documents: Sequence[tuple[str, bytes]]) -> list[Confirmed]:
        """Store what a page names (KSeF number, SHA-256); return our invoices it names for the first time."""
        ...

    async def finish(self, reference: str, *, confirmed: bool) -> None:
        """Ask no more: the whole UPO is here, or there never will be one."""
        ...

    async def upo_of(self, invoice_id: str) -> StoredUpoPage | None:
        """The page that names this invoice with its hash."""
        ...

    async def page(self, session: str, page: int) -> bytes:
        """The bytes of a stored page."""
        ...


class Books(Protocol):
    """What the books keep of each invoice: derived from its bytes, here also after they left."""

    async def unread(self, limit: int, after: int = 0) -> list[tuple[int, str]]:
        """Place and id of invoices that this program's reader has not read, oldest first, behind a place."""
        ...

    async def put(self, invoice_id: str, entry: BookEntry) -> str | None:
        """Keep what was read; return its SHA-256 in hexadecimal, for the log (domain/books/entry.py).

        None, and nothing changes, where this reader read it before.
        """
        ...

    async def issue_days(self, days: tuple[date, date]) -> tuple[date, date] | None:
        """Between which days everything was issued that of_days() gives; None where there is nothing.

        Reads an index of all days since ``days``: once for a report, not for each of its pages.
        """
        ...

    async def of_days(
        self, days: tuple[date, date], issued: tuple[date, date], limit: int, after: FiledInvoice | None = None
    ) -> list[BookedInvoice]:
        """What may have a tax point in these days, or is a reduction sent in them, by day of issue and number.

        ``days``: both included; ``issued``: issue_days() of them. A page: what follows ``after``.
        """
        ...

    async def issued(
        self, days: tuple[date, date], limit: int, after: FiledInvoice | None = None
    ) -> list[BookedInvoice]:
        """What has its P_1 in these days, in the same order and pages."""
        ...


class Erasures(Protocol):
    """Consumers' data that is no longer here: buyer, bytes, prints and orders of an invoice. Row, hash and log stay."""

    async def due(self, before: date, after: int = 0, limit: int = 100) -> list[ErasureCandidate]:
        """Final invoices of consumers issued before a day and not erased, oldest first, behind a place."""
        ...

    async def related(self, invoice_id: str) -> list[tuple[date, bool]]:
        """Day of issue and whether it is final, of the invoice and of everything that corrects it."""
        ...

    async def archived(self, invoice_id: str) -> tuple[str, bytes] | None:
        """Path and SHA-256 of its archive file; None where it was never exported."""
        ...

    async def erase(self, invoice_id: str, orders: Mapping[str, bytes]) -> None:
        """Erase for good; ``orders``: what is put in place of its closed orders for corrections, by id."""
        ...

    async def count(self) -> int:
        """How many were erased."""
        ...


class KeyValues(Protocol):
    """Small durable values by name (circuit breaker, certificate renewal, cursors), JSON."""

    async def get(self, name: str) -> Json: ...

    async def beginning(self, prefix: str) -> Mapping[str, Json]:
        """All values whose names begin so."""
        ...

    async def put(self, name: str, value: Json) -> None:
        """Write the value in place of the old one; None takes it out, so that short-lived names leave nothing."""
        ...


class Transaction(Protocol):
    """All repositories of one unit of work; committed together with fsync, or not at all."""

    @property
    def invoices(self) -> Invoices: ...
    @property
    def events(self) -> Events: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def prints(self) -> Prints: ...
    @property
    def facts(self) -> Facts: ...
    @property
    def held(self) -> Held: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def key_values(self) -> KeyValues: ...
    @property
    def books(self) -> Books: ...
    @property
    def erasures(self) -> Erasures: ...


Work = Callable[[Transaction], Awaitable[T]]


class Store(Protocol):
    """Durable memory. A unit of work is a coroutine function run inside BEGIN IMMEDIATE by the one writer task."""

    async def write(self, work: Work[T]) -> T:
        """Run, commit with fsync, return. The caller may be cancelled; the work is not.

        An exception of ``work`` rolls back and comes out here. A full disk is Unavailable("disk-full"),
        nothing stored. A failed COMMIT ends the process (StoreLost): after the restart the key decides.
        ``work`` awaits nothing but its transaction.
        """
        ...

    async def read(self, work: Work[T]) -> T:
        """Run against a consistent snapshot; must not write."""
        ...

    async def check(self) -> str | None:
        """Verify integrity and foreign keys; a Polish sentence where something is wrong. Slow: daily."""
        ...

    @property
    def damage(self) -> str | None:
        """What is known to be damaged, by the look before the start or by use since then; a Polish sentence."""
        ...

    def copies(self) -> Copies:
        """What is known of backups; a look at a small file."""
        ...

    def size(self) -> int:
        """Bytes of the database on disk."""
        ...
