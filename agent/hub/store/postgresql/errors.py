"""What an error of the server or of the line to it means for a unit of work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from agent.domain.errors import Unavailable
from agent.store.failures import disk_full

UNREACHABLE = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""The line broke, the server stops, starts, or has become a follower: later, perhaps on another one.

InternalClientError: the server said that it ends this connection (57P01 and its like) and the end of the stream is not
here yet. In between the driver waits for a ReadyForQuery that never comes, and refuses every statement.
"""


def unreachable(error: BaseException) -> Unavailable:
    """Return the refusal of a server that is away: nobody knows whether the unit was committed."""
    return Unavailable(
        f"Baza danych centrali jest teraz niedostępna ({type(error).__name__}). Ponów za chwilę.",
        code="store-unreachable",
    )


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the port promises; a broken constraint stays as it is: a defect of the program."""
    try:
        yield
    except asyncpg.DiskFullError as error:
        raise disk_full() from error
    except UNREACHABLE as error:
        raise unreachable(error) from error
    except TimeoutError as error:  # command_timeout, of a server that hangs
        raise unreachable(error) from error
