"""What an error of SQLite means for a unit of work."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from agent.domain.errors import AgentError, StoreLost, Unavailable
from agent.system.os_errors import polish_reason

DISK_FULL = "disk-full"
"""Code of disk_full()."""
_PRIMARY = 0xFF  # the low byte of an extended result code


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY


@contextmanager
def legible() -> Iterator[None]:
    """Raise illegible() where that is what happened."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise illegible() from error


def illegible() -> sqlite3.DatabaseError:
    """Return what to raise where Python cannot even decode SQLite's message: it quotes a damaged schema."""
    damage = sqlite3.DatabaseError("malformed database schema")
    damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return damage


def is_disk_full(error: sqlite3.Error) -> bool:
    """SQLITE_FULL: a write found no room. The commit mark is written last, so nothing was committed."""
    return _code(error) == sqlite3.SQLITE_FULL


def disk_full() -> Unavailable:
    """Return the refusal for a full disk: nothing was stored."""
    return Unavailable("Brak miejsca na dysku; nic nie zapisano. Zwolnij miejsce i spróbuj ponownie.", code=DISK_FULL)


def of_statement(error: sqlite3.Error) -> AgentError | sqlite3.Error:
    """Translate an error of a statement before COMMIT: nothing is stored.

    A broken constraint stays as it is: repositories translate those they expect, any other is a defect of the program.
    """
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return error
    if is_disk_full(error):
        return disk_full()
    code = _code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Unavailable("Baza danych jest chwilowo zajęta przez inny program.", code="store-busy")
    if code in (
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
    ):
        return StoreLost(f"Błąd odczytu lub zapisu bazy danych: {error}.")
    if str(error).startswith("Could not decode"):  # Python's own, without a code: text that is not UTF-8
        return StoreLost(f"Baza danych jest uszkodzona: {error}.")
    return error


def of_commit(error: sqlite3.Error) -> AgentError | sqlite3.Error:
    """Translate an error of COMMIT: only a full disk or a deferred constraint leave a known outcome."""
    if is_disk_full(error):
        return disk_full()
    if isinstance(error, sqlite3.IntegrityError):
        return error
    return StoreLost(f"Nie wiadomo, czy zapis w bazie danych się powiódł: {error}.")


def of_file(error: OSError) -> AgentError:
    """Translate a failure to write one of our own files before COMMIT: nothing is stored."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full()
    return StoreLost(f"Błąd zapisu pliku {error.filename or ''}: {polish_reason(error)}.")
