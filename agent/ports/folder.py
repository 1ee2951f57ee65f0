"""The folder that programs without HTTP drop their files into, often a network share.

Errors:
FolderError
├── FolderAway   the folder cannot be used now: missing, not mounted, silent, full, read-only; everything waits
└── FileHeld     one file cannot be used now: another program holds it or still writes it; the others go on
Both mean that nothing was lost, and that a repeat later is safe.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from agent.domain.values import dataclass


class FolderError(Exception):
    """``reason`` is the end of a Polish sentence, without a full stop."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FolderAway(FolderError):
    """Nothing can be done in the folder now."""


class FileHeld(FolderError):
    """One file cannot be read or moved now."""


class Place(StrEnum):
    """Where a file lies: dropped, or in the folder beside its answer."""

    INBOX = "."
    TAKEN = "taken"
    """Of this agent alone: what it is about to issue. Whoever drops files leaves it alone."""
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Look:
    """A dropped file as a listing shows it; one that is being written looks different a moment later.

    name     as the system has it; bytes that are no UTF-8 as surrogates (os.fsdecode)
    size     bytes
    changed  mtime in nanoseconds, by the clock of whoever keeps the folder
    number   inode
    """

    name: str
    size: int
    changed: int
    number: int


class DropFolder(Protocol):
    """The folder. Calls are made one after the other; all may raise FolderAway."""

    async def looks(self, place: Place, wanted: Callable[[str], bool], limit: int) -> list[Look]:
        """Look at the first ``limit`` plain files of a place, by name, whose name is wanted.

        Links, devices and folders are never among them.
        """
        ...

    async def read(self, look: Look) -> bytes:
        """Return the content in the inbox; FileHeld where it cannot be opened or is not what ``look`` saw any more."""
        ...

    async def claim(self, look: Look) -> None:
        """Move a file from the inbox to what is taken, in one step: of two agents one gets it, nobody replaces it.

        FileHeld where it is held, is not what ``look`` saw any more, or is gone.
        """
        ...

    async def load(self, place: Place, name: str) -> bytes | None:
        """Return the content of a file that was taken; None where there is none, or none that can be read."""
        ...

    async def sha256(self, place: Place, name: str) -> str | None:
        """Return the hash of a file's content, hexadecimal (of a huge one: of what tells it apart); None as load()."""
        ...

    async def names(self, place: Place, prefix: str) -> list[str]:
        """Return the names of plain files that begin so."""
        ...

    async def put(self, place: Place, name: str, data: bytes) -> None:
        """Put a file in place, durable and in one step; what had the name is gone. May be repeated.

        FileHeld where something has the name that cannot be replaced now.
        """
        ...

    async def move(self, place: Place, name: str, to: Place, new_name: str) -> None:
        """Give a file another place and name, durable and in one step; what had it is gone.

        A file that is not there any more is no mistake: the move may be repeated. FileHeld where it is held.
        """
        ...

    async def taken_by_others(self, wanted: Callable[[str], bool], limit: int) -> list[str]:
        """Return the first files, as FOLDER/NAME, that an agent whose till has another name took and did not answer."""
        ...

    async def count(self, place: Place, wanted: Callable[[str], bool], limit: int) -> int:
        """Count the plain files whose name is wanted, at most ``limit``."""
        ...
