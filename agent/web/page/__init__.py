"""The till page: static files without a build step. Read once at start and served from memory, no path from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Final

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


def routes() -> list[web.RouteDef]:
    """/ and /page/<file> for every file of this folder that a browser may have."""
    table = []
    for entry in files(__name__).iterdir():
        suffix = "." + entry.name.rpartition(".")[2]
        if suffix not in TYPES or not entry.is_file():
            continue
        address = "/" if entry.name == "index.html" else f"/page/{entry.name}"
        table.append(web.get(address, _serve(entry.read_bytes(), TYPES[suffix])))
    return table


def _serve(body: bytes, content_type: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    return handler
