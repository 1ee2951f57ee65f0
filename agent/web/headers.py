"""Headers of a request of which there may be one only."""

from __future__ import annotations

from aiohttp import web


def only_header(request: web.Request, name: str) -> str:
    """Return its value; empty where it is missing, or there are several: nobody knows which one was meant."""
    given = request.headers.getall(name, [])
    return given[0].strip() if len(given) == 1 else ""
