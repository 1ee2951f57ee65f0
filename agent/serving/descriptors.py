"""File descriptors: what the store, the printers and KSeF need is never given to connections.

SQLite opens its files again and again, a printer is a socket or a device, a call to KSeF is a socket: a process without
descriptors cannot issue an invoice. So the connections of all listeners together stay below the process's limit by
RESERVE, whatever the limit is.
"""

from __future__ import annotations

import logging
import resource
from typing import Final

from agent.domain.values import dataclass

RESERVE: Final = 512
"""Descriptors no connection gets: about 20 of an idle agent, up to 100 to KSeF, 2 a printer, files; and twice 192 for
connections accepted and not yet judged (measured under a flood: three times BACKLOG of each listener)."""
BACKLOG: Final = 64
"""Connections that wait to be accepted, of each listener; also how many one turn of the loop accepts."""
WANTED: Final = 4096
"""LimitNOFILE= of the unit. A start by hand often begins with 1024, of which a process may raise its own share."""
TILL_CONNECTIONS: Final = 256
"""A browser opens six, till software a handful; a whole shop on one till's API stays below it."""
HEALTH_CONNECTIONS: Final = 64
"""HQ polls with one or two."""
HEALTH_PER_ADDRESS: Final = 8
LEAST: Final = 8
"""Connections that each listener gets even where the limit is far too small."""

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shares:
    """Connections for the till's listener and for that of HQ."""

    till: int
    health: int


def shares(limit: int) -> Shares:
    """Divide what ``limit`` leaves above the reserve, the till's listener first."""
    room = max(0, limit - RESERVE)
    health = max(LEAST, min(HEALTH_CONNECTIONS, room // 5))
    return Shares(max(LEAST, min(TILL_CONNECTIONS, room - health)), health)


def descriptor_limit() -> int:
    """Raise this process's limit as far as it is wanted and allowed; return what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError) as error:  # the unit forbids it, and has set the limit itself
            LOG.debug("the limit of file descriptors stays at %s: %s", soft, error)
        else:
            soft = wanted
    limit = WANTED if soft == resource.RLIM_INFINITY else soft
    if shares(limit) != shares(WANTED):
        LOG.warning("only %s file descriptors (LimitNOFILE): fewer connections are taken", limit)
    return limit
