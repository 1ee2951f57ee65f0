"""What proves to an auditor that KSeF took an invoice: its own UPO, or the page of its session's UPO that names it.

A loop of its own, so that a slow answer here never holds up sending. An invoice that was pressed gets its own UPO;
those of a batch get their session's, one document for thousands, and one of their own only where that does not come
(docs/decisions.md, number 79). Both are checked before they are stored: KSeF's hash of the document, the KSeF number,
and the SHA-256 of our bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from agent.domain.errors import DocumentDamaged
from agent.domain.event_kinds import EventKind
from agent.domain.invoice import InvoiceRecord, InvoiceSummary
from agent.domain.records.upo import taken_offline
from agent.ports import (
    CallOutcome,
    Clock,
    Json,
    KsefError,
    KsefGateway,
    KsefSession,
    SessionKind,
    Store,
    StoredUpoPage,
    Transaction,
    Upo,
    UpoPage,
)
from agent.services.delivery import confirmed_mode
from agent.services.delivery.backoff import Backoff
from agent.services.outages.clock_check import ClockCheck
from agent.services.outages.connection import Connection
from agent.services.outages.mode import CurrentMode
from agent.services.signals import Signal

AT_ONCE = 50
"""Invoices asked for in one pass."""
SESSIONS_AT_ONCE = 5
CALLS_AN_HOUR = 900
"""Of the 1200 calls that UPO and batch status share."""
CALLS_OF_A_SESSION = 2
"""Its status and a page."""
BATCH_PATIENCE = timedelta(hours=1)
"""So long after its number an invoice of a batch waits for the session's UPO; then its own is fetched."""
SLICE = 50
"""Documents of a page per transaction: a press in between never waits for thousands of rows."""
ON_LOOP_BYTES = 200_000
"""A larger page (ten thousand documents are five megabytes) is read in a thread."""
NO_SUCH_SESSION = 21173


class UpoFetcher:
    """Fetches and stores what is missing."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        clock_check: ClockCheck,
        gateway: KsefGateway,
        connection: Connection,
        mode: CurrentMode,
        changed: Signal,
        tills_sharing_address: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._clock_check = clock_check
        self._gateway = gateway
        self._connection = connection
        self._mode = mode
        self._changed = changed
        self._calls_an_hour = CALLS_AN_HOUR // tills_sharing_address
        self._wake = asyncio.Event()
        self._accepted = 1
        """Numbers given since start; one more, since an earlier run may have left something to fetch."""
        self._complete_at = 0
        """The count up to which nothing was missing."""
        self._in_use: str | None = None
        self._invoices = Backoff(clock)
        self._sessions = Backoff(clock)
        self._calls: deque[float] = deque()

    def wake(self) -> None:
        """Look now."""
        self._wake.set()

    def accepted(self) -> None:
        """Note that KSeF gave a number."""
        self._accepted += 1

    def sending_in(self, session_ref: str) -> None:
        """Note the interactive session in use; any other one of ours is over and gets closed."""
        self._in_use = session_ref

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.pass_once()

    async def pass_once(self) -> None:
        """Ask for what is missing and due. One pass at a time.

        A refusal is that one's alone: a hub that does not know one invoice has the others. Any other trouble ends it.
        """
        if self._mode.may_send() and await self._ask_sessions():
            await self._ask_singly()

    async def _ask_sessions(self) -> bool:
        waiting = await self._store.read(lambda tx: tx.sessions.without_upo())
        over = [each for each in waiting if each.reference != self._in_use]
        self._sessions.keep({each.reference for each in over})
        due = [each for each in over if self._sessions.due(each.reference)]
        for session in due[:SESSIONS_AT_ONCE]:
            if self._allowed() < CALLS_OF_A_SESSION or not self._mode.may_send():
                return False
            self._sessions.asked(session.reference)
            self._count(CALLS_OF_A_SESSION)
            if not await self._fetch_of_session(session):
                return False
        return True

    async def _ask_singly(self) -> None:
        accepted = self._accepted
        if self._complete_at == accepted:
            return
        since = self._clock_check.best() - BATCH_PATIENCE
        missing = await self._store.read(
            lambda tx: tx.invoices.without_upo(AT_ONCE + len(self._invoices), batch_since=since)
        )
        # one that still waits for its session's UPO is not missing now, but may be later
        if not missing and not await self._store.read(lambda tx: tx.invoices.without_upo(1)):
            self._complete_at = accepted
        self._invoices.keep({record.id for record in missing})
        for record in [each for each in missing if self._invoices.due(each.id)][:AT_ONCE]:
            if not self._mode.may_send() or not await self.fetch(record):
                return

    def _allowed(self) -> int:
        now = self._clock.monotonic()
        while self._calls and self._calls[0] <= now - 3600:
            self._calls.popleft()
        return self._calls_an_hour - len(self._calls)

    def _count(self, calls: int) -> None:
        self._calls.extend([self._clock.monotonic()] * calls)

    # --- one invoice ------------------------------------------------------------------------------------------

    async def fetch(self, record: InvoiceSummary) -> bool:
        """Fetch the UPO of an accepted invoice, keep it where it is the right one; False where KSeF cannot be asked."""
        if record.session_ref is None or record.ksef_number is None:
            return True
        if self._allowed() < 1:
            return False
        self._invoices.asked(record.id)
        self._count(1)
        try:
            upo = await self._gateway.upo(record.session_ref, record.invoice_ref or None, record.ksef_number)
        except KsefError as error:
            self._connection.question_failed(error)
            return error.of_this_call_alone
        await self._store.write(partial(_keep_upo, record, upo, self._clock_check.best()))
        self._changed.set()
        return True

    # --- a whole session --------------------------------------------------------------------------------------

    async def _fetch_of_session(self, session: KsefSession) -> bool:
        """Fetch, store and link all pages; False where KSeF cannot be asked now.

        A crash in between leaves the session waiting, and everything here may be done twice.
        """
        try:
            close = session.kind is SessionKind.ONLINE
            pages = await self._gateway.session_upo(session.reference, close=close)
        except KsefError as error:
            self._connection.question_failed(error)
            if error.outcome is CallOutcome.REFUSED and error.code == NO_SUCH_SESSION:
                await self._store.write(partial(_finish, session.reference, False, error.message))
            return error.of_this_call_alone
        self._connection.answered()
        if pages is None:
            return True
        for page in pages:
            await self._store_page(session.reference, page, len(pages))
        why = None if pages else "KSeF nie przyjął w tej sesji żadnej faktury."
        await self._store.write(partial(_finish, session.reference, bool(pages), why))
        self._changed.set()
        return True

    async def _store_page(self, session: str, page: UpoPage, pages: int) -> None:
        await self._store.write(partial(_add_page, session, page, pages))
        large = len(page.xml) > ON_LOOP_BYTES
        offline = await asyncio.to_thread(taken_offline, page.xml) if large else taken_offline(page.xml)
        stored = StoredUpoPage(session, page.number, hashlib.sha256(page.xml).digest())
        for start in range(0, len(page.documents), SLICE):
            named = page.documents[start : start + SLICE]
            now = self._clock_check.best()
            await self._store.write(partial(_link, stored, named, offline=offline, now=now))


async def _add_page(session: str, page: UpoPage, pages: int, tx: Transaction) -> None:
    if await tx.sessions.add_page(session, page):
        data: dict[str, Json] = {
            "session": session,
            "page": page.number,
            "pages": pages,
            "reference": page.reference,
            "documents": len(page.documents),
            "sha256": hashlib.sha256(page.xml).hexdigest(),
        }
        await tx.events.append(EventKind.SESSION_UPO, data)


async def _link(
    page: StoredUpoPage,
    documents: tuple[tuple[str, bytes], ...],
    tx: Transaction,
    *,
    offline: Mapping[str, bool],
    now: datetime,
) -> None:
    """Tell of each invoice that got its proof here, and of each named with another hash than that of our bytes."""
    for found in await tx.sessions.add_documents(page.session, page.page, documents):
        if found.right and found.has_own:
            continue
        if found.right and found.ksef_number in offline:
            await confirmed_mode.follow(tx, found.invoice_id, offline=offline[found.ksef_number], now=now)
        data = _named(found.ksef_number, found.sha256, page)
        await tx.events.append(EventKind.UPO if found.right else EventKind.UPO_MISMATCH, data, found.invoice_id)


async def named_before(record: InvoiceRecord, now: datetime, tx: Transaction) -> bool:
    """Tell of the UPO of an invoice that was in doubt when a page of its session's named it; False where none did.

    ``record`` has just been given its KSeF number here; ``now`` is the best known time.
    """
    page = await tx.sessions.upo_of(record.id)
    if page is None or record.ksef_number is None:
        return False
    try:
        offline = taken_offline(await tx.sessions.page(page.session, page.page)).get(record.ksef_number)
    except DocumentDamaged:
        offline = None  # the daily check tells of it
    if offline is not None:
        await confirmed_mode.follow(tx, record.id, offline=offline, now=now)
    data = _named(record.ksef_number, record.sha256, page)
    await tx.events.append(EventKind.UPO, data, record.id)
    return True


def _named(ksef_number: str, sha256: bytes, page: StoredUpoPage) -> dict[str, Json]:
    """Return what the log says of an invoice that a page names."""
    return {
        "ksef_number": ksef_number,
        "sha256": sha256.hex(),
        "session": page.session,
        "page": page.page,
        "page_sha256": page.sha256.hex(),
    }


async def _finish(session: str, confirmed: bool, why: str | None, tx: Transaction) -> None:
    await tx.sessions.finish(session, confirmed=confirmed)
    if why is not None:
        await tx.events.append(EventKind.SESSION_WITHOUT_UPO, {"session": session, "why": why})


async def _keep_upo(record: InvoiceSummary, upo: Upo, now: datetime, tx: Transaction) -> None:
    """Store it where it is of this very document, and take over the mode it names; the log tells either way."""
    if await tx.invoices.upo(record.id) is not None:
        return
    right = upo.sha256 == record.sha256 and upo.ksef_number == record.ksef_number
    if right:
        await tx.invoices.add_upo(record.id, upo.xml)
        if (offline := taken_offline(upo.xml).get(upo.ksef_number)) is not None:
            await confirmed_mode.follow(tx, record.id, offline=offline, now=now)
    elif await _told_of(record.id, upo, tx):
        return
    data = {
        "ksef_number": upo.ksef_number,
        "sha256": upo.sha256.hex(),
        "upo_sha256": hashlib.sha256(upo.xml).hexdigest(),
    }
    await tx.events.append(EventKind.UPO if right else EventKind.UPO_MISMATCH, data, record.id)


async def _told_of(invoice_id: str, upo: Upo, tx: Transaction) -> bool:
    """Whether the log holds already that KSeF confirmed these other bytes: it is asked again and again, for ever."""
    log = await tx.events.of_invoice(invoice_id)
    named = (upo.ksef_number, upo.sha256.hex())
    return any(
        event.kind == EventKind.UPO_MISMATCH and (event.data.get("ksef_number"), event.data.get("sha256")) == named
        for event in log
    )
