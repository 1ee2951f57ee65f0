"""What database files and the mark know of used numbers (agent.domain.records.used_numbers); damaged files as well.

Blocking functions that change nothing.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import closing, suppress
from datetime import date
from pathlib import Path

from agent.domain.errors import AgentError, StoreUnfit
from agent.domain.monitoring.webhook_ids import NOTE, WebhookIds
from agent.domain.records.used_numbers import UsedDocument, Witness
from agent.store.disk import is_copy
from agent.store.failures import legible
from agent.store.mark import Mark, read_mark
from agent.store.soundness import SERIES, check, open_readonly

ReadNumber = Callable[[str], tuple[str, int] | None]
"""Reads a P_2 back: series and serial, None for a foreign number (agent.domain.numbering.serial_of)."""

_INVOICES = """SELECT series, serial, number, kind, issued_on, totals ->> 'gross' AS gross,
    totals ->> 'currency' AS currency, ksef_number
FROM invoices WHERE seller_nip = :nip ORDER BY seq {order}"""
_ANY = "SELECT 1 FROM invoices WHERE seller_nip <> :nip LIMIT 1"
_HEAD = "SELECT 1 FROM events WHERE seq = ? AND chain = ?"
_NUMBERS = re.compile(rb'<(?:\w+:)?P_2>([^<]{1,256})</|"number":"([^"]{1,256})"')
_NEWEST = "SELECT coalesce(max(seq), 0) AS seq FROM events"
_NOTE = "SELECT value FROM notebook WHERE name = ?"
_WAITING = "SELECT id FROM held_corrections WHERE state = 'waiting'"
_CHUNK = 16 * 1024 * 1024
_OVERLAP = 1024


def of_replaced(
    database: Path, mark: Mark | None, nip: str, read_number: ReadNumber, *, without: Set[str] = frozenset()
) -> Witness:
    """Ask the database that is replaced. It knows the end of its series where it is sound and fits the mark.

    ``without``: numbers of documents that need not be told.
    """
    name = "zastępowana baza"
    try:
        report = check(database)
    except AgentError as error:
        gone = not database.exists() or database.stat().st_size == 0
        return _of_bytes(database, name, read_number, "bazy nie ma" if gone else str(error))
    if report.unfit:
        found = _readable(database, name, nip, without)
        raw = _of_bytes(database, name, read_number, "; ".join(report.unfit[:3]))
        series = {*found.least, *raw.least}
        least = {each: max(found.least.get(each, 0), raw.least.get(each, 0)) for each in series}
        return Witness(name, least, None, found.documents + raw.documents, raw.trouble)
    found = _readable(database, name, nip, without)
    if mark is not None and not _continues(database, mark, found.least):
        return Witness(name, found.least, None, found.documents, "nie jest bazą, z którą kasa ostatnio pracowała")
    return Witness(name, found.least, found.least, found.documents)


def of_mark(mark: Mark) -> Witness:
    """Ask the mark: nothing beyond its bound was handed out."""
    return Witness("zapis najwyższych numerów", mark.used, mark.most)


def of_copy(path: Path, nip: str, *, without: Set[str] = frozenset()) -> Witness | None:
    """Ask another copy; None where it is none of this seller's, or cannot be read."""
    try:
        with legible(), closing(open_readonly(path)) as connection:
            if connection.execute(_ANY, {"nip": nip}).fetchone() is not None:
                return None
    except sqlite3.Error:
        return None
    found = _readable(path, f"plik {path.name}", nip, without)
    return found if found.least else None


def numbers_in(path: Path, nip: str) -> Iterator[str]:
    """Yield the numbers a copy holds, newest first, as far as it can be read."""
    with suppress(sqlite3.Error), legible(), closing(open_readonly(path)) as connection:
        for row in connection.execute(_INVOICES.format(order="DESC"), {"nip": nip}):
            yield str(row["number"])


def copy_of(folder: Path, nip: str, read_number: ReadNumber) -> Path | None:
    """Return the newest copy in a folder that holds numbers of this till, None where there is none."""
    try:
        files = sorted(folder.glob("*.db"), key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        return None
    for path in files:
        if is_copy(path) and any(read_number(number) for number in numbers_in(path, nip)):
            return path
    return None


def waiting_corrections(database: Path) -> frozenset[str] | None:
    """Return the ids of the corrections that wait in a sound database; None where it cannot be read."""
    try:
        with legible(), closing(open_readonly(database)) as connection:
            return frozenset(str(row["id"]) for row in connection.execute(_WAITING))
    except sqlite3.Error:
        return None


def newest_webhook(database: Path) -> int:
    """Return the highest id that a database may have given to a webhook, 0 where it cannot be read."""
    try:
        with legible(), closing(open_readonly(database)) as connection:
            newest = int(connection.execute(_NEWEST).fetchone()["seq"])
            note = connection.execute(_NOTE, (NOTE,)).fetchone()
            return WebhookIds.kept(None if note is None else json.loads(note["value"])).of(newest)
    except (sqlite3.Error, ValueError, TypeError):
        return 0


def mark_of(places: Sequence[Path], boot: str) -> tuple[Mark | None, str | None]:
    """Return the first mark that can be read, and the trouble with the others. ``boot``: this run of the kernel."""
    trouble = None
    for place in places:
        try:
            mark = read_mark(place, boot)
        except StoreUnfit as error:
            trouble = trouble or error.detail
        else:
            if mark is not None:
                return mark, trouble
    return None, trouble


def _readable(path: Path, name: str, nip: str, without: Set[str]) -> Witness:
    """Read what can be read: from the beginning, and where that stops, from the end as well."""
    documents: dict[str, UsedDocument] = {}
    least: dict[str, int] = {}

    def remember(series: str, last: int) -> None:
        least[series] = max(last, least.get(series, 0))

    for order in ("ASC", "DESC"):
        try:
            with legible(), closing(open_readonly(path)) as connection:
                for row in connection.execute(_INVOICES.format(order=order), {"nip": nip}):
                    if row["number"] not in without:
                        documents[row["number"]] = _document(row)
                    if row["serial"] is not None:
                        remember(row["series"], row["serial"])
                for row in connection.execute(SERIES):
                    remember(row["series"], row["last"])
                break
        except (sqlite3.Error, TypeError, ValueError):
            continue
    return Witness(name, least, None, tuple(documents.values()))


def _document(row: sqlite3.Row) -> UsedDocument:
    return UsedDocument(
        str(row["number"]),
        row["kind"],
        date.fromisoformat(row["issued_on"]),
        row["gross"],
        row["currency"],
        row["ksef_number"],
    )


def _continues(database: Path, mark: Mark, last: Mapping[str, int]) -> bool:
    if any(last.get(series, 0) < used for series, used in mark.used.items()):
        return False
    with legible(), closing(open_readonly(database)) as connection:
        return not mark.heads or any(connection.execute(_HEAD, head).fetchone() for head in mark.heads)


def _of_bytes(database: Path, name: str, read_number: ReadNumber, trouble: str) -> Witness:
    """Look for our numbers in the bytes of a file that is no database any more, and of its write-ahead log."""
    documents: dict[str, UsedDocument] = {}
    least: dict[str, int] = {}
    for path in (database, database.with_name(database.name + "-wal")):
        for number in _numbers_in(path):
            found = read_number(number)
            if found is not None:
                documents[number] = UsedDocument(number)
                least[found[0]] = max(found[1], least.get(found[0], 0))
    return Witness(name, least, None, tuple(documents.values()), trouble)


def _numbers_in(path: Path) -> Iterator[str]:
    if not path.is_file():
        return
    with path.open("rb") as file:
        tail = b""
        while piece := file.read(_CHUNK):
            for one, other in _NUMBERS.findall(tail + piece):
                yield (one or other).decode("utf-8", "replace")
            tail = piece[-_OVERLAP:]
