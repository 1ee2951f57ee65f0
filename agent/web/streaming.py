"""Answers that are sent as they are made: a month of a busy shop in constant memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

CSV: Final = "text/csv"
JSON: Final = "application/json"
PIECE: Final = 64 * 1024
"""Characters that are sent together."""


async def streamed(
    request: web.Request, pieces: AsyncIterator[str], content_type: str, name: str | None = None
) -> web.StreamResponse:
    """Answer with UTF-8 text as it is made; with ``name`` browsers save it.

    What is refused before the first PIECE is a problem document as ever. An error after it ends the connection in the
    middle of the chunked body, so nobody takes a part for the whole.
    """
    headers = {"Content-Disposition": f'attachment; filename="{name}"'} if name else None
    response = web.StreamResponse(headers=headers)
    response.content_type = content_type
    response.charset = "utf-8"
    try:
        await _send(request, response, pieces)
    except BaseException:
        if response.prepared and request.transport is not None:
            request.transport.abort()  # no second answer behind a part of the first
        raise
    return response


async def _send(request: web.Request, response: web.StreamResponse, pieces: AsyncIterator[str]) -> None:
    waiting: list[str] = []
    length = 0
    async for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= PIECE:
            if request.method == "HEAD":
                return
            if not response.prepared:
                await response.prepare(request)
            await response.write("".join(waiting).encode())
            waiting, length = [], 0
    rest = "".join(waiting).encode()
    if not response.prepared:
        response.content_length = len(rest)
        await response.prepare(request)
    if request.method != "HEAD":
        await response.write(rest)
    await response.write_eof()
