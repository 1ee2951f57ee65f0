"""How KSeF writes things: instants, references, numbers, errors (OpenAPI 2.9.0, reference formats of UPO 4-3)."""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar, cast
from zoneinfo import ZoneInfo

from aiohttp import web

from agent.ports import Json

T = TypeVar("T")
JsonObject = Mapping[str, Json]

WARSAW = ZoneInfo("Europe/Warsaw")
LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""Escapes that may stand for half a character."""
INVALID_INPUT = 21405
UNREADABLE = 21001


def stamp(at: datetime) -> str:
    """Return an instant as KSeF writes it: UTC with offset, microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def b64(data: bytes) -> str:
    """Return standard Base64."""
    return base64.b64encode(data).decode("ascii")


def crc8(text: str) -> int:
    """CRC-8 of the KSeF number (polynomial 0x07, initial value 0)."""
    value = 0
    for byte in text.encode("ascii"):
        value ^= byte
        for _ in range(8):
            value = (value << 1) ^ 0x07 if value & 0x80 else value << 1
        value &= 0xFF
    return value


def reference(kind: str, at: datetime) -> str:
    """Return a new reference of 36 characters: date, kind (SO, SB, EE, AU, CR, ...), two random parts, check."""
    body = f"{at.astimezone(UTC):%Y%m%d}-{kind}-{secrets.token_hex(5).upper()}-{secrets.token_hex(5).upper()}"
    return f"{body}-{crc8(body):02X}"


def ksef_number(nip: str, at: datetime) -> str:
    """Return a new KSeF number of 35 characters: NIP, date of acceptance, 12 random digits, CRC-8."""
    body = f"{nip}-{at.astimezone(WARSAW):%Y%m%d}-{secrets.token_hex(6).upper()}"
    return f"{body}-{crc8(body):02X}"


class ApiProblem(Exception):
    """A refusal as KSeF words it. ``code`` is its exception code, 0 for answers that carry none (401, 403, 429)."""

    def __init__(
        self,
        status: int,
        code: int,
        description: str,
        *details: str,
        reason: str = "missing-permissions",
        retry_after: int | None = None,
    ) -> None:
        super().__init__(f"{status} {code} {description}")
        self.status = status
        self.code = code
        self.description = description
        self.details = details
        self.reason = reason
        self.retry_after = retry_after

    def answer(self, request: web.Request, now: datetime) -> web.Response:
        """Return the old shape, or problem details where the client asked for it or where there is nothing else."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        modern = request.headers.get("X-Error-Format") == "problem-details"
        if not modern and self.status == HTTPStatus.BAD_REQUEST:
            return json_answer(self._exception(now), status=self.status, headers=headers)
        if not modern and self.status == HTTPStatus.TOO_MANY_REQUESTS:
            status: JsonObject = {
                "code": self.status,
                "description": "Too Many Requests",
                "details": [self.description],
            }
            return json_answer({"status": status}, status=self.status, headers=headers)
        return json_answer(
            self._problem(request, now), status=self.status, headers=headers, content_type="application/problem+json"
        )

    def _exception(self, now: datetime) -> JsonObject:
        detail: dict[str, Json] = {"exceptionCode": self.code, "exceptionDescription": self.description}
        if self.details:
            detail["details"] = list(self.details)
        return {
            "exception": {
                "exceptionDetailList": [detail],
                "referenceNumber": reference("EX", now),
                "serviceCode": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00",
                "serviceCtx": "sandbox",
                "serviceName": "Undefined",
                "timestamp": stamp(now),
            }
        }

    def _problem(self, request: web.Request, now: datetime) -> JsonObject:
        problem: dict[str, Json] = {
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "instance": request.path,
            "detail": self.description,
            "timestamp": stamp(now),
            "traceId": secrets.token_hex(16),
        }
        if self.status == HTTPStatus.BAD_REQUEST:
            error: dict[str, Json] = {"code": self.code, "description": self.description}
            if self.details:
                error["details"] = list(self.details)
            problem["detail"] = "Żądanie jest nieprawidłowe."
            problem["errors"] = [error]
        if self.status == HTTPStatus.FORBIDDEN:
            problem["reasonCode"] = self.reason
        return problem


def invalid(detail: str) -> ApiProblem:
    """Return the error for input that does not fit the contract."""
    return ApiProblem(400, INVALID_INPUT, "Błąd walidacji danych wejściowych.", detail)


def unauthorized(detail: str = "Wymagane jest uwierzytelnienie.") -> ApiProblem:
    """Return 401."""
    return ApiProblem(401, 0, detail)


def json_answer(
    body: Json, *, status: int = 200, headers: Mapping[str, str] | None = None, content_type: str = "application/json"
) -> web.Response:
    """Return JSON in UTF-8, letters unescaped as KSeF writes them."""
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return web.Response(body=data, status=status, headers=headers, content_type=content_type, charset="utf-8")


async def read_object(request: web.Request) -> dict[str, Json]:
    """Return the JSON object of the body; 21001 where it cannot be read."""
    try:
        raw = await request.read()
        body = json.loads(raw)
        if LONE_SURROGATE.search(raw):
            json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ApiProblem(400, UNREADABLE, "Nieczytelna treść.", str(error)) from error
    if not isinstance(body, dict):
        raise ApiProblem(400, UNREADABLE, "Nieczytelna treść.", "Oczekiwano obiektu JSON.")
    return body


def member(body: JsonObject, name: str, kind: type[T]) -> T:
    """Return a required member; 21405 where it is missing or of another type."""
    value = body.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise invalid(f"Pole '{name}' jest wymagane lub ma nieprawidłowy typ.")
    return value


def optional(body: JsonObject, name: str, kind: type[T]) -> T | None:
    """Return a member that may be missing or null."""
    return None if body.get(name) is None else member(body, name, kind)


def flag(body: JsonObject, name: str) -> bool:
    """Return a member that may be missing (false) but not null."""
    return member(body, name, bool) if name in body else False


def choice(body: JsonObject, name: str, words: Iterable[str]) -> str | None:
    """Return a member that may be missing or null, and is one of ``words`` otherwise."""
    value = optional(body, name, str)
    if value is not None and value not in words:
        raise invalid(f"Pole '{name}' ma nieznaną wartość.")
    return value


def nested(body: JsonObject, name: str) -> JsonObject:
    """Return a required object."""
    return cast(JsonObject, member(body, name, dict))


def items(body: JsonObject, name: str) -> Sequence[JsonObject]:
    """Return a required list of objects."""
    found = member(body, name, list)
    if not all(isinstance(item, dict) for item in found):
        raise invalid(f"Pole '{name}' ma nieprawidłowy typ.")
    return cast(Sequence[JsonObject], found)


def binary(body: JsonObject, name: str, size: int | None = None) -> bytes:
    """Return a required Base64 member, of ``size`` bytes where given."""
    try:
        value = base64.b64decode(member(body, name, str), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"Pole '{name}' nie jest zakodowane w Base64.") from error
    if not value or (size is not None and len(value) != size):
        raise invalid(f"Pole '{name}' ma nieprawidłową długość.")
    return value
