"""One line a minute for what strangers on the network can make happen as often as they like."""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import Any, Final

SECONDS: Final = 60.0
NO_RESOURCE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
LOG = logging.getLogger(__name__)


class AcceptFailures:
    """Exception handler of the event loop: asyncio reports each connection it could not accept, 128 times a second."""

    def __init__(self) -> None:
        self._silent_until = float("-inf")
        self._unreported = 0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log a failed accept at most once a minute, everything else as asyncio does."""
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in NO_RESOURCE and "socket" in context):
            loop.default_exception_handler(context)
            return
        self._unreported += 1
        now = loop.time()
        if now < self._silent_until:
            return
        LOG.error("connections could not be accepted (%s, %s times since the last such line)", error, self._unreported)
        self._unreported = 0
        self._silent_until = now + SECONDS
