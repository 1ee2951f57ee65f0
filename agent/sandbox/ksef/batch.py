"""Batch sessions: open, upload of encrypted parts, close, unpacking (OpenAPI: /sessions/batch)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import secrets
import tarfile
import zipfile
from collections.abc import Callable, Iterator

from aiohttp import web

from agent.ports import Json
from agent.sandbox.ksef import crypto
from agent.sandbox.ksef.sessions import SessionParts, check_form_code, wrong_status
from agent.sandbox.ksef.state import Archive, Session, Status
from agent.sandbox.ksef.verdicts import Upload, polish_day
from agent.sandbox.ksef.wire import (
    ApiProblem,
    JsonObject,
    binary,
    choice,
    flag,
    invalid,
    items,
    json_answer,
    member,
    nested,
    read_object,
    reference,
)

MAX_PARTS = 50
MAX_PACKAGE_BYTES = 5_000_000_000
COMPRESSIONS = ("Zip", "TarGz")
UPLOAD_HEADERS = {"x-ms-blob-type": "BlockBlob"}
"""Storage wants these headers and, as the address is signed, no Authorization."""
CLOSED = 170
BAD_ELEMENTS = Status(405, "Błąd weryfikacji poprawności dostarczonych elementów paczki")
TOO_MANY = Status(420, "Przekroczony limit faktur w sesji")
BAD_ARCHIVE = Status(430, "Błąd dekompresji pierwotnego archiwum")
BAD_PARTS = Status(435, "Błąd odszyfrowania zaszyfrowanych części archiwum")


class BadPackage(Exception):
    """The package as a whole is refused; ``status`` is that of the session."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.description)
        self.status = status


class BatchSessions:
    """POST /sessions/batch and what follows. Packages are worked through by tasks of their own."""

    def __init__(self, parts: SessionParts, base_url: Callable[[], str]) -> None:
        self._parts = parts
        self._base_url = base_url
        self._work: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, relative to /v2."""
        return [
            web.post("/sessions/batch", self.open),
            web.put("/storage/batch/{reference}/{part}/{secret}", self.upload),
            web.post("/sessions/batch/{reference}/close", self.close),
        ]

    async def stop(self) -> None:
        """Cancel what is being worked through."""
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    async def open(self, request: web.Request) -> web.Response:
        """POST /sessions/batch."""
        operation = self._parts.auth.require(request)
        body = await read_object(request)
        check_form_code(body)
        archive = self._declared(nested(body, "batchFile"))
        session = self._parts.new_session("SB", operation, body, request)
        session.offline = flag(body, "offlineMode")
        session.archive = archive
        uploads: list[Json] = [
            {
                "ordinalNumber": ordinal,
                "method": "PUT",
                "url": f"{self._base_url()}/storage/batch/{session.reference}/{ordinal}/{archive.secret}",
                "headers": UPLOAD_HEADERS,
            }
            for ordinal in sorted(archive.declared)
        ]
        return json_answer({"referenceNumber": session.reference, "partUploadRequests": uploads}, status=201)

    async def upload(self, request: web.Request) -> web.Response:
        """PUT of one encrypted part to its signed address, as a blob store answers: 201, 400, 403, 404."""
        session = self._parts.sessions.by_reference.get(request.match_info["reference"])
        if session is None or session.archive is None:
            raise web.HTTPNotFound
        archive = session.archive
        known = request.match_info["part"].isdecimal() and int(request.match_info["part"]) in archive.declared
        signed = secrets.compare_digest(request.match_info["secret"], archive.secret)
        late = session.closed_at is not None or self._parts.clock.monotonic() >= session.expires
        if not known or not signed or late or "Authorization" in request.headers:
            raise web.HTTPForbidden(text="AuthenticationFailed")
        if any(request.headers.get(name) != value for name, value in UPLOAD_HEADERS.items()):
            raise web.HTTPBadRequest(text="MissingRequiredHeader")
        archive.uploaded[int(request.match_info["part"])] = await request.read()
        session.updated_at = self._parts.clock.now()
        return web.Response(status=201)

    async def close(self, request: web.Request) -> web.Response:
        """POST /sessions/batch/{reference}/close: all parts must be there, in the declared sizes."""
        session = self._parts.session_of(self._parts.auth.require(request), request.match_info["reference"])
        if session.archive is None or session.closed_at is not None or session.failure is not None:
            raise wrong_status(session.failure.code if session.failure else CLOSED, "jej zamknięcie")
        if self._parts.clock.monotonic() >= session.expires:
            detail = "Sesja anulowana, przekroczony czas wysyłki."
            raise ApiProblem(400, 21208, "Czas oczekiwania na requesty upload lub finish został przekroczony.", detail)
        for ordinal, (size, _) in session.archive.declared.items():
            part = session.archive.uploaded.get(ordinal)
            if part is None:
                detail = f"Nie przesłano zadeklarowanej '{ordinal}' części pliku."
                raise ApiProblem(400, 21205, "Pakiet nie może być pusty.", detail)
            if len(part) != size:
                detail = f"Zadeklarowany rozmiar części '{ordinal}' nie zgadza się z rzeczywistym."
                raise ApiProblem(400, 21157, "Nieprawidłowy rozmiar części pakietu.", detail)
        session.closed_at = self._parts.clock.monotonic()
        session.updated_at = self._parts.clock.now()
        task = asyncio.create_task(self._process(session, session.archive), name=f"sandbox-batch-{session.reference}")
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return web.Response(status=204)

    # --- inside ----------------------------------------------------------------------------------

    def _declared(self, body: JsonObject) -> Archive:
        compression = choice(body, "compressionType", COMPRESSIONS) or COMPRESSIONS[0]
        if not 1 <= member(body, "fileSize", int) <= MAX_PACKAGE_BYTES:
            raise invalid(f"Rozmiar paczki musi wynosić od 1 do {MAX_PACKAGE_BYTES} bajtów.")
        declared = items(body, "fileParts")
        if not 1 <= len(declared) <= MAX_PARTS:
            detail = f"Liczba części musi wynosić od 1 do {MAX_PARTS}."
            raise ApiProblem(400, 21161, "Przekroczono dozwoloną liczbę części pakietu.", detail)
        sizes = {member(part, "ordinalNumber", int): member(part, "fileSize", int) for part in declared}
        if sorted(sizes) != list(range(1, len(declared) + 1)):
            raise invalid("Numery części muszą być kolejne, od 1.")
        limit = self._parts.behaviour.max_part_bytes + crypto.BLOCK_BYTES
        for ordinal, size in sizes.items():
            if not 1 <= size <= limit:
                detail = f"Rozmiar części {ordinal} przekroczył dozwolony rozmiar 100MB."
                raise ApiProblem(400, 21157, "Nieprawidłowy rozmiar części pakietu.", detail)
        return Archive(
            size=member(body, "fileSize", int),
            sha256=binary(body, "fileHash", 32),
            compression=compression,
            declared={
                member(part, "ordinalNumber", int): (member(part, "fileSize", int), binary(part, "fileHash", 32))
                for part in declared
            },
            secret=secrets.token_urlsafe(24),
        )

    async def _process(self, session: Session, archive: Archive) -> None:
        try:
            package = self._package(session, archive)
            for name, xml in unpack(package, archive.compression):
                self._judge(session, name, xml)
                await asyncio.sleep(0)  # 10 000 invoices must not stop the other requests
        except BadPackage as refusal:
            session.failure = refusal.status
        archive.uploaded.clear()
        session.processed_at = self._parts.clock.monotonic()
        session.updated_at = self._parts.clock.now()

    def _package(self, session: Session, archive: Archive) -> bytes:
        if session.key is None:
            raise AssertionError("a session without a key cannot be closed")
        plain = bytearray()
        for ordinal, (_, sha256) in sorted(archive.declared.items()):
            part = archive.uploaded[ordinal]
            if hashlib.sha256(part).digest() != sha256:
                raise BadPackage(BAD_ELEMENTS)
            try:
                plain += crypto.decrypt(part, session.key, session.iv)
            except ValueError as error:
                raise BadPackage(BAD_PARTS) from error
        if len(plain) != archive.size or hashlib.sha256(plain).digest() != archive.sha256:
            raise BadPackage(BAD_ELEMENTS)
        return bytes(plain)

    def _judge(self, session: Session, name: str, xml: bytes) -> None:
        if len(session.invoices) >= self._parts.behaviour.max_invoices:
            raise BadPackage(TOO_MANY)
        now = self._parts.clock.now()
        upload = Upload(
            xml=xml,
            day=polish_day(session.created_at),  # a batch counts from its opening (docs/law.md, section 1)
            offline=session.offline,
            received_at=now,
            ordinal=len(session.invoices) + 1,
            reference=reference("EE", now),
            file_name=name[:128],
        )
        invoice = self._parts.verdicts.judge(session, upload, self._parts.next_mood())
        session.invoices[invoice.reference] = invoice


def unpack(package: bytes, compression: str) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of every file in the archive; BadPackage where it is none."""
    try:
        if compression == "Zip":
            with zipfile.ZipFile(io.BytesIO(package)) as archive:
                for info in archive.infolist():
                    if not info.is_dir():
                        yield info.filename, archive.read(info)
            return
        with contextlib.closing(tarfile.open(fileobj=io.BytesIO(package), mode="r:gz")) as tar:
            for entry in tar:
                content = tar.extractfile(entry) if entry.isfile() else None
                if content is not None:
                    yield entry.name, content.read()
    except (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError) as error:
        raise BadPackage(BAD_ARCHIVE) from error
