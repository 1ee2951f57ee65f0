"""Answers over HTTP that only announce others: aiohttp passes over interim ones (1xx) for ever, the loop with it."""

from __future__ import annotations

from typing import Any, Final

import aiohttp
from aiohttp.connector import Connection

MOST_INTERIM: Final = 10
"""Interim answers (RFC 9110, 15.2) before the one that was asked for; nobody we call has a use for more than one."""


class Response(aiohttp.ClientResponse):
    """aiohttp's, for which a peer that sends interim answers without end is no peer: ClientError."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Read until the final answer begins."""
        protocol: Any = connection.protocol
        really, interim = protocol.read, 0

        async def read() -> Any:
            nonlocal interim
            message, payload = await really()
            interim += 100 <= message.code < 200
            if interim > MOST_INTERIM:
                raise aiohttp.ClientPayloadError("interim answers without end")
            return message, payload

        protocol.read = read
        try:
            return await super().start(connection)
        finally:
            protocol.read = really
