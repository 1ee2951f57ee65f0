"""Batch sessions: many invoices as one archive, for a backlog (sesja-wsadowa.md).

archive -> parts of at most 100 MB -> each encrypted -> open -> uploaded side by side, without our token -> close.
KSeF works on nothing before the close, so whatever fails earlier was NOT_SENT.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import field
from enum import StrEnum

from agent.domain.values import dataclass
from agent.ksef.calls import AuthenticatedClient, Call, as_not_sent
from agent.ksef.client import HttpClient
from agent.ksef.crypto import SessionKey, b64, sha256
from agent.ksef.keys import PublicKey, PublicKeys, Usage
from agent.ksef.limits import Group
from agent.ksef.responses import Fields
from agent.ksef.sessions import FORM_CODE, IDENTIFIER_VALIDATION, encryption
from agent.ports import SESSION_CLOSED, CallOutcome, Json, KsefError, Outgoing

PART_BYTES = 100_000_000
"""Largest part, before encryption."""
SIDE_BY_SIDE = 4
UPLOAD_SECONDS = 60.0
UPLOAD_BYTES_PER_SECOND = 50_000
"""The slowest line a part may take its time on."""


class Compression(StrEnum):
    """How the archive is packed (CompressionType). Solid TarGz makes a backlog of look-alikes much smaller."""

    ZIP = "Zip"
    TAR_GZ = "TarGz"


@dataclass(frozen=True, slots=True)
class Part:
    """One encrypted piece of the archive."""

    ordinal: int
    data: bytes = field(repr=False)
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Package:
    """An archive as the API wants it described, and its encrypted parts."""

    size: int
    sha256: bytes
    compression: Compression
    parts: tuple[Part, ...]

    def describe(self) -> Json:
        """Return BatchFileInfo."""
        return {
            "fileSize": self.size,
            "fileHash": b64(self.sha256),
            "compressionType": str(self.compression),
            "fileParts": [
                {"ordinalNumber": part.ordinal, "fileSize": len(part.data), "fileHash": b64(part.sha256)}
                for part in self.parts
            ],
        }


def pack(
    invoices: Sequence[Outgoing], key: SessionKey, compression: Compression, part_bytes: int = PART_BYTES
) -> Package:
    """Archive and encrypt. Takes a second or more for thousands of invoices: for a thread."""
    archive = _tar_gz(invoices) if compression is Compression.TAR_GZ else _zip(invoices)
    parts = []
    for ordinal, start in enumerate(range(0, len(archive), part_bytes), start=1):
        encrypted = key.encrypt(archive[start : start + part_bytes])
        parts.append(Part(ordinal, encrypted, sha256(encrypted)))
    return Package(len(archive), sha256(archive), compression, tuple(parts))


class BatchSessions:
    """Opens, fills and closes batch sessions."""

    def __init__(
        self,
        api: AuthenticatedClient,
        client: HttpClient,
        keys: PublicKeys,
        *,
        secure: bool,
        validate_identifiers: bool,
        compression: Compression = Compression.ZIP,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._api = api
        self._client = client
        self._keys = keys
        self._secure = secure
        self._headers = IDENTIFIER_VALIDATION if validate_identifiers else None
        self._compression = compression
        self._part_bytes = part_bytes

    async def send(self, invoices: Sequence[Outgoing], noted: Callable[[str], Awaitable[None]]) -> str:
        """Send these in a session of their own; return its reference. All errors are NOT_SENT.

        ``noted(reference)`` is awaited before the first part leaves.

        Once all parts are there the reference counts for more than the answer to the close:
        where that is lost, ``close`` is repeated by whoever asks for the verdicts.
        """
        key = SessionKey.new()
        package = await asyncio.to_thread(pack, invoices, key, self._compression, self._part_bytes)
        offline = any(invoice.offline for invoice in invoices)
        try:
            await self._api.ready()
            opened = await self._open(package, key, offline=offline)
            reference = opened.reference("referenceNumber")
            await noted(reference)
            await self._upload(package, opened.objects("partUploadRequests"))
        except KsefError as error:
            raise as_not_sent(error) from error
        try:
            await self.close(reference)
        except KsefError as error:
            if error.outcome is CallOutcome.REFUSED:
                raise as_not_sent(error) from error
        return reference

    async def close(self, reference: str) -> None:
        """Close; a session closed before counts as closed now. Safe to repeat."""
        try:
            await self._api.run(Call(Group.BATCH_SESSION_CLOSE, "POST", f"/sessions/batch/{reference}/close"))
        except KsefError as error:
            if error.code != SESSION_CLOSED:
                raise

    async def _open(self, package: Package, key: SessionKey, *, offline: bool) -> Fields:
        async def ask(public_key: PublicKey) -> Fields:
            body: Json = {
                "formCode": FORM_CODE,
                "batchFile": package.describe(),
                "encryption": encryption(key, public_key),
                "offlineMode": offline,
            }
            call = Call(Group.BATCH_SESSION, "POST", "/sessions/batch", json=body, headers=self._headers)
            return (await self._api.run(call)).fields()

        return await self._keys.using(Usage.SYMMETRIC_KEY, ask)

    async def _upload(self, package: Package, requests: tuple[Fields, ...]) -> None:
        """Upload every part to the place KSeF named; the first failure stops the others."""
        places = {request.number("ordinalNumber"): request for request in requests}
        if set(places) != {part.ordinal for part in package.parts}:
            raise KsefError("KSeF podał adresy dla innych części paczki niż zgłoszone.", outcome=CallOutcome.NOT_SENT)
        lanes = asyncio.Semaphore(SIDE_BY_SIDE)

        async def upload(part: Part) -> None:
            place = places[part.ordinal]
            url = place.text("url")
            if self._secure and not url.startswith("https://"):
                raise KsefError(f"KSeF podał nieszyfrowany adres części paczki: {url}", outcome=CallOutcome.NOT_SENT)
            seconds = UPLOAD_SECONDS + len(part.data) / UPLOAD_BYTES_PER_SECOND
            async with lanes:
                await self._client.upload(
                    place.text("method"), url, place.strings("headers"), part.data, timeout_seconds=seconds
                )

        try:
            async with asyncio.TaskGroup() as group:
                for part in package.parts:
                    group.create_task(upload(part), name=f"ksef-upload-{part.ordinal}")
        except* KsefError as errors:
            raise _first(errors) from None


def _first(errors: BaseExceptionGroup[KsefError]) -> KsefError:
    error = errors.exceptions[0]
    return error if isinstance(error, KsefError) else _first(error)


def _zip(invoices: Sequence[Outgoing]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for invoice in invoices:
            archive.writestr(_file_name(invoice), invoice.xml)
    return buffer.getvalue()


def _tar_gz(invoices: Sequence[Outgoing]) -> bytes:
    import tarfile  # noqa: PLC0415 - only where a backlog goes as a batch

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for invoice in invoices:
            entry = tarfile.TarInfo(_file_name(invoice))
            entry.size = len(invoice.xml)
            archive.addfile(entry, io.BytesIO(invoice.xml))
    return buffer.getvalue()


def _file_name(invoice: Outgoing) -> str:
    """Name a file by its hash: KSeF gives it back, and it holds no character an archive could stumble over."""
    return f"{invoice.sha256.hex()}.xml"
