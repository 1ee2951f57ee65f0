"""The index of a bundle of evidence (port EvidenceIndex): a database without a name, gone with whoever wrote it.

On disk, since a month of a busy shop has half a million files.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from agent.domain.records.evidence_files import OutageInvoice
from agent.ports.evidence import Read, ZipEntry

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE files (path TEXT PRIMARY KEY, sha256 TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE invoices (
    place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, number TEXT NOT NULL, mode TEXT NOT NULL,
    issued_at TEXT NOT NULL, deadline TEXT NOT NULL, state TEXT NOT NULL, ksef_number TEXT, accepted_at TEXT,
    read_to INTEGER NOT NULL, first_event INTEGER, last_event INTEGER,
    after_entry INTEGER NOT NULL, last_entry INTEGER NOT NULL
);
CREATE TABLE entries (
    place INTEGER PRIMARY KEY, path TEXT NOT NULL, header_offset INTEGER NOT NULL, crc INTEGER NOT NULL,
    compressed INTEGER NOT NULL, size INTEGER NOT NULL, flags INTEGER NOT NULL
);
BEGIN;
"""


class SqliteEvidenceIndex:
    """Implements EvidenceIndex."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder``: on whose disk it lies; None: where the system keeps temporary files."""
        with tempfile.NamedTemporaryFile(dir=folder, prefix="evidence-") as named:
            # written from threads, one at a time; the name goes at once, the file when it is closed
            self._connection = sqlite3.connect(named.name, isolation_level=None, check_same_thread=False)
            self._connection.executescript(_TABLES)

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()

    def add_file(self, path: str, sha256: str) -> None:
        """Note a file and its hash in hexadecimal."""
        self._connection.execute("INSERT INTO files VALUES (?, ?)", (path, sha256))

    def has_file(self, path: str) -> bool:
        """Tell whether there is such a file."""
        return bool(self._connection.execute("SELECT 1 FROM files WHERE path = ?", (path,)).fetchall())

    def files(self) -> Iterator[tuple[str, str]]:
        """Yield path and hash of every file, by path."""
        yield from self._connection.execute("SELECT path, sha256 FROM files ORDER BY path")

    def add_invoice(self, invoice_id: str, invoice: OutageInvoice, read: Read) -> None:
        """Note an invoice when its files are."""
        accepted_at = None if invoice.accepted_at is None else invoice.accepted_at.isoformat()
        facts = (invoice.number, invoice.mode, invoice.issued_at.isoformat(), invoice.deadline, invoice.state)
        self._connection.execute(
            "INSERT INTO invoices VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                invoice_id,
                *facts,
                invoice.ksef_number,
                accepted_at,
                read.to,
                read.first,
                read.last,
                read.after,
                read.end,
            ),
        )

    def drop_invoice(self, invoice_id: str, folder: str) -> None:
        """Forget an invoice and the files of its folder: it is written again. Nothing where it was not there."""
        sql = "DELETE FROM invoices WHERE id = ? RETURNING after_entry, last_entry"
        for after, end in self._connection.execute(sql, (invoice_id,)).fetchall():
            self._connection.execute("DELETE FROM entries WHERE place > ? AND place <= ?", (after, end))
            # what begins with the folder and a slash, of which 0 is the next character
            self._connection.execute("DELETE FROM files WHERE path > ? AND path < ?", (f"{folder}/", f"{folder}0"))

    def read_to(self, invoice_id: str) -> int | None:
        """Return which event was the newest of all when it was read; None where it is not there."""
        found = self._connection.execute("SELECT read_to FROM invoices WHERE id = ?", (invoice_id,)).fetchone()
        return None if found is None else int(found[0])

    def events(self) -> tuple[int, int]:
        """Return the first and the last event of all invoices, (0, 0) where there are none."""
        sql = "SELECT coalesce(min(first_event), 0), coalesce(max(last_event), 0) FROM invoices"
        ((first, last),) = self._connection.execute(sql)
        return int(first), int(last)

    def last_entry(self) -> int:
        """Return the place of the newest entry, 0 where there is none."""
        ((place,),) = self._connection.execute("SELECT coalesce(max(place), 0) FROM entries")
        return int(place)

    def invoices(self) -> Iterator[OutageInvoice]:
        """Yield what outage reports tell of each invoice."""
        sql = "SELECT number, mode, issued_at, deadline, state, ksef_number, accepted_at FROM invoices ORDER BY place"
        for number, mode, issued_at, deadline, state, ksef_number, accepted_at in self._connection.execute(sql):
            yield OutageInvoice(
                number=number,
                mode=mode,
                issued_at=datetime.fromisoformat(issued_at),
                deadline=deadline,
                state=state,
                ksef_number=ksef_number,
                accepted_at=None if accepted_at is None else datetime.fromisoformat(accepted_at),
            )

    def add_entry(self, entry: ZipEntry) -> None:
        """Note an entry of the zip."""
        self._connection.execute("INSERT INTO entries VALUES (NULL, ?, ?, ?, ?, ?, ?)", entry)

    def entry_count(self) -> int:
        """Return how many there are."""
        ((count,),) = self._connection.execute("SELECT count(*) FROM entries")
        return int(count)

    def entries(self) -> Iterator[ZipEntry]:
        """Yield them in order."""
        sql = "SELECT path, header_offset, crc, compressed, size, flags FROM entries ORDER BY place"
        yield from self._connection.execute(sql)
