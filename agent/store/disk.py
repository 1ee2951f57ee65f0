"""The data directory: one agent at a time, on a disk that keeps what it was given."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from pathlib import Path

from agent.domain.errors import Conflict, StoreUnfit
from agent.system.durable_files import sync_names
from agent.system.os_errors import why

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

LOCK_SUFFIX = ".lock"

_MOUNTS = Path("/proc/self/mountinfo")


class DataLock:
    """An exclusive lock beside the database; the kernel drops it with the process, whatever ends it."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + LOCK_SUFFIX)
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take it at once; Conflict "already-running" where another process has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise Conflict(
                f"Inny program ksef-agent (proces {holder or 'nieznany'}) używa już danych w {self._path.parent}. "
                "Zatrzymaj go albo wskaż inny katalog data_dir.",
                code="already-running",
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it back; harmless where it is not held. The file stays: removing it would open a race."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


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
    """Make the directory (0700) and an empty database file (0600) where they are missing; StoreUnfit otherwise."""
    folder = database.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (kind := file_system(folder)) in NETWORK_FILE_SYSTEMS:
            raise StoreUnfit(f"Katalog {folder} leży na dysku sieciowym ({kind}). Baza danych wymaga dysku lokalnego.")
        if not database.exists() or not database.stat().st_size:
            # also an empty one: whoever made it may have died before its name was durable
            os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            sync_names(database)
    except OSError as error:
        raise StoreUnfit(f"Nie można użyć katalogu danych {folder}: {why(error)}.") from error
