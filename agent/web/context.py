"""What the handlers share: the use cases behind them, and how work and files leave through them."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import BinaryIO, Final, TypeVar

from aiohttp import web

from agent.services.contract import Till
from agent.settings.model import PageSettings
from agent.web import request_body
from agent.web.shelter import Shelter

T = TypeVar("T")

TILL: Final = web.AppKey("till", Till)
SHELTER: Final = web.AppKey("shelter", Shelter)
PAGE: Final = web.AppKey("page", PageSettings)
REASON_WANTED: Final = "Podaj powód: zostanie w dzienniku."


async def sheltered(request: web.Request, work: Coroutine[object, object, T]) -> T:
    """Await ``work``, which goes on to its end whatever becomes of the request."""
    return await request.app[SHELTER].run(work, f"web-{request.method}-{request.path}")


def file_response(body: bytes | BinaryIO, content_type: str, name: str | None = None) -> web.Response:
    """Answer with a file; with ``name`` browsers save it."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'} if name else None
    return web.Response(body=body, content_type=content_type, headers=headers)


async def reason_of(request: web.Request) -> str:
    """Read {"reason"}, the whole body of what a manager does with a word of why; BadInput without it."""
    body = await request_body.json_object(request)
    request_body.known_only(body, "reason")
    return request_body.required_text(body, "reason", REASON_WANTED)
