"""The gateway and the sandbox, two readings of one contract, over real sockets and a clock that the test moves."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from agent.ksef.certificate_files import CertificateFiles
from agent.ksef.certificates import Certificates, CertificateType
from agent.ksef.credentials import Credentials
from agent.ksef.crypto import OfflineSigner
from agent.ksef.enrolment import Renewal, RenewalResult, enrol
from agent.ksef.gateway import Gateway, open_gateway
from agent.ports import Accepted, CallOutcome, Duplicate, KsefError, Outgoing, Pending, Rejected, Verdict
from agent.sandbox.ksef.limits import NO_LIMITS, PRODUCTION
from agent.sandbox.ksef.pki import Credential
from agent.sandbox.ksef.state import Behaviour
from agent.sandbox.server import Sandbox
from agent.settings.model import KsefSettings
from tests.contract.ksef_openapi import Witness
from tests.fakes.gateway import unheard
from tests.fakes.swift_clock import SwiftClock
from tests.unit.sandbox.sandbox_client import invoice

T = TypeVar("T")
TRIES = 400


@pytest.fixture
def clock() -> SwiftClock:
    return SwiftClock()


@pytest.fixture
async def sandbox(clock: SwiftClock) -> AsyncIterator[Sandbox]:
    """The sandbox without rate limits; every exchange is held against OpenAPI 2.9.0."""
    async with Sandbox(clock=clock, behaviour=Behaviour(auth_delay=0), limits=NO_LIMITS) as running:
        witness = Witness()
        running.observers.append(witness)
        yield running
        assert witness.complaints == []


def credentials(credential: Credential) -> Credentials:
    return Credentials(credential.certificate, credential.key)


@pytest.fixture
async def gateway(sandbox: Sandbox, clock: SwiftClock) -> AsyncIterator[Gateway]:
    opened = open_gateway(
        KsefSettings(url=sandbox.ksef), sandbox.nip, clock, credentials=credentials(sandbox.authentication)
    )
    yield opened
    await opened.close()


def outgoing(number: str = "FV/1", *, offline: bool = False, corrects: bytes | None = None, **more: str) -> Outgoing:
    xml = invoice(number, **more)
    return Outgoing(number, xml, hashlib.sha256(xml).digest(), offline, corrects)


async def ticking(clock: SwiftClock, work: Awaitable[T]) -> T:
    """Await ``work`` while time passes: what sleeps in it, on either side, wakes."""
    async with clock.running():
        return await work


async def decided(gateway: Gateway, clock: SwiftClock, session: str, reference: str) -> Verdict:
    """Ask until KSeF has decided."""
    for _ in range(TRIES):
        verdict = await gateway.status(session, reference)
        if not isinstance(verdict, Pending):
            return verdict
        await clock.advance(0.1)
    raise AssertionError("never decided")


async def accepted(gateway: Gateway, clock: SwiftClock, sent: Outgoing) -> tuple[str, str, Accepted]:
    """Send; return session, reference and acceptance."""
    session = (await gateway.session()).reference
    reference = await gateway.send(await gateway.session(), sent)
    verdict = await decided(gateway, clock, session, reference)
    assert isinstance(verdict, Accepted)
    return session, reference, verdict


class TestAuthentication:
    @pytest.mark.parametrize("kind", ["authentication", "authentication_rsa", "seal"])
    async def test_certificate(self, sandbox: Sandbox, clock: SwiftClock, kind: str) -> None:
        settings = KsefSettings(url=sandbox.ksef)
        gateway = open_gateway(settings, sandbox.nip, clock, credentials=credentials(getattr(sandbox, kind)))
        await gateway.authenticate()
        await gateway.close()

    async def test_token(self, sandbox: Sandbox, clock: SwiftClock, tmp_path: Path) -> None:
        token_file = tmp_path / "token"
        token_file.write_text(sandbox.ksef_token)
        settings = KsefSettings(url=sandbox.ksef, auth="token", token_file=token_file)
        gateway = open_gateway(settings, sandbox.nip, clock)
        await accepted(gateway, clock, outgoing())
        await gateway.close()

    async def test_internal_id_context(self, sandbox: Sandbox, clock: SwiftClock) -> None:
        settings = KsefSettings(url=sandbox.ksef, context_internal_id=f"{sandbox.nip}-12345")
        gateway = open_gateway(settings, sandbox.nip, clock, credentials=credentials(sandbox.authentication))
        await gateway.authenticate()
        await gateway.close()

    async def test_a_wrong_token(self, sandbox: Sandbox, clock: SwiftClock, tmp_path: Path) -> None:
        token_file = tmp_path / "token"
        token_file.write_text("20261124-EC-2C3E6C8000-B675CF5D68-07|nip-5265877635|abc")
        gateway = open_gateway(KsefSettings(url=sandbox.ksef, auth="token", token_file=token_file), sandbox.nip, clock)
        with pytest.raises(KsefError, match="odrzucił token") as caught:
            await gateway.session()
        assert caught.value.code == 450
        await gateway.close()

    async def test_an_offline_certificate_signs_no_one_in(self, sandbox: Sandbox, clock: SwiftClock) -> None:
        settings = KsefSettings(url=sandbox.ksef)
        gateway = open_gateway(settings, sandbox.nip, clock, credentials=credentials(sandbox.offline))
        with pytest.raises(KsefError) as caught:
            await gateway.session()
        assert caught.value.outcome is CallOutcome.NOT_SENT
        assert not caught.value.link_down
        await gateway.close()

    async def test_a_till_clock_that_is_wrong_by_an_hour(
        self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway
    ) -> None:
        sandbox.clock.skew = timedelta(hours=1)
        assert await gateway.probe() == pytest.approx(3600, abs=0.1)
        await gateway.session()


class TestInteractive:
    async def test_from_bytes_to_number_to_upo(self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway) -> None:
        sent = outgoing()
        session, reference, verdict = await accepted(gateway, clock, sent)
        (entry,) = sandbox.ledger.entries()
        assert (entry.ksef_number, entry.sha256, entry.offline) == (verdict.ksef_number, sent.sha256, False)
        assert verdict.sha256 == sent.sha256
        upo = await gateway.upo(session, reference, verdict.ksef_number)
        assert (upo.ksef_number, upo.sha256) == (verdict.ksef_number, sent.sha256)
        found = (await gateway.find_all(session)).get(sent.sha256)
        assert found == (reference, verdict)
        assert (await gateway.find_all(session)).get(b"x" * 32) is None

    async def test_the_flag_travels(self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway) -> None:
        await accepted(gateway, clock, outgoing(offline=True))
        assert sandbox.ledger.entries()[0].offline

    async def test_the_collective_upo_of_a_closed_session(
        self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway
    ) -> None:
        session, _, verdict = await accepted(gateway, clock, outgoing())
        await gateway.close()
        await clock.advance(1)
        again = open_gateway(
            KsefSettings(url=sandbox.ksef), sandbox.nip, clock, credentials=credentials(sandbox.authentication)
        )
        (page,) = await again.session_upo(session, close=True) or ()
        assert page.documents == ((verdict.ksef_number, verdict.sha256),)
        assert verdict.ksef_number.encode() in page.xml
        await again.close()

    async def test_a_session_nobody_closed_is_closed_for_its_upo(
        self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway
    ) -> None:
        session, _, _ = await accepted(gateway, clock, outgoing())
        assert await gateway.session_upo(session, close=False) is None
        await clock.advance(1)
        assert await gateway.session_upo(session, close=False) is None
        assert await gateway.session_upo(session, close=True) is None
        await clock.advance(1)
        assert len(await gateway.session_upo(session, close=True) or ()) == 1
        with pytest.raises(KsefError) as over:
            await gateway.send(await gateway.session(), outgoing("FV/2"))
        assert (over.value.outcome, over.value.code) == (CallOutcome.NOT_SENT, 21180)

    async def test_a_session_in_which_nothing_was_accepted_never_has_a_upo(
        self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway
    ) -> None:
        sandbox.mood("450")
        session = await gateway.session()
        await gateway.send(session, outgoing())
        await gateway.session_upo(session.reference, close=True)
        await clock.advance(1)
        assert await gateway.session_upo(session.reference, close=True) == ()

    async def test_the_same_bytes_again_are_a_duplicate_whose_original_has_the_same_hash(
        self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway
    ) -> None:
        sent = outgoing()
        session, _, original = await accepted(gateway, clock, sent)
        reference = await gateway.send(await gateway.session(), sent)
        verdict = await decided(gateway, clock, session, reference)
        assert isinstance(verdict, Duplicate)
        assert (verdict.original_ksef_number, verdict.original_session) == (original.ksef_number, session)
        await clock.advance(1)
        assert await gateway.invoice_sha256(original.ksef_number) == sent.sha256
        upo = await gateway.upo(session, None, original.ksef_number)
        assert upo.sha256 == sent.sha256
        assert len(sandbox.ledger.entries()) == 1

    async def test_a_fresh_original_is_readable_only_later(
        self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway
    ) -> None:
        sandbox.behaviour.storage_delay = 60
        _, _, original = await accepted(gateway, clock, outgoing())
        with pytest.raises(KsefError) as caught:
            await gateway.invoice_sha256(original.ksef_number)
        assert (caught.value.outcome, caught.value.code) == (CallOutcome.REFUSED, 21165)

    @pytest.mark.parametrize(("mood", "retryable"), [("450", False), ("550", True)])
    async def test_refusals(
        self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway, mood: str, retryable: bool
    ) -> None:
        sandbox.mood(mood)
        session = await gateway.session()
        reference = await gateway.send(session, outgoing())
        verdict = await decided(gateway, clock, session.reference, reference)
        assert isinstance(verdict, Rejected)
        assert (verdict.code, verdict.retryable) == (int(mood), retryable)

    async def test_technical_correction_once(self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway) -> None:
        sandbox.mood("450")
        session = await gateway.session()
        rejected = outgoing(offline=True)
        await decided(gateway, clock, session.reference, await gateway.send(session, rejected))
        again = outgoing(offline=True, corrects=rejected.sha256, buyer=_CONSUMER)
        await accepted(gateway, clock, again)
        with pytest.raises(KsefError) as caught:
            await gateway.send(session, outgoing("FV/2", offline=True, corrects=rejected.sha256))
        assert (caught.value.outcome, caught.value.code) == (CallOutcome.REFUSED, 21166)
        with pytest.raises(KsefError) as caught:
            await gateway.send(session, outgoing("FV/2", offline=True, corrects=again.sha256))
        assert caught.value.code == 21167


_CONSUMER = "<Podmiot2><DaneIdentyfikacyjne><BrakID>1</BrakID></DaneIdentyfikacyjne><JST>2</JST><GV>2</GV></Podmiot2>"


class TestMoods:
    async def test_rotated_keys(self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway) -> None:
        await gateway.session()
        sandbox.rotate_keys()
        sandbox.expire_sessions()
        with pytest.raises(KsefError) as caught:
            await gateway.send(await gateway.session(), outgoing())
        assert caught.value.outcome is CallOutcome.NOT_SENT
        await accepted(gateway, clock, outgoing())

    async def test_expired_access_token(self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway) -> None:
        await gateway.session()
        sandbox.auth.expire_tokens("access")
        await accepted(gateway, clock, outgoing())

    async def test_a_day_of_tokens(self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway) -> None:
        for hour in range(14):
            await accepted(gateway, clock, outgoing(f"FV/{hour}"))
            await clock.advance(3600)
        assert len(sandbox.ledger.entries()) == 14

    async def test_maintenance_of_sessions(self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway) -> None:
        session = await gateway.session()
        sandbox.behaviour.maintenance = True
        with pytest.raises(KsefError) as caught:
            await gateway.send(session, outgoing())
        assert (caught.value.outcome, caught.value.code) == (CallOutcome.NOT_SENT, 21184)
        sandbox.behaviour.maintenance = False
        await accepted(gateway, clock, outgoing())
        assert len(sandbox.ledger.entries()) == 1

    async def test_a_full_session(self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway) -> None:
        sandbox.behaviour.max_invoices = 2
        for number in range(5):
            await gateway.learn_limits()
            await accepted(gateway, clock, outgoing(f"FV/{number}"))
        assert len({entry.session for entry in sandbox.ledger.entries()}) == 3


FAULTS = {
    "refuse": CallOutcome.UNKNOWN,
    "reset_before": CallOutcome.UNKNOWN,
    "reset_after": CallOutcome.UNKNOWN,
    "close": CallOutcome.UNKNOWN,
    "hang": CallOutcome.UNKNOWN,
    "slow": CallOutcome.UNKNOWN,
    "slow_before": CallOutcome.UNKNOWN,
    "drip": CallOutcome.UNKNOWN,
    "truncated": CallOutcome.UNKNOWN,
    "broken_json": CallOutcome.UNKNOWN,
    "garbage": CallOutcome.UNKNOWN,
    "html_200": CallOutcome.UNKNOWN,
    "html_502": CallOutcome.UNKNOWN,
    "html_503": CallOutcome.UNKNOWN,
    "json_500": CallOutcome.UNKNOWN,
    "redirect": CallOutcome.UNKNOWN,
    "429": CallOutcome.REFUSED,
}
"""Faults of the sandbox, and the class of the call they strike."""
SESSION_ENDED, NOT_YET_STORED = 21180, 21165
HEALED_BY_HTTP = frozenset({"refuse", "reset_before", "reset_after", "close"})
"""A GET on a connection that was idle is repeated by aiohttp itself; a POST never is."""


def expected_class(call: str, fault: str) -> CallOutcome:
    raw = FAULTS[fault]
    if call == "auth" or (call == "open" and raw is CallOutcome.UNKNOWN):
        return CallOutcome.NOT_SENT
    return raw


async def deliver(gateway: Gateway, clock: SwiftClock, sent: Outgoing) -> list[KsefError]:
    """Bring one invoice to its UPO as a till would; return the errors on the way."""
    errors: list[KsefError] = []
    session = reference = ""
    doubt = False
    for _ in range(5):
        try:
            if doubt:
                found = (await gateway.find_all(session)).get(sent.sha256)
                reference, doubt = (found[0] if found else ""), False
            if not reference:
                opened = await gateway.session()
                session, doubt = opened.reference, True
                reference = await gateway.send(opened, sent)
                doubt = False
            verdict = await decided(gateway, clock, session, reference)
            if isinstance(verdict, Duplicate):
                assert verdict.original_ksef_number is not None
                assert verdict.original_session is not None
                assert await gateway.invoice_sha256(verdict.original_ksef_number) == sent.sha256
                await gateway.upo(verdict.original_session, None, verdict.original_ksef_number)
            else:
                assert isinstance(verdict, Accepted)
                await gateway.upo(session, reference, verdict.ksef_number)
        except KsefError as error:
            doubt = doubt and error.outcome is CallOutcome.UNKNOWN
            errors.append(error)
            await clock.advance(error.retry_after or 5.0)
        else:
            return errors
    raise AssertionError(f"never delivered: {errors}")


class TestFaults:
    @pytest.mark.slow
    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize("call", ["auth", "open", "send", "status", "upo"])
    async def test_matrix(self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway, call: str, after: bool) -> None:
        """Each fault once at this call: the class allows what the till then does, and KSeF has it exactly once."""
        await gateway.session()
        await gateway.learn_limits()
        for number, fault in enumerate(FAULTS):
            sent = outgoing(f"FV/{number}")
            if call == "auth":
                sandbox.auth.expire_tokens("access")
            if call == "open":
                sandbox.expire_sessions()
            seconds = {"slow": 60.0, "slow_before": 60.0, "drip": 20.0, "hang": 60.0}.get(fault)
            await sandbox.plan(call, fault, times=1, seconds=seconds, after=after)
            errors = await ticking(clock, deliver(gateway, clock, sent))
            struck = [error.outcome for error in errors if error.code not in {SESSION_ENDED, NOT_YET_STORED}]
            healed = call in {"status", "upo"} and fault in HEALED_BY_HTTP
            assert struck == ([] if healed else [expected_class(call, fault)]), (fault, errors)
        ledger = sandbox.ledger.entries()
        assert [entry.sha256 for entry in ledger] == [outgoing(f"FV/{number}").sha256 for number in range(len(FAULTS))]

    async def test_a_line_that_is_down_and_comes_back(
        self, sandbox: Sandbox, clock: SwiftClock, gateway: Gateway
    ) -> None:
        session = await gateway.session()
        await sandbox.plan("*", "refuse")
        for work in (gateway.probe(), gateway.send(session, outgoing()), gateway.status(session.reference, "x")):
            with pytest.raises(KsefError) as caught:
                await work
            assert caught.value.link_down
        await sandbox.plan("*", "none")
        await accepted(gateway, clock, outgoing())
        assert len(sandbox.ledger.entries()) == 1


class TestBatch:
    @pytest.mark.parametrize("part_bytes", [5_000, 100_000_000])
    @pytest.mark.parametrize(("compression", "word"), [("zip", b'"Zip"'), ("tar.gz", b'"TarGz"')])
    async def test_a_backlog_with_one_bad_invoice(
        self, sandbox: Sandbox, clock: SwiftClock, part_bytes: int, compression: str, word: bytes
    ) -> None:
        opened: list[bytes] = []
        sandbox.observers.append(lambda each: opened.append(each.body) if each.template == "/sessions/batch" else None)
        gateway = open_gateway(
            KsefSettings(url=sandbox.ksef, batch_compression=compression),
            sandbox.nip,
            clock,
            credentials=credentials(sandbox.authentication),
            part_bytes=part_bytes,
        )
        good = [outgoing(f"FV/{number}", offline=True) for number in range(60)]
        bad = outgoing("FV/bad", offline=True, buyer="<Podmiot2/>")
        reference = await ticking(clock, gateway.open_batch([*good, bad], unheard))
        verdicts = None
        for _ in range(TRIES):
            verdicts = await gateway.batch_verdicts(reference)
            if verdicts is not None:
                break
            await asyncio.sleep(0)
            await clock.advance(0.5)
        assert verdicts is not None
        assert {digest for digest, (_, verdict) in verdicts.items() if isinstance(verdict, Accepted)} == {
            each.sha256 for each in good
        }
        assert isinstance(verdicts[bad.sha256][1], Rejected)
        assert {entry.sha256 for entry in sandbox.ledger.entries()} == {each.sha256 for each in good}
        assert [word in body for body in opened] == [True]
        await gateway.close()


class TestCertificates:
    async def test_enrol_sign_in_sign_renew(self, sandbox: Sandbox, clock: SwiftClock, tmp_path: Path) -> None:
        settings = KsefSettings(url=sandbox.ksef)
        by_seal = open_gateway(settings, sandbox.nip, clock, credentials=credentials(sandbox.seal))
        certificates = Certificates(by_seal.api, clock)
        authentication = CertificateFiles(tmp_path / "a.crt", tmp_path / "a.key")

        async def sign_in(new: Credentials) -> None:
            gateway = open_gateway(settings, sandbox.nip, clock, credentials=new)
            await gateway.authenticate()
            await gateway.close()

        new = await ticking(
            clock, enrol(certificates, CertificateType.AUTHENTICATION, "kasa 1", authentication, sign_in)
        )
        offline = CertificateFiles(tmp_path / "o.crt", tmp_path / "o.key")
        first = await ticking(clock, enrol(certificates, CertificateType.OFFLINE, "kasa 1", offline))
        assert len(OfflineSigner(first).sign(b"qr")) == 64
        await by_seal.close()

        by_new = open_gateway(settings, sandbox.nip, clock, credentials=new)
        certificates = Certificates(by_new.api, clock)
        signer = OfflineSigner(first)
        renewal = Renewal(
            certificates,
            CertificateType.OFFLINE,
            "kasa 1",
            offline,
            days=30,
            now=clock.now,
            current=lambda: signer.certificate,
            adopt=signer.adopt,
        )
        assert await ticking(clock, renewal.run()) is RenewalResult.NOT_DUE
        until_due = (first.expires - clock.now()) - timedelta(days=29)
        clock.step(until_due)
        assert await ticking(clock, renewal.run()) is RenewalResult.RENEWED
        assert signer.serial != first.serial
        await by_new.close()

    async def test_with_a_token_there_is_none(self, sandbox: Sandbox, clock: SwiftClock, tmp_path: Path) -> None:
        token_file = tmp_path / "token"
        token_file.write_text(sandbox.ksef_token)
        gateway = open_gateway(KsefSettings(url=sandbox.ksef, auth="token", token_file=token_file), sandbox.nip, clock)
        place = CertificateFiles(tmp_path / "a.crt", tmp_path / "a.key")
        with pytest.raises(KsefError, match="tylko po uwierzytelnieniu certyfikatem"):
            await enrol(Certificates(gateway.api, clock), CertificateType.OFFLINE, "kasa 1", place)
        await gateway.close()


class TestProductionLimits:
    async def test_a_backlog_sent_one_by_one_provokes_no_429(self, clock: SwiftClock) -> None:
        async with Sandbox(clock=clock, behaviour=Behaviour(auth_delay=0), limits=PRODUCTION) as sandbox:
            gateway = open_gateway(
                KsefSettings(url=sandbox.ksef), sandbox.nip, clock, credentials=credentials(sandbox.authentication)
            )
            for number in range(200):
                while wait := gateway.budget().wait:
                    await clock.advance(wait)
                await ticking(clock, gateway.send(await gateway.session(), outgoing(f"FV/{number}")))
            assert len(sandbox.sessions.by_reference) == 1
            assert sandbox.limits.refused == 0
            assert gateway.budget().sends_left_hour < 180
            await gateway.close()
