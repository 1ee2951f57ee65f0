"""What KSeF answers outside the contract costs that item only, and fills neither the log nor the memory."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from agent.ksef.calls import RateLimitedClient
from agent.ksef.client import HttpClient
from agent.ksef.crypto import b64, sha256
from agent.ksef.gateway import Gateway, open_gateway
from agent.ksef.keys import KEEP_SECONDS, RETRY_SECONDS, WITHDRAWN_KEY, PublicKey, PublicKeys, Usage
from agent.ksef.limits import HOUR, RateBudget
from agent.ksef.server_clock import ServerTime
from agent.ksef.system_warnings import AN_HOUR, REMEMBERED, SystemWarnings
from agent.ports import CallOutcome, KsefError
from agent.settings.model import KsefSettings
from tests.contract import ksef_wire as wire
from tests.contract.ksef_wire import Reply, WireServer
from tests.fakes.clock import FakeClock

LIST = "GET /security/public-key-certificates"
PAGE = "GET /sessions/*/upo/*"
SHORT_HASH = "<SkrotDokumentu>c2hvcnQ=</SkrotDokumentu>"
"""The store takes 32 bytes, and would end the service for any other number of them."""


@pytest.fixture
async def server() -> AsyncIterator[WireServer]:
    async with WireServer() as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(wire.START)


@pytest.fixture
async def keys(server: WireServer, clock: FakeClock) -> AsyncIterator[PublicKeys]:
    client = HttpClient(server.url, clock)
    yield PublicKeys(RateLimitedClient(client, RateBudget(clock)), clock, ServerTime(clock))
    await client.close()


@pytest.fixture
async def gateway(server: WireServer, clock: FakeClock) -> AsyncIterator[Gateway]:
    gateway = open_gateway(KsefSettings(url=server.url), wire.NIP, clock, credentials=wire.credentials())
    yield gateway
    await gateway.close()


class TestKeys:
    @pytest.mark.parametrize(
        "answer",
        [
            Reply(500, {"error": "internal"}),
            Reply(502, b"<html></html>", content_type="text/html"),
            Reply(body=[]),
            Reply(body={}),
            Reply(body=[{"certificate": "AAAA"}]),
            Reply(body=[wire.public_key(2, valid_to=wire.START - timedelta(hours=1))]),
        ],
    )
    async def test_keys_that_hold_outlive_a_list_that_cannot_be_had_or_read(
        self, server: WireServer, clock: FakeClock, keys: PublicKeys, answer: Reply
    ) -> None:
        first = await keys.choose(Usage.SYMMETRIC_KEY)
        server.on(LIST, answer)
        await clock.advance(KEEP_SECONDS + 1)
        for _ in range(3):
            assert await keys.choose(Usage.SYMMETRIC_KEY) == first
        assert len(server.seen(LIST)) == 2, "not asked with each session"
        server.on(LIST, Reply(body=[wire.public_key(1)]))
        await clock.advance(RETRY_SECONDS + 1)
        assert (await keys.choose(Usage.SYMMETRIC_KEY)).identifier == wire.public_key(1)["publicKeyId"]

    async def test_a_list_without_a_key_for_one_use_leaves_that_of_the_last(
        self, server: WireServer, clock: FakeClock, keys: PublicKeys
    ) -> None:
        first = await keys.choose(Usage.SYMMETRIC_KEY)
        server.on(LIST, Reply(body=[wire.public_key(1, usage=("KsefTokenEncryption",))]))
        await clock.advance(KEEP_SECONDS + 1)
        assert (await keys.choose(Usage.TOKEN)).identifier == wire.public_key(1)["publicKeyId"]
        assert await keys.choose(Usage.SYMMETRIC_KEY) == first

    async def test_a_withdrawn_key_is_not_used_where_the_list_cannot_be_had(
        self, server: WireServer, keys: PublicKeys
    ) -> None:
        async def work(key: PublicKey) -> None:
            server.on(LIST, Reply(500, {"error": "internal"}))
            raise KsefError("21470", outcome=CallOutcome.REFUSED, code=WITHDRAWN_KEY)

        with pytest.raises(KsefError) as caught:
            await keys.using(Usage.SYMMETRIC_KEY, work)
        assert caught.value.code == 500


@pytest.mark.parametrize(
    "rates", [Reply(500, {"error": "internal"}), Reply(body=[]), Reply(body={"invoiceSend": {"perSecond": 1}})]
)
async def test_limits_of_size_are_read_whatever_those_of_rate_answer(
    server: WireServer, gateway: Gateway, rates: Reply
) -> None:
    server.on("GET /rate-limits", rates)
    try:
        await gateway.learn_limits()
    except KsefError:
        assert rates.body != {"invoiceSend": {"perSecond": 1}}
    assert len(server.seen("GET /limits/context")) == 1


@pytest.mark.parametrize("largest", [0, -1])
async def test_a_session_for_no_invoice_is_not_believed(server: WireServer, gateway: Gateway, largest: int) -> None:
    """Each invoice would open one, of 120 an hour."""
    sizes = {"onlineSession": {"maxInvoices": largest}, "batchSession": {"maxInvoices": 5}}
    server.on("GET /limits/context", Reply(body=sizes))
    await gateway.learn_limits()
    assert gateway.largest_batch == 5
    assert await gateway.session() == await gateway.session()
    assert len(server.seen("POST /sessions/online")) == 1


class TestSessionUpo:
    async def test_a_page_without_its_reference_costs_that_page(self, server: WireServer, gateway: Gateway) -> None:
        server.on("GET /sessions/*", wire.session_status(200, upo={"pages": [{"referenceNumber": "p1"}, {}, 1]}))
        first = wire.upo_page().body
        assert isinstance(first, bytes)
        of_three = first.replace(b"<LiczbaStron>1<", b"<LiczbaStron>3<")
        server.on(PAGE, Reply(body=of_three, content_type="application/xml"))
        (page,) = await gateway.session_upo(wire.SESSION, close=False) or ()
        assert (page.number, page.documents) == (1, ((wire.KSEF_NUMBER, sha256(wire.XML)),))
        assert len(server.seen(PAGE)) == 1

    async def test_where_no_page_can_be_read_it_is_this_session_alone(
        self, server: WireServer, gateway: Gateway
    ) -> None:
        server.on("GET /sessions/*", wire.session_status(200, upo={"pages": [{}]}))
        with pytest.raises(KsefError) as caught:
            await gateway.session_upo(wire.SESSION, close=False)
        assert (caught.value.unreadable, caught.value.of_this_call_alone) == (True, True)

    @pytest.mark.parametrize("wrong", ["", "<SkrotDokumentu>%</SkrotDokumentu>", SHORT_HASH])
    async def test_a_document_that_cannot_be_read_costs_itself(
        self, server: WireServer, gateway: Gateway, wrong: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.on("GET /sessions/*", wire.session_status(200, upo={"pages": [{"referenceNumber": "p1"}]}))
        number = wire.KSEF_NUMBER if wrong == SHORT_HASH else "x"
        bad = f"<Dokument><NumerKSeFDokumentu>{number}</NumerKSeFDokumentu>{wrong}</Dokument>" * 20
        one = wire.upo_page(last=21).body
        assert isinstance(one, bytes)
        server.on(PAGE, Reply(body=one.replace(b"</Potw", f"{bad}</Potw".encode()), content_type="application/xml"))
        (page,) = await gateway.session_upo(wire.SESSION, close=False) or ()
        assert page.documents == ((wire.KSEF_NUMBER, sha256(wire.XML)),)
        assert len(caplog.records) == 1


async def test_a_list_of_thousands_that_cannot_be_read_is_one_line(
    server: WireServer, gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    items = [wire.accepted(), *({"referenceNumber": b64(bytes([each % 256]))} for each in range(2000))]
    server.on("GET /sessions/*/invoices", Reply(body={"invoices": items}))
    assert set(await gateway.find_all(wire.SESSION)) == {sha256(wire.XML)}
    (line,) = [record.getMessage() for record in caplog.records]
    assert re.match("2000 of 2001 items", line)


async def test_warnings_that_differ_each_time_are_bounded(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    warnings = SystemWarnings(clock)
    for number in range(3000):
        warnings.note(f"[xml-002] at {number} " + "x" * 10_000)
        warnings.note("[xml-001]")
    assert len(caplog.records) == AN_HOUR
    assert sum(record.getMessage() == "KSeF warns: [xml-001]" for record in caplog.records) == 1
    assert len(warnings) <= REMEMBERED
    await clock.advance(HOUR + 1)
    warnings.note("[xml-003]")
    assert caplog.records[-1].getMessage() == "KSeF warns: [xml-003]"
