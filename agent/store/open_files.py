"""Whether the files a connection has open are still the ones with the database's names.

SQLite goes on writing into a file that was renamed, deleted or overwritten, and says nothing. Three calls of stat(2)
before each COMMIT tell: a few microseconds. What happens a moment later is told by the next one.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from agent.domain.errors import StoreLost, StoreMoved
from agent.store import at_rest

_SHARED_FIRST = 0x40000000 + 2
_SHARED_SIZE = 510
"""The bytes of a database by which SQLite tells that somebody reads it (its os.h)."""

Identity = tuple[int, int]
"""Device and inode."""


class OpenFiles:
    """Remembers what was opened, by the descriptor that holds the database's lock."""

    def __init__(self, database: Path, descriptor: int) -> None:
        real = database.resolve()
        self._database = database
        self._descriptor = descriptor
        self._beside = (real.with_name(real.name + "-wal"), real.with_name(real.name + "-shm"))
        self._identities: dict[Path, Identity] = {}
        self._written = (0, 0)
        self.overwritten = False
        """Whether check() has found that another program wrote into the open database."""

    def begin(self) -> None:
        """Take what is open now as right. Call it when all connections are open and have read once."""
        self._identities = {database: identity for database in self._beside if (identity := _identity(database))}
        self.written()

    def written(self) -> None:
        """Note that this process itself has just written into the database file."""
        facts = os.fstat(self._descriptor)
        self._identities[self._database] = (facts.st_dev, facts.st_ino)
        self._written = (facts.st_size, facts.st_mtime_ns)

    def check(self) -> None:
        """StoreMoved where a name no longer leads to the open file, StoreLost where another program wrote into it."""
        for path, identity in self._identities.items():
            if _identity(path) != identity:
                raise StoreMoved(self._what_happened(path))
        if self.changed:
            self.overwritten = True
            raise StoreLost(
                f"Inny program zmienił plik bazy danych {self._database} w czasie pracy agenta. Agent kończy pracę."
            )

    @property
    def changed(self) -> bool:
        """Whether the open database is not as written() saw it."""
        facts = os.fstat(self._descriptor)
        return (facts.st_size, facts.st_mtime_ns) != self._written

    @property
    def deleted(self) -> bool:
        """Whether the open database has no name any more: its content ends with this process."""
        return os.fstat(self._descriptor).st_nlink == 0

    def at_rest(self) -> at_rest.FileState | None:
        """Return the state of the file now that all connections are closed, as durable_state()."""
        return at_rest.durable_state(self._database, self._descriptor)

    def keep_log(self) -> None:
        """Let SQLite believe that another process reads: closing then leaves the write-ahead log as it is.

        An open file description lock (fcntl(2)) conflicts with SQLite's own, although it is of the same process.
        """
        lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, _SHARED_FIRST, _SHARED_SIZE, 0)
        fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, lock)

    def _what_happened(self, path: Path) -> str:
        if path != self._database:
            return f"Plik {path} usunięto lub podmieniono w czasie pracy agenta. Agent kończy pracę."
        if self.deleted:
            return f"Plik bazy danych {path} usunięto lub podmieniono w czasie pracy agenta. Agent kończy pracę."
        place = Path(f"/proc/self/fd/{self._descriptor}").readlink()
        return f"Plik bazy danych {path} przeniesiono w czasie pracy agenta; jest teraz w {place}. Agent kończy pracę."


def _identity(path: Path) -> Identity | None:
    try:
        facts = os.stat(path)  # noqa: PTH116 - as fstat
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
