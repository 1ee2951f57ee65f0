"""Bodies and headers of requests, checked before a use case sees them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import date
from typing import Final

from aiohttp import hdrs, web

from agent.domain.characters import first_forbidden
from agent.domain.errors import BadInput, FieldError, Unavailable
from agent.domain.json_io.body import parse_object
from agent.domain.json_io.reader import escape, shown, type_name
from agent.ports import Json
from agent.web.content_encoding import unpacked
from agent.web.headers import only_header

DAY_PATTERN: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
KEY_PATTERN: Final = re.compile(r"[\x21-\x7e]{1,255}")
RESERVED_KEYS: Final = ("held:", "folder:", "epp:")
"""Keys of the agent's own: of pending corrections, dropped files, documents of EDI++. A till's must not be theirs."""
JSON_TYPE: Final = "application/json"
XML_TYPE: Final = "application/xml"
BODY_SECONDS: Final = web.AppKey("body_seconds", float)
"""Seconds in which a body has to be there; a sale is a few kilobytes."""


def required_text(body: Mapping[str, Json], name: str, sentence: str, limit: int = 500) -> str:
    """Return a non-empty text field; BadInput naming it otherwise."""
    value = body.get(name)
    code = "required"
    if value is not None and not isinstance(value, str):
        code, sentence = "wrong-type", f"Spodziewany tekst, a jest {type_name(value)}."
    elif value is not None and len(value) > limit:
        code, sentence = "too-long", f"{len(value)} znaków, a może być najwyżej {limit}."
    elif value is not None and (forbidden := first_forbidden(value)) is not None:
        code, sentence = "forbidden-character", f"Niedozwolony znak {forbidden}."
    elif value is not None and value.strip():
        return value.strip()
    raise BadInput(sentence, errors=(FieldError(f"/{name}", sentence, code),))


def known_only(body: Mapping[str, Json], *names: str) -> None:
    """Refuse fields nobody reads: a misspelt one that silently does nothing is worse than a refusal."""
    for name in body:
        if name in names:
            continue
        sentence = f"Nieznane pole „{shown(name)}”."
        raise BadInput(sentence, errors=(FieldError(f"/{escape(name)}", sentence, "unknown-field"),))


def flag(body: Mapping[str, Json], name: str) -> bool:
    """Return an optional true or false, false where it is missing; BadInput naming it otherwise."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        sentence = "Dozwolone: true albo false."
        raise BadInput(sentence, errors=(FieldError(f"/{name}", sentence, "wrong-type"),))
    return value


def day(body: Mapping[str, Json], name: str) -> date:
    """Return a required date YYYY-MM-DD; BadInput naming it otherwise."""
    text = required_text(body, name, "Podaj datę w postaci RRRR-MM-DD.", limit=10)
    try:
        if DAY_PATTERN.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    sentence = "To nie jest data w postaci RRRR-MM-DD."
    raise BadInput(sentence, errors=(FieldError(f"/{name}", sentence, "not-a-date"),))


def idempotency_key(request: web.Request) -> str:
    """Return the Idempotency-Key: 1 to 255 visible ASCII characters, none of the agent's own."""
    key = only_header(request, "Idempotency-Key")
    if not KEY_PATTERN.fullmatch(key):
        raise BadInput(
            "Brak nagłówka Idempotency-Key albo jest nieprawidłowy (1–255 znaków ASCII bez spacji). "
            "Program kasowy nadaje go raz dla każdego koszyka.",
            code="idempotency-key-missing",
        )
    if key.startswith(RESERVED_KEYS):
        raise BadInput(
            f"Klucz Idempotency-Key nie może zaczynać się od {', '.join(RESERVED_KEYS)}: tak program oznacza własne "
            "dokumenty.",
            code="idempotency-key-reserved",
        )
    return key


async def json_object(request: web.Request) -> Mapping[str, Json]:
    """Return the object in the body of a request that must be JSON."""
    return parse_object(await _json_bytes(request))


async def no_body(request: web.Request) -> None:
    """Refuse what nobody would read; many clients send an empty object with every POST."""
    if request.can_read_body and (body := await read(request)).strip():
        known_only(parse_object(body))


async def json_body(request: web.Request) -> bytes:
    """Return the body of a request that must be JSON, well-formed."""
    body = await _json_bytes(request)
    parse_object(body)
    return body


async def bytes_of(request: web.Request, content_type: str) -> bytes:
    """Return the body of a request that must be of that type."""
    if request.content_type != content_type:
        raise _unsupported(content_type)
    return await read(request)


async def _json_bytes(request: web.Request) -> bytes:
    return await bytes_of(request, JSON_TYPE)


async def read(request: web.Request) -> bytes:
    """Return the body, unpacked.

    BadInput where it breaks off, is too large or cannot be unpacked; Unavailable where it comes too slowly.
    """
    if (request.content_length or 0) > request.client_max_size:
        raise BadInput("Przesłane dane są za duże.", code="body-too-large")  # before they are sent, and waited for
    codings = [*request.headers.getall(hdrs.CONTENT_ENCODING, []), *_transfer_codings(request)]
    try:
        async with asyncio.timeout(request.app[BODY_SECONDS]):
            data = await request.read()
    except TimeoutError as error:
        raise Unavailable("Dane zapytania nie nadeszły na czas. Ponów.", code="body-timeout") from error
    except (web.RequestPayloadError, ConnectionError) as error:
        raise BadInput("Dane zapytania są niepełne albo uszkodzone w drodze.", code="body-incomplete") from error
    return unpacked(data, ", ".join(codings), request.client_max_size)


def _transfer_codings(request: web.Request) -> list[str]:
    """Return the transfer codings beside chunked (RFC 9112, 6.1), which the library passes over in silence."""
    named = ",".join(request.headers.getall(hdrs.TRANSFER_ENCODING, [])).split(",")
    return [coding for coding in named if coding.strip().lower() not in {"", "chunked"}]


async def sale_body(request: web.Request) -> tuple[bytes, bool]:
    """Return the body, as it came, and whether it is a ready FA(3) (application/xml) rather than a JSON sale."""
    if request.content_type == XML_TYPE:
        return await read(request), True
    if request.content_type == JSON_TYPE:
        return await read(request), False
    raise _unsupported(f"{JSON_TYPE} albo {XML_TYPE}")


def _unsupported(expected: str) -> BadInput:
    return BadInput(f"Nieobsługiwany rodzaj danych. Ustaw Content-Type: {expected}.", code="unsupported-media-type")
