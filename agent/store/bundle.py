"""One exported invoice as a ZIP that can be read without this program: bytes, UPO, papers, events, record."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import re
import zipfile
from collections.abc import Container, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from agent.domain.errors import Refused
from agent.domain.invoice import InvoiceRecord
from agent.domain.json_io.canonical import Json, indented
from agent.domain.values import dataclass
from agent.ports import Event, PrintJob, StoredUpoPage
from agent.store.transaction import SqliteTransaction
from agent.system.durable_files import clear_leftovers, make_private_folders, sync_folder, write_all
from agent.system.os_errors import polish_reason

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_KEYS = {"stored_xml": "xml"}
"""What a field is called in the archive, where not by its own name."""
_LEAVES = (str, int, float)
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The same content gives the same bytes."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything kept about one invoice."""

    record: InvoiceRecord
    versions: tuple[bytes, ...]
    upo: bytes | None
    prints: Sequence[PrintJob]
    events: Sequence[Event]
    session_upo: tuple[StoredUpoPage, bytes | None] | None = None
    """The page of its session's UPO that names it: a file of its own in the export folder, one for thousands; without
    its bytes where the folder has it."""

    @property
    def path(self) -> Path:
        """Where it belongs inside the export folder: year/month/number_id.zip."""
        number = _safe(self.record.number)
        day = self.record.issued_on
        return Path(f"{day.year}") / f"{day.month:02}" / f"{number}_{self.record.id}.zip"

    @property
    def size(self) -> int:
        """How many bytes of documents it holds, before they are packed."""
        return sum(map(len, (*self.versions, self.upo or b"", *(job.data or b"" for job in self.prints))))


async def collect(transaction: SqliteTransaction, invoice_id: str, pages: Container[Path] = ()) -> Bundle:
    """Read all of one invoice in one snapshot; ``pages``: of sessions' UPO whose bytes are not wanted again."""
    named = await transaction.sessions.upo_of(invoice_id)
    page = None
    if named is not None:
        there = page_path(named) in pages
        page = named, None if there else await transaction.sessions.page(named.session, named.page)
    return Bundle(
        record=await transaction.invoices.get(invoice_id),
        versions=await transaction.invoices.versions(invoice_id),
        upo=await transaction.invoices.upo(invoice_id),
        prints=await transaction.prints.of_invoice(invoice_id),
        events=await transaction.events.of_invoice(invoice_id),
        session_upo=page,
    )


def page_path(page: StoredUpoPage) -> Path:
    """Return where a page of a session's UPO belongs inside the export folder."""
    return Path("session-upo") / f"{_safe(page.session)}-{page.page}.xml"


def pack(bundle: Bundle) -> bytes:
    """Return the ZIP."""
    files = {f"invoice-{version}.xml": xml for version, xml in enumerate(bundle.versions, start=1)}
    if bundle.upo is not None:
        files["upo.xml"] = bundle.upo
    files.update({f"print-{job.copy}-{job.id}.bin": job.data for job in bundle.prints if job.data is not None})
    if bundle.session_upo is not None:
        page, _ = bundle.session_upo
        files["session-upo.json"] = _json({"file": page_path(page).as_posix(), "sha256": page.sha256.hex()})
    files["invoice.json"] = _json(bundle.record)
    files["prints.json"] = _json(bundle.prints)
    files["events.json"] = _json(bundle.events)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


class Archive:
    """The export folder during one run, which looks at each of its folders, and at each page of a UPO, once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cleared: set[Path] = set()
        self.pages: set[Path] = set()
        """Paths of pages that were found there, or written, in this run."""

    def save(self, bundles: Sequence[Bundle]) -> list[tuple[Path, bytes]]:
        """Write their ZIPs durably, read them back; return path and SHA-256 of each. Refused where that fails."""
        named = (each.session_upo for each in bundles if each.session_upo is not None)
        for page, xml in {page: xml for page, xml in named if xml is not None}.items():
            target = self._folder / page_path(page)
            if not holds(target, page.sha256):
                self._write({target: xml})
            self.pages.add(page_path(page))
        files = {self._folder / each.path: pack(each) for each in bundles}
        return list(self._write(files).items())

    def _write(self, files: Mapping[Path, bytes]) -> dict[Path, bytes]:
        try:
            for folder in {path.parent for path in files} - self._cleared:
                make_private_folders(folder)
                clear_leftovers(folder)
                self._cleared.add(folder)
            write_all(files)
        except OSError as error:
            what = next(iter(files)) if len(files) == 1 else f"plików w {self._folder}"
            raise Refused(f"Nie można zapisać {what}: {polish_reason(error)}.", code="not-writable") from error
        digests = {path: hashlib.sha256(content).digest() for path, content in files.items()}
        for path, digest in digests.items():
            if not holds(path, digest):
                raise Refused(f"Plik {path} po zapisie ma inną treść; sprawdź dysk.", code="not-written")
        return digests


def holds(path: Path, sha256: bytes) -> bool:
    """Whether a file is there with that hash."""
    try:
        return hashlib.sha256(path.read_bytes()).digest() == sha256
    except OSError:
        return False


def dropped(path: Path, sha256: bytes) -> bool:
    """Remove an archive file durably; True where none of that hash is left.

    False where another file bears its name, or the folder is not there: an archive that is not mounted still has it.
    """
    try:
        if not path.parent.is_dir():
            return False
        if not path.exists():
            return True
        if not holds(path, sha256):
            return False
        path.unlink()
        sync_folder(path.parent)
    except OSError:
        return False
    return True


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)[:80]


def _json(value: object) -> bytes:
    """Indented JSON; bytes are left to the other files, other values as their text."""
    return indented(_plain(value)).encode("utf-8")


def _plain(value: object) -> Json:
    if value is None or isinstance(value, _LEAVES):
        return value
    if isinstance(value, Mapping):  # an event's data, JSON already
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return {"sha256": hashlib.sha256(value).hexdigest(), "bytes": len(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(getattr(value, name)) for name, key in _names(type(value))}
    return str(value)


@cache
def _names(kind: type[DataclassInstance]) -> list[tuple[str, str]]:
    """Return the names of a dataclass's fields, and what they are called in the archive."""
    return [(field.name, _KEYS.get(field.name, field.name)) for field in dataclasses.fields(kind)]
