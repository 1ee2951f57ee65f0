"""Logging for journald: an entry each, with priority and fields, by its native protocol; lines on stderr elsewhere.

https://systemd.io/JOURNAL_NATIVE_PROTOCOL: one datagram an entry, FIELD=value lines, a value of several lines with its
length before it. Where journald does not take one (too long, about to restart), the line on stderr with the priority
prefix of sd-daemon(3) says the same without fields.

Fields are few and stay: SYSLOG_IDENTIFIER, LOGGER, KSEF_TILL, and those that ``fields()`` gives a line
(docs/technician.md, "The journal").
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
SOCKET = Path("/run/systemd/journal/socket")
IDENTIFIER = "ksef-agent"
_FIELDS = "journal_fields"
"""Where a record of logging carries them."""


def fields(**values: str) -> dict[str, dict[str, str]]:
    """Return ``extra`` of a line of the log: KSEF_<NAME>=value, to filter by (`journalctl KSEF_PROBLEM=overdue`)."""
    return {_FIELDS: {f"KSEF_{name.upper()}": value for name, value in values.items()}}


class JournalFormatter(logging.Formatter):
    """Prefix <n> where journald reads stderr, a timestamp elsewhere."""

    def __init__(self, under_journald: bool) -> None:
        super().__init__(
            "%(name)s: %(message)s" if under_journald else "%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
        self._under_journald = under_journald

    def format(self, record: logging.LogRecord) -> str:
        """Return the entry; every line of a traceback carries the prefix."""
        text = super().format(record)
        if not self._under_journald:
            return text
        prefix = f"<{PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in text.splitlines())


class JournalHandler(logging.Handler):
    """Hands each record to journald, and to ``instead`` what it does not take. ``always``: fields of every entry."""

    def __init__(self, address: Path, instead: logging.Handler, always: Mapping[str, str]) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        self._address = str(address)
        self._instead = instead
        self._always = {"SYSLOG_IDENTIFIER": IDENTIFIER, **always}
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._channel.setblocking(False)

    def emit(self, record: logging.LogRecord) -> None:
        """Send the entry; never waits."""
        try:
            entry = {
                "MESSAGE": self.format(record),
                "PRIORITY": str(PRIORITIES.get(record.levelno, 6)),
                "LOGGER": record.name,
                **self._always,
                **getattr(record, _FIELDS, {}),
            }
            self._channel.sendto(b"".join(_written(name, value) for name, value in entry.items()), self._address)
        except OSError:
            self._instead.handle(record)
        except Exception:  # noqa: BLE001 - as every handler of logging does
            self.handleError(record)

    def close(self) -> None:
        """Close the socket."""
        self._channel.close()
        super().close()


def _written(name: str, value: str) -> bytes:
    data = value.encode(errors="backslashreplace")
    if b"\n" not in data:
        return b"%s=%s\n" % (name.encode(), data)
    return b"%s\n%s%s\n" % (name.encode(), len(data).to_bytes(8, "little"), data)


def configure(level: int = logging.INFO, *, till: str | None = None) -> None:
    """Send all logging to journald where it reads this service's stderr, else to stderr. ``till``: field KSEF_TILL."""
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    under_journald = _journald_reads(sys.stderr)
    handler.setFormatter(JournalFormatter(under_journald))
    if under_journald and SOCKET.exists():
        handler = JournalHandler(SOCKET, handler, {} if till is None else {"KSEF_TILL": till})
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)


def _journald_reads(stream: TextIO) -> bool:
    """Return whether this is the stream of systemd; $JOURNAL_STREAM is there for `2>file` as well (systemd.exec(5))."""
    try:
        found = os.fstat(stream.fileno())
    except OSError:  # closed, or no file at all
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
