"""Certificates renew by themselves while the agent works, and their end is told in time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from agent.domain.lifecycle import InvoiceState
from agent.ksef.credentials import Credentials, load_credentials
from agent.settings.model import KsefSettings, OfflineSettings
from agent.web.metrics import render
from tests.fakes.agent_with_sandbox import AgentWithSandbox, SteppedClock, agent_with_sandbox

CONSUMER = {
    "name": "Jan Nowak",
    "address": {"line1": "ul. Długa 1", "line2": "00-001 Warszawa", "country": "PL"},
}
RENEW = "renew_before_days = 60\n"


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


def pair(part: KsefSettings | OfflineSettings, suffix: str = "") -> Credentials:
    """The certificate that lies where the settings say; ``suffix`` names what lies beside it."""
    files = (part.certificate_file, part.key_file)
    certificate, key = (file.with_name(file.name + suffix) for file in files if file is not None)
    return load_credentials(certificate, key)


def days_left(place: AgentWithSandbox) -> dict[str, int]:
    return {each.use: each.days_left for each in place.agent.health.report().certificates}


@pytest.fixture
async def place(tmp_path: Path, clock: SteppedClock) -> AsyncIterator[AgentWithSandbox]:
    async with agent_with_sandbox(
        tmp_path,
        clock=clock,
        edit=lambda text: text.replace('auth = "certificate"\n', 'auth = "certificate"\n' + RENEW).replace(
            "[offline]\n", "[offline]\n" + RENEW
        ),
    ) as running:
        yield running


async def test_both_are_renewed_and_used_without_a_restart(place: AgentWithSandbox, clock: SteppedClock) -> None:
    ksef, offline = place.agent.settings.ksef, place.agent.settings.offline
    old = {"ksef": pair(ksef), "offline": pair(offline)}
    await place.agent.upkeep.renew()
    assert set(days_left(place).values()) == {729}

    clock.step = timedelta(days=700)
    assert {"certificate-expires"} <= (await place.problems()).keys()
    await place.agent.upkeep.renew()
    assert set(days_left(place).values()) == {729}
    assert "certificate-expires" not in await place.problems()
    assert (pair(ksef, ".previous").serial, pair(offline, ".previous").serial) == (
        old["ksef"].serial,
        old["offline"].serial,
    )
    assert not {pair(ksef).serial, pair(offline).serial} & {each.serial for each in old.values()}

    # KSeF takes the old one no more: only the new one can have signed this sale in
    place.sandbox.authority.revoked.add(old["ksef"].certificate.serial_number)
    for kind in ("access", "refresh"):
        place.sandbox.auth.expire_tokens(kind)
    sold = await place.sell()
    assert sold.state is InvoiceState.ACCEPTED
    assert f"/{pair(offline).serial}/" in (sold.link_certificate or "")


async def test_a_new_certificate_that_ksef_does_not_take_leaves_the_old_one(
    place: AgentWithSandbox, clock: SteppedClock
) -> None:
    clock.step = timedelta(days=700)
    ksef = place.agent.settings.ksef
    old = pair(ksef)
    await place.agent.ports.gateway.session()
    place.sandbox.behaviour.blocked = True
    await place.agent.upkeep.renew()
    assert pair(ksef).serial == old.serial
    assert days_left(place)["authentication"] == 29
    assert (await place.sell()).state is InvoiceState.ACCEPTED

    place.sandbox.behaviour.blocked = False
    await place.agent.upkeep.renew()
    assert pair(ksef).serial == old.serial, "refused today: tomorrow again"
    clock.step += timedelta(days=1)
    await place.agent.upkeep.renew()
    assert pair(ksef).serial != old.serial


async def test_out_of_reach_is_tried_again_within_the_day(place: AgentWithSandbox, clock: SteppedClock) -> None:
    clock.step = timedelta(days=700)
    await place.sandbox.plan("*", "refuse")
    await place.agent.upkeep.renew()
    assert days_left(place) == {"offline": 29, "authentication": 29}
    await place.sandbox.plan("*", "none")
    await place.agent.upkeep.renew()
    assert set(days_left(place).values()) == {729}


async def test_the_last_attempt_is_told(tmp_path: Path, place: AgentWithSandbox, clock: SteppedClock) -> None:
    def told() -> dict[str, str | None]:
        held = place.agent.health.report().certificates
        return {each.use: each.renewal.problem for each in held if each.renewal is not None}

    await place.agent.upkeep.renew()
    assert told() == {}, "none was due"
    clock.step = timedelta(days=700)
    place.sandbox.behaviour.max_enrollments = 1
    await place.agent.upkeep.renew()
    assert told().keys() == {"authentication", "offline"}
    assert "Pozostało wniosków: 0" in str(told()["offline"])
    assert "Pozostało wniosków: 0" in (await place.problems())["certificate-expires"]
    page = render(place.agent.health.report(), place.agent.counters)
    assert 'certificate_renewal_failed{use="offline"} 1.0' in page
    kept = place.agent.certificates.attempts.last
    place.agent.certificates.attempts.last = {}
    await place.agent.recover()
    assert place.agent.certificates.attempts.last == kept, "a restart forgets none"

    place.sandbox.behaviour.max_enrollments = 300
    clock.step += timedelta(days=1)
    await place.agent.upkeep.renew()
    assert told() == {"authentication": None, "offline": None}


async def test_a_pair_that_somebody_puts_in_place_is_used_without_a_restart(place: AgentWithSandbox) -> None:
    offline = place.agent.settings.offline
    old = pair(offline)
    clock_step = old.expires - place.agent.clock.now() - timedelta(days=20)
    assert isinstance(place.agent.clock, SteppedClock)
    place.agent.clock.step = clock_step
    await place.agent.upkeep.renew()
    assert pair(offline).serial != old.serial
    assert offline.certificate_file is not None
    assert offline.key_file is not None
    for file in (offline.certificate_file, offline.key_file):
        file.with_name(file.name + ".previous").replace(file)
    await place.agent.upkeep.look()
    sold = await place.sell(buyer=CONSUMER)
    assert {each.use: each.serial for each in place.agent.health.report().certificates}["offline"] == old.serial
    assert f"/{old.serial}/" in (sold.link_certificate or "")

    offline.key_file.write_text("half")
    await place.agent.upkeep.look()
    assert "certificate-files" not in await place.problems()
    await place.agent.upkeep.look()
    assert "uszkodzony plik PEM" in (await place.problems())["certificate-files"]
    assert (await place.sell(buyer=CONSUMER)).number


async def test_the_end_is_told_from_thirty_days_on(tmp_path: Path, clock: SteppedClock) -> None:
    async with agent_with_sandbox(tmp_path, clock=clock) as place:
        clock.step = timedelta(days=699)
        assert not await place.problems()
        clock.step = timedelta(days=700)
        found = await place.problems()
        assert "traci ważność" in found["certificate-expires"]
        assert place.agent.health.report().status == "degraded"
        clock.step = timedelta(days=731)
        assert (await place.problems()).keys() == {"certificate-expired"}
        assert place.agent.health.report().status == "critical"
        await place.agent.upkeep.renew()
        assert set(days_left(place).values()) == {-2}, "no setting orders a renewal"


async def test_the_database_is_checked_once_a_day_whenever_the_till_is_on(
    place: AgentWithSandbox, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[float] = []

    async def check() -> None:
        checks.append(clock.monotonic())

    monkeypatch.setattr(place.agent.store_checks, "check", check)
    for hours, expected in ((0, 1), (1, 1), (19, 1), (21, 2), (22, 2), (45, 3), (-1000, 4)):
        clock.step = timedelta(hours=hours)
        await place.agent.check_database()
        assert len(checks) == expected, hours
