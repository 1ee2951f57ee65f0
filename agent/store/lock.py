"""One agent per data: a lock on what the data themselves are, so that deleting a file does not let a second agent in.

flock(2) on the data directory and on the database file. Both are locks of an inode: a second name (symbolic link, bind
mount, hard link) leads to the same one, and nothing can be deleted to get past it. The kernel drops them with the
process, whatever ends it.

SQLite locks byte ranges of the same file with fcntl(2). The two kinds do not see each other, but closing any descriptor
of a file drops all fcntl locks this process has on it. So the descriptor of the database stays open until release(),
which comes after the last connection was closed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from agent.domain.errors import Conflict, StoreUnfit
from agent.system.os_errors import polish_reason

LOCKS = Path("/proc/locks")
"""Who holds which lock, by device and inode (proc_locks(5))."""


class DataLock:
    """The exclusive right to a database and its directory."""

    def __init__(self, database: Path) -> None:
        self._path = database
        self._descriptors: list[int] = []
        self._of_database: int | None = None

    def take(self) -> None:
        """Take the directory, which has to be there; Conflict "already-running" where another process has it."""
        self._take(self._path.parent, os.O_DIRECTORY)

    def take_database(self) -> int:
        """Take the database as well, under the directory's lock; return the descriptor of its lock. As take() fails."""
        if self._of_database is None:
            self._of_database = self._take(self._path, os.O_NONBLOCK)
        return self._of_database

    def release(self) -> None:
        """Give everything back; harmless where nothing is held. Only after the last connection was closed."""
        self._of_database = None
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _take(self, path: Path, flags: int) -> int:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
        except OSError as error:
            raise StoreUnfit(f"Nie można otworzyć {path}: {polish_reason(error)}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = holder_of(os.fstat(descriptor))
            os.close(descriptor)
            raise Conflict(
                f"Inny program ksef-agent (proces {holder or 'nieznany'}) używa już danych w {self._path.parent}. "
                "Zatrzymaj go albo wskaż inny katalog data_dir.",
                code="already-running",
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise StoreUnfit(f"Nie można założyć blokady na {path}: {polish_reason(error)}.") from error
        self._descriptors.append(descriptor)
        return descriptor


def holder_of(facts: os.stat_result, locks: Path = LOCKS) -> int | None:
    """Return the process that holds a flock on this inode; None where the kernel does not say.

    By the inode alone: what stat(2) and the kernel's list call the device differs on btrfs and overlayfs.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in locks.read_text("ascii").splitlines():
            # 1: FLOCK  ADVISORY  WRITE 4711 08:02:1234 0 EOF
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5].endswith(f":{facts.st_ino}") and int(fields[4]) > 0:
                return int(fields[4])
    return None
