"""Logging for journald: one line an entry on stderr, with the priority prefix journald reads (sd-daemon(3))."""

from __future__ import annotations

import logging
import os
import sys

PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}


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


def configure(level: int = logging.INFO) -> None:
    """Send all logging to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JournalFormatter("JOURNAL_STREAM" in os.environ))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
