"""Files that outlive a power cut: whole or not there, and their names as durable as their content.

fsync of a file says nothing about the folders that name it (fsync(2)), so a new file in a new folder needs a sync of
each of them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

SYNCS_AT_ONCE = 8
"""Files of write_all() that wait for the disk together."""


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. OSError where the disk or the rights refuse."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_names(path: Path) -> None:
    """Make the name of a file durable, and those of the folders above it, up to the root of its file system.

    All of them, not only those this run made: the one that made them may have been killed before it came to this.
    """
    folders = path.absolute().parents
    sync_folder(folders[0])
    for below, folder in pairwise(folders):
        if below.is_mount():
            return
        try:
            sync_folder(folder)
        except PermissionError:
            return  # whoever may not look into a folder did not make the one in it


@contextmanager
def written_whole(path: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """Give a file to write to; it takes the name ``path``, durable, when the block ends well. Else all is as before.

    It is written beside ``path`` under a name nobody can guess or have taken (O_EXCL follows no link), never wider open
    than ``mode`` (None: private_mode of the folder). A link called ``path`` is replaced, not followed. OSError where
    any of that fails, or where ``path`` is a device or a pipe.
    """
    _clear_leftovers(path)
    with _written_beside(path, mode) as file:
        yield file
    sync_names(path)


def write_all(files: Mapping[Path, bytes]) -> None:
    """Put many files in place, each as written_whole does; their folders are synced once, leftovers are not looked for.

    All are synced before any takes its name, and side by side: the file system then writes its journal once for many of
    them. OSError where one fails: then none of them, or some, are in place, each whole, and their names may not be
    durable.
    """
    with ExitStack() as stack:
        written = {path: stack.enter_context(_beside(path, None)) for path in files}
        for path, (_, file) in written.items():
            file.write(files[path])
            file.flush()
        with ThreadPoolExecutor(SYNCS_AT_ONCE) as pool:
            list(pool.map(os.fsync, [file.fileno() for _, file in written.values()]))
        for path, (temporary, _) in written.items():
            temporary.replace(path)
    for path in {path.parent: path for path in files}.values():
        sync_names(path)


@contextmanager
def _written_beside(path: Path, mode: int | None) -> Iterator[BinaryIO]:
    """Give a file that takes the name ``path`` when the block ends well: all of written_whole but what folders need."""
    with _beside(path, mode) as (temporary, file):
        yield file
        file.flush()
        os.fsync(file.fileno())
        temporary.replace(path)


@contextmanager
def _beside(path: Path, mode: int | None) -> Iterator[tuple[Path, BinaryIO]]:
    """Give a file beside ``path`` that nobody takes for a leftover, and its name; gone where the block fails."""
    require_file(path)
    temporary = path.with_name(f"{_prefix(path)}{secrets.token_hex(8)}{_SUFFIX}")
    wanted = private_mode(path.parent) if mode is None else mode
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, wanted)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - the descriptor carries the mode
            _mark_in_use(descriptor)
            yield temporary, file
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, data: bytes, mode: int | None = None) -> None:
    """Put a file in place, as written_whole does."""
    with written_whole(path, mode) as file:
        file.write(data)


def write_as_folder_owner(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put a file in place, as written_whole does, for the folder's owner; also where root writes."""
    owner = path.parent.stat()
    with written_whole(path, mode) as file:
        file.write(data)
        if os.geteuid() == 0:
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)


def private_mode(folder: Path) -> int:
    """Return who may read new files of a folder: the owner, and its group where the folder hands it on (setgid)."""
    return 0o640 if folder.stat().st_mode & stat.S_ISGID else 0o600


def make_private_folders(folder: Path) -> None:
    """Make a folder and those above it that are not there, each for its owner, and for a group that is handed on."""
    for each in reversed((folder, *folder.parents)):
        if each.is_dir():
            continue
        each.mkdir(mode=0o700, exist_ok=True)
        if each.stat().st_mode & stat.S_ISGID:
            each.chmod(0o2750)


_SUFFIX = ".tmp"
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.tmp", re.DOTALL)
"""What written_whole calls its files until they have their name."""


def _prefix(path: Path) -> str:
    """Begin the names of temporary files for ``path``; a long name leaves room for the rest."""
    return f".{path.name[:60]}."


def require_file(path: Path) -> None:
    """Refuse what is there and no file by an OSError: to read a pipe would never end, /dev/stdout would be replaced."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "a folder", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.ENOTSUP, "not a file", str(path))


def _mark_in_use(descriptor: int) -> None:
    """Lock a temporary file as long as it is open, so that nobody takes it for a leftover."""
    with suppress(OSError):  # a file system without locks: there nothing is cleared away either
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def clear_leftovers(folder: Path) -> None:
    """Remove what killed runs left in a folder of ours: temporary files that nobody holds, of whatever file."""
    _clear_named(folder, _TEMPORARY)


def _clear_leftovers(path: Path) -> None:
    """Remove what killed runs left beside ``path``: our own temporary files that nobody holds."""
    _clear_named(path.parent, re.compile(re.escape(_prefix(path)) + ".*" + re.escape(_SUFFIX), re.DOTALL))


def _clear_named(folder: Path, names: re.Pattern[str]) -> None:
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - names are enough
            if name.startswith(".") and names.fullmatch(name):
                _clear(folder / name)


def _clear(leftover: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(leftover, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leftover.unlink()
        finally:
            os.close(descriptor)
