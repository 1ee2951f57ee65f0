"""Put a copy in place of the database: one step that a crash cannot halve. Blocking functions."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from agent.domain.errors import StoreUnfit, Unavailable
from agent.store import soundness
from agent.store.failures import is_disk_full, legible
from agent.store.maintenance import (
    BESIDE,
    Summary,
    partial_beside,
    put_in_place,
    require_sound,
    require_whole,
    summarise,
    translated,
)
from agent.store.migrate import MIGRATIONS
from agent.system.durable_files import sync_folder, write_whole

BUSY_SECONDS = 5.0
"""How long a restore waits for programs that read the old database."""

_DOCUMENT = """SELECT xml, sha256 FROM invoices
JOIN versions ON versions.invoice_id = invoices.id AND versions.version = invoices.version
WHERE number = ? ORDER BY seq"""


def examine(backup: Path) -> Summary:
    """Return what a copy holds; StoreUnfit where it is damaged, foreign, or of a newer program."""
    if backup.is_file() and backup.stat().st_size == 0:
        raise StoreUnfit(f"Plik {backup} jest pusty, więc nie jest kopią bazy danych.")
    require_sound(backup)
    summary = summarise(backup)
    if summary.schema_version > len(MIGRATIONS):
        raise StoreUnfit("Kopia pochodzi z nowszej wersji programu; zainstaluj ją przed przywróceniem.")
    return summary


def restore(backup: Path, target: Path, aside: Path, complete: Callable[[Path], None]) -> None:
    """Put a copy that examine() took in place of ``target``; the caller holds the DataLock.

    ``complete`` writes into the copy what the restored database has to know before an agent can start with it. The
    database that was there stays as ``aside``. A crash leaves either the old one or the completed new one in place: the
    name changes in one step, after the old WAL, which must never meet another database, is durably out of the way.
    Only of a damaged database a crash may leave the file without its WAL, which then lies beside ``aside``.
    Unavailable "store-busy" where another program reads the old database.
    """
    with translated(target), partial_beside(target) as partial:
        _copy(backup, partial)
        complete(partial)
        require_whole(partial)
        if target.exists():
            if _is_fit(target):
                _merge_wal(target)
            os.link(target, aside)
        _move_beside(target, aside)
        put_in_place(partial, target)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(backup: Path, partial: Path) -> None:
    """Copy with what lies in a write-ahead log beside it: the copy may be the damaged till's own database."""
    with (
        closing(soundness.open_readonly(backup)) as source,
        closing(sqlite3.connect(partial, isolation_level=None)) as copy,
    ):
        source.backup(copy, pages=-1)


def _is_fit(database: Path) -> bool:
    """Whether SQLite may open it for writing; of an empty one it would delete the write-ahead log."""
    try:
        return not soundness.check(database, soundness.START_SECONDS).unfit
    except StoreUnfit:
        return False


def _merge_wal(database: Path) -> None:
    try:
        with legible(), closing(sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        if is_disk_full(error):
            raise
        busy = False  # a damaged database keeps its WAL beside it, under the new name
    if busy:
        raise Unavailable(f"Bazę {database} czyta inny program; zakończ go i spróbuj ponownie.", code="store-busy")


def _move_beside(database: Path, aside: Path) -> None:
    """Take what lies beside a database, even one that is gone, durably out of the way of the next one."""
    for suffix in BESIDE:
        leftover = database.with_name(database.name + suffix)
        if leftover.exists():
            leftover.rename(aside.with_name(aside.name + suffix))
    sync_folder(database.parent)


def save_documents(databases: Sequence[Path], folder: Path, numbers: Sequence[str]) -> tuple[str, ...]:
    """Write the XML of these invoices into a new folder, one file each; return those that nobody has unchanged.

    ``databases``: who may have them, the database that is about to be replaced first. KSeF may not have them yet. No
    folder is made where nothing can be written into it; OSError where it cannot be written.
    """
    found: dict[str, bytes] = {}
    for database in databases:
        for number, xml in _documents_in(database, [each for each in numbers if each not in found]):
            found[number] = xml
    if not found:
        return tuple(numbers)
    folder.mkdir(mode=0o700)
    for number, xml in found.items():
        name = re.sub(r"[^\w.-]+", "-", number)[:80]
        write_whole(folder / f"{name}.xml", xml, 0o600)
    return tuple(number for number in numbers if number not in found)


def _documents_in(database: Path, numbers: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield what can be read unchanged, each by itself: one damaged page does not hide the others."""
    for number in numbers:
        try:
            with legible(), closing(soundness.open_readonly(database)) as connection:
                for row in connection.execute(_DOCUMENT, (number,)):
                    if row["xml"] is not None and hashlib.sha256(row["xml"]).digest() == row["sha256"]:
                        yield number, row["xml"]
        except (sqlite3.Error, TypeError):
            continue
