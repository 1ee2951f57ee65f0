"""Who else may read or replace a file. Sentences are Polish: a technician reads them, each with its remedy.

Owner and group are the administrator's choice (0640 root:ksef-agent is usual), so only what everybody may is judged;
and of the folders above, links followed, whether everybody may put another file in the place of this one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path


def exposures(path: Path, *, secret: bool) -> tuple[str, ...]:
    """Return what everybody may do to a file; ``secret``: reading counts too. OSError where it cannot be looked at."""
    return tuple(_exposures(path, secret))


def _exposures(path: Path, secret: bool) -> Iterator[str]:
    real = path.resolve(strict=True)
    mode = real.stat().st_mode
    if secret and mode & stat.S_IROTH:
        yield f"plik {real} może czytać każdy; wykonaj: chmod o-rwx {real}"
    elif mode & stat.S_IWOTH:
        yield f"plik {real} może zmieniać każdy; wykonaj: chmod o-w {real}"
    folders = dict.fromkeys((*path.absolute().parents, *real.parents))
    for folder in folders:
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            yield f"każdy może podmienić plik {path}, bo może zmieniać katalog {folder}; wykonaj: chmod o-w {folder}"


def writable_for_us(facts: os.stat_result) -> bool:
    """Whether mode and owner let this process make files in a folder; its file system may be mounted for reading."""
    user = os.geteuid()
    if user == 0:
        return True
    if facts.st_uid == user:
        needed = stat.S_IWUSR | stat.S_IXUSR
    elif facts.st_gid in {os.getegid(), *os.getgroups()}:
        needed = stat.S_IWGRP | stat.S_IXGRP
    else:
        needed = stat.S_IWOTH | stat.S_IXOTH
    return facts.st_mode & needed == needed
