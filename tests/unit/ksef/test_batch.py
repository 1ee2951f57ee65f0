"""Packing a batch, and its way through KSeF: nothing counts before the close, parts go side by side without token."""

from __future__ import annotations

import asyncio
import base64
import io
import tarfile
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from agent.ksef.batch import Compression, Package, pack
from agent.ksef.crypto import OAEP, SessionKey, b64, sha256
from agent.ksef.gateway import UNSETTLED_FOR, Gateway, open_gateway
from agent.ports import Accepted, CallOutcome, KsefError, Outgoing, Pending, Rejected, UpoPage
from agent.settings.model import KsefSettings
from tests.contract import ksef_wire as wire
from tests.contract.ksef_wire import Fault, Reply, WireServer, problem
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import unheard

FILES = [f"<Faktura>{number}</Faktura>".encode() for number in range(20)]


def outgoing(*, offline: bool = True) -> list[Outgoing]:
    return [Outgoing(str(number), xml, sha256(xml), offline) for number, xml in enumerate(FILES)]


def decrypt(data: bytes, key: bytes, iv: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpad = padding.PKCS7(128).unpadder()
    return unpad.update(decryptor.update(data) + decryptor.finalize()) + unpad.finalize()


def unpack(archive: bytes, compression: Compression) -> set[bytes]:
    if compression is Compression.ZIP:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            return {opened.read(name) for name in opened.namelist()}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return {file.read() for member in tar.getmembers() if (file := tar.extractfile(member)) is not None}


class TestPack:
    @pytest.mark.parametrize("compression", Compression)
    @pytest.mark.parametrize("part_bytes", [100, 10**9])
    def test_ksef_can_put_it_together(self, compression: Compression, part_bytes: int) -> None:
        key = SessionKey.new()
        package = pack(outgoing(), key, compression, part_bytes)
        plain = [decrypt(part.data, key.key, key.iv) for part in package.parts]
        archive = b"".join(plain)
        assert all(len(each) == part_bytes for each in plain[:-1])
        assert (package.size, package.sha256) == (len(archive), sha256(archive))
        assert unpack(archive, compression) == set(FILES)

    def test_description(self) -> None:
        package: Package = pack(outgoing(), SessionKey.new(), Compression.TAR_GZ, 100)
        described = package.describe()
        assert isinstance(described, dict)
        assert described["compressionType"] == "TarGz"
        assert described["fileParts"] == [
            {"ordinalNumber": number, "fileSize": len(part.data), "fileHash": b64(sha256(part.data))}
            for number, part in enumerate(package.parts, start=1)
        ]
        assert len(package.parts) > 1


@pytest.fixture
async def server() -> AsyncIterator[WireServer]:
    async with WireServer() as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(wire.START)


@pytest.fixture
async def gateway(server: WireServer, clock: FakeClock) -> AsyncIterator[Gateway]:
    settings = KsefSettings(url=server.url)
    opened = open_gateway(settings, wire.NIP, clock, credentials=wire.credentials(), part_bytes=700)
    yield opened
    await opened.close()


class TestSending:
    async def test_open_upload_close(self, server: WireServer, gateway: Gateway) -> None:
        assert await gateway.open_batch(outgoing(), unheard) == wire.BATCH
        opened = server.seen("POST /sessions/batch")[0].json
        assert opened["offlineMode"] is True
        parts = {int(part.path.rsplit("/", 1)[1]): part for part in server.seen("PUT /storage/*")}
        assert len(parts) == len(opened["batchFile"]["fileParts"]) > 1
        assert all(part.token is None for part in parts.values())
        assert all(part.headers["x-ms-blob-type"] == "BlockBlob" for part in parts.values())
        assert all(part.query == {"sig": "abc/d"} for part in parts.values())
        assert server.requests[-1].path == f"/sessions/batch/{wire.BATCH}/close" or server.seen("GET /rate-limits")

        key = wire.rsa_key(0).decrypt(base64.b64decode(opened["encryption"]["encryptedSymmetricKey"]), OAEP)
        iv = base64.b64decode(opened["encryption"]["initializationVector"])
        archive = b"".join(decrypt(parts[number].body, key, iv) for number in sorted(parts))
        assert opened["batchFile"]["fileHash"] == b64(sha256(archive))
        assert unpack(archive, Compression.ZIP) == set(FILES)

    async def test_online_invoices_stay_online_one_offline_makes_it_offline(
        self, server: WireServer, gateway: Gateway
    ) -> None:
        await gateway.open_batch(outgoing(offline=False), unheard)
        await gateway.open_batch([*outgoing(offline=False)[:5], *outgoing()[5:]], unheard)
        assert [seen.json["offlineMode"] for seen in server.seen("POST /sessions/batch")] == [False, True]

    @pytest.mark.parametrize("route", ["POST /sessions/batch", "PUT /storage/2"])
    @pytest.mark.parametrize(
        "fault", [Fault(), problem(21405), Reply(403, b"<Error/>", content_type="application/xml")]
    )
    async def test_before_the_close_nothing_was_sent(
        self, server: WireServer, gateway: Gateway, route: str, fault: Reply | Fault
    ) -> None:
        server.on(route, fault)
        with pytest.raises(KsefError) as caught:
            await gateway.open_batch(outgoing(), unheard)
        assert caught.value.outcome is CallOutcome.NOT_SENT
        assert server.seen("POST /sessions/batch/*/close") == []

    async def test_one_part_that_fails_stops_the_others(self, server: WireServer, gateway: Gateway) -> None:
        server.on("PUT /storage/1", Fault(then="hold"))
        server.on("PUT /storage/2", problem(21405))
        with pytest.raises(KsefError):
            await gateway.open_batch(outgoing(), unheard)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("ksef-upload")]

    async def test_an_unsure_close_keeps_the_reference_and_is_repeated(
        self, server: WireServer, gateway: Gateway
    ) -> None:
        server.on("POST /sessions/batch/*/close", Fault(), Reply(204))
        assert await gateway.open_batch(outgoing(), unheard) == wire.BATCH
        server.on("GET /sessions/*", wire.session_status(100), wire.session_status(150))
        assert await gateway.batch_verdicts(wire.BATCH) is None
        assert len(server.seen("POST /sessions/batch/*/close")) == 2
        assert await gateway.batch_verdicts(wire.BATCH) is None
        assert len(server.seen("POST /sessions/batch/*/close")) == 2

    async def test_a_refused_close_is_an_answer(self, server: WireServer, gateway: Gateway) -> None:
        server.on("POST /sessions/batch/*/close", problem(21205))
        with pytest.raises(KsefError) as caught:
            await gateway.open_batch(outgoing(), unheard)
        assert (caught.value.outcome, caught.value.code) == (CallOutcome.NOT_SENT, 21205)

    async def test_a_plain_http_place_is_refused_where_ksef_is_https(
        self, server: WireServer, clock: FakeClock
    ) -> None:
        settings = KsefSettings(url=server.url)
        gateway = open_gateway(settings, wire.NIP, clock, credentials=wire.credentials(), secure=True)
        with pytest.raises(KsefError, match="nieszyfrowany"):
            await gateway.open_batch(outgoing(), unheard)
        assert server.seen("PUT /storage/*") == []
        await gateway.close()

    async def test_what_no_batch_can_hold(self, gateway: Gateway) -> None:
        with pytest.raises(ValueError, match="a batch holds"):
            await gateway.open_batch([], unheard)
        with pytest.raises(ValueError, match="interactive"):
            await gateway.open_batch([Outgoing("1", b"x", sha256(b"x"), offline=True, corrects=b"y")], unheard)

    async def test_more_than_ksef_takes_is_surely_not_sent(self, gateway: Gateway, server: WireServer) -> None:
        """Its limit may have become known since they were counted."""
        limits = {"onlineSession": {"maxInvoices": 10_000}, "batchSession": {"maxInvoices": 5}}
        server.on("GET /limits/context", Reply(body=limits))
        await gateway.learn_limits()
        assert gateway.largest_batch == 5
        with pytest.raises(KsefError, match="najwyżej 5 faktur") as caught:
            await gateway.open_batch(outgoing(), unheard)
        assert (caught.value.outcome, caught.value.link_down) == (CallOutcome.NOT_SENT, False)
        assert server.seen("POST /sessions/batch") == []


class TestVerdicts:
    async def test_matched_by_hash_partial_failure_leaves_the_good_ones(
        self, server: WireServer, gateway: Gateway
    ) -> None:
        items = [
            wire.accepted(FILES[0], "a"),
            wire.accepted(FILES[1], "b", 450),
            wire.accepted(FILES[2], "c", ksefNumber="nonsense"),
        ]
        server.on("GET /sessions/*/invoices", Reply(body={"invoices": items}))
        verdicts = await gateway.batch_verdicts(wire.BATCH)
        assert verdicts is not None
        assert {reference: type(verdict) for reference, verdict in verdicts.values()} == {
            "a": Accepted,
            "b": Rejected,
            "c": Pending,
        }
        assert set(verdicts) == {sha256(xml) for xml in FILES[:3]}

    async def test_a_batch_refused_as_a_whole(self, server: WireServer, gateway: Gateway) -> None:
        server.on("GET /sessions/*", wire.session_status(430))
        server.on("GET /sessions/*/invoices", Reply(body={"invoices": []}))
        with pytest.raises(KsefError) as caught:
            await gateway.batch_verdicts(wire.BATCH)
        assert (caught.value.outcome, caught.value.code) == (CallOutcome.REFUSED, 430)

    @pytest.mark.parametrize("listed", [[], [FILES[0]]], ids=["nothing listed yet", "one listed"])
    async def test_415_is_not_yet_for_hours_after_the_session_last_changed(
        self, server: WireServer, gateway: Gateway, clock: FakeClock, listed: list[bytes]
    ) -> None:
        server.on("GET /sessions/*", wire.session_status(415))
        server.on("GET /sessions/*/invoices", Reply(body={"invoices": [wire.accepted(xml) for xml in listed]}))
        assert await gateway.batch_verdicts(wire.BATCH) is None
        assert await gateway.session_upo(wire.BATCH, close=False) is None
        await clock.advance(UNSETTLED_FOR.total_seconds() + 60)
        assert await gateway.session_upo(wire.BATCH, close=False) == ()
        if listed:
            assert await gateway.batch_verdicts(wire.BATCH)
            return
        with pytest.raises(KsefError) as caught:
            await gateway.batch_verdicts(wire.BATCH)
        assert (caught.value.outcome, caught.value.code) == (CallOutcome.REFUSED, 415)

    @pytest.mark.parametrize(("hours", "pages"), [(14, None), (16, ())])
    async def test_where_it_is_not_said_when_the_session_changed_its_longest_life_counts(
        self, server: WireServer, gateway: Gateway, hours: int, pages: tuple[UpoPage, ...] | None
    ) -> None:
        created_at = wire.START - timedelta(hours=hours)
        status = {"status": {"code": 415, "description": "Opis"}, "dateCreated": wire.stamp(created_at)}
        server.on("GET /sessions/*", Reply(body=status))
        assert await gateway.session_upo(wire.BATCH, close=False) == pages

    async def test_no_correct_invoice_still_has_verdicts(self, server: WireServer, gateway: Gateway) -> None:
        server.on("GET /sessions/*", wire.session_status(445))
        server.on("GET /sessions/*/invoices", Reply(body={"invoices": [wire.accepted(FILES[0], "a", 450)]}))
        verdicts = await gateway.batch_verdicts(wire.BATCH)
        assert verdicts == {sha256(FILES[0]): ("a", Rejected(450, "Opis"))}
