"""The certificates of a chain: got, renewed and counted by the hub, handed out to its tills, refused to others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from agent.certificates.held import load_signer
from agent.domain.errors import ConfigError
from agent.hub.app import seller_gateway, seller_settings
from agent.hub.courier.certificates import LOOK_SECONDS, REFUSED_SECONDS, RETRY_SECONDS, CertificateKeeper
from agent.hub.courier.state import CERTIFICATES
from agent.hub.domain.certificates import KeptCertificate, count_from_json, in_use, slot_of
from agent.hub.domain.records import Seller
from agent.hub.offline_keys import OfflineKeys
from agent.hub.ports import HubStore, Leadership
from agent.hub.private_ca import issue
from agent.hub.services.certificates import OfflineCertificates
from agent.hub.settings.model import HubSettings
from agent.hub.store.sqlite.file import DATABASE
from agent.hub.store.sqlite.store import SqliteHubStore
from agent.hub_contract.certificates import OfflinePair
from agent.hub_contract.heartbeat import News
from agent.hub_route.client import HubClient
from agent.hub_route.offline_key import WrongPair, proven
from agent.ksef.certificate_checks import Use, kind_of
from agent.ksef.certificates import Certificates, new_key
from agent.ksef.credentials import authentication_credentials
from agent.ksef.gateway import Gateway
from agent.ports import CallOutcome, KsefError
from agent.sandbox.ksef.limits import NO_LIMITS
from agent.sandbox.ksef.pki import CertificateAuthority, CertificateType
from agent.sandbox.ksef.state import Behaviour
from agent.sandbox.provision import describe
from agent.sandbox.server import NIP, Sandbox
from agent.services.issuing.codes import InvoiceCodes
from agent.settings.model import KsefSettings
from tests.fakes.clock import FakeClock
from tests.fakes.hub_stores import seller_and_till, sqlite_hub
from tests.fakes.hub_till import TillOfAChain, till_of_a_chain
from tests.fakes.swift_clock import SwiftClock

KEYS = OfflineKeys(2, timedelta(days=30), b"a long random passphrase")
NOW = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
SWIFT = Behaviour(auth_delay=0, number_delay=0, storage_delay=0, session_delay=0, enrollment_delay=3)


@dataclass
class Kept:
    """A keeper over a sandbox."""

    sandbox: Sandbox
    clock: SwiftClock
    store: HubStore
    lead: Leadership
    gateway: Gateway
    keys: OfflineKeys = KEYS

    def keeper(self, certificates: Certificates | None = None) -> CertificateKeeper:
        asked = certificates or Certificates(self.gateway.api, self.clock)
        return CertificateKeeper(NIP, self.lead, self.store, asked, keys=self.keys, clock=self.clock)

    async def certificates(self) -> list[KeptCertificate]:
        return await self.store.read(lambda tx: tx.certificates.of(NIP))

    async def said(self) -> Any:
        return count_from_json(await self.store.read(lambda tx: tx.log.value(CERTIFICATES.format(NIP))))


@asynccontextmanager
async def keeping(folder: Path, behaviour: Behaviour = SWIFT) -> AsyncIterator[Kept]:
    async with (
        SwiftClock().running() as clock,
        Sandbox(clock=clock, limits=NO_LIMITS, behaviour=replace(behaviour)) as sandbox,
        sqlite_hub(folder, clock, threaded=False) as store,
    ):
        facts: Any = describe(sandbox, folder / "certificates")["authentication"]
        access = {"certificate_file": facts["certificate"], "key_file": facts["key"]}
        await seller_and_till(store, nip=NIP)
        seller = Seller(NIP, "Sklep", access, clock.now())
        gateway = seller_gateway(HubSettings(ksef=KsefSettings(url=sandbox.ksef)), seller, clock)
        lead = await store.lead(NIP)
        assert lead is not None
        try:
            yield Kept(sandbox, clock, store, lead, gateway)
        finally:
            await gateway.close()


async def test_the_chain_gets_as_many_as_it_chose_and_counts_what_is_left(tmp_path: Path) -> None:
    async with keeping(tmp_path) as it:
        before = (await Certificates(it.gateway.api, it.clock).limits()).certificates_left
        assert await it.keeper().look() == LOOK_SECONDS
        kept = await it.certificates()
        assert [each.slot for each in kept] == [1, 2]
        for each in kept:
            assert each.certificate is not None
            certificate = x509.load_pem_x509_certificate(each.certificate)
            assert kind_of(certificate) is Use.OFFLINE
            assert KEYS.unlocked(each.key).public_key() == certificate.public_key()
            assert b"ENCRYPTED" in each.key
        said = await it.said()
        assert (said.certificates_left, said.trouble) == (before - 2, None)
        await it.keeper().look()
        assert [each.serial for each in await it.certificates()] == [each.serial for each in kept], "asked for once"


async def test_one_that_ends_soon_is_renewed_and_the_old_one_serves_until_then(tmp_path: Path) -> None:
    async with keeping(tmp_path) as it:
        await it.keeper().look()
        old = in_use(await it.certificates(), it.clock.now())
        await it.clock.advance(timedelta(days=730 - 20).total_seconds())
        assert in_use(await it.certificates(), it.clock.now()) == old
        await it.sandbox.plan("certificates", "refuse")
        assert await it.keeper().look() == RETRY_SECONDS
        assert (await it.said()).trouble is None, "trouble of the line is told elsewhere"
        assert in_use(await it.certificates(), it.clock.now()) == old
        await it.sandbox.plan("certificates", "none")
        await it.keeper().look()
        new = in_use(await it.certificates(), it.clock.now())
        assert {each.serial for each in new.values()}.isdisjoint(each.serial for each in old.values())


class Died(Exception):
    """The process, at some step."""


class Dying(Certificates):
    """Dies in the middle of the n-th call of KSeF."""

    def __init__(self, gateway: Gateway, clock: SwiftClock, calls: int, *, answered: bool) -> None:
        super().__init__(gateway.api, clock)
        self._left = calls
        self._answered = answered

    async def _call(self, call: Any) -> Any:
        self._left -= 1
        if self._left < 0 and not self._answered:
            raise Died
        answer = await super()._call(call)
        if self._left < 0:
            raise Died
        return answer


@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
async def test_a_crash_at_any_call_goes_on_where_it_was(tmp_path: Path, *, answered: bool) -> None:
    async with keeping(tmp_path) as it:
        it.keys = replace(KEYS, slots=1)
        for calls in range(8):
            try:
                await it.keeper(Dying(it.gateway, it.clock, calls, answered=answered)).look()
            except Died:
                continue
            break
        await it.keeper().look()
        (kept,) = await it.certificates()
        assert kept.serial is not None
        limits = await Certificates(it.gateway.api, it.clock).limits()
        used = it.sandbox.behaviour.max_enrollments - limits.requests_left
        assert used == (2 if answered else 1), "only a lost reference costs another request"


async def test_a_refusal_waits_a_day_and_tells_people(tmp_path: Path) -> None:
    async with keeping(tmp_path, replace(SWIFT, max_certificates=0)) as it:
        assert await it.keeper().look() == REFUSED_SECONDS
        assert "nie pozwala teraz" in (await it.said()).trouble
        assert [each.serial for each in await it.certificates()] == [None]
        it.sandbox.behaviour.max_certificates = 100
        await it.keeper().look()
        assert (await it.said()).trouble is None


async def test_a_withdrawn_one_is_replaced_at_once(tmp_path: Path) -> None:
    async with keeping(tmp_path) as it:
        running = asyncio.create_task(it.keeper().run())

        async def count() -> int:
            return len(in_use(await it.certificates(), it.clock.now()))

        await until(count, 2)
        first = (await it.certificates())[0].serial
        assert first is not None
        await OfflineCertificates(it.store, it.clock, KEYS).withdraw(first)
        assert await count() == 1
        await until(count, 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await Certificates(it.gateway.api, it.clock).revoke(first)
        with pytest.raises(KsefError) as twice:
            await Certificates(it.gateway.api, it.clock).revoke(first)
        assert twice.value.outcome is CallOutcome.REFUSED


async def test_one_that_a_command_beside_the_hub_withdraws_is_replaced_as_soon(tmp_path: Path) -> None:
    """Over SQLite `hub certificate withdraw` is another process: it wakes nobody in the hub."""
    async with keeping(tmp_path) as it:
        running = asyncio.create_task(it.keeper().run())

        async def count() -> int:
            return len(in_use(await it.certificates(), it.clock.now()))

        await until(count, 2)

        async def rests() -> int:
            return int((await it.said()).certificates_left is not None)

        await until(rests, 1)
        await asyncio.sleep(0)
        first = (await it.certificates())[0].serial
        assert first is not None
        beside = await SqliteHubStore.open(tmp_path / DATABASE, it.clock, exclusive=False, threaded=False)
        try:
            await OfflineCertificates(beside, it.clock, KEYS).withdraw(first)
        finally:
            await beside.close()
        assert await count() == 1
        begun = it.clock.monotonic()
        await until(count, 2)
        assert it.clock.monotonic() - begun < 60
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_certificate_that_ksef_refuses_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keeping(tmp_path) as it:
        keeper, enrol = it.keeper(), CertificateKeeper._enrol

        async def refused(self: CertificateKeeper, slot: int, pending: KeptCertificate | None) -> None:
            if slot == 1:
                raise KsefError("nie ta nazwa", outcome=CallOutcome.REFUSED, code=21405)
            await enrol(self, slot, pending)

        monkeypatch.setattr(CertificateKeeper, "_enrol", refused)
        assert await keeper.look() == REFUSED_SECONDS
        assert [each.slot for each in await it.certificates() if each.serial is not None] == [2]
        assert "nie ta nazwa" in (await it.said()).trouble


async def until(value: Callable[[], Awaitable[int]], wanted: int) -> None:
    for _ in range(400):
        if await value() == wanted:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"never {wanted}")


def test_keys_of_another_passphrase_are_no_keys() -> None:
    kept = KEYS.locked(new_key())
    with pytest.raises(ConfigError):
        replace(KEYS, passphrase=b"another").unlocked(kept)
    assert "passphrase" not in repr(KEYS)


def test_tills_share_the_certificates_evenly_and_each_keeps_its_own() -> None:
    slots = [slot_of(till, 3) for till in range(1, 31)]
    assert {slots.count(slot) for slot in (1, 2, 3)} == {10}
    assert slot_of(17, 1) == 1


# --- handing out --------------------------------------------------------------------------------------------------


async def followed(it: TillOfAChain) -> str:
    """Report until the till uses the certificate of the chain; return its serial number."""
    for _ in range(200):
        await it.talk.report()
        held = it.joined.agent.ports.signer.current
        if held is not None and held.serial in await serials(it):
            return held.serial
        await asyncio.sleep(0.02)
    raise AssertionError(it.talk.problem())


async def serials(it: TillOfAChain) -> set[str | None]:
    return {each.serial for each in await it.hub.store.read(lambda tx: tx.certificates.of(NIP))}


def signing(it: TillOfAChain) -> str | None:
    """Serial number of the certificate the till signs with."""
    held = it.joined.agent.ports.signer.current
    return None if held is None else held.serial


async def test_a_till_without_a_certificate_gets_one_signs_with_it_and_keeps_it(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, keys=KEYS, offline=False) as it:
        agent = it.joined.agent
        assert signing(it) is None
        assert "certificate-missing" in await it.joined.problems()
        serial = await followed(it)
        assert "certificate-missing" not in await it.joined.problems()
        record = await it.joined.sell()
        codes = InvoiceCodes(agent.settings.ksef, NIP, agent.ports.signer)
        assert f"/{serial}/" in str(codes.certificate_link(record.sha256))
        log = await it.hub.store.read(lambda tx: tx.log.after(0, 1000))
        (given,) = [each for each in log if each.kind == "offline_certificate_given"]
        assert given.data == {"serial": serial, "till": "kasa 1"}
        settings = agent.settings
    key = settings.data_dir / "hub-offline.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert (again := load_signer(settings)) is not None
    assert again.serial == serial
    key.write_text("damaged")
    assert load_signer(settings) is None, "what the settings name: nothing here"


async def test_the_chains_certificate_takes_the_place_of_the_tills_own(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, keys=KEYS) as it:
        own = signing(it)
        assert own is not None
        first = await followed(it)
        assert first != own
        await OfflineCertificates(it.hub.store, it.clock, KEYS).withdraw(first)
        assert signing(it) == first, "a change waits for the next one to be there"
        assert await followed(it) != first


async def test_what_is_wrong_is_told_and_the_old_one_signs_on(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, keys=KEYS) as it:
        own = signing(it)
        chain = it.joined.agent.chain
        assert chain is not None
        serial = "01F20A5D352AE590"
        news = News(it.clock.now(), "1", "up", offline_serial=serial)
        told = str(await chain.certificate.follow(news))  # refused, or not had, as far as the hub is with its own
        assert serial in told
        assert signing(it) == own
        await it.hub.listener.down()
        assert "nie dostała" in str(await chain.certificate.follow(news))
        assert signing(it) == own
        await it.hub.listener.up()


def pair(**changes: Any) -> OfflinePair:
    """A pair as the hub hands it out."""
    authority = CertificateAuthority(NOW)
    key = new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, f"VATPL-{changes.get('nip', NIP)}")])
    kind = changes.get("kind", CertificateType.OFFLINE)
    begin = changes.get("begin", NOW - timedelta(days=1))
    issued = authority.issue(subject, key.public_key(), kind, begin, begin + timedelta(days=100))
    given = changes.get("key", key)
    pem = given.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return OfflinePair(f"{issued.serial_number:016X}", issued.public_bytes(Encoding.PEM).decode(), pem)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"key": new_key()}, "nie należy"),
        ({"kind": CertificateType.AUTHENTICATION}, "nie jest typu Offline"),
        ({"nip": "1111111111"}, "inny podmiot"),
        ({"begin": NOW - timedelta(days=200)}, "jest ważny"),
        ({"begin": NOW + timedelta(days=2)}, "jest ważny"),
        ({"key": rsa.generate_private_key(public_exponent=65537, key_size=2048)}, "P-256"),
    ],
)
def test_only_what_proves_itself_is_adopted(changes: dict[str, Any], why: str) -> None:
    good = pair()
    assert proven(good, good.serial, {NIP}, NOW).serial == good.serial
    wrong = pair(**changes)
    with pytest.raises(WrongPair, match=why):
        proven(wrong, wrong.serial, {NIP}, NOW)


def test_another_one_than_announced_or_no_certificate_at_all_is_refused() -> None:
    good = pair()
    with pytest.raises(WrongPair, match="zamiast"):
        proven(good, "0000000000000001", {NIP}, NOW)
    with pytest.raises(WrongPair, match="nieczytelny"):
        proven(replace(good, certificate="x"), good.serial, {NIP}, NOW)
    assert "PRIVATE" not in repr(good)


# --- who gets none ------------------------------------------------------------------------------------------------


async def test_over_plain_http_nobody_gets_a_key(tmp_path: Path) -> None:
    """Neither is a till told of one, nor would it ask, nor would the hub answer."""
    async with till_of_a_chain(tmp_path, keys=KEYS, tls=False) as it:
        await until(lambda: held(it), 2)
        await it.talk.report()
        assert it.talk.problem() is None
        chain = it.joined.agent.chain
        assert chain is not None
        with pytest.raises(KsefError, match="tylko przez TLS"):
            await chain.client.offline_certificate()
        headers = {"Authorization": f"Bearer {token_of(it)}", "X-Forwarded-Proto": "https"}
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{it.hub.listener.url}/v1/offline-certificate", headers=headers) as answer,
        ):
            said = await answer.json(content_type=None)
            assert (answer.status, said["code"]) == (403, "tls-only")
            assert "PRIVATE" not in str(said)


async def held(it: TillOfAChain) -> int:
    kept = await it.hub.store.read(lambda tx: tx.certificates.of(NIP))
    return len(in_use(kept, it.clock.now()))


def token_of(it: TillOfAChain) -> str:
    path = it.joined.agent.settings.hub.token_file
    assert path is not None
    return path.read_text("utf-8")


async def test_a_stolen_token_gets_a_key_until_it_is_revoked_and_no_other_tills(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, keys=KEYS) as it:
        await until(lambda: held(it), 2)
        thief = it.hub.client(token_of(it), database="")
        stolen = await thief.offline_certificate()
        _, other = await it.hub.till("kasa 2", nip=NIP)
        assert (await it.hub.client(other).offline_certificate()).serial != stolen.serial, "another slot"
        second = it.hub.client(token_of(it), database="of-the-thief")
        await it.talk.report()
        with pytest.raises(KsefError, match="działa już inna kasa"):
            await second.offline_certificate()
        await it.hub.store.write(lambda tx: tx.parties.revoke_till(NIP, "kasa 1"))
        for client in (thief, second):
            with pytest.raises(KsefError, match="wycofany"):
                await client.offline_certificate()
        with pytest.raises(KsefError):
            await it.hub.client("ksef-till-guessed").offline_certificate()


async def test_a_chain_that_chose_none_hands_out_none(tmp_path: Path) -> None:
    async with till_of_a_chain(tmp_path, keys=OfflineKeys()) as it:
        await it.talk.report()
        assert it.talk.problem() is None
        client = it.hub.client(token_of(it), database="")
        with pytest.raises(KsefError, match="nie wydaje") as refused:
            await client.offline_certificate()
        assert refused.value.outcome is CallOutcome.REFUSED


async def test_a_hub_that_is_none_of_the_chains_gets_no_token_and_hands_out_nothing(tmp_path: Path) -> None:
    """Impersonated: a certificate for the same address, of another CA."""
    async with till_of_a_chain(tmp_path, keys=KEYS) as it:
        stranger = tmp_path / "stranger.crt"
        stranger.write_bytes(issue(["127.0.0.1"], days=1).ca_certificate)
        client = HubClient(it.hub.listener.url, it.clock, token="t", database="", ca_file=stranger)
        for call in (client.offline_certificate, lambda: client.outcomes("", 0.0), client.now):
            with pytest.raises(KsefError) as refused:
                await call()
            assert (refused.value.outcome, refused.value.link_down) == (CallOutcome.NOT_SENT, True)
        await client.close()


async def test_a_process_whose_certificate_ended_does_not_lead(tmp_path: Path) -> None:
    """It could not sign in, and would keep the lead from a host whose files hold still."""
    async with keeping(tmp_path) as it:
        facts: Any = describe(it.sandbox, tmp_path / "again")["authentication"]
        seller = Seller(NIP, "", {"certificate_file": facts["certificate"], "key_file": facts["key"]}, it.clock.now())
        pair = authentication_credentials(seller_settings(KsefSettings(url=it.sandbox.ksef), seller))
        assert pair is not None
        ends = pair.expires
        settings = HubSettings(ksef=KsefSettings(url=it.sandbox.ksef))
        await seller_gateway(settings, seller, FakeClock(ends - timedelta(seconds=1))).close()
        with pytest.raises(ConfigError, match="stracił ważność"):
            seller_gateway(settings, seller, FakeClock(ends))


async def test_a_process_works_while_its_certificate_holds_or_what_it_signed_in_with_is_refreshed(
    tmp_path: Path,
) -> None:
    async with keeping(tmp_path) as it:
        facts: Any = describe(it.sandbox, tmp_path / "again")["authentication"]
        access = {"certificate_file": facts["certificate"], "key_file": facts["key"]}
        pair = authentication_credentials(
            seller_settings(KsefSettings(url=it.sandbox.ksef), Seller(NIP, "", access, it.clock.now()))
        )
        assert pair is not None
        assert it.gateway.works_until == pair.expires
        await it.gateway.authenticate()
        assert it.gateway.works_until == pair.expires, "the refresh token ends long before"
        await it.clock.advance((pair.expires - it.clock.now() - timedelta(days=1)).total_seconds())
        await it.gateway.authenticate()
        works_until = it.gateway.works_until
        assert works_until is not None
        assert works_until > pair.expires, "it outlives the certificate"
