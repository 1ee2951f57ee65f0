"""What the check of a bundle of evidence notes (EvidenceNotes): a database without a name, gone with its writer."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator

HELD = 5_000
"""Hashes of the log that are in memory: those of invoices whose lines come one soon after the other."""

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE entries (
    path BLOB PRIMARY KEY, header_offset INTEGER NOT NULL, method INTEGER NOT NULL, crc INTEGER NOT NULL,
    compressed INTEGER NOT NULL, size INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE listed (path BLOB PRIMARY KEY, sha256 BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE log_hashes (invoice_id BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE issued (invoice_id BLOB PRIMARY KEY, day BLOB NOT NULL, number BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE folders (invoice_id BLOB PRIMARY KEY, folder BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE pages (path BLOB PRIMARY KEY, sha256 TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE page_names (
    path BLOB NOT NULL, number BLOB NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (path, number, digest)
) WITHOUT ROWID;
BEGIN;
"""

Entry = tuple[int, int, int, int, int]
"""Of a zip's directory: offset of the header, method, CRC-32, compressed size, size."""


class SqliteEvidenceNotes:
    """Implements EvidenceNotes; keeps the zip's directory as well. Texts are bytes: a forger's may be no UTF-8."""

    def __init__(self) -> None:
        with tempfile.NamedTemporaryFile(prefix="evidence-") as named:
            # the name goes at once, the file when it is closed
            self._connection = sqlite3.connect(named.name, isolation_level=None)
            self._connection.executescript(_TABLES)
        self._log_hashes: dict[str, bytes] = {}

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()

    def note_entries(self, entries: Iterable[tuple[str, Entry]]) -> None:
        """Note the zip's directory; sqlite3.IntegrityError where a path comes twice."""
        rows = ((_bytes(path), *entry) for path, entry in entries)
        self._connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", rows)

    def entry(self, path: str) -> Entry | None:
        """Return where a file lies."""
        sql = "SELECT header_offset, method, crc, compressed, size FROM entries WHERE path = ?"
        found: Entry | None = self._connection.execute(sql, (_bytes(path),)).fetchone()
        return found

    def paths(self) -> Iterator[str]:
        """Yield the paths of the directory, by code points."""
        for (path,) in self._connection.execute("SELECT path FROM entries ORDER BY path"):
            yield _text(path)

    def count(self) -> int:
        """Return how many files there are."""
        ((count,),) = self._connection.execute("SELECT count(*) FROM entries")
        return int(count)

    def note_listed(self, path: str, sha256: str) -> None:
        """Note a file that the index lists; of one path the last counts."""
        self._connection.execute("INSERT OR REPLACE INTO listed VALUES (?, ?)", (_bytes(path), _bytes(sha256)))

    def listed(self) -> Iterator[tuple[str, str]]:
        """Yield path and hash of every file that the index lists, by path."""
        for path, sha256 in self._connection.execute("SELECT path, sha256 FROM listed ORDER BY path"):
            yield _text(path), _text(sha256)

    def is_listed(self, path: str) -> bool:
        """Tell whether the index lists a file."""
        return self._connection.execute("SELECT 1 FROM listed WHERE path = ?", (_bytes(path),)).fetchone() is not None

    def note_log_hash(self, invoice_id: str, value: bytes) -> None:
        """Note the hash over an invoice's lines so far."""
        self._log_hashes[invoice_id] = value
        if len(self._log_hashes) > HELD:
            rows = ((_bytes(each), hashed) for each, hashed in self._log_hashes.items())
            self._connection.executemany("INSERT OR REPLACE INTO log_hashes VALUES (?, ?)", rows)
            self._log_hashes = {}

    def log_hash(self, invoice_id: str) -> bytes | None:
        """Return it; None: there was none."""
        if (held := self._log_hashes.get(invoice_id)) is not None:
            return held
        sql = "SELECT value FROM log_hashes WHERE invoice_id = ?"
        found = self._connection.execute(sql, (_bytes(invoice_id),)).fetchone()
        return None if found is None else bytes(found[0])

    def note_issued(self, invoice_id: str, day: str, number: str) -> None:
        """Note that the log tells of the issue of an invoice on a day (P_1)."""
        row = _bytes(invoice_id), _bytes(day), _bytes(number)
        self._connection.execute("INSERT OR REPLACE INTO issued VALUES (?, ?, ?)", row)

    def note_folder(self, invoice_id: str, folder: str) -> str | None:
        """Note the folder of an invoice; return the one it had before."""
        sql = "SELECT folder FROM folders WHERE invoice_id = ?"
        found = self._connection.execute(sql, (_bytes(invoice_id),)).fetchone()
        if found is not None:
            return _text(found[0])
        self._connection.execute("INSERT INTO folders VALUES (?, ?)", (_bytes(invoice_id), _bytes(folder)))
        return None

    def left_out(self, first: str, last: str) -> Iterator[str]:
        """Yield the numbers of invoices that the log tells of in these days, and that have no folder."""
        sql = """SELECT number FROM issued WHERE day BETWEEN ? AND ?
            AND NOT EXISTS (SELECT 1 FROM folders WHERE folders.invoice_id = issued.invoice_id) ORDER BY number"""
        for (number,) in self._connection.execute(sql, (_bytes(first), _bytes(last))):
            yield _text(number)

    def note_page(self, path: str, sha256: str, names: Iterable[tuple[bytes, bytes]]) -> None:
        """Note a page of a session's UPO: its hash, KSeF numbers and hashes that it confirms."""
        self._connection.execute("INSERT INTO pages VALUES (?, ?)", (_bytes(path), sha256))
        rows = ((_bytes(path), number, digest) for number, digest in names)
        self._connection.executemany("INSERT OR IGNORE INTO page_names VALUES (?, ?, ?)", rows)

    def page_sha256(self, path: str) -> str | None:
        """Return the hash of a page; None: there is no such page."""
        found = self._connection.execute("SELECT sha256 FROM pages WHERE path = ?", (_bytes(path),)).fetchone()
        return None if found is None else str(found[0])

    def page_names(self, path: str, number: bytes, digest: bytes) -> bool:
        """Tell whether a page confirms this number with this hash."""
        sql = "SELECT 1 FROM page_names WHERE path = ? AND number = ? AND digest = ?"
        return self._connection.execute(sql, (_bytes(path), number, digest)).fetchone() is not None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")
