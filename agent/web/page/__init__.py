"""The till page: static files without a build step. Read once at start and served from memory, no path from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
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
    """/ and /page/<path> for every file of this folder, and of those in it, that a browser may have.

    ``open_token``: for the demo only, whoever opens / gets it; a foreign page cannot read it from the redirect. Not as
    a fragment: the browser would drop the one that it was opened with (#sale=…).
    """
    table = []
    for path, entry in _files(files(__name__)):
        suffix = "." + path.rpartition(".")[2]
        if suffix not in TYPES:
            continue
        handler = _serve(entry.read_bytes(), TYPES[suffix])
        if path == SERVICE_WORKER:
            table.append(web.get(f"/{path}", handler))  # its place decides what it may serve
        elif path != "index.html":
            table.append(web.get(f"/page/{path}", handler))
        else:
            table.append(web.get("/", handler if open_token is None else _with_token(handler, open_token)))
    return table


def _files(folder: Traversable, within: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yield each file of a folder and of those in it, with its path from there."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{within}{entry.name}/")
        else:
            yield within + entry.name, entry


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
