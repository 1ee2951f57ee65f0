"""Check and back up a database file. Plain blocking functions: commands call them, the store uses a thread."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from agent.domain.errors import Conflict, Refused, StoreUnfit, Unavailable
from agent.domain.values import dataclass
from agent.store import codec, disk, soundness
from agent.store.failures import disk_full, is_disk_full, legible
from agent.system.durable_files import sync_names
from agent.system.os_errors import polish_reason

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a database, by the end of its name; applied to whatever database has the name."""

_SUMMARY = """SELECT
    (SELECT count(*) FROM invoices) AS invoices,
    (SELECT max(issued_at) FROM invoices) AS issued_at,
    (SELECT number FROM invoices ORDER BY seq DESC LIMIT 1) AS number,
    (SELECT seller_nip FROM invoices ORDER BY seq DESC LIMIT 1) AS seller_nip,
    (SELECT coalesce(max(seq), 0) FROM events) AS last_event,
    (SELECT at FROM events ORDER BY seq DESC LIMIT 1) AS event_at,
    (SELECT max(version) FROM schema_version) AS version"""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a database file holds. ``series`` maps each series to its last number."""

    invoices: int
    last_issued_at: datetime | None
    last_number: str | None
    seller_nip: str | None
    last_event: int
    last_event_at: datetime | None
    schema_version: int
    series: dict[str, int]


def check(path: Path) -> tuple[str, ...]:
    """Return everything that is wrong with a database file, of a live agent too (agent.store.soundness)."""
    report = soundness.check(path)
    return (*report.unfit, *report.damaged)


def summarise(path: Path) -> Summary:
    """Return what a database file holds; StoreUnfit where it is not one of ours."""
    try:
        disk.require(path)
        with legible(), closing(soundness.open_readonly(path)) as connection:
            row = connection.execute(_SUMMARY).fetchone()
            series = {entry["series"]: int(entry["last"]) for entry in connection.execute(soundness.SERIES)}
    except sqlite3.Error as error:
        raise StoreUnfit(f"Plik {path} nie jest bazą danych agenta: {error}.") from error
    return Summary(
        invoices=row["invoices"],
        last_issued_at=codec.read_instant_or_none(row["issued_at"]),
        last_number=row["number"],
        seller_nip=row["seller_nip"],
        last_event=row["last_event"],
        last_event_at=codec.read_instant_or_none(row["event_at"]),
        schema_version=row["version"],
        series=series,
    )


def back_up(source: Path, target: Path, *, replace: bool = False) -> Summary:
    """Copy a database, of a live agent too, into one checked file; return what it holds.

    The copy is a snapshot; the writer is not held up. ``target`` appears only complete, checked and durable.
    Refused where ``target`` is the database itself, or cannot be written; Conflict "file-exists" unless ``replace``;
    Unavailable "disk-full".
    """
    disk.require(source)
    require_elsewhere(source, target)
    if target.exists() and not replace:
        raise Conflict(f"Plik {target} już istnieje. Podaj inną nazwę albo opcję --force.", code="file-exists")
    with translated(target), partial_beside(target) as partial:
        with (
            closing(soundness.open_readonly(source)) as live,
            closing(sqlite3.connect(partial, isolation_level=None)) as copy,
        ):
            live.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a WAL beside it
        require_sound(partial)
        summary = summarise(partial)
        put_in_place(partial, target)
    return summary


def require_elsewhere(source: Path, target: Path) -> None:
    """Refuse a copy in the place of the database itself, or of what SQLite keeps beside it, live or not."""
    own = [source.resolve().with_name(source.resolve().name + suffix) for suffix in ("", *BESIDE)]
    if target.resolve() in own or (target.exists() and target.samefile(source)):
        raise Refused(f"{target} to sama baza danych, nie miejsce na jej kopię. Podaj inny plik.", code="not-writable")


def require_sound(path: Path) -> None:
    """Refuse (StoreUnfit) a database with which anything is wrong."""
    if problems := check(path):
        raise StoreUnfit(f"Baza danych jest uszkodzona: {'; '.join(problems[:5])}.")


@contextmanager
def partial_beside(target: Path) -> Iterator[Path]:
    """Give an empty file of mode 0600 beside ``target``; gone afterwards, unless it was put in place."""
    partial = target.with_name(f".{target.name}.partial")
    _remove(partial)  # of a run that was killed; a WAL of that one must not meet this one
    os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        yield partial
    finally:
        _remove(partial)


def _remove(partial: Path) -> None:
    for suffix in ("", *BESIDE):
        partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def is_whole(database: Path) -> bool:
    """Whether a database that is closed is one file. SQLite says nothing where its last checkpoint, that of the last
    close, fails (no room, a bad disk): then the write-ahead log is left, and it would not follow to another name.
    """
    log = database.with_name(f"{database.name}-wal")
    return not log.exists() or log.stat().st_size == 0


def require_whole(partial: Path) -> None:
    """Refuse a copy that is not one file: Unavailable "backup-failed"."""
    if not is_whole(partial):
        raise Unavailable(
            "Kopiowanie bazy danych nie powiodło się: nie wszystko zapisano. Sprawdź miejsce na dysku i sam dysk, "
            "potem spróbuj ponownie.",
            code="backup-failed",
        )


def put_in_place(partial: Path, target: Path) -> None:
    """Make a whole file durable, and give it its name; see require_whole()."""
    require_whole(partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(target)
    sync_names(target)


@contextmanager
def translated(target: Path) -> Iterator[None]:
    """Raise what a failed copy means: Unavailable, or Refused where the place cannot be written."""
    try:
        with legible():
            yield
    except sqlite3.Error as error:
        if is_disk_full(error):
            raise disk_full() from error
        raise Unavailable(f"Kopiowanie bazy danych nie powiodło się: {error}.", code="backup-failed") from error
    except OSError as error:
        raise Refused(f"Nie można zapisać {target}: {polish_reason(error)}.", code="not-writable") from error
