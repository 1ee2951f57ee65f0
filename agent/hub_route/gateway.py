"""agent.ports.KsefGateway over the hub: what a till asks of KSeF, answered by the courier of its chain.

A session of this port is a name under which the till hands invoices over; the reference of an invoice is its SHA-256.
So a till that asks again after a crash finds everything by what it has itself, and a hub that lost its memory is
handed everything anew: what it does not know counts as cancelled, and KSeF's 440 keeps it single.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from agent.hub_contract.heartbeat import News
from agent.hub_contract.offers import MOST_AT_ONCE, Claims
from agent.hub_contract.status import ACCEPTED, DUPLICATE, REJECTED, InvoiceStatus, OriginalDocument
from agent.hub_route.client import Handover, HubClient, HubRefusal, Offered
from agent.ports import (
    NO_LIMIT,
    Accepted,
    CallOutcome,
    Clock,
    Duplicate,
    KsefError,
    LedgerPart,
    Outgoing,
    Pending,
    Rejected,
    SendBudget,
    SessionRef,
    Upo,
    UpoPage,
    Verdict,
)

T = TypeVar("T")

SESSION, BATCH = "HUB-", "HUBB-"
"""How names of what is handed over begin: one by one, and as a backlog."""
SESSION_HOURS = 12
BULK_BYTES = 8_000_000
"""Of one request of a backlog, before base64."""
FRESH_SECONDS = 20.0
"""So long after it was handed over the hub holds a question about an invoice back for news."""
HELD_SECONDS = 1.0
"""How long it does."""
AWAY = "down"
"""News.ksef of a hub that KSeF does not answer."""
BELIEVED_SECONDS = 90.0
"""So long the hub's word of that holds; signs of life are half a minute apart at most."""
REMEMBERED = 2000
"""Originals of numbers that another document holds; refusals of lines of a backlog."""
UNKNOWN_HERE = 404
UNKNOWN_INVOICE = "invoice-not-found"
NO_SUCH_INVOICE = 21164
NO_UPO = 404


def is_hub_session(reference: str | None) -> bool:
    """Whether a session is one of this route."""
    return reference is not None and reference.startswith((SESSION, BATCH))


class HubGateway:
    """KSeF for one till, through the hub."""

    def __init__(self, client: HubClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._session: SessionRef | None = None
        self._fresh: dict[str, float] = {}
        """When an invoice was handed over, by its reference."""
        self._originals: OrderedDict[str, OriginalDocument] = OrderedDict()
        """By reference: what holds the number of an invoice."""
        self._refusals: OrderedDict[str, tuple[str, Rejected]] = OrderedDict()
        """By reference: in which backlog and why the hub took an invoice not; it would go round after round else."""
        self._whole: OrderedDict[str, None] = OrderedDict()
        """Names of backlogs that the hub took whole: nobody waits for what is not there."""
        self._news: News | None = None
        self._news_at = 0.0
        self.forgot = False
        """The hub does not know an invoice that has its number (refill.py): it lost its data."""

    def hear(self, news: News) -> None:
        """Take over what the hub tells."""
        self._news, self._news_at = news, self._clock.monotonic()

    async def session(self, invoice: Outgoing | None = None) -> SessionRef:
        """Return the name under which invoices are handed over now; no I/O."""
        now = self._clock.now()
        if self._session is None or self._session.valid_until <= now + timedelta(minutes=2):
            self._session = SessionRef(f"{SESSION}{uuid.uuid4().hex}", now + timedelta(hours=SESSION_HOURS))
        return self._session

    def way_of(self, invoice_id: str) -> str:
        """Return the name of the way through the hub."""
        return "hub"

    async def send(self, session: SessionRef, invoice: Outgoing) -> str:
        """Hand one invoice over; it is durable at the hub once this returns."""
        offered = await self._client.offer(handover(invoice, session.reference))
        return self._note(invoice, offered, session.reference)

    async def status(self, session_ref: str, invoice_ref: str) -> Verdict:
        """Ask for one invoice; right after it was handed over the answer waits a moment for KSeF's."""
        handed_over = self._fresh.get(invoice_ref)
        fresh = handed_over is not None and self._clock.monotonic() - handed_over < FRESH_SECONDS
        status = await self._client.status(bytes.fromhex(invoice_ref), HELD_SECONDS if fresh else 0.0)
        if status is not None:
            return self._verdict(status)
        if (original := self._originals.get(invoice_ref)) is not None:
            return Duplicate(original.ksef_number, original.session, "Numer ma w centrali inny dokument.")
        unknown = "Centrala nie zna tej faktury: trzeba ją przekazać ponownie."
        return Rejected(UNKNOWN_HERE, unknown, retryable=True, by_ksef=False)

    async def find_all(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]]:
        """Return everything handed over under a name, by hash."""
        found = await self._client.group(session_ref)
        return {each.sha256: (each.sha256.hex(), self._verdict(each)) for each in found}

    async def upo(self, session_ref: str, invoice_ref: str | None, ksef_number: str) -> Upo:
        """Fetch what confirms an accepted invoice: its own UPO, or its part of its session's."""
        try:
            sha256 = bytes.fromhex(invoice_ref) if invoice_ref else await self.invoice_sha256(ksef_number)
            found = await self._client.confirmation(sha256)
        except KsefError as error:
            unknown = isinstance(error, HubRefusal) and error.problem_code == UNKNOWN_INVOICE
            self.forgot |= unknown or error.code == NO_SUCH_INVOICE
            raise
        return Upo(found.xml, found.ksef_number, found.sha256)

    async def session_upo(self, session_ref: str, *, close: bool) -> tuple[UpoPage, ...] | None:
        """Return what confirms all of a name, None while something is missing, () where KSeF took nothing."""
        if self._session is not None and self._session.reference == session_ref:
            if not close:
                return None
            self._session = None
        found = await self._client.group(session_ref)
        if any(not each.decided or (each.state == ACCEPTED and not each.confirmed) for each in found):
            return None
        pages = await self._client.pages(session_ref)
        return tuple(
            UpoPage(number, page.reference, page.xml, page.documents) for number, page in enumerate(pages, start=1)
        )

    async def invoice_sha256(self, ksef_number: str) -> bytes:
        """Return the SHA-256 of the document under that number, as the hub knows it."""
        for original in self._originals.values():
            if original.ksef_number == ksef_number:
                return original.sha256
        found = await self._client.by_ksef_number(ksef_number)
        if not found:
            raise KsefError("Centrala nie zna tego numeru KSeF.", outcome=CallOutcome.REFUSED, code=NO_SUCH_INVOICE)
        return found[0].sha256

    async def issued_since(self, nip: str, since: datetime) -> LedgerPart:
        """Tell nothing: KSeF's ledger is asked by whoever has the right to read it."""
        raise KsefError("Centrala nie podaje listy faktur z KSeF.", outcome=CallOutcome.REFUSED, code=UNKNOWN_HERE)

    async def issued_on(self, nip: str, first: date, last: date) -> LedgerPart:
        """Tell nothing, likewise."""
        raise KsefError("Centrala nie podaje listy faktur z KSeF.", outcome=CallOutcome.REFUSED, code=UNKNOWN_HERE)

    @property
    def largest_batch(self) -> int:
        """What is handed over is divided here, and again by the hub."""
        return NO_LIMIT

    async def open_batch(self, invoices: Sequence[Outgoing], opened: Callable[[str], Awaitable[None]]) -> str:
        """Hand a backlog over, in as many requests as it takes."""
        group = f"{BATCH}{uuid.uuid4().hex}"
        await opened(group)
        taken, whole = 0, True
        for chunk in _chunks(invoices):
            try:
                answers = await self._client.offer_all([handover(each, group) for each in chunk])
            except KsefError as error:
                if taken and error.outcome is not CallOutcome.UNKNOWN:
                    raise KsefError(
                        error.message,
                        outcome=CallOutcome.UNKNOWN,
                        code=error.code,
                        body=error.body,
                        link_down=error.link_down,
                    ) from error
                raise
            for invoice, offered in zip(chunk, answers, strict=True):
                self._note(invoice, offered, group)
                taken += offered.taken
                whole &= offered.status is not None
        if whole:
            _keep(self._whole, group, None)
        return group

    async def batch_verdicts(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]] | None:
        """Return the verdicts on a backlog by hash, None while KSeF has not decided about all of it.

        What the hub did not take is said at once, not after an outage of KSeF: only the till has it. So a backlog that
        was taken in part, or by an earlier run of the till, which remembers no refusals, gives what there is.
        """
        found = await self._client.group(session_ref)
        if session_ref in self._whole and any(not each.decided for each in found):
            return None
        verdicts = {each.sha256: (each.sha256.hex() if each.decided else "", self._verdict(each)) for each in found}
        for reference, original in self._originals.items():
            duplicate = Duplicate(original.ksef_number, original.session, "Numer ma w centrali inny dokument.")
            verdicts.setdefault(bytes.fromhex(reference), (reference, duplicate))
        for reference, (group, refusal) in self._refusals.items():
            if group == session_ref:
                verdicts.setdefault(bytes.fromhex(reference), (reference, refusal))
        return verdicts

    def budget(self) -> SendBudget:
        """What the hub last said is left for presses of this NIP, and whether it reaches KSeF; no I/O."""
        if self._news is None or self._news.budget is None:  # it was never asked for this NIP yet
            return SendBudget(NO_LIMIT, 0.0)
        said = self._news.budget
        age = self._clock.monotonic() - self._news_at
        wait = max(0.0, said.wait - age)
        away = self._news.ksef == AWAY and age < BELIEVED_SECONDS
        return SendBudget(said.left_hour, wait, sends_left_minute=said.left_minute, ksef_away=away)

    async def learn_limits(self) -> None:
        """Nothing to learn: KSeF's limits are the hub's business."""

    async def probe(self) -> float | None:
        """Return the clock skew in seconds (KSeF minus here, by the hub's word) by one anonymous call; None where the
        hub has only its own clock, which nobody vouches for.
        """
        now = await self._client.now()
        return None if now is None else (now - self._clock.now()).total_seconds()

    async def close(self) -> None:
        """Close the connections. Never raises."""
        await self._client.close()

    def _note(self, invoice: Outgoing, offered: Offered, group: str) -> str:
        reference = invoice.sha256.hex()
        self._originals.pop(reference, None)
        self._refusals.pop(reference, None)
        if not offered.taken:
            refusal = Rejected(offered.code, f"Centrala: {offered.detail}", retryable=True, by_ksef=False)
            _keep(self._refusals, reference, (group, refusal))
            return reference
        now = self._clock.monotonic()
        self._fresh = {name: at for name, at in self._fresh.items() if now - at < FRESH_SECONDS}
        self._fresh[reference] = now
        if offered.holder is not None:
            _keep(self._originals, reference, offered.holder)
        return reference

    def _verdict(self, status: InvoiceStatus) -> Verdict:
        if status.state == ACCEPTED and status.ksef_number is not None and status.accepted_at is not None:
            return Accepted(status.ksef_number, status.accepted_at, status.sha256)
        if status.state == DUPLICATE and status.original is not None:
            _keep(self._originals, status.sha256.hex(), status.original)
            return Duplicate(status.original.ksef_number, status.original.session, status.description)
        if status.state == REJECTED:
            return Rejected(status.code, status.description, status.details)
        return Pending()


def _keep(memory: OrderedDict[str, T], reference: str, value: T) -> None:
    memory[reference] = value
    while len(memory) > REMEMBERED:
        memory.popitem(last=False)


def handover(invoice: Outgoing, group: str) -> Handover:
    """Return what the contract says of an invoice."""
    claims = Claims(
        offline=invoice.offline,
        group=group,
        deadline=invoice.deadline,
        urgent=invoice.waited,
        mode=invoice.mode,
        version=1 if invoice.corrects is None else 2,
        corrects=invoice.corrects,
    )
    return Handover(invoice.sha256, invoice.xml, claims)


def _chunks(invoices: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    chunk: list[Outgoing] = []
    size = 0
    for invoice in invoices:
        if chunk and (len(chunk) >= MOST_AT_ONCE or size + len(invoice.xml) > BULK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(invoice)
        size += len(invoice.xml)
    if chunk:
        yield chunk
