"""Files that outlive a power cut: whole or not there, and their names as durable as their content.

fsync of a file says nothing about the folders that name it (fsync(2)), so a new file in a new folder needs a sync of
each of them.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path


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


def write_whole(path: Path, data: bytes, mode: int) -> None:
    """Put a file in place, durable: a temporary one beside it, never wider open than ``mode``, then renamed.

    OSError where that fails; what was there before is there still.
    """
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - the descriptor carries the mode
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_names(path)
