"""Where a certificate and its key lie, and how a new pair takes the place of the old one in spite of a crash.

Beside ``offline.crt`` and ``offline.key`` there may lie, while an enrolment is under way:

    offline.key.next       the new key, 0600, durable before the request leaves
    offline.crt.csr        what KSeF is asked to sign; its subject was asked for once
    offline.crt.request    the reference KSeF gave the request
    offline.crt.next       the new certificate, proven to work: from here on the switch is decided

The old pair stays as ``.previous``. Tills may share the files: who changes them holds ``offline.crt.lock``.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.domain.errors import Refused
from agent.domain.values import dataclass
from agent.system.durable_files import sync_folder
from agent.system.os_errors import polish_reason

SHAREABLE = 0o660
"""Of an old key's rights a new one gets those of its owner and its group."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where a certificate and its key lie; the key is encrypted where there is a passphrase file."""

    certificate_file: Path
    key_file: Path
    passphrase_file: Path | None = None

    @property
    def next_certificate(self) -> Path:
        """Return the file of the new certificate."""
        return _beside(self.certificate_file, ".next")

    @property
    def next_key(self) -> Path:
        """Return the file of the new key."""
        return _beside(self.key_file, ".next")

    @property
    def request(self) -> Path:
        """Return the file of the request's reference."""
        return _beside(self.certificate_file, ".request")

    @property
    def csr(self) -> Path:
        """Return the file of what KSeF is asked to sign."""
        return _beside(self.certificate_file, ".csr")

    @property
    def lock(self) -> Path:
        """Return the file whose lock says that somebody changes the pair; it is empty and stays."""
        return _beside(self.certificate_file, ".lock")


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


@contextmanager
def held(place: CertificateFiles) -> Iterator[bool]:
    """Hold the pair against every other process and till until the block ends; False where another one holds it.

    Refused where the folder cannot be written, or knows no locks: two enrolments at a time would mix their files.
    """
    try:
        descriptor = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o660)
    except OSError as error:
        raise Refused(f"Nie można zapisać pliku {place.lock}: {polish_reason(error)}.", code="not-writable") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            text = f"Katalog {place.lock.parent} nie pozwala blokować plików: {polish_reason(error)}."
            raise Refused(text, code="not-lockable") from error
        yield True
    finally:
        os.close(descriptor)


def readable_as(old: Path, new: Path) -> None:
    """Let whoever may read an old file read the one that will take its place: same group, same rights but others'."""
    if not old.exists():
        return
    found = old.stat()
    with suppress(PermissionError):  # the old one is another user's, in a group that is not ours
        os.chown(new, -1, found.st_gid)
        new.chmod(stat.S_IMODE(found.st_mode) & SHAREABLE | stat.S_IMODE(new.stat().st_mode))


def finish_switch(place: CertificateFiles) -> None:
    """Complete a decided switch. Safe to repeat; nothing to do is fine."""
    if not place.next_certificate.exists():
        return
    if place.next_key.exists():
        _keep(place.certificate_file)
        _keep(place.key_file)
        place.next_key.replace(place.key_file)
        sync_folder(place.key_file.parent)
    place.request.unlink(missing_ok=True)
    place.csr.unlink(missing_ok=True)
    place.next_certificate.replace(place.certificate_file)
    sync_folder(place.certificate_file.parent)


def _keep(path: Path) -> None:
    """Leave the old file under ``.previous`` without a moment in which ``path`` is missing."""
    if path.exists():
        previous = _beside(path, ".previous")
        previous.unlink(missing_ok=True)
        os.link(path, previous)
