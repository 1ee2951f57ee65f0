"""GET /security/public-key-certificates: the keys under which clients encrypt."""

from __future__ import annotations

from aiohttp import web

from agent.sandbox.ksef.pki import KeyRing
from agent.sandbox.ksef.wire import json_answer


class PublicKeys:
    """The anonymous list of keys, the future one among them."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, relative to /v2."""
        return [web.get("/security/public-key-certificates", self.list)]

    async def list(self, request: web.Request) -> web.Response:
        """Return all keys."""
        del request
        return json_answer([key.describe() for key in self._keys.keys])
