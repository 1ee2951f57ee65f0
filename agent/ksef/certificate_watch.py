"""A running agent takes up the certificate that another till that shares the files, or HQ, put in place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography import x509

from agent.domain.errors import ConfigError
from agent.ksef.certificate_checks import Use
from agent.ksef.credentials import Credentials, locate

LOOKS_BEFORE_TOLD = 2
"""Two files are replaced one after the other, and for a moment do not fit: a problem is one that is there twice."""

Stamp = tuple[tuple[int, int, int] | None, ...]


class CertificateWatch:
    """Looks at the files of one certificate.

    ``load`` reads and judges them as the start does; ``current`` tells which one is in use; ``adopt`` takes up another.
    """

    def __init__(
        self,
        use: Use,
        files: tuple[Path | None, ...],
        *,
        load: Callable[[], Credentials | None],
        current: Callable[[], x509.Certificate],
        adopt: Callable[[Credentials], None],
    ) -> None:
        self.use = use
        self._files = tuple(file for file in files if file is not None)
        self._load = load
        self._current = current
        self.adopt = adopt
        self._seen: Stamp | None = None
        self._failures = 0
        self._failed: tuple[str, ...] = ()

    @property
    def problem(self) -> str | None:
        """Polish: why the files that lie there now could not be used by the next start; None where they could."""
        return " ".join(self._failed) if self._failures >= LOOKS_BEFORE_TOLD else None

    def look(self) -> Credentials | None:
        """Return another pair than the one in use, for ``adopt``; None where there is none. Reads files."""
        stamp = tuple(map(_stamp, self._files))
        if stamp == self._seen:
            return None
        try:
            found = self._load()
        except ConfigError as error:
            self._failures += 1
            self._failed = error.problems
            return None
        self._failures, self._failed = 0, ()
        if tuple(map(_stamp, self._files)) == stamp:  # else it changed while it was read: again at the next look
            self._seen = stamp
        return None if found is None or found.certificate == self._current() else found


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = locate(file).stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
