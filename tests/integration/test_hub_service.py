"""The hub as a process: TLS with a CA of its own, a stop that loses nothing, SIGKILL, commands beside it."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from agent.hub.private_ca import issue
from agent.hub_route.gateway import HubGateway
from agent.ports import Accepted, CallOutcome, KsefError, Outgoing, Pending, Verdict
from agent.sandbox.ksef.state import Behaviour
from tests.fakes.hub_rig import HubRig, hub_rig
from tests.unit.sandbox.sandbox_client import invoice

pytestmark = pytest.mark.slow
SWIFT = Behaviour(auth_delay=0, number_delay=0, storage_delay=0, session_delay=0, enrollment_delay=0)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[HubRig]:
    async with hub_rig(tmp_path, behaviour=SWIFT) as running:
        yield running


def outgoing(number: str) -> Outgoing:
    xml = invoice(number)
    return Outgoing(number, xml, hashlib.sha256(xml).digest(), offline=True)


async def settled(gateway: HubGateway, session: str, reference: str) -> Verdict:
    for _ in range(600):
        try:
            verdict = await gateway.status(session, reference)
        except KsefError:
            verdict = Pending()
        if not isinstance(verdict, Pending):
            return verdict
        await asyncio.sleep(0.05)
    raise AssertionError("never decided")


async def test_an_invoice_goes_through_the_hub_over_tls_and_survives_sigkill(rig: HubRig) -> None:
    gateway = await rig.gateway("kasa 1", "FV-1")
    session = await gateway.session()
    first = await gateway.send(session, outgoing("FV-1/1"))
    assert isinstance(await settled(gateway, session.reference, first), Accepted)
    await rig.sandbox.plan("*", "refuse")
    kept = [await gateway.send(session, outgoing(f"FV-1/{number}")) for number in range(2, 6)]
    await rig.kill()
    with pytest.raises(KsefError) as away:
        await gateway.send(session, outgoing("FV-1/9"))
    assert away.value.link_down
    await rig.sandbox.plan("*", "none")
    await rig.start()
    for reference in kept:
        assert isinstance(await settled(gateway, session.reference, reference), Accepted)
    assert len(rig.sandbox.ledger.entries()) == 5
    (seller,) = (await rig.json("status"))["sellers"]
    assert (seller["open"], seller["ksef"], seller["tills"]) == ({}, "up", 1)
    assert await rig.stop() == 0
    assert "Traceback" not in rig.log()


async def test_a_second_process_on_the_same_file_is_refused(rig: HubRig) -> None:
    second = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent.cli", "hub", "run", "--config", str(rig.config)),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await second.communicate()
    assert second.returncode == 1
    assert "używa już" in said.decode()


async def test_a_till_believes_only_its_chains_ca_and_never_plain_http(rig: HubRig, tmp_path: Path) -> None:
    added = await rig.json("till", "add", "kasa 1")
    stranger = tmp_path / "stranger.crt"
    stranger.write_bytes(issue(["localhost"], days=1).ca_certificate)
    for authority in (stranger, None):
        client = rig.client(added["token"], authority=authority)
        if authority is None:
            assert await client.group("HUB-1") == []
            continue
        with pytest.raises(KsefError) as refused:
            await client.group("HUB-1")
        assert (refused.value.outcome, refused.value.link_down) == (CallOutcome.NOT_SENT, True)
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientError):
            await http.get(f"http://localhost:{rig.port}/health/live")
