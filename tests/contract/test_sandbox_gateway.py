"""The agent's gateway against the sandbox: two independent readings of the same contract.

One FakeClock for both: the sandbox decides at once, and what is slow costs no real time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from agent.ksef.credentials import Credentials
from agent.ksef.gateway import Gateway, open_gateway
from agent.ksef.latarnia import open_latarnia
from agent.ports import Accepted, CallOutcome, Duplicate, KsefError, Outgoing, Rejected, Verdict
from agent.sandbox.ksef.limits import PRODUCTION
from agent.sandbox.ksef.pki import Credential
from agent.sandbox.server import Sandbox
from agent.settings.model import KsefSettings
from tests.contract.ksef_openapi import Witness
from tests.contract.test_sandbox_ksef_client import at_once
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import unheard
from tests.unit.sandbox.sandbox_client import invoice, sha256

HOLD = 60.0
"""Seconds that a slow answer takes; the gateway waits 15."""
SLOW = frozenset({"slow", "hang", "drip"})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def sandbox(clock: FakeClock) -> AsyncIterator[Sandbox]:
    witness = Witness()
    async with Sandbox(clock=clock, behaviour=at_once(), limits=PRODUCTION) as started:
        started.observers.append(witness)
        yield started
        assert started.limits.refused == 0
    assert witness.complaints == []


def settings(sandbox: Sandbox, **more: object) -> KsefSettings:
    return KsefSettings(url=sandbox.ksef, latarnia_url=sandbox.latarnia_url, **more)  # type: ignore[arg-type]


def credentials(credential: Credential) -> Credentials:
    return Credentials(credential.certificate, credential.key)


@pytest.fixture
async def gateway(sandbox: Sandbox, clock: FakeClock) -> AsyncIterator[Gateway]:
    opened = open_gateway(settings(sandbox), sandbox.nip, clock, credentials=credentials(sandbox.authentication))
    yield opened
    await opened.close()


def outgoing(number: str = "FV/1", **more: str) -> Outgoing:
    xml = invoice(number, **more)
    return Outgoing(number, xml, sha256(xml), offline=True)


async def send(gateway: Gateway, item: Outgoing) -> tuple[str, str, Verdict]:
    session = await gateway.session()
    reference = await gateway.send(session, item)
    return session.reference, reference, await gateway.status(session.reference, reference)


class TestSending:
    async def test_an_invoice_is_accepted_and_confirmed(self, sandbox: Sandbox, gateway: Gateway) -> None:
        item = outgoing()
        session, reference, verdict = await send(gateway, item)
        assert isinstance(verdict, Accepted)
        upo = await gateway.upo(session, reference, verdict.ksef_number)
        assert upo.sha256 == item.sha256
        assert (await gateway.find_all(session)).get(item.sha256) == (reference, verdict)
        assert await gateway.invoice_sha256(verdict.ksef_number) == item.sha256
        assert [entry.sha256 for entry in sandbox.ledger.entries()] == [item.sha256]

    @pytest.mark.parametrize("name", ["authentication_rsa", "seal"])
    async def test_other_certificates_sign_in(self, sandbox: Sandbox, clock: FakeClock, name: str) -> None:
        credential = credentials(getattr(sandbox, name))
        opened = open_gateway(settings(sandbox), sandbox.nip, clock, credentials=credential)
        await opened.authenticate()
        await opened.close()

    async def test_a_token_signs_in(self, sandbox: Sandbox, clock: FakeClock, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text(sandbox.ksef_token, encoding="ascii")
        opened = open_gateway(settings(sandbox, auth="token", token_file=file), sandbox.nip, clock)
        assert isinstance((await send(opened, outgoing()))[2], Accepted)
        await opened.close()

    @pytest.mark.parametrize("same", [True, False])
    async def test_a_duplicate_leads_to_its_original(self, sandbox: Sandbox, gateway: Gateway, same: bool) -> None:
        sandbox.mood("440_own" if same else "440_foreign")
        item = outgoing()
        _, _, verdict = await send(gateway, item)
        assert isinstance(verdict, Duplicate)
        assert verdict.original_ksef_number is not None
        assert verdict.original_session is not None
        assert (await gateway.invoice_sha256(verdict.original_ksef_number) == item.sha256) is same
        upo = await gateway.upo(verdict.original_session, None, verdict.original_ksef_number)
        assert (upo.sha256 == item.sha256) is same

    async def test_a_batch_with_good_and_bad_ones(self, sandbox: Sandbox, gateway: Gateway) -> None:
        good = [outgoing(f"FV/{index}") for index in range(30)]
        bad = outgoing("FV/bad", sums="")
        session = await gateway.open_batch([*good, bad], unheard)
        while (verdicts := await gateway.batch_verdicts(session)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert all(isinstance(verdicts[item.sha256][1], Accepted) for item in good)
        assert isinstance(verdicts[bad.sha256][1], Rejected)
        assert {entry.sha256 for entry in sandbox.ledger.entries()} == {item.sha256 for item in good}

    async def test_a_technical_correction(self, sandbox: Sandbox, gateway: Gateway) -> None:
        rejected = outgoing(sums="")
        assert isinstance((await send(gateway, rejected))[2], Rejected)
        right = outgoing()
        corrected = Outgoing("1", right.xml, right.sha256, offline=True, corrects=rejected.sha256)
        assert isinstance((await send(gateway, corrected))[2], Accepted)


class TestMoods:
    async def test_rotated_keys_cost_one_more_try(self, sandbox: Sandbox, gateway: Gateway) -> None:
        await send(gateway, outgoing())
        sandbox.rotate_keys()
        sandbox.expire_sessions()
        with pytest.raises(KsefError) as ended:
            await send(gateway, outgoing("FV/2"))
        assert ended.value.outcome is CallOutcome.NOT_SENT
        assert isinstance((await send(gateway, outgoing("FV/2")))[2], Accepted)

    async def test_tokens_that_end_in_between(self, sandbox: Sandbox, gateway: Gateway) -> None:
        await send(gateway, outgoing())
        sandbox.auth.expire_tokens("access")
        assert isinstance((await send(gateway, outgoing("FV/2")))[2], Accepted)
        sandbox.auth.expire_tokens("access")
        sandbox.auth.expire_tokens("refresh")
        assert isinstance((await send(gateway, outgoing("FV/3")))[2], Accepted)

    async def test_maintenance_is_not_sent(self, sandbox: Sandbox, gateway: Gateway) -> None:
        session = await gateway.session()
        sandbox.behaviour.maintenance = True
        with pytest.raises(KsefError) as refused:
            await gateway.send(session, outgoing())
        assert (refused.value.outcome, refused.value.code) == (CallOutcome.NOT_SENT, 21184)

    async def test_skew_is_measured(self, sandbox: Sandbox, gateway: Gateway) -> None:
        sandbox.clock.skew = timedelta(minutes=10)
        assert await gateway.probe() == pytest.approx(600, abs=3)

    async def test_latarnia(self, sandbox: Sandbox, clock: FakeClock) -> None:
        sandbox.latarnia.set("FAILURE", [{"id": "K/2026/AWR/01"}])
        source = open_latarnia(settings(sandbox), clock)
        reading = await source.read()
        await source.close()
        assert '"FAILURE"' in reading.status
        assert "K/2026/AWR/01" in reading.messages


# what a send looks like to the agent: (outcome class, did KSeF take it)
OUTCOMES: dict[tuple[str, bool], tuple[CallOutcome, bool]] = {
    ("reset_before", False): (CallOutcome.UNKNOWN, False),
    ("reset_after", False): (CallOutcome.UNKNOWN, True),
    ("close", False): (CallOutcome.UNKNOWN, False),
    ("close", True): (CallOutcome.UNKNOWN, True),
    ("hang", False): (CallOutcome.UNKNOWN, False),
    ("slow", False): (CallOutcome.UNKNOWN, True),
    ("drip", False): (CallOutcome.UNKNOWN, True),
    ("truncated", False): (CallOutcome.UNKNOWN, True),
    ("broken_json", False): (CallOutcome.UNKNOWN, True),
    ("garbage", False): (CallOutcome.UNKNOWN, False),
    ("garbage", True): (CallOutcome.UNKNOWN, True),
    ("html_200", False): (CallOutcome.UNKNOWN, False),
    ("html_200", True): (CallOutcome.UNKNOWN, True),
    ("html_502", False): (CallOutcome.UNKNOWN, False),
    ("html_502", True): (CallOutcome.UNKNOWN, True),
    ("html_503", False): (CallOutcome.UNKNOWN, False),
    ("json_500", False): (CallOutcome.UNKNOWN, False),
    ("json_500", True): (CallOutcome.UNKNOWN, True),
    ("redirect", False): (CallOutcome.UNKNOWN, False),
    ("429", False): (CallOutcome.REFUSED, False),
}


async def spoiled(sandbox: Sandbox, clock: FakeClock, work: Awaitable[object], fault: str) -> KsefError:
    """Await ``work``, which a planned fault spoils; what is slow is waited for in no time."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0)
        if fault in SLOW and sandbox.faults.hits:
            await clock.advance(HOLD)
    with pytest.raises(KsefError) as failed:
        await task
    return failed.value


@pytest.mark.parametrize(("fault", "after"), OUTCOMES)
async def test_a_spoiled_send_ends_in_its_class_and_once_in_the_ledger(
    sandbox: Sandbox, gateway: Gateway, clock: FakeClock, fault: str, after: bool
) -> None:
    sent, taken = OUTCOMES[fault, after]
    item = outgoing()
    session = await gateway.session()
    await sandbox.plan("send", fault, 1, HOLD, after=after)
    error = await spoiled(sandbox, clock, gateway.send(session, item), fault)
    assert error.outcome is sent
    assert len(sandbox.ledger) == (1 if taken else 0)

    known = (await gateway.find_all(session.reference)).get(item.sha256)
    assert (known is not None) is taken
    if known is None and sent is not CallOutcome.REFUSED:
        assert isinstance((await send(gateway, item))[2], Accepted)
    assert [entry.sha256 for entry in sandbox.ledger.entries()] == [item.sha256] * (sent is not CallOutcome.REFUSED)


@pytest.mark.parametrize("call", ["auth", "open", "status", "upo"])
@pytest.mark.parametrize("fault", ["reset_before", "reset_after", "slow", "html_200", "html_502", "truncated", "429"])
async def test_other_calls_may_fail_and_be_repeated(
    sandbox: Sandbox, gateway: Gateway, clock: FakeClock, call: str, fault: str
) -> None:
    item = outgoing()
    if call in ("status", "upo"):
        session, reference, verdict = await send(gateway, item)
        assert isinstance(verdict, Accepted)
        number = verdict.ksef_number
        step: Callable[[], Awaitable[object]] = (
            (lambda: gateway.status(session, reference))
            if call == "status"
            else (lambda: gateway.upo(session, reference, number))
        )
    else:
        step = gateway.session
    # aiohttp repeats a GET by itself once where a kept connection was reset: so the fault stays
    await sandbox.plan(call, fault, None, HOLD)
    error = await spoiled(sandbox, clock, step(), fault)
    if call in ("auth", "open"):
        assert error.outcome in (CallOutcome.NOT_SENT, CallOutcome.REFUSED)
    await sandbox.plan(call, "none")
    if fault != "429":  # the budget keeps the pause that KSeF asked for
        await step()


async def test_a_line_that_is_down_sends_nothing(sandbox: Sandbox, gateway: Gateway) -> None:
    session = await gateway.session()
    await sandbox.plan("*", "refuse")
    with pytest.raises(KsefError) as down:
        await gateway.send(session, outgoing())
    assert down.value.link_down
    with pytest.raises(KsefError) as still:
        await gateway.send(session, outgoing())
    assert still.value.outcome is CallOutcome.NOT_SENT
    await sandbox.plan("*", "none")
    assert isinstance((await send(gateway, outgoing()))[2], Accepted)
