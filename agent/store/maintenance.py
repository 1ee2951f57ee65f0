"""Check, back up and restore a database file. Plain blocking functions: commands call them, the store uses a thread."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.domain.errors import Conflict, Refused, StoreUnfit, Unavailable
from agent.store import codec
from agent.store.disk import LOCK_SUFFIX
from agent.store.failures import disk_full, is_disk_full, legible
from agent.store.migrate import MIGRATIONS
from agent.system.durable_files import sync_folder, sync_names
from agent.system.os_errors import why

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a database, by the end of its name; applied to whatever database has the name."""

BUSY_SECONDS = 5.0
"""How long a restore waits for programs that read the old database."""

_SUMMARY = """SELECT
    (SELECT count(*) FROM invoices) AS invoices,
    (SELECT max(issued_at) FROM invoices) AS issued_at,
    (SELECT number FROM invoices ORDER BY seq DESC LIMIT 1) AS number,
    (SELECT seller_nip FROM invoices ORDER BY seq DESC LIMIT 1) AS seller_nip,
    (SELECT coalesce(max(seq), 0) FROM events) AS last_event,
    (SELECT max(version) FROM schema_version) AS version"""
_SERIES = "SELECT series, max(serial) AS last FROM invoices WHERE serial IS NOT NULL GROUP BY series ORDER BY series"
_HASHES = "SELECT invoice_id, version, xml, sha256 FROM versions WHERE xml IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Summary:
    """What a database file holds. ``series`` maps each series to its last number."""

    invoices: int
    last_issued_at: datetime | None
    last_number: str | None
    seller_nip: str | None
    last_event: int
    schema_version: int
    series: dict[str, int]


def check(path: Path) -> tuple[str, ...]:
    """Return what is wrong with a database file, of a live agent too: structure, references, hash of every invoice."""
    try:
        with legible(), closing(_open_readonly(path)) as connection:
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
            problems += [
                f"{row[0]}: wiersz {row[1]} wskazuje na nieistniejący wiersz tabeli {row[2]}"
                for row in connection.execute("PRAGMA foreign_key_check")
            ]
            problems += [
                f"faktura {row['invoice_id']}, wersja {row['version']}: treść nie zgadza się ze skrótem SHA-256"
                for row in connection.execute(_HASHES)
                if hashlib.sha256(row["xml"]).digest() != row["sha256"]
            ]
    except sqlite3.Error as error:
        return (f"bazy {path} nie da się odczytać: {error}",)
    return tuple(problems)


def summarise(path: Path) -> Summary:
    """Return what a database file holds; StoreUnfit where it is not one of ours."""
    try:
        with legible(), closing(_open_readonly(path)) as connection:
            row = connection.execute(_SUMMARY).fetchone()
            series = {entry["series"]: int(entry["last"]) for entry in connection.execute(_SERIES)}
    except sqlite3.Error as error:
        raise StoreUnfit(f"Plik {path} nie jest bazą danych agenta: {error}.") from error
    return Summary(
        invoices=row["invoices"],
        last_issued_at=codec.read_instant_or_none(row["issued_at"]),
        last_number=row["number"],
        seller_nip=row["seller_nip"],
        last_event=row["last_event"],
        schema_version=row["version"],
        series=series,
    )


def back_up(source: Path, target: Path, *, replace: bool = False) -> Summary:
    """Copy a database, of a live agent too, into one checked file; return what it holds.

    The copy is a snapshot; the writer is not held up. ``target`` appears only complete, checked and durable.
    Conflict "file-exists" unless ``replace``; Unavailable "disk-full"; Refused where the place can not be written.
    """
    if target.exists() and not replace:
        raise Conflict(f"Plik {target} już istnieje. Podaj inną nazwę albo opcję --force.", code="file-exists")
    with _translated(target), _partial(target) as partial:
        with closing(_open_readonly(source)) as live, closing(sqlite3.connect(partial, isolation_level=None)) as copy:
            live.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a WAL beside it
        _require_sound(partial)
        summary = summarise(partial)
        _put(partial, target)
    return summary


def restore(backup: Path, target: Path, aside: Path, complete: Callable[[Path], None]) -> Summary:
    """Put a checked backup in place of ``target``; the caller holds the DataLock. Return what the backup holds.

    ``complete`` writes into the copy what the restored database has to know before an agent can start with it. The
    database that was there stays as ``aside``. A crash leaves either the old one or the completed new one in place: the
    name changes in one step, after the old WAL, which must never meet another database, is durably out of the way.
    Only of a damaged database a crash may leave the file without its WAL, which then lies beside ``aside``.
    Unavailable "store-busy" where another program reads the old database.
    """
    _require_sound(backup)
    summary = summarise(backup)
    if summary.schema_version > len(MIGRATIONS):
        raise StoreUnfit("Kopia pochodzi z nowszej wersji programu; zainstaluj ją przed przywróceniem.")
    with _translated(target), _partial(target) as partial:
        shutil.copyfile(backup, partial)
        complete(partial)
        if target.exists():
            _merge_wal(target)
            os.link(target, aside)
        _move_beside(target, aside)
        _put(partial, target)
    return summary


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


def _require_sound(path: Path) -> None:
    if problems := check(path):
        raise StoreUnfit(f"Baza danych jest uszkodzona: {'; '.join(problems[:5])}.")


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """Give an empty file of mode 0600 beside ``target``; gone afterwards, unless it was put in place."""
    partial = target.with_name(f".{target.name}.partial")
    _remove(partial)  # of a run that was killed; a WAL of that one must not meet this one
    os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        yield partial
    finally:
        _remove(partial)


def _remove(partial: Path) -> None:
    for suffix in ("", *BESIDE, LOCK_SUFFIX):
        partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def _put(partial: Path, target: Path) -> None:
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(target)
    sync_names(target)


@contextmanager
def _translated(target: Path) -> Iterator[None]:
    try:
        with legible():
            yield
    except sqlite3.Error as error:
        if is_disk_full(error):
            raise disk_full() from error
        raise Unavailable(f"Kopiowanie bazy danych nie powiodło się: {error}.", code="backup-failed") from error
    except OSError as error:
        raise Refused(f"Nie można zapisać {target}: {why(error)}.", code="not-writable") from error


def _open_readonly(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA trusted_schema=0")
    connection.execute("PRAGMA busy_timeout=5000")
    return connection
