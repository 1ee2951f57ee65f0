"""GET /openapi.json: the description of the API, kept in schemas/api and checked against the routes by a test."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from aiohttp import web


@cache
def document() -> bytes:
    """OpenAPI 3.1, as published."""
    return files("schemas").joinpath("api/openapi.json").read_bytes()


async def serve(request: web.Request) -> web.Response:
    """Answer /openapi.json; no token, it holds no secrets."""
    return web.Response(body=document(), content_type="application/json")
