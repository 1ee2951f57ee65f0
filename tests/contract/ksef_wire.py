"""A KSeF of canned answers on loopback that records every request. No rules of its own: see agent/sandbox for those."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import struct
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from agent.domain.ksef_number import checksum
from agent.ksef.credentials import Credentials
from agent.ksef.crypto import b64, sha256

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
"""Where tests.fakes.clock.FakeClock starts."""
NIP = "5265877635"
SESSION = "20261124-SO-2C3E6C8000-B675CF5D68-07"
BATCH = "20261124-SB-213D593000-4DE10D80A5-E9"
INVOICE = "20261124-EE-319D7EE000-B67F415CDC-2C"
OPERATION = "20261124-AU-2DFC46C000-3AC6D5877F-D4"
CHALLENGE = "20261124-CR-226FB7B000-3ACF9BE4C0-10"
ENROLMENT = "20261124-EH-1B6C9EB000-4B15D3AEB9-89"
UPO_PAGE = "20261124-EU-2EBD6FA000-242EB9B66D-43"
_BODY = f"{NIP}-20261124-0100A0D6723E"
KSEF_NUMBER = f"{_BODY}-{checksum(_BODY)}"
_OTHER = f"{NIP}-20261124-0100A0D6723F"
OTHER_NUMBER = f"{_OTHER}-{checksum(_OTHER)}"
XML = "<Faktura>zażółć</Faktura>".encode()


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def token(self) -> str | None:
        return self.headers.get("Authorization")


@dataclass(frozen=True)
class Reply:
    """A canned answer; ``body`` that is no bytes is sent as JSON."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] | None = None
    content_type: str = "application/json"

    def response(self) -> web.Response:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        if self.status == 204:
            return web.Response(status=204)
        return web.Response(status=self.status, body=body, headers=self.headers, content_type=self.content_type)


def problem(code: int, description: str = "Błąd.", status: int = 400, **headers: str) -> Reply:
    """An error of KSeF as problem details."""
    body: dict[str, Any] = {"title": "Bad Request", "status": status, "detail": "Żądanie jest nieprawidłowe."}
    if status == 400:
        body["errors"] = [{"code": code, "description": description, "details": ["szczegół"]}]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body, named, "application/problem+json")


@dataclass(frozen=True)
class Fault:
    """Bytes written as they are, then: "close", "reset", or "hold" the connection until the server stops."""

    raw: bytes = b""
    then: str = "close"


Answering = Reply | Fault | Callable[[Request], Reply]


class WireServer:
    """``on`` plans the next answers of a route; the last one planned stays."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.url = ""
        self._planned: dict[str, deque[Answering]] = defaultdict(deque)
        self._server: TestServer | None = None
        self._tokens = 0
        self._stopping = asyncio.Event()
        self.arrived = asyncio.Event()
        """Set by each Fault before it happens."""

    async def __aenter__(self) -> WireServer:
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._server = TestServer(app, host="127.0.0.1")
        await self._server.start_server()
        self.url = str(self._server.make_url("/v2"))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._stopping.set()
        await self._server.close()

    def on(self, route: str, *answers: Answering) -> None:
        """Plan answers of a route such as "POST /sessions/online"; "*" in a path stands for one segment."""
        self._planned[route] = deque(answers)

    def seen(self, route: str) -> list[Request]:
        """Return the requests of a route, oldest first."""
        return [request for request in self.requests if matches(route, request)]

    async def _serve(self, incoming: web.Request) -> web.Response:
        path = incoming.path.removeprefix("/v2")
        request = Request(incoming.method, path, dict(incoming.query), incoming.headers, await incoming.read())
        self.requests.append(request)
        for route, planned in self._planned.items():
            if matches(route, request) and planned:
                answering = planned.popleft() if len(planned) > 1 else planned[0]
                if isinstance(answering, Fault):
                    return await self._spoil(incoming, answering)
                return (answering if isinstance(answering, Reply) else answering(request)).response()
        return self.usual(request).response()

    async def _spoil(self, incoming: web.Request, fault: Fault) -> web.Response:
        transport = incoming.transport
        assert transport is not None
        transport.write(fault.raw)
        self.arrived.set()
        if fault.then == "hold":
            await self._stopping.wait()
        if fault.then == "reset":
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()
        return web.Response()

    def usual(self, request: Request) -> Reply:
        """Return what is answered where nothing is planned."""
        for route, answering in self._routes().items():
            if matches(route, request):
                return answering(request)
        return Reply(404, {"title": "no such route"}, content_type="application/problem+json")

    def _routes(self) -> dict[str, Callable[[Request], Reply]]:
        return {
            "POST /auth/challenge": lambda _: Reply(
                body={
                    "challenge": CHALLENGE,
                    "timestamp": stamp(START),
                    "timestampMs": int(START.timestamp() * 1000),
                    "clientIp": "127.0.0.1",
                }
            ),
            "POST /auth/xades-signature": lambda _: self._operation(),
            "POST /auth/ksef-token": lambda _: self._operation(),
            f"GET /auth/{OPERATION}": lambda _: auth_status(200),
            "POST /auth/token/redeem": lambda _: Reply(
                body={"accessToken": self.new_token("access"), "refreshToken": self.new_token("refresh", hours=48)}
            ),
            "POST /auth/token/refresh": lambda _: Reply(body={"accessToken": self.new_token("access")}),
            "GET /security/public-key-certificates": lambda _: Reply(body=[public_key()]),
            "POST /sessions/online": lambda _: Reply(
                201, {"referenceNumber": SESSION, "validUntil": stamp(START + timedelta(hours=12))}
            ),
            "POST /sessions/online/*/invoices": lambda _: Reply(202, {"referenceNumber": INVOICE}),
            "POST /sessions/online/*/close": lambda _: Reply(204),
            "POST /sessions/batch": self._batch,
            "PUT /storage/*": lambda _: Reply(201, b""),
            "POST /sessions/batch/*/close": lambda _: Reply(204),
            "GET /sessions/*": lambda _: session_status(200),
            "GET /sessions/*/invoices": lambda _: Reply(body={"invoices": [accepted()]}),
            "GET /sessions/*/invoices/*": lambda _: Reply(body=accepted()),
            "GET /sessions/*/invoices/*/upo": lambda _: upo(),
            "GET /sessions/*/invoices/ksef/*/upo": lambda _: upo(),
            "GET /sessions/*/upo/*": lambda _: upo_page(),
            "GET /invoices/ksef/*": lambda _: Reply(
                body=XML, headers={"x-ms-meta-hash": b64(sha256(XML))}, content_type="application/xml"
            ),
            "POST /invoices/query/metadata": lambda _: metadata(),
            "GET /rate-limits": lambda _: Reply(body={}),
            "GET /limits/context": lambda _: Reply(
                body={"onlineSession": {"maxInvoices": 10000}, "batchSession": {"maxInvoices": 10000}}
            ),
            "GET /certificates/limits": lambda _: Reply(body=certificate_limits(can=True)),
            "GET /certificates/enrollments/data": lambda _: Reply(body=SUBJECT_DATA),
            "POST /certificates/enrollments": lambda _: Reply(
                202, {"referenceNumber": ENROLMENT, "timestamp": stamp(START)}
            ),
            "GET /certificates/enrollments/*": lambda _: Reply(
                body={
                    "requestDate": stamp(START),
                    "status": {"code": 200, "description": "Wniosek obsłużony"},
                    "certificateSerialNumber": f"{ISSUED_SERIAL:016X}",
                }
            ),
            "POST /certificates/retrieve": lambda _: self._issued(),
        }

    def new_token(self, kind: str, *, hours: float = 0.25) -> dict[str, str]:
        """Return a TokenInfo with a token never given before."""
        self._tokens += 1
        return {"token": f"{kind}-{self._tokens}", "validUntil": stamp(START + timedelta(hours=hours))}

    def _operation(self) -> Reply:
        return Reply(202, {"referenceNumber": OPERATION, "authenticationToken": self.new_token("operation")})

    def _batch(self, request: Request) -> Reply:
        places = [
            {
                "ordinalNumber": part["ordinalNumber"],
                "method": "PUT",
                "url": f"{self.url.removesuffix('/v2')}/storage/{part['ordinalNumber']}?sig=abc%2Fd",
                "headers": {"x-ms-blob-type": "BlockBlob", "x-unused": None},
            }
            for part in request.json["batchFile"]["fileParts"]
        ]
        return Reply(201, {"referenceNumber": BATCH, "partUploadRequests": places})

    def _issued(self) -> Reply:
        """Issue what the last enrolment asked for."""
        asked = self.seen("POST /certificates/enrollments")[-1].json
        request = x509.load_der_x509_csr(base64.b64decode(asked["csr"]))
        certificate = issue(request.public_key(), request.subject, ISSUED_SERIAL)
        item = {
            "certificate": b64(certificate.public_bytes(Encoding.DER)),
            "certificateName": asked["certificateName"],
            "certificateSerialNumber": f"{ISSUED_SERIAL:016X}",
            "certificateType": asked["certificateType"],
        }
        return Reply(body={"certificates": [item]})


ISSUED_SERIAL = 0x01F20A5D352AE590
SUBJECT_DATA = {
    "commonName": "Sklep Zażółć sp. z o.o.",
    "countryName": "PL",
    "givenName": None,
    "organizationName": "Sklep Zażółć sp. z o.o.",
    "organizationIdentifier": f"VATPL-{NIP}",
    "uniqueIdentifier": "d9d22724-4696-460c-9e5e-b9e3aafb0af3",
}


def stamp(at: datetime) -> str:
    """Seven fractional digits, as .NET writes them."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.0154302+00:00")


def auth_status(code: int, description: str = "Opis", *details: str) -> Reply:
    status = {"code": code, "description": description, "details": list(details) or None}
    return Reply(
        body={
            "startDate": stamp(START),
            "authenticationMethod": "Token",
            "authenticationMethodInfo": {"category": "Token", "code": "token.ksef", "displayName": "Token KSeF"},
            "status": status,
        }
    )


def session_status(code: int, **more: Any) -> Reply:
    status = {"code": code, "description": "Opis"}
    return Reply(body={"status": status, "dateCreated": stamp(START), "dateUpdated": stamp(START), **more})


def accepted(xml: bytes = XML, reference: str = INVOICE, code: int = 200, **more: Any) -> dict[str, Any]:
    """Return a SessionInvoiceStatusResponse."""
    item: dict[str, Any] = {
        "ordinalNumber": 1,
        "referenceNumber": reference,
        "invoiceHash": b64(sha256(xml)),
        "invoicingDate": stamp(START),
        "status": {"code": code, "description": "Opis"},
        "unheardOf": {"new": "field"},
    }
    if code == 200:
        item |= {"ksefNumber": KSEF_NUMBER, "acquisitionDate": stamp(START + timedelta(seconds=2))}
    return item | more


def metadata(*numbers: str, more: bool = False, truncated: bool = False, **changes: Any) -> Reply:
    """Return a page of a QueryInvoicesMetadataResponse."""
    invoices = [
        {
            "ksefNumber": KSEF_NUMBER,
            "invoiceNumber": number,
            "issueDate": "2026-11-24",
            "invoicingDate": stamp(START),
            "seller": {"nip": NIP},
            "grossAmount": 43370.57,
            "currency": "PLN",
            "invoiceType": "Vat",
            "invoicingMode": "Online",
            "invoiceHash": b64(sha256(XML)),
            **changes,
        }
        for number in numbers
    ]
    return Reply(body={"hasMore": more, "isTruncated": truncated, "invoices": invoices})


def upo(xml: bytes = XML, number: str = KSEF_NUMBER, meta_hash: str = "") -> Reply:
    document = (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<Potwierdzenie xmlns="http://upo.schematy.mf.gov.pl/KSeF/v4-3"><Dokument>'
        f"<NumerKSeFDokumentu>{number}</NumerKSeFDokumentu>"
        f"<SkrotDokumentu>{b64(sha256(xml))}</SkrotDokumentu></Dokument></Potwierdzenie>"
    ).encode()
    return Reply(
        body=document, headers={"x-ms-meta-hash": meta_hash or b64(sha256(document))}, content_type="application/xml"
    )


def upo_page(session: str = SESSION, page: int = 1, last: int | str = 1, meta_hash: str = "", **more: Any) -> Reply:
    """Return the only page of a session's UPO; it names one document."""
    one = upo(**more).body
    assert isinstance(one, bytes)
    described = (
        f"<NumerReferencyjnySesji>{session}</NumerReferencyjnySesji><OpisPotwierdzenia><Strona>{page}</Strona>"
        "<LiczbaStron>1</LiczbaStron><ZakresDokumentowOd>1</ZakresDokumentowOd>"
        f"<ZakresDokumentowDo>{last}</ZakresDokumentowDo></OpisPotwierdzenia><Dokument>"
    )
    document = one.replace(b"<Dokument>", described.encode())
    return Reply(
        body=document, headers={"x-ms-meta-hash": meta_hash or b64(sha256(document))}, content_type="application/xml"
    )


def certificate_limits(*, can: bool) -> dict[str, Any]:
    left = {"remaining": 5 if can else 0, "limit": 6}
    return {"canRequest": can, "enrollment": left, "certificate": left}


@cache
def rsa_key(number: int) -> rsa.RSAPrivateKey:
    """Return a key of the test run; each number its own (drawing one costs 80 ms)."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_key(
    number: int = 0,
    *,
    usage: tuple[str, ...] = ("KsefTokenEncryption", "SymmetricKeyEncryption"),
    valid_from: datetime = START - timedelta(days=1),
    valid_to: datetime = START + timedelta(days=365),
    **wrong: str,
) -> dict[str, Any]:
    """Return a PublicKeyCertificate of that key."""
    key = rsa_key(number).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Ministerstwo Finansów")])
    return {
        "certificate": b64(issue(key, name, 7).public_bytes(Encoding.DER)),
        "certificateId": b64(sha256(b"certificate")),
        "publicKeyId": b64(sha256(spki)),
        "validFrom": stamp(valid_from),
        "validTo": stamp(valid_to),
        "usage": list(usage),
    } | wrong


def issue(
    key: Any,
    subject: x509.Name,
    serial: int,
    *,
    until: datetime = START + timedelta(days=730),
) -> x509.Certificate:
    """Return a certificate of a test authority for ``key``."""
    authority = ec.derive_private_key(1234567, ec.SECP256R1())
    issuer = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "Test CA, Urząd"),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "PL"),
        ]
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(START - timedelta(days=1))
        .not_valid_after(until)
        .sign(authority, hashes.SHA256())
    )


@cache
def credentials(kind: str = "ec") -> Credentials:
    """Return test credentials with an EC or RSA key; their serial number begins with a zero."""
    key: Any = ec.derive_private_key(7654321, ec.SECP256R1()) if kind == "ec" else rsa_key(99)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kasa 1")])
    return Credentials(issue(key.public_key(), name, 0x01F20A5D352AE590), key)


def matches(route: str, request: Request) -> bool:
    """Return whether a request is one of a route such as "GET /sessions/*"."""
    method, _, path = route.partition(" ")
    pattern = re.escape(path).replace(r"\*", "[^/]+")
    return method == request.method and re.fullmatch(pattern, request.path) is not None
