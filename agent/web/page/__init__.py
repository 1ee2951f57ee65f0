"""The till page: static files without a build step. Read once at start and served from memory, no path from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Final
from urllib.parse import quote

from aiohttp import web

SERVICE_WORKER: Final = "sw.js"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


def routes(open_token: str | None = None) -> list[web.RouteDef]:
    """/ and /page/<file> for every file of this folder that a browser may have.

    ``open_token``: for the demo only, whoever opens / gets it; a foreign page cannot read it from the redirect. Not as
    a fragment: the browser would drop the one that it was opened with (#sale=…).
    """
    table = []
    for entry in files(__name__).iterdir():
        suffix = "." + entry.name.rpartition(".")[2]
        if suffix not in TYPES or not entry.is_file():
            continue
        handler = _serve(entry.read_bytes(), TYPES[suffix])
        if entry.name == SERVICE_WORKER:
            table.append(web.get(f"/{entry.name}", handler))  # its place decides what it may serve
        elif entry.name != "index.html":
            table.append(web.get(f"/page/{entry.name}", handler))
        else:
            table.append(web.get("/", handler if open_token is None else _with_token(handler, open_token)))
    return table


def _serve(body: bytes, content_type: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    return handler


def _with_token(handler: Handler, token: str) -> Handler:
    async def redirect(request: web.Request) -> web.StreamResponse:
        if "demo" in request.query:
            return await handler(request)
        return web.Response(status=302, headers={"Location": f"/?demo={quote(token)}"})

    return redirect
