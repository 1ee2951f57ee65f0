"""The end of a server of asyncio's: no connection stays behind that was accepted a moment before."""

from __future__ import annotations

import asyncio

ARRIVING_ROUNDS = 4
"""Rounds of the loop from accept() to the first step of what serves the connection (asyncio's selector loop)."""


async def accept_no_more(server: asyncio.Server) -> None:
    """Refuse connections from now on, and return when all that were accepted are being served: so they can be ended.

    Server.close() alone forgets those that are on their way.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    for _ in range(ARRIVING_ROUNDS):
        await asyncio.sleep(0)
    server.close()
