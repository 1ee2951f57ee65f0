"""Running tills and their KSeF, minute by minute: real agents, wire, store and printer; an hour passes in seconds.

The loops stand; each minute makes a round of every one of them, in the order in which their news travel.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.web.metrics import render
from tests.fakes.agent_with_sandbox import AgentWithSandbox, SteppedClock, agent_with_sandbox
from tests.incidents.recording import Recording

BEGIN = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
"""A Tuesday, ten o'clock in Poland."""
MINUTE = timedelta(minutes=1)
PEOPLE = {"name": "Jan Nowak", "address": {"line1": "ul. Długa 1", "line2": "00-001 Warszawa", "country": "PL"}}


@dataclass
class Scene:
    """``tills`` by what Prometheus calls them; ``others`` are pages of /metrics that are none of a till."""

    clock: SteppedClock
    recording: Recording
    tills: dict[str, AgentWithSandbox] = field(default_factory=dict)
    others: dict[str, Callable[[], str | None]] = field(default_factory=dict)
    off: set[str] = field(default_factory=set)
    """Tills that are switched off: nobody works there, nobody answers."""
    behind: set[str] = field(default_factory=set)
    """Tills behind a router: Prometheus does not know them."""

    @property
    def till(self) -> AgentWithSandbox:
        """The only one, or the first."""
        return next(iter(self.tills.values()))

    async def minutes(self, count: int) -> None:
        """Let as many minutes pass; Prometheus looks at the end of each, or of as many as its recording steps."""
        for _ in range(count // self.recording.step):
            self.clock.jump(MINUTE * self.recording.step)
            now = self.clock.now().timestamp()
            for name, place in self.tills.items():
                if name not in self.off:
                    await rounds(place)
                if name not in self.behind:
                    self.recording.add(name, None if name in self.off else page(place), now)
            for name, look in self.others.items():
                self.recording.add(name, look(), now, "receiver")
            self.recording.end_look()

    def firing(self, *names: str, **counts: int) -> None:
        """These alerts fire now, once each or as often as said, and no others."""
        self.recording.firing(dict.fromkeys(names, 1) | counts)


async def rounds(place: AgentWithSandbox) -> None:
    """Make a round of every loop."""
    agent = place.agent
    await agent.announcements.poll()
    await agent.connection.probe()
    await agent.clock_check.keep()
    await agent.sender.warm()
    await agent.queue.pass_once()
    await agent.upos.pass_once()
    await agent.printers.ask()
    await agent.upkeep.look()
    await agent.deadlines.follow()
    await agent.backlogs.count()
    await agent.problems.refresh()
    if agent.heartbeat is not None:
        await agent.heartbeat.send(agent.health.report())


def page(place: AgentWithSandbox) -> str:
    """Return /metrics."""
    agent = place.agent
    shop = agent.settings.health.shop
    return render(agent.health.report(), agent.counters, agent.backlogs.last, shop=shop, heartbeat=agent.heartbeat)


def settings(till: str, edit: Callable[[str], str]) -> Callable[[str], str]:
    """Return what gives a till its name and its shop, then ``edit``."""

    def edited(text: str) -> str:
        named = text.replace('till = "1"', f'till = "{till}"').replace("[health]\n", '[health]\nshop = "Kraków 7"\n')
        return edit(named)

    return edited


@asynccontextmanager
async def scene(
    folder: Path, *tills: str, before: timedelta = timedelta(0), step: int = 1, **more: Any
) -> AsyncIterator[Scene]:
    """Open tills by their names; instances are till-1, till-2, whatever their names. ``before``: since set-up."""
    clock = SteppedClock()
    clock.jump(BEGIN - before - clock.now())
    edit = more.pop("edit", str)
    async with AsyncExitStack() as stack:
        opened = {}
        for number, name in enumerate(tills or ("1",), 1):
            place = folder / f"till-{number}"
            place.mkdir()
            opened[f"till-{number}"] = await stack.enter_async_context(
                agent_with_sandbox(place, clock=clock, edit=settings(name, edit), **more)
            )
        for each in opened.values():
            await rounds(each)
        clock.jump(before)
        yield Scene(clock, Recording(step), opened)
