"""HTTP to KSeF: one pool of connections, one total time per call, and an outcome class for every failure.

Nothing here retries, follows a redirect or knows what a call means. Classes (docs/protocol.md, section 4):

    before the first byte of the request was handed over    NOT_SENT, link down
    reset, close, timeout, truncated answer after that       UNKNOWN, link down
    2xx that is no JSON/XML (captive portal), a redirect      UNKNOWN, link down
    408, 5xx, an error page instead of an error of KSeF       UNKNOWN
    4xx with an error of KSeF, 429 that is no web page        REFUSED
"""

from __future__ import annotations

import base64
import io
import json as jsonlib
import logging
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace

import aiohttp

from agent import __version__
from agent.domain.errors import ConfigError
from agent.domain.values import dataclass
from agent.ksef.credentials import read_secret
from agent.ksef.responses import EVIDENCE_BYTES, Answer, problems, retry_after
from agent.ksef.system_warnings import SystemWarnings
from agent.ports import CallOutcome, Clock, Json, KsefError
from agent.settings.model import KsefSettings
from agent.system.http_answers import Response
from agent.system.os_errors import polish_reason

log = logging.getLogger(__name__)

KEEPALIVE_SECONDS = 75.0
"""An idle connection is kept so long: a till that sends once a minute must not pay a TLS handshake each time."""
CONNECT_SECONDS = 5.0
"""Name resolution, TCP and TLS together, at most; also bounded by the call's total time."""
LARGE_BYTES = 500_000
MAX_BYTES = 16_000_000
"""Largest answer that is read, unpacked. KSeF's own largest, ten thousand documents of a UPO, has five million; several
at a time must fit into a till's service."""
LONGEST_UNSIGNED_WAIT = 3600.0
"""Seconds; a Retry-After of a 429 that bears no error of KSeF's is believed so far: no window of its limits is longer,
and what stands before it may say anything."""
UNREACHABLE = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
"""Said by what stands in front of KSeF, not by KSeF."""


@dataclass(slots=True)
class _Request:
    """One exchange. ``on_the_wire`` turns True just before its first byte is handed to the socket."""

    method: str
    url: str
    headers: Mapping[str, str]
    data: bytes | None
    query: Mapping[str, str] | None = None
    on_the_wire: bool = False

    def body(self) -> bytes | io.BytesIO | None:
        """Return what to send; a part of a batch is written piece by piece, not to hold up the loop."""
        if self.data is None or len(self.data) <= LARGE_BYTES:
            return self.data
        return io.BytesIO(self.data)


def ksef_failure(answer: Answer, now: datetime) -> KsefError | None:
    """Return the error an answer of KSeF stands for, None for a 2xx."""
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        if answer.is_page:
            return answer.unusable(
                "Zamiast KSeF odpowiedziała strona WWW (portal logowania do sieci?).", link_down=True
            )
        return None
    named = problems(answer)
    wait = retry_after(answer, now)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        text, sent, link_down = "Zamiast KSeF odpowiedziało przekierowanie.", CallOutcome.UNKNOWN, True
    elif status == HTTPStatus.TOO_MANY_REQUESTS and not answer.is_page:
        text, sent, link_down = "KSeF: przekroczono limit żądań.", CallOutcome.REFUSED, False
        wait = wait if named or wait is None else min(wait, LONGEST_UNSIGNED_WAIT)
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        text, sent = f"KSeF zwrócił błąd {status}.", CallOutcome.UNKNOWN
        link_down = status in UNREACHABLE or not named
    elif named or status == HTTPStatus.UNAUTHORIZED:
        text = f"KSeF: {'; '.join(map(str, named)) or 'brak uwierzytelnienia'}"
        sent, link_down = CallOutcome.REFUSED, False
    else:
        text, sent, link_down = f"Błąd {status} nie pochodzi z KSeF.", CallOutcome.UNKNOWN, True
        wait = None
    code = named[0].code if named and status == HTTPStatus.BAD_REQUEST else status
    return KsefError(text, outcome=sent, code=code, retry_after=wait, body=answer.evidence, link_down=link_down)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is called: how its answers are judged, and how sentences name it."""

    failure: Callable[[Answer, datetime], KsefError | None]
    """The error an answer stands for, None for a 2xx."""
    silent: str = "KSeF nie odpowiedział"
    line: str = "Połączenie z KSeF"


KSEF = Peer(ksef_failure)


class HttpClient:
    """Calls below one base address. Made anywhere; opens its pool inside the loop with the first call."""

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        *,
        timeout_seconds: float = 15.0,
        ca_file: Path | None = None,
        proxy_url: str = "",
        proxy_credentials: str = "",
        peer: Peer = KSEF,
    ) -> None:
        """``proxy_credentials``: login:password, empty for a proxy that wants none."""
        self._base = base_url.rstrip("/")
        self._clock = clock
        self._timeout = timeout_seconds
        self._peer = peer
        self._tls = tls_context(ca_file)
        self._proxy = proxy_url or None
        self._proxy_headers = proxy_headers(proxy_credentials)
        self._pool: aiohttp.ClientSession | None = None
        self._closed = False
        self._warnings = SystemWarnings(clock)

    @property
    def clock(self) -> Clock:
        """Return the clock that bounds the calls."""
        return self._clock

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        json: Json = None,
        xml: bytes | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> Answer:
        """Call the API once; return the answer of a 2xx, raise KsefError for everything else."""
        sent = {"X-Error-Format": "problem-details", "Accept": "application/json, application/xml;q=0.9"}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        data: bytes | None = None
        if json is not None:
            sent["Content-Type"] = "application/json"
            data = jsonlib.dumps(json, ensure_ascii=False, separators=(",", ":")).encode()
        elif xml is not None:
            sent["Content-Type"] = "application/xml"
            data = xml
        sent.update(headers or {})
        request = _Request(method, self._base + path, sent, data, query)
        return await self._exchange(request, self._timeout if timeout_seconds is None else timeout_seconds)

    async def upload(
        self, method: str, url: str, headers: Mapping[str, str], data: bytes, *, timeout_seconds: float
    ) -> None:
        """Hand a part of a batch to the storage KSeF named: exactly its headers, never our token."""
        sent = {"Content-Type": "application/octet-stream", **headers}
        await self._exchange(_Request(method, url, sent, data), timeout_seconds)

    async def close(self) -> None:
        """Close the pool; a later call is refused as not sent."""
        self._closed = True
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.close()

    async def _exchange(self, request: _Request, seconds: float) -> Answer:
        try:
            answer = await self._clock.within(seconds, self._send(request))
        except aiohttp.ServerTimeoutError as error:
            raise _lost(f"{self._peer.line} nie powstało w ciągu {CONNECT_SECONDS:g} s", request, error) from error
        except TimeoutError as error:
            raise _lost(f"{self._peer.silent} w ciągu {seconds:g} s", request, error) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _lost(f"{self._peer.line} nie powiodło się", request, error) from error
        failure = self._peer.failure(answer, self._clock.now())
        if failure is not None:
            raise failure
        return answer

    async def _send(self, request: _Request) -> Answer:
        async with self._open_pool().request(
            request.method,
            request.url,
            headers=request.headers,
            data=request.body(),
            params=request.query,
            allow_redirects=False,
            proxy=self._proxy,
            proxy_headers=self._proxy_headers,
            trace_request_ctx=request,
        ) as response:
            body = await _read(response)
            self._warnings.note(response.headers.get("X-System-Warning"))
            return Answer(response.status, body, {name.lower(): value for name, value in response.headers.items()})

    def _open_pool(self) -> aiohttp.ClientSession:
        if self._closed:
            raise KsefError("Agent kończy pracę: połączenie z KSeF jest zamknięte.", outcome=CallOutcome.NOT_SENT)
        if self._pool is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_mark_on_the_wire)
            self._pool = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls, keepalive_timeout=KEEPALIVE_SECONDS),
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS),
                trace_configs=[trace],
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=Response,
                headers={"User-Agent": f"ksef-agent/{__version__}"},
            )
        return self._pool


def open_client(settings: KsefSettings, url: str, clock: Clock) -> HttpClient:
    """Return a client for ``url`` with the settings' time limit, trust anchor and proxy."""
    return HttpClient(
        url,
        clock,
        timeout_seconds=settings.timeout_seconds,
        ca_file=settings.ca_file,
        proxy_url=settings.proxy_url,
        proxy_credentials=proxy_credentials(settings),
    )


def proxy_credentials(settings: KsefSettings) -> str:
    """Return login:password of the settings' proxy, empty where it wants none; ConfigError names a wrong file."""
    if settings.proxy_credentials_file is None:
        return ""
    found = read_secret(settings.proxy_credentials_file)
    if ":" not in found:
        raise ConfigError((f"Plik {settings.proxy_credentials_file} ma mieć postać login:hasło.",))
    return found


def proxy_headers(credentials: str) -> dict[str, str] | None:
    """Return what a proxy is told beside the address (RFC 9110, 11.7.2); None for one that wants no login."""
    if not credentials:
        return None
    return {"Proxy-Authorization": f"Basic {base64.b64encode(credentials.encode()).decode('ascii')}"}


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return the system's trust store, with one more anchor where the settings name it."""
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except ssl.SSLError as error:
            raise ConfigError((f"Plik {ca_file} nie zawiera certyfikatu urzędu w formacie PEM.",)) from error
        except OSError as error:
            raise ConfigError((f"Nie można odczytać certyfikatu urzędu {ca_file}: {polish_reason(error)}.",)) from error
    return context


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read the body, unpacked, up to MAX_BYTES: whoever answers in KSeF's place may never stop."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BYTES:
            evidence = Answer(response.status, bytes(body[:EVIDENCE_BYTES]), {})
            raise evidence.unusable(f"Odpowiedź jest za duża: ponad {MAX_BYTES} bajtów.", link_down=True)
    return bytes(body)


async def _mark_on_the_wire(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceRequestHeadersSentParams
) -> None:
    """Note that the first byte of a request is about to be written (aiohttp calls this just before)."""
    context.trace_request_ctx.on_the_wire = True


def _cause(error: BaseException) -> str | None:
    """Name in Polish what broke, None where the time was up; the library's own words go to the log."""
    if isinstance(error, TimeoutError):
        return None
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"nie znaleziono adresu {error.host}"
    if isinstance(error, aiohttp.ClientSSLError):
        return "nie udało się zestawić szyfrowanego połączenia; certyfikat serwera może być niezaufany"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "serwer przerwał połączenie"
    if isinstance(error, OSError) and error.errno is not None:
        return polish_reason(error)
    return type(error).__name__


def _lost(what: str, request: _Request, error: BaseException) -> KsefError:
    cause = _cause(error)
    log.debug("%s: %r", what, error)
    sent = CallOutcome.UNKNOWN if request.on_the_wire else CallOutcome.NOT_SENT
    return KsefError(f"{what} ({cause})." if cause else f"{what}.", outcome=sent, link_down=True)
