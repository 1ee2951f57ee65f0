"""Where the data lies: a local disk, and whether a database is there, was there, or never was.

An agent that takes a lost database for a new till numbers from 000001 again. SQLite does not help: for a database that
is missing or empty it deletes the write-ahead log, and with it the last invoices. So nothing is opened before this
module has looked.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path

from agent.domain.errors import NotFound, StoreUnfit
from agent.store import copies
from agent.system.durable_files import sync_names
from agent.system.os_errors import polish_reason

NETWORK_FILE_SYSTEMS = frozenset(
    {
        "afs",
        "ceph",
        "cifs",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    }
)
"""WAL needs shared memory and honest locks; SQLite does not promise either over a network."""

NEW_SUFFIX = ".new"
"""End of the name under which a new database is made: whole and durable before it is called agent.db."""
_BESIDE = ("-wal", "-shm", "-journal")
MAGIC = b"SQLite format 3\0"

_MOUNTS = Path("/proc/self/mountinfo")


def file_system(path: Path, mounts: Path = _MOUNTS) -> str:
    """Return the type of the file system that holds ``path``; empty where the kernel does not say."""
    real = path.resolve()
    best, kind = -1, ""
    with contextlib.suppress(OSError):
        for line in mounts.read_text("utf-8", "replace").splitlines():
            fields, _, tail = line.partition(" - ")
            point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields.split()[4]))
            # a later mount on the same point hides the earlier one
            if len(point.parts) >= best and real.is_relative_to(point):
                best, kind = len(point.parts), tail.split()[0]
    return kind


def prepare(database: Path) -> None:
    """Make the directory (0700) where it is missing; StoreUnfit where it cannot be used."""
    folder = database.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (kind := file_system(folder)) in NETWORK_FILE_SYSTEMS:
            raise StoreUnfit(f"Katalog {folder} leży na dysku sieciowym ({kind}). Baza danych wymaga dysku lokalnego.")
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "no rights", str(folder))
    except OSError as error:
        raise StoreUnfit(f"Nie można użyć katalogu danych {folder}: {polish_reason(error)}.") from error


def new_name(database: Path) -> Path:
    """Return the name under which a new database is made."""
    return database.with_name(f".{database.name}{NEW_SUFFIX}")


def is_there(database: Path) -> bool:
    """Whether there is a database to open; False where there never was one.

    StoreUnfit where one was here and is gone, empty, or no file: nobody may make a new one in its place.
    """
    try:
        kind = os.lstat(database).st_mode
    except FileNotFoundError:
        _refuse_new(database, "nie ma bazy")
        return False
    except OSError as error:
        raise StoreUnfit(f"Nie można odczytać {database}: {polish_reason(error)}.") from error
    if stat.S_ISLNK(kind) and not database.exists():
        raise StoreUnfit(
            f"{database} jest dowiązaniem do {database.readlink()}, a tam niczego nie ma. "
            "Sprawdź, czy dysk jest podłączony; agent nie założy tam nowej bazy."
        )
    try:
        facts = database.stat()
    except OSError as error:
        raise StoreUnfit(f"Nie można odczytać {database}: {polish_reason(error)}.") from error
    if not stat.S_ISREG(facts.st_mode):
        raise StoreUnfit(f"{database} nie jest plikiem, więc nie może być bazą danych. Usuń to i przywróć kopię bazy.")
    if facts.st_size > 0:
        return True
    _refuse_new(database, "jest pusty plik zamiast bazy")
    return False


def make_empty(database: Path) -> None:
    """Make an empty file (0600) where is_there() found none, its name durable; StoreUnfit where that fails."""
    try:
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        sync_names(database)
    except OSError as error:
        raise StoreUnfit(f"Nie można założyć bazy danych {database}: {polish_reason(error)}.") from error


def require(database: Path) -> None:
    """Refuse what is_there() does not find: NotFound for a till without one, StoreUnfit as there."""
    if is_there(database):
        return
    if database.exists():
        raise StoreUnfit(f"Plik {database} jest pusty, więc nie jest bazą danych agenta.")
    raise NotFound(f"Nie ma bazy danych {database}. Czy agent był już uruchomiony?", code="no-database")


def traces(database: Path) -> list[Path]:
    """Return what an agent left beside a database: its log, mark, copies; nothing of a first start cut off."""
    real = database.resolve()
    begun = new_name(database).name
    found = []
    for folder in dict.fromkeys((real.parent, database.parent.resolve())):
        try:
            paths = sorted(folder.iterdir())
        except OSError:
            continue
        for path in paths:
            if path.name.startswith(begun) or path in (real, database.parent.resolve() / database.name):
                continue
            if path.name.startswith((database.name, real.name)) or is_copy(path):
                found.append(path)
    if copies.read(database).last_at is not None:  # of a database that was here; it may lie on a disk that is not
        found.append(database.with_name(copies.NAME))
    return found


def _refuse_new(database: Path, what: str) -> None:
    found = traces(database)
    if not found:
        return
    own = [path for path in found if not path.name.startswith(f"{database.name}.") or not path.name.endswith(_BESIDE)]
    names = ", ".join(path.name for path in own[:8])
    text = (
        f"W katalogu {database.parent} {what} {database.name}, a leżą tam ślady pracy agenta: {names}. "
        "Agent nie zacznie numeracji od początku i niczego tu nie zmienił. "
    )
    moved = [path.name for path in sorted(filter(is_copy, found), key=_age)]
    if moved:
        text += f"Bazą danych może być plik: {', '.join(moved[:4])}. "
    raise StoreUnfit(
        text + f"Jeżeli bazę przeniesiono, przywróć jej nazwę {database.name} (razem z plikiem {database.name}-wal, "
        "jeżeli jest); jeżeli zginęła, przywróć najnowszą kopię: ksef-agent restore KOPIA. "
        "Jeżeli ta kasa nie wystawiła jeszcze żadnej faktury, usuń te pliki."
    )


def _age(path: Path) -> float:
    """Sorts the newest first."""
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0


def is_copy(path: Path) -> bool:
    """Whether a file is a database by its first bytes. Never asked of one that this process has open (see lock.py)."""
    try:
        if not path.is_file():  # a named pipe would never answer
            return False
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def require_rights(database: Path) -> None:
    """Refuse (StoreUnfit) files that this process may not write: SQLite would tell so only in the middle of a press."""
    for path in (database, database.with_name(database.name + "-wal"), database.with_name(database.name + "-shm")):
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            raise StoreUnfit(f"Nie można użyć {path}: brak uprawnień. Właścicielem ma być użytkownik agenta.")
