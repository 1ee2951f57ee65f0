"""agent.ports.KsefGateway over the KSeF 2.0 API: what a till asks of KSeF, in terms of invoices and verdicts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta

from agent.ksef import crypto
from agent.ksef.auth import Authenticator, CertificateProof, Context, Proof, ask_challenge, context_of, proof_of
from agent.ksef.batch import PART_BYTES, BatchSessions, Compression
from agent.ksef.calls import AuthenticatedClient, Call, RateLimitedClient, as_not_sent
from agent.ksef.client import HttpClient, open_client
from agent.ksef.credentials import Credentials
from agent.ksef.keys import PublicKeys
from agent.ksef.ledger import LONGEST_RANGE, issued_on, issued_since
from agent.ksef.limits import HOUR, Group, RateBudget
from agent.ksef.responses import Fields
from agent.ksef.server_clock import ServerTime
from agent.ksef.sessions import MAX_INVOICES, OnlineSessions, session_invoices
from agent.ksef.verdicts import better, checked_document, read_upo, read_upo_page, read_verdict
from agent.ports import (
    CallMetrics,
    CallOutcome,
    Clock,
    KsefError,
    LedgerPart,
    LimitLeft,
    Outgoing,
    Pending,
    SendBudget,
    SessionRef,
    Upo,
    UpoPage,
    Verdict,
)
from agent.settings.model import KsefSettings

log = logging.getLogger(__name__)

NO_SUCH_SESSION = 21173
SESSION_OPEN = 100
SESSION_DONE = 200
"""Status of a session, interactive or batch: below it KSeF is at work, above it took nothing."""
SESSION_UNSETTLED = 415
"""By the contract the key of a session could not be decrypted; live servers say it between the close of any session and
the end of processing, too (docs/protocol.md, section 6)."""
UNSETTLED_FOR = timedelta(hours=3)
"""So long after a session last changed 415 means "not yet". Then it is what the contract says."""
SESSION_OPEN_FOR = timedelta(hours=12)
"""A session is closed so long after its opening at the latest, where KSeF does not say when it changed."""
UNREADABLE = 0
"""Pending.code of a verdict that could not be read; status() tells why."""
COMPRESSIONS = {"zip": Compression.ZIP, "tar.gz": Compression.TAR_GZ}
"""By the setting's word."""
LIMITS_KEEP_SECONDS = 6 * HOUR
LOWERED_KEEP_SECONDS = HOUR
"""The same for limits below those of production: whatever the cause, its end must not go unnoticed for long."""
CLOSE_SECONDS = 5.0
"""At stop the session has so long to be closed; an unclosed one is closed before its UPO is asked for (session_upo)."""


class Gateway:
    """KSeF for one till. Several presses and the sync use it at once."""

    def __init__(
        self,
        client: HttpClient,
        budget: RateBudget,
        *,
        proof: Proof,
        context: Context,
        clock: Clock,
        keys: PublicKeys,
        server_time: ServerTime,
        metrics: CallMetrics | None = None,
        secure: bool = True,
        validate_identifiers: bool = False,
        compression: Compression = Compression.ZIP,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._clock = clock
        self._client = client
        self._budget = budget
        self._wire = RateLimitedClient(client, budget, metrics)
        self._server_time = server_time
        self._authenticator = Authenticator(self._wire, proof, context, clock, server_time)
        self.api = AuthenticatedClient(self._wire, self._authenticator)
        self._sessions = OnlineSessions(
            self.api,
            keys,
            clock=clock,
            server_time=server_time,
            validate_identifiers=validate_identifiers,
            pace=lambda: budget.pace(Group.ONLINE_SESSION),
        )
        self._batches = BatchSessions(
            self.api,
            client,
            keys,
            secure=secure,
            validate_identifiers=validate_identifiers,
            compression=compression,
            part_bytes=part_bytes,
        )
        self._max_batch = MAX_INVOICES
        self._rates_read_at: float | None = None
        self._sizes_read_at: float | None = None

    async def authenticate(self) -> None:
        """Get an access token now, to see whether KSeF takes our credentials. KsefError where it does not."""
        await self._authenticator.token()

    def adopt(self, credentials: Credentials) -> None:
        """Authenticate with a renewed certificate from the next time on; what is under way goes on undisturbed."""
        self._authenticator.prove_with(CertificateProof(credentials))

    @property
    def works_until(self) -> datetime | None:
        """Until when KSeF lets us in, as far as our certificate says; None without an end."""
        return self._authenticator.works_until

    async def session(self, invoice: Outgoing | None = None) -> SessionRef:
        """Return the warm interactive session. No error of it concerns an invoice: unknown becomes NOT_SENT."""
        try:
            session = await self._sessions.warm()
        except KsefError as error:
            if error.outcome is CallOutcome.UNKNOWN:
                raise as_not_sent(error) from error
            raise
        return session

    def way_of(self, invoice_id: str) -> str:
        """Return the name of the only way."""
        return "ksef"

    async def send(self, session: SessionRef, invoice: Outgoing) -> str:
        """Send once; return the invoice's reference."""
        return await self._sessions.send(session, invoice)

    async def status(self, session_ref: str, invoice_ref: str) -> Verdict:
        """Ask for one invoice."""
        path = f"/sessions/{session_ref}/invoices/{invoice_ref}"
        answer = await self.api.run(Call(Group.INVOICE_STATUS, "GET", path))
        return read_verdict(answer.fields())

    async def find_all(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]]:
        """Return everything KSeF has of a session, by hash."""
        try:
            return await self._verdicts(session_ref)
        except KsefError as error:
            if error.code == NO_SUCH_SESSION and error.outcome is CallOutcome.REFUSED:
                return {}
            raise

    async def upo(self, session_ref: str, invoice_ref: str | None, ksef_number: str) -> Upo:
        """Fetch the UPO of an accepted invoice; by number where it belongs to another session (440)."""
        place = invoice_ref or f"ksef/{ksef_number}"
        path = f"/sessions/{session_ref}/invoices/{place}/upo"
        answer = await self.api.run(Call(Group.SESSION_MISC, "GET", path))
        upo = read_upo(answer)
        if upo.ksef_number != ksef_number:
            raise answer.unusable(f"UPO dotyczy innej faktury: {upo.ksef_number} zamiast {ksef_number}.")
        return upo

    async def session_upo(self, session_ref: str, *, close: bool) -> tuple[UpoPage, ...] | None:
        """Return the pages of a session's collective UPO, None while KSeF has none, () where it never will.

        A page that cannot be read is left out where another can: its invoices have UPO of their own.
        """
        status = await self._session_status(session_ref)
        code = status.object("status").number("code")
        if code == SESSION_OPEN and close:
            await self._sessions.close(session_ref)
        if code < SESSION_DONE or self._unsettled(status):
            return None
        upo = status.optional_object("upo")
        references = upo.each("pages", lambda page: page.reference("referenceNumber")) if upo else []
        if not references:
            return None if code == SESSION_DONE else ()
        pages: list[UpoPage] = []
        failed = status.unusable("KSeF nie podał, jak pobrać UPO sesji.")
        for number, reference in enumerate(references, start=1):
            if reference is None:
                continue
            try:
                pages.append(await self._upo_page(session_ref, reference, number, len(references)))
            except KsefError as error:
                if not error.unreadable:
                    raise
                failed = error
                log.warning("page %d of the UPO of session %s is left out: %s", number, session_ref, error.message)
        if not pages:
            raise failed
        return tuple(pages)

    async def _upo_page(self, session_ref: str, reference: str, number: int, pages: int) -> UpoPage:
        answer = await self.api.run(Call(Group.SESSION_MISC, "GET", f"/sessions/{session_ref}/upo/{reference}"))
        # ten thousand invoices are five megabytes: not on the loop
        return await asyncio.to_thread(read_upo_page, answer, session_ref, reference, number, pages)

    async def invoice_sha256(self, ksef_number: str) -> bytes:
        """Return the SHA-256 of the original stored under that number (permission InvoiceRead)."""
        path = f"/invoices/ksef/{ksef_number}"
        return crypto.sha256(checked_document(await self.api.run(Call(Group.INVOICE_DOWNLOAD, "GET", path))))

    async def issued_since(self, nip: str, since: datetime) -> LedgerPart:
        """Return what KSeF took of a seller since then, by its own clock, newest first (permission InvoiceRead).

        A ``since`` that is still to come was written by a clock that was wrong: then as far back as one question goes.
        """
        await self.api.ready()
        until = self._server_time.now()
        return await issued_since(self.api, nip, since if since < until else until - LONGEST_RANGE, until)

    async def issued_on(self, nip: str, first: date, last: date) -> LedgerPart:
        """Return what KSeF holds of a seller with P_1 in these days (permission InvoiceRead)."""
        return await issued_on(self.api, nip, first, last)

    @property
    def largest_batch(self) -> int:
        """How many invoices one batch may hold."""
        return self._max_batch

    async def open_batch(self, invoices: Sequence[Outgoing], opened: Callable[[str], Awaitable[None]]) -> str:
        """Send these as one batch. ValueError for none, or a technical correction (interactive only).

        KsefError NOT_SENT for more than KSeF takes: its limit may have become known since they were counted.
        """
        if not invoices:
            raise ValueError("a batch holds an invoice at least")
        if len(invoices) > self._max_batch:
            raise KsefError(
                f"KSeF przyjmuje w paczce najwyżej {self._max_batch} faktur, nie {len(invoices)}.",
                outcome=CallOutcome.NOT_SENT,
            )
        if any(invoice.corrects is not None for invoice in invoices):
            raise ValueError("a technical correction goes through an interactive session")
        return await self._batches.send(invoices, opened)

    async def batch_verdicts(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]] | None:
        """Return the verdicts by SHA-256, None while KSeF works on it.

        KsefError REFUSED where KSeF refused the batch as a whole, with the session's code (405, 415, 430, 435,
        440, 500) or, for a batch whose parts never all arrived, that of the close (21157, 21205, 21208): it took
        nothing. A hash that is missing from the verdicts was not taken either.
        """
        status = await self._session_status(session_ref)
        state = status.object("status")
        code = state.number("code")
        if code == SESSION_OPEN:
            await self._batches.close(session_ref)
            return None
        if code < SESSION_DONE or self._unsettled(status):
            return None
        verdicts = await self._verdicts(session_ref)
        if code != SESSION_DONE and not verdicts:
            said = f"KSeF odrzucił całą paczkę: {code} {state.said()}"
            raise KsefError(said, outcome=CallOutcome.REFUSED, code=code)
        return verdicts

    def budget(self) -> SendBudget:
        """Return what the rate limits allow now."""
        return self._budget.sends()

    def limits(self) -> tuple[LimitLeft, ...]:
        """Return what every group of calls has left; no I/O."""
        return self._budget.left()

    async def learn_limits(self) -> None:
        """Read KSeF's limits where they were not read for some hours; until then those of production hold.

        Trouble with one call leaves the other to be made; KsefError tells of it then.
        """
        failed: KsefError | None = None
        rates_keep = LOWERED_KEEP_SECONDS if self._budget.is_lowered else LIMITS_KEEP_SECONDS
        sizes_keep = LOWERED_KEEP_SECONDS if self._are_sizes_lowered else LIMITS_KEEP_SECONDS
        if self._is_due(self._rates_read_at, rates_keep):
            try:
                self._budget.learn((await self.api.run(Call(Group.OTHER, "GET", "/rate-limits"))).fields())
                self._rates_read_at = self._clock.monotonic()
            except KsefError as error:
                failed = error
        # on a clock of its own: a small share of the limits may not hold both calls
        if self._is_due(self._sizes_read_at, sizes_keep):
            self._learn_sizes((await self.api.run(Call(Group.OTHER, "GET", "/limits/context"))).fields())
            self._sizes_read_at = self._clock.monotonic()
        if failed is not None:
            raise failed

    def _learn_sizes(self, limits: Fields) -> None:
        with suppress(KsefError):
            largest = limits.object("onlineSession").number("maxInvoices")
            if largest > 0:  # a session for nothing would be opened anew for each invoice
                self._sessions.max_invoices = largest
        with suppress(KsefError):
            largest = limits.object("batchSession").number("maxInvoices")
            if largest > 0:  # a batch of nothing would never go
                self._max_batch = largest

    @property
    def _are_sizes_lowered(self) -> bool:
        return min(self._sessions.max_invoices, self._max_batch) < MAX_INVOICES

    def _is_due(self, read_at: float | None, keep: float) -> bool:
        return read_at is None or self._clock.monotonic() - read_at >= keep

    def recall_sends(self, sent_at: Iterable[datetime]) -> None:
        """Count what an earlier run of the agent sent within the last hour, so that a restart provokes no 429."""
        self._budget.recall_sends(sent_at)

    def recall_sessions(self, *, online: Iterable[datetime], batches: Iterable[datetime]) -> None:
        """Count the sessions that an earlier run opened within the last hour."""
        self._budget.recall_sessions(online=online, batches=batches)

    def recall_background(self, fetched_at: Iterable[datetime], last_at: datetime | None) -> None:
        """Count the documents an earlier run fetched within the last hour; right after it (``last_at``) go easy."""
        self._budget.recall_documents(fetched_at)
        if last_at is not None:
            self._budget.rest_after(last_at)

    async def probe(self) -> float:
        """Return the clock skew in seconds (KSeF minus here) by one anonymous call."""
        _, skew = await ask_challenge(self._wire, self._clock, self._server_time)
        return skew

    async def close(self) -> None:
        """Close the warm session and the connections. Never raises."""
        await self._sessions.stop()
        warm = self._sessions.take_warm()
        if warm is not None:
            with suppress(TimeoutError, KsefError):
                await self._clock.within(CLOSE_SECONDS, self._sessions.close(warm.reference))
        await self._authenticator.stop()
        await self._client.close()

    async def _session_status(self, session_ref: str) -> Fields:
        answer = await self.api.run(Call(Group.SESSION_MISC, "GET", f"/sessions/{session_ref}"))
        return answer.fields()

    def _unsettled(self, session: Fields) -> bool:
        """Whether a session at 415 may still become another one."""
        if session.object("status").number("code") != SESSION_UNSETTLED:
            return False
        changed_at = session.optional_instant("dateUpdated")
        if changed_at is None:
            changed_at = session.instant("dateCreated") + SESSION_OPEN_FOR
        return self._server_time.now() < changed_at + UNSETTLED_FOR

    async def _verdicts(self, session_ref: str) -> dict[bytes, tuple[str, Verdict]]:
        found: dict[bytes, tuple[str, Verdict]] = {}
        async for digest, reference, verdict in session_invoices(self.api, session_ref, _listed):
            known = found.get(digest)
            if known is None or better(known[1], verdict) is not known[1]:
                found[digest] = (reference, verdict)
        return found


def open_gateway(
    settings: KsefSettings,
    seller_nip: str,
    clock: Clock,
    *,
    credentials: Credentials | None = None,
    metrics: CallMetrics | None = None,
    secure: bool | None = None,
    part_bytes: int = PART_BYTES,
) -> Gateway:
    """Return the gateway to KSeF. Files are read now (ConfigError), nothing is called before the first use.

    ``credentials`` take the place of what the settings name; ``secure``, whether parts of a batch may go
    to https places only, follows the settings' address.
    """
    client = open_client(settings, settings.url, clock)
    budget = RateBudget(clock, tills_sharing_address=settings.tills_sharing_address)
    server_time = ServerTime(clock)
    keys = PublicKeys(RateLimitedClient(client, budget, metrics), clock, server_time)
    return Gateway(
        client,
        budget,
        proof=CertificateProof(credentials) if credentials else proof_of(settings, keys),
        context=context_of(settings, seller_nip),
        clock=clock,
        keys=keys,
        server_time=server_time,
        metrics=metrics,
        secure=settings.url.startswith("https://") if secure is None else secure,
        validate_identifiers=settings.subject_identifier_validation,
        compression=COMPRESSIONS[settings.batch_compression],
        part_bytes=part_bytes,
    )


async def try_out(settings: KsefSettings, seller_nip: str, clock: Clock, credentials: Credentials) -> None:
    """Authenticate once with new credentials, beside whatever is in use. KsefError where KSeF does not take them."""
    trial = open_gateway(settings, seller_nip, clock, credentials=credentials)
    try:
        await trial.authenticate()
    finally:
        await trial.close()


def _listed(item: Fields) -> tuple[bytes, str, Verdict]:
    """Read an invoice of a list: its hash, its reference and what KSeF says of it."""
    return item.sha256("invoiceHash"), item.reference("referenceNumber"), _tolerant(item)


def _tolerant(item: Fields) -> Verdict:
    """Read a verdict in a list: one that cannot be read stays open and does not hide the others."""
    try:
        return read_verdict(item)
    except KsefError:
        return Pending(UNREADABLE)
