"""A till behind a hub, both whole in this process, over one sandbox; only the till's loops stand."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from agent.domain.errors import ConfigError
from agent.hub.app import seller_gateway
from agent.hub.courier.couriers import CourierGateway
from agent.hub.domain.records import Seller
from agent.hub.offline_keys import OfflineKeys
from agent.hub.services.ksef_time import KsefTime, never
from agent.hub.settings.model import HubSettings
from agent.hub_route.books import HubBooks
from agent.hub_route.news import Reporter
from agent.hub_route.refill import Refill
from agent.ksef.asked_time import open_asked_time
from agent.sandbox.server import NIP
from agent.serving.chain import books, refill, reporter
from agent.settings.model import KsefSettings
from tests.fakes.agent_with_sandbox import AgentWithSandbox, SteppedClock, agent_with_sandbox
from tests.fakes.hub_served import ServedHub, served_hub

T = TypeVar("T")
NOTICED_SECONDS = 0.02
OWN = re.compile(r"^(certificate_file|key_file) = (.+)$", re.MULTILINE)


class JumpingClock(SteppedClock):
    """A stepped clock whose waits notice a jump at once."""

    async def sleep(self, seconds: float) -> None:
        end = self.monotonic() + seconds
        while (left := end - self.monotonic()) > 0:  # noqa: ASYNC110 - nobody tells of a jump
            await asyncio.sleep(min(left, NOTICED_SECONDS))
        await asyncio.sleep(0)

    async def within(self, seconds: float, work: Awaitable[T]) -> T:
        task, timer = asyncio.ensure_future(work), asyncio.ensure_future(self.sleep(seconds))
        try:
            await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise TimeoutError
            return await task
        finally:
            for each in (task, timer):
                each.cancel()
            await asyncio.gather(task, timer, return_exceptions=True)


@dataclass
class TillOfAChain:
    """All of it."""

    joined: AgentWithSandbox
    hub: ServedHub
    talk: Reporter
    books: HubBooks
    again: Refill
    clock: SteppedClock
    allowed: list[bool]
    """Whether the hub can use its credentials."""
    ksef_time: KsefTime

    async def turn(self) -> None:
        """One round of each loop."""
        await self.joined.agent.connection.probe()
        await self.joined.agent.problems.refresh()
        await self.talk.report()
        await self.joined.agent.queue.pass_once()
        await self.joined.agent.upos.pass_once()


@asynccontextmanager
async def till_of_a_chain(
    folder: Path,
    *,
    credentials: bool = False,
    hub_works: bool = True,
    extra: str = "",
    keys: OfflineKeys | None = None,
    offline: bool = True,
    tls: bool | None = None,
    hub_is_ahead: timedelta = timedelta(0),
) -> AsyncIterator[TillOfAChain]:
    """Run them; ``credentials``: the till has its own, ``hub_works``: the hub can use its.

    ``keys``: the hub hands out Offline certificates, and speaks TLS unless ``tls`` says otherwise; ``offline``: the
    till has a file of its own. ``hub_is_ahead``: by so much the clock of the hub's machine is wrong.
    """
    clock, allowed = JumpingClock(), [hub_works]
    found: dict[str, str] = {}
    hub_clock = clock if not hub_is_ahead else JumpingClock()
    hub_clock.step = hub_is_ahead

    def open_gateway(seller: Seller) -> CourierGateway:
        if not allowed[0]:
            raise ConfigError(("brak klucza",))
        access = {name: found[name] for name in ("certificate_file", "key_file")}
        settings = HubSettings(ksef=KsefSettings(url=found["url"]))
        return seller_gateway(settings, replace(seller, access=access), hub_clock)

    async def ask() -> float:
        """Ask KSeF itself, once the sandbox is there."""
        if "url" not in found:
            return await never()
        asked = open_asked_time(KsefSettings(url=found["url"]), hub_clock)
        try:
            return await asked.ask()
        finally:
            await asked.close()

    (folder / "hub").mkdir()
    ksef_time = KsefTime(ask, hub_clock)
    tls = keys is not None if tls is None else tls
    async with served_hub(
        folder / "hub", hub_clock, open_gateway, threaded=True, tls=tls, keys=keys, ksef_time=ksef_time
    ) as hub:
        token = folder / "hub.token"

        def edit(text: str) -> str:
            found["url"] = re.findall(r'^url = "(.+)"$', text, re.MULTILINE)[0]
            found.update({name: value.strip('"') for name, value in reversed(OWN.findall(text))})
            if not credentials:
                head, mark, tail = text.partition("[offline]")
                text = OWN.sub("", head) + mark + (tail if offline else OWN.sub("", tail))
            text = text.replace("[ksef]\n", '[ksef]\nroute = "hub"\n')
            ca_file = "" if hub.ca_file is None else f'ca_file = "{hub.ca_file}"\n'
            return f'{text}\n[hub]\nurl = "{hub.listener.url}"\ntoken_file = "{token}"\n{ca_file}'

        _, secret = await hub.till("kasa 1", series=("FV-1", "FK-1"), nip=NIP)
        token.write_text(secret, "utf-8")
        token.chmod(0o600)
        async with agent_with_sandbox(folder, clock=clock, edit=edit, extra=extra) as both:
            assert both.agent.chain is not None
            agent, chain = both.agent, both.agent.chain
            copies, again = books(agent, chain), refill(agent, chain)
            yield TillOfAChain(both, hub, reporter(agent, chain), copies, again, clock, allowed, ksef_time)
