"""The connection beside PostgreSQL's pool, where it breaks between being made and being of use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from agent.domain.errors import Unavailable
from agent.hub.store.postgresql.control import Control
from tests.fakes.clock import FakeClock


class Line:
    """A connection that never listens."""

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self.ended = False

    def add_termination_listener(self, listener: Callable[[object], None]) -> None:
        """Nobody ends it but who made it."""

    async def add_listener(self, channel: str, listener: Callable[..., None]) -> None:
        raise self._error

    def terminate(self) -> None:
        self.ended = True


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectionResetError(), Unavailable),
        (TimeoutError(), Unavailable),
        (asyncpg.PostgresError("no"), Unavailable),
        (asyncpg.InterfaceError("connection is closed"), Unavailable),
        (asyncio.CancelledError(), asyncio.CancelledError),
    ],
)
async def test_a_connection_that_cannot_listen_is_not_left_open(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, told: type[BaseException]
) -> None:
    line = Line(error)

    async def connect(*_: object, **__: object) -> Line:
        return line

    monkeypatch.setattr(asyncpg, "connect", connect)
    control = Control("postgresql://", FakeClock(), {})
    with pytest.raises(told):
        await control.start()
    assert line.ended
    assert not control.lost, "it never was there"
