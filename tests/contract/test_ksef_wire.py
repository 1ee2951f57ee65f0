"""Every request the agent makes: valid against OpenAPI 2.9.0, and the same as ksef-client 0.20.0 would make."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft4Validator
from ksef_client import AsyncKsefClient, KsefClientOptions, models

from agent.ksef.certificate_files import CertificateFiles
from agent.ksef.certificates import Certificates, CertificateType
from agent.ksef.crypto import sha256
from agent.ksef.enrolment import enrol
from agent.ksef.gateway import open_gateway
from agent.ksef.latarnia import open_latarnia
from agent.ports import Outgoing
from agent.settings.model import KsefSettings
from tests.contract import ksef_wire as wire
from tests.contract.ksef_wire import Reply, Request, WireServer
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import unheard
from tests.reference import ksef_openapi

INVOICE = Outgoing("1", wire.XML, sha256(wire.XML), offline=False)
CORRECTION = Outgoing("2", b"<Faktura/>", sha256(b"<Faktura/>"), offline=True, corrects=sha256(wire.XML))
VALUES = {"perSecond": 1, "perMinute": 1, "perHour": 1}
GROUPS = """
onlineSession onlineSessionClose batchSession batchSessionClose invoiceSend invoiceStatus sessionList sessionInvoiceList
sessionMisc
invoiceMetadata invoiceExport invoiceExportStatus invoiceDownload collectiveIdentifier other anonymous global
"""
EVERY_LIMIT = dict.fromkeys(GROUPS.split(), VALUES)


async def everything(server: WireServer, directory: Path) -> list[Request]:
    """Make every call the agent knows; return the requests."""
    clock = FakeClock(wire.START)
    server.on("GET /sessions/*/invoices", Reply(body={"invoices": [], "continuationToken": "abc=="}), _last_page())
    server.on("GET /sessions/*", wire.session_status(200, upo={"pages": [{"referenceNumber": wire.UPO_PAGE}]}))
    server.on("GET /status", Reply(body={"status": "AVAILABLE"}))
    server.on("GET /messages", Reply(body=[]))
    settings = KsefSettings(url=server.url, latarnia_url=server.url)
    gateway = open_gateway(settings, wire.NIP, clock, credentials=wire.credentials())
    session = await gateway.session()
    await gateway.learn_limits()
    await gateway.send(session, INVOICE)
    await gateway.send(session, CORRECTION)
    await gateway.status(wire.SESSION, wire.INVOICE)
    await gateway.find_all(wire.SESSION)
    await gateway.upo(wire.SESSION, wire.INVOICE, wire.KSEF_NUMBER)
    await gateway.upo(wire.SESSION, None, wire.KSEF_NUMBER)
    await gateway.session_upo(wire.SESSION, close=True)
    await gateway.invoice_sha256(wire.KSEF_NUMBER)
    await gateway.open_batch([INVOICE], unheard)
    await gateway.batch_verdicts(wire.BATCH)
    await Certificates(gateway.api, clock).limits()
    await enrol(
        Certificates(gateway.api, clock),
        CertificateType.OFFLINE,
        "kasa 1",
        CertificateFiles(directory / "a", directory / "b"),
    )
    await clock.advance(14.5 * 60)
    await gateway.status(wire.SESSION, wire.INVOICE)
    await gateway.close()

    token_file = directory / "token"
    token_file.write_text("token")
    by_token = open_gateway(KsefSettings(url=server.url, auth="token", token_file=token_file), wire.NIP, clock)
    await by_token.authenticate()
    await by_token.close()
    latarnia = open_latarnia(settings, clock)
    await latarnia.read()
    await latarnia.close()
    return list(server.requests)


def _last_page() -> Reply:
    return Reply(body={"invoices": [wire.accepted()]})


@dataclass(frozen=True)
class Shape:
    """What of a request KSeF can tell apart."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    authorization: str | None
    feature: str | None
    continuation: str | None
    media_type: str | None
    body: str


def shape(request: Request) -> Shape:
    media_type = request.headers.get("Content-Type", "").split(";")[0] if request.body else None
    body = json.dumps(request.json, sort_keys=True) if media_type == "application/json" else request.body.decode()
    return Shape(
        request.method,
        request.path,
        tuple(sorted(request.query.items())),
        request.token,
        request.headers.get("X-KSeF-Feature"),
        request.headers.get("x-continuation-token"),
        media_type,
        body,
    )


Twin = Callable[[AsyncKsefClient, Request], Awaitable[object]]


def _token(request: Request) -> str:
    assert request.token is not None
    return request.token.removeprefix("Bearer ")


def _part(request: Request, index: int) -> str:
    return request.path.strip("/").split("/")[index]


TWINS: dict[str, Twin] = {
    "POST /auth/challenge": lambda sdk, _: sdk.auth.get_challenge(),
    "POST /auth/xades-signature": lambda sdk, r: sdk.auth.submit_xades_auth_request(r.body.decode()),
    "POST /auth/ksef-token": lambda sdk, r: sdk.auth.submit_ksef_token_auth(
        models.InitTokenAuthenticationRequest.from_dict(r.json)
    ),
    "POST /auth/token/redeem": lambda sdk, r: sdk.auth.redeem_token(_token(r)),
    "POST /auth/token/refresh": lambda sdk, r: sdk.auth.refresh_access_token(_token(r)),
    "GET /auth/*": lambda sdk, r: sdk.auth.get_auth_status(_part(r, 1), _token(r)),
    "GET /security/public-key-certificates": lambda sdk, _: sdk.security.get_public_key_certificates(),
    "POST /sessions/online": lambda sdk, r: sdk.sessions.open_online_session(
        models.OpenOnlineSessionRequest.from_dict(r.json), access_token=_token(r)
    ),
    "POST /sessions/online/*/invoices": lambda sdk, r: sdk.sessions.send_online_invoice(
        _part(r, 2), models.SendInvoiceRequest.from_dict(r.json), access_token=_token(r)
    ),
    "POST /sessions/online/*/close": lambda sdk, r: sdk.sessions.close_online_session(_part(r, 2), _token(r)),
    "GET /sessions/*": lambda sdk, r: sdk.sessions.get_session_status(_part(r, 1), _token(r)),
    "GET /sessions/*/invoices": lambda sdk, r: sdk.sessions.get_session_invoices(
        _part(r, 1),
        page_size=1000,
        continuation_token=r.headers.get("x-continuation-token"),
        access_token=_token(r),
    ),
    "GET /sessions/*/invoices/*": lambda sdk, r: sdk.sessions.get_session_invoice_status(
        _part(r, 1), _part(r, 3), access_token=_token(r)
    ),
    "GET /sessions/*/invoices/*/upo": lambda sdk, r: sdk.sessions.get_session_invoice_upo_by_ref(
        _part(r, 1), _part(r, 3), access_token=_token(r)
    ),
    "GET /sessions/*/invoices/ksef/*/upo": lambda sdk, r: sdk.sessions.get_session_invoice_upo_by_ksef(
        _part(r, 1), _part(r, 4), access_token=_token(r)
    ),
    "GET /sessions/*/upo/*": lambda sdk, r: sdk.sessions.get_session_upo(
        _part(r, 1), _part(r, 3), access_token=_token(r)
    ),
    "POST /sessions/batch": lambda sdk, r: sdk.sessions.open_batch_session(
        models.OpenBatchSessionRequest.from_dict(r.json), access_token=_token(r)
    ),
    "POST /sessions/batch/*/close": lambda sdk, r: sdk.sessions.close_batch_session(_part(r, 2), _token(r)),
    "GET /invoices/ksef/*": lambda sdk, r: sdk.invoices.get_invoice_bytes(_part(r, 2), access_token=_token(r)),
    "GET /rate-limits": lambda sdk, r: sdk.rate_limits.get_rate_limits(_token(r)),
    "GET /limits/context": lambda sdk, r: sdk.limits.get_context_limits(_token(r)),
    "GET /certificates/limits": lambda sdk, r: sdk.certificates.get_limits(_token(r)),
    "GET /certificates/enrollments/data": lambda sdk, r: sdk.certificates.get_enrollment_data(_token(r)),
    "POST /certificates/enrollments": lambda sdk, r: sdk.certificates.send_enrollment(
        models.EnrollCertificateRequest.from_dict(r.json), access_token=_token(r)
    ),
    "GET /certificates/enrollments/*": lambda sdk, r: sdk.certificates.get_enrollment_status(
        _part(r, 2), access_token=_token(r)
    ),
    "POST /certificates/retrieve": lambda sdk, r: sdk.certificates.retrieve_certificate(
        models.RetrieveCertificatesRequest.from_dict(r.json), access_token=_token(r)
    ),
    "GET /status": lambda sdk, _: sdk.lighthouse.get_status(),
    "GET /messages": lambda sdk, _: sdk.lighthouse.get_messages(),
}
"""The same call through the SDK; the part uploads are missing, it refuses storage on loopback."""


def twin_of(request: Request) -> Twin | None:
    return next((twin for route, twin in TWINS.items() if wire.matches(route, request)), None)


async def test_the_same_calls_as_ksef_client(tmp_path: Path) -> None:
    async with WireServer() as server:
        ours = await everything(server, tmp_path)
        server.requests.clear()
        server.on("GET /rate-limits", Reply(body=EVERY_LIMIT))
        server.on("GET /limits/context", Reply(body=_every_context_limit()))
        server.on("GET /sessions/*", wire.session_status(200))
        options = KsefClientOptions(base_url=server.url, base_lighthouse_url=server.url)
        compared = []
        async with AsyncKsefClient(options) as sdk:
            for request in ours:
                twin = twin_of(request)
                if twin is None:
                    assert request.path.startswith("/storage/"), f"no twin for {request.method} {request.path}"
                    continue
                await twin(sdk, request)
                compared.append(request)
        assert [shape(theirs) for theirs in server.requests] == [shape(request) for request in compared]
        assert [shape(request).continuation for request in compared].count("abc==") == 1
        unused = {route for route in TWINS if not any(wire.matches(route, request) for request in compared)}
        assert unused == set()


def _every_context_limit() -> dict[str, Any]:
    session = {"maxInvoiceSizeInMB": 1, "maxInvoiceWithAttachmentSizeInMB": 3, "maxInvoices": 10000}
    return {"onlineSession": session, "batchSession": session, "collectiveIdentifier": {"maxInvoices": 500}}


def operation(request: Request) -> dict[str, Any]:
    """Return the operation of a request; a literal path goes before one with parameters."""
    found = []
    for path, operations in ksef_openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", path), request.path) and request.method.lower() in operations:
            found.append((path.count("{"), operations[request.method.lower()]))
    assert found, f"{request.method} {request.path} is not in the contract"
    return min(found, key=lambda item: item[0])[1]  # type: ignore[no-any-return]


def check(request: Request) -> None:
    """Hold one request against the contract: parameters, media type, body."""
    described = operation(request)
    parameters = {item["name"].lower(): item for item in described.get("parameters", [])}
    for name, value in request.query.items():
        schema = parameters[name.lower()]["schema"]
        typed = int(value) if schema.get("type") == "integer" else value
        Draft4Validator(strict(schema)).validate(typed)
    required = {item["name"] for item in parameters.values() if item.get("required") and item["in"] == "query"}
    assert required <= set(request.query)
    body = described.get("requestBody")
    if body is None:
        assert request.body == b""
        return
    media_type = request.headers["Content-Type"].split(";")[0]
    schema = body["content"][media_type]["schema"]
    if media_type == "application/json":
        Draft4Validator(strict(schema)).validate(request.json)
    else:
        ElementTree.fromstring(request.body)


def strict(schema: Any) -> Any:
    """Resolve references, let nullable mean null, and forbid what the contract does not name."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return strict(ksef_openapi()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    resolved = {key: strict(value) for key, value in schema.items() if key not in {"description", "example", "default"}}
    if "properties" in resolved and "additionalProperties" not in resolved:
        resolved["additionalProperties"] = False
    if schema.get("nullable"):
        return {"anyOf": [resolved, {"type": "null"}]}
    return resolved


async def test_every_request_is_valid_against_the_contract(tmp_path: Path) -> None:
    async with WireServer() as server:
        requests = [
            request
            for request in await everything(server, tmp_path)
            if request.path not in {"/status", "/messages"} and not request.path.startswith("/storage/")
        ]
    assert len({(request.method, operation(request)["tags"][0]) for request in requests}) > 5
    for request in requests:
        check(request)


async def test_the_question_for_the_ledger_is_valid_against_the_contract() -> None:
    """Beside everything() above: the ksef-client there is compared with asks in another order."""
    async with WireServer() as server:
        clock = FakeClock(wire.START)
        gateway = open_gateway(KsefSettings(url=server.url), wire.NIP, clock, credentials=wire.credentials())
        await gateway.issued_since(wire.NIP, wire.START - timedelta(days=150))
        await gateway.close()
    asked = server.seen("POST /invoices/query/metadata")
    assert len(asked) == 2, "KSeF answers for at most 100 days"
    for request in asked:
        check(request)


def test_the_check_itself_can_fail() -> None:
    body = {"encryption": {"encryptedSymmetricKey": "x", "initializationVector": "y"}, "formCode": {}}
    wrong = Request("POST", "/sessions/online", {}, {"Content-Type": "application/json"}, json.dumps(body).encode())
    with pytest.raises(Exception, match="required"):
        check(wrong)
