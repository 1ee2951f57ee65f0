"""Interactive sessions: open, send, close (OpenAPI: /sessions/online). Reading sessions is in reading.py."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from aiohttp import web

from agent.domain.values import dataclass
from agent.sandbox.ksef import crypto
from agent.sandbox.ksef.auth import Auth, Operation
from agent.sandbox.ksef.pki import KeyRing
from agent.sandbox.ksef.state import Behaviour, Mood, SentInvoice, Session, Sessions, SkewedClock, Status
from agent.sandbox.ksef.verdicts import NOT_DECRYPTED, Upload, Verdicts, bad_file, polish_day
from agent.sandbox.ksef.wire import (
    ApiProblem,
    JsonObject,
    binary,
    flag,
    invalid,
    json_answer,
    member,
    nested,
    optional,
    read_object,
    reference,
    stamp,
)

FORM_CODE = {"systemCode": "FA (3)", "schemaVersion": "1-0E", "value": "FA"}
FEATURE = "subject-identifier-validation"
OPEN_ONLINE = Status(100, "Sesja interaktywna otwarta")
KEY_NOT_DECRYPTED = Status(415, "Błąd odszyfrowania dostarczonego klucza")
TOO_SOON = Status(415, "Sesja nie przyjmuje faktur")
NOTHING_SENT = Status(440, "Sesja anulowana", ("Nie przesłano faktur",))
PERMISSION_CODES = (410, 415)
"""Verdicts about permissions: a technical correction cannot repair them (docs/law.md, section 4)."""


def check_form_code(body: JsonObject) -> None:
    """Only FA(3) is taken."""
    code = nested(body, "formCode")
    if {name: member(code, name, str) for name in FORM_CODE} != FORM_CODE:
        raise invalid("Wskazany kod formularza nie jest wspierany.")


def no_such_session(wanted: str) -> ApiProblem:
    """Return 21173."""
    detail = f"Sesja o numerze referencyjnym {wanted} nie została znaleziona."
    return ApiProblem(400, 21173, "Brak sesji o wskazanym numerze referencyjnym.", detail)


def wrong_status(code: int, what: str) -> ApiProblem:
    """Return 21180."""
    detail = f"Status sesji {code} uniemożliwia {what}."
    return ApiProblem(400, 21180, "Status sesji nie pozwala na wykonanie operacji.", detail)


@dataclass
class SessionParts:
    """What the parts about sessions share."""

    clock: SkewedClock
    behaviour: Behaviour
    auth: Auth
    keys: KeyRing
    sessions: Sessions
    verdicts: Verdicts

    def new_session(self, kind: str, operation: Operation, body: JsonObject, request: web.Request) -> Session:
        """Make a session of kind SO (interactive) or SB (batch)."""
        now = self.clock.now()
        failure = self._too_soon(operation.context) if kind == "SO" else None
        key, iv = crypto.session_key(nested(body, "encryption"), self.keys, now)
        lifetime = self.behaviour.session_lifetime if kind == "SO" else self.behaviour.batch_upload_lifetime
        session = Session(
            reference=reference(kind, now),
            batch=kind == "SB",
            context=operation.context,
            context_type=operation.context_type,
            proof=operation.proof,
            key=key,
            iv=iv,
            created_at=now,
            updated_at=now,
            opened_at=self.clock.monotonic(),
            expires=self.clock.monotonic() + lifetime,
            valid_until=now + timedelta(seconds=lifetime),
            failure=failure if key else KEY_NOT_DECRYPTED,
            checks_identifiers=FEATURE in request.headers.get("X-KSeF-Feature", ""),
        )
        self.sessions.by_reference[session.reference] = session
        return session

    def _too_soon(self, context: str) -> Status | None:
        """Refuse a session that follows another one of the context too closely."""
        since = self.clock.monotonic() - self.behaviour.session_cooldown
        ends = (each.closed_at for each in self.sessions.by_reference.values() if each.context == context)
        return TOO_SOON if any(end is not None and end > since for end in ends) else None

    def session_of(self, operation: Operation, wanted: str) -> Session:
        """Return a session of the caller's context; 21173 otherwise."""
        session = self.sessions.by_reference.get(wanted)
        if session is None or session.context != operation.context:
            raise no_such_session(wanted)
        if not session.batch and session.closed_at is None and self.clock.monotonic() >= session.expires:
            session.closed_at = session.expires
        idle = self.clock.monotonic() - session.opened_at >= self.behaviour.empty_session_lifetime
        if not session.batch and session.closed_at is None and not session.invoices and idle:
            session.closed_at = session.opened_at + self.behaviour.empty_session_lifetime
            session.failure = session.failure or NOTHING_SENT
        return session

    def check_maintenance(self, session: Session) -> None:
        """21184 while sessions are out of reach."""
        if self.behaviour.maintenance:
            detail = (
                f"Trwają prace serwisowe i sesja {session.reference} jest tymczasowo niedostępna. "
                "Spróbuj ponownie później lub otwórz nową sesję, aby wysłać kolejne faktury."
            )
            raise ApiProblem(400, 21184, "Sesja tymczasowo niedostępna.", detail)

    def next_mood(self) -> Mood | None:
        """Take the mood that waits for the next invoice."""
        return self.sessions.moods.popleft() if self.sessions.moods else None


class OnlineSessions:
    """POST /sessions/online and what follows."""

    def __init__(self, parts: SessionParts) -> None:
        self._parts = parts

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, relative to /v2."""
        return [
            web.post("/sessions/online", self.open),
            web.post("/sessions/online/{reference}/invoices", self.send),
            web.post("/sessions/online/{reference}/close", self.close),
        ]

    async def open(self, request: web.Request) -> web.Response:
        """POST /sessions/online."""
        operation = self._parts.auth.require(request)
        body = await read_object(request)
        check_form_code(body)
        session = self._parts.new_session("SO", operation, body, request)
        return json_answer({"referenceNumber": session.reference, "validUntil": stamp(session.valid_until)}, status=201)

    async def send(self, request: web.Request) -> web.Response:
        """POST /sessions/online/{reference}/invoices: sizes and hashes at once, everything else in the verdict."""
        parts = self._parts
        operation = parts.auth.require(request)
        body = await read_object(request)
        session = parts.session_of(operation, request.match_info["reference"])
        if session.batch:
            raise invalid("Sesja wsadowa nie przyjmuje pojedynczych faktur.")
        parts.check_maintenance(session)
        if session.closed_at is not None or session.failure is not None:
            raise wrong_status(session.failure.code if session.failure else 170, "wysyłkę faktur")
        if len(session.invoices) >= parts.behaviour.max_invoices:
            detail = (
                f"Sesja o numerze referencyjnym {session.reference} osiągnęła dozwolony limit liczby faktur "
                f"{parts.behaviour.max_invoices}."
            )
            raise ApiProblem(400, 21155, "Przekroczono dozwoloną liczbę faktur w sesji.", detail)
        sha256, size = binary(body, "invoiceHash", 32), member(body, "invoiceSize", int)
        encrypted = self._encrypted(body)
        offline = flag(body, "offlineMode")
        corrected = self._corrected(body, session, offline=offline)
        invoice = self._take(session, encrypted, sha256, size, offline=offline)
        if corrected is not None and invoice.entry is not None:
            corrected.corrected_by = invoice.reference
        session.invoices[invoice.reference] = invoice
        session.updated_at = parts.clock.now()
        return json_answer({"referenceNumber": invoice.reference}, status=202)

    async def close(self, request: web.Request) -> web.Response:
        """POST /sessions/online/{reference}/close."""
        parts = self._parts
        session = parts.session_of(parts.auth.require(request), request.match_info["reference"])
        if session.batch or session.closed_at is not None or session.failure is not None:
            raise wrong_status(session.failure.code if session.failure else 170, "jej zamknięcie")
        session.closed_at = parts.clock.monotonic()
        session.updated_at = parts.clock.now()
        return web.Response(status=204)

    # --- inside ----------------------------------------------------------------------------------

    def _encrypted(self, body: JsonObject) -> bytes:
        content = binary(body, "encryptedInvoiceContent")
        if len(content) != member(body, "encryptedInvoiceSize", int):
            detail = "Długość treści nie zgadza się z rozmiarem pliku."
            raise ApiProblem(400, 21402, "Nieprawidłowy rozmiar pliku.", detail)
        if hashlib.sha256(content).digest() != binary(body, "encryptedInvoiceHash", 32):
            detail = "Skrót treści nie zgadza się ze skrótem pliku."
            raise ApiProblem(400, 21403, "Nieprawidłowy skrót pliku.", detail)
        return content

    def _corrected(self, body: JsonObject, session: Session, *, offline: bool) -> SentInvoice | None:
        """Return the rejected invoice that a technical correction replaces; 21166, 21167 where there may be none."""
        if optional(body, "hashOfCorrectedInvoice", str) is None:
            return None
        if not offline:
            raise invalid("Korekta techniczna wymaga offlineMode: true.")
        found = self._parts.sessions.hash_of(session.context, binary(body, "hashOfCorrectedInvoice", 32))
        if not found:
            raise invalid("Nie znaleziono faktury o skrócie wskazanym w hashOfCorrectedInvoice.")
        if any(invoice.corrected_by is not None for invoice in found):
            detail = "Faktura posiada już przetworzoną prawidłowo korektę techniczną."
            raise ApiProblem(400, 21166, "Korekta techniczna niedostępna.", detail)
        original = found[-1]
        accepted = any(invoice.entry is not None for invoice in found)
        decided = self._parts.clock.monotonic() >= original.decided_at
        if accepted or not decided or original.verdict.code in PERMISSION_CODES or not original.offline:
            detail = (
                "Nie można wysłać korekty technicznej do prawidłowo przetworzonej faktury."
                if accepted
                else f"Status faktury {original.verdict.code} nie pozwala na korektę techniczną."
            )
            raise ApiProblem(400, 21167, "Status faktury nie pozwala na korektę techniczną.", detail)
        return original

    def _take(self, session: Session, encrypted: bytes, sha256: bytes, size: int, *, offline: bool) -> SentInvoice:
        parts = self._parts
        now = parts.clock.now()
        upload = Upload(
            xml=b"",
            day=polish_day(now),
            offline=offline,
            received_at=now,
            ordinal=len(session.invoices) + 1,
            reference=reference("EE", now),
        )
        if session.key is None:
            raise AssertionError("a session without a key takes no invoices")
        try:
            upload.xml = crypto.decrypt(encrypted, session.key, session.iv)
        except ValueError:
            refused = parts.verdicts.undecided(upload, NOT_DECRYPTED)
        else:
            if hashlib.sha256(upload.xml).digest() == sha256 and len(upload.xml) == size:
                return parts.verdicts.judge(session, upload, parts.next_mood())
            refused = parts.verdicts.undecided(upload, bad_file("Skrót lub rozmiar faktury jest inny."))
        refused.sha256 = sha256
        return refused
