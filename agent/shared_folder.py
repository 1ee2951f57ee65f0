"""The drop folder on a disk or a network share, by plain system calls: works on SMB and NFS, where no event tells of
a new file.

Every call opens the folder anew, so a share that comes and goes is seen, and works relative to its descriptor without
following links: whoever may write into the share decides names, never where the agent writes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import heapq
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from agent.ports import Clock, FileHeld, FolderAway, Look, Place
from agent.system.daemon_thread import DaemonThread
from agent.system.os_errors import polish_reason

T = TypeVar("T")
SECONDS = 30.0
"""A share that does not answer for so long counts as away; its call goes on in the thread."""
TEMPORARY = ".ksef-agent-{till}.tmp"
"""Two agents may write answers into one folder: neither may take the other's half-written file for its own."""
TAKEN_PREFIX = f"{Place.TAKEN.value}-"
FOLDER_MODE = 0o770
FILE_MODE = 0o660
"""For the agent and the group that shares the folder: invoices hold personal data."""
NO_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM})
"""What network file systems answer to fsync of a folder: they keep names durable themselves, or cannot."""
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.EBADF})
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
LARGEST = 64 * 1024 * 1024
"""Bytes; nothing that was taken is larger. What is, was put aside unread."""


class SharedFolder:
    """DropFolder over a path."""

    def __init__(self, path: Path, clock: Clock, *, till: str = "1", mounted: bool = False) -> None:
        """Two agents may meet in one folder; each takes files into a folder of its own, named by its till.

        ``mounted``: the path lies on a mounted share; where it is not mounted the empty folder below is not it.
        """
        self._path = path
        self._taken = f"{TAKEN_PREFIX}{till}"
        self._temporary = TEMPORARY.format(till=till)
        self._clock = clock
        self._mounted = mounted
        self._thread = DaemonThread("drop-folder")

    def close(self) -> None:
        """Let the thread end."""
        self._thread.close()

    async def looks(self, place: Place, wanted: Callable[[str], bool], limit: int) -> list[Look]:
        """Look at the first plain files by name."""
        return await self._call(partial(self._looks, place, wanted, limit))

    async def read(self, look: Look) -> bytes:
        """Return the content of what ``look`` saw."""
        return await self._call(partial(self._read, look))

    async def claim(self, look: Look) -> None:
        """Rename into the folder of what this agent has taken."""
        await self._call(partial(self._claim, look))

    async def load(self, place: Place, name: str) -> bytes | None:
        """Return the content of a file that was taken."""
        return await self._call(partial(self._load, place, name))

    async def sha256(self, place: Place, name: str) -> str | None:
        """Return the hash of a file's content."""
        return await self._call(partial(self._sha256, place, name))

    async def names(self, place: Place, prefix: str) -> list[str]:
        """Return names that begin so."""
        return await self._call(partial(self._names, place, prefix))

    async def put(self, place: Place, name: str, data: bytes) -> None:
        """Put a file in place: temporary, synced, renamed, names synced."""
        await self._call(partial(self._put, place, name, data))

    async def move(self, place: Place, name: str, to: Place, new_name: str) -> None:
        """Rename."""
        await self._call(partial(self._move, place, name, to, new_name))

    async def taken_by_others(self, wanted: Callable[[str], bool], limit: int) -> list[str]:
        """Return what lies in the folders of other tills."""
        return await self._call(partial(self._taken_by_others, wanted, limit))

    async def count(self, place: Place, wanted: Callable[[str], bool], limit: int) -> int:
        """Count plain files."""
        return await self._call(partial(self._count, place, wanted, limit))

    async def probe(self) -> None:
        """Find out whether files can be read and written here; FolderAway says why not. Leaves nothing behind."""
        await self._call(self._probe)

    async def _call(self, call: Callable[[], T]) -> T:
        try:
            return await self._clock.within(SECONDS, self._thread.run(call))
        except TimeoutError as error:
            raise FolderAway(f"nie odpowiada od {SECONDS:.0f} s") from error
        except OSError as error:
            raise FolderAway(polish_reason(error)) from error

    # --- in the thread --------------------------------------------------------------------------------

    @contextmanager
    def _open(self, place: Place) -> Iterator[int]:
        """Open the folder of a place; those for the answers are made where they are missing."""
        if self._mounted and not any(folder.is_mount() for folder in (self._path, *self._path.parents[:-1])):
            raise FolderAway("udział sieciowy nie jest zamontowany")
        root = os.open(self._path, _FOLDER)
        try:
            if place is Place.INBOX:
                yield root
                return
            name = self._taken if place is Place.TAKEN else place.value
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, FOLDER_MODE, dir_fd=root)
                _sync(root)
            folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=root)
            try:
                yield folder
            finally:
                os.close(folder)
        finally:
            os.close(root)

    def _probe(self) -> None:
        with self._open(Place.INBOX) as folder:
            next(_plain_files(folder, lambda _: True), None)
            self._clear(folder)
            os.close(os.open(self._temporary, _CREATE, FILE_MODE, dir_fd=folder))
            os.unlink(self._temporary, dir_fd=folder)

    def _looks(self, place: Place, wanted: Callable[[str], bool], limit: int) -> list[Look]:
        with self._open(place) as folder:
            names = heapq.nsmallest(limit, _plain_files(folder, wanted))
            found = []
            for name in names:
                with contextlib.suppress(OSError):  # gone again, or held: the next look tells
                    found.append(_look(name, os.stat(name, dir_fd=folder, follow_symlinks=False)))
            return found

    def _read(self, look: Look) -> bytes:
        with self._open(Place.INBOX) as folder, _held_is_told():
            descriptor = os.open(look.name, _READ, dir_fd=folder)
            with open(descriptor, "rb") as file:  # noqa: PTH123 - by descriptor
                _share(descriptor)
                _must_be(look, descriptor)
                data = file.read(look.size + 1)
                _must_be(look, descriptor)
            if len(data) != look.size:
                raise FileHeld("zmienia się podczas odczytu")
            return data

    def _claim(self, look: Look) -> None:
        with self._open(Place.INBOX) as source, self._open(Place.TAKEN) as target, _held_is_told():
            if _look(look.name, os.stat(look.name, dir_fd=source, follow_symlinks=False)) != look:
                raise FileHeld("zmienia się podczas odczytu")
            os.rename(look.name, look.name, src_dir_fd=source, dst_dir_fd=target)
            _sync(target)
            _sync(source)

    def _load(self, place: Place, name: str) -> bytes | None:
        with self._open(place) as folder, _plain(folder, name) as file:
            if file is None or os.fstat(file.fileno()).st_size > LARGEST:
                return None
            return file.read(LARGEST)

    def _sha256(self, place: Place, name: str) -> str | None:
        with self._open(place) as folder, _plain(folder, name) as file:
            if file is None:
                return None
            found = os.fstat(file.fileno())
            if found.st_size > LARGEST:
                return hashlib.sha256(f"{found.st_size} {found.st_mtime_ns}".encode()).hexdigest()
            return hashlib.sha256(file.read(LARGEST)).hexdigest()

    def _names(self, place: Place, prefix: str) -> list[str]:
        with self._open(place) as folder:
            return sorted(_plain_files(folder, lambda name: name.startswith(prefix)))

    def _put(self, place: Place, name: str, data: bytes) -> None:
        with self._open(place) as folder:
            self._clear(folder)
            descriptor = os.open(self._temporary, _CREATE, FILE_MODE, dir_fd=folder)
            with open(descriptor, "wb") as file:  # noqa: PTH123
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            with _held_is_told():  # a folder of that name, or a program that reads the answer there
                os.rename(self._temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            _sync(folder)

    def _clear(self, folder: int) -> None:
        """Remove what a run that was killed left, or somebody put, under the name of the temporary file."""
        with contextlib.suppress(FileNotFoundError):
            try:
                os.unlink(self._temporary, dir_fd=folder)
            except IsADirectoryError:
                os.rmdir(self._temporary, dir_fd=folder)

    def _move(self, place: Place, name: str, to: Place, new_name: str) -> None:
        with self._open(place) as source, self._open(to) as target, _held_is_told():
            with contextlib.suppress(FileNotFoundError):
                os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
            _sync(target)
            _sync(source)

    def _taken_by_others(self, wanted: Callable[[str], bool], limit: int) -> list[str]:
        found: list[str] = []
        with self._open(Place.INBOX) as root:
            for name in sorted(os.listdir(root)):  # noqa: PTH208 - by descriptor
                if not name.startswith(TAKEN_PREFIX) or name == self._taken:
                    continue
                with contextlib.suppress(OSError):  # a file of that name, or a folder that is not for us
                    folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=root)
                    try:
                        found += sorted(f"{name}/{each}" for each in _plain_files(folder, wanted))
                    finally:
                        os.close(folder)
        return found[:limit]

    def _count(self, place: Place, wanted: Callable[[str], bool], limit: int) -> int:
        with self._open(place) as folder:
            return sum(1 for _ in islice(_plain_files(folder, wanted), limit))


def _plain_files(folder: int, wanted: Callable[[str], bool]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if wanted(entry.name) and entry.is_file(follow_symlinks=False):
                yield entry.name


@contextmanager
def _plain(folder: int, name: str) -> Iterator[BinaryIO | None]:
    """Open a plain file for reading; None where there is none, or none that can be opened."""
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError:
        yield None
        return
    with open(descriptor, "rb") as file:  # noqa: PTH123 - by descriptor
        yield file if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


def _look(name: str, found: os.stat_result) -> Look:
    return Look(name, found.st_size, found.st_mtime_ns, found.st_ino)


def _must_be(look: Look, descriptor: int) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or _look(look.name, found) != look:
        raise FileHeld("zmienia się podczas odczytu")


def _share(descriptor: int) -> None:
    """Ask for a shared lock, as a program that still writes holds an exclusive one; closing gives it back."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


@contextmanager
def _held_is_told() -> Iterator[None]:
    """Tell one file's trouble apart from the folder's: an opened folder whose file is refused."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.EHOSTDOWN}:
            raise
        raise FileHeld(polish_reason(error)) from error


def _sync(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise
