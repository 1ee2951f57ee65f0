"""Answers nobody should give: whatever comes over the wire, the use cases meet KsefError and nothing else."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.ksef import client
from agent.ksef.certificates import Certificates
from agent.ksef.client import ksef_failure
from agent.ksef.crypto import b64, sha256
from agent.ksef.gateway import Gateway, open_gateway
from agent.ksef.latarnia import open_latarnia
from agent.ksef.responses import Answer, parse_instant, problems, retry_after
from agent.ports import CallOutcome, KsefError, Outgoing
from agent.settings.model import KsefSettings
from tests.contract import ksef_wire as wire
from tests.contract.ksef_wire import Fault, Reply, Request, WireServer
from tests.fakes.gateway import unheard
from tests.fakes.swift_clock import SwiftClock

INVOICE = Outgoing("1", wire.XML, sha256(wire.XML), offline=True)
DEEP = b"[" * 200_000


@pytest.fixture
async def server() -> AsyncIterator[WireServer]:
    async with WireServer() as running:
        yield running


@pytest.fixture
async def gateway(server: WireServer) -> AsyncIterator[Gateway]:
    clock = SwiftClock(wire.START)
    opened = open_gateway(KsefSettings(url=server.url), wire.NIP, clock, credentials=wire.credentials())
    yield opened
    await opened.close()


def raw(body: bytes, *headers: bytes) -> Fault:
    """An answer byte by byte."""
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), b"Content-Type: application/json", *headers]
    return Fault(b"\r\n".join([*lines, b"", body]))


HOSTILE: dict[str, Reply | Fault] = {
    "deep JSON": Reply(body=DEEP),
    "deep error": Reply(400, DEEP),
    "no gzip": raw(b"not gzip at all", b"Content-Encoding: gzip"),
    "torn gzip": raw(gzip.compress(b"{}" * 1000)[:30], b"Content-Encoding: gzip"),
    "no deflate": raw(b"\xff\xff\xff", b"Content-Encoding: deflate"),
    "unheard encoding": raw(b"{}", b"Content-Encoding: zstd"),
    "no status line": Fault(b"\x00\x01\x02\r\n\r\n"),
    "endless header": Fault(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 100_000 + b"\r\n\r\n"),
    "negative length": Fault(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
    "bad chunk": Fault(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    "year one": Reply(body=wire.accepted(acquisitionDate="0001-01-01T00:00:00+02:00")),
    "letters in Base64": Reply(body=wire.accepted(invoiceHash="żżżż")),
    "no number": Reply(body={"status": {"code": 10**30, "description": "?"}}),
    "a number no database keeps": Reply(body={"status": {"code": 2**31, "description": "?"}}),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_answer_is_an_error_of_ksef(server: WireServer, gateway: Gateway, name: str) -> None:
    server.on("GET /sessions/*/invoices/*", HOSTILE[name])
    with pytest.raises(KsefError) as caught:
        await gateway.status(wire.SESSION, wire.INVOICE)
    assert caught.value.outcome is CallOutcome.UNKNOWN
    server.on("GET /sessions/*/invoices/*", Reply(body=wire.accepted()))
    await gateway.status(wire.SESSION, wire.INVOICE)


@pytest.mark.parametrize("word", ["\n\x1b[31mX", "../../auth", "{}", "a b", "x" * 200_000])
@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("POST /auth/challenge", "challenge"),
        ("POST /auth/xades-signature", "referenceNumber"),
        ("POST /sessions/online", "referenceNumber"),
    ],
)
async def test_a_word_that_ksef_cannot_mean_does_not_get_into_what_is_sent(
    server: WireServer, gateway: Gateway, call: str, name: str, word: str
) -> None:
    def spoiled(request: Request) -> Reply:
        usual = server.usual(request)
        assert isinstance(usual.body, dict)
        return Reply(usual.status, {**usual.body, name: word})

    server.on(call, spoiled)
    with pytest.raises(KsefError) as caught:
        await gateway.session()
    assert caught.value.outcome is CallOutcome.NOT_SENT
    server.on(call)
    await gateway.session()


async def test_a_reference_that_is_none_leaves_a_doubt(server: WireServer, gateway: Gateway) -> None:
    session = await gateway.session()
    server.on("POST /sessions/online/*/invoices", Reply(202, {"referenceNumber": "{}"}))
    with pytest.raises(KsefError) as caught:
        await gateway.send(session, INVOICE)
    assert caught.value.outcome is CallOutcome.UNKNOWN
    assert not caught.value.link_down


async def test_an_answer_without_end_is_not_read_to_its_end(
    server: WireServer, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MAX_BYTES", 100_000)
    bomb = zlib.compress(json.dumps({"x": "a" * 10_000_000}).encode())
    assert len(bomb) < 100_000
    for reply in (Reply(body=b" " * 100_001), raw(bomb, b"Content-Encoding: deflate")):
        server.on("GET /sessions/*/invoices/*", reply)
        with pytest.raises(KsefError, match="za duża") as caught:
            await gateway.status(wire.SESSION, wire.INVOICE)
        assert caught.value.outcome is CallOutcome.UNKNOWN
        assert len(caught.value.body) < 10_000


async def test_a_list_that_goes_in_circles_ends(server: WireServer, gateway: Gateway) -> None:
    page = Reply(body={"invoices": [], "continuationToken": "abc=="})
    server.on("GET /sessions/*/invoices", page)
    with pytest.raises(KsefError, match="krąży"):
        await gateway.find_all(wire.SESSION)
    assert len(server.seen("GET /sessions/*/invoices")) == 2


@pytest.mark.parametrize("url", ["https://[", "http://", "", "x\ny", 7])
async def test_an_address_that_is_none_was_not_used(server: WireServer, gateway: Gateway, url: object) -> None:
    place = {"ordinalNumber": 1, "method": "PUT", "url": url, "headers": {}}
    server.on("POST /sessions/batch", Reply(201, {"referenceNumber": wire.BATCH, "partUploadRequests": [place]}))
    with pytest.raises(KsefError) as caught:
        await gateway.open_batch([INVOICE], unheard)
    assert caught.value.outcome is CallOutcome.NOT_SENT


async def test_headers_that_are_none_were_not_sent(server: WireServer, gateway: Gateway) -> None:
    place = {"ordinalNumber": 1, "method": "P\nT", "url": server.url + "/storage", "headers": {"a": "b\r\nc"}}
    server.on("POST /sessions/batch", Reply(201, {"referenceNumber": wire.BATCH, "partUploadRequests": [place]}))
    with pytest.raises(KsefError) as caught:
        await gateway.open_batch([INVOICE], unheard)
    assert caught.value.outcome is CallOutcome.NOT_SENT


YEAR_ONE = "0001-01-01T00:00:00+00:00"
NO_END = "9999-12-31T23:59:59.9999999+00:00"


def tokens(valid_until: str) -> dict[str, object]:
    return {f"{kind}Token": {"token": kind, "validUntil": valid_until} for kind in ("access", "refresh")}


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("POST /auth/token/redeem", tokens(YEAR_ONE)),
        ("POST /sessions/online", {"referenceNumber": wire.SESSION, "validUntil": YEAR_ONE}),
        ("POST /auth/challenge", {"challenge": "x", "timestamp": YEAR_ONE, "timestampMs": 0}),
        ("POST /auth/challenge", {"challenge": "x", "timestamp": NO_END, "timestampMs": 0}),
    ],
)
async def test_an_instant_that_nobody_set_is_trouble_of_that_call(
    server: WireServer, gateway: Gateway, call: str, body: dict[str, object]
) -> None:
    """Again and again: what was kept of the first answer must not spoil the next call."""
    server.on(call, *[Reply(200 if "auth" in call else 201, body)] * 9)
    for _ in range(3):
        with pytest.raises(KsefError) as caught:
            await gateway.session()
        assert caught.value.outcome is CallOutcome.NOT_SENT


async def test_what_never_ends_is_used(server: WireServer, gateway: Gateway) -> None:
    server.on("POST /auth/token/redeem", Reply(200, tokens(NO_END)))
    server.on("POST /sessions/online", Reply(201, {"referenceNumber": wire.SESSION, "validUntil": NO_END}))
    for _ in range(2):
        assert (await gateway.session()).reference == wire.SESSION
    assert len(server.seen("POST /sessions/online")) == len(server.seen("POST /auth/token/redeem")) == 1


def weak_key() -> dict[str, object]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    data = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {**wire.public_key(), "certificate": b64(data), "publicKeyId": b64(sha256(data))}


def unheard_algorithm() -> dict[str, object]:
    """A SubjectPublicKeyInfo of an algorithm nobody knows (1.2.3.4): valid DER."""
    data = bytes.fromhex("300b3005060 32a0304030200 00".replace(" ", ""))
    return {**wire.public_key(), "certificate": b64(data), "publicKeyId": b64(sha256(data))}


@pytest.mark.parametrize("key", [weak_key, unheard_algorithm])
async def test_a_key_that_is_of_no_use_is_passed_over(server: WireServer, gateway: Gateway, key: object) -> None:
    assert callable(key)
    server.on("GET /security/public-key-certificates", Reply(body=[key(), wire.public_key()]))
    assert (await gateway.session()).reference == wire.SESSION


async def test_a_certificate_of_an_unheard_algorithm_is_no_certificate(server: WireServer, gateway: Gateway) -> None:
    credentials = wire.credentials()
    data = credentials.certificate.public_bytes(Encoding.DER)
    ec_key, unheard = bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d027f")
    assert data.count(ec_key) == 1
    item = {
        "certificate": b64(data.replace(ec_key, unheard)),
        "certificateName": "kasa 1",
        "certificateSerialNumber": credentials.serial,
        "certificateType": "Offline",
    }
    server.on("POST /certificates/retrieve", Reply(body={"certificates": [item]}))
    with pytest.raises(KsefError, match="nieczytelny certyfikat"):
        await Certificates(gateway.api, SwiftClock()).retrieve(credentials.serial)


@pytest.mark.parametrize("body", [DEEP, b"\xff", b"{"])
async def test_latarnia_too(server: WireServer, body: bytes) -> None:
    server.on("GET /status", Reply(body=body))
    latarnia = open_latarnia(KsefSettings(latarnia_url=server.url), SwiftClock(wire.START))
    with pytest.raises(KsefError):
        await latarnia.read()
    await latarnia.close()


@pytest.mark.parametrize("call", ["POST /sessions/online/*/invoices", "POST /auth/challenge"])
async def test_a_limit_that_a_firewall_states_blocks_nothing_once_it_is_gone(
    server: WireServer, gateway: Gateway, call: str
) -> None:
    """A page with 429 and a Retry-After of days is no word of KSeF's: all sending, or signing in, stood so long."""
    page = Reply(429, b"<html>Too many requests</html>", {"Retry-After": "2592000"}, "text/html")
    server.on(call, page)
    with pytest.raises(KsefError) as caught:
        await gateway.send(await gateway.session(), INVOICE)
    assert caught.value.link_down
    assert caught.value.retry_after is None
    server.on(call)
    assert await gateway.send(await gateway.session(), INVOICE)


@pytest.mark.parametrize("body", [b"", b"local_rate_limited"])
def test_a_limit_that_bears_no_error_of_ksefs_holds_an_hour_at_most(body: bytes) -> None:
    """No window of KSeF's is longer; what stands before it may say what it likes."""
    answer = Answer(429, body, {"content-type": "text/plain", "retry-after": "2592000"})
    failure = ksef_failure(answer, wire.START)
    assert failure is not None
    assert (failure.outcome, failure.retry_after) == (CallOutcome.REFUSED, 3600)


def test_what_ksef_itself_says_of_its_limit_is_obeyed_as_it_is() -> None:
    said = json.dumps({"status": {"code": 429, "description": "Too Many Requests"}}).encode()
    failure = ksef_failure(Answer(429, said, {"content-type": "application/json", "retry-after": "86400"}), wire.START)
    assert failure is not None
    assert (failure.outcome, failure.retry_after) == (CallOutcome.REFUSED, 86400)


@pytest.mark.parametrize("said", ["inf", "nan", "1e300", "-5", "9" * 400, "Wed, 21 Oct 99999999999 07:28:00 GMT"])
def test_a_wait_is_finite_or_none(said: str) -> None:
    wait = retry_after(Answer(429, b"", {"retry-after": said}), wire.START)
    assert wait is None or 0 <= wait < 10**7


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+02:00", "9999-12-31T23:59:59-02:00"])
def test_an_instant_outside_of_time_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|range"):
        parse_instant(text)


@pytest.mark.parametrize(
    "body",
    [
        b'{"exception": {"exceptionDetailList": [{"exceptionCode": 1, "exceptionDescription": "x\\ud800"}]}}',
        b'{"errors": [{"code": 1, "description": "x\\ud800", "details": ["y\\udfff"]}]}',
        b'{"detail": "x\\ud800", "reasonCode": "y\\udfff"}',
    ],
)
def test_an_error_can_be_stored(body: bytes) -> None:
    (found,) = problems(Answer(400, body, {"content-type": "application/json"}))
    assert str(found).encode().startswith((b"1 x", b"400 x"))


def test_text_can_be_stored() -> None:
    """A lone surrogate, which JSON allows and no UTF-8 does, would break the commit of a rejection."""
    fields = Answer(200, b'{"a": "x\\ud800", "b": ["\\udfff"]}', {"content-type": "application/json"}).fields()
    assert fields.text("a").encode() == b"x?"
    assert [text.encode() for text in fields.texts("b")] == [b"?"]
