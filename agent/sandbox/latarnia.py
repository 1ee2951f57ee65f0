"""Latarnia: /status and /messages, without authentication (docs/protocol.md, section 7)."""

from __future__ import annotations

from aiohttp import web

from agent.ports import Json
from agent.sandbox.ksef.wire import json_answer


class Latarnia:
    """What Latarnia says; set as it is to be given, unknown words included."""

    def __init__(self) -> None:
        self.status: Json = "AVAILABLE"
        self.messages: Json = []

    def set(self, status: Json, messages: Json) -> None:
        """Set both. ``status``: the word, or the whole answer of /status."""
        self.status = status
        self.messages = messages

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/status", self.get_status), web.get("/messages", self.get_messages)]

    async def get_status(self, request: web.Request) -> web.Response:
        """GET /status; ``messages`` is null where there are none."""
        del request
        if isinstance(self.status, dict):
            return json_answer(self.status)
        return json_answer({"status": self.status, "messages": self.messages or None})

    async def get_messages(self, request: web.Request) -> web.Response:
        """GET /messages."""
        del request
        return json_answer(self.messages)
