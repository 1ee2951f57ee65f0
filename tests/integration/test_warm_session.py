"""The session that waits for the first press, and credentials that KSeF does not take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.domain.errors import Unavailable
from agent.domain.invoice import Mode
from agent.domain.lifecycle import InvoiceState
from agent.ports import SessionKind
from tests.fakes.agent_with_sandbox import SteppedClock, agent_with_sandbox


async def test_one_session_before_the_first_press(tmp_path: Path) -> None:
    async with agent_with_sandbox(tmp_path) as place:
        await place.agent.sender.warm()
        await place.agent.sender.warm()
        assert len(place.sandbox.sessions.by_reference) == 1
        assert (await place.sell()).state is InvoiceState.ACCEPTED
        assert len(place.sandbox.sessions.by_reference) == 1


async def test_a_session_counts_for_the_next_run_though_nothing_was_sent_in_it(tmp_path: Path) -> None:
    async with agent_with_sandbox(tmp_path) as place:
        await place.agent.sender.warm()
        noted = await place.agent.store.read(lambda tx: tx.sessions.used_since(datetime(2026, 1, 1, tzinfo=UTC)))
        assert [kind for kind, _ in noted] == [SessionKind.ONLINE]


async def test_a_full_disk_does_not_keep_the_session_from_the_first_press(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with agent_with_sandbox(tmp_path) as place:

        async def full(_: object) -> None:
            raise Unavailable("pełny dysk", code="disk-full")

        with monkeypatch.context() as patch:
            patch.setattr(place.agent.store, "write", full)
            await place.agent.sender.warm()
        assert (await place.sell()).state is InvoiceState.ACCEPTED
        assert len(place.sandbox.sessions.by_reference) == 1


async def test_refused_credentials_are_told_and_nothing_waits_for_them(tmp_path: Path) -> None:
    clock = SteppedClock()
    async with agent_with_sandbox(tmp_path, clock=clock) as place:
        certificate = place.sandbox.authentication.certificate
        place.sandbox.authority.revoked.add(certificate.serial_number)
        await place.agent.sender.warm()
        told = (await place.problems())["ksef-login-refused"]
        assert told.startswith("KSeF odrzucił certyfikat: sprawdź, czy jest ważny, nieodwołany")
        assert place.agent.health.report().status == "critical"
        sold = await place.sell()
        assert (sold.mode, sold.state) == (Mode.OFFLINE24, InvoiceState.ISSUED)

        place.sandbox.authority.revoked.clear()
        clock.jump(timedelta(minutes=2))
        await place.agent.sender.warm()
        assert "ksef-login-refused" not in await place.problems()
        await place.agent.queue.pass_once()
        assert (await place.record(sold.id)).state is InvoiceState.ACCEPTED


async def test_a_suspected_incident_has_its_own_words(tmp_path: Path) -> None:
    async with agent_with_sandbox(tmp_path) as place:
        place.sandbox.behaviour.blocked = True
        await place.agent.sender.warm()
        assert "zgłoś to Ministerstwu Finansów" in (await place.problems())["ksef-login-refused"]


async def test_a_line_that_is_down_says_nothing_about_credentials(tmp_path: Path) -> None:
    async with agent_with_sandbox(tmp_path) as place:
        await place.sandbox.plan("*", "refuse")
        await place.agent.sender.warm()
        assert "ksef-login-refused" not in await place.problems()
