"""The gateway against canned answers on loopback: what it sends, and what it makes of what comes back."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from agent.ksef.crypto import OAEP, b64, sha256
from agent.ksef.gateway import Gateway, open_gateway
from agent.ports import Accepted, CallOutcome, Duplicate, KsefError, Outgoing, Pending, Rejected
from agent.settings.model import KsefSettings
from tests.contract import ksef_wire as wire
from tests.contract.ksef_wire import Fault, Reply, WireServer, problem
from tests.fakes.swift_clock import SwiftClock

INVOICE = Outgoing("1", wire.XML, sha256(wire.XML), offline=False)


@pytest.fixture
async def server() -> AsyncIterator[WireServer]:
    async with WireServer() as running:
        yield running


@pytest.fixture
def clock() -> SwiftClock:
    return SwiftClock(wire.START)


@pytest.fixture
async def gateway(server: WireServer, clock: SwiftClock) -> AsyncIterator[Gateway]:
    opened = open_gateway(KsefSettings(url=server.url), wire.NIP, clock, credentials=wire.credentials())
    yield opened
    await opened.close()


PAGES = {"pages": [{"referenceNumber": wire.UPO_PAGE, "downloadUrl": "https://x"}]}


class TestSending:
    async def test_a_press_costs_one_authentication_one_opening_one_send(
        self, server: WireServer, gateway: Gateway
    ) -> None:
        session = await gateway.session()
        assert await gateway.send(session, INVOICE) == wire.INVOICE
        assert await gateway.send(await gateway.session(), INVOICE) == wire.INVOICE

        paths = [f"{request.method} {request.path}" for request in server.requests]
        paths = [path for path in paths if "limits" not in path]
        assert paths == [
            "POST /auth/challenge",
            "POST /auth/xades-signature",
            f"GET /auth/{wire.OPERATION}",
            "POST /auth/token/redeem",
            "GET /security/public-key-certificates",
            "POST /sessions/online",
            f"POST /sessions/online/{wire.SESSION}/invoices",
            f"POST /sessions/online/{wire.SESSION}/invoices",
        ]

    async def test_ksef_can_decrypt_what_it_gets(self, server: WireServer, gateway: Gateway) -> None:
        await gateway.send(await gateway.session(), INVOICE)
        encryption = server.seen("POST /sessions/online")[0].json["encryption"]
        assert encryption["publicKeyId"] == wire.public_key()["publicKeyId"]
        key = wire.rsa_key(0).decrypt(base64.b64decode(encryption["encryptedSymmetricKey"]), OAEP)
        sent = server.seen("POST /sessions/online/*/invoices")[0].json
        encrypted = base64.b64decode(sent["encryptedInvoiceContent"])
        cipher = Cipher(algorithms.AES(key), modes.CBC(base64.b64decode(encryption["initializationVector"])))
        unpad = padding.PKCS7(128).unpadder()
        decryptor = cipher.decryptor()
        plain = unpad.update(decryptor.update(encrypted) + decryptor.finalize()) + unpad.finalize()
        assert plain == wire.XML
        assert sent["encryptedInvoiceHash"] == b64(sha256(encrypted))
        assert (sent["invoiceSize"], sent["encryptedInvoiceSize"]) == (len(wire.XML), len(encrypted))
        assert sent["offlineMode"] is False
        assert "hashOfCorrectedInvoice" not in sent

    async def test_a_technical_correction_names_the_rejected_file(self, server: WireServer, gateway: Gateway) -> None:
        correction = Outgoing("1", wire.XML, sha256(wire.XML), offline=True, corrects=sha256(b"rejected"))
        await gateway.send(await gateway.session(), correction)
        sent = server.seen("POST /sessions/online/*/invoices")[0].json
        assert sent["hashOfCorrectedInvoice"] == b64(sha256(b"rejected"))
        assert sent["offlineMode"] is True

    async def test_many_presses_at_once_share_one_opening(self, server: WireServer, gateway: Gateway) -> None:
        async def press() -> str:
            return await gateway.send(await gateway.session(), INVOICE)

        await asyncio.gather(*(press() for _ in range(8)))
        assert len(server.seen("POST /sessions/online")) == 1
        assert len(server.seen("POST /auth/xades-signature")) == 1
        assert len(server.seen("POST /sessions/online/*/invoices")) == 8

    async def test_a_press_that_gives_up_leaves_the_opening_to_the_next(
        self, server: WireServer, gateway: Gateway
    ) -> None:
        first = asyncio.create_task(gateway.session())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (await gateway.session()).reference == wire.SESSION
        assert len(server.seen("POST /auth/challenge")) == 1

    async def test_a_press_that_waits_at_stop_was_not_sent(self, server: WireServer, gateway: Gateway) -> None:
        server.on("POST /sessions/online", Fault(then="hold"))
        press = asyncio.create_task(gateway.session())
        await server.arrived.wait()
        await gateway.close()
        with pytest.raises(KsefError) as caught:
            await press
        assert caught.value.outcome is CallOutcome.NOT_SENT

    async def test_midnight_and_hours_keep_the_session_its_end_replaces_it(
        self, server: WireServer, clock: SwiftClock, gateway: Gateway
    ) -> None:
        await gateway.session()
        await clock.advance(11.9 * 3600)
        await gateway.session()
        assert len(server.seen("POST /sessions/online")) == 1
        await clock.advance(0.1 * 3600)
        await gateway.session()
        assert len(server.seen("POST /sessions/online")) == 2

    async def test_a_wall_clock_set_by_a_person_does_not_end_a_session(
        self, server: WireServer, clock: SwiftClock, gateway: Gateway
    ) -> None:
        await gateway.session()
        clock.step(timedelta(days=90))
        await gateway.session()
        assert len(server.seen("POST /sessions/online")) == 1

    async def test_a_full_session_is_replaced(self, server: WireServer, gateway: Gateway) -> None:
        limits = {"onlineSession": {"maxInvoices": 2}, "batchSession": {"maxInvoices": 5}}
        server.on("GET /limits/context", Reply(body=limits))
        await gateway.session()
        await gateway.learn_limits()
        for _ in range(3):
            await gateway.send(await gateway.session(), INVOICE)
        assert len(server.seen("POST /sessions/online")) == 2


class TestSessionLost:
    @pytest.mark.parametrize("code", [21155, 21173, 21180, 21184])
    async def test_nothing_was_sent_and_the_next_session_is_new(
        self, server: WireServer, gateway: Gateway, code: int
    ) -> None:
        server.on("POST /sessions/online/*/invoices", problem(code), Reply(202, {"referenceNumber": wire.INVOICE}))
        session = await gateway.session()
        with pytest.raises(KsefError) as caught:
            await gateway.send(session, INVOICE)
        assert (caught.value.outcome, caught.value.code) == (CallOutcome.NOT_SENT, code)
        with pytest.raises(KsefError) as caught:
            await gateway.send(session, INVOICE)
        assert caught.value.outcome is CallOutcome.NOT_SENT
        assert len(server.seen("POST /sessions/online/*/invoices")) == 1
        assert await gateway.send(await gateway.session(), INVOICE) == wire.INVOICE
        assert len(server.seen("POST /sessions/online")) == 2

    async def test_a_refusal_of_the_invoice_keeps_the_session(self, server: WireServer, gateway: Gateway) -> None:
        server.on("POST /sessions/online/*/invoices", problem(21166))
        with pytest.raises(KsefError) as caught:
            await gateway.send(await gateway.session(), INVOICE)
        assert (caught.value.outcome, caught.value.code) == (CallOutcome.REFUSED, 21166)
        await gateway.session()
        assert len(server.seen("POST /sessions/online")) == 1

    async def test_close_closes_the_warm_session_and_never_raises(self, server: WireServer, gateway: Gateway) -> None:
        server.on("POST /sessions/online/*/invoices", problem(21184))
        server.on("POST /sessions/online/*/close", problem(21180))
        with pytest.raises(KsefError):
            await gateway.send(await gateway.session(), INVOICE)
        await gateway.session()
        await gateway.close()
        assert len(server.seen("POST /sessions/online/*/close")) == 1, "the other one is closed for its UPO"
        with pytest.raises(KsefError) as caught:
            await gateway.probe()
        assert caught.value.outcome is CallOutcome.NOT_SENT


class TestTokens:
    async def test_a_401_costs_one_new_authentication_and_one_repeat(
        self, server: WireServer, gateway: Gateway
    ) -> None:
        session = await gateway.session()
        taken = Reply(202, {"referenceNumber": wire.INVOICE})
        server.on("POST /sessions/online/*/invoices", problem(0, status=401), taken)
        assert await gateway.send(session, INVOICE) == wire.INVOICE
        first, second = server.seen("POST /sessions/online/*/invoices")
        assert first.token != second.token
        assert len(server.seen("POST /auth/xades-signature")) == 2

    async def test_a_second_401_is_an_answer(self, server: WireServer, gateway: Gateway) -> None:
        session = await gateway.session()
        server.on("POST /sessions/online/*/invoices", problem(0, status=401))
        with pytest.raises(KsefError) as caught:
            await gateway.send(session, INVOICE)
        assert (caught.value.outcome, caught.value.code) == (CallOutcome.REFUSED, 401)
        assert len(server.seen("POST /sessions/online/*/invoices")) == 2

    async def test_when_no_new_token_is_to_be_had_the_invoice_was_not_sent(
        self, server: WireServer, gateway: Gateway
    ) -> None:
        session = await gateway.session()
        server.on("POST /sessions/online/*/invoices", problem(0, status=401))
        server.on("POST /auth/token/redeem", Reply(502, b"<html>", content_type="text/html"))
        with pytest.raises(KsefError) as caught:
            await gateway.send(session, INVOICE)
        assert caught.value.outcome is CallOutcome.NOT_SENT

    async def test_a_token_is_refreshed_before_its_end(
        self, server: WireServer, clock: SwiftClock, gateway: Gateway
    ) -> None:
        session = await gateway.session()
        await clock.advance(14.5 * 60)
        await gateway.send(session, INVOICE)
        (refresh,) = server.seen("POST /auth/token/refresh")
        assert refresh.token == "Bearer refresh-3"
        assert server.seen("POST /sessions/online/*/invoices")[0].token == "Bearer access-4"

    @pytest.mark.parametrize("refusal", [problem(21301), problem(0, status=401), problem(500, status=500)])
    async def test_a_refused_refresh_leads_to_a_new_authentication(
        self, server: WireServer, clock: SwiftClock, gateway: Gateway, refusal: Reply
    ) -> None:
        session = await gateway.session()
        await clock.advance(14.5 * 60)
        server.on("POST /auth/token/refresh", refusal)
        await gateway.send(session, INVOICE)
        assert len(server.seen("POST /auth/xades-signature")) == 2

    @pytest.mark.parametrize(
        ("code", "word"),
        [
            (415, "uprawnie"),
            (425, "unieważnion"),
            (450, "token"),
            (460, "certyfikat"),
            (470, "zmarłej"),
            (480, "incydent"),
        ],
    )
    async def test_a_technician_reads_why_ksef_refused(
        self, server: WireServer, gateway: Gateway, code: int, word: str
    ) -> None:
        server.on(f"GET /auth/{wire.OPERATION}", wire.auth_status(code, "Niepowodzenie", "Powód słowami KSeF"))
        with pytest.raises(KsefError, match=word) as caught:
            await gateway.session()
        assert caught.value.code == code
        assert "Powód słowami KSeF" in caught.value.message
        assert caught.value.outcome is CallOutcome.NOT_SENT
        assert not caught.value.link_down

    async def test_refused_credentials_are_not_tried_with_every_press(
        self, server: WireServer, clock: SwiftClock, gateway: Gateway
    ) -> None:
        server.on(f"GET /auth/{wire.OPERATION}", wire.auth_status(450), wire.auth_status(200))
        for _ in range(3):
            with pytest.raises(KsefError) as caught:
                await gateway.session()
            assert caught.value.code == 450
        assert len(server.seen("POST /auth/xades-signature")) == 1
        await clock.advance(60)
        await gateway.session()

    async def test_tokens_never_become_evidence(self, server: WireServer, gateway: Gateway) -> None:
        server.on("POST /auth/token/redeem", Reply(body={"accessToken": server.new_token("access")}))
        with pytest.raises(KsefError, match="refreshToken") as caught:
            await gateway.session()
        assert caught.value.body == ""

    async def test_authentication_waits_while_ksef_thinks(
        self, server: WireServer, clock: SwiftClock, gateway: Gateway
    ) -> None:
        server.on(f"GET /auth/{wire.OPERATION}", wire.auth_status(100), wire.auth_status(100), wire.auth_status(200))
        async with clock.running():
            await gateway.session()
        assert len(server.seen(f"GET /auth/{wire.OPERATION}")) == 3

    async def test_token_authentication(
        self, server: WireServer, clock: SwiftClock, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        token_file = tmp_path_factory.mktemp("token") / "token"
        token_file.write_text("20261124-EC-token|nip-5265877635|abcdef\n")
        settings = KsefSettings(
            url=server.url, auth="token", token_file=token_file, context_internal_id="5265877635-12345"
        )
        gateway = open_gateway(settings, wire.NIP, clock)
        await gateway.session()
        await gateway.close()
        body = server.seen("POST /auth/ksef-token")[0].json
        assert body["contextIdentifier"] == {"type": "InternalId", "value": "5265877635-12345"}
        assert body["publicKeyId"] == wire.public_key()["publicKeyId"]
        secret = wire.rsa_key(0).decrypt(base64.b64decode(body["encryptedToken"]), OAEP)
        milliseconds = int(wire.START.timestamp() * 1000)
        assert secret.decode() == f"20261124-EC-token|nip-5265877635|abcdef|{milliseconds}"


class TestKeys:
    async def test_the_latest_rsa_key_of_the_right_usage_not_in_the_future(
        self, server: WireServer, gateway: Gateway
    ) -> None:
        ago = {days: wire.START - timedelta(days=days) for days in (-1, 1, 2, 3)}
        server.on(
            "GET /security/public-key-certificates",
            Reply(
                body=[
                    wire.public_key(1, valid_from=ago[3]),
                    wire.public_key(2, valid_from=ago[2]),
                    wire.public_key(3, valid_from=ago[-1]),
                    wire.public_key(4, valid_from=ago[1], usage=("KsefTokenEncryption",)),
                    wire.public_key(5, valid_from=ago[1], publicKeyId=b64(sha256(b"other"))),
                ]
            ),
        )
        await gateway.session()
        sent = server.seen("POST /sessions/online")[0].json["encryption"]["publicKeyId"]
        assert sent == wire.public_key(2)["publicKeyId"]

    async def test_21470_is_healed_once(self, server: WireServer, gateway: Gateway) -> None:
        server.on(
            "GET /security/public-key-certificates",
            Reply(body=[wire.public_key(1)]),
            Reply(body=[wire.public_key(2)]),
        )
        opened = Reply(
            201, {"referenceNumber": wire.SESSION, "validUntil": wire.stamp(wire.START + timedelta(hours=12))}
        )
        server.on("POST /sessions/online", problem(21470), opened)
        await gateway.session()
        used = [seen.json["encryption"]["publicKeyId"] for seen in server.seen("POST /sessions/online")]
        assert used == [wire.public_key(1)["publicKeyId"], wire.public_key(2)["publicKeyId"]]

    async def test_21470_twice_is_an_error(self, server: WireServer, gateway: Gateway) -> None:
        server.on("POST /sessions/online", problem(21470))
        with pytest.raises(KsefError) as caught:
            await gateway.session()
        assert caught.value.code == 21470
        assert len(server.seen("POST /sessions/online")) == 2

    async def test_keys_are_judged_by_the_clock_of_ksef(
        self, server: WireServer, clock: SwiftClock, gateway: Gateway
    ) -> None:
        server.on("GET /security/public-key-certificates", Reply(body=[wire.public_key(1)]))
        clock.step(timedelta(days=-90))
        await gateway.session()

    async def test_no_usable_key_says_so(self, server: WireServer, gateway: Gateway) -> None:
        server.on("GET /security/public-key-certificates", Reply(body=[]))
        with pytest.raises(KsefError, match="klucza publicznego") as caught:
            await gateway.session()
        assert caught.value.outcome is CallOutcome.NOT_SENT


class TestVerdicts:
    @pytest.mark.parametrize(
        ("item", "verdict"),
        [
            (wire.accepted(code=100), Pending(100)),
            (wire.accepted(code=150), Pending(150)),
            (
                wire.accepted(),
                Accepted(
                    wire.KSEF_NUMBER,
                    wire.START + timedelta(seconds=2, microseconds=15430),
                    sha256(wire.XML),
                    took=2.0,
                ),
            ),
            (wire.accepted(code=405), Rejected(405, "Opis", (), retryable=True)),
            (wire.accepted(code=550), Rejected(550, "Opis", (), retryable=True)),
            (wire.accepted(code=410), Rejected(410, "Opis")),
            (
                wire.accepted(code=450) | {"status": {"code": 450, "description": "Semantyka", "details": ["P_15"]}},
                Rejected(450, "Semantyka", ("P_15",)),
            ),
            (
                wire.accepted(code=440)
                | {
                    "status": {
                        "code": 440,
                        "description": "Duplikat faktury",
                        "extensions": {
                            "originalKsefNumber": wire.KSEF_NUMBER,
                            "originalSessionReferenceNumber": wire.SESSION,
                        },
                    }
                },
                Duplicate(wire.KSEF_NUMBER, wire.SESSION, "Duplikat faktury"),
            ),
            (wire.accepted(code=440), Duplicate(None, None, "Opis")),
        ],
    )
    async def test_status(self, server: WireServer, gateway: Gateway, item: dict[str, object], verdict: object) -> None:
        server.on("GET /sessions/*/invoices/*", Reply(body=item))
        assert await gateway.status(wire.SESSION, wire.INVOICE) == verdict

    @pytest.mark.parametrize(
        "item",
        [
            wire.accepted(ksefNumber=wire.KSEF_NUMBER[:-1] + "0"),
            wire.accepted(ksefNumber=None),
            wire.accepted(code=299),
            wire.accepted(invoiceHash="%%"),
            {"status": "ok"},
        ],
    )
    async def test_what_can_not_be_right_is_unknown_and_kept(
        self, server: WireServer, gateway: Gateway, item: dict[str, object]
    ) -> None:
        server.on("GET /sessions/*/invoices/*", Reply(body=item))
        with pytest.raises(KsefError) as caught:
            await gateway.status(wire.SESSION, wire.INVOICE)
        assert caught.value.outcome is CallOutcome.UNKNOWN
        assert "status" in caught.value.body

    async def test_find_goes_through_all_pages(self, server: WireServer, gateway: Gateway) -> None:
        first = {"invoices": [wire.accepted(b"other")], "continuationToken": "abc=="}
        server.on("GET /sessions/*/invoices", Reply(body=first), Reply(body={"invoices": [wire.accepted()]}))
        found = (await gateway.find_all(wire.SESSION)).get(sha256(wire.XML))
        assert found is not None
        assert found[0] == wire.INVOICE
        assert isinstance(found[1], Accepted)
        one, two = server.seen("GET /sessions/*/invoices")
        assert "x-continuation-token" not in one.headers
        assert two.headers["x-continuation-token"] == "abc=="

    async def test_find_prefers_the_acceptance_of_bytes_sent_twice(self, server: WireServer, gateway: Gateway) -> None:
        items = [wire.accepted(code=440, reference="b"), wire.accepted(), wire.accepted(code=440, reference="c")]
        server.on("GET /sessions/*/invoices", Reply(body={"invoices": items}))
        found = (await gateway.find_all(wire.SESSION)).get(sha256(wire.XML))
        assert found is not None
        assert found[0] == wire.INVOICE

    async def test_find_knows_that_ksef_has_it_not(self, server: WireServer, gateway: Gateway) -> None:
        assert (await gateway.find_all(wire.SESSION)).get(sha256(b"never sent")) is None
        server.on("GET /sessions/*/invoices", problem(21173))
        assert (await gateway.find_all(wire.SESSION)).get(sha256(wire.XML)) is None
        server.on("GET /sessions/*/invoices", Reply(502, b"", content_type="text/html"))
        with pytest.raises(KsefError):
            (await gateway.find_all(wire.SESSION)).get(sha256(wire.XML))

    async def test_upo(self, server: WireServer, gateway: Gateway) -> None:
        upo = await gateway.upo(wire.SESSION, wire.INVOICE, wire.KSEF_NUMBER)
        assert (upo.ksef_number, upo.sha256) == (wire.KSEF_NUMBER, sha256(wire.XML))
        assert upo.xml.startswith(b"<?xml")

    async def test_the_upo_of_a_duplicate_lies_in_the_session_of_the_original(
        self, server: WireServer, gateway: Gateway
    ) -> None:
        upo = await gateway.upo(wire.SESSION, None, wire.KSEF_NUMBER)
        assert upo.ksef_number == wire.KSEF_NUMBER
        assert server.requests[-1].path.endswith(f"/invoices/ksef/{wire.KSEF_NUMBER}/upo")

    @pytest.mark.parametrize(
        "reply",
        [
            wire.upo(meta_hash=b64(sha256(b"other"))),
            wire.upo(number=wire.KSEF_NUMBER[:-2] + "00"),
            wire.upo(number=wire.OTHER_NUMBER),
            Reply(body=b"<Potwierdzenie", content_type="application/xml"),
            Reply(body=b"<Potwierdzenie/>", content_type="application/xml"),
            Reply(body={}, content_type="application/json"),
        ],
    )
    async def test_a_upo_that_can_not_be_right(self, server: WireServer, gateway: Gateway, reply: Reply) -> None:
        server.on("GET /sessions/*/invoices/*/upo", reply)
        with pytest.raises(KsefError) as caught:
            await gateway.upo(wire.SESSION, wire.INVOICE, wire.KSEF_NUMBER)
        assert caught.value.outcome is CallOutcome.UNKNOWN

    async def test_session_upo(self, server: WireServer, gateway: Gateway) -> None:
        assert await gateway.session_upo(wire.SESSION, close=True) is None
        server.on("GET /sessions/*", wire.session_status(200, upo=PAGES))
        (page,) = await gateway.session_upo(wire.SESSION, close=True) or ()
        assert b"Potwierdzenie" in page.xml
        assert (page.number, page.reference) == (1, wire.UPO_PAGE)
        assert page.documents == ((wire.KSEF_NUMBER, sha256(wire.XML)),)

    @pytest.mark.parametrize(
        "reply",
        [
            wire.upo(),
            wire.upo_page(session="20261124-SO-0000000000-0000000000-00"),
            wire.upo_page(page=2),
            wire.upo_page(last=2),
            wire.upo_page(last="²"),
            wire.upo_page(last="9" * 5000),
            wire.upo_page(number=wire.KSEF_NUMBER[:-2] + "00"),
            wire.upo_page(meta_hash=b64(sha256(b"other"))),
            Reply(body=b"<Potwierdzenie/>", content_type="application/xml"),
        ],
        ids=["of one invoice", "session", "page", "range", "no range", "endless", "number", "hash", "namespace"],
    )
    async def test_a_session_upo_that_can_not_be_right(
        self, server: WireServer, gateway: Gateway, reply: Reply
    ) -> None:
        server.on("GET /sessions/*", wire.session_status(200, upo=PAGES))
        server.on("GET /sessions/*/upo/*", reply)
        with pytest.raises(KsefError) as caught:
            await gateway.session_upo(wire.SESSION, close=True)
        assert caught.value.outcome is CallOutcome.UNKNOWN

    async def test_the_hash_of_an_original(self, server: WireServer, gateway: Gateway) -> None:
        assert await gateway.invoice_sha256(wire.KSEF_NUMBER) == sha256(wire.XML)
        server.on("GET /invoices/ksef/*", problem(21165))
        with pytest.raises(KsefError) as caught:
            await gateway.invoice_sha256(wire.KSEF_NUMBER)
        assert (caught.value.code, caught.value.outcome) == (21165, CallOutcome.REFUSED)


class TestLedger:
    @pytest.mark.parametrize("off", [timedelta(0), timedelta(days=-40), timedelta(days=400)], ids=str)
    async def test_the_range_ends_with_the_time_of_ksef(
        self, server: WireServer, clock: SwiftClock, gateway: Gateway, off: timedelta
    ) -> None:
        """A till restored under a wrong clock would overlook the newest numbers and give them again."""
        clock.step(off)
        route = "POST /invoices/query/metadata"
        server.on(route, *[Reply(body={"invoices": [], "hasMore": False, "isTruncated": False})] * 2)
        for since in (wire.START - timedelta(days=3), wire.START + timedelta(days=90)):
            assert (await gateway.issued_since(wire.NIP, since)).complete
        ranges = [request.json["dateRange"] for request in server.seen(route)]
        assert len(ranges) == 2
        for each in ranges:
            assert abs(datetime.fromisoformat(each["to"]) - wire.START) < timedelta(minutes=1)
            assert datetime.fromisoformat(each["from"]) < wire.START


class TestProbe:
    @pytest.mark.parametrize("ahead", [-90, 0, 90])
    async def test_the_skew_is_ksef_minus_here(
        self, server: WireServer, clock: SwiftClock, gateway: Gateway, ahead: int
    ) -> None:
        clock.step(timedelta(seconds=-ahead))
        assert await gateway.probe() == pytest.approx(ahead, abs=0.1)
        assert server.requests[0].token is None


class TestRateLimits:
    async def test_retry_after_is_obeyed_to_the_second(
        self, server: WireServer, clock: SwiftClock, gateway: Gateway
    ) -> None:
        session = await gateway.session()
        taken = Reply(202, {"referenceNumber": wire.INVOICE})
        server.on("POST /sessions/online/*/invoices", problem(0, status=429, Retry_After="1743"), taken)
        with pytest.raises(KsefError) as caught:
            await gateway.send(session, INVOICE)
        assert (caught.value.outcome, caught.value.code, caught.value.retry_after) == (CallOutcome.REFUSED, 429, 1743.0)
        await clock.advance(1740)
        assert gateway.budget().wait == pytest.approx(3, abs=0.1)
        with pytest.raises(KsefError) as caught:
            await gateway.send(session, INVOICE)
        assert caught.value.outcome is CallOutcome.NOT_SENT
        assert caught.value.retry_after == pytest.approx(3, abs=0.1)
        assert len(server.seen("POST /sessions/online/*/invoices")) == 1
        await clock.advance(3.1)
        await gateway.send(session, INVOICE)

    async def test_limits_of_ksef_are_taken_over_and_shared(self, server: WireServer, clock: SwiftClock) -> None:
        values = {"perSecond": 10, "perMinute": 20, "perHour": 40}
        server.on("GET /rate-limits", Reply(body={"invoiceSend": values, "newGroup": values, "invoiceStatus": values}))
        settings = KsefSettings(url=server.url, tills_sharing_address=4)
        gateway = open_gateway(settings, wire.NIP, clock, credentials=wire.credentials())
        assert gateway.budget().sends_left_hour == 45
        await gateway.session()
        await gateway.learn_limits()
        assert gateway.budget().sends_left_hour == 10
        gateway.recall_sends([clock.now() - timedelta(minutes=5)] * 3)
        assert gateway.budget().sends_left_hour == 7
        await gateway.close()


async def test_warnings_of_ksef_are_logged_once(
    server: WireServer, gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    warned = Reply(body=wire.accepted(), headers={"X-System-Warning": "[xml-002]: Niezalecane znaki"})
    server.on("GET /sessions/*/invoices/*", warned)
    for _ in range(3):
        await gateway.status(wire.SESSION, wire.INVOICE)
    assert [record.getMessage() for record in caplog.records] == ["KSeF warns: [xml-002]: Niezalecane znaki"]


async def test_identifier_validation_is_asked_for_by_setting(server: WireServer, clock: SwiftClock) -> None:
    settings = KsefSettings(url=server.url, subject_identifier_validation=True)
    gateway = open_gateway(settings, wire.NIP, clock, credentials=wire.credentials())
    await gateway.session()
    await gateway.close()
    header = server.seen("POST /sessions/online")[0].headers["X-KSeF-Feature"]
    assert header == "subject-identifier-validation"


async def test_opening_and_closing_leaves_neither_tasks_nor_files(server: WireServer, clock: SwiftClock) -> None:
    async def cycle() -> None:
        gateway = open_gateway(KsefSettings(url=server.url), wire.NIP, clock, credentials=wire.credentials())
        await gateway.send(await gateway.session(), INVOICE)
        await gateway.close()

    await cycle()
    files, tasks = open_files(), len(asyncio.all_tasks())
    for _ in range(10):
        await cycle()
    assert open_files() <= files + 2, "each cycle leaves its connections"
    assert len(asyncio.all_tasks()) <= tasks + 2


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
