"""A loop that a full disk stopped goes on when there is room; any other death stops the agent."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from agent.app import Agent
from agent.domain.errors import StoreLost, Unavailable
from agent.sandbox.provision import describe, write_config
from agent.sandbox.server import Sandbox
from agent.services.heartbeats import LEAST_SECONDS, Heartbeats
from agent.services.shutdown import Shutdown
from agent.services.tokens import COMMANDS_FILE, FILE_NAME, Tokens
from agent.serving import schedule, serve
from agent.serving.loops import running
from agent.serving.serve import settle, supervise
from agent.serving.watched import EXTENSION, feed_watchdog
from agent.settings.load import load
from agent.settings.model import Settings
from agent.store.sqlite import SqliteStore
from agent.system import systemd
from tests.fakes.agent_with_sandbox import agent_with_sandbox
from tests.fakes.clock import FakeClock
from tests.fakes.world import settings


@dataclass
class Supervised:
    """The part of an agent that a loop's death concerns."""

    clock: FakeClock = field(default_factory=FakeClock)
    shutdown: Shutdown = field(default_factory=Shutdown)

    def __post_init__(self) -> None:
        self.heartbeats = Heartbeats(self.clock)


async def test_a_full_disk_stops_no_loop_for_good() -> None:
    agent = Supervised()
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise Unavailable("Brak miejsca na dysku.", code="disk-full")

    async with running({"sync": run}, agent.shutdown, agent.clock, rest_seconds=5.0):
        await agent.clock.advance(4)
        assert runs == 1
        await agent.clock.advance(6)
    assert (runs, agent.shutdown.begun) == (3, False)


@pytest.mark.parametrize("left", ["[{", None], ids=["damaged", "no file but a folder"])
def test_a_service_without_tokens_sends_and_alarms_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, left: str | None
) -> None:
    if left is None:
        (tmp_path / COMMANDS_FILE).mkdir()
    else:
        (tmp_path / FILE_NAME).write_text(left)
    given = settings(tmp_path)
    serve.let_commands_in(Tokens.in_directory(given.data_dir), given)
    (line,) = caplog.records
    assert line.getMessage().startswith("commands get no token: ")


async def test_a_service_without_tokens_says_so(tmp_path: Path) -> None:
    async with agent_with_sandbox(tmp_path) as place:
        (place.agent.settings.data_dir / FILE_NAME).write_text("[{")
        assert "tokens-unreadable" in await place.problems()


async def test_any_other_death_stops_the_agent() -> None:
    agent = Supervised()
    defect = ValueError("defect")

    async def run() -> None:
        raise defect

    async with running({"sync": run}, agent.shutdown, agent.clock, rest_seconds=5.0):
        await agent.shutdown.wait()
    assert (agent.shutdown.begun, agent.shutdown.defect) == (True, defect)


async def test_a_long_start_is_no_hung_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new version may take minutes over a large database; killed after TimeoutStartSec= it would begin it again."""
    clock, told = FakeClock(), list[str]()

    async def fail() -> None:
        raise StoreLost("the disk failed in the middle of it")

    @asynccontextmanager
    async def upgraded(_settings: object, given: FakeClock) -> AsyncIterator[Agent]:
        await given.advance(5 * 60)
        await fail()
        yield cast(Agent, None)

    monkeypatch.setattr(systemd, "notify", told.append)
    monkeypatch.setattr(serve, "assembled", upgraded)
    with pytest.raises(StoreLost):
        await serve.run(cast(Settings, None), clock)
    assert told == [EXTENSION] * 11
    await clock.advance(60)
    assert len(told) == 11


class TestWatchdog:
    """systemd is told while everything turns (WatchdogSec= of the unit)."""

    @pytest.fixture
    def told(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        found: list[str] = []
        monkeypatch.setattr(systemd, "notify", found.append)
        monkeypatch.setenv("WATCHDOG_USEC", "30000000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        return found

    async def test_a_loop_that_stands_still_ends_the_feeding(
        self, told: list[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        agent = Supervised()
        agent.heartbeats.expect("clock", 10)
        feeding = asyncio.create_task(feed_watchdog(agent.clock, agent.heartbeats.silent))
        await agent.clock.advance(LEAST_SECONDS)
        fed = len(told)
        assert fed == LEAST_SECONDS // 15 + 1
        await agent.clock.advance(60)
        assert len(told) == fed
        assert [record.getMessage() for record in caplog.records] == [
            "loops stand still: clock; systemd will restart the service"
        ]
        agent.heartbeats.beat("clock")
        await agent.clock.advance(15)
        assert len(told) == fed + 1
        feeding.cancel()

    async def test_without_a_watchdog_nothing_is_told(self, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("WATCHDOG_USEC")
        await feed_watchdog(FakeClock(), tuple)
        assert told == []


async def test_every_loop_tells_of_its_rounds_also_of_those_a_full_disk_ended() -> None:
    agent = Supervised()
    full = False

    async def work() -> None:
        if full:
            raise Unavailable("Brak miejsca na dysku.", code="disk-full")

    agent.heartbeats.expect("report", 10)
    round_of_it = schedule.with_beat(agent.heartbeats, "report", work)
    await agent.clock.advance(LEAST_SECONDS + 1)
    assert agent.heartbeats.silent() == ("report",)
    await round_of_it()
    assert agent.heartbeats.silent() == ()
    await agent.clock.advance(LEAST_SECONDS + 1)
    full = True
    with pytest.raises(Unavailable):
        await round_of_it()
    assert agent.heartbeats.silent() == ()


async def test_in_a_till_that_slept_no_loop_stood_still() -> None:
    """Nor is systemd's watchdog, which counts like this, left hungry when it wakes."""
    agent = Supervised()
    agent.heartbeats.expect("report", 10)
    agent.clock.slept(timedelta(hours=8))
    assert agent.heartbeats.silent() == ()
    await agent.clock.advance(LEAST_SECONDS + 1)
    assert agent.heartbeats.silent() == ("report",)


async def test_a_store_that_is_lost_is_told_at_once(tmp_path: Path) -> None:
    """The real agent with its loops: the disk fails under a commit."""
    async with agent_with_sandbox(tmp_path) as place:
        running = asyncio.create_task(supervise(place.agent))
        await place.sell()
        assert (place.agent.health.report().ready, place.agent.health.report().live) == (True, True)
        place.agent.store._lose(StoreLost("Dysk zawiódł."))
        await place.agent.shutdown.wait()
        assert (place.agent.health.report().ready, place.agent.health.report().live) == (False, False)
        assert isinstance(place.agent.shutdown.defect, StoreLost)
        await running


async def test_what_a_start_leaves_is_kept_out_of_later_searches_once_it_is_warm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frozen: list[int] = []

    async def noted(_: Agent) -> None:
        frozen.append(gc.get_freeze_count())

    monkeypatch.setattr(serve, "warm_up", noted)
    before = gc.get_freeze_count()
    try:
        await settle(cast(Agent, None))
        assert frozen == [before], "what warming up makes belongs to it"
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()


async def test_nobody_is_let_in_before_the_press_that_warms_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the first customer would wait for it, behind it in the store's line. Memory is let go before it."""
    config = tmp_path / "agent.toml"
    async with Sandbox() as sandbox:
        write_config(sandbox, config, describe(sandbox, tmp_path / "certificates"))
        given = load(config)
        told: list[tuple[str, bool]] = []

        async def warming(_: Agent) -> None:
            assert let_go == ["pages of the store", "free heap", "pages of files"]
            told.append(("warming up", await answers(given)))

        async def serving(_: Agent) -> None:
            told.append(("serving", await answers(given)))

        monkeypatch.setattr(serve, "warm_up", warming)
        monkeypatch.setattr(serve, "supervise", serving)
        shrink = SqliteStore.shrink

        async def shrunk(store: SqliteStore) -> None:
            await shrink(store)
            let_go.append("pages of the store")

        let_go: list[str] = []
        monkeypatch.setattr(SqliteStore, "shrink", shrunk)
        monkeypatch.setattr(serve, "trim", lambda: let_go.append("free heap"))
        monkeypatch.setattr(serve, "give_back", lambda: let_go.append("pages of files"))
        try:
            assert await serve.run(given) == 0
        finally:
            gc.unfreeze()
        assert told == [("warming up", False), ("serving", True)]


async def answers(given: Settings) -> bool:
    """Whether the till's address takes a connection."""
    try:
        _, writer = await asyncio.open_connection(given.api.host, given.api.port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
