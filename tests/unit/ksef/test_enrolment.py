"""Certificates: nothing is lost, whatever step a crash interrupts; the old one stays until the new one works."""

from __future__ import annotations

import asyncio
import base64
import math
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent.domain.errors import Refused
from agent.ksef.certificate_checks import Use
from agent.ksef.certificate_files import CertificateFiles, finish_switch, held
from agent.ksef.certificate_watch import CertificateWatch
from agent.ksef.certificates import Certificates, CertificateType
from agent.ksef.credentials import Credentials, load_credentials, offline_credentials
from agent.ksef.crypto import OfflineSigner, b64
from agent.ksef.enrolment import Prove, Renewal, RenewalResult, enrol
from agent.ksef.gateway import open_gateway
from agent.ports import CallOutcome, KsefError
from agent.settings.model import KsefSettings, OfflineSettings
from tests.contract import ksef_wire as wire
from tests.contract.ksef_wire import Reply, WireServer, problem
from tests.fakes.clock import FakeClock
from tests.fakes.swift_clock import SwiftClock

OFFLINE = CertificateType.OFFLINE


@pytest.fixture
async def server() -> AsyncIterator[WireServer]:
    async with WireServer() as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(wire.START)


@pytest.fixture
async def certificates(server: WireServer, clock: FakeClock) -> AsyncIterator[Certificates]:
    gateway = open_gateway(KsefSettings(url=server.url), wire.NIP, clock, credentials=wire.credentials())
    yield Certificates(gateway.api, clock)
    await gateway.close()


@pytest.fixture
def place(tmp_path: Path) -> CertificateFiles:
    return CertificateFiles(tmp_path / "offline.crt", tmp_path / "offline.key")


def put(place: CertificateFiles, *, days: int = 10) -> Credentials:
    """Put an old pair in place that is valid for so many more days."""
    key = ec.generate_private_key(ec.SECP256R1())
    old = Credentials(wire.issue(key.public_key(), x509.Name([]), 77, until=wire.START + timedelta(days=days)), key)
    place.certificate_file.write_bytes(old.certificate.public_bytes(Encoding.PEM))
    place.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return old


class Till:
    """A running till that uses a pair, with what renews it."""

    def __init__(
        self,
        certificates: Certificates,
        place: CertificateFiles,
        clock: FakeClock,
        pair: Credentials,
        *,
        days: int = 30,
        prove: Prove | None = None,
    ) -> None:
        self.signer = OfflineSigner(pair)
        self.renewal = Renewal(
            certificates,
            OFFLINE,
            "kasa 1",
            place,
            days=days,
            now=clock.now,
            current=lambda: self.signer.certificate,
            adopt=self.signer.adopt,
            prove=prove,
        )


def watch_over(place: CertificateFiles, signer: OfflineSigner) -> CertificateWatch:
    settings = OfflineSettings(certificate_file=place.certificate_file, key_file=place.key_file)
    return CertificateWatch(
        Use.OFFLINE,
        (place.certificate_file, place.key_file),
        load=partial(offline_credentials, settings),
        current=lambda: signer.certificate,
        adopt=signer.adopt,
    )


def names(place: CertificateFiles) -> set[str]:
    return {path.name for path in place.certificate_file.parent.iterdir()}


class TestEnrolment:
    async def test_the_request_says_who_asks(
        self, server: WireServer, certificates: Certificates, place: CertificateFiles
    ) -> None:
        new = await enrol(certificates, OFFLINE, "kasa 1", place)
        assert new.serial == "01F20A5D352AE590"
        asked = server.seen("POST /certificates/enrollments")[0].json
        assert (asked["certificateName"], asked["certificateType"]) == ("kasa 1", "Offline")
        request = x509.load_der_x509_csr(base64.b64decode(asked["csr"]))
        assert request.is_signature_valid
        assert {attribute.value for attribute in request.subject} == {
            value for value in wire.SUBJECT_DATA.values() if value is not None
        }
        public = request.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        assert public.curve.name == "secp256r1"
        assert names(place) == {"offline.crt", "offline.key", "offline.crt.lock"}
        assert place.key_file.stat().st_mode & 0o777 == 0o600

    async def test_the_key_is_on_disk_before_the_request_leaves(
        self, server: WireServer, certificates: Certificates, place: CertificateFiles
    ) -> None:
        def check(request: wire.Request) -> Reply:
            assert place.next_key.stat().st_mode & 0o777 == 0o600
            assert b"PRIVATE KEY" in place.next_key.read_bytes()
            return Reply(202, {"referenceNumber": wire.ENROLMENT, "timestamp": wire.stamp(wire.START)})

        server.on("POST /certificates/enrollments", check)
        await enrol(certificates, OFFLINE, "kasa 1", place)

    async def test_the_key_is_encrypted_with_the_passphrase_of_the_settings(
        self, certificates: Certificates, tmp_path: Path
    ) -> None:
        secret = tmp_path / "passphrase"
        secret.write_text("tajne")
        place = CertificateFiles(tmp_path / "a.crt", tmp_path / "a.key", secret)
        await enrol(certificates, OFFLINE, "kasa 1", place)
        assert b"ENCRYPTED" in place.key_file.read_bytes()
        load_credentials(place.certificate_file, place.key_file, secret)

    @pytest.mark.filterwarnings("ignore:Attribute's length")
    async def test_a_long_polish_name_is_taken_as_ksef_gives_it(
        self, server: WireServer, certificates: Certificates, place: CertificateFiles
    ) -> None:
        name = "Żółć " * 12
        server.on("GET /certificates/enrollments/data", Reply(body={"commonName": name, "countryName": "PL"}))
        await enrol(certificates, OFFLINE, "kasa 1", place)
        asked = server.seen("POST /certificates/enrollments")[0].json
        subject = x509.load_der_x509_csr(base64.b64decode(asked["csr"])).subject
        assert [attribute.value for attribute in subject] == [name, "PL"]

    @pytest.mark.filterwarnings("ignore:Attribute's length")
    @pytest.mark.parametrize("country", ["ŻŻ", "P\x00", "\x1b["])
    async def test_a_name_that_no_request_can_hold_is_trouble_of_ksef(
        self, server: WireServer, certificates: Certificates, country: str
    ) -> None:
        server.on("GET /certificates/enrollments/data", Reply(body={"commonName": "Kasa", "countryName": country}))
        with pytest.raises(KsefError) as caught:
            await certificates.subject()
        assert caught.value.outcome is CallOutcome.UNKNOWN

    async def test_no_certificate_left(
        self, server: WireServer, certificates: Certificates, place: CertificateFiles
    ) -> None:
        server.on("GET /certificates/limits", Reply(body=wire.certificate_limits(can=False)))
        server.on("POST /certificates/enrollments", problem(25006))
        with pytest.raises(Refused, match=r"Pozostało wniosków: 0.*300 wniosków") as caught:
            await enrol(certificates, OFFLINE, "kasa 1", place)
        assert caught.value.code == "certificate-limit"
        server.on("GET /certificates/limits", Reply(500, b""))
        with pytest.raises(Refused, match="Limit wniosków o certyfikat jest wyczerpany"):
            await enrol(certificates, OFFLINE, "kasa 1", place)
        assert len(server.seen("GET /certificates/enrollments/data")) == 1, "the subject is asked for once a key"

    async def test_with_a_token_ksef_refuses_and_we_say_why(
        self, server: WireServer, certificates: Certificates, place: CertificateFiles
    ) -> None:
        server.on("GET /certificates/enrollments/data", problem(25001))
        with pytest.raises(KsefError, match="tylko po uwierzytelnieniu certyfikatem"):
            await enrol(certificates, OFFLINE, "kasa 1", place)

    async def test_a_rejected_request_is_forgotten_with_its_key(
        self, server: WireServer, certificates: Certificates, place: CertificateFiles
    ) -> None:
        server.on(
            f"GET /certificates/enrollments/{wire.ENROLMENT}",
            Reply(body={"requestDate": wire.stamp(wire.START), "status": {"code": 400, "description": "Odrzucony"}}),
        )
        with pytest.raises(KsefError, match="Odrzucony"):
            await enrol(certificates, OFFLINE, "kasa 1", place)
        assert names(place) == {"offline.crt.lock"}

    async def test_a_rejected_request_whose_csr_somebody_removed_is_forgotten_too(
        self, server: WireServer, certificates: Certificates, place: CertificateFiles
    ) -> None:
        poll = f"GET /certificates/enrollments/{wire.ENROLMENT}"
        server.on(poll, Reply(500, b"", content_type="text/html"))
        with pytest.raises(KsefError):
            await enrol(certificates, OFFLINE, "kasa 1", place)
        place.csr.unlink()
        status = {"code": 400, "description": "Odrzucony"}
        server.on(poll, Reply(body={"requestDate": wire.stamp(wire.START), "status": status}))
        with pytest.raises(KsefError, match="Odrzucony"):
            await enrol(certificates, OFFLINE, "kasa 1", place)
        assert names(place) == {"offline.crt.lock"}

    async def test_an_unreachable_ksef_loses_nothing(
        self, server: WireServer, certificates: Certificates, place: CertificateFiles
    ) -> None:
        server.on(f"GET /certificates/enrollments/{wire.ENROLMENT}", Reply(500, b"", content_type="text/html"))
        with pytest.raises(KsefError) as caught:
            await enrol(certificates, OFFLINE, "kasa 1", place)
        assert caught.value.outcome is CallOutcome.UNKNOWN
        assert names(place) == {"offline.key.next", "offline.crt.csr", "offline.crt.request", "offline.crt.lock"}

    async def test_a_certificate_for_another_key_is_not_taken(
        self, server: WireServer, certificates: Certificates, place: CertificateFiles
    ) -> None:
        old = put(place)
        other = ec.generate_private_key(ec.SECP256R1()).public_key()
        item = {
            "certificate": b64(wire.issue(other, x509.Name([]), wire.ISSUED_SERIAL).public_bytes(Encoding.DER)),
            "certificateName": "x",
            "certificateSerialNumber": f"{wire.ISSUED_SERIAL:016X}",
            "certificateType": "Offline",
        }
        server.on("POST /certificates/retrieve", Reply(body={"certificates": [item]}))
        with pytest.raises(Refused, match="inny certyfikat"):
            await enrol(certificates, OFFLINE, "kasa 1", place)
        assert load_credentials(place.certificate_file, place.key_file).serial == old.serial

    async def test_where_it_can_not_write_it_does_not_ask(
        self, server: WireServer, certificates: Certificates, tmp_path: Path
    ) -> None:
        place = CertificateFiles(tmp_path / "none" / "a.crt", tmp_path / "none" / "a.key")
        with pytest.raises(Refused, match="Nie można zapisać"):
            await enrol(certificates, OFFLINE, "kasa 1", place)
        assert server.seen("POST /certificates/enrollments") == []


class TestRenewal:
    @pytest.mark.parametrize(("days", "due"), [(0, False), (9, False), (10, True), (30, True)])
    async def test_when(
        self, certificates: Certificates, place: CertificateFiles, clock: FakeClock, days: int, due: bool
    ) -> None:
        till = Till(certificates, place, clock, put(place, days=10), days=days)
        old = till.signer.serial
        assert await till.renewal.run() is (RenewalResult.RENEWED if due else RenewalResult.NOT_DUE)
        assert load_credentials(place.certificate_file, place.key_file).serial == till.signer.serial
        assert (till.signer.serial != old) is due

    async def test_the_old_pair_stays_until_the_new_one_works(
        self, certificates: Certificates, place: CertificateFiles, clock: FakeClock
    ) -> None:
        old = put(place)

        async def refuse(new: Credentials) -> None:
            raise KsefError("nie działa", outcome=CallOutcome.NOT_SENT, code=460)

        with pytest.raises(KsefError, match="nie działa"):
            await Till(certificates, place, clock, old, prove=refuse).renewal.run()
        assert load_credentials(place.certificate_file, place.key_file).serial == old.serial

    async def test_the_old_pair_is_kept(
        self, certificates: Certificates, place: CertificateFiles, clock: FakeClock
    ) -> None:
        old = put(place)
        await Till(certificates, place, clock, old).renewal.run()
        previous = [path.with_name(path.name + ".previous") for path in (place.certificate_file, place.key_file)]
        assert load_credentials(*previous).serial == old.serial

    async def test_the_running_agent_signs_with_the_new_one(
        self, certificates: Certificates, place: CertificateFiles, clock: FakeClock
    ) -> None:
        till = Till(certificates, place, clock, put(place))
        signer, renewal = till.signer, till.renewal
        assert await renewal.run() is RenewalResult.RENEWED
        assert signer.serial == f"{wire.ISSUED_SERIAL:016X}"
        signature = signer.sign(b"path")
        public = load_credentials(place.certificate_file, place.key_file).certificate.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        public.verify(der, b"path", ec.ECDSA(hashes.SHA256()))
        assert await renewal.run() is RenewalResult.NOT_DUE


class TestSharedPair:
    """Tills that share the files: one renews, the others take up what it got."""

    async def test_one_renews_and_the_others_take_it_up(
        self, server: WireServer, certificates: Certificates, place: CertificateFiles, clock: FakeClock
    ) -> None:
        old = put(place)
        tills = [Till(certificates, place, clock, old) for _ in range(3)]
        results = await asyncio.gather(*(till.renewal.run() for till in tills))
        assert sorted(results) == [RenewalResult.ELSEWHERE, RenewalResult.ELSEWHERE, RenewalResult.RENEWED]
        results = [await till.renewal.run() for till in tills]
        assert sorted(results) == [RenewalResult.ADOPTED, RenewalResult.ADOPTED, RenewalResult.NOT_DUE]
        assert {till.signer.serial for till in tills} == {f"{wire.ISSUED_SERIAL:016X}"}
        assert len(server.seen("POST /certificates/enrollments")) == 1

    async def test_a_command_beside_it_is_told_to_wait(
        self, certificates: Certificates, place: CertificateFiles
    ) -> None:
        with held(place) as mine:
            assert mine
            with pytest.raises(Refused, match="Inny program odnawia"):
                await enrol(certificates, OFFLINE, "kasa 1", place)

    async def test_whoever_could_read_the_old_key_can_read_the_new_one(
        self, certificates: Certificates, place: CertificateFiles, clock: FakeClock
    ) -> None:
        till = Till(certificates, place, clock, put(place))
        place.key_file.chmod(0o644)
        place.certificate_file.chmod(0o660)
        await till.renewal.run()
        assert place.key_file.stat().st_mode & 0o777 == 0o640, "its group, and nobody else"
        assert place.certificate_file.stat().st_mode & 0o777 == 0o664

    def test_a_till_that_may_only_read_starts_in_the_middle_of_a_switch(
        self, place: CertificateFiles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(place)
        other = CertificateFiles(place.certificate_file.with_name("new.crt"), place.key_file.with_name("new.key"))
        new = put(other)
        settings = OfflineSettings(certificate_file=place.certificate_file, key_file=place.key_file)
        other.certificate_file.replace(place.next_certificate)
        other.key_file.replace(place.key_file)
        with held(place) as mine:
            assert mine
            found = offline_credentials(settings)
        assert found is not None
        assert found.certificate == new.certificate
        assert place.next_certificate.exists(), "whoever holds the pair completes it"
        found = offline_credentials(settings)
        assert found is not None
        assert not place.next_certificate.exists(), "nobody holds it any more"


class TestShareOfTheLimits:
    """120 calls an hour for all tills behind one address (group other)."""

    @pytest.mark.parametrize(("tills", "hours"), [(16, 1), (300, 24), (3000, 200)])
    async def test_an_enrolment_ends_however_many_tills_there_are(
        self, server: WireServer, place: CertificateFiles, tills: int, hours: int
    ) -> None:
        clock = SwiftClock(wire.START)
        settings = KsefSettings(url=server.url, tills_sharing_address=tills)
        gateway = open_gateway(settings, wire.NIP, clock, credentials=wire.credentials())
        patient = Certificates(gateway.api, clock, patience=math.inf)
        begun = clock.monotonic()
        async with clock.running():
            new = await enrol(patient, OFFLINE, "kasa 1", place)
        assert new.serial == f"{wire.ISSUED_SERIAL:016X}"
        assert clock.monotonic() - begun < hours * 3600
        await gateway.close()

    async def test_what_others_used_up_is_waited_for(self, server: WireServer, place: CertificateFiles) -> None:
        clock = SwiftClock(wire.START)
        gateway = open_gateway(KsefSettings(url=server.url), wire.NIP, clock, credentials=wire.credentials())
        refusals = iter([Reply(429, {}, headers={"Retry-After": "1800"})])

        def first_refused(_: wire.Request) -> Reply:
            return next(refusals, Reply(202, {"referenceNumber": wire.ENROLMENT, "timestamp": wire.stamp(wire.START)}))

        server.on("POST /certificates/enrollments", first_refused)
        with pytest.raises(KsefError) as caught:
            await enrol(Certificates(gateway.api, clock), OFFLINE, "kasa 1", place)
        assert caught.value.code == 429, "who has no patience is told"
        refusals = iter([Reply(429, {}, headers={"Retry-After": "1800"}), Reply(429, {})])
        await clock.advance(1800)
        patient = Certificates(gateway.api, clock, patience=math.inf)
        async with clock.running():
            new = await enrol(patient, OFFLINE, "kasa 1", place)
        assert new.serial == f"{wire.ISSUED_SERIAL:016X}"
        await gateway.close()


class TestWatch:
    """Another pair lies where the settings say."""

    def test_it_is_taken_up_once_it_fits(self, place: CertificateFiles) -> None:
        signer = OfflineSigner(put(place))
        watch = watch_over(place, signer)
        assert watch.look() is None
        other = CertificateFiles(place.certificate_file.with_name("new.crt"), place.key_file.with_name("new.key"))
        new = put(other)
        other.key_file.replace(place.key_file)
        assert watch.look() is None
        assert not watch.problem, "for a moment two files never fit"
        assert watch.look() is None
        assert "nie pasuje" in str(watch.problem)
        other.certificate_file.replace(place.certificate_file)
        found = watch.look()
        assert found is not None
        assert found.certificate == new.certificate
        assert watch.problem is None
        watch.adopt(found)
        assert watch.look() is None

    @pytest.mark.parametrize("gone", ["certificate_file", "key_file"])
    def test_a_file_that_is_gone_is_told(self, place: CertificateFiles, gone: str) -> None:
        watch = watch_over(place, OfflineSigner(put(place)))
        watch.look()
        getattr(place, gone).unlink()
        watch.look()
        watch.look()
        assert "Nie można odczytać" in str(watch.problem)

    def test_a_certificate_that_can_never_serve_is_not_taken_up(self, place: CertificateFiles) -> None:
        watch = watch_over(place, OfflineSigner(put(place)))
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([])
        wrong = (
            x509.CertificateBuilder(name, name, key.public_key(), 78)
            .not_valid_before(wire.START)
            .not_valid_after(wire.START + timedelta(days=700))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        place.certificate_file.write_bytes(wrong.public_bytes(Encoding.PEM))
        place.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        assert [watch.look(), watch.look()] == [None, None]
        assert str(watch.problem).startswith("[offline]")


class Crash(BaseException):
    """The process ends here."""


class CrashAt:
    """Counts every change of the file system and dies before the n-th one, or just after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, *, after: bool) -> None:
        self.count = 0
        self._at = at
        self._after = after
        for owner, name in ((Path, "replace"), (Path, "unlink"), (os, "link"), (os, "open"), (os, "fsync")):
            monkeypatch.setattr(owner, name, self._wrap(getattr(owner, name)))

    def _wrap(self, real: object) -> object:
        assert callable(real)

        def step(*args: object, **kwargs: object) -> object:
            self.count += 1
            mine = self.count == self._at
            if mine and not self._after:
                raise Crash
            result = real(*args, **kwargs)
            if mine:
                raise Crash
            return result

        return step


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("first", [True, False], ids=["enrolment", "renewal"])
async def test_a_crash_at_any_step_loses_nothing(
    server: WireServer,
    certificates: Certificates,
    clock: FakeClock,
    tmp_path: Path,
    after: bool,
    first: bool,
) -> None:
    at = 0
    while True:
        at += 1
        directory = tmp_path / str(at)
        directory.mkdir()
        place = CertificateFiles(directory / "offline.crt", directory / "offline.key")
        if not first:
            put(place)
        with pytest.MonkeyPatch.context() as patch:
            crash = CrashAt(patch, at, after=after)
            try:
                await enrol(certificates, OFFLINE, "kasa 1", place)
            except Crash:
                pass
            else:
                assert crash.count < at
                break
        settings = OfflineSettings(certificate_file=place.certificate_file, key_file=place.key_file)
        if not first:
            assert offline_credentials(settings) is not None, f"a crash at step {at} left no working pair"
        new = await enrol(certificates, OFFLINE, "kasa 1", place)
        assert new.serial == f"{wire.ISSUED_SERIAL:016X}"
        await clock.advance(3600)
    assert at > 10


def test_a_switch_that_was_not_decided_does_not_happen(place: CertificateFiles) -> None:
    old = put(place)
    place.next_key.write_text("half")
    place.request.write_text(wire.ENROLMENT)
    finish_switch(place)
    assert load_credentials(place.certificate_file, place.key_file).serial == old.serial
