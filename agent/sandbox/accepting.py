"""The port of a server that goes away and comes back, and its end.

No connection stays behind that was accepted a moment before. A port is held by a socket that is bound and never
listens: nobody else gets it meanwhile, and connections are really refused.
"""

from __future__ import annotations

import asyncio
import socket

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


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that is bound; others of ours may be too, and one of them listens. OSError: the port is taken.

    Its protocol is named: of others asyncio leaves Nagle's algorithm on, and each answer in two parts takes 40 ms.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made
