"""HTTP to others than KSeF: webhooks, and the Ministry's white list of taxpayers.

Nothing of an answer is read beyond what is wanted, no redirect is followed, nothing of the environment is used.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Final

import aiohttp
from yarl import URL

from agent.domain.calendar import local_date
from agent.domain.characters import storable
from agent.domain.values import dataclass
from agent.ports import Clock
from agent.system.http_answers import Response
from agent.system.os_errors import polish_reason

WEBHOOK_SECONDS: Final = 10.0
WHITE_LIST_SECONDS: Final = 3.0
MAX_NAME: Final = 512
MAX_ANSWER: Final = 256 * 1024
"""Bytes of an answer of the white list; one with a hundred bank accounts has ten thousand."""
MAX_CONNECTIONS: Final = 8


@dataclass(frozen=True, slots=True)
class Route:
    """How calls leave: a proxy and what it is told, a trust store; the defaults: directly, by that of the system."""

    proxy: str | None = None
    proxy_headers: Mapping[str, str] | None = None
    tls: ssl.SSLContext | None = None


class Outbound:
    """One HTTP session; opened on first use."""

    def __init__(self, clock: Clock, route: Route = Route()) -> None:  # noqa: B008 - frozen
        self._clock = clock
        self.route = route
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """Return the shared session."""
        if self._session is None:
            tls = self.route.tls or ssl.create_default_context()
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=tls, limit=MAX_CONNECTIONS),
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=Response,
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class Webhooks:
    """Port WebhookSender."""

    def __init__(self, outbound: Outbound, clock: Clock) -> None:
        self._outbound = outbound
        self._clock = clock

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | str:
        """POST once; the status, else why no answer came: what a person has to mend differs."""
        try:
            return await self._clock.within(WEBHOOK_SECONDS, self._post(url, body, headers))
        except (TimeoutError, OSError, ValueError, aiohttp.ClientError) as error:  # ValueError: an address of no host
            return _why(error)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        route = self._outbound.route
        async with self._outbound.session.post(
            url,
            data=body,
            headers=dict(headers),
            allow_redirects=False,
            proxy=route.proxy,
            proxy_headers=route.proxy_headers,
        ) as response:
            response.close()  # whatever the receiver says beyond it is not read
            return response.status


def _why(error: Exception) -> str:
    """Return in Polish why nobody answered."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "")
        return f"certyfikat TLS odbiorcy nie jest zaufany: {reason or 'nie dotyczy tego adresu'}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "brak odpowiedzi: takiej nazwy nie zna DNS"
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
        return f"brak odpowiedzi: {polish_reason(error.os_error)}"
    return "brak odpowiedzi"


class WhiteList:
    """Port BuyerSource: GET {url}/api/search/nip/{nip}?date=YYYY-MM-DD of the Ministry's register of VAT payers."""

    def __init__(self, outbound: Outbound, clock: Clock, url: str) -> None:
        self._outbound = outbound
        self._clock = clock
        self._url = URL(url)

    async def find(self, nip: str) -> tuple[str, str | None] | None:
        """Return name and address; None where unknown, slow or out of reach."""
        try:
            answer = await self._clock.within(WHITE_LIST_SECONDS, self._get(nip))
        except (TimeoutError, OSError, ValueError, RecursionError, aiohttp.ClientError):
            return None
        result = answer.get("result") if isinstance(answer, dict) else None
        subject = result.get("subject") if isinstance(result, dict) else None
        if not isinstance(subject, dict) or not isinstance(subject.get("name"), str):
            return None
        address = subject.get("workingAddress") or subject.get("residenceAddress")
        return storable(subject["name"][:MAX_NAME]), storable(address) if isinstance(address, str) else None

    async def _get(self, nip: str) -> object:
        url = self._url / "api/search/nip" / nip % {"date": local_date(self._clock.now()).isoformat()}
        route = self._outbound.route
        async with self._outbound.session.get(
            url, allow_redirects=False, proxy=route.proxy, proxy_headers=route.proxy_headers
        ) as response:
            if response.status != 200:
                return None
            answer: object = json.loads(await _read(response))
            return answer


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer, unpacked, up to MAX_ANSWER: a register that never stops tells nothing. ValueError beyond it."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_ANSWER:
            response.close()
            raise ValueError("the answer is too long")
    return bytes(body)
