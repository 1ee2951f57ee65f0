"""Errors as answers: RFC 9457 problem+json with a stable ``code`` and a Polish ``detail``.

The status follows from the class of the error; the few codes that need another one are in STATUS_OF_CODE.
problem_codes.py lists what each code means for a developer.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from agent.domain.errors import (
    AgentError,
    BadInput,
    Conflict,
    FieldError,
    KeyReused,
    NotFound,
    NotPermitted,
    Refused,
    StoreLost,
    Unavailable,
)
from agent.domain.json_io.canonical import Json
from agent.web.content_encoding import SUPPORTED
from agent.web.problem_codes import title_of

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CONTENT_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:ksef-agent:problem:"
RETRY_AFTER_SECONDS: Final = 2
"""How long a till should wait before it repeats a press that is safe to repeat."""

STORE_LOST: Final = (
    "Dysk kasy zawiódł przy zapisie i nie wiadomo, czy operacja się powiodła. Program uruchamia się ponownie: "
    "ponów za chwilę, druga faktura nie powstanie. Jeśli to się powtarza, wezwij serwis."
)

STATUS_OF_CLASS: Final[tuple[tuple[type[AgentError], int], ...]] = (
    (KeyReused, 422),
    (NotFound, 404),
    (NotPermitted, 403),
    (Conflict, 409),
    (BadInput, 422),
    (Refused, 422),
    (Unavailable, 503),
)

STATUS_OF_CODE: Final[dict[str, int]] = {
    "not-json": 400,
    "duplicate-json-key": 400,
    "idempotency-key-missing": 400,
    "idempotency-key-reserved": 400,
    "bad-query": 400,
    "token-missing": 401,
    "token-unknown": 401,
    "origin-not-allowed": 403,
    "method-not-allowed": 405,
    "body-incomplete": 400,
    "body-timeout": 408,
    "body-too-large": 413,
    "body-undecodable": 400,
    "xml-malformed": 400,
    "xml-encoding": 400,
    "xml-too-deep": 400,
    "xml-too-large": 413,
    "epp-malformed": 400,
    "epp-encoding": 400,
    "unsupported-content-encoding": 415,
    "unsupported-media-type": 415,
    "host-not-allowed": 421,
    "pin-locked": 429,
    "disk-full": 507,
}

HEADERS_OF_CODE: Final[dict[str, dict[str, str]]] = {
    "token-missing": {"WWW-Authenticate": 'Bearer realm="ksef-agent"'},
    "token-unknown": {"WWW-Authenticate": 'Bearer realm="ksef-agent"'},
    "unsupported-content-encoding": {"Accept-Encoding": SUPPORTED},
}


def status_of(error: Refused | Unavailable) -> int:
    """HTTP status of an error of the rules."""
    if error.code in STATUS_OF_CODE:
        return STATUS_OF_CODE[error.code]
    return next(status for kind, status in STATUS_OF_CLASS if isinstance(error, kind))


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    errors: tuple[FieldError, ...] = (),
    retry_safe: bool = False,
    headers: dict[str, str] | None = None,
    more: Mapping[str, Json] | None = None,
) -> web.Response:
    """One problem document. ``errors`` point into the body by JSON pointer (RFC 6901); ``more``: further members."""
    body: dict[str, object] = {
        "type": TYPE_PREFIX + code,
        "title": title_of(code),
        "status": status,
        "code": code,
        "detail": detail,
        "errors": [{"pointer": item.pointer, "message": item.message, "code": item.code} for item in errors],
        "retry_safe": retry_safe,
        **(more or {}),
    }
    return web.Response(
        status=status,
        text=json.dumps(body, ensure_ascii=False),
        content_type=CONTENT_TYPE,
        headers=headers,
    )


def response_of(error: AgentError) -> web.Response:
    """Translate an error of the rules; anything unexpected is logged under an id and tells nothing."""
    if isinstance(error, Refused):
        headers = HEADERS_OF_CODE.get(error.code)
        return problem_response(status_of(error), error.code, error.detail, errors=error.errors, headers=headers)
    if isinstance(error, Unavailable):
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return problem_response(status_of(error), error.code, error.detail, retry_safe=True, headers=headers)
    if isinstance(error, StoreLost):
        log.error("store lost: %s", error.detail)
        return problem_response(503, "store-lost", STORE_LOST, retry_safe=True, headers={"Retry-After": "10"})
    return unexpected(error)


def unexpected(error: BaseException) -> web.Response:
    """500 with an id that is also in the log, and nothing of the exception."""
    incident = secrets.token_hex(4)
    log.error("unexpected error %s", incident, exc_info=error)
    return problem_response(
        500,
        "internal-error",
        f"Błąd programu (numer {incident}). Nie wiadomo, czy operacja się powiodła: "
        "ponów ją albo sprawdź listę faktur.",
        retry_safe=True,
    )


def _of_http(error: web.HTTPException) -> web.Response:
    """aiohttp's own refusals: unknown route, wrong method, body over the limit."""
    if error.status == 404:
        return problem_response(404, "not-found", "Nie ma takiego adresu w tym programie.")
    if error.status == 405:
        allow = {"Allow": error.headers.get("Allow", "")}
        return problem_response(405, "method-not-allowed", "Tego adresu nie wolno tak użyć.", headers=allow)
    if error.status == 413:
        return problem_response(413, "body-too-large", "Przesłane dane są za duże.")
    if error.status < 400:
        raise error
    return problem_response(error.status, "bad-request", "Nieprawidłowe zapytanie.")


@web.middleware
async def problems_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost: whatever is raised inside becomes a problem document."""
    try:
        return await handler(request)
    except AgentError as error:
        return response_of(error)
    except web.HTTPException as error:
        return _of_http(error)
    except Exception as error:  # noqa: BLE001 - the last line of defence: answer, log, leak nothing
        return unexpected(error)
