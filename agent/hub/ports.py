"""What the hub's use cases need of its store. Adapters: agent/hub/store/sqlite and agent/hub/store/postgresql.

The obligations hold for both (tests/contract/test_hub_store_contract.py): a unit of work is committed with everything
in it synced to disk, or nothing of it is there; readers see one snapshot; nobody misses a change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol, TypeVar

from agent.domain.json_io.canonical import Json
from agent.hub.domain.books import Question
from agent.hub.domain.certificates import KeptCertificate
from agent.hub.domain.presence import Presence
from agent.hub.domain.records import (
    Cursor,
    DayCount,
    HubInvoice,
    HubRole,
    InvoiceFacts,
    LastBeat,
    Leader,
    LogEntry,
    Offer,
    OpenCount,
    Outcome,
    OutcomeKind,
    Person,
    Seller,
    Till,
    UnreadRefusals,
)
from agent.hub.domain.states import HubState
from agent.hub_contract.heartbeat import Heartbeat
from agent.ports import KsefSession, SessionKind, UpoPage

T = TypeVar("T")

BUSY = "hub-busy"
"""Code of Unavailable where more waits than the store can take: nothing was stored."""


class Parties(Protocol):
    """Sellers, tills and people. Tokens are known by their SHA-256 only."""

    async def add_seller(self, nip: str, name: str, access: Mapping[str, Json]) -> Seller:
        """Add a NIP, or bring back one that was removed. Conflict "seller-known" where it is in use."""
        ...

    async def seller(self, nip: str) -> Seller:
        """Return one in use; NotFound otherwise."""
        ...

    async def sellers(self) -> list[Seller]:
        """Return those in use, by NIP."""
        ...

    async def remove_seller(self, nip: str) -> None:
        """Stop sending for a NIP. Conflict "seller-in-use" while it has tills, or invoices that are not in KSeF."""
        ...

    async def add_till(self, nip: str, name: str, shop: str, series: tuple[str, ...], token: bytes) -> Till:
        """Add a till. Conflict "till-known" where the NIP has one of that name, NotFound for a NIP nobody added."""
        ...

    async def till(self, till_id: int) -> Till:
        """Return one, revoked or not; NotFound otherwise."""
        ...

    async def till_of(self, token: bytes) -> Till | None:
        """Return whose token has this SHA-256, None where nobody's or that of a revoked till."""
        ...

    async def tills(self, nip: str | None = None) -> list[Till]:
        """Return those in use, of one NIP or of all, by NIP and name."""
        ...

    async def revoke_till(self, nip: str, name: str) -> Till:
        """Take a till's token back, for good; what it handed over goes on. NotFound where there is none."""
        ...

    async def renew_token(self, nip: str, name: str, token: bytes) -> Till:
        """Give a till another token in place of the old one. NotFound where there is none."""
        ...

    async def add_person(self, name: str, role: HubRole, token: bytes, nip: str | None = None) -> None:
        """Add a person's token, for one NIP or for all. Conflict "token-name-taken" where the name is in use."""
        ...

    async def person_of(self, token: bytes) -> Person | None: ...

    async def people(self) -> list[Person]:
        """Return all, by name."""
        ...

    async def revoke_person(self, name: str) -> None:
        """Take a token back; NotFound where there is none."""
        ...


class Invoices(Protocol):
    """Invoices. Illegal moves raise IllegalTransition before the database's triggers would."""

    async def add(self, till: Till, offer: Offer) -> HubInvoice | None:
        """Add an invoice in WAITING; None where its bytes are here, or others under its NIP, kind and number."""
        ...

    async def find(self, sha256: bytes) -> HubInvoice | None: ...

    async def get(self, sha256: bytes) -> HubInvoice:
        """Return one; NotFound otherwise."""
        ...

    async def holder(self, nip: str, kind: str, number: str) -> HubInvoice | None:
        """Return what holds this number and was not rejected."""
        ...

    async def xml(self, sha256: bytes) -> bytes: ...

    async def renew(self, sha256: bytes, offer: Offer) -> None:
        """Take over what a till says anew about an invoice that is here: deadline, urgency, mode, group."""
        ...

    async def hand_on(self, sha256: bytes, till: Till) -> None:
        """Let an invoice be another till's, which takes the place of its own."""
        ...

    async def move(self, sha256: bytes, to: HubState, facts: InvoiceFacts | None = None) -> HubInvoice: ...

    async def move_all(self, hashes: Sequence[bytes], old: HubState, to: HubState, facts: InvoiceFacts) -> None:
        """Move many from one state; IllegalTransition, and nothing moved, where one is in another."""
        ...

    async def note(self, sha256: bytes, facts: InvoiceFacts) -> HubInvoice:
        """Add facts without a move."""
        ...

    async def note_all(self, hashes: Sequence[bytes], facts: InvoiceFacts) -> None: ...

    async def urgent(self, nip: str, limit: int) -> list[HubInvoice]:
        """Return what waits while a customer waits, due now, the one that waits longest first.

        Corrections with a base in OPEN are left out, here and in backlog().
        """
        ...

    async def backlog(self, nip: str, limit: int) -> list[HubInvoice]:
        """Return what waits and is due now: by deadline (none comes last), then by arrival."""
        ...

    async def in_state(self, nip: str, state: HubState, limit: int) -> list[HubInvoice]:
        """Return those in one state, the one that was longest in the hub first."""
        ...

    async def of_session(self, session_ref: str) -> list[HubInvoice]: ...

    async def of_group(self, till_id: int, group: str) -> list[HubInvoice]: ...

    async def by_ksef_number(self, nip: str, ksef_number: str) -> HubInvoice | None: ...

    async def sending_alone(self, nip: str) -> None:
        """Note a single send that begins, for the rate limits."""
        ...

    async def sent_since(self, nip: str, instant: datetime) -> list[datetime]:
        """Return when single sends were attempted since then, for the rate limits."""
        ...


class Outcomes(Protocol):
    """What tills are told, a sequence for each."""

    async def add(self, lines: Sequence[tuple[HubInvoice, OutcomeKind, Mapping[str, Json]]]) -> None:
        """Append a line for each to the sequence of its till, in the order given, and wake who waits for it."""
        ...

    async def after(self, till_id: int, cursor: Cursor, limit: int) -> tuple[list[Outcome], bool]:
        """Return what follows, and whether the cursor was of this hub's memory.

        A cursor that a restored hub does not know (another mark, or a line beyond its last) reads from the beginning.
        """
        ...

    async def last(self, till_id: int) -> Cursor: ...

    async def unread(self, till_id: int, cursor: Cursor) -> bool:
        """Whether a till that goes on from this cursor has read a refusal by KSeF that it had not read before."""
        ...

    async def read(self, till_id: int, cursor: Cursor) -> None:
        """Note that a till has read all up to this cursor. One that is not of this hub's memory changes nothing."""
        ...

    async def settle(self, sha256: bytes) -> bool:
        """Note that people looked after a refusal that its till has not read; False where there is none such."""
        ...

    async def refusals(self) -> list[UnreadRefusals]:
        """Return, by till, what KSeF refused and nobody at the till has read, nor settled here."""
        ...

    async def refusals_of(self, till_id: int, limit: int) -> list[HubInvoice]:
        """Return those of one till, nearest deadline first."""
        ...


class Sessions(Protocol):
    """KSeF's sessions of a NIP, and what they confirmed."""

    async def use(self, nip: str, reference: str, kind: SessionKind) -> None:
        """Note that something is about to be sent in this session; a second time changes nothing."""
        ...

    async def is_batch(self, reference: str) -> bool:
        """Whether it is a batch; an interactive one need not be noted."""
        ...

    async def without_upo(self, nip: str) -> list[KsefSession]:
        """Those whose UPO is still expected and in which nothing is on its way, oldest first."""
        ...

    async def add_page(self, session: str, page: UpoPage) -> bool:
        """Store a page; False where it is here already."""
        ...

    async def confirm(self, session: str, page: int, documents: Sequence[tuple[str, bytes]]) -> list[HubInvoice]:
        """Link the invoices a page names with number and hash; return those that had no proof yet."""
        ...

    async def finish(self, reference: str) -> None:
        """Ask no more: the whole UPO is here, or there never will be one."""
        ...

    async def page(self, session: str, page: int) -> bytes:
        """Return a page as received; NotFound otherwise."""
        ...

    async def add_upo(self, sha256: bytes, xml: bytes) -> bool:
        """Store an invoice's own UPO; False where it has one."""
        ...

    async def upo(self, sha256: bytes) -> bytes | tuple[str, int] | None:
        """Return what confirms an invoice: its own UPO, or session and number of the page that names it."""
        ...

    async def without_proof(self, nip: str, kind: SessionKind, before: datetime, limit: int) -> list[HubInvoice]:
        """Return accepted invoices of sessions of a kind that nothing confirms, oldest first.

        Accepted before then, or in a session whose UPO came without them.
        """
        ...

    async def late_upo(self, nip: str, before: datetime, limit: int) -> tuple[str, ...]:
        """Return the numbers of invoices that KSeF accepted before then and nothing confirms, oldest first."""
        ...


class Fleet(Protocol):
    """What is heard of tills."""

    async def last_beat(self, till_id: int) -> LastBeat | None: ...

    async def last_beats(self) -> list[LastBeat]:
        """Return the newest heartbeat of each till in use."""
        ...

    async def beat(self, till_id: int, presence: Presence, beat: Heartbeat, address: str) -> None: ...

    async def duplicate(self, till_id: int) -> None:
        """Note that another till of the same name was heard."""
        ...

    async def open_counts(self) -> list[OpenCount]:
        """Return how much is not in KSeF yet, by till and state."""
        ...

    async def leaders(self) -> list[Leader]:
        """Return who talks to KSeF for which NIP, or did last, by name."""
        ...

    async def forget(self, till_id: int) -> None:
        """Let whoever comes next under this name be the till."""
        ...


class Books(Protocol):
    """Questions across tills. Reads only."""

    async def of_day(self, nip: str, day: date, after: HubInvoice | None, limit: int) -> list[HubInvoice]:
        """Return those of a NIP issued on a day, by number and version; ``after``: the last one of the page before."""
        ...

    async def find(self, question: Question, since: date, limit: int, nip: str | None = None) -> list[HubInvoice]:
        """Return what fits, of one seller or of all, the newest first; amounts are looked for since a day.

        A number finds the whole one first, then those that begin with it in whatever case (of ASCII letters), by seller
        and the last by number first; the beginning of a KSeF number likewise. Nothing in a question is a wildcard.
        """
        ...

    async def open_of(self, till_id: int, limit: int) -> list[HubInvoice]:
        """Return what of a till is not in KSeF yet, nearest deadline first."""
        ...

    async def newest_of(self, till_id: int, limit: int) -> list[HubInvoice]:
        """Return what a till handed over last."""
        ...

    async def shares(self, since: datetime) -> dict[int, tuple[int, int]]:
        """Return by till how many were handed over since then, and how many had their number in time."""
        ...

    async def days(self, nip: str, first: date, following: date) -> list[DayCount]:
        """Return the same by day of issue and till."""
        ...

    async def outcomes_of(self, sha256: bytes) -> list[Outcome]:
        """Return what was told of an invoice."""
        ...


class OfflineCertificates(Protocol):
    """The Offline certificates that tills share, and keys whose request is under way."""

    async def draw(self, nip: str, slot: int, key: bytes) -> KeptCertificate:
        """Keep a new key, encrypted PKCS#8 PEM, before KSeF is asked."""
        ...

    async def of(self, nip: str) -> list[KeptCertificate]:
        """Return those of a NIP that are in use or on their way, by slot, the oldest first."""
        ...

    async def requested(self, kept: KeptCertificate, reference: str | None) -> KeptCertificate:
        """Note under which reference KSeF works on it; None: it has to be asked anew."""
        ...

    async def issued(
        self, kept: KeptCertificate, serial: str, certificate: bytes, expires_at: datetime
    ) -> KeptCertificate:
        """Keep what KSeF gave, PEM."""
        ...

    async def drop(self, kept: KeptCertificate) -> None:
        """Forget a key that KSeF refused; one that is certified stays."""
        ...

    async def withdraw(self, serial: str) -> KeptCertificate:
        """Let no till use it any more. NotFound "certificate-unknown"."""
        ...


class Log(Protocol):
    """The hub's own log and small durable values."""

    async def append(
        self, kind: str, data: Mapping[str, Json], *, nip: str | None = None, till_id: int | None = None
    ) -> None: ...

    async def after(self, seq: int, limit: int) -> list[LogEntry]: ...

    async def value(self, name: str) -> Json: ...

    async def put(self, name: str, value: Json) -> None:
        """Write a value in place of the old one; None takes it out."""
        ...


class HubTransaction(Protocol):
    """All repositories of one unit of work."""

    @property
    def parties(self) -> Parties: ...
    @property
    def invoices(self) -> Invoices: ...
    @property
    def outcomes(self) -> Outcomes: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def fleet(self) -> Fleet: ...
    @property
    def books(self) -> Books: ...
    @property
    def certificates(self) -> OfflineCertificates: ...
    @property
    def log(self) -> Log: ...

    async def tell(self, channel: str) -> None:
        """Wake whoever waits for this channel, in every process of the hub, once the unit is committed."""
        ...


Work = Callable[[HubTransaction], Awaitable[T]]


class Leadership(Protocol):
    """The right to talk to KSeF for one name (a NIP), held by one process of the hub at a time.

    The database's lock decides who holds it; the number that grows with each holder fences off one that lost it
    without knowing: its units fail, whatever it believes.
    """

    @property
    def name(self) -> str: ...

    @property
    def token(self) -> int:
        """Grows with every holder."""
        ...

    async def write(self, work: Work[T]) -> T:
        """As HubStore.write(), and LeadershipLost, nothing stored, where another holder has come."""
        ...

    async def lost(self) -> None:
        """Return once it is no longer held, as far as this process can know."""
        ...

    async def release(self) -> None:
        """Give it up. Never raises."""
        ...


class HubStore(Protocol):
    """The hub's durable memory. Units of work await nothing but their transaction, and may be run again."""

    async def write(self, work: Work[T]) -> T:
        """Run, commit with everything synced, return. The caller may be cancelled; the work is not.

        Unavailable (a repeat is safe): "disk-full", "hub-busy" (more waits than the store can take), and
        "store-unreachable": the server is away, and whether the unit was committed is unknown, so a unit has to
        stand being run again. StoreLost: SQLite's COMMIT failed, the process ends.
        """
        ...

    async def read(self, work: Work[T]) -> T:
        """Run against a consistent snapshot; must not write."""
        ...

    def for_couriers(self) -> HubStore:
        """Return the same memory for those who bring invoices to KSeF: tills that want more than there is stop nobody.

        Closed with this one.
        """
        ...

    def changed(self, channel: str) -> asyncio.Future[None]:
        """Return what the next tell() of this channel fulfils: take it before you look, so nothing is missed.

        May be fulfilled without cause: after a lost connection to the server nobody knows what was told.
        """
        ...

    async def lead(self, name: str) -> Leadership | None:
        """Try to become the holder of ``name``; None where another process is."""
        ...

    async def check(self) -> str | None:
        """Verify what can be verified; a Polish sentence where something is wrong. Slow: daily."""
        ...

    async def size(self) -> int:
        """Return the bytes of the database on disk."""
        ...

    async def watch(self) -> None:
        """Return when the store was closed; raise StoreLost when it was lost. For the supervisor."""
        ...

    async def close(self) -> None:
        """Finish what waits and close. May be called twice."""
        ...
