"""A KSeF in memory behind the gateway port: takes, numbers, refuses and goes silent as planned."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from agent.domain import ksef_number
from agent.domain.calendar import local_date
from agent.domain.fa3.view.read import read
from agent.ports import (
    Accepted,
    CallOutcome,
    Clock,
    Duplicate,
    KsefError,
    LedgerEntry,
    LedgerPart,
    Outgoing,
    Pending,
    SendBudget,
    SessionRef,
    Upo,
    UpoPage,
    Verdict,
)


def line_down() -> KsefError:
    return KsefError("brak łączności", outcome=CallOutcome.NOT_SENT, link_down=True)


def silence() -> KsefError:
    return KsefError("brak odpowiedzi", outcome=CallOutcome.UNKNOWN, link_down=True)


async def unheard(_: str) -> None:
    """For open_batch() where nobody needs the reference early."""


def upo_page(
    session: str, named: Sequence[tuple[str, bytes]], offline: Mapping[str, bool] = MappingProxyType({})
) -> bytes:
    """A UPO, as far as anybody here reads it; ``offline`` by KSeF number, where it tells (TrybWysylki)."""
    documents = "".join(
        f"<Dokument><NumerKSeFDokumentu>{number}</NumerKSeFDokumentu>"
        f"<SkrotDokumentu>{base64.b64encode(sha256).decode()}</SkrotDokumentu>"
        + (f"<TrybWysylki>{'Offline' if offline[number] else 'Online'}</TrybWysylki>" if number in offline else "")
        + "</Dokument>"
        for number, sha256 in named
    )
    namespace = "http://upo.schematy.mf.gov.pl/KSeF/v4-3"
    reference = f"<NumerReferencyjnySesji>{session}</NumerReferencyjnySesji>"
    return f'<Potwierdzenie xmlns="{namespace}">{reference}{documents}</Potwierdzenie>'.encode()


class FakeGateway:
    """KsefGateway port. ``ledger``: (nip, kind, number) -> (KSeF number, SHA-256)."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.up = True
        self.pending_answers = 0
        """How many times each new invoice is answered "pending" before its verdict."""
        self.send_plan: deque[KsefError | None] = deque()
        """Errors of the next sends; None: goes well. ``lose_answer`` marks one that KSeF took all the same."""
        self.lost_answers = 0
        self.verdict_plan: deque[Verdict] = deque()
        self.sends_left = 180
        self.wait = 0.0
        """Seconds until one more send is allowed."""
        self.skew = 0.0
        self.ledger: dict[tuple[str, str, str], tuple[str, bytes]] = {}
        self.held: list[LedgerEntry] = []
        """The same as KSeF's metadata tells it."""
        self.most_entries = 1000
        """How many of them one question brings."""
        self.sent: list[Outgoing] = []
        self._verdicts: dict[str, tuple[bytes, Verdict, int]] = {}
        self._sessions: dict[str, list[str]] = {}
        self._ids = itertools.count(1)
        self._session: SessionRef | None = None
        self.closed = False
        self.open = asyncio.Event()
        """While it is not set, a send waits for its answer."""
        self.open.set()
        self.reached = asyncio.Event()
        """Set once a send has come in."""
        self.upo_delays = 0
        """How many times a session's UPO is not there yet."""
        self.tells_mode = True
        """A verdict says how KSeF took the invoice."""
        self.confirmed_offline: dict[str, bool] = {}
        """By KSeF number: what a UPO says of that."""
        self.confirmed: list[str] = []
        """Sessions whose UPO was given."""

    def _check(self) -> None:
        if not self.up:
            raise line_down()

    async def session(self, invoice: Outgoing | None = None) -> SessionRef:
        self._check()
        if self._session is None:
            self._session = SessionRef(f"SO-{next(self._ids)}", self.clock.now() + timedelta(hours=12))
            self._sessions[self._session.reference] = []
        return self._session

    def way_of(self, invoice_id: str) -> str:
        return "ksef"

    async def send(self, session: SessionRef, invoice: Outgoing) -> str:
        self._check()
        self.reached.set()
        await self.open.wait()
        if self.send_plan:
            error = self.send_plan.popleft()
            if error is not None:
                raise error
        self.sent.append(invoice)
        reference = self._take(session.reference, invoice)
        if self.lost_answers:
            self.lost_answers -= 1
            raise silence()
        return reference

    def _take(self, session: str, invoice: Outgoing) -> str:
        reference = f"EE-{next(self._ids)}"
        verdict = self.verdict_plan.popleft() if self.verdict_plan else self._judge(invoice, session)
        self._verdicts[reference] = (invoice.sha256, verdict, self.pending_answers)
        self._sessions[session].append(reference)
        return reference

    def _judge(self, invoice: Outgoing, session: str) -> Verdict:
        view = read(invoice.xml)
        assert view.seller.nip is not None
        key = (view.seller.nip, view.kind.value, view.number)
        known = self.ledger.get(key)
        if known is not None:
            return Duplicate(known[0], session)
        number = ksef_number.make(view.seller.nip, date(2026, 11, 24), len(self.ledger) + 1)
        self.ledger[key] = (number, invoice.sha256)
        offline = invoice.offline or view.issued_on < local_date(self.clock.now())
        kind = view.kind.value.replace("_", "")
        self.held.append(
            LedgerEntry(
                view.number,
                kind,
                view.issued_on,
                view.gross,
                view.currency,
                number,
                sha256=invoice.sha256,
                offline=offline,
            )
        )
        return Accepted(number, self.clock.now(), invoice.sha256, offline if self.tells_mode else None)

    def answer_at_once(self) -> None:
        """Let nothing be pending any more."""
        self.pending_answers = 0
        self._verdicts = {name: (sha256, verdict, 0) for name, (sha256, verdict, _) in self._verdicts.items()}

    async def status(self, session_ref: str, invoice_ref: str) -> Verdict:
        self._check()
        sha256, verdict, pending = self._verdicts[invoice_ref]
        if pending:
            self._verdicts[invoice_ref] = (sha256, verdict, pending - 1)
            return Pending()
        return verdict

    async def find_all(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]]:
        self._check()
        references = self._sessions.get(session_ref, [])
        return {self._verdicts[each][0]: (each, self._verdicts[each][1]) for each in references}

    async def upo(self, session_ref: str, invoice_ref: str | None, ksef_number: str) -> Upo:
        self._check()
        for number, sha256 in self.ledger.values():
            if number == ksef_number:
                return Upo(upo_page(session_ref, [(number, sha256)], self.confirmed_offline), number, sha256)
        raise KsefError("nie ma UPO", outcome=CallOutcome.REFUSED, code=404)

    async def session_upo(self, session_ref: str, *, close: bool) -> tuple[UpoPage, ...] | None:
        self._check()
        if self.upo_delays:
            self.upo_delays -= 1
            return None
        if self._session is not None and self._session.reference == session_ref:
            if close:
                self._session = None
            return None
        named = []
        for reference in self._sessions.get(session_ref, []):
            sha256, verdict, _ = self._verdicts[reference]
            if isinstance(verdict, Accepted):
                named.append((verdict.ksef_number, sha256))
        self.confirmed.append(session_ref)
        return (
            (UpoPage(1, f"EU-{session_ref}", upo_page(session_ref, named, self.confirmed_offline), tuple(named)),)
            if named
            else ()
        )

    async def invoice_sha256(self, ksef_number: str) -> bytes:
        self._check()
        for number, sha256 in self.ledger.values():
            if number == ksef_number:
                return sha256
        raise KsefError("nie ma faktury", outcome=CallOutcome.REFUSED, code=21164)

    async def issued_since(self, nip: str, since: datetime) -> LedgerPart:
        self._check()
        entries = [
            LedgerEntry(number, kind, date(2026, 11, 24), Decimal("1.00"), "PLN", known[0])
            for (seller, kind, number), known in self.ledger.items()
            if seller == nip
        ]
        return LedgerPart(tuple(reversed(entries)), complete=True)

    async def issued_on(self, nip: str, first: date, last: date) -> LedgerPart:
        self._check()
        found = [entry for entry in self.held if first <= entry.issued_on <= last]
        return LedgerPart(tuple(found[: self.most_entries]), complete=len(found) <= self.most_entries)

    largest_batch = 10_000

    async def open_batch(self, invoices: Sequence[Outgoing], opened: Callable[[str], Awaitable[None]]) -> str:
        self._check()
        assert 0 < len(invoices) <= self.largest_batch
        reference = f"SB-{next(self._ids)}"
        await opened(reference)
        self._sessions[reference] = []
        for invoice in invoices:
            self.sent.append(invoice)
            self._take(reference, invoice)
        return reference

    async def batch_verdicts(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]] | None:
        self._check()
        return {
            self._verdicts[reference][0]: (reference, self._verdicts[reference][1])
            for reference in self._sessions[session_ref]
        }

    def budget(self) -> SendBudget:
        return SendBudget(self.sends_left, self.wait)

    works_until: datetime | None = None
    """When its credentials end."""

    def recall_sends(self, sent_at: Iterable[datetime]) -> None:
        """Its limits are what the test says."""

    def recall_sessions(self, *, online: Iterable[datetime], batches: Iterable[datetime]) -> None:
        """As recall_sends()."""

    async def learn_limits(self) -> None:
        self._check()

    async def probe(self) -> float:
        self._check()
        return self.skew

    async def close(self) -> None:
        self.closed = True
