"""Reading sessions and invoices: statuses, lists, UPO, stored originals (OpenAPI: /sessions, /invoices)."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from aiohttp import web

from agent.ports import Json
from agent.sandbox.ksef import upo
from agent.sandbox.ksef.sessions import KEY_NOT_DECRYPTED, NOTHING_SENT, OPEN_ONLINE, SessionParts
from agent.sandbox.ksef.state import Ledger, LedgerEntry, SentInvoice, Session, Status, UpoPage
from agent.sandbox.ksef.wire import ApiProblem, b64, invalid, json_answer, reference, stamp

CLOSED_ONLINE = Status(170, "Sesja interaktywna zamknięta")
DONE_ONLINE = Status(200, "Sesja interaktywna przetworzona pomyślnie")
OPEN_BATCH = Status(100, "Sesja wsadowa rozpoczęta")
WORKING_BATCH = Status(150, "Trwa przetwarzanie")
DONE_BATCH = Status(200, "Sesja wsadowa przetworzona pomyślnie")
UPLOAD_TIMED_OUT = Status(440, "Sesja anulowana", ("Przekroczono czas wysyłki",))
NONE_VALID = Status(445, "Błąd weryfikacji, brak poprawnych faktur")
T = TypeVar("T")
LINK_LIFETIME = timedelta(hours=72)


def no_upo(detail: str) -> ApiProblem:
    """Return 21178."""
    return ApiProblem(400, 21178, "Nie znaleziono UPO dla podanych kryteriów.", detail)


class Reading:
    """GET /sessions..., GET /invoices/ksef/{number}."""

    def __init__(self, parts: SessionParts, ledger: Ledger, base_url: Callable[[], str]) -> None:
        self._parts = parts
        self._ledger = ledger
        self._base_url = base_url
        self._secrets: dict[str, str] = {}
        """What a presigned link leads to -> its secret."""
        self._links: dict[str, tuple[str, datetime]] = {}
        """Secret -> (what it leads to, expiry)."""

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, relative to /v2."""
        invoices = "/sessions/{reference}/invoices"
        return [
            web.get("/sessions", self.list_sessions),
            web.get("/sessions/{reference}", self.session_status),
            web.get(invoices, self.list_invoices),
            web.get(invoices + "/failed", self.list_failed),
            web.get(invoices + "/{invoice}", self.invoice_status),
            web.get(invoices + "/ksef/{number}/upo", self.upo_by_number),
            web.get(invoices + "/{invoice}/upo", self.upo_by_reference),
            web.get("/sessions/{reference}/upo/{upo}", self.session_upo),
            web.get("/invoices/ksef/{number}", self.original),
            web.get("/storage/upo/{secret}", self.presigned_upo),
        ]

    # --- sessions ----------------------------------------------------------------------------------

    async def list_sessions(self, request: web.Request) -> web.Response:
        """GET /sessions: newest first."""
        operation = self._parts.auth.require(request)
        kind = request.query.get("sessionType")
        if kind not in ("Online", "Batch"):
            raise invalid("Parametr 'sessionType' jest wymagany.")
        mine = [
            self._parts.session_of(operation, session.reference)
            for session in reversed(self._parts.sessions.by_reference.values())
            if session.context == operation.context and session.batch is (kind == "Batch")
        ]
        chosen, token = page_of(request, mine)
        items: list[Json] = []
        for session in chosen:
            good, bad = self._counts(session)
            items.append(
                {
                    "referenceNumber": session.reference,
                    "status": self._status(session).to_json(),
                    "dateCreated": stamp(session.created_at),
                    "dateUpdated": stamp(session.updated_at),
                    "validUntil": stamp(session.valid_until),
                    "totalInvoiceCount": len(session.invoices),
                    "successfulInvoiceCount": good,
                    "failedInvoiceCount": bad,
                }
            )
        return json_answer({"continuationToken": token, "sessions": items})

    async def session_status(self, request: web.Request) -> web.Response:
        """GET /sessions/{reference}."""
        session = self._session(request)
        status = self._status(session)
        good, bad = self._counts(session)
        body: dict[str, Json] = {
            "status": status.to_json(),
            "dateCreated": stamp(session.created_at),
            "dateUpdated": stamp(session.updated_at),
            "invoiceCount": len(session.invoices),
            "successfulInvoiceCount": good,
            "failedInvoiceCount": bad,
        }
        if session.closed_at is None:
            body["validUntil"] = stamp(session.valid_until)
        if status.code == DONE_ONLINE.code:
            expires = self._parts.clock.now() + LINK_LIFETIME
            pages: list[Json] = [
                {
                    "referenceNumber": page.reference,
                    "downloadUrl": self._link(f"page:{session.reference}:{page.reference}", expires),
                    "downloadUrlExpirationDate": stamp(expires),
                }
                for page in self._pages(session)
            ]
            body["upo"] = {"pages": pages}
        return json_answer(body)

    def _status(self, session: Session) -> Status:
        if session.failure is not None:
            return session.failure
        unfinished = self._unfinished_batch(session) if session.batch else self._unfinished_online(session)
        if unfinished is not None:
            return unfinished
        if not session.invoices:
            return NOTHING_SENT
        if not any(invoice.entry for invoice in session.invoices.values()):
            return NONE_VALID
        return DONE_BATCH if session.batch else DONE_ONLINE

    def _unfinished_online(self, session: Session) -> Status | None:
        if session.closed_at is None:
            return OPEN_ONLINE
        return self._at_work(CLOSED_ONLINE) if self._parts.clock.monotonic() < self._settled(session) else None

    def _unfinished_batch(self, session: Session) -> Status | None:
        now = self._parts.clock.monotonic()
        if session.closed_at is None:
            return OPEN_BATCH if now < session.expires else UPLOAD_TIMED_OUT
        until = self._settled(session) + self._parts.behaviour.batch_delay
        return self._at_work(WORKING_BATCH) if session.processed_at is None or now < until else None

    def _at_work(self, status: Status) -> Status:
        return KEY_NOT_DECRYPTED if self._parts.behaviour.unsettled_415 else status

    def _settled(self, session: Session) -> float:
        """Monotonic instant at which the session is done: all verdicts are known and the UPO is made."""
        decided = max((invoice.decided_at for invoice in session.invoices.values()), default=0.0)
        return max(decided, session.closed_at or 0.0) + self._parts.behaviour.session_delay

    def _counts(self, session: Session) -> tuple[int, int]:
        now = self._parts.clock.monotonic()
        known = [invoice for invoice in session.invoices.values() if now >= invoice.decided_at]
        good = sum(1 for invoice in known if invoice.entry is not None)
        return good, len(known) - good

    def _session(self, request: web.Request) -> Session:
        return self._parts.session_of(self._parts.auth.require(request), request.match_info["reference"])

    # --- invoices ----------------------------------------------------------------------------------

    async def list_invoices(self, request: web.Request) -> web.Response:
        """GET /sessions/{reference}/invoices."""
        session = self._session(request)
        return self._invoice_page(request, list(session.invoices.values()))

    async def list_failed(self, request: web.Request) -> web.Response:
        """GET /sessions/{reference}/invoices/failed."""
        session = self._session(request)
        now = self._parts.clock.monotonic()
        failed = [found for found in session.invoices.values() if found.entry is None and now >= found.decided_at]
        return self._invoice_page(request, failed)

    async def invoice_status(self, request: web.Request) -> web.Response:
        """GET /sessions/{reference}/invoices/{invoice}."""
        return json_answer(self._describe(self._invoice(request, self._session(request))))

    def _invoice_page(self, request: web.Request, invoices: Sequence[SentInvoice]) -> web.Response:
        chosen, token = page_of(request, invoices)
        return json_answer({"continuationToken": token, "invoices": [self._describe(invoice) for invoice in chosen]})

    def _invoice(self, request: web.Request, session: Session) -> SentInvoice:
        wanted = request.match_info["invoice"]
        invoice = session.invoices.get(wanted)
        if invoice is None:
            raise invalid(f"Faktura o numerze referencyjnym {wanted} nie została znaleziona w sesji.")
        return invoice

    def _describe(self, invoice: SentInvoice) -> dict[str, Json]:
        now = self._parts.clock.monotonic()
        status = invoice.status(now)
        body: dict[str, Json] = {
            "ordinalNumber": invoice.ordinal,
            "referenceNumber": invoice.reference,
            "invoiceHash": b64(invoice.sha256),
            "invoicingDate": stamp(invoice.received_at),
            "status": status.to_json(),
        }
        if invoice.file_name is not None:
            body["invoiceFileName"] = invoice.file_name
        if status is invoice.verdict and invoice.number is not None:
            body["invoiceNumber"] = invoice.number
        entry = invoice.entry
        if entry is not None and status is invoice.verdict:
            expires = self._parts.clock.now() + LINK_LIFETIME
            body["ksefNumber"] = entry.ksef_number
            body["acquisitionDate"] = stamp(entry.accepted_at)
            body["invoicingMode"] = "Offline" if entry.offline else "Online"
            body["upoDownloadUrl"] = self._link(f"invoice:{entry.ksef_number}", expires)
            body["upoDownloadUrlExpirationDate"] = stamp(expires)
            if now >= entry.stored_after:
                delay = timedelta(seconds=self._parts.behaviour.storage_delay)
                body["permanentStorageDate"] = stamp(entry.accepted_at + delay)
        return body

    # --- UPO and originals -------------------------------------------------------------------------

    async def upo_by_reference(self, request: web.Request) -> web.Response:
        """GET /sessions/{reference}/invoices/{invoice}/upo."""
        session = self._session(request)
        invoice = self._invoice(request, session)
        if invoice.entry is None or self._parts.clock.monotonic() < invoice.decided_at:
            raise no_upo(f"UPO faktury {invoice.reference} nie zostało znalezione.")
        return upo.xml_answer(upo.confirm(session, [invoice.entry]))

    async def upo_by_number(self, request: web.Request) -> web.Response:
        """GET /sessions/{reference}/invoices/ksef/{number}/upo."""
        session = self._session(request)
        number = request.match_info["number"]
        entry = self._ledger.get(number)
        if entry is None or entry.invoice not in session.invoices:
            detail = f"UPO o numerze KSeF {number} i numerze referencyjnym sesji {session.reference}"
            raise no_upo(f"{detail} nie zostało znalezione.")
        return upo.xml_answer(upo.confirm(session, [entry]))

    async def session_upo(self, request: web.Request) -> web.Response:
        """GET /sessions/{reference}/upo/{upo}."""
        session = self._session(request)
        wanted = request.match_info["upo"]
        if self._status(session).code == DONE_ONLINE.code:
            for page in self._pages(session):
                if page.reference == wanted:
                    return upo.xml_answer(page.xml)
        detail = f"UPO o numerze referencyjnym {wanted} dla sesji {session.reference} nie zostało znalezione."
        raise no_upo(detail)

    async def presigned_upo(self, request: web.Request) -> web.Response:
        """GET of a link from a status: no token, no limits, until it expires."""
        target, expires = self._links.get(request.match_info["secret"], ("", self._parts.clock.now()))
        if not target or self._parts.clock.now() >= expires:
            raise web.HTTPForbidden
        kind, _, rest = target.partition(":")
        if kind == "invoice":
            entry = self._ledger.get(rest)
            session = self._parts.sessions.by_reference.get(entry.session) if entry else None
            if entry is None or session is None:
                raise web.HTTPNotFound
            return upo.xml_answer(upo.confirm(session, [entry]))
        session_reference, _, page_reference = rest.partition(":")
        pages = self._parts.sessions.by_reference[session_reference].pages
        return upo.xml_answer(next(page.xml for page in pages if page.reference == page_reference))

    def _pages(self, session: Session) -> list[UpoPage]:
        if not session.pages:
            entries = [invoice.entry for invoice in session.invoices.values() if invoice.entry is not None]
            count = -(-len(entries) // upo.PAGE_SIZE)
            for number in range(1, count + 1):
                chosen = entries[(number - 1) * upo.PAGE_SIZE : number * upo.PAGE_SIZE]
                xml = upo.confirm(session, chosen, (number, count, len(entries)))
                session.pages.append(UpoPage(reference("EU", self._parts.clock.now()), xml))
        return session.pages

    def _link(self, target: str, expires: datetime) -> str:
        secret = self._secrets.setdefault(target, secrets.token_urlsafe(24))
        self._links[secret] = (target, expires)
        return f"{self._base_url()}/storage/upo/{secret}"

    async def original(self, request: web.Request) -> web.Response:
        """GET /invoices/ksef/{number}: the bytes as they were accepted."""
        operation = self._parts.auth.require(request)
        number = request.match_info["number"]
        entry: LedgerEntry | None = self._ledger.get(number)
        if entry is None or entry.context != operation.context:
            detail = f"Faktura o numerze KSeF {number} nie została znaleziona."
            raise ApiProblem(400, 21164, "Faktura o podanym identyfikatorze nie istnieje.", detail)
        if self._parts.clock.monotonic() < entry.stored_after:
            detail = (
                f"Faktura o numerze KSeF {number} została przetworzona, ale nie jest jeszcze dostępna do pobrania. "
                "Spróbuj ponownie później."
            )
            raise ApiProblem(400, 21165, "Faktura o podanym numerze KSeF nie jest jeszcze dostępna.", detail)
        return upo.xml_answer(entry.xml)


def offset_page(request: web.Request, found: Sequence[T], *, largest: int) -> tuple[Sequence[T], bool]:
    """Return one page by pageOffset (in pages) and pageSize 10..largest, and whether there are more."""
    size = _page_size(request, largest)
    offset = request.query.get("pageOffset", "0")
    if not offset.isdecimal():
        raise invalid("Parametr 'pageOffset' musi być liczbą od 0.")
    start = int(offset) * size
    return found[start : start + size], start + size < len(found)


def _page_size(request: web.Request, largest: int) -> int:
    text = request.query.get("pageSize", "10")
    if not text.isdecimal() or not 10 <= int(text) <= largest:
        raise invalid(f"Parametr 'pageSize' musi być liczbą od 10 do {largest}.")
    return int(text)


def page_of(request: web.Request, found: Sequence[T], largest: int = 1000) -> tuple[Sequence[T], str | None]:
    """Return one page and the token of the next; pageSize 10..largest, x-continuation-token in the header."""
    start = 0
    token = request.headers.get("x-continuation-token")
    if token:
        try:
            start = int(base64.b64decode(token, validate=True))
        except (binascii.Error, ValueError) as error:
            raise ApiProblem(400, 21418, "Przekazany token kontynuacji ma nieprawidłowy format.") from error
    end = start + _page_size(request, largest)
    return found[start:end], b64(str(end).encode()) if end < len(found) else None
